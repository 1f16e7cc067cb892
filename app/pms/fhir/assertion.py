"""The signed sentence a client logs in with: a JWT, RS384 or ES384 (SMART App Launch 2.2, asymmetric clients).

Written on `cryptography`: two signatures and three segments need no JWT library, which would bring the reading of
other people's tokens along. What we sign is never read here.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from app.pms.errors import PmsNotConfigured

#: Seconds an assertion is good for; at most five minutes are allowed, and clocks differ.
LIFE_S = 240
_SMALLEST_RSA = 2048
_PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----(.*)-----END \1-----", re.DOTALL)
_UNUSABLE = (
    "The private key cannot be used: it must be a JWK or PEM text of an RSA key of at least 2048 bits, or of an "
    "elliptic key on P-384, without a passphrase."
)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and the name its public half is registered under."""

    _key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    key_id: str | None

    @classmethod
    def of(cls, text: str, key_id: str | None) -> Signer:
        """text: a JWK, or a PEM whose line breaks may be gone, as an input field leaves it. Raises PmsNotConfigured."""
        try:
            key, named = _of_jwk(text) if text.lstrip().startswith("{") else (_of_pem(text), None)
        except (ValueError, TypeError, KeyError, UnsupportedAlgorithm):
            raise PmsNotConfigured(_UNUSABLE) from None  # the error's text may hold parts of the key
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _SMALLEST_RSA:
            return cls(key, key_id or named)
        if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1):
            return cls(key, key_id or named)
        raise PmsNotConfigured(_UNUSABLE)

    @property
    def algorithm(self) -> str:
        return "RS384" if isinstance(self._key, rsa.RSAPrivateKey) else "ES384"

    def assertion(self, client_id: str, token_url: str, now: float) -> str:
        """A new assertion for this client and token address, used once. now: seconds since 1970."""
        header = {"alg": self.algorithm, "typ": "JWT"} | ({"kid": self.key_id} if self.key_id else {})
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": token_url,
            "iat": int(now),
            "exp": int(now) + LIFE_S,
            "jti": str(uuid4()),
        }
        signed = f"{_segment(header)}.{_segment(claims)}"
        return f"{signed}.{_base64(self._signature(signed.encode()))}"

    def _signature(self, what: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(what, padding.PKCS1v15(), hashes.SHA384())
        r, s = decode_dss_signature(self._key.sign(what, ec.ECDSA(hashes.SHA384())))
        return r.to_bytes(48, "big") + s.to_bytes(48, "big")


def _of_pem(text: str) -> Any:
    found = _PEM.search(text)
    if found is None:
        raise ValueError("no PEM")
    body = "".join(found[2].split())
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    whole = f"-----BEGIN {found[1]}-----\n{lines}\n-----END {found[1]}-----\n"
    return serialization.load_pem_private_key(whole.encode(), None)


def _of_jwk(text: str) -> tuple[Any, str | None]:
    jwk = json.loads(text)
    if "keys" in jwk:
        (jwk,) = jwk["keys"]  # a set of one
    named = jwk.get("kid")
    if named is not None and not isinstance(named, str):
        raise ValueError("kid")
    if jwk["kty"] == "EC" and jwk["crv"] == "P-384":
        public = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), ec.SECP384R1())
        return ec.EllipticCurvePrivateNumbers(_number(jwk["d"]), public).private_key(), named
    if jwk["kty"] == "RSA":
        e, n, d = (_number(jwk[name]) for name in ("e", "n", "d"))
        p, q = (_number(jwk[name]) for name in ("p", "q")) if "p" in jwk else rsa.rsa_recover_prime_factors(n, e, d)
        parts = rsa.RSAPrivateNumbers(
            p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), rsa.RSAPublicNumbers(e, n)
        )
        return parts.private_key(), named
    raise ValueError("kty")


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def _segment(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
