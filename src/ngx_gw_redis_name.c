
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_name.h"
#include "ngx_gw_redis_peer.h"


static ngx_int_t ngx_gw_redis_name_literal(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_place_t *place);
static void ngx_gw_redis_name_text(ngx_gw_redis_place_t *place,
    const ngx_gw_redis_host_t *host);
static ngx_int_t ngx_gw_redis_name_known(ngx_gw_redis_place_t *place);
static void ngx_gw_redis_name_handler(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_gw_redis_name_store(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_place_t *place, ngx_resolver_ctx_t *ctx);


ngx_int_t
ngx_gw_redis_name_set(ngx_gw_redis_peer_t *peer,
    const ngx_gw_redis_host_t *hosts, ngx_uint_t n)
{
    ngx_uint_t             i;
    ngx_gw_redis_place_t  *places;

    places = ngx_calloc(n * sizeof(ngx_gw_redis_place_t), peer->log);
    if (places == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        places[i].host = hosts[i];
        ngx_gw_redis_name_text(&places[i], &hosts[i]);
    }

    ngx_gw_redis_name_release(peer);

    peer->places = places;
    peer->nplaces = n;
    peer->place = 0;
    peer->address = 0;
    peer->resolved = 0;
    peer->name = places[0].name;

    return NGX_OK;
}


ngx_int_t
ngx_gw_redis_name_one(ngx_gw_redis_peer_t *peer, const ngx_str_t *host,
    in_port_t port)
{
    ngx_gw_redis_host_t    one;
    ngx_gw_redis_place_t  *place;

    if (host->len == 0 || host->len >= NGX_GW_REDIS_HOST || port == 0) {
        return NGX_ERROR;
    }

    place = peer->places;

    if (peer->nplaces == 1 && place->host.port == port
        && ngx_gw_str_equal(&place->host.host, host))
    {
        /* what is known of it may still be of use */

        return NGX_OK;
    }

    ngx_memzero(&one, sizeof(ngx_gw_redis_host_t));

    one.host = *host;
    one.port = port;
    one.name = 1;

    if (ngx_gw_redis_name_set(peer, &one, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_gw_redis_name_literal(peer, peer->places);
}


static ngx_int_t
ngx_gw_redis_name_literal(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_place_t *place)
{
    socklen_t        len;
    ngx_str_t       *host;
    ngx_addr_t      *addr;
    ngx_sockaddr_t   sa;

    host = &place->host.host;

    ngx_memzero(&sa, sizeof(ngx_sockaddr_t));

    sa.sockaddr_in.sin_addr.s_addr = ngx_inet_addr(host->data, host->len);

    if (sa.sockaddr_in.sin_addr.s_addr != INADDR_NONE) {
        sa.sockaddr_in.sin_family = AF_INET;
        len = sizeof(struct sockaddr_in);

#if (NGX_HAVE_INET6)
    } else if (ngx_inet6_addr(host->data, host->len,
                              sa.sockaddr_in6.sin6_addr.s6_addr)
               == NGX_OK)
    {
        /* the guess above has left its marks in other fields */

        sa.sockaddr_in6.sin6_flowinfo = 0;
        sa.sockaddr_in6.sin6_family = AF_INET6;
        len = sizeof(struct sockaddr_in6);
#endif

    } else {
        return NGX_OK;
    }

    addr = ngx_calloc(sizeof(ngx_addr_t) + sizeof(ngx_sockaddr_t), peer->log);
    if (addr == NULL) {
        return NGX_ERROR;
    }

    addr->sockaddr = (struct sockaddr *) &addr[1];
    addr->socklen = len;

    ngx_memcpy(addr->sockaddr, &sa, len);
    ngx_inet_set_port(addr->sockaddr, place->host.port);

    place->own = addr;
    place->host.addrs = addr;
    place->host.naddrs = 1;
    place->host.name = 0;

    return NGX_OK;
}


static void
ngx_gw_redis_name_text(ngx_gw_redis_place_t *place,
    const ngx_gw_redis_host_t *host)
{
    u_char  *p;

    p = place->text;

    place->host.host.data = p;
    place->host.host.len = ngx_min(host->host.len, NGX_GW_REDIS_HOST - 1);

    p = ngx_cpymem(p, host->host.data, place->host.host.len);
    *p++ = '\0';

    place->name.data = p;

    if (host->port == 0) {
        p = ngx_sprintf(p, "%V", &place->host.host);

    } else if (ngx_strlchr(place->text, p, ':')) {
        p = ngx_sprintf(p, "[%V]:%ui", &place->host.host,
                        (ngx_uint_t) host->port);

    } else {
        p = ngx_sprintf(p, "%V:%ui", &place->host.host,
                        (ngx_uint_t) host->port);
    }

    place->name.len = p - place->name.data;
}


ngx_int_t
ngx_gw_redis_name_resolve(ngx_gw_redis_peer_t *peer)
{
    ngx_resolver_ctx_t         *ctx;
    ngx_gw_redis_place_t       *place;
    const ngx_gw_redis_conf_t  *conf;

    conf = peer->conf;
    place = &peer->places[peer->place];

    peer->name = place->name;

    if (!place->host.name || conf->resolver == NULL || peer->resolved) {
        return ngx_gw_redis_name_known(place);
    }

    peer->resolved = 1;

    ctx = ngx_resolve_start(conf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return ngx_gw_redis_name_known(place);
    }

    /* a silent name server leaves time for the addresses that are known */

    ctx->name = place->host.host;
    ctx->handler = ngx_gw_redis_name_handler;
    ctx->data = peer;
    ctx->timeout = ngx_min(conf->resolver_timeout, peer->stall / 2);
    ctx->cancelable = 1;

    peer->resolving = ctx;

    /* may call the handler before it returns, and frees what has failed */

    if (ngx_resolve_name(ctx) != NGX_OK) {
        peer->resolving = NULL;
        return ngx_gw_redis_name_known(place);
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_gw_redis_name_known(ngx_gw_redis_place_t *place)
{
    return place->host.naddrs ? NGX_OK : NGX_ERROR;
}


/*
 * The resolver calls all who wait for a name in one loop, in which none of
 * the others may be cancelled: what follows is left to an event.
 */

static void
ngx_gw_redis_name_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t              n;
    ngx_gw_redis_peer_t    *peer;
    ngx_gw_redis_place_t   *place;

    peer = ctx->data;
    place = &peer->places[peer->place];

    peer->resolving = NULL;

    if (ctx->state != NGX_OK) {

        if (ngx_gw_log_pass(&peer->log_name, &n)) {
            ngx_log_error(NGX_LOG_WARN, peer->log, 0,
                          "gw redis: %V could not be resolved (%i: %s), "
                          "%ui old addresses are left, "
                          "%ui more failures before",
                          &place->name, ctx->state,
                          ngx_resolver_strerror(ctx->state),
                          place->host.naddrs, n);
        }

    } else {

        /* if memory is short, the old addresses stay */

        (void) ngx_gw_redis_name_store(peer, place, ctx);
    }

    ngx_resolve_name_done(ctx);

    ngx_post_event(&peer->answered, &ngx_posted_events);
}


static ngx_int_t
ngx_gw_redis_name_store(ngx_gw_redis_peer_t *peer,
    ngx_gw_redis_place_t *place, ngx_resolver_ctx_t *ctx)
{
    u_char      *p;
    size_t       size;
    ngx_uint_t   i;
    ngx_addr_t  *addrs;

    size = ctx->naddrs * (sizeof(ngx_addr_t) + sizeof(ngx_sockaddr_t));

    addrs = ngx_calloc(size, peer->log);
    if (addrs == NULL) {
        return NGX_ERROR;
    }

    p = (u_char *) &addrs[ctx->naddrs];

    for (i = 0; i < ctx->naddrs; i++) {
        addrs[i].sockaddr = (struct sockaddr *) p;
        addrs[i].socklen = ctx->addrs[i].socklen;

        ngx_memcpy(p, ctx->addrs[i].sockaddr, addrs[i].socklen);
        ngx_inet_set_port(addrs[i].sockaddr, place->host.port);

        p += sizeof(ngx_sockaddr_t);
    }

    if (place->own) {
        ngx_free(place->own);
    }

    place->own = addrs;
    place->host.addrs = addrs;
    place->host.naddrs = ctx->naddrs;

    peer->address = 0;

    return NGX_OK;
}


void
ngx_gw_redis_name_cancel(ngx_gw_redis_peer_t *peer)
{
    if (peer->resolving) {
        ngx_resolve_name_done(peer->resolving);
        peer->resolving = NULL;
    }

    if (peer->answered.posted) {
        ngx_delete_posted_event(&peer->answered);
    }
}


ngx_uint_t
ngx_gw_redis_name_next(ngx_gw_redis_peer_t *peer)
{
    if (peer->nplaces == 0) {
        return 0;
    }

    peer->address++;

    if (peer->address < peer->places[peer->place].host.naddrs) {
        return 1;
    }

    peer->address = 0;
    peer->resolved = 0;
    peer->place++;

    if (peer->place < peer->nplaces) {
        return 1;
    }

    peer->place = 0;

    return 0;
}


void
ngx_gw_redis_name_release(ngx_gw_redis_peer_t *peer)
{
    ngx_uint_t  i;

    ngx_gw_redis_name_cancel(peer);

    for (i = 0; i < peer->nplaces; i++) {
        if (peer->places[i].own) {
            ngx_free(peer->places[i].own);
        }
    }

    if (peer->places) {
        ngx_free(peer->places);
    }

    peer->places = NULL;
    peer->nplaces = 0;
    peer->name = peer->conf->name;
}
