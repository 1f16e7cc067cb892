"""What a row says of its patient can be read whole at the widths people use, light or dark."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app import clock
from app.domain.status import Status
from tests.browser.desk import Desk
from tests.factories import Booking, Clinic

pytestmark = pytest.mark.browser

#: By how much the words of each status are wider than their cell.
_CLIPPED = """() => Object.fromEntries([...document.querySelectorAll("tbody .st")]
    .map((cell) => [cell.textContent.trim(), cell.scrollWidth - cell.clientWidth]))"""


@pytest.mark.feature("R11")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 1440, 390, 1181, 1180, 921])
def test_how_late_somebody_is_and_how_long_they_wait_is_never_cut_off(
    front: Desk, clinic: Clinic, width: int, scheme: str
) -> None:
    clinic.books(
        Booking("Fourteen Late", "9:28", Status.CONFIRMED),
        Booking("Hours Late", "7:55", Status.CONFIRMED),
        Booking("Long There", "8:10", Status.ARRIVED, arrived=clock.now() - timedelta(minutes=92)),
        Booking("Still Speaking", "8:20", Status.IN_PROGRESS),
    )
    front.page.set_viewport_size({"width": width, "height": 900})
    front.page.emulate_media(color_scheme=scheme)
    front.opens()
    clipped = front.page.evaluate(_CLIPPED)
    assert any("Confirmed, late 14 min" in words for words in clipped)
    assert any("late 1 h 47 min" in words for words in clipped), clipped
    assert {words: by for words, by in clipped.items() if by > 0} == {}
    assert front.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
