"""A practice may limit how long notes of visits are kept (A29): they go with the limit, and are not fetched again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app import clock
from app.domain.cases import Origin
from app.store import practices, retention
from app.store.models import Case
from tests.fakes.clinic import Clinic
from tests.fakes.house import EVERY_PHASE, House
from tests.fakes.pms import TODAY

PHASES = (*EVERY_PHASE, "enrichment")
FIRST = TODAY - timedelta(days=4)


@pytest.fixture
def clinic(house: House) -> Clinic:
    """A visit with notes on each of the last days, and today."""
    made = Clinic.of(house)
    for back in range(5):
        made.pms.books(f"a{back}", day=TODAY - timedelta(days=back)).consults_on(f"a{back}")
    made.sync(FIRST, TODAY)
    assert len(made.sealed()) == 5
    return made


def wiped(clinic: Clinic) -> int:
    with clinic.store.write() as session:
        return retention.wipe(session, practices.get(session, clinic.practice_id), clock.now()).notes


def limits(clinic: Clinic, days: int) -> None:
    with clinic.store.write() as session:
        retention.change(session, clinic.practice_id, notes=days)


def with_notes(clinic: Clinic) -> set[str]:
    return {id_ for id_ in clinic.cases() if clinic.notes(id_) is not None}


@pytest.mark.feature("A29")
def test_without_a_decision_notes_are_kept_for_good(clinic: Clinic) -> None:
    clinic.clock.forward(days=4000)
    assert wiped(clinic) == 0
    assert len(clinic.sealed()) == 5


@pytest.mark.feature("A29")
def test_notes_past_the_limit_go_and_the_case_and_its_row_stay(clinic: Clinic) -> None:
    before, sheet = clinic.cases(), clinic.picture(FIRST)
    limits(clinic, 2)
    assert wiped(clinic) == 2
    assert with_notes(clinic) == {"a0", "a1", "a2"}
    assert wiped(clinic) == 0
    assert clinic.picture(FIRST) == sheet
    assert {id_: one.fingerprint for id_, one in clinic.cases().items()} == {
        id_: one.fingerprint for id_, one in before.items()
    }


@pytest.mark.feature("A29")
def test_the_day_in_use_is_never_touched_however_short_the_limit(clinic: Clinic) -> None:
    limits(clinic, 1)
    assert wiped(clinic) == 3
    assert with_notes(clinic) == {"a0", "a1"}


@pytest.mark.feature("A29")
@pytest.mark.parametrize("full", [False, True])
def test_what_was_wiped_is_not_fetched_again(clinic: Clinic, full: bool) -> None:
    limits(clinic, 2)
    wiped(clinic)
    clinic.pms.changes("a4", comment="told otherwise since")
    clinic.sync(FIRST, TODAY, phases=PHASES, full=full)
    assert with_notes(clinic) == {"a0", "a1", "a2"}
    with clinic.store.write() as session:
        retention.change(session, clinic.practice_id, keep_notes=True)
    clinic.sync(FIRST, TODAY, full=True)
    assert len(clinic.sealed()) == 5, "for good again: a full read brings them back"


@pytest.mark.feature("A29")
def test_a_visit_that_moved_to_a_day_in_use_keeps_its_notes_and_so_does_what_the_pms_did_not_bring(
    clinic: Clinic,
) -> None:
    limits(clinic, 2)
    with clinic.store.write() as session:
        session.get_one(Case, clinic.cases()["a4"].id).origin = Origin.QUICK
    clinic.pms.moves("a3", days=3)
    clinic.sync(TODAY, TODAY)
    assert wiped(clinic) == 0
    with clinic.store.write() as session:  # a case that was not told of the move yet: the sheet counts
        session.get_one(Case, clinic.cases()["a3"].id).scheduled_at -= timedelta(days=300)
    assert wiped(clinic) == 0
    assert with_notes(clinic) == {"a0", "a1", "a2", "a3", "a4"}


@pytest.mark.security("X14")
def test_one_practices_limit_is_not_anothers(clinic: Clinic, house: House) -> None:
    with clinic.store.write() as session:
        other = practices.create(session, "Ironbark Street Clinic", "Australia/Melbourne")
        retention.change(session, other.id, notes=1)
        assert retention.wipe(session, other, clock.now()).notes == 0
    assert len(clinic.sealed()) == 5
