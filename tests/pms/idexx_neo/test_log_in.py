"""Logging in to IDEXX Neo: by its form, by pasted cookies, by a real browser; and noticing that a session is over."""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.pms.errors import (
    PmsAuthFailed,
    PmsCancelled,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotConfigured,
    PmsUnavailable,
    PmsUntrusted,
)
from app.pms.idexx_neo import browser, jar
from app.pms.tools import Tools
from tests.pms.conftest import MemoryStores
from tests.pms.idexx_neo.conftest import NINE, Opened, pages, refs, rows
from tests.sandbox.stage import StagedClinic

#: A real browser costs seconds, so what both ways must do alike is shown for both, and the rest for the form.
chromium = pytest.param(
    "browser",
    marks=[
        pytest.mark.browser,
        pytest.mark.skipif(not any(map(shutil.which, browser._NAMES)), reason="no Chromium on this machine"),
    ],
)
BOTH = pytest.mark.parametrize("way", ["form", chromium])


def logins(neo: StagedClinic) -> int:
    """How often a password was sent."""
    return sum(one["method"] == "POST" for one in neo.asked("/login"))


def stored(tools: Tools) -> Any:
    assert isinstance(tools.tokens, MemoryStores)
    return tools.tokens.connection().row


@BOTH
@pytest.mark.parametrize("company", ["4711", None])
def test_a_log_in_keeps_a_session_for_this_run_and_the_next(
    neo: StagedClinic, opened: Opened, tools: Tools, way: str, company: str | None
) -> None:
    neo.control("knobs", company_id=company)
    id_ = neo.book(NINE)
    assert rows(opened(neo, login_by=way)).keys() == {id_}
    assert rows(opened(neo, login_by=way)).keys() == {id_}
    assert logins(neo) == 1
    assert jar.pairs(stored(tools).access).keys() == {"neo_csrf", "neo_session"}


@BOTH
def test_a_wrong_password_is_sent_once_a_run_and_twice_in_all(neo: StagedClinic, opened: Opened, way: str) -> None:
    for sent in (1, 2, 2):
        with pytest.raises(PmsAuthFailed):
            opened(neo, login_by=way, password="Wrong-0000!").authenticate()
        assert logins(neo) == sent
    health = opened(neo, login_by="form").health_check()
    assert (health.healthy, health.reason) == (True, None), "a person asks for one more"


@BOTH
def test_what_only_a_person_can_give_is_said_and_no_refused_log_in(
    neo: StagedClinic, opened: Opened, tools: Tools, way: str
) -> None:
    with pytest.raises(PmsNotConfigured, match="company ID"):
        opened(neo, login_by=way, company_id="").authenticate()
    assert logins(neo) == 0
    neo.control("knobs", second_factor=True)
    with pytest.raises(PmsNotConfigured, match="second factor") as told:
        opened(neo, login_by=way).authenticate()
    assert told.value.reason == "second_factor"
    assert stored(tools).login_failures == 0


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ({"password": ""}, "Password"),
        ({"username": "", "password": ""}, "User name and Password"),
        ({"login_by": "cookies"}, "Cookies"),
        ({"login_by": "cookies", "cookies": "no cookie; at all"}, "cookies"),
    ],
)
def test_what_nobody_typed_is_named_when_somebody_logs_in(
    neo: StagedClinic, opened: Opened, typed: dict[str, str], named: str
) -> None:
    adapter = opened(neo, **typed)
    with pytest.raises(PmsNotConfigured, match=named):
        adapter.authenticate()
    assert neo.asked("/login") == []


@pytest.mark.parametrize(("name", "value"), [("region", "mars"), ("login_by", "magic")])
def test_a_word_nobody_knows_is_refused_at_once(neo: StagedClinic, opened: Opened, name: str, value: str) -> None:
    with pytest.raises(PmsNotConfigured):
        opened(neo, **{name: value})


# --- by the form alone ------------------------------------------------------------------------------------------------


def test_a_page_that_needs_its_script_refuses_the_form(neo: StagedClinic, opened: Opened) -> None:
    neo.control("knobs", scripted=True)
    with pytest.raises(PmsAuthFailed):
        opened(neo).authenticate()
    assert logins(neo) == 1


@pytest.mark.fault("F12")
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 500, "method": "POST"}, PmsUnavailable),
        ({"kind": "hang_up", "method": "POST"}, PmsUnavailable),
        ({"kind": "redirect", "method": "POST"}, PmsUntrusted),
        ({"kind": "html", "method": "GET"}, PmsMalformed),
        ({"kind": "status", "status": 503, "method": "GET"}, PmsUnavailable),
    ],
)
def test_a_log_in_nobody_knows_the_end_of_is_not_sent_again(
    neo: StagedClinic, opened: Opened, tools: Tools, fault: dict[str, Any], error: type[PmsError]
) -> None:
    neo.fault(path="/login", **fault)
    with pytest.raises(error):
        opened(neo).authenticate()
    assert logins(neo) == (1 if fault["method"] == "POST" else 0)
    assert stored(tools).login_failures == 0


def test_the_page_may_be_asked_for_twice(neo: StagedClinic, opened: Opened) -> None:
    neo.fault("status", path="/login", method="GET", next=1)
    opened(neo).authenticate()
    assert [one["status"] for one in neo.asked("/login")] == [503, 200, 302]


# --- pasted cookies ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pasted(neo: StagedClinic, opened: Opened, tools: Tools) -> str:
    """The Cookie header of somebody who is logged in."""
    other = replace(tools, tokens=MemoryStores())
    opened(neo, with_tools=other).authenticate()
    return str(stored(other).access)


@pytest.mark.parametrize("written", ["{}", "Cookie: {};"])
def test_pasted_cookies_open_the_book_until_the_session_ends(
    neo: StagedClinic, opened: Opened, tools: Tools, pasted: str, written: str
) -> None:
    id_ = neo.book(NINE)
    typed = {"login_by": "cookies", "cookies": written.format(pasted), "username": "", "password": ""}
    assert rows(opened(neo, **typed)).keys() == {id_}
    neo.end_tokens()
    before = logins(neo)
    for _ in range(2):
        with pytest.raises(PmsAuthFailed):
            pages(opened(neo, **typed))
    assert logins(neo) == before
    assert stored(tools).login_failures == 2, "as refused as a password would be"


# --- the end of a session ---------------------------------------------------------------------------------------------


@pytest.mark.fault("F13", "F16")
@pytest.mark.parametrize(
    ("ended", "same_run"),
    [
        *(("json", one) for one in (True, False)),
        *(("redirect", one) for one in (True, False)),
        *(("page", one) for one in (True, False)),
        ("forbidden", False),  # of a session that was begun in this run it means what it says
    ],
)
def test_a_session_that_ended_is_noticed_and_one_new_log_in_reads_the_day(
    neo: StagedClinic, opened: Opened, ended: str, same_run: bool
) -> None:
    id_ = neo.book(NINE)
    first = opened(neo)
    assert rows(first).keys() == {id_}
    neo.control("knobs", ended=ended)
    neo.end_tokens()
    assert rows(first if same_run else opened(neo)).keys() == {id_}
    assert logins(neo) == 2


@pytest.mark.fault("F13", "F16")
@pytest.mark.parametrize("ended", ["json", "redirect", "page"])
def test_a_session_that_is_never_good_ends_the_run_and_is_no_empty_day(
    neo: StagedClinic, opened: Opened, ended: str
) -> None:
    neo.control("knobs", ended=ended)
    neo.fault("expire", path="/appointments/getCalendarEventData")
    with pytest.raises(PmsAuthFailed):
        pages(opened(neo))
    assert logins(neo) == 2, "one new log-in, no loop"


@pytest.mark.fault("F16")
def test_any_other_page_is_no_empty_day_either_and_costs_one_log_in(neo: StagedClinic, opened: Opened) -> None:
    opened(neo).authenticate()
    neo.fault("html", path="/appointments/getCalendarEventData")
    adapter = opened(neo)
    for _ in range(3):
        with pytest.raises(PmsMalformed) as told:
            pages(adapter)
        assert told.value.reason == "bad_envelope"
    assert logins(neo) == 2


@pytest.mark.fault("F14")
def test_what_the_user_may_not_see_costs_one_log_in_and_is_told_of_each(neo: StagedClinic, opened: Opened) -> None:
    neo.book(NINE, count=5, state="completed")
    opened(neo).authenticate()
    adapter = opened(neo)
    found = list(rows(adapter).values())
    neo.fault("status", status=403, path="/consultations")
    assert {one.reason for one in adapter.consultations(refs(found))} == {"forbidden"}
    assert logins(neo) == 2
    assert opened(neo).validate_connection() is True
    neo.mend()
    neo.fault("status", status=403, path="/appointments/getAppointmentView")
    assert opened(neo).validate_connection() is False
    with pytest.raises(PmsForbidden):
        opened(neo).practitioners()


def test_sessions_of_one_clinic_never_open_another(neo: StagedClinic, opened: Opened, tools: Tools) -> None:
    """A thread's connections are shared by runs; its cookies must not be."""
    opened(neo).authenticate()
    with pytest.raises(PmsAuthFailed):
        opened(neo, with_tools=replace(tools, tokens=MemoryStores()), password="Wrong-0000!").authenticate()


# --- the browser ------------------------------------------------------------------------------------------------------

needs_chromium = pytest.mark.skipif(not any(map(shutil.which, browser._NAMES)), reason="no Chromium on this machine")


@needs_chromium
@pytest.mark.browser
@pytest.mark.feature("S04")
def test_a_page_that_needs_its_script_lets_a_real_browser_in(neo: StagedClinic, opened: Opened) -> None:
    neo.control("knobs", scripted=True)
    id_ = neo.book(NINE)
    assert rows(opened(neo, login_by="")).keys() == {id_}, "the browser is the usual way"
    assert [one["method"] for one in neo.asked("/login")] == ["GET", "POST"]
    assert len(neo.asked("/dashboard")) == 1
    assert [one for one in neo.asked("/appointments") if one["status"] != 200] == [], "from there on by plain HTTP"


@needs_chromium
@pytest.mark.browser
@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        ({"kind": "redirect", "method": "POST"}, PmsUntrusted, "redirect"),
        ({"kind": "hang_up"}, PmsUnavailable, "connect"),
    ],
)
def test_a_browser_that_is_led_away_or_left_alone_comes_back(
    neo: StagedClinic, opened: Opened, tools: Tools, fault: dict[str, Any], error: type[PmsError], reason: str
) -> None:
    neo.fault(path="/login", **fault)
    with pytest.raises(error) as told:
        opened(neo, login_by="browser").authenticate()
    assert told.value.reason == reason
    assert stored(tools).login_failures == 0


def test_without_playwright_it_is_said_what_to_install(
    neo: StagedClinic, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(PmsNotConfigured, match=r"pip install 'runsheet\[browser\]'") as told:
        opened(neo, login_by="browser").authenticate()
    assert told.value.reason == "no_browser"


def test_chromiums_own_words_are_told_in_ours_and_never_repeated() -> None:
    words = {
        "Executable doesn't exist at /x": "no_browser",
        "net::ERR_NAME_NOT_RESOLVED at https://us.idexxneo.com": "dns",
        "net::ERR_CERT_AUTHORITY_INVALID": "tls",
        "net::ERR_CONNECTION_REFUSED": "connect",
        'fill("s3cret") something new': "connect",
    }
    for text, reason in words.items():
        error = browser._told(text)
        assert error.reason == reason
        assert "s3cret" not in str(error)


def test_at_most_two_browsers_run_and_whoever_waits_can_stop(
    neo: StagedClinic, opened: Opened, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[int] = []
    at_once: list[int] = []
    go = threading.Event()

    def session(*_: object) -> str:
        running.append(1)
        at_once.append(len(running))
        go.wait(10)
        running.pop()
        return "neo_session=x"

    monkeypatch.setattr(browser, "_session", session)
    adapter = opened(neo, login_by="browser")
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(browser.log_in(adapter._settings, "", lambda: False)))
        for _ in range(4)
    ]
    for one in threads:
        one.start()
    until(lambda: len(running) == browser.MOST)
    with pytest.raises(PmsCancelled):
        browser.log_in(adapter._settings, "", lambda: True)
    monkeypatch.setattr(browser, "DEADLINE_S", 0.0)
    with pytest.raises(PmsUnavailable):
        browser.log_in(adapter._settings, "", lambda: False)
    go.set()
    for one in threads:
        one.join(10)
    assert (len(found), max(at_once)) == (4, browser.MOST)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- secrets ----------------------------------------------------------------------------------------------------------


@BOTH
def test_no_password_cookie_or_patient_is_in_the_log(
    neo: StagedClinic, opened: Opened, tools: Tools, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="app")  # somebody may have set it up before
    id_ = neo.book(NINE, state="completed", reason="Limping badly")
    adapter = opened(neo, login_by=way)
    found = rows(adapter)
    list(adapter.consultations(refs(list(found.values()))))
    adapter.appointment(id_)
    neo.end_tokens()
    neo.control("knobs", password="Changed-0000!")
    with pytest.raises(PmsAuthFailed) as told:
        pages(adapter)
    session = jar.pairs(stored(tools).access)
    secrets = [neo.credentials["password"], *session.values(), "Biscuit", "Quandongley", "Limping", "0491", id_]
    logged = "\n".join([record.getMessage() + str(vars(record)) for record in caplog.records]) + repr(told.value)
    assert [one for one in secrets if one in logged] == []
    assert "/consultations/{id}" in logged
    assert neo.credentials["password"] not in repr(adapter._settings)


def test_a_pasted_jar_is_read_as_a_browser_shows_it() -> None:
    assert jar.pasted("Cookie: a=1; neo_session=x.y%3D;") == "a=1; neo_session=x.y%3D"
    assert [jar.pasted(text) for text in ("", "Cookie:", "a b=1", "a=1; ; b=2", "a=1\r\nX: y", "=1", "x" * 5000)] == [
        None
    ] * 7


def test_a_jar_follows_what_an_answer_sets() -> None:
    ends = "neo_session=new; Expires=Wed, 09 Jun 2027 10:18:14 GMT; Path=/"
    headers = {"set-cookie": f"a=; Max-Age=0, {ends}, b=2; max-age=-1, c=3"}
    assert jar.after("a=1; neo_session=old; d=4", headers) == "d=4; neo_session=new; c=3"
    assert jar.has_session("x=1; Neo_Auth_Token=2")
    assert not jar.has_session("x=1; y=session")
