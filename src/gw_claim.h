
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Claims, of a token or of an introspection answer, parsed by jansson.
 *
 * gw_claim_text() writes a claim as text: a string, a whole number, a
 * boolean, or an array of strings, joined by a space (so none of these may
 * contain one).  The text is neither checked nor terminated otherwise.
 *
 *     GW_OK        "len" bytes of "buf" were written
 *     GW_DECLINED  there is no such claim, or it is null
 *     GW_ERROR     another type, a control character, or "buf" is too small
 *
 * gw_claim_time() reads seconds since the epoch, a number in the years 1970
 * to 9999; a fraction is rounded up if "up", else down.  GW_DECLINED: absent,
 * "t" is 0.
 *
 * gw_claim_audience() looks for one of "audiences" in "aud", a string or an
 * array of strings: GW_OK, GW_DECLINED if none is there, GW_ERROR if "aud" is
 * malformed.
 *
 * gw_claim_has() tells whether the claim, as text, equals "value", or is an
 * array that contains it.  gw_claim_word() tells whether a text of words
 * separated by spaces, as "scope" is, contains "word".  1 or 0.
 */

#ifndef _GW_CLAIM_H_INCLUDED_
#define _GW_CLAIM_H_INCLUDED_


#include "gw_base.h"


struct json_t;


GW_HIDDEN_BEGIN

int gw_claim_text(const struct json_t *claims, const char *name, char *buf,
    size_t size, size_t *len);
int gw_claim_time(const struct json_t *claims, const char *name, int up,
    int64_t *t);
int gw_claim_audience(const struct json_t *claims, const gw_str_t *audiences,
    size_t n);
int gw_claim_has(const struct json_t *claims, const char *name,
    const gw_str_t *value);
int gw_claim_word(const gw_str_t *text, const gw_str_t *word);

GW_HIDDEN_END


#endif /* _GW_CLAIM_H_INCLUDED_ */
