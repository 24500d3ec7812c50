
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Turns what was verified into an identity.  All three return GW_JWT_OK, or
 * the reason of a refusal; the slices of "id" lie in "pool" or in what the
 * identity was made from, which has to live as long.
 *
 * ngx_http_gw_auth_identify_jwt() takes a token that gw_jwt_check() passed.
 * "issuer" is the provider whose keys verified it, "provider" the one that
 * speaks for it: they differ in a fallback, and then it is marked degraded.
 *
 * ngx_http_gw_auth_identify_answer() takes an active introspection answer,
 * of which "text" is the whole body.
 *
 * ngx_http_gw_auth_identify_record() takes the reply to HGETALL for an API
 * key, whose SHA-256 in lower-case hex is "hex".
 */

#ifndef _NGX_HTTP_GW_AUTH_IDENTIFY_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_IDENTIFY_H_INCLUDED_


#include "ngx_gw.h"

#include "gw_introspect.h"
#include "ngx_gw_resp.h"
#include "ngx_http_gw_auth_provider.h"
#include "ngx_http_gw_auth_reason.h"


#define NGX_HTTP_GW_AUTH_RECORD  4096     /* bytes of an API key's record */


GW_HIDDEN_BEGIN

ngx_uint_t ngx_http_gw_auth_identify_jwt(ngx_pool_t *pool,
    const ngx_http_gw_auth_provider_t *provider,
    const ngx_http_gw_auth_provider_t *issuer, const gw_jwt_t *jwt,
    gw_identity_t *id);
ngx_uint_t ngx_http_gw_auth_identify_answer(ngx_pool_t *pool,
    const ngx_http_gw_auth_provider_t *provider,
    const gw_introspect_t *answer, const ngx_str_t *text, gw_identity_t *id);
ngx_uint_t ngx_http_gw_auth_identify_record(ngx_pool_t *pool,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *hex,
    const ngx_gw_reply_t *reply, gw_identity_t *id);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_IDENTIFY_H_INCLUDED_ */
