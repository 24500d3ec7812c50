
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The protocol of Redis over memory; hiredis reads it, and has no socket of
 * its own.  Used by one worker, never blocks.
 *
 * ngx_gw_resp_append() formats a command into a growing buffer: NGX_OK,
 * NGX_DECLINED if the buffer would exceed its limit, NGX_ERROR if out of
 * memory; in both the buffer is unchanged.  ngx_gw_resp_append_copy() takes one
 * that was formatted before.
 *
 * ngx_gw_resp_feed() takes bytes as they were read; ngx_gw_resp_next() gives
 * a reply, owned by the caller until ngx_gw_resp_free(): NGX_OK, NGX_AGAIN if
 * more bytes are needed, NGX_ERROR if it is not the protocol of Redis or if a
 * reply exceeds NGX_GW_RESP_MAX bytes, or will, by the length of an array.
 *
 * ngx_gw_reply_error() gives the text of an error reply, NULL for others.
 * Redis may repeat arguments of the command in it, passwords and keys, so for
 * a log there is ngx_gw_reply_reason(): the text up to the first character
 * that might begin a quotation, at most NGX_GW_RESP_REASON bytes.
 *
 * ngx_gw_reply_integer() reads an integer, ngx_gw_reply_integers() an array of
 * exactly "n" of them: NGX_OK or NGX_ERROR.
 *
 * ngx_gw_reply_count() is the number of items of an array, NGX_ERROR for
 * anything else, the nil array included.  ngx_gw_reply_item() is one of them,
 * 0 <= "i" < count; it may be an array itself, and lives with the reply.
 * ngx_gw_reply_text() points at a string, which may hold any byte: NGX_OK, or
 * NGX_ERROR for anything else, nil included; the reply has to stay.
 */

#ifndef _NGX_GW_RESP_H_INCLUDED_
#define _NGX_GW_RESP_H_INCLUDED_


#include "ngx_gw.h"


#define NGX_GW_RESP_MAX     (1024 * 1024)
#define NGX_GW_RESP_REASON  128


typedef struct redisReply  ngx_gw_reply_t;


typedef struct {
    u_char     *start;
    u_char     *pos;        /* not yet sent */
    u_char     *last;
    u_char     *end;
    size_t      limit;
} ngx_gw_resp_buf_t;


typedef struct {
    void       *reader;
    void       *functions;  /* of the reader */
    size_t      fed;        /* bytes since the last complete reply */
} ngx_gw_resp_t;


GW_HIDDEN_BEGIN

ngx_int_t ngx_gw_resp_append(ngx_gw_resp_buf_t *b, ngx_uint_t argc,
    const ngx_str_t *argv);
ngx_int_t ngx_gw_resp_append_copy(ngx_gw_resp_buf_t *b, const u_char *data,
    size_t len);

ngx_int_t ngx_gw_resp_create(ngx_gw_resp_t *resp);
void ngx_gw_resp_destroy(ngx_gw_resp_t *resp);
ngx_int_t ngx_gw_resp_feed(ngx_gw_resp_t *resp, u_char *data, size_t len);
ngx_int_t ngx_gw_resp_next(ngx_gw_resp_t *resp, ngx_gw_reply_t **reply);
void ngx_gw_resp_free(ngx_gw_reply_t *reply);

const char *ngx_gw_reply_error(const ngx_gw_reply_t *reply);
ngx_str_t ngx_gw_reply_reason(const ngx_gw_reply_t *reply);
ngx_int_t ngx_gw_reply_integer(const ngx_gw_reply_t *reply, int64_t *v);
ngx_int_t ngx_gw_reply_integers(const ngx_gw_reply_t *reply, int64_t *v,
    ngx_uint_t n);

ngx_int_t ngx_gw_reply_count(const ngx_gw_reply_t *reply);
const ngx_gw_reply_t *ngx_gw_reply_item(const ngx_gw_reply_t *reply,
    ngx_uint_t i);
ngx_int_t ngx_gw_reply_text(const ngx_gw_reply_t *reply, ngx_str_t *text);

GW_HIDDEN_END


#endif /* _NGX_GW_RESP_H_INCLUDED_ */
