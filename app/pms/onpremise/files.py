"""The first way: files that the clinic's system leaves in a folder, once or a few times a day.

Each day is read from the newest whole file that covers it. A file that is missing, half written, spoilt or old is an
error or gives way to an older one that is still young enough; it is never an empty day. How old the truth is, the
file's manifest says. One file that lacks a visit proves little: a visit counts as gone once two files lack it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from app import clock
from app.domain.appointment import AppointmentType, Patient, PracticeIdentity, Practitioner
from app.domain.window import Window, day_start
from app.pms.errors import PmsMalformed, PmsNotFound, PmsUnavailable, PmsUntrusted
from app.pms.onpremise import manifest, mapping, schedule, table
from app.pms.onpremise.feed import Batch, Entry, listed, provider_of
from app.pms.onpremise.folder import Folder
from app.pms.onpremise.manifest import Drop
from app.pms.onpremise.settings import DropSettings
from app.pms.onpremise.table import Spoilt, Table
from app.pms.port import Rejected
from app.pms.rows import RowFault

log = logging.getLogger(__name__)

#: A stretch is one chain of pages; its ids are kept in memory until its end.
MAX_DAYS = 7
#: Files that are opened when somebody asks for one visit. The newest two decide; older ones tell where it stood.
_MOST_LOOKED_INTO = 4
_PROOFS = 2


class FileFeed:
    """One folder for one run: what lies in it when a sweep is planned is what that sweep reads."""

    def __init__(self, settings: DropSettings, zone: ZoneInfo, page_size: int, *, simulated: bool) -> None:
        """simulated: whether this connection is one of a simulator's, so that its files may be as well."""
        self._settings = settings
        self._zone = zone
        self._page_size = page_size
        self._simulated = simulated
        self._folder = Folder(settings.root, settings.folder, settings.root_setting)
        self._drops: list[Drop] | None = None
        self._tables: dict[str, Table | None] = {}
        self._asked: list[Window] = []

    @property
    def limit_key(self) -> str:
        return self._settings.limit_key

    # --- are we let in? -------------------------------------------------------------------------------------------

    def authenticate(self) -> None:
        """Raises PmsAuthFailed where the key is not the folder's, PmsNotConfigured without a root."""
        self._folder.unlock(self._settings.key)

    def refresh(self) -> None:
        self.authenticate()

    def check(self) -> None:
        self.authenticate()
        newest = self._newest()
        if self._is_old(newest, clock.now() + timedelta(days=1)):
            raise PmsUnavailable("the newest file is too old", reason="stale_drop")

    def identity(self) -> PracticeIdentity:
        """[assumed] A folder is one practice, or with a site id one of those that share it."""
        newest = self._newest()
        site = f" site {self._settings.site}" if self._settings.site else ""
        return PracticeIdentity(
            f"drop {self._settings.folder}{site}", newest.manifest.practice, newest.manifest.timezone
        )

    # --- who and what ---------------------------------------------------------------------------------------------

    def practitioners(self) -> list[Practitioner]:
        """The newest file of staff, and whoever has a visit in the newest schedule."""
        staff: list[Practitioner] = []
        for row in self._list("staff"):
            try:
                staff.append(schedule.practitioner(row))
            except RowFault:
                if code := row["code"]:
                    staff.append(Practitioner(code, code, readable=False))
        return listed(staff, (provider_of(one.provider_code, one.provider_name) for one in self._newest_entries()))

    def types(self) -> list[AppointmentType]:
        """The newest file of types, and whatever is booked in the newest schedule."""
        found: dict[str, AppointmentType] = {}
        for row in self._list("type"):
            try:
                one = schedule.kind(row)
            except RowFault:
                one = AppointmentType(row["code"], row["code"], readable=False)
            if one.external_id:
                found[one.external_id] = one
        for entry in self._newest_entries():
            code = entry.type_code or entry.type_name
            if code:
                found.setdefault(code, AppointmentType(code, entry.type_name or code))
        return list(found.values())

    # --- the sweep ------------------------------------------------------------------------------------------------

    def stretches(self, window: Window) -> list[Window]:
        """Days that one file serves, or that none does for one reason, together; at most a week.

        What can be read comes first: a run gives up after a few failures, and they must not be what it begins with.
        """
        self._drops, self._tables = None, {}  # another sweep looks anew
        served: list[Window] = []
        others: list[Window] = []
        names = {one.name for one in self._schedules()}
        for name, days in groupby(window.days, key=lambda day: self._served_by(day, window.zone)):
            some = list(days)
            (served if name in names else others).extend(Window(some[0], some[-1], window.zone).split(MAX_DAYS))
        self._asked += served
        return [*served, *others]

    def read(self, stretch: Window) -> Iterator[Batch]:
        """Raises PmsUnavailable where no file serves these days: no_drop, drop_gap, stale_drop."""
        name = self._served_by(stretch.first, stretch.zone)
        drop = next((one for one in self._schedules() if one.name == name), None)
        if drop is None:
            raise PmsUnavailable("no file serves these days", reason=name)
        rows = self._table(drop)
        assert rows is not None, "it serves only where it is whole"
        for first in range(0, max(1, len(rows.lines)), self._page_size):
            yield self._batch(drop, rows, rows.lines[first : first + self._page_size], stretch)

    def one(self, external_id: str) -> Entry:
        """The visit as the newest file that has it tells of it, unless two later ones of its day lack it."""
        later: list[Drop] = []
        for drop in self._whole()[:_MOST_LOOKED_INTO]:
            found = self._find(drop, external_id)
            if found is None:
                later.append(drop)
                continue
            day = found.starts.date()
            start, end = day_start(day, drop.zone), day_start(day + timedelta(days=1), drop.zone)
            self._conclude([one for one in later if one.covers(start, end)], nowhere=False)
            return found
        self._conclude([one for one in later if all(one.covers(asked.start, asked.end) for asked in self._asked)])
        raise AssertionError("a conclusion about nobody")

    def patient(self, external_id: str) -> Patient:
        for entry in self._newest_entries():
            for one in mapping.patients(entry):
                if one.external_id == external_id:
                    return one
        raise PmsNotFound("no visit of the newest file is theirs")

    def close(self) -> None:
        self._tables.clear()

    # --- which file -----------------------------------------------------------------------------------------------

    def _listed(self) -> list[Drop]:
        if self._drops is None:
            self.authenticate()  # a key that was changed, or a folder that was put in its place, ends the reading
            found = manifest.listed(self._folder, self._settings.site, self._zone, clock.now())
            if not self._simulated and any(one.manifest.simulated for one in found):
                raise PmsUntrusted("a simulator's files in a live practice's folder", reason="address")
            self._drops = found
        return self._drops

    def _schedules(self) -> list[Drop]:
        """Whole days only: what a delta leaves out may be there all the same."""
        return [one for one in self._listed() if one.manifest.kind == "schedule" and one.manifest.mode == "full"]

    def _whole(self) -> list[Drop]:
        """Schedules that are what their manifests say, the newest first; of one instant's copies the first."""
        found: dict[datetime, Drop] = {}
        for one in self._schedules():
            if len(found) < _MOST_LOOKED_INTO and one.generated_at not in found and self._table(one) is not None:
                found[one.generated_at] = one
        return list(found.values())

    def _newest(self) -> Drop:
        newest = next((one for one in self._schedules() if self._table(one) is not None), None)
        if newest is None:
            raise PmsUnavailable("no whole file of appointments", reason="no_drop")
        return newest

    def _served_by(self, day: date, zone: ZoneInfo) -> str:
        """The name of the file that tells of a day, or the reason why none does."""
        start, end = day_start(day, zone), day_start(day + timedelta(days=1), zone)
        reason = "no_drop"
        for one in self._schedules():
            if not one.covers(start, end):
                reason = "drop_gap" if reason == "no_drop" else reason
            elif self._is_old(one, end):
                return "stale_drop"
            elif self._table(one) is not None:
                return one.name
        return reason

    def _is_old(self, drop: Drop, until: datetime) -> bool:
        """Whether a file is too old to tell of a time that ends then. A day that was over when it was written is not
        told anew each day."""
        return drop.generated_at < until and clock.now() - drop.generated_at > self._settings.max_age

    def _table(self, drop: Drop) -> Table | None:
        """The file's rows; None where it is not what its manifest says, or has gone. Read once."""
        if drop.name not in self._tables:
            required = schedule.SCHEDULE if drop.manifest.kind == "schedule" else schedule.LIST
            try:
                found: Table | None = table.read(self._folder.read(drop.name), drop.manifest, required)
            except Spoilt as error:
                log.warning("a file in a drop folder was left aside", extra={"reason": str(error)})
                found = None
            except FileNotFoundError:
                found = None
            self._tables[drop.name] = found
        return self._tables[drop.name]

    # --- what is in it --------------------------------------------------------------------------------------------

    def _batch(self, drop: Drop, rows: Table, lines: Sequence[Sequence[str]], stretch: Window) -> Batch:
        kept: list[Entry] = []
        refused: list[Rejected] = []
        for line in lines:
            try:
                kept.append(schedule.entry(rows.row(line), drop.manifest.dates, drop.zone))
            except RowFault as fault:
                if self._may_lie_in(drop, rows, line, stretch):
                    name = rows.at(line, "appointment_id")[:255] or None
                    refused.append(Rejected(name, fault.path[:255], fault.reason, rows.raw(line)))
        return Batch(kept, refused, drop.generated_at)

    @staticmethod
    def _may_lie_in(drop: Drop, rows: Table, line: Sequence[str], stretch: Window) -> bool:
        """Whether a row that cannot be read may belong to these days: so it does unless its start says otherwise."""
        try:
            starts = schedule.wall(rows.at(line, "start_local"), drop.manifest.dates, "$")
        except RowFault:
            return True
        return starts is None or stretch.holds(starts.replace(tzinfo=drop.zone))

    def _find(self, drop: Drop, external_id: str) -> Entry | None:
        """Raises PmsMalformed with the path where its row cannot be read. The last row of an id is the one."""
        rows = self._table(drop)
        assert rows is not None, "only whole files are looked into"
        line = next((one for one in reversed(rows.lines) if rows.at(one, "appointment_id") == external_id), None)
        if line is None:
            return None
        try:
            return schedule.entry(rows.row(line), drop.manifest.dates, drop.zone)
        except RowFault as fault:
            raise PmsMalformed(f"{fault.reason} at {fault.path}", path=fault.path) from None

    @staticmethod
    def _conclude(lacking: Sequence[Drop], *, nowhere: bool = True) -> None:
        """Raises PmsNotFound where two files lack it; PmsMalformed where one does, or where none tells of its day."""
        if len(lacking) >= _PROOFS:
            raise PmsNotFound("two files lack it")
        if lacking or nowhere:
            raise PmsMalformed("only one file lacks it", reason="second_drop")

    def _newest_entries(self) -> Iterator[Entry]:
        """Rows of the newest schedule that can be read."""
        drop = self._newest()
        rows = self._table(drop)
        assert rows is not None, "the newest is whole"
        for line in rows.lines:
            try:
                yield schedule.entry(rows.row(line), drop.manifest.dates, drop.zone)
            except RowFault:
                continue

    def _list(self, kind: str) -> Iterator[Mapping[str, str]]:
        """The rows of the newest whole file of that kind; where there is none, nobody."""
        for drop in self._listed():
            if drop.manifest.kind == kind and drop.manifest.mode == "full" and (rows := self._table(drop)) is not None:
                for line in rows.lines:
                    row = {name: rows.at(line, name) for name in rows.headings}
                    if row["code"]:
                        yield row
                return
