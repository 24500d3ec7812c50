
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_identity.h"
#include "gw_sha256.h"


#define GW_IDENTITY_MAGIC    UINT32_C(0x31644947)      /* "GId1" */
#define GW_IDENTITY_STRINGS  5


/* native order: read where it was written */

typedef struct {
    uint32_t   magic;
    uint32_t   source;
    uint32_t   nmarks;
    uint32_t   degraded;
    int64_t    ends;
    int64_t    expires;
    int64_t    begins;
    int64_t    issued;
    uint64_t   revision;
    uint32_t   len[GW_IDENTITY_STRINGS];
    uint32_t   unused;
} gw_identity_head_t;


_Static_assert(sizeof(gw_identity_head_t) == 80,
               "no padding: it would be copied uninitialised");


int
gw_identity_pack(const gw_identity_t *id, char *buf, size_t size, size_t *len)
{
    char                *p;
    size_t               i, n;
    gw_identity_head_t   head;

    const gw_str_t  *const strings[GW_IDENTITY_STRINGS] = {
        &id->subject, &id->tier, &id->scope, &id->client, &id->claims
    };

    if (id->nmarks > GW_IDENTITY_MARKS || id->source > GW_SOURCE_APIKEY) {
        return GW_DECLINED;
    }

    memset(&head, 0, sizeof(gw_identity_head_t));

    n = sizeof(gw_identity_head_t) + id->nmarks * GW_REVOKE_MARK;

    for (i = 0; i < GW_IDENTITY_STRINGS; i++) {

        if (strings[i]->len > size || strings[i]->len > UINT32_MAX) {
            return GW_DECLINED;
        }

        head.len[i] = (uint32_t) strings[i]->len;
        n += strings[i]->len;
    }

    if (n > size) {
        return GW_DECLINED;
    }

    head.magic = GW_IDENTITY_MAGIC;
    head.source = id->source;
    head.nmarks = id->nmarks;
    head.degraded = id->degraded;
    head.ends = id->ends;
    head.expires = id->expires;
    head.begins = id->begins;
    head.issued = id->issued;
    head.revision = id->revision;

    memcpy(buf, &head, sizeof(gw_identity_head_t));
    p = buf + sizeof(gw_identity_head_t);

    memcpy(p, id->marks, id->nmarks * GW_REVOKE_MARK);
    p += id->nmarks * GW_REVOKE_MARK;

    for (i = 0; i < GW_IDENTITY_STRINGS; i++) {

        if (strings[i]->len != 0) {
            memcpy(p, strings[i]->data, strings[i]->len);
            p += strings[i]->len;
        }
    }

    *len = n;

    return GW_OK;
}


int
gw_identity_unpack(gw_identity_t *id, const char *buf, size_t len)
{
    size_t               i;
    const char          *p;
    gw_identity_head_t   head;

    gw_str_t  *const strings[GW_IDENTITY_STRINGS] = {
        &id->subject, &id->tier, &id->scope, &id->client, &id->claims
    };

    if (len < sizeof(gw_identity_head_t)) {
        return GW_ERROR;
    }

    memcpy(&head, buf, sizeof(gw_identity_head_t));
    p = buf + sizeof(gw_identity_head_t);
    len -= sizeof(gw_identity_head_t);

    if (head.magic != GW_IDENTITY_MAGIC
        || head.source > GW_SOURCE_APIKEY
        || head.nmarks > GW_IDENTITY_MARKS
        || head.degraded > 1
        || head.unused != 0
        || len < head.nmarks * GW_REVOKE_MARK)
    {
        return GW_ERROR;
    }

    memset(id->marks, 0, sizeof(id->marks));
    memcpy(id->marks, p, head.nmarks * GW_REVOKE_MARK);
    p += head.nmarks * GW_REVOKE_MARK;
    len -= head.nmarks * GW_REVOKE_MARK;

    for (i = 0; i < GW_IDENTITY_STRINGS; i++) {

        if (head.len[i] > len) {
            return GW_ERROR;
        }

        strings[i]->len = head.len[i];
        strings[i]->data = p;

        p += head.len[i];
        len -= head.len[i];
    }

    if (len != 0) {
        return GW_ERROR;
    }

    id->ends = head.ends;
    id->expires = head.expires;
    id->begins = head.begins;
    id->issued = head.issued;
    id->revision = head.revision;
    id->nmarks = head.nmarks;
    id->source = head.source;
    id->degraded = head.degraded;

    return GW_OK;
}


int
gw_identity_check(const gw_identity_t *id, int64_t now)
{
    if (now >= id->expires) {
        return GW_DECLINED;
    }

    if (now < id->begins) {
        return GW_AGAIN;
    }

    return GW_OK;
}


int
gw_identity_digest(const gw_str_t *credential, uint8_t *digest)
{
    return gw_sha256(credential, 1, digest);
}


int
gw_identity_key(const uint8_t *provider, uint64_t generation,
    const uint8_t *digest, uint8_t *key)
{
    size_t    i;
    char      text[2 * GW_IDENTITY_DIGEST + 8];
    gw_str_t  s;

    /* all three have a fixed length, none needs a prefix */

    memcpy(text, provider, GW_IDENTITY_DIGEST);

    for (i = 0; i < 8; i++) {
        text[GW_IDENTITY_DIGEST + i] = (char) (generation >> (56 - 8 * i));
    }

    memcpy(text + GW_IDENTITY_DIGEST + 8, digest, GW_IDENTITY_DIGEST);

    s.len = sizeof(text);
    s.data = text;

    return gw_sha256(&s, 1, key);
}
