
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_steps.h"

#include <sys/random.h>


#define NGX_GW_JOURNAL_TICK      1000    /* ms */
#define NGX_GW_JOURNAL_TRIES     3

#define NGX_GW_JOURNAL_REQUESTS  512     /* in the table, at least */
#define NGX_GW_JOURNAL_REQUESTS_MAX  8192

/* bytes that events leave for marks when there is no other segment */

#define NGX_GW_JOURNAL_SPARE     1024


static ngx_int_t ngx_gw_journal_init(ngx_gw_journal_t *j, ngx_cycle_t *cycle);
static void ngx_gw_journal_timers(ngx_gw_journal_t *j);
static void ngx_gw_journal_begin(ngx_gw_journal_t *j);
static ngx_uint_t ngx_gw_journal_room(ngx_gw_journal_t *j, size_t room);
static void ngx_gw_journal_drop(ngx_gw_journal_t *j);
static void ngx_gw_journal_feed_handler(ngx_event_t *ev);
static void ngx_gw_journal_sync_handler(ngx_event_t *ev);
static void ngx_gw_journal_tick_handler(ngx_event_t *ev);
static void ngx_gw_journal_gauges(ngx_gw_journal_t *j);


ngx_gw_journal_t *
ngx_gw_journal_start(ngx_cycle_t *cycle, const ngx_gw_journal_conf_t *jcf,
    const ngx_gw_kafka_conf_t *kcf, ngx_gw_meter_t *meter)
{
    ngx_gw_journal_t         *j;
    ngx_gw_kafka_handlers_t   handlers;

    j = ngx_pcalloc(cycle->pool, sizeof(ngx_gw_journal_t));
    if (j == NULL) {
        return NULL;
    }

    j->conf = jcf;
    j->meter = meter;
    j->log = cycle->log;
    j->pid = ngx_pid;

    if (ngx_gw_journal_init(j, cycle) != NGX_OK) {
        return NULL;
    }

    handlers.report = ngx_gw_journal_report;
    handlers.lost = ngx_gw_journal_lost;
    handlers.ready = ngx_gw_journal_ready;
    handlers.data = j;

    j->kafka = ngx_gw_kafka_start(cycle, kcf, jcf->pool, &handlers);

    if (j->kafka == NULL) {
        return NULL;
    }

    j->gauges = ngx_gw_meter_join(meter);

    ngx_gw_journal_timers(j);
    ngx_gw_journal_begin(j);

    ngx_add_timer(&j->sync, jcf->sync);
    ngx_add_timer(&j->tick, NGX_GW_JOURNAL_TICK / 10);

    return j;
}


static ngx_int_t
ngx_gw_journal_init(ngx_gw_journal_t *j, ngx_cycle_t *cycle)
{
    size_t      size;
    ngx_uint_t  i, n;

    ngx_gw_journal_lane_t  *lane[] = { &j->opener, &j->loader, &j->finder,
                                       &j->syncer };

    size = NGX_GW_JOURNAL_FLYING * sizeof(ngx_gw_journal_flight_t);

    j->flights = ngx_palloc(cycle->pool, size);
    if (j->flights == NULL) {
        return NGX_ERROR;
    }

    n = ngx_min(ngx_max(cycle->connection_n, NGX_GW_JOURNAL_REQUESTS),
                NGX_GW_JOURNAL_REQUESTS_MAX);

    j->table.free = ngx_palloc(cycle->pool, n * sizeof(uint16_t));
    if (j->table.free == NULL) {
        return NGX_ERROR;
    }

    j->table.slots = (unsigned) n;

    for (i = 0; i < sizeof(lane) / sizeof(lane[0]); i++) {

        if (ngx_gw_journal_lane_init(lane[i], cycle, j->conf->pool)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        lane[i]->data = j;
    }

    j->opener.run = ngx_gw_journal_open_run;
    j->opener.done = ngx_gw_journal_open_done;
    j->loader.run = ngx_gw_journal_load_run;
    j->loader.done = ngx_gw_journal_load_done;
    j->finder.run = ngx_gw_journal_find_run;
    j->finder.done = ngx_gw_journal_find_done;
    j->syncer.run = ngx_gw_journal_sync_run;
    j->syncer.done = ngx_gw_journal_sync_done;

    ngx_queue_init(&j->spares);

    j->owner.lock = -1;

    return NGX_OK;
}


static void
ngx_gw_journal_timers(ngx_gw_journal_t *j)
{
    ngx_uint_t  i;

    ngx_event_t  *ev[] = { &j->feed, &j->turn, &j->sync, &j->tick };

    for (i = 0; i < sizeof(ev) / sizeof(ev[0]); i++) {
        ev[i]->data = j;
        ev[i]->log = j->log;
        ev[i]->cancelable = 1;
    }

    j->feed.handler = ngx_gw_journal_feed_handler;
    j->turn.handler = ngx_gw_journal_feed_handler;
    j->sync.handler = ngx_gw_journal_sync_handler;
    j->tick.handler = ngx_gw_journal_tick_handler;

    j->look = ngx_current_msec;
    j->mark_time = ngx_current_msec;
}


/* a generation nobody has, and its first segment */

static void
ngx_gw_journal_begin(ngx_gw_journal_t *j)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_GW_JOURNAL_TRIES; i++) {

        while (getrandom(&j->owner.generation, sizeof(uint64_t), 0)
               != sizeof(uint64_t))
        {
            /* interrupted; it does not fail otherwise */
        }

        ngx_gw_journal_source_init(&j->source, j->owner.generation);

        ngx_gw_journal_lane_call(&j->opener);

        if (j->opener.err != NGX_EEXIST || j->owned) {
            break;
        }
    }
}


uint64_t
ngx_gw_journal_generation(ngx_gw_journal_t *j)
{
    return j->owner.generation;
}


int64_t
ngx_gw_journal_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + (int64_t) tp->msec;
}


ngx_int_t
ngx_gw_journal_admit(ngx_gw_journal_t *j, ngx_gw_journal_ticket_t *ticket,
    gw_inflight_request_t *req, size_t room)
{
    if (j->conf->reject) {

        j->full = !ngx_gw_journal_room(j, room);

        if (j->full) {
            j->count.rejected++;
            return NGX_DECLINED;
        }

        ticket->room = room;
        j->reserved += room;

        ngx_gw_journal_open_more(j);
    }

    ticket->sequence = ++j->sequence;

    if (j->table.block) {
        req->sequence = ticket->sequence;
        ticket->slot = gw_inflight_enter(&j->table, req);
    }

    if (ticket->slot == 0) {
        j->count.unlisted++;
    }

    ngx_gw_journal_note(j);

    return NGX_OK;
}


void
ngx_gw_journal_number(ngx_gw_journal_t *j, ngx_gw_journal_ticket_t *ticket)
{
    /* the table is told with the event, or who adopts it misses one */

    ticket->sequence = ++j->sequence;
}


void
ngx_gw_journal_note(ngx_gw_journal_t *j)
{
    if (j->table.block) {
        gw_inflight_last(&j->table, j->sequence, j->dropped);
    }
}


/* at each end of a segment the room of a record may be lost */

static ngx_uint_t
ngx_gw_journal_room(ngx_gw_journal_t *j, size_t room)
{
    size_t  free;

    if (j->current == NULL) {
        return 0;
    }

    free = j->current->file.size - j->current->written
           + j->nspares * (j->conf->segment - GW_JOURNAL_HEADER);

    if (free >= j->reserved + room + NGX_GW_JOURNAL_SPARE
                + (j->nspares + 1) * GW_JOURNAL_MAX)
    {
        return 1;
    }

    ngx_gw_journal_open_more(j);

    return 0;
}


ngx_int_t
ngx_gw_journal_append(ngx_gw_journal_t *j, ngx_gw_journal_ticket_t *ticket,
    const ngx_str_t *key, const ngx_str_t *event)
{
    size_t               size;
    ngx_int_t            rc;
    gw_journal_record_t  rec;

    rec.type = GW_JOURNAL_EVENT;
    rec.sequence = ticket->sequence;
    rec.key.len = key->len;
    rec.key.data = (char *) key->data;
    rec.event.len = event->len;
    rec.event.data = (char *) event->data;

    size = gw_journal_size(&rec);

    if (j->conf->reject && size > ticket->room
        && !ngx_gw_journal_room(j, size - ticket->room))
    {
        /* what is left was promised to others */

        if (ticket->room) {
            return NGX_AGAIN;
        }

        rc = NGX_DECLINED;

    } else {
        rc = ngx_gw_journal_put(j, &rec);
    }

    if (rc == NGX_OK) {
        ngx_gw_journal_note(j);

    } else {
        ngx_gw_journal_drop(j);
    }

    /* the event first: a request is never without both */

    if (ticket->slot) {
        gw_inflight_leave(&j->table, (unsigned) ticket->slot);
    }

    j->reserved -= ticket->room;

    ngx_memzero(ticket, sizeof(ngx_gw_journal_ticket_t));

    return rc;
}


ngx_int_t
ngx_gw_journal_put(ngx_gw_journal_t *j, const gw_journal_record_t *rec)
{
    size_t                     size, margin;
    ngx_gw_journal_segment_t  *seg;

    seg = j->current;
    size = gw_journal_size(rec);

    margin = (j->nspares == 0 && rec->type == GW_JOURNAL_EVENT)
             ? NGX_GW_JOURNAL_SPARE : 0;

    if (seg == NULL || size + margin > seg->file.size - seg->written) {

        seg = ngx_gw_journal_rotate(j);

        if (seg == NULL) {
            ngx_gw_journal_open_more(j);
            return NGX_DECLINED;
        }
    }

    (void) gw_journal_write(seg->file.map + seg->written, rec);

    if (!j->unsynced_set) {
        j->unsynced_set = 1;
        j->unsynced = ngx_current_msec;
    }

    seg->written += size;

    if (j->unacked++ == 0) {
        j->moved = ngx_current_msec;
    }

    j->count.appended++;
    j->count.appended_bytes += size;

    if (seg->written > seg->file.size / 8 || j->reserved) {
        ngx_gw_journal_open_more(j);
    }

    ngx_gw_journal_feed_later(j);

    return NGX_OK;
}


void
ngx_gw_journal_failed(ngx_gw_journal_t *j, ngx_err_t err, const char *what)
{
    ngx_uint_t  n;

    j->count.failures++;

    if (err == EDQUOT) {

        /* it is told when an event finds no room */

        return;
    }

    if (ngx_gw_log_pass(&j->log_file, &n)) {
        ngx_log_error(NGX_LOG_CRIT, j->log, err,
                      "gw journal: %s in \"%V\" failed, %ui more", what,
                      &j->conf->path->name, n);
    }
}


static void
ngx_gw_journal_drop(ngx_gw_journal_t *j)
{
    ngx_uint_t  n;

    j->full = 1;
    j->dropped++;
    j->count.dropped++;

    ngx_gw_journal_note(j);

    if (ngx_gw_log_pass(&j->log_full, &n)) {
        ngx_log_error(NGX_LOG_CRIT, j->log, 0,
                      "gw journal: \"%V\" is full, or can't be written: %ui "
                      "events dropped, in all %uL by this worker",
                      &j->conf->path->name, n + 1, j->dropped);
    }
}


void
ngx_gw_journal_say(ngx_gw_journal_t *j, gw_usage_state_e state)
{
    gw_usage_mark_t      mark;
    gw_journal_record_t  rec;

    mark.generation = j->owner.generation;
    mark.number = j->marks + 1;
    mark.source.len = j->conf->node.len;
    mark.source.data = (char *) j->conf->node.data;
    mark.time = ngx_gw_journal_now();
    mark.state = state;
    mark.sequence = j->sequence;
    mark.dropped = j->dropped;

    ngx_gw_journal_mark(j, &mark, &rec);

    if (ngx_gw_journal_put(j, &rec) == NGX_OK) {
        j->marks++;
        j->marked = j->sequence;
    }

    j->mark_time = ngx_current_msec;
}


static void
ngx_gw_journal_feed_handler(ngx_event_t *ev)
{
    ngx_gw_journal_t *j = ev->data;

    ngx_gw_journal_feed(j);
    ngx_gw_journal_drain(j);
    ngx_gw_journal_tell(j);
}


/* the timers go on in a quitting worker, which may have hours of requests */

static void
ngx_gw_journal_sync_handler(ngx_event_t *ev)
{
    ngx_gw_journal_sync(ev->data);

    ngx_add_timer(ev, ((ngx_gw_journal_t *) ev->data)->conf->sync);
}


static void
ngx_gw_journal_tick_handler(ngx_event_t *ev)
{
    ngx_gw_journal_t *j = ev->data;

    ngx_add_timer(ev, NGX_GW_JOURNAL_TICK);

    if (j->marked != j->sequence
        && ngx_current_msec - j->mark_time >= NGX_GW_JOURNAL_MARK)
    {
        ngx_gw_journal_say(j, GW_USAGE_RUNNING);
    }

    ngx_gw_journal_open_more(j);
    ngx_gw_journal_feed_retry(j);
    ngx_gw_journal_drain_look(j);
    ngx_gw_journal_drain(j);
    ngx_gw_journal_tell(j);
    ngx_gw_journal_gauges(j);
}


/* counters are shared by all workers, so they are told in batches */

void
ngx_gw_journal_tell(ngx_gw_journal_t *j)
{
    ngx_uint_t     i;
    ngx_atomic_t  *from, *to;

    from = (ngx_atomic_t *) &j->count;
    to = (ngx_atomic_t *) ngx_gw_meter_counters(j->meter);

    for (i = 0;
         i < sizeof(ngx_gw_meter_counters_t) / sizeof(ngx_atomic_t);
         i++)
    {
        if (from[i]) {
            (void) ngx_atomic_fetch_add(&to[i], from[i]);
            from[i] = 0;
        }
    }
}


static void
ngx_gw_journal_gauges(ngx_gw_journal_t *j)
{
    ngx_queue_t               *q;
    ngx_gw_meter_gauges_t     *g;
    ngx_gw_journal_flight_t   *flight;
    ngx_gw_journal_segment_t  *seg;

    g = j->gauges;

    if (g == NULL) {
        return;
    }

    g->in_flight = j->tail - j->head;
    g->requests = j->table.block ? j->table.slots - j->table.nfree : 0;
    g->full = j->full;
    g->foreign = j->foreign;
    g->oldest = 0;
    g->lag = j->unsynced_set ? ngx_current_msec - j->unsynced : 0;
    g->pending = j->unacked;
    g->bytes = j->nspares * j->conf->segment;

    for (q = ngx_queue_head(&j->source.segments);
         q != ngx_queue_sentinel(&j->source.segments);
         q = ngx_queue_next(q))
    {
        seg = ngx_gw_journal_segment_data(q);
        g->bytes += seg->file.size;
    }

    if (j->head != j->tail) {
        flight = &j->flights[j->head % NGX_GW_JOURNAL_FLYING];
        g->oldest = ngx_current_msec - flight->since;

    } else if (j->again) {
        g->oldest = ngx_current_msec - j->since;

    } else if (j->unacked) {

        /* Kafka's client takes nothing */

        g->oldest = ngx_current_msec - j->moved;
    }

    g->updated = ngx_current_msec;
}
