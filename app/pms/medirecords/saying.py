"""Telling MediRecords how far a visit has come (R49): the whole appointment goes back, its status changed.

Source: pms/medirecords.md §2.5. That the PUT replaces what is left out is [assumed]: so everything that can be written
is sent again as it was read. Never run against a live practice.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from app.domain.status import Status
from app.pms import rows
from app.pms.errors import PmsBadRequest, PmsMalformed
from app.pms.medirecords import wire
from app.pms.medirecords.asking import Asking
from app.pms.medirecords.mapping import status_of
from app.pms.rows import RowFault

#: Its numbers (documented: REVIEW). It has none for somebody who did not come.
_NUMBERS = {Status.CONFIRMED: 3, Status.ARRIVED: 4, Status.IN_PROGRESS: 5, Status.COMPLETED: 7}
WRITES = tuple(_NUMBERS)
_OVER = (Status.CANCELLED, Status.COMPLETED)
#: What a client may write (seen in code); whatever else a record holds is MediRecords' own.
_WRITABLE = (
    *("patientId", "appointmentTypeId", "scheduleTime", "appointmentIntervalCode", "providerId", "roomId", "notes"),
    *("walkIn", "firstAvailableDoctor", "urgency", "emailReminder", "reminderMethod", "reminderType"),
)
_whole = msgspec.json.Decoder(dict[str, msgspec.Raw])


def say(asking: Asking, path: str, route: str, to: Status, words: Mapping[str, str]) -> None:
    """As the port's `set_status`. path: the appointment's. words: what the practice explained of its numbers."""
    body = asking.one(path, route)
    try:
        row, whole = wire.appointment(body), rows.read(_whole, body)
    except RowFault as fault:
        raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None
    _, now = status_of(row, words)
    if now is to:
        return
    if now in _OVER:
        raise PmsBadRequest("called off or over there", reason="moved_on")
    kept: dict[str, object] = {name: whole[name] for name in _WRITABLE if name in whole}
    asking.put(path, route, {**kept, "appointmentStatus": _NUMBERS[to]})
