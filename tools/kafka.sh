# Copyright (C) The nginx gateway modules authors

# The kinds of Kafka of server.sh, which sources this.
#
# kafka          one node in KRaft mode; creates topics as they are named
# kafka-tls      the same, over TLS alone, for those who know the password of
#                "gateway" (SASL, mechanism PLAIN) in DIR/password.  DIR/tls
#                has the certificates, as that of redis-tls.
# kafka-cluster  three nodes in DIR/1 to DIR/3, each a server of the kind
#                kafka-node which can be stopped and started alone.  A topic
#                has three replicas, of which two have to be in sync; within
#                some seconds the first of them leads again.  The port is
#                that of DIR/1.
# mock-kafka     librdkafka's mock broker, in memory; DIR/control is a pipe
#                into which its commands are written (gw-kafka-mock.c)
# broker         Kafka, or without Java or if GW_KAFKA=mock its mock, and
#                says so; DIR/kind tells which
#
# KAFKA_ARCHIVE=no makes the first stop of a Kafka quick.

# shellcheck shell=bash
# shellcheck disable=SC2154

archive=$cache/kafka/kafka.jsa


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
    if [ ! -f "$dir/server.properties" ]; then
        kafka_properties "$(free_port)" > "$dir/server.properties"
    fi

    format_kafka "$(uuid)" || return 0
    run_kafka -Xmx512m
}


check_kafka() {
    kafka_started && kafka_acknowledges
}


# kafka_started: the log says so

kafka_started() {
    grep -q 'Kafka Server started' "$dir/log"
}


# an open port is not enough

kafka_acknowledges() {
    echo ready | timeout 10 kcat -P -b "127.0.0.1:$port" -t gw.ready \
        -X message.timeout.ms=5000 "$@" > /dev/null 2>&1
}


run_kafka() {
    local libs java

    libs=$("$root/tools/kafka-libs.sh") || exit 1

    java=( java "$@" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
           -Dlog4j2.configurationFile="$root/tools/kafka/log4j2.properties" )

    # the first broker that ends leaves its loaded classes to all later ones,
    # which start in half the time; it takes some seconds to do so

    if [ -f "$archive" ]; then
        java+=( -XX:SharedArchiveFile="$archive" )

    elif [ "${KAFKA_ARCHIVE-}" != no ] && [[ ${dir##*/} != [123] ]]; then
        java+=( -XX:ArchiveClassesAtExit="$dir/kafka.jsa" )
    fi

    in_background "${java[@]}" -cp "$libs/*" kafka.Kafka \
        "$dir/server.properties"
}


keep_archive() {
    if [ -f "$1/kafka.jsa" ]; then
        mv -f "$1/kafka.jsa" "$archive"
    fi
}


# format_kafka ID: once

format_kafka() {
    local libs archived=()

    [ ! -f "$dir/data/meta.properties" ] || return 0

    libs=$("$root/tools/kafka-libs.sh") || exit 1
    rm -rf "$dir/data"

    if [ -f "$archive" ]; then
        archived=( -XX:SharedArchiveFile="$archive" )
    fi

    java -Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "${archived[@]}" \
        -Dlog4j2.configurationFile="$root/tools/kafka/log4j2.properties" \
        -cp "$libs/*" kafka.tools.StorageTool format \
        -t "$1" -c "$dir/server.properties" >> "$dir/log" 2>&1
}


# the session bounds how soon it serves again after a kill -9

kafka_properties() {
    node_properties 1 PLAINTEXT "1@127.0.0.1:$1" "$1"

    cat << END
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
END
}


# node_properties ID PROTOCOL VOTERS CONTROLLER-PORT

node_properties() {
    cat << END
process.roles=broker,controller
node.id=$1
controller.quorum.voters=$3
controller.listener.names=CONTROLLER
listeners=$2://127.0.0.1:$(< "$dir/port"),CONTROLLER://127.0.0.1:$4
listener.security.protocol.map=CONTROLLER:PLAINTEXT,$2:$2
inter.broker.listener.name=$2
log.dirs=$dir/data
num.partitions=3
offsets.topic.num.partitions=1
transaction.state.log.num.partitions=1
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


launch_kafka-tls() {
    make_certificates

    if [ ! -s "$dir/password" ]; then
        uuid > "$dir/password"
        tls_properties "$(free_port)" "$(< "$dir/password")" \
            > "$dir/server.properties"
    fi

    launch_kafka
}


# tls_properties PORT PASSWORD; the key has no password in tests only

tls_properties() {
    local jaas=org.apache.kafka.common.security.plain.PlainLoginModule

    kafka_properties "$1" | sed 's/PLAINTEXT:\/\/\(.*\),/SASL_SSL:\/\/\1,/
        s/PLAINTEXT:PLAINTEXT$/SASL_SSL:SASL_SSL/
        s/listener.name=PLAINTEXT$/listener.name=SASL_SSL/'

    cat "$dir/tls/server.key" "$dir/tls/server.pem" > "$dir/tls/keystore.pem"

    cat << END
ssl.keystore.type=PEM
ssl.keystore.location=$dir/tls/keystore.pem
ssl.truststore.type=PEM
ssl.truststore.location=$dir/tls/ca.pem
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=$jaas required \\
    username="gateway" password="$2" user_gateway="$2";
END
}


check_kafka-tls() {
    kafka_started \
        && kafka_acknowledges -X security.protocol=sasl_ssl \
            -X ssl.ca.location="$dir/tls/ca.pem" -X sasl.mechanism=PLAIN \
            -X sasl.username=gateway -X sasl.password="$(< "$dir/password")"
}


launch_kafka-cluster() {
    local id node ports voters

    # shellcheck disable=SC2154

    if [ "$fixed" = 0 ]; then
        rm -rf "${dir:?}"/[123]

        mapfile -t ports < <(free_port 6)
        cluster_voters "${ports[@]:3}"
        id=$(uuid)

        for node in 1 2 3; do
            new_kafka_node "$node" "${ports[node - 1]}" "${ports[node + 2]}" \
                || return 1
        done

        cp "$dir/1/port" "$dir/port"
    fi

    start_kafka_nodes
}


cluster_voters() {
    voters=1@127.0.0.1:$1,2@127.0.0.1:$2,3@127.0.0.1:$3
}


# new_kafka_node NODE PORT CONTROLLER-PORT

new_kafka_node() {
    local dir=$dir/$1

    mkdir "$dir"
    echo kafka-node > "$dir/kind"
    echo "$2" > "$dir/port"

    {
        node_properties "$1" PLAINTEXT "$voters" "$3"
        cat << END
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
leader.imbalance.check.interval.seconds=5
leader.imbalance.per.broker.percentage=0
END
    } > "$dir/server.properties"

    format_kafka "$id"
}


start_kafka_nodes() {
    local nodes=( "$dir"/[123] ) dir

    for dir in "${nodes[@]}"; do
        : > "$dir/log"
        launch_kafka-node
    done

    for dir in "${nodes[@]}"; do
        await kafka-node || return 1
    done
}


launch_kafka-node() {
    run_kafka -Xmx256m
}


check_kafka-node() {
    kafka_started
}


check_kafka-cluster() {
    port=$(< "$dir/port")

    kafka_acknowledges || return 1

    timeout 10 kcat -L -b "127.0.0.1:$port" -t gw.ready 2> /dev/null \
        | awk '/isrs: [123],[123],[123]/ { n++ } END { exit n < 3 }'
}
