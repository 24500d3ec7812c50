#!/bin/bash

# Copyright (C) The nginx gateway modules authors

set -euo pipefail

usage() {
    cat << 'END'
Measures the rate limits against their budgets, and against the same limit
written in Lua.

    bench/ratelimit.sh [-r ROUNDS] [-s SECONDS] [-c CONNECTIONS]

    -r    rounds, 6 by default; what is compared runs once in each, and every
          second round goes backwards
    -s    seconds of load for each in a round, 1 by default
    -c    connections of wrk, 64 by default

Everything runs on free ports of 127.0.0.1 and writes to build/bench-ratelimit
only.  The parts:

    strict  CPU that the worker uses for a request which Redis decides, one of
            65536 callers, compared with the same proxying without a limit
    lua     the same with nginx's Lua module and the Redis client for it, which
            are downloaded and not installed; left out if they can't be had.
            It asks the same script as often, over kept connections, and sets
            the same header fields.
    redis   decisions per second of Redis' CPU, through the gateway and by
            redis-benchmark with the same script and arguments and as many
            commands on the way; then decisions per second of time.  These
            depend on what else needs the CPUs: the gateway and its load do.
    leased  what a request of a busy caller with a lease costs more than one
            without a limit (no upstream in both), and how often Redis is asked
    denied  how often Redis is asked for a caller who does not stop, with a
            token per 100 ms, per second, per 10 seconds
    memory  bytes of a bucket in Redis: with 2^20, which fill its hash table,
            and with one more, when the table has just doubled

Figures are medians of the rounds, each round compared within itself, and in
parentheses the least and the most.  A missed budget is marked.  The run fails
if a response is not the expected one, and for figures that a busy machine can't
change: calls of Redis, of a refused caller twice the budget, and memory.
END
}

. "$(dirname "$0")/lib.sh"

out=$build/bench-ratelimit

rounds=6
seconds=1
connections=64
callers=65536
pipeline=32

memory=1048576
memory_budget=130

lua_packages="libnginx-mod-http-lua libnginx-mod-http-ndk lua-nginx-redis
              libluajit2-5.1-2 lua-resty-core lua-resty-lrucache"


main() {
    local option wrong=0

    [ "${1-}" != --help ] || set -- -h

    while getopts r:s:c:h option; do
        case $option in
            r) rounds=$OPTARG ;;
            s) seconds=$OPTARG ;;
            c) connections=$OPTARG ;;
            h) usage; exit 0 ;;
            *) usage >&2; exit 2 ;;
        esac
    done

    trap finish EXIT
    trap 'exit 1' HUP INT TERM

    prepare

    measure_all
    report || wrong=1
    denied || wrong=1
    buckets || wrong=1

    return $wrong
}


prepare() {
    [ ! -d "$out" ] || finish
    rm -rf "$out"
    mkdir -p "$out"

    : > "$out/results"

    start_nginx upstream upstream.conf

    "$root/tools/server.sh" start redis "$out/redis" > /dev/null

    # scripts and keys are there: what happens once is not measured

    sha=$(ask redis script load "$(cat "$root/lua/take.lua")")
    take_once

    server=redis
    lease=10%
    start_nginx gateway ratelimit.conf

    # without a lease there are no heartbeats, which are scripts as well

    "$root/tools/server.sh" start redis "$out/other" > /dev/null
    server=other
    lease=off
    start_nginx denied ratelimit.conf

    server=redis

    # shellcheck disable=SC2086

    if ! lua=$(unpack "lua-$(nginx -v 2>&1 | sed 's,.*/,,')" $lua_packages)
    then
        lua=
        say "no Lua module for this nginx: going on without"
    else
        export LD_LIBRARY_PATH=$lua/lib
        start_nginx lua lua.conf
        unset LD_LIBRARY_PATH
    fi
}


# ask SERVER COMMAND...

ask() {
    local server=$1

    shift
    redis-cli -p "$(< "$out/$server/port")" "$@" | tr -d '\r'
}


# of all callers; the keys are those that redis-benchmark makes

take_once() {
    perl -e '
        my ($sha, $callers) = @ARGV;

        for my $i (0 .. $callers - 1) {
            my @command = ("EVALSHA", $sha, 1, sprintf("gw:{%012d}:calls", $i),
                           "b", 1000000, 1000000, 1, 0, 1);

            print "*10\r\n", map { "\$" . length($_) . "\r\n$_\r\n" } @command;
        }' "$sha" $callers \
    | redis-cli -p "$(< "$out/redis/port")" --pipe > "$out/redis/pipe" 2>&1 \
        || { cat "$out/redis/pipe" >&2; die "keys can't be written"; }
}


# start_nginx NAME TEMPLATE

start_nginx() {
    local dir=$out/$1

    mkdir -p "$dir"
    free_port > "$dir/port"

    sed -e "s,@dir@,$dir,g" -e "s,@modules@,$build/modules,g" \
        -e "s,@port@,$(< "$dir/port"),g" \
        -e "s,@upstream@,$(< "$out/upstream/port"),g" \
        -e "s,@redis@,$(cat "$out/${server-}/port" 2> /dev/null),g" \
        -e "s,@bench@,$root/bench,g" -e "s,@lua@,${lua-},g" \
        -e "s,@lease@,${lease-},g" \
        -e "s,@script@,$root/lua/take.lua,g" -e "s,@sha@,${sha-},g" \
        "$root/bench/$2" > "$dir/nginx.conf"

    launch_nginx "$dir" "X-Key: probe"

    [ "$1" = upstream ] || probe "$1"
}


# the limiter has to be at work

probe() {
    curl -s -D - -o /dev/null -H "X-Key: probe" \
        "http://127.0.0.1:$(< "$out/$1/port")/strict" \
        | grep -qi '^ratelimit: "calls";r=' || die "\"$1\" does not limit"
}


# load

measure_all() {
    local round list order name

    list="proxy strict"
    [ -z "$lua" ] || list="$list lua-proxy lua-strict"
    list="$list benchmark here-strict here here-leased"

    for ((round = 1; round <= rounds; round++)); do
        order=$list

        if ((round % 2 == 0)); then
            order=$(reversed "$list")
        fi

        for name in $order; do
            say "round $round of $rounds, $name"

            case $name in
                proxy)       measure proxy gateway / $callers ;;
                strict)      measure strict gateway /strict $callers ;;
                lua-proxy)   measure lua-proxy lua / $callers ;;
                lua-strict)  measure lua-strict lua /strict $callers ;;
                here)        measure here gateway /here 1 ;;
                here-strict) pin
                             measure here-strict gateway /here/strict $callers
                             unpin ;;
                here-leased) measure here-leased gateway /here/leased 1 ;;
                benchmark)   pin; measure_benchmark; unpin ;;
            esac | sed "s/^/$round /" >> "$out/results"
        done
    done
}


# Redis alone on a CPU, whoever asks: what else runs there costs it its caches

pin() {
    local last=$(($(nproc) - 1))

    [ $last -gt 0 ] || return 0

    taskset -apc $last "$(redis_pid redis)" > /dev/null
    taskset -apc 0-$((last - 1)) "$(< "$out/gateway/worker")" > /dev/null
    taskset -pc 0-$((last - 1)) $BASHPID > /dev/null
}


unpin() {
    local last=$(($(nproc) - 1))

    taskset -apc 0-$last "$(redis_pid redis)" > /dev/null
    taskset -apc 0-$last "$(< "$out/gateway/worker")" > /dev/null
    taskset -pc 0-$last $BASHPID > /dev/null
}


# results: round, name, CPU of the worker and of Redis, both per request,
# decisions per request, requests per second, commands that Redis read at once

measure() {
    local name=$1 worker redis before after requests us refused failures

    worker=$(< "$out/$2/worker")
    redis=$(redis_pid redis)

    before="$(cpu "$worker") $(cpu "$redis") $(decisions redis)"

    run_wrk "$2" "$3" "$4" "$seconds"

    after="$(cpu "$worker") $(cpu "$redis") $(decisions redis)"

    read -r requests us refused failures < "$out/wrk.result"

    if [ "$refused" != 0 ] || [ "$failures" != 0 ] || [ "$requests" = 0 ]; then
        tail -n 5 "$out/$2/error.log" >&2
        die "$((refused + failures)) of $requests requests to \"$name\" failed"
    fi

    figures "$name" "$requests" "$us" "$before $after"

    # not less than one decision for each, where each has to be one

    case $name in
        *strict) [ "$(figures "" "$requests" "$us" "$before $after" \
                      | awk '{ print ($3 >= 1) }')" = 1 ] \
                     || die "\"$name\" did not ask Redis each time" ;;
    esac
}


# run_wrk SERVER PATH KEYS SECONDS

run_wrk() {
    KEYS=$3 wrk -t 1 -c "$connections" -d "${4}s" \
        -s "$root/bench/keys.lua" \
        "http://127.0.0.1:$(< "$out/$1/port")$2" > "$out/wrk.log" 2>&1 \
        || { cat "$out/wrk.log" >&2; die "wrk failed"; }

    sed -n 's/^RESULT //p' "$out/wrk.log" > "$out/wrk.result"
}


# -n is what it reaches in about the time, by the last round

measure_benchmark() {
    local n redis before after start end

    n=$(cat "$out/benchmark.n" 2> /dev/null || echo 100000)
    redis=$(redis_pid redis)

    before="0 $(cpu "$redis") $(decisions redis)"
    start=$(date +%s%N)

    redis-benchmark -p "$(< "$out/redis/port")" -q -n "$n" -r $callers \
        -P $pipeline -c $((connections / pipeline)) \
        evalsha "$sha" 1 'gw:{__rand_int__}:calls' b 1000000 1000000 1 0 1 \
        > "$out/benchmark.log" 2>&1 \
        || { cat "$out/benchmark.log" >&2; die "redis-benchmark failed"; }

    end=$(date +%s%N)
    after="0 $(cpu "$redis") $(decisions redis)"

    echo $((n * seconds * 1000000 / ((end - start) / 1000 + 1))) \
        > "$out/benchmark.n"

    figures benchmark "$n" $(((end - start) / 1000)) "$before $after"
}


# figures NAME REQUESTS MICROSECONDS COUNTERS

figures() {
    awk -v name="$1" -v n="$2" -v us="$3" -v counters="$4" '
        BEGIN {
            split(counters, c, " ")
            calls = c[7] - c[3]
            reads = c[8] - c[4]
            printf "%s %.3f %.3f %.6f %.0f %.2f\n", name, (c[5] - c[1]) / n,
                   calls ? (c[6] - c[2]) / calls : 0, calls / n,
                   n * 1000000 / us, reads ? calls / reads : 0
        }'
}


redis_pid() {
    awk '{ print $1 }' "$out/$1/pid"
}


# decisions SERVER: scripts that it ran, and how often it read from a connection

decisions() {
    ask "$1" info all | awk -F '[:=,]' '
        /^cmdstat_eval(sha)?:/ { calls += $3 }
        /^total_reads_processed:/ { reads = $2 }
        END { print calls + 0, reads + 0 }'
}


report() {
    printf '\nnginx %s, Redis %s; %d CPUs; %d rounds of %d s, ' \
        "$(nginx -v 2>&1 | sed 's,.*/,,')" \
        "$(ask redis info server | sed -n 's/^redis_version://p')" \
        "$(nproc)" "$rounds" "$seconds"
    printf '%d connections, %d callers\n\n' "$connections" $callers

    awk -v rounds="$rounds" '
        function median(    i, j, v) {
            for (i = 1; i <= rounds; i++) {
                v = list[i]
                for (j = i - 1; j > 0 && list[j] > v; j--) {
                    list[j + 1] = list[j]
                }
                list[j + 1] = v
            }
            i = int((rounds + 1) / 2)
            return rounds % 2 ? list[i] : (list[i] + list[i + 1]) / 2
        }

        # how: "" is a itself, "/" and "-" relate it to b

        function row(text, a, b, field, how, format, least, most,    r, m) {
            for (r = 1; r <= rounds; r++) {
                list[r] = value[r, a, field]
                if (how == "/") list[r] /= value[r, b, field]
                if (how == "-") list[r] -= value[r, b, field]
            }
            m = median()
            print_row(text, m, format, least, most)
            return m
        }

        function print_row(text, m, format, least, most,    budget) {
            budget = ""
            if (least != "") budget = ">= " least (m < least ? "  MISSED" : "")
            if (most != "") budget = "<= " most (m > most ? "  MISSED" : "")
            printf "%-46s %9s  %-19s %s\n", text, sprintf(format, m),
                   sprintf("(" format " - " format ")", list[1],
                           list[rounds]), budget
        }

        {
            for (i = 3; i <= 7; i++) value[$1, $2, i] = $i
            known[$2] = 1
        }

        END {
            row("proxy: CPU us a request", "proxy", "", 3, "", "%.2f")
            row("strict: CPU us a request", "strict", "", 3, "", "%.2f")
            row("strict / proxy", "strict", "proxy", 3, "/", "%.2f", "", 1.7)
            row("strict adds, us", "strict", "proxy", 3, "-", "%.2f")

            if (known["lua-strict"]) {
                row("lua: CPU us a request", "lua-strict", "", 3, "", "%.2f")
                row("lua adds, us", "lua-strict", "lua-proxy", 3, "-", "%.2f")

                for (r = 1; r <= rounds; r++) {
                    list[r] = (value[r, "strict", 3] - value[r, "proxy", 3]) \
                              / (value[r, "lua-strict", 3] \
                                 - value[r, "lua-proxy", 3])
                }
                m = median()
                print_row("strict adds / lua adds", m, "%.2f", "", 0.2)
            }

            print ""

            row("redis-benchmark: Redis CPU us a decision", "benchmark", "",
                4, "", "%.2f")
            row("gateway: Redis CPU us a decision", "here-strict", "", 4, "",
                "%.2f")

            for (r = 1; r <= rounds; r++) {
                list[r] = value[r, "benchmark", 4] \
                          / value[r, "here-strict", 4]
            }
            m = median()
            print_row("decisions per Redis CPU, gateway / benchmark", m,
                      "%.2f", 0.8, "")

            row("redis-benchmark: decisions/s", "benchmark", "", 6, "",
                "%.0f")
            row("gateway: decisions/s", "here-strict", "", 6, "", "%.0f")
            row("redis-benchmark: commands in a read", "benchmark", "", 7, "",
                "%.1f")
            row("gateway: commands in a read", "here-strict", "", 7, "",
                "%.1f")

            print ""

            row("no limit, no upstream: CPU us a request", "here", "", 3, "",
                "%.2f")
            row("leased adds, us", "here-leased", "here", 3, "-", "%.2f", "",
                1)
            calls = row("leased: Redis calls a request", "here-leased", "", 5,
                        "", "%.4f", "", 0.02)
            print ""
            exit calls > 0.02
        }' "$out/results"
}


# one caller who does not stop; counted when it is refused already

denied() {
    local ms period length before after requests us refused failures
    local wrong=0

    for ms in 100 1000 10000; do
        length=3
        [ $ms = 100 ] || length=7
        period=$ms
        [ $period -le 2000 ] || period=2000

        say "denied, a token per $ms ms"

        run_wrk denied /denied/$ms 1 $length &
        sleep 0.7

        before="$(decisions other) $(date +%s%N)"
        sleep $((length - 1))
        after="$(decisions other) $(date +%s%N)"

        wait $! || die "no refusals"
        read -r requests us refused failures < "$out/wrk.result"

        [ "$failures" = 0 ] && [ "$refused" != 0 ] || die "not refused"

        # periods begin anywhere, and the clock of Redis is another one

        awk -v ms=$ms -v period=$period -v us="$us" -v refused="$refused" \
            -v counters="$before $after" '
            BEGIN {
                split(counters, c, " ")
                calls = c[4] - c[1]
                n = (c[6] - c[3]) / 1000000 / period
                wrong = calls > 1.1 * n + 1
                printf "denied, a token per %5d ms: %d Redis calls in %.2f " \
                       "times min(refill, 2 s), %.2f%s (%d refused/s)\n",
                       ms, calls, n, calls / n, (wrong ? "  MISSED" : ""),
                       refused * 1000000 / us
                exit calls > 2 * n + 1
            }' || wrong=1
    done

    return $wrong
}


# the keys are written as the script does, once it has shown how

buckets() {
    local key='gw:{000000000000}:calls' sample written empty full doubled

    say "memory of $memory buckets"

    ask other flushall > /dev/null
    empty=$(used_memory)

    ask other eval "$(cat "$root/lua/take.lua")" 1 $key b 1000000 1000000 \
        1000 0 1 > /dev/null
    sample=$(ask other object encoding $key) \
        && sample="$sample $(ask other memory usage $key)"
    written=$(ask other get $key)
    ask other del $key > /dev/null

    set_keys 1 "$written" 0
    [ "$(ask other object encoding $key) $(ask other memory usage $key)" \
      = "$sample" ] || die "the script writes something else: $sample"

    set_keys $memory "$written" 0
    full=$(used_memory)

    set_keys 1 "$written" $memory
    doubled=$(used_memory)

    [ "$(ask other dbsize)" = $((memory + 1)) ] || die "keys are missing"

    awk -v empty="$empty" -v full="$full" -v doubled="$doubled" \
        -v n=$memory -v budget=$memory_budget -v len=${#key} '
        BEGIN {
            full = (full - empty) / n
            doubled = (doubled - empty) / (n + 1)
            printf "\nmemory: %d keys of %d bytes: %.1f bytes a bucket, " \
                   "<= %d%s; with one more %.1f\n", n, len, full, budget,
                   (full > budget ? "  MISSED" : ""), doubled
            exit full > budget
        }'
}


# set_keys N VALUE FIRST

set_keys() {
    perl -e '
        my ($n, $value, $first) = @ARGV;

        for my $i ($first .. $first + $n - 1) {
            my @command = ("SET", sprintf("gw:{%012d}:calls", $i), $value,
                           "PX", 3600000);

            print "*5\r\n", map { "\$" . length($_) . "\r\n$_\r\n" } @command;
        }' "$@" \
    | redis-cli -p "$(< "$out/other/port")" --pipe > "$out/other/pipe" 2>&1 \
        || { cat "$out/other/pipe" >&2; die "keys can't be written"; }
}


# when the hash table has been rebuilt: twice the same, buffers of clients gone

used_memory() {
    local last=0 now=1 end=$((SECONDS + 30))

    while [ "$now" != "$last" ] && [ $SECONDS -lt $end ]; do
        last=$now
        sleep 0.5
        now=$(ask other info memory | sed -n 's/^used_memory://p')
    done

    echo "$now"
}


main "$@"
