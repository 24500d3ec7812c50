
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What the functions of ngx_gw_journal_file.h are made of.  For these alone.
 *
 * All return 0 or an errno.  Names are relative to an opened directory, links
 * are never followed, and what is not a regular file is EBADMSG, or does not
 * exist for ngx_gw_journal_dir_each().  Calls that were interrupted, or did a
 * part, go on.
 *
 * ngx_gw_journal_dir_lock() waits for the lock on DIR; closing it unlocks.
 * ngx_gw_journal_dir_flock() is the same for any file of DIR, which is still
 * the one of that name then; EWOULDBLOCK if LOCK_NB is in "operation".
 *
 * ngx_gw_journal_dir_allocate() gives a file its size and blocks.  Where the
 * file system can't reserve any, zeroes are written if "written", for what is
 * mapped must be there; else it gets its size alone.
 *
 * ngx_gw_journal_dir_room() makes room for "need" bytes, under the lock:
 * EDQUOT if there is none.  ngx_gw_journal_dir_bad() removes all damaged
 * segments but the newest NGX_GW_JOURNAL_DIR_BAD, under the lock.
 */

#ifndef _NGX_GW_JOURNAL_DIR_H_INCLUDED_
#define _NGX_GW_JOURNAL_DIR_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_journal_file.h"

#include "gw_journal.h"


#define NGX_GW_JOURNAL_DIR_BAD  16

/* what a name stands for is not ours */

#define ngx_gw_journal_dir_is_none(err)  ((err) == ENOENT || (err) == EBADMSG)


/* "name" is NULL if it is none of ours; an error ends the loop */

typedef ngx_err_t (*ngx_gw_journal_dir_pt)(void *data, int dir,
    const char *text, const gw_journal_name_t *name);


GW_HIDDEN_BEGIN

ngx_err_t ngx_gw_journal_dir_failed(ngx_gw_journal_place_t *place,
    const char *what, ngx_err_t err);
void ngx_gw_journal_dir_close(int *fd);
void ngx_gw_journal_dir_name(gw_journal_name_t *name, gw_journal_kind_e kind,
    uint64_t generation, uint32_t number);
void ngx_gw_journal_dir_header(ngx_gw_journal_place_t *place, char *header,
    uint64_t generation, uint32_t number);

ngx_err_t ngx_gw_journal_dir_lock(ngx_gw_journal_place_t *place, int *fd);
ngx_err_t ngx_gw_journal_dir_flock(int dir, const char *text, int flags,
    int operation, int *fd);
ngx_err_t ngx_gw_journal_dir_open(int dir, const gw_journal_name_t *name,
    int flags, int *fd);
ngx_err_t ngx_gw_journal_dir_unlink(int dir, const gw_journal_name_t *name);
ngx_err_t ngx_gw_journal_dir_write(int fd, const void *buf, size_t len,
    off_t offset);
ngx_err_t ngx_gw_journal_dir_read(int fd, void *buf, size_t *len,
    off_t offset);
ngx_err_t ngx_gw_journal_dir_allocate(int fd, size_t size,
    ngx_uint_t written);
ngx_err_t ngx_gw_journal_dir_each(int dir, ngx_gw_journal_dir_pt handler,
    void *data);

ngx_err_t ngx_gw_journal_dir_room(ngx_gw_journal_place_t *place, off_t need);
ngx_err_t ngx_gw_journal_dir_bad(ngx_gw_journal_place_t *place);

GW_HIDDEN_END


#endif /* _NGX_GW_JOURNAL_DIR_H_INCLUDED_ */
