
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A read begins "refresh" after the last one did, in whichever worker looks
 * first; its mark keeps the others from reading too.  What happens:
 *
 *     no reply, an error reply (WRONGTYPE, NOPERM, LOADING):  the list stays,
 *         again after NGX_GW_TIERS_AGAIN
 *     an entry that is not valid, too many, none:  the list stays, again after
 *         "refresh"
 *     a reload:  the zone stays, and with it the list and the time
 *     the reading worker dies or hangs:  its mark expires
 *     two workers read, because requests waited or one was slow:  what was
 *         asked for first is not stored after what was asked for later
 */


#include "ngx_gw_tiers_read.h"

#include "gw_scripts.h"


#define NGX_GW_TIERS_ARGS  6


static ngx_msec_t ngx_gw_tiers_read_due(ngx_gw_tiers_t *ts,
    ngx_gw_tiers_shared_t *sh);
static void ngx_gw_tiers_read_handler(ngx_gw_redis_op_t *op,
    ngx_gw_reply_t *reply);
static ngx_int_t ngx_gw_tiers_read_list(ngx_gw_tiers_t *ts,
    const ngx_gw_reply_t *reply, ngx_str_t *name, const char **err);
static ngx_int_t ngx_gw_tiers_read_entry(ngx_gw_tiers_entry_t *entry,
    const ngx_gw_reply_t *reply, ngx_uint_t i, ngx_str_t *name,
    const char **err);
static void ngx_gw_tiers_read_store(ngx_gw_tiers_t *ts);
static ngx_uint_t ngx_gw_tiers_read_same(const ngx_gw_tiers_list_t *a,
    const ngx_gw_tiers_list_t *b);
static void ngx_gw_tiers_read_refuse(ngx_gw_tiers_t *ts,
    const ngx_str_t *name, const char *err);
static void ngx_gw_tiers_read_fail(ngx_gw_tiers_t *ts, const ngx_str_t *why);
static void ngx_gw_tiers_read_end(ngx_gw_tiers_t *ts,
    ngx_gw_tiers_shared_t *sh, ngx_msec_t began, ngx_uint_t failed);


/* in the order of ngx_gw_redis_failure_e */

static const char  *const ngx_gw_tiers_read_failures[] = {
    "",
    "an error reply",
    "timed out",
    "the connection was lost",
    "Redis is unavailable",
    "too many commands are under way"
};


ngx_int_t
ngx_gw_tiers_read_claim(ngx_gw_tiers_t *ts, ngx_uint_t force)
{
    ngx_int_t               rc;
    ngx_msec_t              now, due;
    ngx_gw_tiers_shared_t  *sh;

    now = ngx_current_msec;
    rc = NGX_DECLINED;

    sh = ngx_gw_zone_lock(ts->zone);

    due = ngx_gw_tiers_read_due(ts, sh);

    if (sh->owner && sh->owner != ngx_pid
        && (ngx_msec_int_t) (now - sh->expires) < 0)
    {

        /* it may be given back before it expires */

        ts->next = now + ngx_min(sh->expires - now, ts->conf->refresh);

    } else if (force || (ngx_msec_int_t) (now - due) >= 0) {
        sh->owner = ngx_pid;
        sh->expires = now + ts->conf->timeout + NGX_GW_TIERS_GRACE;
        rc = NGX_OK;

    } else {
        ts->next = due;
    }

    ngx_gw_zone_unlock(ts->zone);

    ts->holding = (rc == NGX_OK);

    return rc;
}


static ngx_msec_t
ngx_gw_tiers_read_due(ngx_gw_tiers_t *ts, ngx_gw_tiers_shared_t *sh)
{
    if (!sh->tried) {
        return ngx_current_msec;
    }

    if (sh->failed) {
        return sh->began + ngx_min(ts->conf->refresh, NGX_GW_TIERS_AGAIN);
    }

    return sh->began + ts->conf->refresh;
}


void
ngx_gw_tiers_read_release(ngx_gw_tiers_t *ts)
{
    ngx_gw_tiers_shared_t  *sh;

    if (!ts->holding) {
        return;
    }

    ts->holding = 0;

    sh = ngx_gw_zone_lock(ts->zone);

    if (sh->owner == ngx_pid) {
        sh->owner = 0;
    }

    ngx_gw_zone_unlock(ts->zone);
}


void
ngx_gw_tiers_read_begin(ngx_gw_tiers_t *ts)
{
    u_char     entries[NGX_INT_T_LEN], bytes[NGX_INT_T_LEN];
    ngx_str_t  argv[NGX_GW_TIERS_ARGS];

    ts->reading = 1;
    ts->began = ngx_current_msec;

    /* so seldom that the text need not be spared */

    ngx_str_set(&argv[0], "EVAL");
    ngx_str_set(&argv[1], GW_SCRIPT_TIERS_TEXT);
    ngx_str_set(&argv[2], "1");
    argv[3] = ts->conf->key;

    argv[4].data = entries;
    argv[4].len = ngx_sprintf(entries, "%ui", (ngx_uint_t) NGX_GW_TIERS_MAX)
                  - entries;

    argv[5].data = bytes;
    argv[5].len = ngx_sprintf(bytes, "%ui", (ngx_uint_t) GW_TIER_TEXT)
                  - bytes;

    ts->op.handler = ngx_gw_tiers_read_handler;
    ts->op.data = ts;
    ts->op.key = 3;

    ngx_gw_redis_command(ts->redis, &ts->op, NGX_GW_TIERS_ARGS, argv,
                         ts->conf->timeout);

    if (ts->op.active) {
        ts->op.deadline.cancelable = ngx_queue_empty(&ts->waits);
    }
}


static void
ngx_gw_tiers_read_handler(ngx_gw_redis_op_t *op, ngx_gw_reply_t *reply)
{
    ngx_int_t        rc;
    ngx_str_t        why, name;
    const char      *err;
    ngx_gw_tiers_t  *ts;

    ts = op->data;

    ts->reading = 0;

    if (reply == NULL) {
        why.data = (u_char *) ngx_gw_tiers_read_failures[op->failure];
        why.len = ngx_strlen(why.data);

        ngx_gw_tiers_read_fail(ts, &why);

    } else {
        rc = ngx_gw_tiers_read_list(ts, reply, &name, &err);

        if (rc == NGX_OK) {
            ngx_gw_tiers_read_store(ts);

        } else if (rc == NGX_DECLINED) {
            ngx_gw_tiers_read_refuse(ts, &name, err);

        } else {
            why = ngx_gw_reply_reason(reply);
            ngx_gw_tiers_read_fail(ts, &why);
        }
    }

    ngx_gw_tiers_done(ts);
}


/* NGX_DECLINED, "err" says why; NGX_ERROR, it is no reply of the script */

static ngx_int_t
ngx_gw_tiers_read_list(ngx_gw_tiers_t *ts, const ngx_gw_reply_t *reply,
    ngx_str_t *name, const char **err)
{
    int64_t     n;
    ngx_int_t   count, rc;
    ngx_uint_t  i;

    count = ngx_gw_reply_count(reply);

    if (count < 1
        || ngx_gw_reply_integers(ngx_gw_reply_item(reply, 0), &n, 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_str_null(name);

    if (n > NGX_GW_TIERS_MAX) {
        *err = "it has more than 256 tiers";
        return NGX_DECLINED;
    }

    if (n < 0 || count != 1 + 2 * n) {
        return NGX_ERROR;
    }

    ts->fresh.n = (ngx_uint_t) n;

    if (n == 0 && (ts->list.n || ts->shared->list.n)) {
        *err = "it has no tiers any more";
        return NGX_DECLINED;
    }

    for (i = 0; i < ts->fresh.n; i++) {

        rc = ngx_gw_tiers_read_entry(&ts->fresh.entries[i], reply, 1 + 2 * i,
                                     name, err);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* "name" is only set to what may be logged */

static ngx_int_t
ngx_gw_tiers_read_entry(ngx_gw_tiers_entry_t *entry,
    const ngx_gw_reply_t *reply, ngx_uint_t i, ngx_str_t *name,
    const char **err)
{
    gw_str_t   text;
    ngx_str_t  field, value;

    if (ngx_gw_reply_text(ngx_gw_reply_item(reply, i), &field) != NGX_OK
        || ngx_gw_reply_text(ngx_gw_reply_item(reply, i + 1), &value)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    text.len = field.len;
    text.data = (const char *) field.data;

    if (!gw_tier_is_name(&text)) {
        *err = "a tier has a name that is not 1 to 64 letters, digits, "
               "\"-\" or \"_\"";
        return NGX_DECLINED;
    }

    ngx_memzero(entry, sizeof(ngx_gw_tiers_entry_t));

    ngx_memcpy(entry->name, field.data, field.len);
    entry->len = field.len;

    text.len = value.len;
    text.data = (const char *) value.data;

    if (gw_tier_text(&entry->tier, &text, err) != GW_OK) {
        *name = field;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_gw_tiers_read_store(ngx_gw_tiers_t *ts)
{
    ngx_uint_t              n, failed, changed;
    ngx_gw_tiers_shared_t  *sh;

    failed = ts->failed;
    changed = 0;

    ts->failed = 0;

    sh = ngx_gw_zone_lock(ts->zone);

    if (sh->generation == 0
        || (ngx_msec_int_t) (ts->began - sh->loaded) >= 0)
    {
        changed = (sh->generation == 0
                   || !ngx_gw_tiers_read_same(&ts->fresh, &sh->list));

        if (changed) {
            ngx_memcpy(sh->list.entries, ts->fresh.entries,
                       ts->fresh.n * sizeof(ngx_gw_tiers_entry_t));

            sh->list.n = ts->fresh.n;
            sh->generation++;
        }

        sh->loaded = ts->began;
    }

    ngx_gw_tiers_read_end(ts, sh, ts->began, 0);

    ngx_gw_zone_unlock(ts->zone);

    (void) ngx_atomic_fetch_add(&ts->shared->reads, 1);
    (void) ngx_atomic_fetch_add(&ts->shared->changes, changed);

    if (changed && ngx_gw_log_pass(&ts->log_change, &n)) {
        ngx_log_error(NGX_LOG_NOTICE, ts->log, 0,
                      "gw tiers: \"%V\" has changed, it has %ui tiers, "
                      "%ui changes more before",
                      &ts->conf->key, ts->fresh.n, n);
    }

    if (failed && ngx_gw_log_pass(&ts->log_back, &n)) {
        ngx_log_error(NGX_LOG_NOTICE, ts->log, 0,
                      "gw tiers: \"%V\" is read again after %ui failures",
                      &ts->conf->key, failed);
    }
}


/* Redis promises no order */

static ngx_uint_t
ngx_gw_tiers_read_same(const ngx_gw_tiers_list_t *a,
    const ngx_gw_tiers_list_t *b)
{
    ngx_uint_t                   i;
    const ngx_gw_tiers_entry_t  *entry, *other;

    if (a->n != b->n) {
        return 0;
    }

    for (i = 0; i < a->n; i++) {
        entry = &a->entries[i];
        other = ngx_gw_tiers_lookup(b, entry->name, entry->len);

        if (other == NULL || !gw_tier_equal(&entry->tier, &other->tier)) {
            return 0;
        }
    }

    return 1;
}


static void
ngx_gw_tiers_read_refuse(ngx_gw_tiers_t *ts, const ngx_str_t *name,
    const char *err)
{
    ngx_uint_t              n;
    ngx_gw_tiers_shared_t  *sh;

    ts->failed++;
    ts->pause = ngx_current_msec + NGX_GW_TIERS_AGAIN;

    sh = ngx_gw_zone_lock(ts->zone);

    ngx_gw_tiers_read_end(ts, sh, ts->began, 0);

    ngx_gw_zone_unlock(ts->zone);

    (void) ngx_atomic_fetch_add(&ts->shared->refused, 1);

    if (!ngx_gw_log_pass(&ts->log_refused, &n)) {
        return;
    }

    if (name->len) {
        ngx_log_error(NGX_LOG_ERR, ts->log, 0,
                      "gw tiers: \"%V\" is not taken, the last good list "
                      "stays: the tier \"%V\" %s, %ui times more before",
                      &ts->conf->key, name, err, n);

    } else {
        ngx_log_error(NGX_LOG_ERR, ts->log, 0,
                      "gw tiers: \"%V\" is not taken, the last good list "
                      "stays: %s, %ui times more before",
                      &ts->conf->key, err, n);
    }
}


static void
ngx_gw_tiers_read_fail(ngx_gw_tiers_t *ts, const ngx_str_t *why)
{
    ngx_uint_t              n;
    ngx_gw_tiers_shared_t  *sh;

    ts->failed++;
    ts->pause = ngx_current_msec + NGX_GW_TIERS_HURRY;

    sh = ngx_gw_zone_lock(ts->zone);

    ngx_gw_tiers_read_end(ts, sh, ngx_current_msec, 1);

    ngx_gw_zone_unlock(ts->zone);

    (void) ngx_atomic_fetch_add(&ts->shared->failures, 1);

    if (ngx_gw_log_pass(&ts->log_failure, &n)) {
        ngx_log_error(NGX_LOG_ERR, ts->log, 0,
                      "gw tiers: \"%V\" could not be read: %V, "
                      "%ui failures more before", &ts->conf->key, why, n);
    }
}


/* gives the mark back, and tells when the next read is due */

static void
ngx_gw_tiers_read_end(ngx_gw_tiers_t *ts, ngx_gw_tiers_shared_t *sh,
    ngx_msec_t began, ngx_uint_t failed)
{
    if (ts->holding && sh->owner == ngx_pid) {
        sh->owner = 0;
    }

    ts->holding = 0;

    sh->tried = 1;
    sh->began = began;
    sh->failed = failed;

    ts->next = ngx_gw_tiers_read_due(ts, sh);
}
