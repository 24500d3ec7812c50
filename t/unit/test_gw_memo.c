
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_bucket.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_memo.c"
#include "gw_table.h"


#define NOW     UINT64_C(86400000)
#define SECOND  INT64_C(1000000)

#define KEYS    300
#define STEPS   300000


/* what is known of a bucket of the trace */

typedef struct {
    int64_t    full;         /* as Redis stores it */
    uint64_t   strikes;      /* answered from the memory, and not told */
} model_t;


static gw_memo_t *
memo_of(size_t size)
{
    void  *block;

    block = block_of(size);
    assert_int_equal(gw_memo_init(block, size), GW_OK);

    return block;
}


static gw_memo_denial_t  denial;


static int
ask(gw_memo_t *m, uint64_t n, uint64_t now, int64_t cost)
{
    return gw_memo_ask(m, key_of(n), now, cost, 0, &denial);
}


static uint64_t
strikes(gw_memo_t *m, uint64_t n, uint64_t now)
{
    return gw_memo_strikes(m, key_of(n), now, GW_MEMO_STRIKES);
}


static void
refused(gw_memo_t *m, uint64_t n, uint64_t now, int64_t cost, int64_t wait)
{
    gw_memo_refused(m, key_of(n), now, now, cost, wait, 0, 0);
}


static int
ask_exact(gw_memo_t *m, uint64_t now, int64_t cost)
{
    return gw_memo_ask_exact(m, key_of(1), now, cost, 9, &denial);
}


static void
refused_exact(gw_memo_t *m, uint64_t now, int64_t cost, int64_t wait,
    unsigned cause, uint64_t left)
{
    gw_memo_refused_exact(m, key_of(1), now, now, cost, wait, cause, left);
}


static gw_memo_stats_t
stats(const gw_memo_t *m)
{
    gw_memo_stats_t  s;

    gw_memo_stats(m, &s);

    return s;
}


static void
test_init(void **state)
{
    char             *block;
    gw_memo_t        *m;
    gw_memo_stats_t   s;

    (void) state;

    block = malloc(GW_MEMO_MIN + 8);
    assert_non_null(block);

    assert_int_equal(gw_memo_init(block, GW_MEMO_MIN - 1), GW_ERROR);
    assert_int_equal(gw_memo_init(block + 4, GW_MEMO_MIN), GW_ERROR);
    assert_int_equal(gw_memo_init(block + 8, GW_MEMO_MIN), GW_OK);

    free(block);

    m = memo_of(GW_MEMO_MIN + 13);
    s = stats(m);

    assert_true(s.records * GW_MEMO_RECORD > GW_MEMO_MIN / 100 * 90);
    assert_true(s.records * GW_MEMO_RECORD < GW_MEMO_MIN);
    assert_int_equal(s.used, 0);
    assert_int_equal(s.evicted, 0);

    assert_int_equal(ask(m, 1, NOW, 1), GW_OK);
    assert_false(denial.probe);
    gw_memo_passed(m, key_of(1));
    assert_int_equal(strikes(m, 1, NOW), 0);
    assert_int_equal(stats(m).used, 0);

    free(m);
}


static void
test_refusal(void **state)
{
    gw_memo_t  *m;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    /* the question took 30 ms; half a second counts from its start */

    gw_memo_refused(m, key_of(1), NOW - 30, NOW, 1, SECOND / 2 + 999, 0, 0);

    assert_int_equal(stats(m).used, 1);

    assert_int_equal(ask(m, 1, NOW, 1), GW_DECLINED);
    assert_int_equal(denial.cause, 0);
    assert_false(denial.probe);

    /* and for the client from its end, never too early */

    assert_int_equal(denial.again, NOW + 502);

    assert_int_equal(ask(m, 1, NOW + 469, 1), GW_DECLINED);
    assert_int_equal(denial.again, NOW + 502);

    /* another caller */

    assert_int_equal(ask(m, 2, NOW + 469, 1), GW_OK);

    assert_int_equal(ask(m, 1, NOW + 470, 1), GW_OK);

    /* passed, and nothing is left */

    gw_memo_passed(m, key_of(1));

    assert_int_equal(ask(m, 1, NOW + 471, 1), GW_OK);
    assert_false(denial.probe);
    assert_int_equal(stats(m).used, 0);

    /* an answer from the future counts as one of now */

    gw_memo_refused(m, key_of(1), NOW + 9000, NOW, 1, SECOND, 0, 0);

    assert_int_equal(ask(m, 1, NOW + 999, 1), GW_DECLINED);
    assert_int_equal(ask(m, 1, NOW + 1000, 1), GW_OK);

    free(m);
}


static void
test_cost(void **state)
{
    gw_memo_t  *m;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    refused(m, 1, NOW, 5, SECOND);

    assert_int_equal(ask(m, 1, NOW, 5), GW_DECLINED);
    assert_int_equal(ask(m, 1, NOW, 6), GW_DECLINED);
    assert_int_equal(denial.cost, 5);
    assert_int_equal(ask(m, 1, NOW, 4), GW_OK);
    assert_false(denial.probe);
    assert_int_equal(ask(m, 1, NOW, 0), GW_OK);

    /* fewer tokens tell more */

    refused(m, 1, NOW + 1, 1, SECOND / 5);

    assert_int_equal(ask(m, 1, NOW + 1, 1), GW_DECLINED);
    assert_int_equal(ask(m, 1, NOW + 1, 5), GW_DECLINED);
    assert_int_equal(ask(m, 1, NOW + 1, 0), GW_OK);

    /* and the late refusal of more tokens does not replace them */

    refused(m, 1, NOW + 2, 5, SECOND);

    assert_int_equal(ask(m, 1, NOW + 3, 1), GW_DECLINED);
    assert_int_equal(denial.again, NOW + 1 + 202);

    /* until they have ended */

    refused(m, 1, NOW + 201, 5, SECOND);

    assert_int_equal(ask(m, 1, NOW + 201, 1), GW_OK);
    assert_int_equal(ask(m, 1, NOW + 201, 5), GW_DECLINED);

    free(m);
}


static void
test_short(void **state)
{
    gw_memo_t  *m;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    refused(m, 1, NOW, 1, 999);
    assert_int_equal(stats(m).used, 0);

    refused(m, 1, NOW, 1, 0);
    assert_int_equal(stats(m).used, 0);

    refused(m, 1, NOW, 1, 1000);
    assert_int_equal(ask(m, 1, NOW, 1), GW_DECLINED);

    /* it replaces a longer one, for as many tokens or fewer */

    refused(m, 1, NOW, 1, SECOND);
    refused(m, 1, NOW, 2, 999);
    assert_int_equal(ask(m, 1, NOW, 1), GW_DECLINED);

    refused(m, 1, NOW, 1, 999);
    assert_int_equal(ask(m, 1, NOW, 1), GW_OK);
    assert_int_equal(stats(m).used, 0);

    /* the answer took longer than the refusal lasts, twice */

    gw_memo_refused(m, key_of(1), NOW - 20, NOW, 1, 10000, 0, 0);
    assert_int_equal(stats(m).used, 0);

    /* once: there are no tokens for two yet */

    gw_memo_refused(m, key_of(1), NOW - 19, NOW, 1, 10000, 0, 0);
    assert_int_equal(stats(m).used, 1);
    assert_int_equal(ask(m, 1, NOW, 1), GW_OK);
    assert_true(denial.probe);
    assert_int_equal(ask(m, 1, NOW, 1), GW_DECLINED);

    free(m);
}


static void
test_never(void **state)
{
    gw_memo_t  *m;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    gw_memo_refused(m, key_of(1), NOW, NOW + 10, 100, -1, 0, 0);

    assert_int_equal(ask(m, 1, NOW + 10, 100), GW_DECLINED);
    assert_int_equal(denial.again, 0);
    assert_int_equal(ask(m, 1, NOW + 10, 99), GW_OK);

    assert_int_equal(ask(m, 1, NOW + GW_MEMO_MAX - 1, 100), GW_DECLINED);
    assert_int_equal(denial.again, 0);

    assert_int_equal(ask(m, 1, NOW + GW_MEMO_MAX, 200), GW_OK);
    assert_true(denial.probe);
    assert_int_equal(ask(m, 1, NOW + GW_MEMO_MAX, 100), GW_DECLINED);
    assert_int_equal(denial.again, 0);

    free(m);
}


static void
test_max(void **state)
{
    gw_memo_t  *m;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    /* a day, but a key that was removed is seen after two seconds */

    refused(m, 1, NOW, 1, 86400 * SECOND);

    assert_int_equal(ask(m, 1, NOW + GW_MEMO_MAX - 1, 1), GW_DECLINED);
    assert_int_equal(denial.again, NOW + 86400000 + 2);

    assert_int_equal(ask(m, 1, NOW + GW_MEMO_MAX, 1), GW_OK);
    assert_true(denial.probe);

    /* by one; the others are refused, for the same time */

    assert_int_equal(ask(m, 1, NOW + GW_MEMO_MAX, 1), GW_DECLINED);
    assert_false(denial.probe);
    assert_int_equal(denial.again, NOW + 86400000 + 2);

    /* and again by one, whenever it is, if that one is never heard of */

    assert_int_equal(ask(m, 1, NOW + GW_MEMO_MAX + GW_MEMO_PROBE - 1, 1),
                     GW_DECLINED);
    assert_int_equal(ask(m, 1, NOW + GW_MEMO_MAX + GW_MEMO_PROBE, 1), GW_OK);
    assert_true(denial.probe);

    assert_int_equal(ask(m, 1, NOW + 80000000, 1), GW_OK);
    assert_true(denial.probe);

    refused(m, 1, NOW + 80000001, 1, INT64_C(6399999) * 1000);

    assert_int_equal(ask(m, 1, NOW + 80000001, 1), GW_DECLINED);
    assert_false(denial.probe);
    assert_int_equal(ask(m, 1, NOW + 80000001 + GW_MEMO_MAX, 1), GW_OK);
    assert_true(denial.probe);

    free(m);
}


static void
test_probe(void **state)
{
    gw_memo_t  *m;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    refused(m, 1, NOW, 2, 50000);

    /* 2 tokens have come, not 4 before another 50 ms */

    assert_int_equal(ask(m, 1, NOW + 52, 2), GW_OK);
    assert_true(denial.probe);

    assert_int_equal(ask(m, 1, NOW + 52, 2), GW_DECLINED);
    assert_false(denial.probe);
    assert_int_equal(denial.again, NOW + 53);

    assert_int_equal(ask(m, 1, NOW + 99, 3), GW_DECLINED);
    assert_int_equal(denial.again, NOW + 100);

    assert_int_equal(ask(m, 1, NOW + 99, 1), GW_OK);
    assert_false(denial.probe);

    assert_int_equal(ask(m, 1, NOW + 100, 2), GW_OK);
    assert_false(denial.probe);

    /* one that wants more may be refused alone, and holds nobody up */

    refused(m, 1, NOW + 200, 2, 50000);

    assert_int_equal(ask(m, 1, NOW + 250, 3), GW_OK);
    assert_false(denial.probe);
    assert_int_equal(ask(m, 1, NOW + 250, 2), GW_OK);
    assert_true(denial.probe);
    assert_int_equal(ask(m, 1, NOW + 250, 3), GW_DECLINED);

    /* its answer: refused once more */

    refused(m, 1, NOW + 251, 2, 49000);

    assert_int_equal(ask(m, 1, NOW + 299, 2), GW_DECLINED);
    assert_int_equal(ask(m, 1, NOW + 300, 2), GW_OK);
    assert_true(denial.probe);

    /* long after the end nobody waits for anybody */

    refused(m, 1, NOW + 400, 2, 300000);

    assert_int_equal(ask(m, 1, NOW + 799, 2), GW_OK);
    assert_true(denial.probe);
    assert_int_equal(ask(m, 1, NOW + 799, 2), GW_DECLINED);
    assert_int_equal(ask(m, 1, NOW + 800, 2), GW_OK);
    assert_false(denial.probe);

    free(m);
}


/* a question for the last token comes back with less than a millisecond left */

static void
test_early(void **state)
{
    gw_memo_t  *m;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    refused(m, 1, NOW, 1, 100000);

    assert_int_equal(ask(m, 1, NOW + 100, 1), GW_OK);
    assert_true(denial.probe);

    gw_memo_refused(m, key_of(1), NOW + 100, NOW + 101, 1, 999, 0, 0);

    /* there still are no tokens for two: one asks, and not at once */

    assert_int_equal(ask(m, 1, NOW + 101, 1), GW_DECLINED);
    assert_int_equal(ask(m, 1, NOW + 102, 1), GW_OK);
    assert_true(denial.probe);
    assert_int_equal(ask(m, 1, NOW + 102, 1), GW_DECLINED);

    /* nor are there if it is a little more */

    gw_memo_refused(m, key_of(1), NOW + 102, NOW + 103, 1, 5000, 0, 0);

    assert_int_equal(ask(m, 1, NOW + 106, 1), GW_DECLINED);
    assert_int_equal(ask(m, 1, NOW + 150, 1), GW_OK);
    assert_true(denial.probe);
    assert_int_equal(ask(m, 1, NOW + 199, 1), GW_DECLINED);
    assert_int_equal(ask(m, 1, NOW + 200, 1), GW_OK);
    assert_false(denial.probe);

    /* a refusal of other tokens tells nothing of that kind */

    refused(m, 2, NOW, 2, 100000);

    assert_int_equal(ask(m, 2, NOW + 100, 2), GW_OK);
    gw_memo_refused(m, key_of(2), NOW + 100, NOW + 101, 1, 999, 0, 0);
    assert_int_equal(ask(m, 2, NOW + 101, 2), GW_OK);
    assert_false(denial.probe);

    free(m);
}


static void
test_ban(void **state)
{
    gw_memo_t  *m;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    /* for any cost, and it is no strike to be refused by it */

    gw_memo_refused(m, key_of(1), NOW, NOW, 5, 3 * SECOND, 1, 0);

    assert_int_equal(gw_memo_ask(m, key_of(1), NOW, 1, 20, &denial),
                     GW_DECLINED);
    assert_int_equal(denial.cause, GW_MEMO_BAN);
    assert_int_equal(denial.again, NOW + 3002);
    assert_int_equal(ask(m, 1, NOW, 0), GW_DECLINED);
    assert_int_equal(strikes(m, 1, NOW), 0);

    /* the late answer to a question of before does not replace it */

    gw_memo_refused(m, key_of(1), NOW - 5, NOW + 1, 1, SECOND, 0, 1);
    assert_int_equal(ask(m, 1, NOW + 1, 1), GW_DECLINED);
    assert_int_equal(denial.cause, GW_MEMO_BAN);

    /* it is looked after by one, of any cost */

    assert_int_equal(ask(m, 1, NOW + GW_MEMO_MAX, 7), GW_OK);
    assert_true(denial.probe);
    assert_int_equal(ask(m, 1, NOW + GW_MEMO_MAX, 1), GW_DECLINED);
    assert_int_equal(denial.cause, GW_MEMO_BAN);

    /* behind it is a full bucket */

    assert_int_equal(ask(m, 1, NOW + 3000, 1), GW_OK);
    assert_false(denial.probe);
    assert_int_equal(ask(m, 1, NOW + 3000, 1), GW_OK);

    free(m);
}


static void
test_strikes(void **state)
{
    unsigned    i;
    gw_memo_t  *m;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    gw_memo_refused(m, key_of(1), NOW, NOW, 1, SECOND, 0, 4);

    /* without "after" nothing is counted */

    assert_int_equal(ask(m, 1, NOW, 1), GW_DECLINED);
    assert_int_equal(strikes(m, 1, NOW), 0);

    /* the fourth one makes the ban, so it is asked */

    for (i = 0; i < 3; i++) {
        assert_int_equal(gw_memo_ask(m, key_of(1), NOW + i, 1, 20, &denial),
                         GW_DECLINED);
    }

    assert_int_equal(gw_memo_ask(m, key_of(1), NOW + 3, 1, 20, &denial),
                     GW_OK);
    assert_true(denial.probe);

    assert_int_equal(strikes(m, 1, NOW + 3), 3);
    assert_int_equal(strikes(m, 1, NOW + 3), 0);

    /* by one; what comes in between is told later */

    assert_int_equal(gw_memo_ask(m, key_of(1), NOW + 3, 1, 20, &denial),
                     GW_DECLINED);

    gw_memo_refused(m, key_of(1), NOW + 3, NOW + 4, 1, SECOND, 0, 20);

    for (i = 0; i < 18; i++) {
        assert_int_equal(gw_memo_ask(m, key_of(1), NOW + 5, 1, 20, &denial),
                         GW_DECLINED);
    }

    assert_int_equal(gw_memo_ask(m, key_of(1), NOW + 5, 1, 20, &denial),
                     GW_OK);

    /* "left" of other numbers: "after" is the bound */

    assert_int_equal(strikes(m, 1, NOW + 5), 19);
    gw_memo_refused(m, key_of(1), NOW + 5, NOW + 5, 1, SECOND, 0, 1000);

    assert_int_equal(gw_memo_ask(m, key_of(1), NOW + 6, 1, 2, &denial),
                     GW_DECLINED);
    assert_int_equal(gw_memo_ask(m, key_of(1), NOW + 6, 1, 2, &denial),
                     GW_OK);

    /* they outlive the refusal, but not for ever */

    gw_memo_passed(m, key_of(1));
    assert_int_equal(gw_memo_ask(m, key_of(1), NOW + 7, 1, 2, &denial), GW_OK);
    assert_false(denial.probe);
    assert_int_equal(strikes(m, 1, NOW + 7), 1);

    gw_memo_refused(m, key_of(1), NOW, NOW, 1, SECOND, 0, 9);
    assert_int_equal(gw_memo_ask(m, key_of(1), NOW, 1, 9, &denial),
                     GW_DECLINED);
    assert_int_equal(strikes(m, 1, NOW + GW_MEMO_STRIKES), 0);

    /* one is missing: each is asked, one at a time */

    gw_memo_refused(m, key_of(1), NOW, NOW, 1, SECOND, 0, 1);
    assert_int_equal(gw_memo_ask(m, key_of(1), NOW, 1, 9, &denial), GW_OK);
    assert_true(denial.probe);
    assert_int_equal(gw_memo_ask(m, key_of(1), NOW, 1, 9, &denial),
                     GW_DECLINED);

    free(m);
}


/* a ban forgets the strikes of a time longer than its own */

/* of more tokens nothing is known, unless it was asked for as many */

static void
test_exact(void **state)
{
    int         i;
    gw_memo_t  *m;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    assert_int_equal(ask_exact(m, NOW, 1), GW_OK);
    refused_exact(m, NOW, 1, SECOND, 0, 9);

    assert_int_equal(ask_exact(m, NOW, 0), GW_OK);
    assert_int_equal(ask_exact(m, NOW, 1), GW_DECLINED);
    assert_int_equal(strikes(m, 1, NOW), 1);

    /* a question is no strike, its answer tells for as many */

    for (i = 0; i < 3; i++) {
        assert_int_equal(ask_exact(m, NOW, 3), GW_OK);
        assert_false(denial.probe);
    }

    assert_int_equal(strikes(m, 1, NOW), 0);

    refused_exact(m, NOW + 1, 3, 5 * SECOND, 2, 8);

    assert_int_equal(ask_exact(m, NOW + 2, 3), GW_DECLINED);
    assert_int_equal(denial.cost, 3);
    assert_int_equal(denial.cause, 2);
    assert_int_equal(denial.again, NOW + 1 + 5002);

    assert_int_equal(ask_exact(m, NOW + 2, 2), GW_OK);
    assert_int_equal(ask_exact(m, NOW + 2, 4), GW_OK);
    assert_int_equal(ask_exact(m, NOW + 2, 1), GW_DECLINED);
    assert_int_equal(denial.cost, 1);

    /* all of them are strikes of the same caller */

    assert_int_equal(strikes(m, 1, NOW + 2), 2);

    for (i = 0; i < 7; i++) {
        assert_int_equal(ask_exact(m, NOW + 3, 3), GW_DECLINED);
    }

    assert_int_equal(ask_exact(m, NOW + 3, 3), GW_OK);
    assert_true(denial.probe);
    assert_int_equal(strikes(m, 1, NOW + 3), 7);

    /* a ban, and what is never there, hold for more */

    refused_exact(m, NOW + 4, 3, SECOND, GW_MEMO_BAN, 0);

    assert_int_equal(ask_exact(m, NOW + 5, 7), GW_DECLINED);
    assert_int_equal(denial.cause, GW_MEMO_BAN);

    refused_exact(m, NOW + 2000, 5, -1, 0, 9);

    assert_int_equal(ask_exact(m, NOW + 2001, 6), GW_DECLINED);
    assert_int_equal(denial.again, 0);

    /* who has passed has taken what more tokens were to wait for */

    gw_memo_passed(m, key_of(1));

    refused_exact(m, NOW + 3000, 2, 100000, 0, 9);
    refused_exact(m, NOW + 3000, 8, 700000, 0, 9);
    assert_int_equal(ask_exact(m, NOW + 3001, 8), GW_DECLINED);

    gw_memo_passed(m, key_of(1));
    refused_exact(m, NOW + 3110, 2, 190000, 0, 9);
    assert_int_equal(ask_exact(m, NOW + 3111, 2), GW_DECLINED);
    assert_int_equal(ask_exact(m, NOW + 3111, 8), GW_OK);

    free(m);
}


static void
test_strikes_life(void **state)
{
    gw_memo_t  *m;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    gw_memo_refused(m, key_of(1), NOW, NOW, 1, 5 * SECOND, 0, 9);

    assert_int_equal(gw_memo_ask(m, key_of(1), NOW, 1, 9, &denial),
                     GW_DECLINED);
    assert_int_equal(gw_memo_strikes(m, key_of(1), NOW + 999, 1000), 1);

    assert_int_equal(gw_memo_ask(m, key_of(1), NOW, 1, 9, &denial),
                     GW_DECLINED);
    assert_int_equal(gw_memo_ask(m, key_of(1), NOW + 900, 1, 9, &denial),
                     GW_DECLINED);
    assert_int_equal(gw_memo_strikes(m, key_of(1), NOW + 1000, 1000), 0);

    /* nor is there any left of them */

    assert_int_equal(gw_memo_strikes(m, key_of(1), NOW + 1000, 5000), 0);

    /* a long life is no longer than any */

    assert_int_equal(gw_memo_ask(m, key_of(1), NOW, 1, 9, &denial),
                     GW_DECLINED);
    assert_int_equal(gw_memo_strikes(m, key_of(1), NOW + GW_MEMO_STRIKES - 1,
                                     UINT64_MAX), 1);

    assert_int_equal(gw_memo_ask(m, key_of(1), NOW, 1, 9, &denial),
                     GW_DECLINED);
    assert_int_equal(gw_memo_strikes(m, key_of(1), NOW + GW_MEMO_STRIKES,
                                     UINT64_MAX), 0);

    free(m);
}


static void
test_local(void **state)
{
    int64_t             us;
    gw_memo_t          *m;
    gw_bucket_t         b;
    gw_bucket_answer_t  answer;

    (void) state;

    m = memo_of(GW_MEMO_MIN);
    us = (int64_t) NOW * 1000;
    b.interval = SECOND;
    b.burst = 3;

    assert_int_equal(gw_memo_local(m, key_of(1), us, &b, 2, &answer), GW_OK);
    assert_int_equal(answer.left, 1);
    assert_int_equal(gw_memo_local(m, key_of(1), us, &b, 2, &answer),
                     GW_DECLINED);
    assert_int_equal(answer.wait, SECOND);
    assert_int_equal(gw_memo_local(m, key_of(1), us, &b, 4, &answer),
                     GW_DECLINED);
    assert_int_equal(answer.wait, -1);
    assert_int_equal(gw_memo_local(m, key_of(2), us, &b, 3, &answer), GW_OK);

    /* beside a refusal, which comes and goes */

    refused(m, 1, NOW, 1, SECOND);
    assert_int_equal(ask(m, 1, NOW, 1), GW_DECLINED);
    gw_memo_passed(m, key_of(1));

    assert_int_equal(gw_memo_local(m, key_of(1), us, &b, 2, &answer),
                     GW_DECLINED);
    assert_int_equal(gw_memo_local(m, key_of(1), us + SECOND, &b, 2, &answer),
                     GW_OK);
    assert_int_equal(stats(m).used, 2);

    free(m);
}


static void
test_back(void **state)
{
    int64_t             us;
    gw_memo_t          *m;
    gw_bucket_t         b;
    gw_bucket_answer_t  answer;

    (void) state;

    m = memo_of(GW_MEMO_MIN);
    us = (int64_t) NOW * 1000;
    b.interval = SECOND;
    b.burst = 3;

    assert_int_equal(gw_memo_local(m, key_of(1), us, &b, 2, &answer), GW_OK);
    gw_memo_back(m, key_of(1), us, &b, 1);
    assert_int_equal(gw_memo_local(m, key_of(1), us, &b, 2, &answer), GW_OK);
    assert_int_equal(answer.left, 0);

    /* no more than there is room for */

    gw_memo_back(m, key_of(1), us, &b, 9);
    assert_int_equal(gw_memo_local(m, key_of(1), us, &b, 3, &answer), GW_OK);
    assert_int_equal(answer.left, 0);
    assert_int_equal(gw_memo_local(m, key_of(1), us, &b, 1, &answer),
                     GW_DECLINED);

    /* to nobody else, and not to a bucket that is gone */

    gw_memo_back(m, key_of(2), us, &b, 3);
    assert_int_equal(stats(m).used, 1);
    assert_int_equal(gw_memo_local(m, key_of(1), us, &b, 1, &answer),
                     GW_DECLINED);

    free(m);
}


static void
test_eviction(void **state)
{
    uint64_t            i;
    gw_memo_t          *m;
    gw_bucket_t         b;
    gw_bucket_answer_t  answer;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    for (i = 0; i < GW_MEMO_WAYS; i++) {
        gw_memo_refused(m, twin_of(i), NOW, NOW, 1,
                        i == 5 ? SECOND / 10 : SECOND, 0, 0);
    }

    assert_int_equal(stats(m).used, GW_MEMO_WAYS);

    /* 5 holds nothing any more, though it was used last */

    assert_int_equal(gw_memo_ask(m, twin_of(5), NOW + 150, 1, 0, &denial),
                     GW_OK);

    gw_memo_refused(m, twin_of(100), NOW + 150, NOW + 150, 1, SECOND, 0, 0);

    assert_int_equal(stats(m).evicted, 0);
    assert_int_equal(stats(m).used, GW_MEMO_WAYS);

    for (i = 0; i < GW_MEMO_WAYS; i++) {
        assert_int_equal(gw_memo_ask(m, twin_of(i), NOW + 150, 1, 0, &denial),
                         i == 5 ? GW_OK : GW_DECLINED);
    }

    /* then the one used longest ago: 0 was, but is used again; 1 goes */

    assert_int_equal(gw_memo_ask(m, twin_of(100), NOW + 150, 1, 0, &denial),
                     GW_DECLINED);
    assert_int_equal(gw_memo_ask(m, twin_of(0), NOW + 150, 1, 0, &denial),
                     GW_DECLINED);

    /* a local bucket asks for room too */

    b.interval = SECOND;
    b.burst = 5;

    assert_int_equal(gw_memo_local(m, twin_of(200), (int64_t) NOW * 1000, &b,
                                   5, &answer), GW_OK);

    assert_int_equal(stats(m).evicted, 1);
    assert_int_equal(gw_memo_ask(m, twin_of(1), NOW + 150, 1, 0, &denial),
                     GW_OK);
    assert_int_equal(gw_memo_ask(m, twin_of(0), NOW + 150, 1, 0, &denial),
                     GW_DECLINED);

    /* and it does not go before refusals that have ended */

    assert_int_equal(gw_memo_ask(m, twin_of(2), NOW + 1500, 1, 0, &denial),
                     GW_OK);

    gw_memo_refused(m, twin_of(300), NOW + 1500, NOW + 1500, 1, SECOND, 0, 0);

    assert_int_equal(gw_memo_local(m, twin_of(200), (int64_t) NOW * 1000, &b,
                                   5, &answer), GW_DECLINED);

    free(m);
}


/*
 * Random traces against a bucket in Redis: whoever is refused from the memory
 * would have been refused by Redis, as questions take no time here; and no
 * strike is lost or told twice.
 */

static void
test_trace(void **state)
{
    int                 rc;
    int64_t             cost, us, full, late;
    uint64_t            now, n, step, remembered, told, struck;
    gw_memo_t          *m;
    gw_bucket_t         b;
    gw_memo_denial_t    d;
    gw_bucket_answer_t  answer;

    static model_t      model[KEYS];

    (void) state;

    m = memo_of(128 * 1024);
    b.interval = 7919;
    b.burst = 20;

    now = NOW;
    remembered = 0;
    struck = 0;
    told = 0;

    for (step = 0; step < STEPS; step++) {

        now += any(10) == 0;
        n = any(any(4) ? 10 : KEYS);
        cost = 1 + (int64_t) any(any(3) ? 1 : 25);
        us = (int64_t) now * 1000;

        rc = gw_memo_ask(m, key_of(n), now, cost, 50, &d);

        if (rc == GW_DECLINED) {
            full = model[n].full;

            assert_int_equal(gw_bucket_take(&b, &full, us, cost, &answer),
                             GW_DECLINED);
            assert_true(d.cost >= 1 && d.cost <= cost);
            assert_true(d.again > now || (d.again == 0 && answer.wait == -1));

            /* when to come again: never too early, and not much too late */

            if (d.again != 0 && answer.wait != -1) {
                late = (int64_t) d.again * 1000
                       + (cost - d.cost) * b.interval - us - answer.wait;

                assert_true(late >= 0 && late < 1000 * GW_MEMO_PROBE);
            }

            model[n].strikes++;
            remembered++;
            struck++;
            continue;
        }

        assert_int_equal(strikes(m, n, now),
                         model[n].strikes);
        told += model[n].strikes;
        model[n].strikes = 0;

        if (gw_bucket_take(&b, &model[n].full, us, cost, &answer) == GW_OK) {
            gw_memo_passed(m, key_of(n));

        } else {
            gw_memo_refused(m, key_of(n), now, now, cost, answer.wait, 0,
                            30 + any(10));
        }
    }

    for (n = 0; n < KEYS; n++) {
        told += strikes(m, n, now);
    }

    assert_int_equal(told, struck);
    assert_int_equal(stats(m).evicted, 0);
    assert_true(remembered > STEPS / 10);

    free(m);
}


/* a flood of names: the table stays as it is, and nobody is lost inside */

static void
test_flood(void **state)
{
    uint64_t            i, live;
    gw_memo_t          *m;
    gw_memo_stats_t     s;

    (void) state;

    m = memo_of(GW_MEMO_MIN);

    for (i = 0; i < 100000; i++) {
        refused(m, i, NOW + i / 1000, 1, 10 * SECOND);
        assert_int_equal(ask(m, i, NOW + i / 1000, 1), GW_DECLINED);
    }

    s = stats(m);
    assert_int_equal(s.used, s.records);
    assert_int_equal(s.evicted, 100000 - s.records);

    live = 0;

    for (i = 0; i < 100000; i++) {
        live += ask(m, i, NOW + 100, 1) == GW_DECLINED;
    }

    assert_int_equal(live, s.records);

    free(m);
}


static void
test_broken(void **state)
{
    gw_memo_t          *m;
    gw_bucket_t         b;
    gw_memo_record_t   *rec;
    gw_bucket_answer_t  answer;

    (void) state;

    m = memo_of(GW_MEMO_MIN);
    b.interval = SECOND;
    b.burst = 5;

    refused(m, 1, NOW, 1, SECOND);

    /* a refusal that no call would have made */

    rec = gw_memo_find(m, key_of(1));
    assert_non_null(rec);
    rec->until = UINT64_MAX;

    assert_int_equal(ask(m, 1, NOW, 1), GW_OK);

    /* the head */

    m->sets = UINT64_MAX;

    assert_int_equal(ask(m, 1, NOW, 1), GW_OK);
    refused(m, 1, NOW, 1, SECOND);
    assert_int_equal(ask(m, 1, NOW, 1), GW_OK);
    gw_memo_passed(m, key_of(1));
    assert_int_equal(strikes(m, 1, NOW), 0);
    gw_memo_back(m, key_of(1), (int64_t) NOW * 1000, &b, 5);
    assert_int_equal(gw_memo_local(m, key_of(1), (int64_t) NOW * 1000, &b, 5,
                                   &answer), GW_OK);

    free(m);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_refusal),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_never),
        cmocka_unit_test(test_max),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_early),
        cmocka_unit_test(test_ban),
        cmocka_unit_test(test_strikes),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_strikes_life),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_back),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_broken)
    };

    return cmocka_run_group_tests_name("gw_memo", tests, NULL, NULL);
}
