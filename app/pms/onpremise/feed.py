"""The seam between the two ways a clinic's own server is read and what is made of it.

A feed gives entries: what a row says, each value checked and none of it interpreted. Wall times stay wall times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from app.domain.appointment import AppointmentType, Client, Patient, PracticeIdentity, Practitioner
from app.domain.window import Window
from app.pms.port import Rejected

UNKNOWN = "Unknown"
UNKNOWN_PATIENT = "Unknown patient"
UNKNOWN_PRACTITIONER = "Unknown practitioner"
#: Whom a visit belongs to that names nobody: the columns of these schedules are rooms, staff need not be said.
NOBODY = Practitioner("unassigned", "No provider named")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the schedule. `starts`, `ends` and `arrived` are wall times, naive, in `zone` (None: the practice's).

    Neither patient nor client: time that is blocked off. A client alone: a first visit, the animal has no card yet.
    """

    external_id: str
    starts: datetime
    zone: ZoneInfo | None = None
    minutes: int | None = None
    ends: datetime | None = None
    client: Client | None = None
    patient: Patient | None = None
    is_block: bool = False
    provider_code: str | None = None
    provider_name: str | None = None
    type_code: str | None = None
    type_name: str | None = None
    room: str | None = None
    site: str | None = None
    status: str | None = None
    confirmed: bool = False
    arrived: datetime | None = None
    why: str | None = None  # the reason for the visit
    notes: str | None = None
    changed_at: datetime | None = None  # aware, UTC


@dataclass(frozen=True, slots=True)
class Batch:
    """What one page brought. as_of: as of a port.Page. received: rows of the stretch on it, readable or not."""

    entries: list[Entry]
    rejected: list[Rejected]
    as_of: datetime | None = None

    @property
    def received(self) -> int:
        return len(self.entries) + len(self.rejected)


class Feed(Protocol):
    """One clinic's data for one run. Every fetch ends whole or raises a PmsError."""

    @property
    def limit_key(self) -> str: ...

    def authenticate(self) -> None: ...

    def refresh(self) -> None: ...

    def check(self) -> None:
        """One small question. Raises PmsError."""

    def identity(self) -> PracticeIdentity: ...

    def practitioners(self) -> list[Practitioner]: ...

    def types(self) -> list[AppointmentType]: ...

    def stretches(self, window: Window) -> list[Window]:
        """The parts `read` is to be asked for, one after the other."""

    def read(self, stretch: Window) -> Iterator[Batch]:
        """At least one batch. Rows that start beside the stretch may be among them."""

    def one(self, external_id: str) -> Entry:
        """Raises PmsNotFound only where it is certain that there is none."""

    def patient(self, external_id: str) -> Patient: ...

    def close(self) -> None: ...


def listed(staff: list[Practitioner], met: Iterator[Practitioner]) -> list[Practitioner]:
    """The staff, and whoever has visits without being on its list; each once."""
    found = {one.external_id: one for one in staff}
    for one in met:
        found.setdefault(one.external_id, one)
    return list(found.values())


def provider_of(code: str | None, name: str | None) -> Practitioner:
    """Who a row says it is with. A name alone stands for its code as well."""
    known = code or name
    return Practitioner(known, name or known) if known else NOBODY
