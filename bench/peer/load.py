"""The peer: dlt loading the same pages into the same kind of database, merged on the appointment's id.

Runs in an environment of its own (`bench/peer/requirements.lock`) and knows nothing of the application. "documented" is
what dlt's own pages show: a resource that yields the vendor's rows, `primary_key` and `write_disposition="merge"`; dlt
finds the columns and makes child tables by itself. "tuned" hands it one flat arrow table a page, with no compression,
and the upsert strategy where the destination has one.

`python load.py '{"way": "tuned", "database": "sqlite:////tmp/x", "base_url": "http://127.0.0.1:1/v1", …}'` prints the
seconds of a first, an unchanged and a changed load, and the peak memory, as JSON.
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

for _name, _value in {
    "RUNTIME__LOG_LEVEL": "ERROR",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "DATA_WRITER__DISABLE_COMPRESSION": "false",
}.items():
    os.environ[_name] = _value

import dlt  # noqa: E402 - it reads its settings when it is imported
import pyarrow as pa  # noqa: E402
from dlt.sources.helpers import requests  # noqa: E402

QUERY = {
    "fromDate": "2026-03-02T00:00:00.000+11:00",
    "toDate": "2026-03-08T23:59:59.999+11:00",
    "limit": "100",
    "include": "patients,practitioners",
}


def bodies(told: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every page of every practitioner, in the order the pages come."""
    session = requests.Client().session
    session.trust_env = False
    for who in told["practitioners"]:
        cursor = None
        while True:
            query = QUERY | {"practitionerId": who} | ({"cursor": cursor} if cursor else {})
            body = session.get(f"{told['base_url']}/tenants/{told['tenant']}/appointments", params=query).json()
            yield body
            cursor = body["pagination"].get("next")
            if cursor is None:
                break


def documented(told: dict[str, Any]) -> Any:
    @dlt.resource(name="appointments", primary_key="id", write_disposition="merge")
    def appointments() -> Iterator[Any]:
        for body in bodies(told):
            yield body["appointments"]

    return appointments


def tuned(told: dict[str, Any]) -> Any:
    strategy = "upsert" if told["database"].startswith("postgresql") else "delete-insert"

    @dlt.resource(
        name="appointments",
        primary_key="id",
        write_disposition={"disposition": "merge", "strategy": strategy},  # type: ignore[arg-type]
    )
    def appointments() -> Iterator[Any]:
        for body in bodies(told):
            yield _table(body)

    return appointments


def _table(body: dict[str, Any]) -> Any:
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
    return pa.Table.from_pylist(rows, schema=SCHEMA)


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


def destination(database: str) -> Any:
    if database.startswith("sqlite"):
        return dlt.destinations.sqlalchemy(database)
    url = urlsplit(database)
    # A socket's folder stands in the query; dlt wants a host, and libpq takes a folder there if it is quoted.
    told = parse_qs(url.query)
    host = url.hostname or quote(told["host"][0], safe="")
    return dlt.destinations.postgres(
        {
            "database": url.path.lstrip("/"),
            "username": url.username or told["user"][0],
            "password": url.password or "none",
            "host": host,
            "port": url.port or int(told.get("port", ["5432"])[0]),
        }
    )


def main() -> None:
    told = json.loads(sys.argv[1])
    resource_of = documented(told) if told["way"] == "documented" else tuned(told)
    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="peer-") as home:
        pipeline = dlt.pipeline("peer", destination=destination(told["database"]), dataset_name="peer", pipelines_dir=home)
        for part in ("first", "unchanged", "changed"):
            mode = f"{told['base_url'].removesuffix('/v1')}/mode/{int(part == 'changed')}"
            urllib.request.urlopen(mode).close()
            began = time.perf_counter()
            pipeline.run(resource_of()).raise_on_failed_jobs()
            spent[part] = time.perf_counter() - began
        with pipeline.sql_client() as client:
            ((rows,),) = client.execute_sql("SELECT count(*) FROM appointments")
        assert rows == told["appointments"], rows
    urllib.request.urlopen(f"{told['base_url'].removesuffix('/v1')}/mode/0").close()
    spent["peak MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(spent))


if __name__ == "__main__":
    main()
