
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Revocations, read from a Redis stream into a shared table (gw_revoke.h).
 *
 * An entry of the stream has one of the fields "jti" (with "iss" of its
 * issuer, or without, for any), "sub" (as $gw_subject gives it; identities
 * issued before "before" are meant, without it those issued before the entry
 * was written) and "key" (SHA-256 of an API key, hex), and "until", when the
 * entry may be forgotten; times are seconds since the epoch.  Without "until"
 * it holds for 30 days; for the sake of "leeway" each holds 300 s longer.
 * Other fields are ignored.  A malformed entry is logged and counted each time
 * it is read; what it names is revoked if it can be.
 *
 * One worker at a time polls: each "refresh" it asks for the last entry read
 * and what follows.  If that entry is gone, Redis was emptied or replaced by
 * one that is behind, and the stream is read from its start, as it is once a
 * minute anyway.  What was read is kept until it expires, whatever Redis says
 * later.  An entry has to be shorter than half of NGX_GW_RESP_MAX.
 *
 * ngx_gw_revocations_check() looks in the shared table only:
 *
 *     NGX_OK        not revoked
 *     NGX_DECLINED  revoked
 *     NGX_AGAIN     the stream was never read to its end: wait
 *     NGX_ERROR     unread for longer than "stale", and "deny" is set
 *
 * A full table is logged as an error and counted; what did not fit is tried
 * again within seconds, and until it fits the table counts as unread.
 */

#ifndef _NGX_GW_REVOCATIONS_H_INCLUDED_
#define _NGX_GW_REVOCATIONS_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_event.h>

#include "gw_revoke.h"
#include "ngx_gw_redis.h"
#include "ngx_gw_zone.h"


typedef struct ngx_gw_revocations_s       ngx_gw_revocations_t;
typedef struct ngx_gw_revocations_wait_s  ngx_gw_revocations_wait_t;


typedef struct {
    ngx_str_t               key;          /* of the stream */
    ngx_msec_t              refresh;
    ngx_msec_t              stale;
    ngx_msec_t              timeout;      /* of a command */
    size_t                  size;         /* bytes of the table */
    ngx_gw_zone_t          *zone;
    unsigned                deny:1;       /* when stale */
} ngx_gw_revocations_conf_t;


struct ngx_gw_revocations_wait_s {
    void                  (*handler)(ngx_gw_revocations_wait_t *wait);
    void                   *data;

    ngx_queue_t             queue;        /* private */
    unsigned                active:1;
};


typedef struct {
    uint64_t                entries;
    uint64_t                size;         /* how many there is room for */
    uint64_t                overflows;    /* entries that did not fit */
    uint64_t                malformed;
    uint64_t                polls;
    uint64_t                failures;
    ngx_msec_t              age;          /* since read to the end, ms */
    unsigned                read:1;       /* ever */
} ngx_gw_revocations_stats_t;


GW_HIDDEN_BEGIN

/* zone "gw_auth_revocations:" and "id", which tells the Redis and the key */

ngx_int_t ngx_gw_revocations_add(ngx_conf_t *cf,
    ngx_gw_revocations_conf_t *conf, ngx_str_t *id, void *tag);

ngx_gw_revocations_t *ngx_gw_revocations_create(
    const ngx_gw_revocations_conf_t *conf, ngx_gw_redis_t *redis,
    ngx_log_t *log);
void ngx_gw_revocations_destroy(ngx_gw_revocations_t *rv);

ngx_int_t ngx_gw_revocations_check(ngx_gw_revocations_t *rv,
    u_char (*marks)[GW_REVOKE_MARK], ngx_uint_t n, time_t issued);

/* called once, from the event loop, when a worker read it to the end */

void ngx_gw_revocations_wait(ngx_gw_revocations_t *rv,
    ngx_gw_revocations_wait_t *wait);
void ngx_gw_revocations_cancel(ngx_gw_revocations_wait_t *wait);

void ngx_gw_revocations_stats(ngx_gw_revocations_t *rv,
    ngx_gw_revocations_stats_t *stats);

GW_HIDDEN_END


#endif /* _NGX_GW_REVOCATIONS_H_INCLUDED_ */
