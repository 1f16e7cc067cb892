"""The practice and its lists, and files written back (pms/gentu.md §2.1-2.3, 2.5, 2.6)."""

from __future__ import annotations

import pytest

from .client import Client
from .process import RunningSandbox


def test_the_practice_is_the_original_documents(gentu: Client) -> None:
    assert gentu.get("T").json() == {
        "tenantId": "3aef91c0-ff22-47e6-942d-182cb65cbf20",
        "tenantNumber": "12345",
        "tenantName": "Smith Medical Centre",
        "timezone": "Australia/Melbourne",
    }


def test_status_is_text(gentu: Client) -> None:
    response = gentu.get("T/status")
    assert (response.status_code, response.text) == (200, "Hello world!")
    assert response.headers["Content-Type"].startswith("text/plain")


def test_practitioners_are_a_bare_list_with_those_who_left(gentu: Client) -> None:
    rows = gentu.get("T/practitioners").json()
    assert [(row["name"]["family"], row["active"], row["shownInAppointmentBook"]) for row in rows] == [
        ("Smith", True, True),
        ("Jones", True, True),
        ("Williams", False, False),
    ]
    assert rows[0]["contact"][0] == {"system": "email", "use": "work", "rank": 1, "value": "john.smith@example.com"}
    assert gentu.get(f"T/practitioners/{rows[0]['id']}").json() == rows[0]
    assert gentu.get("T/practitioners/nobody").status_code == 404


def test_sites_belong_to_a_practitioner(gentu: Client) -> None:
    rows = gentu.get(f"T/practitioners/{gentu.practitioners()[0]['id']}/sites").json()
    assert [sorted(row) for row in rows] == [["id", "name"], ["id", "name"]]
    assert gentu.get("T/practitioners/nobody/sites").status_code == 404


def test_users_are_practitioners_and_the_office(gentu: Client) -> None:
    families = [row["name"]["family"] for row in gentu.get("T/users").json()]
    assert families[:3] == ["Smith", "Jones", "Williams"]
    assert len(families) == 4


def test_types_are_a_bare_list_named_text(gentu: Client) -> None:
    rows = gentu.get("T/appointment-types").json()
    assert [(row["text"], row["duration"], row["colour"], row["onlineBookable"]) for row in rows] == [
        ("Telehealth Consultation", 30, "#4CAF50", True),
        ("Video Follow-up", 15, "#2196F3", True),
        ("Standard Consultation", 30, "#9E9E9E", False),
        ("New Patient", 45, "#FF9800", False),
        ("Procedure", 60, "#F44336", False),
    ]


def test_a_patient_is_read_by_id_only(gentu: Client, sandbox: RunningSandbox) -> None:
    made = sandbox.control(
        "patients", family="Fennick", given="Marlow Ines", first_name="Marlow", phone=None, born=None
    )
    body = gentu.get(f"T/patients/{made['id']}").json()
    assert body["name"] == {"family": "Fennick", "given": "Marlow Ines", "prefix": None}
    assert body["birthDate"] is None
    assert body["contact"] == [{"system": "phone", "use": "mobile", "rank": 1, "value": None}]
    assert body["extension"] == [{"system": "firstname", "valueString": "Marlow"}]
    assert gentu.get("T/patients/nobody").status_code == 404
    assert gentu.get("T/patients").status_code == 404


def test_referrals_are_empty_and_need_a_patient(gentu: Client) -> None:
    assert gentu.get("T/referrals", patientId="x").json() == []
    assert gentu.get("T/referrals").status_code == 400


def test_an_application_error_says_message(gentu: Client) -> None:
    assert list(gentu.get("T/practitioners/nobody").json()) == ["message"]
    assert list(gentu.get("T/no-such-thing").json()) == ["message"]


class TestAttachments:
    @pytest.fixture
    def patient(self, sandbox: RunningSandbox) -> str:
        return sandbox.control("patients", family="Fennick")["id"]

    def put(self, gentu: Client, patient: str, content: bytes = b"%PDF", **query: str):
        asked = {"fileName": "summary.pdf", "practitionerId": gentu.practitioners()[0]["id"], **query}
        return gentu.send("PUT", f"T/patients/{patient}/attachments", params=asked, data=content)

    def test_a_file_is_accepted_then_scanned_then_filed(
        self, gentu: Client, sandbox: RunningSandbox, patient: str
    ) -> None:
        sandbox.control("knobs", attachment_step_s=10)
        sandbox.control("clock", at="2026-03-09T09:00:00+11:00")
        put = self.put(gentu, patient, category="consult_note").json()
        assert put.keys() == {"message", "attachmentId"}
        seen = []
        for _ in range(3):
            body = gentu.get(f"T/patients/{patient}/attachments/{put['attachmentId']}").json()
            assert (body["id"], body["fileName"]) == (put["attachmentId"], "summary.pdf")
            seen.append(body["status"])
            sandbox.control("clock", advance_s=11)
        assert seen == ["accepted", "scanned_clean", "completed"]

    @pytest.mark.parametrize("outcome", ["failed", "scanned_infected"])
    def test_a_file_may_end_badly(self, gentu: Client, sandbox: RunningSandbox, patient: str, outcome: str) -> None:
        sandbox.control("knobs", attachment_step_s=0, attachment_outcome=outcome)
        attachment = self.put(gentu, patient).json()["attachmentId"]
        assert gentu.get(f"T/patients/{patient}/attachments/{attachment}").json()["status"] == outcome

    @pytest.mark.parametrize(
        ("query", "content", "status"),
        [
            ({"fileName": ""}, b"x", 400),
            ({"fileName": "summary"}, b"x", 400),
            ({"fileName": "summary.exe"}, b"x", 415),
            ({"practitionerId": "nobody"}, b"x", 400),
            ({"category": "poem"}, b"x", 400),
            ({"setDate": "2020-01-01T00:00:00.000+11:00"}, b"x", 400),
            ({}, b"", 400),
            ({}, b"x" * (4 * 2**20 + 1), 413),
        ],
    )
    def test_what_breaks_a_rule_is_refused(
        self, gentu: Client, patient: str, query: dict[str, str], content: bytes, status: int
    ) -> None:
        assert self.put(gentu, patient, content, **query).status_code == status

    def test_four_megabytes_are_allowed_and_the_connection_stays_usable(self, gentu: Client, patient: str) -> None:
        assert self.put(gentu, patient, b"x" * (4 * 2**20)).status_code == 200
        assert gentu.get("T/status").text == "Hello world!"
