
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The steps of ngx_http_gw_ratelimit_decide(), each about ctx->checks from
 * ctx->first on.
 *
 * ngx_http_gw_ratelimit_collect() makes a check of each limit that the
 * location has and the request has not met before:
 *
 *     NGX_OK        there are some
 *     NGX_DECLINED  there are none
 *     NGX_AGAIN     a tier can't be told before the list in Redis was read
 *     otherwise     the request is refused with this status
 *
 * ngx_http_gw_ratelimit_recall() looks into the zone: refusals that are
 * remembered, tokens that are leased.  NGX_DECLINED: refused.
 *
 * ngx_http_gw_ratelimit_ask() asks Redis about the next checks: all, or in a
 * cluster those of one key, marked "asked".  NGX_DECLINED: there are none
 * left; NGX_ERROR: out of memory.  Else ctx->wait is woken in the end, and
 * then ngx_http_gw_ratelimit_asked() takes the answer: NGX_OK; NGX_DECLINED,
 * refused; NGX_ERROR, there was none.
 *
 * ngx_http_gw_ratelimit_remember() stores the answer in the zone, or that
 * there was none, and ngx_http_gw_ratelimit_local() decides by the zone alone
 * what error=local is for: NGX_OK or NGX_DECLINED.
 *
 * ngx_http_gw_ratelimit_undo() gives back what a refused request has taken,
 * what it took locally by ngx_http_gw_ratelimit_local_undo(), and lets others
 * ask who were told to wait for its question.
 */

#ifndef _NGX_HTTP_GW_RATELIMIT_STEPS_H_INCLUDED_
#define _NGX_HTTP_GW_RATELIMIT_STEPS_H_INCLUDED_


#include "ngx_http_gw_ratelimit_state.h"


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_ratelimit_collect(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_uint_t preauth);

ngx_int_t ngx_http_gw_ratelimit_recall(ngx_http_gw_ratelimit_ctx_t *ctx);
void ngx_http_gw_ratelimit_remember(ngx_http_gw_ratelimit_ctx_t *ctx);
ngx_int_t ngx_http_gw_ratelimit_local(ngx_http_gw_ratelimit_ctx_t *ctx);
void ngx_http_gw_ratelimit_undo(ngx_http_gw_ratelimit_ctx_t *ctx);
void ngx_http_gw_ratelimit_local_undo(ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_http_gw_ratelimit_check_t *check, gw_memo_t *memo);

ngx_int_t ngx_http_gw_ratelimit_ask(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
ngx_int_t ngx_http_gw_ratelimit_asked(ngx_http_gw_ratelimit_ctx_t *ctx);
void ngx_http_gw_ratelimit_ask_reply(ngx_gw_script_op_t *op,
    ngx_gw_reply_t *reply);

GW_HIDDEN_END


/* the checks that are being decided: from, up to */

#define ngx_http_gw_ratelimit_begin(ctx)                                      \
    ((ngx_http_gw_ratelimit_check_t *) (ctx)->checks.elts + (ctx)->first)

#define ngx_http_gw_ratelimit_end(ctx)                                        \
    ((ngx_http_gw_ratelimit_check_t *) (ctx)->checks.elts                     \
     + (ctx)->checks.nelts)


/* a lease gets at most 1/share of what is left */

#define ngx_http_gw_ratelimit_share(check, nodes)                             \
    ((100 * (nodes) + (check)->limit->lease - 1) / (check)->limit->lease)


#endif /* _NGX_HTTP_GW_RATELIMIT_STEPS_H_INCLUDED_ */
