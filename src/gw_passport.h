
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The passport: a short-lived compact JWS (ES256, "typ":"passport+jwt") that
 * tells an upstream who calls.  No clock, no randomness: times and "id" come
 * with the caller.
 *
 * gw_signer_create() takes an EC P-256 private key in PEM (PKCS #8 or SEC 1,
 * not encrypted) and the "kid" to publish it under, 1 to GW_SIGNER_MAX_KID
 * bytes of UTF-8 without control characters.  If it returns NULL, "err" is a
 * static text that completes a sentence: "passport.pem is encrypted".
 *
 * gw_signer_jwk() writes the public key as a JWK, one JSON object; at most
 * GW_SIGNER_MAX_JWK bytes.
 *
 * gw_passport_sign() writes the token.  Issuer, subject, source, level, id
 * and at least one audience are required; tier, scope and client are left out
 * if empty, "deg" unless degraded; times are seconds.
 *
 *     GW_OK        "len" bytes of "buf" were written
 *     GW_DECLINED  the token exceeds "size" or GW_PASSPORT_MAX_LEN
 *     GW_ERROR     a value is missing or is not UTF-8, or OpenSSL failed
 */

#ifndef _GW_PASSPORT_H_INCLUDED_
#define _GW_PASSPORT_H_INCLUDED_


#include "gw_base.h"


#define GW_PASSPORT_MAX_LEN  4096
#define GW_SIGNER_MAX_JWK    1024
#define GW_SIGNER_MAX_KID    256
#define GW_SIGNER_MAX_PEM    65536


typedef struct gw_signer_s  gw_signer_t;


typedef struct {
    gw_str_t          issuer;
    gw_str_t          subject;
    gw_str_t          source;     /* "jwt", "opaque", "apikey" */
    gw_str_t          level;
    gw_str_t          tier;
    gw_str_t          scope;
    gw_str_t          client;
    gw_str_t          id;         /* "jti" */

    const gw_str_t   *audiences;
    size_t            naudiences;

    int64_t           issued;
    int64_t           not_before;
    int64_t           expires;

    int               degraded;   /* made by a fallback */
} gw_passport_t;


GW_HIDDEN_BEGIN

gw_signer_t *gw_signer_create(const gw_str_t *kid, const char *pem,
    size_t len, const char **err);
void gw_signer_free(gw_signer_t *s);
int gw_signer_jwk(const gw_signer_t *s, char *buf, size_t size, size_t *len);

int gw_passport_sign(const gw_passport_t *p, const gw_signer_t *s, char *buf,
    size_t size, size_t *len);

GW_HIDDEN_END


#endif /* _GW_PASSPORT_H_INCLUDED_ */
