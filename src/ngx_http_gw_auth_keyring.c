
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_keyring.h"
#include "gw_json.h"


/* bytes of JSON for an issuer, for audiences: all other claims fit then */

#define NGX_HTTP_GW_AUTH_TEXTS  384


static void ngx_http_gw_auth_conf_private(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *name);
static void ngx_http_gw_auth_conf_key_cleanup(void *data);


char *
ngx_http_gw_auth_conf_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_auth_main_conf_t *gamcf = conf;

    gw_str_t                 kid;
    ngx_str_t               *value, text;
    ngx_uint_t               i, hmac;
    ngx_err_t                code;
    const char              *err;
    gw_signer_t             *signer;
    ngx_pool_cleanup_t      *cln;
    ngx_http_gw_auth_key_t  *key;

    value = cf->args->elts;
    key = gamcf->keys.elts;

    for (i = 0; i < gamcf->keys.nelts; i++) {
        if (ngx_gw_str_equal(&key[i].kid, &value[1])) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" \"%V\" is duplicate",
                               &cmd->name, &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    hmac = (cf->args->nelts == 4);

    if (hmac && ngx_strcmp(value[3].data, "alg=HS256") != 0) {
        return "takes a third parameter \"alg=HS256\" only, other keys tell "
               "their algorithm";
    }

    kid.len = value[1].len;
    kid.data = (const char *) value[1].data;
    signer = NULL;

    if (ngx_http_gw_auth_conf_read(cf, &value[2], GW_SIGNER_MAX_PEM, &text,
                                   &err, &code)
        == NGX_OK)
    {
        signer = gw_signer_create(&kid, (const char *) text.data, text.len,
                                  hmac, &err);

        ngx_http_gw_auth_conf_wipe(&text);
    }

    if (signer == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, code, "\"%V\" \"%V\": \"%V\" %s",
                           &cmd->name, &value[1], &value[2], err);
        return NGX_CONF_ERROR;
    }

    ngx_http_gw_auth_conf_private(cf, cmd, &value[2]);

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        gw_signer_free(signer);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_gw_auth_conf_key_cleanup;
    cln->data = signer;

    key = ngx_array_push(&gamcf->keys);
    if (key == NULL) {
        return NGX_CONF_ERROR;
    }

    key->kid = value[1];
    key->signer = signer;

    return NGX_CONF_OK;
}


static void
ngx_http_gw_auth_conf_private(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *name)
{
    ngx_file_info_t  fi;

    if (ngx_file_info(name->data, &fi) == NGX_FILE_ERROR) {
        return;
    }

    if (ngx_file_access(&fi) & (S_IRGRP|S_IROTH)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"%V\" file \"%V\" can be read by others than "
                           "its owner", &cmd->name, name);
    }
}


static void
ngx_http_gw_auth_conf_key_cleanup(void *data)
{
    gw_signer_free(data);
}


/* the JWK Set of all keys, the one that signs first */

ngx_int_t
ngx_http_gw_auth_conf_publish(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf)
{
    int                      rc;
    char                    *p, *last;
    size_t                   len;
    ngx_uint_t               i;
    ngx_http_gw_auth_key_t  *key;

    if (gamcf->keys.nelts == 0) {
        return NGX_OK;
    }

    len = sizeof("{\"keys\":[]}\n") - 1
          + gamcf->keys.nelts * (GW_SIGNER_MAX_JWK + 1);

    p = ngx_pnalloc(cf->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    gamcf->jwks.data = (u_char *) p;
    last = p + len;

    p = (char *) ngx_cpymem(p, "{\"keys\":[", sizeof("{\"keys\":[") - 1);

    key = gamcf->keys.elts;

    for (i = 0; i < gamcf->keys.nelts; i++) {

        /* a comma before it, unless it is the first */

        rc = gw_signer_jwk(key[i].signer, p + 1, last - p - 1, &len);

        if (rc == GW_DECLINED) {
            /* a secret */
            continue;
        }

        if (rc != GW_OK) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"gw_passport_key\" \"%V\" can't be published",
                          &key[i].kid);
            return NGX_ERROR;
        }

        if (p[-1] == '[') {
            ngx_memmove(p, p + 1, len);

        } else {
            *p++ = ',';
        }

        p += len;
    }

    p = (char *) ngx_cpymem(p, "]}\n", sizeof("]}\n") - 1);

    gamcf->jwks.len = (u_char *) p - gamcf->jwks.data;

    return NGX_OK;
}


ngx_int_t
ngx_http_gw_auth_conf_read(ngx_conf_t *cf, ngx_str_t *name, size_t max,
    ngx_str_t *text, const char **err, ngx_err_t *code)
{
    ssize_t          n;
    ngx_file_t       file;
    ngx_file_info_t  fi;

    *err = "cannot be loaded, memory is short";
    *code = 0;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = *name;
    file.log = cf->log;

    /* without O_NONBLOCK a pipe would be waited for */

    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                            NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        *err = "cannot be opened";
        *code = ngx_errno;
        return NGX_ERROR;
    }

    text->data = NULL;

    if (ngx_fd_info(file.fd, &fi) == NGX_FILE_ERROR) {
        *err = "cannot be read";
        *code = ngx_errno;
        goto failed;
    }

    if (!ngx_is_file(&fi)) {
        *err = "is not a regular file";
        goto failed;
    }

    text->len = ngx_min(ngx_file_size(&fi), (off_t) max + 1);

    text->data = ngx_alloc(text->len + 1, cf->log);
    if (text->data == NULL) {
        goto failed;
    }

    n = ngx_read_file(&file, text->data, text->len, 0);

    if (n != (ssize_t) text->len) {
        *err = "cannot be read";
        *code = (n == NGX_ERROR) ? ngx_errno : 0;
        goto failed;
    }

    (void) ngx_close_file(file.fd);

    return NGX_OK;

failed:

    (void) ngx_close_file(file.fd);

    if (text->data) {
        ngx_http_gw_auth_conf_wipe(text);
    }

    return NGX_ERROR;
}


void
ngx_http_gw_auth_conf_wipe(ngx_str_t *text)
{
    ngx_explicit_memzero(text->data, text->len);
    ngx_free(text->data);
}


ngx_uint_t
ngx_http_gw_auth_conf_is_text(const gw_str_t *text, ngx_uint_t n)
{
    char           buf[NGX_HTTP_GW_AUTH_TEXTS];
    ngx_uint_t     i;
    gw_json_out_t  out;

    out.pos = buf;
    out.last = buf + sizeof(buf);
    out.rc = GW_OK;

    for (i = 0; i < n; i++) {

        if (gw_json_has_control(&text[i])) {
            return 0;
        }

        gw_json_put_string(&out, &text[i]);
    }

    return out.rc == GW_OK;
}
