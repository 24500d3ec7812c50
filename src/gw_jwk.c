
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "gw_b64.h"
#include "gw_json.h"
#include "gw_jwk.h"


/* a decoded member; the longest one is a modulus */

#define GW_JWK_MAX_BYTES  (GW_KEY_MAX_RSA / 8 + 1)


static int gw_jwk_is_private(const json_t *jwk);
static int gw_jwk_is_for_signatures(const json_t *jwk);
static int gw_jwk_fit(const json_t *jwk, const gw_str_t *kty, uint32_t *fit,
    const char **err);
static uint32_t gw_jwk_type_algs(const json_t *jwk, const gw_str_t *kty);
static const char *gw_jwk_ed_type(const json_t *jwk);
static int gw_jwk_key(gw_key_t *key, const json_t *jwk, uint32_t fit,
    const char **err);
static int gw_jwk_bytes(const json_t *jwk, const char *name,
    unsigned char *buf, gw_str_t *bytes, const char **err);


int
gw_jwk_parse(const json_t *jwk, uint32_t algs, gw_key_t *key, gw_str_t *kid,
    const char **err)
{
    uint32_t  fit;
    gw_str_t  kty;

    if (gw_json_text(jwk, "kty", &kty) != GW_OK) {
        *err = "has a key without \"kty\"";
        return GW_ERROR;
    }

    if (gw_jwk_is_private(jwk)) {
        *err = "contains a private key";
        return GW_ERROR;
    }

    if (!gw_jwk_is_for_signatures(jwk)) {
        return GW_DECLINED;
    }

    if (gw_jwk_fit(jwk, &kty, &fit, err) != GW_OK) {
        return GW_ERROR;
    }

    fit &= algs;

    if (fit == 0) {
        return GW_DECLINED;
    }

    if (gw_json_text(jwk, "kid", kid) == GW_ERROR
        || kid->len > GW_JWK_MAX_KID
        || (kid->data && kid->len == 0)
        || gw_json_has_control(kid))
    {
        *err = "has a key with a bad \"kid\"";
        return GW_ERROR;
    }

    return gw_jwk_key(key, jwk, fit, err);
}


/* the numbers only an asymmetric private key has; "k" is in no list */

static int
gw_jwk_is_private(const json_t *jwk)
{
    size_t  i;

    static const char *const  names[] = {
        "d", "p", "q", "dp", "dq", "qi", "oth", "priv"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (json_object_get(jwk, names[i])) {
            return 1;
        }
    }

    return 0;
}


static int
gw_jwk_is_for_signatures(const json_t *jwk)
{
    size_t   i;
    json_t  *use, *ops, *op;

    use = json_object_get(jwk, "use");

    if (use
        && (!json_is_string(use) || strcmp(json_string_value(use), "sig")))
    {
        return 0;
    }

    ops = json_object_get(jwk, "key_ops");

    if (ops == NULL) {
        return 1;
    }

    json_array_foreach(ops, i, op) {
        if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* what the key claims to be for; 0: something unknown to us */

static int
gw_jwk_fit(const json_t *jwk, const gw_str_t *kty, uint32_t *fit,
    const char **err)
{
    int       rc;
    gw_str_t  name;
    gw_alg_e  alg;

    *fit = gw_jwk_type_algs(jwk, kty);

    rc = gw_json_text(jwk, "alg", &name);

    if (rc == GW_ERROR) {
        *err = "has a key with a bad \"alg\"";
        return GW_ERROR;
    }

    if (*fit == 0 || rc == GW_DECLINED) {
        return GW_OK;
    }

    alg = gw_alg_find(&name);

    if (alg == GW_ALG_UNKNOWN) {
        *fit = 0;
        return GW_OK;
    }

    *fit &= gw_alg_bit(alg);

    if (*fit == 0) {
        *err = "has a key with an \"alg\" of another type of key";
        return GW_ERROR;
    }

    return GW_OK;
}


static uint32_t
gw_jwk_type_algs(const json_t *jwk, const gw_str_t *kty)
{
    uint32_t         algs;
    gw_str_t         crv;
    gw_alg_e         alg;
    const char      *type;
    const gw_alg_t  *a;

    algs = 0;

    (void) gw_json_text(jwk, "crv", &crv);

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {
        a = gw_alg_get(alg);

        switch (a->family) {

        case GW_ALG_HMAC:
            type = "oct";
            break;

        case GW_ALG_ECDSA:
            type = "EC";
            break;

        case GW_ALG_ED:
            type = "OKP";
            break;

        default:
            type = "RSA";
        }

        /* jansson's strings have no NUL inside and one behind */

        if (strcmp(kty->data, type) == 0
            && (a->crv == NULL
                || (crv.data && strcmp(crv.data, a->crv) == 0))
            && (a->family != GW_ALG_ED || gw_jwk_ed_type(jwk)))
        {
            algs |= gw_alg_bit(alg);
        }
    }

    return algs;
}


/* OpenSSL's name; X25519 and X448 sign nothing */

static const char *
gw_jwk_ed_type(const json_t *jwk)
{
    gw_str_t  crv;

    if (gw_json_text(jwk, "crv", &crv) != GW_OK) {
        return NULL;
    }

    if (strcmp(crv.data, "Ed25519") == 0) {
        return "ED25519";
    }

    return strcmp(crv.data, "Ed448") == 0 ? "ED448" : NULL;
}


static int
gw_jwk_key(gw_key_t *key, const json_t *jwk, uint32_t fit, const char **err)
{
    int            rc;
    gw_alg_e       alg;
    gw_str_t       a, b;
    unsigned char  first[GW_JWK_MAX_BYTES], second[GW_JWK_MAX_BYTES];

    /* all of "fit" are of one type, and of one curve */

    for (alg = GW_ALG_HS256; (fit & gw_alg_bit(alg)) == 0; alg++) {
        /* void */
    }

    rc = GW_ERROR;

    switch (gw_alg_get(alg)->family) {

    case GW_ALG_HMAC:
        if (gw_jwk_bytes(jwk, "k", first, &a, err) == GW_OK) {
            rc = gw_key_secret(key, &a, err);
        }

        break;

    case GW_ALG_RSA:
    case GW_ALG_PSS:
        if (gw_jwk_bytes(jwk, "n", first, &a, err) == GW_OK
            && gw_jwk_bytes(jwk, "e", second, &b, err) == GW_OK)
        {
            rc = gw_key_rsa(key, &a, &b, err);
        }

        break;

    case GW_ALG_ECDSA:
        if (gw_jwk_bytes(jwk, "x", first, &a, err) == GW_OK
            && gw_jwk_bytes(jwk, "y", second, &b, err) == GW_OK)
        {
            rc = gw_key_ec(key, gw_alg_get(alg), &a, &b, err);
        }

        break;

    case GW_ALG_ED:
        if (gw_jwk_bytes(jwk, "x", first, &a, err) == GW_OK) {
            rc = gw_key_ed(key, gw_jwk_ed_type(jwk), &a, err);
        }

        break;
    }

    OPENSSL_cleanse(first, sizeof(first));

    if (rc != GW_OK) {
        return GW_ERROR;
    }

    key->algs &= fit;

    if (key->algs == 0) {
        *err = "has a secret shorter than the hash of its algorithm";
        gw_key_free(key);
        return GW_ERROR;
    }

    return GW_OK;
}


static int
gw_jwk_bytes(const json_t *jwk, const char *name, unsigned char *buf,
    gw_str_t *bytes, const char **err)
{
    gw_str_t  s;

    bytes->data = (const char *) buf;

    if (gw_json_text(jwk, name, &s) != GW_OK || s.len == 0) {
        *err = "has a key that lacks a member of its type";
        return GW_ERROR;
    }

    if (gw_b64_decode(s.data, s.len, buf, GW_JWK_MAX_BYTES, &bytes->len)
        != GW_OK)
    {
        *err = "has a key with malformed or too long base64url";
        return GW_ERROR;
    }

    return GW_OK;
}
