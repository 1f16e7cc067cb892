"""Search results as bundles: pages of a snapshot, whose addresses are opaque and expire."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

from app import clock
from app.sandbox.fhir.knobs import FhirKnobs
from app.sandbox.fhir.replies import outcome
from app.sandbox.fhir.wire import Resource

_KEPT = 500
#: Somebody else's server, with somebody else's path.
_ELSEWHERE = "https://elsewhere.example/other/Appointment?_page=1"


@dataclass(frozen=True, slots=True)
class Results:
    """What a search found when it was asked. address: of that search; includes: what comes along with each match."""

    resource: str
    address: str
    matches: list[Resource]
    includes: tuple[str, ...]
    count: int
    remarks: tuple[str, ...]
    until: float


class Snapshots:
    """Searches that have more than a page, by token."""

    def __init__(self) -> None:
        self._kept: dict[str, Results] = {}
        self._lock = threading.Lock()

    def keep(self, results: Results) -> str:
        token = secrets.token_urlsafe(9)
        with self._lock:
            self._kept[token] = results
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return token

    def get(self, token: str) -> Results | None:
        """None where nobody knows it any more."""
        found = self._kept.get(token)
        return found if found is not None and clock.now().timestamp() < found.until else None


def bundle(
    results: Results, start: int, token: str | None, along: list[Resource], base: str, knobs: FhirKnobs
) -> Resource:
    """One page, from match `start` on. token None: there is no other. along: what the matches brought with them."""
    page = results.matches[start : start + results.count]
    links = [{"relation": "self", "url": results.address}]
    if token is not None and start + results.count < len(results.matches) and knobs.next_link != "none":
        links.append({"relation": "next", "url": _next(results, start, token, base, knobs)})
    if token is not None and start:
        links.append({"relation": "previous", "url": f"{base}/{results.resource}?_page={token}&_from=0"})
    entries = [_entry(one, "match", base, knobs) for one in page]
    entries += [_entry(one, "include", base, knobs) for one in along]
    for text in results.remarks if not start else ():
        entries.append({"resource": outcome("warning", "not-supported", text), "search": {"mode": "outcome"}})
    made: Resource = {"resourceType": "Bundle", "id": secrets.token_hex(8), "type": "searchset", "link": links}
    if knobs.total:
        made["total"] = len(results.matches)
    return made | ({"entry": entries} if entries else {})


def _entry(one: Resource, mode: str, base: str, knobs: FhirKnobs) -> Resource:
    made: Resource = {"fullUrl": f"{base}/{one['resourceType']}/{one['id']}", "resource": one}
    return made | ({"search": {"mode": mode}} if knobs.mode else {})


def _next(results: Results, start: int, token: str, base: str, knobs: FhirKnobs) -> str:
    here = f"/{results.resource}?_page={token}&_from={start + results.count}"
    parts = urlsplit(base)
    match knobs.next_link:
        case "relative":
            return here
        case "other_host":
            return f"https://node-7.fhir.example{parts.path}{here}"
        case "http":
            return f"http://{parts.netloc}{parts.path}{here}"
        case "loop":
            return f"{base}/{results.resource}?_page={token}&_from={start}"
        case "elsewhere":
            return _ELSEWHERE
        case _:
            return f"{base}{here}"
