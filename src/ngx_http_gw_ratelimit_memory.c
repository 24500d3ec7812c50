
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_steps.h"
#include "ngx_http_gw_ratelimit_worker.h"


/* who refuses, besides GW_MEMO_BAN; a quota by its unit */

#define NGX_HTTP_GW_RATELIMIT_BY_BUCKET  0
#define NGX_HTTP_GW_RATELIMIT_BY_QUOTA   2


static ngx_uint_t ngx_http_gw_ratelimit_memory_refusals(
    ngx_http_gw_ratelimit_ctx_t *ctx, gw_memo_t *memo);
static ngx_uint_t ngx_http_gw_ratelimit_memory_impossible(
    ngx_http_gw_ratelimit_check_t *check);
static ngx_uint_t ngx_http_gw_ratelimit_memory_exact(
    const ngx_http_gw_ratelimit_check_t *check);
static void ngx_http_gw_ratelimit_memory_denied(
    ngx_http_gw_ratelimit_check_t *check, const gw_memo_denial_t *d);
static void ngx_http_gw_ratelimit_memory_leases(
    ngx_http_gw_ratelimit_ctx_t *ctx, gw_lease_t *lease);
static gw_lease_of_t ngx_http_gw_ratelimit_memory_of(
    const ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_check_t *check);
static void ngx_http_gw_ratelimit_memory_strikes(
    ngx_http_gw_ratelimit_ctx_t *ctx, gw_memo_t *memo);
static void ngx_http_gw_ratelimit_memory_refill(
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_int_t ngx_http_gw_ratelimit_memory_grant(
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_gw_ratelimit_check_t *check,
    gw_lease_t *lease, gw_lease_back_t *back);
static void ngx_http_gw_ratelimit_memory_spent(
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_check_t *check, gw_memo_t *memo);
static void ngx_http_gw_ratelimit_memory_refused(
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_gw_ratelimit_check_t *check,
    gw_memo_t *memo);
static void ngx_http_gw_ratelimit_memory_back(
    const ngx_http_gw_ratelimit_check_t *check, int64_t tokens,
    gw_lease_back_t *back);


ngx_int_t
ngx_http_gw_ratelimit_recall(ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_uint_t                refused;
    ngx_gw_buckets_tables_t  *tables;

    tables = ngx_gw_buckets_lock(ctx->grmcf->buckets);

    refused = ngx_http_gw_ratelimit_memory_refusals(ctx, tables->memo);

    if (!refused) {

        if (ctx->grmcf->heartbeat) {
            ngx_http_gw_ratelimit_memory_leases(ctx, tables->lease);
        }

        ngx_http_gw_ratelimit_memory_strikes(ctx, tables->memo);
    }

    ngx_gw_buckets_unlock(ctx->grmcf->buckets);

    if (refused) {
        return NGX_DECLINED;
    }

    if (ctx->grmcf->heartbeat) {
        ngx_http_gw_ratelimit_memory_refill(ctx);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_gw_ratelimit_memory_refusals(ngx_http_gw_ratelimit_ctx_t *ctx,
    gw_memo_t *memo)
{
    ngx_int_t                       rc;
    ngx_uint_t                      refused;
    gw_memo_denial_t                d;
    ngx_http_gw_ratelimit_check_t  *check, *end;

    refused = 0;

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    for ( /* void */ ; check != end; check++) {

        if (ngx_http_gw_ratelimit_memory_impossible(check)) {
            refused |= !check->limit->dry_run;
            continue;
        }

        rc = ngx_http_gw_ratelimit_memory_exact(check)
             ? gw_memo_ask_exact(memo, check->id, ngx_current_msec,
                                 check->cost, check->limit->after, &d)
             : gw_memo_ask(memo, check->id, ngx_current_msec, check->cost,
                           check->limit->after, &d);

        if (rc == GW_DECLINED) {
            ngx_http_gw_ratelimit_memory_denied(check, &d);
            refused |= !check->limit->dry_run;
            continue;
        }

        check->probe = d.probe;
    }

    return refused;
}


/* what never can pass needs no question, unless a ban counts it */

static ngx_uint_t
ngx_http_gw_ratelimit_memory_impossible(ngx_http_gw_ratelimit_check_t *check)
{
    ngx_uint_t  i;

    if (check->limit->ban) {
        return 0;
    }

    if (check->cost > check->tier.bucket.burst) {
        check->bucket.wait = -1;
        check->refused = 1;
    }

    for (i = 0; i < GW_QUOTA_UNITS; i++) {

        if (check->tier.quota[i].size
            && check->cost > check->tier.quota[i].size)
        {
            check->quota[i].wait = -1;
            check->refused = 1;
        }
    }

    if (!check->refused) {
        return 0;
    }

    check->decided = 1;
    check->result = check->limit->dry_run ? NGX_GW_BUCKETS_DRY
                                          : NGX_GW_BUCKETS_IMPOSSIBLE;

    return 1;
}


/* more tokens than were asked for then: a quota may have still fewer */

static ngx_uint_t
ngx_http_gw_ratelimit_memory_exact(const ngx_http_gw_ratelimit_check_t *check)
{
    return check->tier.quota[GW_QUOTA_DAY].size
           || check->tier.quota[GW_QUOTA_MONTH].size;
}


static void
ngx_http_gw_ratelimit_memory_denied(ngx_http_gw_ratelimit_check_t *check,
    const gw_memo_denial_t *d)
{
    int64_t                        wait;
    ngx_http_gw_ratelimit_item_t  *item;

    check->refused = 1;
    check->decided = 1;
    check->result = NGX_GW_BUCKETS_REMEMBERED;

    wait = (d->again > ngx_current_msec)
           ? (int64_t) (d->again - ngx_current_msec) * 1000 : 1;

    switch (d->cause) {

    case GW_MEMO_BAN:
        item = &check->ban;
        check->result = NGX_GW_BUCKETS_BANNED;
        break;

    case NGX_HTTP_GW_RATELIMIT_BY_BUCKET:
        item = &check->bucket;

        if (check->cost <= check->tier.bucket.burst) {
            wait += (check->cost - d->cost) * check->tier.bucket.interval;
        }

        break;

    default:
        item = &check->quota[d->cause - NGX_HTTP_GW_RATELIMIT_BY_QUOTA];
    }

    if (d->again == 0
        || (d->cause == NGX_HTTP_GW_RATELIMIT_BY_BUCKET
            && check->cost > check->tier.bucket.burst))
    {
        check->result = NGX_GW_BUCKETS_IMPOSSIBLE;
        wait = -1;
    }

    if (check->limit->dry_run) {
        check->result = NGX_GW_BUCKETS_DRY;
    }

    item->wait = wait;
    item->full = (wait > 0) ? wait : 0;
    item->known = (wait > 0);

    if (item == &check->bucket && wait > 0) {

        /* there will be "cost" tokens then, and the others come behind them */

        item->full += (check->tier.bucket.burst - check->cost)
                      * check->tier.bucket.interval;
    }
}


/* tokens that are at hand; how many machines there are must be known */

static void
ngx_http_gw_ratelimit_memory_leases(ngx_http_gw_ratelimit_ctx_t *ctx,
    gw_lease_t *lease)
{
    gw_lease_of_t                   of;
    gw_lease_take_t                 t;
    ngx_http_gw_ratelimit_check_t  *check, *end;

    if (ngx_gw_buckets_nodes(ctx->grmcf->buckets) == 0) {
        return;
    }

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    for ( /* void */ ; check != end; check++) {

        if (check->limit->lease == 0 || check->decided) {
            continue;
        }

        of = ngx_http_gw_ratelimit_memory_of(ctx, check);

        if (of.max == 0) {
            continue;
        }

        if (gw_lease_take(lease, check->id, &of, ngx_current_msec,
                          check->cost, &t)
            == GW_OK)
        {
            check->leased = 1;
            check->taken = 1;
            check->decided = 1;
            check->result = NGX_GW_BUCKETS_LEASED;

            check->bucket.left = t.left;
            check->bucket.full = t.full;
            check->bucket.known = 1;
        }

        check->want = t.want;
    }
}


static gw_lease_of_t
ngx_http_gw_ratelimit_memory_of(const ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_check_t *check)
{
    gw_lease_of_t  of;

    of.name.len = check->name.len;
    of.name.data = (const char *) check->name.data;
    of.tier = check->tier;
    of.max = gw_lease_max(&check->tier.bucket, check->limit->lease,
                          ngx_http_gw_ratelimit_worker_nodes(ctx->grmcf));
    of.ban = (int64_t) check->limit->ban * 1000;
    of.after = check->limit->after;
    of.owner = ngx_pid;

    return of;
}


/* refusals that Redis was not told of, and will be now */

static void
ngx_http_gw_ratelimit_memory_strikes(ngx_http_gw_ratelimit_ctx_t *ctx,
    gw_memo_t *memo)
{
    ngx_http_gw_ratelimit_check_t  *check, *end;

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    for ( /* void */ ; check != end; check++) {

        if (check->limit->ban && !check->decided) {
            check->strikes = gw_memo_strikes(memo, check->id,
                                             ngx_current_msec,
                                             check->limit->ban);
        }
    }
}


/* leases that are half empty are filled up while the requests go on */

static void
ngx_http_gw_ratelimit_memory_refill(ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_uint_t                      nodes;
    gw_lease_of_t                   of;
    ngx_http_gw_ratelimit_check_t  *check, *end;

    nodes = ngx_http_gw_ratelimit_worker_nodes(ctx->grmcf);

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    for ( /* void */ ; check != end; check++) {

        if (!check->leased || check->want == 0) {
            continue;
        }

        of = ngx_http_gw_ratelimit_memory_of(ctx, check);

        ngx_gw_leases_refill(ctx->grmcf->worker->leases, check->id, &of,
                             check->want,
                             ngx_http_gw_ratelimit_share(check, nodes));

        check->want = 0;
    }
}


void
ngx_http_gw_ratelimit_remember(ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_uint_t                      i, n;
    gw_lease_back_t                 back[NGX_HTTP_GW_RATELIMIT_LIMITS];
    ngx_gw_buckets_tables_t        *tables;
    ngx_http_gw_ratelimit_check_t  *check, *end;

    n = 0;

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    tables = ngx_gw_buckets_lock(ctx->grmcf->buckets);

    for ( /* void */ ; check != end; check++) {

        if (!check->asked) {
            continue;
        }

        if (ctx->answered && check->refused) {
            ngx_http_gw_ratelimit_memory_refused(ctx, check, tables->memo);

        } else if (check->probe || check->taken) {

            /* refusals of more tokens would promise them too early now */

            gw_memo_passed(tables->memo, check->id);
            ngx_http_gw_ratelimit_memory_spent(ctx, check, tables->memo);
        }

        check->probe = 0;

        if (check->want
            && ngx_http_gw_ratelimit_memory_grant(ctx, check, tables->lease,
                                                  &back[n])
               == NGX_DECLINED)
        {
            n++;
        }
    }

    ngx_gw_buckets_unlock(ctx->grmcf->buckets);

    for (i = 0; i < n; i++) {
        ngx_gw_leases_give(ctx->grmcf->worker->leases, &back[i]);
    }
}


/*
 * Ends what gw_lease_take() began, with no tokens too.  NGX_DECLINED: those in
 * "back" are not wanted any more.
 */

static ngx_int_t
ngx_http_gw_ratelimit_memory_grant(ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_http_gw_ratelimit_check_t *check, gw_lease_t *lease,
    gw_lease_back_t *back)
{
    int64_t        granted, windows[GW_QUOTA_UNITS];
    ngx_uint_t     i;
    gw_lease_of_t  of;

    granted = ctx->answered ? check->bucket.extra : 0;

    (void) ngx_atomic_fetch_add(&ctx->grmcf->worker->counters->leased,
                                granted);

    check->want = 0;

    if (ngx_current_msec - ctx->sent >= GW_LEASE_REFILL) {

        /* so late that another refill may be under way */

        ngx_http_gw_ratelimit_memory_back(check, granted, back);

        return granted ? NGX_DECLINED : NGX_OK;
    }

    for (i = 0; i < GW_QUOTA_UNITS; i++) {
        windows[i] = check->quota[i].extra;
    }

    of = ngx_http_gw_ratelimit_memory_of(ctx, check);

    return gw_lease_grant(lease, check->id, &of, ngx_current_msec, granted,
                          check->bucket.left, check->bucket.full, windows,
                          back);
}


/*
 * Who was the one to ask, and took the last tokens, knows when there are as
 * many again; without that all the others would ask now.  Redis has to tell
 * about a quota and of strikes.
 */

static void
ngx_http_gw_ratelimit_memory_spent(ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_check_t *check, gw_memo_t *memo)
{
    int64_t     wait;
    ngx_uint_t  i;

    if (!check->probe || !check->taken || !ctx->answered
        || check->limit->lease || check->limit->ban
        || check->bucket.left >= check->cost)
    {
        return;
    }

    for (i = 0; i < GW_QUOTA_UNITS; i++) {
        if (check->quota[i].known && check->quota[i].left < check->cost) {
            return;
        }
    }

    wait = check->bucket.full + (check->cost - check->tier.bucket.burst)
                                * check->tier.bucket.interval;

    if (wait > 0) {
        gw_memo_refused(memo, check->id, ctx->sent, ngx_current_msec,
                        check->cost, wait, NGX_HTTP_GW_RATELIMIT_BY_BUCKET, 0);
    }
}


static void
ngx_http_gw_ratelimit_memory_refused(ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_http_gw_ratelimit_check_t *check, gw_memo_t *memo)
{
    int64_t     wait;
    ngx_uint_t  i, cause;

    wait = check->bucket.wait;
    cause = NGX_HTTP_GW_RATELIMIT_BY_BUCKET;

    for (i = 0; i < GW_QUOTA_UNITS; i++) {

        if (wait >= 0 && (check->quota[i].wait < 0
                          || check->quota[i].wait > wait))
        {
            wait = check->quota[i].wait;
            cause = NGX_HTTP_GW_RATELIMIT_BY_QUOTA + i;
        }
    }

    if (check->ban.wait) {

        /* and then there have to be tokens */

        wait = ngx_max(check->ban.wait, wait);
        cause = GW_MEMO_BAN;
    }

    if (ngx_http_gw_ratelimit_memory_exact(check)) {
        gw_memo_refused_exact(memo, check->id, ctx->sent, ngx_current_msec,
                              check->cost, wait, cause, check->ban.left);
        return;
    }

    gw_memo_refused(memo, check->id, ctx->sent, ngx_current_msec, check->cost,
                    wait, cause, check->ban.left);
}


void
ngx_http_gw_ratelimit_undo(ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_uint_t                      i, n;
    gw_lease_back_t                 back[NGX_HTTP_GW_RATELIMIT_LIMITS];
    ngx_gw_buckets_tables_t        *tables;
    ngx_http_gw_ratelimit_check_t  *check, *end;

    n = 0;

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    tables = ngx_gw_buckets_lock(ctx->grmcf->buckets);

    for ( /* void */ ; check != end; check++) {

        if (check->probe || check->taken) {
            check->probe = 0;
            gw_memo_passed(tables->memo, check->id);
        }

        if (check->want) {

            /* never asked for, in a cluster: others may, without waiting */

            (void) ngx_http_gw_ratelimit_memory_grant(ctx, check,
                                                 tables->lease, &back[n]);
        }

        if (check->result == NGX_GW_BUCKETS_LOCAL_PASSED) {
            ngx_http_gw_ratelimit_local_undo(ctx, check, tables->memo);
        }

        if (!check->taken) {
            continue;
        }

        check->taken = 0;
        check->result = NGX_GW_BUCKETS_REFUNDED;

        if (check->leased) {
            gw_lease_spare(tables->lease, check->id, ngx_current_msec,
                           check->cost);
            continue;
        }

        if (check->cost == 0) {
            continue;
        }

        ngx_http_gw_ratelimit_memory_back(check, check->cost, &back[n++]);
    }

    ngx_gw_buckets_unlock(ctx->grmcf->buckets);

    for (i = 0; i < n; i++) {
        ngx_gw_leases_give(ctx->grmcf->worker->leases, &back[i]);
    }
}


static void
ngx_http_gw_ratelimit_memory_back(const ngx_http_gw_ratelimit_check_t *check,
    int64_t tokens, gw_lease_back_t *back)
{
    ngx_uint_t  i;

    back->len = check->name.len;
    ngx_memcpy(back->name, check->name.data, check->name.len);

    back->interval = check->tier.bucket.interval;
    back->tokens = tokens;

    for (i = 0; i < GW_QUOTA_UNITS; i++) {
        back->windows[i] = check->quota[i].extra;
    }
}
