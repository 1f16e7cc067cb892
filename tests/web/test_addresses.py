"""X20: credentials come in a header or a body. In an address they are refused, and nobody writes them down."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from app.store.db import Store
from app.web.addresses import names_a_credential
from tests.factories import Booking, Clinic
from tests.fixtures.databases import Sqlite
from tests.jobs.living import environment
from tests.jobs.processes import Running, eventually, process
from tests.web.pages import DAY, Visit, statements, text_of

SECRET = "rsk-live-5f0c1e77d9"
NAMES = [
    "api_key", "apikey", "API-Key", "X-API-Key", "key", "token", "access_token", "refresh_token", "id_token",
    "csrf_token", "password", "passwd", "pwd", "pass", "secret", "client_secret", "authorization", "auth", "jwt",
    "session", "sid", "pairing_code", "code", "credentials", "user[password]", "api%5Fkey",
]  # fmt: skip
PATHS = ["/", "/login", "/run-sheet", f"/run-sheet/{DAY}", "/static/app.css", "/no-such-page", "/connections"]


@pytest.mark.security("X20")
@pytest.mark.parametrize("name", NAMES)
def test_an_address_with_a_credential_is_refused_in_a_clear_sentence(
    clinic: Clinic, owner: Visit, nobody: Visit, name: str
) -> None:
    for visit in (owner, nobody):
        for path in PATHS:
            for query in (f"{name}={SECRET}", f"day=2026-03-20&{name}={SECRET}", f"{name}="):
                answer = visit.get(f"{path}?{query}")
                assert answer.status_code == 400, (path, query)
                assert SECRET not in answer.text
                assert SECRET not in str(answer.headers)
    told = text_of(answer.text)
    assert "A key or password does not belong in an address" in told
    assert "Send it in a header or a form instead" in told


@pytest.mark.security("X20")
def test_a_write_with_a_credential_in_its_address_writes_nothing(clinic: Clinic, owner: Visit, store: Store) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    path = f"/appointments/{clinic.row_id('Ines Fennick')}/status"
    with statements(store) as sent:
        answer = owner.post(f"{path}?api_key={SECRET}", {"status": "arrived", "version": "1"}, htmx=True)
    assert (answer.status_code, sent) == (400, [])
    assert "<html" not in answer.text


@pytest.mark.security("X20")
def test_a_way_back_that_holds_one_is_refused_too(nobody: Visit) -> None:
    for back in (f"/run-sheet%3Fapi_key%3D{SECRET}", f"/run-sheet%253Ftoken%253D{SECRET}", f"/x?token={SECRET}"):
        answer = nobody.get(f"/login?next={back}")
        assert answer.status_code == 400
        assert SECRET not in answer.text


@pytest.mark.security("X20")
@pytest.mark.parametrize(
    "query",
    [
        "", "status=arrived&type=t1&clinician=all&seen=3.1700000000", "day=2026-03-20", "next=/run-sheet/2026-03-20",
        "v=0123456789ab", "read=1", "page=2&outcome=failed&connection=1", "q=keyes", "q=token", "keyword=x",
    ],
)  # fmt: skip
def test_our_own_addresses_are_no_credentials(query: str) -> None:
    assert not names_a_credential(query)


# --- a real web process, and all it says ------------------------------------------------------------------------------


@pytest.fixture(params=["console", "json"])
def web(
    request: pytest.FixtureRequest, tmp_path: Path, sqlite_databases: Sqlite, redis_url: str
) -> Iterator[tuple[Running, int]]:
    """`runsheet web` at its most talkative, and its port."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    url = sqlite_databases.fresh()
    told = {"PORT": str(port), "LOG_LEVEL": "debug", "LOG_FORMAT": request.param}
    with process("web", "--workers", "1", environ=environment(tmp_path / "home", url, redis_url, **told)) as running:
        eventually(lambda: running.popen.poll() is not None or answers(port), "the pages", 30)
        assert running.popen.poll() is None, running.said
        yield running, port
    sqlite_databases.drop(url)


def answers(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/login", timeout=2).ok
    except requests.RequestException:
        return False


def raw(port: int, request: bytes) -> bytes:
    """What a program gets that does not keep to the rules of HTTP."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as connection:
        connection.sendall(request)
        answer = b""
        while more := connection.recv(65_536):
            answer += more
    return answer


@pytest.mark.security("X20")
def test_neither_a_log_line_nor_a_page_of_the_real_server_holds_the_credential(web: tuple[Running, int]) -> None:
    running, port = web
    address = f"http://127.0.0.1:{port}"
    for path in PATHS:
        for method in ("GET", "POST", "PUT", "HEAD"):
            answer = requests.request(method, f"{address}{path}?api_key={SECRET}", timeout=10)
            assert answer.status_code == 400, (method, path)
            assert SECRET not in answer.text + str(answer.headers)
    headers = {"X-API-Key": SECRET, "Authorization": f"Bearer {SECRET}", "Cookie": f"runsheet={SECRET}"}
    assert SECRET not in requests.get(f"{address}/no-such-page", headers=headers, timeout=10).text
    assert SECRET not in requests.post(f"{address}/login", data={"password": SECRET}, timeout=10).text
    # What gunicorn itself refuses never reaches us: neither may it repeat, or write down, what it was sent.
    for broken in (
        f"GET /run-sheet?api_key={SECRET} HTTP/9.9\r\nHost: x\r\n\r\n",
        f"GET /run-sheet?api_key={SECRET}\r\n\r\n",
        f"G{{}}T /run-sheet?api_key={SECRET} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /run-sheet?api_key={SECRET}&x={'x' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /run-sheet HTTP/1.1\r\nHost: x\r\nX-API-Key {SECRET}\r\n\r\n",
    ):
        assert SECRET.encode() not in raw(port, broken.encode()), broken[:60]
    assert running.end() == 0
    assert running.lines, "it said nothing at all, so this proves nothing"
    assert SECRET not in running.said
    assert "api_key" not in running.said
