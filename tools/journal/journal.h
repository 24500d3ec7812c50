
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What the commands of gw-journal share.  Nothing here writes to a journal.
 *
 * tool_journal_open() lists the files of DIR and of its tails, by generation,
 * the oldest first; whether one has an owner is asked by a shared lock that is
 * given back at once.  Files may vanish at any time while workers live.
 *
 * tool_reader_open() returns 0, or the errno of what failed, ENOENT: the file
 * has vanished.  Of a segment that is being written the tail is read, which
 * has all of it.  tool_reader_next() goes on from record to record, with
 * memory that does not depend on the size of the file:
 *
 *     TOOL_RECORD   "record" points into the reader until the next call
 *     TOOL_DAMAGE   nothing readable in "size" bytes at "offset", then
 *                   records again
 *     TOOL_REST     the same, up to the end of the file; then TOOL_END.  Not
 *                   "begun": where a record begins there is none
 *     TOOL_END      no more
 *     TOOL_FAILED   pread() failed, "err"; no more
 *
 * tool_fail() and others say what is wrong on standard error.
 */

#ifndef _JOURNAL_H_INCLUDED_
#define _JOURNAL_H_INCLUDED_


#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "gw_inflight.h"
#include "gw_journal.h"


#define TOOL_WINDOW       (1024 * 1024)
#define TOOL_GENERATIONS  64           /* -g */
#define TOOL_PROPERTIES   64           /* -X */

#define TOOL_TIME         32           /* of tool_time() */


/* exit statuses */

#define TOOL_OK           0
#define TOOL_FOUND        1
#define TOOL_TROUBLE      2


typedef struct {
    const char          *dir;
    const char          *tail;
    const char          *generations[TOOL_GENERATIONS];
    size_t               ngenerations;
    const char          *brokers;
    const char          *topic;
    const char          *properties[TOOL_PROPERTIES];
    size_t               nproperties;
    const char          *file;              /* of properties */
    int64_t              since;             /* ms since the epoch */
    int64_t              until;

    unsigned             kinds;             /* 1 << gw_journal_kind_e */

    unsigned             json:1;
    unsigned             unacked:1;
    unsigned             marks:1;
    unsigned             all:1;
    unsigned             force_kept:1;
    unsigned             force_dead:1;
    unsigned             dry_run:1;
} tool_options_t;


typedef struct {
    gw_journal_name_t    name;
    unsigned             here:1;            /* in DIR */
    unsigned             tail:1;
} tool_file_t;


typedef enum {
    TOOL_ALIVE = 0,
    TOOL_ORPHAN,                            /* its owner is gone */
    TOOL_DRAINED                            /* all it has is put aside */
} tool_state_e;


typedef struct {
    uint64_t             generation;
    tool_state_e         state;
    int64_t              created;           /* of the first segment, or 0 */
    char                 node[GW_JOURNAL_MAX_NODE + 1];
    char                 topic[GW_JOURNAL_MAX_TOPIC + 1];
    char                 cluster[GW_JOURNAL_MAX_CLUSTER + 1];
    tool_file_t         *files;
    size_t               n;
    unsigned             lock:1;            /* there is one */
    unsigned             table:1;
} tool_generation_t;


typedef struct {
    const char          *path;
    int                  dir;
    int                  tails;             /* -1: there are none */
    char                 tails_path[PATH_MAX];
    tool_file_t         *files;
    size_t               nfiles;
    tool_generation_t   *generations;
    size_t               n;
} tool_journal_t;


typedef enum {
    TOOL_NAMED = 0,                         /* the header is sound */
    TOOL_BLANK,                             /* zeroes: not written yet */
    TOOL_UNKNOWN,                           /* of another version */
    TOOL_BROKEN
} tool_header_e;


typedef enum {
    TOOL_RECORD = 0,
    TOOL_DAMAGE,
    TOOL_REST,
    TOOL_END,
    TOOL_FAILED
} tool_item_e;


typedef struct {
    gw_journal_record_t  record;
    uint64_t             offset;
    uint64_t             size;
    int                  err;
    unsigned             begun:1;
} tool_item_t;


typedef struct {
    int                  fd;
    char                 name[GW_JOURNAL_NAME + 1];
    char                 header[GW_JOURNAL_HEADER];
    tool_header_e        state;
    gw_journal_segment_t segment;           /* if TOOL_NAMED */
    uint64_t             acked;
    uint64_t             size;              /* of the file in DIR */
    int64_t              modified;          /* ms since the epoch */

    char                *window;
    uint64_t             base;              /* offset of the window */
    size_t               len;
    size_t               pos;

    unsigned             tail:1;
    unsigned             again:1;           /* read twice */
    unsigned             eof:1;
    unsigned             ended:1;
} tool_reader_t;


int tool_journal_open(tool_journal_t *journal, const tool_options_t *opt);
void tool_journal_close(tool_journal_t *journal);
int tool_lock(const tool_journal_t *journal, const tool_generation_t *gen);
char *tool_table(const tool_journal_t *journal, const tool_generation_t *gen,
    gw_inflight_info_t *info, size_t *size);

int tool_reader_open(tool_reader_t *r, const tool_journal_t *journal,
    const tool_file_t *file);
tool_item_e tool_reader_next(tool_reader_t *r, tool_item_t *item);
void tool_reader_close(tool_reader_t *r);

int tool_wanted(const tool_options_t *opt, const tool_generation_t *gen);
int tool_in_time(const tool_options_t *opt, const tool_reader_t *r);
const char *tool_state(const tool_generation_t *gen);
int tool_parse_time(const char *text, int64_t *ms);
const char *tool_time(char *buf, int64_t ms);
void tool_fail(const char *format, ...)
    __attribute__ ((format (printf, 1, 2)));
void *tool_grow(void *p, size_t n, size_t size);

int tool_stat(tool_journal_t *journal, const tool_options_t *opt);
int tool_cat(tool_journal_t *journal, const tool_options_t *opt);
int tool_verify(tool_journal_t *journal, const tool_options_t *opt);
int tool_replay(tool_journal_t *journal, const tool_options_t *opt);


#endif /* _JOURNAL_H_INCLUDED_ */
