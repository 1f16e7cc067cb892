"""The run sheet in Chromium: a real server over a real database in this process, and somebody in front of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import time_machine
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Locator, Page, Request, expect
from werkzeug.serving import WSGIRequestHandler, make_server

from app import create_app
from app.store.db import Store, db
from tests.factories import PASSWORD, Clinic, usual
from tests.fixtures.databases import settings_for
from tests.web.pages import MORNING


class Silent(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Requests are counted in the browser, not printed here."""


@dataclass
class Practice:
    """A running practice at 09:42, with the usual cast; its clock goes on."""

    app: Flask
    store: Store
    clinic: Clinic
    address: str


@contextmanager
def running_practice(home: Path, database_url: str) -> Iterator[Practice]:
    with time_machine.travel(MORNING, tick=True):
        app = create_app(settings_for(home, database_url))
        store: Store = app.extensions["runsheet.store"]
        clinic = usual(store)
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Practice(app, store, clinic, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            with app.app_context():
                db.session.remove()
                db.engine.dispose()


@dataclass
class Desk:
    """A page, what its console said, and what it asked the server for by itself."""

    page: Page
    practice: Practice
    said: list[str] = field(default_factory=list)
    polls: list[str] = field(default_factory=list)
    noisy: bool = False  # the browser itself reports what this test provokes

    def signs_in(self, who: str = "reception") -> Desk:
        self.page.goto(f"{self.practice.address}/login")
        self.page.get_by_label("E-mail address").fill(f"{who}@example.com")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/run-sheet*")
        return self

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
