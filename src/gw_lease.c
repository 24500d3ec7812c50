
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_lease.h"


#define GW_LEASE_STARVE  100000                /* microseconds */
#define GW_LEASE_BOUND   (INT64_C(1) << 53)    /* above all numbers here */


typedef struct {
    uint64_t           key[2];
    uint64_t           used;       /* when, in calls; 0: the record is free */

    uint64_t           seen;       /* ms, last asked for what was not there */
    uint64_t           asked;      /* ms, when the refill began */
    uint64_t           ends;       /* ms, when the tokens' life does */
    uint64_t           away;       /* ms, when tokens were given back last */

    int64_t            have;
    int64_t            want;       /* of the refill under way; 0: none */
    int64_t            size;       /* by the demand; 0: none seen yet */
    int64_t            max;

    int64_t            left;       /* as Redis has said */
    int64_t            full;
    int64_t            interval;
    int64_t            windows[GW_QUOTA_UNITS];

    uint32_t           owner;
    uint32_t           len;
    char               name[GW_LEASE_NAME];
} gw_lease_record_t;


/* the sets of records follow */

struct gw_lease_s {
    uint64_t           check;      /* of "sets" */
    uint64_t           sets;
    uint64_t           calls;
    uint64_t           used;
    uint64_t           tokens;     /* "have" of all */
    uint64_t           evicted;
    uint64_t           lost;
    uint64_t           unused;
};


_Static_assert(sizeof(gw_lease_record_t) == GW_LEASE_RECORD, "as promised");
_Static_assert(sizeof(gw_lease_t) % sizeof(uint64_t) == 0, "alignment");


static uint64_t gw_lease_check(const gw_lease_t *l);
static int64_t gw_lease_want(gw_lease_record_t *rec, int64_t max,
    uint64_t now, unsigned spent);
static int gw_lease_order(const gw_lease_record_t *rec,
    const int64_t windows[GW_QUOTA_UNITS]);
static void gw_lease_return(gw_lease_t *l, gw_lease_record_t *rec,
    gw_lease_back_t *back);
static void gw_lease_describe(gw_lease_back_t *back, const char *name,
    size_t len, int64_t interval, const int64_t windows[GW_QUOTA_UNITS],
    int64_t tokens);
static gw_lease_record_t *gw_lease_find(gw_lease_t *l, const uint64_t key[2]);
static gw_lease_record_t *gw_lease_make(gw_lease_t *l, const uint64_t key[2]);
static void gw_lease_drop(gw_lease_t *l, gw_lease_record_t *rec);
static int gw_lease_sound(const gw_lease_record_t *rec);
static gw_lease_record_t *gw_lease_set(gw_lease_t *l, const uint64_t key[2]);


int
gw_lease_init(void *block, size_t size)
{
    gw_lease_t  *l = block;

    if (size < GW_LEASE_MIN || (uintptr_t) block % sizeof(uint64_t) != 0) {
        return GW_ERROR;
    }

    memset(l, 0, size);

    l->sets = (size - sizeof(gw_lease_t))
              / (GW_LEASE_WAYS * sizeof(gw_lease_record_t));

    /* a set is found by 32 bits of the digest */

    if (l->sets > UINT32_MAX) {
        l->sets = UINT32_MAX;
    }

    l->check = gw_lease_check(l);

    return GW_OK;
}


static uint64_t
gw_lease_check(const gw_lease_t *l)
{
    return (l->sets + 1) * UINT64_C(0xbf58476d1ce4e5b9);
}


int64_t
gw_lease_max(const gw_bucket_t *b, unsigned percent, uint64_t nodes)
{
    int64_t  max, ahead;

    if (nodes == 0) {
        nodes = 1;
    }

    /* two tokens for each machine in a tenth of a second, or none at all */

    if (nodes > GW_LEASE_STARVE
        || (int64_t) nodes * 2 * b->interval > GW_LEASE_STARVE)
    {
        return 0;
    }

    max = b->burst / 100 * percent + b->burst % 100 * percent / 100;
    max /= (int64_t) nodes;

    ahead = GW_LEASE_AHEAD / b->interval;

    if (max > ahead) {
        max = ahead;
    }

    return max < 2 ? 0 : max;
}


int
gw_lease_take(gw_lease_t *l, const uint64_t key[2], const gw_lease_of_t *of,
    uint64_t now, int64_t cost, gw_lease_take_t *t)
{
    int                 rc;
    int64_t             max;
    gw_lease_record_t  *rec;

    memset(t, 0, sizeof(gw_lease_take_t));

    max = of->max < GW_LEASE_BOUND ? of->max : GW_LEASE_BOUND;

    if (max <= 0 || cost > max || of->name.len > GW_LEASE_NAME) {
        return GW_DECLINED;
    }

    rec = gw_lease_find(l, key);

    if (rec == NULL) {
        rec = cost > 0 ? gw_lease_make(l, key) : NULL;

        if (rec != NULL) {
            rec->seen = now;
        }

        return GW_DECLINED;
    }

    rc = GW_DECLINED;

    if (rec->have > 0 && rec->have >= cost && now < rec->ends) {
        rec->have -= cost;
        l->tokens -= (uint64_t) cost;
        rc = GW_OK;
    }

    if (cost > 0) {
        t->want = gw_lease_want(rec, max, now, rc == GW_DECLINED);
    }

    if (rc == GW_OK) {
        t->full = rec->full;
        t->left = rec->left + rec->have;

        if (t->left > of->tier.bucket.burst) {
            t->left = of->tier.bucket.burst;
        }
    }

    return rc;
}


/* how many more to ask for, and the mark that somebody does */

static int64_t
gw_lease_want(gw_lease_record_t *rec, int64_t max, uint64_t now,
    unsigned spent)
{
    int64_t   size;
    uint64_t  seen, part;

    seen = rec->seen;

    if (spent) {
        rec->seen = now;
    }

    if (rec->want != 0 && now - rec->asked < GW_LEASE_REFILL) {
        return 0;
    }

    rec->want = 0;

    /* tokens on their way back are not there yet, but not here either */

    if (now - rec->away < GW_LEASE_AWAY) {
        return 0;
    }

    if (!spent && rec->have > rec->size / 2) {
        return 0;
    }

    if (rec->size == 0) {

        /* who comes once, needs no lease */

        if (now - seen >= GW_LEASE_LIFE) {
            return 0;
        }

        rec->size = GW_LEASE_FIRST;

    } else {

        /* all of it within half its life, or half of it within a quarter */

        part = spent ? GW_LEASE_LIFE / 2 : GW_LEASE_LIFE / 4;

        if (rec->ends != 0 && now + GW_LEASE_LIFE - rec->ends <= part) {
            rec->size *= 2;
        }
    }

    if (rec->size > max) {
        rec->size = max;
    }

    size = rec->size - rec->have;

    if (size <= 0) {
        return 0;
    }

    rec->max = max;
    rec->want = size;
    rec->asked = now;

    return size;
}


int
gw_lease_grant(gw_lease_t *l, const uint64_t key[2], const gw_lease_of_t *of,
    uint64_t now, int64_t granted, int64_t left, int64_t full,
    const int64_t windows[GW_QUOTA_UNITS], gw_lease_back_t *back)
{
    int                 order;
    int64_t             keep, room;
    gw_lease_record_t  *rec;

    keep = 0;

    if (granted < 0) {
        granted = 0;
    }

    gw_lease_describe(back, of->name.data, of->name.len,
                      of->tier.bucket.interval, windows, granted);

    rec = of->name.len <= GW_LEASE_NAME ? gw_lease_find(l, key) : NULL;

    if (rec != NULL) {
        order = gw_lease_order(rec, windows);

        room = rec->max < of->max ? rec->max : of->max;

        if (order == 0) {
            room -= rec->have;
        }

        keep = rec->want < granted ? rec->want : granted;

        if (keep > room) {
            keep = room;
        }

        if (order < 0) {
            keep = 0;
        }

        /* an answer that nobody waits for any more finds no want */

        rec->want = 0;
    }

    if (keep > 0) {
        back->tokens -= keep;

        if (order > 0) {
            gw_lease_return(l, rec, back);
        }

        rec->have += keep;
        rec->left = left >= 0 && left < GW_LEASE_BOUND ? left : 0;
        rec->full = full >= 0 && full < GW_LEASE_BOUND ? full : 0;
        rec->ends = now + GW_LEASE_LIFE;

        rec->interval = of->tier.bucket.interval;
        rec->owner = of->owner;
        rec->len = (uint32_t) of->name.len;

        memcpy(rec->name, of->name.data, of->name.len);
        memcpy(rec->windows, windows, sizeof(rec->windows));

        l->tokens += (uint64_t) keep;
    }

    return back->tokens > 0 ? GW_DECLINED : GW_OK;
}


/* whether the windows are later than those of the tokens held, if any */

static int
gw_lease_order(const gw_lease_record_t *rec,
    const int64_t windows[GW_QUOTA_UNITS])
{
    unsigned  i;

    for (i = 0; i < GW_QUOTA_UNITS; i++) {

        if (rec->have > 0 && windows[i] != rec->windows[i]) {
            return windows[i] > rec->windows[i] ? 1 : -1;
        }
    }

    return 0;
}


/* all of them; but of two kinds in "back" the one that is there stays */

static void
gw_lease_return(gw_lease_t *l, gw_lease_record_t *rec, gw_lease_back_t *back)
{
    if (back->tokens > 0) {
        l->lost += (uint64_t) rec->have;

    } else {
        gw_lease_describe(back, rec->name, rec->len, rec->interval,
                          rec->windows, rec->have);
    }

    l->tokens -= (uint64_t) rec->have;
    rec->have = 0;
}


static void
gw_lease_describe(gw_lease_back_t *back, const char *name, size_t len,
    int64_t interval, const int64_t windows[GW_QUOTA_UNITS], int64_t tokens)
{
    if (len > GW_LEASE_NAME) {
        len = 0;
    }

    if (len != 0) {
        memcpy(back->name, name, len);
    }

    memcpy(back->windows, windows, sizeof(back->windows));

    back->len = len;
    back->interval = interval;
    back->tokens = tokens;
}


void
gw_lease_spare(gw_lease_t *l, const uint64_t key[2], uint64_t now,
    int64_t tokens)
{
    int64_t             room;
    gw_lease_record_t  *rec;

    rec = gw_lease_find(l, key);

    room = (rec != NULL && now < rec->ends)
           ? rec->max - rec->have - rec->want : 0;

    if (room > tokens) {
        room = tokens;
    }

    if (room > 0) {
        rec->have += room;
        l->tokens += (uint64_t) room;
        tokens -= room;
    }

    l->lost += (uint64_t) tokens;
}


int
gw_lease_expired(gw_lease_t *l, uint64_t now, uint32_t owner,
    uint64_t *cursor, gw_lease_back_t *back)
{
    uint64_t            n;
    gw_lease_record_t  *rec;

    back->tokens = 0;

    if (l->check != gw_lease_check(l) || l->tokens == 0) {
        return GW_DECLINED;
    }

    for (n = 0; *cursor < l->sets * GW_LEASE_WAYS; n++) {

        if (n == GW_LEASE_SCAN) {
            return GW_AGAIN;
        }

        rec = (gw_lease_record_t *) (l + 1) + *cursor;
        (*cursor)++;

        if (rec->used == 0 || rec->have == 0) {
            continue;
        }

        if (!gw_lease_sound(rec)) {
            gw_lease_drop(l, rec);
            continue;
        }

        if (now < rec->ends && (owner == 0 || rec->owner != owner)) {
            continue;
        }

        if (now >= rec->ends) {
            rec->size /= 2;
        }

        gw_lease_return(l, rec, back);
        rec->away = now;

        return GW_OK;
    }

    return GW_DECLINED;
}


static gw_lease_record_t *
gw_lease_find(gw_lease_t *l, const uint64_t key[2])
{
    unsigned            i;
    gw_lease_record_t  *rec;

    rec = gw_lease_set(l, key);

    if (rec == NULL) {
        return NULL;
    }

    for (i = 0; i < GW_LEASE_WAYS; i++, rec++) {

        if (rec->used == 0 || rec->key[0] != key[0] || rec->key[1] != key[1]) {
            continue;
        }

        if (!gw_lease_sound(rec)) {
            gw_lease_drop(l, rec);
            return NULL;
        }

        rec->used = ++l->calls;

        return rec;
    }

    return NULL;
}


/* a free one, or the one used longest ago, one without tokens first */

static gw_lease_record_t *
gw_lease_make(gw_lease_t *l, const uint64_t key[2])
{
    int                 holds, best_holds;
    unsigned            i;
    gw_lease_record_t  *rec, *best;

    rec = gw_lease_set(l, key);

    if (rec == NULL) {
        return NULL;
    }

    best = rec;
    best_holds = 1;

    for (i = 0; i < GW_LEASE_WAYS; i++, rec++) {

        if (rec->used == 0) {
            best = rec;
            break;
        }

        holds = (rec->have != 0 || rec->want != 0);

        if (holds < best_holds
            || (holds == best_holds && rec->used < best->used))
        {
            best = rec;
            best_holds = holds;
        }
    }

    if (best->used != 0) {
        gw_lease_drop(l, best);
    }

    memset(best, 0, sizeof(gw_lease_record_t));

    best->key[0] = key[0];
    best->key[1] = key[1];
    best->used = ++l->calls;

    l->used++;

    return best;
}


static void
gw_lease_drop(gw_lease_t *l, gw_lease_record_t *rec)
{
    if (rec->have != 0) {
        l->evicted++;
        l->lost += (uint64_t) rec->have;
        l->tokens -= (uint64_t) rec->have;
    }

    rec->used = 0;
    l->used--;
}


/* no call would have made another one, nor can it be calculated with */

static int
gw_lease_sound(const gw_lease_record_t *rec)
{
    return rec->len <= GW_LEASE_NAME
           && rec->have >= 0 && rec->have <= rec->max
           && rec->want >= 0 && rec->want <= rec->max
           && rec->size >= 0 && rec->size <= GW_LEASE_BOUND
           && rec->max >= 0 && rec->max <= GW_LEASE_BOUND
           && rec->left >= 0 && rec->left <= GW_LEASE_BOUND;
}


/* whatever the block holds, the set lies inside */

static gw_lease_record_t *
gw_lease_set(gw_lease_t *l, const uint64_t key[2])
{
    uint64_t  n;

    if (l->check != gw_lease_check(l)) {
        return NULL;
    }

    n = (key[0] >> 32) * l->sets >> 32;

    return (gw_lease_record_t *) (l + 1) + n * GW_LEASE_WAYS;
}


void
gw_lease_stats(const gw_lease_t *l, gw_lease_stats_t *stats)
{
    stats->records = l->sets * GW_LEASE_WAYS;
    stats->used = l->used;
    stats->tokens = l->tokens;
    stats->evicted = l->evicted;
    stats->lost = l->lost;
}
