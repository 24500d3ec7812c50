
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_tier.h"


static int gw_tier_value(const gw_str_t *word, const char *name,
    gw_str_t *value);
static int gw_tier_rate(gw_tier_t *t, const gw_str_t *value,
    const char **err);
static int gw_tier_burst(gw_tier_t *t, const gw_str_t *value,
    const char **err);
static int gw_tier_quota(gw_tier_t *t, const gw_str_t *value,
    const char **err);
static size_t gw_tier_number(const gw_str_t *value, int64_t *n);
static int gw_tier_is(const gw_str_t *s, size_t from, const char *text);
static int gw_tier_is_blank(char c);


/* the slash, then the unit */

static const char  *const gw_tier_units[] = { "/day", "/month" };


int
gw_tier_word(gw_tier_t *t, const gw_str_t *word, const char **err)
{
    gw_str_t  value;

    if (gw_tier_value(word, "rate=", &value)) {
        return gw_tier_rate(t, &value, err);
    }

    if (gw_tier_value(word, "burst=", &value)) {
        return gw_tier_burst(t, &value, err);
    }

    if (gw_tier_value(word, "quota=", &value)) {
        return gw_tier_quota(t, &value, err);
    }

    return GW_DECLINED;
}


static int
gw_tier_value(const gw_str_t *word, const char *name, gw_str_t *value)
{
    size_t  len;

    len = strlen(name);

    if (word->len < len || memcmp(word->data, name, len) != 0) {
        return 0;
    }

    value->data = word->data + len;
    value->len = word->len - len;

    return 1;
}


static int
gw_tier_rate(gw_tier_t *t, const gw_str_t *value, const char **err)
{
    if (t->rate.data) {
        *err = "has more than one \"rate=\"";
        return GW_ERROR;
    }

    t->rate = *value;

    return GW_OK;
}


static int
gw_tier_burst(gw_tier_t *t, const gw_str_t *value, const char **err)
{
    int64_t  n;

    if (t->burst) {
        *err = "has more than one \"burst=\"";
        return GW_ERROR;
    }

    if (value->len == 0 || gw_tier_number(value, &n) != value->len || n == 0) {
        *err = "has a burst that is no number of at least 1";
        return GW_ERROR;
    }

    /* the rate tells whether it is too large */

    t->burst = n;

    return GW_OK;
}


static int
gw_tier_quota(gw_tier_t *t, const gw_str_t *value, const char **err)
{
    size_t           i;
    int64_t          n;
    gw_quota_unit_e  unit;

    i = gw_tier_number(value, &n);

    for (unit = 0; unit < GW_QUOTA_UNITS; unit++) {

        if (gw_tier_is(value, i, gw_tier_units[unit])) {
            break;
        }
    }

    if (i == 0 || unit == GW_QUOTA_UNITS) {
        *err = "has a quota that is no number followed by /day or /month";
        return GW_ERROR;
    }

    if (n == 0 || n >= GW_QUOTA_MAX) {
        *err = "has a quota that is not between 1 and 68719476735";
        return GW_ERROR;
    }

    if (t->quota[unit].size) {
        *err = "has two quotas of the same unit";
        return GW_ERROR;
    }

    t->quota[unit].size = n;
    t->quota[unit].unit = unit;

    return GW_OK;
}


/* how many digits it begins with; too large a number is GW_BUCKET_SPAN */

static size_t
gw_tier_number(const gw_str_t *value, int64_t *n)
{
    size_t  i;

    *n = 0;

    for (i = 0; i < value->len; i++) {

        if (value->data[i] < '0' || value->data[i] > '9') {
            break;
        }

        *n = *n * 10 + (value->data[i] - '0');

        if (*n > GW_BUCKET_SPAN) {
            *n = GW_BUCKET_SPAN;
        }
    }

    return i;
}


static int
gw_tier_is(const gw_str_t *s, size_t from, const char *text)
{
    return s->len - from == strlen(text)
           && memcmp(s->data + from, text, s->len - from) == 0;
}


int
gw_tier_end(gw_tier_t *t, const char **err)
{
    int              rc;
    gw_quota_unit_e  unit;

    if (t->rate.data == NULL) {
        *err = "has no \"rate=\"";
        return GW_ERROR;
    }

    rc = gw_bucket_init(&t->bucket, &t->rate, t->burst, err);

    for (unit = 0; unit < GW_QUOTA_UNITS; unit++) {
        t->quota[unit].unit = unit;
    }

    t->rate.len = 0;
    t->rate.data = NULL;
    t->burst = 0;

    return rc;
}


int
gw_tier_text(gw_tier_t *t, const gw_str_t *text, const char **err)
{
    int          rc;
    size_t       i;
    gw_str_t     word;

    if (text->len > GW_TIER_TEXT) {
        *err = "is longer than 256 bytes";
        return GW_ERROR;
    }

    i = 0;

    for ( ;; ) {

        while (i < text->len && gw_tier_is_blank(text->data[i])) {
            i++;
        }

        if (i == text->len) {
            break;
        }

        word.data = text->data + i;

        while (i < text->len && !gw_tier_is_blank(text->data[i])) {
            i++;
        }

        word.len = text->data + i - word.data;

        rc = gw_tier_word(t, &word, err);

        if (rc == GW_DECLINED) {
            *err = "has a word that is none of \"rate=\", \"burst=\" and "
                   "\"quota=\"";
        }

        if (rc != GW_OK) {
            return GW_ERROR;
        }
    }

    return gw_tier_end(t, err);
}


static int
gw_tier_is_blank(char c)
{
    return c == ' ' || c == '\t';
}


int
gw_tier_equal(const gw_tier_t *a, const gw_tier_t *b)
{
    gw_quota_unit_e  unit;

    for (unit = 0; unit < GW_QUOTA_UNITS; unit++) {

        if (a->quota[unit].size != b->quota[unit].size) {
            return 0;
        }
    }

    return a->bucket.interval == b->bucket.interval
           && a->bucket.burst == b->bucket.burst;
}


int
gw_tier_is_name(const gw_str_t *name)
{
    char    c;
    size_t  i;

    if (name->len == 0 || name->len > GW_TIER_NAME) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if ((c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
            && (c < '0' || c > '9') && c != '-' && c != '_')
        {
            return 0;
        }
    }

    return 1;
}
