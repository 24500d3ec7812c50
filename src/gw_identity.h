
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Who calls, as the gateway found out, and the form in which it is cached.
 *
 * gw_identity_pack() writes it into "buf": GW_OK, or GW_DECLINED if "size" is
 * too small.  gw_identity_unpack() reads it back, with the slices pointing
 * into "buf": GW_OK, or GW_ERROR if it is not what pack() wrote.
 *
 * gw_identity_check() tells at "now" (s) whether it still holds: GW_OK,
 * GW_AGAIN if it has not begun yet, GW_DECLINED if it is over.
 *
 * gw_identity_key() is the name to cache it under: SHA-256 over the digest of
 * the provider's configuration, the generation of its keys, and the
 * credential's own SHA-256, which gw_identity_digest() makes.
 */

#ifndef _GW_IDENTITY_H_INCLUDED_
#define _GW_IDENTITY_H_INCLUDED_


#include "gw_base.h"
#include "gw_revoke.h"


#define GW_IDENTITY_DIGEST  32
#define GW_IDENTITY_MARKS   3


typedef enum {
    GW_SOURCE_JWT = 0,
    GW_SOURCE_OPAQUE,
    GW_SOURCE_APIKEY
} gw_source_e;


typedef struct {
    gw_str_t      subject;      /* the provider's prefix included */
    gw_str_t      tier;
    gw_str_t      scope;        /* words, separated by a space */
    gw_str_t      client;
    gw_str_t      claims;       /* a JSON object */

    int64_t       ends;         /* s, the credential's own "exp" */
    int64_t       expires;      /* the leeway included */
    int64_t       begins;       /* "nbf" less the leeway, or 0 */
    int64_t       issued;       /* "iat", or 0 */

    uint64_t      revision;     /* random: names this verification */
    uint32_t      nmarks;
    uint32_t      source;       /* gw_source_e */
    uint8_t       marks[GW_IDENTITY_MARKS][GW_REVOKE_MARK];

    unsigned      degraded:1;   /* a fallback decided */
} gw_identity_t;


GW_HIDDEN_BEGIN

int gw_identity_pack(const gw_identity_t *id, char *buf, size_t size,
    size_t *len);
int gw_identity_unpack(gw_identity_t *id, const char *buf, size_t len);
int gw_identity_check(const gw_identity_t *id, int64_t now);

int gw_identity_digest(const gw_str_t *credential, uint8_t *digest);
int gw_identity_key(const uint8_t *provider, uint64_t generation,
    const uint8_t *digest, uint8_t *key);

GW_HIDDEN_END


#endif /* _GW_IDENTITY_H_INCLUDED_ */
