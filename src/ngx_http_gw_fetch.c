
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_fetch_request.h"


#define NGX_HTTP_GW_FETCH_TEXT  4096     /* first size, if none is told */


static ngx_uint_t ngx_http_gw_fetch_has(ngx_http_core_srv_conf_t *cscf,
    ngx_str_t *uri);
static void ngx_http_gw_fetch_end(ngx_http_gw_fetch_ctx_t *ctx,
    const char *failure);
static void ngx_http_gw_fetch_woken(ngx_http_request_t *r);
static void ngx_http_gw_fetch_cleanup(void *data);
static void ngx_http_gw_fetch_deadline_handler(ngx_event_t *ev);
static void ngx_http_gw_fetch_done_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_gw_fetch_encoded(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_fetch_room(ngx_http_gw_fetch_ctx_t *ctx,
    size_t len);


ngx_int_t
ngx_http_gw_fetch_find(ngx_conf_t *cf, ngx_http_gw_fetch_location_t *location)
{
    ngx_uint_t                   i;
    ngx_http_conf_ctx_t         *named;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    named = NULL;

    for (i = 0; i < cmcf->servers.nelts; i++) {

        if (location->server.len) {

            if (!ngx_gw_str_equal(&cscfp[i]->server_name, &location->server)) {
                continue;
            }

            /* names repeat, for other addresses */

            if (named == NULL) {
                named = cscfp[i]->ctx;
            }
        }

        if (ngx_http_gw_fetch_has(cscfp[i], &location->uri)) {
            location->ctx = cscfp[i]->ctx;
            return NGX_OK;
        }
    }

    location->ctx = named;

    return named ? NGX_OK : NGX_DECLINED;
}


/* as nginx looks for a static location, but for an exact one only */

static ngx_uint_t
ngx_http_gw_fetch_has(ngx_http_core_srv_conf_t *cscf, ngx_str_t *uri)
{
    u_char                         *p;
    size_t                          len;
    ngx_int_t                       rc;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_location_tree_node_t  *node;

    clcf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];

    p = uri->data;
    len = uri->len;
    node = clcf->static_locations;

    while (node) {

        rc = ngx_filename_cmp(p, node->name, ngx_min(len, node->len));

        if (rc == 0 && len == node->len) {
            return node->exact != NULL;
        }

        if (rc == 0 && len > node->len && node->inclusive) {
            p += node->len;
            len -= node->len;
            node = node->tree;
            continue;
        }

        if (rc == 0) {
            rc = (len > node->len) ? 1 : -1;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return 0;
}


ngx_int_t
ngx_http_gw_fetch_start(ngx_http_gw_fetch_t *f, ngx_log_t *log)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_gw_fetch_ctx_t  *ctx;

    f->status = 0;
    f->failure = NULL;
    ngx_str_null(&f->text);

    f->active = 0;
    f->ended = 0;

    r = ngx_http_gw_fetch_request_create(f, ngx_http_gw_fetch_woken,
                                         ngx_http_gw_fetch_cleanup, log);
    if (r == NULL) {
        return NGX_ERROR;
    }

    c = r->connection;

    ngx_memzero(&f->deadline, sizeof(ngx_event_t));
    ngx_memzero(&f->done, sizeof(ngx_event_t));

    f->deadline.handler = ngx_http_gw_fetch_deadline_handler;
    f->deadline.data = f;
    f->deadline.log = log;
    f->deadline.cancelable = f->cancelable;

    f->done.handler = ngx_http_gw_fetch_done_handler;
    f->done.data = f;
    f->done.log = log;

    f->request = r;
    f->active = 1;

    ctx = ngx_http_gw_fetch_request_ctx(r);
    ctx->fetch = f;

    ngx_add_timer(&f->deadline, f->timeout);

    /* it may end here, which posts an event */

    ngx_http_run_posted_requests(c);

    return NGX_OK;
}


void
ngx_http_gw_fetch_cancel(ngx_http_gw_fetch_t *f)
{
    ngx_http_request_t       *r;
    ngx_http_gw_fetch_ctx_t  *ctx;

    if (!f->active) {
        return;
    }

    f->active = 0;

    if (f->deadline.timer_set) {
        ngx_del_timer(&f->deadline);
    }

    if (f->done.posted) {
        ngx_delete_posted_event(&f->done);
    }

    r = f->request;
    f->request = NULL;

    if (r == NULL) {
        return;
    }

    ctx = ngx_http_gw_fetch_request_ctx(r);
    ctx->fetch = NULL;

    ngx_http_gw_fetch_request_close(r);
}


/* whoever found it: the handler is called from the event loop */

static void
ngx_http_gw_fetch_end(ngx_http_gw_fetch_ctx_t *ctx, const char *failure)
{
    ngx_http_gw_fetch_t  *f;

    f = ctx->fetch;

    if (f == NULL || f->ended) {
        return;
    }

    f->ended = 1;
    f->failure = failure;

    if (failure == NULL) {
        f->status = ctx->status;
        f->text = ctx->text;
    }

    if (f->deadline.timer_set) {
        ngx_del_timer(&f->deadline);
    }

    ngx_post_event(&f->done, &ngx_posted_events);
}


/*
 * The subrequest woke its parent.  An upstream that closed too early shows
 * only here: its subrequest ends well, but never sent a last buffer.
 */

static void
ngx_http_gw_fetch_woken(ngx_http_request_t *r)
{
    ngx_http_gw_fetch_ctx_t  *ctx;

    ctx = ngx_http_gw_fetch_request_ctx(r);

    if (ctx->subrequest == NULL || !ctx->subrequest->done) {
        return;
    }

    ngx_http_gw_fetch_end(ctx, ctx->complete && ctx->status ? NULL : "failed");
}


/* the request ends, for nginx could not go on with it or as we want it */

static void
ngx_http_gw_fetch_cleanup(void *data)
{
    ngx_http_gw_fetch_ctx_t  *ctx = data;

    ngx_http_gw_fetch_t  *f;

    f = ctx->fetch;

    if (f == NULL) {
        return;
    }

    ngx_http_gw_fetch_end(ctx, "failed");

    if (f->failure == NULL) {

        /* it was complete, but its text goes away with it */

        f->status = 0;
        f->failure = "failed";
    }

    ngx_str_null(&f->text);

    f->request = NULL;
    ctx->fetch = NULL;
}


static void
ngx_http_gw_fetch_deadline_handler(ngx_event_t *ev)
{
    ngx_http_gw_fetch_t  *f;

    f = ev->data;

    ngx_http_gw_fetch_end(ngx_http_gw_fetch_request_ctx(f->request),
                          "timed out");
}


static void
ngx_http_gw_fetch_done_handler(ngx_event_t *ev)
{
    ngx_http_request_t       *r;
    ngx_http_gw_fetch_t      *f;
    ngx_http_gw_fetch_ctx_t  *ctx;

    f = ev->data;
    r = f->request;

    f->request = NULL;
    f->active = 0;

    if (r) {
        ctx = ngx_http_gw_fetch_request_ctx(r);
        ctx->fetch = NULL;
    }

    f->handler(f);

    /* f may be freed now, or fetch again */

    if (r) {
        ngx_http_gw_fetch_request_close(r);
    }
}


ngx_http_gw_fetch_t *
ngx_http_gw_fetch_get(ngx_http_request_t *r)
{
    ngx_http_gw_fetch_ctx_t  *ctx;

    ctx = (r == r->main) ? NULL : ngx_http_gw_fetch_request_ctx(r);

    if (ctx == NULL) {
        return NULL;
    }

    return ctx->fetch ? ctx->fetch : &ctx->nobody;
}


ngx_int_t
ngx_http_gw_fetch_header(ngx_http_request_t *r, ngx_http_gw_fetch_t *f)
{
    ngx_http_gw_fetch_ctx_t  *ctx;

    ctx = ngx_http_gw_fetch_request_ctx(r);

    r->header_sent = 1;
    r->filter_need_in_memory = 1;

    if (r != ctx->subrequest) {

        /* something that the location started beside the answer */

        return NGX_OK;
    }

    if (f == &ctx->nobody) {
        return NGX_ERROR;
    }

    ctx->status = r->headers_out.status;

    /* no body, no last buffer */

    ctx->complete = (r->header_only || r->headers_out.content_length_n == 0);

    if (ngx_http_gw_fetch_encoded(r)) {
        ngx_http_gw_fetch_end(ctx, "encoded");
        return NGX_ERROR;
    }

    if (r->headers_out.content_length_n > (off_t) f->max) {
        ngx_http_gw_fetch_end(ctx, "too large");
        return NGX_ERROR;
    }

    if (r->headers_out.content_length_n > 0
        && ngx_http_gw_fetch_room(ctx, r->headers_out.content_length_n)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* not every nginx knows headers_out.content_encoding of an upstream */

static ngx_uint_t
ngx_http_gw_fetch_encoded(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;
    ngx_list_part_t  *part;

    part = &r->headers_out.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                return 0;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].hash != 0
            && h[i].key.len == sizeof("Content-Encoding") - 1
            && ngx_strncasecmp(h[i].key.data, (u_char *) "Content-Encoding",
                               sizeof("Content-Encoding") - 1)
               == 0)
        {
            return h[i].value.len != sizeof("identity") - 1
                   || ngx_strncasecmp(h[i].value.data, (u_char *) "identity",
                                      sizeof("identity") - 1)
                      != 0;
        }
    }
}


ngx_int_t
ngx_http_gw_fetch_body(ngx_http_request_t *r, ngx_http_gw_fetch_t *f,
    ngx_chain_t *in)
{
    size_t                    len;
    ngx_buf_t                *b;
    ngx_http_gw_fetch_ctx_t  *ctx;

    ctx = ngx_http_gw_fetch_request_ctx(r);

    if (r == ctx->subrequest && (f == &ctx->nobody || f->failure)) {
        return NGX_ERROR;
    }

    for ( /* void */ ; in; in = in->next) {

        b = in->buf;

        if (r == ctx->subrequest) {

            /* ngx_buf_special() or in memory, as asked for in the header */

            len = ngx_buf_in_memory(b) ? (size_t) (b->last - b->pos) : 0;

            if (len > f->max - ctx->text.len) {
                ngx_http_gw_fetch_end(ctx, "too large");
                return NGX_ERROR;
            }

            if (len && ngx_http_gw_fetch_room(ctx, ctx->text.len + len)
                       != NGX_OK)
            {
                return NGX_ERROR;
            }

            if (len) {
                ngx_memcpy(ctx->text.data + ctx->text.len, b->pos, len);
                ctx->text.len += len;
            }

            if (b->last_buf || b->last_in_chain) {
                ctx->complete = 1;
            }
        }

        b->pos = b->last;
        b->file_pos = b->file_last;
    }

    return NGX_OK;
}


/* room for "len" bytes of text altogether, which is not above f->max */

static ngx_int_t
ngx_http_gw_fetch_room(ngx_http_gw_fetch_ctx_t *ctx, size_t len)
{
    u_char  *data;
    size_t   size;

    if (len <= ctx->size) {
        return NGX_OK;
    }

    size = ngx_max(len, ngx_max(ctx->size * 2, NGX_HTTP_GW_FETCH_TEXT));

    data = ngx_palloc(ctx->subrequest->pool, size);
    if (data == NULL) {
        return NGX_ERROR;
    }

    if (ctx->text.data) {
        ngx_memcpy(data, ctx->text.data, ctx->text.len);
        (void) ngx_pfree(ctx->subrequest->pool, ctx->text.data);
    }

    ctx->text.data = data;
    ctx->size = size;

    return NGX_OK;
}
