
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * A writer of shared memory that is killed at every instruction in turn: a
 * child is stepped through "run", and "look" sees what each one leaves.
 */

#ifndef _GW_STEP_H_INCLUDED_
#define _GW_STEP_H_INCLUDED_


#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>


static void *
shared_of(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS, -1,
             0);
    assert_true(p != MAP_FAILED);

    return p;
}


static void
step(void (*run)(void *data), void (*look)(void *data), void *data)
{
    int    status;
    pid_t  pid;

    pid = fork();
    assert_true(pid != -1);

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(1);
        }

        raise(SIGSTOP);
        run(data);
        _exit(0);
    }

    assert_int_equal(waitpid(pid, &status, 0), pid);

    if (!WIFSTOPPED(status)) {
        print_message("a child can't be traced here\n");
        skip();
    }

    /* if a check fails the child goes with us */

    assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL,
                            (void *) PTRACE_O_EXITKILL), 0);

    for ( ;; ) {
        look(data);

        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);

        if (!WIFSTOPPED(status)) {
            break;
        }

        /* a fault would be delivered again and again */

        assert_int_equal(WSTOPSIG(status), SIGTRAP);
    }

    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    look(data);
}


#endif /* _GW_STEP_H_INCLUDED_ */
