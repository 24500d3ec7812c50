
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_sha256.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_revoke.c"
#include "gw_trace.h"


#define NOW    INT64_C(1793882096)
#define LATER  (NOW + 1000)

#define MARKS  600
#define STEPS  60000


typedef struct {
    int64_t   until;
    int64_t   before;
} model_t;


static gw_revoke_t *
table_of(size_t size)
{
    void  *block;

    block = block_of(size);
    assert_int_equal(gw_revoke_init(block, size), GW_OK);

    return block;
}


static uint8_t *
mark_of(uint64_t n)
{
    size_t    i;
    uint64_t  x;

    static uint8_t  mark[GW_REVOKE_MARK];

    for (i = 0; i < GW_REVOKE_MARK; i += 8) {
        x = (n + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        x ^= x >> 31;
        memcpy(mark + i, &x, 8);
    }

    return mark;
}


/* one home for all of them, at the end of the table */

static uint8_t *
twin_of(uint32_t n)
{
    static uint8_t  mark[GW_REVOKE_MARK];

    memset(mark, 0xff, sizeof(mark));
    memcpy(mark + 4, &n, sizeof(n));

    return mark;
}


static int
check(const gw_revoke_t *rv, const uint8_t *mark, int64_t now, int64_t issued)
{
    uint8_t  marks[1][GW_REVOKE_MARK];

    memcpy(marks[0], mark, GW_REVOKE_MARK);

    return gw_revoke_check(rv, marks, 1, now, issued);
}


static uint64_t
used(const gw_revoke_t *rv, int64_t now)
{
    uint64_t  n, size;

    gw_revoke_stats(rv, now, &n, &size);

    return n;
}


/* the first two made by another implementation */

static void
test_mark(void **state)
{
    size_t   i, j;
    uint8_t  mark[GW_REVOKE_MARK], seen[8][GW_REVOKE_MARK];

    static const uint8_t  jti[GW_REVOKE_MARK] = {
        0xa1, 0x97, 0xc0, 0xa8, 0xfa, 0xef, 0x4e, 0x2e,
        0xf0, 0xd8, 0x85, 0x95, 0x43, 0x60, 0x23, 0xb5
    };

    static const uint8_t  sub[GW_REVOKE_MARK] = {
        0x59, 0xc7, 0x93, 0x51, 0x7b, 0x69, 0xf8, 0x82,
        0x9b, 0x54, 0x11, 0xdc, 0xbd, 0x76, 0x10, 0xb0
    };

    static const struct {
        gw_revoke_kind_e   kind;
        gw_str_t           issuer;
        gw_str_t           id;
    } tests[] = {
        { GW_REVOKE_JTI, gw_str("https://a.example"), gw_str("42") },
        { GW_REVOKE_SUB, gw_str(""), gw_str("partner:42") },
        { GW_REVOKE_JTI, gw_str("https://a.example4"), gw_str("2") },
        { GW_REVOKE_JTI, gw_str("https://a.exampl"), gw_str("e42") },
        { GW_REVOKE_JTI, gw_str(""), gw_str("https://a.example42") },
        { GW_REVOKE_SUB, gw_str(""), gw_str("https://a.example42") },
        { GW_REVOKE_KEY, gw_str(""), gw_str("partner:42") },
        { GW_REVOKE_SUB, gw_str(""), gw_str("") },
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {

        assert_int_equal(gw_revoke_mark(tests[i].kind, &tests[i].issuer,
                                        &tests[i].id, mark), GW_OK);

        for (j = 0; j < i; j++) {
            assert_memory_not_equal(mark, seen[j], GW_REVOKE_MARK);
        }

        memcpy(seen[i], mark, GW_REVOKE_MARK);
    }

    assert_memory_equal(seen[0], jti, GW_REVOKE_MARK);
    assert_memory_equal(seen[1], sub, GW_REVOKE_MARK);
}


static void
test_init(void **state)
{
    char         *block;
    uint64_t      n, size;
    gw_revoke_t  *rv;

    (void) state;

    block = malloc(GW_REVOKE_MIN + 8);
    assert_non_null(block);

    assert_int_equal(gw_revoke_init(block, GW_REVOKE_MIN - 1), GW_ERROR);
    assert_int_equal(gw_revoke_init(block + 4, GW_REVOKE_MIN), GW_ERROR);
    assert_int_equal(gw_revoke_init(block + 8, GW_REVOKE_MIN), GW_OK);

    free(block);

    rv = table_of(GW_REVOKE_MIN);
    gw_revoke_stats(rv, NOW, &n, &size);

    assert_int_equal(n, 0);
    assert_true(size > GW_REVOKE_MIN / 32 * 3 / 4);
    assert_true(size < GW_REVOKE_MIN / 32 * 7 / 8);

    assert_int_equal(check(rv, mark_of(1), NOW, 0), GW_OK);

    free(rv);
}


static void
test_times(void **state)
{
    gw_revoke_t  *rv;

    (void) state;

    rv = table_of(GW_REVOKE_MIN);

    /* all that have this mark */

    assert_int_equal(gw_revoke_put(rv, mark_of(1), NOW, LATER, INT64_MAX),
                     GW_OK);
    assert_int_equal(check(rv, mark_of(1), NOW, 0), GW_DECLINED);
    assert_int_equal(check(rv, mark_of(1), NOW, NOW), GW_DECLINED);
    assert_int_equal(check(rv, mark_of(1), NOW, INT64_MAX), GW_DECLINED);
    assert_int_equal(check(rv, mark_of(1), LATER - 1, 0), GW_DECLINED);
    assert_int_equal(check(rv, mark_of(1), LATER, 0), GW_OK);
    assert_int_equal(check(rv, mark_of(2), NOW, 0), GW_OK);

    /* those issued before */

    assert_int_equal(gw_revoke_put(rv, mark_of(2), NOW, LATER, NOW - 10),
                     GW_OK);
    assert_int_equal(check(rv, mark_of(2), NOW, NOW - 11), GW_DECLINED);
    assert_int_equal(check(rv, mark_of(2), NOW, NOW - 10), GW_OK);
    assert_int_equal(check(rv, mark_of(2), NOW, NOW), GW_OK);
    assert_int_equal(check(rv, mark_of(2), NOW, 0), GW_DECLINED);
    assert_int_equal(check(rv, mark_of(2), NOW, -1), GW_DECLINED);

    /* without a time of its own it was issued before all times */

    assert_int_equal(gw_revoke_put(rv, mark_of(4), NOW, LATER, 0), GW_OK);
    assert_int_equal(check(rv, mark_of(4), NOW, 1), GW_OK);
    assert_int_equal(check(rv, mark_of(4), NOW, 0), GW_DECLINED);

    /* nothing to store */

    assert_int_equal(gw_revoke_put(rv, mark_of(3), NOW, NOW, INT64_MAX),
                     GW_DECLINED);
    assert_int_equal(gw_revoke_put(rv, mark_of(3), -5, -1, INT64_MAX),
                     GW_DECLINED);
    assert_int_equal(check(rv, mark_of(3), NOW - 1, 0), GW_OK);
    assert_int_equal(used(rv, NOW), 3);
    assert_int_equal(used(rv, LATER), 0);

    /* the clock goes back */

    assert_int_equal(check(rv, mark_of(1), NOW - 10000, 0), GW_DECLINED);

    free(rv);
}


static void
test_again(void **state)
{
    gw_revoke_t  *rv;

    (void) state;

    rv = table_of(GW_REVOKE_MIN);

    /* of both times the later one holds, in any order */

    assert_int_equal(gw_revoke_put(rv, mark_of(1), NOW, LATER, 500), GW_OK);
    assert_int_equal(gw_revoke_put(rv, mark_of(1), NOW, LATER - 10, 600),
                     GW_OK);
    assert_int_equal(check(rv, mark_of(1), LATER - 1, 599), GW_DECLINED);
    assert_int_equal(check(rv, mark_of(1), LATER - 1, 600), GW_OK);

    assert_int_equal(gw_revoke_put(rv, mark_of(1), NOW, LATER + 10, 400),
                     GW_OK);
    assert_int_equal(check(rv, mark_of(1), LATER + 9, 599), GW_DECLINED);
    assert_int_equal(check(rv, mark_of(1), LATER + 9, 600), GW_OK);
    assert_int_equal(used(rv, NOW), 1);

    /* of an expired one nothing holds */

    assert_int_equal(gw_revoke_put(rv, mark_of(1), LATER + 10, LATER + 20,
                                   300), GW_OK);
    assert_int_equal(check(rv, mark_of(1), LATER + 10, 299), GW_DECLINED);
    assert_int_equal(check(rv, mark_of(1), LATER + 10, 300), GW_OK);
    assert_int_equal(used(rv, LATER + 10), 1);

    free(rv);
}


static void
test_several(void **state)
{
    size_t        i;
    uint8_t       marks[3][GW_REVOKE_MARK];
    gw_revoke_t  *rv;

    (void) state;

    rv = table_of(GW_REVOKE_MIN);

    for (i = 0; i < 3; i++) {
        memcpy(marks[i], mark_of(i), GW_REVOKE_MARK);
    }

    assert_int_equal(gw_revoke_check(rv, marks, 3, NOW, 0), GW_OK);

    assert_int_equal(gw_revoke_put(rv, marks[2], NOW, LATER, INT64_MAX),
                     GW_OK);

    assert_int_equal(gw_revoke_check(rv, marks, 3, NOW, 0), GW_DECLINED);
    assert_int_equal(gw_revoke_check(rv, marks, 2, NOW, 0), GW_OK);
    assert_int_equal(gw_revoke_check(rv, marks, 0, NOW, 0), GW_OK);

    free(rv);
}


static void
test_full(void **state)
{
    uint64_t      i, n, size;
    gw_revoke_t  *rv;

    (void) state;

    rv = table_of(GW_REVOKE_MIN);
    gw_revoke_stats(rv, NOW, &n, &size);

    for (i = 0; i < size; i++) {
        assert_int_equal(gw_revoke_put(rv, mark_of(i), NOW,
                                       LATER + (int64_t) i, INT64_MAX), GW_OK);
    }

    assert_int_equal(used(rv, NOW), size);
    assert_int_equal(gw_revoke_put(rv, mark_of(i), NOW, LATER, INT64_MAX),
                     GW_ERROR);
    assert_int_equal(check(rv, mark_of(i), NOW, 0), GW_OK);

    /* what is there can be changed, and nothing is forgotten */

    assert_int_equal(gw_revoke_put(rv, mark_of(0), NOW, LATER, INT64_MAX),
                     GW_OK);

    for (i = 0; i < size; i++) {
        assert_int_equal(check(rv, mark_of(i), NOW, 0), GW_DECLINED);
    }

    /* each second one expires and makes room for one */

    for (i = 0; i < 3 * size; i++) {
        assert_int_equal(used(rv, LATER + (int64_t) i), size - 1);
        assert_int_equal(gw_revoke_put(rv, mark_of(size + i),
                                       LATER + (int64_t) i,
                                       LATER + (int64_t) (size + i),
                                       INT64_MAX), GW_OK);
        assert_int_equal(gw_revoke_put(rv, mark_of(1000000),
                                       LATER + (int64_t) i, INT64_MAX,
                                       INT64_MAX), GW_ERROR);

        /* a second sweep would find nothing in this second */

        assert_true(rv->first > LATER + (int64_t) i);

        assert_int_equal(used(rv, LATER + (int64_t) i), size);
        assert_int_equal(check(rv, mark_of(i + 1), LATER + (int64_t) i, 0),
                         GW_DECLINED);
        assert_int_equal(check(rv, mark_of(i), LATER + (int64_t) i, 0), GW_OK);
    }

    free(rv);
}


/* all in one run that goes over the end, and every second one expires */

static void
test_run(void **state)
{
    uint32_t      i, n;
    uint64_t      k, size;
    gw_revoke_t  *rv;

    (void) state;

    for (n = 64; n < 100; n++) {
        rv = table_of(GW_REVOKE_MIN);
        gw_revoke_stats(rv, NOW, &k, &size);

        for (i = 0; i < n; i++) {
            assert_int_equal(gw_revoke_put(rv, twin_of(i), NOW,
                                           i % 2 ? LATER : NOW + 1,
                                           INT64_MAX), GW_OK);
        }

        /* in between, where it belongs or pushed on by the run */

        for (i = n; i < size; i++) {
            assert_int_equal(gw_revoke_put(rv, mark_of(i), NOW, LATER,
                                           INT64_MAX), GW_OK);
        }

        assert_int_equal(gw_revoke_put(rv, mark_of(1), NOW + 1, LATER,
                                       INT64_MAX), GW_OK);
        assert_int_equal(rv->count, size - (n + 1) / 2 + 1);

        for (i = 0; i < n; i++) {
            assert_int_equal(check(rv, twin_of(i), NOW + 1, 0),
                             i % 2 ? GW_DECLINED : GW_OK);
        }

        for (i = n; i < size; i++) {
            assert_int_equal(check(rv, mark_of(i), NOW + 1, 0), GW_DECLINED);
        }

        free(rv);
    }
}


/* against a table of no bounds */

static void
test_model(void **state)
{
    int           rc;
    size_t        i, n;
    int64_t       now, until, before, issued;
    model_t      *model, *m;
    uint64_t      full;
    gw_revoke_t  *rv;

    (void) state;

    rv = table_of(8 * 1024);
    model = calloc(MARKS, sizeof(model_t));
    assert_non_null(model);

    now = NOW;
    full = 0;

    for (i = 0; i < STEPS; i++) {
        n = any(MARKS);
        m = &model[n];
        now += any(4) == 0 ? (int64_t) any(3) : 0;

        if (any(2)) {
            issued = any(4) ? NOW + (int64_t) any(STEPS) : 0;

            rc = m->until > now && (issued == 0 || issued < m->before)
                 ? GW_DECLINED : GW_OK;

            assert_int_equal(check(rv, mark_of(n), now, issued), rc);
            continue;
        }

        until = now + (int64_t) any(500);
        before = any(2) ? INT64_MAX : NOW + (int64_t) any(STEPS);

        rc = gw_revoke_put(rv, mark_of(n), now, until, before);

        if (until <= now) {
            assert_int_equal(rc, GW_DECLINED);
            continue;
        }

        if (rc == GW_ERROR) {
            assert_true(m->until <= now);
            full++;
            continue;
        }

        assert_int_equal(rc, GW_OK);

        if (m->until <= now) {
            m->until = until;
            m->before = before;
            continue;
        }

        m->until = until > m->until ? until : m->until;
        m->before = before > m->before ? before : m->before;
    }

    for (i = 0, n = 0; i < MARKS; i++) {
        n += model[i].until > now;
    }

    assert_int_equal(used(rv, now), n);
    assert_true(full > 100 && full < STEPS / 4);

    free(model);
    free(rv);
}


/* nothing but ASan looks here: no byte outside of the block is touched */

static void
test_corrupted(void **state)
{
    size_t        i, n;
    int64_t       now;
    uint8_t      *p;
    unsigned      round;
    gw_revoke_t  *rv;

    (void) state;

    for (round = 0; round < 300; round++) {
        rv = table_of(GW_REVOKE_MIN);
        p = (uint8_t *) rv;

        n = round % 3 ? sizeof(rv->slots) + sizeof(rv->check) : 0;

        for (i = n; i < GW_REVOKE_MIN; i++) {
            if (round % 2 || any(8) == 0) {
                p[i] = (uint8_t) any(256);
            }
        }

        for (i = 0; i < 200; i++) {
            n = any(200);
            now = NOW + (int64_t) any(100);

            (void) gw_revoke_put(rv, mark_of(n), now, now + (int64_t) any(99),
                                 INT64_MAX);
            (void) check(rv, mark_of(n), now, 0);
            (void) used(rv, now);
        }

        free(rv);
    }

    /* what can't be read refuses */

    rv = table_of(GW_REVOKE_MIN);
    rv->slots++;

    assert_int_equal(check(rv, mark_of(1), NOW, NOW), GW_DECLINED);
    assert_int_equal(gw_revoke_put(rv, mark_of(1), NOW, LATER, INT64_MAX),
                     GW_ERROR);
    assert_int_equal(used(rv, NOW), 0);

    free(rv);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_corrupted)
    };

    return cmocka_run_group_tests_name("gw_revoke", tests, NULL, NULL);
}
