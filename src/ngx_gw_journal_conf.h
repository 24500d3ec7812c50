
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The configuration of the journal, read-only once it is made.
 *
 * ngx_gw_journal_conf_set() reads the arguments of the directive:
 *
 *     DIR [size=1g] [sync=200ms] [full=drop|reject] [keep=0] [node=NAME]
 *         [tail=/dev/shm] [segment=4m] [thread_pool=default]
 *
 * It adds DIR to the paths that nginx creates, and the thread pool; returns
 * NGX_CONF_OK, or an error that is logged or completes "directive ...".
 *
 * ngx_gw_journal_conf_init() is called in the master when the paths are made
 * and a reload can still fail, as the init of a shared zone that is there for
 * this alone.  It checks what can be known only now (local file systems, room
 * for all workers) and makes the directory for tails, which is named by
 * device and inode of DIR, so that journals never share one.  What another
 * user owns is refused.  NGX_ERROR is logged.
 */

#ifndef _NGX_GW_JOURNAL_CONF_H_INCLUDED_
#define _NGX_GW_JOURNAL_CONF_H_INCLUDED_


#include "ngx_gw.h"

#include <ngx_thread_pool.h>


typedef struct {
    ngx_path_t          *path;       /* DIR */
    ngx_str_t            tail;
    ngx_str_t            tails;      /* made in "tail"; set by init */
    ngx_str_t            node;       /* the host's name by default */
    ngx_str_t            topic;      /* these two by the caller, before init */
    ngx_str_t            cluster;

    off_t                size;       /* of all files in DIR */
    size_t               segment;
    ngx_msec_t           sync;
    time_t               keep;

    ngx_thread_pool_t   *pool;
    ngx_cycle_t         *cycle;

    unsigned             reject:1;
} ngx_gw_journal_conf_t;


GW_HIDDEN_BEGIN

char *ngx_gw_journal_conf_set(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf,
    void *tag);
ngx_int_t ngx_gw_journal_conf_init(ngx_shm_zone_t *zone, void *data);

GW_HIDDEN_END


#endif /* _NGX_GW_JOURNAL_CONF_H_INCLUDED_ */
