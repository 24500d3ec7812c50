
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_peer.h"


static void ngx_gw_redis_fail(ngx_gw_redis_op_t *op, const char *failure);
static void ngx_gw_redis_deadline_handler(ngx_event_t *ev);


ngx_gw_redis_t *
ngx_gw_redis_create(const ngx_gw_redis_url_t *url, ngx_log_t *log)
{
    ngx_gw_redis_t  *rd;

    rd = ngx_calloc(sizeof(ngx_gw_redis_t), log);
    if (rd == NULL) {
        return NULL;
    }

    rd->waiters = ngx_calloc(NGX_GW_REDIS_INFLIGHT
                             * sizeof(ngx_gw_redis_op_t *), log);
    if (rd->waiters == NULL) {
        ngx_free(rd);
        return NULL;
    }

    rd->url = url;
    rd->log = log;
    rd->stall = NGX_GW_REDIS_STALL;
    rd->out.limit = NGX_GW_REDIS_BUFFER;

    rd->flush.handler = ngx_gw_redis_peer_flush_handler;
    rd->flush.data = rd;
    rd->flush.log = log;

    rd->timer.handler = ngx_gw_redis_peer_timer_handler;
    rd->timer.data = rd;
    rd->timer.log = log;
    rd->timer.cancelable = 1;

    (void) ngx_gw_redis_peer_connect(rd);

    return rd;
}


void
ngx_gw_redis_destroy(ngx_gw_redis_t *rd)
{
    ngx_gw_redis_peer_close(rd);

    if (rd->out.start) {
        ngx_free(rd->out.start);
    }

    ngx_free(rd->waiters);
    ngx_free(rd);
}


void
ngx_gw_redis_command(ngx_gw_redis_t *rd, ngx_gw_redis_op_t *op,
    ngx_uint_t argc, const ngx_str_t *argv, ngx_msec_t timeout)
{
    op->active = 0;
    op->failure = NULL;
    ngx_memzero(&op->deadline, sizeof(ngx_event_t));

    rd->stall = ngx_max(rd->stall, timeout);

    if (rd->connection == NULL) {

        if (rd->failures
            && (ngx_msec_int_t) (rd->retry - ngx_current_msec) > 0)
        {
            ngx_gw_redis_fail(op, "unavailable");
            return;
        }

        if (ngx_gw_redis_peer_connect(rd) != NGX_OK) {
            ngx_gw_redis_fail(op, "unavailable");
            return;
        }
    }

    if (ngx_gw_redis_push(rd, op, argc, argv) != NGX_OK) {
        ngx_gw_redis_fail(op, "busy");
        return;
    }

    /* somebody waits: a worker that quits has to wait as well */

    op->deadline.handler = ngx_gw_redis_deadline_handler;
    op->deadline.data = op;
    op->deadline.log = rd->log;

    ngx_add_timer(&op->deadline, timeout);
}


static void
ngx_gw_redis_fail(ngx_gw_redis_op_t *op, const char *failure)
{
    op->failure = failure;
    op->handler(op, NULL);
}


void
ngx_gw_redis_cancel(ngx_gw_redis_op_t *op)
{
    if (!op->active) {
        return;
    }

    if (op->deadline.timer_set) {
        ngx_del_timer(&op->deadline);
    }

    op->redis->waiters[op->slot & NGX_GW_REDIS_MASK] = NULL;
    op->active = 0;
}


static void
ngx_gw_redis_deadline_handler(ngx_event_t *ev)
{
    ngx_uint_t          n;
    ngx_gw_redis_t     *rd;
    ngx_gw_redis_op_t  *op;

    op = ev->data;
    rd = op->redis;

    ngx_gw_redis_cancel(op);

    if (ngx_gw_log_pass(&rd->log_failure, &n)) {
        ngx_log_error(NGX_LOG_ERR, rd->log, 0,
                      "gw redis: %V timed out, %ui more failures before",
                      &rd->url->name, n);
    }

    ngx_gw_redis_fail(op, "timed out");
}


ngx_int_t
ngx_gw_redis_push(ngx_gw_redis_t *rd, ngx_gw_redis_op_t *op,
    ngx_uint_t argc, const ngx_str_t *argv)
{
    ngx_uint_t  n;

    if (rd->tail - rd->head == NGX_GW_REDIS_INFLIGHT
        || ngx_gw_resp_append(&rd->out, argc, argv) != NGX_OK)
    {
        if (ngx_gw_log_pass(&rd->log_busy, &n)) {
            ngx_log_error(NGX_LOG_ERR, rd->log, 0,
                          "gw redis: %V has %ui commands outstanding, "
                          "no room for another, %ui more refused before",
                          &rd->url->name, rd->tail - rd->head, n);
        }

        return NGX_ERROR;
    }

    op->redis = rd;
    op->slot = rd->tail;
    op->active = 1;

    rd->waiters[rd->tail++ & NGX_GW_REDIS_MASK] = op;

    rd->connection->idle = 0;

    if (rd->up && !rd->timer.timer_set) {
        ngx_add_timer(&rd->timer, rd->stall);
    }

    ngx_post_event(&rd->flush, &ngx_posted_events);

    return NGX_OK;
}


void
ngx_gw_redis_answer(ngx_gw_redis_t *rd, ngx_gw_reply_t *reply)
{
    ngx_uint_t          n;
    ngx_gw_redis_op_t  *op;

    if (rd->up && rd->failures) {

        /* PING alone is no proof: a command was answered */

        if (ngx_gw_log_pass(&rd->log_back, &n)) {
            ngx_log_error(NGX_LOG_NOTICE, rd->log, 0,
                          "gw redis: %V is back after %ui failures",
                          &rd->url->name, rd->failures);
        }

        rd->failures = 0;
    }

    op = rd->waiters[rd->head & NGX_GW_REDIS_MASK];
    rd->head++;

    if (rd->head == rd->tail) {
        rd->connection->idle = 1;

        if (rd->timer.timer_set) {
            ngx_del_timer(&rd->timer);
        }

    } else {
        ngx_add_timer(&rd->timer, rd->stall);
    }

    if (op == NULL) {
        return;
    }

    if (op->deadline.timer_set) {
        ngx_del_timer(&op->deadline);
    }

    op->active = 0;
    op->handler(op, reply);
}


/* closes the connection, fails who waits, and delays the next attempt */

void
ngx_gw_redis_broken(ngx_gw_redis_t *rd, ngx_err_t err, const char *what,
    const ngx_str_t *detail)
{
    ngx_uint_t           n, head, tail, next;
    ngx_msec_t           delay;
    ngx_gw_redis_op_t   *op;

    static const ngx_str_t  none = ngx_null_string;

    head = rd->head;
    tail = rd->tail;

    if (rd->up && head == tail) {

        /* closed while idle: Redis restarts, or has a "timeout" */

        ngx_log_error(NGX_LOG_INFO, rd->log, err, "gw redis: %V %s",
                      &rd->url->name, what);

        ngx_gw_redis_peer_close(rd);
        return;
    }

    delay = NGX_GW_REDIS_BACKOFF
            << ngx_min(rd->failures / rd->url->naddrs, 4);
    delay = ngx_min(delay, 2000);

    next = (!rd->up && ++rd->attempt % rd->url->naddrs);

    if (next) {

        /* the name has another address, which is not known to be bad */

        delay = 4;
    }

    rd->failures++;

    ngx_gw_redis_peer_close(rd);

    rd->retry = ngx_current_msec + delay / 2 + ngx_random() % (delay / 2);

    if (next) {
        ngx_log_error(NGX_LOG_INFO, rd->log, err,
                      "gw redis: an address of %V %s, the next one is tried",
                      &rd->url->name, what);

    } else if (ngx_gw_log_pass(&rd->log_failure, &n)) {
        ngx_log_error(NGX_LOG_ERR, rd->log, err,
                      "gw redis: %V %s%s%V, %ui more failures before",
                      &rd->url->name, what, detail ? ": " : "",
                      detail ? detail : &none, n);
    }

    /* no handler can connect again before this ends: "retry" is ahead */

    for ( /* void */ ; head != tail; head++) {

        op = rd->waiters[head & NGX_GW_REDIS_MASK];

        if (op == NULL) {
            continue;
        }

        ngx_gw_redis_cancel(op);
        ngx_gw_redis_fail(op, "connection lost");
    }
}
