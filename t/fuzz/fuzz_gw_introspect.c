
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_alg.c src/gw_b64.c src/gw_json.c src/gw_key.c */
/* links: src/gw_jwk.c src/gw_jwks.c src/gw_jwt.c src/gw_claim.c */


/*
 * Any answer is refused or has a subject and times that hold, and all of its
 * claims can be read; any token comes back out of the form.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gw_claim.h"
#include "gw_introspect.c"


#define NOW     1000
#define LEEWAY  30


static void
read_claims(const gw_introspect_t *answer)
{
    int          rc;
    char         buf[256];
    size_t       len;
    json_t      *value;
    gw_str_t     s;
    int64_t      t;
    const char  *name;

    json_object_foreach(answer->claims, name, value) {
        rc = gw_claim_text(answer->claims, name, buf, sizeof(buf), &len);

        s.data = buf;
        s.len = len;

        if (rc == GW_OK) {
            assert(len <= sizeof(buf) && !gw_json_has_control(&s));
            assert(json_is_array(value)
                   || gw_claim_has(answer->claims, name, &s));
            (void) gw_claim_word(&s, &answer->sub);
        }

        if (gw_claim_time(answer->claims, name, 1, &t) == GW_OK) {
            assert(t >= 0 && t <= 253402300799);
        }

        (void) gw_claim_has(answer->claims, name, &answer->sub);
    }
}


static int
digit(char ch)
{
    assert((ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'F'));

    return (ch <= '9') ? ch - '0' : ch - 'A' + 10;
}


static void
read_form(const gw_str_t *token)
{
    char        *form;
    size_t       i, len, size;
    uint8_t      ch;
    const char  *p;

    size = 3 * token->len + GW_INTROSPECT_FORM;
    form = malloc(size);
    assert(form);

    assert(gw_introspect_form(token, form, size, &len) == GW_OK);
    assert(len <= size && memcmp(form, "token=", 6) == 0);

    p = form + 6;

    for (i = 0; i < token->len; i++) {
        ch = (uint8_t) *p++;

        if (ch == '%') {
            ch = (uint8_t) (digit(p[0]) << 4 | digit(p[1]));
            p += 2;

        } else {
            assert(ch != '&' && ch != '+' && ch != '=');
        }

        assert(ch == (uint8_t) token->data[i]);
    }

    assert((size_t) (form + len - p) == strlen("&token_type_hint=access_token")
           && *p == '&');

    free(form);

    /* exactly the room it needs, and a byte less */

    form = malloc(len);
    assert(form);
    assert(gw_introspect_form(token, form, len, &size) == GW_OK);
    assert(size == len);
    form = realloc(form, len - 1);
    assert(gw_introspect_form(token, form, len - 1, &size) == GW_DECLINED);
    free(form);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gw_str_t          token;
    gw_jwt_rules_t    rules;
    gw_introspect_t   answer;
    gw_jwt_status_e   status;

    static const gw_str_t  audience = gw_str("gw");

    rules.issuer.data = "i";
    rules.issuer.len = size & 1;
    rules.audiences = &audience;
    rules.naudiences = size >> 1 & 1;
    rules.leeway = LEEWAY;

    status = gw_introspect_parse(&answer, (const char *) data, size, &rules,
                                 NOW);

    assert(strlen(gw_jwt_status_name(status)));

    if (status == GW_JWT_OK) {
        assert(json_is_true(json_object_get(answer.claims, "active")));
        assert(answer.sub.len && answer.sub.len <= GW_JWT_MAX_SUB);
        assert(!gw_json_has_control(&answer.sub));
        assert(answer.exp == 0 || answer.exp + LEEWAY > NOW);
        assert(answer.nbf <= NOW + LEEWAY && answer.iat <= NOW + LEEWAY);
        assert(rules.issuer.len == 0 || answer.iss.data == NULL
               || (answer.iss.len == 1 && answer.iss.data[0] == 'i'));

        read_claims(&answer);
    }

    gw_introspect_free(&answer);

    token.data = (const char *) data;
    token.len = size;

    read_form(&token);

    return 0;
}
