
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A Redis client inside a worker: one pipelined connection, one write per
 * turn of the event loop, a deadline for each operation.  Never blocks.
 *
 * ngx_gw_redis_create() is called after the fork, starts to connect, and
 * returns NULL only if out of memory; the URL has to outlive the client.
 * ngx_gw_redis_destroy() closes, and calls no handler.
 *
 * ngx_gw_redis_command() sends a command.  op->handler is called exactly
 * once, unless ngx_gw_redis_cancel() comes before, and possibly before
 * ngx_gw_redis_command() returns.  The reply is NULL if there was none:
 * op->failure then says why.  An error reply of Redis is a reply.  A reply
 * dies when the handler returns.  The handler must not free the request it
 * belongs to.  The arguments are copied.
 *
 * After "timeout" an operation has failed, though Redis may still have
 * executed it; it is never repeated here.  A cancelled or late reply is read
 * and dropped.  op->active is set between the two.
 *
 * A connection that answers nothing for NGX_GW_REDIS_STALL, or for the longest
 * "timeout" if that is longer, is closed.  After a failure, operations fail at
 * once until the next attempt to connect.  If the URL's name has several
 * addresses, the next one is tried without delay; when none is left, the delay
 * doubles from 100 ms to 2 s, half of it random.
 *
 * Bounds: NGX_GW_REDIS_INFLIGHT operations, NGX_GW_REDIS_BUFFER bytes not yet
 * written; more fail at once.
 */

#ifndef _NGX_GW_REDIS_H_INCLUDED_
#define _NGX_GW_REDIS_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_event.h>

#include "ngx_gw_resp.h"
#include "ngx_gw_redis_url.h"


#define NGX_GW_REDIS_INFLIGHT  8192               /* a power of two */
#define NGX_GW_REDIS_BUFFER    (4 * 1024 * 1024)
#define NGX_GW_REDIS_STALL     1000               /* ms */


typedef struct ngx_gw_redis_s     ngx_gw_redis_t;
typedef struct ngx_gw_redis_op_s  ngx_gw_redis_op_t;

typedef void (*ngx_gw_redis_handler_pt)(ngx_gw_redis_op_t *op,
    ngx_gw_reply_t *reply);


struct ngx_gw_redis_op_s {
    ngx_gw_redis_handler_pt   handler;
    void                     *data;

    /* the rest is the client's */

    ngx_gw_redis_t           *redis;
    ngx_event_t               deadline;
    ngx_uint_t                slot;
    const char               *failure;

    unsigned                  active:1;
};


GW_HIDDEN_BEGIN

ngx_gw_redis_t *ngx_gw_redis_create(const ngx_gw_redis_url_t *url,
    ngx_log_t *log);
void ngx_gw_redis_destroy(ngx_gw_redis_t *rd);

void ngx_gw_redis_command(ngx_gw_redis_t *rd, ngx_gw_redis_op_t *op,
    ngx_uint_t argc, const ngx_str_t *argv, ngx_msec_t timeout);
void ngx_gw_redis_cancel(ngx_gw_redis_op_t *op);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_H_INCLUDED_ */
