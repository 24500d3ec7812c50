
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Values of JSON, written to memory that is large enough.  Pure.
 *
 * gw_usage_text_string() writes a string in quotes, whatever its bytes are:
 * what is not UTF-8 becomes U+FFFD, control characters are escaped.  That
 * takes gw_usage_text_length() bytes, and never more than 2 for the quotes
 * and GW_USAGE_TEXT_ESCAPED for each byte.
 *
 * gw_usage_text_number() writes at most GW_USAGE_TEXT_NUMBER digits.
 *
 * gw_usage_text_time() writes GW_USAGE_TEXT_TIME bytes of RFC 3339 in UTC, of
 * a clock that may be anywhere: what lies before 1970 or behind 9999 becomes
 * the first or the last millisecond of them.
 *
 * gw_usage_text_hex() writes GW_USAGE_TEXT_HEX digits.
 *
 * The first free byte is returned.
 */

#ifndef _GW_USAGE_TEXT_H_INCLUDED_
#define _GW_USAGE_TEXT_H_INCLUDED_


#include "gw_base.h"


#define GW_USAGE_TEXT_ESCAPED  6
#define GW_USAGE_TEXT_NUMBER   20
#define GW_USAGE_TEXT_TIME     24
#define GW_USAGE_TEXT_HEX      16


GW_HIDDEN_BEGIN

char *gw_usage_text_string(char *p, const char *data, size_t len);
size_t gw_usage_text_length(const char *data, size_t len);
char *gw_usage_text_number(char *p, uint64_t n);
char *gw_usage_text_time(char *p, int64_t ms);
char *gw_usage_text_hex(char *p, uint64_t n);

GW_HIDDEN_END


#endif /* _GW_USAGE_TEXT_H_INCLUDED_ */
