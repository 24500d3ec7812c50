
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_conf.h"


static char *ngx_http_gw_ratelimit_conf_params(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_gw_ratelimit_limit_t *limit);
static char *ngx_http_gw_ratelimit_conf_complex(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_str_t *param, size_t prefix,
    ngx_http_complex_value_t **cv);
static char *ngx_http_gw_ratelimit_conf_register(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit);
static ngx_http_gw_ratelimit_tier_t *ngx_http_gw_ratelimit_conf_find_tier(
    ngx_http_gw_ratelimit_main_conf_t *grmcf, ngx_str_t *name);
static ngx_uint_t ngx_http_gw_ratelimit_conf_is_name(ngx_str_t *name);
static ngx_int_t ngx_http_gw_ratelimit_conf_burst(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_str_t *param);
static ngx_int_t ngx_http_gw_ratelimit_conf_rate(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_gw_ratelimit_tier_t *tier, ngx_str_t *rate,
    ngx_int_t burst);


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
     *     grmcf->worker = NULL;
     */

    grmcf->timeout = NGX_CONF_UNSET_MSEC;

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

    return grmcf;
}


char *
ngx_http_gw_ratelimit_conf_init_main(ngx_conf_t *cf, void *conf)
{
    ngx_http_gw_ratelimit_main_conf_t *grmcf = conf;

    ngx_uint_t                       i;
    ngx_http_gw_ratelimit_limit_t  **limit;

    ngx_conf_init_msec_value(grmcf->timeout, 50);

    if (grmcf->limits.nelts == 0) {
        return NGX_CONF_OK;
    }

    if (grmcf->redis.naddrs == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"gw_ratelimit\" needs \"gw_ratelimit_redis\", "
                      "the Redis that keeps the buckets");
        return NGX_CONF_ERROR;
    }

    /* a tier named without variables has to exist */

    limit = grmcf->limits.elts;

    for (i = 0; i < grmcf->limits.nelts; i++) {

        if (limit[i]->tier == NULL || limit[i]->tier->lengths
            || ngx_http_gw_ratelimit_conf_find_tier(grmcf,
                                                    &limit[i]->tier->value))
        {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"gw_ratelimit\" \"%V\" uses the unknown tier "
                      "\"%V\": define it by \"gw_ratelimit_tier\"",
                      &limit[i]->name, &limit[i]->tier->value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
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

    return grcf;
}


char *
ngx_http_gw_ratelimit_conf_merge(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_gw_ratelimit_conf_t *prev = parent;
    ngx_http_gw_ratelimit_conf_t *conf = child;

    ngx_conf_merge_ptr_value(conf->limits, prev->limits, NULL);

    return NGX_CONF_OK;
}


char *
ngx_http_gw_ratelimit_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_ratelimit_main_conf_t *grmcf = conf;

    char       *err;
    ngx_str_t  *value, s;

    if (grmcf->redis.naddrs) {
        return "is duplicate";
    }

    value = cf->args->elts;

    err = ngx_gw_redis_url_parse(cf, &grmcf->redis, &value[1]);
    if (err) {

        /* the URL is not repeated, it may hold a password */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "wrong URL in \"%V\": %s", &cmd->name, err);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[2].data, "timeout=", 8) != 0) {

        /* not repeated either, it may be another URL */

        return "takes one URL and, behind it, only \"timeout=\"";
    }

    s.data = value[2].data + 8;
    s.len = value[2].len - 8;

    grmcf->timeout = ngx_parse_time(&s, 0);

    if (grmcf->timeout == (ngx_msec_t) NGX_ERROR
        || grmcf->timeout == 0 || grmcf->timeout > 10000)
    {
        return "takes a \"timeout=\" between 1ms and 10s";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_gw_ratelimit_conf_tier(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_ratelimit_main_conf_t *grmcf = conf;

    ngx_int_t                      burst;
    ngx_str_t                     *value, rate;
    ngx_uint_t                     i;
    ngx_http_gw_ratelimit_tier_t  *tier;

    value = cf->args->elts;

    if (ngx_http_gw_ratelimit_conf_find_tier(grmcf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" \"%V\" is duplicate",
                           &cmd->name, &value[1]);
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_gw_ratelimit_conf_is_name(&value[1])) {
        return "must have a name of 1 to 64 letters, digits, \"-\" or \"_\"";
    }

    ngx_str_null(&rate);
    burst = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "rate=", 5) == 0) {
            rate.data = value[i].data + 5;
            rate.len = value[i].len - 5;
            continue;
        }

        if (ngx_strncmp(value[i].data, "burst=", 6) == 0) {

            burst = ngx_http_gw_ratelimit_conf_burst(cf, cmd, &value[i]);
            if (burst == NGX_ERROR) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        goto invalid;
    }

    if (rate.data == NULL) {
        return "has no \"rate=\"";
    }

    tier = ngx_array_push(&grmcf->tiers);
    if (tier == NULL) {
        return NGX_CONF_ERROR;
    }

    tier->name = value[1];

    if (ngx_http_gw_ratelimit_conf_rate(cf, cmd, tier, &rate, burst) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"%V\"",
                       &value[i], &cmd->name);
    return NGX_CONF_ERROR;
}


char *
ngx_http_gw_ratelimit_conf_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_gw_ratelimit_conf_t *grcf = conf;

    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_http_gw_ratelimit_limit_t  *limit;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (grcf->limits != NGX_CONF_UNSET_PTR || cf->args->nelts != 2) {
            return "takes \"off\" only alone";
        }

        grcf->limits = NULL;
        return NGX_CONF_OK;
    }

    if (grcf->limits == NULL) {
        return "takes \"off\" only alone";
    }

    if (!ngx_http_gw_ratelimit_conf_is_name(&value[1])) {
        return "must have a name of 1 to 64 letters, digits, \"-\" or \"_\"";
    }

    if (grcf->limits == NGX_CONF_UNSET_PTR) {

        /* never reallocated: other places keep pointers to the elements */

        grcf->limits = ngx_array_create(cf->pool, NGX_HTTP_GW_RATELIMIT_LIMITS,
                                        sizeof(ngx_http_gw_ratelimit_limit_t));
        if (grcf->limits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    limit = grcf->limits->elts;

    for (i = 0; i < grcf->limits->nelts; i++) {
        if (ngx_gw_str_equal(&limit[i].name, &value[1])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" \"%V\" is duplicate",
                               &cmd->name, &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (grcf->limits->nelts == NGX_HTTP_GW_RATELIMIT_LIMITS) {
        return "must not be given more than 8 times in one place";
    }

    limit = ngx_array_push(grcf->limits);
    ngx_memzero(limit, sizeof(ngx_http_gw_ratelimit_limit_t));

    limit->name = value[1];

    return ngx_http_gw_ratelimit_conf_params(cf, cmd, limit);
}


static char *
ngx_http_gw_ratelimit_conf_params(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_gw_ratelimit_limit_t *limit)
{
    char        *rv;
    ngx_int_t    burst;
    ngx_str_t   *value, rate;
    ngx_uint_t   i;

    value = cf->args->elts;
    burst = 0;
    ngx_str_null(&rate);

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "key=", 4) == 0) {

            rv = ngx_http_gw_ratelimit_conf_complex(cf, cmd, &value[i], 4,
                                                    &limit->key);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "tier=", 5) == 0) {

            rv = ngx_http_gw_ratelimit_conf_complex(cf, cmd, &value[i], 5,
                                                    &limit->tier);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "rate=", 5) == 0) {
            rate.data = value[i].data + 5;
            rate.len = value[i].len - 5;
            continue;
        }

        if (ngx_strncmp(value[i].data, "burst=", 6) == 0) {

            burst = ngx_http_gw_ratelimit_conf_burst(cf, cmd, &value[i]);
            if (burst == NGX_ERROR) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_strcmp(value[i].data, "error=allow") == 0) {
            limit->error = NGX_HTTP_GW_RATELIMIT_ALLOW;
            continue;
        }

        if (ngx_strcmp(value[i].data, "error=deny") == 0) {
            limit->error = NGX_HTTP_GW_RATELIMIT_DENY;
            continue;
        }

        if (ngx_strncmp(value[i].data, "error=", 6) == 0) {
            return "takes \"error=allow\" or \"error=deny\"";
        }

        goto invalid;
    }

    if (limit->key == NULL) {
        return "has no \"key=\": say whom the limit is for, "
               "for example key=$gw_subject";
    }

    if ((limit->tier == NULL) == (rate.data == NULL)) {
        return "needs either \"tier=\" or \"rate=\"";
    }

    if (limit->tier && burst) {
        return "takes \"burst=\" only together with \"rate=\"";
    }

    if (rate.data
        && ngx_http_gw_ratelimit_conf_rate(cf, cmd, &limit->rate, &rate, burst)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_gw_ratelimit_conf_register(cf, limit);

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"%V\"",
                       &value[i], &cmd->name);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_gw_ratelimit_conf_complex(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *param, size_t prefix, ngx_http_complex_value_t **cv)
{
    ngx_str_t                          text;
    ngx_http_compile_complex_value_t   ccv;

    text.data = param->data + prefix;
    text.len = param->len - prefix;

    if (text.len == 0 || *cv) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty or duplicate parameter \"%V\" of \"%V\"",
                           param, &cmd->name);
        return NGX_CONF_ERROR;
    }

    *cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*cv == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &text;
    ccv.complex_value = *cv;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


/* a limit is shared by its name: with two rates it would be neither */

static char *
ngx_http_gw_ratelimit_conf_register(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit)
{
    ngx_uint_t                           i;
    ngx_http_gw_ratelimit_limit_t      **known;
    ngx_http_gw_ratelimit_main_conf_t   *grmcf;

    grmcf = ngx_http_conf_get_module_main_conf(cf,
                                               ngx_http_gw_ratelimit_module);

    known = grmcf->limits.elts;

    for (i = 0; i < grmcf->limits.nelts; i++) {

        if (!ngx_gw_str_equal(&known[i]->name, &limit->name)
            || known[i]->tier || limit->tier)
        {
            continue;
        }

        if (known[i]->rate.bucket.interval != limit->rate.bucket.interval
            || known[i]->rate.bucket.burst != limit->rate.bucket.burst)
        {
            return "has a name used elsewhere with another rate or burst: "
                   "limits of one name share their buckets";
        }
    }

    known = ngx_array_push(&grmcf->limits);
    if (known == NULL) {
        return NGX_CONF_ERROR;
    }

    *known = limit;

    return NGX_CONF_OK;
}


static ngx_http_gw_ratelimit_tier_t *
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


/* names of limits and tiers stand in Redis keys and quoted in headers */

static ngx_uint_t
ngx_http_gw_ratelimit_conf_is_name(ngx_str_t *name)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {

        ch = name->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_'))
        {
            return 0;
        }
    }

    return name->len > 0 && name->len <= NGX_HTTP_GW_RATELIMIT_NAME;
}


/* the tokens of "burst=N", or NGX_ERROR */

static ngx_int_t
ngx_http_gw_ratelimit_conf_burst(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *param)
{
    ngx_int_t  burst;

    burst = ngx_atoi(param->data + 6, param->len - 6);

    if (burst > 0) {
        return burst;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"burst\" of \"%V\" must be a number from 1 on",
                       &cmd->name);
    return NGX_ERROR;
}


static ngx_int_t
ngx_http_gw_ratelimit_conf_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_gw_ratelimit_tier_t *tier, ngx_str_t *rate, ngx_int_t burst)
{
    u_char      *p;
    gw_str_t     text;
    const char  *err;

    text.len = rate->len;
    text.data = (const char *) rate->data;

    if (gw_bucket_init(&tier->bucket, &text, burst, &err) != GW_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "in \"%V\" the %s",
                           &cmd->name, err);
        return NGX_ERROR;
    }

    p = ngx_pnalloc(cf->pool, 2 * NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    tier->interval.data = p;
    p = ngx_sprintf(p, "%L", tier->bucket.interval);
    tier->interval.len = p - tier->interval.data;

    tier->burst.data = p;
    p = ngx_sprintf(p, "%L", tier->bucket.burst);
    tier->burst.len = p - tier->burst.data;

    return NGX_OK;
}
