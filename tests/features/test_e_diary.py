"""The diary of syncs, shown: every count, every way a run can end."""

from __future__ import annotations

import pytest

from app.store import history
from tests.fakes.house import shared_postgresql, shared_sqlite, skipped, store
from tests.features.surgery import DAY, STANDARD, Surgery, surgery
from tests.web.world import World

__all__ = ["shared_postgresql", "shared_sqlite", "store", "surgery"]


# --- E13: the diary ---------------------------------------------------------------------------------------------------


@pytest.mark.feature("E13")
def test_the_diary_holds_every_count_and_partial_means_partial(surgery: Surgery) -> None:
    first, second, *_ = surgery.in_book()
    kept, moved, gone = surgery.books(count=3, practitioner_id=first)
    surgery.books(count=2, time="11:00", type=STANDARD, practitioner_id=first)
    surgery.books(time="14:00", block=True, practitioner_id=first)
    surgery.books(count=2, practitioner_id=second)
    surgery.sync(DAY)
    surgery.sandbox.control(f"appointments/{moved}/move", time="16:00")
    surgery.sandbox.control(f"appointments/{gone}/cancel")
    surgery.books(time="17:00", practitioner_id=first)
    surgery.sandbox.break_("poison", record="no_start", index=0, query=f"practitionerId={first}")
    surgery.sandbox.break_("error", status=403, path="/tenants/*/appointments", query=f"practitionerId={second}")
    result = surgery.sync(DAY)
    run = surgery.run(result.run_id)
    assert (run.state, run.reason) == ("partial", "some_failed")
    assert {
        "fetched": run.appointments_fetched,
        "created": run.appointments_created,
        "updated": run.appointments_updated,
        "unchanged": run.appointments_unchanged,
        "skipped": run.appointments_skipped,
        "quarantined": run.appointments_quarantined,
        "removed": run.appointments_removed,
    } == {
        "fetched": 7,
        "created": 1,
        "updated": 2,
        "unchanged": 0,
        "skipped": 3,
        "quarantined": 1,
        "removed": 0,
    }
    assert skipped(result) == {"not_telehealth": 2, "block": 1}
    with surgery.store.read() as session:
        phases = {one.phase: one for one in history.phases_of(session, run.id)}
    assert (phases["catalogue"].complete, phases["inbound"].complete) == (True, False)
    assert phases["inbound"].details["failed"] == [{"practitioner": second, "reason": "forbidden"}]
    assert phases["inbound"].skipped == {"not_telehealth": 2, "block": 1}
    assert surgery.connection().last_sync_status == "partial"
    assert surgery.row(kept).removed_at is None


@pytest.mark.feature("E13")
def test_the_page_of_the_diary_shows_a_run_with_its_counts(world: World) -> None:
    world.books("09:00")
    world.books("10:00", STANDARD)
    world.lives()
    page = world.admin.page(f"/sync-history/{world.runs[0].id}")
    assert "success" in page.text.lower() or "done" in page.text.lower() or "complete" in page.text.lower()
    assert "not telehealth" in page.text
