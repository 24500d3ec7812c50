
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_bucket.c */


/*
 * Calls in any order, and between them any changes of the block: all stays
 * within the block.  Until the first change nobody is refused without a
 * refusal of as few tokens.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gw_memo.c"


#define SIZE  GW_MEMO_MIN
#define KEYS  64
#define STEP  8


static void
local(gw_memo_t *m, const uint64_t key[2], uint64_t now, int64_t cost,
    int64_t interval, int64_t burst)
{
    int                  rc;
    gw_bucket_t          b;
    gw_bucket_answer_t   answer;

    b.interval = interval;
    b.burst = burst;

    rc = gw_memo_local(m, key, (int64_t) now * 1000, &b, cost, &answer);

    assert(rc == GW_OK || rc == GW_DECLINED);
    assert(answer.left >= 0 && answer.left <= burst);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int                  rc;
    size_t               i, at;
    int64_t              cost, wait;
    uint8_t             *block;
    uint64_t             now, key[2], refused[KEYS];
    unsigned             n, sound;
    gw_memo_t           *m;
    gw_memo_stats_t      stats;
    gw_memo_denial_t     d;

    block = malloc(SIZE);
    assert(block != NULL);
    assert(gw_memo_init(block, SIZE) == GW_OK);

    m = (gw_memo_t *) block;
    now = 1000;
    sound = 1;
    memset(refused, 0xff, sizeof(refused));

    for (i = 0; i + STEP <= size; i += STEP) {

        n = data[i + 1] % KEYS;
        key[0] = (uint64_t) (n % 4) << 62;
        key[1] = n;

        now += data[i + 2] * (data[i + 2] > 200 ? 50u : 1u) / 2;
        cost = data[i + 3] % 16;
        at = (size_t) data[i + 4] << 8 | data[i + 5];

        switch (data[i] % 8) {

        case 0:
            /* a change, near the start or anywhere */

            block[data[i + 7] % 2 ? at % sizeof(gw_memo_t)
                                  : at % SIZE] = data[i + 6];
            sound = 0;
            break;

        case 1:
            gw_memo_passed(m, key);
            break;

        case 2:
            (void) gw_memo_strikes(m, key, now, GW_MEMO_STRIKES);
            break;

        case 3:
            local(m, key, now, cost, 1 + (int64_t) at, 1 + data[i + 6]);
            break;

        case 4:
        case 5:
            wait = (int64_t) at * (data[i + 6] % 128) - 1;

            (n % 2 ? gw_memo_refused_exact : gw_memo_refused)
                (m, key, now - data[i + 6], now, cost, wait,
                 data[i + 7] % 8 == 0, data[i + 7]);

            if (data[i + 7] % 8 == 0) {
                cost = 0;
            }

            if ((uint64_t) cost < refused[n]) {
                refused[n] = (uint64_t) cost;
            }

            break;

        default:
            rc = (n % 2 ? gw_memo_ask_exact : gw_memo_ask)
                     (m, key, now, cost, data[i + 6] % 4, &d);

            assert(rc == GW_OK || rc == GW_DECLINED);
            assert(rc == GW_OK || !d.probe);

            if (rc == GW_DECLINED && sound) {
                assert((uint64_t) cost >= refused[n]);
                assert(d.again == 0 || d.again > now);
                assert(d.cost <= cost);
            }

            break;
        }
    }

    gw_memo_stats(m, &stats);
    assert(!sound || stats.used <= stats.records);

    free(block);

    return 0;
}
