"""The simulated bridge and exporter against pms/cornerstone-avimark.md. A bare HTTP client asks."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import requests

from app.sandbox.onpremise import AUDIENCE, CLIENT_ID, PASSWORD, REALM, USER
from tests.sandbox.process import RunningSandbox
from tests.sandbox.stage import StagedClinic

NOON = "2026-03-09T12:00:00+11:00"
MONDAY = "(AppointmentDate ge datetime'2026-03-09T00:00:00') and (AppointmentDate lt datetime'2026-03-10T00:00:00')"
GRANT = "http://auth0.com/oauth/grant-type/password-realm"


@pytest.fixture(
    params=[
        pytest.param("cornerstone", marks=pytest.mark.feature("S06")),
        pytest.param("avimark", marks=pytest.mark.feature("S07")),
    ]
)
def clinic(request: pytest.FixtureRequest, sandbox: RunningSandbox) -> StagedClinic:
    """An empty book, at noon."""
    return StagedClinic(sandbox, request.param).fresh(NOON)


class Client:
    """`ask("/Appointments", **{"$top": 1})` with everything the bridge wants, unless the test says otherwise."""

    def __init__(self, clinic: StagedClinic, http: requests.Session) -> None:
        self.clinic, self.http = clinic, http
        self.root = clinic.url.removesuffix("/v2")

    def ask(
        self, path: str, drop: str = "", auth: Any = (USER, PASSWORD), headers: Any = (), /, **query: Any
    ) -> requests.Response:
        wanted = {"Accept": "application/json", "Installation": self.clinic.credentials["source"], **dict(headers)}
        wanted.pop(drop, None)
        if drop == "Accept":
            wanted["Accept"] = "*/*"
        return self.http.get(self.clinic.url + path, params=query, headers=wanted, auth=auth, timeout=20)

    def rows(self, path: str = "/Appointments", **query: Any) -> list[dict[str, Any]]:
        answer = self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["value"])

    def token(self, **changes: str) -> requests.Response:
        form = {"grant_type": GRANT, "client_id": CLIENT_ID, "audience": AUDIENCE, "realm": REALM}
        form |= {"username": USER, "password": PASSWORD} | changes
        return self.http.post(f"{self.root}/oauth/token", data=form, timeout=20)


@pytest.fixture
def client(clinic: StagedClinic, http: requests.Session) -> Client:
    return Client(clinic, http)


# --- the door ---------------------------------------------------------------------------------------------------------


def test_who_has_no_name_no_installation_or_another_is_refused(client: Client) -> None:
    assert client.ask("/Appointments", "", None).status_code == 401
    assert client.ask("/Appointments", "", (USER, "guess")).status_code == 401
    missing = client.ask("/Appointments", "Installation")
    assert (missing.status_code, missing.json()["odata.error"]["message"]["value"]) == (
        400,
        "The Installation header is missing.",
    )
    stranger = {"Installation": "00000000-1111-4222-8333-444444444444"}
    assert client.ask("/Appointments", "", (USER, PASSWORD), stranger).status_code == 403
    assert client.ask("/Nothing").status_code == 404


def test_a_token_opens_it_until_it_ends(clinic: StagedClinic, client: Client) -> None:
    clinic.control("knobs", basic=False)
    assert client.ask("/Appointments").status_code == 401
    answer = client.token().json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    bearer = {"Authorization": f"Bearer {answer['access_token']}"}
    assert client.ask("/Appointments", "", None, bearer).status_code == 200
    assert clinic.end_tokens() == 1
    assert client.ask("/Appointments", "", None, bearer).status_code == 401


@pytest.mark.parametrize("wrong", ["grant_type", "client_id", "audience", "realm", "username", "password"])
def test_a_token_wants_every_constant(client: Client, wrong: str) -> None:
    assert client.token(**{wrong: "else"}).status_code == 403


def test_the_list_of_installations_lies_above_the_version(clinic: StagedClinic, client: Client) -> None:
    answer = client.http.get(f"{client.root}/InstallationList", auth=(USER, PASSWORD), timeout=20)
    listed = {one["InstallationId"]: one["PMS"].lower() for one in answer.json()}
    assert listed[clinic.credentials["source"]] == clinic.kind
    assert client.http.get(f"{client.root}/InstallationList", timeout=20).status_code == 401


def test_sixty_a_minute_and_then_it_says_how_long(clinic: StagedClinic, client: Client) -> None:
    clinic.control("knobs", limits=[[2, 60]])
    answers = [client.ask("/Appointments") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


def test_an_account_without_appointments(clinic: StagedClinic, client: Client) -> None:
    clinic.control("knobs", shows_appointments=False)
    assert client.ask("/Appointments").status_code == 404
    assert client.ask("/Patients").status_code == 200


# --- OData version 3 --------------------------------------------------------------------------------------------------


def test_who_does_not_wish_for_json_gets_atom(client: Client) -> None:
    answer = client.ask("/Appointments", "Accept")
    assert answer.headers["Content-Type"] == "application/atom+xml"


def test_the_envelope_and_a_count_as_text(clinic: StagedClinic, client: Client) -> None:
    clinic.control("book", at="2026-03-09T10:00:00+11:00", count=3)
    body = client.ask("/Appointments", **{"$inlinecount": "allpages", "$top": 2}).json()
    assert (body["odata.count"], len(body["value"])) == ("3", 2)
    assert body["odata.metadata"].endswith("/v2/$metadata#Appointments")
    assert "odata.count" not in client.ask("/Appointments").json()


def test_filters_order_and_pages(clinic: StagedClinic, client: Client) -> None:
    ids = clinic.control("book", at="2026-03-09T23:58:00+11:00", count=4)["ids"]  # two of them on the next day
    assert [one["PmsId"] for one in client.rows(**{"$filter": MONDAY, "$orderby": "AppointmentDate"})] == ids[:2]
    every = {"$orderby": "AppointmentDate desc"}
    assert [one["PmsId"] for one in client.rows(**every)] == ids[::-1]
    assert [one["PmsId"] for one in client.rows(**every, **{"$top": 2, "$skip": 1})] == ids[2:0:-1]
    either = f"PmsId eq '{ids[0]}' or (PmsId eq '{ids[3]}' and Duration ge 1)"
    assert {one["PmsId"] for one in client.rows(**{"$filter": either})} == {ids[0], ids[3]}


@pytest.mark.parametrize(
    "query",
    [
        {"$filter": "AppointmentDate ge 2026-03-09T00:00:00Z"},
        {"$filter": "Nothing eq 1"},
        {"$filter": "Id eq"},
        {"$filter": "(Id eq 'a'"},
        {"$filter": "Id like 'a'"},
        {"$filter": "Id eq 'a' Id"},
        {"$filter": "AppointmentDate ge datetime'soon'"},
        {"$filter": "Id eq #"},
        {"$orderby": "Nothing"},
        {"$top": 0},
        {"$top": 50_001},
        {"$skip": -1},
        {"$count": "true"},
    ],
)
def test_what_version_three_does_not_know_is_refused(
    clinic: StagedClinic, client: Client, query: dict[str, Any]
) -> None:
    clinic.book("2026-03-09T10:00:00+11:00")
    answer = client.ask("/Appointments", **query)
    assert answer.status_code == 400
    assert list(answer.json()) == ["odata.error"]


# --- records ----------------------------------------------------------------------------------------------------------


def test_a_visit_as_the_page_has_it(clinic: StagedClinic, client: Client) -> None:
    id_ = clinic.book("2026-03-09T09:15:00+11:00", state="arrived", reason="Limping")
    (row,) = client.rows()
    assert (row["Id"], row["PmsId"], row["AppointmentDate"]) == (f"A-{id_}", id_, "2026-03-09T09:15:00")
    assert row["PmsStatus"] == {"cornerstone": "Checked in", "avimark": "Waiting"}[clinic.kind]
    assert (row["ClientPmsId"], row["PatientPmsId"], row["ProviderId"]) == ("8800", "8800-1", "WOK")
    assert (row["Reason"], row["APIRemovedDate"], row["IsConfirmed"]) == ("Limping", None, False)
    (animal,) = client.rows("/Patients", **{"$filter": "PmsId eq '8800-1'"})
    assert (animal["Name"], animal["Species"], animal["SpeciesDescription"]) == ("Biscuit", "CAN", "Canine")
    plain, full = (
        client.rows("/Clients", **{"$filter": "Id eq 'C-8800'"}, **more)[0]
        for more in ({}, {"$expand": "Phones,Emails"})
    )
    assert "Phones" not in plain
    assert [(one["Type"], one["IsPrimary"]) for one in full["Phones"]] == [("Home", False), ("Mobile", True)]


def test_what_was_deleted_stays_as_a_tombstone(clinic: StagedClinic, client: Client) -> None:
    id_ = clinic.book("2026-03-09T09:15:00+11:00")
    clinic.delete(id_)
    assert [one["PmsId"] for one in client.rows() if one["APIRemovedDate"]] == [id_]
    assert client.rows(**{"$filter": "APIRemovedDate eq null"}) == []


# --- files ------------------------------------------------------------------------------------------------------------


def export(clinic: StagedClinic, folder: Path, *spoil: str, **more: Any) -> str:
    return str(clinic.control("export", folder=str(folder), spoil=list(spoil), **more)["names"][0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "drop.key").write_text("some key")
    return tmp_path


def test_an_export_is_rows_and_a_manifest_that_fits(clinic: StagedClinic, folder: Path) -> None:
    id_ = clinic.book("2026-03-09T09:15:00+11:00", reason='Limping, "left" fore')
    name = export(clinic, folder)
    body = (folder / f"{name}.csv").read_bytes()
    told = json.loads((folder / f"{name}.manifest.json").read_text())
    assert (told["kind"], told["rows"], told["mode"], told["timezone"]) == (
        "schedule",
        1,
        "full",
        "Australia/Melbourne",
    )
    assert (told["windowStart"], told["windowEnd"]) == ("2026-03-02", "2026-03-23")
    assert told["sha256"] == hashlib.sha256(body).hexdigest()
    (row,) = csv.DictReader(io.StringIO(body.decode("utf-8-sig")))
    assert (row["appointment_id"], row["start_local"], row["reason"]) == (
        id_,
        "03/09/2026 09:15 AM",
        'Limping, "left" fore',
    )
    kinds = {json.loads(path.read_text())["kind"] for path in folder.glob("*.manifest.json")}
    assert kinds == {"schedule", "staff", "type"}


def test_it_writes_only_where_somebody_has_made_a_place(clinic: StagedClinic, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no drop folder"):
        export(clinic, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_was_deleted_has_left_the_schedule(clinic: StagedClinic, folder: Path) -> None:
    clinic.delete(clinic.book("2026-03-09T09:15:00+11:00"))
    clinic.cancel(clinic.book("2026-03-09T10:15:00+11:00"))
    name = export(clinic, folder)
    rows = list(csv.DictReader(io.StringIO((folder / f"{name}.csv").read_text("utf-8-sig"))))
    assert [one["status"] for one in rows] == ["Cancelled"]


def test_half_a_file_is_half_of_what_its_manifest_says(clinic: StagedClinic, folder: Path) -> None:
    clinic.control("book", at="2026-03-09T09:15:00+11:00", count=10)
    name = export(clinic, folder, "half", lists=False)
    told = json.loads((folder / f"{name}.manifest.json").read_text())
    lines = (folder / f"{name}.csv").read_text("utf-8-sig").splitlines()
    assert told["rows"] == 10
    assert len(lines) < 8


def test_told_a_folder_it_leaves_files_after_every_order(clinic: StagedClinic, folder: Path) -> None:
    def schedules() -> int:
        return len(list(folder.glob("schedule_*.csv")))

    clinic.control("exports", folder=str(folder))
    assert schedules() == 1
    id_ = clinic.book("2026-03-09T09:15:00+11:00")
    clinic.change(id_, state="arrived")
    assert schedules() == 3
    clinic.control("exports")
    clinic.cancel(id_)
    assert schedules() == 3
    with pytest.raises(AssertionError, match="no drop folder"):
        clinic.control("exports", folder=str(folder / "elsewhere"))
