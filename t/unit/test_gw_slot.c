
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_slot.c"


/* exactly as much memory as there is text */

static char *
exactly(const char *text, size_t len)
{
    char  *p;

    p = malloc(len + 1);
    assert_non_null(p);

    return memcpy(p + 1, text, len);
}


static unsigned
slot(const char *text, size_t len)
{
    char      *p;
    unsigned   n;
    gw_str_t   key;

    p = exactly(text, len);

    key.data = p;
    key.len = len;

    n = gw_slot(&key);
    free(p - 1);

    return n;
}


static int
redirect(const char *text, size_t len, char *out)
{
    int        rc;
    char      *p;
    unsigned   n, port;
    gw_str_t   s, host;

    n = 77777;
    port = 77777;
    host.data = "untouched";
    host.len = 9;

    p = exactly(text, len);

    s.data = p;
    s.len = len;

    rc = gw_slot_redirect(&s, &n, &host, &port);

    if (rc != GW_OK) {
        assert_int_equal(n, 77777);
        assert_int_equal(port, 77777);
        assert_int_equal(host.len, 9);
    }

    sprintf(out, "%u|%.*s|%u", n, (int) host.len, host.data, port);
    free(p - 1);

    return rc;
}


static void
test_slots(void **state)
{
    size_t  i;

    /* as CLUSTER KEYSLOT of Redis 7.0.15 tells */

    static const struct {
        const char  *key;
        unsigned     slot;
    } keys[] = {
        { "a", 15495 },
        { "foo", 12182 },
        { "123456789", 12739 },
        { "somekey", 11058 },
        { "foo{hash_tag}", 2515 },
        { "{user1000}.following", 3443 },
        { "foo{}{bar}", 8363 },
        { "foo{{bar}}zap", 4015 },
        { "foo{bar}{zap}", 5061 },
        { "gw:{alice}:calls", 749 },
        { "gw:key:0123456789abcdef", 139 },
        { "\xff\xfe\x80 bytes", 5102 }
    };

    (void) state;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        assert_int_equal(slot(keys[i].key, strlen(keys[i].key)),
                         keys[i].slot);
    }

    assert_int_equal(gw_slot(&(gw_str_t) { 0, NULL }), 0);
}


static void
test_tags(void **state)
{
    (void) state;

    assert_int_equal(slot("gw:{alice}:calls:free/day", 25), slot("alice", 5));
    assert_int_equal(slot("{a}{b}", 6), slot("a", 1));
    assert_int_equal(slot("}{a}", 4), slot("a", 1));
    assert_int_equal(slot("{{a}", 4), slot("{a", 2));
    assert_int_equal(slot("{\0}x", 4), slot("\0", 1));

    assert_int_not_equal(slot("{}a", 3), slot("{}b", 3));
    assert_int_not_equal(slot("{a", 2), slot("a", 1));
    assert_int_not_equal(slot("{}{a}", 5), slot("a", 1));
}


static void
test_redirects(void **state)
{
    char    out[512], text[512];
    size_t  i;

    static const char  *good[][2] = {
        { "3999 127.0.0.1:6381", "3999|127.0.0.1|6381" },
        { "0 a:1", "0|a|1" },
        { "16383 redis-0.redis_x.Local:65535",
          "16383|redis-0.redis_x.Local|65535" },
        { "12 :6379", "12||6379" },
        { "12 ::1:6379", "12|::1|6379" },
        { "12 2001:db8::7:6379", "12|2001:db8::7|6379" },
        { "00012 a:00080", "12|a|80" }
    };

    static const char  *bad[] = {
        "", " ", "1", "1 ", "1 a", "1 a:", "1 :", "1 a:0", "1 a:65536",
        "1 a:123456", "1 a:-1", "1 a:1 ", "1 a:1 b", "1 a:1\n", " 1 a:1",
        "1  a:1", "16384 a:1", "99999 a:1", "100000 a:1", "-1 a:1", "x a:1",
        "1x a:1", "1 ?:6379", "1 a b:1", "1 a\r:1", "1 [::1]:1", "1 a/b:1",
        "1 a%00:1", "1 \xff:1", "a:1"
    };

    (void) state;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(redirect(good[i][0], strlen(good[i][0]), out), GW_OK);
        assert_string_equal(out, good[i][1]);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(redirect(bad[i], strlen(bad[i]), out), GW_ERROR);
    }

    assert_int_equal(redirect("1 a\0b:1", 7, out), GW_ERROR);

    /* the longest host, and one byte more */

    memcpy(text, "1 ", 2);
    memset(text + 2, 'h', GW_SLOT_HOST + 1);

    memcpy(text + 2 + GW_SLOT_HOST, ":1", 3);
    assert_int_equal(redirect(text, strlen(text), out), GW_OK);

    memcpy(text + 2 + GW_SLOT_HOST, "h:1", 4);
    assert_int_equal(redirect(text, strlen(text), out), GW_ERROR);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_redirects)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
