
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What the usage module keeps in a worker, and for a request.  The latter
 * lives as long as the request's pool and is found again after an internal
 * redirect.
 */

#ifndef _NGX_HTTP_GW_USAGE_STATE_H_INCLUDED_
#define _NGX_HTTP_GW_USAGE_STATE_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>

#include "ngx_gw_journal.h"
#include "ngx_gw_log.h"
#include "ngx_http_gw_problem.h"
#include "ngx_http_gw_usage_conf.h"

#include "gw_usage.h"


struct ngx_http_gw_usage_worker_s {
    ngx_gw_journal_t             *journal;
    gw_str_t                      source;

    ngx_gw_log_t                  log_refused;
    ngx_gw_log_t                  log_units;
    ngx_gw_log_t                  log_subject;
    ngx_gw_log_t                  log_key;

    gw_usage_field_t              fields[GW_USAGE_MAX_FIELDS];
    u_char                        event[GW_USAGE_MAX_EVENT];

    unsigned                      reserve:1;    /* full=reject */
};


/* of a request up to now */

typedef struct {
    uint64_t                      bytes_in;
    uint64_t                      bytes_out;
    uint64_t                      duration;     /* ms */
} ngx_http_gw_usage_totals_t;


typedef struct ngx_http_gw_usage_ctx_s  ngx_http_gw_usage_ctx_t;


/* of a request with gw_usage_interval */

typedef struct {
    ngx_event_t                   timer;
    ngx_http_request_t           *request;
    ngx_http_gw_usage_ctx_t      *ctx;
    ngx_http_gw_usage_totals_t    told;         /* by events up to now */

    /* asked for once, for each time might take memory of the request */

    gw_usage_field_t             *fields;
    unsigned                      asked:1;
    unsigned                      limited:1;
    unsigned                      degraded:1;
} ngx_http_gw_usage_interim_t;


struct ngx_http_gw_usage_ctx_s {
    const ngx_http_gw_usage_loc_conf_t  *conf;  /* of the first location */

    ngx_gw_journal_ticket_t       ticket;
    uint64_t                      sequence;     /* 0: not taken yet */

    gw_str_t                      method;
    gw_str_t                      subject;
    gw_str_t                      api;
    gw_str_t                      tier;
    ngx_str_t                     key;          /* empty: the generation */

    ngx_http_gw_usage_interim_t  *interim;
    ngx_http_gw_problem_t        *problem;      /* of a request refused */
    ngx_http_upstream_t          *upgraded;     /* NULL: no upgrade */
    off_t                         handshake;    /* sent to it before that */

    /* of an upgraded one: what else would be asked for at the end */

    gw_usage_field_t             *fields;
    uint64_t                      units;

    unsigned                      fixed:1;
    unsigned                      limited:1;
    unsigned                      degraded:1;
    unsigned                      admitted:1;
    unsigned                      skipped:1;    /* has no event */
    unsigned                      error_page:1;
};


#endif /* _NGX_HTTP_GW_USAGE_STATE_H_INCLUDED_ */
