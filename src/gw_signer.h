
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * The key that signs passports.
 *
 * gw_signer_create() takes a private key in PEM (PKCS #8 or SEC 1, not
 * encrypted): EC P-256 signs with ES256, Ed25519 and Ed448 with EdDSA.  If
 * "hmac" is set, the text is a secret instead, 32 to 1024 bytes after the
 * white space at its end was removed, and signs with HS256.  "kid" is the
 * name to publish it under, 1 to GW_SIGNER_MAX_KID bytes of UTF-8 without
 * control characters.  If it returns NULL, "err" is a static text that
 * completes a sentence: "passport.pem is encrypted".
 *
 * gw_signer_jwk() writes the public key as a JWK, one JSON object of at most
 * GW_SIGNER_MAX_JWK bytes.  GW_DECLINED: a secret, which is not published, or
 * "size" is too small.
 *
 * gw_signer_id() is a digest of the key and of its name: two keys with the
 * same one are the same.
 *
 * gw_signer_sign() completes a token.  "buf" holds "used" bytes, of which the
 * first gw_signer_header() wrote; a dot and the signature are appended.
 * gw_signer_header() writes the encoded header and its dot.  GW_OK,
 * GW_DECLINED if there is no room, GW_ERROR if OpenSSL failed.
 */

#ifndef _GW_SIGNER_H_INCLUDED_
#define _GW_SIGNER_H_INCLUDED_


#include "gw_base.h"


#define GW_SIGNER_MAX_JWK    1024
#define GW_SIGNER_MAX_KID    256
#define GW_SIGNER_MAX_PEM    65536
#define GW_SIGNER_MAX_SIG    160       /* with its dot: Ed448 */
#define GW_SIGNER_ID         32


typedef struct gw_signer_s  gw_signer_t;


GW_HIDDEN_BEGIN

gw_signer_t *gw_signer_create(const gw_str_t *kid, const char *text,
    size_t len, int hmac, const char **err);
void gw_signer_free(gw_signer_t *s);

int gw_signer_jwk(const gw_signer_t *s, char *buf, size_t size, size_t *len);
const uint8_t *gw_signer_id(const gw_signer_t *s);

int gw_signer_header(const gw_signer_t *s, char *buf, size_t size,
    size_t *len);
int gw_signer_sign(const gw_signer_t *s, char *buf, size_t used, size_t size,
    size_t *len);

GW_HIDDEN_END


#endif /* _GW_SIGNER_H_INCLUDED_ */
