"""Asking MediRecords: lists page by page to the end, code lists, single records. A list is whole, or it raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from app.pms.body import json_body
from app.pms.errors import PmsMalformed, PmsNotFound
from app.pms.http import Call, PmsHttp
from app.pms.medirecords import wire
from app.pms.paging import chain

#: Used by integrators (seen in code); without it a page has 20 (documented: REVIEW).
PAGE_SIZE = 100

Query = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Part:
    """A page of a list. cursor: ours, the number of the next page."""

    records: list[bytes]
    next_cursor: str | None
    first: bool


class Asking:
    """One run's questions. Safe to share between threads.

    fixed: the header that lets us in; None where requests are signed with a token that is made.
    """

    def __init__(self, http: PmsHttp, fixed: str | None, page_size: int) -> None:
        self._http = http
        self._fixed = fixed
        self._page_size = page_size

    def pages(self, path: str, route: str, query: Query | None = None, cursor: str | None = None) -> Iterator[Part]:
        """Every page of a list, from `cursor` on.

        The order is not public: a page may repeat what another had, and then something else was stepped over. So the
        chain that was begun at its beginning raises PmsMalformed unless it brought as many as were announced; so does a
        page that is another than the one asked for, or brings nobody new (cursor_loop).
        """
        met: set[str] = set()
        reading = _Reading(met, from_start=_page_of(cursor) == 0)

        def fetch(at: str | None) -> tuple[Part, str | None]:
            number = _page_of(at)
            asked = {**(query or {}), "page": number, "size": self._page_size}
            found, records = wire.page(self._list(path, route, asked))
            more = reading.take(number, found, records)
            following = str(number + 1) if more else None
            return Part(records, following, number == 0), following

        yield from chain(fetch, cursor)

    def all(self, path: str, route: str, query: Query | None = None) -> Iterator[bytes]:
        """Every record of a list."""
        for part in self.pages(path, route, query):
            yield from part.records

    def first_page(self, path: str, route: str, query: Query) -> list[bytes]:
        """The records of a question whose answer is small: a page of it, or a bare array (seen in code)."""
        return wire.listed(self._list(path, route, {**query, "size": self._page_size}))

    def codes(self, name: str) -> list[bytes]:
        """The entries of a code list. Raises PmsNotFound where there is none of that name."""
        return wire.listed(self._json(f"/v1/code-system/{name}", "/v1/code-system/{name}", {}))

    def one(self, path: str, route: str) -> bytes:
        """One record. Raises PmsNotFound; PmsMalformed where a list came."""
        body = self._json(path, route, {})
        if body[:1] != b"{":
            raise PmsMalformed("a list instead of a record")
        return body

    def put(self, path: str, route: str, record: Mapping[str, object]) -> None:
        """Replace one record. Raises any PmsError."""
        fixed = {"Authorization": self._fixed} if self._fixed else {}
        headers = {**fixed, "Content-Type": "application/json"}
        body = msgspec.json.encode(record)
        self._http.send(Call("PUT", path, route, headers=headers, body=body, signed=self._fixed is None))

    def _list(self, path: str, route: str, query: Query) -> bytes:
        try:
            return self._json(path, route, query)
        except PmsNotFound as error:  # of a list it says nothing about what is on it
            raise PmsMalformed("no such list") from error

    def _json(self, path: str, route: str, query: Query) -> bytes:
        headers = {"Authorization": self._fixed} if self._fixed else {}
        reply = self._http.send(Call("GET", path, route, query, headers=headers, signed=self._fixed is None))
        return json_body(reply.body, reply.headers.get("content-type", ""))


class _Reading:
    """How far a chain has come: who was met, and whether it ended where it said it would."""

    def __init__(self, met: set[str], *, from_start: bool) -> None:
        self._met = met
        self._from_start = from_start
        self._nameless = 0

    def take(self, number: int, found: wire.Page, records: list[bytes]) -> bool:
        """Whether there is another page. Raises PmsMalformed."""
        if found.page not in (None, number) and records:
            raise PmsMalformed("another page than the one asked for", reason="cursor_loop", path="$.page")
        ids = {id_ for raw in records if (id_ := wire.id_of(raw)) is not None}
        more = self._more(number, found, len(records))
        if more and ids and ids <= self._met:
            raise PmsMalformed("a page that was read already", reason="cursor_loop")
        self._met |= ids
        self._nameless += sum(wire.id_of(raw) is None for raw in records)
        read = len(self._met) + self._nameless
        if not more and self._from_start and found.total_elements is not None and read < found.total_elements:
            raise PmsMalformed("fewer records than were announced", path="$.totalElements")
        return more

    @staticmethod
    def _more(number: int, found: wire.Page, here: int) -> bool:
        """`last` decides, else the number of pages; an empty page ends it in any case (seen in code)."""
        if here == 0:
            return False
        if found.last is not None:
            return not found.last
        return found.total_pages is None or number + 1 < found.total_pages


def _page_of(cursor: str | None) -> int:
    """A cursor that is none of ours begins anew."""
    return int(cursor) if cursor and cursor.isascii() and cursor.isdigit() and len(cursor) < 10 else 0
