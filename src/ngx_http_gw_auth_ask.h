
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Asks the auth service (RFC 7662) or Redis (API keys) about a credential,
 * once for all requests of a worker that carry it, and caches the answer.
 *
 * ngx_http_gw_auth_ask() starts or joins:
 *
 *     NGX_OK        "waiter" will be called, or was already
 *     NGX_BUSY      as many as allowed are under way; not called
 *     NGX_DECLINED  the breaker is open; not called
 *     NGX_ERROR     out of memory, logged; not called
 *
 * The handler gets GW_JWT_OK with the identity as gw_identity_pack() wrote
 * it, gone when it returns, or a reason; it must not run request code.
 * GW_JWT_UNAVAILABLE: there was no answer, or none to believe.
 *
 * An answer, also a refusal, is kept for provider->cache seconds, not beyond
 * the credential's end, also when nobody waits for it any more.
 *
 * Bounds: provider->max, or NGX_HTTP_GW_AUTH_LOOKUPS API keys, at once.
 */

#ifndef _NGX_HTTP_GW_AUTH_ASK_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_ASK_H_INCLUDED_


#include "ngx_http_gw_auth_conf.h"
#include "ngx_http_gw_auth_reason.h"


#define NGX_HTTP_GW_AUTH_LOOKUPS  1024


typedef struct ngx_http_gw_auth_ask_s     ngx_http_gw_auth_ask_t;
typedef struct ngx_http_gw_auth_waiter_s  ngx_http_gw_auth_waiter_t;

typedef void (*ngx_http_gw_auth_waiter_pt)(ngx_http_gw_auth_waiter_t *waiter,
    ngx_uint_t reason, const char *packed, size_t len);


struct ngx_http_gw_auth_waiter_s {
    ngx_http_gw_auth_waiter_pt   handler;
    void                        *data;

    ngx_queue_t                  queue;        /* private */
    unsigned                     active:1;
};


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_auth_ask(ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential,
    const u_char *digest, ngx_http_gw_auth_waiter_t *waiter);
void ngx_http_gw_auth_ask_cancel(ngx_http_gw_auth_waiter_t *waiter);
void ngx_http_gw_auth_ask_exit(ngx_http_gw_auth_worker_t *worker);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_ASK_H_INCLUDED_ */
