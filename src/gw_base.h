
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What every file of the pure layer shares: return codes, slices, and
 * visibility.  Nothing here knows nginx; the codes have nginx's values, so
 * that the border between the two layers needs no table.
 *
 * Each of the three modules carries its own copy of the shared sources, and
 * nginx loads modules with RTLD_GLOBAL.  Declarations between GW_HIDDEN_BEGIN
 * and GW_HIDDEN_END stay private to the module they were linked into.
 */

#ifndef _GW_BASE_H_INCLUDED_
#define _GW_BASE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define GW_HIDDEN_BEGIN  _Pragma("GCC visibility push(hidden)")
#define GW_HIDDEN_END    _Pragma("GCC visibility pop")


#define GW_OK         0
#define GW_ERROR     -1
#define GW_AGAIN     -2
#define GW_DECLINED  -5


/* a slice of somebody else's memory, not terminated by a NUL */

typedef struct {
    size_t       len;
    const char  *data;
} gw_str_t;


#define gw_str(text)  { sizeof(text) - 1, text }


#endif /* _GW_BASE_H_INCLUDED_ */
