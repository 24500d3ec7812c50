
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_metrics.h"
#include "ngx_http_gw_auth_worker.h"


#define ngx_http_gw_auth_metrics_shared_field(stats, what)                    \
    *(const uint64_t *) ((const u_char *) (stats) + (what))


static ngx_int_t ngx_http_gw_auth_metrics_shared_keys(
    const ngx_http_gw_auth_metrics_t *page, ngx_uint_t i,
    ngx_gw_keys_stats_t *stats);
static ngx_int_t ngx_http_gw_auth_metrics_shared_revocations(
    const ngx_http_gw_auth_metrics_t *page,
    ngx_gw_revocations_stats_t *stats);
static void ngx_http_gw_auth_metrics_shared_resets(
    ngx_http_gw_auth_metrics_t *page, const char *zone,
    const ngx_http_gw_auth_provider_t *provider, ngx_gw_zone_t *shared);


void
ngx_http_gw_auth_metrics_zone(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what)
{
    ngx_uint_t            i;
    gw_prom_label_t       label;
    ngx_gw_cache_stats_t  stats;

    static const char *const  parts[NGX_GW_CACHE_PARTS] =
        { "identities", "passports", "refusals" };

    if (page->gamcf->cache == NULL) {
        return;
    }

    for (i = 0; i < NGX_GW_CACHE_PARTS; i++) {

        ngx_gw_cache_stats(page->gamcf->cache, (ngx_gw_cache_part_e) i,
                           &stats);

        ngx_http_gw_auth_metrics_text(&label, "part", parts[i]);

        ngx_http_gw_auth_metrics_head(page);
        gw_prom_sample(&page->out, page->name, &label, 1,
                       ngx_http_gw_auth_metrics_shared_field(&stats, what));
    }
}


void
ngx_http_gw_auth_metrics_keys(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what)
{
    ngx_uint_t           i;
    gw_prom_label_t      label;
    ngx_gw_keys_stats_t  stats;

    for (i = 0; i < page->gamcf->providers.nelts; i++) {

        if (ngx_http_gw_auth_metrics_shared_keys(page, i, &stats) != NGX_OK) {
            continue;
        }

        ngx_http_gw_auth_metrics_provider(&label, page->providers[i]);

        ngx_http_gw_auth_metrics_head(page);
        gw_prom_sample(&page->out, page->name, &label, 1,
                       ngx_http_gw_auth_metrics_shared_field(&stats, what));
    }
}


void
ngx_http_gw_auth_metrics_keys_age(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what)
{
    ngx_uint_t           i;
    gw_prom_label_t      label;
    ngx_gw_keys_stats_t  stats;

    for (i = 0; i < page->gamcf->providers.nelts; i++) {

        if (ngx_http_gw_auth_metrics_shared_keys(page, i, &stats) != NGX_OK
            || stats.fetched == 0)
        {
            continue;
        }

        ngx_http_gw_auth_metrics_provider(&label, page->providers[i]);

        ngx_http_gw_auth_metrics_head(page);
        gw_prom_seconds(&page->out, page->name, &label, 1, stats.age);
    }
}


static ngx_int_t
ngx_http_gw_auth_metrics_shared_keys(const ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t i, ngx_gw_keys_stats_t *stats)
{
    ngx_http_gw_auth_worker_t  *worker;

    worker = page->gamcf->worker;

    if (worker == NULL || worker->keys == NULL || worker->keys[i] == NULL) {
        return NGX_DECLINED;
    }

    ngx_gw_keys_stats(worker->keys[i], stats);

    return NGX_OK;
}


void
ngx_http_gw_auth_metrics_revocations(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what)
{
    ngx_gw_revocations_stats_t  stats;

    if (ngx_http_gw_auth_metrics_shared_revocations(page, &stats) != NGX_OK) {
        return;
    }

    ngx_http_gw_auth_metrics_head(page);
    gw_prom_sample(&page->out, page->name, NULL, 0,
                   ngx_http_gw_auth_metrics_shared_field(&stats, what));
}


void
ngx_http_gw_auth_metrics_read(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what)
{
    ngx_gw_revocations_stats_t  stats;

    if (ngx_http_gw_auth_metrics_shared_revocations(page, &stats) != NGX_OK) {
        return;
    }

    ngx_http_gw_auth_metrics_head(page);
    gw_prom_sample(&page->out, page->name, NULL, 0, stats.read);
}


void
ngx_http_gw_auth_metrics_age(ngx_http_gw_auth_metrics_t *page, ngx_uint_t what)
{
    ngx_gw_revocations_stats_t  stats;

    if (ngx_http_gw_auth_metrics_shared_revocations(page, &stats) != NGX_OK
        || !stats.read)
    {
        return;
    }

    ngx_http_gw_auth_metrics_head(page);
    gw_prom_seconds(&page->out, page->name, NULL, 0, stats.age);
}


static ngx_int_t
ngx_http_gw_auth_metrics_shared_revocations(
    const ngx_http_gw_auth_metrics_t *page, ngx_gw_revocations_stats_t *stats)
{
    ngx_http_gw_auth_worker_t  *worker;

    worker = page->gamcf->worker;

    if (worker == NULL || worker->revocations == NULL) {
        return NGX_DECLINED;
    }

    ngx_gw_revocations_stats(worker->revocations, stats);

    return NGX_OK;
}


void
ngx_http_gw_auth_metrics_resets(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what)
{
    ngx_uint_t                           i;
    const ngx_http_gw_auth_provider_t   *provider;
    const ngx_http_gw_auth_main_conf_t  *gamcf;

    gamcf = page->gamcf;

    ngx_http_gw_auth_metrics_shared_resets(page, "state", NULL, gamcf->state);

    if (gamcf->cache) {
        ngx_http_gw_auth_metrics_shared_resets(page, "identities", NULL,
                                               gamcf->cache->zone);
    }

    if (gamcf->revocations) {
        ngx_http_gw_auth_metrics_shared_resets(page, "revocations", NULL,
                                               gamcf->revocations->zone);
    }

    for (i = 0; i < gamcf->providers.nelts; i++) {

        provider = page->providers[i];

        if (provider->keys) {
            ngx_http_gw_auth_metrics_shared_resets(page, "keys", provider,
                                                   provider->keys->zone);
        }
    }
}


static void
ngx_http_gw_auth_metrics_shared_resets(ngx_http_gw_auth_metrics_t *page,
    const char *zone, const ngx_http_gw_auth_provider_t *provider,
    ngx_gw_zone_t *shared)
{
    gw_prom_label_t  labels[2];

    ngx_http_gw_auth_metrics_text(&labels[0], "zone", zone);
    ngx_http_gw_auth_metrics_provider(&labels[1], provider);

    ngx_http_gw_auth_metrics_head(page);
    gw_prom_sample(&page->out, page->name, labels, 2,
                   ngx_gw_zone_resets(shared));
}
