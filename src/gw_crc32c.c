
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_crc32c.h"

#if defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif


#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define gw_crc32c_le64(word)  (word)
#else
#define gw_crc32c_le64(word)  __builtin_bswap64(word)
#endif


/*
 * A table is linear: its entry for a byte is the sum of the entries for the
 * bits of the byte, which are a to h from the lowest bit on.
 */

#define gw_crc32c_bit(i, n, entry)  (((i) >> (n) & 1) * UINT32_C(entry))

#define gw_crc32c_1(i, a, b, c, d, e, f, g, h)                                \
    (gw_crc32c_bit(i, 0, a) ^ gw_crc32c_bit(i, 1, b)                          \
     ^ gw_crc32c_bit(i, 2, c) ^ gw_crc32c_bit(i, 3, d)                        \
     ^ gw_crc32c_bit(i, 4, e) ^ gw_crc32c_bit(i, 5, f)                        \
     ^ gw_crc32c_bit(i, 6, g) ^ gw_crc32c_bit(i, 7, h))

#define gw_crc32c_4(i, ...)                                                   \
    gw_crc32c_1((i), __VA_ARGS__), gw_crc32c_1((i) + 1, __VA_ARGS__),         \
    gw_crc32c_1((i) + 2, __VA_ARGS__), gw_crc32c_1((i) + 3, __VA_ARGS__)

#define gw_crc32c_16(i, ...)                                                  \
    gw_crc32c_4((i), __VA_ARGS__), gw_crc32c_4((i) + 4, __VA_ARGS__),         \
    gw_crc32c_4((i) + 8, __VA_ARGS__), gw_crc32c_4((i) + 12, __VA_ARGS__)

#define gw_crc32c_64(i, ...)                                                  \
    gw_crc32c_16((i), __VA_ARGS__), gw_crc32c_16((i) + 16, __VA_ARGS__),      \
    gw_crc32c_16((i) + 32, __VA_ARGS__), gw_crc32c_16((i) + 48, __VA_ARGS__)

#define gw_crc32c_256(...)                                                    \
    gw_crc32c_64(0u, __VA_ARGS__), gw_crc32c_64(64u, __VA_ARGS__),            \
    gw_crc32c_64(128u, __VA_ARGS__), gw_crc32c_64(192u, __VA_ARGS__)


#if defined(__x86_64__)
static uint32_t gw_crc32c_sse42(uint32_t crc, const uint8_t *p, size_t len)
    __attribute__((target("sse4.2")));
#elif defined(__ARM_FEATURE_CRC32)
static uint32_t gw_crc32c_arm(uint32_t crc, const uint8_t *p, size_t len);
#endif

#if !defined(__ARM_FEATURE_CRC32)
static uint32_t gw_crc32c_table(uint32_t crc, const uint8_t *p, size_t len);
#endif


#if !defined(__ARM_FEATURE_CRC32)

/* of a byte that 0 to 7 others follow */

static const uint32_t  gw_crc32c_tables[8][256] = {

    { gw_crc32c_256(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf,
                    0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78) },
    { gw_crc32c_256(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8,
                    0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9) },
    { gw_crc32c_256(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5,
                    0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743) },
    { gw_crc32c_256(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6,
                    0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f) },
    { gw_crc32c_256(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91,
                    0x8f2261d3, 0x1ba8b557, 0x37516aae, 0x6ea2d55c) },
    { gw_crc32c_256(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f,
                    0xc00c303e, 0x85f4168d, 0x0e045beb, 0x1c08b7d6) },
    { gw_crc32c_256(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53,
                    0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4) },
    { gw_crc32c_256(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da,
                    0x847609b4, 0x0d006599, 0x1a00cb32, 0x34019664) }
};

#endif


uint32_t
gw_crc32c(uint32_t crc, const void *data, size_t len)
{
#if defined(__ARM_FEATURE_CRC32)

    return ~gw_crc32c_arm(~crc, data, len);

#else

#if defined(__x86_64__)

    if (__builtin_cpu_supports("sse4.2")) {
        return ~gw_crc32c_sse42(~crc, data, len);
    }

#endif

    return ~gw_crc32c_table(~crc, data, len);

#endif
}


#if defined(__x86_64__)

static uint32_t
gw_crc32c_sse42(uint32_t crc, const uint8_t *p, size_t len)
{
    uint64_t  word, wide;

    for (wide = crc; len >= 8; len -= 8) {
        memcpy(&word, p, 8);
        wide = __builtin_ia32_crc32di(wide, word);
        p += 8;
    }

    for (crc = (uint32_t) wide; len > 0; len--) {
        crc = __builtin_ia32_crc32qi(crc, *p++);
    }

    return crc;
}

#elif defined(__ARM_FEATURE_CRC32)

static uint32_t
gw_crc32c_arm(uint32_t crc, const uint8_t *p, size_t len)
{
    uint64_t  word;

    for ( /* void */ ; len >= 8; len -= 8) {
        memcpy(&word, p, 8);
        crc = __crc32cd(crc, gw_crc32c_le64(word));
        p += 8;
    }

    for ( /* void */ ; len > 0; len--) {
        crc = __crc32cb(crc, *p++);
    }

    return crc;
}

#endif


#if !defined(__ARM_FEATURE_CRC32)

static uint32_t
gw_crc32c_table(uint32_t crc, const uint8_t *p, size_t len)
{
    uint64_t  word;

    const uint32_t  (*t)[256] = gw_crc32c_tables;

    for ( /* void */ ; len >= 8; len -= 8) {
        memcpy(&word, p, 8);
        word = gw_crc32c_le64(word) ^ crc;

        crc = t[7][word & 0xff] ^ t[6][word >> 8 & 0xff]
              ^ t[5][word >> 16 & 0xff] ^ t[4][word >> 24 & 0xff]
              ^ t[3][word >> 32 & 0xff] ^ t[2][word >> 40 & 0xff]
              ^ t[1][word >> 48 & 0xff] ^ t[0][word >> 56];

        p += 8;
    }

    for ( /* void */ ; len > 0; len--) {
        crc = crc >> 8 ^ t[0][(crc ^ *p++) & 0xff];
    }

    return crc;
}

#endif
