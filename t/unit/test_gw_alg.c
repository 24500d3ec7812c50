
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "gw_alg.c"


static gw_alg_e
find(const char *name)
{
    gw_str_t  s;

    s.data = name;
    s.len = strlen(name);

    return gw_alg_find(&s);
}


static void
test_names(void **state)
{
    gw_alg_e         alg;
    const gw_alg_t  *a;

    (void) state;

    for (alg = GW_ALG_HS256; alg < GW_ALG_MAX; alg++) {
        a = gw_alg_get(alg);

        assert_non_null(a);
        assert_int_equal(a->name.len, strlen(a->name.data));
        assert_int_equal(find(gw_alg_name(alg)), alg);
    }

    assert_int_equal(find("RS256"), GW_ALG_RS256);
    assert_int_equal(find("PS512"), GW_ALG_PS512);
    assert_int_equal(find("ES384"), GW_ALG_ES384);
    assert_int_equal(find("EdDSA"), GW_ALG_EDDSA);

    assert_null(gw_alg_get(GW_ALG_UNKNOWN));
    assert_null(gw_alg_get(GW_ALG_MAX));
    assert_string_equal(gw_alg_name(GW_ALG_UNKNOWN), "unknown");
}


static void
test_unknown_names(void **state)
{
    static const char  *names[] = {
        "", "none", "None", "NONE", "noNE", "rs256", "Rs256", "RS256 ",
        " RS256", "RS25", "RS2566", "EDDSA", "eddsa", "ES256K", "Ed25519",
        "RSA-OAEP", "HS1", "A256GCM"
    };

    size_t    i;
    gw_str_t  s = gw_str("RS256\0");

    (void) state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(find(names[i]), GW_ALG_UNKNOWN);
    }

    assert_int_equal(gw_alg_find(&s), GW_ALG_UNKNOWN);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_unknown_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
