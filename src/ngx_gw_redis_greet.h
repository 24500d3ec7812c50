
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The greeting of a Redis connection: AUTH, SELECT, ROLE, PING, as needed.
 *
 * ngx_gw_redis_greet() queues it: NGX_OK or NGX_ERROR.
 * ngx_gw_redis_greet_answer() takes the replies; it breaks the peer if one is
 * not as it should be, and sets peer->up when the last one is.
 */

#ifndef _NGX_GW_REDIS_GREET_H_INCLUDED_
#define _NGX_GW_REDIS_GREET_H_INCLUDED_


#include "ngx_gw_redis_peer.h"


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_redis_greet(ngx_gw_redis_peer_t *peer);
void ngx_gw_redis_greet_answer(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_op_t *op, ngx_gw_reply_t *reply);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_GREET_H_INCLUDED_ */
