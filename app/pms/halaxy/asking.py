"""Asking Halaxy: searches page by page to the end, and single resources. A list is whole, or it raises."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from app.pms import rows
from app.pms.body import json_body
from app.pms.errors import PmsForbidden, PmsMalformed, PmsNotFound
from app.pms.halaxy import login, wire
from app.pms.halaxy.login import TokenEnded
from app.pms.http import Call, PmsHttp, segment
from app.pms.paging import chain
from app.pms.rows import RowFault
from app.pms.tokens import TokenManager

log = logging.getLogger(__name__)

#: As many as a page may have; the vendor's own number is 30 (documented: CONN).
PAGE_SIZE = 100
_LOUD = frozenset({"fatal", "error"})

Query = Sequence[tuple[str, str | int]]


@dataclass(frozen=True, slots=True)
class Part:
    """A page of a search. records: what was searched for; nameless: what does not tell its type; beside: what was
    included, by type. cursor: ours, `<page>/<records read before it>`.
    """

    records: list[bytes]
    nameless: list[bytes]
    beside: list[tuple[str, bytes]]
    next_cursor: str | None
    first: bool


class Asking:
    """One run's questions. Safe to share between threads."""

    def __init__(self, http: PmsHttp, tokens: TokenManager, headers: dict[str, str], page_size: int) -> None:
        self._http = http
        self._tokens = tokens
        self._headers = headers
        self._page_size = page_size
        self._closed: set[str] = set()
        self._lock = threading.Lock()

    def pages(self, resource: str, query: Query = (), cursor: str | None = None) -> Iterator[Part]:
        """Every page of a search, from `cursor` on.

        Raises PmsMalformed: cursor_loop where the links lead back or a page brings nobody new, bad_envelope where the
        end comes before as many were read as were announced.
        """
        met: set[str | None] = set()

        def fetch(at: str | None) -> tuple[Part, str | None]:
            part = self._page(resource, query, at, met)
            return part, part.next_cursor

        yield from chain(fetch, cursor)

    def all(self, resource: str) -> Iterator[bytes]:
        """Every record of a list, those without a type too: they are told from others by what reads them."""
        for part in self.pages(resource):
            yield from (*part.records, *part.nameless)

    def first(self, resource: str, query: Query) -> None:
        """Ask for one record: is that search answered at all?"""
        wire.page(self._json(f"/{resource}", f"/{resource}", [*query, ("_count", 1), ("page", 1)]))

    def one(self, resource: str, external_id: str) -> bytes:
        """One resource. Raises PmsNotFound; PmsMalformed where something else came."""
        body = self._json(f"/{resource}/{segment(external_id)}", f"/{resource}/{{id}}")
        try:
            found = rows.read(wire.kind, body).resource_type
        except RowFault as fault:
            raise PmsMalformed("no resource", path=fault.path) from None
        if found != resource:
            raise PmsMalformed("another resource than the one asked for", path="$.resourceType")
        return body

    def one_if_there(self, resource: str, external_id: str) -> bytes | None:
        """As `one`; None where it is gone, or this key may not retrieve such resources: then none is asked for again.

        Retrieving is switched on key by key and resource by resource (seen in code).
        """
        if resource in self._closed:
            return None
        try:
            return self.one(resource, external_id)
        except PmsNotFound:
            return None
        except PmsForbidden:
            self.close_off(resource)
            return None

    def close_off(self, resource: str) -> None:
        """Leave that resource alone for the rest of the run."""
        with self._lock:
            self._closed.add(resource)
        log.warning("Halaxy keeps a resource to itself", extra={"route": f"/{resource}", "reason": "forbidden"})

    def _page(self, resource: str, query: Query, cursor: str | None, met: set[str | None]) -> Part:
        number, before = _place(cursor)
        asked = [*query, ("_count", self._page_size), ("page", number)]
        try:
            found = wire.page(self._json(f"/{resource}", f"/{resource}", asked))
        except PmsNotFound as error:  # of a list it says nothing about what is on it
            raise PmsMalformed("no such list") from error
        own = [raw for kind, raw in found.records if kind == resource]
        nameless = [raw for kind, raw in found.records if not kind]
        _heed(resource, [raw for kind, raw in found.records if kind == "OperationOutcome"])
        read = before + len(own) + len(nameless)
        following = self._following(found, number, read, len(own))
        ids = {wire.id_of(raw) for raw in own}
        if following is not None and ids and ids <= met:
            raise PmsMalformed("a page that was read already", reason="cursor_loop")
        met |= ids
        if following is None and found.total is not None and read < found.total:
            raise PmsMalformed("fewer records than were announced", path="$.total")
        beside = [(kind, raw) for kind, raw in found.records if kind not in ("", resource, "OperationOutcome")]
        return Part(own, nameless, beside, None if following is None else f"{following}/{read}", number == 1)

    def _following(self, found: wire.Found, number: int, read: int, here: int) -> int | None:
        """The number of the next page. `next` decides, else `last`, else what was announced, else whether this one is
        full; never fullness alone, because a page may be shortened (seen in code). No link is followed by its address.
        """
        if "next" in found.links:
            following = _page_of(found.links["next"]) or number + 1
            if following <= number:
                raise PmsMalformed("the next page lies behind", reason="cursor_loop")
            return following
        last = _page_of(found.links.get("last", ""))
        if last is not None:
            return number + 1 if last > number else None
        more = here >= self._page_size if found.total is None else read < found.total and here > 0
        return number + 1 if more else None

    def _json(self, path: str, route: str, query: Query = ()) -> bytes:
        """GET. An OperationOutcome in place of an answer raises; the first about the token is answered by a new one."""
        token = self._tokens.get_valid_token()
        try:
            return self._sent(path, route, query)
        except TokenEnded:
            self._tokens.invalidate(token)
        return self._sent(path, route, query)

    def _sent(self, path: str, route: str, query: Query) -> bytes:
        reply = self._http.send(Call("GET", path, route, query, headers=self._headers))
        body = json_body(reply.body, reply.headers.get("content-type", ""))
        login.refuse_outcome(body)
        return body


def _heed(resource: str, outcomes: list[bytes]) -> None:
    """What a page says of itself beside its records. Raises PmsMalformed for more than a warning."""
    for raw in outcomes:
        said = wire.issues(raw) or []
        if any(one.severity in _LOUD for one in said):
            raise PmsMalformed("a page that tells of an error", path="$.entry")
        log.warning("Halaxy warns about a search", extra={"route": f"/{resource}", "count": len(said)})


def _place(cursor: str | None) -> tuple[int, int]:
    """Page and records before it. A cursor that is none of ours begins anew."""
    page, _, before = (cursor or "1/0").partition("/")
    good = page.isascii() and page.isdigit() and before.isascii() and before.isdigit()
    return (int(page), int(before)) if good else (1, 0)


def _page_of(url: str) -> int | None:
    try:
        said = parse_qs(urlsplit(url).query).get("page", [""])[-1]
    except ValueError:
        return None
    return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else None
