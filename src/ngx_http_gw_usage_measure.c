
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_usage_measure.h"


static off_t ngx_http_gw_usage_measure_passed(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx);


void
ngx_http_gw_usage_measure_totals(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_totals_t *totals)
{
    off_t        n;
    int64_t      ms;
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    ms = (int64_t) tp->sec * 1000 + (int64_t) tp->msec
         - ngx_http_gw_usage_measure_start(r);

    totals->duration = (uint64_t) ngx_max(ms, 0);

    n = r->request_length;

    if (ctx->upgraded && ctx->upgraded == r->upstream) {
        n += ngx_http_gw_usage_measure_passed(r, ctx);
    }

    totals->bytes_in = (uint64_t) n;
    totals->bytes_out = (uint64_t) r->connection->sent;
}


/*
 * What the client sent after an upgrade counts when it goes to the upstream,
 * nginx does not count it before.
 */

static off_t
ngx_http_gw_usage_measure_passed(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx)
{
    off_t                 sent;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    sent = u->peer.connection ? u->peer.connection->sent
                              : u->state->bytes_sent;

    return ngx_max(sent - ctx->handshake, 0);
}


ngx_uint_t
ngx_http_gw_usage_measure_status(ngx_http_request_t *r)
{
    if (r->err_status) {
        return r->err_status;
    }

    if (r->headers_out.status) {
        return r->headers_out.status;
    }

    return r->http_version == NGX_HTTP_VERSION_9 ? 9 : 0;
}


int64_t
ngx_http_gw_usage_measure_upstream(ngx_http_request_t *r)
{
    int64_t                     ms;
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL || r->upstream_states->nelts == 0) {
        return -1;
    }

    ms = 0;
    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {

        /* unset between internal redirects */

        if (state[i].peer && state[i].response_time != (ngx_msec_t) -1) {
            ms += (int64_t) state[i].response_time;
        }
    }

    return ms;
}


int64_t
ngx_http_gw_usage_measure_start(ngx_http_request_t *r)
{
    return (int64_t) r->start_sec * 1000 + (int64_t) r->start_msec;
}
