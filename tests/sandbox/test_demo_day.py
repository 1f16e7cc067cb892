"""The demo clinic: full, odd in every way the vendor is, moving with the clock, and the same after a restart."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import requests

from .client import Client
from .process import RunningSandbox, running_sandbox

DAY = "2026-03-09"
NOON = f"{DAY}T12:00:00+11:00"
#: The document's four, by minute of the day; the offset is the zone's own.
DOCUMENT = [("09:00", 30), ("09:30", 15), ("10:00", 30), ("11:00", 30)]
FICTION = re.compile(r"(\+61 ?|0)491 ?570 ?(006|110|15[6-9])|1800 160 401|\(03\) 5550 \d{4}")


def at(sandbox: RunningSandbox, instant: str) -> list[dict]:
    sandbox.control("clock", at=instant)
    return sandbox.truth(DAY)


@pytest.fixture
def noon(demo: RunningSandbox) -> list[dict]:
    """All rows of the test day as they stand at noon."""
    return at(demo, NOON)


def patients_of(row: dict) -> list[str]:
    return [part["referenceId"] for part in row["participant"] if part["referenceType"] == "patient"]


def providers_of(row: dict) -> list[str]:
    return [part["referenceId"] for part in row["participant"] if part["referenceType"] == "provider"]


def patient(gentu: Client, patient_id: str) -> dict:
    return gentu.get(f"T/patients/{patient_id}").json()


@pytest.mark.parametrize(
    ("day", "offset"), [(DAY, "+11:00"), ("2026-07-01", "+10:00"), ("2026-04-05", "+10:00"), ("2026-10-04", "+11:00")]
)
def test_the_documents_four_appointments_are_there_each_day(demo: RunningSandbox, day: str, offset: str) -> None:
    """Also on the two days on which the clocks change (before dawn)."""
    demo.control("clock", at=f"{day}T00:00:00+10:00")
    tenant = demo.state()["tenants"][0]
    smith, jones = tenant["practitioners"][:2]
    brown_davis = {}
    found = []
    for row in demo.truth(day):
        if row["description"] in {
            "Telehealth follow-up",
            "Quick video check-in",
            "In-person consultation",
            "Telehealth consultation",
        }:
            found.append((row["startAt"], row["minutesDuration"]))
            brown_davis[row["startAt"][11:16]] = (providers_of(row), patients_of(row), row["appointmentType"])
    assert found == [(f"{day}T{time}:00.000{offset}", minutes) for time, minutes in DOCUMENT]
    assert [who for who, _, _ in brown_davis.values()] == [[smith["id"]], [smith["id"]], [jones["id"]], [jones["id"]]]
    alice, robert = brown_davis["09:00"][1], brown_davis["09:30"][1]
    assert [whom for _, whom, _ in brown_davis.values()] == [alice, robert, alice, robert]
    types = {row["id"]: row["text"] for row in tenant["types"]}
    assert [types[kind["reference"]] for _, _, kind in brown_davis.values()] == [
        "Telehealth Consultation",
        "Video Follow-up",
        "Standard Consultation",
        "Telehealth Consultation",
    ]


def test_the_documents_patients_keep_name_and_birth_date(demo_gentu: Client, noon: list[dict]) -> None:
    by_time = {row["startAt"][11:16] + str(row["description"]): row for row in noon}
    alice = patient(demo_gentu, patients_of(by_time["09:00Telehealth follow-up"])[0])
    robert = patient(demo_gentu, patients_of(by_time["09:30Quick video check-in"])[0])
    assert (alice["name"], alice["birthDate"]) == ({"family": "Brown", "given": "Alice", "prefix": "Ms"}, "1985-03-15")
    assert (robert["name"], robert["birthDate"]) == (
        {"family": "Davis", "given": "Robert", "prefix": "Mr"},
        "1972-08-22",
    )


def test_booked_and_confirmed_are_none_and_confirmed(demo: RunningSandbox) -> None:
    """The document's statuses, long before the day begins; `none` stands for its booked."""
    rows = {row["description"]: row["status"] for row in at(demo, "2026-03-07T00:00:00+11:00")}
    assert rows["Telehealth follow-up"] == "none"
    assert rows["Quick video check-in"] == "confirmed"


@pytest.mark.parametrize("offset", range(7))
def test_the_book_is_full_but_not_overfull(demo: RunningSandbox, offset: int) -> None:
    day = date.fromisoformat(DAY) + timedelta(days=offset)
    demo.control("clock", at=f"{day}T23:59:00+11:00")
    tenant = demo.state()["tenants"][0]
    shown = {person["id"] for person in tenant["practitioners"] if person["active"] and person["shown"]}
    assert len(shown) == 8
    assert any(not person["active"] for person in tenant["practitioners"])
    assert any(person["active"] and not person["shown"] for person in tenant["practitioners"])
    load = Counter(who for row in demo.truth(day.isoformat()) if patients_of(row) for who in providers_of(row))
    assert load.keys() == shown
    assert all(12 <= count <= 20 for count in load.values())


def test_somebody_is_always_at_work(demo: RunningSandbox) -> None:
    hours = {row["startAt"][11:13] for row in at(demo, f"{DAY}T23:59:00+11:00")}
    assert len(hours) == 24


def test_something_moves_at_any_hour(demo: RunningSandbox) -> None:
    before = at(demo, f"{DAY}T00:00:00+11:00")
    for hour in range(1, 24):
        after = at(demo, f"{DAY}T{hour:02}:00:00+11:00")
        known = {row["id"]: row for row in before}
        moved = [row for row in after if known.get(row["id"]) != row]
        assert moved, f"nothing moved in the hour before {hour}:00"
        before = after


def test_a_visit_runs_its_course(demo: RunningSandbox) -> None:
    """Nobody goes backwards, and over a day every word of the vendor is said."""
    order = ["none", "confirmed", "in_waiting_room", "with_doctor", "completed", "invoiced"]
    seen: dict[str, list[str]] = {}
    start = datetime.fromisoformat(f"{DAY}T00:00:00+11:00")
    for step in range(0, 26 * 60, 20):
        for row in at(demo, (start + timedelta(minutes=step)).isoformat()):
            words = seen.setdefault(row["id"], [])
            if not words or words[-1] != row["status"]:
                words.append(row["status"])
    for words in seen.values():
        ranks = [order.index(word) for word in words if word in order]
        assert ranks == sorted(ranks), words
        assert "cancelled" not in words[:-1], words
    assert {*order, "cancelled", "did_not_arrive", None} == {word for words in seen.values() for word in words}


def test_arrivals_are_stamped_and_some_people_are_late(demo: RunningSandbox) -> None:
    rows = at(demo, f"{DAY}T23:59:00+11:00")
    late = early = 0
    for row in rows:
        stamps = {part.get("arrivedAt") for part in row["participant"] if part["referenceType"] == "patient"}
        if row["status"] in {"in_waiting_room", "with_doctor", "completed", "invoiced"}:
            assert None not in stamps
            arrived = datetime.fromisoformat(stamps.pop())
            late += arrived > datetime.fromisoformat(row["startAt"])
            early += arrived <= datetime.fromisoformat(row["startAt"])
        elif row["status"] in {"none", "did_not_arrive"}:
            assert stamps <= {None}
    assert late >= 3
    assert early > late


def test_some_visits_are_booked_while_the_day_runs(demo: RunningSandbox) -> None:
    dawn = {row["id"] for row in at(demo, f"{DAY}T00:00:00+11:00")}
    dusk = {row["id"] for row in at(demo, f"{DAY}T23:59:00+11:00")}
    assert dawn < dusk


def test_what_a_person_says_ends_what_was_planned(demo: RunningSandbox, demo_gentu: Client) -> None:
    rows = at(demo, f"{DAY}T06:00:00+11:00")
    visits = [row["id"] for row in rows if patients_of(row) and row["startAt"] > f"{DAY}T13"]
    for visit in visits:
        demo.control(f"appointments/{visit}/status", status="with_doctor")
    after = {row["id"]: row for row in at(demo, f"{DAY}T23:59:00+11:00")}
    assert {after[visit]["status"] for visit in visits} == {"with_doctor"}
    assert not any("arrivedAt" in part for visit in visits for part in after[visit]["participant"])


def test_what_lies_ahead_of_a_visit_moves_along_with_it(demo: RunningSandbox) -> None:
    rows = at(demo, f"{DAY}T06:00:00+11:00")
    visits = [row["id"] for row in rows if patients_of(row) and row["startAt"] > f"{DAY}T18"]
    for visit in visits:
        demo.control(f"appointments/{visit}/move", day="2026-03-11")
    at(demo, "2026-03-10T12:00:00+11:00")
    words = {row["id"]: row["status"] for row in demo.truth("2026-03-11")}
    assert {words[visit] for visit in visits} <= {"none", "confirmed", None}
    at(demo, "2026-03-12T12:00:00+11:00")
    words = {row["id"]: row["status"] for row in demo.truth("2026-03-11")}
    assert "completed" in {words[visit] for visit in visits}


class TestOddities:
    def test_rows_lack_what_the_vendor_leaves_out(self, noon: list[dict]) -> None:
        assert any(row["endAt"] is None and row["minutesDuration"] is not None for row in noon)
        assert any(row["minutesDuration"] is None and row["endAt"] is not None for row in noon)
        assert any(row["minutesDuration"] is None and row["endAt"] is None for row in noon)
        assert any(row["appointmentType"]["reference"] is None and patients_of(row) for row in noon)

    def test_a_status_can_be_null(self, demo: RunningSandbox) -> None:
        rows = at(demo, f"{DAY}T00:00:00+11:00")
        assert any(row["status"] is None and patients_of(row) for row in rows)

    def test_blocks_have_no_patient(self, noon: list[dict]) -> None:
        assert {row["description"] for row in noon if not patients_of(row)} == {"Break", "Theatre list planning"}

    def test_cancelled_rows_stay_with_their_stamp(self, demo: RunningSandbox) -> None:
        rows = [row for row in at(demo, f"{DAY}T23:59:00+11:00") if row["status"] == "cancelled"]
        assert len(rows) >= 2
        for row in rows:
            (extension,) = row["extension"]
            assert extension["system"] == "cancelled-at"
            assert extension["valueDateTime"] < row["startAt"]

    def test_a_cancelled_stamp_beside_another_status(self, demo: RunningSandbox) -> None:
        rows = at(demo, f"{DAY}T23:59:00+11:00")
        assert any(row["extension"] and row["status"] != "cancelled" for row in rows)

    def test_a_group_and_a_joint_visit(self, demo_gentu: Client, noon: list[dict]) -> None:
        assert any(len(patients_of(row)) >= 3 for row in noon)
        joint = [row["id"] for row in noon if len(providers_of(row)) == 2]
        assert joint
        swept = Counter(row["id"] for row in demo_gentu.sweep())
        assert {row_id for row_id, times in swept.items() if times == 2} == set(joint)
        assert set(swept) == {row["id"] for row in noon}

    def test_an_arrival_nobody_marked(self, demo: RunningSandbox) -> None:
        start = datetime.fromisoformat(f"{DAY}T00:00:00+11:00")
        for step in range(0, 24 * 60, 5):
            for row in at(demo, (start + timedelta(minutes=step)).isoformat()):
                stamped = any("arrivedAt" in part for part in row["participant"])
                if stamped and row["status"] in {"none", "confirmed"}:
                    return
        pytest.fail("every arrival was marked at once")

    def test_a_patient_is_missing_from_a_side_load(self, demo_gentu: Client, noon: list[dict]) -> None:
        missing = []
        for person in demo_gentu.practitioners():
            body = demo_gentu.page(person["id"], include="patients").json()
            loaded = {row["id"] for row in body["patients"]}
            missing += [who for row in body["appointments"] for who in patients_of(row) if who not in loaded]
        assert missing
        assert patient(demo_gentu, missing[0])["id"] == missing[0]

    def test_people_are_as_incomplete_as_real_ones(self, demo_gentu: Client, noon: list[dict]) -> None:
        people = [patient(demo_gentu, who) for who in {who for row in noon for who in patients_of(row)}]
        people += demo_gentu.get("T/practitioners").json()
        contacts = [contact for person in people for contact in person["contact"]]
        assert any(contact["value"] is None for contact in contacts)
        assert any(contact["rank"] is None for contact in contacts)
        assert any(person["name"]["prefix"] is None for person in people)
        patients = [person for person in people if "birthDate" in person]
        assert any(person["birthDate"] is None for person in patients)
        systems = {extension["system"] for person in patients for extension in person["extension"]}
        assert {"firstname", "middlename"} <= systems

    def test_both_shapes_of_deceased_exist(self, demo_gentu: Client, demo: RunningSandbox) -> None:
        shapes = set()
        for offset in range(20):
            day = date.fromisoformat(DAY) + timedelta(days=offset)
            for row in demo.truth(day.isoformat()):
                for who in patients_of(row):
                    shapes |= set(patient(demo_gentu, who)["deceased"] or ())
            if shapes == {"date", "deceasedBoolean"}:
                return
        pytest.fail(f"only {shapes} turned up")

    def test_everybody_is_plainly_invented(self, demo_gentu: Client, noon: list[dict]) -> None:
        people = [patient(demo_gentu, who) for who in {who for row in noon for who in patients_of(row)}]
        for person in people + demo_gentu.get("T/practitioners").json():
            for contact in person["contact"]:
                if contact["value"] is None:
                    continue
                if contact["system"] == "email":
                    assert contact["value"].endswith("@example.com")
                else:
                    assert FICTION.fullmatch(contact["value"]), contact["value"]


class TestRestart:
    def test_the_same_instant_gives_the_same_book(self, demo: RunningSandbox) -> None:
        there = at(demo, NOON)
        with running_sandbox("demo", paired=True) as again:
            assert at(again, NOON) == there

    def test_another_seed_gives_another_day(self, demo: RunningSandbox) -> None:
        there = {row["id"] for row in at(demo, NOON)}
        with running_sandbox("demo", seed="another") as other:
            assert not there & {row["id"] for row in at(other, NOON)}

    def test_an_id_is_known_before_its_day_was_listed(self, demo: RunningSandbox, http: requests.Session) -> None:
        zone = ZoneInfo("Australia/Melbourne")
        day = (datetime.now(zone) + timedelta(days=9)).date().isoformat()
        row = demo.truth(day)[5]
        with running_sandbox("demo", paired=True) as again:
            assert Client(again, http).get(f"T/appointments/{row['id']}").json()["startAt"] == row["startAt"]

    def test_edits_survive_and_win_over_the_clock(self, tmp_path: Path, http: requests.Session) -> None:
        with running_sandbox("demo", home=tmp_path) as first:
            gentu = Client(first, http)
            assert gentu.pair().status_code == 200
            rows = at(first, f"{DAY}T06:00:00+11:00")
            waiting = [row for row in rows if patients_of(row) and row["startAt"] > f"{DAY}T13"]
            held, moved, gone, cancelled = (row["id"] for row in waiting[:4])
            first.control(f"appointments/{held}/status", status="in_waiting_room")
            first.control(f"appointments/{moved}/move", day="2026-03-10", time="10:10")
            first.control(f"appointments/{gone}/delete")
            first.control(f"appointments/{cancelled}/cancel")
            booked = first.control("appointments", day=DAY, time="12:34")["id"]
            first.control(f"patients/{patients_of(waiting[0])[0]}", family="Renamed")
            before = at(first, NOON)
            first.kill()
        assert (tmp_path / "sandbox" / "gentu.jsonl").exists()
        with running_sandbox("demo", home=tmp_path) as second:
            assert at(second, NOON) == before
            gentu = Client(second, http)
            after = {row["id"]: row for row in at(second, f"{DAY}T23:00:00+11:00")}
            assert after[held]["status"] == "in_waiting_room"
            assert after[cancelled]["status"] == "cancelled"
            assert booked in after
            assert gone not in after
            assert moved not in after
            assert gentu.get(f"T/appointments/{moved}").json()["startAt"] == "2026-03-10T10:10:00.000+11:00"
            assert gentu.get(f"T/appointments/{gone}").status_code == 404
            assert patient(gentu, patients_of(waiting[0])[0])["name"]["family"] == "Renamed"

    def test_a_torn_last_line_is_cut_off_and_other_damage_refused(self, tmp_path: Path) -> None:
        journal = tmp_path / "sandbox" / "gentu.jsonl"
        with running_sandbox("empty", home=tmp_path) as first:
            kept = first.control("appointments", day=DAY, time="09:00")["id"]
            first.kill()
        whole = journal.read_bytes()
        journal.write_bytes(whole + b'{"type":"put_vis')
        with running_sandbox("empty", home=tmp_path) as second:
            assert [row["id"] for row in second.truth(DAY)] == [kept]
            second.control("appointments", day=DAY, time="10:00")
            second.kill()
        with running_sandbox("empty", home=tmp_path) as third:
            assert len(third.truth(DAY)) == 2
            third.kill()
        journal.write_bytes(b"nonsense\n" + whole)
        with pytest.raises(AssertionError, match="ended at once"), running_sandbox("empty", home=tmp_path):
            pass


class TestStill:
    def test_a_still_day_does_not_move(self) -> None:
        with running_sandbox("demo", still=True) as sandbox:
            assert at(sandbox, f"{DAY}T00:00:00+11:00") == at(sandbox, f"{DAY}T23:00:00+11:00")

    def test_the_big_clinic_is_as_big_as_asked_and_still(self, http: requests.Session) -> None:
        with running_sandbox("big", practitioners=7, per_day=13, paired=True) as sandbox:
            gentu = Client(sandbox, http)
            assert len(gentu.practitioners()) == 7
            rows = gentu.sweep()
            assert Counter(who for row in rows for who in providers_of(row)) == dict.fromkeys(
                (person["id"] for person in gentu.practitioners()), 13
            )
            assert at(sandbox, f"{DAY}T00:00:00+11:00") == at(sandbox, f"{DAY}T23:00:00+11:00")

    def test_the_empty_clinic_is_empty(self, sandbox: RunningSandbox, gentu: Client) -> None:
        assert sandbox.truth(DAY) == []
        assert len(gentu.practitioners()) == 2
        assert len(gentu.get("T/appointment-types").json()) == 5
