
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

#include "gw_usage_text.c"


/* both in blocks of exactly as many bytes: the sanitizer sees one more */

static char *
write_string(const char *data, size_t len)
{
    char    *in, *out, *text;
    size_t   n;

    n = gw_usage_text_length(data, len);
    assert_true(n <= 2 + GW_USAGE_TEXT_ESCAPED * len);

    in = malloc(len ? len : 1);
    out = malloc(n);
    text = malloc(n + 1);

    assert_non_null(in);
    assert_non_null(out);
    assert_non_null(text);

    memcpy(in, data, len);

    assert_int_equal(gw_usage_text_string(out, in, len) - out, n);

    memcpy(text, out, n);
    text[n] = '\0';

    free(in);
    free(out);

    return text;
}


static void
test_strings(void **state)
{
    char    *text;
    size_t   i;

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
        text = write_string(tests[i].in.data, tests[i].in.len);
        assert_string_equal(text, tests[i].out);

        free(text);
    }
}


static void
test_nothing(void **state)
{
    char  out[2];

    (void) state;

    assert_int_equal(gw_usage_text_string(out, NULL, 0) - out, 2);
    assert_memory_equal(out, "\"\"", 2);
    assert_int_equal(gw_usage_text_length(NULL, 0), 2);
}


/* each byte at each place of words, their rests, and among other bytes */

static void
test_every_byte_anywhere(void **state)
{
    char      in[40], out[64], *text, *p;
    size_t    len, at;
    unsigned  ch, i;

    static const char  fill[] = { 'a', ' ', '~', '!', '#', '[', ']' };

    (void) state;

    for (ch = 0; ch < 256; ch++) {
        for (len = 1; len <= 26; len++) {
            for (at = 0; at < len; at++) {

                i = (unsigned) (ch + len + at);

                memset(in, fill[i % sizeof(fill)], len);
                in[at] = (char) ch;

                p = out;
                *p++ = '"';
                memcpy(p, in, at);
                p += at;

                if (ch == '"' || ch == '\\') {
                    p += sprintf(p, "\\%c", (int) ch);

                } else if (ch < 0x20 || ch == 0x7f) {
                    p += sprintf(p, "\\u%04x", ch);

                } else if (ch < 0x7f) {
                    *p++ = (char) ch;

                } else {
                    p += sprintf(p, "\xef\xbf\xbd");
                }

                memcpy(p, in + at + 1, len - at - 1);
                p += len - at - 1;
                *p++ = '"';
                *p = '\0';

                text = write_string(in, len);
                assert_string_equal(text, out);

                free(text);
            }
        }
    }
}


/* what jansson takes for UTF-8 comes back as it was, all else as UTF-8 */

static void
test_random_bytes(void **state)
{
    char          in[48], *text;
    json_t       *value, *bytes;
    size_t        i, len;
    unsigned      n;
    uint64_t      seed;
    json_error_t  error;

    static const unsigned char  likely[] =
        "\"\\ \x1f\x7f\x80\xbf\xc0\xc2\xdf\xe0\xa0\xed\x9f\xf0\x90\xf4\x8f\xf5";

    (void) state;

    seed = 1;

    for (n = 0; n < 100000; n++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        len = (size_t) (seed >> 33) % (sizeof(in) + 1);

        for (i = 0; i < len; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;

            in[i] = (char) (seed >> 40);

            if (seed >> 63) {
                in[i] = (char) likely[(seed >> 33) % sizeof(likely)];

            } else if (n % 4 == 0) {
                in[i] = 'x';
            }
        }

        text = write_string(in, len);
        value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        assert_non_null(value);

        bytes = json_stringn(in, len);

        if (bytes != NULL) {
            assert_true(json_equal(value, bytes));
        }

        json_decref(bytes);
        json_decref(value);
        free(text);
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

        *gw_usage_text_time(ours, ms) = '\0';
        assert_string_equal(ours, text);
    }

    *gw_usage_text_time(ours, -1) = '\0';
    assert_string_equal(ours, "1970-01-01T00:00:00.000Z");

    *gw_usage_text_time(ours, GW_USAGE_TEXT_LAST + 1) = '\0';
    assert_string_equal(ours, "9999-12-31T23:59:59.999Z");

    *gw_usage_text_time(ours, INT64_MAX) = '\0';
    assert_string_equal(ours, "9999-12-31T23:59:59.999Z");
}


static void
test_numbers(void **state)
{
    char      ours[GW_USAGE_TEXT_NUMBER + 1], text[32];
    uint64_t  n, step;

    (void) state;

    for (n = 0; n < 100000; n++) {
        *gw_usage_text_number(ours, n) = '\0';
        snprintf(text, sizeof(text), "%llu", (unsigned long long) n);
        assert_string_equal(ours, text);
    }

    /* around all powers of ten, and the last one */

    for (step = 1; /* void */ ; step *= 10) {

        for (n = step - 1; n <= step + 1; n++) {
            *gw_usage_text_number(ours, n) = '\0';
            snprintf(text, sizeof(text), "%llu", (unsigned long long) n);
            assert_string_equal(ours, text);
        }

        if (step > UINT64_MAX / 10) {
            break;
        }
    }

    *gw_usage_text_number(ours, UINT64_MAX) = '\0';
    assert_string_equal(ours, "18446744073709551615");
}


static void
test_hex(void **state)
{
    char  text[GW_USAGE_TEXT_HEX + 1];

    (void) state;

    *gw_usage_text_hex(text, UINT64_C(0x0123456789abcdef)) = '\0';
    assert_string_equal(text, "0123456789abcdef");

    *gw_usage_text_hex(text, UINT64_C(0xfedcba9876543210)) = '\0';
    assert_string_equal(text, "fedcba9876543210");

    *gw_usage_text_hex(text, 0) = '\0';
    assert_string_equal(text, "0000000000000000");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_every_byte_anywhere),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_hex),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
