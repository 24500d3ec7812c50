
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_alg.c src/gw_b64.c src/gw_json.c src/gw_jwk.c */
/* links: src/gw_jwks.c src/gw_key.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "gw_jose.h"
#include "gw_jwks.h"
#include "gw_signer.c"


#define KID     "2026-11"
#define SECRET  "0123456789abcdef0123456789abcdef"


static EVP_PKEY  *p256, *ed25519, *ed448;


static int
setup(void **state)
{
    (void) state;

    p256 = jose_ec("P-256");
    ed25519 = jose_ed25519();
    ed448 = jose_ed448();

    return 0;
}


static int
teardown(void **state)
{
    EVP_PKEY_free(p256);
    EVP_PKEY_free(ed25519);
    EVP_PKEY_free(ed448);
    gw_signer_free(NULL);

    return jose_release(state);
}


/* of exactly as much memory as it needs */

static gw_signer_t *
create_bytes(const char *name, const char *text, size_t len, int hmac,
    const char **err)
{
    char         *exact;
    gw_str_t      kid;
    gw_signer_t  *s;

    exact = malloc(len + 1);
    assert_non_null(exact);
    memcpy(exact + 1, text, len);

    kid.data = name;
    kid.len = strlen(name);
    *err = NULL;

    s = gw_signer_create(&kid, exact + 1, len, hmac, err);

    free(exact);

    assert_true((s == NULL) == (*err != NULL));
    assert_int_equal(ERR_peek_error(), 0);

    return s;
}


static gw_signer_t *
create(const char *name, const char *text, int hmac)
{
    const char   *err;
    gw_signer_t  *s;

    s = create_bytes(name, text, strlen(text), hmac, &err);

    if (s == NULL) {
        fail_msg("%s", err);
    }

    return s;
}


/* header, a payload, signature; exactly "size" bytes are there */

static int
sign(const gw_signer_t *s, size_t size, char **token)
{
    int      rc;
    char    *buf;
    size_t   n, len;

    static const char  payload[] = "eyJhIjoxfQ";

    buf = malloc(size + 1);
    assert_non_null(buf);

    len = 0;
    rc = gw_signer_header(s, buf + 1, size, &n);

    assert_true(rc == GW_OK || n == 0);

    if (rc == GW_OK && size - n >= sizeof(payload) - 1) {
        memcpy(buf + 1 + n, payload, sizeof(payload) - 1);
        rc = gw_signer_sign(s, buf + 1, n + sizeof(payload) - 1, size, &len);

        assert_true(rc == GW_OK || len == 0);
        assert_true(len <= size);
        assert_true(rc == GW_DECLINED
                    || len - n - sizeof(payload) + 1 <= GW_SIGNER_MAX_SIG);

    } else {
        rc = GW_DECLINED;
    }

    assert_int_equal(ERR_peek_error(), 0);

    *token = jose_printf("%.*s", (int) len, buf + 1);

    free(buf);

    return rc;
}


/* by a set of keys of its own */

static int
verified(const char *token, gw_alg_e alg, const char *jwk, const char *name)
{
    int             rc;
    gw_str_t        kid, input, sig;
    gw_jwks_t      *jwks;
    const char     *err, *dot;
    unsigned char   raw[GW_SIGNER_MAX_RAW];

    jwks = gw_jwks_parse(jwk, strlen(jwk), gw_alg_bit(alg), &err);

    if (jwks == NULL) {
        fail_msg("%s", err);
    }

    dot = strrchr(token, '.');

    assert_int_equal(gw_b64_decode(dot + 1, strlen(dot + 1), raw, sizeof(raw),
                                   &sig.len),
                     GW_OK);

    sig.data = (const char *) raw;
    kid.data = name;
    kid.len = strlen(name);
    input.data = token;
    input.len = (size_t) (dot - token);

    rc = gw_jwks_verify(jwks, alg, &kid, &input, &sig);

    gw_jwks_free(jwks);

    return rc;
}


static void
test_every_type(void **state)
{
    char         *token, *header, *jwk;
    size_t        i, len, size;
    EVP_PKEY     *pkey;
    gw_alg_e      alg;
    const char   *members;
    char          buf[GW_SIGNER_MAX_JWK];
    gw_signer_t  *s;

    (void) state;

    for (i = 0; i < 3; i++) {
        pkey = (i == 0) ? p256 : (i == 1) ? ed25519 : ed448;
        alg = (i == 0) ? GW_ALG_ES256 : GW_ALG_EDDSA;

        members = jose_printf(",\"use\":\"sig\",\"alg\":\"%s\",\"kid\":\"%s\"",
                              gw_alg_name(alg), KID);
        jwk = jose_jwk(pkey, members);

        s = create(KID, jose_private_pem(pkey, 0), 0);

        assert_int_equal(gw_signer_jwk(s, buf, sizeof(buf), &len), GW_OK);
        assert_string_equal(jose_printf("%.*s", (int) len, buf), jwk);

        assert_int_equal(gw_signer_jwk(s, buf, len, &len), GW_OK);
        assert_int_equal(gw_signer_jwk(s, buf, len - 1, &len), GW_DECLINED);
        assert_int_equal(len, 0);

        assert_int_equal(sign(s, 4096, &token), GW_OK);

        header = jose_printf("{\"alg\":\"%s\",\"typ\":\"passport+jwt\","
                             "\"kid\":\"" KID "\"}", gw_alg_name(alg));
        header = jose_b64(header, strlen(header));
        assert_memory_equal(token, header, strlen(header));
        assert_int_equal(token[strlen(header)], '.');

        assert_int_equal(verified(token, alg, jwk, KID), GW_OK);
        assert_int_equal(verified(token, alg, jwk, "2026-10"), GW_DECLINED);

        token[strlen(header) + 3] ^= 1;
        assert_int_equal(verified(token, alg, jwk, KID), GW_ERROR);

        len = strlen(token);

        for (size = 0; size <= len + 4; size++) {
            assert_int_equal(sign(s, size, &token),
                             size < len ? GW_DECLINED : GW_OK);
        }

        gw_signer_free(s);
    }
}


static void
test_secret(void **state)
{
    char         *token;
    size_t        i, len;
    const char   *jwk, *err;
    char          buf[GW_SIGNER_MAX_JWK];
    gw_signer_t  *s;

    static const char  *ends[] = { "", "\n", "\r\n", " \t\r\n\n" };

    (void) state;

    for (i = 0; i < 4; i++) {
        s = create(KID, jose_printf("%s%s", SECRET, ends[i]), 1);

        assert_int_equal(sign(s, 4096, &token), GW_OK);

        jwk = jose_oct(SECRET, 32, ",\"kid\":\"" KID "\"");
        assert_int_equal(verified(token, GW_ALG_HS256, jwk, KID), GW_OK);

        /* a secret is never published */

        assert_int_equal(gw_signer_jwk(s, buf, sizeof(buf), &len),
                         GW_DECLINED);
        assert_int_equal(len, 0);

        gw_signer_free(s);
    }

    /* white space elsewhere, and NULs, are a part of it */

    s = create_bytes(KID, " 23456789\0bcdef0123456789abcde f", 32, 1, &err);
    assert_non_null(s);
    assert_int_equal(sign(s, 4096, &token), GW_OK);
    jwk = jose_oct(" 23456789\0bcdef0123456789abcde f", 32, "");
    assert_int_equal(verified(token, GW_ALG_HS256, jwk, KID), GW_OK);
    gw_signer_free(s);

    s = create(KID, jose_repeat('s', 1024), 1);
    gw_signer_free(s);
}


static void
test_id(void **state)
{
    size_t        i, k;
    uint8_t       hash[32];
    const char   *pem;
    gw_signer_t  *s[8];

    (void) state;

    pem = jose_private_pem(p256, 0);

    s[0] = create("a", pem, 0);
    s[1] = create("b", pem, 0);
    s[2] = create("a", jose_private_pem(ed25519, 0), 0);
    s[3] = create("a", jose_private_pem(ed448, 0), 0);
    s[4] = create("a", SECRET, 1);
    s[5] = create("b", SECRET, 1);
    s[6] = create("a", SECRET "x", 1);

    for (i = 0; i < 7; i++) {
        for (k = 0; k < i; k++) {
            assert_memory_not_equal(gw_signer_id(s[i]), gw_signer_id(s[k]),
                                    GW_SIGNER_ID);
        }
    }

    s[7] = create("a", jose_private_pem(p256, 1), 0);
    assert_memory_equal(gw_signer_id(s[0]), gw_signer_id(s[7]), GW_SIGNER_ID);
    gw_signer_free(s[7]);

    s[7] = create("a", SECRET "\n", 1);
    assert_memory_equal(gw_signer_id(s[4]), gw_signer_id(s[7]), GW_SIGNER_ID);

    /* the plain hash of a secret would give it away */

    EVP_Q_digest(NULL, "SHA256", NULL, SECRET, 32, hash, NULL);
    assert_memory_not_equal(gw_signer_id(s[4]), hash, GW_SIGNER_ID);

    for (i = 0; i < 8; i++) {
        gw_signer_free(s[i]);
    }
}


/* a coordinate, r or s that begins with a zero keeps it */

static void
test_leading_zeros(void **state)
{
    int           i, r_zero, s_zero;
    char         *token, *dot, *x, *jwk;
    size_t        len;
    EVP_PKEY     *pkey;
    char          buf[GW_SIGNER_MAX_JWK];
    gw_signer_t  *s;

    (void) state;

    jwk = jose_jwk(p256, "");
    s = create("k", jose_private_pem(p256, 0), 0);

    r_zero = 0;
    s_zero = 0;

    for (i = 0; i < 8000 && !(r_zero && s_zero); i++) {
        assert_int_equal(sign(s, 4096, &token), GW_OK);

        dot = strrchr(token, '.');
        assert_int_equal(strlen(dot + 1), 86);
        assert_int_equal(gw_b64_decode(dot + 1, 86, buf, 64, &len), GW_OK);

        if (buf[0] == '\0' || buf[32] == '\0') {
            assert_int_equal(verified(token, GW_ALG_ES256, jwk, "k"), GW_OK);
        }

        r_zero |= buf[0] == '\0';
        s_zero |= buf[32] == '\0';
    }

    assert_true(r_zero && s_zero);
    gw_signer_free(s);

    pkey = NULL;

    for (i = 0; i < 6000; i++) {
        pkey = jose_ec("P-256");
        x = jose_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, 0);

        if (strlen(x) < 43) {
            break;
        }

        EVP_PKEY_free(pkey);
    }

    assert_true(i < 6000);

    s = create("k", jose_private_pem(pkey, 1), 0);
    assert_int_equal(gw_signer_jwk(s, buf, sizeof(buf), &len), GW_OK);
    assert_string_equal(jose_printf("%.*s", (int) len, buf),
                        jose_jwk(pkey, ",\"use\":\"sig\",\"alg\":\"ES256\","
                                       "\"kid\":\"k\""));

    gw_signer_free(s);
    EVP_PKEY_free(pkey);
}


static void
expect_error(const char *text, int hmac, const char *why)
{
    const char  *err;

    assert_null(create_bytes("k", text, strlen(text), hmac, &err));
    assert_string_equal(err, why);
}


static char *
private_pem_of(EVP_PKEY *pkey)
{
    char  *pem;

    pem = jose_private_pem(pkey, 0);
    EVP_PKEY_free(pkey);

    return pem;
}


static char *
encrypted(EVP_PKEY *pkey)
{
    BIO  *bio;

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, pkey, EVP_aes_128_cbc(), "pass", 4,
                                  NULL, NULL);

    return jose_bio(bio);
}


static void
test_keys(void **state)
{
    BIO         *bio;
    char        *pem, *text;
    const char  *none, *other;

    (void) state;

    none = "contains no private key in PEM";
    other = "contains a key that is neither EC P-256, nor Ed25519, nor Ed448";

    /* SEC 1, also behind the parameters that the openssl command writes */

    pem = jose_private_pem(p256, 1);
    assert_non_null(strstr(pem, "BEGIN EC PRIVATE KEY"));

    gw_signer_free(create("k", pem, 0));
    gw_signer_free(create("k", jose_printf("-----BEGIN EC PARAMETERS-----\n"
                                           "BggqhkjOPQMBBw==\n"
                                           "-----END EC PARAMETERS-----\n%s",
                                           pem), 0));

    expect_error("", 0, "is empty");
    expect_error("hello", 0, none);
    expect_error(SECRET, 0, none);
    expect_error(jose_pem(p256), 0, none);
    expect_error(jose_pem(ed448), 0, none);
    expect_error(jose_jwk(p256, ",\"d\":\"AA\""), 0, none);
    expect_error("-----BEGIN PRIVATE KEY-----\nAAAA\n"
                 "-----END PRIVATE KEY-----\n", 0, none);

    text = jose_printf("%s", pem);
    text[strlen(text) / 2] = '\0';
    expect_error(text, 0, none);

    expect_error(private_pem_of(jose_ec("P-384")), 0, other);
    expect_error(private_pem_of(jose_ec("secp256k1")), 0, other);
    expect_error(private_pem_of(jose_rsa(2048)), 0, other);
    expect_error(private_pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "X25519")), 0,
                 other);
    expect_error(private_pem_of(EVP_PKEY_Q_keygen(NULL, NULL, "X448")), 0,
                 other);

    expect_error(encrypted(p256), 0, "is encrypted");
    expect_error(encrypted(ed25519), 0, "is encrypted");

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey_traditional(bio, p256, EVP_aes_128_cbc(),
                                         (unsigned char *) "pass", 4, NULL,
                                         NULL);
    expect_error(jose_bio(bio), 0, "is encrypted");

    expect_error(jose_repeat('A', GW_SIGNER_MAX_PEM + 1), 0,
                 "is longer than 64 KiB");
}


static void
test_bad_secrets(void **state)
{
    (void) state;

    expect_error("", 1, "is empty");
    expect_error(" \n\r\n\t", 1, "is empty");
    expect_error("s", 1, "holds a secret under 32 bytes");
    expect_error("0123456789abcdef0123456789abcde\n", 1,
                 "holds a secret under 32 bytes");
    expect_error(jose_repeat(' ', 100), 1, "is empty");
    expect_error(jose_repeat('s', 1025), 1, "holds a secret over 1024 bytes");
    expect_error(jose_private_pem(p256, 0), 1, "holds PEM, not a secret");
    expect_error(jose_pem(p256), 1, "holds PEM, not a secret");
}


/* the private part of one key, the public one of another */

static void
test_inconsistent_key(void **state)
{
    int             len, other_len;
    BIO            *bio;
    EVP_PKEY       *other;
    unsigned char  *der, *other_der;

    (void) state;

    other = jose_ec("P-256");

    der = NULL;
    other_der = NULL;
    len = i2d_PrivateKey(p256, &der);
    other_len = i2d_PrivateKey(other, &other_der);

    assert_int_equal(len, other_len);

    /* the point comes last */

    memcpy(der + len - 64, other_der + len - 64, 64);

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio(bio, "EC PRIVATE KEY", "", der, len);

    expect_error(jose_bio(bio), 0, "contains an inconsistent key");

    OPENSSL_free(der);
    OPENSSL_free(other_der);
    EVP_PKEY_free(other);
}


static void
test_names(void **state)
{
    int           i;
    char          jwk[GW_SIGNER_MAX_JWK], *token;
    json_t       *json;
    size_t        len;
    const char   *err, *text, *name, *bad;
    gw_signer_t  *s;

    (void) state;

    bad = "has a key name that is not 1 to 256 printable bytes";

    for (i = 0; i < 2; i++) {
        text = i ? SECRET : jose_private_pem(ed448, 0);
        len = strlen(text);

        assert_null(create_bytes("", text, len, i, &err));
        assert_string_equal(err, bad);
        assert_null(create_bytes("a\nb", text, len, i, &err));
        assert_string_equal(err, bad);
        assert_null(create_bytes(jose_repeat('k', 257), text, len, i, &err));
        assert_string_equal(err, bad);
        assert_null(create_bytes("\xff", text, len, i, &err));
        assert_string_equal(err, "has a key name that is not UTF-8");

        /* the longest ones: nothing but quotes */

        name = jose_repeat('"', 256);
        s = create(name, text, i);
        assert_int_equal(sign(s, 4096, &token), GW_OK);

        if (i == 0) {
            assert_int_equal(gw_signer_jwk(s, jwk, sizeof(jwk), &len), GW_OK);

            json = json_loadb(jwk, len, 0, NULL);
            assert_non_null(json);
            assert_string_equal(json_string_value(json_object_get(json,
                                                                  "kid")),
                                name);
            json_decref(json);
        }

        gw_signer_free(s);
    }
}


#define test(name)  cmocka_unit_test_teardown(name, jose_release)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_every_type),
        test(test_secret),
        test(test_id),
        test(test_leading_zeros),
        test(test_keys),
        test(test_bad_secrets),
        test(test_inconsistent_key),
        test(test_names),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
