
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_memo.h"


/*
 * A refusal for "cost" tokens and more holds before "until".  From then to
 * "calm" one caller asks for all, if there is one before "probe".
 */

typedef struct {
    uint64_t           key[2];
    uint64_t           used;       /* when, in calls; 0: the record is free */

    uint64_t           until;      /* ms; 0: no refusal */
    uint64_t           calm;       /* ms */
    uint64_t           again;      /* ms, for the client; 0: never */
    uint64_t           probe;      /* ms; until then somebody asks */
    int64_t            cost;

    uint64_t           since;      /* ms, of the first strike */
    uint32_t           strikes;    /* not told yet */
    uint32_t           left;       /* till a ban, as Redis has said */

    int64_t            full;       /* of the machine's own bucket */
    uint32_t           cause;
    uint32_t           round;      /* what was refused before it is another */
} gw_memo_record_t;


/* the sets of records follow */

struct gw_memo_s {
    uint64_t           check;      /* of "sets" */
    uint64_t           sets;
    uint64_t           calls;
    uint64_t           used;
    uint64_t           evicted;
    uint64_t           unused[3];
};


_Static_assert(sizeof(gw_memo_record_t) == GW_MEMO_RECORD, "as promised");
_Static_assert(sizeof(gw_memo_t) % sizeof(uint64_t) == 0, "alignment");


static uint64_t gw_memo_check(const gw_memo_t *m);
static int gw_memo_ask_refused(gw_memo_record_t *rec, uint64_t now,
    int64_t cost, uint64_t after, gw_memo_denial_t *d);
static int gw_memo_strike(gw_memo_record_t *rec, uint64_t now,
    uint64_t after, gw_memo_denial_t *d);
static int gw_memo_probe(gw_memo_record_t *rec, uint64_t now,
    gw_memo_denial_t *d);
static void gw_memo_count(gw_memo_record_t *fresh, uint64_t sent,
    uint64_t now, int64_t wait, unsigned cause);
static void gw_memo_store(gw_memo_record_t *rec,
    const gw_memo_record_t *fresh);
static void gw_memo_tidy(gw_memo_t *m, gw_memo_record_t *rec);
static gw_memo_record_t *gw_memo_fewer(gw_memo_t *m, const uint64_t key[2],
    uint64_t now, int64_t cost, uint64_t more[2]);
static int gw_memo_tells(const gw_memo_record_t *rec, uint64_t now);
static gw_memo_record_t *gw_memo_find(gw_memo_t *m, const uint64_t key[2]);
static gw_memo_record_t *gw_memo_make(gw_memo_t *m, const uint64_t key[2],
    uint64_t now);
static int gw_memo_holds(const gw_memo_record_t *rec, uint64_t now);
static gw_memo_record_t *gw_memo_set(gw_memo_t *m, const uint64_t key[2]);


static const gw_memo_record_t  gw_memo_nothing;


int
gw_memo_init(void *block, size_t size)
{
    gw_memo_t  *m = block;

    if (size < GW_MEMO_MIN || (uintptr_t) block % sizeof(uint64_t) != 0) {
        return GW_ERROR;
    }

    memset(m, 0, size);

    m->sets = (size - sizeof(gw_memo_t))
              / (GW_MEMO_WAYS * sizeof(gw_memo_record_t));

    /* a set is found by 32 bits of the digest */

    if (m->sets > UINT32_MAX) {
        m->sets = UINT32_MAX;
    }

    m->check = gw_memo_check(m);

    return GW_OK;
}


static uint64_t
gw_memo_check(const gw_memo_t *m)
{
    return (m->sets + 1) * UINT64_C(0x9e3779b97f4a7c15);
}


int
gw_memo_ask(gw_memo_t *m, const uint64_t key[2], uint64_t now, int64_t cost,
    uint64_t after, gw_memo_denial_t *d)
{
    gw_memo_record_t  *rec;

    memset(d, 0, sizeof(gw_memo_denial_t));

    rec = gw_memo_find(m, key);

    if (rec == NULL || cost < rec->cost || !gw_memo_tells(rec, now)) {
        return GW_OK;
    }

    return gw_memo_ask_refused(rec, now, cost, after, d);
}


/* the strikes of a caller are counted in one record, that of its key */

int
gw_memo_ask_exact(gw_memo_t *m, const uint64_t key[2], uint64_t now,
    int64_t cost, uint64_t after, gw_memo_denial_t *d)
{
    uint64_t           more[2];
    gw_memo_record_t  *rec;

    rec = gw_memo_fewer(m, key, now, cost, more);

    if (rec == NULL) {
        return gw_memo_ask(m, key, now, cost, after, d);
    }

    if (gw_memo_ask(m, more, now, cost, 0, d) == GW_OK) {
        d->probe = 0;      /* the others need not wait for this question */
        return GW_OK;
    }

    return after != 0 ? gw_memo_strike(rec, now, after, d) : GW_DECLINED;
}


static int
gw_memo_ask_refused(gw_memo_record_t *rec, uint64_t now, int64_t cost,
    uint64_t after, gw_memo_denial_t *d)
{
    if (now >= rec->until && gw_memo_probe(rec, now, d) == GW_OK) {

        if (cost > rec->cost && rec->cause != GW_MEMO_BAN && rec->again != 0) {

            /* may be refused alone: the others must not wait for it */

            rec->probe = 0;
            d->probe = 0;
        }

        return GW_OK;
    }

    if (after != 0 && rec->cause != GW_MEMO_BAN
        && gw_memo_strike(rec, now, after, d) == GW_OK)
    {
        return GW_OK;
    }

    d->again = rec->again;
    d->cost = (rec->cause == GW_MEMO_BAN) ? cost : rec->cost;
    d->cause = rec->cause;

    if (d->again != 0 && d->again <= now) {
        d->again = now + 1;
    }

    return GW_DECLINED;
}


/* a strike; GW_OK: this one would make the ban, if Redis knew of all */

static int
gw_memo_strike(gw_memo_record_t *rec, uint64_t now, uint64_t after,
    gw_memo_denial_t *d)
{
    uint64_t  left;

    left = rec->left < after ? rec->left : after;

    if ((uint64_t) rec->strikes + 1 >= left
        && gw_memo_probe(rec, now, d) == GW_OK)
    {
        return GW_OK;
    }

    if (rec->strikes == 0 || now - rec->since >= GW_MEMO_STRIKES) {
        rec->strikes = 0;
        rec->since = now;
    }

    if (rec->strikes < UINT32_MAX) {
        rec->strikes++;
    }

    return GW_DECLINED;
}


/* GW_OK: nobody else asks, and the caller may */

static int
gw_memo_probe(gw_memo_record_t *rec, uint64_t now, gw_memo_denial_t *d)
{
    /* never further ahead, unless the record is broken */

    if (rec->probe > now && rec->probe - now <= GW_MEMO_PROBE) {
        return GW_DECLINED;
    }

    rec->probe = now + GW_MEMO_PROBE;
    d->probe = 1;

    return GW_OK;
}


void
gw_memo_refused(gw_memo_t *m, const uint64_t key[2], uint64_t sent,
    uint64_t now, int64_t cost, int64_t wait, unsigned cause, uint64_t left)
{
    gw_memo_record_t  *rec, fresh;

    gw_memo_count(&fresh, sent < now ? sent : now, now, wait, cause);

    /* a ban is for any cost */

    fresh.cost = (cause == GW_MEMO_BAN) ? 0 : cost;

    if (fresh.calm > now) {
        rec = gw_memo_make(m, key, now);

    } else {
        rec = gw_memo_find(m, key);
    }

    if (rec == NULL) {
        return;
    }

    rec->left = left < UINT32_MAX ? (uint32_t) left : UINT32_MAX;

    if (cause != GW_MEMO_BAN && cost == rec->cost
        && rec->calm > now && rec->calm - now <= GW_MEMO_PROBE)
    {
        /* asked a little too early: still no tokens for two */

        if (fresh.calm == 0) {
            rec->probe = now + 1;
            return;
        }

        if (fresh.calm < rec->calm) {
            fresh.calm = rec->calm;
        }
    }

    rec->probe = 0;

    /* the refusal of fewer tokens tells more, while it holds */

    if (fresh.cost <= rec->cost || now >= rec->until) {
        gw_memo_store(rec, &fresh);
    }

    gw_memo_tidy(m, rec);
}


void
gw_memo_refused_exact(gw_memo_t *m, const uint64_t key[2], uint64_t sent,
    uint64_t now, int64_t cost, int64_t wait, unsigned cause, uint64_t left)
{
    uint64_t  more[2];

    if (cause != GW_MEMO_BAN && gw_memo_fewer(m, key, now, cost, more)) {
        gw_memo_refused(m, more, sent, now, cost, wait, cause, left);
    }

    gw_memo_refused(m, key, sent, now, cost, wait, cause, left);
}


/*
 * The refusal ends no later than the tokens come: "until" is rounded down.
 * What the client is told is rounded up, and "now" was rounded down itself.
 *
 * At "until" there are as many tokens as were asked for, and for another
 * "wait" there can't be twice as many: who asks first takes all, so the
 * others are rightly refused.  Behind a ban there may be any number.
 */

static void
gw_memo_count(gw_memo_record_t *fresh, uint64_t sent, uint64_t now,
    int64_t wait, unsigned cause)
{
    uint64_t  ms, more;

    memset(fresh, 0, sizeof(gw_memo_record_t));

    if (wait >= 0 && wait < 1000) {
        return;
    }

    if (wait < 0) {
        ms = GW_MEMO_MAX;
        more = GW_MEMO_PROBE;

    } else {
        ms = (uint64_t) wait / 1000;
        more = ms;
        fresh->again = now + ms + 2;
    }

    if (more > GW_MEMO_PROBE) {
        more = GW_MEMO_PROBE;
    }

    fresh->cause = cause;

    if (cause == GW_MEMO_BAN) {
        more = 0;
    }

    fresh->until = sent + (ms < GW_MEMO_MAX ? ms : GW_MEMO_MAX);
    fresh->calm = sent + ms + more;

    if (fresh->calm <= now) {

        /* the answer was late: there are tokens again */

        memset(fresh, 0, sizeof(gw_memo_record_t));
    }
}


static void
gw_memo_store(gw_memo_record_t *rec, const gw_memo_record_t *fresh)
{
    rec->until = fresh->until;
    rec->calm = fresh->calm;
    rec->again = fresh->again;
    rec->probe = 0;
    rec->cost = fresh->cost;
    rec->cause = fresh->cause;
}


void
gw_memo_passed(gw_memo_t *m, const uint64_t key[2])
{
    gw_memo_record_t  *rec;

    rec = gw_memo_find(m, key);

    if (rec != NULL) {
        gw_memo_store(rec, &gw_memo_nothing);
        rec->round = (uint32_t) m->calls;
        gw_memo_tidy(m, rec);
    }
}


uint64_t
gw_memo_strikes(gw_memo_t *m, const uint64_t key[2], uint64_t now,
    uint64_t life)
{
    uint64_t           strikes;
    gw_memo_record_t  *rec;

    rec = gw_memo_find(m, key);

    if (rec == NULL) {
        return 0;
    }

    strikes = rec->strikes;
    rec->strikes = 0;

    if (life > GW_MEMO_STRIKES) {
        life = GW_MEMO_STRIKES;
    }

    return now - rec->since < life ? strikes : 0;
}


int
gw_memo_local(gw_memo_t *m, const uint64_t key[2], int64_t now,
    const gw_bucket_t *b, int64_t cost, gw_bucket_answer_t *answer)
{
    int64_t            full;
    gw_memo_record_t  *rec;

    rec = gw_memo_make(m, key, (uint64_t) now / 1000);

    if (rec == NULL) {
        full = 0;
        return gw_bucket_take(b, &full, now, cost, answer);
    }

    return gw_bucket_take(b, &rec->full, now, cost, answer);
}


void
gw_memo_back(gw_memo_t *m, const uint64_t key[2], int64_t now,
    const gw_bucket_t *b, int64_t tokens)
{
    gw_memo_record_t  *rec;

    rec = gw_memo_find(m, key);

    if (rec != NULL) {
        gw_bucket_give(b, &rec->full, now, tokens);
    }
}


/* a record that says nothing is free */

static void
gw_memo_tidy(gw_memo_t *m, gw_memo_record_t *rec)
{
    if (rec->until == 0 && rec->strikes == 0 && rec->full == 0) {
        rec->used = 0;
        m->used--;
    }
}


/* a refusal of fewer tokens; "more" is the key of a record for "cost" alone */

static gw_memo_record_t *
gw_memo_fewer(gw_memo_t *m, const uint64_t key[2], uint64_t now,
    int64_t cost, uint64_t more[2])
{
    gw_memo_record_t  *rec;

    rec = gw_memo_find(m, key);

    if (rec == NULL || cost <= rec->cost || rec->cause == GW_MEMO_BAN
        || rec->again == 0 || !gw_memo_tells(rec, now))
    {
        return NULL;
    }

    more[0] = key[0] ^ ((uint64_t) cost * UINT64_C(0x9e3779b97f4a7c15));
    more[1] = key[1] ^ rec->round;

    return rec;
}


/* 0: it was too long ago, or the record is broken */

static int
gw_memo_tells(const gw_memo_record_t *rec, uint64_t now)
{
    return rec->until != 0
           && (now < rec->until ? rec->until - now <= GW_MEMO_MAX
                                : now < rec->calm);
}


static gw_memo_record_t *
gw_memo_find(gw_memo_t *m, const uint64_t key[2])
{
    unsigned           i;
    gw_memo_record_t  *rec;

    rec = gw_memo_set(m, key);

    if (rec == NULL) {
        return NULL;
    }

    for (i = 0; i < GW_MEMO_WAYS; i++, rec++) {

        if (rec->used != 0 && rec->key[0] == key[0] && rec->key[1] == key[1]) {
            rec->used = ++m->calls;
            return rec;
        }
    }

    return NULL;
}


/* NULL only if the table is broken */

static gw_memo_record_t *
gw_memo_make(gw_memo_t *m, const uint64_t key[2], uint64_t now)
{
    int                holds, best_holds;
    unsigned           i;
    gw_memo_record_t  *rec, *best;

    rec = gw_memo_find(m, key);

    if (rec != NULL) {
        return rec;
    }

    rec = gw_memo_set(m, key);

    if (rec == NULL) {
        return NULL;
    }

    best = rec;
    best_holds = 1;

    for (i = 0; i < GW_MEMO_WAYS; i++, rec++) {

        if (rec->used == 0) {
            best = rec;
            break;
        }

        holds = gw_memo_holds(rec, now);

        if (holds < best_holds
            || (holds == best_holds && rec->used < best->used))
        {
            best = rec;
            best_holds = holds;
        }
    }

    if (best->used == 0) {
        m->used++;

    } else if (best->until > now) {
        m->evicted++;
    }

    memset(best, 0, sizeof(gw_memo_record_t));

    best->key[0] = key[0];
    best->key[1] = key[1];
    best->used = ++m->calls;
    best->round = (uint32_t) m->calls;

    return best;
}


/* what would be lost: a refusal, or what its own bucket has spent */

static int
gw_memo_holds(const gw_memo_record_t *rec, uint64_t now)
{
    return rec->until > now
           || (rec->full > 0 && (uint64_t) rec->full / 1000 > now);
}


/* whatever the block holds, the set lies inside */

static gw_memo_record_t *
gw_memo_set(gw_memo_t *m, const uint64_t key[2])
{
    uint64_t  n;

    if (m->check != gw_memo_check(m)) {
        return NULL;
    }

    n = (key[0] >> 32) * m->sets >> 32;

    return (gw_memo_record_t *) (m + 1) + n * GW_MEMO_WAYS;
}


void
gw_memo_stats(const gw_memo_t *m, gw_memo_stats_t *stats)
{
    stats->records = m->sets * GW_MEMO_WAYS;
    stats->used = m->used;
    stats->evicted = m->evicted;
}
