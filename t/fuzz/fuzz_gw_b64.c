
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What decodes, encodes to the same text again; any bytes come back.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gw_b64.c"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char     *text;
    size_t    n, len;
    uint8_t  *bytes;

    /* exactly as much memory as promised */

    bytes = malloc(gw_b64_decoded_len(size) + 1);
    text = malloc(gw_b64_encoded_len(size) + 1);
    assert(bytes && text);

    if (gw_b64_decode((const char *) data, size, bytes + 1,
                      gw_b64_decoded_len(size), &n)
        == GW_OK)
    {
        assert(gw_b64_encode(bytes + 1, n, text + 1, size, &len) == GW_OK);
        assert(len == size && memcmp(text + 1, data, size) == 0);
    }

    free(bytes);
    bytes = malloc(size + 1);
    assert(bytes);

    assert(gw_b64_encode(data, size, text + 1, gw_b64_encoded_len(size), &len)
           == GW_OK);
    assert(gw_b64_decode(text + 1, len, bytes + 1, size, &n) == GW_OK);
    assert(n == size && memcmp(bytes + 1, data, size) == 0);

    free(bytes);
    free(text);

    return 0;
}
