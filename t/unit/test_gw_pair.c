
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_pair.c"


typedef unsigned (*parse_pt)(unsigned char *p, unsigned char *last,
    const gw_str_t *name, gw_pair_t *pair);


typedef struct {
    const char  *text;
    unsigned     found;
    const char  *value;      /* NULL: not looked at */
    const char  *rest;       /* from the end of the pair on */
} case_t;


static const gw_str_t  sid = gw_str("sid");


/* in memory exactly as large, so that reading beyond it is seen */

static void
check(parse_pt parse, const case_t *c)
{
    size_t          len;
    gw_pair_t       pair;
    unsigned char  *text, *last;

    len = strlen(c->text);

    text = malloc(len ? len : 1);
    assert_non_null(text);
    memcpy(text, c->text, len);

    last = text + len;

    assert_int_equal(parse(text, last, &sid, &pair), c->found);

    assert_true(pair.value >= text && pair.value <= pair.end);
    assert_true(pair.end <= last);

    if (c->value) {
        assert_int_equal((size_t) (pair.end - pair.value), strlen(c->value));
        assert_memory_equal(pair.value, c->value, strlen(c->value));
    }

    assert_int_equal((size_t) (last - pair.end), strlen(c->rest));
    assert_memory_equal(pair.end, c->rest, strlen(c->rest));

    free(text);
}


static void
test_cookies(void **state)
{
    size_t  i;

    static const case_t  cases[] = {
        { "sid=a", 1, "a", "" },
        { "sid=a; b=c", 1, "a", "; b=c" },
        { " \tsid=a;", 1, "a", ";" },
        { "sid \t= a ;b", 1, " a ", ";b" },
        { "sid=", 1, "", "" },
        { "sid=;x", 1, "", ";x" },
        { "sid=a=b", 1, "a=b", "" },
        { "sid=\"a;b\"", 1, "\"a", ";b\"" },
        { "sid=a,b", 1, "a,b", "" },
        { "sid=a&b", 1, "a&b", "" },
        { "sid", 0, NULL, "" },
        { "sid;=a", 0, NULL, ";=a" },
        { "SID=a", 0, NULL, "" },
        { "si=a", 0, NULL, "" },
        { "sids=a", 0, NULL, "" },
        { "xsid=a", 0, NULL, "" },
        { "s%69d=a", 0, NULL, "" },
        { "a=sid=b", 0, NULL, "" },
        { "=a", 0, NULL, "" },
        { ";sid=a", 0, NULL, ";sid=a" },
        { "  ", 0, NULL, "" },
        { "", 0, NULL, "" },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(gw_pair_cookie, &cases[i]);
    }
}


static void
test_arguments(void **state)
{
    size_t  i;

    static const case_t  cases[] = {
        { "sid=a", 1, "a", "" },
        { "sid=a&b=c", 1, "a", "&b=c" },
        { "sid", 1, "", "" },
        { "sid&b", 1, "", "&b" },
        { "sid=", 1, "", "" },
        { "sid==a", 1, "=a", "" },
        { "s%69d=a", 1, "a", "" },
        { "%73%69%64=%61", 1, "%61", "" },
        { "%73%69%64", 1, "", "" },
        { "sid=a;b", 1, "a;b", "" },
        { "s%6=a", 0, NULL, "" },
        { "si%64", 1, "", "" },
        { "si%6", 0, NULL, "" },
        { "si%", 0, NULL, "" },
        { "si%6&4", 0, NULL, "&4" },
        { "sid%00=a", 0, NULL, "" },
        { "sid%3Da", 0, NULL, "" },
        { "s%2569d=a", 0, NULL, "" },
        { "SID=a", 0, NULL, "" },
        { " sid=a", 0, NULL, "" },
        { "sid+=a", 0, NULL, "" },
        { "si=a", 0, NULL, "" },
        { "sids=a", 0, NULL, "" },
        { "b=sid=a", 0, NULL, "" },
        { "=a", 0, NULL, "" },
        { "&sid=a", 0, NULL, "&sid=a" },
        { "", 0, NULL, "" },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(gw_pair_arg, &cases[i]);
    }
}


/* all pairs of digits, in both cases, and all that are none */

static void
test_bytes(void **state)
{
    unsigned        n, high, low;
    unsigned char   text[3], byte, *end;

    static const char  digits[] = "0123456789abcdefABCDEF";

    (void) state;

    for (n = 0; n < 0x10000; n++) {
        text[0] = '%';
        text[1] = (unsigned char) (n >> 8);
        text[2] = (unsigned char) n;

        end = gw_pair_byte(text, text + 3, &byte);

        if (text[1] && text[2] && strchr(digits, text[1])
            && strchr(digits, text[2]))
        {
            high = strchr(digits, text[1]) - digits;
            low = strchr(digits, text[2]) - digits;

            high = high < 16 ? high : high - 6;
            low = low < 16 ? low : low - 6;

            assert_true(end == text + 3);
            assert_int_equal(byte, high * 16 + low);

        } else {
            assert_true(end == text + 1);
            assert_int_equal(byte, '%');
        }
    }

    text[0] = '+';
    assert_true(gw_pair_byte(text, text + 3, &byte) == text + 1);
    assert_int_equal(byte, '+');
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
