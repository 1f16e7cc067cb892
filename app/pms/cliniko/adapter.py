"""Cliniko, public REST API v1: one key per user, one book for everybody, classes beside visits, links to all the rest.

Source: pms/cliniko.md (the vendor's own reference and what its staff answered in public). Nothing here was ever run
against a live system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar

from app import clock
from app.config import VendorSettings
from app.domain.appointment import Appointment, AppointmentType, Client, Patient, PracticeIdentity, Practitioner
from app.domain.names import first_of
from app.domain.status import Status
from app.domain.window import Window, zone_of
from app.errors import InvalidInput
from app.pms import rows
from app.pms.cliniko import joins, lists, mapping, saying, wire
from app.pms.cliniko.joins import Catalogue, People
from app.pms.cliniko.lists import Asked, Lists, Part
from app.pms.cliniko.pause import pause_asked
from app.pms.cliniko.settings import API_KEY, CONTACT_EMAIL, LIMITS, ClinikoSettings, base_url
from app.pms.errors import PmsAuthFailed, PmsError, PmsForbidden, PmsMalformed, PmsNotFound, PmsRateLimited
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
from app.pms.tools import Tools
from app.pms.transport import Reply

#: A chain's stretch: a run that is cut off goes on behind the last whole one.
MAX_DAYS = 7
#: Of a discovery's half year, so that no question asks for too much.
_MONTH_DAYS = 31
INDIVIDUAL, GROUP = "individual_appointments", "group_appointments"
#: Without it a cancelled visit is in no list and answers 404 (documented: INTRO). Groups have no such mark.
_CANCELLED_TOO = "cancelled_at:*"


class ClinikoAdapter(NoConsultations):
    """One account for one run, as far as the key's user sees it. `appointments` may be called from several threads."""

    kind: ClassVar[str] = "cliniko"
    label: ClassVar[str] = "Cliniko"
    credentials: ClassVar[tuple[CredentialField, ...]] = (API_KEY, CONTACT_EMAIL)
    pairing: ClassVar[PairingCode | None] = None
    capabilities: ClassVar[Capabilities] = Capabilities(
        discovery=True, incremental=True, telehealth_links=True, writes=saying.WRITES
    )
    limits: ClassVar[Limits] = LIMITS
    evidence: ClassVar[Evidence] = Evidence(
        documented="Address and region, key, headers, limit, filters, pages, visits, classes, attendees, types, "
        "practitioners, patients, telehealth links and what tells a telehealth visit: the vendor's own reference.",
        seen_in_code="Long ids, a repeat rule that is {} where there is none, 404 for what is hidden: public clients.",
        ours="How a class's attendees make one status, which telephone number counts, the order of the marks, that a "
        "key without a region's letters belongs to the first, how long a 429 without its header shuts.",
    )

    def __init__(self, settings: ClinikoSettings, site: Site, http: PmsHttp, page_size: int) -> None:
        self._settings = settings
        self._site = site
        self._http = http
        self._lists = Lists(http, settings.headers, page_size)
        self._catalogue = Catalogue(self._lists)
        self._people = People(self._lists)

    @classmethod
    def open(cls, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        """An adapter ready to ask; makes no call. Raises PmsNotConfigured naming what nobody has typed."""
        settings = ClinikoSettings.of(vendor, tools.credentials)

        def classify(reply: Reply) -> PmsError | None:
            if reply.status != 429:
                return None
            seconds = pause_asked(reply, clock.now())
            tools.limiter.handle_rate_limit_response(settings.limit_key, seconds)
            return PmsRateLimited("answered 429", retry_after_s=seconds, status=429)

        http = PmsHttp(
            settings.base_url, tools, limits=settings.limits, limit_key=settings.limit_key, classify=classify
        )
        return cls(settings, site, http, tools.page_size(lists.PAGE_SIZE))

    @staticmethod
    def base_url(vendor: VendorSettings) -> str:
        return base_url(vendor)

    def limit_key(self) -> str:
        return self._settings.limit_key

    # --- are we let in? -------------------------------------------------------------------------------------------

    def authenticate(self) -> None:
        """Nothing to do: the key goes with every call and never expires."""

    def refresh_token(self) -> None:
        """There is no token."""

    def validate_connection(self) -> bool:
        """Whether the key opens an account; False where it is refused, an error where nobody knows."""
        try:
            self._who_am_i()
        except (PmsAuthFailed, PmsForbidden):
            return False
        return True

    def health_check(self) -> Health:
        return health_of(self.label, self._who_am_i)

    def _who_am_i(self) -> None:
        body = self._lists.json("/user", "/user")
        if wire.id_of(body) is None:
            raise PmsMalformed("a user without an id", path="$.id")

    def pair(self, code: str) -> str:  # noqa: ARG002
        raise NotOffered("pair")

    def identity(self) -> PracticeIdentity:
        """The account: its id and name, and its businesses' zone where all of them lie in one.

        The account's own zone is a label, not an IANA name (documented: GH).
        """
        told, _ = rows.envelope(wire.public_settings, self._lists.json("/settings/public", "/settings/public"))
        zones = {_zone_of(record) for record in self._lists.all("businesses")}
        return PracticeIdentity(
            str(told.account.id), first_of((told.account.name,)), zones.pop() if len(zones) == 1 else None
        )

    # --- who and what ---------------------------------------------------------------------------------------------

    def practitioners(self) -> list[Practitioner]:
        """Everybody on either list, also those who left."""
        return list(self._catalogue.people(afresh=True).values())

    def appointment_types(self) -> list[AppointmentType]:
        return [one.type for one in self._catalogue.kinds(afresh=True).values()]

    # --- the sweep ------------------------------------------------------------------------------------------------

    def partitions(self, window: Window, practitioner_ids: Iterable[str]) -> list[Partition]:  # noqa: ARG002
        """A chain per week of everybody: a question holds as many practitioners as there are."""
        return [Partition(f"{week.first}/{week.last}", week) for week in window.split(MAX_DAYS)]

    def appointments(self, partition: Partition, cursor: str | None = None) -> Iterator[Page]:
        """The pages of one week: visits, cancelled ones too, then classes. What was archived or deleted is not there.

        A booking that is moved out of the week meanwhile can draw another one over the edge of a page: whoever is
        missing is asked for by id before anybody is called gone.
        """
        for part in self._lists.pages(_asked(*_within(partition.window)), cursor):
            yield self._page(part)

    def changes(self, since: datetime, practitioner_ids: Iterable[str]) -> Iterator[Page]:  # noqa: ARG002
        """By `updated_at`, which moves with any field (documented: #289)."""
        for part in self._lists.pages(_asked(f"updated_at:>={_text(since)}")):
            yield self._page(part)

    def clients(self, window: Window) -> Iterator[ClientPage]:
        """Each patient with a visit or a class in the window, once, with what their own record says."""
        met: set[str] = set()
        for month in window.split(_MONTH_DAYS):
            for part in self._lists.pages(_asked(*_within(month))):
                page = self._page(part)
                found = {who.external_id: who for one in page.appointments for who in one.patients}
                news = [_client(who) for id_, who in found.items() if id_ not in met]
                met |= found.keys()
                yield ClientPage(news, page.rejected, page.received)

    def _page(self, part: Part) -> Page:
        kept: list[Appointment] = []
        refused: list[Rejected] = []
        read: list[tuple[bytes, wire.Individual | wire.Group]] = []
        for record in part.records:
            try:
                row = wire.booking(record, part.resource)
                if not row.is_gone:
                    read.append((record, row))
            except RowFault as fault:
                refused.append(rows.rejected(record, fault))
        context = joins.context(self._catalogue, self._people, [row for _, row in read]) if read else None
        for record, row in read:
            assert context is not None
            try:
                kept.append(mapping.appointment(row, context))
            except RowFault as fault:
                refused.append(rows.rejected(record, fault))
        return Page(kept, refused, len(kept) + len(refused), part.next_cursor, part.first)

    def appointment(self, external_id: str) -> Appointment:
        """One booking, a visit or a class. Raises PmsNotFound, also for what was archived or deleted; PmsMalformed with
        the path where it cannot be read.
        """
        with suppress(PmsNotFound):
            return self._one(INDIVIDUAL, external_id, (_CANCELLED_TOO,))
        return self._one(GROUP, external_id)

    def _one(self, resource: str, external_id: str, filters: lists.Filters = ()) -> Appointment:
        body = self._lists.one(resource, external_id, filters)
        try:
            row = wire.booking(body, resource)
            if row.is_gone:
                raise PmsNotFound("archived or deleted")
            return mapping.appointment(row, joins.context(self._catalogue, self._people, [row]))
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def patient(self, external_id: str) -> Patient:
        """One patient, or whom they have been merged into."""
        found = self._people.patients([external_id]).get(external_id)
        if found is None:
            raise PmsNotFound("no such patient")
        if isinstance(found, RowFault):
            raise PmsMalformed(f"{found.reason} at {found.path}", path=found.path)
        return found

    def set_status(self, external_id: str, to: Status) -> None:
        """As the port says. Two questions, and one write where Cliniko does not say so already."""
        saying.say(self._lists, self._people, external_id, to, (_CANCELLED_TOO,))

    def close(self) -> None:
        self._http.close()


def _asked(*filters: str) -> list[Asked]:
    """Both kinds of booking, in one chain: a day is read whole only when both have been."""
    return [Asked(INDIVIDUAL, (*filters, _CANCELLED_TOO)), Asked(GROUP, filters)]


def _within(window: Window) -> tuple[str, str]:
    return f"starts_at:>={_text(window.start)}", f"starts_at:<{_text(window.end)}"


def _text(at: datetime) -> str:
    """Whole seconds of UTC, as Cliniko takes and gives them (documented: INTRO)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _zone_of(record: bytes) -> str | None:
    """A business's IANA zone; None for one that has none we know."""
    try:
        name = rows.read(wire.business, record).time_zone_identifier or ""
        zone_of(name)
    except (RowFault, InvalidInput):
        return None
    return name


def _client(who: Patient) -> Client:
    return Client(who.external_id, who.full_name, who.first_name, who.last_name, who.phone, who.email, who.birth_date)
