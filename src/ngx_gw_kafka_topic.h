
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A look at how the brokers keep the topic, with a warning in the log if
 * events might be lost there: if one replica is enough to acknowledge them,
 * or if the topic is compacted.
 *
 * ngx_gw_kafka_topic_ask() sends the question, the first time it is called;
 * ngx_gw_kafka_topic_answer() looks whether the answer is there.  Neither
 * blocks.  A broker that does not know the question, or does not allow it,
 * is passed over in silence.  ngx_gw_kafka_topic_forget() has to be called
 * before the producer is destroyed.
 */

#ifndef _NGX_GW_KAFKA_TOPIC_H_INCLUDED_
#define _NGX_GW_KAFKA_TOPIC_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_kafka_producer.h"


typedef struct {
    struct rd_kafka_queue_s  *queue;     /* of the answer, while it is due */
    unsigned                  asked:1;
} ngx_gw_kafka_topic_t;


GW_HIDDEN_BEGIN

void ngx_gw_kafka_topic_ask(ngx_gw_kafka_topic_t *t,
    const ngx_gw_kafka_producer_t *p, const char *topic);
void ngx_gw_kafka_topic_answer(ngx_gw_kafka_topic_t *t, const char *topic,
    ngx_log_t *log);
void ngx_gw_kafka_topic_forget(ngx_gw_kafka_topic_t *t);

GW_HIDDEN_END


#endif /* _NGX_GW_KAFKA_TOPIC_H_INCLUDED_ */
