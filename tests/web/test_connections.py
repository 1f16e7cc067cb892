"""Who may touch connections, and that nothing of another practice is there: every route of the admin's pages."""

from __future__ import annotations

import re

import pytest

from app.store.models.connection import ConnectionState
from tests.factories import elsewhere
from tests.web.pages import Page, Visit
from tests.web.world import VIDEO, World

READS = ("", "/clinicians", "/types", "/statuses", "/pair", "/pair/code")
WRITES = (
    "/test", "/frequency", "/lookback", "/tells", "/pause", "/resume", "/clinicians", "/types", "/types/apply",
    "/statuses", "/pair/code", "/pair/identity", "/pair/clinicians", "/pair/types", "/pair/preview", "/pair/live",
    "/pair/discard", "/pair/credentials",
)  # fmt: skip


@pytest.mark.security("X13")
def test_the_list_above_holds_every_route_of_a_connection(world: World) -> None:
    rules = [rule for rule in world.app.url_map.iter_rules() if "connection_id" in rule.arguments]
    prefix = "/connections/<uuid:connection_id>"
    named = {rule.rule.removeprefix(prefix).replace("<step>", "code") for rule in rules}
    assert named == {*READS, *WRITES}


@pytest.mark.security("X13")
@pytest.mark.parametrize("role", ["receptionist", "clinician"])
def test_reception_and_clinicians_touch_no_connection(world: World, role: str) -> None:
    world.goes_live()
    visit = world.visit(role)
    for path in READS:
        assert visit.get(world.at(path)).status_code == 403, path
    for path in WRITES:
        assert visit.post(world.at(path), {"minutes": "1"}).status_code == 403, path
    assert visit.get("/connections").status_code == 403
    assert visit.get("/connections/new").status_code == 403
    assert visit.post("/connections/new", {"pms": "gentu"}).status_code == 403
    assert (world.connection.state, world.connection.sync_frequency_minutes) == (ConnectionState.ACTIVE, 15)


@pytest.mark.security("X14")
def test_a_connection_of_another_practice_answers_404_everywhere(world: World) -> None:
    world.goes_live()
    stranger = Visit(world.app, elsewhere(world.store).people["stranger"])
    for path in READS:
        assert stranger.get(world.at(path)).status_code == 404, path
    for path in WRITES:
        assert stranger.post(world.at(path), {"minutes": "1", "code": "abcd1234"}).status_code == 404, path
    assert stranger.get(f"/sync-history?connection={world.connection_id}").status_code == 404
    assert stranger.get(f"/sync-history/{world.runs[0].id}").status_code == 404
    assert str(world.runs[0].id) not in stranger.page("/sync-history").html
    assert (world.connection.state, world.connection.sync_frequency_minutes) == (ConnectionState.ACTIVE, 15)


@pytest.mark.security("X8")
def test_no_write_goes_without_the_form_token(world: World) -> None:
    world.goes_live()
    for path in WRITES:
        answer = world.admin.client.post(world.at(path), data={"minutes": "1"})
        assert (answer.status_code, "earlier sign-in" in answer.text) == (400, True), path
    assert world.connection.sync_frequency_minutes == 15


def test_every_form_of_these_pages_posts_its_token_and_works_without_a_script(world: World) -> None:
    world.books("10:30", VIDEO)
    world.drafts()
    pages = [world.admin.page("/connections/new"), world.page("/pair/code")]
    assert world.enters(world.sandbox.pairing_code()).status_code == 303
    pages.append(world.page("/pair/identity"))
    world.confirms()
    pages.append(world.page("/pair/clinicians"))
    world.maps_everybody()
    pages.append(world.page("/pair/types"))
    world.marks(VIDEO)
    pages.append(world.page("/pair/preview"))
    world.admin.post(world.at("/pair/preview"))
    pages.append(world.page("/pair/live"))
    world.admin.post(world.at("/pair/live"), {"minutes": "15"})
    world.works()
    pages += [world.page(path) for path in ("", "/clinicians", "/types", "/statuses", "/pair/code")]
    pages += [world.admin.page("/connections"), world.admin.page("/sync-history")]
    pages.append(Page(world.admin.post(world.at("/types"), {"type": []}).text))
    for page in pages:
        for form in re.findall(r"<form.*?</form>", page.html, re.S):
            head = form.split(">")[0]
            if 'method="get"' in head:
                continue
            assert 'method="post"' in head, head
            assert 'action="/' in head, head
            assert 'name="csrf_token"' in form, head
            assert "<button" in form, head
        assert "style=" not in page.html
        assert not re.search(r"\son\w+=", page.html), "no inline script"


@pytest.mark.security("X28")
def test_no_address_of_these_pages_names_a_patient(world: World) -> None:
    world.books("10:30", VIDEO, patient={"family": "Fennick", "given": "Ines"})
    world.lives()
    for path in ("/connections", world.at(), "/sync-history", f"/sync-history/{world.runs[0].id}"):
        html = world.admin.page(path).html
        assert "Fennick" not in html
    assert "Fennick" not in " ".join(re.findall(r'(?:href|hx-get|action)="([^"]+)"', world.sheet.html))


@pytest.mark.security("X26")
def test_a_fault_of_ours_shows_a_number_and_no_inside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.pairs()
    world.confirms()

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr("app.sync.preview.dry_run", broken)
    answer = world.admin.get(world.at("/pair/clinicians"))
    assert answer.status_code == 200
    world.maps_everybody()
    world.marks(VIDEO)
    answer = world.admin.get(world.at("/pair/preview?read=1"))
    assert (answer.status_code, "secret of the inside" in answer.text) == (500, False)
    assert "Number of this fault" in answer.text
