
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Each operation on the files of a journal, with each of its system calls
 * failing in turn: nothing leaks, nothing half-made stays, and the next try
 * succeeds.
 */

/* links: src/gw_journal.c src/gw_inflight.c src/gw_crc32c.c */

#include "ngx_gw.h"

#include <setjmp.h>
#include <sys/file.h>
#include <sys/mount.h>

#include <cmocka.h>


static int  countdown;            /* the call that fails; 0: none */
static int  with;                 /* this errno */
static int  shorter;              /* every call does one byte only */
static int  no_fallocate;
static int  signals;              /* every other call is interrupted */


static int
fails(void)
{
    if (countdown == 0 || --countdown) {
        return 0;
    }

    errno = with;

    return 1;
}


static int
is_interrupted(void)
{
    static int  n;

    if (!signals || n++ % 2) {
        return 0;
    }

    errno = EINTR;

    return 1;
}


static int
try_fallocate(int fd, int mode, off_t offset, off_t len)
{
    if (no_fallocate) {
        errno = EOPNOTSUPP;
        return -1;
    }

    return is_interrupted() || fails() ? -1 : fallocate(fd, mode, offset, len);
}


static ssize_t
try_pwrite(int fd, const void *buf, size_t n, off_t offset)
{
    if (is_interrupted() || fails()) {
        return -1;
    }

    return pwrite(fd, buf, shorter ? ngx_min(n, 3) : n, offset);
}


static ssize_t
try_pread(int fd, void *buf, size_t n, off_t offset)
{
    if (is_interrupted() || fails()) {
        return -1;
    }

    return pread(fd, buf, shorter ? ngx_min(n, 3) : n, offset);
}


#define openat(...)       (fails() ? -1 : (openat)(__VA_ARGS__))
#define mmap(...)         (fails() ? MAP_FAILED : (mmap)(__VA_ARGS__))
#define flock(...)                                                            \
    (is_interrupted() || fails() ? -1 : (flock)(__VA_ARGS__))
#define fsync(fd)         (fails() ? -1 : (fsync)(fd))
#define fdatasync(fd)     (fails() ? -1 : (fdatasync)(fd))
#define ftruncate(...)    (fails() ? -1 : (ftruncate)(__VA_ARGS__))
#define fstat(...)        (fails() ? -1 : (fstat)(__VA_ARGS__))
#define fstatat(...)      (fails() ? -1 : (fstatat)(__VA_ARGS__))
#define unlinkat(...)     (fails() ? -1 : (unlinkat)(__VA_ARGS__))
#define renameat(...)     (fails() ? -1 : (renameat)(__VA_ARGS__))
#define fdopendir(fd)     (fails() ? NULL : (fdopendir)(fd))
#define readdir(d)        (fails() ? NULL : (readdir)(d))
#define malloc(n)         (fails() ? NULL : (malloc)(n))
#define realloc(p, n)     (fails() ? NULL : (realloc)(p, n))
#define pwrite(...)       try_pwrite(__VA_ARGS__)
#define pread(...)        try_pread(__VA_ARGS__)
#define fallocate(...)    try_fallocate(__VA_ARGS__)

#include "ngx_gw_journal_dir.c"
#include "ngx_gw_journal_dir_room.c"
#include "ngx_gw_journal_scan.c"
#include "ngx_gw_journal_file.c"
#include "ngx_gw_journal_file_dead.c"
#include "ngx_gw_journal_file_find.c"
#include "ngx_gw_journal_file_remove.c"

#include "gw_place.h"


#define ONE   "00000000000000aa-00000001.seg"
#define TWO   "00000000000000aa-00000002.seg"
#define DEAD  "00000000000000aa.dead"


static int  succeed;              /* errors are errors */


/* faults end here; those that did not come up go on to the next time */

static int
calm(void)
{
    int  left;

    left = countdown;
    countdown = 0;

    return left;
}


/* runs "op" with each call failing, and each kind of failure */

static void
each_fault(void (*op)(void))
{
    int       n, i, left;
    unsigned  before;

    static const int  errors[] = { EIO, ENOSPC, EMFILE, EINTR, ENOMEM };

    for (i = 0; i < (int) (sizeof(errors) / sizeof(errors[0])); i++) {

        for (n = 1; /* void */ ; n++) {
            before = fds();
            with = errors[i];
            countdown = n;

            op();

            left = calm();

            if (fds() != before) {
                fail_msg("call %d with errno %d: %u descriptors were %u",
                         n, with, fds(), before);
            }

            if (left) {

                /* there are no more calls */

                assert_true(n > 1);
                break;
            }
        }
    }

    shorter = 1;
    op();
    shorter = 0;

    signals = 1;
    succeed = 1;
    op();
    succeed = 0;
    signals = 0;
}


static void
do_create(void)
{
    int                    left;
    ngx_err_t              err;
    ngx_gw_journal_file_t  file = file_make(0xaa, 1);

    err = ngx_gw_journal_file_create(&place, &file);
    left = calm();

    if (err) {
        assert_false(succeed);
        assert_int_equal(file.fd, -1);
        assert_null(file.map);
        assert_int_equal(files_of(place.dir, 1), 0);
        assert_int_equal(files_of(place.tails, 0), 0);
        assert_true(place.what[0] != '\0');
        assert_int_equal(ngx_gw_journal_file_create(&place, &file), 0);
    }

    assert_int_equal(size_of(place.dir, ONE), SEGMENT);
    assert_int_equal(size_of(place.tails, ONE), SEGMENT);
    assert_int_equal(ngx_gw_journal_file_remove(&place, &file, SEGMENT, 0), 0);

    countdown = left;
}


static void
test_create(void **state)
{
    (void) state;

    each_fault(do_create);
}


static void
do_own(void)
{
    int                     left;
    ngx_err_t               err;
    ngx_gw_journal_owner_t  owner;

    owner.generation = 0xaa;

    err = ngx_gw_journal_file_own(&place, &owner, 4096);
    left = calm();

    if (err) {
        assert_false(succeed);
        assert_int_equal(owner.lock, -1);
        assert_null(owner.table);
        assert_int_equal(files_of(place.tails, 0), 0);
        assert_false(is_there(place.dir, "00000000000000aa.lock"));
        assert_int_equal(ngx_gw_journal_file_own(&place, &owner, 4096), 0);
    }

    assert_true(owner.lock >= 0);
    assert_int_equal(files_of(place.tails, 0), owner.table ? 1 : 0);

    countdown = left;
    err = ngx_gw_journal_file_finish(&place, &owner);
    left = calm();

    if (err) {
        assert_false(succeed);
        assert_int_equal(ngx_gw_journal_file_finish(&place, &owner), 0);
    }

    assert_int_equal(files_of(place.tails, 0), 0);
    assert_false(is_there(place.dir, "00000000000000aa.lock"));

    countdown = left;
}


static void
test_own(void **state)
{
    (void) state;

    each_fault(do_own);
}


static void
do_copy(void)
{
    int                    left;
    char                   buf[4096];
    size_t                 end;
    ngx_err_t              err;
    ngx_gw_journal_file_t  file = file_make(0xaa, 1);

    left = calm();
    assert_int_equal(ngx_gw_journal_file_create(&place, &file), 0);
    end = append(file.map, GW_JOURNAL_HEADER, 1, "an event");
    countdown = left;

    err = ngx_gw_journal_file_copy(&place, &file, 0, end, GW_JOURNAL_HEADER);
    left = calm();

    if (err) {
        assert_false(succeed);
        assert_true(place.what[0] != '\0');
        assert_int_equal(ngx_gw_journal_file_copy(&place, &file, 0, end,
                                                  GW_JOURNAL_HEADER),
                         0);
    }

    assert_int_equal((pread)(file.fd, buf, sizeof(buf), 0), sizeof(buf));
    assert_memory_equal(buf, file.map, sizeof(buf));
    assert_int_equal(ngx_gw_journal_file_release(&place, &file), 0);
    close(file.fd);

    /* read again; the offset alone */

    countdown = left;
    err = ngx_gw_journal_file_open(&place, &file);

    if (err == 0) {
        if (ngx_gw_journal_file_read(&file, buf, 100, 0, &err) >= 0) {
            assert_int_equal(err, 0);
        }

        close(file.fd);
    }

    file.fd = -1;
    err = ngx_gw_journal_file_copy(&place, &file, 0, 0, end);
    left = calm();

    assert_int_equal(file.fd, -1);
    assert_int_equal(ngx_gw_journal_file_remove(&place, &file, end, 0), 0);

    countdown = left;
}


static void
test_copy(void **state)
{
    (void) state;

    each_fault(do_copy);
}


/* the name in DIR is synced with the header, and not again */

static void
test_copy_name(void **state)
{
    ngx_gw_journal_file_t  file = file_make(0xaa, 1);

    (void) state;

    assert_int_equal(ngx_gw_journal_file_create(&place, &file), 0);

    with = EIO;
    countdown = 4;
    assert_int_equal(ngx_gw_journal_file_copy(&place, &file, 0,
                                              GW_JOURNAL_HEADER,
                                              GW_JOURNAL_HEADER),
                     EIO);
    assert_int_equal(calm(), 0);
    assert_string_equal(place.what, "fsync() of the directory");

    countdown = 4;
    assert_int_equal(ngx_gw_journal_file_copy(&place, &file,
                                              GW_JOURNAL_HEADER, 2048,
                                              GW_JOURNAL_HEADER),
                     0);
    assert_int_equal(calm(), 1);

    assert_int_equal(ngx_gw_journal_file_remove(&place, &file, SEGMENT, 0), 0);
}


/* what can't be opened now is in the tail all the same */

static void
do_open(void)
{
    int                    left;
    ngx_err_t              err;
    ngx_gw_journal_file_t  file = file_make(0xaa, 1);

    err = ngx_gw_journal_file_open(&place, &file);
    left = calm();

    if (err) {
        assert_false(succeed);
        assert_int_equal(file.fd, -1);

    } else {
        assert_true(file.tail);
        assert_int_equal(file.size, SEGMENT);
        close(file.fd);
    }

    countdown = left;
}


static void
test_open(void **state)
{
    ngx_gw_journal_file_t  file = file_make(0xaa, 1);

    (void) state;

    assert_int_equal(ngx_gw_journal_file_create(&place, &file), 0);
    close(file.fd);

    each_fault(do_open);
}


static ngx_uint_t  bad;


static void
put_aside(const char *name, size_t end)
{
    int   fd;
    char  buf[4096];

    fd = openat(place.dir, name, O_RDONLY);

    if (fd != -1) {
        assert_true((pread)(fd, buf, sizeof(buf), 0) >= (ssize_t) end);
        assert_non_null(memmem(buf, end, "an event", 8));
        close(fd);
        unlinkat(place.dir, name, 0);
    }
}


static void
do_remove(void)
{
    int                    left;
    size_t                 end;
    ngx_err_t              err;
    ngx_gw_journal_file_t  file = file_make(0xaa, 1);

    left = calm();
    assert_int_equal(ngx_gw_journal_file_create(&place, &file), 0);
    end = append(file.map, GW_JOURNAL_HEADER, 1, "an event");
    countdown = left;

    err = ngx_gw_journal_file_remove(&place, &file, end, bad);
    left = calm();

    if (err) {
        assert_false(succeed);
        assert_int_equal(ngx_gw_journal_file_remove(&place, &file, end, bad),
                         0);
    }

    assert_int_equal(file.fd, -1);
    assert_null(file.map);
    assert_false(is_there(place.dir, ONE));
    assert_int_equal(files_of(place.tails, 0), 0);

    /* whole, or not at all */

    put_aside("00000000000000aa-00000001.kept", end);
    put_aside("00000000000000aa-00000001.bad", end);

    countdown = left;
}


static void
test_remove(void **state)
{
    (void) state;

    each_fault(do_remove);

    conf.keep = 1000;
    each_fault(do_remove);

    bad = 1;
    each_fault(do_remove);
    bad = 0;
}


/* what is there stays there; a table that can't be read, too */

static ngx_uint_t  segments;


static void
do_find(void)
{
    int                      left;
    off_t                    tail_files;
    ngx_err_t                err;
    ngx_gw_journal_orphan_t  orphan;

    left = calm();
    tail_files = files_of(place.tails, 0);
    countdown = left;

    err = ngx_gw_journal_file_find(&place, &orphan);
    left = calm();

    if (err) {
        assert_false(succeed);
        assert_null(orphan.numbers);
        assert_null(orphan.owner.table);
        assert_int_equal(orphan.owner.lock, -1);
        assert_int_equal(files_of(place.tails, 0), tail_files);
        assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), 0);
    }

    assert_int_equal(orphan.n, segments);
    assert_non_null(orphan.owner.table);
    assert_true(orphan.owner.lock >= 0);

    free(orphan.numbers);
    ngx_gw_journal_file_disown(&orphan.owner);

    countdown = left;
}


static void
test_find(void **state)
{
    char           table[8192];
    uint16_t       slots[4];
    gw_str_t       node = gw_str("gw1");
    gw_inflight_t  t;

    (void) state;

    segments = 2;
    dead_worker(0xaa);
    each_fault(do_find);

    assert_int_equal(unlinkat(place.dir, "00000000000000aa.lock", 0), 0);
    each_fault(do_find);

    /* nothing but a table */

    segments = 0;
    assert_int_equal(place_down(NULL), 0);
    assert_int_equal(place_up(NULL), 0);

    memset(table, 0, sizeof(table));
    gw_inflight_init(&t, table, 4, slots, 0xbb, &node);
    put(place.dir, "00000000000000bb.lock", "", 0);
    put(place.tails, "00000000000000bb.live", table, gw_inflight_size(4));
    each_fault(do_find);
}


/* a header that can't be read is not a damaged one, which we would adopt */

static void
do_find_foreign(void)
{
    ngx_gw_journal_orphan_t  orphan;

    assert_int_not_equal(ngx_gw_journal_file_find(&place, &orphan), 0);
}


static void
test_find_foreign(void **state)
{
    (void) state;

    dead_worker(0xaa);
    unlinkat(place.tails, ONE, 0);
    unlinkat(place.tails, TWO, 0);
    unlinkat(place.dir, TWO, 0);
    set(&conf.node, "gw2");
    each_fault(do_find_foreign);
}


static void
do_bury(void)
{
    int        left, i;
    char       one[256], two[256], all[4096];
    size_t     n, end;
    ssize_t    len;
    ngx_err_t  err;

    memset(one, 0, sizeof(one));
    memset(two, 0, sizeof(two));
    n = append(one, 0, 1, "first");
    assert_int_equal(append(two, 0, 2, "other"), n);

    for (i = 0; i < 2; i++) {
        err = ngx_gw_journal_file_bury(&place, 0xaa, i ? two : one, n);
        left = calm();

        if (err) {
            assert_false(succeed);
            assert_int_equal(ngx_gw_journal_file_bury(&place, 0xaa,
                                                      i ? two : one, n),
                             0);
        }

        countdown = left;
    }

    /* each of them once */

    left = calm();
    end = GW_JOURNAL_HEADER + 2 * n;

    i = openat(place.dir, DEAD, O_RDONLY);
    len = (pread)(i, all, sizeof(all), 0);
    close(i);

    assert_int_equal(len, end);
    assert_memory_equal(all + GW_JOURNAL_HEADER, one, n);
    assert_memory_equal(all + GW_JOURNAL_HEADER + n, two, n);
    unlinkat(place.dir, DEAD, 0);

    countdown = left;
}


static void
test_bury(void **state)
{
    (void) state;

    each_fault(do_bury);
}


static void
do_room(void)
{
    int                    left;
    char                   zeroes[SEGMENT];
    unsigned               i;
    ngx_err_t              err;
    ngx_gw_journal_file_t  file = file_make(0xaa, 1);

    static const char *const  names[] = {
        "00000000000000bb-00000001.kept", "00000000000000bb-00000002.kept"
    };

    left = calm();
    memset(zeroes, 0, sizeof(zeroes));

    for (i = 0; i < 2; i++) {
        put(place.dir, names[i], zeroes, SEGMENT);
    }

    conf.keep = 1000;
    conf.size = 2 * SEGMENT;
    countdown = left;

    err = ngx_gw_journal_file_create(&place, &file);
    left = calm();

    assert_true(files_of(place.dir, 1) <= conf.size);

    if (err) {
        assert_false(succeed);
        assert_int_equal(ngx_gw_journal_file_create(&place, &file), 0);
    }

    assert_int_equal(ngx_gw_journal_file_remove(&place, &file, 0, 0), 0);

    countdown = left;
}


static void
test_room(void **state)
{
    (void) state;

    each_fault(do_room);
}


/* ext3, ZFS, ramfs; the map must have blocks all the same */

static void
test_no_fallocate(void **state)
{
    struct stat            st;
    ngx_gw_journal_file_t  file = file_make(0xaa, 1);

    (void) state;

    no_fallocate = 1;
    conf.segment = 200000 / 4096 * 4096;

    assert_int_equal(ngx_gw_journal_file_create(&place, &file), 0);
    assert_int_equal((fstatat)(place.tails, ONE, &st, 0), 0);
    assert_int_equal(st.st_size, conf.segment);
    assert_true(st.st_blocks * 512 >= (off_t) conf.segment);
    assert_int_equal(size_of(place.dir, ONE), conf.segment);
    assert_int_equal(ngx_gw_journal_file_remove(&place, &file, 0, 0), 0);

    no_fallocate = 0;
}


/* the first that finds no room gets an error, and nobody a SIGBUS */

static void
fill(int dir)
{
    uint32_t               n, i;
    ngx_err_t              err;
    ngx_gw_journal_file_t  file[64];

    err = 0;

    for (n = 0; n < 64; n++) {
        memset(&file[n], 0, sizeof(file[n]));
        file[n].generation = 0xaa;
        file[n].number = n + 1;

        err = ngx_gw_journal_file_create(&place, &file[n]);
        if (err) {
            break;
        }

        memset(file[n].map + GW_JOURNAL_HEADER, 'x',
               SEGMENT - GW_JOURNAL_HEADER);

        /* preallocated: no disk can be full any more */

        assert_int_equal(ngx_gw_journal_file_copy(&place, &file[n],
                                                  GW_JOURNAL_HEADER, SEGMENT,
                                                  GW_JOURNAL_HEADER),
                         0);
    }

    assert_int_equal(err, ENOSPC);
    assert_true(n > 5 && n < 17);
    assert_int_equal(files_of(dir, 0), dir == place.dir ? n + 1 : n);

    for (i = 0; i < n; i++) {
        assert_int_equal(ngx_gw_journal_file_remove(&place, &file[i],
                                                    SEGMENT, 0), 0);
    }
}


static void
test_full_disk(void **state)
{
    char                   *dir;
    unsigned                i;
    ngx_gw_journal_owner_t  owner;

    (void) state;

    for (i = 0; i < 2; i++) {
        dir = i ? root : tails;

        if (mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=700") == -1) {
            print_message("skipped: no file system of our own: %s\n",
                          strerror(errno));
            skip();
        }

        ngx_gw_journal_place_close(&place);
        assert_int_equal(ngx_gw_journal_place_open(&place, &conf), 0);

        fill(i ? place.dir : place.tails);

        if (dir == tails) {
            no_fallocate = 1;
            fill(place.tails);
            no_fallocate = 0;

            owner.generation = 0xbb;
            assert_int_equal(ngx_gw_journal_file_own(&place, &owner, 2 << 20),
                             0);
            assert_null(owner.table);
            assert_int_equal(files_of(place.tails, 0), 0);
            assert_int_equal(ngx_gw_journal_file_finish(&place, &owner), 0);
        }

        ngx_gw_journal_place_close(&place);
        assert_int_equal(umount(dir), 0);
        assert_int_equal(ngx_gw_journal_place_open(&place, &conf), 0);
    }
}


#define test(f)  cmocka_unit_test_setup_teardown(f, place_up, place_down)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_create),
        test(test_own),
        test(test_copy),
        test(test_copy_name),
        test(test_open),
        test(test_remove),
        test(test_find),
        test(test_find_foreign),
        test(test_bury),
        test(test_room),
        test(test_no_fallocate),
        test(test_full_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
