
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The token bucket as GCRA: a bucket is one number, the time when it will be
 * full.  Times are microseconds since the epoch, all numbers stay below 2^53,
 * so that Lua computes the same.  Pure: no clock, no allocation, no I/O.
 * lua/take.lua is this arithmetic in Redis; tests compare the two.
 *
 * gw_bucket_init() reads a rate, "5r/s" with s, m, h or d, and a burst, the
 * tokens a full bucket holds; a burst of 0 means what the rate gives in one
 * second, at least 1.  An interval is rounded up to a whole microsecond, so a
 * bucket never gives more than its rate.  Returns GW_OK, or GW_ERROR with the
 * reason in "err", a static string that follows a name: "has a rate of 0".
 *
 * gw_bucket_take() takes "cost" tokens at "now" from the bucket whose stored
 * time is *full, 0 if there is none, and answers:
 *
 *     GW_OK        taken
 *     GW_DECLINED  not enough tokens, nothing taken; answer->wait tells when,
 *                  -1 if the bucket can never hold so many
 *
 * *full is updated in both cases; a denial changes it only if the stored time
 * lay further ahead than a full burst.  A clock that goes back grants nothing.
 *
 * gw_bucket_give() gives back tokens that were taken and not used; the bucket
 * is never more than full.
 */

#ifndef _GW_BUCKET_H_INCLUDED_
#define _GW_BUCKET_H_INCLUDED_


#include "gw_base.h"


#define GW_BUCKET_SECOND  1000000LL
#define GW_BUCKET_SPAN    (1LL << 52)      /* longest time to fill a bucket */


typedef struct {
    int64_t   interval;     /* microseconds in which one token comes back */
    int64_t   burst;        /* tokens */
} gw_bucket_t;


typedef struct {
    int64_t   left;         /* whole tokens */
    int64_t   wait;         /* microseconds until "cost" tokens are there */
    int64_t   full;         /* microseconds until the bucket is full */
} gw_bucket_answer_t;


GW_HIDDEN_BEGIN

int gw_bucket_init(gw_bucket_t *b, const gw_str_t *rate, int64_t burst,
    const char **err);
int gw_bucket_take(const gw_bucket_t *b, int64_t *full, int64_t now,
    int64_t cost, gw_bucket_answer_t *answer);
void gw_bucket_give(const gw_bucket_t *b, int64_t *full, int64_t now,
    int64_t tokens);

GW_HIDDEN_END


#endif /* _GW_BUCKET_H_INCLUDED_ */
