
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_fetch_request.h"


#define NGX_HTTP_GW_FETCH_HEADERS  4


static ngx_connection_t *ngx_http_gw_fetch_request_connect(ngx_log_t *log);
static ngx_http_gw_fetch_ctx_t *ngx_http_gw_fetch_request_dress(
    ngx_connection_t *c, const ngx_http_gw_fetch_t *f);
static ngx_int_t ngx_http_gw_fetch_request_init(ngx_http_request_t *r,
    const ngx_http_gw_fetch_t *f);
static ngx_table_elt_t *ngx_http_gw_fetch_request_add(ngx_http_request_t *r,
    const char *name, const char *lowcase, const ngx_str_t *value);
static void ngx_http_gw_fetch_request_host(ngx_http_request_t *r,
    ngx_str_t *host);
static ngx_int_t ngx_http_gw_fetch_request_body(ngx_http_request_t *r,
    const ngx_http_gw_fetch_t *f);
static ngx_int_t ngx_http_gw_fetch_request_attach(ngx_http_request_t *r,
    const ngx_http_gw_fetch_t *f, ngx_http_cleanup_pt cleanup);
static void ngx_http_gw_fetch_request_event_handler(ngx_event_t *ev);
static u_char *ngx_http_gw_fetch_request_log_handler(ngx_log_t *log,
    u_char *buf, size_t len);


ngx_http_request_t *
ngx_http_gw_fetch_request_create(const ngx_http_gw_fetch_t *f,
    ngx_http_event_handler_pt woken, ngx_http_cleanup_pt cleanup,
    ngx_log_t *log)
{
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_gw_fetch_ctx_t  *ctx;

    c = ngx_http_gw_fetch_request_connect(log);
    if (c == NULL) {
        return NULL;
    }

    ctx = ngx_http_gw_fetch_request_dress(c, f);
    r = ctx ? ngx_http_create_request(c) : NULL;

    if (r == NULL) {
        ngx_http_close_connection(c);
        return NULL;
    }

    c->data = r;

    /* neither a line in an access log nor an event of anybody */

    r->logged = 1;

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = woken;

    if (ngx_http_gw_fetch_request_init(r, f) != NGX_OK
        || ngx_http_gw_fetch_request_body(r, f) != NGX_OK
        || ngx_http_gw_fetch_request_attach(r, f, cleanup) != NGX_OK)
    {
        ngx_http_gw_fetch_request_close(r);
        return NULL;
    }

    return r;
}


/*
 * A socket that has no address and no peer: nothing arrives, and who asks
 * whether the client is still there finds nothing to read.
 */

static ngx_connection_t *
ngx_http_gw_fetch_request_connect(ngx_log_t *log)
{
    ngx_socket_t       s;
    ngx_connection_t  *c;

    s = socket(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                      ngx_socket_n " for a fetch failed");
        return NULL;
    }

    c = ngx_get_connection(s, log);

    if (c == NULL) {
        if (ngx_close_socket(s) == -1) {
            ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                          ngx_close_socket_n " of a fetch failed");
        }

        return NULL;
    }

    c->pool = ngx_create_pool(1024, log);

    if (c->pool == NULL) {
        ngx_close_connection(c);
        return NULL;
    }

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    return c;
}


static ngx_http_gw_fetch_ctx_t *
ngx_http_gw_fetch_request_dress(ngx_connection_t *c,
    const ngx_http_gw_fetch_t *f)
{
    ngx_log_t                *log;
    struct sockaddr          *sa;
    ngx_http_gw_fetch_ctx_t  *ctx;

    log = ngx_palloc(c->pool, sizeof(ngx_log_t));
    sa = ngx_pcalloc(c->pool, sizeof(struct sockaddr_un));
    ctx = ngx_pcalloc(c->pool, sizeof(ngx_http_gw_fetch_ctx_t));
    c->buffer = ngx_create_temp_buf(c->pool, 1);

    if (log == NULL || sa == NULL || ctx == NULL || c->buffer == NULL) {
        return NULL;
    }

    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);

    ctx->log.connection = c;
    ctx->http.conf_ctx = f->location->ctx;

    *log = *c->log;
    log->connection = c->number;
    log->handler = ngx_http_gw_fetch_request_log_handler;
    log->data = ctx;
    log->action = NULL;

    c->log = log;
    c->pool->log = log;
    c->read->log = log;
    c->write->log = log;
    c->log_error = NGX_ERROR_INFO;
    c->data = &ctx->http;

    /* what nginx makes of a client on a unix socket */

    sa->sa_family = AF_UNIX;

    c->sockaddr = sa;
    c->socklen = offsetof(struct sockaddr_un, sun_path);
    c->local_sockaddr = sa;
    c->local_socklen = c->socklen;
    ngx_str_set(&c->addr_text, "unix:");

    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;

    /* "active" without being polled: no one will add them */

    c->read->handler = ngx_http_gw_fetch_request_event_handler;
    c->write->handler = ngx_http_gw_fetch_request_event_handler;
    c->read->active = 1;
    c->write->active = 1;
    c->write->ready = 1;

    return ctx;
}


static ngx_int_t
ngx_http_gw_fetch_request_init(ngx_http_request_t *r,
    const ngx_http_gw_fetch_t *f)
{
    ngx_str_t  host;

    r->method = NGX_HTTP_GET;
    ngx_str_set(&r->method_name, "GET");
    r->http_version = NGX_HTTP_VERSION_11;
    ngx_str_set(&r->http_protocol, "HTTP/1.1");
    r->uri = f->location->uri;
    r->unparsed_uri = f->location->uri;
    r->internal = 1;

    if (ngx_list_init(&r->headers_in.headers, r->pool,
                      NGX_HTTP_GW_FETCH_HEADERS, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_gw_fetch_request_host(r, &host);

    r->headers_in.server = host;
    r->headers_in.host = ngx_http_gw_fetch_request_add(r, "Host", "host",
                                                       &host);

    if (r->headers_in.host == NULL) {
        return NGX_ERROR;
    }

    if (f->accept.len
        && ngx_http_gw_fetch_request_add(r, "Accept", "accept", &f->accept)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_table_elt_t *
ngx_http_gw_fetch_request_add(ngx_http_request_t *r, const char *name,
    const char *lowcase, const ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->lowcase_key = (u_char *) lowcase;
    h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
    h->value = *value;

    return h;
}


/* a name that is no pattern and no placeholder can be sent */

static void
ngx_http_gw_fetch_request_host(ngx_http_request_t *r, ngx_str_t *host)
{
    u_char                     ch;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    *host = cscf->server_name;

    ch = host->len ? ngx_tolower(host->data[0]) : 0;

    if ((ch < 'a' || ch > 'z') && (ch < '0' || ch > '9')) {
        ngx_str_set(host, "localhost");
    }
}


static ngx_int_t
ngx_http_gw_fetch_request_body(ngx_http_request_t *r,
    const ngx_http_gw_fetch_t *f)
{
    ngx_buf_t                *b;
    ngx_chain_t              *cl;
    ngx_table_elt_t          *h;
    ngx_http_request_body_t  *rb;

    /* there is always a body, else somebody might try to read one */

    rb = ngx_pcalloc(r->pool, sizeof(ngx_http_request_body_t));
    if (rb == NULL) {
        return NGX_ERROR;
    }

    r->request_body = rb;

    if (f->body.len == 0) {
        return NGX_OK;
    }

    b = ngx_create_temp_buf(r->pool, f->body.len);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL || cl == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, f->body.data, f->body.len);
    b->last_buf = 1;

    cl->buf = b;
    cl->next = NULL;

    rb->bufs = cl;
    rb->buf = b;

    r->headers_in.content_length_n = f->body.len;

    h = ngx_http_gw_fetch_request_add(r, "Content-Type", "content-type",
                                      &f->type);
    if (h == NULL) {
        return NGX_ERROR;
    }

    r->headers_in.content_type = h;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_fetch_request_attach(ngx_http_request_t *r,
    const ngx_http_gw_fetch_t *f, ngx_http_cleanup_pt cleanup)
{
    ngx_http_cleanup_t       *cln;
    ngx_http_request_t       *sr;
    ngx_http_gw_fetch_ctx_t  *ctx;

    static ngx_str_t  post = ngx_string("POST");

    ctx = r->connection->log->data;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = cleanup;
    cln->data = ctx;

    if (ngx_http_subrequest(r, &r->uri, NULL, &sr, NULL,
                            NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (f->body.len) {
        sr->method = NGX_HTTP_POST;
        sr->method_name = post;
    }

    ctx->subrequest = sr;

    return NGX_OK;
}


ngx_http_gw_fetch_ctx_t *
ngx_http_gw_fetch_request_ctx(ngx_http_request_t *r)
{
    /* r->ctx would be lost with an internal redirect */

    if (r->connection->log->handler != ngx_http_gw_fetch_request_log_handler) {
        return NULL;
    }

    return r->connection->log->data;
}


void
ngx_http_gw_fetch_request_close(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    /* there was no client whose request an action could follow */

    r->post_action = 1;
    r->uri_changes = 0;

    ngx_http_finalize_request(r, NGX_ERROR);

    ngx_http_run_posted_requests(c);
}


/*
 * There are no events of the socket, but a file operation that outlived its
 * request wakes the connection by this; as nginx's own handler would.
 */

static void
ngx_http_gw_fetch_request_event_handler(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ev->data;
    r = c->data;

    ngx_http_set_log_request(c->log, r);

    if (ev->write) {
        r->write_event_handler(r);

    } else {
        r->read_event_handler(r);
    }

    ngx_http_run_posted_requests(c);
}


static u_char *
ngx_http_gw_fetch_request_log_handler(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                   *p;
    ngx_http_request_t       *r;
    ngx_http_gw_fetch_ctx_t  *ctx;

    ctx = log->data;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    r = ctx->log.request;

    return r ? r->log_handler(r, ctx->log.current_request, buf, len) : buf;
}
