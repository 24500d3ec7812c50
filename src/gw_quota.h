
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Quotas of calendar windows, in UTC.  Pure: no clock, no allocation, no I/O.
 * lua/take.lua is this arithmetic in Redis; tests compare the two.
 *
 * What a window has used is one number below 2^53: its window times
 * GW_QUOTA_MAX plus the tokens used; 0 if nothing is stored.  A window is the
 * number of its day, or of its month, since 1970.
 *
 * gw_quota_window() gives the window of "now", microseconds since the epoch,
 * and when it ends.
 *
 * gw_quota_take() takes "cost" tokens, all or none:
 *
 *     GW_OK        taken
 *     GW_DECLINED  nothing is taken; answer->wait tells when there are some,
 *                  -1 if a window never has so many
 *
 * A stored number of an earlier window counts as none, and so does one that
 * is not below 2^53.  The next window holds until that ends: a clock that goes
 * back a little grants nothing.  A still later one comes from a clock that was
 * wrong; what it has used counts in the window of "now", and *used says so
 * from then on.  A smaller quota than used leaves 0 tokens.
 *
 * *used changes if tokens are taken, and in the case just named.
 *
 * gw_quota_give() gives back tokens of "window"; of another one, nothing.
 */

#ifndef _GW_QUOTA_H_INCLUDED_
#define _GW_QUOTA_H_INCLUDED_


#include "gw_base.h"


#define GW_QUOTA_MAX  (1LL << 36)      /* more than any quota */


typedef enum {
    GW_QUOTA_DAY = 0,
    GW_QUOTA_MONTH,
    GW_QUOTA_UNITS
} gw_quota_unit_e;


typedef struct {
    int64_t           size;      /* tokens of a window */
    gw_quota_unit_e   unit;
} gw_quota_t;


typedef struct {
    int64_t           left;
    int64_t           wait;      /* microseconds; 0: the tokens are there */
    int64_t           end;       /* microseconds until the window ends */
    int64_t           window;
} gw_quota_answer_t;


GW_HIDDEN_BEGIN

int64_t gw_quota_window(gw_quota_unit_e unit, int64_t now, int64_t *end);
int gw_quota_take(const gw_quota_t *q, int64_t *used, int64_t now,
    int64_t cost, gw_quota_answer_t *answer);
void gw_quota_give(int64_t *used, int64_t window, int64_t tokens);

GW_HIDDEN_END


#endif /* _GW_QUOTA_H_INCLUDED_ */
