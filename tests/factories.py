"""Builders for the tests of pages: a practice with its cast, a connection that was swept, a day of appointments.

Everything goes in the way the application itself writes it: users and clinicians through their stores, appointments
through the page writer of the sync, sweeps through their record. All patients are invented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from app import clock
from app.domain import discovery as discovered
from app.domain.appointment import Appointment, AppointmentType, Patient, Practitioner
from app.domain.orphans import Answer, Removal
from app.domain.status import Status
from app.domain.window import day_of, zone_of
from app.security import passwords
from app.security.roles import Role
from app.store import appointments, catalogue, connections, discovery, holds, practices, removals, sweeps, sync_runs
from app.store.appointments import Source, Written
from app.store.db import Store
from app.store.discovery import Met
from app.store.models import Membership, PmsConnection, Practice, User
from app.store.models.connection import ConnectionState, Environment
from app.store.models.sync import Trigger
from app.store.sweeps import Swept
from app.store.sync_runs import Ask
from app.sync.mapper import DataMapper

PASSWORD = "seven quiet herons at dusk"
ZONE = "Australia/Melbourne"
VIDEO = "type-video"
PHONES = ("0491 570 006", "0491 570 156", "0491 570 157", "0491 570 158", "0491 570 159", "0491 570 110")


@cache
def hashed(password: str) -> str:
    return passwords.hash_password(password)


@dataclass
class Person:
    id: UUID
    email: str
    name: str
    role: Role
    practice_id: UUID


@dataclass
class Booking:
    """An appointment of the PMS, as a test speaks of it. `at` is the practice's own time of day."""

    name: str
    at: str
    status: Status = Status.BOOKED
    raw: str | None = None
    doctor: str = "marlowe"
    minutes: int | None = 20
    type_id: str = VIDEO
    type_name: str = "Review, video"
    arrived: datetime | None = None
    cancelled: datetime | None = None
    others: Sequence[str] = ()
    comment: str | None = None
    phone: str | None = PHONES[0]
    email: str | None = None
    born: date | None = date(1971, 3, 9)
    external_id: str = field(default_factory=lambda: uuid4().hex[:12])


class Clinic:
    """A practice, its cast and its connection, over a real database."""

    def __init__(
        self, store: Store, name: str = "Banksia Ridge Specialists", zone: str = ZONE, mail: str = "example.com"
    ) -> None:
        self.store = store
        self.mail = mail
        self.zone = zone_of(zone)
        self.people: dict[str, Person] = {}
        self.clinicians: dict[str, UUID] = {}
        self.booked: dict[str, Booking] = {}
        self.connection_id: UUID | None = None
        self.found = 0
        with store.write() as session:
            self.id = practices.create(session, name, zone).id

    @property
    def today(self) -> date:
        return day_of(clock.now(), self.zone)

    def instant(self, at: str, day: date | None = None) -> datetime:
        """`9:30` of a day of the practice, as an instant."""
        hour, minute = (int(part) for part in at.split(":"))
        local = datetime.combine(day or self.today, datetime.min.time(), self.zone)
        return local.replace(hour=hour, minute=minute).astimezone(UTC)

    # --- people ---------------------------------------------------------------------------------------------------

    def person(self, key: str, role: Role, *, clinician: str | None = None, email: str | None = None) -> Person:
        """A member of the practice. Their password is hashed once for all tests: hashing is slow on purpose."""
        address = email or f"{key}@{self.mail}"
        with self.store.write() as session:
            user = session.query(User).filter(User.email == address).one_or_none()
            if user is None:
                user = User(id=uuid4(), email=address, name=f"{key.capitalize()} Ash", password_hash=hashed(PASSWORD))
                session.add(user)
                session.flush()
            own = self.clinicians[clinician] if clinician else None
            session.add(Membership(id=uuid4(), practice_id=self.id, user_id=user.id, role=role, clinician_id=own))
            self.people[key] = Person(user.id, address, user.name, role, self.id)
        return self.people[key]

    def clinician(self, key: str, name: str, room: str | None = None) -> UUID:
        with self.store.write() as session:
            person = catalogue.new_clinician(session, self.id, name)
            person.room = room
            self.clinicians[key] = person.id
        return self.clinicians[key]

    # --- the PMS --------------------------------------------------------------------------------------------------

    def connect(
        self,
        practitioners: Mapping[str, str],
        *,
        mapped: bool = True,
        environment: Environment = Environment.LIVE,
        types: Sequence[AppointmentType] = (AppointmentType(VIDEO, "Review, video", 20),),
        telehealth: bool = True,
    ) -> UUID:
        """A paired, active Gentu connection; practitioners are mapped to clinicians of the same key."""
        with self.store.write() as session:
            practice = session.get_one(Practice, self.id)
            made = connections.create(session, practice, "gentu", practice.name, environment)
            made.tenant_id = uuid4().hex
            connections.activate(session, made, practice, clock.now())
            self.connection_id = made.id
            catalogue.keep_practitioners(
                session, made.id, [Practitioner(key, name) for key, name in practitioners.items()]
            )
            catalogue.keep_types(session, made.id, types)
            for kind in catalogue.types_of(session, made.id):
                kind.is_telehealth = telehealth
            for row in catalogue.mappings_of(session, made.id) if mapped else ():
                row.run_sheet_clinician_id = self.clinicians.get(row.pms_practitioner_id)
        return self.connection_id

    def connection(self, **changes: object) -> None:
        """Set columns of the connection as a finished run would."""
        with self.store.write() as session:
            found = session.get_one(PmsConnection, self.connection_id)
            for name, value in changes.items():
                setattr(found, name, value)
            connections.tell_sheets(session, self.id, clock.now())

    def sick(self, reason: str = "auth_failed") -> None:
        self.connection(state=ConnectionState.NEEDS_ATTENTION, state_reason=reason, last_sync_status="failed")

    def healthy(self) -> None:
        now = clock.now()
        self.connection(last_sync_status="success", last_sync_at=now, last_good_at=now)

    # --- the day --------------------------------------------------------------------------------------------------

    def books(self, *bookings: Booking, day: date | None = None, doctors: Mapping[str, str] | None = None) -> Written:
        """Write these as one page of a sync; a booking known by its external id is refreshed."""
        names = {"marlowe": "Dr Odette Marlowe", "brightwater": "Dr Samuel Brightwater"} | dict(doctors or {})
        wanted = day or self.today
        mapper = DataMapper(self.zone, "AU")
        now = clock.now()
        with self.store.write() as session:
            source = Source(self.id, self._connection, uuid4(), now)
            sheet_id = appointments.ensure_sheets(session, self.id, [wanted])[wanted]
            known = appointments.stored(session, self._connection, [one.external_id for one in bookings])
            creates, updates = [], []
            for one in bookings:
                self.booked[one.name] = one
                row = mapper.to_row(self._appointment(one, wanted, names), is_telehealth=True).row
                row["run_sheet_id"] = sheet_id
                (updates if one.external_id in known else creates).append(row)
            return appointments.write_page(session, source, creates, updates)

    def swept(
        self,
        day: date | None = None,
        *,
        at: datetime | None = None,
        received: int = 0,
        refused: Mapping[str, int] | None = None,
        doctors: Sequence[str] = ("marlowe", "brightwater"),
    ) -> None:
        """The day was read whole, by practitioner. `refused` (cause -> n) counts for the first of them."""
        with self.store.write() as session:
            source = Source(self.id, self._connection, uuid4(), at or clock.now())
            left_out = {cause: {"": count} for cause, count in (refused or {}).items()}
            told = [
                Swept(day or self.today, who, received if not index else 0, left_out if not index else {})
                for index, who in enumerate(doctors)
            ]
            sweeps.record(session, source, told)

    def removes(self, name: str, at: datetime | None = None) -> None:
        """The PMS does not know that appointment any more, and a sync struck it out."""
        with self.store.write() as session:
            source = Source(self.id, self._connection, uuid4(), at or clock.now())
            external_id = self.booked[name].external_id
            assert removals.remove(session, source, [external_id], Removal.GONE.value)

    def holds(self, *names: str, answer: Answer = Answer.GONE, day: date | None = None) -> UUID:
        """These vanished at once: nothing was removed, and somebody is to look."""
        with self.store.write() as session:
            source = Source(self.id, self._connection, self._run(session), clock.now())
            answers = dict.fromkeys((self.booked[name].external_id for name in names), answer)
            return holds.put(session, source, day or self.today, None, answers, len(self.booked)).id

    def finds(self, *people: discovered.Person) -> None:
        """A discovery met these clients, in this order; who shares an address is asked about."""
        self.found += len(people)
        first = self.found - len(people)
        met = [Met(f"client {first + n}", one) for n, one in enumerate(people)]
        with self.store.write() as session:
            source = Source(self.id, self._connection, None, clock.now())
            discovery.carry_out(session, discovery.plan(session, source, uuid4(), met))

    def _run(self, session: Session) -> UUID:
        ask = Ask(self.id, self._connection, ("inbound",), self.today, self.today, Trigger.SCHEDULE)
        return sync_runs.request(session, ask, clock.now()).run_id

    def row_id(self, name: str) -> UUID:
        with self.store.read() as session:
            external_id = self.booked[name].external_id
            return appointments.placed(session, self._connection, [external_id])[external_id].id

    @property
    def _connection(self) -> UUID:
        assert self.connection_id is not None
        return self.connection_id

    def _appointment(self, one: Booking, day: date, names: Mapping[str, str]) -> Appointment:
        starts_at = self.instant(one.at, day)
        people = [Patient(one.external_id + "p", one.name, phone=one.phone, email=one.email, birth_date=one.born)]
        people += [Patient(f"{one.external_id}p{n}", name) for n, name in enumerate(one.others)]
        return Appointment(
            external_id=one.external_id,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(minutes=one.minutes) if one.minutes else None,
            minutes=one.minutes,
            status=one.status,
            raw_status=one.raw if one.raw is not None else one.status.value,
            practitioner_id=one.doctor,
            practitioner_name=names.get(one.doctor, one.doctor),
            patients=tuple(people),
            type_id=one.type_id,
            type_name=one.type_name,
            comment=one.comment,
            arrived_at=one.arrived,
            cancelled_at=one.cancelled,
        )


def usual(store: Store, mail: str = "example.com") -> Clinic:
    """The cast: an owner, a receptionist, a clinician (Dr Marlowe); two clinicians, a paired and freshly read Gentu."""
    clinic = Clinic(store, mail=mail)
    clinic.clinician("marlowe", "Dr Odette Marlowe", "Telehealth room 1")
    clinic.clinician("brightwater", "Dr Samuel Brightwater", "Telehealth room 2")
    clinic.connect({"marlowe": "Dr Odette Marlowe", "brightwater": "Dr Samuel Brightwater"})
    clinic.person("owner", Role.OWNER)
    clinic.person("reception", Role.RECEPTIONIST)
    clinic.person("clinician", Role.CLINICIAN, clinician="marlowe")
    clinic.swept()
    clinic.healthy()
    return clinic


def elsewhere(store: Store) -> Clinic:
    """The stranger's practice, with an appointment of its own."""
    clinic = Clinic(store, "Ironbark Street Clinic", "Australia/Perth")
    clinic.clinician("far", "Dr Far Away")
    clinic.connect({"far": "Dr Far Away"})
    clinic.person("stranger", Role.OWNER)
    clinic.books(Booking("Fergus Elsewhere", "10:00", doctor="far"), doctors={"far": "Dr Far Away"})
    return clinic
