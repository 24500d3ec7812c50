
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_steps.h"


/* a segment is no longer: the configuration allows none */

#define NGX_GW_JOURNAL_LOAD   (64 * 1024 * 1024)

/* what a disk can't read so often, it never will */

#define NGX_GW_JOURNAL_READS  10


static void ngx_gw_journal_load_passed(ngx_gw_journal_drain_t *drain,
    const ngx_gw_journal_segment_t *seg);


void
ngx_gw_journal_load(ngx_gw_journal_t *j, ngx_gw_journal_segment_t *seg)
{
    if (j->loading) {
        return;
    }

    j->loaded = seg->file;
    j->loading = seg;

    if (j->stopping) {
        ngx_gw_journal_lane_call(&j->loader);

    } else if (ngx_gw_journal_lane_post(&j->loader) != NGX_OK) {
        j->loading = NULL;
    }
}


/* the file as a whole, so that it is opened for a moment only */

void
ngx_gw_journal_load_run(ngx_gw_journal_lane_t *lane)
{
    ngx_gw_journal_t *j = lane->data;

    ssize_t                 n;
    ngx_gw_journal_file_t  *file;

    file = &j->loaded;
    j->buffer = NULL;

    lane->err = ngx_gw_journal_file_open(&lane->place, file);

    if (lane->err) {
        return;
    }

    if (file->size > NGX_GW_JOURNAL_LOAD) {
        lane->err = EFBIG;
        lane->place.what = "the segment is too long";

    } else {
        j->buffer = malloc(file->size);

        if (j->buffer == NULL) {
            lane->err = NGX_ENOMEM;
            lane->place.what = "malloc()";
        }
    }

    if (j->buffer) {
        n = ngx_gw_journal_file_read(file, j->buffer, file->size, 0,
                                     &lane->err);
        if (n < 0) {
            lane->place.what = "pread() of a segment";
            free(j->buffer);
            j->buffer = NULL;

        } else {
            file->size = (size_t) n;
        }
    }

    (void) close(file->fd);
    file->fd = -1;
}


void
ngx_gw_journal_load_done(ngx_gw_journal_lane_t *lane)
{
    ngx_gw_journal_t *j = lane->data;

    ngx_gw_journal_segment_t  *seg;

    seg = j->loading;
    j->loading = NULL;

    if (lane->err) {
        ngx_gw_journal_failed(j, lane->err, lane->place.what);

        if (lane->err == NGX_ENOENT || lane->err == EBADMSG
            || lane->err == EFBIG
            || (lane->err == EIO && ++seg->tries == NGX_GW_JOURNAL_READS))
        {
            /* there is nothing that could be read another time */

            j->count.corrupt++;
            seg->bad = 1;
            seg->closed = 1;
            seg->written = seg->fed;
        }

        /* otherwise the next tick tries again */

        ngx_gw_journal_drain(j);
        return;
    }

    seg->data = j->buffer;
    j->buffer = NULL;

    seg->tries = 0;

    if (seg->source == &j->source) {

        if (j->loaded.size < seg->written) {

            /* somebody cut it */

            j->count.corrupt++;
            seg->bad = 1;
            seg->written = ngx_max(j->loaded.size, seg->fed);
        }

    } else {

        /* an orphan's: how long it is, is known only now */

        seg->file.size = j->loaded.size;
        seg->written = ngx_max(j->loaded.size, seg->fed);
        seg->file.acked = j->loaded.acked;

        if (seg->fed == GW_JOURNAL_HEADER) {
            seg->fed = ngx_min(ngx_max(seg->fed, j->loaded.acked),
                               seg->written);
            seg->acked = seg->fed;

            ngx_gw_journal_load_passed(j->drain, seg);
        }
    }

    if (!j->stopping) {
        ngx_gw_journal_feed(j);
        ngx_gw_journal_drain(j);
    }
}


/* without a table the records that are not fed tell of the last sequence */

static void
ngx_gw_journal_load_passed(ngx_gw_journal_drain_t *drain,
    const ngx_gw_journal_segment_t *seg)
{
    size_t               offset, size;
    gw_journal_record_t  rec;

    if (drain->table) {
        return;
    }

    for (offset = GW_JOURNAL_HEADER; offset < seg->acked; offset += size) {

        if (gw_journal_read(&rec, seg->data + offset, seg->acked - offset,
                            &size)
            != GW_OK)
        {
            return;
        }

        ngx_gw_journal_drain_note(drain, &rec);
    }
}
