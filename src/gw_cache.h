
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A cache in one block of memory, found by a key of GW_CACHE_KEY bytes that
 * is a digest already.  Records of different sizes lie in a ring, the oldest
 * one is overwritten; a hit in the older half of the ring moves the record to
 * its front, so the one that goes is about the least recently used.  Lookup
 * time does not grow with the number of records.
 *
 * There are no pointers in the block, so processes may share it, each at an
 * address of its own.  Nothing is locked here: the caller does.  No clock:
 * "now" and "expires" are seconds.
 *
 * gw_cache_init() formats "size" bytes, at least GW_CACHE_MIN, at most 64 GiB,
 * aligned to 8: GW_OK or GW_ERROR.  All other functions take what it formatted.
 * Whatever bytes are changed in there, they stay inside: a broken ring is
 * emptied, a broken header leaves a cache that declines everything.
 *
 * gw_cache_get() copies the record:
 *
 *     GW_OK        "len" bytes are in "buf"
 *     GW_DECLINED  there is none, it has expired, or it exceeds "size"
 *
 * gw_cache_put() stores a record, or replaces the one with that key; GW_OK,
 * or GW_DECLINED if it is longer than GW_CACHE_MAX or an eighth of the ring,
 * and then the old one is gone too.  What has expired is not stored.
 *
 * Each record takes GW_CACHE_HEAD bytes and its own length, rounded up to 16;
 * the index takes 4 bytes for each 128 bytes of the block or so.
 */

#ifndef _GW_CACHE_H_INCLUDED_
#define _GW_CACHE_H_INCLUDED_


#include "gw_base.h"


#define GW_CACHE_KEY   32
#define GW_CACHE_HEAD  64
#define GW_CACHE_MIN   (32 * 1024)
#define GW_CACHE_MAX   (20 * 1024)     /* bytes of a record */


typedef struct gw_cache_s  gw_cache_t;

typedef struct {
    uint64_t   records;      /* in the ring, expired ones included */
    uint64_t   used;         /* bytes of the ring, for these */
    uint64_t   size;
    uint64_t   evicted;      /* overwritten before they had expired */
} gw_cache_stats_t;


GW_HIDDEN_BEGIN

int gw_cache_init(void *block, size_t size);
int gw_cache_get(gw_cache_t *cache, const uint8_t *key, int64_t now,
    void *buf, size_t size, size_t *len);
int gw_cache_put(gw_cache_t *cache, const uint8_t *key, int64_t now,
    int64_t expires, const void *data, size_t len);
void gw_cache_remove(gw_cache_t *cache, const uint8_t *key);
void gw_cache_stats(const gw_cache_t *cache, gw_cache_stats_t *stats);

GW_HIDDEN_END


#endif /* _GW_CACHE_H_INCLUDED_ */
