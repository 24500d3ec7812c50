
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_metrics.h"
#include "ngx_http_gw_util.h"


#define NGX_HTTP_GW_METRICS_TYPE  "text/plain; version=0.0.4; charset=utf-8"


static ngx_int_t ngx_http_gw_metrics_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_metrics_body(ngx_http_request_t *r,
    ngx_chain_t **out, off_t *length);


/* of the modules that are not loaded there is none */

static const ngx_str_t  ngx_http_gw_metrics_names[] = {
    ngx_string("gw_auth_metrics"),
    ngx_string("gw_ratelimit_metrics"),
    ngx_string("gw_usage_metrics"),
    ngx_null_string
};


static ngx_int_t
ngx_http_gw_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t     rc;
    ngx_str_t     cache = ngx_string("no-store");
    ngx_chain_t  *out;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_gw_metrics_body(r, &out, &r->headers_out.content_length_n)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;

    ngx_str_set(&r->headers_out.content_type, NGX_HTTP_GW_METRICS_TYPE);
    r->headers_out.content_type_len = sizeof("text/plain") - 1;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_gw_header_out(r, "Cache-Control", &cache) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out);
}


/* a buffer for each module, and the last one, which may be all there is */

static ngx_int_t
ngx_http_gw_metrics_body(ngx_http_request_t *r, ngx_chain_t **out,
    off_t *length)
{
    ngx_buf_t    *b;
    ngx_str_t     name, value;
    ngx_uint_t    i;
    ngx_chain_t  *cl, **ll;

    ll = out;
    *length = 0;

    for (i = 0; /* void */; i++) {

        name = ngx_http_gw_metrics_names[i];
        ngx_str_null(&value);

        if (name.len) {
            value = ngx_http_gw_variable(r, &name,
                                         ngx_hash_key(name.data, name.len));
            if (value.len == 0) {
                continue;
            }
        }

        b = ngx_calloc_buf(r->pool);
        cl = ngx_alloc_chain_link(r->pool);

        if (b == NULL || cl == NULL) {
            return NGX_ERROR;
        }

        b->pos = value.data;
        b->last = value.data + value.len;
        b->memory = (value.len != 0);

        cl->buf = b;
        cl->next = NULL;

        *ll = cl;
        ll = &cl->next;

        *length += value.len;

        if (name.len == 0) {
            break;
        }
    }

    if (r == r->main) {
        b->last_buf = 1;

    } else {
        b->sync = 1;
    }

    b->last_in_chain = 1;

    return NGX_OK;
}


char *
ngx_http_gw_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == ngx_http_gw_metrics_handler) {
        return "is duplicate";
    }

    if (clcf->handler) {
        return "is not compatible with another handler of the location";
    }

    clcf->handler = ngx_http_gw_metrics_handler;

    return NGX_CONF_OK;
}
