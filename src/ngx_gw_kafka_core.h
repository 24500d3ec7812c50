
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What the parts of ngx_gw_kafka share: ngx_gw_kafka.c is called by others
 * and by events, ngx_gw_kafka_report.c by librdkafka, ngx_gw_kafka_open.c
 * makes producers.
 *
 * ngx_gw_kafka_open() makes one and blocks.  ngx_gw_kafka_replace() destroys
 * what is broken, and lets a thread of the pool make the next one; it has to
 * be called until there is one.
 *
 * ngx_gw_kafka_serve() does what is due.  ngx_gw_kafka_pause() lets nothing be
 * produced for a while.
 *
 * The callbacks are called by rd_kafka_poll() and rd_kafka_flush() only, on
 * the current producer.
 */

#ifndef _NGX_GW_KAFKA_CORE_H_INCLUDED_
#define _NGX_GW_KAFKA_CORE_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_kafka.h"
#include "ngx_gw_kafka_producer.h"
#include "ngx_gw_kafka_topic.h"
#include "ngx_gw_log.h"

#include <ngx_event.h>


/* what a thread of the pool works on */

typedef struct {
    ngx_gw_kafka_t             *kafka;
    ngx_gw_kafka_producer_t     producer;
    struct rd_kafka_conf_s     *conf;
    int                         fd;
    ngx_int_t                   rc;
    char                        why[512];
} ngx_gw_kafka_opening_t;


struct ngx_gw_kafka_s {
    const ngx_gw_kafka_conf_t  *conf;
    ngx_gw_kafka_handlers_t     handlers;
    ngx_gw_kafka_producer_t     current;
    ngx_gw_kafka_producer_t     old;        /* going, after a fatal error */
    ngx_gw_kafka_topic_t        topic;

    ngx_thread_pool_t          *pool;
    ngx_thread_task_t          *task;

    ngx_pid_t                   pid;        /* librdkafka survives no fork */
    ngx_connection_t           *connection;
    ngx_event_t                 timer;
    ngx_event_t                 turn;
    ngx_int_t                   budget;
    ngx_uint_t                  flying;     /* messages to be reported */
    ngx_log_t                  *log;

    ngx_msec_t                  opened;     /* tried to, at least */
    ngx_msec_t                  failed;
    ngx_msec_t                  since;      /* when "alone" was set */
    ngx_msec_t                  term;       /* how long it stays */

    ngx_gw_log_t                log_open;
    ngx_gw_log_t                log_error;
    ngx_gw_log_t                log_fatal;
    ngx_gw_log_t                log_client;
    ngx_gw_log_t                log_produce;
    ngx_gw_log_t                log_failed;
    ngx_gw_log_t                log_refused;
    ngx_gw_log_t                log_recovered;

    unsigned                    failing:1;  /* something was logged */
    unsigned                    broken:1;   /* the current one, for ever */
    unsigned                    lost:1;     /* the handler was told */
    unsigned                    alone:1;    /* one message in a batch */
    unsigned                    ending:1;   /* of "alone", when none flies */
    unsigned                    pausing:1;
    unsigned                    blocked:1;  /* owes a call of "ready" */
    unsigned                    flushing:1;
};


struct rd_kafka_message_s;


GW_HIDDEN_BEGIN

void ngx_gw_kafka_serve(ngx_gw_kafka_t *k);
void ngx_gw_kafka_pause(ngx_gw_kafka_t *k);

void ngx_gw_kafka_open(ngx_gw_kafka_t *k);
void ngx_gw_kafka_replace(ngx_gw_kafka_t *k);

void ngx_gw_kafka_report_delivery(struct rd_kafka_s *rk,
    const struct rd_kafka_message_s *message, void *data);
void ngx_gw_kafka_report_error(struct rd_kafka_s *rk, int err,
    const char *reason, void *data);
void ngx_gw_kafka_report_log(const struct rd_kafka_s *rk, int level,
    const char *facility, const char *text);

GW_HIDDEN_END


#endif /* _NGX_GW_KAFKA_CORE_H_INCLUDED_ */
