
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The inside of ngx_http_gw_auth_decide(): its steps, and what they share.
 *
 * The steps return GW_JWT_OK, a reason, NGX_AGAIN after
 * ngx_http_gw_auth_suspend(), or NGX_ERROR.  _choose() returns GW_JWT_OK if
 * the identity zone knows the credential, and NGX_DECLINED if ctx->provider
 * has to find out.  _local() verifies a JWT with the keys of "issuer", which
 * is ctx->provider itself or its fallback.  _suspend() is called when the
 * operation was started; "patience" (ms) bounds it, 0: it bounds itself.
 *
 * The identity zone: _lookup() sets ctx->identity, GW_JWT_OK or NGX_DECLINED;
 * _unpack() does it from packed bytes, _store() the reverse.  _refusal() is
 * the reason why the credential was refused a moment ago, GW_JWT_OK if it was
 * not; _remember() stores one.
 */

#ifndef _NGX_HTTP_GW_AUTH_STEPS_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_STEPS_H_INCLUDED_


#include "ngx_http_gw_auth_decide.h"


/* generations of an identity in the zone: a fallback's are other ones */

#define NGX_HTTP_GW_AUTH_DEGRADED  ((uint64_t) 1 << 63)


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_auth_choose(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_list_t *list);
ngx_int_t ngx_http_gw_auth_local(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *issuer);
ngx_int_t ngx_http_gw_auth_check(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf);
ngx_int_t ngx_http_gw_auth_suspend(ngx_http_gw_auth_ctx_t *ctx,
    ngx_msec_t patience);

ngx_int_t ngx_http_gw_auth_lookup(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *provider, uint64_t generation);
ngx_int_t ngx_http_gw_auth_unpack(ngx_http_gw_auth_ctx_t *ctx,
    const char *packed, size_t len);
void ngx_http_gw_auth_store(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *provider, uint64_t generation);
ngx_uint_t ngx_http_gw_auth_refusal(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *provider, uint64_t generation);
void ngx_http_gw_auth_remember(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *provider, uint64_t generation,
    uint32_t reason);

ngx_uint_t ngx_http_gw_auth_accepts(
    const ngx_http_gw_auth_provider_t *provider,
    const ngx_http_gw_auth_source_t *source);
ngx_uint_t ngx_http_gw_auth_issued(const gw_jwt_t *jwt,
    const ngx_http_gw_auth_provider_t *provider);
const gw_jwks_t *ngx_http_gw_auth_keys(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *provider, uint64_t *generation);
ngx_uint_t ngx_http_gw_auth_parse(ngx_http_gw_auth_ctx_t *ctx);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_STEPS_H_INCLUDED_ */
