
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_usage_text.h"


#define GW_USAGE_TEXT_LAST  INT64_C(253402300799999)   /* end of year 9999 */


/* a byte in each of the eight of a word */

#define gw_usage_text_each(ch)  (UINT64_C(0x0101010101010101) * (ch))


static size_t gw_usage_text_plain(const char *data, size_t len);
static int gw_usage_text_is_plain(unsigned char ch);
static char *gw_usage_text_escape(char *p, unsigned char ch);
static size_t gw_usage_text_utf8(const unsigned char *p, size_t len,
    unsigned *valid);
static char *gw_usage_text_pair(char *p, unsigned n);


static const char  gw_usage_text_digits[] = "0123456789abcdef";


/* from 00 to 99 */

static const char  gw_usage_text_pairs[] =
    "0001020304050607080910111213141516171819"
    "2021222324252627282930313233343536373839"
    "4041424344454647484950515253545556575859"
    "6061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";


char *
gw_usage_text_string(char *p, const char *data, size_t len)
{
    size_t                n;
    unsigned              valid;
    const unsigned char  *s;

    *p++ = '"';

    while (len) {
        n = gw_usage_text_plain(data, len);

        memcpy(p, data, n);
        p += n;

        if (n == len) {
            break;
        }

        data += n;
        len -= n;

        s = (const unsigned char *) data;

        if (*s < 0x80) {
            p = gw_usage_text_escape(p, *s);
            n = 1;

        } else {
            n = gw_usage_text_utf8(s, len, &valid);

            if (valid) {
                memcpy(p, data, n);
                p += n;

            } else {
                memcpy(p, "\xef\xbf\xbd", 3);
                p += 3;
            }
        }

        data += n;
        len -= n;
    }

    *p++ = '"';

    return p;
}


size_t
gw_usage_text_length(const char *data, size_t len)
{
    char                  buf[GW_USAGE_TEXT_ESCAPED];
    size_t                n, length;
    unsigned              valid;
    const unsigned char  *s;

    length = 2;

    while (len) {
        n = gw_usage_text_plain(data, len);

        length += n;

        if (n == len) {
            break;
        }

        data += n;
        len -= n;

        s = (const unsigned char *) data;

        if (*s < 0x80) {
            length += (size_t) (gw_usage_text_escape(buf, *s) - buf);
            n = 1;

        } else {
            n = gw_usage_text_utf8(s, len, &valid);
            length += valid ? n : 3;
        }

        data += n;
        len -= n;
    }

    return length;
}


/*
 * How many bytes stay as they are, at the beginning.  Eight at a time: one
 * that does not, sets the highest bit of its own byte in one of the terms; a
 * carry can only come from such a byte.
 */

static size_t
gw_usage_text_plain(const char *data, size_t len)
{
    size_t    i;
    uint64_t  w, odd;

    for (i = 0; len - i >= sizeof(w); i += sizeof(w)) {
        memcpy(&w, data + i, sizeof(w));

        odd = w
              | (w + gw_usage_text_each(1))                 /* DEL */
              | (w - gw_usage_text_each(0x20))
              | ((w ^ gw_usage_text_each('"')) - gw_usage_text_each(1))
              | ((w ^ gw_usage_text_each('\\')) - gw_usage_text_each(1));

        if (odd & gw_usage_text_each(0x80)) {
            break;
        }
    }

    while (i < len && gw_usage_text_is_plain((unsigned char) data[i])) {
        i++;
    }

    return i;
}


static int
gw_usage_text_is_plain(unsigned char ch)
{
    return ch >= 0x20 && ch < 0x7f && ch != '"' && ch != '\\';
}


static char *
gw_usage_text_escape(char *p, unsigned char ch)
{
    if (ch == '"' || ch == '\\') {
        *p++ = '\\';
        *p++ = (char) ch;

        return p;
    }

    memcpy(p, "\\u00", 4);

    p[4] = gw_usage_text_digits[ch >> 4];
    p[5] = gw_usage_text_digits[ch & 0xf];

    return p + GW_USAGE_TEXT_ESCAPED;
}


/*
 * The length of the character at "p"; if it is not well-formed, of the bytes
 * that one U+FFFD replaces: as many as might have begun a character, as the
 * Unicode standard recommends.
 */

static size_t
gw_usage_text_utf8(const unsigned char *p, size_t len, unsigned *valid)
{
    size_t         i, n;
    unsigned char  low, high;

    low = 0x80;
    high = 0xbf;

    *valid = 0;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;

        /* neither overlong nor a surrogate */

        if (p[0] == 0xe0) {
            low = 0xa0;

        } else if (p[0] == 0xed) {
            high = 0x9f;
        }

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;

        /* neither overlong nor above U+10FFFF */

        if (p[0] == 0xf0) {
            low = 0x90;

        } else if (p[0] == 0xf4) {
            high = 0x8f;
        }

    } else {
        return 1;
    }

    for (i = 1; i < n; i++) {

        if (i == len || p[i] < low || p[i] > high) {
            return i;
        }

        low = 0x80;
        high = 0xbf;
    }

    *valid = 1;

    return n;
}


char *
gw_usage_text_number(char *p, uint64_t n)
{
    char   digits[GW_USAGE_TEXT_NUMBER];
    char  *d;

    d = digits + sizeof(digits);

    while (n >= 100) {
        d -= 2;
        (void) gw_usage_text_pair(d, (unsigned) (n % 100));
        n /= 100;
    }

    if (n >= 10) {
        d -= 2;
        (void) gw_usage_text_pair(d, (unsigned) n);

    } else {
        *--d = (char) ('0' + n);
    }

    while (d < digits + sizeof(digits)) {
        *p++ = *d++;
    }

    return p;
}


char *
gw_usage_text_time(char *p, int64_t ms)
{
    unsigned  days, rest, sec, year, yday, month, era;

    if (ms < 0) {
        ms = 0;

    } else if (ms > GW_USAGE_TEXT_LAST) {
        ms = GW_USAGE_TEXT_LAST;
    }

    /* days since March 1, 0: a leap day is the last one of its year */

    days = (unsigned) (ms / 86400000) + 719468;

    rest = (unsigned) (ms % 86400000);
    sec = rest / 1000;
    rest %= 1000;

    era = days / 146097;
    days %= 146097;

    year = (days - days / 1460 + days / 36524 - days / 146096) / 365;
    yday = days - (365 * year + year / 4 - year / 100);

    month = (5 * yday + 2) / 153;
    days = yday - (153 * month + 2) / 5 + 1;

    year += era * 400;

    if (month < 10) {
        month += 3;

    } else {
        month -= 9;
        year++;
    }

    p = gw_usage_text_pair(p, year / 100);
    p = gw_usage_text_pair(p, year % 100);
    *p++ = '-';
    p = gw_usage_text_pair(p, month);
    *p++ = '-';
    p = gw_usage_text_pair(p, days);
    *p++ = 'T';
    p = gw_usage_text_pair(p, sec / 3600);
    *p++ = ':';
    p = gw_usage_text_pair(p, sec / 60 % 60);
    *p++ = ':';
    p = gw_usage_text_pair(p, sec % 60);
    *p++ = '.';
    p = gw_usage_text_pair(p, rest / 10);
    *p++ = (char) ('0' + rest % 10);
    *p++ = 'Z';

    return p;
}


static char *
gw_usage_text_pair(char *p, unsigned n)
{
    memcpy(p, gw_usage_text_pairs + 2 * n, 2);

    return p + 2;
}


char *
gw_usage_text_hex(char *p, uint64_t n)
{
    size_t  i;

    for (i = GW_USAGE_TEXT_HEX; i; i--) {
        p[i - 1] = gw_usage_text_digits[n & 0xf];
        n >>= 4;
    }

    return p + GW_USAGE_TEXT_HEX;
}
