"""Somebody in front of the run sheet: one browser and one server a module, a practice and a window a test."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from playwright.sync_api import Browser

from app import clock
from app.domain.status import Status
from tests.browser.desk import Desk, House, Practice, desk, practice_in, serving
from tests.browser.stage import chromium
from tests.factories import Booking, Clinic
from tests.fixtures.databases import Sqlite

INES, TOBIAS, MEI_LIN = "Ines Fennick", "Tobias Achterberg", "Mei-Lin Drummond"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_databases: Sqlite) -> Iterator[House]:
    url = sqlite_databases.fresh()
    with serving(tmp_path_factory.mktemp("home"), url) as made:
        yield made
    sqlite_databases.drop(url)


@pytest.fixture
def practice(house: House) -> Iterator[Practice]:
    with practice_in(house) as made:
        made.clinic.books(
            Booking(INES, "9:30", Status.ARRIVED, arrived=clock.now() - timedelta(minutes=11)),
            Booking(TOBIAS, "9:50", Status.CONFIRMED),
            Booking(MEI_LIN, "9:45", Status.BOOKED, doctor="brightwater"),
            Booking("Odalys Rook", "9:00", Status.COMPLETED),
        )
        yield made


@pytest.fixture
def clinic(practice: Practice) -> Clinic:
    return practice.clinic


@pytest.fixture
def front(browser: Browser, practice: Practice) -> Iterator[Desk]:
    """The front desk, signed in and looking at today."""
    made = desk(browser, practice).signs_in()
    yield made
    made.page.context.close()
    assert made.noisy or made.said == [], "the console is empty, also of Content-Security-Policy reports"
