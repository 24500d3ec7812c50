
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_crc32c.c */


/*
 * Calls in any order, and between them any changes of the block; then what is
 * left of it is read.  Every field is within its limit and the block, and the
 * writer stays in it.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gw_inflight.c"


#define SLOTS  4
#define STEP   6


static void
within(const gw_str_t *s, size_t max, const char *block, size_t len)
{
    assert(s->len <= max);
    assert(s->data >= block && s->data + s->len <= block + len);
}


static void
find(const char *block, size_t len)
{
    char                   *copy;
    unsigned                i;
    gw_inflight_info_t      info;
    gw_inflight_request_t   req;

    /* exactly as much memory as there is of it */

    copy = malloc(len + (len == 0));
    assert(copy != NULL);

    memcpy(copy, block, len);

    if (gw_inflight_open(&info, copy, len) == GW_OK) {
        assert(info.slots > 0 && gw_inflight_size(info.slots) <= len);
        within(&info.node, GW_INFLIGHT_MAX_NODE, copy, len);
    }

    for (i = 0; i < SLOTS + 3; i++) {

        if (gw_inflight_read(&req, copy, len, i) == GW_OK) {
            assert(req.sequence != 0);
            within(&req.request_id, GW_INFLIGHT_MAX_REQUEST_ID, copy, len);
            within(&req.api, GW_INFLIGHT_MAX_API, copy, len);
            within(&req.subject, GW_INFLIGHT_MAX_SUBJECT, copy, len);
        }
    }

    free(copy);
}


static void
enter(gw_inflight_t *t, const uint8_t *op, uint64_t sequence)
{
    gw_inflight_request_t  req;

    static const char  text[GW_INFLIGHT_MAX_SUBJECT + 256];

    req.sequence = sequence;
    req.start = op[1];
    req.request_id.len = op[2] % 70;
    req.request_id.data = text;
    req.api.len = op[3];
    req.api.data = text;
    req.subject.len = op[4] * 3u;
    req.subject.data = text;

    assert(gw_inflight_enter(t, &req) <= SLOTS);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t               i, len, at;
    uint16_t            *free_slots;
    gw_str_t             node;
    gw_inflight_t        t;
    gw_inflight_head_t  *head;

    len = gw_inflight_size(SLOTS);

    head = calloc(1, len);
    free_slots = malloc(SLOTS * sizeof(uint16_t));
    assert(head && free_slots);

    node.data = (const char *) data;
    node.len = size < 300 ? size : 6;

    gw_inflight_init(&t, head, SLOTS, free_slots, 1, &node);

    for (i = 0; i + STEP <= size; i += STEP) {

        at = ((size_t) data[i + 1] << 8 | data[i + 2]) % len;

        switch (data[i] % 8) {

        case 0:
            /* a change, at the start of a slot or anywhere */

            at = data[i + 4] % 4 ? gw_inflight_size(at % SLOTS)
                                   + data[i + 5] % 24 : at;
            t.block[at] = (char) data[i + 3];
            break;

        case 1:
            /* a change of the head that is believed */

            t.block[at % sizeof(gw_inflight_head_t)] = (char) data[i + 3];
            head->crc = gw_inflight_crc(head);
            break;

        case 2:
            gw_inflight_last(&t, at, data[i + 3]);
            break;

        case 3:
        case 4:
            gw_inflight_leave(&t, data[i + 1] % (SLOTS + 2));
            break;

        default:
            enter(&t, &data[i], i + 1);
            break;
        }

        assert(t.nfree <= SLOTS);
    }

    find(t.block, len);
    find(t.block, size % (len + 1));

    free(free_slots);
    free(head);

    return 0;
}
