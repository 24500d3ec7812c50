
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_passport.h"
#include "gw_b64.h"
#include "gw_json.h"
#include "gw_sha256.h"
#include "ngx_http_gw_auth_state.h"

#include <openssl/rand.h>


#define NGX_HTTP_GW_AUTH_ID  16           /* random bytes of a "jti" */


/* what is cached; the token follows */

typedef struct {
    int64_t                issued;
    int64_t                expires;
} ngx_http_gw_auth_signed_t;


static ngx_int_t ngx_http_gw_auth_passport_claims(ngx_http_request_t *r,
    const ngx_http_gw_auth_conf_t *gacf, gw_passport_t *p,
    gw_passport_claim_t *claims);
static void ngx_http_gw_auth_passport_fill(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_passport_t *passport, gw_passport_t *p);
static ngx_int_t ngx_http_gw_auth_passport_key(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_passport_t *passport, const gw_passport_t *p,
    const gw_signer_t *signer, u_char *key);
static void ngx_http_gw_auth_part(gw_str_t *part, const void *data,
    size_t len);
static ngx_int_t ngx_http_gw_auth_passport_find(ngx_http_gw_auth_ctx_t *ctx,
    const gw_passport_t *p, const u_char *key, ngx_str_t *token);
static ngx_int_t ngx_http_gw_auth_passport_sign(ngx_http_gw_auth_ctx_t *ctx,
    gw_passport_t *p, const gw_signer_t *signer, const u_char *key,
    ngx_str_t *token);
static ngx_uint_t ngx_http_gw_auth_passport_is_text(const gw_passport_t *p);
static ngx_int_t ngx_http_gw_auth_passport_copy(ngx_http_request_t *r,
    const char *data, size_t len, ngx_str_t *token);


static const gw_str_t  ngx_http_gw_auth_sources[] = {
    gw_str("jwt"),
    gw_str("opaque"),
    gw_str("apikey")
};


ngx_int_t
ngx_http_gw_auth_passport(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf, ngx_str_t *token)
{
    u_char                   digest[GW_IDENTITY_DIGEST], *key;
    ngx_int_t                rc;
    gw_passport_t            p;
    gw_signer_t             *signer;
    gw_passport_claim_t      claims[GW_PASSPORT_MAX_EXTRA];
    ngx_http_gw_auth_key_t  *keys;

    keys = ctx->gamcf->keys.elts;
    signer = keys[0].signer;

    ngx_memzero(&p, sizeof(gw_passport_t));

    if (ngx_http_gw_auth_passport_claims(ctx->request, gacf, &p, claims)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_gw_auth_passport_fill(ctx, gacf->passport, &p);

    key = NULL;

    if (ctx->gamcf->cache
        && ngx_http_gw_auth_passport_key(ctx, gacf->passport, &p, signer,
                                         digest)
           == NGX_OK)
    {
        key = digest;

        rc = ngx_http_gw_auth_passport_find(ctx, &p, key, token);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return ngx_http_gw_auth_passport_sign(ctx, &p, signer, key, token);
}


static ngx_int_t
ngx_http_gw_auth_passport_claims(ngx_http_request_t *r,
    const ngx_http_gw_auth_conf_t *gacf, gw_passport_t *p,
    gw_passport_claim_t *claims)
{
    ngx_str_t                  value;
    ngx_uint_t                 i;
    ngx_http_gw_auth_claim_t  *claim;

    if (gacf->claims == NULL) {
        return NGX_OK;
    }

    claim = gacf->claims->elts;

    for (i = 0; i < gacf->claims->nelts; i++) {

        if (ngx_http_complex_value(r, &claim[i].value, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        claims[i].name.len = claim[i].name.len;
        claims[i].name.data = (const char *) claim[i].name.data;
        claims[i].value.len = value.len;
        claims[i].value.data = (const char *) value.data;
    }

    p->extra = claims;
    p->nextra = gacf->claims->nelts;

    return NGX_OK;
}


/* everything but "jti" */

static void
ngx_http_gw_auth_passport_fill(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_passport_t *passport, gw_passport_t *p)
{
    int64_t               ends;
    const gw_identity_t  *id;

    id = &ctx->identity;

    p->issuer = passport->issuer;
    p->audiences = passport->audiences.elts;
    p->naudiences = passport->audiences.nelts;

    p->subject = id->subject;
    p->tier = id->tier;
    p->scope = id->scope;
    p->client = id->client;
    p->source = ngx_http_gw_auth_sources[id->source];
    p->degraded = id->degraded;

    /* low: the credential crossed the network in clear */

    p->level = (gw_str_t) gw_str("low");

#if (NGX_HTTP_SSL)
    if (ctx->request->connection->ssl) {
        p->level = (gw_str_t) gw_str("high");
    }
#endif

    p->issued = ngx_time();
    p->not_before = p->issued;

    /* a credential in its leeway has ended, its passport must not have */

    ends = (id->ends > p->issued) ? ngx_min(id->ends, id->expires)
                                  : id->expires;

    p->expires = ngx_min(p->issued + passport->ttl, ends);
}


static ngx_int_t
ngx_http_gw_auth_passport_key(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_passport_t *passport, const gw_passport_t *p,
    const gw_signer_t *signer, u_char *key)
{
    u_char                      flags[2];
    size_t                      i, n;
    gw_str_t                    parts[5 + 4 * GW_PASSPORT_MAX_EXTRA];
    const gw_passport_claim_t  *claim;

    flags[0] = (u_char) p->level.data[0];
    flags[1] = ctx->identity.degraded;

    n = 0;

    ngx_http_gw_auth_part(&parts[n++], ctx->digest, GW_IDENTITY_DIGEST);
    ngx_http_gw_auth_part(&parts[n++], passport->digest, GW_IDENTITY_DIGEST);
    ngx_http_gw_auth_part(&parts[n++], gw_signer_id(signer), GW_SIGNER_ID);
    ngx_http_gw_auth_part(&parts[n++], &ctx->identity.revision,
                          sizeof(uint64_t));
    ngx_http_gw_auth_part(&parts[n++], flags, sizeof(flags));

    for (i = 0; i < p->nextra; i++) {
        claim = &p->extra[i];

        ngx_http_gw_auth_part(&parts[n++], &claim->name.len, sizeof(size_t));
        parts[n++] = claim->name;

        ngx_http_gw_auth_part(&parts[n++], &claim->value.len, sizeof(size_t));
        parts[n++] = claim->value;
    }

    return (gw_sha256(parts, n, key) == GW_OK) ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_gw_auth_part(gw_str_t *part, const void *data, size_t len)
{
    part->len = len;
    part->data = data;
}


static ngx_int_t
ngx_http_gw_auth_passport_find(ngx_http_gw_auth_ctx_t *ctx,
    const gw_passport_t *p, const u_char *key, ngx_str_t *token)
{
    char                        buf[sizeof(ngx_http_gw_auth_signed_t)
                                    + GW_PASSPORT_MAX_LEN];
    size_t                      len;
    ngx_http_gw_auth_signed_t   s;

    if (ngx_gw_cache_get(ctx->gamcf->cache, NGX_GW_CACHE_PASSPORTS, key, buf,
                         sizeof(buf), &len)
        != NGX_OK
        || len <= sizeof(ngx_http_gw_auth_signed_t))
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(&s, buf, sizeof(ngx_http_gw_auth_signed_t));

    if (p->issued < s.issued) {

        /* the clock went back: it would not be valid yet */

        return NGX_DECLINED;
    }

    if (p->issued >= s.issued + (s.expires - s.issued + 1) / 2
        && p->expires > s.expires)
    {
        return NGX_DECLINED;
    }

    return ngx_http_gw_auth_passport_copy(ctx->request,
                                buf + sizeof(ngx_http_gw_auth_signed_t),
                                len - sizeof(ngx_http_gw_auth_signed_t),
                                token);
}


static ngx_int_t
ngx_http_gw_auth_passport_sign(ngx_http_gw_auth_ctx_t *ctx, gw_passport_t *p,
    const gw_signer_t *signer, const u_char *key, ngx_str_t *token)
{
    int                         rc;
    char                        id[gw_b64_encoded_len(NGX_HTTP_GW_AUTH_ID)];
    char                        buf[sizeof(ngx_http_gw_auth_signed_t)
                                    + GW_PASSPORT_MAX_LEN];
    char                       *text;
    size_t                      len;
    u_char                      random[NGX_HTTP_GW_AUTH_ID];
    ngx_log_t                  *log;
    ngx_http_gw_auth_signed_t   s;

    log = ctx->request->connection->log;

    if (RAND_bytes(random, NGX_HTTP_GW_AUTH_ID) != 1
        || gw_b64_encode(random, NGX_HTTP_GW_AUTH_ID, id, sizeof(id),
                         &p->id.len)
           != GW_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      "gw auth: no random bytes for a passport");
        return NGX_ERROR;
    }

    p->id.data = id;

    text = buf + sizeof(ngx_http_gw_auth_signed_t);

    rc = gw_passport_sign(p, signer, text, GW_PASSPORT_MAX_LEN, &len);

    if (rc == GW_DECLINED
        || (rc == GW_ERROR && !ngx_http_gw_auth_passport_is_text(p)))
    {
        return NGX_DECLINED;
    }

    if (rc != GW_OK) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "gw auth: signing a passport failed");
        return NGX_ERROR;
    }

    ngx_http_gw_auth_count(ctx->gamcf, NULL, NGX_HTTP_GW_AUTH_C_SIGNED);

    if (key) {
        s.issued = p->issued;
        s.expires = p->expires;

        ngx_memcpy(buf, &s, sizeof(ngx_http_gw_auth_signed_t));

        (void) ngx_gw_cache_put(ctx->gamcf->cache, NGX_GW_CACHE_PASSPORTS,
                                key, p->expires, buf,
                                sizeof(ngx_http_gw_auth_signed_t) + len);
    }

    return ngx_http_gw_auth_passport_copy(ctx->request, text, len, token);
}


/* the user's claims may hold what a client has sent: any bytes */

static ngx_uint_t
ngx_http_gw_auth_passport_is_text(const gw_passport_t *p)
{
    char           buf[GW_PASSPORT_MAX_LEN];
    size_t         i;
    gw_json_out_t  out;

    for (i = 0; i < p->nextra; i++) {
        out.pos = buf;
        out.last = buf + sizeof(buf);
        out.rc = GW_OK;

        gw_json_put_string(&out, &p->extra[i].value);

        if (out.rc == GW_ERROR) {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_gw_auth_passport_copy(ngx_http_request_t *r, const char *data,
    size_t len, ngx_str_t *token)
{
    token->data = ngx_pnalloc(r->pool, len);
    if (token->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(token->data, data, len);
    token->len = len;

    return NGX_OK;
}
