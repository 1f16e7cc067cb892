"""What counts as a password, and how it is kept (X1)."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from app.errors import InvalidInput
from app.security import passwords
from app.security.roles import GRANTS, Permission, Role, allows, may_change_row

pytestmark = [pytest.mark.security("X1"), pytest.mark.usefixtures("full_price")]


def test_a_hash_is_argon2id_with_its_parameters_in_it() -> None:
    found = extract_parameters(passwords.hash_password("four unrelated plain words"))
    assert found.type is Type.ID
    assert found.memory_cost >= 19 * 1024  # KiB; OWASP's least
    assert found.time_cost >= 2
    assert found.salt_len >= 16


@pytest.mark.parametrize(
    "password", ["x" * 64, "Grüße aus Köln, 14 Ω und 😀", "correct horse battery staple", " " * 12 + "a"]
)
def test_long_and_unicode_passwords_work(password: str) -> None:
    kept = passwords.hash_password(password)
    assert passwords.verify(kept, password)
    assert not passwords.verify(kept, password + "!")


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("elevenchars", "at least 12"),
        ("", "at least 12"),
        ("x" * 257, "at most 256"),
        ("password1234", "attacker"),
        ("passwordpassword", "attacker"),
        ("123456789012", "attacker"),
        ("qwertyuiop123", "attacker"),
        ("aaaaaaaaaaaaaaaa", "attacker"),
        ("robin@example.com", "attacker"),
        ("smith medical centre", "attacker"),
    ],
)
def test_what_an_attacker_tries_first_is_refused(password: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        passwords.require_strong(password, "robin@example.com", "Smith Medical Centre")
    assert set(refused.value.errors) == {"password"}


def test_the_three_thousand_most_used_passwords_are_refused() -> None:
    common = sorted(FREQUENCY_LISTS["passwords"][:3000], key=len)
    taken = [password for password in common if not refused(password)]
    assert taken == []
    assert len(common[-1]) >= passwords.MIN_LENGTH, "the list holds some that are long enough to pass by length alone"


def refused(password: str) -> bool:
    try:
        passwords.require_strong(password)
    except InvalidInput:
        return True
    return False


@pytest.mark.parametrize("password", ["teapot lantern gravel", "vK9#mQ2$xL7p", "пароль из четырёх слов"])
def test_no_rule_of_composition_stands_in_the_way(password: str) -> None:
    passwords.require_strong(password, "robin@example.com", "Smith Medical Centre")


def test_a_very_long_password_cannot_be_used_to_stall_us() -> None:
    passwords.require_strong("teapot lantern gravel " * 11)
    kept = passwords.hash_password("a" * 256)
    assert passwords.verify(kept, "a" * 100_000) is True  # cut before it is hashed
    assert passwords.verify(kept, "b" * 100_000) is False


def test_an_account_that_does_not_exist_costs_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    real = PasswordHasher.verify

    def counted(hasher: PasswordHasher, kept: str, password: str) -> bool:
        checked.append(kept)
        return real(hasher, kept, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    assert passwords.verify(None, "nobody has this password") is False, "the dummy's own password opens nothing"
    assert len(checked) == 1
    assert checked[0].startswith("$argon2id$")


@pytest.mark.parametrize("kept", ["", "plain", "$argon2id$broken", "$2b$12$abcdefghijklmnopqrstuv"])
def test_a_hash_nobody_can_read_lets_nobody_in(kept: str) -> None:
    assert passwords.verify(kept, "plain") is False


def test_a_weaker_hash_is_made_anew() -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("four unrelated plain words")
    assert passwords.verify(weak, "four unrelated plain words")
    assert passwords.needs_rehash(weak)
    assert not passwords.needs_rehash(passwords.hash_password("four unrelated plain words"))


def test_roles_contain_each_other_but_for_the_clinician() -> None:
    assert GRANTS[Role.OWNER] > GRANTS[Role.ADMIN] > GRANTS[Role.RECEPTIONIST]
    assert set(GRANTS) == set(Role)
    notes = [role for role in Role if allows(role, Permission.CLINICAL_NOTES)]
    assert notes == [Role.CLINICIAN]
    assert all(allows(role, Permission.SYNC_NOW) and allows(role, Permission.SHEET_READ) for role in Role)
    assert [role for role in Role if allows(role, Permission.VENDOR_ADDRESS)] == [Role.OWNER]
    assert not allows(Role.CLINICIAN, Permission.WALK_IN)


@pytest.mark.parametrize("role", list(Role))
def test_a_clinician_writes_on_own_rows_only(role: Role) -> None:
    assert may_change_row(role, own_row=True)
    assert may_change_row(role, own_row=False) == (role is not Role.CLINICIAN)
