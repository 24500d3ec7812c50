
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Calls in any order, and between them any changes of the block: all stays
 * within the block.  Until the first change a record that is found is the one
 * that was put.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gw_cache.c"


#define SIZE  GW_CACHE_MIN
#define KEYS  64
#define STEP  8


static uint8_t *
fill(uint8_t *buf, uint8_t n, size_t len)
{
    memset(buf, n, len);

    return buf;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                rc;
    size_t             i, at, len;
    int64_t            now;
    uint8_t           *block, *buf, key[GW_CACHE_KEY], last[KEYS];
    unsigned           n, sound;
    gw_cache_stats_t   stats;

    block = malloc(SIZE);
    buf = malloc(GW_CACHE_MAX);
    assert(block != NULL && buf != NULL);

    assert(gw_cache_init(block, SIZE) == GW_OK);

    memset(key, 0, sizeof(key));
    memset(last, 0, sizeof(last));

    sound = 1;

    for (i = 0; i + STEP <= size; i += STEP) {

        n = data[i + 1] % KEYS;
        key[n % 2 ? 3 : 31] = (uint8_t) n;
        now = data[i + 2];
        at = (size_t) data[i + 3] << 8 | data[i + 4];

        switch (data[i] % 8) {

        case 0:
            /* a change, near the start or anywhere */

            at %= data[i + 7] % 2 ? sizeof(gw_cache_t) : SIZE;
            block[at] = data[i + 5];
            sound = 0;
            break;

        case 1:
            gw_cache_remove((gw_cache_t *) block, key);
            last[n] = 0;
            break;

        case 2:
        case 3:
        case 4:
            rc = gw_cache_get((gw_cache_t *) block, key, now, buf,
                              GW_CACHE_MAX, &len);

            if (rc == GW_OK && sound) {
                assert(last[n] != 0);
                assert(len == 0 || buf[len - 1] == last[n]);
            }

            break;

        default:
            len = at % (data[i + 7] % 4 ? 1024 : GW_CACHE_MAX);
            last[n] = data[i + 5] | 1;

            (void) gw_cache_put((gw_cache_t *) block, key, now,
                                data[i + 6], fill(buf, last[n], len), len);
            break;
        }

        key[n % 2 ? 3 : 31] = 0;
    }

    gw_cache_stats((gw_cache_t *) block, &stats);

    free(block);
    free(buf);

    return 0;
}
