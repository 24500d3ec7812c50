
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What a request has cost up to now.
 *
 * ngx_http_gw_usage_measure_start() is when it began, in ms since the epoch;
 * _totals() are its bytes and its duration; _status() is 0 if there is no
 * response yet; _upstream() the ms spent with all servers that were tried, -1
 * if none was.
 */

#ifndef _NGX_HTTP_GW_USAGE_MEASURE_H_INCLUDED_
#define _NGX_HTTP_GW_USAGE_MEASURE_H_INCLUDED_


#include "ngx_http_gw_usage_state.h"


GW_HIDDEN_BEGIN

int64_t ngx_http_gw_usage_measure_start(ngx_http_request_t *r);
void ngx_http_gw_usage_measure_totals(ngx_http_request_t *r,
    ngx_http_gw_usage_ctx_t *ctx, ngx_http_gw_usage_totals_t *totals);
ngx_uint_t ngx_http_gw_usage_measure_status(ngx_http_request_t *r);
int64_t ngx_http_gw_usage_measure_upstream(ngx_http_request_t *r);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_USAGE_MEASURE_H_INCLUDED_ */
