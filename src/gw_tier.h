
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The numbers of a tier, as they stand in the configuration and in Redis:
 *
 *     rate=5r/s [burst=10] [quota=10000/day] [quota=200000/month]
 *
 * gw_tier_word() takes one of these words, GW_DECLINED if it is none of them.
 * gw_tier_end() checks the whole.  gw_tier_text() does both with words that
 * are separated by blanks, from an untrusted source.  They return GW_OK, or
 * GW_ERROR with the reason in "err", a static string that follows the name of
 * a tier or directive: "has no \"rate=\"".
 *
 * "t" is zeroed by the caller before the first word.  A word is used until
 * gw_tier_end(), which leaves nothing of it in "t".
 *
 * gw_tier_equal() compares the numbers of two tiers that are complete.
 */

#ifndef _GW_TIER_H_INCLUDED_
#define _GW_TIER_H_INCLUDED_


#include "gw_bucket.h"
#include "gw_quota.h"


#define GW_TIER_NAME    64      /* bytes: letters, digits, "-" and "_" */
#define GW_TIER_TEXT    256     /* bytes of a tier in Redis */


typedef struct {
    gw_bucket_t   bucket;
    gw_quota_t    quota[GW_QUOTA_UNITS];     /* by unit; size 0: none */

    /* until gw_tier_end() */

    gw_str_t      rate;
    int64_t       burst;
} gw_tier_t;


GW_HIDDEN_BEGIN

int gw_tier_word(gw_tier_t *t, const gw_str_t *word, const char **err);
int gw_tier_end(gw_tier_t *t, const char **err);
int gw_tier_text(gw_tier_t *t, const gw_str_t *text, const char **err);
int gw_tier_equal(const gw_tier_t *a, const gw_tier_t *b);
int gw_tier_is_name(const gw_str_t *name);

GW_HIDDEN_END


#endif /* _GW_TIER_H_INCLUDED_ */
