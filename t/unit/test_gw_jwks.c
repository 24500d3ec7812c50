
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_alg.c src/gw_b64.c src/gw_json.c src/gw_jwk.c */
/* links: src/gw_key.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gw_b64.h"
#include "gw_jose.h"
#include "gw_jwks.c"


/* the DER of a public key, without the padding */

#define ED25519                                                               \
    "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"


static EVP_PKEY  *rsa, *other, *p256, *ed, *ed448;


static int
setup(void **state)
{
    (void) state;

    rsa = jose_rsa(2048);
    other = jose_rsa(2048);
    p256 = jose_ec("P-256");
    ed = jose_ed25519();
    ed448 = jose_ed448();

    return 0;
}


static int
teardown(void **state)
{
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(other);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(ed);
    EVP_PKEY_free(ed448);

    return jose_release(state);
}


/* exactly as much memory as promised, and no error left behind */

static gw_jwks_t *
parse_bytes(const char *text, size_t len, uint32_t algs, const char **err)
{
    char       *exact;
    gw_jwks_t  *jwks;

    exact = malloc(len + 1);
    assert_non_null(exact);
    memcpy(exact + 1, text, len);

    *err = NULL;

    jwks = gw_jwks_parse(exact + 1, len, algs, err);

    free(exact);

    assert_true((jwks == NULL) == (*err != NULL));
    assert_int_equal(ERR_peek_error(), 0);

    return jwks;
}


static gw_jwks_t *
parse(const char *text, uint32_t algs)
{
    gw_jwks_t   *jwks;
    const char  *err;

    jwks = parse_bytes(text, strlen(text), algs, &err);

    if (jwks == NULL) {
        fail_msg("%s", err);
    }

    return jwks;
}


static void
expect(const char *text, uint32_t algs, size_t count)
{
    gw_jwks_t  *jwks;

    jwks = parse(text, algs);
    assert_int_equal(gw_jwks_count(jwks), count);
    gw_jwks_free(jwks);
}


static void
expect_error(const char *text, const char *why)
{
    const char  *err;

    assert_null(parse_bytes(text, strlen(text), JOSE_ALL, &err));
    assert_string_equal(err, why);
}


static int
verify(const gw_jwks_t *jwks, gw_alg_e alg, const char *kid,
    const char *input, const char *text)
{
    int            rc;
    size_t         len;
    gw_str_t       k, i, s;
    unsigned char  sig[4096];

    assert_int_equal(gw_b64_decode(text, strlen(text), sig, sizeof(sig), &len),
                     GW_OK);

    k.data = kid;
    k.len = kid ? strlen(kid) : 0;
    i.data = input;
    i.len = strlen(input);
    s.data = (const char *) sig;
    s.len = len;

    rc = gw_jwks_verify(jwks, alg, &k, &i, &s);

    assert_int_equal(ERR_peek_error(), 0);

    return rc;
}


static const char *
kid(const char *name)
{
    return jose_printf(",\"kid\":\"%s\"", name);
}


static void
test_sets(void **state)
{
    const char  *a, *b, *c;

    (void) state;

    a = jose_jwk(rsa, kid("a"));
    b = jose_jwk(p256, kid("b"));
    c = jose_jwk(ed, "");

    expect(a, JOSE_ALL, 1);
    expect(jose_printf("\r\n\t %s \n", a), JOSE_ALL, 1);
    expect(jose_printf("{\"keys\":[%s,%s,%s]}", a, b, c), JOSE_ALL, 3);
    expect(jose_printf("{\"keys\":[%s,%s,%s]}", a, b, c),
           gw_alg_bit(GW_ALG_RS256) | gw_alg_bit(GW_ALG_EDDSA), 2);
    expect(jose_printf("{\"keys\":[{\"kty\":\"X\"},%s],\"more\":1}", b),
           JOSE_ALL, 1);
}


static void
test_texts_that_are_no_sets(void **state)
{
    const char  *a, *err, *none;

    (void) state;

    none = "has no key for the algorithms allowed";
    a = jose_jwk(rsa, kid("a"));

    expect_error("", "is empty");
    expect_error("hello", "is neither JSON nor PEM");
    expect_error(" \n", "is neither JSON nor PEM");
    expect_error("<html></html>", "is neither JSON nor PEM");
    expect_error(jose_printf("[%s]", a), "is neither JSON nor PEM");
    expect_error("{", "is not valid JSON, or names a member twice");
    expect_error(jose_printf("{\"keys\":[%s]", a),
                 "is not valid JSON, or names a member twice");
    expect_error(jose_printf("%s%s", a, a),
                 "is not valid JSON, or names a member twice");
    expect_error(jose_printf("{\"keys\":[],\"keys\":[%s]}", a),
                 "is not valid JSON, or names a member twice");
    expect_error(jose_jwk(rsa, ",\"kty\":\"oct\""),
                 "is not valid JSON, or names a member twice");
    expect_error("{\"keys\":{}}", "has \"keys\" that are not an array");
    expect_error("{\"keys\":null}", "has \"keys\" that are not an array");
    expect_error("{\"keys\":[]}", none);
    expect_error("{\"keys\":[7]}", "has a key without \"kty\"");
    expect_error("{\"keys\":[[]]}", "has a key without \"kty\"");
    expect_error("{\"error\":\"down\"}", "has a key without \"kty\"");
    expect_error(jose_jwk(rsa, ",\"use\":\"enc\""), none);
    expect_error("{\"kty\":\"oct\",\"k\":\"\"}",
                 "has a key that lacks a member of its type");

    assert_null(parse_bytes("{\0}", 3, JOSE_ALL, &err));
    assert_null(parse_bytes("\0", 1, JOSE_ALL, &err));

    /* a key that cannot serve any algorithm of the provider */

    assert_null(parse_bytes(a, strlen(a), gw_alg_bit(GW_ALG_ES256), &err));
    assert_string_equal(err, none);
    assert_null(parse_bytes(a, strlen(a), gw_alg_bit(GW_ALG_HS256), &err));
    assert_string_equal(err, none);
}


static void
test_one_bad_key_spoils_the_set(void **state)
{
    const char  *a;

    (void) state;

    a = jose_jwk(rsa, kid("a"));

    expect_error(jose_printf("{\"keys\":[%s,%s]}", a,
                             jose_jwk(p256, ",\"d\":\"AA\"")),
                 "contains a private key");
    expect_error(jose_printf("{\"keys\":[%s,{\"kty\":\"RSA\",\"n\":\"AQ\","
                             "\"e\":\"Aw\"}]}", a),
                 "has an RSA key under 2048 bits");
}


static void
test_names_are_unique(void **state)
{
    const char  *twice;

    (void) state;

    twice = "has two keys with one \"kid\" for one algorithm";

    expect_error(jose_printf("{\"keys\":[%s,%s]}", jose_jwk(rsa, kid("a")),
                             jose_jwk(other, kid("a"))),
                 twice);
    expect_error(jose_printf("{\"keys\":[%s,%s]}",
                             jose_jwk(rsa, ",\"kid\":\"a\","
                                           "\"alg\":\"RS256\""),
                             jose_jwk(other, kid("a"))),
                 twice);

    expect(jose_printf("{\"keys\":[%s,%s]}", jose_jwk(rsa, kid("a")),
                       jose_jwk(p256, kid("a"))),
           JOSE_ALL, 2);
    expect(jose_printf("{\"keys\":[%s,%s]}",
                       jose_jwk(rsa, ",\"kid\":\"a\",\"alg\":\"RS256\""),
                       jose_jwk(other, ",\"kid\":\"a\",\"alg\":\"RS384\"")),
           JOSE_ALL, 2);
    expect(jose_printf("{\"keys\":[%s,%s]}", jose_jwk(rsa, kid("a")),
                       jose_jwk(other, ",\"kid\":\"a\",\"use\":\"enc\"")),
           JOSE_ALL, 1);
    expect(jose_printf("{\"keys\":[%s,%s]}", jose_jwk(rsa, kid("a")),
                       jose_jwk(other, kid("A"))),
           JOSE_ALL, 2);
}


static const char *
many(size_t n, int named)
{
    size_t       i;
    const char  *text;

    text = "{\"keys\":[";

    for (i = 0; i < n; i++) {
        text = jose_printf("%s%s%s", text, i ? "," : "",
                           jose_jwk(ed, named ? kid(jose_printf("k%zu", i))
                                              : ""));
    }

    return jose_printf("%s]}", text);
}


static void
test_bounds(void **state)
{
    char        *pem, *text;
    size_t       i;
    const char  *err, *unnamed, *unknown;

    (void) state;

    unnamed = "has more than 4 keys without \"kid\" for one algorithm";

    unknown = "";

    for (i = 0; i < 70; i++) {
        unknown = jose_printf("%s{\"kty\":\"X\"},", unknown);
    }

    expect(many(64, 1), JOSE_ALL, 64);
    expect_error(many(65, 1), "has more than 64 keys");
    expect(jose_printf("{\"keys\":[%s{\"kty\":\"X\"},%s]}", unknown,
                       jose_jwk(ed, "")),
           JOSE_ALL, 1);
    expect(many(4, 0), JOSE_ALL, 4);
    expect_error(many(5, 0), unnamed);

    pem = jose_pem(ed);
    text = "";

    for (i = 0; i < 5; i++) {
        text = jose_printf("%s%s", text, pem);
    }

    expect_error(text, unnamed);

    text = jose_repeat(' ', GW_JWKS_MAX_TEXT + 1);
    pem = jose_jwk(ed, "");
    memcpy(text, pem, strlen(pem));

    assert_null(parse_bytes(text, GW_JWKS_MAX_TEXT + 1, JOSE_ALL, &err));
    assert_string_equal(err, "is longer than 256 KiB");

    gw_jwks_free(parse_bytes(text, GW_JWKS_MAX_TEXT, JOSE_ALL, &err));
    assert_null(err);

    gw_jwks_free(NULL);
}


static const char *
certificate(EVP_PKEY *pkey)
{
    BIO   *bio;
    X509  *cert;

    bio = BIO_new(BIO_s_mem());
    cert = X509_new();

    X509_set_version(cert, 2);
    X509_set_pubkey(cert, pkey);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -200);
    X509_gmtime_adj(X509_getm_notAfter(cert), -100);
    X509_sign(cert, pkey, EVP_PKEY_is_a(pkey, "ED448") ? NULL : EVP_sha256());
    PEM_write_bio_X509(bio, cert);
    X509_free(cert);

    return jose_bio(bio);
}


static void
test_pem(void **state)
{
    char        *a, *b, *crlf, *p;
    size_t       i;
    const char  *c;

    (void) state;

    a = jose_pem(rsa);
    b = jose_pem(p256);
    c = certificate(other);

    expect(a, JOSE_ALL, 1);
    expect(c, JOSE_ALL, 1);
    expect(jose_pem(ed448), JOSE_ALL, 1);
    expect(certificate(ed448), gw_alg_bit(GW_ALG_EDDSA), 1);
    expect(jose_printf("%s%s", jose_pem(ed), jose_pem(ed448)), JOSE_ALL, 2);
    expect(jose_printf("a comment\n%s\n\nanother\n%s%s", a, b, c), JOSE_ALL,
           3);
    expect(jose_printf("%s%s", a, b), gw_alg_bit(GW_ALG_ES256), 1);

    crlf = jose_keep(malloc(2 * strlen(a) + 1));
    p = crlf;

    for (i = 0; a[i]; i++) {
        if (a[i] == '\n') {
            *p++ = '\r';
        }

        *p++ = a[i];
    }

    *p = '\0';

    expect(crlf, JOSE_ALL, 1);
}


static void
test_pem_errors(void **state)
{
    char        *a, *cut;
    BIO         *bio;
    EVP_PKEY    *weak;
    const char  *malformed, *neither, *private;

    (void) state;

    malformed = "has malformed PEM";
    neither = "has PEM that is neither a public key nor a certificate";
    private = "contains a private key";

    a = jose_pem(rsa);

    expect_error(jose_private_pem(rsa, 0), private);
    expect_error(jose_private_pem(rsa, 1), private);
    expect_error(jose_private_pem(p256, 0), private);
    expect_error(jose_private_pem(p256, 1), private);
    expect_error(jose_private_pem(ed, 0), private);
    expect_error(jose_private_pem(ed448, 0), private);
    expect_error(jose_printf("%s%s", a, jose_private_pem(rsa, 0)), private);

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, p256, EVP_aes_128_cbc(), "pass", 4,
                                  NULL, NULL);
    expect_error(jose_bio(bio), private);

    cut = jose_printf("%s", a);
    cut[strlen(cut) / 2] = '\0';
    expect_error(cut, malformed);
    expect_error(jose_printf("%s%s", a, cut), malformed);

    cut = jose_printf("%s", a);
    cut[60] = '!';
    expect_error(cut, malformed);

    expect_error("-----BEGIN PUBLIC KEY-----\nAAAA\n"
                 "-----END PUBLIC KEY-----\n", malformed);
    expect_error("-----BEGIN PUBLIC KEY-----\n"
                 "-----END PUBLIC KEY-----\n", malformed);
    expect_error("-----BEGIN CERTIFICATE-----\nAAAA\n"
                 "-----END CERTIFICATE-----\n", malformed);
    expect_error("-----BEGIN RSA PUBLIC KEY-----\nAAAA\n"
                 "-----END RSA PUBLIC KEY-----\n", neither);
    expect_error("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n"
                 "-----END EC PARAMETERS-----\n", neither);

    expect_error("-----BEGIN PUBLIC KEY-----\n"
                 "Proc-Type: 4,ENCRYPTED\n"
                 "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\n"
                 ED25519 "=\n"
                 "-----END PUBLIC KEY-----\n", malformed);

    /* the point at infinity */

    expect_error("-----BEGIN PUBLIC KEY-----\n"
                 "MBkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDAgAA\n"
                 "-----END PUBLIC KEY-----\n",
                 "has an EC key that is not on its curve");

    /* bytes after the key, inside the block */

    expect_error("-----BEGIN PUBLIC KEY-----\n"
                 ED25519 "A\n"
                 "-----END PUBLIC KEY-----\n", malformed);

    expect("-----BEGIN PUBLIC KEY-----\n"
           ED25519 "=\n"
           "-----END PUBLIC KEY-----\n", JOSE_ALL, 1);

    weak = jose_rsa(1024);
    expect_error(jose_pem(weak), "has an RSA key under 2048 bits");
    EVP_PKEY_free(weak);

    weak = jose_ec("secp256k1");
    expect_error(jose_pem(weak),
                 "has an EC key on another curve than P-256, P-384, P-521");
    EVP_PKEY_free(weak);
}


/* a token names its key, and no other named key is asked */

static void
test_selection_by_name(void **state)
{
    gw_jwks_t   *jwks;
    const char  *input, *sig;

    (void) state;

    input = "header.claims";

    jwks = parse(jose_printf("{\"keys\":[%s,%s,%s]}",
                             jose_jwk(rsa, kid("a")),
                             jose_jwk(other, kid("b")),
                             jose_jwk(p256, kid("c"))),
                 JOSE_ALL);

    sig = jose_sign(GW_ALG_RS256, rsa, input);

    assert_int_equal(verify(jwks, GW_ALG_RS256, "a", input, sig), GW_OK);
    assert_int_equal(verify(jwks, GW_ALG_RS256, "b", input, sig), GW_ERROR);
    assert_int_equal(verify(jwks, GW_ALG_RS256, "c", input, sig),
                     GW_DECLINED);
    assert_int_equal(verify(jwks, GW_ALG_RS256, "A", input, sig),
                     GW_DECLINED);
    assert_int_equal(verify(jwks, GW_ALG_RS256, "", input, sig), GW_DECLINED);
    assert_int_equal(verify(jwks, GW_ALG_RS256, "aa", input, sig),
                     GW_DECLINED);
    assert_int_equal(verify(jwks, GW_ALG_RS256, NULL, input, sig), GW_OK);
    assert_int_equal(verify(jwks, GW_ALG_RS384, "a", input, sig), GW_ERROR);
    assert_int_equal(verify(jwks, GW_ALG_EDDSA, "a", input, sig),
                     GW_DECLINED);
    assert_int_equal(verify(jwks, GW_ALG_UNKNOWN, "a", input, sig),
                     GW_DECLINED);

    sig = jose_sign(GW_ALG_RS256, other, input);

    assert_int_equal(verify(jwks, GW_ALG_RS256, NULL, input, sig), GW_OK);
    assert_int_equal(verify(jwks, GW_ALG_RS256, "a", input, sig), GW_ERROR);

    gw_jwks_free(jwks);
}


/* PEM has no names */

static void
test_keys_without_a_name_serve_all(void **state)
{
    gw_jwks_t   *jwks;
    const char  *input, *sig;

    (void) state;

    input = "header.claims";
    jwks = parse(jose_printf("%s%s", jose_pem(rsa), jose_pem(other)),
                 JOSE_ALL);

    sig = jose_sign(GW_ALG_PS256, other, input);

    assert_int_equal(verify(jwks, GW_ALG_PS256, "any", input, sig), GW_OK);
    assert_int_equal(verify(jwks, GW_ALG_PS256, NULL, input, sig), GW_OK);
    assert_int_equal(verify(jwks, GW_ALG_ES256, "any", input, sig),
                     GW_DECLINED);

    gw_jwks_free(jwks);

    /* beside a named one */

    jwks = parse(jose_printf("{\"keys\":[%s,%s]}", jose_jwk(other, ""),
                             jose_jwk(rsa, kid("a"))),
                 JOSE_ALL);

    assert_int_equal(verify(jwks, GW_ALG_PS256, "a", input, sig), GW_OK);
    assert_int_equal(verify(jwks, GW_ALG_PS256, "b", input, sig), GW_OK);

    sig = jose_sign(GW_ALG_PS256, rsa, input);

    assert_int_equal(verify(jwks, GW_ALG_PS256, "a", input, sig), GW_OK);
    assert_int_equal(verify(jwks, GW_ALG_PS256, "b", input, sig), GW_ERROR);

    gw_jwks_free(jwks);
}


/* the work a token without a name can cause has a bound */

static void
test_tries_are_bounded(void **state)
{
    int          i;
    EVP_PKEY    *keys[5];
    gw_jwks_t   *jwks;
    const char  *input, *text;

    (void) state;

    input = "header.claims";
    text = "{\"keys\":[";

    for (i = 0; i < 5; i++) {
        keys[i] = jose_ed25519();
        text = jose_printf("%s%s%s", text, i ? "," : "",
                           jose_jwk(keys[i], kid(jose_printf("k%d", i))));
    }

    jwks = parse(jose_printf("%s]}", text), JOSE_ALL);

    for (i = 0; i < 5; i++) {
        text = jose_sign(GW_ALG_EDDSA, keys[i], input);

        assert_int_equal(verify(jwks, GW_ALG_EDDSA, NULL, input, text),
                         i < 4 ? GW_OK : GW_ERROR);
        assert_int_equal(verify(jwks, GW_ALG_EDDSA, jose_printf("k%d", i),
                                input, text),
                         GW_OK);

        EVP_PKEY_free(keys[i]);
    }

    gw_jwks_free(jwks);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_texts_that_are_no_sets),
        cmocka_unit_test(test_one_bad_key_spoils_the_set),
        cmocka_unit_test(test_names_are_unique),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_pem),
        cmocka_unit_test(test_pem_errors),
        cmocka_unit_test(test_selection_by_name),
        cmocka_unit_test(test_keys_without_a_name_serve_all),
        cmocka_unit_test(test_tries_are_bounded),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
