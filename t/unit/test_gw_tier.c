
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_bucket.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_tier.c"


#define RATE   "has a rate that is no number followed by r/s, r/m, r/h or r/d"
#define BURST  "has a burst that is no number of at least 1"
#define QUOTA  "has a quota that is no number followed by /day or /month"
#define SIZE   "has a quota that is not between 1 and 68719476735"
#define WORD   "has a word that is none of \"rate=\", \"burst=\" and "        \
               "\"quota=\""


/* from a copy that ends with the text: the sanitizer sees one byte more */

static int
read_text(gw_tier_t *t, const char *data, size_t len, const char **err)
{
    int        rc;
    char      *copy;
    gw_str_t   text;

    copy = malloc(len + 1);
    assert_non_null(copy);

    text.len = len;
    text.data = memcpy(copy + 1, data, len);

    memset(t, 0, sizeof(gw_tier_t));
    *err = NULL;

    rc = gw_tier_text(t, &text, err);

    free(copy);

    assert_true((rc == GW_OK) == (*err == NULL));

    return rc;
}


static gw_tier_t
tier(const char *text)
{
    gw_tier_t    t;
    const char  *err;

    if (read_text(&t, text, strlen(text), &err) != GW_OK) {
        fail_msg("%s: %s", text, err);
    }

    return t;
}


static void
test_numbers(void **state)
{
    size_t     i;
    gw_tier_t  t;

    static const struct {
        const char  *text;
        int64_t      interval;
        int64_t      burst;
        int64_t      day;
        int64_t      month;
    } tests[] = {
        { "rate=5r/s", 200000, 5, 0, 0 },
        { "rate=5r/s burst=10", 200000, 10, 0, 0 },
        { "burst=10 rate=5r/s", 200000, 10, 0, 0 },
        { "  rate=5r/s \t burst=10  ", 200000, 10, 0, 0 },
        { "rate=1r/d quota=1/day", 86400000000, 1, 1, 0 },
        { "rate=1r/m quota=68719476735/month", 60000000, 1, 0, 68719476735 },
        { "quota=9/month quota=007/day rate=1000r/s burst=2000", 1000, 2000,
          7, 9 },
        { "rate=1r/s burst=0000000000000000000000000000000000003", 1000000,
          3, 0, 0 },
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        t = tier(tests[i].text);

        assert_int_equal(t.bucket.interval, tests[i].interval);
        assert_int_equal(t.bucket.burst, tests[i].burst);
        assert_int_equal(t.quota[GW_QUOTA_DAY].size, tests[i].day);
        assert_int_equal(t.quota[GW_QUOTA_DAY].unit, GW_QUOTA_DAY);
        assert_int_equal(t.quota[GW_QUOTA_MONTH].size, tests[i].month);
        assert_int_equal(t.quota[GW_QUOTA_MONTH].unit, GW_QUOTA_MONTH);

        /* nothing of the text, which may go */

        assert_null(t.rate.data);
        assert_int_equal(t.rate.len, 0);
    }
}


static void
test_errors(void **state)
{
    size_t       i;
    gw_tier_t    t;
    const char  *err;

    static const struct {
        const char  *text;
        const char  *err;
    } tests[] = {
        { "", "has no \"rate=\"" },
        { "   ", "has no \"rate=\"" },
        { "burst=5", "has no \"rate=\"" },
        { "rate=", RATE },
        { "rate=5", RATE },
        { "rate= 5r/s", WORD },
        { "rate=5r/s,", RATE },
        { "rate=0r/s", "has a rate of 0" },
        { "rate=1r/s rate=1r/s", "has more than one \"rate=\"" },
        { "rate= rate=1r/s", "has more than one \"rate=\"" },
        { "rate=1r/s burst=1 burst=1", "has more than one \"burst=\"" },
        { "rate=1r/s burst=", BURST },
        { "rate=1r/s burst=0", BURST },
        { "rate=1r/s burst=-1", BURST },
        { "rate=1r/s burst=1x", BURST },
        { "rate=1r/s burst=99999999999999999999999999",
          "has a burst that needs more than 71 years to come back" },
        { "rate=1r/d burst=18446744073709551617",
          "has a burst that needs more than 71 years to come back" },
        { "rate=1r/s quota=", QUOTA },
        { "rate=1r/s quota=1", QUOTA },
        { "rate=1r/s quota=1/", QUOTA },
        { "rate=1r/s quota=1/da", QUOTA },
        { "rate=1r/s quota=1/days", QUOTA },
        { "rate=1r/s quota=1/year", QUOTA },
        { "rate=1r/s quota=/day", QUOTA },
        { "rate=1r/s quota=-1/day", QUOTA },
        { "rate=1r/s quota=1 /day", QUOTA },
        { "rate=1r/s quota=0/day", SIZE },
        { "rate=1r/s quota=68719476736/day", SIZE },
        { "rate=1r/s quota=18446744073709551617/month", SIZE },
        { "rate=1r/s quota=1/day quota=1/day",
          "has two quotas of the same unit" },
        { "rate=1r/s quota=1/month quota=1/day quota=2/month",
          "has two quotas of the same unit" },
        { "rate=1r/s x", WORD },
        { "rate", WORD },
        { "Rate=1r/s", WORD },
        { "rate=1r/s\n", RATE },
        { "rate=1r/s \n", WORD },
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        assert_int_equal(read_text(&t, tests[i].text, strlen(tests[i].text),
                                   &err), GW_ERROR);
        assert_string_equal(err, tests[i].err);
    }
}


static void
test_hostile(void **state)
{
    char         text[GW_TIER_TEXT + 1];
    gw_tier_t    t;
    gw_str_t     none;
    const char  *err;

    (void) state;

    assert_int_equal(read_text(&t, "rate=1r/s\0", 10, &err), GW_ERROR);
    assert_int_equal(read_text(&t, "rate=1r/s \0", 11, &err), GW_ERROR);
    assert_int_equal(read_text(&t, "rate=1r/s burst=5\0 0", 20, &err),
                     GW_ERROR);
    assert_int_equal(read_text(&t, "rate=1r/s quota=5\0/day", 22, &err),
                     GW_ERROR);

    none.len = 0;
    none.data = NULL;
    memset(&t, 0, sizeof(t));
    assert_int_equal(gw_tier_text(&t, &none, &err), GW_ERROR);

    memset(text, ' ', sizeof(text));
    memcpy(text + sizeof(text) - 10, "rate=1r/s", 9);

    assert_int_equal(read_text(&t, text, GW_TIER_TEXT, &err), GW_OK);
    assert_int_equal(read_text(&t, text, GW_TIER_TEXT + 1, &err), GW_ERROR);
    assert_string_equal(err, "is longer than 256 bytes");
}


static void
test_words(void **state)
{
    size_t       i;
    gw_str_t     word;
    gw_tier_t    t;
    const char  *err;

    static const char  *other[] = { "", "r", "rate", "key=x", "lease=5%",
                                    "burst", "quot=1/day" };

    (void) state;

    memset(&t, 0, sizeof(t));

    for (i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        word.data = other[i];
        word.len = strlen(other[i]);

        assert_int_equal(gw_tier_word(&t, &word, &err), GW_DECLINED);
    }

    word = (gw_str_t) gw_str("rate=2r/s");
    assert_int_equal(gw_tier_word(&t, &word, &err), GW_OK);
    word = (gw_str_t) gw_str("burst=4");
    assert_int_equal(gw_tier_word(&t, &word, &err), GW_OK);
    assert_int_equal(gw_tier_end(&t, &err), GW_OK);

    assert_int_equal(t.bucket.interval, 500000);
    assert_int_equal(t.bucket.burst, 4);
}


static void
test_equal(void **state)
{
    size_t     i;
    gw_tier_t  a, b;

    static const char  *others[] = {
        "rate=5r/s", "rate=6r/s burst=10", "rate=5r/s burst=11",
        "rate=5r/s burst=10 quota=1/day", "rate=5r/s burst=10 quota=1/month"
    };

    (void) state;

    a = tier("rate=5r/s burst=10");
    b = tier(" burst=10 rate=300r/m");
    assert_true(gw_tier_equal(&a, &b));

    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        b = tier(others[i]);
        assert_false(gw_tier_equal(&a, &b));
        assert_false(gw_tier_equal(&b, &a));
    }
}


static void
test_names(void **state)
{
    int       c;
    char      name[GW_TIER_NAME + 1], byte;
    gw_str_t  s;

    (void) state;

    memset(name, 'a', sizeof(name));
    s.data = name;

    for (s.len = 0; s.len <= sizeof(name); s.len++) {
        assert_int_equal(gw_tier_is_name(&s),
                         s.len > 0 && s.len <= GW_TIER_NAME);
    }

    s.data = &byte;
    s.len = 1;

    for (c = 0; c < 256; c++) {
        byte = c;
        assert_int_equal(gw_tier_is_name(&s),
                         c && strchr("abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-_", c) != NULL);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
