
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "gw_bucket.h"


#define GW_BUCKET_RATE_MAX  1000000LL


static int64_t gw_bucket_period(const char *p, size_t len);


int
gw_bucket_init(gw_bucket_t *b, const gw_str_t *rate, int64_t burst,
    const char **err)
{
    size_t   i;
    int64_t  n, period;

    n = 0;

    for (i = 0; i < rate->len; i++) {

        if (rate->data[i] < '0' || rate->data[i] > '9') {
            break;
        }

        n = n * 10 + (rate->data[i] - '0');

        if (n > GW_BUCKET_SPAN / 10) {
            *err = "has a rate that is too high";
            return GW_ERROR;
        }
    }

    period = gw_bucket_period(rate->data + i, rate->len - i);

    if (i == 0 || period == 0) {
        *err = "has a rate that is no number followed by r/s, r/m, r/h "
               "or r/d";
        return GW_ERROR;
    }

    if (n == 0) {
        *err = "has a rate of 0";
        return GW_ERROR;
    }

    if (n > GW_BUCKET_RATE_MAX * (period / GW_BUCKET_SECOND)) {
        *err = "has a rate above 1000000r/s";
        return GW_ERROR;
    }

    b->interval = (period + n - 1) / n;

    if (burst == 0) {
        burst = n * GW_BUCKET_SECOND / period;

        if (burst == 0) {
            burst = 1;
        }
    }

    if (burst < 0 || burst > GW_BUCKET_SPAN / 2 / b->interval) {
        *err = "has a burst that needs more than 71 years to come back";
        return GW_ERROR;
    }

    b->burst = burst;

    return GW_OK;
}


static int64_t
gw_bucket_period(const char *p, size_t len)
{
    if (len != 3 || p[0] != 'r' || p[1] != '/') {
        return 0;
    }

    switch (p[2]) {

    case 's':
        return GW_BUCKET_SECOND;

    case 'm':
        return 60 * GW_BUCKET_SECOND;

    case 'h':
        return 3600 * GW_BUCKET_SECOND;

    case 'd':
        return 86400 * GW_BUCKET_SECOND;

    default:
        return 0;
    }
}


int
gw_bucket_take(const gw_bucket_t *b, int64_t *full, int64_t now,
    int64_t cost, gw_bucket_answer_t *answer)
{
    int      rc;
    int64_t  span, after;

    span = b->interval * b->burst;

    if (*full < now) {
        *full = now;
    }

    if (*full > now + span) {
        *full = now + span;
    }

    if (cost > b->burst) {
        answer->wait = -1;
        rc = GW_DECLINED;

    } else {
        after = *full + b->interval * cost;
        answer->wait = after - now - span;

        if (answer->wait > 0) {
            rc = GW_DECLINED;

        } else {
            answer->wait = 0;
            *full = after;
            rc = GW_OK;
        }
    }

    answer->left = (now + span - *full) / b->interval;
    answer->full = *full - now;

    return rc;
}


void
gw_bucket_give(const gw_bucket_t *b, int64_t *full, int64_t now,
    int64_t tokens)
{
    if (*full <= now) {
        return;
    }

    if (tokens > (*full - now) / b->interval) {
        *full = now;
        return;
    }

    *full -= b->interval * tokens;
}
