
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The commands that ngx_gw_leases sends, with all of their texts.
 *
 * ngx_gw_leases_command_take() is lua/take.lua for a bucket and its quotas, of
 * which it takes nothing but the lease, and for its ban, while which it gets
 * none; ngx_gw_leases_command_give() is lua/give.lua.  The first
 * NGX_GW_SCRIPT_ARGS elements are left to ngx_gw_script_eval(), or to
 * ngx_gw_leases_command_post(), which sends the text of the script with "text",
 * should Redis not know it, and works as ngx_gw_redis_post().  A command points
 * into itself: it must not be copied.
 */

#ifndef _NGX_GW_LEASES_COMMAND_H_INCLUDED_
#define _NGX_GW_LEASES_COMMAND_H_INCLUDED_


#include "ngx_gw_leases.h"


/* a bucket, its quotas and its ban, each with its key and its arguments */

#define NGX_GW_LEASES_COMMAND_ITEMS  (2 + GW_QUOTA_UNITS)

#define NGX_GW_LEASES_COMMAND_ARGS                                            \
    (NGX_GW_SCRIPT_ARGS + NGX_GW_LEASES_COMMAND_ITEMS * (1 + 6))

/* bytes of an item: the key, and what numbers it has of its own */

#define NGX_GW_LEASES_COMMAND_TEXT                                            \
    (GW_LEASE_NAME + sizeof(NGX_GW_LEASES_MONTH) + 4 * NGX_INT64_LEN)


typedef struct {
    ngx_str_t     argv[NGX_GW_LEASES_COMMAND_ARGS];
    ngx_uint_t    nkeys;
    ngx_uint_t    argc;
    u_char       *last;
    u_char        buf[NGX_GW_LEASES_COMMAND_ITEMS
                      * NGX_GW_LEASES_COMMAND_TEXT];
} ngx_gw_leases_command_t;


GW_HIDDEN_BEGIN

void ngx_gw_leases_command_take(ngx_gw_leases_command_t *cmd,
    const gw_lease_of_t *of, int64_t want, ngx_uint_t share);
void ngx_gw_leases_command_give(ngx_gw_leases_command_t *cmd,
    const gw_lease_back_t *back);
ngx_int_t ngx_gw_leases_command_post(ngx_gw_leases_command_t *cmd,
    ngx_gw_redis_t *rd, const ngx_gw_script_t *script, ngx_uint_t text);

GW_HIDDEN_END


#endif /* _NGX_GW_LEASES_COMMAND_H_INCLUDED_ */
