"""Telling Cliniko that a patient has arrived: a mark on their attendee, the only state it lets others write (R49).

Source: pms/cliniko.md §2.3, `PATCH /attendees/{id}` (documented). Never run against a live account.
"""

from __future__ import annotations

from app.domain.status import Status
from app.pms.cliniko import mapping, wire
from app.pms.cliniko.joins import People
from app.pms.cliniko.lists import Filters, Lists
from app.pms.errors import PmsBadRequest, PmsMalformed, PmsNotFound
from app.pms.rows import RowFault

WRITES = (Status.ARRIVED,)
_VISIT, _CLASS = "individual_appointments", "group_appointments"


def say(lists: Lists, people: People, external_id: str, to: Status, cancelled_too: Filters) -> None:
    """As the port's `set_status`. Of a class nobody here knows who has arrived: PmsBadRequest, several_patients.

    cancelled_too: with it a visit that was called off is found as well.
    """
    try:
        record = lists.one(_VISIT, external_id, cancelled_too)
    except PmsNotFound:
        lists.one(_CLASS, external_id)
        raise PmsBadRequest("a class: nobody knows who has arrived", reason="several_patients") from None
    try:
        row = wire.booking(record, _VISIT)
        if row.is_gone:
            raise PmsNotFound("archived or deleted")
        now, _, _ = mapping.status_of(row, ())
        come = mapping.coming(row, people.attendees([external_id]).get(external_id, ()))
    except RowFault as fault:
        raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None
    if now is to:
        return
    if now is not Status.BOOKED or len(come) != 1:
        raise PmsBadRequest("called off, or nobody came", reason="moved_on")
    lists.change("attendees", str(come[0].id), {"arrived": True})
