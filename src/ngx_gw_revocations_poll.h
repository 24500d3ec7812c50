
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The inside of the revocations, shared by ngx_gw_revocations.c, which is
 * asked, and ngx_gw_revocations_poll.c, which reads the stream.
 *
 * ngx_gw_revocations_poll_claim() takes the mark of who polls, NGX_DECLINED if
 * another worker has it; "next" tells when to try again.  _step() begins a
 * step, which ends by itself, maybe at once.  _release() gives the mark back.
 *
 * ngx_gw_revocations_plan() sets the timer for what is next.
 */

#ifndef _NGX_GW_REVOCATIONS_POLL_H_INCLUDED_
#define _NGX_GW_REVOCATIONS_POLL_H_INCLUDED_


#include "ngx_gw_revocations.h"
#include "ngx_gw_revocations_page.h"
#include "ngx_gw_log.h"


/* ms */

#define NGX_GW_REVOCATIONS_REREAD  60000
#define NGX_GW_REVOCATIONS_RETRY   5000
#define NGX_GW_REVOCATIONS_AGAIN   1000
#define NGX_GW_REVOCATIONS_HURRY   100     /* the same, if requests wait */
#define NGX_GW_REVOCATIONS_LOOK    20
#define NGX_GW_REVOCATIONS_PAUSE   10
#define NGX_GW_REVOCATIONS_GRACE   500     /* a step may begin so late */

#define NGX_GW_REVOCATIONS_TRIES   3       /* then another worker */
#define NGX_GW_REVOCATIONS_MORE    16      /* entries of a page, after a step */

#define NGX_GW_REVOCATIONS_HEAD    256     /* bytes before the table */


enum {
    NGX_GW_REVOCATIONS_NEXT = 0,
    NGX_GW_REVOCATIONS_PASS,
    NGX_GW_REVOCATIONS_OPS
};


typedef struct {
    ngx_atomic_t                loaded;      /* when it was last read to its
                                                end, 0: never */
    ngx_atomic_t                stored;      /* 0: nothing to look for */
    ngx_atomic_t                expires;     /* the mark */
    ngx_atomic_t                overflows;
    ngx_atomic_t                malformed;
    ngx_atomic_t                polls;
    ngx_atomic_t                failures;

    /* under the lock of the zone */

    ngx_pid_t                   owner;       /* of the mark, 0: nobody */
    ngx_uint_t                  step;
    ngx_msec_t                  ended;       /* the last pass, if "whole" */
    ngx_gw_revocations_id_t     last;
    ngx_gw_revocations_id_t     pass;

    unsigned                    whole:1;     /* since it began at 0-0 */
    unsigned                    passing:1;
    unsigned                    shaken:1;    /* a step failed */
    unsigned                    missed:1;    /* the table was full */
    unsigned                    unfit:1;     /* in this pass */
} ngx_gw_revocations_shared_t;


struct ngx_gw_revocations_s {
    const ngx_gw_revocations_conf_t  *conf;
    ngx_gw_redis_t                   *redis;
    ngx_log_t                        *log;
    ngx_gw_revocations_shared_t      *shared;
    ngx_event_t                       timer;
    ngx_queue_t                       waits;

    ngx_gw_redis_op_t                 ops[NGX_GW_REVOCATIONS_OPS];
    ngx_uint_t                        pending;   /* replies */
    ngx_uint_t                        step;
    ngx_uint_t                        count;     /* entries of a page */
    ngx_msec_t                        began;     /* the step */
    ngx_msec_t                        ended;
    ngx_msec_t                        next;      /* look at the mark, poll */
    ngx_uint_t                        failed;    /* steps in a row */

    ngx_gw_revocations_id_t           last;
    ngx_gw_revocations_id_t           pass;
    ngx_gw_revocations_page_t         page;
    ngx_uint_t                        resets;    /* of the zone */

    ngx_gw_log_t                      log_failure;
    ngx_gw_log_t                      log_malformed;
    ngx_gw_log_t                      log_full;
    ngx_gw_log_t                      log_gone;
    ngx_gw_log_t                      log_back;

    unsigned                          holding:1;    /* the mark */
    unsigned                          passing:1;
    unsigned                          known:1;      /* "last" is no 0-0 */
    unsigned                          gone:1;       /* it is not there */
    unsigned                          last_full:1;  /* the page was */
    unsigned                          pass_full:1;
};


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_revocations_poll_claim(ngx_gw_revocations_t *rv);
void ngx_gw_revocations_poll_step(ngx_gw_revocations_t *rv);
void ngx_gw_revocations_poll_release(ngx_gw_revocations_t *rv);

gw_revoke_t *ngx_gw_revocations_poll_table(ngx_gw_revocations_shared_t *sh);

void ngx_gw_revocations_plan(ngx_gw_revocations_t *rv);

GW_HIDDEN_END


#endif /* _NGX_GW_REVOCATIONS_POLL_H_INCLUDED_ */
