"""Cliniko's lists: filters that repeat `q[]`, pages of at most a hundred, and the address of the next on each.

Source: pms/cliniko.md §1. The vendor advises to follow `links.next`; its totals are not to be relied on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, urlencode

import msgspec

from app.pms import rows
from app.pms.body import json_body
from app.pms.cliniko import wire
from app.pms.http import Call, PmsHttp, segment
from app.pms.paging import chain

#: The most there may be on a page, and the ids we put in one question: their address stays below 3 kB.
PAGE_SIZE = BATCH = 100
#: In the order they were made: what is booked meanwhile comes last and moves no page (documented: INTRO).
_SORT = "created_at"

#: `starts_at:>=2026-03-08T13:00:00Z`; all of them hold.
Filters = Sequence[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A list and what is asked of it."""

    resource: str
    filters: Filters = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A page of a list, and where the chain goes on: a cursor of ours, `<resource> <address>`."""

    resource: str
    records: Sequence[bytes]
    next_cursor: str | None
    first: bool


class Lists:
    """One run's questions. Safe to share between threads."""

    def __init__(self, http: PmsHttp, headers: Mapping[str, str], page_size: int = PAGE_SIZE) -> None:
        self._http = http
        self._headers = headers
        self._page_size = page_size

    def pages(self, asked: Sequence[Asked], cursor: str | None = None) -> Iterator[Part]:
        """Every page of these lists, one list after the other, from `cursor` on. A cursor that is none begins anew."""
        known = [one.resource for one in asked]
        start = cursor if cursor and cursor.partition(" ")[0] in known else None

        def fetch(at: str | None) -> tuple[Part, str | None]:
            resource, _, address = (at or self._begin(asked[0])).partition(" ")
            page, records = self._page(resource, address)
            upcoming = f"{resource} {page.links.next}" if page.links.next else None
            if upcoming is None and resource != known[-1]:
                upcoming = self._begin(asked[known.index(resource) + 1])
            return Part(resource, records, upcoming, at is None), upcoming

        return chain(fetch, start)

    def all(self, resource: str, filters: Filters = ()) -> Iterator[bytes]:
        """Every record of one list."""
        for part in self.pages([Asked(resource, filters)]):
            yield from part.records

    def among(self, resource: str, field: str, ids: Iterable[str]) -> Iterator[bytes]:
        """The records whose `field` is one of these."""
        wanted = sorted(set(ids))
        for start in range(0, len(wanted), BATCH):
            yield from self.all(resource, (f"{field}:={','.join(wanted[start : start + BATCH])}",))

    def one(self, resource: str, external_id: str, filters: Filters = ()) -> bytes:
        """One record by its id. Raises PmsNotFound."""
        address = f"/{resource}/{segment(external_id)}"
        return self.json(f"{address}?{_query(filters)}" if filters else address, f"/{resource}/{{id}}")

    def json(self, address: str, route: str) -> bytes:
        """GET, and the body as checked JSON bytes. Raises any PmsError."""
        reply = self._http.send(Call("GET", address, route, headers=self._headers, signed=False))
        return json_body(reply.body, reply.headers.get("content-type", ""))

    def change(self, resource: str, external_id: str, changes: Mapping[str, object]) -> None:
        """PATCH one record. Raises any PmsError."""
        headers = {**self._headers, "Content-Type": "application/json"}
        path, body = f"/{resource}/{segment(external_id)}", msgspec.json.encode(changes)
        self._http.send(Call("PATCH", path, f"/{resource}/{{id}}", headers=headers, body=body, signed=False))

    def _begin(self, asked: Asked) -> str:
        paging = (("per_page", str(self._page_size)), ("sort", _SORT))
        return f"{asked.resource} /{asked.resource}?{_query(asked.filters, *paging)}"

    def _page(self, resource: str, address: str) -> tuple[wire.Page, list[bytes]]:
        found, mended = rows.envelope(_decoder(resource), self.json(address, f"/{resource}"))
        return found, [mended.get(bytes(raw), bytes(raw)) for raw in found.records]


def _query(filters: Filters, *more: tuple[str, str]) -> str:
    return urlencode([*(("q[]", one) for one in filters), *more], quote_via=quote)


@cache
def _decoder(resource: str) -> msgspec.json.Decoder[wire.Page]:
    """The inactive practitioners' list bears the name of the others'. [assumed]"""
    return wire.page_of(resource.partition("/")[0])
