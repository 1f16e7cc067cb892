"""The run sheet's filters: read from an address, written into one, remembered, and said in words.

The address carries clinicians, statuses and types; a search is accepted there too, but the page itself sends it in a
header or a form's body, so that no name ends up in an address, a history or a log (X28).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

from flask import request
from werkzeug.datastructures import MultiDict

from app.domain.runsheet import Column, Filters
from app.domain.status import Status
from app.web.session import Visitor
from app.web.words import STATUS_WORDS

PREFERENCE = "run_sheet_filters"
#: "clinician=all": everybody, said out loud. A clinician, who sees only their own group by default, asks for it so.
EVERYBODY = "all"
_NAMES = ("clinician", "status", "type")
_FIELDS = {"clinician": "clinicians", "status": "statuses", "type": "types"}
_MOST = 40  # of one kind; an address with more is not ours
SEARCH_HEADER = "X-Find"


def asked() -> Filters | None:
    """What this request asks for; None where it says nothing and what is remembered counts."""
    if not any(name in request.args for name in (*_NAMES, "q", "seen")):
        return None
    found = of_values(request.args)
    typed = request.headers.get(SEARCH_HEADER)
    return found if typed is None else replace(found, query=_clean(unquote(typed)))


def of_values(values: MultiDict[str, str]) -> Filters:
    clinicians, statuses, types = (frozenset(values.getlist(name)[:_MOST]) - {""} for name in _NAMES)
    return Filters(clinicians, statuses, types, _clean(values.get("q", "")))


def of_text(text: str) -> Filters:
    """The filters of a query string, as the chips post it."""
    return of_values(MultiDict(parse_qs(text[:4000])))


def of_preference(value: Mapping[str, Any] | None, visitor: Visitor) -> Filters:
    """What is remembered. A clinician who never chose sees their own group (C01)."""
    if not value:
        own = frozenset({str(visitor.clinician_id)}) if visitor.clinician_id else frozenset[str]()
        return Filters(clinicians=own)
    clinicians, statuses, types = (frozenset(str(one) for one in value.get(name, ())) for name in _NAMES)
    return Filters(clinicians, statuses, types)


def to_preference(filters: Filters) -> dict[str, list[str]]:
    """All but the search: a name must not wait in a table for somebody's next day."""
    return {name: sorted(getattr(filters, _FIELDS[name])) for name in _NAMES if getattr(filters, _FIELDS[name])}


def to_query(filters: Filters) -> str:
    """`status=arrived&type=7`: everything but the search."""
    return _encoded(filters.clinicians, filters.statuses, filters.types)


@lru_cache(maxsize=2_000)
def _encoded(*chosen: frozenset[str]) -> str:
    return urlencode([(name, one) for name, values in zip(_NAMES, chosen, strict=True) for one in sorted(values)])


def applied(filters: Filters) -> Filters:
    """What the day is filtered by: “everybody” is a choice, not a filter."""
    return replace(filters, clinicians=frozenset()) if EVERYBODY in filters.clinicians else filters


def turned(filters: Filters, name: str, value: str) -> Filters:
    """The filters with that one value added, or taken away where it was on."""

    def turn(of: str, on: frozenset[str]) -> frozenset[str]:
        return on if of != name else on - {value} if value in on else on - {EVERYBODY} | {value}

    return Filters(
        turn("clinician", filters.clinicians),
        turn("status", filters.statuses),
        turn("type", filters.types),
        filters.query,
    )


def said(filters: Filters, columns: Sequence[Column], types: Sequence[tuple[str, str]]) -> str:
    """`Waiting or In call · Dr Marlowe · “fennick”`."""
    names = {str(column.id): column.name for column in columns}
    kinds = dict(types)
    parts = [
        " or ".join(sorted(names.get(one, "a practitioner not yet assigned") for one in filters.clinicians)),
        " or ".join(STATUS_WORDS[status] for status in Status if status.value in filters.statuses),
        " or ".join(sorted(kinds.get(one, "another type") for one in filters.types)),
        f"“{filters.query}”" if filters.query else "",
    ]
    return " · ".join(part for part in parts if part)


def _clean(text: str) -> str:
    return " ".join(text.replace("\x00", "").split())[:100]


def searching(filters: Filters, typed: str) -> Filters:
    return replace(filters, query=_clean(typed))


def with_search(filters: Filters) -> Filters:
    """Those filters, with the search this page has open."""
    return searching(filters, unquote(request.headers.get(SEARCH_HEADER, "")))
