
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A usage record as a CloudEvents 1.0 event in JSON.  Pure.
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
 * alone is cut, CloudEvents requires it.
 *
 * gw_usage_id() writes the id of an event, GENERATION-SEQUENCE, into memory
 * of GW_USAGE_ID_LEN bytes, and gw_usage_generation() its first part, which
 * always has GW_USAGE_GENERATION_LEN bytes.  Both return the length.
 *
 * gw_usage_units() reads a decimal integer from 0 to GW_USAGE_MAX_UNITS, the
 * largest that every JSON parser keeps exactly; GW_ERROR if it is none.
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

#define GW_USAGE_MAX_UNITS       UINT64_C(9007199254740991)


typedef struct {
    uint64_t  generation;
    uint64_t  sequence;

    gw_str_t  source;
    gw_str_t  subject;
    gw_str_t  api;
    gw_str_t  method;
    gw_str_t  tier;
    gw_str_t  request_id;

    int64_t   time;         /* end of the request, ms since the epoch */
    int64_t   upstream;     /* ms, -1 if there was no upstream */
    uint64_t  duration;     /* ms */
    uint64_t  units;
    uint64_t  bytes_in;
    uint64_t  bytes_out;
    unsigned  status;

    unsigned  limited:1;
    unsigned  degraded:1;
} gw_usage_record_t;


GW_HIDDEN_BEGIN

size_t gw_usage_write(char *buf, const gw_usage_record_t *rec);
size_t gw_usage_id(char *buf, uint64_t generation, uint64_t sequence);
size_t gw_usage_generation(char *buf, uint64_t generation);
int gw_usage_units(const gw_str_t *s, uint64_t *units);

GW_HIDDEN_END


#endif /* _GW_USAGE_H_INCLUDED_ */
