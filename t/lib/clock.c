
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Clocks that are off: preloaded into nginx, it adds the seconds that are in
 * files, as long as they exist, in the folder CLOCK:
 *
 *     time         to the time of day
 *     monotonic    to the clock of timers; for nginx and its modules, other
 *                  libraries would wait for what is ahead
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


int gettimeofday(struct timeval *restrict tv, void *restrict tz);
int clock_gettime(clockid_t id, struct timespec *ts);
static void init(void) __attribute__((constructor));
static long offset(const char *name);


static char  dir[PATH_MAX];


/* the program forgets its environment */

static void
init(void)
{
    const char  *name;

    name = getenv("CLOCK");

    if (name) {
        snprintf(dir, sizeof(dir), "%s", name);
    }
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    (void) tz;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    tv->tv_sec = ts.tv_sec + offset("time");
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int           rc;
    Dl_info       info;
    static int  (*real)(clockid_t, struct timespec *);

    if (real == NULL) {
        real = (int (*)(clockid_t, struct timespec *))
               dlsym(RTLD_NEXT, "clock_gettime");
    }

    rc = real(id, ts);

    if (rc == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
        && dladdr(__builtin_return_address(0), &info)
        && strstr(info.dli_fname, "nginx"))
    {
        ts->tv_sec += offset("monotonic");
    }

    return rc;
}


static long
offset(const char *name)
{
    int      fd, err;
    char     file[PATH_MAX + 64], text[32];
    ssize_t  n;

    if (dir[0] == '\0') {
        return 0;
    }

    err = errno;
    n = -1;

    snprintf(file, sizeof(file), "%s/%s", dir, name);

    fd = open(file, O_RDONLY|O_CLOEXEC);

    if (fd != -1) {
        n = read(fd, text, sizeof(text) - 1);
        (void) close(fd);
    }

    text[n > 0 ? n : 0] = '\0';
    errno = err;

    return atol(text);
}
