
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The credential of a request: where it may come from, and how it is taken
 * out again.
 *
 * ngx_http_gw_auth_credential_find() looks at all "sources", an array of
 * ngx_http_gw_auth_source_t, each of them in it once:
 *
 *     NGX_OK        one was found: "credential" lives as long as the
 *                   request, "source" is where it came from
 *     NGX_DECLINED  none
 *     NGX_BUSY      several, be they equal: the request is refused
 *     NGX_ERROR     out of memory
 *
 * A bearer token is an Authorization header with that scheme; other schemes
 * count as none.  A header, a cookie, an argument may be empty: a credential
 * that is present and empty is found, and will be refused.  An argument is
 * percent-decoded ("+" is not a blank); two of that name are several.
 *
 * ngx_http_gw_auth_credential_mask() overwrites the value of an argument in
 * the request line by asterisks, for the logs.  $args and $request_uri have
 * it still, since an upstream may be meant to see it, until it is removed.
 *
 * ngx_http_gw_auth_credential_remove() takes the credential out of what an
 * upstream will see: headers of that name are unlinked, in every spelling;
 * the cookie is cut out of the Cookie headers, which stay otherwise the same;
 * the argument out of $args and of $request_uri, which a proxied request is
 * made of.  NGX_OK or NGX_ERROR.  May be called again on a later pass.
 */

#ifndef _NGX_HTTP_GW_AUTH_CREDENTIAL_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_CREDENTIAL_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>


#define NGX_HTTP_GW_AUTH_CREDENTIAL_MAX  (16 * 1024)     /* bytes, a longer
                                                            one is too_long */

typedef enum {
    NGX_HTTP_GW_AUTH_BEARER = 0,
    NGX_HTTP_GW_AUTH_HEADER,
    NGX_HTTP_GW_AUTH_COOKIE,
    NGX_HTTP_GW_AUTH_QUERY
} ngx_http_gw_auth_place_e;


typedef struct {
    ngx_http_gw_auth_place_e   place;
    ngx_str_t                  name;      /* of a header in lower case */
} ngx_http_gw_auth_source_t;


GW_HIDDEN_BEGIN

/* "bearer", "header=NAME", "cookie=NAME", "query=NAME": NULL, or an error */

const char *ngx_http_gw_auth_credential_source(ngx_conf_t *cf,
    ngx_str_t *value, ngx_http_gw_auth_source_t *source);
ngx_uint_t ngx_http_gw_auth_credential_same(
    const ngx_http_gw_auth_source_t *a, const ngx_http_gw_auth_source_t *b);

ngx_int_t ngx_http_gw_auth_credential_find(ngx_http_request_t *r,
    const ngx_array_t *sources, ngx_str_t *credential,
    const ngx_http_gw_auth_source_t **source);
void ngx_http_gw_auth_credential_mask(ngx_http_request_t *r,
    const ngx_http_gw_auth_source_t *source);
ngx_int_t ngx_http_gw_auth_credential_remove(ngx_http_request_t *r,
    const ngx_http_gw_auth_source_t *source);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_CREDENTIAL_H_INCLUDED_ */
