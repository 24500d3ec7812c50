
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Sequences are dense, but not in order: a record is written when its request
 * ends.  So a sequence that is not here may lie in a segment that is done and
 * gone; up to which one, only a mark tells: what it says was given out last,
 * before it.  A request in the table has no record yet.
 */

#define _GNU_SOURCE

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "journal.h"


#define TOOL_GAPS   20      /* that are listed */
#define TOOL_TRIES  3       /* while its worker lives */


typedef struct {
    uint64_t      first;
    uint64_t      last;
} tool_run_t;


typedef struct {
    FILE         *out;         /* what is to be said */
    char         *text;
    size_t        len;

    tool_run_t   *runs;        /* sequences that are here */
    size_t        n;

    uint64_t      low;         /* nothing is known up to it */
    uint64_t      limit;       /* given out last, as far as is known */
    uint64_t      dropped;
    uint64_t      before;      /* of them, up to "low" */
    uint64_t      segments;
    uint64_t      records;
    uint64_t      damaged;     /* places */
    uint64_t      missing;     /* sequences */
    uint32_t      number;      /* of the segment before */

    /* where the records of a segment stop, until there are more behind */

    char          torn[GW_JOURNAL_NAME + 1];
    uint64_t      torn_offset;
    uint64_t      torn_size;

    unsigned      lost:1;      /* a segment, and there was no mark since */
    unsigned      table:1;
    unsigned      full:1;      /* the table is */
    unsigned      closed:1;
    unsigned      bad:1;       /* what the gateway has put aside */
    unsigned      trouble:1;
} tool_check_t;


static int tool_verify_generation(const tool_journal_t *journal,
    const tool_generation_t *gen, tool_check_t *sum);
static int tool_verify_try(const tool_journal_t *journal,
    const tool_generation_t *gen, tool_check_t *check);
static void tool_verify_table(const tool_journal_t *journal,
    const tool_generation_t *gen, tool_check_t *check);
static void tool_verify_file(const tool_journal_t *journal,
    const tool_generation_t *gen, const tool_file_t *file,
    tool_check_t *check);
static void tool_verify_number(const tool_generation_t *gen,
    const tool_file_t *file, tool_check_t *check);
static void tool_verify_header(const tool_reader_t *r,
    const tool_file_t *file, tool_check_t *check);
static void tool_verify_items(tool_reader_t *r, const tool_generation_t *gen,
    const tool_file_t *file, tool_check_t *check);
static void tool_verify_record(const gw_journal_record_t *rec,
    tool_check_t *check);
static void tool_verify_end(const tool_generation_t *gen,
    tool_check_t *check);
static void tool_verify_torn(tool_check_t *check, const char *name,
    uint64_t offset, uint64_t size);
static void tool_verify_damage(tool_check_t *check, const char *name,
    uint64_t offset, uint64_t size);
static uint64_t tool_member(const gw_str_t *event, const char *name);
static void tool_verify_add(tool_check_t *check, uint64_t sequence);
static int tool_compare_runs(const void *one, const void *two);
static int tool_verify_gaps(const tool_generation_t *gen,
    tool_check_t *check);
static size_t tool_verify_find(tool_check_t *check, tool_run_t *gaps);
static const char *tool_verify_reason(const tool_generation_t *gen,
    const tool_check_t *check, int *rc);


int
tool_verify(tool_journal_t *journal, const tool_options_t *opt)
{
    int           rc, status;
    size_t        i, n;
    tool_check_t  sum;

    static const char *const  verdicts[] = {
        "sound", "not sound", "not all could be checked"
    };

    status = TOOL_OK;
    n = 0;

    memset(&sum, 0, sizeof(tool_check_t));

    for (i = 0; i < journal->n; i++) {

        if (!tool_wanted(opt, &journal->generations[i])) {
            continue;
        }

        rc = tool_verify_generation(journal, &journal->generations[i], &sum);

        status = rc > status ? rc : status;
        n++;
    }

    printf("%zu generations, %" PRIu64 " files, %" PRIu64 " records, %"
           PRIu64 " damaged places, %" PRIu64 " sequences missing: %s\n",
           n, sum.segments, sum.records, sum.damaged, sum.missing,
           verdicts[status]);

    return status;
}


static int
tool_verify_generation(const tool_journal_t *journal,
    const tool_generation_t *gen, tool_check_t *sum)
{
    int              rc;
    unsigned         tries;
    tool_check_t     check;
    struct timespec  ts;

    tries = 0;

    for ( ;; ) {

        rc = tool_verify_try(journal, gen, &check);

        if (rc != TOOL_FOUND || gen->state != TOOL_ALIVE
            || ++tries == TOOL_TRIES)
        {
            break;
        }

        /* a record was on its way, perhaps */

        free(check.text);

        ts.tv_sec = 0;
        ts.tv_nsec = 100 * 1000 * 1000;
        (void) nanosleep(&ts, NULL);
    }

    fputs(check.text, stdout);
    free(check.text);

    sum->segments += check.segments;
    sum->records += check.records;
    sum->damaged += check.damaged;
    sum->missing += check.missing;

    return rc;
}


static int
tool_verify_try(const tool_journal_t *journal, const tool_generation_t *gen,
    tool_check_t *check)
{
    int     rc;
    size_t  i;

    memset(check, 0, sizeof(tool_check_t));

    check->out = open_memstream(&check->text, &check->len);

    if (check->out == NULL) {
        tool_fail("out of memory");
        exit(TOOL_TROUBLE);
    }

    /* first the table: who has left it since, has a record by then */

    tool_verify_table(journal, gen, check);

    for (i = 0; i < gen->n; i++) {
        tool_verify_file(journal, gen, &gen->files[i], check);
    }

    tool_verify_end(gen, check);

    rc = tool_verify_gaps(gen, check);

    if ((check->damaged || check->bad) && rc == TOOL_OK) {
        rc = TOOL_FOUND;
    }

    if (check->trouble) {
        rc = TOOL_TROUBLE;
    }

    free(check->runs);

    if (fclose(check->out) != 0) {
        tool_fail("out of memory");
        exit(TOOL_TROUBLE);
    }

    return rc;
}


static void
tool_verify_table(const tool_journal_t *journal,
    const tool_generation_t *gen, tool_check_t *check)
{
    char                   *table;
    size_t                  size;
    unsigned                i, taken;
    gw_inflight_info_t      info;
    gw_inflight_request_t   req;

    table = tool_table(journal, gen, &info, &size);
    if (table == NULL) {
        return;
    }

    check->table = 1;
    check->limit = info.sequence;
    check->dropped = info.dropped;

    for (i = 1, taken = 0; i <= info.slots; i++) {
        if (gw_inflight_read(&req, table, size, i) == GW_OK) {
            tool_verify_add(check, req.sequence);
            taken++;
        }
    }

    check->full = taken == info.slots;

    free(table);
}


static void
tool_verify_file(const tool_journal_t *journal, const tool_generation_t *gen,
    const tool_file_t *file, tool_check_t *check)
{
    int            rc;
    char           name[GW_JOURNAL_NAME + 1];
    tool_reader_t  r;

    rc = tool_reader_open(&r, journal, file);

    if (rc == ENOENT) {

        /* done meanwhile, with its records */

        check->lost = 1;
        check->number = file->name.number;
        return;
    }

    if (file->name.kind != GW_JOURNAL_DEAD) {
        tool_verify_number(gen, file, check);
    }

    if (rc != 0) {
        (void) gw_journal_name(name, &file->name);
        fprintf(check->out, "%s: %s\n", name, strerror(rc));
        check->trouble = 1;
        check->lost = 1;
        return;
    }

    check->segments++;

    if (file->name.kind == GW_JOURNAL_BAD) {
        fprintf(check->out, "%s: put aside as damaged\n", r.name);
        check->bad = 1;
    }

    tool_verify_header(&r, file, check);
    tool_verify_items(&r, gen, file, check);

    tool_reader_close(&r);
}


/* segments are done in order, from the first on */

static void
tool_verify_number(const tool_generation_t *gen, const tool_file_t *file,
    tool_check_t *check)
{
    uint32_t  number;

    number = file->name.number;

    if (number > check->number && number - check->number > 1) {

        check->lost = 1;

        if (check->number && gen->state == TOOL_ORPHAN
            && file->name.kind == GW_JOURNAL_SEGMENT
            && file != gen->files
            && file[-1].name.kind == GW_JOURNAL_SEGMENT)
        {
            fprintf(check->out, "%016" PRIx64 ": no segment between %" PRIu32
                    " and %" PRIu32 "\n", gen->generation, check->number,
                    number);
            check->damaged++;
        }
    }

    check->number = number;
}


static void
tool_verify_header(const tool_reader_t *r, const tool_file_t *file,
    tool_check_t *check)
{
    switch (r->state) {

    case TOOL_UNKNOWN:
        fprintf(check->out, "%s: of a version that is not known\n", r->name);
        check->trouble = 1;
        check->lost = 1;
        return;

    case TOOL_BROKEN:
        fprintf(check->out, "%s: the header is damaged\n", r->name);
        check->damaged++;
        return;

    case TOOL_NAMED:

        if (r->segment.generation != file->name.generation
            || (file->name.kind != GW_JOURNAL_DEAD
                && r->segment.number != file->name.number))
        {
            fprintf(check->out, "%s: the header is that of %016" PRIx64
                    "-%08" PRIu32 "\n", r->name, r->segment.generation,
                    r->segment.number);
            check->damaged++;
        }

        return;

    default: /* TOOL_BLANK */
        return;
    }
}


static void
tool_verify_items(tool_reader_t *r, const tool_generation_t *gen,
    const tool_file_t *file, tool_check_t *check)
{
    uint64_t     records;
    tool_item_e  what;
    tool_item_t  item;

    records = 0;

    for ( ;; ) {

        what = tool_reader_next(r, &item);

        switch (what) {

        case TOOL_RECORD:

            if (check->torn[0] && file->name.kind != GW_JOURNAL_DEAD) {
                tool_verify_damage(check, check->torn, check->torn_offset,
                                   check->torn_size);
                check->torn[0] = '\0';
            }

            tool_verify_record(&item.record, check);
            records++;
            break;

        case TOOL_DAMAGE:
            tool_verify_damage(check, r->name, item.offset, item.size);
            break;

        case TOOL_REST:

            if (r->tail && !item.begun && gen->state == TOOL_ALIVE) {
                /* being written */
                break;
            }

            if (file->name.kind == GW_JOURNAL_DEAD) {

                /* cut off before the next one is written */

                tool_verify_torn(check, r->name, item.offset, item.size);

            } else if (file->name.kind == GW_JOURNAL_SEGMENT
                       && check->torn[0] == '\0'
                       && r->state == TOOL_NAMED && !(r->tail && item.begun))
            {
                memcpy(check->torn, r->name, sizeof(check->torn));
                check->torn_offset = item.offset;
                check->torn_size = item.size;

            } else {
                tool_verify_damage(check, r->name, item.offset, item.size);
            }

            break;

        case TOOL_FAILED:
            fprintf(check->out, "%s: at %" PRIu64 ": %s\n", r->name,
                    item.offset, strerror(item.err));
            check->trouble = 1;
            check->lost = 1;
            return;

        default: /* TOOL_END */

            if (r->state == TOOL_BLANK && records) {
                fprintf(check->out, "%s: has no header\n", r->name);
                check->damaged++;
            }

            return;
        }
    }
}


static void
tool_verify_record(const gw_journal_record_t *rec, tool_check_t *check)
{
    uint64_t     sequence, dropped;
    const char  *closed = "\"state\":\"closed\"";

    check->records++;

    if (rec->type == GW_JOURNAL_EVENT) {
        tool_verify_add(check, rec->sequence);

        if (rec->sequence > check->limit && !check->table) {
            check->limit = rec->sequence;
        }

        return;
    }

    sequence = tool_member(&rec->event, "\"sequence\":");
    dropped = tool_member(&rec->event, "\"dropped\":");

    if (check->lost) {
        check->low = sequence;
        check->before = dropped;
        check->lost = 0;
    }

    if (sequence > check->limit && !check->table) {
        check->limit = sequence;
    }

    check->dropped = dropped > check->dropped ? dropped : check->dropped;

    if (memmem(rec->event.data, rec->event.len, closed, strlen(closed))) {
        check->closed = 1;
    }
}


static void
tool_verify_end(const tool_generation_t *gen, tool_check_t *check)
{
    /* a power cut may take the end of the last segment, that is no damage */

    if (check->torn[0]) {
        tool_verify_torn(check, check->torn, check->torn_offset,
                         check->torn_size);
    }

    fprintf(check->out, "%016" PRIx64 ": %s, %" PRIu64 " records%s\n",
            gen->generation, tool_state(gen), check->records,
            check->closed ? ", closed" : "");
}


static void
tool_verify_torn(tool_check_t *check, const char *name, uint64_t offset,
    uint64_t size)
{
    fprintf(check->out, "%s: torn, %" PRIu64 " bytes at %" PRIu64
            " are no whole record\n", name, size, offset);
}


static void
tool_verify_damage(tool_check_t *check, const char *name, uint64_t offset,
    uint64_t size)
{
    fprintf(check->out, "%s: damaged, %" PRIu64 " bytes at %" PRIu64 "\n",
            name, size, offset);

    check->damaged++;
}


/* the numbers of a mark; quotes within strings are escaped */

static uint64_t
tool_member(const gw_str_t *event, const char *name)
{
    uint64_t     n;
    const char  *p, *last;

    p = memmem(event->data, event->len, name, strlen(name));

    if (p == NULL) {
        return 0;
    }

    last = event->data + event->len;

    for (n = 0, p += strlen(name); p < last && *p >= '0' && *p <= '9'; p++) {

        if (n > (UINT64_MAX - 9) / 10) {
            return 0;
        }

        n = n * 10 + (uint64_t) (*p - '0');
    }

    return n;
}


static void
tool_verify_add(tool_check_t *check, uint64_t sequence)
{
    tool_run_t  *run;

    if (check->n) {
        run = &check->runs[check->n - 1];

        if (sequence == run->last || sequence == run->last + 1) {
            run->last = sequence;
            return;
        }
    }

    check->runs = tool_grow(check->runs, check->n, sizeof(tool_run_t));

    run = &check->runs[check->n++];
    run->first = sequence;
    run->last = sequence;
}


static int
tool_compare_runs(const void *one, const void *two)
{
    const tool_run_t  *a = one, *b = two;

    return (a->first > b->first) - (a->first < b->first);
}


static int
tool_verify_gaps(const tool_generation_t *gen, tool_check_t *check)
{
    int          rc;
    size_t       i, n;
    tool_run_t   gaps[TOOL_GAPS];
    const char  *reason;

    if (check->lost) {
        check->low = UINT64_MAX;
    }

    if (check->low >= check->limit) {

        if (check->low && check->limit) {
            fprintf(check->out, "%016" PRIx64 ": segments of it are gone, and"
                    " no mark tells what was in them\n", gen->generation);
        }

        return TOOL_OK;
    }

    n = tool_verify_find(check, gaps);

    fprintf(check->out, "%016" PRIx64 ": sequences %" PRIu64 " to %" PRIu64
            ", %" PRIu64 " missing", gen->generation, check->low + 1,
            check->limit, check->missing);

    rc = TOOL_OK;

    if (n) {
        for (i = 0; i < n && i < TOOL_GAPS; i++) {

            fprintf(check->out, "%s%" PRIu64, i ? ", " : " (", gaps[i].first);

            if (gaps[i].last != gaps[i].first) {
                fprintf(check->out, "-%" PRIu64, gaps[i].last);
            }
        }

        reason = tool_verify_reason(gen, check, &rc);
        fprintf(check->out, "%s): %s", n > TOOL_GAPS ? ", ..." : "", reason);
    }

    fprintf(check->out, "\n");

    if (rc == TOOL_OK) {
        check->missing = 0;
    }

    return rc;
}


/* how many gaps there are, the first of them, and how much is missing */

static size_t
tool_verify_find(tool_check_t *check, tool_run_t *gaps)
{
    size_t       i, n;
    uint64_t     next;
    tool_run_t  *run;

    /* behind all others: the end */

    if (check->limit != UINT64_MAX) {
        tool_verify_add(check, check->limit + 1);
    }

    if (check->n) {
        qsort(check->runs, check->n, sizeof(tool_run_t), tool_compare_runs);
    }

    n = 0;
    next = check->low + 1;

    for (i = 0; i < check->n && next != 0 && next <= check->limit; i++) {

        run = &check->runs[i];

        if (run->first > next) {

            if (n < TOOL_GAPS) {
                gaps[n].first = next;
                gaps[n].last = run->first - 1;
            }

            n++;
            check->missing += run->first - next;
        }

        if (run->last >= next) {
            next = run->last + 1;
        }
    }

    return n;
}


/* why, and whether that is as it should be */

static const char *
tool_verify_reason(const tool_generation_t *gen, const tool_check_t *check,
    int *rc)
{
    if (check->missing <= check->dropped - check->before) {
        return "dropped, the gateway has counted them";
    }

    if (gen->state == TOOL_ALIVE && !check->table) {
        return "may be at work, the table of requests can't be read";
    }

    if (gen->state == TOOL_ALIVE && check->full) {
        return "may be at work, the table of requests is full";
    }

    if (gen->state == TOOL_DRAINED && !check->closed) {
        return "its worker died, what it had at work is told to Kafka alone";
    }

    *rc = TOOL_FOUND;

    if (gen->state == TOOL_ORPHAN && !check->table) {
        return "lost, or at work when the machine failed";
    }

    return "lost";
}
