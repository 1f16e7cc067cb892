"""What a vendor can do to us: an error is never an empty list, and a sweep is whole or it raises."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.window import Window
from app.pms.errors import (
    PmsAuthFailed,
    PmsBadRequest,
    PmsError,
    PmsMalformed,
    PmsPaused,
    PmsRateLimited,
    PmsUnavailable,
)
from tests.contract.meeting import DAY, ZONE, Meeting, at, visits_of

TWO_DAYS = Window(DAY, DAY + timedelta(days=1), ZONE)
#: More than this on one refusal is no asking any more, it is knocking (F12): a token may be renewed once a chain.
_FEW = 6


def several_pages(meeting: Meeting) -> list[str]:
    """A day of more than one page; the ids."""
    size = meeting.needs(meeting.case.looping and meeting.case.page_size, "There are no pages.")
    booked: list[str] = meeting.clinic.books(at("00:30"), count=2 * size + 1 if size <= 600 else size + 1)
    return booked


@pytest.mark.parametrize(("status", "error"), [(401, PmsAuthFailed), (403, PmsPaused), (400, PmsBadRequest)])
def test_a_refusal_ends_the_sweep_and_is_not_repeated(meeting: Meeting, status: int, error: type[PmsError]) -> None:
    meeting.clinic.book(at("10:00"))
    meeting.breaks("status", status=status)
    with pytest.raises(error):
        meeting.pages()
    refused = [one for one in meeting.clinic.asked() if one["status"] == status]
    assert 0 < len(refused) <= _FEW
    assert meeting.waits.total == 0


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_outage_that_passes_is_sat_out_and_one_that_lasts_is_told(meeting: Meeting, status: int) -> None:
    visit = meeting.clinic.book(at("10:00"))
    meeting.breaks("status", status=status, next=2)
    assert visits_of(meeting.rows(), [visit]) == {visit}
    meeting.breaks("status", status=status)
    with pytest.raises(PmsUnavailable):
        meeting.pages()


@pytest.mark.parametrize("kind", ["cut_body", "hang_up"])
def test_a_line_that_breaks_is_as_good_as_an_outage(meeting: Meeting, kind: str) -> None:
    visit = meeting.clinic.book(at("10:00"))
    meeting.breaks(kind, next=2)
    assert visits_of(meeting.rows(), [visit]) == {visit}
    meeting.breaks(kind)
    with pytest.raises(PmsUnavailable):
        meeting.pages()


@pytest.mark.parametrize("kind", ["garbage", "empty", "object", "truncated"])
def test_an_answer_that_is_none_is_never_an_empty_list(meeting: Meeting, kind: str) -> None:
    meeting.clinic.book(at("10:00"))
    meeting.breaks(kind)
    with pytest.raises(PmsMalformed) as raised:
        meeting.pages()
    assert raised.value.reason in ("bad_envelope", "empty_body", "encoding")
    assert raised.value.path.startswith("$")


def test_a_web_page_is_never_an_empty_list(meeting: Meeting) -> None:
    """Where people sign in on web pages it may mean that they are signed out."""
    meeting.clinic.book(at("10:00"))
    meeting.breaks("html")
    with pytest.raises((PmsMalformed, PmsAuthFailed)):
        meeting.pages()


def test_a_redirect_is_not_followed(meeting: Meeting) -> None:
    """The suite lets nobody out of this machine: who followed it would be told as unreachable."""
    meeting.clinic.book(at("10:00"))
    meeting.breaks("redirect")
    with pytest.raises(PmsPaused):
        meeting.pages()


def test_what_was_read_before_a_failure_stands(meeting: Meeting) -> None:
    booked = several_pages(meeting)
    meeting.breaks("status", status=503, skip=1)
    brought: list[str] = []
    adapter = meeting.open()

    def sweep() -> None:
        for part in adapter.partitions(TWO_DAYS, meeting.staff[:1]):
            for page in adapter.appointments(part):
                brought.extend(row.external_id for row in page.appointments)

    with pytest.raises(PmsUnavailable):
        sweep()
    assert 0 < len(visits_of(brought, booked)) < len(booked)
    meeting.clinic.mend()
    assert visits_of(meeting.rows(window=TWO_DAYS), booked) == set(booked)


def test_pages_that_never_end_are_noticed(meeting: Meeting) -> None:
    several_pages(meeting)
    meeting.clinic.control("knobs", **meeting.case.looping)
    with pytest.raises(PmsMalformed) as raised:
        meeting.pages(window=TWO_DAYS)
    assert raised.value.reason in ("cursor_loop", "page_budget")
    assert len(meeting.clinic.asked()) < 60


# --- log-ins ----------------------------------------------------------------------------------------------------------


def test_a_token_that_ends_in_mid_sweep_is_renewed_and_nothing_is_lost(meeting: Meeting) -> None:
    meeting.has("log-in")
    token_path = meeting.needs(meeting.case.token_path, "It makes no tokens.")
    booked = several_pages(meeting)
    adapter = meeting.open()
    found: list[str] = []
    for part in adapter.partitions(TWO_DAYS, meeting.staff[:1]):
        for number, page in enumerate(adapter.appointments(part)):
            found += [row.external_id for row in page.appointments]
            if number == 0:
                meeting.clinic.end_tokens()
    assert visits_of(found, booked) == set(booked)
    made = len(meeting.clinic.asked(token_path))
    assert made > 1
    assert meeting.waits.slept == []


def test_a_token_that_is_never_good_is_not_made_again_and_again(meeting: Meeting) -> None:
    meeting.has("log-in")
    token_path = meeting.needs(meeting.case.token_path, "It makes no tokens.")
    meeting.breaks("status", status=401)
    for _ in range(3):
        with pytest.raises(PmsAuthFailed):
            meeting.pages()
    made = [one for one in meeting.clinic.asked(token_path) if one.get("method", "POST") == "POST"]
    assert len(made) <= _FEW


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_429_is_waited_out_as_long_as_it_says(meeting: Meeting) -> None:
    visit = meeting.clinic.book(at("10:00"))
    meeting.breaks("status", status=429, retry_after=7, next=1)
    assert visits_of(meeting.rows(), [visit]) == {visit}
    assert meeting.limiter.told == [7.0]
    assert 7 <= meeting.waits.total <= 10


def test_a_429_that_says_nothing_is_waited_out_all_the_same(meeting: Meeting) -> None:
    visit = meeting.clinic.book(at("10:00"))
    meeting.breaks("status", status=429, next=1)
    assert visits_of(meeting.rows(), [visit]) == {visit}
    assert len(meeting.limiter.told) == 1, "the key is shut for everybody"
    assert meeting.limiter.told[0] is not None
    assert meeting.waits.total > 0


def test_a_wait_too_long_for_a_run_is_handed_on(meeting: Meeting) -> None:
    meeting.breaks("status", status=429, retry_after=600)
    with pytest.raises(PmsRateLimited) as raised:
        meeting.pages()
    assert raised.value.retry_after_s == 600
    assert meeting.waits.total == 0


def test_the_vendors_own_limit_is_met_by_stopping(meeting: Meeting) -> None:
    """The simulator counts for real, and nobody waits here: soon a run has waited as often as it may."""
    meeting.needs(meeting.case.list_path, "It is not asked over HTTP.")
    meeting.clinic.book(at("10:00"))
    meeting.clinic.control("knobs", limits=[[3, 60]], retry_after=True)
    adapter = meeting.open()
    with pytest.raises(PmsRateLimited) as raised:
        for _ in range(6):
            meeting.pages(adapter)
    assert raised.value.status == 429
    assert meeting.limiter.told
    assert all(seconds and 0 < seconds <= 60 for seconds in meeting.limiter.told)
