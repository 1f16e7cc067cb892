"""A poll of a sheet that stands as it was seen costs one indexed read, writes nothing and betrays nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from app import clock, create_app
from app.config import Settings
from app.store import sessions
from app.store.db import Store, db
from app.store.models import Membership, User, UserSession
from tests.factories import Booking, Clinic
from tests.web.pages import DAY, Browser, Visit, named, statements

TODAY = f"/run-sheet/{DAY}"


@pytest.fixture
def stamp(clinic: Clinic, reception: Visit) -> str:
    """What the receptionist's page of a day with one appointment has seen."""
    clinic.books(Booking("Ines Fennick", "9:30"))
    return reception.page(TODAY).stamp


@pytest.mark.feature("R19")
@pytest.mark.parametrize("filters", ["", "status=arrived&", "clinician=all&status=booked&status=arrived&type=t%2F2&"])
def test_an_unchanged_sheet_is_one_statement_and_no_body(
    reception: Visit, store: Store, stamp: str, filters: str
) -> None:
    with statements(store) as sent:
        answer = reception.get(f"{TODAY}?{filters}seen={stamp}", htmx=True)
    assert (answer.status_code, answer.data) == (204, b"")
    assert [named(one) for one in sent] == ["SELECT user_sessions"]


@pytest.mark.feature("R19")
def test_the_one_statement_reads_nothing_without_an_index(reception: Visit, store: Store, stamp: str) -> None:
    assert scans(store, lambda: reception.get(f"{TODAY}?seen={stamp}", htmx=True)) == []


def test_a_read_without_an_index_would_be_found(store: Store) -> None:
    def looks_everywhere() -> None:
        with store.read() as session:
            session.query(User).filter_by(name="nobody").all()

    assert scans(store, looks_everywhere) == ["users"]


def scans(store: Store, does: Callable[[], object]) -> list[str]:
    """The tables that the statements of `does` read from end to end."""
    sent: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        sent.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    does()
    event.remove(store.engine, "before_cursor_execute", note)
    assert sent
    with store.glance() as connection:
        if store.dialect == "sqlite":
            steps = [
                str(row[-1])
                for statement, bound in sent
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", bound)
            ]
            return [step.split()[1] for step in steps if step.startswith("SCAN") and step != "SCAN CONSTANT ROW"]
        # Small tables are read whole, or joined by going through two indexes, because that is quicker; the question is
        # whether they would have to be.
        for quicker in ("seqscan", "hashjoin", "mergejoin"):
            connection.exec_driver_sql(f"SET LOCAL enable_{quicker} = off")
        plans = [connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {one}", bound).scalar_one() for one, bound in sent]
    return [table for plan in plans for table in whole(plan[0]["Plan"])]


def whole(node: dict[str, Any]) -> list[str]:
    """The tables a plan of PostgreSQL reads without a condition on an index."""
    table = node.get("Relation Name")
    here = [table] if table and not {"Index Cond", "Recheck Cond"} & set(node) else []
    return here + [found for below in node.get("Plans", ()) for found in whole(below)]


@pytest.mark.feature("R19")
def test_both_ways_give_the_same_answer(
    app: Flask, reception: Visit, stamp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"{TODAY}?status=arrived&seen={stamp}"
    short = reception.get(path, htmx=True)
    monkeypatch.setattr("app.web.polls.QuietPolls._nothing_new", lambda *_: False)
    long = reception.get(path, htmx=True)
    assert (short.status, short.data) == (long.status, long.data)
    assert sorted(short.headers) == sorted(long.headers)


@pytest.mark.security("X11")
def test_in_production_the_short_cut_bears_the_same_headers(settings: Settings, clinic: Clinic, stamp: str) -> None:
    made = create_app(replace(settings, env="production"))
    made.test_client_class = Browser
    with made.app_context():
        client, here = made.test_client(), {"base_url": "https://localhost"}
        with client.session_transaction(**here) as cookie, made.extensions["runsheet.store"].write() as session:
            cookie["sid"] = sessions.start(session, clinic.people["reception"].id, clinic.id, clock.now())
        answer = client.get(f"{TODAY}?seen={stamp}", headers={"HX-Request": "true"}, **here)
        db.session.remove()
        db.engine.dispose()
    assert answer.status_code == 204
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.feature("R19")
def test_a_poll_never_extends_the_login(
    reception: Visit, store: Store, stamp: str, time: time_machine.Traveller
) -> None:
    def seen_at() -> object:
        with store.read() as session:
            return session.query(UserSession).one().last_seen_at

    before = seen_at()
    for _ in range(3):
        time.shift(4 * 60)
        with statements(store) as sent:
            assert reception.get(f"{TODAY}?seen={stamp}", htmx=True).status_code == 204
        assert not [one for one in sent if not one.startswith("SELECT")]
        assert seen_at() == before
    time.shift(4 * 60)
    assert reception.get(f"{TODAY}?seen={stamp}", htmx=True).status_code == 401


def ended(clinic: Clinic, store: Store) -> None:
    with store.write() as session:
        row = session.query(UserSession).one()
        row.ended_at = row.created_at


def switched_off(clinic: Clinic, store: Store) -> None:
    with store.write() as session:
        session.get_one(User, clinic.people["reception"].id).active = False


def no_member_any_more(clinic: Clinic, store: Store) -> None:
    with store.write() as session:
        session.query(Membership).filter_by(user_id=clinic.people["reception"].id).one().active = False


@pytest.mark.security("X13")
@pytest.mark.parametrize("change", [ended, switched_off, no_member_any_more])
def test_nobody_who_is_out_hears_even_that_nothing_changed(
    clinic: Clinic, reception: Visit, store: Store, stamp: str, change: Callable[[Clinic, Store], None]
) -> None:
    assert reception.get(f"{TODAY}?seen={stamp}", htmx=True).status_code == 204
    change(clinic, store)
    assert reception.get(f"{TODAY}?seen={stamp}", htmx=True).status_code == 401


@pytest.mark.security("X5")
@pytest.mark.parametrize("cookie", ["", "made up", "eyJzaWQiOiJ4In0.Zz.forged"])
def test_a_cookie_we_did_not_sign_is_no_session(app: Flask, nobody: Visit, stamp: str, cookie: str) -> None:
    nobody.client.set_cookie("runsheet", cookie)
    assert nobody.get(f"{TODAY}?seen={stamp}", htmx=True).status_code == 401


@pytest.mark.security("X14")
def test_another_practice_s_stamp_is_compared_with_the_own_sheet_only(
    clinic: Clinic, stranger: Visit, reception: Visit, stamp: str
) -> None:
    clinic.books(*(Booking(f"Patient {n}", "9:40") for n in range(3)))
    ours = reception.page(TODAY).stamp
    assert ours != stranger.page(TODAY).stamp
    assert reception.get(f"{TODAY}?seen={ours}", htmx=True).status_code == 204
    assert stranger.get(f"{TODAY}?seen={ours}", htmx=True).status_code == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"{TODAY}?seen={{}}", {"HX-Request": "true", "HX-Boosted": "true"}),
        (f"{TODAY}?seen={{}}", {"HX-Request": "true", "HX-History-Restore-Request": "true"}),
        (f"{TODAY}?seen={{}}", {}),
        (f"{TODAY}?seen=", {"HX-Request": "true"}),
    ],
)
def test_whoever_wants_the_page_gets_it(reception: Visit, stamp: str, path: str, headers: dict[str, str]) -> None:
    answer = reception.client.get(path.format(stamp), headers=headers)
    assert answer.status_code == 200
    assert "Ines Fennick" in answer.text


def test_a_database_that_does_not_answer_is_told_by_the_long_way(
    reception: Visit, stamp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("disk I/O error"))

    monkeypatch.setattr(sessions, "stamp_for", refuses)
    assert reception.get(f"{TODAY}?seen={stamp}", htmx=True).status_code == 204
    monkeypatch.setattr(sessions, "find", refuses)
    assert reception.get(f"{TODAY}?seen={stamp}", htmx=True).status_code == 500
