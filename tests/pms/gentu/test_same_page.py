"""Which pages of Gentu are the same: by what their records are made from, not by cursors (decisions: page digests)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.pms.gentu.adapter import GentuAdapter
from app.pms.port import Page
from tests.pms.gentu.conftest import BOOK, MONDAY, T
from tests.pms.gentu.samples import PRACTITIONER, booking, page, sample
from tests.pms.scripted import Scripted, answer

DOCTOR = next(one for one in sample("practitioners") if one["id"] == PRACTITIONER)


def first(adapter: GentuAdapter, *known: bytes) -> Page:
    (partition,) = adapter.partitions(MONDAY, [PRACTITIONER])
    return next(adapter.appointments(replace(partition, known=frozenset(known))))


def whole(**members: Any) -> dict[str, Any]:
    """A page with everybody its bookings name."""
    return {**sample("appointments"), "practitioners": [DOCTOR], **members}


@pytest.fixture
def read(opened: Callable[..., GentuAdapter], gentu: Scripted) -> Callable[..., Page]:
    def read(body: Any, *known: bytes, **options: Any) -> Page:
        gentu.stand(BOOK, answer(200, body))
        return first(opened(**options), *known)

    return read


def test_a_known_page_is_handed_over_unread_and_reads_the_same(read: Callable[..., Page]) -> None:
    before = read(whole())
    assert before.digest is not None
    again = read(whole(), before.digest)
    assert (again.appointments, again.received, again.digest) == ((), before.received, before.digest)
    assert again.read is not None
    assert (again.read().appointments, again.read().digest) == (before.appointments, before.digest)
    other = read(whole(), b"another")
    assert (other.read, other.appointments) == (None, before.appointments)


def test_a_cursor_makes_no_difference(read: Callable[..., Page]) -> None:
    assert read(whole(pagination={"next": "x"})).digest == read(whole(pagination={"next": "y"})).digest


def changed(kind: str, **changes: Any) -> dict[str, Any]:
    body = whole()
    body[kind] = [{**body[kind][0], **changes}, *body[kind][1:]]
    return body


@pytest.mark.parametrize(
    "body",
    [
        changed("appointments", status="cancelled"),
        changed("patients", birthDate="1970-01-01"),
        whole(practitioners=[{**DOCTOR, "name": {"family": "Other", "given": None, "prefix": "Dr"}}]),
    ],
)
def test_whatever_a_record_is_made_from_makes_another_page(read: Callable[..., Page], body: Any) -> None:
    assert read(whole()).digest != read(body).digest


def test_so_do_the_types_and_the_words_explained(read: Callable[..., Page], gentu: Scripted) -> None:
    before = read(whole()).digest
    assert read(whole(), words={"dancing": "arrived"}).digest != before
    types = sample("appointment_types")
    kind = types if isinstance(types, list) else types["appointmentTypes"]
    kind[0]["text"] = "Another name"
    gentu.stand(f"{T}/appointment-types", answer(200, types))
    assert read(whole()).digest not in (before, None)


@pytest.mark.parametrize("members", [{"patients": None}, {"patients": []}, {"practitioners": []}])
def test_where_somebody_must_be_asked_for_nothing_is_promised(
    read: Callable[..., Page], gentu: Scripted, members: dict[str, Any]
) -> None:
    (patient,) = sample("appointments")["patients"]
    gentu.stand(f"{T}/patients/{patient['id']}", answer(200, patient))
    assert read(whole(**members)).digest is None


def test_names_of_the_list_stand_in_for_practitioners_that_do_not_come_along(
    read: Callable[..., Page], gentu: Scripted
) -> None:
    before = read(whole(practitioners=None)).digest
    assert read(whole(practitioners=None)).digest == before is not None
    listed = sample("practitioners")
    listed[0]["name"]["family"] = "Other"
    gentu.stand(f"{T}/practitioners", answer(200, listed))
    assert read(whole(practitioners=None)).digest != before


def test_a_page_with_a_record_that_cannot_be_read_is_always_read(read: Callable[..., Page]) -> None:
    bad = page(
        *whole()["appointments"],
        booking(startAt="whenever"),
        **{k: v for k, v in whole().items() if k in ("patients", "practitioners")},
    )
    assert read(bad).rejected
    assert read(bad).digest is None
