"""An appointment's page shows its notes to its clinician, and holds nothing of them for anybody else."""

from __future__ import annotations

import pytest
from flask import Flask

from app.domain.enrichment import Enrichment, Verdict
from app.security.roles import Role
from app.security.vault import Vault
from app.store import case_pages, consultations, retention
from app.store.appointments import Source
from app.store.consultations import Due
from app.store.models import Appointment, Case, CaseConsultation
from tests.factories import Booking, Clinic
from tests.fakes.pms import consultation
from tests.web.pages import Visit, text_of

INES = "Ines Fennick"
CLINICAL = (
    "Limping since",
    "Swollen left",
    "Sprain suspected",
    "Rest for ten",
    "Cold compress",
    "Radiograph",
    "Lead w",
)


@pytest.fixture
def address(app: Flask, clinic: Clinic) -> str:
    """An appointment of Dr Marlowe's whose case has notes."""
    clinic.books(Booking(INES, "9:50"))
    vault: Vault = app.extensions["runsheet.vault"]
    with clinic.store.write() as session:
        row = session.get_one(Appointment, clinic.row_id(INES))
        assert row.pms_connection_id is not None
        source = Source(clinic.id, row.pms_connection_id, None, row.starts_at)
        swept = dict.fromkeys(case_pages.SWEPT) | {
            "scheduled_at": row.starts_at, "patient_name": INES, "pms_status": "completed",
            "status": "completed", "case_type": "checkup",
        }  # fmt: skip
        case_pages.write(session, source, [swept | {"external_id": row.pms_appointment_id, "fingerprint": b"y" * 16}])
        (case,) = session.query(Case)
        due = Due(*(getattr(case, name) for name in Due._fields))
        found = consultation(str(row.pms_appointment_id))
        consultations.keep(session, vault, source, [(due, Verdict(Enrichment.ENRICHED, None, found))])
        return f"/appointments/{row.id}"


@pytest.mark.security("X16")
def test_the_appointments_clinician_reads_the_notes(address: str, doctor: Visit) -> None:
    told = text_of(doctor.get(address).text)
    assert [word for word in CLINICAL if word not in told] == []
    assert "temperature 38.6 °C, pulse 96 bpm, weight 12.4 kg" in told
    assert "Meloxicam 1.5 mg/ml, 10 ml, with food" in told


@pytest.mark.security("X16")
@pytest.mark.parametrize("who", ["reception", "owner"])
def test_nobody_else_gets_a_word_of_them(request: pytest.FixtureRequest, address: str, who: str) -> None:
    visit: Visit = request.getfixturevalue(who)
    for htmx in (False, True):
        answer = visit.get(address, htmx=htmx)
        assert answer.status_code == 200
        assert [word for word in (*CLINICAL, "Consultation") if word in answer.text] == []


@pytest.mark.security("X16", "X14")
def test_a_stranger_finds_no_such_appointment(address: str, stranger: Visit) -> None:
    assert stranger.get(address).status_code == 404


@pytest.mark.security("X16")
def test_another_clinician_of_the_practice_gets_none(app: Flask, clinic: Clinic, address: str) -> None:
    other = Visit(app, clinic.person("second", Role.CLINICIAN, clinician="brightwater"))
    answer = other.get(address)
    assert answer.status_code == 200
    assert [word for word in CLINICAL if word in answer.text] == []


def test_notes_that_cannot_be_decrypted_are_told_as_that(clinic: Clinic, address: str, doctor: Visit) -> None:
    with clinic.store.write() as session:
        session.query(CaseConsultation).update({"content": "v1.0badkey0.x.y"})
    assert "cannot be decrypted here" in text_of(doctor.get(address).text)


@pytest.mark.feature("A29")
@pytest.mark.security("X16")
def test_notes_that_the_practices_limit_took_away_are_said_to_be_gone_to_their_clinician_alone(
    app: Flask, address: str, clinic: Clinic, doctor: Visit, reception: Visit
) -> None:
    gone = "Taken away here: this practice keeps notes 90 days. They stand in the PMS."
    with clinic.store.write() as session:
        retention.change(session, clinic.id, notes=90)
        session.query(CaseConsultation).delete()
    assert gone in text_of(doctor.get(address).text)
    assert "Consultation" not in reception.get(address).text
    other = Visit(app, clinic.person("second", Role.CLINICIAN, clinician="brightwater"))
    assert "Consultation" not in other.get(address).text
    with clinic.store.write() as session:
        retention.change(session, clinic.id, keep_notes=True)
    assert "Consultation" not in doctor.get(address).text
