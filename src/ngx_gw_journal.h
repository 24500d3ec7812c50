
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The journal of a worker: events are written to it, and from there to Kafka.
 *
 * An event is in mapped memory of a tmpfs when ngx_gw_journal_append()
 * returns, and survives the worker; threads of the pool copy it to the
 * directory and sync it; librdkafka gets it from the event loop; its segment
 * is removed when Kafka has acknowledged every record in it.  What a dead
 * worker left behind is drained by a living one.
 *
 * ngx_gw_journal_start() is for init_process of a worker; it makes the first
 * segment, which blocks.  NULL only if there was no memory: a journal that
 * can't be opened is logged, counts as full, and is tried again.
 * ngx_gw_journal_stop() is for exit_process: it blocks for at most
 * NGX_GW_JOURNAL_TERM if the worker was told to terminate, also meanwhile,
 * and for NGX_GW_JOURNAL_QUIT else, but for a hung disk.  Then the files are
 * gone, or wait for another worker.
 *
 * A ticket is a sequence, and what was promised with it.  A zeroed one is
 * none.  ngx_gw_journal_admit() takes the next sequence and a place in the
 * in-flight table ("req->sequence" is set by it) and reserves "room" bytes
 * of events; ngx_gw_journal_number() takes the sequence only.
 *
 *     NGX_OK        "ticket" is set
 *     NGX_DECLINED  the journal is full, and full=reject
 *
 * ngx_gw_journal_append() writes the event of a ticket and redeems it:
 *
 *     NGX_OK        written
 *     NGX_DECLINED  the journal is full; counted, the sequence stays empty
 *     NGX_AGAIN     full=reject, and the event is larger than the room of its
 *                   ticket; one that is not can be written instead
 *
 * Events have at most GW_JOURNAL_MAX_EVENT bytes, keys GW_JOURNAL_MAX_KEY; an
 * empty key stands for the generation.
 *
 * Memory: "segment" bytes of tmpfs, two or three times that under load, at
 * most NGX_GW_JOURNAL_TAILS times if the disk fails; NGX_GW_JOURNAL_FLYING
 * messages in Kafka's client; one buffer of a segment for what is drained.
 */

#ifndef _NGX_GW_JOURNAL_H_INCLUDED_
#define _NGX_GW_JOURNAL_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_journal_conf.h"
#include "ngx_gw_kafka_conf.h"
#include "ngx_gw_meter.h"

#include "gw_inflight.h"


#define NGX_GW_JOURNAL_TERM    900      /* ms */
#define NGX_GW_JOURNAL_QUIT    2800     /* ms */
#define NGX_GW_JOURNAL_MARK    10000    /* ms between marks, if events came */
#define NGX_GW_JOURNAL_TAILS   8
#define NGX_GW_JOURNAL_FLYING  16384


typedef struct ngx_gw_journal_s  ngx_gw_journal_t;


typedef struct {
    uint64_t      sequence;     /* 0: none */
    size_t        room;
    ngx_uint_t    slot;
} ngx_gw_journal_ticket_t;


GW_HIDDEN_BEGIN

ngx_gw_journal_t *ngx_gw_journal_start(ngx_cycle_t *cycle,
    const ngx_gw_journal_conf_t *jcf, const ngx_gw_kafka_conf_t *kcf,
    ngx_gw_meter_t *meter);
void ngx_gw_journal_stop(ngx_gw_journal_t *j);

uint64_t ngx_gw_journal_generation(ngx_gw_journal_t *j);

ngx_int_t ngx_gw_journal_admit(ngx_gw_journal_t *j,
    ngx_gw_journal_ticket_t *ticket, gw_inflight_request_t *req, size_t room);
void ngx_gw_journal_number(ngx_gw_journal_t *j,
    ngx_gw_journal_ticket_t *ticket);
ngx_int_t ngx_gw_journal_append(ngx_gw_journal_t *j,
    ngx_gw_journal_ticket_t *ticket, const ngx_str_t *key,
    const ngx_str_t *event);

GW_HIDDEN_END


#endif /* _NGX_GW_JOURNAL_H_INCLUDED_ */
