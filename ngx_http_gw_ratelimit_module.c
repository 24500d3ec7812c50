
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_gw_script.h"
#include "ngx_http_gw_problem.h"
#include "ngx_http_gw_ratelimit_conf.h"
#include "ngx_http_gw_ratelimit_key.h"
#include "ngx_http_gw_util.h"
#include "ngx_http_gw_wait.h"

#include "gw_scripts.h"


#define NGX_HTTP_GW_RATELIMIT_RETRY    1      /* seconds, if Redis is away */

#define NGX_HTTP_GW_RATELIMIT_NUMBERS  (1 + 3 * NGX_HTTP_GW_RATELIMIT_LIMITS)


typedef enum {
    NGX_HTTP_GW_RATELIMIT_NONE = 0,
    NGX_HTTP_GW_RATELIMIT_PASSED,
    NGX_HTTP_GW_RATELIMIT_LIMITED,
    NGX_HTTP_GW_RATELIMIT_SKIPPED,
    NGX_HTTP_GW_RATELIMIT_UNCHECKED,
    NGX_HTTP_GW_RATELIMIT_UNAVAILABLE,
    NGX_HTTP_GW_RATELIMIT_UNKNOWN_TIER
} ngx_http_gw_ratelimit_status_e;


typedef struct {
    const ngx_http_gw_ratelimit_limit_t  *limit;
    const ngx_http_gw_ratelimit_tier_t   *tier;
    int64_t                               left;
    int64_t                               wait;   /* microseconds */
    int64_t                               full;
} ngx_http_gw_ratelimit_check_t;


typedef struct {
    ngx_http_gw_wait_t               wait;
    ngx_gw_script_op_t               op;

    /* the limits decided so far, then the ones being decided */

    ngx_array_t                      checks;   /* of ..._check_t */
    ngx_uint_t                       decided;

    ngx_http_gw_ratelimit_worker_t  *worker;
    ngx_http_gw_problem_t            problem;  /* of the last refusal */
    ngx_table_elt_t                 *policy;
    ngx_table_elt_t                 *ratelimit;
    ngx_table_elt_t                 *retry_after;

    ngx_http_gw_ratelimit_status_e   status;

    unsigned                         asked:1;  /* Redis, and not concluded */
    unsigned                         answered:1;
    unsigned                         taken:1;
} ngx_http_gw_ratelimit_ctx_t;


static ngx_int_t ngx_http_gw_ratelimit_handler(ngx_http_request_t *r);
static ngx_http_gw_ratelimit_ctx_t *ngx_http_gw_ratelimit_create_ctx(
    ngx_http_request_t *r);
static ngx_http_gw_ratelimit_ctx_t *ngx_http_gw_ratelimit_get_ctx(
    ngx_http_request_t *r);
static void ngx_http_gw_ratelimit_cleanup(void *data);
static ngx_int_t ngx_http_gw_ratelimit_start(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_conf_t *grcf);
static ngx_int_t ngx_http_gw_ratelimit_add(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *bucket);
static ngx_int_t ngx_http_gw_ratelimit_find_tier(ngx_http_request_t *r,
    const ngx_http_gw_ratelimit_limit_t *limit,
    const ngx_http_gw_ratelimit_tier_t **tier);
static ngx_int_t ngx_http_gw_ratelimit_ask(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_str_t *buckets);
static void ngx_http_gw_ratelimit_reply(ngx_gw_script_op_t *op,
    ngx_gw_reply_t *reply);
static ngx_int_t ngx_http_gw_ratelimit_read(ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_gw_reply_t *reply);
static ngx_int_t ngx_http_gw_ratelimit_finish(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_int_t ngx_http_gw_ratelimit_failed(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_http_gw_problem_t *ngx_http_gw_ratelimit_refuse(
    ngx_http_request_t *r, ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_http_gw_ratelimit_status_e status);
static ngx_int_t ngx_http_gw_ratelimit_limited(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_int_t ngx_http_gw_ratelimit_unknown_tier(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_int_t ngx_http_gw_ratelimit_retry_after(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, int64_t seconds);
static ngx_int_t ngx_http_gw_ratelimit_set_headers(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_int_t ngx_http_gw_ratelimit_set_header(ngx_http_request_t *r,
    ngx_table_elt_t **h, const char *name, ngx_str_t *value);
static int64_t ngx_http_gw_ratelimit_seconds(int64_t us);
static int64_t ngx_http_gw_ratelimit_more(
    const ngx_http_gw_ratelimit_check_t *check);
static ngx_int_t ngx_http_gw_ratelimit_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_gw_ratelimit_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static const ngx_http_gw_ratelimit_check_t *ngx_http_gw_ratelimit_tightest(
    const ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_int_t ngx_http_gw_ratelimit_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_ratelimit_number_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_gw_ratelimit_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_gw_ratelimit_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_gw_ratelimit_init_process(ngx_cycle_t *cycle);
static void ngx_http_gw_ratelimit_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_gw_ratelimit_commands[] = {

    { ngx_string("gw_ratelimit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_gw_ratelimit_conf_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_ratelimit_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_gw_ratelimit_conf_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("gw_ratelimit_tier"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE23,
      ngx_http_gw_ratelimit_conf_tier,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_gw_ratelimit_module_ctx = {
    ngx_http_gw_ratelimit_add_variables,     /* preconfiguration */
    ngx_http_gw_ratelimit_init,              /* postconfiguration */

    ngx_http_gw_ratelimit_conf_create_main,  /* create main configuration */
    ngx_http_gw_ratelimit_conf_init_main,    /* init main configuration */

    NULL,                                    /* create server configuration */
    NULL,                                    /* merge server configuration */

    ngx_http_gw_ratelimit_conf_create,       /* create location configuration */
    ngx_http_gw_ratelimit_conf_merge         /* merge location configuration */
};


ngx_module_t  ngx_http_gw_ratelimit_module = {
    NGX_MODULE_V1,
    &ngx_http_gw_ratelimit_module_ctx,       /* module context */
    ngx_http_gw_ratelimit_commands,          /* module directives */
    NGX_HTTP_MODULE,                         /* module type */
    NULL,                                    /* init master */
    NULL,                                    /* init module */
    ngx_http_gw_ratelimit_init_process,      /* init process */
    NULL,                                    /* init thread */
    NULL,                                    /* exit thread */
    ngx_http_gw_ratelimit_exit_process,      /* exit process */
    NULL,                                    /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_gw_ratelimit_vars[] = {

    { ngx_string("gw_ratelimit_remaining"), NULL,
      ngx_http_gw_ratelimit_number_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_ratelimit_reset"), NULL,
      ngx_http_gw_ratelimit_number_variable, 1,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("gw_ratelimit_status"), NULL,
      ngx_http_gw_ratelimit_status_variable, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


/* in the order of ngx_http_gw_ratelimit_status_e */

static ngx_str_t  ngx_http_gw_ratelimit_statuses[] = {
    ngx_null_string,
    ngx_string("passed"),
    ngx_string("limited"),
    ngx_string("skipped"),
    ngx_string("unchecked"),
    ngx_string("unavailable"),
    ngx_string("unknown_tier")
};


static const ngx_gw_script_t  ngx_http_gw_ratelimit_take = {
    ngx_string(GW_SCRIPT_TAKE_TEXT),
    ngx_string(GW_SCRIPT_TAKE_SHA1)
};


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static ngx_int_t
ngx_http_gw_ratelimit_handler(ngx_http_request_t *r)
{
    ngx_int_t                            rc;
    ngx_http_gw_ratelimit_ctx_t         *ctx;
    const ngx_http_gw_ratelimit_conf_t  *grcf;

    grcf = ngx_http_get_module_loc_conf(r, ngx_http_gw_ratelimit_module);

    if (r != r->main || grcf->limits == NULL) {
        return NGX_DECLINED;
    }

    if (r->filter_finalize) {

        /* the error page of a filter: it is not waited for */

        return NGX_DECLINED;
    }

    ctx = ngx_http_gw_ratelimit_get_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_gw_ratelimit_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (!ctx->asked) {
        rc = ngx_http_gw_ratelimit_start(r, ctx, grcf);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ctx->wait.done) {
        ctx->asked = 0;
        return ngx_http_gw_ratelimit_finish(r, ctx);
    }

    if (ctx->wait.waiting) {
        /* woken by something else than the reply */
        return NGX_AGAIN;
    }

    return ngx_http_gw_wait_park(&ctx->wait);
}


static ngx_http_gw_ratelimit_ctx_t *
ngx_http_gw_ratelimit_create_ctx(ngx_http_request_t *r)
{
    ngx_http_gw_ratelimit_ctx_t        *ctx;
    ngx_http_gw_ratelimit_main_conf_t  *grmcf;

    ctx = ngx_http_gw_state_create(r, &ngx_http_gw_ratelimit_module,
                                   sizeof(ngx_http_gw_ratelimit_ctx_t),
                                   ngx_http_gw_ratelimit_cleanup);
    if (ctx == NULL) {
        return NULL;
    }

    if (ngx_array_init(&ctx->checks, r->pool, 2,
                       sizeof(ngx_http_gw_ratelimit_check_t))
        != NGX_OK)
    {
        return NULL;
    }

    grmcf = ngx_http_get_module_main_conf(r, ngx_http_gw_ratelimit_module);

    ctx->worker = grmcf->worker;
    ctx->op.handler = ngx_http_gw_ratelimit_reply;
    ctx->op.data = ctx;

    return ctx;
}


static ngx_http_gw_ratelimit_ctx_t *
ngx_http_gw_ratelimit_get_ctx(ngx_http_request_t *r)
{
    return ngx_http_gw_state_get(r, &ngx_http_gw_ratelimit_module,
                                 ngx_http_gw_ratelimit_cleanup);
}


static void
ngx_http_gw_ratelimit_cleanup(void *data)
{
    ngx_http_gw_ratelimit_ctx_t  *ctx = data;

    if (ctx->asked) {
        ngx_gw_script_cancel(&ctx->op);
        ngx_http_gw_wait_cancel(&ctx->wait);
    }
}


/* NGX_OK: Redis is asked; NGX_DECLINED: nothing to decide; or a status */

static ngx_int_t
ngx_http_gw_ratelimit_start(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_conf_t *grcf)
{
    ngx_int_t                       rc;
    ngx_str_t                       buckets[NGX_HTTP_GW_RATELIMIT_LIMITS];
    ngx_uint_t                      i, n;
    ngx_http_gw_ratelimit_limit_t  *limit;

    limit = grcf->limits->elts;
    n = 0;

    for (i = 0; i < grcf->limits->nelts; i++) {

        rc = ngx_http_gw_ratelimit_add(r, ctx, &limit[i], &buckets[n]);

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc != NGX_OK) {
            ctx->checks.nelts = ctx->decided;
            return rc;
        }

        n++;
    }

    if (n == 0) {
        if (ctx->status == NGX_HTTP_GW_RATELIMIT_NONE) {
            ctx->status = NGX_HTTP_GW_RATELIMIT_SKIPPED;
        }

        return NGX_DECLINED;
    }

    return ngx_http_gw_ratelimit_ask(r, ctx, buckets);
}


/* NGX_DECLINED: the limit is decided already, or its key is empty */

static ngx_int_t
ngx_http_gw_ratelimit_add(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx,
    const ngx_http_gw_ratelimit_limit_t *limit, ngx_str_t *bucket)
{
    ngx_int_t                            rc;
    ngx_str_t                            key;
    ngx_uint_t                           i;
    ngx_http_gw_ratelimit_check_t       *check;
    const ngx_http_gw_ratelimit_tier_t  *tier;

    check = ctx->checks.elts;

    for (i = 0; i < ctx->decided; i++) {

        if (ngx_gw_str_equal(&check[i].limit->name, &limit->name)) {
            return NGX_DECLINED;
        }
    }

    if (ngx_http_complex_value(r, limit->key, &key) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (key.len == 0) {
        return NGX_DECLINED;
    }

    rc = ngx_http_gw_ratelimit_find_tier(r, limit, &tier);

    if (rc == NGX_DECLINED) {
        return ngx_http_gw_ratelimit_unknown_tier(r, ctx);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    check = ngx_array_push(&ctx->checks);
    if (check == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(check, sizeof(ngx_http_gw_ratelimit_check_t));

    check->limit = limit;
    check->tier = tier;

    if (ngx_http_gw_ratelimit_key(r->pool, &limit->name, &tier->name, &key,
                                  bucket)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_OK;
}


/* a tier that is not configured falls back to the one named "default" */

static ngx_int_t
ngx_http_gw_ratelimit_find_tier(ngx_http_request_t *r,
    const ngx_http_gw_ratelimit_limit_t *limit,
    const ngx_http_gw_ratelimit_tier_t **tier)
{
    ngx_str_t                           name;
    ngx_uint_t                          i;
    ngx_http_gw_ratelimit_tier_t       *t;
    ngx_http_gw_ratelimit_main_conf_t  *grmcf;
    static ngx_str_t                    fallback = ngx_string("default");

    if (limit->tier == NULL) {
        *tier = &limit->rate;
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, limit->tier, &name) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    grmcf = ngx_http_get_module_main_conf(r, ngx_http_gw_ratelimit_module);

    *tier = NULL;
    t = grmcf->tiers.elts;

    for (i = 0; i < grmcf->tiers.nelts; i++) {

        if (ngx_gw_str_equal(&t[i].name, &name)) {
            *tier = &t[i];
            return NGX_OK;
        }

        if (ngx_gw_str_equal(&t[i].name, &fallback)) {
            *tier = &t[i];
        }
    }

    return *tier ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_gw_ratelimit_ask(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_str_t *buckets)
{
    ngx_str_t                          *argv, *arg;
    ngx_uint_t                          i, n, argc;
    ngx_http_gw_ratelimit_check_t      *check;
    ngx_http_gw_ratelimit_main_conf_t  *grmcf;

    grmcf = ngx_http_get_module_main_conf(r, ngx_http_gw_ratelimit_module);

    n = ctx->checks.nelts - ctx->decided;
    check = (ngx_http_gw_ratelimit_check_t *) ctx->checks.elts + ctx->decided;

    argc = NGX_GW_SCRIPT_ARGS + n + 3 * n;

    argv = ngx_palloc(r->pool, argc * sizeof(ngx_str_t));
    if (argv == NULL) {
        ctx->checks.nelts = ctx->decided;
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    arg = argv + NGX_GW_SCRIPT_ARGS;

    for (i = 0; i < n; i++) {
        *arg++ = buckets[i];
    }

    for (i = 0; i < n; i++) {
        *arg++ = check[i].tier->interval;
        *arg++ = check[i].tier->burst;
        ngx_str_set(arg, "1");
        arg++;
    }

    ngx_http_gw_wait_init(&ctx->wait, r);

    ctx->asked = 1;
    ctx->answered = 0;

    /* may call ngx_http_gw_ratelimit_reply() before it returns */

    ngx_gw_script_eval(ctx->worker->redis, &ctx->op,
                       &ngx_http_gw_ratelimit_take, n, argc, argv,
                       grmcf->timeout);

    return NGX_OK;
}


static void
ngx_http_gw_ratelimit_reply(ngx_gw_script_op_t *op, ngx_gw_reply_t *reply)
{
    ngx_str_t                     reason;
    ngx_uint_t                    n;
    ngx_http_gw_ratelimit_ctx_t  *ctx = op->data;

    if (reply == NULL) {
        /* the client has logged why */

    } else if (ngx_http_gw_ratelimit_read(ctx, reply) == NGX_OK) {
        ctx->answered = 1;

    } else if (ngx_gw_log_pass(&ctx->worker->log_reply, &n)) {

        reason = ngx_gw_reply_reason(reply);

        ngx_log_error(NGX_LOG_ERR, ctx->wait.request->connection->log, 0,
                      "gw ratelimit: Redis replied \"%V\", "
                      "%ui more such replies before", &reason, n);
    }

    ngx_http_gw_wait_wake(&ctx->wait);
}


static ngx_int_t
ngx_http_gw_ratelimit_read(ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_gw_reply_t *reply)
{
    int64_t                         v[NGX_HTTP_GW_RATELIMIT_NUMBERS];
    ngx_uint_t                      i, n;
    ngx_http_gw_ratelimit_check_t  *check;

    n = ctx->checks.nelts - ctx->decided;
    check = (ngx_http_gw_ratelimit_check_t *) ctx->checks.elts + ctx->decided;

    if (ngx_gw_reply_integers(reply, v, 1 + 3 * n) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->taken = 1;

    for (i = 0; i < n; i++) {
        check[i].left = v[1 + 3 * i];
        check[i].wait = v[2 + 3 * i];
        check[i].full = v[3 + 3 * i];

        if (check[i].left < 0 || check[i].left > check[i].tier->bucket.burst
            || check[i].wait < -1 || check[i].wait > GW_BUCKET_SPAN
            || check[i].full < 0 || check[i].full > GW_BUCKET_SPAN)
        {
            return NGX_ERROR;
        }

        if (check[i].wait) {
            ctx->taken = 0;
        }
    }

    return (v[0] == ctx->taken) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_gw_ratelimit_finish(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_int_t  rc;

    if (!ctx->answered) {
        rc = ngx_http_gw_ratelimit_failed(r, ctx);

        /* no numbers are known for these limits, nor asked for again */

        ctx->decided = ctx->checks.nelts;

        return rc;
    }

    if (ngx_http_gw_ratelimit_set_headers(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->taken) {
        if (ctx->problem.status == 0) {
            ctx->status = NGX_HTTP_GW_RATELIMIT_PASSED;
        }

        rc = NGX_DECLINED;

    } else {
        rc = ngx_http_gw_ratelimit_limited(r, ctx);
    }

    ctx->decided = ctx->checks.nelts;

    return rc;
}


static ngx_int_t
ngx_http_gw_ratelimit_failed(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_uint_t                      i, n, deny;
    ngx_http_gw_problem_t          *p;
    ngx_http_gw_ratelimit_check_t  *check;

    check = ctx->checks.elts;
    deny = 0;

    for (i = ctx->decided; i < ctx->checks.nelts; i++) {

        check[i].left = -1;

        if (check[i].limit->error == NGX_HTTP_GW_RATELIMIT_DENY) {
            deny = 1;
        }
    }

    if (ngx_gw_log_pass(&ctx->worker->log_failure, &n)) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "gw ratelimit: %s without a decision, %ui more before",
                      deny ? "refused" : "passed", n);
    }

    if (!deny) {
        if (ctx->problem.status == 0) {
            ctx->status = NGX_HTTP_GW_RATELIMIT_UNCHECKED;
        }

        return NGX_DECLINED;
    }

    p = ngx_http_gw_ratelimit_refuse(r, ctx,
                                     NGX_HTTP_GW_RATELIMIT_UNAVAILABLE);

    p->status = NGX_HTTP_SERVICE_UNAVAILABLE;
    p->title = "Service Unavailable";
    p->detail = "The rate limit could not be checked";

    if (ngx_http_gw_ratelimit_retry_after(r, ctx, NGX_HTTP_GW_RATELIMIT_RETRY)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_SERVICE_UNAVAILABLE;
}


/* the filters look for the problem in r->ctx, which redirects clear */

static ngx_http_gw_problem_t *
ngx_http_gw_ratelimit_refuse(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_gw_ratelimit_status_e status)
{
    ngx_http_set_ctx(r, ctx, ngx_http_gw_ratelimit_module);

    ctx->status = status;

    ngx_memzero(&ctx->problem, sizeof(ngx_http_gw_problem_t));

    return &ctx->problem;
}


static ngx_int_t
ngx_http_gw_ratelimit_limited(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    u_char                         *p;
    size_t                          len;
    int64_t                         wait;
    ngx_uint_t                      i;
    ngx_http_gw_problem_t          *problem;
    ngx_http_gw_ratelimit_check_t  *check;

    check = ctx->checks.elts;
    wait = 0;
    len = sizeof(",\"violated-policies\":[]") - 1;

    for (i = ctx->decided; i < ctx->checks.nelts; i++) {
        len += check[i].limit->name.len + sizeof("\"\",") - 1;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    problem = ngx_http_gw_ratelimit_refuse(r, ctx,
                                           NGX_HTTP_GW_RATELIMIT_LIMITED);

    problem->extra.data = p;
    p = ngx_cpymem(p, ",\"violated-policies\":[",
                   sizeof(",\"violated-policies\":[") - 1);

    for (i = ctx->decided; i < ctx->checks.nelts; i++) {

        if (check[i].wait == 0) {
            continue;
        }

        p = ngx_sprintf(p, "\"%V\",", &check[i].limit->name);

        if (check[i].wait < 0) {
            wait = -1;

        } else if (wait >= 0) {
            wait = ngx_max(wait, check[i].wait);
        }

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "gw ratelimit: limited by \"%V\", tier \"%V\"",
                      &check[i].limit->name, &check[i].tier->name);
    }

    p[-1] = ']';

    problem->extra.len = p - problem->extra.data;
    problem->status = NGX_HTTP_TOO_MANY_REQUESTS;
    problem->type = "https://iana.org/assignments/http-problem-types"
                    "#quota-exceeded";
    problem->title = "Too Many Requests";
    problem->detail = "The quota of a policy has been exceeded";

    if (wait > 0
        && ngx_http_gw_ratelimit_retry_after(r, ctx,
                                         ngx_http_gw_ratelimit_seconds(wait))
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_TOO_MANY_REQUESTS;
}


static ngx_int_t
ngx_http_gw_ratelimit_unknown_tier(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_http_gw_problem_t  *p;

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "gw ratelimit: unknown tier, and none is named \"default\"");

    p = ngx_http_gw_ratelimit_refuse(r, ctx,
                                     NGX_HTTP_GW_RATELIMIT_UNKNOWN_TIER);

    p->status = NGX_HTTP_FORBIDDEN;
    p->title = "Forbidden";
    p->detail = "The caller has no known tier";

    return NGX_HTTP_FORBIDDEN;
}


static ngx_int_t
ngx_http_gw_ratelimit_retry_after(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, int64_t seconds)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%L", seconds) - value.data;

    return ngx_http_gw_ratelimit_set_header(r, &ctx->retry_after,
                                            "Retry-After", &value);
}


/*
 * draft-ietf-httpapi-ratelimit-headers: q tokens in w seconds is the policy,
 * r are left, t seconds until there is one more.
 */

static ngx_int_t
ngx_http_gw_ratelimit_set_headers(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    u_char                         *p, *q;
    size_t                          len;
    ngx_str_t                       policy, ratelimit;
    ngx_uint_t                      i;
    ngx_http_gw_ratelimit_check_t  *check;

    len = ctx->checks.nelts
          * (sizeof("\"\";q=;w=, ") - 1 + NGX_HTTP_GW_RATELIMIT_NAME
             + 2 * NGX_INT64_LEN);

    p = ngx_pnalloc(r->pool, 2 * len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    q = p + len;

    policy.data = p;
    ratelimit.data = q;

    check = ctx->checks.elts;

    for (i = 0; i < ctx->checks.nelts; i++) {

        if (check[i].left < 0) {
            /* decided by its error= policy */
            continue;
        }

        if (p != policy.data) {
            *p++ = ','; *p++ = ' ';
            *q++ = ','; *q++ = ' ';
        }

        p = ngx_sprintf(p, "\"%V\";q=%L;w=%L", &check[i].limit->name,
                        check[i].tier->bucket.burst,
                        ngx_http_gw_ratelimit_seconds(
                            check[i].tier->bucket.interval
                            * check[i].tier->bucket.burst));

        q = ngx_sprintf(q, "\"%V\";r=%L;t=%L", &check[i].limit->name,
                        check[i].left,
                        ngx_http_gw_ratelimit_seconds(
                            ngx_http_gw_ratelimit_more(&check[i])));
    }

    policy.len = p - policy.data;
    ratelimit.len = q - ratelimit.data;

    if (ngx_http_gw_ratelimit_set_header(r, &ctx->policy, "RateLimit-Policy",
                                         &policy)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_gw_ratelimit_set_header(r, &ctx->ratelimit, "RateLimit",
                                            &ratelimit);
}


/* a second pass, after an internal redirect, replaces the value */

static ngx_int_t
ngx_http_gw_ratelimit_set_header(ngx_http_request_t *r, ngx_table_elt_t **h,
    const char *name, ngx_str_t *value)
{
    if (*h == NULL) {
        *h = ngx_http_gw_header_out(r, name, value);
        return *h ? NGX_OK : NGX_ERROR;
    }

    (*h)->value = *value;

    return NGX_OK;
}


static int64_t
ngx_http_gw_ratelimit_seconds(int64_t us)
{
    return (us + GW_BUCKET_SECOND - 1) / GW_BUCKET_SECOND;
}


/* microseconds until one more token, or the ones asked for, are there */

static int64_t
ngx_http_gw_ratelimit_more(const ngx_http_gw_ratelimit_check_t *check)
{
    const gw_bucket_t  *b;

    b = &check->tier->bucket;

    if (check->wait > 0) {
        return check->wait;
    }

    if (check->left >= b->burst) {
        return 0;
    }

    return check->full - (b->burst - check->left - 1) * b->interval;
}


static ngx_int_t
ngx_http_gw_ratelimit_header_filter(ngx_http_request_t *r)
{
    ngx_http_gw_ratelimit_ctx_t  *ctx;

    ctx = ngx_http_gw_ratelimit_get_ctx(r);

    if (ctx && ctx->retry_after
        && r->headers_out.status != NGX_HTTP_TOO_MANY_REQUESTS
        && r->headers_out.status != NGX_HTTP_SERVICE_UNAVAILABLE)
    {
        /* a page of the user with another status */

        ctx->retry_after->hash = 0;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_gw_ratelimit_module);

    if (ctx && ctx->problem.status
        && ngx_http_gw_problem_header(r, &ctx->problem) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


static ngx_int_t
ngx_http_gw_ratelimit_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_gw_ratelimit_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_gw_ratelimit_module);

    if (ctx && ctx->problem.status
        && ngx_http_gw_problem_body(r, &ctx->problem, in, &in) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_body_filter(r, in);
}


/* the one with the fewest tokens left, NULL if none is known */

static const ngx_http_gw_ratelimit_check_t *
ngx_http_gw_ratelimit_tightest(const ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_uint_t                            i;
    const ngx_http_gw_ratelimit_check_t  *check, *tightest;

    check = ctx->checks.elts;
    tightest = NULL;

    for (i = 0; i < ctx->decided; i++) {

        if (check[i].left >= 0
            && (tightest == NULL || check[i].left < tightest->left))
        {
            tightest = &check[i];
        }
    }

    return tightest;
}


static ngx_int_t
ngx_http_gw_ratelimit_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                    *status;
    ngx_http_gw_ratelimit_ctx_t  *ctx;

    ctx = ngx_http_gw_ratelimit_get_ctx(r->main);

    if (ctx == NULL || ctx->status == NGX_HTTP_GW_RATELIMIT_NONE) {
        v->not_found = 1;
        return NGX_OK;
    }

    status = &ngx_http_gw_ratelimit_statuses[ctx->status];

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = status->len;
    v->data = status->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_number_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    int64_t                               n;
    ngx_http_gw_ratelimit_ctx_t          *ctx;
    const ngx_http_gw_ratelimit_check_t  *check;

    ctx = ngx_http_gw_ratelimit_get_ctx(r->main);
    check = ctx ? ngx_http_gw_ratelimit_tightest(ctx) : NULL;

    if (check == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    n = data ? ngx_http_gw_ratelimit_seconds(ngx_http_gw_ratelimit_more(check))
             : check->left;

    v->data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = ngx_sprintf(v->data, "%L", n) - v->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_gw_ratelimit_vars; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    /* not in the access phase: "satisfy any" might skip the limits there */

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_gw_ratelimit_handler;

    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_gw_ratelimit_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_gw_ratelimit_body_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_ratelimit_init_process(ngx_cycle_t *cycle)
{
    ngx_http_gw_ratelimit_worker_t     *worker;
    ngx_http_gw_ratelimit_main_conf_t  *grmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    grmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_gw_ratelimit_module);

    if (grmcf == NULL || grmcf->limits.nelts == 0) {
        return NGX_OK;
    }

    worker = ngx_pcalloc(cycle->pool, sizeof(ngx_http_gw_ratelimit_worker_t));
    if (worker == NULL) {
        return NGX_ERROR;
    }

    worker->redis = ngx_gw_redis_create(&grmcf->redis, cycle->log);
    if (worker->redis == NULL) {
        return NGX_ERROR;
    }

    grmcf->worker = worker;

    return NGX_OK;
}


static void
ngx_http_gw_ratelimit_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_gw_ratelimit_main_conf_t  *grmcf;

    grmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_gw_ratelimit_module);

    if (grmcf && grmcf->worker) {
        ngx_gw_redis_destroy(grmcf->worker->redis);
        grmcf->worker = NULL;
    }
}
