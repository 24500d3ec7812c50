
/*
 * Copyright (C) The nginx gateway modules authors
 */


#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"


#define TOOL_MAX_TABLE  (256 * 1024 * 1024)

#define TOOL_TRIES      200                      /* for the lock of DIR */
#define TOOL_PAUSE      (10 * 1000 * 1000)       /* ns */


static int tool_tails(tool_journal_t *journal, const char *tail);
static int tool_list(tool_journal_t *journal, int dir, unsigned tail);
static int tool_compare_files(const void *one, const void *two);
static void tool_merge(tool_journal_t *journal);
static int tool_group(tool_journal_t *journal);
static int tool_look(tool_journal_t *journal, tool_generation_t *gen);
static void tool_name(tool_generation_t *gen, const tool_reader_t *r);
static void tool_copy(char *to, const gw_str_t *from, size_t max);
static int tool_compare_generations(const void *one, const void *two);
static int tool_lock_generation(const tool_journal_t *journal,
    const tool_generation_t *gen);


/* 0, or TOOL_TROUBLE */

int
tool_journal_open(tool_journal_t *journal, const tool_options_t *opt)
{
    memset(journal, 0, sizeof(tool_journal_t));

    journal->path = opt->dir;
    journal->tails = -1;

    journal->dir = open(opt->dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (journal->dir == -1) {
        tool_fail("%s: %s", opt->dir, strerror(errno));
        return TOOL_TROUBLE;
    }

    /*
     * Tails before the directory: one that is closed in between is whole in
     * the directory by then.
     */

    if (tool_tails(journal, opt->tail) != 0
        || (journal->tails != -1
            && tool_list(journal, journal->tails, 1) != 0)
        || tool_list(journal, journal->dir, 0) != 0)
    {
        return TOOL_TROUBLE;
    }

    tool_merge(journal);

    return tool_group(journal);
}


void
tool_journal_close(tool_journal_t *journal)
{
    if (journal->dir != -1) {
        (void) close(journal->dir);
    }

    if (journal->tails != -1) {
        (void) close(journal->tails);
    }

    free(journal->files);
    free(journal->generations);
}


/* the gateway names the tails by device and inode of the directory */

static int
tool_tails(tool_journal_t *journal, const char *tail)
{
    int          n;
    struct stat  st;

    if (fstat(journal->dir, &st) == -1) {
        tool_fail("%s: %s", journal->path, strerror(errno));
        return TOOL_TROUBLE;
    }

    n = snprintf(journal->tails_path, PATH_MAX, "%s/gw-usage-%jx-%jx",
                 tail ? tail : "/dev/shm", (uintmax_t) st.st_dev,
                 (uintmax_t) st.st_ino);

    if (n >= PATH_MAX) {
        tool_fail("%s: %s", tail, strerror(ENAMETOOLONG));
        return TOOL_TROUBLE;
    }

    journal->tails = open(journal->tails_path,
                          O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (journal->tails == -1 && errno == ENOENT && tail != NULL) {
        snprintf(journal->tails_path, PATH_MAX, "%s", tail);
        journal->tails = open(tail, O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    }

    if (journal->tails == -1) {

        if (errno != ENOENT || tail != NULL) {
            tool_fail("%s: %s", journal->tails_path, strerror(errno));
            return TOOL_TROUBLE;
        }

        journal->tails_path[0] = '\0';
    }

    return 0;
}


static int
tool_list(tool_journal_t *journal, int dir, unsigned tail)
{
    int                 fd;
    DIR                *d;
    gw_str_t            text;
    tool_file_t        *file;
    struct dirent      *entry;
    gw_journal_name_t   name;

    /* a descriptor of its own, closedir() closes it */

    fd = openat(dir, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);
    d = (fd != -1) ? fdopendir(fd) : NULL;

    if (d == NULL) {
        tool_fail("%s: %s", tail ? journal->tails_path : journal->path,
                  strerror(errno));
        return TOOL_TROUBLE;
    }

    for (errno = 0; (entry = readdir(d)) != NULL; errno = 0) {

        text.data = entry->d_name;
        text.len = strlen(entry->d_name);

        if (gw_journal_name_read(&name, &text) != GW_OK) {
            continue;
        }

        journal->files = tool_grow(journal->files, journal->nfiles,
                                   sizeof(tool_file_t));

        file = &journal->files[journal->nfiles++];
        file->name = name;
        file->here = !tail;
        file->tail = tail;
    }

    if (errno) {
        tool_fail("%s: %s", tail ? journal->tails_path : journal->path,
                  strerror(errno));
        (void) closedir(d);
        return TOOL_TROUBLE;
    }

    (void) closedir(d);

    return 0;
}


static int
tool_compare_files(const void *one, const void *two)
{
    const gw_journal_name_t  *a = &((const tool_file_t *) one)->name;
    const gw_journal_name_t  *b = &((const tool_file_t *) two)->name;

    if (a->generation != b->generation) {
        return a->generation < b->generation ? -1 : 1;
    }

    /* what has no number comes last */

    if ((a->kind < GW_JOURNAL_LOCK) != (b->kind < GW_JOURNAL_LOCK)) {
        return a->kind < GW_JOURNAL_LOCK ? -1 : 1;
    }

    if (a->number != b->number) {
        return a->number < b->number ? -1 : 1;
    }

    return (int) a->kind - (int) b->kind;
}


/* a segment and its tail are one */

static void
tool_merge(tool_journal_t *journal)
{
    size_t        i, n;
    tool_file_t  *files;

    files = journal->files;

    if (journal->nfiles == 0) {
        return;
    }

    qsort(files, journal->nfiles, sizeof(tool_file_t), tool_compare_files);

    for (i = 1, n = 0; i < journal->nfiles; i++) {

        if (tool_compare_files(&files[n], &files[i]) == 0) {
            files[n].here |= files[i].here;
            files[n].tail |= files[i].tail;
            continue;
        }

        files[++n] = files[i];
    }

    journal->nfiles = n + 1;
}


static int
tool_group(tool_journal_t *journal)
{
    size_t              i;
    tool_file_t        *file;
    tool_generation_t  *gen;

    gen = NULL;

    for (i = 0; i < journal->nfiles; i++) {

        file = &journal->files[i];

        if (gen == NULL || gen->generation != file->name.generation) {

            journal->generations = tool_grow(journal->generations, journal->n,
                                             sizeof(tool_generation_t));

            gen = &journal->generations[journal->n++];

            memset(gen, 0, sizeof(tool_generation_t));
            gen->generation = file->name.generation;
            gen->files = file;
        }

        switch (file->name.kind) {

        case GW_JOURNAL_LOCK:
            gen->lock = file->here;
            break;

        case GW_JOURNAL_LIVE:
            gen->table = file->tail;
            break;

        case GW_JOURNAL_DEAD:

            /* lock and table lie before it, and are no segments */

            gen->files[gen->n++] = *file;
            break;

        default:
            gen->n++;
            break;
        }
    }

    for (i = 0; i < journal->n; i++) {
        if (tool_look(journal, &journal->generations[i]) != 0) {
            return TOOL_TROUBLE;
        }
    }

    if (journal->n) {
        qsort(journal->generations, journal->n, sizeof(tool_generation_t),
              tool_compare_generations);
    }

    return 0;
}


/* who owns it, and what its segments say of themselves */

static int
tool_look(tool_journal_t *journal, tool_generation_t *gen)
{
    int            fd;
    size_t         i;
    unsigned       segments;
    tool_reader_t  r;

    segments = 0;

    for (i = 0; i < gen->n; i++) {
        segments |= gen->files[i].name.kind == GW_JOURNAL_SEGMENT;
    }

    gen->state = (segments || gen->lock || gen->table) ? TOOL_ORPHAN
                                                       : TOOL_DRAINED;

    fd = tool_lock(journal, gen);

    if (fd == -2) {
        gen->state = TOOL_ALIVE;

    } else if (fd != -1) {
        (void) close(fd);
    }

    for (i = 0; i < gen->n && gen->created == 0; i++) {

        if (tool_reader_open(&r, journal, &gen->files[i]) != 0) {
            continue;
        }

        if (r.state == TOOL_NAMED) {
            tool_name(gen, &r);
        }

        tool_reader_close(&r);
    }

    return 0;
}


static void
tool_name(tool_generation_t *gen, const tool_reader_t *r)
{
    gen->created = r->segment.created;

    tool_copy(gen->node, &r->segment.node, GW_JOURNAL_MAX_NODE);
    tool_copy(gen->topic, &r->segment.topic, GW_JOURNAL_MAX_TOPIC);
    tool_copy(gen->cluster, &r->segment.cluster, GW_JOURNAL_MAX_CLUSTER);
}


static void
tool_copy(char *to, const gw_str_t *from, size_t max)
{
    size_t  len;

    len = from->len < max ? from->len : max;

    memcpy(to, from->data, len);
    to[len] = '\0';
}


static int
tool_compare_generations(const void *one, const void *two)
{
    const tool_generation_t  *a = one, *b = two;

    if (a->created != b->created) {
        return a->created < b->created ? -1 : 1;
    }

    return a->generation < b->generation ? -1 : 1;
}


/*
 * A descriptor that has the lock of a generation without owner until it is
 * closed; -2: somebody else has it, or that can't be known; -1: there is none.
 * Shared, so that several may look at once.  Workers make and adopt under the
 * lock of the directory; without it we might get in the way of one that has
 * just made its own.
 */

int
tool_lock(const tool_journal_t *journal, const tool_generation_t *gen)
{
    int              fd, dir;
    unsigned         tries;
    sigset_t         all, set;
    struct timespec  ts;

    ts.tv_sec = 0;
    ts.tv_nsec = TOOL_PAUSE;

    sigfillset(&all);

    dir = openat(journal->dir, "lock",
                 O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    for (tries = 0; /* void */ ; tries++) {

        /* so that nobody stops us while we have it */

        (void) sigprocmask(SIG_BLOCK, &all, &set);

        if (dir == -1 || flock(dir, LOCK_SH|LOCK_NB) == 0
            || tries == TOOL_TRIES)
        {
            break;
        }

        (void) sigprocmask(SIG_SETMASK, &set, NULL);
        (void) nanosleep(&ts, NULL);
    }

    fd = tool_lock_generation(journal, gen);

    if (dir != -1) {
        (void) close(dir);
    }

    (void) sigprocmask(SIG_SETMASK, &set, NULL);

    return fd;
}


static int
tool_lock_generation(const tool_journal_t *journal,
    const tool_generation_t *gen)
{
    int                fd, err;
    char               name[GW_JOURNAL_NAME + 1];
    gw_journal_name_t  lock;

    memset(&lock, 0, sizeof(gw_journal_name_t));
    lock.generation = gen->generation;
    lock.kind = GW_JOURNAL_LOCK;

    (void) gw_journal_name(name, &lock);

    fd = openat(journal->dir, name,
                O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    if (fd != -1 && flock(fd, LOCK_SH|LOCK_NB) == 0) {
        return fd;
    }

    err = errno;

    if (fd == -1 && err == ENOENT) {
        return -1;
    }

    if (fd != -1) {
        (void) close(fd);
    }

    if (err != EWOULDBLOCK) {
        tool_fail("%s: %s, taken as alive", name, strerror(err));
    }

    return -2;
}


/* a copy of the in-flight table; NULL if there is none that can be read */

char *
tool_table(const tool_journal_t *journal, const tool_generation_t *gen,
    gw_inflight_info_t *info, size_t *size)
{
    int                fd;
    char              *table, name[GW_JOURNAL_NAME + 1];
    size_t             len;
    ssize_t            n;
    struct stat        st;
    gw_journal_name_t  live;

    if (!gen->table) {
        return NULL;
    }

    memset(&live, 0, sizeof(gw_journal_name_t));
    live.generation = gen->generation;
    live.kind = GW_JOURNAL_LIVE;

    (void) gw_journal_name(name, &live);

    fd = openat(journal->tails, name,
                O_RDONLY|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    if (fd == -1) {
        return NULL;
    }

    table = NULL;

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
        && st.st_size > 0 && st.st_size <= TOOL_MAX_TABLE)
    {
        table = tool_grow(NULL, 0, (size_t) st.st_size);
    }

    for (len = 0; table && len < (size_t) st.st_size; len += (size_t) n) {

        /* the header comes first: later slots have later sequences */

        n = pread(fd, table + len, (size_t) st.st_size - len, (off_t) len);

        if (n <= 0) {
            break;
        }
    }

    (void) close(fd);

    if (table == NULL) {
        return NULL;
    }

    if (gw_inflight_open(info, table, len) != GW_OK
        || info->generation != gen->generation)
    {
        tool_fail("%s: not a table of requests that can be read", name);
        free(table);
        return NULL;
    }

    *size = len;

    return table;
}
