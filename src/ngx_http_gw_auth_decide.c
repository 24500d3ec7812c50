
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_steps.h"
#include "gw_json.h"
#include "ngx_http_gw_auth_answer.h"
#include "ngx_http_gw_auth_state.h"
#include "ngx_http_gw_auth_worker.h"


/*
 * The way of a request, each step at most once:
 *
 *     choose      which provider of the location claims the credential;
 *                 if the identity zone knows it there: check
 *     local       a JWT: parse, verify, identify; waits if there are no keys
 *                 yet, or once for newer ones
 *     remote      ask, and wait for the answer; if nobody answers: fallback
 *     fallback    local, with the keys of another provider
 *     check       times, revocations, the policy of the location; waits if
 *                 the revocations have not been read yet
 *
 * A wait ends with the answer or with a deadline: that of the ask itself, or
 * ctx->deadline.  Then ngx_http_gw_auth_decide() is called again and goes on
 * where the flags tell; "pending" is what distinguishes this from another
 * pass of the access phase.
 */


static ngx_uint_t ngx_http_gw_auth_admits(const ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_list_t *list);
static void ngx_http_gw_auth_reset(ngx_http_gw_auth_ctx_t *ctx);
static ngx_int_t ngx_http_gw_auth_authenticate(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf);
static ngx_uint_t ngx_http_gw_auth_is_token(const ngx_str_t *credential);
static ngx_int_t ngx_http_gw_auth_remote(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf);
static ngx_int_t ngx_http_gw_auth_fallback(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf);
static void ngx_http_gw_auth_waiter_handler(
    ngx_http_gw_auth_waiter_t *waiter, ngx_uint_t reason, const char *packed,
    size_t len);
static void ngx_http_gw_auth_deadline_handler(ngx_event_t *ev);


ngx_int_t
ngx_http_gw_auth_decide(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf)
{
    ngx_int_t  rc;

    if (ctx->pending) {
        ctx->pending = 0;

    } else if (!ngx_http_gw_auth_admits(ctx, gacf->auth)) {
        ngx_http_gw_auth_reset(ctx);
    }

    rc = GW_JWT_OK;

    if (!ctx->identified) {
        rc = ngx_http_gw_auth_authenticate(ctx, gacf);
    }

    if (rc == GW_JWT_OK) {
        ctx->identified = 1;
        rc = ngx_http_gw_auth_check(ctx, gacf);
    }

    if (rc == NGX_AGAIN) {
        return rc;
    }

    if (rc == NGX_ERROR
        || ngx_http_gw_auth_reason_status(rc) == NGX_HTTP_UNAUTHORIZED
        || ngx_http_gw_auth_reason_status(rc) == NGX_HTTP_SERVICE_UNAVAILABLE)
    {
        ctx->identified = 0;
    }

    ngx_http_gw_auth_forget(ctx);

    return rc;
}


void
ngx_http_gw_auth_forget(ngx_http_gw_auth_ctx_t *ctx)
{
    ngx_http_gw_auth_ask_cancel(&ctx->waiter);
    ngx_gw_keys_cancel(&ctx->keys);
    ngx_gw_revocations_cancel(&ctx->revocations);

    if (ctx->deadline.timer_set) {
        ngx_del_timer(&ctx->deadline);
    }

    ngx_http_gw_wait_cancel(&ctx->wait);

    ctx->pending = 0;
}


struct json_t *
ngx_http_gw_auth_claims(ngx_http_gw_auth_ctx_t *ctx)
{
    if (!ctx->identified || ctx->identity.claims.len == 0) {
        return NULL;
    }

    if (ctx->parsed && ctx->identity.claims.data == ctx->jwt.payload.data) {
        return ctx->jwt.claims;
    }

    if (ctx->claims == NULL) {
        ctx->claims = gw_json_object(ctx->identity.claims.data,
                                     ctx->identity.claims.len);
    }

    return ctx->claims;
}


/* what an earlier pass found out holds, if this location trusts its source */

static ngx_uint_t
ngx_http_gw_auth_admits(const ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_list_t *list)
{
    ngx_uint_t                           i;
    const ngx_http_gw_auth_provider_t  **provider;

    if (!ctx->identified || ctx->identity.degraded) {
        return 0;
    }

    provider = list->providers.elts;

    for (i = 0; i < list->providers.nelts; i++) {
        if (provider[i] == ctx->provider) {
            return 1;
        }

        /* it claims whatever comes from there, and was not asked */

        if (provider[i]->kind != NGX_HTTP_GW_AUTH_JWT
            && ngx_http_gw_auth_accepts(provider[i], ctx->source))
        {
            return 0;
        }
    }

    return 0;
}


static void
ngx_http_gw_auth_reset(ngx_http_gw_auth_ctx_t *ctx)
{
    ngx_http_gw_auth_forget(ctx);

    gw_json_free(ctx->claims);
    ctx->claims = NULL;

    ngx_memzero(&ctx->identity, sizeof(gw_identity_t));

    ctx->provider = NULL;
    ctx->seconds = 0;

    ctx->identified = 0;
    ctx->asked = 0;
    ctx->answered = 0;
    ctx->refreshed = 0;
    ctx->late = 0;
}


static ngx_int_t
ngx_http_gw_auth_authenticate(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf)
{
    ngx_int_t  rc;

    if (ctx->provider == NULL) {

        if (ctx->credential.len > NGX_HTTP_GW_AUTH_CREDENTIAL_MAX) {
            return GW_JWT_TOO_LONG;
        }

        rc = ngx_http_gw_auth_choose(ctx, gacf->auth);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (ctx->provider->kind == NGX_HTTP_GW_AUTH_JWT) {
        return ngx_http_gw_auth_local(ctx, ctx->provider);
    }

    if (ctx->provider->kind == NGX_HTTP_GW_AUTH_INTROSPECT && !ctx->asked) {

        if (!ngx_http_gw_auth_is_token(&ctx->credential)) {
            return GW_JWT_MALFORMED;
        }

        /* for upstreams, whatever the auth service thinks of it */

        if (gw_passport_is(&(gw_str_t) { ctx->credential.len,
                                         (char *) ctx->credential.data }))
        {
            return GW_JWT_BAD_TYPE;
        }
    }

    return ngx_http_gw_auth_remote(ctx, gacf);
}


/* RFC 6749, A.12, without the blank: nobody issued it, so nobody is asked */

static ngx_uint_t
ngx_http_gw_auth_is_token(const ngx_str_t *credential)
{
    ngx_uint_t  i;

    for (i = 0; i < credential->len; i++) {
        if (credential->data[i] < 0x21 || credential->data[i] > 0x7e) {
            return 0;
        }
    }

    return credential->len != 0;
}


static ngx_int_t
ngx_http_gw_auth_remote(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf)
{
    ngx_uint_t  reason;

    if (!ctx->asked) {

        ctx->asked = 1;

        reason = ngx_http_gw_auth_refusal(ctx, ctx->provider, 0);
        if (reason != GW_JWT_OK) {
            return reason;
        }

        ngx_http_gw_wait_init(&ctx->wait, ctx->request);

        ctx->waiter.handler = ngx_http_gw_auth_waiter_handler;
        ctx->waiter.data = ctx;

        /* may call the handler before it returns */

        if (ngx_http_gw_auth_ask(ctx->gamcf, ctx->provider,
                                 &ctx->credential, ctx->digest, &ctx->waiter)
            == NGX_OK)
        {
            return ngx_http_gw_auth_suspend(ctx, 0);
        }

        /* too many are asked about, or it is known to be down */
    }

    if (ctx->answered && ctx->answer != GW_JWT_UNAVAILABLE) {
        return ctx->answer;
    }

    return ngx_http_gw_auth_fallback(ctx, gacf);
}


/* nobody answers: a JWT can be verified here, anything else has to wait */

static ngx_int_t
ngx_http_gw_auth_fallback(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf)
{
    uint64_t                            generation;
    ngx_int_t                           rc;
    ngx_uint_t                          n;
    const ngx_http_gw_auth_provider_t  *issuer;

    if (ctx->provider->kind == NGX_HTTP_GW_AUTH_API_KEY) {
        return NGX_HTTP_GW_AUTH_NO_REDIS;
    }

    issuer = ctx->provider->fallback;

    if (issuer == NULL || !gacf->fallback) {
        return NGX_HTTP_GW_AUTH_NO_INTROSPECTION;
    }

    if (ngx_http_gw_auth_answer_inactive(ctx->gamcf, ctx->provider,
                                         &ctx->credential))
    {
        return GW_JWT_INACTIVE;
    }

    rc = NGX_DECLINED;

    if (ngx_http_gw_auth_keys(ctx, issuer, &generation)) {
        rc = ngx_http_gw_auth_lookup(ctx, ctx->provider,
                                     generation | NGX_HTTP_GW_AUTH_DEGRADED);
    }

    if (rc == NGX_DECLINED) {

        if (ngx_http_gw_auth_parse(ctx) != GW_JWT_OK
            || !ngx_http_gw_auth_issued(&ctx->jwt, issuer))
        {
            return NGX_HTTP_GW_AUTH_NO_INTROSPECTION;
        }

        rc = ngx_http_gw_auth_local(ctx, issuer);
    }

    if (rc == GW_JWT_UNKNOWN_KEY) {

        /* a key newer than those known here, for all that is known */

        return NGX_HTTP_GW_AUTH_NO_KEYS;
    }

    if (rc != GW_JWT_OK) {
        return rc;
    }

    ngx_http_gw_auth_count(ctx->gamcf, ctx->provider,
                           NGX_HTTP_GW_AUTH_C_FALLBACK);

    if (ngx_gw_log_pass(&ctx->gamcf->worker->log_stale, &n)) {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "gw auth: no answer by \"%V\", \"%V\" verified a "
                      "token instead, %ui more before",
                      &ctx->provider->name, &issuer->name, n);
    }

    return GW_JWT_OK;
}


ngx_int_t
ngx_http_gw_auth_suspend(ngx_http_gw_auth_ctx_t *ctx, ngx_msec_t patience)
{
    ctx->pending = 1;

    if (patience && !ctx->deadline.timer_set) {

        /* not cancelable: somebody waits */

        ctx->deadline.handler = ngx_http_gw_auth_deadline_handler;
        ctx->deadline.data = ctx;
        ctx->deadline.log = ctx->request->connection->log;

        ngx_add_timer(&ctx->deadline, patience);
    }

    return NGX_AGAIN;
}


static void
ngx_http_gw_auth_waiter_handler(ngx_http_gw_auth_waiter_t *waiter,
    ngx_uint_t reason, const char *packed, size_t len)
{
    ngx_http_gw_auth_ctx_t  *ctx = waiter->data;

    if (reason == GW_JWT_OK
        && ngx_http_gw_auth_unpack(ctx, packed, len) != GW_JWT_OK)
    {
        reason = GW_JWT_UNAVAILABLE;
    }

    ctx->answer = reason;
    ctx->answered = 1;

    ngx_http_gw_wait_wake(&ctx->wait);
}


static void
ngx_http_gw_auth_deadline_handler(ngx_event_t *ev)
{
    ngx_http_gw_auth_ctx_t  *ctx = ev->data;

    ctx->late = 1;

    ngx_gw_keys_cancel(&ctx->keys);
    ngx_gw_revocations_cancel(&ctx->revocations);

    ngx_http_gw_wait_wake(&ctx->wait);
}
