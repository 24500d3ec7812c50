
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "gw_quota.h"


#define GW_QUOTA_DAY_LEN  86400000000LL
#define GW_QUOTA_LIMIT    (1LL << 53)


static int64_t gw_quota_start(gw_quota_unit_e unit, int64_t window);


int64_t
gw_quota_window(gw_quota_unit_e unit, int64_t now, int64_t *end)
{
    int64_t  window;

    window = now / GW_QUOTA_DAY_LEN;

    if (unit == GW_QUOTA_MONTH) {

        /* 4800 months have 146097 days; this may be one month off */

        window = window * 4800 / 146097;

        if (gw_quota_start(unit, window) > now) {
            window--;

        } else if (gw_quota_start(unit, window + 1) <= now) {
            window++;
        }
    }

    *end = gw_quota_start(unit, window + 1);

    return window;
}


static int64_t
gw_quota_start(gw_quota_unit_e unit, int64_t window)
{
    int64_t  year, month;

    if (unit == GW_QUOTA_DAY) {
        return window * GW_QUOTA_DAY_LEN;
    }

    /* years begin with March here, so that a leap day is a year's last */

    month = window + 1970 * 12 - 2;
    year = month / 12;
    month %= 12;

    return (365 * year + year / 4 - year / 100 + year / 400
            + (153 * month + 2) / 5 - 719468) * GW_QUOTA_DAY_LEN;
}


int
gw_quota_take(const gw_quota_t *q, int64_t *used, int64_t now,
    int64_t cost, gw_quota_answer_t *answer)
{
    int64_t  window, tokens, end;

    tokens = (*used > 0 && *used < GW_QUOTA_LIMIT) ? *used : 0;
    window = tokens / GW_QUOTA_MAX;
    tokens %= GW_QUOTA_MAX;

    answer->window = gw_quota_window(q->unit, now, &end);

    if (window < answer->window) {
        tokens = 0;

    } else if (window == answer->window + 1) {
        answer->window = window;
        end = gw_quota_start(q->unit, window + 1);

    } else if (window > answer->window) {
        *used = answer->window * GW_QUOTA_MAX + tokens;
    }

    answer->left = (q->size > tokens) ? q->size - tokens : 0;
    answer->end = end - now;

    if (cost > answer->left) {
        answer->wait = (cost > q->size) ? -1 : answer->end;
        return GW_DECLINED;
    }

    answer->wait = 0;

    if (cost) {
        answer->left -= cost;
        *used = answer->window * GW_QUOTA_MAX + tokens + cost;
    }

    return GW_OK;
}


void
gw_quota_give(int64_t *used, int64_t window, int64_t tokens)
{
    int64_t  left;

    if (*used <= 0 || *used / GW_QUOTA_MAX != window) {
        return;
    }

    left = *used % GW_QUOTA_MAX;
    *used -= (tokens < left) ? tokens : left;
}
