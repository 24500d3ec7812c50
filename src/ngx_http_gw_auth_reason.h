
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What became of a credential: the values of $gw_auth_status.  They go on
 * where gw_jwt_status_e ends, so that a reason of either is one number.
 */

#ifndef _NGX_HTTP_GW_AUTH_REASON_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_REASON_H_INCLUDED_


#include "ngx_gw.h"

#include "gw_jwt.h"


typedef enum {
    NGX_HTTP_GW_AUTH_MISSING = GW_JWT_STATUS_MAX,

    /* 400 */
    NGX_HTTP_GW_AUTH_SEVERAL,             /* credentials in one request */

    /* 401 */
    NGX_HTTP_GW_AUTH_NO_PROVIDER,         /* claims the credential */
    NGX_HTTP_GW_AUTH_UNKNOWN_API_KEY,
    NGX_HTTP_GW_AUTH_DISABLED,            /* an API key that is */
    NGX_HTTP_GW_AUTH_REVOKED,

    /* 403 */
    NGX_HTTP_GW_AUTH_INSUFFICIENT_SCOPE,
    NGX_HTTP_GW_AUTH_INSUFFICIENT_CLAIM,

    /* 503 */
    NGX_HTTP_GW_AUTH_TOO_OLD,             /* for the fallback */
    NGX_HTTP_GW_AUTH_NO_KEYS,
    NGX_HTTP_GW_AUTH_NO_INTROSPECTION,
    NGX_HTTP_GW_AUTH_NO_REDIS,
    NGX_HTTP_GW_AUTH_NO_REVOCATIONS,

    NGX_HTTP_GW_AUTH_REASON_MAX
} ngx_http_gw_auth_reason_e;


#define NGX_HTTP_GW_AUTH_NOBODY  NGX_HTTP_GW_AUTH_REASON_MAX   /* yet */


GW_HIDDEN_BEGIN

const char *ngx_http_gw_auth_reason_name(ngx_uint_t reason);
ngx_uint_t ngx_http_gw_auth_reason_status(ngx_uint_t reason);   /* of HTTP */

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_REASON_H_INCLUDED_ */
