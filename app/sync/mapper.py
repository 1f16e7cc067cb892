"""The data mapper (E05): a unified appointment becomes the PMS-owned columns of a run sheet row, and a fingerprint.

Names are joined, phones become E.164 in the practice's region where they can, instants stay UTC; the local day decides
which sheet the row belongs to. Staff's columns are not named here.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from app.domain.appointment import Appointment, Patient
from app.domain.decide import fingerprint
from app.domain.names import clip, full_name, phone_e164
from app.domain.window import day_of
from app.pms import rows
from app.store.columns import PMS_CONTENT

#: Part of every fingerprint: with another number every row is compared once more, column by column.
VERSION = 2
#: By whom a record was read, or could not be: the adapters and this file together.
READ_BY = f"{rows.VERSION}.{VERSION}"
UNKNOWN_PATIENT = "Unknown patient"

_encode = msgspec.json.Encoder().encode
_e164 = lru_cache(maxsize=20_000)(phone_e164)


class Mapped:
    """An appointment ready to be decided upon. Its row is made when it is asked for: most of them never are."""

    __slots__ = ("_choices", "_mapper", "appointment", "day", "external_id", "fingerprint")

    def __init__(self, mapper: DataMapper, appointment: Appointment, day: date, choices: dict[str, Any]) -> None:
        self.external_id = appointment.external_id
        self.fingerprint = mapper.fingerprint(appointment)
        self.day = day
        self._mapper, self.appointment, self._choices = mapper, appointment, choices

    @property
    def row(self) -> dict[str, Any]:
        """Every PMS_CONTENT column, `pms_appointment_id`, `fingerprint`, `is_telehealth` and `hidden_cause`."""
        row = self._mapper.content(self.appointment)
        row.update(self._choices, pms_appointment_id=self.external_id, fingerprint=self.fingerprint)
        return row


class DataMapper:
    """Maps for one practice: its zone decides the day, its region how a bare phone number is read."""

    def __init__(self, zone: ZoneInfo, region: str) -> None:
        self._zone = zone
        self.region = region
        #: With the zone: where a practice corrects it, rows are looked at anew and change their day.
        self.version = f"{VERSION} {region} {zone.key}".encode()

    def to_row(
        self,
        appointment: Appointment,
        *,
        is_telehealth: bool,
        hidden_cause: str | None = None,
        day: date | None = None,
    ) -> Mapped:
        """The row of an appointment that has a patient. Its sheet is filled in once the day's sheet is known.

        is_telehealth, hidden_cause: what the practice's choices make of it; no part of the fingerprint.
        day: the local day it starts on, where the caller knows it already.
        """
        choices = {"is_telehealth": is_telehealth, "hidden_cause": hidden_cause}
        return Mapped(self, appointment, day or day_of(appointment.starts_at, self._zone), choices)

    def fingerprint(self, one: Appointment) -> bytes:
        """Of everything `content` is made from, before it is: cheaper, and as telling."""
        made_from = (
            one.practitioner_id,
            one.practitioner_name,
            one.type_id,
            one.type_name,
            one.starts_at,
            one.ends_at,
            one.minutes,
            one.status.value,
            one.raw_status,
            one.arrived_at,
            one.cancelled_at,
            one.comment,
            one.telehealth_url,
            one.location_id,
            [
                (who.external_id, who.full_name, who.first_name, who.last_name, who.phone, who.email, who.birth_date)
                for who in one.patients
            ],
        )
        doubt = () if one.time_doubt is None else (one.time_doubt.encode(),)  # hardly ever: the others keep theirs
        return fingerprint(self.version, _encode(made_from), *doubt)

    def content(self, appointment: Appointment) -> dict[str, Any]:
        """The PMS_CONTENT columns, cut to what they hold."""
        patient = appointment.patient or Patient("", UNKNOWN_PATIENT)
        group = appointment.patients if len(appointment.patients) > 1 else ()
        values = (
            patient.external_id,
            appointment.practitioner_id,
            clip(appointment.practitioner_name, 255),
            appointment.type_id,
            clip(appointment.type_name, 255),
            appointment.starts_at,
            appointment.ends_at,
            appointment.minutes,
            appointment.status.value,
            clip(appointment.raw_status, 120),
            appointment.arrived_at,
            appointment.cancelled_at,
            clip(appointment.comment),
            clip(appointment.telehealth_url, 1000),
            clip(appointment.location_id, 255),
            self.patient_name(patient),
            self.phone(patient.phone),
            clip(patient.email, 255),
            patient.birth_date,
            [self._member(person) for person in group] or None,
            appointment.time_doubt,
        )
        return dict(zip(PMS_CONTENT, values, strict=True))

    @staticmethod
    def patient_name(patient: Patient) -> str:
        """The name as the PMS displays it, else first and last name, else a word that says it is missing."""
        return clip(patient.full_name or full_name(patient.first_name, patient.last_name), 500) or UNKNOWN_PATIENT

    def phone(self, typed: str | None) -> str | None:
        """In E.164; what cannot be one stays as it was typed, for a person to make sense of."""
        return _e164(typed, self.region) or clip(typed, 40)

    def _member(self, patient: Patient) -> dict[str, Any]:
        """One person of a group booking, as the row keeps them."""
        return {
            "id": patient.external_id,
            "name": self.patient_name(patient),
            "phone": self.phone(patient.phone),
            "email": clip(patient.email, 255),
            "birthDate": patient.birth_date.isoformat() if patient.birth_date else None,
        }
