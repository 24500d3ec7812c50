
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The files of the journal.  All functions but the two that close block: they
 * are called by threads of the pool, at the start of a worker, and at its
 * exit.  They use nothing of nginx but its types, and return 0 or the errno of
 * what failed; "what" in the place tells what that was.
 *
 * A place is the two directories, opened.  Each thread uses a copy of it.
 * Files are made, counted and adopted under a lock on DIR, so that "size" is
 * exact: making one that would exceed it, with all that lies in DIR, is
 * EDQUOT.  Kept segments that are older than "keep", or in the way, are
 * removed first, the oldest first; then damaged ones, if they are in the way.
 *
 * _own() makes the lock and the in-flight table of a generation, mapped;
 * EEXIST: draw another generation.  A table that can't be made is NULL, and
 * no error.
 *
 * _create() makes segment "number": the tail, preallocated, mapped, touched,
 * with its header, and the file in DIR, preallocated.  Nothing is written to
 * that one.
 *
 * _copy() writes the tail's bytes [from, to) and the acknowledged offset to
 * the file in DIR, and syncs it, with "from" 0 its name in DIR as well; that
 * offset alone if there is no map.  The file is opened for the time being if
 * "fd" is -1.  After an error all since "from" has to be copied again.
 *
 * _release() unmaps and unlinks the tail.  _remove() unlinks what is left of
 * a segment, whatever of it is there, and closes "fd" unless that is -1; it is
 * kept, cut to "size", if the configuration says so, and put aside as ".bad"
 * if "bad", of which the newest 16 stay.
 *
 * _find() adopts one generation without an owner which matches "conf"; 0, or
 * ENOENT: there is none.  "foreign" counts those that do not match, all of
 * them if ENOENT.  One so damaged that it can't be told is adopted.  "numbers"
 * is freed by the caller.  Its segments are opened by _open(), the tail if
 * there is one, and read by _read(), which returns the bytes read, or -1 and
 * sets "err".  "acked" is the larger one of the tail and the file in DIR.
 *
 * _leave() frees a slot in the table of an orphan.  _finish() removes what is
 * left of a generation: its table, at last the lock.  _disown() lets go of it,
 * for another worker.  Both free the table.
 *
 * _bury() appends bytes to ".dead" of a generation, a segment of its own kind
 * with the same header, and syncs it.  It is not refused for "size".
 */

#ifndef _NGX_GW_JOURNAL_FILE_H_INCLUDED_
#define _NGX_GW_JOURNAL_FILE_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_journal_conf.h"

#include "gw_journal.h"


typedef struct {
    const ngx_gw_journal_conf_t  *conf;
    int                           dir;
    int                           tails;
    const char                   *what;
} ngx_gw_journal_place_t;


typedef struct {
    uint64_t                      generation;
    int                           lock;
    void                         *table;        /* mapped, if it is ours */
    size_t                        table_size;
    unsigned                      copied:1;     /* an orphan's, by malloc() */
} ngx_gw_journal_owner_t;


typedef struct {
    uint64_t                      generation;
    uint32_t                      number;
    int                           fd;           /* in DIR, or an orphan's */
    char                         *map;          /* the tail, if it is ours */
    size_t                        size;         /* of the file */
    uint64_t                      acked;        /* as the header says; _open */
    unsigned                      tail:1;       /* there is one */
} ngx_gw_journal_file_t;


typedef struct {
    ngx_gw_journal_owner_t        owner;        /* the table is a copy */
    uint32_t                     *numbers;      /* of segments, ascending */
    ngx_uint_t                    n;
    ngx_uint_t                    foreign;
} ngx_gw_journal_orphan_t;


GW_HIDDEN_BEGIN

ngx_err_t ngx_gw_journal_place_open(ngx_gw_journal_place_t *place,
    const ngx_gw_journal_conf_t *jcf);
ngx_err_t ngx_gw_journal_place_renew(ngx_gw_journal_place_t *place);
void ngx_gw_journal_place_close(ngx_gw_journal_place_t *place);

ngx_err_t ngx_gw_journal_file_own(ngx_gw_journal_place_t *place,
    ngx_gw_journal_owner_t *owner, size_t table);
ngx_err_t ngx_gw_journal_file_create(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file);
ngx_err_t ngx_gw_journal_file_copy(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file, size_t from, size_t to, uint64_t acked);
ngx_err_t ngx_gw_journal_file_release(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file);
ngx_err_t ngx_gw_journal_file_remove(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file, size_t size, ngx_uint_t bad);

ngx_err_t ngx_gw_journal_file_find(ngx_gw_journal_place_t *place,
    ngx_gw_journal_orphan_t *orphan);
ngx_err_t ngx_gw_journal_file_open(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file);
ssize_t ngx_gw_journal_file_read(ngx_gw_journal_file_t *file, void *buf,
    size_t size, off_t offset, ngx_err_t *err);
ngx_err_t ngx_gw_journal_file_leave(ngx_gw_journal_place_t *place,
    uint64_t generation, size_t slot);
ngx_err_t ngx_gw_journal_file_finish(ngx_gw_journal_place_t *place,
    ngx_gw_journal_owner_t *owner);
void ngx_gw_journal_file_disown(ngx_gw_journal_owner_t *owner);
ngx_err_t ngx_gw_journal_file_bury(ngx_gw_journal_place_t *place,
    uint64_t generation, const void *data, size_t len);

GW_HIDDEN_END


#endif /* _NGX_GW_JOURNAL_FILE_H_INCLUDED_ */
