
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What a worker of the ratelimit module has of its own: the connections to
 * Redis, the list of tiers, the leases' errands, the counters of each limit.
 *
 * ngx_http_gw_ratelimit_worker_init() is called after the fork in workers
 * only, ngx_http_gw_ratelimit_worker_exit() before they end.
 */

#ifndef _NGX_HTTP_GW_RATELIMIT_WORKER_H_INCLUDED_
#define _NGX_HTTP_GW_RATELIMIT_WORKER_H_INCLUDED_


#include "ngx_gw_leases.h"
#include "ngx_gw_log.h"
#include "ngx_gw_redis.h"
#include "ngx_http_gw_ratelimit_conf.h"


struct ngx_http_gw_ratelimit_worker_s {
    ngx_gw_redis_t                  *redis;
    ngx_gw_tiers_t                  *tiers;    /* NULL: not configured */
    ngx_gw_leases_t                 *leases;
    const ngx_gw_leases_scripts_t   *scripts;
    ngx_gw_buckets_slot_t          **slots;    /* by limit->index */
    ngx_gw_buckets_counters_t       *counters;
    ngx_gw_log_t                     log_failure;
    ngx_gw_log_t                     log_reply;
};


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_ratelimit_worker_init(ngx_cycle_t *cycle,
    ngx_http_gw_ratelimit_main_conf_t *grmcf);
void ngx_http_gw_ratelimit_worker_exit(
    ngx_http_gw_ratelimit_main_conf_t *grmcf);

/* machines that share the buckets, at least 1 */

ngx_uint_t ngx_http_gw_ratelimit_worker_nodes(
    const ngx_http_gw_ratelimit_main_conf_t *grmcf);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_RATELIMIT_WORKER_H_INCLUDED_ */
