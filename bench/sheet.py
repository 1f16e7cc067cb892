"""The run sheet's page of 60 rows and its unchanged poll under gunicorn, beside a bare Flask + Jinja page of the same
rows and a bare 204, under the same gunicorn, in turn."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
from flask import Flask

from bench.load import load
from bench.world import KEY, databases, redis

ROWS = 60
WORKERS = 2
PASSWORD = "four unrelated bench words"
#: The same rows as one would simply write them: the same cells, the same buttons that work without a script.
_BARE_PAGE = """<!doctype html><title>Bare</title><table>{% for row in rows %}<tr id="r-{{ row.id }}">
<td><time datetime="{{ row.starts_at }}">{{ row.starts_at[11:16] }}</time></td>
<th scope="row"><a href="/appointments/{{ row.id }}">{{ row.patient_name }}</a></th>
<td><svg aria-hidden="true"><use href="#s-{{ row.pms_status }}"/></svg>{{ row.pms_status }}</td>
<td>{{ row.pms_type_name }} · {{ row.minutes }} min</td><td>{{ row.staff_note or "" }}</td>
<td><form method="post" action="/appointments/{{ row.id }}/status">
<input type="hidden" name="version" value="{{ row.row_version }}">
<input type="hidden" name="csrf_token" value="{{ token }}">
<details><summary aria-label="More for {{ row.patient_name }}">…</summary>
{% for status in statuses %}<button name="status" value="{{ status }}">{{ status }}</button>{% endfor %}
<a href="/appointments/{{ row.id }}/note">Note</a><a href="/appointments/{{ row.id }}">Details</a></details>
</form></td></tr>{% endfor %}</table>"""
_BARE_QUERY = """SELECT id, row_version, starts_at, patient_name, pms_status, pms_type_name, staff_note,
appointment_duration_minutes AS minutes FROM run_sheet_appointments ORDER BY starts_at"""
_STATUSES = ("arrived", "in_progress", "completed", "no_show", "cancelled")


def bare_app(database: str) -> Flask:
    """Flask, Jinja and one SELECT; no sign-in, no headers, no groups, no filters."""
    app = Flask("bare")
    path = database.removeprefix("sqlite:///")
    page = app.jinja_env.from_string("{% autoescape true %}" + _BARE_PAGE + "{% endautoescape %}")

    @app.get("/sheet")
    def sheet() -> str:
        with sqlite3.connect(path) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute(_BARE_QUERY).fetchall()
        connection.close()
        return page.render(rows=[dict(row) for row in rows], token="x" * 90, statuses=_STATUSES)

    @app.get("/poll")
    def poll() -> tuple[str, int]:
        return "", 204

    return app


def settings(database: str, home: str, redis_url: str, port: int) -> Any:
    from app.config import Settings

    return Settings(
        home=Path(home),
        database_url=database,
        secret_key="only for the measurement, 0123456789",
        encryption_key=KEY,
        env="test",
        redis_url=redis_url,
        port=port,
        log_level="error",
    )


def serve(who: str, database: str, home: str, redis_url: str, port: int) -> None:
    """One of the two under gunicorn, with the settings `runsheet web` uses."""
    from app.cli.pages import Gunicorn

    class Bare(Gunicorn):
        def load(self) -> Any:
            return bare_app(database)

    (Bare if who == "bare" else Gunicorn)(settings(database, home, redis_url, port), WORKERS).run()


@contextmanager
def serving(who: str, database: str, home: str, redis_url: str, port: int) -> Iterator[None]:
    told = json.dumps([who, database, home, redis_url, port])
    process = subprocess.Popen([sys.executable, "-m", "bench.sheet", told])
    try:
        _await(f"http://127.0.0.1:{port}/{'poll' if who == 'bare' else 'login'}")
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _await(url: str) -> None:
    for _ in range(200):
        try:
            if requests.get(url, timeout=2).status_code < 500:
                return
        except requests.RequestException:
            time.sleep(0.05)
    raise RuntimeError("the server did not come up")


def seed(database: str, home: str) -> None:
    """A practice with one user, six clinicians and 60 appointments today."""
    from app import clock, create_app
    from app.domain.window import day_of, day_start, zone_of
    from app.security.roles import Role
    from app.store import appointments, catalogue, connections, practices, sweeps
    from app.store.columns import PMS_CONTENT
    from app.store.models.connection import Environment

    app = create_app(settings(database, home, "redis://127.0.0.1:1", 0))
    with app.app_context():
        store = app.extensions["runsheet.store"]
        with store.write() as session:
            practice = practices.create(session, "Bench", "Australia/Melbourne")
            practices.add_user(session, practice, practices.NewUser("a@example.com", "A", Role.RECEPTIONIST, PASSWORD))
            connection = connections.create(session, practice, "gentu", "Bench", Environment.SIMULATOR)
            connections.bind_tenant(session, connection, "bench")
            connections.activate(session, connection, practice, clock.now())
            connections.after_run(
                session, connection, state=_success(), reason=None, needs_a_person=False, now=clock.now()
            )
            zone = zone_of(practice.timezone)
            today = day_of(clock.now(), zone)
            sheet = appointments.ensure_sheets(session, practice.id, [today])[today]
            people = [_practitioner(number) for number in range(6)]
            catalogue.keep_practitioners(session, connection.id, people)
            catalogue.map_everybody(session, practice.id, connection.id)
            source = appointments.Source(practice.id, connection.id, uuid4(), clock.now())
            start = day_start(today, zone) + timedelta(hours=8)
            rows = [_row(number, start, people[number % 6], sheet, PMS_CONTENT) for number in range(ROWS)]
            appointments.write_page(session, source, rows, [])
            swept = [sweeps.Swept(today, person.external_id, 10, {}) for person in people]
            sweeps.record(session, source, swept)
        store.engine.dispose()


def _success() -> Any:
    from app.store.models.sync import RunState

    return RunState.SUCCESS


def _practitioner(number: int) -> Any:
    from app.domain.appointment import Practitioner

    return Practitioner(f"p{number}", f"Dr Bench {number}")


def _row(number: int, start: datetime, person: Any, sheet: Any, names: tuple[str, ...]) -> dict[str, Any]:
    at = start + timedelta(minutes=10 * (number // 6))
    told: dict[str, Any] = dict.fromkeys(names)
    return told | {
        "pms_appointment_id": f"a{number}",
        "run_sheet_id": sheet,
        "fingerprint": number.to_bytes(16, "big"),
        "pms_patient_id": f"x{number}",
        "pms_practitioner_id": person.external_id,
        "pms_practitioner_name": person.full_name,
        "pms_type_id": "t1",
        "pms_type_name": "Telehealth Consultation",
        "starts_at": at,
        "ends_at": at + timedelta(minutes=20),
        "appointment_duration_minutes": 20,
        "pms_status": ("booked", "confirmed", "arrived", "in_progress")[number % 4],
        "pms_status_raw": "none",
        "is_telehealth": True,
        "patient_name": f"Bench Patient {number}",
        "patient_phone": "+61491570156",
    }


def _signed_in(port: int) -> tuple[dict[str, str], str]:
    """Headers of a signed-in browser, and the stamp its page has seen."""
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(f"http://127.0.0.1:{port}/login", timeout=5).text
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert token is not None
        form = {"email": "a@example.com", "password": PASSWORD, "csrf_token": token[1]}
        answer = browser.post(f"http://127.0.0.1:{port}/login", data=form, timeout=5)
        seen = re.search(r"seen=([\d.]+)", answer.text)
        assert answer.ok and seen is not None, "could not sign in"
        cookie = "; ".join(f"{one.name}={one.value}" for one in browser.cookies)
    return {"Cookie": cookie}, seen[1]


def compare(rounds: int, seconds: float = 3.0) -> dict[str, Any]:
    """Requests a second, ours / bare, of the page and of the unchanged poll: medians over alternating rounds."""
    rates: dict[str, list[float]] = {"bare page": [], "page": [], "bare poll": [], "poll": []}
    with databases(("sqlite",)) as makers, redis() as redis_url, tempfile.TemporaryDirectory(prefix="rsb-") as home:
        database = makers["sqlite"].fresh()
        seed(database, home)
        port = 5900 + os.getpid() % 1000
        for _ in range(rounds):
            with serving("bare", database, home, redis_url, port):
                rates["bare page"].append(load(port, "/sheet", {}, seconds=seconds).requests_per_second)
                rates["bare poll"].append(load(port, "/poll", {}, seconds=seconds).requests_per_second)
            with serving("ours", database, home, redis_url, port):
                headers, seen = _signed_in(port)
                page = load(port, "/run-sheet", headers, seconds=seconds)
                day = requests.get(f"http://127.0.0.1:{port}/run-sheet", headers=headers, timeout=5).text
                path = re.search(r'hx-get="([^"]*seen=[^"]*)"', day)
                assert path is not None
                poll = load(port, path[1].replace("&amp;", "&"), headers | {"HX-Request": "true"}, seconds=seconds)
                assert set(page.statuses) == {200} and set(poll.statuses) == {204}, (page, poll, seen)
                rates["page"].append(page.requests_per_second)
                rates["poll"].append(poll.requests_per_second)
    middle = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "page": middle["page"] / middle["bare page"],
        "poll": middle["poll"] / middle["bare poll"],
        **{f"{name} a second": value for name, value in middle.items()},
    }


if __name__ == "__main__":
    who, database, home, redis_url, port = json.loads(sys.argv[1])
    serve(who, database, home, redis_url, int(port))
