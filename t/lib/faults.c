
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A disk that fails, for one folder: preloaded into a program, it makes calls
 * fail, or hang, for as long as a file says so.
 *
 *     FAULTS_OF    the folder whose files are on that disk
 *     FAULTS       another one, where a file with the name of a call (sync,
 *                  datasync, write, read, open, allocate, unlink) holds
 *
 *         ERROR                its number
 *         ERROR OFFSET NAME    for the file NAME, of any folder, from OFFSET
 *                              on; of "read" and "write"
 *         hang                 the call goes on when the file is gone
 *         skip                 nothing is done, and that's a success; of
 *                              "sync" and "datasync"
 *
 * A name that is removed while a call fails makes the next one succeed.  "sync"
 * is fsync() and fdatasync(), "datasync" fdatasync(), "open" concerns files
 * within the folder.  More files in FAULTS:
 *
 *     hung         is made when a call hangs
 *     failed       gets a byte for each call that fails
 *     log          if there is one, it gets a line for each fdatasync() and
 *                  unlinkat(), of any folder: "sync NAME", "unlink NAME"
 *     realpath     whoever calls that is killed, and the file removed
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>


#define TURN  5000    /* us */

#define GO    0
#define SKIP  1
#define FAIL  2
#define PART  3       /* in the middle, if it can */


int fsync(int fd);
int fdatasync(int fd);
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t offset);
ssize_t pread64(int fd, void *buf, size_t n, off64_t offset);
int openat64(int dir, const char *name, int flags, ...);
int fallocate64(int fd, int mode, off64_t offset, off64_t len);
int unlinkat(int dir, const char *name, int flags);
char *realpath(const char *path, char *resolved);
char *__realpath_chk(const char *path, char *resolved, size_t n);
static void init(void) __attribute__((constructor));
static int fails(int fd, const char *call);
static int fault(int fd, const char *call, off64_t end);
static int asked(const char *call, char *text, size_t size);
static void add(const char *name, const char *text);
static int watched(const char *path);
static const char *name_of(int fd, char *path);
static void log_call(const char *call, const char *name);


static char  watch[PATH_MAX], control[PATH_MAX];


/* the program forgets its environment */

static void
init(void)
{
    const char  *dir, *of;

    dir = getenv("FAULTS");
    of = getenv("FAULTS_OF");

    if (dir && of) {
        snprintf(control, sizeof(control), "%s", dir);
        snprintf(watch, sizeof(watch), "%s", of);
    }
}


int
fsync(int fd)
{
    int  rc, (*real)(int);

    real = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");

    rc = fault(fd, "sync", INT64_MAX);

    return rc == GO ? real(fd) : rc == SKIP ? 0 : -1;
}


int
fdatasync(int fd)
{
    int   rc, (*real)(int);
    char  path[PATH_MAX];

    real = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");

    log_call("sync", name_of(fd, path));

    rc = fault(fd, "datasync", INT64_MAX);

    if (rc == GO) {
        rc = fault(fd, "sync", INT64_MAX);
    }

    return rc == GO ? real(fd) : rc == SKIP ? 0 : -1;
}


ssize_t
pwrite64(int fd, const void *buf, size_t n, off64_t offset)
{
    int       rc;
    ssize_t  (*real)(int, const void *, size_t, off64_t);

    real = (ssize_t (*)(int, const void *, size_t, off64_t))
           dlsym(RTLD_NEXT, "pwrite64");

    rc = fault(fd, "write", offset + (off64_t) n);

    if (rc < FAIL) {
        return real(fd, buf, n, offset);
    }

    return rc == PART && n > 1 ? real(fd, buf, n / 2, offset) : -1;
}


ssize_t
pread64(int fd, void *buf, size_t n, off64_t offset)
{
    ssize_t  (*real)(int, void *, size_t, off64_t);

    real = (ssize_t (*)(int, void *, size_t, off64_t))
           dlsym(RTLD_NEXT, "pread64");

    if (fault(fd, "read", offset + (off64_t) n) >= FAIL) {
        return -1;
    }

    return real(fd, buf, n, offset);
}


int
openat64(int dir, const char *name, int flags, ...)
{
    int      (*real)(int, const char *, int, ...);
    mode_t     mode;
    va_list    args;

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
    va_end(args);

    real = (int (*)(int, const char *, int, ...))
           dlsym(RTLD_NEXT, "openat64");

    return fails(dir, "open") ? -1 : real(dir, name, flags, mode);
}


int
fallocate64(int fd, int mode, off64_t offset, off64_t len)
{
    int  (*real)(int, int, off64_t, off64_t);

    real = (int (*)(int, int, off64_t, off64_t))
           dlsym(RTLD_NEXT, "fallocate64");

    return fails(fd, "allocate") ? -1 : real(fd, mode, offset, len);
}


int
unlinkat(int dir, const char *name, int flags)
{
    int  (*real)(int, const char *, int);

    real = (int (*)(int, const char *, int)) dlsym(RTLD_NEXT, "unlinkat");

    log_call("unlink", name);

    return fails(dir, "unlink") ? -1 : real(dir, name, flags);
}


char *
realpath(const char *path, char *resolved)
{
    char    name[PATH_MAX + 64];
    char  *(*real)(const char *, char *);

    real = (char *(*)(const char *, char *)) dlsym(RTLD_NEXT, "realpath");

    snprintf(name, sizeof(name), "%s/realpath", control);

    if (control[0] != '\0' && unlink(name) == 0) {
        (void) kill(getpid(), SIGKILL);
    }

    return real(path, resolved);
}


/* as it is called by programs that are fortified */

char *
__realpath_chk(const char *path, char *resolved, size_t n)
{
    (void) n;

    return realpath(path, resolved);
}


static int
fails(int fd, const char *call)
{
    return fault(fd, call, INT64_MAX) >= FAIL;
}


/* "end" is behind the last byte that the call asks for */

static int
fault(int fd, const char *call, off64_t end)
{
    int        error, name;
    char       text[PATH_MAX + 64], path[PATH_MAX];
    long long  offset;

    if (!asked(call, text, sizeof(text))) {
        return GO;
    }

    error = 0;
    name = 0;

    (void) sscanf(text, "%d %lld %n", &error, &offset, &name);
    (void) name_of(fd, path);

    if (name ? end <= offset || strcmp(path, text + name) != 0
             : !watched(path))
    {
        return GO;
    }

    if (strcmp(text, "skip") == 0) {
        return SKIP;
    }

    if (strcmp(text, "hang") == 0) {
        add("hung", ".");

        while (asked(call, text, sizeof(text))) {
            usleep(TURN);
        }

        return GO;
    }

    if (error == 0) {
        return GO;
    }

    add("failed", ".");

    errno = error;

    return name ? FAIL : PART;
}


static int
asked(const char *call, char *text, size_t size)
{
    int      fd;
    char     name[PATH_MAX + 64];
    ssize_t  n;

    if (control[0] == '\0') {
        return 0;
    }

    snprintf(name, sizeof(name), "%s/%s", control, call);

    fd = open(name, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        return 0;
    }

    n = read(fd, text, size - 1);
    (void) close(fd);

    if (n < 0) {
        return 0;
    }

    text[n] = '\0';

    return 1;
}


static void
add(const char *name, const char *text)
{
    int   fd;
    char  file[PATH_MAX + 64];

    snprintf(file, sizeof(file), "%s/%s", control, name);

    fd = open(file, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0666);

    if (fd == -1 || write(fd, text, strlen(text)) == -1) {
        abort();
    }

    (void) close(fd);
}


static int
watched(const char *path)
{
    size_t  len;

    len = strlen(watch);

    return strncmp(path, watch, len) == 0
           && (path[len] == '\0' || path[len] == '/' || path[len] == ' ');
}


static const char *
name_of(int fd, char *path)
{
    char     link[64];
    ssize_t  n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    n = readlink(link, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';

    return path;
}


static void
log_call(const char *call, const char *name)
{
    char  text[PATH_MAX + 64];

    if (asked("log", text, 1)) {
        snprintf(text, sizeof(text), "%s %s\n", call, name);
        add("log", text);
    }
}
