
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Parameters NAME=VALUE of directives, by tables: a row for each name, the
 * last one has none.  Values are kept in an array of as many elements as there
 * are rows.
 *
 * ngx_http_gw_auth_option_init() sets all values to their defaults,
 * ngx_http_gw_auth_option_set() takes one word, ngx_http_gw_auth_options() the
 * words of a directive from the one with the number "first" on.  They return
 * NGX_CONF_OK, or an error, a phrase to stand behind the directive's name.
 *
 * ngx_http_gw_auth_option_list() adds the texts between commas, as gw_str_t,
 * to an array; NGX_ERROR if one is empty.
 *
 * ngx_http_gw_auth_option_digest() is SHA-256 over texts, each with its
 * length, and ngx_http_gw_auth_option_id() makes "NAME:" and the first digits
 * of it, for the name of a zone.
 */

#ifndef _NGX_HTTP_GW_AUTH_OPTION_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_OPTION_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>

#include "gw_identity.h"


typedef enum {
    NGX_HTTP_GW_AUTH_OPTION_TEXT = 0,     /* min, max: its length */
    NGX_HTTP_GW_AUTH_OPTION_MSEC,
    NGX_HTTP_GW_AUTH_OPTION_SEC,
    NGX_HTTP_GW_AUTH_OPTION_SIZE,
    NGX_HTTP_GW_AUTH_OPTION_NUMBER
} ngx_http_gw_auth_option_type_e;


typedef struct {
    ngx_str_t                        name;     /* with its "=" */
    ngx_http_gw_auth_option_type_e   type;
    ngx_int_t                        min;
    ngx_int_t                        max;
    ngx_int_t                        preset;   /* if left out */
    const char                      *takes;    /* for messages */
} ngx_http_gw_auth_option_t;


typedef struct {
    ngx_str_t                        text;     /* data NULL if left out */
    ngx_int_t                        number;
} ngx_http_gw_auth_value_t;


GW_HIDDEN_BEGIN

void ngx_http_gw_auth_option_init(const ngx_http_gw_auth_option_t *option,
    ngx_http_gw_auth_value_t *value);
char *ngx_http_gw_auth_option_set(ngx_conf_t *cf,
    const ngx_http_gw_auth_option_t *option, ngx_http_gw_auth_value_t *value,
    ngx_str_t *word);
char *ngx_http_gw_auth_options(ngx_conf_t *cf,
    const ngx_http_gw_auth_option_t *option, ngx_http_gw_auth_value_t *value,
    ngx_uint_t first);

ngx_int_t ngx_http_gw_auth_option_list(ngx_conf_t *cf, ngx_array_t *list,
    u_char *p, u_char *last);
ngx_int_t ngx_http_gw_auth_option_digest(ngx_conf_t *cf,
    const ngx_str_t *text, ngx_uint_t n, u_char *digest);
ngx_int_t ngx_http_gw_auth_option_id(ngx_conf_t *cf, ngx_str_t *id,
    const ngx_str_t *text, ngx_uint_t n);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_OPTION_H_INCLUDED_ */
