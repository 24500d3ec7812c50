
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Decides who calls: the way of a request from its credential to a checked
 * identity, across suspensions.
 *
 * ngx_http_gw_auth_decide() is called from the access handler, with "auth"
 * and the policy of the location:
 *
 *     GW_JWT_OK   ctx->identity holds and satisfies the location
 *     a reason    refused; ctx->provider is the one that refused, or NULL,
 *                 and ctx->seconds says by how much it is late or early
 *     NGX_AGAIN   something was asked; ctx->wait tells when to come again
 *     NGX_ERROR   out of memory
 *
 * ngx_http_gw_auth_forget() ends what is under way, and is called from the
 * cleanup; the identity stays valid as long as the request's pool.
 *
 * ngx_http_gw_auth_claims() parses the identity's claims once; NULL if there
 * are none.
 */

#ifndef _NGX_HTTP_GW_AUTH_DECIDE_H_INCLUDED_
#define _NGX_HTTP_GW_AUTH_DECIDE_H_INCLUDED_


#include "ngx_http_gw_auth_ask.h"
#include "ngx_http_gw_problem.h"
#include "ngx_http_gw_wait.h"


#define NGX_HTTP_GW_AUTH_PATIENCE  3000   /* ms, until the list is read */


typedef struct {
    ngx_http_request_t                   *request;
    ngx_http_gw_auth_main_conf_t         *gamcf;

    /* what the client presented */

    ngx_str_t                             credential;
    const ngx_http_gw_auth_source_t      *source;
    u_char                                digest[GW_IDENTITY_DIGEST];

    /* what is known of it */

    const ngx_http_gw_auth_provider_t    *provider;
    gw_identity_t                         identity;   /* if identified */
    gw_jwt_t                              jwt;
    struct json_t                        *claims;
    ngx_uint_t                            reason;     /* ..._NOBODY: none */
    int64_t                               seconds;

    /* what is under way */

    ngx_http_gw_wait_t                    wait;
    ngx_event_t                           deadline;
    ngx_gw_keys_wait_t                    keys;
    ngx_gw_revocations_wait_t             revocations;
    ngx_http_gw_auth_waiter_t             waiter;
    ngx_uint_t                            answer;     /* a reason */

    /* of the response, and to the upstream */

    ngx_str_t                             passport;   /* in the request now */
    ngx_table_elt_t                      *challenge;
    ngx_table_elt_t                      *retry_after;
    ngx_http_gw_problem_t                 problem;

    unsigned                              identified:1;
    unsigned                              asked:1;
    unsigned                              answered:1;
    unsigned                              parsed:1;   /* ctx->jwt */
    unsigned                              pending:1;  /* suspended */
    unsigned                              refreshed:1;
    unsigned                              late:1;     /* the deadline */
} ngx_http_gw_auth_ctx_t;


GW_HIDDEN_BEGIN

ngx_int_t ngx_http_gw_auth_decide(ngx_http_gw_auth_ctx_t *ctx,
    const ngx_http_gw_auth_conf_t *gacf);
void ngx_http_gw_auth_forget(ngx_http_gw_auth_ctx_t *ctx);
struct json_t *ngx_http_gw_auth_claims(ngx_http_gw_auth_ctx_t *ctx);

GW_HIDDEN_END


#endif /* _NGX_HTTP_GW_AUTH_DECIDE_H_INCLUDED_ */
