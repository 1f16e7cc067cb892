"""R49: MediRecords is told how far a visit has come; the record goes back whole, so that nothing of it is lost."""

from __future__ import annotations

import pytest

from app.domain.status import Status
from app.pms.errors import PmsBadRequest, PmsNotFound
from app.pms.medirecords.adapter import MedirecordsAdapter
from tests.pms.medirecords.conftest import at
from tests.sandbox.stage import StagedClinic


def written(clinic: StagedClinic) -> int:
    return sum(one["method"] == "PUT" for one in clinic.asked("/v1/practices"))


@pytest.mark.feature("R49")
@pytest.mark.parametrize("to", [Status.CONFIRMED, Status.ARRIVED, Status.IN_PROGRESS, Status.COMPLETED], ids=str)
def test_a_status_is_told_once_and_nothing_else_changes(
    adapter: MedirecordsAdapter, clinic: StagedClinic, to: Status
) -> None:
    id_ = clinic.book(at=at("14:00"), note="Interpreter booked")
    before = adapter.appointment(id_)
    adapter.set_status(id_, to)
    adapter.set_status(id_, to)
    after = adapter.appointment(id_)
    assert after.status is to
    assert (after.comment, after.starts_at, after.minutes) == ("Interpreter booked", before.starts_at, before.minutes)
    assert written(clinic) == 1


@pytest.mark.feature("R49")
def test_what_was_called_off_is_over_or_gone_is_left_alone(adapter: MedirecordsAdapter, clinic: StagedClinic) -> None:
    off, over, gone = (
        clinic.book(at=at("14:00")),
        clinic.book(at=at("09:00"), state="completed"),
        clinic.book(at=at("15:00")),
    )
    clinic.cancel(off)
    clinic.delete(gone)
    for id_ in (off, over):
        with pytest.raises(PmsBadRequest) as refused:
            adapter.set_status(id_, Status.ARRIVED)
        assert refused.value.reason == "moved_on"
    with pytest.raises(PmsNotFound):
        adapter.set_status(gone, Status.ARRIVED)
    assert written(clinic) == 0
