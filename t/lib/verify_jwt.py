#!/usr/bin/python3

# Copyright (C) The nginx gateway modules authors

"""Checks a JWT against a JWKS with PyJWT, which shares no code with us.

    verify_jwt.py JWKS-FILE AUDIENCE ALGORITHM... < token

Prints {"header": ..., "claims": ...}, or says why not and exits with 1.
"""

import json
import sys

import jwt


def main():
    path, audience, *algorithms = sys.argv[1:]
    token = sys.stdin.read().strip()

    with open(path, encoding="utf-8") as file:
        keys = jwt.PyJWKSet.from_dict(json.load(file)).keys

    header = jwt.get_unverified_header(token)
    key = next((k for k in keys if k.key_id == header.get("kid")), None)

    if key is None:
        sys.exit("no key with the token's kid")

    try:
        claims = jwt.decode(token, key.key, algorithms=algorithms,
                            audience=audience,
                            options={"require": ["exp", "iat", "aud"]})
    except jwt.InvalidTokenError as e:
        sys.exit(f"{type(e).__name__}: {e}")

    print(json.dumps({"header": header, "claims": claims}))


main()
