
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_bucket.c"
#include "gw_random.h"


#define NOW    INT64_C(1793882096789012)

#define STEPS  400

#define LARGE  "has a burst that needs more than 71 years to come back"
#define FORM   "has a rate that is no number followed by r/s, r/m, r/h or r/d"


typedef struct {
    int64_t   time;
    int64_t   cost;
} event_t;


static gw_bucket_t
bucket(const char *rate, int64_t burst)
{
    gw_str_t      text;
    const char   *err;
    gw_bucket_t   b;

    text.len = strlen(rate);
    text.data = rate;

    assert_int_equal(gw_bucket_init(&b, &text, burst, &err), GW_OK);

    return b;
}


static gw_bucket_t
any_bucket(void)
{
    gw_bucket_t  b;

    static const int64_t  intervals[] = {
        1, 2, 3, 7, 1000, 333334, 1000000, 6000000, 86400000000
    };

    b.interval = intervals[any(sizeof(intervals) / sizeof(intervals[0]))];
    b.burst = 1 + any(any(2) ? 4 : 2000);

    return b;
}


static int
take(const gw_bucket_t *b, int64_t *full, int64_t now, int64_t cost)
{
    gw_bucket_answer_t  answer;

    return gw_bucket_take(b, full, now, cost, &answer);
}


static void
test_rates(void **state)
{
    size_t       i;
    gw_bucket_t  b;

    static const struct {
        const char  *rate;
        int64_t      given;
        int64_t      interval;
        int64_t      burst;
    } tests[] = {
        { "1r/s", 0, 1000000, 1 },
        { "5r/s", 10, 200000, 10 },
        { "5r/s", 0, 200000, 5 },
        { "3r/s", 0, 333334, 3 },
        { "7r/s", 1, 142858, 1 },
        { "0000005r/s", 0, 200000, 5 },
        { "10r/m", 0, 6000000, 1 },
        { "59r/m", 0, 1016950, 1 },
        { "60r/m", 0, 1000000, 1 },
        { "120r/m", 0, 500000, 2 },
        { "1r/h", 0, 3600000000, 1 },
        { "1r/d", 0, 86400000000, 1 },
        { "1r/d", 26062, 86400000000, 26062 },
        { "86400000000r/d", 0, 1, 1000000 },
        { "60000000r/m", 0, 1, 1000000 },
        { "1000000r/s", 0, 1, 1000000 },
        { "999999r/s", 0, 2, 999999 },
        { "500001r/s", 0, 2, 500001 },
        { "1000000r/s", GW_BUCKET_SPAN / 2, 1, GW_BUCKET_SPAN / 2 },
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        b = bucket(tests[i].rate, tests[i].given);

        assert_int_equal(b.interval, tests[i].interval);
        assert_int_equal(b.burst, tests[i].burst);
    }
}


static void
test_wrong_rates(void **state)
{
    char         *copy;
    size_t        i;
    gw_str_t      text;
    const char   *err;
    gw_bucket_t   b;

    static const struct {
        const char  *rate;
        int64_t      burst;
        const char  *err;
    } tests[] = {
        { "", 0, FORM },
        { "5", 0, FORM },
        { "5r", 0, FORM },
        { "5r/", 0, FORM },
        { "r/s", 0, FORM },
        { "5/s", 0, FORM },
        { "5r/x", 0, FORM },
        { "5r/S", 0, FORM },
        { "5r\\s", 0, FORM },
        { "5r/ss", 0, FORM },
        { "5 r/s", 0, FORM },
        { " 5r/s", 0, FORM },
        { "-5r/s", 0, FORM },
        { "+5r/s", 0, FORM },
        { "1.5r/s", 0, FORM },
        { "0r/s", 0, "has a rate of 0" },
        { "0000r/d", 5, "has a rate of 0" },
        { "1000001r/s", 0, "has a rate above 1000000r/s" },
        { "60000001r/m", 0, "has a rate above 1000000r/s" },
        { "3600000001r/h", 0, "has a rate above 1000000r/s" },
        { "86400000001r/d", 0, "has a rate above 1000000r/s" },
        { "450359962737050r/d", 0, "has a rate that is too high" },
        { "9223372036854775808r/s", 0, "has a rate that is too high" },
        { "18446744073709551617r/s", 0, "has a rate that is too high" },
        { "99999999999999999999999999r/s", 0, "has a rate that is too high" },
        { "1r/d", 26063, LARGE },
        { "1r/s", INT64_MAX, LARGE },
        { "1000000r/s", GW_BUCKET_SPAN / 2 + 1, LARGE },
        { "1r/s", -1, LARGE },
        { "1r/s", INT64_MIN, LARGE },
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {

        /* without a NUL: the sanitizer sees one byte more */

        text.len = strlen(tests[i].rate);
        copy = malloc(text.len + 1);
        assert_non_null(copy);

        text.data = memcpy(copy + 1, tests[i].rate, text.len);
        err = NULL;

        assert_int_equal(gw_bucket_init(&b, &text, tests[i].burst, &err),
                         GW_ERROR);
        assert_non_null(err);
        assert_string_equal(err, tests[i].err);

        free(copy);
    }
}


/* all numbers stay below 2^53, where Lua still counts exactly */

static void
test_largest_numbers(void **state)
{
    size_t              i;
    int64_t             full;
    gw_bucket_t         b[2];
    gw_bucket_answer_t  answer;

    (void) state;

    b[0] = bucket("1r/d", 26062);
    b[1] = bucket("1000000r/s", GW_BUCKET_SPAN / 2);

    for (i = 0; i < 2; i++) {
        full = 0;

        assert_int_equal(gw_bucket_take(&b[i], &full, NOW, b[i].burst,
                                        &answer), GW_OK);
        assert_int_equal(answer.left, 0);
        assert_true(full == NOW + b[i].burst * b[i].interval);

        assert_int_equal(gw_bucket_take(&b[i], &full, NOW, b[i].burst,
                                        &answer), GW_DECLINED);
        assert_true(answer.wait == b[i].burst * b[i].interval);
        assert_true(full + b[i].burst * b[i].interval < INT64_C(1) << 53);
    }
}


static void
test_answers(void **state)
{
    int64_t             full;
    gw_bucket_t         b;
    gw_bucket_answer_t  answer;

    (void) state;

    b = bucket("5r/s", 10);
    full = 0;

    assert_int_equal(gw_bucket_take(&b, &full, NOW, 1, &answer), GW_OK);
    assert_int_equal(answer.left, 9);
    assert_int_equal(answer.wait, 0);
    assert_int_equal(answer.full, 200000);
    assert_true(full == NOW + 200000);

    assert_int_equal(gw_bucket_take(&b, &full, NOW + 1, 9, &answer), GW_OK);
    assert_int_equal(answer.left, 0);
    assert_int_equal(answer.wait, 0);
    assert_int_equal(answer.full, 1999999);

    assert_int_equal(gw_bucket_take(&b, &full, NOW + 1, 2, &answer),
                     GW_DECLINED);
    assert_int_equal(answer.left, 0);
    assert_int_equal(answer.wait, 399999);
    assert_int_equal(answer.full, 1999999);

    /* a bucket left alone is full, and no fuller */

    assert_int_equal(gw_bucket_take(&b, &full, NOW + 10000000, 10, &answer),
                     GW_OK);
    assert_int_equal(take(&b, &full, NOW + 10000000, 1), GW_DECLINED);
}


static void
test_more_than_it_holds(void **state)
{
    int64_t             full, before;
    gw_bucket_t         b;
    gw_bucket_answer_t  answer;

    (void) state;

    b = bucket("1r/s", 3);
    full = 0;

    assert_int_equal(gw_bucket_take(&b, &full, NOW, 4, &answer), GW_DECLINED);
    assert_int_equal(answer.wait, -1);
    assert_int_equal(answer.left, 3);
    assert_int_equal(answer.full, 0);

    assert_int_equal(take(&b, &full, NOW, 2), GW_OK);
    before = full;

    assert_int_equal(gw_bucket_take(&b, &full, NOW, INT64_MAX, &answer),
                     GW_DECLINED);
    assert_int_equal(answer.wait, -1);
    assert_int_equal(answer.left, 1);
    assert_true(full == before);
}


static void
test_cost_0_looks(void **state)
{
    int                 i;
    int64_t             full, before;
    gw_bucket_t         b;
    gw_bucket_answer_t  answer;

    (void) state;

    b = bucket("1r/s", 2);
    full = NOW;

    for (i = 2; i >= 0; i--) {
        before = full;

        assert_int_equal(gw_bucket_take(&b, &full, NOW, 0, &answer), GW_OK);
        assert_int_equal(answer.left, i);
        assert_int_equal(answer.wait, 0);
        assert_int_equal(answer.full, (2 - i) * 1000000);
        assert_true(full == before);

        assert_int_equal(take(&b, &full, NOW, 1), i ? GW_OK : GW_DECLINED);
    }
}


static void
test_never_more_than_burst_and_rate(void **state)
{
    int          round, i, j, n;
    int64_t      full, now, sum;
    gw_bucket_t  b;
    event_t      events[STEPS];

    (void) state;

    for (round = 0; round < 200; round++) {
        b = any_bucket();
        full = 0;
        now = NOW;
        n = 0;

        for (i = 0; i < STEPS; i++) {
            now += any(any(3) ? b.interval + 1 : 1 + b.interval * b.burst / 4);

            events[n].time = now;
            events[n].cost = 1 + (any(4) ? 0 : any(b.burst + 1));

            if (take(&b, &full, now, events[n].cost) == GW_OK) {
                n++;
            }
        }

        assert_true(n > 0);

        for (i = 0; i < n; i++) {
            sum = 0;

            for (j = i; j < n; j++) {
                sum += events[j].cost;

                assert_true(sum <= b.burst + (events[j].time - events[i].time)
                                             / b.interval);
            }
        }
    }
}


/* an impatient client gets all of the rate, and a denial costs it nothing */

static void
test_the_whole_rate(void **state)
{
    int64_t      full, now, taken;
    gw_bucket_t  b;

    (void) state;

    b = bucket("3r/s", 3);
    full = 0;
    taken = 0;

    for (now = NOW; now < NOW + 100000000; now += 1000) {
        taken += (take(&b, &full, now, 1) == GW_OK);
    }

    /* 333334 us each, seen by a client that looks every millisecond */

    assert_true(taken >= 3 + 299 - 1);
    assert_true(taken <= 3 + 299);
}


static void
test_600_ms_at_one_a_second(void **state)
{
    int          i;
    int64_t      full;
    gw_bucket_t  b;

    (void) state;

    b = bucket("1r/s", 1);
    full = 0;

    /* a whole token is there at each second attempt: 1.2 s after the last */

    for (i = 0; i < 100; i++) {
        assert_int_equal(take(&b, &full, NOW + i * 600000, 1),
                         i % 2 ? GW_DECLINED : GW_OK);
    }
}


static void
test_wait_is_exact(void **state)
{
    int                 i;
    int64_t             full, copy, now, cost;
    gw_bucket_t         b;
    gw_bucket_answer_t  answer;

    (void) state;

    for (i = 0; i < 20000; i++) {
        b = any_bucket();
        now = NOW;
        full = now + any(b.burst * b.interval + 1);
        cost = 1 + any(b.burst);

        if (gw_bucket_take(&b, &full, now, cost, &answer) == GW_OK) {
            assert_int_equal(answer.wait, 0);
            continue;
        }

        assert_true(answer.wait > 0);

        copy = full;
        assert_int_equal(take(&b, &copy, now + answer.wait - 1, cost),
                         GW_DECLINED);

        copy = full;
        assert_int_equal(take(&b, &copy, now + answer.wait, cost), GW_OK);
    }
}


static void
test_left_is_what_can_be_taken(void **state)
{
    int                 i;
    int64_t             full, copy, now;
    gw_bucket_t         b;
    gw_bucket_answer_t  answer;

    (void) state;

    for (i = 0; i < 20000; i++) {
        b = any_bucket();
        now = NOW;
        full = now - 5 + any(b.burst * b.interval + 10);

        (void) gw_bucket_take(&b, &full, now, any(b.burst + 2), &answer);

        assert_true(answer.left >= 0 && answer.left <= b.burst);
        assert_true(answer.full >= 0
                    && answer.full <= b.burst * b.interval);

        copy = full;
        assert_int_equal(take(&b, &copy, now, answer.left), GW_OK);

        copy = full;
        assert_int_equal(take(&b, &copy, now, answer.left + 1), GW_DECLINED);

        /* full at that time and not before */

        copy = full;
        assert_int_equal(take(&b, &copy, now + answer.full, b.burst), GW_OK);

        if (answer.full) {
            copy = full;
            assert_int_equal(take(&b, &copy, now + answer.full - 1, b.burst),
                             GW_DECLINED);
        }
    }
}


static void
test_clock_goes_back(void **state)
{
    int                 i;
    int64_t             full, now, left;
    gw_bucket_t         b;
    gw_bucket_answer_t  answer;

    (void) state;

    b = bucket("1r/s", 2);
    full = 0;

    assert_int_equal(take(&b, &full, NOW, 2), GW_OK);
    assert_int_equal(take(&b, &full, NOW - 1, 1), GW_DECLINED);
    assert_int_equal(take(&b, &full, NOW - 3600000000, 1), GW_DECLINED);

    /* nor does it block anybody for the hour */

    assert_int_equal(take(&b, &full, NOW - 3600000000 + 1000000, 1), GW_OK);

    for (i = 0; i < 20000; i++) {
        b = any_bucket();
        now = NOW;
        full = now + any(b.burst * b.interval + 1);

        (void) gw_bucket_take(&b, &full, now, any(b.burst + 1), &answer);
        left = answer.left;

        now -= any(any(2) ? 1000 : 2 * b.burst * b.interval);

        (void) gw_bucket_take(&b, &full, now, 0, &answer);
        assert_true(answer.left <= left);
    }
}


static void
test_other_numbers(void **state)
{
    int64_t             full;
    gw_bucket_t         slow, fast;
    gw_bucket_answer_t  answer;

    (void) state;

    slow = bucket("1r/m", 10);
    fast = bucket("1000r/s", 10);
    full = 0;

    assert_int_equal(take(&slow, &full, NOW, 10), GW_OK);
    assert_true(full == NOW + 600000000);

    /* ten minutes of debt are cut to a full burst of the new numbers... */

    assert_int_equal(gw_bucket_take(&fast, &full, NOW, 1, &answer),
                     GW_DECLINED);
    assert_int_equal(answer.left, 0);
    assert_int_equal(answer.wait, 1000);
    assert_int_equal(answer.full, 10000);

    /* ...and stay cut: a denial that forgot it would deny for ever */

    assert_true(full == NOW + 10000);
    assert_int_equal(take(&fast, &full, NOW + 1000, 1), GW_OK);

    /* cut also if it can't be granted at all */

    full = NOW + 600000000;

    assert_int_equal(take(&fast, &full, NOW, 11), GW_DECLINED);
    assert_true(full == NOW + 10000);

    /* the other way round the tokens that were left stay left */

    assert_int_equal(gw_bucket_take(&slow, &full, NOW, 0, &answer), GW_OK);
    assert_int_equal(answer.left, 9);
}


static void
test_give(void **state)
{
    int                 i;
    int64_t             full, before, now, cost, back;
    gw_bucket_t         b;
    gw_bucket_answer_t  answer, other;

    (void) state;

    b = bucket("1r/s", 5);
    full = 0;

    /* nothing was taken, nothing comes back */

    gw_bucket_give(&b, &full, NOW, 3);
    assert_true(full == 0);

    full = NOW - 1;
    gw_bucket_give(&b, &full, NOW, 3);
    assert_true(full == NOW - 1);

    assert_int_equal(take(&b, &full, NOW, 5), GW_OK);
    gw_bucket_give(&b, &full, NOW, 2);
    assert_int_equal(full, NOW + 3000000);

    gw_bucket_give(&b, &full, NOW + 1, 3);
    assert_int_equal(full, NOW + 1);

    full = NOW + 1;
    gw_bucket_give(&b, &full, NOW, INT64_MAX);
    assert_int_equal(full, NOW);

    for (i = 0; i < 20000; i++) {
        b = any_bucket();
        now = NOW;
        full = now + any(b.burst * b.interval + 1);
        before = full;

        (void) gw_bucket_take(&b, &full, now, 0, &answer);

        cost = any(answer.left + 1);
        back = any(cost + 1);

        /* to take and to give back is to take less */

        assert_int_equal(take(&b, &full, now, cost), GW_OK);
        gw_bucket_give(&b, &full, now, back);

        assert_int_equal(gw_bucket_take(&b, &before, now, cost - back,
                                        &answer), GW_OK);
        assert_true(full == before);

        /* too much gives a full bucket, and no more */

        gw_bucket_give(&b, &full, now, any(2) ? b.burst : INT64_MAX);
        (void) gw_bucket_take(&b, &full, now, 0, &other);
        assert_int_equal(other.left, b.burst);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_wrong_rates),
        cmocka_unit_test(test_largest_numbers),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_more_than_it_holds),
        cmocka_unit_test(test_cost_0_looks),
        cmocka_unit_test(test_never_more_than_burst_and_rate),
        cmocka_unit_test(test_the_whole_rate),
        cmocka_unit_test(test_600_ms_at_one_a_second),
        cmocka_unit_test(test_wait_is_exact),
        cmocka_unit_test(test_left_is_what_can_be_taken),
        cmocka_unit_test(test_clock_goes_back),
        cmocka_unit_test(test_other_numbers),
        cmocka_unit_test(test_give),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
