
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_json.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gw_claim.c"


#define STR(text)  ((gw_str_t) gw_str(text))


static json_t *
parse(const char *text)
{
    json_t  *claims;

    claims = gw_json_object(text, strlen(text));
    assert_non_null(claims);

    return claims;
}


static void
test_text(void **state)
{
    int          rc;
    char        *buf;
    size_t       i, len, need, size;
    json_t      *claims;

    static const struct {
        const char  *name;
        int          rc;
        const char  *text;
    } tests[] = {
        { "s", GW_OK, "gold" },
        { "empty", GW_OK, "" },
        { "n", GW_OK, "42" },
        { "neg", GW_OK, "-9223372036854775808" },
        { "t", GW_OK, "true" },
        { "f", GW_OK, "false" },
        { "list", GW_OK, "orders:read orders:write" },
        { "one", GW_OK, "x" },
        { "none", GW_OK, "" },
        { "utf8", GW_OK, "\xc3\xa9" },
        { "absent", GW_DECLINED, "" },
        { "null", GW_DECLINED, "" },
        { "real", GW_ERROR, "" },
        { "object", GW_ERROR, "" },
        { "mixed", GW_ERROR, "" },
        { "nested", GW_ERROR, "" },
        { "blank", GW_ERROR, "" },
        { "hole", GW_ERROR, "" },
        { "crlf", GW_ERROR, "" },
        { "del", GW_ERROR, "" },
        { "listcrlf", GW_ERROR, "" }
    };

    (void) state;

    claims = parse("{\"s\":\"gold\",\"empty\":\"\",\"n\":42,\"t\":true,"
                   "\"f\":false,\"neg\":-9223372036854775808,"
                   "\"list\":[\"orders:read\",\"orders:write\"],"
                   "\"one\":[\"x\"],\"none\":[],\"utf8\":\"\\u00e9\","
                   "\"null\":null,\"real\":1.5,\"object\":{\"a\":1},"
                   "\"mixed\":[\"a\",1],\"nested\":[[\"a\"]],"
                   "\"blank\":[\"a b\"],"
                   "\"hole\":[\"a\",\"\"],\"crlf\":\"a\\r\\nb\","
                   "\"del\":\"\\u007f\",\"listcrlf\":[\"a\",\"\\n\"]}");

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        need = strlen(tests[i].text);

        for (size = 0; size <= need + 8; size++) {
            buf = malloc(size + 1);
            assert_non_null(buf);

            rc = gw_claim_text(claims, tests[i].name, buf + 1, size, &len);

            assert_int_equal(rc, size < need ? GW_ERROR : tests[i].rc);

            if (rc == GW_OK) {
                assert_int_equal(len, need);
                assert_memory_equal(buf + 1, tests[i].text, need);
            }

            free(buf);
        }
    }

    json_decref(claims);
}


static void
test_time(void **state)
{
    int       rc;
    size_t    i;
    json_t   *claims;
    int64_t   t;

    static const struct {
        const char  *text;
        int          rc;
        int64_t      down;
        int64_t      up;
    } tests[] = {
        { "{}", GW_DECLINED, 0, 0 },
        { "{\"t\":0}", GW_OK, 0, 0 },
        { "{\"t\":-0}", GW_OK, 0, 0 },
        { "{\"t\":1700000000}", GW_OK, 1700000000, 1700000000 },
        { "{\"t\":1700000000.0}", GW_OK, 1700000000, 1700000000 },
        { "{\"t\":1700000000.5}", GW_OK, 1700000000, 1700000001 },
        { "{\"t\":1.7e9}", GW_OK, 1700000000, 1700000000 },
        { "{\"t\":0.1}", GW_OK, 0, 1 },
        { "{\"t\":253402300799}", GW_OK, 253402300799, 253402300799 },
        { "{\"t\":253402300799.0}", GW_OK, 253402300799, 253402300799 },
        { "{\"t\":253402300800}", GW_ERROR, 0, 0 },
        { "{\"t\":253402300799.5}", GW_ERROR, 0, 0 },
        { "{\"t\":1700000000000}", GW_ERROR, 0, 0 },
        { "{\"t\":-1}", GW_ERROR, 0, 0 },
        { "{\"t\":-0.5}", GW_ERROR, 0, 0 },
        { "{\"t\":1e300}", GW_ERROR, 0, 0 },
        { "{\"t\":9223372036854775807}", GW_ERROR, 0, 0 },
        { "{\"t\":-9223372036854775808}", GW_ERROR, 0, 0 },
        { "{\"t\":\"1700000000\"}", GW_ERROR, 0, 0 },
        { "{\"t\":null}", GW_ERROR, 0, 0 },
        { "{\"t\":true}", GW_ERROR, 0, 0 },
        { "{\"t\":[1]}", GW_ERROR, 0, 0 },
        { "{\"t\":{}}", GW_ERROR, 0, 0 },
        { "{\"T\":1}", GW_DECLINED, 0, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        claims = parse(tests[i].text);

        t = 7;
        rc = gw_claim_time(claims, "t", 0, &t);
        assert_int_equal(rc, tests[i].rc);

        if (rc != GW_ERROR) {
            assert_int_equal(t, tests[i].down);
        }

        assert_int_equal(gw_claim_time(claims, "t", 1, &t), tests[i].rc);

        if (rc != GW_ERROR) {
            assert_int_equal(t, tests[i].up);
        }

        json_decref(claims);
    }
}


static void
test_audience(void **state)
{
    size_t   i;
    json_t  *claims;

    static const gw_str_t  wanted[] = { gw_str("api"), gw_str("gw") };

    static const struct {
        const char  *text;
        int          one;       /* "api" alone */
        int          two;
    } tests[] = {
        { "{}", GW_DECLINED, GW_DECLINED },
        { "{\"aud\":\"gw\"}", GW_DECLINED, GW_OK },
        { "{\"aud\":\"api\"}", GW_OK, GW_OK },
        { "{\"aud\":\"g\"}", GW_DECLINED, GW_DECLINED },
        { "{\"aud\":\"gwx\"}", GW_DECLINED, GW_DECLINED },
        { "{\"aud\":\"GW\"}", GW_DECLINED, GW_DECLINED },
        { "{\"aud\":\"\"}", GW_DECLINED, GW_DECLINED },
        { "{\"aud\":\"api gw\"}", GW_DECLINED, GW_DECLINED },
        { "{\"aud\":[]}", GW_DECLINED, GW_DECLINED },
        { "{\"aud\":[\"x\",\"gw\"]}", GW_DECLINED, GW_OK },
        { "{\"aud\":[\"gw\",\"x\"]}", GW_DECLINED, GW_OK },
        { "{\"aud\":[\"gw\",7]}", GW_ERROR, GW_ERROR },
        { "{\"aud\":[7,\"gw\"]}", GW_ERROR, GW_ERROR },
        { "{\"aud\":[[\"gw\"]]}", GW_ERROR, GW_ERROR },
        { "{\"aud\":null}", GW_ERROR, GW_ERROR },
        { "{\"aud\":7}", GW_ERROR, GW_ERROR },
        { "{\"aud\":{\"gw\":1}}", GW_ERROR, GW_ERROR }
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        claims = parse(tests[i].text);

        assert_int_equal(gw_claim_audience(claims, wanted, 1), tests[i].one);
        assert_int_equal(gw_claim_audience(claims, wanted, 2), tests[i].two);
        assert_int_not_equal(gw_claim_audience(claims, wanted, 0), GW_OK);

        json_decref(claims);
    }
}


static void
test_has(void **state)
{
    size_t     i;
    json_t    *claims;
    gw_str_t   value;

    static const struct {
        const char  *name;
        const char  *value;
        int          has;
    } tests[] = {
        { "role", "admin", 1 },
        { "role", "adm", 0 },
        { "role", "admin2", 0 },
        { "role", "Admin", 0 },
        { "role", "", 0 },
        { "roles", "a", 1 },
        { "roles", "b c", 1 },
        { "roles", "b", 0 },
        { "roles", "a b c", 0 },
        { "roles", "7", 1 },
        { "roles", "true", 1 },
        { "roles", "null", 0 },
        { "roles", "deep", 0 },
        { "roles", "{}", 0 },
        { "n", "42", 1 },
        { "n", "042", 0 },
        { "n", "42.0", 0 },
        { "yes", "true", 1 },
        { "yes", "1", 0 },
        { "real", "1.5", 0 },
        { "null", "", 0 },
        { "null", "null", 0 },
        { "none", "", 0 },
        { "empty", "", 1 },
        { "absent", "", 0 },
        { "object", "a", 0 }
    };

    (void) state;

    claims = parse("{\"role\":\"admin\",\"roles\":[\"a\",\"b c\",7,true,null,"
                   "{},[\"deep\"]],\"n\":42,\"yes\":true,\"real\":1.5,"
                   "\"null\":null,\"none\":[],\"empty\":\"\","
                   "\"object\":{\"a\":1}}");

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        value.data = tests[i].value;
        value.len = strlen(tests[i].value);

        assert_int_equal(gw_claim_has(claims, tests[i].name, &value),
                         tests[i].has);
    }

    json_decref(claims);
}


/* of exactly as much memory as it needs */

static int
word(const char *text, const char *wanted)
{
    int        rc;
    char      *exact;
    size_t     len;
    gw_str_t   t, w;

    len = strlen(text);
    exact = malloc(len + 1);
    assert_non_null(exact);
    memcpy(exact + 1, text, len);

    t.data = exact + 1;
    t.len = len;
    w.data = wanted;
    w.len = strlen(wanted);

    rc = gw_claim_word(&t, &w);

    free(exact);

    return rc;
}


static void
test_word(void **state)
{
    gw_str_t  none, a;

    (void) state;

    assert_int_equal(word("orders:read", "orders:read"), 1);
    assert_int_equal(word("a b c", "a"), 1);
    assert_int_equal(word("a b c", "b"), 1);
    assert_int_equal(word("a b c", "c"), 1);
    assert_int_equal(word("  a  b ", "a"), 1);
    assert_int_equal(word("  a  b ", "b"), 1);

    assert_int_equal(word("", "a"), 0);
    assert_int_equal(word(" ", "a"), 0);
    assert_int_equal(word("a b", ""), 0);
    assert_int_equal(word("a  b", ""), 0);
    assert_int_equal(word("", ""), 0);
    assert_int_equal(word("a b", "a b"), 0);
    assert_int_equal(word("orders:readall", "orders:read"), 0);
    assert_int_equal(word("orders:read", "orders:readall"), 0);
    assert_int_equal(word("xorders:read", "orders:read"), 0);
    assert_int_equal(word("A", "a"), 0);
    assert_int_equal(word("a,b", "a"), 0);
    assert_int_equal(word("a\tb", "a"), 0);

    memset(&none, 0, sizeof(none));
    a = STR("a");
    assert_int_equal(gw_claim_word(&none, &a), 0);
    assert_int_equal(gw_claim_word(&a, &none), 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_audience),
        cmocka_unit_test(test_has),
        cmocka_unit_test(test_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
