
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_usage_event.h"
#include "ngx_http_gw_usage_measure.h"

#include "gw_journal.h"


static ngx_int_t ngx_http_gw_usage_event_peek(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_interim_t *interim);
static void ngx_http_gw_usage_event_told(ngx_http_gw_usage_totals_t *told,
    const ngx_http_gw_usage_totals_t *totals);
static ngx_uint_t ngx_http_gw_usage_event_wanted(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx);
static void ngx_http_gw_usage_event_freeze(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w);
static ngx_int_t ngx_http_gw_usage_event_enter(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w);
static size_t ngx_http_gw_usage_event_room(ngx_http_gw_usage_ctx_t *ctx,
    ngx_http_gw_usage_worker_t *w, gw_usage_record_t *rec);
static void ngx_http_gw_usage_event_strings(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w,
    gw_usage_record_t *rec);

static void ngx_http_gw_usage_event_rest(gw_usage_record_t *rec,
    const ngx_http_gw_usage_totals_t *totals,
    const ngx_http_gw_usage_interim_t *interim);
static uint64_t ngx_http_gw_usage_event_units(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w);
static void ngx_http_gw_usage_event_fields(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, gw_usage_field_t *fields);
static void ngx_http_gw_usage_event_ask(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, gw_usage_record_t *rec);
static ngx_int_t ngx_http_gw_usage_event_append(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w,
    ngx_gw_journal_ticket_t *ticket, gw_usage_record_t *rec);

static gw_str_t ngx_http_gw_usage_event_complex(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv);
static gw_str_t ngx_http_gw_usage_event_variable(ngx_http_request_t *r,
    ngx_int_t index);
static ngx_uint_t ngx_http_gw_usage_event_is(ngx_http_request_t *r,
    ngx_int_t index, const char *text, size_t len);


extern ngx_module_t  ngx_http_gw_usage_module;


ngx_int_t
ngx_http_gw_usage_event_admit(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w)
{
    if (!ngx_http_gw_usage_event_wanted(r, ctx)) {
        ctx->skipped = 1;
        return NGX_OK;
    }

    ngx_http_gw_usage_event_freeze(r, ctx, w);

    if (ctx->conf->interval) {
        ctx->interim = ngx_http_gw_usage_interim_create(r, ctx);
        if (ctx->interim == NULL) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_gw_usage_event_enter(r, ctx, w) != NGX_OK) {
        ctx->skipped = 1;
        return NGX_DECLINED;
    }

    ctx->sequence = ctx->ticket.sequence;
    ctx->admitted = 1;

    if (ctx->interim) {
        ngx_http_gw_usage_interim_start(ctx->interim);
    }

    return NGX_OK;
}


void
ngx_http_gw_usage_event_final(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w)
{
    gw_usage_record_t           rec;
    ngx_http_gw_usage_totals_t  totals;

    if (!ctx->admitted) {

        if (!ngx_http_gw_usage_event_wanted(r, ctx)) {
            ctx->skipped = 1;
            return;
        }

        ngx_http_gw_usage_event_freeze(r, ctx, w);

        ngx_gw_journal_number(w->journal, &ctx->ticket);
        ctx->sequence = ctx->ticket.sequence;
    }

    ngx_http_gw_usage_event_strings(r, ctx, w, &rec);
    ngx_http_gw_usage_measure_totals(r, ctx, &totals);
    ngx_http_gw_usage_event_rest(&rec, &totals, ctx->interim);

    rec.upstream = ngx_http_gw_usage_measure_upstream(r);
    rec.interim = 0;

    if (ctx->fixed) {
        rec.units = ctx->units;
        rec.fields = ctx->fields;
        rec.limited = ctx->limited;
        rec.degraded = ctx->degraded;

    } else {
        rec.units = ngx_http_gw_usage_event_units(r, ctx, w);
        rec.fields = w->fields;
        ngx_http_gw_usage_event_fields(r, ctx, w->fields);
        ngx_http_gw_usage_event_ask(r, ctx, &rec);
    }

    (void) ngx_http_gw_usage_event_append(r, ctx, w, &ctx->ticket, &rec);
}


void
ngx_http_gw_usage_event_interim(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w)
{
    gw_usage_record_t             rec;
    ngx_gw_journal_ticket_t       ticket;
    ngx_http_gw_usage_totals_t    totals;
    ngx_http_gw_usage_interim_t  *interim;

    interim = ctx->interim;

    if (!interim->asked && ctx->fixed) {
        interim->asked = 1;
        interim->fields = ctx->fields;
        interim->limited = ctx->limited;
        interim->degraded = ctx->degraded;
    }

    if (!interim->asked) {
        if (ngx_http_gw_usage_event_peek(r, ctx, interim) != NGX_OK) {
            return;
        }
    }

    ngx_memzero(&ticket, sizeof(ngx_gw_journal_ticket_t));
    ngx_gw_journal_number(w->journal, &ticket);

    ngx_http_gw_usage_event_strings(r, ctx, w, &rec);
    ngx_http_gw_usage_measure_totals(r, ctx, &totals);
    ngx_http_gw_usage_event_rest(&rec, &totals, interim);

    rec.upstream = -1;
    rec.units = 0;
    rec.interim = 1;
    rec.fields = interim->fields;
    rec.limited = interim->limited;
    rec.degraded = interim->degraded;

    if (ngx_http_gw_usage_event_append(r, ctx, w, &ticket, &rec) == NGX_OK) {
        ngx_http_gw_usage_event_told(&interim->told, &totals);
    }
}


/* variables must not keep what they are now: the end may ask for them, too */

static ngx_int_t
ngx_http_gw_usage_event_peek(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_interim_t *interim)
{
    size_t                      size;
    gw_usage_record_t           rec;
    ngx_http_core_main_conf_t  *cmcf;
    ngx_http_variable_value_t  *saved;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    size = cmcf->variables.nelts * sizeof(ngx_http_variable_value_t);

    saved = ngx_palloc(r->pool, size);
    if (saved == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(saved, r->variables, size);

    ngx_http_gw_usage_event_fields(r, ctx, interim->fields);
    ngx_http_gw_usage_event_ask(r, ctx, &rec);

    ngx_memcpy(r->variables, saved, size);
    (void) ngx_pfree(r->pool, saved);

    interim->limited = rec.limited;
    interim->degraded = rec.degraded;
    interim->asked = 1;

    return NGX_OK;
}


/* the most of each, for a clock may go back and on again */

static void
ngx_http_gw_usage_event_told(ngx_http_gw_usage_totals_t *told,
    const ngx_http_gw_usage_totals_t *totals)
{
    told->bytes_in = ngx_max(told->bytes_in, totals->bytes_in);
    told->bytes_out = ngx_max(told->bytes_out, totals->bytes_out);
    told->duration = ngx_max(told->duration, totals->duration);
}


ngx_int_t
ngx_http_gw_usage_event_fix(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w)
{
    u_char             *p;
    ngx_uint_t          n;
    gw_usage_record_t   rec;

    n = ctx->conf->fields ? ctx->conf->fields->nelts : 0;

    if (n) {
        ctx->fields = ngx_palloc(r->pool, n * sizeof(gw_usage_field_t));
        if (ctx->fields == NULL) {
            return NGX_ERROR;
        }
    }

    p = ngx_pnalloc(r->pool, ctx->method.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, ctx->method.data, ctx->method.len);
    ctx->method.data = (const char *) p;

    ctx->units = ngx_http_gw_usage_event_units(r, ctx, w);
    ngx_http_gw_usage_event_fields(r, ctx, ctx->fields);
    ngx_http_gw_usage_event_ask(r, ctx, &rec);

    ctx->limited = rec.limited;
    ctx->degraded = rec.degraded;
    ctx->fixed = 1;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_gw_usage_event_wanted(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx)
{
    gw_str_t  s;

    if (ctx->conf->condition == NULL) {
        return 1;
    }

    s = ngx_http_gw_usage_event_complex(r, ctx->conf->condition);

    return s.len && !(s.len == 1 && s.data[0] == '0');
}


static void
ngx_http_gw_usage_event_freeze(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w)
{
    gw_str_t                             key;
    ngx_uint_t                           n;
    ngx_http_gw_usage_main_conf_t       *gumcf;
    const ngx_http_gw_usage_loc_conf_t  *conf;

    conf = ctx->conf;
    gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);

    ctx->api = ngx_http_gw_usage_event_complex(r, conf->api);
    ctx->subject = conf->subject
                   ? ngx_http_gw_usage_event_complex(r, conf->subject)
                   : ngx_http_gw_usage_event_variable(r, gumcf->subject);
    ctx->tier = conf->tier
                ? ngx_http_gw_usage_event_complex(r, conf->tier)
                : ngx_http_gw_usage_event_variable(r, gumcf->tier);

    if (ctx->subject.len > GW_USAGE_MAX_SUBJECT
        && ngx_gw_log_pass(&w->log_subject, &n))
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gw usage: subject of %uz bytes left out, %ui more",
                      ctx->subject.len, n);
    }

    key = ngx_http_gw_usage_event_complex(r, conf->key);

    if (key.len <= GW_JOURNAL_MAX_KEY) {
        ctx->key.len = key.len;
        ctx->key.data = (u_char *) key.data;

    } else if (ngx_gw_log_pass(&w->log_key, &n)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gw usage: message key of %uz bytes left out, "
                      "%ui more", key.len, n);
    }
}


/* names the request in the table, and reserves room for its event */

static ngx_int_t
ngx_http_gw_usage_event_enter(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w)
{
    size_t                 room;
    gw_usage_record_t      rec;
    gw_inflight_request_t  req;

    ngx_http_gw_usage_event_strings(r, ctx, w, &rec);

    room = w->reserve ? ngx_http_gw_usage_event_room(ctx, w, &rec) : 0;

    req.sequence = 0;
    req.start = ngx_http_gw_usage_measure_start(r);
    req.request_id = rec.request_id;
    req.api = rec.api;
    req.subject = rec.subject;

    return ngx_gw_journal_admit(w->journal, &ctx->ticket, &req, room);
}


/* what the record of the final event can need */

static size_t
ngx_http_gw_usage_event_room(ngx_http_gw_usage_ctx_t *ctx,
    ngx_http_gw_usage_worker_t *w, gw_usage_record_t *rec)
{
    ngx_uint_t                        i;
    gw_journal_record_t               record;
    const ngx_http_gw_usage_field_t  *field;

    if (rec->nfields) {
        field = ctx->conf->fields->elts;

        for (i = 0; i < rec->nfields; i++) {
            w->fields[i].name = field[i].name;
        }
    }

    rec->fields = w->fields;

    ngx_memzero(&record, sizeof(gw_journal_record_t));

    record.type = GW_JOURNAL_EVENT;
    record.key.len = ctx->key.len;
    record.key.data = (char *) ctx->key.data;
    record.event.len = gw_usage_room(rec);

    return gw_journal_size(&record);
}


static void
ngx_http_gw_usage_event_strings(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w,
    gw_usage_record_t *rec)
{
    ngx_http_gw_usage_main_conf_t  *gumcf;

    gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);

    rec->source = w->source;
    rec->subject = ctx->subject;
    rec->api = ctx->api;
    rec->method = ctx->method;
    rec->tier = ctx->tier;
    rec->request_id = ngx_http_gw_usage_event_variable(r, gumcf->request_id);

    rec->nfields = ctx->conf->fields ? ctx->conf->fields->nelts : 0;
}


/* what earlier events did not tell */

static void
ngx_http_gw_usage_event_rest(gw_usage_record_t *rec,
    const ngx_http_gw_usage_totals_t *totals,
    const ngx_http_gw_usage_interim_t *interim)
{
    const ngx_http_gw_usage_totals_t  *told;

    rec->bytes_in = totals->bytes_in;
    rec->bytes_out = totals->bytes_out;
    rec->duration = totals->duration;

    if (interim == NULL) {
        return;
    }

    told = &interim->told;

    /* a clock may go back */

    rec->bytes_in -= ngx_min(told->bytes_in, totals->bytes_in);
    rec->bytes_out -= ngx_min(told->bytes_out, totals->bytes_out);
    rec->duration -= ngx_min(told->duration, totals->duration);
}


static uint64_t
ngx_http_gw_usage_event_units(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w)
{
    uint64_t    units;
    gw_str_t    s;
    ngx_uint_t  n;

    if (!ctx->admitted) {
        return 0;
    }

    if (ctx->conf->units == NULL) {
        return 1;
    }

    s = ngx_http_gw_usage_event_complex(r, ctx->conf->units);

    if (gw_usage_units(&s, &units) == GW_OK) {
        return units;
    }

    /* the value may be anybody's text */

    if (ngx_gw_log_pass(&w->log_units, &n)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gw usage: units are not a non-negative integer, "
                      "counted as 1, %ui more", n);
    }

    return 1;
}


static void
ngx_http_gw_usage_event_fields(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, gw_usage_field_t *fields)
{
    ngx_uint_t                  i;
    ngx_http_gw_usage_field_t  *field;

    if (ctx->conf->fields == NULL) {
        return;
    }

    field = ctx->conf->fields->elts;

    for (i = 0; i < ctx->conf->fields->nelts; i++) {
        fields[i].name = field[i].name;
        fields[i].value = ngx_http_gw_usage_event_complex(r, &field[i].value);
    }
}


/* what other modules say of the request */

static void
ngx_http_gw_usage_event_ask(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, gw_usage_record_t *rec)
{
    ngx_http_gw_usage_main_conf_t  *gumcf;

    gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);

    rec->limited = ngx_http_gw_usage_event_is(r, gumcf->limited, "limited",
                                              sizeof("limited") - 1);
    rec->degraded = ngx_http_gw_usage_event_is(r, gumcf->degraded, "1", 1);
}


static ngx_int_t
ngx_http_gw_usage_event_append(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w,
    ngx_gw_journal_ticket_t *ticket, gw_usage_record_t *rec)
{
    size_t       i;
    ngx_int_t    rc;
    ngx_str_t    event;
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    rec->generation = ngx_gw_journal_generation(w->journal);
    rec->sequence = ticket->sequence;
    rec->time = (int64_t) tp->sec * 1000 + (int64_t) tp->msec;
    rec->status = (unsigned) ngx_http_gw_usage_measure_status(r);

    event.data = w->event;
    event.len = gw_usage_write((char *) w->event, rec);

    rc = ngx_gw_journal_append(w->journal, ticket, &ctx->key, &event);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    /* there is room for what was promised: an event without fields */

    for (i = 0; i < rec->nfields; i++) {
        w->fields[i].name = rec->fields[i].name;
        w->fields[i].value.len = 0;
    }

    rec->fields = w->fields;
    event.len = gw_usage_write((char *) w->event, rec);

    return ngx_gw_journal_append(w->journal, ticket, &ctx->key, &event);
}


/* empty if there is no memory */

static gw_str_t
ngx_http_gw_usage_event_complex(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv)
{
    gw_str_t   s;
    ngx_str_t  value;

    s.len = 0;
    s.data = NULL;

    if (cv && ngx_http_complex_value(r, cv, &value) == NGX_OK) {
        s.len = value.len;
        s.data = (const char *) value.data;
    }

    return s;
}


static gw_str_t
ngx_http_gw_usage_event_variable(ngx_http_request_t *r, ngx_int_t index)
{
    gw_str_t                    s;
    ngx_http_variable_value_t  *vv;

    s.len = 0;
    s.data = NULL;

    if (index < 0) {
        return s;
    }

    vv = ngx_http_get_flushed_variable(r, index);

    if (vv && !vv->not_found) {
        s.len = vv->len;
        s.data = (const char *) vv->data;
    }

    return s;
}


static ngx_uint_t
ngx_http_gw_usage_event_is(ngx_http_request_t *r, ngx_int_t index,
    const char *text, size_t len)
{
    gw_str_t  s;

    s = ngx_http_gw_usage_event_variable(r, index);

    return s.len == len && ngx_memcmp(s.data, text, len) == 0;
}
