"""The demo helps to connect its simulated systems; no other practice, and no production, is offered any of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app.store import connections
from app.store.models import Practice
from app.store.models.connection import Environment
from app.web.demo import READY
from tests.fakes.house import fake_is_registered as fake_is_registered  # noqa: PLC0414 - fixtures
from tests.fakes.house import pms as pms  # noqa: PLC0414
from tests.fakes.typed import KEY, SECRET, TypedPms
from tests.fakes.typed import typed as typed  # noqa: PLC0414
from tests.web.test_credentials import Desk
from tests.web.test_credentials import desk_app as desk_app  # noqa: PLC0414

OFFER, FILLED = "Simulated systems", "what opens the simulated Typed is filled in"


@pytest.fixture
def ready(desk_app: Flask) -> Path:
    """What the demo's simulators write when they are ready."""
    path: Path = desk_app.extensions["runsheet.settings"].runtime / READY
    path.parent.mkdir(parents=True, exist_ok=True)
    opens = {KEY: "an account", SECRET: "a public secret"}
    told = {"control_url": "http://127.0.0.1:5051/control/", "vendors": {"typed": {"credentials": opens}}}
    path.write_text(json.dumps(told))
    return path


@pytest.fixture
def desk(desk_app: Flask, typed: TypedPms, ready: Path) -> Desk:
    """The demo's practice; the draft it has begun is taken away."""
    made = Desk(desk_app, typed)
    with made.store.write() as session:
        practice = session.get(Practice, made.clinic.id)
        assert practice is not None
        practice.is_demo = True
        connections.get(session, made.connection_id).environment = Environment.SIMULATOR
    return made


def test_the_demos_admin_is_offered_each_and_what_opens_it_is_filled_in(desk: Desk) -> None:
    page = desk.admin.page(desk.at("/pair/code"))
    assert FILLED in page
    assert 'value="an account"' in page.html
    assert 'value="a public secret"' in page.html
    desk.admin.post(desk.at("/pair/discard"), {})
    page = desk.admin.page("/connections")
    assert OFFER in page
    assert "Connect the simulated Typed" in page
    assert "http://127.0.0.1:5051/control/systems" in page.html
    answer = desk.admin.post("/connections/new", {"pms": "typed", "name": ""})
    assert answer.status_code == 303


def test_what_is_connected_is_not_offered_again_nor_filled_in(desk: Desk, typed: TypedPms) -> None:
    desk.lives(**typed.opens("a public secret"))
    assert "Connect the simulated Typed" not in desk.admin.page("/connections")
    assert "a public secret" not in desk.admin.page(desk.at("/pair/code")).html


def test_no_other_practice_sees_any_of_it(desk: Desk) -> None:
    with desk.store.write() as session:
        practice = session.get(Practice, desk.clinic.id)
        assert practice is not None
        practice.is_demo = False
    assert OFFER not in desk.admin.page("/connections")
    page = desk.admin.page(desk.at("/pair/code"))
    assert FILLED not in page
    assert "a public secret" not in page.html


def test_production_has_none_whatever_lies_about(desk: Desk) -> None:
    kept = desk.app.extensions["runsheet.settings"]
    desk.app.extensions["runsheet.settings"] = replace(kept, env="production")
    assert OFFER not in desk.admin.page("/connections")
    assert "a public secret" not in desk.admin.page(desk.at("/pair/code")).html


def test_a_live_address_is_never_sent_what_opens_a_simulator(desk: Desk) -> None:
    desk.change(environment=Environment.LIVE)
    page = desk.admin.page(desk.at("/pair/code"))
    assert FILLED not in page
    assert "a public secret" not in page.html


@pytest.mark.parametrize("text", ["", "{", None])
def test_without_simulators_there_is_nothing_to_offer(desk: Desk, ready: Path, text: str | None) -> None:
    ready.unlink() if text is None else ready.write_text(text)
    assert OFFER not in desk.admin.page("/connections")
    assert FILLED not in desk.admin.page(desk.at("/pair/code"))


def test_what_somebody_typed_stands_before_what_was_filled_in(desk: Desk) -> None:
    page = desk.types(**{KEY: "my own", SECRET: "wrong"})
    assert 'value="my own"' in page.html
