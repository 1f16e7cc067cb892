"""Vetspire: one GraphQL address, an organisation's key and one of its locations; animals, and encounters once signed.

Source: pms/vetspire.md (a little of the vendor's own pages, and public code of integrators). Nothing here was ever run
against a live system.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from app.config import VendorSettings
from app.domain.appointment import Appointment, AppointmentType, Patient, PracticeIdentity, Practitioner
from app.domain.consultation import ConsultationRef, Consulted
from app.domain.enrichment import Enrichment
from app.domain.names import first_of
from app.domain.window import Window, zone_of
from app.errors import InvalidInput
from app.pms import rows
from app.pms.errors import (
    PmsAuthFailed,
    PmsBadRequest,
    PmsForbidden,
    PmsMalformed,
    PmsNotConfigured,
    PmsNotFound,
)
from app.pms.health import health_of
from app.pms.http import PmsHttp
from app.pms.limits import Limits
from app.pms.offers import NoDiscovery, NotOffered
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
from app.pms.tools import Tools
from app.pms.vetspire import graph, mapping, notes, queries, wire
from app.pms.vetspire.graph import Graph, Part
from app.pms.vetspire.settings import API_KEY, LIMITS, LOCATION_ID, VetspireSettings, base_url

#: A chain's stretch; integrators go week by week, too (seen in code).
MAX_DAYS = 7
#: What integrators keep away for where nobody says how long (seen in code).
_UNSAID_PAUSE_S = 30.0


class VetspireAdapter(NoDiscovery):
    """One location for one run. `appointments` may be called from several threads at once."""

    kind: ClassVar[str] = "vetspire"
    label: ClassVar[str] = "Vetspire"
    credentials: ClassVar[tuple[CredentialField, ...]] = (API_KEY, LOCATION_ID)
    pairing: ClassVar[PairingCode | None] = None
    #: No question for one appointment is public: whether one is gone is told by a second reading of its day.
    capabilities: ClassVar[Capabilities] = Capabilities(consultations=True, incremental=True, lookup_by_id=False)
    limits: ClassVar[Limits] = LIMITS
    evidence: ClassVar[Evidence] = Evidence(
        documented="Address, the raw key in its header, that the key opens an organisation: the vendor's pages.",
        seen_in_code="Names of lists and fields, pages by offset, the cap of about 200, what is left out unless asked "
        "for, deleted rows, stamps without a zone, errors in a 200: public code of integrators.",
        ours="Types of arguments, half of the status words, what an error's words mean, the limit, which encounter is "
        "the visit's, that a deleted row was called off, the question for one encounter. No depth of treatments.",
    )

    def __init__(self, settings: VetspireSettings, site: Site, http: PmsHttp, page_size: int) -> None:
        self._settings = settings
        self._site = site
        self._http = http
        self._graph = Graph(http, settings.headers, page_size)
        self._lock = threading.Lock()
        self._found: str | None = None

    @classmethod
    def open(cls, vendor: VendorSettings, site: Site, tools: Tools) -> PmsAdapter:
        """An adapter ready to ask; makes no call. Raises PmsNotConfigured naming what nobody has typed."""
        settings = VetspireSettings.of(vendor, tools.credentials)
        http = PmsHttp(
            settings.base_url,
            tools,
            limits=settings.limits,
            limit_key=settings.limit_key,
            unsaid_pause_s=_UNSAID_PAUSE_S,
        )
        return cls(settings, site, http, tools.page_size(graph.PAGE_SIZE))

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
        """Whether the key opens the organisation; False where it is refused, an error where nobody knows."""
        try:
            self._organisation()
        except (PmsAuthFailed, PmsForbidden):
            return False
        return True

    def health_check(self) -> Health:
        return health_of(self.label, self._organisation)

    def pair(self, code: str) -> str:  # noqa: ARG002
        raise NotOffered("pair")

    def identity(self) -> PracticeIdentity:
        """The location, within its organisation: one key opens all of them. Raises PmsNotConfigured naming the
        locations where it is not clear which one is meant.
        """
        organisation, place = self._organisation(), self._which()
        name = first_of((place.name, organisation.name))
        return PracticeIdentity(f"{organisation.id}/{place.id}", name, _known_zone(place.timezone))

    def _which(self) -> wire.Location:
        """The location that was typed, else the only one there is."""
        records = self._graph.all(queries.LOCATIONS, "locations")
        known = [rows.envelope(wire.location, record)[0] for record in records]
        wanted = self._settings.location_id
        fits = [one for one in known if wanted in (None, str(one.id))]
        if len(fits) != 1:
            told = ", ".join(f"{one.id} ({first_of((one.name,)) or mapping.UNKNOWN})" for one in known[:20])
            raise PmsNotConfigured(
                f"Type which location is meant (location_id). This organisation has: {told or 'none'}."
            )
        return fits[0]

    def _location(self) -> str:
        """Its id; asked once, and only where it was not typed."""
        with self._lock:
            if self._found is None:
                self._found = self._settings.location_id or str(self._which().id)
            return self._found

    def _organisation(self) -> wire.Named:
        return self._graph.one(queries.ORG, "org", wire.org)

    # --- who and what ---------------------------------------------------------------------------------------------

    def practitioners(self) -> list[Practitioner]:
        """Everybody of the organisation, also those who left. One that cannot be read keeps its id."""
        found = []
        for record in self._graph.all(queries.PROVIDERS, "providers"):
            try:
                found.append(mapping.practitioner(rows.read(wire.provider, record)))
            except RowFault:
                found.append(Practitioner(_id_at_least(record), mapping.UNKNOWN_PRACTITIONER, readable=False))
        return found

    def appointment_types(self) -> list[AppointmentType]:
        """Deleted ones too: older bookings bear them."""
        found = []
        for record in self._graph.listed(queries.TYPES, "appointmentTypes"):
            try:
                found.append(mapping.appointment_type(rows.read(wire.appointment_type, record)))
            except RowFault:
                found.append(AppointmentType(_id_at_least(record), mapping.UNKNOWN, readable=False))
        return found

    # --- the sweep ------------------------------------------------------------------------------------------------

    def partitions(self, window: Window, practitioner_ids: Iterable[str]) -> list[Partition]:  # noqa: ARG002
        """A chain per week of everybody: there is no filter by provider."""
        return [Partition(f"{week.first}/{week.last}", week) for week in window.split(MAX_DAYS)]

    def appointments(self, partition: Partition, cursor: str | None = None) -> Iterator[Page]:
        """The pages of one week, then those of what was deleted from it, which the first list leaves out.

        Whether the ends mean starts or whatever lies between is not said: what starts beside the week is left out here,
        as is what says that it is another location's.
        """
        window = partition.window
        for part in self._both({"from": _text(window.start), "to": _text(window.end)}, cursor):
            yield self._page(part, window)

    def changes(self, since: datetime, practitioner_ids: Iterable[str]) -> Iterator[Page]:  # noqa: ARG002
        """By `updatedAtStart`, a UTC time without its zone (seen in code); what was deleted is told, too."""
        naive = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        for part in self._both({"since": naive}):
            yield self._page(part, None)

    def _both(self, asked: graph.Variables, cursor: str | None = None) -> Iterator[Part]:
        here = {**asked, "loc": self._location()}
        return self._graph.pages(
            queries.APPOINTMENTS, "appointments", ({**here, "gone": False}, {**here, "gone": True}), cursor
        )

    def _page(self, part: Part, window: Window | None) -> Page:
        kept: list[Appointment] = []
        refused: list[Rejected] = []
        for record in part.records:
            try:
                found = mapping.appointment(wire.appointment(record), self._site.status_words)
            except RowFault as fault:
                refused.append(rows.rejected(record, fault))
            else:
                here = found.location_id in (None, self._location())
                if here and (window is None or window.holds(found.starts_at)):
                    kept.append(found)
        return Page(kept, refused, len(kept) + len(refused), part.next_cursor, part.first)

    def appointment(self, external_id: str) -> Appointment:  # noqa: ARG002
        """Not offered: no question for one appointment is public, and none is guessed."""
        raise NotOffered("appointment")

    def patient(self, external_id: str) -> Patient:
        row = self._graph.one(queries.PATIENT, "patient", wire.patient, {"id": external_id})
        return mapping.who_comes(row).patient

    # --- consultations --------------------------------------------------------------------------------------------

    def consultations(self, wanted: Sequence[ConsultationRef]) -> Iterator[Consulted]:
        """A question each: no list of them takes ids."""
        for ref in wanted:
            if ref.consultation_id is None:
                yield Consulted(ref, None, Enrichment.NONE_YET.value)
                continue
            try:
                row = self._graph.one(queries.ENCOUNTER, "encounter", wire.encounter, {"id": ref.consultation_id})
                yield Consulted(ref, notes.consultation(row))
            except RowFault:
                yield Consulted(ref, None, PmsMalformed.default_reason)
            except (PmsNotFound, PmsMalformed, PmsBadRequest) as error:
                yield Consulted(ref, None, error.reason)

    def close(self) -> None:
        self._http.close()


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _known_zone(name: str | None) -> str | None:
    try:
        zone_of(name or "")
    except InvalidInput:
        return None
    return name


def _id_at_least(record: bytes) -> str:
    """The id of a record that is otherwise unreadable. Raises PmsMalformed where not even that can be read."""
    found = wire.id_of(record)
    if found is None:
        raise PmsMalformed("a record without an id", path="$.id")
    return found
