
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_conf.h"


#define NGX_HTTP_GW_RATELIMIT_LEASE_MAX  50           /* percent */

#define NGX_HTTP_GW_RATELIMIT_BAN_MIN    1000         /* ms */
#define NGX_HTTP_GW_RATELIMIT_BAN_MAX    (366LL * 86400 * 1000)
#define NGX_HTTP_GW_RATELIMIT_AFTER_MAX  1000000

#define NGX_HTTP_GW_RATELIMIT_COST_MAX   1000000000


/*
 * A parameter of gw_ratelimit: NGX_OK; NGX_DECLINED, the value is none of what
 * it "takes"; NGX_ERROR, logged.
 */

typedef ngx_int_t (*ngx_http_gw_ratelimit_param_pt)(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value);


typedef struct {
    ngx_str_t                        name;     /* a flag has no "=" */
    ngx_http_gw_ratelimit_param_pt   set;
    const char                      *takes;    /* NULL: anything but nothing */
} ngx_http_gw_ratelimit_param_t;


static const ngx_http_gw_ratelimit_param_t *
    ngx_http_gw_ratelimit_conf_find_param(ngx_str_t *word);
static ngx_int_t ngx_http_gw_ratelimit_conf_key(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value);
static ngx_int_t ngx_http_gw_ratelimit_conf_tier_name(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value);
static ngx_int_t ngx_http_gw_ratelimit_conf_cost(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value);
static ngx_int_t ngx_http_gw_ratelimit_conf_complex(ngx_conf_t *cf,
    ngx_str_t *value, ngx_http_complex_value_t **cv);
static ngx_int_t ngx_http_gw_ratelimit_conf_error(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value);
static ngx_int_t ngx_http_gw_ratelimit_conf_empty(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value);
static ngx_int_t ngx_http_gw_ratelimit_conf_lease(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value);
static ngx_int_t ngx_http_gw_ratelimit_conf_ban(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value);
static ngx_int_t ngx_http_gw_ratelimit_conf_after(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value);
static ngx_int_t ngx_http_gw_ratelimit_conf_preauth(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value);
static ngx_int_t ngx_http_gw_ratelimit_conf_dry_run(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value);


static const ngx_http_gw_ratelimit_param_t  ngx_http_gw_ratelimit_params[] = {

    { ngx_string("key="), ngx_http_gw_ratelimit_conf_key, NULL },

    { ngx_string("tier="), ngx_http_gw_ratelimit_conf_tier_name, NULL },

    { ngx_string("cost="), ngx_http_gw_ratelimit_conf_cost,
      "takes \"cost=\" from 0 to 1000000000, or of variables" },

    { ngx_string("error="), ngx_http_gw_ratelimit_conf_error,
      "takes \"error=allow\", \"error=deny\" or \"error=local\"" },

    { ngx_string("empty="), ngx_http_gw_ratelimit_conf_empty,
      "takes \"empty=skip\" or \"empty=deny\"" },

    { ngx_string("lease="), ngx_http_gw_ratelimit_conf_lease,
      "takes \"lease=off\" or \"lease=\" from 1% to 50%" },

    { ngx_string("ban="), ngx_http_gw_ratelimit_conf_ban,
      "takes \"ban=\" between 1s and 366d" },

    { ngx_string("after="), ngx_http_gw_ratelimit_conf_after,
      "takes \"after=\" between 1 and 1000000" },

    { ngx_string("preauth"), ngx_http_gw_ratelimit_conf_preauth, NULL },

    { ngx_string("dry_run"), ngx_http_gw_ratelimit_conf_dry_run, NULL },

    { ngx_null_string, NULL, NULL }
};


char *
ngx_http_gw_ratelimit_conf_param(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *word, ngx_uint_t *seen)
{
    ngx_int_t                             rc;
    ngx_str_t                             value;
    ngx_uint_t                            bit;
    const ngx_http_gw_ratelimit_param_t  *param;

    param = ngx_http_gw_ratelimit_conf_find_param(word);

    if (param == NULL) {
        *seen |= NGX_HTTP_GW_RATELIMIT_NUMBERS;

        return ngx_http_gw_ratelimit_conf_number(cf, cmd, &limit->numbers,
                                                 word);
    }

    bit = (ngx_uint_t) 2 << (param - ngx_http_gw_ratelimit_params);

    if (*seen & bit) {
        goto refused;
    }

    *seen |= bit;

    value.data = word->data + param->name.len;
    value.len = word->len - param->name.len;

    rc = param->set(cf, limit, &value);

    if (rc == NGX_OK) {
        return NGX_CONF_OK;
    }

    if (rc == NGX_ERROR) {
        return NGX_CONF_ERROR;
    }

    /* rc == NGX_DECLINED */

    if (param->takes) {
        return (char *) param->takes;
    }

refused:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "empty or duplicate parameter \"%V\" of \"%V\"",
                       word, &cmd->name);
    return NGX_CONF_ERROR;
}


static const ngx_http_gw_ratelimit_param_t *
ngx_http_gw_ratelimit_conf_find_param(ngx_str_t *word)
{
    const ngx_str_t                      *name;
    const ngx_http_gw_ratelimit_param_t  *param;

    for (param = ngx_http_gw_ratelimit_params; param->name.len; param++) {

        name = &param->name;

        if (word->len < name->len
            || ngx_memcmp(word->data, name->data, name->len) != 0)
        {
            continue;
        }

        if (name->data[name->len - 1] == '=' || word->len == name->len) {
            return param;
        }
    }

    return NULL;
}


/* rate=, burst=, quota= */

char *
ngx_http_gw_ratelimit_conf_number(ngx_conf_t *cf, ngx_command_t *cmd,
    gw_tier_t *numbers, ngx_str_t *word)
{
    gw_str_t     text;
    const char  *err;

    text.len = word->len;
    text.data = (const char *) word->data;

    switch (gw_tier_word(numbers, &text, &err)) {

    case GW_OK:
        return NGX_CONF_OK;

    case GW_DECLINED:
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"%V\"",
                           word, &cmd->name);
        return NGX_CONF_ERROR;

    default: /* GW_ERROR */
        return (char *) err;
    }
}


static ngx_int_t
ngx_http_gw_ratelimit_conf_key(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value)
{
    return ngx_http_gw_ratelimit_conf_complex(cf, value, &limit->key);
}


static ngx_int_t
ngx_http_gw_ratelimit_conf_tier_name(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value)
{
    return ngx_http_gw_ratelimit_conf_complex(cf, value, &limit->tier);
}


static ngx_int_t
ngx_http_gw_ratelimit_conf_cost(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value)
{
    ngx_int_t  rc, cost;

    rc = ngx_http_gw_ratelimit_conf_complex(cf, value, &limit->cost);

    if (rc != NGX_OK || limit->cost->lengths) {
        return rc;
    }

    cost = ngx_atoi(value->data, value->len);

    return cost < 0 || cost > NGX_HTTP_GW_RATELIMIT_COST_MAX ? NGX_DECLINED
                                                             : NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_conf_complex(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t **cv)
{
    ngx_http_compile_complex_value_t  ccv;

    if (value->len == 0) {
        return NGX_DECLINED;
    }

    *cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*cv == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = *cv;

    return ngx_http_compile_complex_value(&ccv);
}


static ngx_int_t
ngx_http_gw_ratelimit_conf_error(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value)
{
    if (ngx_strcmp(value->data, "allow") == 0) {
        limit->error = NGX_HTTP_GW_RATELIMIT_ALLOW;

    } else if (ngx_strcmp(value->data, "deny") == 0) {
        limit->error = NGX_HTTP_GW_RATELIMIT_DENY;

    } else if (ngx_strcmp(value->data, "local") == 0) {
        limit->error = NGX_HTTP_GW_RATELIMIT_LOCAL;

    } else {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_conf_empty(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value)
{
    if (ngx_strcmp(value->data, "deny") == 0) {
        limit->deny_empty = 1;
        return NGX_OK;
    }

    return ngx_strcmp(value->data, "skip") == 0 ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_gw_ratelimit_conf_lease(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value)
{
    ngx_int_t  percent;

    if (ngx_strcmp(value->data, "off") == 0) {
        return NGX_OK;
    }

    if (value->len == 0 || value->data[value->len - 1] != '%') {
        return NGX_DECLINED;
    }

    percent = ngx_atoi(value->data, value->len - 1);

    if (percent < 1 || percent > NGX_HTTP_GW_RATELIMIT_LEASE_MAX) {
        return NGX_DECLINED;
    }

    limit->lease = percent;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_conf_ban(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value)
{
    ngx_int_t  ban;

    ban = value->len ? ngx_parse_time(value, 0) : NGX_ERROR;

    if (ban < NGX_HTTP_GW_RATELIMIT_BAN_MIN
        || ban > NGX_HTTP_GW_RATELIMIT_BAN_MAX)
    {
        return NGX_DECLINED;
    }

    limit->ban = ban;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_conf_after(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value)
{
    ngx_int_t  after;

    after = ngx_atoi(value->data, value->len);

    if (after < 1 || after > NGX_HTTP_GW_RATELIMIT_AFTER_MAX) {
        return NGX_DECLINED;
    }

    limit->after = after;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_conf_preauth(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value)
{
    limit->preauth = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_conf_dry_run(ngx_conf_t *cf,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *value)
{
    limit->dry_run = 1;

    return NGX_OK;
}
