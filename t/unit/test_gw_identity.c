
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_sha256.c */


#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "gw_identity.c"


#define NOW     INT64_C(1793882096)

#define BUFFER  4096


/* xorshift: the same traces in each run */

static uint64_t  seed = UINT64_C(0x9e3779b97f4a7c15);


static uint64_t
any(uint64_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return seed % limit;
}


static gw_identity_t
identity(void)
{
    gw_identity_t  id;

    static const gw_str_t  subject = gw_str("partner:42");
    static const gw_str_t  tier = gw_str("gold");
    static const gw_str_t  scope = gw_str("orders:read orders:write");
    static const gw_str_t  client = gw_str("app");
    static const gw_str_t  claims = gw_str("{\"plan\":\"gold\"}");

    memset(&id, 0, sizeof(id));

    id.subject = subject;
    id.tier = tier;
    id.scope = scope;
    id.client = client;
    id.claims = claims;

    id.ends = NOW + 100;
    id.expires = NOW + 130;
    id.begins = NOW - 30;
    id.issued = NOW - 5;
    id.revision = UINT64_C(0xfedcba9876543210);
    id.nmarks = 2;
    id.source = GW_SOURCE_OPAQUE;
    id.degraded = 1;

    memset(id.marks[0], 0x11, GW_REVOKE_MARK);
    memset(id.marks[1], 0x22, GW_REVOKE_MARK);

    return id;
}


static void
assert_str_equal(const gw_str_t *a, const gw_str_t *b)
{
    assert_int_equal(a->len, b->len);

    if (a->len != 0) {
        assert_memory_equal(a->data, b->data, a->len);
    }
}


static void
assert_equal(const gw_identity_t *a, const gw_identity_t *b)
{
    assert_str_equal(&a->subject, &b->subject);
    assert_str_equal(&a->tier, &b->tier);
    assert_str_equal(&a->scope, &b->scope);
    assert_str_equal(&a->client, &b->client);
    assert_str_equal(&a->claims, &b->claims);

    assert_true(a->ends == b->ends);
    assert_true(a->expires == b->expires);
    assert_true(a->begins == b->begins);
    assert_true(a->issued == b->issued);
    assert_true(a->revision == b->revision);
    assert_int_equal(a->nmarks, b->nmarks);
    assert_int_equal(a->source, b->source);
    assert_int_equal(a->degraded, b->degraded);

    assert_memory_equal(a->marks, b->marks, a->nmarks * GW_REVOKE_MARK);
}


/* in memory of its exact size: a byte too far is seen */

static void
check_back(const gw_identity_t *id)
{
    char           *copy;
    char            buf[BUFFER];
    size_t          len, i;
    gw_identity_t   back;

    assert_int_equal(gw_identity_pack(id, buf, sizeof(buf), &len), GW_OK);

    copy = malloc(len + 1);
    assert_non_null(copy);

    /* aligned or not */

    for (i = 0; i < 2; i++) {
        memcpy(copy + i, buf, len);
        memset(&back, 0xa5, sizeof(back));

        assert_int_equal(gw_identity_unpack(&back, copy + i, len), GW_OK);
        assert_equal(id, &back);

        assert_true(back.subject.data >= copy
                    && back.subject.data <= copy + i + len);
    }

    free(copy);

    /* just enough room, and a byte less */

    copy = malloc(len);
    assert_non_null(copy);

    assert_int_equal(gw_identity_pack(id, copy, len, &i), GW_OK);
    assert_int_equal(i, len);
    assert_memory_equal(copy, buf, len);

    free(copy);

    copy = malloc(len - 1);
    assert_non_null(copy);

    assert_int_equal(gw_identity_pack(id, copy, len - 1, &i), GW_DECLINED);

    free(copy);
}


static void
test_pack(void **state)
{
    unsigned        i;
    gw_str_t        empty;
    gw_identity_t   id;

    static const char  text[300] = "any bytes \0 \n \377";

    (void) state;

    id = identity();
    check_back(&id);

    id.degraded = 0;
    id.ends = INT64_MIN;
    id.expires = INT64_MAX;
    id.begins = 0;
    id.issued = -1;
    id.revision = 0;
    check_back(&id);

    for (i = 0; i <= GW_IDENTITY_MARKS; i++) {
        id.nmarks = i;
        check_back(&id);
    }

    for (i = 0; i <= GW_SOURCE_APIKEY; i++) {
        id.source = i;
        check_back(&id);
    }

    empty.len = 0;
    empty.data = NULL;

    id.subject = empty;
    id.tier = empty;
    id.client = empty;
    check_back(&id);

    id.scope = empty;
    id.claims = empty;
    id.nmarks = 0;
    check_back(&id);

    for (i = 0; i < 200; i++) {
        id.subject.data = text;
        id.subject.len = any(sizeof(text));
        id.claims.data = text;
        id.claims.len = any(sizeof(text));
        check_back(&id);
    }
}


static void
test_pack_bad(void **state)
{
    char           buf[BUFFER];
    size_t         len;
    gw_identity_t  id;

    (void) state;

    id = identity();
    id.nmarks = GW_IDENTITY_MARKS + 1;
    assert_int_equal(gw_identity_pack(&id, buf, sizeof(buf), &len),
                     GW_DECLINED);

    id = identity();
    id.source = GW_SOURCE_APIKEY + 1;
    assert_int_equal(gw_identity_pack(&id, buf, sizeof(buf), &len),
                     GW_DECLINED);

    /* the sum of the lengths does not wrap around */

    id = identity();
    id.subject.len = SIZE_MAX - 10;
    id.claims.len = 20;
    assert_int_equal(gw_identity_pack(&id, buf, sizeof(buf), &len),
                     GW_DECLINED);

    id = identity();
    assert_int_equal(gw_identity_pack(&id, buf, 0, &len), GW_DECLINED);
}


/* what pack() has not written is refused, and nothing is read beyond it */

static void
test_unpack_bad(void **state)
{
    char           *copy;
    char            buf[BUFFER];
    size_t          len, i, at;
    gw_identity_t   id;

    (void) state;

    id = identity();
    assert_int_equal(gw_identity_pack(&id, buf, sizeof(buf), &len), GW_OK);

    for (i = 0; i < len; i++) {
        copy = malloc(i + 1);
        assert_non_null(copy);
        memcpy(copy, buf, i);

        assert_int_equal(gw_identity_unpack(&id, copy, i), GW_ERROR);

        free(copy);
    }

    buf[len] = 'x';
    assert_int_equal(gw_identity_unpack(&id, buf, len + 1), GW_ERROR);

    /* each field that has a bound */

    for (at = 0; at < offsetof(gw_identity_head_t, ends); at += 4) {
        buf[at + 3] ^= 1;
        assert_int_equal(gw_identity_unpack(&id, buf, len), GW_ERROR);
        buf[at + 3] ^= 1;
    }

    for (at = offsetof(gw_identity_head_t, len);
         at < sizeof(gw_identity_head_t); at++)
    {
        buf[at] ^= 1;
        assert_int_equal(gw_identity_unpack(&id, buf, len), GW_ERROR);
        buf[at] ^= 1;
    }

    buf[offsetof(gw_identity_head_t, nmarks)] = GW_IDENTITY_MARKS + 1;
    assert_int_equal(gw_identity_unpack(&id, buf, len), GW_ERROR);
    buf[offsetof(gw_identity_head_t, nmarks)] = 2;

    buf[offsetof(gw_identity_head_t, source)] = GW_SOURCE_APIKEY + 1;
    assert_int_equal(gw_identity_unpack(&id, buf, len), GW_ERROR);
    buf[offsetof(gw_identity_head_t, source)] = GW_SOURCE_OPAQUE;

    assert_int_equal(gw_identity_unpack(&id, buf, len), GW_OK);

    /* any bytes: ASan looks */

    for (i = 0; i < 20000; i++) {
        len = any(200);
        copy = malloc(len + 1);
        assert_non_null(copy);

        for (at = 0; at < len; at++) {
            copy[at] = (char) (any(3) ? 0 : any(256));
        }

        if (len > 4) {
            memcpy(copy, buf, 4);
        }

        (void) gw_identity_unpack(&id, copy, len);

        free(copy);
    }
}


/* equal identities give equal bytes, whatever the memory held before */

static void
test_bytes(void **state)
{
    char           one[BUFFER], two[BUFFER];
    size_t         len, n;
    gw_identity_t  id;

    (void) state;

    id = identity();

    memset(one, 0, sizeof(one));
    memset(two, 0xff, sizeof(two));

    assert_int_equal(gw_identity_pack(&id, one, sizeof(one), &len), GW_OK);
    assert_int_equal(gw_identity_pack(&id, two, sizeof(two), &n), GW_OK);
    assert_int_equal(len, n);
    assert_memory_equal(one, two, len);
}


static void
test_check(void **state)
{
    gw_identity_t  id;

    (void) state;

    id = identity();

    assert_int_equal(gw_identity_check(&id, NOW), GW_OK);
    assert_int_equal(gw_identity_check(&id, NOW + 129), GW_OK);
    assert_int_equal(gw_identity_check(&id, NOW + 130), GW_DECLINED);
    assert_int_equal(gw_identity_check(&id, NOW - 30), GW_OK);
    assert_int_equal(gw_identity_check(&id, NOW - 31), GW_AGAIN);

    id.begins = 0;
    assert_int_equal(gw_identity_check(&id, 1), GW_OK);

    /* never: it will not begin again */

    id.begins = NOW + 1000;
    assert_int_equal(gw_identity_check(&id, NOW + 500), GW_DECLINED);
}


static void
test_digest(void **state)
{
    size_t          len;
    uint8_t         digest[GW_IDENTITY_DIGEST], want[GW_IDENTITY_DIGEST];
    gw_str_t        s;

    static const uint8_t  abc[GW_IDENTITY_DIGEST] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
        0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
        0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
        0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad
    };

    static const char  text[1000] = "eyJhbGciOiJSUzI1NiJ9.e30.";

    (void) state;

    s.len = 3;
    s.data = "abc";

    assert_int_equal(gw_identity_digest(&s, digest), GW_OK);
    assert_memory_equal(digest, abc, GW_IDENTITY_DIGEST);

    for (len = 0; len <= sizeof(text); len++) {
        s.len = len;
        s.data = text;

        assert_int_equal(gw_identity_digest(&s, digest), GW_OK);
        assert_int_equal(EVP_Digest(text, len, want, NULL, EVP_sha256(),
                                    NULL), 1);
        assert_memory_equal(digest, want, GW_IDENTITY_DIGEST);
    }
}


static void
test_key(void **state)
{
    size_t    i, j;
    uint8_t   text[72], key[GW_IDENTITY_DIGEST], want[GW_IDENTITY_DIGEST];
    uint8_t   seen[73][GW_IDENTITY_DIGEST];
    uint64_t  generation;

    (void) state;

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t) (i * 3 + 1);
    }

    for (i = 0; i <= sizeof(text); i++) {

        /* each byte of each part counts */

        if (i < sizeof(text)) {
            text[i] ^= 0x80;
        }

        generation = 0;

        for (j = 0; j < 8; j++) {
            generation = generation << 8 | text[32 + j];
        }

        assert_int_equal(gw_identity_key(text, generation, text + 40, key),
                         GW_OK);
        assert_int_equal(EVP_Digest(text, sizeof(text), want, NULL,
                                    EVP_sha256(), NULL), 1);
        assert_memory_equal(key, want, GW_IDENTITY_DIGEST);

        for (j = 0; j < i; j++) {
            assert_memory_not_equal(key, seen[j], GW_IDENTITY_DIGEST);
        }

        memcpy(seen[i], key, GW_IDENTITY_DIGEST);

        if (i < sizeof(text)) {
            text[i] ^= 0x80;
        }
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_pack_bad),
        cmocka_unit_test(test_unpack_bad),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_key)
    };

    return cmocka_run_group_tests_name("gw_identity", tests, NULL, NULL);
}
