"""The calls we allow ourselves in 24 hours are used up: nobody asked us to slow down, and the pages do not say so."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from app import clock
from app.store import schedules
from app.store.models import SyncRun
from tests.factories import Clinic
from tests.web.pages import Visit, text_of

HAPPENED = "The calls to Gentu that are set for 24 hours are used up; Gentu itself refused nothing."
MEANS = "nothing new of today's patients is read by itself"
WHO = "whoever runs this Runsheet can set more calls"


@pytest.fixture
def used_up(clinic: Clinic) -> Clinic:
    clinic.connection(last_sync_status="deferred", last_sync_error="day_used_up")
    return clinic


def test_the_sheets_banner_says_what_it_means_and_who_can_change_it(used_up: Clinic, reception: Visit) -> None:
    told = text_of(reception.get("/run-sheet", follow_redirects=True).text)
    for words in (HAPPENED, MEANS, "Sync now may still work", "It goes on by itself", WHO):
        assert words in told
    assert "slow down" not in told


def test_the_connections_page_says_when_it_goes_on(used_up: Clinic, owner: Visit) -> None:
    with used_up.store.write() as session:
        schedules.not_before(session, used_up.connection_id, clock.now() + timedelta(hours=3))  # as a deferred run does
    told = text_of(owner.get(f"/connections/{used_up.connection_id}").text)
    assert HAPPENED in told
    assert "Heals itself" in told
    assert "put off · next sync 12:42" in told


def test_the_history_tells_it_in_the_same_words(used_up: Clinic, reception: Visit) -> None:
    run_id, now = uuid4(), clock.now()
    with used_up.store.write() as session:
        session.add(
            SyncRun(
                id=run_id,
                practice_id=used_up.id,
                pms_connection_id=used_up.connection_id,
                sync_type="incremental",
                trigger="schedule",
                phases=["inbound"],
                window_from=used_up.today,
                window_to=used_up.today,
                state="deferred",
                reason="day_used_up",
                started_at=now - timedelta(seconds=2),
                completed_at=now,
            )
        )
    assert HAPPENED in text_of(reception.get("/sync-history").text)
    told = text_of(reception.get(f"/sync-history/{run_id}").text)
    for words in (HAPPENED, MEANS, WHO):
        assert words in told
