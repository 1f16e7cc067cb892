"""A page that does not fit into memory: once more with pages half as large, then the run says so. Real horses."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.jobs import memory, queues
from app.pms.port import Page
from app.sync.engine import Wish
from app.sync.phases.inbound import Inbound
from app.sync.run import Runner
from tests.jobs.living import Practice
from tests.sandbox.process import RunningSandbox

#: What fits: half of the adapter's usual page.
FITS = 50
pytestmark = pytest.mark.fault("F58")


@pytest.fixture
def practice(living: Callable[..., Practice], small_clinic: RunningSandbox) -> Practice:
    made = living(small_clinic)
    made.only_when_pressed()
    made.books(130, every_minutes=1)
    return made


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel counts its kills in."""
    file = tmp_path / "memory.events"
    file.write_text("low 0\noom 0\noom_kill 0\noom_group_kill 0\n")
    monkeypatch.setattr(memory, "ELSEWHERE", (file,))
    return file


def before_a_page(monkeypatch: pytest.MonkeyPatch, does: Callable[[Page], None]) -> None:
    take = Inbound._take

    def taken(self: Inbound, chain: Any, page: Page) -> None:
        does(page)
        take(self, chain, page)

    monkeypatch.setattr(Inbound, "_take", taken)


def needs_much(_: Page) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, -1))  # the horse's own: the worker's stays as it is
    bytearray(8 << 30)


def if_large(does: Callable[[Page], None]) -> Callable[[Page], None]:
    return lambda page: does(page) if len(page.appointments) > FITS else None


def killed_by_the_kernel(counter: Path) -> Callable[[Page], None]:
    def kill(_: Page) -> None:
        counter.write_text(f"oom_kill {int(counter.read_text().split('oom_kill ')[1].split()[0]) + 1}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    return kill


def sizes_asked_for(practice: Practice) -> list[str]:
    """One for each run of pages, in the order they were asked for."""
    sizes = [query.partition("limit=")[2].partition("&")[0] for query in practice.pages_asked_for()]
    return [size for at, size in enumerate(sizes) if at == 0 or sizes[at - 1] != size]


def presses(practice: Practice) -> list[tuple[str, str | None]]:
    practice.presses()
    practice.works()
    assert not any(queues.queue(name, practice.redis).job_ids for name in queues.ALL)
    return practice.states()


def test_a_page_too_many_is_asked_for_once_more_in_halves(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    before_a_page(monkeypatch, if_large(needs_much))
    assert presses(practice) == [("abandoned", "memory_page"), ("success", None)]
    first, second = practice.runs()
    assert (second.attempt, second.retry_of) == (2, first.id)
    assert sizes_asked_for(practice) == ["100", "50"]
    assert practice.connection().failures == 0
    practice.stands_as_in_the_pms()


def test_halves_that_do_not_fit_either_fail_the_run_and_the_next_one_asks_for_whole_pages(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as small:
        before_a_page(small, needs_much)
        assert presses(practice) == [("abandoned", "memory_page"), ("failed", "memory")]
    assert practice.connection().failures == 1
    assert practice.rows() == []
    assert presses(practice)[2:] == [("success", None)]
    assert sizes_asked_for(practice) == ["100", "50", "100"]
    practice.stands_as_in_the_pms()


@pytest.mark.fault("F55")
def test_a_horse_the_kernel_killed_for_memory_is_told_from_one_that_was_lost(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, counter: Path
) -> None:
    before_a_page(monkeypatch, if_large(killed_by_the_kernel(counter)))
    assert presses(practice) == [("abandoned", "memory_page"), ("success", None)]
    assert sizes_asked_for(practice) == ["100", "50"]
    practice.stands_as_in_the_pms()


def test_the_kernel_kills_twice_at_most(practice: Practice, monkeypatch: pytest.MonkeyPatch, counter: Path) -> None:
    before_a_page(monkeypatch, killed_by_the_kernel(counter))
    assert presses(practice) == [("abandoned", "memory_page"), ("failed", "memory")]
    assert practice.damage()["stuck"] == 0


def test_whatever_kills_it_there_are_three_starts_at_most(
    practice: Practice, monkeypatch: pytest.MonkeyPatch, counter: Path, tmp_path: Path
) -> None:
    starts, by_the_kernel = tmp_path / "starts", killed_by_the_kernel(counter)

    def dies(page: Page) -> None:
        with starts.open("a") as file:
            file.write("x")
        if len(starts.read_text()) == 3:
            by_the_kernel(page)
        os.kill(os.getpid(), signal.SIGKILL)

    before_a_page(monkeypatch, dies)
    assert presses(practice) == [("abandoned", "lost"), ("abandoned", "lost"), ("failed", "memory")]
    assert starts.read_text() == "xxx"


def test_a_horse_that_always_dies_is_tried_three_times(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runner, "execute", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    assert presses(practice) == [("abandoned", "lost")] * 3


def test_a_sync_in_the_foreground_tries_again_by_itself(practice: Practice, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_: Page) -> None:
        raise MemoryError

    before_a_page(monkeypatch, if_large(refuses))
    result = practice.parts.engine.sync(Wish(practice.connection_id))
    assert result.success
    assert practice.states() == [("abandoned", "memory_page"), ("success", None)]
    practice.stands_as_in_the_pms()


def test_the_counters_of_both_kinds_of_groups_and_of_the_machine_are_read(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("events", "control", "vmstat")]
    files[0].write_text("oom 3\noom_kill 2\noom_group_kill 1\n")
    files[1].write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n")
    files[2].write_text("nr_free_pages 17\noom_kill 8\n")
    nowhere = tmp_path / "nowhere"
    assert memory.kills(nowhere, (*files, nowhere)) == 14
    assert memory.kills(nowhere, (nowhere,)) == 0
