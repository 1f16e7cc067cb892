"""Our simulated FHIR server, as clients and models that are not ours see it (S11)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import requests

from foreign.conftest import Ask
from tests.sandbox.process import RunningSandbox, running_sandbox
from tests.sandbox.stage import StagedClinic

pytestmark = pytest.mark.feature("S11")

NOON = "2026-03-09T12:00:00+11:00"
DAYS = {"from": "2026-03-07T13:00:00Z", "to": "2026-03-10T13:00:00Z"}
DATES = ("2026-03-08", "2026-03-09", "2026-03-10")
KINDS = ("Appointment", "Patient", "Practitioner", "PractitionerRole", "HealthcareService", "Location", "Organization")


@pytest.fixture(scope="module")
def _demo() -> Iterator[RunningSandbox]:
    with running_sandbox("demo") as running:
        yield running


@pytest.fixture
def clinic(_demo: RunningSandbox) -> StagedClinic:
    return StagedClinic(_demo, "fhir").fresh(NOON, page_cap=20)


@pytest.fixture
def token(clinic: StagedClinic, ask: Ask) -> str:
    """Bought with an assertion that PyJWT has signed."""
    jwk, now = json.loads(clinic.credentials["private_key"]), int(time.time())
    me = clinic.credentials["client_id"]
    claims = {"iss": me, "sub": me, "aud": f"{clinic.url}/token", "exp": now + 200, "jti": str(uuid4())}
    made = ask("pyjwt", jwk=jwk, algorithm="ES384", claims=claims)["made"]
    form = {
        "grant_type": "client_credentials",
        "scope": "system/*.rs",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": made,
    }
    answer = requests.post(f"{clinic.url}/token", data=form, timeout=10)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def truth(clinic: StagedClinic) -> list[str]:
    return [one["id"] for day in DATES for one in clinic.truth(day)]


def test_fhirpy_reads_it(clinic: StagedClinic, token: str, ask: Ask) -> None:
    told = ask("fhirpy", clinic.url, token, **DAYS)
    assert told["ids"] == truth(clinic)
    assert len(told["ids"]) == 72
    assert set(told["along"]) <= set(clinic.state()["patients"])
    assert len(told["along"]) >= 15
    assert told["one"]["resourceType"] == "Appointment"
    assert told["refused"] == "ResourceNotFound"
    assert told["staff"] == [one["id"] for one in clinic.state()["practitioners"]]


def test_smarts_own_client_reads_it(clinic: StagedClinic, token: str, ask: Ask) -> None:
    told = ask("fhirclient", clinic.url, token, **DAYS)
    assert told["ids"] == truth(clinic)
    assert told["version"] == "4.0.1"
    assert told["patient"]


#: `detail` is left out: it is R5's way to write a link, met on servers between the versions, and no R4.
@pytest.mark.parametrize("link", ["nested", "single", "person", "rooms", "meeting", "code", "none"])
def test_every_resource_is_what_the_standard_says(clinic: StagedClinic, token: str, ask: Ask, link: str) -> None:
    clinic.control("knobs", link=link, page_cap=200)
    resources: list[dict[str, Any]] = []
    headers = {"Authorization": f"Bearer {token}"}
    for kind in (*KINDS, "Schedule"):
        query = {"date": [f"ge{DAYS['from']}", f"lt{DAYS['to']}"]} if kind == "Appointment" else {}
        bundle = requests.get(f"{clinic.url}/{kind}", {"_count": 200, **query}, headers=headers, timeout=10).json()
        resources += [bundle, *(entry["resource"] for entry in bundle["entry"])]
    resources.append(requests.get(f"{clinic.url}/metadata", timeout=10).json())
    resources.append(requests.get(f"{clinic.url}/Patient/nobody", headers=headers, timeout=10).json())
    assert len(resources) > 180
    assert ask("models", resources=resources)["wrong"] == []


def test_the_models_would_notice(ask: Ask) -> None:
    wrong = ask("models", resources=[{"resourceType": "Appointment", "id": "x", "status": "booked"}])["wrong"]
    assert [one.partition(":")[0] for one in wrong] == ["fhir.resources", "fhirclient"]
