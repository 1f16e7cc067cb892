"""What simulated vendors share, over a vendor that is nobody's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, jsonify, request
from flask.testing import FlaskClient

from app.errors import InvalidInput, NotFound, RunsheetError
from app.sandbox.clinic.clock import ClinicClock
from app.sandbox.options import Options
from app.sandbox.stage import control
from app.sandbox.stage.cast import Setup
from app.sandbox.stage.stage import Knobs, Stage, current, open_book, put_on

KIND, BASE, NOON = "nobody", "/nobody/v1", datetime(2026, 3, 9, 1, tzinfo=UTC)
DAY = "2026-03-09"


def refusal(status: int, text: str) -> Response:
    return Response(text, status)


def door() -> Response | None:
    good = current(KIND).tokens.is_good(request.headers.get("Authorization", ""))
    return None if good else refusal(401, "who are you")


def stand(home: Path | None, clinic: str = "empty", **knobs: Any) -> Flask:
    app = Flask(__name__)
    clinic_clock = ClinicClock()
    clinic_clock.freeze(NOON)
    book = open_book(Setup(KIND, "Nobody's Clinic"), Options(clinic=clinic), clinic_clock, home)
    put_on(app, Stage(KIND, BASE, book, Knobs(**knobs), refusal, door, open_paths=frozenset({"/token"})))
    views = Blueprint("nobody", __name__, url_prefix=BASE)
    views.add_url_rule("/token", view_func=lambda: current(KIND).tokens.mint(60), methods=["POST"], endpoint="token")
    views.add_url_rule("/visits", view_func=lambda: jsonify(everybody()), endpoint="visits")
    app.register_blueprint(views)
    app.register_blueprint(control.blueprint(KIND))
    statuses = {NotFound: 404, InvalidInput: 422}
    app.register_error_handler(RunsheetError, lambda error: (str(error), statuses[type(error)]))
    return app


def everybody() -> list[dict[str, Any]]:
    book = current(KIND).book
    found = book.between(NOON - timedelta(days=1), NOON + timedelta(days=1))
    return [book.said(one.id, {"id": one.id, "state": one.word or one.state}) for one in found]


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    with stand(None).test_client() as client:
        client.environ_base["HTTP_AUTHORIZATION"] = client.post(f"{BASE}/token").text
        yield client


def order(client: FlaskClient, what: str, status: int = 200, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/control/{KIND}/{what}", json=body)
    assert answer.status_code == status, answer.text
    return answer.get_json() if answer.is_json else {"error": answer.text}


def visits(client: FlaskClient) -> list[dict[str, Any]]:
    answer = client.get(f"{BASE}/visits")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def test_what_is_booked_changed_and_deleted_is_what_the_vendor_tells(client: FlaskClient) -> None:
    one = order(client, "book", 201, at="2026-03-09T11:00:00+11:00")["id"]
    other = order(client, "book", 201, at="2026-03-09T12:00:00+11:00", state="arrived")["id"]
    order(client, "change", id=one, word="Somewhere Else")
    assert visits(client) == [{"id": one, "state": "Somewhere Else"}, {"id": other, "state": "arrived"}]
    order(client, "raw", id=other, fields={"extra": 1}, drop=["state"])
    order(client, "delete", id=one)
    assert visits(client) == [{"id": other, "extra": 1}]
    assert order(client, "cancel", 404, id=one) == {"error": "There is no such appointment."}
    truth = client.get(f"/control/{KIND}/truth?day={DAY}").get_json()["appointments"]
    assert [(row["id"], row["state"], row["arrived_at"]) for row in truth] == [
        (other, "arrived", "2026-03-09T01:00:00Z")
    ]


def test_an_order_that_does_not_fit_is_refused_and_changes_nothing(client: FlaskClient) -> None:
    order(client, "book", 422, at="2026-03-09T11:00:00")
    order(client, "book", 422, at="2026-03-09T11:00:00+11:00", practitioner_ids=["nobody"])
    order(client, "faults", 422, kind="a meteor")
    order(client, "knobs", 422, limits="few")
    assert visits(client) == []


def test_the_door_the_limits_and_a_token_that_ends(client: FlaskClient) -> None:
    assert visits(client) == []
    order(client, "tokens/expire")
    assert client.get(f"{BASE}/visits").status_code == 401
    client.environ_base["HTTP_AUTHORIZATION"] = client.post(f"{BASE}/token").text
    order(client, "knobs", limits=[[2, 60]])
    answers = [client.get(f"{BASE}/visits") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 429, 429], "the one before the limit was set counts"
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert client.post(f"{BASE}/token").status_code == 200, "where tokens are made nobody counts"


@pytest.mark.parametrize(
    ("kind", "status", "body"),
    [
        ("status", 503, "Status 503."),
        ("html", 200, "Please sign in"),
        ("garbage", 200, '{"half'),
        ("empty", 200, ""),
        ("object", 200, '{"something": "else"}'),
        ("redirect", 302, ""),
        ("expire", 401, "who are you"),
    ],
)
def test_faults_hit_what_they_are_asked_to_hit(client: FlaskClient, kind: str, status: int, body: str) -> None:
    order(client, "faults", 201, kind=kind, path="/visits", skip=1, next=1)
    assert visits(client) == []
    hit = client.get(f"{BASE}/visits")
    assert hit.status_code == status
    assert body in hit.get_data().decode(errors="replace")
    client.environ_base["HTTP_AUTHORIZATION"] = client.post(f"{BASE}/token").text
    assert visits(client) == []
    log = client.get(f"/control/{KIND}/state").get_json()["log"]
    assert [entry["status"] for entry in log if entry["path"] == "/visits"] == [200, status, 200]


def test_a_truncated_answer_and_an_address_nobody_has(client: FlaskClient) -> None:
    order(client, "book", 201, at="2026-03-09T11:00:00+11:00")
    whole = client.get(f"{BASE}/visits").get_data()
    order(client, "faults", 201, kind="truncated", next=1)
    cut = client.get(f"{BASE}/visits").get_data()
    assert cut == whole[: len(whole) // 2]
    assert client.get(f"{BASE}/nowhere").status_code == 404
    assert client.delete(f"{BASE}/visits").status_code == 405


def test_edits_outlive_a_restart_and_a_reset_forgets_them(tmp_path: Path) -> None:
    with stand(tmp_path).test_client() as client:
        booked = order(client, "book", 201, at="2026-03-09T11:00:00+11:00")["id"]
    with (tmp_path / "sandbox" / f"{KIND}.jsonl").open("ab") as file:
        file.write(b'{"type": "put_vis')  # torn by a crash
    with stand(tmp_path).test_client() as client:
        client.environ_base["HTTP_AUTHORIZATION"] = client.post(f"{BASE}/token").text
        assert [row["id"] for row in visits(client)] == [booked]
        order(client, "reset")
    assert not (tmp_path / "sandbox" / f"{KIND}.jsonl").exists()


def test_the_day_is_the_same_at_every_start_and_moves_with_the_clock() -> None:
    first, second = stand(None, "demo"), stand(None, "demo")
    told = []
    for app in (first, second):
        with app.test_client() as client:
            told.append(client.get(f"/control/{KIND}/truth?day={DAY}").get_json()["appointments"])
    assert told[0] == told[1]
    assert len(told[0]) == 24
    assert {row["state"] for row in told[0]} >= {"confirmed", "in_progress", "completed"}
    with first.test_client() as client, first.app_context():
        current(KIND).book.clock.advance(timedelta(days=1))
        later = client.get(f"/control/{KIND}/truth?day={DAY}").get_json()["appointments"]
    assert {row["state"] for row in later} <= {"completed", "cancelled", "no_show"}
    assert [row["id"] for row in later] == [row["id"] for row in told[0]]
