
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What the workers of a machine count of events, in a zone of its own.
 *
 * ngx_gw_meter_add() asks for the zone while the configuration is read; NULL
 * if that failed, logged.  A reload keeps it, so counters only grow.
 * ngx_gw_meter_counters() are added to by ngx_atomic_fetch_add(), without a
 * lock, in workers.
 *
 * Gauges are set by one worker each: ngx_gw_meter_join() claims a place, by
 * pid, at worker start (NULL if all NGX_GW_METER_WORKERS are taken: that
 * worker is not seen), the worker writes to it and sets "updated", at least
 * every second, and ngx_gw_meter_leave() gives it back.  A place that was not
 * updated for NGX_GW_METER_STALE ms is free: its worker was killed.
 * ngx_gw_meter_gauges() sums up those of the living: each field is added, but
 * of the ages and of "foreign" the greatest counts.
 */

#ifndef _NGX_GW_METER_H_INCLUDED_
#define _NGX_GW_METER_H_INCLUDED_


#include "ngx_gw.h"


#define NGX_GW_METER_WORKERS  256
#define NGX_GW_METER_STALE    10000    /* ms */


typedef struct {
    ngx_atomic_t   appended;        /* records in the journal */
    ngx_atomic_t   appended_bytes;
    ngx_atomic_t   acknowledged;    /* records, by Kafka */
    ngx_atomic_t   dropped;         /* events: the journal was full */
    ngx_atomic_t   rejected;        /* requests: full=reject */
    ngx_atomic_t   dead;            /* events that Kafka will never take */
    ngx_atomic_t   replayed;        /* records of dead generations */
    ngx_atomic_t   adopted;         /* generations */
    ngx_atomic_t   unfinished;      /* events for requests cut off */
    ngx_atomic_t   unlisted;        /* requests: the table was full */
    ngx_atomic_t   corrupt;         /* places in segments */
    ngx_atomic_t   failures;        /* operations on files */
    ngx_atomic_t   syncs;
    ngx_atomic_t   producers;       /* replaced after a fatal error */
} ngx_gw_meter_counters_t;


typedef struct {
    ngx_pid_t      pid;             /* 0: free */
    ngx_msec_t     updated;         /* ngx_current_msec */
    uint64_t       in_flight;       /* messages in Kafka's client */
    uint64_t       requests;        /* in the table */
    uint64_t       pending;         /* records not acknowledged */
    uint64_t       bytes;           /* of files it owns or drains */
    uint64_t       full;            /* 1: no room for an event */
    uint64_t       foreign;         /* generations seen, not ours to drain */
    uint64_t       oldest;          /* age in ms of what is not acknowledged */
    uint64_t       lag;             /* age in ms of what is not synced */
} ngx_gw_meter_gauges_t;


typedef struct ngx_gw_meter_s  ngx_gw_meter_t;


GW_HIDDEN_BEGIN

ngx_gw_meter_t *ngx_gw_meter_add(ngx_conf_t *cf, ngx_str_t *name, void *tag);
ngx_gw_meter_counters_t *ngx_gw_meter_counters(ngx_gw_meter_t *meter);
ngx_gw_meter_gauges_t *ngx_gw_meter_join(ngx_gw_meter_t *meter);
void ngx_gw_meter_leave(ngx_gw_meter_t *meter, ngx_gw_meter_gauges_t *place);
void ngx_gw_meter_gauges(ngx_gw_meter_t *meter, ngx_gw_meter_gauges_t *sum,
    ngx_uint_t *workers);

GW_HIDDEN_END


#endif /* _NGX_GW_METER_H_INCLUDED_ */
