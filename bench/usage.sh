#!/bin/bash

# Copyright (C) The nginx gateway modules authors

set -euo pipefail

usage() {
    cat << 'END'
Measures usage events against their budgets, and beside what else brings one
event per request to Kafka.

    bench/usage.sh [-r ROUNDS] [-s SECONDS] [-c CONNECTIONS] [-n EVENTS]

    -r    rounds, 4 by default; what is compared runs once in each, and every
          second round goes backwards
    -s    seconds of load for each in a round, 1 by default; some take two or
          three times that
    -c    connections of wrk, 32 by default
    -n    events in the journal that is replayed, 1000000 by default

Everything runs on free ports of 127.0.0.1 and writes to build/bench-usage only.
The parts:

    append  what the pure parts of an event take, by themselves, with other work
            between that takes the caches away: in the log phase, and for the
            table of requests in flight.  Then what the event loop's thread
            uses for a metered request more than for one that is not, no
            upstream in both, with a broker that can't be reached: so nothing
            is sent, and the rest is admission, event, journal.
    busy    CPU that all threads of the worker use for a request more than for
            the same proxying without usage, events to Kafka included.  Beside
            it the same events by nginx's Lua module and its Kafka client
            (what waits is in memory: lost with the worker), and by an access
            log in JSON that rsyslog follows, its CPU included.  Both peers are
            downloaded and not installed; left out if they can't be had.
    calm    the same at about 1000 requests a second
    replay  a journal that a dead worker left goes to Kafka by one worker:
            events per second from the start of nginx until all are
            acknowledged and the journal is gone, how many are in Kafka, and
            the worker's resident memory meanwhile.  What a living worker sends
            goes the same way.

All of these, and what they are compared with, tell the client $request_id,
as gateways do; what nginx needs to make it is a figure of its own, "id".

Debian's Kafka client for Lua can't talk to Kafka 4, so bench/sink.pl takes its
messages, without keeping them.  A peer's figure does not depend on it.

Figures are medians of the rounds, each round compared within itself, and in
parentheses the least and the most.  A missed budget is marked.  The run fails
if a response is not the expected one, or if an event is missing in Kafka.
END
}

. "$(dirname "$0")/lib.sh"

out=$build/bench-usage

rounds=4
seconds=1
connections=32
events=1000000

# with this pause, some 1000 requests a second

calm_connections=20
calm_pause=19

replays=2

lua_packages="libnginx-mod-http-lua libnginx-mod-http-ndk libluajit2-5.1-2
              lua-resty-core lua-resty-lrucache lua-cjson lua-nginx-kafka"
log_packages="rsyslog rsyslog-kafka libestr0 libfastjson4 liblognorm5"


main() {
    local option wrong=0

    [ "${1-}" != --help ] || set -- -h

    while getopts r:s:c:n:h option; do
        case $option in
            r) rounds=$OPTARG ;;
            s) seconds=$OPTARG ;;
            c) connections=$OPTARG ;;
            n) events=$OPTARG ;;
            h) usage; exit 0 ;;
            *) usage >&2; exit 2 ;;
        esac
    done

    trap 'stop_peers; finish' EXIT
    trap 'exit 1' HUP INT TERM

    prepare

    measure_all
    report
    count_all || wrong=1
    stop_peers

    replay || wrong=1

    return $wrong
}


prepare() {
    [ ! -d "$out" ] || finish
    rm -rf "$out"
    mkdir -p "$out"

    : > "$out/results"

    start_kafka
    make_tail
    start_nginx upstream upstream.conf

    start_gateway bare
    start_gateway id
    start_gateway usage

    # nobody listens there

    mkdir -p "$out/nowhere"
    free_port > "$out/nowhere/port"
    start_gateway away

    start_log
    start_lua
}


# the parts of a variant; the names of all peers are in $peers

parts_of() {
    case $1 in
        bare)           echo none ;;
        away | replay*) echo "usage id" ;;
        *)              echo "$1 id" ;;
    esac
}


# start_nginx NAME TEMPLATE

start_nginx() {
    local dir=$out/$1 broker=kafka

    mkdir -p "$dir"
    free_port > "$dir/port"

    [ "$1" != away ] || broker=nowhere

    awk -v names=" $(parts_of "$1") " '
        match($0, / *#: .*/) {
            name = substr($0, RSTART)
            sub(/.*#: /, "", name)
            if (index(names, " " name " ")) print substr($0, 1, RSTART - 1)
            next
        }
        { print }' "$root/bench/$2" \
    | sed -e "s,@dir@,$dir,g" -e "s,@modules@,$build/modules,g" \
          -e "s,@port@,$(< "$dir/port"),g" -e "s,@bench@,$root/bench,g" \
          -e "s,@upstream@,$(cat "$out/upstream/port"),g" \
          -e "s,@kafka@,$(< "$out/$broker/port"),g" \
          -e "s,@topic@,gw.bench.$1,g" -e "s,@lua@,${lua-},g" \
          -e "s,@sink@,$(cat "$out/sink/port" 2> /dev/null),g" \
          -e "s,@cpath@,${cpath-},g" -e "s,@tail@,$(< "$out/tail"),g" \
        > "$dir/nginx.conf"

    launch_nginx "$dir" "X-Key: probe"
}


start_gateway() {
    start_nginx "$1" usage.conf
}


start_log() {
    local dir=$out/rsyslog log

    log=

    # shellcheck disable=SC2086

    if ! log=$(unpack "rsyslog" $log_packages); then
        say "no rsyslog: going on without"
        return
    fi

    start_gateway log
    mkdir -p "$dir"

    sed -e "s,@dir@,$dir,g" -e "s,@log@,$out/log/usage.log,g" \
        -e "s,@kafka@,$(< "$out/kafka/port"),g" \
        -e "s,@topic@,gw.bench.log,g" \
        "$root/bench/rsyslog.conf" > "$dir/rsyslog.conf"

    LD_LIBRARY_PATH=$log/lib "$log/usr/sbin/rsyslogd" -n -C \
        -M "$(echo "$log"/usr/lib/*/rsyslog)" -f "$dir/rsyslog.conf" \
        -i "$dir/rsyslogd.pid" < /dev/null > "$dir/output" 2>&1 &
    echo $! > "$dir/shipper"

    log_version=$(version_of rsyslog "$log")
    peers="$peers log"
}


start_lua() {
    local dir=$out/sink

    # shellcheck disable=SC2086

    if ! lua=$(unpack "lua-kafka-$(nginx -v 2>&1 | sed 's,.*/,,')" \
                   $lua_packages)
    then
        say "no Lua module for this nginx: going on without"
        return
    fi

    cpath=$(echo "$lua"/usr/lib/*/lua/5.1)

    mkdir -p "$dir"
    free_port > "$dir/port"

    "$root/bench/sink.pl" "$(< "$dir/port")" "$dir/count" \
        < /dev/null > "$dir/output" 2>&1 &
    echo $! > "$dir/shipper"

    export LD_LIBRARY_PATH=$lua/lib
    start_gateway lua
    unset LD_LIBRARY_PATH

    lua_version=$(version_of lua-nginx-kafka "$lua")
    peers="$peers lua"
}


# version_of PACKAGE DIR

version_of() {
    local file

    file=$(echo "$2/$1"_*.deb)
    file=${file#*_}
    file=${file%%_*}
    echo "${file/\%3a/:}"
}


stop_peers() {
    local file

    for file in "$out"/*/shipper; do
        [ -e "$file" ] || continue
        kill "$(< "$file")" 2> /dev/null || true
        wait "$(< "$file")" 2> /dev/null || true
        rm -f "$file"
    done
}


# load

measure_all() {
    local round list order name

    list="busy-bare busy-id busy-usage here-id here-away
          calm-bare calm-id calm-usage"

    for name in $peers; do
        list="$list busy-$name calm-$name"
    done

    # what happens once is not measured

    for name in bare id usage away $peers; do
        run_wrk "$name" / "$connections" 0 1
        count_requests "$name"
    done

    for ((round = 1; round <= rounds; round++)); do
        order=$list

        if ((round % 2 == 0)); then
            order=$(reversed "$list")
        fi

        "$build/bin/bench-usage_append" -b | sed "s/^/$round append /" \
            >> "$out/results"

        for name in $order; do
            say "round $round of $rounds, $name"

            measure "${name%-*}" "${name#*-}" \
                | sed "s/^/$round $name /" >> "$out/results"
        done
    done
}


# results: round, name, CPU of all threads, of the worker's first one, both per
# request, requests per second

measure() {
    local worker before after requests us

    worker=$(< "$out/$2/worker")

    settle "$2"
    before="$(used "$2") $(cpu_of_loop "$worker")"

    case $1 in
        busy) run_wrk "$2" / "$connections" 0 "$seconds" ;;
        here) run_wrk "$2" /here "$connections" 0 $((2 * seconds)) ;;
        calm) run_wrk "$2" / $calm_connections $calm_pause $((3 * seconds)) ;;
    esac

    settle "$2"
    after="$(used "$2") $(cpu_of_loop "$worker")"

    count_requests "$2"
    read -r requests us _ < "$out/wrk.result"

    awk -v n="$requests" -v us="$us" -v figures="$before $after" '
        BEGIN {
            split(figures, f, " ")
            printf "%.3f %.3f %.0f\n", (f[3] - f[1]) / n, (f[4] - f[2]) / n,
                   n * 1000000 / us
        }'
}


# of the last load, all of which have to be answered

count_requests() {
    local requests us refused failures

    read -r requests us refused failures < "$out/wrk.result"

    if [ "$refused" != 0 ] || [ "$failures" != 0 ] || [ "$requests" = 0 ]; then
        tail -n 5 "$out/$1/error.log" >&2
        die "$((refused + failures)) of $requests requests to \"$1\" failed"
    fi

    echo "$requests" >> "$out/$1/requests"
}


# run_wrk SERVER PATH CONNECTIONS PAUSE SECONDS

run_wrk() {
    KEYS=1000 PAUSE=$4 wrk -t 1 -c "$3" -d "${5}s" \
        -s "$root/bench/keys.lua" \
        "http://127.0.0.1:$(< "$out/$1/port")$2" > "$out/wrk.log" 2>&1 \
        || { cat "$out/wrk.log" >&2; die "wrk failed"; }

    sed -n 's/^RESULT //p' "$out/wrk.log" > "$out/wrk.result"
}


# by the worker, and by the shipper that belongs to it

used() {
    local n

    n=$(cpu "$(< "$out/$1/worker")")

    if [ "$1" = log ]; then
        n=$((n + $(cpu "$(< "$out/rsyslog/shipper")")))
    fi

    echo "$n"
}


cpu_of_loop() {
    if [ -s "/proc/$1/task/$1/schedstat" ]; then
        awk '{ printf "%.0f\n", $1 / 1000 }' "/proc/$1/task/$1/schedstat"
    else
        sed 's/.*) //' "/proc/$1/task/$1/stat" \
            | awk -v hz="$(getconf CLK_TCK)" \
                '{ printf "%.0f\n", ($12 + $13) * 1000000 / hz }'
    fi
}


# idle: less than 1 % of a CPU for longer than any of them waits for a batch

settle() {
    local end=$((SECONDS + 20)) quiet=0 last now

    now=$(used "$1")

    while [ $quiet -lt 4 ] && [ $SECONDS -lt $end ]; do
        last=$now
        sleep 0.3
        now=$(used "$1")

        quiet=$((now - last < 3000 ? quiet + 1 : 0))
        [ "$1" = lua ] || [ "$1" = log ] || [ $quiet -lt 1 ] || break
    done
}


report() {
    printf '\nnginx %s, %s%s%s; ' "$(nginx -v 2>&1 | sed 's,.*/,,')" \
        "$kafka" "${log_version+, rsyslog $log_version}" \
        "${lua_version+, lua-nginx-kafka $lua_version}"
    printf '%d CPUs; %d rounds of %d s, %d connections\n\n' \
        "$(nproc)" "$rounds" "$seconds" "$connections"

    values append 4 5 | row "pure parts, in the log phase: ns" "%.0f" "" 1500
    values append 3 6 | row "pure parts, table in flight: ns" "%.0f" "" 300
    extra here-away here-id 4 \
        | row "event loop, both, nothing sent, adds: us" "%.2f" "" 1.8

    echo

    values busy-bare 3 | row "busy, no usage: CPU us a request" "%.2f"
    extra busy-id busy-bare 3 | row "busy, id adds: us" "%.2f"
    extra busy-usage busy-id 3 | row "busy, usage adds: us" "%.2f"
    extra_peers busy

    echo

    values calm-id 5 | row "calm: requests/s" "%.0f"
    values calm-bare 3 | row "calm, no usage: CPU us a request" "%.2f"
    extra calm-id calm-bare 3 | row "calm, id adds: us" "%.2f"
    extra calm-usage calm-id 3 | row "calm, usage adds: us" "%.2f"
    extra_peers calm
    extra calm-usage calm-id 3 | awk '{ print $1 / 10 }' \
        | row "usage at 1000 events/s: % of a core" "%.2f" "" 1

    echo
}


extra_peers() {
    local name

    for name in $peers; do
        extra "$1-$name" "$1-id" 3 | row "$1, $name adds: us" "%.2f"
        awk -v a="$1-usage" -v b="$1-id" -v c="$1-$name" '
            { cpu[$1, $2] = $3 }
            $2 == a { rounds++ }
            END {
                for (r = 1; r <= rounds; r++) {
                    print (cpu[r, a] - cpu[r, b]) / (cpu[r, c] - cpu[r, b])
                }
            }' "$out/results" | row "usage adds / $name adds" "%.2f"
    done
}


# values NAME FIELD...: of each round, the sum of the fields

values() {
    local name=$1

    shift
    awk -v name="$name" -v fields="$*" '
        $2 == name {
            sum = 0
            n = split(fields, f, " ")
            for (i = 1; i <= n; i++) sum += $f[i]
            print sum
        }' "$out/results"
}


# extra A B FIELD: of each round, what A needs more than B

extra() {
    awk -v a="$1" -v b="$2" -v field="$3" '
        $2 == a || $2 == b { value[$1, $2] = $field }
        $2 == a { rounds++ }
        END {
            for (r = 1; r <= rounds; r++) print value[r, a] - value[r, b]
        }' "$out/results"
}


# row TEXT FORMAT LEAST MOST: the values are read, the latter two are a budget

row() {
    sort -g | awk -v text="$1" -v format="$2" -v least="${3-}" \
        -v most="${4-}" '
        { list[NR] = $1 }
        END {
            m = int((NR + 1) / 2)
            m = NR % 2 ? list[m] : (list[m] + list[m + 1]) / 2
            budget = ""
            if (least != "") budget = ">= " least (m < least ? "  MISSED" : "")
            if (most != "") budget = "<= " most (m > most ? "  MISSED" : "")
            printf "%-42s %9s  %-19s %s\n", text, sprintf(format, m),
                   sprintf("(" format " - " format ")", list[1], list[NR]),
                   budget
        }'
}


# what came, of what was answered; the generation's marks come on top

count_all() {
    local name requests came wrong=0

    for name in usage $peers; do
        requests=$(awk '{ n += $1 } END { print n + 0 }' \
                       "$out/$name/requests")

        case $name in
            lua) came=$((10#$(< "$out/sink/count"))) ;;
            *)   came=$(events_in "gw.bench.$name") ;;
        esac

        printf '%s: %d requests answered, %d events\n' "$name" \
            "$requests" "$came"

        # peers may lose some, that is theirs

        if [ "$name" = usage ] && [ "$came" -lt "$requests" ]; then
            tail -n 5 "$out/usage/error.log" >&2
            wrong=1
        fi
    done

    # what is dropped costs less

    ! grep -q 'events dropped' "$out/away/error.log" \
        || say "the disk is slow: \"event loop\" is too good"

    return $wrong
}


# a journal of the dead

replay() {
    local round

    for ((round = 1; round <= replays; round++)); do
        say "replay $round of $replays"
        replay_once replay$round || return 1
    done

    awk '{ print $1 }' "$out/replays" \
        | row "replay, one worker to Kafka: events/s" "%.0f" 100000 ""
    awk '{ print $7 / $5 }' "$out/replays" \
        | row "memory, second half / first half" "%.2f" "" 1.1
    awk '{
        printf "replay %d: %d events and %d marks in Kafka; resident MiB: " \
               "start %.0f, most in the first half %.0f, in the middle %.0f, " \
               "most in the second half %.0f, end %.0f\n", NR, $2, $3,
               $4 / 1024, $5 / 1024, $6 / 1024, $7 / 1024, $8 / 1024
    }' "$out/replays"
}


replay_once() {
    local dir=$out/$1 generation start end came

    mkdir -p "$dir/journal"

    generation=$("$build/bin/bench-usage_append" "$dir/journal" bench \
                     "gw.bench.$1" "$events")

    start=$(date +%s%N)
    start_gateway "$1"
    watch_memory "$1" "$generation"
    end=$(date +%s%N)

    sleep 1
    came=$(events_in "gw.bench.$1")

    # what else came: the marks, and the request that saw it start

    awk -v n="$events" -v came="$came" -v ns=$((end - start)) '
        { kb[NR] = $1 }
        END {
            half = int(NR / 2)
            for (i = 1; i <= NR; i++) {
                if (i <= half && kb[i] > first) first = kb[i]
                if (i > half && kb[i] > second) second = kb[i]
            }
            print n * 1e9 / ns, n, came - n, kb[1], first, kb[half], second,
                  kb[NR]
        }' "$dir/memory" >> "$out/replays"

    [ "$came" -ge "$events" ] || { say "events are missing"; return 1; }
}


# until the journal of the generation is gone

watch_memory() {
    local dir=$out/$1 worker until=$((SECONDS + 60))

    worker=$(< "$dir/worker")

    while [ -e "$dir/journal/$2.lock" ]; do
        sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$worker/status" \
            >> "$dir/memory"
        sleep 0.1

        if [ $SECONDS -ge $until ]; then
            tail -n 5 "$dir/error.log" >&2
            die "the journal is not drained"
        fi
    done
}


peers=

main "$@"
