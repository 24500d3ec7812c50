
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_meter.h"
#include "ngx_gw_zone.h"


#define NGX_GW_METER_MAGIC  UINT64_C(0x6777206d65746572)


/* a place has cache lines of its own, for it is written with each event */

typedef union {
    ngx_gw_meter_gauges_t     gauges;
    u_char                    align[128];
} ngx_gw_meter_place_t;


typedef struct {
    uint64_t                  magic;
    uint64_t                  size;
    ngx_gw_meter_counters_t   counters;
    ngx_gw_meter_place_t      places[NGX_GW_METER_WORKERS];
} ngx_gw_meter_block_t;


struct ngx_gw_meter_s {
    ngx_gw_zone_t            *zone;
};


static void ngx_gw_meter_reset(void *data, size_t size, void *conf);
static ngx_gw_meter_gauges_t *ngx_gw_meter_place(ngx_gw_meter_block_t *block);
static ngx_msec_int_t ngx_gw_meter_age(const ngx_gw_meter_gauges_t *place);


ngx_gw_meter_t *
ngx_gw_meter_add(ngx_conf_t *cf, ngx_str_t *name, void *tag)
{
    ngx_gw_meter_t  *meter;

    meter = ngx_pcalloc(cf->pool, sizeof(ngx_gw_meter_t));
    if (meter == NULL) {
        return NULL;
    }

    meter->zone = ngx_gw_zone_add(cf, name, sizeof(ngx_gw_meter_block_t), tag,
                                  ngx_gw_meter_reset, NULL);
    if (meter->zone == NULL) {
        return NULL;
    }

    return meter;
}


/*
 * A sound block stays as it is.  Under the lock places are claimed and given
 * back, each by one store of the pid that comes last; all else is written
 * without it.
 */

static void
ngx_gw_meter_reset(void *data, size_t size, void *conf)
{
    ngx_gw_meter_block_t  *block = data;

    if (block->magic == NGX_GW_METER_MAGIC && block->size == size) {
        return;
    }

    ngx_memzero(block, sizeof(ngx_gw_meter_block_t));

    block->size = size;
    block->magic = NGX_GW_METER_MAGIC;
}


ngx_gw_meter_counters_t *
ngx_gw_meter_counters(ngx_gw_meter_t *meter)
{
    ngx_gw_meter_block_t  *block;

    block = ngx_gw_zone_block(meter->zone);

    return &block->counters;
}


ngx_gw_meter_gauges_t *
ngx_gw_meter_join(ngx_gw_meter_t *meter)
{
    ngx_gw_meter_gauges_t  *place;

    place = ngx_gw_meter_place(ngx_gw_zone_lock(meter->zone));

    if (place != NULL) {

        /* so that nobody sums up numbers of the one before */

        place->pid = 0;

        ngx_memory_barrier();

        ngx_memzero(place, sizeof(ngx_gw_meter_gauges_t));
        place->updated = ngx_current_msec;

        ngx_memory_barrier();

        place->pid = ngx_pid;
    }

    ngx_gw_zone_unlock(meter->zone);

    return place;
}


/*
 * One with our own pid is of a process that is gone.  Then one that was given
 * back; that of a worker which seems to be dead comes last, the longest dead
 * first: it might only be held up, and go on to write.
 */

static ngx_gw_meter_gauges_t *
ngx_gw_meter_place(ngx_gw_meter_block_t *block)
{
    ngx_uint_t              i;
    ngx_msec_int_t          age, oldest;
    ngx_gw_meter_gauges_t  *free, *place, *stale;

    free = NULL;
    stale = NULL;
    oldest = NGX_GW_METER_STALE;

    for (i = 0; i < NGX_GW_METER_WORKERS; i++) {

        place = &block->places[i].gauges;

        if (place->pid == ngx_pid) {
            return place;
        }

        if (place->pid == 0) {

            if (free == NULL) {
                free = place;
            }

            continue;
        }

        age = ngx_gw_meter_age(place);

        if (age > oldest) {
            stale = place;
            oldest = age;
        }
    }

    return free ? free : stale;
}


void
ngx_gw_meter_leave(ngx_gw_meter_t *meter, ngx_gw_meter_gauges_t *place)
{
    if (place == NULL) {
        return;
    }

    (void) ngx_gw_zone_lock(meter->zone);

    /* it was another one's if we have been held up for too long */

    if (place->pid == ngx_pid) {
        place->pid = 0;
    }

    ngx_gw_zone_unlock(meter->zone);
}


void
ngx_gw_meter_gauges(ngx_gw_meter_t *meter, ngx_gw_meter_gauges_t *sum,
    ngx_uint_t *workers)
{
    ngx_uint_t              i;
    ngx_gw_meter_block_t   *block;
    ngx_gw_meter_gauges_t  *place;

    ngx_memzero(sum, sizeof(ngx_gw_meter_gauges_t));
    *workers = 0;

    block = ngx_gw_zone_block(meter->zone);

    for (i = 0; i < NGX_GW_METER_WORKERS; i++) {

        place = &block->places[i].gauges;

        if (place->pid == 0
            || ngx_gw_meter_age(place) > NGX_GW_METER_STALE)
        {
            continue;
        }

        (*workers)++;

        sum->in_flight += place->in_flight;
        sum->requests += place->requests;
        sum->pending += place->pending;
        sum->bytes += place->bytes;
        sum->full += place->full;
        sum->foreign = ngx_max(sum->foreign, place->foreign);
        sum->oldest = ngx_max(sum->oldest, place->oldest);
        sum->lag = ngx_max(sum->lag, place->lag);
    }
}


/* negative if the other worker has read the clock later than we did */

static ngx_msec_int_t
ngx_gw_meter_age(const ngx_gw_meter_gauges_t *place)
{
    return (ngx_msec_int_t) (ngx_current_msec - place->updated);
}
