
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gw_prom.c"


#define SIZE      65536
#define FAMILIES  16
#define SAMPLES   256
#define LINE      512


/* a reader of pages, strict: what it does not expect is an error */

typedef struct {
    char      name[LINE];
    char      type[16];
} family_t;


typedef struct {
    family_t  families[FAMILIES];
    size_t    nfamilies;
    char      samples[SAMPLES][LINE];     /* names with labels */
    size_t    nsamples;

    /* of the histogram that is read */

    char      series[LINE];               /* labels without "le" */
    double    le;
    double    count;
    unsigned  infinite:1;
    unsigned  open:1;
} page_t;


static char       buf[SIZE];
static gw_prom_t  out;
static char       why[LINE];


static void
begin(size_t size)
{
    out.pos = buf;
    out.last = buf + size;
    out.rc = GW_OK;
}


static gw_prom_label_t
label(const char *name, const char *value)
{
    gw_prom_label_t  l;

    l.name = name;
    l.value.len = strlen(value);
    l.value.data = value;

    return l;
}


static int
wrong(const char *text)
{
    (void) snprintf(why, sizeof(why), "%s", text);

    return 0;
}


static size_t
name_len(const char *p, unsigned colon)
{
    size_t  n;

    for (n = 0; p[n]; n++) {
        if ((p[n] >= 'a' && p[n] <= 'z') || (p[n] >= 'A' && p[n] <= 'Z')
            || p[n] == '_' || (colon && p[n] == ':')
            || (n && p[n] >= '0' && p[n] <= '9'))
        {
            continue;
        }

        break;
    }

    return n;
}


/* "# HELP name text", then "# TYPE name type" */

static int
read_comment(page_t *page, const char *p, const char **family)
{
    char        name[LINE];
    size_t      i, n;
    family_t   *f;
    const char *type;

    n = name_len(p + 7, 1);

    if (n == 0 || n >= LINE || p[7 + n] != ' ' || p[8 + n] == '\0') {
        return wrong("comment");
    }

    memcpy(name, p + 7, n);
    name[n] = '\0';

    if (strncmp(p, "# HELP ", 7) == 0) {

        if (*family) {
            return wrong("HELP without TYPE");
        }

        for (i = 0; i < page->nfamilies; i++) {
            if (strcmp(page->families[i].name, name) == 0) {
                return wrong("family twice");
            }
        }

        if (page->nfamilies == FAMILIES) {
            return wrong("too many families");
        }

        strcpy(page->families[page->nfamilies].name, name);
        *family = page->families[page->nfamilies++].name;

        return 1;
    }

    if (strncmp(p, "# TYPE ", 7) != 0) {
        return wrong("comment");
    }

    if (*family == NULL || strcmp(*family, name) != 0) {
        return wrong("TYPE without HELP");
    }

    *family = NULL;
    type = p + 8 + n;
    f = &page->families[page->nfamilies - 1];

    if (strcmp(type, "counter") != 0 && strcmp(type, "gauge") != 0
        && strcmp(type, "histogram") != 0)
    {
        return wrong("type");
    }

    strcpy(f->type, type);

    n = strlen(f->name);
    i = (n > 6 && strcmp(f->name + n - 6, "_total") == 0);

    if (i != (strcmp(type, "counter") == 0)) {
        return wrong("_total is for counters");
    }

    return 1;
}


/* the labels, "le" apart; returns what follows them, NULL if they are wrong */

static const char *
read_labels(const char *p, char *rest, char *le)
{
    char        names[8][64];
    size_t      i, n, nnames;
    const char *start;

    *rest = '\0';
    *le = '\0';
    nnames = 0;

    if (*p != '{') {
        return p;
    }

    do {
        start = ++p;
        n = name_len(p, 0);

        if (n == 0 || n >= 64 || nnames == 8 || p[n] != '='
            || p[n + 1] != '"')
        {
            return NULL;
        }

        memcpy(names[nnames], p, n);
        names[nnames][n] = '\0';

        for (i = 0; i < nnames; i++) {
            if (strcmp(names[i], names[nnames]) == 0) {
                return NULL;
            }
        }

        p += n + 2;

        for ( /* void */ ; *p != '"'; p++) {
            if (*p == '\0') {
                return NULL;
            }

            if (*p == '\\' && *++p != '\\' && *p != '"' && *p != 'n') {
                return NULL;
            }
        }

        if (strcmp(names[nnames++], "le") == 0) {
            memcpy(le, start + 4, p - start - 4);
            le[p - start - 4] = '\0';

        } else {
            strncat(rest, start, ++p - start);
            strcat(rest, ",");
            p--;
        }

        p++;

    } while (*p == ',');

    return (*p == '}') ? p + 1 : NULL;
}


static int
read_bucket(page_t *page, const char *suffix, const char *series,
    const char *le, double value)
{
    char   *end;
    double  bound;

    if (strcmp(suffix, "_bucket") == 0) {

        if (!page->open) {
            page->open = 1;
            page->infinite = 0;
            page->le = -1;
            page->count = 0;
            strcpy(page->series, series);
        }

        if (page->infinite || strcmp(page->series, series) != 0) {
            return wrong("bucket of another series");
        }

        if (strcmp(le, "+Inf") == 0) {
            page->infinite = 1;

        } else {
            bound = strtod(le, &end);

            if (end == le || *end || bound <= page->le) {
                return wrong("le does not ascend");
            }

            page->le = bound;
        }

        if (value < page->count) {
            return wrong("bucket is less than the one before");
        }

        page->count = value;

        return 1;
    }

    if (!page->open || !page->infinite || *le
        || strcmp(page->series, series) != 0)
    {
        return wrong("sum or count without +Inf");
    }

    if (strcmp(suffix, "_sum") == 0) {
        return 1;
    }

    page->open = 0;

    if (strcmp(suffix, "_count") != 0 || value != page->count) {
        return wrong("count is not +Inf");
    }

    return 1;
}


static int
read_sample(page_t *page, const char *p)
{
    char        series[LINE], le[LINE];
    char       *end;
    size_t      i, n;
    double      value;
    family_t   *f;
    const char *after;

    if (page->nfamilies == 0 || strlen(p) >= LINE) {
        return wrong("sample without family");
    }

    f = &page->families[page->nfamilies - 1];
    n = strlen(f->name);

    if (strncmp(p, f->name, n) != 0) {
        return wrong("sample of another family");
    }

    i = name_len(p, 1);
    after = read_labels(p + i, series, le);

    if (after == NULL || *after != ' ') {
        return wrong("labels");
    }

    if (page->nsamples == SAMPLES) {
        return wrong("too many samples");
    }

    memcpy(page->samples[page->nsamples], p, after - p);
    page->samples[page->nsamples][after - p] = '\0';

    value = strtod(after + 1, &end);

    if (end == after + 1 || *end || value < 0) {
        return wrong("value");
    }

    if (strcmp(f->type, "histogram") == 0) {
        char  suffix[LINE];

        memcpy(suffix, p + n, i - n);
        suffix[i - n] = '\0';

        if (!read_bucket(page, suffix, series, le, value)) {
            return 0;
        }

    } else if (i != n || *le) {
        return wrong("sample of another family");
    }

    for (i = 0; i < page->nsamples; i++) {
        if (strcmp(page->samples[i], page->samples[page->nsamples]) == 0) {
            return wrong("sample twice");
        }
    }

    page->nsamples++;

    return 1;
}


static int
is_page(const char *text, size_t len)
{
    static page_t  page;

    char        line[LINE];
    const char *p, *end, *family;

    memset(&page, 0, sizeof(page_t));
    family = NULL;

    for (p = text; p < text + len; p = end + 1) {

        end = memchr(p, '\n', text + len - p);

        if (end == NULL || end == p || (size_t) (end - p) >= LINE
            || memchr(p, '\0', end - p))
        {
            return wrong("line");
        }

        memcpy(line, p, end - p);
        line[end - p] = '\0';

        if (*p == '#') {

            if (page.open || !read_comment(&page, line, &family)) {
                return page.open ? wrong("histogram is not complete") : 0;
            }

        } else if (family || !read_sample(&page, line)) {
            return family ? wrong("HELP without TYPE") : 0;
        }
    }

    if (page.open || family) {
        return wrong("page is not complete");
    }

    return 1;
}


static void
assert_text(const char *text)
{
    assert_int_equal(out.rc, GW_OK);
    assert_int_equal((size_t) (out.pos - buf), strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}


static void
test_counter(void **state)
{
    gw_prom_label_t  labels[2];

    (void) state;

    begin(SIZE);

    labels[0] = label("provider", "accounts");
    labels[1] = label("result", "ok");

    gw_prom_family(&out, "a_total", "counter", "What it is.");
    gw_prom_sample(&out, "a_total", labels, 2, UINT64_MAX);
    gw_prom_sample(&out, "a_total", labels, 1, 0);
    gw_prom_sample(&out, "a_total", NULL, 0, 10);

    assert_text("# HELP a_total What it is.\n"
                "# TYPE a_total counter\n"
                "a_total{provider=\"accounts\",result=\"ok\"}"
                " 18446744073709551615\n"
                "a_total{provider=\"accounts\"} 0\n"
                "a_total 10\n");

    assert_true(is_page(buf, out.pos - buf));
}


static void
test_seconds(void **state)
{
    size_t    i;
    char      text[64];

    static const struct {
        uint64_t     ms;
        const char  *text;
    } cases[] = {
        { 0, "0" },
        { 1, "0.001" },
        { 10, "0.01" },
        { 900, "0.9" },
        { 1000, "1" },
        { 1001, "1.001" },
        { 120500, "120.5" },
        { UINT64_MAX, "18446744073709551.615" },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(SIZE);
        gw_prom_seconds(&out, "age", NULL, 0, cases[i].ms);

        (void) snprintf(text, sizeof(text), "age %s\n", cases[i].text);
        assert_text(text);
    }
}


static void
test_histogram(void **state)
{
    gw_prom_label_t  l;

    static const uint32_t  bounds[] = { 5, 1000, 2500 };
    static const uint64_t  counts[] = { 1, 0, 2, 4 };

    (void) state;

    begin(SIZE);

    l = label("provider", "p");

    gw_prom_family(&out, "s", "histogram", "Time.");
    gw_prom_histogram(&out, "s", &l, 1, bounds, 3, counts, 12345678);
    gw_prom_histogram(&out, "s", NULL, 0, bounds, 3, counts, 1000000);

    assert_text("# HELP s Time.\n"
                "# TYPE s histogram\n"
                "s_bucket{provider=\"p\",le=\"0.005\"} 1\n"
                "s_bucket{provider=\"p\",le=\"1\"} 1\n"
                "s_bucket{provider=\"p\",le=\"2.5\"} 3\n"
                "s_bucket{provider=\"p\",le=\"+Inf\"} 7\n"
                "s_sum{provider=\"p\"} 12.345678\n"
                "s_count{provider=\"p\"} 7\n"
                "s_bucket{le=\"0.005\"} 1\n"
                "s_bucket{le=\"1\"} 1\n"
                "s_bucket{le=\"2.5\"} 3\n"
                "s_bucket{le=\"+Inf\"} 7\n"
                "s_sum 1\n"
                "s_count 7\n");

    assert_true(is_page(buf, out.pos - buf));
}


static void
test_values_of_labels(void **state)
{
    size_t           i;
    char             text[128];
    gw_prom_label_t  l;

    static const struct {
        const char  *value;
        const char  *text;
    } cases[] = {
        { "", "" },
        { "a\"b", "a\\\"b" },
        { "a\\b", "a\\\\b" },
        { "a\nb", "a\\nb" },
        { "}\",x=\"", "}\\\",x=\\\"" },
        { "\xc3\xa9", "\xc3\xa9" },
        { "\xe2\x82\xac", "\xe2\x82\xac" },
        { "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
        { "\x80", "?" },
        { "a\xc3", "a?" },
        { "\xc3\"", "?\\\"" },
        { "\xe2\x82\n", "??\\n" },
        { "\xc0\xaf", "??" },
        { "\xc1\xbf", "??" },
        { "\xe0\x9f\xbf", "???" },
        { "\xed\xa0\x80", "???" },
        { "\xf0\x8f\xbf\xbf", "????" },
        { "\xf4\x90\x80\x80", "????" },
        { "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
        { "\xf5\x80\x80\x80", "????" },
        { "\xff", "?" },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(SIZE);

        l = label("v", cases[i].value);
        gw_prom_sample(&out, "a", &l, 1, 1);

        (void) snprintf(text, sizeof(text), "a{v=\"%s\"} 1\n", cases[i].text);
        assert_text(text);
    }
}


/* a character that does not end in the slice is not read any further */

static void
test_value_is_a_slice(void **state)
{
    gw_prom_label_t  l;

    (void) state;

    begin(SIZE);

    l.name = "v";
    l.value.data = "\xe2\x82\xac";
    l.value.len = 2;

    gw_prom_sample(&out, "a", &l, 1, 1);

    assert_text("a{v=\"??\"} 1\n");
}


static void
write_all(void)
{
    gw_prom_label_t  l;

    static const uint32_t  bounds[] = { 5, 1000 };
    static const uint64_t  counts[] = { 1, 2, 3 };

    l = label("provider", "a\"b\xff");

    gw_prom_family(&out, "s", "histogram", "Time.");
    gw_prom_histogram(&out, "s", &l, 1, bounds, 2, counts, 1);
    gw_prom_seconds(&out, "s", &l, 1, 1);
}


static void
test_no_room(void **state)
{
    char    *text;
    size_t   size, full;

    (void) state;

    begin(SIZE);
    write_all();

    full = out.pos - buf;

    for (size = 1; size <= full; size++) {

        /* exactly as large, so that one byte too many is seen */

        text = malloc(size);
        assert_non_null(text);

        out.pos = text;
        out.last = text + size;
        out.rc = GW_OK;

        write_all();

        assert_int_equal(out.rc, size < full ? GW_DECLINED : GW_OK);
        assert_memory_equal(text, buf, out.pos - text);

        free(text);
    }
}


/* the reader is of use only if it refuses */

static void
test_the_reader_refuses(void **state)
{
    size_t  i;

    static const char *const  pages[] = {
        "a_total 1\n",
        "# HELP a_total x\na_total 1\n",
        "# TYPE a_total counter\na_total 1\n",
        "# HELP a_total x\n# TYPE a_total counter\na_total 1",
        "# HELP a_total x\n# TYPE a_total counter\n\na_total 1\n",
        "# HELP a x\n# TYPE a counter\na 1\n",
        "# HELP a_total x\n# TYPE a_total gauge\na_total 1\n",
        "# HELP a_total x\n# TYPE a_total counter\nb_total 1\n",
        "# HELP a_total x\n# TYPE a_total counter\na_total 1\na_total 2\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"1\"} 1\na{b=\"1\"} 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"1\",b=\"2\"} 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"\\x\"} 1\n",
        "# HELP a x\n# TYPE a gauge\na{b=\"1} 1\n",
        "# HELP a x\n# TYPE a gauge\na{1=\"1\"} 1\n",
        "# HELP a x\n# TYPE a gauge\na one\n",
        "# HELP a x\n# TYPE a gauge\na 1\n# HELP b x\n# TYPE b gauge\nb 1\n"
        "# HELP a x\n# TYPE a gauge\n",
        "# HELP a x\n# TYPE a gauge\n# HELP b x\n# TYPE b gauge\nb 1\na 1\n",
        "# HELP s x\n# TYPE s histogram\ns_bucket{le=\"1\"} 1\n",
        "# HELP s x\n# TYPE s histogram\ns_bucket{le=\"1\"} 1\n"
        "s_sum 1\ns_count 1\n",
        "# HELP s x\n# TYPE s histogram\ns_bucket{le=\"1\"} 1\n"
        "s_bucket{le=\"1\"} 1\ns_bucket{le=\"+Inf\"} 1\ns_sum 1\ns_count 1\n",
        "# HELP s x\n# TYPE s histogram\ns_bucket{le=\"1\"} 2\n"
        "s_bucket{le=\"+Inf\"} 1\ns_sum 1\ns_count 1\n",
        "# HELP s x\n# TYPE s histogram\ns_bucket{le=\"1\"} 1\n"
        "s_bucket{le=\"+Inf\"} 2\ns_sum 1\ns_count 1\n",
        "# HELP s x\n# TYPE s histogram\ns_bucket{a=\"1\",le=\"1\"} 1\n"
        "s_bucket{a=\"2\",le=\"+Inf\"} 2\ns_sum 1\ns_count 2\n",
    };

    (void) state;

    assert_true(is_page("# HELP s x\n# TYPE s histogram\n"
                        "s_bucket{le=\"1\"} 1\ns_bucket{le=\"+Inf\"} 2\n"
                        "s_sum 1\ns_count 2\n",
                        strlen("# HELP s x\n# TYPE s histogram\n"
                               "s_bucket{le=\"1\"} 1\n"
                               "s_bucket{le=\"+Inf\"} 2\n"
                               "s_sum 1\ns_count 2\n")));

    for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        why[0] = '\0';
        assert_false(is_page(pages[i], strlen(pages[i])));
        assert_true(why[0] != '\0');
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_counter),
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_histogram),
        cmocka_unit_test(test_values_of_labels),
        cmocka_unit_test(test_value_is_a_slice),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_the_reader_refuses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
