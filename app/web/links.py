"""Addresses of pages that may or may not be part of this build, and what the bar offers to whom."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, url_for

from app.security.roles import Permission
from app.web.security import access_of
from app.web.session import Visitor


@dataclass(frozen=True, slots=True)
class Place:
    label: str
    endpoint: str


#: The bar's menu, in order. A page shows up as soon as its endpoint exists and the person may open it.
PLACES = (
    Place("Run sheet", "runsheet.today"),
    Place("Patients", "patients.index"),
    Place("Connections", "connections.index"),
    Place("Sync history", "history.index"),
)


def link(endpoint: str, visitor: Visitor, **values: object) -> str:
    """The address of that page, or "" where there is none or this person may not open it."""
    view = current_app.view_functions.get(endpoint)
    access = access_of(view) if view else None
    if access is None or (isinstance(access.permission, Permission) and not visitor.may(access.permission)):
        return ""
    return url_for(endpoint, **values)  # type: ignore[arg-type]


def places(visitor: Visitor) -> list[tuple[str, str]]:
    """(label, address) of every place this person may go to."""
    return [(place.label, address) for place in PLACES if (address := link(place.endpoint, visitor))]
