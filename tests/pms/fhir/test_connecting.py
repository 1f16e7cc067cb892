"""What may be typed to connect to a FHIR server, and where its next page may lead."""

from __future__ import annotations

import json

import pytest

from app.config import VendorSettings
from app.pms.errors import PmsNotConfigured, PmsUntrusted
from app.pms.factory import environment_for
from app.pms.fhir import wire
from app.pms.fhir.assertion import Signer
from app.pms.fhir.client import FhirClient
from app.pms.fhir.login import scope_of
from app.pms.fhir.settings import FhirSettings
from app.pms.tools import Tools
from app.sandbox.fhir import CREDENTIALS
from tests.pms.scripted import Scripted, answer

pytestmark = pytest.mark.feature("S11")


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("https://fhir.example.com/r4/", "https://fhir.example.com/r4"),
        ("fhir.example.com/r4/tenant-1", "https://fhir.example.com/r4/tenant-1"),
        ("https://fhir.example.com:443", "https://fhir.example.com:443"),
    ],
)
def test_an_address_that_may_be_typed(typed: str, base: str) -> None:
    assert FhirSettings.of(VendorSettings(), {"server": typed}).base_url == base


@pytest.mark.security("X29")
@pytest.mark.parametrize(
    "typed",
    [
        "http://fhir.example.com",
        "https://fhir.example.com:8443/r4",
        "https://me:secret-word@fhir.example.com",
        "https://fhir.example.com/r4?key=secret-word",
        "https://fhir.example.com/r4#x",
        "ftp://fhir.example.com",
        "https://",
        "https://fhir.example.com/r 4",
        "https://[x/r4",
        "https://fhir.example.com/" + "x" * 300,
        "",
    ],
)
def test_an_address_that_may_not(typed: str) -> None:
    with pytest.raises(PmsNotConfigured) as raised:
        FhirSettings.of(VendorSettings(), {"server": typed})
    assert "secret-word" not in str(raised.value)


@pytest.mark.security("X29")
@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_a_typed_address_never_leads_into_a_private_network(server: Scripted, tools: Tools, name: str) -> None:
    """Whatever the name means by the time it is asked; one the operator has set is trusted as it stands."""
    server.stand("/metadata", answer(200, {}))
    port = server.url.rpartition(":")[2]
    for typed, reached in ((True, False), (False, True)):
        settings = FhirSettings(
            f"http://{name}:{port}", typed, FhirSettings.of(VendorSettings(), {"server": "x.example"}).limits
        )
        client = FhirClient(settings, tools)
        if reached:
            assert client.get_openly("/metadata") == b"{}"
        else:
            with pytest.raises(PmsUntrusted) as raised:
                client.get_openly("/metadata")
            assert (raised.value.reason, server.connections) == ("address", 0)
        client.close()


def test_the_operators_address_wins_and_decides_what_the_connection_is() -> None:
    operators = VendorSettings(base_url="http://127.0.0.1:5051/fhir/r4/")
    settings = FhirSettings.of(operators, {"server": "https://fhir.example.com"})
    assert (settings.base_url, settings.typed, settings.tenant) == (
        "http://127.0.0.1:5051/fhir/r4",
        False,
        "127.0.0.1:5051/fhir/r4",
    )
    assert environment_for("fhir", operators) == "simulator"
    assert environment_for("fhir", VendorSettings()) == "live"


@pytest.mark.parametrize(
    "given",
    [
        {"client_id": "me"},
        {"private_key": CREDENTIALS["private_key"]},
        CREDENTIALS | {"token": "x"},
        {"token": "two words"},
        {"token": "tök"},
        {"client_id": "me", "private_key": "hunter2"},
        {"client_id": "me", "private_key": '{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}'},
        {"client_id": "me", "private_key": '{"kty":"oct","k":"hunter2"}'},
        {"client_id": "me", "private_key": "-----BEGIN PRIVATE KEY-----hunter2-----END PRIVATE KEY-----"},
        {"client_id": "me", "private_key": CREDENTIALS["private_key"].replace('"d":"', '"d":"BBBB')},
    ],
)
def test_what_cannot_open_anything_is_said_without_repeating_it(given: dict[str, str]) -> None:
    with pytest.raises(PmsNotConfigured) as raised:
        FhirSettings.of(VendorSettings(), {"server": "fhir.example.com"} | given)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_signer_shows_no_key_and_never_signs_the_same_twice() -> None:
    signer = Signer.of(CREDENTIALS["private_key"], None)
    one, other = (signer.assertion("me", "https://fhir.example/token", 1_000.9) for _ in range(2))
    assert one != other
    assert json.loads(CREDENTIALS["private_key"])["d"] not in repr(signer)
    assert signer.key_id == "runsheet-demo-1"


def test_scopes_are_asked_for_as_the_server_spells_and_lists_them() -> None:
    assert scope_of(None).split()[0] == "system/Appointment.rs"
    both = wire.SmartConfiguration("x", capabilities=["permission-v1", "permission-v2"])
    assert scope_of(both) == scope_of(None)
    old = wire.SmartConfiguration("x", capabilities=["permission-v1"])
    assert scope_of(old).split()[0] == "system/Appointment.read"
    few = wire.SmartConfiguration("x", scopes_supported=["system/Appointment.rs", "system/Patient.rs", "openid"])
    assert scope_of(few) == "system/Appointment.rs system/Patient.rs"
    wild = wire.SmartConfiguration("x", scopes_supported=["system/*.rs"])
    assert scope_of(wild) == scope_of(None)


# --- where a next page may lead ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("https://fhir.example.com/r4/Appointment?p=2", "https://fhir.example.com/r4/Appointment?p=2"),
        ("http://fhir.example.com/r4?_getpages=ab%2Bc&x=1", "https://fhir.example.com/r4?_getpages=ab%2Bc&x=1"),
        ("https://node-7.example.com/r4/Appointment?p=2", "https://fhir.example.com/r4/Appointment?p=2"),
        ("/Appointment?p=2", "https://fhir.example.com/r4/Appointment?p=2"),
        ("/r4/Appointment?p=2", "https://fhir.example.com/r4/Appointment?p=2"),
        ("?p=2", "https://fhir.example.com/r4/Appointment?p=2"),
        ("Appointment?p=2", "https://fhir.example.com/r4/Appointment?p=2"),
    ],
)
def test_a_next_page_is_asked_for_where_we_are_at_home(tools: Tools, link: str, url: str) -> None:
    assert follows(tools, link) == url


@pytest.mark.security("X29")
@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/other/Appointment?p=2",
        "https://fhir.example.com/r4evil/Appointment",
        "https://fhir.example.com/r4/../admin",
        "file:///r4/etc",
        "//elsewhere.example/x",
    ],
)
def test_and_nowhere_else(tools: Tools, link: str) -> None:
    with pytest.raises(PmsUntrusted):
        follows(tools, link)


def follows(tools: Tools, link: str) -> str:
    client = FhirClient(FhirSettings.of(VendorSettings(), {"server": "fhir.example.com/r4"}), tools)
    try:
        return client.follow(link, "/Appointment")
    finally:
        client.close()
