
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Who waits for the replies of a peer of the Redis client, in their order.
 *
 * ngx_gw_redis_ring_add() appends a waiter, or NULL for nobody, after "rc"
 * has told whether its command was queued: NGX_OK or NGX_ERROR (busy).
 * ngx_gw_redis_ring_answer() gives a reply to the oldest one; the peer may be
 * broken or gone then, but for peer->depth.  ngx_gw_redis_ring_fail() fails
 * all, ngx_gw_redis_ring_clear() forgets them.  ngx_gw_redis_ring_spare() is
 * what a turn has taken of an operation's time, 0 if nothing.
 */

#ifndef _NGX_GW_REDIS_RING_H_INCLUDED_
#define _NGX_GW_REDIS_RING_H_INCLUDED_


#include "ngx_gw_redis_peer.h"


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_redis_ring_add(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_op_t *op, ngx_int_t rc);
void ngx_gw_redis_ring_answer(ngx_gw_redis_peer_t *peer,
    ngx_gw_reply_t *reply);
void ngx_gw_redis_ring_fail(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_failure_e failure);
void ngx_gw_redis_ring_clear(ngx_gw_redis_peer_t *peer);
ngx_msec_t ngx_gw_redis_ring_spare(ngx_gw_redis_op_t *op);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_RING_H_INCLUDED_ */
