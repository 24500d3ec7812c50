#!/bin/bash

# Copyright (C) The nginx gateway modules authors

# "make run": Redis, Kafka, a sample auth service, a sample upstream and the
# gateway, until Ctrl-C.
#
# Everything is in build/run: env with shell variables for trying it out,
# the gateway's folder, the servers' folders with their logs.
#
#     GW_PORT=8080     the port of the gateway; all others are free ones
#     GW_KAFKA=mock    librdkafka's mock broker, though there is Java

set -euo pipefail

. "$(dirname "$0")/lib.sh"

run=$build/run
gateway=$run/gateway
server=$root/tools/server.sh
url=http://127.0.0.1:${GW_PORT:=8080}
nginx_pid=

export GW_PORT REDIS_PORT KAFKA_PORT UPSTREAM_PORT AUTH_PORT KAFKA_ARCHIVE=no
export GW_TAIL


main() {
    export PATH=$PATH:/usr/sbin:/sbin

    mkdir -p "$run"

    exec 9> "$run/lock"
    flock -n 9 || die "\"make run\" is running here already"

    trap finish EXIT
    trap 'exit 0' INT TERM
    trap 'exit 1' HUP

    stop_gateway
    "$server" stop-all "$run"
    remove_tail
    rm -rf "$gateway" "$run/kafka" "$run/redis" "$run/upstream" "$run/auth" \
        "$run/env"
    port_is_free

    GW_TAIL=$(mktemp -d /dev/shm/gw-run-XXXXXX)
    echo "$GW_TAIL" > "$run/tail"
    chmod 755 "$GW_TAIL"

    REDIS_PORT=$("$server" start redis "$run/redis")
    KAFKA_PORT=$("$server" start broker "$run/kafka")
    UPSTREAM_PORT=$("$server" start upstream "$run/upstream")
    AUTH_PORT=$("$server" start auth-service "$run/auth")

    "$root/tools/gateway-conf.sh" "$gateway"
    cp "$gateway/keys/jwks.json" "$run/auth/jwks.json"
    start_gateway
    write_env
    tour

    wait "$nginx_pid" || true
    nginx_pid=
    failed_gateway
}


port_is_free() {
    local why

    why=$(perl -MIO::Socket::INET -e '
        my $s = IO::Socket::INET->new(LocalAddr => "0.0.0.0", Listen => 1,
                                      LocalPort => shift, ReuseAddr => 1);
        print $s ? "" : $!' "$GW_PORT")

    [ -z "$why" ] \
        || die "port $GW_PORT: $why; choose another: GW_PORT=8090 make run"
}


# what the journal has in memory, of this run or one that was killed

remove_tail() {
    local dir

    dir=$(cat "$run/tail" 2> /dev/null) || return 0

    rm -rf "$dir"
    rm -f "$run/tail"
}


start_gateway() {
    local end=$((SECONDS + 30))

    setsid nginx -p "$gateway" -e logs/error.log -c conf/gateway.conf \
        -g 'daemon off;' 9>&- > "$gateway/logs/stderr" 2>&1 &
    nginx_pid=$!

    until curl -sf -o /dev/null "$url/.well-known/jwks.json"; do
        if ! kill -0 "$nginx_pid" 2> /dev/null || [ $SECONDS -ge $end ]; then
            failed_gateway
        fi

        sleep 0.05
    done
}


failed_gateway() {
    local why

    why=$(cat "$gateway/logs/error.log" "$gateway/logs/stderr" 2> /dev/null \
          | grep -E '\[(emerg|alert)\]' | tail -n 1)

    die "the gateway ended: ${why:-see $gateway/logs/error.log}"
}


# the master, of this run or one that was killed

stop_gateway() {
    local pid end=$((SECONDS + 5))

    pid=$(cat "$gateway/logs/nginx.pid" 2> /dev/null) || pid=$nginx_pid

    is_gateway "$pid" || return 0
    kill -QUIT "$pid"

    while is_gateway "$pid"; do
        [ $SECONDS -lt $end ] || kill -TERM "$pid" 2> /dev/null || true
        sleep 0.05
    done
}


is_gateway() {
    [ -n "$1" ] \
        && tr '\0' ' ' 2> /dev/null < "/proc/$1/cmdline" \
           | grep -qF -e "-p $gateway "
}


# shellcheck disable=SC2317

finish() {
    local rc=$?

    trap '' HUP INT TERM

    stop_gateway
    "$server" stop-all "$run"
    remove_tail
    rm -f "$run/env"

    [ "$rc" != 0 ] || echo 'all stopped'
    exit "$rc"
}


write_env() {
    cat > "$run/env.new" << END
GW_URL=$url
TOKEN_FREE=$(token free alice)
TOKEN_GOLD=$(token gold bob)
KAFKA=127.0.0.1:$KAFKA_PORT
TOPIC=gw.usage
REDIS=redis://127.0.0.1:$REDIS_PORT/0
AUTH=http://127.0.0.1:$AUTH_PORT
END
    mv "$run/env.new" "$run/env"
}


# token PLAN SUBJECT

token() {
    "$build/bin/gw-token" --alg RS256 --key "$gateway/keys/rsa.pem" \
        --kid rsa --claim iss=https://accounts.example.com \
        --claim aud=gateway --claim sub="$2" --exp +86400 \
        --claim plan="$1" --claim scp=orders:read
}


tour() {
    local env=$run/env broker='a real one-node Kafka'

    env=${env#"$root/"}

    [ "$(cat "$run/kafka/kind")" = kafka ] \
        || broker="librdkafka's mock broker: no Java, or not wanted"

    cat << END

The gateway runs on $url, until Ctrl-C.
Kafka is $broker.  Paste this into another shell, in this folder:

    . $env

    # with a token: the upstream's echo shows what it got, a passport
    # instead of the token
    curl -i -H "Authorization: Bearer \$TOKEN_GOLD" \$GW_URL/orders/1

    # what the passport says, and the keys that upstreams check it with
    curl -s -H "Authorization: Bearer \$TOKEN_GOLD" \$GW_URL/orders/1 \\
        | perl -MMIME::Base64=decode_base64url -ne \\
            'print decode_base64url(\$1), "\\n"
                 if /"x-passport":"[^.]+\\.([^.]+)/'
    curl -s \$GW_URL/.well-known/jwks.json

    # log in, through the gateway, at the sample auth service: an opaque
    # token, and a passport for the account
    SESSION=\$(curl -s -d 'sub=bob&plan=gold&scope=account' \$GW_URL/login \\
        | perl -ne 'print \$1 if /"access_token":"([^"]+)/')
    curl -i -H "Authorization: Bearer \$SESSION" \$GW_URL/account/

    # a partner's API key: Redis knows its SHA-256 only
    redis-cli -u \$REDIS HSET \\
        gw:key:\$(printf %s s3cret | sha256sum | cut -d ' ' -f 1) \\
        subject acme tier gold scope orders:read
    curl -i -H "X-API-Key: s3cret" \$GW_URL/orders/1

    # without a token, and with one that was tampered with: 401
    curl -i \$GW_URL/orders/1
    curl -i -H "Authorization: Bearer \${TOKEN_GOLD}x" \$GW_URL/orders/1

    # the free tier: 10 at once, then 5 a second, the others get 429
    for i in \$(seq 20); do
        curl -s -o /dev/null -w '%{http_code} ' \\
            -H "Authorization: Bearer \$TOKEN_FREE" \$GW_URL/orders/\$i
    done; echo

    # a better tier for all of them, without a reload, 5 seconds later
    redis-cli -u \$REDIS HSET gw:tiers free 'rate=50r/s burst=100'

    # lock alice out: within a second 401, though her token is still valid
    curl -i -H "Authorization: Bearer \$TOKEN_FREE" \$GW_URL/orders/1
    redis-cli -u \$REDIS XADD gw:revoked '*' \\
        sub alice until \$((\$(date +%s) + 86400))

    # who was let in, who was not and why, as Prometheus reads it
    curl -s \$GW_URL/gw/metrics

    # one usage event for each of these requests
    kcat -C -q -e -b \$KAFKA -t \$TOPIC

    # the buckets
    redis-cli -u \$REDIS --scan

Configuration and logs: ${gateway#"$root/"}/conf/gateway.conf, logs/
END
}


main "$@"
