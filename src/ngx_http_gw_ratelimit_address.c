
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_address.h"
#include "ngx_http_gw_ratelimit_conf.h"


static size_t ngx_http_gw_ratelimit_address_text(struct sockaddr *sa,
    ngx_uint_t prefix, u_char *text);
#if (NGX_HAVE_INET6)
static void ngx_http_gw_ratelimit_address_cut(u_char *addr, ngx_uint_t prefix);
#endif


extern ngx_module_t  ngx_http_gw_ratelimit_module;


ngx_int_t
ngx_http_gw_ratelimit_address(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const ngx_http_gw_ratelimit_conf_t  *grcf;

    grcf = ngx_http_get_module_loc_conf(r, ngx_http_gw_ratelimit_module);

    v->data = ngx_pnalloc(r->pool, NGX_SOCKADDR_STRLEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    /* realip may have changed it */

    v->len = ngx_http_gw_ratelimit_address_text(r->connection->sockaddr,
                                                grcf->prefix, v->data);
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static size_t
ngx_http_gw_ratelimit_address_text(struct sockaddr *sa, ngx_uint_t prefix,
    u_char *text)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    u_char                addr[16];
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;

        return ngx_inet_ntop(AF_INET, &sin->sin_addr, text,
                             NGX_SOCKADDR_STRLEN);

#if (NGX_HAVE_INET6)

    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        ngx_memcpy(addr, &sin6->sin6_addr, 16);

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            return ngx_inet_ntop(AF_INET, &addr[12], text,
                                 NGX_SOCKADDR_STRLEN);
        }

        ngx_http_gw_ratelimit_address_cut(addr, prefix);

        return ngx_inet_ntop(AF_INET6, addr, text, NGX_SOCKADDR_STRLEN);

#endif

    default: /* AF_UNIX */
        return 0;
    }
}


#if (NGX_HAVE_INET6)

static void
ngx_http_gw_ratelimit_address_cut(u_char *addr, ngx_uint_t prefix)
{
    ngx_uint_t  i;

    i = prefix / 8;

    if (prefix % 8) {
        addr[i++] &= (u_char) (0xff00 >> (prefix % 8));
    }

    for ( /* void */ ; i < 16; i++) {
        addr[i] = 0;
    }
}

#endif
