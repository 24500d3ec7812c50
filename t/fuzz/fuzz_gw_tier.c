
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_bucket.c src/gw_quota.c */

/*
 * Whatever text is taken for a tier gives numbers that the arithmetic of
 * buckets and quotas can bear, and that come back when they are written again.
 */

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw_tier.c"


#define NOW  INT64_C(1793882096789012)


static void
use(const gw_tier_t *t)
{
    int64_t             full, used;
    gw_quota_unit_e     unit;
    gw_quota_answer_t   answer;
    gw_bucket_answer_t  left;

    assert(t->bucket.interval >= 1 && t->bucket.burst >= 1);
    assert(t->bucket.burst <= GW_BUCKET_SPAN / t->bucket.interval);

    full = 0;

    assert(gw_bucket_take(&t->bucket, &full, NOW, t->bucket.burst, &left)
           == GW_OK);
    assert(left.left == 0);
    assert(gw_bucket_take(&t->bucket, &full, NOW, 1, &left) == GW_DECLINED);

    for (unit = 0; unit < GW_QUOTA_UNITS; unit++) {
        assert(t->quota[unit].unit == unit);
        assert(t->quota[unit].size >= 0);
        assert(t->quota[unit].size < GW_QUOTA_MAX);

        used = 0;

        assert(gw_quota_take(&t->quota[unit], &used, NOW,
                             t->quota[unit].size, &answer) == GW_OK);
        assert(gw_quota_take(&t->quota[unit], &used, NOW, 1, &answer)
               == GW_DECLINED);
    }
}


/* the quotas and the burst, with a rate that is allowed for any burst */

static void
again(const gw_tier_t *t)
{
    char         text[GW_TIER_TEXT];
    size_t       len;
    gw_str_t     s;
    gw_tier_t    other;
    const char  *err;

    len = sprintf(text, "rate=1000000r/s burst=%" PRId64, t->bucket.burst);

    if (t->quota[GW_QUOTA_DAY].size) {
        len += sprintf(text + len, " quota=%" PRId64 "/day",
                       t->quota[GW_QUOTA_DAY].size);
    }

    if (t->quota[GW_QUOTA_MONTH].size) {
        len += sprintf(text + len, " quota=%" PRId64 "/month",
                       t->quota[GW_QUOTA_MONTH].size);
    }

    s.data = text;
    s.len = len;

    memset(&other, 0, sizeof(other));
    assert(gw_tier_text(&other, &s, &err) == GW_OK);

    other.bucket.interval = t->bucket.interval;
    assert(gw_tier_equal(t, &other));
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int          rc;
    gw_str_t     s;
    gw_tier_t    t;
    const char  *err;

    s.len = size;
    s.data = (const char *) data;

    memset(&t, 0, sizeof(t));
    err = NULL;

    rc = gw_tier_text(&t, &s, &err);

    if (rc == GW_OK) {
        assert(err == NULL && size <= GW_TIER_TEXT);
        use(&t);
        again(&t);

    } else {
        assert(rc == GW_ERROR && err != NULL && strlen(err) > 0);
    }

    assert(!gw_tier_is_name(&s)
           || (size <= GW_TIER_NAME && memchr(data, 0, size) == NULL));

    return 0;
}
