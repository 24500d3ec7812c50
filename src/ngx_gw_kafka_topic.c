
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_kafka_topic.h"

#include <librdkafka/rdkafka.h>


#define NGX_GW_KAFKA_TOPIC_TIMEOUT  10000    /* ms */


static void ngx_gw_kafka_topic_read(rd_kafka_event_t *event,
    const char *topic, ngx_log_t *log);
static void ngx_gw_kafka_topic_entry(const rd_kafka_ConfigEntry_t *entry,
    const char *topic, ngx_log_t *log);


void
ngx_gw_kafka_topic_ask(ngx_gw_kafka_topic_t *t,
    const ngx_gw_kafka_producer_t *p, const char *topic)
{
    char                        why[128];
    rd_kafka_AdminOptions_t    *options;
    rd_kafka_ConfigResource_t  *resource;

    if (t->asked) {
        return;
    }

    t->asked = 1;

    options = rd_kafka_AdminOptions_new(p->rk,
                                        RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);

    if (options && resource) {
        (void) rd_kafka_AdminOptions_set_request_timeout(options,
                                                  NGX_GW_KAFKA_TOPIC_TIMEOUT,
                                                  why, sizeof(why));

        t->queue = rd_kafka_queue_new(p->rk);

        rd_kafka_DescribeConfigs(p->rk, &resource, 1, options, t->queue);
    }

    if (options) {
        rd_kafka_AdminOptions_destroy(options);
    }

    if (resource) {
        rd_kafka_ConfigResource_destroy(resource);
    }
}


void
ngx_gw_kafka_topic_answer(ngx_gw_kafka_topic_t *t, const char *topic,
    ngx_log_t *log)
{
    rd_kafka_event_t  *event;

    if (t->queue == NULL) {
        return;
    }

    event = rd_kafka_queue_poll(t->queue, 0);

    if (event == NULL) {
        return;
    }

    ngx_gw_kafka_topic_read(event, topic, log);

    rd_kafka_event_destroy(event);

    rd_kafka_queue_destroy(t->queue);
    t->queue = NULL;
}


static void
ngx_gw_kafka_topic_read(rd_kafka_event_t *event, const char *topic,
    ngx_log_t *log)
{
    size_t                                     i, n;
    const rd_kafka_ConfigEntry_t             **entries;
    const rd_kafka_ConfigResource_t          **resources;
    const rd_kafka_DescribeConfigs_result_t   *result;

    result = rd_kafka_event_DescribeConfigs_result(event);

    if (rd_kafka_event_error(event) || result == NULL) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "gw kafka: topic \"%s\" not looked at: %s", topic,
                      rd_kafka_event_error_string(event));
        return;
    }

    resources = rd_kafka_DescribeConfigs_result_resources(result, &n);

    if (n == 0) {
        return;
    }

    /* not allowed to, for one: then there are no entries */

    entries = rd_kafka_ConfigResource_configs(resources[0], &n);

    for (i = 0; i < n; i++) {
        ngx_gw_kafka_topic_entry(entries[i], topic, log);
    }
}


static void
ngx_gw_kafka_topic_entry(const rd_kafka_ConfigEntry_t *entry,
    const char *topic, ngx_log_t *log)
{
    ngx_int_t    n;
    const char  *name, *value;

    name = rd_kafka_ConfigEntry_name(entry);
    value = rd_kafka_ConfigEntry_value(entry);

    if (value == NULL) {
        return;
    }

    if (ngx_strcmp(name, "min.insync.replicas") == 0) {
        n = ngx_atoi((u_char *) value, ngx_strlen(value));

        if (n == 0 || n == 1) {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "gw kafka: topic \"%s\" has min.insync.replicas %i: "
                          "acknowledged messages are lost with one broker, "
                          "it should be 2 at least", topic, n);
        }

        return;
    }

    if (ngx_strcmp(name, "cleanup.policy") == 0
        && ngx_strstr(value, "compact"))
    {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "gw kafka: topic \"%s\" has cleanup.policy \"%s\": Kafka "
                      "will remove all messages of a key but the last, "
                      "it should be \"delete\"", topic, value);
    }
}


void
ngx_gw_kafka_topic_forget(ngx_gw_kafka_topic_t *t)
{
    if (t->queue) {
        rd_kafka_queue_destroy(t->queue);
        t->queue = NULL;

        t->asked = 0;
    }
}
