
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_gw_journal_conf.h"

#include "gw_journal.h"


#define NGX_GW_JOURNAL_CONF_SIZE       1073741824
#define NGX_GW_JOURNAL_CONF_SEGMENT    4194304
#define NGX_GW_JOURNAL_CONF_SYNC       200

#define NGX_GW_JOURNAL_CONF_MIN_SIZE   1048576
#define NGX_GW_JOURNAL_CONF_MIN_SEG    65536
#define NGX_GW_JOURNAL_CONF_MAX_SEG    67108864
#define NGX_GW_JOURNAL_CONF_MAX_SYNC   60000
#define NGX_GW_JOURNAL_CONF_MAX_KEEP   (366 * 86400)


typedef struct {
    ngx_str_t             name;
    ngx_int_t           (*set)(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf,
                               ngx_str_t *value);
    char                 *takes;
} ngx_gw_journal_conf_param_t;


static char *ngx_gw_journal_conf_path(ngx_conf_t *cf,
    ngx_gw_journal_conf_t *jcf, ngx_str_t *name);
static char *ngx_gw_journal_conf_parameter(ngx_conf_t *cf,
    ngx_gw_journal_conf_t *jcf, ngx_str_t *word, ngx_uint_t *seen);
static ngx_int_t ngx_gw_journal_conf_size(ngx_conf_t *cf,
    ngx_gw_journal_conf_t *jcf, ngx_str_t *value);
static ngx_int_t ngx_gw_journal_conf_sync(ngx_conf_t *cf,
    ngx_gw_journal_conf_t *jcf, ngx_str_t *value);
static ngx_int_t ngx_gw_journal_conf_full(ngx_conf_t *cf,
    ngx_gw_journal_conf_t *jcf, ngx_str_t *value);
static ngx_int_t ngx_gw_journal_conf_keep(ngx_conf_t *cf,
    ngx_gw_journal_conf_t *jcf, ngx_str_t *value);
static ngx_int_t ngx_gw_journal_conf_node(ngx_conf_t *cf,
    ngx_gw_journal_conf_t *jcf, ngx_str_t *value);
static ngx_int_t ngx_gw_journal_conf_tail(ngx_conf_t *cf,
    ngx_gw_journal_conf_t *jcf, ngx_str_t *value);
static ngx_int_t ngx_gw_journal_conf_segment(ngx_conf_t *cf,
    ngx_gw_journal_conf_t *jcf, ngx_str_t *value);
static ngx_int_t ngx_gw_journal_conf_pool(ngx_conf_t *cf,
    ngx_gw_journal_conf_t *jcf, ngx_str_t *value);
static char *ngx_gw_journal_conf_defaults(ngx_conf_t *cf,
    ngx_gw_journal_conf_t *jcf);


static const ngx_gw_journal_conf_param_t  ngx_gw_journal_conf_params[] = {

    { ngx_string("size="), ngx_gw_journal_conf_size,
      "takes \"size=\" of at least 1m" },

    { ngx_string("sync="), ngx_gw_journal_conf_sync,
      "takes \"sync=\" between 1ms and 60s" },

    { ngx_string("full="), ngx_gw_journal_conf_full,
      "takes \"full=drop\" or \"full=reject\"" },

    { ngx_string("keep="), ngx_gw_journal_conf_keep,
      "takes \"keep=\" of at most 366d" },

    { ngx_string("node="), ngx_gw_journal_conf_node,
      "takes \"node=\" with at most 255 printable ASCII characters, "
      "without spaces" },

    { ngx_string("tail="), ngx_gw_journal_conf_tail,
      "takes \"tail=\" with an absolute path" },

    { ngx_string("segment="), ngx_gw_journal_conf_segment,
      "takes \"segment=\" between 64k and 64m" },

    { ngx_string("thread_pool="), ngx_gw_journal_conf_pool,
      "takes \"thread_pool=\" with the name of a pool" },

    { ngx_null_string, NULL, NULL }
};


char *
ngx_gw_journal_conf_set(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf, void *tag)
{
    char            *rv;
    ngx_str_t       *value;
    ngx_str_t        name = ngx_string("gw_usage_journal");
    ngx_uint_t       i, seen;
    ngx_shm_zone_t  *zone;

    if (jcf->path) {
        return "is duplicate";
    }

    value = cf->args->elts;
    seen = 0;

    jcf->size = NGX_GW_JOURNAL_CONF_SIZE;
    jcf->segment = NGX_GW_JOURNAL_CONF_SEGMENT;
    jcf->sync = NGX_GW_JOURNAL_CONF_SYNC;

    for (i = 2; i < cf->args->nelts; i++) {

        rv = ngx_gw_journal_conf_parameter(cf, jcf, &value[i], &seen);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    rv = ngx_gw_journal_conf_defaults(cf, jcf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    jcf->cycle = cf->cycle;

    zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize, tag);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zone->init = ngx_gw_journal_conf_init;
    zone->data = jcf;

    return ngx_gw_journal_conf_path(cf, jcf, &value[1]);
}


static char *
ngx_gw_journal_conf_path(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf,
    ngx_str_t *name)
{
    ngx_path_t       *path;
    ngx_file_info_t   fi;

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NGX_CONF_ERROR;
    }

    path->name = *name;

    while (path->name.len > 1
           && path->name.data[path->name.len - 1] == '/')
    {
        path->name.data[--path->name.len] = '\0';
    }

    if (path->name.len == 0
        || (path->name.len == 1 && path->name.data[0] == '/'))
    {
        /* nginx gives it to the user of the workers */

        return "needs a directory of its own";
    }

    if (ngx_conf_full_name(cf->cycle, &path->name, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_file_info(path->name.data, &fi) != NGX_FILE_ERROR
        && !ngx_is_dir(&fi))
    {
        /* nginx would give this, too, to the user of the workers */

        return "needs a directory, not a file";
    }

    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    /* of nobody else, as a proxy_temp_path: nginx compares it */

    path->data = jcf;

    jcf->path = path;

    if (ngx_add_path(cf, &jcf->path) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_gw_journal_conf_parameter(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf,
    ngx_str_t *word, ngx_uint_t *seen)
{
    ngx_str_t                           value, *directive;
    ngx_int_t                           rc;
    ngx_uint_t                          i;
    const ngx_gw_journal_conf_param_t  *param;

    directive = cf->args->elts;

    for (i = 0; ngx_gw_journal_conf_params[i].name.len; i++) {
        param = &ngx_gw_journal_conf_params[i];

        if (word->len < param->name.len
            || ngx_strncmp(word->data, param->name.data, param->name.len) != 0)
        {
            continue;
        }

        if (*seen & ((ngx_uint_t) 1 << i)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\" of \"%V\"",
                               word, directive);
            return NGX_CONF_ERROR;
        }

        *seen |= (ngx_uint_t) 1 << i;

        value.data = word->data + param->name.len;
        value.len = word->len - param->name.len;

        rc = param->set(cf, jcf, &value);

        if (rc == NGX_DECLINED) {
            return param->takes;
        }

        return rc == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"%V\"", word, directive);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_gw_journal_conf_size(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf,
    ngx_str_t *value)
{
    jcf->size = ngx_parse_offset(value);

    return jcf->size >= NGX_GW_JOURNAL_CONF_MIN_SIZE ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_gw_journal_conf_sync(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf,
    ngx_str_t *value)
{
    ngx_int_t  ms;

    ms = ngx_parse_time(value, 0);

    if (ms < 1 || ms > NGX_GW_JOURNAL_CONF_MAX_SYNC) {
        return NGX_DECLINED;
    }

    jcf->sync = (ngx_msec_t) ms;

    return NGX_OK;
}


static ngx_int_t
ngx_gw_journal_conf_full(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf,
    ngx_str_t *value)
{
    if (value->len == 6 && ngx_strncmp(value->data, "reject", 6) == 0) {
        jcf->reject = 1;
        return NGX_OK;
    }

    if (value->len == 4 && ngx_strncmp(value->data, "drop", 4) == 0) {
        jcf->reject = 0;
        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_gw_journal_conf_keep(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf,
    ngx_str_t *value)
{
    ngx_int_t  seconds;

    seconds = ngx_parse_time(value, 1);

    if (seconds < 0 || seconds > NGX_GW_JOURNAL_CONF_MAX_KEEP) {
        return NGX_DECLINED;
    }

    jcf->keep = (time_t) seconds;

    return NGX_OK;
}


/* it is the source of the events, a URI */

static ngx_int_t
ngx_gw_journal_conf_node(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf,
    ngx_str_t *value)
{
    ngx_uint_t  i;

    if (value->len == 0 || value->len > GW_JOURNAL_MAX_NODE) {
        return NGX_DECLINED;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f) {
            return NGX_DECLINED;
        }
    }

    jcf->node = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_gw_journal_conf_tail(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf,
    ngx_str_t *value)
{
    if (value->len == 0 || value->data[0] != '/') {
        return NGX_DECLINED;
    }

    jcf->tail = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_gw_journal_conf_segment(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf,
    ngx_str_t *value)
{
    ssize_t  size;

    size = ngx_parse_size(value);

    if (size < NGX_GW_JOURNAL_CONF_MIN_SEG
        || size > NGX_GW_JOURNAL_CONF_MAX_SEG)
    {
        return NGX_DECLINED;
    }

    jcf->segment = ngx_align((size_t) size, ngx_pagesize);

    return NGX_OK;
}


static ngx_int_t
ngx_gw_journal_conf_pool(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf,
    ngx_str_t *value)
{
    if (value->len == 0) {
        return NGX_DECLINED;
    }

    jcf->pool = ngx_thread_pool_add(cf, value);

    return jcf->pool ? NGX_OK : NGX_ERROR;
}


static char *
ngx_gw_journal_conf_defaults(ngx_conf_t *cf, ngx_gw_journal_conf_t *jcf)
{
    ngx_str_t  *hostname;

    if (jcf->tail.len == 0) {
        ngx_str_set(&jcf->tail, "/dev/shm");
    }

    if (jcf->node.len == 0) {
        hostname = &cf->cycle->hostname;

        if (ngx_gw_journal_conf_node(cf, jcf, hostname) != NGX_OK) {
            return "needs \"node=\": the name of the host can't be used";
        }
    }

    if (jcf->pool == NULL) {
        jcf->pool = ngx_thread_pool_add(cf, NULL);

        if (jcf->pool == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}
