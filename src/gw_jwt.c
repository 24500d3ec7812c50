
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gw_b64.h"
#include "gw_json.h"
#include "gw_jwt.h"


/* the last second of the year 9999; milliseconds by mistake lie beyond it */

#define GW_JWT_MAX_TIME  253402300799


static int gw_jwt_split(const char *token, size_t len, gw_str_t *part);
static gw_jwt_status_e gw_jwt_header(gw_jwt_t *jwt);
static int gw_jwt_typ_ok(const gw_str_t *typ);
static gw_jwt_status_e gw_jwt_times(gw_jwt_t *jwt, int64_t leeway,
    int64_t now);
static int gw_jwt_time(const gw_jwt_t *jwt, const char *name, int up,
    int64_t *t);
static gw_jwt_status_e gw_jwt_audience(const gw_jwt_t *jwt,
    const gw_jwt_rules_t *rules);
static int gw_jwt_is_audience(const json_t *value,
    const gw_jwt_rules_t *rules);
static int gw_jwt_claim_array(const json_t *array, char *buf, size_t size,
    size_t *len);
static int gw_jwt_append(char *buf, size_t size, size_t *len,
    const gw_str_t *s);


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

    /* one piece of memory for the three, one after another */

    jwt->data = malloc(len);
    if (jwt->data == NULL) {
        return GW_JWT_MALFORMED;
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

    if (gw_b64_decode(part[2].data, part[2].len, jwt->data, len,
                      &jwt->sig.len)
        != GW_OK)
    {
        return GW_JWT_MALFORMED;
    }

    jwt->sig.data = jwt->data;

    jwt->input.data = token;
    jwt->input.len = part[0].len + 1 + part[1].len;

    /* a wrong type is the business of gw_jwt_check() */

    (void) gw_json_text(jwt->claims, "iss", &jwt->iss);
    (void) gw_json_text(jwt->claims, "sub", &jwt->sub);

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

    default:
        return GW_JWT_BAD_SIGNATURE;
    }
}


gw_jwt_status_e
gw_jwt_check(gw_jwt_t *jwt, const gw_jwt_rules_t *rules, int64_t now)
{
    gw_jwt_status_e  status;

    if (jwt->iss.data == NULL
        || jwt->iss.len != rules->issuer.len
        || memcmp(jwt->iss.data, rules->issuer.data, jwt->iss.len) != 0)
    {
        return GW_JWT_WRONG_ISSUER;
    }

    status = gw_jwt_audience(jwt, rules);
    if (status != GW_JWT_OK) {
        return status;
    }

    status = gw_jwt_times(jwt, rules->leeway, now);
    if (status != GW_JWT_OK) {
        return status;
    }

    if (jwt->sub.len == 0
        || jwt->sub.len > GW_JWT_MAX_SUB
        || gw_json_has_control(&jwt->sub))
    {
        return GW_JWT_BAD_CLAIM;
    }

    return GW_JWT_OK;
}


/* fractions of a second are rounded against the token */

static gw_jwt_status_e
gw_jwt_times(gw_jwt_t *jwt, int64_t leeway, int64_t now)
{
    int  exp, nbf, iat;

    exp = gw_jwt_time(jwt, "exp", 0, &jwt->exp);
    nbf = gw_jwt_time(jwt, "nbf", 1, &jwt->nbf);
    iat = gw_jwt_time(jwt, "iat", 0, &jwt->iat);

    if (exp == GW_ERROR || nbf == GW_ERROR || iat == GW_ERROR) {
        return GW_JWT_BAD_CLAIM;
    }

    if (exp == GW_DECLINED) {
        return GW_JWT_MISSING_EXPIRY;
    }

    if (now >= jwt->exp + leeway) {
        return GW_JWT_EXPIRED;
    }

    if (jwt->nbf > now + leeway || jwt->iat > now + leeway) {
        return GW_JWT_NOT_YET_VALID;
    }

    return GW_JWT_OK;
}


static int
gw_jwt_time(const gw_jwt_t *jwt, const char *name, int up, int64_t *t)
{
    double   real;
    json_t  *value;

    *t = 0;

    value = json_object_get(jwt->claims, name);

    if (value == NULL) {
        return GW_DECLINED;
    }

    if (json_is_integer(value)) {
        *t = json_integer_value(value);
        return (*t < 0 || *t > GW_JWT_MAX_TIME) ? GW_ERROR : GW_OK;
    }

    if (!json_is_real(value)) {
        return GW_ERROR;
    }

    real = json_real_value(value);

    if (!(real >= 0 && real <= GW_JWT_MAX_TIME)) {
        return GW_ERROR;
    }

    *t = (int64_t) real;

    if (up && (double) *t < real) {
        (*t)++;
    }

    return GW_OK;
}


static gw_jwt_status_e
gw_jwt_audience(const gw_jwt_t *jwt, const gw_jwt_rules_t *rules)
{
    int      found;
    size_t   i;
    json_t  *aud, *value;

    if (rules->naudiences == 0) {
        return GW_JWT_OK;
    }

    aud = json_object_get(jwt->claims, "aud");

    if (aud == NULL) {
        return GW_JWT_WRONG_AUDIENCE;
    }

    if (json_is_string(aud)) {
        return gw_jwt_is_audience(aud, rules) ? GW_JWT_OK
                                              : GW_JWT_WRONG_AUDIENCE;
    }

    if (!json_is_array(aud)) {
        return GW_JWT_BAD_CLAIM;
    }

    found = 0;

    json_array_foreach(aud, i, value) {

        if (!json_is_string(value)) {
            return GW_JWT_BAD_CLAIM;
        }

        found |= gw_jwt_is_audience(value, rules);
    }

    return found ? GW_JWT_OK : GW_JWT_WRONG_AUDIENCE;
}


static int
gw_jwt_is_audience(const json_t *value, const gw_jwt_rules_t *rules)
{
    size_t           i, len;
    const gw_str_t  *audience;

    len = json_string_length(value);

    for (i = 0; i < rules->naudiences; i++) {
        audience = &rules->audiences[i];

        if (audience->len == len
            && memcmp(audience->data, json_string_value(value), len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


void
gw_jwt_free(gw_jwt_t *jwt)
{
    json_decref(jwt->header);
    json_decref(jwt->claims);
    free(jwt->data);

    memset(jwt, 0, sizeof(gw_jwt_t));
}


int
gw_jwt_claim(const gw_jwt_t *jwt, const char *name, char *buf, size_t size,
    size_t *len)
{
    char      number[24];
    json_t   *value;
    gw_str_t  s;

    *len = 0;

    value = json_object_get(jwt->claims, name);

    if (value == NULL || json_is_null(value)) {
        return GW_DECLINED;
    }

    switch (json_typeof(value)) {

    case JSON_STRING:
        (void) gw_json_text(jwt->claims, name, &s);
        break;

    case JSON_INTEGER:
        s.data = number;
        s.len = (size_t) snprintf(number, sizeof(number),
                                  "%" JSON_INTEGER_FORMAT,
                                  json_integer_value(value));
        break;

    case JSON_TRUE:
    case JSON_FALSE:
        s.data = json_is_true(value) ? "true" : "false";
        s.len = strlen(s.data);
        break;

    case JSON_ARRAY:
        return gw_jwt_claim_array(value, buf, size, len);

    default:
        return GW_ERROR;
    }

    return gw_jwt_append(buf, size, len, &s);
}


static int
gw_jwt_claim_array(const json_t *array, char *buf, size_t size, size_t *len)
{
    size_t    i;
    json_t   *value;
    gw_str_t  s;

    static const gw_str_t  space = gw_str(" ");

    json_array_foreach(array, i, value) {

        if (!json_is_string(value)) {
            return GW_ERROR;
        }

        s.data = json_string_value(value);
        s.len = json_string_length(value);

        /* ["a b"] is one scope that must not become two */

        if (s.len == 0 || memchr(s.data, ' ', s.len)) {
            return GW_ERROR;
        }

        if (i && gw_jwt_append(buf, size, len, &space) != GW_OK) {
            return GW_ERROR;
        }

        if (gw_jwt_append(buf, size, len, &s) != GW_OK) {
            return GW_ERROR;
        }
    }

    return GW_OK;
}


static int
gw_jwt_append(char *buf, size_t size, size_t *len, const gw_str_t *s)
{
    if (s->len > size - *len || gw_json_has_control(s)) {
        return GW_ERROR;
    }

    memcpy(buf + *len, s->data, s->len);
    *len += s->len;

    return GW_OK;
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
        "bad_claim"
    };

    if (status < GW_JWT_OK || status >= GW_JWT_STATUS_MAX) {
        return "unknown";
    }

    return names[status];
}
