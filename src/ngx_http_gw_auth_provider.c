
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_conf.h"
#include "ngx_http_gw_auth_keyring.h"


#define NGX_HTTP_GW_AUTH_OF_JWT         (1 << NGX_HTTP_GW_AUTH_JWT)
#define NGX_HTTP_GW_AUTH_OF_INTROSPECT  (1 << NGX_HTTP_GW_AUTH_INTROSPECT)
#define NGX_HTTP_GW_AUTH_OF_API_KEY     (1 << NGX_HTTP_GW_AUTH_API_KEY)
#define NGX_HTTP_GW_AUTH_OF_TOKENS      (NGX_HTTP_GW_AUTH_OF_JWT              \
                                         |NGX_HTTP_GW_AUTH_OF_INTROSPECT)
#define NGX_HTTP_GW_AUTH_OF_ALL         (NGX_HTTP_GW_AUTH_OF_TOKENS           \
                                         |NGX_HTTP_GW_AUTH_OF_API_KEY)

#define NGX_HTTP_GW_AUTH_LEEWAY_MAX     300        /* s */


typedef char *(*ngx_http_gw_auth_provider_pt)(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);


typedef struct {
    ngx_str_t                      name;
    ngx_uint_t                     min;      /* arguments */
    ngx_uint_t                     max;
    ngx_uint_t                     kinds;    /* mask: it goes with these */
    ngx_uint_t                     decides;  /* whether it makes the kind */
    ngx_http_gw_auth_provider_pt   handler;
} ngx_http_gw_auth_provider_param_t;


static char *ngx_http_gw_auth_provider_line(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static char *ngx_http_gw_auth_provider_read(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider,
    const ngx_http_gw_auth_provider_param_t *param);
static ngx_int_t ngx_http_gw_auth_provider_say(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_algorithms(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_audience(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_claims(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_issuer(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_leeway(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_subject(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static ngx_int_t ngx_http_gw_auth_provider_fits(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static void ngx_http_gw_auth_provider_cleanup(void *data);


/* by ngx_http_gw_auth_kind_e */

static const char * const  ngx_http_gw_auth_provider_kinds[] = {
    "jwks", "introspect", "api_key"
};


static const ngx_http_gw_auth_provider_param_t
    ngx_http_gw_auth_provider_params[] =
{
    { ngx_string("algorithms"), 1, GW_ALG_MAX, NGX_HTTP_GW_AUTH_OF_JWT, 0,
      ngx_http_gw_auth_provider_algorithms },

    { ngx_string("api_key"), 1, 8, NGX_HTTP_GW_AUTH_OF_API_KEY, 1,
      ngx_http_gw_auth_provider_api_key },

    { ngx_string("audience"), 1, 64, NGX_HTTP_GW_AUTH_OF_TOKENS, 0,
      ngx_http_gw_auth_provider_audience },

    { ngx_string("claims"), 1, 2, NGX_HTTP_GW_AUTH_OF_ALL, 0,
      ngx_http_gw_auth_provider_claims },

    { ngx_string("credential"), 1, 8, NGX_HTTP_GW_AUTH_OF_TOKENS, 0,
      ngx_http_gw_auth_provider_credential },

    { ngx_string("fallback"), 1, 2, NGX_HTTP_GW_AUTH_OF_INTROSPECT, 0,
      ngx_http_gw_auth_provider_fallback },

    { ngx_string("introspect"), 1, 5, NGX_HTTP_GW_AUTH_OF_INTROSPECT, 1,
      ngx_http_gw_auth_provider_introspect },

    { ngx_string("issuer"), 1, 1, NGX_HTTP_GW_AUTH_OF_TOKENS, 0,
      ngx_http_gw_auth_provider_issuer },

    { ngx_string("jwks"), 1, 6, NGX_HTTP_GW_AUTH_OF_JWT, 1,
      ngx_http_gw_auth_provider_jwks },

    { ngx_string("leeway"), 1, 1, NGX_HTTP_GW_AUTH_OF_TOKENS, 0,
      ngx_http_gw_auth_provider_leeway },

    { ngx_string("subject"), 1, 1, NGX_HTTP_GW_AUTH_OF_ALL, 0,
      ngx_http_gw_auth_provider_subject },

    { ngx_null_string, 0, 0, 0, 0, NULL }
};


char *
ngx_http_gw_auth_provider(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_auth_main_conf_t *gamcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_conf_t                     save;
    ngx_uint_t                     i;
    ngx_pool_cleanup_t            *cln;
    ngx_http_gw_auth_provider_t  **known, *provider;

    value = cf->args->elts;
    known = gamcf->providers.elts;

    if (value[1].len == 0
        || ngx_strcmp(value[1].data, "off") == 0
        || ngx_strcmp(value[1].data, "optional") == 0)
    {
        return "needs a name other than \"off\" and \"optional\"";
    }

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] < 0x20 || value[1].data[i] == 0x7f) {
            return "needs a name without control characters, logs show it";
        }
    }

    for (i = 0; i < gamcf->providers.nelts; i++) {
        if (ngx_gw_str_equal(&known[i]->name, &value[1])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" \"%V\" is duplicate",
                               &cmd->name, &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_http_gw_auth_provider_t));
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    provider = cln->data;
    ngx_memzero(provider, sizeof(ngx_http_gw_auth_provider_t));

    cln->handler = ngx_http_gw_auth_provider_cleanup;

    provider->name = value[1];
    provider->index = gamcf->providers.nelts;

    if (ngx_array_init(&provider->sources, cf->pool, 1,
                       sizeof(ngx_http_gw_auth_source_t))
        != NGX_OK
        || ngx_array_init(&provider->said, cf->pool, 32, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_http_gw_auth_provider_say(cf, provider) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    known = ngx_array_push(&gamcf->providers);
    if (known == NULL) {
        return NGX_CONF_ERROR;
    }

    *known = provider;

    save = *cf;

    cf->handler = ngx_http_gw_auth_provider_line;
    cf->handler_conf = (void *) provider;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_http_gw_auth_provider_fits(cf, provider) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_gw_auth_provider_check(cf, provider);
}


static char *
ngx_http_gw_auth_provider_line(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    ngx_http_gw_auth_provider_t *provider = conf;

    char                                     *rv;
    ngx_str_t                                *value;
    const ngx_http_gw_auth_provider_param_t  *param;

    value = cf->args->elts;

    for (param = ngx_http_gw_auth_provider_params; param->name.len; param++) {

        if (!ngx_gw_str_equal(&param->name, &value[0])) {
            continue;
        }

        rv = ngx_http_gw_auth_provider_read(cf, provider, param);

        if (rv == NGX_CONF_OK || rv == NGX_CONF_ERROR) {
            return rv;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"gw_auth_provider\" \"%V\" %s",
                           &value[0], &provider->name, rv);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown parameter \"%V\" of \"gw_auth_provider\" "
                       "\"%V\"", &value[0], &provider->name);
    return NGX_CONF_ERROR;
}


static char *
ngx_http_gw_auth_provider_read(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider,
    const ngx_http_gw_auth_provider_param_t *param)
{
    ngx_uint_t                                n, bit;
    const ngx_http_gw_auth_provider_param_t  *p;

    n = cf->args->nelts - 1;

    if (n < param->min || n > param->max) {
        return "has a wrong number of arguments";
    }

    bit = (ngx_uint_t) 1 << (param - ngx_http_gw_auth_provider_params);

    if (provider->lines & bit) {
        return "is duplicate";
    }

    for (p = ngx_http_gw_auth_provider_params;
         p->name.len && param->decides;
         p++)
    {
        bit = (ngx_uint_t) 1 << (p - ngx_http_gw_auth_provider_params);

        if (p->decides && (provider->lines & bit)) {
            return "is one too many: a provider has \"jwks\", "
                   "\"introspect\", or \"api_key\"";
        }
    }

    provider->lines |=
                 (ngx_uint_t) 1 << (param - ngx_http_gw_auth_provider_params);

    if (ngx_http_gw_auth_provider_say(cf, provider) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return param->handler(cf, provider);
}


/* a line goes into the digest: how many words it has, and the words */

static ngx_int_t
ngx_http_gw_auth_provider_say(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    u_char      *count;
    ngx_str_t   *value, *word;
    ngx_uint_t   i, n;

    value = cf->args->elts;
    n = cf->args->nelts;

    word = ngx_array_push_n(&provider->said, n + 1);
    count = ngx_pnalloc(cf->pool, 1);

    if (word == NULL || count == NULL) {
        return NGX_ERROR;
    }

    *count = (u_char) n;

    word->len = 1;
    word->data = count;

    for (i = 0; i < n; i++) {
        word[i + 1] = value[i];
    }

    return NGX_OK;
}


static char *
ngx_http_gw_auth_provider_algorithms(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    gw_alg_e     alg;
    gw_str_t     name;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        name.len = value[i].len;
        name.data = (const char *) value[i].data;

        alg = gw_alg_find(&name);

        if (alg == GW_ALG_UNKNOWN) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown algorithm \"%V\" in \"algorithms\" of "
                               "\"gw_auth_provider\" \"%V\": there are HS, RS, "
                               "PS and ES with 256, 384 and 512, and EdDSA",
                               &value[i], &provider->name);
            return NGX_CONF_ERROR;
        }

        provider->algs |= gw_alg_bit(alg);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_auth_provider_audience(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    gw_str_t    *audience;
    ngx_str_t   *value;
    ngx_uint_t   i, n;

    provider->audience_set = 1;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    if (n == 1 && ngx_strcmp(value[1].data, "off") == 0) {
        return NGX_CONF_OK;
    }

    audience = ngx_palloc(cf->pool, n * sizeof(gw_str_t));
    if (audience == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (value[i + 1].len == 0) {
            return "must not be empty";
        }

        if (ngx_strcmp(value[i + 1].data, "off") == 0) {
            return "takes \"off\" alone";
        }

        audience[i].len = value[i + 1].len;
        audience[i].data = (const char *) value[i + 1].data;
    }

    provider->rules.audiences = audience;
    provider->rules.naudiences = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_auth_provider_claims(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "tier=", 5) == 0
            && value[i].len > 5 && provider->tier == NULL)
        {
            provider->tier = (const char *) value[i].data + 5;
            continue;
        }

        if (ngx_strncmp(value[i].data, "scope=", 6) == 0
            && value[i].len > 6 && provider->scope == NULL)
        {
            provider->scope = (const char *) value[i].data + 6;
            continue;
        }

        return "must look like \"claims tier=NAME scope=NAME\"";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_auth_provider_issuer(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "must not be empty";
    }

    provider->rules.issuer.len = value[1].len;
    provider->rules.issuer.data = (const char *) value[1].data;

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_auth_provider_leeway(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    time_t      leeway;
    ngx_str_t  *value;

    value = cf->args->elts;

    leeway = ngx_parse_time(&value[1], 1);

    if (leeway == (time_t) NGX_ERROR
        || leeway > NGX_HTTP_GW_AUTH_LEEWAY_MAX)
    {
        return "must be a time of at most 5m";
    }

    provider->rules.leeway = leeway;
    provider->leeway_set = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_auth_provider_subject(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    gw_str_t    prefix;
    ngx_str_t  *value;

    provider->subject_set = 1;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "shared") == 0) {
        return NGX_CONF_OK;
    }

    if (value[1].len <= 7 || value[1].len > 71
        || ngx_strncmp(value[1].data, "prefix=", 7) != 0)
    {
        return "must be \"shared\" or \"prefix=TEXT\" of at most 64 bytes";
    }

    prefix.len = value[1].len - 7;
    prefix.data = (const char *) value[1].data + 7;

    if (!ngx_http_gw_auth_conf_is_text(&prefix, 1)) {
        return "must have a prefix in UTF-8 without control characters";
    }

    provider->prefix.len = prefix.len;
    provider->prefix.data = value[1].data + 7;

    return NGX_CONF_OK;
}


/* what kind it is, is known only when all lines were read */

static ngx_int_t
ngx_http_gw_auth_provider_fits(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    ngx_uint_t                                i, bit, decided;
    const ngx_http_gw_auth_provider_param_t  *param;

    param = ngx_http_gw_auth_provider_params;
    decided = 0;

    for (i = 0; param[i].name.len; i++) {
        bit = (ngx_uint_t) 1 << i;

        if (param[i].decides && (provider->lines & bit)) {
            decided = 1;
        }
    }

    if (!decided) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"gw_auth_provider\" \"%V\" has no \"jwks\", "
                           "\"introspect\", or \"api_key\": say what checks "
                           "its credentials", &provider->name);
        return NGX_ERROR;
    }

    for (i = 0; param[i].name.len; i++) {
        bit = (ngx_uint_t) 1 << i;

        if ((provider->lines & bit)
            && !(param[i].kinds & ((ngx_uint_t) 1 << provider->kind)))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of \"gw_auth_provider\" \"%V\" does "
                               "not go with \"%s\"", &param[i].name,
                               &provider->name,
                               ngx_http_gw_auth_provider_kinds[provider->kind]);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_gw_auth_provider_cleanup(void *data)
{
    ngx_http_gw_auth_provider_t  *provider = data;

    gw_jwks_free(provider->jwks);
}
