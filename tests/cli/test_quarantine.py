"""`runsheet quarantine` and `runsheet practice retention`, against the simulator."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from app import clock
from app.domain.retention import MOST
from app.store import practices, retention, set_aside
from tests.cli.conftest import Shell
from tests.jobs.living import Practice

INCOMPLETE = 3
NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def bad(practice: Practice, shell: Shell) -> str:
    """One of two records cannot be read; its id at the vendor."""
    assert practice.sandbox is not None
    _, found = practice.books(2)
    practice.sandbox.control("raw", id=found, fields={"startAt": "Fennick at noon"})
    assert shell("sync", practice.connection_id, "--json").code == INCOMPLETE
    return str(found)


@pytest.mark.promise("P15")
@pytest.mark.feature("E21")
def test_an_operator_sees_retries_and_resolves(practice: Practice, shell: Shell, bad: str) -> None:
    assert practice.sandbox is not None
    (one,) = shell("quarantine", "list", "--connection", practice.connection_id, "--json").json
    assert (one["externalId"], one["path"], one["reason"], one["state"]) == (bad, "$.startAt", "invalid", "open")
    assert shell("quarantine", "list", "--json").json == [one]
    assert bad in shell("quarantine", "list").out
    assert shell("quarantine", "list", "--resolved").out == "Nothing was settled yet.\n"

    tried = shell("quarantine", "retry", one["id"], "--json")
    assert (tried.code, tried.json["state"], tried.json["status"]) == (INCOMPLETE, "open", "partial")
    shell("quarantine", "resolve", one["id"], "--because", " ").refuses(2, "Say why")
    settled = shell("quarantine", "resolve", one["id"], "--because", "A test of the vendor", "--json").json
    assert (settled["resolution"], settled["because"]) == ("ignored", "A test of the vendor")
    shell("quarantine", "resolve", one["id"], "--because", "again").refuses(2, "not open any more")
    shell("quarantine", "retry", one["id"]).refuses(2, "not open any more")
    assert shell("quarantine", "list").out == "Every record can be read.\n"
    assert [row["id"] for row in shell("quarantine", "list", "--resolved", "--json").json] == [one["id"]]
    assert shell("sync", practice.connection_id, "--json").json["status"] == "success"

    practice.sandbox.control("raw", id=bad, fields={"startAt": "later"})
    shell("sync", practice.connection_id, "--json")
    assert shell("quarantine", "show", one["id"], "--json").json["state"] == "open"
    with practice.store.read() as session:
        first, _ = set_aside.days_of(session, set_aside.get(session, UUID(one["id"]))) or (None, None)
    practice.sandbox.control("raw", id=bad, fields={"startAt": f"{first}T12:00:00.000+11:00"})
    healed = shell("quarantine", "retry", one["id"], "--json")
    assert (healed.code, healed.json["state"], healed.json["resolution"]) == (0, "resolved", "read")


@pytest.mark.feature("O09")
def test_what_was_sent_is_printed_only_when_asked_for_and_called_what_it_is(shell: Shell, bad: str) -> None:
    (one,) = shell("quarantine", "list", "--json").json
    plain, as_json = shell("quarantine", "show", one["id"]), shell("quarantine", "show", one["id"], "--json")
    for told in (plain, as_json):
        assert (told.code, told.err) == (0, "")
        assert "Fennick" not in told.out
    assert "A value makes no sense" in plain.out
    asked = shell("quarantine", "show", one["id"], "--payload", "--json")
    assert "Fennick at noon" in asked.json["payload"]
    assert asked.err.startswith("This is patient data")
    assert "Fennick" not in asked.err
    assert "Fennick at noon" in shell("quarantine", "show", one["id"], "--payload").out


def test_what_does_not_exist_is_told_in_a_sentence(shell: Shell, practice_id: str) -> None:
    for words in (("show", NOWHERE), ("retry", NOWHERE), ("resolve", NOWHERE, "--because", "x")):
        shell("quarantine", *words).refuses(2, "There is no such record")
    shell("quarantine", "list", "--connection", NOWHERE).refuses(2, "There is no connection")
    shell("practice", "retention", NOWHERE).refuses(2, "There is no practice")


@pytest.mark.feature("A29")
def test_a_practices_limits_are_shown_and_set(shell: Shell, practice_id: str) -> None:
    now = ("practice", "retention", practice_id, "--json")
    assert shell(*now).json == {"id": practice_id, "payloadDays": 30, "eventDays": 365, "noteDays": None}
    assert shell(*now, "--payload-days", 7).json == {
        "id": practice_id, "payloadDays": 7, "eventDays": 365, "noteDays": None
    }  # fmt: skip
    limits = {"id": practice_id, "payloadDays": 7, "eventDays": 90, "noteDays": None}
    assert shell(*now, "--event-days", 90).json == limits
    assert shell(*now, "--note-days", 400).json == limits | {"noteDays": 400}
    assert shell("practice", "retention", practice_id).out.endswith("notes of visits 400 days.\n")
    shell(*now, "--note-days", 4, "--keep-notes").refuses(2, "either --note-days or --keep-notes")
    shell(*now, "--note-days", 0).refuses(2, "Keep it from 1 to 3650 days")
    assert shell(*now, "--keep-notes").json == limits
    told = shell("practice", "retention", practice_id)
    assert told.out == "Payloads are kept 7 days, the details of events 90 days, notes of visits for good.\n"
    for option, days in (("--payload-days", 0), ("--event-days", MOST + 1)):
        shell("practice", "retention", practice_id, option, days).refuses(2, "Keep it from 1 to 3650 days")
    assert shell(*now).json["eventDays"] == 90


@pytest.mark.feature("A29")
def test_a_replayed_day_whose_details_were_wiped_says_so(practice: Practice, shell: Shell) -> None:
    practice.books(1)
    shell("sync", practice.connection_id, "--json")
    words = ["sheet", practice.today, "--practice", str(practice.id), "--at", clock.now().isoformat()]
    assert (shell(*words).err, shell(*words, "--json").json["wiped"]) == ("", False)
    with practice.store.write() as session:
        past_it = clock.now() + timedelta(days=400)
        assert retention.wipe(session, practices.get(session, practice.id), past_it).sheets
    assert "were wiped by the practice's limit" in shell(*words).err
    told = shell(*words, "--json")
    assert (told.err, told.json["wiped"]) == ("", True)
