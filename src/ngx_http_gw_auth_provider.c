
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_conf.h"


typedef char *(*ngx_http_gw_auth_provider_pt)(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);


typedef struct {
    ngx_str_t                      name;
    ngx_uint_t                     min;      /* arguments */
    ngx_uint_t                     max;
    ngx_http_gw_auth_provider_pt   handler;
} ngx_http_gw_auth_provider_param_t;


static char *ngx_http_gw_auth_provider_line(ngx_conf_t *cf,
    ngx_command_t *dummy, void *conf);
static char *ngx_http_gw_auth_provider_algorithms(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_audience(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_claims(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_issuer(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_jwks(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_leeway(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_subject(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static char *ngx_http_gw_auth_provider_check(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static ngx_int_t ngx_http_gw_auth_provider_keys(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static void ngx_http_gw_auth_provider_cleanup(void *data);


static const ngx_http_gw_auth_provider_param_t
    ngx_http_gw_auth_provider_params[] =
{
    { ngx_string("algorithms"), 1, GW_ALG_MAX,
      ngx_http_gw_auth_provider_algorithms },

    { ngx_string("audience"), 1, 64,
      ngx_http_gw_auth_provider_audience },

    { ngx_string("claims"), 1, 2,
      ngx_http_gw_auth_provider_claims },

    { ngx_string("issuer"), 1, 1,
      ngx_http_gw_auth_provider_issuer },

    { ngx_string("jwks"), 1, 1,
      ngx_http_gw_auth_provider_jwks },

    { ngx_string("leeway"), 1, 1,
      ngx_http_gw_auth_provider_leeway },

    { ngx_string("subject"), 1, 1,
      ngx_http_gw_auth_provider_subject },

    { ngx_null_string, 0, 0, NULL }
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

    return ngx_http_gw_auth_provider_check(cf, provider);
}


static char *
ngx_http_gw_auth_provider_line(ngx_conf_t *cf, ngx_command_t *dummy,
    void *conf)
{
    ngx_http_gw_auth_provider_t *provider = conf;

    char                                     *rv;
    ngx_str_t                                *value;
    ngx_uint_t                                n;
    const ngx_http_gw_auth_provider_param_t  *param;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    for (param = ngx_http_gw_auth_provider_params; param->name.len; param++) {

        if (!ngx_gw_str_equal(&param->name, &value[0])) {
            continue;
        }

        if (n < param->min || n > param->max) {
            rv = "has a wrong number of arguments";

        } else {
            rv = param->handler(cf, provider);
        }

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
ngx_http_gw_auth_provider_algorithms(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    gw_alg_e     alg;
    gw_str_t     name;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (provider->algs) {
        return "is duplicate";
    }

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

    if (provider->audience_set) {
        return "is duplicate";
    }

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

    if (provider->rules.issuer.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "must not be empty";
    }

    provider->rules.issuer.len = value[1].len;
    provider->rules.issuer.data = (const char *) value[1].data;

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_auth_provider_jwks(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    ngx_str_t  *value;

    if (provider->file.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len <= 5 || ngx_strncmp(value[1].data, "file=", 5) != 0) {
        return "must look like \"jwks file=PATH\"";
    }

    provider->file.len = value[1].len - 5;
    provider->file.data = value[1].data + 5;

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_auth_provider_leeway(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    time_t      leeway;
    ngx_str_t  *value;

    if (provider->leeway_set) {
        return "is duplicate";
    }

    value = cf->args->elts;

    leeway = ngx_parse_time(&value[1], 1);

    if (leeway == (time_t) NGX_ERROR || leeway > 300) {
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

    if (provider->subject_set) {
        return "is duplicate";
    }

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


/* what was left out gets its default, or is asked for */

static char *
ngx_http_gw_auth_provider_check(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    const char  *missing;

    missing = NULL;

    if (provider->rules.issuer.len == 0) {
        missing = "\"issuer\", the \"iss\" of its tokens";

    } else if (!provider->audience_set) {
        missing = "\"audience\": name the one its tokens are for, "
                  "or say \"audience off\"";

    } else if (provider->file.len == 0) {
        missing = "\"jwks file=PATH\", the keys of the issuer";
    }

    if (missing) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"gw_auth_provider\" \"%V\" has no %s",
                           &provider->name, missing);
        return NGX_CONF_ERROR;
    }

    if (provider->algs == 0) {
        provider->algs = gw_alg_bit(GW_ALG_RS256) | gw_alg_bit(GW_ALG_ES256)
                         | gw_alg_bit(GW_ALG_EDDSA);
    }

    if (!provider->leeway_set) {
        provider->rules.leeway = 30;
    }

    if (provider->tier == NULL) {
        provider->tier = "tier";
    }

    if (provider->scope == NULL) {
        provider->scope = "scope";
    }

    if (ngx_http_gw_auth_provider_keys(cf, provider) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_gw_auth_provider_keys(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    ngx_str_t    text;
    ngx_err_t    code;
    const char  *err;

    if (ngx_http_gw_auth_conf_read(cf, &provider->file, GW_JWKS_MAX_TEXT,
                                   &text, &err, &code)
        == NGX_OK)
    {
        provider->jwks = gw_jwks_parse((const char *) text.data, text.len,
                                       provider->algs, &err);

        ngx_http_gw_auth_conf_wipe(&text);
    }

    if (provider->jwks == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, code,
                           "\"jwks\" of \"gw_auth_provider\" \"%V\": "
                           "\"%V\" %s",
                           &provider->name, &provider->file, err);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_gw_auth_provider_cleanup(void *data)
{
    ngx_http_gw_auth_provider_t  *provider = data;

    gw_jwks_free(provider->jwks);
}


/* "sub" is unique within an issuer only, so with several it must be said */

char *
ngx_http_gw_auth_provider_init(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf)
{
    gw_str_t                      *a, *b;
    ngx_uint_t                     i, j;
    const char                    *same;
    ngx_http_gw_auth_provider_t  **provider;

    provider = gamcf->providers.elts;

    for (i = 0; gamcf->providers.nelts > 1 && i < gamcf->providers.nelts; i++)
    {
        if (!provider[i]->subject_set) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"gw_auth_provider\" \"%V\" has no \"subject\": "
                          "with several providers say \"subject prefix=TEXT\", "
                          "or \"subject shared\" if their users are the same",
                          &provider[i]->name);
            return NGX_CONF_ERROR;
        }

        for (j = 0; j < i; j++) {

            a = &provider[i]->rules.issuer;
            b = &provider[j]->rules.issuer;

            if (a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0)
            {
                same = "\"issuer\"";

            } else if (provider[i]->prefix.len
                       && ngx_gw_str_equal(&provider[i]->prefix,
                                           &provider[j]->prefix))
            {
                same = "prefix in \"subject\"";

            } else {
                continue;
            }

            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"gw_auth_provider\" \"%V\" and \"%V\" have "
                          "the same %s",
                          &provider[j]->name, &provider[i]->name, same);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* names become providers only now: a provider may follow its use */

ngx_int_t
ngx_http_gw_auth_provider_resolve(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf, ngx_http_gw_auth_list_t *list)
{
    ngx_str_t                     *name;
    ngx_uint_t                     i, j;
    ngx_http_gw_auth_provider_t  **known, **provider;

    name = list->names.elts;
    known = gamcf->providers.elts;

    for (i = 0; i < list->names.nelts; i++) {

        for (j = 0; j < gamcf->providers.nelts; j++) {
            if (ngx_gw_str_equal(&known[j]->name, &name[i])) {
                break;
            }
        }

        if (j == gamcf->providers.nelts) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"gw_auth\" names the unknown provider \"%V\": "
                          "define it by \"gw_auth_provider\"", &name[i]);
            return NGX_ERROR;
        }

        provider = ngx_array_push(&list->providers);
        if (provider == NULL) {
            return NGX_ERROR;
        }

        *provider = known[j];
    }

    return NGX_OK;
}
