
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The table of requests in flight: in memory that outlives the worker, so
 * that who finds it can name them.  Pure, one writer, no lock.
 *
 * gw_inflight_init() formats a zeroed block of gw_inflight_size() bytes for
 * "slots" requests (at most 65535); "free" is memory of the worker for as
 * many uint16_t.  Blocks are aligned as malloc() does, numbers are those of
 * the machine.
 *
 * gw_inflight_enter() notes a request and returns its slot, from 1; 0 if all
 * are taken, or for sequence 0.  Text over its limit is left out as a whole.
 * gw_inflight_leave() frees a slot; 0 is none.  gw_inflight_last() tells the
 * sequence given out last; entering with it comes first.  A writer that is
 * killed at any instruction leaves each slot either empty or whole, and both
 * numbers of one gw_inflight_last().
 *
 * gw_inflight_left() is for who reads a table of which only a copy is mapped:
 * GW_INFLIGHT_WORD bytes that free a slot, and their offset in the block.
 *
 * gw_inflight_open() reads a block of which "len" bytes are there:
 *
 *     GW_OK        "info" is set; "node" points into the block
 *     GW_DECLINED  of a version that is not ours
 *     GW_ERROR     damaged
 *
 * gw_inflight_read() reads slot i, 1 to info.slots: GW_OK, or GW_DECLINED if it
 * is empty or unreadable.  Every field is within its limit, whatever the
 * block holds.
 */

#ifndef _GW_INFLIGHT_H_INCLUDED_
#define _GW_INFLIGHT_H_INCLUDED_


#include "gw_base.h"


#define GW_INFLIGHT_WORD            8

#define GW_INFLIGHT_MAX_REQUEST_ID  64
#define GW_INFLIGHT_MAX_API         128
#define GW_INFLIGHT_MAX_SUBJECT     512


typedef struct {
    uint64_t   sequence;
    int64_t    start;          /* ms since the epoch */
    gw_str_t   request_id;
    gw_str_t   api;
    gw_str_t   subject;
} gw_inflight_request_t;


typedef struct {
    char      *block;
    uint16_t  *free;
    unsigned   nfree;
    unsigned   slots;
} gw_inflight_t;


typedef struct {
    uint64_t   generation;
    uint64_t   sequence;       /* given out last */
    uint64_t   dropped;        /* sequences that have no event */
    unsigned   slots;
    gw_str_t   node;
} gw_inflight_info_t;


GW_HIDDEN_BEGIN

size_t gw_inflight_size(unsigned slots);
void gw_inflight_init(gw_inflight_t *t, void *block, unsigned slots,
    uint16_t *free, uint64_t generation, const gw_str_t *node);

unsigned gw_inflight_enter(gw_inflight_t *t, const gw_inflight_request_t *req);
void gw_inflight_leave(gw_inflight_t *t, unsigned slot);
size_t gw_inflight_left(char *word, unsigned slot);
void gw_inflight_last(gw_inflight_t *t, uint64_t sequence, uint64_t dropped);

int gw_inflight_open(gw_inflight_info_t *info, const void *block, size_t len);
int gw_inflight_read(gw_inflight_request_t *req, const void *block,
    size_t len, unsigned slot);

GW_HIDDEN_END


#endif /* _GW_INFLIGHT_H_INCLUDED_ */
