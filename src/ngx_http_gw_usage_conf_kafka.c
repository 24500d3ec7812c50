
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_usage_conf.h"


#define NGX_HTTP_GW_USAGE_TOPIC         "gw.usage"
#define NGX_HTTP_GW_USAGE_CONTENT_TYPE                                        \
    "application/cloudevents+json; charset=UTF-8"


static ngx_int_t ngx_http_gw_usage_conf_kafka_param(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_str_t *param, ngx_str_t *topic,
    ngx_str_t *cluster);
static ngx_gw_kafka_conf_t *ngx_http_gw_usage_conf_producer(ngx_conf_t *cf,
    ngx_http_gw_usage_main_conf_t *gumcf);


char *
ngx_http_gw_usage_conf_kafka(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_usage_main_conf_t *gumcf = conf;

    ngx_str_t            *value, topic, cluster;
    ngx_uint_t            i;
    const char           *why;
    ngx_gw_kafka_conf_t  *kcf;

    kcf = ngx_http_gw_usage_conf_producer(cf, gumcf);
    if (kcf == NULL) {
        return NGX_CONF_ERROR;
    }

    if (kcf->brokers) {
        return "is duplicate";
    }

    value = cf->args->elts;

    why = ngx_gw_kafka_conf_brokers(kcf, &value[1]);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid brokers \"%V\" in \"%V\": %s",
                           &value[1], &cmd->name, why);
        return NGX_CONF_ERROR;
    }

    ngx_str_null(&topic);
    ngx_str_null(&cluster);

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_gw_usage_conf_kafka_param(cf, cmd, &value[i], &topic,
                                               &cluster)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (topic.data == NULL) {
        ngx_str_set(&topic, NGX_HTTP_GW_USAGE_TOPIC);
    }

    why = ngx_gw_kafka_conf_topic(kcf, &topic);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid topic \"%V\" in \"%V\": %s",
                           &topic, &cmd->name, why);
        return NGX_CONF_ERROR;
    }

    why = cluster.data ? ngx_gw_kafka_conf_cluster(kcf, &cluster) : NULL;

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid cluster \"%V\" in \"%V\": %s",
                           &cluster, &cmd->name, why);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_gw_usage_conf_kafka_param(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *param, ngx_str_t *topic, ngx_str_t *cluster)
{
    if (topic->data == NULL && ngx_strncmp(param->data, "topic=", 6) == 0) {
        topic->data = param->data + 6;
        topic->len = param->len - 6;

        return NGX_OK;
    }

    if (cluster->data == NULL && ngx_strncmp(param->data, "cluster=", 8) == 0)
    {
        cluster->data = param->data + 8;
        cluster->len = param->len - 8;

        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" in \"%V\", \"topic=NAME\" "
                       "and \"cluster=NAME\" expected, each once",
                       param, &cmd->name);
    return NGX_ERROR;
}


char *
ngx_http_gw_usage_conf_kafka_set(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_gw_usage_main_conf_t *gumcf = conf;

    ngx_str_t            *value;
    const char           *why;
    ngx_gw_kafka_conf_t  *kcf;

    kcf = ngx_http_gw_usage_conf_producer(cf, gumcf);
    if (kcf == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    why = ngx_gw_kafka_conf_set(kcf, &value[1], &value[2]);

    if (why) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid Kafka property \"%V\" in \"%V\": %s",
                           &value[1], &cmd->name, why);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_gw_kafka_conf_t *
ngx_http_gw_usage_conf_producer(ngx_conf_t *cf,
    ngx_http_gw_usage_main_conf_t *gumcf)
{
    if (gumcf->kafka == NULL) {
        gumcf->kafka = ngx_gw_kafka_conf_create(cf,
                                              NGX_HTTP_GW_USAGE_CONTENT_TYPE);
    }

    return gumcf->kafka;
}
