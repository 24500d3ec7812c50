
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_journal.c src/gw_inflight.c src/gw_crc32c.c */

#include "ngx_gw_journal_dir.c"
#include "ngx_gw_journal_dir_room.c"
#include "ngx_gw_journal_scan.c"
#include "ngx_gw_journal_file.c"
#include "ngx_gw_journal_file_dead.c"
#include "ngx_gw_journal_file_find.c"
#include "ngx_gw_journal_file_remove.c"

#include <setjmp.h>

#include <cmocka.h>

#include "gw_place.h"


#define WORKERS  6

#define DEAD     "00000000000000aa.dead"


static ngx_err_t
create(uint64_t generation, uint32_t number)
{
    ngx_err_t              err;
    ngx_gw_journal_file_t  file = file_make(generation, number);

    err = ngx_gw_journal_file_create(&place, &file);

    if (err == 0) {
        (void) ngx_gw_journal_file_release(&place, &file);
        close(file.fd);
    }

    return err;
}


static void
test_size_is_exact(void **state)
{
    (void) state;

    conf.size = 3 * SEGMENT + 100;
    put(place.dir, "notes", "0123456789", 10);

    assert_int_equal(create(0xaa, 1), 0);
    assert_int_equal(create(0xaa, 2), 0);
    assert_int_equal(create(0xaa, 3), 0);
    assert_int_equal(create(0xaa, 4), EDQUOT);
    assert_string_equal(place.what, "the journal is full");
    assert_int_equal(files_of(place.dir, 1), 3 * SEGMENT + 10);
    assert_int_equal(files_of(place.tails, 0), 0);

    unlinkat(place.dir, "00000000000000aa-00000002.seg", 0);
    assert_int_equal(create(0xaa, 4), 0);

    /* a byte too many */

    unlinkat(place.dir, "00000000000000aa-00000001.seg", 0);
    conf.size = 3 * SEGMENT + 9;
    assert_int_equal(create(0xaa, 5), EDQUOT);
    conf.size++;
    assert_int_equal(create(0xaa, 5), 0);
}


/* while nobody renames any */

static off_t
bytes_now(void)
{
    int    lock;
    off_t  n;

    assert_int_equal(ngx_gw_journal_dir_lock(&place, &lock), 0);
    n = files_of(place.dir, 1);
    close(lock);

    return n;
}


/* each makes segments until there is no room, removes some, makes others */

static void
worker(uint64_t generation, int *fd)
{
    char                   c;
    uint32_t               n, first;
    ngx_err_t              err;
    ngx_gw_journal_file_t  file;

    (void) !read(fd[0], &c, 1);

    first = 1;

    for (n = 1; n <= 200; n++) {
        memset(&file, 0, sizeof(file));
        file.generation = generation;
        file.number = n;

        err = ngx_gw_journal_file_create(&place, &file);

        if (err == 0) {
            (void) ngx_gw_journal_file_release(&place, &file);
            close(file.fd);
            continue;
        }

        if (err != EDQUOT || bytes_now() > conf.size) {
            _exit(1);
        }

        for ( /* void */ ; first < n; first += 2) {
            file.number = first;
            file.fd = -1;

            if (ngx_gw_journal_file_remove(&place, &file, SEGMENT / 2, 0)) {
                _exit(2);
            }
        }
    }

    _exit(0);
}


static void
test_size_among_processes(void **state)
{
    int    fd[2], status, n;
    pid_t  pid[WORKERS];

    (void) state;

    conf.size = 10 * SEGMENT + 4000;
    conf.keep = 1000;

    assert_int_equal(pipe(fd), 0);

    for (n = 0; n < WORKERS; n++) {
        pid[n] = fork();

        if (pid[n] == 0) {
            worker(0xa0 + (uint64_t) n, fd);
        }
    }

    assert_int_equal(write(fd[1], "123456", WORKERS), WORKERS);

    for (n = 0; n < WORKERS; n++) {
        while (waitpid(pid[n], &status, WNOHANG) == 0) {
            assert_true(bytes_now() <= conf.size);
        }

        assert_int_equal(status, 0);
    }

    close(fd[0]);
    close(fd[1]);
}


static void
test_kept(void **state)
{
    char                   buf[2048];
    size_t                 end;
    ngx_err_t              err;
    ngx_gw_journal_file_t  file = file_make(0xaa, 1);

    (void) state;

    conf.keep = 1000;

    assert_int_equal(ngx_gw_journal_file_create(&place, &file), 0);
    end = append(file.map, GW_JOURNAL_HEADER, 1, "kept event");

    /* removed with its tail, as an orphan is: nothing was copied */

    munmap(file.map, SEGMENT);
    close(file.fd);
    file.map = NULL;
    file.fd = -1;

    assert_int_equal(ngx_gw_journal_file_remove(&place, &file, end, 0), 0);
    assert_int_equal(files_of(place.tails, 0), 0);
    assert_false(is_there(place.dir, "00000000000000aa-00000001.seg"));
    assert_int_equal(size_of(place.dir, "00000000000000aa-00000001.kept"),
                     end);

    file.fd = openat(place.dir, "00000000000000aa-00000001.kept", O_RDONLY);
    assert_int_equal(ngx_gw_journal_file_read(&file, buf, sizeof(buf), 0,
                                              &err), end);
    assert_non_null(memmem(buf, end, "kept event", 10));
    assert_int_equal(gw_journal_acked(buf), end);
    close(file.fd);

    /* an empty one is not worth it */

    assert_int_equal(create(0xaa, 2), 0);
    file.number = 2;
    file.fd = -1;
    assert_int_equal(ngx_gw_journal_file_remove(&place, &file,
                                                GW_JOURNAL_HEADER, 0), 0);
    assert_int_equal(files_of(place.dir, 0), 2);

    /* nor is it an error if there is nothing */

    file.number = 3;
    assert_int_equal(ngx_gw_journal_file_remove(&place, &file, 5000, 1), 0);
}


static void
test_kept_gives_way(void **state)
{
    char                     name[64], zeroes[SEGMENT];
    unsigned                 i;
    ngx_gw_journal_orphan_t  orphan;

    (void) state;

    memset(zeroes, 0, sizeof(zeroes));
    conf.keep = 1000;
    conf.size = 41 * SEGMENT;

    /* the higher the number, the older */

    for (i = 1; i <= 40; i++) {
        snprintf(name, sizeof(name), "00000000000000bb-%08u.kept", i);
        put(place.dir, name, zeroes, SEGMENT);
        age(place.dir, name, 100 + (time_t) i);
    }

    put(place.dir, "00000000000000bb-00000041.bad", zeroes, SEGMENT);
    age(place.dir, "00000000000000bb-00000041.bad", 5000);

    assert_int_equal(create(0xaa, 1), 0);
    assert_false(is_there(place.dir, "00000000000000bb-00000040.kept"));
    assert_true(is_there(place.dir, "00000000000000bb-00000039.kept"));
    assert_true(is_there(place.dir, "00000000000000bb-00000041.bad"));
    assert_int_equal(files_of(place.dir, 1), 41 * SEGMENT);

    /* more at once than are remembered */

    conf.size = 5 * SEGMENT;
    assert_int_equal(create(0xaa, 2), 0);
    assert_true(is_there(place.dir, "00000000000000bb-00000002.kept"));
    assert_false(is_there(place.dir, "00000000000000bb-00000003.kept"));
    assert_true(is_there(place.dir, "00000000000000bb-00000041.bad"));

    conf.size = 3 * SEGMENT;
    assert_int_equal(create(0xaa, 3), 0);
    assert_false(is_there(place.dir, "00000000000000bb-00000001.kept"));
    assert_false(is_there(place.dir, "00000000000000bb-00000041.bad"));
    assert_int_equal(create(0xaa, 4), EDQUOT);

    /* by age, also if nothing is made */

    conf.size = 50 * SEGMENT;
    put(place.dir, "00000000000000bb-00000001.kept", zeroes, SEGMENT);
    put(place.dir, "00000000000000bb-00000002.kept", zeroes, SEGMENT);
    age(place.dir, "00000000000000bb-00000001.kept", 1001);
    age(place.dir, "00000000000000bb-00000002.kept", 900);

    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), 0);
    free(orphan.numbers);
    ngx_gw_journal_file_disown(&orphan.owner);
    assert_false(is_there(place.dir, "00000000000000bb-00000001.kept"));
    assert_true(is_there(place.dir, "00000000000000bb-00000002.kept"));

    /* no longer wanted; the clock went back */

    conf.keep = 0;
    age(place.dir, "00000000000000bb-00000002.kept", -5000);
    assert_int_equal(create(0xaa, 5), 0);
    assert_false(is_there(place.dir, "00000000000000bb-00000002.kept"));
}


static void
test_bad(void **state)
{
    char                   name[64];
    uint32_t               i;
    ngx_gw_journal_file_t  file = file_make(0xaa, 0);

    (void) state;

    for (i = 1; i <= 20; i++) {
        assert_int_equal(create(0xaa, i), 0);

        file.number = i;
        file.fd = -1;
        assert_int_equal(ngx_gw_journal_file_remove(&place, &file, 1032, 1),
                         0);

        snprintf(name, sizeof(name), "00000000000000aa-%08u.bad", i);
        assert_int_equal(size_of(place.dir, name), SEGMENT);
        age(place.dir, name, 1000 - (time_t) i);
    }

    assert_int_equal(files_of(place.dir, 0), 17);
    assert_false(is_there(place.dir, "00000000000000aa-00000004.bad"));
    assert_true(is_there(place.dir, "00000000000000aa-00000005.bad"));
}


static size_t
letter(char *buf, uint64_t sequence, const char *text)
{
    memset(buf, 0, 256);

    return append(buf, 0, sequence, text);
}


/* what a reader finds, as text */

static const char *
letters(void)
{
    int                    fd, rc;
    char                   data[8192];
    size_t                 n, at, size;
    gw_journal_record_t    rec;
    gw_journal_segment_t   seg;

    static char  text[1024];

    n = sizeof(data);
    fd = openat(place.dir, DEAD, O_RDONLY);
    assert_int_equal(ngx_gw_journal_dir_read(fd, data, &n, 0), 0);
    close(fd);

    assert_int_equal(gw_journal_open(&seg, data, n), GW_OK);
    assert_int_equal(seg.generation, 0xaa);
    text[0] = '\0';

    for (at = GW_JOURNAL_HEADER; at < n; at += size) {
        rc = gw_journal_read(&rec, data + at, n - at, &size);
        assert_int_not_equal(rc, GW_AGAIN);
        assert_int_not_equal(rc, GW_DECLINED);

        if (rc == GW_OK) {
            strncat(text, rec.event.data, rec.event.len);
            strcat(text, ";");

        } else {
            size = gw_journal_next(data + at, n - at);
        }
    }

    return text;
}


static void
damage(off_t at, const void *data, size_t len)
{
    int  fd;

    fd = openat(place.dir, DEAD, O_RDWR);
    assert_int_equal(pwrite(fd, data, len, at), (ssize_t) len);
    close(fd);
}


static void
test_bury(void **state)
{
    char    buf[256], zeroes[3000], ack[GW_JOURNAL_ACK];
    off_t   end;
    size_t  n;

    (void) state;

    memset(zeroes, 0, sizeof(zeroes));

    /* there is no room, but they must go somewhere */

    conf.size = 0;

    n = letter(buf, 1, "one");
    assert_int_equal(ngx_gw_journal_file_bury(&place, 0xaa, buf, n), 0);
    n = letter(buf, 2, "two");
    assert_int_equal(ngx_gw_journal_file_bury(&place, 0xaa, buf, n), 0);
    assert_string_equal(letters(), "one;two;");

    /* a crash: half a record, or none, after a power cut zeroes */

    end = size_of(place.dir, DEAD);
    n = letter(buf, 3, "half");
    damage(end, buf, n - 9);
    n = letter(buf, 4, "four");
    assert_int_equal(ngx_gw_journal_file_bury(&place, 0xaa, buf, n), 0);
    assert_string_equal(letters(), "one;two;four;");

    end = size_of(place.dir, DEAD);
    damage(end, zeroes, sizeof(zeroes));
    n = letter(buf, 5, "five");
    assert_int_equal(ngx_gw_journal_file_bury(&place, 0xaa, buf, n), 0);
    assert_string_equal(letters(), "one;two;four;five;");

    /* written, but the offset was not: it stays */

    end = size_of(place.dir, DEAD);
    n = letter(buf, 6, "six");
    damage(end, buf, n);
    n = letter(buf, 7, "seven");
    assert_int_equal(ngx_gw_journal_file_bury(&place, 0xaa, buf, n), 0);
    assert_string_equal(letters(), "one;two;four;five;six;seven;");

    /* a bit that rots and no offset: what is behind it stays, too */

    damage(GW_JOURNAL_HEADER + 16, "x", 1);
    damage(GW_JOURNAL_ACKED, zeroes, GW_JOURNAL_ACK);
    n = letter(buf, 8, "eight");
    assert_int_equal(ngx_gw_journal_file_bury(&place, 0xaa, buf, n), 0);
    assert_string_equal(letters(), "two;four;five;six;seven;eight;");

    /* an offset that lies behind the end */

    gw_journal_ack(ack, 1 << 20);
    damage(GW_JOURNAL_ACKED, ack, sizeof(ack));
    n = letter(buf, 9, "nine");
    assert_int_equal(ngx_gw_journal_file_bury(&place, 0xaa, buf, n), 0);
    assert_string_equal(letters(), "two;four;five;six;seven;eight;nine;");

    /* killed before the header */

    put(place.dir, DEAD, "gw", 2);
    n = letter(buf, 1, "one");
    assert_int_equal(ngx_gw_journal_file_bury(&place, 0xaa, buf, n), 0);
    assert_string_equal(letters(), "one;");
}


#define test(f)  cmocka_unit_test_setup_teardown(f, place_up, place_down)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_size_is_exact),
        test(test_size_among_processes),
        test(test_kept),
        test(test_kept_gives_way),
        test(test_bad),
        test(test_bury),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
