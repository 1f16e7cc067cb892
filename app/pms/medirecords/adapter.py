"""MediRecords: a token that was handed over, one list of the whole practice in its wall times, links of its own.

Source: pms/medirecords.md (a public review of the vendor's OpenAPI, its help pages, and public code of integrators).
Nothing here was ever run against a live system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import ClassVar

from app.config import VendorSettings
from app.domain.appointment import Appointment, AppointmentType, Patient, PracticeIdentity, Practitioner
from app.domain.status import Status
from app.domain.window import Window, zone_of
from app.pms import rows
from app.pms.errors import PmsAuthFailed, PmsForbidden, PmsMalformed, PmsNotFound
from app.pms.health import health_of
from app.pms.http import PmsHttp, segment
from app.pms.limits import Limits
from app.pms.medirecords import asking, login, mapping, saying, wire
from app.pms.medirecords.asking import Asking
from app.pms.medirecords.joins import Joins
from app.pms.medirecords.settings import CREDENTIALS, LIMITS, MedirecordsSettings, base_url
from app.pms.offers import NoChanges, NoConsultations, NoDiscovery, NotOffered
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

#: How long a stretch one list may cover is not public; a week is careful. [assumed]
MAX_DAYS = 7
#: Whether the ends of a range are included is [assumed], so a minute more is asked for on either side.
_BESIDE = timedelta(minutes=1)
_ROUTE = "/v1/practices/{id}"


class MedirecordsAdapter(NoChanges, NoConsultations, NoDiscovery):
    """One practice for one run. `appointments` may be called from several threads at once."""

    kind: ClassVar[str] = "medirecords"
    label: ClassVar[str] = "MediRecords"
    credentials: ClassVar[tuple[CredentialField, ...]] = CREDENTIALS
    pairing: ClassVar[PairingCode | None] = None
    #: Of appointments it sends no webhooks that anybody has seen.
    capabilities: ClassVar[Capabilities] = Capabilities(telehealth_links=True, writes=saying.WRITES)
    limits: ClassVar[Limits] = LIMITS
    evidence: ClassVar[Evidence] = Evidence(
        documented="The address, the token of a customer, the list of appointments with its filters, numbers of the "
        "statuses, wall times, appointment types, telehealth links: a public review of the vendor's OpenAPI, its help.",
        seen_in_code="Pages and their envelope, providers, patients and how they are searched for, code lists, errors: "
        "public code of integrators.",
        ours="The time zone, how many calls are welcome, how a code list reads and what its texts mean in minutes, "
        "client credentials in place of a token, that patients can be searched for by id, that what was deleted "
        "answers 404.",
    )

    def __init__(
        self,
        settings: MedirecordsSettings,
        site: Site,
        http: PmsHttp,
        tokens: TokenManager | None,
        page_size: int,
    ) -> None:
        self._settings = settings
        self._site = site
        self._http = http
        self._tokens = tokens
        self._zone = zone_of(site.timezone)
        self._practice = f"/v1/practices/{segment(settings.practice_id)}"
        fixed = f"Bearer {settings.access_token}" if settings.access_token else None
        self._asking = Asking(http, fixed, page_size)
        self._joins = Joins(self._asking, self._practice)

    @classmethod
    def open(cls, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        """An adapter ready to ask; makes no call. Raises PmsNotConfigured naming what nobody has typed."""
        settings = MedirecordsSettings.of(vendor, tools.credentials)
        http = PmsHttp(
            settings.base_url,
            tools,
            limits=settings.limits,
            limit_key=settings.limit_key,
            other_urls=(settings.token_url,),
            classify=login.classify,
        )
        tokens = None
        if settings.access_token is None:
            tokens = TokenManager(
                tools.tokens.connection(),
                lambda _before: login.mint(http, settings),
                sleep=tools.sleep,
                cancelled=tools.cancelled,
            )
            http.sign_with(tokens)
        return cls(settings, site, http, tokens, tools.page_size(asking.PAGE_SIZE))

    @staticmethod
    def base_url(vendor: VendorSettings) -> str:
        return base_url(vendor)

    def limit_key(self) -> str:
        return self._settings.limit_key

    # --- are we let in? -------------------------------------------------------------------------------------------

    def authenticate(self) -> None:
        """A fixed token goes with every call; where there is none, one is made."""
        if self._tokens is not None:
            self._tokens.get_valid_token()

    def refresh_token(self) -> None:
        if self._tokens is not None:
            self._tokens.refresh()

    def validate_connection(self) -> bool:
        """Whether the token opens this practice; False where it does not, an error where nobody knows."""
        try:
            self.identity()
        except (PmsAuthFailed, PmsForbidden, PmsNotFound):
            return False
        return True

    def health_check(self) -> Health:
        if self._tokens is not None:
            self._tokens.allow_another_login()
        return health_of(self.label, self.identity, self.authenticate)

    def pair(self, code: str) -> str:  # noqa: ARG002
        raise NotOffered("pair")

    def identity(self) -> PracticeIdentity:
        """The practice whose id was typed, by the name MediRecords gives it."""
        body = self._asking.one(self._practice, _ROUTE)
        try:
            row = rows.read(wire.practice, body)
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None
        if row.id is None and row.practice_name is None:
            raise PmsMalformed("no practice", path="$.practiceName")
        self._only_ours(row.id)
        return mapping.identity(self._settings.practice_id, row)

    # --- who and what ---------------------------------------------------------------------------------------------

    def practitioners(self) -> list[Practitioner]:
        return self._joins.read_providers()

    def appointment_types(self) -> list[AppointmentType]:
        return self._joins.read_types()

    # --- the sweep ------------------------------------------------------------------------------------------------

    def partitions(self, window: Window, practitioner_ids: Iterable[str]) -> list[Partition]:  # noqa: ARG002
        """A chain per week for the whole practice: one list has everybody, those without a provider too."""
        return [Partition(f"all/{week.first}/{week.last}", week) for week in window.split(MAX_DAYS)]

    def appointments(self, partition: Partition, cursor: str | None = None) -> Iterator[Page]:
        """The pages of one week, cancelled ones included. What starts beside the week is left out here."""
        window = partition.window
        within = {
            "appointmentDateRangeStart": mapping.wall(window.start - _BESIDE, self._zone),
            "appointmentDateRangeEnd": mapping.wall(window.end, self._zone),
        }
        for part in self._asking.pages(f"{self._practice}/appointments", f"{_ROUTE}/appointments", within, cursor):
            yield self._page(part, window)

    def _page(self, part: asking.Part, window: Window) -> Page:
        kept: list[Appointment] = []
        refused: list[Rejected] = []
        read: list[tuple[bytes, wire.Appointment]] = []
        for record in part.records:
            try:
                row = wire.appointment(record)
                if window.holds(mapping.starts(row, self._zone)[0]):
                    read.append((record, row))
            except RowFault as fault:
                refused.append(rows.rejected(record, fault))
        for _, row in read:
            self._only_ours(row.practice_id)
        self._joins.complete(row for _, row in read)
        context = self._context()
        for record, row in read:
            try:
                kept.append(mapping.appointment(row, context))
            except RowFault as fault:
                refused.append(rows.rejected(record, fault))
        return Page(kept, refused, len(kept) + len(refused), part.next_cursor, part.first)

    def appointment(self, external_id: str) -> Appointment:
        """One booking. Raises PmsNotFound; PmsMalformed with the path where it cannot be read."""
        path = f"{self._practice}/appointments/{segment(external_id)}"
        body = self._asking.one(path, f"{_ROUTE}/appointments/{{id}}")
        try:
            row = wire.appointment(body)
            self._only_ours(row.practice_id)
            self._joins.complete((row,))
            return mapping.appointment(row, self._context())
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def patient(self, external_id: str) -> Patient:
        body = self._asking.one(f"/v1/patients/{segment(external_id)}", "/v1/patients/{id}")
        try:
            return mapping.patient(rows.read(wire.patient, body))
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def set_status(self, external_id: str, to: Status) -> None:
        """As the port says: one question, and one write where MediRecords does not say so already."""
        path = f"{self._practice}/appointments/{segment(external_id)}"
        saying.say(self._asking, path, f"{_ROUTE}/appointments/{{id}}", to, self._site.status_words)

    def close(self) -> None:
        self._http.close()

    def _only_ours(self, practice_id: str | None) -> None:
        """A subscription may hold several practices; nothing of another one may come in by mistake."""
        if practice_id and practice_id.lower() != self._settings.practice_id:
            raise PmsMalformed("a record of another practice", path="$.practiceId")

    def _context(self) -> mapping.Context:
        return mapping.Context(
            zone=self._zone,
            types=self._joins.types,
            providers=self._joins.providers,
            patients=self._joins.patients,
            intervals=self._joins.intervals,
            status_words=self._site.status_words,
        )
