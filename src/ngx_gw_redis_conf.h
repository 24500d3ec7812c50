
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Where Redis is and how to reach it, read at configuration time.
 *
 * ngx_gw_redis_conf_set() reads the arguments of a directive:
 *
 *     URL [timeout=TIME] [sentinel=NAME | cluster]
 *         [sentinel_auth=[USER:]PASSWORD]
 *         [ca=FILE] [certificate=FILE] [certificate_key=FILE] [server_name=N]
 *
 *     redis://[[user]:password@]host[:port][,host[:port]...][/database]
 *     rediss://...            the same over TLS, the server's name verified
 *     unix:/path[:database]
 *
 * User and password may be percent-encoded.  Several hosts are alternatives,
 * tried in turn; with "sentinel" they are the sentinels (port 26379), with
 * "cluster" some of its nodes.  TLS and the URL's credentials hold for all
 * nodes, TLS also for sentinels, "sentinel_auth" for these alone.  A database
 * is refused together with "cluster".
 *
 * Names are resolved at start with the blocking resolver, as nginx does for
 * its upstreams.  If there is a "resolver", they are resolved again with it,
 * without blocking, before each attempt to connect, and need not be known at
 * start.  ngx_gw_redis_conf_init() is called when the whole configuration is
 * read, with the resolver or NULL; it refuses a name that is not known then.
 *
 * Both return NGX_CONF_OK, or NGX_CONF_ERROR after they have logged what is
 * wrong and named the directive; never any part of a URL or a password.
 */

#ifndef _NGX_GW_REDIS_CONF_H_INCLUDED_
#define _NGX_GW_REDIS_CONF_H_INCLUDED_


#include "ngx_gw.h"


#define NGX_GW_REDIS_HOSTS      16
#define NGX_GW_REDIS_HOST       256      /* bytes of a name */

#define NGX_GW_REDIS_TIMEOUT    50       /* ms, by default */


typedef enum {
    NGX_GW_REDIS_DIRECT = 0,
    NGX_GW_REDIS_SENTINEL,
    NGX_GW_REDIS_CLUSTER
} ngx_gw_redis_mode_e;


typedef struct {
    ngx_str_t             host;      /* a name, an address without brackets */
    in_port_t             port;      /* 0: a unix socket */
    ngx_addr_t           *addrs;     /* as of the start */
    ngx_uint_t            naddrs;
    unsigned              name:1;    /* may be resolved again */
} ngx_gw_redis_host_t;


typedef struct {
    ngx_str_t             name;      /* for messages: without credentials */
    ngx_str_t             directive;

    ngx_gw_redis_mode_e   mode;
    ngx_gw_redis_host_t  *hosts;
    ngx_uint_t            nhosts;    /* 0: not configured */
    ngx_str_t             user;
    ngx_str_t             password;
    ngx_str_t             database;
    ngx_str_t             master;    /* sentinel= */
    ngx_str_t             sentinel_user;
    ngx_str_t             sentinel_password;
    ngx_msec_t            timeout;

    ngx_ssl_t            *ssl;       /* NULL: without TLS */
    ngx_str_t             server_name;

    ngx_resolver_t       *resolver;  /* NULL: addresses of the start only */
    ngx_msec_t            resolver_timeout;
} ngx_gw_redis_conf_t;


GW_HIDDEN_BEGIN

char *ngx_gw_redis_conf_set(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_gw_redis_conf_t *conf);
char *ngx_gw_redis_conf_init(ngx_conf_t *cf, ngx_gw_redis_conf_t *conf,
    ngx_resolver_t *resolver, ngx_msec_t resolver_timeout);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_CONF_H_INCLUDED_ */
