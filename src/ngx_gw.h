
/*
 * Copyright (C) The nginx gateway modules authors
 */


#ifndef _NGX_GW_H_INCLUDED_
#define _NGX_GW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "gw_base.h"


static ngx_inline ngx_uint_t
ngx_gw_str_equal(const ngx_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len && ngx_memcmp(a->data, b->data, a->len) == 0;
}


/* as ngx_sprintf() does with "%L", which takes ten times as long */

static ngx_inline u_char *
ngx_gw_number(u_char *p, int64_t n)
{
    u_char  *q, text[NGX_INT64_LEN];

    if (n < 0) {
        return ngx_sprintf(p, "%L", n);
    }

    q = text + NGX_INT64_LEN;

    do {
        *--q = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return ngx_cpymem(p, q, text + NGX_INT64_LEN - q);
}


#endif /* _NGX_GW_H_INCLUDED_ */
