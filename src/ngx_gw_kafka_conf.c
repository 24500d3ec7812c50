
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_kafka_conf.h"

#include <librdkafka/rdkafka.h>


typedef struct {
    const char  *name;
    const char  *value;
} ngx_gw_kafka_conf_property_t;


static void ngx_gw_kafka_conf_cleanup(void *data);
static ngx_uint_t ngx_gw_kafka_conf_is_broker(u_char *p, u_char *last);
static ngx_uint_t ngx_gw_kafka_conf_is_secret(ngx_str_t *name);


static const ngx_gw_kafka_conf_property_t  ngx_gw_kafka_conf_defaults[] = {
    { "client.id", "nginx" },
    { "enable.idempotence", "true" },
    { "message.timeout.ms", "0" },
    { "queue.buffering.max.messages", "20000" },
    { "queue.buffering.max.kbytes", "16384" },
    { "linger.ms", "50" },
    { "compression.codec", "lz4" },
    { "partitioner", "murmur2_random" },
    { "socket.keepalive.enable", "true" },
    { "socket.nagle.disable", "true" },
    { "log.queue", "true" },
    { NULL, NULL }
};


/* the producer relies on them */

static const ngx_gw_kafka_conf_property_t  ngx_gw_kafka_conf_reserved[] = {
    { "bootstrap.servers", "is the list of brokers, not a property" },
    { "metadata.broker.list", "is the list of brokers, not a property" },
    { "delivery.report.only.error", "can't be changed" },
    { "enabled_events", "can't be changed" },
    { "log.queue", "can't be changed" },
    { "transactional.id", "is not supported" },
    { NULL, NULL }
};


ngx_gw_kafka_conf_t *
ngx_gw_kafka_conf_create(ngx_conf_t *cf, const char *content_type)
{
    ngx_uint_t            i;
    ngx_pool_cleanup_t   *cln;
    ngx_gw_kafka_conf_t  *kcf;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_gw_kafka_conf_t));
    if (cln == NULL) {
        return NULL;
    }

    kcf = cln->data;
    ngx_memzero(kcf, sizeof(ngx_gw_kafka_conf_t));

    kcf->content_type = content_type;
    kcf->conf = rd_kafka_conf_new();

    cln->handler = ngx_gw_kafka_conf_cleanup;

    for (i = 0; ngx_gw_kafka_conf_defaults[i].name; i++) {

        if (rd_kafka_conf_set(kcf->conf, ngx_gw_kafka_conf_defaults[i].name,
                              ngx_gw_kafka_conf_defaults[i].value,
                              kcf->why, sizeof(kcf->why))
            != RD_KAFKA_CONF_OK)
        {
            /* a build of librdkafka without lz4, for one */

            ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "gw kafka: %s", kcf->why);
        }
    }

    return kcf;
}


static void
ngx_gw_kafka_conf_cleanup(void *data)
{
    ngx_gw_kafka_conf_t  *kcf = data;

    rd_kafka_conf_destroy(kcf->conf);
}


const char *
ngx_gw_kafka_conf_brokers(ngx_gw_kafka_conf_t *kcf, ngx_str_t *brokers)
{
    u_char  *p, *end, *last;

    p = brokers->data;
    last = p + brokers->len;

    if (ngx_strstr(p, "://")) {
        return "a broker is HOST:PORT, the protocol is the property "
               "security.protocol";
    }

    for ( ;; ) {
        end = ngx_strlchr(p, last, ',');

        if (!ngx_gw_kafka_conf_is_broker(p, end ? end : last)) {
            return "HOST:PORT,... expected";
        }

        if (end == NULL) {
            break;
        }

        p = end + 1;
    }

    kcf->brokers = (char *) brokers->data;

    return NULL;
}


/* host, host:port, [IPv6]:port, or an IPv6 address alone */

static ngx_uint_t
ngx_gw_kafka_conf_is_broker(u_char *p, u_char *last)
{
    u_char     *colon, *ch;
    ngx_int_t   port;

    colon = NULL;

    for (ch = p; ch < last; ch++) {

        if (*ch <= ' ' || *ch == 0x7f) {
            return 0;
        }

        if (*ch == ':') {
            colon = ch;
        }
    }

    if (colon && colon > p && colon[-1] != ']' && ngx_strlchr(p, colon, ':')) {
        return 1;
    }

    if (colon) {
        port = ngx_atoi(colon + 1, last - colon - 1);

        return colon > p && port > 0 && port < 65536;
    }

    return p < last;
}


const char *
ngx_gw_kafka_conf_topic(ngx_gw_kafka_conf_t *kcf, ngx_str_t *topic)
{
    u_char      ch;
    ngx_uint_t  i;

    if (topic->len == 0 || topic->len > 249) {
        return "a topic has 1 to 249 characters";
    }

    for (i = 0; i < topic->len; i++) {
        ch = topic->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == '.' || ch == '_' || ch == '-'))
        {
            return "a topic consists of letters, digits and \"._-\"";
        }
    }

    if (ngx_strcmp(topic->data, ".") == 0 || ngx_strcmp(topic->data, "..") == 0)
    {
        return "this can't be a topic";
    }

    kcf->topic = (char *) topic->data;

    return NULL;
}


const char *
ngx_gw_kafka_conf_set(ngx_gw_kafka_conf_t *kcf, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_uint_t  i;

    for (i = 0; ngx_gw_kafka_conf_reserved[i].name; i++) {
        if (ngx_strcmp(name->data, ngx_gw_kafka_conf_reserved[i].name) == 0) {
            return ngx_gw_kafka_conf_reserved[i].value;
        }
    }

    switch (rd_kafka_conf_set(kcf->conf, (char *) name->data,
                              (char *) value->data,
                              kcf->why, sizeof(kcf->why)))
    {

    case RD_KAFKA_CONF_OK:
        return NULL;

    case RD_KAFKA_CONF_UNKNOWN:
        return "there is no such property";

    default: /* RD_KAFKA_CONF_INVALID */
        return ngx_gw_kafka_conf_is_secret(name) ? "the value is invalid"
                                            : kcf->why;
    }
}


/* librdkafka quotes values that it refuses */

static ngx_uint_t
ngx_gw_kafka_conf_is_secret(ngx_str_t *name)
{
    return ngx_strstr(name->data, "password")
           || ngx_strstr(name->data, "secret")
           || ngx_strstr(name->data, "username")
           || ngx_strstr(name->data, "key")
           || ngx_strstr(name->data, "pem")
           || ngx_strstr(name->data, "oauthbearer")
           || ngx_strstr(name->data, "jaas");
}


const char *
ngx_gw_kafka_conf_check(ngx_gw_kafka_conf_t *kcf)
{
    rd_kafka_t       *rk;
    rd_kafka_conf_t  *conf;

    conf = rd_kafka_conf_dup(kcf->conf);

    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, kcf->why, sizeof(kcf->why));

    if (rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return kcf->why;
    }

    rd_kafka_destroy(rk);

    return NULL;
}
