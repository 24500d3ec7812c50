
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Calls in any order, and between them any changes of the block: all stays
 * within the block.  Until the first change what was granted is spent, given
 * back, lost or held, and the bound holds.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gw_lease.c"


#define SIZE  GW_LEASE_MIN
#define KEYS  64
#define STEP  8


static void
check(gw_lease_t *l, const uint64_t key[2], int64_t max, int64_t sum)
{
    gw_lease_stats_t    stats;
    gw_lease_record_t  *rec;

    gw_lease_stats(l, &stats);
    assert((int64_t) (stats.lost + stats.tokens) == sum);
    assert(stats.used <= stats.records);

    rec = gw_lease_find(l, key);
    assert(rec == NULL || rec->have + rec->want <= max);
}


/* the next lease that is given back, as tokens; the cursor starts again */

static int64_t
expire(gw_lease_t *l, uint64_t now, uint32_t owner, uint64_t *cursor)
{
    int               rc;
    gw_lease_back_t   back;

    rc = gw_lease_expired(l, now, owner, cursor, &back);

    if (rc == GW_DECLINED) {
        *cursor = 0;
    }

    assert((rc == GW_OK) == (back.tokens != 0));
    assert(rc != GW_OK || back.len <= GW_LEASE_NAME);

    return back.tokens;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int               rc;
    char              name[GW_LEASE_NAME + 1];
    size_t            i, at;
    int64_t           cost, sum, windows[GW_QUOTA_UNITS];
    uint8_t          *block;
    uint64_t          now, cursor, key[2];
    unsigned          n, sound;
    gw_lease_t       *l;
    gw_lease_of_t     of;
    gw_lease_back_t   back;
    gw_lease_take_t   t;

    block = malloc(SIZE);
    assert(block != NULL);
    assert(gw_lease_init(block, SIZE) == GW_OK);

    memset(name, 'n', sizeof(name));
    memset(&of, 0, sizeof(of));
    of.name.data = name;
    of.tier.bucket.interval = 1000;
    of.tier.bucket.burst = 5000;
    of.max = 100;

    l = (gw_lease_t *) block;
    now = 1000;
    cursor = 0;
    sum = 0;
    sound = 1;

    for (i = 0; i + STEP <= size; i += STEP) {

        n = data[i + 1] % KEYS;
        key[0] = (uint64_t) (n % 4) << 62;
        key[1] = n;

        now += data[i + 2] / 2;
        cost = data[i + 3] % 128;
        at = (size_t) data[i + 4] << 8 | data[i + 5];

        of.name.len = (n * 4 + data[i + 6] / 64) % (GW_LEASE_NAME + 2);
        of.owner = data[i + 6] % 4;

        switch (data[i] % 8) {

        case 0:
            /* a change, near the start or anywhere */

            block[data[i + 7] % 2 ? at % sizeof(gw_lease_t)
                                  : at % SIZE] = data[i + 6];
            sound = 0;
            break;

        case 1:
            sum -= expire(l, now, of.owner, &cursor);
            break;

        case 2:
            gw_lease_spare(l, key, now, cost);
            sum += cost;
            break;

        case 3:
        case 4:
            windows[0] = data[i + 7] % 3;
            windows[1] = data[i + 7] % 2;

            rc = gw_lease_grant(l, key, &of, now, cost, (int64_t) at, 1,
                                windows, &back);

            assert((rc == GW_OK) == (back.tokens == 0));
            sum += cost - back.tokens;
            break;

        default:
            rc = gw_lease_take(l, key, &of, now, cost / 8, &t);

            assert(rc == GW_OK || rc == GW_DECLINED);
            assert(t.want >= 0 && t.want <= of.max);

            if (rc == GW_OK) {
                sum -= cost / 8;
            }

            break;
        }

        if (sound) {
            check(l, key, of.max, sum);
        }
    }

    free(block);

    return 0;
}
