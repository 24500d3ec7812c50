
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Suspends a request in a phase handler and resumes it.  The only file that
 * swaps a request's event handlers.
 *
 * The structure is embedded in the module's request state, which must live
 * as long as the request's pool.  The order of calls:
 *
 *     ngx_http_gw_wait_init()    before the operation is started
 *     ngx_http_gw_wait_park()    from the phase handler, if the operation is
 *                                not done: NGX_AGAIN, or an HTTP status
 *     ngx_http_gw_wait_wake()    from the operation's completion, at most
 *                                once; may come before park()
 *     ngx_http_gw_wait_cancel()  from the pool cleanup
 *
 * "done" tells whether wake() was called.  wake() only posts an event, so it
 * is safe on the stack of a library.  A parked phase handler that is entered
 * for another reason has to return NGX_AGAIN while "waiting" is set.
 */

#ifndef _NGX_HTTP_GW_WAIT_H_INCLUDED_
#define _NGX_HTTP_GW_WAIT_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>


typedef struct {
    ngx_http_request_t  *request;
    ngx_event_t          resume;
    ngx_int_t            phase;      /* where the request is parked */

    unsigned             done:1;
    unsigned             waiting:1;
} ngx_http_gw_wait_t;


GW_HIDDEN_BEGIN

void ngx_http_gw_wait_init(ngx_http_gw_wait_t *w, ngx_http_request_t *r);
ngx_int_t ngx_http_gw_wait_park(ngx_http_gw_wait_t *w);
void ngx_http_gw_wait_wake(ngx_http_gw_wait_t *w);
void ngx_http_gw_wait_cancel(ngx_http_gw_wait_t *w);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_WAIT_H_INCLUDED_ */
