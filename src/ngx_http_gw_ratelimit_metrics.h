
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * $gw_ratelimit_metrics: what the workers of this machine have counted, in the
 * text format of Prometheus.  A get_handler of a variable, with its meaning.
 */

#ifndef _NGX_HTTP_GW_RATELIMIT_METRICS_H_INCLUDED_
#define _NGX_HTTP_GW_RATELIMIT_METRICS_H_INCLUDED_


#include "ngx_http_gw_ratelimit_state.h"


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_ratelimit_metrics(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_RATELIMIT_METRICS_H_INCLUDED_ */
