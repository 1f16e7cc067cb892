"""The page of all simulated systems, and the day of one that stands on the stage: plain forms, no script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
import requests
from flask.testing import FlaskClient
from jinja2 import FileSystemLoader

from app.sandbox import vendors
from app.sandbox.control import page, systems
from tests.sandbox.process import ROOT, RunningSandbox
from tests.sandbox.test_stage import stand

PAGE = "/control/systems/nobody"


def test_every_system_is_listed_with_where_it_is_and_what_opens_it(
    demo: RunningSandbox, http: requests.Session
) -> None:
    shown = unescape(http.get(f"{demo.control_url}systems", timeout=20).text)
    assert demo.base_url in shown
    for kind in vendors.VENDORS:
        assert f'id="s-{kind}"' in shown
        assert f"<code>{demo.url_of(kind)}</code>" in shown
        for name, value in demo.vendors[kind]["credentials"].items():
            assert f"<dt>{name}</dt><dd><code>{value}</code>" in shown
    assert "/control/systems" in http.get(demo.control_url, timeout=20).text


def test_every_system_of_the_stage_has_its_day(demo: RunningSandbox, http: requests.Session) -> None:
    shown = http.get(f"{demo.control_url}systems", timeout=20).text
    for kind in re.findall(r'href="/control/systems/(\w+)"', shown):
        answer = http.get(f"{demo.control_url}systems/{kind}", timeout=20)
        assert answer.status_code == 200
        assert answer.text.count('class="visit') > 10, kind
    assert http.get(f"{demo.control_url}systems/nonesuch", timeout=20).status_code == 404


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """A vendor that is nobody's, with its page."""
    app = stand(None, "demo")
    app.jinja_loader = FileSystemLoader(ROOT / "app/sandbox/control/templates")  # type: ignore[assignment]
    for blueprint in (page.bp, systems.bp):
        app.register_blueprint(blueprint)
    monkeypatch.setattr(vendors, "base", lambda kind: f"/{kind}/v1")
    monkeypatch.setattr(vendors, "credentials", lambda kind: {"api_key": f"key of {kind}"})
    with app.test_client() as made:
        yield made


def test_a_visit_is_booked_moved_on_and_deleted_by_its_buttons(client: FlaskClient) -> None:
    before = unescape(client.get(PAGE).text)
    assert "Nobody's Clinic" in before
    assert "key of nobody" in before
    (at,) = re.findall(r'name="at" value="([^"]+)"', before)
    answer = client.post("/control/nobody/book", data={"page": PAGE, "at": at})
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{PAGE}?said=Booked."
    after = client.get(answer.headers["Location"]).text
    assert 'role="status">Booked.' in after
    assert after.count('class="visit') == before.count('class="visit') + 1
    known = set(re.findall(r'name="id" value="([^"]+)"', before))
    (new,) = set(re.findall(r'name="id" value="([^"]+)"', after)) - known
    client.post("/control/nobody/change", data={"page": PAGE, "id": new, "state": "cancelled"})
    assert client.get(PAGE).text.count("is-cancelled") == before.count("is-cancelled") + 1
    client.post("/control/nobody/delete", data={"page": PAGE, "id": new})
    assert new not in client.get(PAGE).text


def test_what_is_broken_by_a_button_says_so_until_it_is_mended(client: FlaskClient) -> None:
    client.post("/control/nobody/faults", data={"page": PAGE, "kind": "status", "next": ""})
    assert "Broken: Out of order (503)." in client.get(PAGE).text
    client.post("/control/nobody/faults/clear", data={"page": PAGE})
    assert "Broken:" not in client.get(PAGE).text


def test_a_form_leads_back_to_a_page_of_the_simulator_and_nowhere_else(client: FlaskClient) -> None:
    for wanted in ("https://elsewhere.example/", "//elsewhere.example/control/", ""):
        answer = client.post("/control/nobody/faults/clear", data={"page": wanted})
        assert answer.headers["Location"].startswith("/control/?said="), wanted
