
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Segments of the journal, and messages made of their records.
 *
 * A segment is fed to Kafka from "data": the map of a tail, or a copy in
 * memory, which a thread loads when the feeder asks for it.  It goes through
 *
 *     writing    the current one, or a spare
 *     closed     no record comes any more; its tail is copied and synced,
 *                then released
 *     done       closed, all fed, none under way: to be removed
 *
 * and only the event loop changes it; threads get copies of what they need.
 *
 * The flights are the messages under way, in the order they were fed; their
 * number is the opaque of the message.  They leave from the head only, and so
 * move the acknowledged offset of their segment.  What failed is fed again
 * from the head on, when the rest is decided; what an earlier producer still
 * reports is older than the head, and ignored.
 */

#ifndef _NGX_GW_JOURNAL_SEGMENT_H_INCLUDED_
#define _NGX_GW_JOURNAL_SEGMENT_H_INCLUDED_


#include "ngx_gw.h"
#include "ngx_gw_journal_file.h"

#include "gw_usage.h"


typedef struct {
    ngx_queue_t               segments;      /* the oldest first */
    uint64_t                  generation;
    u_char                    key[GW_USAGE_GENERATION_LEN];
} ngx_gw_journal_source_t;


typedef struct {
    ngx_queue_t               queue;
    ngx_gw_journal_source_t  *source;
    ngx_gw_journal_file_t     file;
    char                     *data;
    size_t                    written;       /* here the records end */
    size_t                    copied;        /* to DIR, and synced */
    size_t                    fed;
    size_t                    acked;
    size_t                    damage;        /* seen up to here */
    ngx_uint_t                flying;
    ngx_uint_t                tries;         /* to read it */

    unsigned                  closed:1;
    unsigned                  busy:1;        /* the syncer has it */
    unsigned                  bad:1;
    unsigned                  memory:1;      /* no file, only data */
} ngx_gw_journal_segment_t;


typedef enum {
    NGX_GW_JOURNAL_UNDER_WAY = 0,
    NGX_GW_JOURNAL_LANDED,
    NGX_GW_JOURNAL_FAILED,
    NGX_GW_JOURNAL_REFUSED,                  /* to be buried */
    NGX_GW_JOURNAL_BURYING
} ngx_gw_journal_flight_e;


typedef struct {
    ngx_gw_journal_segment_t *segment;
    uint32_t                  start;
    uint32_t                  end;
    ngx_msec_t                since;
    ngx_gw_journal_flight_e   state;
} ngx_gw_journal_flight_t;


typedef enum {
    NGX_GW_JOURNAL_COPY = 0,
    NGX_GW_JOURNAL_RELEASE,
    NGX_GW_JOURNAL_REMOVE,
    NGX_GW_JOURNAL_BURY,
    NGX_GW_JOURNAL_LEAVE,
    NGX_GW_JOURNAL_FINISH
} ngx_gw_journal_op_e;


/* a message to be buried */

typedef struct {
    uint64_t                  flight;
    ngx_gw_journal_file_t     file;
    const char               *data;          /* of the segment, if in memory */
    size_t                    from;
    size_t                    to;
    ngx_err_t                 err;
} ngx_gw_journal_letter_t;


/* what the syncer does, one of a list */

typedef struct {
    ngx_gw_journal_op_e       op;
    ngx_gw_journal_segment_t *segment;       /* not for the thread */
    ngx_gw_journal_file_t     file;
    size_t                    from;
    size_t                    to;
    uint64_t                  acked;
    ngx_gw_journal_letter_t  *letters;       /* of one generation */
    ngx_uint_t                nletters;
    ngx_err_t                 err;
    const char               *what;
    unsigned                  bad:1;
} ngx_gw_journal_op_t;


#define ngx_gw_journal_segment_data(q)                                        \
    ngx_queue_data(q, ngx_gw_journal_segment_t, queue)


GW_HIDDEN_BEGIN

ngx_gw_journal_segment_t *ngx_gw_journal_segment_create(
    ngx_gw_journal_source_t *source, const ngx_gw_journal_file_t *file,
    ngx_log_t *log);
void ngx_gw_journal_segment_free(ngx_gw_journal_segment_t *seg);
ngx_uint_t ngx_gw_journal_segment_done(const ngx_gw_journal_segment_t *seg);
void ngx_gw_journal_source_init(ngx_gw_journal_source_t *source,
    uint64_t generation);

GW_HIDDEN_END


#endif /* _NGX_GW_JOURNAL_SEGMENT_H_INCLUDED_ */
