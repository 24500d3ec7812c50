
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <sys/random.h>

#include "gw_usage.h"
#include "ngx_gw_kafka.h"
#include "ngx_gw_log.h"
#include "ngx_http_gw_util.h"


#define NGX_HTTP_GW_USAGE_TOPIC         "gw.usage"
#define NGX_HTTP_GW_USAGE_CONTENT_TYPE                                        \
    "application/cloudevents+json; charset=UTF-8"


/* a variable of another module, which may be absent */

typedef struct {
    ngx_str_t                      name;
    ngx_uint_t                     hash;
} ngx_http_gw_usage_name_t;


typedef struct {
    uint64_t                       generation;
    uint64_t                       sequence;    /* the last one given out */
    uint64_t                       dropped;

    ngx_str_t                      key;         /* the generation as text */
    ngx_str_t                      source;
    ngx_gw_kafka_t                *kafka;

    ngx_gw_log_t                   log_dropped;
    ngx_gw_log_t                   log_units;
    ngx_gw_log_t                   log_subject;

    u_char                         event[GW_USAGE_MAX_EVENT];
} ngx_http_gw_usage_worker_t;


typedef struct {
    ngx_gw_kafka_conf_t           *kafka;
    ngx_http_gw_usage_worker_t    *worker;      /* set by init_process */

    ngx_int_t                      request_id;  /* index of the variable */
    ngx_http_gw_usage_name_t       subject;
    ngx_http_gw_usage_name_t       tier;
    ngx_http_gw_usage_name_t       limited;
    ngx_http_gw_usage_name_t       degraded;

    ngx_str_t                      file;        /* of the first "on" */
    ngx_uint_t                     line;
} ngx_http_gw_usage_main_conf_t;


typedef struct {
    ngx_flag_t                     enable;
    ngx_http_complex_value_t      *api;
    ngx_http_complex_value_t      *subject;
    ngx_http_complex_value_t      *tier;
    ngx_http_complex_value_t      *units;
} ngx_http_gw_usage_loc_conf_t;


typedef struct {
    const ngx_http_gw_usage_loc_conf_t  *conf;  /* of the first location */

    uint64_t                       sequence;    /* 0: not taken yet */
    ngx_str_t                      method;
    ngx_str_t                      subject;
    ngx_str_t                      api;
    ngx_str_t                      tier;

    unsigned                       admitted:1;
    unsigned                       error_page:1;
} ngx_http_gw_usage_ctx_t;


static ngx_int_t ngx_http_gw_usage_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_usage_precontent_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_usage_log_handler(ngx_http_request_t *r);
static void ngx_http_gw_usage_cleanup(void *data);
static ngx_http_gw_usage_ctx_t *ngx_http_gw_usage_get_ctx(
    ngx_http_request_t *r);
static void ngx_http_gw_usage_freeze(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w);
static ngx_str_t ngx_http_gw_usage_value(ngx_http_request_t *r,
    ngx_http_complex_value_t *cv, ngx_http_gw_usage_name_t *name);
static void ngx_http_gw_usage_record(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w,
    gw_usage_record_t *rec);
static uint64_t ngx_http_gw_usage_count(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w);
static ngx_uint_t ngx_http_gw_usage_status(ngx_http_request_t *r);
static int64_t ngx_http_gw_usage_upstream(ngx_http_request_t *r);
static gw_str_t ngx_http_gw_usage_slice(ngx_str_t *s);
static ngx_uint_t ngx_http_gw_usage_is(ngx_http_request_t *r,
    ngx_http_gw_usage_name_t *name, const char *text, size_t len);
static void ngx_http_gw_usage_append(ngx_http_gw_usage_worker_t *w,
    ngx_str_t *event, ngx_log_t *log);

static ngx_int_t ngx_http_gw_usage_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

static ngx_int_t ngx_http_gw_usage_add_variables(ngx_conf_t *cf);
static void *ngx_http_gw_usage_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_gw_usage_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_gw_usage_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_gw_usage_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_gw_usage_enabled(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_gw_usage_set_value(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_gw_usage_set_units(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_gw_usage_kafka(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_gw_usage_kafka_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_gw_kafka_conf_t *ngx_http_gw_usage_kafka_conf(ngx_conf_t *cf,
    ngx_http_gw_usage_main_conf_t *gumcf);
static ngx_int_t ngx_http_gw_usage_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_gw_usage_insert(ngx_array_t *handlers,
    ngx_http_handler_pt handler);
static void ngx_http_gw_usage_hash(ngx_http_gw_usage_name_t *name,
    const char *text);
static ngx_int_t ngx_http_gw_usage_init_process(ngx_cycle_t *cycle);
static void ngx_http_gw_usage_exit_process(ngx_cycle_t *cycle);


static ngx_conf_post_t  ngx_http_gw_usage_enabled_post =
    { ngx_http_gw_usage_enabled };


/* the longest constant that an event can carry */

static size_t  ngx_http_gw_usage_max_api = GW_USAGE_MAX_API;
static size_t  ngx_http_gw_usage_max_subject = GW_USAGE_MAX_SUBJECT;
static size_t  ngx_http_gw_usage_max_tier = GW_USAGE_MAX_TIER;


static ngx_command_t  ngx_http_gw_usage_commands[] = {

    { ngx_string("gw_usage"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_usage_loc_conf_t, enable),
      &ngx_http_gw_usage_enabled_post },

    { ngx_string("gw_usage_api"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gw_usage_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_usage_loc_conf_t, api),
      &ngx_http_gw_usage_max_api },

    { ngx_string("gw_usage_subject"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gw_usage_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_usage_loc_conf_t, subject),
      &ngx_http_gw_usage_max_subject },

    { ngx_string("gw_usage_tier"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gw_usage_set_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_usage_loc_conf_t, tier),
      &ngx_http_gw_usage_max_tier },

    { ngx_string("gw_usage_units"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gw_usage_set_units,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_usage_loc_conf_t, units),
      NULL },

    { ngx_string("gw_usage_kafka"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_gw_usage_kafka,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_usage_kafka_set"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_gw_usage_kafka_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_gw_usage_module_ctx = {
    ngx_http_gw_usage_add_variables,       /* preconfiguration */
    ngx_http_gw_usage_init,                /* postconfiguration */

    ngx_http_gw_usage_create_main_conf,    /* create main configuration */
    ngx_http_gw_usage_init_main_conf,      /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_gw_usage_create_loc_conf,     /* create location configuration */
    ngx_http_gw_usage_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_gw_usage_module = {
    NGX_MODULE_V1,
    &ngx_http_gw_usage_module_ctx,         /* module context */
    ngx_http_gw_usage_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_gw_usage_init_process,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_gw_usage_exit_process,        /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_gw_usage_vars[] = {

    { ngx_string("gw_usage_id"), NULL, ngx_http_gw_usage_id_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


/* the first pass decides, also that a request is not metered */

static ngx_int_t
ngx_http_gw_usage_preaccess_handler(ngx_http_request_t *r)
{
    ngx_http_gw_usage_ctx_t  *ctx;

    if (r != r->main || ngx_http_gw_usage_get_ctx(r)) {
        return NGX_DECLINED;
    }

    if (r->err_status) {

        /* the page of an error that came before */

        return NGX_DECLINED;
    }

    ctx = ngx_http_gw_state_create(r, &ngx_http_gw_usage_module,
                                   sizeof(ngx_http_gw_usage_ctx_t),
                                   ngx_http_gw_usage_cleanup);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->conf = ngx_http_get_module_loc_conf(r, ngx_http_gw_usage_module);

    /* error_page makes it GET, and may have brought us here */

    ctx->method = r->method_name;
    ctx->error_page = r->error_page;

    return NGX_DECLINED;
}


/* the last of its phase: the request goes to its content handler */

static ngx_int_t
ngx_http_gw_usage_precontent_handler(ngx_http_request_t *r)
{
    ngx_http_gw_usage_ctx_t        *ctx;
    ngx_http_gw_usage_worker_t     *w;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_gw_usage_get_ctx(r);

    if (ctx == NULL || !ctx->conf->enable || ctx->admitted) {
        return NGX_DECLINED;
    }

    if (r->err_status || r->error_page != ctx->error_page) {

        /* the page of a request that was rejected */

        return NGX_DECLINED;
    }

    gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);
    w = gumcf->worker;

    if (w == NULL) {
        return NGX_DECLINED;
    }

    ctx->admitted = 1;
    ngx_http_gw_usage_freeze(r, ctx, w);

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_gw_usage_log_handler(ngx_http_request_t *r)
{
    ngx_str_t                       event;
    gw_usage_record_t               rec;
    ngx_http_gw_usage_ctx_t        *ctx;
    ngx_http_gw_usage_worker_t     *w;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    if (r != r->main) {
        return NGX_OK;
    }

    ctx = ngx_http_gw_usage_get_ctx(r);

    if (ctx == NULL || !ctx->conf->enable) {
        return NGX_OK;
    }

    gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);
    w = gumcf->worker;

    if (w == NULL) {
        return NGX_OK;
    }

    if (!ctx->admitted) {
        ngx_http_gw_usage_freeze(r, ctx, w);
    }

    ngx_http_gw_usage_record(r, ctx, w, &rec);

    event.data = w->event;
    event.len = gw_usage_write((char *) w->event, &rec);

    ngx_http_gw_usage_append(w, &event, r->connection->log);

    return NGX_OK;
}


/* the mark by which the state is found, there is nothing to free */

static void
ngx_http_gw_usage_cleanup(void *data)
{
    /* void */
}


static ngx_http_gw_usage_ctx_t *
ngx_http_gw_usage_get_ctx(ngx_http_request_t *r)
{
    return ngx_http_gw_state_get(r, &ngx_http_gw_usage_module,
                                 ngx_http_gw_usage_cleanup);
}


static void
ngx_http_gw_usage_freeze(ngx_http_request_t *r, ngx_http_gw_usage_ctx_t *ctx,
    ngx_http_gw_usage_worker_t *w)
{
    ngx_uint_t                      n;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);

    ctx->sequence = ++w->sequence;

    ctx->api = ngx_http_gw_usage_value(r, ctx->conf->api, NULL);
    ctx->subject = ngx_http_gw_usage_value(r, ctx->conf->subject,
                                           &gumcf->subject);
    ctx->tier = ngx_http_gw_usage_value(r, ctx->conf->tier, &gumcf->tier);

    if (ctx->subject.len > GW_USAGE_MAX_SUBJECT
        && ngx_gw_log_pass(&w->log_subject, &n))
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gw usage: subject of %uz bytes left out, %ui more",
                      ctx->subject.len, n);
    }
}


static ngx_str_t
ngx_http_gw_usage_value(ngx_http_request_t *r, ngx_http_complex_value_t *cv,
    ngx_http_gw_usage_name_t *name)
{
    ngx_str_t  value;

    ngx_str_null(&value);

    if (cv) {
        if (ngx_http_complex_value(r, cv, &value) != NGX_OK) {
            ngx_str_null(&value);
        }

        return value;
    }

    return name ? ngx_http_gw_variable(r, &name->name, name->hash) : value;
}


static void
ngx_http_gw_usage_record(ngx_http_request_t *r, ngx_http_gw_usage_ctx_t *ctx,
    ngx_http_gw_usage_worker_t *w, gw_usage_record_t *rec)
{
    int64_t                         ms;
    ngx_str_t                       s;
    ngx_time_t                     *tp;
    ngx_http_variable_value_t      *vv;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);

    rec->generation = w->generation;
    rec->sequence = ctx->sequence;

    rec->source = ngx_http_gw_usage_slice(&w->source);
    rec->subject = ngx_http_gw_usage_slice(&ctx->subject);
    rec->api = ngx_http_gw_usage_slice(&ctx->api);
    rec->method = ngx_http_gw_usage_slice(&ctx->method);
    rec->tier = ngx_http_gw_usage_slice(&ctx->tier);

    ngx_str_null(&s);

    vv = ngx_http_get_indexed_variable(r, gumcf->request_id);

    if (vv && !vv->not_found) {
        s.len = vv->len;
        s.data = vv->data;
    }

    rec->request_id = ngx_http_gw_usage_slice(&s);

    tp = ngx_timeofday();

    ms = (int64_t) (tp->sec - r->start_sec) * 1000
         + ((int64_t) tp->msec - (int64_t) r->start_msec);

    rec->time = (int64_t) tp->sec * 1000 + (int64_t) tp->msec;
    rec->duration = (uint64_t) ngx_max(ms, 0);
    rec->upstream = ngx_http_gw_usage_upstream(r);

    rec->units = ngx_http_gw_usage_count(r, ctx, w);
    rec->bytes_in = (uint64_t) r->request_length;
    rec->bytes_out = (uint64_t) r->connection->sent;
    rec->status = (unsigned) ngx_http_gw_usage_status(r);

    rec->limited = ngx_http_gw_usage_is(r, &gumcf->limited, "limited", 7);
    rec->degraded = ngx_http_gw_usage_is(r, &gumcf->degraded, "1", 1);
}


static uint64_t
ngx_http_gw_usage_count(ngx_http_request_t *r, ngx_http_gw_usage_ctx_t *ctx,
    ngx_http_gw_usage_worker_t *w)
{
    uint64_t    units;
    gw_str_t    s;
    ngx_str_t   value;
    ngx_uint_t  n;

    if (!ctx->admitted) {
        return 0;
    }

    if (ctx->conf->units == NULL) {
        return 1;
    }

    value = ngx_http_gw_usage_value(r, ctx->conf->units, NULL);
    s = ngx_http_gw_usage_slice(&value);

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


static ngx_uint_t
ngx_http_gw_usage_status(ngx_http_request_t *r)
{
    if (r->err_status) {
        return r->err_status;
    }

    if (r->headers_out.status) {
        return r->headers_out.status;
    }

    return r->http_version == NGX_HTTP_VERSION_9 ? 9 : 0;
}


/* the time spent with all servers that were tried, -1 if none was */

static int64_t
ngx_http_gw_usage_upstream(ngx_http_request_t *r)
{
    int64_t                     ms;
    ngx_uint_t                  i;
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL || r->upstream_states->nelts == 0) {
        return -1;
    }

    ms = 0;
    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {

        /* unset between internal redirects */

        if (state[i].peer && state[i].response_time != (ngx_msec_t) -1) {
            ms += (int64_t) state[i].response_time;
        }
    }

    return ms;
}


static gw_str_t
ngx_http_gw_usage_slice(ngx_str_t *s)
{
    gw_str_t  slice;

    slice.len = s->len;
    slice.data = (const char *) s->data;

    return slice;
}


static ngx_uint_t
ngx_http_gw_usage_is(ngx_http_request_t *r, ngx_http_gw_usage_name_t *name,
    const char *text, size_t len)
{
    ngx_str_t  value;

    value = ngx_http_gw_variable(r, &name->name, name->hash);

    return value.len == len && ngx_memcmp(value.data, text, len) == 0;
}


/* the only place that knows where events go */

static void
ngx_http_gw_usage_append(ngx_http_gw_usage_worker_t *w, ngx_str_t *event,
    ngx_log_t *log)
{
    ngx_uint_t  n;

    if (ngx_gw_kafka_produce(w->kafka, &w->key, event) == NGX_OK) {
        return;
    }

    w->dropped++;

    if (ngx_gw_log_pass(&w->log_dropped, &n)) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "gw usage: events dropped: %ui, in all %uL, the queue "
                      "to Kafka is full or there is no producer",
                      n + 1, w->dropped);
    }
}


static ngx_int_t
ngx_http_gw_usage_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                         *p;
    ngx_http_gw_usage_ctx_t        *ctx;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    r = r->main;

    ctx = ngx_http_gw_usage_get_ctx(r);

    if (ctx == NULL || ctx->sequence == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);

    p = ngx_pnalloc(r->pool, GW_USAGE_ID_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->len = gw_usage_id((char *) p, gumcf->worker->generation,
                         ctx->sequence);
    v->data = p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_usage_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_gw_usage_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static void *
ngx_http_gw_usage_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_gw_usage_main_conf_t  *gumcf;

    gumcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_gw_usage_main_conf_t));
    if (gumcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     gumcf->kafka = NULL;
     *     gumcf->worker = NULL;
     *     gumcf->file = { 0, NULL };
     *     gumcf->line = 0;
     */

    ngx_http_gw_usage_hash(&gumcf->subject, "gw_subject");
    ngx_http_gw_usage_hash(&gumcf->tier, "gw_tier");
    ngx_http_gw_usage_hash(&gumcf->limited, "gw_ratelimit_status");
    ngx_http_gw_usage_hash(&gumcf->degraded, "gw_auth_degraded");

    return gumcf;
}


static char *
ngx_http_gw_usage_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_gw_usage_main_conf_t  *gumcf = conf;

    const char  *why;

    if (gumcf->line && (gumcf->kafka == NULL || gumcf->kafka->brokers == NULL))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"gw_usage on\" in %V:%ui needs \"gw_usage_kafka\" in "
                      "the \"http\" block, for example \"gw_usage_kafka "
                      "127.0.0.1:9092 topic=" NGX_HTTP_GW_USAGE_TOPIC ";\"",
                      &gumcf->file, gumcf->line);
        return NGX_CONF_ERROR;
    }

    if (gumcf->line && ngx_test_config) {
        why = ngx_gw_kafka_conf_check(gumcf->kafka);

        if (why) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"gw_usage_kafka\" and the \"gw_usage_kafka_set\" "
                          "directives make no producer: %s", why);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_gw_usage_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_gw_usage_loc_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_http_gw_usage_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->enable = NGX_CONF_UNSET;
    conf->api = NGX_CONF_UNSET_PTR;
    conf->subject = NGX_CONF_UNSET_PTR;
    conf->tier = NGX_CONF_UNSET_PTR;
    conf->units = NGX_CONF_UNSET_PTR;

    return conf;
}


static char *
ngx_http_gw_usage_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_gw_usage_loc_conf_t *prev = parent;
    ngx_http_gw_usage_loc_conf_t *conf = child;

    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_ptr_value(conf->api, prev->api, NULL);
    ngx_conf_merge_ptr_value(conf->subject, prev->subject, NULL);
    ngx_conf_merge_ptr_value(conf->tier, prev->tier, NULL);
    ngx_conf_merge_ptr_value(conf->units, prev->units, NULL);

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_usage_enabled(ngx_conf_t *cf, void *post, void *data)
{
    ngx_flag_t                     *fp = data;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    gumcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gw_usage_module);

    if (*fp && gumcf->line == 0) {
        gumcf->file = cf->conf_file->file.name;
        gumcf->line = cf->conf_file->line;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_usage_set_value(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    char                      *rv;
    size_t                    *max = cmd->post;
    ngx_http_complex_value_t  *cv;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    cv = *(ngx_http_complex_value_t **) (p + cmd->offset);

    if (cv->lengths == NULL && cv->value.len > *max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the value of \"%V\" is longer than %uz bytes",
                           &cmd->name, *max);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_usage_set_units(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    char                      *rv;
    uint64_t                   units;
    gw_str_t                   s;
    ngx_http_complex_value_t  *cv;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    cv = *(ngx_http_complex_value_t **) (p + cmd->offset);

    if (cv->lengths) {
        return NGX_CONF_OK;
    }

    s = ngx_http_gw_usage_slice(&cv->value);

    if (gw_usage_units(&s, &units) != GW_OK) {
        return "must be an integer from 0 to 9007199254740991";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_usage_kafka(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_usage_main_conf_t  *gumcf = conf;

    ngx_str_t            *value, topic;
    const char           *why;
    ngx_gw_kafka_conf_t  *kcf;

    kcf = ngx_http_gw_usage_kafka_conf(cf, gumcf);
    if (kcf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (kcf->brokers) {
        return "is duplicate";
    }

    value = cf->args->elts;

    why = ngx_gw_kafka_conf_brokers(kcf, &value[1]);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid brokers \"%V\" in \"%V\": %s",
                           &value[1], &cmd->name, why);
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&topic, NGX_HTTP_GW_USAGE_TOPIC);

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "topic=", 6) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"%V\", "
                               "\"topic=NAME\" expected",
                               &value[2], &cmd->name);
            return NGX_CONF_ERROR;
        }

        topic.data = value[2].data + 6;
        topic.len = value[2].len - 6;
    }

    why = ngx_gw_kafka_conf_topic(kcf, &topic);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid topic \"%V\" in \"%V\": %s",
                           &topic, &cmd->name, why);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_usage_kafka_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_usage_main_conf_t  *gumcf = conf;

    ngx_str_t            *value;
    const char           *why;
    ngx_gw_kafka_conf_t  *kcf;

    kcf = ngx_http_gw_usage_kafka_conf(cf, gumcf);
    if (kcf == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    why = ngx_gw_kafka_conf_set(kcf, &value[1], &value[2]);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid Kafka property \"%V\" in \"%V\": %s",
                           &value[1], &cmd->name, why);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_gw_kafka_conf_t *
ngx_http_gw_usage_kafka_conf(ngx_conf_t *cf,
    ngx_http_gw_usage_main_conf_t *gumcf)
{
    if (gumcf->kafka == NULL) {
        gumcf->kafka = ngx_gw_kafka_conf_create(cf,
                                              NGX_HTTP_GW_USAGE_CONTENT_TYPE);
    }

    return gumcf->kafka;
}


static ngx_int_t
ngx_http_gw_usage_init(ngx_conf_t *cf)
{
    ngx_str_t                       name = ngx_string("request_id");
    ngx_http_phase_t               *phases;
    ngx_http_handler_pt            *h;
    ngx_http_core_main_conf_t      *cmcf;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    gumcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gw_usage_module);

    if (gumcf->line == 0) {
        return NGX_OK;
    }

    /* without an index each look would draw another id */

    gumcf->request_id = ngx_http_get_variable_index(cf, &name);

    if (gumcf->request_id == NGX_ERROR) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    phases = cmcf->phases;

    h = ngx_array_push(&phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_gw_usage_preaccess_handler;

    /* phases run from the last handler to the first, the log does not */

    if (ngx_http_gw_usage_insert(&phases[NGX_HTTP_PRECONTENT_PHASE].handlers,
                                 ngx_http_gw_usage_precontent_handler)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_gw_usage_insert(&phases[NGX_HTTP_LOG_PHASE].handlers,
                                    ngx_http_gw_usage_log_handler);
}


static ngx_int_t
ngx_http_gw_usage_insert(ngx_array_t *handlers, ngx_http_handler_pt handler)
{
    ngx_http_handler_pt  *h;

    if (ngx_array_push(handlers) == NULL) {
        return NGX_ERROR;
    }

    h = handlers->elts;

    ngx_memmove(&h[1], h,
                (handlers->nelts - 1) * sizeof(ngx_http_handler_pt));

    h[0] = handler;

    return NGX_OK;
}


static void
ngx_http_gw_usage_hash(ngx_http_gw_usage_name_t *name, const char *text)
{
    name->name.len = ngx_strlen(text);
    name->name.data = (u_char *) text;
    name->hash = ngx_hash_key(name->name.data, name->name.len);
}


static ngx_int_t
ngx_http_gw_usage_init_process(ngx_cycle_t *cycle)
{
    ngx_http_gw_usage_worker_t     *w;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    gumcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_gw_usage_module);

    if (gumcf == NULL || gumcf->line == 0) {
        return NGX_OK;
    }

    /* a worker serves also without events: no error from here */

    w = ngx_pcalloc(cycle->pool, sizeof(ngx_http_gw_usage_worker_t)
                                 + GW_USAGE_GENERATION_LEN);
    if (w == NULL) {
        return NGX_OK;
    }

    if (getrandom(&w->generation, sizeof(w->generation), 0)
        != sizeof(w->generation))
    {
        ngx_log_error(NGX_LOG_CRIT, cycle->log, ngx_errno,
                      "gw usage: getrandom() failed, this worker makes no "
                      "events");
        return NGX_OK;
    }

    w->source = cycle->hostname;

    w->key.data = (u_char *) w + sizeof(ngx_http_gw_usage_worker_t);
    w->key.len = gw_usage_generation((char *) w->key.data, w->generation);

    w->kafka = ngx_gw_kafka_start(cycle, gumcf->kafka);

    if (w->kafka == NULL) {
        return NGX_OK;
    }

    gumcf->worker = w;

    return NGX_OK;
}


static void
ngx_http_gw_usage_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_gw_usage_main_conf_t  *gumcf;

    gumcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_gw_usage_module);

    if (gumcf && gumcf->worker) {
        ngx_gw_kafka_stop(gumcf->worker->kafka);
    }
}
