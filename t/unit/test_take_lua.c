
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The scripts inside a real Redis, by its own clock: what random traces do not
 * show (see test_take_traces.c).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gw_redis.h"
#include "gw_scripts.h"


#define NOW     INT64_C(1793882096789012)
#define SECOND  INT64_C(1000000)
#define HOUR    INT64_C(3600000000)
#define DAY     INT64_C(86400000000)
#define QUOTA   (INT64_C(1) << 36)


static redis_script_t  script, traced, give, nodes;
static int64_t         r[REDIS_ANSWERS];


static int
start(void **state)
{
    if (redis_start(state) != 0) {
        return -1;
    }

    script = redis_script(GW_SCRIPT_TAKE_TEXT);
    give = redis_script(GW_SCRIPT_GIVE_TEXT);
    nodes = redis_script(GW_SCRIPT_NODES_TEXT);
    traced = redis_trace(GW_SCRIPT_TAKE_TEXT);

    return 0;
}


static int
take(const char *keys, const char *args)
{
    if (redis_call(&script, 0, keys, args, r) < 5) {
        fail_msg("%s", redis_error);
    }

    return r[0];
}


static int
take_at(int64_t now, const char *keys, const char *args)
{
    if (redis_call(&traced, now, keys, args, r) < 5) {
        fail_msg("%s", redis_error);
    }

    return r[0];
}


static void
set(const char *key, int64_t value)
{
    freeReplyObject(redis_ask("SET %s %lld", key, (long long) value));
}


static int64_t
ttl(const char *key)
{
    return redis_number(redis_ask("PTTL %s", key));
}


static void
test_digests(void **state)
{
    (void) state;

    assert_string_equal(script.sha1, GW_SCRIPT_TAKE_SHA1);
    assert_string_equal(give.sha1, GW_SCRIPT_GIVE_SHA1);
    assert_string_equal(nodes.sha1, GW_SCRIPT_NODES_SHA1);
}


static void
test_all_or_none(void **state)
{
    (void) state;

    assert_int_equal(take("a b", "b 86400000000 3 1 0 1 "
                                 "b 86400000000 1 1 0 1"), 1);
    assert_int_equal(r[1], 2);
    assert_int_equal(r[5], 0);

    /* b is empty, a keeps its two, in whatever order they are asked */

    assert_int_equal(take("a b", "b 86400000000 3 1 0 1 "
                                 "b 86400000000 1 1 0 1"), 0);
    assert_int_equal(r[1], 2);
    assert_int_equal(r[2], 0);
    assert_int_equal(r[5], 0);
    assert_true(r[6] > 0);

    assert_int_equal(take("b a", "b 86400000000 1 1 0 1 "
                                 "b 86400000000 3 1 0 1"), 0);
    assert_int_equal(r[5], 2);

    /* the quota of one refuses for the other, and the dry one loses none */

    assert_int_equal(take("a q b2 d", "b 86400000000 3 1 0 1 d 0 0 1 0 0 "
                                      "b 86400000000 3 1 0 1 d 0 5 1 0 0"),
                     0);
    assert_int_equal(take("a d2 d3", "b 86400000000 3 3 0 1 "
                                     "B 86400000000 9 1 0 1 "
                                     "B 86400000000 9 10 0 1"), 0);
    assert_int_equal(redis_number(redis_ask("EXISTS b2 d q d2 d3")), 0);
    assert_int_equal(r[1], 2);
    assert_int_equal(r[5], 9);
    assert_int_equal(r[10], -1);
}


static void
test_dry(void **state)
{
    (void) state;

    assert_int_equal(take("a b q", "b 86400000000 3 1 0 1 "
                                   "B 86400000000 1 1 0 1 d 0 9 1 0 0"), 1);
    assert_int_equal(take("a b q", "b 86400000000 3 1 0 1 "
                                   "B 86400000000 1 1 5 1 d 0 9 1 0 0"), 1);

    assert_int_equal(r[1], 1);
    assert_int_equal(r[5], 0);
    assert_true(r[6] > 0);
    assert_int_equal(r[8], 0);
    assert_int_equal(r[9], 8);
}


static void
test_denial_writes_nothing(void **state)
{
    int64_t  at;

    (void) state;

    freeReplyObject(redis_ask("SET a %lld PX 10000000",
                              (long long) redis_clock() + HOUR / 2));
    set("q", QUOTA * (redis_clock() / DAY + 1) + 5);

    at = redis_number(redis_ask("PEXPIRETIME a"));

    assert_int_equal(take("a b q", "b 3600000000 1 1 0 1 "
                                   "b 3600000000 5 6 0 1 d 0 5 1 0 0"), 0);
    assert_true(r[2] > 0);
    assert_int_equal(r[6], -1);
    assert_true(r[10] > 0);

    assert_true(at == redis_number(redis_ask("PEXPIRETIME a")));
    assert_int_equal(ttl("q"), -1);
    assert_int_equal(redis_number(redis_ask("EXISTS b")), 0);
}


static void
test_denial_writes_what_it_cut(void **state)
{
    int64_t  before, day;

    (void) state;

    before = redis_clock();
    day = before / DAY;

    set("a", before + DAY);
    set("b", before + 2 * HOUR);
    set("q", (day + 50) * QUOTA + 7);
    set("m", 900 * QUOTA + 7);

    assert_int_equal(take("a b q m", "b 3600000000 5 1 0 1 "
                                     "b 3600000000 5 6 0 1 "
                                     "d 0 5 1 0 0 m 0 7 1 0 0"), 0);
    assert_int_equal(r[1], 0);
    assert_int_equal(r[2], HOUR);
    assert_int_equal(r[3], 5 * HOUR);
    assert_int_equal(r[9], 0);
    assert_int_equal(r[13], 0);

    assert_true(redis_get("a") >= before + 5 * HOUR);
    assert_true(redis_get("a") <= redis_clock() + 5 * HOUR);
    assert_true(ttl("a") <= 5 * HOUR / 1000 + 1);

    /* what was used stays used, in the window of now */

    assert_true(redis_get("q") - day * QUOTA == 7
                || redis_get("q") - (day + 1) * QUOTA == 7);
    assert_int_equal(redis_get("m") % QUOTA, 7);
    assert_true(redis_get("m") / QUOTA < 900);
    assert_true(ttl("q") > 0 && ttl("q") <= DAY / 1000 + 60001);
    assert_true(ttl("m") > 0 && ttl("m") <= 31 * DAY / 1000 + 60001);

    /* the other one had no reason */

    assert_int_equal(ttl("b"), -1);
}


static void
test_clock(void **state)
{
    int64_t  before;

    (void) state;

    before = redis_clock();

    assert_int_equal(take("a q", "b 86400000000 2 1 0 1 m 0 5 1 0 0"), 1);
    assert_int_equal(r[3], DAY);

    assert_true(redis_get("a") >= before + DAY);
    assert_true(redis_get("a") <= redis_clock() + DAY);
    assert_true(ttl("a") > 86400000 - 600000 && ttl("a") <= 86400002);
    assert_true(ttl("q") <= r[7] / 1000 + 60001);
    assert_true(ttl("q") > r[7] / 1000 - 540000);
}


/* an error is an error, and comes before anything was written */

static void
test_key_of_another_type(void **state)
{
    int     i;
    size_t  j;
    char    args[REDIS_TEXT];

    static const char  *wrong[] = { "b 1 5 1 0 1", "d 0 5 1 0 0",
                                    "m 0 5 1 0 0", "x 1000000 1 1 0 0" };

    (void) state;

    for (i = 0; i < 2; i++) {

        for (j = 0; j < sizeof(wrong) / sizeof(wrong[0]); j++) {
            redis_flush(NULL);
            freeReplyObject(redis_ask("LPUSH z 1"));
            set("a", redis_clock() + DAY);

            /* it would be cut */

            snprintf(args, sizeof(args), "b 1000000 5 %d 0 1 %s x 9000000 1 "
                     "1 0 0 %s", i ? 1 : 9, "d 0 5 1 0 0", wrong[j]);

            assert_int_equal(redis_call(&script, 0, "a d x z", args, r), -1);
            assert_non_null(strstr(redis_error, "WRONGTYPE"));

            assert_int_equal(ttl("a"), -1);
            assert_int_equal(redis_number(redis_ask("DBSIZE")), 2);
        }

        assert_int_equal(redis_call(&give, 0, "a z", "b 1 1 b 1 1", r), -1);
        assert_int_equal(ttl("a"), -1);
        assert_int_equal(redis_call(&nodes, 0, "z", "me 1000000", r), -1);
    }
}


/* what is no number limits all the same: the first is passed, not the second */

static const char  *values[] = {
    "", "x", "12x", "0", "-2", "-1.5", "-1e300", "-inf", "nan", "-nan",
    "0x10", "1e3", "0.5", "{}", "18446744073709551617x"
};


static const char  *large[] = {
    "inf", "1e300", "9007199254740992", "36893488147419103232"
};


static void
test_bucket_of_somebody_else(void **state)
{
    size_t   i;
    int64_t  now;

    (void) state;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        freeReplyObject(redis_ask("SET a %s", values[i]));

        assert_int_equal(take("a", "b 86400000000 1 1 0 1"), 1);
        assert_int_equal(r[1], 0);
        assert_int_equal(take("a", "b 86400000000 1 1 0 1"), 0);
        assert_true(r[2] > 0);
        assert_true(redis_get("a") > 0);
    }

    freeReplyObject(redis_ask("SET a inf"));

    assert_int_equal(take("a", "b 86400000000 1 1 0 1"), 0);
    assert_int_equal(r[2], DAY);
    assert_true(ttl("a") > 0);

    /* a fraction of a microsecond gives nothing that is not there */

    now = redis_clock();
    freeReplyObject(redis_ask("SET a %lld.75", (long long) now + HOUR));

    assert_int_equal(take("a", "b 3600000000 2 1 0 1"), 1);
    assert_int_equal(r[1], 0);
    assert_true(redis_get("a") >= now + 2 * HOUR);
    assert_true(redis_get("a") <= now + 2 * HOUR + 1);
}


static void
test_quota_of_somebody_else(void **state)
{
    size_t  i, j;

    static const char  *args[] = { "b 1 9 1 0 1 d 0 1 1 0 0",
                                   "b 1 9 1 0 1 m 0 1 1 0 0" };

    (void) state;

    for (j = 0; j < 2; j++) {

        for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
            freeReplyObject(redis_ask("SET q %s", values[i]));

            assert_int_equal(take("a q", args[j]), 1);
            assert_int_equal(r[5], 0);
            assert_int_equal(take("a q", args[j]), 0);
            assert_true(r[6] > 0);
            assert_int_equal(redis_get("q") % QUOTA, 1);
        }

        for (i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
            freeReplyObject(redis_ask("SET q %s", large[i]));

            assert_int_equal(take("a q", args[j]), 1);
            assert_int_equal(take("a q", args[j]), 0);
            assert_true(ttl("q") > 0);
        }

        /* below 2^53, in the year 2328: cut */

        freeReplyObject(redis_ask("SET q 9007199254740991"));

        assert_int_equal(take("a q", args[j]), 0);
        assert_true(r[6] > 0 && r[6] <= 31 * DAY);
        assert_true(ttl("q") > 0);
        assert_true(ttl("q") <= 31 * DAY / 1000 + 60001);
    }
}


static void
test_ban_of_somebody_else(void **state)
{
    size_t  i;

    (void) state;

    /* not ours without a time to live; "0x10" and more are numbers, though */

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        freeReplyObject(redis_ask("SET x %s", values[i]));

        assert_int_equal(take("a x", "b 1 9 10 0 1 x 60000000 9 0 0 0"), 0);
        assert_int_equal(r[5], 8);
        assert_int_equal(redis_get("x"), 1);
    }

    freeReplyObject(redis_ask("SET x -1"));

    assert_int_equal(take("a x", "b 1 9 1 0 1 x 60000000 9 0 0 0"), 1);
    assert_int_equal(r[5], 9);

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        freeReplyObject(redis_ask("SET x %s PX 60000", values[i]));

        assert_int_equal(take("a x", "b 1 9 10 0 1 x 60000000 9000 0 0 0"),
                         0);
        assert_true(redis_get("x") >= 1 && redis_get("x") <= 1001);
        assert_true(ttl("x") > 0 && ttl("x") <= 60000);
    }

    for (i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        freeReplyObject(redis_ask("SET x %s PX 90000", large[i]));

        assert_int_equal(take("a x", "b 1 9 1 0 1 x 60000000 9 0 0 0"), 1);
        assert_int_equal(r[5], 9);
        assert_int_equal(take("a x", "b 1 9 10 0 1 x 60000000 9 0 0 0"), 0);
        assert_int_equal(redis_get("x"), 1);
    }

    /* more than there can be: a ban at the next strike, no earlier */

    freeReplyObject(redis_ask("SET x 1000 PX 60000"));

    assert_int_equal(take("a x", "b 1 9 1 0 1 x 60000000 9 0 0 0"), 1);
    assert_int_equal(r[5], 0);
    assert_int_equal(take("a x", "b 1 9 10 0 1 x 60000000 9 0 0 0"), 0);
    assert_int_equal(r[8], 1);
}


static void
test_ban(void **state)
{
    const char  *one = "b 1000000 2 1 0 1 x 60000000 3 0 0 0";

    (void) state;

    assert_int_equal(take_at(NOW, "a x", one), 1);
    assert_int_equal(take_at(NOW, "a x", one), 1);
    assert_int_equal(redis_get("x"), INT64_MIN);

    assert_int_equal(take_at(NOW, "a x", one), 0);
    assert_int_equal(r[5], 2);
    assert_int_equal(r[6], 0);
    assert_int_equal(r[7], 60 * SECOND);

    /* later strikes do not make the first one younger */

    assert_int_equal(take_at(NOW + 100000, "a x", one), 0);
    assert_int_equal(r[5], 1);
    assert_int_equal(r[7], 60 * SECOND - 100000);

    /* the third begins the ban, in this call */

    assert_int_equal(take_at(NOW + 200000, "a x", one), 0);
    assert_int_equal(r[5], 0);
    assert_int_equal(r[6], 60 * SECOND);
    assert_int_equal(r[7], 60 * SECOND);
    assert_int_equal(r[8], 1);
    assert_int_equal(redis_get("x"), -1);

    /* the bucket is full again; to be refused then adds nothing */

    assert_int_equal(take_at(NOW + 30 * SECOND, "a x", one), 0);
    assert_int_equal(r[1], 2);
    assert_int_equal(r[2], 0);
    assert_int_equal(r[6], 30 * SECOND + 200000);
    assert_int_equal(r[8], 0);

    assert_int_equal(take_at(NOW + 30 * SECOND, "a x",
                             "b 1000000 2 9 0 1 x 60000000 3 7 0 0"), 0);
    assert_int_equal(r[2], -1);
    assert_int_equal(r[6], 30 * SECOND + 200000);

    /* a shorter ban holds at once */

    assert_int_equal(take_at(NOW + 30 * SECOND, "a x",
                             "b 1000000 2 1 0 1 x 5000000 3 0 0 0"), 0);
    assert_int_equal(r[6], 5 * SECOND);
    assert_int_equal(redis_expires("x"), NOW / 1000 + 35000);

    assert_int_equal(take_at(NOW + 35 * SECOND, "a x", one), 1);
}


static void
test_strikes(void **state)
{
    (void) state;

    /* those of memory count, with the refusal and without */

    assert_int_equal(take("a x", "b 86400000000 2 1 0 1 x 60000000 9 3 0 0"),
                     1);
    assert_int_equal(r[5], 6);
    assert_int_equal(take("a x", "b 86400000000 2 5 0 1 x 60000000 9 3 0 0"),
                     0);
    assert_int_equal(r[2], -1);
    assert_int_equal(r[5], 2);

    assert_int_equal(take("a x", "b 86400000000 2 1 0 1 x 60000000 9 2 0 0"),
                     0);
    assert_int_equal(r[2], 0);
    assert_int_equal(r[8], 1);

    /* no token was taken when the ban began */

    assert_int_equal(r[1], 1);

    /* what another limit refuses is no strike; what a quota refuses is */

    assert_int_equal(take("b y c z", "b 1000000 2 3 0 1 x 60000000 3 0 0 0 "
                                     "b 1000000 2 1 0 1 x 60000000 3 0 0 0"),
                     0);
    assert_int_equal(r[5], 2);
    assert_int_equal(r[13], 3);
    assert_int_equal(redis_number(redis_ask("EXISTS z")), 0);

    assert_int_equal(take("c q z", "b 1000000 2 1 0 1 d 0 0 1 0 0 "
                                   "x 60000000 3 0 0 0"), 0);
    assert_int_equal(r[9], 2);
}


static void
test_ban_of_a_dry_run(void **state)
{
    (void) state;

    assert_int_equal(take("a b x", "b 3600000000 9 1 0 1 "
                                   "B 3600000000 2 3 0 1 "
                                   "x 60000000 1 0 0 0"), 1);
    assert_int_equal(r[1], 8);
    assert_int_equal(r[10], 60 * SECOND);
    assert_int_equal(r[12], 1);

    assert_int_equal(take("a b x", "b 3600000000 9 1 0 1 "
                                   "B 3600000000 2 1 0 1 "
                                   "x 60000000 1 0 0 0"), 1);
    assert_int_equal(r[1], 7);
    assert_int_equal(r[5], 2);
    assert_true(r[10] > 0);
    assert_int_equal(r[12], 0);
}


static void
test_lease(void **state)
{
    (void) state;

    assert_int_equal(take("a", "b 86400000000 100 1 10 2"), 1);
    assert_int_equal(r[1], 89);
    assert_int_equal(r[3], 11 * DAY);
    assert_int_equal(r[4], 10);

    /* a share of what is left, after the cost */

    assert_int_equal(take("a", "b 86400000000 100 2 1000 4"), 1);
    assert_int_equal(r[4], 21);
    assert_int_equal(r[1], 66);

    /* the quotas have to have it as well, and lose it too */

    assert_int_equal(take("a d m", "b 86400000000 100 1 30 1 d 0 21 1 0 0 "
                                   "m 0 11 1 0 0"), 1);
    assert_int_equal(r[4], 10);
    assert_int_equal(r[1], 55);
    assert_int_equal(r[5], 10);
    assert_int_equal(r[9], 0);
    assert_int_equal(redis_get("d") % QUOTA, 11);

    /* a look may lease; one that is refused may not */

    assert_int_equal(take("a", "b 86400000000 100 0 5 1"), 1);
    assert_int_equal(r[4], 5);
    assert_int_equal(take("a b", "b 86400000000 100 1 5 1 "
                                 "b 86400000000 1 2 5 1"), 0);
    assert_int_equal(r[4], 0);
    assert_int_equal(r[1], 50);
    assert_int_equal(r[8], 0);
}


/* interval * cost has more than 53 bits, and 64 too */

static void
test_cost_beyond_all(void **state)
{
    (void) state;

    assert_int_equal(take("a", "b 86400000000 26062 1000000000 0 1"), 0);
    assert_int_equal(r[2], -1);
    assert_int_equal(r[1], 26062);

    assert_int_equal(take("a", "b 1 1000000 9007199254740991 0 1"), 0);
    assert_int_equal(r[2], -1);
    assert_int_equal(redis_number(redis_ask("DBSIZE")), 0);

    assert_int_equal(take("a", "b 86400000000 26062 26062 0 1"), 1);
    assert_int_equal(r[1], 0);
    assert_int_equal(r[3], 26062 * DAY);
}


static void
test_other_numbers_free_at_once(void **state)
{
    (void) state;

    /* ten minutes of debt, then a paid upgrade */

    assert_int_equal(take_at(NOW, "a", "b 60000000 10 10 0 1"), 1);
    assert_int_equal(take_at(NOW, "a", "b 60000000 10 1 0 1"), 0);
    assert_int_equal(take_at(NOW, "a", "b 1000 10 1 0 1"), 0);
    assert_int_equal(r[2], 1000);
    assert_int_equal(take_at(NOW + 1000, "a", "b 1000 10 1 0 1"), 1);

    /* a quota that grew */

    assert_int_equal(take_at(NOW, "b q", "b 1 9 5 0 1 d 0 5 5 0 0"), 1);
    assert_int_equal(take_at(NOW, "b q", "b 1 9 1 0 1 d 0 5 1 0 0"), 0);
    assert_int_equal(take_at(NOW, "b q", "b 1 9 1 0 1 d 0 6 1 0 0"), 1);
    assert_int_equal(take_at(NOW, "b q", "b 1 9 0 0 1 d 0 2 0 0 0"), 1);
    assert_int_equal(r[5], 0);
}


/* two tiers in turn, by keys of their own: each its own burst, no more */

static void
test_alternating_tiers(void **state)
{
    int  i, taken[2];

    (void) state;

    taken[0] = 0;
    taken[1] = 0;

    for (i = 0; i < 1000; i++) {
        taken[i % 2] += i % 2 ? take_at(NOW + i * 1000, "gold",
                                        "b 100000 20 1 0 1")
                              : take_at(NOW + i * 1000, "free",
                                        "b 500000 5 1 0 1");
    }

    assert_int_equal(taken[0], 5 + 1);
    assert_int_equal(taken[1], 20 + 9);
}


static void
test_slow_and_impatient(void **state)
{
    int  i, taken;

    (void) state;

    /* once in ten seconds, burst 1: the key outlives the second it is for */

    taken = 0;

    for (i = 0; i < 100; i++) {

        if (redis_expires("a") <= NOW / 1000 + i * 1000) {
            freeReplyObject(redis_ask("DEL a"));
        }

        taken += take_at(NOW + i * SECOND, "a", "b 10000000 1 1 0 1");
    }

    assert_int_equal(taken, 10);

    /* every 600 ms at one a second: what was refused costs nothing */

    for (i = 0; i < 100; i++) {
        assert_int_equal(take_at(NOW + i * 600000, "b", "b 1000000 1 1 0 1"),
                         i % 2 == 0);
    }
}


static void
test_end_of_a_window(void **state)
{
    int64_t      day, end;
    const char  *one = "b 1 9 1 0 1 d 0 1 1 0 0 m 0 2 1 0 0";

    (void) state;

    /* 2028-02-29, and the last of February that year */

    day = 21243;
    end = (day + 1) * DAY;

    assert_int_equal(take_at(end - 1, "a d m", one), 1);
    assert_int_equal(r[7], 1);
    assert_int_equal(r[8], day);
    assert_int_equal(r[11], 1);
    assert_int_equal(r[12], 58 * 12 + 1);

    assert_int_equal(take_at(end - 1, "a d m", one), 0);
    assert_int_equal(r[6], 1);
    assert_int_equal(r[10], 0);

    assert_int_equal(take_at(end, "a d m", one), 1);
    assert_int_equal(r[8], day + 1);
    assert_int_equal(r[12], 58 * 12 + 2);
    assert_int_equal(r[11], 31 * DAY);

    /* back by a minute, after a failover: March holds */

    assert_int_equal(redis_expires("d"), (end + DAY) / 1000 + 60000);
    assert_int_equal(take_at(end - 60 * SECOND, "a d m", one), 0);
    assert_int_equal(r[6], DAY + 60 * SECOND);
    assert_int_equal(r[8], day + 1);
}


static void
test_give(void **state)
{
    int64_t  before, day;

    (void) state;

    assert_int_equal(redis_call(&give, 0, "a q", "b 1000000 5 d 1 5", r), 1);
    assert_int_equal(redis_number(redis_ask("DBSIZE")), 0);

    assert_int_equal(take("a d m", "b 86400000000 9 5 0 1 d 0 99 5 0 0 "
                                   "m 0 99 5 0 0"), 1);
    before = redis_get("a");
    day = r[8];

    freeReplyObject(redis_ask("PEXPIRE d 123456789"));

    assert_int_equal(day, redis_get("d") / QUOTA);
    assert_int_equal(redis_get("d") % QUOTA, 5);

    redis_call(&give, 0, "a", "b 86400000000 2", r);
    assert_int_equal(redis_get("a"), before - 2 * DAY);
    assert_true(ttl("a") > 0 && ttl("a") <= 3 * DAY / 1000 + 2);

    /* never fuller than full */

    redis_call(&give, 0, "a", "b 86400000000 4", r);
    assert_int_equal(redis_number(redis_ask("EXISTS a")), 0);

    /* another window; more than was used */

    set("other", day);
    freeReplyObject(redis_ask("SET d %lld KEEPTTL",
                              (long long) (day * QUOTA + 5)));

    redis_call(&give, 0, "d", "d 1 2", r);
    assert_int_equal(redis_get("d") % QUOTA, 5);

    redis_call(&give, 0, "m", "m 99999 2", r);
    assert_int_equal(redis_get("m") % QUOTA, 5);
}


static void
test_give_of_somebody_else(void **state)
{
    size_t       i;
    redisReply  *reply;

    static const char  *odd[] = { "x", "nan", "inf", "-inf", "-5", "1e3",
                                  "0x10", "0.5", "9007199254740993",
                                  "1793882096789012.5" };

    (void) state;

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        freeReplyObject(redis_ask("MSET a %s d %s", odd[i], odd[i]));

        assert_int_equal(redis_call(&give, 0, "a d", "b 1 1 d 0 1", r), 1);

        reply = redis_ask("GET a");
        assert_string_equal(reply->str, odd[i]);
        freeReplyObject(reply);

        reply = redis_ask("GET d");
        assert_string_equal(reply->str, odd[i]);
        freeReplyObject(reply);
    }
}


static int64_t
alive(const char *args)
{
    assert_int_equal(redis_call(&nodes, 0, "n", args, r), 1);

    return r[0];
}


static void
test_nodes(void **state)
{
    int64_t  now;

    (void) state;

    now = redis_clock();

    assert_int_equal(alive("me 3600000000"), 1);
    assert_int_equal(alive("me 3600000000"), 1);
    assert_int_equal(alive("you 3600000000"), 2);
    assert_true(ttl("n") > 3000000 && ttl("n") <= 3600001);
    assert_true(redis_number(redis_ask("ZSCORE n me")) >= now);

    /* silent for two hours; a minute, an hour ahead by another clock */

    freeReplyObject(redis_ask("ZADD n %lld old",
                              (long long) now - 2 * HOUR));
    freeReplyObject(redis_ask("ZADD n %lld soon",
                              (long long) now + 60 * SECOND));
    freeReplyObject(redis_ask("ZADD n %lld later",
                              (long long) now + 3 * HOUR));

    assert_int_equal(alive("me 3600000000"), 3);

    /* bounded, and the youngest stay */

    freeReplyObject(redis_ask("EVAL %s 1 n %lld",
                              "for i = 1, 10050 do redis.call('ZADD', KEYS[1],"
                              " string.format('%.0f', ARGV[1] + i), 'z' .. i) "
                              "end return 1", (long long) now - HOUR / 2));

    assert_int_equal(alive("me 3600000000"), 10000);
    assert_true(redis_number(redis_ask("ZSCORE n me")) >= now);
    assert_int_equal(redis_number(redis_ask("ZCOUNT n -inf (%lld",
                                            (long long) now - HOUR / 2 + 50)),
                     0);
}


/* the commands that each script needs, and no other */

static void
test_rights(void **state)
{
    (void) state;

    freeReplyObject(redis_ask("ACL SETUSER t on >t resetkeys ~t* -@all "
                              "+evalsha +time +get +set +pttl"));
    freeReplyObject(redis_ask("ACL SETUSER g on >t resetkeys ~t* -@all "
                              "+evalsha +time +get +set +del +decrby"));
    freeReplyObject(redis_ask("ACL SETUSER n on >t resetkeys ~t* -@all "
                              "+evalsha +time +zadd +zremrangebyscore "
                              "+zremrangebyrank +pexpire +zcard"));

    freeReplyObject(redis_ask("AUTH t t"));

    assert_int_equal(take("ta td tm tx", "b 1000000 9 5 0 1 d 0 9 5 0 0 "
                                         "m 0 9 5 0 0 x 9000000 3 1 0 0"), 1);
    assert_int_equal(take("ta td tm tx", "b 1000000 9 5 0 1 d 0 9 5 0 0 "
                                         "m 0 9 5 0 0 x 9000000 3 0 0 0"), 0);
    assert_int_equal(redis_call(&script, 0, "a", "b 1 1 1 0 1", r), -1);

    freeReplyObject(redis_ask("AUTH g t"));

    assert_int_equal(redis_call(&give, 0, "ta td",
                                "b 1000000 1 d 20779 1", r), 1);
    assert_int_equal(redis_call(&give, 0, "ta", "b 1000000 9", r), 1);

    freeReplyObject(redis_ask("AUTH n t"));

    assert_int_equal(redis_call(&nodes, 0, "tn", "me 1000000", r), 1);

    freeReplyObject(redis_ask("AUTH default x"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_digests, redis_flush),
        cmocka_unit_test_setup(test_all_or_none, redis_flush),
        cmocka_unit_test_setup(test_dry, redis_flush),
        cmocka_unit_test_setup(test_denial_writes_nothing, redis_flush),
        cmocka_unit_test_setup(test_denial_writes_what_it_cut, redis_flush),
        cmocka_unit_test_setup(test_clock, redis_flush),
        cmocka_unit_test_setup(test_key_of_another_type, redis_flush),
        cmocka_unit_test_setup(test_bucket_of_somebody_else, redis_flush),
        cmocka_unit_test_setup(test_quota_of_somebody_else, redis_flush),
        cmocka_unit_test_setup(test_ban_of_somebody_else, redis_flush),
        cmocka_unit_test_setup(test_ban, redis_flush),
        cmocka_unit_test_setup(test_strikes, redis_flush),
        cmocka_unit_test_setup(test_ban_of_a_dry_run, redis_flush),
        cmocka_unit_test_setup(test_lease, redis_flush),
        cmocka_unit_test_setup(test_cost_beyond_all, redis_flush),
        cmocka_unit_test_setup(test_other_numbers_free_at_once, redis_flush),
        cmocka_unit_test_setup(test_alternating_tiers, redis_flush),
        cmocka_unit_test_setup(test_slow_and_impatient, redis_flush),
        cmocka_unit_test_setup(test_end_of_a_window, redis_flush),
        cmocka_unit_test_setup(test_give, redis_flush),
        cmocka_unit_test_setup(test_give_of_somebody_else, redis_flush),
        cmocka_unit_test_setup(test_nodes, redis_flush),
        cmocka_unit_test_setup(test_rights, redis_flush),
    };

    return cmocka_run_group_tests(tests, start, redis_stop);
}
