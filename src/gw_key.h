
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * One key that verifies signatures.  It is made once, from the numbers of a
 * JWK or from a public key of OpenSSL, checked then, and never parsed again.
 *
 * gw_key_rsa(), gw_key_ec(), gw_key_ed() and gw_key_secret() take decoded
 * bytes, gw_key_public() takes "pkey" over; they set "algs", a mask of
 * gw_alg_bit(), to all that such a key can verify.  The caller takes bits
 * away.  "type" is OpenSSL's name, "ED25519" or "ED448"; a key of the one
 * never verifies what the other signed.
 *
 *     GW_OK
 *     GW_ERROR     the key is unfit or memory is short, "err" says why in a
 *                  static text; gw_key_free() may be called nevertheless
 *
 * gw_key_verify() returns GW_OK only if "sig" is the signature of "input" and
 * "alg" is one of key->algs; GW_AGAIN if memory is too short to tell; GW_ERROR
 * otherwise.
 *
 * OpenSSL's queue of errors is empty afterwards: nginx would blame a leftover
 * on the next TLS connection.
 */

#ifndef _GW_KEY_H_INCLUDED_
#define _GW_KEY_H_INCLUDED_


#include "gw_base.h"
#include "gw_alg.h"


#define GW_KEY_MIN_RSA  2048     /* bits */
#define GW_KEY_MAX_RSA  16384


/* contexts are initialised for their algorithm and copied to be used */

typedef struct {
    uint32_t                algs;
    struct evp_pkey_st     *pkey;                    /* NULL: a secret */
    struct evp_md_ctx_st   *ctx[GW_ALG_MAX];
    struct evp_mac_ctx_st  *mac[GW_ALG_HS512 + 1];
} gw_key_t;


GW_HIDDEN_BEGIN

int gw_key_rsa(gw_key_t *key, const gw_str_t *n, const gw_str_t *e,
    const char **err);
int gw_key_ec(gw_key_t *key, const gw_alg_t *alg, const gw_str_t *x,
    const gw_str_t *y, const char **err);
int gw_key_ed(gw_key_t *key, const char *type, const gw_str_t *x,
    const char **err);
int gw_key_secret(gw_key_t *key, const gw_str_t *k, const char **err);
int gw_key_public(gw_key_t *key, struct evp_pkey_st *pkey, const char **err);
void gw_key_free(gw_key_t *key);

int gw_key_verify(const gw_key_t *key, gw_alg_e alg, const gw_str_t *input,
    const gw_str_t *sig);

GW_HIDDEN_END


#endif /* _GW_KEY_H_INCLUDED_ */
