
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include <jansson.h>

#include "gw_introspect.h"
#include "gw_json.h"


#define GW_INTROSPECT_HEAD  "token="
#define GW_INTROSPECT_TAIL  "&token_type_hint=access_token"


static gw_jwt_status_e gw_introspect_check(gw_introspect_t *answer,
    const gw_jwt_rules_t *rules, int64_t now);
static int gw_introspect_is_unreserved(unsigned char ch);


gw_jwt_status_e
gw_introspect_parse(gw_introspect_t *answer, const char *text, size_t len,
    const gw_jwt_rules_t *rules, int64_t now)
{
    json_t  *active;

    memset(answer, 0, sizeof(gw_introspect_t));

    if (len > GW_INTROSPECT_MAX) {
        return GW_JWT_MALFORMED;
    }

    answer->claims = gw_json_object(text, len);
    if (answer->claims == NULL) {
        return GW_JWT_MALFORMED;
    }

    active = json_object_get(answer->claims, "active");

    if (!json_is_boolean(active)) {
        return GW_JWT_MALFORMED;
    }

    if (json_is_false(active)) {
        return GW_JWT_INACTIVE;
    }

    return gw_introspect_check(answer, rules, now);
}


static gw_jwt_status_e
gw_introspect_check(gw_introspect_t *answer, const gw_jwt_rules_t *rules,
    int64_t now)
{
    gw_jwt_t         jwt;
    gw_jwt_status_e  status;

    if (gw_json_text(answer->claims, "iss", &answer->iss) == GW_ERROR) {
        return GW_JWT_BAD_CLAIM;
    }

    if (answer->iss.data
        && rules->issuer.len
        && (answer->iss.len != rules->issuer.len
            || memcmp(answer->iss.data, rules->issuer.data, answer->iss.len)
               != 0))
    {
        return GW_JWT_WRONG_ISSUER;
    }

    /* what lies in a token and in an answer about one, has the same rules */

    memset(&jwt, 0, sizeof(gw_jwt_t));
    jwt.claims = answer->claims;

    status = gw_jwt_check_claims(&jwt, rules, now);

    answer->sub = jwt.sub;
    answer->exp = jwt.exp;
    answer->nbf = jwt.nbf;
    answer->iat = jwt.iat;

    return status;
}


void
gw_introspect_free(gw_introspect_t *answer)
{
    json_decref(answer->claims);

    memset(answer, 0, sizeof(gw_introspect_t));
}


int
gw_introspect_form(const gw_str_t *token, char *buf, size_t size, size_t *len)
{
    char           *p, *last;
    size_t          i, n;
    unsigned char   ch;

    static const char  hex[] = "0123456789ABCDEF";
    static const char  head[] = GW_INTROSPECT_HEAD;
    static const char  tail[] = GW_INTROSPECT_TAIL;

    *len = 0;

    if (size < sizeof(head) - 1 + sizeof(tail) - 1) {
        return GW_DECLINED;
    }

    /* set aside what comes behind the token */

    last = buf + size - (sizeof(tail) - 1);

    memcpy(buf, head, sizeof(head) - 1);
    p = buf + sizeof(head) - 1;

    for (i = 0; i < token->len; i++) {
        ch = (unsigned char) token->data[i];
        n = gw_introspect_is_unreserved(ch) ? 1 : 3;

        if ((size_t) (last - p) < n) {
            return GW_DECLINED;
        }

        if (n == 1) {
            *p++ = (char) ch;
            continue;
        }

        *p++ = '%';
        *p++ = hex[ch >> 4];
        *p++ = hex[ch & 0x0f];
    }

    memcpy(p, tail, sizeof(tail) - 1);

    *len = (size_t) (p - buf) + sizeof(tail) - 1;

    return GW_OK;
}


/* RFC 3986; whatever the locale is */

static int
gw_introspect_is_unreserved(unsigned char ch)
{
    return (ch >= 'A' && ch <= 'Z')
           || (ch >= 'a' && ch <= 'z')
           || (ch >= '0' && ch <= '9')
           || ch == '-' || ch == '.' || ch == '_' || ch == '~';
}
