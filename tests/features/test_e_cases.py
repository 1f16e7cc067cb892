"""Cases and their consultations, over HTTP from the simulated ezyVet to what each role may read (E09, E23)."""

from __future__ import annotations

from typing import Any

import pytest

from app import clock
from app.config import VendorSettings
from app.domain.cases import CaseStatus, WordKind
from app.pms.limits import LocalLimiter
from app.security.roles import Role, key_may_read_notes
from app.security.vault import DecryptionFailed, Vault
from app.store import cases, holds, practices, sync_runs
from app.store.db import Store
from app.store.models import CaseConsultation, SyncRun
from app.store.models.sync import RunState
from app.sync import preview
from app.sync.engine import Engine
from tests.fakes.clinic import counts, enrichment_of
from tests.fakes.house import EVERY_PHASE, statements, writes_to
from tests.features.hospital import PARTS, Hospital, ezyvet, ezyvet_process, hospital, opened
from tests.fixtures.databases import KEY
from tests.sync.test_enrichment import At

__all__ = ["ezyvet", "ezyvet_process", "hospital"]


@pytest.mark.feature("E23")
def test_a_case_tells_who_came_and_its_notes_what_was_found(hospital: Hospital) -> None:
    id_ = hospital.visit(0)
    result = hospital.sync()
    assert (result.state, result.reason) == (RunState.SUCCESS, None)
    facts = hospital.facts(id_)
    assert (facts.patient_name, facts.species, facts.breed) == ("Biscuit", "Canine", "Kelpie")
    assert (facts.client_name, facts.client_phone) == ("Marigold Underhill", "+61491570150")
    assert facts.client_email == "marigold.underhill@example.com"
    assert (facts.provider, facts.room, facts.reason) == ("Dr Imogen Thistledown", "Consult Room 1", "Limping")
    assert (facts.status, facts.case_type, facts.visibility) == ("completed", "checkup", "private")
    assert (facts.enrichment_state, facts.consultation_id) == ("enriched", str(hospital.consult_of(id_)))
    notes = hospital.notes(id_)
    assert notes is not None
    told = (notes.subjective, notes.objective, notes.assessment, notes.plan)
    assert told == tuple(f"{text} (801)." for text in PARTS.values())
    (vitals,) = notes.vitals
    assert vitals.weight is not None
    assert (vitals.weight.value, vitals.weight.unit) == (12.4, "kg")
    assert vitals.temperature is not None
    assert (vitals.temperature.value, vitals.temperature.unit) == (38.6, "C")
    assert notes.diagnoses == ("Lameness",)
    assert [one.name for one in notes.treatments] == ["Cold compress"]
    assert [(one.name, one.quantity) for one in notes.items] == [("Consultation fee", "1")]


@pytest.mark.feature("E23")
@pytest.mark.security("X21")
def test_notes_are_sealed_where_they_are_kept(hospital: Hospital) -> None:
    first, second = hospital.visit(0), hospital.visit(1)
    hospital.sync()
    everything = hospital.database()
    assert b"Biscuit" in everything  # the search does see what stands there
    assert [text for text in PARTS.values() if text.encode() in everything] == []
    assert b"Cold compress" not in everything
    ids = {id_: hospital.cases()[id_].id for id_ in (first, second)}
    sealed = hospital.sealed()
    with hospital.store.write() as session:
        session.get_one(CaseConsultation, ids[first]).content = sealed[ids[second]]
    with pytest.raises(DecryptionFailed):
        hospital.notes(first)


@pytest.mark.feature("E23")
@pytest.mark.security("X16")
def test_notes_are_read_by_the_appointments_clinician_alone(hospital: Hospital) -> None:
    id_ = hospital.visit(0)
    hospital.sync()
    hospital.maps_everybody()
    facts = hospital.facts(id_)
    readers = {(role, own): facts.clinician_id if own else None for role in Role for own in (True, False)}
    with hospital.store.read() as session:
        read = {
            which
            for which, clinician_id in readers.items()
            if cases.notes_for(
                session, hospital.vault, hospital.practice_id, facts.id, cases.Reader(which[0], clinician_id)
            )
        }
    assert read == {(Role.CLINICIAN, True)}
    assert [key_may_read_notes(scopes) for scopes in (None, [], ["*"], ["sync:cases"], ["notes:read"])] == [
        *[False] * 4,
        True,
    ]


@pytest.mark.feature("E23")
def test_the_practices_table_of_words_decides_status_and_type(hospital: Hospital) -> None:
    over, waits = hospital.visit(0), hospital.visit(1, status_id=4)  # “In Consult Room”
    hospital.sync()
    assert hospital.facts(waits).status == "ongoing"  # by our word for it
    assert hospital.maps(WordKind.STATUS, "in consult room", "draft") == 1
    assert hospital.maps(WordKind.TYPE, "Consultation", "emergency") == 2
    later = hospital.visit(2, status_id=4)
    hospital.sync()
    told = {id_: (hospital.facts(id_).status, hospital.facts(id_).case_type) for id_ in (over, waits, later)}
    assert told == {
        over: ("completed", "emergency"),
        waits: ("draft", "emergency"),
        later: ("draft", "emergency"),
    }


@pytest.mark.feature("E23", "E24")
def test_what_people_said_of_a_case_outlives_every_sync(hospital: Hospital) -> None:
    id_ = hospital.visit(0)
    hospital.sync()
    with hospital.store.write() as session:
        act, case_id = hospital.act(), hospital.cases()[id_].id
        cases.edit(session, hospital.practice_id, case_id, act, status=CaseStatus.REVIEWED)
    hospital.writes("appointment", int(id_), description="Limping worse")
    hospital.sync(full=True)
    assert (hospital.facts(id_).status, hospital.facts(id_).reason) == ("reviewed", "Limping worse")


@pytest.mark.feature("E23")
@pytest.mark.parametrize(("kind", "keeps"), [("ezyvet", True), ("gentu", False)])
def test_a_new_connection_keeps_cases_where_its_system_has_consultations(store: Store, kind: str, keeps: bool) -> None:
    with store.write() as session:
        practice = practices.create(session, "Wattle Creek", "Australia/Melbourne")
    vendor = VendorSettings("http://127.0.0.1:9/nobody")
    engine = Engine(store, Vault(KEY), lambda _: vendor, LocalLimiter())
    assert preview.new_connection(engine, practice.id, kind).keeps_cases is keeps


# --- enrichment -------------------------------------------------------------------------------------------------------


@pytest.mark.feature("E09")
def test_five_are_fetched_at_a_time_and_a_second_run_fetches_and_writes_nothing(hospital: Hospital) -> None:
    for number in range(7):
        hospital.visit(number)
    before = hospital.asked("/consult")
    result = hospital.sync()
    assert counts(enrichment_of(result)) == (7, 0, 0, {})
    assert hospital.asked("/consult") - before == 2
    asked = hospital.asked("/consult")
    with statements(hospital.store) as told:
        result = hospital.sync()
    assert counts(enrichment_of(result)) == (0, 0, 0, {"already_enriched": 7})
    assert writes_to(told, "cases", "case_consultations") == []
    assert hospital.asked("/consult") == asked


@pytest.mark.feature("E09")
@pytest.mark.fault("S11")
def test_one_that_cannot_be_read_of_ten_leaves_nine_and_the_run_is_partial(hospital: Hospital) -> None:
    ids = [hospital.visit(number) for number in range(10)]
    bad = ids[3]
    hospital.writes("consult", hospital.consult_of(bad), date="the other day")
    result = hospital.sync()
    assert (result.state, result.reason) == (RunState.PARTIAL, "some_failed")
    tally = enrichment_of(result)
    assert counts(tally) == (9, 0, 0, {"bad_envelope": 1})
    assert tally.details["failedCases"] == [{"appointment": bad, "reason": "bad_envelope"}]
    assert hospital.states() == dict.fromkeys(ids, "enriched") | {bad: "failed"}
    hospital.writes("consult", hospital.consult_of(bad), date=hospital.now)
    result = hospital.sync()
    assert (result.state, counts(enrichment_of(result))) == (RunState.SUCCESS, (1, 0, 0, {"already_enriched": 9}))


@pytest.mark.feature("E23")
@pytest.mark.feature("E08")
def test_a_case_goes_and_comes_back_with_its_appointment(hospital: Hospital) -> None:
    """Struck out, never deleted, its status as it was; also by a person's word, and by that word taken back."""
    ids = [hospital.visit(number) for number in range(5)]
    hospital.sync(phases=EVERY_PHASE)
    hospital.order("remove", id=int(ids[0]))
    hospital.sync(phases=EVERY_PHASE)
    assert gone(hospital) == {ids[0]}
    assert (hospital.cases()[ids[0]].status, hospital.cases()[ids[0]].delete_reason) == ("completed", "gone")
    for id_ in ids[1:]:
        hospital.order("remove", id=int(id_))
    assert hospital.sync(phases=EVERY_PHASE).reason == "removal_held"
    assert gone(hospital) == {ids[0]}, "much of a day at once waits for a person"
    with hospital.store.write() as session:
        (hold,) = holds.standing(session, hospital.connection_id)
        holds.release(session, hospital.practice_id, hold.id, holds.Act(None, clock.now()))
    assert gone(hospital) == set(ids)
    with hospital.store.write() as session:
        holds.undo(session, hospital.practice_id, hold.id, holds.Act(None, clock.now()))
    assert gone(hospital) == {ids[0]}


def gone(hospital: Hospital) -> set[str]:
    return {id_ for id_, case in hospital.cases().items() if case.deleted_at is not None}


@pytest.mark.feature("E09")
@pytest.mark.fault("F15")
def test_one_that_is_not_there_is_marked_and_asked_again_by_a_full_run(hospital: Hospital) -> None:
    gone, there = hospital.visit(0), hospital.visit(1)
    hospital.set(parallel_batch_size=1)
    hospital.order("faults", kind="error", path="/v1/consult", status=404, next=1)
    result = hospital.sync()
    assert (result.state, counts(enrichment_of(result))) == (RunState.PARTIAL, (1, 0, 0, {"not_found": 1}))
    assert enrichment_of(result).details["failedCases"] == [{"appointment": gone, "reason": "not_found"}]
    assert hospital.states() == {gone: "not_found", there: "enriched"}
    assert hospital.cases()[gone].deleted_at is None
    asked = hospital.asked("/consult")
    assert hospital.sync().state is RunState.SUCCESS
    assert (hospital.asked("/consult"), hospital.states()[gone]) == (asked, "not_found")
    hospital.sync(full=True)
    assert hospital.states()[gone] == "enriched"


@pytest.mark.feature("E09")
@pytest.mark.fault("F15")
def test_one_that_was_taken_out_later_keeps_the_notes_that_were_read(hospital: Hospital) -> None:
    id_ = hospital.visit(0)
    hospital.sync()
    before = hospital.notes(id_)
    hospital.writes("consult", hospital.consult_of(id_), active=False)
    assert hospital.sync(full=True).state is RunState.PARTIAL
    assert hospital.states() == {id_: "not_found"}
    assert before is not None
    assert hospital.notes(id_) == before


@pytest.mark.feature("E09")
@pytest.mark.fault("S11")
def test_a_part_that_is_not_let_read_keeps_what_was_read_before(hospital: Hospital) -> None:
    id_ = hospital.visit(0)
    hospital.sync()
    hospital.order("faults", kind="forbidden", path="/v1/plan")
    result = hospital.sync(full=True)
    assert (result.state, hospital.states()[id_]) == (RunState.PARTIAL, "open")
    notes = hospital.notes(id_)
    assert notes is not None
    assert (notes.plan, notes.missing) == (f"{PARTS['plan']} (801).", ("plan",))
    hospital.order("faults/clear")
    assert hospital.sync().state is RunState.SUCCESS
    assert hospital.states()[id_] == "enriched"


@pytest.mark.feature("E09")
def test_a_run_that_is_killed_between_two_groups_goes_on_with_the_second(hospital: Hospital) -> None:
    for number in range(8):
        hospital.visit(number)
    claim = hospital.claim(hospital.request())
    assert claim is not None

    def kill() -> None:
        with hospital.store.write() as session:
            sync_runs.abandon(session, session.get_one(SyncRun, claim.run_id), clock.now())

    assert hospital.runner(on_progress=At(5, kill)).execute(claim).reason == "fenced"
    assert sorted(hospital.states().values()) == ["enriched"] * 5 + ["pending"] * 3
    (heir,) = [run for run in hospital.runs() if run.state == RunState.QUEUED]
    taken = hospital.claim(heir.id)
    assert taken is not None
    asked = hospital.asked("/consult")
    result = hospital.execute(taken)
    assert (result.state, enrichment_of(result).created) == (RunState.SUCCESS, 3)
    assert hospital.asked("/consult") - asked == 1
    assert set(hospital.states().values()) == {"enriched"}


@pytest.mark.feature("E09")
def test_a_vendor_that_goes_away_in_the_middle_leaves_what_was_read(hospital: Hospital) -> None:
    ids = [hospital.visit(number) for number in range(7)]
    hospital.order("faults", kind="error", path="/v1/consult", skip=1, status=503)
    result = hospital.sync()
    assert result.state is RunState.PARTIAL
    assert sorted(hospital.states().values()) == ["enriched"] * 5 + ["pending"] * 2
    hospital.order("faults/clear")
    assert hospital.sync().state is RunState.SUCCESS
    assert hospital.states() == dict.fromkeys(ids, "enriched")


@pytest.mark.feature("E09")
def test_another_practice_of_the_same_ids_is_untouched(hospital: Hospital) -> None:
    id_ = hospital.visit(0)
    other = opened(hospital.store, hospital.sandbox, "Elsewhere")
    for one in (hospital, other):
        one.sync()
    before: dict[str, Any] = {"case": other.facts(id_), "sealed": other.sealed()[other.cases()[id_].id]}
    hospital.writes("plan", consult_id=hospital.consult_of(id_), comments="Operate", timestamp=hospital.now)
    hospital.writes("appointment", int(id_), description="Limping worse")
    result = hospital.sync(full=True)
    assert counts(enrichment_of(result)) == (0, 1, 0, {})
    assert {"case": other.facts(id_), "sealed": other.sealed()[other.cases()[id_].id]} == before
