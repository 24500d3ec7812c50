
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The answer of an introspection endpoint (RFC 7662).
 *
 * gw_introspect_parse() reads the body of a 200 answer, checks it against
 * "rules" at "now" (s), and takes the registered claims out of it.
 * gw_introspect_free() is due whatever it returned.
 *
 *     GW_JWT_OK         active; "claims" and the slices, which point into it,
 *                       are set
 *     GW_JWT_MALFORMED  no answer to believe: not an object of strict JSON,
 *                       longer than GW_INTROSPECT_MAX, "active" no boolean
 *     GW_JWT_INACTIVE   "active" is false
 *     others            active, but refused: expired, not yet valid, of
 *                       another issuer or audience, a bad claim
 *
 * As gw_jwt_check(), except that "exp" may be absent (0 then), and "iss" too;
 * "iss" is compared if it is there and rules->issuer is not empty.  "sub" is
 * required: 1 to GW_JWT_MAX_SUB bytes without control characters.
 *
 * gw_introspect_form() writes the body of the request, with the token
 * percent-encoded: "token=...&token_type_hint=access_token".  GW_OK, or
 * GW_DECLINED if "size" is too small; 3 * token->len + GW_INTROSPECT_FORM
 * bytes are enough.
 */

#ifndef _GW_INTROSPECT_H_INCLUDED_
#define _GW_INTROSPECT_H_INCLUDED_


#include "gw_base.h"
#include "gw_jwt.h"


#define GW_INTROSPECT_MAX   (64 * 1024)
#define GW_INTROSPECT_FORM  64


typedef struct {
    struct json_t    *claims;     /* the whole answer, of jansson, owned */
    gw_str_t          iss;        /* data is NULL if absent */
    gw_str_t          sub;
    int64_t           exp;        /* s, 0 if absent */
    int64_t           nbf;
    int64_t           iat;
} gw_introspect_t;


GW_HIDDEN_BEGIN

gw_jwt_status_e gw_introspect_parse(gw_introspect_t *answer, const char *text,
    size_t len, const gw_jwt_rules_t *rules, int64_t now);
void gw_introspect_free(gw_introspect_t *answer);

int gw_introspect_form(const gw_str_t *token, char *buf, size_t size,
    size_t *len);

GW_HIDDEN_END


#endif /* _GW_INTROSPECT_H_INCLUDED_ */
