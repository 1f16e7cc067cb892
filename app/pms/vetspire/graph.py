"""Asking Vetspire: one address, questions as GraphQL. A 200 may be a refusal: its errors are looked at first.

Source: pms/vetspire.md §1. Which words an error uses is not public; what is read out of them is [assumed] and stands in
`refusal`. An answer with errors counts as none, whatever data stand beside them: half a list is no list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from app.pms import rows
from app.pms.body import json_body
from app.pms.errors import (
    PmsAuthFailed,
    PmsBadRequest,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotFound,
    PmsRateLimited,
    PmsUnavailable,
)
from app.pms.http import Call, PmsHttp
from app.pms.paging import chain
from app.pms.vetspire import wire
from app.pms.vetspire.settings import PATH

#: Below the cap of about 200 that nothing announces (seen in code); large pages end in a 502 (seen in code).
PAGE_SIZE = 100
Variables = Mapping[str, object]
Row = TypeVar("Row")

_RULES: tuple[tuple[re.Pattern[str], Callable[[str], PmsError]], ...] = (
    (re.compile(r"unauthenticated|unauthori[sz]ed|invalid.{0,10}(api.?key|token)|not logged in"), PmsAuthFailed),
    (re.compile(r"forbidden|permission|access denied|not allowed"), PmsForbidden),
    (re.compile(r"too many requests|rate.?limit"), PmsRateLimited),
    (re.compile(r"not.?found|does not exist"), PmsNotFound),
    (re.compile(r"internal|time[d ]{0,2}out|unavailable|something went wrong"), PmsUnavailable),
)
_CURSOR = re.compile(r"[0-9]{1,2} [0-9]{1,9}")
_DATA_ALONE = re.compile(rb'\{\s*"data"\s*:\s*(\{\s*"[A-Za-z]+"\s*:\s*\[.*\]\s*\})\s*\}', re.DOTALL)
_CODE = re.compile(r"[A-Za-z0-9_ -]{1,60}")


def refusal(errors: Iterable[wire.Error]) -> PmsError:
    """What an answer's errors mean; the first rule that fits any of them. Their texts may name somebody: of them only
    a plain code is ever told.
    """
    told = list(errors)
    codes = sorted({one.code for one in told if one.code and _CODE.fullmatch(one.code)})
    said = f"answered with errors ({', '.join(codes) or 'no code'})"
    words = " ".join(f"{one.code or ''} {one.message or ''}" for one in told).lower().replace("_", " ")
    made = next((kind for rule, kind in _RULES if rule.search(words)), PmsBadRequest)
    return made(said)


@dataclass(frozen=True, slots=True)
class Part:
    """A page of one or more lists in turn, and where the chain goes on: `<variant> <offset>`."""

    records: list[bytes]
    next_cursor: str | None
    first: bool


class Graph:
    """One run's questions. Safe to share between threads."""

    def __init__(self, http: PmsHttp, headers: Mapping[str, str], page_size: int = PAGE_SIZE) -> None:
        self._http = http
        self._headers = headers
        self._page_size = page_size

    def ask(self, query: str, field: str, variables: Variables | None = None) -> bytes:
        """The body of an answer, as checked JSON. Raises any PmsError."""
        body = json.dumps({"query": query, "variables": dict(variables or {})}).encode()
        call = Call("POST", PATH, f"{PATH} {field}", headers=self._headers, body=body, signed=False)
        reply = self._http.send(call)
        return json_body(reply.body, reply.headers.get("content-type", ""))

    def one(
        self, query: str, field: str, decoder: msgspec.json.Decoder[Row], variables: Variables | None = None
    ) -> Row:
        """One thing. Raises PmsNotFound where there is none, PmsMalformed with the path."""
        raw = _told(self.ask(query, field, variables), field)
        if raw == b"null":
            raise PmsNotFound("no such thing")
        found, _ = rows.envelope(decoder, raw)
        return found

    def listed(self, query: str, field: str, variables: Variables | None = None) -> list[bytes]:
        """The records of a list that comes whole. Null is no list: an empty one is written as such."""
        body = self.ask(query, field, variables)
        try:
            found, mended = rows.envelope(wire.array, _told(body, field))
        except PmsMalformed:
            data = _data_alone(body)
            if data is None:
                raise
            lists, mended = rows.envelope(wire.lists, data)
            if field not in lists:
                raise
            found = lists[field]
        return [mended.get(bytes(one), bytes(one)) for one in found]

    def all(self, query: str, field: str) -> list[bytes]:
        """Every record of one list."""
        return [record for part in self.pages(query, field, ({},)) for record in part.records]

    def pages(self, query: str, field: str, variants: Sequence[Variables], cursor: str | None = None) -> Iterator[Part]:
        """Every page of the question in each of its variants, one after the other, from `cursor` on.

        A page that is not full is the last one. Raises PmsMalformed (cursor_loop) where a full page brings nobody new:
        a vendor that took no notice of the offset would be asked for ever. A cursor that is none begins anew.
        """
        met: set[tuple[int, str | None]] = set()

        def fetch(at: str | None) -> tuple[Part, str | None]:
            which, offset = _place(at)
            paging = {"n": self._page_size, "o": offset}
            records = self.listed(query, field, {**variants[which], **paging})
            upcoming = f"{which} {offset + len(records)}"
            if len(records) < self._page_size:
                upcoming = f"{which + 1} 0" if which + 1 < len(variants) else ""
            else:
                ids = {(which, wire.id_of(record)) for record in records}
                if ids <= met:
                    raise PmsMalformed("the same page again", reason="cursor_loop")
                met.update(ids)
            return Part(records, upcoming or None, at is None), upcoming or None

        known = cursor is not None and _CURSOR.fullmatch(cursor) and _place(cursor)[0] < len(variants)
        return chain(fetch, cursor if known else None)


def _told(body: bytes, field: str) -> bytes:
    """What was asked for, out of an answer. Raises what its errors mean; PmsMalformed where there is neither."""
    found, _ = rows.envelope(wire.reply, body)
    if found.errors:
        raise refusal(found.errors)
    if found.data is None or field not in found.data:
        raise PmsMalformed("neither data nor errors", path=f"$.data.{field}")
    return bytes(found.data[field])


def _data_alone(body: bytes) -> bytes | None:
    """The data of an answer that is no legal JSON, where it has nothing else: one record's text may be to blame (F22),
    and the others need not go with it. None where that is not it.
    """
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.DecodeError:
        found = _DATA_ALONE.fullmatch(body)
        return found[1] if found else None
    return None


def _place(cursor: str | None) -> tuple[int, int]:
    which, _, offset = (cursor or "0 0").partition(" ")
    return int(which), int(offset)
