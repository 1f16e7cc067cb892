"""A page that came before need not be read again: what its records are made from, as one digest.

Cursors are no part of it: they differ in every sweep. Whatever a record takes from elsewhere is: the practice's types,
the words it has explained to us, whom the sweep asks for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from msgspec import Raw

from app.domain.appointment import Appointment
from app.pms.gentu import mapping, wire
from app.pms.gentu.joins import Practitioners, Types
from app.pms.rows import RowFault, read


def page_digest(
    page: wire.AppointmentPage, context: mapping.Context, types: Types, names: Practitioners
) -> bytes | None:
    """16 bytes; None where patients did not come along, and would have to be asked for one by one.

    Where practitioners did not come along, the names are those of the practice's list.
    """
    if page.patients is None:
        return None
    made = blake2b(types.digest(), digest_size=16)
    if page.practitioners is None:
        made.update(names.digest())
    beside = (context.zone.key, context.asked, sorted(context.sync_set), sorted(context.status_words.items()))
    made.update(repr(beside).encode())
    for records in (page.appointments, page.patients, page.practitioners or ()):
        made.update(_together(records))
    return made.digest()


def _together(records: Iterable[Raw]) -> bytes:
    """The records one after the other; no record of a page that could be read holds a zero byte."""
    return b"\0".join([b"", *map(bytes, records), b""])


def all_along(page: wire.AppointmentPage, appointments: Iterable[Appointment], listed: Mapping[str, str]) -> bool:
    """Whether everybody these appointments name came along with the page, under the name that was used.

    listed: names of the practice's list, which stand in where no practitioners came along.
    """
    names = dict(listed) if page.practitioners is None else {}
    for raw in page.practitioners or ():
        try:
            row = read(wire.practitioner, bytes(raw))
        except RowFault:
            return False
        names[str(row.id)] = mapping.practitioner_name(row)
    try:
        patients = {str(read(wire.only_id, bytes(raw)).id) for raw in page.patients or ()}
    except RowFault:
        return False
    return all(
        names.get(one.practitioner_id) == one.practitioner_name
        and all(patient.external_id in patients for patient in one.patients)
        for one in appointments
    )
