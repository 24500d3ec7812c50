
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The answer to a refused request: a status to return, the headers of RFC
 * 6750, a problem for the filters, and one line at "info" that tells the
 * operator why.  The client learns only what RFC 6750 says; no line contains
 * a credential, a key, or the value of a claim.
 */

#ifndef _NGX_HTTP_GW_AUTH_REFUSE_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_REFUSE_H_INCLUDED_


#include "ngx_http_gw_auth_decide.h"


GW_HIDDEN_BEGIN

/*
 * The first returns the status of HTTP to return.  The second takes back the
 * headers of an earlier refusal, when somebody else let the request in.
 */

ngx_int_t ngx_http_gw_auth_refuse(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf, ngx_uint_t reason);
void ngx_http_gw_auth_refuse_withdraw(ngx_http_gw_auth_ctx_t *ctx);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_REFUSE_H_INCLUDED_ */
