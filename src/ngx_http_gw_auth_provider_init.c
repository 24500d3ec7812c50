
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_conf.h"
#include "ngx_http_gw_auth_keyring.h"
#include "ngx_http_gw_auth_option.h"


#define NGX_HTTP_GW_AUTH_LEEWAY  30      /* s */


static ngx_int_t ngx_http_gw_auth_provider_keys(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static ngx_int_t ngx_http_gw_auth_provider_compare(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *a, ngx_http_gw_auth_provider_t *b);
static ngx_int_t ngx_http_gw_auth_provider_needs(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf,
    ngx_http_gw_auth_provider_t *provider);
static ngx_int_t ngx_http_gw_auth_provider_complete(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf,
    ngx_http_gw_auth_provider_t *provider);
static ngx_int_t ngx_http_gw_auth_provider_zone(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
static ngx_int_t ngx_http_gw_auth_provider_set_fallback(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf,
    ngx_http_gw_auth_provider_t *provider);
static ngx_http_gw_auth_provider_t *ngx_http_gw_auth_provider_get(
    ngx_http_gw_auth_main_conf_t *gamcf, ngx_str_t *name);
static ngx_int_t ngx_http_gw_auth_provider_add(ngx_conf_t *cf,
    ngx_http_gw_auth_list_t *list, ngx_http_gw_auth_provider_t *provider);
static ngx_uint_t ngx_http_gw_auth_provider_taken(
    ngx_http_gw_auth_list_t *list, ngx_http_gw_auth_source_t *source);
static ngx_int_t ngx_http_gw_auth_provider_collect(
    ngx_http_gw_auth_list_t *list, ngx_http_gw_auth_provider_t *provider);


extern ngx_module_t  ngx_http_gw_auth_module;


/* what was left out gets its default, or is asked for */

char *
ngx_http_gw_auth_provider_check(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    const char                 *missing;
    ngx_http_gw_auth_source_t  *source;

    missing = NULL;

    if (provider->kind == NGX_HTTP_GW_AUTH_JWT) {

        if (provider->rules.issuer.len == 0) {
            missing = "\"issuer\", the \"iss\" of its tokens";

        } else if (!provider->audience_set) {
            missing = "\"audience\": name the one its tokens are for, "
                      "or say \"audience off\"";
        }
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

    if (!provider->leeway_set && provider->kind != NGX_HTTP_GW_AUTH_API_KEY) {
        provider->rules.leeway = NGX_HTTP_GW_AUTH_LEEWAY;
    }

    if (provider->tier == NULL) {
        provider->tier = "tier";
    }

    if (provider->scope == NULL) {
        provider->scope = "scope";
    }

    if (provider->sources.nelts == 0) {

        source = ngx_array_push(&provider->sources);
        if (source == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(source, sizeof(ngx_http_gw_auth_source_t));

        source->place = NGX_HTTP_GW_AUTH_BEARER;
    }

    if (provider->file.len
        && ngx_http_gw_auth_provider_keys(cf, provider) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_gw_auth_provider_keys(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    u_char      *digest;
    ngx_str_t    text, *said;
    ngx_int_t    rc;
    ngx_err_t    code;
    const char  *err;

    digest = ngx_pnalloc(cf->pool, GW_IDENTITY_DIGEST);
    said = ngx_array_push(&provider->said);

    if (digest == NULL || said == NULL) {
        return NGX_ERROR;
    }

    said->data = digest;
    said->len = GW_IDENTITY_DIGEST;

    rc = NGX_OK;

    if (ngx_http_gw_auth_conf_read(cf, &provider->file, GW_JWKS_MAX_TEXT,
                                   &text, &err, &code)
        == NGX_OK)
    {
        provider->jwks = gw_jwks_parse((const char *) text.data, text.len,
                                       provider->algs, &err);

        rc = ngx_http_gw_auth_option_digest(cf, &text, 1, digest);

        ngx_http_gw_auth_conf_wipe(&text);
    }

    if (provider->jwks == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, code,
                           "\"jwks\" of \"gw_auth_provider\" \"%V\": "
                           "\"%V\" %s",
                           &provider->name, &provider->file, err);
        return NGX_ERROR;
    }

    return rc;
}


char *
ngx_http_gw_auth_provider_init(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf)
{
    ngx_uint_t                     i, j, n;
    ngx_http_gw_auth_provider_t  **provider;

    provider = gamcf->providers.elts;
    n = gamcf->providers.nelts;

    for (i = 0; i < n; i++) {

        /* "sub" is unique within an issuer only */

        if (n > 1 && !provider[i]->subject_set) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"gw_auth_provider\" \"%V\" has no \"subject\": "
                          "with several providers say \"subject prefix=TEXT\", "
                          "or \"subject shared\" if their users are the same",
                          &provider[i]->name);
            return NGX_CONF_ERROR;
        }

        for (j = 0; j < i; j++) {
            if (ngx_http_gw_auth_provider_compare(cf, provider[j], provider[i])
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }
        }

        if (ngx_http_gw_auth_provider_needs(cf, gamcf, provider[i]) != NGX_OK
            || ngx_http_gw_auth_provider_complete(cf, gamcf, provider[i])
               != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 0; i < n; i++) {
        if (provider[i]->fallback_name.data
            && ngx_http_gw_auth_provider_set_fallback(cf, gamcf, provider[i])
               != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_gw_auth_provider_compare(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *a, ngx_http_gw_auth_provider_t *b)
{
    gw_str_t    *ia, *ib;
    const char  *same;

    ia = &a->rules.issuer;
    ib = &b->rules.issuer;

    if (a->kind == NGX_HTTP_GW_AUTH_JWT
        && b->kind == NGX_HTTP_GW_AUTH_JWT
        && ia->len == ib->len && ngx_memcmp(ia->data, ib->data, ia->len) == 0)
    {
        same = "\"issuer\"";

    } else if (a->prefix.len && ngx_gw_str_equal(&a->prefix, &b->prefix)) {
        same = "prefix in \"subject\"";

    } else {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"gw_auth_provider\" \"%V\" and \"%V\" have the same %s",
                  &a->name, &b->name, same);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_gw_auth_provider_needs(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf, ngx_http_gw_auth_provider_t *provider)
{
    ngx_uint_t                  i;
    const char                 *line, *needs;
    ngx_http_gw_auth_source_t  *source;

    line = (provider->kind == NGX_HTTP_GW_AUTH_API_KEY) ? "api_key"
                                                        : "introspect";
    needs = NULL;

    if (provider->kind != NGX_HTTP_GW_AUTH_JWT && gamcf->cache == NULL) {
        needs = "gw_auth_zone NAME:SIZE";

    } else if (provider->kind == NGX_HTTP_GW_AUTH_API_KEY
               && gamcf->redis.nhosts == 0)
    {
        needs = "gw_auth_redis URL";
    }

    if (needs) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" of \"gw_auth_provider\" \"%V\" needs \"%s\"",
                      line, &provider->name, needs);
        return NGX_ERROR;
    }

    /* what clients may not send, can't carry a credential */

    source = provider->sources.elts;

    for (i = 0; i < provider->sources.nelts; i++) {

        if (source[i].place == NGX_HTTP_GW_AUTH_HEADER
            && ngx_http_gw_auth_conf_carries(gamcf, &source[i].name))
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"gw_auth_provider\" \"%V\" takes credentials from "
                          "the header \"%V\", which carries passports",
                          &provider->name, &source[i].name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * The digest changes with all that decides what a cached identity is worth:
 * the block, the keys in a file, the Redis that keeps API keys.
 */

static ngx_int_t
ngx_http_gw_auth_provider_complete(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf, ngx_http_gw_auth_provider_t *provider)
{
    ngx_str_t  *said;

    if (provider->kind == NGX_HTTP_GW_AUTH_API_KEY) {

        said = ngx_array_push_n(&provider->said, 2);
        if (said == NULL) {
            return NGX_ERROR;
        }

        said[0] = gamcf->redis.name;
        said[1] = gamcf->redis.database;
    }

    if (ngx_http_gw_auth_option_digest(cf, provider->said.elts,
                                       provider->said.nelts, provider->digest)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (provider->keys) {
        return ngx_http_gw_auth_provider_zone(cf, provider);
    }

    return NGX_OK;
}


/* what fetched keys depend on: a reload that changes it starts without any */

static ngx_int_t
ngx_http_gw_auth_provider_zone(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider)
{
    ngx_str_t  id, text[4];

    provider->keys->algs = provider->algs;

    text[0] = provider->name;
    text[1] = provider->location.uri;
    text[2] = provider->location.server;
    text[3].data = (u_char *) &provider->algs;
    text[3].len = sizeof(provider->algs);

    if (ngx_http_gw_auth_option_id(cf, &id, text, 4) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_gw_keys_add(cf, provider->keys, &id, &ngx_http_gw_auth_module);
}


static ngx_int_t
ngx_http_gw_auth_provider_set_fallback(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf, ngx_http_gw_auth_provider_t *provider)
{
    ngx_str_t                     text[2];
    const char                   *err;
    ngx_http_gw_auth_provider_t  *fallback;

    fallback = ngx_http_gw_auth_provider_get(gamcf, &provider->fallback_name);

    if (fallback == NULL) {
        err = "is unknown: define it by \"gw_auth_provider\"";

    } else if (fallback->kind != NGX_HTTP_GW_AUTH_JWT) {
        err = "verifies no JWT: name a provider with \"jwks\"";

    } else {
        err = NULL;
    }

    if (err) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "the \"fallback\" \"%V\" of \"gw_auth_provider\" \"%V\" "
                      "%s", &provider->fallback_name, &provider->name, err);
        return NGX_ERROR;
    }

    provider->fallback = fallback;

    text[0].data = provider->digest;
    text[0].len = GW_IDENTITY_DIGEST;
    text[1].data = fallback->digest;
    text[1].len = GW_IDENTITY_DIGEST;

    return ngx_http_gw_auth_option_digest(cf, text, 2, provider->digest);
}


static ngx_http_gw_auth_provider_t *
ngx_http_gw_auth_provider_get(ngx_http_gw_auth_main_conf_t *gamcf,
    ngx_str_t *name)
{
    ngx_uint_t                     i;
    ngx_http_gw_auth_provider_t  **provider;

    provider = gamcf->providers.elts;

    for (i = 0; i < gamcf->providers.nelts; i++) {
        if (ngx_gw_str_equal(&provider[i]->name, name)) {
            return provider[i];
        }
    }

    return NULL;
}


/* names become providers only now: a provider may follow its use */

ngx_int_t
ngx_http_gw_auth_provider_resolve(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf, ngx_http_gw_auth_list_t *list)
{
    ngx_str_t                    *name;
    ngx_uint_t                    i;
    ngx_http_gw_auth_provider_t  *provider;

    name = list->names.elts;

    for (i = 0; i < list->names.nelts; i++) {

        provider = ngx_http_gw_auth_provider_get(gamcf, &name[i]);

        if (provider == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"gw_auth\" names the unknown provider \"%V\": "
                          "define it by \"gw_auth_provider\"", &name[i]);
            return NGX_ERROR;
        }

        if (ngx_http_gw_auth_provider_add(cf, list, provider) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_auth_provider_add(ngx_conf_t *cf, ngx_http_gw_auth_list_t *list,
    ngx_http_gw_auth_provider_t *provider)
{
    ngx_uint_t                     i;
    ngx_http_gw_auth_source_t     *source;
    ngx_http_gw_auth_provider_t  **before;

    before = list->providers.elts;

    for (i = 0; i < list->providers.nelts; i++) {

        if (provider->fallback == before[i]) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"gw_auth\" names \"%V\" before \"%V\", whose "
                          "\"fallback\" it is: its tokens would never be "
                          "introspected", &before[i]->name, &provider->name);
            return NGX_ERROR;
        }
    }

    source = provider->sources.elts;

    for (i = 0; i < provider->sources.nelts; i++) {
        if (!ngx_http_gw_auth_provider_taken(list, &source[i])) {
            break;
        }
    }

    if (i == provider->sources.nelts) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" in \"gw_auth\" is never reached: providers "
                      "before it take every credential from its places",
                      &provider->name);
        return NGX_ERROR;
    }

    before = ngx_array_push(&list->providers);
    if (before == NULL) {
        return NGX_ERROR;
    }

    *before = provider;

    return ngx_http_gw_auth_provider_collect(list, provider);
}


/* a JWT provider leaves tokens of other issuers to the next one */

static ngx_uint_t
ngx_http_gw_auth_provider_taken(ngx_http_gw_auth_list_t *list,
    ngx_http_gw_auth_source_t *source)
{
    ngx_uint_t                     i, j;
    ngx_http_gw_auth_source_t     *known;
    ngx_http_gw_auth_provider_t  **before;

    before = list->providers.elts;

    for (i = 0; i < list->providers.nelts; i++) {

        if (before[i]->kind == NGX_HTTP_GW_AUTH_JWT) {
            continue;
        }

        known = before[i]->sources.elts;

        for (j = 0; j < before[i]->sources.nelts; j++) {
            if (ngx_http_gw_auth_credential_same(&known[j], source)) {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_gw_auth_provider_collect(ngx_http_gw_auth_list_t *list,
    ngx_http_gw_auth_provider_t *provider)
{
    ngx_uint_t                  i, j;
    ngx_http_gw_auth_source_t  *source, *known;

    source = provider->sources.elts;

    for (i = 0; i < provider->sources.nelts; i++) {
        known = list->sources.elts;

        for (j = 0; j < list->sources.nelts; j++) {
            if (ngx_http_gw_auth_credential_same(&known[j], &source[i])) {
                break;
            }
        }

        if (j < list->sources.nelts) {
            continue;
        }

        known = ngx_array_push(&list->sources);
        if (known == NULL) {
            return NGX_ERROR;
        }

        *known = source[i];
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_gw_auth_provider_find(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf)
{
    ngx_uint_t                      i;
    ngx_http_gw_auth_provider_t   **provider;
    ngx_http_gw_fetch_location_t   *location;

    provider = gamcf->providers.elts;

    for (i = 0; i < gamcf->providers.nelts; i++) {
        location = &provider[i]->location;

        if (location->uri.len == 0
            || ngx_http_gw_fetch_find(cf, location) == NGX_OK)
        {
            continue;
        }

        if (location->server.len) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"%s\" of \"gw_auth_provider\" \"%V\": "
                          "no server has the first name \"%V\"",
                          provider[i]->keys ? "jwks" : "introspect",
                          &provider[i]->name, &location->server);

        } else {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"%s\" of \"gw_auth_provider\" \"%V\": "
                          "no server has \"location = %V\"",
                          provider[i]->keys ? "jwks" : "introspect",
                          &provider[i]->name, &location->uri);
        }

        return NGX_ERROR;
    }

    return NGX_OK;
}
