
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_file.h"
#include "ngx_gw_journal_dir.h"

#include <sys/file.h>


static ngx_err_t ngx_gw_journal_place_tails(ngx_gw_journal_place_t *place);
static ngx_err_t ngx_gw_journal_file_table(ngx_gw_journal_place_t *place,
    ngx_gw_journal_owner_t *owner, size_t size);
static ngx_err_t ngx_gw_journal_file_reserve(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file);
static ngx_err_t ngx_gw_journal_file_tail(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file);
static void ngx_gw_journal_file_undo(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file);
static ngx_err_t ngx_gw_journal_file_look(ngx_gw_journal_file_t *file, int fd);


ngx_err_t
ngx_gw_journal_place_open(ngx_gw_journal_place_t *place,
    const ngx_gw_journal_conf_t *jcf)
{
    ngx_err_t  err;

    place->conf = jcf;
    place->tails = -1;
    place->what = "";

    place->dir = open((char *) jcf->path->name.data,
                      O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (place->dir == -1) {
        return ngx_gw_journal_dir_failed(place, "open() of the directory",
                                         ngx_errno);
    }

    err = ngx_gw_journal_place_tails(place);

    if (err) {
        ngx_gw_journal_place_close(place);
    }

    return err;
}


/*
 * The master made it, but whoever cleans a tmpfs may have removed it since;
 * then anybody may have made one of this name.
 */

static ngx_err_t
ngx_gw_journal_place_tails(ngx_gw_journal_place_t *place)
{
    const char   *name;
    struct stat   dir, tails;

    name = (char *) place->conf->tails.data;

    if (mkdir(name, 0700) == -1 && ngx_errno != EEXIST) {
        return ngx_gw_journal_dir_failed(place, "mkdir() for tails",
                                         ngx_errno);
    }

    place->tails = open(name, O_RDONLY|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC);

    if (place->tails == -1) {
        return ngx_gw_journal_dir_failed(place,
                                         "open() of the directory of tails",
                                         ngx_errno);
    }

    if (fstat(place->dir, &dir) == -1 || fstat(place->tails, &tails) == -1) {
        return ngx_gw_journal_dir_failed(place, "fstat() of a directory",
                                         ngx_errno);
    }

    if ((tails.st_mode & (S_IRWXG|S_IRWXO))
        || (tails.st_uid != geteuid()
            && (geteuid() != 0 || tails.st_uid != dir.st_uid)))
    {
        return ngx_gw_journal_dir_failed(place,
                                      "the directory of tails is another's",
                                      EPERM);
    }

    return 0;
}


/* all copies of the place use the same descriptors */

ngx_err_t
ngx_gw_journal_place_renew(ngx_gw_journal_place_t *place)
{
    ngx_err_t                err;
    ngx_gw_journal_place_t   new;

    err = ngx_gw_journal_place_open(&new, place->conf);
    if (err) {
        return err;
    }

    if (dup3(new.dir, place->dir, O_CLOEXEC) == -1
        || dup3(new.tails, place->tails, O_CLOEXEC) == -1)
    {
        err = ngx_errno;
    }

    ngx_gw_journal_place_close(&new);

    return err;
}


void
ngx_gw_journal_place_close(ngx_gw_journal_place_t *place)
{
    ngx_gw_journal_dir_close(&place->dir);
    ngx_gw_journal_dir_close(&place->tails);
}


/* under the lock of DIR: a generation with nothing but a lock is removed */

ngx_err_t
ngx_gw_journal_file_own(ngx_gw_journal_place_t *place,
    ngx_gw_journal_owner_t *owner, size_t table)
{
    int                lock;
    char               text[GW_JOURNAL_NAME + 1];
    ngx_err_t          err;
    gw_journal_name_t  name;

    owner->table = NULL;
    owner->table_size = 0;
    owner->copied = 0;
    owner->lock = -1;

    err = ngx_gw_journal_dir_lock(place, &lock);
    if (err) {
        return err;
    }

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_LOCK, owner->generation, 0);

    (void) gw_journal_name(text, &name);

    err = ngx_gw_journal_dir_flock(place->dir, text, O_CREAT|O_EXCL,
                                   LOCK_EX|LOCK_NB, &owner->lock);

    if (err == 0) {
        err = ngx_gw_journal_file_table(place, owner, table);

        if (err == EEXIST) {
            (void) ngx_gw_journal_dir_unlink(place->dir, &name);
            ngx_gw_journal_dir_close(&owner->lock);

        } else {
            err = 0;
        }

    } else {
        (void) ngx_gw_journal_dir_failed(place, "making a lock", err);
    }

    ngx_gw_journal_dir_close(&lock);

    return err;
}


static ngx_err_t
ngx_gw_journal_file_table(ngx_gw_journal_place_t *place,
    ngx_gw_journal_owner_t *owner, size_t size)
{
    int                fd;
    void              *p;
    ngx_err_t          err;
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_LIVE, owner->generation, 0);

    err = ngx_gw_journal_dir_open(place->tails, &name, O_RDWR|O_CREAT|O_EXCL,
                                  &fd);
    if (err) {
        return ngx_gw_journal_dir_failed(place, "open() of a table", err);
    }

    p = MAP_FAILED;
    err = ngx_gw_journal_dir_allocate(fd, size, 1);

    if (err == 0) {
        p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_POPULATE,
                 fd, 0);
        err = (p == MAP_FAILED) ? ngx_errno : 0;
    }

    ngx_gw_journal_dir_close(&fd);

    if (err) {
        (void) ngx_gw_journal_dir_unlink(place->tails, &name);
        return ngx_gw_journal_dir_failed(place, "mapping a table", err);
    }

    owner->table = p;
    owner->table_size = size;

    return 0;
}


ngx_err_t
ngx_gw_journal_file_create(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file)
{
    ngx_err_t  err;

    file->fd = -1;
    file->map = NULL;
    file->size = place->conf->segment;
    file->acked = GW_JOURNAL_HEADER;
    file->tail = 0;

    err = ngx_gw_journal_file_reserve(place, file);
    if (err) {
        return err;
    }

    err = ngx_gw_journal_file_tail(place, file);

    if (err) {
        ngx_gw_journal_file_undo(place, file);
        return err;
    }

    ngx_gw_journal_dir_header(place, file->map, file->generation,
                              file->number);

    return 0;
}


static ngx_err_t
ngx_gw_journal_file_reserve(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file)
{
    int                lock;
    ngx_err_t          err;
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_SEGMENT, file->generation,
                            file->number);

    err = ngx_gw_journal_dir_lock(place, &lock);
    if (err) {
        return err;
    }

    err = ngx_gw_journal_dir_room(place, (off_t) file->size);

    if (err == 0) {
        err = ngx_gw_journal_dir_open(place->dir, &name,
                                      O_RDWR|O_CREAT|O_EXCL, &file->fd);
        (void) ngx_gw_journal_dir_failed(place, "open() of a segment", err);
    }

    if (file->fd != -1) {
        err = ngx_gw_journal_dir_allocate(file->fd, file->size, 0);

        if (err) {
            (void) ngx_gw_journal_dir_unlink(place->dir, &name);
            ngx_gw_journal_dir_close(&file->fd);
        }

        (void) ngx_gw_journal_dir_failed(place, "fallocate() of a segment",
                                         err);
    }

    ngx_gw_journal_dir_close(&lock);

    return err;
}


static ngx_err_t
ngx_gw_journal_file_tail(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file)
{
    int                fd;
    char              *map;
    size_t             offset;
    ngx_err_t          err;
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_SEGMENT, file->generation,
                            file->number);

    err = ngx_gw_journal_dir_open(place->tails, &name, O_RDWR|O_CREAT|O_EXCL,
                                  &fd);
    if (err) {
        return ngx_gw_journal_dir_failed(place, "open() of a tail", err);
    }

    file->tail = 1;

    err = ngx_gw_journal_dir_allocate(fd, file->size, 1);

    if (err) {
        ngx_gw_journal_dir_close(&fd);
        return ngx_gw_journal_dir_failed(place, "fallocate() of a tail", err);
    }

    map = mmap(NULL, file->size, PROT_READ|PROT_WRITE,
               MAP_SHARED|MAP_POPULATE, fd, 0);

    err = (map == MAP_FAILED) ? ngx_errno : 0;

    ngx_gw_journal_dir_close(&fd);

    if (err) {
        return ngx_gw_journal_dir_failed(place, "mmap() of a tail", err);
    }

    /* the first write into a page must not fault in the event loop */

    for (offset = 0; offset < file->size; offset += ngx_pagesize) {
        ((volatile char *) map)[offset] = 0;
    }

    file->map = map;

    return 0;
}


static void
ngx_gw_journal_file_undo(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file)
{
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_SEGMENT, file->generation,
                            file->number);

    if (file->tail) {
        (void) ngx_gw_journal_dir_unlink(place->tails, &name);
        file->tail = 0;
    }

    (void) ngx_gw_journal_dir_unlink(place->dir, &name);
    ngx_gw_journal_dir_close(&file->fd);
}


ngx_err_t
ngx_gw_journal_file_copy(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file, size_t from, size_t to, uint64_t acked)
{
    int                fd;
    char               ack[GW_JOURNAL_ACK];
    ngx_err_t          err;
    gw_journal_name_t  name;

    fd = file->fd;

    if (fd == -1) {
        ngx_gw_journal_dir_name(&name, GW_JOURNAL_SEGMENT, file->generation,
                            file->number);

        err = ngx_gw_journal_dir_open(place->dir, &name, O_RDWR, &fd);
        if (err) {
            return ngx_gw_journal_dir_failed(place, "open() of a segment",
                                             err);
        }
    }

    err = 0;

    if (file->map && from < to) {
        err = ngx_gw_journal_dir_write(fd, file->map + from, to - from,
                                       (off_t) from);
    }

    if (err == 0) {
        gw_journal_ack(ack, acked);
        err = ngx_gw_journal_dir_write(fd, ack, GW_JOURNAL_ACK,
                                       GW_JOURNAL_ACKED);
    }

    (void) ngx_gw_journal_dir_failed(place, "pwrite() to a segment", err);

    if (err == 0 && fdatasync(fd) == -1) {
        err = ngx_gw_journal_dir_failed(place, "fdatasync() of a segment",
                                        ngx_errno);
    }

    if (err == 0 && file->map && from == 0 && fsync(place->dir) == -1) {
        err = ngx_gw_journal_dir_failed(place, "fsync() of the directory",
                                        ngx_errno);
    }

    if (file->fd == -1) {
        (void) close(fd);
    }

    return err;
}


ngx_err_t
ngx_gw_journal_file_release(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file)
{
    ngx_err_t          err;
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_SEGMENT, file->generation,
                            file->number);

    err = ngx_gw_journal_dir_unlink(place->tails, &name);
    if (err) {
        return ngx_gw_journal_dir_failed(place, "unlink() of a tail", err);
    }

    if (file->map) {
        (void) munmap(file->map, file->size);
        file->map = NULL;
    }

    file->tail = 0;

    /* nothing more is copied; a backlog may have many segments */

    ngx_gw_journal_dir_close(&file->fd);

    return 0;
}


/*
 * What was acknowledged is told by the file in DIR, and by that alone if the
 * owner was killed; what was written last is in the tail.
 */

ngx_err_t
ngx_gw_journal_file_open(ngx_gw_journal_place_t *place,
    ngx_gw_journal_file_t *file)
{
    int                tail, twin;
    ngx_err_t          err, rc;
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_SEGMENT, file->generation,
                            file->number);

    file->fd = -1;
    file->map = NULL;
    file->size = 0;
    file->acked = GW_JOURNAL_HEADER;
    file->tail = 0;

    err = ngx_gw_journal_dir_open(place->tails, &name, O_RDWR, &tail);

    if (err && !ngx_gw_journal_dir_is_none(err)) {
        return ngx_gw_journal_dir_failed(place, "open() of a tail", err);
    }

    rc = ngx_gw_journal_dir_open(place->dir, &name, O_RDWR, &twin);

    if (rc && (err || !ngx_gw_journal_dir_is_none(rc))) {
        ngx_gw_journal_dir_close(&tail);
        return ngx_gw_journal_dir_failed(place, "open() of a segment", rc);
    }

    err = ngx_gw_journal_file_look(file, tail);

    if (file->size >= GW_JOURNAL_HEADER || twin == -1) {
        file->tail = 1;
        file->fd = tail;
        tail = -1;

    } else {
        file->size = 0;
    }

    if (err == 0) {
        err = ngx_gw_journal_file_look(file, twin);
    }

    if (!file->tail) {
        file->fd = twin;
        twin = -1;
    }

    ngx_gw_journal_dir_close(&tail);
    ngx_gw_journal_dir_close(&twin);

    if (err) {
        ngx_gw_journal_dir_close(&file->fd);
        return ngx_gw_journal_dir_failed(place, "fstat() of a segment", err);
    }

    file->acked = ngx_min(file->acked, ngx_max(file->size, GW_JOURNAL_HEADER));

    return 0;
}


/*
 * "size" is that of the first one that has any.  A header that can't be read
 * costs duplicates only.
 */

static ngx_err_t
ngx_gw_journal_file_look(ngx_gw_journal_file_t *file, int fd)
{
    char         header[GW_JOURNAL_HEADER];
    size_t       n;
    uint64_t     acked;
    struct stat  st;

    if (fd == -1) {
        return 0;
    }

    if (fstat(fd, &st) == -1) {
        return ngx_errno;
    }

    if (file->size == 0) {
        file->size = (size_t) st.st_size;
    }

    n = GW_JOURNAL_HEADER;

    if (ngx_gw_journal_dir_read(fd, header, &n, 0) == 0
        && n == GW_JOURNAL_HEADER)
    {
        acked = gw_journal_acked(header);
        file->acked = ngx_max(file->acked, acked);
    }

    return 0;
}


ssize_t
ngx_gw_journal_file_read(ngx_gw_journal_file_t *file, void *buf, size_t size,
    off_t offset, ngx_err_t *err)
{
    *err = ngx_gw_journal_dir_read(file->fd, buf, &size, offset);

    return *err ? -1 : (ssize_t) size;
}
