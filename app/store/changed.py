"""Where rows stand that a vendor says have changed, and which of them say another thing than before."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.domain.decide import Stored
from app.store.columns import plain
from app.store.models import Appointment, PmsConnection, RunSheet
from app.store.sweeps import Fate

#: What stands in the vendor's own record of an appointment. Names of people and types are told by other records, whose
#: changes no list of changed appointments announces.
OF_THE_RECORD = (
    "pms_patient_id",
    "pms_type_id",
    "starts_at",
    "appointment_duration_minutes",
    "pms_status_raw",
    "pms_comment",
)


class Place(NamedTuple):
    """How a row stands, and how the account of its day knows it."""

    day: date
    practitioner_id: str
    type_id: str
    stored: Stored

    def left(self) -> list[Fate]:
        """Out of the account of its day, where it is in it."""
        if self.stored.removed:
            return []
        return [Fate(self.day, self.practitioner_id, self.type_id, was=self.stored.hidden_cause, came=-1)]


def places(session: Session, connection_id: UUID, external_ids: Collection[str]) -> dict[str, Place]:
    """By the vendor's ids; those that have no row are missing."""
    rows = session.execute(
        select(
            Appointment.pms_appointment_id,
            RunSheet.day,
            Appointment.pms_practitioner_id,
            Appointment.pms_type_id,
            Appointment.fingerprint,
            Appointment.hidden_cause,
            Appointment.removed_at,
        )
        .join(RunSheet, RunSheet.id == Appointment.run_sheet_id)
        .where(Appointment.pms_connection_id == connection_id, Appointment.pms_appointment_id.in_(external_ids))
    )
    return {
        str(id_): Place(day, who or "", type_id or "", Stored(print_ or b"", hidden, removed is not None))
        for id_, day, who, type_id, print_, hidden, removed in rows
    }


def differing(session: Session, connection_id: UUID, now: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Which rows say something else than the vendor's own record. now: the vendor's id -> a row as it would be."""
    rows = session.execute(
        select(Appointment.pms_appointment_id, *(getattr(Appointment, name) for name in OF_THE_RECORD)).where(
            Appointment.pms_connection_id == connection_id, Appointment.pms_appointment_id.in_(now.keys())
        )
    )
    return {
        str(id_)
        for id_, *values in rows
        if any(plain(old) != plain(now[str(id_)][name]) for name, old in zip(OF_THE_RECORD, values, strict=True))
    }


def distrust(session: Session, connection_id: UUID, at: datetime) -> None:
    """The vendor changed something without telling of it."""
    session.execute(update(PmsConnection).where(PmsConnection.id == connection_id).values(drifted_at=at))
