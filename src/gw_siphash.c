
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_siphash.h"


#define gw_siphash_rotate(x, n)  ((x) << (n) | (x) >> (64 - (n)))


static uint64_t gw_siphash_word(const uint8_t *p, size_t len);
static void gw_siphash_rounds(uint64_t v[4], unsigned n);


void
gw_siphash(const uint8_t *key, const void *data, size_t len,
    uint64_t digest[2])
{
    size_t          left;
    uint64_t        k0, k1, m, v[4];
    const uint8_t  *p;

    k0 = gw_siphash_word(key, 8);
    k1 = gw_siphash_word(key + 8, 8);

    v[0] = k0 ^ UINT64_C(0x736f6d6570736575);
    v[1] = k1 ^ UINT64_C(0x646f72616e646f6d) ^ 0xee;
    v[2] = k0 ^ UINT64_C(0x6c7967656e657261);
    v[3] = k1 ^ UINT64_C(0x7465646279746573);

    p = data;

    for (left = len; left >= 8; left -= 8) {
        m = gw_siphash_word(p, 8);

        v[3] ^= m;
        gw_siphash_rounds(v, 2);
        v[0] ^= m;

        p += 8;
    }

    m = gw_siphash_word(p, left) | (uint64_t) len << 56;

    v[3] ^= m;
    gw_siphash_rounds(v, 2);
    v[0] ^= m;

    v[2] ^= 0xee;
    gw_siphash_rounds(v, 4);
    digest[0] = v[0] ^ v[1] ^ v[2] ^ v[3];

    v[1] ^= 0xdd;
    gw_siphash_rounds(v, 4);
    digest[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}


/* the low byte first, on all machines */

static uint64_t
gw_siphash_word(const uint8_t *p, size_t len)
{
    uint64_t  word;

    word = 0;

    if (len == 0) {
        return word;
    }

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

    memcpy(&word, p, len);

#else

    do {
        word = word << 8 | p[--len];
    } while (len > 0);

#endif

    return word;
}


static void
gw_siphash_rounds(uint64_t v[4], unsigned n)
{
    do {
        v[0] += v[1];
        v[1] = gw_siphash_rotate(v[1], 13) ^ v[0];
        v[0] = gw_siphash_rotate(v[0], 32);

        v[2] += v[3];
        v[3] = gw_siphash_rotate(v[3], 16) ^ v[2];

        v[0] += v[3];
        v[3] = gw_siphash_rotate(v[3], 21) ^ v[0];

        v[2] += v[1];
        v[1] = gw_siphash_rotate(v[1], 17) ^ v[2];
        v[2] = gw_siphash_rotate(v[2], 32);
    } while (--n);
}
