
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A lane: one task at a time for the thread pool.
 *
 * "run" is called in a thread, with the lane, and may block; "done" in the
 * event loop, afterwards.  What "run" uses belongs to it until then.
 *
 * ngx_gw_journal_lane_post() starts one; NGX_ERROR if one is under way, or
 * the queue of the pool is full, logged.  ngx_gw_journal_lane_call() does the
 * same without a thread: at the start and at the exit of a worker.
 * ngx_gw_journal_lane_end() is for exit_process, when the pool has ended all
 * tasks: it calls the "done" that the event loop had no time for.
 */

#ifndef _NGX_GW_JOURNAL_LANE_H_INCLUDED_
#define _NGX_GW_JOURNAL_LANE_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_journal_file.h"


typedef struct ngx_gw_journal_lane_s  ngx_gw_journal_lane_t;


struct ngx_gw_journal_lane_s {
    void                    (*run)(ngx_gw_journal_lane_t *lane);
    void                    (*done)(ngx_gw_journal_lane_t *lane);
    void                     *data;
    ngx_gw_journal_place_t    place;
    ngx_err_t                 err;
    ngx_thread_task_t        *task;
    ngx_thread_pool_t        *pool;
    ngx_log_t                *log;
};


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_journal_lane_init(ngx_gw_journal_lane_t *lane,
    ngx_cycle_t *cycle, ngx_thread_pool_t *pool);
ngx_uint_t ngx_gw_journal_lane_idle(const ngx_gw_journal_lane_t *lane);
ngx_int_t ngx_gw_journal_lane_post(ngx_gw_journal_lane_t *lane);
void ngx_gw_journal_lane_call(ngx_gw_journal_lane_t *lane);
void ngx_gw_journal_lane_end(ngx_gw_journal_lane_t *lane);

GW_HIDDEN_END


#endif /* _NGX_GW_JOURNAL_LANE_H_INCLUDED_ */
