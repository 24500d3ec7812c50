
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Knows what a power cut would leave of a folder: preloaded into a program, it
 * keeps copies of files as they were when they were synced last.
 *
 *     SYNCED_OF    the folder that is watched
 *     SYNCED       another one, where NAME is what fsync() or fdatasync() made
 *                  durable of SYNCED_OF/NAME; ".list-TIME", of which the last
 *                  counts, the names that were there when a sync of the
 *                  folder itself began; and a line of ".log" tells of each
 *                  sync: NAME, microseconds since the epoch when it began and
 *                  when it was over, the offset behind the last byte that is
 *                  not zero
 *
 * A file that was removed is in the list until the folder is synced.
 */

#define _GNU_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>


#define CHUNK  65536


int fsync(int fd);
int fdatasync(int fd);
static int synced(int fd, const char *function);
static const char *watched(int fd, char *path);
static long copy(int from, int to);
static int list(const char *dir, int to);
static long long now(void);


int
fsync(int fd)
{
    return synced(fd, "fsync");
}


int
fdatasync(int fd)
{
    return synced(fd, "fdatasync");
}


/* the state before the call is durable when it returns */

static int
synced(int fd, const char *function)
{
    int          rc, to, len, (*real)(int);
    char         path[PATH_MAX], tmp[PATH_MAX + 64], name[PATH_MAX + 64];
    char         line[PATH_MAX + 64];
    long         size;
    long long    begin;
    const char  *file, *dir;

    real = (int (*)(int)) dlsym(RTLD_NEXT, function);
    file = watched(fd, path);

    if (file == NULL) {
        return real(fd);
    }

    begin = now();
    dir = getenv("SYNCED");

    if (*file) {
        snprintf(name, sizeof(name), "%s/%s", dir, file);

    } else {
        snprintf(name, sizeof(name), "%s/.list-%020lld", dir, begin);
    }

    snprintf(tmp, sizeof(tmp), "%s/.new-%s-%d-%lld", dir, file, getpid(),
             begin);

    to = open(tmp, O_WRONLY|O_CREAT|O_TRUNC, 0644);
    if (to == -1) {
        abort();
    }

    size = *file ? copy(fd, to) : list(path, to);

    if (size == -1 || close(to) == -1) {
        abort();
    }

    rc = real(fd);

    if (rc == -1 || rename(tmp, name) == -1) {
        unlink(tmp);
        return rc;
    }

    snprintf(name, sizeof(name), "%s/.log", dir);
    len = snprintf(line, sizeof(line), "%s %lld %lld %ld\n",
                   *file ? file : ".", begin, now(), size);

    to = open(name, O_WRONLY|O_CREAT|O_APPEND, 0666);

    if (to == -1 || write(to, line, len) != len || close(to) == -1) {
        abort();
    }

    return 0;
}


/* the name within the folder, "" for the folder, NULL for what is elsewhere */

static const char *
watched(int fd, char *path)
{
    char         link[64];
    size_t       len;
    ssize_t      n;
    const char  *of;

    of = getenv("SYNCED_OF");

    if (of == NULL || getenv("SYNCED") == NULL) {
        return NULL;
    }

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);

    n = readlink(link, path, PATH_MAX - 1);
    if (n == -1) {
        return NULL;
    }

    path[n] = '\0';
    len = strlen(of);

    if (strncmp(path, of, len) != 0) {
        return NULL;
    }

    if (path[len] == '\0') {
        return "";
    }

    /* also what is deleted: then the name ends so */

    if (path[len] != '/' || strchr(path + len, ' ')) {
        return NULL;
    }

    return path + len + 1;
}


static long
copy(int from, int to)
{
    long     at, end, i;
    char     buf[CHUNK], self[64];
    ssize_t  n;

    /* it may have been opened for writing only */

    snprintf(self, sizeof(self), "/proc/self/fd/%d", from);

    from = open(self, O_RDONLY);
    if (from == -1) {
        return -1;
    }

    end = 0;

    for (at = 0; /* void */ ; at += n) {
        n = pread(from, buf, CHUNK, at);

        if (n == 0) {
            break;
        }

        if (n == -1 || write(to, buf, n) != n) {
            close(from);
            return -1;
        }

        for (i = n; i > 0; i--) {
            if (buf[i - 1]) {
                end = at + i;
                break;
            }
        }
    }

    close(from);

    return end;
}


static int
list(const char *path, int to)
{
    DIR            *dir;
    struct dirent  *entry;

    dir = opendir(path);
    if (dir == NULL) {
        return -1;
    }

    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.') {
            dprintf(to, "%s\n", entry->d_name);
        }
    }

    closedir(dir);

    return 0;
}


static long long
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_REALTIME, &ts);

    return (long long) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
