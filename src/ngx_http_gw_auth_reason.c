
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_reason.h"

#include <ngx_http.h>


static const struct {
    const char  *name;
    ngx_uint_t   status;
} ngx_http_gw_auth_reasons[] = {
    { "missing", NGX_HTTP_UNAUTHORIZED },
    { "multiple_credentials", NGX_HTTP_BAD_REQUEST },
    { "no_provider", NGX_HTTP_UNAUTHORIZED },
    { "unknown_api_key", NGX_HTTP_UNAUTHORIZED },
    { "disabled", NGX_HTTP_UNAUTHORIZED },
    { "revoked", NGX_HTTP_UNAUTHORIZED },
    { "insufficient_scope", NGX_HTTP_FORBIDDEN },
    { "insufficient_claim", NGX_HTTP_FORBIDDEN },
    { "too_old", NGX_HTTP_SERVICE_UNAVAILABLE },
    { "keys_unavailable", NGX_HTTP_SERVICE_UNAVAILABLE },
    { "introspection_unavailable", NGX_HTTP_SERVICE_UNAVAILABLE },
    { "redis_unavailable", NGX_HTTP_SERVICE_UNAVAILABLE },
    { "revocations_unavailable", NGX_HTTP_SERVICE_UNAVAILABLE }
};


_Static_assert(sizeof(ngx_http_gw_auth_reasons)
               / sizeof(ngx_http_gw_auth_reasons[0])
               == NGX_HTTP_GW_AUTH_REASON_MAX - NGX_HTTP_GW_AUTH_MISSING,
               "each reason needs a name");


const char *
ngx_http_gw_auth_reason_name(ngx_uint_t reason)
{
    if (reason < GW_JWT_STATUS_MAX) {
        return gw_jwt_status_name((gw_jwt_status_e) reason);
    }

    if (reason >= NGX_HTTP_GW_AUTH_REASON_MAX) {
        return "unknown";
    }

    return ngx_http_gw_auth_reasons[reason - NGX_HTTP_GW_AUTH_MISSING].name;
}


ngx_uint_t
ngx_http_gw_auth_reason_status(ngx_uint_t reason)
{
    if (reason == GW_JWT_OK) {
        return NGX_HTTP_OK;
    }

    if (reason == GW_JWT_UNAVAILABLE) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (reason < GW_JWT_STATUS_MAX) {
        return NGX_HTTP_UNAUTHORIZED;
    }

    if (reason >= NGX_HTTP_GW_AUTH_REASON_MAX) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_gw_auth_reasons[reason - NGX_HTTP_GW_AUTH_MISSING].status;
}
