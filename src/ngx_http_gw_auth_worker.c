
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_ask.h"
#include "ngx_http_gw_auth_worker.h"


static ngx_int_t ngx_http_gw_auth_worker_keys(ngx_cycle_t *cycle,
    ngx_http_gw_auth_worker_t *worker,
    const ngx_http_gw_auth_provider_t *provider);
static void ngx_http_gw_auth_worker_fetch(ngx_gw_keys_t *keys, void *data);
static void ngx_http_gw_auth_worker_fetched(ngx_http_gw_fetch_t *f);


ngx_int_t
ngx_http_gw_auth_worker_init(ngx_cycle_t *cycle,
    ngx_http_gw_auth_main_conf_t *gamcf)
{
    ngx_uint_t                     i, n;
    ngx_http_gw_auth_worker_t     *worker;
    ngx_http_gw_auth_provider_t  **provider;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    worker = gamcf->worker;
    provider = gamcf->providers.elts;
    n = gamcf->providers.nelts;

    for (i = 0; i < NGX_HTTP_GW_AUTH_ASKS; i++) {
        ngx_queue_init(&worker->asks[i]);
    }

    if (n == 0) {
        return NGX_OK;
    }

    worker->asking = ngx_pcalloc(cycle->pool, n * sizeof(ngx_uint_t));
    worker->keys = ngx_pcalloc(cycle->pool, n * sizeof(ngx_gw_keys_t *));
    worker->fetches = ngx_pcalloc(cycle->pool,
                                  n * sizeof(ngx_http_gw_fetch_t *));

    if (worker->asking == NULL || worker->keys == NULL
        || worker->fetches == NULL)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (provider[i]->keys
            && ngx_http_gw_auth_worker_keys(cycle, worker, provider[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (gamcf->redis.nhosts) {
        worker->redis = ngx_gw_redis_create(&gamcf->redis, cycle->log);
        if (worker->redis == NULL) {
            return NGX_ERROR;
        }
    }

    if (gamcf->revocations) {
        worker->revocations = ngx_gw_revocations_create(gamcf->revocations,
                                                        worker->redis,
                                                        cycle->log);
        if (worker->revocations == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_auth_worker_keys(ngx_cycle_t *cycle,
    ngx_http_gw_auth_worker_t *worker,
    const ngx_http_gw_auth_provider_t *provider)
{
    ngx_http_gw_fetch_t  *f;

    f = ngx_pcalloc(cycle->pool, sizeof(ngx_http_gw_fetch_t));
    if (f == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&f->accept, "application/jwk-set+json, application/json");

    f->handler = ngx_http_gw_auth_worker_fetched;
    f->location = (ngx_http_gw_fetch_location_t *) &provider->location;
    f->max = GW_JWKS_MAX_TEXT;
    f->timeout = provider->timeout;
    f->cancelable = 1;

    worker->fetches[provider->index] = f;

    /* may begin to fetch before it returns */

    worker->keys[provider->index] =
        ngx_gw_keys_create(provider->keys, ngx_http_gw_auth_worker_fetch, f,
                           cycle->log);

    return worker->keys[provider->index] ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_gw_auth_worker_fetch(ngx_gw_keys_t *keys, void *data)
{
    ngx_http_gw_fetch_t  *f = data;

    f->data = keys;

    if (ngx_http_gw_fetch_start(f, ngx_cycle->log) != NGX_OK) {
        ngx_gw_keys_fetched(keys, NULL, "could not begin");
    }
}


static void
ngx_http_gw_auth_worker_fetched(ngx_http_gw_fetch_t *f)
{
    ngx_gw_keys_t  *keys = f->data;

    if (f->status == NGX_HTTP_OK) {
        ngx_gw_keys_fetched(keys, &f->text, NULL);
        return;
    }

    ngx_gw_keys_fetched(keys, NULL,
                        f->status ? "another status than 200" : f->failure);
}


void
ngx_http_gw_auth_worker_exit(ngx_http_gw_auth_main_conf_t *gamcf)
{
    ngx_uint_t                  i;
    ngx_http_gw_auth_worker_t  *worker;

    worker = gamcf->worker;

    if (worker->keys == NULL) {
        return;
    }

    ngx_http_gw_auth_ask_exit(worker);

    for (i = 0; i < gamcf->providers.nelts; i++) {

        if (worker->keys[i]) {
            ngx_http_gw_fetch_cancel(worker->fetches[i]);
            ngx_gw_keys_destroy(worker->keys[i]);
        }
    }

    if (worker->revocations) {
        ngx_gw_revocations_destroy(worker->revocations);
    }

    if (worker->redis) {
        ngx_gw_redis_destroy(worker->redis);
    }
}
