"""Argon2id, and what counts as a password worth storing (security X1, X3)."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from app.errors import InvalidInput

MIN_LENGTH = 12
MAX_LENGTH = 256  # long enough for any passphrase, short enough that hashing cannot be used to stall us
_STRENGTH_READS = 72  # the estimator's cost grows with length; the first 72 characters decide
_MIN_SCORE = 2

_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    return _hasher.hash(password)


@cache
def _dummy_hash() -> str:
    return _hasher.hash("nobody has this password")


def verify(stored_hash: str | None, password: str) -> bool:
    """Whether the password fits. An account that does not exist costs the same work as one that does."""
    try:
        matches = _hasher.verify(stored_hash or _dummy_hash(), password[:MAX_LENGTH])
    except (VerificationError, InvalidHashError):
        return False
    return matches and stored_hash is not None


def needs_rehash(stored_hash: str) -> bool:
    return _hasher.check_needs_rehash(stored_hash)


def require_strong(password: str, *personal: str) -> None:
    """Refuse what is too short, too long, or among the passwords attackers try first.

    personal: words an attacker would know, such as the e-mail and the practice's name.
    No composition rules: they make passwords worse. Raises InvalidInput under the field "password".
    """
    if len(password) < MIN_LENGTH:
        raise InvalidInput({"password": f"Use at least {MIN_LENGTH} characters. A few words in a row work well."})
    if len(password) > MAX_LENGTH:
        raise InvalidInput({"password": f"Use at most {MAX_LENGTH} characters."})
    words = [word for text in personal for word in (text, *text.replace("@", " ").replace(".", " ").split())]
    verdict = zxcvbn(password[:_STRENGTH_READS], user_inputs=words, max_length=_STRENGTH_READS)
    if verdict["score"] < _MIN_SCORE:
        raise InvalidInput(
            {"password": "That password is among the first an attacker tries. Choose a few unrelated words instead."}
        )
