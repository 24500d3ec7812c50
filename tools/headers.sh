#!/bin/sh

# Copyright (C) The nginx gateway modules authors

# Compiles each header of src alone, and twice, so that none leans on what
# its users include before it.  Headers of the pure layer see no nginx.
#
#     tools/headers.sh [DIR]        DIR is the tree, the current one by default
#
# NGX_OBJS is the directory of ngx_auto_config.h; by default the one under
# build of the tree.  Without a configured nginx the check fails.

set -eu

cd "${1:-.}"

objs=${NGX_OBJS:-}

if [ -z "$objs" ]; then
    objs=$(find build -name ngx_auto_config.h 2>/dev/null | sort | head -n 1)
    objs=${objs%/*}
fi

if [ -z "$objs" ]; then
    echo "headers: no configured nginx under build, run \"make\" first"
    exit 1
fi

for top in "${NGINX_SRC:-}" "$objs/.." /usr/share/nginx/src; do
    if [ -n "$top" ] && [ -e "$top/src/core/ngx_core.h" ]; then
        break
    fi
done

flags="-fsyntax-only -Wall -Wextra -Werror -x c"
failed=0

for header in src/*.h; do

    set -- -I src -I build/gen

    case "$header" in
    src/ngx_*)
        for dir in core event event/modules event/quic os/unix http \
                   http/modules http/v2 http/v3
        do
            set -- "$@" -isystem "$top/src/$dir"
        done
        set -- "$@" -isystem "$objs"
        ;;
    esac

    # shellcheck disable=SC2086    # the flags are words
    if ! printf '#include "%s"\n#include "%s"\n' \
             "${header#src/}" "${header#src/}" \
         | ${CC:-cc} $flags "$@" -
    then
        echo "headers: $header does not compile alone"
        failed=1
    fi
done

exit $failed
