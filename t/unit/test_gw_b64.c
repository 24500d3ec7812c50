
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_b64.c"


/* exactly as much memory as promised: the sanitizer sees one byte more */

static int
decode(const char *text, size_t len, size_t size, char *out, size_t *n)
{
    int    rc;
    char  *src, *dst;

    src = malloc(len + 1);
    dst = malloc(size + 1);

    assert_non_null(src);
    assert_non_null(dst);

    memcpy(src + 1, text, len);

    rc = gw_b64_decode(src + 1, len, dst + 1, size, n);

    if (rc == GW_OK) {
        assert_true(*n <= size);
        memcpy(out, dst + 1, *n);
    }

    free(src);
    free(dst);

    return rc;
}


static void
test_vectors(void **state)
{
    /* RFC 4648 section 10, without the padding */

    static const char  *pairs[][2] = {
        { "", "" },
        { "f", "Zg" },
        { "fo", "Zm8" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg" },
        { "fooba", "Zm9vYmE" },
        { "foobar", "Zm9vYmFy" },
        { "\xfb\xff", "-_8" }
    };

    char         out[16];
    size_t       i, n, len;
    const char  *plain, *text;

    (void) state;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        plain = pairs[i][0];
        text = pairs[i][1];
        len = strlen(plain);

        assert_int_equal(gw_b64_encoded_len(len), strlen(text));
        assert_int_equal(gw_b64_decoded_len(strlen(text)), len);

        assert_int_equal(gw_b64_encode(plain, len, out, strlen(text), &n),
                         GW_OK);
        assert_int_equal(n, strlen(text));
        assert_memory_equal(out, text, n);

        assert_int_equal(decode(text, strlen(text), len, out, &n), GW_OK);
        assert_int_equal(n, len);
        assert_memory_equal(out, plain, n);
    }
}


static void
test_round_trip(void **state)
{
    char           text[400];
    size_t         i, len, n, m;
    unsigned char  bytes[256], back[256];

    (void) state;

    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char) (i * 167 + 13);
    }

    for (len = 0; len <= sizeof(bytes); len++) {
        assert_int_equal(gw_b64_encode(bytes, len, text, sizeof(text), &n),
                         GW_OK);
        assert_int_equal(decode(text, n, len, (char *) back, &m), GW_OK);
        assert_int_equal(m, len);
        assert_memory_equal(back, bytes, len);
    }
}


static void
test_foreign_characters(void **state)
{
    int     ch, known;
    char    text[4], out[4];
    size_t  i, len, n;

    (void) state;

    for (len = 2; len <= 4; len++) {
        for (i = 0; i < len; i++) {
            for (ch = 0; ch < 256; ch++) {
                memset(text, 'A', sizeof(text));
                text[i] = (char) ch;

                known = (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z')
                        || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_';

                if (known && i == len - 1 && len < 4) {
                    /* its low bits have to be zero, see the next test */
                    continue;
                }

                assert_int_equal(decode(text, len, 3, out, &n),
                                 known ? GW_OK : GW_ERROR);
            }
        }
    }
}


static void
test_one_text_per_value(void **state)
{
    static const char  basis[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    char    text[3], out[4];
    size_t  i, n;

    (void) state;

    for (i = 0; i < 64; i++) {
        text[0] = 'A';
        text[1] = basis[i];
        text[2] = basis[i];

        assert_int_equal(decode(text, 2, 3, out, &n),
                         i % 16 ? GW_ERROR : GW_OK);
        assert_int_equal(decode(text, 3, 3, out, &n),
                         i % 4 ? GW_ERROR : GW_OK);
    }
}


static void
test_malformed(void **state)
{
    static const char  *texts[] = {
        "A", "AAAAA", "Zg==", "Zg=", "Zm8=", "=", "Zm9v=", "Zm9v\n", " Zm9v",
        "Zm 9v", "Zm9v!!!!", "+/+/", "Zm9vA", "Zh", "Zm9", "Zm9vYh"
    };

    char    out[16];
    size_t  i, n;

    (void) state;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(decode(texts[i], strlen(texts[i]), 16, out, &n),
                         GW_ERROR);
    }

    assert_int_equal(decode("AA\0A", 4, 16, out, &n), GW_ERROR);
}


static void
test_small_buffers(void **state)
{
    char    out[16];
    size_t  n;

    (void) state;

    assert_int_equal(decode("Zm9vYmFy", 8, 5, out, &n), GW_ERROR);
    assert_int_equal(n, 0);
    assert_int_equal(decode("Zg", 2, 0, out, &n), GW_ERROR);

    assert_int_equal(gw_b64_encode("foobar", 6, out, 7, &n), GW_ERROR);
    assert_int_equal(n, 0);
    assert_int_equal(gw_b64_encode("f", 1, out, 1, &n), GW_ERROR);

    /* lengths that would overflow */

    assert_int_equal(gw_b64_decode("", SIZE_MAX - 3, out, 16, &n), GW_ERROR);
    assert_int_equal(gw_b64_encode("", SIZE_MAX / 4 * 3, out, 16, &n),
                     GW_ERROR);
}


static void
test_in_place(void **state)
{
    char    text[] = "Zm9vYmE";
    size_t  n;

    (void) state;

    assert_int_equal(gw_b64_decode(text, 7, text, 7, &n), GW_OK);
    assert_int_equal(n, 5);
    assert_memory_equal(text, "fooba", 5);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_foreign_characters),
        cmocka_unit_test(test_one_text_per_value),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_small_buffers),
        cmocka_unit_test(test_in_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
