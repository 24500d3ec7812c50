
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_crc32c.h"
#include "gw_inflight.h"


#define GW_INFLIGHT_VERSION   1

#define GW_INFLIGHT_MAX       65535
#define GW_INFLIGHT_MAX_NODE  255

#define GW_INFLIGHT_TEXT      (GW_INFLIGHT_MAX_REQUEST_ID                     \
                               + GW_INFLIGHT_MAX_API                          \
                               + GW_INFLIGHT_MAX_SUBJECT)


/* the sequence given out last and how many have no event, at one moment */

typedef struct {
    uint64_t                sequence;
    uint64_t                dropped;
} gw_inflight_last_t;


/*
 * The crc is that of all before "crc".  "magic", "version" and "crc" are the
 * same in all versions.  The slots follow.
 */

typedef struct {
    char                    magic[8];
    uint32_t                version;
    uint32_t                slots;
    uint64_t                generation;
    uint16_t                node_len;
    char                    node[GW_INFLIGHT_MAX_NODE + 1];
    uint16_t                unused;
    uint32_t                crc;

    uint64_t                turn;        /* its lowest bit: which is the last */
    gw_inflight_last_t      last[2];
    uint64_t                unused2[23];
} gw_inflight_head_t;


typedef struct {
    uint64_t                sequence;    /* 0: empty */
    int64_t                 start;
    uint16_t                request_id;  /* lengths of the texts, in order */
    uint16_t                api;
    uint16_t                subject;
    uint16_t                unused;
    char                    text[GW_INFLIGHT_TEXT];
    uint64_t                unused2[5];
} gw_inflight_slot_t;


_Static_assert(sizeof(gw_inflight_head_t) == 512
               && sizeof(gw_inflight_slot_t) == 768, "lines of the cache");


static uint32_t gw_inflight_crc(const gw_inflight_head_t *head);
static gw_inflight_slot_t *gw_inflight_slot(const void *block, unsigned slot);
static char *gw_inflight_put(char *p, uint16_t *len, const gw_str_t *s,
    size_t max);
static int gw_inflight_get(const char **p, gw_str_t *s, uint16_t len,
    size_t max);


static const char  gw_inflight_magic[8] = "gw.live\n";


size_t
gw_inflight_size(unsigned slots)
{
    return sizeof(gw_inflight_head_t)
           + (size_t) slots * sizeof(gw_inflight_slot_t);
}


void
gw_inflight_init(gw_inflight_t *t, void *block, unsigned slots,
    uint16_t *free, uint64_t generation, const gw_str_t *node)
{
    unsigned             i;
    gw_inflight_head_t  *head;

    t->block = block;
    t->free = free;
    t->nfree = slots;
    t->slots = slots;

    /* the slot given back last is taken next, it is in the cache */

    for (i = 0; i < slots; i++) {
        free[i] = (uint16_t) (slots - i);
    }

    head = block;

    memcpy(head->magic, gw_inflight_magic, sizeof(gw_inflight_magic));

    head->version = GW_INFLIGHT_VERSION;
    head->slots = slots;
    head->generation = generation;

    (void) gw_inflight_put(head->node, &head->node_len, node,
                           GW_INFLIGHT_MAX_NODE);

    /* last: without it there is no table */

    __atomic_store_n(&head->crc, gw_inflight_crc(head), __ATOMIC_RELEASE);
}


static uint32_t
gw_inflight_crc(const gw_inflight_head_t *head)
{
    return gw_crc32c(0, head, offsetof(gw_inflight_head_t, crc));
}


unsigned
gw_inflight_enter(gw_inflight_t *t, const gw_inflight_request_t *req)
{
    char                *p;
    unsigned             n;
    gw_inflight_slot_t  *slot;

    if (t->nfree == 0 || req->sequence == 0) {
        return 0;
    }

    n = t->free[--t->nfree];
    slot = gw_inflight_slot(t->block, n);

    slot->start = req->start;

    p = slot->text;
    p = gw_inflight_put(p, &slot->request_id, &req->request_id,
                        GW_INFLIGHT_MAX_REQUEST_ID);
    p = gw_inflight_put(p, &slot->api, &req->api, GW_INFLIGHT_MAX_API);
    (void) gw_inflight_put(p, &slot->subject, &req->subject,
                           GW_INFLIGHT_MAX_SUBJECT);

    __atomic_store_n(&slot->sequence, req->sequence, __ATOMIC_RELEASE);

    return n;
}


static gw_inflight_slot_t *
gw_inflight_slot(const void *block, unsigned slot)
{
    return (gw_inflight_slot_t *) ((uintptr_t) block
                                   + gw_inflight_size(slot - 1));
}


/* left out as a whole: what is cut might be the name of somebody else */

static char *
gw_inflight_put(char *p, uint16_t *len, const gw_str_t *s, size_t max)
{
    if (s->len == 0 || s->len > max) {
        *len = 0;
        return p;
    }

    memcpy(p, s->data, s->len);
    *len = (uint16_t) s->len;

    return p + s->len;
}


void
gw_inflight_leave(gw_inflight_t *t, unsigned slot)
{
    gw_inflight_slot_t  *s;

    if (slot == 0 || slot > t->slots || t->nfree >= t->slots) {
        return;
    }

    s = gw_inflight_slot(t->block, slot);

    if (s->sequence == 0) {
        return;
    }

    __atomic_store_n(&s->sequence, 0, __ATOMIC_RELAXED);

    /* what the next request writes to the slot comes after that */

    __atomic_thread_fence(__ATOMIC_RELEASE);

    t->free[t->nfree++] = (uint16_t) slot;
}


size_t
gw_inflight_left(char *word, unsigned slot)
{
    memset(word, 0, GW_INFLIGHT_WORD);

    return gw_inflight_size(slot - 1) + offsetof(gw_inflight_slot_t, sequence);
}


/* both numbers change at once */

void
gw_inflight_last(gw_inflight_t *t, uint64_t sequence, uint64_t dropped)
{
    uint64_t             turn;
    gw_inflight_head_t  *head;

    head = (gw_inflight_head_t *) t->block;
    turn = head->turn + 1;

    head->last[turn % 2].sequence = sequence;
    head->last[turn % 2].dropped = dropped;

    __atomic_store_n(&head->turn, turn, __ATOMIC_RELEASE);
}


int
gw_inflight_open(gw_inflight_info_t *info, const void *block, size_t len)
{
    uint64_t                   turn;
    const char                *p;
    const gw_inflight_head_t  *head = block;

    memset(info, 0, sizeof(gw_inflight_info_t));

    if (len < sizeof(gw_inflight_head_t)
        || memcmp(head->magic, gw_inflight_magic, sizeof(head->magic)) != 0
        || head->crc != gw_inflight_crc(head))
    {
        return GW_ERROR;
    }

    if (head->version != GW_INFLIGHT_VERSION) {
        return GW_DECLINED;
    }

    if (head->slots == 0
        || head->slots > GW_INFLIGHT_MAX
        || gw_inflight_size(head->slots) > len)
    {
        return GW_ERROR;
    }

    p = head->node;

    if (gw_inflight_get(&p, &info->node, head->node_len, GW_INFLIGHT_MAX_NODE)
        != GW_OK)
    {
        return GW_ERROR;
    }

    turn = __atomic_load_n(&head->turn, __ATOMIC_ACQUIRE);

    info->generation = head->generation;
    info->sequence = head->last[turn % 2].sequence;
    info->dropped = head->last[turn % 2].dropped;
    info->slots = head->slots;

    return GW_OK;
}


static int
gw_inflight_get(const char **p, gw_str_t *s, uint16_t len, size_t max)
{
    if (len > max) {
        return GW_ERROR;
    }

    s->len = len;
    s->data = *p;

    *p += len;

    return GW_OK;
}


int
gw_inflight_read(gw_inflight_request_t *req, const void *block, size_t len,
    unsigned slot)
{
    const char                *p;
    const gw_inflight_slot_t  *s;

    memset(req, 0, sizeof(gw_inflight_request_t));

    if (slot == 0 || slot > GW_INFLIGHT_MAX || gw_inflight_size(slot) > len) {
        return GW_DECLINED;
    }

    s = gw_inflight_slot(block, slot);

    req->sequence = __atomic_load_n(&s->sequence, __ATOMIC_ACQUIRE);
    req->start = s->start;

    if (req->sequence == 0) {
        return GW_DECLINED;
    }

    p = s->text;

    if (gw_inflight_get(&p, &req->request_id, s->request_id,
                        GW_INFLIGHT_MAX_REQUEST_ID)
           != GW_OK
        || gw_inflight_get(&p, &req->api, s->api, GW_INFLIGHT_MAX_API)
           != GW_OK
        || gw_inflight_get(&p, &req->subject, s->subject,
                           GW_INFLIGHT_MAX_SUBJECT)
           != GW_OK)
    {
        return GW_DECLINED;
    }

    return GW_OK;
}
