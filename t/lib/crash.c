
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Kills a worker of nginx where it enters or leaves a function: preloaded into
 * an nginx with modules that were compiled with -finstrument-functions.
 *
 *     CRASH_ARMED  a file of one byte, "1" as long as workers are to be killed
 *     CRASH_LOG    gets a line, with the process, the address of the function
 *                  in its file, and whether it was entered or left
 *
 * Each worker chooses some functions, and how many calls it survives: those
 * that are called once in its life have the same chance as those of each
 * request.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>


#define QUIET  __attribute__((no_instrument_function))

#define CHOSEN  150       /* one of so many */
#define CALLS   1024


void __cyg_profile_func_enter(void *function, void *site) QUIET;
void __cyg_profile_func_exit(void *function, void *site) QUIET;
static void begin(void) QUIET;
static void hit(void *function, int left) QUIET;
static int is_worker(void) QUIET;
static void end(void *function, int left) QUIET;
static uint64_t mix(uint64_t x) QUIET;


static volatile char  *armed;
static char            log_file[4096];
static uint64_t        seed;
static pid_t           pid;
static int             worker;
static unsigned        calls[CALLS];


__attribute__((constructor)) QUIET
static void
begin(void)
{
    int          fd;
    const char  *name;

    name = getenv("CRASH_ARMED");

    if (name == NULL || getenv("CRASH_LOG") == NULL) {
        return;
    }

    /* the environment will be gone */

    snprintf(log_file, sizeof(log_file), "%s", getenv("CRASH_LOG"));

    fd = open(name, O_RDONLY|O_CLOEXEC);

    if (fd != -1) {
        armed = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);
        close(fd);
    }

    if (armed == MAP_FAILED) {
        armed = NULL;
    }
}


void
__cyg_profile_func_enter(void *function, void *site)
{
    (void) site;

    hit(function, 0);
}


void
__cyg_profile_func_exit(void *function, void *site)
{
    (void) site;

    hit(function, 1);
}


static void
hit(void *function, int left)
{
    uint64_t  h;

    if (armed == NULL || *armed != '1') {
        return;
    }

    if (pid != getpid()) {
        pid = getpid();
        worker = is_worker();
        memset(calls, 0, sizeof(calls));

        if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
            return;
        }
    }

    if (!worker) {
        return;
    }

    h = mix(seed ^ ((uint64_t) (uintptr_t) function * 2 + left));

    if (h % CHOSEN != 0) {
        return;
    }

    h /= CHOSEN;

    /* 1, 2, 4, ... 512 calls */

    if (++calls[h % CALLS] >= 1u << (h >> 20) % 10) {
        end(function, left);
    }
}


/* the child of another nginx */

static int
is_worker(void)
{
    int      fd;
    char     name[64], comm[16];
    ssize_t  n;

    snprintf(name, sizeof(name), "/proc/%d/comm", getppid());

    fd = open(name, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        return 0;
    }

    n = read(fd, comm, sizeof(comm));
    close(fd);

    return n >= 5 && memcmp(comm, "nginx", 5) == 0;
}


static void
end(void *function, int left)
{
    int      fd, len;
    char     line[512];
    Dl_info  info;

    if (dladdr(function, &info) == 0) {
        return;
    }

    /* the name would be that of a symbol which is not hidden */

    len = snprintf(line, sizeof(line), "%d %lx %s\n", (int) getpid(),
                   (unsigned long) ((char *) function
                                    - (char *) info.dli_fbase),
                   left ? "left" : "entered");

    fd = open(log_file, O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, 0666);

    if (fd != -1) {
        if (write(fd, line, len) != len) {
            abort();
        }
    }

    kill(getpid(), SIGKILL);
}


static uint64_t
mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    x ^= x >> 33;

    return x;
}
