# Copyright (C) The nginx gateway modules authors

# What the scripts of this folder share; sourced by them.  Each server has a
# folder of its own in $out, with its port, and "master" and "worker", which are
# process numbers, if it is nginx.

# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

build=$(cd "$root" && realpath -m "${BUILD:-build}")
out=$build/bench

PATH=$PATH:/usr/sbin


say() {
    printf 'bench: %s\n' "$*" >&2
}


die() {
    say "$@"
    exit 1
}


free_port() {
    perl -MIO::Socket::INET -e '
        for (1 .. 1000) {
            my $port = 10000 + int rand 20000;
            IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1,
                                  LocalPort => $port, ReuseAddr => 1)
                or next;
            print "$port\n";
            exit;
        }
        die "no free port\n"'
}


# launch_nginx DIR HEADER, which the first request needs; it has nginx.conf

launch_nginx() {
    nginx -p "$1" -e "$1/error.log" -c "$1/nginx.conf" \
        < /dev/null > "$1/output" 2>&1 &
    echo $! > "$1/master"

    await_nginx "$1" "$2"
}


await_nginx() {
    local end=$((SECONDS + 30)) master worker

    master=$(< "$1/master")

    while [ $SECONDS -lt $end ] && kill -0 "$master" 2> /dev/null; do

        worker=$(cat "/proc/$master/task/$master/children" 2> /dev/null)
        worker=${worker%% *}

        if [ -n "$worker" ] && [ "$(request "$1/port" / "$2")" = 200 ]; then
            echo "$worker" > "$1/worker"
            return
        fi

        sleep 0.05
    done

    tail -n 5 "$1/output" "$1/error.log" >&2
    die "nginx of \"${1##*/}\" does not answer"
}


# request PORT-FILE PATH HEADER: the status

request() {
    curl -s -o /dev/null -w '%{http_code}' --max-time 5 \
        -H "$3" "http://127.0.0.1:$(< "$1")$2" || true
}


finish() {
    local file pid

    for file in "$out"/*/master; do
        [ -e "$file" ] || continue
        pid=$(< "$file")

        # only what is still ours

        if is_ours "$pid" "${file%/master}"; then
            kill -TERM "$pid" 2> /dev/null || true
            while is_ours "$pid" "${file%/master}"; do
                sleep 0.05
            done
        fi

        rm -f "$file"
    done

    if [ -d "$out" ]; then
        "$root/tools/server.sh" stop-all "$out"
    fi
}


is_ours() {
    tr '\0' ' ' 2> /dev/null < "/proc/$1/cmdline" \
        | grep -qs "$2/nginx.conf"
}
