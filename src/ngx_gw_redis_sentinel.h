
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Finds the master by sentinels.  Of rd->sentinel; used by rd->peer.
 *
 * ngx_gw_redis_sentinel_create() returns NGX_OK or NGX_ERROR (memory), before
 * rd->peer connects.  ngx_gw_redis_sentinel_find() and _forget() are hooks of
 * rd->peer, see ngx_gw_redis_peer.h: they call ngx_gw_redis_peer_host() and
 * ngx_gw_redis_peer_found().  ngx_gw_redis_sentinel_destroy() is called after
 * rd->peer is gone; rd->sentinel may be NULL.
 */

#ifndef _NGX_GW_REDIS_SENTINEL_H_INCLUDED_
#define _NGX_GW_REDIS_SENTINEL_H_INCLUDED_


#include "ngx_gw_redis_client.h"


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_redis_sentinel_create(ngx_gw_redis_t *rd);
void ngx_gw_redis_sentinel_destroy(ngx_gw_redis_t *rd);

ngx_int_t ngx_gw_redis_sentinel_find(ngx_gw_redis_peer_t *peer);
void ngx_gw_redis_sentinel_forget(ngx_gw_redis_peer_t *peer);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_SENTINEL_H_INCLUDED_ */
