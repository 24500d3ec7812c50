
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_conf_hosts.h"


#define NGX_GW_REDIS_CONF_RESOLVE  30000    /* ms, as nginx's default */


static char *ngx_gw_redis_conf_host(ngx_conf_t *cf, ngx_gw_redis_host_t *host,
    ngx_str_t *text, in_port_t port);


/* NULL, or what is wrong */

char *
ngx_gw_redis_conf_hosts(ngx_conf_t *cf, ngx_gw_redis_conf_t *conf,
    const ngx_str_t *list, in_port_t port)
{
    char                 *rv;
    u_char               *p, *last, *comma;
    ngx_str_t             text;
    ngx_uint_t            n;
    ngx_gw_redis_host_t  *hosts;

    hosts = ngx_pcalloc(cf->pool,
                        NGX_GW_REDIS_HOSTS * sizeof(ngx_gw_redis_host_t));
    if (hosts == NULL) {
        return "out of memory";
    }

    last = list->data + list->len;
    p = list->data;

    for (n = 0; p <= last; p = comma + 1, n++) {

        if (n == NGX_GW_REDIS_HOSTS) {
            return "more than 16 hosts";
        }

        comma = (port == 0) ? NULL : ngx_strlchr(p, last, ',');

        if (comma == NULL) {
            comma = last;
        }

        text.data = p;
        text.len = comma - p;

        if (text.len == 0) {
            return "no host";
        }

        rv = ngx_gw_redis_conf_host(cf, &hosts[n], &text, port);
        if (rv) {
            return rv;
        }
    }

    conf->hosts = hosts;
    conf->nhosts = n;

    return NULL;
}


static char *
ngx_gw_redis_conf_host(ngx_conf_t *cf, ngx_gw_redis_host_t *host,
    ngx_str_t *text, in_port_t port)
{
    ngx_url_t  u;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *text;
    u.default_port = port;
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        return u.err ? u.err : "invalid host or port";
    }

    host->addrs = u.addrs;
    host->naddrs = u.naddrs;

    if (u.family == AF_UNIX) {
        host->host = *text;
        return NULL;
    }

    host->host = u.host;
    host->port = u.port;

    if (host->host.len && host->host.data[0] == '[') {
        host->host.data++;
        host->host.len -= 2;
    }

    if (host->host.len >= NGX_GW_REDIS_HOST) {
        return "the name of a host is too long";
    }

    if (u.wildcard || !ngx_gw_redis_conf_is_name(&host->host)) {
        return "invalid host";
    }

    host->name = (u.naddrs == 0);

    return NULL;
}


ngx_uint_t
ngx_gw_redis_conf_is_name(const ngx_str_t *name)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {

        ch = name->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == '-' || ch == '.' || ch == '_' || ch == ':'))
        {
            return 0;
        }
    }

    return name->len > 0;
}


char *
ngx_gw_redis_conf_init(ngx_conf_t *cf, ngx_gw_redis_conf_t *conf,
    ngx_resolver_t *resolver, ngx_msec_t resolver_timeout)
{
    ngx_url_t             u;
    ngx_uint_t            i;
    ngx_gw_redis_host_t  *host;

    /* without a "resolver" directive nginx makes one that has no servers */

    if (resolver && resolver->connections.nelts) {
        conf->resolver = resolver;
        conf->resolver_timeout = (resolver_timeout == NGX_CONF_UNSET_MSEC)
                                 ? NGX_GW_REDIS_CONF_RESOLVE
                                 : resolver_timeout;
    }

    for (i = 0; i < conf->nhosts; i++) {
        host = &conf->hosts[i];

        if (!host->name || host->naddrs) {
            continue;
        }

        ngx_memzero(&u, sizeof(ngx_url_t));

        u.url = host->host;
        u.default_port = host->port;

        if (ngx_parse_url(cf->pool, &u) == NGX_OK) {
            host->addrs = u.addrs;
            host->naddrs = u.naddrs;

            /* no name server should be asked for this one */

            if (host->host.len == 9
                && ngx_strncasecmp(host->host.data, (u_char *) "localhost", 9)
                   == 0)
            {
                host->name = 0;
            }

            continue;
        }

        if (conf->resolver) {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "host number %ui in the URL of \"%V\" was not found, "
                      "and there is no \"resolver\" to ask later",
                      i + 1, &conf->directive);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
