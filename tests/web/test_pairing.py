"""What the wizard refuses, one by one: the sentence beside the field, the typed text kept, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from app import create_app
from app.config import Settings, VendorSettings
from app.pms.registry import ADAPTERS
from app.store.db import db
from app.store.models.connection import ConnectionState
from tests.sandbox.process import RunningSandbox
from tests.web.pages import Page
from tests.web.world import VIDEO, World, beside, gentu_at

REFUSED = (
    "Gentu did not accept the pairing code. Nothing was connected and nothing was changed. "
    "Codes work once and expire: get a new one from the app's page in Gentu and enter it here."
)


def refused(world: World, code: str) -> str:
    """Enter a code that is refused; what stands beside the field."""
    answer = world.enters(code)
    assert answer.status_code == 422
    page = Page(answer.text)
    assert f'value="{code}"' in page.html, "what was typed is kept"
    assert 'aria-invalid="true"' in page.html
    assert (world.connection.state, world.connection.tenant_id) == (ConnectionState.DRAFT, None)
    return beside(page, "code")


def codes_sent(world: World) -> int:
    return sum("pairing" in one["route"] and one["method"] == "PUT" for one in _log(world))


def _log(world: World) -> list[dict[str, str]]:
    log: list[dict[str, str]] = world.sandbox.state(log=500)["log"]
    return [{"method": one["route"].split()[0], **one} for one in log]


@pytest.mark.parametrize("code", ["abc", "abcd-123", "abcd12345", "abcd 123", "ÄBCD1234", "<b>12345"])
def test_a_malformed_code_is_refused_without_a_call(world: World, code: str) -> None:
    world.drafts()
    answer = world.enters(code)
    assert answer.status_code == 422
    assert beside(Page(answer.text), "code") == "A pairing code has 8 letters or digits. Copy it as Gentu shows it."
    assert codes_sent(world) == 0


def test_an_empty_code_is_asked_for(world: World) -> None:
    world.drafts()
    assert beside(Page(world.enters("  ").text), "code") == "Type or paste the pairing code."


def test_outer_blanks_of_a_pasted_code_do_not_matter(world: World) -> None:
    world.drafts()
    assert world.enters(f"  {world.sandbox.pairing_code()} ").status_code == 303


def test_a_code_nobody_issued_is_refused(world: World) -> None:
    world.drafts()
    assert refused(world, "abcd1234") == REFUSED
    assert codes_sent(world) == 1, "sent once"


def test_a_used_code_is_refused(world: World) -> None:
    world.drafts()
    code = world.sandbox.pairing_code()
    assert world.enters(code).status_code == 303
    world.drafts()
    assert refused(world, code) == REFUSED


def test_an_expired_code_is_refused_and_a_new_one_is_taken(world: World) -> None:
    world.drafts()
    code = world.sandbox.pairing_code()
    world.sandbox.control("pairing-codes/expire")
    assert refused(world, code) == REFUSED
    assert world.enters(world.sandbox.pairing_code()).status_code == 303


def test_a_lost_answer_says_that_the_code_may_be_used(world: World) -> None:
    world.drafts()
    world.sandbox.break_("cut_body", path="/apps")
    assert refused(world, world.sandbox.pairing_code()) == (
        "Gentu's answer to the pairing code was lost. The code may be used up; nothing was connected here. "
        "Get a new code from the app's page in Gentu and enter it here."
    )
    assert codes_sent(world) == 1, "never sent a second time"


def test_a_practice_that_is_connected_elsewhere_is_refused(world: World) -> None:
    world.pairs()
    other = World(world.app, world.sandbox, "Ironbark Street Clinic")
    other.drafts()
    assert refused(other, world.sandbox.pairing_code()) == (
        "That practice is already connected to a Runsheet practice. Disconnect it there first."
    )


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (
            lambda sandbox: sandbox.break_("refuse_credentials"),
            "Gentu refuses our credentials. The code was not used. Whoever runs this Runsheet must check the client id "
            "and secret; syncing stopped so that nothing is locked.",
        ),
        (
            lambda sandbox: sandbox.break_("unprovisioned", path="/apps"),
            "Gentu has not finished setting our app up. The code was not used. Only the vendor can fix it: ask its "
            "partner support to finish the provisioning.",
        ),
        (
            lambda sandbox: sandbox.break_("redirect", path="/oauth2"),
            "Gentu sent us to another address, and we did not follow. The code was not used. Whoever runs this "
            "Runsheet can fix it.",
        ),
    ],
)
def test_a_fault_that_is_not_the_codes_says_so_and_who_can_mend_it(
    world: World, break_it: Callable[[RunningSandbox], object], sentence: str
) -> None:
    world.drafts()
    break_it(world.sandbox)
    code = world.sandbox.pairing_code()
    assert refused(world, code) == sentence
    world.sandbox.mend()
    if "credentials" not in sentence:  # those stay locked until the operator changes them
        assert world.enters(code).status_code == 303, "the code is still good"


def test_a_pms_that_is_down_is_told_and_the_code_is_still_good(world: World, world_settings: Settings) -> None:
    nowhere = {"gentu": gentu_at("http://127.0.0.1:9/v1")}
    dead = _app_with(world, world_settings, nowhere)
    try:
        other = World(dead, world.sandbox, "Ironbark Street Clinic")
        other.drafts()
        assert refused(other, "abcd1234") == "Gentu could not be reached. The code was not used. Try again in a moment."
    finally:
        _close(dead)


def test_a_runsheet_without_credentials_names_what_is_missing(world: World, world_settings: Settings) -> None:
    bare = _app_with(world, world_settings, {"gentu": VendorSettings(world.sandbox.base_url)})
    try:
        other = World(bare, world.sandbox, "Ironbark Street Clinic")
        other.drafts()
        told = refused(other, "abcd1234")
        assert told.startswith("This Runsheet has no credentials for Gentu. Gentu is not set up on this Runsheet: ")
        assert "GENTU_APP_ID, GENTU_CLIENT_ID, GENTU_CLIENT_SECRET are not set." in told
        assert told.endswith("The code was not used. Whoever runs this Runsheet can fix it.")
    finally:
        _close(bare)


def test_a_code_that_was_accepted_is_not_lost_when_the_pms_fails_right_after(world: World) -> None:
    world.drafts()
    world.sandbox.break_("envelope", path="/tenants")
    answer = world.enters(world.sandbox.pairing_code())
    assert answer.headers["Location"] == world.at("/pair/identity")
    page = world.page("/pair/identity")
    assert "The code was accepted Gentu did not tell yet which practice it stands for." in page
    again = world.admin.post(world.at("/pair/identity"), {"is": "ask"})
    assert again.status_code == 422
    assert "Try again in a moment." in Page(again.text)
    world.sandbox.mend()
    assert world.admin.post(world.at("/pair/identity"), {"is": "ask"}).status_code == 303
    assert "Is this you? Smith Medical Centre" in world.page("/pair/identity")


def test_pressing_pair_twice_spends_one_code(world: World) -> None:
    world.pairs()
    assert world.enters("abcd1234").headers["Location"] == world.at("/pair/identity")
    assert codes_sent(world) == 1


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"pms": ""}, "Choose the system your practice books in."),
        ({"pms": "paper"}, f"“paper” is not a system we speak to. Known: {', '.join(sorted(ADAPTERS))}."),
    ],
)
def test_a_system_has_to_be_one_we_speak_to(world: World, form: dict[str, str], sentence: str) -> None:
    answer = world.admin.post("/connections/new", form)
    assert answer.status_code == 422
    assert beside(Page(answer.text), "pms") == sentence
    assert "No practice system is connected" in world.admin.page("/connections")


def test_a_name_that_is_too_long_is_refused_and_kept(world: World) -> None:
    answer = world.admin.post("/connections/new", {"pms": "gentu", "name": "x" * 121})
    assert answer.status_code == 422
    assert beside(Page(answer.text), "name") == "Use at most 120 characters; this has 121."
    assert "x" * 121 in answer.text


@pytest.mark.parametrize("minutes", ["", "0", "a while"])
def test_going_live_needs_an_interval_that_can_be(world: World, minutes: str) -> None:
    world.pairs()
    world.confirms()
    world.maps_everybody()
    world.marks(VIDEO)
    world.admin.post(world.at("/pair/preview"))
    answer = world.admin.post(world.at("/pair/live"), {"minutes": minutes})
    assert answer.status_code == 422
    assert beside(Page(answer.text), "minutes").startswith("Minutes are a whole number from 1 to 1440")
    assert world.connection.state == ConnectionState.DRAFT


def test_no_step_can_be_pressed_before_the_code(world: World) -> None:
    world.drafts()
    for step, form in (("identity", {"is": "yes"}), ("clinicians", {}), ("types", {}), ("live", {"minutes": "15"})):
        answer = world.admin.post(world.at(f"/pair/{step}"), form)
        assert (answer.status_code, "Pair this connection first: enter the code." in answer.text) == (422, True)
    assert world.connection.state == ConnectionState.DRAFT


def test_a_live_connection_is_not_walked_through_again(world: World) -> None:
    world.goes_live()
    for step in ("identity", "clinicians", "types", "preview", "live"):
        assert world.admin.get(world.at(f"/pair/{step}")).headers["Location"] == world.at()
        assert world.admin.post(world.at(f"/pair/{step}"), {"minutes": "1", "is": "no"}).status_code == 422
    assert world.admin.post(world.at("/pair/discard")).status_code == 422
    assert world.connection.state == ConnectionState.ACTIVE


def test_a_step_nobody_knows_is_no_page(world: World) -> None:
    world.drafts()
    assert world.admin.get(world.at("/pair/handshake")).status_code == 404
    assert world.admin.get(f"/connections/{uuid4()}/pair/code").status_code == 404


def test_a_draft_can_be_thrown_away(world: World) -> None:
    world.pairs()
    assert world.admin.post(world.at("/pair/discard")).status_code == 303
    page = world.admin.page("/connections")
    assert "The draft is gone. Nothing had been read." in page
    assert "No practice system is connected" in page
    assert world.pairs(), "its practice can be paired anew"


def _app_with(world: World, settings: Settings, vendors: dict[str, VendorSettings]):  # type: ignore[no-untyped-def]
    made = create_app(replace(settings, vendors=vendors))
    made.jinja_env.bytecode_cache = world.app.jinja_env.bytecode_cache
    return made


def _close(app) -> None:  # type: ignore[no-untyped-def]
    with app.app_context():
        db.engine.dispose()
    app.extensions["runsheet.queue"].close()
