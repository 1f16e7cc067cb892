"""F5: who cannot prove who they are is not spoken to, and nothing is tried twice or without proof."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

import pytest
import requests.adapters

from app.config import ROOT
from app.pms.errors import PmsUnavailable, PmsUntrusted
from app.pms.http import Call, PmsHttp
from app.pms.limits import Limits
from app.pms.tools import Tools
from tests.pms.certificates import Authority
from tests.pms.conftest import Limiter
from tests.pms.scripted import CLOSE, answer, scripted

CALL = Call("GET", "/x", "/x", signed=False)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that requests trusts instead of the public ones."""
    made = Authority(tmp_path)
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(made.bundle))
    return made


def test_a_server_that_proves_itself_is_spoken_to(authority: Authority, tools: Tools) -> None:
    with scripted(tls=authority.server()) as server:
        server.stand("/x", answer(200, b"[]"))
        client = PmsHttp(server.url, tools, limits=Limits(), limit_key="k")
        assert client.send(CALL).body == b"[]"
        client.close()


@pytest.mark.fault("F5")
@pytest.mark.parametrize("fault", ["expired", "wrong host", "self-signed"])
def test_a_server_that_does_not_is_given_up_at_once(
    authority: Authority, tools: Tools, limiter: Limiter, fault: str
) -> None:
    address = "127.0.0.2" if fault == "wrong host" else "127.0.0.1"
    context = authority.server(address=address, expired=fault == "expired", own_word=fault == "self-signed")
    with scripted(tls=context) as server:
        server.stand("/x", answer(200, b"[]"))
        client = PmsHttp(server.url, tools, limits=Limits(), limit_key="k")
        with pytest.raises(PmsUntrusted) as raised:
            client.send(CALL)
        client.close()
        assert (raised.value.reason, limiter.places, server.asked) == ("tls", 1, [])


@pytest.mark.fault("F5")
def test_verification_is_switched_off_nowhere() -> None:
    wrong = re.compile(r"verify\s*=\s*False|CERT_NONE|check_hostname\s*=\s*False|_create_unverified_context")
    found = [path for path in (ROOT / "app").rglob("*.py") if wrong.search(path.read_text())]
    assert found == []


def test_plain_http_where_tls_was_expected_is_no_proof_either(authority: Authority, tools: Tools) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        client = PmsHttp(f"https://127.0.0.1:{listening.getsockname()[1]}", tools, limits=Limits(), limit_key="k")
        with pytest.raises(PmsUntrusted):
            client.send(CALL)
        client.close()
        thread.join()


def test_a_connection_cut_under_tls_is_an_outage_and_no_question_of_trust(authority: Authority, tools: Tools) -> None:
    with scripted(tls=authority.server()) as server:
        server.stand("/x", [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[", CLOSE])
        client = PmsHttp(server.url, tools, limits=Limits(), limit_key="k")
        with pytest.raises(PmsUnavailable):
            client.send(CALL)
        client.close()
        assert len(server.asked) == 3
