
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_crc32c.c"
#include "gw_trace.h"


#define LEN     600
#define SHIFTS  16


typedef uint32_t (*crc_pt)(uint32_t crc, const uint8_t *p, size_t len);


/* each way of this machine: what is chosen, the table, the instructions */

static size_t
ways(crc_pt way[3])
{
    size_t  n;

    n = 0;

#if defined(__ARM_FEATURE_CRC32)

    way[n++] = gw_crc32c_arm;

#else

    way[n++] = gw_crc32c_table;

#if defined(__x86_64__)

    if (__builtin_cpu_supports("sse4.2")) {
        way[n++] = gw_crc32c_sse42;
    }

#endif

#endif

    return n;
}


/* the definition, bit by bit */

static uint32_t
bitwise(uint32_t crc, const uint8_t *p, size_t len)
{
    int  bit;

    while (len--) {
        crc ^= *p++;

        for (bit = 0; bit < 8; bit++) {
            crc = crc & 1 ? crc >> 1 ^ UINT32_C(0x82f63b78) : crc >> 1;
        }
    }

    return crc;
}


static void
check(const void *data, size_t len, uint32_t crc)
{
    size_t  i, n;
    crc_pt  way[3];

    n = ways(way);

    assert_int_equal(gw_crc32c(0, data, len), crc);

    for (i = 0; i < n; i++) {
        assert_int_equal(~way[i](UINT32_MAX, data, len), crc);
    }
}


/* RFC 3720, B.4 */

static void
test_rfc3720(void **state)
{
    size_t   i;
    uint8_t  data[32];

    static const uint8_t  command[48] = {
        0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
        0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18,
        0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00
    };

    (void) state;

    memset(data, 0, sizeof(data));
    check(data, sizeof(data), 0x8a9136aa);

    memset(data, 0xff, sizeof(data));
    check(data, sizeof(data), 0x62a8ab43);

    for (i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t) i;
    }

    check(data, sizeof(data), 0x46dd794e);

    for (i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t) (31 - i);
    }

    check(data, sizeof(data), 0x113fdb5c);

    check(command, sizeof(command), 0xd9963a56);

    /* the check value of the catalogues */

    check("123456789", 9, 0xe3069283);
    check("", 0, 0);
}


/* every length at every alignment, in memory that ends there */

static void
test_lengths(void **state)
{
    size_t    i, n, len, shift;
    crc_pt    way[3];
    uint8_t  *p;
    uint32_t  crc;

    (void) state;

    n = ways(way);

    for (len = 0; len < LEN; len += len < 80 ? 1 : 37) {

        for (shift = 0; shift < SHIFTS; shift++) {

            p = block_of(shift + len + (shift + len == 0));

            for (i = 0; i < shift + len; i++) {
                p[i] = (uint8_t) any(256);
            }

            crc = (uint32_t) any(UINT64_C(1) << 32);

            for (i = 0; i < n; i++) {
                assert_int_equal(way[i](crc, p + shift, len),
                                 bitwise(crc, p + shift, len));
            }

            assert_int_equal(gw_crc32c(crc, p + shift, len),
                             ~bitwise(~crc, p + shift, len));

            free(p);
        }
    }
}


/* the tables by themselves: each byte at each place of a word */

static void
test_bytes(void **state)
{
    size_t    at;
    uint8_t   word[8];
    unsigned  byte;

    (void) state;

    for (at = 0; at < sizeof(word); at++) {

        for (byte = 0; byte < 256; byte++) {
            memset(word, 0, sizeof(word));
            word[at] = (uint8_t) byte;

            check(word, sizeof(word),
                  ~bitwise(UINT32_MAX, word, sizeof(word)));
        }
    }
}


static void
test_parts(void **state)
{
    size_t    i;
    uint8_t   data[LEN];
    uint32_t  crc, whole;

    (void) state;

    for (i = 0; i < LEN; i++) {
        data[i] = (uint8_t) any(256);
    }

    whole = gw_crc32c(0, data, LEN);

    for (i = 0; i <= LEN; i++) {
        crc = gw_crc32c(0, data, i);
        assert_int_equal(gw_crc32c(crc, data + i, LEN - i), whole);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rfc3720),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_parts)
    };

    return cmocka_run_group_tests_name("gw_crc32c", tests, NULL, NULL);
}
