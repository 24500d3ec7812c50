
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "gw_quota.c"
#include "gw_random.h"


#define SECOND  INT64_C(1000000)
#define DAY     INT64_C(86400000000)

/* 2026-11-05 and so on; its day and month */

#define NOW     INT64_C(1793882096789012)
#define TODAY   (NOW / DAY)
#define MONTH   (56 * 12 + 10)

#define STEPS   2000


static int
take(const gw_quota_t *q, int64_t *used, int64_t now, int64_t cost)
{
    gw_quota_answer_t  answer;

    return gw_quota_take(q, used, now, cost, &answer);
}


static void
check_window(int64_t now)
{
    int64_t    end;
    time_t     t;
    struct tm  tm, next;

    t = now / SECOND;
    gmtime_r(&t, &tm);

    assert_int_equal(gw_quota_window(GW_QUOTA_DAY, now, &end), t / 86400);
    assert_int_equal(end, (t / 86400 + 1) * DAY);

    assert_int_equal(gw_quota_window(GW_QUOTA_MONTH, now, &end),
                     (tm.tm_year - 70) * 12 + tm.tm_mon);

    memset(&next, 0, sizeof(next));
    next.tm_year = tm.tm_year;
    next.tm_mon = tm.tm_mon + 1;
    next.tm_mday = 1;

    assert_int_equal(end, timegm(&next) * SECOND);
}


/* each day from 1970 to 2328, and its edges, as libc sees them */

static void
test_windows(void **state)
{
    int64_t  day;

    (void) state;

    for (day = 0; day < GW_QUOTA_LIMIT / GW_QUOTA_MAX; day++) {
        check_window(day * DAY);
        check_window(day * DAY + any(DAY));
        check_window(day * DAY + DAY - 1);
    }
}


static void
test_answers(void **state)
{
    int64_t            used;
    gw_quota_answer_t  answer;

    static const gw_quota_t  day = { 10, GW_QUOTA_DAY };
    static const gw_quota_t  month = { 10, GW_QUOTA_MONTH };

    (void) state;

    used = 0;

    assert_int_equal(gw_quota_take(&day, &used, NOW, 7, &answer), GW_OK);
    assert_int_equal(answer.left, 3);
    assert_int_equal(answer.wait, 0);
    assert_int_equal(answer.end, (TODAY + 1) * DAY - NOW);
    assert_int_equal(answer.window, TODAY);
    assert_true(used == TODAY * GW_QUOTA_MAX + 7);

    assert_int_equal(gw_quota_take(&day, &used, NOW, 4, &answer),
                     GW_DECLINED);
    assert_int_equal(answer.left, 3);
    assert_int_equal(answer.wait, answer.end);
    assert_true(used == TODAY * GW_QUOTA_MAX + 7);

    assert_int_equal(gw_quota_take(&day, &used, NOW, 11, &answer),
                     GW_DECLINED);
    assert_int_equal(answer.wait, -1);

    assert_int_equal(gw_quota_take(&day, &used, NOW, INT64_MAX, &answer),
                     GW_DECLINED);
    assert_int_equal(answer.wait, -1);

    assert_int_equal(take(&day, &used, NOW, 3), GW_OK);
    assert_int_equal(gw_quota_take(&day, &used, NOW, 0, &answer), GW_OK);
    assert_int_equal(answer.left, 0);
    assert_int_equal(answer.wait, 0);

    /* to the microsecond */

    assert_int_equal(take(&day, &used, (TODAY + 1) * DAY - 1, 1),
                     GW_DECLINED);
    assert_int_equal(take(&day, &used, (TODAY + 1) * DAY, 10), GW_OK);
    assert_true(used == (TODAY + 1) * GW_QUOTA_MAX + 10);

    used = 0;

    assert_int_equal(gw_quota_take(&month, &used, NOW, 10, &answer), GW_OK);
    assert_int_equal(answer.window, MONTH);
    assert_true(used == (int64_t) MONTH * GW_QUOTA_MAX + 10);
}


static void
test_looking_changes_nothing(void **state)
{
    int64_t            used;
    gw_quota_answer_t  answer;

    static const gw_quota_t  q = { 10, GW_QUOTA_DAY };

    (void) state;

    used = 0;
    assert_int_equal(take(&q, &used, NOW, 0), GW_OK);
    assert_true(used == 0);

    used = (TODAY - 1) * GW_QUOTA_MAX + 10;
    assert_int_equal(gw_quota_take(&q, &used, NOW, 0, &answer), GW_OK);
    assert_int_equal(answer.left, 10);
    assert_int_equal(answer.window, TODAY);
    assert_int_equal(take(&q, &used, NOW, 11), GW_DECLINED);
    assert_true(used == (TODAY - 1) * GW_QUOTA_MAX + 10);
}


static void
test_other_size(void **state)
{
    int64_t            used;
    gw_quota_answer_t  answer;

    static const gw_quota_t  large = { GW_QUOTA_MAX - 1, GW_QUOTA_DAY };
    static const gw_quota_t  small = { 10, GW_QUOTA_DAY };

    (void) state;

    used = 0;
    assert_int_equal(take(&large, &used, NOW, GW_QUOTA_MAX - 1), GW_OK);
    assert_true(used == (TODAY + 1) * GW_QUOTA_MAX - 1);
    assert_int_equal(take(&large, &used, NOW, 1), GW_DECLINED);

    assert_int_equal(gw_quota_take(&small, &used, NOW, 0, &answer), GW_OK);
    assert_int_equal(answer.left, 0);
    assert_int_equal(gw_quota_take(&small, &used, NOW, 1, &answer),
                     GW_DECLINED);
    assert_int_equal(answer.left, 0);
    assert_true(answer.wait > 0);

    /* a better one frees at once */

    used = TODAY * GW_QUOTA_MAX + 10;
    assert_int_equal(take(&small, &used, NOW, 1), GW_DECLINED);
    assert_int_equal(take(&large, &used, NOW, 1), GW_OK);
}


static void
test_clock_goes_back(void **state)
{
    int64_t            used;
    gw_quota_answer_t  answer;

    static const gw_quota_t  q = { 10, GW_QUOTA_DAY };

    (void) state;

    /* midnight, and a second before */

    used = 0;
    assert_int_equal(take(&q, &used, (TODAY + 1) * DAY, 10), GW_OK);

    assert_int_equal(gw_quota_take(&q, &used, (TODAY + 1) * DAY - SECOND, 1,
                                   &answer), GW_DECLINED);
    assert_int_equal(answer.window, TODAY + 1);
    assert_int_equal(answer.wait, DAY + SECOND);
    assert_int_equal(answer.end, DAY + SECOND);

    /* a clock that was wrong by a year: no longer than the window of now */

    assert_int_equal(gw_quota_take(&q, &used, NOW - 365 * DAY, 1, &answer),
                     GW_DECLINED);
    assert_int_equal(answer.left, 0);
    assert_int_equal(answer.window, TODAY - 365);
    assert_true(used == (TODAY - 365) * GW_QUOTA_MAX + 10);
    assert_int_equal(take(&q, &used, NOW - 364 * DAY, 1), GW_OK);
}


static void
test_what_is_no_number_of_ours(void **state)
{
    size_t             i;
    int64_t            used;
    gw_quota_answer_t  answer;

    static const gw_quota_t  q = { 10, GW_QUOTA_MONTH };

    static const int64_t  values[] = {
        INT64_MIN, -1, 1, GW_QUOTA_MAX - 1, GW_QUOTA_LIMIT, INT64_MAX
    };

    (void) state;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        used = values[i];

        assert_int_equal(gw_quota_take(&q, &used, NOW, 1, &answer), GW_OK);
        assert_int_equal(answer.left, 9);
        assert_true(used == (int64_t) MONTH * GW_QUOTA_MAX + 1);
    }
}


static void
test_never_more_than_a_window_has(void **state)
{
    int                i, round;
    int64_t            used, now, cost, window, taken, given;
    gw_quota_t         q;
    gw_quota_answer_t  answer;

    (void) state;

    for (round = 0; round < 200; round++) {
        q.size = 1 + any(any(2) ? 20 : 100000);
        q.unit = any(GW_QUOTA_UNITS);

        used = 0;
        now = NOW;
        window = -1;
        taken = 0;

        for (i = 0; i < STEPS; i++) {
            now += any(any(20) ? 60 * SECOND : 10 * DAY);

            /* a step back at a failover */

            if (any(10) == 0) {
                now -= any(60 * SECOND);
            }

            cost = any(any(2) ? 3 : q.size + 2);

            if (gw_quota_take(&q, &used, now, cost, &answer) != GW_OK) {
                assert_true(cost > answer.left);
                assert_true((answer.wait == -1) == (cost > q.size));
                continue;
            }

            /* windows never come back */

            assert_true(answer.window >= window);

            taken = (answer.window > window) ? cost : taken + cost;
            window = answer.window;

            assert_true(taken <= q.size);
            assert_int_equal(answer.left, q.size - taken);

            if (cost && any(5) == 0) {
                given = any(cost + 1);
                gw_quota_give(&used, window, given);
                taken -= given;
            }
        }
    }
}


static void
test_give(void **state)
{
    int64_t  used;

    (void) state;

    used = TODAY * GW_QUOTA_MAX + 10;

    gw_quota_give(&used, TODAY - 1, 3);
    gw_quota_give(&used, TODAY + 1, 3);
    assert_true(used == TODAY * GW_QUOTA_MAX + 10);

    gw_quota_give(&used, TODAY, 3);
    assert_true(used == TODAY * GW_QUOTA_MAX + 7);

    gw_quota_give(&used, TODAY, 8);
    assert_true(used == TODAY * GW_QUOTA_MAX);

    gw_quota_give(&used, TODAY, INT64_MAX);
    assert_true(used == TODAY * GW_QUOTA_MAX);

    used = 0;
    gw_quota_give(&used, 0, 1);
    assert_true(used == 0);

    used = -5;
    gw_quota_give(&used, 0, 1);
    assert_true(used == -5);

    used = INT64_MIN;
    gw_quota_give(&used, 0, 1);
    assert_true(used == INT64_MIN);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_looking_changes_nothing),
        cmocka_unit_test(test_other_size),
        cmocka_unit_test(test_clock_goes_back),
        cmocka_unit_test(test_what_is_no_number_of_ours),
        cmocka_unit_test(test_never_more_than_a_window_has),
        cmocka_unit_test(test_give),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
