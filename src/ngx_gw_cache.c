
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_cache.h"


/* the start of the block; the parts follow, on cache lines of their own */

#define NGX_GW_CACHE_HEAD  128

#define ngx_gw_cache_part(block, part)                                        \
    ((gw_cache_t *) ((u_char *) (block) + (block)->offset[part]))


typedef struct {
    size_t      offset[NGX_GW_CACHE_PARTS];
    uint64_t    hits[NGX_GW_CACHE_PARTS];
    uint64_t    misses[NGX_GW_CACHE_PARTS];
} ngx_gw_cache_block_t;


_Static_assert(sizeof(ngx_gw_cache_block_t) <= NGX_GW_CACHE_HEAD,
               "the parts follow");


static void ngx_gw_cache_reset(void *data, size_t size, void *unused);


ngx_gw_cache_t *
ngx_gw_cache_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag)
{
    ngx_gw_cache_t  *cache;

    if (size < NGX_GW_CACHE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small", name);
        return NULL;
    }

    cache = ngx_pcalloc(cf->pool, sizeof(ngx_gw_cache_t));
    if (cache == NULL) {
        return NULL;
    }

    cache->zone = ngx_gw_zone_add(cf, name, size, tag, ngx_gw_cache_reset,
                                  NULL);
    if (cache->zone == NULL) {
        return NULL;
    }

    return cache;
}


static void
ngx_gw_cache_reset(void *data, size_t size, void *unused)
{
    size_t                 part, n, offset;
    ngx_gw_cache_block_t  *block = data;

    static const size_t  shares[NGX_GW_CACHE_PARTS] = { 8, 7, 1 };

    ngx_memzero(block, sizeof(ngx_gw_cache_block_t));

    size -= NGX_GW_CACHE_HEAD;
    offset = NGX_GW_CACHE_HEAD;

    for (part = 0; part < NGX_GW_CACHE_PARTS; part++) {
        n = size / 16 * shares[part] / 128 * 128;

        /* fits: ngx_gw_cache_add() asked for NGX_GW_CACHE_MIN */

        (void) gw_cache_init((u_char *) data + offset, n);

        block->offset[part] = offset;
        offset += n;
    }
}


ngx_int_t
ngx_gw_cache_get(ngx_gw_cache_t *cache, ngx_gw_cache_part_e part,
    const u_char *key, void *buf, size_t size, size_t *len)
{
    ngx_int_t              rc;
    ngx_gw_cache_block_t  *block;

    block = ngx_gw_zone_lock(cache->zone);

    rc = gw_cache_get(ngx_gw_cache_part(block, part), key, ngx_time(), buf,
                      size, len);

    if (rc == GW_OK) {
        block->hits[part]++;

    } else {
        block->misses[part]++;
    }

    ngx_gw_zone_unlock(cache->zone);

    return rc;
}


ngx_int_t
ngx_gw_cache_put(ngx_gw_cache_t *cache, ngx_gw_cache_part_e part,
    const u_char *key, time_t expires, const void *data, size_t len)
{
    ngx_int_t              rc;
    ngx_gw_cache_block_t  *block;

    block = ngx_gw_zone_lock(cache->zone);

    rc = gw_cache_put(ngx_gw_cache_part(block, part), key, ngx_time(),
                      expires, data, len);

    ngx_gw_zone_unlock(cache->zone);

    return rc;
}


void
ngx_gw_cache_remove(ngx_gw_cache_t *cache, ngx_gw_cache_part_e part,
    const u_char *key)
{
    ngx_gw_cache_block_t  *block;

    block = ngx_gw_zone_lock(cache->zone);

    gw_cache_remove(ngx_gw_cache_part(block, part), key);

    ngx_gw_zone_unlock(cache->zone);
}


void
ngx_gw_cache_stats(ngx_gw_cache_t *cache, ngx_gw_cache_part_e part,
    ngx_gw_cache_stats_t *stats)
{
    ngx_gw_cache_block_t  *block;

    block = ngx_gw_zone_lock(cache->zone);

    gw_cache_stats(ngx_gw_cache_part(block, part), &stats->ring);

    stats->hits = block->hits[part];
    stats->misses = block->misses[part];

    ngx_gw_zone_unlock(cache->zone);
}
