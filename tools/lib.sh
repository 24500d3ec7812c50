# Copyright (C) The nginx gateway modules authors

# What the scripts of this folder share; sourced by them.

# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# shellcheck disable=SC2034
{
    build=$(cd "$root" && realpath -m "${BUILD:-build}")

    # downloads and logs, also when BUILD points elsewhere

    cache=$root/build
}


say() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}


die() {
    say "$@"
    exit 1
}


# the mirror of Debian's main archive that the user's own sources name

debian_mirror() {
    local ID VERSION_CODENAME

    . /etc/os-release

    [ "$ID" = debian ] || return 1

    # shellcheck disable=SC2016

    apt-get indextargets --format '$(RELEASE) $(REPO_URI)' \
        'Created-By: Packages' 'Component: main' 2> /dev/null \
        | awk -v name="${VERSION_CODENAME-sid}" '
            $1 == name || $1 ~ /^(stable|oldstable|testing|unstable|sid)$/ {
                print $2
                exit
            }'
}


# own_apt DIR COMMAND ARGS...: an apt with lists and sources of its own in
# DIR; the sources of the machine stay as they are, its proxies are used.
# DIR/sources.list is written by the caller.

own_apt() {
    local dir=$1 cmd=$2 opts

    shift 2
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/none"

    opts=(
        -o Dir::State::Lists="$dir/lists"
        -o Dir::Cache="$dir/cache"
        -o Dir::Etc::SourceList="$dir/sources.list"
        -o Dir::Etc::SourceParts="$dir/none"
        -o Dir::Etc::Preferences="$dir/none/preferences"
        -o Dir::Etc::PreferencesParts="$dir/none"
        -o Acquire::Languages=none
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false
        -o APT::Update::Error-Mode=any
    )

    # apt drops root for its downloads, and could not write here

    if [ "$(id -u)" = 0 ]; then
        opts+=( -o APT::Sandbox::User=root )
    fi

    "$cmd" "${opts[@]}" "$@"
}


# debian_source KIND SUITE: a line for sources.list.  It is the signature that
# counts, not its age: mirrors lag, and clocks are wrong.

debian_source() {
    local mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    local options='check-valid-until=no check-date=no'

    mirror=$(debian_mirror)
    [ -n "$mirror" ] || return 1

    if [ -f "$keyring" ]; then
        options="signed-by=$keyring $options"
    fi

    echo "$1 [$options] $mirror $2 main"
}
