
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_alg.c src/gw_b64.c src/gw_json.c src/gw_jwk.c */
/* links: src/gw_jwks.c src/gw_jwt.c src/gw_key.c src/gw_claim.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gw_introspect.c"
#include "gw_jose.h"


#define NOW  1000


/* of exactly as much memory as it needs, which is gone afterwards */

static gw_jwt_status_e
parse_bytes(gw_introspect_t *answer, const char *text, size_t len,
    const gw_jwt_rules_t *rules)
{
    char             *exact;
    gw_jwt_status_e   status;

    exact = malloc(len + 1);
    assert_non_null(exact);
    memcpy(exact + 1, text, len);

    status = gw_introspect_parse(answer, exact + 1, len, rules, NOW);

    free(exact);

    return status;
}


static gw_jwt_rules_t
rules_of(const char *issuer, size_t naudiences)
{
    gw_jwt_rules_t  rules;

    static const gw_str_t  audience = gw_str("gw");

    rules.issuer.data = issuer;
    rules.issuer.len = strlen(issuer);
    rules.audiences = &audience;
    rules.naudiences = naudiences;
    rules.leeway = 30;

    return rules;
}


static void
expect_with(const char *text, const char *issuer, size_t naudiences,
    const char *status)
{
    gw_jwt_rules_t   rules;
    gw_jwt_status_e  got;
    gw_introspect_t  answer;

    rules = rules_of(issuer, naudiences);
    got = parse_bytes(&answer, text, strlen(text), &rules);

    assert_string_equal(gw_jwt_status_name(got), status);

    if (got == GW_JWT_OK) {
        assert_true(answer.sub.len > 0);
    }

    gw_introspect_free(&answer);
    gw_introspect_free(&answer);
}


static void
expect(const char *text, const char *status)
{
    expect_with(text, "https://i", 1, status);
}


#define active(members)                                                       \
    jose_printf("{\"active\":true,\"iss\":\"https://i\",\"aud\":\"gw\"%s}",   \
                members)


static void
test_whole_answer(void **state)
{
    gw_jwt_rules_t   rules;
    gw_introspect_t  answer;

    /* RFC 7662 2.2, but for the times */

    static const char  text[] =
        "{\n"
        "  \"active\": true,\n"
        "  \"client_id\": \"l238j323ds-23ij4\",\n"
        "  \"username\": \"jdoe\",\n"
        "  \"scope\": \"read write dolphin\",\n"
        "  \"sub\": \"Z5O3upPC88QrAjx00dis\",\n"
        "  \"aud\": \"https://protected.example.net/resource\",\n"
        "  \"iss\": \"https://server.example.com/\",\n"
        "  \"exp\": 1600.9,\n"
        "  \"nbf\": 900.1,\n"
        "  \"iat\": 800.9,\n"
        "  \"extension_field\": \"twenty-seven\"\n"
        "}\n";

    static const gw_str_t  audience =
        gw_str("https://protected.example.net/resource");

    (void) state;

    rules = rules_of("https://server.example.com/", 1);
    rules.audiences = &audience;

    assert_int_equal(parse_bytes(&answer, text, sizeof(text) - 1, &rules),
                     GW_JWT_OK);

    assert_int_equal(answer.sub.len, 20);
    assert_memory_equal(answer.sub.data, "Z5O3upPC88QrAjx00dis", 20);
    assert_int_equal(answer.iss.len, 27);
    assert_int_equal(answer.exp, 1600);
    assert_int_equal(answer.nbf, 901);
    assert_int_equal(answer.iat, 800);
    assert_int_equal(json_object_size(answer.claims), 11);

    gw_introspect_free(&answer);
    assert_null(answer.claims);
}


/* what is no answer, is a failure of the server, not a refusal */

static void
test_no_answer(void **state)
{
    char             *text;
    size_t            i;
    gw_jwt_rules_t    rules;
    gw_introspect_t   answer;

    static const char  *texts[] = {
        "", " ", "{", "{}", "[]", "null", "true", "\"active\"", "<html>",
        "active=true", "{\"active\":true", "{\"active\":true}x",
        "{\"active\":true}{}", "{\"active\":\"true\"}", "{\"active\":1}",
        "{\"active\":null}", "{\"active\":[true]}", "{\"Active\":true}",
        "{\"active\":true,\"active\":false}",
        "{\"active\":true,\"sub\":\"a\",\"sub\":\"b\"}",
        "{\"active\":true,\"sub\":\"a\\u0000\"}",
        "{\"active\":true,\"sub\":\"\xff\"}",
        "{\"active\":TRUE}", "{'active':true}", "\xef\xbb\xbf{\"active\":true}",
        "{\"sub\":\"alice\",\"aud\":\"gw\"}", "{\"error\":\"invalid_client\"}"
    };

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        expect(texts[i], "malformed");
    }

    expect(jose_printf("{\"active\":true,\"x\":%s", jose_repeat('[', 9000)),
           "malformed");

    /* the longest one, and one byte more */

    rules = rules_of("", 0);

    text = jose_printf("{\"active\":true,\"sub\":\"x\"}%s",
                       jose_repeat(' ', GW_INTROSPECT_MAX));

    assert_int_equal(parse_bytes(&answer, text, GW_INTROSPECT_MAX, &rules),
                     GW_JWT_OK);
    gw_introspect_free(&answer);
    assert_int_equal(parse_bytes(&answer, text, GW_INTROSPECT_MAX + 1,
                                 &rules),
                     GW_JWT_MALFORMED);
    gw_introspect_free(&answer);
}


static void
test_inactive(void **state)
{
    (void) state;

    expect("{\"active\":false}", "inactive");
    expect("{\"active\":false,\"sub\":\"alice\",\"exp\":1}", "inactive");
    expect("{\"active\":false,\"iss\":7,\"sub\":[]}", "inactive");
}


static void
test_issuer(void **state)
{
    const char  *with, *without;

    (void) state;

    with = active(",\"sub\":\"a\"");
    without = "{\"active\":true,\"sub\":\"a\",\"aud\":\"gw\"}";

    expect_with(with, "https://i", 1, "ok");
    expect_with(with, "", 1, "ok");
    expect_with(with, "https://i/", 1, "wrong_issuer");
    expect_with(with, "https://", 1, "wrong_issuer");
    expect_with(without, "https://i", 1, "ok");
    expect_with(without, "", 1, "ok");

    expect_with("{\"active\":true,\"sub\":\"a\",\"iss\":\"\"}", "https://i", 0,
                "wrong_issuer");
    expect_with("{\"active\":true,\"sub\":\"a\",\"iss\":7}", "https://i", 0,
                "bad_claim");
    expect_with("{\"active\":true,\"sub\":\"a\",\"iss\":null}", "", 0,
                "bad_claim");
}


static void
test_audience(void **state)
{
    (void) state;

    expect("{\"active\":true,\"sub\":\"a\",\"aud\":\"gw\"}", "ok");
    expect("{\"active\":true,\"sub\":\"a\",\"aud\":[\"x\",\"gw\"]}", "ok");
    expect("{\"active\":true,\"sub\":\"a\",\"aud\":\"gw2\"}",
           "wrong_audience");
    expect("{\"active\":true,\"sub\":\"a\",\"aud\":[]}", "wrong_audience");
    expect("{\"active\":true,\"sub\":\"a\"}", "wrong_audience");
    expect("{\"active\":true,\"sub\":\"a\",\"aud\":7}", "bad_claim");
    expect("{\"active\":true,\"sub\":\"a\",\"aud\":[\"gw\",7]}", "bad_claim");

    expect_with("{\"active\":true,\"sub\":\"a\"}", "", 0, "ok");
    expect_with("{\"active\":true,\"sub\":\"a\",\"aud\":7}", "", 0, "ok");
}


/* it is second 1000, the leeway is 30 */

static void
test_times(void **state)
{
    size_t  i;

    static const char  *bad[] = {
        "-1", "\"2000\"", "null", "true", "[2000]", "1700000000000", "1e300"
    };

    (void) state;

    expect(active(",\"sub\":\"a\""), "ok");
    expect(active(",\"sub\":\"a\",\"exp\":971"), "ok");
    expect(active(",\"sub\":\"a\",\"exp\":970"), "expired");
    expect(active(",\"sub\":\"a\",\"exp\":0"), "expired");
    expect(active(",\"sub\":\"a\",\"nbf\":1030"), "ok");
    expect(active(",\"sub\":\"a\",\"nbf\":1031"), "not_yet_valid");
    expect(active(",\"sub\":\"a\",\"iat\":1031"), "not_yet_valid");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        expect(active(jose_printf(",\"sub\":\"a\",\"exp\":%s", bad[i])),
               "bad_claim");
        expect(active(jose_printf(",\"sub\":\"a\",\"nbf\":%s", bad[i])),
               "bad_claim");
        expect(active(jose_printf(",\"sub\":\"a\",\"iat\":%s", bad[i])),
               "bad_claim");
    }
}


static void
test_names(void **state)
{
    (void) state;

    expect(active(jose_printf(",\"sub\":\"%s\"", jose_repeat('x', 255))),
           "ok");

    expect(active(""), "bad_claim");
    expect(active(",\"sub\":\"\""), "bad_claim");
    expect(active(",\"sub\":7"), "bad_claim");
    expect(active(",\"sub\":null"), "bad_claim");
    expect(active(",\"sub\":[\"a\"]"), "bad_claim");
    expect(active(",\"sub\":\"a\\r\\nX-Passport: b\""), "bad_claim");
    expect(active(jose_printf(",\"sub\":\"%s\"", jose_repeat('x', 256))),
           "bad_claim");

    /* "username" is no replacement */

    expect(active(",\"username\":\"alice\""), "bad_claim");

    expect(active(",\"sub\":\"a\",\"jti\":\"b\""), "ok");
    expect(active(",\"sub\":\"a\",\"jti\":7"), "bad_claim");
    expect(active(",\"sub\":\"a\",\"jti\":\"\\n\""), "bad_claim");
}


static void
form(const gw_str_t *token, const char *body)
{
    int      rc;
    char    *buf;
    size_t   size, len, need;

    need = strlen(body);

    assert_true(need <= 3 * token->len + GW_INTROSPECT_FORM);

    for (size = 0; size <= need + 4; size++) {
        buf = malloc(size + 1);
        assert_non_null(buf);

        rc = gw_introspect_form(token, buf + 1, size, &len);

        assert_int_equal(rc, size < need ? GW_DECLINED : GW_OK);
        assert_int_equal(len, rc == GW_OK ? need : 0);
        assert_memory_equal(buf + 1, body, len);

        free(buf);
    }
}


static void
test_form(void **state)
{
    int        ch;
    char       all[256];
    char      *p, *q, *text, *body;
    size_t     len;
    gw_str_t   token;

    (void) state;

    token = STR("");
    form(&token, "token=&token_type_hint=access_token");

    token = STR("2YotnFZFEjr1zCsicMWpAA");
    form(&token, "token=2YotnFZFEjr1zCsicMWpAA"
                 "&token_type_hint=access_token");

    token = STR("a&token=b=%26+c d\r\n\xc3\xa9~_-.");
    form(&token, "token=a%26token%3Db%3D%2526%2Bc%20d%0D%0A%C3%A9~_-."
                 "&token_type_hint=access_token");

    /* any bytes come back, and none of them ends the value */

    for (ch = 0; ch < 256; ch++) {
        all[ch] = (char) ch;
    }

    token.data = all;
    token.len = 256;

    text = jose_repeat('x', 3 * 256 + GW_INTROSPECT_FORM);
    assert_int_equal(gw_introspect_form(&token, text, strlen(text), &len),
                     GW_OK);

    body = jose_printf("%.*s", (int) len, text);
    assert_int_equal(strlen(body), len);
    assert_string_equal(strchr(body, '&'), "&token_type_hint=access_token");

    p = body + strlen("token=");

    for (ch = 0; ch < 256; ch++) {
        if (*p != '%') {
            assert_true(*p != '+' && *p != '=');
            assert_int_equal((unsigned char) *p++, ch);
            continue;
        }

        q = jose_printf("%.2s", p + 1);
        assert_int_equal(strtol(q, NULL, 16), ch);
        p += 3;
    }

    assert_int_equal(*p, '&');
}


#define test(name)  cmocka_unit_test_teardown(name, jose_release)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_whole_answer),
        test(test_no_answer),
        test(test_inactive),
        test(test_issuer),
        test(test_audience),
        test(test_times),
        test(test_names),
        test(test_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
