
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_url.h"


static char *ngx_gw_redis_url_login(ngx_conf_t *cf, ngx_gw_redis_url_t *url,
    ngx_str_t *login);
static char *ngx_gw_redis_url_unescape(ngx_conf_t *cf, ngx_str_t *dst,
    u_char *data, u_char *last);


char *
ngx_gw_redis_url_parse(ngx_conf_t *cf, ngx_gw_redis_url_t *url,
    ngx_str_t *text)
{
    char       *rv;
    u_char     *p, *at, *last, *slash;
    ngx_url_t   u;
    ngx_str_t   login;

    ngx_memzero(&u, sizeof(ngx_url_t));

    last = text->data + text->len;

    if (text->len > 5 && ngx_strncmp(text->data, "unix:", 5) == 0) {

        p = text->data;
        slash = ngx_strlchr(p + 5, last, ':');

    } else if (text->len > 8 && ngx_strncmp(text->data, "redis://", 8) == 0) {

        p = text->data + 8;

        /* a password may contain anything, the last "@" ends it */

        for (at = last; at > p && at[-1] != '@'; at--) { /* void */ }

        if (at > p) {
            login.data = p;
            login.len = at - p - 1;

            rv = ngx_gw_redis_url_login(cf, url, &login);
            if (rv) {
                return rv;
            }

            p = at;
        }

        slash = ngx_strlchr(p, last, '/');

    } else {
        return "it must look like "
               "redis://[[user]:password@]host[:port][/database] "
               "or unix:/path[:database]";
    }

    if (slash) {
        url->database.data = slash + 1;
        url->database.len = last - slash - 1;

        if (url->database.len
            && ngx_atoi(url->database.data, url->database.len) == NGX_ERROR)
        {
            return "the database must be a number";
        }

        last = slash;
    }

    u.url.data = p;
    u.url.len = last - p;
    u.default_port = 6379;

    if (u.url.len == 0) {
        return "no host";
    }

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        return u.err ? u.err : "invalid host or port";
    }

    url->addrs = u.addrs;
    url->naddrs = u.naddrs;
    url->name = u.url;

    return NULL;
}


static char *
ngx_gw_redis_url_login(ngx_conf_t *cf, ngx_gw_redis_url_t *url,
    ngx_str_t *login)
{
    char    *rv;
    u_char  *colon, *last;

    last = login->data + login->len;

    colon = ngx_strlchr(login->data, last, ':');

    if (colon == NULL || colon + 1 == last) {
        return "a user without a password";
    }

    rv = ngx_gw_redis_url_unescape(cf, &url->user, login->data, colon);
    if (rv) {
        return rv;
    }

    return ngx_gw_redis_url_unescape(cf, &url->password, colon + 1, last);
}


static char *
ngx_gw_redis_url_unescape(ngx_conf_t *cf, ngx_str_t *dst, u_char *data,
    u_char *last)
{
    u_char     *p;
    ngx_int_t   ch;

    p = ngx_pnalloc(cf->pool, last - data);
    if (p == NULL) {
        return "out of memory";
    }

    dst->data = p;

    while (data < last) {

        if (*data != '%') {
            *p++ = *data++;
            continue;
        }

        ch = (last - data < 3) ? NGX_ERROR : ngx_hextoi(data + 1, 2);

        if (ch == NGX_ERROR) {
            return "a \"%\" in user or password must be written \"%25\"";
        }

        *p++ = (u_char) ch;
        data += 3;
    }

    dst->len = p - dst->data;

    return NULL;
}
