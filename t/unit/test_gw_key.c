
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_alg.c src/gw_b64.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gw_b64.h"
#include "gw_jose.h"
#include "gw_key.c"


static const char  *message = "an input of a signature";

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
    (void) state;

    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(p521);
    EVP_PKEY_free(ed);
    EVP_PKEY_free(ed448);

    return 0;
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


static gw_key_t
load(EVP_PKEY *pkey)
{
    gw_key_t     key;
    const char  *err;

    EVP_PKEY_up_ref(pkey);
    assert_int_equal(gw_key_public(&key, pkey, &err), GW_OK);

    return key;
}


/* exactly as much memory as promised, and no error left behind */

static int
verify(const gw_key_t *key, gw_alg_e alg, const char *text, const void *sig,
    size_t len)
{
    int        rc;
    char      *exact;
    gw_str_t   input, s;

    exact = malloc(len + 1);
    assert_non_null(exact);
    memcpy(exact + 1, sig, len);

    input.data = text;
    input.len = strlen(text);
    s.data = exact + 1;
    s.len = len;

    rc = gw_key_verify(key, alg, &input, &s);

    free(exact);

    assert_int_equal(ERR_peek_error(), 0);

    return rc;
}


static size_t
signature(gw_alg_e alg, unsigned char *sig, size_t size)
{
    char    *text;
    size_t   len;

    text = jose_sign(alg, key_of(alg), message);
    assert_int_equal(gw_b64_decode(text, strlen(text), sig, size, &len),
                     GW_OK);

    return len;
}


static void
test_every_algorithm(void **state)
{
    size_t          len;
    gw_key_t        key;
    gw_alg_e        alg, other;
    unsigned char   sig[600];

    (void) state;

    for (alg = GW_ALG_RS256; alg < GW_ALG_MAX; alg++) {
        len = signature(alg, sig, sizeof(sig));
        key = load(key_of(alg));

        for (other = GW_ALG_UNKNOWN; other <= GW_ALG_MAX; other++) {
            assert_int_equal(verify(&key, other, message, sig, len),
                             other == alg ? GW_OK : GW_ERROR);
        }

        assert_int_equal(verify(&key, alg, "another", sig, len), GW_ERROR);

        gw_key_free(&key);
        gw_key_free(&key);
    }
}


static void
test_any_flipped_bit_fails(void **state)
{
    size_t          i, len;
    gw_key_t        key;
    gw_alg_e        alg;
    unsigned char   sig[600];

    (void) state;

    for (alg = GW_ALG_RS256; alg < GW_ALG_MAX; alg++) {
        len = signature(alg, sig, sizeof(sig));
        key = load(key_of(alg));

        for (i = 0; i < 8 * len; i += (i < 64) ? 1 : 13) {
            sig[i / 8] ^= (unsigned char) (1 << i % 8);
            assert_int_equal(verify(&key, alg, message, sig, len), GW_ERROR);
            sig[i / 8] ^= (unsigned char) (1 << i % 8);
        }

        assert_int_equal(verify(&key, alg, message, sig, len), GW_OK);

        gw_key_free(&key);
    }
}


static void
test_any_other_length_fails(void **state)
{
    size_t          len, n;
    gw_key_t        key;
    gw_alg_e        alg;
    unsigned char   sig[22000];

    (void) state;

    for (alg = GW_ALG_RS256; alg < GW_ALG_MAX; alg++) {
        memset(sig, 0, sizeof(sig));
        len = signature(alg, sig, sizeof(sig));
        key = load(key_of(alg));

        for (n = 0; n <= len + 3; n++) {
            assert_int_equal(verify(&key, alg, message, sig, n),
                             n == len ? GW_OK : GW_ERROR);
        }

        assert_int_equal(verify(&key, alg, message, sig, 16384), GW_ERROR);
        assert_int_equal(verify(&key, alg, message, sig, 21800), GW_ERROR);

        gw_key_free(&key);
    }
}


/* a signature that begins with a zero, without it */

static void
test_pss_without_its_leading_zero(void **state)
{
    size_t          len, i;
    gw_key_t        key;
    unsigned char   sig[600];

    (void) state;

    key = load(rsa);

    for (i = 0; i < 20000; i++) {
        len = signature(GW_ALG_PS256, sig, sizeof(sig));

        if (sig[0] == 0) {
            assert_int_equal(verify(&key, GW_ALG_PS256, message, sig, len),
                             GW_OK);
            assert_int_equal(verify(&key, GW_ALG_PS256, message, sig + 1,
                                    len - 1),
                             GW_ERROR);
            break;
        }
    }

    assert_true(i < 20000);

    gw_key_free(&key);
}


static void
test_pss_salt_is_as_long_as_the_hash(void **state)
{
    static const int  salts[] = { 0, 20, 31, 32, 33, 64, -3 };

    size_t          i, len;
    gw_key_t        key;
    EVP_MD_CTX     *ctx;
    EVP_PKEY_CTX   *pctx;
    unsigned char   sig[600];

    (void) state;

    key = load(rsa);

    for (i = 0; i < sizeof(salts) / sizeof(salts[0]); i++) {
        ctx = EVP_MD_CTX_new();
        len = sizeof(sig);

        EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, rsa);
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salts[i]);

        assert_int_equal(EVP_DigestSign(ctx, sig, &len,
                                        (const unsigned char *) message,
                                        strlen(message)),
                         1);
        EVP_MD_CTX_free(ctx);

        assert_int_equal(verify(&key, GW_ALG_PS256, message, sig, len),
                         salts[i] == 32 ? GW_OK : GW_ERROR);
    }

    gw_key_free(&key);
}


static void
test_ecdsa_out_of_range(void **state)
{
    size_t          half, len;
    gw_key_t        key;
    gw_alg_e        alg;
    unsigned char   sig[600], good[600];

    (void) state;

    for (alg = GW_ALG_ES256; alg <= GW_ALG_ES512; alg++) {
        key = load(key_of(alg));
        half = gw_alg_get(alg)->half;
        len = signature(alg, good, sizeof(good));

        memset(sig, 0, len);
        assert_int_equal(verify(&key, alg, message, sig, len), GW_ERROR);

        memset(sig, 0xff, len);
        assert_int_equal(verify(&key, alg, message, sig, len), GW_ERROR);

        memcpy(sig, good, len);
        memset(sig, 0, half);
        assert_int_equal(verify(&key, alg, message, sig, len), GW_ERROR);

        memcpy(sig, good, len);
        memset(sig + half, 0, half);
        assert_int_equal(verify(&key, alg, message, sig, len), GW_ERROR);

        memset(sig, 0, len);
        sig[half - 1] = 1;
        sig[len - 1] = 1;
        assert_int_equal(verify(&key, alg, message, sig, len), GW_ERROR);

        gw_key_free(&key);
    }
}


/* the form of other protocols is none of JWS */

static void
test_ecdsa_der_is_refused(void **state)
{
    size_t          len;
    gw_key_t        key;
    EVP_MD_CTX     *ctx;
    unsigned char   sig[600];

    (void) state;

    len = sizeof(sig);
    ctx = EVP_MD_CTX_new();
    EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, p256);
    EVP_DigestSign(ctx, sig, &len, (const unsigned char *) message,
                   strlen(message));
    EVP_MD_CTX_free(ctx);

    key = load(p256);
    assert_int_equal(verify(&key, GW_ALG_ES256, message, sig, len), GW_ERROR);
    gw_key_free(&key);
}


/* one name of an algorithm, two curves: the key decides, never the token */

static void
test_curves_of_edwards(void **state)
{
    char            *text;
    size_t           i, n, len[2];
    EVP_PKEY        *pkey[2];
    gw_key_t         key[2];
    unsigned char    sig[2][300];

    (void) state;

    pkey[0] = ed;
    pkey[1] = ed448;

    memset(sig, 0, sizeof(sig));

    for (i = 0; i < 2; i++) {
        text = jose_sign(GW_ALG_EDDSA, pkey[i], message);
        assert_int_equal(gw_b64_decode(text, strlen(text), sig[i],
                                       sizeof(sig[i]), &len[i]),
                         GW_OK);
        key[i] = load(pkey[i]);
        assert_int_equal(key[i].algs, gw_alg_bit(GW_ALG_EDDSA));
    }

    assert_int_equal(len[0], 64);
    assert_int_equal(len[1], 114);

    for (i = 0; i < 2; i++) {

        for (n = 0; n <= 300; n++) {
            assert_int_equal(verify(&key[i], GW_ALG_EDDSA, message, sig[i], n),
                             n == len[i] ? GW_OK : GW_ERROR);
            assert_int_equal(verify(&key[i], GW_ALG_EDDSA, message,
                                    sig[1 - i], n),
                             GW_ERROR);
        }

        for (n = 0; n < 8 * len[i]; n++) {
            sig[i][n / 8] ^= (unsigned char) (1 << n % 8);
            assert_int_equal(verify(&key[i], GW_ALG_EDDSA, message, sig[i],
                                    len[i]),
                             GW_ERROR);
            sig[i][n / 8] ^= (unsigned char) (1 << n % 8);
        }

        gw_key_free(&key[i]);
    }
}


/* S and S + the order of the group would be two signatures of one text */

static void
test_ed_out_of_range(void **state)
{
    size_t           i, len;
    char            *text;
    BIGNUM          *s, *order;
    EVP_PKEY        *pkey;
    gw_key_t         key;
    unsigned char    sig[114];

    static const char  *orders[] = {
        "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed",
        "3fffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "7cca23e9c44edb49aed63690216cc2728dc58f552378c292ab5844f3"
    };

    (void) state;

    for (i = 0; i < 2; i++) {
        pkey = i ? ed448 : ed;
        key = load(pkey);

        text = jose_sign(GW_ALG_EDDSA, pkey, message);
        gw_b64_decode(text, strlen(text), sig, sizeof(sig), &len);
        assert_int_equal(verify(&key, GW_ALG_EDDSA, message, sig, len), GW_OK);

        order = NULL;
        BN_hex2bn(&order, orders[i]);
        s = BN_lebin2bn(sig + len / 2, (int) len / 2, NULL);

        assert_true(BN_cmp(s, order) < 0);
        BN_add(s, s, order);
        assert_int_equal(BN_bn2lebinpad(s, sig + len / 2, (int) len / 2),
                         len / 2);
        assert_int_equal(verify(&key, GW_ALG_EDDSA, message, sig, len),
                         GW_ERROR);

        memset(sig, 0, sizeof(sig));
        assert_int_equal(verify(&key, GW_ALG_EDDSA, message, sig, len),
                         GW_ERROR);
        memset(sig, 0xff, sizeof(sig));
        assert_int_equal(verify(&key, GW_ALG_EDDSA, message, sig, len),
                         GW_ERROR);

        BN_free(s);
        BN_free(order);
        gw_key_free(&key);
    }
}


static void
test_ed_numbers(void **state)
{
    char         x[60];
    size_t       i, n;
    gw_str_t     sx;
    gw_key_t     key;
    const char  *err;

    static const char    *types[] = { "ED25519", "ED448" };
    static const size_t   lengths[] = { 32, 57 };

    (void) state;

    memset(x, 7, sizeof(x));
    sx.data = x;

    for (i = 0; i < 2; i++) {
        for (n = 0; n < sizeof(x); n++) {
            sx.len = n;
            err = NULL;

            assert_int_equal(gw_key_ed(&key, types[i], &sx, &err),
                             n == lengths[i] ? GW_OK : GW_ERROR);
            assert_true((n == lengths[i]) == (err == NULL));
            assert_int_equal(ERR_peek_error(), 0);

            gw_key_free(&key);
        }
    }
}


/* nothing is believed, and no client blamed, when memory is short */

static void
test_short_memory(void **state)
{
    int             rc;
    char           *text;
    size_t          len;
    gw_key_t        key;
    gw_alg_e        alg;
    gw_str_t        k;
    const char     *err;
    unsigned char   sig[600];

    (void) state;

    k = STR("0123456789abcdef0123456789abcdef0123456789abcdef"
            "0123456789abcdef");

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {

        if (alg <= GW_ALG_HS512) {
            assert_int_equal(gw_key_secret(&key, &k, &err), GW_OK);
            text = strrchr(jose_hmac(alg, k.data, k.len, "{}", "{}"), '.') + 1;
            gw_b64_decode(text, strlen(text), sig, sizeof(sig), &len);

        } else {
            key = load(key_of(alg));
            text = jose_sign(alg, key_of(alg), "e30.e30");
            gw_b64_decode(text, strlen(text), sig, sizeof(sig), &len);
        }

        /* OpenSSL itself leaks when it fails further on */

        jose_no_memory = 1;
        rc = verify(&key, alg, "e30.e30", sig, len);
        jose_no_memory = 0;

        assert_int_equal(rc, GW_AGAIN);
        assert_int_equal(verify(&key, alg, "e30.e30", sig, len), GW_OK);

        gw_key_free(&key);
    }
}


static void
test_secrets(void **state)
{
    char             secret[200];
    size_t           n, len;
    gw_key_t         key;
    gw_alg_e         alg, other;
    gw_str_t         k;
    const char      *err;
    unsigned char    mac[EVP_MAX_MD_SIZE + 1];
    const gw_alg_t  *a;

    (void) state;

    memset(secret, 's', sizeof(secret));
    memset(mac, 0, sizeof(mac));
    k.data = secret;

    for (n = 0; n < sizeof(secret); n++) {
        k.len = n;

        assert_int_equal(gw_key_secret(&key, &k, &err),
                         n < 32 ? GW_ERROR : GW_OK);

        for (alg = GW_ALG_HS256; alg <= GW_ALG_HS512; alg++) {
            a = gw_alg_get(alg);

            EVP_Q_mac(NULL, "HMAC", NULL, a->digest, NULL, secret, n,
                      (const unsigned char *) message, strlen(message), mac,
                      sizeof(mac), &len);

            assert_int_equal(verify(&key, alg, message, mac, len),
                             n < a->hash ? GW_ERROR : GW_OK);

            for (other = GW_ALG_UNKNOWN; other <= GW_ALG_MAX; other++) {
                if (other != alg) {
                    assert_int_equal(verify(&key, other, message, mac, len),
                                     GW_ERROR);
                }
            }
        }

        gw_key_free(&key);
    }
}


static void
test_macs(void **state)
{
    size_t          i, len;
    gw_key_t        key;
    gw_str_t        k;
    const char     *err;
    unsigned char   mac[EVP_MAX_MD_SIZE + 1];

    (void) state;

    k = STR("0123456789abcdef0123456789abcdef");
    assert_int_equal(gw_key_secret(&key, &k, &err), GW_OK);

    memset(mac, 0, sizeof(mac));
    EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, k.data, k.len,
              (const unsigned char *) message, strlen(message), mac,
              sizeof(mac), &len);

    for (i = 0; i <= sizeof(mac); i++) {
        assert_int_equal(verify(&key, GW_ALG_HS256, message, mac, i),
                         i == len ? GW_OK : GW_ERROR);
    }

    for (i = 0; i < 8 * len; i++) {
        mac[i / 8] ^= (unsigned char) (1 << i % 8);
        assert_int_equal(verify(&key, GW_ALG_HS256, message, mac, len),
                         GW_ERROR);
        mac[i / 8] ^= (unsigned char) (1 << i % 8);
    }

    /* the keyed state serves again and again */

    assert_int_equal(verify(&key, GW_ALG_HS256, message, mac, len), GW_OK);

    gw_key_free(&key);
}


static void
expect_refused(EVP_PKEY *pkey, const char *why)
{
    gw_key_t     key;
    const char  *err;

    err = NULL;

    assert_int_equal(gw_key_public(&key, pkey, &err), GW_ERROR);
    assert_string_equal(err, why);
    assert_int_equal(key.algs, 0);
    assert_int_equal(ERR_peek_error(), 0);

    gw_key_free(&key);
}


static void
test_unfit_keys(void **state)
{
    static const char  *other =
        "has a key that is neither RSA, nor EC, nor Ed25519, nor Ed448";

    (void) state;

    expect_refused(NULL, "has a key OpenSSL does not accept");
    expect_refused(jose_rsa(1024), "has an RSA key under 2048 bits");
    expect_refused(jose_rsa(2047), "has an RSA key under 2048 bits");
    expect_refused(jose_ec("secp256k1"),
                   "has an EC key on another curve than P-256, P-384, P-521");
    expect_refused(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), other);
    expect_refused(EVP_PKEY_Q_keygen(NULL, NULL, "X448"), other);
}


static void
rsa_numbers(size_t n_len, unsigned n_last, const char *e, size_t e_len,
    const char *why)
{
    char         n[5000];
    gw_str_t     sn, se;
    gw_key_t     key;
    const char  *err;

    memset(n, 0xa5, sizeof(n));
    n[n_len - 1] = (char) n_last;

    sn.data = n;
    sn.len = n_len;
    se.data = e;
    se.len = e_len;
    err = NULL;

    if (why) {
        assert_int_equal(gw_key_rsa(&key, &sn, &se, &err), GW_ERROR);
        assert_string_equal(err, why);

    } else {
        assert_int_equal(gw_key_rsa(&key, &sn, &se, &err), GW_OK);
    }

    assert_int_equal(ERR_peek_error(), 0);
    gw_key_free(&key);
}


static void
test_rsa_numbers(void **state)
{
    static const char  *exponent = "has an RSA key with a bad exponent";
    static const char  *big = "has an RSA key over 16384 bits";

    (void) state;

    rsa_numbers(256, 1, "\3", 1, NULL);
    rsa_numbers(256, 1, "\1\0\1", 3, NULL);
    rsa_numbers(256, 1, "\0\1\0\1", 4, NULL);
    rsa_numbers(256, 1, "\xff\xff\xff\xff", 4, NULL);
    rsa_numbers(2048, 1, "\1\0\1", 3, NULL);

    rsa_numbers(256, 1, "\0", 1, exponent);
    rsa_numbers(256, 1, "\1", 1, exponent);
    rsa_numbers(256, 1, "\2", 1, exponent);
    rsa_numbers(256, 1, "\1\0\0", 3, exponent);
    rsa_numbers(256, 1, "\1\0\0\0\1", 5, exponent);

    rsa_numbers(256, 2, "\1\0\1", 3, "has an RSA key with an even modulus");
    rsa_numbers(255, 1, "\1\0\1", 3, "has an RSA key under 2048 bits");
    rsa_numbers(2049, 1, "\1\0\1", 3, big);
    rsa_numbers(4096, 1, "\1\0\1", 3, big);
}


static void
test_ec_numbers(void **state)
{
    char             x[66], y[66];
    gw_str_t         sx, sy;
    gw_key_t         key;
    const char      *err;
    const gw_alg_t  *a;

    (void) state;

    memset(x, 0, sizeof(x));
    memset(y, 0, sizeof(y));
    a = gw_alg_get(GW_ALG_ES256);

    sx.data = x;
    sy.data = y;
    sx.len = 32;
    sy.len = 32;

    assert_int_equal(gw_key_ec(&key, a, &sx, &sy, &err), GW_ERROR);
    assert_string_equal(err, "has an EC key that is not on its curve");
    gw_key_free(&key);

    x[31] = 1;
    y[31] = 1;
    assert_int_equal(gw_key_ec(&key, a, &sx, &sy, &err), GW_ERROR);
    assert_string_equal(err, "has an EC key that is not on its curve");

    sx.len = 31;
    assert_int_equal(gw_key_ec(&key, a, &sx, &sy, &err), GW_ERROR);
    assert_string_equal(err,
                        "has an EC key with coordinates of a wrong length");

    sx.len = 66;
    sy.len = 66;
    assert_int_equal(gw_key_ec(&key, a, &sx, &sy, &err), GW_ERROR);
    assert_int_equal(ERR_peek_error(), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_teardown(test_every_algorithm, jose_release),
        cmocka_unit_test_teardown(test_any_flipped_bit_fails, jose_release),
        cmocka_unit_test_teardown(test_any_other_length_fails, jose_release),
        cmocka_unit_test_teardown(test_pss_without_its_leading_zero,
                                  jose_release),
        cmocka_unit_test(test_pss_salt_is_as_long_as_the_hash),
        cmocka_unit_test_teardown(test_ecdsa_out_of_range, jose_release),
        cmocka_unit_test(test_ecdsa_der_is_refused),
        cmocka_unit_test_teardown(test_curves_of_edwards, jose_release),
        cmocka_unit_test_teardown(test_ed_out_of_range, jose_release),
        cmocka_unit_test(test_ed_numbers),
        cmocka_unit_test_teardown(test_short_memory, jose_release),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_macs),
        cmocka_unit_test(test_unfit_keys),
        cmocka_unit_test(test_rsa_numbers),
        cmocka_unit_test(test_ec_numbers),
    };

    jose_own_memory();

    return cmocka_run_group_tests(tests, setup, teardown);
}
