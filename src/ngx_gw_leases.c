
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_leases.h"
#include "ngx_gw_leases_command.h"
#include "ngx_gw_log.h"


/* of one turn of the sweeper, and how soon the next one is if it did not do */

#define NGX_GW_LEASES_STEPS    256
#define NGX_GW_LEASES_SOON     10      /* ms */

#define NGX_GW_LEASES_AGAIN    250     /* ms, after a failed heartbeat */


/* on the heap: it outlives the request which it was made for */

typedef struct {
    ngx_queue_t                queue;
    ngx_gw_leases_t           *leases;
    ngx_gw_script_op_t         op;
    uint64_t                   key[2];
    gw_lease_of_t              of;       /* a refill; the name is in "name" */
    int64_t                    tokens;   /* to give back */
    ngx_gw_leases_command_t    command;
    u_char                     name[GW_LEASE_NAME];
} ngx_gw_leases_errand_t;


struct ngx_gw_leases_s {
    ngx_gw_buckets_t          *buckets;
    ngx_gw_redis_t            *redis;
    ngx_gw_leases_scripts_t    scripts;
    ngx_msec_t                 timeout;
    ngx_log_t                 *log;

    ngx_queue_t                errands;
    ngx_uint_t                 n;        /* of them */

    ngx_event_t                sweep;
    uint64_t                   cursor;   /* not 0: the sweep goes on */

    ngx_event_t                beat;
    ngx_gw_script_op_t         op;
    ngx_str_t                  argv[NGX_GW_SCRIPT_ARGS + 3];
    u_char                     gone[NGX_INT64_LEN];

    ngx_gw_log_t               log_refill;
    ngx_gw_log_t               log_give;
    ngx_gw_log_t               log_beat;

    unsigned                   active:1;
    unsigned                   beating:1;
    unsigned                   late:1;   /* the last heartbeat failed */
};


static ngx_gw_leases_errand_t *ngx_gw_leases_errand(ngx_gw_leases_t *ls);
static void ngx_gw_leases_free(ngx_gw_leases_errand_t *e);

static void ngx_gw_leases_taken(ngx_gw_script_op_t *op,
    ngx_gw_reply_t *reply);
static void ngx_gw_leases_grant(ngx_gw_leases_errand_t *e, const int64_t *v);

static void ngx_gw_leases_given(ngx_gw_script_op_t *op,
    ngx_gw_reply_t *reply);
static void ngx_gw_leases_give_all(ngx_gw_leases_t *ls, ngx_uint_t post);

static void ngx_gw_leases_sweep(ngx_event_t *ev);
static ngx_int_t ngx_gw_leases_sweep_step(ngx_gw_leases_t *ls);
static void ngx_gw_leases_beat(ngx_event_t *ev);
static void ngx_gw_leases_beaten(ngx_gw_script_op_t *op,
    ngx_gw_reply_t *reply);
static void ngx_gw_leases_complain(ngx_gw_leases_t *ls, ngx_gw_log_t *site,
    const char *what, const ngx_gw_reply_t *reply);


ngx_gw_leases_t *
ngx_gw_leases_create(ngx_gw_buckets_t *buckets, ngx_gw_redis_t *redis,
    const ngx_gw_leases_scripts_t *scripts, ngx_msec_t timeout,
    ngx_uint_t active, ngx_log_t *log)
{
    ngx_gw_leases_t  *ls;

    ls = ngx_calloc(sizeof(ngx_gw_leases_t), log);
    if (ls == NULL) {
        return NULL;
    }

    ls->buckets = buckets;
    ls->redis = redis;
    ls->scripts = *scripts;
    ls->log = log;
    ls->active = (active != 0);

    /* an answer that is later counts as none, see gw_lease.h */

    ls->timeout = ngx_min(timeout, GW_LEASE_REFILL);

    ngx_queue_init(&ls->errands);

    ls->op.handler = ngx_gw_leases_beaten;
    ls->op.data = ls;

    ls->sweep.handler = ngx_gw_leases_sweep;
    ls->sweep.data = ls;
    ls->sweep.log = log;

    ls->beat.handler = ngx_gw_leases_beat;
    ls->beat.data = ls;
    ls->beat.log = log;
    ls->beat.cancelable = 1;

    if (active) {
        ngx_add_timer(&ls->sweep, NGX_GW_LEASES_SWEEP);
        ngx_add_timer(&ls->beat, 1);
    }

    return ls;
}


void
ngx_gw_leases_destroy(ngx_gw_leases_t *ls)
{
    ngx_queue_t             *q;
    ngx_gw_leases_errand_t  *e;

    if (ls->sweep.timer_set) {
        ngx_del_timer(&ls->sweep);
    }

    if (ls->beat.timer_set) {
        ngx_del_timer(&ls->beat);
    }

    if (ls->beating) {
        ngx_gw_script_cancel(&ls->op);
    }

    while (!ngx_queue_empty(&ls->errands)) {
        q = ngx_queue_head(&ls->errands);
        e = ngx_queue_data(q, ngx_gw_leases_errand_t, queue);

        ngx_gw_script_cancel(&e->op);

        if (e->of.max != 0) {
            ngx_gw_leases_grant(e, NULL);
        }

        ngx_gw_leases_free(e);
    }

    if (ls->active) {
        ngx_gw_leases_give_all(ls, 1);
    }

    ngx_free(ls);
}


static ngx_gw_leases_errand_t *
ngx_gw_leases_errand(ngx_gw_leases_t *ls)
{
    ngx_gw_leases_errand_t  *e;

    if (ls->n >= NGX_GW_LEASES_OPS) {
        return NULL;
    }

    e = ngx_alloc(sizeof(ngx_gw_leases_errand_t), ls->log);
    if (e == NULL) {
        return NULL;
    }

    ngx_memzero(&e->op, sizeof(ngx_gw_script_op_t));
    ngx_memzero(&e->of, sizeof(gw_lease_of_t));

    e->leases = ls;
    e->op.data = e;

    ngx_queue_insert_tail(&ls->errands, &e->queue);
    ls->n++;

    return e;
}


static void
ngx_gw_leases_free(ngx_gw_leases_errand_t *e)
{
    ngx_queue_remove(&e->queue);
    e->leases->n--;

    ngx_free(e);
}


void
ngx_gw_leases_refill(ngx_gw_leases_t *ls, const uint64_t key[2],
    const gw_lease_of_t *of, int64_t want, ngx_uint_t share)
{
    gw_lease_back_t           back;
    ngx_gw_leases_errand_t   *e;
    ngx_gw_leases_command_t  *cmd;
    ngx_gw_buckets_tables_t  *t;

    static const int64_t      none[GW_QUOTA_UNITS];

    e = of->name.len <= GW_LEASE_NAME ? ngx_gw_leases_errand(ls) : NULL;

    if (e == NULL) {
        t = ngx_gw_buckets_lock(ls->buckets);

        (void) gw_lease_grant(t->lease, key, of, ngx_current_msec, 0, 0, 0,
                              none, &back);

        ngx_gw_buckets_unlock(ls->buckets);
        return;
    }

    (void) ngx_atomic_fetch_add(&ngx_gw_buckets_counters(ls->buckets)->refills,
                                1);

    e->key[0] = key[0];
    e->key[1] = key[1];

    ngx_memcpy(e->name, of->name.data, of->name.len);

    e->of = *of;
    e->of.name.data = (char *) e->name;

    e->op.handler = ngx_gw_leases_taken;

    cmd = &e->command;
    ngx_gw_leases_command_take(cmd, &e->of, want, share);

    /* may call the handler, which frees the errand */

    ngx_gw_script_eval(ls->redis, &e->op, ls->scripts.take, cmd->nkeys,
                       cmd->argc, cmd->argv, ls->timeout);
}


static void
ngx_gw_leases_taken(ngx_gw_script_op_t *op, ngx_gw_reply_t *reply)
{
    int64_t                  v[1 + 4 * NGX_GW_LEASES_COMMAND_ITEMS];
    ngx_gw_leases_t         *ls;
    ngx_gw_leases_errand_t  *e;

    e = op->data;
    ls = e->leases;

    if (reply
        && ngx_gw_reply_integers(reply, v, 1 + 4 * e->command.nkeys)
           == NGX_OK)
    {
        ngx_gw_leases_grant(e, v);

    } else {
        ngx_gw_leases_grant(e, NULL);

        ngx_gw_leases_complain(ls, &ls->log_refill, "refill", reply);
    }

    ngx_gw_leases_free(e);
}


/* "v" is the reply of lua/take.lua; NULL if there is none */

static void
ngx_gw_leases_grant(ngx_gw_leases_errand_t *e, const int64_t *v)
{
    int64_t                     granted, left, full, windows[GW_QUOTA_UNITS];
    ngx_uint_t                  i, n;
    gw_lease_back_t             back;
    ngx_gw_leases_t            *ls;
    ngx_gw_buckets_tables_t    *t;
    ngx_gw_buckets_counters_t  *counters;

    ls = e->leases;

    granted = 0;
    left = 0;
    full = 0;

    ngx_memzero(windows, sizeof(windows));

    if (v != NULL) {
        left = v[1];
        full = v[3];
        granted = v[4];

        for (i = 0, n = 1; i < GW_QUOTA_UNITS; i++) {
            if (e->of.tier.quota[i].size != 0) {
                windows[i] = v[4 * n + 4];
                n++;
            }
        }
    }

    t = ngx_gw_buckets_lock(ls->buckets);

    (void) gw_lease_grant(t->lease, e->key, &e->of, ngx_current_msec, granted,
                          left, full, windows, &back);

    ngx_gw_buckets_unlock(ls->buckets);

    if (granted > 0) {
        counters = ngx_gw_buckets_counters(ls->buckets);
        (void) ngx_atomic_fetch_add(&counters->leased, granted);
    }

    if (back.tokens > 0) {
        ngx_gw_leases_give(ls, &back);
    }
}


void
ngx_gw_leases_give(ngx_gw_leases_t *ls, const gw_lease_back_t *back)
{
    ngx_gw_leases_errand_t     *e;
    ngx_gw_leases_command_t    *cmd;
    ngx_gw_buckets_counters_t  *counters;

    if (back->tokens <= 0) {
        return;
    }

    e = back->len != 0 ? ngx_gw_leases_errand(ls) : NULL;

    if (e == NULL) {
        counters = ngx_gw_buckets_counters(ls->buckets);
        (void) ngx_atomic_fetch_add(&counters->give_failed, back->tokens);
        return;
    }

    e->tokens = back->tokens;
    e->op.handler = ngx_gw_leases_given;

    cmd = &e->command;
    ngx_gw_leases_command_give(cmd, back);

    /* may call the handler, which frees the errand */

    ngx_gw_script_eval(ls->redis, &e->op, ls->scripts.give, cmd->nkeys,
                       cmd->argc, cmd->argv, ls->timeout);
}


static void
ngx_gw_leases_given(ngx_gw_script_op_t *op, ngx_gw_reply_t *reply)
{
    ngx_gw_leases_t            *ls;
    ngx_gw_leases_errand_t     *e;
    ngx_gw_buckets_counters_t  *counters;

    e = op->data;
    ls = e->leases;
    counters = ngx_gw_buckets_counters(ls->buckets);

    if (reply && ngx_gw_reply_error(reply) == NULL) {
        (void) ngx_atomic_fetch_add(&counters->returned, e->tokens);

    } else {
        (void) ngx_atomic_fetch_add(&counters->give_failed, e->tokens);

        ngx_gw_leases_complain(ls, &ls->log_give, "giving back", reply);
    }

    ngx_gw_leases_free(e);
}


/* those of this worker; "post": it exits, nobody waits for the answers */

static void
ngx_gw_leases_give_all(ngx_gw_leases_t *ls, ngx_uint_t post)
{
    uint64_t                    cursor;
    ngx_int_t                   rc;
    ngx_uint_t                  n;
    gw_lease_back_t             back;
    ngx_gw_leases_command_t     cmd;
    ngx_gw_buckets_tables_t    *t;
    ngx_gw_buckets_counters_t  *counters;

    counters = ngx_gw_buckets_counters(ls->buckets);
    cursor = 0;
    n = 0;

    do {
        t = ngx_gw_buckets_lock(ls->buckets);

        rc = gw_lease_expired(t->lease, ngx_current_msec, ngx_pid, &cursor,
                              &back);

        ngx_gw_buckets_unlock(ls->buckets);

        if (rc != GW_OK) {
            continue;
        }

        if (!post) {
            ngx_gw_leases_give(ls, &back);
            n++;
            continue;
        }

        /* the first one brings the text, should Redis not know the script */

        ngx_gw_leases_command_give(&cmd, &back);

        if (ngx_gw_leases_command_post(&cmd, ls->redis, ls->scripts.give,
                                       n++ == 0)
            != NGX_OK)
        {
            (void) ngx_atomic_fetch_add(&counters->give_failed, back.tokens);
            break;
        }

        (void) ngx_atomic_fetch_add(&counters->returned, back.tokens);

    } while (rc != GW_DECLINED && n < NGX_GW_LEASES_OPS);
}


/* one worker of the machine in its turn; a long turn is cut in pieces */

static void
ngx_gw_leases_sweep(ngx_event_t *ev)
{
    ngx_uint_t        i;
    ngx_gw_leases_t  *ls;

    ls = ev->data;

    if (ngx_exiting) {

        /*
         * The client has closed its idle connection, and opens another one:
         * so this is not left to the exit, and the timer is not cancelable.
         */

        ngx_gw_leases_give_all(ls, 0);
        return;
    }

    if (ls->cursor == 0
        && !ngx_gw_buckets_sweep(ls->buckets, NGX_GW_LEASES_SWEEP / 2))
    {
        ngx_add_timer(ev, NGX_GW_LEASES_SWEEP);
        return;
    }

    for (i = 0; i < NGX_GW_LEASES_STEPS; i++) {

        if (ngx_gw_leases_sweep_step(ls) == NGX_DONE) {
            ls->cursor = 0;
            break;
        }
    }

    ngx_add_timer(ev, ls->cursor ? NGX_GW_LEASES_SOON : NGX_GW_LEASES_SWEEP);
}


static ngx_int_t
ngx_gw_leases_sweep_step(ngx_gw_leases_t *ls)
{
    ngx_int_t                 rc;
    gw_lease_back_t           back;
    ngx_gw_buckets_tables_t  *t;

    /* what exceeds the bound would be lost: it stays for the next turn */

    if (ls->n >= NGX_GW_LEASES_OPS / 2) {
        return NGX_AGAIN;
    }

    t = ngx_gw_buckets_lock(ls->buckets);

    rc = gw_lease_expired(t->lease, ngx_current_msec, 0, &ls->cursor, &back);

    ngx_gw_buckets_unlock(ls->buckets);

    if (rc == GW_OK) {
        ngx_gw_leases_give(ls, &back);
    }

    return rc == GW_DECLINED ? NGX_DONE : NGX_OK;
}


static void
ngx_gw_leases_beat(ngx_event_t *ev)
{
    ngx_str_t        *arg;
    ngx_uint_t        due;
    ngx_gw_leases_t  *ls;

    ls = ev->data;

    if (ngx_exiting) {
        return;
    }

    /* asked in any case: it moves the time for the other workers */

    due = ngx_gw_buckets_beat(ls->buckets, NGX_GW_LEASES_BEAT);

    ngx_add_timer(ev, ls->late ? NGX_GW_LEASES_AGAIN : NGX_GW_LEASES_BEAT);

    if ((!due && !ls->late) || ls->beating) {
        return;
    }

    arg = &ls->argv[NGX_GW_SCRIPT_ARGS];

    ngx_str_set(&arg[0], NGX_GW_LEASES_NODES);
    arg[1] = ngx_gw_buckets_id(ls->buckets);

    arg[2].data = ls->gone;
    arg[2].len = ngx_sprintf(ls->gone, "%ui",
                             (ngx_uint_t) NGX_GW_LEASES_GONE * 1000)
                 - ls->gone;

    ls->beating = 1;

    ngx_gw_script_eval(ls->redis, &ls->op, ls->scripts.nodes, 1,
                       NGX_GW_SCRIPT_ARGS + 3, ls->argv, ls->timeout);
}


static void
ngx_gw_leases_beaten(ngx_gw_script_op_t *op, ngx_gw_reply_t *reply)
{
    int64_t                     nodes;
    ngx_gw_leases_t            *ls;
    ngx_gw_buckets_counters_t  *counters;

    ls = op->data;

    ls->beating = 0;

    if (reply && ngx_gw_reply_integer(reply, &nodes) == NGX_OK && nodes > 0) {
        counters = ngx_gw_buckets_counters(ls->buckets);
        (void) ngx_atomic_fetch_add(&counters->beats, 1);

        ngx_gw_buckets_set_nodes(ls->buckets, (ngx_uint_t) nodes);

        ls->late = 0;
        return;
    }

    /* the number stays as it is; this worker tries again, and soon */

    if (!ls->late) {
        ls->late = 1;

        if (!ngx_exiting) {
            ngx_add_timer(&ls->beat, NGX_GW_LEASES_AGAIN);
        }
    }

    ngx_gw_leases_complain(ls, &ls->log_beat, "heartbeat", reply);
}


/* what has no reply, the client has logged already */

static void
ngx_gw_leases_complain(ngx_gw_leases_t *ls, ngx_gw_log_t *site,
    const char *what, const ngx_gw_reply_t *reply)
{
    ngx_str_t   reason;
    ngx_uint_t  n;

    if (reply == NULL || !ngx_gw_log_pass(site, &n)) {
        return;
    }

    if (ngx_gw_reply_error(reply) != NULL) {
        reason = ngx_gw_reply_reason(reply);

    } else {
        ngx_str_set(&reason, "unexpected reply");
    }

    ngx_log_error(NGX_LOG_ERR, ls->log, 0,
                  "gw leases: %s failed: %V, %ui more", what, &reason, n);
}
