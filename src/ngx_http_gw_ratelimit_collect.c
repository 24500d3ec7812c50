
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_answer.h"
#include "ngx_http_gw_ratelimit_key.h"
#include "ngx_http_gw_ratelimit_steps.h"
#include "ngx_http_gw_ratelimit_worker.h"


#define NGX_HTTP_GW_RATELIMIT_COST_MAX  1000000000


static ngx_int_t ngx_http_gw_ratelimit_collect_limit(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_limit_t *limit);
static ngx_int_t ngx_http_gw_ratelimit_collect_refused(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_limit_t *limit,
    ngx_http_gw_ratelimit_status_e status);
static ngx_int_t ngx_http_gw_ratelimit_collect_unread(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_limit_t *limit);
static ngx_uint_t ngx_http_gw_ratelimit_collect_met(
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_limit_t *limit);
static ngx_int_t ngx_http_gw_ratelimit_collect_cost(ngx_http_request_t *r,
    const ngx_http_gw_ratelimit_limit_t *limit, int64_t *cost);
static ngx_int_t ngx_http_gw_ratelimit_collect_tier(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_limit_t *limit,
    ngx_http_gw_ratelimit_check_t *check);
static ngx_int_t ngx_http_gw_ratelimit_collect_find(
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_str_t *name, gw_tier_t *tier);


ngx_int_t
ngx_http_gw_ratelimit_collect(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_uint_t preauth)
{
    ngx_int_t                       rc;
    ngx_uint_t                      i, met;
    ngx_http_gw_ratelimit_limit_t  *limit;

    limit = ctx->grcf->limits->elts;
    met = 0;

    for (i = 0; i < ctx->grcf->limits->nelts; i++) {

        if (limit[i].preauth != preauth
            || ngx_http_gw_ratelimit_collect_met(ctx, &limit[i]))
        {
            continue;
        }

        met = 1;

        rc = ngx_http_gw_ratelimit_collect_limit(r, ctx, &limit[i]);

        if (rc != NGX_OK && rc != NGX_DECLINED) {
            ctx->checks.nelts = ctx->first;
            return rc;
        }
    }

    if (ctx->checks.nelts > ctx->first) {
        return NGX_OK;
    }

    if (met && ctx->status == NGX_HTTP_GW_RATELIMIT_NONE) {
        ctx->status = NGX_HTTP_GW_RATELIMIT_SKIPPED;
    }

    return NGX_DECLINED;
}


/* NGX_DECLINED: the limit does not hold for this request */

static ngx_int_t
ngx_http_gw_ratelimit_collect_limit(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_limit_t *limit)
{
    int64_t                         cost;
    ngx_int_t                       rc;
    ngx_str_t                       key;
    ngx_http_gw_ratelimit_check_t  *check;

    if (ngx_http_complex_value(r, limit->key, &key) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (key.len == 0) {

        if (!limit->deny_empty) {
            return NGX_DECLINED;
        }

        return ngx_http_gw_ratelimit_collect_refused(r, ctx, limit,
                                             NGX_HTTP_GW_RATELIMIT_NO_KEY);
    }

    rc = ngx_http_gw_ratelimit_collect_cost(r, limit, &cost);

    if (rc == NGX_DECLINED) {
        return ngx_http_gw_ratelimit_collect_refused(r, ctx, limit,
                                             NGX_HTTP_GW_RATELIMIT_BAD_COST);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    check = ngx_array_push(&ctx->checks);
    if (check == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(check, sizeof(ngx_http_gw_ratelimit_check_t));

    check->limit = limit;
    check->cost = cost;

    rc = ngx_http_gw_ratelimit_collect_tier(r, ctx, limit, check);

    if (rc == NGX_BUSY) {
        ctx->checks.nelts--;
        return ngx_http_gw_ratelimit_collect_unread(r, ctx, limit);
    }

    if (rc == NGX_DECLINED) {
        ctx->checks.nelts--;
        return ngx_http_gw_ratelimit_collect_refused(r, ctx, limit,
                                         NGX_HTTP_GW_RATELIMIT_UNKNOWN_TIER);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_gw_ratelimit_key(r->pool, &limit->name, &check->tier_name,
                                  &key, &check->name, &check->tag)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_gw_buckets_key(ctx->grmcf->buckets, &check->name, &check->tier,
                       limit->after, check->id);

    return NGX_OK;
}


/* a dry run refuses nobody */

static ngx_int_t
ngx_http_gw_ratelimit_collect_refused(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_limit_t *limit,
    ngx_http_gw_ratelimit_status_e status)
{
    if (!limit->dry_run) {
        return ngx_http_gw_ratelimit_answer_refuse(r, ctx, status);
    }

    if (ctx->problem.status == 0) {
        ctx->status = NGX_HTTP_GW_RATELIMIT_DRY_RUN;
    }

    return NGX_DECLINED;
}


/* Redis has the tiers and can't be read: the limit's error= decides */

static ngx_int_t
ngx_http_gw_ratelimit_collect_unread(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_limit_t *limit)
{
    ngx_gw_buckets_slot_t  *slot;

    slot = ctx->grmcf->worker->slots[limit->index];

    if (limit->error == NGX_HTTP_GW_RATELIMIT_ALLOW || limit->dry_run) {

        (void) ngx_atomic_fetch_add(
                                &slot->results[NGX_GW_BUCKETS_UNCHECKED], 1);

        if (ctx->problem.status == 0) {
            ctx->status = NGX_HTTP_GW_RATELIMIT_UNCHECKED;
        }

        return NGX_DECLINED;
    }

    (void) ngx_atomic_fetch_add(&slot->results[NGX_GW_BUCKETS_UNAVAILABLE], 1);

    return ngx_http_gw_ratelimit_answer_unavailable(r, ctx);
}


static ngx_uint_t
ngx_http_gw_ratelimit_collect_met(ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_limit_t *limit)
{
    ngx_uint_t                      i;
    ngx_http_gw_ratelimit_check_t  *check;

    check = ctx->checks.elts;

    for (i = 0; i < ctx->first; i++) {

        if (check[i].limit->index == limit->index) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_gw_ratelimit_collect_cost(ngx_http_request_t *r,
    const ngx_http_gw_ratelimit_limit_t *limit, int64_t *cost)
{
    ngx_int_t  n;
    ngx_str_t  text;

    *cost = 1;

    if (limit->cost == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, limit->cost, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (text.len == 0) {
        return NGX_OK;
    }

    n = ngx_atoi(text.data, text.len);

    if (n == NGX_ERROR || n > NGX_HTTP_GW_RATELIMIT_COST_MAX) {
        return NGX_DECLINED;
    }

    *cost = n;

    return NGX_OK;
}


/*
 * NGX_DECLINED: there is no such tier, nor one for all others.  NGX_BUSY: that
 * can't be told.
 */

static ngx_int_t
ngx_http_gw_ratelimit_collect_tier(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_limit_t *limit,
    ngx_http_gw_ratelimit_check_t *check)
{
    ngx_int_t         rc;
    ngx_str_t         name;
    ngx_uint_t        unread;
    static ngx_str_t  fallback = ngx_string("default");

    if (limit->tier == NULL) {
        check->tier = limit->numbers;
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, limit->tier, &name) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_gw_ratelimit_collect_find(ctx, &name, &check->tier);

    if (rc == NGX_AGAIN && !ctx->waited) {
        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {

        unread = (rc == NGX_AGAIN);

        name = fallback;
        rc = ngx_http_gw_ratelimit_collect_find(ctx, &name, &check->tier);

        if (rc != NGX_OK) {
            return unread ? NGX_BUSY : NGX_DECLINED;
        }
    }

    check->tier_name = name;

    return NGX_OK;
}


/* NGX_AGAIN: not configured, and the list in Redis, which wins, is unread */

static ngx_int_t
ngx_http_gw_ratelimit_collect_find(ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_str_t *name, gw_tier_t *tier)
{
    ngx_int_t                      rc;
    ngx_gw_tiers_t                *list;
    ngx_http_gw_ratelimit_tier_t  *t;

    list = ctx->grmcf->worker->tiers;

    rc = list ? ngx_gw_tiers_find(list, name, tier) : NGX_DECLINED;

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    t = ngx_http_gw_ratelimit_conf_find_tier(ctx->grmcf, name);

    if (t) {
        *tier = t->numbers;
        return NGX_OK;
    }

    return rc;
}
