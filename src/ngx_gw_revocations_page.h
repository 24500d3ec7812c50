
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Entries of the stream of revocations (ngx_gw_revocations.h) as marks for
 * the table: reads a reply, changes nothing else.
 *
 * ngx_gw_revocations_page_read() reads the answer to XRANGE with at most
 * "count" new entries, all of them behind "from".  It sets what follows
 * "items".  If "known" is set, the answer has to begin with the entry "from",
 * which is not read again.
 *
 *     NGX_OK        read
 *     NGX_DECLINED  the entry "from" is gone, nothing was read
 *     NGX_ERROR     no such answer, an error reply for example, or memory is
 *                   short
 *
 * An entry that names nothing to revoke, or says it badly, is counted, and
 * "wrong" tells what is the matter with the last one, "wrong_id".  Whatever
 * it names is revoked all the same: without a usable "until" it is kept for
 * NGX_GW_REVOCATIONS_KEEP.
 */

#ifndef _NGX_GW_REVOCATIONS_PAGE_H_INCLUDED_
#define _NGX_GW_REVOCATIONS_PAGE_H_INCLUDED_


#include "ngx_gw.h"

#include "gw_revoke.h"
#include "ngx_gw_resp.h"


#define NGX_GW_REVOCATIONS_PAGE   512
#define NGX_GW_REVOCATIONS_KINDS  3                    /* "jti", "sub", "key" */

#define NGX_GW_REVOCATIONS_KEEP   (30 * 24 * 3600)     /* s */

/* a token ends at "exp" and "leeway", which is 300 s at most */

#define NGX_GW_REVOCATIONS_SLACK  300


typedef struct {
    uint64_t                     ms;
    uint64_t                     seq;
} ngx_gw_revocations_id_t;


typedef struct {
    u_char                       mark[GW_REVOKE_MARK];
    int64_t                      until;
    int64_t                      before;
} ngx_gw_revocations_item_t;


typedef struct {
    ngx_gw_revocations_item_t    items[NGX_GW_REVOCATIONS_PAGE
                                       * NGX_GW_REVOCATIONS_KINDS];
    ngx_uint_t                   nitems;
    ngx_uint_t                   entries;      /* new ones */
    ngx_gw_revocations_id_t      last;         /* "from" if no entries */
    ngx_uint_t                   malformed;    /* of the entries */
    const char                  *wrong;
    ngx_gw_revocations_id_t      wrong_id;

    unsigned                     failed:1;     /* memory is short */
} ngx_gw_revocations_page_t;


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_revocations_page_read(ngx_gw_revocations_page_t *page,
    const ngx_gw_reply_t *reply, const ngx_gw_revocations_id_t *from,
    ngx_uint_t known, ngx_uint_t count, time_t now);

GW_HIDDEN_END


#endif /* _NGX_GW_REVOCATIONS_PAGE_H_INCLUDED_ */
