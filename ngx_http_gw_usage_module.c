
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "gw_journal.h"
#include "gw_usage.h"
#include "ngx_gw_journal.h"
#include "ngx_http_gw_metrics.h"
#include "ngx_http_gw_problem.h"
#include "ngx_http_gw_usage_conf.h"
#include "ngx_http_gw_usage_event.h"
#include "ngx_http_gw_usage_metrics.h"
#include "ngx_http_gw_usage_state.h"
#include "ngx_http_gw_util.h"


#define NGX_HTTP_GW_USAGE_RETRY  "5"      /* seconds, if the journal is full */


static ngx_int_t ngx_http_gw_usage_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_usage_precontent_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_usage_refuse(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w);
static ngx_int_t ngx_http_gw_usage_log_handler(ngx_http_request_t *r);
static void ngx_http_gw_usage_cleanup(void *data);
static ngx_http_gw_usage_ctx_t *ngx_http_gw_usage_get_ctx(
    ngx_http_request_t *r);

static ngx_int_t ngx_http_gw_usage_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_usage_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_gw_usage_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

static ngx_int_t ngx_http_gw_usage_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_gw_usage_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_gw_usage_insert(ngx_array_t *handlers,
    ngx_http_handler_pt handler);
static ngx_int_t ngx_http_gw_usage_init_process(ngx_cycle_t *cycle);
static void ngx_http_gw_usage_exit_process(ngx_cycle_t *cycle);


/* the longest constant that an event can carry */

static size_t  ngx_http_gw_usage_max_api = GW_USAGE_MAX_API;
static size_t  ngx_http_gw_usage_max_subject = GW_USAGE_MAX_SUBJECT;
static size_t  ngx_http_gw_usage_max_tier = GW_USAGE_MAX_TIER;
static size_t  ngx_http_gw_usage_max_key = GW_JOURNAL_MAX_KEY;


static ngx_command_t  ngx_http_gw_usage_commands[] = {

    { ngx_string("gw_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_gw_metrics,
      0,
      0,
      NULL },

    { ngx_string("gw_usage"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_gw_usage_conf_enable,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_usage_loc_conf_t, enable),
      NULL },

    { ngx_string("gw_usage_api"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gw_usage_conf_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_usage_loc_conf_t, api),
      &ngx_http_gw_usage_max_api },

    { ngx_string("gw_usage_field"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_gw_usage_conf_field,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_usage_interval"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gw_usage_conf_interval,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_usage_journal"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_gw_usage_conf_journal,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_usage_kafka"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_gw_usage_conf_kafka,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_usage_kafka_set"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_http_gw_usage_conf_kafka_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_usage_key"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gw_usage_conf_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_usage_loc_conf_t, key),
      &ngx_http_gw_usage_max_key },

    { ngx_string("gw_usage_subject"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gw_usage_conf_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_usage_loc_conf_t, subject),
      &ngx_http_gw_usage_max_subject },

    { ngx_string("gw_usage_tier"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gw_usage_conf_value,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_usage_loc_conf_t, tier),
      &ngx_http_gw_usage_max_tier },

    { ngx_string("gw_usage_units"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_gw_usage_conf_units,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_usage_loc_conf_t, units),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_gw_usage_module_ctx = {
    ngx_http_gw_usage_add_variables,       /* preconfiguration */
    ngx_http_gw_usage_init,                /* postconfiguration */

    ngx_http_gw_usage_conf_create_main,    /* create main configuration */
    ngx_http_gw_usage_conf_init_main,      /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_gw_usage_conf_create,         /* create location configuration */
    ngx_http_gw_usage_conf_merge           /* merge location configuration */
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

    { ngx_string("gw_usage_metrics"), NULL, ngx_http_gw_usage_metrics, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


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

    ctx->method.len = r->method_name.len;
    ctx->method.data = (const char *) r->method_name.data;
    ctx->error_page = r->error_page;

    return NGX_DECLINED;
}


/* the last of its phase: the request goes to its content handler */

static ngx_int_t
ngx_http_gw_usage_precontent_handler(ngx_http_request_t *r)
{
    ngx_http_gw_usage_ctx_t        *ctx;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_gw_usage_get_ctx(r);

    if (ctx == NULL || !ctx->conf->enable || ctx->admitted || ctx->skipped) {
        return NGX_DECLINED;
    }

    if (r->err_status || r->error_page != ctx->error_page) {

        /* the page of a request that was rejected */

        return NGX_DECLINED;
    }

    gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);

    if (gumcf->worker == NULL) {
        return NGX_DECLINED;
    }

    switch (ngx_http_gw_usage_event_admit(r, ctx, gumcf->worker)) {

    case NGX_OK:
        return NGX_DECLINED;

    case NGX_DECLINED:
        return ngx_http_gw_usage_refuse(r, ctx, gumcf->worker);

    default: /* NGX_ERROR */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


static ngx_int_t
ngx_http_gw_usage_refuse(ngx_http_request_t *r, ngx_http_gw_usage_ctx_t *ctx,
    ngx_http_gw_usage_worker_t *w)
{
    ngx_str_t   retry = ngx_string(NGX_HTTP_GW_USAGE_RETRY);
    ngx_uint_t  n;

    if (ngx_gw_log_pass(&w->log_refused, &n)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "gw usage: requests refused: %ui, the journal is full",
                      n + 1);
    }

    ctx->problem = ngx_pcalloc(r->pool, sizeof(ngx_http_gw_problem_t));
    if (ctx->problem == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->problem->status = NGX_HTTP_SERVICE_UNAVAILABLE;
    ctx->problem->title = "Service Unavailable";
    ctx->problem->detail = "Usage can't be recorded";

    /* the filters look in r->ctx, which an internal redirect has cleared */

    ngx_http_set_ctx(r, ctx, ngx_http_gw_usage_module);

    if (ngx_http_gw_header_out(r, "Retry-After", &retry) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_SERVICE_UNAVAILABLE;
}


static ngx_int_t
ngx_http_gw_usage_log_handler(ngx_http_request_t *r)
{
    ngx_http_gw_usage_ctx_t        *ctx;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    if (r != r->main) {
        return NGX_OK;
    }

    ctx = ngx_http_gw_usage_get_ctx(r);

    if (ctx == NULL || !ctx->conf->enable || ctx->skipped) {
        return NGX_OK;
    }

    gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);

    if (gumcf->worker == NULL) {
        return NGX_OK;
    }

    if (ctx->interim) {
        ngx_http_gw_usage_interim_stop(ctx->interim);
    }

    ngx_http_gw_usage_event_final(r, ctx, gumcf->worker);

    return NGX_OK;
}


/* also the mark by which the state is found */

static void
ngx_http_gw_usage_cleanup(void *data)
{
    ngx_http_gw_usage_ctx_t  *ctx = data;

    if (ctx->interim) {
        ngx_http_gw_usage_interim_stop(ctx->interim);
    }
}


static ngx_http_gw_usage_ctx_t *
ngx_http_gw_usage_get_ctx(ngx_http_request_t *r)
{
    return ngx_http_gw_state_get(r, &ngx_http_gw_usage_module,
                                 ngx_http_gw_usage_cleanup);
}


static ngx_int_t
ngx_http_gw_usage_header_filter(ngx_http_request_t *r)
{
    ngx_http_upstream_t            *u;
    ngx_http_gw_usage_ctx_t        *ctx;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    /* the problem is looked for in r->ctx, which redirects clear */

    ctx = ngx_http_get_module_ctx(r, ngx_http_gw_usage_module);

    if (ctx && ctx->problem
        && ngx_http_gw_problem_header(r, ctx->problem) != NGX_OK)
    {
        return NGX_ERROR;
    }

    u = r->upstream;

    if (r == r->main && u && u->upgrade && u->peer.connection) {
        ctx = ngx_http_gw_usage_get_ctx(r);

        if (ctx && ctx->admitted) {
            ctx->upgraded = u;
            ctx->handshake = u->peer.connection->sent;

            gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);

            if (ngx_http_gw_usage_event_fix(r, ctx, gumcf->worker) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_gw_usage_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_gw_usage_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_gw_usage_module);

    if (ctx && ctx->problem
        && ngx_http_gw_problem_body(r, ctx->problem, in, &in) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_body_filter(r, in);
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

    v->len = gw_usage_id((char *) p,
                         ngx_gw_journal_generation(gumcf->worker->journal),
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


static ngx_int_t
ngx_http_gw_usage_init(ngx_conf_t *cf)
{
    ngx_http_phase_t               *phases;
    ngx_http_handler_pt            *h;
    ngx_http_core_main_conf_t      *cmcf;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    gumcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gw_usage_module);

    if (gumcf->line == 0) {
        return NGX_OK;
    }

    if (ngx_http_gw_usage_conf_finish(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_gw_usage_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_gw_usage_body_filter;

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

    w = ngx_pcalloc(cycle->pool, sizeof(ngx_http_gw_usage_worker_t));
    if (w == NULL) {
        return NGX_OK;
    }

    w->source.len = gumcf->journal.node.len;
    w->source.data = (const char *) gumcf->journal.node.data;
    w->reserve = gumcf->journal.reject;

    w->journal = ngx_gw_journal_start(cycle, &gumcf->journal, gumcf->kafka,
                                      gumcf->meter);
    if (w->journal == NULL) {
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
        ngx_gw_journal_stop(gumcf->worker->journal);
    }
}
