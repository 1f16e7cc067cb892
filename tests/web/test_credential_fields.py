"""Each kind of field a system may declare, as the form draws it and as it comes back: over a fake vendor."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from app.pms.port import CredentialField
from tests.fakes.house import fake_is_registered as fake_is_registered  # noqa: PLC0414 - fixtures
from tests.fakes.house import pms as pms  # noqa: PLC0414
from tests.fakes.typed import FIELDS, KEY, SECRET, TypedAdapter, TypedPms
from tests.fakes.typed import typed as typed  # noqa: PLC0414
from tests.web.pages import Page
from tests.web.test_credentials import Desk
from tests.web.test_credentials import desk_app as desk_app  # noqa: PLC0414

PEM = "-----BEGIN KEY-----\r\nMIIabc+/=\r\n-----END KEY-----"
WAY = CredentialField(
    "way", "Way in", "How you sign in there.", secret=False, choices=(("key", "With a key"), ("form", "With a form"))
)
PRIVATE = CredentialField("private_key", "Private key", "Below the secret.", required=False, lines=True)


@pytest.fixture
def desk(desk_app: Flask, typed: TypedPms, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(TypedAdapter, "credentials", (*FIELDS, WAY, PRIVATE))
    return Desk(desk_app, typed)


def element(page: Page, name: str, tag: str) -> str:
    found = re.search(rf'<{tag}[^>]*name="credential-{name}".*?</{tag}>', page.html, re.S)
    assert found, name
    return found[0]


def test_what_is_one_of_a_few_is_chosen_and_what_has_lines_gets_room(desk: Desk) -> None:
    page = desk.admin.page(desk.at("/pair/code"))
    chosen = element(page, "way", "select")
    assert " required" in chosen
    assert re.findall(r'value="([^"]*)"', chosen) == ["", "key", "form"]
    assert "With a key" in chosen
    assert "How you sign in there." in page
    area = element(page, "private_key", "textarea")
    assert " required" not in area
    assert "Private key optional" in page
    for one in (chosen, area):
        described = re.search(r'aria-describedby="([^"]+)"', one)
        assert described
        assert f'id="{described[1]}"' in page.html


def test_what_was_chosen_stays_and_a_secret_with_lines_is_not_sent_back(desk: Desk) -> None:
    page = desk.types(**{KEY: "an account", SECRET: "wrong", "way": "form", "private_key": PEM})
    assert 'value="form" selected' in element(page, "way", "select")
    assert "MIIabc" not in page.html


def test_a_key_is_kept_line_by_line(desk: Desk) -> None:
    good = desk.vendor.opens("key-1")
    desk.lives(**good, way="key", private_key=PEM)
    assert desk.stored()["private_key"].split() == PEM.split()
    assert desk.stored()["way"] == "key"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"way": "window"}, "It is one of: key, form."),
        ({"way": ""}, "Way in is needed."),
        ({"way": "key", "private_key": "a\x07b"}, "This holds a line break or a character that cannot be typed."),
        ({"way": "key", KEY: "two\nlines"}, "This holds a line break or a character that cannot be typed."),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_nothing_is_asked(
    desk: Desk, given: dict[str, str], said: str
) -> None:
    page = desk.types(**{**desk.vendor.opens("key-1"), **given})
    assert said in page
    assert desk.vendor.logins == []


def test_on_the_page_of_a_live_one_leaving_it_as_it_is_changes_nothing(desk: Desk) -> None:
    desk.lives(**desk.vendor.opens("key-1"), way="key", private_key=PEM)
    page = desk.admin.page(desk.at("/pair/code"))
    chosen = element(page, "way", "select")
    assert " required" not in chosen
    assert "As it is" in chosen
    assert "MIIabc" not in page.html
    desk.types(way="form")
    assert desk.stored()["way"] == "form"
    assert desk.stored()["private_key"].split() == PEM.split()


def test_how_sure_we_are_stands_beside_the_form_and_on_the_connections_page(desk: Desk) -> None:
    evidence = TypedAdapter.evidence
    page = desk.admin.page(desk.at("/pair/code"))
    for said in (evidence.documented, evidence.seen_in_code, evidence.ours, "How sure we are of Typed"):
        assert said in page
    desk.lives(**desk.vendor.opens("key-1"), way="key")
    page = desk.admin.page(desk.at())
    for said in (evidence.documented, evidence.ours, "What this rests on"):
        assert said in page
