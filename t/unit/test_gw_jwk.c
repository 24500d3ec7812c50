
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_alg.c src/gw_b64.c src/gw_json.c src/gw_key.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gw_jose.h"
#include "gw_jwk.c"


#define SECRET  "0123456789abcdef0123456789abcdef"

#define HS  (gw_alg_bit(GW_ALG_HS256) | gw_alg_bit(GW_ALG_HS384)              \
             | gw_alg_bit(GW_ALG_HS512))
#define RS  (gw_alg_bit(GW_ALG_RS256) | gw_alg_bit(GW_ALG_RS384)              \
             | gw_alg_bit(GW_ALG_RS512))
#define PS  (gw_alg_bit(GW_ALG_PS256) | gw_alg_bit(GW_ALG_PS384)              \
             | gw_alg_bit(GW_ALG_PS512))


static EVP_PKEY  *rsa, *p256, *p384, *p521, *ed, *ed448;


static int
setup(void **state)
{
    (void) state;

    rsa = jose_rsa(2048);
    p256 = jose_ec("P-256");
    p384 = jose_ec("P-384");
    p521 = jose_ec("P-521");
    ed = jose_ed25519();
    ed448 = jose_ed448();

    return 0;
}


static int
teardown(void **state)
{
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(p521);
    EVP_PKEY_free(ed);
    EVP_PKEY_free(ed448);

    return jose_release(state);
}


/* the algorithms of the key, 0 if it is left out; "err" is NULL or set */

static uint32_t
parse(const char *text, uint32_t algs, const char **err)
{
    int        rc;
    json_t    *jwk;
    gw_key_t   key;
    gw_str_t   kid;
    uint32_t   got;

    jwk = gw_json_object(text, strlen(text));
    assert_non_null(jwk);

    *err = NULL;
    got = 0;

    rc = gw_jwk_parse(jwk, algs, &key, &kid, err);

    if (rc == GW_OK) {
        got = key.algs;
        assert_true(got != 0);
        gw_key_free(&key);
    }

    assert_true((rc == GW_ERROR) == (*err != NULL));
    assert_int_equal(ERR_peek_error(), 0);

    json_decref(jwk);

    return got;
}


static void
expect(const char *text, uint32_t algs, uint32_t got)
{
    const char  *err;

    assert_int_equal(parse(text, algs, &err), got);
    assert_null(err);
}


static void
expect_error(const char *text, const char *why)
{
    const char  *err;

    parse(text, JOSE_ALL, &err);

    assert_non_null(err);
    assert_string_equal(err, why);
}


static void
test_a_type_has_its_algorithms(void **state)
{
    (void) state;

    expect(jose_jwk(rsa, ""), JOSE_ALL, RS | PS);
    expect(jose_jwk(rsa, ""), RS | HS, RS);
    expect(jose_jwk(rsa, ""), gw_alg_bit(GW_ALG_PS384),
           gw_alg_bit(GW_ALG_PS384));
    expect(jose_jwk(p256, ""), JOSE_ALL, gw_alg_bit(GW_ALG_ES256));
    expect(jose_jwk(p384, ""), JOSE_ALL, gw_alg_bit(GW_ALG_ES384));
    expect(jose_jwk(p521, ""), JOSE_ALL, gw_alg_bit(GW_ALG_ES512));
    expect(jose_jwk(ed, ""), JOSE_ALL, gw_alg_bit(GW_ALG_EDDSA));
    expect(jose_jwk(ed448, ""), JOSE_ALL, gw_alg_bit(GW_ALG_EDDSA));

    expect(jose_oct(SECRET SECRET, 64, ""), JOSE_ALL, HS);
    expect(jose_oct(SECRET SECRET, 64, ""), RS, 0);
    expect(jose_oct(SECRET SECRET, 48, ""), JOSE_ALL,
           gw_alg_bit(GW_ALG_HS256) | gw_alg_bit(GW_ALG_HS384));
    expect(jose_oct(SECRET, 32, ""), HS, gw_alg_bit(GW_ALG_HS256));
}


/* the mask must not let a secret out of a public key, nor the reverse */

static void
test_public_keys_are_no_secrets(void **state)
{
    (void) state;

    expect(jose_jwk(rsa, ""), HS, 0);
    expect(jose_jwk(p256, ""), HS, 0);
    expect(jose_jwk(ed, ""), HS, 0);
    expect(jose_jwk(ed448, ""), HS, 0);
    expect(jose_oct(SECRET, 32, ""), JOSE_ALL & ~HS, 0);
    expect(jose_jwk(p384, ""), gw_alg_bit(GW_ALG_ES256), 0);
    expect(jose_jwk(rsa, ""), 0, 0);
}


static void
test_alg_pins(void **state)
{
    gw_alg_e     alg;
    EVP_PKEY    *pkey;
    const char  *member, *err;

    (void) state;

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {
        member = jose_printf(",\"alg\":\"%s\"", gw_alg_name(alg));

        switch (gw_alg_get(alg)->family) {

        case GW_ALG_HMAC:
            expect(jose_oct(SECRET SECRET, 64, member), JOSE_ALL,
                   gw_alg_bit(alg));
            expect_error(jose_jwk(rsa, member),
                         "has a key with an \"alg\" of another type of key");
            continue;

        case GW_ALG_ECDSA:
            pkey = (alg == GW_ALG_ES256) ? p256
                                         : (alg == GW_ALG_ES384) ? p384 : p521;
            break;

        case GW_ALG_ED:
            expect(jose_jwk(ed448, member), JOSE_ALL, gw_alg_bit(alg));
            pkey = ed;
            break;

        default:
            pkey = rsa;
        }

        expect(jose_jwk(pkey, member), JOSE_ALL, gw_alg_bit(alg));
        expect(jose_jwk(pkey, member), JOSE_ALL & ~gw_alg_bit(alg), 0);

        parse(jose_oct(SECRET SECRET, 64, member), JOSE_ALL, &err);
        assert_string_equal(err,
                            "has a key with an \"alg\" of another type of key");
    }

    expect_error(jose_jwk(p256, ",\"alg\":\"ES384\""),
                 "has a key with an \"alg\" of another type of key");
    expect_error(jose_jwk(rsa, ",\"alg\":7"), "has a key with a bad \"alg\"");
    expect_error(jose_jwk(rsa, ",\"alg\":null"),
                 "has a key with a bad \"alg\"");

    expect(jose_jwk(rsa, ",\"alg\":\"RSA-OAEP\""), JOSE_ALL, 0);
    expect(jose_jwk(rsa, ",\"alg\":\"none\""), JOSE_ALL, 0);
    expect(jose_jwk(rsa, ",\"alg\":\"rs256\""), JOSE_ALL, 0);
}


static void
test_use_and_key_ops(void **state)
{
    (void) state;

    expect(jose_jwk(rsa, ",\"use\":\"sig\""), RS, RS);
    expect(jose_jwk(rsa, ",\"use\":\"enc\""), RS, 0);
    expect(jose_jwk(rsa, ",\"use\":\"Sig\""), RS, 0);
    expect(jose_jwk(rsa, ",\"use\":1"), RS, 0);
    expect(jose_jwk(rsa, ",\"use\":null"), RS, 0);

    expect(jose_jwk(rsa, ",\"key_ops\":[\"verify\"]"), RS, RS);
    expect(jose_jwk(rsa, ",\"key_ops\":[\"sign\",\"verify\"]"), RS, RS);
    expect(jose_jwk(rsa, ",\"key_ops\":[\"sign\"]"), RS, 0);
    expect(jose_jwk(rsa, ",\"key_ops\":[]"), RS, 0);
    expect(jose_jwk(rsa, ",\"key_ops\":[1]"), RS, 0);
    expect(jose_jwk(rsa, ",\"key_ops\":\"verify\""), RS, 0);
    expect(jose_jwk(rsa, ",\"use\":\"enc\",\"key_ops\":[\"verify\"]"), RS, 0);
}


static void
test_unknown_keys_are_left_out(void **state)
{
    (void) state;

    expect("{\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\",\"pub\":\"AA\"}",
           JOSE_ALL, 0);
    expect("{\"kty\":\"rsa\"}", JOSE_ALL, 0);
    expect("{\"kty\":\"\"}", JOSE_ALL, 0);
    expect("{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"AA\",\"y\":\"AA\"}",
           JOSE_ALL, 0);
    expect("{\"kty\":\"EC\"}", JOSE_ALL, 0);
    expect("{\"kty\":\"EC\",\"crv\":\"Ed25519\",\"x\":\"AA\"}", JOSE_ALL, 0);
    expect("{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AA\"}", JOSE_ALL, 0);
    expect("{\"kty\":\"OKP\",\"crv\":\"X448\",\"x\":\"AA\"}", JOSE_ALL, 0);
    expect("{\"kty\":\"OKP\",\"crv\":\"ed25519\",\"x\":\"AA\"}", JOSE_ALL,
           0);
    expect("{\"kty\":\"OKP\",\"crv\":\"ED448\",\"x\":\"AA\"}", JOSE_ALL, 0);
    expect("{\"kty\":\"OKP\",\"x\":\"AA\"}", JOSE_ALL, 0);
    expect("{\"kty\":\"EC\",\"crv\":\"Ed448\",\"x\":\"AA\"}", JOSE_ALL, 0);
    expect("{\"kty\":\"\",\"crv\":\"Ed448\",\"x\":\"AA\"}", JOSE_ALL, 0);
    expect("{\"kty\":\"OKP\",\"crv\":7,\"x\":\"AA\"}", JOSE_ALL, 0);
}


static void
test_private_keys(void **state)
{
    size_t  i;

    static const char  *names[] = {
        "d", "p", "q", "dp", "dq", "qi", "oth", "priv"
    };

    (void) state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        expect_error(jose_jwk(rsa, jose_printf(",\"%s\":\"AA\"", names[i])),
                     "contains a private key");
    }

    expect_error(jose_jwk(p256, ",\"d\":\"AA\""), "contains a private key");
    expect_error(jose_jwk(ed, ",\"d\":null"), "contains a private key");
    expect_error(jose_jwk(ed448, ",\"d\":\"AA\""), "contains a private key");
    expect_error(jose_jwk(rsa, ",\"use\":\"enc\",\"d\":\"AA\""),
                 "contains a private key");
}


static void
test_kid(void **state)
{
    json_t      *jwk;
    gw_key_t     key;
    gw_str_t     kid;
    const char  *err, *text, *bad;

    (void) state;

    bad = "has a key with a bad \"kid\"";

    text = jose_jwk(p256, ",\"kid\":\"2026-11\"");
    jwk = gw_json_object(text, strlen(text));
    assert_int_equal(gw_jwk_parse(jwk, JOSE_ALL, &key, &kid, &err), GW_OK);
    assert_int_equal(kid.len, 7);
    assert_memory_equal(kid.data, "2026-11", 7);
    gw_key_free(&key);
    json_decref(jwk);

    text = jose_jwk(p256, "");
    jwk = gw_json_object(text, strlen(text));
    assert_int_equal(gw_jwk_parse(jwk, JOSE_ALL, &key, &kid, &err), GW_OK);
    assert_null(kid.data);
    gw_key_free(&key);
    json_decref(jwk);

    expect(jose_jwk(rsa, jose_printf(",\"kid\":\"%s\"",
                                     jose_repeat('k', 256))),
           RS, RS);
    expect_error(jose_jwk(rsa, jose_printf(",\"kid\":\"%s\"",
                                           jose_repeat('k', 257))),
                 bad);
    expect_error(jose_jwk(rsa, ",\"kid\":\"\""), bad);
    expect_error(jose_jwk(rsa, ",\"kid\":1"), bad);
    expect_error(jose_jwk(rsa, ",\"kid\":null"), bad);
    expect_error(jose_jwk(rsa, ",\"kid\":\"a\\nb\""), bad);
}


static void
test_malformed_members(void **state)
{
    char        *n;
    const char  *lacks, *base64;

    (void) state;

    lacks = "has a key that lacks a member of its type";
    base64 = "has a key with malformed or too long base64url";

    n = jose_number(rsa, OSSL_PKEY_PARAM_RSA_N, 0);

    expect_error("{}", "has a key without \"kty\"");
    expect_error("{\"kty\":1}", "has a key without \"kty\"");

    expect_error("{\"kty\":\"RSA\"}", lacks);
    expect_error("{\"kty\":\"RSA\",\"n\":\"\",\"e\":\"AQAB\"}", lacks);
    expect_error("{\"kty\":\"RSA\",\"n\":65537,\"e\":\"AQAB\"}", lacks);
    expect_error(jose_printf("{\"kty\":\"RSA\",\"n\":\"%s\"}", n), lacks);
    expect_error("{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}", lacks);
    expect_error("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\"}", lacks);
    expect_error("{\"kty\":\"oct\"}", lacks);
    expect_error("{\"kty\":\"oct\",\"k\":\"\"}", lacks);

    expect_error(jose_printf("{\"kty\":\"RSA\",\"n\":\"%s=\","
                             "\"e\":\"AQAB\"}", n),
                 base64);
    expect_error(jose_printf("{\"kty\":\"RSA\",\"n\":\"%s\","
                             "\"e\":\"AQAB=\"}", n),
                 base64);
    expect_error(jose_printf("{\"kty\":\"RSA\",\"n\":\"%s\","
                             "\"e\":\"AQAB\"}", jose_repeat('A', 43692)),
                 base64);
    expect_error("{\"kty\":\"oct\",\"k\":\"+/+/\"}", base64);
}


static void
test_unfit_numbers(void **state)
{
    char        *x, *y;
    EVP_PKEY    *small;
    const char  *text;

    (void) state;

    small = jose_rsa(1024);
    text = jose_jwk(small, "");
    EVP_PKEY_free(small);
    expect_error(text, "has an RSA key under 2048 bits");

    /* 8 bytes of a password */

    expect_error(jose_oct("password", 8, ""), "has a secret under 256 bits");
    expect_error(jose_oct(SECRET, 31, ""), "has a secret under 256 bits");
    expect_error(jose_oct(SECRET, 32, ",\"alg\":\"HS512\""),
                 "has a secret shorter than the hash of its algorithm");

    /* the point of another key, and one that lacks its leading zero */

    x = jose_number(p256, OSSL_PKEY_PARAM_EC_PUB_X, 32);
    y = jose_number(p256, OSSL_PKEY_PARAM_EC_PUB_Y, 32);

    expect_error(jose_printf("{\"kty\":\"EC\",\"crv\":\"P-256\","
                             "\"x\":\"%s\",\"y\":\"%s\"}", y, x),
                 "has an EC key that is not on its curve");
    expect_error(jose_printf("{\"kty\":\"EC\",\"crv\":\"P-256\","
                             "\"x\":\"%s\",\"y\":\"%s\"}", x, "AAAA"),
                 "has an EC key with coordinates of a wrong length");
    expect_error(jose_printf("{\"kty\":\"EC\",\"crv\":\"P-384\","
                             "\"x\":\"%s\",\"y\":\"%s\"}", x, y),
                 "has an EC key with coordinates of a wrong length");
    expect_error("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
                 "has a key OpenSSL does not accept");
    expect_error("{\"kty\":\"OKP\",\"crv\":\"Ed448\",\"x\":\"AAAA\"}",
                 "has a key OpenSSL does not accept");

    /* a key of one curve under the name of the other */

    x = strstr(jose_jwk(ed, ""), "\"x\"");
    expect_error(jose_printf("{\"kty\":\"OKP\",\"crv\":\"Ed448\",%s", x),
                 "has a key OpenSSL does not accept");
    x = strstr(jose_jwk(ed448, ""), "\"x\"");
    expect_error(jose_printf("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",%s", x),
                 "has a key OpenSSL does not accept");
}


/* what concerns no algorithm of ours may be as weak as it likes */

static void
test_unwanted_keys_are_not_judged(void **state)
{
    (void) state;

    expect(jose_oct("password", 8, ""), RS, 0);
    expect(jose_oct("password", 8, ",\"use\":\"enc\""), HS, 0);
    expect("{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQ\"}",
           gw_alg_bit(GW_ALG_ES256), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_a_type_has_its_algorithms),
        cmocka_unit_test(test_public_keys_are_no_secrets),
        cmocka_unit_test(test_alg_pins),
        cmocka_unit_test(test_use_and_key_ops),
        cmocka_unit_test(test_unknown_keys_are_left_out),
        cmocka_unit_test(test_private_keys),
        cmocka_unit_test(test_kid),
        cmocka_unit_test(test_malformed_members),
        cmocka_unit_test(test_unfit_numbers),
        cmocka_unit_test(test_unwanted_keys_are_not_judged),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
