
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_worker.h"

#include "gw_scripts.h"


static ngx_int_t ngx_http_gw_ratelimit_worker_slots(ngx_cycle_t *cycle,
    ngx_http_gw_ratelimit_main_conf_t *grmcf,
    ngx_http_gw_ratelimit_worker_t *worker);


static const ngx_gw_script_t  ngx_http_gw_ratelimit_worker_take = {
    ngx_string(GW_SCRIPT_TAKE_TEXT),
    ngx_string(GW_SCRIPT_TAKE_SHA1)
};


static const ngx_gw_script_t  ngx_http_gw_ratelimit_worker_give = {
    ngx_string(GW_SCRIPT_GIVE_TEXT),
    ngx_string(GW_SCRIPT_GIVE_SHA1)
};


static const ngx_gw_script_t  ngx_http_gw_ratelimit_worker_nodes_script = {
    ngx_string(GW_SCRIPT_NODES_TEXT),
    ngx_string(GW_SCRIPT_NODES_SHA1)
};


static const ngx_gw_leases_scripts_t  ngx_http_gw_ratelimit_worker_scripts = {
    &ngx_http_gw_ratelimit_worker_take,
    &ngx_http_gw_ratelimit_worker_give,
    &ngx_http_gw_ratelimit_worker_nodes_script
};


ngx_int_t
ngx_http_gw_ratelimit_worker_init(ngx_cycle_t *cycle,
    ngx_http_gw_ratelimit_main_conf_t *grmcf)
{
    ngx_http_gw_ratelimit_worker_t  *worker;

    worker = ngx_pcalloc(cycle->pool, sizeof(ngx_http_gw_ratelimit_worker_t));
    if (worker == NULL) {
        return NGX_ERROR;
    }

    grmcf->worker = worker;

    worker->scripts = &ngx_http_gw_ratelimit_worker_scripts;
    worker->counters = ngx_gw_buckets_counters(grmcf->buckets);

    if (ngx_http_gw_ratelimit_worker_slots(cycle, grmcf, worker) != NGX_OK) {
        return NGX_ERROR;
    }

    worker->redis = ngx_gw_redis_create(&grmcf->redis, cycle->log);
    if (worker->redis == NULL) {
        return NGX_ERROR;
    }

    if (grmcf->list.key.len) {
        worker->tiers = ngx_gw_tiers_create(&grmcf->list, worker->redis,
                                            cycle->log);
        if (worker->tiers == NULL) {
            return NGX_ERROR;
        }
    }

    worker->leases = ngx_gw_leases_create(grmcf->buckets, worker->redis,
                                          worker->scripts,
                                          grmcf->redis.timeout,
                                          grmcf->heartbeat, cycle->log);

    return worker->leases ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_gw_ratelimit_worker_slots(ngx_cycle_t *cycle,
    ngx_http_gw_ratelimit_main_conf_t *grmcf,
    ngx_http_gw_ratelimit_worker_t *worker)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    name = grmcf->names.elts;

    worker->slots = ngx_palloc(cycle->pool, grmcf->names.nelts
                                            * sizeof(ngx_gw_buckets_slot_t *));
    if (worker->slots == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < grmcf->names.nelts; i++) {
        worker->slots[i] = ngx_gw_buckets_slot(grmcf->buckets, &name[i]);
    }

    return NGX_OK;
}


void
ngx_http_gw_ratelimit_worker_exit(ngx_http_gw_ratelimit_main_conf_t *grmcf)
{
    ngx_http_gw_ratelimit_worker_t  *worker;

    worker = grmcf->worker;

    if (worker->leases) {
        ngx_gw_leases_destroy(worker->leases);
    }

    if (worker->tiers) {
        ngx_gw_tiers_destroy(worker->tiers);
    }

    if (worker->redis) {
        ngx_gw_redis_destroy(worker->redis);
    }

    grmcf->worker = NULL;
}


ngx_uint_t
ngx_http_gw_ratelimit_worker_nodes(
    const ngx_http_gw_ratelimit_main_conf_t *grmcf)
{
    ngx_uint_t  nodes;

    nodes = ngx_gw_buckets_nodes(grmcf->buckets);
    nodes = ngx_max(nodes, grmcf->nodes);

    return nodes ? nodes : 1;
}
