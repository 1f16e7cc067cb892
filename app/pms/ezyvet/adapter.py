"""ezyVet (IDEXX), public REST API: credentials of one site, one book for everybody, consultations by their consults.

Source: pms/ezyvet.md (public pages of the vendor and public code of integrators). Nothing here was ever run against a
live system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import ClassVar

from app import clock
from app.config import VendorSettings
from app.domain.appointment import Appointment, AppointmentType, Patient, PracticeIdentity, Practitioner
from app.domain.consultation import ConsultationRef, Consulted
from app.domain.status import Status
from app.domain.window import Window, zone_of
from app.errors import InvalidInput
from app.pms import rows
from app.pms.errors import PmsError, PmsForbidden, PmsMalformed, PmsNotFound, PmsRateLimited
from app.pms.ezyvet import lists, login, mapping, saying, wire
from app.pms.ezyvet.coerce import words
from app.pms.ezyvet.consults import Consults
from app.pms.ezyvet.joins import Catalogue, People
from app.pms.ezyvet.lists import Lists
from app.pms.ezyvet.settings import CREDENTIALS, LIMITS, EzyvetSettings, base_url, endpoint_limits
from app.pms.health import health_of
from app.pms.http import PmsHttp
from app.pms.limits import Limits
from app.pms.offers import NoDiscovery
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
from app.pms.transport import Reply

#: How long a stretch one list may cover is not public; a week is careful. [assumed]
MAX_DAYS = 7


class EzyvetAdapter(NoDiscovery):
    """One site (or division of it) for one run. `appointments` may be called from several threads at once."""

    kind: ClassVar[str] = "ezyvet"
    label: ClassVar[str] = "ezyVet"
    credentials: ClassVar[tuple[CredentialField, ...]] = CREDENTIALS
    pairing: ClassVar[PairingCode | None] = None
    capabilities: ClassVar[Capabilities] = Capabilities(consultations=True, incremental=True, writes=saying.WRITES)
    limits: ClassVar[Limits] = LIMITS
    evidence: ClassVar[Evidence] = Evidence(
        documented="Log-in, limits, lists, filters, paging, appointments, types, resources, animals, contacts, the "
        "list of clinical records, vaccinations and prescriptions: the vendor's public pages for developers.",
        seen_in_code="Which values come as texts, page sizes, how a limit is told, contact details, weights, "
        "diagnostics and invoice lines: public code of integrators.",
        ours="What a practice's own status names mean, when a consultation counts as finalised, the spelling of "
        "examination, assessment, plan, treatments and of all vitals but weight.",
    )

    def __init__(
        self, settings: EzyvetSettings, site: Site, http: PmsHttp, tokens: TokenManager, page_size: int
    ) -> None:
        self._settings = settings
        self._site = site
        self._http = http
        self._tokens = tokens
        self._sync_set: frozenset[str] = frozenset()
        self._asked = Lists(http, page_size)
        self._catalogue = Catalogue(self._asked, settings.division_id)
        self._people = People(self._asked)
        self._consults = Consults(self._asked, zone_of(site.timezone))

    @classmethod
    def open(cls, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        """An adapter ready to ask; makes no call. Raises PmsNotConfigured naming what nobody has typed."""
        settings = EzyvetSettings.of(vendor, tools.credentials)

        def classify(reply: Reply) -> PmsError | None:
            if reply.status != 429:
                return None
            seconds = login.pause_asked(reply, clock.now())
            tools.limiter.handle_rate_limit_response(settings.limit_key, seconds)
            return PmsRateLimited("answered 429", retry_after_s=seconds, status=429)

        http = PmsHttp(
            settings.base_url,
            tools,
            limits=Limits.of(vendor, LIMITS),
            limit_key=settings.limit_key,
            other_urls=(settings.token_url,),
            classify=classify,
            route_limits=endpoint_limits(vendor),
        )
        tokens = TokenManager(
            tools.tokens.connection(),
            lambda _before: login.mint(http, settings),
            sleep=tools.sleep,
            cancelled=tools.cancelled,
        )
        http.sign_with(tokens)
        return cls(settings, site, http, tokens, tools.page_size(lists.PAGE_SIZE))

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
        """Whether ezyVet lets us read this site; False where it does not, an error where nobody knows."""
        try:
            self._catalogue.fetch_types()
        except (PmsForbidden, PmsNotFound):
            return False
        return True

    def health_check(self) -> Health:
        """Log in, then read the appointment types: a token alone does not say what it is good for."""
        self._tokens.allow_another_login()
        return health_of(self.label, self._catalogue.fetch_types, self.authenticate)

    def pair(self, code: str) -> str:  # noqa: ARG002 - the port's
        """ezyVet has no pairing codes: its credentials are typed. Raises InvalidInput."""
        raise InvalidInput({"code": "ezyVet does not pair with a code. Type the credentials it issued."})

    # --- who and what ---------------------------------------------------------------------------------------------

    def identity(self) -> PracticeIdentity:
        """Which site answers, by its UID: as told, else as the token claims, else as typed; where there is none by the
        client, which is the site's own. (Its `id` may be 1 at every site.) A division is a practice of its own.
        """
        told, setting = self._site_as_told(lists.SITE), wire.Site()
        if told.timezone is None:
            setting = self._site_as_told(lists.SYSTEM_SETTING)
        named = login.site_of(self._tokens.get_valid_token())
        known = (words(told.uid), named, self._settings.site_uid)
        site = next((one for one in known if one), self._settings.client_id)
        division = self._settings.division_id
        return mapping.identity(f"{site}/{division}" if division else site, told, setting)

    def _site_as_told(self, resource: lists.Resource) -> wire.Site:
        """The site's own record; an empty one where it may not be read."""
        try:
            records = list(self._asked.all(resource))
        except (PmsForbidden, PmsNotFound):
            return wire.Site()
        try:
            return rows.read(wire.site, records[0]) if records else wire.Site()
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def practitioners(self) -> list[Practitioner]:
        """The people among the site's resources (in our division, where one is set), also those who left."""
        found = self._catalogue.fetch_resources()
        self._catalogue.resources.learn(found)
        people = (one for one in found.values() if one.is_person and not self._catalogue.not_ours(one))
        return [mapping.practitioner(one) for one in people]

    def appointment_types(self) -> list[AppointmentType]:
        found = self._catalogue.fetch_types()
        self._catalogue.types.learn(found)
        return list(found.values())

    # --- the sweep ------------------------------------------------------------------------------------------------

    def partitions(self, window: Window, practitioner_ids: Iterable[str]) -> list[Partition]:
        """One chain per week for everybody: the list has no filter by resource. Whom a row is shown with is decided by
        who is wanted.
        """
        self._sync_set |= frozenset(practitioner_ids)
        return [Partition(f"{week.first}/{week.last}", week) for week in window.split(MAX_DAYS)]

    def appointments(self, partition: Partition, cursor: str | None = None) -> Iterator[Page]:
        """The pages of one chain. Those taken out come too (`active` false): they are the cancelled ones."""
        window, made = partition.window, self._ids if partition.ids_only else self._page
        within = {"gte": int(window.start.timestamp()), "lt": int(window.end.timestamp())}
        for part in self._asked.pages(lists.APPOINTMENT, {"start_at": within}, cursor):
            yield made(part)

    def changes(self, since: datetime, practitioner_ids: Iterable[str]) -> Iterator[Page]:
        """By `modified_at`, which the vendor keeps on nearly every record (documented: DEV). Equal counts as later."""
        self._sync_set |= frozenset(practitioner_ids)
        asked = {"modified_at": {"gte": int(since.timestamp())}}
        for part in self._asked.pages(lists.APPOINTMENT, asked):
            yield self._page(part)

    def _page(self, part: lists.Part) -> Page:
        ours, refused = self._ours(part)
        self._people.learn(row for _, row in ours)
        kept: list[Appointment] = []
        context = self._context()
        for record, row in ours:
            try:
                kept.append(mapping.appointment(row, context))
            except RowFault as fault:
                refused.append(rows.rejected(record, fault))
        return Page(kept, refused, len(kept) + len(refused), part.next_cursor, part.first)

    def _ids(self, part: lists.Part) -> Page:
        """The same page, without asking for what its records refer to: animals, clients, types, states."""
        ours, refused = self._ours(part)
        received, found = len(ours) + len(refused), dict[str, datetime]()
        for record, row in ours:
            try:
                found[mapping.id_of(row)] = mapping.start_of(row)
            except RowFault as fault:
                refused.append(rows.rejected(record, fault))
        return Page((), refused, received, part.next_cursor, part.first, ids=found)

    def _ours(self, part: lists.Part) -> tuple[list[tuple[bytes, wire.Appointment]], list[Rejected]]:
        """The records of our division, read but not mapped, and those that cannot be read."""
        ours: list[tuple[bytes, wire.Appointment]] = []
        refused: list[Rejected] = []
        for record in part.records:
            try:
                row = wire.appointment(record)
                if not self._catalogue.elsewhere(row):
                    ours.append((record, row))
            except RowFault as fault:
                refused.append(rows.rejected(record, fault))
        return ours, refused

    def appointment(self, external_id: str) -> Appointment:
        """One booking with its animal and client. Raises PmsNotFound, also where it is another division's by now;
        PmsMalformed with the path where it cannot be read.
        """
        try:
            row = wire.appointment(self._asked.one(lists.APPOINTMENT, external_id))
            if self._catalogue.elsewhere(row):
                raise PmsNotFound("in another division")
            self._people.learn((row,))
            return mapping.appointment(row, self._context())
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def patient(self, external_id: str) -> Patient:
        try:
            row = rows.read(wire.animal, self._asked.one(lists.ANIMAL, external_id))
            self._people.learn((wire.Appointment(external_id, 0, animal_id=row.id),))
            found = mapping.people(wire.Appointment(external_id, 0, animal_id=row.id), self._context())[0]
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None
        assert found is not None, "an animal that was just read"
        return found

    def consultations(self, wanted: Sequence[ConsultationRef]) -> Iterator[Consulted]:
        return self._consults.of(wanted)

    def set_status(self, external_id: str, to: Status) -> None:
        """As the port says. One question or two, and one write where ezyVet does not say so already."""
        saying.say(self._http, self._asked, self._catalogue, self._site.status_words, external_id, to)

    def close(self) -> None:
        self._http.close()

    def _context(self) -> mapping.Context:
        return mapping.Context(
            types=self._catalogue.types,
            statuses=self._catalogue.statuses,
            resources=self._catalogue.resources,
            animals=self._people.animals,
            clients=self._people.clients,
            sync_set=self._sync_set,
            status_words=self._site.status_words,
        )
