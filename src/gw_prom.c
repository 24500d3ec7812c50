
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_prom.h"


#define GW_PROM_DIGITS  20      /* of 64 bits */


static void gw_prom_head(gw_prom_t *out, const char *name, const char *suffix,
    const gw_prom_label_t *labels, size_t n);
static void gw_prom_tail(gw_prom_t *out, size_t n);
static void gw_prom_label(gw_prom_t *out, const char *name, size_t n);
static void gw_prom_value(gw_prom_t *out, const gw_str_t *value);
static size_t gw_prom_utf8(const unsigned char *p, size_t len);
static void gw_prom_integer(gw_prom_t *out, uint64_t n);
static void gw_prom_fraction(gw_prom_t *out, uint64_t n, uint64_t unit);
static void gw_prom_text(gw_prom_t *out, const char *text);
static void gw_prom_put(gw_prom_t *out, const char *data, size_t len);


void
gw_prom_family(gw_prom_t *out, const char *name, const char *type,
    const char *help)
{
    gw_prom_text(out, "# HELP ");
    gw_prom_text(out, name);
    gw_prom_put(out, " ", 1);
    gw_prom_text(out, help);
    gw_prom_text(out, "\n# TYPE ");
    gw_prom_text(out, name);
    gw_prom_put(out, " ", 1);
    gw_prom_text(out, type);
    gw_prom_put(out, "\n", 1);
}


void
gw_prom_sample(gw_prom_t *out, const char *name, const gw_prom_label_t *labels,
    size_t n, uint64_t value)
{
    gw_prom_head(out, name, "", labels, n);
    gw_prom_tail(out, n);
    gw_prom_integer(out, value);
    gw_prom_put(out, "\n", 1);
}


void
gw_prom_seconds(gw_prom_t *out, const char *name,
    const gw_prom_label_t *labels, size_t n, uint64_t ms)
{
    gw_prom_head(out, name, "", labels, n);
    gw_prom_tail(out, n);
    gw_prom_fraction(out, ms, 1000);
    gw_prom_put(out, "\n", 1);
}


void
gw_prom_histogram(gw_prom_t *out, const char *name,
    const gw_prom_label_t *labels, size_t n, const uint32_t *bounds,
    size_t nbounds, const uint64_t *counts, uint64_t sum)
{
    size_t    i;
    uint64_t  total;

    total = 0;

    for (i = 0; i <= nbounds; i++) {

        total += counts[i];

        gw_prom_head(out, name, "_bucket", labels, n);
        gw_prom_label(out, "le", n);

        if (i < nbounds) {
            gw_prom_fraction(out, bounds[i], 1000);

        } else {
            gw_prom_text(out, "+Inf");
        }

        gw_prom_put(out, "\"", 1);
        gw_prom_tail(out, 1);
        gw_prom_integer(out, total);
        gw_prom_put(out, "\n", 1);
    }

    gw_prom_head(out, name, "_sum", labels, n);
    gw_prom_tail(out, n);
    gw_prom_fraction(out, sum, 1000000);
    gw_prom_put(out, "\n", 1);

    gw_prom_head(out, name, "_count", labels, n);
    gw_prom_tail(out, n);
    gw_prom_integer(out, total);
    gw_prom_put(out, "\n", 1);
}


/* the name and the labels, without the brace at their end */

static void
gw_prom_head(gw_prom_t *out, const char *name, const char *suffix,
    const gw_prom_label_t *labels, size_t n)
{
    size_t  i;

    gw_prom_text(out, name);
    gw_prom_text(out, suffix);

    for (i = 0; i < n; i++) {
        gw_prom_label(out, labels[i].name, i);
        gw_prom_value(out, &labels[i].value);
        gw_prom_put(out, "\"", 1);
    }
}


static void
gw_prom_tail(gw_prom_t *out, size_t n)
{
    if (n) {
        gw_prom_put(out, "}", 1);
    }

    gw_prom_put(out, " ", 1);
}


/* "n" labels are in front of it */

static void
gw_prom_label(gw_prom_t *out, const char *name, size_t n)
{
    gw_prom_put(out, n ? "," : "{", 1);
    gw_prom_text(out, name);
    gw_prom_put(out, "=\"", 2);
}


static void
gw_prom_value(gw_prom_t *out, const gw_str_t *value)
{
    size_t                len, n;
    const unsigned char  *p;

    p = (const unsigned char *) value->data;

    for (len = value->len; len; len -= n) {

        n = 1;

        if (*p == '\n') {
            gw_prom_put(out, "\\n", 2);

        } else if (*p == '\\' || *p == '"') {
            gw_prom_put(out, "\\", 1);
            gw_prom_put(out, (const char *) p, 1);

        } else {
            n = gw_prom_utf8(p, len);

            if (n) {
                gw_prom_put(out, (const char *) p, n);

            } else {
                gw_prom_put(out, "?", 1);
                n = 1;
            }
        }

        p += n;
    }
}


/* the length of a character of UTF-8, 0 if it is none */

static size_t
gw_prom_utf8(const unsigned char *p, size_t len)
{
    size_t    i, n;
    uint32_t  code, least;

    if (p[0] < 0x80) {
        return 1;
    }

    if (p[0] >= 0xc0 && p[0] < 0xe0) {
        n = 2;
        code = p[0] & 0x1f;
        least = 0x80;

    } else if (p[0] >= 0xe0 && p[0] < 0xf0) {
        n = 3;
        code = p[0] & 0x0f;
        least = 0x800;

    } else if (p[0] >= 0xf0 && p[0] < 0xf5) {
        n = 4;
        code = p[0] & 0x07;
        least = 0x10000;

    } else {
        return 0;
    }

    if (n > len) {
        return 0;
    }

    for (i = 1; i < n; i++) {

        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = code << 6 | (p[i] & 0x3f);
    }

    if (code < least || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return 0;
    }

    return n;
}


static void
gw_prom_integer(gw_prom_t *out, uint64_t n)
{
    char    buf[GW_PROM_DIGITS];
    size_t  i;

    i = GW_PROM_DIGITS;

    do {
        buf[--i] = (char) ('0' + n % 10);
        n /= 10;
    } while (n);

    gw_prom_put(out, buf + i, GW_PROM_DIGITS - i);
}


/* "n" of "unit", a power of ten, without zeroes at the end */

static void
gw_prom_fraction(gw_prom_t *out, uint64_t n, uint64_t unit)
{
    char      digit;
    uint64_t  whole;

    whole = n / unit;
    n -= whole * unit;

    gw_prom_integer(out, whole);

    if (n) {
        gw_prom_put(out, ".", 1);
    }

    while (n) {
        n *= 10;

        whole = n / unit;
        n -= whole * unit;

        digit = (char) ('0' + whole);
        gw_prom_put(out, &digit, 1);
    }
}


static void
gw_prom_text(gw_prom_t *out, const char *text)
{
    gw_prom_put(out, text, strlen(text));
}


static void
gw_prom_put(gw_prom_t *out, const char *data, size_t len)
{
    if (out->rc != GW_OK) {
        return;
    }

    if ((size_t) (out->last - out->pos) < len) {
        out->rc = GW_DECLINED;
        return;
    }

    memcpy(out->pos, data, len);
    out->pos += len;
}
