
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Any bytes in the strings of a record give JSON in UTF-8, within the room
 * that was asked for, and the numbers come back as they were.
 */

/* links: src/gw_usage_text.c */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gw_usage.c"


#define FIELDS  4


static gw_str_t
take(const uint8_t **data, size_t *size)
{
    size_t    len;
    gw_str_t  s;

    len = 0;

    if (*size >= 2) {
        len = ((*data)[0] << 8 | (*data)[1]) % 1100;
        *data += 2;
        *size -= 2;
    }

    if (len > *size) {
        len = *size;
    }

    s.len = len;
    s.data = (const char *) *data;

    *data += len;
    *size -= len;

    return s;
}


static json_t *
parse(const char *event, size_t len)
{
    json_t        *value;
    json_error_t   error;

    value = json_loadb(event, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                       &error);
    assert(value != NULL);

    return value;
}


/* memory of exactly the room, for an event without fields; then with them */

static void
fuzz_record(gw_usage_record_t *rec, gw_usage_field_t *fields)
{
    char              *event;
    size_t             i, len, room;
    json_t            *value, *data, *field;
    gw_usage_field_t   empty[FIELDS];

    memcpy(empty, fields, sizeof(empty));

    for (i = 0; i < FIELDS; i++) {
        empty[i].value.len = 0;
    }

    rec->fields = empty;
    room = gw_usage_room(rec);
    assert(room <= GW_USAGE_MAX_EVENT);

    event = malloc(room);
    assert(event != NULL);

    len = gw_usage_write(event, rec);
    assert(len <= room);

    json_decref(parse(event, len));
    free(event);

    event = malloc(GW_USAGE_MAX_EVENT);
    assert(event != NULL);

    rec->fields = fields;
    len = gw_usage_write(event, rec);
    assert(len <= GW_USAGE_MAX_EVENT);

    value = parse(event, len);
    data = json_object_get(value, "data");

    assert(json_integer_value(json_object_get(data, "units"))
           == (json_int_t) rec->units);

    for (i = 0; i < rec->nfields; i++) {
        field = json_object_getn(data, fields[i].name.data,
                                 fields[i].name.len);

        /* left out only if not even null fits */

        assert(field != NULL || len > GW_USAGE_MAX_EVENT - 9);
        assert(fields[i].value.len <= GW_USAGE_MAX_FIELD
               || json_is_null(field));
    }

    json_decref(value);
    free(event);
}


static void
fuzz_others(const gw_usage_record_t *rec)
{
    char                   *event;
    size_t                  len;
    gw_usage_mark_t         mark;
    gw_usage_unfinished_t   un;

    event = malloc(GW_USAGE_MAX_EVENT);
    assert(event != NULL);

    mark.generation = rec->generation;
    mark.number = rec->units;
    mark.source = rec->source;
    mark.time = rec->time;
    mark.state = (gw_usage_state_e) (rec->generation
                                     % (GW_USAGE_RECOVERED + 1));
    mark.sequence = rec->units;
    mark.dropped = rec->units;

    len = gw_usage_mark(event, &mark);
    assert(len <= GW_USAGE_MAX_EVENT);
    json_decref(parse(event, len));

    un.generation = rec->generation;
    un.sequence = rec->sequence;
    un.source = rec->source;
    un.subject = rec->subject;
    un.api = rec->api;
    un.request_id = rec->request_id;
    un.start = rec->time;

    len = gw_usage_unfinished(event, &un);
    assert(len <= GW_USAGE_MAX_EVENT);
    json_decref(parse(event, len));

    free(event);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t           n[4];
    unsigned           i;
    gw_usage_field_t   fields[FIELDS];
    gw_usage_record_t  rec;

    if (size < sizeof(n)) {
        return 0;
    }

    memcpy(n, data, sizeof(n));
    data += sizeof(n);
    size -= sizeof(n);

    memset(&rec, 0, sizeof(rec));

    rec.generation = n[0];
    rec.sequence = n[1];
    rec.time = (int64_t) n[2];
    rec.units = n[3] & GW_USAGE_MAX_UNITS;
    rec.upstream = (int64_t) (n[3] & 0xff) - 1;
    rec.limited = n[0] & 1;
    rec.degraded = n[1] & 1;
    rec.interim = n[2] & 1;

    rec.source = take(&data, &size);
    rec.subject = take(&data, &size);
    rec.api = take(&data, &size);
    rec.method = take(&data, &size);
    rec.tier = take(&data, &size);
    rec.request_id = take(&data, &size);

    rec.nfields = n[0] % (FIELDS + 1);

    for (i = 0; i < FIELDS; i++) {
        fields[i].name.data = &"wxyz"[i];
        fields[i].name.len = 1;
        fields[i].value = take(&data, &size);
    }

    fuzz_record(&rec, fields);
    fuzz_others(&rec);

    (void) gw_usage_units(&rec.api, &n[0]);
    (void) gw_usage_name(&rec.api);

    return 0;
}
