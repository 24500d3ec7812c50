
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A Kafka producer on the event loop of a worker, around librdkafka.
 *
 * ngx_gw_kafka_start() is for init_process of a worker.  It returns NULL if
 * there was no memory, and nothing else makes it fail: a producer that can't
 * be created is logged, and tried again every NGX_GW_KAFKA_RETRY.
 *
 * ngx_gw_kafka_produce() copies a message into librdkafka's queue, which is
 * bounded by queue.buffering.max.messages and queue.buffering.max.kbytes.
 * It never blocks.
 *
 *     NGX_OK        queued; delivered, or its failure logged and counted
 *     NGX_AGAIN     not now: the queue is full, or there is no producer
 *     NGX_DECLINED  Kafka will never take this message
 *
 * Delivery reports, errors and logs of librdkafka are served by the event
 * loop: an eventfd wakes it, at most NGX_GW_KAFKA_BUDGET messages a turn,
 * and a timer looks every NGX_GW_KAFKA_POLL in case a wake-up was missed.
 *
 * After a fatal error the producer is replaced, and what the old one had
 * queued is given to the new one; consumers may see a message twice.  This
 * blocks for the making of a producer, about 1 ms, or what loading the CA
 * file takes with TLS.  The old one is destroyed by a thread of its own.
 *
 * ngx_gw_kafka_stop() is for exit_process: it blocks for at most
 * NGX_GW_KAFKA_TERM if the worker was told to terminate, also meanwhile, and
 * for NGX_GW_KAFKA_QUIT else, whatever the brokers do.  It logs how many
 * messages were not delivered.
 */

#ifndef _NGX_GW_KAFKA_H_INCLUDED_
#define _NGX_GW_KAFKA_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_kafka_conf.h"


#define NGX_GW_KAFKA_POLL    200     /* ms */
#define NGX_GW_KAFKA_RETRY   1000    /* ms */
#define NGX_GW_KAFKA_TERM    1000    /* ms */
#define NGX_GW_KAFKA_QUIT    3000    /* ms */

#define NGX_GW_KAFKA_BUDGET  1000


typedef struct ngx_gw_kafka_s  ngx_gw_kafka_t;


GW_HIDDEN_BEGIN

ngx_gw_kafka_t *ngx_gw_kafka_start(ngx_cycle_t *cycle,
    const ngx_gw_kafka_conf_t *kcf);
ngx_int_t ngx_gw_kafka_produce(ngx_gw_kafka_t *k, const ngx_str_t *key,
    const ngx_str_t *message);
void ngx_gw_kafka_stop(ngx_gw_kafka_t *k);

GW_HIDDEN_END


#endif /* _NGX_GW_KAFKA_H_INCLUDED_ */
