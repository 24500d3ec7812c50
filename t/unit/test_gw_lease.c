
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_lease.c"
#include "gw_table.h"


#define NOW     UINT64_C(86400000)

#define KEYS    400
#define STEPS   400000
#define FLIGHT  16


/* a question under way, in the order of the trace or not */

typedef struct {
    uint64_t   n;
    int64_t    granted;
    int64_t    windows[GW_QUOTA_UNITS];
    unsigned   there:1;
} flight_t;


static gw_lease_t *
lease_of(size_t size)
{
    void  *block;

    block = block_of(size);
    assert_int_equal(gw_lease_init(block, size), GW_OK);

    return block;
}


static gw_lease_of_t *
of_max(int64_t max)
{
    static gw_lease_of_t  of;

    memset(&of, 0, sizeof(of));

    of.name.data = "gw:{ada}:calls:gold";
    of.name.len = 19;
    of.tier.bucket.interval = 1000;
    of.tier.bucket.burst = 5000;
    of.max = max;
    of.owner = 77;

    return &of;
}


static gw_lease_take_t  took;
static gw_lease_back_t  back;

static const int64_t    none[GW_QUOTA_UNITS];
static const int64_t    today[GW_QUOTA_UNITS] = { 20000, 657 };
static const int64_t    tomorrow[GW_QUOTA_UNITS] = { 20001, 657 };
static const int64_t    month[GW_QUOTA_UNITS] = { 0, 658 };


static int
take(gw_lease_t *l, uint64_t n, uint64_t now, int64_t cost, int64_t max)
{
    return gw_lease_take(l, key_of(n), of_max(max), now, cost, &took);
}


static int
grant(gw_lease_t *l, uint64_t n, uint64_t now, int64_t granted, int64_t max)
{
    return gw_lease_grant(l, key_of(n), of_max(max), now, granted, 1000, 500,
                          none, &back);
}


static gw_lease_stats_t
stats(const gw_lease_t *l)
{
    gw_lease_stats_t  s;

    gw_lease_stats(l, &s);

    return s;
}


/* a bucket with a lease of "tokens" */

static void
fill(gw_lease_t *l, uint64_t n, uint64_t now, int64_t tokens, int64_t max)
{
    gw_lease_record_t  *rec;

    assert_int_equal(take(l, n, now, 1, max), GW_DECLINED);
    assert_int_equal(take(l, n, now, 1, max), GW_DECLINED);
    assert_true(took.want > 0);

    rec = gw_lease_find(l, key_of(n));
    assert_non_null(rec);
    rec->size = tokens;
    rec->want = tokens;

    assert_int_equal(grant(l, n, now, tokens, max), GW_OK);
    assert_int_equal(rec->have, tokens);
}


static void
test_init(void **state)
{
    char              *block;
    uint64_t           cursor;
    gw_lease_t        *l;
    gw_lease_stats_t   s;

    (void) state;

    block = malloc(GW_LEASE_MIN + 8);
    assert_non_null(block);

    assert_int_equal(gw_lease_init(block, GW_LEASE_MIN - 1), GW_ERROR);
    assert_int_equal(gw_lease_init(block + 4, GW_LEASE_MIN), GW_ERROR);
    assert_int_equal(gw_lease_init(block + 8, GW_LEASE_MIN), GW_OK);

    free(block);

    l = lease_of(GW_LEASE_MIN + 13);
    s = stats(l);

    assert_true(s.records * GW_LEASE_RECORD > GW_LEASE_MIN / 100 * 80);
    assert_true(s.records * GW_LEASE_RECORD < GW_LEASE_MIN);
    assert_int_equal(s.used, 0);
    assert_int_equal(s.tokens, 0);

    cursor = 0;
    assert_int_equal(gw_lease_expired(l, NOW, 0, &cursor, &back),
                     GW_DECLINED);

    assert_int_equal(grant(l, 1, NOW, 10, 100), GW_DECLINED);
    assert_int_equal(back.tokens, 10);
    assert_int_equal(stats(l).used, 0);

    free(l);
}


static void
test_max(void **state)
{
    gw_bucket_t  b;

    (void) state;

    /* 1000r/s */

    b.interval = 1000;
    b.burst = 2000;

    assert_int_equal(gw_lease_max(&b, 10, 1), 200);
    assert_int_equal(gw_lease_max(&b, 10, 0), 200);
    assert_int_equal(gw_lease_max(&b, 10, 2), 100);
    assert_int_equal(gw_lease_max(&b, 10, 3), 66);
    assert_int_equal(gw_lease_max(&b, 1, 1), 20);
    assert_int_equal(gw_lease_max(&b, 50, 1), 250);
    assert_int_equal(gw_lease_max(&b, 0, 1), 0);

    b.burst = 155;
    assert_int_equal(gw_lease_max(&b, 10, 1), 15);

    /* one token is no lease */

    b.burst = 19;
    assert_int_equal(gw_lease_max(&b, 10, 1), 0);
    b.burst = 20;
    assert_int_equal(gw_lease_max(&b, 10, 1), 2);

    /* two tokens for each machine in a tenth of a second */

    b.interval = 50000;
    b.burst = 1000;
    assert_int_equal(gw_lease_max(&b, 10, 1), 5);
    assert_int_equal(gw_lease_max(&b, 10, 2), 0);

    b.interval = 50001;
    assert_int_equal(gw_lease_max(&b, 10, 1), 0);

    b.interval = 86400 * INT64_C(1000000);
    assert_int_equal(gw_lease_max(&b, 50, UINT64_MAX), 0);

    /* the largest numbers there are */

    b.interval = 1;
    b.burst = GW_BUCKET_SPAN / 2;
    assert_int_equal(gw_lease_max(&b, 50, 1), 250000);
    assert_int_equal(gw_lease_max(&b, 50, 50000), 250000);
    assert_int_equal(gw_lease_max(&b, 50, 50001), 0);
}


static void
test_demand(void **state)
{
    gw_lease_t  *l;

    (void) state;

    l = lease_of(GW_LEASE_MIN);

    /* once in a while: none */

    assert_int_equal(take(l, 1, NOW, 1, 100), GW_DECLINED);
    assert_int_equal(took.want, 0);
    assert_int_equal(take(l, 1, NOW + GW_LEASE_LIFE, 1, 100), GW_DECLINED);
    assert_int_equal(took.want, 0);

    /* twice */

    assert_int_equal(take(l, 1, NOW + 2 * GW_LEASE_LIFE - 1, 1, 100),
                     GW_DECLINED);
    assert_int_equal(took.want, GW_LEASE_FIRST);

    /* nobody else asks meanwhile */

    assert_int_equal(take(l, 1, NOW + 1000, 1, 100), GW_DECLINED);
    assert_int_equal(took.want, 0);

    assert_int_equal(grant(l, 1, NOW + 1000, 8, 100), GW_OK);
    assert_int_equal(back.tokens, 0);

    /* half of it is gone within a quarter of its life: twice as many */

    assert_int_equal(take(l, 1, NOW + 1001, 3, 100), GW_OK);
    assert_int_equal(took.want, 0);
    assert_int_equal(took.left, 1005);
    assert_int_equal(took.full, 500);

    assert_int_equal(take(l, 1, NOW + 1000 + GW_LEASE_LIFE / 4, 1, 100),
                     GW_OK);
    assert_int_equal(took.want, 12);

    assert_int_equal(take(l, 1, NOW + 1130, 1, 100), GW_OK);
    assert_int_equal(took.want, 0);

    assert_int_equal(grant(l, 1, NOW + 1200, 12, 100), GW_OK);
    assert_int_equal(stats(l).tokens, 15);

    /* slower: as many as before */

    assert_int_equal(take(l, 1, NOW + 1201 + GW_LEASE_LIFE / 4, 7, 100),
                     GW_OK);
    assert_int_equal(took.want, 8);

    /* used up within half its life, after a refill of nothing */

    assert_int_equal(grant(l, 1, NOW + 1400, 0, 100), GW_OK);
    assert_int_equal(take(l, 1, NOW + 1450, 9, 100), GW_DECLINED);
    assert_int_equal(took.want, 24);
    assert_int_equal(grant(l, 1, NOW + 1450, 24, 100), GW_OK);

    /* the maximum, also when it has fallen */

    assert_int_equal(take(l, 1, NOW + 1451, 30, 100), GW_OK);
    assert_int_equal(took.want, 62);
    assert_int_equal(grant(l, 1, NOW + 1451, 62, 100), GW_OK);
    assert_int_equal(take(l, 1, NOW + 1452, 60, 100), GW_OK);
    assert_int_equal(took.want, 96);
    assert_int_equal(grant(l, 1, NOW + 1453, 96, 50), GW_DECLINED);
    assert_int_equal(back.tokens, 50);
    assert_int_equal(stats(l).tokens, 50);

    assert_int_equal(take(l, 1, NOW + 1454, 41, 40), GW_DECLINED);
    assert_int_equal(took.want, 0);
    assert_int_equal(take(l, 1, NOW + 1454, 40, 40), GW_OK);
    assert_int_equal(took.want, 30);

    free(l);
}


static void
test_take(void **state)
{
    gw_lease_t     *l;
    gw_lease_of_t   of;

    (void) state;

    l = lease_of(GW_LEASE_MIN);

    fill(l, 1, NOW, 20, 100);

    /* a look */

    assert_int_equal(take(l, 1, NOW, 0, 100), GW_OK);
    assert_int_equal(took.left, 1020);
    assert_int_equal(took.want, 0);
    assert_int_equal(take(l, 2, NOW, 0, 100), GW_DECLINED);
    assert_int_equal(stats(l).used, 1);

    /* never more than there are */

    assert_int_equal(take(l, 1, NOW, 21, 100), GW_DECLINED);
    assert_int_equal(took.want, 20);
    assert_int_equal(take(l, 1, NOW, 20, 100), GW_OK);
    assert_int_equal(take(l, 1, NOW, 1, 100), GW_DECLINED);
    assert_int_equal(take(l, 1, NOW, 0, 100), GW_DECLINED);

    /* no lease for this one */

    assert_int_equal(take(l, 3, NOW, 1, 0), GW_DECLINED);
    assert_int_equal(take(l, 3, NOW, 1, 0), GW_DECLINED);
    assert_int_equal(took.want, 0);
    assert_int_equal(take(l, 3, NOW, 1, -1), GW_DECLINED);
    assert_int_equal(take(l, 3, NOW, 101, 100), GW_DECLINED);
    assert_int_equal(stats(l).used, 1);

    /* what is left is never more than a full bucket */

    fill(l, 4, NOW, 20, 100);
    of = *of_max(100);
    of.tier.bucket.burst = 1010;
    assert_int_equal(gw_lease_take(l, key_of(4), &of, NOW, 1, &took), GW_OK);
    assert_int_equal(took.left, 1010);

    /* a name of the longest, and one more */

    of.name.data = "";
    of.name.len = GW_LEASE_NAME + 1;
    assert_int_equal(gw_lease_take(l, key_of(4), &of, NOW, 1, &took),
                     GW_DECLINED);
    assert_int_equal(gw_lease_grant(l, key_of(4), &of, NOW, 1, 0, 0, none,
                                    &back), GW_DECLINED);
    assert_int_equal(back.tokens, 1);

    free(l);
}


static void
test_refill(void **state)
{
    gw_lease_t  *l;

    (void) state;

    l = lease_of(GW_LEASE_MIN);

    assert_int_equal(take(l, 1, NOW, 1, 10), GW_DECLINED);
    assert_int_equal(take(l, 1, NOW, 1, 10), GW_DECLINED);
    assert_int_equal(took.want, 8);

    /* who asked has died, or hangs */

    assert_int_equal(take(l, 1, NOW + GW_LEASE_REFILL - 1, 1, 10),
                     GW_DECLINED);
    assert_int_equal(took.want, 0);
    assert_int_equal(take(l, 1, NOW + GW_LEASE_REFILL, 1, 10), GW_DECLINED);
    assert_int_equal(took.want, 8);

    /* both answers come: one is kept */

    assert_int_equal(grant(l, 1, NOW + 1001, 8, 10), GW_OK);
    assert_int_equal(grant(l, 1, NOW + 1002, 8, 10), GW_DECLINED);
    assert_int_equal(back.tokens, 8);
    assert_int_equal(stats(l).tokens, 8);

    /* more than was asked for, and less than nothing */

    assert_int_equal(take(l, 1, NOW + 1003, 5, 10), GW_OK);
    assert_int_equal(took.want, 7);
    assert_int_equal(grant(l, 1, NOW + 1004, 9, 10), GW_DECLINED);
    assert_int_equal(back.tokens, 2);
    assert_int_equal(stats(l).tokens, 10);

    assert_int_equal(take(l, 1, NOW + 1005, 6, 10), GW_OK);
    assert_int_equal(took.want, 6);
    assert_int_equal(grant(l, 1, NOW + 1006, -3, 10), GW_OK);
    assert_int_equal(stats(l).tokens, 4);

    assert_int_equal(take(l, 1, NOW + 1007, 1, 10), GW_OK);
    assert_int_equal(took.want, 7);

    free(l);
}


static void
test_windows(void **state)
{
    gw_lease_t  *l;

    (void) state;

    l = lease_of(GW_LEASE_MIN);

    assert_int_equal(take(l, 1, NOW, 1, 10), GW_DECLINED);
    assert_int_equal(take(l, 1, NOW, 1, 10), GW_DECLINED);

    assert_int_equal(gw_lease_grant(l, key_of(1), of_max(10), NOW, 8, 50, 1,
                                    today, &back), GW_OK);

    assert_int_equal(take(l, 1, NOW + 1, 5, 10), GW_OK);
    assert_int_equal(took.want, 7);

    /* midnight: what is left of the day goes back to it */

    assert_int_equal(gw_lease_grant(l, key_of(1), of_max(10), NOW + 2, 7, 50,
                                    1, tomorrow, &back), GW_DECLINED);

    assert_int_equal(back.tokens, 3);
    assert_memory_equal(back.windows, today, sizeof(today));
    assert_int_equal(back.interval, 1000);
    assert_int_equal(back.len, 19);
    assert_memory_equal(back.name, "gw:{ada}:calls:gold", 19);
    assert_int_equal(stats(l).tokens, 7);

    /* a late answer of the day before */

    assert_int_equal(take(l, 1, NOW + 3, 5, 10), GW_OK);
    assert_int_equal(took.want, 8);
    assert_int_equal(gw_lease_grant(l, key_of(1), of_max(10), NOW + 4, 8, 50,
                                    1, today, &back), GW_DECLINED);
    assert_int_equal(back.tokens, 8);
    assert_memory_equal(back.windows, today, sizeof(today));
    assert_int_equal(stats(l).tokens, 2);

    /* too many of tomorrow: of today's nothing is left to give back */

    fill(l, 2, NOW, 8, 10);
    assert_int_equal(take(l, 2, NOW, 4, 10), GW_OK);
    assert_int_equal(took.want, 6);
    assert_int_equal(gw_lease_grant(l, key_of(2), of_max(10), NOW, 100, 50,
                                    1, month, &back), GW_DECLINED);
    assert_int_equal(back.tokens, 94);
    assert_memory_equal(back.windows, month, sizeof(month));
    assert_int_equal(stats(l).lost, 4);
    assert_int_equal(stats(l).tokens, 8);

    /* with nothing held any window will do */

    assert_int_equal(take(l, 1, NOW + 5, 2, 10), GW_OK);
    assert_true(took.want > 0);
    assert_int_equal(gw_lease_grant(l, key_of(1), of_max(10), NOW + 6, 3, 50,
                                    1, today, &back), GW_OK);

    free(l);
}


static void
test_spare(void **state)
{
    gw_lease_t  *l;

    (void) state;

    l = lease_of(GW_LEASE_MIN);

    fill(l, 1, NOW, 8, 10);

    assert_int_equal(take(l, 1, NOW, 3, 10), GW_OK);
    gw_lease_spare(l, key_of(1), NOW, 3);
    assert_int_equal(stats(l).tokens, 8);
    assert_int_equal(stats(l).lost, 0);

    /* 4 are held, 6 under way: there is no room for any */

    assert_int_equal(take(l, 1, NOW, 4, 10), GW_OK);
    assert_int_equal(took.want, 6);
    gw_lease_spare(l, key_of(1), NOW, 4);
    assert_int_equal(stats(l).tokens, 4);
    assert_int_equal(stats(l).lost, 4);

    /* for some */

    assert_int_equal(take(l, 1, NOW, 3, 10), GW_OK);
    gw_lease_spare(l, key_of(1), NOW, 5);
    assert_int_equal(stats(l).tokens, 4);
    assert_int_equal(stats(l).lost, 6);

    /* nor into a life that is over, or no record */

    assert_int_equal(take(l, 1, NOW, 1, 10), GW_OK);
    gw_lease_spare(l, key_of(1), NOW + GW_LEASE_LIFE, 1);
    gw_lease_spare(l, key_of(2), NOW, 1);
    assert_int_equal(stats(l).lost, 8);
    assert_int_equal(stats(l).tokens, 3);

    free(l);
}


static void
test_expired(void **state)
{
    int          rc;
    uint64_t     cursor, i;
    gw_lease_t  *l;

    (void) state;

    l = lease_of(GW_LEASE_MIN);

    fill(l, 1, NOW, 8, 10);
    fill(l, 2, NOW + 100, 10, 10);

    cursor = 0;
    assert_int_equal(gw_lease_expired(l, NOW + GW_LEASE_LIFE - 1, 0, &cursor,
                                      &back), GW_DECLINED);

    /* it can't be spent any more, and is taken */

    assert_int_equal(take(l, 1, NOW + GW_LEASE_LIFE, 1, 10), GW_DECLINED);
    assert_int_equal(took.want, 0);

    cursor = 0;
    assert_int_equal(gw_lease_expired(l, NOW + GW_LEASE_LIFE, 0, &cursor,
                                      &back), GW_OK);
    assert_int_equal(back.tokens, 8);
    assert_int_equal(gw_lease_expired(l, NOW + GW_LEASE_LIFE, 0, &cursor,
                                      &back), GW_DECLINED);

    cursor = 0;
    assert_int_equal(gw_lease_expired(l, NOW + GW_LEASE_LIFE, 0, &cursor,
                                      &back), GW_DECLINED);
    assert_int_equal(stats(l).tokens, 10);

    /* they may be on their way back */

    assert_int_equal(take(l, 1, NOW + GW_LEASE_LIFE + GW_LEASE_AWAY - 1, 1,
                          10), GW_DECLINED);
    assert_int_equal(took.want, 0);

    /* tokens were left over: half as many */

    assert_int_equal(take(l, 1, NOW + GW_LEASE_LIFE + GW_LEASE_AWAY, 1, 10),
                     GW_DECLINED);
    assert_int_equal(took.want, 4);
    assert_int_equal(grant(l, 1, NOW + 750, 4, 10), GW_OK);

    /* those of a worker that exits, at any age */

    cursor = 0;
    assert_int_equal(gw_lease_expired(l, NOW + 101, 78, &cursor, &back),
                     GW_DECLINED);

    cursor = 0;
    assert_int_equal(gw_lease_expired(l, NOW + 101, 77, &cursor, &back),
                     GW_OK);
    assert_int_equal(gw_lease_expired(l, NOW + 101, 77, &cursor, &back),
                     GW_OK);
    assert_int_equal(gw_lease_expired(l, NOW + 101, 77, &cursor, &back),
                     GW_DECLINED);
    assert_int_equal(stats(l).tokens, 0);

    free(l);

    /* in pieces, for the lock */

    l = lease_of(GW_LEASE_RECORD * 4 * GW_LEASE_SCAN);
    fill(l, 1, NOW, 8, 10);

    cursor = 0;
    i = 0;

    do {
        rc = gw_lease_expired(l, NOW + GW_LEASE_LIFE - 1, 0, &cursor, &back);
        i++;
    } while (rc == GW_AGAIN);

    assert_int_equal(rc, GW_DECLINED);
    assert_int_equal(i, 4);

    free(l);
}


static void
test_eviction(void **state)
{
    uint64_t        i;
    gw_lease_t     *l;
    gw_lease_of_t  *of;

    (void) state;

    l = lease_of(GW_LEASE_MIN);
    of = of_max(10);

    for (i = 0; i < GW_LEASE_WAYS; i++) {
        (void) gw_lease_take(l, twin_of(i), of, NOW, 1, &took);
        (void) gw_lease_take(l, twin_of(i), of, NOW, 1, &took);
        assert_int_equal(took.want, 8);

        if (i != 6) {
            assert_int_equal(gw_lease_grant(l, twin_of(i), of, NOW, 8, 0, 0,
                                            none, &back), GW_OK);
        } else {
            assert_int_equal(gw_lease_grant(l, twin_of(i), of, NOW, 0, 0, 0,
                                            none, &back), GW_OK);
        }
    }

    /* 6 holds nothing */

    (void) gw_lease_take(l, twin_of(100), of, NOW, 1, &took);
    (void) gw_lease_take(l, twin_of(100), of, NOW, 1, &took);
    assert_int_equal(took.want, 8);

    assert_int_equal(stats(l).evicted, 0);
    assert_int_equal(stats(l).used, GW_LEASE_WAYS);
    assert_null(gw_lease_find(l, twin_of(6)));

    /* then the one used longest ago, with its tokens */

    (void) gw_lease_take(l, twin_of(0), of, NOW, 1, &took);
    (void) gw_lease_take(l, twin_of(200), of, NOW, 1, &took);

    assert_int_equal(stats(l).evicted, 1);
    assert_int_equal(stats(l).lost, 8);
    assert_null(gw_lease_find(l, twin_of(1)));
    assert_non_null(gw_lease_find(l, twin_of(0)));

    free(l);
}


/*
 * What came from Redis is spent, or given back, or lost, or still there; and
 * what is held and wanted never exceeds the bound, though answers come late,
 * in any order, or never.
 */

#define MAX  60


static flight_t  flights[FLIGHT];
static int64_t   granted, spent, given, dropped;
static uint64_t  hits;


static uint64_t
trace_answer(gw_lease_t *l, uint64_t now)
{
    int        rc;
    flight_t  *f;

    f = &flights[any(FLIGHT)];

    if (!f->there) {
        return 0;
    }

    f->there = 0;
    granted += f->granted;

    if (any(10) == 0) {

        /* Redis has given them, nobody has got them */

        dropped += f->granted;
        return 0;
    }

    rc = gw_lease_grant(l, key_of(f->n), of_max(MAX), now, f->granted,
                        (int64_t) any(1000), 1, f->windows, &back);
    given += back.tokens;

    assert_true((rc == GW_OK) == (back.tokens == 0));

    return f->n;
}


static void
trace_request(gw_lease_t *l, uint64_t n, uint64_t now)
{
    int        rc;
    int64_t    cost;
    flight_t  *f;

    cost = (int64_t) any(any(10) ? 3 : 20);
    rc = take(l, n, now, cost, MAX);

    if (rc == GW_OK) {
        spent += cost;
        hits++;

        if (any(20) == 0) {
            gw_lease_spare(l, key_of(n), now, cost);
            spent -= cost;
        }
    }

    f = &flights[any(FLIGHT)];

    if (took.want == 0 || f->there) {
        return;
    }

    assert_true(took.want > 0 && took.want <= MAX);

    f->there = 1;
    f->n = n;
    f->granted = any(4) ? took.want : (int64_t) any((uint64_t) took.want + 1);
    f->windows[0] = (int64_t) (now / 10000);
    f->windows[1] = 0;
}


static void
test_trace(void **state)
{
    int                 rc;
    uint64_t            now, n, i, step, cursor;
    gw_lease_t         *l;
    gw_lease_record_t  *rec;

    (void) state;

    l = lease_of(48 * 1024);

    now = NOW;
    cursor = 0;

    for (step = 0; step < STEPS; step++) {

        now += any(4) == 0 ? any(any(100) ? 3 : 2000) : 0;
        n = any(any(4) ? 8 : KEYS);

        switch (any(8)) {

        case 0:
            n = trace_answer(l, now);
            break;

        case 1:
            rc = gw_lease_expired(l, now, any(10) ? 0 : 77, &cursor, &back);
            given += back.tokens;

            assert_true((rc == GW_OK) == (back.tokens > 0));

            if (rc == GW_DECLINED) {
                cursor = 0;
            }

            break;

        default:
            trace_request(l, n, now);
            break;
        }

        rec = gw_lease_find(l, key_of(n));

        if (rec != NULL) {
            assert_true(rec->have >= 0 && rec->want >= 0);
            assert_true(rec->have + rec->want <= MAX);
        }

        assert_int_equal(spent + given + dropped + (int64_t) stats(l).lost
                         + (int64_t) stats(l).tokens, granted);
    }

    /* the sum of all records is what the table says */

    for (i = 0, n = 0; i < l->sets * GW_LEASE_WAYS; i++) {
        rec = (gw_lease_record_t *) (l + 1) + i;
        n += rec->used ? (uint64_t) rec->have : 0;
    }

    assert_int_equal(n, stats(l).tokens);
    assert_true(hits > STEPS / 10);
    assert_true(stats(l).lost > 0);

    free(l);
}


static void
test_broken(void **state)
{
    uint64_t            cursor;
    gw_lease_t         *l;
    gw_lease_record_t  *rec;

    (void) state;

    l = lease_of(GW_LEASE_MIN);

    fill(l, 1, NOW, 8, 10);

    rec = gw_lease_find(l, key_of(1));
    assert_non_null(rec);
    rec->len = GW_LEASE_NAME + 1;

    assert_int_equal(take(l, 1, NOW, 1, 10), GW_DECLINED);

    fill(l, 2, NOW, 8, 10);

    rec = gw_lease_find(l, key_of(2));
    assert_non_null(rec);
    rec->have = INT64_MAX;

    cursor = 0;
    assert_int_equal(gw_lease_expired(l, NOW + 10000, 0, &cursor, &back),
                     GW_DECLINED);
    assert_int_equal(take(l, 2, NOW, 1, 10), GW_DECLINED);

    fill(l, 3, NOW, 8, 10);

    l->sets = UINT64_MAX;

    cursor = 0;
    assert_int_equal(take(l, 3, NOW, 1, 10), GW_DECLINED);
    assert_int_equal(gw_lease_expired(l, NOW + 10000, 0, &cursor, &back),
                     GW_DECLINED);
    gw_lease_spare(l, key_of(3), NOW, 1);

    free(l);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_max),
        cmocka_unit_test(test_demand),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_refill),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_spare),
        cmocka_unit_test(test_expired),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_broken)
    };

    return cmocka_run_group_tests_name("gw_lease", tests, NULL, NULL);
}
