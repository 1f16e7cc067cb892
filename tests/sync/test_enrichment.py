"""Consultations read into cases: group by group, sealed, each failure by itself; and nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app import clock
from app.domain.consultation import ConsultationRef
from app.domain.status import Status
from app.errors import InvalidInput, Unreadable
from app.pms.errors import PmsAuthFailed, PmsRateLimited, PmsUnavailable
from app.pms.port import Capabilities
from app.security.roles import Role
from app.security.vault import DecryptionFailed, Vault
from app.store import cases, consultations, sync_runs
from app.store.models import CaseConsultation, SyncPhase, SyncRun
from app.store.models.sync import RunState
from app.store.sync_runs import Claim
from app.sync.context import Progress
from app.sync.phases import chosen
from app.sync.run import SyncResult
from tests.fakes.clinic import FULL, Clinic, counts, enrichment_of
from tests.fakes.house import ALL_PHASES, FakeClock, House, furnished, statements, writes_to
from tests.fakes.pms import TODAY, FakePms, consultation

TEN = [f"a{n}" for n in range(10)]


@pytest.fixture
def clinic(house: House) -> Clinic:
    return Clinic.of(house)


def ten_over(clinic: Clinic, *ids: str) -> None:
    ids = ids or tuple(TEN)
    clinic.pms.books(*ids).consults_on(*ids)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_what_was_found_is_merged_into_the_case_whole(clinic: Clinic) -> None:
    ten_over(clinic, "a1")
    result = clinic.sync()
    assert result.state is RunState.SUCCESS
    assert counts(enrichment_of(result)) == (1, 0, 0, {})
    assert clinic.notes("a1") == clinic.pms.consults["a1"]
    facts = clinic.facts("a1")
    assert (facts.consultation_id, facts.consultation_status) == ("c-a1", "closed")
    assert facts.consultation_at == clinic.pms.consults["a1"].held_at
    assert (facts.enrichment_state, facts.enrichment_reason) == ("enriched", None)
    assert (facts.status, facts.enriched_at) == ("completed", clinic.clock.at)


def test_only_visits_that_are_over_are_asked_about(clinic: Clinic) -> None:
    clinic.pms.books("a1", "a2", "a3", "a4").consults_on("a1", "a2", "a3")
    clinic.pms.says("a2", Status.IN_PROGRESS)
    clinic.pms.says("a3", Status.CANCELLED)
    clinic.sync()
    assert clinic.pms.consulted == [["a1"]]
    assert clinic.states() == {"a1": "enriched", "a2": "pending", "a3": "pending", "a4": "pending"}


@pytest.mark.parametrize(("size", "groups"), [(5, [5, 5]), (3, [3, 3, 3, 1]), (1000, [10])])
def test_so_many_are_asked_for_at_a_time(clinic: Clinic, size: int, groups: list[int]) -> None:
    clinic.set(parallel_batch_size=size)
    ten_over(clinic)
    clinic.sync()
    assert [len(group) for group in clinic.pms.consulted] == groups
    assert set(clinic.states().values()) == {"enriched"}


def test_five_unless_somebody_says_otherwise(clinic: Clinic) -> None:
    assert clinic.connection().parallel_batch_size == 5


def test_no_transaction_is_open_while_the_vendor_is_asked(clinic: Clinic) -> None:
    """On SQLite another writer would wait for ever behind it."""
    ten_over(clinic, "a1")
    clinic.pms.before_consultation = lambda _: clinic.set(display_name="Renamed meanwhile")
    assert clinic.sync().state is RunState.SUCCESS
    assert clinic.connection().display_name == "Renamed meanwhile"


def test_statements_for_a_group_do_not_grow_with_it(clinic: Clinic) -> None:
    ten_over(clinic)

    def asked(size: int) -> int:
        clinic.set(parallel_batch_size=size)
        with statements(clinic.store) as told:
            clinic.sync(phases=("enrichment",), full=True)
        return len([one for one in told if "case_consultations" in one or "UPDATE cases" in one])

    clinic.sync(phases=ALL_PHASES)
    first, again = asked(10), asked(10)
    assert (first, again) == (3, 1)  # looked for, sealed, told; and where nothing changed, looked at
    for id_ in TEN:
        clinic.pms.rewrites(id_, plan="Ring back")
    assert asked(10) == 3


def test_a_connection_that_keeps_none_asks_for_none(clinic: Clinic) -> None:
    clinic.set(keeps_cases=False)
    ten_over(clinic)
    assert clinic.sync().state is RunState.SUCCESS
    assert clinic.pms.consulted == []


def test_the_phase_is_offered_where_the_system_has_consultations() -> None:
    assert chosen((), Capabilities(consultations=True)) == (*FULL, "reconciliation")
    assert chosen(("cases",), Capabilities(consultations=True)) == ("enrichment",)
    assert "enrichment" not in chosen((), Capabilities())
    with pytest.raises(InvalidInput):
        chosen(("enrichment",), Capabilities())


# --- again ------------------------------------------------------------------------------------------------------------


def test_a_second_run_asks_for_nothing_and_writes_nothing(clinic: Clinic) -> None:
    ten_over(clinic)
    clinic.sync()
    clinic.pms.consulted.clear()
    with statements(clinic.store) as told:
        result = clinic.sync()
    assert clinic.pms.consulted == []
    assert writes_to(told, "cases", "case_consultations") == []
    assert counts(enrichment_of(result)) == (0, 0, 0, {"already_enriched": 10})


def test_a_full_run_asks_for_all_again_and_writes_what_changed(clinic: Clinic) -> None:
    ten_over(clinic)
    clinic.sync()
    before = clinic.sealed()
    clinic.pms.rewrites("a3", plan="Operate tomorrow")
    result = clinic.sync(full=True)
    assert counts(enrichment_of(result)) == (0, 1, 9, {})
    assert clinic.notes("a3") == clinic.pms.consults["a3"]
    same = [id_ for id_, content in clinic.sealed().items() if before[id_] == content]
    assert len(same) == 9


def test_one_that_is_still_written_is_read_until_it_is_closed(clinic: Clinic) -> None:
    clinic.pms.books("a1").consults_on("a1", finalised=False)
    assert counts(enrichment_of(clinic.sync())) == (1, 0, 0, {})
    assert clinic.states() == {"a1": "open"}
    with statements(clinic.store) as told:
        assert counts(enrichment_of(clinic.sync())) == (0, 0, 1, {})
    assert writes_to(told, "cases", "case_consultations") == []
    clinic.pms.rewrites("a1", finalised=True, plan="Signed")
    assert counts(enrichment_of(clinic.sync())) == (0, 1, 0, {})
    assert clinic.states() == {"a1": "enriched"}
    assert counts(enrichment_of(clinic.sync())) == (0, 0, 0, {"already_enriched": 1})


def test_an_appointment_the_pms_tells_otherwise_is_asked_about_again_once(clinic: Clinic) -> None:
    ten_over(clinic, "a1", "a2")
    clinic.sync()
    clinic.pms.changes("a1", room="Theatre")
    assert counts(enrichment_of(clinic.sync())) == (0, 0, 1, {"already_enriched": 1})
    assert counts(enrichment_of(clinic.sync())) == (0, 0, 0, {"already_enriched": 2})


def test_an_appointment_that_names_another_consultation_is_read_anew(clinic: Clinic) -> None:
    ten_over(clinic, "a1")
    clinic.sync()
    clinic.pms.changes("a1", consultation_id="c-new")
    clinic.pms.consults["a1"] = replace(consultation("a1"), external_id="c-new", plan=None)
    assert counts(enrichment_of(clinic.sync())) == (0, 1, 0, {})
    notes = clinic.notes("a1")
    assert notes is not None
    assert (notes.external_id, notes.plan) == ("c-new", None)


def test_one_found_without_being_named_is_told_as_that(clinic: Clinic) -> None:
    clinic.pms.books("a1").consults_on("a1", inferred=True)
    clinic.pms.changes("a1", consultation_id=None)
    clinic.sync()
    facts = clinic.facts("a1")
    assert (facts.consultation_id, facts.consultation_inferred, facts.enrichment_state) == ("c-a1", True, "enriched")


# --- single failures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "told"), [("server_error", "server_error"), (None, "bad_envelope")])
def test_one_that_fails_of_ten_leaves_nine(clinic: Clinic, reason: str | None, told: str) -> None:
    ten_over(clinic)
    clinic.pms.excuses["a4"] = reason
    result = clinic.sync()
    assert (result.state, result.reason) == (RunState.PARTIAL, "some_failed")
    tally = enrichment_of(result)
    assert counts(tally) == (9, 0, 0, {told: 1})
    assert tally.details["failedCases"] == [{"appointment": "a4", "reason": told}]
    assert clinic.states()["a4"] == "failed"
    clinic.pms.excuses.clear()
    clinic.pms.consulted.clear()
    result = clinic.sync()
    assert (result.state, clinic.pms.consulted) == (RunState.SUCCESS, [["a4"]])
    assert set(clinic.states().values()) == {"enriched"}


def test_a_failure_that_stays_is_not_written_again(clinic: Clinic) -> None:
    ten_over(clinic, "a1")
    clinic.pms.excuses["a1"] = "server_error"
    clinic.sync()
    with statements(clinic.store) as told:
        assert clinic.sync().state is RunState.PARTIAL
    assert writes_to(told, "cases", "case_consultations") == []


def test_not_found_is_marked_and_asked_again_by_a_full_run_only(clinic: Clinic) -> None:
    ten_over(clinic, "a1", "a2")
    clinic.pms.excuses["a1"] = "not_found"
    result = clinic.sync()
    assert (result.state, counts(enrichment_of(result))) == (RunState.PARTIAL, (1, 0, 0, {"not_found": 1}))
    assert clinic.states() == {"a1": "not_found", "a2": "enriched"}
    assert clinic.cases()["a1"].deleted_at is None
    clinic.pms.excuses.clear()
    clinic.pms.consulted.clear()
    result = clinic.sync()
    assert (result.state, clinic.pms.consulted) == (RunState.SUCCESS, [])
    assert counts(enrichment_of(result)) == (0, 0, 0, {"already_enriched": 1, "not_found_before": 1})
    assert counts(enrichment_of(clinic.sync(full=True))) == (1, 0, 1, {})
    assert clinic.states() == {"a1": "enriched", "a2": "enriched"}


def test_one_that_was_not_found_is_asked_for_again_under_another_id(clinic: Clinic) -> None:
    ten_over(clinic, "a1")
    clinic.pms.excuses["a1"] = "not_found"
    clinic.sync()
    clinic.pms.excuses.clear()
    clinic.pms.changes("a1", consultation_id="c-new")
    clinic.pms.consults["a1"] = replace(consultation("a1"), external_id="c-new")
    assert clinic.sync().state is RunState.SUCCESS
    assert clinic.states() == {"a1": "enriched"}


@pytest.mark.parametrize("reason", ["not_found", "none_yet", "server_error", None])
def test_what_was_read_stays_whatever_is_answered_later(clinic: Clinic, reason: str | None) -> None:
    ten_over(clinic, "a1")
    clinic.sync()
    clinic.pms.excuses["a1"] = reason
    clinic.sync(full=True)
    assert clinic.notes("a1") == clinic.pms.consults["a1"]
    assert clinic.facts("a1").consultation_id == "c-a1"


def test_parts_that_were_not_let_read_make_it_partial_and_keep_what_was_there(clinic: Clinic) -> None:
    ten_over(clinic, "a1")
    clinic.sync()
    old = clinic.pms.consults["a1"]
    clinic.pms.rewrites("a1", plan=None, vitals=(), missing=("plan", "vitals"))
    result = clinic.sync(full=True)
    assert (result.state, clinic.states()["a1"]) == (RunState.PARTIAL, "open")
    notes = clinic.notes("a1")
    assert notes is not None
    assert (notes.plan, notes.vitals, notes.missing) == (old.plan, old.vitals, ("plan", "vitals"))
    assert enrichment_of(result).details["failedCases"] == [{"appointment": "a1", "reason": "parts_missing"}]


def test_a_visit_without_one_is_no_failure_and_is_asked_again(clinic: Clinic) -> None:
    clinic.pms.books("a1")
    clinic.pms.says("a1", Status.COMPLETED)
    result = clinic.sync()
    assert (result.state, counts(enrichment_of(result))) == (RunState.SUCCESS, (0, 0, 0, {"none_yet": 1}))
    clinic.pms.consults_on("a1")
    assert counts(enrichment_of(clinic.sync())) == (1, 0, 0, {})


def test_notes_of_somebody_else_never_reach_a_case(clinic: Clinic) -> None:
    ten_over(clinic, "a1", "a2")
    clinic.pms.consults["a1"] = clinic.pms.consults["a2"]
    assert clinic.sync().state is RunState.PARTIAL
    assert clinic.notes("a1") is None
    assert clinic.states() == {"a1": "failed", "a2": "enriched"}


def test_a_record_names_fifty_and_counts_all(clinic: Clinic) -> None:
    ids = [f"b{n:02}" for n in range(60)]
    clinic.pms.books(*ids, every=1).consults_on(*ids)
    clinic.pms.excuses = dict.fromkeys(ids, "server_error")
    tally = enrichment_of(clinic.sync())
    assert (len(tally.details["failedCases"]), tally.skipped["server_error"]) == (50, 60)


# --- broken off -------------------------------------------------------------------------------------------------------


def breaks_at(clinic: Clinic, id_: str, error: BaseException) -> None:
    def raising(ref: ConsultationRef) -> None:
        if ref.appointment_id == id_:
            raise error

    clinic.pms.before_consultation = raising


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (PmsUnavailable("503"), RunState.PARTIAL),
        (PmsAuthFailed("401"), RunState.PARTIAL),
        (PmsRateLimited("429"), RunState.DEFERRED),
    ],
)
def test_answers_that_came_before_it_broke_off_are_kept(clinic: Clinic, error: Any, state: RunState) -> None:
    ten_over(clinic)
    breaks_at(clinic, "a7", error)
    result = clinic.sync()
    assert (result.state, result.reason) == (state, error.reason)
    read = {id_ for id_, one in clinic.states().items() if one == "enriched"}
    assert read == {f"a{n}" for n in range(7)}
    assert enrichment_of(result).fetched == 7
    clinic.pms.before_consultation = lambda _: None
    clinic.pms.consulted.clear()
    clinic.clock.forward(minutes=10)
    again = clinic.claim(queued[0].id) if (queued := [r for r in clinic.runs() if r.state == "queued"]) else None
    result = clinic.execute(again) if again else clinic.sync()
    assert result.state is RunState.SUCCESS
    assert clinic.pms.consulted == [["a7", "a8", "a9"]]


class At:
    """Something happens once so many consultations have been written."""

    def __init__(self, done: int, then: Any) -> None:
        self.done, self.then = done, then

    def __call__(self, progress: Progress) -> None:
        if progress.phase == "enrichment" and progress.done == self.done:
            self.then()


def test_a_run_that_is_killed_goes_on_behind_the_last_group(clinic: Clinic) -> None:
    ten_over(clinic)
    clinic.pms.excuses["a1"] = "server_error"
    claim = clinic.claim(clinic.request())
    assert claim is not None

    def kill() -> None:
        with clinic.store.write() as session:
            sync_runs.abandon(session, session.get_one(SyncRun, claim.run_id), clock.now())

    result = clinic.runner(on_progress=At(5, kill)).execute(claim)
    assert result.reason == "fenced"
    assert sorted(clinic.states().values()) == ["enriched"] * 4 + ["failed"] + ["pending"] * 5
    clinic.pms.consulted.clear()
    clinic.pms.asked.clear()
    (heir,) = [run for run in clinic.runs() if run.state == RunState.QUEUED]
    taken = clinic.claim(heir.id)
    assert taken is not None
    result = clinic.execute(taken)
    assert clinic.pms.consulted == [["a5", "a6", "a7", "a8", "a9"]]
    assert [one for one in clinic.pms.asked if "#" in one] == []  # the appointments were read whole before
    # What failed in the part that was lost is not forgotten.
    assert (result.state, result.reason) == (RunState.PARTIAL, "some_failed")
    assert clinic.sync().state is RunState.PARTIAL
    clinic.pms.excuses.clear()
    assert clinic.sync().state is RunState.SUCCESS


def test_a_lease_lost_while_the_vendor_thinks_keeps_nothing_of_the_group(clinic: Clinic) -> None:
    ten_over(clinic)
    claim = clinic.claim(clinic.request())
    assert claim is not None

    def usurp(ref: ConsultationRef) -> None:
        if ref.appointment_id == "a7":
            with clinic.store.write() as session:
                sync_runs.abandon(session, session.get_one(SyncRun, claim.run_id), clock.now())

    clinic.pms.before_consultation = usurp
    result = clinic.runner().execute(claim)
    assert (result.state, result.reason) == (RunState.ABANDONED, "fenced")
    assert len(clinic.sealed()) == 5


def test_a_run_put_back_counts_every_case_once(clinic: Clinic) -> None:
    ten_over(clinic)
    clinic.sync()
    clinic.pms.books("b1", "b2", "b3", "b4", "b5", "b6", at="14:00").consults_on(*(f"b{n}" for n in range(1, 7)))
    stop: list[bool] = []
    claim = clinic.claim(clinic.request())
    assert claim is not None
    options = {"on_progress": At(5, lambda: stop.append(True)), "stop_asked": lambda: bool(stop)}
    assert clinic.runner(**options).execute(claim).state is RunState.QUEUED
    again = clinic.claim(claim.run_id)
    assert again is not None
    result = clinic.execute(again)
    assert result.state is RunState.SUCCESS
    assert counts(enrichment_of(result)) == (6, 0, 0, {"already_enriched": 10})


def test_runs_whose_time_is_up_while_they_read_notes_follow_each_other(clinic: Clinic) -> None:
    """The second has read no appointment, only notes: that counts as getting on."""
    ids = [f"b{n:02}" for n in range(15)]
    ten_over(clinic, *ids)

    def in_time_for_five(claim: Claim) -> SyncResult:
        late = At(5, lambda: clinic.clock.forward(120))
        return clinic.execute(claim, timeout=timedelta(minutes=1), on_progress=late)

    def queued() -> Claim:
        (run,) = [one for one in clinic.runs() if one.state == RunState.QUEUED]
        claim = clinic.claim(run.id)
        assert claim is not None
        return claim

    clinic.request()
    for _ in range(2):
        result = in_time_for_five(queued())
        assert (result.state, result.reason) == (RunState.PARTIAL, "timeout")
    assert clinic.execute(queued()).state is RunState.SUCCESS
    assert clinic.pms.consulted == [ids[:5], ids[5:10], ids[10:]]


# --- sealed, and for whom ---------------------------------------------------------------------------------------------

#: Each with a blank or long: no ciphertext holds them by chance.
CLINICAL = (
    b"Limping since",
    b"Swollen left",
    b"Sprain suspected",
    b"Rest for ten",
    b"Carpal sprain",
    b"Cold compress",
    b"Meloxicam 1.5",
    b"Radiograph",
    b"Lead walks",
)


def test_nothing_clinical_stands_in_the_database(clinic: Clinic) -> None:
    ten_over(clinic, "a1", "a2")
    clinic.sync()
    assert clinic.notes("a1") is not None
    everything = clinic.everything()
    assert b"Patient A1" in everything  # the search does see what stands there
    assert [word for word in CLINICAL if word in everything] == []


def test_sealed_notes_belong_to_their_case(clinic: Clinic) -> None:
    ten_over(clinic, "a1", "a2")
    clinic.sync()
    first, second = clinic.cases()["a1"].id, clinic.cases()["a2"].id
    sealed = clinic.sealed()
    with clinic.store.write() as session:
        session.get_one(CaseConsultation, first).content = sealed[second]
    with pytest.raises(DecryptionFailed):
        clinic.notes("a1")
    with clinic.store.read() as session, pytest.raises(Unreadable):
        consultations.opened(session, Vault(bytes(32)), clinic.practice_id, second)


def test_notes_whose_key_is_gone_are_not_written_over(clinic: Clinic) -> None:
    ten_over(clinic, "a1")
    clinic.sync()
    before = clinic.sealed()
    clinic.vault = Vault(bytes(reversed(range(32))))
    clinic.pms.rewrites("a1", plan="Another")
    result = clinic.sync(full=True)
    assert (result.state, result.reason) == (RunState.FAILED, "secrets")
    assert clinic.sealed() == before


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("own", [True, False])
def test_who_reads_notes(clinic: Clinic, role: Role, own: bool) -> None:
    ten_over(clinic, "a1")
    clinic.sync()
    clinic.maps_everybody()
    mine = clinic.facts("a1").clinician_id
    assert mine is not None
    reader = cases.Reader(role, mine if own else clinic.user_id)
    with clinic.store.read() as session:
        case_id = clinic.cases()["a1"].id
        found = cases.notes_for(session, clinic.vault, clinic.practice_id, case_id, reader)
    assert (found is not None) == (role is Role.CLINICIAN and own)


def test_nobody_reads_the_notes_of_a_case_nobody_is_mapped_to(clinic: Clinic) -> None:
    ten_over(clinic, "a1")
    clinic.sync()
    with clinic.store.read() as session:
        case_id = clinic.cases()["a1"].id
        reader = cases.Reader(Role.CLINICIAN, None)
        assert cases.notes_for(session, clinic.vault, clinic.practice_id, case_id, reader) is None


def test_another_practice_with_the_same_ids_is_untouched(clinic: Clinic, clock_at: FakeClock) -> None:
    other = Clinic.of(furnished(clinic.store, clock_at, FakePms(), "Elsewhere"))
    for one in (clinic, other):
        ten_over(one, "a1")
        one.sync()
    before = other.sealed()[other.cases()["a1"].id]
    clinic.pms.rewrites("a1", plan="Operate tomorrow")
    clinic.sync(TODAY, TODAY + timedelta(days=1), full=True)
    assert other.sealed()[other.cases()["a1"].id] == before
    assert other.notes("a1") == other.pms.consults["a1"]
    with other.store.read() as session:
        mine = clinic.cases()["a1"].id
        assert consultations.opened(session, other.vault, other.practice_id, mine) is None


def test_no_reason_no_record_holds_anything_clinical(clinic: Clinic, caplog: pytest.LogCaptureFixture) -> None:
    ten_over(clinic)
    clinic.pms.excuses["a1"] = "server_error"
    caplog.set_level(0)
    clinic.sync()
    with clinic.store.read() as session:
        records = " ".join(str(one.details) + str(one.skipped) for one in session.query(SyncPhase))
    told = caplog.text + records + str([vars(one) for one in caplog.records])
    assert [word for word in CLINICAL if word.decode() in told] == []
