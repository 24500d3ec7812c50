
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_slot.h"


static int gw_slot_number(const char *p, const char *end, unsigned max,
    unsigned *number);


/* CRC16 of XMODEM (polynomial 0x1021), by half bytes */

static const uint16_t  gw_slot_crc[16] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
    0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef
};


/*
 * the tag is between the first "{" and the first "}" after it; if there is
 * nothing in between the whole key counts
 */

unsigned
gw_slot(const gw_str_t *key)
{
    uint16_t     crc;
    const char  *p, *end, *open, *close;

    crc = 0;

    if (key->len == 0) {
        return 0;
    }

    p = key->data;
    end = p + key->len;

    open = memchr(p, '{', key->len);

    if (open) {
        open++;
        close = memchr(open, '}', end - open);

        if (close && close != open) {
            p = open;
            end = close;
        }
    }

    for ( /* void */ ; p < end; p++) {
        crc = (uint16_t) (crc << 4)
              ^ gw_slot_crc[(crc >> 12) ^ ((uint8_t) *p >> 4)];
        crc = (uint16_t) (crc << 4)
              ^ gw_slot_crc[(crc >> 12) ^ ((uint8_t) *p & 0x0f)];
    }

    return crc & (GW_SLOTS - 1);
}


int
gw_slot_redirect(const gw_str_t *text, unsigned *slot, gw_str_t *host,
    unsigned *port)
{
    unsigned     s, n;
    gw_str_t     h;
    const char  *p, *end, *colon;

    end = text->data + text->len;

    p = text->len ? memchr(text->data, ' ', text->len) : NULL;

    if (p == NULL
        || gw_slot_number(text->data, p, GW_SLOTS - 1, &s) != GW_OK)
    {
        return GW_ERROR;
    }

    h.data = ++p;

    /* the last one: an IPv6 address has others */

    for (colon = end; colon > p && colon[-1] != ':'; colon--) { /* void */ }

    if (colon == p
        || gw_slot_number(colon, end, 65535, &n) != GW_OK
        || n == 0)
    {
        return GW_ERROR;
    }

    h.len = colon - 1 - p;

    if (h.len && gw_slot_host(&h) != GW_OK) {
        return GW_ERROR;
    }

    *slot = s;
    *host = h;
    *port = n;

    return GW_OK;
}


static int
gw_slot_number(const char *p, const char *end, unsigned max, unsigned *number)
{
    unsigned  n;

    if (p == end || end - p > 5) {
        return GW_ERROR;
    }

    for (n = 0; p < end; p++) {

        if (*p < '0' || *p > '9') {
            return GW_ERROR;
        }

        n = n * 10 + (*p - '0');
    }

    *number = n;

    return (n <= max) ? GW_OK : GW_ERROR;
}


int
gw_slot_host(const gw_str_t *host)
{
    char    ch;
    size_t  i;

    if (host->len == 0 || host->len > GW_SLOT_HOST) {
        return GW_ERROR;
    }

    for (i = 0; i < host->len; i++) {

        ch = host->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == '.' || ch == '_' || ch == ':' || ch == '-'))
        {
            return GW_ERROR;
        }
    }

    return GW_OK;
}
