
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_identify.h"
#include "gw_claim.h"
#include "gw_json.h"

#include <openssl/rand.h>


#define NGX_HTTP_GW_AUTH_TIER    64       /* bytes, of the claims used */
#define NGX_HTTP_GW_AUTH_SCOPE   1024
#define NGX_HTTP_GW_AUTH_CLIENT  255

#define NGX_HTTP_GW_AUTH_FIELDS  64       /* of a record */


static ngx_uint_t ngx_http_gw_auth_identify_claims(ngx_pool_t *pool,
    const ngx_http_gw_auth_provider_t *provider,
    const ngx_http_gw_auth_provider_t *names, const struct json_t *claims,
    const gw_str_t *sub, gw_identity_t *id);
static ngx_uint_t ngx_http_gw_auth_identify_text(ngx_pool_t *pool,
    const struct json_t *claims, const char *name, size_t max,
    gw_str_t *text);
static void ngx_http_gw_auth_identify_marks(gw_identity_t *id,
    const struct json_t *claims, const gw_str_t *iss);
static ngx_uint_t ngx_http_gw_auth_identify_json(ngx_pool_t *pool,
    const ngx_gw_reply_t *reply, gw_str_t *text);
static ngx_uint_t ngx_http_gw_auth_identify_field(
    const struct json_t *record, const char *name, int64_t *n);


ngx_uint_t
ngx_http_gw_auth_identify_jwt(ngx_pool_t *pool,
    const ngx_http_gw_auth_provider_t *provider,
    const ngx_http_gw_auth_provider_t *issuer, const gw_jwt_t *jwt,
    gw_identity_t *id)
{
    ngx_uint_t  reason;

    reason = ngx_http_gw_auth_identify_claims(pool, provider, issuer,
                                              jwt->claims, &jwt->sub, id);
    if (reason != GW_JWT_OK) {
        return reason;
    }

    id->source = GW_SOURCE_JWT;
    id->claims = jwt->payload;
    id->degraded = (provider != issuer);

    id->ends = jwt->exp;
    id->expires = jwt->exp + issuer->rules.leeway;
    id->begins = ngx_max(jwt->nbf, jwt->iat) - issuer->rules.leeway;
    id->issued = jwt->iat;

    ngx_http_gw_auth_identify_marks(id, jwt->claims, &jwt->iss);

    return GW_JWT_OK;
}


ngx_uint_t
ngx_http_gw_auth_identify_answer(ngx_pool_t *pool,
    const ngx_http_gw_auth_provider_t *provider,
    const gw_introspect_t *answer, const ngx_str_t *text, gw_identity_t *id)
{
    int64_t     begins;
    ngx_uint_t  reason;

    reason = ngx_http_gw_auth_identify_claims(pool, provider, provider,
                                              answer->claims, &answer->sub,
                                              id);
    if (reason != GW_JWT_OK) {
        return reason;
    }

    id->source = GW_SOURCE_OPAQUE;
    id->claims.len = text->len;
    id->claims.data = (const char *) text->data;

    /* what is not known does not shorten passports */

    id->ends = answer->exp ? answer->exp : INT64_MAX;
    id->expires = answer->exp ? answer->exp + provider->rules.leeway
                              : INT64_MAX;

    begins = ngx_max(answer->nbf, answer->iat);

    id->begins = begins ? begins - provider->rules.leeway : 0;
    id->issued = answer->iat;

    ngx_http_gw_auth_identify_marks(id, answer->claims, &answer->iss);

    return GW_JWT_OK;
}


ngx_uint_t
ngx_http_gw_auth_identify_record(ngx_pool_t *pool,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *hex,
    const ngx_gw_reply_t *reply, gw_identity_t *id)
{
    int64_t         enabled, expires, issued;
    gw_str_t        sub, key, none;
    ngx_uint_t      reason;
    struct json_t  *record;

    none.len = 0;
    none.data = NULL;

    reason = ngx_http_gw_auth_identify_json(pool, reply, &id->claims);
    if (reason != GW_JWT_OK) {
        return reason;
    }

    record = gw_json_object(id->claims.data, id->claims.len);
    if (record == NULL) {
        return GW_JWT_BAD_CLAIM;
    }

    enabled = 1;
    expires = INT64_MAX;
    issued = 0;
    key = id->claims;

    (void) gw_json_text(record, "subject", &sub);

    if (sub.len == 0 || sub.len > GW_JWT_MAX_SUB || gw_json_has_control(&sub)
        || ngx_http_gw_auth_identify_field(record, "enabled", &enabled)
           != GW_JWT_OK
        || ngx_http_gw_auth_identify_field(record, "expires", &expires)
           != GW_JWT_OK
        || ngx_http_gw_auth_identify_field(record, "issued", &issued)
           != GW_JWT_OK)
    {
        reason = GW_JWT_BAD_CLAIM;

    } else if (!enabled) {
        reason = NGX_HTTP_GW_AUTH_DISABLED;

    } else if (expires <= ngx_time()) {
        reason = GW_JWT_EXPIRED;

    } else {
        reason = ngx_http_gw_auth_identify_claims(pool, provider, provider,
                                                  record, &sub, id);
    }

    gw_json_free(record);

    if (reason != GW_JWT_OK) {
        return reason;
    }

    id->source = GW_SOURCE_APIKEY;
    id->claims = key;
    id->ends = expires;
    id->expires = expires;
    id->issued = issued;

    key.len = hex->len;
    key.data = (const char *) hex->data;

    gw_revoke_mark(GW_REVOKE_KEY, &none, &key, id->marks[id->nmarks++]);

    return GW_JWT_OK;
}


/* subject, tier, scope, client and the mark of the subject */

static ngx_uint_t
ngx_http_gw_auth_identify_claims(ngx_pool_t *pool,
    const ngx_http_gw_auth_provider_t *provider,
    const ngx_http_gw_auth_provider_t *names, const struct json_t *claims,
    const gw_str_t *sub, gw_identity_t *id)
{
    u_char      *p;
    gw_str_t     none;
    ngx_uint_t   reason;

    none.len = 0;
    none.data = NULL;

    ngx_memzero(id, sizeof(gw_identity_t));

    if (RAND_bytes((u_char *) &id->revision, sizeof(id->revision)) != 1) {
        return GW_JWT_UNAVAILABLE;
    }

    p = ngx_pnalloc(pool, provider->prefix.len + sub->len);
    if (p == NULL) {
        return GW_JWT_UNAVAILABLE;
    }

    id->subject.data = (const char *) p;
    id->subject.len = provider->prefix.len + sub->len;

    p = ngx_cpymem(p, provider->prefix.data, provider->prefix.len);
    ngx_memcpy(p, sub->data, sub->len);

    reason = ngx_http_gw_auth_identify_text(pool, claims, names->tier,
                                            NGX_HTTP_GW_AUTH_TIER, &id->tier);

    if (reason == GW_JWT_OK) {
        reason = ngx_http_gw_auth_identify_text(pool, claims, names->scope,
                                                NGX_HTTP_GW_AUTH_SCOPE,
                                                &id->scope);
    }

    if (reason == GW_JWT_OK) {
        reason = ngx_http_gw_auth_identify_text(pool, claims,
                     names->kind == NGX_HTTP_GW_AUTH_API_KEY ? "client"
                                                             : "azp",
                     NGX_HTTP_GW_AUTH_CLIENT, &id->client);
    }

    if (reason == GW_JWT_OK && id->client.len == 0) {
        reason = ngx_http_gw_auth_identify_text(pool, claims, "client_id",
                                                NGX_HTTP_GW_AUTH_CLIENT,
                                                &id->client);
    }

    if (reason != GW_JWT_OK) {
        return reason;
    }

    gw_revoke_mark(GW_REVOKE_SUB, &none, &id->subject, id->marks[0]);
    id->nmarks = 1;

    return GW_JWT_OK;
}


/* an absent claim is empty */

static ngx_uint_t
ngx_http_gw_auth_identify_text(ngx_pool_t *pool, const struct json_t *claims,
    const char *name, size_t max, gw_str_t *text)
{
    int      rc;
    char    *p;
    size_t   len;
    char     buf[NGX_HTTP_GW_AUTH_SCOPE];

    rc = gw_claim_text(claims, name, buf, max, &len);

    if (rc == GW_DECLINED || (rc == GW_OK && len == 0)) {
        text->len = 0;
        text->data = NULL;
        return GW_JWT_OK;
    }

    if (rc != GW_OK) {
        return GW_JWT_BAD_CLAIM;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return GW_JWT_UNAVAILABLE;
    }

    ngx_memcpy(p, buf, len);

    text->len = len;
    text->data = p;

    return GW_JWT_OK;
}


/* a "jti" may be revoked with its issuer, or for any */

static void
ngx_http_gw_auth_identify_marks(gw_identity_t *id,
    const struct json_t *claims, const gw_str_t *iss)
{
    gw_str_t  jti, none;

    none.len = 0;
    none.data = NULL;

    if (gw_json_text(claims, "jti", &jti) != GW_OK || jti.len == 0) {
        return;
    }

    gw_revoke_mark(GW_REVOKE_JTI, &none, &jti, id->marks[id->nmarks++]);

    if (iss->len) {
        gw_revoke_mark(GW_REVOKE_JTI, iss, &jti, id->marks[id->nmarks++]);
    }
}


/* the fields of a record as an object: the claims of an API key */

static ngx_uint_t
ngx_http_gw_auth_identify_json(ngx_pool_t *pool, const ngx_gw_reply_t *reply,
    gw_str_t *text)
{
    gw_str_t        s;
    ngx_int_t       n;
    ngx_str_t       field;
    ngx_uint_t      i;
    gw_json_out_t   out;

    n = ngx_gw_reply_count(reply);

    if (n == 0) {
        return NGX_HTTP_GW_AUTH_UNKNOWN_API_KEY;
    }

    if (n == NGX_ERROR) {
        return GW_JWT_UNAVAILABLE;
    }

    if (n % 2 || n > 2 * NGX_HTTP_GW_AUTH_FIELDS) {
        return GW_JWT_BAD_CLAIM;
    }

    out.pos = ngx_pnalloc(pool, NGX_HTTP_GW_AUTH_RECORD);
    if (out.pos == NULL) {
        return GW_JWT_UNAVAILABLE;
    }

    text->data = out.pos;

    out.last = out.pos + NGX_HTTP_GW_AUTH_RECORD;
    out.rc = GW_OK;

    for (i = 0; i < (ngx_uint_t) n; i++) {

        if (ngx_gw_reply_text(ngx_gw_reply_item(reply, i), &field)
            != NGX_OK)
        {
            return GW_JWT_BAD_CLAIM;
        }

        s.len = field.len;
        s.data = (const char *) field.data;

        gw_json_put(&out, i % 2 ? ":" : i ? "," : "{");
        gw_json_put_string(&out, &s);
    }

    gw_json_put(&out, "}");

    text->len = out.pos - text->data;

    return (out.rc == GW_OK) ? GW_JWT_OK : GW_JWT_BAD_CLAIM;
}


/* a number, as Redis keeps it; absent or empty: the default stays */

static ngx_uint_t
ngx_http_gw_auth_identify_field(const struct json_t *record, const char *name,
    int64_t *n)
{
    off_t     value;
    gw_str_t  s;

    if (gw_json_text(record, name, &s) != GW_OK || s.len == 0) {
        return GW_JWT_OK;
    }

    value = ngx_atoof((u_char *) s.data, s.len);

    if (value == NGX_ERROR) {
        return GW_JWT_BAD_CLAIM;
    }

    *n = value;

    return GW_JWT_OK;
}
