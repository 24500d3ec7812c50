
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* What tests with random operations on a block of memory share. */

#ifndef _GW_TRACE_H_INCLUDED_
#define _GW_TRACE_H_INCLUDED_


#include "gw_random.h"


/* an exact allocation, and not of zeros: a byte too far is seen */

static void *
block_of(size_t size)
{
    void  *block;

    block = malloc(size);
    assert_non_null(block);

    memset(block, 0xa5, size);

    return block;
}


#endif /* _GW_TRACE_H_INCLUDED_ */
