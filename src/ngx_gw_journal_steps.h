
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What the parts of the journal call of each other.  All in the event loop;
 * none blocks, but for ngx_gw_journal_sync_now().
 */

#ifndef _NGX_GW_JOURNAL_STEPS_H_INCLUDED_
#define _NGX_GW_JOURNAL_STEPS_H_INCLUDED_


#include "ngx_gw_journal_core.h"


GW_HIDDEN_BEGIN

/* a record into the current segment; NGX_DECLINED if there is no room */

ngx_int_t ngx_gw_journal_put(ngx_gw_journal_t *j,
    const gw_journal_record_t *rec);

/* a mark of our own; the table learns of the last sequence; the meter too */

void ngx_gw_journal_say(ngx_gw_journal_t *j, gw_usage_state_e state);
void ngx_gw_journal_note(ngx_gw_journal_t *j);
void ngx_gw_journal_tell(ngx_gw_journal_t *j);


/* makes segments ahead; closes the current one, NULL if there is no other */

void ngx_gw_journal_open_more(ngx_gw_journal_t *j);
ngx_gw_journal_segment_t *ngx_gw_journal_rotate(ngx_gw_journal_t *j);
void ngx_gw_journal_open_run(ngx_gw_journal_lane_t *lane);
void ngx_gw_journal_open_done(ngx_gw_journal_lane_t *lane);


/* ms since the epoch */

int64_t ngx_gw_journal_now(void);

/* logs, and counts, that a file could not be dealt with */

void ngx_gw_journal_failed(ngx_gw_journal_t *j, ngx_err_t err,
    const char *what);


/* feeds at once, after other work, or some time; handlers of ngx_gw_kafka.h */

void ngx_gw_journal_feed(ngx_gw_journal_t *j);
void ngx_gw_journal_feed_soon(ngx_gw_journal_t *j);
void ngx_gw_journal_feed_later(ngx_gw_journal_t *j);
void ngx_gw_journal_feed_retry(ngx_gw_journal_t *j);
void ngx_gw_journal_report(void *data, uintptr_t opaque,
    ngx_gw_kafka_result_e result);
void ngx_gw_journal_lost(void *data);
void ngx_gw_journal_ready(void *data);

/* a flight is decided */

void ngx_gw_journal_land(ngx_gw_journal_t *j);

/* the records of a segment into memory, at exit before it returns */

void ngx_gw_journal_load(ngx_gw_journal_t *j, ngx_gw_journal_segment_t *seg);
void ngx_gw_journal_load_run(ngx_gw_journal_lane_t *lane);
void ngx_gw_journal_load_done(ngx_gw_journal_lane_t *lane);


/* copies, syncs and removes what there is; at exit without a thread */

void ngx_gw_journal_sync(ngx_gw_journal_t *j);
void ngx_gw_journal_sync_now(ngx_gw_journal_t *j, ngx_msec_t start);

/* ms of the time to exit */

ngx_msec_int_t ngx_gw_journal_exit_left(ngx_msec_t start);

void ngx_gw_journal_sync_run(ngx_gw_journal_lane_t *lane);
void ngx_gw_journal_sync_done(ngx_gw_journal_lane_t *lane);

/* the next thing for the syncer to do, NULL if its list is full */

ngx_gw_journal_op_t *ngx_gw_journal_sync_op(ngx_gw_journal_t *j,
    ngx_gw_journal_op_e op, ngx_gw_journal_segment_t *seg);


/* what Kafka refused goes to the dead letters: asked for, in a thread, done */

void ngx_gw_journal_bury(ngx_gw_journal_t *j);
ngx_err_t ngx_gw_journal_bury_run(ngx_gw_journal_place_t *place,
    ngx_gw_journal_op_t *op);
void ngx_gw_journal_bury_done(ngx_gw_journal_t *j, ngx_gw_journal_op_t *op);


/* looks for orphans now and then; goes on with one */

void ngx_gw_journal_drain_look(ngx_gw_journal_t *j);
void ngx_gw_journal_drain(ngx_gw_journal_t *j);
void ngx_gw_journal_drain_seen(ngx_gw_journal_t *j,
    ngx_gw_journal_segment_t *seg, const gw_journal_record_t *rec);
void ngx_gw_journal_drain_note(ngx_gw_journal_drain_t *drain,
    const gw_journal_record_t *rec);
void ngx_gw_journal_drain_end(ngx_gw_journal_t *j);
void ngx_gw_journal_find_run(ngx_gw_journal_lane_t *lane);
void ngx_gw_journal_find_done(ngx_gw_journal_lane_t *lane);

/* the event of a request that was cut off, as a record in j->event */

void ngx_gw_journal_unfinished(ngx_gw_journal_t *j, uint64_t generation,
    const gw_inflight_request_t *req, const gw_str_t *node,
    gw_journal_record_t *rec);

/* a mark, the same; "number" is that of the mark */

void ngx_gw_journal_mark(ngx_gw_journal_t *j, const gw_usage_mark_t *mark,
    gw_journal_record_t *rec);

GW_HIDDEN_END


#endif /* _NGX_GW_JOURNAL_STEPS_H_INCLUDED_ */
