
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_conf.h"


#define NGX_HTTP_GW_RATELIMIT_ZONE         "gw_ratelimit"
#define NGX_HTTP_GW_RATELIMIT_SIZE         (4 * 1024 * 1024)
#define NGX_HTTP_GW_RATELIMIT_SIZE_MAX     ((off_t) 64 * 1024 * 1024 * 1024)

#define NGX_HTTP_GW_RATELIMIT_NODES_MAX    10000

#define NGX_HTTP_GW_RATELIMIT_REFRESH      5000       /* ms */
#define NGX_HTTP_GW_RATELIMIT_REFRESH_MIN  100
#define NGX_HTTP_GW_RATELIMIT_REFRESH_MAX  3600000

#define NGX_HTTP_GW_RATELIMIT_LIST_KEY     512        /* bytes */


static char *ngx_http_gw_ratelimit_conf_check(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_main_conf_t *grmcf);
static char *ngx_http_gw_ratelimit_conf_add_zones(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_main_conf_t *grmcf);


extern ngx_module_t  ngx_http_gw_ratelimit_module;


void *
ngx_http_gw_ratelimit_conf_create_main(ngx_conf_t *cf)
{
    ngx_http_gw_ratelimit_main_conf_t  *grmcf;

    grmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_gw_ratelimit_main_conf_t));
    if (grmcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     grmcf->redis = { 0 };
     *     grmcf->list = { 0 };
     *     grmcf->zone = { 0, NULL };
     *     grmcf->size = 0;
     *     grmcf->buckets = NULL;
     *     grmcf->worker = NULL;
     *     grmcf->heartbeat = 0;
     *     grmcf->preauth = 0;
     */

    grmcf->nodes = 1;

    if (ngx_array_init(&grmcf->tiers, cf->pool, 4,
                       sizeof(ngx_http_gw_ratelimit_tier_t))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&grmcf->limits, cf->pool, 4,
                       sizeof(ngx_http_gw_ratelimit_limit_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&grmcf->names, cf->pool, 4, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NULL;
    }

    return grmcf;
}


char *
ngx_http_gw_ratelimit_conf_init_main(ngx_conf_t *cf, void *conf)
{
    ngx_http_gw_ratelimit_main_conf_t *grmcf = conf;

    char  *rv;

    if (grmcf->limits.nelts == 0) {
        return NGX_CONF_OK;
    }

    if (grmcf->redis.nhosts == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"gw_ratelimit\" needs \"gw_ratelimit_redis\", "
                      "the Redis that keeps the buckets");
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_gw_ratelimit_conf_check(cf, grmcf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_gw_ratelimit_conf_add_zones(cf, grmcf);
}


/* a tier named without variables has to exist, if it can be known */

static char *
ngx_http_gw_ratelimit_conf_check(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_main_conf_t *grmcf)
{
    gw_str_t                         name;
    ngx_str_t                       *tier;
    ngx_uint_t                       i;
    ngx_http_gw_ratelimit_limit_t  **limit;

    limit = grmcf->limits.elts;

    for (i = 0; i < grmcf->limits.nelts; i++) {

        if (limit[i]->lease
            || limit[i]->error == NGX_HTTP_GW_RATELIMIT_LOCAL)
        {
            grmcf->heartbeat = 1;
        }

        if (limit[i]->preauth) {
            grmcf->preauth = 1;
        }

        if (limit[i]->tier == NULL || limit[i]->tier->lengths) {
            continue;
        }

        tier = &limit[i]->tier->value;

        name.len = tier->len;
        name.data = (const char *) tier->data;

        if (ngx_http_gw_ratelimit_conf_find_tier(grmcf, tier)
            || (grmcf->list.key.len && gw_tier_is_name(&name)))
        {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"gw_ratelimit\" \"%V\" uses the unknown tier "
                      "\"%V\": define it by \"gw_ratelimit_tier\"",
                      &limit[i]->name, tier);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_ratelimit_conf_add_zones(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_main_conf_t *grmcf)
{
    if (grmcf->zone.len == 0) {
        ngx_str_set(&grmcf->zone, NGX_HTTP_GW_RATELIMIT_ZONE);
        grmcf->size = NGX_HTTP_GW_RATELIMIT_SIZE;
    }

    grmcf->buckets = ngx_gw_buckets_add(cf, &grmcf->zone, grmcf->size,
                                        &ngx_http_gw_ratelimit_module);
    if (grmcf->buckets == NULL) {
        return NGX_CONF_ERROR;
    }

    if (grmcf->list.key.len == 0) {
        return NGX_CONF_OK;
    }

    /* requests may wait for it, no longer than for a decision */

    grmcf->list.timeout = grmcf->redis.timeout;

    grmcf->list.zone = ngx_gw_tiers_add(cf, &ngx_http_gw_ratelimit_module,
                                        &grmcf->list.key);

    return grmcf->list.zone ? NGX_CONF_OK : NGX_CONF_ERROR;
}


void *
ngx_http_gw_ratelimit_conf_create(ngx_conf_t *cf)
{
    ngx_http_gw_ratelimit_conf_t  *grcf;

    grcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_gw_ratelimit_conf_t));
    if (grcf == NULL) {
        return NULL;
    }

    grcf->limits = NGX_CONF_UNSET_PTR;
    grcf->headers = NGX_CONF_UNSET_UINT;
    grcf->prefix = NGX_CONF_UNSET_UINT;

    return grcf;
}


char *
ngx_http_gw_ratelimit_conf_merge(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_gw_ratelimit_conf_t *prev = parent;
    ngx_http_gw_ratelimit_conf_t *conf = child;

    ngx_conf_merge_ptr_value(conf->limits, prev->limits, NULL);
    ngx_conf_merge_uint_value(conf->headers, prev->headers,
                              NGX_HTTP_GW_RATELIMIT_IETF);
    ngx_conf_merge_uint_value(conf->prefix, prev->prefix, 64);

    return NGX_CONF_OK;
}


char *
ngx_http_gw_ratelimit_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_ratelimit_main_conf_t *grmcf = conf;

    return ngx_gw_redis_conf_set(cf, cmd, &grmcf->redis);
}


char *
ngx_http_gw_ratelimit_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_ratelimit_main_conf_t *grmcf = conf;

    off_t       size;
    u_char     *p;
    ngx_int_t   nodes;
    ngx_str_t  *value, s;

    if (grmcf->zone.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    p = (u_char *) ngx_strchr(value[1].data, ':');

    if (p == NULL || p == value[1].data) {
        return "must look like \"gw_ratelimit_zone NAME:SIZE [nodes=N]\"";
    }

    grmcf->zone.data = value[1].data;
    grmcf->zone.len = p - value[1].data;

    s.data = p + 1;
    s.len = value[1].data + value[1].len - s.data;

    size = s.len ? ngx_parse_offset(&s) : NGX_ERROR;

    if (size < NGX_GW_BUCKETS_MIN || size > NGX_HTTP_GW_RATELIMIT_SIZE_MAX
        || size > (off_t) (NGX_MAX_SIZE_T_VALUE - 1))
    {
        return "must have a size from 256k to 64g";
    }

    grmcf->size = (size_t) size;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[2].data, "nodes=", 6) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"%V\"",
                           &value[2], &cmd->name);
        return NGX_CONF_ERROR;
    }

    nodes = ngx_atoi(value[2].data + 6, value[2].len - 6);

    if (nodes < 1 || nodes > NGX_HTTP_GW_RATELIMIT_NODES_MAX) {
        return "takes \"nodes=\" between 1 and 10000, "
               "the least number of gateways";
    }

    grmcf->nodes = nodes;

    return NGX_CONF_OK;
}


char *
ngx_http_gw_ratelimit_conf_tiers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_gw_ratelimit_main_conf_t *grmcf = conf;

    ngx_int_t             refresh;
    ngx_str_t            *value, s;
    ngx_uint_t            i;
    ngx_gw_tiers_conf_t  *list;

    list = &grmcf->list;

    if (list->key.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "key=", 4) == 0 && list->key.len == 0) {

            list->key.data = value[i].data + 4;
            list->key.len = value[i].len - 4;

            if (list->key.len == 0
                || list->key.len > NGX_HTTP_GW_RATELIMIT_LIST_KEY)
            {
                return "takes \"key=\", the name of a hash in Redis, "
                       "of 1 to 512 bytes";
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "refresh=", 8) == 0
            && list->refresh == 0)
        {
            s.data = value[i].data + 8;
            s.len = value[i].len - 8;

            refresh = s.len ? ngx_parse_time(&s, 0) : NGX_ERROR;

            if (refresh < NGX_HTTP_GW_RATELIMIT_REFRESH_MIN
                || refresh > NGX_HTTP_GW_RATELIMIT_REFRESH_MAX)
            {
                return "takes \"refresh=\" between 100ms and 1h";
            }

            list->refresh = refresh;

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid or duplicate parameter \"%V\" of \"%V\"",
                           &value[i], &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (list->key.len == 0) {
        return "has no \"key=\", the name of a hash in Redis";
    }

    if (list->refresh == 0) {
        list->refresh = NGX_HTTP_GW_RATELIMIT_REFRESH;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_gw_ratelimit_conf_prefix(ngx_conf_t *cf, void *post, void *data)
{
    ngx_int_t  *np = data;

    if (*np < 1 || *np > 128) {
        return "must be between 1 and 128";
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_gw_ratelimit_conf_finish(ngx_conf_t *cf)
{
    char                               *rv;
    ngx_http_core_loc_conf_t           *clcf;
    ngx_http_gw_ratelimit_main_conf_t  *grmcf;

    grmcf = ngx_http_conf_get_module_main_conf(cf,
                                               ngx_http_gw_ratelimit_module);

    if (grmcf->redis.nhosts == 0) {
        return NGX_OK;
    }

    /* of http{}: it may be one without servers, its timeout may be unset */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    rv = ngx_gw_redis_conf_init(cf, &grmcf->redis, clcf->resolver,
                                clcf->resolver_timeout);

    return rv == NGX_CONF_OK ? NGX_OK : NGX_ERROR;
}


ngx_http_gw_ratelimit_tier_t *
ngx_http_gw_ratelimit_conf_find_tier(ngx_http_gw_ratelimit_main_conf_t *grmcf,
    ngx_str_t *name)
{
    ngx_uint_t                     i;
    ngx_http_gw_ratelimit_tier_t  *tier;

    tier = grmcf->tiers.elts;

    for (i = 0; i < grmcf->tiers.nelts; i++) {
        if (ngx_gw_str_equal(&tier[i].name, name)) {
            return &tier[i];
        }
    }

    return NULL;
}
