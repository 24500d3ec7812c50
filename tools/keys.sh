#!/bin/bash

# Copyright (C) The nginx gateway modules authors

# Generates the keys of tests and of "make run" that DIR does not have yet:
#
#     tools/keys.sh DIR
#
# rsa ec ed              issuers' keys: NAME.pem, NAME.pub.pem, NAME.jwks.json
# forged                 an RSA key that no one should trust
# passport passport-old  EC keys of P-256 that sign passports
# hs.jwks.json, hs.key   a shared secret: as a JWKS, and its bytes
# jwks.json              all issuers' public keys
#
# The "kid" of a key is its name.

set -euo pipefail

. "$(dirname "$0")/lib.sh"

umask 077
mkdir -p "$1"
cd "$1"


key() {
    local name=$1 alg=$2

    shift 2
    [ ! -s "$name.jwks.json" ] || return 0

    openssl genpkey "$@" -out "$name.pem" 2> /dev/null
    openssl pkey -in "$name.pem" -pubout -out "$name.pub.pem"
    "$root/tools/pem2jwk" -a "$alg" -k "$name" "$name.pem" \
        > "$name.jwks.json.new"
    mv "$name.jwks.json.new" "$name.jwks.json"
}


ec=( -algorithm EC -pkeyopt ec_paramgen_curve:P-256 )

key rsa          RS256 -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key forged       RS256 -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key ec           ES256 "${ec[@]}"
key ed           EdDSA -algorithm ED25519
key passport     ES256 "${ec[@]}"
key passport-old ES256 "${ec[@]}"

if [ ! -s hs.jwks.json ]; then
    openssl rand 32 > hs.key
    printf '{"keys":[{"kty":"oct","kid":"hs","use":"sig","alg":"HS256",' \
        > hs.jwks.json.new
    printf '"k":"%s"}]}\n' \
        "$(openssl base64 -A < hs.key | tr '+/' '-_' | tr -d '=')" \
        >> hs.jwks.json.new
    mv hs.jwks.json.new hs.jwks.json
fi

if [ ! -s jwks.json ]; then
    perl -MJSON::PP -e '
        local $/;
        print JSON::PP->new->canonical->pretty->encode({
            keys => [ map { @{$_->{keys}} } map { decode_json($_) } <> ] })' \
        rsa.jwks.json ec.jwks.json ed.jwks.json > jwks.json.new
    mv jwks.json.new jwks.json
fi
