
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_sentinel.h"
#include "ngx_gw_redis_ask.h"

#include "gw_slot.h"


static ngx_int_t ngx_gw_redis_sentinel_answer(ngx_gw_redis_ask_t *ask,
    ngx_gw_reply_t *reply);
static void ngx_gw_redis_sentinel_done(ngx_gw_redis_ask_t *ask, ngx_int_t rc);


ngx_int_t
ngx_gw_redis_sentinel_create(ngx_gw_redis_t *rd)
{
    ngx_gw_redis_ask_t  *ask;

    ask = ngx_calloc(sizeof(ngx_gw_redis_ask_t), rd->log);
    if (ask == NULL) {
        return NGX_ERROR;
    }

    ask->redis = rd;
    ask->answer = ngx_gw_redis_sentinel_answer;
    ask->done = ngx_gw_redis_sentinel_done;
    ask->complaint = "knows no master";
    ask->sentinel = 1;

    /* workers begin with different sentinels */

    ask->first = ngx_random() % NGX_GW_REDIS_HOSTS;

    ngx_str_set(&ask->argv[0], "SENTINEL");
    ngx_str_set(&ask->argv[1], "get-master-addr-by-name");
    ask->argv[2] = rd->conf->master;
    ask->argc = 3;

    rd->sentinel = ask;

    return NGX_OK;
}


void
ngx_gw_redis_sentinel_destroy(ngx_gw_redis_t *rd)
{
    if (rd->sentinel) {
        ngx_gw_redis_ask_stop(rd->sentinel);
        ngx_free(rd->sentinel);
        rd->sentinel = NULL;
    }
}


/* also if the master is only lost: it may be another one already */

ngx_int_t
ngx_gw_redis_sentinel_find(ngx_gw_redis_peer_t *peer)
{
    if (ngx_gw_redis_ask_start(peer->redis->sentinel) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


void
ngx_gw_redis_sentinel_forget(ngx_gw_redis_peer_t *peer)
{
    ngx_gw_redis_ask_stop(peer->redis->sentinel);
}


static ngx_int_t
ngx_gw_redis_sentinel_answer(ngx_gw_redis_ask_t *ask, ngx_gw_reply_t *reply)
{
    ngx_int_t  n;
    ngx_str_t  host, port;
    gw_str_t   s;

    if (ngx_gw_reply_count(reply) != 2
        || ngx_gw_reply_text(ngx_gw_reply_item(reply, 0), &host) != NGX_OK
        || ngx_gw_reply_text(ngx_gw_reply_item(reply, 1), &port) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    s.len = host.len;
    s.data = (const char *) host.data;
    n = ngx_atoi(port.data, port.len);

    if (gw_slot_host(&s) != GW_OK || n <= 0 || n > 65535) {
        return NGX_DECLINED;
    }

    if (ngx_gw_redis_peer_host(ask->redis->peer, &host, (in_port_t) n)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_gw_redis_sentinel_done(ngx_gw_redis_ask_t *ask, ngx_int_t rc)
{
    ngx_gw_redis_peer_found(ask->redis->peer, rc);
}
