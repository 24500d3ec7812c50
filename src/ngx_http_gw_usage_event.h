
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Events of a request.
 *
 * ngx_http_gw_usage_event_admit() is for a request that goes to its content
 * handler: from here on its customer, api and tier are fixed, and it has a
 * sequence, unless its condition exempts it.
 *
 *     NGX_OK        goes on
 *     NGX_DECLINED  the journal is full, and such requests are refused
 *     NGX_ERROR     no memory
 *
 * ngx_http_gw_usage_event_final() writes the event of the whole request, or
 * of what interim events have not told yet.  It is for the log phase, and
 * has to be called there for all requests that were admitted.
 *
 * ngx_http_gw_usage_event_interim() tells what happened since the last event,
 * and leaves it for the next one if there is no room.
 *
 * ngx_http_gw_usage_event_fix() is for a connection that is upgraded.  nginx
 * then reads what the client sends into the memory of the request's line and
 * headers, so units, fields and method are fixed before; NGX_ERROR: no memory.
 *
 * ngx_http_gw_usage_interim_create() makes the timer for such events, NULL if
 * out of memory; it is started by ngx_http_gw_usage_interim_start(), and has
 * to be stopped before the request's pool is gone.
 */

#ifndef _NGX_HTTP_GW_USAGE_EVENT_H_INCLUDED_
#define _NGX_HTTP_GW_USAGE_EVENT_H_INCLUDED_


#include "ngx_http_gw_usage_state.h"


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_usage_event_admit(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w);
void ngx_http_gw_usage_event_final(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w);
void ngx_http_gw_usage_event_interim(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w);
ngx_int_t ngx_http_gw_usage_event_fix(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_worker_t *w);

ngx_http_gw_usage_interim_t *ngx_http_gw_usage_interim_create(
    ngx_http_request_t *r, ngx_http_gw_usage_ctx_t *ctx);
void ngx_http_gw_usage_interim_start(ngx_http_gw_usage_interim_t *interim);
void ngx_http_gw_usage_interim_stop(ngx_http_gw_usage_interim_t *interim);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_USAGE_EVENT_H_INCLUDED_ */
