"""An ezyVet that only hands out records it made before, joined to the list that was asked for.

`python -m bench.hospital CASES` prints its port. Every visit is over, has its animal, client and consult. After
`/mode/1` a few visits of each day are no longer known (`gone`).
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from bench import pages
from bench.server import response, serve

TOKEN = b'{"access_token":"bench","expires_in":43200,"token_type":"Bearer"}'
PAGE = 200
RESOURCES = 20
#: Visits that are gone after `/mode/1`, of each day: few enough to be asked for one by one within a single run.
GONE_A_DAY = 2
_SENTENCES = " ".join(["Bright, alert and responsive; appetite and thirst as usual, no cough, no sneeze."] * 6)


def gone(cases: int) -> set[int]:
    """Indices of the visits that mode 1 does not know."""
    each = cases // pages.DAYS
    return {day * each + number for day in range(pages.DAYS) for number in range(GONE_A_DAY)}


def starts_at(cases: int, number: int) -> datetime:
    day = pages.FIRST_DAY + timedelta(days=min(number * pages.DAYS // cases, pages.DAYS - 1))
    return datetime(day.year, day.month, day.day, 8, tzinfo=pages.ZONE) + timedelta(minutes=number % 600)


def _visit(cases: int, number: int) -> dict[str, Any]:
    return {
        "id": str(number + 1),
        "active": "1",
        "start_at": str(int(starts_at(cases, number).timestamp())),
        "duration": "20",
        "type_id": "1",
        "status_id": "1",
        "description": "Check-up",
        "animal_id": str(number + 1),
        "contact_id": str(number + 1),
        "consult_id": str(number + 1),
        "resources": [{"id": str(number % RESOURCES + 1)}],
    }


def _of_consult(**more: Any) -> Callable[[int, str], dict[str, Any]]:
    return lambda number, at: {
        "id": str(number + 1),
        "consult_id": str(number + 1),
        "active": "1",
        "created_at": at,
        "modified_at": at,
        "timestamp": at,
        **more,
    }


#: Lists asked for by ids: path -> (the field that is asked for, a record by number and time of the visit).
_BY_ID: dict[str, tuple[str, Callable[[int, str], dict[str, Any]]]] = {
    "/v1/animal": (
        "id",
        lambda n, at: {"id": str(n + 1), "name": f"Animal{n}", "species_id": "1", "breed_id": "1", "contact_id": n + 1},
    ),
    "/v1/contact": ("id", lambda n, at: {"id": str(n + 1), "first_name": "Paula", "last_name": f"Bench{n:05}"}),
    "/v1/contactdetail": (
        "contact_id",
        lambda n, at: {
            "id": str(n + 1),
            "contact_id": str(n + 1),
            "active": "1",
            "value": f"0491 570 {n % 1000:03}",
            "contact_detail_type_id": "1",
            "modified_at": at,
        },
    ),
    "/v1/consult": (
        "id",
        lambda n, at: {"id": str(n + 1), "date": at, "animal_id": str(n + 1), "created_at": at, "modified_at": at},
    ),
    "/v1/history": ("consult_id", _of_consult(comments=_SENTENCES)),
    "/v1/physicalexam": ("consult_id", _of_consult(comments=_SENTENCES)),
    "/v1/assessment": ("consult_id", _of_consult(comments="Healthy.")),
    "/v1/plan": ("consult_id", _of_consult(comments="See again in a year.")),
    "/v1/healthstatus": (
        "consult_id",
        _of_consult(weight="4.20", weight_unit="kg", temperature="38.5", temperature_unit="C", heart_rate="120"),
    ),
    "/v1/invoiceline": ("consult_id", _of_consult(name="Consultation", quantity="1")),
    "/v1/presentingproblemlink": ("consult_id", _of_consult(presenting_problem_id="1")),
    "/v1/therapeutic": ("consult_id", _of_consult(name="Nail trim", comments=None)),
}
_SMALL: dict[str, list[dict[str, Any]]] = {
    "/v3/siteInformation": [{"id": "1", "uid": "bench", "name": "Bench", "timezone": {"name": "Australia/Melbourne"}}],
    "/v2/appointmenttype": [{"id": "1", "name": "Video consult", "active": "1", "default_duration": "20"}],
    "/v1/appointmentstatus": [{"id": "1", "name": "Completed"}],
    "/v1/resource": [{"id": str(n + 1), "name": f"Dr Bench{n:02}", "active": "1"} for n in range(RESOURCES)],
    "/v1/species": [{"id": "1", "name": "Cat"}],
    "/v1/breed": [{"id": "1", "name": "Domestic shorthair"}],
    "/v1/contactdetailtype": [{"id": "1", "name": "Mobile"}],
    "/v1/presentingproblem": [{"id": "1", "name": "Routine check"}],
    "/v1/vaccination": [],
    "/v1/prescription": [],
}


class Answers:
    """Every record there is."""

    def __init__(self, cases: int) -> None:
        self.mode = 0
        missing = gone(cases)
        stamps = [str(int(starts_at(cases, number).timestamp())) for number in range(cases)]
        visits = {str(number + 1): _bytes("appointment", _visit(cases, number)) for number in range(cases)}
        here = {id_: record for id_, record in visits.items() if int(id_) - 1 not in missing}
        self._visits = (visits, here)
        self._pages = [_paged(list(of.values())) for of in self._visits]
        self._small = {path: _listed([_bytes("record", one) for one in rows]) for path, rows in _SMALL.items()}
        self._by_id = {
            path: (field, {str(number + 1): _bytes("record", made(number, stamps[number])) for number in range(cases)})
            for path, (field, made) in _BY_ID.items()
        }

    def to(self, line: bytes) -> bytes:
        url = urlsplit(line.split(b" ", 2)[1].decode())
        if url.path.startswith("/mode/"):
            self.mode = int(url.path.rsplit("/", 1)[1])
            return response(b"{}")
        query = parse_qs(url.query)
        if url.path == "/v2/appointment":
            return self._pages[self.mode][int(query["page"][0]) - 1]
        if url.path.startswith("/v2/appointment/"):
            found = self._visits[self.mode].get(url.path.rsplit("/", 1)[1])
            return _listed([found] if found else [])
        if url.path in self._by_id:
            field, records = self._by_id[url.path]
            return _listed([records[id_] for id_ in json.loads(query[field][0])["in"] if id_ in records])
        return self._small.get(url.path) or response(TOKEN)


def _bytes(kind: str, record: dict[str, Any]) -> bytes:
    return json.dumps({kind: record}).encode()


def _listed(records: Iterable[bytes], number: int = 1, count: int = 1, total: int | None = None) -> bytes:
    held = list(records)
    meta = {"items_page": number, "items_page_total": count, "items_total": len(held) if total is None else total}
    return response(b'{"items":[%s],"meta":%s}' % (b",".join(held), json.dumps(meta).encode()))


def _paged(records: list[bytes]) -> list[bytes]:
    count = max(1, -(-len(records) // PAGE))
    cut = (records[number * PAGE : (number + 1) * PAGE] for number in range(count))
    return [_listed(part, number + 1, count, len(records)) for number, part in enumerate(cut)]


if __name__ == "__main__":
    asyncio.run(serve(Answers(int(sys.argv[1])), 0))
