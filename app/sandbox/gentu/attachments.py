"""Files written back: taken in, scanned, filed. A 200 on the PUT is not yet success."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import uuid4

Outcome = Literal["completed", "scanned_infected", "failed"]

LARGEST = 4 * 2**20
TYPES = ("pdf", "jpg", "jpeg", "png", "tif", "tiff", "mp4")
CATEGORIES = (
    "attachment",
    "consult_note",
    "correspondence",
    "diagnostic_report",
    "diagnostic_request",
    "pregnancy",
    "procedure",
)
#: The harmless file every virus scanner agrees to call a virus begins with this.
_EICAR = b"X5O!P%@AP"


class _File(NamedTuple):
    tenant_id: str
    patient_id: str
    name: str
    taken_at: datetime
    infected: bool


class Attachments:
    """Only names and times are kept, never content; gone at a restart."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._lock = threading.Lock()

    def take(self, tenant_id: str, patient_id: str, name: str, content: bytes, at: datetime) -> str:
        attachment_id = str(uuid4())
        with self._lock:
            self._files[attachment_id] = _File(tenant_id, patient_id, name, at, content.startswith(_EICAR))
        return attachment_id

    def describe(
        self, tenant_id: str, patient_id: str, attachment_id: str, at: datetime, step_s: float, outcome: Outcome
    ) -> dict[str, object] | None:
        """The vendor's record of a file at an instant: one step each `step_s` seconds. None: no such file."""
        with self._lock:
            file = self._files.get(attachment_id)
        if file is None or (file.tenant_id, file.patient_id) != (tenant_id, patient_id):
            return None
        return {"id": attachment_id, "fileName": file.name, "status": _status(file, at, step_s, outcome)}

    def forget(self) -> None:
        with self._lock:
            self._files.clear()


def _status(file: _File, at: datetime, step_s: float, outcome: Outcome) -> str:
    age, step = at - file.taken_at, timedelta(seconds=step_s)
    if age < step:
        return "accepted"
    if file.infected or outcome == "scanned_infected":
        return "scanned_infected"
    return "scanned_clean" if age < 2 * step else outcome
