
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The configuration of passports: gw_passport, gw_passport_claim,
 * gw_passport_header, gw_passport_key.
 *
 * ngx_http_gw_auth_conf_publish() makes the JWK Set of all keys.
 *
 * ngx_http_gw_auth_conf_read() reads a whole file, to be wiped and freed by
 * ngx_http_gw_auth_conf_wipe(); of one over "max" bytes some more than these,
 * for the parser to refuse.  If it can't be read, "err" completes a sentence,
 * and "code" is 0 or an errno.
 *
 * ngx_http_gw_auth_conf_add_header() adds a header to those that clients may
 * not send, NULL if out of memory; ngx_http_gw_auth_conf_carries() tells
 * whether a header is one of them, in whatever spelling.
 *
 * ngx_http_gw_auth_conf_is_text() tells whether these texts, not too long
 * together, can be in a passport.
 */

#ifndef _NGX_HTTP_GW_AUTH_KEYRING_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_KEYRING_H_INCLUDED_


#include "ngx_http_gw_auth_conf.h"


GW_HIDDEN_BEGIN

char *ngx_http_gw_auth_conf_passport(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_auth_conf_claim(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_auth_conf_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_auth_conf_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

ngx_int_t ngx_http_gw_auth_conf_publish(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf);

ngx_http_gw_auth_header_t *ngx_http_gw_auth_conf_add_header(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf, ngx_str_t *name);
ngx_uint_t ngx_http_gw_auth_conf_carries(ngx_http_gw_auth_main_conf_t *gamcf,
    ngx_str_t *name);

ngx_int_t ngx_http_gw_auth_conf_read(ngx_conf_t *cf, ngx_str_t *name,
    size_t max, ngx_str_t *text, const char **err, ngx_err_t *code);
void ngx_http_gw_auth_conf_wipe(ngx_str_t *text);
ngx_uint_t ngx_http_gw_auth_conf_is_text(const gw_str_t *text, ngx_uint_t n);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_KEYRING_H_INCLUDED_ */
