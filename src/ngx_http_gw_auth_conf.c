
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_conf.h"
#include "ngx_http_gw_auth_keyring.h"
#include "ngx_http_gw_auth_option.h"
#include "ngx_http_gw_auth_state.h"
#include "ngx_http_gw_auth_worker.h"


static ngx_int_t ngx_http_gw_auth_conf_init_arrays(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf);
static ngx_http_gw_auth_list_t *ngx_http_gw_auth_conf_new_list(
    ngx_conf_t *cf, ngx_uint_t n);
static ngx_int_t ngx_http_gw_auth_conf_set_require(ngx_conf_t *cf,
    ngx_http_gw_auth_require_t *require, ngx_str_t *word);


extern ngx_module_t  ngx_http_gw_auth_module;


void *
ngx_http_gw_auth_conf_create_main(ngx_conf_t *cf)
{
    ngx_str_t                      name = ngx_string("X-Passport");
    ngx_http_gw_auth_main_conf_t  *gamcf;

    gamcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_gw_auth_main_conf_t));
    if (gamcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     gamcf->jwks = { 0, NULL };
     *     gamcf->cache = NULL;
     *     gamcf->redis = { 0 };
     *     gamcf->revocations = NULL;
     *     gamcf->state = NULL;
     *     gamcf->passport = 0;
     */

    gamcf->worker = ngx_pcalloc(cf->pool, sizeof(ngx_http_gw_auth_worker_t));
    if (gamcf->worker == NULL) {
        return NULL;
    }

    if (ngx_http_gw_auth_conf_init_arrays(cf, gamcf) != NGX_OK) {
        return NULL;
    }

    /* never believed, even if passports go in another header */

    if (ngx_http_gw_auth_conf_add_header(cf, gamcf, &name) == NULL) {
        return NULL;
    }

    return gamcf;
}


static ngx_int_t
ngx_http_gw_auth_conf_init_arrays(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf)
{
    if (ngx_array_init(&gamcf->providers, cf->pool, 4,
                       sizeof(ngx_http_gw_auth_provider_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_array_init(&gamcf->lists, cf->pool, 4,
                       sizeof(ngx_http_gw_auth_list_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_array_init(&gamcf->keys, cf->pool, 2,
                       sizeof(ngx_http_gw_auth_key_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_array_init(&gamcf->headers, cf->pool, 2,
                          sizeof(ngx_http_gw_auth_header_t));
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

    if (ngx_http_gw_auth_conf_publish(cf, gamcf) != NGX_OK
        || ngx_http_gw_auth_conf_init_revocations(cf, gamcf) != NGX_OK
        || ngx_http_gw_auth_state_add(cf, gamcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
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
    gacf->require = NGX_CONF_UNSET_PTR;
    gacf->forward = NGX_CONF_UNSET;
    gacf->fallback = NGX_CONF_UNSET;
    gacf->passport = NGX_CONF_UNSET_PTR;
    gacf->claims = NGX_CONF_UNSET_PTR;
    gacf->header = NGX_CONF_UNSET_PTR;

    return gacf;
}


char *
ngx_http_gw_auth_conf_merge(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_gw_auth_conf_t *prev = parent;
    ngx_http_gw_auth_conf_t *conf = child;

    ngx_uint_t                 own;
    ngx_http_core_loc_conf_t  *clcf;

    own = (conf->require != NGX_CONF_UNSET_PTR && conf->require != NULL);

    ngx_conf_merge_ptr_value(conf->auth, prev->auth, NULL);
    ngx_conf_merge_ptr_value(conf->require, prev->require, NULL);
    ngx_conf_merge_value(conf->forward, prev->forward, 0);
    ngx_conf_merge_value(conf->fallback, prev->fallback, 1);
    ngx_conf_merge_ptr_value(conf->passport, prev->passport, NULL);
    ngx_conf_merge_ptr_value(conf->claims, prev->claims, NULL);
    ngx_conf_merge_ptr_value(conf->header, prev->header, NULL);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    /* a server has no name here: its locations may have a "gw_auth" */

    if (own && conf->auth == NULL && clcf->name.len) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "\"gw_auth_require\" asks nothing in location "
                           "\"%V\", where \"gw_auth\" is off", &clcf->name);
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_gw_auth_conf_find(ngx_conf_t *cf)
{
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_gw_auth_main_conf_t  *gamcf;

    gamcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gw_auth_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_gw_redis_conf_init(cf, &gamcf->redis, clcf->resolver,
                               clcf->resolver_timeout)
        != NGX_CONF_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_gw_auth_provider_find(cf, gamcf);
}


char *
ngx_http_gw_auth_conf_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_auth_conf_t *gacf = conf;

    ngx_str_t                *value, *name;
    ngx_uint_t                i, j, n;
    ngx_http_gw_auth_list_t  *list;

    if (gacf->auth != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;
    n = cf->args->nelts;

    if (n == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        gacf->auth = NULL;
        return NGX_CONF_OK;
    }

    list = ngx_http_gw_auth_conf_new_list(cf, n);
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

    for (i = 1; i < n; i++) {

        if (ngx_strcmp(value[i].data, "off") == 0
            || ngx_strcmp(value[i].data, "optional") == 0)
        {
            return "takes \"off\" alone, and \"optional\" last";
        }

        for (j = 1; j < i; j++) {
            if (ngx_gw_str_equal(&value[j], &value[i])) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "\"%V\" names \"%V\" twice",
                                   &cmd->name, &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        name = ngx_array_push(&list->names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    gacf->auth = list;

    return NGX_CONF_OK;
}


static ngx_http_gw_auth_list_t *
ngx_http_gw_auth_conf_new_list(ngx_conf_t *cf, ngx_uint_t n)
{
    ngx_http_gw_auth_list_t       *list, **known;
    ngx_http_gw_auth_main_conf_t  *gamcf;

    list = ngx_pcalloc(cf->pool, sizeof(ngx_http_gw_auth_list_t));

    if (list == NULL
        || ngx_array_init(&list->names, cf->pool, n, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&list->providers, cf->pool, n,
                          sizeof(ngx_http_gw_auth_provider_t *))
           != NGX_OK
        || ngx_array_init(&list->sources, cf->pool, n,
                          sizeof(ngx_http_gw_auth_source_t))
           != NGX_OK)
    {
        return NULL;
    }

    gamcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gw_auth_module);

    known = ngx_array_push(&gamcf->lists);
    if (known == NULL) {
        return NULL;
    }

    *known = list;

    return list;
}


char *
ngx_http_gw_auth_conf_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_auth_conf_t *gacf = conf;

    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_array_t                 *list;
    ngx_http_gw_auth_require_t  *require;

    if (gacf->require != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        gacf->require = NULL;
        return NGX_CONF_OK;
    }

    list = ngx_array_create(cf->pool, cf->args->nelts - 1,
                            sizeof(ngx_http_gw_auth_require_t));
    if (list == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        require = ngx_array_push(list);
        if (require == NULL) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_gw_auth_conf_set_require(cf, require, &value[i])
            != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of \"%V\": it must "
                               "look like NAME=VALUE[,VALUE...]",
                               &value[i], &cmd->name);
            return NGX_CONF_ERROR;
        }
    }

    gacf->require = list;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_gw_auth_conf_set_require(ngx_conf_t *cf,
    ngx_http_gw_auth_require_t *require, ngx_str_t *word)
{
    u_char  *p;

    p = (u_char *) ngx_strchr(word->data, '=');

    if (p == NULL || p == word->data) {
        return NGX_ERROR;
    }

    require->name.len = p - word->data;
    require->name.data = ngx_pnalloc(cf->pool, require->name.len + 1);

    if (require->name.data == NULL
        || ngx_array_init(&require->values, cf->pool, 1, sizeof(gw_str_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(require->name.data, word->data, require->name.len + 1);

    require->scope = (ngx_strcmp(require->name.data, "scope") == 0);

    if (ngx_http_gw_auth_option_list(cf, &require->values, p + 1,
                                     word->data + word->len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!require->scope) {
        return NGX_OK;
    }

    /* RFC 6749: other bytes are in no scope, and would end a challenge */

    for (p++; p < word->data + word->len; p++) {
        if (*p < 0x21 || *p > 0x7e || *p == '"' || *p == '\\') {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
