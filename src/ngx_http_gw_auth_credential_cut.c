
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_credential.h"

#include "gw_pair.h"
#include "ngx_http_gw_util.h"


static void ngx_http_gw_auth_credential_cut_detach(ngx_http_request_t *r,
    ngx_str_t *text);
static ngx_int_t ngx_http_gw_auth_credential_cut_args(ngx_http_request_t *r,
    const ngx_http_gw_auth_source_t *source);
static ngx_int_t ngx_http_gw_auth_credential_cut_arg(ngx_http_request_t *r,
    ngx_str_t *text, u_char *query, const gw_str_t *name);
static void ngx_http_gw_auth_credential_cut_forget(ngx_http_request_t *r,
    const ngx_str_t *name);
static ngx_int_t ngx_http_gw_auth_credential_cut_cookies(
    ngx_http_request_t *r, const ngx_http_gw_auth_source_t *source);
static ngx_int_t ngx_http_gw_auth_credential_cut_cookie(ngx_http_request_t *r,
    ngx_str_t *value, const gw_str_t *name);


void
ngx_http_gw_auth_credential_mask(ngx_http_request_t *r,
    const ngx_http_gw_auth_source_t *source)
{
    u_char     *p, *end, *last;
    gw_str_t    name;
    gw_pair_t   pair;

    if (source->place != NGX_HTTP_GW_AUTH_QUERY || r->request_line.len == 0) {
        return;
    }

    p = r->request_line.data;
    last = p + r->request_line.len;

    p = ngx_strlchr(p, last, '?');
    if (p == NULL) {
        return;
    }

    /* the version, if there is one, follows the last blank */

    for (end = last; end > p; end--) {
        if (end[-1] == ' ') {
            last = end - 1;
            break;
        }
    }

    /* what upstreams will see stays as it is, until it is removed */

    ngx_http_gw_auth_credential_cut_detach(r, &r->args);
    ngx_http_gw_auth_credential_cut_detach(r, &r->unparsed_uri);
    ngx_http_gw_auth_credential_cut_forget(r, &source->name);

    name.len = source->name.len;
    name.data = (const char *) source->name.data;

    for (p++; p < last; p = pair.end + 1) {

        if (gw_pair_arg(p, last, &name, &pair)) {
            ngx_memset(pair.value, '*', pair.end - pair.value);
        }
    }
}


/* if out of memory, the text is masked together with the request line */

static void
ngx_http_gw_auth_credential_cut_detach(ngx_http_request_t *r, ngx_str_t *text)
{
    u_char  *p;

    if (text->len == 0
        || text->data < r->request_line.data
        || text->data >= r->request_line.data + r->request_line.len)
    {
        return;
    }

    p = ngx_pstrdup(r->pool, text);

    if (p) {
        text->data = p;
    }
}


ngx_int_t
ngx_http_gw_auth_credential_remove(ngx_http_request_t *r,
    const ngx_http_gw_auth_source_t *source)
{
    ngx_int_t  n;
    ngx_str_t  name;

    switch (source->place) {

    case NGX_HTTP_GW_AUTH_QUERY:
        return ngx_http_gw_auth_credential_cut_args(r, source);

    case NGX_HTTP_GW_AUTH_COOKIE:
        return ngx_http_gw_auth_credential_cut_cookies(r, source);

    case NGX_HTTP_GW_AUTH_BEARER:
        ngx_str_set(&name, "authorization");
        break;

    default: /* NGX_HTTP_GW_AUTH_HEADER */
        name = source->name;
        break;
    }

    n = ngx_http_gw_header_unlink(r, &name);

    return (n == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


/*
 * An upstream is sent either r->unparsed_uri, if the path was not changed,
 * or r->uri and r->args.
 */

static ngx_int_t
ngx_http_gw_auth_credential_cut_args(ngx_http_request_t *r,
    const ngx_http_gw_auth_source_t *source)
{
    u_char    *query;
    gw_str_t   name;

    name.len = source->name.len;
    name.data = (const char *) source->name.data;

    ngx_http_gw_auth_credential_cut_forget(r, &source->name);

    query = ngx_strlchr(r->unparsed_uri.data,
                        r->unparsed_uri.data + r->unparsed_uri.len, '?');

    if (query
        && ngx_http_gw_auth_credential_cut_arg(r, &r->unparsed_uri, query + 1,
                                               &name)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_gw_auth_credential_cut_arg(r, &r->args, r->args.data,
                                               &name);
}


static ngx_int_t
ngx_http_gw_auth_credential_cut_arg(ngx_http_request_t *r, ngx_str_t *text,
    u_char *query, const gw_str_t *name)
{
    u_char      *p, *dst, *last, *start;
    gw_pair_t    pair;
    ngx_uint_t   cut, kept;

    if (text->len == 0) {
        return NGX_OK;
    }

    start = ngx_pnalloc(r->pool, text->len);
    if (start == NULL) {
        return NGX_ERROR;
    }

    cut = 0;
    kept = 0;
    last = text->data + text->len;

    dst = ngx_cpymem(start, text->data, query - text->data);

    for (p = query; p < last; p = pair.end + 1) {

        if (gw_pair_arg(p, last, name, &pair)) {
            cut = 1;
            continue;
        }

        if (kept) {
            *dst++ = '&';
        }

        dst = ngx_cpymem(dst, p, pair.end - p);
        kept = 1;
    }

    if (!cut) {
        return NGX_OK;
    }

    if (!kept && dst != start) {
        /* the question mark */
        dst--;
    }

    text->data = start;
    text->len = dst - start;

    return NGX_OK;
}


static void
ngx_http_gw_auth_credential_cut_forget(ngx_http_request_t *r,
    const ngx_str_t *name)
{
    ngx_uint_t  i;

    static const ngx_str_t  names[] = {
        ngx_string("args"),
        ngx_string("query_string"),
        ngx_string("request_uri"),
        ngx_null_string
    };

    for (i = 0; names[i].len; i++) {
        ngx_http_gw_variable_forget(r, "", &names[i]);
    }

    ngx_http_gw_variable_forget(r, "arg_", name);
}


static ngx_int_t
ngx_http_gw_auth_credential_cut_cookies(ngx_http_request_t *r,
    const ngx_http_gw_auth_source_t *source)
{
    gw_str_t                    name;
    ngx_int_t                   rc, n;
    ngx_str_t                   cookie = ngx_string("cookie");
    ngx_table_elt_t            *h;
    ngx_http_gw_header_iter_t   it;

    name.len = source->name.len;
    name.data = (const char *) source->name.data;

    ngx_memzero(&it, sizeof(ngx_http_gw_header_iter_t));

    n = 0;

    for ( ;; ) {

        h = ngx_http_gw_header_next(r, &cookie, &it);
        if (h == NULL) {
            break;
        }

        rc = ngx_http_gw_auth_credential_cut_cookie(r, &h->value, &name);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            n++;
        }
    }

    if (n == 0) {
        return NGX_OK;
    }

    ngx_http_gw_variable_forget(r, "http_", &cookie);
    ngx_http_gw_variable_forget(r, "cookie_", &source->name);

    n = ngx_http_gw_header_unlink_empty(r, &cookie);

    return (n == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


/* NGX_DECLINED: no such cookie; the value is empty if no other one is left */

static ngx_int_t
ngx_http_gw_auth_credential_cut_cookie(ngx_http_request_t *r, ngx_str_t *value,
    const gw_str_t *name)
{
    u_char      *p, *dst, *last, *start;
    gw_pair_t    pair;
    ngx_uint_t   cut;

    start = ngx_pnalloc(r->pool, value->len + 1);
    if (start == NULL) {
        return NGX_ERROR;
    }

    cut = 0;
    dst = start;
    last = value->data + value->len;

    for (p = value->data; p < last; p = pair.end + 1) {

        if (gw_pair_cookie(p, last, name, &pair)) {
            cut = 1;
            continue;
        }

        if (dst != start) {
            *dst++ = ';';

        } else {

            while (p < pair.end && (*p == ' ' || *p == '\t')) {
                p++;
            }
        }

        dst = ngx_cpymem(dst, p, pair.end - p);
    }

    if (!cut) {
        return NGX_DECLINED;
    }

    /* nginx keeps a NUL behind the value of a header */

    *dst = '\0';

    value->data = start;
    value->len = dst - start;

    return NGX_OK;
}
