
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The checks of a request as policies, the way a client sees them: the bucket
 * of a limit, named as the limit, and each of its quotas, named LIMIT-day and
 * LIMIT-month.
 *
 * ngx_http_gw_ratelimit_policy() describes policy "n" of 0 up to
 * ngx_http_gw_ratelimit_policies(): NGX_OK, or NGX_DECLINED if the limit has
 * no such quota.  Of a policy that is not "known" the numbers mean nothing.
 * A caller that is banned has no tokens until the ban is over.
 *
 * ngx_http_gw_ratelimit_policy_tightest() finds, among the known ones of no
 * dry run, a refused one, of several the one with the longest wait; if there
 * is none, the one with the fewest tokens left.  NGX_DECLINED: none is known.
 *
 * ngx_http_gw_ratelimit_policy_name() writes the name, at most
 * NGX_HTTP_GW_RATELIMIT_POLICY_NAME bytes, and returns its end.
 */

#ifndef _NGX_HTTP_GW_RATELIMIT_POLICY_H_INCLUDED_
#define _NGX_HTTP_GW_RATELIMIT_POLICY_H_INCLUDED_


#include "ngx_http_gw_ratelimit_state.h"


#define NGX_HTTP_GW_RATELIMIT_POLICY_NAME  (GW_TIER_NAME + sizeof("-month") - 1)


typedef struct {
    const ngx_http_gw_ratelimit_check_t  *check;
    const char                           *suffix;   /* of the name */
    int64_t                               limit;    /* tokens when full */
    int64_t                               window;   /* seconds */
    int64_t                               left;
    int64_t                               more;     /* seconds until more */
    int64_t                               full;     /* seconds until full */
    int64_t                               wait;     /* us, -1: for ever */

    unsigned                              known:1;
    unsigned                              refused:1;
} ngx_http_gw_ratelimit_policy_t;


GW_HIDDEN_BEGIN

ngx_uint_t ngx_http_gw_ratelimit_policies(
    const ngx_http_gw_ratelimit_ctx_t *ctx);
ngx_int_t ngx_http_gw_ratelimit_policy(const ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_uint_t n, ngx_http_gw_ratelimit_policy_t *policy);
ngx_int_t ngx_http_gw_ratelimit_policy_tightest(
    const ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_http_gw_ratelimit_policy_t *policy);
u_char *ngx_http_gw_ratelimit_policy_name(u_char *p,
    const ngx_http_gw_ratelimit_policy_t *policy);

/* what became of a limit, in logs and metrics */

const ngx_str_t *ngx_http_gw_ratelimit_policy_result(ngx_uint_t result);

/* microseconds as seconds, rounded up */

int64_t ngx_http_gw_ratelimit_policy_seconds(int64_t us);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_RATELIMIT_POLICY_H_INCLUDED_ */
