
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A real redis-server for tests of scripts, on a socket of its own.
 *
 * redis_start() and redis_stop() are the setup and teardown of a group.
 *
 * redis_call() runs a script; keys and arguments are words in one string each,
 * the reply's integers go to "answer".  It returns how many there are, or -1
 * for an error reply, whose text is redis_error.
 *
 * redis_script() loads a script.  redis_trace() loads a copy of one in which
 * the time is the last two arguments, and keys expire by the same clock: they
 * stay, and redis_expires() tells when, in milliseconds, or -1 for never and
 * -2 for no such key.
 */

#ifndef _GW_REDIS_H_INCLUDED_
#define _GW_REDIS_H_INCLUDED_


#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <hiredis/hiredis.h>


#define REDIS_FAR      INT64_C(4000000000000)
#define REDIS_ARGS     128
#define REDIS_TEXT     2048
#define REDIS_ANSWERS  64


typedef struct {
    char   sha1[41];
} redis_script_t;


static char           redis_dir[] = "/tmp/gw-redis-XXXXXX";
static char           redis_error[256];
static pid_t          redis_pid;
static redisContext  *redis;


static inline int
redis_stop(void **state)
{
    char  path[sizeof(redis_dir) + sizeof("/socket")];

    (void) state;

    if (redis) {
        redisFree(redis);
        redis = NULL;
    }

    if (redis_pid > 0) {
        kill(redis_pid, SIGKILL);
        waitpid(redis_pid, NULL, 0);
    }

    snprintf(path, sizeof(path), "%s/socket", redis_dir);
    unlink(path);
    rmdir(redis_dir);

    return 0;
}


static inline void
redis_serve(const char *path)
{
    /* also if the test is killed */

    prctl(PR_SET_PDEATHSIG, SIGKILL);

    execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
           path, "--dir", redis_dir, "--save", "", "--appendonly", "no",
           "--logfile", "/dev/null", (char *) NULL);

    fprintf(stderr, "redis-server: %s\n", strerror(errno));
    _exit(1);
}


static inline int
redis_start(void **state)
{
    int              i;
    char             path[sizeof(redis_dir) + sizeof("/socket")];
    struct timespec  ts = { 0, 10000000 };

    if (mkdtemp(redis_dir) == NULL) {
        return -1;
    }

    snprintf(path, sizeof(path), "%s/socket", redis_dir);

    redis_pid = fork();

    if (redis_pid == 0) {
        redis_serve(path);
    }

    for (i = 0;
         i < 3000 && redis_pid > 0 && waitpid(redis_pid, NULL, WNOHANG) == 0;
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

    redis_stop(state);

    return -1;
}


static inline int
redis_flush(void **state)
{
    redisReply  *reply;

    (void) state;

    reply = redisCommand(redis, "FLUSHALL");
    freeReplyObject(reply);

    return 0;
}


static inline redisReply *
redis_ask(const char *format, ...)
{
    va_list      args;
    redisReply  *reply;

    va_start(args, format);
    reply = redisvCommand(redis, format, args);
    va_end(args);

    assert_non_null(reply);

    if (reply->type == REDIS_REPLY_ERROR) {
        fail_msg("%s: %s", format, reply->str);
    }

    return reply;
}


static inline int64_t
redis_number(redisReply *reply)
{
    int64_t  n;

    n = (reply->type == REDIS_REPLY_STRING) ? atoll(reply->str)
                                            : reply->integer;
    freeReplyObject(reply);

    return n;
}


/* -1 if there is none; what is no number in decimal digits fails */

static inline int64_t
redis_get(const char *key)
{
    char         text[32];
    int64_t      n;
    redisReply  *reply;

    reply = redis_ask("GET %s", key);

    if (reply->type == REDIS_REPLY_NIL) {
        freeReplyObject(reply);
        return INT64_MIN;
    }

    n = atoll(reply->str);

    snprintf(text, sizeof(text), "%lld", (long long) n);
    assert_string_equal(reply->str, text);

    freeReplyObject(reply);

    return n;
}


static inline int64_t
redis_clock(void)
{
    int64_t      now;
    redisReply  *reply;

    reply = redis_ask("TIME");

    now = atoll(reply->element[0]->str) * 1000000
          + atoll(reply->element[1]->str);

    freeReplyObject(reply);

    return now;
}


static inline redis_script_t
redis_script(const char *text)
{
    redisReply      *reply;
    redis_script_t   script;

    reply = redis_ask("SCRIPT LOAD %s", text);
    snprintf(script.sha1, sizeof(script.sha1), "%s", reply->str);
    freeReplyObject(reply);

    return script;
}


/* "text", which is freed, with "from" replaced wherever it stands */

static inline char *
redis_replace(char *text, const char *from, const char *to)
{
    char        *copy, *last;
    size_t       n, len;
    const char  *p, *next;

    n = 0;
    len = strlen(from);

    for (p = strstr(text, from); p; p = strstr(p + len, from)) {
        n++;
    }

    copy = malloc(strlen(text) + n * strlen(to) + 1);
    assert_non_null(copy);

    last = copy;

    for (p = text; (next = strstr(p, from)) != NULL; p = next + len) {
        memcpy(last, p, next - p);
        last += next - p;
        last = stpcpy(last, to);
    }

    strcpy(last, p);
    free(text);

    return copy;
}


static inline redis_script_t
redis_trace(const char *text)
{
    char            *copy;
    redis_script_t   script;

    copy = redis_replace(strdup(text), "redis.call('TIME')",
                         "{ ARGV[#ARGV - 1], ARGV[#ARGV] }");
    copy = redis_replace(copy, "'PX', ",
                         "'PXAT', 4000000000000 + math.floor(now / 1000) + ");
    copy = redis_replace(copy, "redis.call('PTTL', KEYS[i])",
                         "(redis.call('PEXPIRETIME', KEYS[i])"
                         " - 4000000000000 - math.floor(now / 1000))");

    script = redis_script(copy);
    free(copy);

    return script;
}


static inline int64_t
redis_expires(const char *key)
{
    int64_t  at;

    at = redis_number(redis_ask("PEXPIRETIME %s", key));

    return (at < 0) ? at : at - REDIS_FAR;
}


static inline int
redis_words(char *text, const char **words)
{
    int    n;
    char  *p, *rest;

    n = 0;

    for (p = strtok_r(text, " ", &rest); p; p = strtok_r(NULL, " ", &rest)) {
        assert_true(n < REDIS_ARGS - 8);
        words[n++] = p;
    }

    return n;
}


static inline int
redis_answers(redisReply *reply, int64_t *answer)
{
    int     n;
    size_t  i;

    assert_non_null(reply);

    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(redis_error, sizeof(redis_error), "%s", reply->str);
        freeReplyObject(reply);
        return -1;
    }

    if (reply->type == REDIS_REPLY_INTEGER) {
        answer[0] = reply->integer;
        freeReplyObject(reply);
        return 1;
    }

    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    assert_true(reply->elements < REDIS_ANSWERS);

    for (i = 0; i < reply->elements; i++) {
        assert_int_equal(reply->element[i]->type, REDIS_REPLY_INTEGER);
        answer[i] = reply->element[i]->integer;
    }

    n = reply->elements;
    freeReplyObject(reply);

    return n;
}


/* "now" is 0 for a script that was not traced */

static inline int
redis_call(const redis_script_t *script, int64_t now, const char *keys,
    const char *args, int64_t *answer)
{
    int          argc, n;
    char         text[2][REDIS_TEXT], number[32], clock[2][32];
    const char  *argv[REDIS_ARGS];

    snprintf(text[0], REDIS_TEXT, "%s", keys);
    snprintf(text[1], REDIS_TEXT, "%s", args);

    n = redis_words(text[0], argv + 3);
    snprintf(number, sizeof(number), "%d", n);

    argv[0] = "EVALSHA";
    argv[1] = script->sha1;
    argv[2] = number;
    argc = 3 + n;
    argc += redis_words(text[1], argv + argc);

    if (now) {
        snprintf(clock[0], 32, "%lld", (long long) now / 1000000);
        snprintf(clock[1], 32, "%lld", (long long) now % 1000000);
        argv[argc++] = clock[0];
        argv[argc++] = clock[1];
    }

    assert_true(argc <= REDIS_ARGS);

    return redis_answers(redisCommandArgv(redis, argc, argv, NULL), answer);
}


#endif /* _GW_REDIS_H_INCLUDED_ */
