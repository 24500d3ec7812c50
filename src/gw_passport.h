
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The passport: a short-lived compact JWS ("typ":"passport+jwt") that tells
 * an upstream who calls.  No clock, no randomness: times and "id" come with
 * the caller.
 *
 * gw_passport_sign() writes the token.  Issuer, subject, source, level, id
 * and at least one audience are required; tier, scope and client are left out
 * if empty, "deg" unless degraded, "extra" claims if their value is empty;
 * times are seconds.
 *
 *     GW_OK        "len" bytes of "buf" were written
 *     GW_DECLINED  the token exceeds "size" or GW_PASSPORT_MAX_LEN
 *     GW_ERROR     a value is missing or is not UTF-8, the name of an extra
 *                  claim is empty or reserved, or OpenSSL failed
 *
 * gw_passport_reserved() tells whether a claim's name belongs to the passport
 * itself, so that it can't be one of "extra".  That no two of "extra" have
 * one name is the caller's business.
 *
 * gw_passport_is() tells whether a credential says of itself that it is a
 * passport, whoever signed it.
 */

#ifndef _GW_PASSPORT_H_INCLUDED_
#define _GW_PASSPORT_H_INCLUDED_


#include "gw_base.h"
#include "gw_signer.h"


#define GW_PASSPORT_MAX_LEN    4096
#define GW_PASSPORT_MAX_EXTRA  32


typedef struct {
    gw_str_t            name;
    gw_str_t            value;
} gw_passport_claim_t;


typedef struct {
    gw_str_t                    issuer;
    gw_str_t                    subject;
    gw_str_t                    source;     /* "jwt", "opaque", "apikey" */
    gw_str_t                    level;
    gw_str_t                    tier;
    gw_str_t                    scope;
    gw_str_t                    client;
    gw_str_t                    id;         /* "jti" */
    const gw_str_t             *audiences;
    size_t                      naudiences;
    const gw_passport_claim_t  *extra;      /* written as strings */
    size_t                      nextra;
    int64_t                     issued;
    int64_t                     not_before;
    int64_t                     expires;
    int                         degraded;   /* made by a fallback */
} gw_passport_t;


GW_HIDDEN_BEGIN

int gw_passport_sign(const gw_passport_t *p, const gw_signer_t *s, char *buf,
    size_t size, size_t *len);
int gw_passport_reserved(const gw_str_t *name);
int gw_passport_is(const gw_str_t *credential);

GW_HIDDEN_END


#endif /* _GW_PASSPORT_H_INCLUDED_ */
