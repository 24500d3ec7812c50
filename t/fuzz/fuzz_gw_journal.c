
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_crc32c.c */


/*
 * A segment, its header and the name of a file of any bytes.  The first byte
 * says whether the crcs are made right, which no fuzzer could do by itself.
 * What is read lies within the data, and written again is the same.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gw_journal.c"


static void
name(const char *data, size_t len)
{
    char               buf[GW_JOURNAL_NAME + 1];
    gw_str_t           s;
    gw_journal_name_t  n;

    s.data = data;
    s.len = len;

    if (gw_journal_name_read(&n, &s) == GW_OK) {
        assert(gw_journal_name(buf, &n) == len);
        assert(memcmp(buf, data, len) == 0);
    }
}


static void
header(char *data, size_t len, unsigned right)
{
    char                  buf[GW_JOURNAL_HEADER];
    uint32_t              crc;
    uint64_t              acked;
    gw_journal_segment_t  seg, again;

    memset(buf, 0, sizeof(buf));
    memcpy(buf, data, len < sizeof(buf) ? len : sizeof(buf));

    if (right) {
        crc = gw_journal_le32(gw_journal_header_crc(buf));
        memcpy(buf + offsetof(gw_journal_header_t, crc), &crc, sizeof(crc));
    }

    acked = gw_journal_acked(buf);
    assert(acked >= GW_JOURNAL_HEADER && acked % GW_JOURNAL_ALIGN == 0);

    assert(len >= GW_JOURNAL_HEADER
           || gw_journal_open(&seg, data, len) == GW_ERROR);

    if (gw_journal_open(&seg, buf, sizeof(buf)) == GW_OK) {
        assert(seg.node.data >= buf
               && seg.cluster.data + seg.cluster.len <= buf + sizeof(buf));

        gw_journal_header(data, &seg);
        assert(gw_journal_open(&again, data, GW_JOURNAL_HEADER) == GW_OK);
        assert(again.generation == seg.generation);
        assert(again.topic.len == seg.topic.len);
        assert(again.cluster.len == seg.cluster.len);
    }
}


static void
again(const gw_journal_record_t *rec, const char *data, size_t size)
{
    char                 *p;
    size_t                len;
    gw_journal_record_t   r;

    p = calloc(1, size);
    assert(p != NULL);

    len = gw_journal_write(p, rec);

    assert(len > 0 && len <= size);
    assert(gw_journal_read(&r, p, len, &len) == GW_OK);
    assert(r.sequence == rec->sequence && r.type == rec->type);
    assert(r.event.len == rec->event.len);
    assert(r.key.len == 0 || memcmp(r.key.data, rec->key.data, r.key.len)
                             == 0);
    assert(rec->event.len == 0
           || memcmp(r.event.data, rec->event.data, r.event.len) == 0);
    assert(r.event.data + r.event.len <= p + len);
    assert(rec->event.data + rec->event.len <= data + size);

    free(p);
}


static void
records(char *data, size_t len, unsigned right)
{
    int                  rc;
    size_t               at, size, whole;
    uint64_t             word;
    gw_journal_record_t  rec;

    for (at = 0; at < len; at += size) {

        if (right && len - at >= GW_JOURNAL_HEAD) {
            size = gw_journal_begin(data + at, &word);

            if (size > 0 && size <= len - at) {
                word = gw_journal_le64(gw_journal_word(data + at, size));
                memcpy(data + at, &word, sizeof(word));
            }
        }

        rc = gw_journal_read(&rec, data + at, len - at, &size);

        if (rc == GW_OK) {
            assert(size >= GW_JOURNAL_HEAD && size <= len - at);
            again(&rec, data + at, size);
            continue;
        }

        assert(rc != GW_AGAIN || (size > len - at && size <= GW_JOURNAL_MAX));

        size = gw_journal_next(data + at, len - at);

        assert(size > 0 && size <= len - at);
        if (size < len - at) {
            rc = gw_journal_read(&rec, data + at + size, len - at - size,
                                 &whole);
            assert(rc == GW_OK);
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char      *p;
    unsigned   right;

    if (size == 0) {
        return 0;
    }

    right = data[0] & 1;
    size--;

    p = malloc(size + (size == 0));
    assert(p != NULL);

    memcpy(p, data + 1, size);

    name(p, size);
    records(p, size, right);

    free(p);

    p = malloc(size > GW_JOURNAL_HEADER ? size : GW_JOURNAL_HEADER);
    assert(p != NULL);

    memcpy(p, data + 1, size);
    header(p, size, right);

    free(p);

    return 0;
}
