
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_util.h"


static ngx_int_t ngx_http_gw_util_unlink(ngx_http_request_t *r,
    ngx_str_t *name, ngx_uint_t empty);
static ngx_uint_t ngx_http_gw_util_spells(const ngx_str_t *key,
    const ngx_str_t *name);
static ngx_list_part_t *ngx_http_gw_util_remove(ngx_http_request_t *r,
    ngx_list_part_t *prev, ngx_list_part_t *part, ngx_uint_t i);
static void ngx_http_gw_util_forget(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static void ngx_http_gw_util_forget_known(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_uint_t offset);


void *
ngx_http_gw_state_create(ngx_http_request_t *r, ngx_module_t *module,
    size_t size, ngx_pool_cleanup_pt handler)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, size);
    if (cln == NULL) {
        return NULL;
    }

    ngx_memzero(cln->data, size);

    cln->handler = handler;

    r->ctx[module->ctx_index] = cln->data;

    return cln->data;
}


void *
ngx_http_gw_state_get(ngx_http_request_t *r, ngx_module_t *module,
    ngx_pool_cleanup_pt handler)
{
    void                *state;
    ngx_pool_cleanup_t  *cln;

    state = r->ctx[module->ctx_index];

    if (state || !(r->internal || r->filter_finalize)) {
        return state;
    }

    /* r->ctx is not restored: an empty one marks the redirect */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == handler) {
            return cln->data;
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_gw_header_unlink(ngx_http_request_t *r, ngx_str_t *name)
{
    return ngx_http_gw_util_unlink(r, name, 0);
}


ngx_int_t
ngx_http_gw_header_unlink_empty(ngx_http_request_t *r, ngx_str_t *name)
{
    return ngx_http_gw_util_unlink(r, name, 1);
}


static ngx_int_t
ngx_http_gw_util_unlink(ngx_http_request_t *r, ngx_str_t *name,
    ngx_uint_t empty)
{
    ngx_int_t         n;
    ngx_uint_t        i;
    ngx_table_elt_t  *h;
    ngx_list_part_t  *part, *prev;

    n = 0;
    prev = NULL;
    part = &r->headers_in.headers.part;
    i = 0;

    for ( ;; ) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            prev = part;
            part = part->next;
            i = 0;

            continue;
        }

        h = (ngx_table_elt_t *) part->elts + i;

        if (!ngx_http_gw_util_spells(&h->key, name)
            || (empty && h->value.len))
        {
            i++;
            continue;
        }

        ngx_http_gw_util_forget(r, h);

        part = ngx_http_gw_util_remove(r, prev, part, i);

        if (part == NULL) {
            return NGX_ERROR;
        }

        if (part == prev) {
            i = part->nelts;
        }

        n++;
    }

    if (n) {
        ngx_http_gw_variable_forget(r, "http_", name);
    }

    return n;
}


ngx_table_elt_t *
ngx_http_gw_header_next(ngx_http_request_t *r, const ngx_str_t *name,
    ngx_http_gw_header_iter_t *it)
{
    ngx_table_elt_t  *h;

    if (it->part == NULL) {
        it->part = &r->headers_in.headers.part;
    }

    for ( ;; ) {

        if (it->i >= it->part->nelts) {
            if (it->part->next == NULL) {
                return NULL;
            }

            it->part = it->part->next;
            it->i = 0;

            continue;
        }

        h = (ngx_table_elt_t *) it->part->elts + it->i++;

        if (ngx_http_gw_util_spells(&h->key, name)) {
            return h;
        }
    }
}


static ngx_uint_t
ngx_http_gw_util_spells(const ngx_str_t *key, const ngx_str_t *name)
{
    u_char      ch;
    ngx_uint_t  i;

    if (key->len != name->len) {
        return 0;
    }

    for (i = 0; i < key->len; i++) {

        ch = key->data[i];

        if (ch >= 'A' && ch <= 'Z') {
            ch |= 0x20;

        } else if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9'))) {
            ch = '-';
        }

        if (ch != name->data[i]) {
            return 0;
        }
    }

    return 1;
}


/*
 * The part is cut in two around the element.  nginx iterates over parts
 * without expecting an empty one, except the first if it is alone.
 *
 * Returns the part to go on with: the same one, whose element "i" is another
 * now, or the previous one, which is done with; NULL if out of memory.
 */

static ngx_list_part_t *
ngx_http_gw_util_remove(ngx_http_request_t *r, ngx_list_part_t *prev,
    ngx_list_part_t *part, ngx_uint_t i)
{
    ngx_list_t       *list;
    ngx_list_part_t  *tail;

    list = &r->headers_in.headers;

    if (part->nelts == 1 && prev == NULL && part->next == NULL) {

        if (ngx_list_init(list, r->pool, 4, sizeof(ngx_table_elt_t))
            != NGX_OK)
        {
            return NULL;
        }

        return part;
    }

    if (part->nelts == 1 && prev == NULL) {

        /* the first part is embedded in the list */

        if (list->last == part->next) {
            list->last = part;
        }

        *part = *part->next;

    } else if (part->nelts == 1) {

        if (list->last == part) {
            list->last = prev;
        }

        prev->next = part->next;
        part = prev;

    } else if (i == 0) {

        part->elts = (ngx_table_elt_t *) part->elts + 1;
        part->nelts--;

    } else {

        if (i + 1 < part->nelts) {

            tail = ngx_palloc(r->pool, sizeof(ngx_list_part_t));
            if (tail == NULL) {
                return NULL;
            }

            tail->elts = (ngx_table_elt_t *) part->elts + i + 1;
            tail->nelts = part->nelts - i - 1;
            tail->next = part->next;

            part->next = tail;

            if (list->last == part) {
                list->last = tail;
            }
        }

        part->nelts = i;
    }

    /* the last part counts as full: its room is no longer "nalloc" */

    list->nalloc = list->last->nelts;

    return part;
}


/* clears what points to the header from r->headers_in */

static void
ngx_http_gw_util_forget(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_http_header_t          *hh;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    hh = ngx_hash_find(&cmcf->headers_in_hash, h->hash, h->lowcase_key,
                       h->key.len);

    if (hh == NULL || hh->offset == 0) {
        return;
    }

    ngx_http_gw_util_forget_known(r, h, hh->offset);
}


#if (nginx_version >= 1023000)

static void
ngx_http_gw_util_forget_known(ngx_http_request_t *r, ngx_table_elt_t *h,
    ngx_uint_t offset)
{
    ngx_table_elt_t  **hp;

    hp = (ngx_table_elt_t **) ((u_char *) &r->headers_in + offset);

    for ( /* void */ ; *hp; hp = &(*hp)->next) {
        if (*hp == h) {
            *hp = h->next;
            return;
        }
    }
}

#else

static void
ngx_http_gw_util_forget_known(ngx_http_request_t *r, ngx_table_elt_t *h,
    ngx_uint_t offset)
{
    ngx_uint_t         i;
    ngx_array_t       *a;
    ngx_table_elt_t  **hp;

    hp = (ngx_table_elt_t **) ((u_char *) &r->headers_in + offset);

    if (offset != offsetof(ngx_http_headers_in_t, cookies)
#if (NGX_HTTP_X_FORWARDED_FOR)
        && offset != offsetof(ngx_http_headers_in_t, x_forwarded_for)
#endif
       )
    {
        if (*hp == h) {
            *hp = NULL;
        }

        return;
    }

    a = (ngx_array_t *) hp;
    hp = a->elts;

    for (i = 0; i < a->nelts; i++) {

        if (hp[i] != h) {
            continue;
        }

        a->nelts--;

        ngx_memmove(&hp[i], &hp[i + 1],
                    (a->nelts - i) * sizeof(ngx_table_elt_t *));
        return;
    }
}

#endif


ngx_int_t
ngx_http_gw_header_add(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *lowcase, ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = ngx_hash_key(lowcase->data, lowcase->len);
    h->key = *name;
    h->lowcase_key = lowcase->data;
    h->value = *value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    ngx_http_gw_variable_forget(r, "http_", lowcase);

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_gw_header_out(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value = *value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return h;
}


ngx_str_t
ngx_http_gw_variable(ngx_http_request_t *r, ngx_str_t *name, ngx_uint_t hash)
{
    ngx_str_t                   value;
    ngx_http_variable_value_t  *vv;

    ngx_str_null(&value);

    vv = ngx_http_get_variable(r, name, hash);

    if (vv && !vv->not_found && vv->len) {
        value.len = vv->len;
        value.data = vv->data;
    }

    return value;
}


/* an indexed variable may have been evaluated before */

void
ngx_http_gw_variable_forget(ngx_http_request_t *r, const char *prefix,
    const ngx_str_t *name)
{
    u_char                     *p, ch;
    size_t                      len;
    ngx_uint_t                  i, n;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    v = cmcf->variables.elts;
    len = ngx_strlen(prefix);

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (v[i].name.len != len + name->len
            || ngx_strncmp(v[i].name.data, prefix, len) != 0)
        {
            continue;
        }

        p = v[i].name.data + len;

        for (n = 0; n < name->len; n++) {
            ch = ngx_tolower(name->data[n]);

            if (p[n] != (ch == '-' ? '_' : ch)) {
                break;
            }
        }

        if (n == name->len) {
            r->variables[i].valid = 0;
            r->variables[i].not_found = 0;
        }
    }
}
