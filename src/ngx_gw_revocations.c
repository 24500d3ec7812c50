
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_revocations_poll.h"


static void ngx_gw_revocations_reset(void *block, size_t size, void *data);
static void ngx_gw_revocations_timer_handler(ngx_event_t *ev);
static ngx_uint_t ngx_gw_revocations_due(ngx_gw_revocations_t *rv);
static void ngx_gw_revocations_forget(ngx_gw_revocations_t *rv);
static void ngx_gw_revocations_wake(ngx_gw_revocations_t *rv);
static ngx_uint_t ngx_gw_revocations_fresh(ngx_gw_revocations_t *rv);
static ngx_msec_t ngx_gw_revocations_age(ngx_gw_revocations_t *rv);


ngx_int_t
ngx_gw_revocations_add(ngx_conf_t *cf, ngx_gw_revocations_conf_t *conf,
    ngx_str_t *id, void *tag)
{
    u_char     *p;
    ngx_str_t   name;

    name.len = sizeof("gw_auth_revocations:") - 1 + id->len;

    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(name.data, "gw_auth_revocations:",
                   sizeof("gw_auth_revocations:") - 1);
    ngx_memcpy(p, id->data, id->len);

    conf->zone = ngx_gw_zone_add(cf, &name,
                                 NGX_GW_REVOCATIONS_HEAD
                                 + ngx_max(conf->size, GW_REVOKE_MIN),
                                 tag, ngx_gw_revocations_reset, NULL);

    return conf->zone ? NGX_OK : NGX_ERROR;
}


static void
ngx_gw_revocations_reset(void *block, size_t size, void *data)
{
    ngx_memzero(block, NGX_GW_REVOCATIONS_HEAD);

    (void) gw_revoke_init((u_char *) block + NGX_GW_REVOCATIONS_HEAD,
                          size - NGX_GW_REVOCATIONS_HEAD);
}


ngx_gw_revocations_t *
ngx_gw_revocations_create(const ngx_gw_revocations_conf_t *conf,
    ngx_gw_redis_t *redis, ngx_log_t *log)
{
    ngx_gw_revocations_t  *rv;

    rv = ngx_calloc(sizeof(ngx_gw_revocations_t), log);
    if (rv == NULL) {
        return NULL;
    }

    rv->conf = conf;
    rv->redis = redis;
    rv->log = log;
    rv->shared = ngx_gw_zone_block(conf->zone);
    rv->count = NGX_GW_REVOCATIONS_PAGE;
    rv->next = ngx_current_msec;
    rv->resets = ngx_gw_zone_resets(conf->zone);

    ngx_queue_init(&rv->waits);

    rv->timer.handler = ngx_gw_revocations_timer_handler;
    rv->timer.data = rv;
    rv->timer.log = log;
    rv->timer.cancelable = 1;

    ngx_gw_revocations_plan(rv);

    return rv;
}


void
ngx_gw_revocations_destroy(ngx_gw_revocations_t *rv)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_GW_REVOCATIONS_OPS; i++) {
        ngx_gw_redis_cancel(&rv->ops[i]);
    }

    while (!ngx_queue_empty(&rv->waits)) {
        ngx_gw_revocations_cancel(ngx_queue_data(ngx_queue_head(&rv->waits),
                                                 ngx_gw_revocations_wait_t,
                                                 queue));
    }

    ngx_gw_revocations_forget(rv);
    ngx_gw_revocations_poll_release(rv);

    ngx_free(rv);
}


ngx_int_t
ngx_gw_revocations_check(ngx_gw_revocations_t *rv,
    u_char (*marks)[GW_REVOKE_MARK], ngx_uint_t n, time_t issued)
{
    ngx_int_t                     rc;
    ngx_gw_revocations_shared_t  *sh;

    sh = rv->shared;

    if (sh->loaded == 0) {
        return NGX_AGAIN;
    }

    ngx_memory_barrier();

    if (sh->stored) {
        sh = ngx_gw_zone_lock(rv->conf->zone);

        rc = gw_revoke_check(ngx_gw_revocations_poll_table(sh), marks, n,
                             ngx_time(), issued);

        ngx_gw_zone_unlock(rv->conf->zone);

        if (rc != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    if (rv->conf->deny && !ngx_gw_revocations_fresh(rv)) {

        /* or the lock has found the zone broken, and emptied it */

        return sh->loaded ? NGX_ERROR : NGX_AGAIN;
    }

    return sh->loaded ? NGX_OK : NGX_AGAIN;
}


void
ngx_gw_revocations_wait(ngx_gw_revocations_t *rv,
    ngx_gw_revocations_wait_t *wait)
{
    ngx_queue_insert_tail(&rv->waits, &wait->queue);
    wait->active = 1;

    ngx_gw_revocations_plan(rv);
}


void
ngx_gw_revocations_cancel(ngx_gw_revocations_wait_t *wait)
{
    if (wait->active) {
        ngx_queue_remove(&wait->queue);
        wait->active = 0;
    }
}


void
ngx_gw_revocations_stats(ngx_gw_revocations_t *rv,
    ngx_gw_revocations_stats_t *stats)
{
    ngx_gw_revocations_shared_t  *sh;

    sh = ngx_gw_zone_lock(rv->conf->zone);

    gw_revoke_stats(ngx_gw_revocations_poll_table(sh), ngx_time(),
                    &stats->entries, &stats->size);

    ngx_gw_zone_unlock(rv->conf->zone);

    stats->overflows = sh->overflows;
    stats->malformed = sh->malformed;
    stats->polls = sh->polls;
    stats->failures = sh->failures;
    stats->read = (sh->loaded != 0);
    stats->age = stats->read ? ngx_gw_revocations_age(rv) : 0;
}


static void
ngx_gw_revocations_timer_handler(ngx_event_t *ev)
{
    ngx_gw_revocations_t  *rv;

    rv = ev->data;

    if (ngx_gw_revocations_fresh(rv)) {
        ngx_gw_revocations_wake(rv);
    }

    if (ngx_exiting && ngx_queue_empty(&rv->waits)) {

        /* new workers poll, and nobody here needs it */

        if (rv->pending == 0) {
            ngx_gw_revocations_poll_release(rv);
        }

        return;
    }

    if (rv->pending == 0
        && ngx_gw_revocations_due(rv)
        && ngx_gw_revocations_poll_claim(rv) == NGX_OK)
    {
        ngx_gw_revocations_poll_step(rv);
    }

    ngx_gw_revocations_plan(rv);
}


static ngx_uint_t
ngx_gw_revocations_due(ngx_gw_revocations_t *rv)
{
    ngx_msec_t  now;

    now = ngx_current_msec;

    if ((ngx_msec_int_t) (now - rv->next) >= 0) {
        return 1;
    }

    if (ngx_queue_empty(&rv->waits)
        || now - rv->ended < NGX_GW_REVOCATIONS_HURRY)
    {
        return 0;
    }

    return rv->holding
           || (ngx_msec_int_t) (now - rv->shared->expires) >= 0;
}


void
ngx_gw_revocations_plan(ngx_gw_revocations_t *rv)
{
    ngx_msec_int_t  delay;

    ngx_gw_revocations_forget(rv);

    if (ngx_queue_empty(&rv->waits)) {

        if (rv->pending) {

            /* what ends the step calls again */

            return;
        }

        delay = (ngx_msec_int_t) (rv->next - ngx_current_msec);

    } else if (ngx_gw_revocations_fresh(rv)) {
        delay = 0;

    } else {
        delay = NGX_GW_REVOCATIONS_LOOK;

        if (rv->pending == 0) {
            delay = ngx_min(delay,
                            (ngx_msec_int_t) (rv->next - ngx_current_msec));
        }
    }

    if (delay > 0) {
        ngx_add_timer(&rv->timer, (ngx_msec_t) delay);

    } else {
        ngx_post_event(&rv->timer, &ngx_posted_next_events);
    }
}


/* nginx would leave a timer that is set as it is for a small change */

static void
ngx_gw_revocations_forget(ngx_gw_revocations_t *rv)
{
    if (rv->timer.timer_set) {
        ngx_del_timer(&rv->timer);
    }

    if (rv->timer.posted) {
        ngx_delete_posted_event(&rv->timer);
    }
}


static void
ngx_gw_revocations_wake(ngx_gw_revocations_t *rv)
{
    ngx_queue_t                 waits, *q;
    ngx_gw_revocations_wait_t  *wait;

    if (ngx_queue_empty(&rv->waits)) {
        return;
    }

    /* a handler may cancel others, or wait again */

    waits = rv->waits;
    waits.next->prev = &waits;
    waits.prev->next = &waits;

    ngx_queue_init(&rv->waits);

    while (!ngx_queue_empty(&waits)) {
        q = ngx_queue_head(&waits);
        wait = ngx_queue_data(q, ngx_gw_revocations_wait_t, queue);

        ngx_gw_revocations_cancel(wait);

        wait->handler(wait);
    }
}


static ngx_uint_t
ngx_gw_revocations_fresh(ngx_gw_revocations_t *rv)
{
    return rv->shared->loaded != 0
           && ngx_gw_revocations_age(rv) <= rv->conf->stale;
}


/* workers do not look at the clock at the same moment */

static ngx_msec_t
ngx_gw_revocations_age(ngx_gw_revocations_t *rv)
{
    ngx_msec_int_t  age;

    age = (ngx_msec_int_t) (ngx_current_msec - rv->shared->loaded);

    return (ngx_msec_t) ngx_max(age, 0);
}
