
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_usage_conf.h"

#include "gw_usage.h"


#define NGX_HTTP_GW_USAGE_ZONE          "gw_usage"
#define NGX_HTTP_GW_USAGE_INTERVAL_MIN  1000     /* ms */


static ngx_int_t ngx_http_gw_usage_conf_needs(ngx_conf_t *cf,
    ngx_http_gw_usage_main_conf_t *gumcf);
static char *ngx_http_gw_usage_conf_condition(ngx_conf_t *cf,
    ngx_http_gw_usage_loc_conf_t *conf, ngx_str_t *value);
static char *ngx_http_gw_usage_conf_field_name(ngx_conf_t *cf,
    ngx_array_t *fields, ngx_str_t *name);
static ngx_int_t ngx_http_gw_usage_conf_index(ngx_conf_t *cf,
    const char *text, ngx_int_t *index);


extern ngx_module_t  ngx_http_gw_usage_module;


void *
ngx_http_gw_usage_conf_create_main(ngx_conf_t *cf)
{
    ngx_http_gw_usage_main_conf_t  *gumcf;

    gumcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_gw_usage_main_conf_t));
    if (gumcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     gumcf->kafka = NULL;
     *     gumcf->journal = { 0 };
     *     gumcf->meter = NULL;
     *     gumcf->worker = NULL;
     *     gumcf->file = { 0, NULL };
     *     gumcf->line = 0;
     */

    return gumcf;
}


char *
ngx_http_gw_usage_conf_init_main(ngx_conf_t *cf, void *conf)
{
    ngx_http_gw_usage_main_conf_t *gumcf = conf;

    const char  *why;
    ngx_str_t    name = ngx_string(NGX_HTTP_GW_USAGE_ZONE);

    if (gumcf->line == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_http_gw_usage_conf_needs(cf, gumcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    gumcf->journal.topic.data = (u_char *) gumcf->kafka->topic;
    gumcf->journal.topic.len = ngx_strlen(gumcf->kafka->topic);
    gumcf->journal.cluster = gumcf->kafka->cluster;

    gumcf->meter = ngx_gw_meter_add(cf, &name, &ngx_http_gw_usage_module);
    if (gumcf->meter == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_test_config) {
        why = ngx_gw_kafka_conf_check(gumcf->kafka);

        if (why) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"gw_usage_kafka\" and the \"gw_usage_kafka_set\" "
                          "directives make no producer: %s", why);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_gw_usage_conf_needs(ngx_conf_t *cf,
    ngx_http_gw_usage_main_conf_t *gumcf)
{
    const char  *name, *example;

    if (gumcf->kafka == NULL || gumcf->kafka->brokers == NULL) {
        name = "gw_usage_kafka";
        example = "127.0.0.1:9092 topic=gw.usage";

    } else if (gumcf->journal.path == NULL) {
        name = "gw_usage_journal";
        example = "/var/lib/nginx/gw-usage size=1g";

    } else {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"gw_usage on\" in %V:%ui needs \"%s\" in the \"http\" "
                  "block, for example \"%s %s;\"",
                  &gumcf->file, gumcf->line, name, name, example);

    return NGX_ERROR;
}


void *
ngx_http_gw_usage_conf_create(ngx_conf_t *cf)
{
    ngx_http_gw_usage_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_gw_usage_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->condition = NULL;
     */

    conf->enable = NGX_CONF_UNSET;
    conf->api = NGX_CONF_UNSET_PTR;
    conf->subject = NGX_CONF_UNSET_PTR;
    conf->tier = NGX_CONF_UNSET_PTR;
    conf->units = NGX_CONF_UNSET_PTR;
    conf->key = NGX_CONF_UNSET_PTR;
    conf->fields = NGX_CONF_UNSET_PTR;
    conf->interval = NGX_CONF_UNSET_MSEC;

    return conf;
}


char *
ngx_http_gw_usage_conf_merge(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_gw_usage_loc_conf_t *prev = parent;
    ngx_http_gw_usage_loc_conf_t *conf = child;

    if (conf->enable == NGX_CONF_UNSET) {
        conf->condition = prev->condition;
    }

    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_ptr_value(conf->api, prev->api, NULL);
    ngx_conf_merge_ptr_value(conf->subject, prev->subject, NULL);
    ngx_conf_merge_ptr_value(conf->tier, prev->tier, NULL);
    ngx_conf_merge_ptr_value(conf->units, prev->units, NULL);
    ngx_conf_merge_ptr_value(conf->key, prev->key, NULL);
    ngx_conf_merge_ptr_value(conf->fields, prev->fields, NULL);
    ngx_conf_merge_msec_value(conf->interval, prev->interval, 0);

    return NGX_CONF_OK;
}


char *
ngx_http_gw_usage_conf_enable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_usage_loc_conf_t *gulcf = conf;

    char                           *rv;
    ngx_str_t                      *value;
    ngx_http_gw_usage_main_conf_t  *gumcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (cf->args->nelts == 3) {
        value = cf->args->elts;

        if (!gulcf->enable) {
            return "takes no parameters with \"off\"";
        }

        rv = ngx_http_gw_usage_conf_condition(cf, gulcf, &value[2]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    gumcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gw_usage_module);

    if (gulcf->enable && gumcf->line == 0) {
        gumcf->file = cf->conf_file->file.name;
        gumcf->line = cf->conf_file->line;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_usage_conf_condition(ngx_conf_t *cf,
    ngx_http_gw_usage_loc_conf_t *conf, ngx_str_t *value)
{
    ngx_str_t                          s;
    ngx_http_compile_complex_value_t   ccv;

    if (ngx_strncmp(value->data, "if=", 3) != 0 || value->len == 3) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"gw_usage\", "
                           "\"if=$CONDITION\" expected", value);
        return NGX_CONF_ERROR;
    }

    s.data = value->data + 3;
    s.len = value->len - 3;

    conf->condition = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (conf->condition == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &s;
    ccv.complex_value = conf->condition;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


char *
ngx_http_gw_usage_conf_value(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    char                      *rv;
    size_t                    *max = cmd->post;
    ngx_http_complex_value_t  *cv;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    cv = *(ngx_http_complex_value_t **) (p + cmd->offset);

    if (cv->lengths == NULL && cv->value.len > *max) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the value of \"%V\" is longer than %uz bytes",
                           &cmd->name, *max);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_gw_usage_conf_units(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_usage_loc_conf_t *gulcf = conf;

    char      *rv;
    uint64_t   units;
    gw_str_t   s;

    rv = ngx_http_set_complex_value_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || gulcf->units->lengths) {
        return rv;
    }

    s.len = gulcf->units->value.len;
    s.data = (const char *) gulcf->units->value.data;

    if (gw_usage_units(&s, &units) != GW_OK) {
        return "must be an integer from 0 to 9007199254740991";
    }

    return NGX_CONF_OK;
}


char *
ngx_http_gw_usage_conf_field(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_usage_loc_conf_t *gulcf = conf;

    char                              *rv;
    ngx_str_t                         *value;
    ngx_http_gw_usage_field_t         *field;
    ngx_http_compile_complex_value_t   ccv;

    if (gulcf->fields == NGX_CONF_UNSET_PTR) {
        gulcf->fields = ngx_array_create(cf->pool, 4,
                                         sizeof(ngx_http_gw_usage_field_t));
        if (gulcf->fields == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    rv = ngx_http_gw_usage_conf_field_name(cf, gulcf->fields, &value[1]);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    field = ngx_array_push(gulcf->fields);
    if (field == NULL) {
        return NGX_CONF_ERROR;
    }

    field->name.len = value[1].len;
    field->name.data = (const char *) value[1].data;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[2];
    ccv.complex_value = &field->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (field->value.lengths == NULL
        && field->value.value.len > GW_USAGE_MAX_FIELD)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the value of \"%V\" \"%V\" is longer than %uz "
                           "bytes", &cmd->name, &value[1],
                           (size_t) GW_USAGE_MAX_FIELD);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_usage_conf_field_name(ngx_conf_t *cf, ngx_array_t *fields,
    ngx_str_t *name)
{
    gw_str_t                    s;
    ngx_uint_t                  i;
    ngx_http_gw_usage_field_t  *field;

    s.len = name->len;
    s.data = (const char *) name->data;

    if (gw_usage_name(&s) != GW_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" in \"gw_usage_field\": at "
                           "most %d letters, digits and \"_\", the first no "
                           "digit, and no member that all events have",
                           name, GW_USAGE_MAX_NAME);
        return NGX_CONF_ERROR;
    }

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {

        if (field[i].name.len == s.len
            && ngx_memcmp(field[i].name.data, s.data, s.len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate name \"%V\" in \"gw_usage_field\"",
                               name);
            return NGX_CONF_ERROR;
        }
    }

    if (fields->nelts == GW_USAGE_MAX_FIELDS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d \"gw_usage_field\" directives at "
                           "one level", GW_USAGE_MAX_FIELDS);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_gw_usage_conf_interval(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_gw_usage_loc_conf_t *gulcf = conf;

    ngx_int_t   ms;
    ngx_str_t  *value;

    if (gulcf->interval != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        gulcf->interval = 0;
        return NGX_CONF_OK;
    }

    ms = ngx_parse_time(&value[1], 0);

    if (ms == NGX_ERROR || ms < NGX_HTTP_GW_USAGE_INTERVAL_MIN) {
        return "must be \"off\", or a time of at least 1s";
    }

    gulcf->interval = (ngx_msec_t) ms;

    return NGX_CONF_OK;
}


char *
ngx_http_gw_usage_conf_journal(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_usage_main_conf_t *gumcf = conf;

    return ngx_gw_journal_conf_set(cf, &gumcf->journal,
                                   &ngx_http_gw_usage_module);
}


ngx_int_t
ngx_http_gw_usage_conf_finish(ngx_conf_t *cf)
{
    ngx_http_gw_usage_main_conf_t  *gumcf;

    gumcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gw_usage_module);

    if (ngx_http_gw_usage_conf_index(cf, "request_id", &gumcf->request_id)
           != NGX_OK
        || ngx_http_gw_usage_conf_index(cf, "gw_subject", &gumcf->subject)
           != NGX_OK
        || ngx_http_gw_usage_conf_index(cf, "gw_tier", &gumcf->tier) != NGX_OK
        || ngx_http_gw_usage_conf_index(cf, "gw_ratelimit_status",
                                        &gumcf->limited)
           != NGX_OK
        || ngx_http_gw_usage_conf_index(cf, "gw_auth_degraded",
                                        &gumcf->degraded)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* an index of a variable that nobody defines would be an error */

static ngx_int_t
ngx_http_gw_usage_conf_index(ngx_conf_t *cf, const char *text,
    ngx_int_t *index)
{
    ngx_str_t                   name;
    ngx_uint_t                  i;
    ngx_hash_key_t             *key;
    ngx_http_core_main_conf_t  *cmcf;

    name.len = ngx_strlen(text);
    name.data = (u_char *) text;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {

        if (ngx_gw_str_equal(&key[i].key, &name)) {
            *index = ngx_http_get_variable_index(cf, &name);

            return *index == NGX_ERROR ? NGX_ERROR : NGX_OK;
        }
    }

    *index = NGX_DECLINED;

    return NGX_OK;
}
