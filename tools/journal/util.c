
/*
 * Copyright (C) The nginx gateway modules authors
 */


#define _GNU_SOURCE

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "journal.h"


static int tool_parse_ago(const char *text, int64_t *ms);


/* -g takes the first digits of a generation */

int
tool_wanted(const tool_options_t *opt, const tool_generation_t *gen)
{
    char    text[17];
    size_t  i;

    if (opt->ngenerations == 0) {
        return 1;
    }

    snprintf(text, sizeof(text), "%016" PRIx64, gen->generation);

    for (i = 0; i < opt->ngenerations; i++) {
        if (strncmp(text, opt->generations[i], strlen(opt->generations[i]))
            == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * A segment has records from when it was made to when it was written last; in
 * doubt it is taken.
 */

int
tool_in_time(const tool_options_t *opt, const tool_reader_t *r)
{
    return r->modified >= opt->since
           && (r->state != TOOL_NAMED || r->segment.created <= opt->until);
}


const char *
tool_state(const tool_generation_t *gen)
{
    static const char *const  names[] = { "alive", "orphan", "drained" };

    return names[gen->state];
}


/* UTC: 2026-11-22T10:00:00Z, without seconds, a day alone; @SECONDS; 90m */

int
tool_parse_time(const char *text, int64_t *ms)
{
    int        end;
    char      *last;
    int64_t    n;
    struct tm  tm;

    static const char *const  formats[] = {
        "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d", NULL
    };

    if (*text == '@') {
        errno = 0;
        n = strtoll(text + 1, &last, 10);

        if (errno || last == text + 1 || *last || n < 0
            || n > INT64_MAX / 1000)
        {
            return GW_ERROR;
        }

        *ms = n * 1000;
        return GW_OK;
    }

    for (end = 0; formats[end]; end++) {

        memset(&tm, 0, sizeof(struct tm));
        last = strptime(text, formats[end], &tm);

        if (last && *last == '\0') {
            *ms = (int64_t) timegm(&tm) * 1000;
            return GW_OK;
        }
    }

    return tool_parse_ago(text, ms);
}


static int
tool_parse_ago(const char *text, int64_t *ms)
{
    char         *last;
    int64_t       n;
    const char   *unit;

    static const char     units[] = "smhd";
    static const int64_t  seconds[] = { 1, 60, 3600, 86400 };

    if (*text < '0' || *text > '9') {
        return GW_ERROR;
    }

    errno = 0;
    n = strtoll(text, &last, 10);
    unit = *last ? strchr(units, *last) : NULL;

    if (errno || unit == NULL || last[1] != '\0' || n > 100000000) {
        return GW_ERROR;
    }

    *ms = ((int64_t) time(NULL) - n * seconds[unit - units]) * 1000;

    return GW_OK;
}


const char *
tool_time(char *buf, int64_t ms)
{
    time_t     sec;
    size_t     len;
    struct tm  tm;

    sec = (time_t) (ms / 1000);

    if (ms <= 0 || gmtime_r(&sec, &tm) == NULL) {
        return "-";
    }

    len = strftime(buf, TOOL_TIME, "%Y-%m-%dT%H:%M:%S", &tm);

    if (len == 0 || len > TOOL_TIME - 6) {
        return "-";
    }

    snprintf(buf + len, TOOL_TIME - len, ".%03uZ", (unsigned) (ms % 1000));

    return buf;
}


void
tool_fail(const char *format, ...)
{
    va_list  args;

    /* in order, if both are the same file */

    (void) fflush(stdout);

    fputs("gw-journal: ", stderr);

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);

    fputc('\n', stderr);
}


/* room for one more of "size" bytes behind "n"; doubles, and never fails */

void *
tool_grow(void *p, size_t n, size_t size)
{
    size_t  total;

    if (n & (n - 1)) {
        return p;
    }

    total = n ? 2 * n : 1;

    if (total > SIZE_MAX / size || (p = realloc(p, total * size)) == NULL) {
        tool_fail("out of memory");
        exit(TOOL_TROUBLE);
    }

    return p;
}
