"""Which appointments a practice wants, and the one cause for leaving each of the others out."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.domain.appointment import Appointment
from app.domain.rules import CAUSE_WORDS, CHOICES, Cause, Rules
from app.domain.window import Window
from tests.fakes.pms import MELBOURNE, TODAY, FakePms

RULES = Rules(
    telehealth_only=True,
    telehealth_types={"video", "phone"},
    types_off={"phone"},
    practitioners_off={"lee"},
    swept_practitioners={"kim", "ono"},
)
WINDOW = Window(TODAY, TODAY, MELBOURNE)


def one(**more: Any) -> Appointment:
    return FakePms().books("a", **more).book["a"]


@pytest.mark.parametrize(
    ("appointment", "asked", "cause"),
    [
        (one(), "kim", None),
        (one(type="phone"), "kim", Cause.TYPE_OFF),
        (one(type="in person"), "kim", Cause.NOT_TELEHEALTH),
        (one(type=None), "kim", Cause.NOT_TELEHEALTH),
        (one(telehealth_hint=True, type="in person"), "kim", Cause.NOT_TELEHEALTH),  # the practice's ticks alone count
        (one(with_="lee"), "lee", Cause.CLINICIAN_OFF),
        (one(patients=0), "kim", Cause.BLOCK),
        (one(patients=3), "kim", None),
        (one(with_="ono"), "kim", Cause.DUPLICATE),
        (one(with_="ono"), "", None),  # a vendor with one chain for all
        (one(with_="locum"), "kim", None),  # nobody else brings it
        (one(at="00:00"), "kim", None),
        (one(day=TODAY + timedelta(days=1), at="00:00"), "kim", Cause.OUTSIDE_WINDOW),
        # Of several causes the first of the order counts.
        (one(day=TODAY - timedelta(days=1), patients=0), "kim", Cause.OUTSIDE_WINDOW),
        (one(with_="lee", type="in person", patients=0), "lee", Cause.BLOCK),
        (one(with_="lee", type="phone"), "lee", Cause.CLINICIAN_OFF),
    ],
)
def test_each_appointment_has_one_cause_or_none(appointment: Appointment, asked: str, cause: Cause | None) -> None:
    assert RULES.refusal(appointment, WINDOW, asked) is cause


def test_a_practice_that_wants_everything_leaves_out_only_what_it_switched_off() -> None:
    rules = replace(RULES, telehealth_only=False)
    assert rules.refusal(one(type="in person"), WINDOW, "kim") is None
    assert rules.refusal(one(type=None), WINDOW, "kim") is None
    assert rules.refusal(one(type="phone"), WINDOW, "kim") is Cause.TYPE_OFF
    assert not rules.is_telehealth(one(type="in person"))


@pytest.mark.parametrize(
    ("practitioner", "type_id"), list(itertools.product(["kim", "lee", None], ["video", "phone", "in person", None]))
)
def test_a_choice_of_the_practice_weighs_the_same_whoever_asks(practitioner: str | None, type_id: str | None) -> None:
    chosen = RULES.chosen_against(practitioner, type_id)
    appointment = replace(one(), practitioner_id=practitioner or "locum", type_id=type_id)
    assert RULES.refusal(appointment, WINDOW, practitioner or "locum") is chosen
    assert chosen is None or chosen in CHOICES


def test_every_cause_has_words() -> None:
    assert set(CAUSE_WORDS) == set(Cause)
    assert all("{n}" in words for words in CAUSE_WORDS.values())
