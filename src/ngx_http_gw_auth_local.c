
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_identify.h"
#include "ngx_http_gw_auth_steps.h"
#include "ngx_http_gw_auth_worker.h"


static ngx_int_t ngx_http_gw_auth_verify(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *issuer, uint64_t *generation);
static ngx_int_t ngx_http_gw_auth_wait_keys(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *issuer);
static void ngx_http_gw_auth_keys_handler(ngx_gw_keys_wait_t *wait);


/* "issuer" is ctx->provider itself, or its fallback */

ngx_int_t
ngx_http_gw_auth_local(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *issuer)
{
    int64_t          now;
    uint64_t         generation;
    ngx_int_t        rc;
    gw_identity_t   *id;
    gw_jwt_status_e  status;

    rc = ngx_http_gw_auth_verify(ctx, issuer, &generation);
    if (rc != GW_JWT_OK) {
        return rc;
    }

    now = ngx_time();

    status = gw_jwt_check(&ctx->jwt, &issuer->rules, now);

    if (status == GW_JWT_EXPIRED) {
        ctx->seconds = now - ctx->jwt.exp;

    } else if (status == GW_JWT_NOT_YET_VALID) {
        ctx->seconds = ngx_max(ctx->jwt.nbf, ctx->jwt.iat) - now;
    }

    if (status != GW_JWT_OK) {
        return status;
    }

    id = &ctx->identity;

    rc = ngx_http_gw_auth_identify_jwt(ctx->request->pool, ctx->provider,
                                       issuer, &ctx->jwt, id);
    if (rc != GW_JWT_OK) {
        return rc;
    }

    if (id->degraded) {

        /* an unknown age is too old */

        id->expires = ngx_min(id->expires,
                              id->issued + ctx->provider->max_age);

        if (id->expires <= now) {
            ctx->seconds = now - id->expires;
            return NGX_HTTP_GW_AUTH_TOO_OLD;
        }

        generation |= NGX_HTTP_GW_AUTH_DEGRADED;
    }

    ngx_http_gw_auth_store(ctx, ctx->provider, generation);

    return GW_JWT_OK;
}


static ngx_int_t
ngx_http_gw_auth_verify(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *issuer, uint64_t *generation)
{
    ngx_int_t         rc;
    ngx_uint_t        reason;
    const gw_jwks_t  *jwks;

    reason = ngx_http_gw_auth_parse(ctx);
    if (reason != GW_JWT_OK) {
        return reason;
    }

    jwks = ngx_http_gw_auth_keys(ctx, issuer, generation);

    if (jwks == NULL) {
        return ngx_http_gw_auth_wait_keys(ctx, issuer);
    }

    reason = ngx_http_gw_auth_refusal(ctx, issuer, *generation);
    if (reason != GW_JWT_OK) {
        return reason;
    }

    reason = gw_jwt_verify(&ctx->jwt, jwks, issuer->algs);

    if (reason == GW_JWT_UNKNOWN_KEY && issuer->keys && !ctx->refreshed) {

        /* a key that was made lately? */

        ctx->refreshed = 1;

        rc = ngx_gw_keys_unknown(ctx->gamcf->worker->keys[issuer->index]);

        if (rc == NGX_AGAIN) {
            return ngx_http_gw_auth_wait_keys(ctx, issuer);
        }

        jwks = ngx_http_gw_auth_keys(ctx, issuer, generation);

        if (rc == NGX_OK && jwks) {
            reason = gw_jwt_verify(&ctx->jwt, jwks, issuer->algs);
        }
    }

    if (reason == GW_JWT_BAD_SIGNATURE) {
        ngx_http_gw_auth_remember(ctx, issuer, *generation, reason);
    }

    return reason;
}


ngx_uint_t
ngx_http_gw_auth_parse(ngx_http_gw_auth_ctx_t *ctx)
{
    gw_jwt_status_e  status;

    if (ctx->parsed) {
        return GW_JWT_OK;
    }

    status = gw_jwt_parse(&ctx->jwt, (char *) ctx->credential.data,
                          ctx->credential.len);

    if (status != GW_JWT_OK) {
        gw_jwt_free(&ctx->jwt);
        return status;
    }

    ctx->parsed = 1;

    return GW_JWT_OK;
}


const gw_jwks_t *
ngx_http_gw_auth_keys(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *provider, uint64_t *generation)
{
    if (provider->keys == NULL) {
        *generation = 0;
        return provider->jwks;
    }

    return ngx_gw_keys_get(ctx->gamcf->worker->keys[provider->index],
                           generation);
}


static ngx_int_t
ngx_http_gw_auth_wait_keys(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *issuer)
{
    if (ctx->late) {
        return NGX_HTTP_GW_AUTH_NO_KEYS;
    }

    ngx_http_gw_wait_init(&ctx->wait, ctx->request);

    ctx->keys.handler = ngx_http_gw_auth_keys_handler;
    ctx->keys.data = ctx;

    ngx_gw_keys_wait(ctx->gamcf->worker->keys[issuer->index], &ctx->keys);

    return ngx_http_gw_auth_suspend(ctx, issuer->timeout);
}


static void
ngx_http_gw_auth_keys_handler(ngx_gw_keys_wait_t *wait)
{
    ngx_http_gw_auth_ctx_t  *ctx = wait->data;

    ngx_http_gw_wait_wake(&ctx->wait);
}
