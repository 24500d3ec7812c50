
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_conf.h"
#include "ngx_http_gw_auth_option.h"


#define NGX_HTTP_GW_AUTH_PATH     1024      /* bytes of a URI */
#define NGX_HTTP_GW_AUTH_SERVER   255
#define NGX_HTTP_GW_AUTH_DAY      86400     /* s */


static char *ngx_http_gw_auth_provider_source(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider, ngx_str_t *word);
static char *ngx_http_gw_auth_provider_location(
    ngx_http_gw_auth_provider_t *provider, ngx_str_t *uri, ngx_str_t *server);


static const ngx_http_gw_auth_option_t
    ngx_http_gw_auth_provider_jwks_options[] =
{
    { ngx_string("file="), NGX_HTTP_GW_AUTH_OPTION_TEXT, 1, NGX_MAX_PATH, 0,
      "the path of a file" },

    { ngx_string("uri="), NGX_HTTP_GW_AUTH_OPTION_TEXT, 1,
      NGX_HTTP_GW_AUTH_PATH, 0, "the URI of a location" },

    { ngx_string("server="), NGX_HTTP_GW_AUTH_OPTION_TEXT, 1,
      NGX_HTTP_GW_AUTH_SERVER, 0,
      "the first name of a server" },

    { ngx_string("refresh="), NGX_HTTP_GW_AUTH_OPTION_MSEC, 1000,
      1000 * NGX_HTTP_GW_AUTH_DAY, 600 * 1000, "a time from 1s to 1d" },

    { ngx_string("stale="), NGX_HTTP_GW_AUTH_OPTION_MSEC, 0,
      (ngx_int_t) 30 * 1000 * NGX_HTTP_GW_AUTH_DAY,
      1000 * NGX_HTTP_GW_AUTH_DAY, "a time of at most 30d" },

    { ngx_string("cooldown="), NGX_HTTP_GW_AUTH_OPTION_MSEC, 1000,
      3600 * 1000, 30 * 1000, "a time from 1s to 1h" },

    { ngx_string("timeout="), NGX_HTTP_GW_AUTH_OPTION_MSEC, 1, 60 * 1000,
      5000, "a time from 1ms to 1m" },

    { ngx_null_string, 0, 0, 0, 0, NULL }
};


static const ngx_http_gw_auth_option_t
    ngx_http_gw_auth_provider_introspect_options[] =
{
    { ngx_string("uri="), NGX_HTTP_GW_AUTH_OPTION_TEXT, 1,
      NGX_HTTP_GW_AUTH_PATH, 0, "the URI of a location" },

    { ngx_string("server="), NGX_HTTP_GW_AUTH_OPTION_TEXT, 1,
      NGX_HTTP_GW_AUTH_SERVER, 0,
      "the first name of a server" },

    { ngx_string("cache="), NGX_HTTP_GW_AUTH_OPTION_SEC, 0, 3600, 30,
      "a time of at most 1h, in seconds" },

    { ngx_string("timeout="), NGX_HTTP_GW_AUTH_OPTION_MSEC, 1, 60 * 1000,
      2000, "a time from 1ms to 1m" },

    { ngx_string("max="), NGX_HTTP_GW_AUTH_OPTION_NUMBER, 1, 65535, 256,
      "a number from 1 to 65535" },

    { ngx_null_string, 0, 0, 0, 0, NULL }
};


static const ngx_http_gw_auth_option_t
    ngx_http_gw_auth_provider_fallback_options[] =
{
    { ngx_string("max_age="), NGX_HTTP_GW_AUTH_OPTION_SEC, 1,
      30 * NGX_HTTP_GW_AUTH_DAY, 15 * 60, "a time from 1s to 30d" },

    { ngx_null_string, 0, 0, 0, 0, NULL }
};


static const ngx_http_gw_auth_option_t
    ngx_http_gw_auth_provider_api_key_options[] =
{
    { ngx_string("prefix="), NGX_HTTP_GW_AUTH_OPTION_TEXT, 0, 255, 0,
      "at most 255 bytes" },

    { ngx_string("cache="), NGX_HTTP_GW_AUTH_OPTION_SEC, 0, 3600, 30,
      "a time of at most 1h, in seconds" },

    { ngx_null_string, 0, 0, 0, 0, NULL }
};


/* its own parameters say where the keys are */

char *
ngx_http_gw_auth_provider_api_key(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    char                      *rv;
    ngx_str_t                 *word;
    ngx_uint_t                 i;
    ngx_http_gw_auth_value_t   value[2];

    provider->kind = NGX_HTTP_GW_AUTH_API_KEY;

    ngx_http_gw_auth_option_init(ngx_http_gw_auth_provider_api_key_options,
                                 value);
    word = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(word[i].data, "header=", 7) == 0
            || ngx_strncmp(word[i].data, "cookie=", 7) == 0
            || ngx_strncmp(word[i].data, "query=", 6) == 0)
        {
            rv = ngx_http_gw_auth_provider_source(cf, provider, &word[i]);

        } else {
            rv = ngx_http_gw_auth_option_set(cf,
                                   ngx_http_gw_auth_provider_api_key_options,
                                   value, &word[i]);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (provider->sources.nelts == 0) {
        return "needs \"header=NAME\", \"cookie=NAME\", or "
               "\"query=NAME\", the place of the key";
    }

    if (value[0].text.data == NULL) {
        ngx_str_set(&value[0].text, "gw:key:");
    }

    provider->key = value[0].text;
    provider->cache = value[1].number;

    return NGX_CONF_OK;
}


char *
ngx_http_gw_auth_provider_credential(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    char        *rv;
    ngx_str_t   *word;
    ngx_uint_t   i;

    word = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rv = ngx_http_gw_auth_provider_source(cf, provider, &word[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_auth_provider_source(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider, ngx_str_t *word)
{
    ngx_str_t                  *line;
    ngx_uint_t                  i;
    const char                 *err;
    ngx_http_gw_auth_source_t  *known, *source, found;

    ngx_memzero(&found, sizeof(ngx_http_gw_auth_source_t));

    err = ngx_http_gw_auth_credential_source(cf, word, &found);

    if (err) {
        line = cf->args->elts;

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in \"%V\" of \"gw_auth_provider\" \"%V\" "
                           "%s", word, line, &provider->name, err);
        return NGX_CONF_ERROR;
    }

    known = provider->sources.elts;

    for (i = 0; i < provider->sources.nelts; i++) {
        if (ngx_http_gw_auth_credential_same(&known[i], &found)) {
            return "names the same place twice";
        }
    }

    source = ngx_array_push(&provider->sources);
    if (source == NULL) {
        return NGX_CONF_ERROR;
    }

    *source = found;

    return NGX_CONF_OK;
}


char *
ngx_http_gw_auth_provider_fallback(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    char                      *rv;
    ngx_str_t                 *word;
    ngx_http_gw_auth_value_t   value[1];

    rv = ngx_http_gw_auth_options(cf,
                                  ngx_http_gw_auth_provider_fallback_options,
                                  value, 2);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    word = cf->args->elts;

    provider->fallback_name = word[1];
    provider->max_age = value[0].number;

    return NGX_CONF_OK;
}


char *
ngx_http_gw_auth_provider_introspect(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    char                      *rv;
    ngx_http_gw_auth_value_t   value[5];

    provider->kind = NGX_HTTP_GW_AUTH_INTROSPECT;

    rv = ngx_http_gw_auth_options(cf,
                                 ngx_http_gw_auth_provider_introspect_options,
                                 value, 1);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    provider->cache = value[2].number;
    provider->timeout = value[3].number;
    provider->max = value[4].number;

    return ngx_http_gw_auth_provider_location(provider, &value[0].text,
                                              &value[1].text);
}


char *
ngx_http_gw_auth_provider_jwks(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    char                      *rv;
    ngx_gw_keys_conf_t        *keys;
    ngx_http_gw_auth_value_t   value[7];

    provider->kind = NGX_HTTP_GW_AUTH_JWT;

    rv = ngx_http_gw_auth_options(cf, ngx_http_gw_auth_provider_jwks_options,
                                  value, 1);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (value[0].text.data) {
        provider->file = value[0].text;

        return (cf->args->nelts == 2) ? NGX_CONF_OK
                                      : "takes \"file=PATH\" alone";
    }

    keys = ngx_pcalloc(cf->pool, sizeof(ngx_gw_keys_conf_t));
    if (keys == NULL) {
        return NGX_CONF_ERROR;
    }

    keys->name = provider->name;
    keys->refresh = value[3].number;
    keys->stale = value[4].number;
    keys->cooldown = value[5].number;

    provider->keys = keys;
    provider->timeout = value[6].number;

    return ngx_http_gw_auth_provider_location(provider, &value[1].text,
                                              &value[2].text);
}


static char *
ngx_http_gw_auth_provider_location(ngx_http_gw_auth_provider_t *provider,
    ngx_str_t *uri, ngx_str_t *server)
{
    if (uri->data == NULL) {
        return (provider->kind == NGX_HTTP_GW_AUTH_JWT)
               ? "needs \"file=PATH\" or \"uri=/PATH\", the keys of the "
                 "issuer"
               : "needs \"uri=/PATH\", a location that asks the auth service";
    }

    if (uri->data[0] != '/') {
        return "needs an \"uri=\" that begins with \"/\"";
    }

    provider->location.uri = *uri;
    provider->location.server = *server;

    return NGX_CONF_OK;
}
