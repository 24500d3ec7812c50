
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What all workers of the auth module share besides the identity zone: for
 * each provider a breaker and counters.  Counters are atomics, never locked,
 * so a page of metrics is not one moment; they have 64 bits, on platforms
 * without 64-bit atomics 32 bits, and then start over, which Prometheus takes
 * for a restart.
 *
 * ngx_http_gw_auth_state_add() makes the zone, when all providers are known;
 * its name holds a digest of the providers' names, so that a reload with the
 * same ones goes on counting.  Without providers there is none, and the rest
 * does nothing.
 *
 * ngx_http_gw_auth_count_decision() counts a reason; provider NULL: none was
 * chosen, its label is empty.  The rest counts for a provider.
 *
 * ngx_http_gw_auth_breaker_ask() and _report() are gw_breaker.h's, under the
 * zone's lock, with the present time.  The first failure that opens it and
 * the success that closes it are logged.  _wait() is in ms.
 *
 * ngx_http_gw_auth_metrics() writes the page, NGX_OK or NGX_ERROR.
 */

#ifndef _NGX_HTTP_GW_AUTH_STATE_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_STATE_H_INCLUDED_


#include "ngx_http_gw_auth_conf.h"
#include "ngx_http_gw_auth_reason.h"

#include "gw_breaker.h"


#define NGX_HTTP_GW_AUTH_BOUNDS  10


typedef enum {
    NGX_HTTP_GW_AUTH_C_FALLBACK = 0,      /* identities by the fallback */
    NGX_HTTP_GW_AUTH_C_ASKED,             /* introspections, lookups begun */
    NGX_HTTP_GW_AUTH_C_JOINED,            /* waited for another's */
    NGX_HTTP_GW_AUTH_C_FAILED,            /* no answer, or a bad one */
    NGX_HTTP_GW_AUTH_C_BUSY,              /* over "max" */
    NGX_HTTP_GW_AUTH_C_OPEN,              /* not asked: the breaker is open */
    NGX_HTTP_GW_AUTH_C_REVOKED,           /* by the revocation list */
    NGX_HTTP_GW_AUTH_C_SIGNED,            /* passports; provider NULL */
    NGX_HTTP_GW_AUTH_C_MAX
} ngx_http_gw_auth_counter_e;


/* of a provider, in shared memory; the last one is of no provider */

typedef struct {
    gw_breaker_t     breaker;
    ngx_atomic_t     decisions[NGX_HTTP_GW_AUTH_REASON_MAX];
    ngx_atomic_t     counters[NGX_HTTP_GW_AUTH_C_MAX];
    ngx_atomic_t     latency[NGX_HTTP_GW_AUTH_BOUNDS + 1];
    ngx_atomic_t     usec;            /* the sum of all latencies */
} ngx_http_gw_auth_slot_t;


GW_HIDDEN_BEGIN

/* what an answer's latency is compared with, in ms */

extern const uint32_t  ngx_http_gw_auth_bounds[NGX_HTTP_GW_AUTH_BOUNDS];

ngx_int_t ngx_http_gw_auth_state_add(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf);

void ngx_http_gw_auth_count_decision(
    const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, ngx_uint_t reason);
void ngx_http_gw_auth_count(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider,
    ngx_http_gw_auth_counter_e counter);
void ngx_http_gw_auth_count_latency(const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, uint64_t usec);

ngx_int_t ngx_http_gw_auth_breaker_ask(
    const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider);
void ngx_http_gw_auth_breaker_report(
    const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider, ngx_uint_t ok,
    ngx_log_t *log);
ngx_msec_t ngx_http_gw_auth_breaker_wait(
    const ngx_http_gw_auth_main_conf_t *gamcf,
    const ngx_http_gw_auth_provider_t *provider);

ngx_int_t ngx_http_gw_auth_metrics(ngx_http_request_t *r, ngx_str_t *text);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_STATE_H_INCLUDED_ */
