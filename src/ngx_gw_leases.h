
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What a worker does for leases besides the requests: it asks for tokens
 * ahead, gives back what was not spent, and lets Redis count the machines.
 *
 * ngx_gw_leases_create() is called after the fork; NULL if out of memory.
 * With "active" 0 nothing runs by itself, and only ngx_gw_leases_give() is of
 * use.  ngx_gw_leases_destroy(), before the client is destroyed, gives back the
 * leases that this worker has asked for, as far as the socket takes the
 * commands at once.
 *
 * ngx_gw_leases_refill() asks for "want" tokens in the background, a want of
 * gw_lease_take(), and ends it in any case.  ngx_gw_leases_give() gives tokens
 * back, in the background too.  At most NGX_GW_LEASES_OPS of both are under
 * way; what exceeds that, and what Redis does not answer, is lost, which
 * grants nobody more than his own.
 *
 * A heartbeat in the sorted set NGX_GW_LEASES_NODES, every
 * NGX_GW_LEASES_BEAT ms by one worker of a machine, counts the machines; one
 * that is silent for NGX_GW_LEASES_GONE ms is not counted any more.
 *
 * A worker that quits gives back its leases within NGX_GW_LEASES_SWEEP ms, and
 * waits for the answers; no other timer keeps it.
 */

#ifndef _NGX_GW_LEASES_H_INCLUDED_
#define _NGX_GW_LEASES_H_INCLUDED_


#include "ngx_gw_buckets.h"
#include "ngx_gw_redis.h"
#include "ngx_gw_script.h"


#define NGX_GW_LEASES_NODES  "gw:nodes"
#define NGX_GW_LEASES_BEAT   2000        /* ms */
#define NGX_GW_LEASES_GONE   10000       /* ms */
#define NGX_GW_LEASES_SWEEP  250         /* ms */
#define NGX_GW_LEASES_OPS    1024


/* items of lua/take.lua and lua/give.lua that make up a limit */

#define NGX_GW_LEASES_DAY    "/day"
#define NGX_GW_LEASES_MONTH  "/month"
#define NGX_GW_LEASES_BAN    "/ban"


typedef struct {
    const ngx_gw_script_t  *take;
    const ngx_gw_script_t  *give;
    const ngx_gw_script_t  *nodes;
} ngx_gw_leases_scripts_t;


typedef struct ngx_gw_leases_s  ngx_gw_leases_t;


GW_HIDDEN_BEGIN

ngx_gw_leases_t *ngx_gw_leases_create(ngx_gw_buckets_t *buckets,
    ngx_gw_redis_t *redis, const ngx_gw_leases_scripts_t *scripts,
    ngx_msec_t timeout, ngx_uint_t active, ngx_log_t *log);
void ngx_gw_leases_destroy(ngx_gw_leases_t *ls);

void ngx_gw_leases_refill(ngx_gw_leases_t *ls, const uint64_t key[2],
    const gw_lease_of_t *of, int64_t want, ngx_uint_t share);
void ngx_gw_leases_give(ngx_gw_leases_t *ls, const gw_lease_back_t *back);

GW_HIDDEN_END


#endif /* _NGX_GW_LEASES_H_INCLUDED_ */
