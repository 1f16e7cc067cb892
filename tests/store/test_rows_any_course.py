"""What staff write stands through any course of syncs, choices and clicks; the past stays what it was (M06, M14)."""

from __future__ import annotations

from datetime import date, datetime, time
from uuid import uuid4

import pytest

from app.domain.status import Status
from tests.courses import PATIENCE, Course, Vendor, draw
from tests.fakes.house import House, furnished
from tests.fakes.pms import IN_PERSON, TODAY, VIDEO, FakePms


class InMemory(Vendor):
    words = (*Status, "triage", "waiting list")

    def __init__(self, pms: FakePms) -> None:
        self.pms, self.booked = pms, 0

    def books(self, day: date, hour: int, type_: str) -> str:
        self.booked += 1
        id_ = f"a{self.booked}"
        self.pms.books(id_, day=day, at=f"{hour:02}:00", type=type_.lower())
        return id_

    def says(self, id_: str, word: str) -> None:
        known = word in set(Status)
        self.pms.says(id_, Status(word) if known else Status.UNKNOWN, word)

    def moves(self, id_: str, day: date, hour: int) -> None:
        at = datetime.combine(day, time(hour), self.pms.zone)
        by = at - self.pms.book[id_].starts_at
        self.pms.moves(id_, days=by.days, minutes=by.seconds // 60)

    def comments(self, id_: str, text: str) -> None:
        self.pms.changes(id_, comment=text)

    def hands_over(self, id_: str, to: int) -> None:
        self.pms.moves(id_, with_=("kim", "lee")[to])

    def deletes(self, id_: str) -> None:
        self.pms.deletes(id_)


@pytest.mark.timeout(PATIENCE)
def test_whatever_happens_nothing_a_person_wrote_is_lost_and_the_past_can_be_told(house: House) -> None:
    class Here(Course):
        types = (VIDEO.title(), IN_PERSON.title())
        first = TODAY

        def __init__(self) -> None:
            pms = FakePms()
            self.house = furnished(house.store, house.clock, pms, f"Practice {uuid4()}")
            self.vendor = InMemory(pms)
            super().__init__()

    draw(Here, courses=3, steps=14)
