
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The name of a bucket in Redis: gw:{KEY}:LIMIT:TIER, without the last part
 * if the tier has no name.  "tag" is {KEY} in it: keys of one tag lie in one
 * slot of a cluster.
 *
 * A key of other characters than the plain ones, or of more than
 * NGX_HTTP_GW_RATELIMIT_KEY bytes, is replaced by "#" and a digest: the braces
 * stay ours, Redis holds no secrets, and the memory of a bucket is bounded.
 *
 * NGX_OK, or NGX_ERROR if out of memory.
 */

#ifndef _NGX_HTTP_GW_RATELIMIT_KEY_H_INCLUDED_
#define _NGX_HTTP_GW_RATELIMIT_KEY_H_INCLUDED_


#include "ngx_gw.h"


#define NGX_HTTP_GW_RATELIMIT_KEY     64
#define NGX_HTTP_GW_RATELIMIT_DIGEST  16     /* bytes of SHA-256 */


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_ratelimit_key(ngx_pool_t *pool, const ngx_str_t *limit,
    const ngx_str_t *tier, const ngx_str_t *key, ngx_str_t *bucket,
    ngx_str_t *tag);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_RATELIMIT_KEY_H_INCLUDED_ */
