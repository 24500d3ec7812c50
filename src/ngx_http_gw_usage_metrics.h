
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * $gw_usage_metrics: what the workers of this machine have counted, in the
 * text format of Prometheus.  A get_handler of a variable; not found if there
 * is no meter.
 */

#ifndef _NGX_HTTP_GW_USAGE_METRICS_H_INCLUDED_
#define _NGX_HTTP_GW_USAGE_METRICS_H_INCLUDED_


#include "ngx_http_gw_usage_state.h"


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_usage_metrics(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_USAGE_METRICS_H_INCLUDED_ */
