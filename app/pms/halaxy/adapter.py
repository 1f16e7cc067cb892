"""Halaxy: one practice group's key, searches with what belongs to them, a status of each patient's own.

Source: pms/halaxy.md (the vendor's pages for developers, and public code of integrators). Nothing here was ever run
against a live system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar

import msgspec

from app import clock
from app.config import VendorSettings
from app.domain.appointment import Appointment, AppointmentType, Client, Patient, PracticeIdentity, Practitioner
from app.domain.names import first_of
from app.domain.window import Window, day_of, zone_of
from app.pms import rows
from app.pms.errors import PmsAuthFailed, PmsForbidden, PmsMalformed, PmsNotFound
from app.pms.halaxy import asking, login, mapping, wire
from app.pms.halaxy.asking import Asking, Part, Query
from app.pms.halaxy.joins import PATIENT, PERSON, ROLE, Joins, id_at_least
from app.pms.halaxy.settings import CREDENTIALS, LIMITS, HalaxySettings, base_url
from app.pms.health import health_of
from app.pms.http import PmsHttp
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
    Rejected,
    Site,
)
from app.pms.rows import RowFault
from app.pms.tokens import TokenManager
from app.pms.tools import Tools

APPOINTMENT, ORGANIZATION = "Appointment", "Organization"
#: How long a stretch one search may cover is not public; a week is careful. [assumed]
MAX_DAYS = 7
#: Whether `ge` counts fractions of a second is not public; a second more costs nothing. [assumed]
_BEFORE = timedelta(seconds=1)
_INCLUDED: Query = (
    ("_include", "Appointment:patient"),
    ("_include", "Appointment:practitioner-role"),
    ("_include:iterate", "PractitionerRole:practitioner"),
)


class HalaxyAdapter(NoConsultations):
    """One practice group for one run. `appointments` may be called from several threads at once."""

    kind: ClassVar[str] = "halaxy"
    label: ClassVar[str] = "Halaxy"
    credentials: ClassVar[tuple[CredentialField, ...]] = CREDENTIALS
    pairing: ClassVar[PairingCode | None] = None
    #: Links are shown to the booked practitioner alone, notes to nobody; it takes back a status and has webhooks, which
    #: we do not use.
    capabilities: ClassVar[Capabilities] = Capabilities(discovery=True, incremental=True, per_patient_status=True)
    limits: ClassVar[Limits] = LIMITS
    evidence: ClassVar[Evidence] = Evidence(
        documented="Address, log-in, the 15 minutes a token lives, headers, 500 requests a minute, resources and their "
        "fields, includes, changes since an instant: the vendor's pages for developers and its help.",
        seen_in_code="Where each patient's own status stands, most of its words, pages and their links, that cancelled "
        "appointments come too, refusals that look like answers: public code of integrators.",
        ours="What “attended” means before and behind the end of a visit (Halaxy sets it by itself), the zone, how a "
        "location type would read, who counts as working there, that a deleted appointment answers 404.",
    )

    def __init__(
        self, settings: HalaxySettings, site: Site, http: PmsHttp, tokens: TokenManager, page_size: int
    ) -> None:
        self._settings = settings
        self._site = site
        self._http = http
        self._tokens = tokens
        self._zone = zone_of(site.timezone)
        self._sync_set: frozenset[str] = frozenset()
        self._asking = Asking(http, tokens, settings.headers, page_size)
        self._joins = Joins(self._asking)

    @classmethod
    def open(cls, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        """An adapter ready to ask; makes no call. Raises PmsNotConfigured naming what nobody has typed."""
        settings = HalaxySettings.of(vendor, tools.credentials)
        http = PmsHttp(
            settings.base_url,
            tools,
            limits=settings.limits,
            limit_key=settings.limit_key,
            classify=login.classify,
        )
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
        self._tokens.get_valid_token()

    def refresh_token(self) -> None:
        self._tokens.refresh()

    def validate_connection(self) -> bool:
        """Whether this key may read appointments; False where it may not, an error where nobody knows."""
        try:
            self._ask_for_today()
        except (PmsAuthFailed, PmsForbidden):
            return False
        return True

    def health_check(self) -> Health:
        """Log in, then ask for one appointment: a token alone does not say what its key may retrieve."""
        self._tokens.allow_another_login()
        return health_of(self.label, self._ask_for_today, self.authenticate)

    def _ask_for_today(self) -> None:
        today = day_of(clock.now(), self._zone)
        self._asking.first(APPOINTMENT, self._within(Window(today, today, self._zone)))

    def pair(self, code: str) -> str:  # noqa: ARG002
        raise NotOffered("pair")

    def identity(self) -> PracticeIdentity:
        """The practice group, by its `PG-` id. Where the key may not retrieve organisations, or none is a group, it is
        told by the key's own client id, which belongs to one group; what it was once told by stays. [assumed]
        """
        try:
            groups = list(self._groups())
        except PmsForbidden:
            groups = []
        known = self._site.external_id
        if not groups or known == self._settings.client_id:
            name = first_of((groups[0].name,)) if groups else None
            return PracticeIdentity(self._settings.client_id, name, None)
        group = next((one for one in groups if one.id == known), groups[0])
        return PracticeIdentity(group.id, first_of((group.name,)), None)

    def _groups(self) -> Iterator[wire.Organization]:
        for record in self._asking.all(ORGANIZATION):
            try:
                found = rows.read(wire.organization, record)
            except RowFault:
                continue
            if found.id.startswith(mapping.GROUP):
                yield found

    # --- who and what ---------------------------------------------------------------------------------------------

    def practitioners(self) -> list[Practitioner]:
        """The practice's own people, also those who left; contacts from outside are none of them. Who has no role at a
        clinic is not in the book. A record that cannot be read keeps its id, so that its appointments are still read.
        """
        in_book = self._with_a_role()
        found = []
        for record in self._asking.all(PERSON):
            id_ = id_at_least(record)
            if not id_.startswith(mapping.OWN):
                continue
            try:
                row = rows.read(wire.practitioner, record)
            except RowFault:
                found.append(Practitioner(id_, mapping.UNKNOWN_PRACTITIONER, readable=False))
            else:
                found.append(mapping.practitioner(row, in_book is None or id_ in in_book))
        return found

    def _with_a_role(self) -> set[str] | None:
        """Who has a role of the practice's own; None where nobody can tell: then everybody counts."""
        try:
            records = list(self._asking.all(ROLE))
        except PmsForbidden:
            self._asking.close_off(ROLE)
            return None
        ids = set[str]()
        for record in records:
            try:
                row = rows.read(wire.role, record)
            except RowFault:
                return None
            person = mapping.role(row).practitioner_id
            if row.id.startswith(mapping.OWN) and person:
                ids.add(person)
        return ids

    def appointment_types(self) -> list[AppointmentType]:
        return self._joins.read_types()

    # --- the sweep ------------------------------------------------------------------------------------------------

    def partitions(self, window: Window, practitioner_ids: Iterable[str]) -> list[Partition]:
        """A chain per week for everybody: a search brings all practitioners at once, which costs fewer calls."""
        self._sync_set |= frozenset(practitioner_ids)
        return [Partition(f"all/{week.first}/{week.last}", week) for week in window.split(MAX_DAYS)]

    def appointments(self, partition: Partition, cursor: str | None = None) -> Iterator[Page]:
        """The pages of one week, cancelled ones included. Each patient of a group is a row."""
        for part in self._asking.pages(APPOINTMENT, self._search(self._within(partition.window)), cursor):
            yield self._page(part)

    def changes(self, since: datetime, practitioner_ids: Iterable[str]) -> Iterator[Page]:
        """By `_lastUpdated`, which neither what was deleted nor a patient's new telephone number moves."""
        self._sync_set |= frozenset(practitioner_ids)
        asked = [("_lastUpdated", f"ge{self._written(since - _BEFORE)}")]
        for part in self._asking.pages(APPOINTMENT, self._search(asked)):
            yield self._page(part)

    def clients(self, window: Window) -> Iterator[ClientPage]:
        """Each patient of the window's appointments once. A place of a patient nobody may retrieve brings nobody."""
        known = set[str]()
        for week in window.split(MAX_DAYS):
            for part in self._asking.pages(APPOINTMENT, self._search(self._within(week))):
                page = self._page(part)
                news: dict[str, Client] = {}
                for who in (one.patient for one in page.appointments):
                    if who is not None and who.external_id not in known and who.full_name != mapping.UNKNOWN_PATIENT:
                        news.setdefault(who.external_id, mapping.client(who))
                known |= news.keys()
                yield ClientPage(list(news.values()), page.rejected, page.received)

    def appointment(self, external_id: str) -> Appointment:
        """One patient's place, or a block. Raises PmsNotFound, also where the appointment is there without that
        patient; PmsMalformed with the path where it cannot be read.
        """
        appointment_id, _, patient_id = external_id.partition("/")
        body = self._asking.one(APPOINTMENT, appointment_id)
        try:
            row = wire.appointment(body)
            places = mapping.members(row)
            member = next((one for one in places if one.patient_id == patient_id), None)
            if member is None and (patient_id or places):
                raise PmsNotFound("nobody of that id has a place in it")
            self._joins.complete((row,))
            return mapping.appointment(row, member, self._context())
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def patient(self, external_id: str) -> Patient:
        try:
            return mapping.patient(rows.read(wire.patient, self._asking.one(PATIENT, external_id)))
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def close(self) -> None:
        self._http.close()

    # --- asking ---------------------------------------------------------------------------------------------------

    def _within(self, window: Window) -> Query:
        return [("date", f"ge{self._written(window.start)}"), ("date", f"lt{self._written(window.end)}")]

    def _written(self, at: datetime) -> str:
        """With the practice's offset, as Halaxy writes instants itself."""
        return at.astimezone(self._zone).isoformat(timespec="seconds")

    @staticmethod
    def _search(asked: Query) -> Query:
        return [*asked, *_INCLUDED, ("_sort", "date")]

    def _page(self, part: Part) -> Page:
        read: list[tuple[bytes, wire.Appointment]] = []
        refused = [rows.rejected(raw, RowFault("$.resourceType", "missing")) for raw in part.nameless]
        for record in part.records:
            try:
                row = wire.appointment(record)
                mapping.members(row)
                read.append((record, row))
            except RowFault as fault:
                refused += _set_aside(record, fault)
        self._joins.learn(part.beside)
        self._joins.complete(row for _, row in read)
        kept: list[Appointment] = []
        context = self._context()
        for record, row in read:
            places = mapping.places(row)
            for member in places:
                try:
                    kept.append(mapping.appointment(row, member, context))
                except RowFault as fault:
                    place = mapping.external_id(row.id, member)
                    refused.append(_of_place(record, place, fault, alone=len(places) == 1))
        return Page(kept, refused, len(kept) + len(refused), part.next_cursor, part.first)

    def _context(self) -> mapping.Context:
        return mapping.Context(
            zone=self._zone,
            now=clock.now(),
            roles=self._joins.roles,
            practitioners=self._joins.practitioners,
            patients=self._joins.patients,
            types=self._joins.types,
            sync_set=self._sync_set,
            status_words=self._site.status_words,
        )


def _set_aside(record: bytes, fault: RowFault) -> list[Rejected]:
    """A record that cannot be read, once for each place in it that can be told: places are what rows are made of."""
    try:
        skeleton = rows.read(wire.skeleton, record)
    except RowFault:
        return [rows.rejected(record, fault)]
    ids = dict.fromkeys(id_ for raw in skeleton.participant or () if (id_ := _patient_id(bytes(raw))) is not None)
    places = [mapping.external_id(skeleton.id, mapping.Member(id_, None)) for id_ in ids] or [skeleton.id]
    return [_of_place(record, place, fault, alone=len(places) == 1) for place in places]


def _patient_id(participant: bytes) -> str | None:
    try:
        return wire.target(rows.read(wire.actor, participant).actor.reference, PATIENT)
    except RowFault:
        return None


def _of_place(record: bytes, external_id: str, fault: RowFault, *, alone: bool) -> Rejected:
    """Of several places each is kept in a form of its own: what is kept twice in the same form counts as one."""
    told = replace(rows.rejected(record, fault), external_id=external_id)
    if alone:
        return told
    return replace(told, payload=b'{"place":%b,"of":%b}' % (msgspec.json.encode(external_id), told.payload))
