
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The address of a Redis, read at configuration time:
 *
 *     redis://[[user]:password@]host[:port][/database]
 *     unix:/path[:database]
 *
 * User and password may be percent-encoded.  A name is resolved once, with
 * the blocking resolver, as nginx does for its own upstreams.
 *
 * ngx_gw_redis_url_parse() returns NULL, or what is wrong with the text: a
 * phrase to stand behind a colon, never with a part of the password.
 */

#ifndef _NGX_GW_REDIS_URL_H_INCLUDED_
#define _NGX_GW_REDIS_URL_H_INCLUDED_


#include "ngx_gw.h"


typedef struct {
    ngx_str_t    name;        /* for messages, without user and password */
    ngx_addr_t  *addrs;       /* of the host, tried in turn */
    ngx_uint_t   naddrs;
    ngx_str_t    user;
    ngx_str_t    password;
    ngx_str_t    database;
} ngx_gw_redis_url_t;


GW_HIDDEN_BEGIN

char *ngx_gw_redis_url_parse(ngx_conf_t *cf, ngx_gw_redis_url_t *url,
    ngx_str_t *text);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_URL_H_INCLUDED_ */
