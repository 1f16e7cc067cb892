"""The first step of a system whose practices type credentials, and the page that changes them, over a fake vendor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from uuid import UUID

import pytest
from flask import Flask

from app import create_app
from app.config import Settings
from app.security.roles import Role
from app.store import connections
from app.store.db import Store, db
from app.store.models import PmsConnection, SyncRun
from app.store.models.connection import ConnectionState
from app.wiring import engine
from tests.factories import Clinic
from tests.fakes.house import fake_is_registered as fake_is_registered  # noqa: PLC0414 - fixtures
from tests.fakes.house import pms as pms  # noqa: PLC0414
from tests.fakes.pms import VIDEO, FakePms
from tests.fakes.typed import KEY, SECRET, SITE, TypedPms
from tests.fakes.typed import typed as typed  # noqa: PLC0414
from tests.fixtures.databases import settings_for
from tests.web.pages import Page, Visit
from tests.web.world import beside

REFUSED = (
    "Typed did not accept these credentials. Nothing was connected and nothing was changed. Compare each with what "
    "Typed shows. Where they are right, see in Typed that they may read the practice."
)


class Desk:
    """An admin of a practice that is about to connect."""

    def __init__(self, app: Flask, vendor: TypedPms, name: str = "Banksia Ridge Specialists") -> None:
        self.app, self.vendor = app, vendor
        self.store: Store = app.extensions["runsheet.store"]
        self.clinic = Clinic(self.store, name)
        self.admin = self.visit(Role.ADMIN)
        answer = self.admin.post("/connections/new", {"pms": "typed", "name": ""})
        self.connection_id = UUID(answer.headers["Location"].split("/")[2])

    def visit(self, role: Role) -> Visit:
        return Visit(self.app, self.clinic.person(role, role, email=f"{role}@{self.clinic.id.hex[:8]}.example.com"))

    def at(self, rest: str = "") -> str:
        return f"/connections/{self.connection_id}{rest}"

    def types(self, **values: str) -> Page:
        """Fill the form in and press; the page that comes back, or is led to."""
        answer = self.admin.post(self.at("/pair/credentials"), inputs(values))
        assert answer.status_code in (303, 422)
        return self.admin.page(answer.headers["Location"]) if answer.status_code == 303 else Page(answer.text)

    def lives(self, **values: str) -> None:
        assert "Is this you?" in self.types(**values)
        for step, form in (("identity", {"is": "yes"}), ("clinicians", {}), ("types", {}), ("preview", {})):
            assert self.admin.post(self.at(f"/pair/{step}"), form).status_code == 303, step
        assert self.admin.post(self.at("/pair/live"), {"minutes": "15"}).status_code == 303

    @property
    def connection(self) -> PmsConnection:
        with self.store.read() as session:
            return connections.get(session, self.connection_id)

    def stored(self) -> dict[str, str]:
        with self.app.app_context():
            return engine().typed(self.connection)

    def change(self, **columns: object) -> None:
        with self.store.write() as session:
            for name, value in columns.items():
                setattr(connections.get(session, self.connection_id), name, value)


def inputs(values: dict[str, str]) -> dict[str, str]:
    return {f"credential-{name}": value for name, value in values.items()}


def input_of(page: Page, name: str) -> str:
    found = re.search(rf'<input[^>]*name="credential-{name}"[^>]*>', page.html)
    assert found, name
    return unescape(found[0])


@pytest.fixture
def desk_app(home: object, database_url: str, redis_url: str, typed: TypedPms, pms: FakePms) -> Iterator[Flask]:
    pms.employs("kim").offers(VIDEO)
    settings: Settings = settings_for(home, database_url, redis_url=redis_url)  # type: ignore[arg-type]
    made = create_app(settings)
    with made.app_context():
        yield made
        db.session.remove()
        db.engine.dispose()
        made.extensions["runsheet.queue"].close()


@pytest.fixture
def desk(desk_app: Flask, typed: TypedPms) -> Desk:
    return Desk(desk_app, typed)


# --- connecting -------------------------------------------------------------------------------------------------------


def test_the_first_step_draws_itself_from_what_the_system_asks_for(desk: Desk) -> None:
    page = desk.admin.page(desk.at("/pair/code"))
    assert "What opens your Typed?" in page
    for words in ("Account", "On the first page of Typed.", "Secret", "Below the account.", "Site optional"):
        assert words in page
    account, secret, site = (input_of(page, name) for name in (KEY, SECRET, SITE))
    assert 'type="text"' in account
    assert " required" in account
    assert " required" not in site
    assert 'type="password"' in secret
    for one in (account, secret, site):
        assert 'autocomplete="off"' in one
        described = re.search(r'aria-describedby="(\S+)"', one)
        assert described
        assert f'<p class="hint" id="{described[1]}">' in page.html
        identity = re.search(r' id="(\S+)"', one)
        assert identity
        assert f'<label for="{identity[1]}">' in page.html
    assert "pairing code" not in page.text.lower()
    assert f'action="{desk.at("/pair/credentials")}"' in page.html


def test_accepted_ones_lead_to_the_question_who_that_is(desk: Desk) -> None:
    page = desk.types(**desk.vendor.opens("open sesame"))
    assert "Is this you? Practice site-1" in page
    assert desk.connection.tenant_id == "site-1"
    assert desk.admin.get(desk.at("/pair")).headers["Location"] == desk.at("/pair/identity")
    again = desk.admin.post(desk.at("/pair/credentials"), {})
    assert again.headers["Location"] == desk.at("/pair/identity"), "pressed twice"
    answer = desk.admin.post(desk.at("/pair/identity"), {"is": "no"})
    assert "Type your own practice's credentials." in desk.admin.page(answer.headers["Location"])
    assert desk.connection.tenant_id is None


def test_what_is_missing_stands_beside_its_field_and_no_secret_comes_back(desk: Desk) -> None:
    page = desk.types(**{SECRET: "hunter2-canary", SITE: "north <side>"})
    assert beside(page, "credential-account") == "Account is needed."
    assert 'aria-invalid="true"' in input_of(page, KEY)
    assert 'value="north <side>"' in input_of(page, SITE)
    assert "hunter2-canary" not in page.html
    assert 'value=""' in input_of(page, SECRET)
    assert "What is secret is not sent back to this page: type it again." in page
    assert desk.vendor.opened_with == []


def test_refused_ones_are_told_and_nothing_is_kept(desk: Desk) -> None:
    page = desk.types(**{KEY: "4711 0815", SECRET: "wrong-canary"})
    assert REFUSED in page
    assert 'role="alert"' in page.html
    assert 'value="4711 0815"' in input_of(page, KEY)
    assert "wrong-canary" not in page.html
    assert (desk.connection.tenant_id, desk.connection.state) == (None, ConnectionState.DRAFT)
    assert "Is this you?" in desk.types(**desk.vendor.opens("right"))


# --- on the connection's page -----------------------------------------------------------------------------------------


def test_the_connection_page_tells_what_is_set_and_by_whom(desk: Desk, typed: TypedPms) -> None:
    desk.lives(**desk.vendor.opens("open-sesame-canary") | {SITE: "north"})
    page = desk.admin.page(desk.at())
    assert re.search(
        r"Set on \d{1,2} \w+ \d{4} by Admin Ash: Account ends in te-1; Secret is set; Site is set\.", page.text
    )
    form = desk.admin.page(desk.at("/pair/code"))
    for shown in (page, form):
        assert "open-sesame-canary" not in shown.html
        assert "account of site-1" not in shown.html
    assert "Change the credentials of Typed" in form
    assert " required" not in input_of(form, KEY) + input_of(form, SECRET)
    assert "leave empty to keep it" in form
    assert "Remove the Site that is stored" in form
    assert "Remove the Account" not in form


def test_they_are_changed_one_by_one_and_the_connection_heals(desk: Desk) -> None:
    desk.lives(**desk.vendor.opens("old") | {SITE: "north"})
    desk.change(state=ConnectionState.NEEDS_ATTENTION, state_reason="auth_failed", login_failures=2)
    sick = desk.admin.page(desk.at())
    assert "Typed refuses this practice's credentials." in sick
    assert "Access fault" in sick
    assert "Enter new credentials" in sick
    desk.vendor.opens("new")
    page = desk.types(**{SECRET: "new", "gone-site": "yes"})
    assert "The new credentials work and are saved." in page
    assert desk.connection.state == ConnectionState.ACTIVE
    assert desk.stored() == {KEY: "account of site-1", SECRET: "new"}
    with desk.store.read() as session:
        waiting = session.query(SyncRun).filter_by(state="queued").all()
    assert [run.pms_connection_id for run in waiting] == [desk.connection_id]


def test_another_practices_credentials_are_refused_on_a_live_connection(desk: Desk) -> None:
    desk.lives(**desk.vendor.opens("ours"))
    page = desk.types(**desk.vendor.opens("theirs", "site-2"))
    assert "Those credentials belong to another practice." in page
    assert desk.connection.tenant_id == "site-1"
    assert desk.stored()[SECRET] == "ours"
    assert "Nothing was typed, so nothing was changed." in desk.types()


@pytest.mark.security("X13")
@pytest.mark.parametrize("role", [Role.RECEPTIONIST, Role.CLINICIAN])
def test_reception_and_clinicians_neither_see_nor_change_them(desk: Desk, role: Role) -> None:
    desk.lives(**desk.vendor.opens("ours"))
    visit = desk.visit(role)
    assert visit.get(desk.at()).status_code == 403
    assert visit.get(desk.at("/pair/code")).status_code == 403
    assert visit.post(desk.at("/pair/credentials"), inputs({SECRET: "theirs"})).status_code == 403
    assert desk.vendor.logins[-1] == "ours"


@pytest.mark.security("X14")
def test_another_practices_connection_answers_404(desk: Desk) -> None:
    desk.lives(**desk.vendor.opens("ours"))
    other = Desk(desk.app, desk.vendor, "Ironbark Street Clinic")
    asked = len(desk.vendor.opened_with)
    assert other.admin.get(desk.at("/pair/code")).status_code == 404
    assert other.admin.post(desk.at("/pair/credentials"), inputs(desk.vendor.opens("theirs"))).status_code == 404
    assert len(desk.vendor.opened_with) == asked
    assert desk.stored()[SECRET] == "ours"


@pytest.mark.security("X8")
def test_a_form_from_elsewhere_is_refused(desk: Desk) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        given = inputs(desk.vendor.opens("ours"))
        assert desk.admin.post(desk.at("/pair/credentials"), given, **headers).status_code == 403
    given = inputs(desk.vendor.opens("ours"))
    assert desk.admin.client.post(desk.at("/pair/credentials"), data=given).status_code in (400, 403)
    assert desk.connection.tenant_id is None


@pytest.mark.security("X20")
def test_a_credential_in_an_address_is_refused_whatever_the_vendor_calls_it(desk: Desk) -> None:
    for name in (KEY, SECRET, SITE):
        for path in (desk.at("/pair/code"), desk.at("/pair/credentials")):
            answer = desk.admin.get(f"{path}?credential-{name}=canary-in-an-address")
            assert answer.status_code == 400
            assert "canary-in-an-address" not in answer.text
    answer = desk.admin.post(f"{desk.at('/pair/credentials')}?credential-pin=1", inputs(desk.vendor.opens("ours")))
    assert answer.status_code == 400
    assert desk.connection.tenant_id is None


@pytest.mark.security("X12")
def test_the_pages_with_the_form_are_kept_nowhere(desk: Desk) -> None:
    for answer in (
        desk.admin.get(desk.at("/pair/code")),
        desk.admin.post(desk.at("/pair/credentials"), inputs({SECRET: "wrong"})),
    ):
        assert answer.headers["Cache-Control"] == "no-store"
