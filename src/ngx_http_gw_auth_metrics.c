
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_metrics.h"


/* a line without its names of providers, and lines besides the slots */

#define NGX_HTTP_GW_AUTH_METRICS_LINE   192
#define NGX_HTTP_GW_AUTH_METRICS_LINES  128

#define NGX_HTTP_GW_AUTH_METRICS_MAX    (64 * 1024 * 1024)


static size_t ngx_http_gw_auth_metrics_size(
    const ngx_http_gw_auth_main_conf_t *gamcf);

static void ngx_http_gw_auth_metrics_decisions(
    ngx_http_gw_auth_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_auth_metrics_counter(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what);
static void ngx_http_gw_auth_metrics_signed(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what);
static void ngx_http_gw_auth_metrics_upstream(
    ngx_http_gw_auth_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_auth_metrics_latency(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what);
static void ngx_http_gw_auth_metrics_breaker(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what);


extern ngx_module_t  ngx_http_gw_auth_module;


static const ngx_http_gw_auth_metrics_family_t
    ngx_http_gw_auth_metrics_families[] =
{
    { "gw_auth_decisions_total", "counter",
      "Requests decided, by the provider and the reason.",
      ngx_http_gw_auth_metrics_decisions, 0 },

    { "gw_auth_fallback_total", "counter",
      "Identities found by the fallback of a provider that was down.",
      ngx_http_gw_auth_metrics_counter, NGX_HTTP_GW_AUTH_C_FALLBACK },

    { "gw_auth_revoked_total", "counter",
      "Credentials refused because they were revoked.",
      ngx_http_gw_auth_metrics_counter, NGX_HTTP_GW_AUTH_C_REVOKED },

    { "gw_auth_passports_signed_total", "counter",
      "Passports signed.",
      ngx_http_gw_auth_metrics_signed, 0 },

    { "gw_auth_upstream_requests_total", "counter",
      "Introspections and lookups of API keys, by what became of them.",
      ngx_http_gw_auth_metrics_upstream, 0 },

    { "gw_auth_introspection_seconds", "histogram",
      "How long the answers of introspection took.",
      ngx_http_gw_auth_metrics_latency, 0 },

    { "gw_auth_breaker_open", "gauge",
      "Whether a provider counts as down.",
      ngx_http_gw_auth_metrics_breaker, 0 },

    { "gw_auth_zone_hits_total", "counter",
      "Lookups in the identity zone that found a record.",
      ngx_http_gw_auth_metrics_zone,
      offsetof(ngx_gw_cache_stats_t, hits) },

    { "gw_auth_zone_misses_total", "counter",
      "Lookups in the identity zone that found none.",
      ngx_http_gw_auth_metrics_zone,
      offsetof(ngx_gw_cache_stats_t, misses) },

    { "gw_auth_zone_evictions_total", "counter",
      "Records overwritten before they had expired.",
      ngx_http_gw_auth_metrics_zone,
      offsetof(ngx_gw_cache_stats_t, ring.evicted) },

    { "gw_auth_zone_records", "gauge",
      "Records in the identity zone.",
      ngx_http_gw_auth_metrics_zone,
      offsetof(ngx_gw_cache_stats_t, ring.records) },

    { "gw_auth_zone_used_bytes", "gauge",
      "Bytes of the identity zone that records take.",
      ngx_http_gw_auth_metrics_zone,
      offsetof(ngx_gw_cache_stats_t, ring.used) },

    { "gw_auth_zone_size_bytes", "gauge",
      "Bytes of the identity zone there are for records.",
      ngx_http_gw_auth_metrics_zone,
      offsetof(ngx_gw_cache_stats_t, ring.size) },

    { "gw_auth_keys_generation", "gauge",
      "Number of the keys in use, larger with each change, 0: none yet.",
      ngx_http_gw_auth_metrics_keys,
      offsetof(ngx_gw_keys_stats_t, generation) },

    { "gw_auth_keys_fetched_total", "counter",
      "Successful fetches of keys.",
      ngx_http_gw_auth_metrics_keys,
      offsetof(ngx_gw_keys_stats_t, fetched) },

    { "gw_auth_keys_failed_total", "counter",
      "Failed fetches of keys.",
      ngx_http_gw_auth_metrics_keys,
      offsetof(ngx_gw_keys_stats_t, failed) },

    { "gw_auth_keys_age_seconds", "gauge",
      "Time since keys were fetched successfully.",
      ngx_http_gw_auth_metrics_keys_age, 0 },

    { "gw_auth_revocations_read", "gauge",
      "Whether the revocations were ever read to their end.",
      ngx_http_gw_auth_metrics_read, 0 },

    { "gw_auth_revocations_age_seconds", "gauge",
      "Time since the revocations were read to their end.",
      ngx_http_gw_auth_metrics_age, 0 },

    { "gw_auth_revocations_entries", "gauge",
      "Revocations in the table.",
      ngx_http_gw_auth_metrics_revocations,
      offsetof(ngx_gw_revocations_stats_t, entries) },

    { "gw_auth_revocations_size", "gauge",
      "Revocations the table has room for.",
      ngx_http_gw_auth_metrics_revocations,
      offsetof(ngx_gw_revocations_stats_t, size) },

    { "gw_auth_revocations_overflows_total", "counter",
      "Revocations that found the table full.",
      ngx_http_gw_auth_metrics_revocations,
      offsetof(ngx_gw_revocations_stats_t, overflows) },

    { "gw_auth_revocations_malformed_total", "counter",
      "Entries of the stream that could not be understood.",
      ngx_http_gw_auth_metrics_revocations,
      offsetof(ngx_gw_revocations_stats_t, malformed) },

    { "gw_auth_revocations_polls_total", "counter",
      "Questions to Redis for new revocations.",
      ngx_http_gw_auth_metrics_revocations,
      offsetof(ngx_gw_revocations_stats_t, polls) },

    { "gw_auth_revocations_failures_total", "counter",
      "Questions to Redis for new revocations that failed.",
      ngx_http_gw_auth_metrics_revocations,
      offsetof(ngx_gw_revocations_stats_t, failures) },

    { "gw_auth_zone_resets_total", "counter",
      "Shared zones emptied since a worker had died in them.",
      ngx_http_gw_auth_metrics_resets, 0 },

    { NULL, NULL, NULL, NULL, 0 }
};


ngx_int_t
ngx_http_gw_auth_metrics(ngx_http_request_t *r, ngx_str_t *text)
{
    size_t                                    size;
    ngx_http_gw_auth_metrics_t                page;
    ngx_http_gw_auth_main_conf_t             *gamcf;
    const ngx_http_gw_auth_metrics_family_t  *family;

    gamcf = ngx_http_get_module_main_conf(r, ngx_http_gw_auth_module);

    ngx_str_null(text);

    if (gamcf->state == NULL) {
        return NGX_OK;
    }

    ngx_memzero(&page, sizeof(ngx_http_gw_auth_metrics_t));

    page.gamcf = gamcf;
    page.providers = gamcf->providers.elts;
    page.slots = ngx_gw_zone_block(gamcf->state);

    for (size = ngx_http_gw_auth_metrics_size(gamcf);
         size <= NGX_HTTP_GW_AUTH_METRICS_MAX;
         size *= 2)
    {
        text->data = ngx_pnalloc(r->pool, size);
        if (text->data == NULL) {
            return NGX_ERROR;
        }

        page.out.pos = (char *) text->data;
        page.out.last = page.out.pos + size;
        page.out.rc = GW_OK;

        for (family = ngx_http_gw_auth_metrics_families;
             family->name;
             family++)
        {
            page.name = family->name;
            page.type = family->type;
            page.help = family->help;
            page.begun = 0;

            family->write(&page, family->what);
        }

        if (page.out.rc == GW_OK) {
            text->len = (u_char *) page.out.pos - text->data;
            return NGX_OK;
        }

        (void) ngx_pfree(r->pool, text->data);
    }

    ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                  "gw auth: the metrics exceed %d bytes",
                  NGX_HTTP_GW_AUTH_METRICS_MAX);

    return NGX_ERROR;
}


/* an escaped name is twice as long at most */

static size_t
ngx_http_gw_auth_metrics_size(const ngx_http_gw_auth_main_conf_t *gamcf)
{
    size_t                         size, lines;
    ngx_uint_t                     i;
    ngx_http_gw_auth_provider_t  **provider;

    size = NGX_HTTP_GW_AUTH_METRICS_LINES * NGX_HTTP_GW_AUTH_METRICS_LINE;

    lines = NGX_HTTP_GW_AUTH_REASON_MAX + NGX_HTTP_GW_AUTH_C_MAX
            + NGX_HTTP_GW_AUTH_BOUNDS + 16;

    provider = gamcf->providers.elts;

    for (i = 0; i < gamcf->providers.nelts; i++) {
        size += lines * (NGX_HTTP_GW_AUTH_METRICS_LINE
                         + 2 * provider[i]->name.len);
    }

    return size;
}


/* a family without samples is left out */

void
ngx_http_gw_auth_metrics_head(ngx_http_gw_auth_metrics_t *page)
{
    if (!page->begun) {
        gw_prom_family(&page->out, page->name, page->type, page->help);
        page->begun = 1;
    }
}


void
ngx_http_gw_auth_metrics_provider(gw_prom_label_t *label,
    const ngx_http_gw_auth_provider_t *provider)
{
    label->name = "provider";
    label->value.len = provider ? provider->name.len : 0;
    label->value.data = provider ? (const char *) provider->name.data : "";
}


void
ngx_http_gw_auth_metrics_text(gw_prom_label_t *label, const char *name,
    const char *value)
{
    label->name = name;
    label->value.len = ngx_strlen(value);
    label->value.data = value;
}


static void
ngx_http_gw_auth_metrics_decisions(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what)
{
    uint64_t         value;
    ngx_uint_t       i, n, reason;
    gw_prom_label_t  labels[2];

    n = page->gamcf->providers.nelts;

    for (i = 0; i <= n; i++) {

        ngx_http_gw_auth_metrics_provider(&labels[0],
                                          i < n ? page->providers[i] : NULL);

        for (reason = 0; reason < NGX_HTTP_GW_AUTH_REASON_MAX; reason++) {

            value = page->slots[i].decisions[reason];

            if (value == 0) {
                continue;
            }

            ngx_http_gw_auth_metrics_text(&labels[1], "result",
                                        ngx_http_gw_auth_reason_name(reason));

            ngx_http_gw_auth_metrics_head(page);
            gw_prom_sample(&page->out, page->name, labels, 2, value);
        }
    }
}


static void
ngx_http_gw_auth_metrics_counter(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what)
{
    ngx_uint_t                          i;
    gw_prom_label_t                     label;
    const ngx_http_gw_auth_provider_t  *provider;

    for (i = 0; i < page->gamcf->providers.nelts; i++) {

        provider = page->providers[i];

        if (what == NGX_HTTP_GW_AUTH_C_FALLBACK && provider->fallback == NULL)
        {
            continue;
        }

        ngx_http_gw_auth_metrics_provider(&label, provider);

        ngx_http_gw_auth_metrics_head(page);
        gw_prom_sample(&page->out, page->name, &label, 1,
                       page->slots[i].counters[what]);
    }
}


static void
ngx_http_gw_auth_metrics_signed(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what)
{
    ngx_uint_t  i;
    uint64_t    value;

    value = 0;

    for (i = 0; i <= page->gamcf->providers.nelts; i++) {
        value += page->slots[i].counters[NGX_HTTP_GW_AUTH_C_SIGNED];
    }

    ngx_http_gw_auth_metrics_head(page);
    gw_prom_sample(&page->out, page->name, NULL, 0, value);
}


static void
ngx_http_gw_auth_metrics_upstream(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what)
{
    ngx_uint_t       i, n;
    gw_prom_label_t  labels[2];

    static const struct {
        const char                  *result;
        ngx_http_gw_auth_counter_e   counter;
    } results[] = {
        { "asked", NGX_HTTP_GW_AUTH_C_ASKED },
        { "joined", NGX_HTTP_GW_AUTH_C_JOINED },
        { "failed", NGX_HTTP_GW_AUTH_C_FAILED },
        { "busy", NGX_HTTP_GW_AUTH_C_BUSY },
        { "open", NGX_HTTP_GW_AUTH_C_OPEN },
        { NULL, NGX_HTTP_GW_AUTH_C_MAX }
    };

    for (i = 0; i < page->gamcf->providers.nelts; i++) {

        if (page->providers[i]->kind == NGX_HTTP_GW_AUTH_JWT) {
            continue;
        }

        ngx_http_gw_auth_metrics_provider(&labels[0], page->providers[i]);

        for (n = 0; results[n].result; n++) {

            ngx_http_gw_auth_metrics_text(&labels[1], "result",
                                          results[n].result);

            ngx_http_gw_auth_metrics_head(page);
            gw_prom_sample(&page->out, page->name, labels, 2,
                           page->slots[i].counters[results[n].counter]);
        }
    }
}


static void
ngx_http_gw_auth_metrics_latency(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what)
{
    uint64_t         counts[NGX_HTTP_GW_AUTH_BOUNDS + 1];
    ngx_uint_t       i, n;
    gw_prom_label_t  label;

    for (i = 0; i < page->gamcf->providers.nelts; i++) {

        if (page->providers[i]->kind != NGX_HTTP_GW_AUTH_INTROSPECT) {
            continue;
        }

        for (n = 0; n <= NGX_HTTP_GW_AUTH_BOUNDS; n++) {
            counts[n] = page->slots[i].latency[n];
        }

        ngx_http_gw_auth_metrics_provider(&label, page->providers[i]);

        ngx_http_gw_auth_metrics_head(page);
        gw_prom_histogram(&page->out, page->name, &label, 1,
                          ngx_http_gw_auth_bounds, NGX_HTTP_GW_AUTH_BOUNDS,
                          counts, page->slots[i].usec);
    }
}


static void
ngx_http_gw_auth_metrics_breaker(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what)
{
    ngx_uint_t       i;
    gw_prom_label_t  label;

    for (i = 0; i < page->gamcf->providers.nelts; i++) {

        if (page->providers[i]->kind == NGX_HTTP_GW_AUTH_JWT) {
            continue;
        }

        ngx_http_gw_auth_metrics_provider(&label, page->providers[i]);

        ngx_http_gw_auth_metrics_head(page);
        gw_prom_sample(&page->out, page->name, &label, 1,
                       page->slots[i].breaker.until != 0);
    }
}
