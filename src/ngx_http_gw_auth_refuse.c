
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_refuse.h"
#include "ngx_http_gw_auth_state.h"
#include "ngx_http_gw_util.h"


#define NGX_HTTP_GW_AUTH_REALM  "Bearer realm=\"gateway\""


static void ngx_http_gw_auth_refuse_log(const ngx_http_gw_auth_ctx_t *ctx,
    ngx_uint_t reason);
static void ngx_http_gw_auth_refuse_problem(ngx_http_gw_auth_ctx_t *ctx,
    ngx_uint_t reason);
static ngx_int_t ngx_http_gw_auth_refuse_challenge(
    ngx_http_gw_auth_ctx_t *ctx, const ngx_http_gw_auth_conf_t *gacf,
    ngx_uint_t reason);
static ngx_int_t ngx_http_gw_auth_refuse_scope(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf, ngx_str_t *challenge);
static ngx_int_t ngx_http_gw_auth_refuse_retry(ngx_http_gw_auth_ctx_t *ctx);
static ngx_table_elt_t *ngx_http_gw_auth_refuse_header(ngx_http_request_t *r,
    ngx_table_elt_t **h, const char *name, ngx_str_t *value);


extern ngx_module_t  ngx_http_gw_auth_module;


ngx_int_t
ngx_http_gw_auth_refuse(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf, ngx_uint_t reason)
{
    ngx_int_t  rc;

    ngx_http_gw_auth_refuse_log(ctx, reason);
    ngx_http_gw_auth_refuse_problem(ctx, reason);
    ngx_http_gw_auth_refuse_withdraw(ctx);

    rc = (ctx->problem.status == NGX_HTTP_SERVICE_UNAVAILABLE)
         ? ngx_http_gw_auth_refuse_retry(ctx)
         : ngx_http_gw_auth_refuse_challenge(ctx, gacf, reason);

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* for the filters: an internal redirect may have cleared it before */

    ngx_http_set_ctx(ctx->request, ctx, ngx_http_gw_auth_module);

    return ctx->problem.status;
}


static void
ngx_http_gw_auth_refuse_log(const ngx_http_gw_auth_ctx_t *ctx,
    ngx_uint_t reason)
{
    u_char                              detail[NGX_MAX_ERROR_STR / 2], *p;
    u_char                             *last;
    const ngx_http_gw_auth_provider_t  *provider;

    p = detail;
    last = detail + sizeof(detail);

    switch (reason) {

    case GW_JWT_EXPIRED:
    case NGX_HTTP_GW_AUTH_TOO_OLD:
    case GW_JWT_NOT_YET_VALID:

        /* 0: not known, somebody else has refused it */

        if (ctx->seconds) {
            p = ngx_slprintf(p, last, " %s %L s",
                             reason == GW_JWT_NOT_YET_VALID ? "for" : "by",
                             ctx->seconds);
        }

        break;

    case GW_JWT_UNKNOWN_KEY:
        p = ngx_slprintf(p, last, ", kid \"%*s\"", ctx->jwt.kid.len,
                         ctx->jwt.kid.data);
        break;
    }

    provider = ctx->provider;

    if (provider) {
        p = ngx_slprintf(p, last, ", provider \"%V\"", &provider->name);
    }

    ngx_log_error(NGX_LOG_INFO, ctx->request->connection->log, 0,
                  "gw auth: refused: %s%*s",
                  ngx_http_gw_auth_reason_name(reason), p - detail, detail);
}


static void
ngx_http_gw_auth_refuse_problem(ngx_http_gw_auth_ctx_t *ctx,
    ngx_uint_t reason)
{
    ngx_http_gw_problem_t  *problem;

    problem = &ctx->problem;

    ngx_memzero(problem, sizeof(ngx_http_gw_problem_t));

    problem->status = ngx_http_gw_auth_reason_status(reason);

    switch (problem->status) {

    case NGX_HTTP_BAD_REQUEST:
        problem->title = "Bad Request";
        problem->detail = "The request carries more than one credential";
        break;

    case NGX_HTTP_FORBIDDEN:
        problem->title = "Forbidden";
        problem->detail = "The credential does not allow this request";
        break;

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        problem->title = "Service Unavailable";
        problem->detail = "The credential could not be checked";
        break;

    default: /* NGX_HTTP_UNAUTHORIZED */
        problem->title = "Unauthorized";
        problem->detail = (reason == NGX_HTTP_GW_AUTH_MISSING)
                          ? "A credential is required"
                          : "The credential is not valid";
        break;
    }
}


void
ngx_http_gw_auth_refuse_withdraw(ngx_http_gw_auth_ctx_t *ctx)
{
    if (ctx->challenge) {
        ctx->challenge->hash = 0;
    }

    if (ctx->retry_after) {
        ctx->retry_after->hash = 0;
    }
}


/* RFC 6750: no error code, if the client sent nothing */

static ngx_int_t
ngx_http_gw_auth_refuse_challenge(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf, ngx_uint_t reason)
{
    ngx_str_t         challenge;
    ngx_table_elt_t  *h;

    switch (reason) {

    case NGX_HTTP_GW_AUTH_MISSING:
        ngx_str_set(&challenge, NGX_HTTP_GW_AUTH_REALM);
        break;

    case NGX_HTTP_GW_AUTH_SEVERAL:
        ngx_str_set(&challenge, NGX_HTTP_GW_AUTH_REALM
                                ", error=\"invalid_request\"");
        break;

    case NGX_HTTP_GW_AUTH_INSUFFICIENT_SCOPE:
    case NGX_HTTP_GW_AUTH_INSUFFICIENT_CLAIM:

        if (ngx_http_gw_auth_refuse_scope(ctx, gacf, &challenge) != NGX_OK) {
            return NGX_ERROR;
        }

        break;

    default:
        ngx_str_set(&challenge, NGX_HTTP_GW_AUTH_REALM
                                ", error=\"invalid_token\"");
        break;
    }

    h = ngx_http_gw_auth_refuse_header(ctx->request, &ctx->challenge,
                                       "WWW-Authenticate", &challenge);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ctx->request->headers_out.www_authenticate = h;

    return NGX_OK;
}


/* the words that are asked for, the first of each set of alternatives */

static ngx_int_t
ngx_http_gw_auth_refuse_scope(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf, ngx_str_t *challenge)
{
    u_char                      *p;
    size_t                       len;
    gw_str_t                    *value;
    ngx_uint_t                   i;
    ngx_http_gw_auth_require_t  *require;

    require = gacf->require->elts;

    len = sizeof(NGX_HTTP_GW_AUTH_REALM
                 ", error=\"insufficient_scope\", scope=\"\"") - 1;

    for (i = 0; i < gacf->require->nelts; i++) {
        value = require[i].values.elts;
        len += value[0].len + 1;
    }

    p = ngx_pnalloc(ctx->request->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    challenge->data = p;

    p = ngx_cpymem(p, NGX_HTTP_GW_AUTH_REALM ", error=\"insufficient_scope\"",
                   sizeof(NGX_HTTP_GW_AUTH_REALM
                          ", error=\"insufficient_scope\"") - 1);

    len = 0;

    for (i = 0; i < gacf->require->nelts; i++) {

        if (!require[i].scope) {
            continue;
        }

        value = require[i].values.elts;

        p = ngx_sprintf(p, "%s%*s", len++ ? " " : ", scope=\"",
                        value[0].len, value[0].data);
    }

    if (len) {
        *p++ = '"';
    }

    challenge->len = p - challenge->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_auth_refuse_retry(ngx_http_gw_auth_ctx_t *ctx)
{
    ngx_str_t   value;
    ngx_msec_t  wait;

    wait = 0;

    if (ctx->provider
        && ctx->provider->kind == NGX_HTTP_GW_AUTH_INTROSPECT)
    {
        wait = ngx_http_gw_auth_breaker_wait(ctx->gamcf, ctx->provider);
    }

    value.data = ngx_pnalloc(ctx->request->pool, NGX_TIME_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%M", wait / 1000 + 1) - value.data;

    if (ngx_http_gw_auth_refuse_header(ctx->request, &ctx->retry_after,
                                       "Retry-After", &value)
        == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The element of an earlier refusal is used again, unless a filter that
 * finalized the request has cleared the headers.
 */

static ngx_table_elt_t *
ngx_http_gw_auth_refuse_header(ngx_http_request_t *r, ngx_table_elt_t **h,
    const char *name, ngx_str_t *value)
{
    if (*h == NULL || r->filter_finalize) {
        *h = ngx_http_gw_header_out(r, name, value);
    }

    if (*h) {
        (*h)->hash = 1;
        (*h)->value = *value;
    }

    return *h;
}
