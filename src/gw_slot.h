
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The slots of a Redis cluster.  Pure.
 *
 * gw_slot() is the slot of a key: of its hash tag, if it has one.
 *
 * gw_slot_redirect() reads what follows "MOVED " or "ASK " of a node, such as
 * "3999 127.0.0.1:6381": slot, host and port; the host may be an IPv6 address
 * (without brackets, as Redis writes it) or empty, which means the node that
 * said so.  GW_OK, or GW_ERROR, and then nothing is stored.
 *
 * gw_slot_host() tells whether a text may be a node's name or address: 1 to
 * GW_SLOT_HOST letters, digits and "._:-".  It is safe in a log.
 */

#ifndef _GW_SLOT_H_INCLUDED_
#define _GW_SLOT_H_INCLUDED_


#include "gw_base.h"


#define GW_SLOTS      16384
#define GW_SLOT_HOST  255       /* bytes */


GW_HIDDEN_BEGIN

unsigned gw_slot(const gw_str_t *key);
int gw_slot_redirect(const gw_str_t *text, unsigned *slot, gw_str_t *host,
    unsigned *port);
int gw_slot_host(const gw_str_t *host);

GW_HIDDEN_END


#endif /* _GW_SLOT_H_INCLUDED_ */
