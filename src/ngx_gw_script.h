
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Runs a Lua script in Redis by its digest, and sends the text only when
 * Redis says that it does not know it.
 *
 * ngx_gw_script_eval() works as ngx_gw_redis_command(), with op->handler and
 * op->data set by the caller.  The first NGX_GW_SCRIPT_ARGS elements of
 * "argv" are filled in here, the keys and then the arguments follow; "argv"
 * has to live as long as the operation, since a NOSCRIPT reply sends it once
 * more, within the same deadline.  That is no replay: a script that Redis did
 * not know was not executed.  While the text is under way, others do not bring
 * it again: thousands of it would have no room.
 */

#ifndef _NGX_GW_SCRIPT_H_INCLUDED_
#define _NGX_GW_SCRIPT_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_redis.h"


#define NGX_GW_SCRIPT_ARGS  3


typedef struct ngx_gw_script_op_s  ngx_gw_script_op_t;

typedef void (*ngx_gw_script_handler_pt)(ngx_gw_script_op_t *op,
    ngx_gw_reply_t *reply);


typedef struct {
    ngx_str_t                  text;
    ngx_str_t                  sha1;
} ngx_gw_script_t;


struct ngx_gw_script_op_s {
    ngx_gw_script_handler_pt   handler;
    void                      *data;

    /* the rest is private */

    ngx_gw_redis_op_t          op;
    const ngx_gw_script_t     *script;
    ngx_str_t                 *argv;
    ngx_uint_t                 argc;
    ngx_msec_t                 deadline;
    u_char                     nkeys[NGX_INT_T_LEN];

    unsigned                   sent_text:1;
    unsigned                   waited:1;      /* for the text of another one */
};


GW_HIDDEN_BEGIN

void ngx_gw_script_eval(ngx_gw_redis_t *rd, ngx_gw_script_op_t *op,
    const ngx_gw_script_t *script, ngx_uint_t nkeys, ngx_uint_t argc,
    ngx_str_t *argv, ngx_msec_t timeout);
void ngx_gw_script_cancel(ngx_gw_script_op_t *op);

GW_HIDDEN_END


#endif /* _NGX_GW_SCRIPT_H_INCLUDED_ */
