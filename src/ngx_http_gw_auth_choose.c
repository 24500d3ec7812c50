
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_steps.h"


#define NGX_HTTP_GW_AUTH_REFUSED  10       /* s, a bad signature is known */


static ngx_int_t ngx_http_gw_auth_claimed(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_list_t *list);
static ngx_uint_t ngx_http_gw_auth_is_jwt(const ngx_str_t *credential);


/*
 * GW_JWT_OK: the identity zone knows the credential; NGX_DECLINED:
 * ctx->provider has to find out; or a reason.  A token is parsed only if the
 * zone does not know it with a provider that stands before any which claims
 * every credential.
 */

ngx_int_t
ngx_http_gw_auth_choose(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_list_t *list)
{
    ngx_int_t                            rc;
    ngx_uint_t                           i, jwt;
    uint64_t                             generation;
    const ngx_http_gw_auth_provider_t  **provider;

    if (gw_identity_digest(&(gw_str_t) { ctx->credential.len,
                                         (char *) ctx->credential.data },
                           ctx->digest)
        != GW_OK)
    {
        return GW_JWT_UNAVAILABLE;
    }

    jwt = 0;
    provider = list->providers.elts;

    for (i = 0; i < list->providers.nelts; i++) {

        if (!ngx_http_gw_auth_accepts(provider[i], ctx->source)) {
            continue;
        }

        if (provider[i]->kind != NGX_HTTP_GW_AUTH_JWT) {

            if (jwt && ngx_http_gw_auth_is_jwt(&ctx->credential)) {
                break;
            }

            rc = ngx_http_gw_auth_lookup(ctx, provider[i], 0);
            ctx->provider = provider[i];

            return rc;
        }

        jwt = 1;

        if (ngx_http_gw_auth_keys(ctx, provider[i], &generation) == NULL) {
            continue;
        }

        rc = ngx_http_gw_auth_lookup(ctx, provider[i], generation);

        if (rc != NGX_DECLINED) {
            ctx->provider = provider[i];
            return rc;
        }
    }

    return jwt ? ngx_http_gw_auth_claimed(ctx, list)
               : NGX_HTTP_GW_AUTH_NO_PROVIDER;
}


/* by "iss", or by a provider that claims everything; the zone is asked too */

static ngx_int_t
ngx_http_gw_auth_claimed(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_list_t *list)
{
    ngx_uint_t                           i, reason;
    const ngx_http_gw_auth_provider_t  **provider;

    reason = ngx_http_gw_auth_parse(ctx);

    if (reason == GW_JWT_UNAVAILABLE) {
        return reason;
    }

    provider = list->providers.elts;

    for (i = 0; i < list->providers.nelts; i++) {

        if (!ngx_http_gw_auth_accepts(provider[i], ctx->source)) {
            continue;
        }

        if (provider[i]->kind != NGX_HTTP_GW_AUTH_JWT) {
            ctx->provider = provider[i];
            return ngx_http_gw_auth_lookup(ctx, provider[i], 0);
        }

        if (reason == GW_JWT_OK
            && ngx_http_gw_auth_issued(&ctx->jwt, provider[i]))
        {
            ctx->provider = provider[i];
            return NGX_DECLINED;
        }
    }

    return (reason == GW_JWT_OK) ? GW_JWT_WRONG_ISSUER : reason;
}


ngx_uint_t
ngx_http_gw_auth_accepts(const ngx_http_gw_auth_provider_t *provider,
    const ngx_http_gw_auth_source_t *source)
{
    ngx_uint_t                        i;
    const ngx_http_gw_auth_source_t  *s;

    s = provider->sources.elts;

    for (i = 0; i < provider->sources.nelts; i++) {
        if (ngx_http_gw_auth_credential_same(&s[i], source)) {
            return 1;
        }
    }

    return 0;
}


/* by its two dots */

static ngx_uint_t
ngx_http_gw_auth_is_jwt(const ngx_str_t *credential)
{
    u_char      *p, *last;
    ngx_uint_t   n;

    p = credential->data;
    last = p + credential->len;

    for (n = 0; p && n < 3; n++) {
        p = ngx_strlchr(p, last, '.');

        if (p) {
            p++;
        }
    }

    return p == NULL && n == 3;
}


ngx_uint_t
ngx_http_gw_auth_issued(const gw_jwt_t *jwt,
    const ngx_http_gw_auth_provider_t *provider)
{
    const gw_str_t  *issuer;

    issuer = &provider->rules.issuer;

    return jwt->iss.len == issuer->len
           && ngx_memcmp(jwt->iss.data, issuer->data, issuer->len) == 0;
}


ngx_int_t
ngx_http_gw_auth_lookup(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *provider, uint64_t generation)
{
    char    buf[GW_CACHE_MAX];
    size_t  len;
    u_char  key[GW_IDENTITY_DIGEST];

    if (ctx->gamcf->cache == NULL
        || gw_identity_key(provider->digest, generation, ctx->digest, key)
           != GW_OK
        || ngx_gw_cache_get(ctx->gamcf->cache, NGX_GW_CACHE_IDENTITIES, key,
                            buf, sizeof(buf), &len)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return ngx_http_gw_auth_unpack(ctx, buf, len);
}


ngx_int_t
ngx_http_gw_auth_unpack(ngx_http_gw_auth_ctx_t *ctx, const char *packed,
    size_t len)
{
    char  *p;

    p = ngx_palloc(ctx->request->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, packed, len);

    if (gw_identity_unpack(&ctx->identity, p, len) != GW_OK) {
        return NGX_DECLINED;
    }

    return GW_JWT_OK;
}


void
ngx_http_gw_auth_store(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *provider, uint64_t generation)
{
    char    buf[GW_CACHE_MAX];
    size_t  len;
    u_char  key[GW_IDENTITY_DIGEST];

    if (ctx->gamcf->cache == NULL
        || gw_identity_pack(&ctx->identity, buf, sizeof(buf), &len) != GW_OK
        || gw_identity_key(provider->digest, generation, ctx->digest, key)
           != GW_OK)
    {
        return;
    }

    (void) ngx_gw_cache_put(ctx->gamcf->cache, NGX_GW_CACHE_IDENTITIES, key,
                            ctx->identity.expires, buf, len);
}


/* the reason why it was refused a moment ago, GW_JWT_OK if it was not */

ngx_uint_t
ngx_http_gw_auth_refusal(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *provider, uint64_t generation)
{
    size_t    len;
    u_char    key[GW_IDENTITY_DIGEST];
    uint32_t  reason;

    if (ctx->gamcf->cache == NULL
        || gw_identity_key(provider->digest, generation, ctx->digest, key)
           != GW_OK
        || ngx_gw_cache_get(ctx->gamcf->cache, NGX_GW_CACHE_REFUSALS, key,
                            &reason, sizeof(reason), &len)
           != NGX_OK
        || len != sizeof(reason))
    {
        return GW_JWT_OK;
    }

    return reason;
}


void
ngx_http_gw_auth_remember(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *provider, uint64_t generation,
    uint32_t reason)
{
    u_char  key[GW_IDENTITY_DIGEST];

    if (ctx->gamcf->cache == NULL
        || gw_identity_key(provider->digest, generation, ctx->digest, key)
           != GW_OK)
    {
        return;
    }

    (void) ngx_gw_cache_put(ctx->gamcf->cache, NGX_GW_CACHE_REFUSALS, key,
                            ngx_time() + NGX_HTTP_GW_AUTH_REFUSED, &reason,
                            sizeof(reason));
}
