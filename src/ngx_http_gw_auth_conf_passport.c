
/*
 * Copyright (C) The nginx gateway modules authors
 */


#include "ngx_http_gw_auth_keyring.h"
#include "ngx_http_gw_auth_option.h"


#define NGX_HTTP_GW_AUTH_TTL          60         /* s, of a passport */
#define NGX_HTTP_GW_AUTH_TTL_MAX      300

#define NGX_HTTP_GW_AUTH_CLAIM        64         /* bytes of a name */
#define NGX_HTTP_GW_AUTH_HEADER_NAME  64


static char *ngx_http_gw_auth_conf_set_passport(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_gw_auth_passport_t *passport,
    ngx_str_t *word);
static ngx_http_gw_auth_passport_t *ngx_http_gw_auth_conf_new_passport(
    ngx_conf_t *cf);
static ngx_int_t ngx_http_gw_auth_conf_digest(ngx_conf_t *cf,
    ngx_http_gw_auth_passport_t *passport);
static char *ngx_http_gw_auth_conf_claim_name(ngx_array_t *claims,
    ngx_str_t *name);
static char *ngx_http_gw_auth_conf_add_claim(ngx_conf_t *cf,
    ngx_array_t *claims, ngx_str_t *name, ngx_str_t *value);


extern ngx_module_t  ngx_http_gw_auth_module;


/* headers that would not arrive, or change what happens to a request */

static const ngx_str_t  ngx_http_gw_auth_conf_taken[] = {
    ngx_string("Accept-Encoding"),
    ngx_string("Authorization"),
    ngx_string("Connection"),
    ngx_string("Content-Length"),
    ngx_string("Content-Type"),
    ngx_string("Cookie"),
    ngx_string("Date"),
    ngx_string("Expect"),
    ngx_string("Host"),
    ngx_string("HTTP2-Settings"),
    ngx_string("If-Match"),
    ngx_string("If-Modified-Since"),
    ngx_string("If-None-Match"),
    ngx_string("If-Range"),
    ngx_string("If-Unmodified-Since"),
    ngx_string("Keep-Alive"),
    ngx_string("Origin"),
    ngx_string("Proxy-Authorization"),
    ngx_string("Proxy-Connection"),
    ngx_string("Range"),
    ngx_string("Referer"),
    ngx_string("TE"),
    ngx_string("Trailer"),
    ngx_string("Transfer-Encoding"),
    ngx_string("Upgrade"),
    ngx_string("User-Agent"),
    ngx_string("Via"),
    ngx_string("X-Forwarded-For"),
    ngx_string("X-Real-IP"),
    ngx_null_string
};


char *
ngx_http_gw_auth_conf_passport(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_auth_conf_t *gacf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_gw_auth_passport_t   *passport;
    ngx_http_gw_auth_main_conf_t  *gamcf;

    if (gacf->passport != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        gacf->passport = NULL;
        return NGX_CONF_OK;
    }

    passport = ngx_http_gw_auth_conf_new_passport(cf);
    if (passport == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        rv = ngx_http_gw_auth_conf_set_passport(cf, cmd, passport, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (passport->audiences.nelts == 0) {
        return "has no \"audience=\", the upstream it is for";
    }

    if (passport->ttl == NGX_CONF_UNSET) {
        passport->ttl = NGX_HTTP_GW_AUTH_TTL;
    }

    if (passport->issuer.len == 0) {
        passport->issuer = (gw_str_t) gw_str("gateway");
    }

    if (!ngx_http_gw_auth_conf_is_text(&passport->issuer, 1)
        || !ngx_http_gw_auth_conf_is_text(passport->audiences.elts,
                                          passport->audiences.nelts))
    {
        return "takes \"audience=\" and \"issuer=\" of at most 384 bytes each, "
               "UTF-8 without control characters";
    }

    if (ngx_http_gw_auth_conf_digest(cf, passport) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    gamcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gw_auth_module);

    gamcf->passport = 1;
    gacf->passport = passport;

    return NGX_CONF_OK;
}


static char *
ngx_http_gw_auth_conf_set_passport(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_gw_auth_passport_t *passport, ngx_str_t *word)
{
    ngx_str_t  s;

    if (ngx_strncmp(word->data, "audience=", 9) == 0
        && passport->audiences.nelts == 0)
    {
        if (ngx_http_gw_auth_option_list(cf, &passport->audiences,
                                         word->data + 9,
                                         word->data + word->len)
            != NGX_OK)
        {
            goto invalid;
        }

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(word->data, "ttl=", 4) == 0
        && passport->ttl == NGX_CONF_UNSET)
    {
        s.data = word->data + 4;
        s.len = word->len - 4;

        passport->ttl = ngx_parse_time(&s, 1);

        if (passport->ttl == (time_t) NGX_ERROR || passport->ttl < 1
            || passport->ttl > NGX_HTTP_GW_AUTH_TTL_MAX)
        {
            return "needs a \"ttl\" between 1s and 5m";
        }

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(word->data, "issuer=", 7) == 0
        && word->len > 7 && passport->issuer.len == 0)
    {
        passport->issuer.len = word->len - 7;
        passport->issuer.data = (const char *) word->data + 7;

        return NGX_CONF_OK;
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"%V\"",
                       word, &cmd->name);
    return NGX_CONF_ERROR;
}


static ngx_http_gw_auth_passport_t *
ngx_http_gw_auth_conf_new_passport(ngx_conf_t *cf)
{
    ngx_http_gw_auth_passport_t  *passport;

    passport = ngx_pcalloc(cf->pool, sizeof(ngx_http_gw_auth_passport_t));

    if (passport == NULL
        || ngx_array_init(&passport->audiences, cf->pool, 1, sizeof(gw_str_t))
           != NGX_OK)
    {
        return NULL;
    }

    passport->ttl = NGX_CONF_UNSET;

    return passport;
}


static ngx_int_t
ngx_http_gw_auth_conf_digest(ngx_conf_t *cf,
    ngx_http_gw_auth_passport_t *passport)
{
    gw_str_t    *audience;
    ngx_str_t   *text;
    ngx_uint_t   i, n;

    audience = passport->audiences.elts;
    n = passport->audiences.nelts;

    text = ngx_palloc(cf->pool, (n + 2) * sizeof(ngx_str_t));
    if (text == NULL) {
        return NGX_ERROR;
    }

    text[0].data = (u_char *) passport->issuer.data;
    text[0].len = passport->issuer.len;
    text[1].data = (u_char *) &passport->ttl;
    text[1].len = sizeof(time_t);

    for (i = 0; i < n; i++) {
        text[i + 2].data = (u_char *) audience[i].data;
        text[i + 2].len = audience[i].len;
    }

    return ngx_http_gw_auth_option_digest(cf, text, n + 2, passport->digest);
}


char *
ngx_http_gw_auth_conf_claim(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_auth_conf_t *gacf = conf;

    char       *rv;
    ngx_str_t  *value;

    value = cf->args->elts;

    if (cf->args->nelts == 2) {

        if (ngx_strcmp(value[1].data, "off") != 0) {
            return "takes a name and a value, or \"off\"";
        }

        if (gacf->claims != NGX_CONF_UNSET_PTR) {
            return "takes \"off\" alone";
        }

        gacf->claims = NULL;

        return NGX_CONF_OK;
    }

    if (gacf->claims == NULL) {
        return "takes \"off\" alone";
    }

    if (gacf->claims == NGX_CONF_UNSET_PTR) {

        gacf->claims = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_http_gw_auth_claim_t));
        if (gacf->claims == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    rv = ngx_http_gw_auth_conf_claim_name(gacf->claims, &value[1]);

    if (rv) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" \"%V\" %s",
                           &cmd->name, &value[1], rv);
        return NGX_CONF_ERROR;
    }

    return ngx_http_gw_auth_conf_add_claim(cf, gacf->claims, &value[1],
                                           &value[2]);
}


/* what is wrong with a name, NULL if nothing is */

static char *
ngx_http_gw_auth_conf_claim_name(ngx_array_t *claims, ngx_str_t *name)
{
    gw_str_t                   text;
    ngx_uint_t                 i;
    ngx_http_gw_auth_claim_t  *claim;

    text.data = (const char *) name->data;
    text.len = name->len;

    if (text.len == 0 || text.len > NGX_HTTP_GW_AUTH_CLAIM
        || !ngx_http_gw_auth_conf_is_text(&text, 1))
    {
        return "is no name of 1 to 64 bytes of UTF-8 without control "
               "characters";
    }

    if (gw_passport_reserved(&text)) {
        return "is a claim of the passport itself, choose another name";
    }

    claim = claims->elts;

    for (i = 0; i < claims->nelts; i++) {
        if (ngx_gw_str_equal(&claim[i].name, name)) {
            return "is duplicate";
        }
    }

    if (claims->nelts == GW_PASSPORT_MAX_EXTRA) {
        return "is one too many: there may be 32";
    }

    return NULL;
}


static char *
ngx_http_gw_auth_conf_add_claim(ngx_conf_t *cf, ngx_array_t *claims,
    ngx_str_t *name, ngx_str_t *value)
{
    ngx_http_gw_auth_claim_t          *claim;
    ngx_http_compile_complex_value_t   ccv;

    claim = ngx_array_push(claims);
    if (claim == NULL) {
        return NGX_CONF_ERROR;
    }

    claim->name = *name;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = &claim->value;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_gw_auth_conf_header(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_gw_auth_conf_t *gacf = conf;

    u_char                         ch;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_gw_auth_main_conf_t  *gamcf;

    if (gacf->header != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 0; i < value[1].len; i++) {
        ch = value[1].data[i] | 0x20;

        if ((ch < 'a' || ch > 'z')
            && (value[1].data[i] < '0' || value[1].data[i] > '9')
            && value[1].data[i] != '-')
        {
            break;
        }
    }

    if (i < value[1].len || i == 0 || i > NGX_HTTP_GW_AUTH_HEADER_NAME) {
        return "must be the name of a header, of 1 to 64 letters, digits, "
               "or \"-\"";
    }

    for (i = 0; ngx_http_gw_auth_conf_taken[i].len; i++) {
        if (value[1].len == ngx_http_gw_auth_conf_taken[i].len
            && ngx_strncasecmp(value[1].data,
                               ngx_http_gw_auth_conf_taken[i].data,
                               value[1].len)
               == 0)
        {
            return "must not be a header that HTTP or nginx knows";
        }
    }

    gamcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_gw_auth_module);

    gacf->header = ngx_http_gw_auth_conf_add_header(cf, gamcf, &value[1]);

    return gacf->header ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* the elements are allocated each, locations keep pointers to them */

ngx_http_gw_auth_header_t *
ngx_http_gw_auth_conf_add_header(ngx_conf_t *cf,
    ngx_http_gw_auth_main_conf_t *gamcf, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_http_gw_auth_header_t  *header, *known;

    header = ngx_palloc(cf->pool, sizeof(ngx_http_gw_auth_header_t));
    if (header == NULL) {
        return NULL;
    }

    header->name = *name;
    header->lowcase.len = name->len;
    header->lowcase.data = ngx_pnalloc(cf->pool, name->len);

    if (header->lowcase.data == NULL) {
        return NULL;
    }

    ngx_strlow(header->lowcase.data, name->data, name->len);

    known = gamcf->headers.elts;

    for (i = 0; i < gamcf->headers.nelts; i++) {
        if (ngx_gw_str_equal(&known[i].lowcase, &header->lowcase)) {
            return header;
        }
    }

    known = ngx_array_push(&gamcf->headers);
    if (known == NULL) {
        return NULL;
    }

    *known = *header;

    return header;
}


/* as headers are unlinked: bytes other than letters and digits are equal */

ngx_uint_t
ngx_http_gw_auth_conf_carries(ngx_http_gw_auth_main_conf_t *gamcf,
    ngx_str_t *name)
{
    u_char                      ch;
    ngx_uint_t                  i, j;
    ngx_http_gw_auth_header_t  *known;

    known = gamcf->headers.elts;

    for (i = 0; i < gamcf->headers.nelts; i++) {

        if (known[i].lowcase.len != name->len) {
            continue;
        }

        for (j = 0; j < name->len; j++) {
            ch = ngx_tolower(name->data[j]);

            if ((ch < 'a' || ch > 'z') && (ch < '0' || ch > '9')) {
                ch = '-';
            }

            if (ch != known[i].lowcase.data[j]) {
                break;
            }
        }

        if (j == name->len) {
            return 1;
        }
    }

    return 0;
}
