
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_crc32c.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_crc32c.h"


/* the bytes that the code looks at */

static size_t  work;


static void *
counted_copy(void *to, const void *from, size_t len)
{
    work += len;

    return memcpy(to, from, len);
}


static uint32_t
counted_crc32c(uint32_t crc, const void *data, size_t len)
{
    work += len;

    return gw_crc32c(crc, data, len);
}


#define memcpy     counted_copy
#define gw_crc32c  counted_crc32c

#include "gw_journal.c"

#undef memcpy
#undef gw_crc32c

#include "gw_step.h"
#include "gw_trace.h"


#define RECORDS  200             /* in a segment of a test, at most */
#define ROOM     (64 * 1024)
#define TRACES   3000
#define HOSTILE  (512 * 1024)


/* what was written to a segment */

typedef struct {
    char      *data;
    char      *whole;            /* the same, without damage */
    size_t     len;
    size_t     end;              /* of the records */
    size_t     n;
    size_t     at[RECORDS + 1];
    uint64_t   sequence[RECORDS];
} model_t;


/* what a reader found */

typedef struct {
    size_t     n;
    size_t     at;               /* where it stopped */
    size_t     damage;
    size_t     work;             /* of gw_journal_next() */
    uint64_t   sequence[HOSTILE / 8];
} found_t;


static found_t  found;


/* the record of a sequence, always the same */

static void
make(gw_journal_record_t *rec, uint64_t sequence, char *text)
{
    size_t    i, len;
    uint64_t  saved;

    saved = seed;
    seed = (sequence + 1) * UINT64_C(0xbf58476d1ce4e5b9);
    (void) any(2);

    rec->sequence = sequence;
    rec->type = any(5) == 0 ? GW_JOURNAL_MARK : GW_JOURNAL_EVENT;

    len = any(3) == 0 ? any(40) : 0;

    for (i = 0; i < len; i++) {
        text[i] = (char) any(sequence % 7 == 0 ? 256 : 255);
    }

    rec->key.data = text;
    rec->key.len = len;

    text += GW_JOURNAL_MAX_KEY;
    len = any(100) == 0 ? any(GW_JOURNAL_MAX_EVENT + 1) : any(120);

    for (i = 0; i < len; i++) {
        text[i] = (char) any(0xf5);
    }

    rec->event.data = text;
    rec->event.len = len;

    seed = saved;
}


static int
same(const gw_str_t *a, const gw_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}


static void
check(const gw_journal_record_t *rec)
{
    char                 text[GW_JOURNAL_MAX];
    gw_journal_record_t  want;

    make(&want, rec->sequence, text);

    if (want.key.len && memchr(want.key.data, 0xff, want.key.len)) {
        want.key.len = 0;
    }

    assert_int_equal(rec->type, want.type);
    assert_true(same(&rec->key, &want.key));
    assert_true(same(&rec->event, &want.event));
}


static void
ignore(const gw_journal_record_t *rec)
{
    (void) rec;
}


/*
 * Reads what is there, as a worker does: to the end of the records, or, if
 * "all", also what is behind a hole.
 */

static void
walk(const char *data, size_t len, int all, void (*see)
    (const gw_journal_record_t *rec))
{
    int                  rc;
    size_t               at, size, before;
    gw_journal_record_t  rec;

    memset(&found, 0, offsetof(found_t, sequence));

    for (at = 0; at < len; at += size) {
        before = work;
        rc = gw_journal_read(&rec, data + at, len - at, &size);

        assert_true(work - before <= GW_JOURNAL_MAX + 64);

        if (rc == GW_OK) {
            assert_true(size <= len - at && size >= GW_JOURNAL_HEAD);
            assert_true(rec.key.data >= data && rec.event.data >= data);
            assert_true(rec.key.data + rec.key.len <= data + at + size);
            assert_true(rec.event.data + rec.event.len <= data + at + size);

            see(&rec);

            assert_true(found.n < sizeof(found.sequence) / sizeof(uint64_t));
            found.sequence[found.n++] = rec.sequence;
            continue;
        }

        if (rc == GW_DECLINED && !all) {
            break;
        }

        if (rc == GW_AGAIN) {
            assert_true(size > len - at && size <= GW_JOURNAL_MAX);
            assert_true(size >= GW_JOURNAL_HEAD && size % 8 == 0);
        }

        if (rc != GW_DECLINED) {
            found.damage++;
        }

        before = work;
        size = gw_journal_next(data + at, len - at);
        found.work += work - before;

        assert_true(size > 0 && size <= len - at);
    }

    found.at = at;
}


static void
model_make(model_t *m, size_t len)
{
    memset(m, 0, sizeof(model_t));

    m->len = len;
    m->data = calloc(1, len);
    m->whole = malloc(len);

    assert_true(m->data && m->whole);
}


static void
model_free(model_t *m)
{
    free(m->data);
    free(m->whole);
}


static void
model_append(model_t *m, uint64_t sequence)
{
    char                 text[GW_JOURNAL_MAX];
    size_t               size;
    gw_journal_record_t  rec;

    make(&rec, sequence, text);
    size = gw_journal_size(&rec);

    if (m->n == RECORDS || size > m->len - m->end) {
        return;
    }

    assert_int_equal(gw_journal_write(m->data + m->end, &rec), size);

    m->sequence[m->n++] = sequence;
    m->end += size;
    m->at[m->n] = m->end;
}


/* all that lies whole within "len" and is as it was written, in order */

static void
model_check(const model_t *m, const char *data, size_t len)
{
    size_t    i, n, size, hole;
    uint64_t  word;

    walk(data, len, 1, check);

    n = 0;
    hole = len;

    for (i = 0; i < m->n; i++) {
        size = m->at[i + 1] - m->at[i];

        if (m->at[i + 1] > len
            || memcmp(data + m->at[i], m->whole + m->at[i], size) != 0)
        {
            continue;
        }

        assert_true(n < found.n);
        assert_int_equal(found.sequence[n], m->sequence[i]);
        n++;
    }

    assert_int_equal(found.n, n);

    /* a reader that stops at the end finds the same up to there */

    walk(data, len, 0, check);

    assert_true(found.n <= n);

    hole = found.at;

    if (hole < len && len - hole >= sizeof(word)) {
        memcpy(&word, data + hole, sizeof(word));
        assert_int_equal(word, 0);
    }

    n = 0;

    for (i = 0; i < m->n && m->at[i + 1] <= hole; i++) {
        size = m->at[i + 1] - m->at[i];
        n += memcmp(data + m->at[i], m->whole + m->at[i], size) == 0;
    }

    assert_int_equal(found.n, n);
}


static void
test_name(void **state)
{
    char              *exact, buf[GW_JOURNAL_NAME + 1];
    size_t             i, len;
    gw_str_t           s;
    gw_journal_name_t  name, again;

    static const char *const  good[] = {
        "0123456789abcdef-00000001.seg", "0123456789abcdef-99999999.kept",
        "0123456789abcdef-4294967295.bad", "0123456789abcdef-100000000.seg",
        "0123456789abcdef.lock", "ffffffffffffffff.live",
        "0000000000000000.dead"
    };

    static const char *const  bad[] = {
        "", ".", "..", "lock", "0123456789abcdef", "0123456789abcdef.",
        "0123456789abcdef-", "0123456789abcdef-00000001",
        "0123456789abcdef-00000001.", "0123456789abcdef-00000000.seg",
        "0123456789abcdef-1.seg", "0123456789abcdef-000000001.seg",
        "0123456789abcdef-4294967296.seg",
        "0123456789abcdef-18446744073709551617.seg",
        "0123456789abcdef-0000000000000000001.seg",
        "0123456789abcdef-0000001x.seg", "0123456789abcdef-+0000001.seg",
        "0123456789abcdef--0000001.seg", "0123456789abcdef-00000001.lock",
        "0123456789abcdef-00000001.dead", "0123456789abcdef.seg",
        "0123456789abcdef.kept", "0123456789abcdef.bad",
        "0123456789ABCDEF-00000001.seg", "0123456789abcdeg-00000001.seg",
        "0123456789abcde/-00000001.seg", "0123456789abcde:-00000001.seg",
        "0123456789abcdef-00000001.seg~", "0123456789abcdef-00000001.seg.new",
        "0123456789abcdef-00000001.segx", "0123456789abcdef-00000001.se",
        "0123456789abcdef_00000001.seg", " 123456789abcdef-00000001.seg",
        "0123456789abcdef.lockx", "0123456789abcdef.loc",
        "0123456789abcdef-00000001.seg0000000000000000000"
    };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        s.data = good[i];
        s.len = strlen(good[i]);

        assert_int_equal(gw_journal_name_read(&name, &s), GW_OK);

        len = gw_journal_name(buf, &name);

        assert_int_equal(len, s.len);
        assert_string_equal(buf, good[i]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        s.len = strlen(bad[i]);
        exact = block_of(s.len + (s.len == 0));
        memcpy(exact, bad[i], s.len);
        s.data = exact;

        assert_int_equal(gw_journal_name_read(&name, &s), GW_DECLINED);

        free(exact);
    }

    name.generation = UINT64_C(0xfedcba9876543210);
    name.number = 42;
    name.kind = GW_JOURNAL_KEPT;

    s.data = buf;
    s.len = gw_journal_name(buf, &name);

    assert_string_equal(buf, "fedcba9876543210-00000042.kept");
    assert_int_equal(gw_journal_name_read(&again, &s), GW_OK);
    assert_true(again.generation == name.generation);
    assert_int_equal(again.number, 42);
    assert_int_equal(again.kind, GW_JOURNAL_KEPT);
}


/* each byte changed in turn: either the same name, or read as another one */

static void
test_name_bytes(void **state)
{
    char               buf[GW_JOURNAL_NAME + 1], text[GW_JOURNAL_NAME + 1];
    size_t             i, len;
    gw_str_t           s;
    unsigned           byte;
    gw_journal_name_t  name;

    static const char  original[] = "0123456789abcdef-00000017.kept";

    (void) state;

    s.data = text;
    s.len = sizeof(original) - 1;

    for (i = 0; i < s.len; i++) {

        for (byte = 0; byte < 256; byte++) {
            memcpy(text, original, sizeof(original));
            text[i] = (char) byte;

            if (gw_journal_name_read(&name, &s) == GW_OK) {
                len = gw_journal_name(buf, &name);
                assert_int_equal(len, s.len);
                assert_memory_equal(buf, text, len);
            }
        }
    }
}


static void
segment(gw_journal_segment_t *seg)
{
    static const gw_journal_segment_t  one = {
        UINT64_C(0x0123456789abcdef), 7, INT64_C(1700000000123),
        gw_str("node-1"), gw_str("gw.usage"), gw_str("eu")
    };

    *seg = one;
}


/* bytes that are on disks already, computed by other means */

static void
test_golden(void **state)
{
    char                  buf[GW_JOURNAL_HEADER];
    size_t                i;
    uint64_t              p[8];
    gw_journal_record_t   rec;
    gw_journal_segment_t  seg;

    static const uint8_t  header[96] = {
        0x67, 0x77, 0x2e, 0x6a, 0x72, 0x6e, 0x6c, 0x0a,
        0x01, 0x00, 0x00, 0x00, 0x20, 0xec, 0xde, 0x7b,
        0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01,
        0x7b, 0x68, 0xe5, 0xcf, 0x8b, 0x01, 0x00, 0x00,
        0x07, 0x00, 0x00, 0x00, 0x06, 0x00, 0x08, 0x00,
        0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0xff, 0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0x6e, 0x6f, 0x64, 0x65, 0x2d, 0x31, 0x67, 0x77,
        0x2e, 0x75, 0x73, 0x61, 0x67, 0x65, 0x65, 0x75
    };

    static const uint8_t  record[40] = {
        0xb4, 0xa2, 0x1b, 0xfe, 0x28, 0x00, 0xfe, 0xff,
        0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x02, 0x00, 0x02, 0x00, 0x08, 0x00, 0x00, 0x00,
        0x6b, 0x31, 0x7b, 0x22, 0x69, 0x64, 0x22, 0x3a,
        0x31, 0x7d, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00
    };

    (void) state;

    segment(&seg);
    memset(buf, 0xa5, sizeof(buf));
    gw_journal_header(buf, &seg);

    assert_memory_equal(buf, header, sizeof(header));

    for (i = sizeof(header); i < GW_JOURNAL_HEADER; i++) {
        assert_int_equal(buf[i], 0);
    }

    memset(p, 0, sizeof(p));

    rec.sequence = 5;
    rec.type = GW_JOURNAL_MARK;
    rec.key = (gw_str_t) gw_str("k1");
    rec.event = (gw_str_t) gw_str("{\"id\":1}");

    assert_int_equal(gw_journal_size(&rec), sizeof(record));
    assert_int_equal(gw_journal_write((char *) p, &rec), sizeof(record));
    assert_memory_equal(p, record, sizeof(record));
    assert_int_equal(p[5], 0);
}


static void
test_header(void **state)
{
    char                  buf[GW_JOURNAL_HEADER], text[600];
    gw_journal_segment_t  seg, again;

    (void) state;

    segment(&seg);
    gw_journal_header(buf, &seg);

    assert_int_equal(gw_journal_open(&again, buf, sizeof(buf)), GW_OK);
    assert_true(again.generation == seg.generation);
    assert_int_equal(again.number, 7);
    assert_true(again.created == seg.created);
    assert_true(same(&again.node, &seg.node));
    assert_true(same(&again.topic, &seg.topic));
    assert_true(same(&again.cluster, &seg.cluster));
    assert_int_equal(gw_journal_acked(buf), GW_JOURNAL_HEADER);

    /* nothing, and as much as there may be; what is longer is cut */

    memset(text, 'x', sizeof(text));

    seg.node.len = 0;
    seg.node.data = NULL;
    seg.topic.len = GW_JOURNAL_MAX_TOPIC;
    seg.topic.data = text;
    seg.cluster.len = sizeof(text);
    seg.cluster.data = text;
    seg.created = -1;

    gw_journal_header(buf, &seg);

    assert_int_equal(gw_journal_open(&again, buf, sizeof(buf)), GW_OK);
    assert_int_equal(again.node.len, 0);
    assert_true(same(&again.topic, &seg.topic));
    assert_int_equal(again.cluster.len, GW_JOURNAL_MAX_CLUSTER);
    assert_true(again.created == -1);

    seg.node = seg.topic = seg.cluster;

    gw_journal_header(buf, &seg);

    assert_int_equal(gw_journal_open(&again, buf, sizeof(buf)), GW_OK);
    assert_int_equal(again.node.len, GW_JOURNAL_MAX_NODE);
    assert_int_equal(again.topic.len, GW_JOURNAL_MAX_TOPIC);
    assert_int_equal(again.cluster.len, GW_JOURNAL_MAX_CLUSTER);
}


static void
seal(char *buf)
{
    uint32_t  crc;

    crc = gw_journal_le32(gw_journal_header_crc(buf));

    memcpy(buf + offsetof(gw_journal_header_t, crc), &crc, sizeof(crc));
}


/* every bit and every length; with a right crc versions and names are seen */

static void
test_header_damage(void **state)
{
    char                  *cut, buf[GW_JOURNAL_HEADER];
    size_t                 i, at;
    gw_journal_segment_t   seg, again;

    static const size_t  lengths[] = {
        offsetof(gw_journal_header_t, node),
        offsetof(gw_journal_header_t, topic),
        offsetof(gw_journal_header_t, cluster)
    };

    (void) state;

    segment(&seg);
    gw_journal_header(buf, &seg);

    for (i = 0; i < GW_JOURNAL_HEADER * 8; i++) {
        at = i / 8;
        buf[at] = (char) (buf[at] ^ 1 << i % 8);

        assert_int_equal(gw_journal_open(&again, buf, sizeof(buf)),
                         at >= GW_JOURNAL_ACKED
                         && at < GW_JOURNAL_ACKED + GW_JOURNAL_ACK
                         ? GW_OK : GW_ERROR);
        assert_int_equal(gw_journal_acked(buf), GW_JOURNAL_HEADER);

        buf[at] = (char) (buf[at] ^ 1 << i % 8);
    }

    for (i = 0; i < GW_JOURNAL_HEADER; i++) {
        cut = block_of(i + (i == 0));
        memcpy(cut, buf, i);

        assert_int_equal(gw_journal_open(&again, cut, i), GW_ERROR);

        free(cut);
    }

    buf[8] = 2;
    seal(buf);
    assert_int_equal(gw_journal_open(&again, buf, sizeof(buf)), GW_DECLINED);

    buf[8] = 1;
    buf[0] = 'G';
    seal(buf);
    assert_int_equal(gw_journal_open(&again, buf, sizeof(buf)), GW_ERROR);

    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        gw_journal_header(buf, &seg);
        memset(buf + lengths[i], 0xff, sizeof(uint16_t));
        seal(buf);
        assert_int_equal(gw_journal_open(&again, buf, sizeof(buf)), GW_ERROR);

        gw_journal_header(buf, &seg);
        buf[lengths[i] + 1] = 1;
        seal(buf);
        assert_int_equal(gw_journal_open(&again, buf, sizeof(buf)), GW_ERROR);
    }
}


static void
test_ack(void **state)
{
    char                  buf[GW_JOURNAL_HEADER];
    size_t                i;
    uint64_t              offset;
    gw_journal_segment_t  seg;

    static const uint64_t  bad[] = {
        0, 8, GW_JOURNAL_HEADER - 8, GW_JOURNAL_HEADER + 1,
        GW_JOURNAL_HEADER + 4, GW_JOURNAL_HEADER + 15, UINT64_MAX
    };

    (void) state;

    segment(&seg);
    gw_journal_header(buf, &seg);

    for (i = 0; i < 1000; i++) {
        offset = GW_JOURNAL_HEADER + 8 * any(UINT64_C(1) << 40);

        gw_journal_ack(buf + GW_JOURNAL_ACKED, offset);

        assert_true(gw_journal_acked(buf) == offset);
        assert_int_equal(gw_journal_open(&seg, buf, sizeof(buf)), GW_OK);
    }

    offset = GW_JOURNAL_HEADER + 4096;
    gw_journal_ack(buf + GW_JOURNAL_ACKED, offset);

    for (i = GW_JOURNAL_ACKED * 8;
         i < (GW_JOURNAL_ACKED + GW_JOURNAL_ACK) * 8;
         i++)
    {
        buf[i / 8] = (char) (buf[i / 8] ^ 1 << i % 8);
        assert_true(gw_journal_acked(buf) == GW_JOURNAL_HEADER);
        buf[i / 8] = (char) (buf[i / 8] ^ 1 << i % 8);
    }

    assert_true(gw_journal_acked(buf) == offset);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        gw_journal_ack(buf + GW_JOURNAL_ACKED, bad[i]);
        assert_true(gw_journal_acked(buf) == GW_JOURNAL_HEADER);
    }

    memset(buf + GW_JOURNAL_ACKED, 0, GW_JOURNAL_ACK);
    assert_true(gw_journal_acked(buf) == GW_JOURNAL_HEADER);

    memset(buf + GW_JOURNAL_ACKED, 0xff, GW_JOURNAL_ACK);
    assert_true(gw_journal_acked(buf) == GW_JOURNAL_HEADER);
}


/* every size of key and event near the limits, in memory that ends there */

static void
test_sizes(void **state)
{
    char                 *p, *far, text[GW_JOURNAL_MAX_EVENT + 1];
    size_t                i, k, e, size, got;
    gw_journal_record_t   rec, again;

    static const size_t  keys[] = {
        0, 1, 7, 8, 9, GW_JOURNAL_MAX_KEY - 1, GW_JOURNAL_MAX_KEY
    };

    (void) state;

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (char) any(0xf5);
    }

    for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {

        for (e = 0; e <= GW_JOURNAL_MAX_EVENT; e += e % 97 == 20 ? 77 : 1) {

            rec.sequence = any(UINT64_MAX);
            rec.type = 1 + (e & 1);
            rec.key.len = keys[k];
            rec.key.data = text + 5;
            rec.event.len = e;
            rec.event.data = text;

            size = gw_journal_size(&rec);
            assert_true(size <= GW_JOURNAL_MAX);
            assert_true(size % GW_JOURNAL_ALIGN == 0);
            assert_true(size >= keys[k] + e && size < keys[k] + e + 32);

            p = calloc(1, size);
            assert_non_null(p);
            assert_int_equal(gw_journal_write(p, &rec), size);

            assert_int_equal(gw_journal_read(&again, p, size, &got), GW_OK);
            assert_int_equal(got, size);
            assert_true(again.sequence == rec.sequence);
            assert_int_equal(again.type, rec.type);
            assert_true(same(&again.key, &rec.key));
            assert_true(same(&again.event, &rec.event));

            assert_int_equal(gw_journal_read(&again, p, size - 1, &got),
                             GW_AGAIN);
            assert_int_equal(got, size);

            /* readers have no need of alignment */

            far = malloc(size + 3);
            assert_non_null(far);
            memcpy(far + 3, p, size);
            assert_int_equal(gw_journal_read(&again, far + 3, size, &got),
                             GW_OK);
            assert_true(same(&again.event, &rec.event));

            free(far);
            free(p);
        }
    }
}


/* a word that promises a record */

static void
promise(char *p, size_t size, unsigned heads)
{
    uint64_t           word;
    gw_journal_head_t  head;

    if (heads && size >= GW_JOURNAL_HEAD && size <= GW_JOURNAL_MAX) {

        /* all is right but the crc */

        size = gw_journal_round(size);

        head.sequence = any(UINT64_MAX);
        head.type = gw_journal_le16(GW_JOURNAL_EVENT);
        head.key = size - GW_JOURNAL_HEAD < GW_JOURNAL_MAX_KEY
                   ? size - GW_JOURNAL_HEAD : GW_JOURNAL_MAX_KEY;
        head.event = size - GW_JOURNAL_HEAD - head.key;
        head.key = gw_journal_le16(head.key);
        head.event = gw_journal_le16(head.event);
        head.unused = 0;

        memcpy(p + sizeof(word), &head, sizeof(head));
    }

    word = gw_journal_le64((uint64_t) (size | GW_JOURNAL_SIGN << 16) << 32
                           | any(UINT64_C(1) << 32));
    memcpy(p, &word, sizeof(word));
}


static void
test_limits(void **state)
{
    char                 *exact, text[GW_JOURNAL_MAX_EVENT + 1];
    size_t                got, size;
    uint64_t              p[GW_JOURNAL_MAX / 8];
    gw_journal_record_t   rec, again;

    (void) state;

    memset(text, 'x', sizeof(text));
    memset(p, 0, sizeof(p));

    rec.sequence = 1;
    rec.type = GW_JOURNAL_EVENT;
    rec.key.len = 0;
    rec.key.data = NULL;
    rec.event.len = GW_JOURNAL_MAX_EVENT + 1;
    rec.event.data = text;

    assert_int_equal(gw_journal_size(&rec), 0);
    assert_int_equal(gw_journal_write((char *) p, &rec), 0);
    assert_int_equal(p[0] | p[1] | p[2] | p[3], 0);

    rec.event.len = UINT32_MAX;
    assert_int_equal(gw_journal_size(&rec), 0);

    /* a key that is too long */

    rec.event.len = 8;
    rec.key.data = text;
    rec.key.len = GW_JOURNAL_MAX_KEY + 1;

    assert_int_equal(gw_journal_size(&rec), 32);
    assert_int_equal(gw_journal_write((char *) p, &rec), 32);
    assert_int_equal(gw_journal_read(&again, (char *) p, 32, &got), GW_OK);
    assert_int_equal(again.key.len, 0);
    assert_int_equal(again.event.len, 8);

    /* one that is no text */

    memset(p, 0, 32);
    text[15] = (char) 0xff;
    rec.key.len = 16;

    assert_int_equal(gw_journal_size(&rec), 32);
    assert_int_equal(gw_journal_write((char *) p, &rec), 32);
    assert_int_equal(gw_journal_read(&again, (char *) p, 32, &got), GW_OK);
    assert_int_equal(again.key.len, 0);

    rec.key.len = 15;
    assert_int_equal(gw_journal_size(&rec), 48);

    /* the end, and less than it */

    memset(p, 0, sizeof(p));
    assert_int_equal(gw_journal_read(&again, (char *) p, 8, &got),
                     GW_DECLINED);

    memset(p, 0xff, sizeof(p));
    assert_int_equal(gw_journal_read(&again, (char *) p, 7, &got),
                     GW_DECLINED);
    assert_int_equal(gw_journal_read(&again, (char *) p, 0, &got),
                     GW_DECLINED);
    assert_int_equal(gw_journal_read(&again, (char *) p, 8, &got), GW_ERROR);
    assert_int_equal(gw_journal_next((char *) p, 0), 0);
    assert_int_equal(gw_journal_next((char *) p, 7), 7);
    assert_int_equal(gw_journal_next((char *) p, sizeof(p)), sizeof(p));

    /* a word that promises less than the least record */

    for (size = 8; size < GW_JOURNAL_HEAD; size += 8) {
        exact = calloc(1, size);
        assert_non_null(exact);
        promise(exact, size, 0);

        assert_int_equal(gw_journal_read(&again, exact, size, &got),
                         GW_ERROR);

        free(exact);
    }

    /* behind one word of damage; the one at "data" is never meant */

    p[0] = UINT64_MAX;
    memset(p + 1, 0, sizeof(p) - 8);
    size = gw_journal_write((char *) &p[1], &rec);
    assert_int_equal(gw_journal_next((char *) p, sizeof(p)), 8);
    assert_int_equal(gw_journal_write((char *) &p[1] + size, &rec), size);
    assert_int_equal(gw_journal_next((char *) &p[1], sizeof(p) - 8), size);
}


/* whoever can make a right crc can't make the reader leave the record */

static void
test_lies(void **state)
{
    char                 *p;
    size_t                size, got;
    uint64_t              word;
    gw_journal_head_t     head;
    gw_journal_record_t   rec;

    (void) state;

    for (size = GW_JOURNAL_HEAD; size < 200; size += 8) {
        p = calloc(1, size);
        assert_non_null(p);

        for (got = 0; got < 2000; got++) {
            head.sequence = 1;
            head.type = gw_journal_le16((uint16_t) any(4));
            head.key = gw_journal_le16((uint16_t) any(any(2) ? 65536 : 200));
            head.event = gw_journal_le16((uint16_t) any(any(2) ? 65536
                                                               : 200));
            head.unused = 0;

            memcpy(p + 8, &head, sizeof(head));
            word = gw_journal_le64(gw_journal_word(p, size));
            memcpy(p, &word, sizeof(word));

            walk(p, size, 1, ignore);
        }

        free(p);
    }

    /* sums that wrap around */

    p = calloc(1, GW_JOURNAL_MAX);
    assert_non_null(p);

    head.sequence = 1;
    head.type = gw_journal_le16(GW_JOURNAL_EVENT);
    head.key = gw_journal_le16(UINT16_MAX);
    head.event = gw_journal_le16(1);

    memcpy(p + 8, &head, sizeof(head));
    word = gw_journal_le64(gw_journal_word(p, GW_JOURNAL_HEAD));
    memcpy(p, &word, sizeof(word));
    assert_int_equal(gw_journal_read(&rec, p, GW_JOURNAL_MAX, &got),
                     GW_ERROR);

    /* no type of ours, a key above its limit */

    head.key = gw_journal_le16(GW_JOURNAL_MAX_KEY + 8);
    head.event = 0;

    size = GW_JOURNAL_HEAD + GW_JOURNAL_MAX_KEY + 8;
    memcpy(p + 8, &head, sizeof(head));
    word = gw_journal_le64(gw_journal_word(p, size));
    memcpy(p, &word, sizeof(word));
    assert_int_equal(gw_journal_read(&rec, p, GW_JOURNAL_MAX, &got),
                     GW_ERROR);

    head.key = 0;
    head.type = gw_journal_le16(3);

    memcpy(p + 8, &head, sizeof(head));
    word = gw_journal_le64(gw_journal_word(p, GW_JOURNAL_HEAD));
    memcpy(p, &word, sizeof(word));
    assert_int_equal(gw_journal_read(&rec, p, GW_JOURNAL_MAX, &got),
                     GW_ERROR);

    free(p);
}


/* records of many sizes in about "len" bytes, and free space behind them */

static void
model_fill(model_t *m, size_t len)
{
    uint64_t  sequence;

    model_make(m, len);

    for (sequence = 1; m->n < 12; sequence++) {
        model_append(m, sequence);

        if (m->end > len - 64) {
            break;
        }
    }

    memcpy(m->whole, m->data, m->len);
}


/* a file cut at every byte */

static void
test_truncation(void **state)
{
    char     *cut;
    size_t    len;
    model_t   m;

    (void) state;

    model_fill(&m, 2048);
    assert_true(m.n > 8 && m.end < m.len);

    for (len = 0; len <= m.len; len++) {
        cut = block_of(len + (len == 0));
        memcpy(cut, m.data, len);

        model_check(&m, cut, len);
        assert_true(found.damage <= 1);

        free(cut);
    }

    assert_int_equal(found.n, m.n);
    assert_int_equal(found.damage, 0);
    assert_int_equal(found.at, m.end);

    model_free(&m);
}


/* each bit flipped: the record that has it is lost, and no other */

static void
test_flips(void **state)
{
    size_t    i, j, hit, n;
    model_t   m;

    (void) state;

    model_fill(&m, 2048);

    for (i = 0; i < m.len * 8; i++) {
        m.data[i / 8] = (char) (m.data[i / 8] ^ 1 << i % 8);

        for (hit = 0; hit < m.n && m.at[hit + 1] <= i / 8; hit++) {
            /* void */
        }

        walk(m.data, m.len, 0, check);

        for (n = 0, j = 0; j < m.n; j++) {
            if (j != hit) {
                assert_int_equal(found.sequence[n], m.sequence[j]);
                n++;
            }
        }

        assert_int_equal(found.n, n);
        assert_true(hit == m.n || found.damage == 1);

        m.data[i / 8] = (char) (m.data[i / 8] ^ 1 << i % 8);
    }

    /* the same in each record alone: never taken for a whole one */

    walk(m.data, m.len, 0, check);
    assert_int_equal(found.n, m.n);
    assert_int_equal(found.damage, 0);

    model_free(&m);
}


/* each word overwritten: zeroes as after a power cut, ones, a neighbour */

static void
test_words(void **state)
{
    size_t    at;
    model_t   m;

    (void) state;

    model_fill(&m, 2048);

    for (at = 0; at + 16 <= m.len; at += 8) {
        memset(m.data + at, 0, 8);
        model_check(&m, m.data, m.len);

        memset(m.data + at, 0xff, 8);
        model_check(&m, m.data, m.len);

        memcpy(m.data + at, m.whole + at + 8, 8);
        model_check(&m, m.data, m.len);

        memcpy(m.data + at, m.whole + m.at[1], 8);
        model_check(&m, m.data, m.len);

        memcpy(m.data + at, m.whole + at, 8);
    }

    model_free(&m);
}


/* a whole record within a key of a client is not found, whatever is damaged */

static void
test_forged(void **state)
{
    char                  text[GW_JOURNAL_MAX];
    char                 *p, *forged;
    size_t                i, n, end, shift, size;
    gw_journal_record_t   rec;

    (void) state;

    p = calloc(1, 4096);
    forged = calloc(1, 256);
    assert_true(p && forged);

    make(&rec, 1, text);
    rec.sequence = 666;
    rec.key.len = 0;
    rec.event = (gw_str_t) gw_str("{\"units\":1000000}");

    size = gw_journal_write(forged, &rec);

    for (shift = 0; shift < 8; shift++) {
        memset(p, 0, 4096);
        end = 0;

        for (i = 0; i < 3; i++) {
            memset(text, 'x', sizeof(text));
            memcpy(text + shift, forged, size);

            rec.sequence = i + 1;
            rec.key.data = text;
            rec.key.len = shift + size;

            end += gw_journal_write(p + end, &rec);
        }

        for (i = 0; i < end; i += 8) {
            memset(p + i, 0xaa, 8);
            walk(p, end, 1, ignore);

            for (n = 0; n < found.n; n++) {
                assert_true(found.sequence[n] != 666);
            }

            assert_true(found.n <= 2);
        }
    }

    free(forged);
    free(p);
}


/* promises in patterns that might cost most */

static void
hostile(char *data, size_t len, unsigned kind)
{
    size_t               i, gap, size, least;
    unsigned             heads;
    gw_journal_record_t  rec;

    memset(data, kind & 1 ? 'x' : 0, len);
    memset(&rec, 0, sizeof(rec));

    rec.type = GW_JOURNAL_EVENT;
    heads = kind / 32 % 2;
    least = heads ? GW_JOURNAL_HEAD / 8 : 1;
    gap = kind / 16 % 2 ? GW_JOURNAL_MAX / 8 - 3 : least + any(40);

    for (i = 0; i + 2 * GW_JOURNAL_MAX <= len; i += 8 * gap) {

        switch (kind / 2 % 8) {

        case 0:
            gap = least;
            size = GW_JOURNAL_MAX;
            break;

        case 1:
            size = GW_JOURNAL_MAX;
            break;

        case 2:
            /* three at once, nothing else for as long as possible */

            promise(data + i, GW_JOURNAL_MAX, heads);
            promise(data + i + 8, GW_JOURNAL_MAX - 8, heads);
            i += 16;
            size = GW_JOURNAL_MAX - 16;
            break;

        case 3:
            size = GW_JOURNAL_HEAD + 8 * any(4);
            break;

        case 4:
            gap = least + any(any(2) ? 8 : 1092);
            size = GW_JOURNAL_HEAD + 8 * any(1088);
            break;

        case 5:
            /* a true one hides behind a false one */

            promise(data + i, GW_JOURNAL_MAX, heads);
            i += 8;
            memset(data + i, 0, GW_JOURNAL_HEAD);
            (void) gw_journal_write(data + i, &rec);
            i += GW_JOURNAL_HEAD;
            gap = 1;
            continue;

        case 6:
            /* all end at one place */

            size = GW_JOURNAL_MAX - i % GW_JOURNAL_MAX;
            gap = least + any(4);
            size = size < GW_JOURNAL_HEAD ? GW_JOURNAL_HEAD : size;
            break;

        default:
            memset(data + i, (int) any(256), 8);
            size = any(8192) * 8;
        }

        promise(data + i, size, heads);
    }
}


static void
test_hostile(void **state)
{
    char      *data;
    size_t     len, at, before;
    unsigned   kind;

    (void) state;

    data = malloc(HOSTILE);
    assert_non_null(data);

    for (kind = 0; kind < 64; kind++) {
        len = HOSTILE - 8 * any(GW_JOURNAL_MAX);

        hostile(data, len, kind);

        before = work;
        at = gw_journal_next(data, len);
        assert_true(work - before <= 8 * at + 8 * GW_JOURNAL_MAX);

        walk(data, len, 1, ignore);
        assert_true(found.at == len);
        assert_true(found.work <= 8 * len);

        walk(data, len, 0, ignore);
    }

    free(data);
}


/* a writer that is killed while it stores a record; its stores in any order */

static void
model_kill(model_t *m, uint64_t sequence)
{
    char                 *p, text[GW_JOURNAL_MAX];
    size_t                i, size, some;
    gw_journal_record_t   rec;

    make(&rec, sequence, text);
    size = gw_journal_size(&rec);

    if (size > m->len - m->end) {
        return;
    }

    p = calloc(1, size);
    assert_non_null(p);
    (void) gw_journal_write(p, &rec);

    some = any(3);
    i = sizeof(uint64_t);

    for (size = i + any(size - i + 1); i < size; i++) {

        if (some == 0 || any(some + 1)) {
            m->data[m->end + i] = p[i];
        }
    }

    free(p);
}


static void
test_model(void **state)
{
    char      *cut;
    size_t     i, len, at, n;
    model_t    m;
    uint64_t   sequence;

    (void) state;

    for (i = 0; i < TRACES; i++) {
        model_make(&m, 64 + 8 * any(any(10) ? 512 : ROOM / 8 - 8));

        sequence = any(UINT32_MAX);

        for (n = any(60); n > 0; n--) {
            model_append(&m, sequence++);
        }

        if (any(2)) {
            model_kill(&m, sequence);
        }

        memcpy(m.whole, m.data, m.len);
        model_check(&m, m.data, m.len);
        assert_int_equal(found.damage, 0);
        assert_int_equal(found.n, m.n);

        for (n = any(6); n > 0; n--) {
            at = any(m.len);

            switch (any(3)) {

            case 0:
                /* a page, or a part of one, that was never written */

                len = any(2) ? 512 : 1 + any(64);
                at = any(2) ? at / 512 * 512 : at;
                memset(m.data + at, 0, len < m.len - at ? len : m.len - at);
                break;

            case 1:
                /* what is somewhere else, less than a record */

                len = 1 + any(GW_JOURNAL_HEAD - 1);
                len = len < m.len - at ? len : m.len - at;
                memcpy(m.data + at, m.whole + any(m.len - len + 1), len);
                /* fall through */

            default:
                m.data[at] = (char) (m.data[at] ^ 1 << any(8));
            }

            len = m.len;

            if (any(3) == 0) {
                len = any(m.len + 1);
            }

            cut = block_of(len + (len == 0));
            memcpy(cut, m.data, len);
            model_check(&m, cut, len);
            free(cut);
        }

        model_free(&m);
    }
}


/* one instruction after the other: no record, and then a whole one */

typedef struct {
    char      *p;
    uint64_t   sequence;
    size_t     looks;
    size_t     whole;
} stepped_t;


static void
step_write(void *data)
{
    char                 text[GW_JOURNAL_MAX];
    stepped_t           *s = data;
    gw_journal_record_t  rec;

    make(&rec, s->sequence, text);
    (void) gw_journal_write(s->p, &rec);
}


static void
step_look(void *data)
{
    int                   rc;
    size_t                size;
    stepped_t            *s = data;
    gw_journal_record_t   rec;

    s->looks++;
    rc = gw_journal_read(&rec, s->p, 4096, &size);

    if (rc == GW_OK) {
        check(&rec);
        s->whole++;
        return;
    }

    assert_int_equal(rc, GW_DECLINED);
    assert_int_equal(s->whole, 0);
    assert_int_equal(gw_journal_next(s->p, 4096), 4096);
}


static void
test_kill(void **state)
{
    char                  text[GW_JOURNAL_MAX];
    stepped_t             s;
    gw_journal_record_t   rec;

    (void) state;

    memset(&s, 0, sizeof(s));
    s.p = shared_of(4096);

    for (s.sequence = 1; s.sequence < 1000; s.sequence++) {
        make(&rec, s.sequence, text);

        if (rec.key.len > 8 && rec.event.len > 50) {
            break;
        }
    }

    step(step_write, step_look, &s);

    assert_true(s.whole > 0 && s.whole < s.looks);

    munmap(s.p, 4096);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_name_bytes),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_header_damage),
        cmocka_unit_test(test_ack),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_kill)
    };

    return cmocka_run_group_tests_name("gw_journal", tests, NULL, NULL);
}
