
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_answer.h"
#include "gw_sha256.h"
#include "ngx_http_gw_auth_worker.h"


static int ngx_http_gw_auth_answer_mark(
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential,
    u_char *key);
static gw_jwt_status_e ngx_http_gw_auth_answer_try_fallback(
    const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential,
    time_t *expires);


void
ngx_http_gw_auth_answer_keep(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const u_char *digest,
    ngx_uint_t reason, time_t expires, const char *packed, size_t len)
{
    uint32_t  refusal;
    u_char    key[GW_IDENTITY_DIGEST];

    if (gw_identity_key(provider->digest, 0, digest, key) != GW_OK) {
        return;
    }

    if (reason == GW_JWT_OK) {
        (void) ngx_gw_cache_put(gamcf->cache, NGX_GW_CACHE_IDENTITIES, key,
                                expires, packed, len);
        return;
    }

    refusal = reason;

    (void) ngx_gw_cache_put(gamcf->cache, NGX_GW_CACHE_REFUSALS, key,
                            expires, &refusal, sizeof(refusal));
}


/*
 * A token whose signature is good is kept among the identities: refusals are
 * few, and anybody's to fill.
 */

void
ngx_http_gw_auth_answer_remember(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential)
{
    time_t               expires;
    u_char               key[GW_IDENTITY_DIGEST];
    ngx_gw_cache_part_e  part;

    if (ngx_http_gw_auth_answer_mark(provider, credential, key) != GW_OK) {
        return;
    }

    switch (ngx_http_gw_auth_answer_try_fallback(gamcf, provider, credential,
                                                 &expires))
    {

    case GW_JWT_OK:
        part = NGX_GW_CACHE_IDENTITIES;
        break;

    case GW_JWT_UNKNOWN_KEY:
        part = NGX_GW_CACHE_REFUSALS;
        break;

    default:
        return;
    }

    (void) ngx_gw_cache_put(gamcf->cache, part, key, expires, "", 1);
}


/*
 * "Inactive, though the fallback would take it".  Not of the signature: there
 * are two of each by ECDSA.  Nor of the provider's digest, which a reload may
 * change.
 */

static int
ngx_http_gw_auth_answer_mark(const ngx_http_gw_auth_provider_t *provider,
    const ngx_str_t *credential, u_char *key)
{
    u_char    *p;
    gw_str_t   parts[4];

    static const char  head[] = "inactive";

    parts[0].len = sizeof(head);
    parts[0].data = head;
    parts[1].len = sizeof(size_t);
    parts[1].data = (const char *) &provider->name.len;
    parts[2].len = provider->name.len;
    parts[2].data = (const char *) provider->name.data;

    for (p = credential->data + credential->len; p > credential->data; p--) {
        if (p[-1] == '.') {
            break;
        }
    }

    parts[3].len = p - credential->data;
    parts[3].data = (const char *) credential->data;

    return gw_sha256(parts, 4, key);
}


static gw_jwt_status_e
ngx_http_gw_auth_answer_try_fallback(
    const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential,
    time_t *expires)
{
    uint64_t                            generation;
    gw_jwt_t                            jwt;
    gw_jwt_status_e                     status;
    const gw_jwks_t                    *jwks;
    const ngx_http_gw_auth_provider_t  *issuer;

    *expires = 0;

    issuer = provider->fallback;
    jwks = issuer->jwks;

    if (issuer->keys) {
        jwks = ngx_gw_keys_get(gamcf->worker->keys[issuer->index],
                               &generation);
    }

    status = gw_jwt_parse(&jwt, (const char *) credential->data,
                          credential->len);

    if (status == GW_JWT_OK) {
        status = gw_jwt_check(&jwt, &issuer->rules, ngx_time());
    }

    /* what is not valid yet, will be */

    if (status == GW_JWT_OK || status == GW_JWT_NOT_YET_VALID) {
        *expires = jwt.exp + issuer->rules.leeway;

        status = jwks ? gw_jwt_verify(&jwt, jwks, issuer->algs)
                      : GW_JWT_UNKNOWN_KEY;
    }

    gw_jwt_free(&jwt);

    return status;
}


void
ngx_http_gw_auth_answer_forget(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential)
{
    u_char  key[GW_IDENTITY_DIGEST];

    if (provider->fallback == NULL
        || ngx_http_gw_auth_answer_mark(provider, credential, key) != GW_OK)
    {
        return;
    }

    ngx_gw_cache_remove(gamcf->cache, NGX_GW_CACHE_IDENTITIES, key);
    ngx_gw_cache_remove(gamcf->cache, NGX_GW_CACHE_REFUSALS, key);
}


ngx_uint_t
ngx_http_gw_auth_answer_inactive(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential)
{
    char    c;
    size_t  len;
    u_char  key[GW_IDENTITY_DIGEST];

    if (ngx_http_gw_auth_answer_mark(provider, credential, key) != GW_OK) {
        return 1;
    }

    return ngx_gw_cache_get(gamcf->cache, NGX_GW_CACHE_IDENTITIES, key, &c, 1,
                            &len)
           == NGX_OK
           || ngx_gw_cache_get(gamcf->cache, NGX_GW_CACHE_REFUSALS, key, &c,
                               1, &len)
              == NGX_OK;
}
