"""Names, numbers, times, ages, and the sentences for what went wrong."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import app.pms.errors as pms_errors
from app.domain import names, reasons
from app.domain.freshness import Age, Freshness, age_of
from app.domain.health import Facts, HealthWord, health_of
from app.domain.reasons import EXPLANATIONS, Action, explain
from app.domain.suggest import Candidate, bare_name, clinician_for, telehealth_reason
from tests.fakes.pms import NOW

APP = Path(names.__file__).parents[1]


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("0491 570 156", "+61491570156"),
        ("+61 491 570 156", "+61491570156"),
        ("+61 (0)491 570 156", "+61491570156"),
        ("61491570156", "+61491570156"),
        ("(02) 5550 1234", "+61255501234"),  # reserved for fiction, in nobody's plan
        ("0491 570 006", "+61491570006"),
        ("1300 975 707", "+611300975707"),
        ("13 11 14", "+61131114"),
        ("+1 202 555 0123", "+12025550123"),
        ("0491570156 ext 7", "+61491570156"),
        ("Mobile: 0491570156 (mum)", "+61491570156"),  # “mum” would be dialled as 686
        ("٠٤٩١ ٥٧٠ ١٥٦", "+61491570156"),
        ("9555 1234", None),  # without its area code
        ("0491 570 156 / 0491 570 157", None),
        ("1300 FLIGHT", None),
        ("call mother", None),
        ("000", None),
        ("+", None),
        ("0" * 40, None),
        ("", None),
        (None, None),
    ],
)
def test_a_number_is_e164_or_none(typed: str | None, number: str | None) -> None:
    assert names.phone_e164(typed) == number


def test_a_bare_number_is_read_in_the_practices_region() -> None:
    assert names.phone_e164("020 7946 0018", "GB") == "+442079460018"
    assert names.phone_e164("555 0123", "US") is None


@given(st.text(max_size=30))
def test_no_text_makes_the_parser_fail(typed: str) -> None:
    number = names.phone_e164(typed)
    assert number is None or (number.startswith("+") and number[1:].isdigit())


# --- names and times --------------------------------------------------------------------------------------------------


def test_names_are_joined_and_shortened() -> None:
    assert names.full_name("Dr", None, " Mei  Ling ", "", "O'Brien") == "Dr Mei Ling O'Brien"
    assert names.initials("Alice (Ally) Brown-Smith") == "A. B."
    assert names.first_of((None, "  ", " x ")) == "x"
    assert names.first_of(()) is None


@pytest.mark.parametrize(
    ("text", "kept"), [("a\0b ", "ab"), ("\0", None), ("  ", None), (None, None), ("abcd", "abcd"), ("abcdef", "abc…")]
)
def test_text_is_clipped_and_rid_of_what_postgresql_refuses(text: str | None, kept: str | None) -> None:
    assert names.clip(text, 4) == kept


def test_ids_that_only_look_the_same_are_found() -> None:
    assert names.look_alikes(["e-1", "\u00e9-1", "E-1", "e\u0301-1", "\u00e9-2"]) == [["e\u0301-1", "\u00e9-1"]]


@pytest.mark.parametrize(
    ("zone", "winter", "summer"),
    [
        ("Australia/Melbourne", "AEST", "AEDT"),
        ("Australia/Lord_Howe", "UTC+10:30", "UTC+11:00"),
        ("Asia/Kathmandu", "UTC+05:45", "UTC+05:45"),
        ("America/Sao_Paulo", "UTC-03:00", "UTC-03:00"),
        ("UTC", "UTC", "UTC"),
    ],
)
def test_a_zone_says_its_name_or_its_distance(zone: str, winter: str, summer: str) -> None:
    july, january = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    assert names.zone_label(july, ZoneInfo(zone)) == winter
    assert names.zone_label(january, ZoneInfo(zone)) == summer


@pytest.mark.parametrize(
    ("utc", "clock", "spoken"),
    [
        ("2026-03-08T13:00Z", "00:00", "12:00\u00a0am"),
        ("2026-03-09T01:05Z", "12:05", "12:05\u00a0pm"),
        ("2026-03-08T22:05Z", "09:05", "9:05\u00a0am"),
    ],
)
def test_a_time_of_day_is_the_practices(utc: str, clock: str, spoken: str) -> None:
    instant, zone = datetime.fromisoformat(utc), ZoneInfo("Australia/Melbourne")
    assert names.clock_time(instant, zone) == clock
    assert names.time_of_day(instant, zone) == spoken


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (11_100, "3 h 5 min"),
        (172_800, "2 days"),
    ],
)
def test_an_age_in_passing(seconds: float, words: str) -> None:
    assert names.duration_words(seconds) == words


# --- freshness and health ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "word"),
    [(-60, "live"), (0, "live"), (1349, "live"), (1350, "ageing"), (1799, "ageing"), (1800, "stale"), (1e6, "stale")],
)
def test_the_truth_ages_at_one_and_a_half_intervals_and_is_stale_at_two(seconds: float, word: str) -> None:
    assert age_of(NOW - timedelta(seconds=seconds), 900, NOW) == Age(Freshness(word), max(0.0, seconds))


def test_what_was_never_read_says_so_and_what_is_broken_does_not_get_fresh_by_waiting() -> None:
    assert age_of(None, 900, NOW) == Age(Freshness.NEVER, None)
    assert age_of(NOW, 900, NOW, broken=True) == Age(Freshness.BROKEN, 0.0)


LIVE, STALE = Age(Freshness.LIVE, 5.0), Age(Freshness.STALE, 4000.0)


@pytest.mark.parametrize(
    ("state", "state_reason", "status", "reason", "age", "word"),
    [
        ("draft", "not_paired", None, None, LIVE, HealthWord.DRAFT),
        ("paused", None, "failed", "dns", STALE, HealthWord.PAUSED),
        ("disconnected", None, "success", None, LIVE, HealthWord.DISCONNECTED),
        ("needs_attention", "auth_failed", "failed", "auth_failed", LIVE, HealthWord.NEEDS_YOU),
        ("active", None, None, None, Age(Freshness.NEVER, None), HealthWord.WAITING),
        ("active", None, "success", None, LIVE, HealthWord.HEALTHY),
        ("active", None, "success", None, STALE, HealthWord.LATE),
        ("active", None, "partial", "some_failed", STALE, HealthWord.LATE),
        ("active", None, "partial", "quarantined", LIVE, HealthWord.PARTIAL),
        ("active", None, "failed", "dns", LIVE, HealthWord.HEALING),
        ("active", None, "deferred", "rate_limited", LIVE, HealthWord.HEALING),
        ("active", None, "abandoned", "lost", LIVE, HealthWord.HEALING),
        ("active", None, "failed", "too_large", LIVE, HealthWord.NEEDS_YOU),  # waiting does not mend it
        ("active", None, "cancelled", "cancelled", LIVE, HealthWord.HEALTHY),
    ],
)
def test_one_word_for_how_a_connection_does(
    state: str, state_reason: str | None, status: str | None, reason: str | None, age: Age, word: HealthWord
) -> None:
    told = health_of(Facts("Gentu", state, state_reason, status, reason, age))
    assert told.word is word
    assert told.sentence.endswith(".")
    assert "{" not in told.sentence
    assert told.good == (word is HealthWord.HEALTHY)
    assert not (told.word is HealthWord.HEALING and not told.heals_itself)
    assert not (told.word is HealthWord.NEEDS_YOU and told.heals_itself)


# --- reasons ----------------------------------------------------------------------------------------------------------


def reasons_said() -> Iterator[str]:
    """Every reason any of our code can give a failure: by default, as `reason=`, as a StopRun, as a run's own word."""
    for _, kind in inspect.getmembers(pms_errors, inspect.isclass):
        if issubclass(kind, pms_errors.PmsError):
            yield kind.default_reason
    for path in [*(APP / "pms").rglob("*.py"), *(APP / "sync").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            for keyword in node.keywords:
                if keyword.arg == "reason":
                    yield from texts(keyword.value)
            if called in ("StopRun", "worse"):
                for argument in node.args:
                    yield from texts(argument)


def texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*texts(node.body), *texts(node.orelse))
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from texts(value)


def test_every_reason_we_can_give_is_explained() -> None:
    said = set(reasons_said())
    assert len(said) > 20  # the walk found them
    assert said <= set(EXPLANATIONS)


@pytest.mark.parametrize("reason", sorted(EXPLANATIONS))
def test_an_explanation_has_all_four_parts(reason: str) -> None:
    told = explain(reason, "Gentu")
    for part in (told.happened, told.means, told.who):
        assert part.endswith(".")
        assert part == part.strip()
        assert "{" not in part
    assert isinstance(told.action, Action)
    assert told.sentence == f"{told.happened} {told.means} {told.who}"
    heals = "heals itself" in told.who
    assert not heals or told.heals_itself


@pytest.mark.parametrize("reason", [None, "", "never heard of"])
def test_a_reason_nobody_listed_is_told_as_an_outage(reason: str | None) -> None:
    assert explain(reason, "Gentu") == explain("unavailable", "Gentu")
    assert reasons.EXPLANATIONS["unavailable"].happened.format(pms="Gentu") == explain(reason, "Gentu").happened


# --- suggestions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "telehealth"),
    [
        ("Telehealth Consultation", True),
        ("tele-health", True),
        ("Video Follow-up", True),
        ("Phone Consult", True),
        ("Coviu call", True),
        ("Online review", True),
        ("Standard Consultation", False),
        ("Telephony hardware", False),
        ("Headphones fitting", False),
        ("", False),
    ],
)
def test_what_looks_like_telehealth_is_suggested_with_its_reason(name: str, telehealth: bool) -> None:
    told = telehealth_reason(name)
    assert (told is not None) is telehealth
    assert told is None or told.startswith("the name says “")


KIM, LEE, LEE2 = (
    Candidate(uuid4(), "Dr Anna Kim", "anna@example.com"),
    Candidate(uuid4(), "Ben Lee"),
    Candidate(uuid4(), "Cora Lee"),
)


@pytest.mark.parametrize(
    ("name", "email", "candidates", "who", "reason"),
    [
        ("A. Kim", "ANNA@example.com", [LEE, KIM], KIM, "same e-mail address"),
        ("Prof. Anna  KIM", None, [LEE, KIM], KIM, "same name"),
        ("Dr A Kim", None, [KIM, LEE], KIM, "same family name"),
        ("Dr B Lee", None, [KIM, LEE, LEE2], None, None),  # two of them: nobody guesses
        ("Dr", None, [KIM], None, None),
        ("", None, [KIM], None, None),
    ],
)
def test_a_clinician_is_suggested_for_a_reason_or_not_at_all(
    name: str, email: str | None, candidates: list[Candidate], who: Candidate | None, reason: str | None
) -> None:
    told = clinician_for(name, email, candidates)
    assert (told and told.clinician_id, told and told.reason) == (who and who.id, reason)


def test_titles_and_case_do_not_tell_two_names_apart() -> None:
    assert bare_name("A/Prof. Mei-Ling  OBRIEN") == bare_name("mei-ling obrien")
