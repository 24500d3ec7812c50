
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The blocks "gw_auth_provider".
 *
 * ngx_http_gw_auth_provider_check() completes a provider when its block has
 * been read, ngx_http_gw_auth_provider_init() completes and compares all of
 * them when the configuration has been read, and
 * ngx_http_gw_auth_provider_resolve() turns the names of a "gw_auth" into
 * providers.  ngx_http_gw_auth_provider_find() looks for their locations in
 * postconfiguration.  All log what is wrong.
 */

#ifndef _NGX_HTTP_GW_AUTH_PROVIDER_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_PROVIDER_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>

#include "gw_identity.h"
#include "gw_jwt.h"
#include "ngx_gw_keys.h"
#include "ngx_http_gw_auth_credential.h"
#include "ngx_http_gw_fetch.h"


typedef enum {
    NGX_HTTP_GW_AUTH_JWT = 0,
    NGX_HTTP_GW_AUTH_INTROSPECT,
    NGX_HTTP_GW_AUTH_API_KEY
} ngx_http_gw_auth_kind_e;


typedef struct ngx_http_gw_auth_provider_s   ngx_http_gw_auth_provider_t;
typedef struct ngx_http_gw_auth_main_conf_s  ngx_http_gw_auth_main_conf_t;


struct ngx_http_gw_auth_provider_s {
    ngx_str_t                       name;
    ngx_uint_t                      index;        /* among all providers */
    ngx_http_gw_auth_kind_e         kind;
    ngx_array_t                     sources;      /* of ..._source_t */

    /* of tokens, and of introspection answers; API keys have no leeway */

    gw_jwt_rules_t                  rules;
    const char                     *tier;         /* names of claims */
    const char                     *scope;
    ngx_str_t                       prefix;       /* put before "sub" */

    /* of a JWT provider: a file, or a location */

    uint32_t                        algs;         /* mask of gw_alg_bit() */
    gw_jwks_t                      *jwks;         /* NULL if remote */
    ngx_gw_keys_conf_t             *keys;         /* NULL if in a file */

    ngx_http_gw_fetch_location_t    location;     /* of keys, or to ask */
    ngx_msec_t                      timeout;      /* of one fetch */

    /* of the two that ask somebody */

    time_t                          cache;        /* s, an answer at most */
    ngx_uint_t                      max;          /* asked at once, worker */
    ngx_str_t                       key;          /* before a key in Redis */

    ngx_http_gw_auth_provider_t    *fallback;
    time_t                          max_age;      /* s, for the fallback */

    u_char                          digest[GW_IDENTITY_DIGEST];

    /* while it is being read */

    ngx_str_t                       file;
    ngx_str_t                       fallback_name;
    ngx_uint_t                      lines;        /* mask of the read ones */
    ngx_array_t                     said;         /* of ngx_str_t: what the
                                                     digest is made of */

    unsigned                        audience_set:1;
    unsigned                        leeway_set:1;
    unsigned                        subject_set:1;
};


/* what one "gw_auth" says */

typedef struct {
    ngx_array_t                     names;        /* of ngx_str_t */
    ngx_array_t                     providers;    /* of ..._provider_t *,
                                                     set at init */
    ngx_array_t                     sources;      /* of all of them */
    unsigned                        optional:1;
} ngx_http_gw_auth_list_t;


GW_HIDDEN_BEGIN

char *ngx_http_gw_auth_provider(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_auth_provider_check(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
char *ngx_http_gw_auth_provider_init(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf);
ngx_int_t ngx_http_gw_auth_provider_resolve(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf, ngx_http_gw_auth_list_t *list);
ngx_int_t ngx_http_gw_auth_provider_find(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf);

/* lines of a block: who checks, and where the credential is */

char *ngx_http_gw_auth_provider_api_key(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
char *ngx_http_gw_auth_provider_credential(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
char *ngx_http_gw_auth_provider_fallback(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
char *ngx_http_gw_auth_provider_introspect(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);
char *ngx_http_gw_auth_provider_jwks(ngx_conf_t *cf,
    ngx_http_gw_auth_provider_t *provider);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_PROVIDER_H_INCLUDED_ */
