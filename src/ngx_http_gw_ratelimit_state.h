
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What the ratelimit module keeps for a request: the limits it has met, each
 * once by its name, and what became of them.  It lives as long as the
 * request's pool and is found again after an internal redirect.
 */

#ifndef _NGX_HTTP_GW_RATELIMIT_STATE_H_INCLUDED_
#define _NGX_HTTP_GW_RATELIMIT_STATE_H_INCLUDED_


#include "ngx_gw.h"
#include <ngx_http.h>

#include "ngx_gw_leases.h"
#include "ngx_gw_script.h"
#include "ngx_gw_tiers.h"
#include "ngx_http_gw_problem.h"
#include "ngx_http_gw_ratelimit_conf.h"
#include "ngx_http_gw_wait.h"


/* a bucket, its quotas and its ban */

#define NGX_HTTP_GW_RATELIMIT_ITEMS  (2 + GW_QUOTA_UNITS)


/* of the whole request, in the order of ..._answer's names */

typedef enum {
    NGX_HTTP_GW_RATELIMIT_NONE = 0,
    NGX_HTTP_GW_RATELIMIT_PASSED,
    NGX_HTTP_GW_RATELIMIT_LIMITED,
    NGX_HTTP_GW_RATELIMIT_BANNED,
    NGX_HTTP_GW_RATELIMIT_IMPOSSIBLE,       /* costs more than is allowed */
    NGX_HTTP_GW_RATELIMIT_DRY_RUN,          /* passed, would be refused */
    NGX_HTTP_GW_RATELIMIT_SKIPPED,          /* the keys were empty */
    NGX_HTTP_GW_RATELIMIT_UNCHECKED,        /* error=allow */
    NGX_HTTP_GW_RATELIMIT_LOCAL_PASSED,     /* error=local, passed */
    NGX_HTTP_GW_RATELIMIT_UNAVAILABLE,      /* error=deny */
    NGX_HTTP_GW_RATELIMIT_UNKNOWN_TIER,
    NGX_HTTP_GW_RATELIMIT_NO_KEY,           /* empty=deny */
    NGX_HTTP_GW_RATELIMIT_BAD_COST,
    NGX_HTTP_GW_RATELIMIT_STATUSES
} ngx_http_gw_ratelimit_status_e;


typedef struct {
    int64_t                               left;
    int64_t                               wait;    /* microseconds */
    int64_t                               full;    /* microseconds */
    int64_t                               extra;   /* see lua/take.lua */

    unsigned                              known:1;
} ngx_http_gw_ratelimit_item_t;


/* a limit of the request; "known" items appear in the response's headers */

typedef struct {
    const ngx_http_gw_ratelimit_limit_t  *limit;
    gw_tier_t                             tier;       /* its numbers */
    ngx_str_t                             tier_name;  /* empty: inline */
    ngx_str_t                             name;       /* in Redis */
    ngx_str_t                             tag;        /* {KEY} in it */
    int64_t                               cost;
    int64_t                               want;       /* for the lease */
    uint64_t                              strikes;    /* to tell */
    uint64_t                              id[2];      /* in the zone */
    ngx_gw_buckets_result_e               result;

    ngx_http_gw_ratelimit_item_t          bucket;
    ngx_http_gw_ratelimit_item_t          quota[GW_QUOTA_UNITS];
    ngx_http_gw_ratelimit_item_t          ban;

    /*
     * asked: is of the EVALSHA under way.  probe: others wait for its answer.
     * taken: tokens were taken, in Redis or of the lease,
     * and have to be given back if another limit refuses.  refused: by this
     * limit; a dry run is refused too.  decided: "result" is set.
     */

    unsigned                              asked:1;
    unsigned                              probe:1;
    unsigned                              taken:1;
    unsigned                              leased:1;
    unsigned                              refused:1;
    unsigned                              decided:1;
} ngx_http_gw_ratelimit_check_t;


typedef struct {
    ngx_http_gw_wait_t                    wait;
    ngx_gw_script_op_t                    op;
    ngx_gw_tiers_waiter_t                 tiers;

    ngx_array_t                           checks;     /* of ..._check_t */
    ngx_uint_t                            first;      /* not decided before */

    ngx_http_gw_ratelimit_main_conf_t    *grmcf;
    const ngx_http_gw_ratelimit_conf_t   *grcf;
    ngx_msec_t                            deadline;
    ngx_msec_t                            sent;

    /* of the answer */

    ngx_http_gw_problem_t                 problem;    /* of the last refusal */
    ngx_table_elt_t                      *policy;
    ngx_table_elt_t                      *ratelimit;
    ngx_table_elt_t                      *x_limit;
    ngx_table_elt_t                      *x_remaining;
    ngx_table_elt_t                      *x_reset;
    ngx_table_elt_t                      *retry_after;

    ngx_http_gw_ratelimit_status_e        status;

    unsigned                              step:2;     /* of ..._decide.c */
    unsigned                              answered:1; /* and well */
    unsigned                              taken:1;    /* says the answer */
    unsigned                              waited:1;   /* for the tiers */
} ngx_http_gw_ratelimit_ctx_t;


#endif /* _NGX_HTTP_GW_RATELIMIT_STATE_H_INCLUDED_ */
