"""What a person typed, at rest: sealed to its connection and field, told without its value, replaced with its token."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from sqlalchemy import inspect, select, text, update

from app import clock
from app.errors import Unreadable
from app.security.vault import Vault
from app.store import connections, credentials
from app.store.credentials import Typed
from app.store.models import PmsConnection, PmsCredential, Practice, User
from app.store.tokens import SqlTokenStores
from tests.fakes.house import House, furnish

NAMES = ("account", "secret")
SECRET, ACCOUNT = "seven quiet canaries", "account 0815 4711"


def kept(house: House, *, practice: str | None = None, **values: str) -> None:
    """Keep these for the house's connection."""
    with house.store.write() as session:
        connection = connections.get(session, house.connection_id)
        typed = Typed(values or {"account": ACCOUNT, "secret": SECRET}, open_names=("account",), by=house.user_id)
        credentials.keep(session, house.vault, connection, typed, clock.now())


def opened(house: House, vault: Vault | None = None) -> dict[str, str]:
    with house.store.read() as session:
        connection = connections.get(session, house.connection_id)
        return credentials.opened(session, vault or house.vault, connection, NAMES)


@pytest.mark.feature("E19")
def test_what_was_typed_is_sealed_in_the_database_and_opened_for_a_run(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    kept(house)
    with house.store.read() as session:
        held = [str(value) for row in session.execute(text("SELECT * FROM pms_credentials")) for value in row]
    assert [one for one in held if SECRET in one or ACCOUNT in one] == []
    with caplog.at_level(logging.INFO, logger="app"):
        assert opened(house) == {"account": ACCOUNT, "secret": SECRET}
    (line,) = [one for one in caplog.records if one.message == "credentials decrypted"]
    assert vars(line)["connection_id"] == str(house.connection_id)
    assert vars(line)["count"] == 2
    assert SECRET not in caplog.text


@pytest.mark.security("X21")
def test_a_view_tells_what_is_set_by_whom_and_no_value(house: House) -> None:
    kept(house)
    with house.store.read() as session:
        found = credentials.which_are_set(session, house.connection_id)
    assert {name: one.tail for name, one in found.items()} == {"account": "4711", "secret": None}
    assert {one.changed_by for one in found.values()} == {house.user_id}
    assert {one.changed_at for one in found.values()} == {clock.now()}
    kept(house, account="short")
    with house.store.read() as session:
        assert credentials.which_are_set(session, house.connection_id)["account"].tail is None


@pytest.mark.security("X21")
@pytest.mark.parametrize("moved", ["other practice", "other connection", "other field", "names swapped", "bit flipped"])
def test_a_ciphertext_that_is_not_of_this_place_is_not_opened(house: House, moved: str) -> None:
    """Whatever is copied or renamed in the database: it is refused, never used as something else."""
    kept(house)
    other = House(house.store, house.vault, house.clock, house.pms, *furnish(house.store, "Ironbark Street Clinic"))
    if moved == "other connection":
        with house.store.write() as session:
            practice = session.get_one(Practice, house.practice_id)
            second = connections.create(session, practice, "fake", "Second", house.connection().environment)  # type: ignore[arg-type]
            second_id = second.id
        other = House(house.store, house.vault, house.clock, house.pms, house.practice_id, second_id, house.user_id)
    kept(other, account="another account", secret="another secret")
    mine = PmsCredential.pms_connection_id == house.connection_id
    with house.store.write() as session:
        sealed = {(row.pms_connection_id, row.name): row.sealed for row in session.scalars(select(PmsCredential)).all()}
        if moved == "names swapped":
            for old, new in (("account", "x"), ("secret", "account"), ("x", "secret")):
                session.execute(update(PmsCredential).where(mine, PmsCredential.name == old).values(name=new))
        else:
            good = sealed[house.connection_id, "secret"]
            put = {
                "other field": sealed[house.connection_id, "account"],
                "bit flipped": f"{good[:-1]}{'A' if good[-1] != 'A' else 'E'}",
            }.get(moved, sealed[other.connection_id, "secret"])
            session.execute(update(PmsCredential).where(mine, PmsCredential.name == "secret").values(sealed=put))
    with pytest.raises(Unreadable):
        opened(house)
    assert credentials.unreadable(house.store, house.vault) == (2 if moved == "names swapped" else 1)
    assert opened(other) == {"account": "another account", "secret": "another secret"}


def test_another_key_opens_nothing_and_the_earlier_one_put_back_opens_all(house: House) -> None:
    kept(house)
    other = bytes(range(100, 132))
    with pytest.raises(Unreadable):
        opened(house, Vault(other))
    assert credentials.unreadable(house.store, Vault(other)) == 2
    assert opened(house, Vault(other, (bytes(range(32)),))) == {"account": ACCOUNT, "secret": SECRET}


def test_changing_one_forgets_the_token_and_the_refusals_and_moves_nothing_else(house: House) -> None:
    kept(house)
    tokens = SqlTokenStores(house.store, house.vault, house.connection_id).connection()
    at = clock.now()
    tokens.save(None, access="old", refresh="older", issued_at=at, expires_at=at + timedelta(hours=1))
    version = tokens.load().version
    assert tokens.claim("mine", version=version, login_failures=0, now=at, until=at + timedelta(seconds=30))
    with house.store.write() as session:
        connections.get(session, house.connection_id).login_failures = 2
    before, sheet = columns(house), house.version()
    house.clock.forward(60)
    kept(house, secret="a new one")
    assert opened(house) == {"account": ACCOUNT, "secret": "a new one"}
    token = tokens.load()
    assert (token.access, token.refresh, token.expires_at, token.login_failures) == (None, None, None, 0)
    moved = {name for name, value in columns(house).items() if value != before[name]}
    assert moved == {
        *("access_token", "refresh_token", "token_issued_at", "token_expires_at", "login_failures"),
        *("token_claim", "token_claimed_until", "updated_at"),
    }
    assert house.version() == sheet
    with house.store.read() as session:
        found = credentials.which_are_set(session, house.connection_id)
    assert found["secret"].changed_at - found["account"].changed_at == timedelta(seconds=60)
    # Who was renewing with the old ones brings its token too late.
    assert not tokens.save("mine", access="late", refresh=None, issued_at=at, expires_at=at + timedelta(hours=1))
    assert tokens.load().access is None


def columns(house: House) -> dict[str, object]:
    with house.store.read() as session:
        found = session.get_one(PmsConnection, house.connection_id)
        return {one.key: getattr(found, one.key) for one in inspect(PmsConnection).column_attrs}


def test_one_can_be_taken_away_and_all_leave_with_their_connection(house: House) -> None:
    kept(house)
    with house.store.write() as session:
        connection = connections.get(session, house.connection_id)
        credentials.keep(session, house.vault, connection, Typed({}, gone=("account",)), clock.now())
    assert opened(house) == {"secret": SECRET}
    with house.store.write() as session:
        session.delete(session.get_one(User, house.user_id))
    with house.store.read() as session:  # who typed it has left; it stays
        assert credentials.which_are_set(session, house.connection_id)["secret"].changed_by is None
    with house.store.write() as session:
        session.delete(session.get_one(PmsConnection, house.connection_id))
    assert house.count(PmsCredential) == 0
