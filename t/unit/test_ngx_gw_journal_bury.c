
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * What Kafka refused: all that waits is written and synced at once, wherever
 * it lies, and is done when it is on the disk, and not before.
 */

/* links: src/gw_journal.c src/gw_inflight.c src/gw_crc32c.c */

#include "ngx_gw_journal_steps.h"

#include <setjmp.h>

#include <cmocka.h>


static int  syncs;                /* of dead letters, and their directory */
static int  sync_fails;

static int  try_fdatasync(int fd);


#define fdatasync(fd)  try_fdatasync(fd)

#include "ngx_gw_journal_dir.c"
#include "ngx_gw_journal_dir_room.c"
#include "ngx_gw_journal_file.c"
#include "ngx_gw_journal_file_dead.c"
#include "ngx_gw_journal_file_remove.c"
#include "ngx_gw_journal_bury.c"

#include "gw_place.h"

#undef fdatasync


#define ONE   "00000000000000aa-00000001.seg"
#define TWO   "00000000000000aa-00000002.seg"
#define DEAD  "00000000000000aa.dead"
#define EACH  8                   /* letters of a segment */


static ngx_gw_journal_t          journal;
static ngx_gw_journal_t         *j = &journal;
static ngx_gw_journal_segment_t  segments[4];
static ngx_uint_t                lands;


static int
try_fdatasync(int fd)
{
    syncs++;

    if (sync_fails) {
        errno = EIO;
        return -1;
    }

    return fdatasync(fd);
}


/* what it calls of nginx, and of other parts */

void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    (void) log;

    return malloc(size);
}


ngx_gw_journal_op_t *
ngx_gw_journal_sync_op(ngx_gw_journal_t *jj, ngx_gw_journal_op_e op,
    ngx_gw_journal_segment_t *seg)
{
    assert_ptr_equal(jj, j);
    assert_int_equal(op, NGX_GW_JOURNAL_BURY);
    assert_null(seg);

    memset(&j->ops[0], 0, sizeof(j->ops[0]));

    return &j->ops[0];
}


void
ngx_gw_journal_land(ngx_gw_journal_t *jj)
{
    assert_ptr_equal(jj, j);

    lands++;
}


/* EACH records, each of them refused, fed in turns with those of others */

static void
refuse(ngx_uint_t s, uint64_t generation, const char *text)
{
    char                      *base;
    size_t                     end, next;
    ngx_uint_t                 i;
    ngx_gw_journal_file_t      file = file_make(generation, s + 1);
    ngx_gw_journal_flight_t   *flight;
    ngx_gw_journal_segment_t  *seg;

    seg = &segments[s];
    end = GW_JOURNAL_HEADER;

    assert_int_equal(begin_segment(&file), 0);
    base = file.map;

    for (i = 0; i < EACH; i++) {
        next = append(base, end, i, text);

        flight = &j->flights[i * 4 + s];
        flight->segment = seg;
        flight->start = end;
        flight->end = next;
        flight->state = NGX_GW_JOURNAL_REFUSED;

        j->refused++;
        end = next;
    }

    assert_int_equal(ngx_gw_journal_file_copy(&place, &file, 0, end,
                                              GW_JOURNAL_HEADER),
                     0);

    seg->file = file;
    seg->written = end;
    seg->data = base;
}


/* in a map, on the disk, in memory without a file; and of somebody else */

static int
up(void **state)
{
    assert_int_equal(place_up(state), 0);

    memset(j, 0, sizeof(*j));
    memset(segments, 0, sizeof(segments));

    j->flights = calloc(NGX_GW_JOURNAL_FLYING,
                        sizeof(ngx_gw_journal_flight_t));
    assert_non_null(j->flights);

    refuse(0, 0xaa, "in a map");
    refuse(1, 0xaa, "on the disk");
    refuse(2, 0xaa, "in memory");
    refuse(3, 0xbb, "another");

    assert_int_equal(ngx_gw_journal_file_release(&place, &segments[1].file),
                     0);
    segments[1].data = NULL;

    segments[2].memory = 1;
    segments[2].file.map = NULL;

    j->tail = 4 * EACH;

    syncs = 0;
    lands = 0;
    sync_fails = 0;

    return 0;
}


static int
down(void **state)
{
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        if (segments[i].data) {
            munmap(segments[i].data, SEGMENT);
        }

        ngx_gw_journal_dir_close(&segments[i].file.fd);
    }

    free(j->flights);

    return place_down(state);
}


/* one pass of the syncer */

static ngx_err_t
pass(void)
{
    ngx_gw_journal_op_t  *op = &j->ops[0];

    ngx_gw_journal_bury(j);
    op->err = ngx_gw_journal_bury_run(&place, op);
    ngx_gw_journal_bury_done(j, op);
    assert_null(op->letters);

    return op->err;
}


static ngx_uint_t
flights(ngx_uint_t s, ngx_gw_journal_flight_e state)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < EACH; i++) {
        n += (j->flights[i * 4 + s].state == state);
    }

    return n;
}


/* how many records with that text are among the dead letters of a file */

static ngx_uint_t
buried(const char *name, const char *text)
{
    int                  fd;
    char                 buf[16384];
    size_t               at, size;
    ssize_t              n;
    ngx_uint_t           found;
    gw_journal_record_t  rec;

    fd = openat(place.dir, name, O_RDONLY);
    if (fd == -1) {
        return 0;
    }

    n = read(fd, buf, sizeof(buf));
    close(fd);

    found = 0;

    for (at = GW_JOURNAL_HEADER; n > 0 && at < (size_t) n; at += size) {
        assert_int_equal(gw_journal_read(&rec, buf + at, n - at, &size),
                         GW_OK);
        found += rec.event.len == strlen(text)
                 && memcmp(rec.event.data, text, rec.event.len) == 0;
    }

    return found;
}


static void
test_all_at_once(void **state)
{
    ngx_uint_t  i;

    (void) state;

    assert_int_equal(pass(), 0);
    assert_int_equal(syncs, 1);
    assert_int_equal(lands, 1);

    assert_int_equal(buried(DEAD, "in a map"), EACH);
    assert_int_equal(buried(DEAD, "on the disk"), EACH);
    assert_int_equal(buried(DEAD, "in memory"), EACH);
    assert_int_equal(buried(DEAD, "another"), 0);

    for (i = 0; i < 3; i++) {
        assert_int_equal(flights(i, NGX_GW_JOURNAL_LANDED), EACH);
    }

    assert_int_equal(flights(3, NGX_GW_JOURNAL_REFUSED), EACH);
    assert_int_equal(j->refused, EACH);
    assert_int_equal(j->count.dead, 3 * EACH);

    /* the other generation has another file */

    assert_int_equal(pass(), 0);
    assert_int_equal(syncs, 2);
    assert_int_equal(buried("00000000000000bb.dead", "another"), EACH);
    assert_int_equal(flights(3, NGX_GW_JOURNAL_LANDED), EACH);
    assert_int_equal(j->refused, 0);
    assert_int_equal(j->count.dead, 4 * EACH);

    ngx_gw_journal_bury(j);
    assert_null(j->ops[0].letters);
}


static void
test_not_before_it_is_synced(void **state)
{
    ngx_uint_t  i;

    (void) state;

    sync_fails = 1;

    assert_int_equal(pass(), EIO);

    for (i = 0; i < 4; i++) {
        assert_int_equal(flights(i, NGX_GW_JOURNAL_REFUSED), EACH);
    }

    assert_int_equal(j->refused, 4 * EACH);
    assert_int_equal(j->count.dead, 0);

    /* each of them once, then */

    sync_fails = 0;

    assert_int_equal(pass(), 0);
    assert_int_equal(buried(DEAD, "in a map"), EACH);
    assert_int_equal(buried(DEAD, "in memory"), EACH);
    assert_int_equal(j->count.dead, 3 * EACH);
}


static void
test_one_that_can_not_be_read(void **state)
{
    (void) state;

    assert_int_equal(renameat(place.dir, TWO, place.dir, "away"), 0);

    assert_int_equal(pass(), ENOENT);
    assert_int_equal(buried(DEAD, "in a map"), EACH);
    assert_int_equal(buried(DEAD, "in memory"), EACH);
    assert_int_equal(flights(0, NGX_GW_JOURNAL_LANDED), EACH);
    assert_int_equal(flights(1, NGX_GW_JOURNAL_REFUSED), EACH);
    assert_int_equal(flights(2, NGX_GW_JOURNAL_LANDED), EACH);

    assert_int_equal(renameat(place.dir, "away", place.dir, TWO), 0);
    assert_int_equal(pass(), 0);
    assert_int_equal(buried(DEAD, "on the disk"), EACH);
    assert_int_equal(flights(1, NGX_GW_JOURNAL_LANDED), EACH);
    assert_int_equal(j->refused, EACH);
}


/* no thread could be had; or all of it is fed again meanwhile */

static void
test_nothing_done(void **state)
{
    ngx_gw_journal_op_t  *op = &j->ops[0];

    (void) state;

    ngx_gw_journal_bury(j);
    assert_int_equal(op->nletters, 3 * EACH);
    assert_int_equal(flights(0, NGX_GW_JOURNAL_BURYING), EACH);

    op->err = EAGAIN;
    ngx_gw_journal_bury_done(j, op);
    assert_int_equal(flights(0, NGX_GW_JOURNAL_REFUSED), EACH);
    assert_int_equal(j->refused, 4 * EACH);
    assert_int_equal(j->count.dead, 0);

    ngx_gw_journal_bury(j);
    assert_int_equal(ngx_gw_journal_bury_run(&place, op), 0);
    j->head = j->tail;
    j->refused = 0;
    ngx_gw_journal_bury_done(j, op);
    assert_int_equal(flights(0, NGX_GW_JOURNAL_BURYING), EACH);
    assert_int_equal(j->refused, 0);
    assert_int_equal(j->count.dead, 0);
}


/* a pass has a bound, so that copies do not wait for long */

static void
test_bounds(void **state)
{
    ngx_uint_t                 i;
    ngx_gw_journal_op_t       *op = &j->ops[0];
    ngx_gw_journal_flight_t   *flight;

    (void) state;

    j->refused = j->tail = 2 * NGX_GW_JOURNAL_LETTERS;

    for (i = 0; i < j->tail; i++) {
        flight = &j->flights[i];
        flight->segment = &segments[0];
        flight->start = GW_JOURNAL_HEADER;
        flight->end = GW_JOURNAL_HEADER + 32;
        flight->state = NGX_GW_JOURNAL_REFUSED;
    }

    ngx_gw_journal_bury(j);
    assert_int_equal(op->nletters, NGX_GW_JOURNAL_LETTERS);
    ngx_gw_journal_bury_done(j, op);

    for (i = 0; i < j->tail; i++) {
        j->flights[i].end = GW_JOURNAL_HEADER + GW_JOURNAL_MAX;
    }

    ngx_gw_journal_bury(j);
    assert_int_equal(op->nletters, NGX_GW_JOURNAL_BURIED / GW_JOURNAL_MAX);
    ngx_gw_journal_bury_done(j, op);
    assert_int_equal(j->refused, j->tail);
}


#define test(f)  cmocka_unit_test_setup_teardown(f, up, down)


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        test(test_all_at_once),
        test(test_not_before_it_is_synced),
        test(test_one_that_can_not_be_read),
        test(test_nothing_done),
        test(test_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
