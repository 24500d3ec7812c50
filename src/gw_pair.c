
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_pair.h"


static unsigned char *gw_pair_find(unsigned char *p, unsigned char *last,
    unsigned char ch);
static int gw_pair_digit(unsigned char ch);


unsigned
gw_pair_cookie(unsigned char *p, unsigned char *last, const gw_str_t *name,
    gw_pair_t *pair)
{
    unsigned char  *end;

    pair->end = gw_pair_find(p, last, ';');

    while (p < pair->end && (*p == ' ' || *p == '\t')) {
        p++;
    }

    end = gw_pair_find(p, pair->end, '=');

    if (end == pair->end) {
        pair->value = end;
        return 0;
    }

    pair->value = end + 1;

    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    return (size_t) (end - p) == name->len
           && memcmp(p, name->data, name->len) == 0;
}


unsigned
gw_pair_arg(unsigned char *p, unsigned char *last, const gw_str_t *name,
    gw_pair_t *pair)
{
    size_t          n;
    unsigned char   ch, *end;

    pair->end = gw_pair_find(p, last, '&');

    end = gw_pair_find(p, pair->end, '=');

    pair->value = (end < pair->end) ? end + 1 : end;

    for (n = 0; p < end; n++) {

        p = gw_pair_byte(p, end, &ch);

        if (n >= name->len || ch != (unsigned char) name->data[n]) {
            return 0;
        }
    }

    return n == name->len;
}


unsigned char *
gw_pair_byte(unsigned char *p, unsigned char *last, unsigned char *byte)
{
    int  high, low;

    if (*p == '%' && last - p >= 3) {

        high = gw_pair_digit(p[1]);
        low = gw_pair_digit(p[2]);

        if (high >= 0 && low >= 0) {
            *byte = (unsigned char) (high << 4 | low);
            return p + 3;
        }
    }

    *byte = *p;

    return p + 1;
}


static unsigned char *
gw_pair_find(unsigned char *p, unsigned char *last, unsigned char ch)
{
    while (p < last && *p != ch) {
        p++;
    }

    return p;
}


static int
gw_pair_digit(unsigned char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    if (ch >= 'a' && ch <= 'f') {
        return ch - 'a' + 10;
    }

    return -1;
}
