
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "journal.h"


#define TOOL_POLL        100                    /* ms */
#define TOOL_LINE        4096                   /* of a file of properties */
#define TOOL_COMPLAINTS  10                     /* of Kafka, on the screen */


typedef struct {
    const tool_options_t  *opt;
    rd_kafka_t            *rk;

    uint64_t               files;
    uint64_t               records;
    uint64_t               acked;
    uint64_t               failed;
    uint64_t               damaged;
    uint64_t               complaints;

    unsigned               fatal:1;
    unsigned               trouble:1;
} tool_replay_t;


typedef struct {
    const char            *name;
    const char            *value;
} tool_property_t;


static int tool_replay_start(tool_replay_t *rp);
static int tool_replay_properties(rd_kafka_conf_t *conf,
    const tool_options_t *opt);
static int tool_replay_file(rd_kafka_conf_t *conf, const char *path);
static int tool_replay_set(rd_kafka_conf_t *conf, const char *property);
static void tool_replay_generation(tool_replay_t *rp,
    const tool_journal_t *journal, const tool_generation_t *gen);
static unsigned tool_replay_allowed(const tool_replay_t *rp,
    const tool_generation_t *gen, gw_journal_kind_e kind, unsigned *skipped);
static void tool_replay_segment(tool_replay_t *rp,
    const tool_journal_t *journal, const tool_generation_t *gen,
    const tool_file_t *file);
static void tool_replay_records(tool_replay_t *rp, tool_reader_t *r,
    const tool_file_t *file, const char *topic);
static void tool_replay_produce(tool_replay_t *rp, uint64_t generation,
    const gw_journal_record_t *rec, const char *topic);
static void tool_replay_delivery(rd_kafka_t *rk,
    const rd_kafka_message_t *message, void *data);
static void tool_replay_error(rd_kafka_t *rk, int err, const char *reason,
    void *data);
static void tool_replay_complain(tool_replay_t *rp, const char *what,
    const char *reason);
static int tool_replay_finish(tool_replay_t *rp);


/* as the gateway's producer, so that keys go to the same partitions */

static const tool_property_t  tool_replay_defaults[] = {
    { "client.id", "gw-journal" },
    { "enable.idempotence", "true" },
    { "acks", "all" },
    { "linger.ms", "50" },
    { "compression.codec", "lz4" },
    { "partitioner", "murmur2_random" },
    { "socket.keepalive.enable", "true" },
    { NULL, NULL }
};


static const char *const  tool_replay_reserved[] = {
    "bootstrap.servers", "metadata.broker.list", "delivery.report.only.error",
    "enabled_events", "enable.idempotence", "acks", "request.required.acks",
    "transactional.id", NULL
};


int
tool_replay(tool_journal_t *journal, const tool_options_t *opt)
{
    size_t         i;
    tool_replay_t  rp;

    memset(&rp, 0, sizeof(tool_replay_t));

    rp.opt = opt;

    if (tool_replay_start(&rp) != 0) {
        return TOOL_TROUBLE;
    }

    for (i = 0; i < journal->n && !rp.fatal; i++) {
        if (tool_wanted(opt, &journal->generations[i])) {
            tool_replay_generation(&rp, journal, &journal->generations[i]);
        }
    }

    return tool_replay_finish(&rp);
}


static int
tool_replay_start(tool_replay_t *rp)
{
    char              why[512];
    rd_kafka_conf_t  *conf;

    conf = rd_kafka_conf_new();

    if (tool_replay_properties(conf, rp->opt) != 0) {
        rd_kafka_conf_destroy(conf);
        return TOOL_TROUBLE;
    }

    if (rp->opt->dry_run) {
        rd_kafka_conf_destroy(conf);
        return 0;
    }

    rd_kafka_conf_set_opaque(conf, rp);
    rd_kafka_conf_set_dr_msg_cb(conf, tool_replay_delivery);
    rd_kafka_conf_set_error_cb(conf, tool_replay_error);
    rd_kafka_conf_set_log_cb(conf, NULL);

    if (rd_kafka_conf_set(conf, "bootstrap.servers", rp->opt->brokers, why,
                          sizeof(why))
        != RD_KAFKA_CONF_OK)
    {
        tool_fail("%s", why);
        rd_kafka_conf_destroy(conf);
        return TOOL_TROUBLE;
    }

    rp->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));

    if (rp->rk == NULL) {
        tool_fail("no producer: %s", why);
        rd_kafka_conf_destroy(conf);
        return TOOL_TROUBLE;
    }

    return 0;
}


static int
tool_replay_properties(rd_kafka_conf_t *conf, const tool_options_t *opt)
{
    char    why[512];
    size_t  i;

    for (i = 0; tool_replay_defaults[i].name; i++) {

        if (rd_kafka_conf_set(conf, tool_replay_defaults[i].name,
                              tool_replay_defaults[i].value, why, sizeof(why))
            != RD_KAFKA_CONF_OK)
        {
            /* a build of librdkafka without lz4, for one */

            tool_fail("%s", why);
        }
    }

    if (opt->file && tool_replay_file(conf, opt->file) != 0) {
        return TOOL_TROUBLE;
    }

    for (i = 0; i < opt->nproperties; i++) {
        if (tool_replay_set(conf, opt->properties[i]) != 0) {
            return TOOL_TROUBLE;
        }
    }

    return 0;
}


/* empty lines and those with a "#" are left out */

static int
tool_replay_file(rd_kafka_conf_t *conf, const char *path)
{
    int     rc;
    char   *p, line[TOOL_LINE];
    FILE   *file;
    size_t  len;

    file = fopen(path, "r");

    if (file == NULL) {
        tool_fail("%s: %s", path, strerror(errno));
        return TOOL_TROUBLE;
    }

    rc = 0;

    while (rc == 0 && fgets(line, sizeof(line), file)) {

        len = strlen(line);

        if (len == sizeof(line) - 1 && line[len - 1] != '\n') {
            tool_fail("%s: a line is too long", path);
            rc = TOOL_TROUBLE;
            break;
        }

        while (len && isspace((unsigned char) line[len - 1])) {
            line[--len] = '\0';
        }

        for (p = line; isspace((unsigned char) *p); p++) { /* void */ }

        if (*p && *p != '#') {
            rc = tool_replay_set(conf, p);
        }
    }

    if (rc == 0 && ferror(file)) {
        tool_fail("%s: %s", path, strerror(errno));
        rc = TOOL_TROUBLE;
    }

    (void) fclose(file);

    return rc;
}


/* a value is not shown, it may be a password */

static int
tool_replay_set(rd_kafka_conf_t *conf, const char *property)
{
    int          n;
    char         name[256], why[512];
    size_t       i;
    const char  *value;

    value = strchr(property, '=');
    n = value ? (int) (value - property) : 0;

    if (n == 0 || n >= (int) sizeof(name)) {
        tool_fail("a property is NAME=VALUE");
        return TOOL_TROUBLE;
    }

    memcpy(name, property, (size_t) n);
    name[n] = '\0';

    for (i = 0; tool_replay_reserved[i]; i++) {
        if (strcmp(name, tool_replay_reserved[i]) == 0) {
            tool_fail("the property \"%s\" can't be changed", name);
            return TOOL_TROUBLE;
        }
    }

    switch (rd_kafka_conf_set(conf, name, value + 1, why, sizeof(why))) {

    case RD_KAFKA_CONF_OK:
        return 0;

    case RD_KAFKA_CONF_UNKNOWN:
        tool_fail("there is no property \"%s\"", name);
        return TOOL_TROUBLE;

    default: /* RD_KAFKA_CONF_INVALID */
        tool_fail("the value of the property \"%s\" is invalid", name);
        return TOOL_TROUBLE;
    }
}


static void
tool_replay_generation(tool_replay_t *rp, const tool_journal_t *journal,
    const tool_generation_t *gen)
{
    int                lock;
    size_t             i;
    unsigned           skipped;
    tool_generation_t  now;
    const tool_file_t *file;

    /* so that no worker takes it over meanwhile, which would send it twice */

    now = *gen;
    lock = tool_lock(journal, gen);

    if (lock == -2) {
        now.state = TOOL_ALIVE;
    }

    skipped = 0;

    for (i = 0; i < gen->n && !rp->fatal; i++) {

        file = &gen->files[i];

        if (tool_replay_allowed(rp, &now, file->name.kind, &skipped)) {
            tool_replay_segment(rp, journal, gen, file);
        }
    }

    if (skipped) {
        tool_fail("%016" PRIx64 ": %u files left out, its worker lives",
                  gen->generation, skipped);
    }

    if (lock >= 0) {
        (void) close(lock);
    }
}


static unsigned
tool_replay_allowed(const tool_replay_t *rp, const tool_generation_t *gen,
    gw_journal_kind_e kind, unsigned *skipped)
{
    if ((rp->opt->kinds & 1 << kind) == 0) {
        return 0;
    }

    if (gen->state != TOOL_ALIVE) {
        return 1;
    }

    /* the segments that a worker has will get to Kafka by themselves */

    if (kind == GW_JOURNAL_SEGMENT) {
        return 0;
    }

    if (kind == GW_JOURNAL_DEAD ? rp->opt->force_dead
                                : rp->opt->force_kept)
    {
        return 1;
    }

    (*skipped)++;

    return 0;
}


static void
tool_replay_segment(tool_replay_t *rp, const tool_journal_t *journal,
    const tool_generation_t *gen, const tool_file_t *file)
{
    int            rc;
    char           name[GW_JOURNAL_NAME + 1];
    const char    *topic;
    tool_reader_t  r;

    rc = tool_reader_open(&r, journal, file);

    if (rc != 0) {
        (void) gw_journal_name(name, &file->name);
        tool_fail("%s: %s", name, strerror(rc));

        /* what has vanished is done, or too old to be kept */

        rp->trouble |= rc != ENOENT;
        return;
    }

    topic = rp->opt->topic ? rp->opt->topic : gen->topic;

    if (r.state == TOOL_UNKNOWN) {
        tool_fail("%s: of a version that is not known, left out", r.name);
        rp->trouble = 1;

    } else if (!tool_in_time(rp->opt, &r)) {
        /* left out */

    } else if (*topic == '\0') {
        tool_fail("%s: the header is damaged, -t has to tell the topic",
                  r.name);
        rp->trouble = 1;

    } else {
        tool_replay_records(rp, &r, file, topic);
    }

    tool_reader_close(&r);
}


static void
tool_replay_records(tool_replay_t *rp, tool_reader_t *r,
    const tool_file_t *file, const char *topic)
{
    uint64_t     records;
    tool_item_e  what;
    tool_item_t  item;

    records = 0;

    do {
        what = tool_reader_next(r, &item);

        if (what == TOOL_RECORD) {

            if (file->name.kind == GW_JOURNAL_SEGMENT && !rp->opt->all
                && item.offset < r->acked)
            {
                continue;
            }

            records++;
            tool_replay_produce(rp, file->name.generation, &item.record,
                                topic);

        } else if (what == TOOL_DAMAGE || (what == TOOL_REST && item.begun)) {
            tool_fail("%s: skipped %" PRIu64 " bytes at %" PRIu64, r->name,
                      item.size, item.offset);
            rp->damaged++;
        }

    } while (what != TOOL_END && what != TOOL_FAILED && !rp->fatal);

    if (what == TOOL_FAILED) {
        tool_fail("%s: at %" PRIu64 ": %s", r->name, item.offset,
                  strerror(item.err));
        rp->trouble = 1;
    }

    if (records) {
        printf("%s: %" PRIu64 " records for topic %s\n", r->name, records,
               topic);
        rp->files++;
    }
}


static void
tool_replay_produce(tool_replay_t *rp, uint64_t generation,
    const gw_journal_record_t *rec, const char *topic)
{
    char                 text[17];
    gw_str_t             key;
    rd_kafka_resp_err_t  err;

    rp->records++;

    if (rp->opt->dry_run) {
        return;
    }

    key = rec->key;

    if (key.len == 0) {
        key.data = text;
        key.len = (size_t) snprintf(text, sizeof(text), "%016" PRIx64,
                                    generation);
    }

    for ( ;; ) {
        err = rd_kafka_producev(rp->rk,
                                RD_KAFKA_V_TOPIC(topic),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                                RD_KAFKA_V_KEY(key.data, key.len),
                                RD_KAFKA_V_VALUE((void *) rec->event.data,
                                                 rec->event.len),
                                RD_KAFKA_V_HEADER("content-type",
                                    "application/cloudevents+json;"
                                    " charset=UTF-8", -1),
                                RD_KAFKA_V_END);

        if (err != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            break;
        }

        (void) rd_kafka_poll(rp->rk, TOOL_POLL);

        if (rp->fatal) {
            return;
        }
    }

    if (err) {
        rp->failed++;
        rp->fatal |= err == RD_KAFKA_RESP_ERR__FATAL;
        tool_replay_complain(rp, "not sent", rd_kafka_err2str(err));
    }

    (void) rd_kafka_poll(rp->rk, 0);
}


static void
tool_replay_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message,
    void *data)
{
    tool_replay_t  *rp = data;

    (void) rk;

    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        rp->acked++;
        return;
    }

    rp->failed++;
    tool_replay_complain(rp, "not acknowledged",
                         rd_kafka_err2str(message->err));
}


static void
tool_replay_error(rd_kafka_t *rk, int err, const char *reason, void *data)
{
    char            why[512];
    tool_replay_t  *rp = data;

    if (err == RD_KAFKA_RESP_ERR__FATAL) {
        rp->fatal = 1;
        (void) rd_kafka_fatal_error(rk, why, sizeof(why));
        reason = why;
    }

    tool_replay_complain(rp, "Kafka", reason);
}


static void
tool_replay_complain(tool_replay_t *rp, const char *what, const char *reason)
{
    if (rp->complaints++ < TOOL_COMPLAINTS) {
        tool_fail("%s: %s%s", what, reason,
                  rp->complaints == TOOL_COMPLAINTS ? " (no more of this)"
                                                    : "");
    }
}


/* librdkafka gives each message up after message.timeout.ms */

static int
tool_replay_finish(tool_replay_t *rp)
{
    if (rp->opt->dry_run) {
        printf("%" PRIu64 " records of %" PRIu64 " files, %" PRIu64
               " damaged places; nothing was sent\n",
               rp->records, rp->files, rp->damaged);

        return rp->trouble ? TOOL_TROUBLE
                           : rp->damaged ? TOOL_FOUND : TOOL_OK;
    }

    while (!rp->fatal && rd_kafka_outq_len(rp->rk) > 0) {
        (void) rd_kafka_flush(rp->rk, TOOL_POLL);
    }

    if (rp->fatal) {
        (void) rd_kafka_purge(rp->rk, RD_KAFKA_PURGE_F_QUEUE
                                      |RD_KAFKA_PURGE_F_INFLIGHT);
        (void) rd_kafka_flush(rp->rk, 1000);
    }

    printf("%" PRIu64 " records of %" PRIu64 " files, %" PRIu64
           " acknowledged, %" PRIu64 " not, %" PRIu64 " damaged places\n",
           rp->records, rp->files, rp->acked, rp->records - rp->acked,
           rp->damaged);

    rd_kafka_destroy(rp->rk);

    if (rp->trouble) {
        return TOOL_TROUBLE;
    }

    return (rp->damaged || rp->acked != rp->records) ? TOOL_FOUND : TOOL_OK;
}
