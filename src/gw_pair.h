
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Pairs of names and values, as in a Cookie header and in a query string.
 *
 * Both functions tell whether the pair at "p", before "last", has the name,
 * and set where its value begins and where it ends: at a separator, or at
 * "last".  The next pair begins one byte later.
 *
 * gw_pair_cookie() ignores blanks around the name, since not every upstream
 * keeps them; blanks around the value are still in it.  Without "=" there is
 * no name.  gw_pair_arg() decodes the name; without "=" the value is empty.
 *
 * gw_pair_byte() decodes a byte of an argument and returns where the next one
 * begins; "%" without two digits stands for itself, as does "+".
 */

#ifndef _GW_PAIR_H_INCLUDED_
#define _GW_PAIR_H_INCLUDED_


#include "gw_base.h"


typedef struct {
    unsigned char  *value;
    unsigned char  *end;
} gw_pair_t;


GW_HIDDEN_BEGIN

unsigned gw_pair_cookie(unsigned char *p, unsigned char *last,
    const gw_str_t *name, gw_pair_t *pair);
unsigned gw_pair_arg(unsigned char *p, unsigned char *last,
    const gw_str_t *name, gw_pair_t *pair);
unsigned char *gw_pair_byte(unsigned char *p, unsigned char *last,
    unsigned char *byte);

GW_HIDDEN_END


#endif /* _GW_PAIR_H_INCLUDED_ */
