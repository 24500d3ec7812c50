
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_cluster.h"
#include "ngx_gw_redis_map.h"


typedef struct {
    ngx_gw_redis_map_t   map;         /* first: its address is rd->cluster */
    ngx_queue_t          waiting;
    ngx_queue_t          again;
    ngx_event_t          timer;       /* of "again" */
} ngx_gw_redis_cluster_t;


static void ngx_gw_redis_cluster_route(ngx_gw_redis_cluster_t *cl,
    ngx_gw_redis_op_t *op);
static void ngx_gw_redis_cluster_wait(ngx_gw_redis_cluster_t *cl,
    ngx_gw_redis_op_t *op);
static void ngx_gw_redis_cluster_send(ngx_gw_redis_cluster_t *cl,
    ngx_gw_redis_op_t *op, ngx_gw_redis_node_t *node, ngx_uint_t asking);
static ngx_int_t ngx_gw_redis_cluster_asking(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_op_t *op);
static void ngx_gw_redis_cluster_answer(ngx_gw_redis_op_t *op,
    ngx_gw_reply_t *reply);
static ngx_int_t ngx_gw_redis_cluster_redirect(ngx_gw_redis_cluster_t *cl,
    ngx_gw_redis_op_t *op, const char *text, ngx_uint_t ask);
static void ngx_gw_redis_cluster_again(ngx_gw_redis_cluster_t *cl,
    ngx_gw_redis_op_t *op);
static void ngx_gw_redis_cluster_broken(ngx_gw_redis_peer_t *peer);
static void ngx_gw_redis_cluster_map_done(ngx_gw_redis_map_t *map,
    ngx_int_t rc);
static void ngx_gw_redis_cluster_timer_handler(ngx_event_t *ev);
static void ngx_gw_redis_cluster_enqueue(ngx_queue_t *queue,
    ngx_gw_redis_op_t *op);
static ngx_gw_redis_op_t *ngx_gw_redis_cluster_dequeue(ngx_queue_t *queue);


ngx_int_t
ngx_gw_redis_cluster_create(ngx_gw_redis_t *rd)
{
    ngx_gw_redis_cluster_t  *cl;

    cl = ngx_calloc(sizeof(ngx_gw_redis_cluster_t), rd->log);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    rd->cluster = cl;

    ngx_queue_init(&cl->waiting);
    ngx_queue_init(&cl->again);

    cl->timer.handler = ngx_gw_redis_cluster_timer_handler;
    cl->timer.data = cl;
    cl->timer.log = rd->log;
    cl->timer.cancelable = 1;

    cl->map.done = ngx_gw_redis_cluster_map_done;
    cl->map.nodes.redis = rd;
    cl->map.nodes.answer = ngx_gw_redis_cluster_answer;
    cl->map.nodes.broken = ngx_gw_redis_cluster_broken;

    ngx_gw_redis_map_init(&cl->map);

    return NGX_OK;
}


void
ngx_gw_redis_cluster_destroy(ngx_gw_redis_t *rd)
{
    ngx_gw_redis_cluster_t  *cl = rd->cluster;

    ngx_gw_redis_map_free(&cl->map);

    if (cl->timer.timer_set) {
        ngx_del_timer(&cl->timer);
    }

    while (!ngx_queue_empty(&cl->waiting)) {
        ngx_gw_redis_cancel(ngx_gw_redis_cluster_dequeue(&cl->waiting));
    }

    while (!ngx_queue_empty(&cl->again)) {
        ngx_gw_redis_cancel(ngx_gw_redis_cluster_dequeue(&cl->again));
    }

    ngx_free(cl);
    rd->cluster = NULL;
}


void
ngx_gw_redis_cluster_command(ngx_gw_redis_t *rd, ngx_gw_redis_op_t *op,
    const ngx_str_t *key)
{
    gw_str_t  s;

    op->slot = GW_SLOTS;

    if (key) {
        s.len = key->len;
        s.data = (const char *) key->data;

        op->slot = gw_slot(&s);
    }

    ngx_gw_redis_cluster_route(rd->cluster, op);
}


static void
ngx_gw_redis_cluster_route(ngx_gw_redis_cluster_t *cl, ngx_gw_redis_op_t *op)
{
    ngx_gw_redis_node_t  *node;

    node = ngx_gw_redis_nodes_slot(&cl->map.nodes, op->slot);

    if (node == NULL) {
        ngx_gw_redis_cluster_wait(cl, op);
        return;
    }

    ngx_gw_redis_cluster_send(cl, op, node, 0);
}


static void
ngx_gw_redis_cluster_wait(ngx_gw_redis_cluster_t *cl, ngx_gw_redis_op_t *op)
{
    ngx_gw_redis_map_t  *map;

    map = &cl->map;

    if (!map->querying && !map->asking) {
        ngx_gw_redis_map_refresh(map);

        if (map->failed) {
            ngx_gw_redis_fail(op, NGX_GW_REDIS_UNAVAILABLE);
            return;
        }
    }

    if (op->redis->queued >= NGX_GW_REDIS_INFLIGHT) {
        ngx_gw_redis_fail(op, NGX_GW_REDIS_BUSY);
        return;
    }

    ngx_gw_redis_cluster_enqueue(&cl->waiting, op);
}


static void
ngx_gw_redis_cluster_send(ngx_gw_redis_cluster_t *cl, ngx_gw_redis_op_t *op,
    ngx_gw_redis_node_t *node, ngx_uint_t asking)
{
    ngx_gw_redis_peer_t  *peer;

    op->node = node;
    op->failure = NGX_GW_REDIS_UNAVAILABLE;

    peer = ngx_gw_redis_nodes_peer(&cl->map.nodes, node);

    if (peer
        && (!asking || ngx_gw_redis_cluster_asking(peer, op) == NGX_OK)
        && ngx_gw_redis_peer_push_copy(peer, op, op->copy, op->len) == NGX_OK)
    {
        return;
    }

    if (op->failure == NGX_GW_REDIS_UNAVAILABLE) {
        ngx_gw_redis_map_refresh(&cl->map);
    }

    ngx_gw_redis_complete(op, NULL);
}


/*
 * ASKING holds for the command behind it; were it left alone, it would hold
 * for that of another operation.  So all that might refuse the command comes
 * before.
 */

static ngx_int_t
ngx_gw_redis_cluster_asking(ngx_gw_redis_peer_t *peer, ngx_gw_redis_op_t *op)
{
    static const ngx_str_t  asking = ngx_string("ASKING");

    if (gw_breaker_wait(&peer->breaker, ngx_current_msec) > 0) {
        return NGX_ERROR;
    }

    if (peer->tail - peer->head > NGX_GW_REDIS_INFLIGHT - 16
        || (peer->out.last - peer->out.pos) + op->len
           > NGX_GW_REDIS_BUFFER - 1024)
    {
        op->failure = NGX_GW_REDIS_BUSY;
        return NGX_ERROR;
    }

    return ngx_gw_redis_peer_push(peer, NULL, 1, &asking);
}


static void
ngx_gw_redis_cluster_answer(ngx_gw_redis_op_t *op, ngx_gw_reply_t *reply)
{
    const char              *err;
    ngx_gw_redis_cluster_t  *cl;

    cl = op->redis->cluster;

    if (op == &cl->map.query) {
        ngx_gw_redis_map_answer(&cl->map, reply);
        return;
    }

    err = reply ? ngx_gw_reply_error(reply) : NULL;

    if (err == NULL) {
        ngx_gw_redis_complete(op, reply);
        return;
    }

    if (ngx_strncmp(err, "MOVED ", 6) == 0) {
        ngx_gw_redis_map_refresh(&cl->map);

        if (ngx_gw_redis_cluster_redirect(cl, op, err + 6, 0) == NGX_OK) {
            return;
        }

    } else if (ngx_strncmp(err, "ASK ", 4) == 0) {

        if (ngx_gw_redis_cluster_redirect(cl, op, err + 4, 1) == NGX_OK) {
            return;
        }

    } else if (ngx_strncmp(err, "TRYAGAIN", 8) == 0) {

        if (op->redirects++ < NGX_GW_REDIS_CLUSTER_REDIRECTS) {
            ngx_gw_redis_cluster_again(cl, op);
            return;
        }

    } else if (ngx_strncmp(err, "CLUSTERDOWN", 11) == 0) {
        ngx_gw_redis_map_refresh(&cl->map);
    }

    ngx_gw_redis_complete(op, reply);
}


static ngx_int_t
ngx_gw_redis_cluster_redirect(ngx_gw_redis_cluster_t *cl,
    ngx_gw_redis_op_t *op, const char *text, ngx_uint_t ask)
{
    unsigned               slot, port;
    gw_str_t               s, h;
    ngx_str_t              host;
    ngx_uint_t             i;
    ngx_gw_redis_node_t   *node;
    ngx_gw_redis_nodes_t  *ns;

    if (op->redirects++ == NGX_GW_REDIS_CLUSTER_REDIRECTS) {
        return NGX_DECLINED;
    }

    s.len = ngx_strlen(text);
    s.data = text;

    if (gw_slot_redirect(&s, &slot, &h, &port) != GW_OK) {
        return NGX_DECLINED;
    }

    host.len = h.len;
    host.data = (u_char *) h.data;

    if (host.len == 0) {
        node = op->node;
        host = node->host;
    }

    ns = &cl->map.nodes;

    i = ngx_gw_redis_nodes_find(ns, &host, port);

    if (i == NGX_GW_REDIS_NODES) {
        return NGX_DECLINED;
    }

    if (!ask) {
        ngx_gw_redis_nodes_moved(ns, slot, i);
    }

    ngx_gw_redis_cluster_send(cl, op, ns->nodes[i], ask);

    return NGX_OK;
}


static void
ngx_gw_redis_cluster_again(ngx_gw_redis_cluster_t *cl, ngx_gw_redis_op_t *op)
{
    ngx_gw_redis_cluster_enqueue(&cl->again, op);

    if (!cl->timer.timer_set) {
        ngx_add_timer(&cl->timer, NGX_GW_REDIS_CLUSTER_AGAIN);
    }
}


static void
ngx_gw_redis_cluster_broken(ngx_gw_redis_peer_t *peer)
{
    ngx_gw_redis_node_t     *node;
    ngx_gw_redis_cluster_t  *cl;

    node = peer->data;
    cl = peer->redis->cluster;

    if (node->mapped) {
        ngx_gw_redis_map_refresh(&cl->map);
    }
}


/* handlers may send, queue and cancel operations meanwhile */

static void
ngx_gw_redis_cluster_map_done(ngx_gw_redis_map_t *map, ngx_int_t rc)
{
    ngx_queue_t              queue;
    ngx_gw_redis_op_t       *op;
    ngx_gw_redis_cluster_t  *cl;

    cl = (ngx_gw_redis_cluster_t *) map;

    ngx_queue_init(&queue);
    ngx_queue_add(&queue, &cl->waiting);
    ngx_queue_init(&cl->waiting);

    while (!ngx_queue_empty(&queue)) {

        op = ngx_gw_redis_cluster_dequeue(&queue);

        if (rc == NGX_OK) {
            ngx_gw_redis_cluster_route(cl, op);

        } else {
            ngx_gw_redis_fail(op, NGX_GW_REDIS_UNAVAILABLE);
        }
    }
}


static void
ngx_gw_redis_cluster_timer_handler(ngx_event_t *ev)
{
    ngx_queue_t              queue;
    ngx_gw_redis_cluster_t  *cl;

    cl = ev->data;

    ngx_queue_init(&queue);
    ngx_queue_add(&queue, &cl->again);
    ngx_queue_init(&cl->again);

    while (!ngx_queue_empty(&queue)) {
        ngx_gw_redis_cluster_route(cl, ngx_gw_redis_cluster_dequeue(&queue));
    }
}


static void
ngx_gw_redis_cluster_enqueue(ngx_queue_t *queue, ngx_gw_redis_op_t *op)
{
    ngx_queue_insert_tail(queue, &op->queue);

    op->queued = 1;
    op->redis->queued++;
}


static ngx_gw_redis_op_t *
ngx_gw_redis_cluster_dequeue(ngx_queue_t *queue)
{
    ngx_gw_redis_op_t  *op;

    op = ngx_queue_data(ngx_queue_head(queue), ngx_gw_redis_op_t, queue);

    ngx_queue_remove(&op->queue);

    op->queued = 0;
    op->redis->queued--;

    return op;
}


ngx_gw_redis_peer_t *
ngx_gw_redis_cluster_peer(const ngx_gw_redis_op_t *op)
{
    ngx_gw_redis_node_t  *node;

    /* a node is not freed before its replies are read */

    node = op->node;

    return node->peer;
}


ngx_int_t
ngx_gw_redis_cluster_post(ngx_gw_redis_t *rd, const ngx_str_t *key,
    const u_char *data, size_t len)
{
    gw_str_t                 s;
    ngx_uint_t               slot;
    ngx_gw_redis_node_t     *node;
    ngx_gw_redis_cluster_t  *cl;

    cl = rd->cluster;
    slot = GW_SLOTS;

    if (key) {
        s.len = key->len;
        s.data = (const char *) key->data;

        slot = gw_slot(&s);
    }

    node = ngx_gw_redis_nodes_slot(&cl->map.nodes, slot);

    if (node == NULL || node->peer == NULL || !node->peer->up
        || ngx_gw_redis_peer_push_copy(node->peer, NULL, data, len) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    ngx_gw_redis_peer_flush(node->peer);

    return NGX_OK;
}
