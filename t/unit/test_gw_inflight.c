
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

#include "gw_inflight.c"
#include "gw_step.h"
#include "gw_trace.h"


#define GENERATION  UINT64_C(0xfedcba9876543210)
#define SLOTS       20
#define TRACES      300
#define STEPS       500


static const gw_str_t  node = gw_str("node-1");


static void
table_of(gw_inflight_t *t, unsigned slots)
{
    void      *block;
    uint16_t  *free;

    block = calloc(1, gw_inflight_size(slots));
    free = block_of(slots * sizeof(uint16_t));

    assert_non_null(block);

    gw_inflight_init(t, block, slots, free, GENERATION, &node);
}


static void
table_free(gw_inflight_t *t)
{
    free(t->block);
    free(t->free);
}


/* the request of a sequence, always the same */

static void
make(gw_inflight_request_t *req, uint64_t sequence)
{
    size_t    i;
    uint64_t  saved;

    static char  text[GW_INFLIGHT_TEXT + 3];

    saved = seed;
    seed = (sequence + 1) * UINT64_C(0xbf58476d1ce4e5b9);
    (void) any(2);

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (char) any(256);
    }

    req->sequence = sequence;
    req->start = (int64_t) any(UINT64_C(1) << 42);

    /* some are above their limits */

    req->request_id.data = text;
    req->request_id.len = any(any(3) ? 33 : GW_INFLIGHT_MAX_REQUEST_ID + 2);

    req->api.data = text + GW_INFLIGHT_MAX_REQUEST_ID + 1;
    req->api.len = any(any(3) ? 9 : GW_INFLIGHT_MAX_API + 2);

    req->subject.data = req->api.data + GW_INFLIGHT_MAX_API + 1;
    req->subject.len = any(any(3) ? 40 : GW_INFLIGHT_MAX_SUBJECT + 2);

    seed = saved;
}


static int
same(const gw_str_t *a, const gw_str_t *b, size_t max)
{
    size_t  len;

    len = b->len > max ? 0 : b->len;

    return a->len == len && (len == 0 || memcmp(a->data, b->data, len) == 0);
}


static void
check(const gw_inflight_request_t *req)
{
    gw_inflight_request_t  want;

    make(&want, req->sequence);

    assert_true(req->start == want.start);
    assert_true(same(&req->request_id, &want.request_id,
                     GW_INFLIGHT_MAX_REQUEST_ID));
    assert_true(same(&req->api, &want.api, GW_INFLIGHT_MAX_API));
    assert_true(same(&req->subject, &want.subject, GW_INFLIGHT_MAX_SUBJECT));
}


static unsigned
enter(gw_inflight_t *t, uint64_t sequence)
{
    gw_inflight_request_t  req;

    make(&req, sequence);

    return gw_inflight_enter(t, &req);
}


/* what is in the block is what "slots" say: the sequence in each, or 0 */

static void
table_check(const void *block, size_t len, unsigned n, const uint64_t *slots)
{
    int                    rc;
    unsigned               i;
    gw_inflight_request_t  req;

    for (i = 1; i <= n; i++) {
        rc = gw_inflight_read(&req, block, len, i);

        assert_int_equal(rc, slots[i] ? GW_OK : GW_DECLINED);

        if (rc == GW_OK) {
            assert_true(req.sequence == slots[i]);
            check(&req);
        }
    }
}


static void
test_init(void **state)
{
    size_t              len;
    unsigned            i;
    uint64_t            none[SLOTS + 1];
    gw_inflight_t       t;
    gw_inflight_info_t  info;

    (void) state;

    table_of(&t, SLOTS);
    len = gw_inflight_size(SLOTS);

    assert_int_equal(gw_inflight_open(&info, t.block, len), GW_OK);
    assert_true(info.generation == GENERATION);
    assert_true(info.sequence == 0 && info.dropped == 0);
    assert_int_equal(info.slots, SLOTS);
    assert_true(same(&info.node, &node, 255));
    assert_true(info.node.data > t.block && info.node.data < t.block + len);

    memset(none, 0, sizeof(none));
    table_check(t.block, len, SLOTS, none);

    for (i = 1; i < 5; i++) {
        gw_inflight_last(&t, i * 1000, i);

        assert_int_equal(gw_inflight_open(&info, t.block, len), GW_OK);
        assert_true(info.sequence == i * 1000 && info.dropped == i);
    }

    table_free(&t);

    /* the most there may be */

    table_of(&t, 65535);
    len = gw_inflight_size(65535);

    assert_int_equal(gw_inflight_open(&info, t.block, len), GW_OK);
    assert_int_equal(info.slots, 65535);

    for (i = 1; i <= 65535; i++) {
        assert_int_equal(enter(&t, i), i);
    }

    assert_int_equal(enter(&t, i), 0);

    table_free(&t);
}


static void
test_enter(void **state)
{
    unsigned               i, slot;
    uint64_t               slots[SLOTS + 1];
    gw_inflight_t          t;
    gw_inflight_request_t  req;

    (void) state;

    table_of(&t, SLOTS);
    memset(slots, 0, sizeof(slots));

    /* none is given twice */

    for (i = 1; i <= SLOTS; i++) {
        slot = enter(&t, i);

        assert_true(slot > 0 && slot <= SLOTS);
        assert_int_equal(slots[slot], 0);

        slots[slot] = i;
    }

    assert_int_equal(enter(&t, i), 0);
    table_check(t.block, gw_inflight_size(SLOTS), SLOTS, slots);

    gw_inflight_leave(&t, 0);
    gw_inflight_leave(&t, SLOTS + 1);
    assert_int_equal(enter(&t, i), 0);

    /* twice is once, and the last one is the next */

    gw_inflight_leave(&t, 3);
    gw_inflight_leave(&t, 7);
    gw_inflight_leave(&t, 7);
    slots[3] = slots[7] = 0;
    table_check(t.block, gw_inflight_size(SLOTS), SLOTS, slots);

    make(&req, 0);
    assert_int_equal(gw_inflight_enter(&t, &req), 0);

    assert_int_equal(enter(&t, 100), 7);
    assert_int_equal(enter(&t, 101), 3);
    assert_int_equal(enter(&t, 102), 0);

    slots[7] = 100;
    slots[3] = 101;
    table_check(t.block, gw_inflight_size(SLOTS), SLOTS, slots);

    table_free(&t);
}


/* each text at its limit, and above it: left out, and the others stay */

static void
test_limits(void **state)
{
    char                    text[GW_INFLIGHT_TEXT + 1];
    size_t                  i, k, len;
    unsigned                slot;
    gw_str_t               *s[3];
    gw_inflight_t           t;
    gw_inflight_info_t      info;
    gw_inflight_request_t   req, got;

    static const size_t  max[3] = {
        GW_INFLIGHT_MAX_REQUEST_ID, GW_INFLIGHT_MAX_API,
        GW_INFLIGHT_MAX_SUBJECT
    };

    (void) state;

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (char) any(256);
    }

    table_of(&t, 1);
    len = gw_inflight_size(1);

    s[0] = &req.request_id;
    s[1] = &req.api;
    s[2] = &req.subject;

    for (i = 0; i < 8; i++) {
        req.sequence = i + 1;
        req.start = -1;

        for (k = 0; k < 3; k++) {
            s[k]->len = max[k] + (i >> k & 1);
            s[k]->data = text + k;
        }

        slot = gw_inflight_enter(&t, &req);
        assert_int_equal(slot, 1);
        assert_int_equal(gw_inflight_read(&got, t.block, len, 1), GW_OK);

        assert_true(got.start == -1);
        assert_true(same(&got.request_id, s[0], max[0]));
        assert_true(same(&got.api, s[1], max[1]));
        assert_true(same(&got.subject, s[2], max[2]));

        gw_inflight_leave(&t, 1);
    }

    for (k = 0; k < 3; k++) {
        s[k]->len = k == 1 ? SIZE_MAX : 0;
        s[k]->data = NULL;
    }

    assert_int_equal(gw_inflight_enter(&t, &req), 1);
    assert_int_equal(gw_inflight_read(&got, t.block, len, 1), GW_OK);
    assert_int_equal(got.request_id.len + got.api.len + got.subject.len, 0);

    /* the name of the node */

    for (i = 0; i < 300; i += i ? 1 : 250) {
        memset(t.block, 0, len);
        req.api.len = i;
        req.api.data = text;

        gw_inflight_init(&t, t.block, 1, t.free, GENERATION, &req.api);

        assert_int_equal(gw_inflight_open(&info, t.block, len), GW_OK);
        assert_true(same(&info.node, &req.api, 255));
    }

    table_free(&t);
}


static void
test_damage(void **state)
{
    char                   *cut;
    size_t                  i, at, len;
    unsigned                n;
    gw_inflight_t           t;
    gw_inflight_head_t     *head;
    gw_inflight_info_t      info;
    gw_inflight_request_t   req;

    (void) state;

    table_of(&t, 3);
    len = gw_inflight_size(3);

    for (i = 1; i <= 3; i++) {
        (void) enter(&t, i);
    }

    gw_inflight_last(&t, 3, 0);

    /* each bit of the head; the last numbers may be any */

    at = offsetof(gw_inflight_head_t, turn);

    for (i = 0; i < sizeof(gw_inflight_head_t) * 8; i++) {
        t.block[i / 8] = (char) (t.block[i / 8] ^ 1 << i % 8);

        assert_int_equal(gw_inflight_open(&info, t.block, len),
                         i / 8 < at ? GW_ERROR : GW_OK);

        t.block[i / 8] = (char) (t.block[i / 8] ^ 1 << i % 8);
    }

    /* each length: no table, but the slots that are there can be read */

    for (i = 0; i < len; i++) {
        cut = block_of(i + (i == 0));
        memcpy(cut, t.block, i);

        assert_int_equal(gw_inflight_open(&info, cut, i), GW_ERROR);

        for (n = 1; n <= 4; n++) {
            assert_int_equal(gw_inflight_read(&req, cut, i, n),
                             i >= gw_inflight_size(n) ? GW_OK : GW_DECLINED);
        }

        free(cut);
    }

    assert_int_equal(gw_inflight_read(&req, t.block, len, 0), GW_DECLINED);
    assert_int_equal(gw_inflight_read(&req, t.block, len, UINT32_MAX),
                     GW_DECLINED);
    assert_int_equal(gw_inflight_read(&req, t.block, SIZE_MAX, 65536),
                     GW_DECLINED);

    /* what a right crc may say, and what not */

    head = (gw_inflight_head_t *) t.block;

    head->version = 2;
    head->crc = gw_inflight_crc(head);
    assert_int_equal(gw_inflight_open(&info, t.block, len), GW_DECLINED);

    head->version = 1;
    head->crc = gw_inflight_crc(head);
    assert_int_equal(gw_inflight_open(&info, t.block, len), GW_OK);

    head->slots = 4;
    head->crc = gw_inflight_crc(head);
    assert_int_equal(gw_inflight_open(&info, t.block, len), GW_ERROR);

    head->slots = 0;
    head->crc = gw_inflight_crc(head);
    assert_int_equal(gw_inflight_open(&info, t.block, len), GW_ERROR);

    head->slots = 65536;
    head->crc = gw_inflight_crc(head);
    assert_int_equal(gw_inflight_open(&info, t.block, SIZE_MAX), GW_ERROR);

    head->slots = 3;
    head->node_len = 256;
    head->crc = gw_inflight_crc(head);
    assert_int_equal(gw_inflight_open(&info, t.block, len), GW_ERROR);

    head->node_len = 255;
    head->magic[0] = 'G';
    head->crc = gw_inflight_crc(head);
    assert_int_equal(gw_inflight_open(&info, t.block, len), GW_ERROR);

    table_free(&t);
}


static void
within(const gw_str_t *s, size_t max, const char *block, size_t len)
{
    assert_true(s->len <= max);
    assert_true(s->data >= block && s->data + s->len <= block + len);
}


/* slots of any bytes */

static void
test_noise(void **state)
{
    char                   *block;
    size_t                  i, j, len, ok;
    unsigned                n;
    gw_inflight_slot_t     *slot;
    gw_inflight_request_t   req;

    (void) state;

    len = gw_inflight_size(3);
    block = block_of(len);
    ok = 0;

    for (i = 0; i < 3000; i++) {

        for (j = 0; j < len; j++) {
            block[j] = (char) any(256);
        }

        slot = gw_inflight_slot(block, 1 + (unsigned) any(3));
        slot->request_id = (uint16_t) any(66);
        slot->api = (uint16_t) any(130);
        slot->subject = (uint16_t) any(514);

        for (n = 0; n < 6; n++) {

            if (gw_inflight_read(&req, block, len, n) != GW_OK) {
                continue;
            }

            ok++;
            assert_true(req.sequence != 0);
            within(&req.request_id, GW_INFLIGHT_MAX_REQUEST_ID, block, len);
            within(&req.api, GW_INFLIGHT_MAX_API, block, len);
            within(&req.subject, GW_INFLIGHT_MAX_SUBJECT, block, len);
        }
    }

    assert_true(ok > 2000);

    free(block);
}


/* requests come and go in any order, and who finds the table sees the rest */

static void
test_model(void **state)
{
    char                *copy;
    size_t               i, k, len;
    unsigned             n, slot, used;
    uint64_t             sequence, dropped, slots[SLOTS + 1];
    gw_inflight_t        t;
    gw_inflight_info_t   info;

    (void) state;

    for (i = 0; i < TRACES; i++) {
        n = 1 + (unsigned) any(SLOTS);
        len = gw_inflight_size(n);

        table_of(&t, n);
        memset(slots, 0, sizeof(slots));

        sequence = any(UINT32_MAX);
        dropped = 0;
        used = 0;

        for (k = any(STEPS); k > 0; k--) {

            slot = 1 + (unsigned) any(n);

            switch (any(8)) {

            case 0:
            case 1:
            case 2:
                used -= slots[slot] != 0;
                gw_inflight_leave(&t, slot);
                slots[slot] = 0;
                break;

            case 3:
                dropped++;
                gw_inflight_last(&t, ++sequence, dropped);
                break;

            default:
                slot = enter(&t, ++sequence);

                assert_true(slot <= n && (slot == 0) == (used == n));

                if (slot) {
                    assert_int_equal(slots[slot], 0);
                    slots[slot] = sequence;
                    used++;
                }

                gw_inflight_last(&t, sequence, dropped);
            }

            if (any(20) == 0) {
                table_check(t.block, len, n, slots);
            }
        }

        gw_inflight_last(&t, sequence, dropped);

        /* killed: another one has a copy of the block, and nothing else */

        copy = block_of(len);
        memcpy(copy, t.block, len);
        memset(t.block, 0xa5, len);

        assert_int_equal(gw_inflight_open(&info, copy, len), GW_OK);
        assert_int_equal(info.slots, n);
        assert_true(info.sequence == sequence && info.dropped == dropped);
        table_check(copy, len, n, slots);

        free(copy);
        table_free(&t);
    }
}


/* one instruction after the other */

typedef struct {
    gw_inflight_t   t;
    uint64_t        first;
    uint64_t        second;
    unsigned        slot;
    size_t          empty;
    size_t          seen[2];
    size_t          told[3];
} stepped_t;


static void
step_requests(void *data)
{
    stepped_t  *s = data;

    gw_inflight_leave(&s->t, s->slot);
    (void) enter(&s->t, s->second);
    gw_inflight_last(&s->t, s->second, 1);
    gw_inflight_last(&s->t, s->second + 1, 2);
}


static void
step_look(void *data)
{
    size_t                  len;
    stepped_t              *s = data;
    gw_inflight_info_t      info;
    gw_inflight_request_t   req;

    len = gw_inflight_size(2);

    if (gw_inflight_read(&req, s->t.block, len, s->slot) == GW_OK) {
        assert_true(req.sequence == s->first || req.sequence == s->second);
        check(&req);
        s->seen[req.sequence == s->second]++;

    } else {
        s->empty++;
    }

    assert_int_equal(gw_inflight_read(&req, s->t.block, len, 3 - s->slot),
                     GW_OK);
    check(&req);

    assert_int_equal(gw_inflight_open(&info, s->t.block, len), GW_OK);
    assert_true(info.dropped <= 2);
    assert_true(info.sequence == (info.dropped == 0 ? s->first
                                  : s->second + info.dropped - 1));
    s->told[info.dropped]++;
}


static void
test_kill(void **state)
{
    size_t                 len;
    uint16_t               free[2];
    stepped_t              s;
    gw_inflight_request_t  req;

    (void) state;

    memset(&s, 0, sizeof(s));
    len = gw_inflight_size(2);

    gw_inflight_init(&s.t, shared_of(len), 2, free, GENERATION, &node);

    assert_int_not_equal(enter(&s.t, 1), 0);

    /* two that differ in each text */

    for (s.first = 2; /* void */ ; s.first++) {
        make(&req, s.first);

        if (req.api.len > 2 && req.subject.len > 8 && req.subject.len < 99) {
            break;
        }
    }

    for (s.second = s.first + 1; /* void */ ; s.second++) {
        make(&req, s.second);

        if (req.api.len > 6 && req.subject.len > 20 && req.subject.len < 99) {
            break;
        }
    }

    s.slot = enter(&s.t, s.first);
    gw_inflight_last(&s.t, s.first, 0);

    step(step_requests, step_look, &s);

    assert_true(s.empty && s.seen[0] && s.seen[1]);
    assert_true(s.told[0] && s.told[1] && s.told[2]);

    munmap(s.t.block, len);
}


static void
step_init(void *data)
{
    stepped_t  *s = data;

    gw_inflight_init(&s->t, s->t.block, 2, s->t.free, GENERATION, &node);
}


static void
look_init(void *data)
{
    stepped_t           *s = data;
    gw_inflight_info_t   info;

    if (gw_inflight_open(&info, s->t.block, gw_inflight_size(2)) != GW_OK) {
        assert_int_equal(s->seen[0], 0);
        s->empty++;
        return;
    }

    assert_true(info.generation == GENERATION && info.sequence == 0);
    assert_int_equal(info.slots, 2);
    assert_true(same(&info.node, &node, 255));
    s->seen[0]++;
}


static void
test_kill_init(void **state)
{
    uint16_t   free[2];
    stepped_t  s;

    (void) state;

    memset(&s, 0, sizeof(s));
    s.t.block = shared_of(gw_inflight_size(2));
    s.t.free = free;

    step(step_init, look_init, &s);

    assert_true(s.empty && s.seen[0]);

    munmap(s.t.block, gw_inflight_size(2));
}


/* freed in the file, by who has a copy: that one slot, nothing else */

static void
test_left(void **state)
{
    char                   word[GW_INFLIGHT_WORD];
    size_t                 offset, size;
    unsigned               i, left;
    gw_inflight_t          t;
    gw_inflight_request_t  req;

    (void) state;

    size = gw_inflight_size(5);

    for (left = 1; left <= 5; left++) {
        table_of(&t, 5);

        for (i = 1; i <= 5; i++) {
            assert_true(enter(&t, i) != 0);
        }

        memset(word, 'x', sizeof(word));
        offset = gw_inflight_left(word, left);

        assert_true(offset + sizeof(word) <= size);
        memcpy(t.block + offset, word, sizeof(word));

        for (i = 1; i <= 5; i++) {
            assert_int_equal(gw_inflight_read(&req, t.block, size, i),
                             i == left ? GW_DECLINED : GW_OK);
        }

        table_free(&t);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_enter),
        cmocka_unit_test(test_left),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_kill),
        cmocka_unit_test(test_kill_init)
    };

    return cmocka_run_group_tests_name("gw_inflight", tests, NULL, NULL);
}
