
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A Kafka producer on the event loop of a worker, around librdkafka.
 *
 * ngx_gw_kafka_start() is for init_process of a worker.  It returns NULL if
 * there was no memory, and nothing else makes it fail: a producer that can't
 * be created is logged, and tried again every NGX_GW_KAFKA_RETRY.  "pool" is
 * where later ones are created, for that takes time.
 *
 * ngx_gw_kafka_produce() copies a message into librdkafka's queue, which is
 * bounded by queue.buffering.max.messages and queue.buffering.max.kbytes.
 * It never blocks.
 *
 *     NGX_OK        queued; the handler "report" will tell, once
 *     NGX_AGAIN     not now: the queue is full, there is no producer, or
 *                   messages have failed within NGX_GW_KAFKA_RETRY; the
 *                   handler "ready" will be called
 *     NGX_DECLINED  Kafka will never take this message, logged
 *
 * Handlers are called from the event loop, or by ngx_gw_kafka_flush(), never
 * by ngx_gw_kafka_produce(), which they may call:
 *
 *     report   of the message with that opaque: it is delivered; or failed,
 *              and can be sent again; or Kafka refuses it for ever
 *     lost     after a fatal error the producer is replaced: no message that
 *              is under way is reported any more; send them again
 *     ready    there may be room again
 *
 * A broker that refuses a message refuses all that came in one batch.  So the
 * first refusal is handled as a fatal error, and then each message is sent in
 * a batch of its own, for NGX_GW_KAFKA_ALONE at first, and twice as long each
 * time that this happens.
 *
 * Delivery reports, errors and logs of librdkafka are served by the event
 * loop: an eventfd wakes it, at most NGX_GW_KAFKA_BUDGET messages a turn,
 * and a timer looks every NGX_GW_KAFKA_POLL in case a wake-up was missed.
 *
 * ngx_gw_kafka_flush() is for exit_process: it blocks for at most "ms", while
 * it sends at once what is queued and serves reports; returns how many
 * messages may still be reported.  ngx_gw_kafka_stop() forgets what is left
 * and blocks for at most "ms", whatever the brokers do.  Its caller ends by
 * exit(0): if a thread of librdkafka has not ended by then, handlers of the
 * exit, which would take OpenSSL away from it, are skipped.
 */

#ifndef _NGX_GW_KAFKA_H_INCLUDED_
#define _NGX_GW_KAFKA_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_kafka_conf.h"

#include <ngx_thread_pool.h>


#define NGX_GW_KAFKA_POLL    200     /* ms */
#define NGX_GW_KAFKA_RETRY   1000    /* ms */
#define NGX_GW_KAFKA_ALONE   60000   /* ms */

#define NGX_GW_KAFKA_BUDGET  1000


typedef struct ngx_gw_kafka_s  ngx_gw_kafka_t;


typedef enum {
    NGX_GW_KAFKA_DELIVERED = 0,
    NGX_GW_KAFKA_FAILED,
    NGX_GW_KAFKA_REFUSED
} ngx_gw_kafka_result_e;


typedef struct {
    void      (*report)(void *data, uintptr_t opaque,
                        ngx_gw_kafka_result_e result);
    void      (*lost)(void *data);
    void      (*ready)(void *data);
    void       *data;
} ngx_gw_kafka_handlers_t;


GW_HIDDEN_BEGIN

ngx_gw_kafka_t *ngx_gw_kafka_start(ngx_cycle_t *cycle,
    const ngx_gw_kafka_conf_t *kcf, ngx_thread_pool_t *pool,
    const ngx_gw_kafka_handlers_t *handlers);
ngx_int_t ngx_gw_kafka_produce(ngx_gw_kafka_t *k, const ngx_str_t *key,
    const ngx_str_t *message, uintptr_t opaque);
ngx_uint_t ngx_gw_kafka_flush(ngx_gw_kafka_t *k, ngx_msec_t ms);
void ngx_gw_kafka_stop(ngx_gw_kafka_t *k, ngx_msec_t ms);

GW_HIDDEN_END


#endif /* _NGX_GW_KAFKA_H_INCLUDED_ */
