
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * One connection of the Redis client, to a master, a sentinel, or a node of a
 * cluster.  States:
 *
 *     down        no connection; a command connects, unless "retry" is ahead
 *     finding     the address is asked for: peer->find(), then the resolver
 *     connecting  the socket, then TLS
 *     greeting    AUTH, SELECT, ROLE if it has to be a master, PING
 *     up          PING was answered
 *
 * Commands are queued from "finding" on, behind the greeting; nothing of them
 * is written before the peer is up.  "waiters" is a ring, in the order of the
 * commands, from "head" on; NULL when nobody waits any more.
 *
 * ngx_gw_redis_peer_create() does not connect; the caller sets the hooks and
 * calls ngx_gw_redis_peer_hosts(), for the hosts of the configuration, or
 * ngx_gw_redis_peer_host(), for one, which is copied, name or address.
 *
 * peer->find() looks for the host: NGX_OK if it has called ..._host() or that
 * host is still good, NGX_AGAIN if ..._found() will be called, NGX_ERROR if
 * there is none.  NULL: the hosts are what they are.  peer->forget() is told
 * when nobody wants the answer any more, peer->broken() that the connection
 * failed, after all who waited; both may be NULL.
 *
 * peer->answer() gets replies that are waited for; NULL if the peer failed:
 * op->failure is NGX_GW_REDIS_UNAVAILABLE if nothing was written.
 * ngx_gw_redis_peer_push() queues a command, and connects if it has to; NULL
 * for "op": nobody waits.  ..._push_copy() takes one formatted before.  NGX_OK,
 * or NGX_ERROR and op->failure: no connection, the breaker, a bound, of which
 * ..._queue() asks for the last alone.  ..._forget() drops a waiter, ..._late()
 * as well, after its deadline.  ..._break() closes the connection, fails all
 * who wait, and sets "retry", so that no handler can connect before it returns.
 * ngx_gw_redis_peer_destroy() may be called at any time and tells nobody.
 */

#ifndef _NGX_GW_REDIS_PEER_H_INCLUDED_
#define _NGX_GW_REDIS_PEER_H_INCLUDED_


#include "ngx_gw_redis.h"
#include "ngx_gw_redis_name.h"
#include "ngx_gw_log.h"

#include "gw_breaker.h"


#define NGX_GW_REDIS_SAID  160

typedef ngx_int_t (*ngx_gw_redis_find_pt)(ngx_gw_redis_peer_t *peer);
typedef void (*ngx_gw_redis_told_pt)(ngx_gw_redis_peer_t *peer);
typedef void (*ngx_gw_redis_answer_pt)(ngx_gw_redis_op_t *op,
    ngx_gw_reply_t *reply);


struct ngx_gw_redis_peer_s {
    const ngx_gw_redis_conf_t  *conf;
    ngx_gw_redis_t             *redis;
    ngx_log_t                  *log;

    ngx_gw_redis_find_pt        find;
    ngx_gw_redis_told_pt        forget;
    ngx_gw_redis_told_pt        broken;
    ngx_gw_redis_answer_pt      answer;
    void                       *data;        /* of the hooks */

    ngx_str_t                   name;        /* host:port, for messages */
    ngx_gw_redis_place_t       *places;
    ngx_uint_t                  nplaces;
    ngx_uint_t                  place;       /* the current one */
    ngx_uint_t                  address;     /* of the place */
    ngx_resolver_ctx_t         *resolving;
    ngx_event_t                 answered;    /* by the resolver */
    ngx_connection_t           *connection;
    ngx_log_t                   quiet;       /* of the connection */
    u_char                      said[NGX_GW_REDIS_SAID];  /* into it */
    ngx_gw_resp_t               resp;
    ngx_gw_resp_buf_t           out;
    ngx_gw_redis_op_t         **waiters;
    ngx_uint_t                  head;
    ngx_uint_t                  tail;
    ngx_uint_t                  loading;     /* where the last op->load is */
    const void                 *load;        /* and what it was */
    ngx_uint_t                  flushed;     /* up to here, by the last one */
    ngx_uint_t                  flushing;    /* and from here on */
    ngx_msec_t                  flushed_at;
    ngx_gw_redis_op_t           hello[4];
    size_t                      hello_left;  /* bytes of it not yet sent */
    ngx_event_t                 flush;
    ngx_event_t                 timer;       /* to connect, then for a stall */
    ngx_msec_t                  stall;
    ngx_uint_t                  failures;    /* in a row */
    ngx_uint_t                  rounds;      /* of all addresses */
    ngx_msec_t                  retry;       /* not before, if failures */
    gw_breaker_t                breaker;
    ngx_gw_log_t                log_breaker;
    ngx_gw_log_t                log_back;
    ngx_gw_log_t                log_failure;
    ngx_gw_log_t                log_late;
    ngx_gw_log_t                log_busy;
    ngx_gw_log_t                log_name;
    ngx_uint_t                  generation;  /* of the connection */
    ngx_uint_t                  depth;       /* of calls that need the peer */
    unsigned                    sentinel:1;  /* other credentials, no SELECT */
    unsigned                    master:1;    /* ROLE has to say so */
    unsigned                    question:1;  /* answers end no round */
    unsigned                    finding:1;
    unsigned                    asking:1;    /* find() has not answered */
    unsigned                    resolved:1;  /* since the last time it was up */
    unsigned                    connected:1; /* the socket, and TLS */
    unsigned                    up:1;
    unsigned                    refused:1;   /* it said READONLY */
    unsigned                    doomed:1;
};


GW_HIDDEN_BEGIN

ngx_gw_redis_peer_t *ngx_gw_redis_peer_create(ngx_gw_redis_t *rd,
    const ngx_gw_redis_conf_t *conf, ngx_log_t *log);
void ngx_gw_redis_peer_destroy(ngx_gw_redis_peer_t *peer);
ngx_int_t ngx_gw_redis_peer_hosts(ngx_gw_redis_peer_t *peer);
ngx_int_t ngx_gw_redis_peer_host(ngx_gw_redis_peer_t *peer,
    const ngx_str_t *host, in_port_t port);
ngx_int_t ngx_gw_redis_peer_connect(ngx_gw_redis_peer_t *peer);
void ngx_gw_redis_peer_found(ngx_gw_redis_peer_t *peer, ngx_int_t rc);
void ngx_gw_redis_peer_break(ngx_gw_redis_peer_t *peer, ngx_err_t err,
    const char *what, const ngx_str_t *detail);

ngx_int_t ngx_gw_redis_peer_push(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_op_t *op, ngx_uint_t argc, const ngx_str_t *argv);
ngx_int_t ngx_gw_redis_peer_push_copy(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_op_t *op, const u_char *data, size_t len);
ngx_int_t ngx_gw_redis_peer_queue(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_op_t *op, ngx_uint_t argc, const ngx_str_t *argv);
void ngx_gw_redis_peer_forget(ngx_gw_redis_op_t *op);
void ngx_gw_redis_peer_late(ngx_gw_redis_op_t *op);
void ngx_gw_redis_peer_flush(ngx_gw_redis_peer_t *peer);
void ngx_gw_redis_peer_ready(ngx_gw_redis_peer_t *peer);
void ngx_gw_redis_peer_leave(ngx_gw_redis_peer_t *peer);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_PEER_H_INCLUDED_ */
