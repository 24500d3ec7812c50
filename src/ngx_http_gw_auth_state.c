
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_state.h"

#include <ngx_md5.h>


#define NGX_HTTP_GW_AUTH_STATE_ZONE    "gw_auth_state:"
#define NGX_HTTP_GW_AUTH_STATE_DIGEST  16


static void ngx_http_gw_auth_state_reset(void *block, size_t size, void *data);
static ngx_http_gw_auth_slot_t *ngx_http_gw_auth_state_slot(
    const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, void *block);


extern ngx_module_t  ngx_http_gw_auth_module;


const uint32_t  ngx_http_gw_auth_bounds[NGX_HTTP_GW_AUTH_BOUNDS] =
    { 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000 };


ngx_int_t
ngx_http_gw_auth_state_add(ngx_conf_t *cf, ngx_http_gw_auth_main_conf_t *gamcf)
{
    u_char                        *p;
    u_char                         digest[NGX_HTTP_GW_AUTH_STATE_DIGEST];
    size_t                         size;
    ngx_md5_t                      md5;
    ngx_str_t                      name;
    ngx_uint_t                     i;
    ngx_http_gw_auth_provider_t  **provider;

    if (gamcf->providers.nelts == 0) {
        return NGX_OK;
    }

    size = (gamcf->providers.nelts + 1) * sizeof(ngx_http_gw_auth_slot_t);

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, &size, sizeof(size_t));

    provider = gamcf->providers.elts;

    for (i = 0; i < gamcf->providers.nelts; i++) {
        ngx_md5_update(&md5, &provider[i]->name.len, sizeof(size_t));
        ngx_md5_update(&md5, provider[i]->name.data, provider[i]->name.len);
    }

    ngx_md5_final(digest, &md5);

    name.len = sizeof(NGX_HTTP_GW_AUTH_STATE_ZONE) - 1
               + 2 * NGX_HTTP_GW_AUTH_STATE_DIGEST;

    name.data = ngx_pnalloc(cf->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(name.data, NGX_HTTP_GW_AUTH_STATE_ZONE,
                   sizeof(NGX_HTTP_GW_AUTH_STATE_ZONE) - 1);
    (void) ngx_hex_dump(p, digest, NGX_HTTP_GW_AUTH_STATE_DIGEST);

    gamcf->state = ngx_gw_zone_add(cf, &name, size, &ngx_http_gw_auth_module,
                                   ngx_http_gw_auth_state_reset, NULL);

    return gamcf->state ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_gw_auth_state_reset(void *block, size_t size, void *data)
{
    ngx_memzero(block, size);
}


static ngx_http_gw_auth_slot_t *
ngx_http_gw_auth_state_slot(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, void *block)
{
    ngx_http_gw_auth_slot_t  *slot = block;

    return slot + (provider ? provider->index : gamcf->providers.nelts);
}


void
ngx_http_gw_auth_count_decision(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, ngx_uint_t reason)
{
    ngx_http_gw_auth_slot_t  *slot;

    if (gamcf->state == NULL || reason >= NGX_HTTP_GW_AUTH_REASON_MAX) {
        return;
    }

    slot = ngx_http_gw_auth_state_slot(gamcf, provider,
                                       ngx_gw_zone_block(gamcf->state));

    (void) ngx_atomic_fetch_add(&slot->decisions[reason], 1);
}


void
ngx_http_gw_auth_count(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider,
    ngx_http_gw_auth_counter_e counter)
{
    ngx_http_gw_auth_slot_t  *slot;

    if (gamcf->state == NULL) {
        return;
    }

    slot = ngx_http_gw_auth_state_slot(gamcf, provider,
                                       ngx_gw_zone_block(gamcf->state));

    (void) ngx_atomic_fetch_add(&slot->counters[counter], 1);
}


void
ngx_http_gw_auth_count_latency(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, uint64_t usec)
{
    ngx_uint_t                i;
    ngx_http_gw_auth_slot_t  *slot;

    if (gamcf->state == NULL) {
        return;
    }

    slot = ngx_http_gw_auth_state_slot(gamcf, provider,
                                       ngx_gw_zone_block(gamcf->state));

    for (i = 0; i < NGX_HTTP_GW_AUTH_BOUNDS; i++) {
        if (usec <= (uint64_t) ngx_http_gw_auth_bounds[i] * 1000) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&slot->latency[i], 1);
    (void) ngx_atomic_fetch_add(&slot->usec, (ngx_atomic_int_t) usec);
}


ngx_int_t
ngx_http_gw_auth_breaker_ask(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider)
{
    int                       rc;
    ngx_http_gw_auth_slot_t  *slot;

    if (gamcf->state == NULL) {
        return NGX_OK;
    }

    slot = ngx_http_gw_auth_state_slot(gamcf, provider,
                                       ngx_gw_zone_lock(gamcf->state));

    rc = gw_breaker_ask(&slot->breaker, ngx_current_msec);

    ngx_gw_zone_unlock(gamcf->state);

    return rc;
}


void
ngx_http_gw_auth_breaker_report(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, ngx_uint_t ok, ngx_log_t *log)
{
    ngx_uint_t                open, opened;
    ngx_http_gw_auth_slot_t  *slot;

    if (gamcf->state == NULL) {
        return;
    }

    slot = ngx_http_gw_auth_state_slot(gamcf, provider,
                                       ngx_gw_zone_lock(gamcf->state));

    open = (slot->breaker.until != 0);

    gw_breaker_report(&slot->breaker, ngx_current_msec, (int) ok);

    opened = (slot->breaker.until != 0);

    ngx_gw_zone_unlock(gamcf->state);

    if (opened && !open) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "gw auth: provider \"%V\" is down, asked no more for "
                      "a while", &provider->name);

    } else if (open && !opened) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "gw auth: provider \"%V\" answers again",
                      &provider->name);
    }
}


ngx_msec_t
ngx_http_gw_auth_breaker_wait(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider)
{
    uint64_t                  wait;
    ngx_http_gw_auth_slot_t  *slot;

    if (gamcf->state == NULL) {
        return 0;
    }

    slot = ngx_http_gw_auth_state_slot(gamcf, provider,
                                       ngx_gw_zone_lock(gamcf->state));

    wait = gw_breaker_wait(&slot->breaker, ngx_current_msec);

    ngx_gw_zone_unlock(gamcf->state);

    return (ngx_msec_t) wait;
}
