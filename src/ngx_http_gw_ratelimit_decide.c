
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_answer.h"
#include "ngx_http_gw_ratelimit_decide.h"
#include "ngx_http_gw_ratelimit_steps.h"
#include "ngx_http_gw_ratelimit_worker.h"
#include "ngx_http_gw_util.h"


/*
 * The steps of a request, in each of the two phases and again after an
 * internal redirect; a limit that was met once, by its name, is not met again:
 *
 *     IDLE    nothing is under way.  The limits are collected; those that the
 *             zone can decide are decided; Redis is asked about the others
 *     TIERS   waits for the list of tiers; then IDLE, and on without waiting
 *     ASKED   waits for Redis, or was answered.  Taken: it is asked about the
 *             next ones (of another key, in a cluster), in the end the request
 *             passes.  Refused: what the others gave is given back.  No answer:
 *             error= of each limit decides, "deny" before "local" before
 *             "allow"
 *
 * Whatever is under way ends by its deadline, or by the request's end.
 */

typedef enum {
    NGX_HTTP_GW_RATELIMIT_IDLE = 0,
    NGX_HTTP_GW_RATELIMIT_TIERS,
    NGX_HTTP_GW_RATELIMIT_ASKED
} ngx_http_gw_ratelimit_step_e;


static ngx_http_gw_ratelimit_ctx_t *ngx_http_gw_ratelimit_decide_create(
    ngx_http_request_t *r);
static void ngx_http_gw_ratelimit_decide_cleanup(void *data);
static ngx_int_t ngx_http_gw_ratelimit_decide_begin(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_uint_t preauth);
static void ngx_http_gw_ratelimit_decide_listed(void *data);
static ngx_int_t ngx_http_gw_ratelimit_decide_ask(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_int_t ngx_http_gw_ratelimit_decide_answered(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_int_t ngx_http_gw_ratelimit_decide_alone(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_uint_t ngx_http_gw_ratelimit_decide_policy(
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_int_t ngx_http_gw_ratelimit_decide_refused(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_int_t ngx_http_gw_ratelimit_decide_passed(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_http_gw_ratelimit_status_e ngx_http_gw_ratelimit_decide_status(
    const ngx_http_gw_ratelimit_ctx_t *ctx);
static void ngx_http_gw_ratelimit_decide_end(
    ngx_http_gw_ratelimit_ctx_t *ctx);


extern ngx_module_t  ngx_http_gw_ratelimit_module;


ngx_int_t
ngx_http_gw_ratelimit_decide(ngx_http_request_t *r, ngx_uint_t preauth)
{
    ngx_int_t                            rc;
    ngx_http_gw_ratelimit_ctx_t         *ctx;
    const ngx_http_gw_ratelimit_conf_t  *grcf;

    grcf = ngx_http_get_module_loc_conf(r, ngx_http_gw_ratelimit_module);

    if (r != r->main || grcf->limits == NULL) {
        return NGX_DECLINED;
    }

    if (r->filter_finalize) {

        /* the error page of a filter: it is not waited for */

        return NGX_DECLINED;
    }

    ctx = ngx_http_gw_ratelimit_decide_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_gw_ratelimit_decide_create(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (r->post_action && ctx->step != NGX_HTTP_GW_RATELIMIT_IDLE) {

        /* the client has left while it waited: nobody needs the answer */

        ngx_http_gw_ratelimit_decide_cleanup(ctx);

        ctx->step = NGX_HTTP_GW_RATELIMIT_IDLE;
        ctx->first = ctx->checks.nelts;
    }

    for ( ;; ) {

        if (ctx->step == NGX_HTTP_GW_RATELIMIT_IDLE) {

            ctx->grcf = grcf;
            rc = ngx_http_gw_ratelimit_decide_begin(r, ctx, preauth);

        } else if (!ctx->wait.done) {

            if (ctx->wait.waiting) {
                /* woken by something else */
                return NGX_AGAIN;
            }

            return ngx_http_gw_wait_park(&ctx->wait);

        } else if (ctx->step == NGX_HTTP_GW_RATELIMIT_TIERS) {

            ctx->step = NGX_HTTP_GW_RATELIMIT_IDLE;
            ctx->waited = 1;
            continue;

        } else {
            rc = ngx_http_gw_ratelimit_decide_answered(r, ctx);
        }

        if (rc != NGX_AGAIN) {
            ctx->step = NGX_HTTP_GW_RATELIMIT_IDLE;
            return rc;
        }

        /* something is under way, or even done */
    }
}


static ngx_http_gw_ratelimit_ctx_t *
ngx_http_gw_ratelimit_decide_create(ngx_http_request_t *r)
{
    ngx_http_gw_ratelimit_ctx_t  *ctx;

    ctx = ngx_http_gw_state_create(r, &ngx_http_gw_ratelimit_module,
                                   sizeof(ngx_http_gw_ratelimit_ctx_t),
                                   ngx_http_gw_ratelimit_decide_cleanup);
    if (ctx == NULL) {
        return NULL;
    }

    if (ngx_array_init(&ctx->checks, r->pool, 2,
                       sizeof(ngx_http_gw_ratelimit_check_t))
        != NGX_OK)
    {
        return NULL;
    }

    ctx->grmcf = ngx_http_get_module_main_conf(r,
                                               ngx_http_gw_ratelimit_module);

    ctx->op.handler = ngx_http_gw_ratelimit_ask_reply;
    ctx->op.data = ctx;

    ctx->tiers.handler = ngx_http_gw_ratelimit_decide_listed;
    ctx->tiers.data = ctx;

    return ctx;
}


ngx_http_gw_ratelimit_ctx_t *
ngx_http_gw_ratelimit_decide_ctx(ngx_http_request_t *r)
{
    return ngx_http_gw_state_get(r, &ngx_http_gw_ratelimit_module,
                                 ngx_http_gw_ratelimit_decide_cleanup);
}


static void
ngx_http_gw_ratelimit_decide_cleanup(void *data)
{
    ngx_http_gw_ratelimit_ctx_t  *ctx = data;

    if (ctx->step == NGX_HTTP_GW_RATELIMIT_IDLE) {
        return;
    }

    if (ctx->tiers.active) {
        ngx_gw_tiers_cancel(&ctx->tiers);
    }

    if (ctx->step == NGX_HTTP_GW_RATELIMIT_ASKED) {

        ngx_gw_script_cancel(&ctx->op);

        if (ctx->checks.elts) {

            /* the client has left: those who wait for its answer may ask */

            ctx->answered = 0;
            ngx_http_gw_ratelimit_remember(ctx);
        }
    }

    ngx_http_gw_wait_cancel(&ctx->wait);
}


static ngx_int_t
ngx_http_gw_ratelimit_decide_begin(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_uint_t preauth)
{
    ngx_int_t  rc;

    rc = ngx_http_gw_ratelimit_collect(r, ctx, preauth);

    if (rc == NGX_AGAIN) {
        ngx_http_gw_wait_init(&ctx->wait, r);

        ctx->step = NGX_HTTP_GW_RATELIMIT_TIERS;
        ngx_gw_tiers_wait(ctx->grmcf->worker->tiers, &ctx->tiers);

        return NGX_AGAIN;
    }

    if (rc != NGX_OK) {
        return rc;
    }

    ctx->deadline = ngx_current_msec + ctx->grmcf->redis.timeout;

    if (ngx_http_gw_ratelimit_recall(ctx) == NGX_DECLINED) {
        return ngx_http_gw_ratelimit_decide_refused(r, ctx);
    }

    return ngx_http_gw_ratelimit_decide_ask(r, ctx);
}


static void
ngx_http_gw_ratelimit_decide_listed(void *data)
{
    ngx_http_gw_ratelimit_ctx_t  *ctx = data;

    ngx_http_gw_wait_wake(&ctx->wait);
}


static ngx_int_t
ngx_http_gw_ratelimit_decide_ask(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_gw_ratelimit_ask(r, ctx);

    if (rc == NGX_DECLINED) {
        return ngx_http_gw_ratelimit_decide_passed(r, ctx);
    }

    if (rc != NGX_OK) {
        ngx_http_gw_ratelimit_undo(ctx);
        ngx_http_gw_ratelimit_decide_end(ctx);

        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->step = NGX_HTTP_GW_RATELIMIT_ASKED;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_gw_ratelimit_decide_answered(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_gw_ratelimit_asked(ctx);

    ngx_http_gw_ratelimit_remember(ctx);

    if (rc == NGX_DECLINED) {
        return ngx_http_gw_ratelimit_decide_refused(r, ctx);
    }

    if (rc == NGX_ERROR) {
        rc = ngx_http_gw_ratelimit_decide_alone(r, ctx);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_gw_ratelimit_decide_ask(r, ctx);
}


/* without Redis; NGX_OK: go on */

static ngx_int_t
ngx_http_gw_ratelimit_decide_alone(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_int_t   rc;
    ngx_uint_t  n, deny;

    deny = ngx_http_gw_ratelimit_decide_policy(ctx);

    if (ngx_gw_log_pass(&ctx->grmcf->worker->log_failure, &n)) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "gw ratelimit: %s without Redis, %ui more before",
                      deny ? "refused" : "decided", n);
    }

    if (deny) {
        ngx_http_gw_ratelimit_undo(ctx);

        rc = ngx_http_gw_ratelimit_answer_unavailable(r, ctx);

        ngx_http_gw_ratelimit_decide_end(ctx);

        return rc;
    }

    if (ngx_http_gw_ratelimit_local(ctx) != NGX_OK) {
        return ngx_http_gw_ratelimit_decide_refused(r, ctx);
    }

    return NGX_OK;
}


/* forgets what an invalid answer may have left; 1: some limit denies */

static ngx_uint_t
ngx_http_gw_ratelimit_decide_policy(ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_uint_t                      deny;
    ngx_http_gw_ratelimit_check_t  *check, *end;

    deny = 0;

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    for ( /* void */ ; check != end; check++) {

        if (!check->asked) {
            continue;
        }

        ngx_memzero(&check->bucket, sizeof(check->bucket));
        ngx_memzero(check->quota, sizeof(check->quota));
        ngx_memzero(&check->ban, sizeof(check->ban));

        check->refused = 0;

        switch (check->limit->error) {

        case NGX_HTTP_GW_RATELIMIT_DENY:

            check->decided = 1;
            check->result = NGX_GW_BUCKETS_UNCHECKED;

            if (!check->limit->dry_run) {
                check->result = NGX_GW_BUCKETS_UNAVAILABLE;
                deny = 1;
            }

            break;

        case NGX_HTTP_GW_RATELIMIT_LOCAL:
            break;

        default: /* NGX_HTTP_GW_RATELIMIT_ALLOW */
            check->decided = 1;
            check->result = NGX_GW_BUCKETS_UNCHECKED;
        }
    }

    return deny;
}


static ngx_int_t
ngx_http_gw_ratelimit_decide_refused(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_int_t  rc;

    ngx_http_gw_ratelimit_undo(ctx);

    if (ngx_http_gw_ratelimit_answer_headers(r, ctx) == NGX_OK) {
        rc = ngx_http_gw_ratelimit_answer_limited(r, ctx);

    } else {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_gw_ratelimit_decide_end(ctx);

    return rc;
}


static ngx_int_t
ngx_http_gw_ratelimit_decide_passed(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_int_t  rc;

    rc = ngx_http_gw_ratelimit_answer_headers(r, ctx);

    if (ctx->problem.status == 0) {
        ctx->status = ngx_http_gw_ratelimit_decide_status(ctx);
    }

    ngx_http_gw_ratelimit_decide_end(ctx);

    return (rc == NGX_OK) ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* of the other phase and of limits without a check, ctx->status tells */

static ngx_http_gw_ratelimit_status_e
ngx_http_gw_ratelimit_decide_status(const ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_http_gw_ratelimit_check_t   *check, *end;
    ngx_http_gw_ratelimit_status_e   status;

    switch (ctx->status) {

    case NGX_HTTP_GW_RATELIMIT_DRY_RUN:
    case NGX_HTTP_GW_RATELIMIT_UNCHECKED:
    case NGX_HTTP_GW_RATELIMIT_LOCAL_PASSED:
        status = ctx->status;
        break;

    default:
        status = NGX_HTTP_GW_RATELIMIT_PASSED;
    }

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    for ( /* void */ ; check != end; check++) {

        if (check->result == NGX_GW_BUCKETS_UNCHECKED) {
            return NGX_HTTP_GW_RATELIMIT_UNCHECKED;
        }

        if (check->result == NGX_GW_BUCKETS_LOCAL_PASSED
            && status != NGX_HTTP_GW_RATELIMIT_UNCHECKED)
        {
            status = NGX_HTTP_GW_RATELIMIT_LOCAL_PASSED;

        } else if (check->refused
                   && status == NGX_HTTP_GW_RATELIMIT_PASSED)
        {
            status = NGX_HTTP_GW_RATELIMIT_DRY_RUN;
        }
    }

    return status;
}


/* the limits count as met, whatever became of them */

static void
ngx_http_gw_ratelimit_decide_end(ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_gw_buckets_slot_t          *slot;
    ngx_http_gw_ratelimit_check_t  *check, *end;

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    for ( /* void */ ; check != end; check++) {

        if (check->decided) {
            slot = ctx->grmcf->worker->slots[check->limit->index];
            (void) ngx_atomic_fetch_add(&slot->results[check->result], 1);
        }
    }

    ctx->first = ctx->checks.nelts;
}
