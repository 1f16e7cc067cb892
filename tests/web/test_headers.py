"""What goes along with every answer, what a write must bring, and what a fault may tell."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import pytest
from flask import Flask

from app import create_app, logs
from app.config import Settings
from app.store.db import db
from app.web.security import access_of, same_origin
from tests.factories import Booking, Clinic
from tests.web.pages import DAY, Browser, Visit, text_of

SHEET = "/run-sheet"
TODAY = f"/run-sheet/{DAY}"
PATHS = ["/login", SHEET, TODAY, f"{TODAY}/walk-in", "/practices", "/no-such-page", "/run-sheet/nonsense", "/"]


@pytest.mark.security("X9")
@pytest.mark.parametrize("path", [*PATHS, "/static/app.css", "/static/nothing.css"])
def test_every_answer_carries_the_content_security_policy(clinic: Clinic, owner: Visit, path: str) -> None:
    policy = owner.get(path).headers["Content-Security-Policy"]
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    )


@pytest.mark.security("X9")
@pytest.mark.parametrize("path", PATHS)
def test_no_page_needs_an_inline_script_or_style(clinic: Clinic, owner: Visit, path: str) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    html = owner.get(path).text
    assert not re.search(r"<style|\sstyle=|\son\w+=|hx-on|javascript:|<script(?![^>]*\ssrc=)", html)


@pytest.mark.security("X10")
def test_htmx_is_told_to_evaluate_nothing_and_to_keep_nothing(clinic: Clinic, owner: Visit) -> None:
    found = re.search(r"name=\"htmx-config\" content='([^']+)'", owner.page(SHEET).html)
    assert found
    config = json.loads(unescape(found[1]))
    assert config["allowEval"] is False
    assert config["allowScriptTags"] is False
    assert config["selfRequestsOnly"] is True
    assert config["includeIndicatorStyles"] is False
    assert config["historyCacheSize"] == 0


@pytest.mark.security("X11")
@pytest.mark.parametrize("path", [*PATHS, "/static/app.css"])
def test_every_answer_carries_the_other_headers(clinic: Clinic, owner: Visit, path: str) -> None:
    headers = owner.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in headers


@pytest.fixture
def in_production(settings: Settings, clinic: Clinic) -> Iterator[Flask]:
    made = create_app(replace(settings, env="production"))
    made.test_client_class = Browser
    with made.app_context():
        yield made
        db.session.remove()
        db.engine.dispose()


@pytest.mark.security("X11")
def test_in_production_the_browser_is_told_to_stay_with_https(in_production: Flask) -> None:
    for path in ("/login", "/no-such-page", "/static/app.css"):
        answer = in_production.test_client().get(path, base_url="https://localhost")
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


@pytest.mark.security("X12")
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("htmx", [True, False])
def test_nothing_but_static_files_may_be_kept(clinic: Clinic, owner: Visit, path: str, htmx: bool) -> None:
    answer = owner.get(path, htmx=htmx)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "HX-Request" in answer.headers["Vary"]


def test_static_files_may_be_kept_under_the_address_of_their_content(clinic: Clinic, owner: Visit) -> None:
    css = re.search(r'href="(/static/app\.css\?v=\w{12})"', owner.page(SHEET).html)
    assert css
    assert owner.get(css[1]).headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert owner.get("/static/app.css").headers["Cache-Control"] == "no-cache"


# --- X8 ---------------------------------------------------------------------------------------------------------------


def unsafe_paths(app: Flask, clinic: Clinic) -> list[str]:
    """Every address that takes a write from a page."""
    paths = []
    for rule in app.url_map.iter_rules():
        access = access_of(app.view_functions[rule.endpoint])
        if "POST" in (rule.methods or ()) and access is not None and not access.machine:
            paths.append(re.sub(r"<uuid:\w+>", str(clinic.id), rule.rule.replace("<date:day>", DAY)))
    return [re.sub(r"<\w+>|<\w+:\w+>", "x", path) for path in paths]


@pytest.mark.security("X8")
def test_no_write_is_taken_without_the_token(app: Flask, clinic: Clinic, owner: Visit) -> None:
    paths = unsafe_paths(app, clinic)
    assert len(paths) >= 9
    for path in paths:
        assert owner.client.post(path, data={}).status_code == 400, path
        assert owner.client.post(path, data={"csrf_token": "made up"}).status_code == 400, path


@pytest.mark.security("X8")
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_no_write_is_taken_from_another_origin_even_with_the_token(
    app: Flask, clinic: Clinic, owner: Visit, headers: dict[str, str]
) -> None:
    for path in unsafe_paths(app, clinic):
        answer = owner.client.post(path, data={"csrf_token": owner.token}, headers=headers)
        assert answer.status_code == 403, path


@pytest.mark.security("X8")
@pytest.mark.parametrize(
    ("origin", "site", "ours"),
    [
        (None, None, True),
        ("http://localhost", "same-origin", True),
        ("http://localhost", None, True),
        ("null", "same-origin", True),  # how browsers send a plain form of a page without referrer
        ("http://localhost:81", None, False),
        ("http://localhost.evil.example", None, False),
    ],
)
def test_what_counts_as_our_own_origin(origin: str | None, site: str | None, ours: bool) -> None:
    assert same_origin("localhost", origin, site) is ours


@pytest.mark.security("X8")
def test_an_expired_token_offers_to_load_the_page_again(clinic: Clinic, owner: Visit) -> None:
    answer = owner.client.post(f"{TODAY}/filters", data={"csrf_token": "old"}, headers={"HX-Request": "true"})
    assert answer.status_code == 400
    assert "This page is from an earlier sign-in." in text_of(answer.text)
    assert "<html" not in answer.text
    assert "Load the page again" in answer.text
    fresh = answer.headers["X-CSRFToken"]
    assert owner.client.post(f"{TODAY}/filters", data={}, headers={"X-CSRFToken": fresh}).status_code == 303
    whole = owner.client.post(f"{TODAY}/filters", data={"csrf_token": "old"})
    assert (whole.status_code, "<html" in whole.text) == (400, True)


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.security("X26")
@pytest.mark.parametrize("htmx", [True, False])
def test_a_fault_tells_an_id_and_nothing_about_a_patient(
    clinic: Clinic, owner: Visit, monkeypatch: pytest.MonkeyPatch, htmx: bool
) -> None:
    clinic.books(Booking("Ines Fennick", "9:30", email="ines@example.com"))
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(logs.JsonFormatter())
    logging.getLogger("app.web.errors").addHandler(handler)

    def fails(*_: object, **__: object) -> None:
        patient = "Ines Fennick"
        raise RuntimeError(f"{patient} cannot be drawn, phone 0491 570 006")

    monkeypatch.setattr("app.web.rows._chips", fails)
    answer = owner.get(TODAY, htmx=htmx)
    logging.getLogger("app.web.errors").removeHandler(handler)
    assert answer.status_code == 500
    assert ("<html" in answer.text) is not htmx
    line = json.loads(log.getvalue().splitlines()[-1])
    assert line["request_id"] in answer.text
    assert line["error"] == "RuntimeError"
    assert line["route"] == "runsheet.board"
    for secret in ("Fennick", "570 006", "cannot be drawn", "RuntimeError", "Traceback"):
        assert secret not in answer.text
        if secret != "RuntimeError":
            assert secret not in log.getvalue()


@pytest.mark.security("X26")
def test_every_route_hides_what_went_wrong_inside_it(
    app: Flask, clinic: Clinic, owner: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    row = str(clinic.row_id("Ines Fennick"))

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("Ines Fennick, 0491 570 006")

    for rule in list(app.url_map.iter_rules()):
        view = app.view_functions[rule.endpoint]
        access = access_of(view)
        if access is None or access.permission is None:
            continue
        broken = access_keeping(fails, view)
        monkeypatch.setitem(app.view_functions, rule.endpoint, broken)
        path = re.sub(r"<uuid:\w+>", row, rule.rule.replace("<date:day>", DAY))
        answer = owner.get(path) if "GET" in (rule.methods or ()) else owner.post(path)
        assert answer.status_code == 500, path
        assert "Fennick" not in answer.text


def access_keeping(view: object, original: object) -> object:
    view.runsheet_access = access_of(original)  # type: ignore[attr-defined, arg-type]
    return view


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/no-such-page", 404, "There is no such page"),
        ("/logout", 405, "That does not work here"),
    ],
)
def test_error_pages_use_plain_words(clinic: Clinic, owner: Visit, path: str, status: int, words: str) -> None:
    answer = owner.get(path)
    assert answer.status_code == status
    assert words in text_of(answer.text)
    fragment = owner.get(path, htmx=True)
    assert (fragment.status_code, "<html" in fragment.text) == (status, False)


def test_too_much_at_once_is_refused(clinic: Clinic, owner: Visit) -> None:
    answer = owner.post(f"{TODAY}/filters", {"filters": "x" * 300_000})
    assert answer.status_code == 413
    assert "larger than we accept" in answer.text


def test_a_status_that_is_none_is_a_bad_request(clinic: Clinic, owner: Visit) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    row = f"/appointments/{clinic.row_id('Ines Fennick')}/status"
    for form in ({"status": "asleep", "version": "1"}, {"status": "unknown", "version": "1"}, {"status": "arrived"}):
        assert owner.post(row, form).status_code == 400


def test_without_a_session_error_pages_show_no_practice(nobody: Visit) -> None:
    answer = nobody.get("/no-such-page")
    assert answer.status_code == 404
    assert '<header class="top">' not in answer.text
