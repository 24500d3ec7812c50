
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * One line per interval and site.  A failing dependency would otherwise
 * write a line per request.
 *
 * A site is a zeroed structure, one for each message, kept by the caller in
 * the memory of its worker.  ngx_gw_log_pass() says whether the message may
 * be written now, at most once in NGX_GW_LOG_INTERVAL, and stores in "n" how
 * many were held back since the last one:
 *
 *     if (ngx_gw_log_pass(&rd->log_connect, &n)) {
 *         ngx_log_error(NGX_LOG_ERR, log, err,
 *                       "gw redis: connect to %V failed, %ui more", name, n);
 *     }
 */

#ifndef _NGX_GW_LOG_H_INCLUDED_
#define _NGX_GW_LOG_H_INCLUDED_


#include "ngx_gw.h"


#define NGX_GW_LOG_INTERVAL  10000    /* ms */


typedef struct {
    ngx_msec_t   last;
    ngx_uint_t   held;      /* messages not written since */
    unsigned     used:1;
} ngx_gw_log_t;


GW_HIDDEN_BEGIN

ngx_uint_t ngx_gw_log_pass(ngx_gw_log_t *site, ngx_uint_t *n);

GW_HIDDEN_END


#endif /* _NGX_GW_LOG_H_INCLUDED_ */
