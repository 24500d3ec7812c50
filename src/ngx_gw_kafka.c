
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_kafka.h"
#include "ngx_gw_kafka_core.h"

#include <sys/eventfd.h>

#include <librdkafka/rdkafka.h>


#define NGX_GW_KAFKA_SLICE      50         /* ms of the exit between looks */
#define NGX_GW_KAFKA_ALONE_MAX  3600000    /* ms */


static void ngx_gw_kafka_listen(ngx_gw_kafka_t *k, ngx_cycle_t *cycle);
static void ngx_gw_kafka_read_handler(ngx_event_t *rev);
static void ngx_gw_kafka_timer_handler(ngx_event_t *ev);
static void ngx_gw_kafka_turn_handler(ngx_event_t *ev);
static void ngx_gw_kafka_poll(ngx_gw_kafka_t *k);
static void ngx_gw_kafka_clock(ngx_gw_kafka_t *k);
static void ngx_gw_kafka_wake(ngx_gw_kafka_t *k);
static ngx_msec_int_t ngx_gw_kafka_left(ngx_msec_t start, ngx_msec_t ms);
static void ngx_gw_kafka_leave(void);


ngx_gw_kafka_t *
ngx_gw_kafka_start(ngx_cycle_t *cycle, const ngx_gw_kafka_conf_t *kcf,
    ngx_thread_pool_t *pool, const ngx_gw_kafka_handlers_t *handlers)
{
    ngx_gw_kafka_t          *k;
    ngx_gw_kafka_opening_t  *op;

    k = ngx_pcalloc(cycle->pool, sizeof(ngx_gw_kafka_t));
    if (k == NULL) {
        return NULL;
    }

    k->task = ngx_thread_task_alloc(cycle->pool,
                                    sizeof(ngx_gw_kafka_opening_t));
    if (k->task == NULL) {
        return NULL;
    }

    op = k->task->ctx;
    op->kafka = k;

    k->conf = kcf;
    k->handlers = *handlers;
    k->pool = pool;
    k->pid = ngx_pid;
    k->log = cycle->log;
    k->term = NGX_GW_KAFKA_ALONE;

    /* one worker is enough to ask */

    k->topic.asked = (ngx_worker != 0);

    k->turn.handler = ngx_gw_kafka_turn_handler;
    k->turn.data = k;
    k->turn.log = cycle->log;

    k->timer.handler = ngx_gw_kafka_timer_handler;
    k->timer.data = k;
    k->timer.log = cycle->log;
    k->timer.cancelable = 1;

    ngx_gw_kafka_listen(k, cycle);

    ngx_gw_kafka_open(k);

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


ngx_int_t
ngx_gw_kafka_produce(ngx_gw_kafka_t *k, const ngx_str_t *key,
    const ngx_str_t *message, uintptr_t opaque)
{
    ngx_uint_t           n;
    rd_kafka_resp_err_t  err;

    if (k->current.rk == NULL || k->broken || k->ending || k->pausing
        || k->pid != ngx_pid)
    {
        k->blocked = 1;
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
                            RD_KAFKA_V_OPAQUE((void *) opaque),
                            RD_KAFKA_V_END);

    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        k->flying++;
        return NGX_OK;
    }

    if (err != RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        k->blocked = 1;
    }

    if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL
        || err == RD_KAFKA_RESP_ERR__FATAL)
    {
        return NGX_AGAIN;
    }

    if (ngx_gw_log_pass(&k->log_produce, &n)) {
        ngx_log_error(NGX_LOG_ERR, k->log, 0,
                      "gw kafka: message not queued: %s, %ui more",
                      rd_kafka_err2str(err), n);
    }

    if (err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        return NGX_DECLINED;
    }

    /* there is no such topic, or it is not for us */

    ngx_gw_kafka_pause(k);

    return NGX_AGAIN;
}


/* not to send again without end what comes back at once */

void
ngx_gw_kafka_pause(ngx_gw_kafka_t *k)
{
    k->pausing = 1;
    k->failed = ngx_current_msec;
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
    ngx_gw_kafka_t  *k = ev->data;

    ngx_gw_kafka_topic_answer(&k->topic, k->conf->topic, k->log);

    ngx_gw_kafka_serve(k);

    ngx_add_timer(ev, NGX_GW_KAFKA_POLL);
}


static void
ngx_gw_kafka_turn_handler(ngx_event_t *ev)
{
    ngx_gw_kafka_serve(ev->data);
}


void
ngx_gw_kafka_serve(ngx_gw_kafka_t *k)
{
    if (k->current.rk && !k->broken) {
        ngx_gw_kafka_poll(k);
    }

    if (k->broken && !k->lost) {
        k->lost = 1;
        k->flying = 0;
        k->handlers.lost(k->handlers.data);
    }

    ngx_gw_kafka_clock(k);

    if (k->current.rk == NULL || k->broken) {
        ngx_gw_kafka_replace(k);
    }

    ngx_gw_kafka_wake(k);
}


static void
ngx_gw_kafka_poll(ngx_gw_kafka_t *k)
{
    int  n;

    k->budget = NGX_GW_KAFKA_BUDGET;

    /* callbacks may set "broken", and take each message from the budget */

    do {
        n = rd_kafka_poll(k->current.rk, 0);
        k->budget--;

    } while (n > 0 && k->budget > 0 && !k->broken);

    if (k->budget <= 0 && !k->turn.posted) {
        ngx_post_event(&k->turn, &ngx_posted_next_events);
    }
}


static void
ngx_gw_kafka_clock(ngx_gw_kafka_t *k)
{
    if (k->pausing && ngx_current_msec - k->failed >= NGX_GW_KAFKA_RETRY) {
        k->pausing = 0;
    }

    if (!k->alone || k->broken || ngx_current_msec - k->since < k->term) {
        return;
    }

    /* with none under way no message has to be sent twice for this */

    k->ending = 1;

    if (k->current.rk && k->flying == 0) {
        k->ending = 0;
        k->alone = 0;
        k->broken = 1;
        k->lost = 1;

        k->term = ngx_min(k->term * 2, NGX_GW_KAFKA_ALONE_MAX);
    }
}


static void
ngx_gw_kafka_wake(ngx_gw_kafka_t *k)
{
    if (!k->blocked || k->current.rk == NULL || k->broken || k->ending
        || k->pausing)
    {
        return;
    }

    k->blocked = 0;

    k->handlers.ready(k->handlers.data);
}


ngx_uint_t
ngx_gw_kafka_flush(ngx_gw_kafka_t *k, ngx_msec_t ms)
{
    ngx_msec_t      start;
    ngx_msec_int_t  left;

    if (k->pid != ngx_getpid()) {
        return 0;
    }

    ngx_time_update();
    start = ngx_current_msec;
    left = ms;

    k->flushing = 1;

    while (k->current.rk && !k->broken && k->flying) {

        (void) rd_kafka_flush(k->current.rk, ngx_min(left, NGX_GW_KAFKA_SLICE));

        left = ngx_gw_kafka_left(start, ms);

        if (left <= 0) {
            break;
        }
    }

    k->flushing = 0;

    return (k->current.rk && !k->broken) ? k->flying : 0;
}


void
ngx_gw_kafka_stop(ngx_gw_kafka_t *k, ngx_msec_t ms)
{
    ngx_msec_t               start;
    ngx_gw_kafka_opening_t  *op;

    if (k->pid != ngx_getpid()) {
        return;
    }

    ngx_time_update();
    start = ngx_current_msec;

    if (k->timer.timer_set) {
        ngx_del_timer(&k->timer);
    }

    if (k->turn.posted) {
        ngx_delete_posted_event(&k->turn);
    }

    ngx_gw_kafka_topic_forget(&k->topic);

    /* threads of the pool have ended before, this one may be news */

    op = k->task->ctx;

    ngx_gw_kafka_producer_destroy(&op->producer, k->log);
    ngx_gw_kafka_producer_destroy(&k->current, k->log);

    if (ngx_gw_kafka_producer_gone(&k->current, ngx_gw_kafka_left(start, ms))
        != NGX_OK
        || ngx_gw_kafka_producer_gone(&op->producer,
                                      ngx_gw_kafka_left(start, ms))
           != NGX_OK
        || ngx_gw_kafka_producer_gone(&k->old, ngx_gw_kafka_left(start, ms))
           != NGX_OK)
    {
        (void) atexit(ngx_gw_kafka_leave);
    }

    if (k->connection) {
        ngx_close_connection(k->connection);
        k->connection = NULL;
    }
}


static ngx_msec_int_t
ngx_gw_kafka_left(ngx_msec_t start, ngx_msec_t ms)
{
    ngx_time_update();

    return (ngx_msec_int_t) (start + ms - ngx_current_msec);
}


/*
 * The first of the handlers of exit(), for it was the last to be registered.
 * Those behind it free what OpenSSL shares by all threads, and one of them is
 * still connecting, or frees a session.
 */

static void
ngx_gw_kafka_leave(void)
{
    _exit(0);
}
