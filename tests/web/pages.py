"""Somebody in front of a page: a signed-in client that presses buttons as a browser does, and what it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import event
from werkzeug.test import TestResponse

from app import clock
from app.store import sessions
from app.store.db import Store
from tests.factories import Clinic, Person, elsewhere, usual

HTMX = {"HX-Request": "true"}
_RAW_TOKEN = "0123456789abcdef0123456789abcdef01234567"


class Browser(FlaskClient):
    """A client whose every request stands alone: the fixture's application context must not lend it its `g`."""

    def open(self, *args: Any, **more: Any) -> TestResponse:
        with self.application.app_context():
            return super().open(*args, **{"buffered": True, **more})


class Visit:
    """One browser of one person."""

    def __init__(self, app: Flask, person: Person | None) -> None:
        self.app = app
        app.test_client_class = Browser
        self.client: FlaskClient = app.test_client()
        self.person = person
        with self.client.session_transaction() as cookie:
            cookie["csrf_token"] = _RAW_TOKEN
            if person is not None:
                store: Store = app.extensions["runsheet.store"]
                with store.write() as session:
                    cookie["sid"] = sessions.start(session, person.id, person.practice_id, clock.now())

    @property
    def token(self) -> str:
        signer = URLSafeTimedSerializer(str(self.app.config["SECRET_KEY"]), salt="wtf-csrf-token")
        return str(signer.dumps(_RAW_TOKEN))

    def get(self, path: str, *, htmx: bool = False, **headers: str) -> TestResponse:
        return self.client.get(path, headers={**(HTMX if htmx else {}), **_names(headers)})

    def post(
        self, path: str, form: dict[str, Any] | None = None, *, htmx: bool = False, **headers: str
    ) -> TestResponse:
        """Press a button: the token of the page comes along."""
        return self.client.post(
            path,
            data={"csrf_token": self.token, **(form or {})},
            headers={**(HTMX if htmx else {}), **_names(headers)},
        )

    def page(self, path: str, **more: Any) -> Page:
        answer = self.get(path, **more)
        assert answer.status_code == 200, (answer.status_code, answer.text[:300])
        return Page(answer.text)


class Page:
    """What somebody reads on a page, without the markup."""

    def __init__(self, html: str) -> None:
        self.html = html

    @property
    def text(self) -> str:
        return text_of(self.html)

    def __contains__(self, words: str) -> bool:
        return words in self.text

    def row(self, name: str) -> str:
        """The words of that patient's row."""
        return text_of(self.row_html(name))

    def row_html(self, name: str) -> str:
        found = [row for row in re.findall(r"<tr id=\"r-.*?</tr>", self.html, re.S) if f">{name}" in unescape(row)]
        assert len(found) == 1, (name, len(found))
        return str(found[0])

    @property
    def names(self) -> list[str]:
        """The patients, in the order of the page."""
        return [
            unescape(name)
            for name in re.findall(r"data-panel>([^<]+)</a></div>|data-panel>([^<]+)</a><", self.html)
            for name in name
            if name and name != "Details"
        ]

    @property
    def groups(self) -> list[str]:
        return [text_of(head) for head in re.findall(r'<h2 id="h-[^>]*>(.*?)</h2>', self.html, re.S)]

    def group(self, name: str) -> str:
        """The markup of that clinician's group."""
        found = [
            part
            for part in re.findall(r'<section class="group.*?</section>', self.html, re.S)
            if name in unescape(part)
        ]
        assert len(found) == 1, (name, len(found))
        return str(found[0])

    @property
    def stamp(self) -> str:
        found = re.search(r"seen=([\d.]+)", self.html)
        assert found
        return found[1]

    def attribute(self, name: str) -> str:
        found = re.search(rf'{name}="([^"]*)"', self.html)
        assert found, name
        return unescape(found[1])


class _Text(HTMLParser):
    _SILENT = frozenset({"script", "style", "title"})

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in self._SILENT
        self.parts.append("" if tag in ("b", "i", "em", "small", "span", "a") else " ")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in self._SILENT
        self.parts.append("" if tag in ("b", "i", "em", "small", "span", "a") else " ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def text_of(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    return " ".join("".join(parser.parts).replace("\u00a0", " ").split())


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """Every SQL statement of the block, as sent. Beginning a transaction is none."""
    sent: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith(("BEGIN", "SAVEPOINT", "RELEASE")):
            sent.append(" ".join(statement.split()))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


def named(statement: str) -> str:
    """`SELECT run_sheets`: the verb and the table a statement is about, to call it by."""
    verb, outer, inner = statement.split(maxsplit=1)[0], statement, ""
    while outer != inner:  # what stands in brackets is asked on the way
        outer, inner = re.sub(r"\([^()]*\)", "", outer), outer
    before = r"UPDATE|INTO" if verb != "SELECT" else r"FROM"
    found = re.search(rf"(?:{before})\s+\"?(\w+)", outer)
    return f"{verb} {found[1]}" if found else verb


def _names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


# --- the cast ---------------------------------------------------------------------------------------------------------

#: 09:42 on Thursday 19 March 2026 in Melbourne: the clock of every test that asks for the clinic.
MORNING = datetime(2026, 3, 18, 22, 42, tzinfo=UTC)
DAY = "2026-03-19"


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    """The clock stands at 09:42 until the test moves it."""
    with time_machine.travel(MORNING, tick=False) as traveller:
        yield traveller


@pytest.fixture
def clinic(time: object, store: Store) -> Clinic:
    """The practice under test, freshly read, without appointments."""
    return usual(store)


@pytest.fixture
def far_clinic(time: object, store: Store) -> Clinic:
    """Another practice, with an owner of its own and one appointment."""
    return elsewhere(store)


@pytest.fixture
def owner(app: Flask, clinic: Clinic) -> Visit:
    return Visit(app, clinic.people["owner"])


@pytest.fixture
def reception(app: Flask, clinic: Clinic) -> Visit:
    return Visit(app, clinic.people["reception"])


@pytest.fixture
def doctor(app: Flask, clinic: Clinic) -> Visit:
    """Dr Marlowe."""
    return Visit(app, clinic.people["clinician"])


@pytest.fixture
def stranger(app: Flask, far_clinic: Clinic) -> Visit:
    """The owner of the other practice."""
    return Visit(app, far_clinic.people["stranger"])


@pytest.fixture
def nobody(time: object, app: Flask) -> Visit:
    """Not signed in."""
    return Visit(app, None)
