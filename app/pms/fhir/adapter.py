"""Any FHIR R4 server: searches by parameters, bundles with next links, SMART backend services.

Source: pms/fhir-r4.md. The standard is solid; what one server supports of it is not. So its capability statement is
read when a run begins, what it does not offer is done without, and everything is filtered here again: a parameter that
a server does not know it ignores in silence. Nothing here was ever run against a live system.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from app import clock
from app.config import VendorSettings
from app.domain.appointment import Appointment, AppointmentType, Patient, PracticeIdentity, Practitioner
from app.domain.window import Window, day_of, zone_of
from app.pms.errors import PmsAuthFailed, PmsBadRequest, PmsForbidden, PmsMalformed, PmsNotFound
from app.pms.fhir import catalogue, mapping, people, server, wire
from app.pms.fhir.client import FhirClient
from app.pms.fhir.related import Related, patient_of
from app.pms.fhir.search import PAGE_SIZE, Found, Params, Searches
from app.pms.fhir.server import Server
from app.pms.fhir.settings import CREDENTIALS, LIMITS, FhirSettings, base_url
from app.pms.health import health_of
from app.pms.limits import Limits
from app.pms.offers import NoConsultations, NotOffered
from app.pms.port import (
    Capabilities,
    ClientPage,
    CredentialField,
    Evidence,
    Health,
    Page,
    PairingCode,
    Partition,
    PmsAdapter,
    Site,
)
from app.pms.rows import RowFault, rejected
from app.pms.tools import Tools

#: A chain's stretch: one search may ask for any, a run that is cut off goes on behind the last whole one.
MAX_DAYS = 7
#: Practitioners in one search, where a server answers only to a search that names somebody (documented: ORACLE).
_AT_ONCE = 20
#: Where no list of services is offered, the types are those of appointments this many days around today [assumed].
_AROUND = timedelta(days=28)


class FhirAdapter(NoConsultations):
    """One practice's FHIR server for one run. `appointments` may be called from several threads at once."""

    kind: ClassVar[str] = "fhir"
    label: ClassVar[str] = "FHIR R4 server"
    credentials: ClassVar[tuple[CredentialField, ...]] = CREDENTIALS
    pairing: ClassVar[PairingCode | None] = None
    capabilities: ClassVar[Capabilities] = Capabilities(discovery=True, incremental=True, telehealth_links=True)
    limits: ClassVar[Limits] = LIMITS
    evidence: ClassVar[Evidence] = Evidence(
        documented="Resources, search parameters, bundles, statuses and error outcomes: HL7 FHIR 4.0.1. "
        "The log-in: SMART App Launch 2.2, backend services. Video rooms as Oracle, Denmark and HL7's own extension "
        "write them.",
        seen_in_code="Nothing is taken from code.",
        ours="One address is one practice; what each status means to a run sheet; which of several names, numbers and "
        "types is shown; who counts as being in the book; how to go on where a server neither pages nor filters.",
    )

    def __init__(self, settings: FhirSettings, site: Site, client: FhirClient, page_size: int) -> None:
        self._settings = settings
        self._site = site
        self._client = client
        self._searches = Searches(client, page_size)
        self._related = Related(self._searches, site.status_words)
        self._known: Server | None = None
        self._staff: list[Practitioner] | None = None
        self._by_person = False
        self._lock = threading.RLock()

    @classmethod
    def open(cls, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        """An adapter ready to ask; makes no call. Raises PmsNotConfigured naming what is missing or unusable."""
        settings = FhirSettings.of(vendor, tools.credentials)
        return cls(settings, site, FhirClient(settings, tools), tools.page_size(PAGE_SIZE))

    @staticmethod
    def base_url(vendor: VendorSettings) -> str:
        return base_url(vendor)

    def limit_key(self) -> str:
        return self._settings.limit_key

    # --- are we let in? -------------------------------------------------------------------------------------------

    def authenticate(self) -> None:
        """A token, where the server wants one of ours; a fixed one is proved by the first question."""
        login = self._client.login
        if login is not None:
            login.find()
            login.tokens.get_valid_token()

    def refresh_token(self) -> None:
        login = self._client.login
        if login is not None:
            login.find()
            login.tokens.refresh()

    def validate_connection(self) -> bool:
        """Whether a search is answered; False where it is refused, an error where nobody knows."""
        try:
            self._knock()
        except (PmsAuthFailed, PmsForbidden):
            return False
        return True

    def health_check(self) -> Health:
        return health_of(self.label, self._knock, self.authenticate)

    def _knock(self) -> None:
        """One small search of what we came for: a server may show its statement to anybody."""
        today = day_of(clock.now(), zone_of(self._site.timezone))
        window = Window(today, today, zone_of(self._site.timezone))
        try:
            next(self._searches.pages("Appointment", _dates(window)), None)
        except PmsBadRequest:  # it wants somebody named: we are let in
            return

    def pair(self, code: str) -> str:  # noqa: ARG002
        raise NotOffered("pair")

    def identity(self) -> PracticeIdentity:
        """The server's address stands for the practice; its name is its first active organization's [assumed]."""
        self._knock()
        offered = self._server()
        return PracticeIdentity(self._settings.tenant, catalogue.name_of(self._searches, offered) or offered.name, None)

    def _server(self) -> Server:
        """What it offers, asked once."""
        with self._lock:
            if self._known is None:
                self._known = server.ask(self._client)
            return self._known

    # --- who and what ---------------------------------------------------------------------------------------------

    def practitioners(self) -> list[Practitioner]:
        """Everybody listed. Where the server keeps schedules, only who has one counts as being in the book: servers
        list everybody who ever wrote a letter [assumed].
        """
        with self._lock:
            if self._staff is None:
                self._staff = catalogue.practitioners(self._searches, self._server())
                self._related.names_are({one.external_id: one.full_name for one in self._staff if one.readable})
            return list(self._staff)

    def appointment_types(self) -> list[AppointmentType]:
        """What the services list; where none are listed, what appointments around today are called [assumed]."""
        found = catalogue.types(self._searches, self._server())
        if found:
            return found
        today = day_of(clock.now(), zone_of(self._site.timezone))
        window = Window(today - _AROUND, today + _AROUND, zone_of(self._site.timezone))
        met: dict[str, AppointmentType] = {}
        for partition in self.partitions(window, ()):
            for page in self.appointments(partition):
                for one in page.appointments:
                    if one.type_id is not None:
                        met.setdefault(one.type_id, AppointmentType(one.type_id, one.type_name))
        return list(met.values())

    # --- the sweep ------------------------------------------------------------------------------------------------

    def partitions(self, window: Window, practitioner_ids: Iterable[str]) -> list[Partition]:  # noqa: ARG002
        """A chain per week, of everybody: who takes part as a role only, or is not listed, is found that way too."""
        return [Partition(f"all/{week.first}/{week.last}", week) for week in window.split(MAX_DAYS)]

    def appointments(self, partition: Partition, cursor: str | None = None) -> Iterator[Page]:  # noqa: ARG002
        """The pages of one week, cancelled ones included; entered in error is none. What starts beside the week, or
        never, is left out here.

        A chain always begins anew: page addresses expire. An id may come twice; its later record is the newer one.
        """
        for found in self._swept(partition.window):
            yield self._page(found, lambda one: partition.window.holds(one.starts_at))

    def changes(self, since: datetime, practitioner_ids: Iterable[str]) -> Iterator[Page]:  # noqa: ARG002
        """By `_lastUpdated`. Raises PmsBadRequest, for which the caller sweeps, where the server does not offer it or
        does not say that it has answered to it.
        """
        if not self._server().takes("Appointment", "_lastUpdated"):
            raise PmsBadRequest("the server does not tell what changed")
        params = [("_lastUpdated", f"ge{_utc(since)}"), *self._includes()]
        for found in self._searches.pages("Appointment", params):
            if found.asked is not None and "_lastUpdated" not in found.asked:
                raise PmsBadRequest("the server does not tell what changed")
            yield self._page(found, lambda one: one.changed_at is None or one.changed_at >= since)

    def clients(self, window: Window) -> Iterator[ClientPage]:
        """Each patient of the window's appointments, as their own record tells of them."""
        met: set[str] = set()
        for partition in self.partitions(window, ()):
            for page in self.appointments(partition):
                news = {
                    one.external_id: people.client(one)
                    for booking in page.appointments
                    for one in booking.patients
                    if one.external_id and one.external_id not in met
                }
                met |= news.keys()
                yield ClientPage(list(news.values()), page.rejected, page.received)

    def appointment(self, external_id: str) -> Appointment:
        """Raises PmsNotFound, also for one that was entered in error; PmsMalformed with the path."""
        raw = self._searches.one("Appointment", external_id)
        try:
            row = wire.appointment(raw)
            if mapping.is_gone(row):
                raise PmsNotFound("entered in error")
            return mapping.appointment(row, self._related.context(self._server(), [row]))
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def patient(self, external_id: str) -> Patient:
        return patient_of(self._searches.one("Patient", external_id))

    def close(self) -> None:
        self._client.close()

    # --- asking ---------------------------------------------------------------------------------------------------

    def _swept(self, window: Window) -> Iterator[Found]:
        """All appointments of a window; person by person where the server refuses a search that names nobody."""
        if not self._by_person:
            begun = False
            try:
                for found in self._searches.pages("Appointment", [*_dates(window), *self._includes()]):
                    begun = True
                    yield found
            except PmsBadRequest:
                if begun:
                    raise
                self._by_person = True
            else:
                return
        param = "practitioner" if self._server().takes("Appointment", "practitioner") else "actor"
        prefix = "Practitioner/" if param == "actor" else ""
        ids = [f"{prefix}{one.external_id}" for one in self.practitioners() if one.works_here]
        for start in range(0, len(ids), _AT_ONCE):
            named = (param, ",".join(ids[start : start + _AT_ONCE]))
            for found in self._searches.pages("Appointment", [*_dates(window), named, *self._includes()]):
                yield replace(found, first=found.first and start == 0)

    def _page(self, found: Found, wanted: Callable[[Appointment], bool]) -> Page:
        """The page mapped. A record that cannot be read may belong anywhere: it counts."""
        refused = [rejected(raw, fault) for raw, fault in found.bad]
        rows_read: list[tuple[bytes, wire.Appointment]] = []
        for raw in found.matches:
            try:
                row = wire.appointment(raw)
            except RowFault as fault:
                refused.append(rejected(raw, fault))
            else:
                if not mapping.is_gone(row) and not mapping.is_unscheduled(row):
                    rows_read.append((raw, row))
        context = self._related.context(self._server(), [row for _, row in rows_read], found)
        kept: list[Appointment] = []
        for raw, row in rows_read:
            try:
                one = mapping.appointment(row, context)
            except RowFault as fault:
                refused.append(rejected(raw, fault))
            else:
                if wanted(one):
                    kept.append(one)
        return Page(kept, refused, len(kept) + len(refused), from_start=found.first)

    def _includes(self) -> Params:
        """What the server says it can send along with an appointment."""
        offered = self._server()
        return [
            ("_include", f"Appointment:{name}")
            for name in ("patient", "practitioner")
            if offered.includes("Appointment", name)
        ]


def _dates(window: Window) -> list[tuple[str, str]]:
    """In UTC: without a zone a server would take its own. `date` looks at the start alone (documented: R4)."""
    return [("date", f"ge{_utc(window.start)}"), ("date", f"lt{_utc(window.end)}")]


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z").replace(".000Z", "Z")
