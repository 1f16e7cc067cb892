"""Telling ezyVet how far a visit has come: a site's own status, by what its name means to us (R49).

Source: pms/ezyvet.md §2, `PATCH /v2/appointment/{id}` with `status_id` (seen in code). Never run against a live site.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from app.domain.status import Status
from app.pms.errors import PmsBadRequest, PmsMalformed, PmsNotFound
from app.pms.ezyvet import lists, wire
from app.pms.ezyvet.joins import Catalogue
from app.pms.ezyvet.lists import Lists
from app.pms.ezyvet.mapping import status_said
from app.pms.ezyvet.status import status_of
from app.pms.http import Call, PmsHttp, segment
from app.pms.rows import RowFault

#: A visit nobody came to is taken out of the book there, with a reason: that is left to whoever keeps it.
WRITES = (Status.CONFIRMED, Status.ARRIVED, Status.IN_PROGRESS, Status.COMPLETED)
#: Where a visit may still go on from; from any other word of ezyVet's nothing is told.
_OPEN = (Status.BOOKED, Status.CONFIRMED, Status.ARRIVED, Status.IN_PROGRESS, Status.UNKNOWN)


def say(
    http: PmsHttp, asked: Lists, catalogue: Catalogue, words: Mapping[str, str], external_id: str, to: Status
) -> None:
    """As the port's `set_status`. words: what the practice explained of its status names."""
    try:
        row = wire.appointment(asked.one(lists.APPOINTMENT, external_id))
        if catalogue.elsewhere(row):
            raise PmsNotFound("in another division")
        now, _ = status_said(row, catalogue.statuses, words)
    except RowFault as fault:
        raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None
    if now is to:
        return
    if now not in _OPEN:
        raise PmsBadRequest("the visit is over or called off there", reason="moved_on")
    body = json.dumps({"status_id": int(_id_for(catalogue, words, to))}).encode()
    path = f"{lists.APPOINTMENT.path}/{segment(external_id)}"
    headers = {"Content-Type": "application/json"}
    http.send(Call("PATCH", path, f"{lists.APPOINTMENT.path}/{{id}}", headers=headers, body=body))


def _id_for(catalogue: Catalogue, words: Mapping[str, str], to: Status) -> str:
    """The site's status that means this: the one that is called so, else the one with the lowest id, which is usually a
    built-in one [assumed]. Raises PmsBadRequest (no_word).
    """
    names = {id_: name for id_, name in catalogue.fetch_statuses().items() if id_.isascii() and id_.isdigit()}
    meant = [id_ for id_, name in names.items() if status_of(name, True, None, words) is to]
    if not meant:
        raise PmsBadRequest("no status of this site means that", reason="no_word")
    own = to.value.replace("_", " ")
    return min(meant, key=lambda id_: (names[id_].strip().lower() != own, int(id_)))
