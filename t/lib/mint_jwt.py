#!/usr/bin/python3

# Copyright (C) The nginx gateway modules authors

"""Keys and JWTs by PyJWT, which shares no code with us.

    mint_jwt.py < claims

Prints {"keys": [JWK, ...], "tokens": {KID: JWT, ...}}: the public keys, or
secrets, and a token by each of them, of all algorithms that PyJWT has and a
gateway accepts.  A kid is the name of the algorithm, or of the curve.
"""

import base64
import json
import secrets
import sys

import jwt
from cryptography.hazmat.primitives.asymmetric import (ec, ed25519, ed448,
                                                       rsa)
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm


def b64(number, size):
    return base64.urlsafe_b64encode(
        number.to_bytes(size, "big")).rstrip(b"=").decode()


def ec_jwk(key):
    """Not all versions of PyJWT have it."""

    size = (key.curve.key_size + 7) // 8
    numbers = key.public_key().public_numbers()

    return {"kty": "EC", "crv": f"P-{key.curve.key_size}",
            "x": b64(numbers.x, size), "y": b64(numbers.y, size)}


def pairs():
    for bits in (256, 384, 512):
        key = secrets.token_bytes(bits // 8)
        yield (f"HS{bits}", f"HS{bits}", key,
               {"kty": "oct", "k": b64(int.from_bytes(key, "big"), bits // 8)})

    for family in ("RS", "PS"):
        for bits in (256, 384, 512):
            key = rsa.generate_private_key(65537, 2048)
            yield (f"{family}{bits}", f"{family}{bits}", key,
                   json.loads(RSAAlgorithm.to_jwk(key.public_key())))

    for bits, curve in ((256, ec.SECP256R1()), (384, ec.SECP384R1()),
                        (512, ec.SECP521R1())):
        key = ec.generate_private_key(curve)
        yield f"ES{bits}", f"ES{bits}", key, ec_jwk(key)

    for name, module in (("Ed25519", ed25519.Ed25519PrivateKey),
                         ("Ed448", ed448.Ed448PrivateKey)):
        key = module.generate()
        yield (name, "EdDSA", key,
               json.loads(OKPAlgorithm.to_jwk(key.public_key())))


def main():
    claims = json.load(sys.stdin)
    keys = []
    tokens = {}

    for kid, alg, key, jwk in pairs():
        jwk.update({"kid": kid, "alg": alg, "use": "sig"})
        keys.append(jwk)
        tokens[kid] = jwt.encode(claims, key, algorithm=alg,
                                 headers={"kid": kid})

    print(json.dumps({"keys": keys, "tokens": tokens}))


main()
