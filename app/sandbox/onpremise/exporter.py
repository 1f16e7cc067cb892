"""The clinic as files in a folder (pms/cornerstone-avimark.md §3.5), as the exporters of the field leave them.

It writes only into a folder that has a drop key already: somebody has to have made the place.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from msgspec import Struct

from app import clock
from app.errors import InvalidInput
from app.sandbox.onpremise import SITE, wire
from app.sandbox.onpremise.product import Product
from app.sandbox.stage.book import Book

#: What goes wrong with files. half: cut in the middle. part: still under its passing name. no_manifest: the manifest
#: is not there yet. count, digest: it says something else. empty: not a byte. no_header: rows alone. renamed: somebody
#: has renamed the rows. utf16, cp1252: encodings. quotes: an open quote. iso, dmy: other dates.
Spoil = Literal[
    "half",
    "part",
    "no_manifest",
    "count",
    "digest",
    "empty",
    "no_header",
    "renamed",
    "utf16",
    "cp1252",
    "quotes",
    "semicolons",
    "iso",
    "dmy",
    "headings",
    "bad_manifest",
]
KEY_FILE = "drop.key"
_DATES = {"mdy": "%m/%d/%Y %I:%M %p", "dmy": "%d/%m/%Y %H:%M", "iso": "%Y-%m-%d %H:%M"}
_HEADINGS = {"appointment_id": "Appt No", "start_local": "Date/Time", "patient_name": "Patient"}
Row = dict[str, object]


class Order(Struct, kw_only=True, forbid_unknown_fields=True):
    """`folder` has to be there. What is not said is a whole and honest export of now, a week back and two ahead.

    age_h: how many hours ago it says that it was made. rows: no more than so many. lists: staff and types as well.
    """

    folder: str
    spoil: tuple[Spoil, ...] = ()
    age_h: float = 0
    back: int = 7
    ahead: int = 14
    mode: Literal["full", "delta"] = "full"
    rows: int | None = None
    lists: bool = True
    live: bool = False
    site: str = SITE
    timezone: str | None = None


def export(book: Book, product: Product, order: Order) -> list[str]:
    """Write the files; the names of those of rows. Raises InvalidInput for a folder that is not prepared."""
    folder = Path(order.folder)
    if not (folder / KEY_FILE).is_file():
        raise InvalidInput(f"“{order.folder}” is no drop folder: it has no {KEY_FILE}.")
    made_at = clock.now() - timedelta(hours=order.age_h)
    dates = "iso" if "iso" in order.spoil else "dmy" if "dmy" in order.spoil else "mdy"
    with book.lock:
        rows = _schedule(book, product, order, dates)
        lists = {"staff": _staff(book), "type": _types(book)} if order.lists else {}
    first = book.today() - timedelta(days=order.back)
    shared: Row = {
        "generatedAt": made_at.astimezone(UTC).isoformat(),
        "site": order.site,
        "timezone": order.timezone or book.setup.zone,
        "practice": book.setup.name,
        "simulated": not order.live,
    }
    schedule: Row = {
        "kind": "schedule",
        "mode": order.mode,
        "dates": dates,
        "windowStart": first.isoformat(),
        "windowEnd": (book.today() + timedelta(days=order.ahead)).isoformat(),
    }
    names = [_write(folder, {**shared, **schedule}, rows, made_at, order.spoil)]
    for kind, some in lists.items():
        names.append(_write(folder, {**shared, "kind": kind, "mode": "full"}, some, made_at, ()))
    return names


def _schedule(book: Book, product: Product, order: Order, dates: str) -> list[Row]:
    """Whatever was deleted has left the schedule; what was called off stands there as such."""
    today = datetime.combine(book.today(), datetime.min.time(), book.zone)
    first, last = today - timedelta(days=order.back), today + timedelta(days=order.ahead + 1)
    rows = [
        _row(book, record, dates)
        for visit in book.between(first, last)
        for record in wire.appointments(book, product, visit)
    ]
    return rows if order.rows is None else rows[: order.rows]


def _row(book: Book, record: Row, dates: str) -> Row:
    patient = book.patients.get(str(record.get("PatientPmsId")))
    owner = patient.owner if patient else None
    at = str(record.get("AppointmentDate") or "")
    row: Row = {
        "appointment_id": record.get("PmsId"),
        "start_local": _shown(at, dates),
        "duration_min": record.get("Duration"),
        "client_id": record.get("ClientPmsId"),
        "client_last": owner.family if owner else None,
        "client_first": owner.given if owner else None,
        "phone": patient.phone if patient else None,
        "email": patient.email if patient else None,
        "patient_id": record.get("PatientPmsId"),
        "patient_name": patient.given if patient else None,
        "species": patient.species if patient else None,
        "breed": patient.breed if patient else None,
        "type_code": record.get("Type"),
        "type_name": record.get("TypeDescription"),
        "reason": record.get("Reason"),
        "provider_code": record.get("ProviderId"),
        "provider_name": record.get("ProviderName"),
        "room": record.get("Room"),
        "status": record.get("PmsStatus"),
        "is_block": "N" if patient else "Y",
        "confirmed_at": None,
        "notes": record.get("Notes"),
    }
    return row | {name: record[name] for name in row if name in record}


def _shown(at: str, dates: str) -> str:
    try:
        return datetime.fromisoformat(at).strftime(_DATES[dates])
    except ValueError:
        return at


def _staff(book: Book) -> list[Row]:
    return [
        {"code": one.id, "name": one.name, "email": one.email, "active": "Y" if one.active else "N"}
        for one in book.people.values()
    ]


def _types(book: Book) -> list[Row]:
    return [{"code": one.id, "name": one.name, "minutes": one.minutes} for one in book.kinds.values()]


def _write(folder: Path, manifest: Row, rows: list[Row], made_at: datetime, spoil: tuple[str, ...]) -> str:
    """Rows first, under a passing name; the manifest last."""
    body = _encoded(rows, spoil)
    told = {**manifest, "rows": len(rows), "sha256": hashlib.sha256(body).hexdigest()}
    if "count" in spoil:
        told = {**manifest, "rows": len(rows) + 1}
    if "digest" in spoil:
        told["sha256"] = "0" * 64
    if "headings" in spoil:
        told["columns"] = {theirs: ours for ours, theirs in _HEADINGS.items()}
    if "half" in spoil:
        body, told = body[: len(body) // 2], {**manifest, "rows": len(rows)}
    if "empty" in spoil:
        body, told = b"", {**manifest, "rows": 0}
    if "quotes" in spoil:
        body, told = body + b'"', {**manifest, "rows": len(rows)}
    stem = f"{manifest['kind']}_{manifest['site']}_{made_at:%Y%m%dT%H%M%S}_{manifest['mode']}_{made_at:%f}"
    part, final = folder / f"{stem}.csv.part", folder / f"{stem}.csv"
    part.write_bytes(body)
    if "part" not in spoil:
        part.replace(folder / f"copy of {stem}.csv" if "renamed" in spoil else final)
    if "no_manifest" not in spoil:
        text = "{not json" if "bad_manifest" in spoil else json.dumps(told)
        passing = folder / f"{stem}.manifest.json.part"
        passing.write_text(text)
        passing.replace(folder / f"{stem}.manifest.json")
    return stem


def _encoded(rows: list[Row], spoil: tuple[str, ...]) -> bytes:
    out = io.StringIO()
    names = list(rows[0]) if rows else _COLUMNS
    headings = {name: _HEADINGS.get(name, name) if "headings" in spoil else name for name in names}
    writer = csv.DictWriter(out, names, delimiter=";" if "semicolons" in spoil else ",", extrasaction="ignore")
    if "no_header" not in spoil:
        writer.writerow(headings)
    writer.writerows(rows)
    encoding = "utf-16" if "utf16" in spoil else "cp1252" if "cp1252" in spoil else "utf-8-sig"
    return out.getvalue().encode(encoding, "replace")


_COLUMNS = [
    *("appointment_id", "start_local", "duration_min", "client_id", "client_last", "patient_id", "patient_name"),
    "status",
]
