#!/bin/sh

# Copyright (C) The nginx gateway modules authors

# The checkers of tools/ must be seen to fail: each case changes a small tree
# that passes in one place and expects one message.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
tools=$(cd "$here/../../tools" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

total=0
failed=0


# a tree that passes all of them

tree() {
    rm -rf "$dir/tree"
    mkdir -p "$dir/tree/src" "$dir/tree/docs" "$dir/tree/objs"
    cd "$dir/tree"

    cat > src/gw_base.h << 'END'
#ifndef _GW_BASE_H_INCLUDED_
#define _GW_BASE_H_INCLUDED_
#include <stddef.h>
typedef struct { size_t len; } gw_str_t;
#endif
END
    cat > src/gw_jwk.h << 'END'
#ifndef _GW_JWK_H_INCLUDED_
#define _GW_JWK_H_INCLUDED_
#include "gw_base.h"
int gw_jwk(gw_str_t *s);
#endif
END
    cat > src/gw_jwk.c << 'END'
#include "gw_jwk.h"
#include <openssl/evp.h>
/* as ngx_http_request_t would, but without ngx_core.h */
static const char *name = "ngx_string";
END
    cat > src/ngx_gw_resp.c << 'END'
#include "gw_base.h"
#include <ngx_core.h>
#include <hiredis/hiredis.h>
END
    cat > src/ngx_http_gw_util.c << 'END'
#include "gw_base.h"
#include <ngx_http.h>
END
    cat > ngx_http_gw_auth_module.c << 'END'
#include <ngx_http.h>
#include "gw_jwk.h"
static ngx_command_t  ngx_http_gw_auth_commands[] = {

    { ngx_string("gw_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF
                        |NGX_CONF_1MORE,
      ngx_http_gw_auth,
      0, 0, NULL },

    { ngx_string("gw_auth_provider"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_gw_auth_provider,
      0, 0, NULL },

      ngx_null_command
};
static const ngx_http_gw_auth_provider_param_t
    ngx_http_gw_auth_provider_params[] =
{
    { ngx_string("issuer"), 1, 1,
      ngx_http_gw_auth_provider_issuer },

    { ngx_null_string, 0, 0, NULL }
};
static ngx_http_variable_t  ngx_http_gw_auth_vars[] = {
    { ngx_string("gw_subject"), NULL, ngx_http_gw_auth_variable, 0, 0, 0 },
    { ngx_string("gw_claim_"), NULL, ngx_http_gw_auth_claim, 0, 0, 0 },
      ngx_http_null_variable
};
static char *x = "ttl=", *y = "mode=fast";
END
    cat > docs/ngx_http_gw_auth_module.md << 'END'
# The auth module

```nginx
gw_auth_provider a { }
location / { gw_auth a; }
```

## Directives

### gw_auth

Syntax:  gw_auth NAME ... [ttl=TIME] [mode=fast|slow] | off;
Default: gw_auth off;
Context: http, server, location
Phase:   access

### gw_auth_provider

Syntax:  gw_auth_provider NAME { ... }
Default: -
Context: http
Phase:   -

#### issuer

Syntax:  issuer URI;
Default: -

## Embedded variables

* `$gw_subject`: who calls
* `$gw_claim_NAME`: a claim

## Else
END
}


# good NAME CHECKER ARGS; bad NAME MESSAGE CHECKER ARGS

good() {
    name=$1
    shift
    total=$((total + 1))

    if ! "$@" > "$dir/out" 2>&1; then
        echo "$name: does not pass"
        cat "$dir/out"
        failed=$((failed + 1))
    fi
}

bad() {
    name=$1
    message=$2
    shift 2
    total=$((total + 1))

    if "$@" > "$dir/out" 2>&1; then
        echo "$name: passes"
        failed=$((failed + 1))

    elif ! grep -qF -- "$message" "$dir/out"; then
        echo "$name: no \"$message\" in"
        cat "$dir/out"
        failed=$((failed + 1))
    fi

    tree
}


# layers

layers() {
    "$tools/layers.sh" "$dir/tree"
}

tree
good "layers" layers

printf '#include "ngx_gw.h"\n' >> src/gw_jwk.c
bad "pure file includes up" "points up: gw_jwk -> ngx_gw" layers

printf '#include <ngx_core.h>\n' >> src/gw_jwk.c
bad "pure file includes nginx" "a header of nginx" layers

printf 'ngx_str_t  s;\n' >> src/gw_jwk.c
bad "pure file names nginx" "a name of nginx: ngx_str_t" layers

printf '#include <unistd.h>\n' >> src/gw_jwk.c
bad "pure file makes system calls" "makes no system calls" layers

printf '#include "gw_lease.h"\n' >> src/gw_jwk.c
bad "unlisted arrow" "not listed: gw_jwk -> gw_lease" layers

printf '#include <ngx_http.h>\n' >> src/ngx_gw_resp.c
bad "second layer includes HTTP" "HTTP below its layer" layers

printf 'ngx_http_request_t  *r;\n' >> src/ngx_gw_resp.c
bad "second layer names HTTP" "a name of HTTP" layers

printf '#include "ngx_http_gw_wait.h"\n' >> src/ngx_gw_resp.c
bad "second layer includes up" "points up: ngx_gw_resp -> ngx_http" layers

printf '#include <openssl/evp.h>\n' >> src/ngx_gw_resp.c
bad "unlisted library" "not listed: ngx_gw_resp -> openssl" layers

printf '#include <openssl/evp.h>\n' >> src/gw_jwk.h
bad "library in a header" "a header of a library in a header" layers

printf '#include "ngx_http_gw_auth_module.h"\n' >> src/ngx_http_gw_util.c
bad "module included" "a module is included" layers

printf 'x = ngx_http_gw_usage_module;\n' >> ngx_http_gw_auth_module.c
bad "module names another" "a name of another module" layers

printf 'x = ngx_http_gw_auth_module;\n' >> src/ngx_http_gw_util.c
bad "helper names a module" "a name of another module" layers

printf '#include "ngx_http_gw_usage_conf.h"\n' >> ngx_http_gw_auth_module.c
bad "part of a module" "a part of another module is included" layers

printf '\n' > src/other.c
bad "file without a layer" "a file of no layer" layers


# docs

docs() {
    "$tools/docs-check.pl" "$dir/tree"
}

page=docs/ngx_http_gw_auth_module.md

edit() {
    sed "$1" "$2" > "$2.new"
    ! cmp -s "$2" "$2.new" || { echo "no change: $1"; exit 1; }
    mv "$2.new" "$2"
}

good "docs" docs

rm $page
bad "no page" "missing" docs

edit 's/"gw_auth")/"gw_auth_more")/' ngx_http_gw_auth_module.c
bad "undocumented directive" "gw_auth_more is not documented" docs

edit 's/"gw_auth")/"gw_auth_more")/' ngx_http_gw_auth_module.c
bad "documented without directive" "there is no directive gw_auth" docs

edit 's/Context: http, server, location/Context: http, server/' $page
bad "wrong context" "context of gw_auth is \"http, server, location\"" docs

edit '/^Phase:   access/d' $page
bad "missing field" "gw_auth has no Phase" docs

edit 's/^Default: gw_auth off;/Phase: x/; s/^Phase:   a.*/Default: x/' $page
bad "order of fields" "out of order" docs

edit 's/Syntax:  gw_auth NAME/Syntax:  gw_auths NAME/' $page
bad "wrong syntax" "Syntax of gw_auth is" docs

edit 's/^### gw_auth$/### gw_auth_x/; s/^### gw_auth_provider$/### gw_auth/
      s/^### gw_auth_x$/### gw_auth_provider/' $page
bad "alphabetical order" "gw_auth stands after gw_auth_provider" docs

edit 's/^#### issuer/#### issuers/' $page
bad "undocumented member" "\"issuer\" of gw_auth_provider is not" docs

edit 's/"issuer"/"audience"/' ngx_http_gw_auth_module.c
bad "documented without member" "gw_auth_provider has no \"issuer\"" docs

edit '/gw_claim/d' $page
bad "undocumented variable" "\$gw_claim_ is not documented" docs

edit '/gw_subject/d' ngx_http_gw_auth_module.c
bad "documented without variable" "there is no variable \$gw_subject" docs

edit 's/ttl=/tt=/' $page
bad "undocumented parameter" "\"ttl=\" is not documented" docs

edit 's/mode=/fast=/' $page
bad "undocumented value" "\"mode=\" is not documented" docs

edit 's/{ gw_auth a/{ gw_auths a/' $page
bad "example" "there is no directive gw_auths" docs


# headers

headers() {
    NGX_OBJS="$dir/tree/objs" "$tools/headers.sh" "$dir/tree"
}

good "headers" headers

edit '/gw_base.h/d' src/gw_jwk.h
bad "leaning header" "src/gw_jwk.h does not compile alone" headers

edit '/GW_BASE_H/d; /endif/d' src/gw_base.h
bad "header without a guard" "src/gw_base.h does not compile alone" headers

edit 's/stddef.h/ngx_core.h/' src/gw_base.h
bad "pure header with nginx" "src/gw_base.h does not compile alone" headers


# symbols

module() {
    printf '%s\n' 'int ngx_modules, ngx_module_names, ngx_module_order;' "$1" \
    | ${CC:-cc} -shared -fPIC -o ngx_http_gw_auth_module.so -x c -
}

symbols() {
    "$tools/symbols.sh" "$dir/tree/ngx_http_gw_auth_module.so"
}

module 'int ngx_http_gw_auth_module;'
good "symbols" symbols

module 'int ngx_http_gw_auth_module; int gw_jwt_parse;'
bad "exported function" "exports \"gw_jwt_parse\"" symbols

module 'int gw_auth;'
bad "no module" "does not export \"ngx_http_gw_auth_module\"" symbols

bad "no file" "ngx_http_gw_auth_module.so" symbols


# scripts

lua2h() {
    printf '%s' "$1" > a-b.lua
    "$tools/lua2h.pl" a-b.lua > a.h
    sha=$(sha1sum < a-b.lua)
    {
        echo '#include <stdio.h>'
        echo '#include <string.h>'
        echo '#include "a.h"'
        echo 'int main(void) {'
        echo 'fwrite(GW_SCRIPT_A_B_TEXT, 1, GW_SCRIPT_A_B_LEN, stdout);'
        echo "return strcmp(GW_SCRIPT_A_B_SHA1, \"${sha%% *}\")"
        echo '|| sizeof(GW_SCRIPT_A_B_TEXT) - 1 != GW_SCRIPT_A_B_LEN; }'
    } > a.c
    ${CC:-cc} -std=c11 -Wall -Wextra -Wtrigraphs -Werror -o a a.c
    ./a | cmp - a-b.lua && ./a > /dev/null
}

good "script with a quote, a trigraph, a tab and no newline" \
    lua2h 'return "\\n??/'"$(printf '\t\303\2511')\""

printf '' > a.lua
bad "empty script" "empty" "$tools/lua2h.pl" a.lua

printf 'return 1' > a.lua
cp a.lua src/a.lua
bad "two scripts of one name" "twice" "$tools/lua2h.pl" a.lua src/a.lua


# style has snippets of its own

good "style" "$tools/style.pl" --self-test "$here/style.txt"
sed 's/^=== todo.*/=== none src\/gw_x.c/' "$here/style.txt" > style.txt
bad "style, a snippet that fails" '"none" expected, "todo" found' \
    "$tools/style.pl" --self-test style.txt

echo "checkers: $total cases, $failed failed"

[ "$failed" -eq 0 ]
