#!/bin/bash

# Copyright (C) The nginx gateway modules authors

# Fetches the jars of a Kafka broker once, as tools/kafka/pom.xml pins them,
# and prints their folder.

set -euo pipefail

. "$(dirname "$0")/lib.sh"

dir=$cache/kafka
pom=$root/tools/kafka/pom.xml

mkdir -p "$dir"


copy() {
    mvn -q -B -f "$pom" "$@" dependency:copy-dependencies \
        -DoutputDirectory="$dir/libs" > "$dir/maven.log" 2>&1
}


# one fetches, others wait

exec 8> "$dir/lock"
flock 8

if ! cmp -s "$pom" "$dir/libs/pom.xml"; then
    command -v java > /dev/null || die "no Java"
    command -v mvn > /dev/null || die "no Maven"

    rm -rf "$dir/libs" "$dir"/*.jsa

    # Maven may have them already, from another clone

    if ! copy --offline; then
        say "fetching Kafka"
        copy || die "cannot fetch Kafka's jars by Maven ($dir/maven.log)"
    fi

    cp "$pom" "$dir/libs/pom.xml"
fi

echo "$dir/libs"
