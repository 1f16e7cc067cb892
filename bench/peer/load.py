"""The peer: dlt loading the same pages into the same kind of database, merged on the appointment's id.

Runs in an environment of its own (`bench/peer/requirements.lock`) and knows nothing of the application. "documented" is
what dlt's own pages show: its requests session, a resource that yields the vendor's rows, `primary_key` and
`write_disposition="merge"`; dlt finds the columns and makes child tables by itself. "tuned" is what its pages advise
for speed: flat arrow tables of a thousand rows, parquet handed over through ADBC, its own JSON library, upsert where
the destination has it, and on SQLite an index on the key, without which each merge compares every row with every row.

`python load.py '{"way": "tuned", "database": "sqlite:////tmp/x", "base_url": "http://127.0.0.1:1/v1", …}'` prints the
seconds of each part asked for and the peak memory, as JSON. Starting Python and importing dlt is not counted.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

os.environ |= {"RUNTIME__LOG_LEVEL": "ERROR", "RUNTIME__DLTHUB_TELEMETRY": "false"}

import dlt
import orjson
import pyarrow as pa
import requests
from dlt.sources.helpers import requests as dlt_requests

#: Pages in one arrow table.
TOGETHER = 10

QUERY = {
    "fromDate": "2026-03-02T00:00:00.000+11:00",
    "toDate": "2026-03-08T23:59:59.999+11:00",
    "limit": "100",
    "include": "patients,practitioners",
}


def bodies(told: dict[str, Any], session: Any) -> Iterator[Any]:
    """Every page of every practitioner, in the order the pages come."""
    session.trust_env = False
    for who in told["practitioners"]:
        cursor = None
        while True:
            query = QUERY | {"practitionerId": who} | ({"cursor": cursor} if cursor else {})
            reply = session.get(f"{told['base_url']}/tenants/{told['tenant']}/appointments", params=query)
            body = reply.json() if told["way"] == "documented" else orjson.loads(reply.content)
            yield body
            cursor = body["pagination"].get("next")
            if cursor is None:
                break


def documented(told: dict[str, Any]) -> Any:
    @dlt.resource(name="appointments", primary_key="id", write_disposition="merge")
    def appointments() -> Iterator[Any]:
        for body in bodies(told, dlt_requests.Client().session):
            yield body["appointments"]

    return appointments


def tuned(told: dict[str, Any]) -> Any:
    strategy = "upsert" if told["database"].startswith("postgresql") else "delete-insert"

    merge = {"disposition": "merge", "strategy": strategy}

    @dlt.resource(name="appointments", primary_key="id", write_disposition=merge, file_format="parquet")  # type: ignore[call-overload, untyped-decorator]
    def appointments() -> Iterator[Any]:
        together: list[Any] = []
        for body in bodies(told, requests.Session()):
            together += _rows(body)
            if len(together) >= TOGETHER * len(body["appointments"]):
                yield pa.Table.from_pylist(together, schema=SCHEMA)
                together = []
        if together:
            yield pa.Table.from_pylist(together, schema=SCHEMA)

    return appointments


def _rows(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The columns a run sheet needs, side-loaded people joined in."""
    people = {one["id"]: one for one in (*body.get("patients", ()), *body.get("practitioners", ()))}
    rows = []
    for one in body["appointments"]:
        who = {part["referenceType"]: people[part["referenceId"]] for part in one["participant"]}
        patient, doctor = who["patient"], who["provider"]
        contact = {part["system"]: part.get("value") for part in patient.get("contact", ())}
        rows.append(
            {
                "id": one["id"],
                "starts_at": _instant(one["startAt"]),
                "ends_at": _instant(one["endAt"]) if one["endAt"] else None,
                "minutes": one["minutesDuration"],
                "status": one["status"],
                "type_id": one["appointmentType"]["reference"],
                "comment": one["comment"] or one["description"],
                "patient_id": patient["id"],
                "patient_name": f"{patient['name'].get('given')} {patient['name']['family']}",
                "patient_phone": contact.get("phone"),
                "patient_email": contact.get("email"),
                "patient_dob": patient.get("birthDate"),
                "practitioner_id": doctor["id"],
                "practitioner_name": f"{doctor['name'].get('given')} {doctor['name']['family']}",
            }
        )
    return rows


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


_TEXTS = ("comment", "patient_id", "patient_name", "patient_phone", "patient_email", "patient_dob")
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        ("starts_at", pa.timestamp("us", "UTC")),
        ("ends_at", pa.timestamp("us", "UTC")),
        ("minutes", pa.int64()),
        ("status", pa.string()),
        ("type_id", pa.string()),
        *((name, pa.string()) for name in _TEXTS),
        ("practitioner_id", pa.string()),
        ("practitioner_name", pa.string()),
    ]
)


def destination(told: dict[str, Any]) -> Any:
    database = told["database"]
    if database.startswith("sqlite"):
        return dlt.destinations.sqlalchemy(database, create_primary_keys=told["way"] == "tuned")
    url = urlsplit(database)
    # A socket's folder stands in the query; dlt wants a host, and libpq takes a folder there if it is quoted.
    query = parse_qs(url.query)
    return dlt.destinations.postgres(
        {
            "database": url.path.lstrip("/"),
            "username": url.username or query["user"][0],
            "password": url.password or "none",
            "host": url.hostname or quote(query["host"][0], safe=""),
            "port": url.port or int(query.get("port", ["5432"])[0]),
        }
    )


def check(pipeline: Any, told: dict[str, Any], part: str) -> None:
    """The measurement is worth nothing if the work was not done: every row is there, and says what was sent last."""
    few = sum(row % 20 == 7 for row in range(told["appointments"] // len(told["practitioners"])))
    changed = few * len(told["practitioners"]) if part == "changed" else 0
    minutes = "minutes" if told["way"] == "tuned" else "minutes_duration"
    with pipeline.sql_client() as client:
        ((rows, twenty, arrived),) = client.execute_sql(
            f"SELECT count(*), sum(CASE WHEN {minutes} = 20 THEN 1 ELSE 0 END),"
            " sum(CASE WHEN status = 'in_waiting_room' THEN 1 ELSE 0 END) FROM appointments"
        )
    assert (rows, twenty, arrived) == (told["appointments"], told["appointments"], changed), (rows, twenty, arrived)


def main() -> None:
    told = json.loads(sys.argv[1])
    resource_of = documented if told["way"] == "documented" else tuned
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="peer-") as home:
        pipeline = dlt.pipeline("peer", destination=destination(told), dataset_name="peer", pipelines_dir=home)
        for part in told["parts"]:
            urllib.request.urlopen(f"{told['base_url'].removesuffix('/v1')}/mode/{int(part == 'changed')}").close()
            began = time.perf_counter()
            pipeline.run(resource_of(told)()).raise_on_failed_jobs()
            spent[part] = time.perf_counter() - began
            check(pipeline, told, part)
    urllib.request.urlopen(f"{told['base_url'].removesuffix('/v1')}/mode/0").close()
    spent["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(spent))


if __name__ == "__main__":
    main()
