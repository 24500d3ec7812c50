#!/bin/bash

# Copyright (C) The nginx gateway modules authors

# Installs the Debian packages that a make target needs and that are missing:
#
#     tools/deps.sh build|run|test|check|fuzz|bench ...
#
# Silent if nothing is missing.  Services that come with packages (nginx,
# redis-server) are not started.  Java and Maven are wanted, not required:
# without them librdkafka's mock broker stands in for Kafka.
#
# GW_DEPS=off      installs nothing, looks for nothing
# GW_KAFKA=mock    does without Java

set -euo pipefail

. "$(dirname "$0")/lib.sh"

log=$cache/deps.log

# "package" is looked up by dpkg, "package:command" in the PATH

build_deps=(
    gcc:gcc make:make perl libc6-dev
    nginx:nginx nginx-dev libssl-dev libjansson-dev libjwt-dev
    libhiredis-dev librdkafka-dev
)

run_deps=( redis-server:redis-server redis-tools:redis-cli kcat:kcat
           openssl:openssl curl:curl )

java_deps=( default-jre-headless:java maven:mvn )

test_deps=( libcmocka-dev python3-jwt python3-cryptography jose:jose
            python3-jsonschema )

# what docs/examples are built with; a language that is missing is not tested

examples_deps=( libcjose-dev libcurl4-openssl-dev nodejs:node node-jose
                ecj:javac golang-go:go )

check_deps=( cppcheck:cppcheck shellcheck:shellcheck )

fuzz_deps=( clang:clang libclang-rt-dev )

bench_deps=( wrk:wrk )

# the version of libtest-nginx-perl that is known by its hash, for the day
# when sid's Release is signed by a key this machine does not have

test_nginx_sha256=\
ea9a9cf6b5276f071d32ac5f1660215fdd9bc0c10861858b530b05f1e16df356

policy=/usr/sbin/policy-rc.d
policy_mark='# put here by the gateway modules while installing'


main() {
    local group want=() java=0 test_nginx=0 examples=0

    [ "${GW_DEPS-}" != off ] || return 0

    export DEBIAN_FRONTEND=noninteractive
    export PATH=$PATH:/usr/sbin:/sbin

    [ $# -gt 0 ] || set -- build

    for group in "$@"; do
        case $group in
            build) want+=( "${build_deps[@]}" ) ;;
            run)   want+=( "${build_deps[@]}" "${run_deps[@]}" ); java=1 ;;
            test)  want+=( "${build_deps[@]}" "${run_deps[@]}"
                           "${test_deps[@]}" )
                   java=1; test_nginx=1; examples=1 ;;
            check) want+=( "${build_deps[@]}" "${check_deps[@]}" ) ;;
            fuzz)  want+=( "${build_deps[@]}" "${fuzz_deps[@]}" ) ;;
            bench) want+=( "${build_deps[@]}" "${run_deps[@]}"
                           "${bench_deps[@]}" ); java=1 ;;
            *)     die "unknown group \"$group\"" ;;
        esac
    done

    mkdir -p "$cache"
    : > "$log"

    need "${want[@]}"

    if [ $test_nginx = 1 ]; then
        need_test_nginx
    fi

    if [ $java = 1 ] && [ "${GW_KAFKA-}" != mock ]; then
        (need "${java_deps[@]}") \
            || say "no Java: librdkafka's mock broker stands in for Kafka"
    fi

    if [ $examples = 1 ]; then
        (need "${examples_deps[@]}") \
            || say "some of docs/examples can't be tested"
    fi
}


# need ENTRY...: installs those that are missing

need() {
    local entry missing=()

    for entry in "$@"; do
        case $entry in
            *:*) command -v "${entry#*:}" > /dev/null && continue ;;
            *)   installed "$entry" && continue ;;
        esac

        missing+=( "${entry%%:*}" )
    done

    if [ ${#missing[@]} -gt 0 ]; then
        install "${missing[@]}"
    fi
}


installed() {
    dpkg-query -W -f '${Status}\n' "$1" 2> /dev/null \
        | grep -q 'ok installed'
}


# install PACKAGE|FILE...

install() {
    local sudo=()

    command -v apt-get > /dev/null \
        || die "no apt-get here; install by hand what provides: $*"

    if [ "$(id -u)" != 0 ]; then
        command -v sudo > /dev/null \
            || die "not root, and no sudo; as root: apt-get install $*"
        sudo=( sudo )
    fi

    say "installing ${*##*/}"

    "${sudo[@]}" bash "$root/tools/deps.sh" --as-root "$@" >> "$log" 2>&1 \
        && return

    if grep -qE 'Could not (resolve|connect)|Failed to fetch|Temporary fail' \
        "$log"
    then
        die "cannot install $*: the package mirror cannot be reached ($log)"
    fi

    die "cannot install $*: $(grep -E '^(E|sudo):' "$log" | tail -n 1) ($log)"
}


as_root() {
    local apt=( apt-get -o DPkg::Lock::Timeout=300 -q -y )

    # a package's service must not be started by installing it

    if [ ! -e $policy ] || grep -qF "$policy_mark" $policy; then
        trap 'rm -f $policy' EXIT
        trap 'exit 1' HUP INT TERM
        printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" > $policy
        chmod 755 $policy
    fi

    if known "$@" && "${apt[@]}" install --no-install-recommends "$@"; then
        return
    fi

    # no lists yet, or so old that their files are gone from the mirror

    "${apt[@]}" update
    "${apt[@]}" install --no-install-recommends "$@"
}


# whether apt would know what to install

known() {
    apt-get install -q -y -s --no-install-recommends "$@" > /dev/null 2>&1
}


# Test::Nginx is packaged in Debian's sid only

need_test_nginx() {
    local deb sudo=()

    if installed libtest-nginx-perl \
        || perl -MTest::Nginx::Socket -e 1 > /dev/null 2>&1
    then
        return
    fi

    if known libtest-nginx-perl; then
        install libtest-nginx-perl
        return
    fi

    if deb=$(sid_test_nginx); then
        install "$deb"
        return
    fi

    need cpanminus:cpanm
    say "installing Test::Nginx by cpanm"

    [ "$(id -u)" = 0 ] || sudo=( sudo )

    "${sudo[@]}" cpanm --notest Test::Nginx >> "$log" 2>&1 \
        || die "cannot install Test::Nginx by cpanm ($log)"
}


# prints the path of the package's file

sid_test_nginx() {
    local dir=$cache/apt-sid line file

    line=$(debian_source deb sid) || return 1

    mkdir -p "$dir"
    rm -f "$dir"/*.deb
    echo "$line" > "$dir/sources.list"

    if own_apt "$dir" apt-get -q update >> "$log" 2>&1; then
        (cd "$dir" && own_apt "$dir" apt-get -q download libtest-nginx-perl) \
            >> "$log" 2>&1 || return 1

    elif grep -q 'NO_PUBKEY' "$log"; then
        say "sid is signed by a key that is unknown here;" \
            "libtest-nginx-perl is checked by its hash instead"

        echo "${line/\[*\]/[trusted=yes check-valid-until=no]}" \
            > "$dir/sources.list"
        own_apt "$dir" apt-get -q update >> "$log" 2>&1 || return 1
        (cd "$dir" && own_apt "$dir" apt-get -q download libtest-nginx-perl) \
            >> "$log" 2>&1 || return 1

        file=$(find "$dir" -maxdepth 1 -name 'libtest-nginx-perl_*.deb')
        echo "$test_nginx_sha256  $file" | sha256sum -c --status \
            || die "libtest-nginx-perl in sid is not the version known here"

    else
        return 1
    fi

    rm -rf "$dir/lists" "$dir/cache"

    find "$dir" -maxdepth 1 -name 'libtest-nginx-perl_*.deb'
}


if [ "${1-}" = --as-root ]; then
    shift
    export DEBIAN_FRONTEND=noninteractive
    as_root "$@"
else
    main "$@"
fi
