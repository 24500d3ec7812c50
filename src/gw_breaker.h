
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A circuit breaker in memory that processes share; zeroed memory is a closed
 * one.  Not locked here.  "now" is milliseconds of a clock that never goes
 * back.
 *
 * GW_BREAKER_FAILURES failures in a row open it, for 1 s, then 2, 4, and at
 * most GW_BREAKER_MAX ms; after that one probe at a time may ask, and a
 * success closes it.  A probe that is not reported within GW_BREAKER_PROBE ms
 * counts as lost: another one may ask.
 *
 * gw_breaker_ask() returns GW_OK: ask, and report; or GW_DECLINED: it is
 * down.  gw_breaker_wait() tells how many ms are left until someone may ask.
 */

#ifndef _GW_BREAKER_H_INCLUDED_
#define _GW_BREAKER_H_INCLUDED_


#include "gw_base.h"


#define GW_BREAKER_FAILURES  5
#define GW_BREAKER_MAX       8000
#define GW_BREAKER_PROBE     10000


typedef struct {
    uint64_t   until;        /* open till then, 0: closed */
    uint64_t   probe;        /* when the probe under way was let through */
    uint32_t   failures;     /* in a row */
    uint32_t   opened;       /* in a row, for the delay */
} gw_breaker_t;


GW_HIDDEN_BEGIN

int gw_breaker_ask(gw_breaker_t *b, uint64_t now);
void gw_breaker_report(gw_breaker_t *b, uint64_t now, int ok);
uint64_t gw_breaker_wait(const gw_breaker_t *b, uint64_t now);

GW_HIDDEN_END


#endif /* _GW_BREAKER_H_INCLUDED_ */
