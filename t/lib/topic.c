
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Makes a topic, or changes one that is there:
 *
 *     topic BROKERS create TOPIC PARTITIONS [NAME=VALUE ...]
 *     topic BROKERS change TOPIC [NAME=VALUE ...]
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>


#define TIMEOUT  60000    /* ms */


static void create(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv);
static void change(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv);
static char *value(char *pair);
static int failed(rd_kafka_event_t *event);


int
main(int argc, char **argv)
{
    int                err;
    char               why[512];
    rd_kafka_t        *rk;
    rd_kafka_conf_t   *conf;
    rd_kafka_queue_t  *queue;

    if (argc < 4 || (strcmp(argv[2], "create") == 0 && argc < 5)) {
        fprintf(stderr, "usage: topic BROKERS create|change TOPIC ...\n");
        return 2;
    }

    conf = rd_kafka_conf_new();

    if (rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], why,
                          sizeof(why)))
    {
        fprintf(stderr, "topic: %s\n", why);
        return 1;
    }

    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (rk == NULL) {
        fprintf(stderr, "topic: %s\n", why);
        return 1;
    }

    queue = rd_kafka_queue_new(rk);

    if (strcmp(argv[2], "create") == 0) {
        create(rk, queue, argv + 3);

    } else {
        change(rk, queue, argv + 3);
    }

    err = failed(rd_kafka_queue_poll(queue, TIMEOUT));

    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(rk);

    return err;
}


static void
create(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
    char                  why[512];
    rd_kafka_NewTopic_t  *topic;

    topic = rd_kafka_NewTopic_new(argv[0], atoi(argv[1]), 1, why,
                                  sizeof(why));
    if (topic == NULL) {
        fprintf(stderr, "topic: %s\n", why);
        exit(1);
    }

    for (argv += 2; *argv; argv++) {
        char  *v = value(*argv);

        rd_kafka_NewTopic_set_config(topic, *argv, v);
    }

    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    rd_kafka_NewTopic_destroy(topic);
}


static void
change(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
    rd_kafka_ConfigResource_t  *topic;

    topic = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, argv[0]);

    for (argv++; *argv; argv++) {
        char  *v = value(*argv);

        rd_kafka_ConfigResource_set_config(topic, *argv, v);
    }

    rd_kafka_AlterConfigs(rk, &topic, 1, NULL, queue);
    rd_kafka_ConfigResource_destroy(topic);
}


static char *
value(char *pair)
{
    char  *p;

    p = strchr(pair, '=');

    if (p == NULL) {
        fprintf(stderr, "topic: \"%s\" is not NAME=VALUE\n", pair);
        exit(2);
    }

    *p = '\0';

    return p + 1;
}


static int
failed(rd_kafka_event_t *event)
{
    size_t                             n;
    const char                        *why;
    const rd_kafka_topic_result_t    **topics;
    const rd_kafka_ConfigResource_t  **resources;

    if (event == NULL) {
        fprintf(stderr, "topic: no answer\n");
        return 1;
    }

    why = rd_kafka_event_error(event) ? rd_kafka_event_error_string(event)
                                      : NULL;

    if (why == NULL
        && rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT)
    {
        topics = rd_kafka_CreateTopics_result_topics(
                     rd_kafka_event_CreateTopics_result(event), &n);

        if (rd_kafka_topic_result_error(topics[0])) {
            why = rd_kafka_topic_result_error_string(topics[0]);
        }

    } else if (why == NULL) {
        resources = rd_kafka_AlterConfigs_result_resources(
                        rd_kafka_event_AlterConfigs_result(event), &n);

        if (rd_kafka_ConfigResource_error(resources[0])) {
            why = rd_kafka_ConfigResource_error_string(resources[0]);
        }
    }

    if (why) {
        fprintf(stderr, "topic: %s\n", why);
    }

    rd_kafka_event_destroy(event);

    return why != NULL;
}
