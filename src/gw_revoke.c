
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_revoke.h"
#include "gw_sha256.h"


#define GW_REVOKE_SLOTS  (UINT32_C(1) << 31)


/* linear probing; "until" is 0 in an empty slot */

typedef struct {
    uint8_t    mark[GW_REVOKE_MARK];
    int64_t    until;
    int64_t    before;
} gw_revoke_entry_t;


struct gw_revoke_s {
    uint64_t   slots;
    uint64_t   check;        /* of "slots" */
    uint64_t   count;        /* expired ones included */
    int64_t    first;        /* no entry expires before */
};


_Static_assert(sizeof(gw_revoke_entry_t) == 32, "as promised");


static void gw_revoke_number(char *p, uint64_t n);
static void gw_revoke_sweep(gw_revoke_t *rv, int64_t now);
static gw_revoke_entry_t *gw_revoke_find(const gw_revoke_t *rv,
    const uint8_t *mark);
static uint64_t gw_revoke_home(const gw_revoke_t *rv, const uint8_t *mark);
static gw_revoke_entry_t *gw_revoke_entries(const gw_revoke_t *rv);
static uint64_t gw_revoke_guard(uint64_t slots);


int
gw_revoke_mark(gw_revoke_kind_e kind, const gw_str_t *issuer,
    const gw_str_t *id, uint8_t *mark)
{
    char      head[1 + 8], middle[8];
    uint8_t   digest[GW_SHA256_SIZE];
    gw_str_t  parts[4];

    head[0] = (char) kind;
    gw_revoke_number(head + 1, issuer->len);
    gw_revoke_number(middle, id->len);

    parts[0].len = sizeof(head);
    parts[0].data = head;
    parts[1] = *issuer;
    parts[2].len = sizeof(middle);
    parts[2].data = middle;
    parts[3] = *id;

    if (gw_sha256(parts, 4, digest) != GW_OK) {
        memset(mark, 0, GW_REVOKE_MARK);
        return GW_ERROR;
    }

    memcpy(mark, digest, GW_REVOKE_MARK);

    return GW_OK;
}


static void
gw_revoke_number(char *p, uint64_t n)
{
    unsigned  i;

    for (i = 0; i < 8; i++) {
        p[i] = (char) (n >> (56 - 8 * i));
    }
}


int
gw_revoke_init(void *block, size_t size)
{
    gw_revoke_t  *rv = block;

    if (size < GW_REVOKE_MIN || (uintptr_t) block % sizeof(uint64_t) != 0) {
        return GW_ERROR;
    }

    rv->slots = (size - sizeof(gw_revoke_t)) / sizeof(gw_revoke_entry_t);

    if (rv->slots > GW_REVOKE_SLOTS) {
        rv->slots = GW_REVOKE_SLOTS;
    }

    rv->check = gw_revoke_guard(rv->slots);
    rv->count = 0;
    rv->first = INT64_MAX;

    memset(gw_revoke_entries(rv), 0, rv->slots * sizeof(gw_revoke_entry_t));

    return GW_OK;
}


int
gw_revoke_put(gw_revoke_t *rv, const uint8_t *mark, int64_t now,
    int64_t until, int64_t before)
{
    gw_revoke_entry_t  *e;

    if (rv->check != gw_revoke_guard(rv->slots)) {
        return GW_ERROR;
    }

    if (until <= now || until <= 0) {
        return GW_DECLINED;
    }

    /* times are whole seconds: at most once in each */

    if (now >= rv->first && rv->count >= rv->slots / 2) {
        gw_revoke_sweep(rv, now);
    }

    e = gw_revoke_find(rv, mark);

    if (e == NULL) {
        return GW_ERROR;
    }

    if (e->until == 0) {

        if (rv->count >= rv->slots / 8 * 7) {
            return GW_ERROR;
        }

        rv->count++;
        memcpy(e->mark, mark, GW_REVOKE_MARK);

    } else if (e->until > now) {

        if (until < e->until) {
            until = e->until;
        }

        if (before < e->before) {
            before = e->before;
        }
    }

    e->until = until;
    e->before = before;

    if (until < rv->first) {
        rv->first = until;
    }

    return GW_OK;
}


/*
 * Takes each entry out and puts it back unless it has expired.  The walk
 * begins behind an empty slot: what an entry may have been pushed past has had
 * its turn before.
 */

static void
gw_revoke_sweep(gw_revoke_t *rv, int64_t now)
{
    uint64_t            i, n;
    gw_revoke_entry_t   copy, *e, *entries;

    entries = gw_revoke_entries(rv);

    for (i = 0; i < rv->slots && entries[i].until != 0; i++) {
        /* void */
    }

    if (i == rv->slots) {
        return;
    }

    rv->count = 0;
    rv->first = INT64_MAX;

    for (n = 0; n < rv->slots; n++) {
        i = i + 1 < rv->slots ? i + 1 : 0;

        if (entries[i].until == 0) {
            continue;
        }

        copy = entries[i];
        entries[i].until = 0;

        if (copy.until <= now) {
            continue;
        }

        e = gw_revoke_find(rv, copy.mark);

        if (e == NULL) {
            continue;
        }

        *e = copy;

        rv->count++;

        if (copy.until < rv->first) {
            rv->first = copy.until;
        }
    }
}


int
gw_revoke_check(const gw_revoke_t *rv, uint8_t (*marks)[GW_REVOKE_MARK],
    size_t n, int64_t now, int64_t issued)
{
    size_t                    i;
    const gw_revoke_entry_t  *e;

    /* a table that can't be read refuses all */

    if (rv->check != gw_revoke_guard(rv->slots)) {
        return GW_DECLINED;
    }

    for (i = 0; i < n; i++) {
        e = gw_revoke_find(rv, marks[i]);

        if (e == NULL || e->until <= now) {
            continue;
        }

        if (issued == 0 || issued < e->before || e->before == INT64_MAX) {
            return GW_DECLINED;
        }
    }

    return GW_OK;
}


/* the entry of the mark, or the empty slot where it belongs */

static gw_revoke_entry_t *
gw_revoke_find(const gw_revoke_t *rv, const uint8_t *mark)
{
    uint64_t            i, n;
    gw_revoke_entry_t  *entries;

    entries = gw_revoke_entries(rv);
    i = gw_revoke_home(rv, mark);

    for (n = 0; n < rv->slots; n++) {

        if (entries[i].until == 0
            || memcmp(entries[i].mark, mark, GW_REVOKE_MARK) == 0)
        {
            return &entries[i];
        }

        i = i + 1 < rv->slots ? i + 1 : 0;
    }

    return NULL;
}


static uint64_t
gw_revoke_home(const gw_revoke_t *rv, const uint8_t *mark)
{
    uint32_t  hash;

    memcpy(&hash, mark, sizeof(uint32_t));

    return hash * rv->slots >> 32;
}


static gw_revoke_entry_t *
gw_revoke_entries(const gw_revoke_t *rv)
{
    return (gw_revoke_entry_t *) (rv + 1);
}


/* all bounds are taken from "slots" */

static uint64_t
gw_revoke_guard(uint64_t slots)
{
    slots = (slots + 1) * UINT64_C(0x9e3779b97f4a7c15);

    return (slots ^ slots >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}


void
gw_revoke_stats(const gw_revoke_t *rv, int64_t now, uint64_t *used,
    uint64_t *size)
{
    uint64_t                  i;
    const gw_revoke_entry_t  *entries;

    *used = 0;
    *size = 0;

    if (rv->check != gw_revoke_guard(rv->slots)) {
        return;
    }

    *size = rv->slots / 8 * 7;

    if (now < rv->first) {
        *used = rv->count;
        return;
    }

    entries = gw_revoke_entries(rv);

    for (i = 0; i < rv->slots; i++) {
        *used += entries[i].until > now;
    }
}
