"""How a vendor is spoken to, shown by whole syncs: retries, limits, tokens, one client that believes nothing."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import select, text, update

from app import clock
from app.config import VendorSettings
from app.pms.limits import Limiter, LocalLimiter
from app.pms.redis_limiter import RedisLimiter
from app.store import connections, practices, schedules
from app.store.db import Base
from app.store.models import PmsAppToken
from app.store.models.sync import RunState, Trigger
from app.sync.engine import Engine
from tests.fakes.house import shared_postgresql, shared_sqlite, store
from tests.features.surgery import DAY, Surgery, opened, surgery

__all__ = ["shared_postgresql", "shared_sqlite", "store", "surgery"]

BOOK = "/tenants/*/appointments"


@dataclass
class Waits:
    """The waits of a sync, which nobody sits out: the limiter's clock goes forward instead."""

    slept: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)

    @property
    def total(self) -> float:
        return sum(self.slept)


@pytest.fixture
def waits(surgery: Surgery, monkeypatch: pytest.MonkeyPatch) -> Waits:
    made = Waits()
    monkeypatch.setattr(clock, "sleep", made)
    surgery.engine._limiter = LocalLimiter(sleep=made, monotonic=lambda: made.total)
    return made


def asked(surgery: Surgery, ending: str = "/appointments") -> list[dict[str, Any]]:
    return [one for one in surgery.sandbox.state(log=1000)["log"] if one["path"].endswith(ending)]


def second_tenant(surgery: Surgery) -> str:
    return str(surgery.sandbox.state(log=0)["tenants"][1]["tenantId"])


def with_limiter(surgery: Surgery, limiter: Limiter, **limits: int) -> Engine:
    """As another worker has it: the same database and vendor, a limiter of its own."""
    vendor = surgery.engine.vendor("gentu")
    tight = VendorSettings(vendor.base_url, extra=vendor.extra, **limits)
    return Engine(surgery.store, surgery.vault, lambda _: tight, limiter)


# --- E01: trying again ------------------------------------------------------------------------------------------------


@pytest.mark.feature("E01")
@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_after_a_jittered_wait(surgery: Surgery, waits: Waits, status: int) -> None:
    (id_,) = surgery.books()
    first = surgery.in_book()[0]
    surgery.sandbox.break_("error", status=status, path=BOOK, query=f"practitionerId={first}", next=2)
    surgery.sandbox.control("traffic/reset")
    assert surgery.sync(DAY).state is RunState.SUCCESS
    theirs = [one["status"] for one in asked(surgery) if first in one["query"]]
    assert theirs == [status, status, 200]
    assert 0 < waits.total <= 3.0 + (2.0 if status == 429 else 0), "full jitter: at most one second, then at most two"
    assert surgery.shown(DAY) == {id_}


@pytest.mark.feature("E01")
@pytest.mark.promise("P10")
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_never_sooner_than_the_vendor_says(surgery: Surgery, waits: Waits, form: str) -> None:
    surgery.books()
    said: str | int = 7
    if form == "date":  # whole seconds, so that at least seven are left when it arrives
        said = format_datetime((clock.now() + timedelta(seconds=9)).astimezone(UTC), usegmt=True)
    surgery.sandbox.break_("rate_limited", retry_after=said, path=BOOK, next=1)
    assert surgery.sync(DAY).state is RunState.SUCCESS
    assert waits.total >= 7
    surgery.stands_as_at_the_vendor()


@pytest.mark.feature("E01")
@pytest.mark.promise("P10")
def test_a_wait_too_long_for_a_run_is_kept_by_the_schedule(surgery: Surgery, waits: Waits) -> None:
    surgery.books()
    surgery.sandbox.break_("rate_limited", retry_after=7200, path=BOOK, next=1)
    result = surgery.sync(DAY)
    assert (result.state, result.reason) == (RunState.DEFERRED, "rate_limited")
    with surgery.store.read() as session:
        due = schedules.next_due(session, [surgery.connection_id])[surgery.connection_id]
    assert due >= clock.now() + timedelta(seconds=7100)
    assert surgery.connection().state == "active"
    assert [run.not_before for run in surgery.runs() if run.state == RunState.QUEUED and run.not_before is None] == []


@pytest.mark.feature("E01")
@pytest.mark.parametrize(
    ("status", "times", "reason"), [(503, 3, "server_error"), (400, 1, "refused"), (404, 1, "not_found")]
)
def test_three_attempts_and_no_more_and_none_where_it_cannot_help(
    surgery: Surgery, waits: Waits, status: int, times: int, reason: str
) -> None:
    ids = surgery.books(count=2)
    surgery.sync(DAY)
    first = surgery.in_book()[0]
    surgery.sandbox.break_("error", status=status, path=BOOK)
    surgery.sandbox.control("traffic/reset")
    result = surgery.sync(DAY)
    assert (result.state, result.reason) == (RunState.FAILED, reason)
    assert len([one for one in asked(surgery) if first in one["query"]]) == times
    assert surgery.shown(DAY) == set(ids), "an error is never an empty book"


# --- E02: limits ------------------------------------------------------------------------------------------------------


@pytest.mark.feature("E02")
@pytest.mark.promise("P9")
def test_two_workers_of_two_practices_keep_one_limit_and_leave_something_for_people(
    surgery: Surgery, redis_url: str
) -> None:
    for number in range(12):
        surgery.sandbox.control("practitioners", family=f"Extra {number}", given="Dr")
    with Redis.from_url(redis_url) as one, Redis.from_url(redis_url) as other:
        one.flushall()
        workers = [with_limiter(surgery, RedisLimiter(at), requests_per_minute=10) for at in (one, other)]
        far = opened(
            surgery.engine, surgery.sandbox, "Far Away", surgery.sandbox.state(log=0)["tenants"][1]["tenantId"]
        )
        surgery.sandbox.control("traffic/reset")
        ended = []
        for practice, engine in zip((surgery, far), workers, strict=True):
            practice.engine = engine
            ended.append(practice.sync(DAY))
        assert [(run.state, run.reason) for run in ended] == [(RunState.DEFERRED, "rate_limited")] * 2
        assert len(surgery.sandbox.state(log=1000)["log"]) == 8, "a fifth of the ten is kept for people"
        assert far.sync(DAY, trigger=Trigger.MANUAL).state is RunState.DEFERRED
        assert len(surgery.sandbox.state(log=1000)["log"]) == 10
        told = b"".join(one.dump(key) + key for key in one.scan_iter())
    assert b"runsheet-demo-client" not in told


@pytest.mark.feature("E02")
def test_the_hour_has_a_limit_of_its_own(surgery: Surgery) -> None:
    surgery.engine = with_limiter(surgery, LocalLimiter(), requests_per_minute=1000, requests_per_hour=3)
    surgery.sandbox.control("traffic/reset")
    assert surgery.sync(DAY).state is RunState.DEFERRED
    assert len(surgery.sandbox.state(log=1000)["log"]) == 3


@pytest.mark.feature("E02")
@pytest.mark.fault("F8")
def test_after_a_429_no_worker_asks_before_its_time(surgery: Surgery, redis_url: str) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
        workers = [with_limiter(surgery, RedisLimiter(redis), requests_per_minute=1000) for _ in range(2)]
        far = opened(
            surgery.engine, surgery.sandbox, "Far Away", surgery.sandbox.state(log=0)["tenants"][1]["tenantId"]
        )
        surgery.sandbox.break_("rate_limited", retry_after=600, next=1, path="/tenants")
        surgery.sandbox.control("traffic/reset")
        for practice, engine in zip((surgery, far), workers, strict=True):
            practice.engine = engine
            assert practice.sync(DAY).state is RunState.DEFERRED
    assert len(asked(surgery, "")) == 1


# --- E03: tokens ------------------------------------------------------------------------------------------------------


def token_requests(surgery: Surgery) -> int:
    return int(surgery.sandbox.state(log=0)["token_requests"])


def stored_token(surgery: Surgery) -> PmsAppToken:
    with surgery.store.read() as session:
        return session.scalars(select(PmsAppToken)).one()


@pytest.mark.feature("E03")
def test_the_token_is_stored_encrypted_and_used_again_by_every_worker(surgery: Surgery) -> None:
    before = token_requests(surgery)
    for _ in range(2):
        surgery.engine = with_limiter(surgery, LocalLimiter(), requests_per_minute=1000)
        assert surgery.sync(DAY).state is RunState.SUCCESS
    assert token_requests(surgery) == before, "the one from pairing still serves"
    adapter = surgery.engine.open(surgery.connection(), practice_of(surgery), manual=False)
    in_use = adapter._tokens.get_valid_token()  # type: ignore[attr-defined]
    adapter.close()
    with surgery.store.read() as session:
        everything = [
            str(row)
            for table in Base.metadata.sorted_tables
            for row in session.execute(text(f"SELECT * FROM {table.name}"))
        ]
    assert everything
    assert not any(in_use in one for one in everything)
    assert str(stored_token(surgery).access_token).startswith("v1.")


def practice_of(surgery: Surgery) -> Any:
    with surgery.store.read() as session:
        return practices.get(session, surgery.practice_id)


@pytest.mark.feature("E03")
def test_a_token_is_renewed_before_its_end_so_that_no_request_meets_a_401(surgery: Surgery) -> None:
    with surgery.store.write() as session:
        now = clock.now()
        lived, left = now - timedelta(minutes=56), now + timedelta(minutes=4)
        session.execute(update(PmsAppToken).values(token_issued_at=lived, token_expires_at=left))
    surgery.sandbox.control("traffic/reset")
    assert surgery.sync(DAY).state is RunState.SUCCESS
    state = surgery.sandbox.state(log=1000)
    assert state["token_requests"] == 1
    assert {one["status"] for one in state["log"]} == {200}


@pytest.mark.feature("E03")
@pytest.mark.promise("P13")
@pytest.mark.fault("F13")
def test_a_token_the_vendor_ended_is_renewed_once_by_many_chains_of_several_workers(surgery: Surgery) -> None:
    for number in range(6):
        surgery.sandbox.control("practitioners", family=f"Extra {number}", given="Dr")
    workers = [with_limiter(surgery, LocalLimiter(), requests_per_minute=10_000) for _ in range(3)]
    adapters = [one.open(surgery.connection(), practice_of(surgery), manual=False) for one in workers]
    for adapter in adapters:
        adapter.identity()
    surgery.sandbox.control("tokens/expire")
    before = token_requests(surgery)
    with ThreadPoolExecutor(12) as pool:
        assert len({one.external_id for one in pool.map(lambda n: adapters[n % 3].identity(), range(24))}) == 1
    for adapter in adapters:
        adapter.close()
    assert token_requests(surgery) == before + 1
    surgery.sandbox.control("tokens/expire")
    assert surgery.sync(DAY).state is RunState.SUCCESS
    assert token_requests(surgery) == before + 2


@pytest.mark.feature("E03")
@pytest.mark.fault("F12")
def test_refused_credentials_are_tried_twice_and_then_left_until_a_person_acts(surgery: Surgery) -> None:
    ids = surgery.books(count=2)
    surgery.sync(DAY)
    surgery.sandbox.control("tokens/expire")
    surgery.sandbox.break_("refuse_credentials")
    surgery.sandbox.control("traffic/reset")
    for _ in range(4):
        result = surgery.sync(DAY)
        assert (result.state, result.reason) == (RunState.FAILED, "auth_failed")
    assert token_requests(surgery) == 2
    assert (surgery.connection().state, surgery.connection().state_reason) == ("needs_attention", "auth_failed")
    assert surgery.shown(DAY) == set(ids)
    surgery.sandbox.mend()
    assert surgery.sync(DAY).state is RunState.FAILED, "the clock does not insist"
    adapter = surgery.engine.open(surgery.connection(), practice_of(surgery), manual=True)
    assert adapter.health_check().healthy, "a person pressed Test"
    adapter.close()
    assert surgery.sync(DAY).state is RunState.SUCCESS
    assert surgery.connection().state == "active"


# --- E04: one client for all ------------------------------------------------------------------------------------------


@pytest.mark.feature("E04")
@pytest.mark.parametrize(
    ("kind", "state", "reason", "connection"),
    [
        ("redirect", RunState.FAILED, "redirect", "needs_attention"),
        ("html", RunState.FAILED, "bad_envelope", "active"),
        ("envelope", RunState.FAILED, "bad_envelope", "active"),
        ("empty_body", RunState.FAILED, "empty_body", "active"),
        ("truncated", RunState.FAILED, "bad_envelope", "active"),
        ("cut_body", RunState.FAILED, "interrupted", "active"),
        ("outage", RunState.FAILED, "connect", "active"),
    ],
)
def test_what_is_no_answer_is_an_error_and_takes_nobody_off_the_sheet(
    surgery: Surgery, waits: Waits, kind: str, state: RunState, reason: str, connection: str
) -> None:
    ids = surgery.books(count=3)
    surgery.sync(DAY)
    before = surgery.picture(DAY), surgery.version(DAY)
    surgery.sandbox.break_(kind, path=BOOK)
    result = surgery.sync(DAY)
    assert (result.state, result.reason) == (state, reason)
    assert surgery.picture(DAY) == before[0]
    assert (surgery.connection().state, surgery.connection().last_sync_error) == (connection, reason)
    surgery.sandbox.mend()
    if connection != "active":
        with surgery.store.write() as session:
            found = connections.get(session, surgery.connection_id)
            connections.resume(session, found, practices.get(session, surgery.practice_id), clock.now())
    assert surgery.sync(DAY).state is RunState.SUCCESS
    assert surgery.shown(DAY) == set(ids)
    surgery.stands_as_at_the_vendor()


@pytest.mark.feature("E04")
@pytest.mark.promise("P25")
def test_the_log_tells_what_was_asked_by_its_route_and_nothing_of_anybody(
    surgery: Surgery, caplog: pytest.LogCaptureFixture
) -> None:
    person = {"family": "Canary", "given": "Zebulon", "phone": "0491 570 158", "email": "zebulon@example.com"}
    (id_,) = surgery.books(patient=person, comment="canary in the comment")
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="app"):
        assert surgery.sync(DAY).state is RunState.SUCCESS
    told = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "/tenants/{tenantId}/appointments" in told
    tenant = str(surgery.connection().tenant_id)
    patient = surgery.row(id_).pms_patient_id
    secrets = (
        "Canary",
        "Zebulon",
        "0491 570",
        "+61491570",
        "zebulon@",
        "runsheet-demo-secret",
        "Bearer",
        id_,
        tenant,
        str(patient),
    )
    assert [one for one in secrets if one in told] == []


@pytest.mark.feature("E04")
def test_every_request_of_a_sync_says_who_asks_and_asks_in_the_vendors_own_form(surgery: Surgery) -> None:
    surgery.books(count=120, every_minutes=2)
    surgery.sandbox.control("traffic/reset")
    surgery.sync(DAY)
    state = surgery.sandbox.state(log=1000)
    assert {one["user_agent"].split("/")[0] for one in state["log"]} == {"Runsheet"}
    assert {one["accept"] for one in state["log"]} == {"application/json"}
    assert (state["z_dates"], state["raw_plus_dates"]) == (0, 0)
    assert state["open_high_water"] <= 4, "bounded parallel fetching"
