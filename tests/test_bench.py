"""The measurements run and check their own work, at sizes that say nothing about speed, without the peer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.pms.registry import adapter_class
from bench import pages, peering, report, syncing
from bench.__main__ import rewritten, sized
from bench.report import Asked
from tests.contract.every import CASES

TINY = Asked(count=400, small=200, large=400, fetched=200, cases=70, rounds=1, kinds=("sqlite",))

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _no_peer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peering, "PYTHON", tmp_path / "nowhere")


def test_a_sync_is_told_beside_the_bare_minimum_and_a_missing_peer_is_said(db_kind: str) -> None:
    told = report.sync(replace(TINY, kinds=(db_kind,)))

    assert "400 appointments" in told and "a single round" in told
    assert "| first sync | " in told and "beside fetching alone" in told
    assert "The peer was not measured" in told and "dlt tuned" not in told


def test_cases_are_told_beside_the_bare_minimum() -> None:
    told = report.cases(TINY)

    assert "70 cases" in told
    assert "| reconciliation, 14 visits gone | " in told


def test_each_adapter_that_is_asked_over_http_is_told() -> None:
    told = report.adapters_read(replace(TINY, count=4_000))

    for kind, case in CASES.items():
        assert (f"| {adapter_class(kind).label} | " in told) == (case.list_path is not None)


def test_memory_and_fetchers_are_told() -> None:
    assert "ours at 400 / ours at 200" in report.peaks(TINY)
    assert "times sooner with 8 fetchers than with 1" in report.side_by_side(TINY)


def test_a_measurement_that_did_not_do_its_work_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    served = syncing.serving
    monkeypatch.setattr(syncing, "serving", lambda size: served(pages.Size(size.appointments // 2)))

    with pytest.raises(RuntimeError, match="AssertionError"):
        syncing.compare(("sqlite",), 400, 1, peer=False)


def test_every_size_follows_the_count_and_only_the_whole_is_the_pages() -> None:
    quick = sized(10_000)

    assert (quick.count, quick.small, quick.large, quick.cases) == (10_000, 1_000, 100_000, 1_000)
    assert sized(None) == Asked() != quick


def test_a_part_measured_anew_takes_its_own_place_on_the_page() -> None:
    page = "# Performance\n\nOld words.\n\n## Syncing\n\n1.5\n\n## Memory\n\n1.3\n"

    told = rewritten(page, "## Syncing\n\n1.2\n")

    assert told.startswith("# Performance\n\nWritten by") and "Old words" not in told
    assert told.endswith("## Syncing\n\n1.2\n\n## Memory\n\n1.3\n")
    assert rewritten(told, "## Jobs\n\n1.0\n").endswith("1.3\n\n## Jobs\n\n1.0\n")
