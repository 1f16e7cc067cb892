"""The notes of an appointment's case, for its clinician and nobody else. A later page shows more of a case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from app.domain.consultation import Consultation, Item, Measure, Vitals
from app.errors import Unreadable
from app.security.roles import Permission
from app.security.vault import Vault
from app.store import cases, retention
from app.web.session import Visitor
from app.web.words import hhmm


@dataclass(frozen=True, slots=True)
class Notes:
    """What was written, part by part, as (heading, lines). fault: why nothing can be shown.

    kept_days: nothing is there any more, since notes are kept so many days.
    """

    parts: Sequence[tuple[str, Sequence[str]]] = ()
    open: bool = False
    kept_days: int | None = None
    fault: str = ""


def notes_of(session: Session, vault: Vault, visitor: Visitor, appointment_id: UUID) -> Notes | None:
    """None where there are none, and for everybody they are not for: the template is handed nothing (X16)."""
    if not visitor.may(Permission.CLINICAL_NOTES):
        return None
    case = cases.of_appointment(session, visitor.practice_id, appointment_id)
    if case is None:
        return None
    reader = cases.Reader(visitor.role, visitor.clinician_id)
    try:
        found = cases.notes_for(session, vault, visitor.practice_id, case.id, reader)
    except Unreadable:
        return Notes(fault="The notes cannot be decrypted here. Whoever runs this Runsheet can put the key back.")
    if found is not None:
        return Notes(list(_parts(found, visitor.zone)), open=not found.finalised)
    kept_days = retention.of(session, visitor.practice_id).notes
    was_read = case.enriched_at is not None and cases.may_read(reader, case)
    return Notes(kept_days=kept_days) if was_read and kept_days is not None else None


def _parts(found: Consultation, zone: ZoneInfo) -> Iterable[tuple[str, Sequence[str]]]:
    told: Sequence[tuple[str, Sequence[str | None]]] = (
        ("Subjective", [found.subjective]),
        ("Objective", [found.objective]),
        ("Assessment", [found.assessment]),
        ("Plan", [found.plan]),
        ("Vitals", [_vitals(one, zone) for one in found.vitals]),
        ("Diagnoses", found.diagnoses),
        ("Treatments", [_item(one) for one in found.treatments]),
        ("Products and services", [_item(one) for one in found.items]),
        ("Declined", [_item(one) for one in found.declined]),
        ("Discharge", [found.discharge]),
        ("Not let read by the PMS", [", ".join(found.missing)]),
    )
    for heading, lines in told:
        if kept := [line for line in lines if line]:
            yield heading, kept


def _vitals(one: Vitals, zone: ZoneInfo) -> str:
    """`09:05: temperature 38.6 °C, weight 12.4 kg`; what was not taken is not named."""
    measures = (
        ("temperature", one.temperature),
        ("pulse", one.pulse),
        ("respiration", one.respiration),
        ("weight", one.weight),
    )
    taken = [f"{name} {_measure(value)}" for name, value in measures if value is not None]
    if one.blood_pressure:
        taken.append(f"blood pressure {one.blood_pressure}")
    at = f"{hhmm(one.taken_at, zone)}: " if one.taken_at and taken else ""
    return at + ", ".join(taken)


def _measure(value: Measure) -> str:
    return f"{value.value:g}{' ' + value.unit if value.unit else ''}"


def _item(one: Item) -> str:
    return ", ".join(part for part in (one.name, one.quantity, one.note) if part)
