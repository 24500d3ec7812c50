
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* What tests with random operations on a block of memory share. */

#ifndef _GW_TRACE_H_INCLUDED_
#define _GW_TRACE_H_INCLUDED_


/* xorshift: the same traces in each run */

static uint64_t  seed = UINT64_C(0x9e3779b97f4a7c15);


static uint64_t
any(uint64_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return seed % limit;
}


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
