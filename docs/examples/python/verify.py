#!/usr/bin/python3

# Copyright (C) The nginx gateway modules authors

"""Verifies passports of the gateway with PyJWT.

    verify.py JWKS_URL ISSUER AUDIENCE [MAX_AGE [COOLDOWN]]

Reads one passport a line and prints "ok SUBJECT" or "refused REASON".
MAX_AGE and COOLDOWN are seconds, 300 and 10 by default.
"""

# snippet: begin

import json
import threading
import time
import urllib.request

import jwt


class Keys:
    """The gateway's keys.  They are fetched again when they are max_age old,
    or a kid is unknown, at most once per cooldown; if the gateway does not
    answer, the old ones stay for an hour."""

    def __init__(self, url, max_age=300, cooldown=10):
        self.url, self.max_age, self.cooldown = url, max_age, cooldown
        self.lock = threading.Lock()
        self.keys = {}
        self.fetched = self.tried = float("-inf")

    def get(self, kid):
        with self.lock:
            now = time.monotonic()

            if ((kid not in self.keys or now - self.fetched >= self.max_age)
                    and now - self.tried >= self.cooldown):
                self.tried = now
                try:
                    self.keys = self.fetch()
                    self.fetched = now
                except (OSError, ValueError, LookupError, TypeError,
                        jwt.PyJWTError):
                    pass    # log it

            if now - self.fetched >= self.max_age + 3600:
                self.keys = {}

            if kid not in self.keys:
                raise jwt.InvalidTokenError("unknown key")

            return self.keys[kid]

    def fetch(self):
        with urllib.request.urlopen(self.url, timeout=2) as response:
            jwks = json.load(response)

        return {jwk["kid"]: (jwt.PyJWK(jwk).key, jwk["alg"])
                for jwk in jwks["keys"] if jwk["alg"] in ("ES256", "EdDSA")}


def verify(passport, keys, issuer, audience):
    """The claims of a passport; raises jwt.InvalidTokenError."""

    header = jwt.get_unverified_header(passport)

    if header.get("typ") != "passport+jwt":
        raise jwt.InvalidTokenError("not a passport")

    # the key says which algorithm, not the header

    key, alg = keys.get(header.get("kid"))

    claims = jwt.decode(passport, key, algorithms=[alg], issuer=issuer,
                        audience=audience, leeway=5, options={
                            "require": ["iss", "aud", "sub", "exp", "nbf"]})

    if claims.get("ver") != 1:
        raise jwt.InvalidTokenError("unknown version")

    return claims

# snippet: end


def main():
    import sys

    if not 4 <= len(sys.argv) <= 6:
        sys.exit(__doc__)

    url, issuer, audience = sys.argv[1:4]
    keys = Keys(url, *map(int, sys.argv[4:]))

    for line in sys.stdin:
        try:
            claims = verify(line.strip(), keys, issuer, audience)
            print("ok", claims["sub"], flush=True)
        except jwt.InvalidTokenError as e:
            print("refused", e, flush=True)


if __name__ == "__main__":
    main()
