
/*
 * Copyright (C) The nginx gateway modules authors
 */


/* links: src/gw_inflight.c src/gw_crc32c.c */

#include "ngx_gw_journal_dir.c"
#include "ngx_gw_journal_dir_room.c"
#include "ngx_gw_journal_scan.c"
#include "ngx_gw_journal_file.c"
#include "ngx_gw_journal_file_find.c"
#include "ngx_gw_journal_file_remove.c"
#include "gw_journal.c"

#include <setjmp.h>

#include <cmocka.h>

#include "gw_place.h"


#define ONE  "00000000000000aa-00000001.seg"
#define TWO  "00000000000000aa-00000002.seg"


static void
version_of(char *header, uint32_t version)
{
    uint32_t  crc;

    memcpy(header + offsetof(gw_journal_header_t, version), &version, 4);
    crc = gw_journal_header_crc(header);
    memcpy(header + offsetof(gw_journal_header_t, crc), &crc, 4);
}


static void
test_create(void **state)
{
    char                    header[GW_JOURNAL_HEADER];
    time_t                  before;
    ngx_err_t               err;
    struct stat             st;
    gw_journal_segment_t    seg;
    ngx_gw_journal_file_t   file = file_make(0xaa, 1);

    (void) state;

    before = time(NULL);

    assert_int_equal(ngx_gw_journal_file_create(&place, &file), 0);

    /* the disk gets nothing yet, so that it can't be in the way */

    assert_int_equal(ngx_gw_journal_file_read(&file, header, sizeof(header),
                                              0, &err),
                     GW_JOURNAL_HEADER);
    assert_int_equal(gw_journal_open(&seg, header, sizeof(header)), GW_ERROR);

    assert_int_equal(ngx_gw_journal_file_copy(&place, &file, 0,
                                              GW_JOURNAL_HEADER,
                                              GW_JOURNAL_HEADER),
                     0);

    assert_int_equal(file.size, SEGMENT);
    assert_int_equal(size_of(place.dir, ONE), SEGMENT);
    assert_int_equal(size_of(place.tails, ONE), SEGMENT);

    /* blocks are there, or a full disk would kill who writes to the map */

    assert_int_equal(fstatat(place.tails, ONE, &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_true(st.st_blocks * 512 >= SEGMENT);

    assert_int_equal(ngx_gw_journal_file_read(&file, header, sizeof(header),
                                              0, &err),
                     GW_JOURNAL_HEADER);
    assert_memory_equal(header, file.map, GW_JOURNAL_HEADER);

    assert_int_equal(gw_journal_open(&seg, header, sizeof(header)), GW_OK);
    assert_int_equal(seg.generation, 0xaa);
    assert_int_equal(seg.number, 1);

    /* time() may be some milliseconds behind */

    assert_true(seg.created / 1000 >= before);
    assert_true(seg.created / 1000 <= time(NULL) + 1);
    assert_memory_equal(seg.node.data, "gw1", 3);
    assert_memory_equal(seg.topic.data, "gw.usage", 8);
    assert_memory_equal(seg.cluster.data, "eu", 2);
    assert_int_equal(gw_journal_acked(header), GW_JOURNAL_HEADER);

    /* the number is taken, and what is there stays */

    assert_int_equal(ngx_gw_journal_file_create(&place,
                         &(ngx_gw_journal_file_t) file_make(0xaa, 1)),
                     EEXIST);
    assert_int_equal(size_of(place.dir, ONE), SEGMENT);
    assert_int_equal(size_of(place.tails, ONE), SEGMENT);

    assert_int_equal(ngx_gw_journal_file_release(&place, &file), 0);
    assert_null(file.map);
    assert_false(is_there(place.tails, ONE));

    assert_int_equal(ngx_gw_journal_file_remove(&place, &file, SEGMENT, 0), 0);
    assert_int_equal(file.fd, -1);
    assert_false(is_there(place.dir, ONE));
}


static void
test_copy(void **state)
{
    char                    buf[4096];
    size_t                  end;
    ngx_err_t               err;
    ngx_gw_journal_file_t   file = file_make(0xaa, 1);

    (void) state;

    assert_int_equal(ngx_gw_journal_file_create(&place, &file), 0);

    end = append(file.map, GW_JOURNAL_HEADER, 1, "first");
    end = append(file.map, end, 2, "second");

    assert_int_equal(ngx_gw_journal_file_copy(&place, &file,
                                              GW_JOURNAL_HEADER, end,
                                              GW_JOURNAL_HEADER + 8),
                     0);

    assert_int_equal(ngx_gw_journal_file_read(&file, buf, sizeof(buf), 0,
                                              &err),
                     sizeof(buf));
    assert_memory_equal(buf + GW_JOURNAL_HEADER,
                        file.map + GW_JOURNAL_HEADER,
                        sizeof(buf) - GW_JOURNAL_HEADER);
    assert_int_equal(gw_journal_acked(buf), GW_JOURNAL_HEADER + 8);

    /* opened anew: the tail, and what either says of the offset */

    close(file.fd);
    gw_journal_ack(file.map + GW_JOURNAL_ACKED, GW_JOURNAL_HEADER + 16);
    assert_int_equal(ngx_gw_journal_file_open(&place, &file), 0);
    assert_int_equal(file.acked, GW_JOURNAL_HEADER + 16);
    close(file.fd);

    file.fd = openat(place.tails, ONE, O_RDWR);
    gw_journal_ack(buf, GW_JOURNAL_HEADER);
    assert_int_equal(pwrite(file.fd, buf, GW_JOURNAL_ACK, GW_JOURNAL_ACKED),
                     GW_JOURNAL_ACK);
    close(file.fd);

    assert_int_equal(ngx_gw_journal_file_open(&place, &file), 0);
    assert_true(file.tail);
    assert_int_equal(file.acked, GW_JOURNAL_HEADER + 8);
    assert_int_equal(file.size, SEGMENT);
    close(file.fd);

    /* after a power cut the tail is gone */

    unlinkat(place.tails, ONE, 0);
    assert_int_equal(ngx_gw_journal_file_open(&place, &file), 0);
    assert_false(file.tail);
    assert_int_equal(file.acked, GW_JOURNAL_HEADER + 8);
    assert_int_equal(file.size, SEGMENT);
    close(file.fd);

    /* the offset alone, of a file that nobody holds open */

    file.fd = -1;
    assert_int_equal(ngx_gw_journal_file_copy(&place, &file, 0, 0, end), 0);
    assert_int_equal(ngx_gw_journal_file_open(&place, &file), 0);
    assert_int_equal(file.acked, end);
    close(file.fd);

    unlinkat(place.dir, ONE, 0);
    assert_int_equal(ngx_gw_journal_file_open(&place, &file), ENOENT);

    /* killed while the tail was made: it has no header yet */

    memset(buf, 0, sizeof(buf));
    gw_journal_ack(buf + GW_JOURNAL_ACKED, 2048);
    put(place.tails, ONE, "", 0);
    put(place.dir, ONE, buf, sizeof(buf));
    assert_int_equal(ngx_gw_journal_file_open(&place, &file), 0);
    assert_false(file.tail);
    assert_int_equal(file.size, sizeof(buf));
    assert_int_equal(file.acked, 2048);
    close(file.fd);

    /* cut short: not beyond its end */

    put(place.dir, ONE, buf, 1536);
    assert_int_equal(ngx_gw_journal_file_open(&place, &file), 0);
    assert_int_equal(file.acked, 1536);
    close(file.fd);
}


static void
test_own(void **state)
{
    ngx_gw_journal_owner_t   owner, again;
    ngx_gw_journal_orphan_t  orphan;

    (void) state;

    owner.generation = again.generation = 0xaa;

    assert_int_equal(ngx_gw_journal_file_own(&place, &owner, 8192), 0);
    assert_non_null(owner.table);
    assert_int_equal(owner.table_size, 8192);
    assert_int_equal(size_of(place.tails, "00000000000000aa.live"), 8192);

    assert_int_equal(ngx_gw_journal_file_own(&place, &again, 8192), EEXIST);

    /* it has an owner, us */

    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), ENOENT);
    assert_int_equal(orphan.foreign, 0);
    assert_true(is_there(place.dir, "00000000000000aa.lock"));

    assert_int_equal(ngx_gw_journal_file_finish(&place, &owner), 0);
    assert_int_equal(owner.lock, -1);
    assert_int_equal(files_of(place.tails, 0), 0);
    assert_false(is_there(place.dir, "00000000000000aa.lock"));

    /* a table of that generation alone, which nobody owns: taken as well */

    put(place.tails, "00000000000000aa.live", "x", 1);
    assert_int_equal(ngx_gw_journal_file_own(&place, &owner, 8192), EEXIST);
    assert_false(is_there(place.dir, "00000000000000aa.lock"));
}


static void
test_own_without_table(void **state)
{
    ngx_gw_journal_owner_t  owner;

    (void) state;

    close(place.tails);
    place.tails = open("/proc/self/fd", O_RDONLY|O_DIRECTORY);
    assert_true(place.tails >= 0);

    owner.generation = 0xaa;
    assert_int_equal(ngx_gw_journal_file_own(&place, &owner, 8192), 0);
    assert_null(owner.table);
    assert_true(owner.lock >= 0);
    close(owner.lock);
}


static void
test_orphan(void **state)
{
    ngx_err_t                err;
    unsigned                 before;
    char                     buf[SEGMENT];
    ngx_gw_journal_file_t    file;
    ngx_gw_journal_orphan_t  orphan, second;

    (void) state;

    before = fds();
    dead_worker(0xaa);

    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), 0);
    assert_int_equal(orphan.owner.generation, 0xaa);
    assert_int_equal(orphan.n, 2);
    assert_int_equal(orphan.numbers[0], 1);
    assert_int_equal(orphan.numbers[1], 2);
    assert_int_equal(orphan.owner.table_size, 4096);
    assert_string_equal(orphan.owner.table, "table");

    assert_int_equal(ngx_gw_journal_file_find(&place, &second), ENOENT);
    assert_int_equal(second.foreign, 0);

    /* let go, and taken again */

    ngx_gw_journal_file_disown(&orphan.owner);
    assert_int_equal(ngx_gw_journal_file_find(&place, &second), 0);
    assert_int_equal(second.n, 2);
    free(orphan.numbers);

    memset(&file, 0, sizeof(file));
    file.generation = 0xaa;
    file.number = 2;
    assert_int_equal(ngx_gw_journal_file_open(&place, &file), 0);
    assert_true(file.tail);
    assert_int_equal(ngx_gw_journal_file_read(&file, buf, SEGMENT, 0, &err),
                     SEGMENT);
    assert_non_null(memmem(buf, SEGMENT, "two", 3));
    assert_int_equal(ngx_gw_journal_file_remove(&place, &file, 1088, 0), 0);

    file.number = 1;
    file.fd = -1;
    assert_int_equal(ngx_gw_journal_file_remove(&place, &file, 1088, 0), 0);
    assert_int_equal(ngx_gw_journal_file_finish(&place, &second.owner), 0);
    free(second.numbers);

    assert_int_equal(files_of(place.tails, 0), 0);
    assert_int_equal(files_of(place.dir, 0), 1);
    assert_true(is_there(place.dir, "lock"));
    assert_int_equal(fds(), before);
}


/* the disk failed from the beginning: what is in the tails is all there is */

static void
test_orphan_without_copies(void **state)
{
    int                      i, j;
    char                     buf[SEGMENT];
    ngx_err_t                err;
    ngx_gw_journal_file_t    file;
    ngx_gw_journal_orphan_t  orphan;

    static const char *const  text[] = { "one", "two" };

    (void) state;

    memset(buf, 0, sizeof(buf));

    for (i = 0; i < 3; i++) {
        dead_worker(0xaa);

        for (j = 0; j < 2; j++) {

            if (i == 2) {
                unlinkat(place.dir, j ? TWO : ONE, 0);

            } else {
                put(place.dir, j ? TWO : ONE, buf, i ? 0 : SEGMENT);
            }
        }

        assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), 0);
        assert_int_equal(orphan.n, 2);
        assert_non_null(orphan.owner.table);

        for (j = 0; j < 2; j++) {
            memset(&file, 0, sizeof(file));
            file.generation = 0xaa;
            file.number = orphan.numbers[j];

            assert_int_equal(ngx_gw_journal_file_open(&place, &file), 0);
            assert_true(file.tail);
            assert_int_equal(file.size, SEGMENT);
            assert_int_equal(file.acked, GW_JOURNAL_HEADER);
            assert_int_equal(ngx_gw_journal_file_read(&file, buf, SEGMENT, 0,
                                                      &err),
                             SEGMENT);
            assert_non_null(memmem(buf, SEGMENT, text[j], 3));
            assert_int_equal(ngx_gw_journal_file_remove(&place, &file, 1088,
                                                        0), 0);
            memset(buf, 0, sizeof(buf));
        }

        assert_int_equal(ngx_gw_journal_file_finish(&place, &orphan.owner), 0);
        assert_int_equal(files_of(place.tails, 0), 0);
        assert_int_equal(files_of(place.dir, 0), 1);
        free(orphan.numbers);
    }
}


static void
test_orphan_without_tails(void **state)
{
    ngx_gw_journal_orphan_t  orphan;

    (void) state;

    dead_worker(0xaa);
    unlinkat(place.tails, ONE, 0);
    unlinkat(place.tails, TWO, 0);
    unlinkat(place.tails, "00000000000000aa.live", 0);

    /* a backup has no locks */

    unlinkat(place.dir, "00000000000000aa.lock", 0);

    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), 0);
    assert_int_equal(orphan.n, 2);
    assert_null(orphan.owner.table);
    assert_true(is_there(place.dir, "00000000000000aa.lock"));

    free(orphan.numbers);
    ngx_gw_journal_file_disown(&orphan.owner);
}


static void
test_foreign(void **state)
{
    char                     buf[GW_JOURNAL_HEADER];
    ngx_err_t                err;
    ngx_str_t                node;
    ngx_gw_journal_file_t    file = file_make(0xbb, 1);
    ngx_gw_journal_orphan_t  orphan;

    (void) state;

    node = conf.node;
    dead_worker(0xaa);

    set(&conf.node, "gw2");
    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), ENOENT);
    assert_int_equal(orphan.foreign, 1);

    conf.node = node;
    set(&conf.topic, "other");
    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), ENOENT);
    assert_int_equal(orphan.foreign, 1);

    set(&conf.topic, "gw.usage");
    set(&conf.cluster, "");
    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), ENOENT);
    assert_int_equal(orphan.foreign, 1);
    assert_int_equal(files_of(place.tails, 0), 3);
    assert_int_equal(files_of(place.dir, 0), 4);

    /* one that matches is found behind it, and no lock is made for others */

    unlinkat(place.dir, "00000000000000aa.lock", 0);
    dead_worker(0xbb);
    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), 0);
    assert_int_equal(orphan.owner.generation, 0xbb);
    assert_int_equal(orphan.foreign, 1);
    assert_false(is_there(place.dir, "00000000000000aa.lock"));
    free(orphan.numbers);
    ngx_gw_journal_file_disown(&orphan.owner);

    /* a version of tomorrow */

    assert_int_equal(ngx_gw_journal_file_open(&place, &file), 0);
    assert_int_equal(ngx_gw_journal_file_read(&file, buf, sizeof(buf), 0,
                                              &err),
                     GW_JOURNAL_HEADER);
    close(file.fd);

    version_of(buf, GW_JOURNAL_VERSION + 1);
    put(place.tails, "00000000000000bb-00000001.seg", buf, sizeof(buf));

    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), ENOENT);
    assert_int_equal(orphan.foreign, 2);
}


/* killed between the lock and the first segment, or behind the last one */

static void
test_empty_generation(void **state)
{
    char                     table[8192];
    uint16_t                 slots[4];
    gw_str_t                 node = gw_str("gw1");
    gw_inflight_t            t;
    ngx_gw_journal_orphan_t  orphan;

    (void) state;

    memset(table, 0, sizeof(table));
    put(place.dir, "00000000000000aa.lock", "", 0);
    put(place.dir, "00000000000000bb.lock", "", 0);
    put(place.tails, "00000000000000bb.live", table, sizeof(table));
    put(place.tails, "00000000000000cc.live", "", 0);

    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), ENOENT);
    assert_int_equal(orphan.foreign, 0);
    assert_int_equal(files_of(place.dir, 0), 1);
    assert_int_equal(files_of(place.tails, 0), 0);

    /* requests were in flight: it has to be told */

    assert_true(gw_inflight_size(4) <= sizeof(table));
    gw_inflight_init(&t, table, 4, slots, 0xbb, &node);
    put(place.dir, "00000000000000bb.lock", "", 0);
    put(place.tails, "00000000000000bb.live", table, sizeof(table));

    set(&conf.node, "gw2");
    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), ENOENT);
    assert_int_equal(orphan.foreign, 1);

    set(&conf.node, "gw1");
    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), 0);
    assert_int_equal(orphan.n, 0);
    assert_null(orphan.numbers);
    assert_memory_equal(orphan.owner.table, table, sizeof(table));
    assert_int_equal(ngx_gw_journal_file_finish(&place, &orphan.owner), 0);
    assert_int_equal(files_of(place.tails, 0), 0);
}


static void
test_damaged(void **state)
{
    char                     zeroes[4096];
    ngx_str_t                node;
    ngx_gw_journal_orphan_t  orphan;

    (void) state;

    memset(zeroes, 0, sizeof(zeroes));
    node = conf.node;
    dead_worker(0xaa);

    /* the other segment tells whose it is */

    put(place.tails, ONE, zeroes, sizeof(zeroes));
    put(place.dir, ONE, zeroes, sizeof(zeroes));

    set(&conf.node, "gw2");
    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), ENOENT);
    assert_int_equal(orphan.foreign, 1);

    conf.node = node;
    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), 0);
    assert_int_equal(orphan.n, 2);
    free(orphan.numbers);
    ngx_gw_journal_file_disown(&orphan.owner);

    /* the tail does not, the file in DIR does */

    put(place.tails, TWO, zeroes, sizeof(zeroes));
    set(&conf.node, "gw2");
    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), ENOENT);
    assert_int_equal(orphan.foreign, 1);

    /* nothing tells: somebody has to put it aside */

    put(place.dir, TWO, zeroes, sizeof(zeroes));
    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), 0);
    assert_int_equal(orphan.n, 2);
    free(orphan.numbers);
    ngx_gw_journal_file_disown(&orphan.owner);
}


static void
test_hostile_names(void **state)
{
    int                      fd;
    gw_journal_name_t        name;
    ngx_gw_journal_file_t    file = file_make(0xaa, 1);
    ngx_gw_journal_orphan_t  orphan;

    (void) state;

    put(place.dir, "notes", "text", 4);
    put(place.dir, "00000000000000aa-1.seg", "text", 4);
    put(place.dir, "00000000000000AA-00000001.seg", "text", 4);
    put(place.dir, "00000000000000aa-00000001.seg.gz", "text", 4);
    put(place.dir, "00000000000000aa-00000001.kept", "text", 4);
    put(place.dir, "00000000000000aa-00000002.bad", "text", 4);
    put(place.dir, "00000000000000aa.dead", "text", 4);
    put(place.dir, "00000000000000aa.live", "text", 4);
    put(place.tails, "00000000000000aa.lock", "", 0);
    assert_int_equal(mkdirat(place.dir, "00000000000000ab-00000001.seg", 0700),
                     0);
    assert_int_equal(symlinkat("notes", place.dir,
                               "00000000000000ac-00000001.seg"), 0);
    assert_int_equal(mkfifoat(place.dir, "00000000000000ad-00000001.seg",
                              0600), 0);
    assert_int_equal(mkfifoat(place.dir, "00000000000000ae.lock", 0600), 0);

    conf.keep = 3600;
    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), ENOENT);
    assert_int_equal(orphan.foreign, 0);
    assert_false(is_there(place.dir, "00000000000000aa.lock"));

    file.generation = 0xac;
    assert_int_equal(ngx_gw_journal_file_open(&place, &file), EBADMSG);
    file.generation = 0xad;
    assert_int_equal(ngx_gw_journal_file_open(&place, &file), EBADMSG);
    file.generation = 0xab;
    assert_int_equal(ngx_gw_journal_file_open(&place, &file), EBADMSG);

    /* nobody writes into that pipe */

    ngx_gw_journal_dir_name(&name, GW_JOURNAL_SEGMENT, 0xad, 1);
    assert_int_equal(ngx_gw_journal_dir_open(place.dir, &name, O_RDONLY, &fd),
                     EBADMSG);

    /* the lock of a generation is something else */

    dead_worker(0xaf);
    unlinkat(place.dir, "00000000000000af.lock", 0);
    assert_int_equal(mkfifoat(place.dir, "00000000000000af.lock", 0600), 0);
    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), ENOENT);
    assert_int_equal(orphan.foreign, 1);

    /* and that of the directory */

    unlinkat(place.dir, "lock", 0);
    assert_int_equal(symlinkat("notes", place.dir, "lock"), 0);
    fd = fds();
    assert_int_not_equal(ngx_gw_journal_file_find(&place, &orphan), 0);
    assert_int_equal(fds(), fd);
}


static void
test_many_files(void **state)
{
    char                     name[64];
    unsigned                 i;
    ngx_gw_journal_orphan_t  orphan;

    (void) state;

    dead_worker(UINT64_MAX);

    for (i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "ffffffffffffffff-%08u.seg",
                 10000 - i * 2);
        put(place.dir, name, "", 0);

        snprintf(name, sizeof(name), "%016x.lock", i);
        put(place.dir, name, "", 0);
    }

    assert_int_equal(ngx_gw_journal_file_find(&place, &orphan), 0);
    assert_int_equal(orphan.owner.generation, UINT64_MAX);
    assert_int_equal(orphan.n, 5001);
    assert_int_equal(orphan.numbers[0], 1);

    for (i = 1; i < 5001; i++) {
        assert_int_equal(orphan.numbers[i], 2 * i);
    }

    free(orphan.numbers);
    ngx_gw_journal_file_disown(&orphan.owner);

    assert_false(is_there(place.dir, "0000000000000000.lock"));
    assert_false(is_there(place.dir, "0000000000001387.lock"));
}


/* the kernel lists who waits behind an arrow */

static int
is_waiting(pid_t pid)
{
    int    found;
    char   line[256], want[32];
    FILE  *f;

    found = 0;
    snprintf(want, sizeof(want), " %d ", (int) pid);
    f = fopen("/proc/locks", "r");

    while (f && fgets(line, sizeof(line), f)) {
        found |= strstr(line, "->") && strstr(line, want);
    }

    if (f) {
        fclose(f);
    }

    return found;
}


/* who waits for a lock that is removed gets the new one */

static void
test_lock_removed(void **state)
{
    int          first, fd, status;
    pid_t        pid;
    struct stat  st, now;

    (void) state;

    assert_int_equal(ngx_gw_journal_dir_lock(&place, &first), 0);

    pid = fork();

    if (pid == 0) {
        close(first);
        _exit(ngx_gw_journal_dir_lock(&place, &fd)
              || fstat(fd, &st) || fstatat(place.dir, "lock", &now, 0)
              || st.st_ino != now.st_ino);
    }

    while (!is_waiting(pid)) {
        assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
        usleep(1000);
    }

    assert_int_equal(renameat(place.dir, "lock", place.dir, "old"), 0);
    close(first);

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(is_there(place.dir, "lock"));
}


static void
test_place(void **state)
{
    unsigned                before;
    ngx_gw_journal_place_t  other;

    (void) state;

    before = fds();

    assert_int_equal(chmod(tails, 0710), 0);
    assert_int_equal(ngx_gw_journal_place_open(&other, &conf), EPERM);
    assert_int_equal(chmod(tails, 0700), 0);

    /* a tmpfs that was cleaned */

    assert_int_equal(rmdir(tails), 0);
    assert_int_equal(ngx_gw_journal_place_open(&other, &conf), 0);
    ngx_gw_journal_place_close(&other);
    assert_int_equal(other.dir, -1);

    if (geteuid() == 0) {
        assert_int_equal(chown(tails, 4711, -1), 0);
        assert_int_equal(ngx_gw_journal_place_open(&other, &conf), EPERM);

        assert_int_equal(chown(root, 4711, -1), 0);
        assert_int_equal(ngx_gw_journal_place_open(&other, &conf), 0);
        ngx_gw_journal_place_close(&other);
    }

    assert_int_equal(rmdir(tails), 0);
    assert_int_equal(symlink(root, tails), 0);
    assert_int_not_equal(ngx_gw_journal_place_open(&other, &conf), 0);
    assert_int_equal(unlink(tails), 0);

    set(&path.name, "/proc/self/nothing");
    assert_int_equal(ngx_gw_journal_place_open(&other, &conf), ENOENT);
    assert_int_equal(fds(), before);
}


#define test(f)  cmocka_unit_test_setup_teardown(f, place_up, place_down)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_create),
        test(test_copy),
        test(test_own),
        test(test_own_without_table),
        test(test_orphan),
        test(test_orphan_without_copies),
        test(test_orphan_without_tails),
        test(test_foreign),
        test(test_empty_generation),
        test(test_damaged),
        test(test_hostile_names),
        test(test_many_files),
        test(test_lock_removed),
        test(test_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
