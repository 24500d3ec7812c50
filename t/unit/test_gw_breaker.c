
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_breaker.c"


#define NOW     UINT64_C(1793882096789)

#define STEPS   100000


/* xorshift: the same traces in each run */

static uint64_t  seed = UINT64_C(0x9e3779b97f4a7c15);


static uint64_t
any(uint64_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return seed % limit;
}


static gw_breaker_t
open_breaker(uint64_t now)
{
    unsigned      i;
    gw_breaker_t  b;

    memset(&b, 0, sizeof(b));

    for (i = 0; i < GW_BREAKER_FAILURES; i++) {
        assert_int_equal(gw_breaker_ask(&b, now), GW_OK);
        assert_int_equal(gw_breaker_wait(&b, now), 0);
        gw_breaker_report(&b, now, 0);
    }

    assert_int_equal(gw_breaker_ask(&b, now), GW_DECLINED);

    return b;
}


static void
test_closed(void **state)
{
    unsigned      i;
    gw_breaker_t  b;

    (void) state;

    memset(&b, 0, sizeof(b));

    /* failures that are not in a row do not count */

    for (i = 0; i < 100; i++) {
        assert_int_equal(gw_breaker_ask(&b, NOW), GW_OK);
        gw_breaker_report(&b, NOW, i % GW_BREAKER_FAILURES == 0);
    }

    /* any number may ask at once */

    for (i = 0; i < 100; i++) {
        assert_int_equal(gw_breaker_ask(&b, NOW), GW_OK);
    }
}


static void
test_open(void **state)
{
    gw_breaker_t  b;

    (void) state;

    b = open_breaker(NOW);

    assert_int_equal(gw_breaker_wait(&b, NOW), 1000);
    assert_int_equal(gw_breaker_ask(&b, NOW + 999), GW_DECLINED);
    assert_int_equal(gw_breaker_wait(&b, NOW + 999), 1);

    /* late answers to what was asked before change nothing */

    gw_breaker_report(&b, NOW + 500, 0);
    gw_breaker_report(&b, NOW + 500, 0);
    assert_int_equal(gw_breaker_wait(&b, NOW + 500), 500);

    gw_breaker_report(&b, NOW + 1200, 0);
    assert_int_equal(gw_breaker_wait(&b, NOW + 1200), 0);

    /* unless they are good */

    gw_breaker_report(&b, NOW + 500, 1);
    assert_int_equal(gw_breaker_ask(&b, NOW + 500), GW_OK);
    assert_int_equal(gw_breaker_ask(&b, NOW + 500), GW_OK);
}


/* one probe at a time; after it failed the delay doubles, to a limit */

static void
test_probe(void **state)
{
    size_t        i;
    uint64_t      now;
    gw_breaker_t  b;

    static const uint64_t  delays[] = {
        1000, 2000, 4000, 8000, 8000, 8000
    };

    (void) state;

    now = NOW;
    b = open_breaker(now);

    for (i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
        assert_int_equal(gw_breaker_wait(&b, now), delays[i]);
        assert_int_equal(gw_breaker_ask(&b, now + delays[i] - 1),
                         GW_DECLINED);

        now += delays[i];

        assert_int_equal(gw_breaker_ask(&b, now), GW_OK);
        assert_int_equal(gw_breaker_ask(&b, now), GW_DECLINED);
        assert_int_equal(gw_breaker_wait(&b, now), GW_BREAKER_PROBE);

        gw_breaker_report(&b, now, 0);
    }

    for (i = 0; i < 100; i++) {
        now += 8000;
        assert_int_equal(gw_breaker_ask(&b, now), GW_OK);
        gw_breaker_report(&b, now, 0);
        assert_int_equal(gw_breaker_wait(&b, now), GW_BREAKER_MAX);
    }

    /* a success closes it, and the next delay is the first again */

    now += 8000;

    assert_int_equal(gw_breaker_ask(&b, now), GW_OK);
    gw_breaker_report(&b, now, 1);

    for (i = 0; i < GW_BREAKER_FAILURES; i++) {
        assert_int_equal(gw_breaker_ask(&b, now), GW_OK);
        gw_breaker_report(&b, now, 0);
    }

    assert_int_equal(gw_breaker_wait(&b, now), 1000);
}


static void
test_lost(void **state)
{
    uint64_t      now;
    gw_breaker_t  b;

    (void) state;

    now = NOW + 1000;
    b = open_breaker(NOW);

    assert_int_equal(gw_breaker_ask(&b, now), GW_OK);
    assert_int_equal(gw_breaker_ask(&b, now + GW_BREAKER_PROBE - 1),
                     GW_DECLINED);

    /* its worker died */

    assert_int_equal(gw_breaker_ask(&b, now + GW_BREAKER_PROBE), GW_OK);
    assert_int_equal(gw_breaker_ask(&b, now + GW_BREAKER_PROBE), GW_DECLINED);

    /* another worker's clock is some ms behind */

    assert_int_equal(gw_breaker_ask(&b, now + GW_BREAKER_PROBE - 5),
                     GW_DECLINED);
    assert_int_equal(gw_breaker_wait(&b, now + GW_BREAKER_PROBE - 5),
                     GW_BREAKER_PROBE + 5);
}


/* the clock may begin at 0 */

static void
test_start(void **state)
{
    gw_breaker_t  b;

    (void) state;

    b = open_breaker(0);

    assert_int_equal(gw_breaker_wait(&b, 0), 1000);
    assert_int_equal(gw_breaker_ask(&b, 1000), GW_OK);
    assert_int_equal(gw_breaker_ask(&b, 1000), GW_DECLINED);
    gw_breaker_report(&b, 1001, 1);
    assert_int_equal(gw_breaker_ask(&b, 1001), GW_OK);
}


/*
 * Whatever happens: ask() and wait() agree, nobody waits for longer than a
 * probe may take, and while it is open at most one asks.
 */

static void
test_any(void **state)
{
    int           rc;
    size_t        i;
    uint64_t      now, wait, last;
    unsigned      open;
    gw_breaker_t  b;

    (void) state;

    memset(&b, 0, sizeof(b));
    now = NOW;
    last = 0;

    for (i = 0; i < STEPS; i++) {
        now += any(4) ? any(10) : any(3000);
        open = b.until != 0;

        if (any(3) == 0) {
            gw_breaker_report(&b, now, any(30) == 0);
            last = 0;
            continue;
        }

        wait = gw_breaker_wait(&b, now);
        rc = gw_breaker_ask(&b, now);

        assert_int_equal(rc, wait == 0 ? GW_OK : GW_DECLINED);
        assert_true(wait <= GW_BREAKER_PROBE);

        if (open && rc == GW_OK) {
            assert_true(last == 0 || now - last >= GW_BREAKER_PROBE);
            last = now;
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_start),
        cmocka_unit_test(test_any)
    };

    return cmocka_run_group_tests_name("gw_breaker", tests, NULL, NULL);
}
