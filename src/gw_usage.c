
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_usage.h"
#include "gw_usage_text.h"


/* the most of an event but for its strings and fields, numbers included */

#define GW_USAGE_FIXED  440

/* of a field but for its name and value, and of the end of an event */

#define GW_USAGE_COMMA  4
#define GW_USAGE_END    2

#define GW_USAGE_NULL   4


#define gw_usage_literal(p, text)                                             \
    gw_usage_copy(p, text, sizeof(text) - 1)


_Static_assert(GW_USAGE_FIXED
               + sizeof(",\"subject\":") - 1 + 6 * 2        /* quotes */
               + GW_USAGE_TEXT_ESCAPED * (GW_USAGE_MAX_SOURCE
                                          + GW_USAGE_MAX_SUBJECT
                                          + GW_USAGE_MAX_API
                                          + GW_USAGE_MAX_TIER
                                          + GW_USAGE_MAX_METHOD
                                          + GW_USAGE_MAX_REQUEST_ID)
               <= GW_USAGE_MAX_EVENT, "the largest event has to fit");


_Static_assert(GW_USAGE_TEXT_HEX == GW_USAGE_GENERATION_LEN,
               "a generation in hex");


static char *gw_usage_data(char *p, const gw_usage_record_t *rec);
static char *gw_usage_fields(char *p, const char *last,
    const gw_usage_record_t *rec);
static int gw_usage_fits(const gw_str_t *s, size_t len);
static size_t gw_usage_room_value(const gw_str_t *s, size_t max);
static char *gw_usage_begin(char *p, uint64_t generation, uint64_t sequence,
    const gw_str_t *source);
static char *gw_usage_source(char *p, const gw_str_t *s);
static char *gw_usage_subject(char *p, const gw_str_t *s);
static char *gw_usage_time(char *p, int64_t ms);
static char *gw_usage_value(char *p, const gw_str_t *s, size_t max);
static inline char *gw_usage_copy(char *p, const char *text, size_t len);


static const gw_str_t  gw_usage_members[] = {
    gw_str("api"),
    gw_str("method"),
    gw_str("status"),
    gw_str("tier"),
    gw_str("units"),
    gw_str("bytes_in"),
    gw_str("bytes_out"),
    gw_str("duration_ms"),
    gw_str("upstream_ms"),
    gw_str("limited"),
    gw_str("degraded"),
    gw_str("request_id"),
};


/* by gw_usage_state_e */

static const gw_str_t  gw_usage_states[] = {
    gw_str("open"),
    gw_str("running"),
    gw_str("closed"),
    gw_str("adopted"),
    gw_str("recovered"),
};


size_t
gw_usage_write(char *buf, const gw_usage_record_t *rec)
{
    char  *p;

    p = gw_usage_begin(buf, rec->generation, rec->sequence, &rec->source);

    if (rec->interim) {
        p = gw_usage_literal(p, ",\"type\":\"gw.usage.interim.v1\"");

    } else {
        p = gw_usage_literal(p, ",\"type\":\"gw.usage.v1\"");
    }

    p = gw_usage_subject(p, &rec->subject);
    p = gw_usage_time(p, rec->time);
    p = gw_usage_data(p, rec);
    p = gw_usage_fields(p, buf + GW_USAGE_MAX_EVENT - GW_USAGE_END, rec);
    p = gw_usage_literal(p, "}}");

    return (size_t) (p - buf);
}


static char *
gw_usage_data(char *p, const gw_usage_record_t *rec)
{
    p = gw_usage_literal(p, "\"api\":");
    p = gw_usage_value(p, &rec->api, GW_USAGE_MAX_API);

    p = gw_usage_literal(p, ",\"method\":");
    p = gw_usage_value(p, &rec->method, GW_USAGE_MAX_METHOD);

    p = gw_usage_literal(p, ",\"status\":");
    p = gw_usage_text_number(p, rec->status);

    p = gw_usage_literal(p, ",\"tier\":");
    p = gw_usage_value(p, &rec->tier, GW_USAGE_MAX_TIER);

    p = gw_usage_literal(p, ",\"units\":");
    p = gw_usage_text_number(p, rec->units);

    p = gw_usage_literal(p, ",\"bytes_in\":");
    p = gw_usage_text_number(p, rec->bytes_in);

    p = gw_usage_literal(p, ",\"bytes_out\":");
    p = gw_usage_text_number(p, rec->bytes_out);

    p = gw_usage_literal(p, ",\"duration_ms\":");
    p = gw_usage_text_number(p, rec->duration);

    p = gw_usage_literal(p, ",\"upstream_ms\":");

    if (rec->upstream < 0) {
        p = gw_usage_literal(p, "null");

    } else {
        p = gw_usage_text_number(p, (uint64_t) rec->upstream);
    }

    p = gw_usage_literal(p, ",\"limited\":");
    p = rec->limited ? gw_usage_literal(p, "true")
                     : gw_usage_literal(p, "false");

    p = gw_usage_literal(p, ",\"degraded\":");
    p = rec->degraded ? gw_usage_literal(p, "true")
                      : gw_usage_literal(p, "false");

    p = gw_usage_literal(p, ",\"request_id\":");
    p = gw_usage_value(p, &rec->request_id, GW_USAGE_MAX_REQUEST_ID);

    return p;
}


static char *
gw_usage_fields(char *p, const char *last, const gw_usage_record_t *rec)
{
    size_t                   i, left;
    const gw_usage_field_t  *f;

    for (i = 0; i < rec->nfields; i++) {
        f = &rec->fields[i];

        left = (size_t) (last - p);

        if (left < GW_USAGE_COMMA + GW_USAGE_NULL
            || left - (GW_USAGE_COMMA + GW_USAGE_NULL) < f->name.len)
        {
            continue;
        }

        left -= GW_USAGE_COMMA + f->name.len;

        p = gw_usage_literal(p, ",\"");
        p = gw_usage_copy(p, f->name.data, f->name.len);
        p = gw_usage_literal(p, "\":");

        if (gw_usage_fits(&f->value, left)) {
            p = gw_usage_value(p, &f->value, GW_USAGE_MAX_FIELD);

        } else {
            p = gw_usage_literal(p, "null");
        }
    }

    return p;
}


static int
gw_usage_fits(const gw_str_t *s, size_t len)
{
    if (s->len > GW_USAGE_MAX_FIELD) {
        return 0;
    }

    return 2 + GW_USAGE_TEXT_ESCAPED * s->len <= len
           || gw_usage_text_length(s->data, s->len) <= len;
}


size_t
gw_usage_room(const gw_usage_record_t *rec)
{
    size_t  i, room;

    room = GW_USAGE_FIXED;

    room += gw_usage_text_length(rec->source.data,
                                 rec->source.len < GW_USAGE_MAX_SOURCE
                                 ? rec->source.len : GW_USAGE_MAX_SOURCE);

    if (rec->subject.len && rec->subject.len <= GW_USAGE_MAX_SUBJECT) {
        room += sizeof(",\"subject\":") - 1
                + gw_usage_text_length(rec->subject.data, rec->subject.len);
    }

    room += gw_usage_room_value(&rec->api, GW_USAGE_MAX_API)
            + gw_usage_room_value(&rec->method, GW_USAGE_MAX_METHOD)
            + gw_usage_room_value(&rec->tier, GW_USAGE_MAX_TIER)
            + gw_usage_room_value(&rec->request_id, GW_USAGE_MAX_REQUEST_ID);

    for (i = 0; i < rec->nfields; i++) {
        room += GW_USAGE_COMMA + rec->fields[i].name.len + GW_USAGE_NULL;
    }

    return room < GW_USAGE_MAX_EVENT ? room : GW_USAGE_MAX_EVENT;
}


static size_t
gw_usage_room_value(const gw_str_t *s, size_t max)
{
    if (s->len == 0 || s->len > max) {
        return GW_USAGE_NULL;
    }

    return gw_usage_text_length(s->data, s->len);
}


size_t
gw_usage_mark(char *buf, const gw_usage_mark_t *mark)
{
    char            *p;
    const gw_str_t  *state;

    state = &gw_usage_states[mark->state];

    p = gw_usage_literal(buf, "{\"specversion\":\"1.0\",\"id\":\"");
    p = gw_usage_text_hex(p, mark->generation);
    p = gw_usage_literal(p, "-m");
    p = gw_usage_text_number(p, mark->number);
    p = gw_usage_source(p, &mark->source);
    p = gw_usage_literal(p, ",\"type\":\"gw.usage.mark.v1\"");
    p = gw_usage_time(p, mark->time);

    p = gw_usage_literal(p, "\"state\":\"");
    p = gw_usage_copy(p, state->data, state->len);
    p = gw_usage_literal(p, "\",\"generation\":\"");
    p = gw_usage_text_hex(p, mark->generation);
    p = gw_usage_literal(p, "\",\"sequence\":");
    p = gw_usage_text_number(p, mark->sequence);
    p = gw_usage_literal(p, ",\"dropped\":");
    p = gw_usage_text_number(p, mark->dropped);
    p = gw_usage_literal(p, "}}");

    return (size_t) (p - buf);
}


size_t
gw_usage_unfinished(char *buf, const gw_usage_unfinished_t *un)
{
    char  *p;

    p = gw_usage_begin(buf, un->generation, un->sequence, &un->source);
    p = gw_usage_literal(p, ",\"type\":\"gw.usage.unfinished.v1\"");
    p = gw_usage_subject(p, &un->subject);
    p = gw_usage_time(p, un->start);

    p = gw_usage_literal(p, "\"api\":");
    p = gw_usage_value(p, &un->api, GW_USAGE_MAX_API);
    p = gw_usage_literal(p, ",\"units\":0,\"request_id\":");
    p = gw_usage_value(p, &un->request_id, GW_USAGE_MAX_REQUEST_ID);
    p = gw_usage_literal(p, ",\"start\":\"");
    p = gw_usage_text_time(p, un->start);
    p = gw_usage_literal(p, "\"}}");

    return (size_t) (p - buf);
}


/* the source follows the id */

static char *
gw_usage_begin(char *p, uint64_t generation, uint64_t sequence,
    const gw_str_t *source)
{
    p = gw_usage_literal(p, "{\"specversion\":\"1.0\",\"id\":\"");
    p += gw_usage_id(p, generation, sequence);

    return gw_usage_source(p, source);
}


static char *
gw_usage_source(char *p, const gw_str_t *s)
{
    p = gw_usage_literal(p, "\",\"source\":");

    return gw_usage_text_string(p, s->data,
                                s->len < GW_USAGE_MAX_SOURCE
                                ? s->len : GW_USAGE_MAX_SOURCE);
}


static char *
gw_usage_subject(char *p, const gw_str_t *s)
{
    if (s->len == 0 || s->len > GW_USAGE_MAX_SUBJECT) {
        return p;
    }

    p = gw_usage_literal(p, ",\"subject\":");

    return gw_usage_text_string(p, s->data, s->len);
}


/* and all up to the first member of data */

static char *
gw_usage_time(char *p, int64_t ms)
{
    p = gw_usage_literal(p, ",\"time\":\"");
    p = gw_usage_text_time(p, ms);

    return gw_usage_literal(p, "\",\"datacontenttype\":\"application/json\","
                               "\"data\":{");
}


static char *
gw_usage_value(char *p, const gw_str_t *s, size_t max)
{
    if (s->len == 0 || s->len > max) {
        return gw_usage_literal(p, "null");
    }

    return gw_usage_text_string(p, s->data, s->len);
}


static inline char *
gw_usage_copy(char *p, const char *text, size_t len)
{
    memcpy(p, text, len);

    return p + len;
}


size_t
gw_usage_id(char *buf, uint64_t generation, uint64_t sequence)
{
    char  *p;

    p = gw_usage_text_hex(buf, generation);
    *p++ = '-';
    p = gw_usage_text_number(p, sequence);

    return (size_t) (p - buf);
}


size_t
gw_usage_generation(char *buf, uint64_t generation)
{
    (void) gw_usage_text_hex(buf, generation);

    return GW_USAGE_GENERATION_LEN;
}


int
gw_usage_units(const gw_str_t *s, uint64_t *units)
{
    size_t    i;
    uint64_t  n;

    /* 16 digits can't overflow */

    if (s->len == 0 || s->len > 16) {
        return GW_ERROR;
    }

    n = 0;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] < '0' || s->data[i] > '9') {
            return GW_ERROR;
        }

        n = n * 10 + (uint64_t) (s->data[i] - '0');
    }

    if (n > GW_USAGE_MAX_UNITS) {
        return GW_ERROR;
    }

    *units = n;

    return GW_OK;
}


int
gw_usage_name(const gw_str_t *s)
{
    char    ch;
    size_t  i;

    if (s->len == 0 || s->len > GW_USAGE_MAX_NAME) {
        return GW_ERROR;
    }

    for (i = 0; i < s->len; i++) {
        ch = s->data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || ch == '_' || (i && ch >= '0' && ch <= '9'))
        {
            continue;
        }

        return GW_ERROR;
    }

    for (i = 0; i < sizeof(gw_usage_members) / sizeof(gw_str_t); i++) {

        if (s->len == gw_usage_members[i].len
            && memcmp(s->data, gw_usage_members[i].data, s->len) == 0)
        {
            return GW_ERROR;
        }
    }

    return GW_OK;
}
