"""Consultations of IDEXX Neo against the simulated clinic: parts, none yet, what cannot be read, the pace."""

from __future__ import annotations

import logging

import pytest

from app.domain.consultation import Measure
from app.pms.idexx_neo.adapter import IdexxNeoAdapter
from tests.pms.conftest import Waits
from tests.pms.idexx_neo.conftest import NINE, refs, rows
from tests.sandbox.stage import StagedClinic


def test_a_consultation_with_its_parts(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    id_ = neo.book(NINE, state="completed")
    (answer,) = adapter.consultations(refs([rows(adapter)[id_]]))
    found = answer.consultation
    assert found is not None
    assert (found.external_id, found.appointment_id, found.finalised, found.status) == (
        f"81{id_}",
        id_,
        True,
        "Completed",
    )
    assert (found.subjective, found.objective, found.assessment, found.plan) == (
        "Limping since Tuesday (Biscuit).",
        "Left fore warm & swollen.",
        "Sprain suspected",
        "Rest for ten days.",
    )
    assert found.discharge == "Keep quiet for 10 days."
    assert found.vitals[0].temperature == Measure(38.6, "C")
    assert (found.vitals[0].pulse, found.vitals[0].weight) == (Measure(96.0), Measure(12.4, "kg"))
    assert [(one.name, one.quantity) for one in found.items] == [("Exam", "1"), ("Carprofen 50 mg", "2.5")]
    assert [one.name for one in found.declined] == ["X-ray, 2 views"]
    assert (found.inferred, found.missing, found.species, found.breed) == (False, (), "Canine", "Kelpie")


def test_a_draft_is_not_final_and_notes_without_headings_are_one_text(
    neo: StagedClinic, adapter: IdexxNeoAdapter
) -> None:
    id_ = neo.book(NINE, state="in_progress")
    neo.raw(f"81{id_}", consultationNotes={"notes": "<p>Seen &amp; sent home.</p><p>P: none</p>"}, vitalSignGroup=None)
    (answer,) = adapter.consultations(refs([rows(adapter)[id_]]))
    assert answer.consultation is not None
    assert (answer.consultation.finalised, answer.consultation.status) == (False, "Draft")
    assert answer.consultation.subjective == "Seen & sent home.\n\nP: none"
    assert (answer.consultation.plan, answer.consultation.vitals) == (None, ())


@pytest.mark.fault("F15")
def test_each_that_cannot_be_read_says_why_and_the_others_are(neo: StagedClinic, adapter: IdexxNeoAdapter) -> None:
    good, bare, invalid, strange, gone = (neo.book(NINE, state="completed") for _ in range(5))
    ids = [good, bare, invalid, strange, gone]
    neo.raw(bare, consultation_id=None)
    neo.raw(f"81{invalid}", drop=("pageData",))
    neo.raw(f"81{strange}", patient={"id": 999})
    neo.raw(gone, consultation_id=8100000)
    found = rows(adapter)
    answers = {one.ref.appointment_id: one for one in adapter.consultations(refs([found[id_] for id_ in ids]))}
    assert {id_: answers[id_].reason for id_ in ids} == {
        good: None,
        bare: "none_yet",
        invalid: "bad_envelope",
        strange: "bad_envelope",
        gone: "not_found",
    }
    assert answers[good].consultation is not None


def test_vital_signs_in_another_shape_are_left_out_and_said_once(
    neo: StagedClinic, adapter: IdexxNeoAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="app")
    ids = [neo.book(NINE, state="completed") for _ in range(2)]
    for id_ in ids:
        neo.raw(f"81{id_}", vitalSignGroup={"signs": [{"kind": "weight", "value": 12}]})
    answers = list(adapter.consultations(refs(list(rows(adapter).values()))))
    assert [one.consultation is not None and one.consultation.vitals == () for one in answers] == [True, True]
    assert [record.message for record in caplog.records if "vital" in record.message] == [
        "IDEXX Neo tells vital signs in a shape we do not know"
    ]


def test_two_at_a_time_a_fifth_of_a_second_apart(neo: StagedClinic, adapter: IdexxNeoAdapter, waits: Waits) -> None:
    neo.book(NINE, count=7, state="completed")
    neo.control("knobs", at_once=2)
    found = list(rows(adapter).values())
    before = waits.total
    answers = list(adapter.consultations(refs(found)))
    assert all(one.consultation for one in answers)
    assert [one["status"] for one in neo.asked("/consultations")] == [200] * 7
    assert waits.total - before > 6 * 0.1
