
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The keys of an issuer, fetched from afar: the raw text and its generation
 * lie in a shared zone, each worker parses them when the generation changed.
 * Knows no HTTP: the "fetch" of the caller gets the text.
 *
 * ngx_gw_keys_add() makes the configuration and its zone; ngx_gw_keys_create()
 * is called after the fork, and starts to fetch unless another worker has.
 * One worker at a time fetches; its mark expires, should it die.  A set of
 * keys is fetched again after "refresh", or after a failure with a delay that
 * doubles from 1 s to "refresh" at most, or to "cooldown" while there are no
 * keys to give out.  An answer that is no usable key set changes nothing; the
 * same text once more leaves the generation.  Keys not renewed for "refresh" +
 * "stale" are no longer given out.  All times are milliseconds.
 *
 * "fetch" is called with the caller's data; when it has ended, the caller
 * calls ngx_gw_keys_fetched(), with a NULL text and a reason if it failed,
 * possibly before "fetch" returns.
 *
 * ngx_gw_keys_get() gives the set, NULL if there is none, and its generation.
 * The set lives until control returns to the event loop.
 *
 * ngx_gw_keys_unknown() is told that no key fits a token:
 *
 *     NGX_OK        newer keys were fetched meanwhile: get them, try again
 *     NGX_AGAIN     keys are being fetched: wait, then try once more
 *     NGX_DECLINED  not again within "cooldown": the token is refused
 *
 * ngx_gw_keys_wait() registers a waiter, called once, from the event loop,
 * when a fetch has ended in any worker, well or not, or the generation has
 * changed.  The caller has a deadline of its own.  ngx_gw_keys_cancel()
 * forgets the waiter.
 *
 * Bounds: GW_JWKS_MAX_TEXT bytes of text, in the zone.
 */

#ifndef _NGX_GW_KEYS_H_INCLUDED_
#define _NGX_GW_KEYS_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_event.h>

#include "gw_jwks.h"
#include "ngx_gw_zone.h"


typedef struct ngx_gw_keys_s       ngx_gw_keys_t;
typedef struct ngx_gw_keys_wait_s  ngx_gw_keys_wait_t;


typedef struct {
    ngx_str_t               name;         /* for messages */
    uint32_t                algs;
    ngx_msec_t              refresh;
    ngx_msec_t              stale;
    ngx_msec_t              cooldown;
    ngx_gw_zone_t          *zone;
} ngx_gw_keys_conf_t;


typedef void (*ngx_gw_keys_fetch_pt)(ngx_gw_keys_t *keys, void *data);


struct ngx_gw_keys_wait_s {
    void                  (*handler)(ngx_gw_keys_wait_t *wait);
    void                   *data;

    ngx_queue_t             queue;        /* private, and the rest */
    ngx_atomic_uint_t       rounds;
    uint64_t                generation;
    unsigned                active:1;
};


typedef struct {
    uint64_t                generation;   /* 0: never fetched */
    uint64_t                fetched;      /* successes */
    uint64_t                failed;
    ngx_msec_t              age;          /* since the last success */
} ngx_gw_keys_stats_t;


GW_HIDDEN_BEGIN

/* zone "gw_auth_keys:" and "id", which tells what the keys depend on */

ngx_int_t ngx_gw_keys_add(ngx_conf_t *cf, ngx_gw_keys_conf_t *conf,
    ngx_str_t *id, void *tag);

ngx_gw_keys_t *ngx_gw_keys_create(const ngx_gw_keys_conf_t *conf,
    ngx_gw_keys_fetch_pt fetch, void *data, ngx_log_t *log);
void ngx_gw_keys_destroy(ngx_gw_keys_t *keys);

const gw_jwks_t *ngx_gw_keys_get(ngx_gw_keys_t *keys, uint64_t *generation);
ngx_int_t ngx_gw_keys_unknown(ngx_gw_keys_t *keys);
void ngx_gw_keys_wait(ngx_gw_keys_t *keys, ngx_gw_keys_wait_t *wait);
void ngx_gw_keys_cancel(ngx_gw_keys_wait_t *wait);
void ngx_gw_keys_fetched(ngx_gw_keys_t *keys, ngx_str_t *text,
    const char *failure);
void ngx_gw_keys_stats(ngx_gw_keys_t *keys, ngx_gw_keys_stats_t *stats);

GW_HIDDEN_END


#endif /* _NGX_GW_KEYS_H_INCLUDED_ */
