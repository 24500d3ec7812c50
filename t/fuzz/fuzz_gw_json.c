
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What parses is an object that says the same when it was written and parsed
 * again, and is no deeper than allowed.  Any string that is UTF-8 comes back
 * out of the writer, within the room there is; what is not, is refused.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "gw_json.c"


static size_t
depth(const json_t *value)
{
    size_t   i, n, deepest;
    void    *iter;
    json_t  *member;

    if (!json_is_object(value) && !json_is_array(value)) {
        return 0;
    }

    deepest = 0;

    json_array_foreach(value, i, member) {
        n = depth(member);
        deepest = (n > deepest) ? n : deepest;
    }

    iter = json_object_iter((json_t *) value);

    while (iter) {
        n = depth(json_object_iter_value(iter));
        deepest = (n > deepest) ? n : deepest;
        iter = json_object_iter_next((json_t *) value, iter);
    }

    return deepest + 1;
}


static void
read_object(const char *text, size_t size)
{
    char      *again;
    json_t    *object, *other;
    gw_str_t   s;

    object = gw_json_object(text, size);

    if (object == NULL) {
        return;
    }

    assert(json_is_object(object));
    assert(depth(object) <= GW_JSON_MAX_DEPTH);

    again = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    assert(again);

    other = gw_json_object(again, strlen(again));
    assert(other && json_equal(object, other));

    if (gw_json_text(object, "a", &s) == GW_OK) {
        assert(strlen(s.data) == s.len);
        (void) gw_json_has_control(&s);

    } else {
        assert(s.len == 0 && s.data == NULL);
    }

    free(again);
    gw_json_free(other);
    gw_json_free(object);
}


static void
write_string(const char *data, size_t size, size_t room)
{
    char           *text;
    json_t         *object;
    gw_str_t        s, back;
    gw_json_out_t   out;

    text = malloc(room + 1);
    assert(text);

    s.data = data;
    s.len = size;

    out.pos = text + 1;
    out.last = text + 1 + room;
    out.rc = GW_OK;

    gw_json_put(&out, "{\"a\":");
    gw_json_put_string(&out, &s);
    gw_json_put(&out, ",\"n\":");
    gw_json_put_int(&out, (int64_t) size - 7);
    gw_json_put(&out, "}");

    assert(out.pos <= out.last);

    if (out.rc == GW_OK) {
        object = json_loadb(text + 1, (size_t) (out.pos - text - 1),
                            JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
        assert(object);
        assert(gw_json_text(object, "a", &back) == GW_OK);
        assert(back.len == size && memcmp(back.data, data, size) == 0);
        assert(json_integer_value(json_object_get(object, "n"))
               == (json_int_t) size - 7);
        json_decref(object);

    } else if (out.rc == GW_ERROR) {
        assert(json_stringn(data, size) == NULL);

    } else {
        assert(out.rc == GW_DECLINED && room < 6 * size + 64);
    }

    free(text);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_object((const char *) data, size);

    write_string((const char *) data, size, 6 * size + 64);
    write_string((const char *) data, size, size ? data[0] % (size + 20) : 0);

    return 0;
}
