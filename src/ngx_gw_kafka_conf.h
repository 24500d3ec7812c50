
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The configuration of a Kafka producer.
 *
 * It is made in the master, without threads or sockets, and freed with the
 * pool of "cf"; a worker only reads it.  The setters keep pointers into the
 * directive's arguments and return NULL, or what is wrong with the value;
 * secrets do not appear in that text.
 *
 * What would make Kafka lose or store twice what is sent can't be set: acks
 * other than all, no idempotence, a time limit, a number of retries.
 *
 * ngx_gw_kafka_conf_is_private() tells whether a property's name, or a line
 * with its name in it, is of one that has a secret as its value.
 *
 * "cluster" is a label of the user's, empty by default, of at most
 * NGX_GW_KAFKA_CLUSTER printable characters of ASCII.
 *
 * What can be known only from all the values together, as a key file that
 * is missing, is found by ngx_gw_kafka_conf_check(): it makes a producer
 * without brokers and destroys it.  For "nginx -t" only, for librdkafka's
 * threads are not to be mixed with forks.
 */

#ifndef _NGX_GW_KAFKA_CONF_H_INCLUDED_
#define _NGX_GW_KAFKA_CONF_H_INCLUDED_


#include "ngx_gw.h"


#define NGX_GW_KAFKA_CLUSTER  64
#define NGX_GW_KAFKA_MESSAGE  16384    /* bytes; all of these can be sent */


typedef struct {
    struct rd_kafka_conf_s  *conf;
    const char              *brokers;
    const char              *topic;
    ngx_str_t                cluster;
    const char              *content_type;    /* a header of each message */
    char                     why[512];
} ngx_gw_kafka_conf_t;


GW_HIDDEN_BEGIN

ngx_gw_kafka_conf_t *ngx_gw_kafka_conf_create(ngx_conf_t *cf,
    const char *content_type);
const char *ngx_gw_kafka_conf_brokers(ngx_gw_kafka_conf_t *kcf,
    ngx_str_t *brokers);
const char *ngx_gw_kafka_conf_topic(ngx_gw_kafka_conf_t *kcf,
    ngx_str_t *topic);
const char *ngx_gw_kafka_conf_cluster(ngx_gw_kafka_conf_t *kcf,
    ngx_str_t *cluster);
const char *ngx_gw_kafka_conf_set(ngx_gw_kafka_conf_t *kcf, ngx_str_t *name,
    ngx_str_t *value);
ngx_uint_t ngx_gw_kafka_conf_is_private(const char *text);
const char *ngx_gw_kafka_conf_check(ngx_gw_kafka_conf_t *kcf);

GW_HIDDEN_END


#endif /* _NGX_GW_KAFKA_CONF_H_INCLUDED_ */
