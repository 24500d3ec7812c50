
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_keys_shared.h"
#include "ngx_gw_log.h"


#define NGX_GW_KEYS_LOOK  10000       /* ms, between two looks at most */
#define NGX_GW_KEYS_POLL  20          /* ms, while somebody waits */


/* replaced, but perhaps still in use until the event loop runs */

typedef struct ngx_gw_keys_old_s  ngx_gw_keys_old_t;

struct ngx_gw_keys_old_s {
    gw_jwks_t              *jwks;
    ngx_gw_keys_old_t      *next;
};


struct ngx_gw_keys_s {
    const ngx_gw_keys_conf_t  *conf;
    ngx_gw_keys_fetch_pt       fetch;
    void                      *data;
    ngx_log_t                 *log;

    gw_jwks_t                 *jwks;
    ngx_gw_keys_old_t         *old;
    uint64_t                   generation;   /* of jwks */
    uint64_t                   seen;
    ngx_atomic_uint_t          rounds;       /* when last looked */

    ngx_queue_t                waiters;
    ngx_event_t                timer;
    ngx_event_t                wake;
    ngx_event_t                sweep;
    ngx_gw_log_t               log_failure;
    ngx_gw_log_t               log_back;

    unsigned                   fetching:1;   /* by this worker */
};


static void ngx_gw_keys_fetch(ngx_gw_keys_t *keys);
static void ngx_gw_keys_load(ngx_gw_keys_t *keys);
static void ngx_gw_keys_use(ngx_gw_keys_t *keys, gw_jwks_t *jwks,
    uint64_t generation);
static void ngx_gw_keys_arm(ngx_gw_keys_t *keys, ngx_msec_t delay);
static void ngx_gw_keys_timer_handler(ngx_event_t *ev);
static void ngx_gw_keys_wake_handler(ngx_event_t *ev);
static void ngx_gw_keys_sweep_handler(ngx_event_t *ev);


ngx_int_t
ngx_gw_keys_add(ngx_conf_t *cf, ngx_gw_keys_conf_t *conf, ngx_str_t *id,
    void *tag)
{
    ngx_str_t  name;

    name.len = sizeof("gw_auth_keys:") - 1 + id->len;

    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(name.data, "gw_auth_keys:%V", id);

    conf->zone = ngx_gw_zone_add(cf, &name, sizeof(ngx_gw_keys_shared_t),
                                 tag, ngx_gw_keys_shared_reset, NULL);

    return conf->zone ? NGX_OK : NGX_ERROR;
}


ngx_gw_keys_t *
ngx_gw_keys_create(const ngx_gw_keys_conf_t *conf, ngx_gw_keys_fetch_pt fetch,
    void *data, ngx_log_t *log)
{
    ngx_gw_keys_t  *keys;

    keys = ngx_calloc(sizeof(ngx_gw_keys_t), log);
    if (keys == NULL) {
        return NULL;
    }

    keys->conf = conf;
    keys->fetch = fetch;
    keys->data = data;
    keys->log = log;

    ngx_queue_init(&keys->waiters);

    keys->timer.handler = ngx_gw_keys_timer_handler;
    keys->timer.data = keys;
    keys->timer.log = log;
    keys->timer.cancelable = 1;

    keys->wake.handler = ngx_gw_keys_wake_handler;
    keys->wake.data = keys;
    keys->wake.log = log;

    keys->sweep.handler = ngx_gw_keys_sweep_handler;
    keys->sweep.data = keys;
    keys->sweep.log = log;

    /* the first look is the event loop's: other modules may not be ready */

    ngx_gw_keys_arm(keys, 1);

    return keys;
}


void
ngx_gw_keys_destroy(ngx_gw_keys_t *keys)
{
    if (keys->fetching) {

        /* another worker need not wait for the mark's end */

        ngx_gw_keys_shared_release(keys->conf);
    }

    while (!ngx_queue_empty(&keys->waiters)) {
        ngx_gw_keys_cancel(ngx_queue_data(ngx_queue_head(&keys->waiters),
                                          ngx_gw_keys_wait_t, queue));
    }

    if (keys->timer.timer_set) {
        ngx_del_timer(&keys->timer);
    }

    if (keys->wake.posted) {
        ngx_delete_posted_event(&keys->wake);
    }

    if (keys->sweep.posted) {
        ngx_delete_posted_event(&keys->sweep);
    }

    ngx_gw_keys_sweep_handler(&keys->sweep);

    gw_jwks_free(keys->jwks);

    ngx_free(keys);
}


const gw_jwks_t *
ngx_gw_keys_get(ngx_gw_keys_t *keys, uint64_t *generation)
{
    ngx_gw_keys_shared_t  *sh;

    sh = ngx_gw_zone_block(keys->conf->zone);

    /* first what a waiter will compare, then what it waits for */

    keys->rounds = sh->rounds;

    if (sh->generation != keys->seen) {
        ngx_gw_keys_load(keys);
    }

    *generation = keys->generation;

    if (keys->jwks == NULL || ngx_gw_keys_shared_dead(keys->conf, sh)) {
        return NULL;
    }

    return keys->jwks;
}


ngx_int_t
ngx_gw_keys_unknown(ngx_gw_keys_t *keys)
{
    uint64_t   generation;
    ngx_int_t  rc;

    rc = ngx_gw_keys_shared_force(keys->conf, keys->seen, &keys->rounds);

    if (rc != NGX_DONE) {
        return rc;
    }

    generation = keys->generation;

    ngx_gw_keys_fetch(keys);

    if (keys->fetching) {
        return NGX_AGAIN;
    }

    /* it has ended already */

    return (keys->generation != generation) ? NGX_OK : NGX_DECLINED;
}


void
ngx_gw_keys_wait(ngx_gw_keys_t *keys, ngx_gw_keys_wait_t *wait)
{
    ngx_uint_t  first;

    first = ngx_queue_empty(&keys->waiters);

    wait->rounds = keys->rounds;
    wait->generation = keys->seen;
    wait->active = 1;

    ngx_queue_insert_tail(&keys->waiters, &wait->queue);

    if (first) {
        ngx_gw_keys_arm(keys, NGX_GW_KEYS_POLL);
    }
}


void
ngx_gw_keys_cancel(ngx_gw_keys_wait_t *wait)
{
    if (wait->active) {
        ngx_queue_remove(&wait->queue);
        wait->active = 0;
    }
}


static void
ngx_gw_keys_fetch(ngx_gw_keys_t *keys)
{
    keys->fetching = 1;

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, keys->log, 0,
                   "gw keys fetch \"%V\"", &keys->conf->name);

    /* may call ngx_gw_keys_fetched() before it returns */

    keys->fetch(keys, keys->data);

    if (keys->fetching) {

        /* the mark has to be prolonged in time */

        ngx_gw_keys_arm(keys, ngx_queue_empty(&keys->waiters)
                              ? NGX_GW_KEYS_RENEW : NGX_GW_KEYS_POLL);
    }
}


/* another worker's text; whatever becomes of it, it was seen */

static void
ngx_gw_keys_load(ngx_gw_keys_t *keys)
{
    char        *text;
    size_t       len;
    uint64_t     generation;
    gw_jwks_t   *jwks;
    const char  *err;

    text = ngx_alloc(GW_JWKS_MAX_TEXT, keys->log);

    generation = ngx_gw_keys_shared_read(keys->conf, text, &len);

    keys->seen = generation;

    if (text == NULL) {
        return;
    }

    jwks = NULL;
    err = NULL;

    if (generation) {
        jwks = gw_jwks_parse(text, len, keys->conf->algs, &err);
    }

    ngx_free(text);

    if (generation && jwks == NULL) {
        ngx_log_error(NGX_LOG_ERR, keys->log, 0,
                      "gw keys: the shared keys of \"%V\" were not used: "
                      "the text %s", &keys->conf->name, err);
        return;
    }

    ngx_gw_keys_use(keys, jwks, generation);
}


static void
ngx_gw_keys_use(ngx_gw_keys_t *keys, gw_jwks_t *jwks, uint64_t generation)
{
    ngx_gw_keys_old_t  *old;

    if (keys->jwks) {

        old = ngx_alloc(sizeof(ngx_gw_keys_old_t), keys->log);

        if (old == NULL) {
            gw_jwks_free(jwks);
            return;
        }

        old->jwks = keys->jwks;
        old->next = keys->old;

        keys->old = old;

        ngx_post_event(&keys->sweep, &ngx_posted_events);
    }

    keys->jwks = jwks;
    keys->generation = generation;
}


void
ngx_gw_keys_fetched(ngx_gw_keys_t *keys, ngx_str_t *text, const char *failure)
{
    uint64_t      generation;
    gw_jwks_t    *jwks;
    ngx_uint_t    n, failures;
    const char   *err;

    if (!keys->fetching) {
        return;
    }

    jwks = NULL;

    if (text) {
        jwks = gw_jwks_parse((char *) text->data, text->len, keys->conf->algs,
                             &err);
    }

    keys->fetching = 0;

    generation = ngx_gw_keys_shared_end(keys->conf, jwks ? text : NULL,
                                        &failures);

    ngx_post_event(&keys->wake, &ngx_posted_events);

    if (jwks == NULL) {

        if (ngx_gw_log_pass(&keys->log_failure, &n)) {
            ngx_log_error(NGX_LOG_ERR, keys->log, 0,
                          "gw keys: \"%V\" has no new keys: %s%s, "
                          "%ui failures in a row, %ui not logged before",
                          &keys->conf->name, text ? "the answer " : "",
                          text ? err : failure, failures, n);
        }

        return;
    }

    if (generation == keys->generation) {

        if (failures && ngx_gw_log_pass(&keys->log_back, &n)) {
            ngx_log_error(NGX_LOG_NOTICE, keys->log, 0,
                          "gw keys: keys of \"%V\" are fetched again after "
                          "%ui failures", &keys->conf->name, failures);
        }

        gw_jwks_free(jwks);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, keys->log, 0,
                  "gw keys: \"%V\" has new keys, %uz",
                  &keys->conf->name, gw_jwks_count(jwks));

    keys->seen = generation;

    ngx_gw_keys_use(keys, jwks, generation);
}


void
ngx_gw_keys_stats(ngx_gw_keys_t *keys, ngx_gw_keys_stats_t *stats)
{
    ngx_gw_keys_shared_t  *sh;

    sh = ngx_gw_zone_lock(keys->conf->zone);

    stats->generation = sh->generation;
    stats->fetched = sh->fetched;
    stats->failed = sh->failed;
    stats->age = sh->generation ? ngx_current_msec - sh->renewed : 0;

    ngx_gw_zone_unlock(keys->conf->zone);

    if ((ngx_msec_int_t) stats->age < 0) {
        stats->age = 0;
    }
}


static void
ngx_gw_keys_arm(ngx_gw_keys_t *keys, ngx_msec_t delay)
{
    if (keys->timer.timer_set) {
        ngx_del_timer(&keys->timer);
    }

    ngx_add_timer(&keys->timer, delay);
}


static void
ngx_gw_keys_timer_handler(ngx_event_t *ev)
{
    ngx_gw_keys_t   *keys;
    ngx_msec_int_t   delay;

    keys = ev->data;

    /* who waits has a deadline that keeps the worker */

    if (ngx_exiting && !keys->fetching && ngx_queue_empty(&keys->waiters)) {
        return;
    }

    /* they differ if memory was short when the keys were to be loaded */

    keys->seen = keys->generation;

    if (ngx_gw_keys_shared_take(keys->conf, keys->fetching, &delay)) {
        ngx_gw_keys_fetch(keys);
    }

    ngx_gw_keys_wake_handler(&keys->wake);

    if (!ngx_queue_empty(&keys->waiters)) {
        delay = NGX_GW_KEYS_POLL;
    }

    ngx_gw_keys_arm(keys, ngx_min(delay, NGX_GW_KEYS_LOOK));
}


/* a fetch has ended here, or perhaps in another worker */

static void
ngx_gw_keys_wake_handler(ngx_event_t *ev)
{
    ngx_queue_t           *q, *next, woken;
    ngx_gw_keys_t         *keys;
    ngx_gw_keys_wait_t    *wait;
    ngx_gw_keys_shared_t  *sh;

    keys = ev->data;
    sh = ngx_gw_zone_block(keys->conf->zone);

    keys->rounds = sh->rounds;

    /* a handler may cancel others, or wait again */

    ngx_queue_init(&woken);

    for (q = ngx_queue_head(&keys->waiters);
         q != ngx_queue_sentinel(&keys->waiters);
         q = next)
    {
        next = ngx_queue_next(q);
        wait = ngx_queue_data(q, ngx_gw_keys_wait_t, queue);

        if (wait->rounds != keys->rounds
            || wait->generation != sh->generation)
        {
            ngx_queue_remove(q);
            ngx_queue_insert_tail(&woken, q);
        }
    }

    while (!ngx_queue_empty(&woken)) {

        wait = ngx_queue_data(ngx_queue_head(&woken), ngx_gw_keys_wait_t,
                              queue);

        ngx_gw_keys_cancel(wait);

        wait->handler(wait);
    }
}


static void
ngx_gw_keys_sweep_handler(ngx_event_t *ev)
{
    ngx_gw_keys_t      *keys;
    ngx_gw_keys_old_t  *old;

    keys = ev->data;

    while (keys->old) {
        old = keys->old;
        keys->old = old->next;

        gw_jwks_free(old->jwks);
        ngx_free(old);
    }
}
