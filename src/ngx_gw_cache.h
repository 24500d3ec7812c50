
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The identity zone: three caches (gw_cache.h) in one shared zone, so that
 * neither refused credentials nor passports can push identities out.  Of the
 * zone identities have a half, passports 7/16, refusals 1/16.
 *
 * ngx_gw_cache_get() and _put() work as gw_cache_get() and _put(), at the
 * present second, and renew what is about to go.  They count hits and misses.
 *
 *     NGX_OK        "len" bytes are in "buf"; stored
 *     NGX_DECLINED  not there, expired, longer than "size"; too long to store
 */

#ifndef _NGX_GW_CACHE_H_INCLUDED_
#define _NGX_GW_CACHE_H_INCLUDED_


#include "ngx_gw.h"

#include "gw_cache.h"
#include "ngx_gw_zone.h"


#define NGX_GW_CACHE_MIN  (1024 * 1024)      /* bytes of a zone */


typedef enum {
    NGX_GW_CACHE_IDENTITIES = 0,
    NGX_GW_CACHE_PASSPORTS,
    NGX_GW_CACHE_REFUSALS,
    NGX_GW_CACHE_PARTS
} ngx_gw_cache_part_e;


typedef struct {
    ngx_gw_zone_t   *zone;
} ngx_gw_cache_t;


typedef struct {
    gw_cache_stats_t  ring;
    uint64_t          hits;
    uint64_t          misses;
} ngx_gw_cache_stats_t;


GW_HIDDEN_BEGIN

ngx_gw_cache_t *ngx_gw_cache_add(ngx_conf_t *cf, ngx_str_t *name, size_t size,
    void *tag);

ngx_int_t ngx_gw_cache_get(ngx_gw_cache_t *cache, ngx_gw_cache_part_e part,
    const u_char *key, void *buf, size_t size, size_t *len);
ngx_int_t ngx_gw_cache_put(ngx_gw_cache_t *cache, ngx_gw_cache_part_e part,
    const u_char *key, time_t expires, const void *data, size_t len);
void ngx_gw_cache_remove(ngx_gw_cache_t *cache, ngx_gw_cache_part_e part,
    const u_char *key);
void ngx_gw_cache_stats(ngx_gw_cache_t *cache, ngx_gw_cache_part_e part,
    ngx_gw_cache_stats_t *stats);

GW_HIDDEN_END


#endif /* _NGX_GW_CACHE_H_INCLUDED_ */
