
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_steps.h"


void
ngx_gw_journal_bury(ngx_gw_journal_t *j)
{
    uint64_t                  n;
    ngx_gw_journal_op_t      *op;
    ngx_gw_journal_flight_t  *flight;

    if (j->refused == 0) {
        return;
    }

    for (n = j->head; n != j->tail; n++) {
        flight = &j->flights[n % NGX_GW_JOURNAL_FLYING];

        if (flight->state != NGX_GW_JOURNAL_REFUSED) {
            continue;
        }

        /* half of the list: many of them must not delay the copies */

        if (j->nops == NGX_GW_JOURNAL_OPS / 2) {
            return;
        }

        op = ngx_gw_journal_sync_op(j, NGX_GW_JOURNAL_BURY, NULL);
        if (op == NULL) {
            return;
        }

        op->file = flight->segment->file;
        op->flight = n;
        op->from = flight->start;
        op->to = flight->end;
        op->data = flight->segment->memory ? flight->segment->data : NULL;

        flight->state = NGX_GW_JOURNAL_BURYING;
    }
}


ngx_err_t
ngx_gw_journal_bury_run(ngx_gw_journal_place_t *place,
    ngx_gw_journal_op_t *op)
{
    char       *copy;
    size_t      len;
    ssize_t     n;
    ngx_err_t   err;

    len = op->to - op->from;

    if (op->data == NULL && op->file.map) {
        op->data = op->file.map;
    }

    if (op->data) {
        return ngx_gw_journal_file_bury(place, op->file.generation,
                                        op->data + op->from, len);
    }

    err = ngx_gw_journal_file_open(place, &op->file);

    if (err) {
        return err;
    }

    copy = malloc(len);

    if (copy == NULL) {
        place->what = "malloc()";
        err = NGX_ENOMEM;

    } else {
        n = ngx_gw_journal_file_read(&op->file, copy, len, (off_t) op->from,
                                     &err);

        if (n == (ssize_t) len) {
            err = ngx_gw_journal_file_bury(place, op->file.generation, copy,
                                           len);

        } else if (n >= 0) {
            place->what = "the segment is too short";
            err = EIO;
        }

        free(copy);
    }

    (void) close(op->file.fd);

    return err;
}


void
ngx_gw_journal_bury_done(ngx_gw_journal_t *j, const ngx_gw_journal_op_t *op)
{
    ngx_gw_journal_flight_t  *flight;

    /* it may be fed again already, after the loss of the producer */

    if (op->flight - j->head >= j->tail - j->head) {
        return;
    }

    flight = &j->flights[op->flight % NGX_GW_JOURNAL_FLYING];

    if (op->err) {
        flight->state = NGX_GW_JOURNAL_REFUSED;
        return;
    }

    flight->state = NGX_GW_JOURNAL_LANDED;

    j->refused--;
    j->count.dead++;

    ngx_gw_journal_land(j);
}
