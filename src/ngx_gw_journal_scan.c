
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_scan.h"
#include "ngx_gw_journal_dir.h"


/* sorted whenever it is full, which may make room; else it doubles */

typedef struct {
    char                        *elts;
    size_t                       size;
    ngx_uint_t                   n;
    ngx_uint_t                   nalloc;

    int                        (*compare)(const void *one, const void *two);
    void                       (*merge)(void *to, const void *from);
} ngx_gw_journal_scan_list_t;


typedef struct {
    ngx_gw_journal_scan_list_t   list;
    uint64_t                     generation;

    unsigned                     tails:1;
    unsigned                     kept:1;
} ngx_gw_journal_scan_t;


static ngx_err_t ngx_gw_journal_scan_both(ngx_gw_journal_place_t *place,
    ngx_gw_journal_scan_t *scan, ngx_gw_journal_dir_pt handler);
static ngx_err_t ngx_gw_journal_scan_see(void *data, int dir,
    const char *text, const gw_journal_name_t *name);
static int ngx_gw_journal_scan_see_compare(const void *one, const void *two);
static void ngx_gw_journal_scan_see_merge(void *to, const void *from);
static ngx_err_t ngx_gw_journal_scan_number(void *data, int dir,
    const char *text, const gw_journal_name_t *name);
static int ngx_gw_journal_scan_number_compare(const void *one,
    const void *two);
static ngx_err_t ngx_gw_journal_scan_push(ngx_gw_journal_scan_list_t *list,
    const void *elt);
static void ngx_gw_journal_scan_sort(ngx_gw_journal_scan_list_t *list);


ngx_err_t
ngx_gw_journal_scan_generations(ngx_gw_journal_place_t *place,
    ngx_gw_journal_scan_seen_t **seen, ngx_uint_t *n, ngx_uint_t *kept)
{
    ngx_err_t              err;
    ngx_gw_journal_scan_t  scan;

    ngx_memzero(&scan, sizeof(ngx_gw_journal_scan_t));

    scan.list.size = sizeof(ngx_gw_journal_scan_seen_t);
    scan.list.compare = ngx_gw_journal_scan_see_compare;
    scan.list.merge = ngx_gw_journal_scan_see_merge;

    err = ngx_gw_journal_scan_both(place, &scan, ngx_gw_journal_scan_see);

    *seen = (ngx_gw_journal_scan_seen_t *) scan.list.elts;
    *n = scan.list.n;
    *kept = scan.kept;

    return err;
}


ngx_err_t
ngx_gw_journal_scan_numbers(ngx_gw_journal_place_t *place,
    uint64_t generation, uint32_t **numbers, ngx_uint_t *n)
{
    ngx_err_t              err;
    ngx_gw_journal_scan_t  scan;

    ngx_memzero(&scan, sizeof(ngx_gw_journal_scan_t));

    scan.generation = generation;
    scan.list.size = sizeof(uint32_t);
    scan.list.compare = ngx_gw_journal_scan_number_compare;

    err = ngx_gw_journal_scan_both(place, &scan, ngx_gw_journal_scan_number);

    *numbers = (uint32_t *) scan.list.elts;
    *n = scan.list.n;

    return err;
}


static ngx_err_t
ngx_gw_journal_scan_both(ngx_gw_journal_place_t *place,
    ngx_gw_journal_scan_t *scan, ngx_gw_journal_dir_pt handler)
{
    ngx_err_t  err;

    err = ngx_gw_journal_dir_each(place->dir, handler, scan);

    if (err == 0) {
        scan->tails = 1;
        err = ngx_gw_journal_dir_each(place->tails, handler, scan);
    }

    if (err) {
        free(scan->list.elts);
        scan->list.elts = NULL;
        scan->list.n = 0;

        return ngx_gw_journal_dir_failed(place, "reading a directory", err);
    }

    ngx_gw_journal_scan_sort(&scan->list);

    return 0;
}


static ngx_err_t
ngx_gw_journal_scan_see(void *data, int dir, const char *text,
    const gw_journal_name_t *name)
{
    ngx_gw_journal_scan_t *scan = data;

    ngx_gw_journal_scan_seen_t  seen;

    if (name == NULL) {
        return 0;
    }

    seen.generation = name->generation;
    seen.number = 0;
    seen.live = 0;

    switch (name->kind) {

    case GW_JOURNAL_SEGMENT:
        seen.number = name->number;
        break;

    case GW_JOURNAL_LIVE:
        seen.live = 1;
        break;

    case GW_JOURNAL_LOCK:
        break;

    case GW_JOURNAL_KEPT:
        scan->kept = 1;
        return 0;

    default: /* GW_JOURNAL_BAD, GW_JOURNAL_DEAD */
        return 0;
    }

    /* each kind in its own directory, but for segments */

    if (name->kind != GW_JOURNAL_SEGMENT
        && scan->tails != (name->kind == GW_JOURNAL_LIVE))
    {
        return 0;
    }

    return ngx_gw_journal_scan_push(&scan->list, &seen);
}


static int
ngx_gw_journal_scan_see_compare(const void *one, const void *two)
{
    const ngx_gw_journal_scan_seen_t *a = one, *b = two;

    return (a->generation > b->generation) - (a->generation < b->generation);
}


static void
ngx_gw_journal_scan_see_merge(void *to, const void *from)
{
    ngx_gw_journal_scan_seen_t *a = to;
    const ngx_gw_journal_scan_seen_t *b = from;

    if (a->number == 0 || (b->number && b->number < a->number)) {
        a->number = b->number;
    }

    a->live |= b->live;
}


static ngx_err_t
ngx_gw_journal_scan_number(void *data, int dir, const char *text,
    const gw_journal_name_t *name)
{
    ngx_gw_journal_scan_t *scan = data;

    if (name == NULL || name->kind != GW_JOURNAL_SEGMENT
        || name->generation != scan->generation)
    {
        return 0;
    }

    return ngx_gw_journal_scan_push(&scan->list, &name->number);
}


static int
ngx_gw_journal_scan_number_compare(const void *one, const void *two)
{
    const uint32_t *a = one, *b = two;

    return (*a > *b) - (*a < *b);
}


static ngx_err_t
ngx_gw_journal_scan_push(ngx_gw_journal_scan_list_t *list, const void *elt)
{
    char        *elts;
    ngx_uint_t   nalloc;

    if (list->n == list->nalloc) {

        ngx_gw_journal_scan_sort(list);

        if (list->n >= list->nalloc / 2) {
            nalloc = ngx_max(list->nalloc * 2, 64);

            elts = realloc(list->elts, nalloc * list->size);
            if (elts == NULL) {
                return ENOMEM;
            }

            list->elts = elts;
            list->nalloc = nalloc;
        }
    }

    ngx_memcpy(list->elts + list->n * list->size, elt, list->size);
    list->n++;

    return 0;
}


/* without duplicates */

static void
ngx_gw_journal_scan_sort(ngx_gw_journal_scan_list_t *list)
{
    char        *last, *p;
    ngx_uint_t   i;

    if (list->n == 0) {
        return;
    }

    ngx_qsort(list->elts, list->n, list->size, list->compare);

    last = list->elts;

    for (i = 1; i < list->n; i++) {
        p = list->elts + i * list->size;

        if (list->compare(last, p) != 0) {
            last += list->size;

            if (last != p) {
                ngx_memcpy(last, p, list->size);
            }

        } else if (list->merge) {
            list->merge(last, p);
        }
    }

    list->n = (last - list->elts) / list->size + 1;
}
