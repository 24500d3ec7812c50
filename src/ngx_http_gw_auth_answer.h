
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Answers in the identity zone.
 *
 * ngx_http_gw_auth_answer_keep() caches an identity, packed, or a refusal.
 *
 * A token that the auth service called inactive, though the fallback would
 * take it, is remembered to its own end, by what was signed and the name of
 * the provider: another signature of the same, or a reload with another
 * max_age, does not bring it back.  ngx_http_gw_auth_answer_remember() stores
 * it, and ngx_http_gw_auth_answer_inactive() tells.  If the auth service
 * changes its mind, ngx_http_gw_auth_answer_forget() is due.
 */

#ifndef _NGX_HTTP_GW_AUTH_ANSWER_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_ANSWER_H_INCLUDED_


#include "ngx_http_gw_auth_conf.h"


GW_HIDDEN_BEGIN

void ngx_http_gw_auth_answer_keep(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const u_char *digest,
    ngx_uint_t reason, time_t expires, const char *packed, size_t len);
void ngx_http_gw_auth_answer_remember(
    const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential);
void ngx_http_gw_auth_answer_forget(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential);
ngx_uint_t ngx_http_gw_auth_answer_inactive(
    const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, const ngx_str_t *credential);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_ANSWER_H_INCLUDED_ */
