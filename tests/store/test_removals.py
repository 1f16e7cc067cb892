"""Which rows a whole reading should have brought."""

from __future__ import annotations

import pytest

from app.domain.window import Window, zone_of
from app.store import removals
from app.store.removals import Stretch
from tests.fakes.house import House, statements
from tests.fakes.pms import TODAY

DAY = Window(TODAY, TODAY, zone_of("Australia/Melbourne"))
#: Ids are the vendor's: none of these may fall apart, or together, on its way out of the database.
STRANGE = ["a1", "A1", " a1", "a,b", '"', "'", "{}", "NULL", "[1]", "\\", "naïve", "🐈", "1e3"]


def stretch(who: str) -> Stretch:
    return Stretch(who, DAY.start, DAY.end)


@pytest.mark.promise("P6")
def test_every_row_that_stands_is_expected_by_its_very_id(house: House) -> None:
    house.pms.books(*STRANGE).books("b1", with_="lee").books("other day", day=TODAY.replace(day=10))
    house.sync(TODAY, TODAY.replace(day=10))
    house.pms.deletes("b1")
    house.reconciles()
    with house.store.read() as session, statements(house.store) as told:
        for who, ids in {"kim": STRANGE, "lee": [], "": STRANGE, "nobody": []}.items():
            found = removals.expected_ids(session, house.connection_id, stretch(who))
            assert sorted(found) == sorted(ids)
            assert set(found) == removals.expected(session, house.connection_id, stretch(who)).keys()
    assert len(told) == 8
