"""The bare minimum: one requests session, msgspec, a driver-level bulk upsert of the same columns, nothing else.

No limiter, no retry, no token, no rules, no checkpoint, no sweeps, no events, no fingerprint: what anybody would write
who only had to get the rows in. Repeated, it upserts every row again.
"""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, date, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import msgspec
import psycopg
import requests

from app.store.columns import PMS_CONTENT, PMS_DERIVED
from bench import pages

#: In the order `Bare._row` fills them: every column our own upsert writes.
COLUMNS = (
    "id",
    "practice_id",
    "pms_connection_id",
    "pms_appointment_id",
    "kind",
    "row_version",
    "created_run_id",
    "created_at",
    "updated_at",
    "pms_last_synced_at",
    "pms_status_changed_at",
    "pms_patient_id",
    "pms_practitioner_id",
    "pms_practitioner_name",
    "pms_type_id",
    "pms_type_name",
    "starts_at",
    "ends_at",
    "appointment_duration_minutes",
    "pms_status",
    "pms_status_raw",
    "pms_arrived_at",
    "pms_cancelled_at",
    "pms_comment",
    "is_telehealth",
    "telehealth_url",
    "location",
    "patient_name",
    "patient_phone",
    "patient_email",
    "patient_dob",
    "patients",
    "time_doubt",
    "run_sheet_id",
    "fingerprint",
    "pms_arrived_seen_at",
    "pms_started_at",
    "pms_ended_at",
)
assert set(COLUMNS) >= {*PMS_CONTENT, *PMS_DERIVED}
STATUS = {"none": "booked", "confirmed": "confirmed", "in_waiting_room": "arrived"}


class Name(msgspec.Struct):
    family: str
    given: str | None = None
    prefix: str | None = None


class Contact(msgspec.Struct):
    system: str
    use: str
    value: str | None = None


class Person(msgspec.Struct):
    id: str
    name: Name
    birthDate: str | None = None  # noqa: N815
    contact: list[Contact] = []


class Participant(msgspec.Struct):
    referenceType: str  # noqa: N815
    referenceId: str  # noqa: N815


class TypeRef(msgspec.Struct):
    reference: str | None = None


class Appointment(msgspec.Struct):
    id: str
    startAt: datetime  # noqa: N815
    endAt: datetime | None  # noqa: N815
    status: str | None
    minutesDuration: int | None  # noqa: N815
    comment: str | None
    description: str | None
    participant: list[Participant]
    appointmentType: TypeRef  # noqa: N815


class Pagination(msgspec.Struct):
    next: str | None = None


class Body(msgspec.Struct):
    appointments: list[Appointment]
    pagination: Pagination
    patients: list[Person] = []
    practitioners: list[Person] = []


class _Next(msgspec.Struct):
    pagination: Pagination


class Bare:
    """One database, one server."""

    def __init__(self, database: str, base_url: str, practice: str, connection: str, sheets: dict[date, Any]) -> None:
        self._base = f"{base_url}/tenants/{pages.TENANT}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._decode = msgspec.json.Decoder(Body).decode
        self._practice, self._connection, self._sheets = practice, connection, sheets
        self._is_sqlite = database.startswith("sqlite")
        names, marks = ", ".join(COLUMNS), ", ".join("?" if self._is_sqlite else "%s" for _ in COLUMNS)
        kept = ", ".join(f"{name} = excluded.{name}" for name in (*PMS_CONTENT, *PMS_DERIVED))
        self._sql = (
            f"INSERT INTO run_sheet_appointments ({names}) VALUES ({marks})"
            " ON CONFLICT (pms_connection_id, pms_appointment_id) WHERE pms_appointment_id IS NOT NULL"
            f" DO UPDATE SET {kept}"
        )
        self._db: Any
        if self._is_sqlite:
            self._db = sqlite3.connect(database.removeprefix("sqlite:///"))
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA foreign_keys=ON")  # as PostgreSQL always does
        else:
            self._db = psycopg.connect(database.replace("+psycopg", ""))

    def sync(self, size: pages.Size) -> int:
        """Fetch everything and upsert it, a transaction a page. Returns the rows."""
        rows = 0
        for number in range(size.practitioners):
            cursor = None
            while True:
                body = self._decode(self._page(number, cursor))
                rows += self._write(body)
                cursor = body.pagination.next
                if cursor is None:
                    break
        return rows

    def fetch(self, size: pages.Size) -> int:
        """Fetch everything and look only for the next cursor. Returns the pages."""
        decode, count = msgspec.json.Decoder(_Next).decode, 0
        for number in range(size.practitioners):
            cursor = None
            while True:
                cursor = decode(self._page(number, cursor)).pagination.next
                count += 1
                if cursor is None:
                    break
        return count

    def _page(self, number: int, cursor: str | None) -> bytes:
        query = {
            "fromDate": "2026-03-02T00:00:00.000+11:00",
            "toDate": "2026-03-08T23:59:59.999+11:00",
            "practitionerId": pages.practitioner(number),
            "limit": "100",
            "include": "patients,practitioners",
        }
        if cursor:
            query["cursor"] = cursor
        return self._session.get(f"{self._base}/appointments", params=query, timeout=30).content

    def _write(self, body: Body) -> int:
        patients = {person.id: person for person in body.patients}
        doctors = {person.id: person for person in body.practitioners}
        now = self._time(datetime.now(UTC))
        rows = [self._row(one, patients, doctors, now) for one in body.appointments]
        self._db.cursor().executemany(self._sql, rows)
        self._db.commit()
        return len(rows)

    def _row(
        self, one: Appointment, patients: dict[str, Person], doctors: dict[str, Person], now: Any
    ) -> tuple[Any, ...]:
        who = {participant.referenceType: participant.referenceId for participant in one.participant}
        patient, doctor = patients[who["patient"]], doctors[who["provider"]]
        phone = next((c.value for c in patient.contact if c.system == "phone"), None)
        email = next((c.value for c in patient.contact if c.system == "email"), None)
        start = one.startAt.astimezone(UTC)
        return (
            self._id(uuid4()),
            self._practice,
            self._connection,
            one.id,
            "appointment",
            1,
            None,
            now,
            now,
            now,
            now,
            patient.id,
            doctor.id,
            f"{doctor.name.prefix} {doctor.name.given} {doctor.name.family}",
            one.appointmentType.reference,
            "Telehealth Consultation",
            self._time(start),
            self._time(one.endAt.astimezone(UTC)) if one.endAt else None,
            one.minutesDuration,
            STATUS[one.status or "none"],
            one.status,
            None,
            None,
            one.comment or one.description,
            True,
            None,
            None,
            f"{patient.name.given} {patient.name.family}",
            phone,
            email,
            patient.birthDate,
            None,
            None,
            self._sheets[one.startAt.date()],
            None,
            None,
            None,
            None,
        )

    def _time(self, at: datetime) -> Any:
        return at.replace(tzinfo=None).isoformat(" ", "microseconds") if self._is_sqlite else at

    def _id(self, id_: Any) -> Any:
        return id_.hex if self._is_sqlite else id_

    def close(self) -> None:
        self._db.close()
        self._session.close()


def timed(bare: Bare, size: pages.Size) -> float:
    """Seconds one whole sync took."""
    began = time.perf_counter()
    rows = bare.sync(size)
    assert rows == size.each * size.practitioners
    return time.perf_counter() - began


def timed_fetch(bare: Bare, size: pages.Size) -> float:
    """Seconds that fetching the pages alone took."""
    began = time.perf_counter()
    count = bare.fetch(size)
    assert count == size.pages_each * size.practitioners
    return time.perf_counter() - began


def fixed(name: str) -> Any:
    """An id that is the same in every run."""
    return uuid5(NAMESPACE_URL, f"bench {name}")
