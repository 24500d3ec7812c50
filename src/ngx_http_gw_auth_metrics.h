
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The page of ngx_http_gw_auth_metrics(), a table of families.  A writer
 * calls ngx_http_gw_auth_metrics_head() before each of its samples, so that a
 * family without any is left out.  "what" is a counter, or the offset of a
 * uint64_t in a structure of statistics.
 */

#ifndef _NGX_HTTP_GW_AUTH_METRICS_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_METRICS_H_INCLUDED_


#include "ngx_http_gw_auth_state.h"

#include "gw_prom.h"


typedef struct {
    gw_prom_t                             out;
    const ngx_http_gw_auth_main_conf_t   *gamcf;
    const ngx_http_gw_auth_provider_t   **providers;
    const ngx_http_gw_auth_slot_t        *slots;

    /* the family that is written */

    const char                           *name;
    const char                           *type;
    const char                           *help;
    unsigned                              begun:1;
} ngx_http_gw_auth_metrics_t;


typedef void (*ngx_http_gw_auth_metrics_pt)(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what);


typedef struct {
    const char                           *name;
    const char                           *type;
    const char                           *help;
    ngx_http_gw_auth_metrics_pt           write;
    ngx_uint_t                            what;
} ngx_http_gw_auth_metrics_family_t;


GW_HIDDEN_BEGIN

void ngx_http_gw_auth_metrics_head(ngx_http_gw_auth_metrics_t *page);
void ngx_http_gw_auth_metrics_provider(gw_prom_label_t *label,
    const ngx_http_gw_auth_provider_t *provider);
void ngx_http_gw_auth_metrics_text(gw_prom_label_t *label, const char *name,
    const char *value);

/* writers of what lies in other zones */

void ngx_http_gw_auth_metrics_zone(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what);
void ngx_http_gw_auth_metrics_keys(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what);
void ngx_http_gw_auth_metrics_keys_age(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what);
void ngx_http_gw_auth_metrics_revocations(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what);
void ngx_http_gw_auth_metrics_read(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what);
void ngx_http_gw_auth_metrics_age(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what);
void ngx_http_gw_auth_metrics_resets(ngx_http_gw_auth_metrics_t *page,
    ngx_uint_t what);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_METRICS_H_INCLUDED_ */
