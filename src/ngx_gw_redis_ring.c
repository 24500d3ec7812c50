
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_ring.h"
#include "ngx_gw_redis_greet.h"


#define NGX_GW_REDIS_RING_MASK  (NGX_GW_REDIS_INFLIGHT - 1)


static void ngx_gw_redis_ring_release(ngx_gw_redis_op_t *op);
static void ngx_gw_redis_ring_back(ngx_gw_redis_peer_t *peer);
static ngx_uint_t ngx_gw_redis_ring_is_hello(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_op_t *op);
static ngx_uint_t ngx_gw_redis_ring_refuses(const ngx_gw_reply_t *reply);


ngx_int_t
ngx_gw_redis_ring_add(ngx_gw_redis_peer_t *peer, ngx_gw_redis_op_t *op,
    ngx_int_t rc)
{
    ngx_uint_t  n;

    if (op) {
        op->peer = peer;
    }

    if (rc != NGX_OK) {

        if (op) {
            ngx_gw_redis_ring_release(op);
            op->failure = NGX_GW_REDIS_BUSY;
        }

        if (ngx_gw_log_pass(&peer->log_busy, &n)) {
            ngx_log_error(NGX_LOG_ERR, peer->log, 0,
                          "gw redis: %V has %ui commands outstanding, "
                          "no room for another, %ui more refused before",
                          &peer->name, peer->tail - peer->head, n);
        }

        return NGX_ERROR;
    }

    if (op) {
        op->ring = peer->tail;
        op->pushed = ngx_current_msec;

        if (op->load) {
            peer->load = op->load;
            peer->loading = op->ring;
        }

        if (!peer->up) {
            /* it waits for the connection, which is no turn's fault */
            op->spared = 1;
        }
    }

    peer->waiters[peer->tail++ & NGX_GW_REDIS_RING_MASK] = op;

    if (peer->connection) {
        peer->connection->idle = 0;
    }

    if (peer->up && !peer->timer.timer_set) {
        ngx_add_timer(&peer->timer, peer->stall);
    }

    ngx_post_event(&peer->flush, &ngx_posted_events);

    return NGX_OK;
}


void
ngx_gw_redis_peer_forget(ngx_gw_redis_op_t *op)
{
    ngx_gw_redis_peer_t  *peer;

    peer = op->peer;

    peer->waiters[op->ring & NGX_GW_REDIS_RING_MASK] = NULL;

    ngx_gw_redis_ring_release(op);
}


/* it waits no more; another one may probe if it has not found out */

static void
ngx_gw_redis_ring_release(ngx_gw_redis_op_t *op)
{
    ngx_gw_redis_peer_t  *peer;

    peer = op->peer;

    if (op->probe) {
        peer->breaker.probe = 0;
    }

    op->probe = 0;
    op->peer = NULL;
}


/*
 * A deadline counts from when a turn began, but commands are written at its
 * end.  A turn with very many requests would take all of their time, and five
 * of them open the breaker.
 */

ngx_msec_t
ngx_gw_redis_ring_spare(ngx_gw_redis_op_t *op)
{
    ngx_uint_t            last;
    ngx_gw_redis_peer_t  *peer;

    peer = op->peer;

    last = peer->flushed - peer->flushing;

    if (op->spared || op->ring - peer->flushing >= last) {
        return 0;
    }

    return peer->flushed_at - op->pushed;
}


void
ngx_gw_redis_peer_late(ngx_gw_redis_op_t *op)
{
    uint64_t              until;
    ngx_uint_t            n;
    ngx_gw_redis_peer_t  *peer;

    peer = op->peer;
    until = peer->breaker.until;

    gw_breaker_report(&peer->breaker, ngx_current_msec, 0);
    op->probe = 0;

    ngx_gw_redis_peer_forget(op);

    if (ngx_gw_log_pass(&peer->log_late, &n)) {
        ngx_log_error(NGX_LOG_ERR, peer->log, 0,
                      "gw redis: %V timed out, %ui more failures before",
                      &peer->name, n);
    }

    if (peer->breaker.until != until
        && ngx_gw_log_pass(&peer->log_breaker, &n))
    {
        ngx_log_error(NGX_LOG_WARN, peer->log, 0,
                      "gw redis: %V is too slow and not asked for %uL ms, "
                      "%ui more times before", &peer->name,
                      peer->breaker.until - ngx_current_msec, n);
    }
}


/* all who wait; the handlers may destroy the peer, which empties the ring */

void
ngx_gw_redis_ring_fail(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_failure_e failure)
{
    ngx_gw_redis_op_t  *op;

    while (peer->head != peer->tail) {

        op = peer->waiters[peer->head++ & NGX_GW_REDIS_RING_MASK];

        if (op == NULL || ngx_gw_redis_ring_is_hello(peer, op)) {
            continue;
        }

        ngx_gw_redis_ring_release(op);

        op->failure = failure;
        peer->answer(op, NULL);
    }
}


void
ngx_gw_redis_ring_clear(ngx_gw_redis_peer_t *peer)
{
    ngx_gw_redis_op_t  *op;

    while (peer->head != peer->tail) {

        op = peer->waiters[peer->head++ & NGX_GW_REDIS_RING_MASK];

        if (op && !ngx_gw_redis_ring_is_hello(peer, op)) {
            ngx_gw_redis_ring_release(op);
            ngx_gw_redis_cancel(op);
        }
    }
}


/* gives a reply to the oldest waiter; the peer may be broken then */

void
ngx_gw_redis_ring_answer(ngx_gw_redis_peer_t *peer, ngx_gw_reply_t *reply)
{
    ngx_str_t           reason;
    ngx_uint_t          refused, generation;
    ngx_gw_redis_op_t  *op;

    refused = peer->up && ngx_gw_redis_ring_refuses(reply);

    if (peer->up && peer->failures && !refused && !peer->question) {

        /* PING alone is no proof: a command was answered */

        ngx_gw_redis_ring_back(peer);
    }

    op = peer->waiters[peer->head & NGX_GW_REDIS_RING_MASK];
    peer->head++;

    if (peer->head == peer->tail) {
        peer->connection->idle = 1;

        if (peer->timer.timer_set) {
            ngx_del_timer(&peer->timer);
        }

    } else {
        ngx_add_timer(&peer->timer, peer->stall);
    }

    generation = peer->generation;

    if (op && ngx_gw_redis_ring_is_hello(peer, op)) {
        ngx_gw_redis_greet_answer(peer, op, reply);

    } else if (op) {
        gw_breaker_report(&peer->breaker, ngx_current_msec, 1);

        op->probe = 0;
        op->peer = NULL;

        peer->answer(op, reply);
    }

    if (refused && peer->generation == generation) {
        reason = ngx_gw_reply_reason(reply);

        peer->refused = 1;
        ngx_gw_redis_peer_break(peer, 0, "refuses commands", &reason);
    }
}


static void
ngx_gw_redis_ring_back(ngx_gw_redis_peer_t *peer)
{
    ngx_uint_t  n;

    if (ngx_gw_log_pass(&peer->log_back, &n)) {
        ngx_log_error(NGX_LOG_NOTICE, peer->log, 0,
                      "gw redis: %V is back after %ui failures",
                      &peer->name, peer->failures);
    }

    peer->failures = 0;
    peer->rounds = 0;
}


static ngx_uint_t
ngx_gw_redis_ring_is_hello(ngx_gw_redis_peer_t *peer, ngx_gw_redis_op_t *op)
{
    return op >= peer->hello
           && op < peer->hello + sizeof(peer->hello) / sizeof(peer->hello[0]);
}


/* not the place to write to now; older ones say it inside a script's error */

static ngx_uint_t
ngx_gw_redis_ring_refuses(const ngx_gw_reply_t *reply)
{
    const char  *err;

    err = ngx_gw_reply_error(reply);

    return err
           && (ngx_strncmp(err, "READONLY ", 9) == 0
               || ngx_strncmp(err, "LOADING ", 8) == 0
               || ngx_strncmp(err, "MASTERDOWN ", 11) == 0
               || ngx_strstr(err, " -READONLY ") != NULL);
}
