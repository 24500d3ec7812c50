
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The hosts of a Redis URL.
 *
 * ngx_gw_redis_conf_hosts() reads "host[:port][,host[:port]...]", or a path if
 * "port", the default, is 0, and resolves nothing.  It returns NULL, or what
 * is wrong: a phrase to stand behind a colon.  ngx_gw_redis_conf_is_name()
 * tells whether a text may be a name or an address.
 */

#ifndef _NGX_GW_REDIS_CONF_HOSTS_H_INCLUDED_
#define _NGX_GW_REDIS_CONF_HOSTS_H_INCLUDED_


#include "ngx_gw_redis_conf.h"


GW_HIDDEN_BEGIN

char *ngx_gw_redis_conf_hosts(ngx_conf_t *cf, ngx_gw_redis_conf_t *conf,
    const ngx_str_t *list, in_port_t port);
ngx_uint_t ngx_gw_redis_conf_is_name(const ngx_str_t *name);

GW_HIDDEN_END


#endif /* _NGX_GW_REDIS_CONF_HOSTS_H_INCLUDED_ */
