
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_metrics.h"
#include "ngx_http_gw_ratelimit_policy.h"

#include "gw_prom.h"


/* a line with its labels, and lines besides those of the limits */

#define NGX_HTTP_GW_RATELIMIT_METRICS_LINE   256
#define NGX_HTTP_GW_RATELIMIT_METRICS_LINES  128

#define NGX_HTTP_GW_RATELIMIT_METRICS_MAX    (16 * 1024 * 1024)


typedef struct {
    gw_prom_t                   out;
    ngx_gw_buckets_t           *buckets;
    ngx_gw_buckets_slot_t      *slots;
    ngx_gw_buckets_counters_t  *counters;
    gw_memo_stats_t             memo;
    gw_lease_stats_t            lease;
    ngx_gw_tiers_stats_t        tiers;

    /* the family that is written */

    const char                 *name;
    const char                 *type;
    const char                 *help;

    unsigned                    begun:1;
    unsigned                    list:1;     /* tiers are kept in Redis */
} ngx_http_gw_ratelimit_metrics_t;


typedef void (*ngx_http_gw_ratelimit_metrics_pt)(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);


typedef struct {
    const char                        *name;
    const char                        *type;
    const char                        *help;
    ngx_http_gw_ratelimit_metrics_pt   write;
    ngx_uint_t                         what;
} ngx_http_gw_ratelimit_metrics_family_t;


static ngx_int_t ngx_http_gw_ratelimit_metrics_page(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_metrics_t *page, ngx_str_t *text);
static void ngx_http_gw_ratelimit_metrics_collect(
    ngx_http_gw_ratelimit_metrics_t *page,
    const ngx_http_gw_ratelimit_main_conf_t *grmcf);
static size_t ngx_http_gw_ratelimit_metrics_size(
    const ngx_http_gw_ratelimit_metrics_t *page);

static void ngx_http_gw_ratelimit_metrics_decisions(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_ratelimit_metrics_latency(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_ratelimit_metrics_failures(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_ratelimit_metrics_counter(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_ratelimit_metrics_tokens(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_ratelimit_metrics_held(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_ratelimit_metrics_tables(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_ratelimit_metrics_resets(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_ratelimit_metrics_nodes(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_ratelimit_metrics_tiers(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_ratelimit_metrics_read(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);
static void ngx_http_gw_ratelimit_metrics_age(
    ngx_http_gw_ratelimit_metrics_t *page, ngx_uint_t what);

static void ngx_http_gw_ratelimit_metrics_put(
    ngx_http_gw_ratelimit_metrics_t *page, const gw_prom_label_t *labels,
    size_t n, uint64_t value);
static void ngx_http_gw_ratelimit_metrics_text(gw_prom_label_t *label,
    const char *name, const char *value);
static void ngx_http_gw_ratelimit_metrics_limit(gw_prom_label_t *label,
    const ngx_gw_buckets_slot_t *slot);


extern ngx_module_t  ngx_http_gw_ratelimit_module;


/* the numbers that both tables have */

enum {
    NGX_HTTP_GW_RATELIMIT_METRICS_USED = 0,
    NGX_HTTP_GW_RATELIMIT_METRICS_RECORDS,
    NGX_HTTP_GW_RATELIMIT_METRICS_EVICTED
};


static const ngx_http_gw_ratelimit_metrics_family_t
    ngx_http_gw_ratelimit_metrics_families[] =
{
    { "gw_ratelimit_decisions_total", "counter",
      "Limits decided, by the limit and what became of it.",
      ngx_http_gw_ratelimit_metrics_decisions, 0 },

    { "gw_ratelimit_decision_seconds", "histogram",
      "How long the answers of Redis took.",
      ngx_http_gw_ratelimit_metrics_latency, 0 },

    { "gw_ratelimit_redis_failures_total", "counter",
      "Questions to Redis without a decision, by the cause.",
      ngx_http_gw_ratelimit_metrics_failures, 0 },

    { "gw_ratelimit_lease_refills_total", "counter",
      "Leases that were filled up ahead.",
      ngx_http_gw_ratelimit_metrics_counter,
      offsetof(ngx_gw_buckets_counters_t, refills) },

    { "gw_ratelimit_lease_tokens_total", "counter",
      "Tokens leased, given back unspent, and lost instead.",
      ngx_http_gw_ratelimit_metrics_tokens, 0 },

    { "gw_ratelimit_lease_tokens_held", "gauge",
      "Tokens in the leases of this machine.",
      ngx_http_gw_ratelimit_metrics_held, 0 },

    { "gw_ratelimit_zone_records", "gauge",
      "Records used, of the memory and of the leases.",
      ngx_http_gw_ratelimit_metrics_tables,
      NGX_HTTP_GW_RATELIMIT_METRICS_USED },

    { "gw_ratelimit_zone_records_max", "gauge",
      "Records there are.",
      ngx_http_gw_ratelimit_metrics_tables,
      NGX_HTTP_GW_RATELIMIT_METRICS_RECORDS },

    { "gw_ratelimit_zone_evictions_total", "counter",
      "Records overwritten while they still held.",
      ngx_http_gw_ratelimit_metrics_tables,
      NGX_HTTP_GW_RATELIMIT_METRICS_EVICTED },

    { "gw_ratelimit_zone_resets_total", "counter",
      "Times the zone was emptied since a worker had died in it.",
      ngx_http_gw_ratelimit_metrics_resets, 0 },

    { "gw_ratelimit_nodes", "gauge",
      "Gateways that share the buckets, 0: not known.",
      ngx_http_gw_ratelimit_metrics_nodes, 0 },

    { "gw_ratelimit_heartbeats_total", "counter",
      "Heartbeats of this machine that Redis has taken.",
      ngx_http_gw_ratelimit_metrics_counter,
      offsetof(ngx_gw_buckets_counters_t, beats) },

    { "gw_ratelimit_tiers_read", "gauge",
      "Whether a good list of tiers was ever read.",
      ngx_http_gw_ratelimit_metrics_read, 0 },

    { "gw_ratelimit_tiers_age_seconds", "gauge",
      "Time since a good list of tiers was read.",
      ngx_http_gw_ratelimit_metrics_age, 0 },

    { "gw_ratelimit_tiers", "gauge",
      "Tiers in the list.",
      ngx_http_gw_ratelimit_metrics_tiers,
      offsetof(ngx_gw_tiers_stats_t, tiers) },

    { "gw_ratelimit_tiers_reads_total", "counter",
      "Times the list of tiers was read.",
      ngx_http_gw_ratelimit_metrics_tiers,
      offsetof(ngx_gw_tiers_stats_t, reads) },

    { "gw_ratelimit_tiers_failures_total", "counter",
      "Times Redis did not give the list of tiers.",
      ngx_http_gw_ratelimit_metrics_tiers,
      offsetof(ngx_gw_tiers_stats_t, failures) },

    { "gw_ratelimit_tiers_refused_total", "counter",
      "Lists of tiers that were not valid.",
      ngx_http_gw_ratelimit_metrics_tiers,
      offsetof(ngx_gw_tiers_stats_t, refused) },

    { "gw_ratelimit_tiers_changes_total", "counter",
      "Lists of tiers that differed from the one before.",
      ngx_http_gw_ratelimit_metrics_tiers,
      offsetof(ngx_gw_tiers_stats_t, changes) },

    { NULL, NULL, NULL, NULL, 0 }
};


ngx_int_t
ngx_http_gw_ratelimit_metrics(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                           text;
    ngx_http_gw_ratelimit_metrics_t     page;
    ngx_http_gw_ratelimit_main_conf_t  *grmcf;

    grmcf = ngx_http_get_module_main_conf(r, ngx_http_gw_ratelimit_module);

    if (grmcf->buckets == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    ngx_http_gw_ratelimit_metrics_collect(&page, grmcf);

    if (ngx_http_gw_ratelimit_metrics_page(r, &page, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = text.len;
    v->data = text.data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_metrics_page(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_metrics_t *page, ngx_str_t *text)
{
    size_t                                         size;
    const ngx_http_gw_ratelimit_metrics_family_t  *family;

    for (size = ngx_http_gw_ratelimit_metrics_size(page);
         size <= NGX_HTTP_GW_RATELIMIT_METRICS_MAX;
         size *= 2)
    {
        text->data = ngx_pnalloc(r->pool, size);
        if (text->data == NULL) {
            return NGX_ERROR;
        }

        page->out.pos = (char *) text->data;
        page->out.last = page->out.pos + size;
        page->out.rc = GW_OK;

        for (family = ngx_http_gw_ratelimit_metrics_families;
             family->name;
             family++)
        {
            page->name = family->name;
            page->type = family->type;
            page->help = family->help;
            page->begun = 0;

            family->write(page, family->what);
        }

        if (page->out.rc == GW_OK) {
            text->len = (u_char *) page->out.pos - text->data;
            return NGX_OK;
        }

        (void) ngx_pfree(r->pool, text->data);
    }

    ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                  "gw ratelimit: the metrics exceed %d bytes",
                  NGX_HTTP_GW_RATELIMIT_METRICS_MAX);

    return NGX_ERROR;
}


/* nothing is written under the lock */

static void
ngx_http_gw_ratelimit_metrics_collect(ngx_http_gw_ratelimit_metrics_t *page,
    const ngx_http_gw_ratelimit_main_conf_t *grmcf)
{
    ngx_gw_buckets_tables_t  *tables;

    ngx_memzero(page, sizeof(ngx_http_gw_ratelimit_metrics_t));

    page->buckets = grmcf->buckets;
    page->slots = ngx_gw_buckets_slots(grmcf->buckets);
    page->counters = ngx_gw_buckets_counters(grmcf->buckets);

    tables = ngx_gw_buckets_lock(grmcf->buckets);

    gw_memo_stats(tables->memo, &page->memo);
    gw_lease_stats(tables->lease, &page->lease);

    ngx_gw_buckets_unlock(grmcf->buckets);

    if (grmcf->list.key.len) {
        ngx_gw_tiers_stats(&grmcf->list, &page->tiers);
        page->list = 1;
    }
}


static size_t
ngx_http_gw_ratelimit_metrics_size(
    const ngx_http_gw_ratelimit_metrics_t *page)
{
    ngx_uint_t  i, lines;

    lines = NGX_HTTP_GW_RATELIMIT_METRICS_LINES;

    for (i = 0; i < NGX_GW_BUCKETS_SLOTS; i++) {
        if (page->slots[i].len) {
            lines += NGX_GW_BUCKETS_RESULTS;
        }
    }

    return lines * NGX_HTTP_GW_RATELIMIT_METRICS_LINE;
}


static void
ngx_http_gw_ratelimit_metrics_decisions(ngx_http_gw_ratelimit_metrics_t *page,
    ngx_uint_t what)
{
    uint64_t         value;
    ngx_uint_t       i, n;
    gw_prom_label_t  labels[2];

    for (i = 0; i < NGX_GW_BUCKETS_SLOTS; i++) {

        if (page->slots[i].len == 0) {
            continue;
        }

        ngx_http_gw_ratelimit_metrics_limit(&labels[0], &page->slots[i]);

        for (n = 0; n < NGX_GW_BUCKETS_RESULTS; n++) {

            value = page->slots[i].results[n];

            if (value == 0) {
                continue;
            }

            ngx_http_gw_ratelimit_metrics_text(&labels[1], "result",
                (const char *) ngx_http_gw_ratelimit_policy_result(n)->data);

            ngx_http_gw_ratelimit_metrics_put(page, labels, 2, value);
        }
    }
}


static void
ngx_http_gw_ratelimit_metrics_latency(ngx_http_gw_ratelimit_metrics_t *page,
    ngx_uint_t what)
{
    uint64_t                counts[NGX_GW_BUCKETS_NBOUNDS + 1];
    ngx_uint_t              i;
    static const uint32_t   bounds[] = NGX_GW_BUCKETS_BOUNDS;

    for (i = 0; i <= NGX_GW_BUCKETS_NBOUNDS; i++) {
        counts[i] = page->counters->took[i];
    }

    gw_prom_family(&page->out, page->name, page->type, page->help);
    gw_prom_histogram(&page->out, page->name, NULL, 0, bounds,
                      NGX_GW_BUCKETS_NBOUNDS, counts,
                      page->counters->took_us);
}


static void
ngx_http_gw_ratelimit_metrics_failures(ngx_http_gw_ratelimit_metrics_t *page,
    ngx_uint_t what)
{
    ngx_uint_t       i;
    gw_prom_label_t  label;

    /* by ngx_gw_redis_failure_e; the first one is none */

    static const char *const  causes[NGX_GW_REDIS_FAILURES] =
        { NULL, "error", "timed_out", "lost", "unavailable", "busy" };

    for (i = NGX_GW_REDIS_OK + 1; i < NGX_GW_REDIS_FAILURES; i++) {
        ngx_http_gw_ratelimit_metrics_text(&label, "cause", causes[i]);
        ngx_http_gw_ratelimit_metrics_put(page, &label, 1,
                                          page->counters->failures[i]);
    }

    ngx_http_gw_ratelimit_metrics_text(&label, "cause", "invalid");
    ngx_http_gw_ratelimit_metrics_put(page, &label, 1,
                                      page->counters->invalid);
}


static void
ngx_http_gw_ratelimit_metrics_counter(ngx_http_gw_ratelimit_metrics_t *page,
    ngx_uint_t what)
{
    ngx_http_gw_ratelimit_metrics_put(page, NULL, 0,
                       *(ngx_atomic_t *) ((u_char *) page->counters + what));
}


static void
ngx_http_gw_ratelimit_metrics_tokens(ngx_http_gw_ratelimit_metrics_t *page,
    ngx_uint_t what)
{
    gw_prom_label_t  label;

    ngx_http_gw_ratelimit_metrics_text(&label, "event", "leased");
    ngx_http_gw_ratelimit_metrics_put(page, &label, 1,
                                      page->counters->leased);

    ngx_http_gw_ratelimit_metrics_text(&label, "event", "returned");
    ngx_http_gw_ratelimit_metrics_put(page, &label, 1,
                                      page->counters->returned);

    ngx_http_gw_ratelimit_metrics_text(&label, "event", "lost");
    ngx_http_gw_ratelimit_metrics_put(page, &label, 1,
                                      page->counters->give_failed);
}


static void
ngx_http_gw_ratelimit_metrics_held(ngx_http_gw_ratelimit_metrics_t *page,
    ngx_uint_t what)
{
    ngx_http_gw_ratelimit_metrics_put(page, NULL, 0, page->lease.tokens);
}


static void
ngx_http_gw_ratelimit_metrics_tables(ngx_http_gw_ratelimit_metrics_t *page,
    ngx_uint_t what)
{
    gw_prom_label_t  label;

    const uint64_t   memo[] =
        { page->memo.used, page->memo.records, page->memo.evicted };

    const uint64_t   lease[] =
        { page->lease.used, page->lease.records, page->lease.evicted };

    ngx_http_gw_ratelimit_metrics_text(&label, "table", "memory");
    ngx_http_gw_ratelimit_metrics_put(page, &label, 1, memo[what]);

    ngx_http_gw_ratelimit_metrics_text(&label, "table", "leases");
    ngx_http_gw_ratelimit_metrics_put(page, &label, 1, lease[what]);
}


static void
ngx_http_gw_ratelimit_metrics_resets(ngx_http_gw_ratelimit_metrics_t *page,
    ngx_uint_t what)
{
    ngx_http_gw_ratelimit_metrics_put(page, NULL, 0,
                                      ngx_gw_buckets_resets(page->buckets));
}


static void
ngx_http_gw_ratelimit_metrics_nodes(ngx_http_gw_ratelimit_metrics_t *page,
    ngx_uint_t what)
{
    ngx_http_gw_ratelimit_metrics_put(page, NULL, 0,
                                      ngx_gw_buckets_nodes(page->buckets));
}


static void
ngx_http_gw_ratelimit_metrics_tiers(ngx_http_gw_ratelimit_metrics_t *page,
    ngx_uint_t what)
{
    if (page->list) {
        ngx_http_gw_ratelimit_metrics_put(page, NULL, 0,
                        *(ngx_uint_t *) ((u_char *) &page->tiers + what));
    }
}


static void
ngx_http_gw_ratelimit_metrics_read(ngx_http_gw_ratelimit_metrics_t *page,
    ngx_uint_t what)
{
    if (page->list) {
        ngx_http_gw_ratelimit_metrics_put(page, NULL, 0, page->tiers.read);
    }
}


static void
ngx_http_gw_ratelimit_metrics_age(ngx_http_gw_ratelimit_metrics_t *page,
    ngx_uint_t what)
{
    if (page->list && page->tiers.read) {
        gw_prom_family(&page->out, page->name, page->type, page->help);
        gw_prom_seconds(&page->out, page->name, NULL, 0, page->tiers.age);
    }
}


/* a family without samples is left out */

static void
ngx_http_gw_ratelimit_metrics_put(ngx_http_gw_ratelimit_metrics_t *page,
    const gw_prom_label_t *labels, size_t n, uint64_t value)
{
    if (!page->begun) {
        gw_prom_family(&page->out, page->name, page->type, page->help);
        page->begun = 1;
    }

    gw_prom_sample(&page->out, page->name, labels, n, value);
}


static void
ngx_http_gw_ratelimit_metrics_text(gw_prom_label_t *label, const char *name,
    const char *value)
{
    label->name = name;
    label->value.len = ngx_strlen(value);
    label->value.data = value;
}


static void
ngx_http_gw_ratelimit_metrics_limit(gw_prom_label_t *label,
    const ngx_gw_buckets_slot_t *slot)
{
    label->name = "limit";
    label->value.len = slot->len;
    label->value.data = slot->name;
}
