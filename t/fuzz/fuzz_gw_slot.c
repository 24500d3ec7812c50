
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A redirect that is taken can be written again, and is then the same.  The
 * slot of a key is that of its tag alone.
 */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gw_slot.c"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char      *p, *tag, text[GW_SLOT_HOST + 32];
    unsigned   slot, port, again, port_again;
    gw_str_t   s, host, host_again;

    /* exactly as much memory as there is text */

    p = malloc(size + 1);
    tag = malloc(size + 3);
    assert(p && tag);

    memcpy(p + 1, data, size);

    s.data = p + 1;
    s.len = size;

    if (gw_slot_redirect(&s, &slot, &host, &port) == GW_OK) {
        assert(slot < GW_SLOTS && port > 0 && port < 65536);
        assert(host.len == 0 || gw_slot_host(&host) == GW_OK);

        s.len = snprintf(text, sizeof(text), "%u %.*s:%u", slot,
                         (int) host.len, host.data, port);
        s.data = text;

        assert(s.len < sizeof(text));
        assert(gw_slot_redirect(&s, &again, &host_again, &port_again)
               == GW_OK);
        assert(again == slot && port_again == port);
        assert(host_again.len == host.len
               && memcmp(host_again.data, host.data, host.len) == 0);
    }

    s.data = p + 1;
    s.len = size;

    slot = gw_slot(&s);
    assert(slot < GW_SLOTS);

    if (size && memchr(data, '}', size) == NULL
        && memchr(data, '{', size) == NULL)
    {
        tag[0] = '{';
        memcpy(tag + 1, data, size);
        memcpy(tag + 1 + size, "}x", 2);

        s.data = tag;
        s.len = size + 3;

        assert(gw_slot(&s) == slot);
    }

    free(p);
    free(tag);

    return 0;
}
