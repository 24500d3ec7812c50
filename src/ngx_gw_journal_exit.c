
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_steps.h"


#define NGX_GW_JOURNAL_SLICE    50      /* ms between two looks */
#define NGX_GW_JOURNAL_RESERVE  300     /* ms for the producer's end */


static void ngx_gw_journal_exit_timers(ngx_gw_journal_t *j);
static void ngx_gw_journal_exit_close(ngx_gw_journal_t *j);
static void ngx_gw_journal_exit_flush(ngx_gw_journal_t *j, ngx_msec_t start);
static void ngx_gw_journal_exit_leave(ngx_gw_journal_t *j, ngx_msec_t start);


void
ngx_gw_journal_stop(ngx_gw_journal_t *j)
{
    ngx_msec_t      start;
    ngx_msec_int_t  left;

    if (j->pid != ngx_getpid()) {
        return;
    }

    ngx_time_update();
    start = ngx_current_msec;

    j->stopping = 1;

    ngx_gw_journal_exit_timers(j);

    /* the threads have ended, what they did may not be known yet */

    ngx_gw_journal_lane_end(&j->opener);
    ngx_gw_journal_lane_end(&j->loader);
    ngx_gw_journal_lane_end(&j->finder);
    ngx_gw_journal_lane_end(&j->syncer);

    ngx_gw_journal_exit_close(j);
    ngx_gw_journal_sync_now(j, start);
    ngx_gw_journal_exit_flush(j, start);

    left = ngx_gw_journal_exit_left(start);

    ngx_gw_kafka_stop(j->kafka, left > 0 ? (ngx_msec_t) left : 0);

    ngx_gw_journal_exit_leave(j, start);
    ngx_gw_journal_tell(j);

    if (j->gauges) {
        ngx_gw_meter_leave(j->meter, j->gauges);
    }
}


static void
ngx_gw_journal_exit_timers(ngx_gw_journal_t *j)
{
    ngx_uint_t  i;

    ngx_event_t  *ev[] = { &j->feed, &j->turn, &j->sync, &j->tick };

    for (i = 0; i < sizeof(ev) / sizeof(ev[0]); i++) {

        if (ev[i]->timer_set) {
            ngx_del_timer(ev[i]);
        }

        if (ev[i]->posted) {
            ngx_delete_posted_event(ev[i]);
        }
    }
}


/* requests that TERM cut off are named here, and nobody has to adopt them */

static void
ngx_gw_journal_exit_close(ngx_gw_journal_t *j)
{
    uint64_t               marks;
    gw_str_t               node;
    ngx_uint_t             i;
    gw_journal_record_t    rec;
    gw_inflight_request_t  req;

    if (!j->owned) {
        return;
    }

    node.len = j->conf->node.len;
    node.data = (char *) j->conf->node.data;

    for (i = 1; j->table.block && i <= j->table.slots; i++) {

        if (gw_inflight_read(&req, j->table.block, j->owner.table_size,
                             (unsigned) i)
            != GW_OK)
        {
            continue;
        }

        ngx_gw_journal_unfinished(j, j->owner.generation, &req, &node, &rec);

        if (ngx_gw_journal_put(j, &rec) != NGX_OK) {

            /* who adopts the rest finds them in the table */

            return;
        }

        gw_inflight_leave(&j->table, (unsigned) i);
        j->count.unfinished++;
    }

    marks = j->marks;

    ngx_gw_journal_say(j, GW_USAGE_CLOSED);

    /* without that mark who adopts it tells how it ended */

    if (j->current && j->marks != marks) {
        j->current->closed = 1;
    }
}


static void
ngx_gw_journal_exit_flush(ngx_gw_journal_t *j, ngx_msec_t start)
{
    uint64_t        head, tail;
    ngx_uint_t      n;
    ngx_msec_int_t  left;

    for ( ;; ) {
        left = ngx_gw_journal_exit_left(start) - NGX_GW_JOURNAL_RESERVE;

        if (left <= 0) {
            return;
        }

        head = j->head;
        tail = j->tail;
        j->blocked = 0;

        ngx_gw_journal_feed(j);

        n = ngx_gw_kafka_flush(j->kafka, ngx_min(left, NGX_GW_JOURNAL_SLICE));

        if (n == 0 && j->head == head && j->tail == tail) {

            /* nothing moves any more: all is sent, or can't be */

            return;
        }
    }
}


static void
ngx_gw_journal_exit_leave(ngx_gw_journal_t *j, ngx_msec_t start)
{
    uint64_t   n;
    ngx_err_t  err;

    /* spares are empty */

    while (!ngx_queue_empty(&j->spares)) {
        (void) ngx_gw_journal_rotate(j);
        j->current->closed = 1;
    }

    n = j->count.failures;

    ngx_gw_journal_sync_now(j, start);

    if (!j->owned) {
        return;
    }

    if (ngx_queue_empty(&j->source.segments) && n == j->count.failures) {
        err = ngx_gw_journal_file_finish(&j->syncer.place, &j->owner);

        if (err) {
            ngx_gw_journal_failed(j, err, j->syncer.place.what);
        }

        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, j->log, 0,
                  "gw journal: generation %*s is left to other workers, "
                  "%uL records are not acknowledged",
                  (size_t) GW_USAGE_GENERATION_LEN, j->source.key,
                  j->unacked);
}


/* what is left of the time to exit: TERM may come while we wait */

ngx_msec_int_t
ngx_gw_journal_exit_left(ngx_msec_t start)
{
    ngx_time_update();

    return (ngx_msec_int_t) (start - ngx_current_msec)
           + (ngx_terminate ? NGX_GW_JOURNAL_TERM : NGX_GW_JOURNAL_QUIT);
}
