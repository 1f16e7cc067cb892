"""IDEXX Neo: a user's session of the web application, its private JSON, one calendar for everybody.

Source: pms/idexx-neo.md. The vendor publishes no interface: a network capture and public code are all there is, and
nothing here was ever run against a live system. Using it needs the clinic's permission and a user of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import ClassVar

from app.config import VendorSettings
from app.domain.appointment import Appointment, AppointmentType, Patient, PracticeIdentity, Practitioner
from app.domain.consultation import ConsultationRef, Consulted
from app.domain.opening import Opening
from app.domain.window import Window, zone_of
from app.pms import rows
from app.pms.errors import PmsAuthFailed, PmsForbidden, PmsMalformed, PmsNotConfigured, PmsNotFound
from app.pms.health import health_of
from app.pms.http import PmsHttp
from app.pms.idexx_neo import hours, mapping, wire
from app.pms.idexx_neo.catalogue import PASSING, Catalogue
from app.pms.idexx_neo.coerce import wall
from app.pms.idexx_neo.consults import Consults
from app.pms.idexx_neo.session import Sessions
from app.pms.idexx_neo.settings import CREDENTIALS, LIMITS, NeoSettings, base_url
from app.pms.limits import Limits
from app.pms.offers import NoChanges, NoDiscovery, NotOffered
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
from app.pms.rows import RowFault
from app.pms.tokens import TokenManager
from app.pms.tools import Tools

#: A week was 143 rows and a second (seen in code: odis/sync); there are no pages.
MAX_DAYS = 7
_OLD_CONFIG = "/schedule/getScheduleConfigs"
_CALENDAR, _ONE, _SEARCH = "/appointments/getCalendarEventData", "/appointments/getAppointment", "/search/patients"


class IdexxNeoAdapter(NoChanges, NoDiscovery):
    """One clinic for one run. `appointments` may be called from several threads at once."""

    kind: ClassVar[str] = "idexx_neo"
    label: ClassVar[str] = "IDEXX Neo"
    credentials: ClassVar[tuple[CredentialField, ...]] = CREDENTIALS
    pairing: ClassVar[PairingCode | None] = None
    capabilities: ClassVar[Capabilities] = Capabilities(consultations=True, schedule_config=True)
    limits: ClassVar[Limits] = LIMITS
    evidence: ClassVar[Evidence] = Evidence(
        documented="Nothing: IDEXX publishes no interface for Neo. Its help pages tell the words of consultations.",
        seen_in_code="The log-in page's fields, the calendar and its rows, single appointments, the book's settings, "
        "consultations: a network capture of January 2026 and public code that logs in with a browser.",
        ours="How long a session lives, that the form can be posted without a browser, all limits, values of "
        "“confirmed”, vital signs, headings within notes, that an appointment type's length counts slots, who a clinic "
        "is (its provider with the lowest number), and how a patient is searched for by number.",
    )

    def __init__(self, settings: NeoSettings, site: Site, http: PmsHttp, tokens: TokenManager, tools: Tools) -> None:
        self._settings = settings
        self._site = site
        self._http = http
        self._tokens = tokens
        self._zone = zone_of(site.timezone)
        self._catalogue = Catalogue(self._ask, self._detail)
        self._consults = Consults(lambda path, route: http.json(path, route=route), self._zone, tools.sleep)

    @classmethod
    def open(cls, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        """An adapter ready to ask; makes no call. What a way to log in still lacks is said when somebody logs in."""
        settings = NeoSettings.of(vendor, tools.credentials)
        limits = Limits.of(vendor, LIMITS)
        http = PmsHttp(settings.base_url, tools, limits=limits, limit_key=settings.limit_key)
        sessions = Sessions(http, settings, tools.cancelled)
        tokens = TokenManager(tools.tokens.connection(), sessions.mint, sleep=tools.sleep, cancelled=tools.cancelled)
        http.sign_with(tokens, sessions.headers, sessions.ended)
        return cls(settings, site, http, tokens, tools)

    @staticmethod
    def base_url(vendor: VendorSettings) -> str:
        return base_url(vendor)

    def limit_key(self) -> str:
        return self._settings.limit_key

    # --- are we let in? -------------------------------------------------------------------------------------------

    def authenticate(self) -> None:
        self._tokens.get_valid_token()

    def refresh_token(self) -> None:
        self._tokens.refresh()

    def validate_connection(self) -> bool:
        """Whether Neo lets us read the book; False where it does not, an error where nobody knows."""
        try:
            self._catalogue.view()
        except (PmsAuthFailed, PmsForbidden):
            return False
        return True

    def health_check(self) -> Health:
        """Log in where no session is at hand, then read the book's settings."""
        self._tokens.allow_another_login()
        return health_of(self.label, self._catalogue.view, self.authenticate)

    def pair(self, code: str) -> str:  # noqa: ARG002 - the port's
        raise NotOffered("pair")

    # --- who and what ---------------------------------------------------------------------------------------------

    def identity(self) -> PracticeIdentity:
        """Which clinic this session opens. Neo has no “who am I”, and what was typed proves nothing, so its provider
        with the lowest number stands for it [assumed]; whoever stood for it before does so as long as they are listed.

        Raises PmsNotConfigured where nobody is.
        """
        listed = sorted({one.external_id for one in self._catalogue.listed().people}, key=lambda id_: (len(id_), id_))
        if not listed:
            raise PmsNotConfigured("This clinic has no provider in Neo yet, so there is nothing to tell it by.")
        region, _, known = (self._site.external_id or "").partition(" ")
        stands = known if region == self._settings.region and known in listed else listed[0]
        company = self._settings.company_id
        return PracticeIdentity(f"{self._settings.region} {stands}", f"Company {company}" if company else None, None)

    def practitioners(self) -> list[Practitioner]:
        return list(self._catalogue.listed().people)

    def appointment_types(self) -> list[AppointmentType]:
        return list(self._catalogue.listed().types)

    def schedule_config(self) -> Opening | None:
        """By the newer address, else by the older one (seen in code: odis/old-doc)."""
        try:
            return hours.of_view(self._catalogue.view())
        except PASSING:
            pass
        try:
            found, _ = rows.envelope(wire.old_config, self._ask(_OLD_CONFIG, {}))
        except PASSING:
            return None
        return hours.of_old(found)

    # --- the sweep ------------------------------------------------------------------------------------------------

    def partitions(self, window: Window, practitioner_ids: Iterable[str]) -> list[Partition]:  # noqa: ARG002
        """One question per week for everybody: there is no filter, and no second page."""
        return [Partition(f"all/{week.first}/{week.last}", week) for week in window.split(MAX_DAYS)]

    def appointments(self, partition: Partition, cursor: str | None = None) -> Iterator[Page]:  # noqa: ARG002
        """The one page of a week. Rosters are no appointments, and what starts beside the week belongs elsewhere."""
        window = partition.window
        kept: list[Appointment] = []
        refused: list[Rejected] = []
        context = self._context()
        for record in self._calendar(window.first, window.last):
            try:
                row = wire.row(record)
                if row.is_roster:
                    continue
                if window.holds(mapping.starts_at(row, self._zone)[0]):
                    kept.append(mapping.appointment(row, context))
            except RowFault as fault:
                refused.append(replace(rows.rejected(record, fault), external_id=wire.id_of(record)))
        yield Page(kept, refused, len(kept) + len(refused), from_start=True)

    def appointment(self, external_id: str) -> Appointment:
        """One booking, as the calendar shows it on its day, so that both tell the same; where a setting hides it there,
        as it tells of itself. Raises PmsNotFound, also where it was deleted; PmsMalformed with the path.
        """
        detail = self._detail(external_id)
        if detail.deleted:
            raise PmsNotFound("deleted")
        try:
            row = mapping.row_of(detail)
            on = wall(row.start, "$.appointment.startAtLocal")
            if on is not None:
                row = self._shown(external_id, on.date()) or row
            return mapping.appointment(row, self._context())
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def patient(self, external_id: str) -> Patient:
        """By its number, which the search is asked for as text [assumed]. Raises PmsNotFound."""
        query = {"q": external_id, "includeInactive": "true", "json": "true", "limit": "100", "escape": "false"}
        found, _ = rows.envelope(wire.search_reply, self._ask(_SEARCH, query))
        for record in found.results.patients.objects:
            if wire.id_of(bytes(record)) == external_id:
                try:
                    return mapping.patient(rows.read(wire.found_patient, bytes(record)))
                except RowFault as fault:
                    raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None
        raise PmsNotFound("no such patient")

    def consultations(self, wanted: Sequence[ConsultationRef]) -> Iterator[Consulted]:
        return self._consults.of(wanted)

    def close(self) -> None:
        self._http.close()

    # --- asking ---------------------------------------------------------------------------------------------------

    def _context(self) -> mapping.Context:
        return mapping.Context(self._zone, self._catalogue.providers, self._catalogue.types, self._site.status_words)

    def _calendar(self, first: date, last: date) -> list[bytes]:
        """The rows of whole days, the last included, by the clinic's wall clock (seen in code: odis/lib)."""
        return wire.calendar(self._ask(_CALENDAR, {"start": f"{first} 00:00:00", "end": f"{last} 23:59:59"}))

    def _shown(self, external_id: str, day: date) -> wire.Row | None:
        """The calendar's own row, where it shows one."""
        record = next((one for one in self._calendar(day, day) if wire.id_of(one) == external_id), None)
        return None if record is None else wire.row(record)

    def _detail(self, external_id: str) -> wire.Detail:
        found, _ = rows.envelope(wire.detail_reply, self._ask(_ONE, {"id": external_id}))
        return found.appointment

    def _ask(self, path: str, query: Mapping[str, str]) -> bytes:
        return self._http.json(path, route=path, query=query)
