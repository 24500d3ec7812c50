
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What one machine remembers of the buckets in Redis: refusals, so that a
 * caller who is refused costs no question until its bucket can have refilled;
 * and a bucket of its own for the time when Redis is away.
 *
 * The memory is a table of fixed records in sets of GW_MEMO_WAYS, found by a
 * digest; in a full set the record used longest ago goes, one without a live
 * refusal first, which costs a question to Redis or fills a local bucket,
 * never an error.  No pointers, not locked here: the caller does.  "now" is
 * milliseconds, of a clock that never goes back.
 *
 * gw_memo_ask() tells whether Redis has to be asked for "cost" tokens:
 *
 *     GW_OK        ask.  If d->probe is set the caller is the one who asks for
 *                  all: it must call gw_memo_refused() or gw_memo_passed(), or
 *                  after GW_MEMO_PROBE ms another one may
 *     GW_DECLINED  refused: "d" says until when and why
 *
 * A refusal for some tokens holds for as many and more, a ban for any.  It is
 * exact: tokens come by time only, so its end is counted from when the
 * question was sent.  What others change (a key removed, numbers of another
 * kind) is seen after GW_MEMO_MAX ms at the latest.  While one asks, at the
 * end, the others are refused as long as there can't be tokens for two; only
 * the end of a quota, where all come at once, may so be late by one question,
 * within GW_MEMO_PROBE ms.
 *
 * gw_memo_refused() stores a refusal.  "wait" (microseconds, -1: never) counts
 * from "sent" for the next question, from "now" for the client.  Less than a
 * millisecond is not worth it.  "cause" is GW_MEMO_BAN, or any other number up
 * to 255 that the caller wants to know again.  gw_memo_passed() forgets it.
 *
 * gw_memo_ask_exact() and gw_memo_refused_exact() are for what more tokens may
 * have to wait for longer than time tells, such as a quota: a refusal holds for
 * as many, and more tokens are asked for and remembered by themselves.
 *
 * Refusals answered from here are strikes that Redis does not know of;
 * gw_memo_strikes() takes them, to be told with the next question.  With
 * "after" strikes in all, GW_OK says that it is time to tell, so that this
 * request makes the ban: "left" is what Redis has said to be left till then.
 * Strikes that nobody told for "life" ms, which is what a ban counts in, or for
 * GW_MEMO_STRIKES ms, are forgotten.
 *
 * gw_memo_local() takes tokens from the machine's own bucket, as
 * gw_bucket_take() does; "now" in microseconds, of the same clock.
 * gw_memo_back() gives them back.
 *
 * Whatever bytes of the block are changed, all functions stay inside; a table
 * with a broken head knows nothing.
 */

#ifndef _GW_MEMO_H_INCLUDED_
#define _GW_MEMO_H_INCLUDED_


#include "gw_bucket.h"


#define GW_MEMO_WAYS     8
#define GW_MEMO_RECORD   96            /* bytes */
#define GW_MEMO_MIN      (16 * 1024)   /* bytes of a table */
#define GW_MEMO_MAX      2000          /* ms that a refusal is believed */
#define GW_MEMO_PROBE    100           /* ms */
#define GW_MEMO_STRIKES  60000         /* ms */

#define GW_MEMO_BAN      1


typedef struct gw_memo_s  gw_memo_t;


typedef struct {
    uint64_t   again;              /* ms, for the client; 0: never */
    int64_t    cost;               /* that this is for; more take longer */
    unsigned   cause:8;
    unsigned   probe:1;
} gw_memo_denial_t;


typedef struct {
    uint64_t   records;            /* that a table can hold */
    uint64_t   used;
    uint64_t   evicted;            /* while their refusal still held */
} gw_memo_stats_t;


GW_HIDDEN_BEGIN

int gw_memo_init(void *block, size_t size);

int gw_memo_ask(gw_memo_t *m, const uint64_t key[2], uint64_t now,
    int64_t cost, uint64_t after, gw_memo_denial_t *d);
void gw_memo_refused(gw_memo_t *m, const uint64_t key[2], uint64_t sent,
    uint64_t now, int64_t cost, int64_t wait, unsigned cause,
    uint64_t left);
int gw_memo_ask_exact(gw_memo_t *m, const uint64_t key[2], uint64_t now,
    int64_t cost, uint64_t after, gw_memo_denial_t *d);
void gw_memo_refused_exact(gw_memo_t *m, const uint64_t key[2], uint64_t sent,
    uint64_t now, int64_t cost, int64_t wait, unsigned cause,
    uint64_t left);
void gw_memo_passed(gw_memo_t *m, const uint64_t key[2]);
uint64_t gw_memo_strikes(gw_memo_t *m, const uint64_t key[2], uint64_t now,
    uint64_t life);

int gw_memo_local(gw_memo_t *m, const uint64_t key[2], int64_t now,
    const gw_bucket_t *b, int64_t cost, gw_bucket_answer_t *answer);
void gw_memo_back(gw_memo_t *m, const uint64_t key[2], int64_t now,
    const gw_bucket_t *b, int64_t tokens);

void gw_memo_stats(const gw_memo_t *m, gw_memo_stats_t *stats);

GW_HIDDEN_END


#endif /* _GW_MEMO_H_INCLUDED_ */
