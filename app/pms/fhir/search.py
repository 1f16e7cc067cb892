"""Searching a FHIR server: bundles to their end, includes told from matches, ids in batches.

Source: pms/fhir-r4.md §1 “Paging” and §5. A search is whole, or it raises.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from app.pms import rows
from app.pms.errors import PmsBadRequest, PmsMalformed, PmsNotFound
from app.pms.fhir import wire
from app.pms.fhir.client import FhirClient
from app.pms.fhir.outcome import error_of
from app.pms.fhir.references import Target
from app.pms.http import segment
from app.pms.paging import chain
from app.pms.rows import RowFault

log = logging.getLogger("app.pms.fhir")

#: Matches of a page: a hint, which servers cut to 20-100 as they like (documented: ORACLE, CANVAS).
PAGE_SIZE = 100
#: Asked for once where a server sends a full page and names no next one.
_ALL_AT_ONCE = 1000
#: Ids in one `_id`; addresses must stay short.
BATCH = 40

Params = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Found:
    """A page. matches: raw resources; bad: entries that hold none, and why. included: raw, by type and id.

    by_url: what the entries' own addresses stand for. asked: parameters the server says it has answered to, by its
    `self` link; None where it does not say.
    """

    matches: Sequence[bytes]
    bad: Sequence[tuple[bytes, RowFault]] = ()
    included: Mapping[Target, bytes] = field(default_factory=dict)
    by_url: Mapping[str, Target] = field(default_factory=dict)
    asked: frozenset[str] | None = None
    first: bool = False

    @property
    def count(self) -> int:
        return len(self.matches) + len(self.bad)


@dataclass(frozen=True, slots=True)
class _Part:
    found: Found
    next: str | None
    total: int | None


class _Expired(Exception):
    """A page's address is no longer known to the server."""

    def __init__(self, error: PmsBadRequest | PmsNotFound) -> None:
        self.error = error
        super().__init__()


class Searches:
    """One run's questions. Safe to share between threads."""

    def __init__(self, client: FhirClient, page_size: int) -> None:
        self._client = client
        self._page_size = page_size

    def pages(self, resource: str, params: Params) -> Iterator[Found]:
        """Every page. Where a page's address expired in between, once more from the start: that page is `first` again.

        Raises PmsError; PmsMalformed (page_budget) where a server neither pages nor sends everything.
        """
        try:
            yield from self._once(resource, params)
        except _Expired:
            try:
                yield from self._once(resource, params)
            except _Expired as again:
                raise again.error from None

    def all(self, resource: str, params: Params = ()) -> list[bytes]:
        """Every match, raw, each id once. Raises PmsMalformed for an entry that holds no resource."""
        matches: dict[bytes, None] = {}
        for found in self.pages(resource, params):
            if found.bad:
                raise PmsMalformed("an entry without a resource", path="$.entry[]")
            matches |= dict.fromkeys(found.matches)
        return list(matches)

    def by_ids(self, resource: str, ids: Iterable[str], *, batched: bool) -> list[bytes]:
        """Those of these ids that the server knows. batched: it can be asked for several at once."""
        wanted = sorted(set(ids))
        if not batched:
            return [one for id_ in wanted if (one := self._if_there(resource, id_)) is not None]
        found: list[bytes] = []
        for start in range(0, len(wanted), BATCH):
            found += self.all(resource, [("_id", ",".join(wanted[start : start + BATCH]))])
        return found

    def one(self, resource: str, external_id: str) -> bytes:
        """Raises PmsNotFound."""
        body = self._client.get(f"/{resource}/{segment(external_id)}", route=f"/{resource}/{{id}}")
        if error := error_of(body):
            raise error
        return body

    def _if_there(self, resource: str, external_id: str) -> bytes | None:
        try:
            return self.one(resource, external_id)
        except PmsNotFound:
            return None

    # --- one chain ------------------------------------------------------------------------------------------------

    def _once(self, resource: str, params: Params) -> Iterator[Found]:
        def fetch(url: str | None) -> tuple[Found, str | None]:
            if url is None:
                part = self._first(resource, params)
            else:
                try:
                    part = self._page(resource, url)
                except (PmsBadRequest, PmsNotFound) as error:
                    raise _Expired(error) from None
            return part.found, part.next

        yield from chain(fetch)

    def _first(self, resource: str, params: Params) -> _Part:
        """The first page. A full one that names no next may be all there is, or all that a server without pages
        sends: then it is asked for everything, and believed only where that leaves room.
        """
        part = self._page(resource, _address(resource, params, self._page_size), first=True)
        if not _may_be_cut(part, self._page_size):
            return part
        part = self._page(resource, _address(resource, params, _ALL_AT_ONCE), first=True)
        if _may_be_cut(part, _ALL_AT_ONCE):
            raise PmsMalformed("more than fits, and no next page", reason="page_budget", path="$.link")
        return part

    def _page(self, resource: str, address: str, *, first: bool = False) -> _Part:
        body = self._client.get(address, route=f"/{resource}")
        bundle, mended = rows.envelope(wire.bundle, body)
        if bundle.resource_type != "Bundle" or bundle.type != "searchset":
            raise error_of(body) or PmsMalformed("no bundle of search results", path="$.resourceType")
        links = {one.relation: one.url for one in bundle.link or ()}
        found = _sorted_out(resource, [mended.get(bytes(raw), bytes(raw)) for raw in bundle.entry or ()])
        asked = frozenset(name for name, _ in parse_qsl(urlsplit(links["self"]).query)) if "self" in links else None
        onward = self._client.follow(links["next"], f"/{resource}") if "next" in links else None
        whole = Found(found.matches, found.bad, found.included, found.by_url, asked, first)
        return _Part(whole, onward, bundle.total)


def _address(resource: str, params: Params, count: int) -> str:
    """A parameter may stand there twice; a plus sign is written %2B, because a raw one means a blank."""
    return f"/{resource}?{urlencode([*params, ('_count', str(count))], safe=',:|/', quote_via=quote)}"


def _may_be_cut(part: _Part, asked: int) -> bool:
    if part.next is not None:
        return False
    return part.found.count < part.total if part.total is not None else part.found.count >= asked


def _sorted_out(resource: str, entries: Iterable[bytes]) -> Found:
    """Matches apart from what came along. Where an entry does not say which it is, its type tells [assumed]."""
    matches: list[bytes] = []
    bad: list[tuple[bytes, RowFault]] = []
    included: dict[Target, bytes] = {}
    by_url: dict[str, Target] = {}
    for raw in entries:
        try:
            entry = rows.read(wire.entry, raw)
            record = bytes(entry.resource)
            if not record:
                raise RowFault("$.resource", "missing")
        except RowFault as fault:
            bad.append((raw, fault))
            continue
        try:
            kind = rows.read(wire.kind, record)
        except RowFault:
            matches.append(record)  # whoever reads it says what is wrong with it
            continue
        target = Target(kind.resource_type, kind.id or "")
        mode = entry.search.mode if entry.search else None
        if mode == "outcome" or kind.resource_type == "OperationOutcome":
            log.info("the server sent a remark along with its answer")
        elif mode == "include" or kind.resource_type != resource:
            included[target] = record
        else:
            matches.append(record)
        if entry.full_url and kind.id:
            by_url[entry.full_url] = target
    return Found(matches, bad, included, by_url)
