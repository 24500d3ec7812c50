
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * "gw_metrics;" in a location: one page with the metrics of all modules that
 * are loaded, taken from the variables $gw_auth_metrics,
 * $gw_ratelimit_metrics and $gw_usage_metrics.  Every module has the
 * directive in its table; nginx takes the first one.
 */

#ifndef _NGX_HTTP_GW_METRICS_H_INCLUDED_
#define _NGX_HTTP_GW_METRICS_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>


GW_HIDDEN_BEGIN

char *ngx_http_gw_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_METRICS_H_INCLUDED_ */
