"""Logging in through a real browser, as all public code for Neo does: Chromium for the log-in alone, then plain HTTP.

At most two browsers run in a process at once, each in a thread of its own, new for each log-in and gone after it: a
session lasts for hours, so a browser kept warm would hold its memory for nothing. Playwright is an optional extra.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from app import clock
from app.pms import addresses
from app.pms.errors import PmsAuthFailed, PmsCancelled, PmsError, PmsNotConfigured, PmsUnavailable, PmsUntrusted
from app.pms.idexx_neo import form, jar
from app.pms.idexx_neo.settings import NeoSettings

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright, Route

#: Browsers at once in this process.
MOST = 2
#: A log-in took some 8 s (seen in code: odis/sync); waiting for a free browser included, the token's lease is 30 s.
DEADLINE_S = 25.0
#: A log-in page that came back and still stands there after this long says no.
_SETTLES_S = 2.0
_LOOK_S = 0.1
#: Chromium as the system has it, before the one Playwright may have brought.
_NAMES = ("chromium", "chromium-browser", "google-chrome")

_PASSWORD = "input[type=password]"  # noqa: S105 - a selector
_USERNAME = "input[name=username], input[type=email], input[name=email]"
_COMPANY = "input[name=company_id], input[name=companyId]"
_SUBMIT = f"form:has({_PASSWORD}) >> button:not([type=button]), input[type=submit]"
_COMPLAINT = ".error-message:visible, .alert-danger:visible, [role=alert]:visible"
_CODE = "input[name=code], input[name=otp]"

_free = threading.BoundedSemaphore(MOST)


def log_in(settings: NeoSettings, agent: str, cancelled: Callable[[], bool]) -> str:
    """The jar of a session. The password is typed once.

    Raises PmsAuthFailed where the log-in is refused; PmsNotConfigured (no_browser, second_factor, not_paired);
    PmsUnavailable, PmsUntrusted, PmsCancelled.
    """
    until = clock.monotonic() + DEADLINE_S
    while not _free.acquire(timeout=_LOOK_S):
        _look_up(until, cancelled)
    told: list[str | BaseException] = []

    def work() -> None:
        try:
            told.append(_session(settings, agent, until))
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            told.append(error)
        finally:
            _free.release()

    # Playwright wants a thread without an event loop of somebody else's, and whoever waits may stop waiting.
    thread = threading.Thread(target=work, name="neo-log-in", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK_S)
        if not told:
            _look_up(until + 2 * _SETTLES_S, cancelled)
    if isinstance(told[0], BaseException):
        raise told[0]
    return told[0]


def _look_up(until: float, cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise PmsCancelled()
    if clock.monotonic() > until:
        raise PmsUnavailable("the browser did not finish", reason="deadline")


def _session(settings: NeoSettings, agent: str, until: float) -> str:
    try:
        from playwright.sync_api import Error, TimeoutError, sync_playwright  # noqa: A004, PLC0415 - an optional extra
    except ImportError:
        raise PmsNotConfigured(
            "Logging in to IDEXX Neo by browser needs Playwright: pip install 'runsheet[browser]', and Chromium from "
            "the system's packages.",
            reason="no_browser",
        ) from None
    try:
        with sync_playwright() as driver:
            return _driven(driver, settings, agent, until)
    except TimeoutError:
        raise PmsUnavailable("the log-in page did not do what was waited for", reason="deadline") from None
    except Error as error:  # its text may hold what was typed: none of it goes on
        raise _told(error.message) from None


#: Words of Chromium's own, and what they are to us.
_FAILURES: tuple[tuple[str, Callable[[], PmsError]], ...] = (
    (
        "Executable doesn't exist",
        lambda: PmsNotConfigured(
            "Logging in to IDEXX Neo by browser needs Chromium: install it from the system's packages.",
            reason="no_browser",
        ),
    ),
    ("ERR_NAME_NOT_RESOLVED", lambda: PmsUnavailable(reason="dns", sent=False)),
    ("ERR_CERT", lambda: PmsUntrusted("the certificate was not acceptable", reason="tls")),
    ("ERR_SSL", lambda: PmsUntrusted("the TLS handshake was not acceptable", reason="tls")),
    ("ERR_TOO_MANY_REDIRECTS", lambda: PmsUntrusted("redirects without end", reason="redirect")),
)


def _told(text: str) -> PmsError:
    return next((make() for word, make in _FAILURES if word in text), PmsUnavailable(reason="connect"))


def _driven(driver: Playwright, settings: NeoSettings, agent: str, until: float) -> str:
    browser = driver.chromium.launch(
        executable_path=next((found for name in _NAMES if (found := shutil.which(name))), None),
        headless=settings.headless,
        args=_flags(settings.base_url),
        timeout=_left_ms(until),
    )
    try:
        context = browser.new_context(user_agent=agent, accept_downloads=False, service_workers="block")
        context.set_default_timeout(_left_ms(until))
        page = context.new_page()
        page.route("**/*", lambda route: _gate(route, settings.base_url))
        _fill(page, settings)
        _press(page, settings.base_url, until)
        cookies = context.cookies([f"{settings.base_url}/"])
        kept = jar.of((one.get("name", ""), one.get("value", "")) for one in cookies)
        if not jar.has_session(kept):
            raise PmsAuthFailed("the log-in led to no session")
        return kept
    finally:
        browser.close()


def _flags(base_url: str) -> list[str]:
    """No proxy from the environment; a vendor's own host is reached at the address that was checked, as by our client.

    Chromium refuses its own sandbox to root, which is who containers often run as.
    """
    flags = ["--no-proxy-server", "--disable-dev-shm-usage", "--disable-background-networking"]
    host = urlsplit(base_url).hostname or ""
    try:
        found = addresses.checked(host, 443)
    except addresses.NotPublic:
        raise PmsUntrusted("an address in a private network", reason="address") from None
    except socket.gaierror:
        raise PmsUnavailable(reason="dns", sent=False) from None
    if found:
        flags.append(f"--host-resolver-rules=MAP {host} {found[0]}")
    return [*flags, "--no-sandbox"] if os.geteuid() == 0 else flags


def _gate(route: Route, base_url: str) -> None:
    """Neo's pages may bring scripts and pictures from elsewhere, over TLS; nothing leads the window itself away."""
    request = route.request
    leads_away = request.is_navigation_request() and request.frame.parent_frame is None
    if _origin(request.url) == _origin(base_url) or (urlsplit(request.url).scheme == "https" and not leads_away):
        route.continue_()
    else:
        route.abort()


def _fill(page: Page, settings: NeoSettings) -> None:
    """Type what the page asks for. Nothing is typed into anybody else's page."""
    page.goto(f"{settings.base_url}/login", wait_until="domcontentloaded")
    page.locator(_PASSWORD).first.wait_for(state="visible")
    if _origin(page.url) != _origin(settings.base_url):
        raise PmsUntrusted("the log-in page is somebody else's", reason="redirect")
    company = page.locator(_COMPANY)
    if company.count():
        if settings.company_id:
            company.first.fill(settings.company_id)
        elif company.first.get_attribute("required") is not None:
            raise form.no_company()
    page.locator(_USERNAME).first.fill(settings.username)
    page.locator(_PASSWORD).first.fill(settings.password)


def _press(page: Page, base_url: str, until: float) -> None:
    """Press the button and wait until that led to a page behind the log-in. Raises PmsAuthFailed where it did not."""
    answered_at: list[float] = []
    page.on("framenavigated", lambda _: answered_at.append(clock.monotonic()))
    shown_before = page.locator(_COMPLAINT).count()
    page.locator(_SUBMIT).first.click(no_wait_after=True)
    while clock.monotonic() < until:
        if _origin(page.url) != _origin(base_url):
            raise PmsUntrusted("the log-in leads to somebody else's page", reason="redirect")
        if "/login" not in urlsplit(page.url).path:
            page.wait_for_load_state("domcontentloaded")
            if page.locator(_CODE).count():
                raise form.second_factor()
            return
        if page.locator(_CODE).count():
            raise form.second_factor()
        came_back = bool(answered_at) and clock.monotonic() - answered_at[-1] > _SETTLES_S
        if came_back or page.locator(_COMPLAINT).count() > shown_before:
            raise PmsAuthFailed("the log-in was refused")
        page.wait_for_timeout(_LOOK_S * 1000)
    raise PmsUnavailable("nobody answered the log-in", reason="deadline")


def _left_ms(until: float) -> float:
    return max(1.0, (until - clock.monotonic()) * 1000)


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
