
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * RFC 9457 bodies for the statuses a module returns.
 *
 * A phase handler returns a bare status, so that "satisfy any" and
 * "error_page" work as with nginx's own modules, and leaves a problem in its
 * request state.  The module's filters, which own the pointers to the next
 * filter, call
 *
 *     ngx_http_gw_problem_header()  replaces type and length, if the response
 *                                   is nginx's built-in one for this problem
 *     ngx_http_gw_problem_body()    gives the chain to send instead of it
 *
 * Both return NGX_OK, or NGX_ERROR if there was no memory.  The filters have
 * to take the problem from r->ctx only: nginx clears that on an error_page
 * redirect, and then the user's page wins.
 *
 * "extra" is a JSON fragment of further members, with a leading comma, or
 * empty; it is not escaped here.  The body carries $request_id.
 */

#ifndef _NGX_HTTP_GW_PROBLEM_H_INCLUDED_
#define _NGX_HTTP_GW_PROBLEM_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>


typedef struct {
    ngx_uint_t   status;     /* 0: no problem */
    const char  *type;       /* URI, NULL for about:blank */
    const char  *title;
    const char  *detail;
    ngx_str_t    extra;

    ngx_str_t    body;       /* set by ngx_http_gw_problem_header() */
    unsigned     sent:1;
} ngx_http_gw_problem_t;


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_problem_header(ngx_http_request_t *r,
    ngx_http_gw_problem_t *p);
ngx_int_t ngx_http_gw_problem_body(ngx_http_request_t *r,
    ngx_http_gw_problem_t *p, ngx_chain_t *in, ngx_chain_t **out);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_PROBLEM_H_INCLUDED_ */
