
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_peer.h"

#include <ngx_event_connect.h>


static ngx_int_t ngx_gw_redis_peer_hello(ngx_gw_redis_t *rd);
static void ngx_gw_redis_peer_hello_handler(ngx_gw_redis_op_t *op,
    ngx_gw_reply_t *reply);
static void ngx_gw_redis_peer_ping_handler(ngx_gw_redis_op_t *op,
    ngx_gw_reply_t *reply);
static ngx_int_t ngx_gw_redis_peer_test_connect(ngx_connection_t *c);
static void ngx_gw_redis_peer_write_handler(ngx_event_t *wev);
static void ngx_gw_redis_peer_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_gw_redis_peer_read(ngx_gw_redis_t *rd);


ngx_int_t
ngx_gw_redis_peer_connect(ngx_gw_redis_t *rd)
{
    ngx_int_t               rc;
    ngx_log_t               quiet;
    ngx_addr_t             *addr;
    ngx_connection_t       *c;
    ngx_peer_connection_t   pc;

    addr = &rd->url->addrs[rd->attempt % rd->url->naddrs];

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = addr->sockaddr;
    pc.socklen = addr->socklen;
    pc.name = (ngx_str_t *) &rd->url->name;
    pc.get = ngx_event_get_peer;
    pc.log = &quiet;
    pc.log_error = NGX_ERROR_INFO;

    /* each failure would be a line, while ours is one per interval */

    quiet = *rd->log;
    quiet.log_level = NGX_LOG_ALERT;

    rc = ngx_event_connect_peer(&pc);

    c = pc.connection;
    rd->connection = c;

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        ngx_gw_redis_broken(rd, ngx_socket_errno, "could not connect", NULL);
        return NGX_ERROR;
    }

    c->data = rd;
    c->log = rd->log;
    c->read->log = rd->log;
    c->write->log = rd->log;
    c->read->handler = ngx_gw_redis_peer_read_handler;
    c->write->handler = ngx_gw_redis_peer_write_handler;

    rd->connected = (rc == NGX_OK);

    if (ngx_gw_resp_create(&rd->resp) != NGX_OK
        || ngx_gw_redis_peer_hello(rd) != NGX_OK)
    {
        ngx_gw_redis_broken(rd, 0, "could not connect, memory is short", NULL);
        return NGX_ERROR;
    }

    rd->hello_left = rd->out.last - rd->out.pos;

    ngx_add_timer(&rd->timer, rd->stall);

    return NGX_OK;
}


static ngx_int_t
ngx_gw_redis_peer_hello(ngx_gw_redis_t *rd)
{
    ngx_uint_t                  argc;
    ngx_str_t                   argv[3];
    ngx_gw_redis_op_t          *op;
    const ngx_gw_redis_url_t  *url;

    url = rd->url;
    op = rd->hello;

    ngx_memzero(op, sizeof(rd->hello));

    op[0].handler = ngx_gw_redis_peer_hello_handler;
    op[0].data = "AUTH failed";
    op[1].handler = ngx_gw_redis_peer_hello_handler;
    op[1].data = "SELECT failed";
    op[2].handler = ngx_gw_redis_peer_ping_handler;
    op[2].data = "PING failed";

    if (url->password.len) {
        argc = 0;
        ngx_str_set(&argv[argc], "AUTH");
        argc++;

        if (url->user.len) {
            argv[argc++] = url->user;
        }

        argv[argc++] = url->password;

        if (ngx_gw_redis_push(rd, &op[0], argc, argv) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (url->database.len) {
        ngx_str_set(&argv[0], "SELECT");
        argv[1] = url->database;

        if (ngx_gw_redis_push(rd, &op[1], 2, argv) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_str_set(&argv[0], "PING");

    return ngx_gw_redis_push(rd, &op[2], 1, argv);
}


static void
ngx_gw_redis_peer_hello_handler(ngx_gw_redis_op_t *op, ngx_gw_reply_t *reply)
{
    u_char     *p;
    ngx_str_t   reason;

    if (reply == NULL || ngx_gw_reply_error(reply) == NULL) {
        return;
    }

    reason = ngx_gw_reply_reason(reply);

    if (op == &op->redis->hello[0]) {

        /* AUTH: nothing but the code, whatever a proxy may repeat */

        p = ngx_strlchr(reason.data, reason.data + reason.len, ' ');

        if (p) {
            reason.len = p - reason.data;
        }
    }

    ngx_gw_redis_broken(op->redis, 0, op->data, &reason);
}


static void
ngx_gw_redis_peer_ping_handler(ngx_gw_redis_op_t *op, ngx_gw_reply_t *reply)
{
    ngx_gw_redis_t  *rd;

    rd = op->redis;

    if (reply == NULL) {
        return;
    }

    if (ngx_gw_reply_error(reply)) {
        ngx_gw_redis_peer_hello_handler(op, reply);
        return;
    }

    rd->up = 1;

    /* commands were held back until it was known who and where we are */

    ngx_post_event(&rd->flush, &ngx_posted_events);
}


static ngx_int_t
ngx_gw_redis_peer_test_connect(ngx_connection_t *c)
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
ngx_gw_redis_peer_write_handler(ngx_event_t *wev)
{
    ngx_err_t          err;
    ngx_gw_redis_t    *rd;
    ngx_connection_t  *c;

    c = wev->data;
    rd = c->data;

    if (!rd->connected) {

        err = ngx_gw_redis_peer_test_connect(c);

        if (err) {
            ngx_gw_redis_broken(rd, err, "could not connect", NULL);
            return;
        }

        rd->connected = 1;
    }

    ngx_gw_redis_peer_flush_handler(&rd->flush);
}


void
ngx_gw_redis_peer_flush_handler(ngx_event_t *ev)
{
    size_t              size;
    ssize_t             n;
    ngx_gw_redis_t     *rd;
    ngx_connection_t   *c;
    ngx_gw_resp_buf_t  *b;

    rd = ev->data;
    c = rd->connection;
    b = &rd->out;

    if (c == NULL || !rd->connected) {
        return;
    }

    for ( ;; ) {

        size = rd->up ? (size_t) (b->last - b->pos) : rd->hello_left;

        if (size == 0) {
            break;
        }

        n = c->send(c, b->pos, size);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_gw_redis_broken(rd, 0, "could not be written to", NULL);
            return;
        }

        b->pos += n;

        if (!rd->up) {
            rd->hello_left -= n;
        }
    }

    if (b->pos == b->last) {
        b->pos = b->start;
        b->last = b->start;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_gw_redis_broken(rd, 0, "could not be written to", NULL);
    }
}


static void
ngx_gw_redis_peer_read_handler(ngx_event_t *rev)
{
    ngx_gw_redis_t    *rd;
    ngx_connection_t  *c;

    c = rev->data;
    rd = c->data;

    if (c->close) {

        /* the worker is quitting and nobody waits; a command reconnects */

        ngx_gw_redis_peer_close(rd);
        return;
    }

    if (!rd->connected) {

        /* an error is told by the write event as well */

        return;
    }

    if (ngx_gw_redis_peer_read(rd) != NGX_OK) {
        return;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_gw_redis_broken(rd, 0, "could not be read", NULL);
    }
}


/* NGX_DONE if the connection is gone */

static ngx_int_t
ngx_gw_redis_peer_read(ngx_gw_redis_t *rd)
{
    ssize_t            n;
    ngx_int_t          rc;
    ngx_connection_t  *c;
    ngx_gw_reply_t    *reply;
    u_char             buf[16384];

    c = rd->connection;

    for ( ;; ) {

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            return NGX_OK;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_gw_redis_broken(rd, 0, "closed the connection", NULL);
            return NGX_DONE;
        }

        rc = ngx_gw_resp_feed(&rd->resp, buf, n);

        while (rc == NGX_OK) {

            rc = ngx_gw_resp_next(&rd->resp, &reply);

            if (rc != NGX_OK) {
                break;
            }

            if (rd->head == rd->tail) {
                ngx_gw_resp_free(reply);
                rc = NGX_ERROR;
                break;
            }

            ngx_gw_redis_answer(rd, reply);
            ngx_gw_resp_free(reply);

            /* a handler may have closed the connection, or made another */

            if (rd->connection != c) {
                return NGX_DONE;
            }
        }

        if (rc == NGX_ERROR) {
            ngx_gw_redis_broken(rd, 0, "sent an invalid reply", NULL);
            return NGX_DONE;
        }
    }
}


void
ngx_gw_redis_peer_timer_handler(ngx_event_t *ev)
{
    ngx_gw_redis_t  *rd;

    rd = ev->data;

    ngx_gw_redis_broken(rd, 0, rd->up ? "does not answer"
                                      : "could not be reached in time", NULL);
}


void
ngx_gw_redis_peer_close(ngx_gw_redis_t *rd)
{
    if (rd->timer.timer_set) {
        ngx_del_timer(&rd->timer);
    }

    if (rd->flush.posted) {
        ngx_delete_posted_event(&rd->flush);
    }

    if (rd->connection) {
        ngx_close_connection(rd->connection);
        rd->connection = NULL;
    }

    ngx_gw_resp_destroy(&rd->resp);

    rd->out.pos = rd->out.start;
    rd->out.last = rd->out.start;

    rd->head = rd->tail;

    rd->connected = 0;
    rd->up = 0;
}
