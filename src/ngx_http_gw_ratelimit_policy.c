
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_policy.h"


/* of a limit: its bucket, then its quotas */

#define NGX_HTTP_GW_RATELIMIT_POLICY_KINDS  (1 + GW_QUOTA_UNITS)

#define NGX_HTTP_GW_RATELIMIT_POLICY_DAY    (86400 * GW_BUCKET_SECOND)

/* the largest integer of RFC 8941 */

#define NGX_HTTP_GW_RATELIMIT_POLICY_MAX    999999999999999LL


static void ngx_http_gw_ratelimit_policy_bucket(
    ngx_http_gw_ratelimit_policy_t *policy);
static void ngx_http_gw_ratelimit_policy_quota(
    ngx_http_gw_ratelimit_policy_t *policy, gw_quota_unit_e unit);
static int64_t ngx_http_gw_ratelimit_policy_month(void);
static void ngx_http_gw_ratelimit_policy_ban(
    ngx_http_gw_ratelimit_policy_t *policy);
static void ngx_http_gw_ratelimit_policy_bound(
    ngx_http_gw_ratelimit_policy_t *policy);
static ngx_uint_t ngx_http_gw_ratelimit_policy_waits(
    const ngx_http_gw_ratelimit_check_t *check);
static ngx_uint_t ngx_http_gw_ratelimit_policy_tighter(
    const ngx_http_gw_ratelimit_policy_t *a,
    const ngx_http_gw_ratelimit_policy_t *b);


/* in the order of ngx_gw_buckets_result_e */

static const ngx_str_t  ngx_http_gw_ratelimit_policy_results[] = {
    ngx_string("passed"),
    ngx_string("leased"),
    ngx_string("limited"),
    ngx_string("remembered"),
    ngx_string("banned"),
    ngx_string("impossible"),
    ngx_string("dry_run"),
    ngx_string("unchecked"),
    ngx_string("unavailable"),
    ngx_string("local"),
    ngx_string("local_limited"),
    ngx_string("refunded")
};


ngx_uint_t
ngx_http_gw_ratelimit_policies(const ngx_http_gw_ratelimit_ctx_t *ctx)
{
    return ctx->checks.nelts * NGX_HTTP_GW_RATELIMIT_POLICY_KINDS;
}


ngx_int_t
ngx_http_gw_ratelimit_policy(const ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_uint_t n, ngx_http_gw_ratelimit_policy_t *policy)
{
    ngx_uint_t                            kind;
    const ngx_http_gw_ratelimit_check_t  *check;

    check = ctx->checks.elts;
    check += n / NGX_HTTP_GW_RATELIMIT_POLICY_KINDS;
    kind = n % NGX_HTTP_GW_RATELIMIT_POLICY_KINDS;

    if (kind && check->tier.quota[kind - 1].size == 0) {
        return NGX_DECLINED;
    }

    policy->check = check;

    if (kind) {
        ngx_http_gw_ratelimit_policy_quota(policy,
                                           (gw_quota_unit_e) (kind - 1));

    } else {
        ngx_http_gw_ratelimit_policy_bucket(policy);
        ngx_http_gw_ratelimit_policy_ban(policy);
    }

    ngx_http_gw_ratelimit_policy_bound(policy);

    return NGX_OK;
}


static void
ngx_http_gw_ratelimit_policy_bucket(ngx_http_gw_ratelimit_policy_t *policy)
{
    int64_t                              more, full;
    const gw_bucket_t                   *b;
    const ngx_http_gw_ratelimit_item_t  *item;

    b = &policy->check->tier.bucket;
    item = &policy->check->bucket;
    full = item->full;

    if (item->wait > 0) {
        more = item->wait;

    } else if (item->left >= b->burst) {
        more = 0;
        full = 0;

    } else {

        /* of a lease both numbers are estimates, which need not agree */

        more = item->full - (b->burst - item->left - 1) * b->interval;
        more = ngx_max(more, 1);
        more = ngx_min(more, b->interval);
    }

    policy->suffix = "";
    policy->limit = b->burst;
    policy->window = ngx_http_gw_ratelimit_policy_seconds(b->interval
                                                          * b->burst);
    policy->left = item->left;
    policy->more = ngx_http_gw_ratelimit_policy_seconds(more);
    policy->full = ngx_http_gw_ratelimit_policy_seconds(full);
    policy->wait = item->wait;
    policy->known = item->known;

    /* a refusal that nobody explains is the limit's own */

    policy->refused = policy->check->refused
                      && (item->wait
                          || !ngx_http_gw_ratelimit_policy_waits(
                                 policy->check));
}


/* all tokens come back at once, when the window ends */

static void
ngx_http_gw_ratelimit_policy_quota(ngx_http_gw_ratelimit_policy_t *policy,
    gw_quota_unit_e unit)
{
    int64_t                              end, size;
    const ngx_http_gw_ratelimit_item_t  *item;

    item = &policy->check->quota[unit];
    size = policy->check->tier.quota[unit].size;

    end = (item->left < size || item->wait > 0) ? item->full : 0;

    if (unit == GW_QUOTA_DAY) {
        policy->suffix = "-day";
        policy->window = ngx_http_gw_ratelimit_policy_seconds(
                             NGX_HTTP_GW_RATELIMIT_POLICY_DAY);

    } else {
        policy->suffix = "-month";
        policy->window = ngx_http_gw_ratelimit_policy_month();
    }

    policy->limit = size;
    policy->left = item->left;
    policy->more = ngx_http_gw_ratelimit_policy_seconds(
                       ngx_max(end, item->wait));
    policy->full = policy->more;
    policy->wait = item->wait;
    policy->known = item->known;
    policy->refused = policy->check->refused && item->wait;
}


/* seconds of the present month: it begins where the one before ends */

static int64_t
ngx_http_gw_ratelimit_policy_month(void)
{
    int64_t  end, begin;

    (void) gw_quota_window(GW_QUOTA_MONTH,
                           (int64_t) ngx_time() * GW_BUCKET_SECOND, &end);

    (void) gw_quota_window(GW_QUOTA_MONTH,
                           end - 32 * NGX_HTTP_GW_RATELIMIT_POLICY_DAY,
                           &begin);

    return ngx_http_gw_ratelimit_policy_seconds(end - begin);
}


static void
ngx_http_gw_ratelimit_policy_ban(ngx_http_gw_ratelimit_policy_t *policy)
{
    int64_t                              rest;
    const ngx_http_gw_ratelimit_item_t  *ban;

    ban = &policy->check->ban;

    if (ban->wait <= 0) {
        return;
    }

    rest = ngx_http_gw_ratelimit_policy_seconds(ban->wait);

    policy->left = 0;
    policy->more = ngx_max(policy->more, rest);
    policy->full = ngx_max(policy->full, rest);
    policy->refused = policy->check->refused;
    policy->known |= ban->known;

    if (policy->wait >= 0) {
        policy->wait = ngx_max(policy->wait, ban->wait);
    }
}


/* what a header field can hold, and nothing below zero */

static void
ngx_http_gw_ratelimit_policy_bound(ngx_http_gw_ratelimit_policy_t *policy)
{
    policy->limit = ngx_min(policy->limit, NGX_HTTP_GW_RATELIMIT_POLICY_MAX);
    policy->left = ngx_max(policy->left, 0);
    policy->left = ngx_min(policy->left, policy->limit);
    policy->more = ngx_max(policy->more, 0);
    policy->full = ngx_max(policy->full, 0);
}


static ngx_uint_t
ngx_http_gw_ratelimit_policy_waits(const ngx_http_gw_ratelimit_check_t *check)
{
    ngx_uint_t  i;

    if (check->bucket.wait || check->ban.wait) {
        return 1;
    }

    for (i = 0; i < GW_QUOTA_UNITS; i++) {
        if (check->tier.quota[i].size && check->quota[i].wait) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_gw_ratelimit_policy_tightest(const ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_http_gw_ratelimit_policy_t *policy)
{
    ngx_int_t                       rc;
    ngx_uint_t                      n;
    ngx_http_gw_ratelimit_policy_t  p, tightest;

    rc = NGX_DECLINED;

    ngx_memzero(&tightest, sizeof(ngx_http_gw_ratelimit_policy_t));

    for (n = 0; n < ngx_http_gw_ratelimit_policies(ctx); n++) {

        if (ngx_http_gw_ratelimit_policy(ctx, n, &p) != NGX_OK
            || !p.known || p.check->limit->dry_run)
        {
            continue;
        }

        if (rc == NGX_DECLINED
            || ngx_http_gw_ratelimit_policy_tighter(&p, &tightest))
        {
            tightest = p;
            rc = NGX_OK;
        }
    }

    *policy = tightest;

    return rc;
}


static ngx_uint_t
ngx_http_gw_ratelimit_policy_tighter(const ngx_http_gw_ratelimit_policy_t *a,
    const ngx_http_gw_ratelimit_policy_t *b)
{
    if (a->refused != b->refused) {
        return a->refused;
    }

    /* as unsigned numbers -1, for ever, is the longest wait */

    if (a->refused && a->wait != b->wait) {
        return (uint64_t) a->wait > (uint64_t) b->wait;
    }

    if (a->left != b->left) {
        return a->left < b->left;
    }

    return a->more > b->more;
}


u_char *
ngx_http_gw_ratelimit_policy_name(u_char *p,
    const ngx_http_gw_ratelimit_policy_t *policy)
{
    const ngx_str_t  *name;

    name = &policy->check->limit->name;

    p = ngx_cpymem(p, name->data, name->len);

    return ngx_cpymem(p, policy->suffix, ngx_strlen(policy->suffix));
}


const ngx_str_t *
ngx_http_gw_ratelimit_policy_result(ngx_uint_t result)
{
    return &ngx_http_gw_ratelimit_policy_results[result];
}


int64_t
ngx_http_gw_ratelimit_policy_seconds(int64_t us)
{
    return us / GW_BUCKET_SECOND + (us % GW_BUCKET_SECOND > 0);
}
