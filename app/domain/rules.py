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


#: Causes that somebody of the practice chose, and may take back.
CHOICES = (Cause.TYPE_OFF, Cause.NOT_TELEHEALTH, Cause.CLINICIAN_OFF)

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
    telehealth_types: Collection[str | None]
    types_off: Collection[str | None]
    practitioners_off: Collection[str | None]
    swept_practitioners: Collection[str]

    def is_telehealth(self, appointment: Appointment) -> bool:
        """The practice's own ticks are the only signal that counts; a vendor's hint only ever suggests a tick."""
        return appointment.type_id in self.telehealth_types

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
        if not window.holds(appointment.starts_at):
            return Cause.OUTSIDE_WINDOW
        if self.swept_elsewhere(appointment, asked_practitioner):
            return Cause.DUPLICATE
        if appointment.is_block:
            return Cause.BLOCK
        return self.chosen_against(appointment.practitioner_id, appointment.type_id)

    def chosen_against(self, practitioner_id: str | None, type_id: str | None) -> Cause | None:
        """The practice's own choice that keeps such an appointment off the sheet, or None."""
        if practitioner_id in self.practitioners_off:
            return Cause.CLINICIAN_OFF
        if type_id in self.types_off:
            return Cause.TYPE_OFF
        if self.telehealth_only and type_id not in self.telehealth_types:
            return Cause.NOT_TELEHEALTH
        return None
