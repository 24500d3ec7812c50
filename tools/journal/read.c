
/*
 * Copyright (C) The nginx gateway modules authors
 */


#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"


static int tool_reader_header(tool_reader_t *r, int dir, const char *name,
    struct stat *st);
static tool_header_e tool_reader_state(tool_reader_t *r, size_t len);
static tool_item_e tool_reader_begin(tool_reader_t *r, tool_item_t *item);
static tool_item_e tool_reader_rest(tool_reader_t *r, tool_item_t *item);
static int tool_reader_zeroes(tool_reader_t *r, tool_item_t *item);
static int tool_reader_skip(tool_reader_t *r, tool_item_t *item);
static int tool_reader_record(tool_reader_t *r, tool_item_t *item);
static int tool_reader_fill(tool_reader_t *r, tool_item_t *item);
static ssize_t tool_pread(int fd, char *buf, size_t size, uint64_t offset);


int
tool_reader_open(tool_reader_t *r, const tool_journal_t *journal,
    const tool_file_t *file)
{
    int            err;
    char           name[GW_JOURNAL_NAME + 1];
    struct stat    st;
    tool_reader_t  tail;

    memset(r, 0, sizeof(tool_reader_t));
    memset(&tail, 0, sizeof(tool_reader_t));

    r->fd = -1;
    tail.fd = -1;

    (void) gw_journal_name(name, &file->name);

    /*
     * First the tail: when it has vanished, the file in the directory is
     * whole.
     */

    if (file->tail) {

        err = tool_reader_header(&tail, journal->tails, name, &st);

        if (err && err != ENOENT) {
            tool_fail("%s/%s: %s", journal->tails_path, name, strerror(err));
        }

        tail.tail = 1;
    }

    err = tool_reader_header(r, journal->dir, name, &st);

    if (err == 0) {
        r->size = (uint64_t) st.st_size;

    } else if (tail.fd == -1 || err != ENOENT) {
        tool_reader_close(&tail);
        return err;
    }

    if (tail.fd != -1) {

        if (r->fd == -1 || tail.state == TOOL_NAMED
            || r->state != TOOL_NAMED)
        {
            tail.acked = tail.acked > r->acked ? tail.acked : r->acked;
            tail.size = r->size;

            tool_reader_close(r);
            *r = tail;

            /* its slices point into the header, which has moved */

            r->state = tool_reader_state(r, GW_JOURNAL_HEADER);

        } else {
            tool_reader_close(&tail);
        }
    }

    memcpy(r->name, name, sizeof(name));

    return 0;
}


static int
tool_reader_header(tool_reader_t *r, int dir, const char *name,
    struct stat *st)
{
    int      fd, err;
    ssize_t  n;

    fd = openat(dir, name, O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    if (fd == -1) {
        return errno;
    }

    if (fstat(fd, st) == -1) {
        err = errno;
        (void) close(fd);
        return err;
    }

    if (!S_ISREG(st->st_mode)) {
        (void) close(fd);
        return EINVAL;
    }

    n = tool_pread(fd, r->header, GW_JOURNAL_HEADER, 0);

    if (n == -1) {
        err = errno;
        (void) close(fd);
        return err;
    }

    r->fd = fd;
    r->modified = (int64_t) st->st_mtim.tv_sec * 1000
                  + st->st_mtim.tv_nsec / 1000000;

    r->state = tool_reader_state(r, (size_t) n);
    r->acked = (r->state == TOOL_NAMED) ? gw_journal_acked(r->header)
                                        : GW_JOURNAL_HEADER;
    return 0;
}


static tool_header_e
tool_reader_state(tool_reader_t *r, size_t len)
{
    size_t  i;

    switch (gw_journal_open(&r->segment, r->header, len)) {

    case GW_OK:
        return TOOL_NAMED;

    case GW_DECLINED:
        return TOOL_UNKNOWN;

    default: /* GW_ERROR */
        break;
    }

    /* of one that was never copied what is acknowledged may be there alone */

    for (i = 0; i < len; i++) {

        if ((i < GW_JOURNAL_ACKED || i >= GW_JOURNAL_ACKED + GW_JOURNAL_ACK)
            && r->header[i] != '\0')
        {
            return TOOL_BROKEN;
        }
    }

    return TOOL_BLANK;
}


void
tool_reader_close(tool_reader_t *r)
{
    if (r->fd != -1) {
        (void) close(r->fd);
        r->fd = -1;
    }

    free(r->window);
    r->window = NULL;
}


tool_item_e
tool_reader_next(tool_reader_t *r, tool_item_t *item)
{
    size_t  size;

    memset(item, 0, sizeof(tool_item_t));

    if (r->ended || r->state == TOOL_UNKNOWN) {
        return TOOL_END;
    }

    if (r->window == NULL) {
        r->window = tool_grow(NULL, 0, TOOL_WINDOW);
        r->base = GW_JOURNAL_HEADER;
    }

    for ( ;; ) {

        if (tool_reader_fill(r, item) != 0) {
            return TOOL_FAILED;
        }

        item->offset = r->base + r->pos;

        switch (gw_journal_read(&item->record, r->window + r->pos,
                                r->len - r->pos, &size))
        {

        case GW_OK:
            item->size = size;
            r->pos += size;
            r->again = 0;

            return TOOL_RECORD;

        case GW_DECLINED:
            return tool_reader_rest(r, item);

        default: /* GW_AGAIN, beyond the end of the file, or GW_ERROR */
            break;
        }

        /* it may have been written while we read it */

        if (!r->tail || r->again) {
            return tool_reader_begin(r, item);
        }

        r->again = 1;
        r->len = r->pos;
        r->eof = 0;
    }
}


/* a record begins here, but is damaged */

static tool_item_e
tool_reader_begin(tool_reader_t *r, tool_item_t *item)
{
    int  rc;

    item->begun = 1;

    rc = tool_reader_skip(r, item);

    if (rc == -1) {
        return TOOL_FAILED;
    }

    item->size = r->base + r->pos - item->offset;

    return rc ? TOOL_DAMAGE : TOOL_REST;
}


/* there is no record here, and there should be nothing else */

static tool_item_e
tool_reader_rest(tool_reader_t *r, tool_item_t *item)
{
    int  rc;

    rc = tool_reader_zeroes(r, item);

    if (rc == -1) {
        return TOOL_FAILED;
    }

    if (rc == 0) {
        r->ended = 1;
        return TOOL_END;
    }

    rc = tool_reader_record(r, item);

    if (rc == 0) {
        rc = tool_reader_skip(r, item);
    }

    if (rc == -1) {
        return TOOL_FAILED;
    }

    item->size = r->base + r->pos - item->offset;

    return rc ? TOOL_DAMAGE : TOOL_REST;
}


/* 1: stands at a word that is not zero; 0: there is none */

static int
tool_reader_zeroes(tool_reader_t *r, tool_item_t *item)
{
    off_t   off;
    size_t  n;

    static const char  zeroes[4096];

    for ( ;; ) {

        while (r->pos < r->len) {

            n = r->len - r->pos;
            n = n < sizeof(zeroes) ? n : sizeof(zeroes);

            if (memcmp(r->window + r->pos, zeroes, n) != 0) {

                n = n < GW_JOURNAL_ALIGN ? n : GW_JOURNAL_ALIGN;

                while (memcmp(r->window + r->pos, zeroes, n) == 0) {
                    r->pos += n;
                }

                return 1;
            }

            r->pos += n;
        }

        if (r->eof) {
            return 0;
        }

        /* over a hole, a file may be larger than what there is of it */

        off = lseek(r->fd, (off_t) (r->base + r->pos), SEEK_DATA);

        if (off == -1 && errno == ENXIO) {
            return 0;
        }

        if (off > (off_t) (r->base + r->pos)) {
            r->base = (uint64_t) off / GW_JOURNAL_ALIGN * GW_JOURNAL_ALIGN;
            r->pos = 0;
            r->len = 0;
        }

        if (tool_reader_fill(r, item) != 0) {
            return -1;
        }
    }
}


/* 1: stands at a record that can be read; 0: there is none any more */

static int
tool_reader_skip(tool_reader_t *r, tool_item_t *item)
{
    int     rc;
    size_t  n, left;

    for ( ;; ) {

        left = r->len - r->pos;
        n = gw_journal_next(r->window + r->pos, left);

        if (n < left) {
            r->pos += n;
            return 1;
        }

        if (r->eof) {
            r->pos = r->len;
            r->ended = 1;
            return 0;
        }

        /* one that begins in the last bytes does not lie whole in these */

        n = GW_JOURNAL_ALIGN;

        if (left > GW_JOURNAL_MAX + GW_JOURNAL_ALIGN) {
            n = left - GW_JOURNAL_MAX;
        }

        r->pos += n / GW_JOURNAL_ALIGN * GW_JOURNAL_ALIGN;

        rc = tool_reader_record(r, item);

        if (rc != 0) {
            return rc;
        }
    }
}


static int
tool_reader_record(tool_reader_t *r, tool_item_t *item)
{
    size_t               size;
    gw_journal_record_t  rec;

    if (tool_reader_fill(r, item) != 0) {
        return -1;
    }

    return gw_journal_read(&rec, r->window + r->pos, r->len - r->pos, &size)
           == GW_OK;
}


/* the largest record fits behind "pos", unless the file ends */

static int
tool_reader_fill(tool_reader_t *r, tool_item_t *item)
{
    ssize_t  n;

    if (r->eof || r->len - r->pos >= GW_JOURNAL_MAX) {
        return 0;
    }

    memmove(r->window, r->window + r->pos, r->len - r->pos);

    r->base += r->pos;
    r->len -= r->pos;
    r->pos = 0;

    n = tool_pread(r->fd, r->window + r->len, TOOL_WINDOW - r->len,
                   r->base + r->len);

    if (n == -1) {
        item->err = errno;
        item->offset = r->base;
        r->ended = 1;

        return -1;
    }

    r->len += (size_t) n;
    r->eof = r->len < TOOL_WINDOW;

    return 0;
}


/* less than "size" only at the end of the file */

static ssize_t
tool_pread(int fd, char *buf, size_t size, uint64_t offset)
{
    size_t   len;
    ssize_t  n;

    for (len = 0; len < size; len += (size_t) n) {

        n = pread(fd, buf + len, size - len, (off_t) (offset + len));

        if (n == -1 && errno == EINTR) {
            n = 0;
            continue;
        }

        if (n == -1) {
            return -1;
        }

        if (n == 0) {
            break;
        }
    }

    return (ssize_t) len;
}
