
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_script.h"


static void ngx_gw_script_reply(ngx_gw_redis_op_t *op, ngx_gw_reply_t *reply);


void
ngx_gw_script_eval(ngx_gw_redis_t *rd, ngx_gw_script_op_t *op,
    const ngx_gw_script_t *script, ngx_uint_t nkeys, ngx_uint_t argc,
    ngx_str_t *argv, ngx_msec_t timeout)
{
    op->op.handler = ngx_gw_script_reply;
    op->op.data = op;
    op->op.key = NGX_GW_SCRIPT_ARGS;

    op->script = script;
    op->argv = argv;
    op->argc = argc;
    op->deadline = ngx_current_msec + timeout;
    op->sent_text = 0;
    op->waited = 0;

    op->op.load = NULL;

    ngx_str_set(&argv[0], "EVALSHA");
    argv[1] = script->sha1;
    argv[2].data = op->nkeys;
    argv[2].len = ngx_gw_number(op->nkeys, nkeys) - op->nkeys;

    ngx_gw_redis_command(rd, &op->op, argc, argv, timeout);
}


static void
ngx_gw_script_reply(ngx_gw_redis_op_t *rop, ngx_gw_reply_t *reply)
{
    const char          *err;
    ngx_msec_int_t       left;
    ngx_gw_script_op_t  *op;

    op = rop->data;

    err = reply ? ngx_gw_reply_error(reply) : NULL;

    left = (ngx_msec_int_t) (op->deadline - ngx_current_msec);

    if (err && !op->sent_text && left > 0
        && ngx_strncmp(err, "NOSCRIPT", 8) == 0)
    {
        if (!op->waited && ngx_gw_redis_loading(rop, op->script)) {

            /* of many at once the first one brings the text for all */

            op->waited = 1;

        } else {
            op->sent_text = 1;
            rop->load = op->script;

            ngx_str_set(&op->argv[0], "EVAL");
            op->argv[1] = op->script->text;
        }

        ngx_gw_redis_command(rop->redis, rop, op->argc, op->argv, left);
        return;
    }

    op->handler(op, reply);
}


void
ngx_gw_script_cancel(ngx_gw_script_op_t *op)
{
    ngx_gw_redis_cancel(&op->op);
}
