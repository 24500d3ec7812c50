#!/bin/sh

# Copyright (C) The nginx gateway modules authors

# Checks that includes point one way:
#
#     modules -> ngx_http_gw_* -> ngx_gw_* -> gw_*
#
#     tools/layers.sh [DIR]         DIR is the tree, the current one by default
#
# A layer may include every file of the layers below it.  Within its own layer
# a file includes what the first table lists, besides gw_base.h in the lowest
# layer, ngx_gw.h and ngx_gw_log.h in the next one.  src/ngx_http_gw_NAME_* are
# parts of the module NAME; nothing else includes or names a module.  The
# second table lists the .c files that may include headers of a library; a
# header never does.  The pure layer knows no nginx, the layer above it no
# HTTP: neither headers nor names.

set -eu

files='
gw_key          gw_alg
gw_lease        gw_bucket gw_tier
gw_memo         gw_bucket
gw_tier         gw_bucket gw_quota
gw_claim        gw_json
gw_identity     gw_revoke gw_sha256
gw_introspect   gw_json gw_jwt
gw_journal      gw_crc32c
gw_jwk          gw_alg gw_b64 gw_json gw_key
gw_jwks         gw_alg gw_json gw_jwk gw_key
gw_jwt          gw_alg gw_b64 gw_claim gw_json gw_jwks gw_key
gw_passport     gw_b64 gw_json gw_signer
gw_revoke       gw_sha256
gw_signer       gw_b64 gw_json
gw_usage        gw_usage_text
gw_inflight     gw_crc32c

ngx_gw_cache        ngx_gw_zone
ngx_gw_keys         ngx_gw_keys_shared ngx_gw_zone
ngx_gw_keys_shared  ngx_gw_keys ngx_gw_zone
ngx_gw_revocations       ngx_gw_redis ngx_gw_revocations_poll ngx_gw_zone
ngx_gw_revocations_page  ngx_gw_resp
ngx_gw_revocations_poll  ngx_gw_redis ngx_gw_resp ngx_gw_revocations
ngx_gw_revocations_poll  ngx_gw_revocations_page ngx_gw_zone
ngx_gw_redis         ngx_gw_redis_client ngx_gw_redis_cluster ngx_gw_resp
ngx_gw_redis         ngx_gw_redis_conf ngx_gw_redis_name ngx_gw_redis_peer
ngx_gw_redis         ngx_gw_redis_ring ngx_gw_redis_sentinel
ngx_gw_redis_ask     ngx_gw_redis_client ngx_gw_redis_peer
ngx_gw_redis_client  ngx_gw_redis ngx_gw_redis_peer
ngx_gw_redis_cluster    ngx_gw_redis_client ngx_gw_redis_map
ngx_gw_redis_conf    ngx_gw_redis_conf_hosts ngx_gw_redis_tls
ngx_gw_redis_conf_hosts  ngx_gw_redis_conf
ngx_gw_redis_greet   ngx_gw_redis_peer
ngx_gw_redis_map     ngx_gw_redis_ask ngx_gw_redis_client ngx_gw_redis_nodes
ngx_gw_redis_name    ngx_gw_redis_conf ngx_gw_redis_peer
ngx_gw_redis_nodes   ngx_gw_redis_client ngx_gw_redis_peer
ngx_gw_redis_peer    ngx_gw_redis ngx_gw_redis_conf ngx_gw_redis_greet
ngx_gw_redis_peer    ngx_gw_redis_name ngx_gw_redis_ring ngx_gw_redis_wire
ngx_gw_redis_peer    ngx_gw_resp
ngx_gw_redis_ring    ngx_gw_redis_greet ngx_gw_redis_peer
ngx_gw_redis_sentinel   ngx_gw_redis_ask ngx_gw_redis_client
ngx_gw_redis_tls     ngx_gw_redis_conf
ngx_gw_redis_wire    ngx_gw_redis_peer ngx_gw_redis_ring ngx_gw_redis_tls
ngx_gw_buckets      ngx_gw_redis ngx_gw_zone
ngx_gw_leases       ngx_gw_buckets ngx_gw_leases_command ngx_gw_redis
ngx_gw_leases       ngx_gw_script
ngx_gw_leases_command    ngx_gw_leases
ngx_gw_script       ngx_gw_redis ngx_gw_resp
ngx_gw_tiers        ngx_gw_redis ngx_gw_resp ngx_gw_tiers_read ngx_gw_zone
ngx_gw_tiers_read   ngx_gw_tiers ngx_gw_zone
ngx_gw_journal      ngx_gw_journal_conf ngx_gw_journal_steps
ngx_gw_journal      ngx_gw_kafka_conf ngx_gw_meter
ngx_gw_journal_core     ngx_gw_journal ngx_gw_journal_lane
ngx_gw_journal_core     ngx_gw_journal_segment ngx_gw_kafka
ngx_gw_journal_drain    ngx_gw_journal_steps
ngx_gw_journal_exit     ngx_gw_journal_steps
ngx_gw_journal_feed     ngx_gw_journal_steps
ngx_gw_journal_file     ngx_gw_journal_conf
ngx_gw_journal_lane     ngx_gw_journal_file
ngx_gw_journal_load     ngx_gw_journal_steps
ngx_gw_journal_open     ngx_gw_journal_steps
ngx_gw_journal_segment  ngx_gw_journal_file
ngx_gw_journal_steps    ngx_gw_journal_core
ngx_gw_journal_sync     ngx_gw_journal_steps
ngx_gw_kafka        ngx_gw_kafka_conf ngx_gw_kafka_core
ngx_gw_kafka        ngx_gw_kafka_producer
ngx_gw_journal_bury     ngx_gw_journal_steps
ngx_gw_journal_conf_init     ngx_gw_journal_conf
ngx_gw_journal_dir       ngx_gw_journal_file
ngx_gw_journal_dir_room  ngx_gw_journal_dir
ngx_gw_journal_file      ngx_gw_journal_dir
ngx_gw_journal_file_dead     ngx_gw_journal_dir ngx_gw_journal_file
ngx_gw_journal_file_find     ngx_gw_journal_dir ngx_gw_journal_file
ngx_gw_journal_file_find     ngx_gw_journal_scan
ngx_gw_journal_file_remove   ngx_gw_journal_dir ngx_gw_journal_file
ngx_gw_journal_scan      ngx_gw_journal_dir ngx_gw_journal_file
ngx_gw_kafka_core     ngx_gw_kafka ngx_gw_kafka_producer ngx_gw_kafka_topic
ngx_gw_kafka_open     ngx_gw_kafka_core
ngx_gw_kafka_report   ngx_gw_kafka_core ngx_gw_kafka_error
ngx_gw_kafka_topic    ngx_gw_kafka_producer
ngx_gw_kafka_producer    ngx_gw_kafka_conf
ngx_gw_meter        ngx_gw_zone

ngx_http_gw_auth_credential      ngx_http_gw_util
ngx_http_gw_auth_credential_cut  ngx_http_gw_util
ngx_http_gw_auth_decide          ngx_http_gw_problem ngx_http_gw_wait
ngx_http_gw_auth_provider        ngx_http_gw_fetch
ngx_http_gw_fetch      ngx_http_gw_fetch_request
ngx_http_gw_fetch_request  ngx_http_gw_fetch
ngx_http_gw_auth_refuse          ngx_http_gw_util
ngx_http_gw_ratelimit_answer     ngx_http_gw_util
ngx_http_gw_ratelimit_decide     ngx_http_gw_util
ngx_http_gw_ratelimit_state      ngx_http_gw_problem ngx_http_gw_wait
ngx_http_gw_metrics    ngx_http_gw_util
ngx_http_gw_problem    ngx_http_gw_util
ngx_http_gw_usage_state    ngx_http_gw_problem
'

libraries='
openssl     gw_key gw_jwk gw_jwks gw_sha256 gw_signer
openssl     ngx_http_gw_auth_identify ngx_http_gw_auth_passport
jansson     gw_claim gw_json gw_introspect gw_jwk gw_jwks gw_jwt
hiredis     ngx_gw_resp
librdkafka  ngx_gw_kafka ngx_gw_kafka_conf ngx_gw_kafka_error
librdkafka  ngx_gw_kafka_open ngx_gw_kafka_producer ngx_gw_kafka_report
librdkafka  ngx_gw_kafka_topic
'

libc='arm_acle assert ctype errno float inttypes limits math stdarg stdbool
stddef stdint stdio stdlib string time'

cd "${1:-.}"
set -- ./*.c src/*.[ch]
[ -e "$1" ] || shift

awk -v files="$files" -v libraries="$libraries" -v libc="$libc" '

function layer(name) {
    if (name ~ /^ngx_http_gw_.*_module$/) return 4
    if (name ~ /^ngx_http_gw_/) return 3
    if (name ~ /^ngx_gw(_|$)/) return 2
    if (name ~ /^gw_/) return 1
    return 0
}

function module(name) {
    if (!match(name, /^ngx_http_gw_(auth|ratelimit|usage)(_|$)/)) return ""
    sub(/^ngx_http_gw_/, "", name)
    sub(/_.*/, "", name)
    return name
}

function table(text, to,     line, word, i, j, n, m) {
    n = split(text, line, "\n")

    for (i = 1; i <= n; i++) {
        m = split(line[i], word, " ")
        for (j = 2; j <= m; j++) to[word[1], word[j]] = 1
    }
}

function bad(what) {
    printf "%s:%d: %s\n", FILENAME, FNR, what
    failed = 1
}

function own(name) {
    to = layer(name)

    if (name == base) return
    if (to == 0) bad("unknown file \"" name ".h\"")
    if (to == 4) bad("a module is included")
    if (module(name) && module(name) != module(base)) {
        bad("a part of another module is included")
    }
    if (to > from) bad("points up: " base " -> " name)
    if (to != from || to == 4 || to == 0) return

    if (name == "gw_base" || name == "ngx_gw" || name == "ngx_gw_log") return
    if (module(name) && module(name) == module(base)) return
    if (!((base, name) in file_table)) bad("not listed: " base " -> " name)
}

function foreign(name,     part) {
    split(name, part, /[\/.]/)

    if (part[1] ~ /^ngx_/) {
        if (from == 1) bad("a header of nginx in the pure layer")
        return
    }

    if (part[1] in libc_table) return

    if (name ~ /^(sys|netinet|arpa|net)\// \
        || name ~ /^(fcntl|unistd|pthread|signal)\.h$/)
    {
        if (from == 1) bad("the pure layer makes no system calls: " name)
        return
    }

    if (FILENAME ~ /\.h$/) {
        bad("a header of a library in a header: " name)

    } else if (!((part[1], base) in library_table)) {
        bad("not listed: " base " -> " name)
    }
}

BEGIN {
    table(files, file_table)
    table(libraries, library_table)

    n = split(libc, word, " ")
    for (i = 1; i <= n; i++) libc_table[word[i]] = 1
}

FNR == 1 {
    base = FILENAME
    sub(/^.*\//, "", base)
    sub(/\.[ch]$/, "", base)
    from = layer(base)
    comment = 0

    if (from == 0) bad("a file of no layer")

    if (FILENAME ~ /^\.\// ? from != 4 : from == 4) {
        bad("modules lie at the top, the rest in src")
    }
}

{
    # strings and comments do not count as names

    code = $0

    if (comment) {
        if (!sub(/^.*\*\//, "", code)) next
        comment = 0
    }

    gsub(/\/\*([^*]|\*[^\/])*\*\//, "", code)
    if (sub(/\/\*.*$/, "", code)) comment = 1
}

code ~ /^ *# *include/ {
    name = code
    sub(/^[^"<]*["<]/, "", name)
    sub(/[">].*$/, "", name)

    if (code ~ /"/) {
        sub(/\.h$/, "", name)
        own(name)
    } else {
        foreign(name)
    }

    if (from < 3 && name ~ /^ngx_http/) bad("HTTP below its layer: " name)
    next
}

{
    gsub(/"([^"\\]|\\.)*"/, "", code)

    if (from == 1 && match(code, /(^|[^A-Za-z0-9_])(ngx|NGX)_[A-Za-z0-9_]*/)) {
        bad("a name of nginx: " substr(code, RSTART, RLENGTH))
    }

    if (from == 2 && match(code, /(ngx_http|NGX_HTTP)_[A-Za-z0-9_]*/)) {
        bad("a name of HTTP: " substr(code, RSTART, RLENGTH))
    }

    # module() uses RSTART too

    while (match(code, /ngx_http_gw_(auth|ratelimit|usage)_/)) {
        name = substr(code, RSTART, RLENGTH)
        code = substr(code, RSTART + RLENGTH)
        if (module(name) != module(base)) bad("a name of another module")
    }
}

END { exit failed }

' "$@"
