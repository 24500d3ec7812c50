
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_ask.h"
#include "ngx_http_gw_auth_answer.h"
#include "ngx_http_gw_auth_identify.h"
#include "ngx_http_gw_auth_state.h"
#include "ngx_http_gw_auth_worker.h"


/*
 * An ask begins with its first waiter and ends with its answer, whoever has
 * left meanwhile.  It lies in worker->asks from its first to its last moment,
 * so that at most one per credential and provider is under way.
 *
 *     introspection   fetch.active, until its handler
 *     API key         op.active, until its handler, which may be called
 *                     before the command returns
 */

struct ngx_http_gw_auth_ask_s {
    ngx_queue_t                         queue;
    ngx_queue_t                         waiters;

    ngx_http_gw_auth_main_conf_t       *gamcf;
    const ngx_http_gw_auth_provider_t  *provider;

    ngx_pool_t                         *pool;
    ngx_str_t                           credential;
    ngx_str_t                           hex;
    ngx_msec_t                          began;

    ngx_http_gw_fetch_t                 fetch;
    ngx_gw_redis_op_t                   op;

    u_char                              digest[GW_IDENTITY_DIGEST];
};


static ngx_http_gw_auth_ask_t *ngx_http_gw_auth_ask_find(
    ngx_http_gw_auth_worker_t *worker,
    const ngx_http_gw_auth_provider_t *provider, const u_char *digest);
static ngx_http_gw_auth_ask_t *ngx_http_gw_auth_ask_create(
    ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential,
    const u_char *digest);
static void ngx_http_gw_auth_ask_destroy(ngx_http_gw_auth_ask_t *ask);
static ngx_int_t ngx_http_gw_auth_ask_introspect(ngx_http_gw_auth_ask_t *ask);
static void ngx_http_gw_auth_ask_fetched(ngx_http_gw_fetch_t *f);
static ngx_uint_t ngx_http_gw_auth_ask_read(ngx_http_gw_auth_ask_t *ask,
    gw_introspect_t *answer, gw_identity_t *id);
static ngx_int_t ngx_http_gw_auth_ask_redis(ngx_http_gw_auth_ask_t *ask);
static void ngx_http_gw_auth_ask_replied(ngx_gw_redis_op_t *op,
    ngx_gw_reply_t *reply);
static void ngx_http_gw_auth_ask_done(ngx_http_gw_auth_ask_t *ask,
    ngx_uint_t reason, const gw_identity_t *id);


ngx_int_t
ngx_http_gw_auth_ask(ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential,
    const u_char *digest, ngx_http_gw_auth_waiter_t *waiter)
{
    ngx_int_t                rc;
    ngx_uint_t               max, n;
    ngx_http_gw_auth_ask_t  *ask;

    ask = ngx_http_gw_auth_ask_find(gamcf->worker, provider, digest);

    if (ask) {
        ngx_http_gw_auth_count(gamcf, provider, NGX_HTTP_GW_AUTH_C_JOINED);

        ngx_queue_insert_tail(&ask->waiters, &waiter->queue);
        waiter->active = 1;

        return NGX_OK;
    }

    max = (provider->kind == NGX_HTTP_GW_AUTH_API_KEY)
          ? NGX_HTTP_GW_AUTH_LOOKUPS : provider->max;

    if (gamcf->worker->asking[provider->index] >= max) {

        ngx_http_gw_auth_count(gamcf, provider, NGX_HTTP_GW_AUTH_C_BUSY);

        if (ngx_gw_log_pass(&gamcf->worker->log_busy, &n)) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "gw auth: \"%V\" is asked about %ui credentials, "
                          "no room for another, %ui more refused before",
                          &provider->name, max, n);
        }

        return NGX_BUSY;
    }

    if (provider->kind == NGX_HTTP_GW_AUTH_INTROSPECT
        && ngx_http_gw_auth_breaker_ask(gamcf, provider) != NGX_OK)
    {
        ngx_http_gw_auth_count(gamcf, provider, NGX_HTTP_GW_AUTH_C_OPEN);
        return NGX_DECLINED;
    }

    ask = ngx_http_gw_auth_ask_create(gamcf, provider, credential, digest);
    if (ask == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_insert_tail(&ask->waiters, &waiter->queue);
    waiter->active = 1;

    ngx_http_gw_auth_count(gamcf, provider, NGX_HTTP_GW_AUTH_C_ASKED);

    /* the ask may be gone when these return NGX_OK */

    rc = (provider->kind == NGX_HTTP_GW_AUTH_API_KEY)
         ? ngx_http_gw_auth_ask_redis(ask)
         : ngx_http_gw_auth_ask_introspect(ask);

    if (rc != NGX_OK) {

        if (provider->kind == NGX_HTTP_GW_AUTH_INTROSPECT) {
            ngx_http_gw_auth_breaker_report(gamcf, provider, 0,
                                            ngx_cycle->log);
        }

        ngx_http_gw_auth_ask_cancel(waiter);
        ngx_http_gw_auth_ask_destroy(ask);
    }

    return rc;
}


void
ngx_http_gw_auth_ask_cancel(ngx_http_gw_auth_waiter_t *waiter)
{
    if (waiter->active) {
        ngx_queue_remove(&waiter->queue);
        waiter->active = 0;
    }
}


static ngx_http_gw_auth_ask_t *
ngx_http_gw_auth_ask_find(ngx_http_gw_auth_worker_t *worker,
    const ngx_http_gw_auth_provider_t *provider, const u_char *digest)
{
    ngx_queue_t             *q, *asks;
    ngx_http_gw_auth_ask_t  *ask;

    asks = &worker->asks[digest[0] % NGX_HTTP_GW_AUTH_ASKS];

    for (q = ngx_queue_head(asks);
         q != ngx_queue_sentinel(asks);
         q = ngx_queue_next(q))
    {
        ask = ngx_queue_data(q, ngx_http_gw_auth_ask_t, queue);

        if (ask->provider == provider
            && ngx_memcmp(ask->digest, digest, GW_IDENTITY_DIGEST) == 0)
        {
            return ask;
        }
    }

    return NULL;
}


static ngx_http_gw_auth_ask_t *
ngx_http_gw_auth_ask_create(ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential,
    const u_char *digest)
{
    ngx_pool_t              *pool;
    ngx_http_gw_auth_ask_t  *ask;

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    ask = ngx_pcalloc(pool, sizeof(ngx_http_gw_auth_ask_t));
    if (ask == NULL) {
        goto failed;
    }

    ask->gamcf = gamcf;
    ask->provider = provider;
    ask->pool = pool;
    ask->began = ngx_current_msec;

    ask->credential.len = credential->len;
    ask->credential.data = ngx_pstrdup(pool, (ngx_str_t *) credential);
    if (ask->credential.data == NULL) {
        goto failed;
    }

    ngx_memcpy(ask->digest, digest, GW_IDENTITY_DIGEST);

    ngx_queue_init(&ask->waiters);

    ngx_queue_insert_tail(&gamcf->worker->asks[digest[0]
                                               % NGX_HTTP_GW_AUTH_ASKS],
                          &ask->queue);

    gamcf->worker->asking[provider->index]++;

    return ask;

failed:

    ngx_destroy_pool(pool);

    return NULL;
}


static void
ngx_http_gw_auth_ask_destroy(ngx_http_gw_auth_ask_t *ask)
{
    ngx_queue_remove(&ask->queue);

    ask->gamcf->worker->asking[ask->provider->index]--;

    ngx_explicit_memzero(ask->credential.data, ask->credential.len);

    ngx_destroy_pool(ask->pool);
}


/* before the worker ends: whoever waits is gone already */

void
ngx_http_gw_auth_ask_exit(ngx_http_gw_auth_worker_t *worker)
{
    ngx_uint_t               i;
    ngx_queue_t             *q;
    ngx_http_gw_auth_ask_t  *ask;

    for (i = 0; i < NGX_HTTP_GW_AUTH_ASKS; i++) {

        while (!ngx_queue_empty(&worker->asks[i])) {

            q = ngx_queue_head(&worker->asks[i]);
            ask = ngx_queue_data(q, ngx_http_gw_auth_ask_t, queue);

            ngx_http_gw_fetch_cancel(&ask->fetch);
            ngx_gw_redis_cancel(&ask->op);

            ngx_http_gw_auth_ask_destroy(ask);
        }
    }
}


static ngx_int_t
ngx_http_gw_auth_ask_introspect(ngx_http_gw_auth_ask_t *ask)
{
    size_t                size, len;
    gw_str_t              token;
    ngx_http_gw_fetch_t  *f;

    token.len = ask->credential.len;
    token.data = (const char *) ask->credential.data;

    size = 3 * token.len + GW_INTROSPECT_FORM;

    f = &ask->fetch;

    f->body.data = ngx_pnalloc(ask->pool, size);

    if (f->body.data == NULL
        || gw_introspect_form(&token, (char *) f->body.data, size, &len)
           != GW_OK)
    {
        return NGX_ERROR;
    }

    f->body.len = len;

    ngx_str_set(&f->type, "application/x-www-form-urlencoded");
    ngx_str_set(&f->accept, "application/json");

    f->handler = ngx_http_gw_auth_ask_fetched;
    f->data = ask;
    f->location = (ngx_http_gw_fetch_location_t *) &ask->provider->location;
    f->max = GW_INTROSPECT_MAX;
    f->timeout = ask->provider->timeout;

    return ngx_http_gw_fetch_start(f, ngx_cycle->log);
}


static void
ngx_http_gw_auth_ask_fetched(ngx_http_gw_fetch_t *f)
{
    ngx_uint_t               n, reason, up;
    const char              *failure;
    gw_identity_t            id;
    gw_introspect_t          answer;
    ngx_http_gw_auth_ask_t  *ask;

    ask = f->data;
    failure = NULL;

    /* it may dislike one token, which anybody can send: others may do */

    up = (f->status >= NGX_HTTP_BAD_REQUEST
          && f->status < NGX_HTTP_INTERNAL_SERVER_ERROR
          && f->status != NGX_HTTP_REQUEST_TIME_OUT
          && f->status != NGX_HTTP_TOO_MANY_REQUESTS);

    ngx_memzero(&answer, sizeof(gw_introspect_t));

    if (f->status == NGX_HTTP_OK) {

        reason = ngx_http_gw_auth_ask_read(ask, &answer, &id);

        if (reason == GW_JWT_MALFORMED || reason == GW_JWT_UNAVAILABLE) {
            failure = "the answer is malformed";
        }

    } else if (f->status == NGX_HTTP_UNAUTHORIZED
               || f->status == NGX_HTTP_FORBIDDEN)
    {
        reason = GW_JWT_INACTIVE;

        /* RFC 7662: it does not know us, rather than the token */

        if (ngx_gw_log_pass(&ask->gamcf->worker->log_refused, &n)) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "gw auth: introspection for \"%V\" was refused "
                          "with status %ui, which counts as inactive, "
                          "%ui more before",
                          &ask->provider->name, f->status, n);
        }

    } else {
        reason = GW_JWT_UNAVAILABLE;
        failure = f->failure ? f->failure : "another status than 200";
    }

    ngx_http_gw_auth_count_latency(ask->gamcf, ask->provider,
                         (uint64_t) (ngx_current_msec - ask->began) * 1000);

    ngx_http_gw_auth_breaker_report(ask->gamcf, ask->provider,
                                    failure == NULL || up, ngx_cycle->log);

    if (failure) {
        reason = GW_JWT_UNAVAILABLE;

        ngx_http_gw_auth_count(ask->gamcf, ask->provider,
                               NGX_HTTP_GW_AUTH_C_FAILED);

        if (ngx_gw_log_pass(&ask->gamcf->worker->log_ask, &n)) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "gw auth: introspection for \"%V\" failed: %s, "
                          "status %ui, %ui more failures before",
                          &ask->provider->name, failure, f->status, n);
        }
    }

    ngx_http_gw_auth_ask_done(ask, reason, &id);

    gw_introspect_free(&answer);
}


static ngx_uint_t
ngx_http_gw_auth_ask_read(ngx_http_gw_auth_ask_t *ask,
    gw_introspect_t *answer, gw_identity_t *id)
{
    ngx_uint_t  reason;

    reason = gw_introspect_parse(answer, (const char *) ask->fetch.text.data,
                                 ask->fetch.text.len, &ask->provider->rules,
                                 ngx_time());
    if (reason != GW_JWT_OK) {
        return reason;
    }

    return ngx_http_gw_auth_identify_answer(ask->pool, ask->provider, answer,
                                            &ask->fetch.text, id);
}


static ngx_int_t
ngx_http_gw_auth_ask_redis(ngx_http_gw_auth_ask_t *ask)
{
    u_char     *p;
    ngx_str_t   argv[2];

    /* Redis knows keys by their digest only */

    ask->hex.len = 2 * GW_IDENTITY_DIGEST;
    argv[1].len = ask->provider->key.len + ask->hex.len;

    argv[1].data = ngx_pnalloc(ask->pool, argv[1].len);
    if (argv[1].data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(argv[1].data, ask->provider->key.data,
                   ask->provider->key.len);

    ask->hex.data = p;
    (void) ngx_hex_dump(p, ask->digest, GW_IDENTITY_DIGEST);

    ngx_str_set(&argv[0], "HGETALL");

    ask->op.handler = ngx_http_gw_auth_ask_replied;
    ask->op.data = ask;
    ask->op.key = 1;

    ngx_gw_redis_command(ask->gamcf->worker->redis, &ask->op, 2, argv,
                         ask->gamcf->redis.timeout);

    return NGX_OK;
}


static void
ngx_http_gw_auth_ask_replied(ngx_gw_redis_op_t *op, ngx_gw_reply_t *reply)
{
    ngx_str_t                why;
    ngx_uint_t               n, reason;
    gw_identity_t            id;
    ngx_http_gw_auth_ask_t  *ask;

    ask = op->data;

    if (reply == NULL) {
        reason = GW_JWT_UNAVAILABLE;

    } else {
        reason = ngx_http_gw_auth_identify_record(ask->pool, ask->provider,
                                                  &ask->hex, reply, &id);
    }

    if (reason == GW_JWT_UNAVAILABLE) {

        ngx_http_gw_auth_count(ask->gamcf, ask->provider,
                               NGX_HTTP_GW_AUTH_C_FAILED);

        /* without a reply the client of Redis has logged why */

        if (reply && ngx_gw_log_pass(&ask->gamcf->worker->log_reply, &n)) {

            why = ngx_gw_reply_reason(reply);

            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "gw auth: Redis replied \"%V\" to \"%V\", "
                          "%ui more such replies before",
                          &why, &ask->provider->name, n);
        }
    }

    ngx_http_gw_auth_ask_done(ask, reason, &id);
}


static void
ngx_http_gw_auth_ask_done(ngx_http_gw_auth_ask_t *ask, ngx_uint_t reason,
    const gw_identity_t *id)
{
    char                       *packed;
    size_t                      len, size;
    time_t                      expires;
    ngx_queue_t                *q;
    ngx_http_gw_auth_waiter_t  *waiter;

    packed = NULL;
    len = 0;
    expires = ngx_time() + ask->provider->cache;

    if (reason == GW_JWT_OK) {

        /* may be more than the zone takes: then it is asked for again */

        size = GW_CACHE_MAX + id->claims.len;
        packed = ngx_pnalloc(ask->pool, size);

        if (packed == NULL) {
            reason = GW_JWT_UNAVAILABLE;

        } else if (gw_identity_pack(id, packed, size, &len) != GW_OK) {
            reason = GW_JWT_BAD_CLAIM;

        } else {
            expires = ngx_min(expires, id->expires);

            ngx_http_gw_auth_answer_forget(ask->gamcf, ask->provider,
                                           &ask->credential);
        }
    }

    if (reason != GW_JWT_UNAVAILABLE && ask->provider->cache) {
        ngx_http_gw_auth_answer_keep(ask->gamcf, ask->provider, ask->digest,
                                     reason, expires, packed, len);
    }

    if (reason == GW_JWT_INACTIVE && ask->provider->fallback
        && ask->fetch.status == NGX_HTTP_OK)
    {
        /* by its own word, not because it does not know us */

        ngx_http_gw_auth_answer_remember(ask->gamcf, ask->provider,
                                         &ask->credential);
    }

    while (!ngx_queue_empty(&ask->waiters)) {

        q = ngx_queue_head(&ask->waiters);
        waiter = ngx_queue_data(q, ngx_http_gw_auth_waiter_t, queue);

        ngx_http_gw_auth_ask_cancel(waiter);

        waiter->handler(waiter, reason, packed, len);
    }

    ngx_http_gw_auth_ask_destroy(ask);
}
