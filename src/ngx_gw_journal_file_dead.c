
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_file.h"
#include "ngx_gw_journal_dir.h"


#define NGX_GW_JOURNAL_FILE_WINDOW  (2 * GW_JOURNAL_MAX)


static ngx_err_t ngx_gw_journal_file_dead(ngx_gw_journal_place_t *place,
    uint64_t generation, int fd, off_t *end);
static ngx_err_t ngx_gw_journal_file_skip(int fd, off_t *end);


/*
 * No part of "size": a message that can't be put aside would hold up the
 * whole journal.  It counts, so that the next segments find no room.
 */

ngx_err_t
ngx_gw_journal_file_bury(ngx_gw_journal_place_t *place, uint64_t generation,
    const void *data, size_t len)
{
    int                fd;
    char               ack[GW_JOURNAL_ACK];
    off_t              end;
    ngx_err_t          err;
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_DEAD, generation, 0);

    err = ngx_gw_journal_dir_open(place->dir, &name, O_RDWR|O_CREAT, &fd);
    if (err) {
        return ngx_gw_journal_dir_failed(place, "open() of dead letters", err);
    }

    err = ngx_gw_journal_file_dead(place, generation, fd, &end);

    if (err == 0) {
        err = ngx_gw_journal_dir_write(fd, data, len, end);

        if (err == 0 && fdatasync(fd) == -1) {
            err = ngx_errno;
        }

        if (err == 0 && end == GW_JOURNAL_HEADER && fsync(place->dir) == -1) {
            err = ngx_errno;
        }

        if (err) {

            if (ftruncate(fd, end) == -1) {
                /* the next one looks where the records end */
            }

        } else {
            /* the next one begins here */

            gw_journal_ack(ack, end + len);
            (void) ngx_gw_journal_dir_write(fd, ack, GW_JOURNAL_ACK,
                                            GW_JOURNAL_ACKED);
        }
    }

    (void) close(fd);

    return ngx_gw_journal_dir_failed(place, "writing dead letters", err);
}


/* where the records end; what a crash left behind them is cut off */

static ngx_err_t
ngx_gw_journal_file_dead(ngx_gw_journal_place_t *place, uint64_t generation,
    int fd, off_t *end)
{
    char         header[GW_JOURNAL_HEADER];
    size_t       n;
    ngx_err_t    err;
    struct stat  st;

    n = GW_JOURNAL_HEADER;
    *end = GW_JOURNAL_HEADER;

    err = ngx_gw_journal_dir_read(fd, header, &n, 0);
    if (err) {
        return err;
    }

    if (n < GW_JOURNAL_HEADER) {
        ngx_gw_journal_dir_header(place, header, generation, 0);
        return ngx_gw_journal_dir_write(fd, header, GW_JOURNAL_HEADER, 0);
    }

    if (fstat(fd, &st) == -1) {
        return ngx_errno;
    }

    if ((off_t) gw_journal_acked(header) <= st.st_size) {
        *end = (off_t) gw_journal_acked(header);
    }

    err = ngx_gw_journal_file_skip(fd, end);

    if (err == 0 && *end < st.st_size && ftruncate(fd, *end) == -1) {
        err = ngx_errno;
    }

    return err;
}


/* moves "end" behind the last whole record */

static ngx_err_t
ngx_gw_journal_file_skip(int fd, off_t *end)
{
    int                   rc;
    char                 *buf;
    off_t                 p;
    size_t                n, size;
    ngx_err_t             err;
    gw_journal_record_t   rec;

    buf = malloc(NGX_GW_JOURNAL_FILE_WINDOW);
    if (buf == NULL) {
        return ENOMEM;
    }

    p = *end;

    for ( ;; ) {
        n = NGX_GW_JOURNAL_FILE_WINDOW;

        err = ngx_gw_journal_dir_read(fd, buf, &n, p);
        if (err) {
            break;
        }

        rc = gw_journal_read(&rec, buf, n, &size);

        if (rc == GW_OK) {
            p += size;
            *end = p;
            continue;
        }

        if (rc != GW_ERROR) {
            break;
        }

        size = gw_journal_next(buf, n);

        if (size == n && n < NGX_GW_JOURNAL_FILE_WINDOW) {
            break;
        }

        /* one might begin here and lie beyond the window */

        p += ngx_min(size, NGX_GW_JOURNAL_FILE_WINDOW - GW_JOURNAL_MAX);
    }

    free(buf);

    return err;
}
