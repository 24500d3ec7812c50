
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_answer.h"
#include "ngx_http_gw_ratelimit_policy.h"


#define NGX_HTTP_GW_RATELIMIT_RESULT  (sizeof("local_limited") - 1)


static ngx_int_t ngx_http_gw_ratelimit_variables_set(
    ngx_http_variable_value_t *v, u_char *data, size_t len);


/* in the order of ngx_http_gw_ratelimit_status_e */

static const ngx_str_t  ngx_http_gw_ratelimit_variables_statuses[] = {
    ngx_null_string,
    ngx_string("passed"),
    ngx_string("limited"),
    ngx_string("banned"),
    ngx_string("impossible"),
    ngx_string("dry_run"),
    ngx_string("skipped"),
    ngx_string("unchecked"),
    ngx_string("local"),
    ngx_string("unavailable"),
    ngx_string("unknown_tier"),
    ngx_string("no_key"),
    ngx_string("bad_cost")
};


ngx_int_t
ngx_http_gw_ratelimit_answer_status(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_variable_value_t *v)
{
    const ngx_str_t  *status;

    status = &ngx_http_gw_ratelimit_variables_statuses[ctx ? ctx->status : 0];

    return ngx_http_gw_ratelimit_variables_set(v, status->data, status->len);
}


ngx_int_t
ngx_http_gw_ratelimit_answer_number(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_variable_value_t *v,
    uintptr_t what)
{
    u_char                          *p, *last;
    ngx_http_gw_ratelimit_policy_t   policy;

    if (ctx == NULL
        || ngx_http_gw_ratelimit_policy_tightest(ctx, &policy) != NGX_OK)
    {
        return ngx_http_gw_ratelimit_variables_set(v, NULL, 0);
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    last = ngx_sprintf(p, "%L", what == NGX_HTTP_GW_RATELIMIT_RESET
                                ? policy.more : policy.left);

    return ngx_http_gw_ratelimit_variables_set(v, p, last - p);
}


/* dry runs are named as well: this is how one sees what they would do */

ngx_int_t
ngx_http_gw_ratelimit_answer_limit(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_variable_value_t *v)
{
    u_char                          *p, *data;
    ngx_uint_t                       n, names;
    ngx_http_gw_ratelimit_policy_t   policy;

    if (ctx == NULL) {
        return ngx_http_gw_ratelimit_variables_set(v, NULL, 0);
    }

    names = ngx_http_gw_ratelimit_policies(ctx);

    data = ngx_pnalloc(r->pool,
                       names * (NGX_HTTP_GW_RATELIMIT_POLICY_NAME + 1) + 1);
    if (data == NULL) {
        return NGX_ERROR;
    }

    p = data;

    for (n = 0; n < names; n++) {

        if (ngx_http_gw_ratelimit_policy(ctx, n, &policy) != NGX_OK
            || !policy.refused)
        {
            continue;
        }

        if (p != data) {
            *p++ = ',';
        }

        p = ngx_http_gw_ratelimit_policy_name(p, &policy);
    }

    return ngx_http_gw_ratelimit_variables_set(v, data, p - data);
}


/* a limit that was not come to is left out */

ngx_int_t
ngx_http_gw_ratelimit_answer_limits(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_variable_value_t *v)
{
    u_char                               *p, *data;
    ngx_uint_t                            i;
    const ngx_http_gw_ratelimit_check_t  *check;

    if (ctx == NULL) {
        return ngx_http_gw_ratelimit_variables_set(v, NULL, 0);
    }

    data = ngx_pnalloc(r->pool,
                       ctx->checks.nelts
                       * (GW_TIER_NAME + NGX_HTTP_GW_RATELIMIT_RESULT
                          + sizeof("= ") - 1) + 1);
    if (data == NULL) {
        return NGX_ERROR;
    }

    p = data;
    check = ctx->checks.elts;

    for (i = 0; i < ctx->checks.nelts; i++) {

        if (!check[i].decided) {
            continue;
        }

        if (p != data) {
            *p++ = ' ';
        }

        p = ngx_sprintf(p, "%V=%V", &check[i].limit->name,
                     ngx_http_gw_ratelimit_policy_result(check[i].result));
    }

    return ngx_http_gw_ratelimit_variables_set(v, data, p - data);
}


/* without a value it is "not found": nginx logs a dash for it */

static ngx_int_t
ngx_http_gw_ratelimit_variables_set(ngx_http_variable_value_t *v,
    u_char *data, size_t len)
{
    if (len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = len;
    v->data = data;

    return NGX_OK;
}
