
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The state of a journal, for its parts: ngx_gw_journal.c writes it, _feed
 * brings it to Kafka, _sync to the directory, _drain does the same with what
 * others left.  Lanes: "opener" makes segments, "loader" reads them, "finder"
 * looks for orphans, "syncer" copies, syncs and removes.
 */

#ifndef _NGX_GW_JOURNAL_CORE_H_INCLUDED_
#define _NGX_GW_JOURNAL_CORE_H_INCLUDED_


#include "ngx_gw_journal.h"
#include "ngx_gw_journal_lane.h"
#include "ngx_gw_journal_segment.h"
#include "ngx_gw_kafka.h"
#include "ngx_gw_log.h"

#include <ngx_event.h>


#define NGX_GW_JOURNAL_OPS    16


/* a request of a table that is being drained */

typedef struct {
    uint64_t                      sequence;
    unsigned                      slot:30;
    unsigned                      logged:1;
    unsigned                      left:1;    /* in the file, too */
} ngx_gw_journal_cut_t;


/* what a dead worker left */

typedef struct {
    ngx_gw_journal_source_t       source;
    ngx_gw_journal_orphan_t       orphan;
    ngx_uint_t                    next;      /* of its numbers */
    gw_inflight_info_t            info;      /* of its table */
    ngx_gw_journal_cut_t         *cuts;
    ngx_uint_t                    ncuts;
    ngx_uint_t                    logged;    /* of them, and not left */
    uint64_t                      sequence;  /* the greatest seen */

    unsigned                      table:1;
    unsigned                      closed:1;  /* as its own mark says */
    unsigned                      ended:1;   /* the last records are made */
    unsigned                      finishing:1;
} ngx_gw_journal_drain_t;


struct ngx_gw_journal_s {
    const ngx_gw_journal_conf_t  *conf;
    ngx_gw_kafka_t               *kafka;
    ngx_gw_meter_t               *meter;
    ngx_gw_meter_gauges_t        *gauges;
    ngx_gw_meter_counters_t       count;     /* not told to the meter yet */
    ngx_log_t                    *log;
    ngx_pid_t                     pid;

    ngx_gw_journal_owner_t        owner;
    ngx_gw_journal_source_t       source;
    ngx_gw_journal_segment_t     *current;
    ngx_queue_t                   spares;
    ngx_uint_t                    nspares;
    ngx_uint_t                    tails;     /* current, spare, closed */
    uint32_t                      number;    /* of the last segment */

    gw_inflight_t                 table;     /* block is NULL if none */
    gw_inflight_t                 made;      /* the same, by the opener */
    uint64_t                      sequence;  /* given out last */
    uint64_t                      dropped;
    uint64_t                      marks;
    uint64_t                      marked;    /* sequence of the last mark */
    ngx_msec_t                    mark_time;
    size_t                        reserved;

    ngx_gw_journal_flight_t      *flights;
    uint64_t                      head;
    uint64_t                      tail;
    ngx_uint_t                    pending;   /* flights not decided */
    ngx_uint_t                    refused;   /* flights to be buried */
    ngx_msec_t                    since;     /* of what is fed again */
    uint64_t                      unacked;   /* records of our own */
    ngx_uint_t                    waiting;   /* the same, since "taken" */
    ngx_msec_t                    taken;     /* when they were fed last */
    ngx_msec_t                    moved;     /* when that was less, or 0 */
    ngx_msec_t                    unsynced;  /* since when */
    ngx_msec_t                    syncing;   /* the same, of the syncer */

    ngx_gw_journal_drain_t       *drain;
    ngx_msec_t                    look;      /* when to look for orphans */
    ngx_uint_t                    foreign;

    ngx_gw_journal_lane_t         opener;
    ngx_gw_journal_file_t         opened;
    ngx_err_t                     headed;    /* of its first copy */
    ngx_msec_t                    reopen;    /* not before that */
    ngx_msec_t                    rotated;
    ngx_gw_journal_lane_t         loader;
    ngx_gw_journal_segment_t     *loading;
    ngx_gw_journal_file_t         loaded;
    char                         *buffer;
    ngx_gw_journal_lane_t         finder;
    ngx_gw_journal_orphan_t       found;
    ngx_gw_journal_lane_t         syncer;
    ngx_gw_journal_op_t           ops[NGX_GW_JOURNAL_OPS];
    ngx_uint_t                    nops;

    ngx_event_t                   feed;      /* later */
    ngx_event_t                   turn;      /* at once */
    ngx_event_t                   sync;
    ngx_event_t                   tick;

    ngx_gw_log_t                  log_full;
    ngx_gw_log_t                  log_file;
    ngx_gw_log_t                  log_damage;
    ngx_gw_log_t                  log_dead;
    ngx_gw_log_t                  log_foreign;

    u_char                        event[GW_USAGE_MAX_EVENT];

    unsigned                      owned:1;
    unsigned                      full:1;
    unsigned                      fast:1;    /* segments fill quickly */
    unsigned                      blocked:1; /* Kafka takes no more */
    unsigned                      failed:1;  /* a flight, feed no other */
    unsigned                      stuck:1;   /* the syncer failed last */
    unsigned                      again:1;   /* the next flight is an old one */
    unsigned                      unsynced_set:1;
    unsigned                      stopping:1;
};


#endif /* _NGX_GW_JOURNAL_CORE_H_INCLUDED_ */
