
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Leases: tokens that were taken from a bucket in Redis ahead of the requests,
 * and are spent here.  A table of fixed records in sets of GW_LEASE_WAYS, as
 * gw_memo has; an evicted lease loses its tokens, which is safe.  No pointers,
 * no clock, not locked here.  "now" is milliseconds of a clock that never goes
 * back.  Whatever bytes of the block are changed, all functions stay inside.
 *
 * gw_lease_take() spends "cost" tokens, 0 looks without spending:
 *
 *     GW_OK        spent.  If t->want is not 0 the lease is half empty, and
 *                  the caller has to ask Redis for so many more; nobody waits
 *     GW_DECLINED  there are not enough: the caller asks Redis for its own
 *                  tokens, and for t->want more if that is not 0
 *
 * A want that was given out marks a refill under way; it ends by
 * gw_lease_grant(), also of 0 tokens, or after GW_LEASE_REFILL ms, for a worker
 * may die.  have + want <= max at all times, whoever asks, and nothing is
 * wanted for GW_LEASE_AWAY ms after a lease has expired, whose tokens may be on
 * their way back: this is the bound "lease" of the promise.  Who asks should
 * not wait for an answer longer than GW_LEASE_REFILL, or give such tokens back:
 * they count twice under way.
 *
 * How much is wanted follows the demand: it begins with GW_LEASE_FIRST when a
 * bucket is asked for twice within GW_LEASE_LIFE, doubles when a lease was
 * used up within half its life, halves when tokens were left over; at most
 * "max", which the caller computes by gw_lease_max(): the share of the burst,
 * but no more than the rate gives in GW_LEASE_AHEAD, and 0, which means no
 * lease at all, for a rate so low that several machines would starve each
 * other.
 *
 * gw_lease_grant() stores "granted" tokens, of the quota windows in "windows",
 * together with what Redis has said to be left: GW_OK, or GW_DECLINED if there
 * are tokens in "back" to be given back.  These are, as far as they are more
 * than was wanted or than "max" admits, those of an answer that comes when no
 * refill is under way any more, and of tokens of different windows the older
 * ones.
 *
 * gw_lease_spare() puts back tokens that a refused request had spent, within
 * the bound; what exceeds it is lost.
 *
 * gw_lease_expired() finds the next lease, from *cursor on, whose life is over
 * (all leases with owner "owner" if that is not 0), takes its tokens, and
 * describes them in "back": GW_OK, GW_DECLINED when the table is through, or
 * GW_AGAIN after GW_LEASE_SCAN records, for others wait for the lock.  The
 * tokens of a lease live GW_LEASE_LIFE ms after the last grant.
 */

#ifndef _GW_LEASE_H_INCLUDED_
#define _GW_LEASE_H_INCLUDED_


#include "gw_tier.h"


#define GW_LEASE_WAYS    8
#define GW_LEASE_RECORD  344         /* bytes */
#define GW_LEASE_NAME    208         /* bytes of a bucket's name in Redis */
#define GW_LEASE_SCAN    256
#define GW_LEASE_FIRST   8
#define GW_LEASE_AHEAD   250000      /* microseconds */
#define GW_LEASE_LIFE    500         /* ms */
#define GW_LEASE_REFILL  1000        /* ms */
#define GW_LEASE_AWAY    250         /* ms */
#define GW_LEASE_MIN     (16 * 1024)


typedef struct gw_lease_s  gw_lease_t;


/* what a lease is of; the name without the suffixes of its quotas */

typedef struct {
    gw_str_t      name;
    gw_tier_t     tier;
    int64_t       max;
    int64_t       ban;               /* microseconds that one lasts; 0: none */
    int64_t       after;             /* refusals that make one */
    uint32_t      owner;             /* who asked for it: a pid */
} gw_lease_of_t;


typedef struct {
    int64_t       want;
    int64_t       left;              /* estimate for the client, after this */
    int64_t       full;              /* microseconds, as of the grant */
} gw_lease_take_t;


typedef struct {
    char          name[GW_LEASE_NAME];
    size_t        len;
    int64_t       interval;
    int64_t       tokens;
    int64_t       windows[GW_QUOTA_UNITS];   /* 0: no such quota */
} gw_lease_back_t;


typedef struct {
    uint64_t      records;
    uint64_t      used;
    uint64_t      tokens;            /* held now */
    uint64_t      evicted;           /* with tokens */
    uint64_t      lost;              /* tokens, all that nobody can spend */
} gw_lease_stats_t;


GW_HIDDEN_BEGIN

int gw_lease_init(void *block, size_t size);
int64_t gw_lease_max(const gw_bucket_t *b, unsigned percent, uint64_t nodes);

int gw_lease_take(gw_lease_t *l, const uint64_t key[2],
    const gw_lease_of_t *of, uint64_t now, int64_t cost, gw_lease_take_t *t);
int gw_lease_grant(gw_lease_t *l, const uint64_t key[2],
    const gw_lease_of_t *of, uint64_t now, int64_t granted, int64_t left,
    int64_t full, const int64_t windows[GW_QUOTA_UNITS],
    gw_lease_back_t *back);
void gw_lease_spare(gw_lease_t *l, const uint64_t key[2], uint64_t now,
    int64_t tokens);
int gw_lease_expired(gw_lease_t *l, uint64_t now, uint32_t owner,
    uint64_t *cursor, gw_lease_back_t *back);

void gw_lease_stats(const gw_lease_t *l, gw_lease_stats_t *stats);

GW_HIDDEN_END


#endif /* _GW_LEASE_H_INCLUDED_ */
