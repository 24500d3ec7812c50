
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * $gw_address, whom a limit by address is for: an IPv4 address whole, of an
 * IPv6 address the first gw_address_prefix bits with zeros behind, since one
 * customer has as many addresses as he likes.  An IPv4 address in IPv6 form
 * (::ffff:192.0.2.1) is an IPv4 address.  Empty for a unix socket.  A
 * get_handler of a variable, with its meaning.
 */

#ifndef _NGX_HTTP_GW_RATELIMIT_ADDRESS_H_INCLUDED_
#define _NGX_HTTP_GW_RATELIMIT_ADDRESS_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_ratelimit_address(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_RATELIMIT_ADDRESS_H_INCLUDED_ */
