"""A practice management system in memory: `pms.books("a1", "a2", type="video")`, then sync.

One builder for the unit tests of the store and of a run. What carries a feature, promise or fault marker for what the
wire does runs against the simulator over HTTP instead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from app.config import VendorSettings
from app.domain.appointment import Appointment, AppointmentType, Patient, PracticeIdentity, Practitioner
from app.domain.consultation import Consultation, ConsultationRef, Consulted, Item, Measure, Vitals
from app.domain.status import Status
from app.domain.window import Window
from app.pms.errors import PmsError, PmsNotFound
from app.pms.limits import Limits
from app.pms.offers import NoChanges, NoDiscovery
from app.pms.port import (
    Capabilities,
    CredentialField,
    Evidence,
    Health,
    Page,
    PairingCode,
    Partition,
    PmsAdapter,
    Rejected,
    Site,
)
from app.pms.tools import Tools

MELBOURNE = ZoneInfo("Australia/Melbourne")
#: Monday, noon in Melbourne.
NOW = datetime(2026, 3, 9, 1, 0, tzinfo=UTC)
TODAY = date(2026, 3, 9)
VIDEO, IN_PERSON = "video", "in person"


@dataclass
class Failure:
    error: BaseException
    practitioner: str | None
    after_pages: int


@dataclass
class FakePms:
    """What the vendor holds. Ids are whatever a test likes to call things."""

    zone: ZoneInfo = MELBOURNE
    page_size: int = 100
    people: dict[str, Practitioner] = field(default_factory=dict)
    types: dict[str, AppointmentType] = field(default_factory=dict)
    book: dict[str, Appointment] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)
    rejects: list[tuple[str, Rejected]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    #: Pages to hand out for a practitioner instead of those the book makes.
    scripted: dict[str, list[Page]] = field(default_factory=dict)
    #: Called before a page is handed out: (partition, number of the page in this chain).
    before_page: Callable[[Partition, int], None] = lambda *_: None
    before_question: Callable[[str], None] = lambda _: None
    capabilities: Capabilities = field(default_factory=Capabilities)
    #: By appointment; and what is answered instead of one: a reason, or nothing at all (None).
    consults: dict[str, Consultation] = field(default_factory=dict)
    excuses: dict[str, str | None] = field(default_factory=dict)
    #: Called before an answer is handed out; may raise.
    before_consultation: Callable[[ConsultationRef], None] = lambda _: None
    consulted: list[list[str]] = field(default_factory=list)  # the groups that were asked for
    #: A cursor kept from an earlier run is not known any more: its chain begins anew.
    forgets_cursors: bool = False
    asked: list[str] = field(default_factory=list)
    pages_given: int = 0
    #: Of these, pages that came before and were not read again.
    left_unread: int = 0
    open_adapters: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    # --- the builder ----------------------------------------------------------------------------------------------

    def employs(self, *ids: str, **more: Any) -> FakePms:
        for id_ in ids:
            self.people[id_] = Practitioner(id_, **{"full_name": f"Dr {id_.title()}", **more})
        return self

    def offers(self, *ids: str, **more: Any) -> FakePms:
        for id_ in ids:
            self.types[id_] = AppointmentType(id_, **{"name": id_.title(), "minutes": 30, **more})
        return self

    def books(
        self,
        *ids: str,
        day: date = TODAY,
        at: str = "09:00",
        type: str | None = VIDEO,  # noqa: A002 - a receptionist's word
        with_: str = "kim",
        every: int = 15,
        patients: int = 1,
        status: Status = Status.BOOKED,
        **more: Any,
    ) -> FakePms:
        """Appointments of one patient each, `every` so many minutes."""
        if with_ not in self.people:
            self.employs(with_)
        if type is not None and type not in self.types:
            self.offers(type)
        first = datetime.combine(day, time.fromisoformat(at), self.zone).astimezone(UTC)
        for number, id_ in enumerate(ids):
            starts_at = first + timedelta(minutes=every * number)
            given: dict[str, Any] = {
                "external_id": id_,
                "starts_at": starts_at,
                "ends_at": starts_at + timedelta(minutes=30),
                "minutes": 30,
                "status": status,
                "raw_status": status.value,
                "practitioner_id": with_,
                "practitioner_name": self.people[with_].full_name,
                "patients": tuple(patient(f"{id_}-{n}" if n else id_) for n in range(patients)),
                "type_id": type,
                "type_name": self.types[type].name if type else "Unknown",
            }
            self.book[id_] = Appointment(**(given | more))
        return self

    def consults_on(self, *ids: str, **more: Any) -> FakePms:
        """Finalised consultations of these appointments, which are over."""
        for id_ in ids:
            self.says(id_, Status.COMPLETED)
            self.changes(id_, consultation_id=f"c-{id_}")
            self.consults[id_] = consultation(id_, **more)
        return self

    def rewrites(self, id_: str, **values: Any) -> None:
        self.consults[id_] = replace(self.consults[id_], **values)

    def changes(self, id_: str, **values: Any) -> None:
        self.book[id_] = replace(self.book[id_], **values)

    def says(self, id_: str, status: Status, raw: str | None = None) -> None:
        self.changes(id_, status=status, raw_status=raw or status.value)

    def moves(self, id_: str, *, days: int = 0, minutes: int = 0, with_: str | None = None) -> None:
        old = self.book[id_]
        by = timedelta(days=days, minutes=minutes)
        ends_at = old.ends_at + by if old.ends_at else None
        self.changes(id_, starts_at=old.starts_at + by, ends_at=ends_at)
        if with_ is not None:
            if with_ not in self.people:
                self.employs(with_)
            self.changes(id_, practitioner_id=with_, practitioner_name=self.people[with_].full_name)

    def deletes(self, *ids: str) -> None:
        for id_ in ids:
            del self.book[id_]

    def forgets_to_list(self, *ids: str) -> None:
        """The list leaves them out, but who asks for them by id gets them."""
        self.unlisted |= set(ids)

    def garbles(self, *ids: str, with_: str = "kim", payload: bytes = b'{"id":"?"}') -> None:
        """Records of this practitioner's chain that cannot be read."""
        if with_ not in self.people:
            self.employs(with_)
        self.rejects += [(with_, Rejected(id_, "$.startAt", "missing", payload + id_.encode())) for id_ in ids]

    def fails(self, error: BaseException, *, practitioner: str | None = None, after_pages: int = 0) -> None:
        self.failures.append(Failure(error, practitioner, after_pages))

    def heals(self) -> None:
        self.failures.clear()

    # --- what it answers ------------------------------------------------------------------------------------------

    def pages_of(self, partition: Partition) -> list[Page]:
        who = partition.practitioner_id
        if who in self.scripted:
            return self.scripted[who]
        found = [
            one
            for one in sorted(self.book.values(), key=lambda one: (one.starts_at, one.external_id))
            if who in (one.practitioner_id, *one.other_practitioner_ids)
            and partition.window.holds(one.starts_at)
            and one.external_id not in self.unlisted
        ]
        chunks = [found[at : at + self.page_size] for at in range(0, len(found), self.page_size)] or [[]]
        rejected = [record for owner, record in self.rejects if owner == who and partition.window.holds(NOW)]
        last = len(chunks) - 1
        return [
            Page(
                chunk,
                rejected if number == 0 else (),
                len(chunk) + (len(rejected) if number == 0 else 0),
                str(number + 1) if number < last else None,
            )
            for number, chunk in enumerate(chunks)
        ]

    def fail_if_told(self, partition: Partition, number: int) -> None:
        for failure in self.failures:
            if failure.practitioner in (None, partition.practitioner_id) and number >= failure.after_pages:
                raise failure.error


def patient(id_: str, **more: Any) -> Patient:
    given = {
        "full_name": f"Patient {id_.title()}",
        "phone": "0491 570 156",
        "email": f"{id_.replace(' ', '.')}@example.com",
        "birth_date": date(1985, 3, 15),
    }
    return Patient(f"p-{id_}", **(given | more))


def consultation(id_: str, **more: Any) -> Consultation:
    """With something in every part, told apart by the appointment's id."""
    given: dict[str, Any] = {
        "finalised": True,
        "status": "closed",
        "held_at": NOW,
        "subjective": f"Limping since Tuesday ({id_})",
        "objective": f"Swollen left carpus ({id_})",
        "assessment": f"Sprain suspected ({id_})",
        "plan": f"Rest for ten days ({id_})",
        "vitals": (Vitals(NOW, Measure(38.6, "°C"), Measure(96, "bpm"), weight=Measure(12.4, "kg")),),
        "diagnoses": ("Carpal sprain",),
        "treatments": (Item("Cold compress", "2"),),
        "items": (Item("Meloxicam 1.5 mg/ml", "10 ml", "with food"),),
        "declined": (Item("Radiograph"),),
        "discharge": f"Lead walks only ({id_})",
    }
    return Consultation(f"c-{id_}", id_, **(given | more))


class FakeAdapter(NoChanges, NoDiscovery):
    """The port's side of a FakePms."""

    kind: ClassVar[str] = "fake"
    label: ClassVar[str] = "Fake"
    credentials: ClassVar[tuple[CredentialField, ...]] = ()
    pairing: ClassVar[PairingCode | None] = PairingCode(8, "Ask the test.")
    capabilities: ClassVar[Capabilities] = Capabilities()
    limits: ClassVar[Limits] = Limits()
    evidence: ClassVar[Evidence] = Evidence("", "", "")
    #: Which system `open` reaches; a test sets it (see `house`).
    system: ClassVar[FakePms]

    def __init__(self, pms: FakePms, cancelled: Callable[[], bool] = lambda: False) -> None:
        self.pms = pms
        self.capabilities = pms.capabilities  # type: ignore[misc]
        self._cancelled = cancelled
        pms.open_adapters += 1

    @classmethod
    def open(cls, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        return cls(cls.system, tools.cancelled)

    @staticmethod
    def base_url(vendor: VendorSettings) -> str:
        return "http://fake.example"

    def limit_key(self) -> str:
        return "fake"

    def authenticate(self) -> None: ...

    def refresh_token(self) -> None: ...

    def validate_connection(self) -> bool:
        return True

    def health_check(self) -> Health:
        return Health(True, "Fake answers.", 1)

    def pair(self, code: str) -> str:
        return f"tenant-{code}"

    def identity(self) -> PracticeIdentity:
        return PracticeIdentity("tenant", "Fake Practice", str(self.pms.zone))

    def practitioners(self) -> list[Practitioner]:
        self._ask("practitioners")
        return list(self.pms.people.values())

    def appointment_types(self) -> list[AppointmentType]:
        self._ask("types")
        return list(self.pms.types.values())

    def partitions(self, window: Window, practitioner_ids: Iterable[str]) -> list[Partition]:
        return [
            Partition(f"{who}/{week.first}/{week.last}", week, who)
            for who in practitioner_ids
            for week in window.split(7)
        ]

    def appointments(self, partition: Partition, cursor: str | None = None) -> Iterator[Page]:
        start = 0 if self.pms.forgets_cursors else int(cursor or 0)
        for number, page in enumerate(self.pms.pages_of(partition)):
            if number < start:
                continue
            self._ask(f"{partition.key}#{number}")
            self.pms.fail_if_told(partition, number)
            self.pms.before_page(partition, number)
            with self.pms.lock:
                self.pms.pages_given += 1
            yield self._unread_if_known(replace(page, from_start=number == 0), partition)
        self.pms.fail_if_told(partition, len(self.pms.pages_of(partition)))

    def _unread_if_known(self, page: Page, partition: Partition) -> Page:
        """As an adapter that can tell its pages by what they are made from."""
        if page.rejected:
            return page
        digest = blake2b(repr(page.appointments).encode(), digest_size=16).digest()
        if digest not in partition.known:
            return replace(page, digest=digest)
        with self.pms.lock:
            self.pms.left_unread += 1

        def read() -> Page:
            with self.pms.lock:
                self.pms.left_unread -= 1
            return replace(page, digest=digest)

        return replace(page, digest=digest, read=read, appointments=())

    def appointment(self, external_id: str) -> Appointment:
        self._ask(f"appointment {external_id}")
        self.pms.before_question(external_id)
        if external_id not in self.pms.book:
            raise PmsNotFound("unknown")
        return self.pms.book[external_id]

    def patient(self, external_id: str) -> Patient:
        raise PmsNotFound(external_id)

    def consultations(self, wanted: Sequence[ConsultationRef]) -> Iterator[Consulted]:
        self._ask("consultations")
        self.pms.consulted.append([ref.appointment_id for ref in wanted])
        for ref in wanted:
            self.pms.before_consultation(ref)
            found, excuses = self.pms.consults.get(ref.appointment_id), self.pms.excuses
            if ref.appointment_id not in excuses:
                yield Consulted(ref, found, None if found else "none_yet")
            elif (reason := excuses[ref.appointment_id]) is not None:
                yield Consulted(ref, None, reason)

    def close(self) -> None:
        self.pms.open_adapters -= 1

    def _ask(self, what: str) -> None:
        with self.pms.lock:
            self.pms.asked.append(what)
        for failure in self.pms.failures:
            if failure.practitioner == what and isinstance(failure.error, PmsError):
                raise failure.error
