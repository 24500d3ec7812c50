
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_usage_text.c */


#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "gw_usage.c"


#define STR(text)  ((gw_str_t) gw_str(text))


/* exactly as much memory as promised: the sanitizer sees one byte more */

static char  *event;


static int
setup(void **state)
{
    (void) state;

    event = malloc(GW_USAGE_MAX_EVENT);

    return event == NULL;
}


static int
teardown(void **state)
{
    (void) state;

    free(event);

    return 0;
}


static gw_usage_record_t
record(void)
{
    gw_usage_record_t  rec;

    memset(&rec, 0, sizeof(rec));

    rec.generation = UINT64_C(0x00ab54a98ceb1f0a);
    rec.sequence = 42;
    rec.source = STR("gw1");
    rec.subject = STR("alice");
    rec.api = STR("orders");
    rec.method = STR("GET");
    rec.tier = STR("gold");
    rec.request_id = STR("4a7d");
    rec.time = INT64_C(1793882096789);
    rec.upstream = 9;
    rec.duration = 12;
    rec.units = 3;
    rec.bytes_in = 310;
    rec.bytes_out = 4096;
    rec.status = 200;

    return rec;
}


static void
write_event(const gw_usage_record_t *rec)
{
    size_t  len;

    len = gw_usage_write(event, rec);

    assert_true(len < GW_USAGE_MAX_EVENT);
    event[len] = '\0';
}


static json_t *
parse_event(const gw_usage_record_t *rec)
{
    json_t        *value;
    size_t         len;
    json_error_t   error;

    len = gw_usage_write(event, rec);
    value = json_loadb(event, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
                       &error);
    assert_non_null(value);

    return value;
}


static void
test_all_members_in_order(void **state)
{
    gw_usage_record_t  rec = record();

    (void) state;

    write_event(&rec);

    assert_string_equal(event,
        "{\"specversion\":\"1.0\",\"id\":\"00ab54a98ceb1f0a-42\","
        "\"source\":\"gw1\",\"type\":\"gw.usage.v1\",\"subject\":\"alice\","
        "\"time\":\"2026-11-05T12:34:56.789Z\","
        "\"datacontenttype\":\"application/json\",\"data\":{"
        "\"api\":\"orders\",\"method\":\"GET\",\"status\":200,"
        "\"tier\":\"gold\",\"units\":3,\"bytes_in\":310,\"bytes_out\":4096,"
        "\"duration_ms\":12,\"upstream_ms\":9,\"limited\":false,"
        "\"degraded\":false,\"request_id\":\"4a7d\"}}");
}


static void
test_no_values(void **state)
{
    gw_usage_record_t  rec;

    (void) state;

    memset(&rec, 0, sizeof(rec));

    rec.source = STR("gw1");
    rec.upstream = -1;
    rec.limited = 1;
    rec.degraded = 1;

    write_event(&rec);

    assert_string_equal(event,
        "{\"specversion\":\"1.0\",\"id\":\"0000000000000000-0\","
        "\"source\":\"gw1\",\"type\":\"gw.usage.v1\","
        "\"time\":\"1970-01-01T00:00:00.000Z\","
        "\"datacontenttype\":\"application/json\",\"data\":{"
        "\"api\":null,\"method\":null,\"status\":0,\"tier\":null,\"units\":0,"
        "\"bytes_in\":0,\"bytes_out\":0,\"duration_ms\":0,"
        "\"upstream_ms\":null,\"limited\":true,\"degraded\":true,"
        "\"request_id\":null}}");
}


/* a cut name might be somebody else's */

static void
test_long_strings_are_left_out(void **state)
{
    char               text[GW_USAGE_MAX_SUBJECT + 1];
    json_t            *value, *data;
    gw_str_t           s = { sizeof(text), text };
    gw_usage_record_t  rec = record();

    (void) state;

    memset(text, 'x', sizeof(text));

    rec.source = s;
    rec.subject = s;
    rec.api = s;
    rec.method = s;
    rec.tier = s;
    rec.request_id = s;

    value = parse_event(&rec);
    data = json_object_get(value, "data");

    assert_null(json_object_get(value, "subject"));
    assert_true(json_is_null(json_object_get(data, "api")));
    assert_true(json_is_null(json_object_get(data, "method")));
    assert_true(json_is_null(json_object_get(data, "tier")));
    assert_true(json_is_null(json_object_get(data, "request_id")));

    assert_int_equal(json_string_length(json_object_get(value, "source")),
                     GW_USAGE_MAX_SOURCE);

    json_decref(value);

    rec.subject.len = GW_USAGE_MAX_SUBJECT;
    rec.api.len = GW_USAGE_MAX_API;
    rec.method.len = GW_USAGE_MAX_METHOD;
    rec.tier.len = GW_USAGE_MAX_TIER;
    rec.request_id.len = GW_USAGE_MAX_REQUEST_ID;

    value = parse_event(&rec);
    data = json_object_get(value, "data");

    assert_int_equal(json_string_length(json_object_get(value, "subject")),
                     GW_USAGE_MAX_SUBJECT);
    assert_int_equal(json_string_length(json_object_get(data, "api")),
                     GW_USAGE_MAX_API);
    assert_int_equal(json_string_length(json_object_get(data, "method")),
                     GW_USAGE_MAX_METHOD);
    assert_int_equal(json_string_length(json_object_get(data, "tier")),
                     GW_USAGE_MAX_TIER);
    assert_int_equal(json_string_length(json_object_get(data, "request_id")),
                     GW_USAGE_MAX_REQUEST_ID);

    json_decref(value);
}


/*
 * All that may differ, at its longest: the room of an event without values of
 * fields is what it needs, to the byte.
 */

static void
test_room(void **state)
{
    char               name[GW_USAGE_MAX_NAME], text[GW_USAGE_MAX_FIELD];
    size_t             i, n, len;
    gw_usage_field_t   fields[2];
    gw_usage_record_t  rec = record();

    static const char  bytes[] = "\1\xff\\x";

    (void) state;

    rec.generation = UINT64_MAX;
    rec.sequence = UINT64_MAX;
    rec.time = INT64_MAX;
    rec.upstream = INT64_MAX;
    rec.duration = UINT64_MAX;
    rec.units = UINT64_MAX;
    rec.bytes_in = UINT64_MAX;
    rec.bytes_out = UINT64_MAX;
    rec.status = UINT_MAX;
    rec.interim = 1;

    assert_int_equal(gw_usage_room(&rec), gw_usage_write(event, &rec));

    /* of fields only the names, whatever the values are */

    memset(text, 1, sizeof(text));
    memset(name, 'n', sizeof(name));

    fields[0].name = (gw_str_t) { sizeof(name), name };
    fields[0].value = (gw_str_t) { 0, NULL };
    fields[1].name = STR("b");
    fields[1].value = (gw_str_t) { 0, NULL };

    rec.fields = fields;
    rec.nfields = 2;

    len = gw_usage_write(event, &rec);

    assert_int_equal(gw_usage_room(&rec), len);

    fields[0].value = (gw_str_t) { sizeof(text), text };
    fields[1].value = STR("value");

    assert_true(gw_usage_write(event, &rec) > len);
    assert_int_equal(gw_usage_room(&rec), len);

    rec.nfields = 0;
    rec.subject.len = 0;
    rec.api.len = 0;

    assert_int_equal(gw_usage_room(&rec), gw_usage_write(event, &rec));

    for (i = 0; i < sizeof(bytes) - 1; i++) {
        memset(text, bytes[i], sizeof(text));

        for (n = 0; n < 2; n++) {
            rec.source = (gw_str_t) { GW_USAGE_MAX_SOURCE + n, text };
            rec.subject = (gw_str_t) { GW_USAGE_MAX_SUBJECT + n, text };
            rec.api = (gw_str_t) { GW_USAGE_MAX_API + n, text };
            rec.method = (gw_str_t) { GW_USAGE_MAX_METHOD + n, text };
            rec.tier = (gw_str_t) { GW_USAGE_MAX_TIER + n, text };
            rec.request_id = (gw_str_t) { GW_USAGE_MAX_REQUEST_ID + n, text };

            len = gw_usage_write(event, &rec);

            assert_true(len <= GW_USAGE_MAX_EVENT);
            assert_int_equal(gw_usage_room(&rec), len);
        }
    }
}


static void
test_interim(void **state)
{
    gw_usage_record_t  rec = record();

    (void) state;

    rec.interim = 1;
    rec.limited = 1;
    write_event(&rec);

    assert_string_equal(event,
        "{\"specversion\":\"1.0\",\"id\":\"00ab54a98ceb1f0a-42\","
        "\"source\":\"gw1\",\"type\":\"gw.usage.interim.v1\","
        "\"subject\":\"alice\","
        "\"time\":\"2026-11-05T12:34:56.789Z\","
        "\"datacontenttype\":\"application/json\",\"data\":{"
        "\"api\":\"orders\",\"method\":\"GET\",\"status\":200,"
        "\"tier\":\"gold\",\"units\":3,\"bytes_in\":310,\"bytes_out\":4096,"
        "\"duration_ms\":12,\"upstream_ms\":9,\"limited\":true,"
        "\"degraded\":false,\"request_id\":\"4a7d\"}}");
}


static void
test_fields(void **state)
{
    char               text[GW_USAGE_MAX_FIELD + 1];
    json_t            *value, *field;
    gw_usage_record_t  rec = record();

    gw_usage_field_t  fields[] = {
        { gw_str("model"), gw_str("a\"b\xff") },
        { gw_str("region"), gw_str("") },
        { gw_str("tokens"), gw_str("12") },
    };

    (void) state;

    rec.fields = fields;
    rec.nfields = 3;

    write_event(&rec);

    assert_string_equal(strstr(event, ",\"request_id\":"),
        ",\"request_id\":\"4a7d\",\"model\":\"a\\\"b\xef\xbf\xbd\","
        "\"region\":null,\"tokens\":\"12\"}}");

    /* the longest value, and a longer one */

    memset(text, 'x', sizeof(text));

    fields[0].value = (gw_str_t) { GW_USAGE_MAX_FIELD, text };
    fields[1].value = (gw_str_t) { GW_USAGE_MAX_FIELD + 1, text };

    value = parse_event(&rec);

    field = json_object_get(json_object_get(value, "data"), "model");
    assert_int_equal(json_string_length(field), GW_USAGE_MAX_FIELD);

    field = json_object_get(json_object_get(value, "data"), "region");
    assert_true(json_is_null(field));

    field = json_object_get(json_object_get(value, "data"), "tokens");
    assert_string_equal(json_string_value(field), "12");

    json_decref(value);
}


/*
 * The room that is left ends at every byte around the last two fields: each
 * is whole, or null, or left out, and what needs less may still follow.
 */

static void
test_fields_without_room(void **state)
{
    char               text[GW_USAGE_MAX_FIELD];
    int                whole, null;
    json_t            *data, *value, *b, *c;
    size_t             i, left, len;
    unsigned           seen;
    gw_usage_record_t  rec = record();

    gw_usage_field_t  fields[10];

    (void) state;

    memset(text, 'x', sizeof(text));

    for (i = 0; i < 8; i++) {
        fields[i].name = (gw_str_t) { 1, &"klmnopqr"[i] };
        fields[i].value = (gw_str_t) { 1000, text };
    }

    fields[8].name = STR("b234");
    fields[8].value = STR("x\001y\"z\xff");              /* 14 + 2 */
    fields[9].name = STR("c");
    fields[9].value = STR("123");

    rec.fields = fields;
    rec.nfields = 8;
    fields[7].value.len = 1;

    len = gw_usage_write(event, &rec);
    assert_true(len < GW_USAGE_MAX_EVENT - 60);

    seen = 0;

    for (left = 60; left + 1; left--) {
        rec.nfields = 8;
        fields[7].value.len = 1 + GW_USAGE_MAX_EVENT - len - left;

        assert_int_equal(gw_usage_write(event, &rec),
                         GW_USAGE_MAX_EVENT - left);

        rec.nfields = 10;
        value = parse_event(&rec);
        data = json_object_get(value, "data");

        b = json_object_get(data, "b234");
        c = json_object_get(data, "c");

        /* ,"b234": and 16 bytes, ,"c": and 5 */

        whole = left >= 24;
        null = left >= 12;

        assert_int_equal(json_is_string(b), whole);
        assert_int_equal(json_is_null(b), null && !whole);
        assert_int_equal(b == NULL, !null);

        i = left - (whole ? 24 : null ? 12 : 0);

        whole = i >= 10;
        null = i >= 9;

        assert_int_equal(json_is_string(c), whole);
        assert_int_equal(json_is_null(c), null && !whole);
        assert_int_equal(c == NULL, !null);

        seen |= 1u << ((b == NULL ? 0 : json_is_null(b) ? 1 : 2) * 3
                       + (c == NULL ? 0 : json_is_null(c) ? 1 : 2));

        json_decref(value);
    }

    /* each of the three beside each of them */

    assert_int_equal(seen, 0x1ff);
}


/* so many that no room is left for names */

static void
test_many_fields(void **state)
{
    char               name[GW_USAGE_MAX_NAME];
    size_t             i, len;
    gw_usage_field_t   fields[200];
    gw_usage_record_t  rec = record();

    (void) state;

    memset(name, 'n', sizeof(name));

    for (i = 0; i < 200; i++) {
        fields[i].name = (gw_str_t) { sizeof(name), name };
        fields[i].value = STR("x");
    }

    rec.fields = fields;
    rec.nfields = 200;

    len = gw_usage_write(event, &rec);

    assert_in_range(len, GW_USAGE_MAX_EVENT - 72, GW_USAGE_MAX_EVENT);
    assert_memory_equal(event + len - 2, "}}", 2);
    assert_int_equal(gw_usage_room(&rec), GW_USAGE_MAX_EVENT);
}


static uint64_t
draw(uint64_t *seed, uint64_t n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;

    return (*seed >> 16) % n;
}


/* with any strings and numbers, no event without values is above its room */

static void
test_room_is_enough(void **state)
{
    char              *text, *exact;
    json_t            *value;
    size_t             i, len, room;
    unsigned           n, tight;
    uint64_t           seed;
    json_error_t       error;
    gw_str_t          *strings[6];
    gw_usage_field_t   fields[4];
    gw_usage_record_t  rec;

    static const char  names[] = "abcdefghijklmnopqrstuvwxyz";
    static const char  likely[] = "\"\\\1\x7f\xff\xc3\xe2\x82\xac\xf0\x9f";

    (void) state;

    text = malloc(2048);
    assert_non_null(text);

    seed = 7;
    tight = 0;

    for (n = 0; n < 20000; n++) {
        memset(&rec, 0, sizeof(rec));

        for (i = 0; i < 2048; i++) {
            text[i] = draw(&seed, 4) == 0 ? 'x'
                      : draw(&seed, 2) ? likely[draw(&seed, sizeof(likely))]
                                       : (char) draw(&seed, 256);
        }

        strings[0] = &rec.source;
        strings[1] = &rec.subject;
        strings[2] = &rec.api;
        strings[3] = &rec.method;
        strings[4] = &rec.tier;
        strings[5] = &rec.request_id;

        for (i = 0; i < 6; i++) {
            strings[i]->len = draw(&seed, draw(&seed, 2) ? 40 : 600);
            strings[i]->data = text + draw(&seed, 1400);
        }

        rec.fields = fields;
        rec.nfields = draw(&seed, 2) ? draw(&seed, 5) : 0;

        for (i = 0; i < rec.nfields; i++) {
            fields[i].name.data = names + i;
            fields[i].name.len = 1 + draw(&seed, 20);
            fields[i].value.len = draw(&seed, draw(&seed, 2) ? 20 : 1200);
            fields[i].value.data = text + draw(&seed, 800);
        }

        room = gw_usage_room(&rec);
        assert_true(room <= GW_USAGE_MAX_EVENT);

        for (i = 0; i < rec.nfields; i++) {
            fields[i].value.len = 0;
        }

        rec.generation = draw(&seed, UINT64_MAX);
        rec.sequence = UINT64_MAX >> draw(&seed, 64);
        rec.time = (int64_t) (UINT64_MAX >> draw(&seed, 64));
        rec.upstream = (int64_t) (UINT64_MAX >> draw(&seed, 64));
        rec.duration = UINT64_MAX >> draw(&seed, 64);
        rec.units = UINT64_MAX >> draw(&seed, 64);
        rec.bytes_in = UINT64_MAX >> draw(&seed, 64);
        rec.bytes_out = UINT64_MAX >> draw(&seed, 64);
        rec.status = UINT_MAX >> draw(&seed, 32);
        rec.limited = draw(&seed, 2) & 1;
        rec.degraded = draw(&seed, 2) & 1;
        rec.interim = draw(&seed, 2) & 1;

        /* what is promised, and no byte more */

        exact = malloc(room);
        assert_non_null(exact);

        len = gw_usage_write(exact, &rec);
        assert_true(len <= room);

        tight += room - len < 200;

        value = json_loadb(exact, len,
                           JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL
                           | JSON_DECODE_INT_AS_REAL, &error);
        assert_non_null(value);

        json_decref(value);
        free(exact);
    }

    assert_true(tight > 19000);
    free(text);
}


static void
test_mark(void **state)
{
    size_t           i;
    gw_usage_mark_t  mark;

    static const char *const  states[] = {
        "open", "running", "closed", "adopted", "recovered"
    };

    (void) state;

    memset(&mark, 0, sizeof(mark));

    mark.generation = UINT64_C(0x00ab54a98ceb1f0a);
    mark.number = 12;
    mark.source = STR("gw\"1");
    mark.time = INT64_C(1793882096789);
    mark.state = GW_USAGE_RUNNING;
    mark.sequence = 345;
    mark.dropped = 6;

    event[gw_usage_mark(event, &mark)] = '\0';

    assert_string_equal(event,
        "{\"specversion\":\"1.0\",\"id\":\"00ab54a98ceb1f0a-m12\","
        "\"source\":\"gw\\\"1\",\"type\":\"gw.usage.mark.v1\","
        "\"time\":\"2026-11-05T12:34:56.789Z\","
        "\"datacontenttype\":\"application/json\",\"data\":{"
        "\"state\":\"running\",\"generation\":\"00ab54a98ceb1f0a\","
        "\"sequence\":345,\"dropped\":6}}");

    for (i = GW_USAGE_OPEN; i <= GW_USAGE_RECOVERED; i++) {
        char  member[32];

        mark.state = (gw_usage_state_e) i;
        event[gw_usage_mark(event, &mark)] = '\0';

        strcpy(member, "{\"state\":\"");
        strcat(member, states[i]);
        strcat(member, "\",");

        assert_non_null(strstr(event, member));
    }
}


static void
test_unfinished(void **state)
{
    gw_usage_unfinished_t  un;

    (void) state;

    memset(&un, 0, sizeof(un));

    un.generation = UINT64_C(0x00ab54a98ceb1f0a);
    un.sequence = 42;
    un.source = STR("gw1");
    un.subject = STR("alice");
    un.api = STR("orders");
    un.request_id = STR("4a7d");
    un.start = INT64_C(1793882096789);

    event[gw_usage_unfinished(event, &un)] = '\0';

    assert_string_equal(event,
        "{\"specversion\":\"1.0\",\"id\":\"00ab54a98ceb1f0a-42\","
        "\"source\":\"gw1\",\"type\":\"gw.usage.unfinished.v1\","
        "\"subject\":\"alice\",\"time\":\"2026-11-05T12:34:56.789Z\","
        "\"datacontenttype\":\"application/json\",\"data\":{"
        "\"api\":\"orders\",\"units\":0,\"request_id\":\"4a7d\","
        "\"start\":\"2026-11-05T12:34:56.789Z\"}}");

    memset(&un, 0, sizeof(un));

    event[gw_usage_unfinished(event, &un)] = '\0';

    assert_string_equal(event,
        "{\"specversion\":\"1.0\",\"id\":\"0000000000000000-0\","
        "\"source\":\"\",\"type\":\"gw.usage.unfinished.v1\","
        "\"time\":\"1970-01-01T00:00:00.000Z\","
        "\"datacontenttype\":\"application/json\",\"data\":{"
        "\"api\":null,\"units\":0,\"request_id\":null,"
        "\"start\":\"1970-01-01T00:00:00.000Z\"}}");
}


/* a mark and an unfinished request, at their largest */

static void
test_largest_of_the_others(void **state)
{
    char                   text[GW_USAGE_MAX_SUBJECT];
    gw_usage_mark_t        mark;
    gw_usage_unfinished_t  un;

    (void) state;

    memset(&mark, 0xff, sizeof(mark));
    memset(&un, 0xff, sizeof(un));
    memset(text, 1, sizeof(text));

    mark.source = (gw_str_t) { sizeof(text), text };
    mark.state = GW_USAGE_RECOVERED;

    un.source = (gw_str_t) { sizeof(text), text };
    un.subject = (gw_str_t) { GW_USAGE_MAX_SUBJECT, text };
    un.api = (gw_str_t) { GW_USAGE_MAX_API, text };
    un.request_id = (gw_str_t) { GW_USAGE_MAX_REQUEST_ID, text };

    /* event has as much memory as promised */

    assert_true(gw_usage_mark(event, &mark) > 6 * GW_USAGE_MAX_SOURCE);
    assert_true(gw_usage_unfinished(event, &un) > 6 * GW_USAGE_MAX_SUBJECT);
}


static void
test_name(void **state)
{
    char      text[GW_USAGE_MAX_NAME + 1];
    size_t    i;
    gw_str_t  s;

    static const struct {
        gw_str_t  text;
        int       rc;
    } tests[] = {
        { gw_str("a"), GW_OK },
        { gw_str("_"), GW_OK },
        { gw_str("model"), GW_OK },
        { gw_str("azAZ_09"), GW_OK },
        { gw_str("_0"), GW_OK },
        { gw_str("Api"), GW_OK },
        { gw_str("apis"), GW_OK },
        { gw_str("ap"), GW_OK },
        { gw_str("start"), GW_OK },
        { gw_str(""), GW_ERROR },
        { gw_str("0a"), GW_ERROR },
        { gw_str("9"), GW_ERROR },
        { gw_str("a-b"), GW_ERROR },
        { gw_str("a.b"), GW_ERROR },
        { gw_str("a b"), GW_ERROR },
        { gw_str("a\"b"), GW_ERROR },
        { gw_str("a\0"), GW_ERROR },
        { gw_str("a@"), GW_ERROR },
        { gw_str("a["), GW_ERROR },
        { gw_str("a`"), GW_ERROR },
        { gw_str("a{"), GW_ERROR },
        { gw_str("a/"), GW_ERROR },
        { gw_str("a:"), GW_ERROR },
        { gw_str("\xc3\xa9"), GW_ERROR },
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        assert_int_equal(gw_usage_name(&tests[i].text), tests[i].rc);
    }

    memset(text, 'n', sizeof(text));
    s.data = text;

    s.len = GW_USAGE_MAX_NAME;
    assert_int_equal(gw_usage_name(&s), GW_OK);

    s.len = GW_USAGE_MAX_NAME + 1;
    assert_int_equal(gw_usage_name(&s), GW_ERROR);
}


/* no member that an event has is free, and all others are */

static void
test_name_of_members(void **state)
{
    json_t            *value, *member;
    gw_str_t           s;
    unsigned           n;
    const char        *key;
    gw_usage_record_t  rec = record();

    (void) state;

    n = 0;
    value = parse_event(&rec);

    json_object_foreach(json_object_get(value, "data"), key, member) {
        s.data = key;
        s.len = strlen(key);

        assert_int_equal(gw_usage_name(&s), GW_ERROR);
        n++;
    }

    assert_int_equal(n, sizeof(gw_usage_members) / sizeof(gw_str_t));

    json_decref(value);
}


static void
test_id(void **state)
{
    char  text[GW_USAGE_ID_LEN + 1];

    (void) state;

    text[gw_usage_id(text, 1, 1)] = '\0';
    assert_string_equal(text, "0000000000000001-1");

    text[gw_usage_id(text, UINT64_MAX, UINT64_MAX)] = '\0';
    assert_string_equal(text, "ffffffffffffffff-18446744073709551615");
    assert_int_equal(strlen(text), GW_USAGE_ID_LEN);

    text[gw_usage_generation(text, 0xabc)] = '\0';
    assert_string_equal(text, "0000000000000abc");
}


static void
test_units(void **state)
{
    size_t    i;
    uint64_t  units;

    static const struct {
        gw_str_t  text;
        int       rc;
        uint64_t  units;
    } tests[] = {
        { gw_str("0"), GW_OK, 0 },
        { gw_str("1"), GW_OK, 1 },
        { gw_str("007"), GW_OK, 7 },
        { gw_str("9007199254740991"), GW_OK, GW_USAGE_MAX_UNITS },
        { gw_str("9007199254740992"), GW_ERROR, 0 },
        { gw_str("9999999999999999"), GW_ERROR, 0 },
        { gw_str("18446744073709551617"), GW_ERROR, 0 },
        { gw_str("00000000000000001"), GW_ERROR, 0 },
        { gw_str(""), GW_ERROR, 0 },
        { gw_str("-1"), GW_ERROR, 0 },
        { gw_str("+1"), GW_ERROR, 0 },
        { gw_str("1.5"), GW_ERROR, 0 },
        { gw_str("1e3"), GW_ERROR, 0 },
        { gw_str(" 1"), GW_ERROR, 0 },
        { gw_str("1 "), GW_ERROR, 0 },
        { gw_str("1\0"), GW_ERROR, 0 },
        { gw_str("\xb1"), GW_ERROR, 0 },
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        units = 77;

        assert_int_equal(gw_usage_units(&tests[i].text, &units),
                         tests[i].rc);
        assert_true(units == (tests[i].rc == GW_OK ? tests[i].units : 77));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_all_members_in_order),
        cmocka_unit_test(test_no_values),
        cmocka_unit_test(test_long_strings_are_left_out),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_interim),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_fields_without_room),
        cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_room_is_enough),
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_largest_of_the_others),
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_name_of_members),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_units),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
