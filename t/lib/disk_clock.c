
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A disk, a clock, and deaths as a test wants them: preloaded into nginx, it
 * looks into the folder FAULTS at each call.  Files there, as long as they
 * exist:
 *
 *     quick     fsync() and fdatasync() do nothing
 *     hold      fdatasync() makes the file "held", and waits until "hold" is
 *               gone
 *     eio       pread() of the file whose name is in it fails but for the
 *               header, and adds a byte to "failed"
 *     realpath  who calls that is killed; the file is removed
 *     log       fdatasync() and unlink() add lines "sync NAME", "unlink NAME"
 *     clock     nginx's clock is so many seconds ahead
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


#define HEADER  1024


int fsync(int fd);
int fdatasync(int fd);
ssize_t pread(int fd, void *buf, size_t n, off_t offset);
ssize_t pread64(int fd, void *buf, size_t n, off64_t offset);
int unlinkat(int fd, const char *name, int flags);
char *realpath(const char *path, char *resolved);
char *__realpath_chk(const char *path, char *resolved, size_t n);
int clock_gettime(clockid_t id, struct timespec *ts);

static int there(const char *name);
static ssize_t read_in(const char *name, char *buf, size_t size);
static void add_to(const char *name, const char *text);
static const char *name_of(int fd, char *path);
static int bad_read(int fd, size_t n, off64_t offset);
static void death(void);
static void *real(const char *name);


static int  folder = -1;


/* the environment will be gone */

__attribute__((constructor))
static void
begin(void)
{
    const char  *name;

    name = getenv("FAULTS");

    if (name) {
        folder = open(name, O_PATH|O_DIRECTORY|O_CLOEXEC);
    }
}


int
fsync(int fd)
{
    static int  (*next)(int fd);

    if (there("quick")) {
        return 0;
    }

    if (next == NULL) {
        next = (int (*)(int)) real("fsync");
    }

    return next(fd);
}


int
fdatasync(int fd)
{
    char         path[PATH_MAX], line[PATH_MAX + 8];
    static int  (*next)(int fd);

    static const struct timespec  moment = { 0, 1000000 };

    if (there("log")) {
        snprintf(line, sizeof(line), "sync %s\n", name_of(fd, path));
        add_to("log", line);
    }

    if (there("hold")) {
        add_to("held", ".");
    }

    while (there("hold")) {
        nanosleep(&moment, NULL);
    }

    if (there("quick")) {
        return 0;
    }

    if (next == NULL) {
        next = (int (*)(int)) real("fdatasync");
    }

    return next(fd);
}


ssize_t
pread(int fd, void *buf, size_t n, off_t offset)
{
    return pread64(fd, buf, n, offset);
}


ssize_t
pread64(int fd, void *buf, size_t n, off64_t offset)
{
    static ssize_t  (*next)(int fd, void *buf, size_t n, off64_t offset);

    if (bad_read(fd, n, offset)) {
        add_to("failed", ".");
        errno = EIO;
        return -1;
    }

    if (next == NULL) {
        next = (ssize_t (*)(int, void *, size_t, off64_t)) real("pread64");
    }

    return next(fd, buf, n, offset);
}


int
unlinkat(int fd, const char *name, int flags)
{
    char          line[PATH_MAX + 8];
    static int  (*next)(int fd, const char *name, int flags);

    if (there("log")) {
        snprintf(line, sizeof(line), "unlink %s\n", name);
        add_to("log", line);
    }

    if (next == NULL) {
        next = (int (*)(int, const char *, int)) real("unlinkat");
    }

    return next(fd, name, flags);
}


char *
realpath(const char *path, char *resolved)
{
    static char  *(*next)(const char *path, char *resolved);

    death();

    if (next == NULL) {
        next = (char *(*)(const char *, char *)) real("realpath");
    }

    return next(path, resolved);
}


char *
__realpath_chk(const char *path, char *resolved, size_t n)
{
    (void) n;

    return realpath(path, resolved);
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int           rc;
    char          buf[32];
    Dl_info       info;
    static int  (*next)(clockid_t id, struct timespec *ts);

    if (next == NULL) {
        next = (int (*)(clockid_t, struct timespec *)) real("clock_gettime");
    }

    rc = next(id, ts);

    /* libraries would wait for what is ahead */

    if (rc == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
        && read_in("clock", buf, sizeof(buf)) > 0
        && dladdr(__builtin_return_address(0), &info)
        && strstr(info.dli_fname, "nginx"))
    {
        ts->tv_sec += atoi(buf);
    }

    return rc;
}


static int
there(const char *name)
{
    int  rc, err;

    if (folder == -1) {
        return 0;
    }

    err = errno;
    rc = faccessat(folder, name, F_OK, 0);
    errno = err;

    return rc == 0;
}


static ssize_t
read_in(const char *name, char *buf, size_t size)
{
    int      fd, err;
    ssize_t  n;

    if (folder == -1) {
        return -1;
    }

    err = errno;
    n = -1;
    fd = openat(folder, name, O_RDONLY|O_CLOEXEC);

    if (fd != -1) {
        n = read(fd, buf, size - 1);
        close(fd);
    }

    buf[n > 0 ? n : 0] = '\0';
    errno = err;

    return n;
}


static void
add_to(const char *name, const char *text)
{
    int  fd;

    fd = openat(folder, name, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0666);

    if (fd == -1 || write(fd, text, strlen(text)) == -1) {
        abort();
    }

    close(fd);
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


static int
bad_read(int fd, size_t n, off64_t offset)
{
    char  path[PATH_MAX], bad[PATH_MAX];

    return offset + (off64_t) n > HEADER
           && read_in("eio", bad, sizeof(bad)) > 0
           && strcmp(name_of(fd, path), bad) == 0;
}


static void
death(void)
{
    if (folder != -1 && unlinkat(folder, "realpath", 0) == 0) {
        kill(getpid(), SIGKILL);
    }
}


static void *
real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}
