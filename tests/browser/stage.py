"""A real server, worker and clock beside the simulated Gentu, and Chromium in front of it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from app import clock
from app.config import Settings
from app.parts import Parts
from app.security.roles import Role
from app.store import practices, schedules
from app.store.practices import NewUser
from tests.jobs.living import ROOT, environment, process, vendor
from tests.sandbox.process import RunningSandbox

PASSWORD = "seven quiet herons at dusk"
EMAIL = "ada@example.com"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
#: rq-scheduler as in production, with a quicker hand.
_CLOCK = (
    "import os; from redis import Redis; from app.jobs.scheduler import run; "
    "run(Redis.from_url(os.environ['REDIS_URL']), every_s=1, look_s=1)"
)


@dataclass
class Stage:
    """Everything of one practice, running. Nothing is connected yet; Ada is its admin."""

    address: str
    parts: Parts
    practice_id: UUID
    sandbox: RunningSandbox

    def comes_due(self, connection_id: UUID) -> None:
        """The minute between two syncs has passed."""
        with self.parts.store.write() as session:
            schedules.make_due(session, connection_id, clock.now())


@dataclass
class Visitor:
    """A page in Chromium, and everything its console said."""

    page: Page
    stage: Stage
    said: list[str] = field(default_factory=list)

    def signs_in(self) -> None:
        self.page.goto(f"{self.stage.address}/login")
        self.page.get_by_label("E-mail address").fill(EMAIL)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/run-sheet*")

    def goes_to(self, path: str) -> None:
        self.page.goto(self.stage.address + path)

    def finds_nothing_to_mend(self) -> None:
        """0 findings of the checker."""
        found = Axe().run(self.page)
        told = [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found.response["violations"]]
        assert told == [], (self.page.url, told)


@contextmanager
def running_stage(home: Path, database_url: str, redis_url: str, sandbox: RunningSandbox) -> Iterator[Stage]:
    """Web, worker and clock as their own processes."""
    port = _free_port()
    environ = environment(home, database_url, redis_url, PORT=str(port), **vendor(sandbox))
    parts = Parts(Settings.from_env(environ))
    with parts.store.write() as session:
        practice = practices.create(session, "Banksia Ridge Specialists", "Australia/Melbourne")
        practices.add_user(session, practice, NewUser(EMAIL, "Ada Ash", Role.ADMIN, PASSWORD))
        practice_id = practice.id
    with (
        process("web", "--workers", "1", environ=environ) as web,
        process("worker", environ=environ) as worker,
        _clock(environ),
    ):
        worker.wait_for_line("worker ready")
        address = f"http://127.0.0.1:{port}"
        until(lambda: _answers(address), f"the pages; they said: {web.said}")
        yield Stage(address, parts, practice_id, sandbox)
    parts.close()


@contextmanager
def _clock(environ: dict[str, str]) -> Iterator[None]:
    popen = subprocess.Popen(
        [sys.executable, "-c", _CLOCK], cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield
    finally:
        popen.terminate()
        with suppress(subprocess.TimeoutExpired):
            popen.wait(5)
        popen.kill()
        popen.wait(5)


def visitor(browser: Browser, stage: Stage, **options: object) -> Visitor:
    """A browser window of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, **options)  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    made = Visitor(context.new_page(), stage)

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            made.said.append(message.text)

    made.page.on("console", heard)
    made.page.on("pageerror", lambda error: made.said.append(str(error)))
    return made


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's own; skipped where there is none, except where everything must be tested."""
    path = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    if path is None and os.environ.get("CI") != "true":
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        yield from _launched(playwright, path)


def _launched(playwright: Playwright, path: str | None) -> Iterator[Browser]:
    headless = os.environ.get("HEADLESS", "true").lower() != "false"
    browser = playwright.chromium.launch(executable_path=path, headless=headless, args=["--no-sandbox"])
    try:
        yield browser
    finally:
        browser.close()


def until(true: Callable[[], object], what: str, within_s: float = 30) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(0.1)


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/login", timeout=2).ok
    except requests.RequestException:
        return False


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
