
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_option.h"


#define NGX_HTTP_GW_AUTH_OPTION_MESSAGE  1024     /* bytes */

#define NGX_HTTP_GW_AUTH_OPTION_DIGITS   8        /* bytes of a digest */


static ngx_int_t ngx_http_gw_auth_option_number(
    const ngx_http_gw_auth_option_t *option, ngx_str_t *text);
static char *ngx_http_gw_auth_option_unknown(ngx_conf_t *cf,
    const ngx_http_gw_auth_option_t *option, ngx_str_t *word);


void
ngx_http_gw_auth_option_init(const ngx_http_gw_auth_option_t *option,
    ngx_http_gw_auth_value_t *value)
{
    for ( /* void */ ; option->name.len; option++, value++) {
        ngx_str_null(&value->text);
        value->number = option->preset;
    }
}


char *
ngx_http_gw_auth_option_set(ngx_conf_t *cf,
    const ngx_http_gw_auth_option_t *option, ngx_http_gw_auth_value_t *value,
    ngx_str_t *word)
{
    u_char                           *err;
    const ngx_http_gw_auth_option_t  *o;

    for (o = option; o->name.len; o++, value++) {

        if (word->len < o->name.len
            || ngx_memcmp(word->data, o->name.data, o->name.len) != 0)
        {
            continue;
        }

        err = ngx_pnalloc(cf->pool, NGX_HTTP_GW_AUTH_OPTION_MESSAGE);
        if (err == NULL) {
            return NGX_CONF_ERROR;
        }

        if (value->text.data) {
            (void) ngx_snprintf(err, NGX_HTTP_GW_AUTH_OPTION_MESSAGE,
                                "takes \"%V\" only once%Z", &o->name);
            return (char *) err;
        }

        value->text.data = word->data + o->name.len;
        value->text.len = word->len - o->name.len;

        value->number = ngx_http_gw_auth_option_number(o, &value->text);

        if (value->number >= o->min && value->number <= o->max) {
            return NGX_CONF_OK;
        }

        (void) ngx_snprintf(err, NGX_HTTP_GW_AUTH_OPTION_MESSAGE - 1,
                            "has an invalid parameter \"%V\": it takes %s%Z",
                            word, o->takes);

        err[NGX_HTTP_GW_AUTH_OPTION_MESSAGE - 1] = '\0';

        return (char *) err;
    }

    return ngx_http_gw_auth_option_unknown(cf, option, word);
}


/* what is no number of that type is -1, below every "min" */

static ngx_int_t
ngx_http_gw_auth_option_number(const ngx_http_gw_auth_option_t *option,
    ngx_str_t *text)
{
    if (option->type == NGX_HTTP_GW_AUTH_OPTION_TEXT) {
        return text->len;
    }

    if (text->len == 0) {
        return NGX_ERROR;
    }

    switch (option->type) {

    case NGX_HTTP_GW_AUTH_OPTION_MSEC:
        return ngx_parse_time(text, 0);

    case NGX_HTTP_GW_AUTH_OPTION_SEC:
        return ngx_parse_time(text, 1);

    case NGX_HTTP_GW_AUTH_OPTION_SIZE:
        return ngx_parse_size(text);

    default: /* NGX_HTTP_GW_AUTH_OPTION_NUMBER */
        return ngx_atoi(text->data, text->len);
    }
}


static char *
ngx_http_gw_auth_option_unknown(ngx_conf_t *cf,
    const ngx_http_gw_auth_option_t *option, ngx_str_t *word)
{
    u_char  *err, *p, *last;

    err = ngx_pnalloc(cf->pool, NGX_HTTP_GW_AUTH_OPTION_MESSAGE);
    if (err == NULL) {
        return NGX_CONF_ERROR;
    }

    last = err + NGX_HTTP_GW_AUTH_OPTION_MESSAGE - 1;

    p = ngx_slprintf(err, last, "has an unknown parameter \"%V\", there is",
                     word);

    for ( /* void */ ; option->name.len; option++) {
        p = ngx_slprintf(p, last, " \"%V\"", &option->name);
    }

    *p = '\0';

    return (char *) err;
}


char *
ngx_http_gw_auth_options(ngx_conf_t *cf,
    const ngx_http_gw_auth_option_t *option, ngx_http_gw_auth_value_t *value,
    ngx_uint_t first)
{
    char        *rv;
    ngx_str_t   *word;
    ngx_uint_t   i;

    ngx_http_gw_auth_option_init(option, value);

    word = cf->args->elts;

    for (i = first; i < cf->args->nelts; i++) {

        rv = ngx_http_gw_auth_option_set(cf, option, value, &word[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


/* "a,b", none of them empty */

ngx_int_t
ngx_http_gw_auth_option_list(ngx_conf_t *cf, ngx_array_t *list,
    u_char *p, u_char *last)
{
    u_char    *end;
    gw_str_t  *value;

    for ( ;; ) {

        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        if (end == p) {
            return NGX_ERROR;
        }

        value = ngx_array_push(list);
        if (value == NULL) {
            return NGX_ERROR;
        }

        value->len = end - p;
        value->data = (const char *) p;

        if (end == last) {
            return NGX_OK;
        }

        p = end + 1;
    }
}


ngx_int_t
ngx_http_gw_auth_option_digest(ngx_conf_t *cf, const ngx_str_t *text,
    ngx_uint_t n, u_char *digest)
{
    u_char      *p;
    size_t       len;
    gw_str_t     all;
    uint64_t     size;
    ngx_uint_t   i;

    len = 0;

    for (i = 0; i < n; i++) {
        len += sizeof(uint64_t) + text[i].len;
    }

    p = ngx_alloc(len, cf->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    all.data = (const char *) p;
    all.len = len;

    for (i = 0; i < n; i++) {
        size = text[i].len;
        p = ngx_cpymem(p, &size, sizeof(uint64_t));

        if (size) {
            p = ngx_cpymem(p, text[i].data, text[i].len);
        }
    }

    i = gw_identity_digest(&all, digest) == GW_OK;

    /* a secret may be among the texts */

    ngx_explicit_memzero((void *) all.data, len);
    ngx_free((void *) all.data);

    if (!i) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "gw auth: no SHA-256");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_gw_auth_option_id(ngx_conf_t *cf, ngx_str_t *id,
    const ngx_str_t *text, ngx_uint_t n)
{
    u_char  *p, digest[GW_IDENTITY_DIGEST];

    if (ngx_http_gw_auth_option_digest(cf, text, n, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cf->pool,
                    text->len + 1 + 2 * NGX_HTTP_GW_AUTH_OPTION_DIGITS);
    if (p == NULL) {
        return NGX_ERROR;
    }

    id->data = p;

    p = ngx_cpymem(p, text->data, text->len);
    *p++ = ':';
    p = ngx_hex_dump(p, digest, NGX_HTTP_GW_AUTH_OPTION_DIGITS);

    id->len = p - id->data;

    return NGX_OK;
}
