
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Preloaded into a program: the time of day is off by what the file CLOCK
 * says, in seconds.  Timers go by another clock.
 */

#define _GNU_SOURCE

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    FILE             *file;
    long              offset;
    const char       *path;
    struct timespec   ts;

    (void) tz;

    offset = 0;
    path = getenv("CLOCK");
    file = path ? fopen(path, "r") : NULL;

    if (file) {
        if (fscanf(file, "%ld", &offset) != 1) {
            offset = 0;
        }

        (void) fclose(file);
    }

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    tv->tv_sec = ts.tv_sec + offset;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}
