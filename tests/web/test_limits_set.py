"""How far reconciliation looks back (E08) and how long things are kept (A29), set on the pages by whoever may."""

from __future__ import annotations

import pytest

from app.domain.retention import Retention
from app.store import connections, retention
from tests.factories import Clinic, elsewhere
from tests.web.pages import Page, Visit

KEPT = "/quarantine/retention"
BOUNDS = "Days are a whole number from 1 to 3650 (ten years)."


@pytest.fixture
def at(clinic: Clinic) -> str:
    return f"/connections/{clinic.connection_id}"


def lookback(clinic: Clinic) -> int:
    with clinic.store.read() as session:
        return connections.get(session, clinic.connection_id).lookback_days


def kept(clinic: Clinic) -> Retention:
    with clinic.store.read() as session:
        return retention.of(session, clinic.id)


@pytest.mark.feature("E08")
@pytest.mark.parametrize(("typed", "days"), [("30", 30), ("0", 0), ("90", 90), (" 14 ", 14)])
def test_how_far_back_it_looks_is_set_on_the_connections_page(
    clinic: Clinic, owner: Visit, at: str, typed: str, days: int
) -> None:
    assert 'id="f-lookback" name="lookback" inputmode="numeric" size="5" value="7"' in owner.page(at).html
    assert owner.post(f"{at}/lookback", {"lookback": typed}).status_code == 303
    assert lookback(clinic) == days
    page = owner.page(at)
    assert f"It looks back {days} days from now on." in page
    assert f'size="5" value="{days}"' in page.html


@pytest.mark.feature("E08")
@pytest.mark.parametrize("typed", ["", "91", "-1", "a week", "7.5", "1" * 40])
def test_days_it_cannot_look_back_are_refused_beside_the_field(
    clinic: Clinic, owner: Visit, at: str, typed: str
) -> None:
    answer = owner.post(f"{at}/lookback", {"lookback": typed})
    page = Page(answer.text)
    assert answer.status_code == 422
    assert "from 0 (today alone) to 90: each day more is asked of the other system every time." in page
    assert 'aria-describedby="w-lookback e-lookback" aria-invalid="true"' in page.html
    assert 'name="minutes" inputmode="numeric" size="5" value="15"' in page.html, "the other form is as it was"
    assert lookback(clinic) == 7


@pytest.mark.feature("A29")
def test_how_long_things_are_kept_is_set_by_a_form(clinic: Clinic, owner: Visit) -> None:
    page = owner.page("/quarantine")
    for words in ('name="payloads" inputmode="numeric" size="6" value="30"', 'size="6" value="365"'):
        assert words in page.html
    answer = owner.post(KEPT, {"payloads": "7", "events": "90", "notes": "400"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/quarantine#kept")
    assert kept(clinic) == Retention(7, 90, 400)
    assert "Saved. In force within ten minutes." in owner.page("/quarantine")
    assert "What was sent is kept 7 days." in owner.page("/quarantine")
    owner.post(KEPT, {"payloads": "7", "events": "90", "notes": ""})
    assert kept(clinic) == Retention(7, 90, None)


@pytest.mark.feature("A29")
@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"payloads": "0", "events": "90", "notes": ""}, "payloads"),
        ({"payloads": "", "events": "90", "notes": ""}, "payloads"),
        ({"payloads": "7", "events": "3651", "notes": ""}, "events"),
        ({"payloads": "7", "events": "90", "notes": "for ever"}, "notes"),
    ],
)
def test_days_nothing_can_be_kept_are_refused_beside_their_field(
    clinic: Clinic, owner: Visit, typed: dict[str, str], field: str
) -> None:
    answer = owner.post(KEPT, typed)
    assert answer.status_code == 422
    assert f'<p class="fault" id="e-{field}">{BOUNDS}' in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    for name, value in typed.items():
        assert f'name="{name}" inputmode="numeric" size="6" value="{value}"' in answer.text
    assert kept(clinic) == Retention()


@pytest.mark.security("X13")
@pytest.mark.parametrize("who", ["reception", "doctor"])
def test_reception_and_clinicians_set_none_of_it(
    request: pytest.FixtureRequest, clinic: Clinic, at: str, who: str
) -> None:
    visit: Visit = request.getfixturevalue(who)
    assert visit.post(f"{at}/lookback", {"lookback": "30"}).status_code == 403
    assert visit.post(KEPT, {"payloads": "1", "events": "1", "notes": "1"}).status_code == 403
    assert (lookback(clinic), kept(clinic)) == (7, Retention())


@pytest.mark.security("X14")
def test_another_practices_limits_are_not_touched(clinic: Clinic, owner: Visit, at: str) -> None:
    stranger = Visit(owner.app, elsewhere(clinic.store).people["stranger"])
    assert stranger.post(f"{at}/lookback", {"lookback": "30"}).status_code == 404
    stranger.post(KEPT, {"payloads": "1", "events": "1", "notes": "1"})
    assert (lookback(clinic), kept(clinic)) == (7, Retention())
