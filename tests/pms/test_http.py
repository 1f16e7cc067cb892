"""E04: everything a network and a server can do to one request, over real sockets."""

from __future__ import annotations

import logging
import socket
import threading
import time
import traceback
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app import clock
from app.pms import breaker
from app.pms.body import json_body
from app.pms.errors import (
    PmsAuthFailed,
    PmsBadRequest,
    PmsCancelled,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotFound,
    PmsRateLimited,
    PmsUnavailable,
    PmsUntrusted,
)
from app.pms.http import Call, PmsHttp, query_of, segment
from app.pms.limits import Limits, LocalLimiter
from app.pms.retry import ONCE
from app.pms.tools import Tools
from app.pms.transport import BODY_CAP
from tests.pms.conftest import Limiter, Waits
from tests.pms.scripted import CLOSE, RESET, Scripted, answer, scripted

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CALL = Call("GET", "/x", "/things/{id}", signed=False)


def body_of(http: PmsHttp) -> bytes:
    reply = http.send(CALL)
    return json_body(reply.body, reply.headers.get("content-type", ""))


def fails(http: PmsHttp, call: Call = CALL) -> PmsError:
    with pytest.raises(PmsError) as raised:
        body_of(http) if call is CALL else http.send(call)
    return raised.value


@pytest.mark.fault("F1")
def test_a_name_that_does_not_resolve_is_tried_three_times(
    tools: Tools, waits: Waits, limiter: Limiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    client = PmsHttp("http://pms.invalid", tools, limits=Limits(), limit_key="k")
    error = fails(client)
    client.close()
    assert (type(error), error.reason, limiter.places) == (PmsUnavailable, "dns", 3)
    assert waits.total <= 3


@pytest.mark.fault("F2")
def test_a_refused_connection_is_tried_three_times(tools: Tools, waits: Waits, limiter: Limiter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = PmsHttp(f"http://127.0.0.1:{port}", tools, limits=Limits(), limit_key="k")
    error = fails(client, replace(CALL, path="/patients/Fennick"))
    client.close()
    assert isinstance(error, PmsUnavailable)
    assert "Fennick" not in "".join(traceback.format_exception(error))
    assert (error.reason, error.sent, limiter.places) == ("connect", False, 3)
    assert waits.total <= 3


@pytest.mark.fault("F2")
def test_a_reset_before_the_headers_is_tried_again(server: Scripted, http: PmsHttp) -> None:
    server.queue("/x", [RESET], [CLOSE], answer(200, {"a": 1}))
    assert body_of(http) == b'{"a": 1}'
    server.stand("/x", [RESET])
    assert fails(http).reason == "connect"


@pytest.mark.fault("F3")
@pytest.mark.parametrize(
    "broken",
    [
        [HEAD + b"Content-Length: 100\r\n\r\n" + b'{"appointments":[', CLOSE],
        [HEAD + b"Content-Length: 100\r\n\r\n" + b'{"appointments":[', 0.05, RESET],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n", CLOSE],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1", CLOSE],
    ],
    ids=["short", "reset", "no last chunk", "half a chunk"],
)
def test_a_body_that_breaks_off_is_fetched_whole_again(server: Scripted, http: PmsHttp, broken: list[bytes]) -> None:
    server.queue("/x", broken, answer(200, {"whole": True}))
    assert body_of(http) == b'{"whole": true}'
    server.stand("/x", broken)
    assert fails(http).reason == "interrupted"


@pytest.mark.fault("F4")
@pytest.mark.parametrize(
    "drip",
    [
        [HEAD + b"Content-Length: 1000\r\n\r\n", *([b"x", 0.05] * 100)],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *([b"1\r\nx\r\n", 0.05] * 100)],
        [*([b"H", 0.05] * 100)],
        [HEAD, *([b"X-A: b\r\n", 0.05] * 90)],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *([b"0", 0.05] * 100)],
        [30.0],
    ],
    ids=["body", "chunks", "status line", "headers", "chunk length", "silence"],
)
def test_a_drip_is_cut_off_at_the_deadline(server: Scripted, http: PmsHttp, drip: list[bytes | float]) -> None:
    server.stand("/x", drip)
    began = time.monotonic()
    error = fails(http, replace(CALL, deadline_s=0.3, policy=replace(CALL.policy, attempts=1)))
    assert error.reason == "deadline"
    assert 0.25 < time.monotonic() - began < 1.0
    assert len(server.asked) == 1


@pytest.mark.fault("F6")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_and_nobody_else_hears_of_it(server: Scripted, http: PmsHttp, status: int) -> None:
    with scripted() as elsewhere:
        server.stand("/x", answer(status, Location=f"{elsewhere.url}/x"))
        error = fails(http)
        assert elsewhere.asked == []
    assert (type(error), error.reason, len(server.asked)) == (PmsUntrusted, "redirect", 1)


@pytest.mark.fault("F40")
def test_an_address_that_is_not_the_vendors_is_never_asked(server: Scripted, http: PmsHttp, limiter: Limiter) -> None:
    with scripted() as elsewhere:
        for address in (f"{elsewhere.url}/x", server.url.replace("http:", "https:") + "/x", "@x/y", "ftp://127.0.0.1/"):
            error = fails(http, replace(CALL, path=address))
            assert (type(error), error.reason) == (PmsUntrusted, "address")
        assert elsewhere.asked == []
    assert limiter.places == 0
    server.stand("/y", answer())
    assert http.send(replace(CALL, path=f"{server.url}/y")).status == 200


@pytest.mark.fault("F16")
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!doctype html><title>Sign in</title>", "text/html; charset=utf-8"),
        (b"<html></html>", "application/json"),
        (b'{"appointments":[]}', "text/html"),
        (b'"ok"', "application/json"),
        (b"null", "application/json"),
        (b"Hello world!", "text/plain"),
    ],
)
def test_what_is_not_json_is_no_empty_answer(server: Scripted, http: PmsHttp, body: bytes, kind: str) -> None:
    server.stand("/x", answer(200, body, kind=kind))
    error = fails(http)
    assert (type(error), error.reason, len(server.asked)) == (PmsMalformed, "bad_envelope", 1)


@pytest.mark.fault("F18")
@pytest.mark.parametrize("status", [200, 204])
def test_an_empty_body_is_no_empty_list(server: Scripted, http: PmsHttp, status: int) -> None:
    said = [b"HTTP/1.1 204 No Content\r\n\r\n"] if status == 204 else answer(200, b" \r\n")
    server.stand("/x", said)
    error = fails(http)
    assert (type(error), error.reason) == (PmsMalformed, "empty_body")


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """200 MB of blanks in a list, as gzip."""
    packer = zlib.compressobj(1, wbits=31)
    packed = packer.compress(b"[")
    for _ in range(200):
        packed += packer.compress(b" " * 1_000_000)
    return packed + packer.compress(b"]") + packer.flush()


@pytest.mark.fault("F19")
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_gzip_bomb_is_given_up_within_a_chunk_of_the_cap(
    server: Scripted, http: PmsHttp, bomb: bytes, framing: str
) -> None:
    head = HEAD + b"Content-Encoding: gzip\r\n"
    if framing == "length":
        server.stand("/x", [head + b"Content-Length: %d\r\n\r\n" % len(bomb), bomb])
    else:
        size = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(bomb)
        server.stand("/x", [head + size, bomb, b"\r\n0\r\n\r\n"])
    tracemalloc.start()
    try:
        error = fails(http)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (type(error), error.reason, len(server.asked)) == (PmsMalformed, "too_large", 1)
    assert peak < 3 * BODY_CAP


@pytest.mark.fault("F20")
def test_a_page_larger_than_the_cap_is_refused_and_one_below_it_is_not(server: Scripted, http: PmsHttp) -> None:
    server.queue("/x", answer(200, b"[" + b" " * (BODY_CAP - 2) + b"]"))
    assert body_of(http).startswith(b"[")
    piece = b" " * 65536
    server.stand("/x", [HEAD + b"Connection: close\r\n\r\n[", *([piece] * 1000), CLOSE])
    assert fails(http).reason == "too_large"
    server.stand("/x", [HEAD + b"Content-Length: 60000000\r\n\r\n["])
    assert fails(http).reason == "too_large"


@pytest.mark.fault("F21")
def test_text_is_utf8_or_nothing(server: Scripted, http: PmsHttp, caplog: pytest.LogCaptureFixture) -> None:
    server.queue("/x", answer(200, "\ufeff" + '{"name":"Zoë"}', kind="application/json; charset=latin-1"))
    assert body_of(http) == '{"name":"Zoë"}'.encode()
    for body in ('{"name":"Zoë"}'.encode("latin-1"), '{"name":"Zoë"}'.encode("utf-16"), b'{"name":"\xed\xa0\x80"}'):
        server.queue("/x", answer(200, body))
        error = fails(http)
        assert isinstance(error, PmsMalformed)
        assert error.reason in {"encoding", "bad_envelope"}
    assert "Zo" not in caplog.text


@pytest.mark.fault("F24")
def test_absurdly_deep_json_is_refused_before_anybody_parses_it(server: Scripted, http: PmsHttp) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    for body in (deep, b'{"appointments":' + deep + b"}", b'{"a":[' * 50_000 + b"]}" * 50_000, b"[" * 65 + b"]" * 65):
        server.queue("/x", answer(200, body))
        assert fails(http).reason == "depth"
    for body in (b"[" * 64 + b"]" * 64, b'{"note":"' + b"[{" * 5000 + b'"}', b'{"note":"\\"' + b"]" * 200 + b'"}'):
        server.queue("/x", answer(200, body))
        assert body_of(http) == body


def test_a_body_that_does_not_decompress_is_malformed(server: Scripted, http: PmsHttp) -> None:
    server.stand("/x", answer(200, b"this is no gzip", Content_Encoding="gzip"))
    assert fails(http).reason == "encoding"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, PmsBadRequest), (401, PmsAuthFailed), (403, PmsForbidden), (404, PmsNotFound), (418, PmsBadRequest)],
)
def test_a_refusal_is_told_by_what_follows_from_it(
    server: Scripted, http: PmsHttp, status: int, kind: type[PmsError]
) -> None:
    server.stand("/x", answer(status, {"message": "Marlow Fennick"}))
    error = fails(http)
    assert type(error) is kind
    assert "Fennick" not in str(error)


@pytest.mark.feature("E04")
def test_the_request_says_who_we_are_and_takes_nothing_from_the_environment(
    server: Scripted, http: PmsHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.stand("/x", answer(200, b"[]", Set_Cookie="a=b"))
    http.send(CALL)
    http.send(replace(CALL, query={"fromDate": "2026-03-09T00:00:00.000+11:00", "include": "patients,practitioners"}))
    first, second = server.asked
    assert first.headers["User-Agent"].startswith("Runsheet/")
    assert first.headers["Accept"] == "application/json"
    assert second.target == "/x?fromDate=2026-03-09T00%3A00%3A00.000%2B11%3A00&include=patients,practitioners"
    assert second.query["fromDate"] == "2026-03-09T00:00:00.000+11:00"


@pytest.mark.feature("E04")
@pytest.mark.security("X28")
def test_the_log_holds_method_route_status_and_time_only(
    server: Scripted, http: PmsHttp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="app.pms.http")
    secret = {"Authorization": "Bearer eyJsecret"}
    call = replace(CALL, path="/patients/Fennick", query={"name": "Marlow"}, headers=secret, body=b"DOB 1979")
    server.queue("/patients/Fennick", answer(200, {"phone": "0491 570 156"}), answer(500, "Odette"), [RESET], [RESET])
    http.send(call)
    error = fails(http, call)
    told = "".join(traceback.format_exception(error))
    # Without instants, thread and process numbers: any four digits turn up in those one day.
    kept = [one for record in caplog.records for one in vars(record).values() if not isinstance(one, int | float)]
    text = told + caplog.text + str(kept)
    for word in ("Fennick", "Marlow", "eyJsecret", "DOB 1979", "0491 570", "Odette", server.url.split(":")[2]):
        assert word not in text
    lines = [vars(record) for record in caplog.records if record.name == "app.pms.http"]
    assert {(line["method"], line["route"]) for line in lines} == {("GET", "/things/{id}")}
    assert [line.get("status") or line["reason"] for line in lines] == ["200", "500", "connect", "connect"]
    assert all(isinstance(line["duration_ms"], int) for line in lines)


@pytest.mark.feature("E04")
def test_every_attempt_takes_a_place_in_the_limiter(server: Scripted, http: PmsHttp, limiter: Limiter) -> None:
    server.queue("/x", answer(500), answer(500), answer(200))
    http.send(CALL)
    assert limiter.places == len(server.asked) == 3


def test_a_run_that_is_called_off_asks_no_more(server: Scripted, tools: Tools, waits: Waits) -> None:
    server.stand("/x", answer(500))
    client = PmsHttp(
        server.url, replace(tools, cancelled=lambda: bool(server.asked)), limits=Limits(), limit_key="a client"
    )
    error = fails(client)
    client.close()
    assert isinstance(error, PmsCancelled)
    assert (len(server.asked), waits.slept) == (1, [])


def test_a_thread_keeps_its_connection_and_shares_it_with_nobody(server: Scripted, http: PmsHttp) -> None:
    server.stand("/x", [0.02, *answer(200, {"a": 1})])

    def ask() -> None:
        for _ in range(3):
            http.send(CALL)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Counter(asked.port for asked in server.asked).values()) == [3, 3, 3, 3]


def test_what_is_sent_once_has_a_connection_of_its_own(server: Scripted, http: PmsHttp) -> None:
    server.stand("/x", answer())
    for call in (CALL, replace(CALL, method="PUT", policy=ONCE), CALL):
        http.send(call)
    first, once, last = [asked.port for asked in server.asked]
    assert first == last != once


def test_a_place_our_own_limiter_does_not_give_is_not_asked_for_again(server: Scripted, tools: Tools) -> None:
    shut = LocalLimiter()
    shut.handle_rate_limit_response("k", 40)
    asked: list[float] = []

    def too_long(*_: object, **more: float) -> float:
        asked.append(more["max_wait_s"])
        raise PmsRateLimited(retry_after_s=40)

    shut.acquire = too_long  # type: ignore[method-assign]
    client = PmsHttp(server.url, replace(tools, limiter=shut), limits=Limits(), limit_key="k")
    assert isinstance(fails(client), PmsRateLimited)
    client.close()
    assert (asked, server.asked) == ([60.0], [])


@pytest.mark.fault("F41")
def test_a_clock_that_is_off_is_warned_of_once_a_run(
    server: Scripted, http: PmsHttp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="app.pms.http")
    server.stand("/x", answer(200, Date="Mon, 09 Mar 2020 01:02:00 GMT"))
    http.send(CALL)
    http.send(CALL)
    assert [record.levelname for record in caplog.records].count("WARNING") == 1


def test_an_id_stays_one_segment_of_its_path() -> None:
    assert segment("a/b?c#d e+ü") == "a%2Fb%3Fc%23d%20e%2B%C3%BC"
    for wrong in ("", ".", ".."):
        with pytest.raises(Exception, match="not an id"):
            segment(wrong)
    assert query_of({"at": "+11:00", "n": 5}) == "at=%2B11%3A00&n=5"


@pytest.fixture(autouse=True)
def no_environment_leaks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    yield


@pytest.mark.promise("P12")
def test_a_vendor_that_fails_most_calls_is_left_alone_for_a_while_and_then_asked_once(
    server: Scripted, http: PmsHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: at[0])
    server.stand("/x", answer(503))
    server.stand("/well", answer(200, {}))
    once = replace(CALL, policy=ONCE)
    for number in range(20):  # ten of twenty is half
        if number % 2:
            http.send(replace(once, path="/well"))
        else:
            assert fails(http, once).reason == "server_error"
    asked = len(server.asked)
    for _ in range(3):
        assert fails(http, once).reason == "given_up"
    assert len(server.asked) == asked, "nobody is asked while it is open"
    at[0] += breaker.PAUSE_S
    assert fails(http, once).reason == "server_error"
    assert fails(http, once).reason == "given_up", "one call decided"
    at[0] += breaker.PAUSE_S
    for _ in range(30):
        http.send(replace(once, path="/well"))
    assert len(server.asked) == asked + 1 + 30


@pytest.mark.promise("P12")
def test_a_few_failures_or_old_ones_leave_it_closed(
    server: Scripted, http: PmsHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [1000.0]
    monkeypatch.setattr(clock, "monotonic", lambda: at[0])
    server.stand("/x", answer(503))
    for _ in range(breaker.FEWEST - 1):
        assert fails(http, replace(CALL, policy=ONCE)).reason == "server_error"
    at[0] += breaker.WINDOW_S + 1
    for _ in range(breaker.FEWEST - 1):
        assert fails(http, replace(CALL, policy=ONCE)).reason == "server_error"
