
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_kafka.h"
#include "ngx_gw_kafka_producer.h"
#include "ngx_gw_log.h"

#include <ngx_event.h>

#include <sys/eventfd.h>

#include <librdkafka/rdkafka.h>


#define NGX_GW_KAFKA_SLICE    50      /* ms of the exit between two looks */
#define NGX_GW_KAFKA_RESERVE  300     /* ms of the exit to purge and destroy */
#define NGX_GW_KAFKA_DRAIN    2000    /* ms a replaced producer may take */


struct ngx_gw_kafka_s {
    const ngx_gw_kafka_conf_t  *conf;
    ngx_gw_kafka_producer_t     current;
    ngx_gw_kafka_producer_t     old;        /* after a fatal error */

    ngx_pid_t                   pid;        /* librdkafka survives no fork */
    ngx_connection_t           *connection;
    ngx_event_t                 timer;
    ngx_event_t                 turn;
    ngx_int_t                   budget;
    ngx_uint_t                  lost;       /* by the exit */
    ngx_log_t                  *log;

    ngx_gw_log_t                log_create;
    ngx_gw_log_t                log_error;
    ngx_gw_log_t                log_fatal;
    ngx_gw_log_t                log_client;
    ngx_gw_log_t                log_produce;
    ngx_gw_log_t                log_delivery;
    ngx_gw_log_t                log_recovered;

    unsigned                    failing:1;
    unsigned                    fatal:1;
    unsigned                    stopping:1;
};


static void ngx_gw_kafka_listen(ngx_gw_kafka_t *k, ngx_cycle_t *cycle);
static ngx_int_t ngx_gw_kafka_open(ngx_gw_kafka_t *k,
    ngx_gw_kafka_producer_t *p);
static void ngx_gw_kafka_refused(ngx_gw_kafka_t *k, rd_kafka_resp_err_t err);
static void ngx_gw_kafka_read_handler(ngx_event_t *rev);
static void ngx_gw_kafka_timer_handler(ngx_event_t *ev);
static void ngx_gw_kafka_turn_handler(ngx_event_t *ev);
static void ngx_gw_kafka_serve(ngx_gw_kafka_t *k);
static void ngx_gw_kafka_poll(ngx_gw_kafka_t *k, ngx_gw_kafka_producer_t *p);
static void ngx_gw_kafka_retire(ngx_gw_kafka_t *k);
static void ngx_gw_kafka_replace(ngx_gw_kafka_t *k);
static void ngx_gw_kafka_delivery(rd_kafka_t *rk,
    const rd_kafka_message_t *message, void *data);
static void ngx_gw_kafka_error(rd_kafka_t *rk, int err, const char *reason,
    void *data);
static void ngx_gw_kafka_log(const rd_kafka_t *rk, int level,
    const char *facility, const char *text);
static ngx_msec_int_t ngx_gw_kafka_left(ngx_msec_t start);


ngx_gw_kafka_t *
ngx_gw_kafka_start(ngx_cycle_t *cycle, const ngx_gw_kafka_conf_t *kcf)
{
    ngx_gw_kafka_t  *k;

    k = ngx_pcalloc(cycle->pool, sizeof(ngx_gw_kafka_t));
    if (k == NULL) {
        return NULL;
    }

    k->conf = kcf;
    k->pid = ngx_pid;
    k->log = cycle->log;

    k->turn.handler = ngx_gw_kafka_turn_handler;
    k->turn.data = k;
    k->turn.log = cycle->log;

    k->timer.handler = ngx_gw_kafka_timer_handler;
    k->timer.data = k;
    k->timer.log = cycle->log;
    k->timer.cancelable = 1;

    ngx_gw_kafka_listen(k, cycle);

    (void) ngx_gw_kafka_open(k, &k->current);

    ngx_add_timer(&k->timer, NGX_GW_KAFKA_POLL);

    return k;
}


/* without an eventfd the timer has to do */

static void
ngx_gw_kafka_listen(ngx_gw_kafka_t *k, ngx_cycle_t *cycle)
{
    int                fd;
    ngx_connection_t  *c;

    fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_CRIT, cycle->log, ngx_errno,
                      "gw kafka: eventfd() failed");
        return;
    }

    c = ngx_get_connection(fd, cycle->log);

    if (c == NULL) {
        (void) close(fd);
        return;
    }

    c->data = k;
    c->read->handler = ngx_gw_kafka_read_handler;
    c->read->log = cycle->log;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_close_connection(c);
        return;
    }

    k->connection = c;
}


static ngx_int_t
ngx_gw_kafka_open(ngx_gw_kafka_t *k, ngx_gw_kafka_producer_t *p)
{
    int               fd;
    char              why[512];
    ngx_uint_t        n;
    rd_kafka_conf_t  *conf;

    conf = rd_kafka_conf_dup(k->conf->conf);

    rd_kafka_conf_set_opaque(conf, k);
    rd_kafka_conf_set_dr_msg_cb(conf, ngx_gw_kafka_delivery);
    rd_kafka_conf_set_error_cb(conf, ngx_gw_kafka_error);
    rd_kafka_conf_set_log_cb(conf, ngx_gw_kafka_log);

    fd = k->connection ? k->connection->fd : -1;

    if (ngx_gw_kafka_producer_create(p, k->conf, conf, fd, why, sizeof(why))
        == NGX_OK)
    {
        return NGX_OK;
    }

    if (ngx_gw_log_pass(&k->log_create, &n)) {
        ngx_log_error(NGX_LOG_ERR, k->log, 0,
                      "gw kafka: no producer: %s, %ui more", why, n);
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_gw_kafka_produce(ngx_gw_kafka_t *k, const ngx_str_t *key,
    const ngx_str_t *message)
{
    rd_kafka_resp_err_t  err;

    if (k->current.rk == NULL || k->fatal || k->pid != ngx_pid) {
        return NGX_AGAIN;
    }

    err = rd_kafka_producev(k->current.rk,
                            RD_KAFKA_V_RKT(k->current.topic),
                            RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
                            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                            RD_KAFKA_V_KEY(key->data, key->len),
                            RD_KAFKA_V_VALUE(message->data, message->len),
                            RD_KAFKA_V_HEADER("content-type",
                                              k->conf->content_type, -1),
                            RD_KAFKA_V_END);

    switch (err) {

    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return NGX_OK;

    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR__FATAL:
        return NGX_AGAIN;

    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        ngx_gw_kafka_refused(k, err);
        return NGX_DECLINED;

    default:
        ngx_gw_kafka_refused(k, err);
        return NGX_AGAIN;
    }
}


static void
ngx_gw_kafka_refused(ngx_gw_kafka_t *k, rd_kafka_resp_err_t err)
{
    ngx_uint_t  n;

    if (ngx_gw_log_pass(&k->log_produce, &n)) {
        ngx_log_error(NGX_LOG_ERR, k->log, 0,
                      "gw kafka: message not queued: %s, %ui more",
                      rd_kafka_err2str(err), n);
    }
}


static void
ngx_gw_kafka_read_handler(ngx_event_t *rev)
{
    uint64_t           n;
    ngx_connection_t  *c;

    c = rev->data;

    /* one read empties an eventfd */

    if (read(c->fd, &n, sizeof(n)) == -1 && ngx_errno != NGX_EAGAIN) {
        ngx_log_error(NGX_LOG_ALERT, rev->log, ngx_errno,
                      "gw kafka: read() from eventfd failed");
    }

    rev->ready = 0;

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        return;
    }

    ngx_gw_kafka_serve(c->data);
}


/* goes on in a quitting worker, which may have hours of requests to end */

static void
ngx_gw_kafka_timer_handler(ngx_event_t *ev)
{
    ngx_gw_kafka_serve(ev->data);

    ngx_add_timer(ev, NGX_GW_KAFKA_POLL);
}


static void
ngx_gw_kafka_turn_handler(ngx_event_t *ev)
{
    ngx_gw_kafka_serve(ev->data);
}


static void
ngx_gw_kafka_serve(ngx_gw_kafka_t *k)
{
    k->budget = NGX_GW_KAFKA_BUDGET;

    if (k->old.rk) {
        ngx_gw_kafka_poll(k, &k->old);
        ngx_gw_kafka_retire(k);
    }

    if (k->current.rk && !k->fatal) {
        ngx_gw_kafka_poll(k, &k->current);
    }

    if (k->current.rk == NULL || k->fatal) {
        ngx_gw_kafka_replace(k);
    }

    if (k->budget <= 0) {
        ngx_post_event(&k->turn, &ngx_posted_next_events);
    }
}


static void
ngx_gw_kafka_poll(ngx_gw_kafka_t *k, ngx_gw_kafka_producer_t *p)
{
    int  n;

    /* callbacks may set "fatal", and take each message from the budget */

    do {
        n = rd_kafka_poll(p->rk, 0);
        k->budget--;

    } while (n > 0 && k->budget > 0 && !(k->fatal && p == &k->current));
}


static void
ngx_gw_kafka_retire(ngx_gw_kafka_t *k)
{
    int  n;

    n = rd_kafka_outq_len(k->old.rk);

    if (n) {
        if (ngx_current_msec - k->old.since < NGX_GW_KAFKA_DRAIN) {
            return;
        }

        ngx_log_error(NGX_LOG_ERR, k->log, 0,
                      "gw kafka: %d messages lost with the old producer", n);
    }

    ngx_gw_kafka_producer_destroy(&k->old, 0, k->log);
}


static void
ngx_gw_kafka_replace(ngx_gw_kafka_t *k)
{
    ngx_gw_kafka_producer_t  p;

    if (k->old.rk || ngx_current_msec - k->current.since < NGX_GW_KAFKA_RETRY) {
        return;
    }

    if (ngx_gw_kafka_open(k, &p) != NGX_OK) {
        k->current.since = ngx_current_msec;
        return;
    }

    if (k->current.rk) {
        k->old = k->current;
        k->old.since = ngx_current_msec;

        (void) rd_kafka_purge(k->old.rk, RD_KAFKA_PURGE_F_QUEUE
                                         |RD_KAFKA_PURGE_F_INFLIGHT
                                         |RD_KAFKA_PURGE_F_NON_BLOCKING);
    }

    k->current = p;
    k->fatal = 0;

    ngx_log_error(NGX_LOG_NOTICE, k->log, 0, "gw kafka: new producer");
}


static void
ngx_gw_kafka_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message,
    void *data)
{
    ngx_gw_kafka_t  *k = data;

    ngx_str_t   key, value;
    ngx_uint_t  n;

    if (--k->budget <= 0 && !k->stopping) {
        rd_kafka_yield(rk);
    }

    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {

        if (k->failing && rk == k->current.rk) {
            k->failing = 0;

            if (ngx_gw_log_pass(&k->log_recovered, &n)) {
                ngx_log_error(NGX_LOG_NOTICE, k->log, 0,
                              "gw kafka: messages are delivered again");
            }
        }

        return;
    }

    if (rk == k->old.rk) {

        key.len = message->key_len;
        key.data = message->key;
        value.len = message->len;
        value.data = message->payload;

        if (ngx_gw_kafka_produce(k, &key, &value) == NGX_OK) {
            return;
        }
    }

    if (k->stopping) {
        k->lost++;
        return;
    }

    k->failing = 1;

    if (ngx_gw_log_pass(&k->log_delivery, &n)) {
        ngx_log_error(NGX_LOG_ERR, k->log, 0,
                      "gw kafka: message not delivered: %s, %ui more",
                      rd_kafka_err2str(message->err), n);
    }
}


static void
ngx_gw_kafka_error(rd_kafka_t *rk, int err, const char *reason, void *data)
{
    ngx_gw_kafka_t  *k = data;

    ngx_uint_t  n;

    if (rk != k->current.rk) {
        return;
    }

    k->failing = 1;

    if (err == RD_KAFKA_RESP_ERR__FATAL) {

        /* delivery reports behind this one belong to the next producer */

        k->fatal = 1;
        rd_kafka_yield(rk);

        if (ngx_gw_log_pass(&k->log_fatal, &n)) {
            ngx_log_error(NGX_LOG_ERR, k->log, 0,
                          "gw kafka: producer has to be replaced: %s, %ui more",
                          reason, n);
        }

        return;
    }

    if (ngx_gw_log_pass(&k->log_error, &n)) {
        ngx_log_error(NGX_LOG_ERR, k->log, 0, "gw kafka: %s, %ui more",
                      reason, n);
    }
}


static void
ngx_gw_kafka_log(const rd_kafka_t *rk, int level, const char *facility,
    const char *text)
{
    ngx_uint_t       n, severity;
    ngx_gw_kafka_t  *k;

    k = rd_kafka_opaque(rk);

    if (level > 6) {

        /* the user asked for it by the property "debug" */

        ngx_log_error(NGX_LOG_DEBUG, k->log, 0, "gw kafka: %s: %s",
                      facility, text);
        return;
    }

    /* both are reported to ngx_gw_kafka_error(), too */

    if (ngx_strcmp(facility, "FAIL") == 0
        || ngx_strcmp(facility, "FATAL") == 0
        || !ngx_gw_log_pass(&k->log_client, &n))
    {
        return;
    }

    if (level < 4) {
        severity = NGX_LOG_ERR;

    } else {
        severity = (level == 4) ? NGX_LOG_WARN : NGX_LOG_INFO;
    }

    ngx_log_error(severity, k->log, 0, "gw kafka: %s: %s, %ui more",
                  facility, text, n);
}


void
ngx_gw_kafka_stop(ngx_gw_kafka_t *k)
{
    ngx_msec_t      start;
    ngx_msec_int_t  left;

    if (k->pid != ngx_getpid()) {
        return;
    }

    ngx_time_update();
    start = ngx_current_msec;

    k->stopping = 1;

    if (k->timer.timer_set) {
        ngx_del_timer(&k->timer);
    }

    if (k->turn.posted) {
        ngx_delete_posted_event(&k->turn);
    }

    if (k->old.rk) {
        (void) rd_kafka_poll(k->old.rk, 0);
        k->lost += rd_kafka_outq_len(k->old.rk);
        ngx_gw_kafka_producer_destroy(&k->old, 0, k->log);
    }

    if (k->current.rk) {

        for ( ;; ) {
            left = ngx_gw_kafka_left(start) - NGX_GW_KAFKA_RESERVE;

            if (left <= 0
                || rd_kafka_flush(k->current.rk,
                                  ngx_min(left, NGX_GW_KAFKA_SLICE))
                   == RD_KAFKA_RESP_ERR_NO_ERROR)
            {
                break;
            }
        }

        (void) rd_kafka_purge(k->current.rk, RD_KAFKA_PURGE_F_QUEUE
                                             |RD_KAFKA_PURGE_F_INFLIGHT
                                             |RD_KAFKA_PURGE_F_NON_BLOCKING);

        (void) rd_kafka_flush(k->current.rk, NGX_GW_KAFKA_SLICE);

        k->lost += rd_kafka_outq_len(k->current.rk);

        ngx_gw_kafka_producer_destroy(&k->current, ngx_gw_kafka_left(start),
                                      k->log);
    }

    if (k->lost) {
        ngx_log_error(NGX_LOG_ERR, k->log, 0,
                      "gw kafka: %ui messages not delivered before the exit",
                      k->lost);
    }

    if (k->connection) {
        ngx_close_connection(k->connection);
        k->connection = NULL;
    }
}


/* what is left of the time to exit: TERM may come while we wait */

static ngx_msec_int_t
ngx_gw_kafka_left(ngx_msec_t start)
{
    ngx_time_update();

    return (ngx_msec_int_t) (start - ngx_current_msec)
           + (ngx_terminate ? NGX_GW_KAFKA_TERM : NGX_GW_KAFKA_QUIT);
}
