
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_client.h"
#include "ngx_gw_redis_cluster.h"
#include "ngx_gw_redis_ring.h"
#include "ngx_gw_redis_sentinel.h"


static ngx_int_t ngx_gw_redis_start(ngx_gw_redis_t *rd);
static ngx_int_t ngx_gw_redis_format(ngx_uint_t argc, const ngx_str_t *argv,
    u_char **data, size_t *len);
static void ngx_gw_redis_detach(ngx_gw_redis_op_t *op);
static void ngx_gw_redis_deadline_handler(ngx_event_t *ev);


static const char *const  ngx_gw_redis_failures[NGX_GW_REDIS_FAILURES] = {
    "no failure", "an error reply", "timed out", "connection lost",
    "unavailable", "busy"
};


ngx_gw_redis_t *
ngx_gw_redis_create(const ngx_gw_redis_conf_t *conf, ngx_log_t *log)
{
    ngx_gw_redis_t  *rd;

    rd = ngx_calloc(sizeof(ngx_gw_redis_t), log);
    if (rd == NULL) {
        return NULL;
    }

    rd->conf = conf;
    rd->log = log;

    if (conf->mode == NGX_GW_REDIS_CLUSTER) {

        if (ngx_gw_redis_cluster_create(rd) != NGX_OK) {
            ngx_free(rd);
            return NULL;
        }

        return rd;
    }

    if (ngx_gw_redis_start(rd) != NGX_OK) {
        ngx_gw_redis_destroy(rd);
        return NULL;
    }

    return rd;
}


static ngx_int_t
ngx_gw_redis_start(ngx_gw_redis_t *rd)
{
    ngx_gw_redis_peer_t  *peer;

    peer = ngx_gw_redis_peer_create(rd, rd->conf, rd->log);
    if (peer == NULL) {
        return NGX_ERROR;
    }

    rd->peer = peer;

    peer->answer = ngx_gw_redis_complete;

    if (rd->conf->mode == NGX_GW_REDIS_SENTINEL) {

        peer->find = ngx_gw_redis_sentinel_find;
        peer->forget = ngx_gw_redis_sentinel_forget;
        peer->master = 1;

        if (ngx_gw_redis_sentinel_create(rd) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (ngx_gw_redis_peer_hosts(peer) != NGX_OK) {
        return NGX_ERROR;
    }

    (void) ngx_gw_redis_peer_connect(peer);

    return NGX_OK;
}


void
ngx_gw_redis_destroy(ngx_gw_redis_t *rd)
{
    if (rd->conf->mode == NGX_GW_REDIS_CLUSTER) {
        ngx_gw_redis_cluster_destroy(rd);
    }

    if (rd->peer) {
        ngx_gw_redis_peer_destroy(rd->peer);
    }

    if (rd->conf->mode == NGX_GW_REDIS_SENTINEL) {
        ngx_gw_redis_sentinel_destroy(rd);
    }

    ngx_free(rd);
}


void
ngx_gw_redis_command(ngx_gw_redis_t *rd, ngx_gw_redis_op_t *op,
    ngx_uint_t argc, const ngx_str_t *argv, ngx_msec_t timeout)
{
    op->failure = NGX_GW_REDIS_OK;
    op->redis = rd;
    op->peer = NULL;
    op->copy = NULL;
    op->redirects = 0;
    op->active = 1;
    op->probe = 0;
    op->spared = 0;
    op->queued = 0;

    ngx_memzero(&op->deadline, sizeof(ngx_event_t));

    /* somebody waits: a worker that quits has to wait as well */

    op->deadline.handler = ngx_gw_redis_deadline_handler;
    op->deadline.data = op;
    op->deadline.log = rd->log;

    ngx_add_timer(&op->deadline, timeout);

    if (rd->cluster) {

        if (ngx_gw_redis_format(argc, argv, &op->copy, &op->len) != NGX_OK) {
            ngx_gw_redis_fail(op, NGX_GW_REDIS_BUSY);
            return;
        }

        ngx_gw_redis_cluster_command(rd, op, op->key ? &argv[op->key] : NULL);
        return;
    }

    if (ngx_gw_redis_peer_push(rd->peer, op, argc, argv) != NGX_OK) {
        ngx_gw_redis_complete(op, NULL);
    }
}


/* "data" belongs to the caller then */

static ngx_int_t
ngx_gw_redis_format(ngx_uint_t argc, const ngx_str_t *argv, u_char **data,
    size_t *len)
{
    ngx_gw_resp_buf_t  b;

    ngx_memzero(&b, sizeof(ngx_gw_resp_buf_t));

    b.limit = NGX_GW_REDIS_BUFFER;

    if (ngx_gw_resp_append(&b, argc, argv) != NGX_OK) {
        return NGX_ERROR;
    }

    *data = b.start;
    *len = b.last - b.start;

    return NGX_OK;
}


void
ngx_gw_redis_cancel(ngx_gw_redis_op_t *op)
{
    if (op->active) {
        ngx_gw_redis_detach(op);
        op->active = 0;
    }
}


ngx_uint_t
ngx_gw_redis_loading(const ngx_gw_redis_op_t *op, const void *load)
{
    ngx_gw_redis_peer_t  *peer;

    peer = op->redis->cluster ? ngx_gw_redis_cluster_peer(op)
                              : op->redis->peer;

    return peer->load == load
           && peer->loading - peer->head < peer->tail - peer->head;
}


static void
ngx_gw_redis_detach(ngx_gw_redis_op_t *op)
{
    if (op->deadline.timer_set) {
        ngx_del_timer(&op->deadline);
    }

    if (op->peer) {
        ngx_gw_redis_peer_forget(op);
    }

    if (op->queued) {
        ngx_queue_remove(&op->queue);
        op->queued = 0;
        op->redis->queued--;
    }

    if (op->copy) {
        ngx_free(op->copy);
        op->copy = NULL;
    }
}


static void
ngx_gw_redis_deadline_handler(ngx_event_t *ev)
{
    ngx_uint_t          n;
    ngx_msec_t          spare;
    ngx_gw_redis_t     *rd;
    ngx_gw_redis_op_t  *op;

    op = ev->data;
    rd = op->redis;

    spare = op->peer ? ngx_gw_redis_ring_spare(op) : 0;

    if (spare) {
        op->spared = 1;
        ngx_add_timer(ev, spare);
        return;
    }

    if (op->peer) {
        ngx_gw_redis_peer_late(op);

    } else if (ngx_gw_log_pass(&rd->log_timeout, &n)) {
        ngx_log_error(NGX_LOG_ERR, rd->log, 0,
                      "gw redis: no node of %V was found in time, "
                      "%ui more failures before", &rd->conf->name, n);
    }

    ngx_gw_redis_fail(op, NGX_GW_REDIS_TIMED_OUT);
}


void
ngx_gw_redis_fail(ngx_gw_redis_op_t *op, ngx_gw_redis_failure_e failure)
{
    op->failure = failure;

    ngx_gw_redis_complete(op, NULL);
}


void
ngx_gw_redis_complete(ngx_gw_redis_op_t *op, ngx_gw_reply_t *reply)
{
    ngx_gw_redis_detach(op);

    op->active = 0;

    if (reply) {
        op->failure = ngx_gw_reply_error(reply) ? NGX_GW_REDIS_ERROR
                                                : NGX_GW_REDIS_OK;
    }

    op->handler(op, reply);
}


const char *
ngx_gw_redis_why(const ngx_gw_redis_op_t *op)
{
    return ngx_gw_redis_failures[op->failure];
}


ngx_int_t
ngx_gw_redis_post(ngx_gw_redis_t *rd, ngx_uint_t key, ngx_uint_t argc,
    const ngx_str_t *argv)
{
    size_t                len;
    u_char               *data;
    ngx_int_t             rc;
    ngx_gw_redis_peer_t  *peer;

    if (rd->cluster) {

        if (ngx_gw_redis_format(argc, argv, &data, &len) != NGX_OK) {
            return NGX_DECLINED;
        }

        rc = ngx_gw_redis_cluster_post(rd, key ? &argv[key] : NULL, data,
                                       len);
        ngx_free(data);

        return rc;
    }

    peer = rd->peer;

    if (!peer->up
        || ngx_gw_redis_peer_queue(peer, NULL, argc, argv) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_gw_redis_peer_flush(peer);

    return NGX_OK;
}
