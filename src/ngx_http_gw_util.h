
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Helpers that know a request and that nginx does not have.
 *
 * ngx_http_gw_state_create() makes the state a module keeps for a request:
 * zeroed memory that lives as long as the request's pool, together with a
 * cleanup handler.  ngx_http_gw_state_get() finds it again, also after an
 * internal redirect and in the log phase, where r->ctx is gone; the handler
 * is what identifies it.  NULL if there is none.
 *
 * ngx_http_gw_header_unlink() removes from the request every header whose
 * name equals "name" (lower case), where bytes other than letters and digits
 * all compare equal to "-": with such names X_Passport or X.Passport might
 * reach an upstream as X-Passport.  Elements that stay are not moved, since
 * r->headers_in points to them; cached pointers to the ones that go and
 * evaluated $http_NAME variables are reset.  Returns the number of removed
 * headers, or NGX_ERROR if there was no memory.
 *
 * ngx_http_gw_header_unlink_empty() removes those alone that have no value.
 * ngx_http_gw_header_next() iterates over the headers it would remove, from
 * an "it" that was zeroed; meanwhile none may be removed.
 *
 * ngx_http_gw_header_add() appends a request header, which upstreams will
 * see, and resets $http_NAME; "lowcase" is its name in lower case.
 * ngx_http_gw_header_out() appends a response header and returns it, NULL if
 * out of memory.  Names and values are not copied.
 *
 * ngx_http_gw_variable_forget() makes the variable "prefix" and "name", in
 * any case, where "-" is "_", be evaluated again.
 *
 * ngx_http_gw_variable() evaluates the variable "name" at run time, so that
 * nobody needs the module which defines it.  "hash" is that of the name, as
 * ngx_hash_key() gives it.  An absent or empty variable gives an empty
 * string.
 */

#ifndef _NGX_HTTP_GW_UTIL_H_INCLUDED_
#define _NGX_HTTP_GW_UTIL_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>


typedef struct {
    ngx_list_part_t   *part;
    ngx_uint_t         i;
} ngx_http_gw_header_iter_t;


GW_HIDDEN_BEGIN

void *ngx_http_gw_state_create(ngx_http_request_t *r, ngx_module_t *module,
    size_t size, ngx_pool_cleanup_pt handler);
void *ngx_http_gw_state_get(ngx_http_request_t *r, ngx_module_t *module,
    ngx_pool_cleanup_pt handler);

ngx_int_t ngx_http_gw_header_unlink(ngx_http_request_t *r, ngx_str_t *name);
ngx_int_t ngx_http_gw_header_unlink_empty(ngx_http_request_t *r,
    ngx_str_t *name);
ngx_table_elt_t *ngx_http_gw_header_next(ngx_http_request_t *r,
    const ngx_str_t *name, ngx_http_gw_header_iter_t *it);
ngx_int_t ngx_http_gw_header_add(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *lowcase, ngx_str_t *value);
ngx_table_elt_t *ngx_http_gw_header_out(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);

ngx_str_t ngx_http_gw_variable(ngx_http_request_t *r, ngx_str_t *name,
    ngx_uint_t hash);
void ngx_http_gw_variable_forget(ngx_http_request_t *r, const char *prefix,
    const ngx_str_t *name);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_UTIL_H_INCLUDED_ */
