
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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


/* what is not a string, at its longest: the share of GW_USAGE_FIXED */

static void
test_largest_event(void **state)
{
    char               text[GW_USAGE_MAX_SUBJECT];
    size_t             strings;
    gw_usage_record_t  rec;

    (void) state;

    memset(&rec, 0xff, sizeof(rec));
    memset(text, 1, sizeof(text));

    rec.time = INT64_MAX;
    rec.upstream = INT64_MAX;
    rec.limited = 0;
    rec.degraded = 0;

    rec.source = (gw_str_t) { GW_USAGE_MAX_SOURCE, text };
    rec.subject = (gw_str_t) { GW_USAGE_MAX_SUBJECT, text };
    rec.api = (gw_str_t) { GW_USAGE_MAX_API, text };
    rec.method = (gw_str_t) { GW_USAGE_MAX_METHOD, text };
    rec.tier = (gw_str_t) { GW_USAGE_MAX_TIER, text };
    rec.request_id = (gw_str_t) { GW_USAGE_MAX_REQUEST_ID, text };

    strings = 6 * (rec.source.len + rec.subject.len + rec.api.len
                   + rec.method.len + rec.tier.len + rec.request_id.len);

    assert_true(gw_usage_write(event, &rec) <= strings + GW_USAGE_FIXED);
}


static void
test_strings(void **state)
{
    size_t             i;
    gw_usage_record_t  rec = record();

    static const struct {
        gw_str_t     in;
        const char  *out;
    } tests[] = {
        { gw_str("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"" },
        { gw_str("\0\t\n\r\x1f\x7f"),
          "\"\\u0000\\u0009\\u000a\\u000d\\u001f\\u007f\"" },

        /* well-formed: 2, 3 and 4 bytes, the first and last of each */
        { gw_str("\xc2\x80 \xdf\xbf"), "\"\xc2\x80 \xdf\xbf\"" },
        { gw_str("\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf"),
          "\"\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf\"" },
        { gw_str("\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"),
          "\"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf\"" },

        /* alone, never used, overlong */
        { gw_str("\x80 \xbf"), "\"\xef\xbf\xbd \xef\xbf\xbd\"" },
        { gw_str("\xc0\xc1\xf5\xff"),
          "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
        { gw_str("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { gw_str("\xe0\x9f\xbf"),
          "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },

        /* a surrogate, and above U+10FFFF */
        { gw_str("\xed\xa0\x80"),
          "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
        { gw_str("\xf4\x90\x80\x80"),
          "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },

        /* one replacement for what might have begun a character */
        { gw_str("\xe2\x82\x41"), "\"\xef\xbf\xbd" "A\"" },
        { gw_str("\xf0\x9f\x98\""), "\"\xef\xbf\xbd\\\"\"" },
        { gw_str("\xf0\x9f"), "\"\xef\xbf\xbd\"" },
        { gw_str("\xc3"), "\"\xef\xbf\xbd\"" },
    };

    (void) state;

    for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        char  *p, *end;

        rec.api = tests[i].in;
        write_event(&rec);

        p = strstr(event, "{\"api\":");
        assert_non_null(p);
        p += sizeof("{\"api\":") - 1;

        end = strstr(p, ",\"method\":");
        assert_non_null(end);
        *end = '\0';

        assert_string_equal(p, tests[i].out);

        json_decref(parse_event(&rec));
    }
}


/* every day of nginx's life and of some centuries around it */

static void
test_time(void **state)
{
    char       ours[32], text[32];
    time_t     t;
    int64_t    ms;
    struct tm  tm;

    (void) state;

    for (ms = 0; ms < INT64_C(253402300800000); ms += 86399999) {

        t = (time_t) (ms / 1000);
        assert_non_null(gmtime_r(&t, &tm));

        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(text + 19, sizeof(text) - 19, ".%03uZ",
                 (unsigned) (ms % 1000));

        *gw_usage_time(ours, ms) = '\0';
        assert_string_equal(ours, text);
    }

    *gw_usage_time(ours, -1) = '\0';
    assert_string_equal(ours, "1970-01-01T00:00:00.000Z");

    *gw_usage_time(ours, INT64_MAX) = '\0';
    assert_string_equal(ours, "9999-12-31T23:59:59.999Z");
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
        cmocka_unit_test(test_largest_event),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_units),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
