
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_alg.c src/gw_b64.c src/gw_json.c src/gw_jwk.c */
/* links: src/gw_jwks.c src/gw_jwt.c src/gw_key.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "gw_jose.h"
#include "gw_jwt.h"
#include "gw_passport.c"


static EVP_PKEY     *p256;
static gw_signer_t  *signer;
static gw_str_t      audiences[3] = { gw_str("orders"), gw_str("billing"),
                                      gw_str("a\"b") };


static gw_signer_t *
create(const char *name, const char *pem, const char **err)
{
    size_t        len;
    char         *exact;
    gw_str_t      kid;
    gw_signer_t  *s;

    len = strlen(pem);
    exact = malloc(len + 1);
    assert_non_null(exact);
    memcpy(exact + 1, pem, len);

    kid.data = name;
    kid.len = strlen(name);
    *err = NULL;

    s = gw_signer_create(&kid, exact + 1, len, err);

    free(exact);

    assert_true((s == NULL) == (*err != NULL));
    assert_int_equal(ERR_peek_error(), 0);

    return s;
}


static int
setup(void **state)
{
    const char  *err;

    (void) state;

    p256 = jose_ec("P-256");
    signer = create("2026-11", jose_private_pem(p256, 0), &err);

    return signer == NULL;
}


static int
teardown(void **state)
{
    EVP_PKEY_free(p256);
    gw_signer_free(signer);
    gw_signer_free(NULL);

    return jose_release(state);
}


static gw_passport_t
passport(void)
{
    gw_passport_t  p;

    memset(&p, 0, sizeof(p));

    p.issuer = STR("gateway");
    p.subject = STR("alice");
    p.source = STR("jwt");
    p.level = STR("high");
    p.tier = STR("gold");
    p.scope = STR("orders:read orders:write");
    p.client = STR("app");
    p.id = STR("0af7651916cd43dd8448eb211c80319c");
    p.audiences = audiences;
    p.naudiences = 1;
    p.issued = 1000;
    p.not_before = 995;
    p.expires = 1060;

    return p;
}


/* the token, terminated; exactly "size" bytes are there to be written */

static int
sign(const gw_passport_t *p, size_t size, char **token)
{
    int      rc;
    char    *buf;
    size_t   len;

    buf = malloc(size + 1);
    assert_non_null(buf);

    rc = gw_passport_sign(p, signer, buf + 1, size, &len);

    assert_int_equal(ERR_peek_error(), 0);
    assert_true(len <= size);
    assert_true(rc == GW_OK || len == 0);

    *token = jose_printf("%.*s", (int) len, buf + 1);

    free(buf);

    return rc;
}


static char *
part(const char *token, int n)
{
    char        *text;
    size_t       len;
    const char  *end;

    while (n--) {
        token = strchr(token, '.') + 1;
    }

    end = strchr(token, '.');
    len = end ? (size_t) (end - token) : strlen(token);

    text = jose_keep(malloc(len + 1));
    assert_int_equal(gw_b64_decode(token, len, text, len, &len), GW_OK);
    text[len] = '\0';

    return text;
}


/* verified by OpenSSL alone */

static int
verified(const char *token)
{
    int             ok, der_len;
    size_t          len;
    ECDSA_SIG      *es;
    EVP_MD_CTX     *ctx;
    const char     *dot;
    unsigned char   raw[64], *der;

    dot = strrchr(token, '.');
    assert_non_null(dot);
    assert_int_equal(strlen(dot + 1), 86);
    assert_int_equal(gw_b64_decode(dot + 1, 86, raw, 64, &len), GW_OK);
    assert_int_equal(len, 64);

    es = ECDSA_SIG_new();
    ECDSA_SIG_set0(es, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32,
                                                           NULL));
    der = NULL;
    der_len = i2d_ECDSA_SIG(es, &der);
    ECDSA_SIG_free(es);

    ctx = EVP_MD_CTX_new();
    EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, p256);
    ok = EVP_DigestVerify(ctx, der, (size_t) der_len,
                          (const unsigned char *) token,
                          (size_t) (dot - token));
    EVP_MD_CTX_free(ctx);
    OPENSSL_free(der);

    return ok == 1;
}


static void
test_whole_passport(void **state)
{
    char           *token;
    gw_passport_t   p;

    (void) state;

    p = passport();

    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_OK);
    assert_true(verified(token));

    assert_string_equal(part(token, 0),
                        "{\"alg\":\"ES256\",\"typ\":\"passport+jwt\","
                        "\"kid\":\"2026-11\"}");
    assert_string_equal(part(token, 1),
                        "{\"iss\":\"gateway\",\"aud\":\"orders\","
                        "\"sub\":\"alice\",\"iat\":1000,\"nbf\":995,"
                        "\"exp\":1060,"
                        "\"jti\":\"0af7651916cd43dd8448eb211c80319c\","
                        "\"ver\":1,\"src\":\"jwt\",\"lvl\":\"high\","
                        "\"tier\":\"gold\","
                        "\"scope\":\"orders:read orders:write\","
                        "\"cli\":\"app\"}");
}


static void
test_short_passport(void **state)
{
    char           *token;
    gw_passport_t   p;

    (void) state;

    p = passport();

    p.tier = STR("");
    p.scope = STR("");
    p.client = STR("");
    p.naudiences = 3;
    p.degraded = 1;

    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_OK);
    assert_true(verified(token));
    assert_string_equal(part(token, 1),
                        "{\"iss\":\"gateway\","
                        "\"aud\":[\"orders\",\"billing\",\"a\\\"b\"],"
                        "\"sub\":\"alice\",\"iat\":1000,\"nbf\":995,"
                        "\"exp\":1060,"
                        "\"jti\":\"0af7651916cd43dd8448eb211c80319c\","
                        "\"ver\":1,\"src\":\"jwt\",\"lvl\":\"high\","
                        "\"deg\":true}");
}


/* a name cannot leave its quotes */

static void
test_escaping(void **state)
{
    char           *token;
    json_t         *claims;
    gw_passport_t   p;

    static const char  subject[] =
        "\",\"lvl\":\"highest\\\n\x01 \xc3\xa9\xf0\x9f\x98\x80</script>";

    (void) state;

    p = passport();
    p.subject.data = subject;
    p.subject.len = sizeof(subject) - 1;

    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_OK);
    assert_true(verified(token));

    claims = json_loads(part(token, 1), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(claims);
    assert_string_equal(json_string_value(json_object_get(claims, "sub")),
                        subject);
    assert_string_equal(json_string_value(json_object_get(claims, "lvl")),
                        "high");
    json_decref(claims);
}


static void
test_values_that_are_refused(void **state)
{
    char           *token;
    size_t          i;
    gw_str_t       *s, empty;
    gw_passport_t   p;

    (void) state;

    empty = STR("");

    for (i = 0; i < 5; i++) {
        p = passport();

        s = (i == 0) ? &p.issuer : (i == 1) ? &p.subject
            : (i == 2) ? &p.source : (i == 3) ? &p.level : &p.id;

        *s = STR("");
        assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_ERROR);
        *s = STR("x\xff");
        assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_ERROR);
        *s = STR("x");
        assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_OK);
    }

    p = passport();
    p.scope = STR("\xed\xa0\x80");
    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_ERROR);

    p = passport();
    p.naudiences = 0;
    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_ERROR);

    p.audiences = &empty;
    p.naudiences = 1;
    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_ERROR);
}


static void
test_size(void **state)
{
    char           *token;
    size_t          n, len, size, longest;
    gw_passport_t   p;

    (void) state;

    p = passport();

    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_OK);
    len = strlen(token);

    for (size = 0; size <= len + 4; size++) {
        assert_int_equal(sign(&p, size, &token),
                         size < len ? GW_DECLINED : GW_OK);
    }

    /* never longer than 4096, whatever room there is */

    longest = 0;

    for (n = 2400; n < 4600; n++) {
        p.scope.data = jose_repeat('s', n);
        p.scope.len = n;

        if (sign(&p, 8192, &token) == GW_OK) {
            assert_true(verified(token));
            longest = strlen(token);

        } else {
            assert_int_equal(sign(&p, 8192, &token), GW_DECLINED);
            assert_true(longest > GW_PASSPORT_MAX_LEN - 4);
            assert_true(longest <= GW_PASSPORT_MAX_LEN);
        }
    }

    assert_true(longest <= GW_PASSPORT_MAX_LEN);
}


static void
test_published_key_verifies(void **state)
{
    char            *token;
    size_t           len;
    gw_jwt_t         jwt;
    gw_jwks_t       *jwks;
    const char      *err;
    char             jwk[GW_SIGNER_MAX_JWK];
    gw_str_t         kid, input, sig;
    gw_passport_t    p;
    unsigned char    raw[64];

    (void) state;

    assert_int_equal(gw_signer_jwk(signer, jwk, sizeof(jwk), &len), GW_OK);
    assert_string_equal(jose_printf("%.*s", (int) len, jwk),
                        jose_jwk(p256, ",\"use\":\"sig\",\"alg\":\"ES256\","
                                       "\"kid\":\"2026-11\""));

    assert_int_equal(gw_signer_jwk(signer, jwk, len, &len), GW_OK);
    assert_int_equal(gw_signer_jwk(signer, jwk, len - 1, &len), GW_DECLINED);
    assert_int_equal(len, 0);

    assert_int_equal(gw_signer_jwk(signer, jwk, sizeof(jwk), &len), GW_OK);
    jwks = gw_jwks_parse(jwk, len, gw_alg_bit(GW_ALG_ES256), &err);
    assert_non_null(jwks);

    p = passport();
    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_OK);

    kid = STR("2026-11");
    input.data = token;
    input.len = (size_t) (strrchr(token, '.') - token);

    assert_int_equal(gw_b64_decode(token + input.len + 1, 86, raw, 64,
                                   &sig.len),
                     GW_OK);
    sig.data = (const char *) raw;

    assert_int_equal(gw_jwks_verify(jwks, GW_ALG_ES256, &kid, &input, &sig),
                     GW_OK);
    kid = STR("2026-10");
    assert_int_equal(gw_jwks_verify(jwks, GW_ALG_ES256, &kid, &input, &sig),
                     GW_DECLINED);

    /* nevertheless it is no credential of a client */

    assert_int_equal(gw_jwt_parse(&jwt, token, strlen(token)),
                     GW_JWT_BAD_TYPE);
    gw_jwt_free(&jwt);

    gw_jwks_free(jwks);
}


/* a coordinate, r or s that begins with a zero keeps it */

static void
test_leading_zeros(void **state)
{
    int             i, r_zero, s_zero;
    char           *token, *x;
    size_t          len;
    EVP_PKEY       *kept;
    gw_str_t        kid;
    const char     *pem, *err;
    char            jwk[GW_SIGNER_MAX_JWK];
    gw_signer_t    *s;
    gw_passport_t   p;

    (void) state;

    p = passport();
    r_zero = 0;
    s_zero = 0;

    for (i = 0; i < 8000 && !(r_zero && s_zero); i++) {
        assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_OK);
        assert_true(verified(token));

        r_zero |= part(token, 2)[0] == '\0';
        s_zero |= part(token, 2)[32] == '\0';
    }

    assert_true(r_zero && s_zero);

    kept = p256;

    for (i = 0; i < 6000; i++) {
        p256 = jose_ec("P-256");
        x = jose_number(p256, OSSL_PKEY_PARAM_EC_PUB_X, 0);

        if (strlen(x) < 43) {
            break;
        }

        EVP_PKEY_free(p256);
    }

    assert_true(i < 6000);

    kid = STR("k");
    pem = jose_private_pem(p256, 1);
    s = gw_signer_create(&kid, pem, strlen(pem), &err);
    assert_non_null(s);
    assert_int_equal(gw_signer_jwk(s, jwk, sizeof(jwk), &len), GW_OK);
    assert_string_equal(jose_printf("%.*s", (int) len, jwk),
                        jose_jwk(p256, ",\"use\":\"sig\",\"alg\":\"ES256\","
                                       "\"kid\":\"k\""));

    gw_signer_free(s);
    EVP_PKEY_free(p256);
    p256 = kept;
}


static void
expect_error(const char *pem, const char *why)
{
    const char  *err;

    assert_null(create("k", pem, &err));
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


static void
test_keys(void **state)
{
    BIO          *bio;
    char         *pem, *text;
    const char   *err, *none, *not_p256;
    gw_signer_t  *s;

    (void) state;

    none = "contains no private key in PEM";
    not_p256 = "contains a key that is not EC P-256";

    /* SEC 1, also behind the parameters that the openssl command writes */

    pem = jose_private_pem(p256, 1);
    assert_non_null(strstr(pem, "BEGIN EC PRIVATE KEY"));

    s = create("k", pem, &err);
    assert_non_null(s);
    gw_signer_free(s);

    s = create("k", jose_printf("-----BEGIN EC PARAMETERS-----\n"
                                "BggqhkjOPQMBBw==\n"
                                "-----END EC PARAMETERS-----\n%s", pem),
               &err);
    assert_non_null(s);
    gw_signer_free(s);

    expect_error("", "is empty");
    expect_error("hello", none);
    expect_error(jose_pem(p256), none);
    expect_error(jose_jwk(p256, ",\"d\":\"AA\""), none);
    expect_error("-----BEGIN PRIVATE KEY-----\nAAAA\n"
                 "-----END PRIVATE KEY-----\n", none);

    text = jose_printf("%s", pem);
    text[strlen(text) / 2] = '\0';
    expect_error(text, none);

    expect_error(private_pem_of(jose_ec("P-384")), not_p256);
    expect_error(private_pem_of(jose_ec("secp256k1")), not_p256);
    expect_error(private_pem_of(jose_rsa(2048)), not_p256);
    expect_error(private_pem_of(jose_ed25519()), not_p256);

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, p256, EVP_aes_128_cbc(), "pass", 4,
                                  NULL, NULL);
    expect_error(jose_bio(bio), "is encrypted");

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey_traditional(bio, p256, EVP_aes_128_cbc(),
                                         (unsigned char *) "pass", 4, NULL,
                                         NULL);
    expect_error(jose_bio(bio), "is encrypted");

    expect_error(jose_repeat('A', GW_SIGNER_MAX_PEM + 1),
                 "is longer than 64 KiB");
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

    expect_error(jose_bio(bio), "contains an inconsistent key");

    OPENSSL_free(der);
    OPENSSL_free(other_der);
    EVP_PKEY_free(other);
}


static void
test_names(void **state)
{
    char          jwk[GW_SIGNER_MAX_JWK];
    json_t       *json;
    size_t        len;
    const char   *err, *pem, *name;
    gw_signer_t  *s;

    (void) state;

    pem = jose_private_pem(p256, 0);

    assert_null(create("", pem, &err));
    assert_string_equal(err, "has a key name that is not 1 to 256 "
                             "printable bytes");
    assert_null(create("a\nb", pem, &err));
    assert_string_equal(err, "has a key name that is not 1 to 256 "
                             "printable bytes");
    assert_null(create(jose_repeat('k', 257), pem, &err));
    assert_string_equal(err, "has a key name that is not 1 to 256 "
                             "printable bytes");
    assert_null(create("\xff", pem, &err));
    assert_string_equal(err, "has a key name that is not UTF-8");

    /* the longest ones: nothing but quotes */

    name = jose_repeat('"', 256);
    s = create(name, pem, &err);
    assert_non_null(s);
    assert_int_equal(gw_signer_jwk(s, jwk, sizeof(jwk), &len), GW_OK);

    json = json_loadb(jwk, len, 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "kid")), name);
    json_decref(json);
    gw_signer_free(s);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_whole_passport),
        cmocka_unit_test(test_short_passport),
        cmocka_unit_test(test_escaping),
        cmocka_unit_test(test_values_that_are_refused),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_published_key_verifies),
        cmocka_unit_test(test_leading_zeros),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_inconsistent_key),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
