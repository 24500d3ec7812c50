
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A Kafka cluster in one process, for tests of faults and for machines
 * without Java: librdkafka's mock brokers on ports of the loopback.
 *
 *     gw-kafka-mock [-b BROKERS] [-t TOPIC] [-p PARTITIONS]
 *
 * makes one broker and the topic gw.usage with one partition by default, and
 * prints the list of brokers, "127.0.0.1:PORT,...", on one line.  Then it
 * obeys lines on its standard input, each answered by "ok" or "error: WHY",
 * and quits when that ends.  Brokers have the numbers from 1, "all" is all
 * of them:
 *
 *     down ID                 drops connections and takes no new ones
 *     up ID                   takes connections again
 *     rtt ID MS               answers MS milliseconds late
 *     error REQUEST CODE...   the next requests of this kind fail, one with
 *                             each code; codes are Kafka's names, and
 *                             _TRANSPORT closes the connection
 *
 * A partition keeps its last 5 MB, or 100000 messages.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>


#define MAX_CODES    64
#define MAX_BROKERS  100


typedef struct {
    rd_kafka_mock_cluster_t  *cluster;
    int                       brokers;
} mock_t;


typedef struct {
    const char  *name;
    const char  *(*handler)(mock_t *mock);
} command_t;


static int parse(const char *text, long min, long max, long *n);
static const char *obey(mock_t *mock, char *line);
static const char *mock_down(mock_t *mock);
static const char *mock_up(mock_t *mock);
static const char *mock_rtt(mock_t *mock);
static const char *mock_error(mock_t *mock);
static const char *broker(mock_t *mock, int32_t *id);
static int find_code(const char *name, rd_kafka_resp_err_t *code);
static const char *answer(rd_kafka_resp_err_t err);


static const command_t  commands[] = {
    { "down", mock_down },
    { "up", mock_up },
    { "rtt", mock_rtt },
    { "error", mock_error },
};


/* the numbers that Kafka's protocol gives to what a client may send */

static const struct {
    const char  *name;
    int16_t      key;
} requests[] = {
    { "Produce", 0 },
    { "Fetch", 1 },
    { "ListOffsets", 2 },
    { "Metadata", 3 },
    { "OffsetCommit", 8 },
    { "OffsetFetch", 9 },
    { "FindCoordinator", 10 },
    { "JoinGroup", 11 },
    { "Heartbeat", 12 },
    { "SyncGroup", 14 },
    { "ApiVersion", 18 },
    { "InitProducerId", 22 },
};


int
main(int argc, char **argv)
{
    int                   opt;
    char                  why[512], line[4096];
    long                  brokers = 1, partitions = 1;
    mock_t                mock;
    const char           *topic = "gw.usage", *error;
    rd_kafka_t           *rk;
    rd_kafka_conf_t      *conf;
    rd_kafka_resp_err_t   err;

    while ((opt = getopt(argc, argv, "b:t:p:")) != -1) {

        if ((opt == 'b' && parse(optarg, 1, MAX_BROKERS, &brokers))
            || (opt == 'p' && parse(optarg, 1, 1000, &partitions)))
        {
            continue;
        }

        if (opt != 't') {
            fprintf(stderr, "usage: %s [-b BROKERS] [-t TOPIC]"
                    " [-p PARTITIONS]\n", argv[0]);
            return 2;
        }

        topic = optarg;
    }

    /* a client that only carries the brokers, and would complain of that */

    conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "3", NULL, 0);

    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
    if (rk == NULL) {
        fprintf(stderr, "%s: %s\n", argv[0], why);
        return 1;
    }

    mock.brokers = (int) brokers;
    mock.cluster = rd_kafka_mock_cluster_new(rk, mock.brokers);

    if (mock.cluster == NULL) {
        fprintf(stderr, "%s: no mock cluster\n", argv[0]);
        return 1;
    }

    err = rd_kafka_mock_topic_create(mock.cluster, topic, (int) partitions,
                                     brokers < 3 ? (int) brokers : 3);
    if (err) {
        fprintf(stderr, "%s: topic \"%s\": %s\n", argv[0], topic,
                rd_kafka_err2str(err));
        return 1;
    }

    setvbuf(stdout, NULL, _IOLBF, 0);

    puts(rd_kafka_mock_cluster_bootstraps(mock.cluster));

    while (fgets(line, sizeof(line), stdin)) {
        error = obey(&mock, line);

        if (error) {
            printf("error: %s\n", error);

        } else {
            puts("ok");
        }
    }

    rd_kafka_mock_cluster_destroy(mock.cluster);
    rd_kafka_destroy(rk);

    return 0;
}


static int
parse(const char *text, long min, long max, long *n)
{
    char  *end;

    errno = 0;
    *n = strtol(text, &end, 10);

    return end != text && *end == '\0' && errno == 0 && *n >= min && *n <= max;
}


/* NULL, or what is wrong; the commands go on with strtok(NULL) */

static const char *
obey(mock_t *mock, char *line)
{
    char    *name;
    size_t   i;

    name = strtok(line, " \t\r\n");

    if (name == NULL) {
        return "no command";
    }

    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            return commands[i].handler(mock);
        }
    }

    return "unknown command";
}


static const char *
mock_down(mock_t *mock)
{
    int32_t      id;
    const char  *error;

    error = broker(mock, &id);
    if (error) {
        return error;
    }

    return answer(rd_kafka_mock_broker_set_down(mock->cluster, id));
}


static const char *
mock_up(mock_t *mock)
{
    int32_t      id;
    const char  *error;

    error = broker(mock, &id);
    if (error) {
        return error;
    }

    return answer(rd_kafka_mock_broker_set_up(mock->cluster, id));
}


static const char *
mock_rtt(mock_t *mock)
{
    char        *text;
    long         ms;
    int32_t      id;
    const char  *error;

    error = broker(mock, &id);
    if (error) {
        return error;
    }

    text = strtok(NULL, " \t\r\n");

    if (text == NULL || !parse(text, 0, 3600000, &ms)) {
        return "milliseconds from 0 to 3600000 expected";
    }

    return answer(rd_kafka_mock_broker_set_rtt(mock->cluster, id, (int) ms));
}


static const char *
mock_error(mock_t *mock)
{
    char                 *text;
    size_t                i, n;
    rd_kafka_resp_err_t   codes[MAX_CODES];

    text = strtok(NULL, " \t\r\n");

    if (text == NULL) {
        return "request expected";
    }

    for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        if (strcmp(text, requests[i].name) == 0) {
            break;
        }
    }

    if (i == sizeof(requests) / sizeof(requests[0])) {
        return "unknown request";
    }

    n = 0;

    while ((text = strtok(NULL, " \t\r\n")) != NULL) {

        if (n == MAX_CODES) {
            return "too many codes";
        }

        if (!find_code(text, &codes[n])) {
            return "unknown code";
        }

        n++;
    }

    if (n == 0) {
        return "codes expected";
    }

    rd_kafka_mock_push_request_errors_array(mock->cluster, requests[i].key, n,
                                            codes);
    return NULL;
}


static const char *
broker(mock_t *mock, int32_t *id)
{
    char  *text;
    long   n;

    text = strtok(NULL, " \t\r\n");

    if (text == NULL) {
        return "broker expected";
    }

    if (strcmp(text, "all") == 0) {
        *id = -1;
        return NULL;
    }

    if (!parse(text, 1, mock->brokers, &n)) {
        return "unknown broker";
    }

    *id = (int32_t) n;

    return NULL;
}


static int
find_code(const char *name, rd_kafka_resp_err_t *code)
{
    size_t                           i, n;
    const struct rd_kafka_err_desc  *descs;

    rd_kafka_get_err_descs(&descs, &n);

    for (i = 0; i < n; i++) {
        if (descs[i].name && strcmp(descs[i].name, name) == 0) {
            *code = descs[i].code;
            return 1;
        }
    }

    return 0;
}


static const char *
answer(rd_kafka_resp_err_t err)
{
    return err ? rd_kafka_err2str(err) : NULL;
}
