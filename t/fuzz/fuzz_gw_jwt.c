
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_alg.c src/gw_b64.c src/gw_json.c src/gw_key.c */
/* links: src/gw_jwk.c src/gw_jwks.c src/gw_claim.c */


/*
 * No bytes make a valid token, unless they are HMAC's: the secret is known
 * here, to get behind the signature.  With a leading '.' the rest is a header
 * and, behind a line feed, claims, which get their signature.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "gw_claim.h"
#include "gw_jwt.c"


#define SECRET  "0123456789abcdef0123456789abcdef"


static gw_jwks_t  *jwks;


int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char  *err;

    static const char  keys[] =
        "{\"keys\":[{\"kty\":\"oct\",\"k\":"
        "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"},"
        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\","
        "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
        "{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"kid\":\"b\","
        "\"x\":\"X9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q"
        "9s0foavq_oJWGA\"},"
        "{\"kty\":\"EC\",\"crv\":\"P-256\","
        "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

    (void) argc;
    (void) argv;

    jwks = gw_jwks_parse(keys, sizeof(keys) - 1, UINT32_MAX, &err);
    assert(jwks);

    return 0;
}


static size_t
mint(const char *data, size_t size, char *token)
{
    size_t          n, len, head;
    const char     *lf;
    unsigned char   mac[32];

    lf = memchr(data, '\n', size);
    head = lf ? (size_t) (lf - data) : size;

    gw_b64_encode(data, head, token, 2 * size, &len);
    token[len++] = '.';

    if (lf) {
        gw_b64_encode(lf + 1, size - head - 1, token + len, 2 * size, &n);
        len += n;
    }

    EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, SECRET, 32,
              (unsigned char *) token, len, mac, sizeof(mac), &n);

    token[len++] = '.';
    gw_b64_encode(mac, sizeof(mac), token + len, 43, &n);

    return len + n;
}


static void
read_all(const gw_jwt_t *jwt)
{
    char         buf[256];
    size_t       i, len;
    gw_str_t     s;
    json_t      *value;
    const char  *name;

    json_object_foreach(jwt->claims, name, value) {

        if (gw_claim_text(jwt->claims, name, buf, sizeof(buf), &len)
            == GW_OK)
        {
            s.data = buf;
            s.len = len;
            assert(len <= sizeof(buf) && !gw_json_has_control(&s));
        }
    }

    for (i = 0; i < jwt->sub.len; i++) {
        assert((unsigned char) jwt->sub.data[i] >= 0x20);
    }

    for (i = 0; i < jwt->jti.len; i++) {
        assert((unsigned char) jwt->jti.data[i] >= 0x20);
    }

    /* the text that goes into the cache says the same */

    value = gw_json_object(jwt->payload.data, jwt->payload.len);
    assert(json_equal(value, jwt->claims));
    json_decref(value);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char             *token;
    size_t            len;
    gw_jwt_t          jwt;
    gw_jwt_rules_t    rules;
    gw_jwt_status_e   status;

    static const gw_str_t  audience = gw_str("gw");

    if (size && data[0] == '.') {
        token = malloc(2 * size + 64);
        assert(token);
        len = mint((const char *) data + 1, size - 1, token);
        token = realloc(token, len);

    } else {
        token = malloc(size + 1);
        assert(token);
        memcpy(token, data, size);
        len = size;
    }

    rules.issuer.data = "i";
    rules.issuer.len = 1;
    rules.audiences = &audience;
    rules.naudiences = size % 2;
    rules.leeway = 30;

    status = gw_jwt_parse(&jwt, token, len);

    if (status == GW_JWT_OK) {
        status = gw_jwt_verify(&jwt, jwks, UINT32_MAX);

        if (status == GW_JWT_OK) {
            assert(jwt.alg == GW_ALG_HS256);
            status = gw_jwt_check(&jwt, &rules, 1000);
        }

        if (status == GW_JWT_OK) {
            assert(jwt.iss.len == 1 && jwt.sub.len && jwt.exp > 970);
            read_all(&jwt);
        }
    }

    assert(strlen(gw_jwt_status_name(status)));
    assert(ERR_peek_error() == 0);

    gw_jwt_free(&jwt);
    free(token);

    return 0;
}
