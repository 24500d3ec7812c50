
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What the names of the files tell, of DIR and of the tails together.  For
 * ngx_gw_journal_file_find() alone.  Returns 0 or an errno; lists are sorted,
 * without duplicates, and freed by the caller with free().
 *
 * Memory: 16 bytes a generation, 4 bytes a segment of the one asked for; at
 * most twice that.
 */

#ifndef _NGX_GW_JOURNAL_SCAN_H_INCLUDED_
#define _NGX_GW_JOURNAL_SCAN_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_journal_file.h"


typedef struct {
    uint64_t    generation;
    uint32_t    number;        /* of the first segment, or 0 */
    uint32_t    live;          /* has a table */
} ngx_gw_journal_scan_seen_t;


GW_HIDDEN_BEGIN

ngx_err_t ngx_gw_journal_scan_generations(ngx_gw_journal_place_t *place,
    ngx_gw_journal_scan_seen_t **seen, ngx_uint_t *n, ngx_uint_t *kept);
ngx_err_t ngx_gw_journal_scan_numbers(ngx_gw_journal_place_t *place,
    uint64_t generation, uint32_t **numbers, ngx_uint_t *n);

GW_HIDDEN_END


#endif /* _NGX_GW_JOURNAL_SCAN_H_INCLUDED_ */
