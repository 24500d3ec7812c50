
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "gw_b64.h"


#define GW_B64_INVALID  0x80


static uint8_t gw_b64_value(char ch);


int
gw_b64_decode(const char *src, size_t len, void *dst, size_t size, size_t *n)
{
    size_t    need;
    uint8_t   a, b, c, d, *p;

    *n = 0;

    need = gw_b64_decoded_len(len);

    if (len % 4 == 1 || need > size) {
        return GW_ERROR;
    }

    for (p = dst; len >= 4; len -= 4, src += 4) {

        a = gw_b64_value(src[0]);
        b = gw_b64_value(src[1]);
        c = gw_b64_value(src[2]);
        d = gw_b64_value(src[3]);

        if ((a | b | c | d) & GW_B64_INVALID) {
            return GW_ERROR;
        }

        *p++ = (uint8_t) (a << 2 | b >> 4);
        *p++ = (uint8_t) (b << 4 | c >> 2);
        *p++ = (uint8_t) (c << 6 | d);
    }

    if (len) {
        a = gw_b64_value(src[0]);
        b = gw_b64_value(src[1]);
        c = (len == 3) ? gw_b64_value(src[2]) : 0;

        if ((a | b | c) & GW_B64_INVALID) {
            return GW_ERROR;
        }

        /* bits left over have to be zero, or one value had many texts */

        if ((len == 2) ? (b & 0x0f) : (c & 0x03)) {
            return GW_ERROR;
        }

        *p++ = (uint8_t) (a << 2 | b >> 4);

        if (len == 3) {
            *p++ = (uint8_t) (b << 4 | c >> 2);
        }
    }

    *n = need;

    return GW_OK;
}


static uint8_t
gw_b64_value(char ch)
{
    static const uint8_t  table[128] = {
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128,
        128, 128, 128, 128, 128, 128,  62, 128, 128,  52,  53,  54,  55,
         56,  57,  58,  59,  60,  61, 128, 128, 128, 128, 128, 128, 128,
          0,   1,   2,   3,   4,   5,   6,   7,   8,   9,  10,  11,  12,
         13,  14,  15,  16,  17,  18,  19,  20,  21,  22,  23,  24,  25,
        128, 128, 128, 128,  63, 128,  26,  27,  28,  29,  30,  31,  32,
         33,  34,  35,  36,  37,  38,  39,  40,  41,  42,  43,  44,  45,
         46,  47,  48,  49,  50,  51, 128, 128, 128, 128, 128
    };

    uint8_t  i;

    i = (uint8_t) ch;

    return (i < 128) ? table[i] : GW_B64_INVALID;
}


int
gw_b64_encode(const void *src, size_t len, char *dst, size_t size, size_t *n)
{
    static const char  basis[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    size_t          need;
    const uint8_t  *s;

    *n = 0;

    need = gw_b64_encoded_len(len);

    if (need > size) {
        return GW_ERROR;
    }

    for (s = src; len >= 3; len -= 3, s += 3) {
        *dst++ = basis[s[0] >> 2];
        *dst++ = basis[(s[0] & 0x03) << 4 | s[1] >> 4];
        *dst++ = basis[(s[1] & 0x0f) << 2 | s[2] >> 6];
        *dst++ = basis[s[2] & 0x3f];
    }

    if (len == 2) {
        *dst++ = basis[s[0] >> 2];
        *dst++ = basis[(s[0] & 0x03) << 4 | s[1] >> 4];
        *dst++ = basis[(s[1] & 0x0f) << 2];

    } else if (len == 1) {
        *dst++ = basis[s[0] >> 2];
        *dst++ = basis[(s[0] & 0x03) << 4];
    }

    *n = need;

    return GW_OK;
}
