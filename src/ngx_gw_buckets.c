
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_buckets.h"
#include "ngx_gw_zone.h"

#include "gw_siphash.h"

#include <sys/random.h>


#define NGX_GW_BUCKETS_MAGIC  UINT64_C(0x6777206275636b65)


/*
 * The start of the block; the tables follow, on cache lines of their own.
 * "check" covers what is made once.  Slots, counters and the atomic numbers
 * are changed without the lock, so a worker that dies leaves them whole.
 */

typedef struct {
    uint64_t                    check[2];
    u_char                      secret[GW_SIPHASH_KEY];
    u_char                      id[NGX_GW_BUCKETS_ID];

    ngx_atomic_t                nodes;
    ngx_atomic_t                beat;      /* ms, when the last one was due */
    ngx_atomic_t                sweep;

    ngx_gw_buckets_counters_t   counters;
    ngx_gw_buckets_slot_t       slots[NGX_GW_BUCKETS_SLOTS];
} ngx_gw_buckets_block_t;


#define NGX_GW_BUCKETS_HEAD                                                   \
    ((sizeof(ngx_gw_buckets_block_t) + 127) / 128 * 128)


struct ngx_gw_buckets_s {
    ngx_gw_zone_t              *zone;
    ngx_gw_buckets_tables_t     tables;
    size_t                      lease;     /* where it begins */

    /* of a new zone */

    u_char                      secret[GW_SIPHASH_KEY];
    u_char                      id[NGX_GW_BUCKETS_ID];
};


/* what decides about a bucket, besides its name */

typedef struct {
    int64_t                     interval;
    int64_t                     burst;
    int64_t                     quota[GW_QUOTA_UNITS];
    uint64_t                    after;
    uint64_t                    name[2];
} ngx_gw_buckets_numbers_t;


static ngx_int_t ngx_gw_buckets_random(ngx_conf_t *cf, u_char *buf,
    size_t len);
static void ngx_gw_buckets_reset(void *data, size_t size, void *conf);
static void ngx_gw_buckets_check(const ngx_gw_buckets_block_t *block,
    size_t size, uint64_t check[2]);
static ngx_uint_t ngx_gw_buckets_due(ngx_atomic_t *last, ngx_msec_t interval);
static ngx_gw_buckets_block_t *ngx_gw_buckets_block(ngx_gw_buckets_t *z);


ngx_gw_buckets_t *
ngx_gw_buckets_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag)
{
    u_char             random[NGX_GW_BUCKETS_ID / 2];
    ngx_gw_buckets_t  *z;

    if (size < NGX_GW_BUCKETS_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small", name);
        return NULL;
    }

    z = ngx_pcalloc(cf->pool, sizeof(ngx_gw_buckets_t));
    if (z == NULL) {
        return NULL;
    }

    if (ngx_gw_buckets_random(cf, z->secret, sizeof(z->secret)) != NGX_OK
        || ngx_gw_buckets_random(cf, random, sizeof(random)) != NGX_OK)
    {
        return NULL;
    }

    (void) ngx_hex_dump(z->id, random, sizeof(random));

    /* the table of leases has the last quarter */

    z->lease = NGX_GW_BUCKETS_HEAD
               + (size - NGX_GW_BUCKETS_HEAD) / 4 * 3 / 128 * 128;

    z->zone = ngx_gw_zone_add(cf, name, size, tag, ngx_gw_buckets_reset, z);
    if (z->zone == NULL) {
        return NULL;
    }

    return z;
}


static ngx_int_t
ngx_gw_buckets_random(ngx_conf_t *cf, u_char *buf, size_t len)
{
    /* so few bytes come whole, as soon as the kernel has any */

    if (getrandom(buf, len, 0) != (ssize_t) len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "getrandom() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * The secret and the id of a sound block stay, for other workers use them at
 * this moment without a lock; so do the slots, to which they have pointers.
 */

static void
ngx_gw_buckets_reset(void *data, size_t size, void *conf)
{
    uint64_t                 check[2];
    ngx_gw_buckets_t        *z = conf;
    ngx_gw_buckets_block_t  *block = data;

    ngx_gw_buckets_check(block, size, check);

    if (ngx_memcmp(block->check, check, sizeof(check)) != 0) {
        ngx_memzero(block, sizeof(ngx_gw_buckets_block_t));
        ngx_memcpy(block->secret, z->secret, sizeof(block->secret));
        ngx_memcpy(block->id, z->id, sizeof(block->id));

        ngx_gw_buckets_check(block, size, block->check);
    }

    /* both fit: ngx_gw_buckets_add() asked for NGX_GW_BUCKETS_MIN */

    (void) gw_memo_init((u_char *) data + NGX_GW_BUCKETS_HEAD,
                        z->lease - NGX_GW_BUCKETS_HEAD);
    (void) gw_lease_init((u_char *) data + z->lease, size - z->lease);
}


static void
ngx_gw_buckets_check(const ngx_gw_buckets_block_t *block, size_t size,
    uint64_t check[2])
{
    gw_siphash(block->secret, block->id, sizeof(block->id), check);

    check[0] ^= NGX_GW_BUCKETS_MAGIC;
    check[1] ^= size;
}


/* the name and the numbers have lengths of their own, so nothing mixes */

void
ngx_gw_buckets_key(ngx_gw_buckets_t *z, const ngx_str_t *name,
    const gw_tier_t *tier, ngx_uint_t after, uint64_t key[2])
{
    ngx_uint_t                 i;
    const u_char              *secret;
    ngx_gw_buckets_numbers_t   n;

    secret = ngx_gw_buckets_block(z)->secret;

    ngx_memzero(&n, sizeof(ngx_gw_buckets_numbers_t));

    n.interval = tier->bucket.interval;
    n.burst = tier->bucket.burst;
    n.after = after;

    for (i = 0; i < GW_QUOTA_UNITS; i++) {
        n.quota[i] = tier->quota[i].size;
    }

    gw_siphash(secret, name->data, name->len, n.name);
    gw_siphash(secret, &n, sizeof(ngx_gw_buckets_numbers_t), key);
}


ngx_gw_buckets_tables_t *
ngx_gw_buckets_lock(ngx_gw_buckets_t *z)
{
    u_char  *block;

    block = ngx_gw_zone_lock(z->zone);

    z->tables.memo = (gw_memo_t *) (block + NGX_GW_BUCKETS_HEAD);
    z->tables.lease = (gw_lease_t *) (block + z->lease);

    return &z->tables;
}


void
ngx_gw_buckets_unlock(ngx_gw_buckets_t *z)
{
    ngx_gw_zone_unlock(z->zone);
}


/* a length is written last: who reads without the lock sees the name whole */

ngx_gw_buckets_slot_t *
ngx_gw_buckets_slot(ngx_gw_buckets_t *z, const ngx_str_t *name)
{
    ngx_str_t               other, *found;
    ngx_uint_t              i;
    ngx_gw_buckets_slot_t  *slot;

    ngx_str_set(&other, "other");

    found = name->len <= GW_TIER_NAME ? (ngx_str_t *) name : &other;

    (void) ngx_gw_buckets_lock(z);

    slot = ngx_gw_buckets_block(z)->slots;

    for (i = 0; i < NGX_GW_BUCKETS_SLOTS - 1; i++, slot++) {

        if (slot->len == 0
            || (slot->len == found->len
                && ngx_memcmp(slot->name, found->data, found->len) == 0))
        {
            break;
        }
    }

    if (i == NGX_GW_BUCKETS_SLOTS - 1) {
        found = &other;
    }

    if (slot->len == 0) {
        ngx_memcpy(slot->name, found->data, found->len);
        ngx_memory_barrier();
        slot->len = found->len;
    }

    ngx_gw_buckets_unlock(z);

    return slot;
}


ngx_gw_buckets_slot_t *
ngx_gw_buckets_slots(ngx_gw_buckets_t *z)
{
    return ngx_gw_buckets_block(z)->slots;
}


ngx_gw_buckets_counters_t *
ngx_gw_buckets_counters(ngx_gw_buckets_t *z)
{
    return &ngx_gw_buckets_block(z)->counters;
}


ngx_uint_t
ngx_gw_buckets_resets(ngx_gw_buckets_t *z)
{
    return ngx_gw_zone_resets(z->zone);
}


ngx_str_t
ngx_gw_buckets_id(ngx_gw_buckets_t *z)
{
    ngx_str_t  id;

    id.data = ngx_gw_buckets_block(z)->id;
    id.len = NGX_GW_BUCKETS_ID;

    return id;
}


ngx_uint_t
ngx_gw_buckets_beat(ngx_gw_buckets_t *z, ngx_msec_t interval)
{
    return ngx_gw_buckets_due(&ngx_gw_buckets_block(z)->beat, interval);
}


ngx_uint_t
ngx_gw_buckets_sweep(ngx_gw_buckets_t *z, ngx_msec_t interval)
{
    return ngx_gw_buckets_due(&ngx_gw_buckets_block(z)->sweep, interval);
}


/* the workers' clocks are one, but each is read at another time */

static ngx_uint_t
ngx_gw_buckets_due(ngx_atomic_t *last, ngx_msec_t interval)
{
    ngx_msec_t         now;
    ngx_atomic_uint_t  old;

    now = ngx_current_msec ? ngx_current_msec : 1;
    old = *last;

    if (old != 0
        && (ngx_msec_int_t) (now - (ngx_msec_t) old)
           < (ngx_msec_int_t) interval)
    {
        return 0;
    }

    return ngx_atomic_cmp_set(last, old, now);
}


void
ngx_gw_buckets_set_nodes(ngx_gw_buckets_t *z, ngx_uint_t nodes)
{
    ngx_gw_buckets_block(z)->nodes = ngx_min(nodes, NGX_GW_BUCKETS_NODES);
}


ngx_uint_t
ngx_gw_buckets_nodes(ngx_gw_buckets_t *z)
{
    return ngx_gw_buckets_block(z)->nodes;
}


static ngx_gw_buckets_block_t *
ngx_gw_buckets_block(ngx_gw_buckets_t *z)
{
    return ngx_gw_zone_block(z->zone);
}
