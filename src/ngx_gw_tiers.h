
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Tiers kept in a Redis hash: a field is the name of a tier, its value the
 * numbers, as gw_tier_text() reads them.
 *
 * One worker of the machine reads the hash every "refresh" ms; the list lies
 * in a zone, so that it survives a reload and the death of a worker, and the
 * other workers copy it when it has changed.  A hash with an entry that is not
 * valid, with more than NGX_GW_TIERS_MAX entries, or with none after there
 * were some, is not taken: the last good list stays, the failure is logged
 * once per interval, and counted.
 *
 * ngx_gw_tiers_add() asks for the zone while the configuration is read,
 * ngx_gw_tiers_create() starts the reading, after the fork; both return NULL
 * if they failed.
 *
 * ngx_gw_tiers_find() gives the numbers of a tier: GW_OK, GW_DECLINED if there
 * is no such tier, GW_AGAIN if no list has been read yet; then
 * ngx_gw_tiers_wait() calls w->handler when one was read or could not be, once
 * and not before it returns, unless ngx_gw_tiers_cancel() comes before.
 */

#ifndef _NGX_GW_TIERS_H_INCLUDED_
#define _NGX_GW_TIERS_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_redis.h"

#include "gw_tier.h"


#define NGX_GW_TIERS_MAX  256


typedef struct ngx_gw_tiers_zone_s  ngx_gw_tiers_zone_t;
typedef struct ngx_gw_tiers_s       ngx_gw_tiers_t;


typedef struct {
    ngx_str_t              key;         /* len 0: not configured */
    ngx_msec_t             refresh;
    ngx_msec_t             timeout;     /* of a command */
    ngx_gw_tiers_zone_t   *zone;
} ngx_gw_tiers_conf_t;


typedef struct {
    ngx_queue_t            queue;
    void                 (*handler)(void *data);
    void                  *data;
    unsigned               active:1;
} ngx_gw_tiers_waiter_t;


typedef struct {
    ngx_uint_t             tiers;
    ngx_uint_t             reads;       /* that gave a good list */
    ngx_uint_t             failures;    /* Redis did not give the hash */
    ngx_uint_t             refused;     /* lists that were not valid */
    ngx_uint_t             changes;     /* of the list, the first one too */
    ngx_msec_t             age;         /* of the last good one */
    unsigned               read:1;      /* ever */
} ngx_gw_tiers_stats_t;


GW_HIDDEN_BEGIN

ngx_gw_tiers_zone_t *ngx_gw_tiers_add(ngx_conf_t *cf, void *tag,
    const ngx_str_t *key);
ngx_gw_tiers_t *ngx_gw_tiers_create(const ngx_gw_tiers_conf_t *conf,
    ngx_gw_redis_t *redis, ngx_log_t *log);
void ngx_gw_tiers_destroy(ngx_gw_tiers_t *ts);

ngx_int_t ngx_gw_tiers_find(ngx_gw_tiers_t *ts, const ngx_str_t *name,
    gw_tier_t *tier);
void ngx_gw_tiers_wait(ngx_gw_tiers_t *ts, ngx_gw_tiers_waiter_t *w);
void ngx_gw_tiers_cancel(ngx_gw_tiers_waiter_t *w);

void ngx_gw_tiers_stats(const ngx_gw_tiers_conf_t *conf,
    ngx_gw_tiers_stats_t *stats);

GW_HIDDEN_END


#endif /* _NGX_GW_TIERS_H_INCLUDED_ */
