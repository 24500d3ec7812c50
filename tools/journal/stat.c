
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"


typedef struct {
    uint64_t    files;
    uint64_t    records;
    uint64_t    bytes;
} tool_sum_t;


typedef struct {
    tool_sum_t  kinds[GW_JOURNAL_DEAD + 1];
    uint64_t    acked;          /* records of segments */
    uint64_t    damaged;        /* places */
    uint64_t    unreadable;     /* files */
    uint64_t    events;
    uint64_t    first;          /* sequences */
    uint64_t    last;
    uint64_t    requests;       /* at work, or cut off */
    int64_t     oldest;         /* ms, of what is not acknowledged; or 0 */
} tool_stat_t;


static int tool_stat_generation(const tool_journal_t *journal,
    const tool_generation_t *gen, tool_stat_t *st);
static int tool_stat_file(const tool_journal_t *journal,
    const tool_file_t *file, tool_stat_t *st);
static void tool_stat_record(tool_stat_t *st, const tool_reader_t *r,
    const tool_item_t *item, gw_journal_kind_e kind);
static void tool_stat_requests(const tool_journal_t *journal,
    const tool_generation_t *gen, tool_stat_t *st);
static void tool_stat_add(tool_stat_t *total, const tool_stat_t *st);
static void tool_stat_text(const tool_generation_t *gen,
    const tool_stat_t *st);
static void tool_stat_numbers(const tool_stat_t *st);
static void tool_stat_json(const tool_generation_t *gen,
    const tool_stat_t *st);
static void tool_stat_json_numbers(const tool_stat_t *st);
static void tool_stat_json_time(const char *name, int64_t ms);
static void tool_json(const char *text);
static size_t tool_utf8(const unsigned char *p);


static const char *const  tool_kinds[] = {
    "segments", "kept", "bad", NULL, NULL, "dead"
};


int
tool_stat(tool_journal_t *journal, const tool_options_t *opt)
{
    int                       rc, status;
    size_t                    i, n;
    tool_stat_t               st, total;
    const tool_generation_t  *gen;

    status = TOOL_OK;
    n = 0;

    memset(&total, 0, sizeof(tool_stat_t));

    if (opt->json) {
        printf("{\"directory\":");
        tool_json(journal->path);
        printf(",\"tails\":");
        tool_json(journal->tails != -1 ? journal->tails_path : NULL);
        printf(",\"generations\":[");
    }

    for (i = 0; i < journal->n; i++) {

        gen = &journal->generations[i];

        if (!tool_wanted(opt, gen)) {
            continue;
        }

        rc = tool_stat_generation(journal, gen, &st);

        status = rc > status ? rc : status;

        if (opt->json) {
            printf("%s", n ? "," : "");
            tool_stat_json(gen, &st);

        } else {
            tool_stat_text(gen, &st);
        }

        tool_stat_add(&total, &st);
        n++;
    }

    if (opt->json) {
        printf("],\"total\":{\"generations\":%zu,", n);
        tool_stat_json_numbers(&total);
        printf("}}\n");

    } else {
        printf("total: %zu generations\n", n);
        tool_stat_numbers(&total);
    }

    return status;
}


static int
tool_stat_generation(const tool_journal_t *journal,
    const tool_generation_t *gen, tool_stat_t *st)
{
    int     rc, status;
    size_t  i;

    status = TOOL_OK;

    memset(st, 0, sizeof(tool_stat_t));

    tool_stat_requests(journal, gen, st);

    for (i = 0; i < gen->n; i++) {

        rc = tool_stat_file(journal, &gen->files[i], st);

        status = rc > status ? rc : status;
    }

    return status;
}


static int
tool_stat_file(const tool_journal_t *journal, const tool_file_t *file,
    tool_stat_t *st)
{
    int            rc;
    char           name[GW_JOURNAL_NAME + 1];
    uint64_t       records;
    tool_sum_t    *sum;
    tool_item_e    what;
    tool_item_t    item;
    tool_reader_t  r;

    rc = tool_reader_open(&r, journal, file);

    if (rc == ENOENT) {
        return TOOL_OK;
    }

    if (rc != 0) {
        (void) gw_journal_name(name, &file->name);
        tool_fail("%s: %s", name, strerror(rc));
        st->unreadable++;
        return TOOL_TROUBLE;
    }

    sum = &st->kinds[file->name.kind];

    sum->files++;
    sum->bytes += r.size;
    records = sum->records;

    st->unreadable += r.state == TOOL_UNKNOWN;
    st->damaged += r.state == TOOL_BROKEN;

    do {
        what = tool_reader_next(&r, &item);

        if (what == TOOL_RECORD) {
            tool_stat_record(st, &r, &item, file->name.kind);

        } else if (what == TOOL_DAMAGE || (what == TOOL_REST && item.begun)) {
            st->damaged++;
        }

    } while (what != TOOL_END && what != TOOL_FAILED);

    if (r.state == TOOL_BLANK && sum->records > records) {
        st->damaged++;
    }

    if (what == TOOL_FAILED) {
        tool_fail("%s: at %" PRIu64 ": %s", r.name, item.offset,
                  strerror(item.err));
        st->unreadable++;
    }

    tool_reader_close(&r);

    if (what == TOOL_FAILED || r.state == TOOL_UNKNOWN) {
        return TOOL_TROUBLE;
    }

    return st->damaged ? TOOL_FOUND : TOOL_OK;
}


static void
tool_stat_record(tool_stat_t *st, const tool_reader_t *r,
    const tool_item_t *item, gw_journal_kind_e kind)
{
    uint64_t  sequence;

    st->kinds[kind].records++;

    if (kind == GW_JOURNAL_SEGMENT) {

        if (item->offset < r->acked) {
            st->acked++;

        } else if (r->state == TOOL_NAMED
                   && (st->oldest == 0 || r->segment.created < st->oldest))
        {
            st->oldest = r->segment.created;
        }
    }

    if (item->record.type != GW_JOURNAL_EVENT || kind == GW_JOURNAL_DEAD) {
        return;
    }

    sequence = item->record.sequence;

    st->events++;
    st->first = (st->first && st->first < sequence) ? st->first : sequence;
    st->last = sequence > st->last ? sequence : st->last;
}


static void
tool_stat_requests(const tool_journal_t *journal,
    const tool_generation_t *gen, tool_stat_t *st)
{
    char                   *table;
    size_t                  size;
    unsigned                i;
    gw_inflight_info_t      info;
    gw_inflight_request_t   req;

    table = tool_table(journal, gen, &info, &size);
    if (table == NULL) {
        return;
    }

    for (i = 1; i <= info.slots; i++) {
        st->requests += gw_inflight_read(&req, table, size, i) == GW_OK;
    }

    free(table);
}


static void
tool_stat_add(tool_stat_t *total, const tool_stat_t *st)
{
    unsigned  i;

    for (i = 0; i <= GW_JOURNAL_DEAD; i++) {
        total->kinds[i].files += st->kinds[i].files;
        total->kinds[i].records += st->kinds[i].records;
        total->kinds[i].bytes += st->kinds[i].bytes;
    }

    total->acked += st->acked;
    total->damaged += st->damaged;
    total->unreadable += st->unreadable;
    total->events += st->events;
    total->requests += st->requests;

    if (st->oldest && (total->oldest == 0 || st->oldest < total->oldest)) {
        total->oldest = st->oldest;
    }
}


static void
tool_stat_text(const tool_generation_t *gen, const tool_stat_t *st)
{
    char  buf[TOOL_TIME];

    printf("%016" PRIx64 ": %s, since %s", gen->generation, tool_state(gen),
           tool_time(buf, gen->created));

    if (gen->created) {
        printf(", node \"%s\", topic \"%s\", cluster \"%s\"", gen->node,
               gen->topic, gen->cluster);
    }

    printf("\n");

    tool_stat_numbers(st);

    if (st->first) {
        printf("    sequences %" PRIu64 " to %" PRIu64 ", %" PRIu64
               " events\n", st->first, st->last, st->events);
    }
}


static void
tool_stat_numbers(const tool_stat_t *st)
{
    char      buf[TOOL_TIME];
    unsigned  i;

    for (i = 0; i <= GW_JOURNAL_DEAD; i++) {

        if (i != GW_JOURNAL_SEGMENT && st->kinds[i].files == 0) {
            continue;
        }

        printf("    %s %" PRIu64 ", records %" PRIu64 ", bytes %" PRIu64,
               tool_kinds[i], st->kinds[i].files, st->kinds[i].records,
               st->kinds[i].bytes);

        if (i == GW_JOURNAL_SEGMENT) {
            printf(", acknowledged %" PRIu64 ", pending %" PRIu64
                   ", oldest %s", st->acked, st->kinds[i].records - st->acked,
                   tool_time(buf, st->oldest));
        }

        printf("\n");
    }

    if (st->requests) {
        printf("    requests in the table %" PRIu64 "\n", st->requests);
    }

    if (st->damaged || st->unreadable) {
        printf("    damaged places %" PRIu64 ", unreadable files %" PRIu64
               "\n", st->damaged, st->unreadable);
    }
}


static void
tool_stat_json(const tool_generation_t *gen, const tool_stat_t *st)
{
    printf("{\"generation\":\"%016" PRIx64 "\",\"state\":\"%s\",",
           gen->generation, tool_state(gen));

    tool_stat_json_time("created", gen->created);

    printf("\"node\":");
    tool_json(gen->created ? gen->node : NULL);
    printf(",\"topic\":");
    tool_json(gen->created ? gen->topic : NULL);
    printf(",\"cluster\":");
    tool_json(gen->created ? gen->cluster : NULL);

    /* null: there is no event; beyond 2^53 not every parser is exact */

    if (st->first) {
        printf(",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",", st->first,
               st->last);
    } else {
        printf(",\"first\":null,\"last\":null,");
    }

    tool_stat_json_numbers(st);

    printf("}");
}


static void
tool_stat_json_numbers(const tool_stat_t *st)
{
    unsigned  i;

    for (i = 0; i <= GW_JOURNAL_DEAD; i++) {
        if (tool_kinds[i]) {
            printf("\"%s\":{\"files\":%" PRIu64 ",\"records\":%" PRIu64
                   ",\"bytes\":%" PRIu64 "},", tool_kinds[i],
                   st->kinds[i].files, st->kinds[i].records,
                   st->kinds[i].bytes);
        }
    }

    tool_stat_json_time("oldest", st->oldest);

    printf("\"acknowledged\":%" PRIu64 ",\"pending\":%" PRIu64
           ",\"events\":%" PRIu64 ",\"requests\":%" PRIu64
           ",\"damaged\":%" PRIu64 ",\"unreadable\":%" PRIu64,
           st->acked, st->kinds[GW_JOURNAL_SEGMENT].records - st->acked,
           st->events, st->requests, st->damaged, st->unreadable);
}


static void
tool_stat_json_time(const char *name, int64_t ms)
{
    char  buf[TOOL_TIME];

    printf("\"%s\":", name);
    tool_json(ms ? tool_time(buf, ms) : NULL);
    printf(",");
}


/* a string, or null; what is not UTF-8 becomes U+FFFD */

static void
tool_json(const char *text)
{
    size_t                n;
    const unsigned char  *p;

    if (text == NULL) {
        printf("null");
        return;
    }

    putchar('"');

    for (p = (const unsigned char *) text; *p; p += n) {

        n = tool_utf8(p);

        if (n == 0) {
            printf("\\ufffd");
            n = 1;

        } else if (*p < 0x20 || *p == '"' || *p == '\\') {
            printf("\\u%04x", *p);

        } else {
            (void) fwrite(p, 1, n, stdout);
        }
    }

    putchar('"');
}


static size_t
tool_utf8(const unsigned char *p)
{
    size_t    i, n;
    uint32_t  code;

    static const uint32_t  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (*p < 0x80) {
        return 1;
    }

    n = (*p >= 0xc0 && *p < 0xe0) ? 2
        : (*p >= 0xe0 && *p < 0xf0) ? 3
        : (*p >= 0xf0 && *p < 0xf5) ? 4 : 0;

    code = *p & (0x7f >> n);

    for (i = 1; i < n; i++) {

        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = code << 6 | (p[i] & 0x3f);
    }

    return (n && code >= least[n] && code <= 0x10ffff
            && (code < 0xd800 || code > 0xdfff)) ? n : 0;
}
