"""F7: a vendor's own host never leads back into the practice's network, whatever DNS says."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from app.pms import addresses, registry
from app.pms.errors import PmsUntrusted
from app.pms.http import Call, PmsHttp
from app.pms.limits import Limits
from app.pms.tools import Tools
from tests.pms.scripted import Scripted, answer


@pytest.mark.fault("F7")
@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("10.0.0.8", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
        ("1.1.1.1", True),
        ("::ffff:1.1.1.1", True),
        ("2606:4700:4700::1111", True),
    ],
)
def test_private_addresses_are_known_in_any_clothes(address: str, public: bool) -> None:
    assert addresses.is_public(address) is public


@pytest.mark.fault("F7")
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "2130706433", "0x7f000001", "127.1"])
def test_a_vendors_host_that_leads_back_here_is_refused_before_anything_is_sent(
    server: Scripted, tools: Tools, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    server.stand("/x", answer())
    url = server.url.replace("127.0.0.1", name).replace("localhost", name)
    with_host = PmsHttp(url, tools, limits=Limits(), limit_key="a client")
    monkeypatch.setitem(registry.HOSTS, name, "live")
    with pytest.raises(PmsUntrusted) as refused:
        with_host.send(Call("GET", "/x", "/x", signed=False))
    with_host.close()
    assert refused.value.reason == "address"
    assert server.connections == 0
    monkeypatch.delitem(registry.HOSTS, name)  # set by the operator, the same address is trusted
    trusted = PmsHttp(url, tools, limits=Limits(), limit_key="a client")
    assert trusted.send(Call("GET", "/x", "/x", signed=False)).status == 200
    trusted.close()


@pytest.mark.fault("F7")
def test_a_name_that_turns_private_is_noticed_at_the_next_connection(
    server: Scripted, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checked each time, and connected to what was checked: a second look-up cannot lead elsewhere."""
    monkeypatch.setitem(registry.HOSTS, "vendor.example", "live")
    told = [["1.1.1.1"], ["1.1.1.1", "127.0.0.1"]]
    asked: list[str] = []

    def resolved(host: str, port: int, *_: Any, **__: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in told[len(asked) - 1]]

    monkeypatch.setattr(addresses.socket, "getaddrinfo", resolved)
    assert addresses.checked("vendor.example", 443) == ["1.1.1.1"]
    with pytest.raises(addresses.NotPublic):
        addresses.checked("vendor.example", 443)
    assert asked == ["vendor.example"] * 2


def test_addresses_are_tried_in_turn(server: Scripted, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    server.stand("/x", answer())
    monkeypatch.setattr(addresses, "checked", lambda *_: ["::1", "127.0.0.1"])  # nobody listens at the first
    http = PmsHttp(server.url, tools, limits=Limits(), limit_key="a client")
    assert http.send(Call("GET", "/x", "/x", signed=False)).status == 200
    http.close()
