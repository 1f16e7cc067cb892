"""A sync's page says of consultations what was read and what was not, without a word of them."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from app import clock
from app.store import history
from app.store.models import SyncRun
from tests.factories import Clinic
from tests.web.pages import Visit, text_of


@pytest.fixture
def address(clinic: Clinic) -> str:
    run_id, now = uuid4(), clock.now()
    with clinic.store.write() as session:
        session.add(
            SyncRun(
                id=run_id,
                practice_id=clinic.id,
                pms_connection_id=clinic.connection_id,
                sync_type="incremental",
                trigger="schedule",
                phases=["enrichment"],
                window_from=clinic.today,
                window_to=clinic.today,
                state="partial",
                reason="some_failed",
                started_at=now - timedelta(seconds=2),
                completed_at=now,
            )
        )
        session.flush()
        history.file_phase(
            session,
            run_id,
            "enrichment",
            2,
            started_at=now,
            fetched=9,
            created=1,
            reason="some_failed",
            skipped={"already_enriched": 7, "server_error": 1},
            details={"failedCases": [{"appointment": "appt-77", "reason": "server_error"}]},
        )
    return f"/sync-history/{run_id}"


def test_the_counts_are_told_in_words(address: str, reception: Visit) -> None:
    told = text_of(reception.get(address).text)
    left = "left as they were: 7 read before and unchanged, 1 not read (Gentu reported a fault of its own)"
    assert f"Consultations, {left}." in told
    assert "appt-77" not in told  # the vendor's ids are for whoever may mend


def test_whoever_mends_is_told_which(address: str, owner: Visit) -> None:
    told = text_of(owner.get(address).text)
    assert "Consultations that could not be read" in told
    assert "appt-77" in told
