
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_conf.h"


static char *ngx_http_gw_ratelimit_conf_params(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_gw_ratelimit_limit_t *limit);
static char *ngx_http_gw_ratelimit_conf_whole(
    ngx_http_gw_ratelimit_limit_t *limit, ngx_uint_t numbers);
static char *ngx_http_gw_ratelimit_conf_register(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit);
static char *ngx_http_gw_ratelimit_conf_agree(
    ngx_http_gw_ratelimit_limit_t *known,
    ngx_http_gw_ratelimit_limit_t *limit);
static ngx_uint_t ngx_http_gw_ratelimit_conf_is_name(ngx_str_t *name);


extern ngx_module_t  ngx_http_gw_ratelimit_module;


static const char  ngx_http_gw_ratelimit_conf_named[] =
    "must have a name of 1 to 64 letters, digits, \"-\" or \"_\"";


char *
ngx_http_gw_ratelimit_conf_tier(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_ratelimit_main_conf_t *grmcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    const char                    *err;
    ngx_http_gw_ratelimit_tier_t  *tier;

    value = cf->args->elts;

    if (ngx_http_gw_ratelimit_conf_find_tier(grmcf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" \"%V\" is duplicate",
                           &cmd->name, &value[1]);
        return NGX_CONF_ERROR;
    }

    if (!ngx_http_gw_ratelimit_conf_is_name(&value[1])) {
        return (char *) ngx_http_gw_ratelimit_conf_named;
    }

    tier = ngx_array_push(&grmcf->tiers);
    if (tier == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(tier, sizeof(ngx_http_gw_ratelimit_tier_t));

    tier->name = value[1];

    for (i = 2; i < cf->args->nelts; i++) {

        rv = ngx_http_gw_ratelimit_conf_number(cf, cmd, &tier->numbers,
                                               &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (gw_tier_end(&tier->numbers, &err) != GW_OK) {
        return (char *) err;
    }

    return NGX_CONF_OK;
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
        return (char *) ngx_http_gw_ratelimit_conf_named;
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
    ngx_str_t   *value;
    ngx_uint_t   i, seen;

    value = cf->args->elts;
    seen = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        rv = ngx_http_gw_ratelimit_conf_param(cf, cmd, limit, &value[i],
                                              &seen);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rv = ngx_http_gw_ratelimit_conf_whole(limit,
                                      seen & NGX_HTTP_GW_RATELIMIT_NUMBERS);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    return ngx_http_gw_ratelimit_conf_register(cf, limit);
}


static char *
ngx_http_gw_ratelimit_conf_whole(ngx_http_gw_ratelimit_limit_t *limit,
    ngx_uint_t numbers)
{
    const char  *err;

    if (limit->key == NULL) {
        return "has no \"key=\": say whom the limit is for, "
               "for example key=$gw_subject";
    }

    if (limit->key->lengths == NULL
        && ngx_strcmp(limit->key->value.data, "off") == 0)
    {
        return "takes no \"key=off\": "
               "to have no limit, write \"gw_ratelimit off\"";
    }

    if ((limit->tier == NULL) == (limit->numbers.rate.data == NULL)) {
        return "needs either \"tier=\" or \"rate=\"";
    }

    if (limit->tier && numbers) {
        return "takes \"burst=\" and \"quota=\" "
               "only together with \"rate=\"";
    }

    if (numbers && gw_tier_end(&limit->numbers, &err) != GW_OK) {
        return (char *) err;
    }

    if (limit->lease && limit->dry_run) {
        return "takes \"lease=\" and \"dry_run\" not together";
    }

    if ((limit->ban == 0) != (limit->after == 0)) {
        return "takes \"ban=\" and \"after=\" only together";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_ratelimit_conf_register(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit)
{
    char                                *rv;
    ngx_str_t                           *name;
    ngx_uint_t                           i;
    ngx_http_gw_ratelimit_limit_t      **known;
    ngx_http_gw_ratelimit_main_conf_t   *grmcf;

    grmcf = ngx_http_conf_get_module_main_conf(cf,
                                               ngx_http_gw_ratelimit_module);

    known = grmcf->limits.elts;

    limit->index = grmcf->names.nelts;

    for (i = 0; i < grmcf->limits.nelts; i++) {

        if (!ngx_gw_str_equal(&known[i]->name, &limit->name)) {
            continue;
        }

        rv = ngx_http_gw_ratelimit_conf_agree(known[i], limit);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

        limit->index = known[i]->index;
        break;
    }

    if (limit->index == grmcf->names.nelts) {

        name = ngx_array_push(&grmcf->names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = limit->name;
    }

    known = ngx_array_push(&grmcf->limits);
    if (known == NULL) {
        return NGX_CONF_ERROR;
    }

    *known = limit;

    return NGX_CONF_OK;
}


/* a limit is shared by its name: with two rates it would be neither */

static char *
ngx_http_gw_ratelimit_conf_agree(ngx_http_gw_ratelimit_limit_t *known,
    ngx_http_gw_ratelimit_limit_t *limit)
{
    if ((known->tier == NULL) != (limit->tier == NULL)) {
        return "has a name used elsewhere with \"tier=\" or \"rate=\", "
               "not both: limits of one name share their buckets";
    }

    if (limit->tier == NULL
        && !gw_tier_equal(&known->numbers, &limit->numbers))
    {
        return "has a name used elsewhere with another rate, burst or quota: "
               "limits of one name share their buckets";
    }

    if (known->ban != limit->ban || known->after != limit->after) {
        return "has a name used elsewhere with another \"ban=\" or "
               "\"after=\": limits of one name share their bans";
    }

    return NGX_CONF_OK;
}


/* names of limits and tiers stand in Redis keys and quoted in headers */

static ngx_uint_t
ngx_http_gw_ratelimit_conf_is_name(ngx_str_t *name)
{
    gw_str_t  text;

    text.len = name->len;
    text.data = (const char *) name->data;

    return gw_tier_is_name(&text);
}
