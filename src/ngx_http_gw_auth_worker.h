
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What a worker of the auth module has of its own: keys fetched from afar,
 * the connection to Redis, the reader of revocations.
 *
 * ngx_http_gw_auth_worker_init() is called after the fork in workers only,
 * ngx_http_gw_auth_worker_exit() before they end.
 */

#ifndef _NGX_HTTP_GW_AUTH_WORKER_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_WORKER_H_INCLUDED_


#include "ngx_gw_log.h"
#include "ngx_gw_redis.h"
#include "ngx_http_gw_auth_conf.h"


#define NGX_HTTP_GW_AUTH_ASKS  256    /* lists, by the digest's first byte */


struct ngx_http_gw_auth_worker_s {
    ngx_gw_keys_t         **keys;         /* by provider->index, NULL: file */
    ngx_http_gw_fetch_t   **fetches;      /* of the keys */
    ngx_uint_t             *asking;       /* asks under way, by index */
    ngx_gw_redis_t         *redis;        /* NULL: not configured */
    ngx_gw_revocations_t   *revocations;  /* NULL: not configured */
    ngx_queue_t             asks[NGX_HTTP_GW_AUTH_ASKS];
    ngx_gw_log_t            log_ask;
    ngx_gw_log_t            log_busy;
    ngx_gw_log_t            log_refused;  /* we are, by the auth service */
    ngx_gw_log_t            log_reply;
    ngx_gw_log_t            log_stale;
    ngx_gw_log_t            log_revocations;
};


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_auth_worker_init(ngx_cycle_t *cycle,
    ngx_http_gw_auth_main_conf_t *gamcf);
void ngx_http_gw_auth_worker_exit(ngx_http_gw_auth_main_conf_t *gamcf);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_WORKER_H_INCLUDED_ */
