
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_gw_metrics.h"
#include "ngx_http_gw_problem.h"
#include "ngx_http_gw_ratelimit_address.h"
#include "ngx_http_gw_ratelimit_answer.h"
#include "ngx_http_gw_ratelimit_conf.h"
#include "ngx_http_gw_ratelimit_decide.h"
#include "ngx_http_gw_ratelimit_metrics.h"
#include "ngx_http_gw_ratelimit_worker.h"


static ngx_int_t ngx_http_gw_ratelimit_preaccess_handler(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_ratelimit_precontent_handler(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_ratelimit_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_ratelimit_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_gw_ratelimit_limit_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_ratelimit_limits_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_ratelimit_number_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_ratelimit_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_ratelimit_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_gw_ratelimit_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_gw_ratelimit_init_preaccess(
    ngx_http_core_main_conf_t *cmcf);
static ngx_int_t ngx_http_gw_ratelimit_init_process(ngx_cycle_t *cycle);
static void ngx_http_gw_ratelimit_exit_process(ngx_cycle_t *cycle);


static ngx_conf_post_t  ngx_http_gw_ratelimit_prefix_post = {
    ngx_http_gw_ratelimit_conf_prefix
};


static ngx_conf_enum_t  ngx_http_gw_ratelimit_headers[] = {
    { ngx_string("off"), 0 },
    { ngx_string("ietf"), NGX_HTTP_GW_RATELIMIT_IETF },
    { ngx_string("x-ratelimit"), NGX_HTTP_GW_RATELIMIT_X },
    { ngx_string("both"), NGX_HTTP_GW_RATELIMIT_IETF
                          |NGX_HTTP_GW_RATELIMIT_X },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_gw_ratelimit_commands[] = {

    { ngx_string("gw_address_prefix"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_ratelimit_conf_t, prefix),
      &ngx_http_gw_ratelimit_prefix_post },

    { ngx_string("gw_metrics"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_gw_metrics,
      0,
      0,
      NULL },

    { ngx_string("gw_ratelimit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_gw_ratelimit_conf_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_ratelimit_headers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_gw_ratelimit_conf_t, headers),
      &ngx_http_gw_ratelimit_headers },

    { ngx_string("gw_ratelimit_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_gw_ratelimit_conf_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_ratelimit_tier"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_gw_ratelimit_conf_tier,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_ratelimit_tiers"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_gw_ratelimit_conf_tiers,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_ratelimit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_gw_ratelimit_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_gw_ratelimit_module_ctx = {
    ngx_http_gw_ratelimit_add_variables,     /* preconfiguration */
    ngx_http_gw_ratelimit_init,              /* postconfiguration */

    ngx_http_gw_ratelimit_conf_create_main,  /* create main configuration */
    ngx_http_gw_ratelimit_conf_init_main,    /* init main configuration */

    NULL,                                    /* create server configuration */
    NULL,                                    /* merge server configuration */

    ngx_http_gw_ratelimit_conf_create,       /* create location configuration */
    ngx_http_gw_ratelimit_conf_merge         /* merge location configuration */
};


ngx_module_t  ngx_http_gw_ratelimit_module = {
    NGX_MODULE_V1,
    &ngx_http_gw_ratelimit_module_ctx,       /* module context */
    ngx_http_gw_ratelimit_commands,          /* module directives */
    NGX_HTTP_MODULE,                         /* module type */
    NULL,                                    /* init master */
    NULL,                                    /* init module */
    ngx_http_gw_ratelimit_init_process,      /* init process */
    NULL,                                    /* init thread */
    NULL,                                    /* exit thread */
    ngx_http_gw_ratelimit_exit_process,      /* exit process */
    NULL,                                    /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_gw_ratelimit_vars[] = {

    { ngx_string("gw_address"), NULL,
      ngx_http_gw_ratelimit_address, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_ratelimit_limit"), NULL,
      ngx_http_gw_ratelimit_limit_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_ratelimit_limits"), NULL,
      ngx_http_gw_ratelimit_limits_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_ratelimit_metrics"), NULL,
      ngx_http_gw_ratelimit_metrics, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_ratelimit_remaining"), NULL,
      ngx_http_gw_ratelimit_number_variable, NGX_HTTP_GW_RATELIMIT_REMAINING,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_ratelimit_reset"), NULL,
      ngx_http_gw_ratelimit_number_variable, NGX_HTTP_GW_RATELIMIT_RESET,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_ratelimit_status"), NULL,
      ngx_http_gw_ratelimit_status_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_int_t
ngx_http_gw_ratelimit_preaccess_handler(ngx_http_request_t *r)
{
    return ngx_http_gw_ratelimit_decide(r, 1);
}


static ngx_int_t
ngx_http_gw_ratelimit_precontent_handler(ngx_http_request_t *r)
{
    return ngx_http_gw_ratelimit_decide(r, 0);
}


static ngx_int_t
ngx_http_gw_ratelimit_header_filter(ngx_http_request_t *r)
{
    ngx_http_gw_ratelimit_ctx_t  *ctx;

    ctx = ngx_http_gw_ratelimit_decide_ctx(r);

    if (ctx) {
        ngx_http_gw_ratelimit_answer_filter(r, ctx);
    }

    /* the problem is looked for in r->ctx, which redirects clear */

    ctx = ngx_http_get_module_ctx(r, ngx_http_gw_ratelimit_module);

    if (ctx && ctx->problem.status
        && ngx_http_gw_problem_header(r, &ctx->problem) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_gw_ratelimit_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_gw_ratelimit_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_gw_ratelimit_module);

    if (ctx && ctx->problem.status
        && ngx_http_gw_problem_body(r, &ctx->problem, in, &in) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_body_filter(r, in);
}


static ngx_int_t
ngx_http_gw_ratelimit_limit_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    return ngx_http_gw_ratelimit_answer_limit(r,
                             ngx_http_gw_ratelimit_decide_ctx(r->main), v);
}


static ngx_int_t
ngx_http_gw_ratelimit_limits_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    return ngx_http_gw_ratelimit_answer_limits(r,
                             ngx_http_gw_ratelimit_decide_ctx(r->main), v);
}


static ngx_int_t
ngx_http_gw_ratelimit_number_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    return ngx_http_gw_ratelimit_answer_number(r,
                       ngx_http_gw_ratelimit_decide_ctx(r->main), v, data);
}


static ngx_int_t
ngx_http_gw_ratelimit_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    return ngx_http_gw_ratelimit_answer_status(r,
                             ngx_http_gw_ratelimit_decide_ctx(r->main), v);
}


static ngx_int_t
ngx_http_gw_ratelimit_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_gw_ratelimit_vars; v->name.len; v++) {

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
ngx_http_gw_ratelimit_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt                *h;
    ngx_http_core_main_conf_t          *cmcf;
    ngx_http_gw_ratelimit_main_conf_t  *grmcf;

    if (ngx_http_gw_ratelimit_conf_finish(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    grmcf = ngx_http_conf_get_module_main_conf(cf,
                                               ngx_http_gw_ratelimit_module);

    if (grmcf->preauth
        && ngx_http_gw_ratelimit_init_preaccess(cmcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* not in the access phase: "satisfy any" might skip the limits there */

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_gw_ratelimit_precontent_handler;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_gw_ratelimit_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_gw_ratelimit_body_filter;

    return NGX_OK;
}


/*
 * The first handler of the array is the last one to run: a limit by address
 * comes behind the realip module, which may change it in this phase.
 */

static ngx_int_t
ngx_http_gw_ratelimit_init_preaccess(ngx_http_core_main_conf_t *cmcf)
{
    ngx_array_t          *handlers;
    ngx_http_handler_pt  *h;

    handlers = &cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers;

    if (ngx_array_push(handlers) == NULL) {
        return NGX_ERROR;
    }

    h = handlers->elts;

    ngx_memmove(&h[1], &h[0],
                (handlers->nelts - 1) * sizeof(ngx_http_handler_pt));

    h[0] = ngx_http_gw_ratelimit_preaccess_handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_init_process(ngx_cycle_t *cycle)
{
    ngx_http_gw_ratelimit_main_conf_t  *grmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    grmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_gw_ratelimit_module);

    if (grmcf == NULL || grmcf->limits.nelts == 0) {
        return NGX_OK;
    }

    return ngx_http_gw_ratelimit_worker_init(cycle, grmcf);
}


static void
ngx_http_gw_ratelimit_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_gw_ratelimit_main_conf_t  *grmcf;

    grmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_gw_ratelimit_module);

    if (grmcf && grmcf->worker) {
        ngx_http_gw_ratelimit_worker_exit(grmcf);
    }
}
