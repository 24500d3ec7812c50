
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Asks the configured hosts one question, each in turn, until an answer is
 * accepted: sentinels for the master, nodes of a cluster for its slots.
 *
 * States:
 *
 *     idle     no peer
 *     asked    the question is queued or sent; its deadline is
 *              NGX_GW_REDIS_ASK ms, reply, failure or deadline end it
 *     pause    a host has failed; the peer says when the next may be tried
 *
 * The caller fills in the first part.  ngx_gw_redis_ask_start() leaves "idle":
 * NGX_OK, and ask->done() will be called once, later; or NGX_ERROR (memory).
 * ask->answer() returns NGX_OK to accept a reply, NGX_DECLINED to hear the
 * next host.  When all have failed, done() is told NGX_ERROR.  Before done()
 * is called the state is "idle" again: it may start anew.
 * ngx_gw_redis_ask_stop() goes to "idle", and done() is not called.
 *
 * The next time the host after the one that was heard comes first, so that
 * one that is mistaken is not asked for ever; after ngx_gw_redis_ask_stop()
 * the one that was being asked.
 */

#ifndef _NGX_GW_REDIS_ASK_H_INCLUDED_
#define _NGX_GW_REDIS_ASK_H_INCLUDED_


#include "ngx_gw_redis_client.h"


#define NGX_GW_REDIS_ASK  500          /* ms */


typedef struct ngx_gw_redis_ask_s  ngx_gw_redis_ask_t;

typedef ngx_int_t (*ngx_gw_redis_ask_answer_pt)(ngx_gw_redis_ask_t *ask,
    ngx_gw_reply_t *reply);
typedef void (*ngx_gw_redis_ask_done_pt)(ngx_gw_redis_ask_t *ask,
    ngx_int_t rc);


struct ngx_gw_redis_ask_s {
    ngx_gw_redis_t              *redis;
    ngx_gw_redis_ask_answer_pt   answer;
    ngx_gw_redis_ask_done_pt     done;
    ngx_str_t                    argv[3];
    ngx_uint_t                   argc;
    const char                  *complaint;  /* of an answer not accepted */
    unsigned                     sentinel:1;

    /* the rest is private; "peer" may be read in answer() */

    unsigned                     asked:1;
    ngx_gw_redis_peer_t         *peer;
    ngx_gw_redis_op_t            op;
    ngx_event_t                  timer;
    ngx_uint_t                   first;      /* place to begin with */
    ngx_uint_t                   skipped;    /* failures not of all hosts */
    ngx_gw_log_t                 log_failure;
};


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_redis_ask_start(ngx_gw_redis_ask_t *ask);
void ngx_gw_redis_ask_stop(ngx_gw_redis_ask_t *ask);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_ASK_H_INCLUDED_ */
