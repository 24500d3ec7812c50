
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The table of revocations, in one block of memory shared by processes: no
 * pointers, nothing is locked here, times are arguments in seconds.
 *
 * gw_revoke_mark() makes the name of what is revoked: the first
 * GW_REVOKE_MARK bytes of SHA-256 over the kind and the length-prefixed
 * texts: "jti" (issuer, may be empty; jti), "sub" (empty; the subject),
 * "key" (empty; SHA-256 of the key in lower-case hex).  GW_OK, or GW_ERROR if
 * OpenSSL fails.
 *
 * gw_revoke_put() adds or replaces a mark: "until" is when it may be
 * forgotten; identities issued at "before" or later are not meant, INT64_MAX:
 * all are.  Of two entries of one mark the later "until" and the later
 * "before" hold.
 *
 *     GW_OK        stored
 *     GW_DECLINED  "until" is over, nothing to store
 *     GW_ERROR     the table is full of entries that still hold
 *
 * gw_revoke_check() returns GW_DECLINED if one of "n" marks is revoked for an
 * identity issued at "issued" (0 if unknown: any "before" is later), GW_OK
 * otherwise.
 *
 * gw_revoke_init() formats "size" bytes, at least GW_REVOKE_MIN, aligned to 8:
 * GW_OK or GW_ERROR.  An entry takes 32 bytes; the table is full at 7/8.  What
 * has expired is removed once half of it is taken.  Whatever bytes are changed
 * in there, no function leaves the block; with a broken header all identities
 * are taken for revoked.
 *
 * gw_revoke_stats() walks over the table if something may have expired.
 */

#ifndef _GW_REVOKE_H_INCLUDED_
#define _GW_REVOKE_H_INCLUDED_


#include "gw_base.h"


#define GW_REVOKE_MARK  16
#define GW_REVOKE_MIN   4096


typedef struct gw_revoke_s  gw_revoke_t;

typedef enum {
    GW_REVOKE_JTI = 1,
    GW_REVOKE_SUB,
    GW_REVOKE_KEY
} gw_revoke_kind_e;


GW_HIDDEN_BEGIN

int gw_revoke_mark(gw_revoke_kind_e kind, const gw_str_t *issuer,
    const gw_str_t *id, uint8_t *mark);

int gw_revoke_init(void *block, size_t size);
int gw_revoke_put(gw_revoke_t *rv, const uint8_t *mark, int64_t now,
    int64_t until, int64_t before);
int gw_revoke_check(const gw_revoke_t *rv, uint8_t (*marks)[GW_REVOKE_MARK],
    size_t n, int64_t now, int64_t issued);
void gw_revoke_stats(const gw_revoke_t *rv, int64_t now, uint64_t *used,
    uint64_t *size);

GW_HIDDEN_END


#endif /* _GW_REVOKE_H_INCLUDED_ */
