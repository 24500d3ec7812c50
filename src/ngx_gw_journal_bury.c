
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_steps.h"


/* what is written and synced at once; copies wait behind it */

#define NGX_GW_JOURNAL_LETTERS  1024
#define NGX_GW_JOURNAL_BURIED   (1024 * 1024)    /* bytes */


static void ngx_gw_journal_bury_collect(ngx_gw_journal_t *j,
    ngx_gw_journal_op_t *op, ngx_uint_t max);
static ngx_err_t ngx_gw_journal_bury_read(ngx_gw_journal_place_t *place,
    ngx_gw_journal_letter_t *letter, char *buf);


void
ngx_gw_journal_bury(ngx_gw_journal_t *j)
{
    ngx_uint_t                n;
    ngx_gw_journal_op_t      *op;
    ngx_gw_journal_letter_t  *letters;

    if (j->refused == 0) {
        return;
    }

    n = ngx_min(j->refused, NGX_GW_JOURNAL_LETTERS);

    letters = ngx_alloc(n * sizeof(ngx_gw_journal_letter_t), j->log);
    if (letters == NULL) {
        return;
    }

    op = ngx_gw_journal_sync_op(j, NGX_GW_JOURNAL_BURY, NULL);
    if (op == NULL) {
        ngx_free(letters);
        return;
    }

    op->letters = letters;

    ngx_gw_journal_bury_collect(j, op, n);
}


/* a file has those of one generation: the others go the next time */

static void
ngx_gw_journal_bury_collect(ngx_gw_journal_t *j, ngx_gw_journal_op_t *op,
    ngx_uint_t max)
{
    size_t                     len;
    uint64_t                   n;
    ngx_gw_journal_flight_t   *flight;
    ngx_gw_journal_letter_t   *letter;
    ngx_gw_journal_segment_t  *seg;

    for (n = j->head; n != j->tail && op->nletters < max; n++) {
        flight = &j->flights[n % NGX_GW_JOURNAL_FLYING];
        seg = flight->segment;

        if (flight->state != NGX_GW_JOURNAL_REFUSED
            || (op->nletters
                && seg->file.generation != op->letters->file.generation))
        {
            continue;
        }

        len = flight->end - flight->start;

        if (op->to + len > NGX_GW_JOURNAL_BURIED) {
            return;
        }

        op->to += len;
        letter = &op->letters[op->nletters++];

        letter->flight = n;
        letter->file = seg->file;
        letter->data = seg->memory ? seg->data : seg->file.map;
        letter->from = flight->start;
        letter->to = flight->end;
        letter->err = NGX_EAGAIN;

        flight->state = NGX_GW_JOURNAL_BURYING;
    }
}


/* one sync for all; one that can't be read keeps nobody else waiting */

ngx_err_t
ngx_gw_journal_bury_run(ngx_gw_journal_place_t *place,
    ngx_gw_journal_op_t *op)
{
    char                     *buf;
    size_t                    size;
    ngx_err_t                 err, rc;
    ngx_uint_t                i;
    ngx_gw_journal_letter_t  *letter;

    buf = malloc(op->to);

    if (buf == NULL) {
        place->what = "malloc()";
        return NGX_ENOMEM;
    }

    err = 0;
    size = 0;

    for (i = 0; i < op->nletters; i++) {
        letter = &op->letters[i];

        letter->err = ngx_gw_journal_bury_read(place, letter, buf + size);

        if (letter->err) {
            err = letter->err;
            continue;
        }

        size += letter->to - letter->from;
    }

    rc = 0;

    if (size) {
        rc = ngx_gw_journal_file_bury(place, op->letters->file.generation,
                                      buf, size);
    }

    free(buf);

    for (i = 0; rc && i < op->nletters; i++) {
        op->letters[i].err = rc;
    }

    return rc ? rc : err;
}


static ngx_err_t
ngx_gw_journal_bury_read(ngx_gw_journal_place_t *place,
    ngx_gw_journal_letter_t *letter, char *buf)
{
    size_t                 len;
    ssize_t                n;
    ngx_err_t              err;
    ngx_gw_journal_file_t  file;

    len = letter->to - letter->from;

    if (letter->data) {
        ngx_memcpy(buf, letter->data + letter->from, len);
        return 0;
    }

    file = letter->file;

    err = ngx_gw_journal_file_open(place, &file);
    if (err) {
        return err;
    }

    n = ngx_gw_journal_file_read(&file, buf, len, (off_t) letter->from, &err);

    (void) close(file.fd);

    if (n < 0) {
        place->what = "pread() of a segment";

    } else if (n < (ssize_t) len) {
        place->what = "the segment is too short";
        err = EIO;
    }

    return err;
}


void
ngx_gw_journal_bury_done(ngx_gw_journal_t *j, ngx_gw_journal_op_t *op)
{
    ngx_uint_t                i;
    ngx_gw_journal_flight_t  *flight;
    ngx_gw_journal_letter_t  *letter;

    for (i = 0; i < op->nletters; i++) {
        letter = &op->letters[i];

        /* it may be fed again already, after the loss of the producer */

        if (letter->flight - j->head >= j->tail - j->head) {
            continue;
        }

        flight = &j->flights[letter->flight % NGX_GW_JOURNAL_FLYING];

        if (letter->err) {
            flight->state = NGX_GW_JOURNAL_REFUSED;
            continue;
        }

        flight->state = NGX_GW_JOURNAL_LANDED;

        j->refused--;
        j->count.dead++;
    }

    ngx_free(op->letters);
    op->letters = NULL;

    ngx_gw_journal_land(j);
}
