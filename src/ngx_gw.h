
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


#endif /* _NGX_GW_H_INCLUDED_ */
