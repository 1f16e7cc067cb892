"""`runsheet patients` and `runsheet organizations`, with a discovery over HTTP from the simulated IntakeQ."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.cli.conftest import Shell
from tests.sandbox.intakeq import API_KEY, Account
from tests.sandbox.process import RunningSandbox, running_sandbox

NOWHERE = "00000000-0000-4000-8000-000000000000"
pytestmark = pytest.mark.feature("E10", "E21")


@pytest.fixture(scope="module")
def _empty() -> Iterator[RunningSandbox]:
    with running_sandbox("empty") as running:
        yield running


@pytest.fixture
def account(_empty: RunningSandbox, shell: Shell) -> Account:
    """An account with an empty book, which the shell's environment reaches."""
    made = Account(_empty).fresh()
    shell.environ |= {"INTAKEQ_BASE_URL": made.url, "INTAKEQ_REQUESTS_PER_MINUTE": "10000"}
    return made


@pytest.fixture
def connection(shell: Shell, practice_id: str, account: Account) -> str:
    told = shell(
        "connections", "add", "intakeq", "--practice", practice_id, "--set", "api_key=-", "--json", stdin=API_KEY
    )
    assert told.code == 0, told
    return str(told.json["id"])


def books(account: Account, first: str, last: str, **more: Any) -> str:
    id_ = account.control("clients", first=first, last=last, **more)["client"]["ClientId"]
    account.book(datetime.now(UTC).isoformat(), client_id=id_)
    return str(id_)


def test_a_person_discovers_looks_assigns_and_settles(
    shell: Shell, practice_id: str, account: Account, connection: str
) -> None:
    shell("patients", "add", practice_id, "--last", "Larkmoor", "--email", "ann@example.com", "--json")
    ann = books(account, "Ann", "Larkmoor", email="ann@example.com")
    books(account, "Mara", "Quill", email="mara@example.com")
    told = shell("sync", connection, "--phase", "discovery", "--json")
    assert (told.code, told.json["status"]) == (0, "success")
    assert told.json["phases"]["discovery"]["created"] == 1
    (covered,) = shell("patients", "coverage", "--json").json
    assert {name: covered[name] for name in ("connectionId", "patients", "withId", "missing", "percent")} == {
        "connectionId": connection,
        "patients": 2,
        "withId": 1,
        "missing": 1,
        "percent": 50.0,
    }
    assert shell("patients", "coverage", "--practice", practice_id, "--json").json == [covered]
    (question,) = shell("patients", "reviews", practice_id, "--json").json
    assert (question["name"], question["doubt"], question["externalId"]) == ("Ann Larkmoor", "disagree", ann)
    (candidate,) = question["candidates"]
    shell("patients", "settle", practice_id, question["id"]).refuses(2, "Say who it is")
    shell("patients", "settle", practice_id, question["id"], "--same-as", NOWHERE).refuses(2, "Choose one of")
    settled = shell("patients", "settle", practice_id, question["id"], "--same-as", candidate["id"], "--json")
    assert settled.json == {"patientId": candidate["id"]}
    shell("patients", "settle", practice_id, question["id"], "--another").refuses(2, "decided this already")
    assert shell("patients", "reviews", practice_id).out == "Nothing is doubtful.\n"
    assert shell("patients", "coverage", "--json").json[0]["missing"] == 0

    made = shell("organizations", "create", practice_id, "--name", "Harbour Clinic", "--json").json["id"]
    shell("organizations", "create", practice_id, "--name", " harbour  CLINIC ").refuses(2, "already")
    assigned = shell("patients", "assign", practice_id, candidate["id"], "--organization", made, "--json")
    assert assigned.json == {"changed": 1}
    assert shell("organizations", "list", practice_id, "--json").json == [
        {"id": made, "name": "Harbour Clinic", "patients": 1}
    ]
    (free,) = shell("patients", "list", practice_id, "--unaffiliated", "--json").json
    assert free["name"] == "Mara Quill"
    (tied,) = shell("patients", "list", practice_id, "--affiliated", "--search", "LARK", "--json").json
    assert [one["id"] for one in tied["organizations"]] == [made]
    assert "Mara Quill" in shell("patients", "list", practice_id).out
    shell("patients", "assign", practice_id, candidate["id"], "--organization", made, "--remove", "--json")
    assert len(shell("patients", "list", practice_id, "--unaffiliated", "--json").json) == 2


def test_a_practice_has_its_discovery_each_night(shell: Shell, practice_id: str, connection: str) -> None:
    shell("schedule", "set", practice_id, "--type", "discovery", "--json")
    told = shell("schedule", "show", practice_id, "--json").json
    assert told["syncSchedules"] == [{"type": "discovery", "cron": "0 3 * * *", "enabled": True}]
    (row,) = [one for one in told["schedules"] if one["kind"] == "cron:discovery"]
    assert row["enabled"]


def test_bad_words_are_refused_with_a_sentence(shell: Shell, practice_id: str) -> None:
    for words in (("list",), ("reviews",), ("add", "--last", "Quill"), ("settle", NOWHERE, "--another")):
        shell("patients", words[0], NOWHERE, *words[1:]).refuses(2, "There is no")
    shell("organizations", "list", NOWHERE).refuses(2, "There is no practice")
    shell("patients", "coverage", "--practice", NOWHERE).refuses(2, "There is no practice")
    shell("patients", "add", practice_id).refuses(2, "A patient needs a name")
    shell("patients", "add", practice_id, "--last", "Quill", "--email", "nobody").refuses(2, "not an e-mail address")
    shell("patients", "assign", practice_id, NOWHERE, "--organization", NOWHERE).refuses(2, "no such organisation")
    made = shell("organizations", "create", practice_id, "--name", "Harbour Clinic", "--json").json["id"]
    shell("patients", "assign", practice_id, NOWHERE, "--organization", made).refuses(2, "no such patient")
    assert shell("patients", "list", practice_id).out == "Nobody.\n"
    assert shell("patients", "coverage").out == "There is no connection yet.\n"


def test_another_practices_people_are_nobody(shell: Shell, practice_id: str) -> None:
    shell("patients", "add", practice_id, "--last", "Quill", "--json")
    (mine,) = shell("patients", "list", practice_id, "--json").json
    other = shell("practice", "create", "--name", "Elsewhere", "--timezone", "Australia/Perth", "--json").json["id"]
    theirs = shell("organizations", "create", other, "--name", "Theirs", "--json").json["id"]
    assert shell("patients", "list", other, "--json").json == []
    shell("patients", "assign", other, mine["id"], "--organization", theirs).refuses(2, "no such patient")
    shell("patients", "assign", practice_id, mine["id"], "--organization", theirs).refuses(2, "no such organisation")


@pytest.mark.promise("P15")
def test_a_client_set_aside_is_tried_again_by_a_discovery(shell: Shell, account: Account, connection: str) -> None:
    books(account, "Mara", "Quill", email="mara@example.com")
    bad = account.book(datetime.now(UTC).isoformat(), client_id=4101)["Id"]
    account.control("raw", id=bad, fields={"StartDate": "at noon"})
    assert shell("sync", connection, "--phase", "discovery", "--json").json["status"] == "partial"
    (one,) = shell("quarantine", "list", "--json").json
    assert (one["externalId"], one["path"]) == (bad, "$.StartDate")
    assert shell("quarantine", "retry", one["id"], "--json").json["state"] == "open"
    account.control("raw", id=bad, fields={})
    told = shell("quarantine", "retry", one["id"], "--json")
    assert (told.code, told.json["state"]) == (0, "resolved")
