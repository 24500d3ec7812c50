
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_steps.h"


/* with so many tails the next is released, also if it is to be fed still */

#define NGX_GW_JOURNAL_FEW   4

/* at exit, between two looks at the clock */

#define NGX_GW_JOURNAL_LAST  4


static void ngx_gw_journal_sync_own(ngx_gw_journal_t *j);
static void ngx_gw_journal_sync_tails(ngx_gw_journal_t *j);
static void ngx_gw_journal_sync_remove(ngx_gw_journal_t *j,
    ngx_gw_journal_segment_t *seg);
static ngx_uint_t ngx_gw_journal_sync_left(ngx_gw_journal_t *j,
    ngx_gw_journal_drain_t *drain);
static void ngx_gw_journal_sync_drained(ngx_gw_journal_t *j);
static ngx_err_t ngx_gw_journal_sync_step(ngx_gw_journal_place_t *place,
    ngx_gw_journal_op_t *op);
static void ngx_gw_journal_sync_applied(ngx_gw_journal_t *j,
    ngx_gw_journal_op_t *op);
static void ngx_gw_journal_sync_stayed(ngx_gw_journal_drain_t *drain,
    const ngx_gw_journal_op_t *op);
static void ngx_gw_journal_sync_age(ngx_gw_journal_t *j);


void
ngx_gw_journal_sync(ngx_gw_journal_t *j)
{
    if (!j->owned || !ngx_gw_journal_lane_idle(&j->syncer)) {
        return;
    }

    j->nops = 0;
    j->syncing = ngx_current_msec;

    /* what is refused is read from maps, which are released behind it */

    ngx_gw_journal_bury(j);
    ngx_gw_journal_sync_own(j);
    ngx_gw_journal_sync_drained(j);

    if (j->nops == 0) {
        return;
    }

    if (j->stopping) {
        ngx_gw_journal_lane_call(&j->syncer);
        return;
    }

    if (ngx_gw_journal_lane_post(&j->syncer) != NGX_OK) {

        /* nothing was done, the results say so */

        while (j->nops) {
            j->nops--;
            j->ops[j->nops].err = NGX_EAGAIN;
            ngx_gw_journal_sync_applied(j, &j->ops[j->nops]);
        }
    }
}


/* until there is nothing more to do, or it fails, or takes too long */

void
ngx_gw_journal_sync_now(ngx_gw_journal_t *j, ngx_msec_t start)
{
    ngx_uint_t  i;

    do {
        ngx_gw_journal_sync(j);

        if (ngx_gw_journal_exit_left(start) <= 0) {
            return;
        }

        for (i = 0; i < j->nops; i++) {
            if (j->ops[i].err) {
                return;
            }
        }

    } while (j->nops);
}


ngx_gw_journal_op_t *
ngx_gw_journal_sync_op(ngx_gw_journal_t *j, ngx_gw_journal_op_e op,
    ngx_gw_journal_segment_t *seg)
{
    ngx_gw_journal_op_t  *o;

    if (j->nops == (j->stopping ? NGX_GW_JOURNAL_LAST : NGX_GW_JOURNAL_OPS)) {
        return NULL;
    }

    o = &j->ops[j->nops++];

    ngx_memzero(o, sizeof(ngx_gw_journal_op_t));

    o->op = op;
    o->segment = seg;

    if (seg) {
        o->file = seg->file;
        o->acked = seg->acked;
        o->to = seg->written;
        o->bad = seg->bad;

        seg->busy = 1;
    }

    return o;
}


/* those with a tail first: the others may be many, and must not delay them */

static void
ngx_gw_journal_sync_own(ngx_gw_journal_t *j)
{
    ngx_queue_t               *q;
    ngx_gw_journal_segment_t  *seg;

    ngx_gw_journal_sync_tails(j);

    for (q = ngx_queue_head(&j->source.segments);
         q != ngx_queue_sentinel(&j->source.segments)
         && j->nops < NGX_GW_JOURNAL_OPS;
         q = ngx_queue_next(q))
    {
        seg = ngx_gw_journal_segment_data(q);

        if (!seg->busy && ngx_gw_journal_segment_done(seg)) {
            ngx_gw_journal_sync_remove(j, seg);
        }
    }
}


static void
ngx_gw_journal_sync_tails(ngx_gw_journal_t *j)
{
    ngx_queue_t               *q;
    ngx_gw_journal_op_t       *op;
    ngx_gw_journal_segment_t  *seg;

    for (q = ngx_queue_head(&j->source.segments);
         q != ngx_queue_sentinel(&j->source.segments);
         q = ngx_queue_next(q))
    {
        seg = ngx_gw_journal_segment_data(q);

        if (seg->busy || seg->file.map == NULL) {
            continue;
        }

        if (ngx_gw_journal_segment_done(seg)) {
            ngx_gw_journal_sync_remove(j, seg);
            continue;
        }

        if (seg->copied < seg->written) {
            op = ngx_gw_journal_sync_op(j, NGX_GW_JOURNAL_COPY, seg);

            if (op) {
                op->from = seg->copied;
            }

            continue;
        }

        /* it is fed from the copy then, if it has to be fed at all */

        if (seg->closed
            && (seg->fed == seg->written
                || j->tails >= NGX_GW_JOURNAL_FEW)
            && ngx_gw_journal_sync_op(j, NGX_GW_JOURNAL_RELEASE, seg))
        {
            seg->data = NULL;
        }
    }
}


static void
ngx_gw_journal_sync_remove(ngx_gw_journal_t *j, ngx_gw_journal_segment_t *seg)
{
    if (seg == j->loading) {
        return;
    }

    if (ngx_gw_journal_sync_op(j, NGX_GW_JOURNAL_REMOVE, seg)
        && seg->data == seg->file.map)
    {
        seg->data = NULL;
    }
}


/*
 * An event's request leaves the table first, and only then its segment goes:
 * who begins anew would not see it.
 */

static ngx_uint_t
ngx_gw_journal_sync_left(ngx_gw_journal_t *j, ngx_gw_journal_drain_t *drain)
{
    ngx_uint_t             i, n;
    ngx_gw_journal_op_t   *op;
    ngx_gw_journal_cut_t  *cut;

    n = 0;

    for (i = 0; drain->logged && i < drain->ncuts; i++) {
        cut = &drain->cuts[i];

        if (!cut->logged || cut->left) {
            continue;
        }

        op = ngx_gw_journal_sync_op(j, NGX_GW_JOURNAL_LEAVE, NULL);
        if (op == NULL) {
            break;
        }

        op->file.generation = drain->source.generation;
        op->from = cut->slot;
        cut->left = 1;
        drain->logged--;
        n++;
    }

    return drain->logged + n;
}


/* the table goes last: until then another worker can begin anew */

static void
ngx_gw_journal_sync_drained(ngx_gw_journal_t *j)
{
    ngx_uint_t                 rest;
    ngx_queue_t               *q;
    ngx_gw_journal_drain_t    *drain;
    ngx_gw_journal_segment_t  *seg;

    drain = j->drain;

    if (drain == NULL || drain->finishing
        || ngx_gw_journal_sync_left(j, drain))
    {
        return;
    }

    rest = 0;

    for (q = ngx_queue_head(&drain->source.segments);
         q != ngx_queue_sentinel(&drain->source.segments);
         q = ngx_queue_next(q))
    {
        seg = ngx_gw_journal_segment_data(q);

        if (!ngx_gw_journal_segment_done(seg) || seg->busy
            || seg == j->loading)
        {
            rest++;
            continue;
        }

        if (!seg->memory) {
            rest++;
            ngx_gw_journal_sync_remove(j, seg);
        }
    }

    if (drain->ended && rest == 0
        && ngx_gw_journal_sync_op(j, NGX_GW_JOURNAL_FINISH, NULL))
    {
        drain->finishing = 1;
    }
}


void
ngx_gw_journal_sync_run(ngx_gw_journal_lane_t *lane)
{
    ngx_gw_journal_t *j = lane->data;

    ngx_uint_t            i;
    ngx_gw_journal_op_t  *op;

    for (i = 0; i < j->nops; i++) {
        op = &j->ops[i];

        if (op->op == NGX_GW_JOURNAL_FINISH) {
            op->err = ngx_gw_journal_file_finish(&lane->place,
                                                 &j->drain->orphan.owner);

        } else {
            op->err = ngx_gw_journal_sync_step(&lane->place, op);
        }

        op->what = lane->place.what;
    }
}


static ngx_err_t
ngx_gw_journal_sync_step(ngx_gw_journal_place_t *place,
    ngx_gw_journal_op_t *op)
{
    switch (op->op) {

    case NGX_GW_JOURNAL_COPY:
        return ngx_gw_journal_file_copy(place, &op->file, op->from, op->to,
                                        op->acked);

    case NGX_GW_JOURNAL_RELEASE:
        return ngx_gw_journal_file_release(place, &op->file);

    case NGX_GW_JOURNAL_BURY:
        return ngx_gw_journal_bury_run(place, op);

    case NGX_GW_JOURNAL_LEAVE:
        return ngx_gw_journal_file_leave(place, op->file.generation, op->from);

    default: /* NGX_GW_JOURNAL_REMOVE */
        return ngx_gw_journal_file_remove(place, &op->file, op->to, op->bad);
    }
}


void
ngx_gw_journal_sync_done(ngx_gw_journal_lane_t *lane)
{
    ngx_gw_journal_t *j = lane->data;

    ngx_uint_t            i, failed;
    ngx_gw_journal_op_t  *op;

    failed = 0;

    for (i = 0; i < j->nops; i++) {
        op = &j->ops[i];

        if (op->err) {
            failed = 1;
            ngx_gw_journal_failed(j, op->err, op->what);
        }

        ngx_gw_journal_sync_applied(j, op);
    }

    j->stuck = failed;

    ngx_gw_journal_sync_age(j);
    ngx_gw_journal_drain(j);

    if ((j->nops == NGX_GW_JOURNAL_OPS || j->refused) && !failed
        && !j->stopping)
    {
        /* there is more */

        ngx_gw_journal_sync(j);
    }

    ngx_gw_journal_open_more(j);
}


static void
ngx_gw_journal_sync_applied(ngx_gw_journal_t *j, ngx_gw_journal_op_t *op)
{
    ngx_gw_journal_segment_t  *seg;

    seg = op->segment;

    if (seg) {
        seg->busy = 0;
    }

    switch (op->op) {

    case NGX_GW_JOURNAL_COPY:

        if (op->err == 0) {
            seg->copied = op->to;
            j->count.syncs++;
        }

        break;

    case NGX_GW_JOURNAL_RELEASE:
        seg->file = op->file;

        if (seg->file.map == NULL) {
            j->tails--;

        } else {
            seg->data = seg->file.map;
        }

        break;

    case NGX_GW_JOURNAL_REMOVE:

        if (seg->file.map && op->file.map == NULL) {
            j->tails--;
        }

        seg->file = op->file;

        if (op->err == 0) {
            ngx_queue_remove(&seg->queue);
            ngx_gw_journal_segment_free(seg);
        }

        break;

    case NGX_GW_JOURNAL_BURY:
        ngx_gw_journal_bury_done(j, op);
        break;

    case NGX_GW_JOURNAL_LEAVE:

        if (op->err) {
            ngx_gw_journal_sync_stayed(j->drain, op);
        }

        break;

    default: /* NGX_GW_JOURNAL_FINISH */
        j->drain->finishing = 0;

        if (op->err == 0) {
            ngx_gw_journal_drain_end(j);
        }

        break;
    }
}


/* its slot is not free yet, the next time it may be */

static void
ngx_gw_journal_sync_stayed(ngx_gw_journal_drain_t *drain,
    const ngx_gw_journal_op_t *op)
{
    ngx_uint_t  i;

    for (i = 0; i < drain->ncuts; i++) {

        if (drain->cuts[i].slot == op->from) {
            drain->cuts[i].left = 0;
            drain->logged++;
        }
    }
}


/* since when there is something that is not synced */

static void
ngx_gw_journal_sync_age(ngx_gw_journal_t *j)
{
    ngx_queue_t               *q;
    ngx_gw_journal_segment_t  *seg;

    j->unsynced_set = 0;

    for (q = ngx_queue_head(&j->source.segments);
         q != ngx_queue_sentinel(&j->source.segments);
         q = ngx_queue_next(q))
    {
        seg = ngx_gw_journal_segment_data(q);

        if (seg->file.map && seg->copied < seg->written) {
            j->unsynced_set = 1;
            j->unsynced = j->syncing;
        }
    }
}
