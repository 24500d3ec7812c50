
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_steps.h"


#define NGX_GW_JOURNAL_REOPEN  200     /* ms after a failure */

/* a segment that is full sooner than that, ms, has two behind it */

#define NGX_GW_JOURNAL_FAST    5000


static void ngx_gw_journal_open_table(ngx_gw_journal_t *j);
static void ngx_gw_journal_open_owned(ngx_gw_journal_t *j);


void
ngx_gw_journal_open_run(ngx_gw_journal_lane_t *lane)
{
    ngx_gw_journal_t *j = lane->data;

    lane->err = 0;

    if (lane->place.conf == NULL) {
        lane->err = ngx_gw_journal_place_open(&lane->place, j->conf);

        if (lane->err) {
            lane->place.conf = NULL;
            return;
        }
    }

    if (!j->owned) {
        lane->err = ngx_gw_journal_file_own(&lane->place, &j->owner,
                                            gw_inflight_size(j->table.slots));
        if (lane->err) {
            return;
        }

        ngx_gw_journal_open_table(j);
    }

    ngx_memzero(&j->opened, sizeof(ngx_gw_journal_file_t));

    j->opened.generation = j->owner.generation;
    j->opened.number = j->number + 1;
    j->opened.size = j->conf->segment;
    j->opened.fd = -1;

    lane->err = ngx_gw_journal_file_create(&lane->place, &j->opened);

    if (lane->err == 0) {

        /* a disk that fails must not keep events from Kafka */

        j->headed = ngx_gw_journal_file_copy(&lane->place, &j->opened, 0,
                                             GW_JOURNAL_HEADER,
                                             GW_JOURNAL_HEADER);

    } else if (lane->err == NGX_ENOENT) {

        /* a directory was removed, the next time it is there again */

        (void) ngx_gw_journal_place_renew(&lane->place);
    }
}


/*
 * Before there is a segment: whoever finds one without a table, after a kill,
 * would have to take it for a power cut.
 */

static void
ngx_gw_journal_open_table(ngx_gw_journal_t *j)
{
    gw_str_t  node;

    if (j->owner.table == NULL) {
        return;
    }

    node.len = j->conf->node.len;
    node.data = (char *) j->conf->node.data;

    gw_inflight_init(&j->made, j->owner.table, j->table.slots, j->table.free,
                     j->owner.generation, &node);
}


void
ngx_gw_journal_open_done(ngx_gw_journal_lane_t *lane)
{
    ngx_gw_journal_t *j = lane->data;

    ngx_gw_journal_segment_t  *seg;

    if (!j->owned && j->owner.lock != -1) {
        ngx_gw_journal_open_owned(j);
    }

    if (lane->err) {

        if (lane->err != NGX_EEXIST || j->owned) {
            ngx_gw_journal_failed(j, lane->err, lane->place.what);
        }

        if (lane->err == NGX_EEXIST && j->owned) {

            /* one of ours that could not be removed again */

            j->number++;
        }

        if (j->current == NULL) {
            j->full = 1;
        }

        j->reopen = ngx_current_msec + NGX_GW_JOURNAL_REOPEN;
        return;
    }

    seg = ngx_gw_journal_segment_create(&j->source, &j->opened, j->log);

    if (seg == NULL) {
        (void) ngx_gw_journal_file_release(&lane->place, &j->opened);
        (void) ngx_gw_journal_file_remove(&lane->place, &j->opened, 0, 0);
        return;
    }

    if (j->headed) {

        /* the syncer begins with it then */

        seg->copied = 0;
        ngx_gw_journal_failed(j, j->headed, lane->place.what);
    }

    j->reopen = ngx_current_msec;
    j->number = j->opened.number;
    j->tails++;
    j->nspares++;

    ngx_queue_insert_tail(&j->spares, &seg->queue);

    if (j->current == NULL) {
        (void) ngx_gw_journal_rotate(j);
    }

    if (j->full) {
        j->full = 0;

        ngx_log_error(NGX_LOG_NOTICE, j->log, 0,
                      "gw journal: there is room again");
    }

    if (j->marks == 0) {
        ngx_gw_journal_say(j, GW_USAGE_OPEN);
    }

    ngx_gw_journal_open_more(j);
}


static void
ngx_gw_journal_open_owned(ngx_gw_journal_t *j)
{
    j->owned = 1;

    j->loader.place = j->opener.place;
    j->finder.place = j->opener.place;
    j->syncer.place = j->opener.place;

    if (j->owner.table == NULL) {
        ngx_log_error(NGX_LOG_CRIT, j->log, 0,
                      "gw journal: no table of requests in flight, those cut "
                      "off by a crash of this worker will not be named");
        return;
    }

    j->table = j->made;

    ngx_gw_journal_note(j);
}


/* one segment ahead, and as many as are promised */

void
ngx_gw_journal_open_more(ngx_gw_journal_t *j)
{
    size_t  ahead, wanted;

    if (j->stopping || (ngx_msec_int_t) (ngx_current_msec - j->reopen) < 0) {
        return;
    }

    ahead = j->nspares * j->conf->segment;

    if (j->current) {
        ahead += j->current->file.size - j->current->written;
    }

    /* a slow disk takes a while for the file of the next one */

    wanted = j->conf->segment / 8 * 7 + j->reserved * 2;

    if (j->fast) {
        wanted += j->conf->segment;
    }

    if (ahead >= wanted) {
        return;
    }

    if (j->tails >= NGX_GW_JOURNAL_TAILS) {

        /* those that are closed wait for the syncer, not for its timer */

        if (j->tails > j->nspares + 1 && !j->stuck
            && j->syncing != ngx_current_msec)
        {
            ngx_gw_journal_sync(j);
        }

        return;
    }

    if (ngx_gw_journal_lane_idle(&j->opener)) {
        (void) ngx_gw_journal_lane_post(&j->opener);
    }
}


ngx_gw_journal_segment_t *
ngx_gw_journal_rotate(ngx_gw_journal_t *j)
{
    ngx_queue_t               *q;
    ngx_gw_journal_segment_t  *seg;

    if (ngx_queue_empty(&j->spares)) {
        return NULL;
    }

    if (j->current) {
        j->current->closed = 1;
        j->fast = (ngx_current_msec - j->rotated < NGX_GW_JOURNAL_FAST);
    }

    j->rotated = ngx_current_msec;

    q = ngx_queue_head(&j->spares);
    seg = ngx_gw_journal_segment_data(q);

    ngx_queue_remove(q);
    ngx_queue_insert_tail(&j->source.segments, q);

    j->nspares--;
    j->current = seg;

    return seg;
}
