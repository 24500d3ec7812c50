
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The zone of a machine for limits: what it remembers of buckets (gw_memo),
 * leases (gw_lease), counters, who it is and how many machines there are.
 *
 * ngx_gw_buckets_add() asks for it while the configuration is read; NULL if
 * that failed, logged.  3/4 of it are for memos, 1/4 for leases.  A reload
 * keeps it if name and size are the same.
 *
 * ngx_gw_buckets_key() makes the digest of a bucket from its name in Redis and
 * the numbers it is used with, by a secret of the zone: other numbers, another
 * record.  Not locked.
 *
 * ngx_gw_buckets_lock() gives the tables; see ngx_gw_zone.h for what may be
 * done until ngx_gw_buckets_unlock().
 *
 * ngx_gw_buckets_slot() finds or claims the counters of a limit by its name,
 * at worker start; the last of NGX_GW_BUCKETS_SLOTS is shared by all who find
 * no other, under the name "other".  Counters are added to without a lock.
 *
 * ngx_gw_buckets_nodes() is how many machines share the buckets, 0 if not
 * known; ngx_gw_buckets_beat() says that the caller has to send the next
 * heartbeat, at most one worker in "interval" ms; ngx_gw_buckets_sweep() says
 * the same of giving back leases.
 *
 * A worker that is killed inside the tables empties them, and is counted by
 * ngx_gw_buckets_resets(); the counters and all the rest stay.
 */

#ifndef _NGX_GW_BUCKETS_H_INCLUDED_
#define _NGX_GW_BUCKETS_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_redis.h"

#include "gw_lease.h"
#include "gw_memo.h"


#define NGX_GW_BUCKETS_SLOTS  64
#define NGX_GW_BUCKETS_NODES  10000         /* machines, at most */
#define NGX_GW_BUCKETS_MIN    (256 * 1024)      /* bytes of a zone */
#define NGX_GW_BUCKETS_ID     16                /* hex digits */


/* what became of a limit of a request */

typedef enum {
    NGX_GW_BUCKETS_PASSED = 0,       /* by Redis */
    NGX_GW_BUCKETS_LEASED,           /* passed without asking */
    NGX_GW_BUCKETS_LIMITED,          /* by Redis */
    NGX_GW_BUCKETS_REMEMBERED,       /* limited without asking */
    NGX_GW_BUCKETS_BANNED,
    NGX_GW_BUCKETS_IMPOSSIBLE,       /* costs more than the burst */
    NGX_GW_BUCKETS_DRY,              /* would have been refused */
    NGX_GW_BUCKETS_UNCHECKED,        /* error=allow */
    NGX_GW_BUCKETS_UNAVAILABLE,      /* error=deny */
    NGX_GW_BUCKETS_LOCAL_PASSED,     /* error=local */
    NGX_GW_BUCKETS_LOCAL_LIMITED,
    NGX_GW_BUCKETS_REFUNDED,
    NGX_GW_BUCKETS_RESULTS
} ngx_gw_buckets_result_e;


typedef struct {
    char                name[GW_TIER_NAME];
    ngx_uint_t          len;
    ngx_atomic_t        results[NGX_GW_BUCKETS_RESULTS];
} ngx_gw_buckets_slot_t;


/* latency of decisions: up to so many ms, and more */

#define NGX_GW_BUCKETS_BOUNDS  { 1, 2, 5, 10, 25, 50, 100, 250, 1000 }
#define NGX_GW_BUCKETS_NBOUNDS 9


typedef struct {
    ngx_atomic_t        failures[NGX_GW_REDIS_FAILURES];   /* by cause */
    ngx_atomic_t        invalid;     /* replies that are none of ours */
    ngx_atomic_t        took[NGX_GW_BUCKETS_NBOUNDS + 1];
    ngx_atomic_t        took_us;
    ngx_atomic_t        refills;
    ngx_atomic_t        leased;      /* tokens */
    ngx_atomic_t        returned;    /* tokens */
    ngx_atomic_t        give_failed; /* tokens that could not be given back */
    ngx_atomic_t        beats;
} ngx_gw_buckets_counters_t;


typedef struct {
    gw_memo_t          *memo;
    gw_lease_t         *lease;
} ngx_gw_buckets_tables_t;


typedef struct ngx_gw_buckets_s  ngx_gw_buckets_t;


GW_HIDDEN_BEGIN

ngx_gw_buckets_t *ngx_gw_buckets_add(ngx_conf_t *cf, ngx_str_t *name,
    size_t size, void *tag);

void ngx_gw_buckets_key(ngx_gw_buckets_t *z, const ngx_str_t *name,
    const gw_tier_t *tier, ngx_uint_t after, uint64_t key[2]);
ngx_gw_buckets_tables_t *ngx_gw_buckets_lock(ngx_gw_buckets_t *z);
void ngx_gw_buckets_unlock(ngx_gw_buckets_t *z);

ngx_gw_buckets_slot_t *ngx_gw_buckets_slot(ngx_gw_buckets_t *z,
    const ngx_str_t *name);
ngx_gw_buckets_slot_t *ngx_gw_buckets_slots(ngx_gw_buckets_t *z);
ngx_gw_buckets_counters_t *ngx_gw_buckets_counters(ngx_gw_buckets_t *z);
ngx_uint_t ngx_gw_buckets_resets(ngx_gw_buckets_t *z);

ngx_str_t ngx_gw_buckets_id(ngx_gw_buckets_t *z);
ngx_uint_t ngx_gw_buckets_beat(ngx_gw_buckets_t *z, ngx_msec_t interval);
ngx_uint_t ngx_gw_buckets_sweep(ngx_gw_buckets_t *z, ngx_msec_t interval);
void ngx_gw_buckets_set_nodes(ngx_gw_buckets_t *z, ngx_uint_t nodes);
ngx_uint_t ngx_gw_buckets_nodes(ngx_gw_buckets_t *z);

GW_HIDDEN_END


#endif /* _NGX_GW_BUCKETS_H_INCLUDED_ */
