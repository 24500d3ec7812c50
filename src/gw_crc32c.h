
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * CRC-32C (Castagnoli), as in RFC 3720.  gw_crc32c(0, data, len) is the usual
 * value; the result of one part goes as "crc" into the call for the next.
 * Uses the instructions of the processor where it has them.
 */

#ifndef _GW_CRC32C_H_INCLUDED_
#define _GW_CRC32C_H_INCLUDED_


#include "gw_base.h"


GW_HIDDEN_BEGIN

uint32_t gw_crc32c(uint32_t crc, const void *data, size_t len);

GW_HIDDEN_END


#endif /* _GW_CRC32C_H_INCLUDED_ */
