
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_credential.h"

#include "gw_pair.h"
#include "ngx_http_gw_util.h"


typedef struct {
    const ngx_http_gw_auth_source_t  *source;
    ngx_str_t                         value;     /* of the first one */
    ngx_uint_t                        n;
} ngx_http_gw_auth_credential_search_t;


static ngx_uint_t ngx_http_gw_auth_credential_reserved(ngx_str_t *name);

static void ngx_http_gw_auth_credential_found(
    ngx_http_gw_auth_credential_search_t *search,
    const ngx_http_gw_auth_source_t *source, u_char *start, u_char *end);
static void ngx_http_gw_auth_credential_look(ngx_http_request_t *r,
    ngx_http_gw_auth_credential_search_t *search,
    const ngx_http_gw_auth_source_t *source);
static void ngx_http_gw_auth_credential_bearer(
    ngx_http_gw_auth_credential_search_t *search,
    const ngx_http_gw_auth_source_t *source, ngx_str_t *value);
static void ngx_http_gw_auth_credential_cookies(
    ngx_http_gw_auth_credential_search_t *search,
    const ngx_http_gw_auth_source_t *source, ngx_str_t *value);
static void ngx_http_gw_auth_credential_args(
    ngx_http_gw_auth_credential_search_t *search,
    const ngx_http_gw_auth_source_t *source, ngx_str_t *args);

static ngx_int_t ngx_http_gw_auth_credential_copy(ngx_http_request_t *r,
    ngx_http_gw_auth_credential_search_t *search, ngx_str_t *credential);


/* not to be unlinked as a credential: nginx itself depends on them */

static const ngx_str_t  ngx_http_gw_auth_credential_headers[] = {
    ngx_string("authorization"),
    ngx_string("connection"),
    ngx_string("content-length"),
    ngx_string("cookie"),
    ngx_string("expect"),
    ngx_string("host"),
    ngx_string("transfer-encoding"),
    ngx_string("upgrade"),
    ngx_null_string
};


const char *
ngx_http_gw_auth_credential_source(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_gw_auth_source_t *source)
{
    u_char      *p, ch;
    size_t       i;
    ngx_uint_t   n;

    static const struct {
        ngx_str_t                text;
        ngx_http_gw_auth_place_e place;
    } places[] = {
        { ngx_string("header="), NGX_HTTP_GW_AUTH_HEADER },
        { ngx_string("cookie="), NGX_HTTP_GW_AUTH_COOKIE },
        { ngx_string("query="), NGX_HTTP_GW_AUTH_QUERY },
        { ngx_null_string, NGX_HTTP_GW_AUTH_BEARER }
    };

    ngx_str_null(&source->name);

    if (value->len == sizeof("bearer") - 1
        && ngx_strncmp(value->data, "bearer", value->len) == 0)
    {
        source->place = NGX_HTTP_GW_AUTH_BEARER;
        return NULL;
    }

    for (n = 0; places[n].text.len; n++) {
        if (value->len >= places[n].text.len
            && ngx_strncmp(value->data, places[n].text.data,
                           places[n].text.len)
               == 0)
        {
            break;
        }
    }

    if (places[n].text.len == 0) {
        return "must be \"bearer\", \"header=\", \"cookie=\", or \"query=\"";
    }

    source->place = places[n].place;

    p = value->data + places[n].text.len;
    source->name.len = value->len - places[n].text.len;

    if (source->name.len == 0) {
        return "has an empty name";
    }

    source->name.data = ngx_pnalloc(cf->pool, source->name.len);
    if (source->name.data == NULL) {
        return "failed, out of memory";
    }

    for (i = 0; i < source->name.len; i++) {
        ch = p[i];

        if (!(ch >= '0' && ch <= '9')
            && !((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z')
            && ch != '-' && ch != '_' && ch != '.')
        {
            return "has a name of other than letters, digits, \"-\", \"_\", "
                   "and \".\"";
        }

        /* as ngx_http_gw_header_unlink() wants it */

        if (source->place == NGX_HTTP_GW_AUTH_HEADER) {
            ch = (ch == '_' || ch == '.') ? '-' : ngx_tolower(ch);
        }

        source->name.data[i] = ch;
    }

    if (source->place == NGX_HTTP_GW_AUTH_HEADER
        && ngx_http_gw_auth_credential_reserved(&source->name))
    {
        return "names a header that can't carry it";
    }

    return NULL;
}


static ngx_uint_t
ngx_http_gw_auth_credential_reserved(ngx_str_t *name)
{
    const ngx_str_t  *h;

    for (h = ngx_http_gw_auth_credential_headers; h->len; h++) {
        if (ngx_gw_str_equal(h, name)) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_gw_auth_credential_same(const ngx_http_gw_auth_source_t *a,
    const ngx_http_gw_auth_source_t *b)
{
    return a->place == b->place
           && (a->place == NGX_HTTP_GW_AUTH_BEARER
               || ngx_gw_str_equal(&a->name, &b->name));
}


ngx_int_t
ngx_http_gw_auth_credential_find(ngx_http_request_t *r,
    const ngx_array_t *sources, ngx_str_t *credential,
    const ngx_http_gw_auth_source_t **source)
{
    ngx_uint_t                             i;
    ngx_http_gw_auth_source_t             *s;
    ngx_http_gw_auth_credential_search_t   search;

    ngx_memzero(&search, sizeof(ngx_http_gw_auth_credential_search_t));

    s = sources->elts;

    for (i = 0; i < sources->nelts; i++) {
        ngx_http_gw_auth_credential_look(r, &search, &s[i]);
    }

    if (search.n == 0) {
        return NGX_DECLINED;
    }

    if (search.n > 1) {
        return NGX_BUSY;
    }

    *source = search.source;

    return ngx_http_gw_auth_credential_copy(r, &search, credential);
}


static void
ngx_http_gw_auth_credential_found(ngx_http_gw_auth_credential_search_t *search,
    const ngx_http_gw_auth_source_t *source, u_char *start, u_char *end)
{
    if (search->n++ == 0) {
        search->source = source;
        search->value.data = start;
        search->value.len = end - start;
    }
}


static void
ngx_http_gw_auth_credential_look(ngx_http_request_t *r,
    ngx_http_gw_auth_credential_search_t *search,
    const ngx_http_gw_auth_source_t *source)
{
    ngx_str_t                   name;
    ngx_table_elt_t            *h;
    ngx_http_gw_header_iter_t   it;

    switch (source->place) {

    case NGX_HTTP_GW_AUTH_QUERY:
        ngx_http_gw_auth_credential_args(search, source, &r->args);
        return;

    case NGX_HTTP_GW_AUTH_BEARER:
        ngx_str_set(&name, "authorization");
        break;

    case NGX_HTTP_GW_AUTH_COOKIE:
        ngx_str_set(&name, "cookie");
        break;

    default: /* NGX_HTTP_GW_AUTH_HEADER */
        name = source->name;
        break;
    }

    ngx_memzero(&it, sizeof(ngx_http_gw_header_iter_t));

    for ( ;; ) {

        h = ngx_http_gw_header_next(r, &name, &it);
        if (h == NULL) {
            break;
        }

        switch (source->place) {

        case NGX_HTTP_GW_AUTH_BEARER:
            ngx_http_gw_auth_credential_bearer(search, source, &h->value);
            break;

        case NGX_HTTP_GW_AUTH_COOKIE:
            ngx_http_gw_auth_credential_cookies(search, source, &h->value);
            break;

        default: /* NGX_HTTP_GW_AUTH_HEADER */
            ngx_http_gw_auth_credential_found(search, source, h->value.data,
                                              h->value.data + h->value.len);
            break;
        }
    }
}


static void
ngx_http_gw_auth_credential_bearer(
    ngx_http_gw_auth_credential_search_t *search,
    const ngx_http_gw_auth_source_t *source, ngx_str_t *value)
{
    u_char  *p, *last;

    if (value->len < 6
        || ngx_strncasecmp(value->data, (u_char *) "Bearer", 6) != 0)
    {
        return;
    }

    p = value->data + 6;
    last = value->data + value->len;

    if (p < last && *p != ' ' && *p != '\t') {
        /* another scheme */
        return;
    }

    /* a tab is refused with the token, upstreams might take it for a blank */

    while (p < last && *p == ' ') {
        p++;
    }

    ngx_http_gw_auth_credential_found(search, source, p, last);
}


static void
ngx_http_gw_auth_credential_cookies(
    ngx_http_gw_auth_credential_search_t *search,
    const ngx_http_gw_auth_source_t *source, ngx_str_t *value)
{
    u_char     *p, *last, *start, *end;
    gw_str_t    name;
    gw_pair_t   pair;

    name.len = source->name.len;
    name.data = (const char *) source->name.data;

    last = value->data + value->len;

    for (p = value->data; p < last; p = pair.end + 1) {

        if (!gw_pair_cookie(p, last, &name, &pair)) {
            continue;
        }

        start = pair.value;
        end = pair.end;

        while (start < end && (*start == ' ' || *start == '\t')) {
            start++;
        }

        while (end > start && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        ngx_http_gw_auth_credential_found(search, source, start, end);
    }
}


static void
ngx_http_gw_auth_credential_args(ngx_http_gw_auth_credential_search_t *search,
    const ngx_http_gw_auth_source_t *source, ngx_str_t *args)
{
    u_char     *p, *last;
    gw_str_t    name;
    gw_pair_t   pair;

    name.len = source->name.len;
    name.data = (const char *) source->name.data;

    last = args->data + args->len;

    for (p = args->data; p < last; p = pair.end + 1) {

        if (gw_pair_arg(p, last, &name, &pair)) {
            ngx_http_gw_auth_credential_found(search, source, pair.value,
                                              pair.end);
        }
    }
}


/* one byte more than may be, so that the caller sees that it is too long */

static ngx_int_t
ngx_http_gw_auth_credential_copy(ngx_http_request_t *r,
    ngx_http_gw_auth_credential_search_t *search, ngx_str_t *credential)
{
    u_char  *p, *dst, *last;
    size_t   size;

    size = ngx_min(search->value.len, NGX_HTTP_GW_AUTH_CREDENTIAL_MAX + 1);

    if (search->source->place != NGX_HTTP_GW_AUTH_QUERY) {

        /* the buffers of the header stay as long as the request */

        credential->data = search->value.data;
        credential->len = size;

        return NGX_OK;
    }

    /* never of no size */

    credential->data = ngx_pnalloc(r->pool, size + 1);
    if (credential->data == NULL) {
        return NGX_ERROR;
    }

    p = search->value.data;
    last = p + search->value.len;
    dst = credential->data;

    while (p < last && (size_t) (dst - credential->data) < size) {
        p = gw_pair_byte(p, last, dst++);
    }

    credential->len = dst - credential->data;

    return NGX_OK;
}
