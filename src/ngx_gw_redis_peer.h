
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The inside of the Redis client, shared by ngx_gw_redis.c, which keeps the
 * operations, and ngx_gw_redis_peer.c, which keeps the connection.
 *
 * States:
 *
 *     down        no connection; a command connects, unless "retry" is ahead
 *     connecting  commands are queued behind AUTH, SELECT and PING
 *     up          PING was answered
 *
 * "waiters" is a ring: replies come in the order of the commands, the oldest
 * belongs to slot "head".  A slot holds NULL when nobody waits any more.
 *
 * ngx_gw_redis_peer_connect() starts to connect: NGX_OK, or NGX_ERROR after
 * ngx_gw_redis_broken().  ngx_gw_redis_peer_close() forgets connection, ring
 * and buffers and tells nobody.
 *
 * ngx_gw_redis_push() sends a command without a deadline.
 * ngx_gw_redis_answer() gives a reply to the oldest waiter.
 * ngx_gw_redis_broken() closes the connection, fails all who wait, and sets
 * "retry", so that no handler can connect again before it returns.
 */

#ifndef _NGX_GW_REDIS_PEER_H_INCLUDED_
#define _NGX_GW_REDIS_PEER_H_INCLUDED_


#include "ngx_gw_redis.h"
#include "ngx_gw_log.h"


#define NGX_GW_REDIS_MASK     (NGX_GW_REDIS_INFLIGHT - 1)
#define NGX_GW_REDIS_BACKOFF  100                 /* ms */


struct ngx_gw_redis_s {
    const ngx_gw_redis_url_t   *url;
    ngx_log_t                  *log;

    ngx_connection_t           *connection;
    ngx_gw_resp_t               resp;
    ngx_gw_resp_buf_t           out;

    ngx_gw_redis_op_t         **waiters;
    ngx_uint_t                  head;
    ngx_uint_t                  tail;

    ngx_gw_redis_op_t           hello[3];
    size_t                      hello_left;  /* bytes of it not yet sent */
    ngx_event_t                 flush;
    ngx_event_t                 timer;       /* to connect, then for a stall */
    ngx_msec_t                  stall;

    ngx_uint_t                  attempt;     /* chooses the address */
    ngx_uint_t                  failures;    /* in a row */
    ngx_msec_t                  retry;       /* not before, if failures */

    ngx_gw_log_t                log_back;
    ngx_gw_log_t                log_failure;
    ngx_gw_log_t                log_busy;

    unsigned                    connected:1; /* the socket */
    unsigned                    up:1;
};


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_redis_peer_connect(ngx_gw_redis_t *rd);
void ngx_gw_redis_peer_close(ngx_gw_redis_t *rd);
void ngx_gw_redis_peer_flush_handler(ngx_event_t *ev);
void ngx_gw_redis_peer_timer_handler(ngx_event_t *ev);

ngx_int_t ngx_gw_redis_push(ngx_gw_redis_t *rd, ngx_gw_redis_op_t *op,
    ngx_uint_t argc, const ngx_str_t *argv);
void ngx_gw_redis_answer(ngx_gw_redis_t *rd, ngx_gw_reply_t *reply);
void ngx_gw_redis_broken(ngx_gw_redis_t *rd, ngx_err_t err,
    const char *what, const ngx_str_t *detail);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_PEER_H_INCLUDED_ */
