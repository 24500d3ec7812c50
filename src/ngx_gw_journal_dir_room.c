
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_dir.h"


#define NGX_GW_JOURNAL_DIR_OLD  16


/* a file that may go */

typedef struct {
    gw_journal_name_t          name;
    struct timespec            mtime;
    off_t                      size;
} ngx_gw_journal_dir_old_t;


typedef struct {
    off_t                      total;
    time_t                     now;
    time_t                     keep;
    ngx_uint_t                 bad;
    ngx_uint_t                 n;
    ngx_gw_journal_dir_old_t   old[NGX_GW_JOURNAL_DIR_OLD];

    unsigned                   bad_only:1;
} ngx_gw_journal_dir_count_t;


static ngx_err_t ngx_gw_journal_dir_count(void *data, int dir,
    const char *text, const gw_journal_name_t *name);
static void ngx_gw_journal_dir_insert(ngx_gw_journal_dir_count_t *count,
    const ngx_gw_journal_dir_old_t *old);
static ngx_uint_t ngx_gw_journal_dir_before(const ngx_gw_journal_dir_old_t *a,
    const ngx_gw_journal_dir_old_t *b);


ngx_err_t
ngx_gw_journal_dir_room(ngx_gw_journal_place_t *place, off_t need)
{
    off_t                       size;
    ngx_err_t                   err;
    ngx_uint_t                  i;
    ngx_gw_journal_dir_count_t  count;

    size = place->conf->size;

    for ( ;; ) {
        ngx_memzero(&count, sizeof(ngx_gw_journal_dir_count_t));

        count.now = time(NULL);
        count.keep = place->conf->keep;

        err = ngx_gw_journal_dir_each(place->dir, ngx_gw_journal_dir_count,
                                      &count);
        if (err) {
            return ngx_gw_journal_dir_failed(place, "counting the files", err);
        }

        for (i = 0; i < count.n && count.total + need > size; i++) {

            err = ngx_gw_journal_dir_unlink(place->dir, &count.old[i].name);
            if (err) {
                return ngx_gw_journal_dir_failed(place,
                                                 "unlink() of a kept segment",
                                                 err);
            }

            count.total -= count.old[i].size;
        }

        if (count.total + need <= size) {
            return 0;
        }

        if (count.n < NGX_GW_JOURNAL_DIR_OLD) {
            return ngx_gw_journal_dir_failed(place, "the journal is full",
                                             EDQUOT);
        }
    }
}


ngx_err_t
ngx_gw_journal_dir_bad(ngx_gw_journal_place_t *place)
{
    ngx_err_t                   err;
    ngx_uint_t                  i;
    ngx_gw_journal_dir_count_t  count;

    do {
        ngx_memzero(&count, sizeof(ngx_gw_journal_dir_count_t));

        count.now = time(NULL);
        count.keep = place->conf->keep;
        count.bad_only = 1;

        err = ngx_gw_journal_dir_each(place->dir, ngx_gw_journal_dir_count,
                                      &count);
        if (err) {
            return ngx_gw_journal_dir_failed(place, "counting the files", err);
        }

        for (i = 0; i < count.n && count.bad > NGX_GW_JOURNAL_DIR_BAD; i++) {

            err = ngx_gw_journal_dir_unlink(place->dir, &count.old[i].name);
            if (err) {
                return ngx_gw_journal_dir_failed(place,
                                              "unlink() of a damaged segment",
                                              err);
            }

            count.bad--;
        }

    } while (count.bad > NGX_GW_JOURNAL_DIR_BAD);

    return 0;
}


static ngx_err_t
ngx_gw_journal_dir_count(void *data, int dir, const char *text,
    const gw_journal_name_t *name)
{
    ngx_gw_journal_dir_count_t *count = data;

    struct stat               st;
    ngx_gw_journal_dir_old_t  old;

    if (fstatat(dir, text, &st, AT_SYMLINK_NOFOLLOW) == -1) {
        return ngx_errno == ENOENT ? 0 : ngx_errno;
    }

    if (name && name->kind == GW_JOURNAL_KEPT
        && (count->keep == 0 || st.st_mtime <= count->now - count->keep)
        && unlinkat(dir, text, 0) == 0)
    {
        return 0;
    }

    count->total += st.st_size;

    if (name == NULL) {
        return 0;
    }

    if (name->kind == GW_JOURNAL_BAD) {
        count->bad++;

    } else if (name->kind != GW_JOURNAL_KEPT || count->bad_only) {
        return 0;
    }

    old.name = *name;
    old.mtime = st.st_mtim;
    old.size = st.st_size;

    ngx_gw_journal_dir_insert(count, &old);

    return 0;
}


/* only those that go first are remembered, so that memory is bounded */

static void
ngx_gw_journal_dir_insert(ngx_gw_journal_dir_count_t *count,
    const ngx_gw_journal_dir_old_t *old)
{
    ngx_uint_t  i;

    if (count->n < NGX_GW_JOURNAL_DIR_OLD) {
        count->n++;

    } else if (!ngx_gw_journal_dir_before(old, &count->old[count->n - 1])) {
        return;
    }

    for (i = count->n - 1;
         i > 0 && ngx_gw_journal_dir_before(old, &count->old[i - 1]);
         i--)
    {
        count->old[i] = count->old[i - 1];
    }

    count->old[i] = *old;
}


/* what is damaged goes after what is kept: it tells what happened */

static ngx_uint_t
ngx_gw_journal_dir_before(const ngx_gw_journal_dir_old_t *a,
    const ngx_gw_journal_dir_old_t *b)
{
    if (a->name.kind != b->name.kind) {
        return a->name.kind == GW_JOURNAL_KEPT;
    }

    if (a->mtime.tv_sec != b->mtime.tv_sec) {
        return a->mtime.tv_sec < b->mtime.tv_sec;
    }

    return a->mtime.tv_nsec < b->mtime.tv_nsec;
}
