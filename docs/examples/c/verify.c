
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Verifies passports of the gateway with cjose, jansson and libcurl:
 *
 *     cc -O2 -o verify verify.c -lcjose -ljansson -lcurl
 *     verify JWKS_URL ISSUER AUDIENCE [MAX_AGE [COOLDOWN]]
 *
 * Reads one passport a line and prints "ok SUBJECT" or "refused REASON".
 * MAX_AGE and COOLDOWN are seconds, 300 and 10 by default.
 */

#define _POSIX_C_SOURCE  200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cjose/cjose.h>
#include <curl/curl.h>
#include <jansson.h>


#define KEYS_MAX       16
#define KEYS_MAX_SIZE  262144
#define KEYS_STALE     3600
#define LEEWAY         5


/*
 * The gateway's keys.  They are fetched again when they are "max_age" old, or
 * a kid is unknown, at most once per "cooldown"; if the gateway does not
 * answer, the old ones stay for an hour.  One thread only: others need a lock.
 */

typedef struct {
    int           n;
    long          max_age;
    long          cooldown;
    time_t        fetched;      /* 0: never */
    time_t        tried;
    const char   *url;
    cjose_jwk_t  *jwk[KEYS_MAX];
} keys_t;


typedef struct {
    size_t        len;
    char          data[KEYS_MAX_SIZE];
} body_t;


static const char *verify(keys_t *keys, const char *passport,
    const char *issuer, const char *audience, json_t **claims);
static const char *verify_signature(keys_t *keys, cjose_jws_t *jws);
static const char *verify_claims(json_t *claims, const char *issuer,
    const char *audience);
static int has_audience(json_t *aud, const char *audience);
static cjose_jwk_t *keys_get(keys_t *keys, const char *kid);
static cjose_jwk_t *keys_find(keys_t *keys, const char *kid);
static void keys_refresh(keys_t *keys, time_t now);
static size_t keys_body(char *p, size_t size, size_t n, void *data);
static int keys_parse(keys_t *keys, const body_t *body);
static cjose_jwk_t *keys_import(json_t *item);
static void keys_drop(keys_t *keys);
static time_t seconds(void);


/* snippet: begin */

/* NULL and the claims, or why not */

static const char *
verify(keys_t *keys, const char *passport, const char *issuer,
    const char *audience, json_t **claims)
{
    size_t        len;
    uint8_t      *text;
    const char   *reason;
    cjose_jws_t  *jws;

    *claims = NULL;

    jws = cjose_jws_import(passport, strlen(passport), NULL);
    if (jws == NULL) {
        return "malformed";
    }

    reason = verify_signature(keys, jws);

    if (reason == NULL) {
        if (cjose_jws_get_plaintext(jws, &text, &len, NULL)) {
            *claims = json_loadb((char *) text, len, JSON_REJECT_DUPLICATES,
                                 NULL);
        }

        reason = verify_claims(*claims, issuer, audience);
    }

    cjose_jws_release(jws);

    return reason;
}


static const char *
verify_signature(keys_t *keys, cjose_jws_t *jws)
{
    const char      *typ, *alg, *kid;
    cjose_jwk_t     *jwk;
    cjose_header_t  *header;

    header = cjose_jws_get_protected(jws);

    typ = cjose_header_get(header, "typ", NULL);
    alg = cjose_header_get(header, "alg", NULL);
    kid = cjose_header_get(header, "kid", NULL);

    if (typ == NULL || strcmp(typ, "passport+jwt") != 0) {
        return "not a passport";
    }

    /* the header does not choose the algorithm */

    if (alg == NULL || strcmp(alg, "ES256") != 0) {
        return "algorithm";
    }

    jwk = (kid != NULL) ? keys_get(keys, kid) : NULL;
    if (jwk == NULL) {
        return "unknown key";
    }

    return cjose_jws_verify(jws, jwk, NULL) ? NULL : "signature";
}


static const char *
verify_claims(json_t *claims, const char *issuer, const char *audience)
{
    time_t       now;
    json_t      *exp, *nbf;
    const char  *iss, *sub;

    now = time(NULL);

    iss = json_string_value(json_object_get(claims, "iss"));
    sub = json_string_value(json_object_get(claims, "sub"));
    exp = json_object_get(claims, "exp");
    nbf = json_object_get(claims, "nbf");

    if (iss == NULL || strcmp(iss, issuer) != 0) {
        return "issuer";
    }

    if (!has_audience(json_object_get(claims, "aud"), audience)) {
        return "audience";
    }

    if (!json_is_integer(exp) || json_integer_value(exp) + LEEWAY <= now) {
        return "expired";
    }

    if (!json_is_integer(nbf) || json_integer_value(nbf) - LEEWAY > now) {
        return "not yet valid";
    }

    if (json_integer_value(json_object_get(claims, "ver")) != 1) {
        return "unknown version";
    }

    return (sub == NULL || sub[0] == '\0') ? "no subject" : NULL;
}


/* snippet: end */


/* a text, or a list of them */

static int
has_audience(json_t *aud, const char *audience)
{
    size_t       i;
    json_t      *item;
    const char  *text;

    if (json_is_string(aud)) {
        return strcmp(json_string_value(aud), audience) == 0;
    }

    json_array_foreach(aud, i, item) {
        text = json_string_value(item);

        if (text != NULL && strcmp(text, audience) == 0) {
            return 1;
        }
    }

    return 0;
}


static cjose_jwk_t *
keys_get(keys_t *keys, const char *kid)
{
    time_t  now;

    now = seconds();

    if ((keys_find(keys, kid) == NULL
         || keys->fetched == 0 || now - keys->fetched >= keys->max_age)
        && (keys->tried == 0 || now - keys->tried >= keys->cooldown))
    {
        keys_refresh(keys, now);
    }

    if (keys->fetched && now - keys->fetched >= keys->max_age + KEYS_STALE) {
        keys_drop(keys);
    }

    return keys_find(keys, kid);
}


static cjose_jwk_t *
keys_find(keys_t *keys, const char *kid)
{
    int          i;
    const char  *name;

    for (i = 0; i < keys->n; i++) {
        name = cjose_jwk_get_kid(keys->jwk[i], NULL);

        if (name != NULL && strcmp(name, kid) == 0) {
            return keys->jwk[i];
        }
    }

    return NULL;
}


static void
keys_refresh(keys_t *keys, time_t now)
{
    CURL    *curl;
    body_t  *body;

    keys->tried = now;

    body = malloc(sizeof(body_t));
    curl = curl_easy_init();

    if (body != NULL && curl != NULL) {
        body->len = 0;

        curl_easy_setopt(curl, CURLOPT_URL, keys->url);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT, 2L);
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keys_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);

        if (curl_easy_perform(curl) == CURLE_OK && keys_parse(keys, body)) {
            keys->fetched = now;

        } else {
            fprintf(stderr, "no new keys from %s\n", keys->url);
        }
    }

    curl_easy_cleanup(curl);
    free(body);
}


/* fewer bytes than were given end the transfer */

static size_t
keys_body(char *p, size_t size, size_t n, void *data)
{
    body_t  *body = data;

    if (size * n > KEYS_MAX_SIZE - body->len) {
        return 0;
    }

    memcpy(body->data + body->len, p, size * n);
    body->len += size * n;

    return size * n;
}


/* the old keys stay unless this is a key set */

static int
keys_parse(keys_t *keys, const body_t *body)
{
    size_t        i;
    json_t       *set, *list, *item;
    cjose_jwk_t  *jwk;

    set = json_loadb(body->data, body->len, JSON_REJECT_DUPLICATES, NULL);
    list = json_object_get(set, "keys");

    if (!json_is_array(list)) {
        json_decref(set);
        return 0;
    }

    keys_drop(keys);

    json_array_foreach(list, i, item) {
        jwk = keys_import(item);

        if (jwk != NULL && keys->n < KEYS_MAX) {
            keys->jwk[keys->n++] = jwk;

        } else {
            cjose_jwk_release(jwk);
        }
    }

    json_decref(set);

    return 1;
}


/* NULL unless it is a key for ES256 */

static cjose_jwk_t *
keys_import(json_t *item)
{
    char         *text;
    const char   *crv;
    cjose_jwk_t  *jwk;

    crv = json_string_value(json_object_get(item, "crv"));

    if (crv == NULL || strcmp(crv, "P-256") != 0) {
        return NULL;
    }

    text = json_dumps(item, 0);
    if (text == NULL) {
        return NULL;
    }

    jwk = cjose_jwk_import(text, strlen(text), NULL);

    free(text);

    return jwk;
}


static void
keys_drop(keys_t *keys)
{
    while (keys->n) {
        cjose_jwk_release(keys->jwk[--keys->n]);
    }
}


static time_t
seconds(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec;
}


int
main(int argc, char **argv)
{
    char        *line;
    size_t       size;
    keys_t       keys;
    json_t      *claims;
    const char  *reason;

    if (argc < 4 || argc > 6) {
        fprintf(stderr, "Usage: verify JWKS_URL ISSUER AUDIENCE"
                " [MAX_AGE [COOLDOWN]]\n");
        return 2;
    }

    memset(&keys, 0, sizeof(keys_t));

    keys.url = argv[1];
    keys.max_age = (argc > 4) ? atol(argv[4]) : 300;
    keys.cooldown = (argc > 5) ? atol(argv[5]) : 10;

    line = NULL;
    size = 0;

    curl_global_init(CURL_GLOBAL_DEFAULT);

    while (getline(&line, &size, stdin) != -1) {
        line[strcspn(line, "\r\n")] = '\0';

        reason = verify(&keys, line, argv[2], argv[3], &claims);

        if (reason == NULL) {
            printf("ok %s\n",
                   json_string_value(json_object_get(claims, "sub")));
        } else {
            printf("refused %s\n", reason);
        }

        fflush(stdout);
        json_decref(claims);
    }

    free(line);
    keys_drop(&keys);
    curl_global_cleanup();

    return 0;
}
