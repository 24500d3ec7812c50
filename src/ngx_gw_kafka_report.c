
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_kafka_core.h"
#include "ngx_gw_kafka_error.h"

#include <librdkafka/rdkafka.h>


static void ngx_gw_kafka_report_delivered(ngx_gw_kafka_t *k);
static ngx_gw_kafka_result_e ngx_gw_kafka_report_failed(ngx_gw_kafka_t *k,
    rd_kafka_resp_err_t err);
static void ngx_gw_kafka_report_separate(ngx_gw_kafka_t *k,
    rd_kafka_resp_err_t err);


void
ngx_gw_kafka_report_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message,
    void *data)
{
    ngx_gw_kafka_t  *k = data;

    ngx_gw_kafka_result_e  result;

    if (k->broken) {
        return;
    }

    if (--k->budget <= 0 && !k->flushing) {
        rd_kafka_yield(rk);
    }

    result = NGX_GW_KAFKA_DELIVERED;

    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ngx_gw_kafka_report_delivered(k);

    } else {
        if (ngx_gw_kafka_error_in_message(message->err) && !k->alone
            && !k->flushing)
        {
            ngx_gw_kafka_report_separate(k, message->err);
            return;
        }

        result = ngx_gw_kafka_report_failed(k, message->err);
    }

    k->flying--;
    k->handlers.report(k->handlers.data, (uintptr_t) message->_private,
                       result);
}


static void
ngx_gw_kafka_report_delivered(ngx_gw_kafka_t *k)
{
    ngx_uint_t  n;

    if (k->failing) {
        k->failing = 0;

        if (ngx_gw_log_pass(&k->log_recovered, &n)) {
            ngx_log_error(NGX_LOG_NOTICE, k->log, 0,
                          "gw kafka: messages are delivered again");
        }
    }

    if (!k->topic.asked && !k->flushing) {
        ngx_gw_kafka_topic_ask(&k->topic, &k->current, k->conf->topic);
    }
}


static ngx_gw_kafka_result_e
ngx_gw_kafka_report_failed(ngx_gw_kafka_t *k, rd_kafka_resp_err_t err)
{
    ngx_uint_t  n;

    if (k->alone && ngx_gw_kafka_error_in_message(err)) {

        if (ngx_gw_log_pass(&k->log_refused, &n)) {
            ngx_log_error(NGX_LOG_ERR, k->log, 0,
                          "gw kafka: message refused for ever: %s, %ui more",
                          rd_kafka_err2str(err), n);
        }

        return NGX_GW_KAFKA_REFUSED;
    }

    k->failing = 1;
    ngx_gw_kafka_pause(k);

    if (ngx_gw_log_pass(&k->log_failed, &n)) {
        ngx_log_error(NGX_LOG_ERR, k->log, 0,
                      "gw kafka: message not delivered: %s, %ui more",
                      rd_kafka_err2str(err), n);
    }

    return NGX_GW_KAFKA_FAILED;
}


static void
ngx_gw_kafka_report_separate(ngx_gw_kafka_t *k, rd_kafka_resp_err_t err)
{
    ngx_log_error(NGX_LOG_ERR, k->log, 0,
                  "gw kafka: batch refused: %s; for %M ms each message has a "
                  "batch of its own; batch.size should be less than the "
                  "topic's max.message.bytes", rd_kafka_err2str(err), k->term);

    k->alone = 1;
    k->since = ngx_current_msec;
    k->broken = 1;

    rd_kafka_yield(k->current.rk);
}


void
ngx_gw_kafka_report_error(rd_kafka_t *rk, int err, const char *reason,
    void *data)
{
    ngx_gw_kafka_t  *k = data;

    ngx_uint_t  n;

    k->failing = 1;

    if (ngx_strstr(reason, "oauthbearer.config")) {

        /* its value is quoted there, which may be a secret */

        reason = "the value of sasl.oauthbearer.config is refused";
    }

    if (err == RD_KAFKA_RESP_ERR__FATAL) {

        /* delivery reports behind this one belong to the next producer */

        k->broken = 1;
        rd_kafka_yield(rk);

        /* before 2.3.0 a broker's restart may be enough for this */

        if (ngx_gw_log_pass(&k->log_fatal, &n)) {
            ngx_log_error(NGX_LOG_ERR, k->log, 0,
                          "gw kafka: producer has to be replaced: %s, "
                          "librdkafka %s, %ui more",
                          reason, rd_kafka_version_str(), n);
        }

        return;
    }

    if (ngx_gw_log_pass(&k->log_error, &n)) {
        ngx_log_error(NGX_LOG_ERR, k->log, 0, "gw kafka: %s, %ui more",
                      reason, n);
    }
}


void
ngx_gw_kafka_report_log(const rd_kafka_t *rk, int level, const char *facility,
    const char *text)
{
    ngx_uint_t       n, severity;
    ngx_gw_kafka_t  *k;

    k = rd_kafka_opaque(rk);

    if (level > 6) {

        /*
         * The user asked for it by the property "debug".  It shows all the
         * others, and hides most secrets, but not the one of OAuth.
         */

        if (ngx_strcmp(facility, "CONF") == 0
            && ngx_gw_kafka_conf_is_private(text))
        {
            return;
        }

        ngx_log_error(NGX_LOG_DEBUG, k->log, 0, "gw kafka: %s: %s",
                      facility, text);
        return;
    }

    /* both are reported to ngx_gw_kafka_report_error(), too */

    if (ngx_strcmp(facility, "FAIL") == 0
        || ngx_strcmp(facility, "FATAL") == 0
        || !ngx_gw_log_pass(&k->log_client, &n))
    {
        return;
    }

    if (level < 4) {
        severity = NGX_LOG_ERR;

    } else {
        severity = (level == 4) ? NGX_LOG_WARN : NGX_LOG_INFO;
    }

    ngx_log_error(severity, k->log, 0, "gw kafka: %s: %s, %ui more",
                  facility, text, n);
}
