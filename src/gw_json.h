
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * JSON from strangers, and JSON for others.
 *
 * gw_json_object() parses an object: strict UTF-8, no NUL, no duplicate
 * names, nothing behind it, no deeper than GW_JSON_MAX_DEPTH.  NULL if it is
 * anything else; how long a text may be is the caller's to say.
 *
 * gw_json_text() finds a string member; "s" points into the object.
 *
 *     GW_OK        found
 *     GW_DECLINED  there is no such member, "s" is { 0, NULL }
 *     GW_ERROR     it is not a string
 *
 * The writer appends to the memory from "pos" to "last" and remembers the
 * first failure in "rc": GW_DECLINED if there is no room, GW_ERROR if a
 * string is not UTF-8.  One look at "rc" at the end is enough.
 */

#ifndef _GW_JSON_H_INCLUDED_
#define _GW_JSON_H_INCLUDED_


#include "gw_base.h"


#define GW_JSON_MAX_DEPTH  32


typedef struct {
    char   *pos;
    char   *last;
    int     rc;
} gw_json_out_t;


GW_HIDDEN_BEGIN

struct json_t *gw_json_object(const char *text, size_t len);
void gw_json_free(struct json_t *object);   /* may be NULL */
int gw_json_text(const struct json_t *object, const char *name, gw_str_t *s);

/* text as it is, a string in quotes with its escapes, an integer */

void gw_json_put(gw_json_out_t *out, const char *text);
void gw_json_put_string(gw_json_out_t *out, const gw_str_t *s);
void gw_json_put_int(gw_json_out_t *out, int64_t n);

/* a control character, which neither headers nor logs could carry */

int gw_json_has_control(const gw_str_t *s);

GW_HIDDEN_END


#endif /* _GW_JSON_H_INCLUDED_ */
