
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * SHA-256 of a few slices, one after another, as the hot path needs it: no
 * allocation, no look-up of the algorithm.  The digest goes into
 * GW_SHA256_SIZE bytes.  GW_OK, or GW_ERROR if OpenSSL fails.
 */

#ifndef _GW_SHA256_H_INCLUDED_
#define _GW_SHA256_H_INCLUDED_


#include "gw_base.h"


#define GW_SHA256_SIZE  32


GW_HIDDEN_BEGIN

int gw_sha256(const gw_str_t *parts, size_t n, uint8_t *digest);

GW_HIDDEN_END


#endif /* _GW_SHA256_H_INCLUDED_ */
