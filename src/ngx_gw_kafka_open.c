
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_kafka_core.h"

#include <librdkafka/rdkafka.h>


static void ngx_gw_kafka_open_prepare(ngx_gw_kafka_t *k);
static void ngx_gw_kafka_open_thread(void *data, ngx_log_t *log);
static ngx_int_t ngx_gw_kafka_open_done(ngx_gw_kafka_t *k);
static void ngx_gw_kafka_open_handler(ngx_event_t *ev);


/* the event's handler is for later ones */

void
ngx_gw_kafka_open(ngx_gw_kafka_t *k)
{
    k->task->handler = ngx_gw_kafka_open_thread;
    k->task->event.handler = ngx_gw_kafka_open_handler;
    k->task->event.data = k;
    k->task->event.log = k->log;

    ngx_gw_kafka_open_prepare(k);
    ngx_gw_kafka_open_thread(k->task->ctx, k->log);
    (void) ngx_gw_kafka_open_done(k);
}


static void
ngx_gw_kafka_open_prepare(ngx_gw_kafka_t *k)
{
    rd_kafka_conf_t         *conf;
    ngx_gw_kafka_opening_t  *op;

    op = k->task->ctx;

    conf = rd_kafka_conf_dup(k->conf->conf);

    rd_kafka_conf_set_opaque(conf, k);
    rd_kafka_conf_set_dr_msg_cb(conf, ngx_gw_kafka_report_delivery);
    rd_kafka_conf_set_error_cb(conf, ngx_gw_kafka_report_error);
    rd_kafka_conf_set_log_cb(conf, ngx_gw_kafka_report_log);

    if (k->alone) {
        (void) rd_kafka_conf_set(conf, "batch.num.messages", "1", op->why,
                                 sizeof(op->why));
    }

    op->conf = conf;
    op->fd = k->connection ? k->connection->fd : -1;

    k->opened = ngx_current_msec;
}


static void
ngx_gw_kafka_open_thread(void *data, ngx_log_t *log)
{
    ngx_gw_kafka_opening_t  *op = data;

    op->rc = ngx_gw_kafka_producer_create(&op->producer, op->kafka->conf,
                                          op->conf, op->fd, op->why,
                                          sizeof(op->why));
}


static ngx_int_t
ngx_gw_kafka_open_done(ngx_gw_kafka_t *k)
{
    ngx_uint_t               n;
    ngx_gw_kafka_opening_t  *op;

    op = k->task->ctx;

    if (op->rc == NGX_OK) {
        k->current = op->producer;
        op->producer.rk = NULL;

        return NGX_OK;
    }

    if (ngx_gw_log_pass(&k->log_open, &n)) {
        ngx_log_error(NGX_LOG_ERR, k->log, 0,
                      "gw kafka: no producer: %s, %ui more", op->why, n);
    }

    return NGX_ERROR;
}


static void
ngx_gw_kafka_open_handler(ngx_event_t *ev)
{
    ngx_gw_kafka_t  *k = ev->data;

    if (ngx_gw_kafka_open_done(k) != NGX_OK) {
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, k->log, 0, "gw kafka: new producer");

    k->blocked = 1;

    ngx_gw_kafka_serve(k);
}


void
ngx_gw_kafka_replace(ngx_gw_kafka_t *k)
{
    ngx_gw_kafka_opening_t  *op;

    if (k->task->event.active
        || ngx_gw_kafka_producer_gone(&k->old, 0) != NGX_OK)
    {
        return;
    }

    if (k->current.rk) {
        ngx_gw_kafka_topic_forget(&k->topic);

        k->old = k->current;
        k->current.rk = NULL;

        ngx_gw_kafka_producer_destroy(&k->old, k->log);

        k->broken = 0;
        k->lost = 0;
    }

    if (ngx_current_msec - k->opened < NGX_GW_KAFKA_RETRY) {
        return;
    }

    ngx_gw_kafka_open_prepare(k);

    if (ngx_thread_task_post(k->pool, k->task) != NGX_OK) {
        op = k->task->ctx;
        rd_kafka_conf_destroy(op->conf);
    }
}
