
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The stream is read in steps.  A step is one command or two, written at
 * once: for a page that begins with the last entry that was read ("last"),
 * and, in a pass, for a page of a second reading ("pass").  Ids and times lie
 * in the zone, so another worker, or the next one after a reload, goes on
 * where this one stopped.
 *
 * States of the list:
 *
 *     never read     "loaded" is 0: the zone is new, or was reset because a
 *                    worker died inside
 *     reading        "whole" is not set: from the start of the stream, page
 *                    after page at once.  Never read before, or the entry
 *                    "last" is gone: Redis was emptied, or is one behind
 *     up to date     the last page was not full; again after "refresh"
 *     in a pass      up to date, and a page of the pass each
 *                    NGX_GW_REVOCATIONS_PAUSE: should there be any entry that
 *                    was added before "last", it is found.  Begins
 *                    NGX_GW_REVOCATIONS_REREAD after the last one, or
 *                    NGX_GW_REVOCATIONS_RETRY if a step had failed or the
 *                    table was full
 *     late           the last step failed, or the table is full: "loaded"
 *                    stays.  Both end with a reading to the end
 *     stale          late, for longer than "stale"
 *
 * What happens, the same in all states:
 *
 *     no reply, an error reply (WRONGTYPE, NOPERM, LOADING), not a stream:
 *         the step is given up, ids stay, one log line per interval; the next
 *         step after NGX_GW_REVOCATIONS_AGAIN, with half the entries a page,
 *         which may have been too much.  After some failures another worker
 *         may try
 *     the table is full: the rest of the page is tried, "missed" is set, and
 *         the list counts as unread until a pass finds room for everything
 *     a reload: the zone stays.  The old worker stops to poll, unless requests
 *         wait in it, and gives the mark back
 *     a quick exit: the mark is given back
 *     the polling worker dies or hangs: its mark expires.  If it died inside
 *         the zone: never read
 *     two workers poll, because one was slow: a step ends only if "step" is
 *         still its own; entries are stored by either, which does no harm
 *
 * States of a worker: without the mark it looks each "refresh" whether the
 * mark is free; with the mark it waits for "next" or for replies ("pending").
 * With requests waiting it looks each NGX_GW_REVOCATIONS_LOOK.
 */


#include "ngx_gw_revocations_poll.h"


static void ngx_gw_revocations_poll_resets(ngx_gw_revocations_t *rv);
static ngx_uint_t ngx_gw_revocations_poll_owns(ngx_gw_revocations_t *rv,
    ngx_gw_revocations_shared_t *sh);
static void ngx_gw_revocations_poll_renew(ngx_gw_revocations_t *rv,
    ngx_gw_revocations_shared_t *sh, ngx_msec_t next);
static void ngx_gw_revocations_poll_id(const ngx_gw_revocations_id_t *id,
    u_char *buf, ngx_str_t *text);
static void ngx_gw_revocations_poll_after(const ngx_gw_revocations_id_t *id,
    u_char *buf, ngx_str_t *text);
static void ngx_gw_revocations_poll_handler(ngx_gw_redis_op_t *op,
    ngx_gw_reply_t *reply);
static ngx_int_t ngx_gw_revocations_poll_reply(ngx_gw_revocations_t *rv,
    ngx_uint_t i, const ngx_gw_reply_t *reply);
static void ngx_gw_revocations_poll_store(ngx_gw_revocations_t *rv,
    ngx_uint_t pass);
static void ngx_gw_revocations_poll_fail(ngx_gw_revocations_t *rv,
    const ngx_str_t *why);
static void ngx_gw_revocations_poll_end(ngx_gw_revocations_t *rv);
static ngx_int_t ngx_gw_revocations_poll_advance(ngx_gw_revocations_t *rv,
    ngx_gw_revocations_shared_t *sh);


ngx_int_t
ngx_gw_revocations_poll_claim(ngx_gw_revocations_t *rv)
{
    ngx_int_t                     rc;
    ngx_msec_t                    now, rest;
    ngx_gw_revocations_shared_t  *sh;

    now = ngx_current_msec;
    rc = NGX_DECLINED;

    sh = ngx_gw_zone_lock(rv->conf->zone);

    if (sh->owner == 0
        || ngx_gw_revocations_poll_owns(rv, sh)
        || (ngx_msec_int_t) (now - sh->expires) >= 0)
    {
        sh->owner = ngx_pid;
        rv->step = ++sh->step;

        rest = (sh->missed || sh->shaken) ? NGX_GW_REVOCATIONS_RETRY
                                          : NGX_GW_REVOCATIONS_REREAD;

        if (sh->whole && !sh->passing
            && (ngx_msec_int_t) (now - sh->ended - rest) >= 0)
        {
            sh->passing = 1;
            sh->shaken = 0;
            sh->unfit = 0;
            sh->pass.ms = 0;
            sh->pass.seq = 0;
        }

        rv->last = sh->last;
        rv->pass = sh->pass;
        rv->passing = sh->passing;
        rv->known = (rv->last.ms || rv->last.seq);

        ngx_gw_revocations_poll_renew(rv, sh, now);

        rc = NGX_OK;
    }

    ngx_gw_zone_unlock(rv->conf->zone);

    rv->holding = (rc == NGX_OK);

    /* without the mark, which may be given back before it expires */

    rv->next = now + rv->conf->refresh;

    ngx_gw_revocations_poll_resets(rv);

    return rc;
}


static void
ngx_gw_revocations_poll_resets(ngx_gw_revocations_t *rv)
{
    ngx_uint_t  n;

    n = ngx_gw_zone_resets(rv->conf->zone);

    if (n != rv->resets) {
        rv->resets = n;

        ngx_log_error(NGX_LOG_ERR, rv->log, 0,
                      "gw revocations: a worker died inside the table, "
                      "\"%V\" is read from its start", &rv->conf->key);
    }
}


static ngx_uint_t
ngx_gw_revocations_poll_owns(ngx_gw_revocations_t *rv,
    ngx_gw_revocations_shared_t *sh)
{
    return sh->owner == ngx_pid && sh->step == rv->step;
}


/* the mark holds until a step that begins at "next" should have ended */

static void
ngx_gw_revocations_poll_renew(ngx_gw_revocations_t *rv,
    ngx_gw_revocations_shared_t *sh, ngx_msec_t next)
{
    sh->expires = next + rv->conf->timeout
                  + ngx_min(rv->conf->refresh, NGX_GW_REVOCATIONS_GRACE);
}


void
ngx_gw_revocations_poll_release(ngx_gw_revocations_t *rv)
{
    ngx_gw_revocations_shared_t  *sh;

    if (!rv->holding) {
        return;
    }

    rv->holding = 0;

    sh = ngx_gw_zone_lock(rv->conf->zone);

    if (ngx_gw_revocations_poll_owns(rv, sh)) {
        sh->owner = 0;
        sh->expires = ngx_current_msec;
    }

    ngx_gw_zone_unlock(rv->conf->zone);
}


void
ngx_gw_revocations_poll_step(ngx_gw_revocations_t *rv)
{
    ngx_str_t   argv[6];
    ngx_uint_t  i, n;
    u_char      from[2 * NGX_INT64_LEN + 1], count[NGX_INT_T_LEN];

    (void) ngx_atomic_fetch_add(&rv->shared->polls, 1);

    rv->began = ngx_current_msec;
    rv->gone = 0;

    n = rv->passing ? NGX_GW_REVOCATIONS_OPS : 1;
    rv->pending = n;

    ngx_str_set(&argv[0], "XRANGE");
    argv[1] = rv->conf->key;
    ngx_str_set(&argv[3], "+");
    ngx_str_set(&argv[4], "COUNT");
    argv[5].data = count;

    for (i = 0; i < n; i++) {

        if (i == NGX_GW_REVOCATIONS_NEXT) {
            ngx_gw_revocations_poll_id(&rv->last, from, &argv[2]);

        } else {
            ngx_gw_revocations_poll_after(&rv->pass, from, &argv[2]);
        }

        argv[5].len = ngx_sprintf(count, "%ui",
                                  rv->count + (i == NGX_GW_REVOCATIONS_NEXT
                                               && rv->known))
                      - count;

        rv->ops[i].handler = ngx_gw_revocations_poll_handler;
        rv->ops[i].data = rv;
        rv->ops[i].key = 1;

        ngx_gw_redis_command(rv->redis, &rv->ops[i], 6, argv,
                             rv->conf->timeout);

        if (rv->pending == 0) {

            /* failed at once */

            return;
        }

        /* no request waits for the reply itself */

        rv->ops[i].deadline.cancelable = 1;
    }
}


static void
ngx_gw_revocations_poll_id(const ngx_gw_revocations_id_t *id, u_char *buf,
    ngx_str_t *text)
{
    text->data = buf;
    text->len = ngx_sprintf(buf, "%uL-%uL", id->ms, id->seq) - buf;
}


/* the id that follows: "(", which leaves one out, needs Redis 6.2 */

static void
ngx_gw_revocations_poll_after(const ngx_gw_revocations_id_t *id, u_char *buf,
    ngx_str_t *text)
{
    ngx_gw_revocations_id_t  next;

    next = *id;

    if (next.seq == UINT64_MAX) {
        next.ms++;
        next.seq = 0;

    } else {
        next.seq++;
    }

    ngx_gw_revocations_poll_id(&next, buf, text);
}


static void
ngx_gw_revocations_poll_handler(ngx_gw_redis_op_t *op, ngx_gw_reply_t *reply)
{
    ngx_str_t              why;
    ngx_gw_revocations_t  *rv;

    rv = op->data;

    if (reply == NULL) {
        why.data = (u_char *) ngx_gw_redis_why(op);
        why.len = ngx_strlen(why.data);

        ngx_gw_revocations_poll_fail(rv, &why);
        return;
    }

    if (ngx_gw_revocations_poll_reply(rv, op - rv->ops, reply) != NGX_OK) {
        why = ngx_gw_reply_reason(reply);

        ngx_gw_revocations_poll_fail(rv, &why);
        return;
    }

    if (--rv->pending == 0) {
        ngx_gw_revocations_poll_end(rv);
    }
}


static ngx_int_t
ngx_gw_revocations_poll_reply(ngx_gw_revocations_t *rv, ngx_uint_t i,
    const ngx_gw_reply_t *reply)
{
    ngx_int_t                   rc;
    ngx_uint_t                  pass;
    ngx_gw_revocations_id_t    *id;
    ngx_gw_revocations_page_t  *page;

    page = &rv->page;
    pass = (i == NGX_GW_REVOCATIONS_PASS);
    id = pass ? &rv->pass : &rv->last;

    rc = ngx_gw_revocations_page_read(page, reply, id, !pass && rv->known,
                                      rv->count, ngx_time());
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        rv->gone = 1;
        return NGX_OK;
    }

    ngx_gw_revocations_poll_store(rv, pass);

    *id = page->last;

    if (pass) {

        /* nothing follows the greatest id of all */

        rv->pass_full = (page->entries == rv->count
                         && (id->ms & id->seq) != UINT64_MAX);

    } else {
        rv->last_full = (page->entries == rv->count);
    }

    return NGX_OK;
}


static void
ngx_gw_revocations_poll_store(ngx_gw_revocations_t *rv, ngx_uint_t pass)
{
    int                           rc;
    time_t                        now;
    ngx_uint_t                    i, n, stored, unfit;
    gw_revoke_t                  *table;
    ngx_gw_revocations_page_t    *page;
    ngx_gw_revocations_item_t    *item;
    ngx_gw_revocations_shared_t  *sh;

    page = &rv->page;
    now = ngx_time();
    stored = 0;
    unfit = 0;

    sh = ngx_gw_zone_lock(rv->conf->zone);

    table = ngx_gw_revocations_poll_table(sh);

    for (i = 0; i < page->nitems; i++) {
        item = &page->items[i];

        rc = gw_revoke_put(table, item->mark, now, item->until, item->before);

        stored += (rc == GW_OK);
        unfit += (rc == GW_ERROR);
    }

    if (unfit) {
        sh->missed = 1;
        sh->unfit |= pass;
    }

    if (stored) {
        sh->stored = 1;
    }

    ngx_gw_zone_unlock(rv->conf->zone);

    if (unfit) {
        (void) ngx_atomic_fetch_add(&rv->shared->overflows, unfit);

        if (ngx_gw_log_pass(&rv->log_full, &n)) {
            ngx_log_error(NGX_LOG_ERR, rv->log, 0,
                          "gw revocations: the table is full, %ui entries of "
                          "a page of \"%V\" were not stored, it needs a "
                          "larger size, %ui more such pages before",
                          unfit, &rv->conf->key, n);
        }
    }

    if (page->malformed) {
        (void) ngx_atomic_fetch_add(&rv->shared->malformed, page->malformed);

        if (ngx_gw_log_pass(&rv->log_malformed, &n)) {
            ngx_log_error(NGX_LOG_ERR, rv->log, 0,
                          "gw revocations: %ui malformed entries in a page "
                          "of \"%V\", the last one is %uL-%uL: %s, "
                          "%ui more such pages before",
                          page->malformed, &rv->conf->key,
                          page->wrong_id.ms, page->wrong_id.seq,
                          page->wrong, n);
        }
    }
}


/* the mark stays, unless others should try */

static void
ngx_gw_revocations_poll_fail(ngx_gw_revocations_t *rv, const ngx_str_t *why)
{
    ngx_uint_t                    i, n;
    ngx_gw_revocations_shared_t  *sh;

    for (i = 0; i < NGX_GW_REVOCATIONS_OPS; i++) {
        ngx_gw_redis_cancel(&rv->ops[i]);
    }

    rv->pending = 0;
    rv->failed++;
    rv->count = ngx_max(rv->count / 2, 1);
    rv->ended = ngx_current_msec;
    rv->next = rv->ended + ngx_min(rv->conf->refresh, NGX_GW_REVOCATIONS_AGAIN);

    sh = ngx_gw_zone_lock(rv->conf->zone);

    if (ngx_gw_revocations_poll_owns(rv, sh)) {

        sh->shaken = 1;

        ngx_gw_revocations_poll_renew(rv, sh, rv->next);

        if (rv->failed % NGX_GW_REVOCATIONS_TRIES == 0) {

            /* others look each "refresh" */

            rv->holding = 0;
            rv->next = sh->expires + NGX_GW_REVOCATIONS_GRACE;

            sh->owner = 0;
            sh->expires = rv->ended;
        }
    }

    ngx_gw_zone_unlock(rv->conf->zone);

    (void) ngx_atomic_fetch_add(&rv->shared->failures, 1);

    if (ngx_gw_log_pass(&rv->log_failure, &n)) {
        ngx_log_error(NGX_LOG_ERR, rv->log, 0,
                      "gw revocations: \"%V\" could not be read after "
                      "%uL-%uL: %V, %ui more failures before",
                      &rv->conf->key, rv->last.ms, rv->last.seq, why, n);
    }

    ngx_gw_revocations_plan(rv);
}


static void
ngx_gw_revocations_poll_end(ngx_gw_revocations_t *rv)
{
    ngx_uint_t                    n, failed, gone;
    ngx_gw_revocations_shared_t  *sh;

    failed = rv->failed;
    gone = rv->gone;

    rv->failed = 0;
    rv->ended = ngx_current_msec;

    sh = ngx_gw_zone_lock(rv->conf->zone);

    if (ngx_gw_revocations_poll_owns(rv, sh)) {

        rv->next = rv->ended;

        if (gone) {
            sh->last.ms = 0;
            sh->last.seq = 0;
            sh->whole = 0;
            sh->passing = 0;

        } else if (ngx_gw_revocations_poll_advance(rv, sh) == NGX_OK) {
            rv->next = rv->began + rv->conf->refresh;

        } else if (!rv->last_full) {
            rv->next = rv->ended + NGX_GW_REVOCATIONS_PAUSE;
        }

        ngx_gw_revocations_poll_renew(rv, sh, rv->next);

    } else {

        /* too late: another worker has taken over, or the zone was reset */

        rv->holding = 0;
        rv->next = rv->ended + rv->conf->refresh;
    }

    ngx_gw_zone_unlock(rv->conf->zone);

    rv->count = ngx_min(rv->count + NGX_GW_REVOCATIONS_MORE,
                        NGX_GW_REVOCATIONS_PAGE);

    if (failed && ngx_gw_log_pass(&rv->log_back, &n)) {
        ngx_log_error(NGX_LOG_NOTICE, rv->log, 0,
                      "gw revocations: \"%V\" is read again after "
                      "%ui failures", &rv->conf->key, failed);
    }

    if (gone && ngx_gw_log_pass(&rv->log_gone, &n)) {
        ngx_log_error(NGX_LOG_WARN, rv->log, 0,
                      "gw revocations: \"%V\" has lost %uL-%uL, which was "
                      "the last entry, it is read from its start, "
                      "%ui times more before",
                      &rv->conf->key, rv->last.ms, rv->last.seq, n);
    }

    ngx_gw_revocations_plan(rv);
}


/* NGX_AGAIN if there are more pages */

static ngx_int_t
ngx_gw_revocations_poll_advance(ngx_gw_revocations_t *rv,
    ngx_gw_revocations_shared_t *sh)
{
    sh->last = rv->last;

    if (rv->passing) {
        sh->pass = rv->pass;

        if (!rv->pass_full) {

            /* it has seen whatever did not fit before */

            sh->passing = 0;
            sh->missed = sh->unfit;
            sh->ended = rv->ended;
        }
    }

    if (rv->last_full) {
        return NGX_AGAIN;
    }

    if (!sh->whole) {
        sh->whole = 1;
        sh->ended = rv->ended;
    }

    if (!sh->missed) {

        /* never 0, which says "never read" */

        sh->loaded = ngx_max(rv->began, 1);
    }

    return sh->passing ? NGX_AGAIN : NGX_OK;
}


gw_revoke_t *
ngx_gw_revocations_poll_table(ngx_gw_revocations_shared_t *sh)
{
    return (gw_revoke_t *) ((u_char *) sh + NGX_GW_REVOCATIONS_HEAD);
}
