
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_greet.h"


/* of peer->hello */

#define NGX_GW_REDIS_GREET_AUTH    0
#define NGX_GW_REDIS_GREET_SELECT  1
#define NGX_GW_REDIS_GREET_ROLE    2
#define NGX_GW_REDIS_GREET_PING    3


static ngx_int_t ngx_gw_redis_greet_auth(ngx_gw_redis_peer_t *peer);
static ngx_uint_t ngx_gw_redis_greet_is_master(const ngx_gw_reply_t *reply);


static const char *const  ngx_gw_redis_greet_failures[] = {
    "AUTH failed", "SELECT failed", "ROLE failed", "PING failed"
};


ngx_int_t
ngx_gw_redis_greet(ngx_gw_redis_peer_t *peer)
{
    ngx_str_t                   argv[2];
    ngx_gw_redis_op_t          *op;
    const ngx_gw_redis_conf_t  *conf;

    conf = peer->conf;
    op = peer->hello;

    ngx_memzero(op, sizeof(peer->hello));

    if (ngx_gw_redis_greet_auth(peer) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->database.len && !peer->sentinel) {
        ngx_str_set(&argv[0], "SELECT");
        argv[1] = conf->database;

        if (ngx_gw_redis_peer_queue(peer, &op[NGX_GW_REDIS_GREET_SELECT], 2,
                                    argv)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (peer->master) {
        ngx_str_set(&argv[0], "ROLE");

        if (ngx_gw_redis_peer_queue(peer, &op[NGX_GW_REDIS_GREET_ROLE], 1,
                                    argv)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_str_set(&argv[0], "PING");

    return ngx_gw_redis_peer_queue(peer, &op[NGX_GW_REDIS_GREET_PING], 1,
                                   argv);
}


static ngx_int_t
ngx_gw_redis_greet_auth(ngx_gw_redis_peer_t *peer)
{
    ngx_str_t         argv[3];
    ngx_uint_t        argc;
    const ngx_str_t  *user, *password;

    user = peer->sentinel ? &peer->conf->sentinel_user : &peer->conf->user;
    password = peer->sentinel ? &peer->conf->sentinel_password
                              : &peer->conf->password;

    if (password->len == 0) {
        return NGX_OK;
    }

    argc = 0;

    ngx_str_set(&argv[argc], "AUTH");
    argc++;

    if (user->len) {
        argv[argc++] = *user;
    }

    argv[argc++] = *password;

    return ngx_gw_redis_peer_queue(peer,
                                   &peer->hello[NGX_GW_REDIS_GREET_AUTH],
                                   argc, argv);
}


void
ngx_gw_redis_greet_answer(ngx_gw_redis_peer_t *peer, ngx_gw_redis_op_t *op,
    ngx_gw_reply_t *reply)
{
    u_char      *p;
    ngx_str_t    reason;
    ngx_uint_t   i;

    i = op - peer->hello;

    if (ngx_gw_reply_error(reply)) {

        reason = ngx_gw_reply_reason(reply);

        if (i == NGX_GW_REDIS_GREET_AUTH) {

            /* nothing but the code, whatever a proxy may repeat */

            p = ngx_strlchr(reason.data, reason.data + reason.len, ' ');

            if (p) {
                reason.len = p - reason.data;
            }
        }

        ngx_gw_redis_peer_break(peer, 0, ngx_gw_redis_greet_failures[i],
                                &reason);
        return;
    }

    if (i == NGX_GW_REDIS_GREET_ROLE
        && !ngx_gw_redis_greet_is_master(reply))
    {
        ngx_gw_redis_peer_break(peer, 0, "is not a master", NULL);
        return;
    }

    if (i == NGX_GW_REDIS_GREET_PING) {

        /* commands were held back until it was known who and where we are */

        ngx_gw_redis_peer_ready(peer);
    }
}


static ngx_uint_t
ngx_gw_redis_greet_is_master(const ngx_gw_reply_t *reply)
{
    ngx_str_t  role;

    if (ngx_gw_reply_count(reply) < 1
        || ngx_gw_reply_text(ngx_gw_reply_item(reply, 0), &role) != NGX_OK)
    {
        return 0;
    }

    return role.len == 6 && ngx_strncmp(role.data, "master", 6) == 0;
}
