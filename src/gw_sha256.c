
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * OpenSSL 3 deprecates SHA256_Init() and its kin, but what it recommends is
 * slower: each EVP context is allocated, and without a method kept somewhere
 * the algorithm is looked up by name.  72 and 800 bytes take 96 and 475 ns
 * with the calls below, 226 and 612 ns with EVP_Digest() and a fetched method,
 * 437 and 745 ns with SHA256(), and the identity zone needs both for each
 * request.
 */

#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "gw_sha256.h"


#ifdef OPENSSL_NO_DEPRECATED_3_0

int
gw_sha256(const gw_str_t *parts, size_t n, uint8_t *digest)
{
    int          ok;
    size_t       i;
    EVP_MD_CTX  *ctx;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return GW_ERROR;
    }

    ok = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

    for (i = 0; ok && i < n; i++) {
        ok = EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1;
    }

    ok = ok && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;

    EVP_MD_CTX_free(ctx);

    return ok ? GW_OK : GW_ERROR;
}

#else

int
gw_sha256(const gw_str_t *parts, size_t n, uint8_t *digest)
{
    size_t      i;
    SHA256_CTX  ctx;

    if (SHA256_Init(&ctx) != 1) {
        return GW_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (SHA256_Update(&ctx, parts[i].data, parts[i].len) != 1) {
            return GW_ERROR;
        }
    }

    return SHA256_Final(digest, &ctx) == 1 ? GW_OK : GW_ERROR;
}

#endif
