
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The JWS algorithms (RFC 7518, RFC 8037) and what each of them fixes.
 *
 * gw_alg_find() compares exactly, letter case included: "none", "None" and
 * "rs256" are GW_ALG_UNKNOWN.  Sets of algorithms are masks of gw_alg_bit().
 */

#ifndef _GW_ALG_H_INCLUDED_
#define _GW_ALG_H_INCLUDED_


#include "gw_base.h"


typedef enum {
    GW_ALG_UNKNOWN = 0,
    GW_ALG_HS256,
    GW_ALG_HS384,
    GW_ALG_HS512,
    GW_ALG_RS256,
    GW_ALG_RS384,
    GW_ALG_RS512,
    GW_ALG_PS256,
    GW_ALG_PS384,
    GW_ALG_PS512,
    GW_ALG_ES256,
    GW_ALG_ES384,
    GW_ALG_ES512,
    GW_ALG_EDDSA,
    GW_ALG_MAX
} gw_alg_e;


typedef enum {
    GW_ALG_HMAC = 1,
    GW_ALG_RSA,             /* PKCS #1 v1.5 */
    GW_ALG_PSS,
    GW_ALG_ECDSA,
    GW_ALG_ED               /* Ed25519 and Ed448, the key tells */
} gw_alg_family_e;


typedef struct {
    gw_str_t          name;
    gw_alg_family_e   family;
    const char       *digest;   /* OpenSSL's name, NULL for EdDSA */
    const char       *crv;      /* of the JWK, NULL if it is not fixed */
    const char       *group;    /* OpenSSL's name of the curve */
    size_t            hash;     /* bytes of the digest */
    size_t            half;     /* of ECDSA: bytes of r, s, a coordinate */
} gw_alg_t;


#define gw_alg_bit(alg)  ((uint32_t) 1 << (alg))


GW_HIDDEN_BEGIN

gw_alg_e gw_alg_find(const gw_str_t *name);
const gw_alg_t *gw_alg_get(gw_alg_e alg);   /* NULL if unknown */
const char *gw_alg_name(gw_alg_e alg);      /* "unknown" if unknown */

GW_HIDDEN_END


#endif /* _GW_ALG_H_INCLUDED_ */
