"""The simulated IDEXX Neo by itself, met with a bare client: its log-in page, its door, its oddities."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.sandbox.process import RunningSandbox
from tests.sandbox.stage import StagedClinic

NOON, NINE = "2026-03-09T12:00:00+11:00", "2026-03-09T09:00:00+11:00"
AGENT = {"User-Agent": "Mozilla/5.0 (somebody's browser)"}
XHR = {**AGENT, "X-Requested-With": "XMLHttpRequest"}
CALENDAR = "/appointments/getCalendarEventData"
DAY = {"start": "2026-03-09 00:00:00", "end": "2026-03-09 23:59:59"}


@pytest.fixture
def neo(sandbox: RunningSandbox) -> StagedClinic:
    return StagedClinic(sandbox, "idexx_neo").fresh(NOON)


@pytest.fixture
def web(http: requests.Session) -> Iterator[requests.Session]:
    http.headers.update(XHR)
    yield http


def token(web: requests.Session, neo: StagedClinic) -> str:
    page = web.get(f"{neo.url}/login", timeout=10)
    assert page.headers["Content-Type"].startswith("text/html")
    found = re.search(r'name="_csrf" value="([^"]*)"', page.text)
    assert found is not None
    return found[1]


def logs_in(web: requests.Session, neo: StagedClinic, **more: str) -> requests.Response:
    form = {"_csrf": token(web, neo), **{name: neo.credentials[name] for name in ("username", "password")}}
    given = {**form, "company_id": neo.credentials["company_id"], **more}
    return web.post(f"{neo.url}/login", data=given, allow_redirects=False, timeout=10)


def rows(web: requests.Session, neo: StagedClinic) -> list[dict[str, Any]]:
    answer = web.get(neo.url + CALENDAR, params=DAY, timeout=10)
    assert answer.status_code == 200, answer.text
    return [one for one in answer.json() if not one["is_roster"]]


def test_whoever_fills_the_form_in_rightly_gets_a_cookie_and_the_dashboard(
    neo: StagedClinic, web: requests.Session
) -> None:
    answer = logs_in(web, neo)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/idexx_neo/dashboard")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    assert "Dashboard" in web.get(f"{neo.url}/dashboard", timeout=10).text
    assert rows(web, neo) == []


@pytest.mark.parametrize(
    ("given", "status"),
    [({"password": "x"}, 200), ({"company_id": "1"}, 200), ({"_csrf": "x"}, 419), ({"_csrf": ""}, 419)],
)
def test_whoever_does_not_stays_on_the_page(
    neo: StagedClinic, web: requests.Session, given: dict[str, str], status: int
) -> None:
    answer = logs_in(web, neo, **given)
    assert (answer.status_code, "alert-danger" in answer.text) == (status, True)
    assert "neo_session" not in web.cookies
    assert web.get(f"{neo.url}/dashboard", allow_redirects=False, timeout=10).headers["Location"].endswith("/login")


def test_a_page_whose_script_writes_the_token_has_none_for_who_runs_no_script(
    neo: StagedClinic, web: requests.Session
) -> None:
    neo.control("knobs", scripted=True)
    assert token(web, neo) == ""
    assert logs_in(web, neo).status_code == 419


def test_a_second_factor_stands_between(neo: StagedClinic, web: requests.Session) -> None:
    neo.control("knobs", second_factor=True)
    assert logs_in(web, neo).headers["Location"].endswith("/verify")
    assert 'name="otp"' in web.get(f"{neo.url}/verify", timeout=10).text
    assert "neo_session" not in web.cookies


@pytest.mark.parametrize(
    ("ended", "status", "says"),
    [
        ("json", 401, "Unauthenticated"),
        ("redirect", 302, ""),
        ("page", 200, "password"),
        ("forbidden", 403, "Forbidden"),
    ],
)
def test_each_way_to_say_that_a_session_is_over(
    neo: StagedClinic, web: requests.Session, ended: str, status: int, says: str
) -> None:
    logs_in(web, neo)
    neo.control("knobs", ended=ended)
    assert neo.end_tokens() == 1
    answer = web.get(neo.url + CALENDAR, params=DAY, allow_redirects=False, timeout=10)
    assert (answer.status_code, says in answer.text) == (status, True)


def test_the_door_wants_a_browsers_look(neo: StagedClinic, web: requests.Session) -> None:
    logs_in(web, neo)
    for headers, status in (({"User-Agent": "python-requests/2"}, 403), ({"X-Requested-With": None}, 200)):
        answer = web.get(neo.url + CALENDAR, params=DAY, headers=headers, timeout=10)
        assert (answer.status_code, answer.text[:9]) == (status, "<!doctype")


@pytest.mark.parametrize(
    "query",
    [
        {},
        {**DAY, "end": "2026-03-09"},
        {**DAY, "start": "2026-03-09T00:00:00"},
        {"start": DAY["end"], "end": DAY["start"]},
        {**DAY, "end": "2026-09-09 00:00:00"},
        {**DAY, "provider": "1"},
    ],
)
def test_a_window_is_written_as_the_calendar_writes_it(
    neo: StagedClinic, web: requests.Session, query: dict[str, str]
) -> None:
    logs_in(web, neo)
    answer = web.get(neo.url + CALENDAR, params=query, timeout=10)
    assert (answer.status_code, answer.json()["success"]) == (400, False)


def test_rows_as_they_are(neo: StagedClinic, web: requests.Session) -> None:
    logs_in(web, neo)
    seen = neo.book(NINE, state="completed")
    block = neo.book(NOON, block=True)
    off = neo.book(NOON, state="cancelled")
    gone = neo.book(NOON)
    neo.delete(gone)
    found = {str(one["id"]): one for one in rows(web, neo)}
    assert found.keys() == {seen, block, off}
    one = found[seen]
    assert type(one["id"]) is int
    assert (one["start"], one["end"]) == ("2026-03-09 09:00:00", "2026-03-09 09:40:00")
    assert (one["consultation_id"], one["provider"]) == (int(f"81{seen}"), "Dr Wren Okafor")
    assert (found[block]["is_block"], found[block]["patient_id"], found[block]["current_status"]) == (True, None, None)
    neo.control("knobs", shows_cancelled=False)
    assert off not in {str(one["id"]) for one in rows(web, neo)}
    neo.control("knobs", wrapped="events")
    wrapped = web.get(neo.url + CALENDAR, params=DAY, timeout=10).json()
    assert next(one["title"] for one in wrapped["events"] if one["is_roster"]).startswith("Roster Dr")
    for id_, deleted in ((seen, False), (gone, True)):
        answer = web.get(f"{neo.url}/appointments/getAppointment", params={"id": id_}, timeout=10)
        assert (answer.json()["appointment"]["id"], answer.json()["appointment"]["deleted"]) == (id_, deleted)
    assert web.get(f"{neo.url}/appointments/getAppointment", params={"id": "1"}, timeout=10).status_code == 404


def test_a_consultation_is_there_once_somebody_was_seen(neo: StagedClinic, web: requests.Session) -> None:
    logs_in(web, neo)
    seen, waits = neo.book(NINE, state="in_progress"), neo.book(NOON)
    answer = web.get(f"{neo.url}/consultations/81{seen}/page-data", timeout=10).json()
    assert (answer["consultation"]["status"], answer["patient"]["species"]) == ("Draft", "Canine")
    assert web.get(f"{neo.url}/consultations/81{waits}/page-data", timeout=10).status_code == 404


def test_many_at_once_are_told_to_slow_down(neo: StagedClinic, web: requests.Session) -> None:
    logs_in(web, neo)
    neo.control("knobs", at_once=0)
    answer = web.get(neo.url + CALENDAR, params=DAY, timeout=10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    neo.control("knobs", at_once=4)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(web.get, neo.url + CALENDAR, params=DAY, timeout=10) for _ in range(12)]
        assert {one.result().status_code for one in asked} == {200}


def test_the_two_addresses_of_the_books_settings(neo: StagedClinic, web: requests.Session) -> None:
    logs_in(web, neo)
    for settings, new, old in (("new", 200, 404), ("old", 404, 200), ("none", 404, 404)):
        neo.control("knobs", settings=settings)
        found = [
            web.get(neo.url + path, timeout=10).status_code
            for path in ("/appointments/getAppointmentView", "/schedule/getScheduleConfigs")
        ]
        assert found == [new, old]
