
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The configuration of the auth module: made here at start, keys parsed
 * once, read-only after the merge.
 *
 * The functions are the hooks and setters of ngx_http_module_t and
 * ngx_command_t, with their meaning.
 */

#ifndef _NGX_HTTP_GW_AUTH_CONF_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_CONF_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>

#include "gw_jwt.h"
#include "gw_passport.h"


typedef struct {
    ngx_str_t             name;
    gw_jwt_rules_t        rules;
    uint32_t              algs;          /* mask of gw_alg_bit() */
    gw_jwks_t            *jwks;
    const char           *tier;          /* names of claims */
    const char           *scope;
    ngx_str_t             prefix;        /* put before "sub" */

    ngx_str_t             file;
    unsigned              audience_set:1;
    unsigned              leeway_set:1;
    unsigned              subject_set:1;
} ngx_http_gw_auth_provider_t;


/* what one "gw_auth" says */

typedef struct {
    ngx_array_t           names;         /* of ngx_str_t */
    ngx_array_t           providers;     /* of ..._provider_t *, set at init */
    unsigned              optional:1;
} ngx_http_gw_auth_list_t;


typedef struct {
    ngx_array_t           audiences;     /* of gw_str_t */
    gw_str_t              issuer;
    time_t                ttl;
} ngx_http_gw_auth_passport_t;


typedef struct {
    ngx_str_t             kid;
    gw_signer_t          *signer;
} ngx_http_gw_auth_key_t;


typedef struct {
    ngx_array_t           providers;     /* of ..._provider_t * */
    ngx_array_t           lists;         /* of ..._list_t *, all of them */
    ngx_array_t           keys;          /* of ..._key_t, the first signs */
    ngx_str_t             jwks;          /* published */
    unsigned              passport:1;    /* somebody needs a key */
} ngx_http_gw_auth_main_conf_t;


typedef struct {
    ngx_http_gw_auth_list_t      *auth;      /* NULL if off */
    ngx_http_gw_auth_passport_t  *passport;  /* NULL if off */
} ngx_http_gw_auth_conf_t;


GW_HIDDEN_BEGIN

void *ngx_http_gw_auth_conf_create_main(ngx_conf_t *cf);
char *ngx_http_gw_auth_conf_init_main(ngx_conf_t *cf, void *conf);
void *ngx_http_gw_auth_conf_create(ngx_conf_t *cf);
char *ngx_http_gw_auth_conf_merge(ngx_conf_t *cf, void *parent, void *child);

char *ngx_http_gw_auth_conf_auth(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_auth_conf_passport(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_auth_conf_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* src/ngx_http_gw_auth_provider.c */

char *ngx_http_gw_auth_provider(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_auth_provider_init(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf);
ngx_int_t ngx_http_gw_auth_provider_resolve(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf, ngx_http_gw_auth_list_t *list);

/*
 * A whole file, to be wiped and freed by ngx_http_gw_auth_conf_wipe(); of one
 * over "max" bytes some more than these, for the parser to refuse.  If it
 * can't be read, "err" completes a sentence, and "code" is 0 or an errno.
 */

ngx_int_t ngx_http_gw_auth_conf_read(ngx_conf_t *cf, ngx_str_t *name,
    size_t max, ngx_str_t *text, const char **err, ngx_err_t *code);
void ngx_http_gw_auth_conf_wipe(ngx_str_t *text);

/* whether these texts, not too long together, can be in a passport */

ngx_uint_t ngx_http_gw_auth_conf_is_text(const gw_str_t *text, ngx_uint_t n);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_CONF_H_INCLUDED_ */
