
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "gw_json.h"


static int gw_json_is_deep(const char *text, size_t len);
static void gw_json_append(gw_json_out_t *out, const char *data, size_t len);
static size_t gw_json_utf8(const unsigned char *p, size_t len);


json_t *
gw_json_object(const char *text, size_t len)
{
    json_t  *value;

    if (gw_json_is_deep(text, len)) {
        return NULL;
    }

    value = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(value)) {
        json_decref(value);
        return NULL;
    }

    return value;
}


void
gw_json_free(json_t *object)
{
    json_decref(object);
}


/* jansson goes down 2048 levels of recursion before it refuses */

static int
gw_json_is_deep(const char *text, size_t len)
{
    int      quoted;
    size_t   i, depth;

    depth = 0;
    quoted = 0;

    /* most texts have fewer brackets altogether */

    for (i = 0; i < len; i++) {
        depth += (text[i] == '{') + (text[i] == '[');
    }

    if (depth <= GW_JSON_MAX_DEPTH) {
        return 0;
    }

    depth = 0;

    for (i = 0; i < len; i++) {

        switch (text[i]) {

        case '"':
            quoted = !quoted;
            break;

        case '\\':
            if (quoted) {
                i++;
            }

            break;

        case '{':
        case '[':
            if (!quoted && ++depth > GW_JSON_MAX_DEPTH) {
                return 1;
            }

            break;

        case '}':
        case ']':
            if (!quoted && depth) {
                depth--;
            }

            break;
        }
    }

    return 0;
}


int
gw_json_text(const json_t *object, const char *name, gw_str_t *s)
{
    json_t  *value;

    s->len = 0;
    s->data = NULL;

    value = json_object_get(object, name);

    if (value == NULL) {
        return GW_DECLINED;
    }

    if (!json_is_string(value)) {
        return GW_ERROR;
    }

    s->len = json_string_length(value);
    s->data = json_string_value(value);

    return GW_OK;
}


void
gw_json_put(gw_json_out_t *out, const char *text)
{
    gw_json_append(out, text, strlen(text));
}


void
gw_json_put_string(gw_json_out_t *out, const gw_str_t *s)
{
    char                  escaped[7];
    size_t                len, n;
    const unsigned char  *p;

    p = (const unsigned char *) s->data;
    len = s->len;

    gw_json_append(out, "\"", 1);

    while (len) {
        n = gw_json_utf8(p, len);

        if (n == 0) {
            if (out->rc == GW_OK) {
                out->rc = GW_ERROR;
            }

            return;
        }

        if (*p == '"' || *p == '\\') {
            gw_json_append(out, "\\", 1);
        }

        if (*p < 0x20 || *p == 0x7f) {
            snprintf(escaped, sizeof(escaped), "\\u%04x", *p);
            gw_json_append(out, escaped, 6);

        } else {
            gw_json_append(out, (const char *) p, n);
        }

        p += n;
        len -= n;
    }

    gw_json_append(out, "\"", 1);
}


void
gw_json_put_int(gw_json_out_t *out, int64_t n)
{
    int   len;
    char  text[24];

    len = snprintf(text, sizeof(text), "%lld", (long long) n);

    gw_json_append(out, text, (size_t) len);
}


static void
gw_json_append(gw_json_out_t *out, const char *data, size_t len)
{
    if (out->rc != GW_OK) {
        return;
    }

    if (len > (size_t) (out->last - out->pos)) {
        out->rc = GW_DECLINED;
        return;
    }

    memcpy(out->pos, data, len);
    out->pos += len;
}


/* the length of the character at "p", 0 if it is not well-formed UTF-8 */

static size_t
gw_json_utf8(const unsigned char *p, size_t len)
{
    size_t    i, n;
    uint32_t  ch;

    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (p[0] < 0x80) {
        return 1;
    }

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;
        ch = p[0] & 0x1f;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        ch = p[0] & 0x0f;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        ch = p[0] & 0x07;

    } else {
        return 0;
    }

    if (len < n) {
        return 0;
    }

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        ch = ch << 6 | (p[i] & 0x3f);
    }

    if (ch < least[n] || ch > 0x10ffff || (ch >= 0xd800 && ch <= 0xdfff)) {
        return 0;
    }

    return n;
}


int
gw_json_has_control(const gw_str_t *s)
{
    size_t         i;
    unsigned char  ch;

    for (i = 0; i < s->len; i++) {
        ch = (unsigned char) s->data[i];

        if (ch < 0x20 || ch == 0x7f) {
            return 1;
        }
    }

    return 0;
}
