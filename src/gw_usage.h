
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Usage events as CloudEvents 1.0 in JSON.  Pure.
 *
 * gw_usage_write() writes the event of a record into memory of
 * GW_USAGE_MAX_EVENT bytes and returns its length; it cannot fail.  The same
 * record gives the same bytes, with the members always in the same order.
 * The result is valid JSON whatever the strings contain: what is not UTF-8
 * becomes U+FFFD, control characters are escaped.
 *
 * An empty string is no value.  A string above its limit is left out as a
 * whole, for two customers might share the first bytes of their names.  Left
 * out means: the event has no "subject", other members are null.  The source
 * alone is cut, CloudEvents requires it.  Fields, in their order, are members
 * of "data" behind the others; one that is empty, longer than
 * GW_USAGE_MAX_FIELD or for which no room is left is null, and one whose name
 * and null don't fit is left out.  The type is gw.usage.v1, or
 * gw.usage.interim.v1 if the record is "interim".
 *
 * gw_usage_room() is the most that gw_usage_write() can need for a record of
 * which strings and names are known, but nothing else, with all fields null.
 *
 * gw_usage_mark() and gw_usage_unfinished() write a gw.usage.mark.v1 and a
 * gw.usage.unfinished.v1 event in the same way.  The time of the latter is
 * when the request began, so that whoever writes it writes the same bytes.
 *
 * gw_usage_id() writes the id of an event, GENERATION-SEQUENCE, of at most
 * GW_USAGE_ID_LEN bytes, and gw_usage_generation() the first part of it,
 * GW_USAGE_GENERATION_LEN bytes.  Both return the length.
 *
 * gw_usage_units() reads a decimal integer from 0 to GW_USAGE_MAX_UNITS, the
 * largest that every JSON parser keeps exactly.  gw_usage_name() tells whether
 * a field may be called so: letters, digits and "_", not beginning with a
 * digit, at most GW_USAGE_MAX_NAME bytes, and no member that "data" has
 * already.  Both return GW_OK or GW_ERROR.
 */

#ifndef _GW_USAGE_H_INCLUDED_
#define _GW_USAGE_H_INCLUDED_


#include "gw_base.h"


#define GW_USAGE_MAX_EVENT       8192

#define GW_USAGE_GENERATION_LEN  16
#define GW_USAGE_ID_LEN          (GW_USAGE_GENERATION_LEN + 1 + 20)

/* bytes of a string before it is escaped */

#define GW_USAGE_MAX_SOURCE      255
#define GW_USAGE_MAX_SUBJECT     512
#define GW_USAGE_MAX_API         128
#define GW_USAGE_MAX_TIER        128
#define GW_USAGE_MAX_METHOD      32
#define GW_USAGE_MAX_REQUEST_ID  64
#define GW_USAGE_MAX_NAME        64
#define GW_USAGE_MAX_FIELD       1024
#define GW_USAGE_MAX_FIELDS      32

#define GW_USAGE_MAX_UNITS       UINT64_C(9007199254740991)


typedef struct {
    gw_str_t                 name;
    gw_str_t                 value;
} gw_usage_field_t;


typedef struct {
    uint64_t                 generation;
    uint64_t                 sequence;

    gw_str_t                 source;
    gw_str_t                 subject;
    gw_str_t                 api;
    gw_str_t                 method;
    gw_str_t                 tier;
    gw_str_t                 request_id;

    const gw_usage_field_t  *fields;
    size_t                   nfields;

    int64_t                  time;      /* of the end, ms since the epoch */
    int64_t                  upstream;  /* ms, -1 if there was no upstream */
    uint64_t                 duration;  /* ms */
    uint64_t                 units;
    uint64_t                 bytes_in;
    uint64_t                 bytes_out;
    unsigned                 status;

    unsigned                 limited:1;
    unsigned                 degraded:1;
    unsigned                 interim:1;
} gw_usage_record_t;


typedef enum {
    GW_USAGE_OPEN = 0,      /* the worker begins */
    GW_USAGE_RUNNING,       /* every now and then */
    GW_USAGE_CLOSED,        /* no sequence after this one */
    GW_USAGE_ADOPTED,       /* the same, said by who drained it */
    GW_USAGE_RECOVERED      /* the end of it may be missing: a power cut */
} gw_usage_state_e;


typedef struct {
    uint64_t                 generation;
    uint64_t                 number;    /* of the mark */
    gw_str_t                 source;
    int64_t                  time;
    gw_usage_state_e         state;
    uint64_t                 sequence;  /* given out last */
    uint64_t                 dropped;   /* how many of them have no event */
} gw_usage_mark_t;


typedef struct {
    uint64_t                 generation;
    uint64_t                 sequence;
    gw_str_t                 source;
    gw_str_t                 subject;
    gw_str_t                 api;
    gw_str_t                 request_id;
    int64_t                  start;     /* ms since the epoch */
} gw_usage_unfinished_t;


GW_HIDDEN_BEGIN

size_t gw_usage_write(char *buf, const gw_usage_record_t *rec);
size_t gw_usage_room(const gw_usage_record_t *rec);
size_t gw_usage_mark(char *buf, const gw_usage_mark_t *mark);
size_t gw_usage_unfinished(char *buf, const gw_usage_unfinished_t *un);

size_t gw_usage_id(char *buf, uint64_t generation, uint64_t sequence);
size_t gw_usage_generation(char *buf, uint64_t generation);
int gw_usage_units(const gw_str_t *s, uint64_t *units);
int gw_usage_name(const gw_str_t *s);

GW_HIDDEN_END


#endif /* _GW_USAGE_H_INCLUDED_ */
