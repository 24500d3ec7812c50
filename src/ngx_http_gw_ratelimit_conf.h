
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The configuration of the ratelimit module: made here at start, read-only
 * after the merge.  What a worker changes hangs off "worker".
 *
 * The functions are the hooks and setters of ngx_http_module_t and
 * ngx_command_t, with their meaning.
 */

#ifndef _NGX_HTTP_GW_RATELIMIT_CONF_H_INCLUDED_
#define _NGX_HTTP_GW_RATELIMIT_CONF_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>

#include "gw_bucket.h"
#include "ngx_gw_log.h"
#include "ngx_gw_redis.h"


#define NGX_HTTP_GW_RATELIMIT_LIMITS   8      /* of one location */
#define NGX_HTTP_GW_RATELIMIT_NAME     64

#define NGX_HTTP_GW_RATELIMIT_ALLOW    0
#define NGX_HTTP_GW_RATELIMIT_DENY     1


typedef struct {
    ngx_str_t                        name;     /* empty: given inline */
    gw_bucket_t                      bucket;
    ngx_str_t                        interval; /* as the script takes them */
    ngx_str_t                        burst;
} ngx_http_gw_ratelimit_tier_t;


typedef struct {
    ngx_str_t                        name;
    ngx_http_complex_value_t        *key;
    ngx_http_complex_value_t        *tier;     /* NULL: given inline */
    ngx_http_gw_ratelimit_tier_t     rate;     /* if given inline */
    ngx_uint_t                       error;    /* NGX_HTTP_GW_RATELIMIT_... */
} ngx_http_gw_ratelimit_limit_t;


/* what a worker changes; the configuration itself is read-only */

typedef struct {
    ngx_gw_redis_t                  *redis;
    ngx_gw_log_t                     log_failure;
    ngx_gw_log_t                     log_reply;
} ngx_http_gw_ratelimit_worker_t;


typedef struct {
    ngx_gw_redis_url_t               redis;
    ngx_msec_t                       timeout;
    ngx_array_t                      tiers;    /* of ..._tier_t */
    ngx_array_t                      limits;   /* of ..._limit_t *, all */
    ngx_http_gw_ratelimit_worker_t  *worker;
} ngx_http_gw_ratelimit_main_conf_t;


typedef struct {
    ngx_array_t                     *limits;   /* of ..._limit_t */
} ngx_http_gw_ratelimit_conf_t;


GW_HIDDEN_BEGIN

void *ngx_http_gw_ratelimit_conf_create_main(ngx_conf_t *cf);
char *ngx_http_gw_ratelimit_conf_init_main(ngx_conf_t *cf, void *conf);
void *ngx_http_gw_ratelimit_conf_create(ngx_conf_t *cf);
char *ngx_http_gw_ratelimit_conf_merge(ngx_conf_t *cf, void *parent,
    void *child);

char *ngx_http_gw_ratelimit_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_ratelimit_conf_tier(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_ratelimit_conf_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_RATELIMIT_CONF_H_INCLUDED_ */
