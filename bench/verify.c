
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * An RS256 token at first sight, parsing and claims included, against one
 * EVP_DigestVerify() of the same bytes with a parsed key; in turn, the least
 * of the rounds counts.
 */

/* links: src/gw_alg.c src/gw_b64.c src/gw_claim.c src/gw_json.c */
/* links: src/gw_jwk.c src/gw_jwks.c src/gw_jwt.c src/gw_key.c */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "gw_b64.h"
#include "gw_jwt.h"


#define ROUNDS  15
#define COUNT   2000


static const char  header[] = "{\"alg\":\"RS256\",\"typ\":\"JWT\"}";
static const char  claims[] =
    "{\"iss\":\"https://bench.example\",\"aud\":\"gateway\",\"sub\":\"bench\","
    "\"jti\":\"0b5e2a5e-6d0f-4a35-9c11-1f8f3c2d7a90\",\"plan\":\"gold\","
    "\"scp\":\"orders:read orders:write\",\"iat\":1700000000,"
    "\"exp\":1700003600}";


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (double) ts.tv_sec * 1e6 + (double) ts.tv_nsec / 1e3;
}


static void
check(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}


static EVP_PKEY *
make_token(char *token, size_t size, size_t *input, size_t *len)
{
    size_t          n;
    EVP_PKEY       *pkey;
    EVP_MD_CTX     *ctx;
    unsigned char   sig[256];

    pkey = EVP_RSA_gen(2048);
    ctx = EVP_MD_CTX_new();
    check(pkey && ctx, "a key");

    check(gw_b64_encode(header, sizeof(header) - 1, token, size, len)
          == GW_OK, "the header");
    token[(*len)++] = '.';

    check(gw_b64_encode(claims, sizeof(claims) - 1, token + *len,
                        size - *len, &n)
          == GW_OK, "the claims");
    *len += n;
    *input = *len;

    n = sizeof(sig);

    check(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1
          && EVP_DigestSign(ctx, sig, &n, (unsigned char *) token, *input)
             == 1, "signing");

    EVP_MD_CTX_free(ctx);

    token[(*len)++] = '.';

    check(gw_b64_encode(sig, sizeof(sig), token + *len, size - *len, &n)
          == GW_OK, "the signature");
    *len += n;

    return pkey;
}


static gw_jwks_t *
make_keys(EVP_PKEY *pkey)
{
    BIO         *bio;
    char        *pem;
    long         len;
    gw_jwks_t   *jwks;
    const char  *err;

    bio = BIO_new(BIO_s_mem());
    check(bio && PEM_write_bio_PUBKEY(bio, pkey) == 1, "the public key");

    len = BIO_get_mem_data(bio, &pem);
    jwks = gw_jwks_parse(pem, (size_t) len, gw_alg_bit(GW_ALG_RS256), &err);
    check(jwks != NULL, "parsing the key");

    BIO_free(bio);

    return jwks;
}


static double
bare(EVP_PKEY *pkey, const char *token, size_t input)
{
    int              i;
    double           start;
    size_t           n;
    EVP_MD_CTX      *ctx;
    unsigned char    sig[256];

    check(gw_b64_decode(token + input + 1, strlen(token + input + 1), sig,
                        sizeof(sig), &n)
          == GW_OK, "decoding");

    ctx = EVP_MD_CTX_new();
    start = now();

    for (i = 0; i < COUNT; i++) {
        check(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1
              && EVP_DigestVerify(ctx, sig, n, (unsigned char *) token, input)
                 == 1, "verifying");
    }

    start = now() - start;
    EVP_MD_CTX_free(ctx);

    return start / COUNT;
}


static double
whole(const gw_jwks_t *jwks, const char *token, size_t len)
{
    int             i;
    double          start;
    gw_jwt_t        jwt;
    gw_str_t        audience = gw_str("gateway");
    gw_jwt_rules_t  rules = { gw_str("https://bench.example"), NULL, 1, 30 };

    rules.audiences = &audience;
    start = now();

    for (i = 0; i < COUNT; i++) {
        check(gw_jwt_parse(&jwt, token, len) == GW_JWT_OK
              && gw_jwt_verify(&jwt, jwks, gw_alg_bit(GW_ALG_RS256))
                 == GW_JWT_OK
              && gw_jwt_check(&jwt, &rules, 1700000100) == GW_JWT_OK,
              "the check");
        gw_jwt_free(&jwt);
    }

    return (now() - start) / COUNT;
}


int
main(void)
{
    int         i;
    char        token[2048];
    double      a, b, least_a, least_b;
    size_t      input, len;
    EVP_PKEY   *pkey;
    gw_jwks_t  *jwks;

    memset(token, 0, sizeof(token));

    pkey = make_token(token, sizeof(token) - 1, &input, &len);
    jwks = make_keys(pkey);

    least_a = least_b = 1e9;

    for (i = 0; i < ROUNDS; i++) {
        a = bare(pkey, token, input);
        b = whole(jwks, token, len);

        least_a = (a < least_a) ? a : least_a;
        least_b = (b < least_b) ? b : least_b;
    }

    printf("RS256 at first sight %.1f us, EVP_DigestVerify %.1f us, "
           "ratio %.2f\n", least_b, least_a, least_b / least_a);

    gw_jwks_free(jwks);
    EVP_PKEY_free(pkey);

    return 0;
}
