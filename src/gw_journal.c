
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gw_crc32c.h"
#include "gw_journal.h"


/*
 * The first eight bytes of a record are one word: the CRC-32C of all that
 * follows in its lower half, then the size, then these two bytes.  They are
 * in no UTF-8, hence in no event, and keys that have them are left out: so no
 * record contains what looks like the begin of another one.  Whoever resumes
 * behind damage can't be given a record made up by a client, and needs not
 * look at anything twice.
 */

#define GW_JOURNAL_SIGN     0xfffeu
#define GW_JOURNAL_FOREIGN  0xff         /* in no key */

#define GW_JOURNAL_HEAD     24

#define gw_journal_round(n)                                                   \
    (((n) + GW_JOURNAL_ALIGN - 1) & ~(size_t) (GW_JOURNAL_ALIGN - 1))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define gw_journal_le16(x)  (x)
#define gw_journal_le32(x)  (x)
#define gw_journal_le64(x)  (x)
#else
#define gw_journal_le16(x)  __builtin_bswap16(x)
#define gw_journal_le32(x)  __builtin_bswap32(x)
#define gw_journal_le64(x)  __builtin_bswap64(x)
#endif


/*
 * The header of a segment; node, topic and cluster follow, then zeroes.  The
 * crc is that of all GW_JOURNAL_HEADER bytes but its own and the "ack".  The
 * first three fields, and what the crc is of, are the same in all versions.
 */

typedef struct {
    char        magic[8];
    uint32_t    version;
    uint32_t    crc;

    uint64_t    generation;
    uint64_t    created;
    uint32_t    number;
    uint16_t    node;          /* lengths */
    uint16_t    topic;
    uint16_t    cluster;
    uint16_t    unused[11];

    uint64_t    ack[2];        /* the offset, and its complement */
} gw_journal_header_t;


/* what follows the word of a record; key and event come next, then zeroes */

typedef struct {
    uint64_t    sequence;
    uint16_t    type;
    uint16_t    key;           /* lengths */
    uint16_t    event;
    uint16_t    unused;
} gw_journal_head_t;


_Static_assert(offsetof(gw_journal_header_t, ack) == GW_JOURNAL_ACKED
               && sizeof(uint64_t[2]) == GW_JOURNAL_ACK, "as promised");
_Static_assert(sizeof(gw_journal_header_t) + GW_JOURNAL_MAX_NODE
               + GW_JOURNAL_MAX_TOPIC + GW_JOURNAL_MAX_CLUSTER
               <= GW_JOURNAL_HEADER, "room for all names");
_Static_assert(sizeof(gw_journal_head_t) + sizeof(uint64_t)
               == GW_JOURNAL_HEAD, "no padding");
_Static_assert(GW_JOURNAL_HEAD <= 32 && GW_JOURNAL_MAX <= UINT16_MAX
               && GW_JOURNAL_MAX % GW_JOURNAL_ALIGN == 0, "as promised");


static char *gw_journal_put(char *p, uint16_t *len, const gw_str_t *s,
    size_t max);
static int gw_journal_get(const char **p, gw_str_t *s, uint16_t len,
    size_t max);
static uint32_t gw_journal_header_crc(const char *buf);
static size_t gw_journal_key(const gw_journal_record_t *rec);
static uint64_t gw_journal_word(const char *p, size_t size);
static size_t gw_journal_begin(const char *p, uint64_t *word);
static int gw_journal_whole(gw_journal_record_t *rec, const char *p,
    size_t size, uint64_t word);
static int gw_journal_alone(const char *p, size_t size);


static const char  gw_journal_magic[8] = "gw.jrnl\n";

static const char *const  gw_journal_kinds[] = {
    "seg", "kept", "bad", "lock", "live", "dead"
};


size_t
gw_journal_name(char *buf, const gw_journal_name_t *name)
{
    int  n;

    if (name->kind < GW_JOURNAL_LOCK) {
        n = snprintf(buf, GW_JOURNAL_NAME + 1,
                     "%016" PRIx64 "-%08" PRIu32 ".%s", name->generation,
                     name->number, gw_journal_kinds[name->kind]);

    } else {
        n = snprintf(buf, GW_JOURNAL_NAME + 1, "%016" PRIx64 ".%s",
                     name->generation, gw_journal_kinds[name->kind]);
    }

    return (size_t) n;
}


int
gw_journal_name_read(gw_journal_name_t *name, const gw_str_t *text)
{
    char         again[GW_JOURNAL_NAME + 1];
    size_t       len;
    uint64_t     generation, number;
    unsigned     kind;
    const char  *p, *last;

    if (text->len > GW_JOURNAL_NAME || text->len <= 16) {
        return GW_DECLINED;
    }

    last = text->data + text->len;
    generation = 0;
    number = 0;

    for (p = text->data; p < text->data + 16; p++) {
        generation = generation << 4
                     | (*p <= '9' ? (unsigned) *p - '0'
                                  : (unsigned) *p - 'a' + 10) % 16;
    }

    if (*p == '-') {
        for (p++; p < last && *p >= '0' && *p <= '9'; p++) {
            number = number * 10 + (unsigned) (*p - '0');
        }

        if (number == 0 || number > UINT32_MAX) {
            return GW_DECLINED;
        }
    }

    if (p == last || *p++ != '.') {
        return GW_DECLINED;
    }

    for (kind = GW_JOURNAL_SEGMENT; /* void */ ; kind++) {

        if (kind > GW_JOURNAL_DEAD) {
            return GW_DECLINED;
        }

        len = strlen(gw_journal_kinds[kind]);

        if ((size_t) (last - p) == len
            && memcmp(p, gw_journal_kinds[kind], len) == 0)
        {
            break;
        }
    }

    name->generation = generation;
    name->number = (uint32_t) number;
    name->kind = kind;

    /* one spelling: what we would write ourselves */

    len = gw_journal_name(again, name);

    if (len != text->len || memcmp(again, text->data, len) != 0) {
        return GW_DECLINED;
    }

    return GW_OK;
}


void
gw_journal_header(char *buf, const gw_journal_segment_t *seg)
{
    char                 *p;
    gw_journal_header_t   h;

    memset(buf, 0, GW_JOURNAL_HEADER);
    memset(&h, 0, sizeof(gw_journal_header_t));

    p = buf + sizeof(gw_journal_header_t);
    p = gw_journal_put(p, &h.node, &seg->node, GW_JOURNAL_MAX_NODE);
    p = gw_journal_put(p, &h.topic, &seg->topic, GW_JOURNAL_MAX_TOPIC);
    (void) gw_journal_put(p, &h.cluster, &seg->cluster,
                          GW_JOURNAL_MAX_CLUSTER);

    memcpy(h.magic, gw_journal_magic, sizeof(gw_journal_magic));

    h.version = gw_journal_le32(GW_JOURNAL_VERSION);
    h.generation = gw_journal_le64(seg->generation);
    h.created = gw_journal_le64((uint64_t) seg->created);
    h.number = gw_journal_le32(seg->number);

    memcpy(buf, &h, sizeof(gw_journal_header_t));
    gw_journal_ack(buf + GW_JOURNAL_ACKED, GW_JOURNAL_HEADER);

    h.crc = gw_journal_le32(gw_journal_header_crc(buf));

    memcpy(buf + offsetof(gw_journal_header_t, crc), &h.crc, sizeof(h.crc));
}


static char *
gw_journal_put(char *p, uint16_t *len, const gw_str_t *s, size_t max)
{
    size_t  n;

    n = s->len < max ? s->len : max;

    if (n > 0) {
        memcpy(p, s->data, n);
    }

    *len = gw_journal_le16((uint16_t) n);

    return p + n;
}


int
gw_journal_open(gw_journal_segment_t *seg, const char *data, size_t len)
{
    const char           *p;
    gw_journal_header_t   h;

    memset(seg, 0, sizeof(gw_journal_segment_t));

    if (len < GW_JOURNAL_HEADER) {
        return GW_ERROR;
    }

    memcpy(&h, data, sizeof(gw_journal_header_t));

    if (memcmp(h.magic, gw_journal_magic, sizeof(gw_journal_magic)) != 0
        || gw_journal_le32(h.crc) != gw_journal_header_crc(data))
    {
        return GW_ERROR;
    }

    if (gw_journal_le32(h.version) != GW_JOURNAL_VERSION) {
        return GW_DECLINED;
    }

    p = data + sizeof(gw_journal_header_t);

    if (gw_journal_get(&p, &seg->node, h.node, GW_JOURNAL_MAX_NODE) != GW_OK
        || gw_journal_get(&p, &seg->topic, h.topic, GW_JOURNAL_MAX_TOPIC)
           != GW_OK
        || gw_journal_get(&p, &seg->cluster, h.cluster,
                          GW_JOURNAL_MAX_CLUSTER)
           != GW_OK)
    {
        return GW_ERROR;
    }

    seg->generation = gw_journal_le64(h.generation);
    seg->number = gw_journal_le32(h.number);
    seg->created = (int64_t) gw_journal_le64(h.created);

    return GW_OK;
}


static int
gw_journal_get(const char **p, gw_str_t *s, uint16_t len, size_t max)
{
    size_t  n;

    n = gw_journal_le16(len);

    if (n > max) {
        return GW_ERROR;
    }

    s->len = n;
    s->data = *p;

    *p += n;

    return GW_OK;
}


static uint32_t
gw_journal_header_crc(const char *buf)
{
    size_t    at, ack, end;
    uint32_t  crc;

    at = offsetof(gw_journal_header_t, crc);
    crc = gw_crc32c(0, buf, at);

    at += sizeof(uint32_t);
    ack = GW_JOURNAL_ACKED;
    crc = gw_crc32c(crc, buf + at, ack - at);

    end = GW_JOURNAL_ACKED + GW_JOURNAL_ACK;

    return gw_crc32c(crc, buf + end, GW_JOURNAL_HEADER - end);
}


uint64_t
gw_journal_acked(const char *header)
{
    uint64_t  offset, ack[2];

    memcpy(ack, header + GW_JOURNAL_ACKED, GW_JOURNAL_ACK);

    offset = gw_journal_le64(ack[0]);

    if (offset != ~gw_journal_le64(ack[1])
        || offset < GW_JOURNAL_HEADER
        || offset % GW_JOURNAL_ALIGN != 0)
    {
        return GW_JOURNAL_HEADER;
    }

    return offset;
}


void
gw_journal_ack(char *ack, uint64_t offset)
{
    uint64_t  both[2];

    both[0] = gw_journal_le64(offset);
    both[1] = ~both[0];

    memcpy(ack, both, GW_JOURNAL_ACK);
}


size_t
gw_journal_size(const gw_journal_record_t *rec)
{
    if (rec->event.len > GW_JOURNAL_MAX_EVENT) {
        return 0;
    }

    return gw_journal_round(GW_JOURNAL_HEAD + gw_journal_key(rec)
                            + rec->event.len);
}


/* the length of the key, 0 if it is left out */

static size_t
gw_journal_key(const gw_journal_record_t *rec)
{
    if (rec->key.len == 0
        || rec->key.len > GW_JOURNAL_MAX_KEY
        || memchr(rec->key.data, GW_JOURNAL_FOREIGN, rec->key.len) != NULL)
    {
        return 0;
    }

    return rec->key.len;
}


size_t
gw_journal_write(char *p, const gw_journal_record_t *rec)
{
    size_t             size, key;
    uint64_t           word;
    gw_journal_head_t  head;

    size = gw_journal_size(rec);
    if (size == 0) {
        return 0;
    }

    key = gw_journal_key(rec);

    head.sequence = gw_journal_le64(rec->sequence);
    head.type = gw_journal_le16((uint16_t) rec->type);
    head.key = gw_journal_le16((uint16_t) key);
    head.event = gw_journal_le16((uint16_t) rec->event.len);
    head.unused = 0;

    memcpy(p + sizeof(word), &head, sizeof(gw_journal_head_t));

    if (key > 0) {
        memcpy(p + GW_JOURNAL_HEAD, rec->key.data, key);
    }

    if (rec->event.len > 0) {
        memcpy(p + GW_JOURNAL_HEAD + key, rec->event.data, rec->event.len);
    }

    word = gw_journal_le64(gw_journal_word(p, size));

    __atomic_store_n((uint64_t *) p, word, __ATOMIC_RELEASE);

    return size;
}


static uint64_t
gw_journal_word(const char *p, size_t size)
{
    uint32_t  tag, le, crc;

    tag = (uint32_t) size | GW_JOURNAL_SIGN << 16;
    le = gw_journal_le32(tag);

    crc = gw_crc32c(0, &le, sizeof(le));
    crc = gw_crc32c(crc, p + sizeof(uint64_t), size - sizeof(uint64_t));

    return (uint64_t) tag << 32 | crc;
}


int
gw_journal_read(gw_journal_record_t *rec, const char *data, size_t len,
    size_t *size)
{
    uint64_t  word;

    *size = 0;

    if (len < sizeof(word)) {
        return GW_DECLINED;
    }

    *size = gw_journal_begin(data, &word);

    if (word == 0) {
        return GW_DECLINED;
    }

    if (*size == 0) {
        return GW_ERROR;
    }

    if (*size > len) {
        return GW_AGAIN;
    }

    return gw_journal_whole(rec, data, *size, word) ? GW_OK : GW_ERROR;
}


/* the size of the record that seems to begin at "p", 0 if none does */

static size_t
gw_journal_begin(const char *p, uint64_t *word)
{
    size_t    size;
    uint64_t  w;

    memcpy(&w, p, sizeof(w));

    /* the pair of the store in gw_journal_write() */

    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    *word = gw_journal_le64(w);
    size = *word >> 32 & 0xffff;

    if (*word >> 48 != GW_JOURNAL_SIGN
        || size < GW_JOURNAL_HEAD
        || size > GW_JOURNAL_MAX
        || size % GW_JOURNAL_ALIGN != 0)
    {
        return 0;
    }

    return size;
}


static int
gw_journal_whole(gw_journal_record_t *rec, const char *p, size_t size,
    uint64_t word)
{
    uint32_t           len;
    gw_journal_head_t  head;

    memcpy(&head, p + sizeof(word), sizeof(gw_journal_head_t));

    len = GW_JOURNAL_HEAD;
    len += gw_journal_le16(head.key);
    len += gw_journal_le16(head.event);

    if (gw_journal_round(len) != size || gw_journal_word(p, size) != word) {
        return 0;
    }

    rec->sequence = gw_journal_le64(head.sequence);
    rec->type = gw_journal_le16(head.type);

    p += GW_JOURNAL_HEAD;

    return (rec->type == GW_JOURNAL_EVENT || rec->type == GW_JOURNAL_MARK)
           && gw_journal_get(&p, &rec->key, head.key, GW_JOURNAL_MAX_KEY)
              == GW_OK
           && gw_journal_get(&p, &rec->event, head.event,
                             GW_JOURNAL_MAX_EVENT)
              == GW_OK;
}


/*
 * A record that begins within another one is none, nor is the other: no byte
 * is looked at more than a few times, whatever the data.
 */

size_t
gw_journal_next(const char *data, size_t len)
{
    size_t               i, size;
    uint64_t             word;
    gw_journal_record_t  rec;

    for (i = GW_JOURNAL_ALIGN;
         i < len && len - i >= GW_JOURNAL_HEAD;
         i += GW_JOURNAL_ALIGN)
    {
        size = gw_journal_begin(data + i, &word);

        if (size > 0
            && size <= len - i
            && gw_journal_alone(data + i, size)
            && gw_journal_whole(&rec, data + i, size, word))
        {
            return i;
        }
    }

    return len;
}


static int
gw_journal_alone(const char *p, size_t size)
{
    size_t    i;
    uint64_t  word;

    for (i = GW_JOURNAL_HEAD; i < size; i += GW_JOURNAL_ALIGN) {

        if (gw_journal_begin(p + i, &word) > 0) {
            return 0;
        }
    }

    return 1;
}
