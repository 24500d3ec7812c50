
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * lua/take.lua inside a real Redis, compared with gw_bucket.c.  In a copy of
 * the script, used for random traces, the clock is two more arguments, and
 * keys expire in the far future: FAR plus their time to live.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include "gw_bucket.c"
#include "gw_scripts.h"


#define NOW      INT64_C(1793882096789012)
#define FAR      INT64_C(4000000000000)

#define BUCKETS  4
#define ARGS     64
#define NUMBER   24


typedef struct {
    gw_bucket_t          limit;
    int64_t              cost;
    int64_t              stored;     /* 0: none */
    gw_bucket_answer_t   answer;
} bucket_t;


typedef struct {
    int                  argc;
    const char          *argv[ARGS];
    char                 text[ARGS][NUMBER];
} command_t;


static char           dir[] = "/tmp/take-XXXXXX";
static pid_t          server;
static redisContext  *redis;
static char          *traced;


/* xorshift: the same traces in each run */

static uint64_t  seed = UINT64_C(0x9e3779b97f4a7c15);


static int64_t
any(int64_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;

    return seed % limit;
}


static int
stop(void **state)
{
    char  path[sizeof(dir) + sizeof("/socket")];

    (void) state;

    if (redis) {
        redisFree(redis);
    }

    if (server > 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }

    snprintf(path, sizeof(path), "%s/socket", dir);
    unlink(path);
    rmdir(dir);

    free(traced);

    return 0;
}


static void
serve(const char *path)
{
    /* also if the test is killed */

    prctl(PR_SET_PDEATHSIG, SIGKILL);

    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
           path, "--dir", dir, "--save", "", "--appendonly", "no",
           "--logfile", "/dev/null", (char *) NULL);

    fprintf(stderr, "redis-server: %s\n", strerror(errno));
    _exit(1);
}


/* "text" with the only occurrence of "from" replaced */

static char *
replace(const char *text, const char *from, const char *to)
{
    char        *copy;
    size_t       size;
    const char  *p;

    p = strstr(text, from);
    size = strlen(text) + strlen(to) + 1;
    copy = malloc(size);

    if (p == NULL || strstr(p + 1, from) || copy == NULL) {
        fprintf(stderr, "not once in the script: %s\n", from);
        exit(1);
    }

    snprintf(copy, size, "%.*s%s%s", (int) (p - text), text, to,
             p + strlen(from));

    return copy;
}


static int
start(void **state)
{
    int              i;
    char             path[sizeof(dir) + sizeof("/socket")], *copy;
    struct timespec  ts = { 0, 10000000 };

    copy = replace(GW_SCRIPT_TAKE_TEXT, "redis.call('TIME')",
                   "{ ARGV[#ARGV - 1], ARGV[#ARGV] }");

    traced = replace(copy, "'PX', ", "'PXAT', 4000000000000 + ");

    free(copy);

    if (mkdtemp(dir) == NULL) {
        return -1;
    }

    snprintf(path, sizeof(path), "%s/socket", dir);

    server = fork();

    if (server == 0) {
        serve(path);
    }

    for (i = 0; i < 3000 && server > 0 && waitpid(server, NULL, WNOHANG) == 0;
         i++)
    {
        redis = redisConnectUnix(path);

        if (redis && redis->err == 0) {
            return 0;
        }

        redisFree(redis);
        redis = NULL;

        nanosleep(&ts, NULL);
    }

    stop(state);

    return -1;
}


static redisReply *
ask(int argc, const char **argv)
{
    redisReply  *reply;

    reply = redisCommandArgv(redis, argc, argv, NULL);
    assert_non_null(reply);

    return reply;
}


static int64_t
number(redisReply *reply)
{
    int64_t  n;

    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);

    n = reply->integer;
    freeReplyObject(reply);

    return n;
}


static void
must(redisReply *reply)
{
    assert_non_null(reply);
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);

    freeReplyObject(reply);
}


static int64_t
clock_of_redis(void)
{
    int64_t      now;
    redisReply  *reply;

    reply = redisCommand(redis, "TIME");

    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    assert_int_equal(reply->elements, 2);

    now = atoll(reply->element[0]->str) * 1000000
          + atoll(reply->element[1]->str);

    freeReplyObject(reply);

    return now;
}


static void
add(command_t *cmd, int64_t n)
{
    assert_in_range(cmd->argc, 0, ARGS - 1);

    snprintf(cmd->text[cmd->argc], NUMBER, "%lld", (long long) n);
    cmd->argv[cmd->argc] = cmd->text[cmd->argc];
    cmd->argc++;
}


/* the buckets k0, k1, ...; "now" is 0 for the clock of Redis */

static redisReply *
eval(const bucket_t *b, int n, int64_t now)
{
    int        i;
    command_t  cmd;

    static const char  *names[BUCKETS] = { "k0", "k1", "k2", "k3" };

    cmd.argc = 0;
    cmd.argv[cmd.argc++] = "EVAL";
    cmd.argv[cmd.argc++] = now ? traced : GW_SCRIPT_TAKE_TEXT;
    add(&cmd, n);

    for (i = 0; i < n; i++) {
        cmd.argv[cmd.argc++] = names[i];
    }

    for (i = 0; i < n; i++) {
        add(&cmd, b[i].limit.interval);
        add(&cmd, b[i].limit.burst);
        add(&cmd, b[i].cost);
    }

    if (now) {
        add(&cmd, now / 1000000);
        add(&cmd, now % 1000000);
    }

    return ask(cmd.argc, cmd.argv);
}


static void
answers(redisReply *reply, bucket_t *b, int n, int *taken)
{
    int  i;

    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    assert_int_equal(reply->elements, 1 + 3 * n);

    for (i = 0; i < 1 + 3 * n; i++) {
        assert_int_equal(reply->element[i]->type, REDIS_REPLY_INTEGER);
    }

    *taken = reply->element[0]->integer;
    assert_in_range(*taken, 0, 1);

    for (i = 0; i < n; i++) {
        b[i].answer.left = reply->element[1 + 3 * i]->integer;
        b[i].answer.wait = reply->element[2 + 3 * i]->integer;
        b[i].answer.full = reply->element[3 + 3 * i]->integer;
    }

    freeReplyObject(reply);
}


static int
take(bucket_t *b, int n)
{
    int  taken;

    answers(eval(b, n, 0), b, n, &taken);

    return taken;
}


/* what gw_bucket.c says to the same, all or none */

static int
model(bucket_t *b, int n, int64_t now)
{
    int                  i, taken;
    int64_t              full[BUCKETS];
    gw_bucket_answer_t   look;

    taken = 1;

    for (i = 0; i < n; i++) {
        full[i] = b[i].stored;

        if (gw_bucket_take(&b[i].limit, &full[i], now, b[i].cost,
                           &b[i].answer) != GW_OK)
        {
            taken = 0;
        }
    }

    for (i = 0; i < n; i++) {

        if (!taken) {
            full[i] = b[i].stored;
            (void) gw_bucket_take(&b[i].limit, &full[i], now, 0, &look);

            b[i].answer.left = look.left;
            b[i].answer.full = look.full;
        }

        /* nothing is written unless it says something new */

        if (full[i] > now && full[i] != b[i].stored) {
            b[i].stored = full[i];
        }
    }

    return taken;
}


/* the state of the model goes in, and has to come out */

static void
set(const bucket_t *b, int n)
{
    int  i;

    must(redisCommand(redis, "DEL k0 k1 k2 k3"));

    for (i = 0; i < n; i++) {

        if (b[i].stored) {
            must(redisCommand(redis, "SET k%d %lld", i,
                              (long long) b[i].stored));
        }
    }
}


static void
check(const bucket_t *b, int n, int64_t now)
{
    int          i;
    char         text[NUMBER];
    int64_t      expires;
    redisReply  *reply;

    for (i = 0; i < n; i++) {
        reply = redisCommand(redis, "GET k%d", i);
        assert_non_null(reply);

        if (b[i].stored) {
            snprintf(text, sizeof(text), "%lld", (long long) b[i].stored);

            assert_int_equal(reply->type, REDIS_REPLY_STRING);
            assert_string_equal(reply->str, text);

        } else {
            assert_int_equal(reply->type, REDIS_REPLY_NIL);
        }

        freeReplyObject(reply);

        expires = number(redisCommand(redis, "PEXPIRETIME k%d", i));

        if (expires < 0) {
            /* absent, or not written this time */
            continue;
        }

        /* a key that goes before its bucket is full gives tokens away */

        assert_true((expires - FAR) * 1000 >= b[i].stored - now);
        assert_true((expires - FAR) * 1000 <= b[i].stored - now + 3000);
    }
}


static void
compare(bucket_t *b, int n, int64_t now)
{
    int       i, taken, expected;
    bucket_t  got[BUCKETS];

    set(b, n);

    memcpy(got, b, n * sizeof(bucket_t));
    answers(eval(got, n, now), got, n, &taken);

    expected = model(b, n, now);

    check(b, n, now);

    assert_int_equal(taken, expected);

    for (i = 0; i < n; i++) {
        assert_true(got[i].answer.left == b[i].answer.left);
        assert_true(got[i].answer.wait == b[i].answer.wait);
        assert_true(got[i].answer.full == b[i].answer.full);
    }
}


static void
any_limit(gw_bucket_t *b)
{
    static const gw_bucket_t  limits[] = {
        { 1, 1000000 },
        { 1, GW_BUCKET_SPAN / 2 },
        { 2, 3 },
        { 7, 100 },
        { 1000, 1 },
        { 333334, 3 },
        { 1000000, 1 },
        { 200000, 10 },
        { 86400000000, 1 },
        { 86400000000, 26062 }
    };

    *b = limits[any(sizeof(limits) / sizeof(limits[0]))];
}


static void
test_traces(void **state)
{
    int       i, j, n, round;
    int64_t   now;
    bucket_t  b[BUCKETS];

    (void) state;

    for (round = 0; round < 100; round++) {
        n = 1 + any(BUCKETS);
        now = NOW + any(1000000000);

        memset(b, 0, sizeof(b));

        for (i = 0; i < n; i++) {
            any_limit(&b[i].limit);
        }

        for (j = 0; j < 50; j++) {

            i = any(n);

            /* mostly on, in steps that matter to one of the buckets */

            now += any(3) ? any(2 * b[i].limit.interval + 1)
                          : any(b[i].limit.interval * b[i].limit.burst / 3
                                + 1);

            if (any(10) == 0) {
                now -= any(3 * b[i].limit.interval);
            }

            now = (now < NOW) ? NOW : now;
            now = (now > 2 * NOW) ? 2 * NOW : now;

            if (any(20) == 0) {
                any_limit(&b[i].limit);
            }

            for (i = 0; i < n; i++) {
                b[i].cost = any(5) ? any(3) : any(b[i].limit.burst + 2);
            }

            compare(b, n, now);
        }
    }
}


static void
test_digest(void **state)
{
    redisReply   *reply;
    const char   *argv[] = { "SCRIPT", "LOAD", GW_SCRIPT_TAKE_TEXT };

    (void) state;

    reply = ask(3, argv);

    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    assert_string_equal(reply->str, GW_SCRIPT_TAKE_SHA1);

    freeReplyObject(reply);
}


static int
flush(void **state)
{
    (void) state;

    must(redisCommand(redis, "FLUSHALL"));

    return 0;
}


static void
test_all_or_none(void **state)
{
    bucket_t  b[2] = {
        { { 86400000000, 3 }, 1, 0, { 0, 0, 0 } },
        { { 86400000000, 1 }, 1, 0, { 0, 0, 0 } }
    };

    (void) state;

    assert_int_equal(take(b, 2), 1);
    assert_int_equal(b[0].answer.left, 2);
    assert_int_equal(b[1].answer.left, 0);

    /* k1 is empty, k0 keeps its two in whatever order they are asked */

    assert_int_equal(take(b, 2), 0);
    assert_int_equal(b[0].answer.left, 2);
    assert_int_equal(b[0].answer.wait, 0);
    assert_int_equal(b[1].answer.left, 0);
    assert_true(b[1].answer.wait > 0);

    must(redisCommand(redis, "RENAME k1 other"));
    must(redisCommand(redis, "RENAME k0 k1"));
    must(redisCommand(redis, "RENAME other k0"));

    b[0].limit.burst = 1;
    b[1].limit.burst = 3;

    assert_int_equal(take(b, 2), 0);
    assert_true(b[0].answer.wait > 0);
    assert_int_equal(b[1].answer.left, 2);
    assert_int_equal(b[1].answer.wait, 0);
}


static void
test_denial_writes_nothing(void **state)
{
    int64_t    ttl;
    bucket_t   b[2] = {
        { { 1000000, 1 }, 1, 0, { 0, 0, 0 } },
        { { 1000000, 5 }, 6, 0, { 0, 0, 0 } }
    };

    (void) state;

    must(redisCommand(redis, "SET k0 %lld PX 100000",
                      (long long) clock_of_redis() + 900000));

    ttl = number(redisCommand(redis, "PEXPIRETIME k0"));

    assert_int_equal(take(b, 2), 0);
    assert_true(b[0].answer.wait > 0);
    assert_int_equal(b[1].answer.wait, -1);

    assert_true(ttl == number(redisCommand(redis, "PEXPIRETIME k0")));
    assert_int_equal(number(redisCommand(redis, "EXISTS k1")), 0);
}


static void
test_denial_writes_what_it_cut(void **state)
{
    int64_t      before, stored;
    bucket_t     b[2] = {
        { { 1000000, 5 }, 1, 0, { 0, 0, 0 } },
        { { 1000000, 5 }, 6, 0, { 0, 0, 0 } }
    };
    redisReply  *reply;

    (void) state;

    before = clock_of_redis();

    must(redisCommand(redis, "SET k0 %lld", (long long) before + 86400000000));
    must(redisCommand(redis, "SET k1 %lld", (long long) before + 2000000));

    assert_int_equal(take(b, 2), 0);
    assert_int_equal(b[0].answer.left, 0);
    assert_int_equal(b[0].answer.wait, 1000000);
    assert_int_equal(b[0].answer.full, 5000000);

    reply = redisCommand(redis, "GET k0");
    stored = atoll(reply->str);
    freeReplyObject(reply);

    assert_true(stored >= before + 5000000);
    assert_true(stored <= clock_of_redis() + 5000000);
    assert_true(number(redisCommand(redis, "PTTL k0")) <= 5001);

    /* the other one had no reason */

    assert_int_equal(number(redisCommand(redis, "PTTL k1")), -1);
}


static void
test_clock(void **state)
{
    int64_t      before, full, ttl;
    bucket_t     b = { { 86400000000, 2 }, 1, 0, { 0, 0, 0 } };
    redisReply  *reply;

    (void) state;

    before = clock_of_redis();

    assert_int_equal(take(&b, 1), 1);
    assert_int_equal(b.answer.full, 86400000000);

    reply = redisCommand(redis, "GET k0");
    full = atoll(reply->str);
    freeReplyObject(reply);

    assert_true(full >= before + 86400000000);
    assert_true(full <= clock_of_redis() + 86400000000);

    ttl = number(redisCommand(redis, "PTTL k0"));

    assert_true(ttl > 86400000 - 600000);
    assert_true(ttl <= 86400002);
}


static void
test_key_of_another_type(void **state)
{
    bucket_t     b[2] = {
        { { 1000000, 5 }, 1, 0, { 0, 0, 0 } },
        { { 1000000, 5 }, 1, 0, { 0, 0, 0 } }
    };
    redisReply  *reply;

    (void) state;

    must(redisCommand(redis, "LPUSH k1 x"));

    reply = eval(b, 2, 0);

    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    assert_non_null(strstr(reply->str, "WRONGTYPE"));

    freeReplyObject(reply);

    assert_int_equal(number(redisCommand(redis, "EXISTS k0")), 0);
    assert_int_equal(number(redisCommand(redis, "LLEN k1")), 1);
}


/* what is no time limits all the same: the first is passed, not the second */

static void
test_value_of_somebody_else(void **state)
{
    size_t     i;
    bucket_t   b = { { 86400000000, 1 }, 1, 0, { 0, 0, 0 } };

    static const char  *values[] = {
        "", "x", "12x", "0", "-1", "-1e300", "-inf", "nan", "-nan",
        "0x10", "1e3", "{}"
    };

    (void) state;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        must(redisCommand(redis, "SET k0 %s", values[i]));

        assert_int_equal(take(&b, 1), 1);
        assert_int_equal(b.answer.left, 0);
        assert_int_equal(take(&b, 1), 0);
        assert_true(b.answer.wait > 0);
    }

    must(redisCommand(redis, "SET k0 inf"));

    assert_int_equal(take(&b, 1), 0);
    assert_int_equal(b.answer.wait, 86400000000);
    assert_true(number(redisCommand(redis, "PTTL k0")) > 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_digest, flush),
        cmocka_unit_test_setup(test_traces, flush),
        cmocka_unit_test_setup(test_all_or_none, flush),
        cmocka_unit_test_setup(test_denial_writes_nothing, flush),
        cmocka_unit_test_setup(test_denial_writes_what_it_cut, flush),
        cmocka_unit_test_setup(test_clock, flush),
        cmocka_unit_test_setup(test_key_of_another_type, flush),
        cmocka_unit_test_setup(test_value_of_somebody_else, flush),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
