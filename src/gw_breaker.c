
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "gw_breaker.h"


#define GW_BREAKER_DELAY  1000      /* ms, the first time */


static void gw_breaker_open(gw_breaker_t *b, uint64_t now);


int
gw_breaker_ask(gw_breaker_t *b, uint64_t now)
{
    if (b->until == 0) {
        return GW_OK;
    }

    if (gw_breaker_wait(b, now) > 0) {
        return GW_DECLINED;
    }

    b->probe = now;

    return GW_OK;
}


void
gw_breaker_report(gw_breaker_t *b, uint64_t now, int ok)
{
    if (ok) {
        b->until = 0;
        b->probe = 0;
        b->failures = 0;
        b->opened = 0;
        return;
    }

    if (b->until == 0) {
        b->failures++;

        if (b->failures >= GW_BREAKER_FAILURES) {
            gw_breaker_open(b, now);
        }

        return;
    }

    /* without a probe it is a late answer to what was asked before */

    if (b->probe != 0) {
        gw_breaker_open(b, now);
    }
}


static void
gw_breaker_open(gw_breaker_t *b, uint64_t now)
{
    uint64_t  delay;

    delay = GW_BREAKER_DELAY;

    if (b->opened < 16) {
        delay <<= b->opened;
        b->opened++;

    } else {
        delay = GW_BREAKER_MAX;
    }

    if (delay > GW_BREAKER_MAX) {
        delay = GW_BREAKER_MAX;
    }

    b->until = now + delay;
    b->probe = 0;
}


/* the clocks of two processes may differ by some ms: no difference is taken */

uint64_t
gw_breaker_wait(const gw_breaker_t *b, uint64_t now)
{
    if (now < b->until) {
        return b->until - now;
    }

    if (b->probe != 0 && now < b->probe + GW_BREAKER_PROBE) {
        return b->probe + GW_BREAKER_PROBE - now;
    }

    return 0;
}
