"""The run sheet in Chromium: a real server over a real database in this process, and somebody in front of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import time_machine
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Locator, Page, Request, expect
from werkzeug.serving import WSGIRequestHandler, make_server

from app import clock, create_app
from app.domain.status import Status
from app.store import rows
from app.store.db import Store, db
from app.store.rows import Act
from tests.factories import PASSWORD, Booking, Clinic, usual
from tests.fixtures.databases import settings_for
from tests.web.pages import MORNING, Visit


class Silent(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Requests are counted in the browser, not printed here."""


@dataclass
class House:
    """The pages, served; every test makes a practice of its own in it."""

    app: Flask
    store: Store
    address: str


@contextmanager
def serving(home: Path, database_url: str) -> Iterator[House]:
    app = create_app(settings_for(home, database_url))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield House(app, app.extensions["runsheet.store"], f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@dataclass
class Practice:
    """A practice of the house at 09:42, with the usual cast; its clock goes on."""

    house: House
    clinic: Clinic

    @property
    def store(self) -> Store:
        return self.house.store

    @property
    def address(self) -> str:
        return self.house.address

    def moves(self, name: str, to: Status) -> None:
        """A colleague presses a button elsewhere."""
        with self.store.write() as session:
            row = rows.locked(session, self.clinic.id, self.clinic.row_id(name))
            act = Act(self.clinic.people["owner"].id, clock.now())
            rows.set_status(session, row, to, seen_version=row.row_version, act=act)


@contextmanager
def practice_in(house: House) -> Iterator[Practice]:
    with time_machine.travel(MORNING, tick=True):
        yield Practice(house, usual(house.store, f"{uuid4().hex[:8]}.example.com"))


@dataclass
class Desk:
    """A page, what its console said, and what it asked the server for by itself."""

    page: Page
    practice: Practice
    said: list[str] = field(default_factory=list)
    polls: list[str] = field(default_factory=list)
    noisy: bool = False  # the browser itself reports what this test provokes

    def signs_in(self, who: str = "reception") -> Desk:
        """With a session that was started as the sign-in page starts it; the page itself is tested apart."""
        with self.practice.house.app.app_context():
            cookie = Visit(self.practice.house.app, self.practice.clinic.people[who]).client.get_cookie("runsheet")
        assert cookie is not None
        told = {"name": cookie.key, "value": cookie.value, "url": self.practice.address}
        self.page.context.add_cookies([{**told, "httpOnly": True, "sameSite": "Lax"}])  # type: ignore[typeddict-item]
        return self.opens()

    def types_in(self, who: str = "reception") -> None:
        """The sign-in page, filled in."""
        self.page.get_by_label("E-mail address").fill(self.practice.clinic.people[who].email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()

    def opens(self, path: str = "/run-sheet") -> Desk:
        self.page.goto(self.practice.address + path)
        return self

    def row(self, name: str) -> Locator:
        return self.page.locator("tr[id^=r-]", has=self.page.get_by_role("link", name=name, exact=True))

    def looks_again(self) -> None:
        """Make the page ask at once, as it does when the connection comes back, and wait for the answer."""
        with self.page.expect_response(lambda answer: "seen=" in answer.url):
            self.page.evaluate("dispatchEvent(new Event('online'))")
        expect(self.page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)

    def keeps_busy(self, times: int) -> None:
        """So many live updates, each of which changes other rows."""
        for number in range(times):
            self.practice.clinic.books(Booking(f"Visitor {number:02}", f"{10 + number // 6}:{number % 6}0"))
            self.looks_again()
            expect(self.row(f"Visitor {number:02}")).to_be_visible()

    def text_of_focus(self) -> str:
        return str(self.page.evaluate("document.activeElement?.textContent?.trim() ?? ''"))

    def row_of_focus(self) -> str:
        return str(self.page.evaluate("document.activeElement?.closest('tr')?.id ?? ''"))

    def finds_nothing_to_mend(self) -> None:
        """0 findings of the checker."""
        found = Axe().run(self.page)
        told = [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found.response["violations"]]
        assert told == []


def desk(browser: Browser, practice: Practice, **options: Any) -> Desk:
    """A browser window of its own."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    context.set_default_timeout(10_000)
    made = Desk(context.new_page(), practice)

    def asked(request: Request) -> None:
        if "seen=" in request.url:
            made.polls.append(request.url)

    made.page.on("console", lambda message: made.said.append(message.text) if message.type == "error" else None)
    made.page.on("pageerror", lambda error: made.said.append(str(error)))
    made.page.on("request", asked)
    return made
