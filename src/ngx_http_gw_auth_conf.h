
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The configuration of the auth module: made here at start, keys parsed
 * once, read-only after the merge.  What a worker changes hangs off "worker".
 *
 * The functions are the hooks and setters of ngx_http_module_t and
 * ngx_command_t, with their meaning.
 */

#ifndef _NGX_HTTP_GW_AUTH_CONF_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_CONF_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>

#include "gw_passport.h"
#include "ngx_gw_cache.h"
#include "ngx_gw_redis_conf.h"
#include "ngx_gw_revocations.h"
#include "ngx_http_gw_auth_provider.h"


typedef struct ngx_http_gw_auth_worker_s  ngx_http_gw_auth_worker_t;


/* one parameter of "gw_auth_require": any of the values */

typedef struct {
    ngx_str_t                       name;         /* with a NUL behind it */
    ngx_array_t                     values;       /* of gw_str_t */
    unsigned                        scope:1;
} ngx_http_gw_auth_require_t;


typedef struct {
    ngx_array_t                     audiences;    /* of gw_str_t */
    gw_str_t                        issuer;
    time_t                          ttl;
    u_char                          digest[GW_IDENTITY_DIGEST];
} ngx_http_gw_auth_passport_t;


typedef struct {
    ngx_str_t                       name;
    ngx_http_complex_value_t        value;
} ngx_http_gw_auth_claim_t;


typedef struct {
    ngx_str_t                       kid;
    gw_signer_t                    *signer;
} ngx_http_gw_auth_key_t;


/* the name of the header that carries a passport */

typedef struct {
    ngx_str_t                       name;
    ngx_str_t                       lowcase;
} ngx_http_gw_auth_header_t;


struct ngx_http_gw_auth_main_conf_s {
    ngx_array_t                     providers;    /* of ..._provider_t * */
    ngx_array_t                     lists;        /* of ..._list_t *, all */
    ngx_array_t                     keys;         /* of ..._key_t, the first
                                                     signs */
    ngx_array_t                     headers;      /* of ..._header_t: what
                                                     clients may not send */
    ngx_str_t                       jwks;         /* published */
    ngx_gw_cache_t                 *cache;        /* NULL: no zone */
    ngx_gw_redis_conf_t             redis;        /* nhosts 0: none */
    ngx_gw_revocations_conf_t      *revocations;  /* NULL: none */
    ngx_gw_zone_t                  *state;        /* breakers, counters */
    ngx_http_gw_auth_worker_t      *worker;

    unsigned                        passport:1;   /* somebody needs a key */
};


typedef struct {
    ngx_http_gw_auth_list_t        *auth;         /* NULL if off */
    ngx_array_t                    *require;      /* of ..._require_t */
    ngx_flag_t                      forward;
    ngx_flag_t                      fallback;
    ngx_http_gw_auth_passport_t    *passport;     /* NULL if off */
    ngx_array_t                    *claims;       /* of ..._claim_t */
    ngx_http_gw_auth_header_t      *header;       /* NULL: X-Passport */
} ngx_http_gw_auth_conf_t;


GW_HIDDEN_BEGIN

void *ngx_http_gw_auth_conf_create_main(ngx_conf_t *cf);
char *ngx_http_gw_auth_conf_init_main(ngx_conf_t *cf, void *conf);
void *ngx_http_gw_auth_conf_create(ngx_conf_t *cf);
char *ngx_http_gw_auth_conf_merge(ngx_conf_t *cf, void *parent, void *child);
ngx_int_t ngx_http_gw_auth_conf_find(ngx_conf_t *cf);  /* postconfiguration */

char *ngx_http_gw_auth_conf_auth(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_auth_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_auth_conf_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_auth_conf_revocations(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_auth_conf_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

ngx_int_t ngx_http_gw_auth_conf_init_revocations(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_CONF_H_INCLUDED_ */
