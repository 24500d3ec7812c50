
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A place for the files of a journal: two directories of its own, removed by
 * place_down().  Included behind the sources it tests.
 */

#ifndef _GW_PLACE_H_INCLUDED_
#define _GW_PLACE_H_INCLUDED_


#include <sys/wait.h>


#define SEGMENT  65536

#define file_make(generation, number)  { generation, number, -1, NULL, 0, 0, 0 }


ngx_uint_t  ngx_pagesize = 4096;

static char                     root[64];
static char                     tails[64];
static ngx_path_t               path;
static ngx_gw_journal_conf_t    conf;
static ngx_gw_journal_place_t   place;


static inline void
set(ngx_str_t *s, const char *text)
{
    s->len = strlen(text);
    s->data = (u_char *) text;
}


/* on a tmpfs if there is one: each test syncs hundreds of times */

static inline void
directory(char *buf, const char *name)
{
    sprintf(buf, "/dev/shm/%s-XXXXXX", name);

    if (mkdtemp(buf) == NULL) {
        sprintf(buf, "/tmp/%s-XXXXXX", name);
        assert_non_null(mkdtemp(buf));
    }
}


static inline int
place_up(void **state)
{
    (void) state;

    directory(root, "gw-place");
    directory(tails, "gw-tails");

    memset(&path, 0, sizeof(path));
    memset(&conf, 0, sizeof(conf));

    set(&path.name, root);
    set(&conf.tails, tails);
    set(&conf.node, "gw1");
    set(&conf.topic, "gw.usage");
    set(&conf.cluster, "eu");

    conf.path = &path;
    conf.size = 64 * SEGMENT;
    conf.segment = SEGMENT;

    assert_int_equal(ngx_gw_journal_place_open(&place, &conf), 0);

    return 0;
}


static inline int
place_down(void **state)
{
    char  command[512];

    (void) state;

    ngx_gw_journal_place_close(&place);

    /* a test that failed may have left a file system there */

    snprintf(command, sizeof(command),
             "umount -q %s %s 2> /dev/null; rm -rf %s %s",
             root, tails, root, tails);
    assert_int_equal(system(command), 0);

    return 0;
}


static inline int
is_there(int dir, const char *name)
{
    struct stat  st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}


static inline off_t
size_of(int dir, const char *name)
{
    struct stat  st;

    return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_size : -1;
}


/* of regular files, but those of no size if "n" is of bytes */

static inline off_t
files_of(int dir, int bytes)
{
    DIR            *d;
    off_t           n, size;
    struct dirent  *e;

    n = 0;
    d = fdopendir(openat(dir, ".", O_RDONLY|O_DIRECTORY));

    while ((e = readdir(d)) != NULL) {
        if (e->d_type == DT_REG) {
            size = size_of(dir, e->d_name);
            n += !bytes ? 1 : size > 0 ? size : 0;
        }
    }

    closedir(d);

    return n;
}


static inline void
put(int dir, const char *name, const void *data, size_t len)
{
    int  fd;

    fd = openat(dir, name, O_RDWR|O_CREAT|O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t) len);
    close(fd);
}


static inline void
age(int dir, const char *name, time_t seconds)
{
    struct timespec  t[2];

    memset(t, 0, sizeof(t));
    t[0].tv_sec = t[1].tv_sec = time(NULL) - seconds;

    assert_int_equal(utimensat(dir, name, t, 0), 0);
}


static inline unsigned
fds(void)
{
    DIR       *d;
    unsigned   n;

    n = 0;
    d = opendir("/proc/self/fd");

    while (readdir(d) != NULL) {
        n++;
    }

    closedir(d);

    return n;
}


/* appends a record at "at", returns where the next one goes */

static inline size_t
append(char *base, size_t at, uint64_t sequence, const char *text)
{
    gw_journal_record_t  rec;

    memset(&rec, 0, sizeof(rec));

    rec.sequence = sequence;
    rec.type = GW_JOURNAL_EVENT;
    rec.event.data = text;
    rec.event.len = strlen(text);

    return at + gw_journal_write(base + at, &rec);
}


/* as the opener does it: the header is on the disk, too */

static inline ngx_err_t
begin_segment(ngx_gw_journal_file_t *file)
{
    ngx_err_t  err;

    err = ngx_gw_journal_file_create(&place, file);

    return err ? err : ngx_gw_journal_file_copy(&place, file, 0,
                                                GW_JOURNAL_HEADER,
                                                GW_JOURNAL_HEADER);
}


/* a worker that is killed: two segments of one record each, and a table */

static inline void
dead_worker(uint64_t generation)
{
    int                     status;
    pid_t                   pid;
    ngx_gw_journal_file_t   one = file_make(generation, 1);
    ngx_gw_journal_file_t   two = file_make(generation, 2);
    ngx_gw_journal_owner_t  owner;

    pid = fork();

    if (pid == 0) {
        owner.generation = generation;

        if (ngx_gw_journal_file_own(&place, &owner, 4096)
            || begin_segment(&one) || begin_segment(&two))
        {
            _exit(1);
        }

        strcpy(owner.table, "table");
        append(one.map, GW_JOURNAL_HEADER, 1, "one");
        append(two.map, GW_JOURNAL_HEADER, 2, "two");

        raise(SIGKILL);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}


#endif /* _GW_PLACE_H_INCLUDED_ */
