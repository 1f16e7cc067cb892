"""Staying signed in: ids that cannot be guessed or kept, cookies that stay at home, sessions that idle out and end."""

from __future__ import annotations

from dataclasses import replace

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.config import Settings
from app.security.roles import Role
from app.store import sessions
from app.store.db import Store, db
from app.store.models import User, UserSession
from tests.factories import PASSWORD, Clinic
from tests.web.pages import DAY, Browser, Visit, text_of
from tests.web.test_sign_in import sign_in

SHEET = "/run-sheet"


@pytest.fixture
def client(app: Flask, clinic: Clinic) -> FlaskClient:
    app.test_client_class = Browser
    return app.test_client()


# --- X5 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.security("X5")
def test_signing_in_makes_a_new_id_and_the_old_one_opens_nothing(app: Flask, client: FlaskClient) -> None:
    client.get("/login")
    with client.session_transaction() as cookie:
        cookie["sid"], cookie["planted"] = "an id somebody else knows", "before"
        form_token = cookie["csrf_token"]
    sign_in(client, "reception@example.com", PASSWORD)
    with client.session_transaction() as cookie:
        first = cookie["sid"]
        assert "planted" not in cookie
        assert cookie.get("csrf_token") != form_token
    assert first != "an id somebody else knows"
    assert len(first) >= 22  # 128 bits in base64 and more
    sign_in(client, "reception@example.com", PASSWORD)
    with client.session_transaction() as cookie:
        assert cookie["sid"] != first
    old = app.test_client()
    with old.session_transaction() as cookie:
        cookie["sid"] = first
    assert old.get(SHEET).status_code == 303


@pytest.mark.security("X5")
def test_the_id_is_stored_as_a_hash_only(client: FlaskClient, store: Store) -> None:
    sign_in(client, "reception@example.com", PASSWORD)
    with client.session_transaction() as cookie:
        token = cookie["sid"]
    with store.read() as session:
        row = session.query(UserSession).one()
    assert row.token_hash == sessions.hash_of(token)
    assert token.encode() not in row.token_hash


@pytest.mark.security("X5")
def test_changing_the_practice_and_with_it_the_role_makes_a_new_id(
    app: Flask, clinic: Clinic, far_clinic: Clinic
) -> None:
    person = clinic.person("both", Role.RECEPTIONIST)
    far_clinic.person("both", Role.OWNER)
    visit = Visit(app, person)
    with visit.client.session_transaction() as cookie:
        before = cookie["sid"]
    visit.post("/practices", {"practice": str(far_clinic.id)})
    with visit.client.session_transaction() as cookie:
        assert cookie["sid"] != before


@pytest.mark.security("X5")
@pytest.mark.parametrize("production", [True, False])
def test_the_cookie_cannot_be_read_by_a_script_nor_sent_from_another_site(
    settings: Settings, clinic: Clinic, production: bool
) -> None:
    made = create_app(replace(settings, env="production" if production else "test"))
    with made.app_context():
        scheme = "https" if production else "http"
        answer = made.test_client().get("/login", base_url=f"{scheme}://localhost")
        cookie = answer.headers["Set-Cookie"]
        db.session.remove()
        db.engine.dispose()
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert cookie.startswith("__Host-runsheet=" if production else "runsheet=")
    assert ("Secure" in cookie) == production


# --- staying in -------------------------------------------------------------------------------------------------------


def test_a_session_ends_after_fifteen_minutes_without_use(
    clinic: Clinic, reception: Visit, time: time_machine.Traveller
) -> None:
    for _ in range(4):
        time.shift(14 * 60)
        assert reception.get(SHEET).status_code == 200
    time.shift(15 * 60)
    assert reception.get(SHEET).status_code == 303
    assert reception.get(SHEET).status_code == 303


def test_no_session_lives_longer_than_twelve_hours(
    clinic: Clinic, reception: Visit, time: time_machine.Traveller
) -> None:
    for _ in range(12 * 6 - 1):
        time.shift(10 * 60)
        assert reception.get("/practices").status_code == 200
    time.shift(10 * 60)
    assert reception.get("/practices").status_code == 303


def test_a_poll_never_keeps_a_session_alive(
    clinic: Clinic, reception: Visit, store: Store, time: time_machine.Traveller
) -> None:
    stamp = reception.page(SHEET).stamp
    with store.read() as session:
        before = session.query(UserSession).one().last_seen_at
    for seen in (stamp, "", "0.0"):
        time.shift(4 * 60)
        assert reception.get(f"{SHEET}/{DAY}?seen={seen}", htmx=True).status_code in (200, 204)
    with store.read() as session:
        assert session.query(UserSession).one().last_seen_at == before
    time.shift(4 * 60)
    late = reception.get(f"{SHEET}/{DAY}?seen={stamp}", htmx=True, HX_Current_URL=f"http://localhost{SHEET}/{DAY}")
    assert late.status_code == 401
    assert late.headers["HX-Redirect"] == f"/login?next={SHEET}/{DAY}"


def test_a_page_is_noted_to_the_minute(
    clinic: Clinic, reception: Visit, store: Store, time: time_machine.Traveller
) -> None:
    def seen() -> object:
        with store.read() as session:
            return session.query(UserSession).one().last_seen_at

    reception.get(SHEET)
    first = seen()
    time.shift(59)
    reception.get(SHEET)
    assert seen() == first
    time.shift(2)
    reception.get(SHEET)
    assert seen() != first


@pytest.mark.security("X12")
def test_signing_out_ends_the_session_everywhere_and_clears_what_the_browser_kept(
    app: Flask, clinic: Clinic, reception: Visit
) -> None:
    with reception.client.session_transaction() as cookie:
        token = cookie["sid"]
    answer = reception.post("/logout")
    assert (answer.status_code, answer.location) == (303, "/login")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    thief = app.test_client()
    with thief.session_transaction() as cookie:
        cookie["sid"] = token
    assert thief.get(SHEET).status_code == 303
    assert reception.get(SHEET).status_code == 303


def test_signing_out_is_no_link(clinic: Clinic, reception: Visit) -> None:
    assert reception.get("/logout").status_code == 405
    assert reception.get(SHEET).status_code == 200


def test_somebody_switched_off_is_out_at_once(clinic: Clinic, reception: Visit, store: Store) -> None:
    with store.write() as session:
        session.get_one(User, clinic.people["reception"].id).active = False
    assert reception.get(SHEET).status_code == 303
    assert "Sign in" in text_of(reception.get("/login").text)
