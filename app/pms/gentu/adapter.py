"""Gentu (Magentus), public API v1: pairing by code, one client for all practices, a chain of pages per practitioner.

Source: pms/gentu.md (second-hand: a public write-up of the Healthcare API 1.0.0, December 2025). Nothing here was ever
run against a live system.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

from app.config import VendorSettings
from app.domain.appointment import Appointment, AppointmentType, Patient, PracticeIdentity, Practitioner
from app.domain.window import Window, zone_of
from app.errors import InvalidInput
from app.pms import rows
from app.pms.errors import (
    PairingRefused,
    PmsBadRequest,
    PmsForbidden,
    PmsMalformed,
    PmsNotConfigured,
    PmsNotFound,
    PmsUnavailable,
)
from app.pms.factory import environment_of
from app.pms.gentu import login, mapping, wire
from app.pms.gentu.joins import PagePatients, Patients, Practitioners, Types
from app.pms.gentu.same import all_along, page_digest
from app.pms.gentu.settings import GentuSettings, base_url
from app.pms.health import health_of
from app.pms.http import PmsHttp, segment
from app.pms.limits import Limits
from app.pms.offers import NoChanges, NoConsultations, NoDiscovery
from app.pms.paging import chain
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

#: 5 to 100 (documented: SPEC); the fewest requests.
PAGE_SIZE = 100
#: How long a stretch one request may ask for is not public; a week is careful. [assumed]
MAX_DAYS = 7
#: Both ends of fromDate and toDate are included [assumed], our windows' ends are not.
_LAST_INSTANT = timedelta(milliseconds=1)
INCLUDE = "patients,practitioners"
_CODE = re.compile(r"[A-Za-z0-9]{8}")


class GentuAdapter(NoChanges, NoConsultations, NoDiscovery):
    """One practice at Gentu for one run. `appointments` may be called from several threads at once."""

    kind: ClassVar[str] = "gentu"
    label: ClassVar[str] = "Gentu"
    #: Nothing is typed: the practice comes from the pairing answer, the client belongs to the app.
    credentials: ClassVar[tuple[CredentialField, ...]] = ()
    pairing: ClassVar[PairingCode | None] = PairingCode(
        length=8,
        help="In Gentu, open the Gentu Marketplace, choose this app and press “Add to Gentu”: it shows an 8-character "
        "code. A code works once, for the whole practice.",
    )
    capabilities: ClassVar[Capabilities] = Capabilities(pairing_code=True)
    limits: ClassVar[Limits] = Limits()
    evidence: ClassVar[Evidence] = Evidence(
        documented="Addresses, log-in, pairing, the lists of practitioners, types and appointments, paging, dates: a "
        "public write-up of Magentus' Healthcare API 1.0.0 (December 2025); the vendor's own pages are for partners.",
        seen_in_code="The status words, the sandbox address, the fault of an app that is not set up yet: a public "
        "project's transcription of the sandbox specification.",
        ours="What the status words mean, rate limits, how deleted, blocked and group bookings appear, the longest "
        "stretch one request may ask for.",
    )

    def __init__(
        self, settings: GentuSettings, site: Site, http: PmsHttp, tokens: TokenManager, page_size: int
    ) -> None:
        self._settings = settings
        self._site = site
        self._http = http
        self._tokens = tokens
        self._page_size = page_size
        self._zone: ZoneInfo = zone_of(site.timezone)
        self._sync_set: frozenset[str] = frozenset()
        self._types = Types(self._fetch_types)
        self._names = Practitioners(self._fetch_practitioners)
        self._patients = Patients(self.patient)

    @classmethod
    def open(cls, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        """An adapter ready to ask; makes no call. Raises PmsNotConfigured naming the variables that are missing."""
        settings = GentuSettings.of(vendor)
        http = PmsHttp(
            settings.base_url,
            tools,
            limits=Limits.of(vendor),
            limit_key=settings.limit_key,
            other_urls=(settings.token_url,),
            classify=login.classify,
        )
        store = tools.tokens.app(cls.kind, environment_of(settings.base_url), settings.client_hash)
        tokens = TokenManager(
            store, lambda _before: login.mint(http, settings), sleep=tools.sleep, cancelled=tools.cancelled
        )
        http.sign_with(tokens)
        return cls(settings, site, http, tokens, tools.page_size(PAGE_SIZE))

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
        """Whether Gentu lets us read this practice; False where it does not, an error where nobody knows."""
        try:
            self.identity()
        except (PmsForbidden, PmsNotFound):
            return False
        return True

    def health_check(self) -> Health:
        """Log in, then ask the practice's status: a token alone proves little, an app may get one long before it is
        set up. The answer is a text, not JSON."""
        self._tokens.allow_another_login()
        return health_of(self.label, self._status, self.authenticate)

    def _status(self) -> str:
        return self._http.text(f"{self._tenant()}/status", route="/tenants/{tenantId}/status")

    def pair(self, code: str) -> str:
        """Spend a pairing code; the tenant's id. The code is sent exactly once, over a connection of its own.

        Raises InvalidInput without a call where it is no code; PairingRefused: code_refused, or code_maybe_used where
        the answer was lost. Any other PmsError means that the code was not spent.
        """
        cleaned = code.strip()
        if not _CODE.fullmatch(cleaned):
            raise InvalidInput({"code": "A pairing code has 8 letters or digits. Copy it as Gentu shows it."})
        self._tokens.allow_another_login()
        self.authenticate()  # before the code is sent: a lost log-in must not look like a lost code
        path = f"/apps/{segment(self._settings.app_id)}/pairing/{cleaned}"
        try:
            body = self._http.once("PUT", path, route="/apps/{appId}/pairing/{code}")
            answer, _ = rows.envelope(wire.pairing_reply, body)
        except (PmsBadRequest, PmsNotFound, PmsForbidden) as error:
            raise PairingRefused(f"the code was refused: {error}") from None
        except (PmsUnavailable, PmsMalformed) as error:
            if isinstance(error, PmsUnavailable) and not error.sent:
                raise
            raise PairingRefused("the answer to the code was lost", reason="code_maybe_used") from None
        return answer.tenant_id

    # --- who and what ---------------------------------------------------------------------------------------------

    def identity(self) -> PracticeIdentity:
        row, _ = rows.envelope(wire.tenant, self._http.json(self._tenant(), route="/tenants/{tenantId}"))
        return mapping.identity(row)

    def practitioners(self) -> list[Practitioner]:
        """Everybody on the list. A record that cannot be read keeps its id, so that its appointments are still read."""
        found = self._fetch_practitioners()
        self._names.learn(found)
        return found

    def appointment_types(self) -> list[AppointmentType]:
        found = self._fetch_types()
        self._types.learn(found)
        return found

    def _fetch_practitioners(self) -> list[Practitioner]:
        body = self._http.json(f"{self._tenant()}/practitioners", route="/tenants/{tenantId}/practitioners")
        found = []
        for record in wire.practitioners(body):
            try:
                found.append(mapping.practitioner(rows.read(wire.practitioner, record)))
            except RowFault:
                found.append(Practitioner(_id_at_least(record), mapping.UNKNOWN_PRACTITIONER, readable=False))
        return found

    def _fetch_types(self) -> list[AppointmentType]:
        body = self._http.json(f"{self._tenant()}/appointment-types", route="/tenants/{tenantId}/appointment-types")
        found = []
        for record in wire.appointment_types(body):
            try:
                found.append(mapping.appointment_type(rows.read(wire.appointment_type, record)))
            except RowFault:
                found.append(AppointmentType(_id_at_least(record), mapping.UNKNOWN, readable=False))
        return found

    # --- the sweep ------------------------------------------------------------------------------------------------

    def partitions(self, window: Window, practitioner_ids: Iterable[str]) -> list[Partition]:
        """One chain per practitioner and week; the practitioner is required by the list (documented: SPEC)."""
        people = list(dict.fromkeys(practitioner_ids))
        self._sync_set |= frozenset(people)
        return [
            Partition(f"{person}/{week.first}/{week.last}", week, person)
            for person in people
            for week in window.split(MAX_DAYS)
        ]

    def appointments(self, partition: Partition, cursor: str | None = None) -> Iterator[Page]:
        """The pages of one chain. A cursor kept from an earlier run and no longer known begins the chain anew."""
        context, known = self._context(partition.practitioner_id), partition.known
        query = {
            "practitionerId": partition.practitioner_id,
            "fromDate": self._stamp(partition.window.start),
            "toDate": self._stamp(partition.window.end - _LAST_INSTANT),
            "limit": str(self._page_size),
            "include": INCLUDE,
        }

        def fetch(at: str | None) -> tuple[Page, str | None]:
            page = self._page(query if at is None else {**query, "cursor": at}, context, known)
            return replace(page, from_start=at is None), page.next_cursor

        pages = chain(fetch, cursor)
        if cursor is not None:
            try:
                yield next(pages)
            except PmsBadRequest:  # cursors are good for one query only; rows read twice are written once
                pages = chain(fetch)
        yield from pages

    def _page(self, query: dict[str, str], context: mapping.Context, known: Collection[bytes]) -> Page:
        route = "/tenants/{tenantId}/appointments"
        outer, mended = wire.page(self._http.json(f"{self._tenant()}/appointments", route=route, query=query))
        count, cursor = len(outer.appointments), outer.pagination.next or None
        digest = page_digest(outer, context, self._types, self._names) if not mended else None

        def read() -> Page:
            found = self._read(outer, mended, context)
            whole = not found.rejected and all_along(outer, found.appointments, self._names)
            return replace(found, digest=digest if whole else None)

        return Page((), (), count, cursor, digest=digest, read=read) if digest in known else read()

    def _read(self, outer: wire.AppointmentPage, mended: dict[bytes, bytes], context: mapping.Context) -> Page:
        self._names.side_loaded(outer.practitioners or ())
        context = replace(context, patients=PagePatients(outer.patients or (), mended, self._patients))
        kept: list[Appointment] = []
        refused: list[Rejected] = []
        for raw in outer.appointments:
            record = bytes(raw)
            if mended:
                record = mended.get(record, record)
            try:
                kept.append(mapping.appointment(wire.appointment(record), context))
            except RowFault as fault:
                refused.append(rows.rejected(record, fault))
        return Page(kept, refused, len(outer.appointments), outer.pagination.next or None)

    def appointment(self, external_id: str) -> Appointment:
        """One booking and its patients. Raises PmsNotFound; PmsMalformed with the path where it cannot be read."""
        route = "/tenants/{tenantId}/appointments/{id}"
        body = self._http.json(f"{self._tenant()}/appointments/{segment(external_id)}", route=route)
        try:
            return mapping.appointment(wire.appointment(body), self._context(""))
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def patient(self, external_id: str) -> Patient:
        route = "/tenants/{tenantId}/patients/{id}"
        body = self._http.json(f"{self._tenant()}/patients/{segment(external_id)}", route=route)
        try:
            return mapping.patient(wire.patient(body))
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def close(self) -> None:
        self._http.close()

    def _context(self, practitioner_id: str) -> mapping.Context:
        return mapping.Context(
            zone=self._zone,
            types=self._types,
            patients=self._patients,
            practitioners=self._names,
            asked=practitioner_id,
            sync_set=self._sync_set,
            status_words=self._site.status_words,
        )

    def _tenant(self) -> str:
        if not self._site.external_id:
            raise PmsNotConfigured("This practice is not paired with Gentu yet.", reason="not_paired")
        return f"/tenants/{segment(self._site.external_id)}"

    def _stamp(self, instant: datetime) -> str:
        """`2026-03-09T00:00:00.000+11:00`: an offset, never Z, whose acceptance is unverified (documented: SPEC)."""
        return instant.astimezone(self._zone).isoformat(timespec="milliseconds")


def _id_at_least(record: bytes) -> str:
    """The id of a record that is otherwise unreadable. Raises PmsMalformed where not even that can be read."""
    try:
        return str(rows.read(wire.only_id, record).id)
    except RowFault as fault:
        raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None
