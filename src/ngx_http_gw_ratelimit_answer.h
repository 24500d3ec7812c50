
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What the client gets: header fields and problems; and what the logs get, the
 * variables.
 *
 * ngx_http_gw_ratelimit_answer_headers() sets the fields that grcf->headers
 * asks for, from all checks with known items; a second pass, after an internal
 * redirect, replaces them.  NGX_OK or NGX_ERROR.
 *
 * The other answers set ctx->status and the problem, Retry-After where one is
 * due, and return the HTTP status, 500 if out of memory:
 *
 *     ..._limited()      429, from the refused checks: banned, impossible, or
 *                        limited, whichever is worst
 *     ..._unavailable()  503
 *     ..._refuse()       403 or 400 for UNKNOWN_TIER, NO_KEY, BAD_COST
 *
 * ngx_http_gw_ratelimit_answer_filter() removes Retry-After from a page of
 * the user with another status.
 *
 * The variables are in ..._variables.c; "ctx" is NULL if the request has met
 * no limit, "what" is one of the numbers below.
 */

#ifndef _NGX_HTTP_GW_RATELIMIT_ANSWER_H_INCLUDED_
#define _NGX_HTTP_GW_RATELIMIT_ANSWER_H_INCLUDED_


#include "ngx_http_gw_ratelimit_state.h"


/* of the tightest policy, see ngx_http_gw_ratelimit_policy.h */

#define NGX_HTTP_GW_RATELIMIT_REMAINING  0
#define NGX_HTTP_GW_RATELIMIT_RESET      1


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_ratelimit_answer_headers(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
ngx_int_t ngx_http_gw_ratelimit_answer_limited(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
ngx_int_t ngx_http_gw_ratelimit_answer_unavailable(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
ngx_int_t ngx_http_gw_ratelimit_answer_refuse(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_gw_ratelimit_status_e status);
void ngx_http_gw_ratelimit_answer_filter(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);

/* $gw_ratelimit_status, _remaining and _reset, _limit, _limits */

ngx_int_t ngx_http_gw_ratelimit_answer_status(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_variable_value_t *v);
ngx_int_t ngx_http_gw_ratelimit_answer_number(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_variable_value_t *v,
    uintptr_t what);
ngx_int_t ngx_http_gw_ratelimit_answer_limit(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_variable_value_t *v);
ngx_int_t ngx_http_gw_ratelimit_answer_limits(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_variable_value_t *v);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_RATELIMIT_ANSWER_H_INCLUDED_ */
