
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_log.h"


ngx_uint_t
ngx_gw_log_pass(ngx_gw_log_t *site, ngx_uint_t *n)
{
    if (site->used && ngx_current_msec - site->last < NGX_GW_LOG_INTERVAL) {
        site->held++;
        return 0;
    }

    *n = site->held;

    site->used = 1;
    site->last = ngx_current_msec;
    site->held = 0;

    return 1;
}
