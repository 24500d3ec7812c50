
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_steps.h"


#define NGX_GW_JOURNAL_TURN    256      /* records fed at once */
#define NGX_GW_JOURNAL_PART    64       /* of one source, then the other */

/* from a record to the feeder: ms, also since the last ones; or records */

#define NGX_GW_JOURNAL_DELAY   25
#define NGX_GW_JOURNAL_PAUSE   500
#define NGX_GW_JOURNAL_BATCH   1024


static ngx_int_t ngx_gw_journal_feed_source(ngx_gw_journal_t *j,
    ngx_gw_journal_source_t *source);
static ngx_gw_journal_segment_t *ngx_gw_journal_feed_next(ngx_gw_journal_t *j,
    ngx_gw_journal_source_t *source);
static ngx_int_t ngx_gw_journal_feed_record(ngx_gw_journal_t *j,
    ngx_gw_journal_segment_t *seg);
static ngx_int_t ngx_gw_journal_feed_produce(ngx_gw_journal_t *j,
    ngx_gw_journal_segment_t *seg, const gw_journal_record_t *rec,
    size_t size);
static void ngx_gw_journal_feed_empty(ngx_gw_journal_t *j,
    ngx_gw_journal_segment_t *seg);
static void ngx_gw_journal_feed_damage(ngx_gw_journal_t *j,
    ngx_gw_journal_segment_t *seg);
static void ngx_gw_journal_feed_fed(ngx_gw_journal_segment_t *seg);
static void ngx_gw_journal_rewind(ngx_gw_journal_t *j);


void
ngx_gw_journal_feed(ngx_gw_journal_t *j)
{
    ngx_int_t   own, other;
    ngx_uint_t  n, max;

    if (j->feed.timer_set) {
        ngx_del_timer(&j->feed);
    }

    if (j->waiting) {
        j->waiting = 0;
        j->taken = ngx_current_msec;
    }

    /* a worker that ends has no other work */

    max = j->stopping ? NGX_GW_JOURNAL_BATCH : NGX_GW_JOURNAL_TURN;

    for (n = 0; n < max; n += NGX_GW_JOURNAL_PART) {

        own = ngx_gw_journal_feed_source(j, &j->source);
        other = NGX_DONE;

        if (j->drain) {
            other = ngx_gw_journal_feed_source(j, &j->drain->source);
        }

        if (own != NGX_OK && other != NGX_OK) {
            return;
        }
    }

    if (!j->stopping) {
        ngx_post_event(&j->turn, &ngx_posted_next_events);
    }
}


void
ngx_gw_journal_feed_soon(ngx_gw_journal_t *j)
{
    if (!j->turn.posted && !j->blocked && !j->stopping) {
        ngx_post_event(&j->turn, &ngx_posted_next_events);
    }
}


/*
 * A record more.  They are fed together, for each time costs the threads of
 * Kafka's client several wake-ups, and a request to the broker.
 */

void
ngx_gw_journal_feed_later(ngx_gw_journal_t *j)
{
    ngx_msec_int_t  pause;

    if (++j->waiting >= NGX_GW_JOURNAL_BATCH) {
        ngx_gw_journal_feed_soon(j);
        return;
    }

    if (j->feed.timer_set || j->blocked || j->stopping) {
        return;
    }

    pause = (ngx_msec_int_t) (j->taken + NGX_GW_JOURNAL_PAUSE
                              - ngx_current_msec);

    ngx_add_timer(&j->feed, (ngx_msec_t) ngx_max(pause, NGX_GW_JOURNAL_DELAY));
}


/*
 * A part of what a source has: NGX_OK if there may be more, NGX_DONE if there
 * is nothing, NGX_AGAIN if something else has to happen first.
 */

static ngx_int_t
ngx_gw_journal_feed_source(ngx_gw_journal_t *j,
    ngx_gw_journal_source_t *source)
{
    ngx_int_t                  rc;
    ngx_uint_t                 n;
    ngx_gw_journal_segment_t  *seg;

    seg = NULL;

    for (n = 0; n < NGX_GW_JOURNAL_PART; n++) {

        if (j->blocked || j->failed
            || j->tail - j->head == NGX_GW_JOURNAL_FLYING)
        {
            return NGX_AGAIN;
        }

        if (seg == NULL || seg->fed == seg->written) {
            seg = ngx_gw_journal_feed_next(j, source);
        }

        if (seg == NULL) {
            return NGX_DONE;
        }

        if (seg->data == NULL) {
            ngx_gw_journal_load(j, seg);

            if (seg->data == NULL) {
                return NGX_AGAIN;
            }

            continue;
        }

        rc = ngx_gw_journal_feed_record(j, seg);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* the oldest that is not fed; those before it wait for acknowledgements */

static ngx_gw_journal_segment_t *
ngx_gw_journal_feed_next(ngx_gw_journal_t *j, ngx_gw_journal_source_t *source)
{
    ngx_queue_t               *q;
    ngx_gw_journal_segment_t  *seg;

    for (q = ngx_queue_head(&source->segments);
         q != ngx_queue_sentinel(&source->segments);
         q = ngx_queue_next(q))
    {
        seg = ngx_gw_journal_segment_data(q);

        if (seg->fed < seg->written) {
            return seg;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_gw_journal_feed_record(ngx_gw_journal_t *j, ngx_gw_journal_segment_t *seg)
{
    size_t               size;
    ngx_int_t            rc;
    gw_journal_record_t  rec;

    rc = gw_journal_read(&rec, seg->data + seg->fed, seg->written - seg->fed,
                         &size);

    switch (rc) {

    case GW_OK:
        rc = ngx_gw_journal_feed_produce(j, seg, &rec, size);

        if (rc != NGX_OK) {
            return rc;
        }

        break;

    case GW_DECLINED:

        ngx_gw_journal_feed_empty(j, seg);
        break;

    default: /* GW_ERROR, GW_AGAIN */
        ngx_gw_journal_feed_damage(j, seg);
        break;
    }

    ngx_gw_journal_feed_fed(seg);

    return NGX_OK;
}


static ngx_int_t
ngx_gw_journal_feed_produce(ngx_gw_journal_t *j,
    ngx_gw_journal_segment_t *seg, const gw_journal_record_t *rec,
    size_t size)
{
    ngx_int_t                 rc;
    ngx_str_t                 key, event;
    ngx_gw_journal_flight_t  *flight;

    key.len = rec->key.len;
    key.data = (u_char *) rec->key.data;

    if (key.len == 0) {
        key.len = GW_USAGE_GENERATION_LEN;
        key.data = seg->source->key;
    }

    event.len = rec->event.len;
    event.data = (u_char *) rec->event.data;

    rc = ngx_gw_kafka_produce(j->kafka, &key, &event, (uintptr_t) j->tail);

    if (rc == NGX_AGAIN) {
        j->blocked = 1;
        return NGX_AGAIN;
    }

    flight = &j->flights[j->tail % NGX_GW_JOURNAL_FLYING];

    flight->segment = seg;
    flight->start = (uint32_t) seg->fed;
    flight->end = (uint32_t) (seg->fed + size);
    flight->since = j->again ? j->since : ngx_current_msec;

    if (rc == NGX_OK) {
        flight->state = NGX_GW_JOURNAL_UNDER_WAY;
        j->pending++;

    } else {
        flight->state = NGX_GW_JOURNAL_REFUSED;
        j->refused++;
    }

    j->again = 0;
    j->tail++;

    seg->flying++;
    seg->fed += size;

    if (j->drain && seg->source == &j->drain->source) {
        ngx_gw_journal_drain_seen(j, seg, rec);
    }

    return NGX_OK;
}


/* after a power cut what was written last need not be what was kept */

static void
ngx_gw_journal_feed_empty(ngx_gw_journal_t *j, ngx_gw_journal_segment_t *seg)
{
    size_t  rest;

    rest = seg->written - seg->fed;

    if (j->drain && seg->source == &j->drain->source && !j->drain->table
        && gw_journal_next(seg->data + seg->fed, rest) < rest)
    {
        ngx_gw_journal_feed_damage(j, seg);
        return;
    }

    seg->written = seg->fed;
}


static void
ngx_gw_journal_feed_damage(ngx_gw_journal_t *j, ngx_gw_journal_segment_t *seg)
{
    size_t      from;
    ngx_uint_t  n;

    from = seg->fed;

    seg->fed += gw_journal_next(seg->data + seg->fed,
                                seg->written - seg->fed);

    seg->bad = 1;

    if (from < seg->damage) {

        /* a second pass over it is no second damage */

        return;
    }

    seg->damage = seg->fed;
    j->count.corrupt++;

    if (ngx_gw_log_pass(&j->log_damage, &n)) {
        ngx_log_error(NGX_LOG_CRIT, j->log, 0,
                      "gw journal: segment %uD of generation %*s is damaged at "
                      "offset %uz, %uz bytes skipped, %ui more",
                      seg->file.number, (size_t) GW_USAGE_GENERATION_LEN,
                      seg->source->key, from, seg->fed - from, n);
    }
}


/* memory that was loaded is not needed any more */

static void
ngx_gw_journal_feed_fed(ngx_gw_journal_segment_t *seg)
{
    if (seg->fed == seg->written && !seg->memory
        && seg->data != seg->file.map)
    {
        ngx_free(seg->data);
        seg->data = NULL;
    }
}


void
ngx_gw_journal_report(void *data, uintptr_t opaque,
    ngx_gw_kafka_result_e result)
{
    ngx_gw_journal_t *j = data;

    uint64_t                  n;
    ngx_uint_t                more;
    ngx_gw_journal_flight_t  *flight;

    /* by the distance, an opaque may be of 32 bits */

    n = opaque - (uintptr_t) j->head;

    if (n >= j->tail - j->head) {
        return;
    }

    n += j->head;
    flight = &j->flights[n % NGX_GW_JOURNAL_FLYING];

    if (flight->state != NGX_GW_JOURNAL_UNDER_WAY) {
        return;
    }

    j->pending--;

    switch (result) {

    case NGX_GW_KAFKA_DELIVERED:
        flight->state = NGX_GW_JOURNAL_LANDED;
        break;

    case NGX_GW_KAFKA_FAILED:
        flight->state = NGX_GW_JOURNAL_FAILED;
        j->failed = 1;
        break;

    default: /* NGX_GW_KAFKA_REFUSED */
        flight->state = NGX_GW_JOURNAL_REFUSED;
        j->refused++;

        if (ngx_gw_log_pass(&j->log_dead, &more)) {
            ngx_log_error(NGX_LOG_ERR, j->log, 0,
                          "gw journal: Kafka refuses an event for ever, it "
                          "goes to the dead letters, %ui more", more);
        }

        break;
    }

    if (n == j->head) {
        ngx_gw_journal_land(j);
    }
}


void
ngx_gw_journal_land(ngx_gw_journal_t *j)
{
    ngx_uint_t                 full;
    ngx_gw_journal_flight_t   *flight;
    ngx_gw_journal_segment_t  *seg;

    full = (j->tail - j->head == NGX_GW_JOURNAL_FLYING);

    while (j->head != j->tail) {
        flight = &j->flights[j->head % NGX_GW_JOURNAL_FLYING];

        if (flight->state != NGX_GW_JOURNAL_LANDED) {
            break;
        }

        seg = flight->segment;

        seg->acked = flight->end;
        seg->flying--;

        /* a worker that takes over begins here */

        if (seg->data && seg->data == seg->file.map) {
            gw_journal_ack(seg->data + GW_JOURNAL_ACKED, seg->acked);
        }

        if (seg->source == &j->source) {
            j->unacked--;
            j->moved = ngx_current_msec;
        }

        j->count.acknowledged++;
        j->head++;
    }

    if (full && !j->stopping && !j->turn.posted) {
        ngx_post_event(&j->turn, &ngx_posted_next_events);
    }
}


/*
 * What failed is fed again, once all others are decided; until then nothing
 * else is fed.  Called every second.
 */

void
ngx_gw_journal_feed_retry(ngx_gw_journal_t *j)
{
    if (j->failed && j->pending == 0 && j->refused == 0) {
        ngx_gw_journal_rewind(j);
    }

    ngx_gw_journal_feed(j);
}


void
ngx_gw_journal_lost(void *data)
{
    ngx_gw_journal_t *j = data;

    ngx_gw_journal_rewind(j);

    j->blocked = 1;
    j->count.producers++;
}


void
ngx_gw_journal_ready(void *data)
{
    ngx_gw_journal_t *j = data;

    j->blocked = 0;

    if (!j->stopping && !j->turn.posted) {
        ngx_post_event(&j->turn, &ngx_posted_events);
    }
}


/*
 * All that is not acknowledged is fed again.  What landed behind the head is
 * sent twice, with the same id; what is being buried is refused again.
 */

static void
ngx_gw_journal_rewind(ngx_gw_journal_t *j)
{
    uint64_t                   n;
    ngx_gw_journal_flight_t   *flight;
    ngx_gw_journal_segment_t  *seg;

    j->failed = 0;

    if (j->head == j->tail) {
        return;
    }

    flight = &j->flights[j->head % NGX_GW_JOURNAL_FLYING];

    j->since = flight->since;
    j->again = 1;

    for (n = j->head; n != j->tail; n++) {
        flight = &j->flights[n % NGX_GW_JOURNAL_FLYING];
        seg = flight->segment;

        seg->flying--;
        seg->fed = ngx_min(seg->fed, flight->start);
    }

    j->head = j->tail;
    j->pending = 0;
    j->refused = 0;
}
