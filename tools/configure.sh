#!/bin/bash

# Copyright (C) The nginx gateway modules authors

# Prepares a build of the modules outside of all source trees:
#
#     tools/configure.sh DIR
#
# DIR gets links to nginx's sources, so that nothing is written there, and
# DIR/objs with nginx's own makefile.  Environment:
#
#     NGINX_SRC     nginx's source tree; the headers of nginx-dev if empty
#     NGINX_FLAGS   options of nginx's configure, for NGINX_SRC
#     GW_LINK       static, to link the modules into nginx
#     CC CFLAGS LDFLAGS

set -euo pipefail

. "$(dirname "$0")/lib.sh"

dir=$1
dev=/usr/share/nginx/src
src=${NGINX_SRC:-$dev}

if [ ! -x "$src/configure" ]; then
    die "no nginx sources in $src; install nginx-dev or set NGINX_SRC"
fi

if [ -n "${NGINX_SRC-}" ]; then
    read -r -a flags <<< "${NGINX_FLAGS-}"

else
    # what the installed nginx was configured with

    NGX_CONF_FLAGS=()

    # shellcheck disable=SC1091

    . "$dev/conf_flags"
    flags=( "${NGX_CONF_FLAGS[@]}" )
fi

if [ "${GW_LINK-}" = static ]; then
    flags+=( --add-module="$root" )
else
    flags+=( --add-dynamic-module="$root" )
fi

rm -rf "$dir/objs"
mkdir -p "$dir/objs"

for name in auto configure src conf contrib html man; do
    rm -f "$dir/$name"

    if [ -e "$src/$name" ]; then
        ln -s "$(cd "$src" && pwd)/$name" "$dir/$name"
    fi
done

cd "$dir"

# with CFLAGS in the environment nginx's configure would add none of its own

env -u CFLAGS ./configure --builddir=objs --with-cc="${CC:-cc}" \
    --with-cc-opt="${CFLAGS-}" --with-ld-opt="${LDFLAGS-}" \
    "${flags[@]}" > configure.log 2>&1 \
    || {
        tail -n 20 configure.log >&2
        die "nginx's configure failed ($dir/configure.log)"
    }
