
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_map.h"


static void ngx_gw_redis_map_timer_handler(ngx_event_t *ev);
static void ngx_gw_redis_map_begin(ngx_gw_redis_map_t *map);
static void ngx_gw_redis_map_ask(ngx_gw_redis_map_t *map);
static ngx_int_t ngx_gw_redis_map_ask_answer(ngx_gw_redis_ask_t *ask,
    ngx_gw_reply_t *reply);
static void ngx_gw_redis_map_ask_done(ngx_gw_redis_ask_t *ask, ngx_int_t rc);
static void ngx_gw_redis_map_done(ngx_gw_redis_map_t *map, ngx_int_t rc);
static ngx_int_t ngx_gw_redis_map_read(ngx_gw_redis_map_t *map,
    const ngx_gw_reply_t *reply, const ngx_str_t *self);
static ngx_int_t ngx_gw_redis_map_range(ngx_gw_redis_nodes_t *ns,
    uint16_t *slots, const ngx_gw_reply_t *range, const ngx_str_t *self);
static ngx_uint_t ngx_gw_redis_map_release(ngx_gw_redis_nodes_t *ns);


void
ngx_gw_redis_map_init(ngx_gw_redis_map_t *map)
{
    ngx_gw_redis_ask_t  *ask;

    ask = &map->ask;

    ask->redis = map->nodes.redis;
    ask->answer = ngx_gw_redis_map_ask_answer;
    ask->done = ngx_gw_redis_map_ask_done;
    ask->complaint = "knows no slots";

    ngx_str_set(&ask->argv[0], "CLUSTER");
    ngx_str_set(&ask->argv[1], "SLOTS");
    ask->argc = 2;

    /* workers begin with different hosts */

    ask->first = ngx_random() % NGX_GW_REDIS_HOSTS;

    map->timer.handler = ngx_gw_redis_map_timer_handler;
    map->timer.data = map;
    map->timer.log = ask->redis->log;
    map->timer.cancelable = 1;

    ngx_gw_redis_nodes_init(&map->nodes);
    ngx_gw_redis_map_begin(map);
}


void
ngx_gw_redis_map_free(ngx_gw_redis_map_t *map)
{
    ngx_gw_redis_ask_stop(&map->ask);

    if (map->timer.timer_set) {
        ngx_del_timer(&map->timer);
    }

    ngx_gw_redis_nodes_free(&map->nodes);
}


void
ngx_gw_redis_map_refresh(ngx_gw_redis_map_t *map)
{
    ngx_msec_int_t  wait;

    if (map->querying || map->asking || map->timer.timer_set) {
        return;
    }

    wait = (ngx_msec_int_t) (map->began + NGX_GW_REDIS_REFRESH
                             - ngx_current_msec);

    ngx_add_timer(&map->timer, ngx_max(wait, 1));
}


static void
ngx_gw_redis_map_timer_handler(ngx_event_t *ev)
{
    ngx_gw_redis_map_t  *map = ev->data;

    if (map->querying) {
        map->querying = 0;

        ngx_gw_redis_peer_forget(&map->query);
        ngx_gw_redis_map_ask(map);
        return;
    }

    ngx_gw_redis_map_begin(map);
}


static void
ngx_gw_redis_map_begin(ngx_gw_redis_map_t *map)
{
    ngx_gw_redis_node_t  *node;

    map->began = ngx_current_msec;

    node = ngx_gw_redis_nodes_up(&map->nodes);

    if (node) {
        ngx_memzero(&map->query, sizeof(ngx_gw_redis_op_t));
        map->query.redis = map->nodes.redis;
        map->queried = node;

        if (ngx_gw_redis_peer_push(node->peer, &map->query, map->ask.argc,
                                   map->ask.argv)
            == NGX_OK)
        {
            map->querying = 1;
            ngx_add_timer(&map->timer, NGX_GW_REDIS_ASK);
            return;
        }
    }

    ngx_gw_redis_map_ask(map);
}


void
ngx_gw_redis_map_answer(ngx_gw_redis_map_t *map, ngx_gw_reply_t *reply)
{
    map->querying = 0;
    ngx_del_timer(&map->timer);

    /* a node with something outstanding is never freed */

    if (reply
        && ngx_gw_redis_map_read(map, reply, &map->queried->host) == NGX_OK)
    {
        ngx_gw_redis_map_done(map, NGX_OK);
        return;
    }

    ngx_gw_redis_map_ask(map);
}


static void
ngx_gw_redis_map_ask(ngx_gw_redis_map_t *map)
{
    if (ngx_gw_redis_ask_start(&map->ask) != NGX_OK) {
        ngx_gw_redis_map_done(map, NGX_ERROR);
        return;
    }

    map->asking = 1;
}


static ngx_int_t
ngx_gw_redis_map_ask_answer(ngx_gw_redis_ask_t *ask, ngx_gw_reply_t *reply)
{
    u_char                      text[NGX_SOCKADDR_STRLEN];
    ngx_str_t                   self;
    const ngx_addr_t           *addr;
    ngx_gw_redis_peer_t        *peer;
    const ngx_gw_redis_host_t  *host;

    peer = ask->peer;
    host = &peer->places[peer->place].host;

    self = host->host;

    if (host->naddrs > 1) {

        /* a name of several nodes: which one was it? */

        addr = &host->addrs[peer->address % host->naddrs];

        self.data = text;
        self.len = ngx_sock_ntop(addr->sockaddr, addr->socklen, text,
                                 NGX_SOCKADDR_STRLEN, 0);
    }

    return ngx_gw_redis_map_read(ask->redis->cluster, reply, &self);
}


static void
ngx_gw_redis_map_ask_done(ngx_gw_redis_ask_t *ask, ngx_int_t rc)
{
    ngx_gw_redis_map_t  *map;

    map = ask->redis->cluster;
    map->asking = 0;

    ngx_gw_redis_map_done(map, rc);
}


static void
ngx_gw_redis_map_done(ngx_gw_redis_map_t *map, ngx_int_t rc)
{
    ngx_uint_t  n;

    map->failed = (rc != NGX_OK);

    if (map->failed && ngx_gw_log_pass(&map->log_failure, &n)) {
        ngx_log_error(NGX_LOG_ERR, map->nodes.redis->log, 0,
                      "gw redis: no node of %V tells the slots, "
                      "%ui more failures before",
                      &map->nodes.redis->conf->name, n);
    }

    map->done(map, rc);
}


/* the reply may be anything; nothing changes unless it is good as a whole */

static ngx_int_t
ngx_gw_redis_map_read(ngx_gw_redis_map_t *map, const ngx_gw_reply_t *reply,
    const ngx_str_t *self)
{
    uint16_t              *slots;
    ngx_int_t              i, n, rc;
    ngx_gw_redis_nodes_t  *ns;

    ns = &map->nodes;

    n = ngx_gw_reply_count(reply);

    slots = ngx_calloc(GW_SLOTS * sizeof(uint16_t), ns->redis->log);
    if (slots == NULL) {
        return NGX_DECLINED;
    }

    rc = NGX_OK;

    for (i = 0; i < n && rc == NGX_OK; i++) {
        rc = ngx_gw_redis_map_range(ns, slots, ngx_gw_reply_item(reply, i),
                                    self);
    }

    /* a node that is in no cluster knows of no slots */

    if (ngx_gw_redis_map_release(ns) == 0) {
        rc = NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        ngx_gw_redis_nodes_take(ns, slots);
        map->known = 1;
    }

    ngx_free(slots);

    return rc;
}


/*
 * first slot, last slot, master, replicas; of a node: host, port, and more.
 * The slots of a node without a name, or without a place here, are nobody's.
 * Slots are never told twice, which bounds the time this takes.
 */

static ngx_int_t
ngx_gw_redis_map_range(ngx_gw_redis_nodes_t *ns, uint16_t *slots,
    const ngx_gw_reply_t *range, const ngx_str_t *self)
{
    int64_t                first, last, port;
    ngx_str_t              host;
    ngx_uint_t             i;
    const ngx_gw_reply_t  *node;

    if (ngx_gw_reply_count(range) < 3
        || ngx_gw_reply_integer(ngx_gw_reply_item(range, 0), &first) != NGX_OK
        || ngx_gw_reply_integer(ngx_gw_reply_item(range, 1), &last) != NGX_OK
        || first < 0 || first > last || last >= GW_SLOTS)
    {
        return NGX_DECLINED;
    }

    node = ngx_gw_reply_item(range, 2);

    if (ngx_gw_reply_count(node) < 2
        || ngx_gw_reply_integer(ngx_gw_reply_item(node, 1), &port) != NGX_OK
        || port < 0 || port > 65535)
    {
        return NGX_DECLINED;
    }

    if (ngx_gw_reply_text(ngx_gw_reply_item(node, 0), &host) != NGX_OK
        || host.len == 0)
    {
        host = *self;
    }

    i = ngx_gw_redis_nodes_find(ns, &host, port);

    if (i == NGX_GW_REDIS_NODES) {
        return NGX_OK;
    }

    ns->nodes[i]->named = 1;

    for ( /* void */ ; first <= last; first++) {

        if (slots[first]) {
            return NGX_DECLINED;
        }

        slots[first] = i + 1;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_gw_redis_map_release(ngx_gw_redis_nodes_t *ns)
{
    ngx_uint_t  i, n;

    for (i = 0, n = 0; i < NGX_GW_REDIS_NODES; i++) {

        if (ns->nodes[i] && ns->nodes[i]->named) {
            ns->nodes[i]->named = 0;
            n++;
        }
    }

    return n;
}
