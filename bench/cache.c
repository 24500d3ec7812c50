
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What a hit in the identity zone costs: SHA-256 of a credential of 800 bytes,
 * the key, and the look-up of a record of 400 bytes, at 1000, 100 thousand and
 * a million records; and the memory of a record.  Each figure is the best of
 * some runs, so that other work on the machine counts less.
 */

/* links: src/gw_cache.c src/gw_identity.c src/gw_revoke.c */
/* links: src/gw_sha256.c */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gw_cache.h"
#include "gw_identity.h"
#include "gw_sha256.h"


#define NOW         INT64_C(1793882096)

#define RUNS        7
#define CALLS       400000
#define VALUE       400
#define CREDENTIAL  800


/* xorshift: the same keys in each run */

static uint64_t  seed = UINT64_C(0x9e3779b97f4a7c15);


static uint64_t
any(uint64_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return seed % limit;
}


static double
clock_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1e9 + ts.tv_nsec;
}


static void
key_of(uint64_t n, uint8_t *key)
{
    size_t    i;
    uint64_t  x;

    for (i = 0; i < GW_CACHE_KEY; i += 8) {
        x = (n + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x ^= x >> 27;
        memcpy(key + i, &x, 8);
    }
}


static double
best(double old, double start, size_t calls)
{
    double  ns;

    ns = (clock_ns() - start) / calls;

    return old == 0 || ns < old ? ns : old;
}


static void
bench_digest(void)
{
    char      text[CREDENTIAL];
    size_t    i, run;
    double    start, digest, key;
    uint8_t   out[GW_SHA256_SIZE];
    gw_str_t  s;

    memset(text, 'a', sizeof(text));
    s.len = sizeof(text);
    s.data = text;

    digest = 0;
    key = 0;

    for (run = 0; run < RUNS; run++) {
        start = clock_ns();

        for (i = 0; i < CALLS / 10; i++) {
            if (gw_identity_digest(&s, out) != GW_OK) {
                abort();
            }
        }

        digest = best(digest, start, CALLS / 10);
        start = clock_ns();

        for (i = 0; i < CALLS / 10; i++) {
            if (gw_identity_key(out, i, out, out) != GW_OK) {
                abort();
            }
        }

        key = best(key, start, CALLS / 10);
    }

    printf("digest of %d bytes        %6.0f ns\n", CREDENTIAL, digest);
    printf("key of it                  %6.0f ns\n", key);
}


static void
bench_cache(size_t records)
{
    void              *block;
    size_t             i, n, run, len, size, lost;
    double             start, hit, miss, put, none;
    uint8_t            key[GW_CACHE_KEY], value[VALUE];
    gw_cache_stats_t   s;

    /* as documented: less than half of the ring, so that no hit moves one */

    size = 2 * records * (GW_CACHE_HEAD + VALUE) * 128 / 124 + GW_CACHE_MIN;

    block = malloc(size);
    if (block == NULL || gw_cache_init(block, size) != GW_OK) {
        abort();
    }

    memset(value, 7, sizeof(value));

    start = clock_ns();

    for (n = 0; n < records; n++) {
        key_of(n, key);
        (void) gw_cache_put(block, key, NOW, NOW + 1, value, VALUE);
    }

    put = best(0, start, records);

    lost = 0;
    hit = 0;
    miss = 0;
    none = 0;

    for (run = 0; run < RUNS; run++) {
        start = clock_ns();

        for (i = 0; i < CALLS; i++) {
            key_of(any(records), key);
            value[i % VALUE] = key[0];
        }

        none = best(none, start, CALLS);
        start = clock_ns();

        for (i = 0; i < CALLS; i++) {
            key_of(any(records), key);
            lost += gw_cache_get(block, key, NOW, value, VALUE, &len) != GW_OK;
        }

        hit = best(hit, start, CALLS);
        start = clock_ns();

        for (i = 0; i < CALLS; i++) {
            key_of(records + any(records), key);
            lost += gw_cache_get(block, key, NOW, value, VALUE, &len) == GW_OK;
        }

        miss = best(miss, start, CALLS);
    }

    gw_cache_stats(block, &s);

    if (lost != 0 || s.records != records) {
        abort();
    }

    printf("%8zu records           %6.0f ns a hit, %.0f a miss, %.0f a put; "
           "%.0f bytes a record\n", records, hit - none, miss - none, put,
           (double) s.used / records * size / s.size);

    free(block);
}


int
main(void)
{
    bench_digest();

    bench_cache(1000);
    bench_cache(100000);
    bench_cache(1000000);

    return 0;
}
