
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
#include "gw_signer.h"


#define GW_SIGNER_MIN_SECRET  32
#define GW_SIGNER_MAX_SECRET  1024

#define GW_SIGNER_HALF        32       /* bytes of r, of s, of a coordinate */
#define GW_SIGNER_MAX_RAW     114      /* Ed448; P-256 in DER has 72 */
#define GW_SIGNER_MAX_POINT   57

/* the longest name of a key, escaped and encoded, fits */

#define GW_SIGNER_MAX_HEADER  1024


typedef struct {
    const char       *name;         /* OpenSSL's */
    const char       *group;        /* the same, NULL if "name" says it */
    const char       *digest;       /* the same, NULL for EdDSA */
    const char       *alg;
    const char       *jwk;          /* what begins it */
    size_t            raw;          /* bytes of a signature */
} gw_signer_type_t;


struct gw_signer_s {
    const gw_signer_type_t  *type;

    EVP_PKEY                *pkey;
    EVP_MD_CTX              *ctx;   /* initialised, to be copied; or this */
    EVP_MAC_CTX             *mac;

    size_t                   header_len;
    size_t                   jwk_len;
    uint8_t                  id[GW_SIGNER_ID];
    char                     header[GW_SIGNER_MAX_HEADER];  /* with its dot */
    char                     jwk[GW_SIGNER_MAX_JWK];
};


static const char *gw_signer_secret(gw_signer_t *s, const char *text,
    size_t len);
static const char *gw_signer_load(gw_signer_t *s, const char *text,
    size_t len);
static EVP_PKEY *gw_signer_read(const char *text, size_t len,
    const char **err);
static int gw_signer_no_passphrase(char *buf, int size, int rwflag, void *u);
static const gw_signer_type_t *gw_signer_find(const EVP_PKEY *pkey);
static int gw_signer_describe(gw_signer_t *s, const gw_str_t *kid);
static int gw_signer_publish(gw_signer_t *s, const gw_str_t *kid);
static void gw_signer_member(const gw_signer_t *s, gw_json_out_t *out,
    const char *begin, const char *coordinate);
static int gw_signer_name(gw_signer_t *s);
static int gw_signer_mac(const gw_signer_t *s, const char *input, size_t len,
    unsigned char *raw);
static int gw_signer_digest(const gw_signer_t *s, const char *input,
    size_t len, unsigned char *raw);
static int gw_signer_der(const unsigned char *der, size_t len,
    unsigned char *raw);


static const gw_signer_type_t  gw_signer_hmac =
    { "HMAC", NULL, "SHA256", "HS256", "{\"kty\":\"oct\"", 32 };


static const gw_signer_type_t  gw_signer_types[] = {

    { "EC", "prime256v1", "SHA256", "ES256",
      "{\"kty\":\"EC\",\"crv\":\"P-256\"", 2 * GW_SIGNER_HALF },

    { "ED25519", NULL, NULL, "EdDSA",
      "{\"kty\":\"OKP\",\"crv\":\"Ed25519\"", 64 },

    { "ED448", NULL, NULL, "EdDSA",
      "{\"kty\":\"OKP\",\"crv\":\"Ed448\"", GW_SIGNER_MAX_RAW }
};


gw_signer_t *
gw_signer_create(const gw_str_t *kid, const char *text, size_t len, int hmac,
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

    *err = hmac ? gw_signer_secret(s, text, len)
                : gw_signer_load(s, text, len);

    if (*err == NULL && gw_signer_describe(s, kid) != GW_OK) {
        *err = "has a key name that is not UTF-8";
    }

    if (*err == NULL
        && (gw_signer_publish(s, kid) != GW_OK || gw_signer_name(s) != GW_OK))
    {
        *err = "contains a key OpenSSL cannot use, or memory is short";
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
gw_signer_secret(gw_signer_t *s, const char *text, size_t len)
{
    EVP_MAC     *hmac;
    OSSL_PARAM   params[2];

    while (len && memchr(" \t\r\n", text[len - 1], 4)) {
        len--;
    }

    if (len == 0) {
        return "is empty";
    }

    if (len < GW_SIGNER_MIN_SECRET) {
        return "holds a secret under 32 bytes";
    }

    /* what another algorithm publishes is the classic of wrong secrets */

    if (memcmp(text, "-----BEGIN ", 11) == 0) {
        return "holds PEM, not a secret";
    }

    if (len > GW_SIGNER_MAX_SECRET) {
        return "holds a secret over 1024 bytes";
    }

    s->type = &gw_signer_hmac;

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                 (char *) s->type->digest, 0);
    params[1] = OSSL_PARAM_construct_end();

    hmac = EVP_MAC_fetch(NULL, s->type->name, NULL);
    s->mac = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);

    if (s->mac == NULL
        || EVP_MAC_init(s->mac, (const unsigned char *) text, len, params)
           != 1)
    {
        return "holds a secret OpenSSL cannot use, or memory is short";
    }

    return NULL;
}


static const char *
gw_signer_load(gw_signer_t *s, const char *text, size_t len)
{
    int            ok;
    const char    *err;
    EVP_PKEY_CTX  *ctx;

    s->pkey = gw_signer_read(text, len, &err);

    if (s->pkey == NULL) {
        return err;
    }

    s->type = gw_signer_find(s->pkey);

    if (s->type == NULL) {
        return "contains a key that is neither EC P-256, nor Ed25519, "
               "nor Ed448";
    }

    /* a file may hold a public part that is not that of its private one */

    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, s->pkey, NULL);
    ok = ctx && EVP_PKEY_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);

    if (!ok) {
        return "contains an inconsistent key";
    }

    s->ctx = EVP_MD_CTX_new();

    if (s->ctx == NULL
        || EVP_DigestSignInit_ex(s->ctx, NULL, s->type->digest, NULL, NULL,
                                 s->pkey, NULL)
           != 1)
    {
        return "contains a key OpenSSL cannot use, or memory is short";
    }

    return NULL;
}


static EVP_PKEY *
gw_signer_read(const char *text, size_t len, const char **err)
{
    int        asked;
    BIO       *bio;
    EVP_PKEY  *pkey;

    if (len == 0) {
        *err = "is empty";
        return NULL;
    }

    if (len > GW_SIGNER_MAX_PEM) {
        *err = "is longer than 64 KiB";
        return NULL;
    }

    bio = BIO_new_mem_buf(text, (int) len);

    if (bio == NULL) {
        *err = "cannot be loaded, memory is short";
        return NULL;
    }

    asked = 0;

    pkey = PEM_read_bio_PrivateKey(bio, NULL, gw_signer_no_passphrase,
                                   &asked);
    BIO_free(bio);

    if (pkey == NULL) {
        *err = asked ? "is encrypted" : "contains no private key in PEM";
    }

    return pkey;
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


static const gw_signer_type_t *
gw_signer_find(const EVP_PKEY *pkey)
{
    char                     group[64];
    size_t                   i;
    const gw_signer_type_t  *type;

    for (i = 0; i < sizeof(gw_signer_types) / sizeof(gw_signer_types[0]); i++)
    {
        type = &gw_signer_types[i];

        if (EVP_PKEY_is_a(pkey, type->name)
            && (type->group == NULL
                || (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL)
                    == 1
                    && strcmp(group, type->group) == 0)))
        {
            return type;
        }
    }

    return NULL;
}


static int
gw_signer_describe(gw_signer_t *s, const gw_str_t *kid)
{
    char           text[GW_SIGNER_MAX_HEADER];
    gw_json_out_t  out;

    out.pos = text;
    out.last = text + sizeof(text);
    out.rc = GW_OK;

    gw_json_put(&out, "{\"alg\":\"");
    gw_json_put(&out, s->type->alg);
    gw_json_put(&out, "\",\"typ\":\"passport+jwt\",\"kid\":");
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

    gw_json_put(&out, s->type->jwk);

    if (s->type->group) {
        gw_signer_member(s, &out, ",\"x\":\"", OSSL_PKEY_PARAM_EC_PUB_X);
        gw_signer_member(s, &out, ",\"y\":\"", OSSL_PKEY_PARAM_EC_PUB_Y);

    } else if (s->pkey) {
        gw_signer_member(s, &out, ",\"x\":\"", NULL);
    }

    gw_json_put(&out, ",\"use\":\"sig\",\"alg\":\"");
    gw_json_put(&out, s->type->alg);
    gw_json_put(&out, "\",\"kid\":");
    gw_json_put_string(&out, kid);
    gw_json_put(&out, "}");

    s->jwk_len = (size_t) (out.pos - s->jwk);

    return out.rc;
}


/* a coordinate, or the whole point of a curve of Edwards */

static void
gw_signer_member(const gw_signer_t *s, gw_json_out_t *out, const char *begin,
    const char *coordinate)
{
    int             ok;
    char            text[gw_b64_encoded_len(GW_SIGNER_MAX_POINT) + 1];
    size_t          len;
    BIGNUM         *bn;
    unsigned char   bytes[GW_SIGNER_MAX_POINT];

    if (coordinate) {
        bn = NULL;
        len = GW_SIGNER_HALF;
        ok = EVP_PKEY_get_bn_param(s->pkey, coordinate, &bn) == 1
             && BN_bn2binpad(bn, bytes, GW_SIGNER_HALF) == GW_SIGNER_HALF;
        BN_free(bn);

    } else {
        len = sizeof(bytes);
        ok = EVP_PKEY_get_raw_public_key(s->pkey, bytes, &len) == 1;
    }

    if (!ok
        || gw_b64_encode(bytes, len, text, sizeof(text) - 1, &len) != GW_OK)
    {
        out->rc = GW_ERROR;
        return;
    }

    text[len] = '\0';

    gw_json_put(out, begin);
    gw_json_put(out, text);
    gw_json_put(out, "\"");
}


/*
 * The name of a secret is a MAC, for a hash would serve to guess it; no
 * passport has this MAC, as none begins with a brace.
 */

static int
gw_signer_name(gw_signer_t *s)
{
    if (s->mac) {
        return gw_signer_mac(s, s->jwk, s->jwk_len, s->id);
    }

    return EVP_Q_digest(NULL, "SHA256", NULL, s->jwk, s->jwk_len, s->id, NULL)
           == 1 ? GW_OK : GW_ERROR;
}


void
gw_signer_free(gw_signer_t *s)
{
    if (s == NULL) {
        return;
    }

    EVP_PKEY_free(s->pkey);
    EVP_MD_CTX_free(s->ctx);
    EVP_MAC_CTX_free(s->mac);

    free(s);
}


int
gw_signer_jwk(const gw_signer_t *s, char *buf, size_t size, size_t *len)
{
    *len = 0;

    if (s->mac || s->jwk_len > size) {
        return GW_DECLINED;
    }

    memcpy(buf, s->jwk, s->jwk_len);
    *len = s->jwk_len;

    return GW_OK;
}


const uint8_t *
gw_signer_id(const gw_signer_t *s)
{
    return s->id;
}


int
gw_signer_header(const gw_signer_t *s, char *buf, size_t size, size_t *len)
{
    *len = 0;

    if (s->header_len > size) {
        return GW_DECLINED;
    }

    memcpy(buf, s->header, s->header_len);
    *len = s->header_len;

    return GW_OK;
}


int
gw_signer_sign(const gw_signer_t *s, char *buf, size_t used, size_t size,
    size_t *len)
{
    int            rc;
    size_t         n;
    unsigned char  raw[GW_SIGNER_MAX_RAW];

    *len = 0;

    if (size < used || size - used < 1 + gw_b64_encoded_len(s->type->raw)) {
        return GW_DECLINED;
    }

    rc = s->mac ? gw_signer_mac(s, buf, used, raw)
                : gw_signer_digest(s, buf, used, raw);

    ERR_clear_error();

    if (rc != GW_OK) {
        return GW_ERROR;
    }

    buf[used++] = '.';

    if (gw_b64_encode(raw, s->type->raw, buf + used, size - used, &n)
        != GW_OK)
    {
        return GW_ERROR;
    }

    *len = used + n;

    return GW_OK;
}


/* both write s->type->raw bytes */

static int
gw_signer_mac(const gw_signer_t *s, const char *input, size_t len,
    unsigned char *raw)
{
    int           ok;
    size_t        n;
    EVP_MAC_CTX  *ctx;

    ctx = EVP_MAC_CTX_dup(s->mac);

    ok = ctx
         && EVP_MAC_update(ctx, (const unsigned char *) input, len) == 1
         && EVP_MAC_final(ctx, raw, &n, s->type->raw) == 1
         && n == s->type->raw;

    EVP_MAC_CTX_free(ctx);

    return ok ? GW_OK : GW_ERROR;
}


static int
gw_signer_digest(const gw_signer_t *s, const char *input, size_t len,
    unsigned char *raw)
{
    int             rc;
    size_t          n;
    EVP_MD_CTX     *ctx;
    unsigned char   sig[GW_SIGNER_MAX_RAW];

    n = sizeof(sig);
    rc = GW_ERROR;

    ctx = EVP_MD_CTX_new();

    if (ctx
        && EVP_MD_CTX_copy_ex(ctx, s->ctx) == 1
        && EVP_DigestSign(ctx, sig, &n, (const unsigned char *) input, len)
           == 1)
    {
        if (s->type->digest) {
            rc = gw_signer_der(sig, n, raw);

        } else if (n == s->type->raw) {
            memcpy(raw, sig, n);
            rc = GW_OK;
        }
    }

    EVP_MD_CTX_free(ctx);

    return rc;
}


static int
gw_signer_der(const unsigned char *der, size_t len, unsigned char *raw)
{
    int         ok;
    ECDSA_SIG  *es;

    es = d2i_ECDSA_SIG(NULL, &der, (long) len);

    ok = es
         && BN_bn2binpad(ECDSA_SIG_get0_r(es), raw, GW_SIGNER_HALF)
            == GW_SIGNER_HALF
         && BN_bn2binpad(ECDSA_SIG_get0_s(es), raw + GW_SIGNER_HALF,
                         GW_SIGNER_HALF)
            == GW_SIGNER_HALF;

    ECDSA_SIG_free(es);

    return ok ? GW_OK : GW_ERROR;
}
