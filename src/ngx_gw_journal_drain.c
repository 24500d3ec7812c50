
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_steps.h"


#define NGX_GW_JOURNAL_LOOK   2000     /* ms between two looks */
#define NGX_GW_JOURNAL_AHEAD  2        /* segments not fed yet */


static ngx_int_t ngx_gw_journal_drain_start(ngx_gw_journal_t *j);
static void ngx_gw_journal_drain_table(ngx_gw_journal_drain_t *drain,
    ngx_log_t *log);
static int ngx_libc_cdecl ngx_gw_journal_drain_compare(const void *one,
    const void *two);
static ngx_uint_t ngx_gw_journal_drain_ahead(ngx_gw_journal_drain_t *drain);
static ngx_int_t ngx_gw_journal_drain_next(ngx_gw_journal_t *j);
static ngx_int_t ngx_gw_journal_drain_last(ngx_gw_journal_t *j);
static size_t ngx_gw_journal_drain_write(ngx_gw_journal_t *j, char *p);
static size_t ngx_gw_journal_drain_record(const gw_journal_record_t *rec,
    char *p);


/* called every second */

void
ngx_gw_journal_drain_look(ngx_gw_journal_t *j)
{
    if (!j->owned || j->drain || j->stopping || ngx_exiting
        || (ngx_msec_int_t) (ngx_current_msec - j->look) < 0)
    {
        return;
    }

    /* the workers do not all look at once */

    j->look = ngx_current_msec + NGX_GW_JOURNAL_LOOK
              + (ngx_msec_t) ngx_random() % NGX_GW_JOURNAL_LOOK;

    (void) ngx_gw_journal_lane_post(&j->finder);
}


void
ngx_gw_journal_find_run(ngx_gw_journal_lane_t *lane)
{
    ngx_gw_journal_t *j = lane->data;

    lane->err = ngx_gw_journal_file_find(&lane->place, &j->found);
}


void
ngx_gw_journal_find_done(ngx_gw_journal_lane_t *lane)
{
    ngx_gw_journal_t *j = lane->data;

    ngx_uint_t  n;

    if (j->found.foreign > j->foreign
        && ngx_gw_log_pass(&j->log_foreign, &n))
    {
        ngx_log_error(NGX_LOG_WARN, j->log, 0,
                      "gw journal: events of %ui workers in \"%V\" are of "
                      "another node, topic, cluster or version, they are kept",
                      j->found.foreign, &j->conf->path->name);
    }

    j->foreign = j->found.foreign;

    if (lane->err == NGX_ENOENT) {
        return;
    }

    if (lane->err) {
        ngx_gw_journal_failed(j, lane->err, lane->place.what);
        return;
    }

    /* at exit it is let go again: closing the lock is all */

    if (j->stopping || ngx_gw_journal_drain_start(j) != NGX_OK) {
        ngx_gw_journal_file_disown(&j->found.owner);
        free(j->found.numbers);
    }
}


static ngx_int_t
ngx_gw_journal_drain_start(ngx_gw_journal_t *j)
{
    ngx_gw_journal_drain_t  *drain;

    drain = ngx_calloc(sizeof(ngx_gw_journal_drain_t), j->log);
    if (drain == NULL) {
        return NGX_ERROR;
    }

    drain->orphan = j->found;

    ngx_gw_journal_source_init(&drain->source,
                               drain->orphan.owner.generation);
    ngx_gw_journal_drain_table(drain, j->log);

    j->drain = drain;
    j->count.adopted++;

    ngx_log_error(NGX_LOG_NOTICE, j->log, 0,
                  "gw journal: takes over %ui segments of generation %*s",
                  drain->orphan.n, (size_t) GW_USAGE_GENERATION_LEN,
                  drain->source.key);

    ngx_gw_journal_drain(j);

    return NGX_OK;
}


/*
 * The requests that it names, by their sequence.  Without a table, or with a
 * damaged one, the last sequence is not known.
 */

static void
ngx_gw_journal_drain_table(ngx_gw_journal_drain_t *drain, ngx_log_t *log)
{
    ngx_uint_t               i;
    gw_inflight_request_t    req;
    ngx_gw_journal_cut_t    *cut;
    ngx_gw_journal_owner_t  *owner;

    owner = &drain->orphan.owner;

    if (owner->table == NULL
        || gw_inflight_open(&drain->info, owner->table, owner->table_size)
           != GW_OK
        || drain->info.generation != owner->generation)
    {
        return;
    }

    drain->cuts = ngx_alloc((drain->info.slots + 1)
                            * sizeof(ngx_gw_journal_cut_t), log);
    if (drain->cuts == NULL) {
        return;
    }

    drain->table = 1;

    for (i = 1; i <= drain->info.slots; i++) {

        if (gw_inflight_read(&req, owner->table, owner->table_size, i)
            != GW_OK)
        {
            continue;
        }

        cut = &drain->cuts[drain->ncuts++];

        cut->sequence = req.sequence;
        cut->slot = i;
        cut->logged = 0;
        cut->left = 0;
    }

    ngx_qsort(drain->cuts, drain->ncuts, sizeof(ngx_gw_journal_cut_t),
              ngx_gw_journal_drain_compare);
}


static int ngx_libc_cdecl
ngx_gw_journal_drain_compare(const void *one, const void *two)
{
    const ngx_gw_journal_cut_t  *a, *b;

    a = one;
    b = two;

    return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}


/* goes on with it: after each segment, and each answer of a thread */

void
ngx_gw_journal_drain(ngx_gw_journal_t *j)
{
    ngx_gw_journal_drain_t  *drain;

    drain = j->drain;

    if (drain == NULL || drain->ended || j->stopping) {
        return;
    }

    while (drain->next < drain->orphan.n) {

        if (ngx_gw_journal_drain_ahead(drain) >= NGX_GW_JOURNAL_AHEAD
            || ngx_gw_journal_drain_next(j) != NGX_OK)
        {
            return;
        }

        ngx_gw_journal_feed_soon(j);
    }

    /* all records have to be seen before it is known what has none */

    if (ngx_gw_journal_drain_ahead(drain) == 0
        && ngx_gw_journal_drain_last(j) == NGX_OK)
    {
        drain->ended = 1;
        ngx_gw_journal_feed_soon(j);
    }
}


static ngx_uint_t
ngx_gw_journal_drain_ahead(ngx_gw_journal_drain_t *drain)
{
    ngx_uint_t                 n;
    ngx_queue_t               *q;
    ngx_gw_journal_segment_t  *seg;

    n = 0;

    for (q = ngx_queue_head(&drain->source.segments);
         q != ngx_queue_sentinel(&drain->source.segments);
         q = ngx_queue_next(q))
    {
        seg = ngx_gw_journal_segment_data(q);

        if (seg->fed < seg->written) {
            n++;
        }
    }

    return n;
}


static ngx_int_t
ngx_gw_journal_drain_next(ngx_gw_journal_t *j)
{
    ngx_gw_journal_file_t      file;
    ngx_gw_journal_drain_t    *drain;
    ngx_gw_journal_segment_t  *seg;

    drain = j->drain;

    ngx_memzero(&file, sizeof(ngx_gw_journal_file_t));

    file.generation = drain->source.generation;
    file.number = drain->orphan.numbers[drain->next];
    file.fd = -1;

    seg = ngx_gw_journal_segment_create(&drain->source, &file, j->log);
    if (seg == NULL) {
        return NGX_ERROR;
    }

    /* something, until it is loaded */

    seg->written++;
    seg->closed = 1;

    ngx_queue_insert_tail(&drain->source.segments, &seg->queue);

    drain->next++;

    return NGX_OK;
}


/* an event whose request is in the table: the worker died before it left */

void
ngx_gw_journal_drain_seen(ngx_gw_journal_t *j,
    ngx_gw_journal_segment_t *seg, const gw_journal_record_t *rec)
{
    ngx_gw_journal_cut_t     key, *cut;
    ngx_gw_journal_drain_t  *drain;

    drain = j->drain;

    if (seg->memory) {
        return;
    }

    j->count.replayed++;

    ngx_gw_journal_drain_note(drain, rec);

    if (rec->type != GW_JOURNAL_EVENT || drain->ncuts == 0) {
        return;
    }

    key.sequence = rec->sequence;

    cut = bsearch(&key, drain->cuts, drain->ncuts,
                  sizeof(ngx_gw_journal_cut_t), ngx_gw_journal_drain_compare);
    if (cut && !cut->logged) {
        cut->logged = 1;
        drain->logged++;
    }
}


/* the last sequence, and whether it is known that no other one follows */

void
ngx_gw_journal_drain_note(ngx_gw_journal_drain_t *drain,
    const gw_journal_record_t *rec)
{
    static const char  closed[] = "\"state\":\"closed\"";

    if (rec->type == GW_JOURNAL_EVENT) {
        drain->sequence = ngx_max(drain->sequence, rec->sequence);
        return;
    }

    if (memmem(rec->event.data, rec->event.len, closed, sizeof(closed) - 1)) {
        drain->closed = 1;
    }
}


/*
 * The last records, in memory: what the table names and has no event, and
 * the mark.  They are the same whoever makes them.
 */

static ngx_int_t
ngx_gw_journal_drain_last(ngx_gw_journal_t *j)
{
    size_t                     size;
    ngx_gw_journal_file_t      file;
    ngx_gw_journal_segment_t  *seg;

    ngx_memzero(&file, sizeof(ngx_gw_journal_file_t));

    file.generation = j->drain->source.generation;
    file.fd = -1;

    seg = ngx_gw_journal_segment_create(&j->drain->source, &file, j->log);
    if (seg == NULL) {
        return NGX_ERROR;
    }

    size = ngx_gw_journal_drain_write(j, NULL);

    seg->data = ngx_calloc(GW_JOURNAL_HEADER + size, j->log);

    if (seg->data == NULL) {
        ngx_gw_journal_segment_free(seg);
        return NGX_ERROR;
    }

    seg->written += ngx_gw_journal_drain_write(j,
                                               seg->data + GW_JOURNAL_HEADER);
    seg->closed = 1;
    seg->memory = 1;

    ngx_queue_insert_tail(&j->drain->source.segments, &seg->queue);

    return NGX_OK;
}


/* how long they are, and they themselves if there is memory for them */

static size_t
ngx_gw_journal_drain_write(ngx_gw_journal_t *j, char *p)
{
    size_t                   size;
    gw_str_t                 node;
    ngx_uint_t               i;
    gw_usage_mark_t          mark;
    gw_journal_record_t      rec;
    gw_inflight_request_t    req;
    ngx_gw_journal_owner_t  *owner;
    ngx_gw_journal_drain_t  *drain;

    size = 0;
    drain = j->drain;
    owner = &drain->orphan.owner;

    if (drain->closed && !drain->table) {

        /* moved, or a container's: the worker has said all of it itself */

        return 0;
    }

    node.len = j->conf->node.len;
    node.data = (char *) j->conf->node.data;

    ngx_memzero(&mark, sizeof(gw_usage_mark_t));

    mark.generation = drain->source.generation;
    mark.source = node;
    mark.state = GW_USAGE_RECOVERED;
    mark.sequence = drain->sequence;
    mark.time = ngx_gw_journal_now();

    if (drain->table) {
        mark.state = GW_USAGE_ADOPTED;
        mark.sequence = ngx_max(mark.sequence, drain->info.sequence);
        mark.dropped = drain->info.dropped;

        for (i = 0; i < drain->ncuts; i++) {
            mark.sequence = ngx_max(mark.sequence, drain->cuts[i].sequence);

            if (drain->cuts[i].logged
                || gw_inflight_read(&req, owner->table, owner->table_size,
                                    drain->cuts[i].slot)
                   != GW_OK)
            {
                continue;
            }

            ngx_gw_journal_unfinished(j, mark.generation, &req, &node, &rec);
            size += ngx_gw_journal_drain_record(&rec, p ? p + size : NULL);

            if (p) {
                j->count.unfinished++;
            }
        }
    }

    ngx_gw_journal_mark(j, &mark, &rec);
    size += ngx_gw_journal_drain_record(&rec, p ? p + size : NULL);

    return size;
}


static size_t
ngx_gw_journal_drain_record(const gw_journal_record_t *rec, char *p)
{
    return p ? gw_journal_write(p, rec) : gw_journal_size(rec);
}


/* nothing of it is left on disk */

void
ngx_gw_journal_drain_end(ngx_gw_journal_t *j)
{
    ngx_queue_t               *q;
    ngx_gw_journal_drain_t    *drain;
    ngx_gw_journal_segment_t  *seg;

    drain = j->drain;

    while (!ngx_queue_empty(&drain->source.segments)) {
        q = ngx_queue_head(&drain->source.segments);
        seg = ngx_gw_journal_segment_data(q);

        ngx_queue_remove(q);
        ngx_gw_journal_segment_free(seg);
    }

    ngx_log_error(NGX_LOG_NOTICE, j->log, 0,
                  "gw journal: generation %*s is complete",
                  (size_t) GW_USAGE_GENERATION_LEN, drain->source.key);

    if (drain->cuts) {
        ngx_free(drain->cuts);
    }

    ngx_gw_journal_file_disown(&drain->orphan.owner);
    free(drain->orphan.numbers);
    ngx_free(drain);

    j->drain = NULL;

    /* there may be another one */

    j->look = ngx_current_msec;
    ngx_gw_journal_drain_look(j);
}


void
ngx_gw_journal_unfinished(ngx_gw_journal_t *j, uint64_t generation,
    const gw_inflight_request_t *req, const gw_str_t *node,
    gw_journal_record_t *rec)
{
    gw_usage_unfinished_t  un;

    un.generation = generation;
    un.sequence = req->sequence;
    un.source = *node;
    un.subject = req->subject;
    un.api = req->api;
    un.request_id = req->request_id;
    un.start = req->start;

    ngx_memzero(rec, sizeof(gw_journal_record_t));

    rec->type = GW_JOURNAL_EVENT;
    rec->sequence = req->sequence;
    rec->event.data = (char *) j->event;
    rec->event.len = gw_usage_unfinished((char *) j->event, &un);
}


void
ngx_gw_journal_mark(ngx_gw_journal_t *j, const gw_usage_mark_t *mark,
    gw_journal_record_t *rec)
{
    ngx_memzero(rec, sizeof(gw_journal_record_t));

    rec->type = GW_JOURNAL_MARK;
    rec->sequence = mark->number;
    rec->event.data = (char *) j->event;
    rec->event.len = gw_usage_mark((char *) j->event, mark);
}
