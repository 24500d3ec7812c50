#!/bin/bash

# Copyright (C) The nginx gateway modules authors

# Servers for tests and for "make run", on loopback:
#
#     tools/server.sh start redis|redis-tls|sentinel|cluster DIR
#     tools/server.sh start kafka|mock-kafka|broker DIR
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
# redis.sh tells more of the kinds of Redis.
#
# Kafka is one node in KRaft mode and creates topics as they are named;
# mock-kafka is librdkafka's mock broker, in memory; DIR/control is a pipe
# into which its commands are written (tools/gw-kafka-mock.c).  "broker" is
# Kafka, or without Java or if GW_KAFKA=mock its mock, and says so; DIR/kind
# tells which.  KAFKA_ARCHIVE=no makes the first stop of a Kafka quick.
#
# The key set that auth-service shows is DIR/jwks.json, if it is there, and
# what it remembers is in DIR/tokens.

set -euo pipefail

. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/redis.sh"

archive=$cache/kafka/kafka.jsa

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


broker_kind() {
    if [ -s "$dir/kind" ]; then
        cat "$dir/kind"

    elif [ "${GW_KAFKA-}" != mock ] \
        && "$root/tools/kafka-libs.sh" > /dev/null
    then
        echo kafka

    else
        say "using librdkafka's mock broker instead of Kafka"
        echo mock-kafka
    fi
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

    if [ -f "$1/kafka.jsa" ]; then
        mv -f "$1/kafka.jsa" "$archive"
    fi
}


signal() {
    local pid time

    if alive "$2"; then
        read -r pid time < "$2/pid"
        kill "-$1" "$pid" 2> /dev/null || true
    fi
}


# free_port [N]: below the range from which outgoing connections get theirs

free_port() {
    perl -MIO::Socket::INET -e '
        my @found;

        for (1 .. 1000) {
            my $port = 10000 + int rand 20000;

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


# chooses its port itself; takes its orders, such as "down 1", from a pipe

launch_mock-kafka() {
    local input=$dir/control

    rm -f "$input"
    mkfifo "$input"

    in_background "$build/bin/gw-kafka-mock" -t gw.usage
}


check_mock-kafka() {
    port=$(sed -n 's/^127\.0\.0\.1:\([0-9]*\)$/\1/p' "$dir/log")

    [ -n "$port" ] && kafka_acknowledges && echo "$port" > "$dir/port"
}


launch_kafka() {
    local libs java controller

    libs=$("$root/tools/kafka-libs.sh") || exit 1

    java=( java -Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
           -Dlog4j2.configurationFile="$root/tools/kafka/log4j2.properties" )

    # the first broker that ends leaves its loaded classes to all later ones,
    # which start in half the time; it takes some seconds to do so

    if [ -f "$archive" ]; then
        java+=( -XX:SharedArchiveFile="$archive" )
    fi

    if [ ! -f "$dir/data/meta.properties" ]; then
        controller=$(free_port)

        kafka_properties "$controller" > "$dir/server.properties"
        rm -rf "$dir/data"

        "${java[@]}" -cp "$libs/*" kafka.tools.StorageTool format \
            -t "$(uuid)" -c "$dir/server.properties" >> "$dir/log" 2>&1 \
            || return 0
    fi

    if [ ! -f "$archive" ] && [ "${KAFKA_ARCHIVE-}" != no ]; then
        java+=( -XX:ArchiveClassesAtExit="$dir/kafka.jsa" )
    fi

    in_background "${java[@]}" -cp "$libs/*" kafka.Kafka \
        "$dir/server.properties"
}


# the session bounds how soon it serves again after a kill -9

kafka_properties() {
    cat << END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$1
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$1
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$dir/data
num.partitions=3
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
END
}


uuid() {
    perl -MMIME::Base64=encode_base64url -e '
        open my $fh, "<", "/dev/urandom"; read $fh, my $id, 16;
        $id =~ s/^[\xf8-\xff]/A/; print encode_base64url($id)'
}


check_kafka() {
    grep -q 'Kafka Server started' "$dir/log" && kafka_acknowledges
}


# an open port is not enough

kafka_acknowledges() {
    echo ready | timeout 10 kcat -P -b "127.0.0.1:$port" -t gw.ready \
        -X message.timeout.ms=5000 > /dev/null 2>&1
}


main "$@"
