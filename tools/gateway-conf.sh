#!/bin/bash

# Copyright (C) The nginx gateway modules authors

# Makes a folder in which a configuration of conf/ runs as it is, except for
# ports and folders:
#
#     tools/gateway-conf.sh DIR [FILE]
#     nginx -p DIR -c conf/gateway.conf
#
# DIR gets conf/, with the keys the file names, modules/ and logs/.  The
# ports of conf/gateway.conf (8080, 6379, 9092, 8081, 8082) are replaced by
# those in the environment: GW_PORT REDIS_PORT KAFKA_PORT UPSTREAM_PORT
# AUTH_PORT, and GW_LISTEN replaces the address to listen on.  GW_MODULES says
# where the modules are, "none" that they are linked in.  The journal of usage
# is in DIR/usage, its tails in GW_TAIL.

set -euo pipefail

. "$(dirname "$0")/lib.sh"

mkdir -p "$1"
dir=$(cd "$1" && pwd)
file=${2:-$root/conf/gateway.conf}
modules=${GW_MODULES:-$build/modules}
listen=${GW_LISTEN:+$GW_LISTEN:}${GW_PORT:-8080}


main() {
    local script

    mkdir -p "$dir/conf" "$dir/logs" "$dir/tmp"
    ln -sfn "$modules" "$dir/modules"

    "$root/tools/keys.sh" "$dir/keys"
    cp "$dir/keys/jwks.json" "$dir/conf/accounts.jwks.json"
    cp "$dir/keys/passport.pem" "$dir/conf/passport-2026-11.pem"

    script="s,127\\.0\\.0\\.1:6379,127.0.0.1:${REDIS_PORT:-6379},
        s,127\\.0\\.0\\.1:9092,127.0.0.1:${KAFKA_PORT:-9092},
        s,127\\.0\\.0\\.1:8081,127.0.0.1:${UPSTREAM_PORT:-8081},
        s,127\\.0\\.0\\.1:8082,127.0.0.1:${AUTH_PORT:-8082},
        s,listen  *8080,listen  $listen,
        s,/run/nginx.pid,logs/nginx.pid,
        s,/var/log/nginx/,logs/,
        s,/var/lib/nginx/gw-usage,usage${GW_TAIL:+ tail=$GW_TAIL},
        $(user)
        /^http {/r $dir/tmp/paths.conf"

    if [ "$modules" = none ]; then
        script+=$'\n/^load_module/d'
    fi

    paths > "$dir/tmp/paths.conf"
    sed "$script" "$file" > "$dir/conf/${file##*/}"
}


# nginx's own are where only root may write

paths() {
    local name

    for name in client_body proxy fastcgi uwsgi scgi; do
        echo "    ${name}_temp_path  tmp/$name;"
    done
    echo
}


# only root may choose, and workers have to reach the folder

user() {
    if [ "$(id -u)" != 0 ]; then
        echo '/^user /d'

    elif ! setpriv --reuid=www-data --regid=www-data --clear-groups \
        test -x "$dir/tmp" 2> /dev/null
    then
        echo 's/^user .*/user root;/'
    fi
}


main
