
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * One JSON Web Key (RFC 7517, 7518, 8037), parsed by jansson, to a key that
 * verifies those of "algs" which its type, its curve and its "alg" allow.
 * "kid" points into "jwk"; its data is NULL if the key has no name.
 *
 *     GW_OK        the caller owns the key
 *     GW_DECLINED  it serves none of "algs", has another "use" or other
 *                  "key_ops", or an unknown type, curve or algorithm
 *     GW_ERROR     it is malformed, weak, or private; "err" says why
 */

#ifndef _GW_JWK_H_INCLUDED_
#define _GW_JWK_H_INCLUDED_


#include "gw_base.h"
#include "gw_key.h"


#define GW_JWK_MAX_KID  256      /* bytes */


struct json_t;


GW_HIDDEN_BEGIN

int gw_jwk_parse(const struct json_t *jwk, uint32_t algs, gw_key_t *key,
    gw_str_t *kid, const char **err);

GW_HIDDEN_END


#endif /* _GW_JWK_H_INCLUDED_ */
