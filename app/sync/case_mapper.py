"""A unified appointment becomes the swept columns of a case; and a page of them is written beside its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from app.domain.appointment import Appointment, Client, Patient
from app.domain.cases import CaseWords
from app.domain.decide import decide, fingerprint
from app.domain.names import clip, full_name
from app.store import case_pages, case_words
from app.store.appointments import Source
from app.store.case_pages import SWEPT, Written
from app.store.models import PmsConnection
from app.sync.mapper import UNKNOWN_PATIENT, DataMapper

#: Part of every case's fingerprint: with another number every case is written once more.
VERSION = 1

_encode = msgspec.json.Encoder().encode


class CaseMapper:
    """For one run of a connection that keeps cases. words: the practice's table, as it stood when this was made."""

    def __init__(self, mapper: DataMapper, words: CaseWords) -> None:
        self._mapper = mapper
        self._words = words

    @classmethod
    def of(cls, session: Session, connection: PmsConnection, mapper: DataMapper) -> CaseMapper | None:
        """None where the connection keeps no cases."""
        words = case_words.of(session, connection)
        return None if words is None else cls(mapper, words)

    def keep(
        self, session: Session, source: Source, appointments: Mapping[str, Appointment], *, rewrite: bool
    ) -> Written:
        """The cases of these appointments, whose rows are written already: those that are new or changed."""
        known = case_pages.stored(session, source.connection_id, appointments.keys())
        prints = [(id_, self._fingerprint(one), id_) for id_, one in appointments.items()]
        plan = decide(prints, known, rewrite=rewrite)
        made = {id_: print_ for id_, print_, _ in prints}
        changed = [id_ for id_ in plan.updates if known[id_].removed or known[id_].fingerprint != made[id_]]
        rows = [self._row(appointments[id_], made[id_]) for id_ in (*plan.creates, *plan.updates)]
        case_pages.write(session, source, rows)
        return Written(len(plan.creates), len(changed), len(prints) - len(plan.creates) - len(changed))

    def _fingerprint(self, one: Appointment) -> bytes:
        made_from = (
            one.starts_at,
            one.status.value,
            one.raw_status,
            one.type_name,
            one.practitioner_id,
            one.practitioner_name,
            one.room,
            one.comment,
            one.consultation_id,
            _told(one.patient),
            _told(one.client),
            (one.patient.species, one.patient.breed) if one.patient else None,
        )
        return fingerprint(f"{VERSION} {self._mapper.region}".encode(), _encode(made_from))

    def _row(self, one: Appointment, print_: bytes) -> dict[str, Any]:
        patient = one.patient or Patient("", UNKNOWN_PATIENT)
        client = one.client or patient  # of people the patient is the client
        values = (
            one.starts_at,
            clip(patient.external_id, 255),
            self._mapper.patient_name(patient),
            clip(patient.species, 120),
            clip(patient.breed, 120),
            clip(client.external_id, 255),
            clip(client.full_name or full_name(client.first_name, client.last_name), 500),
            self._mapper.phone(client.phone),
            clip(client.email, 255),
            clip(one.practitioner_id, 255),
            clip(one.practitioner_name, 255),
            clip(one.room, 120),
            clip(one.comment),
            clip(one.type_name, 255),
            clip(one.raw_status, 120),
            one.status.value,
            self._words.status_of(one.raw_status, one.status).value,
            self._words.type_of(one.type_name).value,
            clip(one.consultation_id, 255),
        )
        row = dict(zip(SWEPT, values, strict=True))
        return row | {"external_id": one.external_id, "fingerprint": print_}


def _told(who: Patient | Client | None) -> tuple[Any, ...] | None:
    if who is None:
        return None
    return who.external_id, who.full_name, who.first_name, who.last_name, who.phone, who.email
