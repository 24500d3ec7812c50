
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_cache.h"


#define GW_CACHE_UNIT   16
#define GW_CACHE_BLOCK  (UINT64_C(64) << 30)
#define GW_CACHE_LIVE   UINT32_C(0x6c697665)

/*
 * Keys are digests, but who may choose what is digested can make many of them
 * meet in one bucket: a longer chain loses its last record.
 */

#define GW_CACHE_CHAIN  32


/* positions and lengths count units, a link is a position + 1 or 0 */

typedef struct {
    uint8_t    key[GW_CACHE_KEY];
    int64_t    expires;
    uint32_t   next;
    uint32_t   units;
    uint32_t   len;          /* bytes of data, which follow */
    uint32_t   live;         /* GW_CACHE_LIVE: in the index */
    uint64_t   unused;
} gw_cache_record_t;


/*
 * Between "tail", the oldest record, and "head" lie "used" units.  A record is
 * not split: what does not fit in below the end goes to the start, and then
 * nothing lies between "wrap" and the end.
 */

struct gw_cache_s {
    uint64_t   check;        /* of the three that never change */
    uint64_t   units;
    uint64_t   buckets;
    uint64_t   ring;         /* bytes from the start of the block */

    uint64_t   head;
    uint64_t   tail;
    uint64_t   wrap;
    uint64_t   used;

    uint64_t   records;
    uint64_t   live;         /* units of them */
    uint64_t   evicted;
    uint64_t   unused[5];
};


_Static_assert(sizeof(gw_cache_record_t) == GW_CACHE_HEAD, "as promised");
_Static_assert(sizeof(gw_cache_t) % GW_CACHE_UNIT == 0, "alignment");


static uint64_t gw_cache_check(const gw_cache_t *cache);
static void gw_cache_clear(gw_cache_t *cache);
static int gw_cache_room(gw_cache_t *cache, int64_t now, uint64_t n);
static int gw_cache_drop(gw_cache_t *cache, int64_t now);
static void gw_cache_insert(gw_cache_t *cache, gw_cache_record_t *rec,
    int64_t now);
static void gw_cache_unlink(gw_cache_t *cache, uint32_t *link,
    gw_cache_record_t *rec);
static uint32_t *gw_cache_find(gw_cache_t *cache, const uint8_t *key);
static uint32_t *gw_cache_bucket(gw_cache_t *cache, const uint8_t *key);
static gw_cache_record_t *gw_cache_record(gw_cache_t *cache,
    const uint32_t *link);
static gw_cache_record_t *gw_cache_unit(gw_cache_t *cache, uint64_t unit);


int
gw_cache_init(void *block, size_t size)
{
    gw_cache_t  *cache = block;

    if (size < GW_CACHE_MIN || size > GW_CACHE_BLOCK
        || (uintptr_t) block % sizeof(uint64_t) != 0)
    {
        return GW_ERROR;
    }

    memset(cache, 0, sizeof(gw_cache_t));

    cache->buckets = size / 128;
    cache->ring = sizeof(gw_cache_t) + cache->buckets * sizeof(uint32_t);
    cache->ring = (cache->ring + GW_CACHE_UNIT - 1) & -GW_CACHE_UNIT;
    cache->units = (size - cache->ring) / GW_CACHE_UNIT;
    cache->check = gw_cache_check(cache);

    gw_cache_clear(cache);

    return GW_OK;
}


/* guards all that bounds are taken from */

static uint64_t
gw_cache_check(const gw_cache_t *cache)
{
    uint64_t  n;

    n = (cache->units + 1) * UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ cache->buckets) * UINT64_C(0xbf58476d1ce4e5b9);

    return (n ^ n >> 29 ^ cache->ring) * UINT64_C(0x94d049bb133111eb);
}


static void
gw_cache_clear(gw_cache_t *cache)
{
    memset(cache + 1, 0, cache->buckets * sizeof(uint32_t));

    cache->head = 0;
    cache->tail = 0;
    cache->wrap = cache->units;
    cache->used = 0;

    cache->records = 0;
    cache->live = 0;
}


int
gw_cache_get(gw_cache_t *cache, const uint8_t *key, int64_t now, void *buf,
    size_t size, size_t *len)
{
    uint32_t           *link;
    uint64_t            unit, age;
    gw_cache_record_t  *rec;

    if (cache->check != gw_cache_check(cache)) {
        return GW_DECLINED;
    }

    link = gw_cache_find(cache, key);
    if (link == NULL) {
        return GW_DECLINED;
    }

    unit = *link - 1;
    rec = gw_cache_unit(cache, unit);

    if (rec->expires <= now) {
        gw_cache_unlink(cache, link, rec);
        return GW_DECLINED;
    }

    if (rec->len > size) {
        return GW_DECLINED;
    }

    memcpy(buf, rec + 1, rec->len);
    *len = rec->len;

    age = cache->head - unit;

    if (cache->head < unit) {
        age += cache->units;
    }

    if (age > cache->units / 2) {
        (void) gw_cache_put(cache, key, now, rec->expires, buf, *len);
    }

    return GW_OK;
}


int
gw_cache_put(gw_cache_t *cache, const uint8_t *key, int64_t now,
    int64_t expires, const void *data, size_t len)
{
    uint32_t           *link;
    uint64_t            n;
    gw_cache_record_t  *rec;

    if (cache->check != gw_cache_check(cache)) {
        return GW_DECLINED;
    }

    link = gw_cache_find(cache, key);

    if (link != NULL) {
        gw_cache_unlink(cache, link, gw_cache_record(cache, link));
    }

    if (len > GW_CACHE_MAX) {
        return GW_DECLINED;
    }

    n = (GW_CACHE_HEAD + len + GW_CACHE_UNIT - 1) / GW_CACHE_UNIT;

    if (n > cache->units / 8) {
        return GW_DECLINED;
    }

    if (expires <= now) {
        return GW_OK;
    }

    if (gw_cache_room(cache, now, n) != GW_OK) {
        gw_cache_clear(cache);
    }

    rec = gw_cache_unit(cache, cache->head);

    memcpy(rec->key, key, GW_CACHE_KEY);
    rec->expires = expires;
    rec->units = (uint32_t) n;
    rec->len = (uint32_t) len;
    rec->unused = 0;

    if (len != 0) {
        memcpy(rec + 1, data, len);
    }

    gw_cache_insert(cache, rec, now);

    cache->head += n;
    cache->used += n;

    return GW_OK;
}


/* "n" units in one piece at "head", or GW_ERROR if the ring is broken */

static int
gw_cache_room(gw_cache_t *cache, int64_t now, uint64_t n)
{
    uint64_t  end, need;

    if (cache->wrap > cache->units
        || cache->head > cache->units
        || cache->tail > cache->wrap
        || cache->used > cache->units
        || (cache->tail + cache->used != cache->head
            && cache->tail + cache->used != cache->head + cache->units))
    {
        return GW_ERROR;
    }

    end = cache->units - cache->head;
    need = n > end ? n + end : n;

    while (cache->units - cache->used < need) {
        if (gw_cache_drop(cache, now) != GW_OK) {
            return GW_ERROR;
        }
    }

    if (n > end) {
        cache->wrap = cache->head;
        cache->used += end;
        cache->head = 0;
    }

    return GW_OK;
}


/* the oldest record, or what lies unused at the end */

static int
gw_cache_drop(gw_cache_t *cache, int64_t now)
{
    uint32_t           *link;
    uint64_t            n;
    gw_cache_record_t  *rec;

    n = cache->wrap - cache->tail;

    if (n == 0) {
        n = cache->units - cache->wrap;

        if (n > cache->used) {
            return GW_ERROR;
        }

        cache->used -= n;
        cache->tail = 0;
        cache->wrap = cache->units;

        return GW_OK;
    }

    if (n < GW_CACHE_HEAD / GW_CACHE_UNIT) {
        return GW_ERROR;
    }

    rec = gw_cache_unit(cache, cache->tail);

    if (rec->units < GW_CACHE_HEAD / GW_CACHE_UNIT
        || rec->units > n
        || rec->units > cache->used)
    {
        return GW_ERROR;
    }

    if (rec->live == GW_CACHE_LIVE) {
        link = gw_cache_find(cache, rec->key);

        if (link == NULL || *link != cache->tail + 1) {
            return GW_ERROR;
        }

        if (rec->expires > now) {
            cache->evicted++;
        }

        gw_cache_unlink(cache, link, rec);
    }

    cache->tail += rec->units;
    cache->used -= rec->units;

    return GW_OK;
}


/* the last put is the first found */

static void
gw_cache_insert(gw_cache_t *cache, gw_cache_record_t *rec, int64_t now)
{
    uint32_t           *bucket, *link;
    unsigned            i;
    gw_cache_record_t  *last;

    bucket = gw_cache_bucket(cache, rec->key);
    link = bucket;

    for (i = 1; i < GW_CACHE_CHAIN; i++) {
        last = gw_cache_record(cache, link);

        if (last == NULL) {
            break;
        }

        link = &last->next;
    }

    last = gw_cache_record(cache, link);

    if (last != NULL) {

        if (last->expires > now) {
            cache->evicted++;
        }

        gw_cache_unlink(cache, link, last);
    }

    *link = 0;

    rec->next = *bucket;
    rec->live = GW_CACHE_LIVE;

    *bucket = (uint32_t) cache->head + 1;

    cache->records++;
    cache->live += rec->units;
}


static void
gw_cache_unlink(gw_cache_t *cache, uint32_t *link, gw_cache_record_t *rec)
{
    *link = rec->next;

    rec->live = 0;

    cache->records--;
    cache->live -= rec->units;
}


void
gw_cache_remove(gw_cache_t *cache, const uint8_t *key)
{
    uint32_t  *link;

    if (cache->check != gw_cache_check(cache)) {
        return;
    }

    link = gw_cache_find(cache, key);

    if (link != NULL) {
        gw_cache_unlink(cache, link, gw_cache_record(cache, link));
    }
}


/* the link to the record, which is a whole one then */

static uint32_t *
gw_cache_find(gw_cache_t *cache, const uint8_t *key)
{
    uint32_t           *link;
    unsigned            i;
    gw_cache_record_t  *rec;

    link = gw_cache_bucket(cache, key);

    for (i = 0; i < GW_CACHE_CHAIN; i++) {
        rec = gw_cache_record(cache, link);

        if (rec == NULL) {
            break;
        }

        if (memcmp(rec->key, key, GW_CACHE_KEY) == 0) {
            return link;
        }

        link = &rec->next;
    }

    return NULL;
}


static uint32_t *
gw_cache_bucket(gw_cache_t *cache, const uint8_t *key)
{
    uint32_t  hash, *index;

    memcpy(&hash, key, sizeof(uint32_t));

    index = (uint32_t *) (cache + 1);

    return &index[hash * cache->buckets >> 32];
}


/* whatever the block holds, what is returned lies in the ring */

static gw_cache_record_t *
gw_cache_record(gw_cache_t *cache, const uint32_t *link)
{
    uint64_t            n, max;
    gw_cache_record_t  *rec;

    n = *link;

    if (n == 0 || n > cache->units) {
        return NULL;
    }

    max = cache->units - (n - 1);

    if (max < GW_CACHE_HEAD / GW_CACHE_UNIT) {
        return NULL;
    }

    rec = gw_cache_unit(cache, n - 1);

    if (rec->live != GW_CACHE_LIVE
        || rec->units < GW_CACHE_HEAD / GW_CACHE_UNIT
        || rec->units > max
        || rec->len > (uint64_t) rec->units * GW_CACHE_UNIT - GW_CACHE_HEAD)
    {
        return NULL;
    }

    return rec;
}


static gw_cache_record_t *
gw_cache_unit(gw_cache_t *cache, uint64_t unit)
{
    return (gw_cache_record_t *)
               ((uint8_t *) cache + cache->ring + unit * GW_CACHE_UNIT);
}


void
gw_cache_stats(const gw_cache_t *cache, gw_cache_stats_t *stats)
{
    stats->records = cache->records;
    stats->used = cache->live * GW_CACHE_UNIT;
    stats->size = cache->units * GW_CACHE_UNIT;
    stats->evicted = cache->evicted;
}
