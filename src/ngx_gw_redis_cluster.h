
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Sends operations to the nodes of a Redis cluster.
 *
 * ngx_gw_redis_cluster_create() sets rd->cluster and starts to read the map:
 * NGX_OK or NGX_ERROR (memory).
 *
 * ngx_gw_redis_cluster_command() gets an operation whose deadline is set and
 * whose command is op->copy, op->len; "key" is NULL if it has none.  It ends
 * in ngx_gw_redis_complete(), possibly before it returns.  In between it is
 *
 *     waiting   for the first map; not if reading it has just failed
 *     sent      to the node of its slot, or to one that a reply told of
 *     again     TRYAGAIN was said: keys of its slot are in two nodes.  It
 *               starts anew after NGX_GW_REDIS_CLUSTER_AGAIN ms.
 *
 * MOVED changes the slot and lets the map be read, ASK does neither; both send
 * the command to the node they name, ASK with ASKING in front.  After
 * NGX_GW_REDIS_CLUSTER_REDIRECTS of these three, and if what they say makes no
 * sense, the error itself is the reply.  CLUSTERDOWN and a lost connection let
 * the map be read, and are failures.
 *
 * ngx_gw_redis_cluster_peer() is the node that an operation was sent to last,
 * while its reply is read.
 *
 * ngx_gw_redis_cluster_post() sends a formatted command that nobody waits for,
 * at once: NGX_OK, or NGX_DECLINED if the node is not up.
 */

#ifndef _NGX_GW_REDIS_CLUSTER_H_INCLUDED_
#define _NGX_GW_REDIS_CLUSTER_H_INCLUDED_


#include "ngx_gw_redis_client.h"


#define NGX_GW_REDIS_CLUSTER_REDIRECTS  5
#define NGX_GW_REDIS_CLUSTER_AGAIN      15          /* ms */


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_redis_cluster_create(ngx_gw_redis_t *rd);
void ngx_gw_redis_cluster_destroy(ngx_gw_redis_t *rd);

void ngx_gw_redis_cluster_command(ngx_gw_redis_t *rd, ngx_gw_redis_op_t *op,
    const ngx_str_t *key);
ngx_gw_redis_peer_t *ngx_gw_redis_cluster_peer(const ngx_gw_redis_op_t *op);
ngx_int_t ngx_gw_redis_cluster_post(ngx_gw_redis_t *rd, const ngx_str_t *key,
    const u_char *data, size_t len);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_CLUSTER_H_INCLUDED_ */
