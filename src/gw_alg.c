
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <string.h>

#include "gw_alg.h"


static const gw_alg_t  gw_algs[GW_ALG_MAX] = {

    { gw_str(""), 0, NULL, NULL, NULL, 0, 0 },

    { gw_str("HS256"), GW_ALG_HMAC, "SHA256", NULL, NULL, 32, 0 },
    { gw_str("HS384"), GW_ALG_HMAC, "SHA384", NULL, NULL, 48, 0 },
    { gw_str("HS512"), GW_ALG_HMAC, "SHA512", NULL, NULL, 64, 0 },

    { gw_str("RS256"), GW_ALG_RSA, "SHA256", NULL, NULL, 32, 0 },
    { gw_str("RS384"), GW_ALG_RSA, "SHA384", NULL, NULL, 48, 0 },
    { gw_str("RS512"), GW_ALG_RSA, "SHA512", NULL, NULL, 64, 0 },

    { gw_str("PS256"), GW_ALG_PSS, "SHA256", NULL, NULL, 32, 0 },
    { gw_str("PS384"), GW_ALG_PSS, "SHA384", NULL, NULL, 48, 0 },
    { gw_str("PS512"), GW_ALG_PSS, "SHA512", NULL, NULL, 64, 0 },

    { gw_str("ES256"), GW_ALG_ECDSA, "SHA256", "P-256", "prime256v1", 32, 32 },
    { gw_str("ES384"), GW_ALG_ECDSA, "SHA384", "P-384", "secp384r1", 48, 48 },
    { gw_str("ES512"), GW_ALG_ECDSA, "SHA512", "P-521", "secp521r1", 64, 66 },

    { gw_str("EdDSA"), GW_ALG_ED, NULL, NULL, NULL, 0, 0 }
};


gw_alg_e
gw_alg_find(const gw_str_t *name)
{
    gw_alg_e         alg;
    const gw_str_t  *known;

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {
        known = &gw_algs[alg].name;

        if (known->len == name->len
            && memcmp(known->data, name->data, name->len) == 0)
        {
            return alg;
        }
    }

    return GW_ALG_UNKNOWN;
}


const gw_alg_t *
gw_alg_get(gw_alg_e alg)
{
    if (alg <= GW_ALG_UNKNOWN || alg >= GW_ALG_MAX) {
        return NULL;
    }

    return &gw_algs[alg];
}


const char *
gw_alg_name(gw_alg_e alg)
{
    const gw_alg_t  *a;

    a = gw_alg_get(alg);

    return a ? a->name.data : "unknown";
}
