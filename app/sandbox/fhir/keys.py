"""Who may log in, and whether an assertion is theirs: a JWT signed with RS384 or ES384.

The client's key is made from a name, the same at every start, so that nobody has to keep one: it is public on purpose
and opens nothing but this simulator.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

CLIENT_ID = "runsheet-demo"
KEY_ID = "runsheet-demo-1"
ALGORITHMS = ("RS384", "ES384")

Jwk = dict[str, object]
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class BadAssertion(Exception):
    """It proves nothing. The text says why, for the error's description."""


@cache
def _demo_key() -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(
        int.from_bytes(hashlib.sha384(b"runsheet demo fhir").digest()[1:], "big"), ec.SECP384R1()
    )


def public_jwk() -> Jwk:
    numbers = _demo_key().public_key().public_numbers()
    return {"kty": "EC", "crv": "P-384", "kid": KEY_ID, "x": _text(numbers.x), "y": _text(numbers.y)}


def private_jwk() -> str:
    """As somebody would type it."""
    secret = _text(_demo_key().private_numbers().private_value)
    return json.dumps({**public_jwk(), "d": secret}, separators=(",", ":"))


def claims_of(assertion: str, keys: list[Jwk], algorithms: tuple[str, ...]) -> dict[str, object]:
    """The claims of an assertion signed by one of these public keys. Raises BadAssertion."""
    parts = assertion.split(".")
    if len(parts) != 3:
        raise BadAssertion("this is no JWT")
    try:
        header, claims = (json.loads(_bytes(part)) for part in parts[:2])
        signature = _bytes(parts[2])
    except ValueError:
        raise BadAssertion("this is no JWT") from None
    if not isinstance(header, dict) or not isinstance(claims, dict) or header.get("typ") != "JWT":
        raise BadAssertion("the header must say typ JWT")
    if header.get("alg") not in algorithms:
        raise BadAssertion(f"alg must be one of {', '.join(algorithms)}")
    known = [jwk for jwk in keys if jwk.get("kid") == header.get("kid")]
    if not known:
        raise BadAssertion("no key is registered under this kid")
    try:
        _verify(known[0], str(header["alg"]), f"{parts[0]}.{parts[1]}".encode(), signature)
    except (InvalidSignature, ValueError):
        raise BadAssertion("the signature does not match") from None
    return claims


def _verify(jwk: Jwk, alg: str, signed: bytes, signature: bytes) -> None:
    if alg == "ES384" and jwk.get("kty") == "EC" and len(signature) == 96:
        numbers = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), ec.SECP384R1())
        pair = (int.from_bytes(signature[:48], "big"), int.from_bytes(signature[48:], "big"))
        numbers.public_key().verify(encode_dss_signature(*pair), signed, ec.ECDSA(hashes.SHA384()))
    elif alg == "RS384" and jwk.get("kty") == "RSA":
        key = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA384())
    else:
        raise InvalidSignature


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _number(text: object) -> int:
    return int.from_bytes(_bytes(str(text)), "big")


def _text(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(48, "big")).rstrip(b"=").decode()
