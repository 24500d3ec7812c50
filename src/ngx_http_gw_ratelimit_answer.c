
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_answer.h"
#include "ngx_http_gw_ratelimit_policy.h"
#include "ngx_http_gw_util.h"


#define NGX_HTTP_GW_RATELIMIT_RETRY  1      /* seconds, if Redis is away */

#define NGX_HTTP_GW_RATELIMIT_TYPES                                           \
    "https://iana.org/assignments/http-problem-types"

#define NGX_HTTP_GW_RATELIMIT_VIOLATED  ",\"violated-policies\":["


/* two fields that are lists with one member for each policy */

typedef struct {
    ngx_str_t   policy;
    ngx_str_t   ratelimit;
} ngx_http_gw_ratelimit_fields_t;


static ngx_int_t ngx_http_gw_ratelimit_answer_ietf(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_int_t ngx_http_gw_ratelimit_answer_lists(ngx_http_request_t *r,
    const ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_http_gw_ratelimit_fields_t *fields);
static ngx_int_t ngx_http_gw_ratelimit_answer_x(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx);
static ngx_int_t ngx_http_gw_ratelimit_answer_integer(ngx_http_request_t *r,
    ngx_table_elt_t **h, const char *name, int64_t n);
static ngx_int_t ngx_http_gw_ratelimit_answer_field(ngx_http_request_t *r,
    ngx_table_elt_t **h, const char *name, const ngx_str_t *value);

static ngx_http_gw_problem_t *ngx_http_gw_ratelimit_answer_problem(
    ngx_http_request_t *r, ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_http_gw_ratelimit_status_e status);
static ngx_http_gw_ratelimit_status_e ngx_http_gw_ratelimit_answer_worst(
    const ngx_http_gw_ratelimit_ctx_t *ctx, int64_t *wait);
static ngx_uint_t ngx_http_gw_ratelimit_answer_refused(
    const ngx_http_gw_ratelimit_ctx_t *ctx, ngx_uint_t n,
    ngx_http_gw_ratelimit_policy_t *policy);
static ngx_int_t ngx_http_gw_ratelimit_answer_violated(ngx_http_request_t *r,
    const ngx_http_gw_ratelimit_ctx_t *ctx, ngx_str_t *extra);
static void ngx_http_gw_ratelimit_answer_log(ngx_http_request_t *r,
    const ngx_http_gw_ratelimit_policy_t *policy);


extern ngx_module_t  ngx_http_gw_ratelimit_module;


ngx_int_t
ngx_http_gw_ratelimit_answer_headers(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    if (ngx_http_gw_ratelimit_answer_ietf(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_gw_ratelimit_answer_x(r, ctx);
}


static ngx_int_t
ngx_http_gw_ratelimit_answer_ietf(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_http_gw_ratelimit_fields_t  fields;

    ngx_memzero(&fields, sizeof(ngx_http_gw_ratelimit_fields_t));

    if (ctx->grcf->headers & NGX_HTTP_GW_RATELIMIT_IETF) {

        if (ngx_http_gw_ratelimit_answer_lists(r, ctx, &fields) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_http_gw_ratelimit_answer_field(r, &ctx->policy,
                                           "RateLimit-Policy",
                                           &fields.policy)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_gw_ratelimit_answer_field(r, &ctx->ratelimit, "RateLimit",
                                              &fields.ratelimit);
}


/*
 * draft-ietf-httpapi-ratelimit-headers: q tokens in w seconds is the policy,
 * r are left, t seconds until there is one more.
 */

static ngx_int_t
ngx_http_gw_ratelimit_answer_lists(ngx_http_request_t *r,
    const ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_http_gw_ratelimit_fields_t *fields)
{
    u_char                          *p, *q;
    size_t                           len;
    ngx_uint_t                       n;
    ngx_http_gw_ratelimit_policy_t   policy;

    len = ngx_http_gw_ratelimit_policies(ctx)
          * (sizeof("\"\";q=;w=, ") - 1 + NGX_HTTP_GW_RATELIMIT_POLICY_NAME
             + 2 * NGX_INT64_LEN);

    p = ngx_pnalloc(r->pool, 2 * len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    q = p + len;

    fields->policy.data = p;
    fields->ratelimit.data = q;

    for (n = 0; n < ngx_http_gw_ratelimit_policies(ctx); n++) {

        if (ngx_http_gw_ratelimit_policy(ctx, n, &policy) != NGX_OK
            || !policy.known || policy.check->limit->dry_run)
        {
            continue;
        }

        if (p != fields->policy.data) {
            *p++ = ','; *p++ = ' ';
            *q++ = ','; *q++ = ' ';
        }

        *p++ = '"';
        p = ngx_http_gw_ratelimit_policy_name(p, &policy);
        p = ngx_cpymem(p, "\";q=", sizeof("\";q=") - 1);
        p = ngx_gw_number(p, policy.limit);
        p = ngx_cpymem(p, ";w=", sizeof(";w=") - 1);
        p = ngx_gw_number(p, policy.window);

        *q++ = '"';
        q = ngx_http_gw_ratelimit_policy_name(q, &policy);
        q = ngx_cpymem(q, "\";r=", sizeof("\";r=") - 1);
        q = ngx_gw_number(q, policy.left);
        q = ngx_cpymem(q, ";t=", sizeof(";t=") - 1);
        q = ngx_gw_number(q, policy.more);
    }

    fields->policy.len = p - fields->policy.data;
    fields->ratelimit.len = q - fields->ratelimit.data;

    return NGX_OK;
}


/* one policy is all there is room for, the one that a client meets first */

static ngx_int_t
ngx_http_gw_ratelimit_answer_x(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_http_gw_ratelimit_policy_t  policy;

    if (!(ctx->grcf->headers & NGX_HTTP_GW_RATELIMIT_X)
        || ngx_http_gw_ratelimit_policy_tightest(ctx, &policy) != NGX_OK)
    {
        /* no fields; of an earlier location they go */

        policy.limit = -1;
        policy.left = -1;
        policy.full = -1;
    }

    if (ngx_http_gw_ratelimit_answer_integer(r, &ctx->x_limit,
                                             "X-RateLimit-Limit",
                                             policy.limit)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_gw_ratelimit_answer_integer(r, &ctx->x_remaining,
                                             "X-RateLimit-Remaining",
                                             policy.left)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_gw_ratelimit_answer_integer(r, &ctx->x_reset,
                                                "X-RateLimit-Reset",
                                                policy.full);
}


/* -1 removes the field */

static ngx_int_t
ngx_http_gw_ratelimit_answer_integer(ngx_http_request_t *r,
    ngx_table_elt_t **h, const char *name, int64_t n)
{
    ngx_str_t  value;

    ngx_str_null(&value);

    if (n >= 0) {

        value.data = ngx_pnalloc(r->pool, NGX_INT64_LEN);
        if (value.data == NULL) {
            return NGX_ERROR;
        }

        value.len = ngx_gw_number(value.data, n) - value.data;
    }

    return ngx_http_gw_ratelimit_answer_field(r, h, name, &value);
}


/* a second pass, after an internal redirect, replaces or removes the value */

static ngx_int_t
ngx_http_gw_ratelimit_answer_field(ngx_http_request_t *r, ngx_table_elt_t **h,
    const char *name, const ngx_str_t *value)
{
    ngx_str_t  text;

    text = *value;

    if (*h) {
        (*h)->hash = (text.len != 0);
        (*h)->value = text;

        return NGX_OK;
    }

    if (text.len == 0) {
        return NGX_OK;
    }

    *h = ngx_http_gw_header_out(r, name, &text);

    return *h ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_gw_ratelimit_answer_limited(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    int64_t                          wait;
    ngx_str_t                        violated;
    ngx_http_gw_problem_t           *p;
    ngx_http_gw_ratelimit_status_e   status;

    if (ngx_http_gw_ratelimit_answer_violated(r, ctx, &violated) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    status = ngx_http_gw_ratelimit_answer_worst(ctx, &wait);

    p = ngx_http_gw_ratelimit_answer_problem(r, ctx, status);

    p->status = NGX_HTTP_TOO_MANY_REQUESTS;
    p->title = "Too Many Requests";
    p->extra = violated;

    switch (status) {

    case NGX_HTTP_GW_RATELIMIT_BANNED:
        p->type = NGX_HTTP_GW_RATELIMIT_TYPES "#abnormal-usage-detected";
        p->detail = "Too many requests were refused, "
                    "the caller is refused for a while";
        break;

    case NGX_HTTP_GW_RATELIMIT_IMPOSSIBLE:
        p->type = NGX_HTTP_GW_RATELIMIT_TYPES "#quota-exceeded";
        p->detail = "The request costs more than a policy ever allows";
        break;

    default:
        p->type = NGX_HTTP_GW_RATELIMIT_TYPES "#quota-exceeded";
        p->detail = "The quota of a policy has been exceeded";
    }

    if (ngx_http_gw_ratelimit_answer_integer(r, &ctx->retry_after,
            "Retry-After",
            wait > 0 ? ngx_http_gw_ratelimit_policy_seconds(wait) : -1)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_TOO_MANY_REQUESTS;
}


/* the filters look for the problem in r->ctx, which redirects clear */

static ngx_http_gw_problem_t *
ngx_http_gw_ratelimit_answer_problem(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_gw_ratelimit_status_e status)
{
    ngx_http_set_ctx(r, ctx, ngx_http_gw_ratelimit_module);

    ctx->status = status;

    ngx_memzero(&ctx->problem, sizeof(ngx_http_gw_problem_t));

    return &ctx->problem;
}


/* "wait" until all of them would let the request in, -1: never */

static ngx_http_gw_ratelimit_status_e
ngx_http_gw_ratelimit_answer_worst(const ngx_http_gw_ratelimit_ctx_t *ctx,
    int64_t *wait)
{
    ngx_uint_t                       n, banned;
    ngx_http_gw_ratelimit_policy_t   policy;

    *wait = 0;
    banned = 0;

    for (n = 0; n < ngx_http_gw_ratelimit_policies(ctx); n++) {

        if (!ngx_http_gw_ratelimit_answer_refused(ctx, n, &policy)) {
            continue;
        }

        if (policy.check->result == NGX_GW_BUCKETS_BANNED) {
            banned = 1;
        }

        if (policy.wait < 0
            || policy.check->result == NGX_GW_BUCKETS_IMPOSSIBLE)
        {
            *wait = -1;

        } else if (*wait >= 0) {
            *wait = ngx_max(*wait, policy.wait);
        }
    }

    if (banned) {
        return NGX_HTTP_GW_RATELIMIT_BANNED;
    }

    return (*wait < 0) ? NGX_HTTP_GW_RATELIMIT_IMPOSSIBLE
                       : NGX_HTTP_GW_RATELIMIT_LIMITED;
}


/* whether policy "n" is one of those that refuse the request now */

static ngx_uint_t
ngx_http_gw_ratelimit_answer_refused(const ngx_http_gw_ratelimit_ctx_t *ctx,
    ngx_uint_t n, ngx_http_gw_ratelimit_policy_t *policy)
{
    const ngx_http_gw_ratelimit_check_t  *first;

    if (ngx_http_gw_ratelimit_policy(ctx, n, policy) != NGX_OK) {
        return 0;
    }

    first = ctx->checks.elts;
    first += ctx->first;

    return policy->refused && policy->check >= first
           && !policy->check->limit->dry_run;
}


static ngx_int_t
ngx_http_gw_ratelimit_answer_violated(ngx_http_request_t *r,
    const ngx_http_gw_ratelimit_ctx_t *ctx, ngx_str_t *extra)
{
    u_char                          *p;
    size_t                           len;
    ngx_uint_t                       n, names;
    ngx_http_gw_ratelimit_policy_t   policy;

    names = ngx_http_gw_ratelimit_policies(ctx);

    len = sizeof(NGX_HTTP_GW_RATELIMIT_VIOLATED "]") - 1
          + names * (NGX_HTTP_GW_RATELIMIT_POLICY_NAME + sizeof("\"\",") - 1);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    extra->data = p;

    p = ngx_cpymem(p, NGX_HTTP_GW_RATELIMIT_VIOLATED,
                   sizeof(NGX_HTTP_GW_RATELIMIT_VIOLATED) - 1);

    for (n = 0; n < names; n++) {

        if (!ngx_http_gw_ratelimit_answer_refused(ctx, n, &policy)) {
            continue;
        }

        *p++ = '"';
        p = ngx_http_gw_ratelimit_policy_name(p, &policy);
        *p++ = '"';
        *p++ = ',';

        ngx_http_gw_ratelimit_answer_log(r, &policy);
    }

    if (p[-1] == ',') {
        p--;
    }

    *p++ = ']';

    extra->len = p - extra->data;

    return NGX_OK;
}


static void
ngx_http_gw_ratelimit_answer_log(ngx_http_request_t *r,
    const ngx_http_gw_ratelimit_policy_t *policy)
{
    const char                           *what;
    const ngx_http_gw_ratelimit_check_t  *check;

    check = policy->check;

    if (check->result == NGX_GW_BUCKETS_BANNED) {
        what = "banned by";

    } else if (policy->wait < 0) {
        what = "costs more than there ever is in";

    } else {
        what = "limited by";
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "gw ratelimit: %s \"%V%s\", tier \"%V\"", what,
                  &check->limit->name, policy->suffix, &check->tier_name);
}


ngx_int_t
ngx_http_gw_ratelimit_answer_unavailable(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    ngx_http_gw_problem_t  *p;

    p = ngx_http_gw_ratelimit_answer_problem(r, ctx,
                                           NGX_HTTP_GW_RATELIMIT_UNAVAILABLE);

    p->status = NGX_HTTP_SERVICE_UNAVAILABLE;
    p->type = NGX_HTTP_GW_RATELIMIT_TYPES "#temporary-reduced-capacity";
    p->title = "Service Unavailable";
    p->detail = "The rate limit could not be checked";

    if (ngx_http_gw_ratelimit_answer_integer(r, &ctx->retry_after,
                                             "Retry-After",
                                             NGX_HTTP_GW_RATELIMIT_RETRY)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_SERVICE_UNAVAILABLE;
}


ngx_int_t
ngx_http_gw_ratelimit_answer_refuse(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx, ngx_http_gw_ratelimit_status_e status)
{
    const char             *why;
    ngx_http_gw_problem_t  *p;

    p = ngx_http_gw_ratelimit_answer_problem(r, ctx, status);

    p->status = NGX_HTTP_FORBIDDEN;
    p->title = "Forbidden";

    switch (status) {

    case NGX_HTTP_GW_RATELIMIT_UNKNOWN_TIER:
        p->detail = "The caller has no known tier";
        why = "unknown tier, and none is named \"default\"";
        break;

    case NGX_HTTP_GW_RATELIMIT_NO_KEY:
        p->detail = "The caller is not known";
        why = "empty key";
        break;

    default:
        p->status = NGX_HTTP_BAD_REQUEST;
        p->title = "Bad Request";
        p->detail = "The cost of the request is not a number";
        why = "invalid cost";
    }

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "gw ratelimit: %s", why);

    /* a refusal of a location before this one might have set it */

    if (ngx_http_gw_ratelimit_answer_integer(r, &ctx->retry_after,
                                             "Retry-After", -1)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return p->status;
}


void
ngx_http_gw_ratelimit_answer_filter(ngx_http_request_t *r,
    ngx_http_gw_ratelimit_ctx_t *ctx)
{
    if (ctx->retry_after
        && r->headers_out.status != NGX_HTTP_TOO_MANY_REQUESTS
        && r->headers_out.status != NGX_HTTP_SERVICE_UNAVAILABLE)
    {
        ctx->retry_after->hash = 0;
    }
}
