#!/bin/bash

# Copyright (C) The nginx gateway modules authors

# Servers for tests and for "make run", on loopback:
#
#     tools/server.sh start redis|redis-tls|sentinel|cluster DIR
#     tools/server.sh start kafka|kafka-tls|kafka-cluster DIR
#     tools/server.sh start mock-kafka|broker DIR
#     tools/server.sh start upstream|auth-service DIR
#     tools/server.sh stop DIR ...
#     tools/server.sh stop-all DIR
#
# "start" returns when the server answers, and prints its port.  All that it
# writes is in DIR: log (log.old: of earlier starts), port, and pid, with the
# time the process was started, so that a number used again is never mistaken
# for it.  A free port is chosen once; stopped and started again with the same
# DIR a server has the same port, and Kafka its data.  "stop" waits until the
# process is gone; "stop-all" stops every server started below DIR.  What
# consists of several servers has one in each of some folders in DIR.
#
# redis.sh and kafka.sh tell more of their kinds.
#
# The key set that auth-service shows is DIR/jwks.json, if it is there, and
# what it remembers is in DIR/tokens.

set -euo pipefail

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis.sh"
. "$(dirname "$0")/kafka.sh"

# Kafka takes longest, and much longer on a busy machine

ready_seconds=120


main() {
    local cmd=${1-} dir

    shift || true

    case $cmd in
        start)
            [ $# -eq 2 ] || die "usage: $0 start KIND DIR"
            start "$@" ;;
        stop)
            for dir in "$@"; do stop "$dir"; done ;;
        stop-all)
            find "$1" -name pid -type f 2> /dev/null \
                | while read -r dir; do stop "${dir%/pid}"; done ;;
        *)
            die "usage: $0 start KIND DIR | stop DIR ... | stop-all DIR" ;;
    esac
}


start() {
    local kind=$1 try fixed=0

    mkdir -p "$2"
    dir=$(cd "$2" && pwd)

    if [ "$kind" = broker ]; then
        kind=$(broker_kind)
    fi

    command -v "launch_$kind" > /dev/null || die "unknown server \"$kind\""
    echo "$kind" > "$dir/kind"

    ! running "$dir" || die "$kind is running already in $dir"
    [ ! -s "$dir/port" ] || fixed=1

    trap 'stop "$dir"' EXIT
    trap 'exit 1' HUP INT TERM

    for try in 1 2 3 4 5; do
        [ $fixed = 1 ] || free_port > "$dir/port"
        port=$(< "$dir/port")

        [ ! -s "$dir/log" ] || cat "$dir/log" >> "$dir/log.old"
        : > "$dir/log"

        if "launch_$kind" && await "$kind"; then
            trap - EXIT
            cat "$dir/port"
            return
        fi

        # another process may have taken the port in the meantime

        stop "$dir"
        [ $fixed = 0 ] || break
        cat "$dir"/*/log >> "$dir/log" 2> /dev/null || true
        grep -qi 'address already in use' "$dir/log" || break
    done

    tail -n 5 "$dir/log" >&2
    die "$kind does not start (try $try, $dir/log)"
}


# in_background COMMAND...: out of reach of the terminal's Ctrl-C, so that
# whoever started it decides when and in which order it ends

in_background() {
    local pid

    setsid "$@" 0<> "${input-/dev/null}" >> "$dir/log" 2>&1 8>&- 9>&- &
    pid=$!

    echo "$pid $(started_at "$pid")" > "$dir/pid"
}


started_at() {
    sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | cut -d ' ' -f 20
}


# one of the servers of a folder, at least

running() {
    local node

    for node in "$1" "$1"/*/; do
        ! alive "$node" || return 0
    done

    return 1
}


# the state is "Z" if its parent has not noticed yet

alive() {
    local pid='' time='' state

    [ -s "$1/pid" ] || return 1
    read -r pid time < "$1/pid"
    state=$(sed 's/.*) //' "/proc/$pid/stat" 2> /dev/null | cut -c 1)

    [ -n "$state" ] && [ "$state" != Z ] \
        && [ "$(started_at "$pid")" = "$time" ]
}


await() {
    local end=$((SECONDS + ready_seconds))

    while running "$dir"; do
        "check_$1" && return 0
        [ $SECONDS -lt $end ] || return 1
        sleep 0.02
    done

    return 1
}


stop() {
    local node end=$((SECONDS + 20))

    for node in "$1" "$1"/*/; do
        # it may have been stopped by SIGSTOP

        signal TERM "$node"
        signal CONT "$node"
    done

    for node in "$1" "$1"/*/; do
        while alive "$node"; do
            [ $SECONDS -lt $end ] || signal KILL "$node"
            sleep 0.02
        done

        rm -f "$node/pid"
    done

    keep_archive "$1"
}


signal() {
    local pid time

    if alive "$2"; then
        read -r pid time < "$2/pid"
        kill "-$1" "$pid" 2> /dev/null || true
    fi
}


# free_port [N]: below the range from which outgoing connections get theirs,
# and where TEST_NGINX_PORTS says

free_port() {
    perl -MIO::Socket::INET -e '
        my ($from, $to) = split " ", $ENV{TEST_NGINX_PORTS} || "10000 29999";
        my @found;

        for (1 .. 1000) {
            my $port = $from + int rand($to - $from + 1);

            next if $port == ($ENV{TEST_NGINX_SERVER_PORT} || 0);

            push @found, IO::Socket::INET->new(
                    LocalAddr => "127.0.0.1", Listen => 1,
                    LocalPort => $port, ReuseAddr => 1) // next;
            next if @found < $ARGV[0];

            print map { $_->sockport . "\n" } @found;
            exit;
        }

        die "no free port\n"' "${1-1}"
}


launch_upstream() {
    in_background "$root/tools/upstream" -p "$port" -l "$dir/requests"
}


check_upstream() {
    grep -q '^listening ' "$dir/log"
}


launch_auth-service() {
    in_background "$root/tools/auth-service" -p "$port" \
        -k "$dir/jwks.json" -l "$dir/requests" -t "$dir/tokens"
}


check_auth-service() {
    check_upstream
}


main "$@"
