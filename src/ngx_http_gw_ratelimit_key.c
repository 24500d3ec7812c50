
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_ratelimit_key.h"
#include "gw_sha256.h"


static ngx_uint_t ngx_http_gw_ratelimit_key_is_plain(const ngx_str_t *key);


ngx_int_t
ngx_http_gw_ratelimit_key(ngx_pool_t *pool, const ngx_str_t *limit,
    const ngx_str_t *tier, const ngx_str_t *key, ngx_str_t *bucket,
    ngx_str_t *tag)
{
    u_char  *p;
    size_t   len;
    u_char   digest[GW_SHA256_SIZE];

    len = sizeof("gw:{#}::") - 1 + NGX_HTTP_GW_RATELIMIT_KEY + limit->len
          + tier->len;

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    bucket->data = p;

    p = ngx_cpymem(p, "gw:", 3);

    tag->data = p;

    *p++ = '{';

    if (ngx_http_gw_ratelimit_key_is_plain(key)) {
        p = ngx_cpymem(p, key->data, key->len);

    } else {
        if (gw_sha256(&(gw_str_t) { key->len, (const char *) key->data }, 1,
                      digest)
            != GW_OK)
        {
            return NGX_ERROR;
        }

        *p++ = '#';
        p = ngx_hex_dump(p, digest, NGX_HTTP_GW_RATELIMIT_DIGEST);
    }

    *p++ = '}';

    tag->len = p - tag->data;

    *p++ = ':';
    p = ngx_cpymem(p, limit->data, limit->len);

    if (tier->len) {
        *p++ = ':';
        p = ngx_cpymem(p, tier->data, tier->len);
    }

    bucket->len = p - bucket->data;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_gw_ratelimit_key_is_plain(const ngx_str_t *key)
{
    u_char      ch;
    ngx_uint_t  i;

    if (key->len > NGX_HTTP_GW_RATELIMIT_KEY) {
        return 0;
    }

    for (i = 0; i < key->len; i++) {

        ch = key->data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_'
            || ch == '.' || ch == ':' || ch == '@' || ch == '|')
        {
            continue;
        }

        return 0;
    }

    return 1;
}
