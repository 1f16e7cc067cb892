"""Whether a resource meets a search's parameters: repeated ones all, values between commas any, prefixes on dates.

pms/fhir-r4.md §1 “Date search”.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.+)", re.DOTALL)
_SHAPES = (
    (re.compile(r"\d{4}"), "%Y"),
    (re.compile(r"\d{4}-\d\d"), "%Y-%m"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "%Y-%m-%d"),
)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?P<seconds>:\d\d(?P<fraction>\.\d+)?)?(Z|[+-]\d\d:\d\d)?")


class BadValue(Exception):
    """A value the parameter cannot have."""


class Stretch(NamedTuple):
    """What a date of any precision covers, the end excluded."""

    start: datetime
    end: datetime


def stretch(text: str, zone: ZoneInfo) -> Stretch:
    """A value without a zone is in the server's own. Raises BadValue."""
    try:
        for shape, form in _SHAPES:
            if shape.fullmatch(text):
                start = datetime.strptime(text, form).replace(tzinfo=zone)
                days = {"%Y": 366, "%Y-%m": 31}.get(form, 1)
                end = (start + timedelta(days=days)).replace(hour=0)
                end = end.replace(day=1) if form == "%Y-%m" else end.replace(month=1, day=1) if form == "%Y" else end
                return Stretch(start.astimezone(UTC), end.astimezone(UTC))
        told = _INSTANT.fullmatch(text)
        if told is None:
            raise BadValue(f"{text} is no date")
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadValue(f"{text} is no date") from None
    at = (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    seconds = 0.001 if told["fraction"] else 1.0 if told["seconds"] else 60.0
    return Stretch(at, at + timedelta(seconds=seconds))


def meets(record: dict[str, Any], name: str, kind: str, asked: str, zone: ZoneInfo) -> bool:
    """One parameter as it stands in the query. Raises BadValue."""
    return any(_one(record, name, kind, value, zone) for value in asked.split(",") if value)


def _one(record: dict[str, Any], name: str, kind: str, value: str, zone: ZoneInfo) -> bool:
    if name == "_id":
        return record.get("id") == value
    if kind == "date":
        return _dated(_date_of(record, name), value, zone)
    if kind == "reference":
        return any(_means(reference, value) for reference in _references(record, name))
    if kind == "string":
        return any(text.lower().startswith(value.lower()) for text in _texts(record, name))
    return value in _tokens(record, name)


def _dated(text: object, value: str, zone: ZoneInfo) -> bool:
    found = _PREFIX.fullmatch(value)
    if found is None:
        raise BadValue("a date is missing")
    asked = stretch(found[2], zone)
    if not isinstance(text, str):
        return False
    at = stretch(text, zone)
    within = asked.start <= at.start and at.end <= asked.end
    return {
        "eq": within,
        "ap": within,
        "ne": not within,
        "gt": at.start >= asked.end,
        "sa": at.start >= asked.end,
        "lt": at.start < asked.start,
        "eb": at.start < asked.start,
        "ge": at.start >= asked.start,
        "le": at.start < asked.end,
    }[found[1] or "eq"]


def _date_of(record: dict[str, Any], name: str) -> object:
    if name == "_lastUpdated":
        return record.get("meta", {}).get("lastUpdated")
    return record.get({"date": "start", "birthdate": "birthDate"}[name])


def _references(record: dict[str, Any], name: str) -> Iterable[str]:
    """Of an appointment's `practitioner` only references to practitioners count, not to their roles."""
    if record["resourceType"] == "PractitionerRole":
        return [record["practitioner"]["reference"]]
    if record["resourceType"] == "Schedule":
        return [actor["reference"] for actor in record["actor"]]
    wanted = {"patient": "Patient", "practitioner": "Practitioner", "location": "Location"}.get(name)
    found = [one["actor"]["reference"] for one in record.get("participant", ())]
    return [one for one in found if wanted is None or _parts(one)[0] == wanted]


def _means(reference: str, value: str) -> bool:
    """`Patient/p1`, `p1` or a whole address all mean the same."""
    kind, id_ = _parts(reference)
    return value in (id_, f"{kind}/{id_}") or value.endswith(f"/{kind}/{id_}")


def _parts(reference: str) -> tuple[str, str]:
    """Type and id."""
    *_, kind, id_ = reference.partition("/_history/")[0].split("/")
    return kind, id_


def _texts(record: dict[str, Any], name: str) -> Iterable[str]:
    names = record.get("name", "")
    if isinstance(names, str):
        return [names]
    families = [str(one.get("family", "")) for one in names]
    return families if name == "family" else [*families, *(given for one in names for given in one.get("given", ()))]


def _tokens(record: dict[str, Any], name: str) -> set[str]:
    if name == "service-type":
        codings = [coding for one in record.get("serviceType", ()) for coding in one.get("coding", ())]
        return {f"{one.get('system', '')}|{one['code']}" for one in codings} | {one["code"] for one in codings}
    value = record.get(name)
    return {str(value).lower() if isinstance(value, bool) else str(value)}
