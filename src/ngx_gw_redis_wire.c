
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_wire.h"
#include "ngx_gw_redis_ring.h"
#include "ngx_gw_redis_tls.h"

#include <ngx_event_connect.h>


#define NGX_GW_REDIS_WIRE_POOL  512


static ngx_connection_t *ngx_gw_redis_wire_connect(ngx_gw_redis_peer_t *peer,
    ngx_int_t *rc);
static void ngx_gw_redis_wire_writer(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);
static void ngx_gw_redis_wire_broken(ngx_gw_redis_peer_t *peer,
    const char *what);
static void ngx_gw_redis_wire_connected(ngx_gw_redis_peer_t *peer);
static void ngx_gw_redis_wire_ready(ngx_gw_redis_peer_t *peer);
static const ngx_str_t *ngx_gw_redis_wire_host(ngx_gw_redis_peer_t *peer);
static void ngx_gw_redis_wire_tls_handler(ngx_connection_t *c);
static void ngx_gw_redis_wire_tls(ngx_gw_redis_peer_t *peer);
static ngx_err_t ngx_gw_redis_wire_error(ngx_connection_t *c);
static void ngx_gw_redis_wire_write_handler(ngx_event_t *wev);
static void ngx_gw_redis_wire_read_handler(ngx_event_t *rev);
static void ngx_gw_redis_wire_read(ngx_gw_redis_peer_t *peer);
static ngx_int_t ngx_gw_redis_wire_replies(ngx_gw_redis_peer_t *peer,
    u_char *data, size_t len);


ngx_int_t
ngx_gw_redis_wire_open(ngx_gw_redis_peer_t *peer)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    /* each failure would be a line, while ours is one per interval */

    peer->quiet = *peer->log;
    peer->quiet.log_level = NGX_LOG_INFO;
    peer->quiet.writer = ngx_gw_redis_wire_writer;
    peer->quiet.wdata = peer;
    peer->quiet.next = NULL;

    peer->said[0] = '\0';

    c = ngx_gw_redis_wire_connect(peer, &rc);

    peer->connection = c;

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        ngx_gw_redis_peer_break(peer, ngx_socket_errno, "could not connect",
                                NULL);
        return NGX_ERROR;
    }

    peer->finding = 0;

    c->data = peer;
    c->log = &peer->quiet;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_gw_redis_wire_read_handler;
    c->write->handler = ngx_gw_redis_wire_write_handler;

    if (peer->conf->ssl) {

        /* the wrappers of OpenSSL allocate from it */

        c->pool = ngx_create_pool(NGX_GW_REDIS_WIRE_POOL, peer->log);

        if (c->pool == NULL) {
            ngx_gw_redis_peer_break(peer, 0,
                                    "could not connect, memory is short",
                                    NULL);
            return NGX_ERROR;
        }
    }

    ngx_add_timer(&peer->timer, peer->stall);

    if (rc == NGX_OK) {
        ngx_gw_redis_wire_connected(peer);
    }

    return peer->connection ? NGX_OK : NGX_ERROR;
}


static ngx_connection_t *
ngx_gw_redis_wire_connect(ngx_gw_redis_peer_t *peer, ngx_int_t *rc)
{
    ngx_addr_t             *addr;
    ngx_gw_redis_host_t    *host;
    ngx_peer_connection_t   pc;

    host = &peer->places[peer->place].host;
    addr = &host->addrs[peer->address % host->naddrs];

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = addr->sockaddr;
    pc.socklen = addr->socklen;
    pc.name = &peer->name;
    pc.get = ngx_event_get_peer;
    pc.log = &peer->quiet;
    pc.log_error = NGX_ERROR_INFO;

    *rc = ngx_event_connect_peer(&pc);

    return pc.connection;
}


/* what nginx and OpenSSL have to say stands in our own line, and only there */

static void
ngx_gw_redis_wire_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    u_char               *p, *last;
    ngx_gw_redis_peer_t  *peer;

    peer = log->wdata;

    /* "TIME [LEVEL] PID#TID: TEXT" */

    last = buf + len;

    p = ngx_strlchr(buf, last, '#');
    p = p ? ngx_strlchr(p, last, ' ') : NULL;
    p = p ? p + 1 : buf;

    while (last > p && last[-1] == '\n') {
        last--;
    }

    if (level <= NGX_LOG_ALERT) {
        ngx_log_error(level, peer->log, 0, "%*s", (size_t) (last - p), p);
        return;
    }

    len = ngx_min((size_t) (last - p), NGX_GW_REDIS_SAID - 1);

    (void) ngx_cpystrn(peer->said, p, len + 1);
}


static void
ngx_gw_redis_wire_broken(ngx_gw_redis_peer_t *peer, const char *what)
{
    ngx_str_t  said;

    said.data = peer->said;
    said.len = ngx_strlen(peer->said);

    ngx_gw_redis_peer_break(peer, 0, what, said.len ? &said : NULL);
}


static void
ngx_gw_redis_wire_connected(ngx_gw_redis_peer_t *peer)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    if (peer->conf->ssl == NULL) {
        ngx_gw_redis_wire_ready(peer);
        return;
    }

    c = peer->connection;

    rc = ngx_gw_redis_tls_start(c, peer->conf->ssl,
                                ngx_gw_redis_wire_host(peer),
                                ngx_gw_redis_wire_tls_handler);

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc != NGX_OK) {
        ngx_gw_redis_wire_broken(peer, "could not begin TLS");
        return;
    }

    ngx_gw_redis_wire_tls(peer);
}


static void
ngx_gw_redis_wire_ready(ngx_gw_redis_peer_t *peer)
{
    peer->connected = 1;

    ngx_gw_redis_wire_write(peer);
}


/* what the certificate has to be for */

static const ngx_str_t *
ngx_gw_redis_wire_host(ngx_gw_redis_peer_t *peer)
{
    if (peer->conf->server_name.len) {
        return &peer->conf->server_name;
    }

    return &peer->places[peer->place].host.host;
}


static void
ngx_gw_redis_wire_tls_handler(ngx_connection_t *c)
{
    ngx_gw_redis_peer_t  *peer;

    peer = c->data;

    peer->depth++;

    ngx_gw_redis_wire_tls(peer);

    ngx_gw_redis_peer_leave(peer);
}


static void
ngx_gw_redis_wire_tls(ngx_gw_redis_peer_t *peer)
{
    ngx_str_t          why;
    const char        *wrong;
    ngx_connection_t  *c;

    c = peer->connection;

    if (!c->ssl->handshaked) {
        ngx_gw_redis_wire_broken(peer, "refused TLS, or does not speak it");
        return;
    }

    wrong = ngx_gw_redis_tls_verify(c, ngx_gw_redis_wire_host(peer), &why);

    if (wrong) {
        ngx_gw_redis_peer_break(peer, 0, wrong, why.len ? &why : NULL);
        return;
    }

    c->read->handler = ngx_gw_redis_wire_read_handler;
    c->write->handler = ngx_gw_redis_wire_write_handler;

    if (c->read->ready) {

        /* tickets of the session may lie in OpenSSL already */

        ngx_post_event(c->read, &ngx_posted_events);
    }

    ngx_gw_redis_wire_ready(peer);
}


static ngx_err_t
ngx_gw_redis_wire_error(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


static void
ngx_gw_redis_wire_write_handler(ngx_event_t *wev)
{
    ngx_err_t             err;
    ngx_connection_t     *c;
    ngx_gw_redis_peer_t  *peer;

    c = wev->data;
    peer = c->data;

    peer->depth++;

    if (peer->connected) {
        ngx_gw_redis_wire_write(peer);

    } else {
        err = ngx_gw_redis_wire_error(c);

        if (err) {
            ngx_gw_redis_peer_break(peer, err, "could not connect", NULL);

        } else {
            ngx_gw_redis_wire_connected(peer);
        }
    }

    ngx_gw_redis_peer_leave(peer);
}


void
ngx_gw_redis_wire_write(ngx_gw_redis_peer_t *peer)
{
    size_t              size;
    ssize_t             n;
    ngx_connection_t   *c;
    ngx_gw_resp_buf_t  *b;

    c = peer->connection;
    b = &peer->out;

    if (peer->up && peer->flushed != peer->tail) {

        /* the turn may have been a long one */

        ngx_time_update();

        peer->flushing = peer->flushed;
        peer->flushed = peer->tail;
        peer->flushed_at = ngx_current_msec;

        if (peer->head == peer->flushing && peer->timer.timer_set) {
            ngx_add_timer(&peer->timer, peer->stall);
        }
    }

    for ( ;; ) {

        size = peer->up ? (size_t) (b->last - b->pos) : peer->hello_left;

        if (size == 0) {
            break;
        }

        n = c->send(c, b->pos, size);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_gw_redis_wire_broken(peer, "could not be written to");
            return;
        }

        b->pos += n;

        if (!peer->up) {
            peer->hello_left -= n;
        }
    }

    if (b->pos == b->last) {
        b->pos = b->start;
        b->last = b->start;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_gw_redis_wire_broken(peer, "could not be written to");
    }
}


static void
ngx_gw_redis_wire_read_handler(ngx_event_t *rev)
{
    ngx_connection_t     *c;
    ngx_gw_redis_peer_t  *peer;

    c = rev->data;
    peer = c->data;

    if (c->close) {

        /* the worker is quitting and nobody waits; a command reconnects */

        ngx_gw_redis_peer_break(peer, 0, "is not needed any more", NULL);
        return;
    }

    if (!peer->connected) {

        /* an error is told by the write event as well */

        return;
    }

    peer->depth++;

    ngx_gw_redis_wire_read(peer);

    ngx_gw_redis_peer_leave(peer);
}


/* to the end: TLS may hold what no event will tell about */

static void
ngx_gw_redis_wire_read(ngx_gw_redis_peer_t *peer)
{
    ssize_t            n;
    ngx_int_t          rc;
    ngx_connection_t  *c;
    u_char             buf[16384];

    c = peer->connection;

    for ( ;; ) {

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_gw_redis_wire_broken(peer, "closed the connection");
            return;
        }

        rc = ngx_gw_redis_wire_replies(peer, buf, n);

        if (rc == NGX_DONE) {
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_gw_redis_peer_break(peer, 0, "sent an invalid reply", NULL);
            return;
        }
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_gw_redis_wire_broken(peer, "could not be read");
    }
}


/* NGX_AGAIN, NGX_ERROR, or NGX_DONE if the connection is gone */

static ngx_int_t
ngx_gw_redis_wire_replies(ngx_gw_redis_peer_t *peer, u_char *data, size_t len)
{
    ngx_int_t        rc;
    ngx_uint_t       generation;
    ngx_gw_reply_t  *reply;

    generation = peer->generation;

    rc = ngx_gw_resp_feed(&peer->resp, data, len);

    while (rc == NGX_OK) {

        rc = ngx_gw_resp_next(&peer->resp, &reply);

        if (rc != NGX_OK) {
            break;
        }

        if (peer->head == peer->tail) {
            ngx_gw_resp_free(reply);
            return NGX_ERROR;
        }

        ngx_gw_redis_ring_answer(peer, reply);
        ngx_gw_resp_free(reply);

        /* a handler may have closed the connection, or made another */

        if (peer->generation != generation) {
            return NGX_DONE;
        }
    }

    return rc;
}


void
ngx_gw_redis_wire_close(ngx_gw_redis_peer_t *peer)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    c = peer->connection;

    if (c == NULL) {
        return;
    }

    peer->connection = NULL;

    ngx_gw_redis_tls_close(c);

    pool = c->pool;

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}
