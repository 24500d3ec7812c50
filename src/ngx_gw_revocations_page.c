
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_revocations_page.h"


#define NGX_GW_REVOCATIONS_HEX    64          /* of SHA-256 */

/* ids before 2001 were not made from a clock, somebody chose them */

#define NGX_GW_REVOCATIONS_CLOCK  1000000000  /* s */


typedef enum {
    NGX_GW_REVOCATIONS_JTI = 0,
    NGX_GW_REVOCATIONS_SUB,
    NGX_GW_REVOCATIONS_KEY,
    NGX_GW_REVOCATIONS_ISS,
    NGX_GW_REVOCATIONS_BEFORE,
    NGX_GW_REVOCATIONS_UNTIL,
    NGX_GW_REVOCATIONS_FIELDS
} ngx_gw_revocations_field_e;


static ngx_int_t ngx_gw_revocations_page_compare(
    const ngx_gw_revocations_id_t *a, const ngx_gw_revocations_id_t *b);
static ngx_int_t ngx_gw_revocations_page_id(const ngx_gw_reply_t *entry,
    ngx_gw_revocations_id_t *id);
static void ngx_gw_revocations_page_entry(ngx_gw_revocations_page_t *page,
    const ngx_gw_reply_t *pairs, time_t now);
static const char *ngx_gw_revocations_page_marks(
    ngx_gw_revocations_page_t *page, const ngx_gw_reply_t *pairs, time_t now);
static const char *ngx_gw_revocations_page_fields(const ngx_gw_reply_t *pairs,
    ngx_str_t *fields);
static int64_t ngx_gw_revocations_page_until(const ngx_str_t *text,
    const ngx_gw_revocations_id_t *id, time_t now, const char **wrong);
static int64_t ngx_gw_revocations_page_before(const ngx_str_t *text,
    const ngx_gw_revocations_id_t *id, time_t now, const char **wrong);
static ngx_int_t ngx_gw_revocations_page_key(const ngx_str_t *text,
    u_char *hex);
static void ngx_gw_revocations_page_add(ngx_gw_revocations_page_t *page,
    gw_revoke_kind_e kind, const ngx_str_t *issuer, const ngx_str_t *id,
    int64_t until, int64_t before);
static ngx_int_t ngx_gw_revocations_page_number(const u_char *p,
    const u_char *last, uint64_t max, uint64_t *n);


static const ngx_str_t  ngx_gw_revocations_fields[] = {
    ngx_string("jti"),
    ngx_string("sub"),
    ngx_string("key"),
    ngx_string("iss"),
    ngx_string("before"),
    ngx_string("until")
};


ngx_int_t
ngx_gw_revocations_page_read(ngx_gw_revocations_page_t *page,
    const ngx_gw_reply_t *reply, const ngx_gw_revocations_id_t *from,
    ngx_uint_t known, ngx_uint_t count, time_t now)
{
    ngx_int_t                 n, order;
    ngx_uint_t                i;
    const ngx_gw_reply_t     *entry;
    ngx_gw_revocations_id_t   id;

    page->nitems = 0;
    page->entries = 0;
    page->last = *from;
    page->malformed = 0;
    page->failed = 0;

    known = (known != 0);
    count = ngx_min(count, NGX_GW_REVOCATIONS_PAGE);

    n = ngx_gw_reply_count(reply);

    if (n == NGX_ERROR || (ngx_uint_t) n > count + known) {
        return NGX_ERROR;
    }

    if (known && n == 0) {
        return NGX_DECLINED;
    }

    for (i = 0; i < (ngx_uint_t) n; i++) {

        entry = ngx_gw_reply_item(reply, i);

        if (ngx_gw_revocations_page_id(entry, &id) != NGX_OK) {
            return NGX_ERROR;
        }

        order = ngx_gw_revocations_page_compare(&id, &page->last);

        if (known && i == 0) {

            if (order > 0) {
                return NGX_DECLINED;
            }

            if (order == 0) {
                continue;
            }
        }

        /* out of order, the same page would be read for ever */

        if (order <= 0) {
            return NGX_ERROR;
        }

        page->last = id;
        page->entries++;

        ngx_gw_revocations_page_entry(page, ngx_gw_reply_item(entry, 1), now);
    }

    return page->failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_gw_revocations_page_compare(const ngx_gw_revocations_id_t *a,
    const ngx_gw_revocations_id_t *b)
{
    if (a->ms != b->ms) {
        return (a->ms < b->ms) ? -1 : 1;
    }

    if (a->seq != b->seq) {
        return (a->seq < b->seq) ? -1 : 1;
    }

    return 0;
}


/* an entry is an array of its id, "MS-SEQ", and its fields */

static ngx_int_t
ngx_gw_revocations_page_id(const ngx_gw_reply_t *entry,
    ngx_gw_revocations_id_t *id)
{
    u_char     *p, *last;
    ngx_str_t   text;

    if (ngx_gw_reply_count(entry) != 2
        || ngx_gw_reply_text(ngx_gw_reply_item(entry, 0), &text) != NGX_OK)
    {
        return NGX_ERROR;
    }

    last = text.data + text.len;

    p = ngx_strlchr(text.data, last, '-');

    if (p == NULL
        || ngx_gw_revocations_page_number(text.data, p, UINT64_MAX, &id->ms)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_gw_revocations_page_number(p + 1, last, UINT64_MAX, &id->seq);
}


static void
ngx_gw_revocations_page_entry(ngx_gw_revocations_page_t *page,
    const ngx_gw_reply_t *pairs, time_t now)
{
    const char  *wrong;

    wrong = ngx_gw_revocations_page_marks(page, pairs, now);

    if (wrong) {
        page->malformed++;
        page->wrong = wrong;
        page->wrong_id = page->last;
    }
}


/* what is wrong with it, NULL: nothing */

static const char *
ngx_gw_revocations_page_marks(ngx_gw_revocations_page_t *page,
    const ngx_gw_reply_t *pairs, time_t now)
{
    int64_t      until, before;
    ngx_str_t    key, fields[NGX_GW_REVOCATIONS_FIELDS];
    ngx_uint_t   n;
    const char  *wrong;
    u_char       hex[NGX_GW_REVOCATIONS_HEX];

    static const ngx_str_t  none = ngx_null_string;

    n = page->nitems;

    wrong = ngx_gw_revocations_page_fields(pairs, fields);

    until = ngx_gw_revocations_page_until(&fields[NGX_GW_REVOCATIONS_UNTIL],
                                          &page->last, now, &wrong);

    if (fields[NGX_GW_REVOCATIONS_JTI].len) {
        ngx_gw_revocations_page_add(page, GW_REVOKE_JTI,
                                    &fields[NGX_GW_REVOCATIONS_ISS],
                                    &fields[NGX_GW_REVOCATIONS_JTI],
                                    until, INT64_MAX);
    }

    if (fields[NGX_GW_REVOCATIONS_SUB].len) {
        before = ngx_gw_revocations_page_before(
                                          &fields[NGX_GW_REVOCATIONS_BEFORE],
                                          &page->last, now, &wrong);

        ngx_gw_revocations_page_add(page, GW_REVOKE_SUB, &none,
                                    &fields[NGX_GW_REVOCATIONS_SUB],
                                    until, before);
    }

    if (fields[NGX_GW_REVOCATIONS_KEY].len) {

        if (ngx_gw_revocations_page_key(&fields[NGX_GW_REVOCATIONS_KEY], hex)
            != NGX_OK)
        {
            return "\"key\" is not SHA-256 in hex";
        }

        key.len = NGX_GW_REVOCATIONS_HEX;
        key.data = hex;

        ngx_gw_revocations_page_add(page, GW_REVOKE_KEY, &none, &key,
                                    until, INT64_MAX);
    }

    if (page->nitems == n) {
        return "no \"jti\", \"sub\" or \"key\"";
    }

    return wrong;
}


/* data is NULL for what is absent; unknown fields are for others */

static const char *
ngx_gw_revocations_page_fields(const ngx_gw_reply_t *pairs,
    ngx_str_t *fields)
{
    ngx_int_t    n;
    ngx_str_t    name, value;
    ngx_uint_t   i, k;
    const char  *wrong;

    ngx_memzero(fields, NGX_GW_REVOCATIONS_FIELDS * sizeof(ngx_str_t));

    wrong = NULL;
    n = ngx_gw_reply_count(pairs);

    for (i = 0; n != NGX_ERROR && i + 1 < (ngx_uint_t) n; i += 2) {

        if (ngx_gw_reply_text(ngx_gw_reply_item(pairs, i), &name) != NGX_OK
            || ngx_gw_reply_text(ngx_gw_reply_item(pairs, i + 1), &value)
               != NGX_OK)
        {
            wrong = "a field is not a text";
            continue;
        }

        for (k = 0; k < NGX_GW_REVOCATIONS_FIELDS; k++) {

            if (!ngx_gw_str_equal(&name, &ngx_gw_revocations_fields[k])) {
                continue;
            }

            if (fields[k].data) {
                wrong = "a field is given twice";
                break;
            }

            fields[k] = value;
            break;
        }
    }

    return wrong;
}


static int64_t
ngx_gw_revocations_page_until(const ngx_str_t *text,
    const ngx_gw_revocations_id_t *id, time_t now, const char **wrong)
{
    int64_t   since;
    uint64_t  n;

    if (text->data) {

        if (ngx_gw_revocations_page_number(text->data, text->data + text->len,
                                           INT64_MAX, &n)
            == NGX_OK)
        {
            return (n > INT64_MAX - NGX_GW_REVOCATIONS_SLACK)
                   ? INT64_MAX : (int64_t) n + NGX_GW_REVOCATIONS_SLACK;
        }

        *wrong = "\"until\" is not a number of seconds";
    }

    since = id->ms / 1000;

    if (since < NGX_GW_REVOCATIONS_CLOCK
        || since > now + NGX_GW_REVOCATIONS_KEEP)
    {
        since = now;
    }

    return since + NGX_GW_REVOCATIONS_KEEP;
}


static int64_t
ngx_gw_revocations_page_before(const ngx_str_t *text,
    const ngx_gw_revocations_id_t *id, time_t now, const char **wrong)
{
    uint64_t  n;

    if (text->data) {

        if (ngx_gw_revocations_page_number(text->data, text->data + text->len,
                                           INT64_MAX, &n)
            == NGX_OK)
        {
            return (int64_t) n;
        }

        *wrong = "\"before\" is not a number of seconds";
    }

    /* "iat" has no fraction: the second of the entry is meant as a whole */

    if (id->ms / 1000 >= NGX_GW_REVOCATIONS_CLOCK) {
        return (int64_t) (id->ms / 1000) + 1;
    }

    *wrong = "neither \"before\" nor the id tells a time";

    return (int64_t) now + 1;
}


static ngx_int_t
ngx_gw_revocations_page_key(const ngx_str_t *text, u_char *hex)
{
    u_char      ch;
    ngx_uint_t  i;

    if (text->len != NGX_GW_REVOCATIONS_HEX) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_GW_REVOCATIONS_HEX; i++) {

        ch = ngx_tolower(text->data[i]);

        if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f'))) {
            return NGX_ERROR;
        }

        hex[i] = ch;
    }

    return NGX_OK;
}


/* there is room: an entry has each kind once */

static void
ngx_gw_revocations_page_add(ngx_gw_revocations_page_t *page,
    gw_revoke_kind_e kind, const ngx_str_t *issuer, const ngx_str_t *id,
    int64_t until, int64_t before)
{
    gw_str_t                    iss, text;
    ngx_gw_revocations_item_t  *item;

    iss.len = issuer->len;
    iss.data = (const char *) issuer->data;

    text.len = id->len;
    text.data = (const char *) id->data;

    item = &page->items[page->nitems++];

    if (gw_revoke_mark(kind, &iss, &text, item->mark) != GW_OK) {
        page->failed = 1;
    }

    item->until = until;
    item->before = before;
}


/* digits and nothing else; more than "max" is "max" */

static ngx_int_t
ngx_gw_revocations_page_number(const u_char *p, const u_char *last,
    uint64_t max, uint64_t *n)
{
    u_char  ch;

    if (p == last) {
        return NGX_ERROR;
    }

    for (*n = 0; p < last; p++) {

        ch = *p;

        if (ch < '0' || ch > '9') {
            return NGX_ERROR;
        }

        if (*n > (max - (ch - '0')) / 10) {
            *n = max;
            continue;
        }

        *n = *n * 10 + (ch - '0');
    }

    return NGX_OK;
}
