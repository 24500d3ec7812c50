
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_usage.h"


/* what an escaped byte may grow to, and all but the strings */

#define GW_USAGE_ESCAPED  6
#define GW_USAGE_FIXED    640

#define GW_USAGE_MAX_TIME  INT64_C(253402300799999)    /* end of year 9999 */


#define gw_usage_literal(p, text)                                             \
    gw_usage_copy(p, text, sizeof(text) - 1)


_Static_assert(GW_USAGE_FIXED
               + GW_USAGE_ESCAPED * (GW_USAGE_MAX_SOURCE
                                     + GW_USAGE_MAX_SUBJECT
                                     + GW_USAGE_MAX_API
                                     + GW_USAGE_MAX_TIER
                                     + GW_USAGE_MAX_METHOD
                                     + GW_USAGE_MAX_REQUEST_ID)
               <= GW_USAGE_MAX_EVENT, "the largest event has to fit");


static char *gw_usage_data(char *p, const gw_usage_record_t *rec);
static char *gw_usage_value(char *p, const gw_str_t *s, size_t max);
static char *gw_usage_string(char *p, const char *data, size_t len);
static char *gw_usage_escape(char *p, unsigned char ch);
static size_t gw_usage_utf8(const unsigned char *p, size_t len,
    unsigned *valid);
static char *gw_usage_time(char *p, int64_t ms);
static char *gw_usage_digits(char *p, unsigned n, unsigned width);
static char *gw_usage_number(char *p, uint64_t n);
static char *gw_usage_bool(char *p, unsigned flag);
static char *gw_usage_copy(char *p, const char *text, size_t len);


size_t
gw_usage_write(char *buf, const gw_usage_record_t *rec)
{
    char    *p;
    size_t   len;

    p = gw_usage_literal(buf, "{\"specversion\":\"1.0\",\"id\":\"");
    p += gw_usage_id(p, rec->generation, rec->sequence);

    len = rec->source.len;

    if (len > GW_USAGE_MAX_SOURCE) {
        len = GW_USAGE_MAX_SOURCE;
    }

    p = gw_usage_literal(p, "\",\"source\":");
    p = gw_usage_string(p, rec->source.data, len);
    p = gw_usage_literal(p, ",\"type\":\"gw.usage.v1\"");

    if (rec->subject.len && rec->subject.len <= GW_USAGE_MAX_SUBJECT) {
        p = gw_usage_literal(p, ",\"subject\":");
        p = gw_usage_string(p, rec->subject.data, rec->subject.len);
    }

    p = gw_usage_literal(p, ",\"time\":\"");
    p = gw_usage_time(p, rec->time);
    p = gw_usage_literal(p, "\",\"datacontenttype\":\"application/json\"");

    p = gw_usage_literal(p, ",\"data\":{");
    p = gw_usage_data(p, rec);
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
    p = gw_usage_number(p, rec->status);

    p = gw_usage_literal(p, ",\"tier\":");
    p = gw_usage_value(p, &rec->tier, GW_USAGE_MAX_TIER);

    p = gw_usage_literal(p, ",\"units\":");
    p = gw_usage_number(p, rec->units);

    p = gw_usage_literal(p, ",\"bytes_in\":");
    p = gw_usage_number(p, rec->bytes_in);

    p = gw_usage_literal(p, ",\"bytes_out\":");
    p = gw_usage_number(p, rec->bytes_out);

    p = gw_usage_literal(p, ",\"duration_ms\":");
    p = gw_usage_number(p, rec->duration);

    p = gw_usage_literal(p, ",\"upstream_ms\":");

    if (rec->upstream < 0) {
        p = gw_usage_literal(p, "null");

    } else {
        p = gw_usage_number(p, (uint64_t) rec->upstream);
    }

    p = gw_usage_literal(p, ",\"limited\":");
    p = gw_usage_bool(p, rec->limited);

    p = gw_usage_literal(p, ",\"degraded\":");
    p = gw_usage_bool(p, rec->degraded);

    p = gw_usage_literal(p, ",\"request_id\":");
    p = gw_usage_value(p, &rec->request_id, GW_USAGE_MAX_REQUEST_ID);

    return p;
}


static char *
gw_usage_value(char *p, const gw_str_t *s, size_t max)
{
    if (s->len == 0 || s->len > max) {
        return gw_usage_literal(p, "null");
    }

    return gw_usage_string(p, s->data, s->len);
}


static char *
gw_usage_string(char *p, const char *data, size_t len)
{
    size_t                n;
    unsigned              valid;
    const unsigned char  *s;

    s = (const unsigned char *) data;

    *p++ = '"';

    while (len) {

        if (*s < 0x80) {
            p = gw_usage_escape(p, *s);
            s++;
            len--;

            continue;
        }

        n = gw_usage_utf8(s, len, &valid);

        if (valid) {
            p = gw_usage_copy(p, (const char *) s, n);

        } else {
            p = gw_usage_literal(p, "\xef\xbf\xbd");
        }

        s += n;
        len -= n;
    }

    *p++ = '"';

    return p;
}


static char *
gw_usage_escape(char *p, unsigned char ch)
{
    static const char  hex[] = "0123456789abcdef";

    if (ch == '"' || ch == '\\') {
        *p++ = '\\';
        *p++ = (char) ch;

    } else if (ch < 0x20 || ch == 0x7f) {
        p = gw_usage_literal(p, "\\u00");
        *p++ = hex[ch >> 4];
        *p++ = hex[ch & 0xf];

    } else {
        *p++ = (char) ch;
    }

    return p;
}


/*
 * The length of the character at "p"; if it is not well-formed, of the bytes
 * that one U+FFFD replaces: as many as might have begun a character, as the
 * Unicode standard recommends.
 */

static size_t
gw_usage_utf8(const unsigned char *p, size_t len, unsigned *valid)
{
    size_t         i, n;
    unsigned char  low, high;

    low = 0x80;
    high = 0xbf;

    *valid = 0;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;

        /* neither overlong nor a surrogate */

        if (p[0] == 0xe0) {
            low = 0xa0;

        } else if (p[0] == 0xed) {
            high = 0x9f;
        }

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;

        /* neither overlong nor above U+10FFFF */

        if (p[0] == 0xf0) {
            low = 0x90;

        } else if (p[0] == 0xf4) {
            high = 0x8f;
        }

    } else {
        return 1;
    }

    for (i = 1; i < n; i++) {

        if (i == len || p[i] < low || p[i] > high) {
            return i;
        }

        low = 0x80;
        high = 0xbf;
    }

    *valid = 1;

    return n;
}


/* RFC 3339 in UTC, of a clock that may be anywhere */

static char *
gw_usage_time(char *p, int64_t ms)
{
    unsigned  days, sec, year, yday, month, era;

    if (ms < 0) {
        ms = 0;

    } else if (ms > GW_USAGE_MAX_TIME) {
        ms = GW_USAGE_MAX_TIME;
    }

    sec = (unsigned) (ms / 1000 % 86400);

    /* days since March 1, 0: a leap day is the last one of its year */

    days = (unsigned) (ms / 86400000) + 719468;

    era = days / 146097;
    days %= 146097;

    year = (days - days / 1460 + days / 36524 - days / 146096) / 365;
    yday = days - (365 * year + year / 4 - year / 100);

    month = (5 * yday + 2) / 153;
    days = yday - (153 * month + 2) / 5 + 1;

    year += era * 400;

    if (month < 10) {
        month += 3;

    } else {
        month -= 9;
        year++;
    }

    p = gw_usage_digits(p, year, 4);
    *p++ = '-';
    p = gw_usage_digits(p, month, 2);
    *p++ = '-';
    p = gw_usage_digits(p, days, 2);
    *p++ = 'T';
    p = gw_usage_digits(p, sec / 3600, 2);
    *p++ = ':';
    p = gw_usage_digits(p, sec / 60 % 60, 2);
    *p++ = ':';
    p = gw_usage_digits(p, sec % 60, 2);
    *p++ = '.';
    p = gw_usage_digits(p, (unsigned) (ms % 1000), 3);
    *p++ = 'Z';

    return p;
}


static char *
gw_usage_digits(char *p, unsigned n, unsigned width)
{
    unsigned  i;

    for (i = width; i; i--) {
        p[i - 1] = (char) ('0' + n % 10);
        n /= 10;
    }

    return p + width;
}


static char *
gw_usage_number(char *p, uint64_t n)
{
    char    digits[20];
    size_t  i;

    i = sizeof(digits);

    do {
        digits[--i] = (char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return gw_usage_copy(p, digits + i, sizeof(digits) - i);
}


static char *
gw_usage_bool(char *p, unsigned flag)
{
    return flag ? gw_usage_literal(p, "true") : gw_usage_literal(p, "false");
}


static char *
gw_usage_copy(char *p, const char *text, size_t len)
{
    memcpy(p, text, len);

    return p + len;
}


size_t
gw_usage_id(char *buf, uint64_t generation, uint64_t sequence)
{
    char  *p;

    p = buf + gw_usage_generation(buf, generation);
    *p++ = '-';
    p = gw_usage_number(p, sequence);

    return (size_t) (p - buf);
}


size_t
gw_usage_generation(char *buf, uint64_t generation)
{
    size_t  i;

    static const char  hex[] = "0123456789abcdef";

    for (i = GW_USAGE_GENERATION_LEN; i; i--) {
        buf[i - 1] = hex[generation & 0xf];
        generation >>= 4;
    }

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
