"""Connecting with typed credentials, over a fake vendor: what is tried, what is kept, what a refusal leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, text, update

from app import clock
from app.config import VendorSettings
from app.errors import InvalidInput, NotFound
from app.pms.errors import (
    PairingRefused,
    PmsCancelled,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsSecretsUnreadable,
    PmsUnavailable,
)
from app.pms.limits import LocalLimiter
from app.security.vault import Vault
from app.store import connections, practices
from app.store.db import Store
from app.store.models import PmsConnection, PmsCredential, User
from app.store.models.connection import ConnectionState
from app.sync import preview
from app.sync.engine import Engine
from tests.fakes.house import FakeClock
from tests.fakes.pms import TODAY, VIDEO, FakePms
from tests.fakes.typed import KEY, SECRET, SITE, TypedAdapter, TypedPms
from tests.fakes.typed import typed as typed  # noqa: PLC0414 - a fixture

MASTER = bytes(range(32))


@dataclass
class Office:
    """A practice that is about to connect."""

    engine: Engine
    vendor: TypedPms
    practice_id: UUID
    user_id: UUID

    def drafts(self) -> UUID:
        return preview.new_connection(self.engine, self.practice_id, "typed").id

    def connects(self, given: Mapping[str, str], draft: UUID | None = None) -> UUID:
        """A draft, connected and live."""
        made = draft or self.drafts()
        preview.connect(self.engine, self.practice_id, made, given, self.user_id)
        preview.finish_pairing(self.engine, self.practice_id, made)
        return made

    def changes(self, connection_id: UUID, **given: str) -> PmsConnection:
        return preview.change_credentials(self.engine, self.practice_id, connection_id, given, self.user_id)

    def connection(self, connection_id: UUID) -> PmsConnection:
        with self.engine.store.read() as session:
            return connections.get(session, connection_id)

    def set_columns(self, connection_id: UUID, **columns: object) -> None:
        with self.engine.store.write() as session:
            session.execute(update(PmsConnection).where(PmsConnection.id == connection_id).values(columns))

    def stored(self, connection_id: UUID) -> dict[str, str]:
        return self.engine.typed(self.connection(connection_id))

    def everything(self) -> list[list[tuple[object, ...]]]:
        tables = ("pms_connections", "pms_credentials", "pms_clinician_mappings", "pms_app_tokens")
        with self.engine.store.read() as session:
            return [[tuple(row) for row in session.execute(text(f"SELECT * FROM {name}"))] for name in tables]


@pytest.fixture
def offices(store: Store, clock_at: FakeClock, typed: TypedPms, pms: FakePms) -> Callable[..., Office]:
    pms.employs("kim").offers(VIDEO)
    engine = Engine(store, Vault(MASTER), lambda _: VendorSettings(), LocalLimiter())

    def open_(name: str = "Smith Medical Centre") -> Office:
        with store.write() as session:
            practice = practices.create(session, name, "Australia/Melbourne")
            user = User(id=uuid4(), email=f"{uuid4().hex}@example.com", name="Robin", password_hash="x")
            session.add(user)
        return Office(engine, typed, practice.id, user.id)

    return open_


@pytest.fixture
def office(offices: Callable[..., Office]) -> Office:
    return offices()


# --- connecting -------------------------------------------------------------------------------------------------------


def test_accepted_credentials_bind_the_practice_they_open_and_sync(office: Office, pms: FakePms) -> None:
    draft = office.drafts()
    paired = preview.connect(office.engine, office.practice_id, draft, office.vendor.opens("open sesame"))
    assert (paired.name, paired.practitioners, paired.types) == ("Practice site-1", 1, 1)
    assert office.connection(draft).tenant_id == "site-1"
    assert office.connection(draft).state == ConnectionState.DRAFT
    preview.finish_pairing(office.engine, office.practice_id, draft)
    assert office.stored(draft) == {KEY: "account of site-1", SECRET: "open sesame"}
    assert office.engine.sync_today(draft).success
    assert office.vendor.opened_with[-1] == office.stored(draft)
    assert pms.open_adapters == 0


FAULTS = {
    "nothing": ({}, {KEY: "Account is needed.", SECRET: "Secret is needed."}),
    "blank": ({KEY: "a", SECRET: " \t"}, {SECRET: "Secret is needed."}),
    "unknown": ({KEY: "a", SECRET: "b", "pin": "hunter2"}, {"pin": "This system does not ask for that."}),
    "too long": ({KEY: "a", SECRET: "b" * 4097}, {SECRET: "Use at most 4096 characters; this has 4097."}),
    "two lines": (
        {KEY: "a", SECRET: "hunter2\r\nX-Evil: 1"},
        {SECRET: "This holds a line break or a character that cannot be typed. Copy it once more."},
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_what_cannot_be_used_is_refused_beside_its_field_without_a_call(office: Office, what: str) -> None:
    given, sentences = FAULTS[what]
    draft, asked = office.drafts(), len(office.vendor.opened_with)
    before = office.everything()
    with pytest.raises(InvalidInput) as met:
        office.connects(given, draft)
    assert met.value.errors == sentences
    assert "hunter2" not in str(met.value)
    assert len(office.vendor.opened_with) == asked
    assert office.everything() == before


def test_what_only_the_adapter_knows_to_be_wrong_is_told_in_its_own_words(office: Office) -> None:
    draft = office.drafts()
    before = office.everything()
    with pytest.raises(InvalidInput, match="No secret of Typed has a comma") as met:
        office.connects({KEY: "a", SECRET: "hunter,2"}, draft)
    assert "hunter" not in str(met.value)
    assert office.everything() == before


def test_outer_blanks_are_cut_and_an_empty_optional_field_is_none(office: Office) -> None:
    given = office.vendor.opens("open sesame")
    made = office.connects({KEY: " 4711 ", SECRET: f"{given[SECRET]}\n", SITE: "  "})
    assert office.stored(made) == {KEY: "4711", SECRET: "open sesame"}


@pytest.mark.parametrize("breaks", [PmsForbidden(), PmsUnavailable(reason="connect"), PmsMalformed(), None], ids=str)
def test_a_refusal_saves_nothing(office: Office, breaks: PmsError | None, pms: FakePms) -> None:
    draft, good = office.drafts(), office.vendor.opens("open sesame")
    office.vendor.breaks = breaks
    before = office.everything()
    with pytest.raises(PmsError) as met:
        office.connects(good if breaks else {**good, SECRET: "wrong"}, draft)
    refused = breaks is None or isinstance(breaks, PmsForbidden)
    assert isinstance(met.value, PairingRefused) == refused
    assert met.value.reason == ("credentials_refused" if refused else breaks.reason if breaks else "")
    assert office.everything() == before
    assert pms.open_adapters == 0
    office.vendor.breaks = None
    office.connects(good, draft)


def test_two_refusals_lock_nobody_out_who_types_it_right_the_third_time(office: Office) -> None:
    draft = office.drafts()
    for _ in range(3):
        with pytest.raises(PairingRefused):
            office.connects({KEY: "a", SECRET: "wrong"}, draft)
    assert office.vendor.logins == ["wrong"] * 3, "each press asks once, no more"
    office.connects(office.vendor.opens("right"), draft)


def test_a_fault_after_they_were_accepted_keeps_them(office: Office, pms: FakePms) -> None:
    draft = office.drafts()
    pms.fails(PmsUnavailable(reason="server_error"), practitioner="practitioners")
    with pytest.raises(PmsUnavailable):
        office.connects(office.vendor.opens("open sesame"), draft)
    assert office.connection(draft).tenant_id == "site-1"
    pms.heals()
    preview.read_catalogue(office.engine, office.practice_id, draft)
    assert office.connection(draft).pms_name == "Practice site-1"


def test_one_site_belongs_to_one_practice(office: Office, offices: Callable[..., Office]) -> None:
    given = office.vendor.opens("open sesame")
    office.connects(given)
    other = offices("Ironbark Street Clinic")
    draft = other.drafts()
    before = other.everything()
    with pytest.raises(InvalidInput, match=r"^That practice is already connected to a Runsheet practice\."):
        other.connects(other.vendor.opens("its second secret"), draft)
    assert other.everything() == before


def test_another_practices_connection_is_not_found(office: Office, offices: Callable[..., Office]) -> None:
    given = office.vendor.opens("open sesame")
    theirs, draft = office.connects(given), office.drafts()
    other = offices("Ironbark Street Clinic")
    before = other.everything()
    for act in (preview.connect, preview.change_credentials):
        for id_ in (theirs, draft):
            with pytest.raises(NotFound):
                act(other.engine, other.practice_id, id_, given)
    with pytest.raises(NotFound):
        preview.credentials_set(other.engine, other.practice_id, theirs)
    assert other.everything() == before


def test_that_is_not_us_forgets_the_credentials_too(office: Office) -> None:
    draft = office.drafts()
    preview.connect(office.engine, office.practice_id, draft, office.vendor.opens("open sesame"))
    preview.unpair(office.engine, office.practice_id, draft)
    with office.engine.store.read() as session:
        assert session.scalar(select(func.count()).select_from(PmsCredential)) == 0
    assert [kept for _, kept in preview.credentials_set(office.engine, office.practice_id, draft)] == [None] * 3


def test_a_system_with_a_code_takes_no_credentials(office: Office) -> None:
    draft = preview.new_connection(office.engine, office.practice_id, "fake").id
    with pytest.raises(InvalidInput, match="without credentials"):
        preview.connect(office.engine, office.practice_id, draft, {KEY: "a"})


# --- changing ---------------------------------------------------------------------------------------------------------


def test_a_changed_secret_is_tried_by_itself_and_replaces_the_old_one(office: Office) -> None:
    """The token of the old one would open the door for a wrong new one: it is not used."""
    live = office.connects(office.vendor.opens("old"))
    with pytest.raises(PairingRefused):
        office.changes(live, **{SECRET: "wrong"})
    assert office.stored(live)[SECRET] == "old"
    office.vendor.opens("new")
    office.changes(live, **{SECRET: " new "})
    assert office.stored(live) == {KEY: "account of site-1", SECRET: "new"}
    assert office.engine.sync_today(live).success
    del office.vendor.doors["old"]
    office.set_columns(live, access_token=None)
    assert office.engine.sync_today(live).success


def test_another_sites_credentials_never_reach_a_live_connection(office: Office) -> None:
    live = office.connects(office.vendor.opens("ours"))
    theirs = office.vendor.opens("theirs", "site-2")
    before = office.everything()
    with pytest.raises(InvalidInput, match=r"^Those credentials belong to another practice\. Disconnect"):
        office.changes(live, **theirs)
    assert office.everything() == before


@pytest.mark.parametrize("reason", ["auth_failed", "forbidden", "secrets", "tls"])
def test_new_credentials_take_a_connection_out_of_attention(office: Office, reason: str) -> None:
    live = office.connects(office.vendor.opens("old"))
    needs = {"state": ConnectionState.NEEDS_ATTENTION, "state_reason": reason, "login_failures": 2, "failures": 4}
    office.set_columns(live, **needs)
    office.vendor.opens("new")
    healed = office.changes(live, **{SECRET: "new"})
    assert (healed.state, healed.state_reason, healed.login_failures, healed.failures) == ("active", None, 0, 0)
    assert office.engine.sync_today(live).success


def test_a_paused_connection_stays_paused(office: Office) -> None:
    live = office.connects(office.vendor.opens("old"))
    office.set_columns(live, state=ConnectionState.PAUSED)
    office.vendor.opens("new")
    assert office.changes(live, **{SECRET: "new"}).state == "paused"
    assert office.stored(live)[SECRET] == "new"


def test_an_optional_one_is_added_and_taken_away_and_a_required_one_stays(office: Office) -> None:
    live = office.connects(office.vendor.opens("old"))
    office.changes(live, **{SITE: "north side"})
    assert office.stored(live)[SITE] == "north side"
    office.changes(live, **{SITE: "", SECRET: "", KEY: ""})
    assert office.stored(live) == {KEY: "account of site-1", SECRET: "old"}
    with pytest.raises(InvalidInput, match="Nothing was typed"):
        office.changes(live, **{SITE: "", SECRET: ""})


def test_a_draft_and_an_ended_connection_have_none_to_change_and_a_live_one_is_not_connected_anew(
    office: Office,
) -> None:
    given = office.vendor.opens("old")
    with pytest.raises(InvalidInput, match="not live"):
        office.changes(office.drafts(), **given)
    live = office.connects(given)
    with pytest.raises(InvalidInput, match="is live"):
        office.connects(given, live)
    office.set_columns(live, state=ConnectionState.DISCONNECTED)
    with pytest.raises(InvalidInput, match="not live"):
        office.changes(live, **given)


# --- secrets that cannot be read --------------------------------------------------------------------------------------


def swapped(office: Office, live: UUID) -> None:
    """The two ciphertexts of the connection change places."""
    with office.engine.store.write() as session:
        first, second = session.scalars(select(PmsCredential).where(PmsCredential.pms_connection_id == live))
        first.sealed, second.sealed = second.sealed, first.sealed


@pytest.mark.security("X21")
def test_swapped_ciphertexts_stop_the_connection_and_typing_them_anew_heals_it(office: Office) -> None:
    given = office.vendor.opens("ours")
    live = office.connects(given)
    assert office.engine.sync_day(live, TODAY).success
    swapped(office, live)
    asked = len(office.vendor.opened_with)
    result = office.engine.sync_day(live, TODAY)
    assert (result.state.value, result.reason) == ("failed", "secrets")
    assert len(office.vendor.opened_with) == asked, "nothing was opened with what was found there"
    found = office.connection(live)
    assert (found.state, found.state_reason) == ("needs_attention", "secrets")
    with pytest.raises(PmsSecretsUnreadable):
        office.stored(live)
    health = preview.check(office.engine, found)
    assert (health.healthy, health.reason) == (False, "secrets")
    with pytest.raises(InvalidInput) as met:  # one alone is not enough: the other cannot be read
        office.changes(live, **{SECRET: "ours"})
    assert met.value.errors == {KEY: "What is stored cannot be decrypted any more. Type it again."}
    assert office.changes(live, **given).state == "active"
    assert office.engine.sync_day(live, TODAY + timedelta(days=1)).success


def test_missing_ones_are_told_as_missing(office: Office) -> None:
    live = office.connects(office.vendor.opens("ours"))
    with office.engine.store.write() as session:
        session.execute(text("DELETE FROM pms_credentials"))
    result = office.engine.sync_day(live, TODAY)
    assert (result.state.value, result.reason) == ("failed", "not_paired")
    assert office.connection(live).state == "needs_attention"
    health = preview.check(office.engine, office.connection(live))
    assert health.message == "This connection has no Account, Secret. An admin can enter it on the connection's page."


def test_what_each_practice_types_is_nothing_the_operator_lacks(office: Office) -> None:
    assert office.engine.lacks("typed") is None


def test_the_time_a_person_waits_is_bounded(office: Office, monkeypatch: pytest.MonkeyPatch, pms: FakePms) -> None:
    """An adapter asks between two requests whether to go on; what it then raises is told as what it is."""

    def slow(adapter: TypedAdapter) -> None:
        assert not adapter._cancelled()
        clock.sleep(21)
        assert adapter._cancelled()
        raise PmsCancelled()

    monkeypatch.setattr(TypedAdapter, "authenticate", slow)
    with pytest.raises(PmsUnavailable) as met:
        office.connects(office.vendor.opens("ours"))
    assert met.value.reason == "deadline"
    assert pms.open_adapters == 0
