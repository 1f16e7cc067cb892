"""A vendor's clients in the house's words: split names, phones in E.164, everything cut to what its column holds.

And the small part of discovery that rides along with every ordinary sweep: the ids of clients who are known already.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from app.domain.appointment import Appointment, Client, Patient
from app.domain.discovery import Person
from app.domain.names import clip, full_name
from app.store import discovery
from app.store.appointments import Source
from app.store.discovery import Met
from app.sync.context import SyncContext
from app.sync.mapper import UNKNOWN_PATIENT, DataMapper


def met(mapper: DataMapper, clients: Iterable[Client]) -> list[Met]:
    """Each client once, the last record of an id; without an id nobody can be found again."""
    found = {id_: one for one in clients if (id_ := _id(one.external_id))}
    return [Met(id_, person(mapper, one)) for id_, one in found.items()]


def person(mapper: DataMapper, told: Client | Patient) -> Person:
    """What is told of somebody; the name is split at its last blank where the vendor has it in one piece."""
    first, last = full_name(told.first_name), full_name(told.last_name)
    if not first and not last and told.full_name != UNKNOWN_PATIENT:
        first, _, last = full_name(told.full_name).rpartition(" ")
    return Person(
        clip(first, 255),
        clip(last, 255),
        clip(told.email, 255),
        mapper.phone(told.phone),
        told.birth_date,
    )


def backfill(session: Session, ctx: SyncContext, source: Source, page: Iterable[Appointment]) -> None:
    """Beside a page of appointments, in its transaction: whoever is known for certain gets the id the PMS has for them.

    Not a statement is sent for a vendor without discovery; where every id is known already, one.
    """
    if not ctx.adapter.capabilities.discovery:
        return
    people = {
        id_: who
        for one in page
        for who in ((one.client,) if one.client is not None else one.patients)
        if (id_ := _id(who.external_id))
    }
    discovery.link_known(session, source, {id_: person(ctx.mapper, who) for id_, who in people.items()})


def _id(sent: str) -> str:
    """As sent, but for what no database here takes."""
    return sent.replace("\x00", "")[:255]
