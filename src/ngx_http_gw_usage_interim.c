
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_usage_event.h"


static void ngx_http_gw_usage_interim_handler(ngx_event_t *ev);


extern ngx_module_t  ngx_http_gw_usage_module;


ngx_http_gw_usage_interim_t *
ngx_http_gw_usage_interim_create(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx)
{
    ngx_uint_t                    n;
    ngx_http_gw_usage_interim_t  *interim;

    interim = ngx_pcalloc(r->pool, sizeof(ngx_http_gw_usage_interim_t));
    if (interim == NULL) {
        return NULL;
    }

    n = ctx->conf->fields ? ctx->conf->fields->nelts : 0;

    if (n) {
        interim->fields = ngx_palloc(r->pool, n * sizeof(gw_usage_field_t));
        if (interim->fields == NULL) {
            return NULL;
        }
    }

    interim->request = r;
    interim->ctx = ctx;

    interim->timer.handler = ngx_http_gw_usage_interim_handler;
    interim->timer.data = interim;
    interim->timer.log = r->connection->log;
    interim->timer.cancelable = 1;

    return interim;
}


void
ngx_http_gw_usage_interim_start(ngx_http_gw_usage_interim_t *interim)
{
    ngx_add_timer(&interim->timer, interim->ctx->conf->interval);
}


void
ngx_http_gw_usage_interim_stop(ngx_http_gw_usage_interim_t *interim)
{
    if (interim->timer.timer_set) {
        ngx_del_timer(&interim->timer);
    }
}


/* goes on in a worker that quits: the request is still there */

static void
ngx_http_gw_usage_interim_handler(ngx_event_t *ev)
{
    ngx_http_request_t             *r;
    ngx_http_gw_usage_interim_t    *interim;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    interim = ev->data;
    r = interim->request;

    ngx_http_set_log_request(r->connection->log, r);

    gumcf = ngx_http_get_module_main_conf(r, ngx_http_gw_usage_module);

    ngx_http_gw_usage_event_interim(r, interim->ctx, gumcf->worker);

    ngx_http_gw_usage_interim_start(interim);
}
