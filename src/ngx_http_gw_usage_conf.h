
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The configuration of the usage module: made here at start, read-only after
 * the merge.  What a worker changes hangs off "worker".
 *
 * The functions are the hooks and setters of ngx_http_module_t and
 * ngx_command_t, with their meaning; ngx_http_gw_usage_conf_value() takes the
 * most bytes of a constant as "post".  ngx_http_gw_usage_conf_finish() is the
 * postconfiguration: what defines variables has done so then.
 */

#ifndef _NGX_HTTP_GW_USAGE_CONF_H_INCLUDED_
#define _NGX_HTTP_GW_USAGE_CONF_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>

#include "ngx_gw_journal_conf.h"
#include "ngx_gw_kafka_conf.h"
#include "ngx_gw_meter.h"


typedef struct ngx_http_gw_usage_worker_s  ngx_http_gw_usage_worker_t;


typedef struct {
    ngx_gw_kafka_conf_t         *kafka;
    ngx_gw_journal_conf_t        journal;     /* no path: not configured */
    ngx_gw_meter_t              *meter;       /* NULL: no events at all */
    ngx_http_gw_usage_worker_t  *worker;      /* set by init_process */

    /* indices of variables, or NGX_DECLINED: nobody defines it */

    ngx_int_t                    request_id;
    ngx_int_t                    subject;
    ngx_int_t                    tier;
    ngx_int_t                    limited;
    ngx_int_t                    degraded;

    ngx_str_t                    file;        /* of the first "on" */
    ngx_uint_t                   line;
} ngx_http_gw_usage_main_conf_t;


typedef struct {
    gw_str_t                     name;
    ngx_http_complex_value_t     value;
} ngx_http_gw_usage_field_t;


typedef struct {
    ngx_flag_t                   enable;
    ngx_http_complex_value_t    *condition;   /* NULL: all requests */
    ngx_http_complex_value_t    *api;
    ngx_http_complex_value_t    *subject;
    ngx_http_complex_value_t    *tier;
    ngx_http_complex_value_t    *units;
    ngx_http_complex_value_t    *key;
    ngx_array_t                 *fields;      /* of ..._field_t */
    ngx_msec_t                   interval;    /* 0: off */
} ngx_http_gw_usage_loc_conf_t;


GW_HIDDEN_BEGIN

void *ngx_http_gw_usage_conf_create_main(ngx_conf_t *cf);
char *ngx_http_gw_usage_conf_init_main(ngx_conf_t *cf, void *conf);
void *ngx_http_gw_usage_conf_create(ngx_conf_t *cf);
char *ngx_http_gw_usage_conf_merge(ngx_conf_t *cf, void *parent, void *child);

char *ngx_http_gw_usage_conf_enable(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_usage_conf_value(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_usage_conf_units(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_usage_conf_field(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_usage_conf_interval(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_usage_conf_journal(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_usage_conf_kafka(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_gw_usage_conf_kafka_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

ngx_int_t ngx_http_gw_usage_conf_finish(ngx_conf_t *cf);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_USAGE_CONF_H_INCLUDED_ */
