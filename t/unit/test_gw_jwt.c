
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_alg.c src/gw_b64.c src/gw_json.c src/gw_jwk.c */
/* links: src/gw_jwks.c src/gw_key.c src/gw_claim.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gw_jose.h"


static int  no_memory;


static void *
allocate(size_t size)
{
    return no_memory ? NULL : malloc(size);
}


#define malloc  allocate
#include "gw_jwt.c"
#undef malloc


#define NOW     1000
#define CLAIMS  "{\"iss\":\"https://i\",\"aud\":\"gw\","                      \
                "\"sub\":\"alice\",\"exp\":2000}"
#define SECRET  "0123456789abcdef0123456789abcdef0123456789abcdef"            \
                "0123456789abcdef"


static EVP_PKEY   *rsa, *other, *p256, *p384, *p521, *ed, *ed448;
static gw_jwks_t  *all;         /* one of each, named by their algorithms */


static gw_jwks_t *
parse_keys(const char *text, uint32_t algs)
{
    gw_jwks_t   *jwks;
    const char  *err;

    jwks = gw_jwks_parse(text, strlen(text), algs, &err);

    if (jwks == NULL) {
        fail_msg("%s", err);
    }

    return jwks;
}


static EVP_PKEY *
key_of(gw_alg_e alg)
{
    switch (alg) {

    case GW_ALG_ES256:
        return p256;

    case GW_ALG_ES384:
        return p384;

    case GW_ALG_ES512:
        return p521;

    case GW_ALG_EDDSA:
        return ed;

    default:
        return rsa;
    }
}


static int
setup(void **state)
{
    gw_alg_e     alg;
    const char  *text, *members;

    (void) state;

    rsa = jose_rsa(2048);
    other = jose_rsa(2048);
    p256 = jose_ec("P-256");
    p384 = jose_ec("P-384");
    p521 = jose_ec("P-521");
    ed = jose_ed25519();
    ed448 = jose_ed448();

    text = "{\"keys\":[";

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {
        members = jose_printf(",\"kid\":\"k-%s\",\"alg\":\"%s\"",
                              gw_alg_name(alg), gw_alg_name(alg));

        text = jose_printf("%s%s%s", text, alg > GW_ALG_HS256 ? "," : "",
                           alg <= GW_ALG_HS512
                           ? jose_oct(SECRET, 64, members)
                           : jose_jwk(key_of(alg), members));
    }

    all = parse_keys(jose_printf("%s]}", text), JOSE_ALL);

    return jose_release(NULL);
}


static int
teardown(void **state)
{
    (void) state;

    EVP_PKEY_free(rsa);
    EVP_PKEY_free(other);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(p521);
    EVP_PKEY_free(ed);
    EVP_PKEY_free(ed448);

    gw_jwks_free(all);

    return 0;
}


static char *
mint(gw_alg_e alg, const char *header, const char *claims)
{
    if (alg <= GW_ALG_HS512) {
        return jose_hmac(alg, SECRET, 64, header, claims);
    }

    return jose_token(alg, key_of(alg), header, claims);
}


/*
 * The three steps.  The token lies in exactly as much memory as it needs,
 * the sanitizer sees one byte more; no error may be left behind.
 */

static gw_jwt_status_e
run(const char *token, size_t len, const gw_jwks_t *jwks, uint32_t algs,
    const gw_jwt_rules_t *rules, int64_t now, gw_jwt_t *jwt)
{
    char             *exact;
    gw_jwt_status_e   status;

    exact = malloc(len + 1);
    assert_non_null(exact);
    memcpy(exact + 1, token, len);

    status = gw_jwt_parse(jwt, exact + 1, len);

    if (status == GW_JWT_OK) {
        status = gw_jwt_verify(jwt, jwks, algs);

    } else {
        assert_int_equal(gw_jwt_verify(jwt, jwks, algs), GW_JWT_MALFORMED);
    }

    if (status == GW_JWT_OK) {
        status = gw_jwt_check(jwt, rules, now);
    }

    free(exact);

    assert_int_equal(ERR_peek_error(), 0);

    return status;
}


static gw_jwt_status_e
check_bytes(const char *token, size_t len, const gw_jwks_t *jwks,
    uint32_t algs)
{
    gw_jwt_t         jwt;
    gw_jwt_rules_t   rules;
    gw_jwt_status_e  status;

    static const gw_str_t  audience = gw_str("gw");

    rules.issuer = STR("https://i");
    rules.audiences = &audience;
    rules.naudiences = 1;
    rules.leeway = 30;

    status = run(token, len, jwks, algs, &rules, NOW, &jwt);

    gw_jwt_free(&jwt);

    return status;
}


static gw_jwt_status_e
check(const char *token)
{
    return check_bytes(token, strlen(token), all, JOSE_ALL);
}


#define expect(token, status)                                                 \
    assert_string_equal(gw_jwt_status_name(check(token)), status)

#define expect_with(token, jwks, algs, status)                                \
    assert_string_equal(                                                      \
        gw_jwt_status_name(check_bytes(token, strlen(token), jwks, algs)),    \
        status)


static const char *
header_of(gw_alg_e alg)
{
    return jose_printf("{\"alg\":\"%s\",\"kid\":\"k-%s\"}", gw_alg_name(alg),
                       gw_alg_name(alg));
}


/* a valid signature by the key for RS256, over any header and claims */

static const char *
header(const char *members)
{
    return jose_token(GW_ALG_RS256, rsa,
                      jose_printf("{\"alg\":\"RS256\"%s}", members), CLAIMS);
}


static const char *
claims(const char *text)
{
    return jose_token(GW_ALG_RS256, rsa, "{\"alg\":\"RS256\"}", text);
}


static void
test_every_algorithm(void **state)
{
    gw_alg_e     alg;
    const char  *token;

    (void) state;

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {
        token = mint(alg, header_of(alg), CLAIMS);

        expect(token, "ok");
        expect_with(token, all, gw_alg_bit(alg), "ok");
        expect_with(token, all, JOSE_ALL & ~gw_alg_bit(alg), "bad_algorithm");
        expect_with(token, all, 0, "bad_algorithm");

        token = mint(alg, jose_printf("{\"alg\":\"%s\"}", gw_alg_name(alg)),
                     CLAIMS);
        expect(token, "ok");

        token = mint(alg, jose_printf("{\"alg\":\"%s\",\"kid\":\"no\"}",
                                      gw_alg_name(alg)),
                     CLAIMS);
        expect(token, "unknown_key");
    }
}


/* whoever names a key of the other curve, or none */

static void
test_curves_of_edwards(void **state)
{
    int          i, k;
    EVP_PKEY    *keys[2];
    gw_jwks_t   *both, *alone[2];
    const char  *token, *header;

    static const char  *kids[] = { "a", "b" };

    (void) state;

    keys[0] = ed;
    keys[1] = ed448;

    for (i = 0; i < 2; i++) {
        alone[i] = parse_keys(jose_jwk(keys[i], ""), JOSE_ALL);
    }

    both = parse_keys(jose_printf("{\"keys\":[%s,%s]}",
                                  jose_jwk(ed, ",\"kid\":\"a\""),
                                  jose_jwk(ed448, ",\"kid\":\"b\"")),
                      JOSE_ALL);

    for (i = 0; i < 2; i++) {
        token = jose_token(GW_ALG_EDDSA, keys[i], "{\"alg\":\"EdDSA\"}",
                           CLAIMS);

        expect_with(token, alone[i], JOSE_ALL, "ok");
        expect_with(token, alone[1 - i], JOSE_ALL, "bad_signature");
        expect_with(token, both, JOSE_ALL, "ok");
        expect_with(token, both, JOSE_ALL & ~gw_alg_bit(GW_ALG_EDDSA),
                    "bad_algorithm");

        for (k = 0; k < 2; k++) {
            header = jose_printf("{\"alg\":\"EdDSA\",\"kid\":\"%s\"}",
                                 kids[k]);
            expect_with(jose_token(GW_ALG_EDDSA, keys[i], header, CLAIMS),
                        both, JOSE_ALL, i == k ? "ok" : "bad_signature");
        }
    }

    gw_jwks_free(both);
    gw_jwks_free(alone[0]);
    gw_jwks_free(alone[1]);
}


/* RFC 7515 A.1, the whole token */

static void
test_vector(void **state)
{
    gw_jwt_t          jwt;
    gw_jwks_t        *jwks;
    gw_jwt_rules_t    rules;
    gw_jwt_status_e   status;

    static const char  token[] =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
        "LmNvbS9pc19yb290Ijp0cnVlfQ."
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    (void) state;

    jwks = parse_keys("{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVM"
                      "koqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAo"
                      "w\"}", JOSE_ALL);

    memset(&rules, 0, sizeof(rules));
    rules.issuer = STR("joe");

    status = run(token, sizeof(token) - 1, jwks, JOSE_ALL, &rules, 1300819379,
                 &jwt);

    /* all is well with it but that it has no "sub" */

    assert_int_equal(status, GW_JWT_BAD_CLAIM);
    assert_int_equal(jwt.alg, GW_ALG_HS256);
    assert_int_equal(jwt.exp, 1300819380);
    assert_int_equal(jwt.iss.len, 3);
    assert_memory_equal(jwt.iss.data, "joe", 3);
    assert_int_equal(jwt.typ.len, 3);
    assert_null(jwt.kid.data);
    assert_null(jwt.sub.data);
    gw_jwt_free(&jwt);

    status = run(token, sizeof(token) - 1, jwks, JOSE_ALL, &rules, 1300819380,
                 &jwt);
    assert_int_equal(status, GW_JWT_EXPIRED);
    gw_jwt_free(&jwt);
    gw_jwt_free(&jwt);

    gw_jwks_free(jwks);
}


static void
test_form(void **state)
{
    char         sep[2];
    size_t       i;
    const char  *good, *input, *sig, *bad;

    static const char  *tails[] = {
        "=", "==", "!", "!!!!", " ", "\n", "\r\n", "\t", "+", "/", ".", "..",
        ".AA", ".AA.AA", "%3D", ","
    };

    (void) state;

    bad = "malformed";
    good = header("");
    expect(good, "ok");

    for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        expect(jose_printf("%s%s", good, tails[i]), bad);
    }

    expect("", bad);
    expect(".", bad);
    expect("..", bad);
    expect("...", bad);
    expect("a.b.c", bad);
    expect(jose_printf(" %s", good), bad);
    expect(jose_printf("Bearer %s", good), bad);
    expect(jose_printf("\"%s\"", good), bad);

    input = jose_input("{\"alg\":\"RS256\"}", CLAIMS);
    sig = jose_sign(GW_ALG_RS256, rsa, input);

    expect(jose_printf("%s.%s", input, sig), "ok");
    expect(input, bad);
    expect(jose_printf("%s.", input), "bad_signature");
    expect(jose_printf(".%s.%s", input, sig), bad);
    expect(jose_printf("%s..%s", input, sig), bad);
    expect(jose_printf("%s.%s.%s.%s", input, sig, sig, sig), bad);
    expect(jose_printf("{\"payload\":\"%s\",\"signature\":\"%s\"}", input,
                       sig), bad);

    /* other separators, blanks inside, a NUL */

    for (i = 0; i < 6; i++) {
        sep[0] = "!, +/="[i];
        sep[1] = '\0';

        expect(jose_printf("%.20s%s%s", good, sep, good + 20), bad);
        expect(jose_printf("%.20s%s%s", good, sep, good + 21), bad);
    }

    assert_int_equal(check_bytes(good, strlen(good) + 1, all, JOSE_ALL),
                     GW_JWT_MALFORMED);
    assert_int_equal(check_bytes("\0.\0.\0", 5, all, JOSE_ALL),
                     GW_JWT_MALFORMED);
}


/* JWE has five parts and names an encryption */

static void
test_encrypted_tokens(void **state)
{
    (void) state;

    expect(jose_printf("%s.AAAA.AAAA.AAAA.AAAA",
                       jose_b64("{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\"}",
                                34)),
           "bad_algorithm");
    expect(jose_printf("%s.AAAA.AAAA.AAAA.AAAA",
                       jose_b64("{\"alg\":\"RS256\",\"enc\":\"A256GCM\"}", 31)),
           "malformed");
}


static void
test_lengths(void **state)
{
    char         *big;
    gw_jwt_t      jwt;
    const char   *token;

    (void) state;

    big = jose_repeat('A', GW_JWT_MAX_LEN + 1);

    assert_int_equal(gw_jwt_parse(&jwt, big, GW_JWT_MAX_LEN + 1),
                     GW_JWT_TOO_LONG);
    gw_jwt_free(&jwt);
    assert_int_equal(gw_jwt_parse(&jwt, big, GW_JWT_MAX_LEN),
                     GW_JWT_MALFORMED);
    gw_jwt_free(&jwt);

    /* the longest claims, and one byte more */

    token = claims(jose_printf("{\"iss\":\"https://i\",\"aud\":\"gw\","
                               "\"sub\":\"alice\",\"exp\":2000,\"x\":\"%s\"}",
                               jose_repeat('x', 11940)));
    assert_true(strlen(token) > 16000 && strlen(token) <= GW_JWT_MAX_LEN);
    expect(token, "ok");

    token = claims(jose_printf("{\"x\":\"%s\"}", jose_repeat('x', 12020)));
    assert_true(strlen(token) > GW_JWT_MAX_LEN);
    expect(token, "too_long");

    expect(header(jose_printf(",\"x\":\"%s\"", jose_repeat('x', 6000))), "ok");
    expect(header(jose_printf(",\"x\":\"%s\"", jose_repeat('x', 6200))),
           "too_long");

    expect(jose_printf("%s.%s", jose_input("{\"alg\":\"ES256\"}", CLAIMS),
                       jose_repeat('A', 16000)),
           "bad_signature");
}


/* RFC 8725 3.1 and 3.2 */

static void
test_no_algorithm(void **state)
{
    size_t       i;
    const char  *h, *input;

    static const char  *names[] = {
        "none", "None", "NONE", "noNE", "nOnE", "", " none", "rs256", "Rs256",
        "RS256 ", "RS 256", "hs256", "es256", "EDDSA", "eddsa", "RS257",
        "ES256K", "RSA1_5", "dir", "A128KW"
    };

    (void) state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        h = jose_printf("{\"alg\":\"%s\"}", names[i]);
        input = jose_input(h, CLAIMS);

        expect(jose_printf("%s.", input), "bad_algorithm");
        expect(jose_printf("%s.%s", input, jose_sign(GW_ALG_RS256, rsa,
                                                     input)),
               "bad_algorithm");

        /* nothing of it stays behind */

        expect(header(""), "ok");
        expect(jose_printf("%s.", jose_input("{\"alg\":\"RS256\"}", CLAIMS)),
               "bad_signature");
    }

    expect(jose_token(GW_ALG_RS256, rsa, "{}", CLAIMS), "malformed");
    expect(jose_token(GW_ALG_RS256, rsa, "{\"alg\":null}", CLAIMS),
           "malformed");
    expect(jose_token(GW_ALG_RS256, rsa, "{\"alg\":256}", CLAIMS),
           "malformed");
    expect(jose_token(GW_ALG_RS256, rsa, "{\"alg\":[\"RS256\"]}", CLAIMS),
           "malformed");
    expect(jose_token(GW_ALG_RS256, rsa, "{\"ALG\":\"RS256\"}", CLAIMS),
           "malformed");
}


/* the public key, in any form, is no secret */

static void
test_algorithm_confusion(void **state)
{
    int              der_len, i;
    char            *pem, *n;
    BIO             *bio;
    gw_alg_e         alg;
    gw_jwks_t       *sets[3];
    const char      *h;
    unsigned char   *der, *pkcs1;

    (void) state;

    pem = jose_pem(rsa);
    n = jose_number(rsa, OSSL_PKEY_PARAM_RSA_N, 0);

    der = NULL;
    der_len = i2d_PUBKEY(rsa, &der);

    bio = BIO_new(BIO_s_mem());
    pkcs1 = NULL;
    i = i2d_PublicKey(rsa, &pkcs1);
    PEM_write_bio(bio, "RSA PUBLIC KEY", "", pkcs1, i);

    sets[0] = parse_keys(pem, JOSE_ALL);
    sets[1] = parse_keys(jose_jwk(rsa, ",\"kid\":\"a\""), JOSE_ALL);
    sets[2] = parse_keys(jose_jwk(rsa, ",\"kid\":\"a\",\"alg\":\"RS256\""),
                         JOSE_ALL);

    for (alg = GW_ALG_HS256; alg <= GW_ALG_HS512; alg++) {
        h = jose_printf("{\"alg\":\"%s\",\"kid\":\"a\"}", gw_alg_name(alg));

        for (i = 0; i < 3; i++) {
            expect_with(jose_hmac(alg, pem, strlen(pem), h, CLAIMS), sets[i],
                        JOSE_ALL, "unknown_key");
            expect_with(jose_hmac(alg, pem, strlen(pem) - 1, h, CLAIMS),
                        sets[i], JOSE_ALL, "unknown_key");
            expect_with(jose_hmac(alg, der, (size_t) der_len, h, CLAIMS),
                        sets[i], JOSE_ALL, "unknown_key");
            expect_with(jose_hmac(alg, n, strlen(n), h, CLAIMS), sets[i],
                        JOSE_ALL, "unknown_key");
            expect_with(jose_hmac(alg, "", 0, h, CLAIMS), sets[i], JOSE_ALL,
                        "unknown_key");
            expect_with(jose_hmac(alg, pem, strlen(pem), h, CLAIMS), sets[i],
                        gw_alg_bit(GW_ALG_RS256), "bad_algorithm");
        }
    }

    pem = jose_bio(bio);
    h = "{\"alg\":\"HS256\"}";

    for (i = 0; i < 3; i++) {
        expect_with(jose_hmac(GW_ALG_HS256, pem, strlen(pem), h, CLAIMS),
                    sets[i], JOSE_ALL, "unknown_key");
        expect_with(header(""), sets[i], JOSE_ALL, "ok");
        gw_jwks_free(sets[i]);
    }

    OPENSSL_free(der);
    OPENSSL_free(pkcs1);
}


/* GHSA-q843-6q5f-w55g: keys without "alg", and the empty secret */

static void
test_no_public_key_is_a_secret(void **state)
{
    char        *pem, *first, *jwk;
    size_t       i, k;
    EVP_PKEY    *keys[6];
    gw_alg_e     alg;
    gw_jwks_t   *set;
    const char  *h, *secrets[5];

    (void) state;

    keys[0] = rsa;
    keys[1] = p256;
    keys[2] = p384;
    keys[3] = p521;
    keys[4] = ed;
    keys[5] = ed448;

    for (i = 0; i < 6; i++) {
        pem = jose_pem(keys[i]);
        jwk = jose_jwk(keys[i], "");
        first = strstr(jwk, i ? "\"x\":\"" : "\"n\":\"") + 5;
        first = jose_printf("%.*s", (int) strcspn(first, "\""), first);

        secrets[0] = "";
        secrets[1] = pem;
        secrets[2] = jwk;
        secrets[3] = first;
        secrets[4] = jose_printf("%.*s", (int) strlen(pem) - 1, pem);

        set = parse_keys(jwk, JOSE_ALL);

        for (alg = GW_ALG_HS256; alg <= GW_ALG_HS512; alg++) {
            h = jose_printf("{\"alg\":\"%s\"}", gw_alg_name(alg));

            for (k = 0; k < 5; k++) {
                expect_with(jose_hmac(alg, secrets[k], strlen(secrets[k]), h,
                                      CLAIMS),
                            set, JOSE_ALL, "unknown_key");
            }

            expect_with(jose_printf("%s.", jose_input(h, CLAIMS)), set,
                        JOSE_ALL, "unknown_key");
        }

        gw_jwks_free(set);
    }
}


/* two issuers may call a key of theirs by one name */

static void
test_issuers_with_one_kid(void **state)
{
    gw_jwks_t   *ours, *theirs;
    const char  *h, *token;

    (void) state;

    h = "{\"alg\":\"RS256\",\"kid\":\"1\"}";
    ours = parse_keys(jose_jwk(rsa, ",\"kid\":\"1\""), JOSE_ALL);
    theirs = parse_keys(jose_jwk(other, ",\"kid\":\"1\""), JOSE_ALL);

    token = jose_token(GW_ALG_RS256, other, h, CLAIMS);
    expect_with(token, ours, JOSE_ALL, "bad_signature");
    expect_with(token, theirs, JOSE_ALL, "ok");

    token = jose_token(GW_ALG_RS256, rsa, h, CLAIMS);
    expect_with(token, ours, JOSE_ALL, "ok");
    expect_with(token, theirs, JOSE_ALL, "bad_signature");

    /* the signature is theirs and good, the name is not */

    token = jose_token(GW_ALG_RS256, other, h,
                       "{\"iss\":\"https://j\",\"aud\":\"gw\","
                       "\"sub\":\"alice\",\"exp\":2000}");
    expect_with(token, theirs, JOSE_ALL, "wrong_issuer");

    gw_jwks_free(ours);
    gw_jwks_free(theirs);
}


static void
test_a_key_verifies_its_algorithm_only(void **state)
{
    gw_jwks_t  *jwks;

    (void) state;

    jwks = parse_keys(jose_jwk(rsa, ",\"alg\":\"RS256\""), JOSE_ALL);

    expect_with(header(""), jwks, JOSE_ALL, "ok");
    expect_with(jose_token(GW_ALG_RS512, rsa, "{\"alg\":\"RS512\"}", CLAIMS),
                jwks, JOSE_ALL, "unknown_key");
    expect_with(jose_token(GW_ALG_PS256, rsa, "{\"alg\":\"PS256\"}", CLAIMS),
                jwks, JOSE_ALL, "unknown_key");
    expect_with(jose_token(GW_ALG_RS512, rsa, "{\"alg\":\"RS256\"}", CLAIMS),
                jwks, JOSE_ALL, "bad_signature");
    gw_jwks_free(jwks);

    jwks = parse_keys(jose_jwk(p384, ""), JOSE_ALL);

    expect_with(jose_token(GW_ALG_ES256, p256, "{\"alg\":\"ES256\"}", CLAIMS),
                jwks, JOSE_ALL, "unknown_key");

    /* by the key of the set, but with the hash of another algorithm */

    expect_with(jose_token(GW_ALG_ES384, p384, "{\"alg\":\"ES256\"}", CLAIMS),
                jwks, JOSE_ALL, "unknown_key");
    gw_jwks_free(jwks);
}


static void
test_wrong_keys(void **state)
{
    (void) state;

    expect(jose_token(GW_ALG_RS256, other, "{\"alg\":\"RS256\"}", CLAIMS),
           "bad_signature");
    expect(jose_token(GW_ALG_RS256, other,
                      "{\"alg\":\"RS256\",\"kid\":\"k-RS256\"}", CLAIMS),
           "bad_signature");

    /* an existing key, but not the one that is named */

    expect(jose_token(GW_ALG_RS256, rsa,
                      "{\"alg\":\"RS256\",\"kid\":\"k-RS384\"}", CLAIMS),
           "unknown_key");
}


/* what a header says about keys is ignored, CVE-2018-0114 */

static void
test_embedded_keys(void **state)
{
    const char  *h;

    (void) state;

    h = jose_printf("{\"alg\":\"RS256\",\"jwk\":%s,"
                    "\"jku\":\"https://evil/jwks\",\"x5u\":\"https://evil/c\","
                    "\"x5c\":[\"AAAA\"],\"x5t\":\"AAAA\"}",
                    jose_jwk(other, ""));

    expect(jose_token(GW_ALG_RS256, other, h, CLAIMS), "bad_signature");
    expect(jose_token(GW_ALG_RS256, rsa, h, CLAIMS), "ok");
}


static void
test_kid(void **state)
{
    size_t  i;

    static const char  *names[] = {
        "", "../../../../dev/null", "k-RS256 ", "K-RS256", "k-RS25",
        "' OR 1=1 --", "%n%s", "k-RS256/../k-RS256", "\\\\", "\\u00e9"
    };

    static const char  *bad[] = {
        "7", "null", "[\"k-RS256\"]", "{}", "true", "\"a\\u0000\"",
        "\"k\\n\"", "\"k\\u007f\""
    };

    (void) state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        expect(header(jose_printf(",\"kid\":\"%s\"", names[i])),
               "unknown_key");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect(header(jose_printf(",\"kid\":%s", bad[i])), "malformed");
    }

    expect(header(",\"kid\":\"k-RS256\""), "ok");
    expect(header(jose_printf(",\"kid\":\"%s\"", jose_repeat('k', 256))),
           "unknown_key");
    expect(header(jose_printf(",\"kid\":\"%s\"", jose_repeat('k', 257))),
           "malformed");
    expect(header(jose_printf(",\"kid\":\"%s\"", jose_repeat('k', 5900))),
           "malformed");
    expect(header(jose_printf(",\"kid\":\"%s\"", jose_repeat('k', 8192))),
           "too_long");
}


static void
test_typ(void **state)
{
    size_t  i;

    static const char  *good[] = {
        "JWT", "jwt", "Jwt", "at+jwt", "AT+JWT", "application/at+jwt",
        "Application/JWT"
    };

    static const char  *bad[] = {
        "\"passport+jwt\"", "\"application/passport+jwt\"", "\"JWE\"",
        "\"dpop+jwt\"", "\"logout+jwt\"", "\"secevent+jwt\"", "\"JOSE\"",
        "\"\"", "\"jwt \"", "\"application/\"", "\"at+jwt+x\"", "1", "null",
        "[\"JWT\"]"
    };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        expect(header(jose_printf(",\"typ\":\"%s\"", good[i])), "ok");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect(header(jose_printf(",\"typ\":%s", bad[i])), "bad_type");
    }
}


static void
test_crit(void **state)
{
    (void) state;

    expect(header(",\"crit\":[\"exp\"],\"exp\":1"), "unsupported_critical");
    expect(header(",\"crit\":[\"b64\"],\"b64\":false"),
           "unsupported_critical");
    expect(header(",\"crit\":[]"), "unsupported_critical");
    expect(header(",\"crit\":null"), "unsupported_critical");
    expect(header(",\"crit\":\"alg\""), "unsupported_critical");
}


static void
test_json(void **state)
{
    char         *deep;
    const char   *text;

    (void) state;

    expect(header(",\"alg\":\"none\""), "malformed");
    expect(header(",\"x\":{\"a\":1,\"a\":2}"), "malformed");
    expect(jose_token(GW_ALG_RS256, rsa, "[\"RS256\"]", CLAIMS), "malformed");
    expect(jose_token(GW_ALG_RS256, rsa, "{\"alg\":\"RS256\"}x", CLAIMS),
           "malformed");
    expect(jose_token(GW_ALG_RS256, rsa, "\xff{\"alg\":\"RS256\"}", CLAIMS),
           "malformed");

    expect(claims("[]"), "malformed");
    expect(claims(""), "malformed");
    expect(claims("null"), "malformed");
    expect(claims("\"alice\""), "malformed");
    expect(claims(CLAIMS CLAIMS), "malformed");
    expect(claims(header("")), "malformed");
    expect(claims("{\"iss\":\"https://i\",\"aud\":\"gw\",\"sub\":\"alice\","
                  "\"exp\":2000,\"sub\":\"root\"}"),
           "malformed");
    expect(claims("{\"iss\":\"https://i\",\"aud\":\"gw\",\"sub\":\"alice\","
                  "\"exp\":2000,\"x\":\"\xc0\x80\"}"),
           "malformed");

    deep = jose_repeat('[', 5000);
    expect(claims(jose_printf("{\"x\":%s", deep)), "malformed");
    text = jose_printf("{\"alg\":\"RS256\",\"x\":%s", deep);
    expect(jose_token(GW_ALG_RS256, rsa, text, CLAIMS), "malformed");
}


static void
test_any_flipped_bit_fails(void **state)
{
    int       bit;
    char     *token;
    size_t    i, len;
    gw_alg_e  alg;

    (void) state;

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg += 3) {
        token = mint(alg, header_of(alg), CLAIMS);
        len = strlen(token);

        for (i = 0; i < len; i++) {
            for (bit = 0; bit < 8; bit++) {
                token[i] = (char) (token[i] ^ 1 << bit);
                assert_int_not_equal(check_bytes(token, len, all, JOSE_ALL),
                                     GW_JWT_OK);
                token[i] = (char) (token[i] ^ 1 << bit);
            }
        }

        for (i = 0; i < len; i++) {
            assert_int_not_equal(check_bytes(token, i, all, JOSE_ALL),
                                 GW_JWT_OK);
        }

        expect(token, "ok");
    }
}


static void
test_other_last_characters_fail(void **state)
{
    int       ch;
    char     *token, *last, kept;
    gw_alg_e  alg;

    (void) state;

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {
        token = mint(alg, header_of(alg), CLAIMS);
        last = token + strlen(token) - 1;
        kept = *last;

        for (ch = 1; ch < 256; ch++) {
            *last = (char) ch;
            assert_true((check(token) == GW_JWT_OK) == (*last == kept));
        }
    }
}


static void
test_signatures(void **state)
{
    size_t       i;
    gw_alg_e     alg;
    const char  *input;

    static const size_t  lengths[] = { 1, 2, 31, 32, 33, 63, 64, 65, 95, 96,
                                       97, 131, 132, 133, 255, 256, 257, 512,
                                       2048, 2049, 11000 };

    (void) state;

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {
        input = jose_input(header_of(alg), CLAIMS);

        for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
            expect(jose_printf("%s.%s", input,
                               jose_b64(jose_repeat('\0', lengths[i]),
                                        lengths[i])),
                   "bad_signature");
            expect(jose_printf("%s.%s", input,
                               jose_b64(jose_repeat('\xff', lengths[i]),
                                        lengths[i])),
                   "bad_signature");
        }
    }
}


#define WITHOUT_ISS  "\"aud\":\"gw\",\"sub\":\"alice\",\"exp\":2000}"


static void
test_issuer(void **state)
{
    gw_jwt_t        jwt;
    const char     *token;
    gw_jwt_rules_t  rules;

    (void) state;

    expect(claims("{\"iss\":\"https://i/\"," WITHOUT_ISS), "wrong_issuer");
    expect(claims("{\"iss\":\"https://\"," WITHOUT_ISS), "wrong_issuer");
    expect(claims("{\"iss\":\"https://I\"," WITHOUT_ISS), "wrong_issuer");
    expect(claims("{\"iss\":\"\"," WITHOUT_ISS), "wrong_issuer");
    expect(claims("{\"iss\":[\"https://i\"]," WITHOUT_ISS), "wrong_issuer");
    expect(claims("{\"iss\":null," WITHOUT_ISS), "wrong_issuer");
    expect(claims("{" WITHOUT_ISS), "wrong_issuer");
    expect(claims("{\"iss\":\"https://i\\u0000\"," WITHOUT_ISS), "malformed");

    /* what lies behind the configured name is not a part of it */

    memset(&rules, 0, sizeof(rules));
    rules.issuer = STR("https://i/");
    rules.issuer.len--;

    token = claims("{\"iss\":\"https://i/\"," WITHOUT_ISS);
    assert_int_equal(run(token, strlen(token), all, JOSE_ALL, &rules, NOW,
                         &jwt),
                     GW_JWT_WRONG_ISSUER);
    gw_jwt_free(&jwt);
}


static const char *
audience(const char *value)
{
    return claims(jose_printf("{\"iss\":\"https://i\",\"aud\":%s,"
                              "\"sub\":\"alice\",\"exp\":2000}", value));
}


static void
test_audience(void **state)
{
    gw_jwt_t        jwt;
    const char     *token;
    gw_jwt_rules_t  rules;

    static const gw_str_t  two[] = { gw_str("api"), gw_str("gw") };

    (void) state;

    expect(audience("\"gw\""), "ok");
    expect(audience("[\"gw\"]"), "ok");
    expect(audience("[\"a\",\"gw\",\"b\"]"), "ok");

    expect(audience("\"g\""), "wrong_audience");
    expect(audience("\"gw2\""), "wrong_audience");
    expect(audience("\"GW\""), "wrong_audience");
    expect(audience("\"\""), "wrong_audience");
    expect(audience("\"a gw\""), "wrong_audience");
    expect(audience("[]"), "wrong_audience");
    expect(audience("[\"a\",\"b\"]"), "wrong_audience");
    expect(claims("{\"iss\":\"https://i\",\"sub\":\"alice\",\"exp\":2000}"),
           "wrong_audience");

    expect(audience("null"), "bad_claim");
    expect(audience("7"), "bad_claim");
    expect(audience("{\"gw\":1}"), "bad_claim");
    expect(audience("[\"gw\",7]"), "bad_claim");
    expect(audience("[[\"gw\"]]"), "bad_claim");

    memset(&rules, 0, sizeof(rules));
    rules.issuer = STR("https://i");
    rules.audiences = two;
    rules.naudiences = 2;

    token = audience("\"gw\"");
    assert_int_equal(run(token, strlen(token), all, JOSE_ALL, &rules, NOW,
                         &jwt),
                     GW_JWT_OK);
    gw_jwt_free(&jwt);

    rules.naudiences = 1;
    assert_int_equal(run(token, strlen(token), all, JOSE_ALL, &rules, NOW,
                         &jwt),
                     GW_JWT_WRONG_AUDIENCE);
    gw_jwt_free(&jwt);

    rules.naudiences = 0;
    assert_int_equal(run(token, strlen(token), all, JOSE_ALL, &rules, NOW,
                         &jwt),
                     GW_JWT_OK);
    gw_jwt_free(&jwt);
}


static const char *
times(const char *members)
{
    return claims(jose_printf("{\"iss\":\"https://i\",\"aud\":\"gw\","
                              "\"sub\":\"alice\"%s}", members));
}


/* it is second 1000, the leeway is 30 */

static void
test_times(void **state)
{
    size_t  i;

    static const char  *bad[] = {
        "-1", "-1.5", "\"2000\"", "\"\"", "null", "true", "[2000]", "{}",
        "253402300800", "9223372036854775807", "-9223372036854775808",
        "1700000000000", "1e300", "1e15", "-1e300"
    };

    (void) state;

    expect(times(""), "missing_expiry");
    expect(times(",\"nbf\":900,\"iat\":900"), "missing_expiry");

    expect(times(",\"exp\":971"), "ok");
    expect(times(",\"exp\":970"), "expired");
    expect(times(",\"exp\":1"), "expired");
    expect(times(",\"exp\":0"), "expired");
    expect(times(",\"exp\":-0"), "expired");
    expect(times(",\"exp\":970.9"), "expired");
    expect(times(",\"exp\":971.0"), "ok");
    expect(times(",\"exp\":2e3"), "ok");
    expect(times(",\"exp\":253402300799"), "ok");

    expect(times(",\"exp\":2000,\"nbf\":1030"), "ok");
    expect(times(",\"exp\":2000,\"nbf\":1031"), "not_yet_valid");
    expect(times(",\"exp\":2000,\"nbf\":1029.5"), "ok");
    expect(times(",\"exp\":2000,\"nbf\":1030.1"), "not_yet_valid");
    expect(times(",\"exp\":2000,\"nbf\":0"), "ok");
    expect(times(",\"exp\":2000,\"iat\":1030"), "ok");
    expect(times(",\"exp\":2000,\"iat\":1031"), "not_yet_valid");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect(times(jose_printf(",\"exp\":%s", bad[i])), "bad_claim");
        expect(times(jose_printf(",\"exp\":2000,\"nbf\":%s", bad[i])),
               "bad_claim");
        expect(times(jose_printf(",\"exp\":2000,\"iat\":%s", bad[i])),
               "bad_claim");
    }

    expect(times(",\"exp\":1e400"), "malformed");
    expect(times(",\"exp\":99999999999999999999"), "malformed");
    expect(times(",\"exp\":0x7d0"), "malformed");
    expect(times(",\"exp\":2000,\"exp\":2000"), "malformed");
}


static void
test_times_are_told(void **state)
{
    gw_jwt_t        jwt;
    const char     *token;
    gw_jwt_rules_t  rules;

    (void) state;

    memset(&rules, 0, sizeof(rules));
    rules.issuer = STR("https://i");

    token = times(",\"exp\":2000.7,\"nbf\":900.2,\"iat\":800.9");
    assert_int_equal(run(token, strlen(token), all, JOSE_ALL, &rules, NOW,
                         &jwt),
                     GW_JWT_OK);
    assert_int_equal(jwt.exp, 2000);
    assert_int_equal(jwt.nbf, 901);
    assert_int_equal(jwt.iat, 800);
    gw_jwt_free(&jwt);

    /* the same token, later: a result that is kept has to be checked again */

    assert_int_equal(run(token, strlen(token), all, JOSE_ALL, &rules, 1999,
                         &jwt),
                     GW_JWT_OK);
    assert_int_equal(gw_jwt_check(&jwt, &rules, 2000), GW_JWT_EXPIRED);
    assert_int_equal(gw_jwt_check(&jwt, &rules, 900), GW_JWT_NOT_YET_VALID);
    gw_jwt_free(&jwt);
}


static const char *
subject(const char *member)
{
    return claims(jose_printf("{\"iss\":\"https://i\",\"aud\":\"gw\","
                              "\"exp\":2000%s}", member));
}


static void
test_subject(void **state)
{
    (void) state;

    expect(subject(",\"sub\":\"x\""), "ok");
    expect(subject(",\"sub\":\"J\xc3\xbcrgen M.\""), "ok");
    expect(subject(jose_printf(",\"sub\":\"%s\"", jose_repeat('x', 255))),
           "ok");

    expect(subject(""), "bad_claim");
    expect(subject(",\"sub\":\"\""), "bad_claim");
    expect(subject(",\"sub\":7"), "bad_claim");
    expect(subject(",\"sub\":null"), "bad_claim");
    expect(subject(",\"sub\":[\"x\"]"), "bad_claim");
    expect(subject(jose_printf(",\"sub\":\"%s\"", jose_repeat('x', 256))),
           "bad_claim");
    expect(subject(",\"sub\":\"a\\r\\nX-Passport: b\""), "bad_claim");
    expect(subject(",\"sub\":\"a\\tb\""), "bad_claim");
    expect(subject(",\"sub\":\"a\\u007f\""), "bad_claim");
    expect(subject(",\"sub\":\"alice\\u0000root\""), "malformed");
}


static void
test_name_of_the_token(void **state)
{
    gw_jwt_t     jwt;
    const char  *token;

    (void) state;

    expect(subject(",\"sub\":\"x\",\"jti\":\"a\""), "ok");
    expect(subject(",\"sub\":\"x\",\"jti\":\"\""), "ok");
    expect(subject(jose_printf(",\"sub\":\"x\",\"jti\":\"%s\"",
                               jose_repeat('x', 255))), "ok");

    expect(subject(jose_printf(",\"sub\":\"x\",\"jti\":\"%s\"",
                               jose_repeat('x', 256))), "bad_claim");
    expect(subject(",\"sub\":\"x\",\"jti\":7"), "bad_claim");
    expect(subject(",\"sub\":\"x\",\"jti\":null"), "bad_claim");
    expect(subject(",\"sub\":\"x\",\"jti\":[\"a\"]"), "bad_claim");
    expect(subject(",\"sub\":\"x\",\"jti\":\"a\\nb\""), "bad_claim");
    expect(subject(",\"sub\":\"x\",\"jti\":\"a\\u007f\""), "bad_claim");

    token = subject(",\"sub\":\"x\",\"jti\":\"\\u00e9\"");
    assert_int_equal(gw_jwt_parse(&jwt, token, strlen(token)), GW_JWT_OK);
    assert_int_equal(jwt.jti.len, 2);
    assert_memory_equal(jwt.jti.data, "\xc3\xa9", 2);
    gw_jwt_free(&jwt);

    token = subject(",\"sub\":\"x\"");
    assert_int_equal(gw_jwt_parse(&jwt, token, strlen(token)), GW_JWT_OK);
    assert_null(jwt.jti.data);
    gw_jwt_free(&jwt);
}


/* byte for byte what was signed, beside the signature */

static void
test_payload(void **state)
{
    size_t       i;
    gw_jwt_t     jwt;
    gw_alg_e     alg;
    const char  *token, *text;

    (void) state;

    for (i = 0; i < 70; i++) {
        text = jose_printf(" {\"iss\" : \"https://i\","
                           " \"x\":\"\\u00e9%s\"}\r\n",
                           jose_repeat('x', i));

        for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {
            token = mint(alg, header_of(alg), text);

            assert_int_equal(gw_jwt_parse(&jwt, token, strlen(token)),
                             GW_JWT_OK);
            assert_int_equal(jwt.payload.len, strlen(text));
            assert_memory_equal(jwt.payload.data, text, strlen(text));
            assert_int_equal(gw_jwt_verify(&jwt, all, JOSE_ALL), GW_JWT_OK);
            assert_memory_equal(jwt.payload.data, text, strlen(text));
            gw_jwt_free(&jwt);

            assert_null(jwt.payload.data);
        }
    }
}


/* nobody is refused for what the machine lacks */

static void
test_short_memory(void **state)
{
    gw_jwt_t      jwt;
    gw_alg_e      alg;
    const char   *token;

    (void) state;

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {
        token = mint(alg, header_of(alg), CLAIMS);

        no_memory = 1;
        assert_int_equal(gw_jwt_parse(&jwt, token, strlen(token)),
                         GW_JWT_UNAVAILABLE);
        no_memory = 0;

        assert_int_equal(gw_jwt_verify(&jwt, all, JOSE_ALL),
                         GW_JWT_MALFORMED);
        gw_jwt_free(&jwt);

        assert_int_equal(gw_jwt_parse(&jwt, token, strlen(token)), GW_JWT_OK);

        jose_no_memory = 1;
        assert_int_equal(gw_jwt_verify(&jwt, all, JOSE_ALL),
                         GW_JWT_UNAVAILABLE);
        jose_no_memory = 0;

        assert_int_equal(gw_jwt_verify(&jwt, all, JOSE_ALL), GW_JWT_OK);
        gw_jwt_free(&jwt);
    }
}


/*
 * The part of an introspection answer: neither "iss" nor "exp" is asked for,
 * the rest as in a token.
 */

static void
test_claims_alone(void **state)
{
    size_t           i;
    gw_jwt_t         jwt;
    gw_jwt_rules_t   rules;
    gw_jwt_status_e  status;

    static const gw_str_t  audience = gw_str("gw");

    static const struct {
        const char  *text;
        const char  *status;
    } tests[] = {
        { "{\"sub\":\"x\",\"aud\":\"gw\"}", "ok" },
        { "{\"sub\":\"x\",\"aud\":\"gw\",\"iss\":7}", "ok" },
        { "{\"sub\":\"x\",\"aud\":\"gw\",\"exp\":0}", "expired" },
        { "{\"sub\":\"x\",\"aud\":\"gw\",\"exp\":null}", "bad_claim" },
        { "{\"sub\":\"x\",\"aud\":\"gw\",\"exp\":970}", "expired" },
        { "{\"sub\":\"x\",\"aud\":\"gw\",\"exp\":971}", "ok" },
        { "{\"sub\":\"x\",\"aud\":\"gw\",\"nbf\":1031}",
          "not_yet_valid" },
        { "{\"sub\":\"x\"}", "wrong_audience" },
        { "{\"aud\":\"gw\"}", "bad_claim" }
    };

    (void) state;

    memset(&rules, 0, sizeof(rules));
    rules.audiences = &audience;
    rules.naudiences = 1;
    rules.leeway = 30;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        memset(&jwt, 0, sizeof(jwt));
        jwt.claims = json_loads(tests[i].text, 0, NULL);

        status = gw_jwt_check_claims(&jwt, &rules, NOW);
        assert_string_equal(gw_jwt_status_name(status), tests[i].status);

        if (status == GW_JWT_OK) {
            assert_int_equal(jwt.sub.len, 1);
        }

        gw_jwt_free(&jwt);
    }
}


static void
test_status_names(void **state)
{
    int          i, k;
    const char  *name;

    (void) state;

    for (i = 0; i < GW_JWT_STATUS_MAX; i++) {
        name = gw_jwt_status_name(i);
        assert_non_null(name);
        assert_string_not_equal(name, "unknown");

        for (k = 0; k < i; k++) {
            assert_string_not_equal(name, gw_jwt_status_name(k));
        }
    }

    assert_string_equal(gw_jwt_status_name(GW_JWT_OK), "ok");
    assert_string_equal(gw_jwt_status_name(GW_JWT_BAD_CLAIM), "bad_claim");
    assert_string_equal(gw_jwt_status_name(GW_JWT_INACTIVE), "inactive");
    assert_string_equal(gw_jwt_status_name(GW_JWT_UNAVAILABLE),
                        "unavailable");
    assert_string_equal(gw_jwt_status_name(GW_JWT_STATUS_MAX), "unknown");
}


#define test(name)  cmocka_unit_test_teardown(name, jose_release)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_every_algorithm),
        test(test_curves_of_edwards),
        test(test_vector),
        test(test_form),
        test(test_encrypted_tokens),
        test(test_lengths),
        test(test_no_algorithm),
        test(test_algorithm_confusion),
        test(test_no_public_key_is_a_secret),
        test(test_issuers_with_one_kid),
        test(test_a_key_verifies_its_algorithm_only),
        test(test_wrong_keys),
        test(test_embedded_keys),
        test(test_kid),
        test(test_typ),
        test(test_crit),
        test(test_json),
        test(test_any_flipped_bit_fails),
        test(test_other_last_characters_fail),
        test(test_signatures),
        test(test_issuer),
        test(test_audience),
        test(test_times),
        test(test_times_are_told),
        test(test_subject),
        test(test_name_of_the_token),
        test(test_payload),
        test(test_short_memory),
        test(test_claims_alone),
        test(test_status_names),
    };

    jose_own_memory();

    return cmocka_run_group_tests(tests, setup, teardown);
}
