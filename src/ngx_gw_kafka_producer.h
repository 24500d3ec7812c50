
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A librdkafka producer with its topic, its main queue and the eventfd that
 * this queue wakes.
 *
 * ngx_gw_kafka_producer_create() starts the threads of librdkafka; it takes
 * "conf", a copy with the caller's callbacks in it.  With "fd" -1 nothing is
 * woken.  On NGX_ERROR "why" says what failed.  Blocks for about 1 ms, or for
 * what loading the CA file takes with TLS; may be called by a thread.
 *
 * ngx_gw_kafka_producer_destroy() lets a thread of its own destroy the
 * producer, for one that resolves a name can't be interrupted.  No callback
 * is called, undelivered messages are forgotten.  Until it has gone nothing
 * else may be done with "p" than ngx_gw_kafka_producer_gone(), which waits for
 * at most "timeout" ms:
 *
 *     NGX_OK     there is no producer (any more)
 *     NGX_AGAIN  it has not gone yet
 */

#ifndef _NGX_GW_KAFKA_PRODUCER_H_INCLUDED_
#define _NGX_GW_KAFKA_PRODUCER_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_kafka_conf.h"

#include <pthread.h>


typedef struct {
    struct rd_kafka_s        *rk;         /* NULL if there is none */
    struct rd_kafka_topic_s  *topic;
    struct rd_kafka_queue_s  *queue;
    pthread_t                 thread;     /* that destroys it */
    unsigned                  going:1;
} ngx_gw_kafka_producer_t;


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_kafka_producer_create(ngx_gw_kafka_producer_t *p,
    const ngx_gw_kafka_conf_t *kcf, struct rd_kafka_conf_s *conf, int fd,
    char *why, size_t size);
void ngx_gw_kafka_producer_destroy(ngx_gw_kafka_producer_t *p, ngx_log_t *log);
ngx_int_t ngx_gw_kafka_producer_gone(ngx_gw_kafka_producer_t *p,
    ngx_msec_int_t timeout);

GW_HIDDEN_END


#endif /* _NGX_GW_KAFKA_PRODUCER_H_INCLUDED_ */
