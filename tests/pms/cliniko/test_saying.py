"""R49: Cliniko is told of an arrival, and of nothing else; the mark stands on the patient's attendee."""

from __future__ import annotations

import pytest

from app.domain.status import Status
from app.pms.cliniko.adapter import ClinikoAdapter
from app.pms.errors import PmsBadRequest, PmsNotFound
from tests.sandbox.stage import StagedClinic

AT = "2026-03-09T14:00:00+11:00"


def written(clinic: StagedClinic) -> int:
    return sum(one["method"] == "PATCH" for one in clinic.asked("/attendees"))


@pytest.mark.feature("R49")
def test_an_arrival_is_marked_once(adapter: ClinikoAdapter, clinic: StagedClinic) -> None:
    id_ = clinic.book(at=AT)
    adapter.set_status(id_, Status.ARRIVED)
    adapter.set_status(id_, Status.ARRIVED)
    assert adapter.appointment(id_).status is Status.ARRIVED
    assert written(clinic) == 1


@pytest.mark.feature("R49")
def test_what_was_called_off_shared_or_deleted_is_not_marked(adapter: ClinikoAdapter, clinic: StagedClinic) -> None:
    off, missed, gone = clinic.book(at=AT), clinic.book(at=AT, state="no_show"), clinic.book(at=AT)
    patients = clinic.state()["patients"]
    shared = clinic.book(at=AT, patient_id=patients[0], also=patients[1:3])
    clinic.cancel(off)
    clinic.delete(gone)
    for id_, reason in ((off, "moved_on"), (missed, "moved_on"), (shared, "several_patients")):
        with pytest.raises(PmsBadRequest) as refused:
            adapter.set_status(id_, Status.ARRIVED)
        assert refused.value.reason == reason
    with pytest.raises(PmsNotFound):
        adapter.set_status(gone, Status.ARRIVED)
    assert written(clinic) == 0
