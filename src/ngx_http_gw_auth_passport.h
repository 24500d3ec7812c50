
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The passport of a request whose identity is known.
 *
 * ngx_http_gw_auth_passport() takes it from the identity zone, or signs one:
 * when there is none, or when half of its life is over and a new one would
 * live longer.  It is kept under the credential, the verification that made
 * the identity, the key that signs, and every claim the identity does not
 * decide: so no other location, key or caller ever gets it.
 *
 *     NGX_OK        "token" is in the request's pool
 *     NGX_DECLINED  the claims do not fit into a passport
 *     NGX_ERROR     out of memory, or OpenSSL failed, logged
 */

#ifndef _NGX_HTTP_GW_AUTH_PASSPORT_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_PASSPORT_H_INCLUDED_


#include "ngx_http_gw_auth_decide.h"


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_auth_passport(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf, ngx_str_t *token);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_PASSPORT_H_INCLUDED_ */
