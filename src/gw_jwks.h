
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Key sets: the text of a JWK Set, of one JWK, or of PEM public keys and
 * certificates becomes keys ready to verify, parsed once.
 *
 * gw_jwks_parse() keeps the keys that can verify one of "algs", a mask of
 * gw_alg_bit(), and pins each of them: a key with "alg" verifies that one
 * only, a key without it those of its type and curve.  A key with another
 * "use" or other "key_ops", or of an unknown type or curve, is left out.
 * An unusable key, an asymmetric private key, two keys with the same "kid"
 * and algorithm, or no key left: the whole text is refused, NULL is returned,
 * and "err" gets a static text that completes a sentence: "jwks.json
 * contains a private key".  Validity dates of certificates are not looked at.
 *
 * Bounds: GW_JWKS_MAX_TEXT bytes, GW_JWKS_MAX_KEYS kept, GW_JWKS_MAX_TRIES
 * keys without "kid" for an algorithm; RSA has 2048 to 16384 bits and an odd
 * exponent from 3 to 2^32 - 1; a secret is not shorter than the hash.
 *
 * A set is not changed after it was made.  gw_jwks_verify() is what
 * gw_jwt_verify() uses.  A "kid" (its data may be NULL: none) selects the
 * keys with that name, then the ones without a name; no "kid" selects all
 * that fit; at most GW_JWKS_MAX_TRIES are tried.
 *
 *     GW_OK        a key verifies the signature
 *     GW_DECLINED  no key fits
 *     GW_ERROR     none of the keys that fit verifies it
 *     GW_AGAIN     memory is too short to tell
 */

#ifndef _GW_JWKS_H_INCLUDED_
#define _GW_JWKS_H_INCLUDED_


#include "gw_base.h"
#include "gw_alg.h"


#define GW_JWKS_MAX_TEXT   (256 * 1024)
#define GW_JWKS_MAX_KEYS   64
#define GW_JWKS_MAX_TRIES  4


typedef struct gw_jwks_s  gw_jwks_t;


GW_HIDDEN_BEGIN

gw_jwks_t *gw_jwks_parse(const char *text, size_t len, uint32_t algs,
    const char **err);
void gw_jwks_free(gw_jwks_t *jwks);
size_t gw_jwks_count(const gw_jwks_t *jwks);

int gw_jwks_verify(const gw_jwks_t *jwks, gw_alg_e alg, const gw_str_t *kid,
    const gw_str_t *input, const gw_str_t *sig);

GW_HIDDEN_END


#endif /* _GW_JWKS_H_INCLUDED_ */
