
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_conf.h"
#include "gw_json.h"


#define NGX_HTTP_GW_AUTH_TTL      60         /* s, of a passport */
#define NGX_HTTP_GW_AUTH_TTL_MAX  300

/* bytes of JSON for an issuer, for audiences: all other claims fit then */

#define NGX_HTTP_GW_AUTH_TEXTS    384


static ngx_int_t ngx_http_gw_auth_conf_publish(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf);
static ngx_http_gw_auth_passport_t *ngx_http_gw_auth_conf_new_passport(
    ngx_conf_t *cf);
static ngx_int_t ngx_http_gw_auth_conf_audiences(ngx_conf_t *cf,
    ngx_array_t *audiences, u_char *p, u_char *last);
static void ngx_http_gw_auth_conf_key_cleanup(void *data);


extern ngx_module_t  ngx_http_gw_auth_module;


void *
ngx_http_gw_auth_conf_create_main(ngx_conf_t *cf)
{
    ngx_http_gw_auth_main_conf_t  *gamcf;

    gamcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_gw_auth_main_conf_t));
    if (gamcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     gamcf->jwks = { 0, NULL };
     *     gamcf->passport = 0;
     */

    if (ngx_array_init(&gamcf->providers, cf->pool, 4,
                       sizeof(ngx_http_gw_auth_provider_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&gamcf->lists, cf->pool, 4,
                       sizeof(ngx_http_gw_auth_list_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&gamcf->keys, cf->pool, 2,
                       sizeof(ngx_http_gw_auth_key_t))
        != NGX_OK)
    {
        return NULL;
    }

    return gamcf;
}


char *
ngx_http_gw_auth_conf_init_main(ngx_conf_t *cf, void *conf)
{
    ngx_http_gw_auth_main_conf_t *gamcf = conf;

    char                      *rv;
    ngx_uint_t                 i;
    ngx_http_gw_auth_list_t  **list;

    rv = ngx_http_gw_auth_provider_init(cf, gamcf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    list = gamcf->lists.elts;

    for (i = 0; i < gamcf->lists.nelts; i++) {
        if (ngx_http_gw_auth_provider_resolve(cf, gamcf, list[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (gamcf->passport && gamcf->keys.nelts == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"gw_passport\" and \"gw_passport_jwks\" need "
                      "\"gw_passport_key\", the key that signs");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_gw_auth_conf_publish(cf, gamcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* the JWK Set of all keys, the one that signs first */

static ngx_int_t
ngx_http_gw_auth_conf_publish(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf)
{
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

        if (i) {
            *p++ = ',';
        }

        if (gw_signer_jwk(key[i].signer, p, last - p, &len) != GW_OK) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"gw_passport_key\" \"%V\" can't be published",
                          &key[i].kid);
            return NGX_ERROR;
        }

        p += len;
    }

    p = (char *) ngx_cpymem(p, "]}\n", sizeof("]}\n") - 1);

    gamcf->jwks.len = (u_char *) p - gamcf->jwks.data;

    return NGX_OK;
}


void *
ngx_http_gw_auth_conf_create(ngx_conf_t *cf)
{
    ngx_http_gw_auth_conf_t  *gacf;

    gacf = ngx_pcalloc(cf->pool, sizeof(ngx_http_gw_auth_conf_t));
    if (gacf == NULL) {
        return NULL;
    }

    gacf->auth = NGX_CONF_UNSET_PTR;
    gacf->passport = NGX_CONF_UNSET_PTR;

    return gacf;
}


char *
ngx_http_gw_auth_conf_merge(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_gw_auth_conf_t *prev = parent;
    ngx_http_gw_auth_conf_t *conf = child;

    ngx_conf_merge_ptr_value(conf->auth, prev->auth, NULL);
    ngx_conf_merge_ptr_value(conf->passport, prev->passport, NULL);

    return NGX_CONF_OK;
}


char *
ngx_http_gw_auth_conf_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_auth_conf_t *gacf = conf;

    ngx_str_t                     *value, *name;
    ngx_uint_t                     i, n;
    ngx_http_gw_auth_list_t       *list, **known;
    ngx_http_gw_auth_main_conf_t  *gamcf;

    if (gacf->auth != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;
    n = cf->args->nelts;

    if (n == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        gacf->auth = NULL;
        return NGX_CONF_OK;
    }

    list = ngx_pcalloc(cf->pool, sizeof(ngx_http_gw_auth_list_t));
    if (list == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_strcmp(value[n - 1].data, "optional") == 0) {
        list->optional = 1;
        n--;
    }

    if (n == 1) {
        return "names no provider";
    }

    if (ngx_array_init(&list->names, cf->pool, n, sizeof(ngx_str_t))
        != NGX_OK
        || ngx_array_init(&list->providers, cf->pool, n,
                          sizeof(ngx_http_gw_auth_provider_t *))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < n; i++) {

        if (ngx_strcmp(value[i].data, "off") == 0
            || ngx_strcmp(value[i].data, "optional") == 0)
        {
            return "takes \"off\" alone, and \"optional\" last";
        }

        name = ngx_array_push(&list->names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    gamcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gw_auth_module);

    known = ngx_array_push(&gamcf->lists);
    if (known == NULL) {
        return NGX_CONF_ERROR;
    }

    *known = list;
    gacf->auth = list;

    return NGX_CONF_OK;
}


char *
ngx_http_gw_auth_conf_passport(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_auth_conf_t *gacf = conf;

    ngx_str_t                     *value, s;
    ngx_uint_t                     i;
    ngx_http_gw_auth_passport_t   *passport;
    ngx_http_gw_auth_main_conf_t  *gamcf;

    if (gacf->passport != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        gacf->passport = NULL;
        return NGX_CONF_OK;
    }

    passport = ngx_http_gw_auth_conf_new_passport(cf);
    if (passport == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "audience=", 9) == 0) {

            if (ngx_http_gw_auth_conf_audiences(cf, &passport->audiences,
                                                value[i].data + 9,
                                                value[i].data + value[i].len)
                != NGX_OK)
            {
                goto invalid;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "ttl=", 4) == 0) {

            s.data = value[i].data + 4;
            s.len = value[i].len - 4;

            passport->ttl = ngx_parse_time(&s, 1);

            if (passport->ttl == (time_t) NGX_ERROR || passport->ttl < 1
                || passport->ttl > NGX_HTTP_GW_AUTH_TTL_MAX)
            {
                return "needs a \"ttl\" between 1s and 5m";
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "issuer=", 7) == 0
            && value[i].len > 7)
        {
            passport->issuer.len = value[i].len - 7;
            passport->issuer.data = (const char *) value[i].data + 7;

            continue;
        }

        goto invalid;
    }

    if (passport->audiences.nelts == 0) {
        return "has no \"audience=\", the upstream it is for";
    }

    if (!ngx_http_gw_auth_conf_is_text(&passport->issuer, 1)
        || !ngx_http_gw_auth_conf_is_text(passport->audiences.elts,
                                          passport->audiences.nelts))
    {
        return "takes \"audience=\" and \"issuer=\" of at most 384 bytes each, "
               "UTF-8 without control characters";
    }

    gamcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gw_auth_module);

    gamcf->passport = 1;
    gacf->passport = passport;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"%V\"",
                       &value[i], &cmd->name);
    return NGX_CONF_ERROR;
}


static ngx_http_gw_auth_passport_t *
ngx_http_gw_auth_conf_new_passport(ngx_conf_t *cf)
{
    ngx_http_gw_auth_passport_t  *passport;

    passport = ngx_palloc(cf->pool, sizeof(ngx_http_gw_auth_passport_t));

    if (passport == NULL
        || ngx_array_init(&passport->audiences, cf->pool, 1, sizeof(gw_str_t))
           != NGX_OK)
    {
        return NULL;
    }

    passport->issuer = (gw_str_t) gw_str("gateway");
    passport->ttl = NGX_HTTP_GW_AUTH_TTL;

    return passport;
}


static ngx_int_t
ngx_http_gw_auth_conf_audiences(ngx_conf_t *cf, ngx_array_t *audiences,
    u_char *p, u_char *last)
{
    u_char    *end;
    gw_str_t  *audience;

    for ( ;; ) {

        end = ngx_strlchr(p, last, ',');
        if (end == NULL) {
            end = last;
        }

        if (end == p) {
            return NGX_ERROR;
        }

        audience = ngx_array_push(audiences);
        if (audience == NULL) {
            return NGX_ERROR;
        }

        audience->len = end - p;
        audience->data = (const char *) p;

        if (end == last) {
            return NGX_OK;
        }

        p = end + 1;
    }
}


char *
ngx_http_gw_auth_conf_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_auth_main_conf_t *gamcf = conf;

    gw_str_t                 kid;
    ngx_str_t               *value, text;
    ngx_uint_t               i;
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

    kid.len = value[1].len;
    kid.data = (const char *) value[1].data;
    signer = NULL;

    if (ngx_http_gw_auth_conf_read(cf, &value[2], GW_SIGNER_MAX_PEM, &text,
                                   &err, &code)
        == NGX_OK)
    {
        signer = gw_signer_create(&kid, (const char *) text.data, text.len,
                                  &err);

        ngx_http_gw_auth_conf_wipe(&text);
    }

    if (signer == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, code, "\"%V\" \"%V\": \"%V\" %s",
                           &cmd->name, &value[1], &value[2], err);
        return NGX_CONF_ERROR;
    }

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
ngx_http_gw_auth_conf_key_cleanup(void *data)
{
    gw_signer_free(data);
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
