# Copyright (C) The nginx gateway modules authors

# The kinds of Redis of server.sh, which sources this.
#
# redis       one server
# redis-tls   one that speaks TLS alone, and knows a client by its certificate
#             if there is one.  DIR/tls has ca.pem; server.pem and server.key,
#             for localhost and 127.0.0.1; client.pem and client.key.
# sentinel    a master and two replicas in DIR/redis-1 to redis-3, and three
#             sentinels in DIR/sentinel-1 to sentinel-3 of whom two decide.
#             The master is called "gateway"; the port is sentinel-1's.
# cluster     three masters and three replicas in DIR/redis-1 to redis-6; the
#             port is redis-1's
#
# sentinel-tls and cluster-tls are the same over TLS.  Each node is a server
# of the kind redis-node, and can be stopped and started alone.

# shellcheck shell=bash


launch_redis() {
    in_background redis-server --bind 127.0.0.1 --port "$port" \
        --dir "$dir" --save '' --appendonly no --daemonize no
}


# the answer must be ours, not that of another one on the same port

check_redis() {
    local pid

    read -r pid _ < "$dir/pid"

    [ "$(ask_redis "$dir" info server | sed -n 's/^process_id://p')" = "$pid" ]
}


# ask_redis DIR COMMAND...

ask_redis() {
    local node=$1 tls options=()

    shift

    if tls=$(tls_of "$node"); then
        options=( --tls --cacert "$tls/ca.pem"
                  --cert "$tls/client.pem" --key "$tls/client.key" )
    fi

    redis-cli -h 127.0.0.1 -p "$(< "$node/port")" "${options[@]}" "$@" \
        2> /dev/null | tr -d '\r'
}


# tls_of DIR: the folder of the certificates, if the server there has some

tls_of() {
    local tls

    for tls in "$1/tls" "${1%/*}/tls"; do
        if [ -d "$tls" ]; then
            echo "$tls"
            return
        fi
    done

    return 1
}


# what a node is stands in redis.conf, which Redis keeps up to date

launch_redis-node() {
    if grep -q '^sentinel ' "$dir/redis.conf"; then
        in_background redis-server "$dir/redis.conf" --sentinel
    else
        in_background redis-server "$dir/redis.conf"
    fi
}


check_redis-node() {
    check_redis
}


launch_redis-tls() {
    make_certificates
    node_conf "$dir" > "$dir/redis.conf"
    launch_redis-node
}


check_redis-tls() {
    check_redis
}


# node_conf DIR LINE...

node_conf() {
    local node=$1 tls

    shift
    printf '%s\n' 'bind 127.0.0.1' "dir \"$node\"" 'daemonize no' "$@"

    if tls=$(tls_of "$node"); then
        printf '%s\n' 'port 0' "tls-port $(< "$node/port")" \
            "tls-ca-cert-file \"$tls/ca.pem\"" \
            "tls-cert-file \"$tls/server.pem\"" \
            "tls-key-file \"$tls/server.key\"" \
            'tls-auth-clients optional' 'tls-replication yes' \
            'tls-cluster yes'
    else
        echo "port $(< "$node/port")"
    fi
}


# a node that comes back may be made the master, by those who were too slow to
# see that there is one: it has to know what it knew

data_conf() {
    node_conf "$@" 'save ""' 'appendonly yes' 'appendfsync no' \
        'repl-diskless-sync yes' 'repl-diskless-sync-delay 0' \
        'repl-ping-replica-period 1'
}


make_certificates() {
    local name

    [ ! -s "$dir/tls/client.pem" ] || return 0
    mkdir -p "$dir/tls"

    certificate ca -addext keyUsage=critical,keyCertSign

    for name in server client; do
        certificate $name -CA "$dir/tls/ca.pem" -CAkey "$dir/tls/ca.key" \
            -addext basicConstraints=critical,CA:FALSE \
            -addext subjectAltName=DNS:localhost,IP:127.0.0.1
    done
}


# certificate NAME OPTIONS...

certificate() {
    local name=$1

    shift
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -subj "/CN=gateway test $name" -days 30 "$@" \
        -keyout "$dir/tls/$name.key" -out "$dir/tls/$name.pem" \
        >> "$dir/log" 2>&1
}


# new_nodes NAME N: their folders with a port in each; what is there from a
# start that failed goes

new_nodes() {
    local name=$1 i=0 port

    rm -rf "$dir/$name"-*

    for port in $(free_port "$2"); do
        i=$((i + 1))
        mkdir "$dir/$name-$i"
        echo redis-node > "$dir/$name-$i/kind"
        echo "$port" > "$dir/$name-$i/port"
    done
}


start_nodes() {
    local nodes=( "$dir/$1"-* ) dir

    for dir in "${nodes[@]}"; do
        : > "$dir/log"
        launch_redis-node
    done

    for dir in "${nodes[@]}"; do
        await redis-node || return 1
    done
}


# sentinels learn of replicas every 10 s, so these come first

launch_sentinel() {
    local node master replicaof=()

    # shellcheck disable=SC2154

    if [ "$fixed" = 1 ]; then
        start_nodes redis && start_nodes sentinel
        return
    fi

    new_nodes redis 3
    master="127.0.0.1 $(< "$dir/redis-1/port")"

    for node in "$dir"/redis-*; do
        data_conf "$node" "${replicaof[@]}" > "$node/redis.conf"
        replicaof=( "replicaof $master" )
    done

    start_nodes redis && await replicas || return 1

    new_nodes sentinel 3
    cp "$dir/sentinel-1/port" "$dir/port"

    for node in "$dir"/sentinel-*; do
        node_conf "$node" "sentinel monitor gateway $master 2" \
            'sentinel down-after-milliseconds gateway 1000' \
            'sentinel failover-timeout gateway 4000' \
            'sentinel parallel-syncs gateway 2' > "$node/redis.conf"
    done

    start_nodes sentinel
}


check_replicas() {
    [ "$(ask_redis "$dir/redis-1" info replication \
         | grep -c '^slave.*state=online')" = 2 ]
}


check_sentinel() {
    local node

    for node in "$dir"/sentinel-*; do
        ask_redis "$node" info sentinel \
            | grep -q 'name=gateway,status=ok,.*slaves=2,sentinels=3' \
            || return 1
    done
}


launch_sentinel-tls() {
    make_certificates
    launch_sentinel
}


check_sentinel-tls() {
    check_sentinel
}


# a port for the bus, too: 10000 more might be anybody's

launch_cluster() {
    local node bus addresses=()

    if [ "$fixed" = 1 ]; then
        start_nodes redis
        return
    fi

    new_nodes redis 6
    cp "$dir/redis-1/port" "$dir/port"

    for node in "$dir"/redis-*; do
        bus=$(free_port)
        addresses+=( "127.0.0.1:$(< "$node/port")@$bus" )

        data_conf "$node" 'cluster-enabled yes' "cluster-port $bus" \
            'cluster-node-timeout 1000' 'cluster-replica-validity-factor 0' \
            > "$node/redis.conf"
    done

    start_nodes redis || return 1

    ask_redis "$dir/redis-1" --cluster create "${addresses[@]}" \
        --cluster-replicas 1 --cluster-yes >> "$dir/log" 2>&1
}


check_cluster() {
    local node info

    for node in "$dir"/redis-*; do
        info=$(ask_redis "$node" cluster info; ask_redis "$node" cluster nodes
               ask_redis "$node" info replication)

        [[ $info == *cluster_state:ok*cluster_known_nodes:6* ]] \
            && [ "$(grep -c 'slave .*connected' <<< "$info")" = 3 ] \
            && [[ $info != *master_link_status:down* ]] \
            || return 1
    done
}


launch_cluster-tls() {
    make_certificates
    launch_cluster
}


check_cluster-tls() {
    check_cluster
}
