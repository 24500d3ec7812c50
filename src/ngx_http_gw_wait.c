
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_wait.h"


static void ngx_http_gw_wait_resume(ngx_event_t *ev);


void
ngx_http_gw_wait_init(ngx_http_gw_wait_t *w, ngx_http_request_t *r)
{
    ngx_memzero(w, sizeof(ngx_http_gw_wait_t));

    w->request = r;

    w->resume.data = w;
    w->resume.handler = ngx_http_gw_wait_resume;
    w->resume.log = r->connection->log;
}


ngx_int_t
ngx_http_gw_wait_park(ngx_http_gw_wait_t *w)
{
    ngx_event_t         *rev;
    ngx_http_request_t  *r;

    r = w->request;
    rev = r->connection->read;

    /* the client may be gone already, an edge is not repeated */

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);

    } else if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    w->phase = r->phase_handler;
    w->waiting = 1;

    return NGX_AGAIN;
}


void
ngx_http_gw_wait_wake(ngx_http_gw_wait_t *w)
{
    w->done = 1;

    if (w->waiting) {
        ngx_post_event(&w->resume, &ngx_posted_events);
    }
}


static void
ngx_http_gw_wait_resume(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;
    ngx_http_gw_wait_t  *w;

    w = ev->data;
    r = w->request;
    c = r->connection;

    w->waiting = 0;

    if (r->phase_handler != w->phase) {

        /* "post_action" of a client that has left: the request is elsewhere */

        return;
    }

    ngx_http_set_log_request(c->log, r);

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);

    /* r and w may be freed now */

    ngx_http_run_posted_requests(c);
}


void
ngx_http_gw_wait_cancel(ngx_http_gw_wait_t *w)
{
    if (w->resume.posted) {
        ngx_delete_posted_event(&w->resume);
    }
}
