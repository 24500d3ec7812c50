
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_resp.h"

#include <hiredis/hiredis.h>


#define NGX_GW_RESP_ITEM  3      /* bytes: no item of an array has less */

/* "$", a length, the end of the line */

#define NGX_GW_RESP_HEAD  (1 + NGX_INT64_LEN + 2)

#if (HIREDIS_MAJOR < 1)
typedef int     ngx_gw_resp_count_t;
#else
typedef size_t  ngx_gw_resp_count_t;
#endif


static u_char *ngx_gw_resp_head(u_char *p, u_char type, size_t n);
static ngx_int_t ngx_gw_resp_reserve(ngx_gw_resp_buf_t *b, size_t len);
static void *ngx_gw_resp_array(const redisReadTask *task,
    ngx_gw_resp_count_t n);


/*
 * Not by redisFormatCommandArgv(), whose sprintf() for each argument was two
 * fifths of all that a decision took.
 */

ngx_int_t
ngx_gw_resp_append(ngx_gw_resp_buf_t *b, ngx_uint_t argc,
    const ngx_str_t *argv)
{
    u_char      *p;
    size_t       len;
    ngx_int_t    rc;
    ngx_uint_t   i;

    len = NGX_GW_RESP_HEAD;

    for (i = 0; i < argc; i++) {
        len += NGX_GW_RESP_HEAD + argv[i].len + 2;
    }

    rc = ngx_gw_resp_reserve(b, len);

    if (rc != NGX_OK) {
        return rc;
    }

    p = ngx_gw_resp_head(b->last, '*', argc);

    for (i = 0; i < argc; i++) {
        p = ngx_gw_resp_head(p, '$', argv[i].len);
        p = ngx_cpymem(p, argv[i].data, argv[i].len);
        *p++ = CR; *p++ = LF;
    }

    b->last = p;

    return NGX_OK;
}


static u_char *
ngx_gw_resp_head(u_char *p, u_char type, size_t n)
{
    *p++ = type;
    p = ngx_gw_number(p, (int64_t) n);
    *p++ = CR; *p++ = LF;

    return p;
}


ngx_int_t
ngx_gw_resp_append_copy(ngx_gw_resp_buf_t *b, const u_char *data, size_t len)
{
    ngx_int_t  rc;

    rc = ngx_gw_resp_reserve(b, len);

    if (rc == NGX_OK) {
        b->last = ngx_cpymem(b->last, data, len);
    }

    return rc;
}


static ngx_int_t
ngx_gw_resp_reserve(ngx_gw_resp_buf_t *b, size_t len)
{
    u_char  *p;
    size_t   used, size;

    if ((size_t) (b->end - b->last) >= len) {
        return NGX_OK;
    }

    used = b->last - b->pos;

    if (used + len > b->limit) {
        return NGX_DECLINED;
    }

    size = ngx_max((size_t) ngx_pagesize, (size_t) (b->end - b->start));

    while (size < used + len) {
        size *= 2;
    }

    p = ngx_alloc(size, ngx_cycle->log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (b->start) {
        ngx_memcpy(p, b->pos, used);
        ngx_free(b->start);
    }

    b->start = p;
    b->pos = p;
    b->last = p + used;
    b->end = p + size;

    return NGX_OK;
}


ngx_int_t
ngx_gw_resp_create(ngx_gw_resp_t *resp)
{
    redisReader                *reader;
    redisReplyObjectFunctions  *fn;

    reader = redisReaderCreate();
    fn = ngx_alloc(sizeof(redisReplyObjectFunctions), ngx_cycle->log);

    resp->reader = reader;
    resp->functions = fn;
    resp->fed = 0;

    if (reader == NULL || fn == NULL) {
        ngx_gw_resp_destroy(resp);
        return NGX_ERROR;
    }

    *fn = *reader->fn;
    fn->createArray = ngx_gw_resp_array;

    reader->privdata = reader->fn;
    reader->fn = fn;

    return NGX_OK;
}


/* memory for all items is taken, and walked, before one of them is there */

static void *
ngx_gw_resp_array(const redisReadTask *task, ngx_gw_resp_count_t n)
{
    redisReplyObjectFunctions  *fn;

    if (n > NGX_GW_RESP_MAX / NGX_GW_RESP_ITEM) {
        return NULL;
    }

    fn = task->privdata;

    return fn->createArray(task, n);
}


void
ngx_gw_resp_destroy(ngx_gw_resp_t *resp)
{
    if (resp->reader) {
        redisReaderFree(resp->reader);
        resp->reader = NULL;
    }

    if (resp->functions) {
        ngx_free(resp->functions);
        resp->functions = NULL;
    }
}


ngx_int_t
ngx_gw_resp_feed(ngx_gw_resp_t *resp, u_char *data, size_t len)
{
    resp->fed += len;

    if (redisReaderFeed(resp->reader, (char *) data, len) != REDIS_OK) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_gw_resp_next(ngx_gw_resp_t *resp, ngx_gw_reply_t **reply)
{
    void  *r;

    if (redisReaderGetReply(resp->reader, &r) != REDIS_OK) {
        return NGX_ERROR;
    }

    if (r == NULL) {
        return (resp->fed > NGX_GW_RESP_MAX) ? NGX_ERROR : NGX_AGAIN;
    }

    resp->fed = 0;
    *reply = r;

    return NGX_OK;
}


void
ngx_gw_resp_free(ngx_gw_reply_t *reply)
{
    freeReplyObject(reply);
}


const char *
ngx_gw_reply_error(const ngx_gw_reply_t *reply)
{
    return (reply->type == REDIS_REPLY_ERROR) ? reply->str : NULL;
}


ngx_str_t
ngx_gw_reply_reason(const ngx_gw_reply_t *reply)
{
    u_char     ch;
    size_t     len, max;
    ngx_str_t  reason;

    if (reply->type != REDIS_REPLY_ERROR) {
        ngx_str_set(&reason, "something unexpected");
        return reason;
    }

    max = ngx_min((size_t) reply->len, NGX_GW_RESP_REASON);

    for (len = 0; len < max; len++) {

        ch = (u_char) reply->str[len];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9')
              || ch == ' ' || ch == '.' || ch == '-' || ch == '_'))
        {
            break;
        }
    }

    while (len && reply->str[len - 1] == ' ') {
        len--;
    }

    reason.len = len;
    reason.data = (u_char *) reply->str;

    return reason;
}


ngx_int_t
ngx_gw_reply_integer(const ngx_gw_reply_t *reply, int64_t *v)
{
    if (reply->type != REDIS_REPLY_INTEGER) {
        return NGX_ERROR;
    }

    *v = reply->integer;

    return NGX_OK;
}


ngx_int_t
ngx_gw_reply_integers(const ngx_gw_reply_t *reply, int64_t *v, ngx_uint_t n)
{
    ngx_uint_t  i;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != n) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {

        if (ngx_gw_reply_integer(reply->element[i], &v[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_gw_reply_count(const ngx_gw_reply_t *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    return (ngx_int_t) reply->elements;
}


const ngx_gw_reply_t *
ngx_gw_reply_item(const ngx_gw_reply_t *reply, ngx_uint_t i)
{
    return reply->element[i];
}


ngx_int_t
ngx_gw_reply_text(const ngx_gw_reply_t *reply, ngx_str_t *text)
{
    if (reply->type != REDIS_REPLY_STRING
        && reply->type != REDIS_REPLY_STATUS)
    {
        return NGX_ERROR;
    }

    text->len = reply->len;
    text->data = (u_char *) reply->str;

    return NGX_OK;
}
