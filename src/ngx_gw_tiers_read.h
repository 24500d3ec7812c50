
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The inside of the tiers, shared by ngx_gw_tiers.c, which is asked, and
 * ngx_gw_tiers_read.c, which reads the hash.
 *
 * ngx_gw_tiers_read_claim() takes the mark of who reads.  NGX_OK: the caller
 * has to read; NGX_DECLINED: it is too early, or another worker reads, "next"
 * tells when to ask again.  With "force" it is never too early, and two may
 * read.  ngx_gw_tiers_read_begin() reads, and ends with
 * ngx_gw_tiers_done(), maybe at once.  ngx_gw_tiers_read_release() gives
 * the mark back.
 *
 * ngx_gw_tiers_lookup() finds a tier in a list, NULL if there is none.
 */

#ifndef _NGX_GW_TIERS_READ_H_INCLUDED_
#define _NGX_GW_TIERS_READ_H_INCLUDED_


#include "ngx_gw_log.h"
#include "ngx_gw_tiers.h"
#include "ngx_gw_zone.h"


/* ms */

#define NGX_GW_TIERS_AGAIN  1000     /* after a failure, if that is sooner */
#define NGX_GW_TIERS_HURRY  100      /* the same, if requests wait */
#define NGX_GW_TIERS_GRACE  500      /* a read may end so late */


typedef struct {
    char                        name[GW_TIER_NAME];
    size_t                      len;
    gw_tier_t                   tier;
} ngx_gw_tiers_entry_t;


typedef struct {
    ngx_uint_t                  n;
    ngx_gw_tiers_entry_t        entries[NGX_GW_TIERS_MAX];
} ngx_gw_tiers_list_t;


typedef struct {
    ngx_atomic_t                generation;    /* of the list, 0: never read */
    ngx_atomic_t                loaded;        /* when it was read last */
    ngx_atomic_t                reads;
    ngx_atomic_t                failures;
    ngx_atomic_t                refused;
    ngx_atomic_t                changes;

    /* under the lock of the zone */

    ngx_pid_t                   owner;         /* of the mark, 0: nobody */
    ngx_msec_t                  expires;
    ngx_msec_t                  began;         /* the last read, or ended */

    unsigned                    tried:1;       /* "began" says something */
    unsigned                    failed:1;

    ngx_gw_tiers_list_t         list;
} ngx_gw_tiers_shared_t;


struct ngx_gw_tiers_zone_s {
    ngx_gw_zone_t              *zone;
};


struct ngx_gw_tiers_s {
    const ngx_gw_tiers_conf_t  *conf;
    ngx_gw_redis_t             *redis;
    ngx_log_t                  *log;
    ngx_gw_zone_t              *zone;
    ngx_gw_tiers_shared_t      *shared;
    ngx_event_t                 timer;
    ngx_event_t                 wake;
    ngx_queue_t                 waits;

    ngx_gw_redis_op_t           op;
    ngx_msec_t                  began;
    ngx_msec_t                  ended;
    ngx_msec_t                  pause;         /* no other read before */
    ngx_msec_t                  next;
    ngx_uint_t                  failed;        /* in a row */

    ngx_atomic_uint_t           generation;    /* of "list" */
    ngx_uint_t                  resets;
    ngx_gw_tiers_list_t         list;
    ngx_gw_tiers_list_t         fresh;         /* being read */

    ngx_gw_log_t                log_failure;
    ngx_gw_log_t                log_refused;
    ngx_gw_log_t                log_change;
    ngx_gw_log_t                log_back;
    ngx_gw_log_t                log_reset;

    unsigned                    read:1;        /* "list" is a good one */
    unsigned                    reading:1;
    unsigned                    holding:1;     /* the mark */
};


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_tiers_read_claim(ngx_gw_tiers_t *ts, ngx_uint_t force);
void ngx_gw_tiers_read_begin(ngx_gw_tiers_t *ts);
void ngx_gw_tiers_read_release(ngx_gw_tiers_t *ts);

void ngx_gw_tiers_done(ngx_gw_tiers_t *ts);

const ngx_gw_tiers_entry_t *ngx_gw_tiers_lookup(
    const ngx_gw_tiers_list_t *list, const char *name, size_t len);

GW_HIDDEN_END


#endif /* _NGX_GW_TIERS_READ_H_INCLUDED_ */
