
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_conf.h"
#include "ngx_http_gw_auth_option.h"


#define NGX_HTTP_GW_AUTH_ZONE_MAX     ((off_t) 64 * 1024 * 1024 * 1024)

#define NGX_HTTP_GW_AUTH_TABLE_MIN    (64 * 1024)
#define NGX_HTTP_GW_AUTH_TABLE_MAX    (1024 * 1024 * 1024)


extern ngx_module_t  ngx_http_gw_auth_module;


static const ngx_http_gw_auth_option_t
    ngx_http_gw_auth_conf_revocations_options[] =
{
    { ngx_string("key="), NGX_HTTP_GW_AUTH_OPTION_TEXT, 1, 512, 0,
      "the name of a stream in Redis" },

    { ngx_string("refresh="), NGX_HTTP_GW_AUTH_OPTION_MSEC, 100, 60 * 1000,
      1000, "a time from 100ms to 1m" },

    { ngx_string("stale="), NGX_HTTP_GW_AUTH_OPTION_MSEC, 1000,
      24 * 3600 * 1000, 300 * 1000, "a time from 1s to 1d" },

    { ngx_string("error="), NGX_HTTP_GW_AUTH_OPTION_TEXT, 4, 5, 0,
      "\"deny\" or \"allow\"" },

    { ngx_string("size="), NGX_HTTP_GW_AUTH_OPTION_SIZE,
      NGX_HTTP_GW_AUTH_TABLE_MIN, NGX_HTTP_GW_AUTH_TABLE_MAX,
      4 * 1024 * 1024, "a size from 64k to 1024m" },

    { ngx_null_string, 0, 0, 0, 0, NULL }
};


char *
ngx_http_gw_auth_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_auth_main_conf_t *gamcf = conf;

    off_t       size;
    u_char     *p;
    ngx_str_t  *value, name, s;

    if (gamcf->cache) {
        return "is duplicate";
    }

    value = cf->args->elts;

    p = (u_char *) ngx_strchr(value[1].data, ':');

    if (p == NULL || p == value[1].data) {
        return "must look like \"gw_auth_zone NAME:SIZE\"";
    }

    name.data = value[1].data;
    name.len = p - value[1].data;

    s.data = p + 1;
    s.len = value[1].data + value[1].len - s.data;

    size = s.len ? ngx_parse_offset(&s) : NGX_ERROR;

    if (size < NGX_GW_CACHE_MIN || size > NGX_HTTP_GW_AUTH_ZONE_MAX
        || size > (off_t) (NGX_MAX_SIZE_T_VALUE - 1))
    {
        return "must have a size from 1m to 64g";
    }

    gamcf->cache = ngx_gw_cache_add(cf, &name, (size_t) size,
                                    &ngx_http_gw_auth_module);

    return gamcf->cache ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_http_gw_auth_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_auth_main_conf_t *gamcf = conf;

    return ngx_gw_redis_conf_set(cf, cmd, &gamcf->redis);
}


char *
ngx_http_gw_auth_conf_revocations(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_gw_auth_main_conf_t *gamcf = conf;

    char                       *rv;
    ngx_gw_revocations_conf_t  *rcf;
    ngx_http_gw_auth_value_t    value[5];

    if (gamcf->revocations) {
        return "is duplicate";
    }

    rv = ngx_http_gw_auth_options(cf,
                                  ngx_http_gw_auth_conf_revocations_options,
                                  value, 1);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (value[0].text.data == NULL) {
        return "needs \"key=NAME\", the stream in Redis";
    }

    rcf = ngx_pcalloc(cf->pool, sizeof(ngx_gw_revocations_conf_t));
    if (rcf == NULL) {
        return NGX_CONF_ERROR;
    }

    rcf->key = value[0].text;
    rcf->refresh = value[1].number;
    rcf->stale = value[2].number;
    rcf->size = value[4].number;

    if (value[3].text.data == NULL
        || ngx_strcmp(value[3].text.data, "deny") == 0)
    {
        rcf->deny = 1;

    } else if (ngx_strcmp(value[3].text.data, "allow") != 0) {
        return "takes \"error=deny\" or \"error=allow\"";
    }

    if (rcf->stale < 2 * rcf->refresh) {
        return "needs a \"stale=\" of at least twice \"refresh=\"";
    }

    gamcf->revocations = rcf;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_gw_auth_conf_init_revocations(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf)
{
    ngx_str_t  id, text[3];

    if (gamcf->revocations == NULL) {
        return NGX_OK;
    }

    if (gamcf->redis.nhosts == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"gw_auth_revocations\" needs \"gw_auth_redis URL\", "
                      "where they are kept");
        return NGX_ERROR;
    }

    gamcf->revocations->timeout = gamcf->redis.timeout;

    text[0] = gamcf->revocations->key;
    text[1] = gamcf->redis.name;
    text[2] = gamcf->redis.database;

    if (ngx_http_gw_auth_option_id(cf, &id, text, 3) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_gw_revocations_add(cf, gamcf->revocations, &id,
                                  &ngx_http_gw_auth_module);
}
