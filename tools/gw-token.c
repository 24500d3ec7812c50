
/*
 * Copyright (C) The nginx gateway modules authors
 */


/*
 * Mints and verifies tokens for tests and tours, by libjwt alone: a second
 * implementation that shares no code with the modules.
 *
 * Compiles with libjwt 1.10 to 1.17.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <jwt.h>


#define GW_TOKEN_MAX_INPUT  65536


typedef struct {
    jwt_alg_t       alg;
    const char     *alg_name;
    const char     *kid;
    const char     *typ;
    const char     *exp;
    int             verify;
    json_t         *claims;

    size_t          key_len;
    unsigned char   key[GW_TOKEN_MAX_INPUT + 1];
} gw_token_t;


static int gw_token_options(gw_token_t *t, int argc, char **argv);
static int gw_token_alg(gw_token_t *t, const char *name);
static int gw_token_key(gw_token_t *t, const char *path);
static size_t gw_token_read(FILE *file, unsigned char *buf);
static int gw_token_claim(gw_token_t *t, const char *arg, int raw);
static int gw_token_times(gw_token_t *t);
static int gw_token_mint(gw_token_t *t);
static int gw_token_sign(gw_token_t *t, jwt_t *jwt, const char *claims);
static int gw_token_typ_written(gw_token_t *t, const char *token);
static int gw_token_verify(gw_token_t *t);


static const char  gw_token_help[] =
"Usage: gw-token --alg ALG --key FILE [OPTION ...]\n"
"       gw-token --verify --alg ALG --key FILE < token\n"
"\n"
"Prints a signed JWT, or with --verify the claims of one.\n"
"\n"
"  --alg ALG          HS256 HS384 HS512 RS256 RS384 RS512 ES256 ES384 ES512,\n"
"                     or none (no --key then)\n"
"  --key FILE         PEM: a private key to sign, a public one to verify;\n"
"                     for HS*: the bytes of the file, to the last one\n"
"  --kid NAME         the name of the key, for the header\n"
"  --typ TYPE         \"JWT\" by default; libjwt 1.10 writes and accepts no\n"
"                     other one (then exit status 2, or 1 with --verify)\n"
"  --claim NAME=TEXT  a claim that is a string\n"
"  --json NAME=VALUE  a claim that is any JSON value\n"
"  --exp TIME         +3600 or -12: seconds from now; @N: seconds of the\n"
"                     epoch; also sets \"iat\" to now, unless it is given\n"
"  --verify           checks the signature and that the algorithm is ALG;\n"
"                     no times, no other claims\n"
"  --help             this text\n"
"\n"
"Exit status: 0 done, 1 the token does not verify, 2 anything else.\n";


int
main(int argc, char **argv)
{
    int          rc;
    gw_token_t  *t;

    t = calloc(1, sizeof(gw_token_t));
    if (t == NULL) {
        return 2;
    }

    t->alg = JWT_ALG_INVAL;
    t->claims = json_object();

    rc = gw_token_options(t, argc, argv);

    if (rc == 0) {
        rc = t->verify ? gw_token_verify(t) : gw_token_mint(t);
    }

    json_decref(t->claims);
    free(t);

    return (rc < 0) ? 0 : rc;
}


/* 0: go on; -1: all is done; else the exit status */

static int
gw_token_options(gw_token_t *t, int argc, char **argv)
{
    int          opt, rc;
    const char  *key;

    static const struct option  options[] = {
        { "alg", required_argument, NULL, 'a' },
        { "key", required_argument, NULL, 'k' },
        { "kid", required_argument, NULL, 'i' },
        { "typ", required_argument, NULL, 't' },
        { "claim", required_argument, NULL, 'c' },
        { "json", required_argument, NULL, 'j' },
        { "exp", required_argument, NULL, 'e' },
        { "verify", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 }
    };

    rc = 0;
    key = NULL;

    while (rc == 0
           && (opt = getopt_long(argc, argv, "", options, NULL)) != -1)
    {
        switch (opt) {

        case 'a':
            rc = gw_token_alg(t, optarg);
            break;

        case 'k':
            key = optarg;
            break;

        case 'i':
            t->kid = optarg;
            break;

        case 't':
            t->typ = optarg;
            break;

        case 'c':
        case 'j':
            rc = gw_token_claim(t, optarg, opt == 'j');
            break;

        case 'e':
            t->exp = optarg;
            break;

        case 'v':
            t->verify = 1;
            break;

        case 'h':
            fputs(gw_token_help, stdout);
            return -1;

        default:
            return 2;
        }
    }

    if (rc) {
        return rc;
    }

    if (optind < argc) {
        fprintf(stderr, "gw-token: unexpected \"%s\"\n", argv[optind]);
        return 2;
    }

    if (t->alg == JWT_ALG_INVAL) {
        fputs("gw-token: --alg is missing, see --help\n", stderr);
        return 2;
    }

    /* libjwt takes a token without a signature for good if there is no key */

    if ((key == NULL) != (t->alg == JWT_ALG_NONE)
        || (t->verify && t->alg == JWT_ALG_NONE))
    {
        fprintf(stderr, "gw-token: --alg %s %s\n", t->alg_name,
                (t->alg != JWT_ALG_NONE) ? "needs a --key"
                : t->verify ? "cannot be verified" : "takes no --key");
        return 2;
    }

    return key ? gw_token_key(t, key) : 0;
}


/* libjwt's own lookup does not mind the case */

static int
gw_token_alg(gw_token_t *t, const char *name)
{
    int  i;

    static const struct {
        const char  *name;
        jwt_alg_t    alg;
    } algs[] = {
        { "none", JWT_ALG_NONE },
        { "HS256", JWT_ALG_HS256 },
        { "HS384", JWT_ALG_HS384 },
        { "HS512", JWT_ALG_HS512 },
        { "RS256", JWT_ALG_RS256 },
        { "RS384", JWT_ALG_RS384 },
        { "RS512", JWT_ALG_RS512 },
        { "ES256", JWT_ALG_ES256 },
        { "ES384", JWT_ALG_ES384 },
        { "ES512", JWT_ALG_ES512 },
        { NULL, JWT_ALG_INVAL }
    };

    for (i = 0; algs[i].name; i++) {
        if (strcmp(algs[i].name, name) == 0) {
            t->alg = algs[i].alg;
            t->alg_name = algs[i].name;
            return 0;
        }
    }

    fprintf(stderr, "gw-token: libjwt has no algorithm \"%s\"\n", name);

    return 2;
}


static int
gw_token_key(gw_token_t *t, const char *path)
{
    FILE  *file;

    file = fopen(path, "rb");

    if (file == NULL) {
        fprintf(stderr, "gw-token: \"%s\": %s\n", path, strerror(errno));
        return 2;
    }

    t->key_len = gw_token_read(file, t->key);

    fclose(file);

    if (t->key_len == 0) {
        fprintf(stderr, "gw-token: \"%s\" is empty, too long or unreadable\n",
                path);
        return 2;
    }

    return 0;
}


/* all of a file and a NUL, 0 if that is nothing or too much */

static size_t
gw_token_read(FILE *file, unsigned char *buf)
{
    size_t  n;

    n = fread(buf, 1, GW_TOKEN_MAX_INPUT + 1, file);

    if (ferror(file) || n > GW_TOKEN_MAX_INPUT) {
        return 0;
    }

    buf[n] = '\0';

    return n;
}


static int
gw_token_claim(gw_token_t *t, const char *arg, int raw)
{
    char        *name;
    json_t      *value;
    const char  *text;

    text = strchr(arg, '=');

    if (text == NULL || text == arg) {
        fprintf(stderr, "gw-token: \"%s\" is not NAME=VALUE\n", arg);
        return 2;
    }

    name = strndup(arg, (size_t) (text - arg));
    text++;

    value = raw ? json_loads(text, JSON_DECODE_ANY, NULL) : json_string(text);

    /* takes the value over, and refuses NULL */

    if (name == NULL || json_object_set_new(t->claims, name, value) != 0) {
        fprintf(stderr, "gw-token: \"%s\" has no value in %s\n", arg,
                raw ? "JSON" : "UTF-8");
        free(name);
        return 2;
    }

    free(name);

    return 0;
}


static int
gw_token_times(gw_token_t *t)
{
    char       *end;
    time_t      now;
    long long   n;

    if (t->exp == NULL) {
        return 0;
    }

    now = time(NULL);

    if (t->exp[0] && strchr("+-@", t->exp[0])) {

        errno = 0;
        n = strtoll(&t->exp[t->exp[0] != '-'], &end, 10);

        if (errno == 0 && *end == '\0' && end > t->exp + 1) {

            if (t->exp[0] != '@') {
                n += now;
            }

            json_object_set_new(t->claims, "exp", json_integer(n));

            if (json_object_get(t->claims, "iat") == NULL) {
                json_object_set_new(t->claims, "iat", json_integer(now));
            }

            return 0;
        }
    }

    fprintf(stderr, "gw-token: --exp is +N, -N or @N, not \"%s\"\n", t->exp);

    return 2;
}


static int
gw_token_mint(gw_token_t *t)
{
    int     rc;
    char   *claims;
    jwt_t  *jwt;

    rc = gw_token_times(t);
    if (rc) {
        return rc;
    }

    jwt = NULL;
    rc = 2;

    claims = json_dumps(t->claims, JSON_COMPACT);

    if (claims && jwt_new(&jwt) == 0) {
        rc = gw_token_sign(t, jwt, claims);
    }

    jwt_free(jwt);
    free(claims);

    return rc;
}


static int
gw_token_sign(gw_token_t *t, jwt_t *jwt, const char *claims)
{
    int    rc;
    char  *token;

    if (jwt_add_grants_json(jwt, claims) != 0
        || (t->kid && jwt_add_header(jwt, "kid", t->kid) != 0)
        || (t->typ && jwt_add_header(jwt, "typ", t->typ) != 0)
        || jwt_set_alg(jwt, t->alg, t->key_len ? t->key : NULL,
                       (int) t->key_len)
           != 0)
    {
        fputs("gw-token: libjwt does not take this header\n", stderr);
        return 2;
    }

    token = jwt_encode_str(jwt);

    if (token == NULL) {
        fprintf(stderr, "gw-token: the key does not sign %s\n", t->alg_name);
        return 2;
    }

    rc = gw_token_typ_written(t, token);

    if (rc == 0) {
        puts(token);
    }

    free(token);

    return rc;
}


/* a test must not take one type for another, so look what was written */

static int
gw_token_typ_written(gw_token_t *t, const char *token)
{
    int          rc;
    jwt_t       *jwt;
    const char  *typ;

    if (t->typ == NULL || strcmp(t->typ, "JWT") == 0) {
        return 0;
    }

    rc = 2;
    jwt = NULL;

    if (jwt_decode(&jwt, token, NULL, 0) == 0) {
        typ = jwt_get_header(jwt, "typ");

        if (typ && strcmp(typ, t->typ) == 0) {
            rc = 0;
        }
    }

    jwt_free(jwt);

    if (rc) {
        fprintf(stderr, "gw-token: this libjwt writes no typ \"%s\"\n",
                t->typ);
    }

    return rc;
}


static int
gw_token_verify(gw_token_t *t)
{
    int             rc;
    char           *claims;
    jwt_t          *jwt;
    size_t          len;
    unsigned char  *token;

    token = malloc(GW_TOKEN_MAX_INPUT + 1);
    if (token == NULL) {
        return 2;
    }

    len = gw_token_read(stdin, token);

    while (len && strchr(" \t\r\n", token[len - 1])) {
        token[--len] = '\0';
    }

    rc = 1;
    jwt = NULL;

    if (len
        && jwt_decode(&jwt, (char *) token, t->key, (int) t->key_len) == 0
        && jwt_get_alg(jwt) == t->alg)
    {
        claims = jwt_get_grants_json(jwt, NULL);

        if (claims) {
            puts(claims);
            free(claims);
            rc = 0;
        }

    } else {
        fprintf(stderr, "gw-token: the token does not verify by %s\n",
                t->alg_name);
    }

    jwt_free(jwt);
    free(token);

    return rc;
}
