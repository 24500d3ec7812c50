
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "gw_cache.c"
#include "gw_trace.h"


#define NOW     INT64_C(1793882096)
#define FAR     (NOW + 1000000)

#define KEYS    400
#define STEPS   200000
#define ROUNDS  600
#define BUFFER  65536


/* what a cache of no bounds would hold */

typedef struct {
    int64_t    expires;
    size_t     len;
    unsigned   seed;
    unsigned   there:1;
} model_t;


static gw_cache_t *
cache_of(size_t size)
{
    void  *block;

    block = block_of(size);
    assert_int_equal(gw_cache_init(block, size), GW_OK);

    return block;
}


/* like a digest: all bytes depend on n */

static const uint8_t *
key_of(uint64_t n)
{
    size_t    i;
    uint64_t  x;

    static uint8_t  key[GW_CACHE_KEY];

    for (i = 0; i < GW_CACHE_KEY; i += 8) {
        x = (n + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        x ^= x >> 31;
        memcpy(key + i, &x, 8);
    }

    return key;
}


/* keys that meet in one bucket */

static const uint8_t *
twin_of(uint32_t n)
{
    static uint8_t  key[GW_CACHE_KEY];

    memset(key, 0, sizeof(key));
    memcpy(key + 4, &n, sizeof(n));

    return key;
}


static const uint8_t *
data_of(unsigned n, size_t len)
{
    size_t  i;

    static uint8_t  data[GW_CACHE_MAX + 1];

    for (i = 0; i < len; i++) {
        data[i] = (uint8_t) (n * 31 + i * 7 + (i >> 8));
    }

    return data;
}


static int
put(gw_cache_t *cache, unsigned n, size_t len)
{
    return gw_cache_put(cache, key_of(n), NOW, FAR, data_of(n, len), len);
}


/* GW_OK: what put() stored is there */

static int
get(gw_cache_t *cache, unsigned n, size_t want)
{
    int       rc;
    size_t    len;
    uint8_t  *buf;

    buf = malloc(want + 1);
    assert_non_null(buf);

    rc = gw_cache_get(cache, key_of(n), NOW, buf, want, &len);

    if (rc == GW_OK) {
        assert_int_equal(len, want);
        assert_memory_equal(buf, data_of(n, len), len);
    }

    free(buf);

    return rc;
}


static gw_cache_stats_t
stats(const gw_cache_t *cache)
{
    gw_cache_stats_t  s;

    gw_cache_stats(cache, &s);

    return s;
}


/* the ring from the oldest record to the newest, and all of the index */

static void
assert_sound(gw_cache_t *cache)
{
    uint64_t            at, left, n, records, live;
    uint32_t           *index, *link;
    gw_cache_record_t  *rec;

    at = cache->tail;
    left = cache->used;
    records = 0;
    live = 0;

    while (left > 0) {

        if (at == cache->wrap) {
            left -= cache->units - at;
            at = 0;
            continue;
        }

        assert_true(at < cache->wrap);

        rec = gw_cache_unit(cache, at);

        assert_true(rec->units >= 4 && rec->units <= left);
        assert_true(at + rec->units <= cache->wrap);

        if (rec->live == GW_CACHE_LIVE) {
            records++;
            live += rec->units;

            link = gw_cache_find(cache, rec->key);
            assert_non_null(link);
            assert_true(*link == at + 1);
        }

        at += rec->units;
        left -= rec->units;
    }

    assert_true(at % cache->units == cache->head % cache->units);
    assert_int_equal(records, cache->records);
    assert_int_equal(live, cache->live);

    index = (uint32_t *) (cache + 1);

    for (n = 0; n < cache->buckets; n++) {
        for (link = &index[n]; *link != 0; link = &rec->next) {
            rec = gw_cache_record(cache, link);
            assert_non_null(rec);
            records--;
        }
    }

    assert_int_equal(records, 0);
}


static void
test_init(void **state)
{
    char              *block;
    gw_cache_t        *cache;
    gw_cache_stats_t   s;

    (void) state;

    block = malloc(GW_CACHE_MIN + 8);
    assert_non_null(block);

    assert_int_equal(gw_cache_init(block, GW_CACHE_MIN - 1), GW_ERROR);
    assert_int_equal(gw_cache_init(block, ((size_t) 64 << 30) + 1), GW_ERROR);
    assert_int_equal(gw_cache_init(block + 4, GW_CACHE_MIN), GW_ERROR);
    assert_int_equal(gw_cache_init(block + 8, GW_CACHE_MIN), GW_OK);

    free(block);

    cache = cache_of(GW_CACHE_MIN + 13);
    s = stats(cache);

    assert_int_equal(s.records, 0);
    assert_int_equal(s.used, 0);
    assert_int_equal(s.evicted, 0);
    assert_true(s.size > GW_CACHE_MIN / 100 * 95);
    assert_true(s.size < GW_CACHE_MIN);

    assert_int_equal(get(cache, 1, 100), GW_DECLINED);
    gw_cache_remove(cache, key_of(1));

    assert_sound(cache);
    free(cache);
}


static void
test_put(void **state)
{
    size_t             len;
    uint8_t            buf[64];
    gw_cache_t        *cache;
    gw_cache_stats_t   s;

    (void) state;

    cache = cache_of(256 * 1024);

    assert_int_equal(put(cache, 1, 0), GW_OK);
    assert_int_equal(put(cache, 2, 1), GW_OK);
    assert_int_equal(put(cache, 3, 17), GW_OK);

    assert_int_equal(get(cache, 1, 0), GW_OK);
    assert_int_equal(get(cache, 2, 1), GW_OK);
    assert_int_equal(get(cache, 3, 17), GW_OK);
    assert_int_equal(get(cache, 4, 17), GW_DECLINED);

    /* too long for the caller, and there all the same */

    assert_int_equal(get(cache, 3, 16), GW_DECLINED);
    assert_int_equal(get(cache, 3, 17), GW_OK);

    s = stats(cache);
    assert_int_equal(s.records, 3);
    assert_int_equal(s.used, 64 + 80 + 96);

    /* replaced by a longer one, by a shorter one */

    assert_int_equal(gw_cache_put(cache, key_of(3), NOW, FAR, "longer than it"
                                  " was", 18), GW_OK);
    assert_int_equal(gw_cache_get(cache, key_of(3), NOW, buf, sizeof(buf),
                                  &len), GW_OK);
    assert_int_equal(len, 18);
    assert_memory_equal(buf, "longer than it was", 18);

    assert_int_equal(gw_cache_put(cache, key_of(3), NOW, FAR, "x", 1), GW_OK);
    assert_int_equal(gw_cache_get(cache, key_of(3), NOW, buf, sizeof(buf),
                                  &len), GW_OK);
    assert_int_equal(len, 1);

    s = stats(cache);
    assert_int_equal(s.records, 3);
    assert_int_equal(s.used, 64 + 80 + 80);
    assert_int_equal(s.evicted, 0);

    gw_cache_remove(cache, key_of(2));
    gw_cache_remove(cache, key_of(2));

    assert_int_equal(get(cache, 2, 1), GW_DECLINED);
    assert_int_equal(get(cache, 1, 0), GW_OK);
    assert_int_equal(stats(cache).records, 2);

    assert_sound(cache);
    free(cache);
}


static void
test_sizes(void **state)
{
    size_t       max;
    gw_cache_t  *cache;

    (void) state;

    cache = cache_of(256 * 1024);

    assert_int_equal(put(cache, 1, GW_CACHE_MAX), GW_OK);
    assert_int_equal(get(cache, 1, GW_CACHE_MAX), GW_OK);

    /* what can't be replaced is removed: it is out of date */

    assert_int_equal(put(cache, 1, GW_CACHE_MAX + 1), GW_DECLINED);
    assert_int_equal(get(cache, 1, GW_CACHE_MAX), GW_DECLINED);
    assert_int_equal(stats(cache).records, 0);

    free(cache);

    cache = cache_of(GW_CACHE_MIN);
    max = cache->units / 8 * GW_CACHE_UNIT - GW_CACHE_HEAD;

    assert_int_equal(put(cache, 1, max), GW_OK);
    assert_int_equal(put(cache, 2, max + 1), GW_DECLINED);
    assert_int_equal(get(cache, 1, max), GW_OK);

    assert_sound(cache);
    free(cache);
}


static void
test_expiry(void **state)
{
    size_t             i, len;
    uint8_t            buf[16];
    gw_cache_t        *cache;
    gw_cache_stats_t   s;

    (void) state;

    cache = cache_of(GW_CACHE_MIN);

    assert_int_equal(gw_cache_put(cache, key_of(1), NOW, NOW + 10, "a", 1),
                     GW_OK);

    assert_int_equal(gw_cache_get(cache, key_of(1), NOW + 9, buf, 16, &len),
                     GW_OK);

    /* the clock goes back: nothing is lost */

    assert_int_equal(gw_cache_get(cache, key_of(1), NOW - 1000, buf, 16, &len),
                     GW_OK);
    assert_int_equal(gw_cache_get(cache, key_of(1), -1, buf, 16, &len),
                     GW_OK);

    assert_int_equal(gw_cache_get(cache, key_of(1), NOW + 10, buf, 16, &len),
                     GW_DECLINED);
    assert_int_equal(stats(cache).records, 0);

    /* and what has been dropped does not come back */

    assert_int_equal(gw_cache_get(cache, key_of(1), NOW, buf, 16, &len),
                     GW_DECLINED);

    /* not stored, and what it replaces is gone */

    assert_int_equal(put(cache, 2, 1), GW_OK);
    assert_int_equal(gw_cache_put(cache, key_of(2), NOW, NOW, "b", 1), GW_OK);
    assert_int_equal(stats(cache).records, 0);
    assert_int_equal(get(cache, 2, 1), GW_DECLINED);

    /* expired records in the way are not counted as evicted */

    for (i = 0; i < 1000; i++) {
        assert_int_equal(gw_cache_put(cache, key_of(i), NOW + (int64_t) i,
                                      NOW + (int64_t) i + 1, "c", 1),
                         GW_OK);
    }

    s = stats(cache);

    assert_int_equal(s.evicted, 0);
    assert_true(s.records < 1000);

    assert_sound(cache);
    free(cache);
}


static void
test_eviction(void **state)
{
    unsigned           i, n, room;
    gw_cache_t        *cache;
    gw_cache_stats_t   s;

    (void) state;

    cache = cache_of(GW_CACHE_MIN);
    room = cache->units / 10;

    for (i = 0; i < room; i++) {
        assert_int_equal(put(cache, i, 96), GW_OK);
    }

    assert_int_equal(stats(cache).records, room);
    assert_int_equal(stats(cache).evicted, 0);

    /* without a hit the oldest goes first, one for each that comes */

    for (n = 1; n < 3 * room; n++) {
        assert_int_equal(put(cache, room + n - 1, 96), GW_OK);

        s = stats(cache);
        assert_int_equal(s.evicted, n);
        assert_int_equal(s.records, room);

        assert_null(gw_cache_find(cache, key_of(n - 1)));

        for (i = n; i < room + n; i++) {
            assert_non_null(gw_cache_find(cache, key_of(i)));
        }
    }

    assert_sound(cache);
    free(cache);
}


/* what is asked for again and again stays, ten times its room passes by */

static void
test_recent(void **state)
{
    unsigned     i, n, room, kept;
    gw_cache_t  *cache;

    (void) state;

    cache = cache_of(GW_CACHE_MIN);
    room = cache->units / 10;
    kept = room / 4;

    for (i = 0; i < kept; i++) {
        assert_int_equal(put(cache, i, 96), GW_OK);
    }

    for (n = 1000; n < 1000 + 10 * room; n++) {
        assert_int_equal(put(cache, n, 96), GW_OK);
        assert_int_equal(get(cache, n % kept, 96), GW_OK);
        assert_true(cache->used <= cache->units);
    }

    for (i = 0; i < kept; i++) {
        assert_int_equal(get(cache, i, 96), GW_OK);
    }

    /* what was not asked for has gone */

    assert_int_equal(get(cache, 1000, 96), GW_DECLINED);

    assert_sound(cache);
    free(cache);
}


/* a hit in the younger half moves nothing */

static void
test_renewal(void **state)
{
    unsigned     i, room;
    uint64_t     head;
    gw_cache_t  *cache;

    (void) state;

    cache = cache_of(GW_CACHE_MIN);
    room = cache->units / 10;

    for (i = 0; i < room; i++) {
        assert_int_equal(put(cache, i, 96), GW_OK);
    }

    head = cache->head;

    for (i = room / 2 + 1; i < room; i++) {
        assert_int_equal(get(cache, i, 96), GW_OK);
        assert_int_equal(cache->head, head);
    }

    /* the oldest one: its own place is the first to be overwritten */

    assert_int_equal(get(cache, 0, 96), GW_OK);
    assert_true(cache->head != head);
    assert_int_equal(get(cache, 0, 96), GW_OK);
    assert_int_equal(stats(cache).records, room);
    assert_int_equal(stats(cache).evicted, 0);

    assert_sound(cache);
    free(cache);
}


/* each length at each distance from the end of the ring */

static void
test_boundaries(void **state)
{
    size_t       len, rest;
    unsigned     n, at;
    gw_cache_t  *cache;

    (void) state;

    n = 0;

    for (at = 0; at < 64; at++) {
        for (len = 0; len < 64 * GW_CACHE_UNIT; len += 15) {

            cache = cache_of(GW_CACHE_MIN);

            while (cache->head + 200 < cache->units) {
                assert_int_equal(put(cache, n++, 96), GW_OK);
            }

            while (cache->head + at + 8 < cache->units) {
                assert_int_equal(put(cache, n++, 0), GW_OK);
            }

            /* "at" units are left */

            rest = cache->units - cache->head - at;
            assert_int_equal(put(cache, n++, rest * GW_CACHE_UNIT
                                             - GW_CACHE_HEAD), GW_OK);
            assert_int_equal(cache->head, cache->units - at);

            assert_int_equal(put(cache, n, len), GW_OK);
            assert_int_equal(get(cache, n++, len), GW_OK);
            assert_sound(cache);

            assert_int_equal(put(cache, n, 1), GW_OK);
            assert_int_equal(get(cache, n++, 1), GW_OK);
            assert_int_equal(get(cache, n - 2, len), GW_OK);

            /* once more around */

            while (cache->head > 100) {
                assert_int_equal(put(cache, n, 120), GW_OK);
                assert_int_equal(get(cache, n++, 120), GW_OK);
            }

            assert_sound(cache);
            free(cache);
        }
    }
}


/* a ring is full to the last unit, and one record takes several others' room */

static void
test_full(void **state)
{
    size_t       len;
    unsigned     i;
    gw_cache_t  *cache;

    (void) state;

    cache = cache_of(GW_CACHE_MIN);

    i = 0;

    while (cache->units - cache->used >= 8) {
        assert_int_equal(put(cache, i++, 0), GW_OK);
    }

    len = (cache->units - cache->used) * GW_CACHE_UNIT - GW_CACHE_HEAD;
    assert_int_equal(put(cache, i++, len), GW_OK);

    assert_int_equal(cache->used, cache->units);
    assert_int_equal(stats(cache).records, i);
    assert_int_equal(stats(cache).evicted, 0);
    assert_int_equal(stats(cache).used, stats(cache).size);
    assert_sound(cache);

    assert_int_equal(put(cache, i, 64 * 10 - 64), GW_OK);
    assert_int_equal(stats(cache).evicted, 10);
    assert_int_equal(get(cache, 9, 0), GW_DECLINED);
    assert_int_equal(get(cache, 10, 0), GW_OK);
    assert_int_equal(get(cache, i, 64 * 10 - 64), GW_OK);

    assert_sound(cache);
    free(cache);
}


/* many keys of one bucket: the chain is bounded, the last ones are there */

static void
test_chain(void **state)
{
    size_t             len;
    uint8_t            buf[16];
    uint32_t           i, n;
    gw_cache_t        *cache;
    gw_cache_stats_t   s;

    (void) state;

    cache = cache_of(GW_CACHE_MIN);

    for (n = 0; n < 100; n++) {

        assert_int_equal(gw_cache_put(cache, twin_of(n), NOW, FAR, &n,
                                      sizeof(n)), GW_OK);

        s = stats(cache);
        assert_int_equal(s.records, n < GW_CACHE_CHAIN ? n + 1
                                                       : GW_CACHE_CHAIN);
        assert_int_equal(s.evicted, n + 1 - s.records);

        for (i = 0; i <= n; i++) {
            assert_int_equal(gw_cache_get(cache, twin_of(i), NOW, buf,
                                          sizeof(buf), &len),
                             i + GW_CACHE_CHAIN > n ? GW_OK : GW_DECLINED);
        }
    }

    for (i = 80; i < 90; i++) {
        gw_cache_remove(cache, twin_of(i));
    }

    for (i = 70; i < 100; i++) {
        assert_int_equal(gw_cache_get(cache, twin_of(i), NOW, buf,
                                      sizeof(buf), &len),
                         i >= 80 && i < 90 ? GW_DECLINED : GW_OK);
    }

    assert_sound(cache);

    /* the ring goes on over what the chain has lost */

    for (n = 0; n < 2000; n++) {
        assert_int_equal(put(cache, n, 64), GW_OK);
    }

    assert_sound(cache);
    free(cache);
}


static void
check_model(gw_cache_t *cache, const model_t *model, unsigned n, int64_t now)
{
    int       rc;
    size_t    len;
    uint8_t   buf[4096];

    rc = gw_cache_get(cache, key_of(n), now, buf, sizeof(buf), &len);

    if (rc == GW_OK) {
        assert_true(model->there && model->expires > now);
        assert_int_equal(len, model->len);
        assert_memory_equal(buf, data_of(model->seed, len), len);
    }
}


/*
 * Against a map: what is found is what was put last.  What is not found was
 * dropped by the ring; with few records in a large ring that never happens.
 */

static void
test_model(void **state)
{
    size_t       i, n, len, size;
    int64_t      now;
    model_t      model[KEYS], *m;
    unsigned     round, found;
    gw_cache_t  *cache;

    (void) state;

    for (round = 0; round < 4; round++) {
        size = round % 2 ? 512 * 1024 : GW_CACHE_MIN + 16 * any(100);
        cache = cache_of(size);
        now = NOW;
        found = 0;

        memset(model, 0, sizeof(model));

        for (i = 0; i < STEPS / 4; i++) {

            n = any(any(2) ? KEYS : KEYS / 10);
            m = &model[n];
            now += any(50) == 0 ? (int64_t) any(10) - 2 : 0;

            switch (any(8)) {

            case 0:
                gw_cache_remove(cache, key_of(n));
                m->there = 0;
                break;

            case 1:
            case 2:
                len = any(any(4) ? 200 : 3000);
                m->len = len;
                m->seed = any(1000);
                m->expires = now + (int64_t) any(300);
                m->there = 1;

                assert_int_equal(gw_cache_put(cache, key_of(n), now,
                                              m->expires,
                                              data_of(m->seed, len), len),
                                 GW_OK);
                break;

            default:
                check_model(cache, m, n, now);

                /* what has expired is gone, should the clock go back or not */

                if (m->there && m->expires <= now) {
                    m->there = 0;
                }

                found += gw_cache_find(cache, key_of(n)) != NULL;
                break;
            }

            if (i % 512 == 0) {
                assert_sound(cache);
            }
        }

        assert_true(found > STEPS / 100);

        assert_sound(cache);
        free(cache);
    }
}


/* nothing is lost as long as there is room */

static void
test_complete(void **state)
{
    unsigned     i, j;
    gw_cache_t  *cache;

    (void) state;

    cache = cache_of(1024 * 1024);

    for (i = 0; i < 4000; i++) {
        assert_int_equal(put(cache, i, i % 100), GW_OK);

        j = any(i + 1);
        assert_int_equal(get(cache, j, j % 100), GW_OK);
    }

    for (i = 0; i < 4000; i++) {
        assert_int_equal(get(cache, i, i % 100), GW_OK);
    }

    assert_int_equal(stats(cache).records, 4000);
    assert_int_equal(stats(cache).evicted, 0);

    assert_sound(cache);
    free(cache);
}


/* two processes: one block at two addresses */

static void
test_addresses(void **state)
{
    int          fd;
    FILE        *file;
    unsigned     i;
    gw_cache_t  *one, *two;

    (void) state;

    file = tmpfile();
    assert_non_null(file);

    fd = fileno(file);
    assert_int_equal(fseek(file, 64 * 1024 - 1, SEEK_SET), 0);
    assert_int_equal(fputc(0, file), 0);
    assert_int_equal(fflush(file), 0);

    one = mmap(NULL, 64 * 1024, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);
    two = mmap(NULL, 64 * 1024, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    assert_true(one != MAP_FAILED && two != MAP_FAILED && one != two);

    assert_int_equal(gw_cache_init(one, 64 * 1024), GW_OK);

    for (i = 0; i < 3000; i++) {
        assert_int_equal(put(i % 2 ? one : two, i, i % 500), GW_OK);
        assert_int_equal(get(i % 2 ? two : one, i, i % 500), GW_OK);

        if (i > 5) {
            assert_int_equal(get(i % 3 ? two : one, i - 5, (i - 5) % 500),
                             GW_OK);
        }

        if (i % 64 == 0) {
            assert_sound(one);
            assert_sound(two);
        }
    }

    assert_int_equal(munmap(one, 64 * 1024), 0);
    assert_int_equal(munmap(two, 64 * 1024), 0);
    assert_int_equal(fclose(file), 0);
}


/*
 * Nothing but ASan looks here: no byte outside of the block is touched.  The
 * first put finds most of what is broken, so the "quiet" steps are none.
 */

static void
exercise(gw_cache_t *cache, unsigned quiet, unsigned steps)
{
    size_t             len;
    uint8_t           *buf;
    unsigned           i, n;
    gw_cache_stats_t   s;

    buf = malloc(BUFFER);
    assert_non_null(buf);

    for (i = 0; i < steps; i++) {
        n = any(300);

        switch (any(i < quiet ? 3 : 6)) {

        case 0:
        case 1:
            (void) gw_cache_get(cache, key_of(n), NOW, buf, BUFFER, &len);
            break;

        case 2:
            gw_cache_remove(cache, key_of(n));
            break;

        default:
            len = any(2048);
            (void) gw_cache_put(cache, key_of(n), NOW, NOW + 10,
                                data_of(n, len), len);
            break;
        }
    }

    gw_cache_stats(cache, &s);
    free(buf);
}


static void
test_corrupted(void **state)
{
    size_t       i, n, from, size;
    uint8_t     *p;
    unsigned     round;
    gw_cache_t  *cache;

    (void) state;

    size = GW_CACHE_MIN;

    for (round = 0; round < ROUNDS; round++) {

        cache = cache_of(size);
        exercise(cache, 0, 300);

        p = (uint8_t *) cache;

        switch (round % 6) {

        case 0:
            /* some bytes anywhere */

            n = 1 + any(64);

            for (i = 0; i < n; i++) {
                p[any(size)] = (uint8_t) any(256);
            }

            break;

        case 1:
            /* everything */

            for (i = 0; i < size; i++) {
                p[i] = (uint8_t) any(256);
            }

            break;

        case 2:
            /* everything behind what the check guards */

            for (i = offsetof(gw_cache_t, head); i < size; i++) {
                p[i] = (uint8_t) any(256);
            }

            break;

        case 3:
            /* positions that are possible, and wrong */

            cache->head = any(cache->units + 1);
            cache->tail = any(cache->units + 1);
            cache->wrap = cache->units;

            if (any(2) == 0) {
                cache->wrap = any(cache->units + 1);
            }

            cache->used = (cache->head + cache->units - cache->tail)
                          % cache->units;
            break;

        case 4:
            /* the index: links to anywhere, rings among them */

            from = sizeof(gw_cache_t);

            for (i = from; i < cache->ring; i += 4) {
                n = any(cache->units + 8);
                memcpy(p + i, &n, 4);
            }

            break;

        default:
            /* the ring: records that are whole, and lie anywhere */

            for (i = 0; i < cache->units / 20; i++) {
                gw_cache_record_t  *rec;

                rec = gw_cache_unit(cache, any(cache->units - 4));

                rec->live = GW_CACHE_LIVE;
                rec->units = any(cache->units);
                rec->len = any(rec->units * 16 + 32);
                rec->next = any(cache->units + 8);
            }

            break;
        }

        exercise(cache, any(2) * 500, 2000);
        free(cache);
    }
}


/* positions that lead out of the ring, each passes all checks but one */

static void
test_positions(void **state)
{
    size_t       i;
    uint64_t     n;
    gw_cache_t  *cache;

    static const struct {
        int64_t   head;       /* from the end */
        int64_t   tail;
        int64_t   wrap;
        int64_t   used;
    } tests[] = {
        { 0, 10, 1000, -10 },
        { 50, -450, 0, 500 },
        { -2, -2, 0, 0 },
        { 0, 1, 0, -1 },
        { -100, -100, 4, 0 },
        { -100, -104, -102, 4 }
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {

        cache = cache_of(GW_CACHE_MIN);
        n = cache->units;

        cache->head = n + tests[i].head;
        cache->tail = n + tests[i].tail;
        cache->wrap = n + tests[i].wrap;
        cache->used = tests[i].used > 100 ? (uint64_t) tests[i].used
                                          : n + tests[i].used;

        assert_int_equal(put(cache, 1, 2000), GW_OK);
        assert_int_equal(get(cache, 1, 2000), GW_OK);
        assert_int_equal(stats(cache).records, 1);
        assert_sound(cache);

        exercise(cache, 0, 500);
        assert_sound(cache);

        free(cache);
    }
}


/* the last record says that it is longer than the ring */

static void
test_lengths(void **state)
{
    size_t              len;
    uint8_t            *buf;
    gw_cache_t         *cache;
    gw_cache_record_t  *rec;

    (void) state;

    buf = malloc(BUFFER);
    assert_non_null(buf);

    cache = cache_of(GW_CACHE_MIN);

    cache->head = cache->units - 5;
    cache->tail = cache->head;

    assert_int_equal(put(cache, 1, 16), GW_OK);
    assert_int_equal(get(cache, 1, 16), GW_OK);

    rec = gw_cache_unit(cache, cache->tail);

    rec->len = 17;
    assert_int_equal(gw_cache_get(cache, key_of(1), NOW, buf, BUFFER, &len),
                     GW_DECLINED);

    rec->units = 1000;
    assert_int_equal(gw_cache_get(cache, key_of(1), NOW, buf, BUFFER, &len),
                     GW_DECLINED);

    /* links to what is no whole record any more */

    for (len = 0; len < 12; len++) {
        *gw_cache_bucket(cache, key_of(2)) = cache->units + 4 - len;
        assert_int_equal(get(cache, 2, 16), GW_DECLINED);
    }

    /* a chain that is a circle */

    assert_int_equal(put(cache, 3, 16), GW_OK);
    rec = gw_cache_record(cache, gw_cache_bucket(cache, key_of(3)));
    rec->next = *gw_cache_bucket(cache, key_of(3));
    rec->key[31] ^= 1;

    assert_int_equal(get(cache, 3, 16), GW_DECLINED);
    assert_int_equal(put(cache, 3, 16), GW_OK);
    assert_int_equal(get(cache, 3, 16), GW_OK);

    free(cache);
    free(buf);
}


/* a broken ring is emptied, and works again */

static void
test_repair(void **state)
{
    unsigned     i;
    gw_cache_t  *cache;

    (void) state;

    cache = cache_of(GW_CACHE_MIN);

    for (i = 0; i < 1000; i++) {
        assert_int_equal(put(cache, i, 50), GW_OK);
    }

    gw_cache_unit(cache, cache->tail)->units = 1;

    assert_int_equal(put(cache, 5000, 50), GW_OK);
    assert_int_equal(stats(cache).records, 1);
    assert_int_equal(get(cache, 5000, 50), GW_OK);
    assert_int_equal(get(cache, 999, 50), GW_DECLINED);
    assert_sound(cache);

    for (i = 0; i < 1000; i++) {
        assert_int_equal(put(cache, i, 50), GW_OK);
    }

    memcpy(gw_cache_unit(cache, cache->tail)->key, key_of(999), GW_CACHE_KEY);

    assert_int_equal(put(cache, 5000, 50), GW_OK);
    assert_int_equal(stats(cache).records, 1);

    cache->used++;

    assert_int_equal(put(cache, 5001, 50), GW_OK);
    assert_int_equal(stats(cache).records, 1);
    assert_sound(cache);

    cache->units++;

    assert_int_equal(put(cache, 5001, 50), GW_DECLINED);
    assert_int_equal(get(cache, 5001, 50), GW_DECLINED);
    gw_cache_remove(cache, key_of(5001));

    free(cache);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_recent),
        cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_corrupted),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_repair)
    };

    return cmocka_run_group_tests_name("gw_cache", tests, NULL, NULL);
}
