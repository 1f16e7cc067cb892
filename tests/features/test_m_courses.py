"""M06, E24, M14 in any course of events, with the simulated vendor at the other end of the wire."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from app import clock
from app.domain.window import day_of, zone_of
from app.pms.gentu.mapping import STATUSES
from tests.courses import PATIENCE, Course, Vendor, draw
from tests.fakes.house import emptied, shared_postgresql, shared_sqlite, store
from tests.features.surgery import STANDARD, Surgery, opened, surgery
from tests.web.world import VIDEO

__all__ = ["shared_postgresql", "shared_sqlite", "store", "surgery"]


class Simulated(Vendor):
    """Books, moves and deletes on the simulator's own page; everybody's words are the vendor's."""

    words = (*STATUSES, "triage", "waiting list")

    def __init__(self, house: Surgery) -> None:
        self.house = house
        self.people = sorted(house.in_book())[:2]

    def order(self, id_: str, what: str, **order: str) -> None:
        self.house.sandbox.control(f"appointments/{id_}/{what}", **order)

    def books(self, day: date, hour: int, type_: str) -> str:
        person = {"family": "Fennick", "given": "Ines", "phone": "0491 570 156"}
        when = {"day": day.isoformat(), "time": f"{hour:02}:00"}
        (id_,) = self.house.books(**when, type=type_, practitioner_id=self.people[0], patient=person)
        return id_

    def says(self, id_: str, word: str) -> None:
        self.order(id_, "status", status=word)

    def moves(self, id_: str, day: date, hour: int) -> None:
        self.order(id_, "move", day=day.isoformat(), time=f"{hour:02}:00")

    def comments(self, id_: str, text: str) -> None:
        self.order(id_, "move", comment=text)

    def hands_over(self, id_: str, to: int) -> None:
        self.order(id_, "move", practitioner_id=self.people[to])

    def deletes(self, id_: str) -> None:
        self.order(id_, "delete")


@pytest.mark.feature("M06")
@pytest.mark.feature("M14")
@pytest.mark.feature("E24")
@pytest.mark.timeout(PATIENCE)
def test_no_local_value_is_lost_without_a_decision_and_every_moment_can_be_told_again(surgery: Surgery) -> None:
    class Here(Course):
        types = (VIDEO, STANDARD)
        #: The first of the days lies ahead, so that midnight may pass while the test runs.
        first = day_of(clock.now(), zone_of("Australia/Melbourne")) + timedelta(days=1)

        def __init__(self) -> None:
            surgery.sandbox.control("reset")
            emptied(surgery.store)
            self.house = opened(surgery.engine, surgery.sandbox, "Smith Medical Centre")
            self.vendor = Simulated(self.house)
            super().__init__()

    draw(Here, courses=2, steps=12)
