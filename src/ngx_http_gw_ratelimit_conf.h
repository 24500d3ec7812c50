
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The configuration of the ratelimit module: made here at start, read-only
 * after the merge.  What a worker changes hangs off "worker".
 *
 * The functions are the hooks and setters of ngx_http_module_t and
 * ngx_command_t, with their meaning; ngx_http_gw_ratelimit_conf_prefix() is the
 * post handler of gw_address_prefix.
 *
 * ngx_http_gw_ratelimit_conf_param() takes a word of gw_ratelimit, its bit in
 * "seen" tells whether there was one before; that of the numbers is
 * NGX_HTTP_GW_RATELIMIT_NUMBERS.  ngx_http_gw_ratelimit_conf_number() takes a
 * word of the numbers.  Both return as setters do.
 */

#ifndef _NGX_HTTP_GW_RATELIMIT_CONF_H_INCLUDED_
#define _NGX_HTTP_GW_RATELIMIT_CONF_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>

#include "gw_tier.h"
#include "ngx_gw_buckets.h"
#include "ngx_gw_redis_conf.h"
#include "ngx_gw_tiers.h"


#define NGX_HTTP_GW_RATELIMIT_LIMITS   8      /* of one location */
#define NGX_HTTP_GW_RATELIMIT_NUMBERS  0x0001


typedef enum {
    NGX_HTTP_GW_RATELIMIT_ALLOW = 0,
    NGX_HTTP_GW_RATELIMIT_DENY,
    NGX_HTTP_GW_RATELIMIT_LOCAL
} ngx_http_gw_ratelimit_error_e;


#define NGX_HTTP_GW_RATELIMIT_IETF      0x0001
#define NGX_HTTP_GW_RATELIMIT_X         0x0002


typedef struct ngx_http_gw_ratelimit_worker_s
    ngx_http_gw_ratelimit_worker_t;


typedef struct {
    ngx_str_t                        name;
    gw_tier_t                        numbers;
} ngx_http_gw_ratelimit_tier_t;


typedef struct {
    ngx_str_t                        name;
    ngx_uint_t                       index;    /* of the name, in names */
    ngx_http_complex_value_t        *key;
    ngx_http_complex_value_t        *tier;     /* NULL: given inline */
    ngx_http_complex_value_t        *cost;     /* NULL: 1 */
    gw_tier_t                        numbers;  /* if given inline */
    ngx_http_gw_ratelimit_error_e    error;
    ngx_uint_t                       lease;    /* percent, 0: off */
    ngx_msec_t                       ban;      /* 0: none */
    ngx_uint_t                       after;

    unsigned                         deny_empty:1;
    unsigned                         preauth:1;
    unsigned                         dry_run:1;
} ngx_http_gw_ratelimit_limit_t;


typedef struct {
    ngx_gw_redis_conf_t              redis;
    ngx_gw_tiers_conf_t              list;     /* gw_ratelimit_tiers */
    ngx_str_t                        zone;     /* of the buckets */
    size_t                           size;
    ngx_gw_buckets_t                *buckets;  /* NULL: no limits at all */
    ngx_uint_t                       nodes;    /* at least so many machines */
    ngx_array_t                      tiers;    /* of ..._tier_t */
    ngx_array_t                      limits;   /* of ..._limit_t *, all */
    ngx_array_t                      names;    /* of ngx_str_t, once each */
    ngx_http_gw_ratelimit_worker_t  *worker;

    unsigned                         heartbeat:1;   /* lease or local used */
    unsigned                         preauth:1;     /* used anywhere */
} ngx_http_gw_ratelimit_main_conf_t;


typedef struct {
    ngx_array_t                     *limits;   /* of ..._limit_t */
    ngx_uint_t                       headers;
    ngx_uint_t                       prefix;   /* bits of an IPv6 address */
} ngx_http_gw_ratelimit_conf_t;


GW_HIDDEN_BEGIN

void *ngx_http_gw_ratelimit_conf_create_main(ngx_conf_t *cf);
char *ngx_http_gw_ratelimit_conf_init_main(ngx_conf_t *cf, void *conf);
void *ngx_http_gw_ratelimit_conf_create(ngx_conf_t *cf);
char *ngx_http_gw_ratelimit_conf_merge(ngx_conf_t *cf, void *parent,
    void *child);

char *ngx_http_gw_ratelimit_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_ratelimit_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_ratelimit_conf_tier(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_ratelimit_conf_tiers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_ratelimit_conf_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_ratelimit_conf_prefix(ngx_conf_t *cf, void *post,
    void *data);

char *ngx_http_gw_ratelimit_conf_param(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *word, ngx_uint_t *seen);
char *ngx_http_gw_ratelimit_conf_number(ngx_conf_t *cf, ngx_command_t *cmd,
    gw_tier_t *numbers, ngx_str_t *word);

/* the postconfiguration: the resolver is known then */

ngx_int_t ngx_http_gw_ratelimit_conf_finish(ngx_conf_t *cf);

ngx_http_gw_ratelimit_tier_t *ngx_http_gw_ratelimit_conf_find_tier(
    ngx_http_gw_ratelimit_main_conf_t *grmcf, ngx_str_t *name);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_RATELIMIT_CONF_H_INCLUDED_ */
