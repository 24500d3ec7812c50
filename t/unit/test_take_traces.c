
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * lua/take.lua and lua/give.lua inside a real Redis against gw_bucket.c and
 * gw_quota.c: random limits, numbers that change, a clock that jumps.  What is
 * stored stays in Redis from step to step, and expires by the trace's clock.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gw_redis.h"
#include "gw_bucket.c"
#include "gw_quota.c"
#include "gw_scripts.h"
#include "gw_random.h"


#define NOW     INT64_C(1793882096789012)
#define DAY     INT64_C(86400000000)

#define ITEMS   12
#define ROUNDS  200
#define STEPS   60
#define SLACK   INT64_C(60000000)


/* strikes: -1 while banned; expires in milliseconds */

typedef struct {
    char          kind;
    gw_bucket_t   bucket;
    gw_quota_t    quota;
    int64_t       ban;
    int64_t       after;
    int64_t       cost;
    int64_t       want;
    int64_t       share;

    int64_t       stored;        /* 0: none */
    int64_t       expires;       /* of a ban */

    int64_t       left;
    int64_t       wait;
    int64_t       full;
    int64_t       extra;
} item_t;


static redis_script_t  take;
static redis_script_t  give;


/* what happened in all: a trace that never gets anywhere proves nothing */

static struct {
    unsigned  taken;
    unsigned  denied;
    unsigned  leased;
    unsigned  dry;
    unsigned  cut;
    unsigned  held;
    unsigned  struck;
    unsigned  began;
    unsigned  banned;
    unsigned  gone;
    unsigned  given;
} seen;


static int
is_bucket(const item_t *item)
{
    return item->kind == 'b' || item->kind == 'B';
}


static int
is_quota(const item_t *item)
{
    return item->kind == 'd' || item->kind == 'm';
}


static void
any_numbers(item_t *item)
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

    static const int64_t  sizes[] = { 1, 2, 5, 20, 1000, GW_QUOTA_MAX - 1 };

    item->bucket = limits[any(sizeof(limits) / sizeof(limits[0]))];
    item->quota.size = sizes[any(sizeof(sizes) / sizeof(sizes[0]))];
    item->quota.unit = (item->kind == 'd') ? GW_QUOTA_DAY : GW_QUOTA_MONTH;
    item->ban = (1 + any(100)) * 1000 * (any(2) ? 1000 : 1);
    item->after = 1 + any(6);
}


static int
any_items(item_t *items)
{
    int          n;
    const char  *p;

    static const char  *limits[] = { "b", "bd", "bm", "bdm", "bdmx", "bx",
                                     "bdx", "B", "Bx", "Bmx", "Bdm" };

    memset(items, 0, ITEMS * sizeof(item_t));

    n = 0;

    do {
        for (p = limits[any(sizeof(limits) / sizeof(limits[0]))]; *p; p++) {
            items[n].kind = *p;
            any_numbers(&items[n]);
            n++;
        }

    } while (n + 4 <= ITEMS && any(2));

    return n;
}


static void
any_costs(item_t *items, int n)
{
    int      i;
    int64_t  cost;

    cost = 0;

    for (i = 0; i < n; i++) {

        if (is_bucket(&items[i])) {
            cost = any(5) ? any(3) : any(items[i].bucket.burst + 2);
            cost = any(50) ? cost : any(GW_BUCKET_SPAN);

            items[i].want = any(2) ? 0 : any(any(2) ? 5 : GW_QUOTA_MAX);
            items[i].share = 1 + any(4);
        }

        items[i].cost = (items[i].kind != 'x') ? cost : any(8) ? 0 : any(3);
    }
}


/* mostly on, in steps that matter to one of the limits */

static int64_t
any_time(const item_t *item, int64_t now)
{
    if (is_bucket(item)) {
        now += any(3) ? any(2 * item->bucket.interval + 1)
                      : any(item->bucket.interval * item->bucket.burst / 3
                            + 1);

        if (any(10) == 0) {
            now -= any(3 * item->bucket.interval);
        }

    } else if (item->kind == 'x') {
        now += any(2 * item->ban);

        if (any(10) == 0) {
            now -= any(3 * item->ban);
        }

    } else {
        now += any(item->kind == 'd' ? DAY : 31 * DAY);

        if (any(4) == 0) {
            now -= any(40 * DAY);
        }
    }

    now = (now < NOW) ? NOW : now;

    return (now > 2 * NOW) ? 2 * NOW : now;
}


static void
name(int i, char *key)
{
    sprintf(key, "k%d", i);
}


static void
model_ban(item_t *item, int refused, int64_t now)
{
    int64_t  added;

    now /= 1000;
    item->full = 0;
    item->extra = 0;

    if (item->stored) {
        item->full = (item->expires - now) * 1000;

        if (item->full > item->ban) {
            item->full = item->ban;
            item->expires = now + item->ban / 1000;
            seen.cut++;
        }
    }

    if (item->stored != -1) {
        added = item->cost + refused;

        if (added && item->stored == 0) {
            item->full = item->ban;
            item->expires = now + item->ban / 1000;
        }

        item->stored += added;
        seen.struck += added;

        if (added && item->stored >= item->after) {
            item->stored = -1;
            item->full = item->ban;
            item->expires = now + item->ban / 1000;
            item->extra = 1;
            seen.began++;
        }

    } else {
        seen.banned++;
    }

    item->wait = (item->stored == -1) ? item->full : 0;
    item->left = (item->stored == -1 || item->stored > item->after)
                 ? 0 : item->after - item->stored;
}


/* takes "tokens", says in "wait" what would be, and changes nothing else */

static int
model_one(item_t *item, int64_t now, int64_t tokens)
{
    int                  rc;
    int64_t              full;
    gw_quota_answer_t    used;
    gw_bucket_answer_t   bucket;

    if (is_bucket(item)) {
        full = item->stored;
        rc = gw_bucket_take(&item->bucket, &full, now, tokens, &bucket);

        seen.cut += (full < item->stored && full > now);

        if (full > now) {
            item->stored = full;
        }

        item->left = bucket.left;
        item->wait = bucket.wait;
        item->full = bucket.full;
        item->extra = 0;

        return rc;
    }

    full = item->stored;
    rc = gw_quota_take(&item->quota, &item->stored, now, tokens, &used);

    seen.cut += (item->stored < full);
    seen.held += (item->stored && used.window == item->stored / GW_QUOTA_MAX
                  && used.window != gw_quota_window(item->quota.unit, now,
                                                    &full));

    item->left = used.left;
    item->wait = used.wait;
    item->full = used.end;
    item->extra = used.window;

    return rc;
}


static int64_t
model_lease(const item_t *items, int i, int n)
{
    int64_t  lease, left;

    lease = (items[i].left - items[i].cost) / items[i].share;
    lease = (lease < items[i].want) ? lease : items[i].want;

    for (i++; i < n && is_quota(&items[i]); i++) {
        left = items[i].left - items[i].cost;
        lease = (lease < left) ? lease : left;
    }

    return lease;
}


static int
model(item_t *items, int n, int64_t now)
{
    int      i, taken, limit, refused[ITEMS];
    int64_t  wait, lease;
    item_t   copy;

    taken = 1;
    limit = 0;

    for (i = 0; i < n; i++) {
        limit = is_bucket(&items[i]) ? i : limit;

        if (limit == i) {
            refused[i] = 0;
        }

        if (items[i].kind == 'x') {
            model_ban(&items[i], refused[limit], now);
            wait = items[i].wait;

        } else {
            copy = items[i];
            (void) model_one(&copy, now, items[i].cost);
            wait = copy.wait;

            (void) model_one(&items[i], now, 0);
            items[i].wait = wait;
        }

        refused[limit] |= (wait != 0);
        taken &= !(wait && items[limit].kind == 'b');
    }

    lease = 0;

    for (i = 0; i < n; i++) {
        limit = is_bucket(&items[i]) ? i : limit;

        if (items[i].kind == 'x') {
            continue;
        }

        if (refused[limit] || !taken) {
            seen.dry += (taken && is_bucket(&items[i]));
            continue;
        }

        if (is_bucket(&items[i])) {
            lease = model_lease(items, i, n);
            seen.leased += (lease > 0);
        }

        assert_int_equal(model_one(&items[i], now, items[i].cost + lease),
                         GW_OK);

        if (is_bucket(&items[i])) {
            items[i].extra = lease;
        }
    }

    seen.taken += taken;
    seen.denied += !taken;

    return taken;
}


/* what has expired must not have meant anything, on a clock that goes on */

static void
expire(item_t *items, int n, int64_t now, int64_t latest)
{
    int      i;
    char     key[16];
    int64_t  end, at;

    for (i = 0; i < n; i++) {
        name(i, key);
        at = redis_expires(key);

        if (items[i].stored == 0) {
            assert_true(at == -2);
            continue;
        }

        assert_true(at >= 0);

        if (at > now / 1000) {
            continue;
        }

        if (is_bucket(&items[i])) {
            assert_true(items[i].stored <= latest);

        } else if (is_quota(&items[i])) {
            end = 0;
            (void) gw_quota_window(items[i].quota.unit, latest - SLACK, &end);
            assert_true(items[i].stored / GW_QUOTA_MAX
                        <= gw_quota_window(items[i].quota.unit,
                                           latest - SLACK, &end) - 1);

        } else {
            assert_true(items[i].expires <= now / 1000);
        }

        freeReplyObject(redis_ask("DEL %s", key));

        items[i].stored = 0;
        seen.gone++;
    }
}


/* the longest that each key may stay, too */

static void
check(const item_t *items, int n, int64_t now)
{
    int      i;
    char     key[16];
    int64_t  at, end;

    for (i = 0; i < n; i++) {
        name(i, key);
        at = redis_get(key);

        if (items[i].stored == 0) {
            assert_true(at == INT64_MIN);
            continue;
        }

        assert_true(at == items[i].stored);

        at = redis_expires(key) - now / 1000;

        if (is_bucket(&items[i])) {
            assert_true(at * 1000 >= items[i].stored - now);
            assert_true(at * 1000 <= items[i].stored - now + 3000);

        } else if (is_quota(&items[i])) {
            end = gw_quota_start(items[i].quota.unit,
                                 items[i].stored / GW_QUOTA_MAX + 1);

            assert_true(at * 1000 >= end - now + SLACK - 1000);
            assert_true(at * 1000 <= end - now + SLACK + 1000);

        } else {
            assert_true(at == items[i].expires - now / 1000);
        }
    }
}


static void
step(item_t *items, int n, int64_t now)
{
    int      i, taken;
    char     keys[REDIS_TEXT], args[REDIS_TEXT], *k, *a;
    int64_t  answer[REDIS_ANSWERS], *p;

    k = keys;
    a = args;

    for (i = 0; i < n; i++) {
        k += sprintf(k, " k%d", i);
        a += sprintf(a, " %c %lld %lld %lld %lld %lld", items[i].kind,
                     (long long) (is_bucket(&items[i])
                                  ? items[i].bucket.interval : items[i].ban),
                     (long long) (is_bucket(&items[i])
                                  ? items[i].bucket.burst
                                  : is_quota(&items[i]) ? items[i].quota.size
                                                        : items[i].after),
                     (long long) items[i].cost, (long long) items[i].want,
                     (long long) items[i].share);
    }

    if (redis_call(&take, now, keys, args, answer) != 1 + 4 * n) {
        fail_msg("%s", redis_error);
    }

    taken = model(items, n, now);

    assert_int_equal(answer[0], taken);

    for (i = 0; i < n; i++) {
        p = answer + 1 + 4 * i;

        assert_true(p[0] == items[i].left);
        assert_true(p[1] == items[i].wait);
        assert_true(p[2] == items[i].full);
        assert_true(p[3] == items[i].extra);
    }
}


static void
back(item_t *items, int n, int64_t now)
{
    int      i;
    char     key[16], args[REDIS_TEXT];
    int64_t  answer[REDIS_ANSWERS], tokens, unit;

    i = any(n);

    if (items[i].kind == 'x') {
        return;
    }

    name(i, key);
    tokens = any(any(2) ? 3 : GW_QUOTA_MAX);
    unit = is_bucket(&items[i]) ? items[i].bucket.interval
                                : items[i].extra - (any(5) == 0);

    sprintf(args, "%c %lld %lld", is_bucket(&items[i]) ? 'b' : items[i].kind,
            (long long) unit, (long long) tokens);

    assert_int_equal(redis_call(&give, now, key, args, answer), 1);
    assert_int_equal(answer[0], 1);

    if (is_quota(&items[i])) {
        gw_quota_give(&items[i].stored, unit, tokens);

    } else if (tokens) {
        gw_bucket_give(&items[i].bucket, &items[i].stored, now, tokens);

        if (items[i].stored <= now) {
            items[i].stored = 0;
        }
    }

    seen.given++;
}


/* the edges of each month while microseconds are below 2^53 */

static void
test_months(void **state)
{
    int64_t  answer[REDIS_ANSWERS], month, now, end;

    (void) state;

    for (month = 1; month < 285 * 12; month++) {
        now = gw_quota_start(GW_QUOTA_MONTH, month);
        end = gw_quota_start(GW_QUOTA_MONTH, month + 1);

        assert_int_equal(redis_call(&take, now, "k0 k1",
                                    "b 1 1 0 0 1 m 0 1 0 0 0", answer), 9);
        assert_int_equal(answer[8], month);
        assert_int_equal(answer[7], end - now);

        assert_int_equal(redis_call(&take, now - 1, "k0 k1",
                                    "b 1 1 0 0 1 m 0 1 0 0 0", answer), 9);
        assert_int_equal(answer[8], month - 1);
        assert_int_equal(answer[7], 1);
    }
}


static void
test_traces(void **state)
{
    int      i, j, n, round;
    int64_t  now, latest;
    item_t   items[ITEMS];

    (void) state;

    for (round = 0; round < ROUNDS; round++) {
        redis_flush(NULL);

        n = any_items(items);
        now = NOW + any(3 * 365 * DAY);
        latest = now;

        for (j = 0; j < STEPS; j++) {

            if (any(3)) {
                now = any_time(&items[any(n)], now);
            }

            latest = (now > latest) ? now : latest;

            if (any(10) == 0) {
                i = any(n);
                any_numbers(&items[i]);
            }

            expire(items, n, now, latest);

            any_costs(items, n);
            step(items, n, now);
            check(items, n, now);

            if (any(5) == 0) {
                back(items, n, now);
                check(items, n, now);
            }
        }
    }

    print_message("%u taken, %u denied, %u leased, %u dry, %u cut, %u held, "
                  "%u strikes, %u bans, %u banned, %u expired, %u given\n",
                  seen.taken, seen.denied, seen.leased, seen.dry, seen.cut,
                  seen.held, seen.struck, seen.began, seen.banned, seen.gone,
                  seen.given);

    assert_true(seen.taken > 1000 && seen.denied > 1000 && seen.leased > 100
                && seen.dry > 100 && seen.cut > 100 && seen.held > 20
                && seen.struck > 100 && seen.began > 100 && seen.banned > 100
                && seen.gone > 100 && seen.given > 100);
}


static int
start(void **state)
{
    if (redis_start(state) != 0) {
        return -1;
    }

    take = redis_trace(GW_SCRIPT_TAKE_TEXT);
    give = redis_trace(GW_SCRIPT_GIVE_TEXT);

    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_months, redis_flush),
        cmocka_unit_test(test_traces),
    };

    return cmocka_run_group_tests(tests, start, redis_stop);
}
