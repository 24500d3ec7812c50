
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "gw_b64.h"
#include "gw_jwt.h"
#include "gw_passport.h"
#include "ngx_http_gw_auth_conf.h"
#include "ngx_http_gw_problem.h"
#include "ngx_http_gw_util.h"

#include <openssl/rand.h>


#define NGX_HTTP_GW_AUTH_REALM       "Bearer realm=\"gateway\""

#define NGX_HTTP_GW_AUTH_TIER        64       /* bytes, of the claims used */
#define NGX_HTTP_GW_AUTH_SCOPE       1024
#define NGX_HTTP_GW_AUTH_CLIENT      255
#define NGX_HTTP_GW_AUTH_ID          16       /* random bytes of a "jti" */


typedef enum {
    NGX_HTTP_GW_AUTH_SUBJECT = 0,
    NGX_HTTP_GW_AUTH_TIER_OF,
    NGX_HTTP_GW_AUTH_SCOPE_OF,
    NGX_HTTP_GW_AUTH_CLIENT_OF
} ngx_http_gw_auth_field_e;


/* who calls; only set after everything was checked */

typedef struct {
    const ngx_http_gw_auth_provider_t  *provider;
    ngx_str_t                           subject;
    ngx_str_t                           tier;
    ngx_str_t                           scope;
    ngx_str_t                           client;
    time_t                              ends;      /* "exp" */
    time_t                              expires;   /* leeway included */
} ngx_http_gw_auth_identity_t;


typedef struct {
    gw_jwt_t                      jwt;
    ngx_http_gw_auth_identity_t   identity;      /* provider NULL: nobody */
    ngx_str_t                     credential;
    ngx_str_t                     passport;      /* in the request now */
    const char                   *status;        /* NULL: auth was off */
    ngx_table_elt_t              *challenge;
    ngx_http_gw_problem_t         problem;

    unsigned                      looked:1;      /* for a credential */
} ngx_http_gw_auth_ctx_t;


static ngx_int_t ngx_http_gw_auth_post_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_auth_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_auth_access_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_auth_precontent_handler(ngx_http_request_t *r);
static ngx_http_gw_auth_ctx_t *ngx_http_gw_auth_get_ctx(
    ngx_http_request_t *r);
static void ngx_http_gw_auth_cleanup(void *data);
static void ngx_http_gw_auth_look(ngx_http_request_t *r,
    ngx_http_gw_auth_ctx_t *ctx);
static ngx_uint_t ngx_http_gw_auth_admits(const ngx_http_gw_auth_list_t *list,
    const ngx_http_gw_auth_ctx_t *ctx);
static gw_jwt_status_e ngx_http_gw_auth_verify(ngx_http_request_t *r,
    ngx_http_gw_auth_ctx_t *ctx, const ngx_http_gw_auth_list_t *list);
static const ngx_http_gw_auth_provider_t *ngx_http_gw_auth_choose(
    const ngx_http_gw_auth_list_t *list, const gw_jwt_t *jwt);
static gw_jwt_status_e ngx_http_gw_auth_identify(ngx_http_request_t *r,
    ngx_http_gw_auth_ctx_t *ctx, const ngx_http_gw_auth_provider_t *provider);
static gw_jwt_status_e ngx_http_gw_auth_claim(ngx_http_request_t *r,
    const gw_jwt_t *jwt, const char *name, size_t max, ngx_str_t *text);
static ngx_int_t ngx_http_gw_auth_refuse(ngx_http_request_t *r,
    ngx_http_gw_auth_ctx_t *ctx, const char *status);
static ngx_int_t ngx_http_gw_auth_add_passport(ngx_http_request_t *r,
    ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_passport_t *passport);
static ngx_int_t ngx_http_gw_auth_sign(ngx_http_request_t *r,
    const ngx_http_gw_auth_identity_t *identity,
    const ngx_http_gw_auth_passport_t *passport, ngx_str_t *token);
static void ngx_http_gw_auth_slice(gw_str_t *dst, const ngx_str_t *src);
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


static ngx_command_t  ngx_http_gw_auth_commands[] = {

    { ngx_string("gw_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_gw_auth_conf_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_auth_provider"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_gw_auth_provider,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_passport"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_http_gw_auth_conf_passport,
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
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
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
    NULL,                               /* init process */
    NULL,                               /* init thread */
    NULL,                               /* exit thread */
    NULL,                               /* exit process */
    NULL,                               /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_gw_auth_vars[] = {

    { ngx_string("gw_auth_degraded"), NULL,
      ngx_http_gw_auth_degraded_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_auth_provider"), NULL,
      ngx_http_gw_auth_provider_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_auth_status"), NULL,
      ngx_http_gw_auth_status_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_claim_"), NULL,
      ngx_http_gw_auth_claim_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE|NGX_HTTP_VAR_PREFIX, 0 },

    { ngx_string("gw_client"), NULL,
      ngx_http_gw_auth_identity_variable, NGX_HTTP_GW_AUTH_CLIENT_OF,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_passport"), NULL,
      ngx_http_gw_auth_passport_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_scope"), NULL,
      ngx_http_gw_auth_identity_variable, NGX_HTTP_GW_AUTH_SCOPE_OF,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_subject"), NULL,
      ngx_http_gw_auth_identity_variable, NGX_HTTP_GW_AUTH_SUBJECT,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_tier"), NULL,
      ngx_http_gw_auth_identity_variable, NGX_HTTP_GW_AUTH_TIER_OF,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_str_t  ngx_http_gw_auth_x_passport = ngx_string("X-Passport");
static ngx_str_t  ngx_http_gw_auth_x_passport_lowcase =
    ngx_string("x-passport");
static ngx_str_t  ngx_http_gw_auth_authorization =
    ngx_string("authorization");


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


/* nobody but us says who calls, whether auth is on or off */

static ngx_int_t
ngx_http_gw_auth_post_read_handler(ngx_http_request_t *r)
{
    ngx_int_t  n;

    n = ngx_http_gw_header_unlink(r, &ngx_http_gw_auth_x_passport_lowcase);

    if (n == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (n) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "gw auth: client sent %i X-Passport headers, removed",
                      n);
    }

    return NGX_DECLINED;
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

    if (ngx_http_gw_header_unlink(r, &ngx_http_gw_auth_x_passport_lowcase)
        == NGX_ERROR)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_gw_auth_get_ctx(r);

    if (ctx) {
        ngx_str_null(&ctx->passport);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_gw_auth_access_handler(ngx_http_request_t *r)
{
    gw_jwt_status_e                 status;
    ngx_http_gw_auth_ctx_t         *ctx;
    const ngx_http_gw_auth_conf_t  *gacf;

    gacf = ngx_http_get_module_loc_conf(r, ngx_http_gw_auth_module);

    if (gacf->auth == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_gw_auth_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_gw_state_create(r, &ngx_http_gw_auth_module,
                                       sizeof(ngx_http_gw_auth_ctx_t),
                                       ngx_http_gw_auth_cleanup);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ngx_http_gw_auth_look(r, ctx);

    if (ctx->credential.data == NULL) {

        if (gacf->auth->optional) {
            ctx->status = "missing";
            return NGX_DECLINED;
        }

        return ngx_http_gw_auth_refuse(r, ctx, "missing");
    }

    if (!ngx_http_gw_auth_admits(gacf->auth, ctx)) {

        status = ngx_http_gw_auth_verify(r, ctx, gacf->auth);

        if (status != GW_JWT_OK) {
            return ngx_http_gw_auth_refuse(r, ctx,
                                           gw_jwt_status_name(status));
        }
    }

    ctx->status = "ok";

    return NGX_OK;
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

        ctx->challenge->hash = 0;
    }

    ctx->problem.status = 0;

    gacf = ngx_http_get_module_loc_conf(r, ngx_http_gw_auth_module);

    if (gacf->auth == NULL || ctx->credential.data == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_http_gw_header_unlink(r, &ngx_http_gw_auth_authorization)
        == NGX_ERROR)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (gacf->passport == NULL || ctx->identity.provider == NULL) {
        return NGX_DECLINED;
    }

    return ngx_http_gw_auth_add_passport(r, ctx, gacf->passport);
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

    gw_jwt_free(&ctx->jwt);
}


/* the bearer token, once: the header is unlinked before a second pass */

static void
ngx_http_gw_auth_look(ngx_http_request_t *r, ngx_http_gw_auth_ctx_t *ctx)
{
    u_char           *p, *last;
    ngx_table_elt_t  *h;

    if (ctx->looked) {
        return;
    }

    ctx->looked = 1;

    h = r->headers_in.authorization;

    if (h == NULL || h->value.len < 6
        || ngx_strncasecmp(h->value.data, (u_char *) "Bearer", 6) != 0)
    {
        return;
    }

    p = h->value.data + 6;
    last = h->value.data + h->value.len;

    if (p < last && *p != ' ' && *p != '\t') {
        /* another scheme */
        return;
    }

    /* a tab is refused with the token, upstreams might take it for a blank */

    while (p < last && *p == ' ') {
        p++;
    }

    ctx->credential.data = p;
    ctx->credential.len = last - p;
}


static ngx_uint_t
ngx_http_gw_auth_admits(const ngx_http_gw_auth_list_t *list,
    const ngx_http_gw_auth_ctx_t *ctx)
{
    ngx_uint_t                           i;
    const ngx_http_gw_auth_provider_t  **provider;

    if (ctx->identity.provider == NULL
        || ctx->identity.expires <= ngx_time())
    {
        return 0;
    }

    provider = list->providers.elts;

    for (i = 0; i < list->providers.nelts; i++) {
        if (provider[i] == ctx->identity.provider) {
            return 1;
        }
    }

    return 0;
}


static gw_jwt_status_e
ngx_http_gw_auth_verify(ngx_http_request_t *r, ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_list_t *list)
{
    gw_jwt_status_e                     status;
    const ngx_http_gw_auth_provider_t  *provider;

    ngx_memzero(&ctx->identity, sizeof(ngx_http_gw_auth_identity_t));

    gw_jwt_free(&ctx->jwt);

    status = gw_jwt_parse(&ctx->jwt, (const char *) ctx->credential.data,
                          ctx->credential.len);
    if (status != GW_JWT_OK) {
        return status;
    }

    provider = ngx_http_gw_auth_choose(list, &ctx->jwt);
    if (provider == NULL) {
        return GW_JWT_WRONG_ISSUER;
    }

    status = gw_jwt_verify(&ctx->jwt, provider->jwks, provider->algs);
    if (status != GW_JWT_OK) {
        return status;
    }

    status = gw_jwt_check(&ctx->jwt, &provider->rules, ngx_time());
    if (status != GW_JWT_OK) {
        return status;
    }

    return ngx_http_gw_auth_identify(r, ctx, provider);
}


static const ngx_http_gw_auth_provider_t *
ngx_http_gw_auth_choose(const ngx_http_gw_auth_list_t *list,
    const gw_jwt_t *jwt)
{
    ngx_uint_t                           i;
    const gw_str_t                      *issuer;
    const ngx_http_gw_auth_provider_t  **provider;

    provider = list->providers.elts;

    for (i = 0; i < list->providers.nelts; i++) {

        issuer = &provider[i]->rules.issuer;

        if (jwt->iss.len == issuer->len
            && ngx_memcmp(jwt->iss.data, issuer->data, issuer->len) == 0)
        {
            return provider[i];
        }
    }

    return NULL;
}


static gw_jwt_status_e
ngx_http_gw_auth_identify(ngx_http_request_t *r, ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_provider_t *provider)
{
    u_char                       *p;
    gw_jwt_t                     *jwt;
    gw_jwt_status_e               status;
    ngx_http_gw_auth_identity_t   id;

    jwt = &ctx->jwt;

    ngx_memzero(&id, sizeof(ngx_http_gw_auth_identity_t));

    id.subject.len = provider->prefix.len + jwt->sub.len;

    id.subject.data = ngx_pnalloc(r->pool, id.subject.len);
    if (id.subject.data == NULL) {
        return GW_JWT_BAD_CLAIM;
    }

    p = ngx_cpymem(id.subject.data, provider->prefix.data,
                   provider->prefix.len);
    ngx_memcpy(p, jwt->sub.data, jwt->sub.len);

    status = ngx_http_gw_auth_claim(r, jwt, provider->tier,
                                    NGX_HTTP_GW_AUTH_TIER, &id.tier);

    if (status == GW_JWT_OK) {
        status = ngx_http_gw_auth_claim(r, jwt, provider->scope,
                                        NGX_HTTP_GW_AUTH_SCOPE, &id.scope);
    }

    if (status == GW_JWT_OK) {
        status = ngx_http_gw_auth_claim(r, jwt, "azp",
                                        NGX_HTTP_GW_AUTH_CLIENT, &id.client);
    }

    if (status == GW_JWT_OK && id.client.len == 0) {
        status = ngx_http_gw_auth_claim(r, jwt, "client_id",
                                        NGX_HTTP_GW_AUTH_CLIENT, &id.client);
    }

    if (status != GW_JWT_OK) {
        return status;
    }

    id.ends = jwt->exp;
    id.expires = jwt->exp + provider->rules.leeway;
    id.provider = provider;

    ctx->identity = id;

    return GW_JWT_OK;
}


/* an absent claim is empty */

static gw_jwt_status_e
ngx_http_gw_auth_claim(ngx_http_request_t *r, const gw_jwt_t *jwt,
    const char *name, size_t max, ngx_str_t *text)
{
    int   rc;
    char  buf[NGX_HTTP_GW_AUTH_SCOPE];

    rc = gw_jwt_claim(jwt, name, buf, max, &text->len);

    if (rc == GW_DECLINED) {
        ngx_str_null(text);
        return GW_JWT_OK;
    }

    if (rc != GW_OK) {
        return GW_JWT_BAD_CLAIM;
    }

    text->data = ngx_pnalloc(r->pool, text->len);
    if (text->data == NULL) {
        return GW_JWT_BAD_CLAIM;
    }

    ngx_memcpy(text->data, buf, text->len);

    return GW_JWT_OK;
}


/* the client learns that its token is bad, the log learns why */

static ngx_int_t
ngx_http_gw_auth_refuse(ngx_http_request_t *r, ngx_http_gw_auth_ctx_t *ctx,
    const char *status)
{
    ngx_str_t         challenge;
    ngx_table_elt_t  *h;

    ctx->status = status;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "gw auth: refused: %s", status);

    if (ctx->credential.data) {
        ngx_str_set(&challenge, NGX_HTTP_GW_AUTH_REALM
                                ", error=\"invalid_token\"");
        ctx->problem.detail = "The access token is not valid";

    } else {
        ngx_str_set(&challenge, NGX_HTTP_GW_AUTH_REALM);
        ctx->problem.detail = "An access token is required";
    }

    ctx->problem.status = NGX_HTTP_UNAUTHORIZED;
    ctx->problem.title = "Unauthorized";

    h = ctx->challenge;

    /* a filter that finalizes the request clears the headers */

    if (h == NULL || h->hash == 0 || r->filter_finalize) {
        h = ngx_http_gw_header_out(r, "WWW-Authenticate", &challenge);
        if (h == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        r->headers_out.www_authenticate = h;
        ctx->challenge = h;
    }

    h->value = challenge;

    /* for the filters: an internal redirect may have cleared it before */

    ngx_http_set_ctx(r, ctx, ngx_http_gw_auth_module);

    return NGX_HTTP_UNAUTHORIZED;
}


static ngx_int_t
ngx_http_gw_auth_add_passport(ngx_http_request_t *r,
    ngx_http_gw_auth_ctx_t *ctx, const ngx_http_gw_auth_passport_t *passport)
{
    ngx_int_t  rc;
    ngx_str_t  token;

    rc = ngx_http_gw_auth_sign(r, &ctx->identity, passport, &token);

    if (rc == NGX_DECLINED) {

        /* claims so large that no passport holds them */

        return ngx_http_gw_auth_refuse(r, ctx, "bad_claim");
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_gw_header_add(r, &ngx_http_gw_auth_x_passport,
                               &ngx_http_gw_auth_x_passport_lowcase, &token)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->passport = token;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_gw_auth_sign(ngx_http_request_t *r,
    const ngx_http_gw_auth_identity_t *identity,
    const ngx_http_gw_auth_passport_t *passport, ngx_str_t *token)
{
    int                            rc;
    time_t                         ends;
    u_char                         random[NGX_HTTP_GW_AUTH_ID];
    char                           id[gw_b64_encoded_len(NGX_HTTP_GW_AUTH_ID)];
    char                           buf[GW_PASSPORT_MAX_LEN];
    gw_passport_t                  p;
    ngx_http_gw_auth_key_t        *key;
    ngx_http_gw_auth_main_conf_t  *gamcf;

    if (RAND_bytes(random, NGX_HTTP_GW_AUTH_ID) != 1) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, 0,
                      "gw auth: no random bytes for a passport");
        return NGX_ERROR;
    }

    gamcf = ngx_http_get_module_main_conf(r, ngx_http_gw_auth_module);
    key = gamcf->keys.elts;

    ngx_memzero(&p, sizeof(gw_passport_t));

    p.issuer = passport->issuer;
    p.audiences = passport->audiences.elts;
    p.naudiences = passport->audiences.nelts;

    ngx_http_gw_auth_slice(&p.subject, &identity->subject);
    ngx_http_gw_auth_slice(&p.tier, &identity->tier);
    ngx_http_gw_auth_slice(&p.scope, &identity->scope);
    ngx_http_gw_auth_slice(&p.client, &identity->client);

    p.source.data = "jwt";
    p.source.len = sizeof("jwt") - 1;

    /* low: the credential crossed the network in clear */

#if (NGX_HTTP_SSL)
    p.level.data = r->connection->ssl ? "high" : "low";
#else
    p.level.data = "low";
#endif
    p.level.len = ngx_strlen(p.level.data);

    (void) gw_b64_encode(random, NGX_HTTP_GW_AUTH_ID, id, sizeof(id),
                         &p.id.len);
    p.id.data = id;

    p.issued = ngx_time();
    p.not_before = p.issued;

    /* a credential in its leeway has ended, its passport must not have */

    ends = (identity->ends > p.issued) ? identity->ends : identity->expires;

    p.expires = ngx_min(p.issued + passport->ttl, ends);

    rc = gw_passport_sign(&p, key[0].signer, buf, sizeof(buf), &token->len);

    if (rc == GW_DECLINED) {
        return NGX_DECLINED;
    }

    if (rc != GW_OK) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "gw auth: signing a passport failed");
        return NGX_ERROR;
    }

    token->data = ngx_pnalloc(r->pool, token->len);
    if (token->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(token->data, buf, token->len);

    return NGX_OK;
}


static void
ngx_http_gw_auth_slice(gw_str_t *dst, const ngx_str_t *src)
{
    dst->len = src->len;
    dst->data = (const char *) src->data;
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
    ngx_http_gw_auth_ctx_t  *ctx;

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
    ngx_http_gw_auth_ctx_t  *ctx;

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
    const ngx_str_t                    *value;
    ngx_http_gw_auth_ctx_t             *ctx;
    const ngx_http_gw_auth_identity_t  *id;

    ctx = ngx_http_gw_auth_get_ctx(r->main);

    if (ctx == NULL) {
        return ngx_http_gw_auth_set_variable(v, NULL);
    }

    id = &ctx->identity;

    switch (data) {

    case NGX_HTTP_GW_AUTH_SUBJECT:
        value = &id->subject;
        break;

    case NGX_HTTP_GW_AUTH_TIER_OF:
        value = &id->tier;
        break;

    case NGX_HTTP_GW_AUTH_SCOPE_OF:
        value = &id->scope;
        break;

    default: /* NGX_HTTP_GW_AUTH_CLIENT_OF */
        value = &id->client;
        break;
    }

    return ngx_http_gw_auth_set_variable(v, value);
}


static ngx_int_t
ngx_http_gw_auth_claim_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t *name = (ngx_str_t *) data;

    u_char                  *p;
    size_t                   prefix, size;
    ngx_str_t                value;
    ngx_http_gw_auth_ctx_t  *ctx;

    ctx = ngx_http_gw_auth_get_ctx(r->main);

    if (ctx == NULL || ctx->identity.provider == NULL) {
        return ngx_http_gw_auth_set_variable(v, NULL);
    }

    /* a claim is not longer than the token; its name needs a NUL */

    prefix = sizeof("gw_claim_") - 1;
    size = ctx->credential.len;

    p = ngx_pnalloc(r->pool, size + name->len - prefix + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(p + size, name->data + prefix, name->len - prefix + 1);

    value.data = p;

    if (gw_jwt_claim(&ctx->jwt, (const char *) p + size, (char *) p, size,
                     &value.len)
        != GW_OK)
    {
        return ngx_http_gw_auth_set_variable(v, NULL);
    }

    return ngx_http_gw_auth_set_variable(v, &value);
}


/* "1" if a fallback decided; there is none yet, so an identity gives "0" */

static ngx_int_t
ngx_http_gw_auth_degraded_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                value = ngx_string("0");
    ngx_http_gw_auth_ctx_t  *ctx;

    ctx = ngx_http_gw_auth_get_ctx(r->main);

    if (ctx == NULL || ctx->identity.provider == NULL) {
        return ngx_http_gw_auth_set_variable(v, NULL);
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

    if (ctx == NULL || ctx->identity.provider == NULL) {
        return ngx_http_gw_auth_set_variable(v, NULL);
    }

    return ngx_http_gw_auth_set_variable(v, &ctx->identity.provider->name);
}


static ngx_int_t
ngx_http_gw_auth_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                value;
    ngx_http_gw_auth_ctx_t  *ctx;

    ctx = ngx_http_gw_auth_get_ctx(r->main);

    if (ctx == NULL || ctx->status == NULL) {
        return ngx_http_gw_auth_set_variable(v, NULL);
    }

    value.data = (u_char *) ctx->status;
    value.len = ngx_strlen(ctx->status);

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
