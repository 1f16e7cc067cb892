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
from typing import Any
from uuid import UUID

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Response, sync_playwright

from app import clock
from app.config import Settings
from app.parts import Parts
from app.security.roles import Role
from app.store import practices, schedules
from app.store.practices import NewUser
from tests.jobs.living import environment, vendor
from tests.jobs.processes import ROOT, Running, process
from tests.sandbox.process import RunningSandbox

PASSWORD = "seven quiet herons at dusk"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
#: rq-scheduler as in production, with a quicker hand.
_CLOCK = (
    "import os; from redis import Redis; from app.jobs.scheduler import run; "
    "run(Redis.from_url(os.environ['REDIS_URL']), every_s=1, look_s=1)"
)
_TELLS_OF_POLICY = """addEventListener("securitypolicyviolation",
    (told) => console.error(`refused by the content policy: ${told.violatedDirective} ${told.blockedURI}`))"""


@dataclass
class Stage:
    """Web, worker, clock and simulator, running; each test gets a practice of its own."""

    address: str
    parts: Parts
    sandbox: RunningSandbox
    tenants: list[dict[str, Any]]  # those nobody has taken yet
    processes: tuple[Running, ...]

    @property
    def said(self) -> str:
        """The last lines of our processes: why nothing happened, where nothing happens."""
        return "\n".join(line for one in self.processes for line in one.lines[-40:])

    def house(self) -> House:
        """A practice with an admin and a receptionist, nothing connected; at the PMS its book is empty."""
        tenant = self.tenants.pop(0)
        with self.parts.store.write() as session:
            practice = practices.create(session, tenant["tenantName"], tenant["timezone"])
            made = House(self, practice.id, tenant["tenantId"], tenant["tenantName"])
            for name, email, role in (
                ("Ada Ash", made.email("ada"), Role.ADMIN),
                ("Rex Reed", made.email("rex"), Role.RECEPTIONIST),
            ):
                practices.add_user(session, practice, NewUser(email, name, role, PASSWORD))
        return made


@dataclass
class House:
    """One practice, on both sides: ours, and the PMS's tenant of the same name."""

    stage: Stage
    practice_id: UUID
    tenant_id: str
    name: str

    def email(self, who: str) -> str:
        return f"{who}.{self.tenant_id[:8]}@example.com"

    def pairing_code(self) -> str:
        return self.stage.sandbox.pairing_code(self.tenant_id)

    def books(self, at: str, type_: str, family: str) -> str:
        """An appointment of Ines with that family name, today; its id at the PMS."""
        patient = {"family": family, "given": "Ines"}
        given = {"tenant_id": self.tenant_id, "time": at, "type": type_, "patient": patient}
        return str(self.stage.sandbox.control("appointments", **given)["id"])

    def orders(self, path: str, **more: object) -> None:
        """Something else happens at the PMS."""
        self.stage.sandbox.control(path, tenant_id=self.tenant_id, **more)

    def comes_due(self, connection_id: UUID) -> None:
        """The minute between two syncs has passed."""
        with self.stage.parts.store.write() as session:
            schedules.make_due(session, connection_id, clock.now())


@dataclass
class Visitor:
    """A page in Chromium, and everything that went wrong on it: what its console said, and answers that are faults."""

    page: Page
    house: House
    said: list[str] = field(default_factory=list)

    def signs_in(self, who: str = "ada") -> Visitor:
        self.goes_to("/login")
        self.page.get_by_label("E-mail address").fill(self.house.email(who))
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/run-sheet*")
        return self

    def goes_to(self, path: str) -> None:
        self.page.goto(self.house.stage.address + path)

    def loaded_at(self) -> float:
        """When this document was loaded: the same number again means that nothing was reloaded."""
        return float(self.page.evaluate("performance.timeOrigin"))

    def finds_nothing_to_mend(self) -> None:
        """0 findings of the checker, in light and in dark; and nothing sticks out of a narrow screen."""
        self.page.emulate_media(color_scheme="light")
        self._checked({"resultTypes": ["violations"]})
        self.page.emulate_media(color_scheme="dark")
        self._checked({"resultTypes": ["violations"], "runOnly": ["color-contrast"]})
        self.page.set_viewport_size({"width": 390, "height": 844})
        over = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, (self.page.url, f"{over} px too wide")
        self.page.set_viewport_size({"width": 1280, "height": 900})
        self.page.emulate_media(color_scheme="light")

    def _checked(self, options: dict[str, Any]) -> None:
        found = Axe().run(self.page, options=options)
        told = [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found.response["violations"]]
        assert told == [], (self.page.url, told)


@contextmanager
def running_stage(
    home: Path, database_url: str, redis_url: str, sandbox: RunningSandbox, **more: str
) -> Iterator[Stage]:
    """Web, worker and clock as their own processes. The simulator's first tenant is nobody's: its types differ.

    more: of the environment.
    """
    port = _free_port()
    environ = environment(home, database_url, redis_url, PORT=str(port), **vendor(sandbox), **more)
    with (
        process("web", "--workers", "1", environ=environ) as web,
        process("worker", environ=environ) as worker,
        _clock(environ),
    ):
        parts = Parts(Settings.from_env(environ))
        worker.wait_for_line("worker ready")
        address = f"http://127.0.0.1:{port}"
        until(lambda: _answers(address), f"the pages; they said: {web.said}")
        yield Stage(address, parts, sandbox, sandbox.state(log=0)["tenants"][1:], (web, worker))
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


def visitor(browser: Browser, house: House, **options: object) -> Visitor:
    """A browser window of its own."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})  # type: ignore[arg-type]
    context.set_default_timeout(15_000)
    context.add_init_script(_TELLS_OF_POLICY)
    made = Visitor(context.new_page(), house)

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            made.said.append(message.text)

    def answered(response: Response) -> None:
        if response.status >= 400:
            made.said.append(f"{response.status} {response.request.method} {response.url}")

    made.page.on("console", heard)
    made.page.on("pageerror", lambda error: made.said.append(str(error)))
    made.page.on("response", answered)
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
