
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The socket of a peer of the Redis client, with or without TLS.
 *
 * ngx_gw_redis_wire_open() connects to the current address: NGX_OK, or
 * NGX_ERROR after ngx_gw_redis_peer_break().  ngx_gw_redis_wire_write() writes
 * what may be written, as far as the socket takes it.  Replies go to
 * ngx_gw_redis_ring_answer().
 */

#ifndef _NGX_GW_REDIS_WIRE_H_INCLUDED_
#define _NGX_GW_REDIS_WIRE_H_INCLUDED_


#include "ngx_gw_redis_peer.h"


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_redis_wire_open(ngx_gw_redis_peer_t *peer);
void ngx_gw_redis_wire_write(ngx_gw_redis_peer_t *peer);
void ngx_gw_redis_wire_close(ngx_gw_redis_peer_t *peer);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_WIRE_H_INCLUDED_ */
