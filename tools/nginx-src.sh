#!/bin/bash

# Copyright (C) The nginx gateway modules authors

# Prints the path of nginx's sources: NGINX_SRC, or else those of the
# distribution's package, which are fetched once into build/src.

set -euo pipefail

. "$(dirname "$0")/lib.sh"

if [ -n "${NGINX_SRC-}" ]; then
    [ -x "$NGINX_SRC/configure" ] || die "no nginx sources in $NGINX_SRC"
    cd "$NGINX_SRC"
    pwd
    exit
fi

version=$(PATH=$PATH:/usr/sbin nginx -v 2>&1 \
    | sed "s,.*nginx/\([0-9.]*\).*,\1,")
dir=$cache/src/nginx-$version

if [ ! -x "$dir/configure" ]; then
    apt=$cache/apt-src

    mkdir -p "$apt" "$cache/src"
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME-sid}")

    debian_source deb-src "$codename" > "$apt/sources.list" \
        || die "no Debian mirror known here: set NGINX_SRC"

    say "fetching the sources of nginx $version"

    {
        own_apt "$apt" apt-get -q update
        cd "$cache/src"
        own_apt "$apt" apt-get -q source --tar-only nginx
    } > "$cache/nginx-src.log" 2>&1 \
        || die "cannot fetch nginx's sources: set NGINX_SRC" \
               "($cache/nginx-src.log)"

    tar -xf "$cache/src/nginx_$version.orig.tar.gz" -C "$cache/src"
    rm -rf "$apt"
fi

echo "$dir"
