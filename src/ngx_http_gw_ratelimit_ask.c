
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_steps.h"
#include "ngx_http_gw_ratelimit_worker.h"


/* of an item of lua/take.lua */

#define NGX_HTTP_GW_RATELIMIT_ASK_ARGS     6
#define NGX_HTTP_GW_RATELIMIT_ASK_NUMBERS  4

#define NGX_HTTP_GW_RATELIMIT_ASK_REPLY                                       \
    (1 + NGX_HTTP_GW_RATELIMIT_LIMITS * NGX_HTTP_GW_RATELIMIT_ITEMS           \
         * NGX_HTTP_GW_RATELIMIT_ASK_NUMBERS)


/* the arguments of a script while they are written */

typedef struct {
    ngx_str_t   *key;
    ngx_str_t   *arg;
    u_char      *text;
} ngx_http_gw_ratelimit_ask_t;


typedef struct {
    const char  *suffix;
    const char  *kind;
} ngx_http_gw_ratelimit_ask_quota_t;


static ngx_uint_t ngx_http_gw_ratelimit_ask_choose(
    ngx_http_gw_ratelimit_ctx_t *ctx, size_t *size);
static ngx_uint_t ngx_http_gw_ratelimit_ask_count(
    const ngx_http_gw_ratelimit_check_t *check);
static void ngx_http_gw_ratelimit_ask_limit(
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_gw_ratelimit_ask_t *a,
    const ngx_http_gw_ratelimit_check_t *check);
static void ngx_http_gw_ratelimit_ask_item(ngx_http_gw_ratelimit_ask_t *a,
    const ngx_http_gw_ratelimit_check_t *check, const char *suffix,
    const char *kind);
static void ngx_http_gw_ratelimit_ask_number(ngx_http_gw_ratelimit_ask_t *a,
    int64_t n);
static ngx_int_t ngx_http_gw_ratelimit_ask_read(
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_gw_reply_t *reply);
static ngx_int_t ngx_http_gw_ratelimit_ask_read_limit(
    ngx_http_gw_ratelimit_check_t *check, const int64_t **v);
static ngx_int_t ngx_http_gw_ratelimit_ask_read_item(
    ngx_http_gw_ratelimit_item_t *item, int64_t most, const int64_t **v);
static void ngx_http_gw_ratelimit_ask_took(ngx_http_gw_ratelimit_ctx_t *ctx);


/* in the order of gw_quota_unit_e */

static const ngx_http_gw_ratelimit_ask_quota_t
    ngx_http_gw_ratelimit_ask_quotas[] =
{
    { NGX_GW_LEASES_DAY, "d" },
    { NGX_GW_LEASES_MONTH, "m" }
};


ngx_int_t
ngx_http_gw_ratelimit_ask(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    size_t                          size;
    ngx_str_t                      *argv;
    ngx_uint_t                      n, argc;
    ngx_msec_int_t                  left;
    ngx_http_gw_ratelimit_ask_t     a;
    ngx_http_gw_ratelimit_check_t  *check, *end;

    n = ngx_http_gw_ratelimit_ask_choose(ctx, &size);

    if (n == 0) {
        return NGX_DECLINED;
    }

    argc = NGX_GW_SCRIPT_ARGS + n * (1 + NGX_HTTP_GW_RATELIMIT_ASK_ARGS);

    argv = ngx_palloc(r->pool, argc * sizeof(ngx_str_t));
    if (argv == NULL) {
        return NGX_ERROR;
    }

    a.key = argv + NGX_GW_SCRIPT_ARGS;
    a.arg = a.key + n;

    a.text = ngx_pnalloc(r->pool, size);
    if (a.text == NULL) {
        return NGX_ERROR;
    }

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    for ( /* void */ ; check != end; check++) {

        if (check->asked) {
            ngx_http_gw_ratelimit_ask_limit(ctx, &a, check);
        }
    }

    ngx_http_gw_wait_init(&ctx->wait, r);

    ctx->answered = 0;
    ctx->sent = ngx_current_msec;

    left = (ngx_msec_int_t) (ctx->deadline - ngx_current_msec);

    if (left <= 0) {
        ngx_http_gw_wait_wake(&ctx->wait);
        return NGX_OK;
    }

    /* may call ngx_http_gw_ratelimit_ask_reply() before it returns */

    ngx_gw_script_eval(ctx->grmcf->worker->redis, &ctx->op,
                       ctx->grmcf->worker->scripts->take, n, argc, argv, left);

    return NGX_OK;
}


/*
 * Marks who is asked about now, and returns the number of items.  In a cluster
 * the buckets of one key alone lie on one node.
 */

static ngx_uint_t
ngx_http_gw_ratelimit_ask_choose(ngx_http_gw_ratelimit_ctx_t *ctx,
    size_t *size)
{
    ngx_str_t                      *tag;
    ngx_uint_t                      n, items;
    ngx_http_gw_ratelimit_check_t  *check, *end;

    tag = NULL;
    items = 0;
    *size = 0;

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    for ( /* void */ ; check != end; check++) {

        check->asked = 0;

        if (check->decided) {
            continue;
        }

        if (tag == NULL) {
            tag = &check->tag;

        } else if (ctx->grmcf->redis.mode == NGX_GW_REDIS_CLUSTER
                   && !ngx_gw_str_equal(tag, &check->tag))
        {
            continue;
        }

        check->asked = 1;

        n = ngx_http_gw_ratelimit_ask_count(check);

        items += n;
        *size += n * (check->name.len + sizeof(NGX_GW_LEASES_MONTH)
                      + NGX_HTTP_GW_RATELIMIT_ASK_ARGS * NGX_INT64_LEN);
    }

    return items;
}


static ngx_uint_t
ngx_http_gw_ratelimit_ask_count(const ngx_http_gw_ratelimit_check_t *check)
{
    ngx_uint_t  i, n;

    n = 1;

    for (i = 0; i < GW_QUOTA_UNITS; i++) {

        if (check->tier.quota[i].size) {
            n++;
        }
    }

    if (check->limit->ban) {
        n++;
    }

    return n;
}


/* see lua/take.lua */

static void
ngx_http_gw_ratelimit_ask_limit(ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_http_gw_ratelimit_ask_t *a,
    const ngx_http_gw_ratelimit_check_t *check)
{
    ngx_uint_t  i, share;

    share = 1;

    if (check->want) {
        share = ngx_http_gw_ratelimit_share(check,
                            ngx_http_gw_ratelimit_worker_nodes(ctx->grmcf));
    }

    ngx_http_gw_ratelimit_ask_item(a, check, "",
                                   check->limit->dry_run ? "B" : "b");
    ngx_http_gw_ratelimit_ask_number(a, check->tier.bucket.interval);
    ngx_http_gw_ratelimit_ask_number(a, check->tier.bucket.burst);
    ngx_http_gw_ratelimit_ask_number(a, check->cost);
    ngx_http_gw_ratelimit_ask_number(a, check->want);
    ngx_http_gw_ratelimit_ask_number(a, share);

    for (i = 0; i < GW_QUOTA_UNITS; i++) {

        if (check->tier.quota[i].size == 0) {
            continue;
        }

        ngx_http_gw_ratelimit_ask_item(a, check,
                                  ngx_http_gw_ratelimit_ask_quotas[i].suffix,
                                  ngx_http_gw_ratelimit_ask_quotas[i].kind);
        ngx_http_gw_ratelimit_ask_number(a, 0);
        ngx_http_gw_ratelimit_ask_number(a, check->tier.quota[i].size);
        ngx_http_gw_ratelimit_ask_number(a, check->cost);
        ngx_http_gw_ratelimit_ask_number(a, 0);
        ngx_http_gw_ratelimit_ask_number(a, 1);
    }

    if (check->limit->ban) {
        ngx_http_gw_ratelimit_ask_item(a, check, NGX_GW_LEASES_BAN, "x");
        ngx_http_gw_ratelimit_ask_number(a, (int64_t) check->limit->ban
                                            * 1000);
        ngx_http_gw_ratelimit_ask_number(a, check->limit->after);
        ngx_http_gw_ratelimit_ask_number(a, check->strikes);
        ngx_http_gw_ratelimit_ask_number(a, 0);
        ngx_http_gw_ratelimit_ask_number(a, 1);
    }
}


static void
ngx_http_gw_ratelimit_ask_item(ngx_http_gw_ratelimit_ask_t *a,
    const ngx_http_gw_ratelimit_check_t *check, const char *suffix,
    const char *kind)
{
    a->key->data = a->text;
    a->text = ngx_cpymem(a->text, check->name.data, check->name.len);
    a->text = ngx_cpymem(a->text, suffix, ngx_strlen(suffix));
    a->key->len = a->text - a->key->data;
    a->key++;

    a->arg->data = (u_char *) kind;
    a->arg->len = 1;
    a->arg++;
}


static void
ngx_http_gw_ratelimit_ask_number(ngx_http_gw_ratelimit_ask_t *a, int64_t n)
{
    a->arg->data = a->text;
    a->text = ngx_gw_number(a->text, n);
    a->arg->len = a->text - a->arg->data;
    a->arg++;
}


void
ngx_http_gw_ratelimit_ask_reply(ngx_gw_script_op_t *op, ngx_gw_reply_t *reply)
{
    ngx_str_t                        reason;
    ngx_uint_t                       n;
    ngx_http_gw_ratelimit_ctx_t     *ctx;
    ngx_http_gw_ratelimit_worker_t  *worker;

    ctx = op->data;
    worker = ctx->grmcf->worker;

    if (reply == NULL) {

        /* the client has logged why */

        (void) ngx_atomic_fetch_add(
                            &worker->counters->failures[op->op.failure], 1);

    } else if (ngx_http_gw_ratelimit_ask_read(ctx, reply) == NGX_OK) {

        ctx->answered = 1;
        ngx_http_gw_ratelimit_ask_took(ctx);

    } else {

        if (ngx_gw_reply_error(reply)) {
            (void) ngx_atomic_fetch_add(
                       &worker->counters->failures[NGX_GW_REDIS_ERROR], 1);

        } else {
            (void) ngx_atomic_fetch_add(&worker->counters->invalid, 1);
        }

        if (ngx_gw_log_pass(&worker->log_reply, &n)) {

            reason = ngx_gw_reply_reason(reply);

            ngx_log_error(NGX_LOG_ERR, ctx->wait.request->connection->log, 0,
                          "gw ratelimit: Redis replied \"%V\", "
                          "%ui more such replies before", &reason, n);
        }
    }

    ngx_http_gw_wait_wake(&ctx->wait);
}


static ngx_int_t
ngx_http_gw_ratelimit_ask_read(ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_gw_reply_t *reply)
{
    int64_t                         v[NGX_HTTP_GW_RATELIMIT_ASK_REPLY];
    ngx_uint_t                      n, taken;
    const int64_t                  *next;
    ngx_http_gw_ratelimit_check_t  *check, *end;

    n = 0;
    end = ngx_http_gw_ratelimit_end(ctx);

    for (check = ngx_http_gw_ratelimit_begin(ctx); check != end; check++) {

        if (check->asked) {
            n += ngx_http_gw_ratelimit_ask_count(check);
        }
    }

    if (ngx_gw_reply_integers(reply, v,
                              1 + n * NGX_HTTP_GW_RATELIMIT_ASK_NUMBERS)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    taken = 1;
    next = v + 1;

    for (check = ngx_http_gw_ratelimit_begin(ctx); check != end; check++) {

        if (!check->asked) {
            continue;
        }

        if (ngx_http_gw_ratelimit_ask_read_limit(check, &next) != NGX_OK) {
            return NGX_ERROR;
        }

        if (check->refused && !check->limit->dry_run) {
            taken = 0;
        }
    }

    ctx->taken = taken;

    return (v[0] == (int64_t) taken) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_gw_ratelimit_ask_read_limit(ngx_http_gw_ratelimit_check_t *check,
    const int64_t **v)
{
    ngx_uint_t                     i;
    ngx_http_gw_ratelimit_item_t  *quota;

    if (ngx_http_gw_ratelimit_ask_read_item(&check->bucket,
                                            check->tier.bucket.burst, v)
        != NGX_OK
        || check->bucket.extra > check->want)
    {
        return NGX_ERROR;
    }

    check->refused = (check->bucket.wait != 0);

    for (i = 0; i < GW_QUOTA_UNITS; i++) {

        if (check->tier.quota[i].size == 0) {
            continue;
        }

        quota = &check->quota[i];

        if (ngx_http_gw_ratelimit_ask_read_item(quota,
                                                check->tier.quota[i].size, v)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        check->refused |= (quota->wait != 0);
    }

    if (check->limit->ban) {

        if (ngx_http_gw_ratelimit_ask_read_item(&check->ban,
                                                check->limit->after, v)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        check->refused |= (check->ban.wait != 0);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_ask_read_item(ngx_http_gw_ratelimit_item_t *item,
    int64_t most, const int64_t **v)
{
    item->left = *(*v)++;
    item->wait = *(*v)++;
    item->full = *(*v)++;
    item->extra = *(*v)++;

    if (item->left < 0 || item->left > most
        || item->wait < -1 || item->wait > GW_BUCKET_SPAN
        || item->full < 0 || item->full > GW_BUCKET_SPAN
        || item->extra < 0)
    {
        return NGX_ERROR;
    }

    item->known = 1;

    return NGX_OK;
}


static void
ngx_http_gw_ratelimit_ask_took(ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_msec_t                  took;
    ngx_uint_t                  i;
    ngx_gw_buckets_counters_t  *counters;

    static const ngx_msec_t  bounds[] = NGX_GW_BUCKETS_BOUNDS;

    counters = ctx->grmcf->worker->counters;
    took = ngx_current_msec - ctx->sent;

    for (i = 0; i < NGX_GW_BUCKETS_NBOUNDS; i++) {
        if (took <= bounds[i]) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&counters->took[i], 1);
    (void) ngx_atomic_fetch_add(&counters->took_us, took * 1000);
}


ngx_int_t
ngx_http_gw_ratelimit_asked(ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_http_gw_ratelimit_check_t  *check, *end;

    if (!ctx->answered) {
        return NGX_ERROR;
    }

    check = ngx_http_gw_ratelimit_begin(ctx);
    end = ngx_http_gw_ratelimit_end(ctx);

    for ( /* void */ ; check != end; check++) {

        if (!check->asked) {
            continue;
        }

        check->decided = ctx->taken || check->refused;

        if (!check->refused) {
            check->taken = ctx->taken;
            check->result = NGX_GW_BUCKETS_PASSED;

        } else if (check->limit->dry_run) {
            check->result = NGX_GW_BUCKETS_DRY;

        } else if (check->ban.wait) {
            check->result = NGX_GW_BUCKETS_BANNED;

        } else if (check->bucket.wait < 0
                   || check->quota[GW_QUOTA_DAY].wait < 0
                   || check->quota[GW_QUOTA_MONTH].wait < 0)
        {
            check->result = NGX_GW_BUCKETS_IMPOSSIBLE;

        } else {
            check->result = NGX_GW_BUCKETS_LIMITED;
        }
    }

    return ctx->taken ? NGX_OK : NGX_DECLINED;
}
