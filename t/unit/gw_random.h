
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* Random numbers for traces: the same ones in each run. */

#ifndef _GW_RANDOM_H_INCLUDED_
#define _GW_RANDOM_H_INCLUDED_


static uint64_t  seed = UINT64_C(0x9e3779b97f4a7c15);


/* xorshift */

static int64_t
any(int64_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return (int64_t) (seed % (uint64_t) limit);
}


#endif /* _GW_RANDOM_H_INCLUDED_ */
