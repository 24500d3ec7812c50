
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Decides about the limits of a request, in the preaccess phase about those
 * with "preauth", in the precontent phase about the others: a phase handler's
 * meaning, NGX_DECLINED if the request may go on.
 *
 * ngx_http_gw_ratelimit_decide_ctx() is the state of a request, NULL if it has
 * met no limit.
 */

#ifndef _NGX_HTTP_GW_RATELIMIT_DECIDE_H_INCLUDED_
#define _NGX_HTTP_GW_RATELIMIT_DECIDE_H_INCLUDED_


#include "ngx_http_gw_ratelimit_state.h"


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_ratelimit_decide(ngx_http_request_t *r,
    ngx_uint_t preauth);
ngx_http_gw_ratelimit_ctx_t *ngx_http_gw_ratelimit_decide_ctx(
    ngx_http_request_t *r);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_RATELIMIT_DECIDE_H_INCLUDED_ */
