
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_lane.h"

#include <ngx_event.h>


static void ngx_gw_journal_lane_thread(void *data, ngx_log_t *log);
static void ngx_gw_journal_lane_handler(ngx_event_t *ev);


ngx_int_t
ngx_gw_journal_lane_init(ngx_gw_journal_lane_t *lane, ngx_cycle_t *cycle,
    ngx_thread_pool_t *pool)
{
    lane->task = ngx_thread_task_alloc(cycle->pool, 0);
    if (lane->task == NULL) {
        return NGX_ERROR;
    }

    lane->pool = pool;
    lane->log = cycle->log;

    lane->task->ctx = lane;
    lane->task->handler = ngx_gw_journal_lane_thread;
    lane->task->event.data = lane;
    lane->task->event.handler = ngx_gw_journal_lane_handler;
    lane->task->event.log = cycle->log;

    return NGX_OK;
}


static void
ngx_gw_journal_lane_thread(void *data, ngx_log_t *log)
{
    ngx_gw_journal_lane_t  *lane = data;

    lane->run(lane);
}


static void
ngx_gw_journal_lane_handler(ngx_event_t *ev)
{
    ngx_gw_journal_lane_t  *lane = ev->data;

    lane->done(lane);
}


ngx_uint_t
ngx_gw_journal_lane_idle(const ngx_gw_journal_lane_t *lane)
{
    return !lane->task->event.active;
}


ngx_int_t
ngx_gw_journal_lane_post(ngx_gw_journal_lane_t *lane)
{
    if (!ngx_gw_journal_lane_idle(lane)) {
        return NGX_ERROR;
    }

    return ngx_thread_task_post(lane->pool, lane->task);
}


void
ngx_gw_journal_lane_call(ngx_gw_journal_lane_t *lane)
{
    lane->run(lane);
    lane->done(lane);
}


void
ngx_gw_journal_lane_end(ngx_gw_journal_lane_t *lane)
{
    if (!ngx_gw_journal_lane_idle(lane)) {
        lane->task->event.active = 0;
        lane->done(lane);
    }
}
