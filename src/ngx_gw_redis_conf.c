
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_redis_conf.h"
#include "ngx_gw_redis_conf_hosts.h"
#include "ngx_gw_redis_tls.h"


#define NGX_GW_REDIS_CONF_TIMEOUT_MAX  10000


/* what is read before it is known what goes together */

typedef struct {
    ngx_gw_redis_conf_t  *conf;
    ngx_str_t             hosts;
    ngx_str_t             timeout;
    ngx_str_t             master;
    ngx_str_t             login;
    ngx_str_t             ca;
    ngx_str_t             certificate;
    ngx_str_t             certificate_key;
    ngx_str_t             server_name;

    unsigned              cluster:1;
    unsigned              local:1;         /* a unix socket */
    unsigned              tls:1;
} ngx_gw_redis_conf_args_t;


typedef struct {
    ngx_str_t             name;
    size_t                offset;
    char                 *wrong;
} ngx_gw_redis_conf_param_t;


static char *ngx_gw_redis_conf_url(ngx_conf_t *cf,
    ngx_gw_redis_conf_args_t *args, ngx_str_t *text);
static char *ngx_gw_redis_conf_login(ngx_conf_t *cf, ngx_str_t *login,
    ngx_str_t *user, ngx_str_t *password);
static char *ngx_gw_redis_conf_unescape(ngx_conf_t *cf, ngx_str_t *dst,
    u_char *data, u_char *last);
static char *ngx_gw_redis_conf_params(ngx_conf_t *cf,
    ngx_gw_redis_conf_args_t *args);
static char *ngx_gw_redis_conf_together(ngx_gw_redis_conf_args_t *args);
static char *ngx_gw_redis_conf_values(ngx_conf_t *cf,
    ngx_gw_redis_conf_args_t *args);
static char *ngx_gw_redis_conf_name(ngx_conf_t *cf,
    ngx_gw_redis_conf_args_t *args);


static const ngx_gw_redis_conf_param_t  ngx_gw_redis_conf_table[] = {

    { ngx_string("timeout="), offsetof(ngx_gw_redis_conf_args_t, timeout),
      "takes \"timeout=\" once, between 1ms and 10s" },

    { ngx_string("sentinel="), offsetof(ngx_gw_redis_conf_args_t, master),
      "takes \"sentinel=\" once, with the name of a master" },

    { ngx_string("sentinel_auth="), offsetof(ngx_gw_redis_conf_args_t, login),
      "takes \"sentinel_auth=\" once, with a password or USER:PASSWORD" },

    { ngx_string("ca="), offsetof(ngx_gw_redis_conf_args_t, ca),
      "takes \"ca=\" once, with a file" },

    { ngx_string("certificate="),
      offsetof(ngx_gw_redis_conf_args_t, certificate),
      "takes \"certificate=\" once, with a file" },

    { ngx_string("certificate_key="),
      offsetof(ngx_gw_redis_conf_args_t, certificate_key),
      "takes \"certificate_key=\" once, with a file" },

    { ngx_string("server_name="),
      offsetof(ngx_gw_redis_conf_args_t, server_name),
      "takes \"server_name=\" once, with the name in the certificates" },

    { ngx_null_string, 0, NULL }
};


char *
ngx_gw_redis_conf_set(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_gw_redis_conf_t *conf)
{
    char                      *rv;
    in_port_t                  port;
    ngx_str_t                 *value;
    ngx_gw_redis_conf_args_t   args;

    if (conf->nhosts) {
        return "is duplicate";
    }

    value = cf->args->elts;

    ngx_memzero(&args, sizeof(ngx_gw_redis_conf_args_t));

    args.conf = conf;
    conf->directive = cmd->name;
    conf->timeout = NGX_GW_REDIS_TIMEOUT;

    rv = ngx_gw_redis_conf_params(cf, &args);
    if (rv) {
        return rv;
    }

    rv = ngx_gw_redis_conf_url(cf, &args, &value[1]);

    if (rv == NULL) {
        port = args.local ? 0 : args.master.len ? 26379 : 6379;
        rv = ngx_gw_redis_conf_hosts(cf, conf, &args.hosts, port);
    }

    if (rv) {

        /* the URL is not repeated, it may hold a password */

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "wrong URL in \"%V\": %s", &cmd->name, rv);
        return NGX_CONF_ERROR;
    }

    rv = ngx_gw_redis_conf_together(&args);
    if (rv) {
        return rv;
    }

    return ngx_gw_redis_conf_values(cf, &args);
}


/* NULL, or what is wrong */

static char *
ngx_gw_redis_conf_url(ngx_conf_t *cf, ngx_gw_redis_conf_args_t *args,
    ngx_str_t *text)
{
    char                 *rv;
    u_char               *p, *at, *last, *slash;
    ngx_str_t             login;
    ngx_gw_redis_conf_t  *conf;

    conf = args->conf;
    p = text->data;
    last = text->data + text->len;

    if (text->len > 5 && ngx_strncmp(p, "unix:", 5) == 0) {

        args->local = 1;
        slash = ngx_strlchr(p + 5, last, ':');

    } else if (ngx_strncmp(p, "redis://", 8) == 0
               || ngx_strncmp(p, "rediss://", 9) == 0)
    {
        args->tls = (p[5] == 's');
        p += args->tls ? 9 : 8;

        /* a password may contain anything, the last "@" ends it */

        for (at = last; at > p && at[-1] != '@'; at--) { /* void */ }

        if (at > p) {
            login.data = p;
            login.len = at - p - 1;

            rv = ngx_gw_redis_conf_login(cf, &login, &conf->user,
                                         &conf->password);
            if (rv) {
                return rv;
            }

            p = at;
        }

        slash = ngx_strlchr(p, last, '/');

    } else {
        return "it must look like redis://[[user]:password@]host[:port]"
               "[,host[:port]...][/database], the same with rediss://, "
               "or unix:/path[:database]";
    }

    if (slash) {
        conf->database.data = slash + 1;
        conf->database.len = last - slash - 1;

        if (conf->database.len
            && ngx_atoi(conf->database.data, conf->database.len) == NGX_ERROR)
        {
            return "the database must be a number";
        }

        last = slash;
    }

    args->hosts.data = p;
    args->hosts.len = last - p;

    return args->hosts.len ? NULL : "no host";
}


static char *
ngx_gw_redis_conf_login(ngx_conf_t *cf, ngx_str_t *login, ngx_str_t *user,
    ngx_str_t *password)
{
    char    *rv;
    u_char  *colon, *last;

    last = login->data + login->len;

    colon = ngx_strlchr(login->data, last, ':');

    if (colon == NULL || colon + 1 == last) {
        return "a user without a password";
    }

    rv = ngx_gw_redis_conf_unescape(cf, user, login->data, colon);
    if (rv) {
        return rv;
    }

    return ngx_gw_redis_conf_unescape(cf, password, colon + 1, last);
}


static char *
ngx_gw_redis_conf_unescape(ngx_conf_t *cf, ngx_str_t *dst, u_char *data,
    u_char *last)
{
    u_char     *p;
    ngx_int_t   ch;

    /* a byte more: nginx allocates no empty block */

    p = ngx_pnalloc(cf->pool, last - data + 1);
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


static char *
ngx_gw_redis_conf_params(ngx_conf_t *cf, ngx_gw_redis_conf_args_t *args)
{
    ngx_str_t                        *value, *s;
    ngx_uint_t                        i;
    const ngx_gw_redis_conf_param_t  *param;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "cluster") == 0) {

            if (args->cluster) {
                return "takes \"cluster\" once";
            }

            args->cluster = 1;
            continue;
        }

        for (param = ngx_gw_redis_conf_table; param->name.len; param++) {

            if (ngx_strncmp(value[i].data, param->name.data, param->name.len)
                == 0)
            {
                break;
            }
        }

        if (param->name.len == 0) {

            /* not repeated, it may be another URL */

            return "takes one URL and, behind it, only \"timeout=\", "
                   "\"sentinel=\", \"cluster\", \"sentinel_auth=\", \"ca=\", "
                   "\"certificate=\", \"certificate_key=\" and "
                   "\"server_name=\"";
        }

        s = (ngx_str_t *) ((u_char *) args + param->offset);

        if (s->data || value[i].len == param->name.len) {
            return param->wrong;
        }

        s->data = value[i].data + param->name.len;
        s->len = value[i].len - param->name.len;
    }

    return NULL;
}


static char *
ngx_gw_redis_conf_together(ngx_gw_redis_conf_args_t *args)
{
    if (args->cluster && args->master.len) {
        return "takes either \"sentinel=\" or \"cluster\"";
    }

    if (args->local && (args->cluster || args->master.len)) {
        return "takes \"sentinel=\" and \"cluster\" only with redis:// or "
               "rediss://";
    }

    if (args->cluster && args->conf->database.len) {
        return "takes no database together with \"cluster\", which has only "
               "one";
    }

    if (args->login.len && args->master.len == 0) {
        return "takes \"sentinel_auth=\" only together with \"sentinel=\"";
    }

    if (!args->tls
        && (args->ca.len || args->certificate.len || args->certificate_key.len
            || args->server_name.len))
    {
        return "takes \"ca=\", \"certificate=\", \"certificate_key=\" and "
               "\"server_name=\" only with rediss://";
    }

    if ((args->certificate.len == 0) != (args->certificate_key.len == 0)) {
        return "needs \"certificate=\" and \"certificate_key=\" together";
    }

    return NULL;
}


static char *
ngx_gw_redis_conf_values(ngx_conf_t *cf, ngx_gw_redis_conf_args_t *args)
{
    char                 *rv;
    ngx_int_t             timeout;
    ngx_gw_redis_conf_t  *conf;

    conf = args->conf;

    if (args->timeout.len) {
        timeout = ngx_parse_time(&args->timeout, 0);

        if (timeout < 1 || timeout > NGX_GW_REDIS_CONF_TIMEOUT_MAX) {
            return "takes a \"timeout=\" between 1ms and 10s";
        }

        conf->timeout = timeout;
    }

    if (args->cluster) {
        conf->mode = NGX_GW_REDIS_CLUSTER;
    }

    if (args->master.len) {
        conf->mode = NGX_GW_REDIS_SENTINEL;
        conf->master = args->master;
    }

    if (args->login.len) {

        if (ngx_strlchr(args->login.data, args->login.data + args->login.len,
                        ':'))
        {
            rv = ngx_gw_redis_conf_login(cf, &args->login,
                                         &conf->sentinel_user,
                                         &conf->sentinel_password);

        } else {
            rv = ngx_gw_redis_conf_unescape(cf, &conf->sentinel_password,
                                            args->login.data,
                                            args->login.data
                                            + args->login.len);
        }

        if (rv) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "wrong \"sentinel_auth=\" in \"%V\": %s",
                               &conf->directive, rv);
            return NGX_CONF_ERROR;
        }
    }

    if (args->server_name.len
        && (args->server_name.len >= NGX_GW_REDIS_HOST
            || !ngx_gw_redis_conf_is_name(&args->server_name)))
    {
        return "takes a \"server_name=\" of letters, digits, \"-\", \".\", "
               "\"_\" and \":\"";
    }

    conf->server_name = args->server_name;

    rv = ngx_gw_redis_conf_name(cf, args);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (!args->tls) {
        return NGX_CONF_OK;
    }

    return ngx_gw_redis_tls_conf(cf, conf, &args->ca, &args->certificate,
                                 &args->certificate_key);
}


/* the name is part of the identity of a Redis: [MASTER@]HOSTS */

static char *
ngx_gw_redis_conf_name(ngx_conf_t *cf, ngx_gw_redis_conf_args_t *args)
{
    u_char     *p;
    ngx_str_t  *name;

    name = &args->conf->name;

    if (args->master.len == 0) {
        *name = args->hosts;
        return NGX_CONF_OK;
    }

    name->len = args->master.len + 1 + args->hosts.len;

    name->data = ngx_pnalloc(cf->pool, name->len);
    if (name->data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(name->data, args->master.data, args->master.len);
    *p++ = '@';
    ngx_memcpy(p, args->hosts.data, args->hosts.len);

    return NGX_CONF_OK;
}
