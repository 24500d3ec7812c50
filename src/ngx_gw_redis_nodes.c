
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_nodes.h"


static ngx_uint_t ngx_gw_redis_nodes_place(ngx_gw_redis_nodes_t *ns);
static void ngx_gw_redis_nodes_drop(ngx_gw_redis_nodes_t *ns, ngx_uint_t i);
static ngx_uint_t ngx_gw_redis_nodes_idle(const ngx_gw_redis_node_t *node);
static void ngx_gw_redis_nodes_sweep_handler(ngx_event_t *ev);


void
ngx_gw_redis_nodes_init(ngx_gw_redis_nodes_t *ns)
{
    ns->sweep.handler = ngx_gw_redis_nodes_sweep_handler;
    ns->sweep.data = ns;
    ns->sweep.log = ns->redis->log;
    ns->sweep.cancelable = 1;
}


void
ngx_gw_redis_nodes_free(ngx_gw_redis_nodes_t *ns)
{
    ngx_uint_t  i;

    if (ns->sweep.timer_set) {
        ngx_del_timer(&ns->sweep);
    }

    for (i = 0; i < NGX_GW_REDIS_NODES; i++) {
        if (ns->nodes[i]) {
            ngx_gw_redis_nodes_drop(ns, i);
        }
    }
}


/* a mapped node with a connection, each time another one; NULL if none */

ngx_gw_redis_node_t *
ngx_gw_redis_nodes_up(ngx_gw_redis_nodes_t *ns)
{
    ngx_uint_t            i;
    ngx_gw_redis_node_t  *node;

    for (i = 0; i < NGX_GW_REDIS_NODES; i++) {

        node = ns->nodes[ns->turn++ % NGX_GW_REDIS_NODES];

        if (node && node->mapped && node->peer && node->peer->up) {
            return node;
        }
    }

    return NULL;
}


void
ngx_gw_redis_nodes_take(ngx_gw_redis_nodes_t *ns, const uint16_t *slots)
{
    ngx_uint_t            i;
    ngx_gw_redis_node_t  *node;

    ngx_memcpy(ns->slots, slots, GW_SLOTS * sizeof(uint16_t));

    for (i = 0; i < NGX_GW_REDIS_NODES; i++) {
        node = ns->nodes[i];

        if (node && node->mapped) {
            node->mapped = 0;
            node->gone = ngx_current_msec;
        }
    }

    for (i = 0; i < GW_SLOTS; i++) {
        if (slots[i]) {
            ns->nodes[slots[i] - 1]->mapped = 1;
        }
    }

    if (!ns->sweep.timer_set) {
        ngx_add_timer(&ns->sweep, NGX_GW_REDIS_GONE);
    }
}


ngx_gw_redis_node_t *
ngx_gw_redis_nodes_slot(ngx_gw_redis_nodes_t *ns, ngx_uint_t slot)
{
    ngx_uint_t            i;
    ngx_gw_redis_node_t  *node;

    if (slot < GW_SLOTS && ns->slots[slot]) {
        return ns->nodes[ns->slots[slot] - 1];
    }

    node = ngx_gw_redis_nodes_up(ns);

    for (i = 0; node == NULL && i < NGX_GW_REDIS_NODES; i++) {

        node = ns->nodes[ns->turn++ % NGX_GW_REDIS_NODES];

        if (node && !node->mapped) {
            node = NULL;
        }
    }

    return node;
}


void
ngx_gw_redis_nodes_moved(ngx_gw_redis_nodes_t *ns, ngx_uint_t slot,
    ngx_uint_t i)
{
    ns->nodes[i]->mapped = 1;
    ns->slots[slot] = i + 1;
}


ngx_uint_t
ngx_gw_redis_nodes_find(ngx_gw_redis_nodes_t *ns, const ngx_str_t *host,
    ngx_uint_t port)
{
    gw_str_t              s;
    ngx_uint_t            i;
    ngx_gw_redis_node_t  *node;

    s.len = host->len;
    s.data = (const char *) host->data;

    if (gw_slot_host(&s) != GW_OK || port == 0 || port > 65535) {
        return NGX_GW_REDIS_NODES;
    }

    for (i = 0; i < NGX_GW_REDIS_NODES; i++) {
        node = ns->nodes[i];

        if (node && node->port == port
            && ngx_gw_str_equal(&node->host, host))
        {
            return i;
        }
    }

    node = ngx_calloc(sizeof(ngx_gw_redis_node_t), ns->redis->log);
    if (node == NULL) {
        return NGX_GW_REDIS_NODES;
    }

    /* "host" may be that of the node which has to leave its place */

    node->port = (in_port_t) port;
    node->host.len = host->len;
    node->host.data = node->text;
    node->gone = ngx_current_msec;

    ngx_memcpy(node->text, host->data, host->len);

    i = ngx_gw_redis_nodes_place(ns);

    if (i == NGX_GW_REDIS_NODES) {
        ngx_free(node);
        return NGX_GW_REDIS_NODES;
    }

    ns->nodes[i] = node;

    if (!ns->sweep.timer_set) {
        ngx_add_timer(&ns->sweep, NGX_GW_REDIS_GONE);
    }

    return i;
}


/* a free place, if there is none that of a node which nobody needs */

static ngx_uint_t
ngx_gw_redis_nodes_place(ngx_gw_redis_nodes_t *ns)
{
    ngx_uint_t            i, n;
    ngx_gw_redis_node_t  *node;

    for (i = 0; i < NGX_GW_REDIS_NODES; i++) {
        if (ns->nodes[i] == NULL) {
            return i;
        }
    }

    for (i = 0; i < NGX_GW_REDIS_NODES; i++) {
        node = ns->nodes[i];

        if (!node->mapped && !node->named && ngx_gw_redis_nodes_idle(node)) {
            ngx_gw_redis_nodes_drop(ns, i);
            return i;
        }
    }

    if (ngx_gw_log_pass(&ns->log_full, &n)) {
        ngx_log_error(NGX_LOG_ERR, ns->redis->log, 0,
                      "gw redis: %V has more than %d nodes, "
                      "%ui more without a place before",
                      &ns->redis->conf->name, NGX_GW_REDIS_NODES, n);
    }

    return NGX_GW_REDIS_NODES;
}


ngx_gw_redis_peer_t *
ngx_gw_redis_nodes_peer(ngx_gw_redis_nodes_t *ns, ngx_gw_redis_node_t *node)
{
    ngx_gw_redis_t       *rd;
    ngx_gw_redis_peer_t  *peer;

    if (node->peer) {
        return node->peer;
    }

    rd = ns->redis;

    peer = ngx_gw_redis_peer_create(rd, rd->conf, rd->log);
    if (peer == NULL) {
        return NULL;
    }

    peer->answer = ns->answer;
    peer->broken = ns->broken;
    peer->data = node;

    if (ngx_gw_redis_peer_host(peer, &node->host, node->port) != NGX_OK) {
        ngx_gw_redis_peer_destroy(peer);
        return NULL;
    }

    node->peer = peer;

    return peer;
}


static void
ngx_gw_redis_nodes_drop(ngx_gw_redis_nodes_t *ns, ngx_uint_t i)
{
    ngx_gw_redis_node_t  *node;

    node = ns->nodes[i];
    ns->nodes[i] = NULL;

    if (node->peer) {
        ngx_gw_redis_peer_destroy(node->peer);
    }

    ngx_free(node);
}


static ngx_uint_t
ngx_gw_redis_nodes_idle(const ngx_gw_redis_node_t *node)
{
    return node->peer == NULL || node->peer->head == node->peer->tail;
}


static void
ngx_gw_redis_nodes_sweep_handler(ngx_event_t *ev)
{
    ngx_uint_t            i, left;
    ngx_gw_redis_nodes_t  *ns;
    ngx_gw_redis_node_t  *node;

    ns = ev->data;
    left = 0;

    for (i = 0; i < NGX_GW_REDIS_NODES; i++) {

        node = ns->nodes[i];

        if (node == NULL || node->mapped) {
            continue;
        }

        if (ngx_gw_redis_nodes_idle(node)
            && (ngx_msec_int_t) (ngx_current_msec - node->gone)
               >= NGX_GW_REDIS_GONE)
        {
            ngx_gw_redis_nodes_drop(ns, i);

        } else {
            left++;
        }
    }

    if (left) {
        ngx_add_timer(&ns->sweep, NGX_GW_REDIS_GONE);
    }
}
