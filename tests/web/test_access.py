"""Who may open what: every route declares it, nothing undeclared answers, nothing of another practice exists."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from flask import Flask

from app.domain.status import Status
from app.security.roles import Permission, Role
from app.store.db import Store
from app.store.models import Appointment, Membership
from app.web.security import signed_in
from tests.factories import Booking, Clinic
from tests.web.pages import DAY, Visit, text_of

SHEET = "/run-sheet"


@pytest.mark.security("X13")
def test_a_route_that_declares_nothing_answers_nobody(app: Flask, clinic: Clinic, owner: Visit) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "the whole database")
    answer = owner.get("/forgotten")
    assert (answer.status_code, "the whole database" in answer.text) == (403, False)


def test_a_route_cannot_declare_itself_twice() -> None:
    def view() -> str:
        return ""

    with pytest.raises(RuntimeError, match="twice"):
        signed_in(Permission.SHEET_READ)(signed_in(Permission.USERS_WRITE)(view))


def test_a_fragment_for_nobody_is_a_redirect_of_the_whole_page(nobody: Visit) -> None:
    answer = nobody.get(
        f"{SHEET}/{DAY}?seen=1.1", htmx=True, HX_Current_URL=f"http://localhost{SHEET}/{DAY}?status=arrived"
    )
    assert (answer.status_code, answer.data) == (401, b"")
    assert answer.headers["HX-Redirect"] == f"/login?next={SHEET}/{DAY}?status%3Darrived"


@pytest.mark.security("X14")
def test_nothing_of_another_practice_answers_whatever_the_role_there(
    clinic: Clinic, far_clinic: Clinic, owner: Visit, stranger: Visit, store: Store
) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    ours, theirs = clinic.row_id("Ines Fennick"), far_clinic.row_id("Fergus Elsewhere")
    event = None
    stranger.post(f"/appointments/{theirs}/status", {"status": "arrived", "version": "1"})
    found = re.search(r"/appointments/undo/([\w-]+)", stranger.page("/run-sheet/2026-03-19").html)
    assert found
    event = found[1]
    for visit, other in ((owner, theirs), (stranger, ours)):
        assert visit.get(f"/appointments/{other}").status_code == 404
        assert visit.get(f"/appointments/{other}", htmx=True).status_code == 404
        assert visit.get(f"/appointments/{other}/note").status_code == 404
        assert visit.post(f"/appointments/{other}/status", {"status": "completed", "version": "1"}).status_code == 404
        assert visit.post(f"/appointments/{other}/note", {"note": "x", "version": "1"}).status_code == 404
    assert owner.post(f"/appointments/undo/{event}").status_code == 404
    form = {"clinician": str(far_clinic.clinicians["far"]), "name": "Rua Tane", "time": "9:50"}
    assert owner.post(f"{SHEET}/{DAY}/walk-in", form).status_code == 422
    with store.read() as session:
        assert session.get_one(Appointment, ours).staff_status is None
        assert session.get_one(Appointment, theirs).staff_status == Status.ARRIVED


@pytest.mark.security("X14")
def test_somebody_of_two_practices_sees_only_the_one_they_work_in_now(
    app: Flask, clinic: Clinic, far_clinic: Clinic
) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    far_clinic.books(Booking("Fergus Elsewhere", "10:00", doctor="far", external_id="one"))
    person = clinic.person("both", Role.RECEPTIONIST)
    far_clinic.person("both", Role.OWNER)
    visit = Visit(app, person)
    other = f"/appointments/{far_clinic.row_id('Fergus Elsewhere')}"
    assert visit.get(other).status_code == 404
    assert visit.post("/practices", {"practice": str(far_clinic.id)}).location == SHEET
    assert visit.get(other).status_code == 200
    assert "Ironbark Street Clinic" in visit.page(SHEET)
    assert visit.get(f"/appointments/{clinic.row_id('Ines Fennick')}").status_code == 404


@pytest.mark.security("X14")
def test_nobody_switches_to_a_practice_they_do_not_belong_to(clinic: Clinic, far_clinic: Clinic, owner: Visit) -> None:
    assert owner.post("/practices", {"practice": str(far_clinic.id)}).status_code == 404
    assert owner.post("/practices", {"practice": "nonsense"}).status_code == 404
    assert clinic.id != far_clinic.id
    assert "Banksia Ridge" in owner.page(SHEET)


def test_a_changed_role_counts_from_the_next_request_on(clinic: Clinic, owner: Visit, store: Store) -> None:
    assert owner.get(f"{SHEET}/{DAY}/walk-in").status_code == 200
    with store.write() as session:
        session.query(Membership).filter_by(user_id=clinic.people["owner"].id).one().role = Role.CLINICIAN
    assert owner.get(f"{SHEET}/{DAY}/walk-in").status_code == 403


# --- what a role may read ---------------------------------------------------------------------------------------------

#: The facts of an appointment's page, by who reads it.
EVERYTHING = {"Phone", "E-mail", "Born", "Type", "Status since", "Status in Gentu", "Practitioner in Gentu",
              "Comment in Gentu", "Number in Gentu", "Status is from", "Time is from"}  # fmt: skip
ALLOWED = {
    "owner": EVERYTHING,
    "reception": EVERYTHING,
    "doctor": EVERYTHING,
    "other": EVERYTHING - {"Phone", "E-mail", "Born"},
}


@pytest.mark.security("X16")
@pytest.mark.parametrize("who", sorted(ALLOWED))
@pytest.mark.parametrize("htmx", [True, False])
def test_an_appointment_shows_each_role_exactly_what_is_allowed(
    app: Flask, clinic: Clinic, request: pytest.FixtureRequest, who: str, htmx: bool
) -> None:
    clinic.books(
        Booking(
            "Ines Fennick", "9:30", Status.CONFIRMED, email="ines@example.com", comment="Needs a large print letter"
        )
    )
    if who == "other":
        visit = Visit(app, clinic.person("other", Role.CLINICIAN, clinician="brightwater"))
    else:
        visit = request.getfixturevalue(who)
    answer = visit.get(f"/appointments/{clinic.row_id('Ines Fennick')}", htmx=htmx)
    assert answer.status_code == 200
    assert set(re.findall(r"<dt>([^<]+)</dt>", answer.text)) == ALLOWED[who]
    secret = ("0491 570 006", "+61491570006", "ines@example.com", "9 March 1971")
    assert [word in answer.text for word in secret] == [who != "other"] * 4


@pytest.mark.security("X16")
def test_the_list_itself_holds_no_contact_details(clinic: Clinic, owner: Visit) -> None:
    clinic.books(Booking("Ines Fennick", "9:30", email="ines@example.com", comment="Needs a large print letter"))
    html = owner.page(SHEET).html
    assert "Ines Fennick" in html
    for secret in ("491570006", "0491 570 006", "ines@example.com", "March 1971", "1971-03-09", "large print"):
        assert secret not in html


@pytest.mark.security("X16")
def test_a_clinician_s_story_of_another_s_patient_tells_no_contact_details(
    app: Flask, clinic: Clinic, reception: Visit
) -> None:
    clinic.books(Booking("Ines Fennick", "9:30"))
    one = clinic.booked["Ines Fennick"]
    clinic.books(Booking("Ines Fennick", "9:30", phone="0491 570 159", external_id=one.external_id))
    path = f"/appointments/{clinic.row_id('Ines Fennick')}"
    assert "phone +61491570159, was +61491570006" in text_of(reception.get(path).text)
    other = Visit(app, clinic.person("other", Role.CLINICIAN, clinician="brightwater"))
    told = text_of(other.get(path).text)
    assert "phone changed" in told
    assert "570159" not in told


def test_an_address_without_such_an_appointment_is_no_page(owner: Visit) -> None:
    assert owner.get(f"/appointments/{UUID(int=7)}").status_code == 404
    assert owner.get("/appointments/nonsense").status_code == 404
