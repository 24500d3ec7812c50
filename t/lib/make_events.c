
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Prints usage events of all types, one per line, with strings that are as
 * hostile as they can be:
 *
 *     make_events SEED COUNT
 *
 * The source is what the configuration lets it be.  The first ones have all
 * strings at their limits, then one byte above.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw_usage.h"


#define TEXT    4096
#define FIELDS  GW_USAGE_MAX_FIELDS

/* the year 10000, which is not written any more */

#define TIME    UINT64_C(253402300800000)


static uint64_t draw(uint64_t n);
static uint64_t draw_number(uint64_t max);
static void draw_text(void);
static gw_str_t draw_string(size_t max, unsigned i);
static gw_str_t draw_source(void);
static void draw_fields(gw_usage_field_t *fields, unsigned i);
static size_t make_record(char *buf, unsigned i);
static size_t make_mark(char *buf);
static size_t make_unfinished(char *buf, unsigned i);


static char      text[TEXT];
static uint64_t  seed;


int
main(int argc, char **argv)
{
    char      *buf;
    size_t     len;
    unsigned   i, n;

    if (argc != 3) {
        fprintf(stderr, "usage: make_events SEED COUNT\n");
        return 1;
    }

    seed = strtoull(argv[1], NULL, 10);
    n = (unsigned) strtoul(argv[2], NULL, 10);

    buf = malloc(GW_USAGE_MAX_EVENT);
    assert(buf != NULL);

    for (i = 0; i < n; i++) {
        draw_text();

        switch (i % 8) {

        case 0:
            len = make_mark(buf);
            break;

        case 1:
            len = make_unfinished(buf, i);
            break;

        default:
            len = make_record(buf, i);
        }

        fwrite(buf, 1, len, stdout);
        putchar('\n');
    }

    free(buf);

    return fflush(stdout) ? 1 : 0;
}


static uint64_t
draw(uint64_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;

    return (seed >> 16) % n;
}


/* of any magnitude, the largest often */

static uint64_t
draw_number(uint64_t max)
{
    uint64_t  n;

    if (draw(8) == 0) {
        return max;
    }

    n = (draw(UINT64_C(1) << 32) << 32 | draw(UINT64_C(1) << 32))
        >> draw(64);

    return max == UINT64_MAX ? n : n % (max + 1);
}


static void
draw_text(void)
{
    size_t    i, n;
    unsigned  kind;

    static const char *const  bits[] = {
        "\"", "\\", "\\\\\"", "\r\n", "\x1b[31m", "\x7f", "{\"a\":1}",
        "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xef\xbb\xbf",
        "\xe2\x80\xa8", "\xef\xbf\xbf", "\xed\xa0\x80", "\xed\xb0\x80",
        "\xc0\xaf", "\xf4\x90\x80\x80", "\xff\xfe", "\x80", "\xe2\x82",
        "\xf0\x9f\x98", "plain", " ", "/orders/1?a=b&c=d",
    };

    kind = (unsigned) draw(4);

    for (i = 0; i < TEXT; i += n) {

        n = 1;
        text[i] = kind == 0 ? 'x' : (char) draw(kind == 1 ? 0x20 : 256);

        if (kind == 3) {
            const char  *bit = bits[draw(sizeof(bits) / sizeof(bits[0]))];

            n = strlen(bit) < TEXT - i ? strlen(bit) : TEXT - i;
            memcpy(text + i, bit, n);
        }
    }
}


static gw_str_t
draw_string(size_t max, unsigned i)
{
    gw_str_t  s;

    s.data = text + draw(TEXT - max - 1);

    if (i < 64) {
        s.len = max + (i >= 32);

    } else if (draw(3)) {
        s.len = draw(24);

    } else {
        s.len = draw(max + 2);
    }

    return s;
}


static gw_str_t
draw_source(void)
{
    static const gw_str_t  names[] = {
        gw_str("gw1"),
        gw_str("gw-eu-west-1a.example.com"),
        gw_str("urn:gateway:7"),
        gw_str("//gateways.example.com/eu/7"),
    };

    return names[draw(sizeof(names) / sizeof(names[0]))];
}


/* with names that are all different, and no member */

static void
draw_fields(gw_usage_field_t *fields, unsigned i)
{
    size_t  n;

    static char  names[FIELDS][GW_USAGE_MAX_NAME];

    for (n = 0; n < FIELDS; n++) {
        memset(names[n], '_', GW_USAGE_MAX_NAME);
        names[n][0] = (char) (n < 26 ? 'A' + n : 'a' + n - 26);

        fields[n].name.data = names[n];
        fields[n].name.len = 1 + draw(GW_USAGE_MAX_NAME);
        fields[n].value = draw_string(GW_USAGE_MAX_FIELD, i);

        assert(gw_usage_name(&fields[n].name) == GW_OK);
    }
}


static size_t
make_record(char *buf, unsigned i)
{
    size_t             len, room;
    gw_usage_field_t   fields[FIELDS];
    gw_usage_record_t  rec;

    memset(&rec, 0, sizeof(rec));

    rec.source = draw_source();
    rec.subject = draw_string(GW_USAGE_MAX_SUBJECT, i);
    rec.api = draw_string(GW_USAGE_MAX_API, i);
    rec.method = draw_string(GW_USAGE_MAX_METHOD, i);
    rec.tier = draw_string(GW_USAGE_MAX_TIER, i);
    rec.request_id = draw_string(GW_USAGE_MAX_REQUEST_ID, i);

    draw_fields(fields, i);

    rec.fields = fields;
    rec.nfields = i < 64 ? FIELDS : draw(2) ? draw(FIELDS + 1) : 0;

    room = gw_usage_room(&rec);
    assert(room <= GW_USAGE_MAX_EVENT);

    rec.generation = draw_number(UINT64_MAX);
    rec.sequence = 1 + draw_number(UINT64_MAX - 1);
    rec.time = (int64_t) (1000 + draw_number(TIME));
    rec.upstream = (int64_t) draw_number(INT64_MAX) - 1;
    rec.duration = draw_number(UINT64_MAX);
    rec.bytes_in = draw_number(UINT64_MAX);
    rec.bytes_out = draw_number(UINT64_MAX);
    rec.status = (unsigned) draw(1000);
    rec.limited = draw(2) & 1;
    rec.degraded = draw(2) & 1;
    rec.interim = draw(3) == 0;
    rec.units = rec.interim ? 0 : draw_number(GW_USAGE_MAX_UNITS);

    len = gw_usage_write(buf, &rec);
    assert(rec.nfields > 0 || len <= room);

    return len;
}


static size_t
make_mark(char *buf)
{
    gw_usage_mark_t  mark;

    mark.generation = draw_number(UINT64_MAX);
    mark.number = draw_number(UINT64_MAX);
    mark.source = draw_source();
    mark.time = (int64_t) draw_number(TIME);
    mark.state = (gw_usage_state_e) draw(GW_USAGE_RECOVERED + 1);
    mark.sequence = draw_number(UINT64_MAX);
    mark.dropped = draw_number(mark.sequence);

    return gw_usage_mark(buf, &mark);
}


static size_t
make_unfinished(char *buf, unsigned i)
{
    gw_usage_unfinished_t  un;

    un.generation = draw_number(UINT64_MAX);
    un.sequence = 1 + draw_number(UINT64_MAX - 1);
    un.source = draw_source();
    un.subject = draw_string(GW_USAGE_MAX_SUBJECT, i);
    un.api = draw_string(GW_USAGE_MAX_API, i);
    un.request_id = draw_string(GW_USAGE_MAX_REQUEST_ID, i);
    un.start = (int64_t) (1000 + draw_number(TIME));

    return gw_usage_unfinished(buf, &un);
}
