"""S01: the real adapter against a simulated Gentu that misbehaves: an error, never an empty list."""

from __future__ import annotations

from typing import Any

import pytest

from app.config import VendorSettings
from app.pms.errors import (
    PmsError,
    PmsMalformed,
    PmsRateLimited,
    PmsUnavailable,
    PmsUntrusted,
)
from app.pms.factory import Tools, open_adapter
from app.pms.gentu.adapter import GentuAdapter
from app.pms.limits import LocalLimiter
from app.pms.port import Site
from tests.pms.gentu.paired import (
    NINE,
    WINDOW,
    ZONE,
    Practice,
    _empty,
    adapter,
    pages,
    practice,
    rows,
    sandbox,
)
from tests.sandbox.process import APP_ID, CLIENT_ID, CLIENT_SECRET, RunningSandbox

__all__ = ["_empty", "adapter", "practice", "sandbox"]

pytestmark = pytest.mark.feature("S01")


# --- faults -----------------------------------------------------------------------------------------------------------


UNREADABLE = (
    "no_start null_start bad_start far_start no_id null_id wrong_type not_an_object lone_surrogate nan infinity "
    "huge_number same_key_twice"
)


@pytest.mark.parametrize("record", UNREADABLE.split())
def test_one_poisoned_record_is_set_aside(adapter: GentuAdapter, sandbox: RunningSandbox, record: str) -> None:
    ids = sandbox.control("appointments", starts_at=NINE, count=3)["ids"]
    sandbox.break_("poison", record=record, index=1, next=3, query=_first(adapter))
    found = pages(adapter)
    assert [row.external_id for one in found for row in one.appointments] == [ids[0], ids[2]]
    (bad,) = [bad for one in found for bad in one.rejected]
    assert bad.path.startswith("$")
    assert sum(one.received for one in found) == 3


@pytest.mark.parametrize(
    "record", ["naive_start", "number_id", "unknown_status", "nul", "html", "long_comment", "new_field"]
)
def test_what_is_merely_strange_is_read(adapter: GentuAdapter, sandbox: RunningSandbox, record: str) -> None:
    sandbox.control("appointments", starts_at=NINE, count=3)
    sandbox.break_("poison", record=record, index=1, query=_first(adapter))
    found = [row for one in pages(adapter) for row in one.appointments]
    assert len(found) == 3
    row = found[1]
    assert row.starts_at.astimezone(ZONE).hour == 9
    assert row.comment is None or ("\x00" not in row.comment and len(row.comment) <= 10_000)
    if record == "number_id":
        assert row.external_id == "123"


def _first(adapter: GentuAdapter) -> str:
    """Part of the query of the practitioner whom bookings go to by default."""
    return f"practitionerId={next(one.external_id for one in adapter.practitioners() if one.works_here)}"


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        ({"kind": "outage", "mode": "close"}, PmsUnavailable, "connect"),
        ({"kind": "outage", "mode": "503"}, PmsUnavailable, "server_error"),
        ({"kind": "error", "status": 500}, PmsUnavailable, "server_error"),
        ({"kind": "error", "status": 503, "retry_after": 600}, PmsRateLimited, "rate_limited"),
        ({"kind": "rate_limited"}, PmsRateLimited, "rate_limited"),
        ({"kind": "rate_limited", "retry_after": "600"}, PmsRateLimited, "rate_limited"),
        ({"kind": "redirect"}, PmsUntrusted, "redirect"),
        ({"kind": "html"}, PmsMalformed, "bad_envelope"),
        ({"kind": "envelope"}, PmsMalformed, "bad_envelope"),
        ({"kind": "empty_body"}, PmsMalformed, "empty_body"),
        ({"kind": "cut_body"}, PmsUnavailable, "interrupted"),
        ({"kind": "truncated"}, PmsMalformed, "bad_envelope"),
        ({"kind": "cursor_loop", "length": 1}, PmsMalformed, "cursor_loop"),
        ({"kind": "cursor_loop", "length": 3}, PmsMalformed, "cursor_loop"),
        ({"kind": "poison", "record": "deep"}, PmsMalformed, "depth"),
    ],
)
def test_a_fault_of_the_book_is_an_error_and_never_an_empty_list(
    practice: Practice,
    adapter: GentuAdapter,
    sandbox: RunningSandbox,
    fault: dict[str, Any],
    kind: type[PmsError],
    reason: str,
) -> None:
    sandbox.control("appointments", starts_at=NINE, count=3)
    people = [one.external_id for one in adapter.practitioners() if one.works_here]
    part = adapter.partitions(WINDOW, people)[0]
    options = {"path": "/tenants/*/appointments", **fault}
    sandbox.break_(str(options.pop("kind")), **options)
    with pytest.raises(kind) as raised:
        list(adapter.appointments(part))
    assert raised.value.reason == reason
    sandbox.mend()
    assert sum(len(one.appointments) for one in adapter.appointments(part)) == 3


@pytest.mark.parametrize(
    "fault", [{"kind": "outage", "mode": "close"}, {"kind": "error", "status": 502}, {"kind": "cut_body"}]
)
def test_a_fault_that_passes_is_not_noticed(
    practice: Practice, adapter: GentuAdapter, sandbox: RunningSandbox, fault: dict[str, Any]
) -> None:
    ids = sandbox.control("appointments", starts_at=NINE, count=3)["ids"]
    options = {"path": "/tenants/*/appointments", "next": 2, "query": _first(adapter), **fault}
    sandbox.break_(str(options.pop("kind")), **options)
    assert set(rows(adapter)) == set(ids)
    assert 0 < practice.waits.total <= 3


def test_an_empty_page_in_the_middle_ends_nothing(adapter: GentuAdapter, sandbox: RunningSandbox) -> None:
    ids = sandbox.control("appointments", starts_at=NINE, count=150, every_minutes=1)["ids"]
    sandbox.break_("empty_page", next=1, query=_first(adapter))
    assert set(rows(adapter)) == set(ids)


def test_our_own_limiter_keeps_the_vendors_limit(practice: Practice, sandbox: RunningSandbox) -> None:
    """The vendor would answer 429 above 30 a minute; the limiter sees to it that it never has to."""
    sandbox.control("knobs", rate_limit_per_minute=30)
    local = LocalLimiter(sleep=practice.waits)
    tools = Tools(limiter=local, tokens=practice.stores, connection="c", sleep=practice.waits)
    extra = {"app_id": APP_ID, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    vendor = VendorSettings(base_url=sandbox.base_url, requests_per_minute=20, extra=extra)
    adapter = open_adapter("gentu", vendor, Site(practice.open(None).pair(sandbox.pairing_code()), "UTC"), tools)
    with pytest.raises(PmsRateLimited) as raised:
        for _ in range(40):
            adapter.identity()
    adapter.close()
    assert raised.value.status is None
    assert raised.value.retry_after_s is not None
    assert all(entry["status"] != 429 for entry in sandbox.state()["log"])


def test_a_sweep_costs_one_request_a_partition_and_page(adapter: GentuAdapter, sandbox: RunningSandbox) -> None:
    sandbox.control("appointments", starts_at=NINE, count=150, every_minutes=1)
    people = [one for one in adapter.practitioners() if one.works_here]
    sandbox.control("traffic/reset")
    pages(adapter)
    routes = [entry["route"] for entry in sandbox.state()["log"]]
    assert routes.count("GET /tenants/{tenant_id}/appointments") == len(people) + 1
    assert len(routes) <= len(people) + 1 + 3  # the two lists, once each, and the names
