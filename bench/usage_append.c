
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What a metered request costs in the pure parts: its slot in the table of
 * requests in flight, its event, its record in mapped memory of a tmpfs.
 * Once with all of it in the caches, once with other work between, which
 * takes them away, as a worker's requests do.
 *
 *     bench-usage_append [-b]
 *     bench-usage_append DIR NODE TOPIC EVENTS
 *
 * "-b" prints the medians of the latter only, in ns.  The second form measures
 * nothing: it leaves a journal of that many events in DIR, as a worker does
 * that was killed while Kafka was away.  The name of its generation is printed.
 */

/* links: src/gw_usage.c src/gw_usage_text.c src/gw_journal.c */
/* links: src/gw_inflight.c src/gw_crc32c.c */


#define _GNU_SOURCE

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "gw_inflight.h"
#include "gw_journal.h"
#include "gw_usage.h"


#define NOW         INT64_C(1793882096123)
#define GENERATION  UINT64_C(0x7f3a90c2d15e4b68)

#define SEGMENT     (4 * 1024 * 1024)
#define SEGMENTS    3
#define SLOTS       1024
#define OPEN        64                      /* requests at once */
#define CALLS       60000
#define OTHER       (1024 * 1024)           /* bytes of other work */


typedef enum {
    ENTER = 0,
    BUILD,
    APPEND,
    LEAVE,
    ALL,
    PARTS
} part_e;


static const char *const  names[] = {
    "enter the table", "build the event", "append it", "leave the table",
    "together"
};


static char           *segments[SEGMENTS];
static gw_inflight_t   table;
static double          took[PARTS][CALLS];
static double          clock_cost;
static char            other[OTHER];
static volatile char   sink;


static double clock_ns(void);
static void *tmpfs(size_t size);
static void prepare(void);
static void subject_of(uint64_t n, char *buf, gw_str_t *s);
static void record_of(uint64_t n, char *subject, gw_usage_record_t *rec);
static size_t build(uint64_t n, const gw_usage_record_t *rec, char *event,
    gw_journal_record_t *record);
static void work(void);
static void measure(int cold);
static int compare(const void *one, const void *two);
static void print(const char *what, int brief);
static void segment_write(int dir, uint32_t number, const char *data);
static void fill(const char *path, const char *node, const char *topic,
    uint64_t events);


int
main(int argc, char **argv)
{
    int  brief;

    if (argc == 5) {
        fill(argv[1], argv[2], argv[3], strtoull(argv[4], NULL, 10));
        return 0;
    }

    brief = (argc == 2 && strcmp(argv[1], "-b") == 0);

    prepare();

    if (!brief) {
        measure(0);
        print("in the caches", brief);
    }

    measure(1);
    print("with other work between", brief);

    return 0;
}


static double
clock_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1e9 + ts.tv_nsec;
}


static void *
tmpfs(size_t size)
{
    int    fd;
    void  *p;

    fd = memfd_create("bench", 0);

    if (fd == -1 || posix_fallocate(fd, 0, (off_t) size) != 0) {
        perror("memfd");
        exit(1);
    }

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED) {
        perror("mmap()");
        exit(1);
    }

    (void) close(fd);

    /* as a thread does with a segment before it is used */

    memset(p, 0, size);

    return p;
}


static void
prepare(void)
{
    size_t           i;
    static uint16_t  places[SLOTS];

    gw_str_t  node = gw_str("gateway-1");

    for (i = 0; i < SEGMENTS; i++) {
        segments[i] = tmpfs(SEGMENT);
    }

    gw_inflight_init(&table, tmpfs(gw_inflight_size(SLOTS)), SLOTS, places,
                     GENERATION, &node);

    clock_cost = 1e9;

    for (i = 0; i < 10000; i++) {
        double  start = clock_ns(), ns = clock_ns() - start;

        if (ns < clock_cost) {
            clock_cost = ns;
        }
    }
}


static void
subject_of(uint64_t n, char *buf, gw_str_t *s)
{
    s->len = (size_t) sprintf(buf, "partner:customer-%06u",
                              (unsigned) (n * 7919 % 100000));
    s->data = buf;
}


/* some 420 bytes, as those of a request with a token and an upstream */

static void
record_of(uint64_t n, char *subject, gw_usage_record_t *rec)
{
    static const gw_usage_record_t  common = {
        .generation = GENERATION,
        .source = gw_str("gateway-1"),
        .api = gw_str("orders"),
        .method = gw_str("GET"),
        .tier = gw_str("gold"),
        .request_id = gw_str("5f2b1c9d8e7a6b5c4d3e2f1a0b9c8d7e"),
        .units = 1,
        .status = 200
    };

    *rec = common;

    subject_of(n, subject, &rec->subject);

    rec->sequence = n;
    rec->time = NOW + (int64_t) (n / 50);
    rec->duration = n % 90;
    rec->upstream = (int64_t) (n % 80);
    rec->bytes_in = 300 + n % 400;
    rec->bytes_out = 700 + n % 9000;
}


static size_t
build(uint64_t n, const gw_usage_record_t *rec, char *event,
    gw_journal_record_t *record)
{
    memset(record, 0, sizeof(gw_journal_record_t));

    record->sequence = n;
    record->type = GW_JOURNAL_EVENT;
    record->event.data = event;
    record->event.len = gw_usage_write(event, rec);

    return gw_journal_size(record);
}


/* what a request does besides: it uses memory, so the caches are lost */

static void
work(void)
{
    size_t  i;
    char    sum;

    sum = 0;

    for (i = 0; i < OTHER; i += 64) {
        sum = (char) (sum + other[i]);
        other[i] = sum;
    }

    sink = sum;
}


static void
measure(int cold)
{
    char                   *segment, event[GW_USAGE_MAX_EVENT], subject[64];
    size_t                  at, size;
    double                  t0, t1, t2, t3, t4;
    unsigned                slot, open[OPEN];
    uint64_t                n;
    gw_usage_record_t       rec;
    gw_journal_record_t     record;
    gw_inflight_request_t   req;

    memset(open, 0, sizeof(open));

    at = SEGMENT;
    segment = NULL;

    for (n = 0; n < CALLS; n++) {

        if (at + GW_JOURNAL_MAX > SEGMENT) {
            segment = segments[n % SEGMENTS];
            memset(segment, 0, SEGMENT);
            at = GW_JOURNAL_HEADER;
        }

        record_of(n + 1, subject, &rec);

        req.sequence = n + 1;
        req.start = rec.time;
        req.request_id = rec.request_id;
        req.api = rec.api;
        req.subject = rec.subject;

        if (cold) {
            work();
        }

        t0 = clock_ns();

        slot = gw_inflight_enter(&table, &req);
        gw_inflight_last(&table, n + 1, 0);

        t1 = clock_ns();

        if (cold) {
            work();
        }

        t2 = clock_ns();

        (void) build(n + 1, &rec, event, &record);

        t3 = clock_ns();

        size = gw_journal_write(segment + at, &record);

        t4 = clock_ns();

        gw_inflight_leave(&table, open[n % OPEN]);

        took[LEAVE][n] = clock_ns() - t4 - clock_cost;
        took[ENTER][n] = t1 - t0 - clock_cost;
        took[BUILD][n] = t3 - t2 - clock_cost;
        took[APPEND][n] = t4 - t3 - clock_cost;
        took[ALL][n] = took[ENTER][n] + took[BUILD][n] + took[APPEND][n]
                       + took[LEAVE][n];

        open[n % OPEN] = slot;
        at += size;
    }

    for (n = 0; n < OPEN; n++) {
        gw_inflight_leave(&table, open[n]);
    }
}


static int
compare(const void *one, const void *two)
{
    double  a, b;

    a = *(const double *) one;
    b = *(const double *) two;

    return (a > b) - (a < b);
}


static void
print(const char *what, int brief)
{
    size_t  i;

    if (!brief) {
        printf("usage, %s\n", what);
    }

    for (i = 0; i < PARTS; i++) {
        qsort(took[i], CALLS, sizeof(double), compare);

        if (brief) {
            printf("%.0f%c", took[i][CALLS / 2], i == ALL ? '\n' : ' ');
            continue;
        }

        printf("  %-17s median %6.0f ns   p99 %6.0f ns   p99.9 %6.0f ns\n",
               names[i], took[i][CALLS / 2], took[i][CALLS / 100 * 99],
               took[i][CALLS / 1000 * 999]);
    }
}


static void
segment_write(int dir, uint32_t number, const char *data)
{
    int                fd;
    char               buf[GW_JOURNAL_NAME + 1];
    gw_journal_name_t  name;

    name.generation = GENERATION;
    name.number = number;
    name.kind = number ? GW_JOURNAL_SEGMENT : GW_JOURNAL_LOCK;

    (void) gw_journal_name(buf, &name);

    fd = openat(dir, buf, O_CREAT|O_EXCL|O_WRONLY, 0600);

    if (fd == -1
        || (data && write(fd, data, SEGMENT) != SEGMENT)
        || close(fd) == -1)
    {
        perror(buf);
        exit(1);
    }
}


static void
fill(const char *path, const char *node, const char *topic, uint64_t events)
{
    int                    dir;
    char                   event[GW_USAGE_MAX_EVENT], subject[64];
    char                  *data;
    size_t                 at;
    uint64_t               n;
    gw_usage_record_t      rec;
    gw_journal_record_t    record;
    gw_journal_segment_t   seg;

    memset(&seg, 0, sizeof(gw_journal_segment_t));

    seg.generation = GENERATION;
    seg.created = NOW;
    seg.node.len = strlen(node);
    seg.node.data = node;
    seg.topic.len = strlen(topic);
    seg.topic.data = topic;

    dir = open(path, O_RDONLY|O_DIRECTORY);
    data = aligned_alloc(GW_JOURNAL_ALIGN, SEGMENT);

    if (dir == -1 || data == NULL) {
        perror(path);
        exit(1);
    }

    segment_write(dir, 0, NULL);

    at = SEGMENT;

    for (n = 1; n <= events; n++) {
        record_of(n, subject, &rec);

        if (at + build(n, &rec, event, &record) > SEGMENT) {

            if (seg.number) {
                segment_write(dir, seg.number, data);
            }

            seg.number++;

            memset(data, 0, SEGMENT);
            gw_journal_header(data, &seg);
            at = GW_JOURNAL_HEADER;
        }

        at += gw_journal_write(data + at, &record);
    }

    segment_write(dir, seg.number, data);
    free(data);

    printf("%016llx\n", (unsigned long long) GENERATION);
}
