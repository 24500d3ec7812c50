# Copyright (C) The nginx gateway modules authors

# What the scripts of this folder share; sourced by them.  Each server has a
# folder of its own in $out, with its port, and "master" and "worker", which are
# process numbers, if it is nginx.

# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

build=$(cd "$root" && realpath -m "${BUILD:-build}")
out=$build/bench

# downloads, also when BUILD points elsewhere

cache=$root/build

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
    local global=()

    # a worker that is somebody else might not reach this folder

    [ "$(id -u)" != 0 ] || global=( -g "user root;" )

    nginx -p "$1" -e "$1/error.log" -c "$1/nginx.conf" "${global[@]}" \
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


# $kafka tells of which kind it is

start_kafka() {
    kafka=kafka

    if [ "${GW_KAFKA-}" = mock ] || ! command -v java > /dev/null; then
        kafka=mock-kafka
    fi

    if ! "$root/tools/server.sh" start $kafka "$out/kafka" > /dev/null; then
        [ $kafka = kafka ] || die "no Kafka"
        kafka=mock-kafka
        rm -rf "$out/kafka"
        "$root/tools/server.sh" start $kafka "$out/kafka" > /dev/null
    fi
}


# $out/tail names the folder for tails of journals; finish() removes it

make_tail() {
    mktemp -d /dev/shm/gw-bench-XXXXXX > "$out/tail"
}


# events_in TOPIC: the sum of the ends of its partitions

events_in() {
    local broker partitions p events=0 offset

    broker=127.0.0.1:$(< "$out/kafka/port")
    partitions=$(kcat -L -b "$broker" -t "$1" 2> /dev/null \
        | sed -n 's/.* with \([0-9]*\) partitions.*/\1/p')

    for ((p = 0; p < ${partitions:-0}; p++)); do
        offset=$(kcat -Q -b "$broker" -t "$1:$p:-1" 2> /dev/null \
            | sed 's/.* //')
        events=$((events + offset))
    done

    echo $events
}


# microseconds of all threads; schedstat is exact, and not in every kernel

cpu() {
    if [ -s "/proc/$1/schedstat" ]; then
        awk '{ n += $1 } END { printf "%.0f\n", n / 1000 }' \
            /proc/"$1"/task/*/schedstat
    else
        sed 's/.*) //' "/proc/$1/stat" \
            | awk -v hz="$(getconf CLK_TCK)" \
                '{ printf "%.0f\n", ($12 + $13) * 1000000 / hz }'
    fi
}


reversed() {
    printf '%s\n' "$1" | tr -s ' ' '\n' | tac | tr '\n' ' '
}


# unpack NAME PACKAGE...: prints the folder into which they were unpacked, with
# libraries in "lib".  They are not installed: modules would be loaded by the
# nginx of this machine then, and services started.

unpack() {
    local dir=$cache/$1 package

    shift

    if [ ! -d "$dir" ]; then
        rm -rf "$dir.new"
        mkdir -p "$dir.new/lib"

        for package; do
            (cd "$dir.new" && apt-get -q download "$package") \
                > "$dir.new/log" 2>&1 \
            || return 1
        done

        for package in "$dir.new"/*.deb; do
            dpkg-deb -x "$package" "$dir.new" || return 1
        done

        find "$dir.new/usr/lib" -name 'lib*.so.*' \
            -exec cp -a {} "$dir.new/lib/" \;
        mv "$dir.new" "$dir"
    fi

    echo "$dir"
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

    if [ -e "$out/tail" ]; then
        rm -rf "$(< "$out/tail")"
        rm -f "$out/tail"
    fi

    if [ -d "$out" ]; then
        "$root/tools/server.sh" stop-all "$out"
    fi
}


is_ours() {
    tr '\0' ' ' 2> /dev/null < "/proc/$1/cmdline" \
        | grep -qs "$2/nginx.conf"
}
