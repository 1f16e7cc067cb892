"""The adapter against the simulated hospital, over HTTP: log-in, sweeps, look-ups, consultations."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest

from app.config import VendorSettings
from app.domain.appointment import Client, PracticeIdentity
from app.domain.consultation import Item, Measure
from app.domain.status import Status
from app.domain.window import Window
from app.errors import InvalidInput
from app.pms.errors import PmsNotConfigured, PmsNotFound
from app.pms.ezyvet import lists
from app.pms.ezyvet.adapter import EzyvetAdapter
from app.pms.factory import Tools, environment_of, open_adapter
from app.pms.offers import NotOffered
from app.pms.port import Site
from tests.pms.conftest import Limiter, MemoryStores
from tests.pms.ezyvet.hospital import (
    DAY,
    NINE,
    NOON,
    WINDOW,
    ZONE,
    Hospital,
    consulted,
    epoch,
    instant,
    pages,
    ref,
    refs,
    rows,
)

pytestmark = pytest.mark.feature("S05")
TOKEN = "/v1/oauth/access_token"
#: Vets of the hospital's first division, and the one of the other.
HERE, NORTHWOOD = ("21", "22", "23"), "31"


# --- who are we -------------------------------------------------------------------------------------------------------


def test_one_log_in_serves_a_run(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    assert adapter.validate_connection()
    health = adapter.health_check()
    assert (health.healthy, health.message, health.reason) == (True, "ezyVet answers.", None)
    rows(adapter)
    assert len(hospital.asked(TOKEN)) == 1
    adapter.refresh_token()
    assert len(hospital.asked(TOKEN)) == 2


def test_a_second_run_uses_the_stored_token(hospital: Hospital) -> None:
    hospital.open().authenticate()
    hospital.open().authenticate()
    assert len(hospital.asked(TOKEN)) == 1


@pytest.mark.parametrize("expires_in", ["seconds", "instant", "text"])
def test_a_token_may_say_its_life_in_several_ways(hospital: Hospital, expires_in: str) -> None:
    hospital.tell("knobs", expires_in=expires_in)
    adapter = hospital.open()
    adapter.authenticate()
    assert rows(adapter) == {}
    assert len(hospital.asked(TOKEN)) == 1


def test_the_site_is_told_with_its_zone(adapter: EzyvetAdapter) -> None:
    told = PracticeIdentity("wattle-creek-uid", "Wattle Creek Animal Hospital", "Australia/Melbourne")
    assert adapter.identity() == told


def test_where_the_site_keeps_to_itself_the_token_names_it(hospital: Hospital) -> None:
    hospital.tell("knobs", granted=["read-appointment"])
    assert hospital.open().identity() == PracticeIdentity("wattle-creek-uid", None, None)


def test_without_a_zone_of_its_own_the_older_setting_is_asked(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    hospital.tell("write", resource="siteInformation", id=7, fields={"timezone": None})
    assert adapter.identity().timezone == "Australia/Melbourne"


def test_a_division_is_a_practice_of_its_own(hospital: Hospital) -> None:
    assert hospital.open(division_id="2").identity().external_id == "wattle-creek-uid/2"


def test_there_is_no_code_to_pair_with(adapter: EzyvetAdapter) -> None:
    assert adapter.pairing is None
    with pytest.raises(InvalidInput, match="does not pair"):
        adapter.pair("ABCD1234")
    with pytest.raises(NotOffered):
        adapter.clients(WINDOW)


def test_without_credentials_nothing_is_opened(limiter: Limiter) -> None:
    tools = Tools(limiter=limiter, tokens=MemoryStores(), connection="c")
    with pytest.raises(PmsNotConfigured, match="Client ID and Client secret"):
        open_adapter("ezyvet", VendorSettings(), Site(None, "UTC"), tools)


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        (EzyvetAdapter.base_url(VendorSettings()), "live"),
        ("https://api.trial.ezyvet.com", "vendor_sandbox"),
        ("http://127.0.0.1:1/ezyvet", "simulator"),
    ],
)
def test_only_the_documented_hosts_are_real(url: str, environment: str) -> None:
    assert environment_of(url) == environment


def test_people_are_practitioners_and_rooms_and_machines_are_not(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    found = {one.external_id: one for one in adapter.practitioners()}
    assert set(found) == {*HERE, "29", NORTHWOOD}
    assert found["21"].full_name == "Dr Imogen Thistledown"
    assert not found["29"].works_here
    assert found["21"].works_here
    here = {one.external_id for one in hospital.open(division_id="1").practitioners()}
    assert here == {*HERE, "29"}


def test_types_have_their_lengths(adapter: EzyvetAdapter) -> None:
    found = {one.external_id: (one.name, one.minutes) for one in adapter.appointment_types()}
    assert found["11"] == ("Consultation", 30)
    assert found["14"] == ("Video consult", 20)


# --- the sweep --------------------------------------------------------------------------------------------------------


def test_a_booking_with_all_that_hangs_on_it(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    id_ = hospital.books(room=41, fields={"contact_id": None, "consult_id": 77, "description": "Limping\nleft fore"})
    (found,) = rows(adapter).values()
    assert (found.external_id, found.starts_at, found.minutes) == (id_, instant(NINE), 30)
    assert found.ends_at == instant(NINE) + timedelta(minutes=30)
    assert (found.status, found.raw_status) == (Status.BOOKED, "No Status")
    assert (found.practitioner_id, found.practitioner_name) == ("21", "Dr Imogen Thistledown")
    assert (found.type_id, found.type_name, found.comment) == ("11", "Consultation", "Limping\nleft fore")
    assert (found.room, found.location_id, found.consultation_id) == ("Consult Room 1", "1", "77")
    patient = found.patient
    assert patient is not None
    assert (patient.external_id, patient.full_name, patient.species, patient.breed) == (
        *("801", "Biscuit"),
        *("Canine", "Kelpie"),
    )
    assert patient.birth_date == date(2012, 1, 1)
    owner = Client(
        "401", "Marigold Underhill", "Marigold", "Underhill", "0491 570 150", "marigold.underhill@example.com"
    )
    assert found.client == owner
    assert (patient.phone, patient.email) == (owner.phone, owner.email)


def test_the_day_is_told_as_it_is(busy: Hospital) -> None:
    """Every appointment of the truth, those taken out too, once, with the right animal and status."""
    found, truth = rows(busy.open()), busy.truth()
    assert len(truth) > 30
    assert set(found) == {str(one["id"]) for one in truth}
    for one in truth:
        row = found[str(one["id"])]
        assert row.starts_at.timestamp() == one["start_at"]
        assert (row.patient.external_id if row.patient else None) == (
            str(one["animal_id"]) if one["animal_id"] else None
        )
        assert (row.status in (Status.CANCELLED, Status.NO_SHOW)) is not one["active"]
        assert row.consultation_id == (str(one["consult_id"]) if one["consult_id"] else None)
        assert row.practitioner_id in {str(used["id"]) for used in one["resources"]}
        assert row.is_block is (one["type_id"] == 2)
    assert {Status.BOOKED, Status.CONFIRMED, Status.COMPLETED, Status.CANCELLED} <= {
        row.status for row in found.values()
    }


def test_the_day_moves_with_the_clock(busy: Hospital) -> None:
    def statuses(at: str) -> Counter[Status]:
        busy.tell("clock", at=at)
        return Counter(row.status for row in rows(busy.open()).values())

    morning, evening = statuses("2026-03-09T07:00:00+11:00"), statuses("2026-03-09T23:59:00+11:00")
    assert morning[Status.COMPLETED] < evening[Status.COMPLETED]
    assert morning[Status.CONFIRMED] > evening[Status.CONFIRMED] == 0


def test_pages_are_followed_to_the_last(busy: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE_SIZE", 7)
    found = pages(busy.open())
    assert len(found) > 4
    assert [page.next_cursor is None for page in found] == [False] * (len(found) - 1) + [True]
    assert [page.from_start for page in found] == [True] + [False] * (len(found) - 1)
    ids = [row.external_id for page in found for row in page.appointments]
    assert sorted(ids) == sorted(str(one["id"]) for one in busy.truth())


def test_a_chain_goes_on_behind_the_page_that_was_kept(busy: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE_SIZE", 7)
    adapter = busy.open()
    (part,) = adapter.partitions(WINDOW, HERE)
    whole = list(adapter.appointments(part))
    rest = list(adapter.appointments(part, whole[1].next_cursor))
    assert rest == whole[2:]
    assert list(adapter.appointments(part, "nonsense")) == whole


def test_a_long_window_is_read_week_by_week(busy: Hospital) -> None:
    window = Window(DAY, DAY + timedelta(days=9), ZONE)
    adapter = busy.open()
    assert [part.window.first for part in adapter.partitions(window, HERE)] == [DAY, DAY + timedelta(days=7)]
    assert {part.practitioner_id for part in adapter.partitions(window, HERE)} == {""}
    days = [DAY + timedelta(days=n) for n in range(10)]
    assert set(rows(adapter, window)) == {str(one["id"]) for day in days for one in busy.truth(day)}


def test_joins_are_asked_in_batches_and_once_a_run(busy: Hospital) -> None:
    adapter = busy.open()
    rows(adapter)
    first = Counter(one["route"] for one in busy.asked())
    for route in ("animal", "contact", "contactdetail", "contactdetailtype", "species", "breed", "resource"):
        assert first[f"/v1/{route}"] == 1, route
    rows(adapter)
    again = Counter(one["route"] for one in busy.asked())
    assert again - first == Counter({"/v2/appointment": 1})


def test_a_status_that_the_site_adds_meanwhile_is_looked_up(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    rows(adapter)
    new = hospital.writes("appointmentstatus", name="Exam Room 7")
    known = hospital.books(fields={"status_id": int(new)})
    unknown = hospital.books(fields={"status_id": 999})
    found = rows(adapter)
    assert (found[known].status, found[known].raw_status) == (Status.IN_PROGRESS, "Exam Room 7")
    assert (found[unknown].status, found[unknown].raw_status) == (Status.UNKNOWN, "status 999")


def test_words_the_practice_explained_are_used(hospital: Hospital) -> None:
    id_ = hospital.books(fields={"status_id": 7})
    assert rows(hospital.open())[id_].status is Status.UNKNOWN
    assert rows(hospital.open(words={"On Wait List": "booked"}))[id_].status is Status.BOOKED


def test_who_was_taken_out_comes_too(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    gone, no_show = hospital.books(), hospital.books()
    hospital.tell("cancel", id=int(gone))
    hospital.tell("cancel", id=int(no_show), reason="No show")
    found = rows(adapter)
    assert (found[gone].status, found[no_show].status) == (Status.CANCELLED, Status.NO_SHOW)


@pytest.mark.parametrize(
    ("resources", "seller", "main", "others"),
    [
        ([44, 41, 22], None, "22", ()),
        ([22, 21], None, "22", ("21",)),
        ([29, 21], None, "21", ("29",)),  # who is wanted comes first
        ([41], 23, "23", ()),
        ([], 23, "23", ()),
        ([], None, "", ()),
        ([41], 44, "", ()),
        ([998], None, "998", ()),  # on no list: somebody, but nobody knows who
        ([998, 21], None, "21", ()),
    ],
)
def test_the_practitioner_is_a_person_among_the_resources(
    hospital: Hospital, resources: list[int], seller: int | None, main: str, others: tuple[str, ...]
) -> None:
    used = [{"id": id_} for id_ in resources] or None
    hospital.books(fields={"resources": used, "sales_resource": seller}, vet=None)
    (found,) = rows(hospital.open()).values()
    assert (found.practitioner_id, found.other_practitioner_ids) == (main, others)
    assert (found.practitioner_name == "Unknown practitioner") is (main in ("", "998"))


def test_a_block_has_no_patient_and_an_unknown_animal_is_still_one(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    block, lost = hospital.books(animal_id=None, type_id=2), hospital.books(animal_id=4711)
    found = rows(adapter)
    assert found[block].is_block
    assert found[block].type_name == "Block Off"
    assert [one.full_name for one in found[lost].patients] == ["Unknown patient"]
    assert not found[lost].is_block


def test_a_booking_without_a_length_takes_its_types(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    hospital.books(type_id=13, fields={"duration": None})
    (found,) = rows(adapter).values()
    assert found.minutes == 60


def test_telephone_numbers_mobile_before_home_active_and_newest_first(hospital: Hospital) -> None:
    def phone() -> str | None:
        (found,) = rows(hospital.open()).values()
        return found.client.phone if found.client else None

    hospital.books()
    assert phone() == "0491 570 150"
    newer = hospital.writes("contactdetail", contact_id=401, contact_detail_type_id=4, name="New", value="0491 570 159")
    assert phone() == "0491 570 159"
    for id_ in (newer, "4011"):
        hospital.writes("contactdetail", id_, active=False)
    assert phone() == "0491 570 110"


def test_records_without_their_wrapping_are_read(busy: Hospital) -> None:
    busy.tell("knobs", unwrapped=True)
    assert set(rows(busy.open())) == {str(one["id"]) for one in busy.truth()}


def test_two_divisions_of_one_site_never_see_each_other(busy: Hospital) -> None:
    everything = rows(busy.open())
    here = rows(busy.open(division_id="1"))
    north = rows(busy.open(division_id="2"), wanted=(NORTHWOOD,))
    assert set(here) | set(north) == set(everything)
    assert not set(here) & set(north)
    assert {row.practitioner_id for row in north.values()} == {NORTHWOOD}
    assert {row.practitioner_id for row in here.values()} == set(HERE)
    (other, *_) = north
    with pytest.raises(PmsNotFound):
        busy.open(division_id="1").appointment(other)


def test_what_says_nowhere_where_it_is_belongs_to_every_division(hospital: Hospital) -> None:
    nowhere = hospital.books(vet=None)
    assert set(rows(hospital.open(division_id="1"))) == {nowhere} == set(rows(hospital.open(division_id="2")))


# --- look-ups ---------------------------------------------------------------------------------------------------------


def test_one_booking_and_one_animal_by_id(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    id_ = hospital.books(at=NOON)
    hospital.tell("move", id=int(id_), at="2026-03-20T10:00:00+11:00")
    found = adapter.appointment(id_)
    assert (found.external_id, found.starts_at) == (id_, instant("2026-03-20T10:00:00+11:00"))
    patient = adapter.patient("802")
    assert (patient.external_id, patient.full_name, patient.species) == ("802", "Tamburlaine", "Feline")
    hospital.tell("remove", id=int(id_))
    with pytest.raises(PmsNotFound):
        adapter.appointment(id_)
    with pytest.raises(PmsNotFound):
        adapter.patient("4711")


def test_an_id_with_a_slash_leaves_no_place_in_the_path(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    with pytest.raises(PmsNotFound):
        adapter.appointment("1/../../v1/contact")
    assert all("/contact" not in one["route"].removesuffix("v1/contact") for one in hospital.asked())


# --- consultations ----------------------------------------------------------------------------------------------------


def consult(hospital: Hospital, at: str = NINE, **fields: object) -> str:
    return hospital.writes("consult", animal_id=801, date=epoch(at), **fields)


def part(hospital: Hospital, resource: str, of: str, at: str = NINE, **fields: object) -> str:
    return hospital.writes(resource, consult_id=int(of), timestamp=epoch(at), **fields)


def test_a_consultation_with_all_its_parts(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    one = consult(hospital)
    part(hospital, "history", one, "2026-03-09T09:05:00+11:00", comments="<p>Second.</p>")
    part(hospital, "history", one, "2026-03-09T09:01:00+11:00", comments="First &amp; foremost.")
    part(hospital, "history", one, comments="Struck out", active=False)
    part(hospital, "physicalexam", one, comments="Bright.")
    part(hospital, "assessment", one, notes="Sprain.")
    part(hospital, "plan", one, comments="<ul><li>Rest</li></ul>", notes="Call on Friday")
    part(hospital, "healthstatus", one, weight=12.4, weight_unit="kg", temperature=38.6, heart_rate=0,
         respiratory_rate=24, blood_pressure="")  # fmt: skip
    part(hospital, "presentingproblemlink", one, presenting_problem_id=901)
    part(hospital, "therapeutic", one, name="Bandage", comments="Left fore")
    part(hospital, "vaccination", one, product_id=802, qty="1", description=None, notes="Left flank")
    prescription = part(hospital, "prescription", one)
    hospital.writes("prescriptionitem", prescription_id=int(prescription), product_id=801, qty="15 ml",
                    instructions="0.5 ml once daily")  # fmt: skip
    part(hospital, "invoiceline", one, name="Exam", quantity="1")

    (answer,) = consulted(adapter, ref(one))
    found = answer.consultation
    assert answer.reason is None
    assert found is not None
    assert (found.external_id, found.appointment_id, found.held_at) == (one, "a1", instant(NINE))
    assert (found.inferred, found.status, found.discharge, found.declined, found.missing) == (False, None, None, (), ())
    assert (found.subjective, found.objective) == ("First & foremost.\n\nSecond.", "Bright.")
    assert (found.assessment, found.plan) == ("Sprain.", "- Rest\n\nCall on Friday")
    (vitals,) = found.vitals
    assert (vitals.weight, vitals.temperature) == (Measure(12.4, "kg"), Measure(38.6, None))
    assert (vitals.pulse, vitals.respiration, vitals.blood_pressure) == (None, Measure(24.0, None), None)
    assert found.diagnoses == ("Lameness",)
    assert found.treatments == (
        Item("Bandage", None, "Left fore"),
        Item("C5 vaccine", "1", "Left flank"),
        Item("Meloxicam oral suspension", "15 ml", "0.5 ml once daily"),
    )
    assert found.items == (Item("Exam", "1"),)


def test_many_are_asked_for_at_once(busy: Hospital) -> None:
    """One question for each part whatever the number, further pages of the small lists aside."""
    busy.tell("clock", at="2026-03-09T23:59:00+11:00")
    adapter = busy.open()
    wanted = [one for one in refs(rows(adapter).values()) if one.consultation_id]
    before = Counter(one["route"] for one in busy.asked())
    answers = consulted(adapter, *wanted)
    assert len(wanted) > 20
    assert [answer.ref for answer in answers] == wanted
    assert all(answer.consultation is not None and answer.consultation.missing == () for answer in answers)
    asked = Counter(one["route"] for one in busy.asked()) - before
    assert asked["/v1/consult"] == asked["/v1/healthstatus"] == asked["/v1/invoiceline"] == 1
    assert asked["/v1/history"] == -(-len(wanted) // 10)


def test_more_than_a_hundred_are_asked_for_in_batches(busy: Hospital) -> None:
    window = Window(DAY - timedelta(days=5), DAY, ZONE)
    adapter = busy.open()
    wanted = [one for one in refs(rows(adapter, window).values()) if one.consultation_id]
    assert len(wanted) > lists.BATCH
    answers = consulted(adapter, *wanted)
    assert [answer.ref for answer in answers] == wanted
    assert all(answer.consultation is not None for answer in answers)
    assert all(one["status"] == 200 for one in busy.asked())


def test_each_consultation_has_only_its_own(busy: Hospital) -> None:
    busy.tell("clock", at="2026-03-10T12:00:00+11:00")
    adapter = busy.open()
    wanted = [one for one in refs(rows(adapter).values()) if one.consultation_id]
    together = consulted(adapter, *wanted)
    for answer in together[:4]:
        assert consulted(busy.open(), answer.ref) == [answer]


def test_finalised_once_it_has_settled(busy: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    from app import clock  # noqa: PLC0415

    busy.tell("clock", at="2026-03-09T23:59:00+11:00")
    adapter = busy.open()
    wanted = [one for one in refs(rows(adapter).values()) if one.consultation_id]

    def finalised(at: str) -> set[bool]:
        monkeypatch.setattr(clock, "now", lambda: instant(at))
        return {answer.consultation.finalised for answer in consulted(adapter, *wanted) if answer.consultation}

    adapter.authenticate()
    assert finalised("2026-03-09T23:59:00+11:00") == {False}
    assert finalised("2026-03-11T01:00:00+11:00") == {True}
    monkeypatch.undo()
    note = busy.writes("history", f"{wanted[0].consultation_id}1", comments="An afterthought")
    assert note
    monkeypatch.setattr(clock, "now", lambda: instant("2026-03-10T23:00:00+11:00"))
    late = consulted(adapter, wanted[0])[0].consultation
    assert late is not None
    assert (late.subjective, late.finalised) == ("An afterthought", False)


def test_a_consult_that_is_not_there(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    out = consult(hospital, active=False)
    answers = consulted(adapter, ref("4711"), ref(out), ref(None))
    assert [(one.consultation, one.reason) for one in answers] == [
        (None, "not_found"),
        (None, "not_found"),
        (None, "none_yet"),
    ]


def test_the_only_consult_of_that_animal_on_that_day_is_taken_and_said_to_be_inferred(
    hospital: Hospital, adapter: EzyvetAdapter
) -> None:
    one = consult(hospital, "2026-03-09T23:30:00+11:00")
    consult(hospital, "2026-03-10T00:30:00+11:00")  # the day after, where the practice is
    (answer,) = consulted(adapter, ref(None))
    assert answer.consultation is not None
    assert (answer.consultation.external_id, answer.consultation.inferred) == (one, True)


def test_nothing_is_guessed_where_it_could_be_another(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    one = consult(hospital)
    named = consulted(adapter, ref(one, appointment="a1"), ref(None, appointment="a2"))
    assert [(answer.reason, bool(answer.consultation)) for answer in named] == [(None, True), ("none_yet", False)]
    both = consulted(adapter, ref(None, appointment="a1"), ref(None, appointment="a2"))
    assert [answer.reason for answer in both] == ["none_yet", "none_yet"]
    consult(hospital)
    assert [answer.reason for answer in consulted(adapter, ref(None))] == ["none_yet"]
