"""S10: what changed at the simulated Cliniko, and who its patients are, over HTTP."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from app.domain.status import Status
from app.pms.cliniko.adapter import ClinikoAdapter
from app.pms.errors import PmsNotFound
from tests.pms.cliniko.conftest import MONDAY, at, rows
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S10")


# --- what changed, and who comes --------------------------------------------------------------------------------------


def test_changes_are_whatever_was_touched_since_cancelled_too(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    who = clinic.state()["patients"]
    old, moved, off = (clinic.book(at("09:00")) for _ in range(3))
    group = clinic.book(at("09:00"), patient_id=who[0], also=who[1:2])
    since = datetime(2026, 3, 9, 2, tzinfo=UTC)
    clinic.sandbox.control("clock", at="2026-03-09T13:00:00+11:00")  # that very second
    clinic.change(moved, at=at("15:00", 12))
    clinic.cancel(off)
    clinic.change(group, note="Bring a mat")
    found = {one.external_id: one for page in adapter.changes(since, []) for one in page.appointments}
    assert set(found) == {moved, off, group}
    assert (found[off].status, old in found) == (Status.CANCELLED, False)
    assert found[moved].starts_at == datetime.fromisoformat(at("15:00", 12))


@pytest.mark.feature("E10")
def test_discovery_meets_each_patient_of_the_window_once(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    who = clinic.state()["patients"]
    clinic.control("book", at=at("08:00"), count=120, patient_id=who[0])
    clinic.book(at("09:00"), patient_id=who[1], also=who[2:4])
    clinic.book(at("09:00", 8), patient_id=who[5])
    found = list(adapter.clients(MONDAY))
    met = [one.external_id for page in found for one in page.clients]
    assert sorted(met) == sorted(who[:4])
    assert sum(page.received for page in found) == 121
    first = next(one for page in found for one in page.clients if one.external_id == who[0])
    assert (first.full_name, first.birth_date, first.phone) == (
        "Wilhelmina Quandongley",
        date(1941, 3, 9),
        "0491 570 156",
    )


# --- patients ---------------------------------------------------------------------------------------------------------


def test_a_patient_who_was_merged_is_told_as_whom_they_became(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    old, middle, new = clinic.state()["patients"][:3]
    for one, other in ((old, middle), (middle, new)):
        clinic.raw(one, merged_with_patient={"links": {"self": f"{clinic.url}/patients/{other}"}})
    id_ = clinic.book(at("09:00"), patient_id=old)
    one = rows(adapter)[id_].patient
    assert one is not None
    assert one.external_id == new
    assert adapter.patient(old) == one
    with pytest.raises(PmsNotFound):
        adapter.patient("1234567890123456789")


def test_a_patient_no_list_tells_of_is_kept_by_name(clinic: StagedClinic, adapter: ClinikoAdapter) -> None:
    who = clinic.state()["patients"][0]
    id_ = clinic.book(at("09:00"), patient_id=who)
    clinic.raw(who, archived_at="2026-03-09T01:00:00Z")
    one = rows(adapter)[id_].patient
    assert one is not None
    assert (one.external_id, one.full_name, one.phone) == (who, "Wilhelmina Quandongley", None)


@pytest.mark.parametrize(
    ("fields", "phone", "email", "born"),
    [
        ({"patient_phone_numbers": [], "email": "", "date_of_birth": ""}, None, None, None),
        ({"patient_phone_numbers": None, "email": None, "date_of_birth": "yesterday"}, None, None, None),
        (
            {"patient_phone_numbers": [{"number": "", "phone_type": "Mobile"}, {"number": "03 5550 0199"}]},
            "03 5550 0199",
            "wilhelmina.quandongley0@example.com",
            date(1941, 3, 9),
        ),
    ],
)
def test_nothing_is_said_in_three_ways(
    clinic: StagedClinic, adapter: ClinikoAdapter, fields: dict[str, Any], phone: Any, email: Any, born: Any
) -> None:
    who = clinic.state()["patients"][0]
    clinic.raw(who, **fields)
    one = adapter.patient(who)
    assert (one.phone, one.email, one.birth_date) == (phone, email, born)
