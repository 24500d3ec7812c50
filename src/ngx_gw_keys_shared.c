
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_keys_shared.h"


/*
 * The states of a set, as all workers see them in shared memory:
 *
 *     never      generation 0: nothing was fetched since the zone was made,
 *                or emptied; nobody has keys, whoever needs them waits
 *     fresh      renewed no longer than "refresh" ago
 *     due        longer, or the last fetch failed and its delay is over: the
 *                first worker whose timer looks puts its mark and fetches
 *     fetching   somebody's mark is valid; its owner prolongs it each
 *                NGX_GW_KEYS_RENEW, so it is over soon after its owner's
 *                death, while a slow fetch keeps it
 *     stale      not renewed for more than "refresh", though tried: the old
 *                keys are given out
 *     dead       not renewed for "refresh" + "stale": no keys are given out,
 *                and it is tried again after "cooldown" at most
 *
 * "due" and "fetching" stand beside the others: fresh keys are fetched too,
 * when a token names an unknown one.  A fetch leads from "fetching" to fresh
 * or, if it failed, back to what it was, one failure later.
 *
 * What a worker has parsed follows the generation: ngx_gw_keys_get() compares
 * it, without a lock, with the one it looked at last.
 */


#define NGX_GW_KEYS_MARK   5000      /* ms, a mark without its owner */
#define NGX_GW_KEYS_RETRY  1000      /* ms, after the first failure */


static ngx_msec_int_t ngx_gw_keys_shared_due_locked(
    const ngx_gw_keys_conf_t *conf, const ngx_gw_keys_shared_t *sh);
static ngx_uint_t ngx_gw_keys_shared_marked_locked(
    const ngx_gw_keys_shared_t *sh);
static void ngx_gw_keys_shared_mark_locked(ngx_gw_keys_shared_t *sh);


void
ngx_gw_keys_shared_reset(void *block, size_t size, void *data)
{
    (void) size;
    (void) data;

    ngx_memzero(block, offsetof(ngx_gw_keys_shared_t, text));
}


ngx_uint_t
ngx_gw_keys_shared_take(const ngx_gw_keys_conf_t *conf, ngx_uint_t fetching,
    ngx_msec_int_t *left)
{
    ngx_uint_t             start;
    ngx_gw_keys_shared_t  *sh;

    start = 0;

    sh = ngx_gw_zone_lock(conf->zone);

    if (fetching) {

        if (sh->owner == ngx_pid || !ngx_gw_keys_shared_marked_locked(sh)) {
            ngx_gw_keys_shared_mark_locked(sh);
        }

        *left = NGX_GW_KEYS_RENEW;

    } else if (ngx_gw_keys_shared_marked_locked(sh)) {
        *left = (ngx_msec_int_t) (sh->until - ngx_current_msec);

    } else {
        *left = ngx_gw_keys_shared_due_locked(conf, sh);

        if (*left <= 0) {
            ngx_gw_keys_shared_mark_locked(sh);

            *left = NGX_GW_KEYS_RENEW;
            start = 1;
        }
    }

    ngx_gw_zone_unlock(conf->zone);

    return start;
}


ngx_int_t
ngx_gw_keys_shared_force(const ngx_gw_keys_conf_t *conf, uint64_t generation,
    ngx_atomic_uint_t *rounds)
{
    ngx_int_t              rc;
    ngx_gw_keys_shared_t  *sh;

    sh = ngx_gw_zone_lock(conf->zone);

    *rounds = sh->rounds;

    /* another worker's time may be ahead of ours: differences have signs */

    if (sh->generation != generation) {
        rc = NGX_OK;

    } else if (ngx_gw_keys_shared_marked_locked(sh)) {
        rc = NGX_AGAIN;

    } else if (sh->was_forced
               && (ngx_msec_int_t) (ngx_current_msec - sh->forced)
                  < (ngx_msec_int_t) conf->cooldown)
    {
        rc = NGX_DECLINED;

    } else {
        ngx_gw_keys_shared_mark_locked(sh);

        sh->forced = ngx_current_msec;
        sh->was_forced = 1;

        rc = NGX_DONE;
    }

    ngx_gw_zone_unlock(conf->zone);

    return rc;
}


/* milliseconds until it is due, not positive if it is */

static ngx_msec_int_t
ngx_gw_keys_shared_due_locked(const ngx_gw_keys_conf_t *conf,
    const ngx_gw_keys_shared_t *sh)
{
    ngx_msec_t  delay, cap;

    if (sh->rounds == 0) {
        return 0;
    }

    delay = conf->refresh;

    if (sh->failures) {

        cap = conf->refresh;

        if (sh->generation == 0 || ngx_gw_keys_shared_dead(conf, sh)) {
            cap = ngx_min(cap, ngx_max(conf->cooldown, NGX_GW_KEYS_RETRY));
        }

        delay = (ngx_msec_t) NGX_GW_KEYS_RETRY
                << ngx_min(sh->failures - 1, 20);
        delay = ngx_min(delay, cap);
    }

    return (ngx_msec_int_t) (sh->ended + delay - ngx_current_msec);
}


ngx_uint_t
ngx_gw_keys_shared_dead(const ngx_gw_keys_conf_t *conf,
    const ngx_gw_keys_shared_t *sh)
{
    ngx_msec_int_t  age;

    age = (ngx_msec_int_t) (ngx_current_msec - sh->renewed);

    /* this worker's time may be behind that of the one who renewed them */

    return age > 0
           && (ngx_msec_t) age > conf->refresh + conf->stale;
}


static ngx_uint_t
ngx_gw_keys_shared_marked_locked(const ngx_gw_keys_shared_t *sh)
{
    return sh->owner != 0
           && (ngx_msec_int_t) (sh->until - ngx_current_msec) > 0;
}


static void
ngx_gw_keys_shared_mark_locked(ngx_gw_keys_shared_t *sh)
{
    sh->owner = ngx_pid;
    sh->until = ngx_current_msec + NGX_GW_KEYS_MARK;
}


uint64_t
ngx_gw_keys_shared_read(const ngx_gw_keys_conf_t *conf, char *text,
    size_t *len)
{
    uint64_t               generation;
    ngx_gw_keys_shared_t  *sh;

    sh = ngx_gw_zone_lock(conf->zone);

    generation = sh->generation;
    *len = generation ? sh->len : 0;

    if (text) {
        ngx_memcpy(text, sh->text, *len);
    }

    ngx_gw_zone_unlock(conf->zone);

    return generation;
}


uint64_t
ngx_gw_keys_shared_end(const ngx_gw_keys_conf_t *conf, const ngx_str_t *text,
    ngx_uint_t *failures)
{
    uint64_t               generation, now;
    ngx_time_t            *tp;
    ngx_gw_keys_shared_t  *sh;

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;

    sh = ngx_gw_zone_lock(conf->zone);

    if (sh->owner == ngx_pid) {
        sh->owner = 0;
    }

    sh->ended = ngx_current_msec;

    if (text == NULL) {
        sh->failed++;
        *failures = ++sh->failures;

    } else {
        sh->fetched++;
        *failures = sh->failures;
        sh->failures = 0;
        sh->renewed = ngx_current_msec;

        if (sh->generation == 0
            || sh->len != text->len
            || ngx_memcmp(sh->text, text->data, text->len) != 0)
        {
            ngx_memcpy(sh->text, text->data, text->len);
            sh->len = text->len;

            /* a generation must not come again, not even after a reset */

            sh->generation = ngx_max(sh->generation + 1, now);
        }
    }

    generation = sh->generation;

    sh->rounds++;

    ngx_gw_zone_unlock(conf->zone);

    return generation;
}


void
ngx_gw_keys_shared_release(const ngx_gw_keys_conf_t *conf)
{
    ngx_gw_keys_shared_t  *sh;

    sh = ngx_gw_zone_lock(conf->zone);

    if (sh->owner == ngx_pid) {
        sh->owner = 0;
    }

    ngx_gw_zone_unlock(conf->zone);
}
