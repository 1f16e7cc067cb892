"""IntakeQ / PracticeQ, API v1: one key per practice, bare arrays by page, ten calls a minute and 500 a day.

Source: pms/intakeq.md (the vendor's help articles, and public code for what they leave out). Nothing here was ever run
against a live system.

The scarce thing is calls, so nothing is asked twice in a run and no call goes out beside another: with ten a minute,
several at once would only wait for one another.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import ClassVar

from app.config import VendorSettings
from app.domain.appointment import Appointment, AppointmentType, Client, Patient, PracticeIdentity, Practitioner
from app.domain.names import first_of
from app.domain.window import Window
from app.pms import rows
from app.pms.body import json_body
from app.pms.errors import (
    PmsAuthFailed,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotFound,
)
from app.pms.health import health_of
from app.pms.http import Call, PmsHttp, segment
from app.pms.intakeq import mapping, wire
from app.pms.intakeq.account import account_of, account_zone
from app.pms.intakeq.settings import API_KEY, LIMITS, IntakeqSettings, base_url
from app.pms.limits import Limits
from app.pms.offers import NoChanges, NoConsultations, NotOffered
from app.pms.paging import chain
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

#: Rows of a full page; there is no parameter for it (seen in code: ts; documented: GLAMA).
PAGE_SIZE = 100
#: Pages of one chain: more than the calls of a day could read.
MOST_PAGES = 400
#: A chain's stretch. One request may ask for any; a run that is cut off goes on behind the last whole one.
MAX_DAYS = 7
#: Whether the ends of a date filter are included is disputed, so a day more is asked for on either side.
_BESIDE = timedelta(days=1)
#: How long a 429 shuts the key where the vendor names no time (it documents none): until the minute is over.
_UNSAID_PAUSE_S = 60.0


class IntakeqAdapter(NoChanges, NoConsultations):
    """One practice at IntakeQ for one run. `appointments` may be called from several threads at once."""

    kind: ClassVar[str] = "intakeq"
    label: ClassVar[str] = "IntakeQ / PracticeQ"
    credentials: ClassVar[tuple[CredentialField, ...]] = (API_KEY,)
    pairing: ClassVar[PairingCode | None] = None
    #: `updatedSince` is by day: reading what changed today costs what reading today costs, so nothing is incremental.
    capabilities: ClassVar[Capabilities] = Capabilities(discovery=True, incremental=False, telehealth_links=True)
    limits: ClassVar[Limits] = LIMITS
    evidence: ClassVar[Evidence] = Evidence(
        documented="Address, key header, appointments with their statuses and times in milliseconds, settings, "
        "clients, ten requests a minute and 500 a day: the vendor's help articles and a public summary of them.",
        seen_in_code="Pages of 100 from page 1, newest first; TelehealthInfo and who provides it; HTML pages on wrong "
        "addresses; a client's own record: public clients for this API.",
        ours="The practice's time zone (the vendor names none), what a reminder's answer and recorded sessions mean, "
        "where in an invitation the guest's link stands, what identifies an account, what a 429 shuts.",
    )

    def __init__(self, settings: IntakeqSettings, site: Site, http: PmsHttp) -> None:
        self._settings = settings
        self._site = site
        self._http = http
        self._zone = account_zone(site)
        self._one_by_one = threading.Lock()
        self._staff: list[bytes] | None = None
        self._settings_read: Bookable | None = None
        self._gone: frozenset[str] | None = None

    @classmethod
    def open(cls, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        """An adapter ready to ask; makes no call. Raises PmsNotConfigured naming the credential that is missing."""
        settings = IntakeqSettings.of(vendor, tools.credentials)
        http = PmsHttp(
            settings.base_url,
            tools,
            limits=settings.limits,
            limit_key=settings.limit_key,
            classify=classify,
            unsaid_pause_s=_UNSAID_PAUSE_S,
        )
        return cls(settings, site, http)

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
            self._read_settings()
        except (PmsAuthFailed, PmsForbidden):
            return False
        return True

    def health_check(self) -> Health:
        return health_of(self.label, self._read_settings)

    def pair(self, code: str) -> str:  # noqa: ARG002
        raise NotOffered("pair")

    def identity(self) -> PracticeIdentity:
        """Who this account is, as far as it can be told: see `account_of`. Its name is its first location's. [assumed]

        Raises PmsNotConfigured for an account that has no practitioner yet.
        """
        return PracticeIdentity(account_of(self._all_staff(), self._site.external_id), self._bookable().place, None)

    # --- who and what ---------------------------------------------------------------------------------------------

    def practitioners(self) -> list[Practitioner]:
        """Everybody on the list. A record that cannot be read keeps its id, so that its appointments are still read."""
        found = []
        for record in self._all_staff():
            try:
                found.append(mapping.practitioner(rows.read(wire.practitioner, record)))
            except RowFault:
                found.append(Practitioner(_id_at_least(record), mapping.UNKNOWN_PRACTITIONER, readable=False))
        return found

    def appointment_types(self) -> list[AppointmentType]:
        """The services that can be booked."""
        return list(self._bookable().types)

    def _all_staff(self) -> list[bytes]:
        """Raw, asked once. The settings name only those who can be booked; this list has everybody."""
        if self._staff is None:
            self._staff = wire.array(self._json("/practitioners"))
        return self._staff

    def _bookable(self) -> Bookable:
        """Asked once."""
        if self._settings_read is None:
            self._settings_read = self._ask_settings()
        return self._settings_read

    def _read_settings(self) -> None:
        self._settings_read = self._ask_settings()

    def _ask_settings(self) -> Bookable:
        found, mended = rows.envelope(wire.settings, self._json("/appointments/settings"))
        types: list[AppointmentType] = []
        for record in wire.records(found.services, mended):
            try:
                types.append(mapping.service(rows.read(wire.service, record)))
            except RowFault:
                types.append(AppointmentType(_id_at_least(record), mapping.UNKNOWN, readable=False))
        return Bookable(types, first_of(_names(wire.records(found.locations or [], mended))))

    # --- the sweep ------------------------------------------------------------------------------------------------

    def partitions(self, window: Window, practitioner_ids: Iterable[str]) -> list[Partition]:  # noqa: ARG002
        """A chain per week, of everybody: there is no filter by a practitioner's id, and each chain costs calls."""
        return [Partition(f"all/{week.first}/{week.last}", week) for week in window.split(MAX_DAYS)]

    def appointments(self, partition: Partition, cursor: str | None = None) -> Iterator[Page]:  # noqa: ARG002
        """The pages of one week, cancelled and declined ones included. What starts beside the week is left out here.

        A chain always begins anew: page numbers count from the newest appointment, so a booking made meanwhile moves
        every page, and going on at a number could step over one. For the same reason an appointment may come on two
        pages; the later record is the newer one.
        """
        for number, records in enumerate(self._pages(partition.window)):
            kept: list[Appointment] = []
            refused: list[Rejected] = []
            for record in records:
                try:
                    found = self._mapped(record)
                except RowFault as fault:
                    refused.append(_rejected(record, fault))
                else:
                    if partition.window.holds(found.starts_at):
                        kept.append(found)
            yield Page(kept, refused, len(kept) + len(refused), from_start=number == 0)

    def clients(self, window: Window) -> Iterator[ClientPage]:
        """Each client of the window's appointments once, by number, as the newest appointment tells of them.

        Somebody comes once more where an older appointment fills a gap. Families share an e-mail address: nobody is
        told from another by it.
        """
        known: dict[str, Client] = {}
        for records in self._pages(window):
            news: dict[str, Client] = {}
            refused: list[Rejected] = []
            received = 0
            for record in records:
                try:
                    row = wire.appointment(record)
                    if not window.holds(mapping.starts_at(row, self._zone)):
                        continue
                except RowFault as fault:
                    refused.append(_rejected(record, fault))
                else:
                    news |= _new_in(mapping.clients(row), known)
                received += 1
            yield ClientPage(list(news.values()), refused, received)

    def appointment(self, external_id: str) -> Appointment:
        """One booking. Raises PmsNotFound, also for one in the practice's bin; PmsMalformed with the path.

        The bin is looked into first, once a run: after a morning of deletions one call answers for all of them.
        """
        if external_id in self._deleted():
            raise PmsNotFound("deleted")
        body = self._json(f"/appointments/{segment(external_id)}", route="/appointments/{id}")
        try:
            return self._mapped(body)
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def patient(self, external_id: str) -> Patient:
        body = self._json(f"/clients/profile/{segment(external_id)}", route="/clients/profile/{id}")
        try:
            return mapping.profile(rows.read(wire.profile, body))
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    def close(self) -> None:
        self._http.close()

    # --- asking ---------------------------------------------------------------------------------------------------

    def _mapped(self, record: bytes) -> Appointment:
        return mapping.appointment(wire.appointment(record), self._zone, self._site.status_words)

    def _pages(self, window: Window) -> Iterator[list[bytes]]:
        """The records of all appointments of a window, a day more at either end."""
        first = window.start.astimezone(self._zone).date() - _BESIDE
        last = (window.end - timedelta(microseconds=1)).astimezone(self._zone).date() + _BESIDE
        return self._listed({"startDate": first.isoformat(), "endDate": last.isoformat()})

    def _listed(self, query: Mapping[str, str]) -> Iterator[list[bytes]]:
        """Page after page until one is not full. Raises PmsMalformed (cursor_loop) where a full page brings nobody new:
        a vendor that took no notice of the page number would otherwise cost the day's calls.
        """
        met: set[str | None] = set()

        def fetch(page: str | None) -> tuple[list[bytes], str | None]:
            number = page or "1"
            found = wire.array(self._json("/appointments", query={**query, "page": number}))
            if len(found) < PAGE_SIZE:
                return found, None
            ids = {wire.id_of(record) for record in found}
            if ids <= met:
                raise PmsMalformed("the same page again", reason="cursor_loop")
            met.update(ids)
            return found, str(int(number) + 1)

        return chain(fetch, budget=MOST_PAGES)

    def _deleted(self) -> frozenset[str]:
        """Ids of the practice's bin, which keeps them for ten days (documented: GLAMA), so it needs no dates."""
        if self._gone is None:
            pages = self._listed({"deletedOnly": "true"})
            self._gone = frozenset(id_ for page in pages for record in page if (id_ := wire.id_of(record)))
        return self._gone

    def _json(self, path: str, *, route: str | None = None, query: Mapping[str, str] | None = None) -> bytes:
        """GET, and the body as checked JSON bytes. Raises any PmsError.

        A minute's budget used up is waited for, all of the minute; a day's is not: that ends the run as deferred.
        """
        limits = self._settings.limits
        call = Call(
            "GET",
            path,
            route or path,
            query or {},
            headers={"X-Auth-Key": self._settings.api_key},
            signed=False,
            max_wait_s=limits.minute_s + limits.margin_s + 1,
        )
        with self._one_by_one:
            reply = self._http.send(call)
        return json_body(reply.body, reply.headers.get("content-type", ""))


@dataclass(frozen=True, slots=True)
class Bookable:
    """What `appointments/settings` tells: the services, and the first location's name."""

    types: list[AppointmentType]
    place: str | None


def classify(reply: Reply) -> PmsError | None:
    """A wrong address answers 404 with a web page, an unknown id without: only the second says that a thing is gone."""
    if reply.status == 404 and "html" in reply.headers.get("content-type", "").lower():
        return PmsMalformed("a web page instead of an answer: there is no such address", reason="bad_envelope")
    return None


def _new_in(people: Iterable[Client], known: dict[str, Client]) -> dict[str, Client]:
    """Who is new, or known better now; `known` is brought up to date."""
    news = {}
    for one in people:
        before = known.get(one.external_id)
        after = one if before is None else mapping.filled(before, one)
        if after != before:
            known[one.external_id] = news[one.external_id] = after
    return news


def _names(locations: Iterable[bytes]) -> Iterator[str | None]:
    for record in locations:
        try:
            yield rows.read(wire.location, record).name
        except RowFault:
            continue


def _rejected(record: bytes, fault: RowFault) -> Rejected:
    return replace(rows.rejected(record, fault), external_id=wire.id_of(record))


def _id_at_least(record: bytes) -> str:
    """The id of a record that is otherwise unreadable. Raises PmsMalformed where not even that can be read."""
    found = wire.id_of(record)
    if found is None:
        raise PmsMalformed("a record without an id", path="$.Id")
    return found
