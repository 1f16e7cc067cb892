"""What happened to a row, as sentences: newest first, with who and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.domain.retention import WIPED
from app.domain.rules import Cause
from app.domain.status import Status
from app.web.words import PMS_WORDS, STATUS_WORDS, since

#: Columns a person would ask about, by what they are called. Others are not told.
_TOLD = {
    "starts_at": "start",
    "appointment_duration_minutes": "minutes",
    "pms_status": "status",
    "pms_practitioner_name": "practitioner",
    "pms_type_name": "type",
    "patient_name": "name",
    "patient_phone": "phone",
    "patient_email": "e-mail",
    "patient_dob": "birth date",
    "pms_comment": "comment",
    "telehealth_url": "video link",
    "patients": "patients",
}
#: Told as changed, without the values: long, or nobody's business in a list.
_WITHOUT_VALUES = frozenset({"pms_comment", "telehealth_url", "patients"})
_CONTACT = frozenset({"patient_phone", "patient_email", "patient_dob"})
_HIDDEN = {
    Cause.TYPE_OFF.value: "its type was switched off",
    Cause.CLINICIAN_OFF.value: "its clinician was switched off",
    Cause.NOT_TELEHEALTH.value: "its type is no longer telehealth",
}


@dataclass(frozen=True, slots=True)
class Line:
    when: str
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class Teller:
    """How this reader is told: whose PMS it is, in which zone, and whether contact details are theirs to see."""

    pms: str
    zone: ZoneInfo
    now: datetime
    contacts: bool

    def lines(self, events: Iterable[Mapping[str, Any]], created_at: datetime, *, walk_in: bool) -> list[Line]:
        told = [
            Line(since(event["at"], self.zone, self.now), self._who(event), what)
            for event in events
            if (what := self._what(event))
        ]
        if not walk_in:
            told.append(Line(since(created_at, self.zone, self.now), self.pms, "brought it"))
        return told

    def _who(self, event: Mapping[str, Any]) -> str:
        if event["kind"] == "pms":
            return self.pms
        return event["by"] or ("a rule of the practice" if event["kind"] == "rules" else "somebody who left")

    def _what(self, event: Mapping[str, Any]) -> str:
        changes = event["changes"]
        if event["kind"] == "note":
            return self._note(changes)
        if event["kind"] == "walk_in":
            return "added this walk-in"
        if event["kind"] in ("status", "undo"):
            return self._status(event["kind"], changes)
        if "hidden_cause" in changes:
            cause = changes["hidden_cause"][1]
            return f"hidden: {_HIDDEN.get(cause, cause)}" if cause else "shown again"
        if "removed_at" in changes:
            return self._removal(event)
        return self._pms(changes)

    @staticmethod
    def _note(changes: Mapping[str, Any]) -> str:
        if WIPED in changes:
            return "changed the note"
        return "wrote the note" if changes.get("staff_note", [None, None])[1] else "took the note away"

    def _removal(self, event: Mapping[str, Any]) -> str:
        """Told after who did it: the PMS, or whoever decided about a removal that was held."""
        gone = event["changes"]["removed_at"][1] is not None
        if event["kind"] == "pms":
            return "does not have it any more: removed" if gone else "has it again"
        return f"removed it: {self.pms} does not list it" if gone else "took its removal back"

    @staticmethod
    def _status(kind: str, changes: Mapping[str, Any]) -> str:
        if "staff_status" not in changes and "staff_decided_on" in changes:
            return "kept it against the PMS" if kind == "status" else "took that decision back"
        if "staff_status" not in changes:
            return "set it again"
        old, new = changes["staff_status"]
        if kind == "status" and new is None:
            return f"took what the PMS says, was {STATUS_WORDS[Status(old)]} here"
        word = STATUS_WORDS[Status(new)] if new else "what the PMS says"
        if kind == "undo":
            return f"took it back to {word}" if new else f"took it back: {word}"
        return f"set it to {word}, was {STATUS_WORDS[Status(old)]}" if old else f"set it to {word}"

    def _pms(self, changes: Mapping[str, Any]) -> str:
        parts = []
        for name, word in _TOLD.items():
            if name in changes.get(WIPED, ()):
                parts.append(f"{word} changed")
            if name not in changes:
                continue
            old, new = (self._value(name, value) for value in changes[name])
            hidden = name in _WITHOUT_VALUES or (name in _CONTACT and not self.contacts)
            parts.append(f"{word} changed" if hidden else f"{word} {new or 'none'}, was {old or 'none'}")
        return "; ".join(parts)

    def _value(self, name: str, value: Any) -> str:
        if value is None:
            return ""
        if name == "starts_at":
            return since(datetime.fromisoformat(str(value)), self.zone, self.now)
        if name == "pms_status":
            return PMS_WORDS[Status(str(value))]
        return str(value)
