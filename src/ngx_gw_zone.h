
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A block of memory shared by the workers, under one lock.
 *
 * ngx_gw_zone_add() asks for it while the configuration is read; "size" is
 * what is usable.  A reload finds the same block again if name and size are
 * the same: so whatever decides its layout belongs into the name.  "reset"
 * formats the block, at first and whenever it was found broken, and is called
 * with the lock held.  NULL if out of memory or the name is taken, logged.
 *
 * ngx_gw_zone_lock() returns the block.  A worker may be killed anywhere: if
 * it died between lock and unlock, the next one to lock finds the block
 * marked busy and resets it; ngx_gw_zone_resets() counts that.  Between the
 * two calls there may be no log, no pool, no callback, no system call.
 *
 * ngx_gw_zone_block() is the block without the lock, for atomic counters.
 * Workers only, never before ngx_init_cycle() has ended.
 */

#ifndef _NGX_GW_ZONE_H_INCLUDED_
#define _NGX_GW_ZONE_H_INCLUDED_


#include "ngx_gw.h"


typedef struct ngx_gw_zone_s  ngx_gw_zone_t;

typedef void (*ngx_gw_zone_reset_pt)(void *block, size_t size, void *data);


GW_HIDDEN_BEGIN

ngx_gw_zone_t *ngx_gw_zone_add(ngx_conf_t *cf, ngx_str_t *name, size_t size,
    void *tag, ngx_gw_zone_reset_pt reset, void *data);

void *ngx_gw_zone_lock(ngx_gw_zone_t *zone);
void ngx_gw_zone_unlock(ngx_gw_zone_t *zone);
void *ngx_gw_zone_block(ngx_gw_zone_t *zone);
ngx_uint_t ngx_gw_zone_resets(ngx_gw_zone_t *zone);

GW_HIDDEN_END


#endif /* _NGX_GW_ZONE_H_INCLUDED_ */
