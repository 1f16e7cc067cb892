"""Our adapter against FHIR servers that are not ours: Medplum's repository, and one on fhirstarter (S11)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from app.config import VendorSettings
from app.domain.appointment import Appointment
from app.domain.status import Status
from app.domain.window import Window
from app.pms.errors import PmsBadRequest, PmsNotFound
from app.pms.factory import open_adapter
from app.pms.fhir.adapter import FhirAdapter
from app.pms.fhir.assertion import Signer
from app.pms.limits import LocalLimiter
from app.pms.port import Site
from app.pms.tools import Tools
from app.sandbox.fhir import CREDENTIALS
from foreign.conftest import Ask
from tests.pms.conftest import MemoryStores

pytestmark = pytest.mark.feature("S11")

ZONE = ZoneInfo("Australia/Melbourne")
DAY = date(2026, 3, 9)
MONDAY = Window(DAY, DAY, ZONE)


def id_of(name: str) -> str:
    return str(uuid5(NAMESPACE_URL, name))


class Medplum:
    """The server as a test fills it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def put(self, kind: str, called: str, /, **fields: Any) -> str:
        record = {"resourceType": kind, "id": id_of(called), **fields}
        answer = requests.put(f"{self.url}/{kind}/{record['id']}", json=record, timeout=10)
        assert answer.ok, answer.text
        return str(record["id"])

    def book(self, name: str, start: str, *, minutes: int = 20, status: str = "booked", **more: Any) -> str:
        ends = datetime.fromisoformat(start) + timedelta(minutes=minutes)
        taking_part = [
            {"actor": {"reference": f"{kind}/{id_of(who)}"}, "status": "accepted"}
            for kind, who in (("Patient", "orla"), ("Practitioner", "teo"))
        ]
        fields = {"status": status, "start": start, "end": ends.isoformat(), "participant": taking_part}
        return self.put("Appointment", name, **(fields | more))

    def delete(self, kind: str, id_: str) -> None:
        assert requests.delete(f"{self.url}/{kind}/{id_}", timeout=10).ok


@pytest.fixture
def server(medplum: str) -> Iterator[Medplum]:
    made = Medplum(medplum)
    given = {"use": "official", "family": "Venn", "given": ["Orla", "Mae"]}
    reached = [{"system": "phone", "value": "0491 570 156", "use": "mobile"}]
    made.put("Patient", "orla", name=[given], telecom=reached, birthDate="1979-11-02")
    made.put("Practitioner", "teo", name=[{"family": "Lindqvist", "given": ["Teo"], "prefix": ["Dr"]}])
    made.put("Organization", "us", name="Venn Street Practice", active=True)
    yield made
    found = requests.get(f"{medplum}/Appointment", {"_count": 1000}, timeout=10).json()
    for entry in found.get("entry", []):
        made.delete("Appointment", entry["resource"]["id"])


@pytest.fixture
def opened() -> Iterator[Callable[[str], FhirAdapter]]:
    made: list[FhirAdapter] = []

    def build(url: str) -> FhirAdapter:
        tools = Tools(limiter=LocalLimiter(), tokens=MemoryStores(), connection="a connection", manual=True)
        vendor = VendorSettings(base_url=url, requests_per_minute=10_000, requests_per_hour=10_000)
        adapter = open_adapter("fhir", vendor, Site(None, str(ZONE)), tools)
        assert isinstance(adapter, FhirAdapter)
        made.append(adapter)
        return adapter

    yield build
    for one in made:
        one.close()


@pytest.fixture
def adapter(server: Medplum, opened: Callable[[str], FhirAdapter]) -> FhirAdapter:
    return opened(server.url)


def rows(adapter: FhirAdapter, window: Window = MONDAY) -> dict[str, Appointment]:
    read = [page for part in adapter.partitions(window, []) for page in adapter.appointments(part)]
    assert not [one for page in read for one in page.rejected]
    return {one.external_id: one for page in read for one in page.appointments}


def test_it_is_told_who_it_is(server: Medplum, adapter: FhirAdapter) -> None:
    assert adapter.validate_connection()
    assert adapter.health_check().healthy
    assert adapter.identity().name == "Venn Street Practice"
    assert [(one.external_id, one.full_name) for one in adapter.practitioners()] == [(id_of("teo"), "Dr Teo Lindqvist")]


def test_a_day_is_read_with_its_people(server: Medplum, adapter: FhirAdapter) -> None:
    kind = {"coding": [{"system": "http://snomed.info/sct", "code": "448337001"}], "text": "Video review"}
    id_ = server.book("one", "2026-03-09T10:30:00+11:00", serviceType=[kind], comment="Captions")
    server.book("before", "2026-03-08T10:30:00+11:00")
    server.book("after", "2026-03-10T10:30:00+11:00")
    (one,) = rows(adapter).values()
    assert (one.external_id, one.starts_at, one.minutes) == (id_, datetime(2026, 3, 8, 23, 30, tzinfo=UTC), 20)
    assert (one.status, one.comment, one.telehealth_hint) == (Status.BOOKED, "Captions", True)
    assert (one.practitioner_id, one.practitioner_name) == (id_of("teo"), "Dr Teo Lindqvist")
    (person,) = one.patients
    assert (person.full_name, person.phone, person.birth_date) == ("Orla Mae Venn", "0491 570 156", date(1979, 11, 2))
    assert adapter.appointment(id_) == one
    assert adapter.patient(person.external_id) == person


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("proposed", Status.BOOKED),
        ("pending", Status.BOOKED),
        ("waitlist", Status.BOOKED),
        ("arrived", Status.ARRIVED),
        ("checked-in", Status.ARRIVED),
        ("fulfilled", Status.COMPLETED),
        ("cancelled", Status.CANCELLED),
        ("noshow", Status.NO_SHOW),
    ],
)
def test_every_word(server: Medplum, adapter: FhirAdapter, word: str, status: Status) -> None:
    id_ = server.book("one", "2026-03-09T10:30:00+11:00", status=word)
    assert rows(adapter)[id_].status is status


def test_more_than_a_page_of_a_server_that_names_no_next_one(server: Medplum, adapter: FhirAdapter) -> None:
    start = datetime(2026, 3, 9, 6, tzinfo=ZONE)
    ids = {server.book(f"n{number}", (start + timedelta(minutes=number)).isoformat()) for number in range(130)}
    assert set(rows(adapter)) == ids


def test_what_changed_and_what_is_gone(server: Medplum, adapter: FhirAdapter) -> None:
    stays, goes, mistaken = (server.book(name, "2026-03-09T10:30:00+11:00") for name in ("one", "two", "three"))
    time.sleep(0.01)  # the server's stamps are in whole milliseconds
    since = datetime.now(UTC)
    server.book("one", "2026-03-09T10:30:00+11:00", status="arrived")
    server.book("three", "2026-03-09T10:30:00+11:00", status="entered-in-error")
    server.delete("Appointment", goes)
    told = {one.external_id: one.status for page in adapter.changes(since, []) for one in page.appointments}
    assert told == {stays: Status.ARRIVED}
    assert set(rows(adapter)) == {stays}
    for id_ in (goes, mistaken, id_of("never")):
        with pytest.raises(PmsNotFound):
            adapter.appointment(id_)


def test_a_server_that_offers_next_to_nothing(starter: str, opened: Callable[[str], FhirAdapter]) -> None:
    """R4B, no date filter, no ids at once, no changes, no services: what it does not offer is done without."""
    adapter = opened(starter)
    assert adapter.identity().external_id == starter.removeprefix("http://")
    assert [(one.external_id, one.full_name) for one in adapter.practitioners()] == [("dr-2", "Dr Teo Lindqvist")]
    ((id_, one),) = rows(adapter).items()
    assert (id_, one.starts_at, one.practitioner_name) == (
        "ap-1",
        datetime(2026, 3, 8, 23, 30, tzinfo=UTC),
        "Dr Teo Lindqvist",
    )
    (person,) = one.patients
    assert (person.full_name, person.birth_date) == ("Orla Venn", None), "a birthday without its day"
    assert adapter.appointment("ap-2").external_id == "ap-2"
    for gone in ("ap-0", "ap-9"):
        with pytest.raises(PmsNotFound):
            adapter.appointment(gone)
    with pytest.raises(PmsBadRequest):
        list(adapter.changes(datetime(2026, 3, 9, tzinfo=UTC), []))


# --- the assertion, as somebody else's library reads it ---------------------------------------------------------------


def b64(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_our_assertion_is_one_to_pyjwt(ask: Ask, algorithm: str) -> None:
    if algorithm == "ES384":
        private = json.loads(CREDENTIALS["private_key"])
    else:
        numbers = rsa.generate_private_key(65537, 2048).private_numbers()
        public = {"kty": "RSA", "kid": "rsa-1", "n": b64(numbers.public_numbers.n), "e": b64(numbers.public_numbers.e)}
        private = public | {"d": b64(numbers.d), "p": b64(numbers.p), "q": b64(numbers.q)}
    now = time.time()
    signed = Signer.of(json.dumps(private), None).assertion("me", "https://fhir.example/token", now)
    shown = {name: value for name, value in private.items() if name not in ("d", "p", "q")}
    told = ask("pyjwt", assertion=signed, jwk=shown, algorithm=algorithm, audience="https://fhir.example/token")
    assert told["header"] == {"alg": algorithm, "typ": "JWT", "kid": private["kid"]}
    assert (told["claims"]["iss"], told["claims"]["sub"]) == ("me", "me")
    assert told["claims"]["exp"] - now <= 300
