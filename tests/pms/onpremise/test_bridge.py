"""S06, S07 over the bridge: log-in, paging, tombstones, joins, limits, and an agent that has gone quiet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from app import clock
from app.config import VendorSettings
from app.domain.status import Status
from app.domain.window import Window
from app.pms.errors import (
    PmsAuthFailed,
    PmsBadRequest,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotConfigured,
    PmsNotFound,
    PmsNotProvisioned,
    PmsRateLimited,
    PmsUnavailable,
    PmsUntrusted,
)
from app.pms.factory import environment_of
from app.pms.offers import NotOffered
from app.pms.onpremise.adapter import OnPremiseAdapter
from app.sandbox.onpremise import AUDIENCE, CLIENT_ID, PASSWORD, REALM, USER
from app.sandbox.stage.model import STATES
from tests.pms.conftest import Limiter, Waits
from tests.pms.onpremise.conftest import DAY, MONDAY, ZONE, Drops, Opened, at, pages, rows
from tests.sandbox.stage import StagedClinic

pytestmark = [pytest.mark.feature("S06"), pytest.mark.feature("S07")]

LIST = "/v2/Appointments"


def by_token(clinic: StagedClinic) -> VendorSettings:
    """An account that has tokens."""
    extra = {"client_id": CLIENT_ID, "audience": AUDIENCE, "realm": REALM}
    return VendorSettings(clinic.url, token_url=clinic.url.removesuffix("/v2") + "/oauth/token", extra=extra)


# --- let in -----------------------------------------------------------------------------------------------------------


def test_user_and_password_open_the_installation(clinic: StagedClinic, adapter: OnPremiseAdapter) -> None:
    adapter.authenticate()
    adapter.refresh_token()
    assert adapter.validate_connection() is True
    health = adapter.health_check()
    assert (health.healthy, health.message) == (True, f"{adapter.label} answers.")
    identity = adapter.identity()
    assert identity.external_id == f"installation {clinic.credentials['source']}"
    assert (identity.name, identity.timezone) == ("Banksia Street Animal Clinic", None)
    with pytest.raises(NotOffered):
        adapter.pair("ABCD1234")


def test_an_account_with_tokens_logs_in_once(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("knobs", basic=False)
    assert opened(clinic).validate_connection() is False
    adapter = opened(clinic, vendor=by_token(clinic))
    id_ = clinic.book(at("09:00"))
    assert set(rows(adapter)) == {id_}
    assert len(clinic.asked("/oauth/token")) == 1
    adapter.refresh_token()
    assert len(clinic.asked("/oauth/token")) == 2


def test_a_token_that_ends_in_mid_sweep_is_renewed_once(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("book", at=at("08:00"), count=230)
    clinic.fault("expire", path=LIST, skip=2, next=1)
    adapter = opened(clinic, vendor=by_token(clinic))
    assert len(rows(adapter)) == 230
    assert len(clinic.asked("/oauth/token")) == 2


def test_a_refused_log_in_is_not_insisted_on(clinic: StagedClinic, opened: Opened) -> None:
    adapter = opened(clinic, typed={"secret": "another-password"}, vendor=by_token(clinic))
    for _ in range(4):
        with pytest.raises(PmsAuthFailed):
            adapter.authenticate()
    assert len(clinic.asked("/oauth/token")) == 2
    wrong = opened(clinic, typed={"secret": "another-password"})
    assert wrong.validate_connection() is False
    with pytest.raises(PmsAuthFailed):
        pages(wrong)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"source": ""}, "Drop folder or installation ID"),
        ({"secret": " "}, "Drop key or bridge password"),
        ({"username": ""}, "user name"),
        ({"secret": "pässword"}, "cannot be sent"),
        ({"username": "a:b"}, "cannot be sent"),
        ({"source": "6f0d9a52-4c1e-4b7a-9d2e"}, None),
        ({"site_id": "1' or true"}, "site ID"),
    ],
)
def test_what_is_missing_or_cannot_be_is_named_and_never_shown(
    clinic: StagedClinic, opened: Opened, typed: dict[str, str], says: str | None
) -> None:
    if says is None:  # a short code is a folder's name, and nobody has set a root
        with pytest.raises(PmsNotConfigured):
            opened(clinic, typed=typed).authenticate()
        return
    with pytest.raises(PmsNotConfigured) as raised:
        opened(clinic, typed=typed)
    assert says in str(raised.value)
    assert PASSWORD not in str(raised.value)
    assert "pässword" not in str(raised.value)


def test_another_installation_and_another_system_are_refused(clinic: StagedClinic, opened: Opened) -> None:
    stranger = opened(clinic, typed={"source": "11111111-2222-4333-8444-555555555555"})
    for ask in (stranger.identity, lambda: pages(stranger)):
        with pytest.raises(PmsForbidden):
            ask()
    improved = opened(clinic, typed={"source": "00000000-1111-4222-8333-444444444444"})
    with pytest.raises(PmsForbidden):
        improved.identity()


def test_an_account_that_shows_no_appointments_is_told_at_once(clinic: StagedClinic, opened: Opened) -> None:
    clinic.control("knobs", shows_appointments=False)
    adapter = opened(clinic)
    for ask in (adapter.identity, lambda: pages(adapter), lambda: adapter.appointment("1")):
        with pytest.raises(PmsNotProvisioned):
            ask()


def test_it_is_live_at_the_bridges_own_address_only(clinic: StagedClinic) -> None:
    assert environment_of("https://api.vetdata.net/v2") == "live"
    assert environment_of(clinic.url) == "simulator"


# --- a row ------------------------------------------------------------------------------------------------------------


def test_a_visit_comes_whole(clinic: StagedClinic, adapter: OnPremiseAdapter, opened: Opened) -> None:
    rtf = r"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\f0 Limping\par left f\'f6re \{ok\}}"
    id_ = clinic.book(at("10:30"), practitioner_ids=["IMA"], type_id="VIDREV", reason=rtf, note="Bring referral")
    one = rows(adapter)[id_]
    assert one.starts_at.astimezone(ZONE).isoformat() == at("10:30")
    assert (one.practitioner_id, one.practitioner_name) == ("IMA", "Dr Isolde Marchetti")
    assert (one.type_id, one.type_name, one.minutes) == ("VIDREV", "Review, video", 20)
    assert one.comment == "Limping\nleft före {ok}\nBring referral"
    assert (one.telehealth_url, one.telehealth_hint) == (None, None)
    assert one.patient is not None
    assert one.client is not None
    assert (one.patient.external_id, one.patient.full_name) == ("8800-1", "Biscuit")
    assert (one.patient.species, one.patient.breed) == ("Canine", "Kelpie")
    assert (one.client.external_id, one.client.full_name) == ("8800", "Wilhelmina Quandongley")
    assert (one.client.phone, one.client.email) == ("0491 570 156", "wilhelmina.quandongley0@example.com")
    assert opened(clinic).appointment(id_) == one
    known = opened(clinic).patient("8800-1")
    assert (known.full_name, known.breed) == ("Biscuit", "Kelpie")
    with pytest.raises(PmsNotFound):
        adapter.patient("9999-9")


@pytest.mark.parametrize("state", STATES)
def test_every_state_is_told_both_ways(
    clinic: StagedClinic, adapter: OnPremiseAdapter, drops: Drops, opened: Opened, state: str
) -> None:
    id_ = clinic.book(at("10:00"), state=state)
    drops.export()
    for way in (adapter, opened(clinic, drops)):
        assert rows(way)[id_].status.value == state


@pytest.mark.parametrize("word", ["Doctor wants a word", "Not confirmed", "scheduled?", "booking"])
def test_an_unknown_word_is_never_booked_and_may_be_explained(
    clinic: StagedClinic, adapter: OnPremiseAdapter, opened: Opened, word: str
) -> None:
    id_ = clinic.book(at("10:00"), word=word)
    assert (rows(adapter)[id_].status, rows(adapter)[id_].raw_status) == (Status.UNKNOWN, word)
    assert rows(opened(clinic, words={word: "arrived"}))[id_].status is Status.ARRIVED


def test_words_are_read_whatever_their_case_and_hyphens(clinic: StagedClinic, adapter: OnPremiseAdapter) -> None:
    told = {"NO-SHOW": "no_show", " checked  IN": "arrived", "In_Exam": "in_progress", "Posted": "completed"}
    ids = {clinic.book(at("10:00"), word=word): status for word, status in told.items()}
    assert {id_: one.status.value for id_, one in rows(adapter).items()} == ids


def test_the_tickler_file_is_cornerstones(clinic: StagedClinic, adapter: OnPremiseAdapter) -> None:
    id_ = clinic.book(at("10:00"), word="Tickler")
    expected = Status.CANCELLED if clinic.kind == "cornerstone" else Status.UNKNOWN
    assert rows(adapter)[id_].status is expected


def test_blocks_first_visits_and_visits_with_nobody(clinic: StagedClinic, adapter: OnPremiseAdapter) -> None:
    block, first_visit, nobodys = (
        clinic.book(at(time), block=n == 0) for n, time in enumerate(("09:00", "10:00", "11:00"))
    )
    clinic.raw(first_visit, PatientId=None, PatientPmsId="")
    clinic.raw(nobodys, ProviderId="", ProviderName=None, PmsStatus=None, IsConfirmed=True, Duration=0)
    found = rows(adapter)
    assert found[block].is_block
    assert [one.external_id for one in found[first_visit].patients] == ["client:8800"]
    assert (found[nobodys].practitioner_id, found[nobodys].status) == ("unassigned", Status.CONFIRMED)
    assert (found[nobodys].minutes, found[nobodys].ends_at) == (None, None)


def test_the_primary_number_counts_else_a_mobile(clinic: StagedClinic, adapter: OnPremiseAdapter) -> None:
    for animal, phones, expected in (
        ("8800-1", [{"PhoneType": "Work", "PhoneNumber": "1"}, {"PhoneType": "Cell", "PhoneNumber": "2"}], "2"),
        ("8801-1", [{"Type": "Mobile", "Number": "3"}, {"Type": "Fax", "Number": "4", "IsPrimary": True}], "4"),
        ("8802-1", [{"Type": None, "Number": " "}, {"Number": "5"}], "5"),
        ("8803-1", None, None),
    ):
        clinic.raw(animal.split("-")[0], Phones=phones)
        id_ = clinic.book(at("10:00"), patient_id=animal)
        assert rows(adapter)[id_].client.phone == expected  # type: ignore[union-attr]
        adapter._feed._people._clients.clear()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("record", "fields", "drop", "path", "reason"),
    [
        ("visit", {"AppointmentDate": "2026-03-09T10:00:00Z"}, (), "$.AppointmentDate", "invalid"),
        ("visit", {"Duration": "long"}, (), "$.Duration", "wrong_type"),
        ("visit", {"Duration": 99_999_999}, (), "$.Duration", "out_of_range"),
        ("visit", {"PmsStatus": {"a": 1}}, (), "$.PmsStatus", "wrong_type"),
        ("8800-1", {"Name": ["Biscuit"]}, (), "$.Patients.Name", "wrong_type"),
        ("8800", {"Phones": "none"}, (), "$.Clients.Phones", "wrong_type"),
    ],
)
def test_a_bad_record_is_set_aside_with_its_place(
    clinic: StagedClinic,
    adapter: OnPremiseAdapter,
    record: str,
    fields: dict[str, Any],
    drop: tuple[str, ...],
    path: str,
    reason: str,
) -> None:
    bad, good = clinic.book(at("09:00")), clinic.book(at("10:00"), patient_id="8801-1")
    clinic.raw(bad if record == "visit" else record, drop, **fields)
    (page,) = pages(adapter)
    assert [one.external_id for one in page.appointments] == [good]
    assert [(one.external_id, one.path, one.reason) for one in page.rejected] == [(bad, path, reason)]
    assert page.received == 2
    with pytest.raises(PmsMalformed) as raised:
        adapter.appointment(bad)
    assert raised.value.path == path


@pytest.mark.parametrize(("sent", "reason"), [({"AppointmentDate": "soon"}, "invalid"), ({}, "missing")])
def test_a_visit_whose_date_cannot_be_read_is_on_no_list_and_told_by_its_id(
    clinic: StagedClinic, adapter: OnPremiseAdapter, sent: dict[str, str], reason: str
) -> None:
    id_ = clinic.book(at("09:00"))
    clinic.raw(id_, () if sent else ("AppointmentDate",), **sent)
    assert rows(adapter) == {}
    with pytest.raises(PmsMalformed) as raised:
        adapter.appointment(id_)
    assert (raised.value.path, str(raised.value)) == ("$.AppointmentDate", f"{reason} at $.AppointmentDate")


# --- pages ------------------------------------------------------------------------------------------------------------


def test_pages_overlap_and_each_row_comes_once(clinic: StagedClinic, adapter: OnPremiseAdapter) -> None:
    clinic.control("book", at=at("08:00"), count=450)
    found = pages(adapter)
    assert [page.received for page in found] == [200, 190, 60]
    assert [page.from_start for page in found] == [True, False, False]
    assert len(rows(adapter)) == 450
    asked = [one["query"] for one in clinic.asked(LIST) if "AppointmentDate" in one["query"]]
    assert ["%24skip=0" in asked[0], "%24skip=190" in asked[1], "%24skip=380" in asked[2]] == [True] * 3
    assert "datetime%272026-03-09T00%3A00%3A00%27" in asked[0]


@pytest.mark.parametrize("count", [199, 200, 201])
def test_a_page_that_is_just_full(clinic: StagedClinic, adapter: OnPremiseAdapter, count: int) -> None:
    clinic.control("book", at=at("08:00"), count=count)
    assert len(rows(adapter)) == count


@pytest.mark.fault("F38")
def test_a_row_removed_while_pages_are_read_loses_none_behind_it(
    clinic: StagedClinic, adapter: OnPremiseAdapter
) -> None:
    booked = clinic.control("book", at=at("00:00"), count=450)["ids"]
    reading = adapter.appointments(*adapter.partitions(MONDAY, []))
    met = [one.external_id for one in next(reading).appointments]
    for id_ in met[:20]:
        clinic.delete(id_)
    clinic.book(at("23:00"))
    met += [one.external_id for page in reading for one in page.appointments]
    assert set(booked) <= set(met)


@pytest.mark.fault("F38")
def test_rows_that_move_under_the_reading_end_it_instead_of_being_missed(
    clinic: StagedClinic, adapter: OnPremiseAdapter
) -> None:
    clinic.control("book", at=at("00:00"), count=450)
    reading = adapter.appointments(*adapter.partitions(MONDAY, []))
    for one in list(next(reading).appointments)[:40]:
        clinic.change(one.external_id, at=at("09:00", 20))
    with pytest.raises(PmsUnavailable) as raised:
        list(reading)
    assert raised.value.reason == "interrupted"


@pytest.mark.fault("F36")
def test_a_bridge_that_always_sends_the_first_page_is_noticed(clinic: StagedClinic, adapter: OnPremiseAdapter) -> None:
    clinic.control("book", at=at("00:00"), count=250)
    clinic.control("knobs", looping=True)
    with pytest.raises(PmsMalformed) as raised:
        pages(adapter)
    assert raised.value.reason == "cursor_loop"
    assert len(clinic.asked(LIST)) == 3  # whether it is alive, and two pages


def test_people_are_asked_for_in_groups_and_once(clinic: StagedClinic, adapter: OnPremiseAdapter) -> None:
    for number in range(90):
        clinic.book(at("10:00"), patient_id=f"{8800 + number // 3}-{number % 3 + 1}")
    rows(adapter)
    rows(adapter)
    assert (len(clinic.asked("/v2/Patients")), len(clinic.asked("/v2/Clients"))) == (3, 1)


@pytest.mark.parametrize("timezone", ["Pacific/Honolulu", "Pacific/Auckland", "Australia/Melbourne"])
def test_a_practice_in_another_zone_reads_the_days_it_asks_for(
    clinic: StagedClinic, opened: Opened, timezone: str
) -> None:
    """The bridge tells wall times without a zone: the practice's own is taken."""
    id_ = clinic.book(at("23:30"))
    found = rows(opened(clinic, timezone=timezone), Window(DAY, DAY, opened(clinic, timezone=timezone)._zone))
    assert found[id_].starts_at.astimezone(opened(clinic, timezone=timezone)._zone).strftime("%H:%M") == "23:30"


@pytest.mark.fault("F44")
@pytest.mark.parametrize(
    ("day", "time", "utc", "doubt"),
    [
        (date(2026, 10, 4), "02:30", "2026-10-03T16:30", "skipped"),
        (date(2026, 10, 4), "03:30", "2026-10-03T16:30", None),
        (date(2026, 4, 5), "02:30", "2026-04-04T15:30", "twice"),
        (date(2026, 4, 5), "03:30", "2026-04-04T17:30", None),
    ],
)
def test_both_clock_changes(
    clinic: StagedClinic, adapter: OnPremiseAdapter, day: date, time: str, utc: str, doubt: str | None
) -> None:
    clinic.fresh(f"{day}T00:00:00Z")
    id_ = clinic.book(f"{day}T00:00:00Z")
    clinic.raw(id_, AppointmentDate=f"{day}T{time}:00")
    one = rows(adapter, Window(day, day, ZONE))[id_]
    assert one.starts_at == datetime.fromisoformat(f"{utc}Z").astimezone(UTC)
    assert (one.time_doubt and str(one.time_doubt)) == doubt


# --- who is gone, and is anybody there --------------------------------------------------------------------------------


def test_a_tombstone_is_proof_and_costs_no_call(
    clinic: StagedClinic, adapter: OnPremiseAdapter, opened: Opened
) -> None:
    gone, there = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.delete(gone)
    assert set(rows(adapter)) == {there}
    before = len(clinic.asked())
    with pytest.raises(PmsNotFound):
        adapter.appointment(gone)
    assert len(clinic.asked()) == before
    for id_ in (gone, "777", "a'b"):
        with pytest.raises(PmsNotFound):
            opened(clinic).appointment(id_)
    assert opened(clinic).appointment(there).external_id == there


def test_a_bridge_gone_quiet_is_as_old_as_its_last_word_and_calls_nobody_gone(
    clinic: StagedClinic, opened: Opened
) -> None:
    id_, gone = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.delete(gone)
    clinic.control("knobs", stale_h=30)
    adapter = opened(clinic)
    (page,) = pages(adapter)
    assert [one.external_id for one in page.appointments] == [id_]
    assert page.as_of is not None
    assert timedelta(hours=29) < clock.now() - page.as_of < timedelta(hours=31)
    with pytest.raises(PmsUnavailable) as raised:
        adapter.appointment("777")
    assert raised.value.reason == "stale_bridge"
    with pytest.raises(PmsNotFound):
        adapter.appointment(gone)
    clinic.control("knobs", stale_h=20)
    assert [one.as_of for one in pages(opened(clinic))] == [None]


def test_staff_and_types_are_those_who_have_visits(clinic: StagedClinic, adapter: OnPremiseAdapter) -> None:
    now = clock.now()
    clinic.sandbox.control("clock", at=now.isoformat())
    for offset, who, kind in ((-5, "IMA", "VIDNEW"), (0, "WOK", "PHONE"), (9, "IMA", "ROOM"), (30, "RNI", "VIDREV")):
        clinic.book((now + timedelta(days=offset)).isoformat(), practitioner_ids=[who], type_id=kind)
    assert {one.external_id: one.full_name for one in adapter.practitioners()} == {
        "IMA": "Dr Isolde Marchetti",
        "WOK": "Dr Wren Okafor",
    }
    assert {one.external_id for one in adapter.appointment_types()} == {"VIDNEW", "PHONE", "ROOM"}
    assert len(clinic.asked(LIST)) == 1


def test_one_practice_of_several_in_a_database(clinic: StagedClinic, opened: Opened) -> None:
    mine, theirs = clinic.book(at("09:00")), clinic.book(at("10:00"))
    clinic.raw(theirs, SiteId="B2")
    assert set(rows(opened(clinic, typed={"site_id": "1"}))) == {mine}
    assert opened(clinic, typed={"site_id": "1"}).identity().external_id.endswith(" site 1")
    assert set(rows(opened(clinic))) == {mine, theirs}


# --- faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "error"), [(400, PmsBadRequest), (401, PmsAuthFailed), (403, PmsForbidden)])
def test_a_refusal_ends_the_sweep(
    clinic: StagedClinic, adapter: OnPremiseAdapter, status: int, error: type[PmsError]
) -> None:
    clinic.fault("status", status=status)
    with pytest.raises(error):
        pages(adapter)
    assert len(clinic.asked()) == 1


@pytest.mark.parametrize("status", [500, 503])
def test_an_outage_is_tried_again_and_what_lasts_is_told(
    clinic: StagedClinic, adapter: OnPremiseAdapter, status: int
) -> None:
    clinic.book(at("09:00"))
    clinic.fault("status", status=status, next=2)
    assert len(rows(adapter)) == 1
    clinic.fault("status", status=status)
    with pytest.raises(PmsUnavailable):
        pages(adapter)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("html", "bad_envelope"), ("garbage", "encoding"), ("empty", "empty_body"), ("object", "bad_envelope")],
)
@pytest.mark.parametrize("path", [LIST, "/v2/Patients", "/v2/Clients"])
def test_an_answer_that_is_no_list_is_never_an_empty_one(
    clinic: StagedClinic, adapter: OnPremiseAdapter, fault: str, reason: str, path: str
) -> None:
    clinic.book(at("09:00"))
    clinic.fault(fault, path=path)
    with pytest.raises(PmsMalformed) as raised:
        pages(adapter)
    assert raised.value.reason == reason


def test_a_redirect_is_not_followed(clinic: StagedClinic, adapter: OnPremiseAdapter) -> None:
    clinic.fault("redirect")
    with pytest.raises(PmsUntrusted):
        pages(adapter)


def test_a_limit_is_kept_as_long_as_the_bridge_says(
    clinic: StagedClinic, adapter: OnPremiseAdapter, limiter: Limiter, waits: Waits
) -> None:
    clinic.book(at("09:00"))
    clinic.fault("status", status=429, retry_after=7, next=1)
    assert len(rows(adapter)) == 1
    assert limiter.told == [7.0]
    assert waits.total >= 7
    clinic.control("knobs", limits=[[1, 60]])
    with pytest.raises(PmsRateLimited):
        pages(adapter)


def test_nothing_of_a_patient_or_a_password_is_logged(
    clinic: StagedClinic, opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="app")
    clinic.raw(clinic.book(at("09:00")), Duration="Biscuit")
    adapter = opened(clinic, vendor=by_token(clinic))
    pages(adapter)
    assert opened(clinic).limit_key() == adapter.limit_key()
    said = "\n".join(f"{one.getMessage()} {one.__dict__}" for one in caplog.records if one.name.startswith("app."))
    assert "asked the PMS" in said
    for secret in (PASSWORD, USER, "Biscuit", "Quandongley", "8800", clinic.credentials["source"]):
        assert secret not in said
        assert secret not in adapter.limit_key() + repr(adapter._feed)
