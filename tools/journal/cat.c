
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "journal.h"


static int tool_cat_file(const tool_journal_t *journal,
    const tool_file_t *file, const tool_options_t *opt);
static int tool_cat_item(const tool_reader_t *r, tool_item_e what,
    const tool_item_t *item, const tool_options_t *opt, unsigned acked);


int
tool_cat(tool_journal_t *journal, const tool_options_t *opt)
{
    int                       rc, status;
    size_t                    i, n;
    const tool_generation_t  *gen;

    status = TOOL_OK;

    for (i = 0; i < journal->n; i++) {

        gen = &journal->generations[i];

        if (!tool_wanted(opt, gen)) {
            continue;
        }

        for (n = 0; n < gen->n; n++) {

            if ((opt->kinds & 1 << gen->files[n].name.kind) == 0) {
                continue;
            }

            rc = tool_cat_file(journal, &gen->files[n], opt);

            status = rc > status ? rc : status;

            if (ferror(stdout)) {
                return status;
            }
        }
    }

    return status;
}


static int
tool_cat_file(const tool_journal_t *journal, const tool_file_t *file,
    const tool_options_t *opt)
{
    int            rc, status;
    char           name[GW_JOURNAL_NAME + 1];
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
        return TOOL_TROUBLE;
    }

    status = TOOL_OK;

    if (r.state == TOOL_UNKNOWN) {
        tool_fail("%s: of a version that is not known", r.name);
        status = TOOL_TROUBLE;
    }

    if (tool_in_time(opt, &r)) {
        do {
            what = tool_reader_next(&r, &item);

            rc = tool_cat_item(&r, what, &item, opt,
                               file->name.kind == GW_JOURNAL_KEPT
                               || item.offset < r.acked);

            status = rc > status ? rc : status;

        } while (what != TOOL_END && what != TOOL_FAILED && !ferror(stdout));
    }

    tool_reader_close(&r);

    return status;
}


static int
tool_cat_item(const tool_reader_t *r, tool_item_e what,
    const tool_item_t *item, const tool_options_t *opt, unsigned acked)
{
    switch (what) {

    case TOOL_RECORD:

        if ((opt->unacked && acked)
            || (!opt->marks && item->record.type == GW_JOURNAL_MARK))
        {
            return TOOL_OK;
        }

        (void) fwrite(item->record.event.data, 1, item->record.event.len,
                      stdout);
        (void) fputc('\n', stdout);

        return TOOL_OK;

    case TOOL_REST:

        if (!item->begun) {
            /* being written, or never finished */
            return TOOL_OK;
        }

        /* fall through */

    case TOOL_DAMAGE:
        tool_fail("%s: skipped %" PRIu64 " bytes at %" PRIu64, r->name,
                  item->size, item->offset);
        return TOOL_FOUND;

    case TOOL_FAILED:
        tool_fail("%s: at %" PRIu64 ": %s", r->name, item->offset,
                  strerror(item->err));
        return TOOL_TROUBLE;

    default: /* TOOL_END */
        return TOOL_OK;
    }
}
