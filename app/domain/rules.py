"""Which appointments this practice wants on its sheet, and the closed list of causes for leaving one out.

A refusal is always counted under its cause: nothing is hidden silently (M12). An unmapped practitioner or type is no
cause for hiding a patient; only what a person switched off, or what is not telehealth where only telehealth is wanted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from app.domain.appointment import Appointment
from app.domain.window import Window


class Cause(StrEnum):
    NOT_TELEHEALTH = "not_telehealth"
    TYPE_OFF = "type_off"
    CLINICIAN_OFF = "clinician_off"
    OUTSIDE_WINDOW = "outside_window"
    BLOCK = "block"
    DUPLICATE = "duplicate"


#: How a person reads a cause; {n} is the count.
CAUSE_WORDS: dict[Cause, str] = {
    Cause.NOT_TELEHEALTH: "{n} not telehealth",
    Cause.TYPE_OFF: "{n} of a type that is switched off",
    Cause.CLINICIAN_OFF: "{n} of a clinician who is switched off",
    Cause.OUTSIDE_WINDOW: "{n} outside the day",
    Cause.BLOCK: "{n} without a patient",
    Cause.DUPLICATE: "{n} sent twice",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """A practice's choices, as ids of the vendor's."""

    telehealth_only: bool
    telehealth_types: Collection[str]
    types_off: Collection[str]
    practitioners_off: Collection[str]
    swept_practitioners: Collection[str]

    def is_telehealth(self, appointment: Appointment) -> bool:
        """The practice's own ticks are the only signal that counts; a vendor's hint only ever suggests a tick."""
        return appointment.type_id is not None and appointment.type_id in self.telehealth_types

    def swept_elsewhere(self, appointment: Appointment, asked_practitioner: str) -> bool:
        """Whether another chain of this sweep brings the appointment: it came along here as a second practitioner's."""
        return (
            bool(asked_practitioner)
            and appointment.practitioner_id != asked_practitioner
            and appointment.practitioner_id in self.swept_practitioners
        )

    def refusal(self, appointment: Appointment, window: Window, asked_practitioner: str) -> Cause | None:
        """Why this appointment stays off the sheet, or None when it belongs on it.

        asked_practitioner: whose chain of pages it came in ("" where a vendor has one chain for all).
        """
        checks = (
            (not window.holds(appointment.starts_at), Cause.OUTSIDE_WINDOW),
            (self.swept_elsewhere(appointment, asked_practitioner), Cause.DUPLICATE),
            (appointment.is_block, Cause.BLOCK),
            (appointment.practitioner_id in self.practitioners_off, Cause.CLINICIAN_OFF),
            (appointment.type_id is not None and appointment.type_id in self.types_off, Cause.TYPE_OFF),
            (self.telehealth_only and not self.is_telehealth(appointment), Cause.NOT_TELEHEALTH),
        )
        return next((cause for refused, cause in checks if refused), None)
