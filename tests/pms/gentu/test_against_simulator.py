"""S01: the real adapter against the simulated Gentu, over HTTP; the two share no code."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from app.domain.status import Status
from app.domain.window import Window
from app.pms.errors import (
    PairingRefused,
    PmsAuthFailed,
    PmsForbidden,
    PmsNotFound,
    PmsNotProvisioned,
)
from app.pms.gentu.adapter import GentuAdapter
from tests.pms.gentu.paired import (
    NINE,
    WINDOW,
    ZONE,
    Practice,
    _demo,
    _empty,
    adapter,
    counted,
    demo,
    pages,
    practice,
    rows,
    sandbox,
)
from tests.sandbox.process import RunningSandbox

__all__ = ["_demo", "_empty", "adapter", "demo", "practice", "sandbox"]

pytestmark = pytest.mark.feature("S01")


# --- pairing and doors ------------------------------------------------------------------------------------------------


def test_a_code_pairs_once_and_names_the_practice(practice: Practice, sandbox: RunningSandbox) -> None:
    adapter, code = practice.open(None), sandbox.pairing_code()
    tenant = adapter.pair(f" {code} ")
    assert practice.open(tenant).identity().external_id == tenant == sandbox.tenant_id
    with pytest.raises(PairingRefused) as raised:
        adapter.pair(code)
    assert raised.value.reason == "code_refused"


def test_a_lost_answer_to_a_code_is_told_and_the_code_is_not_sent_again(
    practice: Practice, sandbox: RunningSandbox
) -> None:
    sandbox.break_("outage", path="/apps", mode="close")
    with pytest.raises(PairingRefused) as raised:
        practice.open(None).pair(sandbox.pairing_code())
    assert raised.value.reason == "code_maybe_used"
    assert counted(sandbox, "PUT /apps/{app_id}/pairing/{code}") == 1


def test_a_practice_that_never_paired_is_closed(practice: Practice, sandbox: RunningSandbox) -> None:
    assert practice.open(sandbox.state()["tenants"][1]["tenantId"]).validate_connection() is False


def test_a_practice_that_left_is_closed(practice: Practice, adapter: GentuAdapter, sandbox: RunningSandbox) -> None:
    assert adapter.validate_connection() is True
    sandbox.control(f"tenants/{sandbox.tenant_id}", access="disabled")
    with pytest.raises(PmsForbidden):
        adapter.practitioners()


def test_a_wrong_secret_is_tried_twice_and_never_again(practice: Practice, sandbox: RunningSandbox) -> None:
    for _ in range(4):
        with pytest.raises(PmsAuthFailed):
            practice.open(sandbox.tenant_id, client_secret="wrong").authenticate()
    assert sandbox.state()["token_requests"] == 2


def test_an_app_that_is_not_set_up_is_no_outage(adapter: GentuAdapter, sandbox: RunningSandbox) -> None:
    sandbox.break_("unprovisioned")
    with pytest.raises(PmsNotProvisioned):
        adapter.identity()
    health = adapter.health_check()
    assert (health.healthy, health.reason) == (False, "not_provisioned")
    sandbox.mend()
    assert adapter.health_check().healthy


def test_a_token_that_ends_in_mid_sweep_is_renewed_once(adapter: GentuAdapter, sandbox: RunningSandbox) -> None:
    ids = sandbox.control("appointments", starts_at=NINE, count=110)["ids"]
    people = [one.external_id for one in adapter.practitioners() if one.works_here]
    before = sandbox.state()["token_requests"]
    chain = adapter.appointments(adapter.partitions(WINDOW, people)[0])
    found = [row.external_id for row in next(chain).appointments]
    sandbox.control("tokens/expire")
    found += [row.external_id for one in chain for row in one.appointments]
    assert sorted(found) == sorted(ids)
    assert sandbox.state()["token_requests"] == before + 1


def test_many_threads_whose_token_ended_log_in_once(adapter: GentuAdapter, sandbox: RunningSandbox) -> None:
    adapter.identity()
    before = sandbox.state()["token_requests"]
    sandbox.control("tokens/expire")
    with ThreadPoolExecutor(12) as pool:
        assert len(list(pool.map(lambda _: adapter.identity(), range(24)))) == 24
    assert sandbox.state()["token_requests"] == before + 1


# --- the book ---------------------------------------------------------------------------------------------------------


def test_every_page_is_followed_and_every_row_arrives_once(adapter: GentuAdapter, sandbox: RunningSandbox) -> None:
    ids = sandbox.control("appointments", starts_at=NINE, count=250, every_minutes=1)["ids"]
    found = [row.external_id for one in pages(adapter) for row in one.appointments]
    assert sorted(found) == sorted(ids)
    state = sandbox.state()
    assert (state["z_dates"], state["raw_plus_dates"]) == (0, 0)


def test_the_demo_day_arrives_as_it_is(demo: RunningSandbox) -> None:
    """Every row of the truth, with oddities, compared member by member by a reader that is not ours."""
    practice = Practice(demo)
    adapter = practice.open(demo.tenant_id)
    in_book = {one.external_id for one in adapter.practitioners() if one.works_here}
    truth = {row["id"]: row for row in demo.truth() if in_book & set(_of(row, "provider"))}
    names = {one.external_id: one.name for one in adapter.appointment_types()}
    found = rows(adapter)
    assert found.keys() == truth.keys()
    assert len(found) > 50
    for external_id, row in found.items():
        sent = truth[external_id]
        start = datetime.fromisoformat(sent["startAt"])
        assert row.starts_at == start
        assert row.raw_status == sent["status"]
        assert [one.external_id for one in row.patients] == _of(sent, "patient")
        assert {row.practitioner_id, *row.other_practitioner_ids} == set(_of(sent, "provider"))
        assert row.practitioner_id in in_book
        assert row.type_name == names.get(sent["appointmentType"]["reference"], "Unknown")
        assert row.comment == (sent["comment"] or sent["description"])
        if sent["endAt"]:
            assert row.ends_at == datetime.fromisoformat(sent["endAt"])
        elif sent["minutesDuration"]:
            assert row.ends_at == start + timedelta(minutes=sent["minutesDuration"])
        assert all(one.full_name not in {"", "Unknown patient"} for one in row.patients)
    assert {row.status for row in found.values()} >= {
        Status.BOOKED,
        Status.ARRIVED,
        Status.COMPLETED,
        Status.CANCELLED,
    }
    assert any(row.is_block for row in found.values())
    assert any(len(row.patients) > 2 for row in found.values())
    assert any(row.other_practitioner_ids for row in found.values())
    adapter.close()


def _of(row: dict[str, Any], kind: str) -> list[str]:
    return [one["referenceId"] for one in row["participant"] if one["referenceType"] == kind]


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        (["no_end"], (20, 20)),
        (["no_minutes"], (20, 20)),
        (["no_end", "no_minutes"], (15, 15)),
        ([], (20, 20)),
    ],
)
def test_what_is_left_out_of_a_length_is_filled_in(
    adapter: GentuAdapter, sandbox: RunningSandbox, odd: list[str], expected: tuple[int, int]
) -> None:
    sandbox.control("appointments", starts_at=NINE, minutes=20, type="Video Follow-up", odd=odd)
    (row,) = rows(adapter).values()
    assert row.ends_at is not None
    assert (row.minutes, (row.ends_at - row.starts_at).total_seconds() / 60) == expected


def test_a_patient_who_is_not_side_loaded_is_asked_for(adapter: GentuAdapter, sandbox: RunningSandbox) -> None:
    sandbox.control(
        "appointments", starts_at=NINE, patient={"family": "Fennick", "given": "Marlow"}, odd=["not_side_loaded"]
    )
    sandbox.control("appointments", starts_at=NINE, patient_id="0b6f0f9a-9a55-4b0e-8a6e-0b9d4f4f1c99")
    assert sorted(row.patients[0].full_name for row in rows(adapter).values()) == ["Marlow Fennick", "Unknown patient"]


def test_a_joint_visit_has_the_same_main_practitioner_in_both_sweeps(
    adapter: GentuAdapter, sandbox: RunningSandbox
) -> None:
    people = [one.external_id for one in adapter.practitioners() if one.works_here]
    sandbox.control("appointments", starts_at=NINE, practitioner_ids=people[:2])
    found = [row for one in pages(adapter) for row in one.appointments]
    assert len(found) == 2
    assert found[0] == found[1]
    assert found[0].other_practitioner_ids == (people[1],)


def test_a_status_moves_as_reception_moves_it(adapter: GentuAdapter, sandbox: RunningSandbox) -> None:
    visit = sandbox.control("appointments", starts_at=NINE)["id"]
    for word, expected in [
        ("confirmed", Status.CONFIRMED),
        ("in_waiting_room", Status.ARRIVED),
        ("with_doctor", Status.IN_PROGRESS),
        ("completed", Status.COMPLETED),
        ("triaged", Status.UNKNOWN),
        ("did_not_arrive", Status.NO_SHOW),
    ]:
        sandbox.control(f"appointments/{visit}/status", status=word)
        row = adapter.appointment(visit)
        assert (row.status, row.raw_status) == (expected, word)


def test_a_cancelled_visit_stays_and_a_deleted_one_answers_404(adapter: GentuAdapter, sandbox: RunningSandbox) -> None:
    stamped, deleted = (sandbox.control("appointments", starts_at=NINE)["id"] for _ in range(2))
    sandbox.control(f"appointments/{stamped}/cancel", keep_status=True)
    sandbox.control(f"appointments/{deleted}/delete")
    (row,) = rows(adapter).values()
    assert (row.external_id, row.status, row.raw_status) == (stamped, Status.CANCELLED, "none")
    assert row.cancelled_at is not None
    with pytest.raises(PmsNotFound):
        adapter.appointment(deleted)


def test_a_type_made_after_the_list_was_read_is_found(adapter: GentuAdapter, sandbox: RunningSandbox) -> None:
    adapter.appointment_types()
    kind = sandbox.control("types", text="Phone Review", minutes=10)["id"]
    sandbox.control("appointments", starts_at=NINE, type_id=kind)
    (row,) = rows(adapter).values()
    assert row.type_name == "Phone Review"


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 4, 5), 25), (date(2026, 10, 4), 23)])
def test_a_day_on_which_the_clocks_change_is_read_to_its_ends(
    adapter: GentuAdapter, sandbox: RunningSandbox, day: date, hours: int
) -> None:
    window = Window(day, day, ZONE)
    assert window.end - window.start == timedelta(hours=hours)
    for at in (window.start, window.end - timedelta(minutes=1), window.start - timedelta(minutes=1), window.end):
        sandbox.control("appointments", starts_at=at.isoformat())
    found = sorted(row.starts_at for row in rows(adapter, window).values())
    assert found == [window.start, window.end - timedelta(minutes=1)]
