"""Connecting with typed credentials (A01, E19): the wizard and the connection's page against the simulated ezyVet."""

from __future__ import annotations

import json
import logging
from datetime import datetime, time

import pytest
from sqlalchemy import select, text

from app.sandbox.ezyvet import CLIENT_ID, CLIENT_SECRET, PARTNER_ID, SITE_UID
from app.store.models import PmsCredential
from app.store.models.connection import ConnectionState
from app.store.models.sync import RunState
from tests.features.typed import ANIMAL, GOOD, VIDEO, Hospital, hospital, hospital_settings
from tests.web.pages import Page
from tests.web.world import World, beside

__all__ = ["hospital", "hospital_settings"]


@pytest.mark.feature("A01")
@pytest.mark.feature("E19")
def test_a_practice_is_led_by_its_credentials_to_its_first_rows(hospital: Hospital) -> None:
    hospital.visits("10:30")
    hospital.visits("11:00")
    hospital.drafts()
    first = hospital.page("/pair/code")
    for words in ("What opens your ezyVet?", "Client ID", "Client secret", "Partner ID optional"):
        assert words in first
    answer = hospital.gives(**GOOD)
    assert answer.headers["Location"] == hospital.at("/pair/identity")
    assert "Is this you? Wattle Creek Animal Hospital" in hospital.page("/pair/identity")
    hospital.confirms()
    hospital.maps_everybody()
    hospital.marks(VIDEO)
    assert hospital.admin.post(hospital.at("/pair/preview")).status_code == 303
    assert hospital.admin.post(hospital.at("/pair/live"), {"minutes": "15"}).status_code == 303
    assert [run.state for run in hospital.works()] == [RunState.SUCCESS]
    assert hospital.stored_rows() == 2
    assert "10:30" in hospital.sheet
    assert "11:00" in hospital.sheet
    assert f"Client ID ends in {CLIENT_ID[-4:]}; Client secret is set." in hospital.page()
    with hospital.store.read() as session:
        held = json.dumps([[str(one) for one in row] for row in session.execute(text("SELECT * FROM pms_credentials"))])
    assert CLIENT_ID not in held
    assert CLIENT_SECRET not in held


@pytest.mark.feature("A01")
def test_a_field_left_out_is_told_beside_it_without_a_call(hospital: Hospital) -> None:
    hospital.drafts()
    before, asked = hospital.everything(), hospital.asked()
    page = hospital.told(client_secret=CLIENT_SECRET, division_id="2")
    assert beside(page, "credential-client_id") == "Client ID is needed."
    assert 'value="2"' in page.html
    assert CLIENT_SECRET not in page.html
    assert (hospital.everything(), hospital.asked()) == (before, asked)


@pytest.mark.feature("A01")
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("refuse_credentials", "ezyVet did not accept these credentials. Nothing was connected"),
        ("outage", "Nothing was saved. Try again in a moment."),
        ("html", "Nothing was saved. Try again in a moment."),
    ],
)
def test_whatever_the_vendor_says_but_yes_saves_nothing(
    hospital: Hospital, kind: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.clock.sleep", lambda _: None)
    hospital.drafts()
    before = hospital.everything()
    hospital.breaks(kind)
    assert told in hospital.told(**GOOD)
    assert hospital.everything() == before
    hospital.mends()
    assert hospital.gives(**GOOD).headers["Location"] == hospital.at("/pair/identity")


@pytest.mark.feature("A01")
def test_wrong_ones_are_refused_and_the_right_ones_taken_afterwards(hospital: Hospital) -> None:
    hospital.drafts()
    before = hospital.everything()
    for wrong in ({"client_secret": "wrong"}, {"client_id": "wrong"}, {"partner_id": "wrong"}, {"site_uid": "wrong"}):
        assert "ezyVet did not accept these credentials." in hospital.told(**(GOOD | wrong))
    assert hospital.everything() == before
    full = GOOD | {"partner_id": PARTNER_ID, "site_uid": SITE_UID}
    assert hospital.gives(**full).headers["Location"] == hospital.at("/pair/identity")
    assert hospital.stored() == full


@pytest.mark.feature("A01")
def test_a_hospital_that_is_connected_elsewhere_is_refused(hospital: Hospital) -> None:
    hospital.goes_live()
    other = Hospital(hospital.app, hospital.sandbox, "Ironbark Street Clinic")
    other.drafts()
    before = other.everything()
    assert "That practice is already connected to a Runsheet practice." in other.told(**GOOD)
    assert other.everything() == before


@pytest.mark.feature("A07")
def test_credentials_that_stopped_working_are_replaced_and_everything_stays(hospital: Hospital) -> None:
    hospital.visits("10:30")
    hospital.goes_live()
    hospital.works()
    people = [(row.id, row.run_sheet_clinician_id) for row in hospital.people]
    hospital.sandbox.control("ezyvet/tokens/expire")
    hospital.breaks("refuse_credentials")
    run = hospital.syncs()
    assert (run.state, run.reason) == (RunState.FAILED, "auth_failed")
    sick = hospital.page()
    assert "ezyVet refuses this practice's credentials." in sick
    assert "An admin of this practice can enter new ones on the connection's page" in sick
    refused = hospital.told(partner_id=PARTNER_ID)
    assert "ezyVet did not accept these credentials." in refused
    assert hospital.connection.state == ConnectionState.NEEDS_ATTENTION
    hospital.mends()
    answer = hospital.gives(partner_id=PARTNER_ID)
    assert answer.headers["Location"] == hospital.at()
    assert "The new credentials work and are saved." in hospital.page()
    assert hospital.connection.state == ConnectionState.ACTIVE
    assert hospital.stored() == GOOD | {"partner_id": PARTNER_ID}
    assert [(row.id, row.run_sheet_clinician_id) for row in hospital.people] == people
    assert [one.state for one in hospital.works()] == [RunState.SUCCESS]
    assert hospital.stored_rows() == 1


@pytest.mark.feature("A07")
def test_another_divisions_credentials_never_reach_a_live_connection(hospital: Hospital) -> None:
    """ezyVet's divisions are practices of their own: their patients must not meet these mappings."""
    hospital.goes_live()
    before = hospital.everything()
    assert "Those credentials belong to another practice." in hospital.told(division_id="2")
    assert hospital.everything() == before
    other = Hospital(hospital.app, hospital.sandbox, "Northside")
    other.drafts()
    assert other.gives(**GOOD, division_id="2").headers["Location"] == other.at("/pair/identity")


@pytest.mark.feature("E19")
@pytest.mark.fault("F43")
@pytest.mark.security("X21")
def test_swapped_ciphertexts_stop_the_sync_before_anything_is_asked(hospital: Hospital) -> None:
    hospital.visits("10:30")
    hospital.goes_live()
    hospital.works()
    with hospital.store.write() as session:
        first, second = session.scalars(select(PmsCredential))
        first.sealed, second.sealed = second.sealed, first.sealed
    asked = hospital.asked()
    run = hospital.syncs()
    assert (run.state, run.reason) == (RunState.FAILED, "secrets")
    assert hospital.asked() == asked
    assert hospital.stored_rows() == 1
    page = hospital.page()
    assert "The credentials stored here for ezyVet cannot be decrypted" in page
    tested = Page(hospital.admin.post(hospital.at("/test"), htmx=True).text)
    assert "cannot be decrypted" in tested
    alone = hospital.told(client_secret=CLIENT_SECRET)
    assert beside(alone, "credential-client_id") == "What is stored cannot be decrypted any more. Type it again."
    assert hospital.gives(**GOOD).headers["Location"] == hospital.at()
    assert [one.state for one in hospital.works()] == [RunState.SUCCESS]


@pytest.mark.security("X13")
@pytest.mark.security("X14")
def test_only_an_admin_of_this_practice_comes_near_them(hospital: Hospital) -> None:
    hospital.goes_live()
    before, asked = hospital.everything(), hospital.asked()
    form = {f"credential-{name}": value for name, value in GOOD.items()}
    for role in ("receptionist", "clinician"):
        visit = hospital.visit(role)
        assert visit.get(hospital.at("/pair/code")).status_code == 403
        assert visit.post(hospital.at("/pair/credentials"), form).status_code == 403
    stranger = World(hospital.app, hospital.sandbox, "Ironbark Street Clinic").admin
    assert stranger.get(hospital.at("/pair/code")).status_code == 404
    assert stranger.post(hospital.at("/pair/credentials"), form).status_code == 404
    assert (hospital.everything(), hospital.asked()) == (before, asked)


@pytest.mark.security("X20")
def test_no_credential_is_found_in_a_log_an_address_or_a_page(
    hospital: Hospital, caplog: pytest.LogCaptureFixture
) -> None:
    """Accepted, refused, synced, failed: at the most talkative."""
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="app"):
        hospital.drafts()
        pages = [hospital.told(**(GOOD | {"client_secret": "quillon-canary-wrong"})).html]
        pages += [hospital.told(client_secret=CLIENT_SECRET).html]
        hospital.goes_live()
        hospital.works()
        pages += [hospital.page(rest).html for rest in ("", "/pair/code")]
        hospital.sandbox.control("ezyvet/tokens/expire")
        hospital.breaks("refuse_credentials")
        assert hospital.syncs().reason == "auth_failed"
        pages += [hospital.page().html]
    said = "\n".join(f"{one.getMessage()} {vars(one)}" for one in caplog.records if one.name.startswith("app"))
    assert "credentials decrypted" in said
    asked = json.dumps([[one["route"], one["query"]] for one in hospital.sandbox.read("ezyvet/state")["log"]])
    for canary in (CLIENT_SECRET, "quillon-canary-wrong"):
        assert canary not in said
        assert canary not in asked
        assert [page for page in pages if canary in page] == []


@pytest.mark.feature("A25")
@pytest.mark.feature("E19")
def test_the_wizard_says_whose_cases_are_kept_and_asks_whether_every_type_is_wanted(hospital: Hospital) -> None:
    """Video consults alone are ticked; the consultations come along by a tick, and go by taking it back."""
    video = hospital.visits("10:30")
    local = datetime.combine(hospital.clinic.today, time(11), hospital.clinic.zone).isoformat()
    in_person = str(hospital.sandbox.control("ezyvet/book", at=local, animal_id=ANIMAL, type_id=11)["id"])
    hospital.drafts()
    hospital.gives(**GOOD)
    hospital.confirms()
    hospital.maps_everybody()
    asked = hospital.page("/pair/types")
    assert "Unless you tick this, these are the telehealth visits alone: all others have no case here" in asked
    assert 'id="every" name="every" value="1" aria' in asked.html, "nothing is ticked for anybody"
    on = [str(row.id) for row in hospital.types if row.pms_type_name == VIDEO]
    assert hospital.admin.post(hospital.at("/pair/types"), {"type": on, "every": "1"}).status_code == 303
    assert 'id="every" name="every" value="1" checked' in hospital.page("/pair/types").html
    assert hospital.admin.post(hospital.at("/pair/preview")).status_code == 303
    assert hospital.admin.post(hospital.at("/pair/live"), {"minutes": "15"}).status_code == 303
    hospital.works()
    assert hospital.cases() == {video, in_person}
    weighed = Page(hospital.admin.post(hospital.at("/types"), {"type": on}).text)
    assert "Every type, ticked or not, off: 1 row leaves today's sheet, 1 in 7 days." in weighed
    assert '<input type="hidden" name="every" value="off">' in weighed.html
    hospital.admin.post(hospital.at("/types/apply"), {"every": "off"})
    assert "11:00" not in hospital.sheet
    assert "10:30" in hospital.sheet
    again = Page(hospital.admin.post(hospital.at("/types"), {"type": on, "every": "1"}).text)
    assert "Every type, ticked or not, on: 1 more today, 1 in 7 days." in again
    hospital.admin.post(hospital.at("/types/apply"), {"every": "on"})
    assert "11:00" in hospital.sheet
    for role in ("receptionist", "clinician"):
        assert hospital.visit(role).post(hospital.at("/types/apply"), {"every": "off"}).status_code == 403


def test_a_system_without_notes_is_not_asked_about_every_type(world: World) -> None:
    world.lives()
    assert 'name="every"' not in world.page("/types").html
    world.change(sync_telehealth_only=False)  # whoever has it can take it back
    assert 'name="every" value="1" checked' in world.page("/types").html
