"""What the pages say of days whose changes were read in between, and of a vendor that hid one (P4)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app import clock
from app.store import history
from app.store.db import Store
from app.store.models import Sweep
from tests.factories import Booking, Clinic
from tests.web.pages import Visit

pytestmark = pytest.mark.promise("P4")


def test_the_sheet_is_as_old_as_it_was_read_whole_and_says_that_changes_were_read_since(
    clinic: Clinic, reception: Visit, store: Store
) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    clinic.swept(at=clock.now() - timedelta(hours=1))
    before = reception.page("/run-sheet")
    assert "What changed since" not in before
    with store.write() as session:
        mine = update(Sweep).where(Sweep.practice_id == clinic.id)
        session.execute(mine.values(changes_to=clock.now() - timedelta(minutes=1)))
    page = reception.page("/run-sheet")
    assert "What changed since was read at" in page
    words = [one.html.partition('data-word="')[2].partition('"')[0] for one in (before, page)]
    assert words[0] == words[1] == "stale"


@pytest.mark.parametrize(
    ("phase", "details", "told"),
    [
        ("changes", {}, "Who is missing shows when the days are read whole."),
        ("changes", {"whole": "too_old"}, "The days were read whole: they had last been read whole too long ago."),
        ("changes", {"whole": "drift"}, "had lately changed something without telling of it."),
        ("inbound", {"drift": 2}, "Of 2 changes"),
    ],
)
def test_a_runs_page_says_what_it_claims(
    clinic: Clinic, owner: Visit, store: Store, phase: str, details: dict[str, Any], told: str
) -> None:
    with store.write() as session:
        run_id = clinic._run(session)
        history.file_phase(session, run_id, phase, 0, complete=True, details=details, skipped={})
    assert told in owner.page(f"/sync-history/{run_id}")


def test_nothing_is_said_of_changes_where_none_are_read(clinic: Clinic, owner: Visit, store: Store) -> None:
    with store.write() as session:
        run_id = clinic._run(session)
        history.file_phase(session, run_id, "inbound", 0, complete=True, details={"drift": 0}, skipped={})
    page = owner.page(f"/sync-history/{run_id}")
    assert "had not told" not in page
    assert "read whole" not in page
