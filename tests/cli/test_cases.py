"""`runsheet cases …`: who came and how the consultation stands; never a note; and the practice's own words."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest

from app.domain.enrichment import Enrichment, Verdict
from app.security.vault import Vault
from app.store import case_pages, consultations
from app.store.appointments import Source, ensure_sheets, write_page
from app.store.columns import PMS_CONTENT
from app.store.consultations import Due
from app.store.db import Store
from app.store.models import Case
from tests.cli.conftest import Shell
from tests.fakes.house import _opened, furnish
from tests.fakes.pms import NOW, TODAY, consultation
from tests.fixtures.databases import KEY

Ids = tuple[UUID, UUID, UUID]


@pytest.fixture
def store(shell: Shell, database_url: str) -> Iterator[Store]:
    made = _opened(database_url)
    yield made
    made.engine.dispose()


@pytest.fixture
def kept(store: Store) -> Ids:
    """A practice whose connection keeps one case, with notes: (practice, connection, case)."""
    practice_id, connection_id, _ = furnish(store, "Wattle Creek", pms_type="gentu")
    source = Source(practice_id, connection_id, None, NOW)
    swept = dict.fromkeys(case_pages.SWEPT) | {
        "scheduled_at": NOW, "patient_name": "Biscuit", "species": "Canine", "client_name": "Jordan Example",
        "pms_status": "completed", "status": "completed", "case_type": "checkup", "type_name": "Dental",
    }  # fmt: skip
    row = dict.fromkeys(PMS_CONTENT) | {
        "starts_at": NOW, "pms_status": "completed", "patient_name": "Biscuit", "is_telehealth": False,
        "pms_appointment_id": "a1", "fingerprint": b"x" * 16,
    }  # fmt: skip
    with store.write() as session:
        sheets = ensure_sheets(session, practice_id, [TODAY])
        write_page(session, source, [row | {"run_sheet_id": sheets[TODAY]}], [])
        case_pages.write(session, source, [swept | {"external_id": "a1", "fingerprint": b"y" * 16}])
        (case,) = session.query(Case)
        due = Due(*(getattr(case, name) for name in Due._fields))
        verdict = Verdict(Enrichment.ENRICHED, None, consultation("a1"))
        consultations.keep(session, Vault(KEY), source, [(due, verdict)])
        return practice_id, connection_id, case.id


def test_the_cases_of_a_day(shell: Shell, kept: Ids) -> None:
    _, connection_id, case_id = kept
    (told,) = shell("cases", "list", connection_id, "--from", TODAY, "--json").json
    assert (told["id"], told["patientName"], told["species"]) == (str(case_id), "Biscuit", "Canine")
    assert (told["status"], told["caseType"], told["enrichment"]) == ("completed", "checkup", "enriched")
    assert shell("cases", "list", connection_id, "--from", "2026-03-10", "--json").json == []
    assert "Biscuit" in shell("cases", "list", connection_id, "--from", TODAY).out


def test_one_case_without_its_notes(shell: Shell, kept: Ids) -> None:
    told = shell("cases", "show", kept[2], "--json")
    assert told.json["consultationId"] == "c-a1"
    assert [word for word in ("Limping since", "Sprain", "Meloxicam", "subjective", "notes") if word in told.out] == []


def test_words_are_changed_and_taken_back(shell: Shell, kept: Ids) -> None:
    _, connection_id, case_id = kept
    lines = shell("cases", "words", connection_id, "--type", "Dental=surgery", "--json").json
    assert {"kind": "type", "word": "dental", "value": "surgery", "own": True} in lines
    assert shell("cases", "show", case_id, "--json").json["caseType"] == "surgery"
    shell("cases", "words", connection_id, "--type", "dental=")
    assert shell("cases", "show", case_id, "--json").json["caseType"] == "checkup"


@pytest.mark.parametrize("line", ["dental", "dental=gone", "=surgery"])
def test_a_line_that_means_nothing_is_refused(shell: Shell, kept: Ids, line: str) -> None:
    shell("cases", "words", kept[1], "--type", line).refuses(2)


def test_what_a_connection_keeps(shell: Shell, kept: Ids) -> None:
    asked = shell("cases", "settings", kept[1], "--keep", "--at-a-time", "8", "--every-type", "--json").json
    assert asked == {"keepsCases": True, "parallelBatchSize": 8, "telehealthOnly": False}
    assert shell("cases", "settings", kept[1], "--json").json == asked


def test_a_case_nobody_has_is_refused(shell: Shell, kept: Ids) -> None:
    shell("cases", "show", kept[0]).refuses(2, "no such case")
