
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_steps.h"
#include "gw_claim.h"
#include "ngx_http_gw_auth_state.h"
#include "ngx_http_gw_auth_worker.h"


static ngx_int_t ngx_http_gw_auth_check_revoked(ngx_http_gw_auth_ctx_t *ctx);
static ngx_int_t ngx_http_gw_auth_check_policy(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf);
static ngx_uint_t ngx_http_gw_auth_satisfies(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_require_t *require);
static void ngx_http_gw_auth_revocations_handler(
    ngx_gw_revocations_wait_t *wait);


ngx_int_t
ngx_http_gw_auth_check(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf)
{
    int64_t    now;
    ngx_int_t  rc;

    now = ngx_time();

    switch (gw_identity_check(&ctx->identity, now)) {

    case GW_OK:
        break;

    case GW_AGAIN:
        ctx->seconds = ctx->identity.begins - now;
        return GW_JWT_NOT_YET_VALID;

    default: /* GW_DECLINED */
        ctx->seconds = now - ctx->identity.ends;
        return GW_JWT_EXPIRED;
    }

    rc = ngx_http_gw_auth_check_revoked(ctx);
    if (rc != GW_JWT_OK) {
        return rc;
    }

    return ngx_http_gw_auth_check_policy(ctx, gacf);
}


static ngx_int_t
ngx_http_gw_auth_check_revoked(ngx_http_gw_auth_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_uint_t             n;
    ngx_gw_revocations_t  *rv;

    rv = ctx->gamcf->worker->revocations;

    if (rv == NULL) {
        return GW_JWT_OK;
    }

    rc = ngx_gw_revocations_check(rv, ctx->identity.marks,
                                  ctx->identity.nmarks, ctx->identity.issued);

    if (rc == NGX_DECLINED) {
        ngx_http_gw_auth_count(ctx->gamcf, ctx->provider,
                               NGX_HTTP_GW_AUTH_C_REVOKED);

        return NGX_HTTP_GW_AUTH_REVOKED;
    }

    if (rc == NGX_ERROR) {
        return NGX_HTTP_GW_AUTH_NO_REVOCATIONS;
    }

    if (rc == NGX_OK) {
        return GW_JWT_OK;
    }

    /* rc == NGX_AGAIN: the list was never read */

    if (!ctx->late) {
        ngx_http_gw_wait_init(&ctx->wait, ctx->request);

        ctx->revocations.handler = ngx_http_gw_auth_revocations_handler;
        ctx->revocations.data = ctx;

        ngx_gw_revocations_wait(rv, &ctx->revocations);

        return ngx_http_gw_auth_suspend(ctx, NGX_HTTP_GW_AUTH_PATIENCE);
    }

    if (ctx->gamcf->revocations->deny) {
        return NGX_HTTP_GW_AUTH_NO_REVOCATIONS;
    }

    if (ngx_gw_log_pass(&ctx->gamcf->worker->log_revocations, &n)) {
        ngx_log_error(NGX_LOG_WARN, ctx->request->connection->log, 0,
                      "gw auth: passed without a list of revocations, "
                      "%ui more before", n);
    }

    return GW_JWT_OK;
}


/* on every pass and every hit: a verdict is never cached */

static ngx_int_t
ngx_http_gw_auth_check_policy(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf)
{
    ngx_uint_t                   i;
    ngx_http_gw_auth_require_t  *require;

    if (gacf->require == NULL) {
        return GW_JWT_OK;
    }

    require = gacf->require->elts;

    for (i = 0; i < gacf->require->nelts; i++) {

        if (!ngx_http_gw_auth_satisfies(ctx, &require[i])) {
            return require[i].scope ? NGX_HTTP_GW_AUTH_INSUFFICIENT_SCOPE
                                    : NGX_HTTP_GW_AUTH_INSUFFICIENT_CLAIM;
        }
    }

    return GW_JWT_OK;
}


static ngx_uint_t
ngx_http_gw_auth_satisfies(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_require_t *require)
{
    gw_str_t       *value;
    ngx_uint_t      i;
    struct json_t  *claims;

    value = require->values.elts;
    claims = require->scope ? NULL : ngx_http_gw_auth_claims(ctx);

    for (i = 0; i < require->values.nelts; i++) {

        if (require->scope) {
            if (gw_claim_word(&ctx->identity.scope, &value[i])) {
                return 1;
            }

        } else if (claims
                   && gw_claim_has(claims, (char *) require->name.data,
                                   &value[i]))
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_gw_auth_revocations_handler(ngx_gw_revocations_wait_t *wait)
{
    ngx_http_gw_auth_ctx_t  *ctx = wait->data;

    ngx_http_gw_wait_wake(&ctx->wait);
}
