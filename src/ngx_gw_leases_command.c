
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_leases_command.h"


static void ngx_gw_leases_command_key(ngx_gw_leases_command_t *cmd,
    const char *name, size_t len, const char *suffix);
static void ngx_gw_leases_command_word(ngx_gw_leases_command_t *cmd,
    const char *word);
static void ngx_gw_leases_command_number(ngx_gw_leases_command_t *cmd,
    int64_t n);


static const char *const  ngx_gw_leases_command_kinds[] = { "d", "m" };

static const char *const  ngx_gw_leases_command_suffixes[] = {
    NGX_GW_LEASES_DAY,
    NGX_GW_LEASES_MONTH
};


/* see lua/take.lua: takes nothing, but for the lease */

void
ngx_gw_leases_command_take(ngx_gw_leases_command_t *cmd,
    const gw_lease_of_t *of, int64_t want, ngx_uint_t share)
{
    ngx_uint_t  i;

    cmd->argc = NGX_GW_SCRIPT_ARGS;
    cmd->last = cmd->buf;

    ngx_gw_leases_command_key(cmd, of->name.data, of->name.len, "");

    for (i = 0; i < GW_QUOTA_UNITS; i++) {
        if (of->tier.quota[i].size != 0) {
            ngx_gw_leases_command_key(cmd, of->name.data, of->name.len,
                                      ngx_gw_leases_command_suffixes[i]);
        }
    }

    if (of->ban != 0) {
        ngx_gw_leases_command_key(cmd, of->name.data, of->name.len,
                                  NGX_GW_LEASES_BAN);
    }

    cmd->nkeys = cmd->argc - NGX_GW_SCRIPT_ARGS;

    ngx_gw_leases_command_word(cmd, "b");
    ngx_gw_leases_command_number(cmd, of->tier.bucket.interval);
    ngx_gw_leases_command_number(cmd, of->tier.bucket.burst);
    ngx_gw_leases_command_word(cmd, "0");
    ngx_gw_leases_command_number(cmd, want);
    ngx_gw_leases_command_number(cmd, share ? share : 1);

    for (i = 0; i < GW_QUOTA_UNITS; i++) {

        if (of->tier.quota[i].size == 0) {
            continue;
        }

        ngx_gw_leases_command_word(cmd, ngx_gw_leases_command_kinds[i]);
        ngx_gw_leases_command_word(cmd, "0");
        ngx_gw_leases_command_number(cmd, of->tier.quota[i].size);
        ngx_gw_leases_command_word(cmd, "0");
        ngx_gw_leases_command_word(cmd, "0");
        ngx_gw_leases_command_word(cmd, "1");
    }

    /* who is banned gets no more: nobody else would ask while a lease lasts */

    if (of->ban != 0) {
        ngx_gw_leases_command_word(cmd, "x");
        ngx_gw_leases_command_number(cmd, of->ban);
        ngx_gw_leases_command_number(cmd, of->after);
        ngx_gw_leases_command_word(cmd, "0");
        ngx_gw_leases_command_word(cmd, "0");
        ngx_gw_leases_command_word(cmd, "1");
    }
}


void
ngx_gw_leases_command_give(ngx_gw_leases_command_t *cmd,
    const gw_lease_back_t *back)
{
    ngx_uint_t  i;

    cmd->argc = NGX_GW_SCRIPT_ARGS;
    cmd->last = cmd->buf;

    ngx_gw_leases_command_key(cmd, back->name, back->len, "");

    for (i = 0; i < GW_QUOTA_UNITS; i++) {
        if (back->windows[i] != 0) {
            ngx_gw_leases_command_key(cmd, back->name, back->len,
                                      ngx_gw_leases_command_suffixes[i]);
        }
    }

    cmd->nkeys = cmd->argc - NGX_GW_SCRIPT_ARGS;

    ngx_gw_leases_command_word(cmd, "b");
    ngx_gw_leases_command_number(cmd, back->interval);
    ngx_gw_leases_command_number(cmd, back->tokens);

    for (i = 0; i < GW_QUOTA_UNITS; i++) {

        if (back->windows[i] == 0) {
            continue;
        }

        ngx_gw_leases_command_word(cmd, ngx_gw_leases_command_kinds[i]);
        ngx_gw_leases_command_number(cmd, back->windows[i]);
        ngx_gw_leases_command_number(cmd, back->tokens);
    }
}


ngx_int_t
ngx_gw_leases_command_post(ngx_gw_leases_command_t *cmd, ngx_gw_redis_t *rd,
    const ngx_gw_script_t *script, ngx_uint_t text)
{
    u_char  nkeys[NGX_INT_T_LEN];

    if (text) {
        ngx_str_set(&cmd->argv[0], "EVAL");
        cmd->argv[1] = script->text;

    } else {
        ngx_str_set(&cmd->argv[0], "EVALSHA");
        cmd->argv[1] = script->sha1;
    }

    cmd->argv[2].data = nkeys;
    cmd->argv[2].len = ngx_sprintf(nkeys, "%ui", cmd->nkeys) - nkeys;

    return ngx_gw_redis_post(rd, NGX_GW_SCRIPT_ARGS, cmd->argc, cmd->argv);
}


static void
ngx_gw_leases_command_key(ngx_gw_leases_command_t *cmd, const char *name,
    size_t len, const char *suffix)
{
    ngx_str_t  *arg;

    arg = &cmd->argv[cmd->argc++];

    arg->data = cmd->last;
    cmd->last = ngx_cpymem(cmd->last, name, len);
    cmd->last = ngx_cpymem(cmd->last, suffix, ngx_strlen(suffix));
    arg->len = cmd->last - arg->data;
}


static void
ngx_gw_leases_command_word(ngx_gw_leases_command_t *cmd, const char *word)
{
    ngx_str_t  *arg;

    arg = &cmd->argv[cmd->argc++];

    arg->data = (u_char *) word;
    arg->len = ngx_strlen(word);
}


static void
ngx_gw_leases_command_number(ngx_gw_leases_command_t *cmd, int64_t n)
{
    ngx_str_t  *arg;

    arg = &cmd->argv[cmd->argc++];

    arg->data = cmd->last;
    cmd->last = ngx_sprintf(cmd->last, "%L", n);
    arg->len = cmd->last - arg->data;
}
