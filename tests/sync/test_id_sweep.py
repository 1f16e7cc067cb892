"""What a sweep for ids takes note of, whichever way a page tells them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.domain.window import Window, zone_of
from app.pms.port import Page, Partition, Rejected
from app.sync.id_sweep import Read
from tests.fakes.pms import NOW, TODAY, FakePms

DAY = Partition("kim", Window(TODAY, TODAY, zone_of("Australia/Melbourne")), "kim", ids_only=True)
BAD = (Rejected("bad", "$.startAt", "missing", b"{}"), Rejected(None, "$", "not_json", b"{}"))


def mapped() -> Page:
    book = FakePms().books("here", day=TODAY).books("elsewhere", day=TODAY + timedelta(days=1)).book
    return Page(list(book.values()), BAD, 4)


@pytest.mark.promise("P6")
@pytest.mark.parametrize(
    "page", [mapped(), Page((), BAD, 4, ids={"here": NOW, "elsewhere": NOW + timedelta(days=1)})], ids=["whole", "ids"]
)
def test_only_what_stands_where_it_was_asked_for_is_seen_there(page: Page) -> None:
    """One that stands elsewhere is met; whether its row is to move is asked of the PMS."""
    read = Read(DAY, NOW)
    read.take(page)
    assert read.seen == {"here", "bad"}
    assert read.met == {"here", "elsewhere", "bad"}
    assert (read.records, read.nameless) == (4, 1)
