
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A disk that fails, for one folder: preloaded into a program, it makes calls
 * fail, or hang, for as long as a file says so.
 *
 *     FAULTS_OF    the folder whose files are on that disk
 *     FAULTS       another one, where a file with the name of a call (sync,
 *                  write, read, open, allocate, unlink) holds the number of
 *                  the error, or "hang": then the call goes on when the file
 *                  is gone; "hung" is made when the first one hangs
 *
 * A name that is removed while a call fails makes the next one succeed.  "sync"
 * is fsync() and fdatasync(), "open" concerns files within the folder.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>


#define TURN  5000    /* us */


int fsync(int fd);
int fdatasync(int fd);
ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t offset);
ssize_t pread64(int fd, void *buf, size_t n, off64_t offset);
int openat64(int dir, const char *name, int flags, ...);
int fallocate64(int fd, int mode, off64_t offset, off64_t len);
int unlinkat(int dir, const char *name, int flags);
static void init(void) __attribute__((constructor));
static int fails(int fd, const char *call);
static int asked(const char *call, char *text, size_t size);
static int watched(int fd);


static char     watch[PATH_MAX], control[PATH_MAX];

static int      (*real_open)(const char *, int, ...);
static ssize_t  (*real_read)(int, void *, size_t, off64_t);


/* the program forgets its environment */

static void
init(void)
{
    const char  *dir, *of;

    dir = getenv("FAULTS");
    of = getenv("FAULTS_OF");

    real_open = (int (*)(const char *, int, ...)) dlsym(RTLD_NEXT, "open64");
    real_read = (ssize_t (*)(int, void *, size_t, off64_t))
                dlsym(RTLD_NEXT, "pread64");

    if (dir && of) {
        snprintf(control, sizeof(control), "%s", dir);
        snprintf(watch, sizeof(watch), "%s", of);
    }
}


int
fsync(int fd)
{
    int  (*real)(int);

    real = (int (*)(int)) dlsym(RTLD_NEXT, "fsync");

    return fails(fd, "sync") ? -1 : real(fd);
}


int
fdatasync(int fd)
{
    int  (*real)(int);

    real = (int (*)(int)) dlsym(RTLD_NEXT, "fdatasync");

    return fails(fd, "sync") ? -1 : real(fd);
}


/* it fails in the middle, if it can */

ssize_t
pwrite64(int fd, const void *buf, size_t n, off64_t offset)
{
    ssize_t  (*real)(int, const void *, size_t, off64_t);

    real = (ssize_t (*)(int, const void *, size_t, off64_t))
           dlsym(RTLD_NEXT, "pwrite64");

    if (!fails(fd, "write")) {
        return real(fd, buf, n, offset);
    }

    return n > 1 ? real(fd, buf, n / 2, offset) : -1;
}


ssize_t
pread64(int fd, void *buf, size_t n, off64_t offset)
{
    return fails(fd, "read") ? -1 : real_read(fd, buf, n, offset);
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

    return fails(dir, "unlink") ? -1 : real(dir, name, flags);
}


static int
fails(int fd, const char *call)
{
    char  text[64], name[PATH_MAX + 64];

    if (!asked(call, text, sizeof(text)) || !watched(fd)) {
        return 0;
    }

    if (strncmp(text, "hang", 4) != 0) {
        errno = atoi(text);
        return errno != 0;
    }

    snprintf(name, sizeof(name), "%s/hung", control);
    (void) close(real_open(name, O_WRONLY|O_CREAT, 0666));

    while (asked(call, text, sizeof(text))) {
        usleep(TURN);
    }

    return 0;
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

    fd = real_open(name, O_RDONLY);
    if (fd == -1) {
        return 0;
    }

    n = real_read(fd, text, size - 1, 0);
    (void) close(fd);

    if (n < 0) {
        return 0;
    }

    text[n] = '\0';

    return 1;
}


static int
watched(int fd)
{
    char     link[64], path[PATH_MAX];
    size_t   len;
    ssize_t  n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    n = readlink(link, path, PATH_MAX - 1);
    if (n == -1) {
        return 0;
    }

    path[n] = '\0';
    len = strlen(watch);

    return strncmp(path, watch, len) == 0
           && (path[len] == '\0' || path[len] == '/' || path[len] == ' ');
}
