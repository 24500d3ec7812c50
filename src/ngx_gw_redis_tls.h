
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * TLS of the Redis client, by nginx's wrappers of OpenSSL: TLS 1.2 or 1.3,
 * the chain and the name of the server verified, a certificate of our own if
 * there is one.
 *
 * ngx_gw_redis_tls_conf() makes conf->ssl at configuration time; an empty
 * "ca" means the authorities that the system trusts.
 *
 * ngx_gw_redis_tls_start() begins the handshake of a client: NGX_OK if it is
 * over, NGX_AGAIN if "handler" will be called, NGX_ERROR.
 * ngx_gw_redis_tls_verify() returns NULL if the peer is who it should be, or
 * what is wrong; "why" is a detail or empty.  ngx_gw_redis_tls_close() frees
 * what belongs to the connection, before that is closed; it never waits.
 *
 * "host" is a name or an address, with a NUL behind it.
 */

#ifndef _NGX_GW_REDIS_TLS_H_INCLUDED_
#define _NGX_GW_REDIS_TLS_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_event.h>

#include "ngx_gw_redis_conf.h"


GW_HIDDEN_BEGIN

char *ngx_gw_redis_tls_conf(ngx_conf_t *cf, ngx_gw_redis_conf_t *conf,
    ngx_str_t *ca, ngx_str_t *certificate, ngx_str_t *key);

ngx_int_t ngx_gw_redis_tls_start(ngx_connection_t *c, ngx_ssl_t *ssl,
    const ngx_str_t *host, ngx_connection_handler_pt handler);
const char *ngx_gw_redis_tls_verify(ngx_connection_t *c,
    const ngx_str_t *host, ngx_str_t *why);
void ngx_gw_redis_tls_close(ngx_connection_t *c);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_TLS_H_INCLUDED_ */
