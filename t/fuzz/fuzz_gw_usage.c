
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Any bytes in the strings of a record give JSON in UTF-8, within the bound,
 * and the numbers come back as they were.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gw_usage.c"


static gw_str_t
take(const uint8_t **data, size_t *size)
{
    size_t    len;
    gw_str_t  s;

    len = 0;

    if (*size >= 2) {
        len = ((*data)[0] << 8 | (*data)[1]) % 1024;
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


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char               *event;
    json_t             *value;
    size_t              len;
    uint64_t            n[4];
    json_error_t        error;
    gw_usage_record_t   rec;

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

    rec.source = take(&data, &size);
    rec.subject = take(&data, &size);
    rec.api = take(&data, &size);
    rec.method = take(&data, &size);
    rec.tier = take(&data, &size);
    rec.request_id = take(&data, &size);

    event = malloc(GW_USAGE_MAX_EVENT);
    assert(event != NULL);

    len = gw_usage_write(event, &rec);
    assert(len <= GW_USAGE_MAX_EVENT);

    value = json_loadb(event, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                       &error);
    assert(value != NULL);
    assert(json_integer_value(json_object_get(json_object_get(value, "data"),
                                              "units"))
           == (json_int_t) rec.units);

    json_decref(value);

    (void) gw_usage_units(&rec.api, &n[0]);

    free(event);

    return 0;
}
