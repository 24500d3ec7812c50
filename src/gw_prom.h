
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Metrics in the text format of Prometheus.
 *
 * The writer appends to the memory from "pos" to "last" and remembers the
 * first failure in "rc": GW_DECLINED if there was no room.
 *
 * gw_prom_family() writes the two lines in front of a family, "help" is plain
 * text without backslashes; then come its samples, by gw_prom_sample() for an
 * integer and gw_prom_seconds() for "ms".  "labels" are pairs of name
 * and value; values are escaped, and bytes that are not UTF-8 become "?".
 *
 * gw_prom_histogram() writes the samples of a histogram: "bounds" in
 * milliseconds, "counts" not cumulative, one more than there are bounds, and
 * the sum in microseconds; le and sum are written in seconds.
 */

#ifndef _GW_PROM_H_INCLUDED_
#define _GW_PROM_H_INCLUDED_


#include "gw_base.h"


typedef struct {
    char       *pos;
    char       *last;
    int         rc;
} gw_prom_t;


typedef struct {
    const char *name;
    gw_str_t    value;
} gw_prom_label_t;


GW_HIDDEN_BEGIN

void gw_prom_family(gw_prom_t *out, const char *name, const char *type,
    const char *help);
void gw_prom_sample(gw_prom_t *out, const char *name,
    const gw_prom_label_t *labels, size_t n, uint64_t value);
void gw_prom_seconds(gw_prom_t *out, const char *name,
    const gw_prom_label_t *labels, size_t n, uint64_t ms);
void gw_prom_histogram(gw_prom_t *out, const char *name,
    const gw_prom_label_t *labels, size_t n, const uint32_t *bounds,
    size_t nbounds, const uint64_t *counts, uint64_t sum);

GW_HIDDEN_END


#endif /* _GW_PROM_H_INCLUDED_ */
