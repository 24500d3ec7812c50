
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_b64.h"
#include "gw_json.h"
#include "gw_passport.h"


static int gw_passport_is_complete(const gw_passport_t *p);
static void gw_passport_claims(const gw_passport_t *p, gw_json_out_t *out);
static void gw_passport_audience(const gw_passport_t *p, gw_json_out_t *out);
static void gw_passport_extra(const gw_passport_t *p, gw_json_out_t *out);
static void gw_passport_text(gw_json_out_t *out, const char *name,
    const gw_str_t *value);
static void gw_passport_time(gw_json_out_t *out, const char *name,
    int64_t value);


int
gw_passport_sign(const gw_passport_t *p, const gw_signer_t *s, char *buf,
    size_t size, size_t *len)
{
    char           claims[GW_PASSPORT_MAX_LEN];
    size_t         n, pos, room;
    gw_json_out_t  out;

    *len = 0;

    if (!gw_passport_is_complete(p)) {
        return GW_ERROR;
    }

    out.pos = claims;
    out.last = claims + sizeof(claims);
    out.rc = GW_OK;

    gw_passport_claims(p, &out);

    if (out.rc != GW_OK) {
        return out.rc;
    }

    room = (size < GW_PASSPORT_MAX_LEN) ? size : GW_PASSPORT_MAX_LEN;

    if (gw_signer_header(s, buf, room, &pos) != GW_OK
        || gw_b64_encode(claims, (size_t) (out.pos - claims), buf + pos,
                         room - pos, &n)
           != GW_OK)
    {
        return GW_DECLINED;
    }

    return gw_signer_sign(s, buf, pos + n, room, len);
}


static int
gw_passport_is_complete(const gw_passport_t *p)
{
    size_t  i;

    for (i = 0; i < p->naudiences; i++) {
        if (p->audiences[i].len == 0) {
            return 0;
        }
    }

    /* a second "sub" could win */

    for (i = 0; i < p->nextra; i++) {
        if (p->extra[i].name.len == 0
            || gw_passport_reserved(&p->extra[i].name))
        {
            return 0;
        }
    }

    return p->naudiences
           && p->issuer.len
           && p->subject.len
           && p->source.len
           && p->level.len
           && p->id.len;
}


int
gw_passport_reserved(const gw_str_t *name)
{
    size_t  i;

    static const gw_str_t  names[] = {
        gw_str("iss"), gw_str("aud"), gw_str("sub"), gw_str("iat"),
        gw_str("nbf"), gw_str("exp"), gw_str("jti"), gw_str("ver"),
        gw_str("src"), gw_str("lvl"), gw_str("tier"), gw_str("scope"),
        gw_str("cli"), gw_str("deg")
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].len == name->len
            && memcmp(names[i].data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
gw_passport_claims(const gw_passport_t *p, gw_json_out_t *out)
{
    gw_json_put(out, "{\"iss\":");
    gw_json_put_string(out, &p->issuer);

    gw_passport_audience(p, out);

    gw_passport_text(out, ",\"sub\":", &p->subject);
    gw_passport_time(out, ",\"iat\":", p->issued);
    gw_passport_time(out, ",\"nbf\":", p->not_before);
    gw_passport_time(out, ",\"exp\":", p->expires);
    gw_passport_text(out, ",\"jti\":", &p->id);

    gw_json_put(out, ",\"ver\":1");

    gw_passport_text(out, ",\"src\":", &p->source);
    gw_passport_text(out, ",\"lvl\":", &p->level);
    gw_passport_text(out, ",\"tier\":", &p->tier);
    gw_passport_text(out, ",\"scope\":", &p->scope);
    gw_passport_text(out, ",\"cli\":", &p->client);

    if (p->degraded) {
        gw_json_put(out, ",\"deg\":true");
    }

    gw_passport_extra(p, out);

    gw_json_put(out, "}");
}


static void
gw_passport_audience(const gw_passport_t *p, gw_json_out_t *out)
{
    size_t  i;

    if (p->naudiences == 1) {
        gw_passport_text(out, ",\"aud\":", &p->audiences[0]);
        return;
    }

    for (i = 0; i < p->naudiences; i++) {
        gw_passport_text(out, i ? "," : ",\"aud\":[", &p->audiences[i]);
    }

    gw_json_put(out, "]");
}


static void
gw_passport_extra(const gw_passport_t *p, gw_json_out_t *out)
{
    size_t                      i;
    const gw_passport_claim_t  *claim;

    for (i = 0; i < p->nextra; i++) {
        claim = &p->extra[i];

        if (claim->value.len == 0) {
            continue;
        }

        gw_json_put(out, ",");
        gw_json_put_string(out, &claim->name);
        gw_passport_text(out, ":", &claim->value);
    }
}


/* an empty one is left out */

static void
gw_passport_text(gw_json_out_t *out, const char *name, const gw_str_t *value)
{
    if (value->len == 0) {
        return;
    }

    gw_json_put(out, name);
    gw_json_put_string(out, value);
}


static void
gw_passport_time(gw_json_out_t *out, const char *name, int64_t value)
{
    gw_json_put(out, name);
    gw_json_put_int(out, value);
}


int
gw_passport_is(const gw_str_t *credential)
{
    int             is;
    char            header[GW_PASSPORT_MAX_LEN];
    size_t          len;
    gw_str_t        typ;
    const char     *p;
    struct json_t  *object;

    p = memchr(credential->data, '.', credential->len);

    if (p == NULL
        || gw_b64_decode(credential->data, (size_t) (p - credential->data),
                         header, sizeof(header), &len)
           != GW_OK)
    {
        return 0;
    }

    object = gw_json_object(header, len);
    if (object == NULL) {
        return 0;
    }

    is = 0;

    if (gw_json_text(object, "typ", &typ) == GW_OK) {

        if (typ.len > 12 && strncasecmp(typ.data, "application/", 12) == 0) {
            typ.data += 12;
            typ.len -= 12;
        }

        is = (typ.len == sizeof("passport+jwt") - 1
              && strncasecmp(typ.data, "passport+jwt", typ.len) == 0);
    }

    gw_json_free(object);

    return is;
}
