
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What can be unpacked gives the same bytes when it is packed again; every
 * byte of its strings is read.
 */

/* links: src/gw_sha256.c */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gw_identity.c"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char           *buf;
    size_t          len;
    uint8_t         digest[GW_IDENTITY_DIGEST];
    gw_identity_t   id;

    if (gw_identity_unpack(&id, (const char *) data, size) != GW_OK) {
        return 0;
    }

    buf = malloc(size);
    assert(buf != NULL);

    assert(gw_identity_pack(&id, buf, size, &len) == GW_OK);
    assert(len == size);

    assert(memcmp(buf, data, size) == 0);

    assert(gw_identity_digest(&id.subject, digest) == GW_OK);
    assert(gw_identity_digest(&id.tier, digest) == GW_OK);
    assert(gw_identity_digest(&id.scope, digest) == GW_OK);
    assert(gw_identity_digest(&id.client, digest) == GW_OK);
    assert(gw_identity_digest(&id.claims, digest) == GW_OK);

    (void) gw_identity_check(&id, id.expires);

    free(buf);

    return 0;
}
