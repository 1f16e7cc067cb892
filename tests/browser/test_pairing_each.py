"""Every system we speak to, paired through the wizard in one browser until the sheet shows its patients of today."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from app.pms.registry import ADAPTERS, adapter_class
from app.security.roles import Role
from app.store import practices
from app.store.models import PmsConnection
from app.store.models.connection import ConnectionState
from app.store.practices import NewUser
from tests.browser.stage import PASSWORD, House, Stage, running_stage, visitor
from tests.fixtures.databases import Sqlite
from tests.sandbox.process import running_sandbox

pytestmark = pytest.mark.browser

#: Each waits for its first sync behind nobody.
_SYNCED_MS = 60_000


@pytest.fixture(scope="module")
def stage(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, sqlite_databases: Sqlite, redis_server: str
) -> Iterator[Stage]:
    url, home = sqlite_databases.fresh(), tmp_path_factory.mktemp("stage")
    with running_sandbox("demo") as sandbox:
        environ: dict[str, str] = {}
        for told in sandbox.vendors.values():
            environ |= told["environment"]
        with running_stage(home, url, redis_server, sandbox, **environ) as made:
            yield made
    sqlite_databases.drop(url)


def practice_of(stage: Stage, kind: str) -> House:
    """A practice with an admin, nothing connected; nor has any other: a simulated practice pairs with one of ours."""
    with stage.parts.store.write() as session:
        session.execute(update(PmsConnection).values(state=ConnectionState.DISCONNECTED))
        practice = practices.create(session, f"Practice of {kind}", "Australia/Melbourne")
        made = House(stage, practice.id, f"{kind}-practice", practice.name)
        practices.add_user(session, practice, NewUser(made.email("ada"), "Ada Ash", Role.ADMIN, PASSWORD))
    return made


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("kind", sorted(ADAPTERS))
def test_each_system_is_paired_until_the_sheet_shows_today(browser: Browser, stage: Stage, kind: str) -> None:
    cls = adapter_class(kind)
    ada = visitor(browser, practice_of(stage, kind))
    page = ada.signs_in().page
    ada.goes_to("/connections/new")
    page.locator(f"#pms-{kind}").check()
    press(page, "Go on")
    page.wait_for_url("**/pair/code")
    expect(page.locator(".evidence")).to_contain_text(cls.evidence.ours)
    ada.finds_nothing_to_mend()
    if cls.pairing is not None:
        expect(page.locator(".evidence")).to_contain_text(cls.pairing.help)
        page.get_by_label("Pairing code").fill(stage.sandbox.pairing_code())
        press(page, "Pair")
    else:
        given = stage.sandbox.vendors[kind]["credentials"]
        for field in cls.credentials:
            expect(page.locator("form.fields")).to_contain_text(field.help)
            named = page.locator(f"[name=credential-{field.name}]")
            if field.name in given and field.choices:
                named.select_option(given[field.name])
            elif field.name in given:
                named.fill(given[field.name])
        press(page, "Connect")

    expect(page.get_by_role("heading", name="Is this you?")).to_be_visible()
    press(page, "Yes, that is us")
    press(page, "Fill in suggestions")
    press(page, "Save and go on")
    page.wait_for_url("**/pair/types")
    for box in page.locator("input[name=type]").all():
        box.check()
    press(page, "Save and go on")
    expect(page.locator("#dry")).to_contain_text("for today:")
    seen = page.locator(".dry-table th[scope=row]").all_inner_texts()
    assert seen, "a practice with a day"
    press(page, "It is right, go on")
    press(page, "Go live")
    expect(page.locator("#sync-live")).to_contain_text(re.compile(r"\d+ new"), timeout=_SYNCED_MS)

    ada.goes_to("/run-sheet")
    board = page.locator("#board")
    for name in seen:
        expect(board).to_contain_text(name)
    assert ada.said == []
    page.context.close()


def test_in_the_demo_another_system_is_two_presses_away(browser: Browser, stage: Stage) -> None:
    """What opens each simulator is filled in; where it comes from is a page of the simulators'."""
    house = practice_of(stage, "demo")
    with stage.parts.store.write() as session:
        practices.get(session, house.practice_id).is_demo = True
    told = {"control_url": stage.sandbox.control_url, "vendors": stage.sandbox.vendors}
    ready = stage.parts.settings.runtime / "sandbox.json"
    ready.parent.mkdir(parents=True, exist_ok=True)
    ready.write_text(json.dumps(told))
    ada = visitor(browser, house)
    page = ada.signs_in().page
    ada.goes_to("/connections")
    ada.finds_nothing_to_mend()
    press(page, "Connect the simulated ezyVet")
    page.wait_for_url("**/pair/code")
    expect(page.get_by_label("Client secret")).to_have_value(told["vendors"]["ezyvet"]["credentials"]["client_secret"])
    ada.finds_nothing_to_mend()
    press(page, "Connect")
    expect(page.get_by_role("heading", name="Is this you?")).to_be_visible()
    assert ada.said == []

    ada.goes_to("/connections")
    expect(page.get_by_role("button", name="Connect the simulated ezyVet")).to_have_count(0)
    page.get_by_role("link", name="What opens them, and orders to them").click()
    page.wait_for_url(f"{stage.sandbox.control_url}systems")
    for kind, opens in told["vendors"].items():
        expect(page.locator("section", has=page.locator(f"#s-{kind}"))).to_contain_text(opens["base_url"])
    ada.finds_nothing_to_mend()
    page.context.close()
