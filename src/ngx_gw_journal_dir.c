
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_dir.h"

#include <sys/file.h>


#define NGX_GW_JOURNAL_DIR_ZERO  65536


static ngx_err_t ngx_gw_journal_dir_regular(int fd);
static ngx_err_t ngx_gw_journal_dir_same(int dir, const char *text, int fd,
    ngx_uint_t *same);
static ngx_err_t ngx_gw_journal_dir_zero(int fd, size_t size);
static ngx_uint_t ngx_gw_journal_dir_is_file(int dir, struct dirent *entry);


ngx_err_t
ngx_gw_journal_dir_failed(ngx_gw_journal_place_t *place, const char *what,
    ngx_err_t err)
{
    if (err) {
        place->what = what;
    }

    return err;
}


void
ngx_gw_journal_dir_close(int *fd)
{
    if (*fd != -1) {
        (void) close(*fd);
        *fd = -1;
    }
}


void
ngx_gw_journal_dir_name(gw_journal_name_t *name, gw_journal_kind_e kind,
    uint64_t generation, uint32_t number)
{
    name->kind = kind;
    name->generation = generation;
    name->number = number;
}


void
ngx_gw_journal_dir_header(ngx_gw_journal_place_t *place, char *header,
    uint64_t generation, uint32_t number)
{
    struct timeval                tv;
    gw_journal_segment_t          seg;
    const ngx_gw_journal_conf_t  *jcf;

    jcf = place->conf;

    (void) gettimeofday(&tv, NULL);

    seg.generation = generation;
    seg.number = number;
    seg.created = (int64_t) tv.tv_sec * 1000 + tv.tv_usec / 1000;
    seg.node.data = (char *) jcf->node.data;
    seg.node.len = jcf->node.len;
    seg.topic.data = (char *) jcf->topic.data;
    seg.topic.len = jcf->topic.len;
    seg.cluster.data = (char *) jcf->cluster.data;
    seg.cluster.len = jcf->cluster.len;

    gw_journal_header(header, &seg);
}


ngx_err_t
ngx_gw_journal_dir_lock(ngx_gw_journal_place_t *place, int *fd)
{
    ngx_err_t  err;

    err = ngx_gw_journal_dir_flock(place->dir, "lock", O_CREAT, LOCK_EX, fd);

    return ngx_gw_journal_dir_failed(place, "locking the directory", err);
}


ngx_err_t
ngx_gw_journal_dir_flock(int dir, const char *text, int flags, int operation,
    int *fd)
{
    int         rc;
    ngx_err_t   err;
    ngx_uint_t  same;

    for ( ;; ) {
        *fd = openat(dir, text,
                     flags|O_RDWR|O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK, 0600);
        if (*fd == -1) {
            return ngx_errno;
        }

        err = ngx_gw_journal_dir_regular(*fd);

        if (err == 0) {
            do {
                rc = flock(*fd, operation);
            } while (rc == -1 && ngx_errno == EINTR);

            err = rc ? ngx_errno : 0;
        }

        if (err == 0) {
            err = ngx_gw_journal_dir_same(dir, text, *fd, &same);

            if (err == 0 && same) {
                return 0;
            }
        }

        ngx_gw_journal_dir_close(fd);

        if (err) {
            if (flags & O_EXCL) {
                (void) unlinkat(dir, text, 0);
            }

            return err;
        }

        /* it was removed while we waited for it */
    }
}


static ngx_err_t
ngx_gw_journal_dir_regular(int fd)
{
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        return ngx_errno;
    }

    return S_ISREG(st.st_mode) ? 0 : EBADMSG;
}


static ngx_err_t
ngx_gw_journal_dir_same(int dir, const char *text, int fd, ngx_uint_t *same)
{
    struct stat  there, here;

    *same = 0;

    if (fstat(fd, &here) == -1) {
        return ngx_errno;
    }

    if (fstatat(dir, text, &there, AT_SYMLINK_NOFOLLOW) == -1) {
        return ngx_errno == ENOENT ? 0 : ngx_errno;
    }

    *same = here.st_ino == there.st_ino && here.st_dev == there.st_dev;

    return 0;
}


ngx_err_t
ngx_gw_journal_dir_open(int dir, const gw_journal_name_t *name, int flags,
    int *fd)
{
    char       text[GW_JOURNAL_NAME + 1];
    ngx_err_t  err;

    (void) gw_journal_name(text, name);

    /* a pipe must not make us wait */

    *fd = openat(dir, text, flags|O_CLOEXEC|O_NOFOLLOW|O_NONBLOCK, 0600);

    if (*fd == -1) {
        err = ngx_errno;

        return (err == ELOOP || err == EISDIR || err == ENXIO) ? EBADMSG : err;
    }

    if (flags & O_EXCL) {

        /* we made it */

        return 0;
    }

    err = ngx_gw_journal_dir_regular(*fd);

    if (err) {
        ngx_gw_journal_dir_close(fd);
    }

    return err;
}


ngx_err_t
ngx_gw_journal_dir_unlink(int dir, const gw_journal_name_t *name)
{
    char  text[GW_JOURNAL_NAME + 1];

    (void) gw_journal_name(text, name);

    if (unlinkat(dir, text, 0) == -1 && ngx_errno != ENOENT) {
        return ngx_errno;
    }

    return 0;
}


ngx_err_t
ngx_gw_journal_dir_write(int fd, const void *buf, size_t len, off_t offset)
{
    ssize_t      n;
    const char  *p = buf;

    while (len) {
        n = pwrite(fd, p, len, offset);

        if (n == -1) {
            if (ngx_errno == EINTR) {
                continue;
            }

            return ngx_errno;
        }

        if (n == 0) {
            return EIO;
        }

        p += n;
        len -= n;
        offset += n;
    }

    return 0;
}


ngx_err_t
ngx_gw_journal_dir_read(int fd, void *buf, size_t *len, off_t offset)
{
    char    *p = buf;
    size_t   size;
    ssize_t  n;

    size = *len;
    *len = 0;

    while (*len < size) {
        n = pread(fd, p + *len, size - *len, offset + *len);

        if (n == -1) {
            if (ngx_errno == EINTR) {
                continue;
            }

            return ngx_errno;
        }

        if (n == 0) {
            break;
        }

        *len += n;
    }

    return 0;
}


ngx_err_t
ngx_gw_journal_dir_allocate(int fd, size_t size, ngx_uint_t written)
{
    int  rc;

    /* that of glibc writes into each page where this one is not supported */

    do {
        rc = fallocate(fd, 0, 0, (off_t) size);
    } while (rc == -1 && ngx_errno == EINTR);

    if (rc == 0) {
        return 0;
    }

    if (ngx_errno != EOPNOTSUPP && ngx_errno != ENOSYS && ngx_errno != EINVAL) {
        return ngx_errno;
    }

    if (written) {
        return ngx_gw_journal_dir_zero(fd, size);
    }

    do {
        rc = ftruncate(fd, (off_t) size);
    } while (rc == -1 && ngx_errno == EINTR);

    return rc ? ngx_errno : 0;
}


static ngx_err_t
ngx_gw_journal_dir_zero(int fd, size_t size)
{
    size_t     n, offset;
    ngx_err_t  err;

    static const char  zeroes[NGX_GW_JOURNAL_DIR_ZERO];

    for (offset = 0; offset < size; offset += n) {
        n = ngx_min(size - offset, NGX_GW_JOURNAL_DIR_ZERO);

        err = ngx_gw_journal_dir_write(fd, zeroes, n, (off_t) offset);
        if (err) {
            return err;
        }
    }

    return 0;
}


ngx_err_t
ngx_gw_journal_dir_each(int dir, ngx_gw_journal_dir_pt handler, void *data)
{
    int                 fd;
    DIR                *stream;
    gw_str_t            text;
    ngx_err_t           err;
    struct dirent      *entry;
    gw_journal_name_t   name;

    /* a duplicate would share its offset with other threads */

    fd = openat(dir, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    if (fd == -1) {
        return ngx_errno;
    }

    stream = fdopendir(fd);

    if (stream == NULL) {
        err = ngx_errno;
        (void) close(fd);
        return err;
    }

    for ( ;; ) {
        ngx_set_errno(0);
        entry = readdir(stream);

        if (entry == NULL) {
            err = ngx_errno;
            break;
        }

        if (!ngx_gw_journal_dir_is_file(fd, entry)) {
            continue;
        }

        text.data = entry->d_name;
        text.len = ngx_strlen(entry->d_name);

        err = handler(data, fd, entry->d_name,
                      gw_journal_name_read(&name, &text) == GW_OK ? &name
                                                                  : NULL);
        if (err) {
            break;
        }
    }

    (void) closedir(stream);

    return err;
}


static ngx_uint_t
ngx_gw_journal_dir_is_file(int dir, struct dirent *entry)
{
    struct stat  st;

    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type == DT_REG;
    }

    return fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0
           && S_ISREG(st.st_mode);
}
