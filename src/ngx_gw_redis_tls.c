
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_tls.h"


#define NGX_GW_REDIS_TLS_DEPTH  9


static ngx_uint_t ngx_gw_redis_tls_is_address(const ngx_str_t *host);
static ngx_uint_t ngx_gw_redis_tls_check_address(ngx_connection_t *c,
    const ngx_str_t *host);


char *
ngx_gw_redis_tls_conf(ngx_conf_t *cf, ngx_gw_redis_conf_t *conf,
    ngx_str_t *ca, ngx_str_t *certificate, ngx_str_t *key)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    /* the buffer may grow, and so move, while a write waits */

    SSL_CTX_set_mode(ssl->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                               |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    if (certificate->len
        && ngx_ssl_certificate(cf, ssl, certificate, key, NULL) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* also asks OpenSSL to verify, if "ca" is empty */

    if (ngx_ssl_trusted_certificate(cf, ssl, ca, NGX_GW_REDIS_TLS_DEPTH)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ca->len == 0 && SSL_CTX_set_default_verify_paths(ssl->ctx) == 0) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_CONF_ERROR;
    }

    conf->ssl = ssl;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_gw_redis_tls_start(ngx_connection_t *c, ngx_ssl_t *ssl,
    const ngx_str_t *host, ngx_connection_handler_pt handler)
{
    ngx_int_t  rc;

    if (ngx_ssl_create_connection(ssl, c, NGX_SSL_CLIENT) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_gw_redis_tls_is_address(host)
        && SSL_set_tlsext_host_name(c->ssl->connection, (char *) host->data)
           == 0)
    {
        ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                      "SSL_set_tlsext_host_name() failed");
        return NGX_ERROR;
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = handler;
    }

    return rc;
}


const char *
ngx_gw_redis_tls_verify(ngx_connection_t *c, const ngx_str_t *host,
    ngx_str_t *why)
{
    long       rc;
    ngx_str_t  name;

    ngx_str_null(why);

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        why->data = (u_char *) X509_verify_cert_error_string(rc);
        why->len = ngx_strlen(why->data);

        return "has a certificate that can't be trusted";
    }

    if (ngx_gw_redis_tls_is_address(host)) {
        return ngx_gw_redis_tls_check_address(c, host)
               ? NULL : "has a certificate without its address";
    }

    name = *host;

    return (ngx_ssl_check_host(c, &name) == NGX_OK)
           ? NULL : "has a certificate for another name";
}


static ngx_uint_t
ngx_gw_redis_tls_is_address(const ngx_str_t *host)
{
#if (NGX_HAVE_INET6)
    u_char  addr[16];

    if (ngx_inet6_addr(host->data, host->len, addr) == NGX_OK) {
        return 1;
    }
#endif

    return ngx_inet_addr(host->data, host->len) != INADDR_NONE;
}


static ngx_uint_t
ngx_gw_redis_tls_check_address(ngx_connection_t *c, const ngx_str_t *host)
{
    X509        *cert;
    ngx_uint_t   rc;

    cert = SSL_get_peer_certificate(c->ssl->connection);
    if (cert == NULL) {
        return 0;
    }

    rc = (X509_check_ip_asc(cert, (char *) host->data, 0) == 1);

    X509_free(cert);

    return rc;
}


void
ngx_gw_redis_tls_close(ngx_connection_t *c)
{
    if (c->ssl == NULL) {
        return;
    }

    c->ssl->no_wait_shutdown = 1;
    c->ssl->no_send_shutdown = 1;

    (void) ngx_ssl_shutdown(c);
}
