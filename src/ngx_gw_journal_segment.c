
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_segment.h"


ngx_gw_journal_segment_t *
ngx_gw_journal_segment_create(ngx_gw_journal_source_t *source,
    const ngx_gw_journal_file_t *file, ngx_log_t *log)
{
    ngx_gw_journal_segment_t  *seg;

    seg = ngx_calloc(sizeof(ngx_gw_journal_segment_t), log);
    if (seg == NULL) {
        return NULL;
    }

    seg->source = source;
    seg->file = *file;
    seg->data = file->map;

    seg->written = GW_JOURNAL_HEADER;
    seg->copied = GW_JOURNAL_HEADER;
    seg->fed = GW_JOURNAL_HEADER;
    seg->acked = GW_JOURNAL_HEADER;

    return seg;
}


/* a map is the syncer's to remove */

void
ngx_gw_journal_segment_free(ngx_gw_journal_segment_t *seg)
{
    if (seg->data && seg->data != seg->file.map) {
        ngx_free(seg->data);
    }

    ngx_free(seg);
}


ngx_uint_t
ngx_gw_journal_segment_done(const ngx_gw_journal_segment_t *seg)
{
    return seg->closed && seg->fed == seg->written && seg->flying == 0;
}


void
ngx_gw_journal_source_init(ngx_gw_journal_source_t *source,
    uint64_t generation)
{
    ngx_queue_init(&source->segments);

    source->generation = generation;
    (void) gw_usage_generation((char *) source->key, generation);
}
