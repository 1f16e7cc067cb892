"""A file of rows as a table: encoding, delimiter and headings found out, everything about its outside checked.

Source: pms/cornerstone-avimark.md §3.5 [assumed]. A file that is not what its manifest says is no file at all: it may
have been cut in the middle, and half a schedule reads like a morning of cancellations.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.errors import RunsheetError
from app.pms.onpremise.manifest import Manifest
from app.pms.rows import RowFault

MOST_ROWS, MOST_COLUMNS = 20_000, 200
_DELIMITERS = ",;\t|"
_BOM = b"\xef\xbb\xbf"


class Spoilt(RunsheetError):
    """A file that cannot be relied on; its text is one word: encoding, header, columns, quotes, rows, sha256, size."""


@dataclass(frozen=True, slots=True)
class Table:
    headings: tuple[str, ...]
    lines: Sequence[Sequence[str]]

    def row(self, line: Sequence[str]) -> dict[str, str]:
        """The line's values by heading, without outer blanks. Raises RowFault where it has too few or too many."""
        if len(line) != len(self.headings):
            raise RowFault("$", "invalid")
        return {name: value.strip() for name, value in zip(self.headings, line, strict=True)}

    def raw(self, line: Sequence[str]) -> bytes:
        """The line as JSON, whatever its length: what is set aside."""
        names = [*self.headings, *(f"column {number + 1}" for number in range(len(self.headings), len(line)))]
        return json.dumps(dict(zip(names, line, strict=False)), ensure_ascii=False).encode()

    def at(self, line: Sequence[str], heading: str) -> str:
        """One value, where the line reaches that far."""
        place = self.headings.index(heading) if heading in self.headings else len(line)
        return line[place].strip() if place < len(line) else ""


def read(body: bytes, manifest: Manifest, required: Sequence[Sequence[str]]) -> Table:
    """required: of each group one heading has to be there. Raises Spoilt."""
    if manifest.sha256 is not None and hashlib.sha256(body).hexdigest() != manifest.sha256.lower():
        raise Spoilt("sha256")
    text = _decoded(body)
    header, _, _ = text.partition("\n")
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=_delimiter(header), strict=True) if line]
    except csv.Error:
        raise Spoilt("quotes") from None
    if not lines:
        raise Spoilt("header")
    headings = _headings(lines[0], manifest.columns)
    if any(not set(group) & set(headings) for group in required):
        raise Spoilt("columns")
    if len(lines) - 1 > MOST_ROWS:
        raise Spoilt("size")
    if len(lines) - 1 != manifest.rows:
        raise Spoilt("rows")
    return Table(headings, lines[1:])


def _decoded(body: bytes) -> str:
    """UTF-8, else what Windows programs write in the west. Two-byte encodings are told by their NULs."""
    if b"\x00" in body:
        raise Spoilt("encoding")
    body = body.removeprefix(_BOM)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return body.decode("cp1252")
    except UnicodeDecodeError:
        raise Spoilt("encoding") from None


def _delimiter(header: str) -> str:
    """The sign that parts the headings: the one they hold most of; no heading holds any."""
    return max(_DELIMITERS, key=header.count)


def _headings(found: Sequence[str], columns: Mapping[str, str]) -> tuple[str, ...]:
    """In our words: by the clinic's own map, else as they are, in small letters and without blanks."""
    ours = {_plain(theirs): name for theirs, name in columns.items()}
    named = tuple(ours.get(_plain(one), _plain(one)) for one in found)
    if len(named) > MOST_COLUMNS or len(set(named)) < len(named):
        raise Spoilt("header")
    return named


def _plain(heading: str) -> str:
    return "_".join(heading.strip().lower().split())
