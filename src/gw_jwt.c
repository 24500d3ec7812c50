
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gw_b64.h"
#include "gw_claim.h"
#include "gw_json.h"
#include "gw_jwt.h"


static int gw_jwt_split(const char *token, size_t len, gw_str_t *part);
static gw_jwt_status_e gw_jwt_header(gw_jwt_t *jwt);
static int gw_jwt_typ_ok(const gw_str_t *typ);
static gw_jwt_status_e gw_jwt_audience(const gw_jwt_t *jwt,
    const gw_jwt_rules_t *rules);
static gw_jwt_status_e gw_jwt_times(gw_jwt_t *jwt, int64_t leeway,
    int64_t now);
static gw_jwt_status_e gw_jwt_names(gw_jwt_t *jwt);


gw_jwt_status_e
gw_jwt_parse(gw_jwt_t *jwt, const char *token, size_t len)
{
    size_t           n;
    gw_str_t         part[3];
    gw_jwt_status_e  status;

    memset(jwt, 0, sizeof(gw_jwt_t));

    if (len > GW_JWT_MAX_LEN) {
        return GW_JWT_TOO_LONG;
    }

    if (gw_jwt_split(token, len, part) != GW_OK) {
        return GW_JWT_MALFORMED;
    }

    if (part[0].len > GW_JWT_MAX_HEADER) {
        return GW_JWT_TOO_LONG;
    }

    /* the header is gone when the claims and the signature need the room */

    jwt->data = malloc(len);
    if (jwt->data == NULL) {
        return GW_JWT_UNAVAILABLE;
    }

    if (gw_b64_decode(part[0].data, part[0].len, jwt->data, len, &n)
        != GW_OK)
    {
        return GW_JWT_MALFORMED;
    }

    jwt->header = gw_json_object(jwt->data, n);
    if (jwt->header == NULL) {
        return GW_JWT_MALFORMED;
    }

    status = gw_jwt_header(jwt);
    if (status != GW_JWT_OK) {
        return status;
    }

    if (gw_b64_decode(part[1].data, part[1].len, jwt->data, len, &n)
        != GW_OK)
    {
        return GW_JWT_MALFORMED;
    }

    jwt->claims = gw_json_object(jwt->data, n);
    if (jwt->claims == NULL) {
        return GW_JWT_MALFORMED;
    }

    jwt->payload.data = jwt->data;
    jwt->payload.len = n;

    if (gw_b64_decode(part[2].data, part[2].len, jwt->data + n, len - n,
                      &jwt->sig.len)
        != GW_OK)
    {
        return GW_JWT_MALFORMED;
    }

    jwt->sig.data = jwt->data + n;

    jwt->input.data = token;
    jwt->input.len = part[0].len + 1 + part[1].len;

    /* a wrong type is the business of gw_jwt_check() */

    (void) gw_json_text(jwt->claims, "iss", &jwt->iss);
    (void) gw_json_text(jwt->claims, "sub", &jwt->sub);
    (void) gw_json_text(jwt->claims, "jti", &jwt->jti);

    return GW_JWT_OK;
}


static int
gw_jwt_split(const char *token, size_t len, gw_str_t *part)
{
    size_t       n;
    const char  *p, *last;

    last = token + len;

    for (n = 0; n < 2; n++) {
        p = memchr(token, '.', (size_t) (last - token));

        if (p == NULL) {
            return GW_ERROR;
        }

        part[n].data = token;
        part[n].len = (size_t) (p - token);

        token = p + 1;
    }

    part[2].data = token;
    part[2].len = (size_t) (last - token);

    /* another dot is no letter of base64url */

    return GW_OK;
}


static gw_jwt_status_e
gw_jwt_header(gw_jwt_t *jwt)
{
    gw_str_t  alg;

    if (json_object_get(jwt->header, "crit")) {
        return GW_JWT_UNSUPPORTED_CRITICAL;
    }

    if (gw_json_text(jwt->header, "typ", &jwt->typ) == GW_ERROR
        || !gw_jwt_typ_ok(&jwt->typ))
    {
        return GW_JWT_BAD_TYPE;
    }

    /* logs show the name of a key */

    if (gw_json_text(jwt->header, "kid", &jwt->kid) == GW_ERROR
        || jwt->kid.len > GW_JWT_MAX_KID
        || gw_json_has_control(&jwt->kid))
    {
        return GW_JWT_MALFORMED;
    }

    if (gw_json_text(jwt->header, "alg", &alg) != GW_OK) {
        return GW_JWT_MALFORMED;
    }

    jwt->alg = gw_alg_find(&alg);

    if (jwt->alg == GW_ALG_UNKNOWN) {
        return GW_JWT_BAD_ALGORITHM;
    }

    return GW_JWT_OK;
}


/* a passport, "passport+jwt", is no client's credential */

static int
gw_jwt_typ_ok(const gw_str_t *typ)
{
    const char  *p;

    if (typ->data == NULL) {
        return 1;
    }

    p = typ->data;

    if (strncasecmp(p, "application/", 12) == 0) {
        p += 12;
    }

    return strcasecmp(p, "JWT") == 0 || strcasecmp(p, "at+jwt") == 0;
}


gw_jwt_status_e
gw_jwt_verify(const gw_jwt_t *jwt, const gw_jwks_t *jwks, uint32_t algs)
{
    if (jwt->sig.data == NULL) {
        /* not parsed to the end */
        return GW_JWT_MALFORMED;
    }

    if ((algs & gw_alg_bit(jwt->alg)) == 0) {
        return GW_JWT_BAD_ALGORITHM;
    }

    switch (gw_jwks_verify(jwks, jwt->alg, &jwt->kid, &jwt->input,
                           &jwt->sig))
    {

    case GW_OK:
        return GW_JWT_OK;

    case GW_DECLINED:
        return GW_JWT_UNKNOWN_KEY;

    case GW_AGAIN:
        return GW_JWT_UNAVAILABLE;

    default:
        return GW_JWT_BAD_SIGNATURE;
    }
}


gw_jwt_status_e
gw_jwt_check(gw_jwt_t *jwt, const gw_jwt_rules_t *rules, int64_t now)
{
    if (jwt->iss.data == NULL
        || jwt->iss.len != rules->issuer.len
        || memcmp(jwt->iss.data, rules->issuer.data, jwt->iss.len) != 0)
    {
        return GW_JWT_WRONG_ISSUER;
    }

    if (json_object_get(jwt->claims, "exp") == NULL) {
        return GW_JWT_MISSING_EXPIRY;
    }

    return gw_jwt_check_claims(jwt, rules, now);
}


gw_jwt_status_e
gw_jwt_check_claims(gw_jwt_t *jwt, const gw_jwt_rules_t *rules, int64_t now)
{
    gw_jwt_status_e  status;

    status = gw_jwt_audience(jwt, rules);
    if (status != GW_JWT_OK) {
        return status;
    }

    status = gw_jwt_times(jwt, rules->leeway, now);
    if (status != GW_JWT_OK) {
        return status;
    }

    return gw_jwt_names(jwt);
}


static gw_jwt_status_e
gw_jwt_audience(const gw_jwt_t *jwt, const gw_jwt_rules_t *rules)
{
    if (rules->naudiences == 0) {
        return GW_JWT_OK;
    }

    switch (gw_claim_audience(jwt->claims, rules->audiences,
                              rules->naudiences))
    {

    case GW_OK:
        return GW_JWT_OK;

    case GW_DECLINED:
        return GW_JWT_WRONG_AUDIENCE;

    default:
        return GW_JWT_BAD_CLAIM;
    }
}


/* fractions of a second are rounded against the token */

static gw_jwt_status_e
gw_jwt_times(gw_jwt_t *jwt, int64_t leeway, int64_t now)
{
    int  exp, nbf, iat;

    exp = gw_claim_time(jwt->claims, "exp", 0, &jwt->exp);
    nbf = gw_claim_time(jwt->claims, "nbf", 1, &jwt->nbf);
    iat = gw_claim_time(jwt->claims, "iat", 0, &jwt->iat);

    if (exp == GW_ERROR || nbf == GW_ERROR || iat == GW_ERROR) {
        return GW_JWT_BAD_CLAIM;
    }

    if (exp == GW_OK && now >= jwt->exp + leeway) {
        return GW_JWT_EXPIRED;
    }

    if (jwt->nbf > now + leeway || jwt->iat > now + leeway) {
        return GW_JWT_NOT_YET_VALID;
    }

    return GW_JWT_OK;
}


static gw_jwt_status_e
gw_jwt_names(gw_jwt_t *jwt)
{
    if (gw_json_text(jwt->claims, "sub", &jwt->sub) != GW_OK
        || jwt->sub.len == 0
        || jwt->sub.len > GW_JWT_MAX_SUB
        || gw_json_has_control(&jwt->sub))
    {
        return GW_JWT_BAD_CLAIM;
    }

    if (gw_json_text(jwt->claims, "jti", &jwt->jti) == GW_ERROR
        || jwt->jti.len > GW_JWT_MAX_JTI
        || gw_json_has_control(&jwt->jti))
    {
        return GW_JWT_BAD_CLAIM;
    }

    return GW_JWT_OK;
}


void
gw_jwt_free(gw_jwt_t *jwt)
{
    json_decref(jwt->header);
    json_decref(jwt->claims);
    free(jwt->data);

    memset(jwt, 0, sizeof(gw_jwt_t));
}


const char *
gw_jwt_status_name(gw_jwt_status_e status)
{
    static const char *const  names[GW_JWT_STATUS_MAX] = {
        "ok",
        "malformed",
        "too_long",
        "bad_type",
        "unsupported_critical",
        "bad_algorithm",
        "unknown_key",
        "bad_signature",
        "wrong_issuer",
        "wrong_audience",
        "missing_expiry",
        "expired",
        "not_yet_valid",
        "bad_claim",
        "inactive",
        "unavailable"
    };

    if (status < GW_JWT_OK || status >= GW_JWT_STATUS_MAX) {
        return "unknown";
    }

    return names[status];
}
