
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* Keys for the tests of tables that are found by a digest of 128 bits. */

#ifndef _GW_TABLE_H_INCLUDED_
#define _GW_TABLE_H_INCLUDED_


#include "gw_trace.h"


static const uint64_t *
key_of(uint64_t n)
{
    uint64_t  x;

    static uint64_t  key[2];

    x = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);

    key[0] = x ^ x >> 27;
    key[1] = n;

    return key;
}


/* keys that meet in one set */

static const uint64_t *
twin_of(uint64_t n)
{
    static uint64_t  key[2];

    key[0] = 0;
    key[1] = n;

    return key;
}


#endif /* _GW_TABLE_H_INCLUDED_ */
