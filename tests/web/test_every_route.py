"""Every route there is, walked: who may call it, with whose ids, and that reading writes nothing.

What the routes are is asked of the application; who may call them is written down here a second time, on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, inspect, text
from werkzeug.routing import Rule

from app import clock
from app.domain.discovery import Person
from app.domain.status import Status
from app.security.roles import Role
from app.security.vault import Vault
from app.store import patients, quarantine, reviews, rows, sync_runs
from app.store.appointments import Source
from app.store.db import Store
from app.store.models.sync import Trigger
from app.store.quarantine import Bad
from app.store.rows import Act
from app.store.sync_runs import Ask
from app.web.security import access_of
from tests.factories import Booking, Clinic
from tests.fixtures.databases import KEY
from tests.web.pages import DAY, HTMX, Visit

DESK, ADMINS = {"receptionist", "admin", "owner"}, {"admin", "owner"}
EVERYBODY = DESK | {"clinician"}
#: Who may call what, as the table of roles in the requirements says; None is everybody, signed in or not.
ALLOWED: dict[str, set[str] | None] = {
    "/": None,
    "/static/": None,
    "/login": None,
    "/logout": None,
    "/practices": EVERYBODY,
    "/run-sheet": EVERYBODY,
    "/run-sheet/<date:day>/walk-in": DESK,
    "/appointments/": EVERYBODY,  # a clinician's writes: own rows only, tested beside the rows
    "/sync-now": EVERYBODY,
    "/sync-history": EVERYBODY,
    "/connections": ADMINS,
    "/quarantine": ADMINS,
    "/held-removals": ADMINS,
    "/patients": EVERYBODY,
    "/patients/assign": ADMINS,
    "/patients/remove": ADMINS,
    "/patients/discover": ADMINS,
    "/patients/reviews": ADMINS,
}
STEPS = ("code", "identity", "clinicians", "types", "preview", "live")


def allowed(rule: str) -> set[str] | None:
    """The longest entry that the rule begins with; a route nobody thought of fails."""
    found = [entry for entry in ALLOWED if rule == entry or (entry != "/" and rule.startswith(entry))]
    assert found, f"{rule}: say in ALLOWED who may call it"
    return ALLOWED[max(found, key=len)]


def routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method


@dataclass
class Ids:
    """One of everything a practice has, by the name an address gives it."""

    appointment_id: str
    event_id: str
    connection_id: str
    run_id: str
    record_id: str
    hold_id: str
    patient_id: str
    review_id: str

    def path(self, rule: Rule, step: str = "code") -> str:
        """The rule's address. An argument nobody gave an id for fails."""
        given = {**vars(self), "day": DAY, "step": step, "filename": "app.css"}
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: given[found[1]], rule.rule)

    def paths(self, rule: Rule) -> list[str]:
        return [self.path(rule, step) for step in (STEPS if "step" in rule.arguments else ("",))]


def ids_of(clinic: Clinic, who: str, name: str, store: Store) -> Ids:
    """An appointment, a press on it that can be undone, a connection, a run, a record set aside, a held removal."""
    person = clinic.people[who].id
    with store.write() as session:
        row = rows.locked(session, clinic.id, clinic.row_id(name))
        act = Act(person, clock.now())
        done = rows.set_status(session, row, Status.ARRIVED, seen_version=row.row_version, act=act)
        assert clinic.connection_id is not None
        ask = Ask(clinic.id, clinic.connection_id, ("inbound",), clinic.today, clinic.today, Trigger.MANUAL, person)
        run = sync_runs.request(session, ask, clock.now()).run_id
        source = Source(clinic.id, clinic.connection_id, run, clock.now())
        bad = Bad(None, "$.startAt", "missing", f'{{"name": "{name}", "comment": "Hears badly"}}'.encode())
        quarantine.keep(session, Vault(KEY), source, [bad])
        (record,) = quarantine.of_run(session, run)
    hold = clinic.holds(name)
    clinic.finds(*(Person(*name.split(), f"{who}@example.com") for _ in range(2)))
    with store.read() as session:
        (patient,) = patients.listed(session, clinic.id)
        (asked,) = reviews.listed(session, clinic.id)
    made = (row.id, done.id, clinic.connection_id, run, record.id, hold, patient.id, asked.review.id)
    return Ids(*map(str, made))


@pytest.fixture
def ours(clinic: Clinic, store: Store) -> Ids:
    clinic.books(Booking("Ines Fennick", "9:30"))
    return ids_of(clinic, "owner", "Ines Fennick", store)


@pytest.fixture
def theirs(far_clinic: Clinic, store: Store) -> Ids:
    return ids_of(far_clinic, "stranger", "Fergus Elsewhere", store)


# --- X13 --------------------------------------------------------------------------------------------------------------


@pytest.mark.security("X13")
def test_every_route_declares_what_it_asks_for(app: Flask) -> None:
    for rule, method in routes(app):
        access = access_of(app.view_functions[rule.endpoint])
        assert access is not None, f"{method} {rule.rule} declares nothing"
        assert (access.permission is None and not access.machine) == (allowed(rule.rule) is None), rule.rule


def reached(view: Callable[..., Any]) -> Callable[..., str]:
    """A view of the same permission that does nothing but say it was reached."""

    def says(**_: object) -> str:
        return "reached"

    says.runsheet_access = access_of(view)  # type: ignore[attr-defined]
    return says


@pytest.mark.security("X13")
@pytest.mark.parametrize("role", list(Role))
def test_every_route_lets_in_exactly_the_roles_it_is_for(app: Flask, clinic: Clinic, ours: Ids, role: Role) -> None:
    visit = Visit(app, clinic.person(f"some{role.value}", role))
    app.view_functions |= {name: reached(view) for name, view in app.view_functions.items()}
    let_in = set()
    for rule, method in routes(app):
        may = allowed(rule.rule)
        for headers in ({}, HTMX):
            form = {"csrf_token": visit.token} if method == "POST" else None
            answer = visit.client.open(ours.path(rule), method=method, data=form, headers=headers)
            told = (answer.status_code, answer.text == "reached")
            assert told == ((200, True) if may is None or role.value in may else (403, False)), (method, rule.rule)
        let_in.add(method) if may and role.value in may else None
    assert let_in == {"GET", "POST"}


@pytest.mark.security("X13")
def test_nobody_gets_anywhere_without_signing_in(app: Flask, ours: Ids, nobody: Visit) -> None:
    app.view_functions |= {name: reached(view) for name, view in app.view_functions.items()}
    for rule, method in routes(app):
        if allowed(rule.rule) is None:
            continue
        path, form = ours.path(rule), {"csrf_token": nobody.token} if method == "POST" else None
        page = nobody.client.open(path, method=method, data=form)
        back = f"?next={path}" if method == "GET" else ""
        assert (page.status_code, page.location) == (303, f"/login{back}"), (method, path)
        part = nobody.client.open(path, method=method, data=form, headers=HTMX)
        assert (part.status_code, part.data) == (401, b""), (method, path)
        assert part.headers["HX-Redirect"] == f"/login{back}"


# --- X14 --------------------------------------------------------------------------------------------------------------


def everything_of(store: Store, practice_id: object) -> dict[str, list[str]]:
    """All that is stored of a practice, table by table."""
    found = {}
    key = practice_id.hex if store.dialect == "sqlite" else practice_id  # type: ignore[attr-defined]
    with store.read() as session:
        for table in inspect(store.engine).get_table_names():
            columns = {column["name"] for column in inspect(store.engine).get_columns(table)}
            if "practice_id" in columns and table != "user_sessions":
                query = text(f'SELECT * FROM "{table}" WHERE practice_id = :practice')
                found[table] = sorted(map(str, session.execute(query, {"practice": key})))
    return found


def without_its_number(answer: Any) -> str:
    """An error page without what differs each time: its number and the form token."""
    return re.sub(r"<code>\w+</code>|\(\w{8}\)|(value|X-CSRFToken&#34;:\s*)=?\"[^\"]*\"|ImY[\w.-]+", "", answer.text)


@pytest.mark.security("X14")
@pytest.mark.parametrize("who", ["owner", "stranger"])
def test_whatever_the_id_nothing_of_another_practice_answers_or_changes(
    store: Store, app: Flask, clinic: Clinic, far_clinic: Clinic, owner: Visit, stranger: Visit, ours: Ids, theirs: Ids,
    who: str,
) -> None:  # fmt: skip
    visit, others, practice = (owner, theirs, far_clinic) if who == "owner" else (stranger, ours, clinic)
    unknown = Ids(*[f"00000000-0000-4000-8000-00000000000{n}" for n in range(len(fields(Ids)))])
    before = everything_of(store, practice.id)
    assert sum(map(len, before.values())) > 8
    tried = 0
    for rule, method in routes(app):
        if not {one.name for one in fields(Ids)} & rule.arguments:
            continue
        for path, nowhere in zip(others.paths(rule), unknown.paths(rule), strict=True):
            for headers in ({}, HTMX):
                form = {"csrf_token": visit.token, "version": "1", "status": "completed", "note": "x", "minutes": "1"}
                form["word"] = "keep"
                sent = {"method": method, "headers": headers, "data": form if method == "POST" else None}
                answer = visit.client.open(path, **sent)
                assert answer.status_code == 404, (method, path)
                # To a stranger it looks exactly like what does not exist.
                assert without_its_number(answer) == without_its_number(visit.client.open(nowhere, **sent))
                tried += 1
    assert tried > 40
    assert everything_of(store, practice.id) == before


@pytest.mark.security("X14")
def test_the_same_ids_open_for_the_own_practice(app: Flask, owner: Visit, ours: Ids) -> None:
    for rule, method in routes(app):
        if method == "GET" and rule.arguments:
            for path in ours.paths(rule):
                assert owner.get(path).status_code in (200, 303), path


@pytest.mark.security("X14")
@pytest.mark.parametrize("what", [one.name for one in fields(Ids)])
def test_an_id_in_a_query_or_a_form_opens_nothing_either(
    store: Store, clinic: Clinic, far_clinic: Clinic, owner: Visit, theirs: Ids, what: str
) -> None:
    before = everything_of(store, far_clinic.id)
    id_ = getattr(theirs, what)
    for path in (
        "/sync-history",
        "/quarantine",
        "/held-removals",
        "/patients",
        "/patients/unaffiliated",
        "/patients/reviews",
        "/sync-now",
        "/run-sheet",
        f"/run-sheet/{DAY}",
        f"/run-sheet/{DAY}/walk-in",
    ):
        for name in ("connection", "run", "clinician", "type", "seen"):
            assert "Elsewhere" not in owner.get(f"{path}?{name}={id_}").text
    owner.post("/sync-now", {"connection": id_, "connection_id": id_})
    for path in ("/patients/assign", "/patients/remove"):
        owner.post(path, {"patient": id_, "organization": id_, "new": "Somewhere"})
    assert everything_of(store, far_clinic.id) == before


# --- X8 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.security("X8")
@pytest.mark.parametrize("role", list(Role))
def test_no_page_that_is_only_read_writes_anything(
    app: Flask, clinic: Clinic, ours: Ids, store: Store, role: Role
) -> None:
    visit = Visit(app, clinic.person(f"some{role.value}", role))
    written: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "BEGIN", "SAVEPOINT", "RELEASE", "PRAGMA")):
            written.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    opened = 0
    for rule, method in routes(app):
        for path in ours.paths(rule) if method == "GET" else ():
            for more in ("", "?status=arrived&q=x", "?seen=", "?page=2&outcome=failed", f"?run={ours.run_id}&seen=1"):
                for headers in ({}, {"HX_Request": "true"}):
                    answer = visit.get(path + more, **headers)
                    assert answer.status_code < 500, (path, more)
                    opened += answer.status_code == 200
    event.remove(store.engine, "before_cursor_execute", note)
    assert opened > 60
    assert written == []


# --- what goes along with every answer --------------------------------------------------------------------------------


@pytest.mark.security("X9")
@pytest.mark.security("X11")
@pytest.mark.security("X12")
def test_every_answer_of_every_route_bears_the_headers(app: Flask, owner: Visit, nobody: Visit, ours: Ids) -> None:
    for rule, method in routes(app):
        for visit in (owner, nobody):
            for headers in ({}, HTMX):
                answer = visit.client.open(ours.path(rule), method=method, headers=headers)  # a write: without token
                told = (method, rule.rule, answer.status_code)
                assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'"), (
                    told
                )
                assert answer.headers["X-Content-Type-Options"] == "nosniff", told
                assert answer.headers["Referrer-Policy"] == "no-referrer", told
                assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", told
                if rule.endpoint != "static":
                    assert answer.headers["Cache-Control"] == "no-store", told


@pytest.mark.security("X28")
def test_no_address_and_no_header_of_any_page_tells_of_a_patient(
    app: Flask, clinic: Clinic, owner: Visit, ours: Ids
) -> None:
    clinic.books(
        Booking("Zebulon Quirke", "9:40", email="zebulon@example.com", phone="0491 570 158", comment="Hears badly")
    )
    address = re.compile(r'(?:href|src|action|hx-get|hx-post|hx-push-url|value)="([^"]*)"')
    crawled = 0
    for rule, method in routes(app):
        for path in ours.paths(rule) if method == "GET" else ():
            answer = owner.get(path)
            looked = [one for one in address.findall(answer.text) if one.startswith(("/", "http", "?"))]
            crawled += len(looked)
            for text_ in (*looked, str(answer.headers)):
                for secret in ("quirke", "zebulon", "fennick", "1570158", "570 158", "1971-03-09", "badly"):
                    assert secret not in text_.lower(), (path, text_)
    assert crawled > 200
