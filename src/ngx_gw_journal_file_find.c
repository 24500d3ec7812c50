
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_file.h"
#include "ngx_gw_journal_dir.h"
#include "ngx_gw_journal_scan.h"

#include "gw_inflight.h"

#include <sys/file.h>


#define NGX_GW_JOURNAL_FILE_TABLES  65535     /* slots at most */


static ngx_err_t ngx_gw_journal_file_look_for(ngx_gw_journal_place_t *place,
    ngx_gw_journal_orphan_t *orphan);
static ngx_err_t ngx_gw_journal_file_adopt(ngx_gw_journal_place_t *place,
    ngx_gw_journal_orphan_t *orphan, const ngx_gw_journal_scan_seen_t *seen);
static ngx_err_t ngx_gw_journal_file_adopt_lock(ngx_gw_journal_place_t *place,
    ngx_gw_journal_owner_t *owner, int flags);
static int ngx_gw_journal_file_adopt_match(ngx_gw_journal_place_t *place,
    ngx_gw_journal_orphan_t *orphan, const ngx_gw_journal_scan_seen_t *seen);
static ngx_err_t ngx_gw_journal_file_adopt_rest(ngx_gw_journal_place_t *place,
    ngx_gw_journal_orphan_t *orphan, const ngx_gw_journal_scan_seen_t *seen);
static ngx_err_t ngx_gw_journal_file_adopt_table(
    ngx_gw_journal_place_t *place, ngx_gw_journal_owner_t *owner);
static void ngx_gw_journal_file_adopt_none(ngx_gw_journal_place_t *place,
    ngx_gw_journal_owner_t *owner);
static int ngx_gw_journal_file_match(ngx_gw_journal_place_t *place,
    uint64_t generation, uint32_t number);
static int ngx_gw_journal_file_match_header(ngx_gw_journal_place_t *place,
    int dir, const gw_journal_name_t *name);
static ngx_uint_t ngx_gw_journal_file_equal(const gw_str_t *a,
    const ngx_str_t *b);


/*
 * All of it under the lock of DIR: nobody makes a generation, or adopts one,
 * meanwhile; so a lock that nobody holds, and nothing else, means that there
 * is nothing else.
 */

ngx_err_t
ngx_gw_journal_file_find(ngx_gw_journal_place_t *place,
    ngx_gw_journal_orphan_t *orphan)
{
    int        lock;
    ngx_err_t  err;

    ngx_memzero(orphan, sizeof(ngx_gw_journal_orphan_t));
    orphan->owner.lock = -1;
    orphan->owner.copied = 1;

    err = ngx_gw_journal_dir_lock(place, &lock);
    if (err) {
        return err;
    }

    err = ngx_gw_journal_file_look_for(place, orphan);

    ngx_gw_journal_dir_close(&lock);

    return err;
}


static ngx_err_t
ngx_gw_journal_file_look_for(ngx_gw_journal_place_t *place,
    ngx_gw_journal_orphan_t *orphan)
{
    ngx_err_t                    err;
    ngx_uint_t                   i, n, kept;
    ngx_gw_journal_scan_seen_t  *seen;

    err = ngx_gw_journal_scan_generations(place, &seen, &n, &kept);
    if (err) {
        return err;
    }

    if (kept) {

        /* a gateway without traffic makes no segments, which would do this */

        (void) ngx_gw_journal_dir_room(place, 0);
    }

    err = ENOENT;

    for (i = 0; i < n && err == ENOENT; i++) {
        err = ngx_gw_journal_file_adopt(place, orphan, &seen[i]);
    }

    free(seen);

    return err;
}


/* 0, or ENOENT if this one is not to be adopted */

static ngx_err_t
ngx_gw_journal_file_adopt(ngx_gw_journal_place_t *place,
    ngx_gw_journal_orphan_t *orphan, const ngx_gw_journal_scan_seen_t *seen)
{
    int                      rc;
    ngx_err_t                err;
    ngx_gw_journal_owner_t  *owner;

    owner = &orphan->owner;
    owner->generation = seen->generation;

    err = ngx_gw_journal_file_adopt_lock(place, owner, 0);

    if (err == EWOULDBLOCK) {
        return ENOENT;
    }

    if (err == EACCES || err == EPERM || err == ELOOP || err == EISDIR
        || err == EBADMSG)
    {
        /* another user's, or not what the name says */

        orphan->foreign++;
        return ENOENT;
    }

    if (err == ENOENT) {

        /* segments of a backup: a lock is made when they match */

        err = 0;
    }

    if (err) {
        return ngx_gw_journal_dir_failed(place, "taking a lock", err);
    }

    rc = ngx_gw_journal_file_adopt_match(place, orphan, seen);

    if (rc == GW_OK) {
        err = ngx_gw_journal_file_adopt_rest(place, orphan, seen);

        if (err == 0) {
            return 0;
        }

    } else {
        if (rc == GW_DECLINED) {
            orphan->foreign++;

        } else { /* rc == GW_ERROR */
            ngx_gw_journal_file_adopt_none(place, owner);
        }

        err = ENOENT;
    }

    ngx_gw_journal_file_disown(owner);

    free(orphan->numbers);
    orphan->numbers = NULL;
    orphan->n = 0;

    return err;
}


static ngx_err_t
ngx_gw_journal_file_adopt_lock(ngx_gw_journal_place_t *place,
    ngx_gw_journal_owner_t *owner, int flags)
{
    char               text[GW_JOURNAL_NAME + 1];
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_LOCK, owner->generation, 0);
    (void) gw_journal_name(text, &name);

    return ngx_gw_journal_dir_flock(place->dir, text, flags, LOCK_EX|LOCK_NB,
                                    &owner->lock);
}


/*
 *     GW_OK        ours, or so damaged that it can't be told
 *     GW_DECLINED  foreign, or not readable now
 *     GW_ERROR     there is nothing in it
 */

static int
ngx_gw_journal_file_adopt_match(ngx_gw_journal_place_t *place,
    ngx_gw_journal_orphan_t *orphan, const ngx_gw_journal_scan_seen_t *seen)
{
    int                      rc;
    ngx_uint_t               i;
    gw_inflight_info_t       info;
    ngx_gw_journal_owner_t  *owner;

    owner = &orphan->owner;

    if (seen->number) {
        rc = ngx_gw_journal_file_match(place, owner->generation,
                                       seen->number);
        if (rc != GW_ERROR) {
            return rc;
        }

        if (ngx_gw_journal_scan_numbers(place, owner->generation,
                                        &orphan->numbers, &orphan->n)
            != 0)
        {
            return GW_DECLINED;
        }

        for (i = 0; i < orphan->n && rc == GW_ERROR; i++) {
            rc = ngx_gw_journal_file_match(place, owner->generation,
                                           orphan->numbers[i]);
        }

        return rc == GW_ERROR ? GW_OK : rc;
    }

    if (!seen->live) {
        return GW_ERROR;
    }

    if (ngx_gw_journal_file_adopt_table(place, owner) != 0) {
        return GW_DECLINED;
    }

    if (owner->table == NULL) {
        return GW_ERROR;
    }

    rc = gw_inflight_open(&info, owner->table, owner->table_size);

    if (rc == GW_OK
        && !ngx_gw_journal_file_equal(&info.node, &place->conf->node))
    {
        rc = GW_DECLINED;
    }

    return rc;
}


static ngx_err_t
ngx_gw_journal_file_adopt_rest(ngx_gw_journal_place_t *place,
    ngx_gw_journal_orphan_t *orphan, const ngx_gw_journal_scan_seen_t *seen)
{
    ngx_err_t                err;
    ngx_gw_journal_owner_t  *owner;

    owner = &orphan->owner;

    if (owner->lock == -1) {
        err = ngx_gw_journal_file_adopt_lock(place, owner, O_CREAT);
        if (err) {
            return ngx_gw_journal_dir_failed(place, "making a lock", err);
        }
    }

    if (seen->number && orphan->numbers == NULL) {
        err = ngx_gw_journal_scan_numbers(place, owner->generation,
                                          &orphan->numbers, &orphan->n);
        if (err) {
            return err;
        }
    }

    if (seen->live && owner->table == NULL) {
        err = ngx_gw_journal_file_adopt_table(place, owner);
        return ngx_gw_journal_dir_failed(place, "reading a table", err);
    }

    return 0;
}


/* a length that no table has is as good as none */

static ngx_err_t
ngx_gw_journal_file_adopt_table(ngx_gw_journal_place_t *place,
    ngx_gw_journal_owner_t *owner)
{
    int                fd;
    size_t             size;
    ngx_err_t          err;
    struct stat        st;
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_LIVE, owner->generation, 0);

    err = ngx_gw_journal_dir_open(place->tails, &name, O_RDONLY, &fd);

    if (err) {
        return ngx_gw_journal_dir_is_none(err) ? 0 : err;
    }

    if (fstat(fd, &st) == -1) {
        err = ngx_errno;

    } else if (st.st_size > 0
               && st.st_size
                  <= (off_t) gw_inflight_size(NGX_GW_JOURNAL_FILE_TABLES))
    {
        owner->table = malloc((size_t) st.st_size);

        if (owner->table) {
            size = (size_t) st.st_size;
            err = ngx_gw_journal_dir_read(fd, owner->table, &size, 0);
            owner->table_size = size;

        } else {
            err = ENOMEM;
        }
    }

    (void) close(fd);

    if (err && owner->table) {
        free(owner->table);
        owner->table = NULL;
    }

    return err;
}


/* it may be gone: then nobody looks for the slot */

ngx_err_t
ngx_gw_journal_file_leave(ngx_gw_journal_place_t *place, uint64_t generation,
    size_t slot)
{
    int                fd;
    char               word[GW_INFLIGHT_WORD];
    size_t             offset;
    ngx_err_t          err;
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_LIVE, generation, 0);

    err = ngx_gw_journal_dir_open(place->tails, &name, O_RDWR, &fd);

    if (err == 0) {
        offset = gw_inflight_left(word, (unsigned) slot);
        err = ngx_gw_journal_dir_write(fd, word, GW_INFLIGHT_WORD,
                                       (off_t) offset);
        (void) close(fd);

    } else if (ngx_gw_journal_dir_is_none(err)) {
        return 0;
    }

    return ngx_gw_journal_dir_failed(place, "writing to a table", err);
}


/* its worker was killed before the first segment, or after the last one */

static void
ngx_gw_journal_file_adopt_none(ngx_gw_journal_place_t *place,
    ngx_gw_journal_owner_t *owner)
{
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_LIVE, owner->generation, 0);
    (void) ngx_gw_journal_dir_unlink(place->tails, &name);

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_LOCK, owner->generation, 0);
    (void) ngx_gw_journal_dir_unlink(place->dir, &name);
}


/*
 * One header tells: GW_OK, GW_DECLINED, or GW_ERROR if it is damaged.  What
 * can't be read now must not be taken for damaged.
 */

static int
ngx_gw_journal_file_match(ngx_gw_journal_place_t *place, uint64_t generation,
    uint32_t number)
{
    int                rc;
    gw_journal_name_t  name;

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_SEGMENT, generation, number);

    rc = ngx_gw_journal_file_match_header(place, place->tails, &name);

    if (rc == GW_ERROR) {
        rc = ngx_gw_journal_file_match_header(place, place->dir, &name);
    }

    return rc;
}


static int
ngx_gw_journal_file_match_header(ngx_gw_journal_place_t *place, int dir,
    const gw_journal_name_t *name)
{
    int                           fd, rc;
    char                          header[GW_JOURNAL_HEADER];
    size_t                        n;
    ngx_err_t                     err;
    gw_journal_segment_t          seg;
    const ngx_gw_journal_conf_t  *jcf;

    err = ngx_gw_journal_dir_open(dir, name, O_RDONLY, &fd);

    if (err) {
        return ngx_gw_journal_dir_is_none(err) ? GW_ERROR : GW_DECLINED;
    }

    n = GW_JOURNAL_HEADER;

    err = ngx_gw_journal_dir_read(fd, header, &n, 0);

    (void) close(fd);

    if (err) {
        return GW_DECLINED;
    }

    rc = gw_journal_open(&seg, header, n);

    if (rc != GW_OK) {
        return rc;
    }

    jcf = place->conf;

    if (ngx_gw_journal_file_equal(&seg.node, &jcf->node)
        && ngx_gw_journal_file_equal(&seg.topic, &jcf->topic)
        && ngx_gw_journal_file_equal(&seg.cluster, &jcf->cluster))
    {
        return GW_OK;
    }

    return GW_DECLINED;
}


static ngx_uint_t
ngx_gw_journal_file_equal(const gw_str_t *a, const ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}
