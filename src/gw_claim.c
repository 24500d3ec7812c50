
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "gw_claim.h"
#include "gw_json.h"


/* the last second of the year 9999; milliseconds by mistake lie beyond it */

#define GW_CLAIM_MAX_TIME  253402300799

#define GW_CLAIM_NUMBER    24


static int gw_claim_array(const json_t *array, char *buf, size_t size,
    size_t *len);
static int gw_claim_scalar(const json_t *value, char *number, gw_str_t *s);
static int gw_claim_append(char *buf, size_t size, size_t *len,
    const gw_str_t *s);
static int gw_claim_is_one_of(const json_t *value, const gw_str_t *audiences,
    size_t n);
static int gw_claim_equals(const json_t *value, const gw_str_t *wanted);


int
gw_claim_text(const json_t *claims, const char *name, char *buf, size_t size,
    size_t *len)
{
    char      number[GW_CLAIM_NUMBER];
    json_t   *value;
    gw_str_t  s;

    *len = 0;

    value = json_object_get(claims, name);

    if (value == NULL || json_is_null(value)) {
        return GW_DECLINED;
    }

    if (json_is_array(value)) {
        return gw_claim_array(value, buf, size, len);
    }

    if (gw_claim_scalar(value, number, &s) != GW_OK) {
        return GW_ERROR;
    }

    return gw_claim_append(buf, size, len, &s);
}


static int
gw_claim_array(const json_t *array, char *buf, size_t size, size_t *len)
{
    size_t    i;
    json_t   *value;
    gw_str_t  s;

    static const gw_str_t  space = gw_str(" ");

    json_array_foreach(array, i, value) {

        if (!json_is_string(value)) {
            return GW_ERROR;
        }

        s.data = json_string_value(value);
        s.len = json_string_length(value);

        /* ["a b"] is one scope that must not become two */

        if (s.len == 0 || memchr(s.data, ' ', s.len)) {
            return GW_ERROR;
        }

        if (i && gw_claim_append(buf, size, len, &space) != GW_OK) {
            return GW_ERROR;
        }

        if (gw_claim_append(buf, size, len, &s) != GW_OK) {
            return GW_ERROR;
        }
    }

    return GW_OK;
}


/* "s" points into "value" or to "number", GW_CLAIM_NUMBER bytes */

static int
gw_claim_scalar(const json_t *value, char *number, gw_str_t *s)
{
    switch (json_typeof(value)) {

    case JSON_STRING:
        s->data = json_string_value(value);
        s->len = json_string_length(value);
        return GW_OK;

    case JSON_INTEGER:
        s->data = number;
        s->len = (size_t) snprintf(number, GW_CLAIM_NUMBER,
                                   "%" JSON_INTEGER_FORMAT,
                                   json_integer_value(value));
        return GW_OK;

    case JSON_TRUE:
    case JSON_FALSE:
        s->data = json_is_true(value) ? "true" : "false";
        s->len = strlen(s->data);
        return GW_OK;

    default:
        return GW_ERROR;
    }
}


static int
gw_claim_append(char *buf, size_t size, size_t *len, const gw_str_t *s)
{
    if (s->len > size - *len || gw_json_has_control(s)) {
        return GW_ERROR;
    }

    memcpy(buf + *len, s->data, s->len);
    *len += s->len;

    return GW_OK;
}


int
gw_claim_time(const json_t *claims, const char *name, int up, int64_t *t)
{
    double   real;
    json_t  *value;

    *t = 0;

    value = json_object_get(claims, name);

    if (value == NULL) {
        return GW_DECLINED;
    }

    if (json_is_integer(value)) {
        *t = json_integer_value(value);
        return (*t < 0 || *t > GW_CLAIM_MAX_TIME) ? GW_ERROR : GW_OK;
    }

    if (!json_is_real(value)) {
        return GW_ERROR;
    }

    real = json_real_value(value);

    if (!(real >= 0 && real <= GW_CLAIM_MAX_TIME)) {
        return GW_ERROR;
    }

    *t = (int64_t) real;

    if (up && (double) *t < real) {
        (*t)++;
    }

    return GW_OK;
}


int
gw_claim_audience(const json_t *claims, const gw_str_t *audiences, size_t n)
{
    int      found;
    size_t   i;
    json_t  *aud, *value;

    aud = json_object_get(claims, "aud");

    if (aud == NULL) {
        return GW_DECLINED;
    }

    if (json_is_string(aud)) {
        return gw_claim_is_one_of(aud, audiences, n) ? GW_OK : GW_DECLINED;
    }

    if (!json_is_array(aud)) {
        return GW_ERROR;
    }

    found = 0;

    json_array_foreach(aud, i, value) {

        if (!json_is_string(value)) {
            return GW_ERROR;
        }

        found |= gw_claim_is_one_of(value, audiences, n);
    }

    return found ? GW_OK : GW_DECLINED;
}


static int
gw_claim_is_one_of(const json_t *value, const gw_str_t *audiences, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (gw_claim_equals(value, &audiences[i])) {
            return 1;
        }
    }

    return 0;
}


int
gw_claim_has(const json_t *claims, const char *name, const gw_str_t *value)
{
    size_t   i;
    json_t  *claim, *member;

    claim = json_object_get(claims, name);

    if (claim == NULL) {
        return 0;
    }

    if (!json_is_array(claim)) {
        return gw_claim_equals(claim, value);
    }

    json_array_foreach(claim, i, member) {
        if (gw_claim_equals(member, value)) {
            return 1;
        }
    }

    return 0;
}


static int
gw_claim_equals(const json_t *value, const gw_str_t *wanted)
{
    char      number[GW_CLAIM_NUMBER];
    gw_str_t  s;

    return gw_claim_scalar(value, number, &s) == GW_OK
           && s.len == wanted->len
           && memcmp(s.data, wanted->data, s.len) == 0;
}


int
gw_claim_word(const gw_str_t *text, const gw_str_t *word)
{
    size_t       left, n;
    const char  *p, *space;

    if (word->len == 0) {
        return 0;
    }

    p = text->data;
    left = text->len;

    while (left) {
        space = memchr(p, ' ', left);
        n = space ? (size_t) (space - p) : left;

        if (n == word->len && memcmp(p, word->data, n) == 0) {
            return 1;
        }

        if (space == NULL) {
            break;
        }

        p = space + 1;
        left -= n + 1;
    }

    return 0;
}
