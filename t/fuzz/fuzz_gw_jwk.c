
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_alg.c src/gw_b64.c src/gw_json.c src/gw_key.c */
/* links: src/gw_jwk.c */


/*
 * Any text is a key set or has a reason; a set can be asked by every
 * algorithm, and no error of OpenSSL is left behind.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gw_jwks.c"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gw_alg_e     alg;
    gw_str_t     kid, input, sig;
    gw_jwks_t   *jwks;
    const char  *err;

    static char  zeros[512];

    err = NULL;
    jwks = gw_jwks_parse((const char *) data, size, UINT32_MAX, &err);

    assert(ERR_peek_error() == 0);

    if (jwks == NULL) {
        assert(err && strlen(err));
        return 0;
    }

    assert(gw_jwks_count(jwks) && gw_jwks_count(jwks) <= GW_JWKS_MAX_KEYS);

    kid = jwks->keys[0].kid;
    input.data = zeros;
    input.len = sizeof(zeros);
    sig.data = zeros;

    for (alg = GW_ALG_UNKNOWN; alg <= GW_ALG_MAX; alg++) {
        for (sig.len = 32; sig.len <= 512; sig.len += 32) {
            assert(gw_jwks_verify(jwks, alg, &kid, &input, &sig) != GW_OK);
        }
    }

    assert(ERR_peek_error() == 0);

    gw_jwks_free(jwks);

    return 0;
}
