
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_peer.h"
#include "ngx_gw_redis_greet.h"
#include "ngx_gw_redis_ring.h"
#include "ngx_gw_redis_wire.h"


#define NGX_GW_REDIS_PEER_BACKOFF  100      /* ms */
#define NGX_GW_REDIS_PEER_MAX      2000
#define NGX_GW_REDIS_PEER_NEXT     4        /* to another address */


static ngx_int_t ngx_gw_redis_peer_begin(ngx_gw_redis_peer_t *peer);
static ngx_int_t ngx_gw_redis_peer_resolve(ngx_gw_redis_peer_t *peer,
    ngx_int_t rc);
static void ngx_gw_redis_peer_answered_handler(ngx_event_t *ev);
static void ngx_gw_redis_peer_flush_handler(ngx_event_t *ev);
static void ngx_gw_redis_peer_timer_handler(ngx_event_t *ev);
static void ngx_gw_redis_peer_delay(ngx_gw_redis_peer_t *peer, ngx_err_t err,
    const char *what, const ngx_str_t *detail);
static void ngx_gw_redis_peer_close(ngx_gw_redis_peer_t *peer);
static ngx_int_t ngx_gw_redis_peer_ask(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_op_t *op);


ngx_gw_redis_peer_t *
ngx_gw_redis_peer_create(ngx_gw_redis_t *rd, const ngx_gw_redis_conf_t *conf,
    ngx_log_t *log)
{
    ngx_gw_redis_peer_t  *peer;

    peer = ngx_calloc(sizeof(ngx_gw_redis_peer_t), log);
    if (peer == NULL) {
        return NULL;
    }

    peer->waiters = ngx_calloc(NGX_GW_REDIS_INFLIGHT
                               * sizeof(ngx_gw_redis_op_t *), log);
    if (peer->waiters == NULL) {
        ngx_free(peer);
        return NULL;
    }

    peer->conf = conf;
    peer->redis = rd;
    peer->log = log;
    peer->name = conf->name;
    peer->stall = NGX_GW_REDIS_STALL;
    peer->out.limit = NGX_GW_REDIS_BUFFER;

    peer->flush.handler = ngx_gw_redis_peer_flush_handler;
    peer->flush.data = peer;
    peer->flush.log = log;

    peer->answered.handler = ngx_gw_redis_peer_answered_handler;
    peer->answered.data = peer;
    peer->answered.log = log;

    peer->timer.handler = ngx_gw_redis_peer_timer_handler;
    peer->timer.data = peer;
    peer->timer.log = log;
    peer->timer.cancelable = 1;

    return peer;
}


void
ngx_gw_redis_peer_destroy(ngx_gw_redis_peer_t *peer)
{
    if (peer->doomed) {
        return;
    }

    peer->depth++;
    peer->doomed = 1;

    ngx_gw_redis_peer_close(peer);

    ngx_gw_redis_ring_clear(peer);

    ngx_gw_redis_peer_leave(peer);
}


/* hooks and handlers may destroy the peer that calls them */

void
ngx_gw_redis_peer_leave(ngx_gw_redis_peer_t *peer)
{
    peer->depth--;

    if (peer->depth || !peer->doomed) {
        return;
    }

    ngx_gw_redis_name_release(peer);

    if (peer->out.start) {
        ngx_free(peer->out.start);
    }

    ngx_free(peer->waiters);
    ngx_free(peer);
}


ngx_int_t
ngx_gw_redis_peer_hosts(ngx_gw_redis_peer_t *peer)
{
    return ngx_gw_redis_name_set(peer, peer->conf->hosts, peer->conf->nhosts);
}


ngx_int_t
ngx_gw_redis_peer_host(ngx_gw_redis_peer_t *peer, const ngx_str_t *host,
    in_port_t port)
{
    return ngx_gw_redis_name_one(peer, host, port);
}


ngx_int_t
ngx_gw_redis_peer_connect(ngx_gw_redis_peer_t *peer)
{
    ngx_int_t  rc;

    peer->depth++;

    rc = ngx_gw_redis_peer_begin(peer);

    if (rc != NGX_ERROR && !peer->finding && peer->connection == NULL) {
        rc = NGX_ERROR;
    }

    ngx_gw_redis_peer_leave(peer);

    return rc;
}


static ngx_int_t
ngx_gw_redis_peer_begin(ngx_gw_redis_peer_t *peer)
{
    ngx_int_t  rc;

    peer->finding = 1;

    if (ngx_gw_resp_create(&peer->resp) != NGX_OK
        || ngx_gw_redis_greet(peer) != NGX_OK)
    {
        ngx_gw_redis_peer_break(peer, 0, "could not connect, memory is short",
                                NULL);
        return NGX_ERROR;
    }

    peer->hello_left = peer->out.last - peer->out.pos;

    ngx_add_timer(&peer->timer, peer->stall);

    if (peer->find == NULL) {
        return ngx_gw_redis_peer_resolve(peer, NGX_OK);
    }

    peer->asking = 1;

    rc = peer->find(peer);

    if (rc == NGX_AGAIN || !peer->asking) {
        return NGX_OK;
    }

    peer->asking = 0;

    return ngx_gw_redis_peer_resolve(peer, rc);
}


void
ngx_gw_redis_peer_found(ngx_gw_redis_peer_t *peer, ngx_int_t rc)
{
    if (!peer->asking) {
        return;
    }

    peer->depth++;
    peer->asking = 0;

    (void) ngx_gw_redis_peer_resolve(peer, rc);

    ngx_gw_redis_peer_leave(peer);
}


static ngx_int_t
ngx_gw_redis_peer_resolve(ngx_gw_redis_peer_t *peer, ngx_int_t rc)
{
    if (rc != NGX_OK || peer->nplaces == 0) {
        ngx_gw_redis_peer_break(peer, 0, "was not found", NULL);
        return NGX_ERROR;
    }

    rc = ngx_gw_redis_name_resolve(peer);

    if (rc == NGX_AGAIN) {
        return NGX_OK;
    }

    if (rc != NGX_OK) {
        ngx_gw_redis_peer_break(peer, 0, "has no known address", NULL);
        return NGX_ERROR;
    }

    return ngx_gw_redis_wire_open(peer);
}


static void
ngx_gw_redis_peer_answered_handler(ngx_event_t *ev)
{
    ngx_gw_redis_peer_t  *peer;

    peer = ev->data;

    peer->depth++;

    /* "resolved" is set: it is not asked twice */

    (void) ngx_gw_redis_peer_resolve(peer, NGX_OK);

    ngx_gw_redis_peer_leave(peer);
}


/* the greeting was answered as it should be */

void
ngx_gw_redis_peer_ready(ngx_gw_redis_peer_t *peer)
{
    peer->up = 1;
    peer->resolved = 0;

    if (peer->breaker.until && peer->breaker.probe == 0) {

        /* it does answer: one operation may try at once */

        peer->breaker.until = ngx_min(peer->breaker.until,
                                      (uint64_t) ngx_current_msec);
    }

    ngx_post_event(&peer->flush, &ngx_posted_events);
}


static void
ngx_gw_redis_peer_flush_handler(ngx_event_t *ev)
{
    ngx_gw_redis_peer_flush(ev->data);
}


void
ngx_gw_redis_peer_flush(ngx_gw_redis_peer_t *peer)
{
    if (peer->connection == NULL || !peer->connected) {
        return;
    }

    peer->depth++;

    ngx_gw_redis_wire_write(peer);

    ngx_gw_redis_peer_leave(peer);
}


static void
ngx_gw_redis_peer_timer_handler(ngx_event_t *ev)
{
    ngx_gw_redis_peer_t  *peer;

    peer = ev->data;

    ngx_gw_redis_peer_break(peer, 0,
                            peer->up ? "does not answer"
                                     : "could not be reached in time", NULL);
}


void
ngx_gw_redis_peer_break(ngx_gw_redis_peer_t *peer, ngx_err_t err,
    const char *what, const ngx_str_t *detail)
{
    ngx_gw_redis_failure_e  failure;

    if (peer->connection == NULL && !peer->finding) {
        return;
    }

    peer->depth++;

    if (peer->up && !peer->refused && peer->head == peer->tail) {

        /* closed while idle: Redis restarts, or has a "timeout" */

        ngx_log_error(NGX_LOG_INFO, peer->log, err, "gw redis: %V %s",
                      &peer->name, what);

        ngx_gw_redis_peer_close(peer);
        ngx_gw_redis_peer_leave(peer);
        return;
    }

    /* commands are written only when it is up */

    failure = peer->up ? NGX_GW_REDIS_LOST : NGX_GW_REDIS_UNAVAILABLE;

    ngx_gw_redis_peer_delay(peer, err, what, detail);
    ngx_gw_redis_peer_close(peer);

    /* no handler can connect again before this ends: "retry" is ahead */

    ngx_gw_redis_ring_fail(peer, failure);

    if (peer->broken && !peer->doomed) {
        peer->broken(peer);
    }

    ngx_gw_redis_peer_leave(peer);
}


/* "detail" may be a part of the reply that is being read */

static void
ngx_gw_redis_peer_delay(ngx_gw_redis_peer_t *peer, ngx_err_t err,
    const char *what, const ngx_str_t *detail)
{
    ngx_str_t   name;
    ngx_uint_t  n, next;
    ngx_msec_t  delay;

    static const ngx_str_t  none = ngx_null_string;

    name = peer->name;
    next = (!peer->up || peer->refused) && ngx_gw_redis_name_next(peer);

    if (next) {

        /* another address, which is not known to be bad */

        delay = NGX_GW_REDIS_PEER_NEXT;

    } else {
        delay = NGX_GW_REDIS_PEER_BACKOFF << ngx_min(peer->rounds, 5);
        delay = ngx_min(delay, NGX_GW_REDIS_PEER_MAX);
        peer->rounds++;
    }

    peer->failures++;
    peer->retry = ngx_current_msec + delay / 2 + ngx_random() % (delay / 2);

    if (next) {
        ngx_log_error(NGX_LOG_INFO, peer->log, err,
                      "gw redis: %V %s%s%V, the next address is tried",
                      &name, what, detail ? ": " : "",
                      detail ? detail : &none);

    } else if (ngx_gw_log_pass(&peer->log_failure, &n)) {
        ngx_log_error(NGX_LOG_ERR, peer->log, err,
                      "gw redis: %V %s%s%V, %ui more failures before",
                      &name, what, detail ? ": " : "",
                      detail ? detail : &none, n);
    }
}


/* the ring stays as it is */

static void
ngx_gw_redis_peer_close(ngx_gw_redis_peer_t *peer)
{
    if (peer->timer.timer_set) {
        ngx_del_timer(&peer->timer);
    }

    if (peer->flush.posted) {
        ngx_delete_posted_event(&peer->flush);
    }

    ngx_gw_redis_name_cancel(peer);

    if (peer->asking) {
        peer->asking = 0;

        if (peer->forget) {
            peer->forget(peer);
        }
    }

    ngx_gw_redis_wire_close(peer);

    ngx_gw_resp_destroy(&peer->resp);

    peer->out.pos = peer->out.start;
    peer->out.last = peer->out.start;

    peer->generation++;
    peer->finding = 0;
    peer->connected = 0;
    peer->up = 0;
    peer->refused = 0;
}


ngx_int_t
ngx_gw_redis_peer_push(ngx_gw_redis_peer_t *peer, ngx_gw_redis_op_t *op,
    ngx_uint_t argc, const ngx_str_t *argv)
{
    if (ngx_gw_redis_peer_ask(peer, op) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_gw_redis_peer_queue(peer, op, argc, argv);
}


ngx_int_t
ngx_gw_redis_peer_push_copy(ngx_gw_redis_peer_t *peer, ngx_gw_redis_op_t *op,
    const u_char *data, size_t len)
{
    ngx_int_t  rc;

    if (ngx_gw_redis_peer_ask(peer, op) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = NGX_DECLINED;

    if (peer->tail - peer->head < NGX_GW_REDIS_INFLIGHT) {
        rc = ngx_gw_resp_append_copy(&peer->out, data, len);
    }

    return ngx_gw_redis_ring_add(peer, op, rc);
}


/* a connection, at least one that is being made, and the breaker's consent */

static ngx_int_t
ngx_gw_redis_peer_ask(ngx_gw_redis_peer_t *peer, ngx_gw_redis_op_t *op)
{
    ngx_msec_int_t  left;

    if (op) {
        op->failure = NGX_GW_REDIS_UNAVAILABLE;

        if (op->deadline.timer_set) {
            left = (ngx_msec_int_t) (op->deadline.timer.key
                                     - ngx_current_msec);
            peer->stall = ngx_max(peer->stall, (ngx_msec_t) ngx_max(left, 0));
        }
    }

    if (peer->connection == NULL && !peer->finding) {

        if (peer->failures
            && (ngx_msec_int_t) (peer->retry - ngx_current_msec) > 0)
        {
            return NGX_ERROR;
        }

        if (ngx_gw_redis_peer_connect(peer) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (op == NULL) {
        return NGX_OK;
    }

    if (gw_breaker_ask(&peer->breaker, ngx_current_msec) != GW_OK) {
        return NGX_ERROR;
    }

    op->probe = (peer->breaker.until != 0);

    return NGX_OK;
}


ngx_int_t
ngx_gw_redis_peer_queue(ngx_gw_redis_peer_t *peer, ngx_gw_redis_op_t *op,
    ngx_uint_t argc, const ngx_str_t *argv)
{
    ngx_int_t  rc;

    rc = NGX_DECLINED;

    if (peer->tail - peer->head < NGX_GW_REDIS_INFLIGHT) {
        rc = ngx_gw_resp_append(&peer->out, argc, argv);
    }

    return ngx_gw_redis_ring_add(peer, op, rc);
}
