
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * SipHash-2-4 with 128 bits: a fast digest with a secret key, for tables that
 * clients could otherwise flood with colliding names.  digest[0] is made of the
 * first 8 bytes of the usual form, the low one first.
 */

#ifndef _GW_SIPHASH_H_INCLUDED_
#define _GW_SIPHASH_H_INCLUDED_


#include "gw_base.h"


#define GW_SIPHASH_KEY  16


GW_HIDDEN_BEGIN

void gw_siphash(const uint8_t *key, const void *data, size_t len,
    uint64_t digest[2]);

GW_HIDDEN_END


#endif /* _GW_SIPHASH_H_INCLUDED_ */
