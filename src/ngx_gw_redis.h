
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A Redis client inside a worker: one pipelined connection for each node, one
 * write per turn of the event loop, a deadline for each operation.  Never
 * blocks.  It finds its way alone: the master by sentinels, the node of a
 * key by the slots of a cluster, a name by the resolver.
 *
 * ngx_gw_redis_create() is called after the fork, starts to connect, and
 * returns NULL only if out of memory; the configuration has to outlive the
 * client.  ngx_gw_redis_destroy() closes, and calls no handler.
 *
 * ngx_gw_redis_command() sends a command.  op->key is the index in "argv" of
 * the key which decides about the node of a cluster, 0 if there is none: then
 * any master takes it.  op->handler is called exactly once, unless
 * ngx_gw_redis_cancel() comes before, and possibly before
 * ngx_gw_redis_command() returns.  The reply is NULL if there was none:
 * op->failure then says why.  An error reply of Redis is a reply, and
 * op->failure is NGX_GW_REDIS_ERROR.  A reply dies when the handler returns.
 * The handler must not free the request it belongs to.  The arguments are
 * copied.
 *
 * After "timeout", counted from when the command was written, at the end of
 * the turn, an operation has failed, though Redis may still have
 * executed it; it is never repeated.  Only a command that a node of a cluster
 * has refused unexecuted (MOVED, ASK, TRYAGAIN) goes on to another node,
 * within the same deadline.  A cancelled or late reply is read and dropped.
 * op->active is set between command and handler.
 *
 * A connection that answers nothing for NGX_GW_REDIS_STALL, or for the longest
 * "timeout" if that is longer, is closed; so is one whose node says READONLY,
 * LOADING or MASTERDOWN.  After a failure, operations fail at once until the
 * next attempt to connect: of several addresses the next one is tried without
 * delay; when none is left, the delay doubles from 100 ms to 2 s, half of it
 * random.  A node whose answers come after their deadlines, GW_BREAKER_FAILURES
 * in a row, is not asked for a while, then by one operation at a time (see
 * gw_breaker.h): "unavailable".
 *
 * ngx_gw_redis_post() sends a command whose reply nobody waits for, and writes
 * at once as much as the socket takes: for a worker that exits.  NGX_OK, or
 * NGX_DECLINED if no connection is up.
 *
 * op->load is NULL, or names what Redis will know by this command, such as a
 * script by its text.  ngx_gw_redis_loading() tells, inside a handler, whether
 * a command with that "load" is under way to the node that has answered: one
 * that is sent now comes behind it.
 *
 * Bounds, for a connection: NGX_GW_REDIS_INFLIGHT operations,
 * NGX_GW_REDIS_BUFFER bytes not yet written; more fail at once.  A cluster
 * has at most NGX_GW_REDIS_NODES nodes.
 */

#ifndef _NGX_GW_REDIS_H_INCLUDED_
#define _NGX_GW_REDIS_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_event.h>

#include "ngx_gw_resp.h"
#include "ngx_gw_redis_conf.h"


#define NGX_GW_REDIS_INFLIGHT  8192               /* a power of two */
#define NGX_GW_REDIS_BUFFER    (4 * 1024 * 1024)
#define NGX_GW_REDIS_STALL     1000               /* ms */
#define NGX_GW_REDIS_NODES     256


typedef struct ngx_gw_redis_s     ngx_gw_redis_t;
typedef struct ngx_gw_redis_op_s  ngx_gw_redis_op_t;

typedef void (*ngx_gw_redis_handler_pt)(ngx_gw_redis_op_t *op,
    ngx_gw_reply_t *reply);


typedef enum {
    NGX_GW_REDIS_OK = 0,
    NGX_GW_REDIS_ERROR,          /* Redis answered with an error */
    NGX_GW_REDIS_TIMED_OUT,
    NGX_GW_REDIS_LOST,           /* the connection, while it was waited for */
    NGX_GW_REDIS_UNAVAILABLE,    /* not asked: no connection, or the breaker */
    NGX_GW_REDIS_BUSY,           /* not asked: a bound was reached */
    NGX_GW_REDIS_FAILURES
} ngx_gw_redis_failure_e;


struct ngx_gw_redis_op_s {
    ngx_gw_redis_handler_pt   handler;
    void                     *data;
    ngx_uint_t                key;
    const void               *load;

    /* the rest is the client's; failure may be read in the handler */

    ngx_gw_redis_failure_e    failure;
    ngx_gw_redis_t           *redis;
    void                     *peer;
    void                     *node;       /* of a cluster, where it was sent */
    ngx_event_t               deadline;
    ngx_msec_t                pushed;     /* to the peer, as of that turn */
    ngx_uint_t                ring;       /* where it waits in the peer */
    ngx_uint_t                slot;       /* of the cluster */
    u_char                   *copy;       /* to send it again, in a cluster */
    size_t                    len;
    ngx_uint_t                redirects;
    ngx_queue_t               queue;      /* while it waits to be sent again */

    unsigned                  active:1;
    unsigned                  probe:1;
    unsigned                  spared:1;
    unsigned                  queued:1;
};


GW_HIDDEN_BEGIN

ngx_gw_redis_t *ngx_gw_redis_create(const ngx_gw_redis_conf_t *conf,
    ngx_log_t *log);
void ngx_gw_redis_destroy(ngx_gw_redis_t *rd);

void ngx_gw_redis_command(ngx_gw_redis_t *rd, ngx_gw_redis_op_t *op,
    ngx_uint_t argc, const ngx_str_t *argv, ngx_msec_t timeout);
void ngx_gw_redis_cancel(ngx_gw_redis_op_t *op);
ngx_uint_t ngx_gw_redis_loading(const ngx_gw_redis_op_t *op,
    const void *load);
const char *ngx_gw_redis_why(const ngx_gw_redis_op_t *op);  /* for a log */
ngx_int_t ngx_gw_redis_post(ngx_gw_redis_t *rd, ngx_uint_t key,
    ngx_uint_t argc, const ngx_str_t *argv);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_H_INCLUDED_ */
