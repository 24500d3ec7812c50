
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Reads the map of a Redis cluster (CLUSTER SLOTS) into its nodes.
 *
 * The map is "unknown" until it was read once; then it stays, however old:
 * nodes say MOVED where it is wrong.  Reading it has the states
 *
 *     idle      nobody wants it
 *     due       somebody does: the timer is set, to NGX_GW_REDIS_REFRESH ms
 *               after the last attempt began
 *     query     CLUSTER SLOTS was sent to a node that is up; the timer is
 *               its deadline
 *     ask       no node is up, or that one failed: the configured hosts are
 *               asked in turn
 *
 * ngx_gw_redis_map_init() begins; ngx_gw_redis_map_refresh() tells that the
 * map seems to be out of date: it may be called from anywhere, and only sets
 * the timer.  After each attempt map->done() is told how it ended.
 *
 * ngx_gw_redis_map_answer() gets the answers to map->query, which is sent over
 * the peer of a node; its hook has to tell them from others.
 *
 * The map lives at the address rd->cluster.
 */

#ifndef _NGX_GW_REDIS_MAP_H_INCLUDED_
#define _NGX_GW_REDIS_MAP_H_INCLUDED_


#include "ngx_gw_redis_client.h"
#include "ngx_gw_redis_ask.h"
#include "ngx_gw_redis_nodes.h"


#define NGX_GW_REDIS_REFRESH  500          /* ms */


typedef struct ngx_gw_redis_map_s  ngx_gw_redis_map_t;

typedef void (*ngx_gw_redis_map_done_pt)(ngx_gw_redis_map_t *map,
    ngx_int_t rc);


struct ngx_gw_redis_map_s {
    ngx_gw_redis_nodes_t       nodes;
    ngx_gw_redis_map_done_pt   done;

    ngx_gw_redis_ask_t         ask;
    ngx_gw_redis_op_t          query;
    ngx_gw_redis_node_t       *queried;
    ngx_event_t                timer;
    ngx_msec_t                 began;      /* the last attempt */
    ngx_gw_log_t               log_failure;

    unsigned                   known:1;
    unsigned                   failed:1;   /* the last attempt */
    unsigned                   querying:1;
    unsigned                   asking:1;
};


GW_HIDDEN_BEGIN

void ngx_gw_redis_map_init(ngx_gw_redis_map_t *map);
void ngx_gw_redis_map_free(ngx_gw_redis_map_t *map);
void ngx_gw_redis_map_refresh(ngx_gw_redis_map_t *map);
void ngx_gw_redis_map_answer(ngx_gw_redis_map_t *map, ngx_gw_reply_t *reply);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_MAP_H_INCLUDED_ */
