
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_usage_metrics.h"

#include "gw_prom.h"


/* a family: HELP, TYPE and its sample */

#define NGX_HTTP_GW_USAGE_METRICS_FAMILY  512


typedef struct {
    gw_prom_t                 out;
    ngx_uint_t                workers;
    ngx_gw_meter_counters_t  *counters;
    ngx_gw_meter_gauges_t     gauges;
} ngx_http_gw_usage_metrics_t;


typedef struct ngx_http_gw_usage_metrics_family_s
    ngx_http_gw_usage_metrics_family_t;


struct ngx_http_gw_usage_metrics_family_s {
    const char               *name;
    const char               *type;
    const char               *help;
    void                    (*write)(ngx_http_gw_usage_metrics_t *page,
                                 const ngx_http_gw_usage_metrics_family_t
                                     *family);
    size_t                    offset;
};


static void ngx_http_gw_usage_metrics_counter(
    ngx_http_gw_usage_metrics_t *page,
    const ngx_http_gw_usage_metrics_family_t *family);
static void ngx_http_gw_usage_metrics_gauge(ngx_http_gw_usage_metrics_t *page,
    const ngx_http_gw_usage_metrics_family_t *family);
static void ngx_http_gw_usage_metrics_seconds(
    ngx_http_gw_usage_metrics_t *page,
    const ngx_http_gw_usage_metrics_family_t *family);
static void ngx_http_gw_usage_metrics_workers(
    ngx_http_gw_usage_metrics_t *page,
    const ngx_http_gw_usage_metrics_family_t *family);


extern ngx_module_t  ngx_http_gw_usage_module;


static const ngx_http_gw_usage_metrics_family_t
    ngx_http_gw_usage_metrics_families[] =
{
    { "gw_usage_appended_total", "counter",
      "Records written to the journal, events and marks.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, appended) },

    { "gw_usage_appended_bytes_total", "counter",
      "Bytes of the records written to the journal.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, appended_bytes) },

    { "gw_usage_acknowledged_total", "counter",
      "Records that Kafka has acknowledged.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, acknowledged) },

    { "gw_usage_dropped_total", "counter",
      "Events lost because the journal was full, see full=drop.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, dropped) },

    { "gw_usage_rejected_total", "counter",
      "Requests refused because the journal was full, see full=reject.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, rejected) },

    { "gw_usage_dead_total", "counter",
      "Events that Kafka refuses for ever, put aside as dead letters.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, dead) },

    { "gw_usage_adopted_total", "counter",
      "Journals of workers that had died, taken over by others.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, adopted) },

    { "gw_usage_replayed_total", "counter",
      "Records sent to Kafka from such journals.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, replayed) },

    { "gw_usage_unfinished_total", "counter",
      "Events made for requests that the death of a worker cut off.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, unfinished) },

    { "gw_usage_unlisted_total", "counter",
      "Requests that the table of requests at work had no room for.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, unlisted) },

    { "gw_usage_corrupt_total", "counter",
      "Damaged places of the journal that were skipped.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, corrupt) },

    { "gw_usage_file_failures_total", "counter",
      "Operations on files of the journal that failed.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, failures) },

    { "gw_usage_syncs_total", "counter",
      "Times a file of the journal was synced to the disk.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, syncs) },

    { "gw_usage_producers_replaced_total", "counter",
      "Kafka producers replaced after a fatal error.",
      ngx_http_gw_usage_metrics_counter,
      offsetof(ngx_gw_meter_counters_t, producers) },

    { "gw_usage_workers", "gauge",
      "Workers that the gauges below are of.",
      ngx_http_gw_usage_metrics_workers, 0 },

    { "gw_usage_requests", "gauge",
      "Metered requests at work.",
      ngx_http_gw_usage_metrics_gauge,
      offsetof(ngx_gw_meter_gauges_t, requests) },

    { "gw_usage_pending", "gauge",
      "Records in the journal that Kafka has not acknowledged.",
      ngx_http_gw_usage_metrics_gauge,
      offsetof(ngx_gw_meter_gauges_t, pending) },

    { "gw_usage_in_flight", "gauge",
      "Those of them that the Kafka producers hold.",
      ngx_http_gw_usage_metrics_gauge,
      offsetof(ngx_gw_meter_gauges_t, in_flight) },

    { "gw_usage_oldest_seconds", "gauge",
      "Age of the oldest record that Kafka has not acknowledged.",
      ngx_http_gw_usage_metrics_seconds,
      offsetof(ngx_gw_meter_gauges_t, oldest) },

    { "gw_usage_sync_lag_seconds", "gauge",
      "Age of the oldest record that a power cut would lose.",
      ngx_http_gw_usage_metrics_seconds,
      offsetof(ngx_gw_meter_gauges_t, lag) },

    { "gw_usage_journal_bytes", "gauge",
      "Bytes of the files of the journal that living workers have.",
      ngx_http_gw_usage_metrics_gauge,
      offsetof(ngx_gw_meter_gauges_t, bytes) },

    { "gw_usage_journal_full", "gauge",
      "Workers whose journal has no room for an event.",
      ngx_http_gw_usage_metrics_gauge,
      offsetof(ngx_gw_meter_gauges_t, full) },

    { "gw_usage_journals_foreign", "gauge",
      "Journals without owner, but of another node, topic or cluster.",
      ngx_http_gw_usage_metrics_gauge,
      offsetof(ngx_gw_meter_gauges_t, foreign) },

    { NULL, NULL, NULL, NULL, 0 }
};


ngx_int_t
ngx_http_gw_usage_metrics(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t                                     size;
    u_char                                    *text;
    ngx_http_gw_usage_metrics_t                page;
    const ngx_http_gw_usage_main_conf_t       *gumcf;
    const ngx_http_gw_usage_metrics_family_t  *family;

    gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);

    if (gumcf->meter == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    size = sizeof(ngx_http_gw_usage_metrics_families)
           / sizeof(ngx_http_gw_usage_metrics_families[0])
           * NGX_HTTP_GW_USAGE_METRICS_FAMILY;

    text = ngx_pnalloc(r->pool, size);
    if (text == NULL) {
        return NGX_ERROR;
    }

    page.out.pos = (char *) text;
    page.out.last = page.out.pos + size;
    page.out.rc = GW_OK;

    page.counters = ngx_gw_meter_counters(gumcf->meter);
    ngx_gw_meter_gauges(gumcf->meter, &page.gauges, &page.workers);

    for (family = ngx_http_gw_usage_metrics_families; family->name; family++) {
        gw_prom_family(&page.out, family->name, family->type, family->help);
        family->write(&page, family);
    }

    if (page.out.rc != GW_OK) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "gw usage: the metrics exceed %uz bytes", size);
        return NGX_ERROR;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = (u_char *) page.out.pos - text;
    v->data = text;

    return NGX_OK;
}


static void
ngx_http_gw_usage_metrics_counter(ngx_http_gw_usage_metrics_t *page,
    const ngx_http_gw_usage_metrics_family_t *family)
{
    ngx_atomic_t  *counter;

    counter = (ngx_atomic_t *) ((u_char *) page->counters + family->offset);

    gw_prom_sample(&page->out, family->name, NULL, 0, *counter);
}


static void
ngx_http_gw_usage_metrics_gauge(ngx_http_gw_usage_metrics_t *page,
    const ngx_http_gw_usage_metrics_family_t *family)
{
    uint64_t  *gauge;

    gauge = (uint64_t *) ((u_char *) &page->gauges + family->offset);

    gw_prom_sample(&page->out, family->name, NULL, 0, *gauge);
}


static void
ngx_http_gw_usage_metrics_seconds(ngx_http_gw_usage_metrics_t *page,
    const ngx_http_gw_usage_metrics_family_t *family)
{
    uint64_t  *ms;

    ms = (uint64_t *) ((u_char *) &page->gauges + family->offset);

    gw_prom_seconds(&page->out, family->name, NULL, 0, *ms);
}


static void
ngx_http_gw_usage_metrics_workers(ngx_http_gw_usage_metrics_t *page,
    const ngx_http_gw_usage_metrics_family_t *family)
{
    gw_prom_sample(&page->out, family->name, NULL, 0, page->workers);
}
