
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_problem.h"
#include "ngx_http_gw_util.h"


static ngx_int_t ngx_http_gw_problem_build(ngx_http_request_t *r,
    ngx_http_gw_problem_t *p);


ngx_int_t
ngx_http_gw_problem_header(ngx_http_request_t *r, ngx_http_gw_problem_t *p)
{
    if (r != r->main || r->headers_out.status != p->status) {
        return NGX_OK;
    }

    if (ngx_http_gw_problem_build(r, p) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_str_set(&r->headers_out.content_type, "application/problem+json");

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.charset.len = 0;

    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_content_length(r);
    ngx_http_clear_etag(r);

    r->headers_out.content_length_n = p->body.len;

    return NGX_OK;
}


ngx_int_t
ngx_http_gw_problem_body(ngx_http_request_t *r, ngx_http_gw_problem_t *p,
    ngx_chain_t *in, ngx_chain_t **out)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    *out = in;

    if (p->body.len == 0 || r != r->main) {
        return NGX_OK;
    }

    /* nginx's own page is in memory, and is dropped */

    for (cl = in; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
    }

    *out = NULL;

    if (p->sent) {
        return NGX_OK;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = p->body.data;
    b->last = p->body.data + p->body.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    cl = ngx_alloc_chain_link(r->pool);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf = b;
    cl->next = NULL;

    p->sent = 1;
    *out = cl;

    return NGX_OK;
}


static ngx_int_t
ngx_http_gw_problem_build(ngx_http_request_t *r, ngx_http_gw_problem_t *p)
{
    u_char            *last;
    size_t             size;
    ngx_str_t          id;
    const char        *type;
    static ngx_str_t   name = ngx_string("request_id");

    id = ngx_http_gw_variable(r, &name, ngx_hash_key(name.data, name.len));

    type = p->type ? p->type : "about:blank";

    size = sizeof("{\"type\":\"\",\"title\":\"\",\"status\":,\"detail\":\"\","
                  "\"request_id\":\"\"}\n") - 1
           + ngx_strlen(type) + ngx_strlen(p->title) + NGX_INT_T_LEN
           + ngx_strlen(p->detail) + id.len + p->extra.len;

    p->body.data = ngx_pnalloc(r->pool, size);
    if (p->body.data == NULL) {
        return NGX_ERROR;
    }

    last = ngx_slprintf(p->body.data, p->body.data + size,
                        "{\"type\":\"%s\",\"title\":\"%s\",\"status\":%ui,"
                        "\"detail\":\"%s\",\"request_id\":\"%V\"%V}\n",
                        type, p->title, p->status, p->detail, &id, &p->extra);

    p->body.len = last - p->body.data;

    return NGX_OK;
}
