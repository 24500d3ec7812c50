
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_json.c"


#define STR(text)  ((gw_str_t) gw_str(text))


static json_t *
object(const char *text, size_t len)
{
    char    *exact;
    json_t  *value;

    exact = malloc(len + 1);
    assert_non_null(exact);
    memcpy(exact + 1, text, len);

    value = gw_json_object(exact + 1, len);

    free(exact);

    return value;
}


static int
accepts(const char *text, size_t len)
{
    json_t  *value;

    value = object(text, len);

    if (value) {
        json_decref(value);
    }

    return value != NULL;
}


static void
test_objects(void **state)
{
    size_t  i;

    static const gw_str_t  good[] = {
        gw_str("{}"), gw_str(" {\"a\":[1,2.5,null,{\"a\":1}]}\r\n"),
        gw_str("{\"a\":\"\xc3\xa9\\u00e9\"}"),
        gw_str("{\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\":1}")
    };

    static const gw_str_t  bad[] = {
        gw_str(""), gw_str("[]"), gw_str("1"), gw_str("\"a\""),
        gw_str("null"), gw_str("{"), gw_str("{}}"), gw_str("{} {}"),
        gw_str("{}x"), gw_str("{}\0"), gw_str("\xef\xbb\xbf{}"),
        gw_str("{\"a\":1,\"a\":1}"), gw_str("{\"b\":{\"a\":1,\"a\":1}}"),
        gw_str("{\"a\":\"\\u0000\"}"), gw_str("{\"a\":\"\0\"}"),
        gw_str("{\"a\\u0000\":1}"), gw_str("{\"a\":\"\xff\"}"),
        gw_str("{\"a\":\"\xc0\x80\"}"), gw_str("{\"a\":\"\xed\xa0\x80\"}"),
        gw_str("{\"a\":\"\\ud800\"}"), gw_str("{\"a\":1e400}"),
        gw_str("{\"a\":99999999999999999999}"), gw_str("{'a':1}"),
        gw_str("{\"a\":1,}"), gw_str("{\"a\":01}"), gw_str("{\"a\":NaN}"),
        gw_str("{\"a\":/**/1}")
    };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(accepts(good[i].data, good[i].len));
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(accepts(bad[i].data, bad[i].len));
    }
}


static void
test_depth(void **state)
{
    char    text[3 * GW_JSON_MAX_DEPTH];
    size_t  n, len;

    (void) state;

    for (n = 1; n <= GW_JSON_MAX_DEPTH; n++) {
        len = 0;

        /* {"a": and n arrays */

        len += (size_t) sprintf(text, "{\"a\":");
        memset(text + len, '[', n);
        memset(text + len + n, ']', n);
        text[len + 2 * n] = '}';

        assert_int_equal(accepts(text, len + 2 * n + 1),
                         n < GW_JSON_MAX_DEPTH);
    }
}


static void
test_text(void **state)
{
    json_t    *value;
    gw_str_t   s;

    static const char  text[] = "{\"s\":\"x y\",\"e\":\"\",\"n\":1,\"z\":null}";

    (void) state;

    value = object(text, sizeof(text) - 1);
    assert_non_null(value);

    assert_int_equal(gw_json_text(value, "s", &s), GW_OK);
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.data, "x y", 3);

    assert_int_equal(gw_json_text(value, "e", &s), GW_OK);
    assert_int_equal(s.len, 0);
    assert_non_null(s.data);

    assert_int_equal(gw_json_text(value, "n", &s), GW_ERROR);
    assert_null(s.data);
    assert_int_equal(gw_json_text(value, "z", &s), GW_ERROR);
    assert_int_equal(gw_json_text(value, "none", &s), GW_DECLINED);
    assert_null(s.data);

    json_decref(value);
}


static void
write_string(gw_str_t s, size_t room, int rc, const char *expected)
{
    char           *buf, *exact;
    gw_json_out_t   out;

    buf = malloc(room + 1);
    exact = malloc(s.len + 1);
    assert_non_null(buf);
    assert_non_null(exact);

    memcpy(exact + 1, s.data, s.len);
    s.data = exact + 1;

    out.pos = buf + 1;
    out.last = buf + 1 + room;
    out.rc = GW_OK;

    gw_json_put_string(&out, &s);

    assert_int_equal(out.rc, rc);

    if (rc == GW_OK) {
        assert_int_equal(out.pos - buf - 1, strlen(expected));
        assert_memory_equal(buf + 1, expected, strlen(expected));
    }

    free(buf);
    free(exact);
}


static void
test_strings(void **state)
{
    size_t    i;
    gw_str_t  cut;

    static const gw_str_t  bad[] = {
        gw_str("\x80"), gw_str("\xc3"), gw_str("\xc3("), gw_str("\xc0\xaf"),
        gw_str("\xc1\xbf"), gw_str("\xe0\x9f\xbf"), gw_str("\xe2\x82"),
        gw_str("\xed\xa0\x80"), gw_str("\xed\xbf\xbf"),
        gw_str("\xf0\x8f\xbf\xbf"), gw_str("\xf4\x90\x80\x80"),
        gw_str("\xf5\x80\x80\x80"), gw_str("\xff"), gw_str("a\xe2\x82")
    };

    (void) state;

    write_string(STR(""), 2, GW_OK, "\"\"");
    write_string(STR("a\"b\\c/"), 16, GW_OK, "\"a\\\"b\\\\c/\"");
    write_string(STR("\n\0\x1f\x7f"), 26, GW_OK,
                 "\"\\u000a\\u0000\\u001f\\u007f\"");
    write_string(STR("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 11, GW_OK,
                 "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    write_string(STR("\xee\x80\x80\xf4\x8f\xbf\xbf"), 9, GW_OK,
                 "\"\xee\x80\x80\xf4\x8f\xbf\xbf\"");

    write_string(STR("a"), 2, GW_DECLINED, NULL);
    write_string(STR("\n"), 7, GW_DECLINED, NULL);
    write_string(STR("\xe2\x82\xac"), 4, GW_DECLINED, NULL);
    write_string(STR(""), 0, GW_DECLINED, NULL);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_string(bad[i], 32, GW_ERROR, NULL);
    }

    /* the rest of the character lies behind the string */

    cut = STR("\xe2\x82\xac");
    cut.len = 2;
    write_string(cut, 32, GW_ERROR, NULL);
}


static void
test_first_failure_stays(void **state)
{
    char           buf[8];
    gw_str_t       s;
    gw_json_out_t  out;

    (void) state;

    out.pos = buf;
    out.last = buf + sizeof(buf);
    out.rc = GW_OK;

    gw_json_put(&out, "123456");
    assert_int_equal(out.rc, GW_OK);

    gw_json_put(&out, "789");
    assert_int_equal(out.rc, GW_DECLINED);

    s = STR("\xff");
    gw_json_put_string(&out, &s);
    assert_int_equal(out.rc, GW_DECLINED);

    /* it would fit, but something is missing before it */

    gw_json_put(&out, "7");
    assert_int_equal(out.rc, GW_DECLINED);
    assert_ptr_equal(out.pos, buf + 6);

    out.pos = buf;
    out.rc = GW_OK;

    gw_json_put_string(&out, &s);
    assert_int_equal(out.rc, GW_ERROR);
    gw_json_put(&out, "123456789");
    assert_int_equal(out.rc, GW_ERROR);
}


static void
test_integers(void **state)
{
    char           buf[48];
    gw_json_out_t  out;

    (void) state;

    out.pos = buf;
    out.last = buf + sizeof(buf);
    out.rc = GW_OK;

    gw_json_put_int(&out, 0);
    gw_json_put(&out, " ");
    gw_json_put_int(&out, INT64_MIN);
    gw_json_put(&out, " ");
    gw_json_put_int(&out, INT64_MAX);

    assert_int_equal(out.rc, GW_OK);
    *out.pos = '\0';
    assert_string_equal(buf, "0 -9223372036854775808 9223372036854775807");
}


static void
test_control(void **state)
{
    gw_str_t  s;

    (void) state;

    s = STR("");
    assert_false(gw_json_has_control(&s));
    s = STR(" ~\xc3\xa9");
    assert_false(gw_json_has_control(&s));
    s = STR("a\r");
    assert_true(gw_json_has_control(&s));
    s = STR("\0");
    assert_true(gw_json_has_control(&s));
    s = STR("a\x7f" "b");
    assert_true(gw_json_has_control(&s));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_objects),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_first_failure_stays),
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_control),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
