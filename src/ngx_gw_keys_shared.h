
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What the workers share of a set of keys: its text, and who fetches it when.
 * Each function takes the zone's lock, _dead() does not.  Times are
 * milliseconds of ngx_current_msec, the same clock in all workers.
 *
 * _take() returns 1 if the set is due, and puts the mark of this worker: it
 * has to fetch.  A worker that is "fetching" prolongs its mark.  "left" is
 * the time until it has to be asked again.
 *
 * _force() does so for an unknown key, once in "cooldown":
 *
 *     NGX_DONE      this worker has to fetch
 *     NGX_AGAIN     somebody does
 *     NGX_OK        the generation is another one than the caller's
 *     NGX_DECLINED  it is too early
 *
 * _end() ends a fetch, with a good text of GW_JWKS_MAX_TEXT bytes at most, or
 * with NULL.  It returns the generation that is now the present one; in
 * "failures" how many there were in a row, up to this end.
 *
 * _read() copies the text, "text" may be NULL, and returns its generation.
 */

#ifndef _NGX_GW_KEYS_SHARED_H_INCLUDED_
#define _NGX_GW_KEYS_SHARED_H_INCLUDED_


#include "ngx_gw_keys.h"


#define NGX_GW_KEYS_RENEW  1000       /* ms, an owner prolongs its mark */


typedef struct {
    volatile uint64_t       generation;
    ngx_atomic_t            rounds;       /* fetches that have ended */
    ngx_atomic_t            renewed;      /* the last one that was good */

    ngx_msec_t              ended;        /* the last fetch */
    ngx_msec_t              forced;       /* by an unknown key, the last */
    ngx_msec_t              until;        /* the mark's end */
    ngx_pid_t               owner;        /* of the mark, 0: nobody's */
    ngx_uint_t              failures;     /* in a row */

    uint64_t                fetched;
    uint64_t                failed;

    size_t                  len;

    unsigned                was_forced:1;

    char                    text[GW_JWKS_MAX_TEXT];
} ngx_gw_keys_shared_t;


GW_HIDDEN_BEGIN

void ngx_gw_keys_shared_reset(void *block, size_t size, void *data);

ngx_uint_t ngx_gw_keys_shared_take(const ngx_gw_keys_conf_t *conf,
    ngx_uint_t fetching, ngx_msec_int_t *left);
ngx_int_t ngx_gw_keys_shared_force(const ngx_gw_keys_conf_t *conf,
    uint64_t generation, ngx_atomic_uint_t *rounds);
ngx_uint_t ngx_gw_keys_shared_dead(const ngx_gw_keys_conf_t *conf,
    const ngx_gw_keys_shared_t *sh);
uint64_t ngx_gw_keys_shared_read(const ngx_gw_keys_conf_t *conf, char *text,
    size_t *len);
uint64_t ngx_gw_keys_shared_end(const ngx_gw_keys_conf_t *conf,
    const ngx_str_t *text, ngx_uint_t *failures);
void ngx_gw_keys_shared_release(const ngx_gw_keys_conf_t *conf);

GW_HIDDEN_END


#endif /* _NGX_GW_KEYS_SHARED_H_INCLUDED_ */
