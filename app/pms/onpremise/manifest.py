"""What lies in a drop folder: files of rows, each with a manifest that says what it should hold.

Source: pms/cornerstone-avimark.md §3.5, a contract of our own [assumed]; nothing of it was ever met in the field.
The manifest comes last and is what counts. A file without one is still being written, or nobody's; names carry no
meaning, so a file may be renamed, along with its manifest or alone where the manifest bears its digest.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from app.domain.window import day_start, zone_of
from app.errors import InvalidInput
from app.pms.errors import PmsMalformed
from app.pms.onpremise.folder import SMALL_CAP, Folder

log = logging.getLogger(__name__)

MANIFEST, ROWS = ".manifest.json", ".csv"
#: A clock may be ahead of ours by this much before what it dates is not believed.
_AHEAD = timedelta(hours=1)
#: Files without a manifest of their own that are compared with a manifest's digest.
_MOST_STRAYS = 5


class Manifest(msgspec.Struct, rename="camel"):
    """`dates`: the order of day and month in dates with slashes; "iso" means there are none such.

    `columns`: the clinic's own headings -> ours. `timezone`: of the times in the file; the practice's, where unsaid.
    """

    kind: Literal["schedule", "staff", "type"]
    rows: Annotated[int, Meta(ge=0)]
    generated_at: Annotated[datetime, Meta(tz=True)]
    mode: Literal["full", "delta"] = "full"
    site: str | int | None = None
    window_start: date | None = None
    window_end: date | None = None
    timezone: str | None = None
    dates: Literal["iso", "mdy", "dmy"] = "iso"
    sha256: str | None = None
    practice: str | None = None
    simulated: bool = False
    columns: dict[str, str] = {}


_decoder = msgspec.json.Decoder(Manifest)


@dataclass(frozen=True, slots=True)
class Drop:
    """A file that its manifest describes. `name`: of the file of rows. `zone`: reads its times. Instants are UTC."""

    name: str
    manifest: Manifest
    zone: ZoneInfo
    generated_at: datetime
    start: datetime
    end: datetime

    def covers(self, start: datetime, end: datetime) -> bool:
        return self.start <= start and end <= self.end


def listed(folder: Folder, site: str | None, zone: ZoneInfo, now: datetime) -> list[Drop]:
    """Every file with its manifest, the newest first; of copies that were made at the same instant, all.

    site: of whose practice, where several share a folder. zone: the practice's. Raises PmsError.
    """
    names = folder.names()
    files = {name.lower(): name for name in names if name.lower().endswith(ROWS)}
    owned = {name.lower().removesuffix(MANIFEST) + ROWS for name in names if name.lower().endswith(MANIFEST)}
    strays = [name for lower, name in files.items() if lower not in owned][:_MOST_STRAYS]
    found: list[Drop] = []
    refused = 0
    for name in names:
        if not name.lower().endswith(MANIFEST):
            continue
        try:
            manifest = _decoder.decode(folder.read(name, SMALL_CAP).removeprefix(b"\xef\xbb\xbf"))
            rows = files.get(name.lower().removesuffix(MANIFEST) + ROWS) or _stray(folder, strays, manifest.sha256)
            drop = _drop(rows, manifest, zone, now)
        except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError, InvalidInput, PmsMalformed, ValueError):
            refused += 1
            continue
        if site is None or (manifest.site is not None and str(manifest.site) == site):
            found.append(drop)
    if refused:
        log.warning("manifests in a drop folder were left aside", extra={"count": refused})
    return sorted(found, key=lambda one: (one.generated_at, one.name), reverse=True)


def _stray(folder: Folder, names: Iterable[str], sha256: str | None) -> str:
    """The file of that digest, whatever it is called by now. Raises FileNotFoundError."""
    for name in names if sha256 else ():
        if hashlib.sha256(folder.read(name)).hexdigest() == (sha256 or "").lower():
            return name
    raise FileNotFoundError


def _drop(name: str, manifest: Manifest, zone: ZoneInfo, now: datetime) -> Drop:
    """Raises InvalidInput, ValueError for a manifest that makes no sense."""
    zone = zone if manifest.timezone is None else zone_of(manifest.timezone)
    made_at = manifest.generated_at.astimezone(UTC)
    if made_at > now + _AHEAD:
        raise ValueError("a file from the future")
    start = end = made_at
    if manifest.kind == "schedule":
        first, last = manifest.window_start, manifest.window_end
        if first is None or last is None or not date(1900, 1, 1) <= first <= last <= date(2100, 1, 1):
            raise ValueError("a schedule without its days")
        start, end = day_start(first, zone), day_start(last + timedelta(days=1), zone)
    return Drop(name, manifest, zone, min(made_at, now), start, end)
