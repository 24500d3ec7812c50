
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_steps.h"
#include "ngx_http_gw_ratelimit_worker.h"


static gw_bucket_t ngx_http_gw_ratelimit_local_part(
    const ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_check_t *check);


ngx_int_t
ngx_http_gw_ratelimit_local(ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_int_t                       rc;
    gw_bucket_t                     part;
    gw_bucket_answer_t              answer;
    ngx_gw_buckets_tables_t        *tables;
    ngx_http_gw_ratelimit_check_t  *check, *end;

    rc = NGX_OK;

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    tables = ngx_gw_buckets_lock(ctx->grmcf->buckets);

    for ( /* void */ ; check != end; check++) {

        if (!check->asked
            || check->limit->error != NGX_HTTP_GW_RATELIMIT_LOCAL)
        {
            continue;
        }

        part = ngx_http_gw_ratelimit_local_part(ctx, check);

        check->decided = 1;
        check->result = NGX_GW_BUCKETS_LOCAL_PASSED;

        if (gw_memo_local(tables->memo, check->id,
                          (int64_t) ngx_current_msec * 1000, &part,
                          check->cost, &answer)
            == GW_OK)
        {
            continue;
        }

        check->refused = 1;
        check->bucket.wait = answer.wait;

        if (answer.wait < 0 && check->cost <= check->tier.bucket.burst) {

            /* too much for one machine alone, but Redis will be back */

            check->bucket.wait = check->cost * check->tier.bucket.interval;
        }

        check->bucket.full = answer.full;

        if (check->limit->dry_run) {
            check->result = NGX_GW_BUCKETS_DRY;
            continue;
        }

        check->result = NGX_GW_BUCKETS_LOCAL_LIMITED;
        rc = NGX_DECLINED;
    }

    ngx_gw_buckets_unlock(ctx->grmcf->buckets);

    return rc;
}


void
ngx_http_gw_ratelimit_local_undo(ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_http_gw_ratelimit_check_t *check, gw_memo_t *memo)
{
    gw_bucket_t  part;

    part = ngx_http_gw_ratelimit_local_part(ctx, check);

    gw_memo_back(memo, check->id, (int64_t) ngx_current_msec * 1000, &part,
                 check->cost);

    check->result = NGX_GW_BUCKETS_REFUNDED;
}


/* of a bucket that all machines share, the part of this one */

static gw_bucket_t
ngx_http_gw_ratelimit_local_part(const ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_check_t *check)
{
    int64_t      nodes;
    gw_bucket_t  part;

    nodes = ngx_http_gw_ratelimit_worker_nodes(ctx->grmcf);

    part = check->tier.bucket;

    part.burst = ngx_max(part.burst / nodes, 1);
    part.interval = ngx_min(part.interval * nodes,
                            GW_BUCKET_SPAN / 2 / part.burst);

    return part;
}
