"""The words of a case, and what becomes of an answer about a consultation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.domain import clinical
from app.domain.cases import ANY, CaseStatus, CaseType, CaseWords, normal
from app.domain.consultation import ConsultationRef, Consulted
from app.domain.enrichment import Enrichment, is_due, judge
from app.domain.status import Status
from tests.fakes.pms import consultation

DEFAULTS = CaseWords()
REF = ConsultationRef("a1", "c-a1", "p-a1", datetime(2026, 3, 9, tzinfo=UTC))


@pytest.mark.parametrize(
    ("raw", "status", "becomes"),
    [
        ("scheduled", Status.BOOKED, "draft"),
        ("SCHEDULED ", Status.UNKNOWN, "draft"),
        (None, Status.BOOKED, "draft"),
        ("In room 2", Status.IN_PROGRESS, "ongoing"),
        ("OK to check out", Status.COMPLETED, "completed"),
        ("In-Progress", Status.UNKNOWN, "ongoing"),
        ("Zzz", Status.UNKNOWN, "draft"),
        ("", Status.CANCELLED, "draft"),
    ],
)
def test_a_status_by_the_defaults(raw: str | None, status: Status, becomes: str) -> None:
    assert DEFAULTS.status_of(raw, status) == becomes


def test_every_status_of_ours_has_a_line() -> None:
    assert {DEFAULTS.status_of("a word of nobody's", status) for status in Status} == {"draft", "ongoing", "completed"}


@pytest.mark.parametrize(
    ("name", "becomes"),
    [
        ("exam", "checkup"),
        ("Annual Exam", "checkup"),
        ("Emergency exam", "emergency"),
        ("Post-surgery recheck", "follow_up"),
        ("Follow-up: surgery", "follow_up"),
        ("Desexing", "surgery"),
        ("Examiner's lunch", "checkup"),  # by the line for any: “examiner” is not “exam”
        ("", "checkup"),
        (None, "checkup"),
    ],
)
def test_a_type_by_the_defaults(name: str | None, becomes: str) -> None:
    assert DEFAULTS.type_of(name) == becomes


def test_a_practices_own_lines_come_first() -> None:
    own = CaseWords(
        {"ok to check out": CaseStatus.REVIEWED, "booked": CaseStatus.ONGOING, ANY: CaseStatus.COMPLETED},
        {"exam": CaseType.SURGERY, "exam plus": CaseType.EMERGENCY, ANY: CaseType.FOLLOW_UP},
    )
    assert own.status_of("OK to check-out", Status.COMPLETED) == "reviewed"
    assert own.status_of("Anything", Status.BOOKED) == "ongoing"
    assert own.status_of("Anything", Status.UNKNOWN) == "completed"
    assert own.type_of("Annual exam") == "surgery"
    assert own.type_of("Exam plus blood") == "emergency"  # the longer word
    assert own.type_of("Emergency exam") == "surgery"  # a line of their own beats a default
    assert own.type_of("Grooming") == "follow_up"


def test_words_are_kept_without_case_blanks_and_punctuation() -> None:
    assert [normal(word) for word in ("  Follow-Up  ", "no_show", "*", " * ", None, "Ärztin!")] == [
        "follow up",
        "no show",
        "*",
        "*",
        "",
        "ärztin",
    ]


# --- a consultation as one text ---------------------------------------------------------------------------------------


def test_a_consultation_comes_back_as_it_was() -> None:
    for one in (consultation("a1"), replace(consultation("a1"), vitals=(), held_at=None, missing=("plan",))):
        assert clinical.from_text(clinical.to_text(one)) == one


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"external_id": 1}'])
def test_what_is_no_consultation_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        clinical.from_text(text)


def test_parts_that_were_not_let_read_stay_as_they_were() -> None:
    old = consultation("a1")
    new = replace(old, plan=None, vitals=(), subjective=None, missing=("plan", "vitals", "x-rays"))
    laid = clinical.laid_over(old, new)
    assert (laid.plan, laid.vitals) == (old.plan, old.vitals)
    assert laid.subjective is None  # this part was read: it is empty now
    assert clinical.laid_over(replace(old, external_id="c-other"), new) == new
    assert clinical.laid_over(None, new) == new


# --- an answer --------------------------------------------------------------------------------------------------------


def test_what_an_answer_means() -> None:
    whole = consultation("a1")
    told = [
        judge(REF, Consulted(REF, found, reason))
        for found, reason in (
            (whole, None),
            (replace(whole, finalised=False), None),
            (replace(whole, missing=("plan",)), None),
            (None, "none_yet"),
            (None, "not_found"),
            (None, "server_error"),
            (None, None),
        )
    ]
    assert [(one.state, one.reason) for one in told] == [
        ("enriched", None),
        ("open", None),
        ("open", "parts_missing"),
        ("none_yet", None),
        ("not_found", "not_found"),
        ("failed", "server_error"),
        ("failed", "bad_envelope"),
    ]
    assert judge(REF, None).failed


def test_an_answer_about_somebody_else_is_none() -> None:
    for stray in (replace(consultation("a1"), appointment_id="a2"), replace(consultation("a1"), external_id="c-a2")):
        verdict = judge(REF, Consulted(REF, stray))
        assert (verdict.state, verdict.consultation) == ("failed", None)
    unnamed = replace(REF, consultation_id=None)
    assert judge(unnamed, Consulted(unnamed, consultation("a1"))).state == "enriched"


def test_which_cases_are_asked_about_again() -> None:
    assert {state for state in Enrichment if is_due(state, told_otherwise=False)} == {
        "pending",
        "open",
        "none_yet",
        "failed",
    }
    assert is_due(Enrichment.ENRICHED, told_otherwise=True)
    assert not is_due(Enrichment.NOT_FOUND, told_otherwise=True)  # by a full run only
