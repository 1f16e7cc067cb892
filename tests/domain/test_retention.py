"""How long a practice keeps things: nonsense falls back to the defaults, and persons leave an event without a trace."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from app.domain.retention import EVENT_DAYS, PAYLOAD_DAYS, PERSONAL, Retention, checked, retention_of, without_persons
from app.errors import InvalidInput
from app.store.columns import PMS_CONTENT


@pytest.mark.parametrize(
    "settings",
    [{}, {"retention": None}, {"retention": []}, {"retention": {"payloadDays": "7", "eventDays": True}},
     {"retention": {"payloadDays": 0, "eventDays": -1}}, {"retention": {"payloadDays": 10**9, "eventDays": 1.5}}],
)  # fmt: skip
def test_what_makes_no_sense_is_the_default(settings: dict[str, Any]) -> None:
    assert retention_of(settings) == Retention(PAYLOAD_DAYS, EVENT_DAYS)


def test_a_setting_comes_back_as_it_was_put() -> None:
    limit = Retention(7, 90)
    assert retention_of({"retention": limit.as_setting()}) == limit
    assert limit.payloads_before(datetime(2026, 3, 9, 1, tzinfo=UTC)) == datetime(2026, 3, 2, 1, tzinfo=UTC)
    assert limit.sheets_before(date(2026, 3, 9)) == date(2025, 12, 9)


@pytest.mark.parametrize("days", [0, -1, 3651])
def test_days_that_cannot_be_meant_are_refused(days: int) -> None:
    with pytest.raises(InvalidInput):
        checked("payload-days", days)
    assert checked("payload-days", 1) == 1


def test_values_that_tell_of_a_person_leave_and_what_changed_stays() -> None:
    changes = {"patient_name": ["Ines Fennick", "Ines Quirke"], "starts_at": ["a", "b"], "staff_note": [None, "Hi"]}
    kept = without_persons(changes)
    assert kept == {"starts_at": ["a", "b"], "wiped": ["patient_name", "staff_note"]}
    assert without_persons(kept) == kept
    assert without_persons(kept | {"patient_phone": ["1", "2"]})["wiped"] == [
        "patient_name", "patient_phone", "staff_note"
    ]  # fmt: skip
    assert without_persons({"starts_at": ["a", "b"]}) == {"starts_at": ["a", "b"]}


def test_every_column_of_the_pms_that_tells_of_a_person_is_known() -> None:
    """A new column must be sorted: does an old value of it tell of a person?"""
    plain = {
        "pms_practitioner_id", "pms_practitioner_name", "pms_type_id", "pms_type_name", "starts_at", "ends_at",
        "appointment_duration_minutes", "pms_status", "pms_status_raw", "pms_arrived_at", "pms_cancelled_at",
        "location", "time_doubt",
    }  # fmt: skip
    assert set(PMS_CONTENT) == plain | (PERSONAL - {"staff_note"})
