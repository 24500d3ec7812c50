
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_tiers_read.h"


#define NGX_GW_TIERS_ZONE  "gw_ratelimit_tiers:"


static void ngx_gw_tiers_reset(void *block, size_t size, void *data);
static void ngx_gw_tiers_follow(ngx_gw_tiers_t *ts);
static void ngx_gw_tiers_timer_handler(ngx_event_t *ev);
static void ngx_gw_tiers_plan(ngx_gw_tiers_t *ts);
static void ngx_gw_tiers_wake_handler(ngx_event_t *ev);


ngx_gw_tiers_zone_t *
ngx_gw_tiers_add(ngx_conf_t *cf, void *tag, const ngx_str_t *key)
{
    u_char               *p;
    ngx_str_t             name;
    ngx_gw_tiers_zone_t  *tz;

    tz = ngx_palloc(cf->pool, sizeof(ngx_gw_tiers_zone_t));
    if (tz == NULL) {
        return NULL;
    }

    name.len = sizeof(NGX_GW_TIERS_ZONE) - 1 + key->len;

    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NULL;
    }

    p = ngx_cpymem(name.data, NGX_GW_TIERS_ZONE,
                   sizeof(NGX_GW_TIERS_ZONE) - 1);
    ngx_memcpy(p, key->data, key->len);

    tz->zone = ngx_gw_zone_add(cf, &name, sizeof(ngx_gw_tiers_shared_t), tag,
                               ngx_gw_tiers_reset, NULL);

    return tz->zone ? tz : NULL;
}


static void
ngx_gw_tiers_reset(void *block, size_t size, void *data)
{
    ngx_memzero(block, size);
}


ngx_gw_tiers_t *
ngx_gw_tiers_create(const ngx_gw_tiers_conf_t *conf, ngx_gw_redis_t *redis,
    ngx_log_t *log)
{
    ngx_gw_tiers_t  *ts;

    ts = ngx_calloc(sizeof(ngx_gw_tiers_t), log);
    if (ts == NULL) {
        return NULL;
    }

    ts->conf = conf;
    ts->redis = redis;
    ts->log = log;
    ts->zone = conf->zone->zone;
    ts->shared = ngx_gw_zone_block(ts->zone);
    ts->next = ngx_current_msec;
    ts->pause = ngx_current_msec;
    ts->resets = ngx_gw_zone_resets(ts->zone);

    ngx_queue_init(&ts->waits);

    ts->timer.handler = ngx_gw_tiers_timer_handler;
    ts->timer.data = ts;
    ts->timer.log = log;
    ts->timer.cancelable = 1;

    ts->wake.handler = ngx_gw_tiers_wake_handler;
    ts->wake.data = ts;
    ts->wake.log = log;

    ngx_gw_tiers_plan(ts);

    return ts;
}


void
ngx_gw_tiers_destroy(ngx_gw_tiers_t *ts)
{
    ngx_gw_redis_cancel(&ts->op);

    while (!ngx_queue_empty(&ts->waits)) {
        ngx_gw_tiers_cancel(ngx_queue_data(ngx_queue_head(&ts->waits),
                                           ngx_gw_tiers_waiter_t, queue));
    }

    if (ts->timer.timer_set) {
        ngx_del_timer(&ts->timer);
    }

    if (ts->timer.posted) {
        ngx_delete_posted_event(&ts->timer);
    }

    if (ts->wake.posted) {
        ngx_delete_posted_event(&ts->wake);
    }

    ngx_gw_tiers_read_release(ts);

    ngx_free(ts);
}


ngx_int_t
ngx_gw_tiers_find(ngx_gw_tiers_t *ts, const ngx_str_t *name, gw_tier_t *tier)
{
    const ngx_gw_tiers_entry_t  *entry;

    ngx_gw_tiers_follow(ts);

    if (!ts->read) {
        return GW_AGAIN;
    }

    entry = ngx_gw_tiers_lookup(&ts->list, (const char *) name->data,
                                name->len);
    if (entry == NULL) {
        return GW_DECLINED;
    }

    *tier = entry->tier;

    return GW_OK;
}


const ngx_gw_tiers_entry_t *
ngx_gw_tiers_lookup(const ngx_gw_tiers_list_t *list, const char *name,
    size_t len)
{
    ngx_uint_t                   i;
    const ngx_gw_tiers_entry_t  *entry;

    for (i = 0; i < list->n; i++) {
        entry = &list->entries[i];

        if (entry->len == len && ngx_memcmp(entry->name, name, len) == 0) {
            return entry;
        }
    }

    return NULL;
}


/*
 * Takes over the list of the zone.  If that was reset, because a worker died
 * inside, the own list stays until one is read again.
 */

static void
ngx_gw_tiers_follow(ngx_gw_tiers_t *ts)
{
    ngx_uint_t              n, resets;
    ngx_gw_tiers_shared_t  *sh;

    sh = ts->shared;
    resets = ngx_gw_zone_resets(ts->zone);

    if (sh->generation == 0
        || (sh->generation == ts->generation && resets == ts->resets))
    {
        return;
    }

    sh = ngx_gw_zone_lock(ts->zone);

    if (sh->generation) {
        n = sh->list.n;

        ngx_memcpy(ts->list.entries, sh->list.entries,
                   n * sizeof(ngx_gw_tiers_entry_t));

        ts->list.n = n;
        ts->generation = sh->generation;
        ts->read = 1;
    }

    ngx_gw_zone_unlock(ts->zone);

    if (resets != ts->resets) {
        ts->resets = resets;

        if (ngx_gw_log_pass(&ts->log_reset, &n)) {
            ngx_log_error(NGX_LOG_ERR, ts->log, 0,
                          "gw tiers: a worker died inside the list of \"%V\", "
                          "it was read again", &ts->conf->key);
        }
    }
}


void
ngx_gw_tiers_wait(ngx_gw_tiers_t *ts, ngx_gw_tiers_waiter_t *w)
{
    ngx_queue_insert_tail(&ts->waits, &w->queue);
    w->active = 1;

    if (ts->reading) {

        /* without a timer a worker would exit over the request */

        ts->op.deadline.cancelable = 0;
        return;
    }

    if (ts->read || (ngx_msec_int_t) (ngx_current_msec - ts->pause) < 0) {

        /* read meanwhile, or it could not be read right now */

        ngx_post_event(&ts->wake, &ngx_posted_events);
        return;
    }

    /* not to depend on another worker that may be reading, and may die */

    (void) ngx_gw_tiers_read_claim(ts, 1);

    ngx_gw_tiers_read_begin(ts);
}


void
ngx_gw_tiers_cancel(ngx_gw_tiers_waiter_t *w)
{
    if (w->active) {
        ngx_queue_remove(&w->queue);
        w->active = 0;
    }
}


void
ngx_gw_tiers_stats(const ngx_gw_tiers_conf_t *conf,
    ngx_gw_tiers_stats_t *stats)
{
    ngx_msec_int_t          age;
    ngx_gw_tiers_shared_t  *sh;

    sh = ngx_gw_zone_lock(conf->zone->zone);

    stats->tiers = sh->list.n;
    stats->read = (sh->generation != 0);
    age = (ngx_msec_int_t) (ngx_current_msec - sh->loaded);

    ngx_gw_zone_unlock(conf->zone->zone);

    /* workers do not look at the clock at the same moment */

    stats->age = stats->read ? (ngx_msec_t) ngx_max(age, 0) : 0;

    stats->reads = sh->reads;
    stats->failures = sh->failures;
    stats->refused = sh->refused;
    stats->changes = sh->changes;
}


static void
ngx_gw_tiers_timer_handler(ngx_event_t *ev)
{
    ngx_gw_tiers_t  *ts;

    ts = ev->data;

    if (ngx_exiting) {

        /* new workers read; who waits here, reads without the timer */

        return;
    }

    ngx_gw_tiers_follow(ts);

    if (ts->reading) {

        /* what ends it plans */

        return;
    }

    if (ngx_gw_tiers_read_claim(ts, 0) == NGX_OK) {
        ngx_gw_tiers_read_begin(ts);
        return;
    }

    ngx_gw_tiers_plan(ts);
}


void
ngx_gw_tiers_done(ngx_gw_tiers_t *ts)
{
    ngx_gw_tiers_follow(ts);

    if (!ngx_queue_empty(&ts->waits)) {

        /* this may be inside ngx_gw_tiers_wait() */

        ngx_post_event(&ts->wake, &ngx_posted_events);
    }

    ngx_gw_tiers_plan(ts);
}


static void
ngx_gw_tiers_plan(ngx_gw_tiers_t *ts)
{
    ngx_msec_int_t  delay;

    /* nginx would leave a timer that is set as it is for a small change */

    if (ts->timer.timer_set) {
        ngx_del_timer(&ts->timer);
    }

    delay = (ngx_msec_int_t) (ts->next - ngx_current_msec);

    if (delay > 0) {
        ngx_add_timer(&ts->timer, (ngx_msec_t) delay);

    } else {
        ngx_post_event(&ts->timer, &ngx_posted_next_events);
    }
}


static void
ngx_gw_tiers_wake_handler(ngx_event_t *ev)
{
    ngx_queue_t             waits, *q;
    ngx_gw_tiers_t         *ts;
    ngx_gw_tiers_waiter_t  *w;

    ts = ev->data;

    if (ngx_queue_empty(&ts->waits)) {
        return;
    }

    /* a handler may cancel others, or wait again */

    waits = ts->waits;
    waits.next->prev = &waits;
    waits.prev->next = &waits;

    ngx_queue_init(&ts->waits);

    while (!ngx_queue_empty(&waits)) {
        q = ngx_queue_head(&waits);
        w = ngx_queue_data(q, ngx_gw_tiers_waiter_t, queue);

        ngx_gw_tiers_cancel(w);

        w->handler(w->data);
    }
}
