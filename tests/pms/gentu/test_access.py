"""Gentu's doors: settings, log-in, pairing, and every way of being turned away."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from app.config import VendorSettings
from app.errors import InvalidInput
from app.pms.errors import (
    PairingRefused,
    PmsAuthFailed,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotConfigured,
    PmsNotProvisioned,
    PmsRateLimited,
    PmsUnavailable,
)
from app.pms.factory import environment_for, environment_of, open_adapter
from app.pms.gentu.adapter import GentuAdapter
from app.pms.port import Site
from app.pms.tools import Tools
from tests.pms.conftest import Waits
from tests.pms.gentu.conftest import BOOK, CLIENT, MONDAY, TOKEN, T
from tests.pms.gentu.samples import PRACTITIONER, TENANT, page, sample
from tests.pms.scripted import CLOSE, RESET, Answer, Scripted, answer

PAIR = "/v1/apps/app-1/pairing/Ab3dEf9h"


def first_page(adapter: GentuAdapter) -> object:
    return next(adapter.appointments(adapter.partitions(MONDAY, [PRACTITIONER])[0]))


# --- settings ---------------------------------------------------------------------------------------------------------


def test_what_is_missing_is_named(tools: Tools) -> None:
    site = Site(None, "Australia/Melbourne")
    with pytest.raises(PmsNotConfigured, match="GENTU_APP_ID, GENTU_CLIENT_ID, GENTU_CLIENT_SECRET are not set"):
        open_adapter("gentu", VendorSettings(), site, tools)
    with pytest.raises(PmsNotConfigured, match="GENTU_CLIENT_SECRET is not set"):
        open_adapter("gentu", VendorSettings(extra={**CLIENT, "client_secret": ""}), site, tools)
    with pytest.raises(InvalidInput, match="not a system we speak to"):
        open_adapter("nobody", VendorSettings(), site, tools)


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("https://api.pm.magentus.com/v1", "live"),
        ("https://API.pm.magentus.com", "live"),
        ("https://api.pm.sandbox.magentus.com/v1", "vendor_sandbox"),
        ("http://127.0.0.1:8055/v1", "simulator"),
        ("https://api.pm.magentus.com.example/v1", "simulator"),
        ("https://example/?api.pm.magentus.com", "simulator"),
        ("https://user@example/", "simulator"),
        ("nonsense", "simulator"),
    ],
)
def test_only_the_vendors_own_hosts_are_live(url: str, environment: str) -> None:
    assert environment_of(url) == environment
    assert environment_for("gentu", VendorSettings(base_url=url)) == environment


def test_without_an_address_it_is_the_vendors_own() -> None:
    assert environment_for("gentu", VendorSettings()) == "live"


def test_opening_asks_nobody_anything(opened: Callable[..., GentuAdapter], gentu: Scripted) -> None:
    opened()
    assert gentu.asked == []


# --- log-in -----------------------------------------------------------------------------------------------------------


def test_the_log_in_is_a_form_with_basic_credentials(adapter: GentuAdapter, gentu: Scripted) -> None:
    adapter.authenticate()
    adapter.authenticate()
    (asked,) = gentu.asked
    assert (asked.method, asked.path, asked.body) == ("POST", TOKEN, b"grant_type=client_credentials")
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert base64.b64decode(asked.headers["Authorization"].removeprefix("Basic ")).decode() == "client:secret/:ü"


@pytest.mark.parametrize("reply", ["token", "token_numbers"])
def test_only_the_token_and_its_life_are_read(adapter: GentuAdapter, gentu: Scripted, reply: str) -> None:
    gentu.queue(TOKEN, answer(200, sample(reply)))
    adapter.identity()
    assert gentu.to(T)[0].headers["Authorization"] == f"Bearer {sample(reply)['access_token']}"


@pytest.mark.parametrize(
    "reply",
    [
        {"access_token": "a\r\nX-Evil: 1", "expires_in": 3599},
        {"access_token": "a", "expires_in": 0},
        {"access_token": "a", "expires_in": "soon"},
        {"access_token": "a"},
        {"expires_in": 3599},
        [],
    ],
)
def test_a_log_in_that_answers_nonsense_is_malformed(adapter: GentuAdapter, gentu: Scripted, reply: object) -> None:
    gentu.stand(TOKEN, answer(200, reply))
    with pytest.raises(PmsMalformed):
        adapter.authenticate()
    assert len(gentu.asked) == 1


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_client_is_asked_for_twice_in_all_and_never_again(
    opened: Callable[..., GentuAdapter], gentu: Scripted, status: int
) -> None:
    gentu.stand(TOKEN, answer(status, {"ErrorCode": "invalid_client"}))
    for _ in range(4):
        with pytest.raises(PmsAuthFailed):
            opened().authenticate()
    assert len(gentu.asked) == 2


@pytest.mark.parametrize("asks", [GentuAdapter.health_check, lambda adapter: adapter.pair("ABCD1234")])
def test_a_person_who_tests_or_pairs_anew_causes_one_more_log_in(
    opened: Callable[..., GentuAdapter], gentu: Scripted, asks: Callable[[GentuAdapter], object]
) -> None:
    """Magentus may have let the client in meanwhile; nothing of ours changes then, and nobody could find out."""
    gentu.stand(TOKEN, answer(401))
    for _ in range(3):
        with pytest.raises(PmsAuthFailed):
            opened().authenticate()
    with suppress(PmsAuthFailed):
        asks(opened())
    assert len(gentu.to(TOKEN)) == 3
    gentu.stand(TOKEN, answer(200, sample("token")))
    with pytest.raises(PmsAuthFailed):
        opened().authenticate()  # the clock does not try
    with suppress(PairingRefused):
        asks(opened())
    opened().authenticate()
    assert len(gentu.to(TOKEN)) == 4


@pytest.mark.fault("F12")
def test_a_log_in_that_fails_is_tried_once_more(adapter: GentuAdapter, gentu: Scripted, waits: Waits) -> None:
    gentu.queue(TOKEN, answer(500), answer(200, sample("token")))
    adapter.authenticate()
    assert len(gentu.asked) == 2
    gentu.stand(TOKEN, answer(500))
    with pytest.raises(PmsUnavailable):
        adapter.refresh_token()
    assert len(gentu.asked) == 4
    assert waits.total <= 2


@pytest.mark.fault("F13")
def test_a_token_refused_in_mid_run_is_replaced_and_the_call_repeated(adapter: GentuAdapter, gentu: Scripted) -> None:
    gentu.queue(BOOK, answer(200, page(following="c1")), answer(401), answer(200, page()))
    pages = list(adapter.appointments(adapter.partitions(MONDAY, [PRACTITIONER])[0]))
    assert len(pages) == 2
    signed = [asked.headers["Authorization"] for asked in gentu.to(BOOK)]
    assert signed == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


@pytest.mark.fault("F13")
def test_a_second_401_is_the_end_and_no_loop(adapter: GentuAdapter, gentu: Scripted) -> None:
    gentu.stand(BOOK, answer(401))
    with pytest.raises(PmsAuthFailed):
        first_page(adapter)
    assert (len(gentu.to(BOOK)), len(gentu.to(TOKEN))) == (2, 2)


@pytest.mark.parametrize("fault", ["fault_detail", "fault_direct"])
@pytest.mark.parametrize("path", [BOOK, T])
def test_an_app_that_is_not_set_up_is_told_from_an_outage(
    adapter: GentuAdapter, gentu: Scripted, fault: str, path: str
) -> None:
    gentu.stand(path, answer(500, sample(fault)))
    with pytest.raises(PmsNotProvisioned) as raised:
        adapter.identity() if path == T else first_page(adapter)
    assert (raised.value.reason, len(gentu.to(path))) == ("not_provisioned", 1)


@pytest.mark.parametrize(
    "body",
    [
        "app.partnerId",
        {"fault": {"faultstring": "Unresolved variable : other", "errorcode": "entities.UnresolvedVariable"}},
    ],
)
def test_any_other_500_is_an_outage(adapter: GentuAdapter, gentu: Scripted, body: object) -> None:
    gentu.stand(T, answer(500, body))
    with pytest.raises(PmsUnavailable):
        adapter.identity()
    assert len(gentu.to(T)) == 3


def test_a_disabled_practice_is_forbidden(adapter: GentuAdapter, gentu: Scripted) -> None:
    gentu.stand(T, answer(403, {"message": "disabled"}))
    with pytest.raises(PmsForbidden):
        adapter.identity()
    assert adapter.validate_connection() is False


def test_a_practice_that_is_not_paired_is_not_asked_for(opened: Callable[..., GentuAdapter], gentu: Scripted) -> None:
    adapter = opened(tenant=None)
    with pytest.raises(PmsNotConfigured) as raised:
        adapter.identity()
    assert (raised.value.reason, gentu.asked) == ("not_paired", [])
    assert adapter.health_check().reason == "not_paired"


def test_who_the_practice_is(adapter: GentuAdapter) -> None:
    found = adapter.identity()
    assert (found.external_id, found.name, found.timezone) == (
        TENANT,
        "Banksia Ridge Specialists",
        "Australia/Melbourne",
    )
    assert adapter.validate_connection() is True


# --- health -----------------------------------------------------------------------------------------------------------


def test_health_asks_both_halves_and_does_not_insist_on_json(adapter: GentuAdapter, gentu: Scripted) -> None:
    health = adapter.health_check()
    assert (health.healthy, health.message, health.reason) == (True, "Gentu answers.", None)
    assert health.latency_ms is not None
    assert [asked.path for asked in gentu.asked] == [TOKEN, f"{T}/status"]


@pytest.mark.parametrize(
    ("path", "said", "reason"),
    [
        (TOKEN, answer(401), "auth_failed"),
        (f"{T}/status", answer(500, sample("fault_direct")), "not_provisioned"),
        (f"{T}/status", answer(403), "forbidden"),
        (f"{T}/status", answer(200, "<html>Sign in", kind="text/html"), "bad_envelope"),
        (f"{T}/status", answer(503), "server_error"),
        (f"{T}/status", answer(429, Retry_After="600"), "rate_limited"),
    ],
)
def test_ill_health_is_a_sentence_and_no_exception(
    adapter: GentuAdapter, gentu: Scripted, path: str, said: Answer, reason: str
) -> None:
    gentu.stand(path, said)
    health = adapter.health_check()
    assert (health.healthy, health.reason) == (False, reason)
    assert "Gentu" in health.message


# --- pairing ----------------------------------------------------------------------------------------------------------


def test_a_code_is_spent_once_and_gives_the_practice(opened: Callable[..., GentuAdapter], gentu: Scripted) -> None:
    gentu.queue(PAIR, answer(200, sample("pairing")))
    assert opened(tenant=None).pair("  Ab3dEf9h\n") == TENANT
    assert [(asked.method, asked.path) for asked in gentu.asked] == [("POST", TOKEN), ("PUT", PAIR)]


@pytest.mark.parametrize(
    "code", ["", "Ab3dEf9", "Ab3dEf9hi", "Ab3d Ef9", "Ab3dEf9-", "Äb3dEf9h", "../../..", "１２３４５６７８"]
)
def test_what_is_no_code_is_refused_without_a_call(adapter: GentuAdapter, gentu: Scripted, code: str) -> None:
    with pytest.raises(InvalidInput, match="8 letters or digits"):
        adapter.pair(code)
    assert gentu.asked == []


@pytest.mark.fault("F12")
@pytest.mark.parametrize(
    "lost",
    [
        [CLOSE],
        [RESET],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", CLOSE],
        answer(500),
        answer(503, Retry_After="1"),
        answer(408),
        answer(200, b""),
        answer(200, "<html>", kind="text/html"),
        answer(200, {"message": "ok"}),
        answer(200, {"message": "ok", "tenantId": None}),
    ],
)
def test_a_lost_answer_says_that_the_code_may_be_used_and_is_not_repeated(
    adapter: GentuAdapter, gentu: Scripted, lost: Answer
) -> None:
    gentu.stand(PAIR, lost)
    with pytest.raises(PairingRefused) as raised:
        adapter.pair("Ab3dEf9h")
    assert (raised.value.reason, len(gentu.to(PAIR))) == ("code_maybe_used", 1)


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422])
def test_a_refused_code_is_refused(adapter: GentuAdapter, gentu: Scripted, status: int) -> None:
    gentu.stand(PAIR, answer(status))
    with pytest.raises(PairingRefused) as raised:
        adapter.pair("Ab3dEf9h")
    assert (raised.value.reason, len(gentu.to(PAIR))) == ("code_refused", 1)


@pytest.mark.parametrize(
    ("path", "said", "kind"),
    [
        (TOKEN, answer(503), PmsUnavailable),
        (TOKEN, [RESET], PmsUnavailable),
        (PAIR, answer(401), PmsAuthFailed),
        (PAIR, answer(429), PmsRateLimited),
        (PAIR, answer(500, sample("fault_detail")), PmsNotProvisioned),
    ],
)
def test_any_other_error_means_that_the_code_is_unspent(
    adapter: GentuAdapter, gentu: Scripted, path: str, said: Answer, kind: type[PmsError]
) -> None:
    gentu.stand(path, said)
    with pytest.raises(kind):
        adapter.pair("Ab3dEf9h")
    assert len(gentu.to(PAIR)) == (path == PAIR)


def test_a_code_that_never_left_is_unspent(gentu: Scripted, tools: Tools) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    vendor = VendorSettings(base_url=nobody, token_url=gentu.url + TOKEN, extra=CLIENT)
    adapter = open_adapter("gentu", vendor, Site(None, "UTC"), tools)
    with pytest.raises(PmsUnavailable) as raised:
        adapter.pair("Ab3dEf9h")
    adapter.close()
    assert (raised.value.reason, [asked.path for asked in gentu.asked]) == ("connect", [TOKEN])


def test_a_refused_token_does_not_spend_the_next_attempt(adapter: GentuAdapter, gentu: Scripted) -> None:
    gentu.queue(PAIR, answer(401), answer(200, sample("pairing")))
    with pytest.raises(PmsAuthFailed):
        adapter.pair("Ab3dEf9h")
    assert adapter.pair("Ab3dEf9h") == TENANT
    assert [asked.headers["Authorization"] for asked in gentu.to(PAIR)] == ["Bearer token-1", "Bearer token-2"]
