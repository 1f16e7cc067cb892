"""Signing in: one answer for every failure, delays that grow and end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.config import Settings
from app.security import passwords
from app.security.roles import Role
from app.store import sessions
from app.store.db import Store, db
from app.store.models import LoginAttempt, User
from tests.factories import PASSWORD, Clinic, hashed
from tests.web.pages import DAY, Browser

SHEET = "/run-sheet"
WRONG = "not the password at all"


def token_of(html: str) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', html)
    assert found
    return found[1]


def sign_in(
    client: FlaskClient, email: str, password: str, *, address: str = "203.0.113.7", back: str = "", **headers: str
) -> TestResponse:
    """Type into the form of the page, from that network address."""
    where = {"REMOTE_ADDR": address}
    page = client.get("/login", environ_overrides=where)
    form = {"csrf_token": token_of(page.text), "email": email, "password": password, "next": back}
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/login", data=form, environ_overrides=where, headers=names)


@pytest.fixture
def client(app: Flask, clinic: Clinic) -> FlaskClient:
    app.test_client_class = Browser
    return app.test_client()


def test_a_member_signs_in_and_sees_the_sheet(client: FlaskClient) -> None:
    answer = sign_in(client, " Reception@Example.com ", PASSWORD)
    assert (answer.status_code, answer.location) == (303, SHEET)
    assert client.get(SHEET).status_code == 200


@pytest.mark.parametrize(
    ("back", "leads_to"),
    [
        ("/run-sheet/2026-03-20?status=arrived", "/run-sheet/2026-03-20?status=arrived"),
        ("http://localhost/run-sheet/2026-03-20", "/run-sheet/2026-03-20"),
        ("https://evil.example/run-sheet/2026-03-20", SHEET),
        ("//evil.example", SHEET),
        ("////evil.example", SHEET),
        ("http://localhost//evil.example", SHEET),
        ("/\\evil.example", SHEET),
        ("/a\\evil", SHEET),
        ("javascript:alert(1)", SHEET),
        ("/x\r\nSet-Cookie: a=b", SHEET),
    ],
)
def test_after_the_sign_in_the_page_somebody_came_from_and_never_another_site(
    client: FlaskClient, back: str, leads_to: str
) -> None:
    assert sign_in(client, "reception@example.com", PASSWORD, back=back).location == leads_to


def test_what_is_missing_is_told_beside_its_field(client: FlaskClient) -> None:
    answer = sign_in(client, "", "")
    assert answer.status_code == 422
    assert "Type the e-mail address of your account." in answer.text
    assert 'aria-describedby="e-email"' in answer.text
    assert "Type your password." in answer.text


def test_somebody_of_two_practices_chooses_where_to_work(
    client: FlaskClient, clinic: Clinic, far_clinic: Clinic
) -> None:
    far_clinic.person("reception", Role.RECEPTIONIST)
    answer = sign_in(client, "reception@example.com", PASSWORD, back=f"{SHEET}/{DAY}")
    assert answer.location == f"/practices?next={SHEET}/{DAY}"
    page = client.get(answer.location)
    assert "Banksia Ridge Specialists" in page.text
    assert "Ironbark Street Clinic" in page.text


# --- X1 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.security("X1")
@pytest.mark.parametrize("password", ["vier stille Reiher 蒼鷺 in der Dämmerung", "long " * 12 + "enough"])
def test_long_and_unicode_passwords_work(client: FlaskClient, store: Store, clinic: Clinic, password: str) -> None:
    passwords.require_strong(password)
    with store.write() as session:
        session.get_one(User, clinic.people["reception"].id).password_hash = passwords.hash_password(password)
    assert sign_in(client, "reception@example.com", password).status_code == 303


@pytest.mark.security("X1")
def test_a_hash_of_weaker_parameters_is_made_anew_at_the_next_sign_in(
    client: FlaskClient, store: Store, clinic: Clinic
) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with store.write() as session:
        session.get_one(User, clinic.people["reception"].id).password_hash = weak
    assert sign_in(client, "reception@example.com", PASSWORD).status_code == 303
    with store.read() as session:
        kept = session.get_one(User, clinic.people["reception"].id).password_hash
    assert kept.startswith("$argon2id$")
    assert not passwords.needs_rehash(kept)
    assert sign_in(client, "reception@example.com", PASSWORD).status_code == 303


# --- X3 ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes a password was really checked against."""
    checked: list[str] = []
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, stored: str, password: str) -> bool:
        checked.append(stored)
        return bool(real(self, stored, password))

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    return checked


def body(answer: TestResponse, email: str) -> str:
    """The answer without what differs from one request to the next."""
    return re.sub(r'(value|csrf_token|X-CSRFToken)"?[:=]"[^"]*"', "", answer.text).replace(email, "")


@pytest.mark.security("X3")
def test_unknown_wrong_and_blocked_get_the_same_answer_after_the_same_work(
    client: FlaskClient, clinic: Clinic, store: Store, verified: list[str]
) -> None:
    answers = {"unknown": sign_in(client, "nobody@example.com", WRONG)}
    answers["wrong"] = sign_in(client, "reception@example.com", WRONG)
    for _ in range(sessions.FREE_FAILURES):
        sign_in(client, "owner@example.com", WRONG)
    sign_in(client, "owner@example.com", WRONG)
    verified.clear()
    answers["blocked"] = sign_in(client, "owner@example.com", PASSWORD)
    with store.write() as session:
        session.get_one(User, clinic.people["clinician"].id).active = False
    answers["switched off"] = sign_in(client, "clinician@example.com", PASSWORD)
    assert {answer.status_code for answer in answers.values()} == {422}
    assert len({body(answer, "") for answer in answers.values()}) == 1
    assert len(verified) == 2  # the blocked and the switched off account cost one real check each,
    assert hashed(PASSWORD) not in verified  # against the dummy, so that the right password betrays nothing


@pytest.mark.security("X3")
def test_an_address_nobody_has_costs_a_real_check(client: FlaskClient, verified: list[str]) -> None:
    sign_in(client, "nobody@example.com", WRONG)
    assert len(verified) == 1
    assert verified[0].startswith("$argon2id$")


# --- X4 ---------------------------------------------------------------------------------------------------------------


def fail(client: FlaskClient, times: int, **more: str) -> None:
    for _ in range(times):
        sign_in(client, "reception@example.com", WRONG, **more)


@pytest.mark.security("X4")
def test_the_delay_grows_and_always_ends(client: FlaskClient, time: time_machine.Traveller) -> None:
    fail(client, sessions.FREE_FAILURES + 1)
    assert sign_in(client, "reception@example.com", PASSWORD).status_code == 422
    time.shift(sessions.FIRST_DELAY)
    assert sign_in(client, "reception@example.com", PASSWORD).status_code == 303


@pytest.mark.security("X4")
def test_each_failure_doubles_the_delay_up_to_a_quarter_of_an_hour(
    client: FlaskClient, store: Store, time: time_machine.Traveller
) -> None:
    delays = []
    fail(client, sessions.FREE_FAILURES)
    for _ in range(10):
        fail(client, 1)
        with store.read() as session:
            row = session.query(LoginAttempt).one()
        assert row.blocked_until is not None
        delays.append(row.blocked_until - row.last_failed_at)
        time.shift(delays[-1])
    assert delays[:3] == [timedelta(seconds=10), timedelta(seconds=20), timedelta(seconds=40)]
    assert delays[-1] == sessions.LONGEST_DELAY
    assert delays == sorted(delays)
    assert sign_in(client, "reception@example.com", PASSWORD).status_code == 303


@pytest.mark.security("X4")
def test_tries_during_the_delay_do_not_lengthen_it(
    client: FlaskClient, store: Store, time: time_machine.Traveller
) -> None:
    fail(client, sessions.FREE_FAILURES + 1)
    time.shift(5)
    fail(client, 20)
    with store.read() as session:
        assert session.query(LoginAttempt).one().failures == sessions.FREE_FAILURES + 1
    time.shift(5)
    assert sign_in(client, "reception@example.com", PASSWORD).status_code == 303


@pytest.mark.security("X4")
def test_coming_in_forgives_the_failures_before(app: Flask, client: FlaskClient) -> None:
    for _ in range(3):
        browser = app.test_client()  # unknown each time, so that it is the network that is forgiven
        fail(browser, sessions.FREE_FAILURES)
        assert sign_in(browser, "reception@example.com", PASSWORD).status_code == 303


@pytest.mark.security("X4")
def test_a_failure_of_yesterday_is_no_longer_counted(client: FlaskClient, time: time_machine.Traveller) -> None:
    fail(client, sessions.FREE_FAILURES)
    time.shift(sessions.FORGIVEN_AFTER + timedelta(seconds=1))
    fail(client, 1)
    assert sign_in(client, "reception@example.com", PASSWORD).status_code == 303


@pytest.mark.security("X4")
def test_a_browser_is_known_only_for_the_accounts_that_came_in_with_it(app: Flask, client: FlaskClient) -> None:
    fail(app.test_client(), sessions.FREE_FAILURES + 1)
    assert sign_in(client, "owner@example.com", PASSWORD).status_code == 303
    client.delete_cookie("runsheet")
    assert sign_in(client, "reception@example.com", PASSWORD).status_code == 422


@pytest.mark.security("X4")
def test_a_stranger_s_failures_elsewhere_do_not_keep_a_member_out(app: Flask, client: FlaskClient) -> None:
    fail(app.test_client(), 10, address="198.51.100.66")
    assert sign_in(client, "reception@example.com", PASSWORD, address="203.0.113.7").status_code == 303


@pytest.mark.security("X4")
def test_a_browser_that_came_in_before_is_not_kept_out_by_failures_on_its_own_network(
    app: Flask, client: FlaskClient
) -> None:
    assert sign_in(client, "reception@example.com", PASSWORD).status_code == 303
    client.post("/logout", data={"csrf_token": token_of(client.get(SHEET).text)})
    fail(app.test_client(), 10)
    assert sign_in(app.test_client(), "reception@example.com", PASSWORD).status_code == 422
    assert sign_in(client, "reception@example.com", PASSWORD).status_code == 303


@pytest.mark.security("X4")
def test_a_known_browser_is_throttled_too_and_a_forged_one_is_unknown(app: Flask, client: FlaskClient) -> None:
    sign_in(client, "reception@example.com", PASSWORD)
    fail(client, sessions.FREE_FAILURES + 1)
    assert sign_in(client, "reception@example.com", PASSWORD).status_code == 422
    forger = app.test_client()
    for n in range(sessions.FREE_FAILURES + 1):
        forger.set_cookie("runsheet-device", f'["device{n}", ["abc"]].forged')
        fail(forger, 1, address="198.51.100.66")
    assert sign_in(forger, "reception@example.com", PASSWORD, address="198.51.100.66").status_code == 422


@pytest.mark.security("X4")
def test_a_made_up_forwarded_address_changes_nothing(client: FlaskClient, store: Store) -> None:
    for n in range(sessions.FREE_FAILURES + 1):
        fail(client, 1, X_Forwarded_For=f"192.0.2.{n}")
    with store.read() as session:
        assert [row.network for row in session.query(LoginAttempt)] == ["203.0.113.7"]
    assert sign_in(client, "reception@example.com", PASSWORD, X_Forwarded_For="192.0.2.99").status_code == 422


@pytest.fixture
def proxied(settings: Settings, clinic: Clinic) -> Iterator[Flask]:
    """The same application behind one proxy it trusts."""
    made = create_app(replace(settings, trusted_proxies=1))
    with made.app_context():
        made.test_client_class = Browser
        yield made
        db.session.remove()
        db.engine.dispose()


@pytest.mark.security("X4")
def test_behind_a_trusted_proxy_its_last_hop_counts(proxied: Flask, store: Store) -> None:
    client = proxied.test_client()
    for n in range(3):
        fail(client, 1, X_Forwarded_For=f"192.0.2.{n}, 198.51.100.9")
    with store.read() as session:
        assert [(row.network, row.failures) for row in session.query(LoginAttempt)] == [("198.51.100.9", 3)]


def test_an_ipv6_network_is_one_place() -> None:
    assert (
        sessions.network_of("2001:db8:1:2:3::4") == sessions.network_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    )
    assert sessions.network_of("::ffff:203.0.113.7") == "203.0.113.7"
    assert sessions.network_of(None) == "unknown"
