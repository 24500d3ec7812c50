
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The format of the journal: names of files, headers of segments, records.
 * Pure; numbers are little-endian.
 *
 * A generation, one life of a worker, owns files whose names begin with its
 * 16 hex digits: segments numbered from 1, ".seg" or ".kept" once they are
 * acknowledged or ".bad" if damaged, ".lock", ".live" (see gw_inflight.h) and
 * ".dead" with what Kafka refused.  gw_journal_name() writes such a name into
 * GW_JOURNAL_NAME bytes and a NUL; gw_journal_name_read() is GW_DECLINED for
 * any other.
 *
 * A segment is a header of GW_JOURNAL_HEADER bytes, then records, aligned to
 * GW_JOURNAL_ALIGN, then zeroes.  gw_journal_open() reads a header:
 *
 *     GW_OK        the slices of "seg" point into "data"
 *     GW_DECLINED  of a version that is not ours
 *     GW_ERROR     damaged, or too short
 *
 * gw_journal_acked() is the offset up to which all records of a segment are
 * acknowledged, and GW_JOURNAL_HEADER if the header does not tell; it may be
 * beyond the end of a damaged file.  gw_journal_ack() stores it in
 * GW_JOURNAL_ACK bytes at GW_JOURNAL_ACKED.
 *
 * gw_journal_write() writes a record where gw_journal_size() bytes are free
 * and zero, and aligned in memory as well.  Its first word is stored last: a
 * writer that was killed leaves a whole record, or the end of the segment.
 * Returns that size; it is 0, and nothing is written, if the event is above
 * its limit.  Events are UTF-8.  A key that is above its limit, or has a byte
 * 0xff, is left out: so that no record contains what looks like another one.
 *
 * gw_journal_read() reads the one at "data", of which "len" bytes are there:
 *
 *     GW_OK        "size" bytes further is the next one, "rec" points into
 *                  "data"
 *     GW_AGAIN     "size" bytes are needed; damaged, if they never come
 *     GW_DECLINED  here the records end; also if less than 8 bytes are left
 *     GW_ERROR     damaged
 *
 * gw_journal_next() is the distance from "data", where damage is, to the next
 * undamaged record that lies whole within "len", or "len".  It looks at each
 * byte a few times at most, whatever the data.
 */

#ifndef _GW_JOURNAL_H_INCLUDED_
#define _GW_JOURNAL_H_INCLUDED_


#include "gw_base.h"


#define GW_JOURNAL_VERSION   1

#define GW_JOURNAL_HEADER    1024
#define GW_JOURNAL_ACKED     64
#define GW_JOURNAL_ACK       16
#define GW_JOURNAL_ALIGN     8

#define GW_JOURNAL_NAME      40

#define GW_JOURNAL_MAX_NODE     255
#define GW_JOURNAL_MAX_TOPIC    249
#define GW_JOURNAL_MAX_CLUSTER  64

#define GW_JOURNAL_MAX_KEY    512
#define GW_JOURNAL_MAX_EVENT  8192

/* the largest record */

#define GW_JOURNAL_MAX        (32 + GW_JOURNAL_MAX_KEY + GW_JOURNAL_MAX_EVENT)


typedef enum {
    GW_JOURNAL_SEGMENT = 0,
    GW_JOURNAL_KEPT,
    GW_JOURNAL_BAD,
    GW_JOURNAL_LOCK,          /* these have no number */
    GW_JOURNAL_LIVE,
    GW_JOURNAL_DEAD
} gw_journal_kind_e;


typedef struct {
    uint64_t           generation;
    uint32_t           number;
    gw_journal_kind_e  kind;
} gw_journal_name_t;


typedef struct {
    uint64_t           generation;
    uint32_t           number;
    int64_t            created;      /* ms since the epoch */
    gw_str_t           node;
    gw_str_t           topic;
    gw_str_t           cluster;
} gw_journal_segment_t;


typedef enum {
    GW_JOURNAL_EVENT = 1,            /* uses up its sequence */
    GW_JOURNAL_MARK                  /* has a numbering of its own */
} gw_journal_type_e;


typedef struct {
    uint64_t           sequence;
    gw_journal_type_e  type;
    gw_str_t           key;          /* of the message; empty: the generation */
    gw_str_t           event;
} gw_journal_record_t;


GW_HIDDEN_BEGIN

size_t gw_journal_name(char *buf, const gw_journal_name_t *name);
int gw_journal_name_read(gw_journal_name_t *name, const gw_str_t *text);

void gw_journal_header(char *buf, const gw_journal_segment_t *seg);
int gw_journal_open(gw_journal_segment_t *seg, const char *data, size_t len);
uint64_t gw_journal_acked(const char *header);
void gw_journal_ack(char *ack, uint64_t offset);

size_t gw_journal_size(const gw_journal_record_t *rec);
size_t gw_journal_write(char *p, const gw_journal_record_t *rec);
int gw_journal_read(gw_journal_record_t *rec, const char *data, size_t len,
    size_t *size);
size_t gw_journal_next(const char *data, size_t len);

GW_HIDDEN_END


#endif /* _GW_JOURNAL_H_INCLUDED_ */
