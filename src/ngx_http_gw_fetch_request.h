
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The request of a fetch, without a client: on a socket that nobody can reach
 * and that is never polled, with one subrequest, for the answer.
 *
 * ngx_http_gw_fetch_request_create() makes both, and runs nothing yet.  NULL
 * if that failed: logged.  "woken" is called when the subrequest has ended,
 * "cleanup", with the context, when the request ends for whatever reason.
 *
 * ngx_http_gw_fetch_request_ctx() gives the context; NULL if the request, or
 * subrequest, is not of a fetch.
 *
 * ngx_http_gw_fetch_request_close() ends it at any moment; not on a stack that
 * uses it.
 */

#ifndef _NGX_HTTP_GW_FETCH_REQUEST_H_INCLUDED_
#define _NGX_HTTP_GW_FETCH_REQUEST_H_INCLUDED_


#include "ngx_http_gw_fetch.h"


/*
 * In the pool of the connection, which dies last.  "log" comes first: it is
 * what the log's data, and so each filter, can reach.
 */

typedef struct {
    ngx_http_log_ctx_t        log;
    ngx_http_connection_t     http;
    ngx_http_gw_fetch_t      *fetch;        /* NULL: not wanted any more */
    ngx_http_gw_fetch_t       nobody;       /* given out instead */
    ngx_http_request_t       *subrequest;
    ngx_uint_t                status;
    ngx_str_t                 text;
    size_t                    size;         /* there is room for */

    unsigned                  complete:1;   /* the last byte was seen */
} ngx_http_gw_fetch_ctx_t;


GW_HIDDEN_BEGIN

ngx_http_request_t *ngx_http_gw_fetch_request_create(
    const ngx_http_gw_fetch_t *f, ngx_http_event_handler_pt woken,
    ngx_http_cleanup_pt cleanup, ngx_log_t *log);
ngx_http_gw_fetch_ctx_t *ngx_http_gw_fetch_request_ctx(ngx_http_request_t *r);
void ngx_http_gw_fetch_request_close(ngx_http_request_t *r);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_FETCH_REQUEST_H_INCLUDED_ */
