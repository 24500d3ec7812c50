
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_kafka_conf.h"

#include <librdkafka/rdkafka.h>


typedef struct {
    const char  *name;
    const char  *value;
} ngx_gw_kafka_conf_property_t;


typedef struct {
    const char  *name;
    const char  *value;       /* as librdkafka writes it */
    const char  *text;
} ngx_gw_kafka_conf_required_t;


static void ngx_gw_kafka_conf_default(ngx_gw_kafka_conf_t *kcf,
    const char *name, const char *value, ngx_log_t *log);
static void ngx_gw_kafka_conf_cleanup(void *data);
static ngx_uint_t ngx_gw_kafka_conf_is_broker(u_char *p, u_char *last);
static const char *ngx_gw_kafka_conf_weakness(ngx_gw_kafka_conf_t *kcf);


static const ngx_gw_kafka_conf_property_t  ngx_gw_kafka_conf_defaults[] = {
    { "client.id", "nginx" },
    { "queue.buffering.max.messages", "20000" },
    { "queue.buffering.max.kbytes", "16384" },
    { "linger.ms", "100" },
    { "compression.codec", "lz4" },
    { "partitioner", "murmur2_random" },
    { "socket.keepalive.enable", "true" },
    { "socket.nagle.disable", "true" },
    { "log.queue", "true" },
#if (RD_KAFKA_VERSION >= 0x020500ff)
    { "enable.metrics.push", "false" },
#endif
    { NULL, NULL }
};


/*
 * What is promised depends on these, by whichever of its names a property is
 * set.  A limit of time or attempts would not even help: what fails is sent
 * again, by a producer that can't tell any more whether Kafka has it already.
 */

static const ngx_gw_kafka_conf_required_t  ngx_gw_kafka_conf_required[] = {

    { "enable.idempotence", "true",
      "must be \"true\": else Kafka may store messages twice" },

    { "acks", "-1",
      "must be \"all\": else acknowledged messages may be lost" },

    { "message.timeout.ms", "0",
      "must be 0: messages wait in the journal for as long as it takes" },

    { "retries", "2147483647",
      "can't be limited: messages are sent for as long as it takes" },

    { NULL, NULL, NULL }
};


/*
 * The producer relies on them.  Without gaps would mean that one message that
 * Kafka refuses ends each producer that is given it.
 */

static const ngx_gw_kafka_conf_property_t  ngx_gw_kafka_conf_reserved[] = {
    { "bootstrap.servers", "is the list of brokers, not a property" },
    { "metadata.broker.list", "is the list of brokers, not a property" },
    { "delivery.report.only.error", "can't be changed" },
    { "enable.gapless.guarantee", "is not supported" },
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
        ngx_gw_kafka_conf_default(kcf, ngx_gw_kafka_conf_defaults[i].name,
                                  ngx_gw_kafka_conf_defaults[i].value,
                                  cf->log);
    }

    for (i = 0; ngx_gw_kafka_conf_required[i].name; i++) {
        ngx_gw_kafka_conf_default(kcf, ngx_gw_kafka_conf_required[i].name,
                                  ngx_gw_kafka_conf_required[i].value,
                                  cf->log);
    }

    return kcf;
}


static void
ngx_gw_kafka_conf_default(ngx_gw_kafka_conf_t *kcf, const char *name,
    const char *value, ngx_log_t *log)
{
    if (rd_kafka_conf_set(kcf->conf, name, value, kcf->why, sizeof(kcf->why))
        != RD_KAFKA_CONF_OK)
    {
        /* a build of librdkafka without lz4, for one; no secret is set here */

        ngx_log_error(NGX_LOG_WARN, log, 0, "gw kafka: %s", kcf->why);
    }
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


/* it gets into names that people and other programs read */

const char *
ngx_gw_kafka_conf_cluster(ngx_gw_kafka_conf_t *kcf, ngx_str_t *cluster)
{
    ngx_uint_t  i;

    if (cluster->len == 0 || cluster->len > NGX_GW_KAFKA_CLUSTER) {
        return "the name of a cluster has 1 to 64 characters";
    }

    for (i = 0; i < cluster->len; i++) {
        if (cluster->data[i] < ' ' || cluster->data[i] > '~') {
            return "the name of a cluster is printable ASCII";
        }
    }

    kcf->cluster = *cluster;

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
        return ngx_gw_kafka_conf_weakness(kcf);

    case RD_KAFKA_CONF_UNKNOWN:
        return "there is no such property";

    default: /* RD_KAFKA_CONF_INVALID */

        /* of some messages the last character is a newline */

        kcf->why[strcspn(kcf->why, "\n")] = '\0';

        return ngx_gw_kafka_conf_is_private((char *) name->data)
               ? "the value is invalid" : kcf->why;
    }
}


/* has just been set, for before the others were as required */

static const char *
ngx_gw_kafka_conf_weakness(ngx_gw_kafka_conf_t *kcf)
{
    char        value[32];
    size_t      size;
    ngx_uint_t  i;

    for (i = 0; ngx_gw_kafka_conf_required[i].name; i++) {
        size = sizeof(value);

        if (rd_kafka_conf_get(kcf->conf, ngx_gw_kafka_conf_required[i].name,
                              value, &size)
            != RD_KAFKA_CONF_OK
            || ngx_strcmp(value, ngx_gw_kafka_conf_required[i].value) != 0)
        {
            return ngx_gw_kafka_conf_required[i].text;
        }
    }

    size = sizeof(value);

    if (rd_kafka_conf_get(kcf->conf, "message.max.bytes", value, &size)
        != RD_KAFKA_CONF_OK
        || ngx_atoi((u_char *) value, ngx_strlen(value)) < NGX_GW_KAFKA_MESSAGE)
    {
        return "must be 16384 at least, or events do not fit";
    }

    size = sizeof(value);

    if (rd_kafka_conf_get(kcf->conf, "queue.buffering.max.kbytes", value,
                          &size)
        != RD_KAFKA_CONF_OK
        || ngx_atoi((u_char *) value, ngx_strlen(value))
           < NGX_GW_KAFKA_MESSAGE / 1024)
    {
        return "must be 16 at least, or events do not fit";
    }

    return NULL;
}


/* librdkafka quotes values that it refuses, and some if debug is set */

ngx_uint_t
ngx_gw_kafka_conf_is_private(const char *text)
{
    return ngx_strstr(text, "password")
           || ngx_strstr(text, "secret")
           || ngx_strstr(text, "username")
           || ngx_strstr(text, "key")
           || ngx_strstr(text, "pem")
           || ngx_strstr(text, "oauthbearer")
           || ngx_strstr(text, "jaas");
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
