
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * JSON Web Tokens as RFC 8725 wants them checked.  No clock, no I/O; the
 * caller goes through three steps, each of which returns GW_JWT_OK or the
 * reason of the refusal:
 *
 *     gw_jwt_parse()   form and header of "token", which has to outlive
 *                      "jwt"; gw_jwt_free() is due whatever it returned
 *     gw_jwt_verify()  the signature, by a key of "jwks", if the algorithm
 *                      is one of "algs"; before it nothing may be believed,
 *                      "iss" serves to choose the keys only
 *     gw_jwt_check()   the registered claims at "now" (s); "exp" and "sub"
 *                      are required, "nbf" and "iat" must not lie ahead
 *
 * "jwk", "jku", "x5c" and "x5u" of a header are never looked at, and any
 * "crit" is refused.  A "sub" is not empty; neither it nor a "kid" or a "jti"
 * contains a control character.  Times are numbers in the years 1970 to 9999;
 * fractions of a second are rounded against the token.
 *
 * gw_jwt_check_claims() is the part of gw_jwt_check() that an introspection
 * answer shares (gw_introspect.h): of "jwt" it reads the claims alone, "iss"
 * it leaves out, and "exp" may be absent.
 */

#ifndef _GW_JWT_H_INCLUDED_
#define _GW_JWT_H_INCLUDED_


#include "gw_base.h"
#include "gw_alg.h"
#include "gw_jwks.h"


#define GW_JWT_MAX_LEN     (16 * 1024)
#define GW_JWT_MAX_HEADER  (8 * 1024)    /* encoded */
#define GW_JWT_MAX_KID     256
#define GW_JWT_MAX_SUB     255
#define GW_JWT_MAX_JTI     255


typedef enum {
    GW_JWT_OK = 0,
    GW_JWT_MALFORMED,
    GW_JWT_TOO_LONG,
    GW_JWT_BAD_TYPE,
    GW_JWT_UNSUPPORTED_CRITICAL,
    GW_JWT_BAD_ALGORITHM,
    GW_JWT_UNKNOWN_KEY,
    GW_JWT_BAD_SIGNATURE,
    GW_JWT_WRONG_ISSUER,
    GW_JWT_WRONG_AUDIENCE,
    GW_JWT_MISSING_EXPIRY,
    GW_JWT_EXPIRED,
    GW_JWT_NOT_YET_VALID,
    GW_JWT_BAD_CLAIM,
    GW_JWT_INACTIVE,            /* only of gw_introspect_parse() */
    GW_JWT_UNAVAILABLE,         /* nothing was found out, memory is short */
    GW_JWT_STATUS_MAX
} gw_jwt_status_e;


/* slices point into "header" and "claims"; data is NULL if absent */

typedef struct {
    gw_alg_e          alg;

    gw_str_t          kid;
    gw_str_t          typ;
    gw_str_t          iss;
    gw_str_t          sub;
    gw_str_t          jti;

    int64_t           exp;        /* s, set by gw_jwt_check() */
    int64_t           nbf;        /* 0 if absent */
    int64_t           iat;

    struct json_t    *header;     /* of jansson, owned */
    struct json_t    *claims;

    gw_str_t          input;      /* what is signed, in the token */
    gw_str_t          payload;    /* the claims as decoded, a JSON text */
    gw_str_t          sig;        /* decoded */
    char             *data;       /* of these two, owned */
} gw_jwt_t;


typedef struct {
    gw_str_t          issuer;
    const gw_str_t   *audiences;
    size_t            naudiences;   /* 0: "aud" is not looked at */
    int64_t           leeway;       /* s */
} gw_jwt_rules_t;


GW_HIDDEN_BEGIN

gw_jwt_status_e gw_jwt_parse(gw_jwt_t *jwt, const char *token, size_t len);
gw_jwt_status_e gw_jwt_verify(const gw_jwt_t *jwt, const gw_jwks_t *jwks,
    uint32_t algs);
gw_jwt_status_e gw_jwt_check(gw_jwt_t *jwt, const gw_jwt_rules_t *rules,
    int64_t now);
gw_jwt_status_e gw_jwt_check_claims(gw_jwt_t *jwt,
    const gw_jwt_rules_t *rules, int64_t now);
void gw_jwt_free(gw_jwt_t *jwt);

const char *gw_jwt_status_name(gw_jwt_status_e status);

GW_HIDDEN_END


#endif /* _GW_JWT_H_INCLUDED_ */
