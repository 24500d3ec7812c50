
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_ask.h"


static void ngx_gw_redis_ask_next(ngx_gw_redis_ask_t *ask);
static void ngx_gw_redis_ask_pause(ngx_gw_redis_ask_t *ask);
static void ngx_gw_redis_ask_answer(ngx_gw_redis_op_t *op,
    ngx_gw_reply_t *reply);
static void ngx_gw_redis_ask_reject(ngx_gw_redis_ask_t *ask, const char *what,
    const ngx_str_t *reason);
static void ngx_gw_redis_ask_timer_handler(ngx_event_t *ev);


/* a peer for each question: no connection is kept, nor what failed before */

ngx_int_t
ngx_gw_redis_ask_start(ngx_gw_redis_ask_t *ask)
{
    ngx_gw_redis_peer_t  *peer;

    peer = ngx_gw_redis_peer_create(ask->redis, ask->redis->conf,
                                    ask->redis->log);
    if (peer == NULL) {
        return NGX_ERROR;
    }

    peer->answer = ngx_gw_redis_ask_answer;
    peer->data = ask;
    peer->sentinel = ask->sentinel;
    peer->question = 1;

    if (ngx_gw_redis_peer_hosts(peer) != NGX_OK) {
        ngx_gw_redis_peer_destroy(peer);
        return NGX_ERROR;
    }

    ask->first %= peer->nplaces;
    peer->place = ask->first;
    peer->log_failure = ask->log_failure;

    ask->peer = peer;
    ask->skipped = 0;

    ask->timer.handler = ngx_gw_redis_ask_timer_handler;
    ask->timer.data = ask;
    ask->timer.log = ask->redis->log;
    ask->timer.cancelable = 1;

    ngx_gw_redis_ask_next(ask);

    return NGX_OK;
}


void
ngx_gw_redis_ask_stop(ngx_gw_redis_ask_t *ask)
{
    if (ask->peer == NULL) {
        return;
    }

    if (ask->timer.timer_set) {
        ngx_del_timer(&ask->timer);
    }

    ask->first = ask->peer->place;
    ask->log_failure = ask->peer->log_failure;
    ask->asked = 0;

    ngx_gw_redis_peer_destroy(ask->peer);
    ask->peer = NULL;
}


static void
ngx_gw_redis_ask_next(ngx_gw_redis_ask_t *ask)
{
    ngx_memzero(&ask->op, sizeof(ngx_gw_redis_op_t));
    ask->op.redis = ask->redis;

    if (ngx_gw_redis_peer_push(ask->peer, &ask->op, ask->argc, ask->argv)
        != NGX_OK)
    {
        ngx_gw_redis_ask_pause(ask);
        return;
    }

    ask->asked = 1;
    ngx_add_timer(&ask->timer, NGX_GW_REDIS_ASK);
}


static void
ngx_gw_redis_ask_pause(ngx_gw_redis_ask_t *ask)
{
    ngx_msec_int_t  wait;

    wait = (ngx_msec_int_t) (ask->peer->retry - ngx_current_msec);

    ask->asked = 0;
    ngx_add_timer(&ask->timer, ngx_max(wait, 1));
}


static void
ngx_gw_redis_ask_answer(ngx_gw_redis_op_t *op, ngx_gw_reply_t *reply)
{
    ngx_str_t            reason;
    ngx_gw_redis_ask_t  *ask;

    ask = (ngx_gw_redis_ask_t *)
              ((u_char *) op - offsetof(ngx_gw_redis_ask_t, op));

    if (reply == NULL) {

        if (op->failure == NGX_GW_REDIS_LOST) {

            /* the peer would try a host that was up once more */

            ask->skipped += ngx_gw_redis_name_next(ask->peer);
        }

        ngx_gw_redis_ask_pause(ask);
        return;
    }

    if (ask->answer(ask, reply) == NGX_OK) {
        ngx_gw_redis_ask_stop(ask);
        ask->first++;
        ask->done(ask, NGX_OK);
        return;
    }

    reason = ngx_gw_reply_reason(reply);

    ngx_gw_redis_ask_reject(ask, ask->complaint,
                            ngx_gw_reply_error(reply) ? &reason : NULL);
}


static void
ngx_gw_redis_ask_reject(ngx_gw_redis_ask_t *ask, const char *what,
    const ngx_str_t *reason)
{
    /* the peer goes on to the next host then */

    ask->peer->refused = 1;

    ngx_gw_redis_peer_break(ask->peer, 0, what, reason);
    ngx_gw_redis_ask_pause(ask);
}


static void
ngx_gw_redis_ask_timer_handler(ngx_event_t *ev)
{
    ngx_gw_redis_ask_t  *ask = ev->data;

    if (ask->asked) {
        ngx_gw_redis_peer_forget(&ask->op);
        ngx_gw_redis_ask_reject(ask, "does not answer in time", NULL);
        return;
    }

    /* who does not begin with the first host has not heard all at its end */

    if (ask->peer->rounds - ask->skipped > (ask->first ? 1 : 0)) {
        ngx_gw_redis_ask_stop(ask);
        ask->done(ask, NGX_ERROR);
        return;
    }

    ngx_gw_redis_ask_next(ask);
}
