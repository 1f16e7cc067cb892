"""The levers: what is changed at the control is what the vendor's API says next."""

from __future__ import annotations

import re
from html import unescape

import pytest
import requests

from .client import Client
from .process import RunningSandbox

NINE = "2026-03-09T09:00:00+11:00"


@pytest.fixture
def booked(sandbox: RunningSandbox) -> str:
    sandbox.control("clock", at="2026-03-09T08:55:00+11:00")
    return sandbox.control("appointments", starts_at=NINE, type="Telehealth Consultation")["id"]


def row(gentu: Client, appointment_id: str) -> dict:
    return gentu.get(f"T/appointments/{appointment_id}").json()


def test_cancelling_stamps_and_keeps_the_row(gentu: Client, sandbox: RunningSandbox, booked: str) -> None:
    sandbox.control(f"appointments/{booked}/cancel")
    (found,) = gentu.page().json()["appointments"]
    assert found["status"] == "cancelled"
    assert found["extension"] == [{"system": "cancelled-at", "valueDateTime": "2026-03-09T08:55:00.000+11:00"}]


def test_a_stamp_alone_keeps_the_status(gentu: Client, sandbox: RunningSandbox, booked: str) -> None:
    sandbox.control(f"appointments/{booked}/status", status="confirmed")
    sandbox.control(f"appointments/{booked}/cancel", keep_status=True)
    assert row(gentu, booked)["status"] == "confirmed"
    assert row(gentu, booked)["extension"][0]["system"] == "cancelled-at"


def test_un_cancelling_takes_the_stamp_away(gentu: Client, sandbox: RunningSandbox, booked: str) -> None:
    sandbox.control(f"appointments/{booked}/cancel")
    sandbox.control(f"appointments/{booked}/status", status="confirmed")
    assert (row(gentu, booked)["status"], row(gentu, booked)["extension"]) == ("confirmed", [])


def test_deleting_leaves_nothing(gentu: Client, sandbox: RunningSandbox, booked: str) -> None:
    sandbox.control(f"appointments/{booked}/delete")
    assert gentu.page().json()["appointments"] == []
    assert gentu.get(f"T/appointments/{booked}").status_code == 404


def test_moving_to_another_time_and_practitioner(gentu: Client, sandbox: RunningSandbox, booked: str) -> None:
    smith, jones = (person["id"] for person in gentu.practitioners())
    sandbox.control(f"appointments/{booked}/move", time="15:20", practitioner_id=jones)
    assert gentu.page(smith).json()["appointments"] == []
    (found,) = gentu.page(jones).json()["appointments"]
    assert (found["id"], found["startAt"]) == (booked, "2026-03-09T15:20:00.000+11:00")


@pytest.mark.parametrize("word", ["confirmed", "with_doctor", "did_not_arrive", "triaged", None])
def test_any_status_can_be_set(gentu: Client, sandbox: RunningSandbox, booked: str, word: str | None) -> None:
    sandbox.control(f"appointments/{booked}/status", status=word)
    assert row(gentu, booked)["status"] == word


def test_the_waiting_room_stamps_the_arrival_once(gentu: Client, sandbox: RunningSandbox, booked: str) -> None:
    sandbox.control(f"appointments/{booked}/status", status="in_waiting_room")
    sandbox.control("clock", advance_s=600)
    sandbox.control(f"appointments/{booked}/status", status="with_doctor")
    found = row(gentu, booked)
    assert found["status"] == "with_doctor"
    assert found["participant"][0]["arrivedAt"] == "2026-03-09T08:55:00.000+11:00"


def test_what_a_person_set_stands_whatever_the_clock_says(gentu: Client, sandbox: RunningSandbox, booked: str) -> None:
    sandbox.control(f"appointments/{booked}/status", status="confirmed")
    sandbox.control("clock", at="2026-03-01T00:00:00+11:00")
    assert row(gentu, booked)["status"] == "confirmed"


def test_bookings_can_be_blocks_groups_and_shared(gentu: Client, sandbox: RunningSandbox) -> None:
    staff = [person["id"] for person in gentu.practitioners()]
    people = [sandbox.control("patients", family=name)["id"] for name in ("Fennick", "Wattlewren")]
    sandbox.control("appointments", starts_at=NINE, block=True, description="Leave", minutes=480)
    sandbox.control("appointments", starts_at=NINE, patient_ids=people, practitioner_ids=staff)
    sandbox.control("appointments", starts_at=NINE, odd=["no_end", "no_minutes"], status=None)
    rows = gentu.page(staff[0]).json()["appointments"]
    kinds = sorted([part["referenceType"] for part in found["participant"]] for found in rows)
    assert kinds == [["patient", "patient", "provider", "provider"], ["patient", "provider"], ["provider"]]
    assert [found["id"] for found in gentu.page(staff[1]).json()["appointments"]] == [
        found["id"] for found in rows if len(found["participant"]) == 4
    ]
    assert any(found["status"] is None and found["endAt"] is None for found in rows)


def test_a_patient_is_edited_field_by_field(gentu: Client, sandbox: RunningSandbox) -> None:
    made = sandbox.control("patients", family="Fennick", given="Marlow", phone="0491 570 156")["id"]
    sandbox.control(f"patients/{made}", given="Odette", email="odette@example.com")
    body = gentu.get(f"T/patients/{made}").json()
    assert body["name"] == {"family": "Fennick", "given": "Odette", "prefix": None}
    assert [contact["value"] for contact in body["contact"]] == ["0491 570 156", "odette@example.com"]
    sandbox.control(f"patients/{made}/delete")
    assert gentu.get(f"T/patients/{made}").status_code == 404


def test_practitioners_come_change_and_leave(gentu: Client, sandbox: RunningSandbox) -> None:
    made = sandbox.control("practitioners", family="Newcomer", given="Una")["id"]
    assert made in {person["id"] for person in gentu.practitioners()}
    sandbox.control(f"practitioners/{made}", family="Renamed", active=False)
    body = gentu.get(f"T/practitioners/{made}").json()
    assert (body["name"]["family"], body["name"]["given"], body["active"]) == ("Renamed", "Una", False)
    sandbox.control(f"practitioners/{made}/delete")
    assert gentu.get(f"T/practitioners/{made}").status_code == 404


def test_types_come_change_and_go(gentu: Client, sandbox: RunningSandbox) -> None:
    made = sandbox.control("types", text="Video - Long", minutes=60)["id"]
    sandbox.control(f"types/{made}", text="Video - Very Long")
    rows = {kind["id"]: kind for kind in gentu.get("T/appointment-types").json()}
    assert (rows[made]["text"], rows[made]["duration"]) == ("Video - Very Long", 60)
    sandbox.control(f"types/{made}/delete")
    assert made not in {kind["id"] for kind in gentu.get("T/appointment-types").json()}


def test_a_practices_zone_can_be_changed_and_missing(gentu: Client, sandbox: RunningSandbox, booked: str) -> None:
    sandbox.control(f"tenants/{gentu.tenant}", zone="Australia/Perth", name="Renamed")
    assert gentu.get("T").json()["timezone"] == "Australia/Perth"
    assert gentu.get("T").json()["tenantName"] == "Renamed"
    assert row(gentu, booked)["startAt"] == "2026-03-09T06:00:00.000+08:00"
    sandbox.control(f"tenants/{gentu.tenant}", zone=None)
    assert gentu.get("T").json()["timezone"] is None


def test_any_record_can_be_made_to_say_anything(gentu: Client, sandbox: RunningSandbox, booked: str) -> None:
    sandbox.control("raw", id=booked, fields={"status": 7, "surprise": [1]}, drop=["comment"])
    found = row(gentu, booked)
    assert (found["status"], found["surprise"], "comment" in found) == (7, [1], False)
    sandbox.control("raw", id=booked, fields={"comment": "back"})
    assert row(gentu, booked)["comment"] == "back"
    assert row(gentu, booked)["status"] == 7


def test_orders_for_a_practice_stay_in_it(gentu: Client, sandbox: RunningSandbox) -> None:
    second = sandbox.state()["tenants"][1]["tenantId"]
    sandbox.control("appointments", tenant_id=second, starts_at=NINE)
    assert gentu.page().json()["appointments"] == []
    assert len(sandbox.truth("2026-03-09", second)) == 1


@pytest.mark.parametrize(
    ("path", "order", "status"),
    [
        ("appointments/nobody/cancel", {}, 404),
        ("appointments", {"starts_at": NINE, "type": "Horoscope"}, 404),
        ("appointments", {"starts_at": "2026-03-09T09:00:00"}, 422),
        ("appointments", {}, 422),
        ("appointments", {"starts_at": NINE, "colour": "red"}, 422),
        ("patients", {"given": "Nobody"}, 422),
        ("types", {"minutes": 5}, 422),
        ("pairing-codes", {"tenant_id": "nobody"}, 404),
        ("knobs", {"token_ttl": 5}, 422),
        ("clock", {"at": "2026-03-09T09:00:00"}, 422),
        ("tenants/nobody", {}, 404),
    ],
)
def test_an_order_that_cannot_be_carried_out_says_why(
    sandbox: RunningSandbox, http: requests.Session, path: str, order: dict, status: int
) -> None:
    response = http.post(f"{sandbox.control_url}{path}", json=order, timeout=20)
    assert response.status_code == status
    assert response.json()["error"]


def test_health(sandbox: RunningSandbox) -> None:
    assert sandbox.read("health") == {"ok": True}


class TestPage:
    def form(self, http: requests.Session, sandbox: RunningSandbox, path: str, **fields: str) -> requests.Response:
        data = {"back": "day=2026-03-09", **fields}
        return http.post(f"{sandbox.control_url}{path}", data=data, timeout=20)

    def test_it_says_what_it_is_and_shows_the_book(
        self, sandbox: RunningSandbox, http: requests.Session, booked: str
    ) -> None:
        response = http.get(f"{sandbox.control_url}?day=2026-03-09", timeout=20)
        assert "Every patient in it is invented" in response.text
        assert f"row-{booked}" in response.text
        assert "script" not in response.text
        assert "style=" not in response.text
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        style = http.get(f"{sandbox.control_url}style.css", timeout=20)
        assert style.headers["Content-Type"].startswith("text/css")
        assert "light-dark" in style.text

    def test_a_form_comes_back_to_the_day_it_was_sent_from(
        self, sandbox: RunningSandbox, http: requests.Session, gentu: Client, booked: str
    ) -> None:
        response = self.form(http, sandbox, f"appointments/{booked}/status", status="in_waiting_room")
        assert response.history[0].status_code == 303
        assert "day=2026-03-09" in response.url
        assert 'role="status">Changed.' in response.text
        assert row(gentu, booked)["status"] == "in_waiting_room"

    def test_a_visit_is_cancelled_by_the_button_beside_it(
        self, sandbox: RunningSandbox, http: requests.Session, gentu: Client, booked: str
    ) -> None:
        """As a browser without scripts would: the form's own address and its hidden fields."""
        page = http.get(f"{sandbox.control_url}?day=2026-03-09", timeout=20).text
        line = page.partition(f'id="row-{booked}"')[2].partition("</tr>")[0]
        form = line.partition("<form")[2].partition("</form>")[0]
        action = form.partition('action="')[2].partition('"')[0]
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
        root = sandbox.control_url.removesuffix("/control/")
        shown = http.post(f"{root}{action}", data={name: unescape(value) for name, value in fields.items()}, timeout=20)
        assert "day=2026-03-09" in shown.url
        assert row(gentu, booked)["status"] == "cancelled"
        line = shown.text.partition(f'id="row-{booked}"')[2].partition("</tr>")[0]
        assert "is-cancelled" in line.partition(">")[0]
        assert ">Cancel<" not in line

    def test_the_next_visit_is_marked_today_and_on_no_other_day(
        self, sandbox: RunningSandbox, http: requests.Session
    ) -> None:
        sandbox.control("clock", at=NINE)
        ids = sandbox.control("appointments", starts_at="2026-03-09T08:30:00+11:00", count=3, every_minutes=20)["ids"]
        page = http.get(sandbox.control_url, timeout=20).text
        (marked,) = re.findall(r'id="row-([^"]+)" class="[^"]*is-next', page)
        assert marked == ids[2]
        assert "is-next" not in http.get(f"{sandbox.control_url}?day=2026-03-10", timeout=20).text
        sandbox.control("clock")

    def test_blank_fields_change_nothing(self, sandbox: RunningSandbox, http: requests.Session, gentu: Client) -> None:
        made = sandbox.control("patients", family="Fennick", given="Marlow")["id"]
        self.form(http, sandbox, f"patients/{made}", given="Odette", family="", phone="")
        assert gentu.get(f"T/patients/{made}").json()["name"]["family"] == "Fennick"
        assert gentu.get(f"T/patients/{made}").json()["name"]["given"] == "Odette"

    def test_a_refusal_is_a_sentence_on_the_page(self, sandbox: RunningSandbox, http: requests.Session) -> None:
        response = self.form(http, sandbox, "appointments/nobody/delete")
        assert "There is no such appointment." in response.text

    def test_faults_are_switched_on_and_off_by_form(self, sandbox: RunningSandbox, http: requests.Session) -> None:
        fields = {"kind": "slow", "next": "3", "ms": "5", "retry_after": "", "mode": "close", "record": "no_start"}
        shown = self.form(http, sandbox, "faults", **fields)
        assert "Broken on purpose" in shown.text
        (fault,) = sandbox.state()["faults"]
        assert (fault["kind"], fault["next"], fault["ms"]) == ("slow", 3, 5)
        assert "Broken on purpose" not in self.form(http, sandbox, "faults/clear", id=str(fault["id"])).text

    def test_names_are_escaped(self, sandbox: RunningSandbox, http: requests.Session) -> None:
        sandbox.control("appointments", starts_at=NINE, patient={"family": "<b>Fennick</b>"})
        assert "<b>Fennick" not in http.get(f"{sandbox.control_url}?day=2026-03-09", timeout=20).text

    @pytest.mark.parametrize("headers", [{"Origin": "https://elsewhere.example"}, {"Host": "elsewhere.example"}])
    def test_another_sites_page_cannot_press_the_buttons(
        self, sandbox: RunningSandbox, http: requests.Session, headers: dict[str, str]
    ) -> None:
        response = http.post(f"{sandbox.control_url}reset", data={}, headers=headers, timeout=20)
        assert response.status_code == 403

    def test_the_root_leads_to_the_page(self, sandbox: RunningSandbox, http: requests.Session) -> None:
        root = sandbox.control_url.removesuffix("control/")
        assert http.get(root, timeout=20).url == sandbox.control_url
        assert http.get(f"{root}favicon.ico", timeout=20).status_code == 204
