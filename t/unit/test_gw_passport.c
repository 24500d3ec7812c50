
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_alg.c src/gw_b64.c src/gw_json.c src/gw_jwk.c */
/* links: src/gw_jwks.c src/gw_jwt.c src/gw_key.c src/gw_claim.c */
/* links: src/gw_signer.c */


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


static int
setup(void **state)
{
    gw_str_t     kid;
    const char  *err, *pem;

    (void) state;

    p256 = jose_ec("P-256");

    kid = STR("2026-11");
    pem = jose_private_pem(p256, 0);
    signer = gw_signer_create(&kid, pem, strlen(pem), 0, &err);

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
test_is_no_credential(void **state)
{
    char           *token;
    gw_jwt_t        jwt;
    gw_passport_t   p;

    (void) state;

    p = passport();

    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_OK);
    assert_int_equal(gw_jwt_parse(&jwt, token, strlen(token)),
                     GW_JWT_BAD_TYPE);
    gw_jwt_free(&jwt);
}


static void
test_extra_claims(void **state)
{
    char                 *token;
    size_t                i;
    json_t               *claims;
    gw_passport_t         p;
    gw_passport_claim_t   extra[4];

    static const char  *reserved[] = {
        "iss", "aud", "sub", "iat", "nbf", "exp", "jti", "ver", "src", "lvl",
        "tier", "scope", "cli", "deg"
    };

    static const char  *others[] = {
        "", "is", "isss", "ISS", "region", "iss ", "amr", "degraded"
    };

    (void) state;

    p = passport();
    p.degraded = 1;
    p.extra = extra;
    p.nextra = 4;

    memset(extra, 0, sizeof(extra));

    extra[0].name = STR("region");
    extra[0].value = STR("eu-\"1\"");
    extra[1].name = STR("empty");
    extra[2].name = STR("a\",\"sub\":\"root");
    extra[2].value = STR("x");
    extra[3].name = STR("n");
    extra[3].value = STR("7");

    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_OK);
    assert_true(verified(token));

    claims = json_loads(part(token, 1), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(claims);
    assert_int_equal(json_object_size(claims), 17);
    assert_true(json_is_true(json_object_get(claims, "deg")));
    assert_string_equal(json_string_value(json_object_get(claims, "sub")),
                        "alice");
    assert_string_equal(json_string_value(json_object_get(claims, "region")),
                        "eu-\"1\"");
    assert_string_equal(json_string_value(json_object_get(claims, "n")), "7");
    assert_string_equal(json_string_value(json_object_get(
                            claims, "a\",\"sub\":\"root")),
                        "x");
    assert_null(json_object_get(claims, "empty"));
    json_decref(claims);

    /* another claim may not stand in for one of the passport's own */

    for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        extra[0].name.data = reserved[i];
        extra[0].name.len = strlen(reserved[i]);

        assert_true(gw_passport_reserved(&extra[0].name));
        assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_ERROR);
    }

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        extra[0].name.data = others[i];
        extra[0].name.len = strlen(others[i]);

        assert_false(gw_passport_reserved(&extra[0].name));
        assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token),
                         i ? GW_OK : GW_ERROR);
    }

    extra[0].value = STR("x\xff");
    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_ERROR);
    extra[0].name = STR("x\xff");
    extra[0].value = STR("x");
    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_ERROR);
}


/* all claims there are: whoever adds one has to reserve its name */

static void
test_own_claims_are_reserved(void **state)
{
    char           *token;
    json_t         *claims, *value;
    gw_str_t        s;
    const char     *name;
    gw_passport_t   p;

    (void) state;

    p = passport();
    p.degraded = 1;

    assert_int_equal(sign(&p, GW_PASSPORT_MAX_LEN, &token), GW_OK);

    claims = json_loads(part(token, 1), JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_object_size(claims), 14);

    json_object_foreach(claims, name, value) {
        s.data = name;
        s.len = strlen(name);
        assert_true(gw_passport_reserved(&s));
    }

    json_decref(claims);
}


static void
test_is_a_passport(void **state)
{
    size_t      i, len;
    char        text[256];
    gw_str_t    s;

    static const struct {
        const char  *header;
        int          is;
    } cases[] = {
        { "{\"alg\":\"ES256\",\"typ\":\"passport+jwt\"}", 1 },
        { "{\"typ\":\"Application/Passport+JWT\"}", 1 },
        { "{\"alg\":\"ES256\",\"typ\":\"JWT\"}", 0 },
        { "{\"typ\":\"passport+jwt2\"}", 0 },
        { "{\"typ\":1}", 0 },
        { "{}", 0 },
        { "passport+jwt", 0 },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(gw_b64_encode(cases[i].header,
                                       strlen(cases[i].header), text,
                                       sizeof(text) - 3, &len),
                         GW_OK);
        memcpy(text + len, ".e30.", 3);

        s.data = text;
        s.len = len + 3;
        assert_int_equal(gw_passport_is(&s), cases[i].is);

        s.len = len;
        assert_int_equal(gw_passport_is(&s), 0);
    }

    s.len = 0;
    assert_int_equal(gw_passport_is(&s), 0);
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
        cmocka_unit_test(test_is_no_credential),
        cmocka_unit_test(test_extra_claims),
        cmocka_unit_test(test_own_claims_are_reserved),
        cmocka_unit_test(test_is_a_passport),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
