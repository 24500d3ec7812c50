#!/bin/bash

# Copyright (C) The nginx gateway modules authors

set -euo pipefail

usage() {
    cat << 'END'
Measures what the modules cost: the same nginx proxies to the same upstream
without them and with them, in turn.

    bench/run.sh [-r ROUNDS] [-s SECONDS] [-c CONNECTIONS] [-v "VARIANT ..."]

    -r    rounds, 5 by default; each variant runs once in each, and every
          second round goes backwards
    -s    seconds of load for a variant in a round, 3 by default
    -c    connections of wrk, 32 by default
    -v    variants, "bare full auth verify ratelimit usage" by default; the
          first one is what the others are compared with

    bare        a proxy, no modules
    full        all three, at each request: the identity zone knows the token
                and has a passport, Redis decides, an event goes to Kafka
    auth        the token and the passport alone, from the identity zone
    verify      no zone: an RS256 token is verified and an ES256 passport
                signed at each request
    ratelimit   the Redis decision alone
    usage       the event alone, to Kafka

GW_KAFKA=mock uses librdkafka's mock broker; it is also used without Java.
Everything runs on free ports of 127.0.0.1 and writes to build/bench only.

Columns: microseconds of CPU that all threads of the worker process used for
a request (until it is idle again, so that events sent late are counted),
their ratio to the first variant, requests per second, and latencies.  Each
is the median of the rounds; CPU also has the least and the most.  Latencies
are those of a saturated gateway: they show queueing, the CPU shows the cost.
Load, upstream and servers share the machine with the gateway.

At the end: the p99 of a few good callers alone, beside 10,000 requests a second
without a token, and beside as many with forged ones, for a gateway with a
worker for each CPU.  The second figure tells what the load itself costs, whose
generator needs the same CPUs.

A run in which a response is not 2xx, or in which Redis made fewer decisions
or Kafka got fewer events than requests were answered, fails.
END
}

. "$(dirname "$0")/lib.sh"

rounds=5
seconds=3
connections=32
variants="bare full auth verify ratelimit usage"


main() {
    local option variant round order

    [ "${1-}" != --help ] || set -- -h

    while getopts r:s:c:v:h option; do
        case $option in
            r) rounds=$OPTARG ;;
            s) seconds=$OPTARG ;;
            c) connections=$OPTARG ;;
            v) variants=$OPTARG ;;
            h) usage; exit 0 ;;
            *) usage >&2; exit 2 ;;
        esac
    done

    trap finish EXIT
    trap 'exit 1' HUP INT TERM

    prepare

    for variant in $variants; do
        start_gateway "$variant"
        probe "$variant"
    done

    for ((round = 1; round <= rounds; round++)); do
        order=$variants

        if ((round % 2 == 0)); then
            order=$(reversed "$variants")
        fi

        for variant in $order; do
            say "round $round of $rounds, $variant"
            measure "$variant" >> "$out/results"
        done
    done

    report
    count_decisions

    for variant in $variants; do
        count_events "$variant"
    done

    ! needs auth || flood
}


uses() {
    case "$1 $2" in
        "full "* | "auth auth" | "auth zone" | "verify auth") ;;
        "flood auth" | "flood zone") ;;
        "ratelimit ratelimit" | "usage usage") ;;
        *) return 1 ;;
    esac
}


needs() {
    local variant

    for variant in $variants; do
        ! uses "$variant" "$1" || return 0
    done

    return 1
}


# servers and keys

prepare() {
    local variant

    for variant in $variants; do
        case $variant in
            bare | full | auth | verify | ratelimit | usage) ;;
            *) die "unknown variant \"$variant\"" ;;
        esac
    done

    [ -z "$(reversed "$variants" | tr ' ' '\n' | sort | uniq -d)" ] \
        || die "a variant is given twice"

    [ ! -d "$out" ] || finish
    rm -rf "$out"
    mkdir -p "$out"

    : > "$out/results"

    export TOKEN
    TOKEN=$(token)

    start_nginx upstream "$root/bench/upstream.conf"

    if needs ratelimit; then
        "$root/tools/server.sh" start redis "$out/redis" > /dev/null
    fi

    if needs usage; then
        start_kafka
        make_tail
    fi
}


# an RS256 token as the configuration wants it, valid for a day

token() {
    local now input

    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 \
        -out "$out/rsa.key" 2> /dev/null \
    || openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 \
        -out "$out/rsa.key" 2> /dev/null
    openssl pkey -in "$out/rsa.key" -pubout -out "$out/rsa.pem"
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
        -out "$out/passport.pem" 2> /dev/null

    now=$(date +%s)
    input=$(printf '{"alg":"RS256","typ":"JWT"}' | base64url).$(
        printf '%s' '{"iss":"https://bench.example","aud":"gateway",' \
            '"sub":"bench","tier":"gold","scope":"orders:read",' \
            "\"iat\":$now,\"exp\":$((now + 86400))}" | base64url)

    printf '%s.%s' "$input" "$(printf '%s' "$input" \
        | openssl dgst -sha256 -sign "$out/rsa.key" -binary | base64url)"
}


base64url() {
    base64 -w 0 | tr '+/' '-_' | tr -d '='
}


# start_nginx NAME TEMPLATE, with the lines for the modules of this variant

start_nginx() {
    local dir=$out/$1 key=\$remote_addr tier=gold names='' name

    mkdir -p "$dir"
    free_port > "$dir/port"

    for name in auth zone ratelimit usage; do
        ! uses "$1" $name || names="$names $name"
    done

    if uses "$1" auth; then
        key=\$gw_subject
        tier=\$gw_tier
    fi

    awk -v names="$names " '
        match($0, / *#: .*/) {
            n = split(substr($0, RSTART), word, " ")
            $0 = substr($0, 1, RSTART - 1)
            for (i = 2; i <= n; i++) {
                if (index(names, " " word[i] " ")) { print; break }
            }
            next
        }
        { print }' "$2" \
    | sed -e "s,@dir@,$dir,g" -e "s,@bench@,$out,g" \
          -e "s,@modules@,$build/modules,g" -e "s,@topic@,gw.bench.$1,g" \
          -e "s,@port@,$(< "$dir/port"),g" \
          -e "s,@upstream@,$(< "$out/upstream/port"),g" \
          -e "s,@redis@,$(cat "$out/redis/port" 2> /dev/null),g" \
          -e "s,@kafka@,$(cat "$out/kafka/port" 2> /dev/null),g" \
          -e "s,@tail@,$(cat "$out/tail" 2> /dev/null),g" \
          -e "s,@workers@,$([ "$1" = flood ] && nproc || echo 1),g" \
          -e "s,@key@,$key,g" -e "s,@tier@,$tier,g" \
        > "$dir/nginx.conf"

    launch_nginx "$dir" "Authorization: Bearer $TOKEN"
}


start_gateway() {
    start_nginx "$1" "$root/bench/gateway.conf"
}


# the modules of a variant have to be at work

probe() {
    local dir=$out/$1

    if uses "$1" auth && [ "$(request "$dir/port" / \
                                  "Authorization: Bearer x.y.z")" != 401 ]; then
        die "\"$1\" does not verify tokens"
    fi

    if uses "$1" ratelimit \
       && ! curl -s -D - -o /dev/null -H "Authorization: Bearer $TOKEN" \
                "http://127.0.0.1:$(< "$dir/port")/" | grep -qi '^ratelimit'
    then
        die "\"$1\" does not limit"
    fi
}


# ticks of user and system time of all threads, also of those that ended

ticks() {
    sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}


# idle: less than two ticks in a third of a second

settle() {
    local end=$((SECONDS + 30)) last=0 now

    now=$(ticks "$1")

    while [ $SECONDS -lt $end ]; do
        last=$now
        sleep 0.3
        now=$(ticks "$1")

        [ $((now - last)) -ge 2 ] || break
    done
}


measure() {
    local dir=$out/$1 worker before after hz line
    local requests duration p50 p99 failures

    worker=$(< "$dir/worker")
    hz=$(getconf CLK_TCK)

    settle "$worker"
    before=$(ticks "$worker")

    wrk -t 1 -c "$connections" -d "${seconds}s" --latency \
        -s "$root/bench/wrk.lua" "http://127.0.0.1:$(< "$dir/port")/" \
        > "$dir/wrk.log" 2>&1 \
        || { cat "$dir/wrk.log" >&2; die "wrk failed"; }

    settle "$worker"
    after=$(ticks "$worker")

    line=$(grep '^RESULT ' "$dir/wrk.log")
    read -r _ requests duration p50 p99 failures <<< "$line"

    if [ "$failures" != 0 ]; then
        tail -n 5 "$dir/error.log" >&2
        die "$failures of $requests requests to \"$1\" failed"
    fi

    [ "$requests" -gt 0 ] || die "no requests to \"$1\""

    awk -v name="$1" -v ticks=$((after - before)) -v hz="$hz" \
        -v n="$requests" -v us="$duration" -v p50="$p50" -v p99="$p99" '
        BEGIN {
            printf "%s %d %.3f %.1f %d %d\n", name, n,
                   ticks / hz * 1000000 / n, n * 1000000 / us, p50, p99
        }'
}


# results: variant, requests, CPU, rate, p50, p99

report() {
    local peers

    peers="nginx $(nginx -v 2>&1 | sed 's,.*/,,')"
    ! needs ratelimit || peers="$peers, $(redis-server --version \
        | sed 's/.*v=\([0-9.]*\).*/Redis \1/')"
    ! needs usage || peers="$peers, $kafka"

    printf '\n%s; %d CPUs; %d rounds of %d s, %d connections\n\n' \
        "$peers" "$(nproc)" "$rounds" "$seconds" "$connections"

    awk -v variants="$variants" '
        function sorted(name, field,     i, j, v) {
            for (i = 1; i <= n[name]; i++) {
                v = value[name, field, i]
                for (j = i - 1; j > 0 && list[j] > v; j--) {
                    list[j + 1] = list[j]
                }
                list[j + 1] = v
            }
        }

        function median(name, field,     m) {
            sorted(name, field)
            m = n[name]
            return m % 2 ? list[(m + 1) / 2] : (list[m / 2] \
                                                + list[m / 2 + 1]) / 2
        }

        {
            n[$1]++
            for (i = 3; i <= 6; i++) value[$1, i, n[$1]] = $i + 0
        }

        END {
            count = split(variants, names, " ")

            printf "%-10s %8s  %-15s %6s %10s %9s %9s\n", "variant",
                   "CPU us", "(least - most)", "ratio", "requests/s",
                   "p50 ms", "p99 ms"

            for (k = 1; k <= count; k++) {
                name = names[k]
                cpu = median(name, 3)
                range = sprintf("(%.2f - %.2f)", list[1], list[n[name]])
                if (k == 1) base = cpu

                printf "%-10s %8.2f  %-15s %6.2f %10.0f %9.2f %9.2f\n",
                       name, cpu, range, cpu / base, median(name, 4),
                       median(name, 5) / 1000, median(name, 6) / 1000
            }
        }' "$out/results"
}


# some callers with a good token: alone, beside 10,000 requests a second without
# one, and beside as many with forged ones, no two alike

flood() {
    local round mode port

    start_gateway flood
    port=$(< "$out/flood/port")

    for ((round = 1; round <= rounds; round++)); do
        for mode in calm plain forged; do
            say "round $round of $rounds, $mode"

            if [ $mode != calm ]; then
                MODE=$mode wrk -t 1 -c 100 -d $((seconds + 2))s \
                    -s "$root/bench/forged.lua" "http://127.0.0.1:$port/" \
                    > "$out/flood/$mode.log" 2>&1 &
                sleep 1
            fi

            PAUSE=8 wrk -t 1 -c 4 -d "${seconds}s" --latency \
                -s "$root/bench/wrk.lua" "http://127.0.0.1:$port/" \
                > "$out/flood/wrk.log" 2>&1 \
                || { cat "$out/flood/wrk.log" >&2; die "wrk failed"; }

            if [ $mode != calm ]; then
                wait $!
                printf '%s-rate %s\n' $mode "$(sed -n 's/^RATE //p' \
                    "$out/flood/$mode.log")" >> "$out/flood/results"
            fi

            grep -q ' 0$' "$out/flood/wrk.log" \
                || die "good tokens were refused"
            sed -n "s/^RESULT/$mode/p" "$out/flood/wrk.log" \
                >> "$out/flood/results"
        done
    done

    awk '
        function median(name, m, i, j, v) {
            for (i = 1; i <= n[name]; i++) {
                v = value[name, i]
                for (j = i - 1; j > 0 && list[j] > v; j--) {
                    list[j + 1] = list[j]
                }
                list[j + 1] = v
            }
            m = n[name]
            return m % 2 ? list[(m + 1) / 2] \
                         : (list[m / 2] + list[m / 2 + 1]) / 2
        }

        { value[$1, ++n[$1]] = ($1 ~ /rate/) ? $2 : $5 }

        END {
            calm = median("calm"); plain = median("plain")
            forged = median("forged")

            printf "\np99 of good callers: alone %.2f ms; beside %d " \
                   "requests/s without a token %.2f ms, ratio %.2f; beside " \
                   "%d forged ones %.2f ms, ratio %.2f, to the former %.2f\n",
                   calm / 1000, median("plain-rate"), plain / 1000,
                   plain / calm, median("forged-rate"), forged / 1000,
                   forged / calm, forged / plain
        }' "$out/flood/results"
}


# answered "NAME ...": requests of these variants

answered() {
    awk -v names=" $1 " '
        index(names, " " $1 " ") { n += $2 }
        END { print n + 0 }' "$out/results"
}


# the least that the modules must have done: scripts that Redis ran, and the
# ends of the partitions in Kafka

count_decisions() {
    local decisions requests

    needs ratelimit || return 0

    decisions=$(redis-cli -p "$(< "$out/redis/port")" info commandstats \
        | sed -n 's/^cmdstat_eval[sha]*:calls=\([0-9]*\).*/\1/p' \
        | awk '{ n += $1 } END { print n + 0 }')

    requests=$(answered "full ratelimit")

    printf '\nratelimit: %d requests answered, %d decisions in Redis\n' \
        "$requests" "$decisions"

    [ "$decisions" -ge "$requests" ] || die "Redis was not asked each time"
}


count_events() {
    local events requests

    uses "$1" usage || return 0

    events=$(events_in "gw.bench.$1")
    requests=$(answered "$1")

    printf '%s: %d requests answered, %d events in Kafka\n' \
        "$1" "$requests" "$events"

    [ "$events" -ge "$requests" ] || die "events of \"$1\" are missing"
}


main "$@"
