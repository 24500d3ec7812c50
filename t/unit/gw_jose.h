
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Keys, key sets and tokens for tests, made by OpenSSL's own means, so that
 * nothing that is tested makes what it is tested with.
 *
 * What functions return as "char *" is terminated and lives until
 * jose_release(); keys are freed by the caller.
 */

#ifndef _GW_JOSE_H_INCLUDED_
#define _GW_JOSE_H_INCLUDED_


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "gw_alg.h"
#include "gw_base.h"


#define STR(text)  ((gw_str_t) gw_str(text))

#define JOSE_ALL   0xfffffffeu      /* every algorithm */


#define jose_die(what)                                                        \
    do {                                                                      \
        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, what);             \
        abort();                                                              \
    } while (0)


static void   **jose_kept;
static size_t   jose_nkept;


static inline void *
jose_keep(void *p)
{
    jose_kept = realloc(jose_kept, (jose_nkept + 1) * sizeof(void *));

    if (p == NULL || jose_kept == NULL) {
        jose_die("no memory");
    }

    jose_kept[jose_nkept++] = p;

    return p;
}


static inline int
jose_release(void **state)
{
    (void) state;

    while (jose_nkept) {
        free(jose_kept[--jose_nkept]);
    }

    free(jose_kept);
    jose_kept = NULL;

    return 0;
}


/* OpenSSL gets no memory while this is set, if jose_own_memory() came first */

static int  jose_no_memory;


static inline void *
jose_resize(void *p, size_t size, const char *file, int line)
{
    (void) file;
    (void) line;

    return jose_no_memory ? NULL : realloc(p, size);
}


static inline void *
jose_allocate(size_t size, const char *file, int line)
{
    return jose_resize(NULL, size, file, line);
}


static inline void
jose_free(void *p, const char *file, int line)
{
    (void) file;
    (void) line;

    free(p);
}


static inline void
jose_own_memory(void)
{
    if (CRYPTO_set_mem_functions(jose_allocate, jose_resize, jose_free) != 1) {
        jose_die("OpenSSL has memory already");
    }
}


__attribute__((format(printf, 1, 2)))
static inline char *
jose_printf(const char *fmt, ...)
{
    int      n;
    char    *text;
    va_list  args;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);

    text = jose_keep(malloc((size_t) n + 1));

    va_start(args, fmt);
    vsnprintf(text, (size_t) n + 1, fmt, args);
    va_end(args);

    return text;
}


static inline char *
jose_repeat(char ch, size_t n)
{
    char  *text;

    text = jose_keep(malloc(n + 1));
    memset(text, ch, n);
    text[n] = '\0';

    return text;
}


/* by way of OpenSSL's base64, not of gw_b64_encode() */

static inline char *
jose_b64(const void *data, size_t len)
{
    char  *text, *p;

    text = jose_keep(malloc(len * 4 / 3 + 4));

    EVP_EncodeBlock((unsigned char *) text, data, (int) len);

    for (p = text; *p; p++) {
        if (*p == '+') {
            *p = '-';

        } else if (*p == '/') {
            *p = '_';

        } else if (*p == '=') {
            *p = '\0';
            break;
        }
    }

    return text;
}


static inline EVP_PKEY *
jose_rsa(unsigned bits)
{
    return EVP_RSA_gen(bits);
}


static inline EVP_PKEY *
jose_ec(const char *group)
{
    return EVP_EC_gen(group);
}


static inline EVP_PKEY *
jose_ed25519(void)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}


static inline EVP_PKEY *
jose_ed448(void)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
}


static inline char *
jose_number(const EVP_PKEY *pkey, const char *name, int size)
{
    int             len;
    BIGNUM         *bn;
    unsigned char   buf[4096];

    bn = NULL;

    if (EVP_PKEY_get_bn_param(pkey, name, &bn) != 1) {
        jose_die(name);
    }

    if (size) {
        len = BN_bn2binpad(bn, buf, size);

    } else {
        len = BN_bn2bin(bn, buf);
    }

    BN_free(bn);

    return jose_b64(buf, (size_t) len);
}


/* the public JWK; "members" are further ones, each with a comma before it */

static inline char *
jose_jwk(const EVP_PKEY *pkey, const char *members)
{
    int             half;
    char            group[64];
    size_t          len;
    const char     *crv;
    unsigned char   raw[57];

    if (EVP_PKEY_is_a(pkey, "RSA")) {
        return jose_printf("{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}",
                           jose_number(pkey, OSSL_PKEY_PARAM_RSA_N, 0),
                           jose_number(pkey, OSSL_PKEY_PARAM_RSA_E, 0),
                           members);
    }

    if (EVP_PKEY_is_a(pkey, "ED25519") || EVP_PKEY_is_a(pkey, "ED448")) {
        len = sizeof(raw);
        EVP_PKEY_get_raw_public_key(pkey, raw, &len);

        return jose_printf("{\"kty\":\"OKP\",\"crv\":\"%s\","
                           "\"x\":\"%s\"%s}",
                           len == 57 ? "Ed448" : "Ed25519",
                           jose_b64(raw, len), members);
    }

    EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, group,
                                   sizeof(group), NULL);

    if (strcmp(group, "prime256v1") == 0) {
        crv = "P-256";
        half = 32;

    } else if (strcmp(group, "secp384r1") == 0) {
        crv = "P-384";
        half = 48;

    } else if (strcmp(group, "secp521r1") == 0) {
        crv = "P-521";
        half = 66;

    } else {
        crv = group;
        half = 32;
    }

    return jose_printf("{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\","
                       "\"y\":\"%s\"%s}", crv,
                       jose_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, half),
                       jose_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, half),
                       members);
}


static inline char *
jose_oct(const void *secret, size_t len, const char *members)
{
    return jose_printf("{\"kty\":\"oct\",\"k\":\"%s\"%s}",
                       jose_b64(secret, len), members);
}


static inline char *
jose_bio(BIO *bio)
{
    long   n;
    char  *data, *text;

    n = BIO_get_mem_data(bio, &data);
    text = jose_printf("%.*s", (int) n, data);

    BIO_free(bio);

    return text;
}


static inline char *
jose_pem(EVP_PKEY *pkey)
{
    BIO  *bio;

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, pkey);

    return jose_bio(bio);
}


static inline char *
jose_private_pem(EVP_PKEY *pkey, int traditional)
{
    BIO  *bio;

    bio = BIO_new(BIO_s_mem());

    if (traditional) {
        PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0, NULL,
                                             NULL);
    } else {
        PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    }

    return jose_bio(bio);
}


/* DER to r and s side by side */

static inline void
jose_raw(const gw_alg_t *a, unsigned char *sig, size_t *len)
{
    ECDSA_SIG            *es;
    const unsigned char  *p;

    p = sig;
    es = d2i_ECDSA_SIG(NULL, &p, (long) *len);

    BN_bn2binpad(ECDSA_SIG_get0_r(es), sig, (int) a->half);
    BN_bn2binpad(ECDSA_SIG_get0_s(es), sig + a->half, (int) a->half);
    *len = 2 * a->half;

    ECDSA_SIG_free(es);
}


static inline char *
jose_sign(gw_alg_e alg, EVP_PKEY *pkey, const char *input)
{
    size_t           len;
    EVP_MD_CTX      *ctx;
    EVP_PKEY_CTX    *pctx;
    unsigned char    sig[4096];
    const gw_alg_t  *a;

    a = gw_alg_get(alg);
    len = sizeof(sig);
    ctx = EVP_MD_CTX_new();

    if (EVP_DigestSignInit_ex(ctx, &pctx, a->digest, NULL, NULL, pkey, NULL)
        != 1)
    {
        jose_die("EVP_DigestSignInit_ex()");
    }

    if (a->family == GW_ALG_PSS) {
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
    }

    if (EVP_DigestSign(ctx, sig, &len, (const unsigned char *) input,
                       strlen(input))
        != 1)
    {
        jose_die("EVP_DigestSign()");
    }

    EVP_MD_CTX_free(ctx);

    if (a->family == GW_ALG_ECDSA) {
        jose_raw(a, sig, &len);
    }

    return jose_b64(sig, len);
}


static inline char *
jose_input(const char *header, const char *claims)
{
    return jose_printf("%s.%s", jose_b64(header, strlen(header)),
                       jose_b64(claims, strlen(claims)));
}


static inline char *
jose_token(gw_alg_e alg, EVP_PKEY *pkey, const char *header,
    const char *claims)
{
    char  *input;

    input = jose_input(header, claims);

    return jose_printf("%s.%s", input, jose_sign(alg, pkey, input));
}


static inline char *
jose_hmac(gw_alg_e alg, const void *secret, size_t len, const char *header,
    const char *claims)
{
    char           *input;
    size_t          n;
    unsigned char   mac[EVP_MAX_MD_SIZE];

    input = jose_input(header, claims);

    if (EVP_Q_mac(NULL, "HMAC", NULL, gw_alg_get(alg)->digest, NULL, secret,
                  len, (const unsigned char *) input, strlen(input), mac,
                  sizeof(mac), &n)
        == NULL)
    {
        jose_die("EVP_Q_mac()");
    }

    return jose_printf("%s.%s", input, jose_b64(mac, n));
}


#endif /* _GW_JOSE_H_INCLUDED_ */
