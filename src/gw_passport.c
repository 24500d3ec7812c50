
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "gw_b64.h"
#include "gw_json.h"
#include "gw_passport.h"


#define GW_SIGNER_HALF     32       /* bytes of a coordinate, of r, and of s */
#define GW_SIGNER_SIG_LEN  gw_b64_encoded_len(2 * GW_SIGNER_HALF)

/* the longest name of a key, escaped and encoded, fits */

#define GW_SIGNER_MAX_HEADER  1024


struct gw_signer_s {
    EVP_PKEY         *pkey;
    EVP_MD_CTX       *ctx;          /* initialised, to be copied */

    size_t            header_len;
    size_t            jwk_len;
    char              header[GW_SIGNER_MAX_HEADER];     /* with its dot */
    char              jwk[GW_SIGNER_MAX_JWK];
};


static const char *gw_signer_load(gw_signer_t *s, const char *pem,
    size_t len);
static int gw_signer_no_passphrase(char *buf, int size, int rwflag, void *u);
static const char *gw_signer_check(EVP_PKEY *pkey);
static int gw_signer_header(gw_signer_t *s, const gw_str_t *kid);
static int gw_signer_publish(gw_signer_t *s, const gw_str_t *kid);
static int gw_signer_coordinate(const EVP_PKEY *pkey, const char *name,
    gw_json_out_t *out);
static int gw_signer_sign(const gw_signer_t *s, const char *input, size_t len,
    unsigned char *raw);
static int gw_signer_raw(const unsigned char *der, size_t len,
    unsigned char *raw);
static int gw_passport_is_complete(const gw_passport_t *p);
static void gw_passport_claims(const gw_passport_t *p, gw_json_out_t *out);
static void gw_passport_audience(const gw_passport_t *p, gw_json_out_t *out);
static void gw_passport_text(gw_json_out_t *out, const char *name,
    const gw_str_t *value);
static void gw_passport_time(gw_json_out_t *out, const char *name,
    int64_t value);


gw_signer_t *
gw_signer_create(const gw_str_t *kid, const char *pem, size_t len,
    const char **err)
{
    gw_signer_t  *s;

    if (kid->len == 0
        || kid->len > GW_SIGNER_MAX_KID
        || gw_json_has_control(kid))
    {
        *err = "has a key name that is not 1 to 256 printable bytes";
        return NULL;
    }

    s = calloc(1, sizeof(gw_signer_t));
    if (s == NULL) {
        *err = "cannot be loaded, memory is short";
        return NULL;
    }

    *err = gw_signer_load(s, pem, len);

    if (*err == NULL && gw_signer_header(s, kid) != GW_OK) {
        *err = "has a key name that is not UTF-8";
    }

    if (*err == NULL && gw_signer_publish(s, kid) != GW_OK) {
        *err = "has a key without a public part";
    }

    ERR_clear_error();

    if (*err) {
        gw_signer_free(s);
        return NULL;
    }

    return s;
}


/* NULL, or what is wrong */

static const char *
gw_signer_load(gw_signer_t *s, const char *pem, size_t len)
{
    int          asked;
    BIO         *bio;
    const char  *err;

    if (len == 0) {
        return "is empty";
    }

    if (len > GW_SIGNER_MAX_PEM) {
        return "is longer than 64 KiB";
    }

    bio = BIO_new_mem_buf(pem, (int) len);

    if (bio == NULL) {
        return "cannot be loaded, memory is short";
    }

    asked = 0;

    s->pkey = PEM_read_bio_PrivateKey(bio, NULL, gw_signer_no_passphrase,
                                      &asked);
    BIO_free(bio);

    if (s->pkey == NULL) {
        return asked ? "is encrypted" : "contains no private key in PEM";
    }

    err = gw_signer_check(s->pkey);

    if (err) {
        return err;
    }

    s->ctx = EVP_MD_CTX_new();

    if (s->ctx == NULL
        || EVP_DigestSignInit_ex(s->ctx, NULL, "SHA256", NULL, NULL, s->pkey,
                                 NULL)
           != 1)
    {
        return "contains a key OpenSSL cannot use, or memory is short";
    }

    return NULL;
}


/* OpenSSL's own would ask on the terminal */

static int
gw_signer_no_passphrase(char *buf, int size, int rwflag, void *u)
{
    int  *asked = u;

    (void) buf;
    (void) size;
    (void) rwflag;

    *asked = 1;

    return -1;
}


static const char *
gw_signer_check(EVP_PKEY *pkey)
{
    int            ok;
    char           group[64];
    EVP_PKEY_CTX  *ctx;

    if (!EVP_PKEY_is_a(pkey, "EC")
        || EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME,
                                          group, sizeof(group), NULL)
           != 1
        || strcmp(group, "prime256v1") != 0)
    {
        return "contains a key that is not EC P-256";
    }

    /* a file may hold a public part that is not that of its private one */

    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    ok = ctx && EVP_PKEY_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);

    return ok ? NULL : "contains an inconsistent key";
}


static int
gw_signer_header(gw_signer_t *s, const gw_str_t *kid)
{
    char           text[GW_SIGNER_MAX_HEADER];
    gw_json_out_t  out;

    out.pos = text;
    out.last = text + sizeof(text);
    out.rc = GW_OK;

    gw_json_put(&out, "{\"alg\":\"ES256\",\"typ\":\"passport+jwt\",\"kid\":");
    gw_json_put_string(&out, kid);
    gw_json_put(&out, "}");

    if (out.rc != GW_OK
        || gw_b64_encode(text, (size_t) (out.pos - text), s->header,
                         sizeof(s->header) - 1, &s->header_len)
           != GW_OK)
    {
        return GW_ERROR;
    }

    s->header[s->header_len++] = '.';

    return GW_OK;
}


static int
gw_signer_publish(gw_signer_t *s, const gw_str_t *kid)
{
    gw_json_out_t  out;

    out.pos = s->jwk;
    out.last = s->jwk + sizeof(s->jwk);
    out.rc = GW_OK;

    gw_json_put(&out, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"");

    if (gw_signer_coordinate(s->pkey, OSSL_PKEY_PARAM_EC_PUB_X, &out)
        != GW_OK)
    {
        return GW_ERROR;
    }

    gw_json_put(&out, "\",\"y\":\"");

    if (gw_signer_coordinate(s->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &out)
        != GW_OK)
    {
        return GW_ERROR;
    }

    gw_json_put(&out, "\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":");
    gw_json_put_string(&out, kid);
    gw_json_put(&out, "}");

    s->jwk_len = (size_t) (out.pos - s->jwk);

    return out.rc;
}


static int
gw_signer_coordinate(const EVP_PKEY *pkey, const char *name,
    gw_json_out_t *out)
{
    int             ok;
    char            text[gw_b64_encoded_len(GW_SIGNER_HALF) + 1];
    size_t          len;
    BIGNUM         *bn;
    unsigned char   bytes[GW_SIGNER_HALF];

    bn = NULL;

    ok = EVP_PKEY_get_bn_param(pkey, name, &bn) == 1
         && BN_bn2binpad(bn, bytes, GW_SIGNER_HALF) == GW_SIGNER_HALF
         && gw_b64_encode(bytes, GW_SIGNER_HALF, text, sizeof(text) - 1, &len)
            == GW_OK;

    BN_free(bn);

    if (!ok) {
        return GW_ERROR;
    }

    text[len] = '\0';

    gw_json_put(out, text);

    return GW_OK;
}


void
gw_signer_free(gw_signer_t *s)
{
    if (s == NULL) {
        return;
    }

    EVP_PKEY_free(s->pkey);
    EVP_MD_CTX_free(s->ctx);

    free(s);
}


int
gw_signer_jwk(const gw_signer_t *s, char *buf, size_t size, size_t *len)
{
    *len = 0;

    if (s->jwk_len > size) {
        return GW_DECLINED;
    }

    memcpy(buf, s->jwk, s->jwk_len);
    *len = s->jwk_len;

    return GW_OK;
}


static int
gw_signer_sign(const gw_signer_t *s, const char *input, size_t len,
    unsigned char *raw)
{
    int             rc;
    size_t          n;
    EVP_MD_CTX     *ctx;
    unsigned char   der[2 * GW_SIGNER_HALF + 16];

    n = sizeof(der);
    rc = GW_ERROR;

    ctx = EVP_MD_CTX_new();

    if (ctx
        && EVP_MD_CTX_copy_ex(ctx, s->ctx) == 1
        && EVP_DigestSign(ctx, der, &n, (const unsigned char *) input, len)
           == 1)
    {
        rc = gw_signer_raw(der, n, raw);
    }

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();

    return rc;
}


static int
gw_signer_raw(const unsigned char *der, size_t len, unsigned char *raw)
{
    int         rc;
    ECDSA_SIG  *es;

    es = d2i_ECDSA_SIG(NULL, &der, (long) len);

    if (es == NULL) {
        return GW_ERROR;
    }

    rc = GW_OK;

    if (BN_bn2binpad(ECDSA_SIG_get0_r(es), raw, GW_SIGNER_HALF)
        != GW_SIGNER_HALF
        || BN_bn2binpad(ECDSA_SIG_get0_s(es), raw + GW_SIGNER_HALF,
                        GW_SIGNER_HALF)
           != GW_SIGNER_HALF)
    {
        rc = GW_ERROR;
    }

    ECDSA_SIG_free(es);

    return rc;
}


int
gw_passport_sign(const gw_passport_t *p, const gw_signer_t *s, char *buf,
    size_t size, size_t *len)
{
    char            claims[GW_PASSPORT_MAX_LEN];
    size_t          n, pos, room;
    gw_json_out_t   out;
    unsigned char   raw[2 * GW_SIGNER_HALF];

    *len = 0;

    if (!gw_passport_is_complete(p)) {
        return GW_ERROR;
    }

    out.pos = claims;
    out.last = claims + sizeof(claims);
    out.rc = GW_OK;

    gw_passport_claims(p, &out);

    if (out.rc != GW_OK) {
        return out.rc;
    }

    room = (size < GW_PASSPORT_MAX_LEN) ? size : GW_PASSPORT_MAX_LEN;

    if (room < s->header_len + 1 + GW_SIGNER_SIG_LEN) {
        return GW_DECLINED;
    }

    /* set aside what comes behind the claims */

    room -= 1 + GW_SIGNER_SIG_LEN;

    memcpy(buf, s->header, s->header_len);
    pos = s->header_len;

    if (gw_b64_encode(claims, (size_t) (out.pos - claims), buf + pos,
                      room - pos, &n)
        != GW_OK)
    {
        return GW_DECLINED;
    }

    pos += n;

    if (gw_signer_sign(s, buf, pos, raw) != GW_OK) {
        return GW_ERROR;
    }

    buf[pos++] = '.';

    if (gw_b64_encode(raw, sizeof(raw), buf + pos, GW_SIGNER_SIG_LEN, &n)
        != GW_OK)
    {
        return GW_ERROR;
    }

    *len = pos + n;

    return GW_OK;
}


static int
gw_passport_is_complete(const gw_passport_t *p)
{
    size_t  i;

    for (i = 0; i < p->naudiences; i++) {
        if (p->audiences[i].len == 0) {
            return 0;
        }
    }

    return p->naudiences
           && p->issuer.len
           && p->subject.len
           && p->source.len
           && p->level.len
           && p->id.len;
}


static void
gw_passport_claims(const gw_passport_t *p, gw_json_out_t *out)
{
    gw_json_put(out, "{\"iss\":");
    gw_json_put_string(out, &p->issuer);

    gw_passport_audience(p, out);

    gw_passport_text(out, ",\"sub\":", &p->subject);
    gw_passport_time(out, ",\"iat\":", p->issued);
    gw_passport_time(out, ",\"nbf\":", p->not_before);
    gw_passport_time(out, ",\"exp\":", p->expires);
    gw_passport_text(out, ",\"jti\":", &p->id);

    gw_json_put(out, ",\"ver\":1");

    gw_passport_text(out, ",\"src\":", &p->source);
    gw_passport_text(out, ",\"lvl\":", &p->level);
    gw_passport_text(out, ",\"tier\":", &p->tier);
    gw_passport_text(out, ",\"scope\":", &p->scope);
    gw_passport_text(out, ",\"cli\":", &p->client);

    gw_json_put(out, p->degraded ? ",\"deg\":true}" : "}");
}


static void
gw_passport_audience(const gw_passport_t *p, gw_json_out_t *out)
{
    size_t  i;

    if (p->naudiences == 1) {
        gw_passport_text(out, ",\"aud\":", &p->audiences[0]);
        return;
    }

    for (i = 0; i < p->naudiences; i++) {
        gw_passport_text(out, i ? "," : ",\"aud\":[", &p->audiences[i]);
    }

    gw_json_put(out, "]");
}


/* an empty one is left out */

static void
gw_passport_text(gw_json_out_t *out, const char *name, const gw_str_t *value)
{
    if (value->len == 0) {
        return;
    }

    gw_json_put(out, name);
    gw_json_put_string(out, value);
}


static void
gw_passport_time(gw_json_out_t *out, const char *name, int64_t value)
{
    gw_json_put(out, name);
    gw_json_put_int(out, value);
}
