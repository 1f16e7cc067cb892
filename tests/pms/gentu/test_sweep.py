"""Gentu's appointment book, page by page: what is asked, what is followed, what is set aside."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.domain.window import Window
from app.pms import paging
from app.pms.errors import PmsBadRequest, PmsError, PmsForbidden, PmsMalformed, PmsNotFound, PmsUnavailable
from app.pms.gentu.adapter import GentuAdapter
from app.pms.port import Page
from tests.pms.gentu.conftest import BOOK, MONDAY, TOKEN, T
from tests.pms.gentu.samples import OTHER_PRACTITIONER, PATIENT, PRACTITIONER, VIDEO, booking, page, people, sample
from tests.pms.scripted import Answer, Scripted, answer

MELBOURNE = ZoneInfo("Australia/Melbourne")


def sweep(adapter: GentuAdapter, cursor: str | None = None, window: Window = MONDAY) -> list[Page]:
    return list(adapter.appointments(adapter.partitions(window, [PRACTITIONER])[0], cursor))


def fails(adapter: GentuAdapter) -> PmsError:
    with pytest.raises(PmsError) as raised:
        sweep(adapter)
    return raised.value


def only(adapter: GentuAdapter, gentu: Scripted, *rows: Any, **members: Any) -> Page:
    """The one page of a book that holds these rows."""
    gentu.stand(BOOK, answer(200, page(*rows, **members)))
    (found,) = sweep(adapter)
    return found


# --- what is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (date(2026, 3, 9), "2026-03-09T00:00:00.000+11:00", "2026-03-09T23:59:59.999+11:00"),
        (date(2026, 4, 5), "2026-04-05T00:00:00.000+11:00", "2026-04-05T23:59:59.999+10:00"),
        (date(2026, 10, 4), "2026-10-04T00:00:00.000+10:00", "2026-10-04T23:59:59.999+11:00"),
    ],
)
def test_a_local_day_is_asked_for_with_its_own_offsets(
    adapter: GentuAdapter, gentu: Scripted, day: date, first: str, last: str
) -> None:
    sweep(adapter, window=Window(day, day, MELBOURNE))
    asked = gentu.to(BOOK)[0]
    assert asked.query == {
        "practitionerId": PRACTITIONER,
        "fromDate": first,
        "toDate": last,
        "limit": "100",
        "include": "patients,practitioners",
    }
    assert "+" not in asked.target
    assert "Z" not in asked.target


def test_a_sweep_is_cut_into_practitioners_and_weeks(adapter: GentuAdapter) -> None:
    window = Window(date(2026, 3, 2), date(2026, 3, 17), MELBOURNE)
    parts = adapter.partitions(window, ["a", "b", "a"])
    assert [(one.practitioner_id, one.window.first.day, one.window.last.day) for one in parts] == [
        (who, first, last) for who in "ab" for first, last in ((2, 8), (9, 15), (16, 17))
    ]
    assert len({one.key for one in parts}) == 6
    assert [one.key for one in adapter.partitions(window, ["b"])] == [one.key for one in parts[3:]]


# --- following the pages ----------------------------------------------------------------------------------------------


@pytest.mark.fault("F39")
def test_pages_are_followed_to_the_end_over_an_empty_one(adapter: GentuAdapter, gentu: Scripted) -> None:
    gentu.queue(
        BOOK,
        answer(200, page(booking(id="1"), following="c1")),
        answer(200, page(following="c2")),
        answer(200, page(booking(id="2"), booking(id="3"))),
    )
    pages = sweep(adapter)
    assert [[row.external_id for row in one.appointments] for one in pages] == [["1"], [], ["2", "3"]]
    assert [one.next_cursor for one in pages] == ["c1", "c2", None]
    assert [asked.query.get("cursor") for asked in gentu.to(BOOK)] == [None, "c1", "c2"]
    assert len({asked.query["fromDate"] for asked in gentu.to(BOOK)}) == 1


@pytest.mark.parametrize("circle", [["c1"], ["c1", "c2", "c3"]])
def test_a_circle_of_pages_is_noticed(adapter: GentuAdapter, gentu: Scripted, circle: list[str]) -> None:
    cursors = iter([*circle, *circle, *circle])
    gentu.stand(BOOK, lambda _: answer(200, page(following=next(cursors))))
    assert fails(adapter).reason == "cursor_loop"
    assert len(gentu.to(BOOK)) == len(circle) + 1


def test_pages_without_end_are_given_up(
    adapter: GentuAdapter, gentu: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging.chain, "__defaults__", (None, 5))
    gentu.stand(BOOK, lambda asked: answer(200, page(following=f"{asked.query.get('cursor', '')}x")))
    assert (paging.PAGE_BUDGET, fails(adapter).reason, len(gentu.to(BOOK))) == (500, "page_budget", 5)


def test_a_sweep_goes_on_from_a_kept_cursor(adapter: GentuAdapter, gentu: Scripted) -> None:
    gentu.queue(BOOK, answer(200, page(booking(id="7"), following="c8")), answer(200, page()))
    assert [one.from_start for one in sweep(adapter, cursor="c7")] == [False, False]
    assert [asked.query.get("cursor") for asked in gentu.to(BOOK)] == ["c7", "c8"]


def test_a_cursor_that_is_no_longer_known_begins_the_chain_anew(adapter: GentuAdapter, gentu: Scripted) -> None:
    gentu.queue(BOOK, answer(400), answer(200, page(booking(id="1"), following="c1")), answer(200, page()))
    assert [one.from_start for one in sweep(adapter, cursor="stale")] == [True, False]
    assert [asked.query.get("cursor") for asked in gentu.to(BOOK)] == ["stale", None, "c1"]
    gentu.queue(BOOK, answer(200, page(following="c1")), answer(400))
    with pytest.raises(PmsBadRequest):  # but only of the first page: a chain that breaks is broken
        sweep(adapter, cursor="good")


def test_pages_before_a_failure_stay_valid(adapter: GentuAdapter, gentu: Scripted) -> None:
    gentu.queue(BOOK, answer(200, page(booking(id="1"), following="c1")))
    gentu.stand(BOOK, answer(503))
    pages = adapter.appointments(adapter.partitions(MONDAY, [PRACTITIONER])[0])
    assert next(pages).appointments[0].external_id == "1"
    with pytest.raises(PmsUnavailable):
        next(pages)


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "$.appointments"),
        ({"appointments": None, "pagination": {"next": None}}, "$.appointments"),
        ({"appointments": {}, "pagination": {"next": None}}, "$.appointments"),
        ({"appointments": []}, "$.pagination"),
        ({"appointments": [], "pagination": None}, "$.pagination"),
        ({"appointments": [], "pagination": {}}, "$.pagination.next"),
        ({"appointments": [], "pagination": {"next": 5}}, "$.pagination.next"),
        ({"message": "please sign in"}, "$.appointments"),
        ([], "$"),
    ],
)
def test_a_wrong_shape_is_never_an_empty_book(adapter: GentuAdapter, gentu: Scripted, body: object, path: str) -> None:
    gentu.stand(BOOK, answer(200, body))
    error = fails(adapter)
    assert isinstance(error, PmsMalformed)
    assert (error.reason, error.path) == ("bad_envelope", path)


@pytest.mark.parametrize(
    "body", [b'{"appointments":[', b'{"appointments":[]', b'{"appointments":[] "pagination":1}', b"[}"]
)
def test_broken_json_is_never_an_empty_book(adapter: GentuAdapter, gentu: Scripted, body: bytes) -> None:
    gentu.stand(BOOK, answer(200, body))
    assert fails(adapter).reason == "bad_envelope"


def test_a_book_one_may_not_read_is_an_error_of_that_partition(adapter: GentuAdapter, gentu: Scripted) -> None:
    gentu.stand(BOOK, lambda asked: answer(403 if asked.query["practitionerId"] == PRACTITIONER else 200, page()))
    closed, open_ = adapter.partitions(MONDAY, [PRACTITIONER, OTHER_PRACTITIONER])
    with pytest.raises(PmsForbidden):
        list(adapter.appointments(closed))
    assert len(list(adapter.appointments(open_))) == 1


def test_several_partitions_can_be_read_at_once(adapter: GentuAdapter, gentu: Scripted) -> None:
    def book(asked: Any) -> Answer:
        who, cursor = asked.query["practitionerId"], asked.query.get("cursor")
        row = booking(id=f"{who}-{cursor}", participant=people(("patient", f"of-{who}"), ("provider", who)))
        return [0.02, *answer(200, page(row, following=None if cursor else f"next-{who}"))]

    gentu.stand(BOOK, book)
    people_ = [f"doctor{number}" for number in range(8)]
    for who in people_:
        gentu.stand(f"{T}/patients/of-{who}", answer(200, {**sample("patient"), "id": f"of-{who}"}))
    parts = adapter.partitions(MONDAY, people_)
    found: dict[str, list[str]] = {}

    def read(part: Any) -> None:
        rows = [row for one in adapter.appointments(part) for row in one.appointments]
        assert {row.patients[0].external_id for row in rows} == {f"of-{part.practitioner_id}"}
        found[part.practitioner_id] = [row.external_id for row in rows]

    threads = [threading.Thread(target=read, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {who: [f"{who}-None", f"{who}-next-{who}"] for who in people_}
    assert (len(gentu.to(TOKEN)), len(gentu.to(f"{T}/appointment-types"))) == (1, 1)
    assert len(gentu.to(f"{T}/practitioners")) == 1


# --- joins ------------------------------------------------------------------------------------------------------------


def test_patients_come_with_the_page(adapter: GentuAdapter, gentu: Scripted) -> None:
    found = only(adapter, gentu, *sample("appointments")["appointments"])
    assert [[who.full_name for who in row.patients] for row in found.appointments] == [["Marlow Ines Fennick"], []]
    assert gentu.to(f"{T}/patients/{PATIENT}") == []


def test_a_patient_who_does_not_is_asked_for_once_a_run(adapter: GentuAdapter, gentu: Scripted) -> None:
    gentu.stand(f"{T}/patients/p2", answer(200, {**sample("patient"), "id": "p2"}))
    rows = [booking(id=str(number), participant=people(("patient", "p2"))) for number in range(3)]
    found = only(adapter, gentu, *rows)
    assert [row.patients[0].full_name for row in found.appointments] == ["Marlow Ines Fennick"] * 3
    sweep(adapter)
    assert len(gentu.to(f"{T}/patients/p2")) == 1


def test_a_patient_gentu_no_longer_knows_keeps_the_booking(adapter: GentuAdapter, gentu: Scripted) -> None:
    found = only(adapter, gentu, booking(participant=people(("patient", "gone"))))
    (patient,) = found.appointments[0].patients
    assert (patient.external_id, patient.full_name) == ("gone", "Unknown patient")
    sweep(adapter)
    assert len(gentu.to(f"{T}/patients/gone")) == 1


def test_a_patient_who_cannot_be_fetched_fails_the_page_and_hides_nobody(
    adapter: GentuAdapter, gentu: Scripted
) -> None:
    gentu.stand(f"{T}/patients/p2", answer(503))
    gentu.stand(BOOK, answer(200, page(booking(participant=people(("patient", "p2"))))))
    assert isinstance(fails(adapter), PmsUnavailable)
    gentu.stand(f"{T}/patients/p2", answer(200, "<html>", kind="text/html"))
    assert isinstance(fails(adapter), PmsMalformed)


def test_types_nobody_knows_do_not_fetch_the_list_again_and_again(adapter: GentuAdapter, gentu: Scripted) -> None:
    only(adapter, gentu, *[booking(id=str(n), appointmentType={"reference": f"type {n}"}) for n in range(9)])
    assert len(gentu.to(f"{T}/appointment-types")) == 2


@pytest.mark.parametrize("bad", [answer(500), answer(200, {"oops": []}), answer(200, "")])
def test_types_that_cannot_be_read_are_never_a_list_without_them(
    adapter: GentuAdapter, gentu: Scripted, bad: Answer
) -> None:
    """However often it is asked in vain: an outage must not rename every visit to “Unknown”."""
    gentu.stand(BOOK, answer(200, page(booking())))
    gentu.stand(f"{T}/appointment-types", bad)
    for _ in range(4):
        with pytest.raises(PmsError):
            sweep(adapter)
    gentu.stand(f"{T}/appointment-types", answer(200, sample("appointment_types")))
    assert sweep(adapter)[0].appointments[0].type_name == "Review - Video"


def test_types_are_fetched_once_more_for_one_that_is_new(adapter: GentuAdapter, gentu: Scripted) -> None:
    adapter.appointment_types()
    new = {"id": "new", "text": "Phone", "duration": 10}
    gentu.stand(f"{T}/appointment-types", answer(200, [*sample("appointment_types"), new]))
    rows = [booking(id=kind, appointmentType={"reference": kind}) for kind in (VIDEO, "new", "never", "nor this")]
    found = only(adapter, gentu, *rows)
    assert [row.type_name for row in found.appointments] == ["Review - Video", "Phone", "Unknown", "Unknown"]
    assert len(gentu.to(f"{T}/appointment-types")) == 2


def test_names_come_with_the_page_else_from_the_list(adapter: GentuAdapter, gentu: Scripted) -> None:
    visiting = [{"id": "locum", "name": {"prefix": "Dr", "given": "Ada", "family": "Byron"}}, {"name": "no id"}]
    rows = [
        booking(id=who, participant=people(("patient", PATIENT), ("provider", who)))
        for who in ("locum", PRACTITIONER, "nobody")
    ]
    gentu.stand(BOOK, answer(200, page(*rows, practitioners=visiting)))
    found = [
        row.practitioner_name
        for part in adapter.partitions(MONDAY, ["locum", PRACTITIONER, "nobody"])
        for one in adapter.appointments(part)
        for row in one.appointments
    ]
    assert found[:3] == ["Dr Ada Byron", "Dr Odette May Quill", "Unknown practitioner"]
    assert len(gentu.to(f"{T}/practitioners")) == 1


def test_a_bad_record_of_a_catalogue_keeps_its_place(adapter: GentuAdapter, gentu: Scripted) -> None:
    gentu.stand(f"{T}/practitioners", answer(200, [*sample("practitioners"), {"id": "x", "name": 5}]))
    gentu.stand(f"{T}/appointment-types", answer(200, [{"id": 7, "text": {}}]))
    told = [(one.external_id, one.works_here, one.readable) for one in adapter.practitioners()]
    assert told[-1] == ("x", True, False)
    assert all(readable for *_, readable in told[:-1])
    assert [(one.external_id, one.name, one.readable) for one in adapter.appointment_types()] == [
        ("7", "Unknown", False)
    ]
    gentu.stand(f"{T}/practitioners", answer(200, [{"name": {}}]))
    with pytest.raises(PmsMalformed):
        adapter.practitioners()


# --- one at a time ----------------------------------------------------------------------------------------------------


def test_one_appointment_with_its_patient(adapter: GentuAdapter, gentu: Scripted) -> None:
    gentu.stand(f"{BOOK}/a%2Fb", answer(200, booking(id="a/b")))
    gentu.stand(f"{T}/patients/{PATIENT}", answer(200, sample("patient")))
    found = adapter.appointment("a/b")
    assert (found.external_id, found.patients[0].full_name) == ("a/b", "Marlow Ines Fennick")
    assert (found.practitioner_id, found.type_name) == (PRACTITIONER, "Review - Video")


def test_one_appointment_that_is_not_there_or_cannot_be_read(adapter: GentuAdapter, gentu: Scripted) -> None:
    with pytest.raises(PmsNotFound):
        adapter.appointment("nothing")
    gentu.stand(f"{BOOK}/bad", answer(200, booking(startAt=None)))
    with pytest.raises(PmsMalformed) as raised:
        adapter.appointment("bad")
    assert raised.value.path == "$.startAt"
    with pytest.raises(PmsNotFound):
        adapter.patient("nobody")


def test_a_practice_explains_its_words(opened: Callable[..., GentuAdapter], gentu: Scripted) -> None:
    adapter = opened(words={"triaged": "in_progress"})
    assert only(adapter, gentu, booking(status="triaged")).appointments[0].status.value == "in_progress"


def test_a_page_of_nothing_is_a_page(adapter: GentuAdapter, gentu: Scripted) -> None:
    found = only(adapter, gentu)
    assert found == Page([], [], 0, None, from_start=True, digest=found.digest)
