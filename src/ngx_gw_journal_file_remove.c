
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_file.h"
#include "ngx_gw_journal_dir.h"


#define NGX_GW_JOURNAL_FILE_BUFFER  65536


static ngx_err_t ngx_gw_journal_file_aside(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file, size_t size, ngx_uint_t bad);
static ngx_err_t ngx_gw_journal_file_fill(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file, int fd);
static ngx_err_t ngx_gw_journal_file_rename(ngx_gw_journal_place_t *place,
    const gw_journal_name_t *name, gw_journal_kind_e kind);


/*
 * First the file in DIR says, on disk, that all of it is acknowledged; then
 * the tail goes, at last the file: whatever comes back after a power cut has
 * nothing left to be sent.
 */

ngx_err_t
ngx_gw_journal_file_remove(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file, size_t size, ngx_uint_t bad)
{
    ngx_err_t              err;
    ngx_uint_t             aside;
    gw_journal_name_t      name;
    ngx_gw_journal_file_t  twin;

    aside = 0;
    ngx_gw_journal_dir_name(&name, GW_JOURNAL_SEGMENT, file->generation,
                            file->number);

    if (bad || (place->conf->keep && size > GW_JOURNAL_HEADER)) {

        /* what can't be put aside must not block what comes behind it */

        aside = (ngx_gw_journal_file_aside(place, file, size, bad) == 0);
    }

    if (!aside) {
        twin = *file;
        twin.fd = -1;
        twin.map = NULL;

        (void) ngx_gw_journal_file_copy(place, &twin, 0, 0, size);
    }

    err = ngx_gw_journal_file_release(place, file);

    if (err == 0 && !aside) {
        err = ngx_gw_journal_dir_unlink(place->dir, &name);
        (void) ngx_gw_journal_dir_failed(place, "unlink() of a segment", err);
    }

    if (err == 0) {
        ngx_gw_journal_dir_close(&file->fd);
    }

    return err;
}


static ngx_err_t
ngx_gw_journal_file_aside(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file, size_t size, ngx_uint_t bad)
{
    int                fd;
    char               ack[GW_JOURNAL_ACK];
    ngx_err_t          err;
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_SEGMENT, file->generation,
                            file->number);

    err = ngx_gw_journal_dir_open(place->dir, &name, O_RDWR, &fd);
    if (err) {
        return err;
    }

    err = ngx_gw_journal_file_fill(place, file, fd);

    /* a damaged one stays as it is, to be looked at */

    if (err == 0 && !bad) {
        gw_journal_ack(ack, size);
        err = ngx_gw_journal_dir_write(fd, ack, GW_JOURNAL_ACK,
                                       GW_JOURNAL_ACKED);

        if (err == 0 && ftruncate(fd, (off_t) size) == -1) {
            err = ngx_errno;
        }
    }

    if (err == 0 && fdatasync(fd) == -1) {
        err = ngx_errno;
    }

    (void) close(fd);

    if (err) {
        return err;
    }

    return ngx_gw_journal_file_rename(place, &name,
                                      bad ? GW_JOURNAL_BAD : GW_JOURNAL_KEPT);
}


/* an orphan's tail holds more than the file, or another's map does */

static ngx_err_t
ngx_gw_journal_file_fill(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file, int fd)
{
    int                tail;
    char               buf[NGX_GW_JOURNAL_FILE_BUFFER];
    off_t              offset;
    size_t             n;
    ngx_err_t          err;
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_SEGMENT, file->generation,
                            file->number);

    err = ngx_gw_journal_dir_open(place->tails, &name, O_RDONLY, &tail);

    if (err) {
        return ngx_gw_journal_dir_is_none(err) ? 0 : err;
    }

    offset = 0;

    for ( ;; ) {
        n = NGX_GW_JOURNAL_FILE_BUFFER;

        err = ngx_gw_journal_dir_read(tail, buf, &n, offset);
        if (err || n == 0) {
            break;
        }

        err = ngx_gw_journal_dir_write(fd, buf, n, offset);
        if (err) {
            break;
        }

        offset += n;
    }

    (void) close(tail);

    return err;
}


/* under the lock, or who counts the files might miss both names */

static ngx_err_t
ngx_gw_journal_file_rename(ngx_gw_journal_place_t *place,
    const gw_journal_name_t *name, gw_journal_kind_e kind)
{
    int                lock;
    char               from[GW_JOURNAL_NAME + 1], to[GW_JOURNAL_NAME + 1];
    ngx_err_t          err;
    gw_journal_name_t  aside;

    aside = *name;
    aside.kind = kind;

    (void) gw_journal_name(from, name);
    (void) gw_journal_name(to, &aside);

    err = ngx_gw_journal_dir_lock(place, &lock);
    if (err) {
        return err;
    }

    if (renameat(place->dir, from, place->dir, to) == -1) {
        err = ngx_errno;
    }

    if (err == 0 && kind == GW_JOURNAL_BAD) {
        (void) ngx_gw_journal_dir_bad(place);
    }

    ngx_gw_journal_dir_close(&lock);

    if (err == 0) {
        (void) fsync(place->dir);
    }

    return err;
}


/* the table before the lock: without a lock nobody looks for a table alone */

ngx_err_t
ngx_gw_journal_file_finish(ngx_gw_journal_place_t *place,
    ngx_gw_journal_owner_t *owner)
{
    int                lock;
    ngx_err_t          err;
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_LIVE, owner->generation, 0);

    err = ngx_gw_journal_dir_unlink(place->tails, &name);
    if (err) {
        return ngx_gw_journal_dir_failed(place, "unlink() of a table", err);
    }

    err = ngx_gw_journal_dir_lock(place, &lock);
    if (err) {
        return err;
    }

    name.kind = GW_JOURNAL_LOCK;

    err = ngx_gw_journal_dir_unlink(place->dir, &name);

    ngx_gw_journal_dir_close(&lock);

    if (err) {
        return ngx_gw_journal_dir_failed(place, "unlink() of a lock", err);
    }

    ngx_gw_journal_file_disown(owner);

    return 0;
}


void
ngx_gw_journal_file_disown(ngx_gw_journal_owner_t *owner)
{
    if (owner->copied) {
        free(owner->table);

    } else if (owner->table) {
        (void) munmap(owner->table, owner->table_size);
    }

    owner->table = NULL;

    ngx_gw_journal_dir_close(&owner->lock);
}
