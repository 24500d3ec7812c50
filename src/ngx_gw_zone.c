
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_zone.h"


/*
 * What a worker has stored when it is killed, it has stored in the order of
 * the program; only the compiler could change that.
 */

#define ngx_gw_zone_fence()  __asm__ volatile ("" ::: "memory")


/*
 * In shared memory, before the block: an allocation of the slab pool, the
 * only one.  The pool's mutex is the lock, since it is the one that the
 * master unlocks when a worker has died.
 */

typedef struct {
    ngx_atomic_t             busy;
    ngx_atomic_t             resets;
    u_char                   align[128 - 2 * sizeof(ngx_atomic_t)];
} ngx_gw_zone_head_t;


struct ngx_gw_zone_s {
    ngx_shmtx_t             *mutex;
    ngx_gw_zone_head_t      *head;
    void                    *block;
    size_t                   size;
    ngx_gw_zone_reset_pt     reset;
    void                    *data;
};


static size_t ngx_gw_zone_total(size_t size);
static ngx_int_t ngx_gw_zone_init(ngx_shm_zone_t *shm_zone, void *data);


ngx_gw_zone_t *
ngx_gw_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size, void *tag,
    ngx_gw_zone_reset_pt reset, void *data)
{
    size_t           total;
    ngx_gw_zone_t   *zone;
    ngx_shm_zone_t  *shm_zone;

    total = ngx_gw_zone_total(size);

    if (size == 0 || total < size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size of shared memory zone \"%V\"", name);
        return NULL;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_gw_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    zone->size = size;
    zone->reset = reset;
    zone->data = data;

    shm_zone = ngx_shared_memory_add(cf, name, total, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    if (shm_zone->data != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "shared memory zone \"%V\" is already used", name);
        return NULL;
    }

    shm_zone->init = ngx_gw_zone_init;
    shm_zone->data = zone;

    return zone;
}


/*
 * The pool takes its own structure and lists of slots, less than a page, and
 * a description of each page; its pages start at the next whole one.  Not
 * rounded: two sizes give two totals, which a reload compares.
 */

static size_t
ngx_gw_zone_total(size_t size)
{
    size_t  pages;

    pages = (size + sizeof(ngx_gw_zone_head_t)) / ngx_pagesize + 4;

    return size + pages * sizeof(ngx_slab_page_t) + 4 * ngx_pagesize;
}


static ngx_int_t
ngx_gw_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_gw_zone_t    *zone;
    ngx_slab_pool_t  *shpool;

    zone = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    zone->mutex = &shpool->mutex;

    if (data != NULL || shm_zone->shm.exists) {
        zone->head = shpool->data;
        zone->block = zone->head + 1;

        return NGX_OK;
    }

    zone->head = ngx_slab_alloc(shpool,
                                sizeof(ngx_gw_zone_head_t) + zone->size);
    if (zone->head == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "shared memory zone \"%V\" is too small",
                      &shm_zone->shm.name);
        return NGX_ERROR;
    }

    zone->block = zone->head + 1;
    shpool->data = zone->head;

    ngx_memzero(zone->head, sizeof(ngx_gw_zone_head_t));

    (void) ngx_gw_zone_lock(zone);

    zone->reset(zone->block, zone->size, zone->data);

    ngx_gw_zone_unlock(zone);

    return NGX_OK;
}


void *
ngx_gw_zone_lock(ngx_gw_zone_t *zone)
{
    ngx_shmtx_lock(zone->mutex);

    if (zone->head->busy) {

        /* the last owner was killed: the block may be half changed */

        zone->reset(zone->block, zone->size, zone->data);
        zone->head->resets++;
    }

    zone->head->busy = 1;

    ngx_gw_zone_fence();

    return zone->block;
}


void
ngx_gw_zone_unlock(ngx_gw_zone_t *zone)
{
    ngx_gw_zone_fence();

    zone->head->busy = 0;

    ngx_shmtx_unlock(zone->mutex);
}


void *
ngx_gw_zone_block(ngx_gw_zone_t *zone)
{
    return zone->block;
}


ngx_uint_t
ngx_gw_zone_resets(ngx_gw_zone_t *zone)
{
    return zone->head->resets;
}
