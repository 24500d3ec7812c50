
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Fetches an internal location without a client: nginx does the proxying,
 * the TLS and the retries, as the location says.  A request of our own on a
 * socket without a peer, with headers of our own only, has one subrequest,
 * whose answer the module's filters collect:
 *
 *     f = ngx_http_gw_fetch_get(r);
 *
 *     if (f) {
 *         return ngx_http_gw_fetch_header(r, f);      in the header filter
 *         return ngx_http_gw_fetch_body(r, f, in);    in the body filter
 *     }
 *
 * ngx_http_gw_fetch_start() sends GET, or POST if f->body has data.  The
 * caller keeps the structure until f->handler was called, exactly once, not
 * before start() returned, or until ngx_http_gw_fetch_cancel().  The body and
 * the strings have to live as long.  NGX_OK, or NGX_ERROR: logged, and there
 * will be no call.
 *
 * In the handler f->status is the status of the answer and f->text its body,
 * complete, gone when the handler returns; or status is 0 and f->failure says
 * why: "timed out", "too large", "encoded" (there is a Content-Encoding),
 * "failed".  The handler may start another fetch, or free the structure.
 *
 * ngx_http_gw_fetch_find() fills in a location at the end of configuration,
 * in postconfiguration: of the server whose first name is "server", or if
 * that is empty, the first server with exactly that "location = uri".
 * NGX_OK, or NGX_DECLINED if there is none.
 */

#ifndef _NGX_HTTP_GW_FETCH_H_INCLUDED_
#define _NGX_HTTP_GW_FETCH_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>


typedef struct ngx_http_gw_fetch_s  ngx_http_gw_fetch_t;

typedef void (*ngx_http_gw_fetch_handler_pt)(ngx_http_gw_fetch_t *f);


typedef struct {
    ngx_str_t                         uri;
    ngx_str_t                         server;     /* may be empty */
    ngx_http_conf_ctx_t              *ctx;        /* set by _find() */
} ngx_http_gw_fetch_location_t;


struct ngx_http_gw_fetch_s {
    ngx_http_gw_fetch_handler_pt      handler;
    void                             *data;

    const ngx_http_gw_fetch_location_t  *location;
    ngx_str_t                         accept;     /* media type */
    ngx_str_t                         type;       /* of the body */
    ngx_str_t                         body;
    size_t                            max;        /* bytes of the answer */
    ngx_msec_t                        timeout;

    ngx_uint_t                        status;
    const char                       *failure;
    ngx_str_t                         text;

    /* the rest is private */

    ngx_http_request_t               *request;
    ngx_event_t                       deadline;
    ngx_event_t                       done;

    unsigned                          cancelable:1;  /* set by the caller:
                                                        nobody waits */
    unsigned                          active:1;
    unsigned                          ended:1;
};


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_fetch_find(ngx_conf_t *cf,
    ngx_http_gw_fetch_location_t *location);

ngx_int_t ngx_http_gw_fetch_start(ngx_http_gw_fetch_t *f, ngx_log_t *log);
void ngx_http_gw_fetch_cancel(ngx_http_gw_fetch_t *f);

ngx_http_gw_fetch_t *ngx_http_gw_fetch_get(ngx_http_request_t *r);
ngx_int_t ngx_http_gw_fetch_header(ngx_http_request_t *r,
    ngx_http_gw_fetch_t *f);
ngx_int_t ngx_http_gw_fetch_body(ngx_http_request_t *r,
    ngx_http_gw_fetch_t *f, ngx_chain_t *in);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_FETCH_H_INCLUDED_ */
