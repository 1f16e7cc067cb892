"""AES-256-GCM for secrets at rest: one data key per practice, every ciphertext bound to its row (X21, F43).

A ciphertext reads `v1.<key id>.<nonce>.<sealed>` in URL-safe base64. The associated data is the version, the key id,
the practice, and the place (table, column, row), so that moving a ciphertext to another row, column or practice makes
it unreadable. Data keys are derived from the master key with HKDF; the practice's id is the salt, so that no data key
is stored anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.errors import Unreadable

VERSION = "v1"
KEY_BYTES = 32
_NONCE_BYTES = 12
#: What lies outside every practice (app-wide vendor tokens) has a data key of its own.
APP_WIDE = "app"


class DecryptionFailed(Unreadable):
    """The ciphertext is not what was written to that place, or its key is not here. Nothing of it is shown."""


class UnknownKey(DecryptionFailed):
    """The key with that id is not among those configured."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(f"This value was encrypted with key {key_id}, which is not configured.")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a ciphertext lives. All of it is authenticated."""

    practice: str
    table: str
    column: str
    row: str


def key_id(master: bytes) -> str:
    """A name for a master key that says nothing about it."""
    return hashlib.sha256(b"runsheet key id\x00" + master).hexdigest()[:8]


class Vault:
    """Seals with the first key, opens with any. Safe to share between threads."""

    def __init__(self, current: bytes, older: tuple[bytes, ...] = ()) -> None:
        for master in (current, *older):
            if len(master) != KEY_BYTES:
                raise ValueError("a master key is 32 bytes")
        self.current_key_id = key_id(current)
        self._masters: Mapping[str, bytes] = {key_id(master): master for master in (*older, current)}
        self._ciphers: dict[tuple[str, str], AESGCM] = {}

    @property
    def key_ids(self) -> frozenset[str]:
        return frozenset(self._masters)

    def seal(self, plaintext: str, place: Place) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._cipher(self.current_key_id, place.practice).encrypt(
            nonce, plaintext.encode(), _associated(self.current_key_id, place)
        )
        return ".".join((VERSION, self.current_key_id, _text(nonce), _text(sealed)))

    def open(self, ciphertext: str, place: Place) -> str:
        """The plaintext. Raises DecryptionFailed for anything but exactly what was sealed for that place."""
        try:
            version, used_key_id, nonce, sealed = ciphertext.split(".")
        except ValueError:
            raise DecryptionFailed("This value is not a ciphertext of ours.") from None
        if version != VERSION:
            raise DecryptionFailed("This value was encrypted in a format this release does not know.")
        if used_key_id not in self._masters:
            raise UnknownKey(used_key_id)
        try:
            opened = self._cipher(used_key_id, place.practice).decrypt(
                _bytes(nonce), _bytes(sealed), _associated(used_key_id, place)
            )
        except (InvalidTag, ValueError):
            raise DecryptionFailed("This value was altered or belongs somewhere else.") from None
        return opened.decode()

    def _cipher(self, used_key_id: str, practice: str) -> AESGCM:
        name = (used_key_id, practice)
        if name not in self._ciphers:
            derive = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=practice.encode(), info=b"runsheet data key v1")
            self._ciphers[name] = AESGCM(derive.derive(self._masters[used_key_id]))
        return self._ciphers[name]


def _associated(used_key_id: str, place: Place) -> bytes:
    parts = (VERSION, used_key_id, place.practice, place.table, place.column, place.row)
    return b"".join(len(part.encode()).to_bytes(2, "big") + part.encode() for part in parts)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _text(raw) != text:  # one ciphertext has one spelling
        raise ValueError("not the way we write it")
    return raw
