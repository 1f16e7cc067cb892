"""The second way: the VetData bridge, an agent on the clinic's server that uploads to an OData list.

Source: pms/cornerstone-avimark.md §2 and §3. Envelope, paging, filters and clients were seen in public code; that an
account shows appointments at all, and their members, is [assumed] and asked about first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from app import clock
from app.domain.appointment import AppointmentType, Patient, PracticeIdentity, Practitioner
from app.domain.names import clip, first_of
from app.domain.window import Window, day_of
from app.pms import rows
from app.pms.body import json_body
from app.pms.errors import PmsForbidden, PmsMalformed, PmsNotFound, PmsNotProvisioned, PmsUnavailable
from app.pms.http import Call, PmsHttp
from app.pms.onpremise import login, odata, people
from app.pms.onpremise.feed import Batch, Entry, listed, provider_of
from app.pms.onpremise.people import People
from app.pms.onpremise.preset import Preset
from app.pms.onpremise.richtext import as_text
from app.pms.onpremise.schedule import LONGEST_MINUTES
from app.pms.onpremise.settings import BridgeSettings
from app.pms.paging import chain
from app.pms.port import Rejected
from app.pms.rows import RowFault
from app.pms.tokens import TokenManager

#: Rows asked for at once (200 seen in code: VIZ), and how many of them are asked for once more: rows that move while
#: pages are read would otherwise slip between two.
PAGE_SIZE, OVERLAP = 200, 10
#: What stands for the lists of staff and types, which the bridge shows no entity for: those who have visits. [assumed]
_SURVEY_BACK, _SURVEY_AHEAD, _SURVEY_SIZE = timedelta(days=7), timedelta(days=14), 1000
MAX_DAYS = 7
#: An agent that is off-line leaves answers that look well (documented: VSRC); after so long without any change what is
#: told is called as old as its last change, and nobody is called gone. [assumed]
STALE_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class _Read:
    """One page of the schedule: rows that could be read with what was sent, and those that could not."""

    rows: list[tuple[bytes, odata.Appointment]]
    broken: list[tuple[bytes, RowFault]]


class BridgeFeed:
    """One installation for one run."""

    def __init__(
        self,
        settings: BridgeSettings,
        preset: Preset,
        zone: ZoneInfo,
        http: PmsHttp,
        tokens: TokenManager | None,
        size: int,
    ) -> None:
        """tokens: None where user and password go with every call. size: rows of a page."""
        self._settings = settings
        self._preset = preset
        self._zone = zone
        self._http = http
        self._tokens = tokens
        self._size = max(size, OVERLAP + 1)
        self._people = People(self._ask_people)
        self._removed: set[str] = set()
        self._surveyed: list[odata.Appointment] | None = None
        self._fresh_as_of: tuple[datetime | None] | None = None

    @property
    def limit_key(self) -> str:
        return self._settings.limit_key

    # --- are we let in? -------------------------------------------------------------------------------------------

    def authenticate(self) -> None:
        if self._tokens is not None:
            self._tokens.get_valid_token()

    def refresh(self) -> None:
        if self._tokens is not None:
            self._tokens.refresh()

    def check(self) -> None:
        self._appointments("", top=1)

    def identity(self) -> PracticeIdentity:
        """Who the bridge says this installation is; and whether it shows appointments, which not every account has.

        Raises PmsForbidden where it is on no list of this account or another system's, PmsNotProvisioned.
        """
        parts = urlsplit(self._settings.base_url)
        above = parts.path.rstrip("/").rpartition("/")[0]
        body = self._json(f"{parts.scheme}://{parts.netloc}{above}/InstallationList", "/InstallationList", {})
        found, _ = rows.envelope(odata.installations, body)
        mine = [one for one in found if one.installation_id.strip("{}").lower() == self._settings.installation]
        if not mine:
            raise PmsForbidden("no such installation for this account")
        if self._preset.label.lower() not in (mine[0].pms or "").lower():
            raise PmsForbidden("an installation of another system")
        self.check()
        site = f" site {self._settings.site}" if self._settings.site else ""
        name = first_of((mine[0].practice_name,))
        return PracticeIdentity(f"installation {self._settings.installation}{site}", name, None)

    # --- who and what ---------------------------------------------------------------------------------------------

    def practitioners(self) -> list[Practitioner]:
        return listed([], (provider_of(odata.known(one.provider_id), one.provider_name) for one in self._survey()))

    def types(self) -> list[AppointmentType]:
        found: dict[str, AppointmentType] = {}
        for one in self._survey():
            code = odata.known(one.type) or first_of((one.type_description,))
            if code:
                found.setdefault(code, AppointmentType(code, first_of((one.type_description,)) or code))
        return list(found.values())

    def _survey(self) -> list[odata.Appointment]:
        """Three weeks of visits, asked for once."""
        if self._surveyed is None:
            today = day_of(clock.now(), self._zone)
            around = Window(today - _SURVEY_BACK, today + _SURVEY_AHEAD, self._zone)
            self._surveyed = [row for page in self._pages(around, _SURVEY_SIZE) for _, row in page.rows]
        return self._surveyed

    # --- the sweep ------------------------------------------------------------------------------------------------

    def stretches(self, window: Window) -> list[Window]:
        return list(window.split(MAX_DAYS))

    def read(self, stretch: Window) -> Iterator[Batch]:
        """Tombstones are read along with the rest and left out here: filtered away, a row that is removed while pages
        are read would move all that follow it."""
        as_of = self._as_of()
        for page in self._pages(stretch, self._size):
            there = [(raw, row) for raw, row in page.rows if not row.removed]
            self._removed |= {row.external_id for _, row in page.rows if row.removed}
            self._people.fetch(row for _, row in there)
            kept: list[Entry] = []
            refused = [_rejected(raw, fault) for raw, fault in page.broken]
            for raw, row in there:
                try:
                    kept.append(self._entry(row))
                except RowFault as fault:
                    refused.append(_rejected(raw, fault, row.external_id))
            self._removed -= {one.external_id for one in kept}
            yield Batch(kept, refused, as_of)

    def one(self, external_id: str) -> Entry:
        """Asked by the practice's own id, then by the bridge's. A tombstone is proof; of an absence only where the
        bridge is known to be alive. Raises PmsNotFound, PmsUnavailable (stale_bridge), PmsMalformed with the path.
        """
        if external_id in self._removed:
            raise PmsNotFound("removed")
        removed = False
        for name in ("PmsId", "Id"):
            for raw in self._appointments(odata.any_of(name, [external_id])):
                row = _or_malformed(raw)
                if not row.removed:
                    self._people.fetch([row])
                    return self._entry_or_malformed(row)
                removed = True
        if not removed and self._as_of() is not None:
            raise PmsUnavailable("the bridge has told nothing new for long", reason="stale_bridge")
        raise PmsNotFound("removed" if removed else "on no list")

    def patient(self, external_id: str) -> Patient:
        for name in ("PmsId", "Id"):
            for raw in self._ask_people("Patients", odata.any_of(name, [external_id]), None):
                try:
                    return people.patient_of(raw)
                except RowFault as fault:
                    raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None
        raise PmsNotFound("on no list")

    def close(self) -> None:
        self._http.close()

    # --- asking ---------------------------------------------------------------------------------------------------

    def _pages(self, window: Window, size: int) -> Iterator[_Read]:
        """Every page of a window, each row once. The order is that of making, so that new ones come last.

        Raises PmsUnavailable where a page does not begin with rows of the one before: rows moved, and some may lie
        between; PmsMalformed (cursor_loop) where a full page brings nobody new.
        """
        start, end = (at.astimezone(self._zone).replace(tzinfo=None) for at in (window.start, window.end))
        during = odata.all_of(
            f"AppointmentDate ge {odata.date_literal(start)}", f"AppointmentDate lt {odata.date_literal(end)}"
        )
        seen: set[str | int] = set()

        def fetch(cursor: str | None) -> tuple[list[bytes], str | None]:
            skip = int(cursor or 0)
            found = self._appointments(during, top=size, skip=skip)
            named = [odata.bridge_id_of(raw) or hash(raw) for raw in found]
            news = [raw for raw, name in zip(found, named, strict=True) if name not in seen]
            if len(found) < size:
                follows = None
            elif not news:
                raise PmsMalformed("the same page again", reason="cursor_loop")
            else:
                follows = str(skip + size - OVERLAP)
            if skip and len(news) == len(found):
                raise PmsUnavailable("the list moved while it was read", reason="interrupted")
            seen.update(named)
            return news, follows

        for records in chain(fetch):
            page = _Read([], [])
            for raw in records:
                try:
                    page.rows.append((raw, odata.read_appointment(raw)))
                except RowFault as fault:
                    page.broken.append((raw, fault))
            yield page

    def _appointments(
        self, condition: str, *, top: int | None = None, skip: int = 0, order: str = "APICreateDate,Id"
    ) -> list[bytes]:
        """Raises PmsNotProvisioned where this account shows no appointments."""
        site = f"SiteId eq {odata.text_literal(self._settings.site)}" if self._settings.site else None
        query: dict[str, str | int] = {"$orderby": order}
        if found := odata.all_of(condition or None, site):
            query["$filter"] = found
        if top is not None:
            query |= {"$top": top, "$skip": skip}
        try:
            return odata.records(self._json("/Appointments", "/Appointments", query))
        except PmsNotFound:
            raise PmsNotProvisioned("the account shows no appointments") from None

    def _ask_people(self, entity: str, condition: str, expand: str | None) -> list[bytes]:
        query: dict[str, str | int] = {"$filter": condition}
        if expand:
            query["$expand"] = expand
        return odata.records(self._json(f"/{entity}", f"/{entity}", query))

    def _json(self, path: str, route: str, query: dict[str, str | int]) -> bytes:
        headers: dict[str, str] = {"Accept": "application/json", "Installation": self._settings.installation}
        if self._tokens is None:
            headers |= login.basic(self._settings)
        reply = self._http.send(Call("GET", path, route, query, headers, signed=self._tokens is not None))
        return json_body(reply.body, reply.headers.get("content-type", ""))

    def _as_of(self) -> datetime | None:
        """When the bridge last told of any change, where that is long ago; None while it is alive. Asked once."""
        if self._fresh_as_of is None:
            newest = self._appointments("", top=1, order="APILastChangeDate desc")
            told = odata.last_change_of(newest[0]) if newest else None
            old = told is not None and clock.now() - told > STALE_AFTER
            self._fresh_as_of = (told if old else None,)
        return self._fresh_as_of[0]

    # --- a row ----------------------------------------------------------------------------------------------------

    def _entry(self, row: odata.Appointment) -> Entry:
        """Raises RowFault."""
        if not row.appointment_date:
            raise RowFault("$.AppointmentDate", "missing")
        if row.duration is not None and row.duration > LONGEST_MINUTES:
            raise RowFault("$.Duration", "out_of_range")
        return Entry(
            external_id=row.external_id,
            starts=odata.wall(row.appointment_date, "$.AppointmentDate"),
            minutes=round(row.duration) if row.duration is not None and row.duration > 0 else None,
            client=self._people.client(row),
            patient=self._people.patient(row),
            provider_code=odata.known(row.provider_id),
            provider_name=first_of((row.provider_name,)),
            type_code=odata.known(row.type),
            type_name=first_of((row.type_description,)),
            room=first_of((row.room,)),
            site=odata.known(row.site_id),
            status=first_of((row.pms_status,)),
            confirmed=row.is_confirmed is True,
            why=clip(as_text(row.reason or "")),
            notes=clip(as_text(row.notes or "")),
            changed_at=odata.bridge_time(row.last_change),
        )

    def _entry_or_malformed(self, row: odata.Appointment) -> Entry:
        try:
            return self._entry(row)
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None


def _or_malformed(raw: bytes) -> odata.Appointment:
    try:
        return odata.read_appointment(raw)
    except RowFault as fault:
        raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None


def _rejected(raw: bytes, fault: RowFault, external_id: str | None = None) -> Rejected:
    """The record as it is set aside, under the id its readable siblings would have."""
    found = rows.rejected(raw, fault)
    return Rejected(external_id or odata.id_at_least(raw), found.path, found.reason, found.payload)
