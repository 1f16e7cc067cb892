"""Whose part of a sweep could not be read: a practitioner's, or, where one chain brings everybody, nobody's own."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from app import clock
from app.store import history
from app.store.models import SyncRun
from tests.factories import Clinic
from tests.web.pages import Visit, text_of


@pytest.mark.parametrize(
    ("whose", "in_a_list", "on_its_page"),
    [("", "the whole practice", "The whole practice"), ("who-left-long-ago", "a practitioner", "A practitioner")],
)
def test_a_failed_chain_of_everybody_is_not_told_as_somebodys(
    clinic: Clinic, owner: Visit, whose: str, in_a_list: str, on_its_page: str
) -> None:
    run_id, now = uuid4(), clock.now()
    with clinic.store.write() as session:
        session.add(
            SyncRun(
                id=run_id,
                practice_id=clinic.id,
                pms_connection_id=clinic.connection_id,
                sync_type="incremental",
                trigger="schedule",
                phases=["inbound"],
                window_from=clinic.today,
                window_to=clinic.today,
                state="partial",
                reason="some_failed",
                started_at=now - timedelta(seconds=2),
                completed_at=now,
            )
        )
        session.flush()
        failed = [{"practitioner": whose, "reason": "server_error"}]
        history.file_phase(
            session, run_id, "inbound", 1, started_at=now, reason="some_failed", details={"failed": failed}
        )
    assert f"Not read: {in_a_list}." in text_of(owner.get(f"/connections/{clinic.connection_id}").text)
    page = text_of(owner.get(f"/sync-history/{run_id}").text)
    assert f"Parts that could not be read {on_its_page}. Gentu reported a fault of its own." in page
