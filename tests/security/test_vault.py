"""A ciphertext opens where it was sealed, with its key, unaltered; nowhere and never else (X21, F43)."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.security.vault import APP_WIDE, DecryptionFailed, Place, UnknownKey, Vault, key_id

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
HERE = Place("practice-1", "pms_connections", "access_token", "row-1")
pytestmark = pytest.mark.security("X21")


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=200))
def test_what_is_sealed_opens_again(secret: str) -> None:
    vault = Vault(NEW)
    assert vault.open(vault.seal(secret, HERE), HERE) == secret


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(HERE, row="row-2"),
        replace(HERE, column="refresh_token"),
        replace(HERE, table="pms_app_tokens"),
        replace(HERE, practice="practice-2"),
        replace(HERE, practice=APP_WIDE),
        # The parts are told apart: moving a letter from one to the next is another place.
        replace(HERE, table="pms_connection", column="saccess_token"),
        replace(HERE, row=""),
    ],
)
def test_a_ciphertext_that_was_moved_does_not_open(elsewhere: Place) -> None:
    vault = Vault(NEW)
    with pytest.raises(DecryptionFailed):
        vault.open(vault.seal("secret", HERE), elsewhere)


def test_every_flipped_bit_and_every_shortened_text_is_noticed() -> None:
    vault = Vault(NEW)
    sealed = vault.seal("secret", HERE)
    version, used, *parts = sealed.split(".")
    for index, part in enumerate(parts):
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        for bit in range(len(raw) * 8):
            flipped = bytearray(raw)
            flipped[bit // 8] ^= 1 << bit % 8
            altered = [*parts]
            altered[index] = base64.urlsafe_b64encode(bytes(flipped)).rstrip(b"=").decode()
            with pytest.raises(DecryptionFailed):
                vault.open(".".join((version, used, *altered)), HERE)
    for length in range(len(sealed)):
        with pytest.raises(DecryptionFailed):
            vault.open(sealed[:length], HERE)


@pytest.mark.parametrize("letter", range(3))
def test_no_other_spelling_of_the_same_bytes_is_taken(letter: int) -> None:
    """Base64 has bits to spare at its end; two texts must not stand for one ciphertext."""
    vault = Vault(NEW)
    sealed = vault.seal("x" * letter, HERE)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for other in alphabet:
        if other != sealed[-1]:
            with pytest.raises(DecryptionFailed):
                vault.open(sealed[:-1] + other, HERE)


@pytest.mark.parametrize(
    "text", ["", "secret", "v1.a.b", "v1.a.b.c.d", "v2.{0}.AAAA.AAAA", "v1.{0}.ä.AAAA", "v1.{0}.AAAA.A"]
)
def test_what_is_no_ciphertext_of_ours_is_refused(text: str) -> None:
    with pytest.raises(DecryptionFailed):
        Vault(NEW).open(text.format(key_id(NEW)), HERE)


def test_an_older_key_still_opens_and_a_missing_one_is_named() -> None:
    sealed = Vault(OLD).seal("secret", HERE)
    rotated = Vault(NEW, (OLD,))
    assert rotated.open(sealed, HERE) == "secret"
    assert rotated.seal("x", HERE).split(".")[1] == key_id(NEW)
    assert rotated.key_ids == {key_id(OLD), key_id(NEW)}
    with pytest.raises(UnknownKey) as lost:
        Vault(NEW).open(sealed, HERE)
    assert lost.value.key_id == key_id(OLD)
    assert "secret" not in str(lost.value)


def test_a_key_id_that_is_altered_is_noticed() -> None:
    """Both keys are there, so only the binding tells that the ciphertext was made with the other one."""
    version, _, *rest = Vault(OLD).seal("secret", HERE).split(".")
    with pytest.raises(DecryptionFailed):
        Vault(NEW, (OLD,)).open(".".join((version, key_id(NEW), *rest)), HERE)


def test_no_nonce_comes_twice_and_no_text_looks_the_same_twice() -> None:
    vault = Vault(NEW)
    sealed = [vault.seal("secret", HERE) for _ in range(20_000)]
    assert len({one.split(".")[2] for one in sealed}) == len(sealed)
    assert len({one.split(".")[3] for one in sealed}) == len(sealed)


@pytest.mark.parametrize("key", [b"", b"short", bytes(31), bytes(33)])
def test_a_master_key_has_32_bytes(key: bytes) -> None:
    with pytest.raises(ValueError, match="32"):
        Vault(key)
    with pytest.raises(ValueError, match="32"):
        Vault(NEW, (key,))


def test_a_key_id_tells_nothing_of_the_key() -> None:
    assert len(key_id(NEW)) == 8
    assert key_id(NEW) != key_id(OLD)
    assert key_id(NEW) not in NEW.hex()
