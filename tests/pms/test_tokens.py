"""E03: encrypted at rest, renewed in time, renewed once however many ask."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import SimpleQueue as Results
from multiprocessing.synchronize import Barrier
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, select, update

from app import clock
from app.errors import NotFound
from app.pms.errors import PmsAuthFailed, PmsCancelled, PmsUnavailable
from app.pms.tokens import Token, TokenManager
from app.security.vault import DecryptionFailed, Vault
from app.store.db import Store, engine_options, prepare
from app.store.models import PmsAppToken, PmsConnection, Practice
from app.store.tokens import SqlTokens, SqlTokenStores
from tests.pms.conftest import MemoryTokens, Waits
from tests.pms.scripted import Asked, Scripted, answer

KEY = bytes(range(32))
NOW = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
CLIENT = ("gentu", "simulator", "a" * 64)


def opened(url: str) -> Store:
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    return Store(engine)


def closed(store: Store) -> None:
    store.engine.dispose()


@pytest.fixture
def db(database_url: str) -> Iterator[Store]:
    store = opened(database_url)
    yield store
    closed(store)


@pytest.fixture
def tokens(db: Store) -> SqlTokens:
    return SqlTokenStores(db, Vault(KEY)).app(*CLIENT)


class Mint:
    """Hands out tokens and counts them."""

    def __init__(self, life_s: float = 3599, refuses: bool = False) -> None:
        self.asked = 0
        self.life = timedelta(seconds=life_s)
        self.refuses = refuses

    def __call__(self, before: Token | None) -> Token:
        self.asked += 1
        if self.refuses:
            raise PmsAuthFailed("invalid client")
        now = clock.now()
        return Token(f"token {self.asked}", now, now + self.life)


def set_clock(monkeypatch: pytest.MonkeyPatch, at: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: at)


# --- one caller -------------------------------------------------------------------------------------------------------


@pytest.mark.feature("E03")
@pytest.mark.parametrize(("life_s", "usable_s"), [(3599, 3299), (1500, 1200), (600, 480), (60, 48)])
def test_a_token_is_over_five_minutes_or_a_fifth_of_its_life_before_its_end(life_s: int, usable_s: int) -> None:
    token = Token("t", NOW, NOW + timedelta(seconds=life_s))
    assert not TokenManager.is_expired(token, NOW + timedelta(seconds=usable_s - 1))
    assert TokenManager.is_expired(token, NOW + timedelta(seconds=usable_s))


@pytest.mark.feature("E03")
def test_a_token_is_kept_over_processes_and_renewed_when_its_time_comes(
    tokens: SqlTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    mint = Mint()
    set_clock(monkeypatch, NOW)
    assert TokenManager(tokens, mint).get_valid_token() == "token 1"
    assert TokenManager(tokens, mint).get_valid_token() == "token 1"
    set_clock(monkeypatch, NOW + timedelta(seconds=3300))
    manager = TokenManager(tokens, mint)
    assert (manager.get_valid_token(), manager.get_valid_token()) == ("token 2", "token 2")
    assert manager.refresh().access == "token 3"
    assert (mint.asked, tokens.load().access) == (3, "token 3")


@pytest.mark.feature("E03")
def test_a_refused_token_is_replaced_once_and_a_late_complaint_changes_nothing(tokens: SqlTokens) -> None:
    mint = Mint()
    first, second = TokenManager(tokens, mint), TokenManager(tokens, mint)
    assert first.get_valid_token() == second.get_valid_token() == "token 1"
    first.invalidate("token 1")
    assert first.get_valid_token() == "token 2"
    second.invalidate("token 1")
    assert second.get_valid_token() == "token 2"  # found in the store, no new log-in
    first.invalidate("token 1")
    assert (first.get_valid_token(), mint.asked) == ("token 2", 2)


@pytest.mark.feature("E03")
def test_only_ciphertext_is_stored_and_it_opens_nowhere_else(db: Store, tokens: SqlTokens) -> None:
    tokens.save(None, access="secret access", refresh="secret refresh", issued_at=NOW, expires_at=NOW)
    other = SqlTokenStores(db, Vault(KEY)).app("gentu", "live", "a" * 64)
    assert other.load().access is None
    with db.write() as session:
        mine = session.scalars(select(PmsAppToken).filter_by(environment="simulator")).one()
        assert "secret" not in f"{mine.access_token}{mine.refresh_token}"
        session.execute(
            update(PmsAppToken).where(PmsAppToken.environment == "live").values(access_token=mine.access_token)
        )
    with pytest.raises(DecryptionFailed):
        other.load()
    assert "secret" not in repr(tokens.load())
    with pytest.raises(DecryptionFailed):
        SqlTokenStores(db, Vault(bytes(range(1, 33)))).app(*CLIENT).load()


@pytest.mark.feature("E03")
def test_a_connection_has_a_token_of_its_own_sealed_for_its_practice(db: Store) -> None:
    with db.write() as session:
        practices = [Practice(name=name, timezone="Australia/Melbourne") for name in ("one", "two")]
        session.add_all(practices)
        session.flush()
        connections = [
            PmsConnection(practice_id=one.id, pms_type="cliniko", display_name="x", environment="simulator")
            for one in practices
        ]
        session.add_all(connections)
    first, second = (SqlTokenStores(db, Vault(KEY), one.id).connection() for one in connections)
    first.save(None, access="mine", refresh="again", issued_at=NOW, expires_at=NOW + timedelta(hours=1))
    assert (first.load().access, first.load().refresh, second.load().access) == ("mine", "again", None)
    with db.write() as session:
        sealed = session.scalar(select(PmsConnection.access_token).where(PmsConnection.id == connections[0].id))
        session.execute(update(PmsConnection).where(PmsConnection.id == connections[1].id).values(access_token=sealed))
    with pytest.raises(DecryptionFailed):
        second.load()
    with pytest.raises(NotFound):
        SqlTokenStores(db, Vault(KEY), uuid4()).connection().load()


@pytest.mark.feature("E03")
def test_after_two_refused_log_ins_nobody_asks_again_until_the_credential_changes(db: Store, tokens: SqlTokens) -> None:
    mint = Mint(refuses=True)
    for _ in range(5):
        with pytest.raises(PmsAuthFailed):
            TokenManager(tokens, mint).get_valid_token()
    assert mint.asked == 2
    changed = SqlTokenStores(db, Vault(KEY)).app("gentu", "simulator", "b" * 64)
    assert TokenManager(changed, Mint()).get_valid_token() == "token 1"
    for asked in (3, 4):  # a person presses Test: once each
        manager = TokenManager(tokens, mint)
        manager.allow_another_login()
        for _ in range(3):
            with pytest.raises(PmsAuthFailed):
                manager.get_valid_token()
        assert mint.asked == asked
    mint.refuses = False  # put right at the vendor's end
    manager.allow_another_login()
    assert TokenManager(tokens, mint).get_valid_token() == "token 5"
    assert tokens.load().login_failures == 0


def test_another_try_takes_no_token_away_and_adds_no_refusal(tokens: SqlTokens) -> None:
    mint = Mint()
    manager = TokenManager(tokens, mint)
    manager.get_valid_token()
    manager.allow_another_login()
    assert (manager.get_valid_token(), mint.asked, tokens.load().login_failures) == ("token 1", 1, 0)


def test_a_log_in_that_succeeds_wipes_the_slate(tokens: SqlTokens, monkeypatch: pytest.MonkeyPatch) -> None:
    set_clock(monkeypatch, NOW)
    mint = Mint(refuses=True)
    with pytest.raises(PmsAuthFailed):
        TokenManager(tokens, mint).get_valid_token()
    mint.refuses = False
    TokenManager(tokens, mint).get_valid_token()
    assert tokens.load().login_failures == 0


def test_an_outage_counts_as_no_refusal_and_leaves_no_claim(tokens: SqlTokens) -> None:
    def down(_: Token | None) -> Token:
        raise PmsUnavailable(reason="connect")

    for _ in range(3):
        with pytest.raises(PmsUnavailable):
            TokenManager(tokens, down).get_valid_token()
    assert (tokens.load().login_failures, tokens.load().claimed_until) == (0, None)


# --- who holds the claim ----------------------------------------------------------------------------------------------


def claim(tokens: SqlTokens, name: str, *, version: str | None = None, at: datetime = NOW) -> bool:
    return tokens.claim(name, version=version, login_failures=0, now=at, until=at + timedelta(seconds=30))


@pytest.mark.feature("E03")
def test_a_claim_is_won_once_given_back_and_outlived(tokens: SqlTokens) -> None:
    assert claim(tokens, "a")
    assert not claim(tokens, "b")
    tokens.release("a", login_failed=False)
    assert claim(tokens, "b")
    assert not claim(tokens, "c", at=NOW + timedelta(seconds=29))
    assert claim(tokens, "c", at=NOW + timedelta(seconds=30))  # whoever held it is gone
    assert not tokens.save("b", access="late", refresh=None, issued_at=NOW, expires_at=NOW)
    tokens.release("b", login_failed=True)
    assert tokens.load().login_failures == 0
    assert tokens.save("c", access="t", refresh=None, issued_at=NOW, expires_at=NOW)


@pytest.mark.feature("E03")
def test_who_slept_through_a_renewal_wins_no_claim_for_another(tokens: SqlTokens) -> None:
    seen = tokens.load()
    tokens.save(None, access="t", refresh=None, issued_at=NOW, expires_at=NOW)
    assert not claim(tokens, "late", version=seen.version)
    assert claim(tokens, "fresh", version=tokens.load().version)


def test_who_waits_for_another_can_be_called_off(waits: Waits) -> None:
    store = MemoryTokens()
    store.claim("other", version=None, login_failures=0, now=clock.now(), until=clock.now() + timedelta(seconds=30))
    manager = TokenManager(store, Mint(), sleep=waits, cancelled=lambda: len(waits.slept) > 3)
    with pytest.raises(PmsCancelled):
        manager.get_valid_token()
    assert waits.slept == [0.05] * 4


# --- many at once -----------------------------------------------------------------------------------------------------


def _mint_over_http(url: str) -> Callable[[Token | None], Token]:
    def mint(_: Token | None) -> Token:
        address = urlsplit(url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        connection.request("POST", "/token")
        access = json.loads(connection.getresponse().read())["access"]
        connection.close()
        now = clock.now()
        return Token(access, now, now + timedelta(hours=1))

    return mint


def _many_threads(
    database_url: str,
    url: str,
    threads: int,
    failed: str | None,
    shared: bool,
    gate: Barrier,
    results: Results[list[str]],
) -> None:
    """A process whose threads all need a token at the same moment; with `failed`, all have just met a 401."""
    store = opened(database_url)
    rows = SqlTokenStores(store, Vault(KEY))
    one = TokenManager(rows.app(*CLIENT), _mint_over_http(url))
    managers = [one if shared else TokenManager(rows.app(*CLIENT), _mint_over_http(url)) for _ in range(threads)]
    got: list[str] = []

    def ask(manager: TokenManager) -> None:
        if failed:
            assert manager.get_valid_token() == failed
        gate.wait(30)
        if failed:
            manager.invalidate(failed)
        got.append(manager.get_valid_token())

    running = [threading.Thread(target=ask, args=(manager,)) for manager in managers]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(20)
    closed(store)
    results.put(got)


@pytest.mark.feature("E03")
@pytest.mark.promise("P13")
@pytest.mark.parametrize("shared", [True, False], ids=["one manager a process", "one manager a thread"])
def test_fifty_askers_in_four_processes_cause_one_log_in(database_url: str, server: Scripted, shared: bool) -> None:
    def issue(_: Asked) -> list[bytes | float | str]:
        return [0.15, *answer(200, {"access": f"token {len(server.to('/token'))}"})]

    server.stand("/token", issue)
    context = multiprocessing.get_context("fork")
    for round_, failed in ((1, None), (2, "token 1")):
        results, gate = context.SimpleQueue(), context.Barrier(50)
        running = [
            context.Process(
                target=_many_threads, args=(database_url, server.url, threads, failed, shared, gate, results)
            )
            for threads in (13, 13, 12, 12)
        ]
        for process in running:
            process.start()
        got = [token for _ in running for token in results.get()]
        for process in running:
            process.join(20)
        results.close()
        assert got == [f"token {round_}"] * 50
        assert len(server.to("/token")) == round_


class Rotating:
    """A vendor whose refresh tokens are good for one use: the next pair ends the one before."""

    def __init__(self) -> None:
        self.pairs = 0
        self.refused = 0
        self._lock = threading.Lock()

    def __call__(self, before: Token | None) -> Token:
        with self._lock:
            if before is not None and before.refresh != f"refresh {self.pairs}":
                self.refused += 1
                raise PmsAuthFailed("an old refresh token")
            self.pairs += 1
            now = clock.now()
            return Token(f"access {self.pairs}", now, now + timedelta(hours=1), f"refresh {self.pairs}")


@pytest.mark.fault("F42")
def test_fifty_workers_spend_a_refresh_token_once_and_all_get_the_pair_that_was_stored(
    db: Store, tokens: SqlTokens
) -> None:
    vendor = Rotating()
    for round_ in (1, 2, 3):
        managers = [TokenManager(SqlTokenStores(db, Vault(KEY)).app(*CLIENT), vendor) for _ in range(50)]
        if round_ > 1:
            for manager in managers:
                assert manager.get_valid_token() == f"access {round_ - 1}"
        gate = threading.Barrier(len(managers))
        got: list[str] = []

        def asks(manager: TokenManager, failed: str, gate: threading.Barrier = gate, got: list[str] = got) -> None:
            gate.wait(30)
            manager.invalidate(failed)
            got.append(manager.get_valid_token())

        running = [threading.Thread(target=asks, args=(one, f"access {round_ - 1}")) for one in managers]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join(60)
        assert got == [f"access {round_}"] * 50
        assert (vendor.pairs, vendor.refused) == (round_, 0)
        assert tokens.load().refresh == f"refresh {round_}"


@pytest.mark.fault("F42")
def test_a_pair_that_was_lost_before_it_was_stored_ends_in_a_plain_refusal_and_no_loop(
    tokens: SqlTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = Rotating()
    manager = TokenManager(tokens, vendor)
    manager.get_valid_token()

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as crash, pytest.raises(KeyboardInterrupt):
        crash.setattr(SqlTokens, "save", dies)
        manager.refresh()
    set_clock(monkeypatch, clock.now() + timedelta(hours=2))  # the claim of the dead has run out, and so has the token
    for _ in range(5):
        with pytest.raises(PmsAuthFailed):
            TokenManager(tokens, vendor).get_valid_token()
    assert (vendor.pairs, vendor.refused) == (2, 2)
