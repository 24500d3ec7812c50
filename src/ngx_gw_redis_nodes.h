
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The masters of a Redis cluster, and which slots they have.
 *
 * A node is "mapped" if the map names it, or a MOVED since then.  One that is
 * not is freed NGX_GW_REDIS_GONE ms later, when nothing is outstanding, or as
 * soon as the table is full.
 *
 * ngx_gw_redis_nodes_find() is the place of a node, which is new if it has to
 * be; NGX_GW_REDIS_NODES if there is none: the host is no name, or the table
 * is full.  "named" keeps a node while a reply is read.
 * ngx_gw_redis_nodes_take() replaces the slots: place + 1, 0 for nobody's.
 * ngx_gw_redis_nodes_moved() replaces one.
 *
 * ngx_gw_redis_nodes_slot() is the node of a slot; of GW_SLOTS, or a slot that
 * is nobody's, any mapped one, which knows better; NULL if there is none.
 * ngx_gw_redis_nodes_up() is a mapped node with a connection that is up, each
 * time another one, or NULL.
 *
 * ngx_gw_redis_nodes_peer() is a node's peer, with the hooks answer() and
 * broken(), whose "data" is the node; made when it is asked for: NULL if out
 * of memory.
 */

#ifndef _NGX_GW_REDIS_NODES_H_INCLUDED_
#define _NGX_GW_REDIS_NODES_H_INCLUDED_


#include "ngx_gw_redis_client.h"

#include "gw_slot.h"


#define NGX_GW_REDIS_GONE  10000           /* ms */


typedef struct {
    ngx_gw_redis_peer_t      *peer;
    ngx_str_t                 host;
    in_port_t                 port;
    ngx_msec_t                gone;        /* since when, if not mapped */

    unsigned                  mapped:1;
    unsigned                  named:1;

    u_char                    text[GW_SLOT_HOST];
} ngx_gw_redis_node_t;


typedef struct {
    ngx_gw_redis_t           *redis;
    ngx_gw_redis_answer_pt    answer;
    ngx_gw_redis_told_pt      broken;

    ngx_event_t               sweep;
    ngx_uint_t                turn;
    ngx_gw_log_t              log_full;

    ngx_gw_redis_node_t      *nodes[NGX_GW_REDIS_NODES];
    uint16_t                  slots[GW_SLOTS];
} ngx_gw_redis_nodes_t;


GW_HIDDEN_BEGIN

void ngx_gw_redis_nodes_init(ngx_gw_redis_nodes_t *ns);
void ngx_gw_redis_nodes_free(ngx_gw_redis_nodes_t *ns);

ngx_uint_t ngx_gw_redis_nodes_find(ngx_gw_redis_nodes_t *ns,
    const ngx_str_t *host, ngx_uint_t port);
void ngx_gw_redis_nodes_take(ngx_gw_redis_nodes_t *ns, const uint16_t *slots);
void ngx_gw_redis_nodes_moved(ngx_gw_redis_nodes_t *ns, ngx_uint_t slot,
    ngx_uint_t i);

ngx_gw_redis_node_t *ngx_gw_redis_nodes_slot(ngx_gw_redis_nodes_t *ns,
    ngx_uint_t slot);
ngx_gw_redis_node_t *ngx_gw_redis_nodes_up(ngx_gw_redis_nodes_t *ns);
ngx_gw_redis_peer_t *ngx_gw_redis_nodes_peer(ngx_gw_redis_nodes_t *ns,
    ngx_gw_redis_node_t *node);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_NODES_H_INCLUDED_ */
