
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Strict base64url without padding, RFC 4648 section 5.  Pure: no allocation.
 *
 * gw_b64_decode() accepts only [A-Za-z0-9_-] and refuses a length of 4n + 1
 * and bits left over that are not zero, so that a text has one decoding and
 * bytes have one text.  "dst" may be "src": decoding in place is safe.
 *
 * Both store in "n" how many bytes they wrote, at most "size", and return
 *
 *     GW_OK
 *     GW_ERROR     the text is malformed, or "dst" is too small; what was
 *                  written then means nothing
 *
 * Nothing is terminated by a NUL.
 */

#ifndef _GW_B64_H_INCLUDED_
#define _GW_B64_H_INCLUDED_


#include "gw_base.h"


#define gw_b64_encoded_len(len)  ((len) / 3 * 4 + ((len) % 3 * 4 + 2) / 3)
#define gw_b64_decoded_len(len)  ((len) / 4 * 3 + (len) % 4 * 3 / 4)


GW_HIDDEN_BEGIN

int gw_b64_decode(const char *src, size_t len, void *dst, size_t size,
    size_t *n);
int gw_b64_encode(const void *src, size_t len, char *dst, size_t size,
    size_t *n);

GW_HIDDEN_END


#endif /* _GW_B64_H_INCLUDED_ */
