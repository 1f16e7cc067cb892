"""F43 on the running engine: a stored token that cannot be decrypted stops the connection, and says who mends what."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app import clock
from app.domain.reasons import explain
from app.pms.limits import LocalLimiter
from app.security.vault import APP_WIDE, Place, Vault
from app.store import tokens
from app.store.models import PmsAppToken
from app.store.models.connection import ConnectionState
from app.store.models.sync import Trigger
from app.sync import preview
from app.sync.engine import Engine, Wish
from tests.fixtures.databases import KEY
from tests.jobs.living import Practice
from tests.sandbox.process import RunningSandbox

OTHER_KEY = bytes(range(100, 132))


def flipped(sealed: str) -> str:
    """One bit of what was sealed."""
    head, _, tail = sealed.rpartition(".")
    return f"{head}.{'B' if tail[0] == 'A' else 'A'}{tail[1:]}"


def of_another_row(_: str) -> str:
    """As good as any, and sealed for somebody else's place."""
    return Vault(KEY).seal("a stranger's token", Place("another practice", "pms_app_tokens", "access_token", "7"))


def of_another_key(_: str) -> str:
    return Vault(OTHER_KEY).seal("lost", Place(APP_WIDE, "pms_app_tokens", "access_token", "7"))


HARM: dict[str, Callable[[str], str]] = {
    "flipped bit": flipped,
    "truncated": lambda sealed: sealed[:-9],
    "another row's": of_another_row,
    "another key's": of_another_key,
    "no ciphertext": lambda _: "plain text",
}


@pytest.fixture
def practice(living: Callable[..., Practice], small_clinic: RunningSandbox) -> Practice:
    made = living(small_clinic)
    made.books(3)
    assert made.parts.engine.sync_today(made.connection_id).success
    return made


def harmed(practice: Practice, harm: Callable[[str], str]) -> str:
    """Spoil the stored token; returns it as it was."""
    with practice.store.write() as session:
        (sealed,) = session.scalars(select(PmsAppToken.access_token))
        session.execute(update(PmsAppToken).values(access_token=harm(sealed)))
    return str(sealed)


@pytest.mark.fault("F43")
@pytest.mark.security("X21")
@pytest.mark.parametrize("how", HARM)
def test_a_token_that_cannot_be_decrypted_stops_the_connection_and_says_what_to_do(
    practice: Practice, small_clinic: RunningSandbox, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    sealed = harmed(practice, HARM[how])
    asked, before = small_clinic.state(log=0)["total"], {row.id: row.row_version for row in practice.rows()}
    with caplog.at_level(logging.DEBUG):
        result = practice.parts.engine.sync_today(practice.connection_id)
    assert (result.state.value, result.reason) == ("failed", "secrets")
    assert small_clinic.state(log=0)["total"] == asked  # nothing was asked, with whatever token
    assert {row.id: row.row_version for row in practice.rows()} == before  # the last rows stay
    connection = practice.connection()
    assert (connection.state, connection.state_reason) == (ConnectionState.NEEDS_ATTENTION, "secrets")
    assert practice.states()[-1] == ("failed", "secrets")
    assert sealed not in caplog.text

    told = explain(result.reason, "Gentu")
    assert "cannot be decrypted" in told.happened
    assert "keeps the last rows" in told.means
    assert "OLD_ENCRYPTION_KEYS" in told.who
    assert not told.heals_itself
    practice.due_at(clock.now() - timedelta(minutes=1))
    assert practice.tick()["due"] == 0  # it does not go on by itself

    # The key is lost for good: a person presses Test, which asks for a new token, and syncs again.
    health = preview.check(practice.parts.engine, connection)
    assert health.healthy, health
    assert practice.parts.engine.sync(Wish(practice.connection_id, trigger=Trigger.MANUAL)).success
    assert practice.connection().state == ConnectionState.ACTIVE
    practice.stands_as_in_the_pms()


@pytest.mark.fault("F43")
def test_with_the_earlier_key_back_nothing_was_lost(practice: Practice, small_clinic: RunningSandbox) -> None:
    """Nobody asked for a new token meanwhile: the stored one is as good as before."""

    def engine(vault: Vault) -> Engine:
        return Engine(practice.store, vault, practice.parts.settings.vendor, LocalLimiter())

    without = engine(Vault(OTHER_KEY))
    assert tokens.unreadable(practice.store, without.vault) == 1
    assert without.sync_today(practice.connection_id).reason == "secrets"
    logins = small_clinic.state(log=0)["token_requests"]
    both = engine(Vault(OTHER_KEY, (KEY,)))
    assert tokens.unreadable(practice.store, both.vault) == 0
    assert both.sync_today(practice.connection_id).success
    assert small_clinic.state(log=0)["token_requests"] == logins
    assert practice.connection().state == ConnectionState.ACTIVE


def test_a_connection_s_own_token_is_not_dropped(practice: Practice) -> None:
    """Its refresh token may be worth putting the earlier key back for."""
    stores = tokens.SqlTokenStores(practice.store, Vault(OTHER_KEY), practice.connection_id)
    own = stores.connection()
    own.save(None, access="mine", refresh="again", issued_at=clock.now(), expires_at=clock.now())
    assert tokens.unreadable(practice.store, practice.parts.vault) == 1
    tokens.forget_unreadable(practice.store, practice.parts.vault, "gentu")
    assert tokens.unreadable(practice.store, practice.parts.vault) == 1
    assert own.load().refresh == "again"
    assert practice.parts.engine.sync_today(practice.connection_id).success  # it signs with the app's
