"""IDEXX Neo whole (S04): logged in to, swept, its consultations read; what stands on the sheet and in the cases."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest

from app.domain import opening
from app.errors import InvalidInput
from app.pms.errors import PairingRefused
from app.pms.idexx_neo import browser
from app.store import connections, openings, practices
from app.store.models import PmsConnection
from app.store.models.connection import ConnectionState
from app.store.models.sync import RunState
from app.sync import preview
from tests.fakes.clinic import counts, enrichment_of
from tests.fakes.house import EVERY_PHASE, shared_postgresql, shared_sqlite, store
from tests.features.animal_clinic import DAY, AnimalClinic, animals, neo, neo_process

__all__ = ["animals", "neo", "neo_process", "shared_postgresql", "shared_sqlite", "store"]

pytestmark = pytest.mark.feature("S04")

STATES = {
    "booked": "booked",
    "confirmed": "confirmed",
    "arrived": "arrived",
    "in_progress": "in_progress",
    "completed": "completed",
    "cancelled": "cancelled",
    "no_show": "no_show",
}
FULL = (*EVERY_PHASE, "enrichment")


def at(time: str, days: int = 0) -> str:
    return f"{DAY + timedelta(days=days)}T{time}:00+11:00"


def test_a_day_with_every_word_stands_on_the_sheet_and_is_not_written_twice(animals: AnimalClinic) -> None:
    ids = {animals.neo.book(at(f"1{number}:00"), state=state): STATES[state] for number, state in enumerate(STATES)}
    animals.neo.book(at("08:00"), block=True)
    strange = animals.neo.book(at("18:00"), word="waiting for lab")
    result = animals.sync_day()
    assert (result.state, result.reason) == (RunState.PARTIAL, "unknown_status")
    told = {str(row.facts.pms_appointment_id): row.status.value for row in animals.sheet(DAY).rows}
    assert told == ids | {strange: "unknown"}
    inbound = next(one for one in result.tallies if one.phase == "inbound")
    assert (inbound.created, dict(inbound.skipped)) == (8, {"block": 1})
    animals.account_adds_up(DAY)
    version = animals.version(DAY)
    again = next(one for one in animals.sync_day().tallies if one.phase == "inbound")
    assert (again.created, again.updated, again.unchanged) == (0, 0, 8)
    assert animals.version(DAY) == version
    assert animals.logins() == 1, "the session is kept for the next run"


def test_a_case_has_its_animal_its_client_and_its_notes(animals: AnimalClinic) -> None:
    id_ = animals.neo.book(at("09:00"), state="completed", reason="Limping, left fore")
    result = animals.sync_day(phases=FULL)
    assert (result.state, counts(enrichment_of(result))) == (RunState.SUCCESS, (1, 0, 0, {}))
    facts = animals.facts(id_)
    assert (facts.patient_name, facts.species, facts.breed) == ("Biscuit", "Canine", "Kelpie")
    assert (facts.client_name, facts.client_phone) == ("Wilhelmina Quandongley", "+61491570156")
    assert (facts.provider, facts.room, facts.reason) == ("Dr Wren Okafor", "Telehealth", "Limping, left fore")
    assert (facts.enrichment_state, facts.consultation_id) == ("enriched", f"81{id_}")
    notes = animals.notes(id_)
    assert notes is not None
    assert (notes.subjective, notes.plan) == ("Limping since Tuesday (Biscuit).", "Rest for ten days.")
    assert ([one.name for one in notes.declined], notes.discharge) == (["X-ray, 2 views"], "Keep quiet for 10 days.")
    asked = len(animals.neo.asked("/consultations"))
    assert counts(enrichment_of(animals.sync_day(phases=FULL))) == (0, 0, 0, {"already_enriched": 1})
    assert len(animals.neo.asked("/consultations")) == asked
    animals.neo.change(id_, reason="Limping worse")
    animals.sync_day(phases=("inbound",))
    facts = animals.facts(id_)
    assert (facts.reason, facts.species) == ("Limping worse", "Canine"), "the calendar tells no species, and takes none"


def test_one_that_was_moved_or_deleted_goes_and_a_cancelled_one_is_struck(animals: AnimalClinic) -> None:
    stays, moved, gone, off = (animals.neo.book(at(time)) for time in ("09:00", "10:00", "11:00", "13:00"))
    animals.sync_day()
    animals.neo.change(moved, at=at("10:00", days=20))
    animals.neo.delete(gone)
    animals.neo.control("knobs", shows_cancelled=False)
    animals.neo.cancel(off, "Cannot make it")
    animals.sync_day(phases=EVERY_PHASE)
    assert animals.removed() == {gone}
    assert animals.day_of(moved) == DAY + timedelta(days=20)
    told = {str(row.facts.pms_appointment_id): row.status.value for row in animals.sheet(DAY).rows}
    assert (told[stays], told[off]) == ("booked", "cancelled")


@pytest.mark.fault("F16")
@pytest.mark.parametrize("ended", ["json", "redirect", "page", "forbidden"])
def test_a_session_that_ended_costs_a_log_in_and_nobody_their_row(animals: AnimalClinic, ended: str) -> None:
    ids = {animals.neo.book(at(time)) for time in ("09:00", "10:00", "11:00")}
    animals.sync_day()
    animals.neo.control("knobs", ended=ended)
    animals.neo.end_tokens()
    assert animals.sync_day(phases=EVERY_PHASE).state is RunState.SUCCESS
    assert (animals.shown(DAY), animals.removed(), animals.logins()) == (ids, set(), 2)


@pytest.mark.feature("A21")
def test_a_password_that_was_changed_stops_the_connection_and_locks_no_account(animals: AnimalClinic) -> None:
    ids = {animals.neo.book(at(time)) for time in ("09:00", "10:00", "11:00")}
    animals.sync_day()
    animals.neo.control("knobs", password="Changed-0000!", ended="page")
    animals.neo.end_tokens()
    for sent in (1, 2, 2, 2):
        result = animals.sync_day(phases=EVERY_PHASE)
        assert (result.state, result.reason) == (RunState.FAILED, "auth_failed")
        assert animals.logins() == 1 + sent
    assert animals.connection().state == ConnectionState.NEEDS_ATTENTION
    assert (animals.shown(DAY), animals.removed()) == (ids, set())
    animals.types(password="Changed-0000!")
    assert animals.sync_day().state is RunState.SUCCESS


@pytest.mark.security("X21")
def test_the_session_is_sealed_where_it_is_kept(animals: AnimalClinic) -> None:
    animals.sync_day()
    everything = animals.everything()
    assert b"Wrenfield Veterinary" in everything  # the search does see what stands there
    assert animals.connection().access_token is not None
    for word in ("neo_session", "neo_csrf", animals.neo.credentials["password"]):
        assert word.encode() not in everything


def test_a_practice_connects_with_what_it_types_and_another_is_refused_the_same_clinic(animals: AnimalClinic) -> None:
    with animals.store.write() as session:
        others = [practices.create(session, name, "Australia/Melbourne") for name in ("Elsewhere", "Nowhere")]
    first, second = (preview.new_connection(animals.engine, one.id, "idexx_neo") for one in others)
    typed = dict(animals.neo.credentials)

    def connects(draft: PmsConnection, **more: str) -> preview.Paired:
        return preview.connect(animals.engine, draft.practice_id, draft.id, typed | more)

    with pytest.raises(PairingRefused) as refused:
        connects(first, password="Wrong-0000!")
    assert refused.value.reason == "credentials_refused"
    for wrong, says in (
        ({"region": "mars"}, "us, ca, uk"),
        ({"login_by": "cookies"}, "Cookies is needed"),
        ({"company_id": ""}, "company ID"),
    ):
        with pytest.raises(InvalidInput, match=says):
            connects(first, **wrong)
    animals.neo.control("knobs", second_factor=True)
    with pytest.raises(InvalidInput, match="second factor"):
        connects(first)
    animals.neo.control("knobs", second_factor=False)
    paired = connects(first)
    assert (paired.name, paired.practitioners, paired.types) == ("Company 4711", 4, 4)
    with animals.store.read() as session:
        tenant = connections.get(session, first.id).tenant_id
    assert tenant == f"us {min(one['id'] for one in animals.neo.state()['practitioners'])}"
    with pytest.raises(InvalidInput, match="already connected"):
        connects(second)


@pytest.mark.feature("E22")
def test_neos_hours_fill_what_nobody_has_said_and_no_more(animals: AnimalClinic) -> None:
    def now() -> opening.Opening:
        with animals.store.read() as session:
            return openings.of(session, animals.practice_id)

    assert (opening.as_json(now().hours)["sat"], now().slot_minutes) == ([["09:00", "13:00"]], 10)
    assert now().rooms == ["Harbour Rooms", "Telehealth"]
    with animals.store.write() as session:
        practice = practices.get(session, animals.practice_id)
        openings.change(session, practice, hours={"sat": []}, slot_minutes=30, rooms=["Blue room"])
    before = now()
    animals.sync_day(phases=("catalogue",))
    assert now() == before
    with animals.store.read() as session:
        free = openings.free_on(session, practices.get(session, animals.practice_id), DAY)
    assert len(free.free.slots) == 20, "ten hours of a Monday, half an hour each"


@pytest.mark.browser
@pytest.mark.skipif(not any(map(shutil.which, browser._NAMES)), reason="no Chromium on this machine")
def test_a_real_browser_logs_in_and_the_day_is_read_without_it(animals: AnimalClinic) -> None:
    id_ = animals.neo.book(at("09:00"), state="completed")
    animals.neo.control("knobs", scripted=True)
    animals.neo.end_tokens()
    animals.types(login_by="browser")
    before = len(animals.neo.asked("/dashboard"))
    assert animals.sync_day(phases=FULL).state is RunState.SUCCESS
    assert animals.shown(DAY) == {id_}
    assert animals.notes(id_) is not None
    assert len(animals.neo.asked("/dashboard")) == before + 1
    assert animals.sync_day().state is RunState.SUCCESS
    assert len(animals.neo.asked("/dashboard")) == before + 1
