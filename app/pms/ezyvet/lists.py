"""Asking ezyVet for lists: filters as JSON, pages to the end, ids in batches. A list is whole, or it raises."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.pms.errors import PmsForbidden, PmsMalformed, PmsNotFound
from app.pms.ezyvet import wire
from app.pms.http import PmsHttp, segment
from app.pms.paging import chain


class Resource(NamedTuple):
    """A list of the vendor's. `path` is its route too: no id is part of it."""

    path: str


SITE = Resource("/v3/siteInformation")
SYSTEM_SETTING = Resource("/v1/systemsetting")
APPOINTMENT = Resource("/v2/appointment")
APPOINTMENT_TYPE = Resource("/v2/appointmenttype")
APPOINTMENT_STATUS = Resource("/v1/appointmentstatus")
RESOURCE = Resource("/v1/resource")
ANIMAL = Resource("/v1/animal")
SPECIES = Resource("/v1/species")
BREED = Resource("/v1/breed")
CONTACT = Resource("/v1/contact")
CONTACT_DETAIL = Resource("/v1/contactdetail")
CONTACT_DETAIL_TYPE = Resource("/v1/contactdetailtype")
CONSULT = Resource("/v1/consult")
HISTORY = Resource("/v1/history")
PHYSICAL_EXAM = Resource("/v1/physicalexam")
ASSESSMENT = Resource("/v1/assessment")
PLAN = Resource("/v1/plan")
HEALTH_STATUS = Resource("/v1/healthstatus")
PROBLEM = Resource("/v1/presentingproblem")
PROBLEM_LINK = Resource("/v1/presentingproblemlink")
THERAPEUTIC = Resource("/v1/therapeutic")
VACCINATION = Resource("/v1/vaccination")
PRESCRIPTION = Resource("/v1/prescription")
PRESCRIPTION_ITEM = Resource("/v1/prescriptionitem")
PRODUCT = Resource("/v1/product")
INVOICE_LINE = Resource("/v1/invoiceline")

#: Works in production for most lists (seen in code); a smaller maximum is applied by the vendor, unasked [assumed].
PAGE_SIZE = 200
#: Ids in one `in` filter (documented: DEV).
BATCH = 100

#: A field and what is asked of it: {"gte": 1, "lt": 2}, {"in": ["1"]}, or a plain value.
Filters = Mapping[str, Mapping[str, object] | str]


@dataclass(frozen=True, slots=True)
class Part:
    """A page of a list, and where it goes on: a cursor of ours, `<page>/<records read before it>`."""

    records: Sequence[bytes]
    next_cursor: str | None
    first: bool


class Lists:
    """One run's questions. Safe to share between threads."""

    def __init__(self, http: PmsHttp, page_size: int) -> None:
        self._http = http
        self._page_size = page_size
        self._closed: set[Resource] = set()
        self._lock = threading.Lock()

    def pages(self, resource: Resource, filters: Filters, cursor: str | None = None) -> Iterator[Part]:
        """Every page, from `cursor` on. Raises PmsMalformed where fewer records came than were announced: a list
        that shrinks while it is read, or lies, is no list of what there is.
        """

        def fetch(at: str | None) -> tuple[Part, str | None]:
            part = self._page(resource, filters, at)
            return part, part.next_cursor

        yield from chain(fetch, cursor)

    def all(self, resource: Resource, filters: Filters | None = None) -> Iterator[bytes]:
        """Every record of a list."""
        for part in self.pages(resource, filters or {}):
            yield from part.records

    def among(self, resource: Resource, field: str, ids: Iterable[str], **more: Mapping[str, object]) -> list[bytes]:
        """The records whose `field` is one of these."""
        found: list[bytes] = []
        wanted = sorted(set(ids))
        for start in range(0, len(wanted), BATCH):
            found += self.all(resource, {field: {"in": wanted[start : start + BATCH]}, **more})
        return found

    def if_granted(self, resource: Resource, field: str | None = None, ids: Iterable[str] = ()) -> list[bytes] | None:
        """As `all` or `among`; None where the site did not grant us this list. Asked for once a run, then left alone.

        A 403 is a missing scope, not a bad log-in (documented: DEV).
        """
        if resource in self._closed:
            return None
        try:
            return list(self.all(resource)) if field is None else self.among(resource, field, ids)
        except PmsForbidden:
            with self._lock:
                self._closed.add(resource)
            return None

    def one(self, resource: Resource, external_id: str) -> bytes:
        """One record by its id: the answer is a list of one (seen in code). Raises PmsNotFound."""
        body = self._http.json(f"{resource.path}/{segment(external_id)}", route=f"{resource.path}/{{id}}")
        page = wire.list_page(body)
        if not page.records and page.total == 0:
            raise PmsNotFound("no such record")
        if len(page.records) != 1:
            raise PmsMalformed("more or less than the one record asked for", path="$.items")
        return page.records[0]

    def _page(self, resource: Resource, filters: Filters, cursor: str | None) -> Part:
        number, before = _place(cursor)
        query: dict[str, str | int] = {
            name: asked if isinstance(asked, str) else json.dumps(asked, separators=(",", ":"))
            for name, asked in filters.items()
        }
        query |= {"limit": self._page_size, "page": number}
        page = wire.list_page(self._http.json(resource.path, route=resource.path, query=query))
        if page.number not in (None, number) and page.records:
            raise PmsMalformed("another page than the one asked for", reason="cursor_loop", path="$.meta.items_page")
        read = before + len(page.records)
        if number < page.pages:
            return Part(page.records, f"{number + 1}/{read}", number == 1)
        if page.total is not None and read < page.total:
            raise PmsMalformed("fewer records than were announced", path="$.meta.items_total")
        return Part(page.records, None, number == 1)


def _place(cursor: str | None) -> tuple[int, int]:
    """Page and records before it. A cursor that is none of ours begins anew."""
    page, _, before = (cursor or "1/0").partition("/")
    return (int(page), int(before)) if page.isdigit() and before.isdigit() else (1, 0)
