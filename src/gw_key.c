
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "gw_key.h"


#define GW_KEY_MAX_HALF       66                     /* P-521 */
#define GW_KEY_MAX_DER        (2 * GW_KEY_MAX_HALF + 16)

/* a longer exponent makes every signature slow, and nobody has one */

#define GW_KEY_MAX_EXPONENT   32                     /* bits */

#define GW_KEY_RSA_ALGS                                                       \
    (gw_alg_bit(GW_ALG_RS256) | gw_alg_bit(GW_ALG_RS384)                      \
     | gw_alg_bit(GW_ALG_RS512) | gw_alg_bit(GW_ALG_PS256)                    \
     | gw_alg_bit(GW_ALG_PS384) | gw_alg_bit(GW_ALG_PS512))


static EVP_PKEY *gw_key_fromdata(const char *type, OSSL_PARAM_BLD *bld);
static int gw_key_check_rsa(const EVP_PKEY *pkey, const char **err);
static gw_alg_e gw_key_check_ec(EVP_PKEY *pkey, const char **err);
static int gw_key_prepare(gw_key_t *key);
static EVP_MD_CTX *gw_key_prepare_alg(const gw_alg_t *alg, EVP_PKEY *pkey);
static int gw_key_verify_mac(const gw_key_t *key, gw_alg_e alg,
    const gw_str_t *input, const gw_str_t *sig);
static int gw_key_verify_digest(const EVP_MD_CTX *prepared,
    const gw_str_t *input, const gw_str_t *sig);
static int gw_key_ecdsa_der(const gw_alg_t *alg, const gw_str_t *sig,
    unsigned char *der);


int
gw_key_rsa(gw_key_t *key, const gw_str_t *n, const gw_str_t *e,
    const char **err)
{
    BIGNUM          *bn, *be;
    EVP_PKEY        *pkey;
    OSSL_PARAM_BLD  *bld;

    memset(key, 0, sizeof(gw_key_t));

    pkey = NULL;

    bn = BN_bin2bn((const unsigned char *) n->data, (int) n->len, NULL);
    be = BN_bin2bn((const unsigned char *) e->data, (int) e->len, NULL);
    bld = OSSL_PARAM_BLD_new();

    if (bn && be && bld
        && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) == 1
        && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) == 1)
    {
        pkey = gw_key_fromdata("RSA", bld);
    }

    OSSL_PARAM_BLD_free(bld);
    BN_free(be);
    BN_free(bn);

    return gw_key_public(key, pkey, err);
}


int
gw_key_ec(gw_key_t *key, const gw_alg_t *alg, const gw_str_t *x,
    const gw_str_t *y, const char **err)
{
    size_t           half;
    EVP_PKEY        *pkey;
    unsigned char    point[1 + 2 * GW_KEY_MAX_HALF];
    OSSL_PARAM_BLD  *bld;

    memset(key, 0, sizeof(gw_key_t));

    half = alg->half;

    if (x->len != half || y->len != half) {
        *err = "has an EC key with coordinates of a wrong length";
        return GW_ERROR;
    }

    point[0] = 4;      /* not compressed */
    memcpy(&point[1], x->data, half);
    memcpy(&point[1 + half], y->data, half);

    pkey = NULL;

    bld = OSSL_PARAM_BLD_new();

    if (bld
        && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                           alg->group, 0)
           == 1
        && OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
                                            point, 1 + 2 * half)
           == 1)
    {
        pkey = gw_key_fromdata("EC", bld);
    }

    OSSL_PARAM_BLD_free(bld);

    if (pkey == NULL) {
        *err = "has an EC key that is not on its curve";
        ERR_clear_error();
        return GW_ERROR;
    }

    return gw_key_public(key, pkey, err);
}


static EVP_PKEY *
gw_key_fromdata(const char *type, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY      *pkey;
    OSSL_PARAM    *params;
    EVP_PKEY_CTX  *ctx;

    pkey = NULL;

    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    params = OSSL_PARAM_BLD_to_param(bld);

    if (ctx == NULL
        || params == NULL
        || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }

    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);

    return pkey;
}


int
gw_key_ed(gw_key_t *key, const char *type, const gw_str_t *x,
    const char **err)
{
    EVP_PKEY  *pkey;

    memset(key, 0, sizeof(gw_key_t));

    pkey = EVP_PKEY_new_raw_public_key_ex(NULL, type, NULL,
                                          (const unsigned char *) x->data,
                                          x->len);

    return gw_key_public(key, pkey, err);
}


int
gw_key_public(gw_key_t *key, EVP_PKEY *pkey, const char **err)
{
    int       rc;
    gw_alg_e  alg;

    memset(key, 0, sizeof(gw_key_t));

    rc = GW_ERROR;

    if (pkey == NULL) {
        *err = "has a key OpenSSL does not accept";

    } else if (EVP_PKEY_is_a(pkey, "RSA")) {
        rc = gw_key_check_rsa(pkey, err);
        key->algs = GW_KEY_RSA_ALGS;

    } else if (EVP_PKEY_is_a(pkey, "EC")) {
        alg = gw_key_check_ec(pkey, err);
        rc = (alg == GW_ALG_UNKNOWN) ? GW_ERROR : GW_OK;
        key->algs = gw_alg_bit(alg);

    } else if (EVP_PKEY_is_a(pkey, "ED25519")
               || EVP_PKEY_is_a(pkey, "ED448"))
    {
        rc = GW_OK;
        key->algs = gw_alg_bit(GW_ALG_EDDSA);

    } else {
        *err = "has a key that is neither RSA, nor EC, nor Ed25519, "
               "nor Ed448";
    }

    key->pkey = pkey;

    if (rc == GW_OK && gw_key_prepare(key) != GW_OK) {
        *err = "has a key OpenSSL cannot use, or memory is short";
        rc = GW_ERROR;
    }

    ERR_clear_error();

    if (rc != GW_OK) {
        gw_key_free(key);
        return GW_ERROR;
    }

    return GW_OK;
}


/* OpenSSL's own check takes seconds for a big key and refuses exponent 3 */

static int
gw_key_check_rsa(const EVP_PKEY *pkey, const char **err)
{
    int      bits;
    BIGNUM  *n, *e;

    n = NULL;
    e = NULL;
    *err = NULL;

    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) != 1
        || EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) != 1)
    {
        *err = "has an RSA key without a modulus or an exponent";
        goto done;
    }

    bits = BN_num_bits(n);

    if (bits < GW_KEY_MIN_RSA) {
        *err = "has an RSA key under 2048 bits";

    } else if (bits > GW_KEY_MAX_RSA) {
        *err = "has an RSA key over 16384 bits";

    } else if (!BN_is_odd(n)) {
        *err = "has an RSA key with an even modulus";

    } else if (!BN_is_odd(e)
               || BN_is_one(e)
               || BN_num_bits(e) > GW_KEY_MAX_EXPONENT)
    {
        *err = "has an RSA key with a bad exponent";
    }

done:

    BN_free(e);
    BN_free(n);

    return *err ? GW_ERROR : GW_OK;
}


static gw_alg_e
gw_key_check_ec(EVP_PKEY *pkey, const char **err)
{
    int              ok;
    char             group[64];
    gw_alg_e         alg;
    const gw_alg_t  *a;
    EVP_PKEY_CTX    *ctx;

    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME,
                                       group, sizeof(group), NULL)
        != 1)
    {
        *err = "has an EC key without a named curve";
        return GW_ALG_UNKNOWN;
    }

    for (alg = GW_ALG_ES256; alg <= GW_ALG_ES512; alg++) {
        a = gw_alg_get(alg);

        if (strcmp(group, a->group) == 0) {
            break;
        }
    }

    if (alg > GW_ALG_ES512) {
        *err = "has an EC key on another curve than P-256, P-384, P-521";
        return GW_ALG_UNKNOWN;
    }

    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    ok = ctx && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);

    if (!ok) {
        *err = "has an EC key that is not on its curve";
        return GW_ALG_UNKNOWN;
    }

    return alg;
}


/* what OpenSSL looks up for an algorithm costs as much as a tenth of RS256 */

static int
gw_key_prepare(gw_key_t *key)
{
    gw_alg_e  alg;

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {

        if ((key->algs & gw_alg_bit(alg)) == 0) {
            continue;
        }

        key->ctx[alg] = gw_key_prepare_alg(gw_alg_get(alg), key->pkey);

        if (key->ctx[alg] == NULL) {
            return GW_ERROR;
        }
    }

    return GW_OK;
}


static EVP_MD_CTX *
gw_key_prepare_alg(const gw_alg_t *alg, EVP_PKEY *pkey)
{
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL
        || EVP_DigestVerifyInit_ex(ctx, &pctx, alg->digest, NULL, NULL, pkey,
                                   NULL)
           != 1)
    {
        goto failed;
    }

    /* the hash of MGF1 is that of the message unless set otherwise */

    if (alg->family == GW_ALG_PSS
        && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) != 1
            || EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST)
               != 1))
    {
        goto failed;
    }

    return ctx;

failed:

    EVP_MD_CTX_free(ctx);

    return NULL;
}


int
gw_key_secret(gw_key_t *key, const gw_str_t *k, const char **err)
{
    EVP_MAC         *hmac;
    gw_alg_e         alg;
    OSSL_PARAM       params[2];
    const gw_alg_t  *a;

    memset(key, 0, sizeof(gw_key_t));

    *err = NULL;
    params[1] = OSSL_PARAM_construct_end();

    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    for (alg = GW_ALG_HS256; hmac && alg <= GW_ALG_HS512; alg++) {
        a = gw_alg_get(alg);

        if (k->len < a->hash) {
            continue;
        }

        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                                     (char *) a->digest, 0);
        key->mac[alg] = EVP_MAC_CTX_new(hmac);

        if (key->mac[alg] == NULL
            || EVP_MAC_init(key->mac[alg], (const unsigned char *) k->data,
                            k->len, params)
               != 1)
        {
            *err = "has a secret OpenSSL does not accept";
            break;
        }

        key->algs |= gw_alg_bit(alg);
    }

    EVP_MAC_free(hmac);
    ERR_clear_error();

    if (*err == NULL && key->algs == 0) {
        *err = hmac ? "has a secret under 256 bits"
                    : "cannot be used, OpenSSL has no HMAC";
    }

    if (*err) {
        gw_key_free(key);
        return GW_ERROR;
    }

    return GW_OK;
}


void
gw_key_free(gw_key_t *key)
{
    gw_alg_e  alg;

    for (alg = GW_ALG_HS256; alg <= GW_ALG_HS512; alg++) {
        EVP_MAC_CTX_free(key->mac[alg]);
    }

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {
        EVP_MD_CTX_free(key->ctx[alg]);
    }

    EVP_PKEY_free(key->pkey);

    memset(key, 0, sizeof(gw_key_t));
}


int
gw_key_verify(const gw_key_t *key, gw_alg_e alg, const gw_str_t *input,
    const gw_str_t *sig)
{
    int              rc;
    gw_str_t         s;
    unsigned char    der[GW_KEY_MAX_DER];
    const gw_alg_t  *a;

    a = gw_alg_get(alg);

    if (a == NULL || (key->algs & gw_alg_bit(alg)) == 0) {
        return GW_ERROR;
    }

    s = *sig;
    rc = GW_ERROR;

    switch (a->family) {

    case GW_ALG_HMAC:
        rc = gw_key_verify_mac(key, alg, input, sig);
        break;

    case GW_ALG_RSA:
    case GW_ALG_PSS:
    case GW_ALG_ED:

        /* OpenSSL takes a shorter one of RSA as if it began with zeros */

        if (sig->len == (size_t) EVP_PKEY_get_size(key->pkey)) {
            rc = gw_key_verify_digest(key->ctx[alg], input, sig);
        }

        break;

    case GW_ALG_ECDSA:
        if (sig->len == 2 * a->half) {
            s.data = (const char *) der;
            s.len = (size_t) gw_key_ecdsa_der(a, sig, der);

            rc = s.len ? gw_key_verify_digest(key->ctx[alg], input, &s)
                       : GW_AGAIN;
        }

        break;
    }

    ERR_clear_error();

    return rc;
}


static int
gw_key_verify_mac(const gw_key_t *key, gw_alg_e alg, const gw_str_t *input,
    const gw_str_t *sig)
{
    int             rc;
    size_t          len;
    EVP_MAC_CTX    *ctx;
    unsigned char   mac[EVP_MAX_MD_SIZE];

    ctx = EVP_MAC_CTX_dup(key->mac[alg]);

    if (ctx == NULL
        || EVP_MAC_update(ctx, (const unsigned char *) input->data,
                          input->len)
           != 1
        || EVP_MAC_final(ctx, mac, &len, sizeof(mac)) != 1)
    {
        rc = GW_AGAIN;

    } else if (len == gw_alg_get(alg)->hash
               && len == sig->len
               && CRYPTO_memcmp(mac, sig->data, len) == 0)
    {
        rc = GW_OK;

    } else {
        rc = GW_ERROR;
    }

    OPENSSL_cleanse(mac, sizeof(mac));
    EVP_MAC_CTX_free(ctx);

    return rc;
}


static int
gw_key_verify_digest(const EVP_MD_CTX *prepared, const gw_str_t *input,
    const gw_str_t *sig)
{
    int          rc;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL || EVP_MD_CTX_copy_ex(ctx, prepared) != 1) {
        rc = GW_AGAIN;

    } else if (EVP_DigestVerify(ctx, (const unsigned char *) sig->data,
                                sig->len, (const unsigned char *) input->data,
                                input->len)
               == 1)
    {
        rc = GW_OK;

    } else {
        rc = GW_ERROR;
    }

    EVP_MD_CTX_free(ctx);

    return rc;
}


/* r and s side by side to DER; the length, 0 if memory is short */

static int
gw_key_ecdsa_der(const gw_alg_t *alg, const gw_str_t *sig,
    unsigned char *der)
{
    int                   len;
    BIGNUM               *r, *s;
    ECDSA_SIG            *es;
    const unsigned char  *p;

    p = (const unsigned char *) sig->data;

    es = ECDSA_SIG_new();
    r = BN_bin2bn(p, (int) alg->half, NULL);
    s = BN_bin2bn(p + alg->half, (int) alg->half, NULL);

    if (es == NULL || r == NULL || s == NULL
        || ECDSA_SIG_set0(es, r, s) != 1)
    {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(es);
        return 0;
    }

    /* es owns r and s now; 141 bytes at most, for P-521 */

    len = i2d_ECDSA_SIG(es, &der);

    ECDSA_SIG_free(es);

    return len > 0 ? len : 0;
}
