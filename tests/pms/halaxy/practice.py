"""How these tests read a day of the practice."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from app.domain.appointment import Appointment
from app.domain.window import Window
from app.pms.halaxy.adapter import HalaxyAdapter
from app.pms.port import Page
from tests.pms.halaxy.conftest import Opened
from tests.pms.scripted import Scripted, answer

ZONE = ZoneInfo("Australia/Melbourne")
DAY = date(2026, 3, 9)
MONDAY = Window(DAY, DAY, ZONE)
LIST, TOKEN = "/Appointment", "/oauth/token"


def pages(adapter: HalaxyAdapter, window: Window = MONDAY, people: tuple[str, ...] = ()) -> list[Page]:
    return [page for part in adapter.partitions(window, people) for page in adapter.appointments(part)]


def rows(adapter: HalaxyAdapter, window: Window = MONDAY, people: tuple[str, ...] = ()) -> dict[str, Appointment]:
    return {one.external_id: one for page in pages(adapter, window, people) for one in page.appointments}


def only(adapter: HalaxyAdapter, window: Window = MONDAY) -> Appointment:
    (found,) = rows(adapter, window).values()
    return found


def at(time: str, day: int = 9) -> str:
    return f"2026-03-{day:02}T{time}:00+11:00"


def scripted_adapter(server: Scripted, opened: Opened) -> HalaxyAdapter:
    """Of a server that gives a token and otherwise answers what it is told to."""
    server.stand(TOKEN, answer(200, {"access_token": "a-token-of-somebody", "expires_in": 3600}))
    typed = {"client_id": "a-client", "client_secret": "a secret+of&somebody", "contact_email": "desk@example.com"}
    return opened(server.url, typed=typed)
