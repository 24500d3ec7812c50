
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Where a peer of the Redis client may be: hosts, and their addresses as they
 * were last known.
 *
 * ngx_gw_redis_name_set() copies hosts, and begins with the first: NGX_OK or
 * NGX_ERROR.  ngx_gw_redis_name_release() frees them.
 *
 * ngx_gw_redis_name_resolve() asks the resolver for the addresses of the
 * current host: NGX_OK if they are good already, or if the resolver has
 * nothing better, NGX_AGAIN if peer->answered will be posted, NGX_ERROR if
 * none is known.  It asks once until peer->resolved is cleared.
 * ngx_gw_redis_name_cancel() stops to ask.
 *
 * ngx_gw_redis_name_next() goes on to the next address: 1, or 0 if that is the
 * first one again.
 */

#ifndef _NGX_GW_REDIS_NAME_H_INCLUDED_
#define _NGX_GW_REDIS_NAME_H_INCLUDED_


#include "ngx_gw.h"

#include "ngx_gw_redis_conf.h"


typedef struct ngx_gw_redis_peer_s  ngx_gw_redis_peer_t;


typedef struct {
    ngx_gw_redis_host_t    host;
    ngx_addr_t            *own;         /* the addresses, if not of the conf */
    ngx_str_t              name;        /* host:port */
    u_char                 text[2 * NGX_GW_REDIS_HOST + 16];
} ngx_gw_redis_place_t;


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_redis_name_set(ngx_gw_redis_peer_t *peer,
    const ngx_gw_redis_host_t *hosts, ngx_uint_t n);
ngx_int_t ngx_gw_redis_name_one(ngx_gw_redis_peer_t *peer,
    const ngx_str_t *host, in_port_t port);
ngx_int_t ngx_gw_redis_name_resolve(ngx_gw_redis_peer_t *peer);
void ngx_gw_redis_name_cancel(ngx_gw_redis_peer_t *peer);
ngx_uint_t ngx_gw_redis_name_next(ngx_gw_redis_peer_t *peer);
void ngx_gw_redis_name_release(ngx_gw_redis_peer_t *peer);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_NAME_H_INCLUDED_ */
