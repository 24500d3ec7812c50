
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The inside of the Redis client, shared by ngx_gw_redis.c, which keeps the
 * operations, and what finds the node: ngx_gw_redis_sentinel.c,
 * ngx_gw_redis_cluster.c.
 *
 * ngx_gw_redis_complete() ends an operation: deadline and copy are released,
 * the handler is called with the reply, or with NULL and op->failure as it is.
 * ngx_gw_redis_fail() does so with a failure.
 *
 * An operation waits in one place: in a peer (op->peer), or in a queue of the
 * cluster (op->queued, linked by op->queue).  A deadline that passes and
 * ngx_gw_redis_cancel() take it out of either.
 */

#ifndef _NGX_GW_REDIS_CLIENT_H_INCLUDED_
#define _NGX_GW_REDIS_CLIENT_H_INCLUDED_


#include "ngx_gw_redis.h"
#include "ngx_gw_redis_peer.h"


struct ngx_gw_redis_s {
    const ngx_gw_redis_conf_t  *conf;
    ngx_log_t                  *log;

    ngx_gw_redis_peer_t        *peer;        /* NULL in a cluster */
    void                       *sentinel;    /* of ngx_gw_redis_sentinel.c */
    void                       *cluster;     /* of ngx_gw_redis_cluster.c */
    ngx_uint_t                  queued;      /* operations in its queues */
    ngx_gw_log_t                log_timeout;
};


GW_HIDDEN_BEGIN

void ngx_gw_redis_complete(ngx_gw_redis_op_t *op, ngx_gw_reply_t *reply);
void ngx_gw_redis_fail(ngx_gw_redis_op_t *op, ngx_gw_redis_failure_e failure);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_CLIENT_H_INCLUDED_ */
