"""What the hospital's PMS can do to us, over HTTP: refused, limited, broken, lying. An error is never an empty list."""

from __future__ import annotations

from collections import Counter

import pytest

from app.domain.consultation import Consultation
from app.pms.errors import (
    PmsAuthFailed,
    PmsBadRequest,
    PmsError,
    PmsForbidden,
    PmsMalformed,
    PmsNotFound,
    PmsRateLimited,
    PmsUnavailable,
)
from app.pms.ezyvet import lists
from app.pms.ezyvet.adapter import EzyvetAdapter
from app.pms.limits import LocalLimiter
from tests.pms.ezyvet.hospital import NINE, WINDOW, Hospital, consulted, epoch, pages, ref, refs, rows

pytestmark = pytest.mark.feature("S05")
TOKEN, BOOK = "/v1/oauth/access_token", "/v2/appointment"
ALL_SCOPES = "appointment appointmenttype appointmentstatus resource systemsetting animal species breed contact"
ALL_SCOPES += " contactdetail contactdetailtype consult history physicalexam assessment plan healthstatus"
ALL_SCOPES += " presentingproblem presentingproblemlink therapeutic vaccination prescription prescriptionitem product"
ALL_SCOPES += " invoiceline"


def grant_all_but(hospital: Hospital, *names: str) -> None:
    hospital.tell("knobs", granted=[f"read-{name}" for name in ALL_SCOPES.split() if name not in names])


# --- getting in -------------------------------------------------------------------------------------------------------


@pytest.mark.fault("F13")
def test_a_token_the_vendor_ended_is_renewed_once_and_the_request_replayed(hospital: Hospital) -> None:
    hospital.books()
    adapter = hospital.open()
    adapter.authenticate()
    hospital.tell("tokens/expire")
    assert len(rows(adapter)) == 1
    assert len(hospital.asked(TOKEN)) == 2
    assert hospital.waits.slept == []


@pytest.mark.fault("F13")
def test_a_token_that_is_refused_as_soon_as_it_is_made_ends_the_asking(hospital: Hospital) -> None:
    hospital.breaks("unauthorised")
    with pytest.raises(PmsAuthFailed):
        pages(hospital.open())
    assert len(hospital.asked(TOKEN)) == 2


def test_a_refused_log_in_is_not_tried_for_ever(hospital: Hospital) -> None:
    for _ in range(4):
        with pytest.raises(PmsAuthFailed):
            hospital.open(client_secret="another").authenticate()
    assert len(hospital.asked(TOKEN)) == 2
    health = hospital.open().health_check()  # a person presses Test, with the secret put right
    assert health.healthy


@pytest.mark.parametrize("wrong", [{"client_id": "another"}, {"partner_id": "another"}, {"site_uid": "another"}])
def test_any_wrong_credential_is_told_as_one(hospital: Hospital, wrong: dict[str, str]) -> None:
    adapter = hospital.open(**wrong)
    with pytest.raises(PmsAuthFailed):
        adapter.validate_connection()
    health = adapter.health_check()
    assert (health.healthy, health.reason) == (False, "auth_failed")


def test_an_old_log_in_without_partner_and_one_with_its_site_both_work(hospital: Hospital) -> None:
    assert hospital.open(partner_id="").validate_connection()
    hospital.stores.rows.clear()
    assert hospital.open(site_uid="wattle-creek-uid").validate_connection()


def test_no_secret_is_in_an_address_or_an_error(hospital: Hospital) -> None:
    with pytest.raises(PmsAuthFailed) as caught:
        hospital.open(client_secret="a-secret-that-is-wrong").authenticate()
    assert "a-secret-that-is-wrong" not in f"{caught.value} {hospital.asked()}"


# --- what the site did not grant --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["appointment", "appointmenttype", "appointmentstatus", "resource", "animal"])
def test_without_what_a_sheet_needs_the_sweep_fails_as_forbidden(hospital: Hospital, name: str) -> None:
    grant_all_but(hospital, name)
    hospital.books()
    with pytest.raises(PmsForbidden):
        pages(hospital.open())


def test_without_clients_and_kinds_the_visits_are_still_shown(hospital: Hospital) -> None:
    grant_all_but(hospital, "contact", "contactdetail", "contactdetailtype", "species", "breed")
    hospital.books()
    adapter = hospital.open()
    (found,) = rows(adapter).values()
    assert found.patient is not None
    assert (found.patient.full_name, found.patient.species, found.client) == ("Biscuit", None, None)
    hospital.books(animal_id=802)
    rows(adapter)
    assert Counter(one["route"] for one in hospital.asked() if one["status"] == 403) == {
        "/v1/contact": 1,
        "/v1/species": 1,
        "/v1/breed": 1,
    }


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("history", "subjective"),
        ("physicalexam", "objective"),
        ("assessment", "assessment"),
        ("plan", "plan"),
        ("healthstatus", "vitals"),
        ("presentingproblemlink", "diagnoses"),
        ("presentingproblem", "diagnoses"),
        ("therapeutic", "treatments"),
        ("vaccination", "treatments"),
        ("prescription", "treatments"),
        ("prescriptionitem", "treatments"),
        ("invoiceline", "items"),
    ],
)
def test_a_part_that_was_not_granted_is_missing_and_the_others_are_there(busy: Hospital, name: str, part: str) -> None:
    grant_all_but(busy, name)
    adapter = busy.open()
    busy.tell("clock", at="2026-03-09T23:59:00+11:00")
    found = [
        one.consultation
        for one in consulted(adapter, *[one for one in refs(rows(adapter).values()) if one.consultation_id])
    ]
    assert len(found) > 20
    assert {one.missing for one in found if one} == {(part,)}
    texts = [one for one in ("subjective", "objective", "assessment", "plan") if one != part]
    assert all(getattr(one, text) for one in found for text in texts)


def test_without_products_a_medicine_has_its_number(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    grant_all_but(hospital, "product")
    one = hospital.writes("consult", animal_id=801, date=epoch(NINE))
    hospital.writes("vaccination", consult_id=int(one), timestamp=epoch(NINE), product_id=802, qty="1", description="")
    found = _told(adapter, one)
    assert [item.name for item in found.treatments] == ["Product 802"]
    assert found.missing == ()


def test_consultations_that_may_not_be_read_at_all_say_so_one_by_one(hospital: Hospital) -> None:
    grant_all_but(hospital, "consult")
    answers = consulted(hospital.open(), ref("1", appointment="a1"), ref(None, appointment="a2"))
    assert [(one.consultation, one.reason) for one in answers] == [(None, "forbidden")] * 2


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "seconds"),
    [
        ({"retry_after": 7}, 7),
        ({"reset": 9}, 9),
        ({"text": "Please wait 12 seconds before trying again."}, 12),
        ({}, 60),
    ],
)
def test_a_429_is_waited_out_and_shuts_the_site_for_everybody(
    hospital: Hospital, how: dict[str, object], seconds: float
) -> None:
    hospital.books()
    adapter = hospital.open()
    adapter.authenticate()
    hospital.breaks("rate_limited", BOOK, next=1, **how)
    assert len(rows(adapter)) == 1
    assert hospital.limiter.told == [seconds]
    assert hospital.waits.total == pytest.approx(seconds, abs=1.5)


def test_a_wait_that_is_too_long_for_a_run_is_handed_on(hospital: Hospital) -> None:
    hospital.breaks("rate_limited", BOOK, retry_after=600)
    with pytest.raises(PmsRateLimited) as caught:
        pages(hospital.open())
    assert caught.value.retry_after_s == 600
    assert hospital.waits.slept == []


def test_the_vendors_limit_is_met_by_waiting_as_long_as_it_says(hospital: Hospital) -> None:
    """The simulator counts for real; the wait it names is what we would have waited."""
    hospital.tell("knobs", per_endpoint=3)
    adapter = hospital.open()
    with pytest.raises(PmsRateLimited):
        for _ in range(6):
            pages(adapter)
    assert hospital.waits.total > 30
    assert all(seconds is not None and 0 < seconds <= 60 for seconds in hospital.limiter.told)


def test_each_endpoint_has_a_budget_of_its_own_within_that_of_the_site(hospital: Hospital) -> None:
    """The 61st question to one endpoint in a minute waits, though the site as a whole has places left."""
    hospital.tell("knobs", per_endpoint=1000, overall=1000)
    hospital.limiter = LocalLimiter(monotonic=lambda: 0.0)
    adapter = hospital.open(manual=True)
    for _ in range(60):
        adapter.appointment_types()
    with pytest.raises(PmsRateLimited):
        adapter.appointment_types()
    for _ in range(59):
        adapter.practitioners()
    for _ in range(60):
        adapter._asked.if_granted(lists.SPECIES)
    with pytest.raises(PmsRateLimited):  # the log-in was the first of the site's 180
        adapter._asked.if_granted(lists.BREED)
    asked = Counter(one["route"] for one in hospital.asked())
    assert asked == {"/v1/oauth/access_token": 1, "/v2/appointmenttype": 60, "/v1/resource": 59, "/v1/species": 60}


# --- broken answers ---------------------------------------------------------------------------------------------------


@pytest.mark.fault("F11")
@pytest.mark.parametrize("kind", ["outage", "error", "cut_body"])
@pytest.mark.parametrize("path", [BOOK, "/v1/animal", "/v1/resource", "/v1/contactdetail"])
def test_an_outage_is_tried_again_and_then_told(hospital: Hospital, kind: str, path: str) -> None:
    hospital.books()
    adapter = hospital.open()
    hospital.breaks(kind, path, next=2)
    assert len(rows(adapter)) == 1
    hospital.breaks(kind, path)
    with pytest.raises(PmsUnavailable):
        pages(hospital.open())


@pytest.mark.parametrize(
    "kind",
    [
        *(pytest.param(kind, marks=pytest.mark.fault("F16")) for kind in ("html", "envelope")),
        pytest.param("empty_body", marks=pytest.mark.fault("F18")),
        *("garbage", "truncated", "short_list"),
    ],
)
@pytest.mark.parametrize("path", [BOOK, "/v1/animal", "/v2/appointmenttype"])
def test_an_answer_that_is_none_is_never_an_empty_list(busy: Hospital, kind: str, path: str) -> None:
    busy.breaks(kind, path)
    with pytest.raises(PmsMalformed):
        pages(busy.open())


@pytest.mark.fault("F36")
def test_the_same_page_for_ever_is_noticed(busy: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE_SIZE", 7)
    busy.breaks("same_page", BOOK)
    with pytest.raises(PmsMalformed) as caught:
        pages(busy.open())
    assert caught.value.reason == "cursor_loop"


def test_a_chain_that_breaks_keeps_what_it_brought(busy: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE_SIZE", 7)
    adapter = busy.open()
    (part,) = adapter.partitions(WINDOW, ("21",))
    busy.breaks("error", BOOK, skip=2, status=500)
    brought = []
    with pytest.raises(PmsUnavailable):
        for page in adapter.appointments(part):
            brought.append(page)
    assert [len(page.appointments) for page in brought] == [7, 7]


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, PmsBadRequest), (404, PmsNotFound), (403, PmsForbidden), (500, PmsUnavailable), (503, PmsUnavailable)],
)
def test_each_status_is_told_by_what_follows(hospital: Hospital, status: int, error: type[PmsError]) -> None:
    hospital.breaks("error", BOOK, status=status)
    with pytest.raises(error):
        pages(hospital.open())


def test_a_trial_site_that_expired_is_not_an_empty_one(hospital: Hospital) -> None:
    hospital.breaks("error", "", status=404)
    adapter = hospital.open()
    with pytest.raises(PmsNotFound):
        pages(adapter)
    assert adapter.health_check().healthy is False


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        pytest.param("no_start", "missing", marks=pytest.mark.fault("F31")),
        ("bad_start", "invalid"),
        ("no_id", "missing"),
        ("not_an_object", "missing"),
        pytest.param("nan", "not_json", marks=pytest.mark.fault("F25")),
        pytest.param("same_key_twice", "dup_key", marks=pytest.mark.fault("F27")),
    ],
)
def test_a_record_that_cannot_be_read_is_set_aside_and_the_others_go_on(
    busy: Hospital, record: str, reason: str
) -> None:
    whole = rows(busy.open())
    busy.breaks("poison", BOOK, record=record, index=3)
    (page,) = pages(busy.open())
    (bad,) = page.rejected
    assert bad.reason == reason
    assert len(page.appointments) == len(whole) - 1
    assert page.received == len(whole)
    lost = sorted(whole)[3]
    assert bad.external_id == (None if record in ("no_id", "not_an_object", "nan") else lost)
    assert "soon" not in bad.path + bad.reason


def test_new_members_are_nothing_new(busy: Hospital) -> None:
    whole = rows(busy.open())
    busy.breaks("poison", BOOK, record="new_field")
    assert rows(busy.open()) == whole


def test_an_animal_that_cannot_be_read_sets_its_visits_aside(hospital: Hospital, adapter: EzyvetAdapter) -> None:
    bad, good = hospital.books(animal_id=801), hospital.books(animal_id=802)
    hospital.breaks("poison", "/v1/animal", record="bad_animal", index=0)
    (page,) = pages(adapter)
    assert [one.external_id for one in page.appointments] == [good]
    (rejected,) = page.rejected
    assert (rejected.external_id, rejected.path, rejected.reason) == (bad, "animal.date_of_birth", "invalid")
    assert b'"beside":' in rejected.payload


@pytest.mark.parametrize("kind", ["html", "garbage", "error"])
def test_a_part_that_is_broken_is_missing_where_the_vendor_as_such_answers(hospital: Hospital, kind: str) -> None:
    one = hospital.writes("consult", animal_id=801, date=epoch(NINE))
    hospital.writes("history", consult_id=int(one), timestamp=epoch(NINE), comments="Told")
    hospital.breaks(kind, "/v1/plan", status=400)
    found = _told(hospital.open(), one)
    assert (found.subjective, found.missing) == ("Told", ("plan",))


@pytest.mark.parametrize(
    ("kind", "error"), [("outage", PmsUnavailable), ("unauthorised", PmsAuthFailed), ("rate_limited", PmsRateLimited)]
)
def test_where_no_further_call_makes_sense_the_asking_ends(
    hospital: Hospital, kind: str, error: type[PmsError]
) -> None:
    one = hospital.writes("consult", animal_id=801, date=epoch(NINE))
    hospital.breaks(kind, "/v1/plan", retry_after=600)
    with pytest.raises(error):
        consulted(hospital.open(), ref(one))


@pytest.mark.parametrize(
    ("resource", "fields", "part"),
    [
        ("healthstatus", {"weight": "heavy"}, "vitals"),
        ("history", {"comments": 7, "timestamp": "then"}, "subjective"),
        ("presentingproblemlink", {"presenting_problem_id": 4711}, "diagnoses"),
        ("invoiceline", {"name": {"odd": 1}}, "items"),
    ],
)
def test_a_bad_value_makes_its_part_missing_in_that_one_consultation(
    hospital: Hospital, resource: str, fields: dict[str, object], part: str
) -> None:
    one, other = (hospital.writes("consult", animal_id=801, date=epoch(NINE)) for _ in range(2))
    hospital.writes(resource, **{"consult_id": int(one), "timestamp": epoch(NINE), **fields})
    answers = consulted(hospital.open(), ref(one, appointment="a1"), ref(other, appointment="a2"))
    assert [answer.consultation.missing for answer in answers if answer.consultation] == [(part,), ()]


def _told(adapter: EzyvetAdapter, consult: str) -> Consultation:
    (answer,) = consulted(adapter, ref(consult))
    assert answer.consultation is not None
    return answer.consultation
