"""The bare minimum of enrichment and reconciliation: one session, msgspec, the same questions, bulk statements.

No limiter, retry, encryption, checkpoint, comparison with what was known, or confirmation of who is missing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
import requests

#: What hangs on a consult: a list each.
PARTS = (
    *("history", "physicalexam", "assessment", "plan", "healthstatus", "invoiceline"),
    *("presentingproblemlink", "therapeutic", "vaccination", "prescription"),
)
THREADS = 4


class Part(msgspec.Struct):
    id: str
    consult_id: str
    comments: str | None = None
    name: str | None = None
    quantity: str | None = None
    weight: str | None = None
    weight_unit: str | None = None
    temperature: str | None = None
    temperature_unit: str | None = None
    heart_rate: str | None = None
    presenting_problem_id: str | None = None


class _Record(msgspec.Struct):
    record: Part


class _Parts(msgspec.Struct):
    items: list[_Record]


class _Visit(msgspec.Struct):
    id: str


class _Wrapped(msgspec.Struct):
    appointment: _Visit


class _Meta(msgspec.Struct):
    items_page_total: int


class _Visits(msgspec.Struct):
    items: list[_Wrapped]
    meta: _Meta


class BareCases:
    """One database with cases in it, one server."""

    def __init__(self, database: str, base_url: str, practice: Any) -> None:
        self._base = base_url
        self._practice = practice
        self._session = requests.Session()
        self._session.trust_env = False
        self._parts = msgspec.json.Decoder(_Parts).decode
        self._visits = msgspec.json.Decoder(_Visits).decode
        is_sqlite = database.startswith("sqlite")
        self._mark = "?" if is_sqlite else "%s"
        self._db: Any
        if is_sqlite:
            self._db = sqlite3.connect(database.removeprefix("sqlite:///"))
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                self._db.execute(f"PRAGMA {pragma}")
        else:
            self._db = psycopg.connect(database.replace("+psycopg", ""))

    def enrich(self, together: int) -> int:
        """Read the consultations of all cases, so many at a time, and write them. Returns the cases."""
        cases = dict(self._execute("SELECT consultation_ref, id FROM cases").fetchall())
        wanted = list(cases)
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(wanted), together):
                ids = wanted[start : start + together]
                questions = [("consult", "id"), *((part, "consult_id") for part in PARTS)]
                answers = list(pool.map(lambda one, ids=ids: self._asked(*one, ids), questions))  # type: ignore[misc]
                self._keep(ids, cases, answers[1:])
        return len(cases)

    def _asked(self, part: str, field: str, ids: list[str]) -> bytes:
        query = {field: json.dumps({"in": ids}), "limit": "200", "page": "1"}
        return self._session.get(f"{self._base}/v1/{part}", params=query, timeout=30).content

    def _keep(self, ids: list[str], cases: dict[str, Any], answers: list[bytes]) -> None:
        found: dict[str, dict[str, list[Part]]] = {id_: {} for id_ in ids}
        for part, body in zip(PARTS, answers, strict=True):
            for one in self._parts(body).items:
                found[one.record.consult_id].setdefault(part, []).append(one.record)
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
        rows = [(cases[id_], self._practice, msgspec.json.encode(of).decode(), now) for id_, of in found.items()]
        self._many(
            "INSERT INTO case_consultations (case_id, practice_id, content, written_at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (case_id) DO UPDATE SET content = excluded.content, written_at = excluded.written_at",
            rows,
        )
        self._many(
            "UPDATE cases SET consultation_id = ?, enrichment_state = 'enriched', enriched_at = ? WHERE id = ?",
            [(id_, now, cases[id_]) for id_ in ids],
        )
        self._db.commit()

    def reconcile(self) -> int:
        """Read the ids of every visit; strike out what is not among them, in one statement. Returns how many."""
        seen = set(self._ids())
        stored = {id_ for (id_,) in self._execute("SELECT pms_appointment_id FROM run_sheet_appointments")}
        missing = sorted(stored - seen)
        marks = ", ".join(self._mark for _ in missing)
        now = datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
        self._db.execute(
            f"UPDATE run_sheet_appointments SET removed_at = {self._mark}, removed_cause = 'gone'"
            f" WHERE pms_appointment_id IN ({marks})",
            [now, *missing],
        )
        self._db.commit()
        return len(missing)

    def _ids(self) -> Iterator[str]:
        number = count = 1
        while number <= count:
            query = {"limit": "200", "page": str(number)}
            page = self._visits(self._session.get(f"{self._base}/v2/appointment", params=query, timeout=30).content)
            yield from (one.appointment.id for one in page.items)
            number, count = number + 1, page.meta.items_page_total

    def _execute(self, statement: str) -> Any:
        return self._db.execute(statement)

    def _many(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        self._db.cursor().executemany(statement.replace("?", self._mark), rows)

    def close(self) -> None:
        self._db.close()
        self._session.close()
