
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "gw_claim.h"
#include "gw_json.h"
#include "ngx_http_gw_auth_conf.h"
#include "ngx_http_gw_auth_decide.h"
#include "ngx_http_gw_auth_keyring.h"
#include "ngx_http_gw_auth_passport.h"
#include "ngx_http_gw_auth_provider.h"
#include "ngx_http_gw_auth_refuse.h"
#include "ngx_http_gw_auth_state.h"
#include "ngx_http_gw_auth_worker.h"
#include "ngx_http_gw_metrics.h"
#include "ngx_http_gw_problem.h"
#include "ngx_http_gw_util.h"


typedef enum {
    NGX_HTTP_GW_AUTH_SUBJECT = 0,
    NGX_HTTP_GW_AUTH_TIER,
    NGX_HTTP_GW_AUTH_SCOPE,
    NGX_HTTP_GW_AUTH_CLIENT
} ngx_http_gw_auth_field_e;


static ngx_int_t ngx_http_gw_auth_post_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_auth_hide(ngx_http_request_t *r);
static void ngx_http_gw_auth_hide_handler(void *data);
static ngx_int_t ngx_http_gw_auth_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_auth_strip(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_auth_access_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_auth_precontent_handler(ngx_http_request_t *r);
static ngx_http_gw_auth_ctx_t *ngx_http_gw_auth_create_ctx(
    ngx_http_request_t *r);
static ngx_http_gw_auth_ctx_t *ngx_http_gw_auth_get_ctx(
    ngx_http_request_t *r);
static void ngx_http_gw_auth_cleanup(void *data);
static ngx_int_t ngx_http_gw_auth_look(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf);
static ngx_int_t ngx_http_gw_auth_finish(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf, ngx_uint_t reason);
static ngx_int_t ngx_http_gw_auth_add_passport(ngx_http_request_t *r,
    ngx_http_gw_auth_ctx_t *ctx, const ngx_http_gw_auth_conf_t *gacf);
static ngx_int_t ngx_http_gw_auth_jwks_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_auth_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_auth_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_gw_auth_identity_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_auth_claim_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_auth_degraded_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_auth_metrics_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_auth_passport_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_auth_provider_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_auth_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_auth_set_variable(ngx_http_variable_value_t *v,
    const ngx_str_t *value);
static ngx_int_t ngx_http_gw_auth_add_variables(ngx_conf_t *cf);
static char *ngx_http_gw_auth_passport_jwks(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_gw_auth_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_gw_auth_init_process(ngx_cycle_t *cycle);
static void ngx_http_gw_auth_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_gw_auth_commands[] = {

    { ngx_string("gw_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_gw_auth_conf_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_auth_fallback"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_auth_conf_t, fallback),
      NULL },

    { ngx_string("gw_auth_forward"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_auth_conf_t, forward),
      NULL },

    { ngx_string("gw_auth_provider"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_gw_auth_provider,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_auth_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_gw_auth_conf_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_auth_require"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_gw_auth_conf_require,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_auth_revocations"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_gw_auth_conf_revocations,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_auth_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_gw_auth_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_gw_metrics,
      0,
      0,
      NULL },

    { ngx_string("gw_passport"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_http_gw_auth_conf_passport,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_passport_claim"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_gw_auth_conf_claim,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_passport_header"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gw_auth_conf_header,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_passport_jwks"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_gw_auth_passport_jwks,
      0,
      0,
      NULL },

    { ngx_string("gw_passport_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE23,
      ngx_http_gw_auth_conf_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_gw_auth_module_ctx = {
    ngx_http_gw_auth_add_variables,     /* preconfiguration */
    ngx_http_gw_auth_init,              /* postconfiguration */

    ngx_http_gw_auth_conf_create_main,  /* create main configuration */
    ngx_http_gw_auth_conf_init_main,    /* init main configuration */

    NULL,                               /* create server configuration */
    NULL,                               /* merge server configuration */

    ngx_http_gw_auth_conf_create,       /* create location configuration */
    ngx_http_gw_auth_conf_merge         /* merge location configuration */
};


ngx_module_t  ngx_http_gw_auth_module = {
    NGX_MODULE_V1,
    &ngx_http_gw_auth_module_ctx,       /* module context */
    ngx_http_gw_auth_commands,          /* module directives */
    NGX_HTTP_MODULE,                    /* module type */
    NULL,                               /* init master */
    NULL,                               /* init module */
    ngx_http_gw_auth_init_process,      /* init process */
    NULL,                               /* init thread */
    NULL,                               /* exit thread */
    ngx_http_gw_auth_exit_process,      /* exit process */
    NULL,                               /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_gw_auth_vars[] = {

    { ngx_string("gw_auth_degraded"), NULL,
      ngx_http_gw_auth_degraded_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_auth_metrics"), NULL,
      ngx_http_gw_auth_metrics_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_auth_provider"), NULL,
      ngx_http_gw_auth_provider_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_auth_status"), NULL,
      ngx_http_gw_auth_status_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_claim_"), NULL,
      ngx_http_gw_auth_claim_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

    { ngx_string("gw_client"), NULL,
      ngx_http_gw_auth_identity_variable, NGX_HTTP_GW_AUTH_CLIENT,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_passport"), NULL,
      ngx_http_gw_auth_passport_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_scope"), NULL,
      ngx_http_gw_auth_identity_variable, NGX_HTTP_GW_AUTH_SCOPE,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_subject"), NULL,
      ngx_http_gw_auth_identity_variable, NGX_HTTP_GW_AUTH_SUBJECT,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_tier"), NULL,
      ngx_http_gw_auth_identity_variable, NGX_HTTP_GW_AUTH_TIER,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_http_gw_auth_header_t  ngx_http_gw_auth_x_passport = {
    ngx_string("X-Passport"),
    ngx_string("x-passport")
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


/* nobody but us says who calls, whether auth is on or off */

static ngx_int_t
ngx_http_gw_auth_post_read_handler(ngx_http_request_t *r)
{
    ngx_int_t  n;

    n = ngx_http_gw_auth_strip(r);

    if (n == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (n) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "gw auth: client sent %i headers that carry passports, "
                      "removed", n);
    }

    if (r == r->main && r->args.len && ngx_http_gw_auth_hide(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/*
 * Logs have the request line, and may have $args: also of a request that ends
 * before or while it is authenticated.
 */

static ngx_int_t
ngx_http_gw_auth_hide(ngx_http_request_t *r)
{
    ngx_uint_t                      i, j, n;
    ngx_http_cleanup_t             *cln;
    ngx_http_gw_auth_source_t      *source;
    ngx_http_gw_auth_provider_t   **provider;
    ngx_http_gw_auth_main_conf_t   *gamcf;

    gamcf = ngx_http_get_module_main_conf(r, ngx_http_gw_auth_module);

    n = 0;
    provider = gamcf->providers.elts;

    for (i = 0; i < gamcf->providers.nelts; i++) {
        source = provider[i]->sources.elts;

        for (j = 0; j < provider[i]->sources.nelts; j++) {
            if (source[j].place == NGX_HTTP_GW_AUTH_QUERY) {
                ngx_http_gw_auth_credential_mask(r, &source[j]);
                n++;
            }
        }
    }

    if (n == 0) {
        return NGX_OK;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_gw_auth_hide_handler;
    cln->data = r;

    return NGX_OK;
}


/* before the log phase; no upstream is left that could need it */

static void
ngx_http_gw_auth_hide_handler(void *data)
{
    ngx_http_request_t *r = data;

    ngx_uint_t                      i, j;
    ngx_http_gw_auth_source_t      *source;
    ngx_http_gw_auth_provider_t   **provider;
    ngx_http_gw_auth_main_conf_t   *gamcf;

    gamcf = ngx_http_get_module_main_conf(r, ngx_http_gw_auth_module);
    provider = gamcf->providers.elts;

    for (i = 0; i < gamcf->providers.nelts; i++) {
        source = provider[i]->sources.elts;

        for (j = 0; j < provider[i]->sources.nelts; j++) {
            if (source[j].place == NGX_HTTP_GW_AUTH_QUERY) {
                (void) ngx_http_gw_auth_credential_remove(r, &source[j]);
            }
        }
    }
}


/*
 * On a later pass: removes the passport of the one before, and what the
 * client sent in a request that nginx refused while it read the header: an
 * error_page brings it here, but it was never in the post-read phase.
 */

static ngx_int_t
ngx_http_gw_auth_preaccess_handler(ngx_http_request_t *r)
{
    ngx_http_gw_auth_ctx_t  *ctx;

    if (r != r->main || !r->internal) {
        return NGX_DECLINED;
    }

    if (ngx_http_gw_auth_strip(r) == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_gw_auth_get_ctx(r);

    if (ctx) {
        ngx_str_null(&ctx->passport);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_gw_auth_strip(ngx_http_request_t *r)
{
    ngx_int_t                      n, rc;
    ngx_uint_t                     i;
    ngx_http_gw_auth_header_t     *h;
    ngx_http_gw_auth_main_conf_t  *gamcf;

    gamcf = ngx_http_get_module_main_conf(r, ngx_http_gw_auth_module);

    h = gamcf->headers.elts;
    n = 0;

    for (i = 0; i < gamcf->headers.nelts; i++) {

        rc = ngx_http_gw_header_unlink(r, &h[i].lowcase);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        n += rc;
    }

    return n;
}


static ngx_int_t
ngx_http_gw_auth_access_handler(ngx_http_request_t *r)
{
    ngx_int_t                       rc;
    ngx_http_gw_auth_ctx_t         *ctx;
    const ngx_http_gw_auth_conf_t  *gacf;

    gacf = ngx_http_get_module_loc_conf(r, ngx_http_gw_auth_module);

    if (gacf->auth == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_gw_auth_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_gw_auth_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ctx->pending && ctx->wait.waiting) {
        /* woken by something else than the answer */
        return NGX_AGAIN;
    }

    if (!ctx->pending) {

        rc = ngx_http_gw_auth_look(ctx, gacf);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    /* an answer may be there before it is waited for */

    do {
        rc = ngx_http_gw_auth_decide(ctx, gacf);
    } while (rc == NGX_AGAIN && ctx->wait.done);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_AGAIN && !r->filter_finalize) {

        rc = ngx_http_gw_wait_park(&ctx->wait);

        if (rc != NGX_AGAIN) {
            ngx_http_gw_auth_forget(ctx);
        }

        return rc;
    }

    if (rc == NGX_AGAIN) {

        /* the error page of a filter can't wait */

        ngx_http_gw_auth_forget(ctx);
        ctx->identified = 0;
        rc = GW_JWT_UNAVAILABLE;
    }

    return ngx_http_gw_auth_finish(ctx, gacf, rc);
}


/* on every pass: another location has another audience, or none */

static ngx_int_t
ngx_http_gw_auth_precontent_handler(ngx_http_request_t *r)
{
    ngx_http_gw_auth_ctx_t         *ctx;
    const ngx_http_gw_auth_conf_t  *gacf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_gw_auth_get_ctx(r);

    if (ctx == NULL) {
        return NGX_DECLINED;
    }

    if (ctx->problem.status
        && ngx_http_get_module_ctx(r, ngx_http_gw_auth_module))
    {
        /* not redirected since: somebody else let it in ("satisfy any") */

        ngx_http_gw_auth_refuse_withdraw(ctx);
    }

    ctx->problem.status = 0;

    gacf = ngx_http_get_module_loc_conf(r, ngx_http_gw_auth_module);

    if (gacf->auth == NULL || ctx->source == NULL) {
        return NGX_DECLINED;
    }

    if (!gacf->forward
        && ngx_http_gw_auth_credential_remove(r, ctx->source) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (gacf->passport == NULL || !ctx->identified
        || ctx->reason != GW_JWT_OK)
    {
        return NGX_DECLINED;
    }

    return ngx_http_gw_auth_add_passport(r, ctx, gacf);
}


static ngx_http_gw_auth_ctx_t *
ngx_http_gw_auth_create_ctx(ngx_http_request_t *r)
{
    ngx_http_gw_auth_ctx_t  *ctx;

    ctx = ngx_http_gw_state_create(r, &ngx_http_gw_auth_module,
                                   sizeof(ngx_http_gw_auth_ctx_t),
                                   ngx_http_gw_auth_cleanup);
    if (ctx == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->gamcf = ngx_http_get_module_main_conf(r, ngx_http_gw_auth_module);
    ctx->reason = NGX_HTTP_GW_AUTH_NOBODY;

    return ctx;
}


static ngx_http_gw_auth_ctx_t *
ngx_http_gw_auth_get_ctx(ngx_http_request_t *r)
{
    return ngx_http_gw_state_get(r, &ngx_http_gw_auth_module,
                                 ngx_http_gw_auth_cleanup);
}


static void
ngx_http_gw_auth_cleanup(void *data)
{
    ngx_http_gw_auth_ctx_t  *ctx = data;

    ngx_http_gw_auth_forget(ctx);

    gw_jwt_free(&ctx->jwt);
    gw_json_free(ctx->claims);
}


/*
 * Finds the credential, once: it is removed before a second pass.  NGX_OK if
 * there is one, else what the handler returns.
 */

static ngx_int_t
ngx_http_gw_auth_look(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf)
{
    ngx_int_t                         rc;
    ngx_uint_t                        i;
    ngx_http_gw_auth_source_t        *source;
    const ngx_http_gw_auth_source_t  *found;

    source = gacf->auth->sources.elts;

    for (i = 0; ctx->source && i < gacf->auth->sources.nelts; i++) {
        if (ngx_http_gw_auth_credential_same(&source[i], ctx->source)) {
            return NGX_OK;
        }
    }

    rc = ngx_http_gw_auth_credential_find(ctx->request, &gacf->auth->sources,
                                          &ctx->credential, &found);

    switch (rc) {

    case NGX_OK:
        ctx->source = found;
        ctx->identified = 0;
        ctx->parsed = 0;
        gw_jwt_free(&ctx->jwt);

        return NGX_OK;

    case NGX_DECLINED:
        break;

    case NGX_BUSY:
        return ngx_http_gw_auth_finish(ctx, gacf, NGX_HTTP_GW_AUTH_SEVERAL);

    default: /* NGX_ERROR */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->source = NULL;
    ctx->identified = 0;

    if (gacf->auth->optional && gacf->require == NULL) {
        ctx->reason = NGX_HTTP_GW_AUTH_MISSING;
        return NGX_DECLINED;
    }

    return ngx_http_gw_auth_finish(ctx, gacf, NGX_HTTP_GW_AUTH_MISSING);
}


static ngx_int_t
ngx_http_gw_auth_finish(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf, ngx_uint_t reason)
{
    ngx_uint_t                  i;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_gw_auth_source_t  *source;

    ctx->reason = reason;

    ngx_http_gw_auth_count_decision(ctx->gamcf, ctx->provider, reason);

    if (reason == GW_JWT_OK) {
        return NGX_OK;
    }

    clcf = ngx_http_get_module_loc_conf(ctx->request, ngx_http_core_module);

    if (clcf->satisfy == NGX_HTTP_SATISFY_ANY) {

        /* somebody else may let it in, as nobody: after a 403, too */

        ctx->identified = 0;
    }

    /* $args and $request_uri are logged, a header is only if asked for */

    source = gacf->auth->sources.elts;

    for (i = 0; i < gacf->auth->sources.nelts && !gacf->forward; i++) {

        if (source[i].place == NGX_HTTP_GW_AUTH_QUERY
            && ngx_http_gw_auth_credential_remove(ctx->request, &source[i])
               != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_gw_auth_refuse(ctx, gacf, reason);
}


static ngx_int_t
ngx_http_gw_auth_add_passport(ngx_http_request_t *r,
    ngx_http_gw_auth_ctx_t *ctx, const ngx_http_gw_auth_conf_t *gacf)
{
    ngx_int_t                   rc;
    ngx_str_t                   token;
    ngx_http_gw_auth_header_t  *header;

    rc = ngx_http_gw_auth_passport(ctx, gacf, &token);

    if (rc == NGX_DECLINED) {

        /* claims so large that no passport holds them */

        return ngx_http_gw_auth_finish(ctx, gacf, GW_JWT_BAD_CLAIM);
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    header = gacf->header ? gacf->header : &ngx_http_gw_auth_x_passport;

    if (ngx_http_gw_header_add(r, &header->name, &header->lowcase, &token)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->passport = token;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_gw_auth_jwks_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc;
    ngx_buf_t                     *b;
    ngx_str_t                      cache = ngx_string("public, max-age=300");
    ngx_chain_t                    out;
    ngx_http_gw_auth_main_conf_t  *gamcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    gamcf = ngx_http_get_module_main_conf(r, ngx_http_gw_auth_module);

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = gamcf->jwks.len;

    ngx_str_set(&r->headers_out.content_type, "application/jwk-set+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_gw_header_out(r, "Cache-Control", &cache) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = gamcf->jwks.data;
    b->last = gamcf->jwks.data + gamcf->jwks.len;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_gw_auth_header_filter(ngx_http_request_t *r)
{
    ngx_http_gw_fetch_t     *f;
    ngx_http_gw_auth_ctx_t  *ctx;

    f = ngx_http_gw_fetch_get(r);

    if (f) {
        return ngx_http_gw_fetch_header(r, f);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_gw_auth_module);

    if (ctx && ctx->problem.status
        && ngx_http_gw_problem_header(r, &ctx->problem) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_gw_auth_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_gw_fetch_t     *f;
    ngx_http_gw_auth_ctx_t  *ctx;

    f = ngx_http_gw_fetch_get(r);

    if (f) {
        return ngx_http_gw_fetch_body(r, f, in);
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_gw_auth_module);

    if (ctx && ctx->problem.status
        && ngx_http_gw_problem_body(r, &ctx->problem, in, &in) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_body_filter(r, in);
}


static ngx_int_t
ngx_http_gw_auth_identity_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                value;
    const gw_str_t          *s;
    ngx_http_gw_auth_ctx_t  *ctx;

    ctx = ngx_http_gw_auth_get_ctx(r->main);

    if (ctx == NULL || !ctx->identified) {
        return ngx_http_gw_auth_set_variable(v, NULL);
    }

    switch (data) {

    case NGX_HTTP_GW_AUTH_SUBJECT:
        s = &ctx->identity.subject;
        break;

    case NGX_HTTP_GW_AUTH_TIER:
        s = &ctx->identity.tier;
        break;

    case NGX_HTTP_GW_AUTH_SCOPE:
        s = &ctx->identity.scope;
        break;

    default: /* NGX_HTTP_GW_AUTH_CLIENT */
        s = &ctx->identity.client;
        break;
    }

    value.len = s->len;
    value.data = (u_char *) s->data;

    return ngx_http_gw_auth_set_variable(v, &value);
}


static ngx_int_t
ngx_http_gw_auth_claim_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t *name = (ngx_str_t *) data;

    u_char                  *p;
    size_t                   prefix, size;
    ngx_str_t                value;
    struct json_t           *claims;
    ngx_http_gw_auth_ctx_t  *ctx;

    ctx = ngx_http_gw_auth_get_ctx(r->main);
    claims = ctx ? ngx_http_gw_auth_claims(ctx) : NULL;

    if (claims == NULL) {
        return ngx_http_gw_auth_set_variable(v, NULL);
    }

    /* a claim is not longer than all of them; its name needs a NUL */

    prefix = sizeof("gw_claim_") - 1;
    size = ctx->identity.claims.len;

    p = ngx_pnalloc(r->pool, size + name->len - prefix + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(p + size, name->data + prefix, name->len - prefix + 1);

    value.data = p;

    if (gw_claim_text(claims, (const char *) p + size, (char *) p, size,
                      &value.len)
        != GW_OK)
    {
        return ngx_http_gw_auth_set_variable(v, NULL);
    }

    return ngx_http_gw_auth_set_variable(v, &value);
}


/* "1" if a fallback decided */

static ngx_int_t
ngx_http_gw_auth_degraded_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                value;
    ngx_http_gw_auth_ctx_t  *ctx;

    ctx = ngx_http_gw_auth_get_ctx(r->main);

    if (ctx == NULL || !ctx->identified) {
        return ngx_http_gw_auth_set_variable(v, NULL);
    }

    value.len = 1;
    value.data = (u_char *) (ctx->identity.degraded ? "1" : "0");

    return ngx_http_gw_auth_set_variable(v, &value);
}


static ngx_int_t
ngx_http_gw_auth_metrics_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  value;

    if (ngx_http_gw_auth_metrics(r, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_gw_auth_set_variable(v, &value);
}


static ngx_int_t
ngx_http_gw_auth_passport_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_gw_auth_ctx_t  *ctx;

    ctx = ngx_http_gw_auth_get_ctx(r->main);

    return ngx_http_gw_auth_set_variable(v, ctx ? &ctx->passport : NULL);
}


static ngx_int_t
ngx_http_gw_auth_provider_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_gw_auth_ctx_t  *ctx;

    ctx = ngx_http_gw_auth_get_ctx(r->main);

    if (ctx == NULL || !ctx->identified) {
        return ngx_http_gw_auth_set_variable(v, NULL);
    }

    return ngx_http_gw_auth_set_variable(v, &ctx->provider->name);
}


static ngx_int_t
ngx_http_gw_auth_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                value;
    ngx_http_gw_auth_ctx_t  *ctx;

    ctx = ngx_http_gw_auth_get_ctx(r->main);

    if (ctx == NULL || ctx->reason == NGX_HTTP_GW_AUTH_NOBODY) {
        return ngx_http_gw_auth_set_variable(v, NULL);
    }

    value.data = (u_char *) ngx_http_gw_auth_reason_name(ctx->reason);
    value.len = ngx_strlen(value.data);

    return ngx_http_gw_auth_set_variable(v, &value);
}


/* an empty value counts as none */

static ngx_int_t
ngx_http_gw_auth_set_variable(ngx_http_variable_value_t *v,
    const ngx_str_t *value)
{
    if (value == NULL || value->len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = value->len;
    v->data = value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_auth_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_gw_auth_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static char *
ngx_http_gw_auth_passport_jwks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_gw_auth_main_conf_t  *gamcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler) {
        return "is not compatible with another handler of the location";
    }

    clcf->handler = ngx_http_gw_auth_jwks_handler;

    gamcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gw_auth_module);
    gamcf->passport = 1;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_gw_auth_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    if (ngx_http_gw_auth_conf_find(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_POST_READ_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_gw_auth_post_read_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_gw_auth_preaccess_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_gw_auth_access_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_gw_auth_precontent_handler;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_gw_auth_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_gw_auth_body_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_auth_init_process(ngx_cycle_t *cycle)
{
    ngx_http_gw_auth_main_conf_t  *gamcf;

    gamcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_gw_auth_module);

    return gamcf ? ngx_http_gw_auth_worker_init(cycle, gamcf) : NGX_OK;
}


static void
ngx_http_gw_auth_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_gw_auth_main_conf_t  *gamcf;

    gamcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_gw_auth_module);

    if (gamcf) {
        ngx_http_gw_auth_worker_exit(gamcf);
    }
}
