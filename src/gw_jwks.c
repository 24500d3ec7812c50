
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "gw_json.h"
#include "gw_jwk.h"
#include "gw_jwks.h"
#include "gw_key.h"


typedef struct {
    gw_key_t          key;
    gw_str_t          kid;      /* owned; data is NULL if there is none */
} gw_jwks_key_t;


struct gw_jwks_s {
    size_t            count;
    gw_jwks_key_t     keys[GW_JWKS_MAX_KEYS];
};


static int gw_jwks_json(gw_jwks_t *jwks, const char *text, size_t len,
    uint32_t algs, const char **err);
static int gw_jwks_add(gw_jwks_t *jwks, const json_t *jwk, uint32_t algs,
    const char **err);
static int gw_jwks_pem(gw_jwks_t *jwks, const char *text, size_t len,
    uint32_t algs, const char **err);
static int gw_jwks_block(gw_jwks_t *jwks, const char *name, const char *header,
    const unsigned char *data, long len, uint32_t algs, const char **err);
static EVP_PKEY *gw_jwks_certificate(const unsigned char **p, long len);
static int gw_jwks_push(gw_jwks_t *jwks, gw_key_t *key, const gw_str_t *kid,
    const char **err);
static int gw_jwks_clashes(const gw_jwks_t *jwks, const gw_key_t *key,
    const gw_str_t *kid, const char **err);
static int gw_jwks_is_named(const gw_jwks_key_t *jwk, const gw_str_t *kid);


gw_jwks_t *
gw_jwks_parse(const char *text, size_t len, uint32_t algs, const char **err)
{
    int         rc;
    size_t      i;
    gw_jwks_t  *jwks;

    if (len == 0) {
        *err = "is empty";
        return NULL;
    }

    if (len > GW_JWKS_MAX_TEXT) {
        *err = "is longer than 256 KiB";
        return NULL;
    }

    jwks = calloc(1, sizeof(gw_jwks_t));

    if (jwks == NULL) {
        *err = "cannot be loaded, memory is short";
        return NULL;
    }

    for (i = 0; i < len && memchr(" \t\r\n", text[i], 4); i++) {
        /* void */
    }

    if (i < len && text[i] == '{') {
        rc = gw_jwks_json(jwks, text, len, algs, err);

    } else {
        rc = gw_jwks_pem(jwks, text, len, algs, err);
    }

    ERR_clear_error();

    if (rc == GW_OK && jwks->count == 0) {
        *err = "has no key for the algorithms allowed";
        rc = GW_ERROR;
    }

    if (rc != GW_OK) {
        gw_jwks_free(jwks);
        return NULL;
    }

    return jwks;
}


void
gw_jwks_free(gw_jwks_t *jwks)
{
    size_t  i;

    if (jwks == NULL) {
        return;
    }

    for (i = 0; i < jwks->count; i++) {
        gw_key_free(&jwks->keys[i].key);
        free((char *) jwks->keys[i].kid.data);
    }

    free(jwks);
}


size_t
gw_jwks_count(const gw_jwks_t *jwks)
{
    return jwks->count;
}


static int
gw_jwks_json(gw_jwks_t *jwks, const char *text, size_t len, uint32_t algs,
    const char **err)
{
    int      rc;
    size_t   i;
    json_t  *root, *keys;

    root = gw_json_object(text, len);

    if (root == NULL) {
        *err = "is not valid JSON, or names a member twice";
        return GW_ERROR;
    }

    keys = json_object_get(root, "keys");

    if (keys == NULL) {
        rc = gw_jwks_add(jwks, root, algs, err);

    } else if (!json_is_array(keys)) {
        *err = "has \"keys\" that are not an array";
        rc = GW_ERROR;

    } else {
        rc = GW_OK;

        for (i = 0; i < json_array_size(keys) && rc == GW_OK; i++) {
            rc = gw_jwks_add(jwks, json_array_get(keys, i), algs, err);
        }
    }

    json_decref(root);

    return rc;
}


static int
gw_jwks_add(gw_jwks_t *jwks, const json_t *jwk, uint32_t algs,
    const char **err)
{
    int       rc;
    gw_str_t  kid;
    gw_key_t  key;

    rc = gw_jwk_parse(jwk, algs, &key, &kid, err);

    if (rc == GW_DECLINED) {
        return GW_OK;
    }

    return (rc == GW_OK) ? gw_jwks_push(jwks, &key, &kid, err) : GW_ERROR;
}


static int
gw_jwks_pem(gw_jwks_t *jwks, const char *text, size_t len, uint32_t algs,
    const char **err)
{
    int             rc;
    BIO            *bio;
    char           *name, *header;
    long            n;
    size_t          blocks;
    unsigned long   e;
    unsigned char  *data;

    bio = BIO_new_mem_buf(text, (int) len);

    if (bio == NULL) {
        *err = "cannot be loaded, memory is short";
        return GW_ERROR;
    }

    rc = GW_OK;

    ERR_clear_error();

    for (blocks = 0; rc == GW_OK; blocks++) {

        if (PEM_read_bio(bio, &name, &header, &data, &n) != 1) {

            e = ERR_peek_last_error();

            if (ERR_GET_LIB(e) != ERR_LIB_PEM
                || ERR_GET_REASON(e) != PEM_R_NO_START_LINE)
            {
                *err = "has malformed PEM";
                rc = GW_ERROR;

            } else if (blocks == 0) {
                *err = "is neither JSON nor PEM";
                rc = GW_ERROR;
            }

            break;
        }

        rc = gw_jwks_block(jwks, name, header, data, n, algs, err);

        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, (size_t) n);
    }

    BIO_free(bio);

    return rc;
}


static int
gw_jwks_block(gw_jwks_t *jwks, const char *name, const char *header,
    const unsigned char *data, long len, uint32_t algs, const char **err)
{
    gw_str_t              kid;
    gw_key_t              key;
    EVP_PKEY             *pkey;
    const unsigned char  *p;

    p = data;

    if (strstr(name, "PRIVATE KEY")) {
        *err = "contains a private key";
        return GW_ERROR;
    }

    if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
        pkey = d2i_PUBKEY(NULL, &p, len);

    } else if (strcmp(name, PEM_STRING_X509) == 0) {
        pkey = gw_jwks_certificate(&p, len);

    } else {
        *err = "has PEM that is neither a public key nor a certificate";
        return GW_ERROR;
    }

    if (pkey == NULL || p != data + len || header[0]) {
        *err = "has malformed PEM";
        EVP_PKEY_free(pkey);
        return GW_ERROR;
    }

    if (gw_key_public(&key, pkey, err) != GW_OK) {
        return GW_ERROR;
    }

    key.algs &= algs;

    if (key.algs == 0) {
        gw_key_free(&key);
        return GW_OK;
    }

    kid.len = 0;
    kid.data = NULL;

    return gw_jwks_push(jwks, &key, &kid, err);
}


static EVP_PKEY *
gw_jwks_certificate(const unsigned char **p, long len)
{
    X509      *cert;
    EVP_PKEY  *pkey;

    cert = d2i_X509(NULL, p, len);

    if (cert == NULL) {
        return NULL;
    }

    pkey = X509_get_pubkey(cert);

    X509_free(cert);

    return pkey;
}


/* takes the key over, also if it fails */

static int
gw_jwks_push(gw_jwks_t *jwks, gw_key_t *key, const gw_str_t *kid,
    const char **err)
{
    char           *name;
    gw_jwks_key_t  *jwk;

    name = NULL;

    if (gw_jwks_clashes(jwks, key, kid, err)) {
        goto failed;
    }

    if (kid->data) {
        name = malloc(kid->len);

        if (name == NULL) {
            *err = "cannot be loaded, memory is short";
            goto failed;
        }

        memcpy(name, kid->data, kid->len);
    }

    jwk = &jwks->keys[jwks->count++];

    jwk->key = *key;
    jwk->kid.len = kid->len;
    jwk->kid.data = name;

    return GW_OK;

failed:

    gw_key_free(key);

    return GW_ERROR;
}


static int
gw_jwks_clashes(const gw_jwks_t *jwks, const gw_key_t *key,
    const gw_str_t *kid, const char **err)
{
    size_t                i, unnamed[GW_ALG_MAX];
    gw_alg_e              alg;
    const gw_jwks_key_t  *jwk;

    if (jwks->count == GW_JWKS_MAX_KEYS) {
        *err = "has more than 64 keys";
        return 1;
    }

    memset(unnamed, 0, sizeof(unnamed));

    for (i = 0; i < jwks->count; i++) {
        jwk = &jwks->keys[i];

        if (kid->data) {
            if (gw_jwks_is_named(jwk, kid) && (jwk->key.algs & key->algs)) {
                *err = "has two keys with one \"kid\" for one algorithm";
                return 1;
            }

            continue;
        }

        if (jwk->kid.data) {
            continue;
        }

        for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {

            if ((jwk->key.algs & key->algs & gw_alg_bit(alg))
                && ++unnamed[alg] == GW_JWKS_MAX_TRIES)
            {
                *err = "has more than 4 keys without \"kid\" for one algorithm";
                return 1;
            }
        }
    }

    return 0;
}


static int
gw_jwks_is_named(const gw_jwks_key_t *jwk, const gw_str_t *kid)
{
    return jwk->kid.data
           && jwk->kid.len == kid->len
           && memcmp(jwk->kid.data, kid->data, kid->len) == 0;
}


int
gw_jwks_verify(const gw_jwks_t *jwks, gw_alg_e alg, const gw_str_t *kid,
    const gw_str_t *input, const gw_str_t *sig)
{
    int                   rc, pass, wanted;
    size_t                i, tries;
    const gw_jwks_key_t  *jwk;

    tries = 0;

    /* the keys with the name of the token first, then those without one */

    for (pass = 0; pass < 2; pass++) {

        for (i = 0; i < jwks->count; i++) {
            jwk = &jwks->keys[i];

            if ((jwk->key.algs & gw_alg_bit(alg)) == 0) {
                continue;
            }

            if (pass == 0) {
                wanted = kid->data && gw_jwks_is_named(jwk, kid);

            } else {
                wanted = kid->data == NULL || jwk->kid.data == NULL;
            }

            if (!wanted) {
                continue;
            }

            rc = gw_key_verify(&jwk->key, alg, input, sig);

            if (rc != GW_ERROR) {
                return rc;
            }

            if (++tries == GW_JWKS_MAX_TRIES) {
                return GW_ERROR;
            }
        }
    }

    return tries ? GW_ERROR : GW_DECLINED;
}
